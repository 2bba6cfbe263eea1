//! For how many polls a value stays the same while its machine runs.

use super::Poll;
use super::limits::{
    LEARN_RUNNING_MS, LEAST_CHANGES, LEAST_LONG, LEAST_RUN, LONG_PART, LONGEST_MS, LONGEST_POLLS,
    RUN_FACTOR,
};
use serde::{Deserialize, Serialize};

/// What was learned of the runs of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs {
    /// Polls for which the present value is the same, while running; a stop between them is no
    /// change.
    run: u32,
    /// The longest such run.
    longest: u32,
    /// Polls while running.
    polls: u32,
    /// Changes while running.
    changes: u16,
    /// Runs of the order of the longest.
    long: u16,
}

/// As much of [`Runs`] as survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedRuns {
    longest: u32,
    polls: u32,
    changes: u16,
    long: u16,
}

impl Runs {
    /// Nothing was learned.
    pub(super) const NEW: Runs = Runs {
        run: 0,
        longest: 0,
        polls: 0,
        changes: 0,
        long: 0,
    };

    /// What is to be kept; the present run begins anew.
    pub(super) const fn learned(&self) -> LearnedRuns {
        LearnedRuns {
            longest: self.longest,
            polls: self.polls,
            changes: self.changes,
            long: self.long,
        }
    }

    /// Goes on from what was learned before.
    pub(super) const fn resume(before: &LearnedRuns) -> Runs {
        Runs {
            run: 0,
            longest: before.longest,
            polls: before.polls,
            changes: before.changes,
            long: before.long,
        }
    }

    /// The value is the same as before, while running.
    pub(super) const fn stay(&mut self) {
        self.run = self.run.saturating_add(1);
        self.polls = self.polls.saturating_add(1);
    }

    /// The value changed. A run beyond the limit was a lie, or else the limit was too low: it counts
    /// as long as the limit, so that another lie of the same length is still found, and another truth
    /// is not taken for one so soon.
    pub(super) fn change(&mut self, poll: &Poll, limit: Option<u32>) {
        let run = match limit {
            Some(limit) if self.run > limit => limit.min(longest(poll).max(self.longest)),
            _ => self.run,
        };
        if run / LONG_PART > self.longest {
            self.long = 0;
        }
        self.longest = self.longest.max(run);
        if run > 0 && run >= self.longest / LONG_PART {
            self.long = self.long.saturating_add(1);
        }
        self.run = 0;
        if poll.running {
            self.polls = self.polls.saturating_add(1);
            self.changes = self.changes.saturating_add(1);
        }
    }

    /// Polls for which the present value is the same, while running.
    pub(super) const fn run(&self) -> u32 {
        self.run
    }

    /// The longest run in polls that is normal; none while that is not known. `regular` says that
    /// it is known to move, however seldom.
    pub(super) fn limit(&self, poll: &Poll, regular: bool) -> Option<u32> {
        let learned = self.changes >= LEAST_CHANGES
            && self.polls >= poll.polls(LEARN_RUNNING_MS)
            && (self.long >= LEAST_LONG || self.longest <= LEAST_RUN / RUN_FACTOR);
        let moves = regular || self.longest <= longest(poll);
        (learned && moves).then(|| self.longest.saturating_mul(RUN_FACTOR).max(LEAST_RUN))
    }
}

/// Polls for which a value that "normally moves" stays the same at most.
fn longest(poll: &Poll) -> u32 {
    poll.polls(LONGEST_MS).max(LONGEST_POLLS)
}
