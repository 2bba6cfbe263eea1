//! What two readings of a counter say, one after the other.

use crate::machine::Machine;

/// What the second of two readings says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// So many counts were made.
    Made(u64),
    /// It began anew.
    Reset,
}

/// A lower reading says that the counter went over its top if it was within 5 % of it, and no more was
/// made than half as much again as the highest rated rate allows, and one. Without a rate no more than
/// 5 % of what the counter holds.
pub fn says(machine: &Machine, tag: usize, last: i64, raw: i64, ms: u64) -> Said {
    if raw >= last {
        return Said::Made((raw - last).unsigned_abs());
    }
    let counter = machine.counter(tag);
    let Some((counter, top)) = counter.and_then(|it| Some((it, it.top?))) else {
        return Said::Reset;
    };
    let made = top - last + 1 + raw;
    let most = match machine.rate.highest() {
        Some(rate) => {
            let parts = i128::from(counter.parts);
            i128::from(rate) * i128::from(ms) * 3 / (2 * 3_600_000 * 1_000 * parts) + 1
        }
        None => i128::from(top / 20),
    };
    if last >= top - top / 20 && i128::from(made) <= most {
        Said::Made(made.unsigned_abs())
    } else {
        Said::Reset
    }
}
