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
    /// The wall clock has not been set once since the start: what it shows says nothing, and labels
    /// run on from what it showed first.
    unset: bool,
    /// Wall − monotonic is at least this: labels had come so far before the start.
    least: i64,
}

/// A wall clock that is this much behind what it must at least show is plainly wrong.
const BEHIND_MS: i64 = 1000;

impl Timeline {
    /// Labels from `now` on.
    pub fn new(now: Now) -> Timeline {
        Timeline {
            offset: now.wall.0 - mono(now.mono),
            high: now.wall,
            fold: 0,
            clock: now.clock,
            unset: now.clock == ClockState::Unsynced,
            least: i64::MIN,
        }
    }

    /// The same labels as a run before gave that came to `reached`, for what it has left open.
    #[must_use]
    pub fn of_before(&self, reached: Wall, at: Mono, was_unset: bool) -> Timeline {
        let clock = match was_unset {
            true => ClockState::Unsynced,
            false => ClockState::Holdover,
        };
        Timeline {
            offset: reached.0 - mono(at),
            clock,
            unset: was_unset,
            ..self.clone()
        }
    }

    /// Whether the wall clock has not been set once since the start.
    pub const fn is_unset(&self) -> bool {
        self.unset
    }

    /// What the wall clock is worth. Before it was set once, one that is behind what had been
    /// reached before the start is worth nothing, unless the kernel vouches for it.
    pub fn worth(&self, now: Now) -> ClockState {
        let offset = now.wall.0 - mono(now.mono);
        let is_behind = offset.saturating_add(BEHIND_MS) < self.least;
        match now.clock {
            ClockState::Holdover if self.unset && is_behind => ClockState::Unsynced,
            clock => clock,
        }
    }

    /// The wall clock was set for the first time: labels are moved by `by`, and worth this.
    pub fn set(&mut self, at: Mono, by: i64, clock: ClockState) {
        self.unset = false;
        self.clock = clock;
        self.step(at, by);
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
    /// counts down, so that no window has start and fold of another one: also none of those that are
    /// moved over labels of before once the clock is set.
    pub fn fold_at(&self, start: Wall) -> u32 {
        let was_given = self.unset || start < self.high;
        if was_given { self.fold } else { 0 }
    }

    /// What [`Timeline::resume`] goes on from.
    pub const fn history(&self) -> (Wall, u32) {
        (self.high, self.fold)
    }

    /// Continues the labels of a run before, which had come to `reached` by a clock that was set.
    pub fn resume(&mut self, (high, fold): (Wall, u32), reached: Option<Wall>, now: Now) {
        self.high = high;
        self.fold = fold;
        if let Some(reached) = reached {
            self.least = reached.0 - mono(now.mono);
        }
        self.unset = true;
        self.clock = self.worth(now);
        self.unset = self.clock == ClockState::Unsynced;
    }
}

fn mono(at: Mono) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
