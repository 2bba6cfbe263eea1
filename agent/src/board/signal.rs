//! What the horn is to do, in the board's words: both have the same patterns.

use andon_core::annunciate::horn::{self, Horn};
use andon_wire::{Lamp, Signal, Tone};

/// What the board is to sound and show for a horn.
pub(super) const fn of(horn: &Horn) -> Signal {
    Signal {
        tone: match horn.tone {
            horn::Tone::Silent => Tone::Silent,
            horn::Tone::Ringback => Tone::Ringback,
            horn::Tone::Low => Tone::Low,
            horn::Tone::Medium => Tone::Medium,
            horn::Tone::High => Tone::High,
        },
        start: horn.start,
        red: lamp(horn.red),
        yellow: lamp(horn.yellow),
        green: lamp(horn.green),
    }
}

const fn lamp(lamp: horn::Lamp) -> Lamp {
    match lamp {
        horn::Lamp::Off => Lamp::Off,
        horn::Lamp::On => Lamp::On,
        horn::Lamp::FlashSlow => Lamp::FlashSlow,
        horn::Lamp::Flash => Lamp::Flash,
    }
}

/// The test, with a number that begins it anew.
pub(super) const fn test(playing: Signal) -> Signal {
    Signal {
        tone: Tone::Test,
        start: playing.start.wrapping_add(0x80),
        ..playing
    }
}
