//! Whether a machine works, told by a counter that moves: for machines that have no state word.
//!
//! A reading with a higher count shows that the machine works, from that reading until
//! `idle_after_ms` have passed without another; then it stands. Nothing is changed backwards, and
//! nothing is assumed: from the first reading, until the counter has moved or stood for
//! `idle_after_ms`, nobody knows. The same holds after a movement that lies anywhere in a silence
//! longer than that, while a count that stands where it stood before the silence says that the
//! machine stood all the time.

use crate::count::{Counter, Dial, Odometer, Step};
use crate::plant::Moving;
use crate::state::State;
use serde::{Deserialize, Serialize};

/// What the counter of a machine has shown, in the time of its [`Odometer`]: it survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Motion {
    counter: Counter,
    /// Accounted milliseconds when it last moved, or was first read; none before.
    still_from_ms: Option<u64>,
    /// Whether the machine is known to have worked then.
    worked: bool,
}

/// What a machine does, as far as its counter tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Unknown if the counter has not shown it yet.
    pub state: State,
    /// Milliseconds until the machine stands if the counter does not move; none if it stands.
    pub stands_in_ms: Option<u64>,
}

impl Motion {
    /// A counter that nobody has read.
    pub const fn new(dial: Dial) -> Motion {
        Motion {
            counter: Counter::new(dial),
            still_from_ms: None,
            worked: false,
        }
    }

    /// What it showed before a restart, if it is still the same counter.
    pub fn resume(&mut self, before: &Motion) {
        if self.counter.is_like(&before.counter) {
            *self = *before;
        }
    }

    /// A silence of unknown length: how often it moved in it says nothing.
    pub const fn forget(&mut self) {
        *self = Motion::new(self.counter.dial());
    }

    /// A good reading. A wrap is a movement; a reset is none.
    pub fn read(&mut self, raw: i64, now: &Odometer, rate: Option<u64>, moving: &Moving) {
        let (step, before) = self.counter.read(raw, now, rate);
        match step {
            Step::First => self.still_from_ms = Some(now.elapsed_ms),
            Step::Made(0) | Step::Reset => {}
            Step::Made(_) => {
                let gap_ms = before.map_or(0, |then| now.elapsed_ms - then.elapsed_ms);
                self.worked = gap_ms <= moving.idle_after_ms;
                self.still_from_ms = Some(now.elapsed_ms);
            }
        }
    }

    /// What the machine does at a moment while the counter is read; none if it never was.
    pub fn at(&self, elapsed_ms: u64, moving: &Moving) -> Option<Moved> {
        let still_ms = elapsed_ms - self.still_from_ms?;
        let stands_in_ms = moving.idle_after_ms.checked_sub(still_ms);
        let stands_in_ms = stands_in_ms.filter(|ms| *ms > 0);
        let state = match (stands_in_ms, self.worked) {
            (None, _) => moving.stopped,
            (Some(_), true) => State::Producing,
            (Some(_), false) => State::Unknown,
        };
        Some(Moved {
            state,
            stands_in_ms,
        })
    }
}

#[cfg(test)]
mod tests;
