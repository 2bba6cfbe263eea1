//! The board beside the gateway: it sounds when everything else is dead.
//!
//! This library decides; it owns no pin, no port and no clock. A binary per chip feeds it: bytes
//! that arrived into [`Board::receive`], pin levels once a millisecond into [`Board::sample`]; and
//! does what it says: sets the pins to [`Board::outputs`], sends what [`Board::poll_transmit`]
//! hands out. `now` is always milliseconds since the board started. No heap, nothing that grows.
//!
//! | module | decides |
//! | --- | --- |
//! | [`debounce`] | when a contact has really changed |
//! | [`counter`] | how many pulses there were |
//! | [`button`] | how long a button was pressed |
//! | [`horn`] | when buzzer and lamps are on |
//! | [`link`] | whether the agent lives, what it is told |
//! | [`board`] | all of it together, and what happens when the agent is dead |
#![cfg_attr(not(test), no_std)]

pub mod board;
pub mod button;
pub mod counter;
pub mod debounce;
pub mod horn;
pub mod link;

pub use board::{Board, Pins};
pub use horn::Outputs;
pub use link::Identity;

use andon_wire::Release;

/// The release of this firmware.
pub const FIRMWARE: Release = Release {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    patch: number(env!("CARGO_PKG_VERSION_PATCH")),
};

/// A part of Cargo's version, which is digits only; evaluated by the compiler.
const fn number(digits: &str) -> u16 {
    let mut rest = digits.as_bytes();
    let mut number = 0;
    while let [digit, behind @ ..] = rest {
        number = number * 10 + (*digit - b'0') as u16;
        rest = behind;
    }
    number
}
