//! A counter: one that counts while its machine produces, and not faster than that can make.

use super::Poll;
use super::limits::{
    BELIEVED_AT, CONFIRMED_FACTOR, FASTEST_FACTOR, LEAST_STEPS, RATED_CYCLES, RATED_FACTOR,
    RATED_STILL_MS, SLACK_COUNTS,
};
use super::runs::{LearnedRuns, Runs};
use crate::plant::Device;
use crate::sample::Reason;
use crate::tag::{Counts, Detector, Detectors, Tag};
use crate::time::Mono;
use serde::{Deserialize, Serialize};

/// What a counter counts, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Whether a machine that produces counts it: parts or energy, but not scrap.
    by_producing: bool,
    /// Whether it counts parts, which may take their time.
    parts: bool,
    /// Counts in an hour at rated rate.
    rated: Option<f64>,
}

impl Counted {
    /// Parts, so many in an hour at rated rate.
    #[cfg(test)]
    pub(super) fn parts(rated: Option<u64>) -> Counted {
        Counted {
            by_producing: true,
            parts: true,
            rated: rated.map(|rate| rate as f64),
        }
    }

    /// What a tag of a device counts.
    pub fn of(device: &Device, tag: &Tag) -> Counted {
        let rate = |role| device.highest_rate().map(|rate| (rate, role));
        let rated = tag.role.and_then(rate).map(|(rate, role)| {
            let parts = f64::from(role.parts.max(1));
            rate as f64 / 1000.0 / parts
        });
        Counted {
            // Where a counter tells the state, it cannot contradict it.
            by_producing: tag.role.is_none_or(|role| role.counts != Counts::Scrap)
                && !device.is_told_by_counter(),
            parts: tag.role.is_some(),
            rated: rated.filter(|rate| *rate > 0.0),
        }
    }
}

/// What is to be made of a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Jump {
    /// What was added is counted, a drop is a wrap or a reset.
    None,
    /// It is not counted yet: it may be a slip, or the truth.
    Held,
    /// It goes on from here: what lies between is nobody's knowledge.
    Anew,
    /// It is where it was before it dropped, which was no reset: it goes on from this count.
    Back(f64),
}

/// What is normal for a counter. Counts are whole below 2^53, which is also as far as numbers of
/// double precision are exact.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The last count that was believed.
    last: f64,
    /// When it last changed.
    changed: Mono,
    runs: Runs,
    /// The most counts in an hour between two changes.
    fastest: f32,
    /// Steps that this was learned from.
    steps: u16,
    /// For how many polls it has been held.
    held_polls: u8,
    judged: bool,
    still: bool,
    /// Where it seems to have jumped to, and when.
    held: f64,
    held_at: Mono,
    /// Where it was before it dropped, until it counts on from there.
    fell_from: f64,
}

/// As much of a [`Meter`] as survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearnedMeter {
    runs: LearnedRuns,
    fastest: f32,
    steps: u16,
}

impl Meter {
    /// A counter that nobody has read.
    pub const fn new() -> Meter {
        Meter {
            last: f64::NAN,
            changed: Mono(0),
            runs: Runs::NEW,
            fastest: 0.0,
            steps: 0,
            held_polls: 0,
            judged: false,
            still: false,
            held: f64::NAN,
            held_at: Mono(0),
            fell_from: f64::NAN,
        }
    }

    /// A good count was read. Returned is what speaks against it, and what is to be made of it.
    pub fn take(
        &mut self,
        count: f64,
        counted: Counted,
        poll: &Poll,
        detectors: Detectors,
    ) -> (Option<Reason>, Jump) {
        let judges = detectors.has(Detector::StandingStill) && counted.by_producing;
        let limit = self.runs.limit(poll, counted.parts).filter(|_| judges);
        if count == self.last {
            self.held_polls = 0;
            return (self.stay(limit, judges, counted, poll), Jump::None);
        }
        let checks = detectors.has(Detector::ImplausibleCount);
        let jump = if checks {
            self.jump(count, counted, poll)
        } else {
            Jump::None
        };
        if jump == Jump::Held {
            return (Some(Reason::ImplausibleCount), jump);
        }
        if count > self.last || self.last.is_nan() {
            self.fell_from = f64::NAN;
        } else {
            self.fell_from = self.last;
        }
        self.runs.change(poll, limit);
        self.still = false;
        self.judged = limit.is_some();
        self.held_polls = 0;
        self.last = count;
        self.changed = poll.at;
        (None, jump)
    }

    /// What is to be kept of it.
    pub const fn learned(&self) -> LearnedMeter {
        LearnedMeter {
            runs: self.runs.learned(),
            fastest: self.fastest,
            steps: self.steps,
        }
    }

    /// Goes on from what was learned before; where it stands [`Meter::recall`] says.
    pub const fn resume(before: &LearnedMeter) -> Meter {
        let mut meter = Meter::new();
        meter.runs = Runs::resume(&before.runs);
        meter.fastest = before.fastest;
        meter.steps = before.steps;
        meter
    }

    /// It showed this count at `at`, before anything was learned.
    pub const fn recall(&mut self, count: f64, at: Mono) {
        self.last = count;
        self.changed = at;
    }

    /// The last count that was believed.
    pub fn last(&self) -> Option<f64> {
        (!self.last.is_nan()).then_some(self.last)
    }

    /// Whether it is known for how long it may stand still, and whether it has for longer.
    pub const fn standing(&self) -> (bool, bool) {
        (self.judged, self.still)
    }

    fn stay(
        &mut self,
        learned: Option<u32>,
        judges: bool,
        counted: Counted,
        poll: &Poll,
    ) -> Option<Reason> {
        let by_rate = || {
            let cycles_ms = RATED_CYCLES as f64 * 3_600_000.0 / counted.rated?;
            Some(poll.polls((cycles_ms as u64).max(RATED_STILL_MS)))
        };
        let limit = learned.or_else(by_rate).filter(|_| judges);
        self.judged = limit.is_some();
        if poll.running {
            self.runs.stay();
        }
        self.still = poll.running && limit.is_some_and(|limit| self.runs.run() > limit);
        self.still.then_some(Reason::StandingStill)
    }

    /// What is to be made of a count that differs from the last one.
    fn jump(&mut self, count: f64, counted: Counted, poll: &Poll) -> Jump {
        if self.last.is_nan() || count < self.last {
            return Jump::None;
        }
        let elapsed = poll.at.since(self.changed).max(poll.every_ms);
        let most = self.most_in(elapsed, counted).unwrap_or(f64::INFINITY);
        if count >= self.fell_from && count - self.fell_from <= most {
            return Jump::Back(self.fell_from);
        }
        let made = count - self.last;
        if made <= most {
            if counted.rated.is_none() {
                self.learn_fastest(made, elapsed);
            }
            return Jump::None;
        }
        if self.held_polls == 0 || count < self.held {
            self.held = count;
            self.held_at = poll.at;
            self.held_polls = 1;
            return Jump::Held;
        }
        self.held_polls += 1;
        if self.held_polls < BELIEVED_AT {
            return Jump::Held;
        }
        let since = poll.at.since(self.held_at).max(poll.every_ms);
        let most = self.most_in(since, counted).unwrap_or(f64::INFINITY);
        if count - self.held > most {
            // It goes on like this: so fast it is, and all of it was made.
            self.learn_fastest(made, elapsed);
            return Jump::None;
        }
        Jump::Anew
    }

    /// The most that it can count in so many milliseconds; none while that is not known.
    fn most_in(&self, ms: u64, counted: Counted) -> Option<f64> {
        let fastest = f64::from(self.fastest);
        let per_hour = match counted.rated {
            Some(rate) => {
                (f64::from(RATED_FACTOR) * rate).max(f64::from(CONFIRMED_FACTOR) * fastest)
            }
            None if self.steps >= LEAST_STEPS => f64::from(FASTEST_FACTOR) * fastest,
            None => return None,
        };
        // Energy counts in tenths and thousandths: its slack is in what it is seen to make.
        let slack = if counted.parts { SLACK_COUNTS } else { 0.0 };
        Some(per_hour * ms as f64 / 3_600_000.0 + slack)
    }

    fn learn_fastest(&mut self, made: f64, ms: u64) {
        let per_hour = (made * 3_600_000.0 / ms.max(1) as f64) as f32;
        self.fastest = self.fastest.max(per_hour);
        self.steps = self.steps.saturating_add(1);
    }
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::new()
    }
}
