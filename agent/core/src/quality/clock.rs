//! A source whose clock is slow: its time stamps move on as they should, and stay behind.
//!
//! Stamps that stay behind by a constant may also be those of a queue that never empties. From the
//! data alone nobody can tell, and to take what is two hours old for the present would be the worse
//! lie: such samples stay as bad as stale ones, but say what is wrong with them.

use super::limits::{BEHIND_JITTER_MS, BEHIND_SAMPLES};
use crate::time::{Mono, Wall};

/// The last stale samples of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Behind {
    /// Age of the first of them, in milliseconds.
    age_ms: u64,
    /// When the last one that counts came, and its stamp.
    at: Mono,
    stamp: Wall,
    samples: u8,
}

impl Behind {
    /// A sample came that is too old by its stamp: whether that is because of the clock.
    /// `every_ms` is the pace at which samples come; those that come faster are of the same moment,
    /// or of a backlog.
    pub fn take(&mut self, stamp: Wall, age_ms: u64, at: Mono, every_ms: u64) -> bool {
        let as_late = age_ms.abs_diff(self.age_ms) <= BEHIND_JITTER_MS;
        if self.samples == 0 || !as_late {
            *self = Behind {
                age_ms,
                at,
                stamp,
                samples: 1,
            };
        } else if stamp > self.stamp && at.since(self.at) >= every_ms / 2 {
            self.at = at;
            self.stamp = stamp;
            self.samples = (self.samples + 1).min(BEHIND_SAMPLES);
        }
        self.samples >= BEHIND_SAMPLES
    }

    /// A sample came that is not too old.
    pub const fn is_right(&mut self) {
        self.samples = 0;
    }
}
