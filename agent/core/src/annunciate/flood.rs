//! Floods: so many alarms at once that one message for each would help nobody (ISA-18.2, EEMUA 191).

use crate::plant::Priority;
use crate::time::Mono;

/// The time in which alarms are counted.
pub(super) const SPAN_MS: u64 = 10 * 60_000;

/// A flood begins with more alarms than this in that time, and ends with fewer than [`ENDS`].
const BEGINS: usize = 10;
const ENDS: usize = 5;

/// More things to tell at one moment go into one message, flood or not.
pub(super) const SEVERAL: usize = 3;

/// The first digest of a flood waits so long for what else comes with it.
const GATHER_MS: u64 = 60_000;

/// Time between two digests.
const DIGEST_MS: u64 = 10 * 60_000;

/// A flood that somebody is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flood {
    /// The most urgent alarm that they were told of by itself.
    pub(super) worst: Option<Priority>,
    /// When the next digest is due.
    pub(super) digest_at: Mono,
}

/// The flood after `arrived` alarms in the last ten minutes; `told` is the most urgent of them that
/// they were told of.
pub(super) fn after(
    before: Option<Flood>,
    arrived: usize,
    told: Option<Priority>,
    at: Mono,
) -> Option<Flood> {
    match before {
        Some(_) if arrived < ENDS => None,
        None if arrived > BEGINS => Some(Flood {
            worst: told,
            digest_at: at + GATHER_MS,
        }),
        same => same,
    }
}

impl Flood {
    /// A digest goes out.
    pub(super) fn digested(&mut self, at: Mono) {
        self.digest_at = at + DIGEST_MS;
    }

    /// Whether an alarm of this priority is told by itself, at once.
    pub(super) fn is_worse(&self, priority: Priority) -> bool {
        self.worst < Some(priority)
    }
}
