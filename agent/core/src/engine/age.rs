//! What the time stamp of a source makes of its reading (contract §2: sources that lie).
//!
//! The reading stays an input of the moment at which it arrived; its age is passed along. What one
//! that is too old to be one of now says of the past is [`super::late`]'s.

use super::Engine;
use crate::sample::{Reading, Reason, Sample};
use crate::tag::{DeviceIndex, TagIndex};
use crate::time::{ClockState, Mono};

/// So much may the clock of a source be ahead of the gateway's, in milliseconds.
const AHEAD_MS: i64 = 60_000;

/// A reading with its age when it arrived.
#[derive(Debug)]
pub(super) struct Aged {
    pub(super) reading: Reading,
    pub(super) age_ms: u64,
}

impl Aged {
    /// A reading that is as old as its arrival.
    pub(super) const fn now(reading: Reading) -> Aged {
        Aged { reading, age_ms: 0 }
    }
}

impl Engine {
    /// What a sample is worth that arrives at `at`; none if a newer one of the tag was taken: a
    /// counter that goes back would look like a reset. While the gateway's clock is not set nobody
    /// can say how old anything is, and time stamps are not looked at.
    pub(super) fn age(
        &mut self,
        device: DeviceIndex,
        tag: TagIndex,
        at: Mono,
        sample: &Sample,
    ) -> Option<Aged> {
        let reading = sample.reading.clone();
        let (Some(time), true) = (sample.time, self.timeline.clock != ClockState::Unsynced) else {
            return Some(Aged::now(reading));
        };
        let now = self.timeline.label(at);
        let slot = self.devices[usize::from(device.0)].first_slot + usize::from(tag.0);
        if let Some(newest) = self.newest.time(slot) {
            // One that lies in the future is no measure: its clock may have been set since.
            if newest.is_some_and(|newest| time < newest && newest <= now + AHEAD_MS) {
                return None;
            }
            *newest = Some(time);
        }
        let age = now - time;
        let reading = match reading {
            Reading::Good(value) if age < -AHEAD_MS => {
                Reading::Uncertain(value, Reason::ClockAhead)
            }
            Reading::Good(_) | Reading::Uncertain(..)
                if age >= 0 && age.unsigned_abs() >= self.stale_after(device, tag) =>
            {
                Reading::Bad(Reason::Stale)
            }
            reading => reading,
        };
        Some(Aged {
            reading,
            age_ms: age.max(0).unsigned_abs(),
        })
    }
}
