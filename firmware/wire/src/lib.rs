//! The messages the agent and the board speak. Both ends compile this crate; it belongs to neither.
//!
//! # What is on the line
//!
//! ```text
//! 00 | COBS( version: u8 | number: u16 LE | message: postcard | CRC-32 LE of all before it ) | 00
//! ```
//!
//! A frame starts and ends with a zero, which COBS keeps out of everything between: whatever went
//! wrong before, the next frame is read. [`frame`] promises what is accepted and what is not.
//!
//! # What may change
//!
//! - Never: the envelope above, the CRC, and the *common ground*, that is the layout of
//!   [`Hello`], [`ToBoard::AskHello`] and [`ToBoard::EnterBootloader`]. So an agent can name and
//!   replace a board of any other version, older or newer.
//! - Only at the end: new variants of an enum. Their order is on the wire.
//! - Anything else is a new [`VERSION`]. postcard does not describe itself: a field added to a
//!   message is not "missing" to an old decoder, it is garbage. The golden bytes in
//!   `tests/golden.rs` fail when a layout changes unnoticed.
#![no_std]

pub mod frame;
pub mod message;

pub use frame::{Decoder, Encoded, Errors, Frame, MAX_FRAME, Received, encode};
pub use message::{
    Button, ButtonEvent, Hello, INPUTS, Inputs, Lamp, Message, Press, Release, ResetCause, Signal,
    ToAgent, ToBoard, Tone,
};

/// The version of the messages, the first byte of every frame.
pub const VERSION: u8 = 1;

/// How often the agent sends a heartbeat.
pub const HEARTBEAT_EVERY_MS: u64 = 1_000;

/// How long the board waits for a heartbeat before it takes the agent for dead.
pub const AGENT_DEAD_AFTER_MS: u64 = 10_000;
