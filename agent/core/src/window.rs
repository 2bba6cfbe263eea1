//! Where windows begin and end: local minutes, on a wall clock that may be stepped.
//!
//! Labels run at the speed of the monotonic clock; a step of the wall clock moves them from one
//! moment to the next, and closes the open window there, so that no window has a step inside.

use crate::time::{ClockState, Mono, Now, Wall};

/// The wall clock is stepped if it differs from the labels by at least this much; two readings of
/// two clocks are never taken at quite the same moment.
const STEP_MS: i64 = 100;

/// Length of a `1m` window. Shifts and breaks begin at whole minutes, and every time zone of this
/// century is whole minutes away from UTC, so local minutes are UTC minutes and cut at all of them.
pub const MINUTE_MS: i64 = 60_000;

/// Labels for moments.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Wall − monotonic.
    offset: i64,
    /// Labels before this one were given before the last step.
    high: Wall,
    /// How often labels that had been given were begun again.
    fold: u32,
    /// What the labels are worth.
    pub clock: ClockState,
}

impl Timeline {
    /// Labels from `now` on.
    pub fn new(now: Now) -> Timeline {
        Timeline {
            offset: now.wall.0 - mono(now.mono),
            high: now.wall,
            fold: 0,
            clock: now.clock,
        }
    }

    /// The label of a moment.
    pub fn label(&self, at: Mono) -> Wall {
        Wall(mono(at) + self.offset)
    }

    /// The moment that has this label.
    pub fn moment(&self, label: Wall) -> Mono {
        Mono(u64::try_from(label.0 - self.offset).unwrap_or(0))
    }

    /// The first end of a minute after `at`.
    pub fn next_minute(&self, at: Mono) -> Wall {
        Wall((self.label(at).0.div_euclid(MINUTE_MS) + 1) * MINUTE_MS)
    }

    /// By how much the wall clock has been stepped since it was last looked at.
    pub fn stepped(&self, now: Now) -> Option<i64> {
        let by = now.wall - self.label(now.mono);
        (by.abs() >= STEP_MS).then_some(by)
    }

    /// Moves the labels by a step.
    pub fn step(&mut self, at: Mono, by: i64) {
        let reached = self.label(at);
        self.offset += by;
        self.begin_anew(reached, at);
    }

    /// Labels have come to `reached`, the next one is that of `at`.
    pub fn begin_anew(&mut self, reached: Wall, at: Mono) {
        self.high = self.high.max(reached);
        if self.label(at) < self.high {
            self.fold += 1;
        }
    }

    /// `fold` of a window that begins at `start`: 0 where no label was given before. It never
    /// counts down, so that no window has start and fold of another one.
    pub fn fold_at(&self, start: Wall) -> u32 {
        if start < self.high { self.fold } else { 0 }
    }

    /// What [`Timeline::resume`] goes on from.
    pub const fn history(&self) -> (Wall, u32) {
        (self.high, self.fold)
    }

    /// Continues the labels of a run before.
    pub const fn resume(&mut self, (high, fold): (Wall, u32)) {
        self.high = high;
        self.fold = fold;
    }
}

fn mono(at: Mono) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
