//! A measured value: one that normally moves, and not faster than it can.

use super::Poll;
use super::limits::{
    AT_ONCE_MS, BELIEVED_AT, BINS_OF_MEASURED, BINS_OF_WHOLE, LEARN_STEPS_MS,
    LEARN_STEPS_STATELESS_MS, LEAST_CHANGES, LEAST_STOPS, NEVER_ZERO_MS, SPAN_FACTOR, STEP_FACTOR,
};
use super::runs::{LearnedRuns, Runs};
use crate::sample::Reason;
use crate::tag::{Detector, Detectors};
use crate::time::Mono;
use serde::{Deserialize, Serialize};

/// What is normal for a level. Single precision is enough for limits that are multiples.
#[derive(Debug, Clone)]
pub struct Level {
    /// The last value that was believed.
    value: f64,
    /// When it was last read, and so many milliseconds after the first time that it was.
    at: Mono,
    seen_ms: u64,
    runs: Runs,
    /// Which of 32 bins its values have hit.
    bins: u32,
    /// Least and greatest value, and the largest step between two polls.
    low: f32,
    high: f32,
    largest: f32,
    /// Steps that were learned.
    steps: u16,
    /// Where it seems to have jumped to, and for how many polls.
    strange: f64,
    strange_polls: u8,
    frozen: bool,
    judged: bool,
    /// It was zero for two polls: at rest it is.
    rests_at_zero: bool,
    has_been_zero: bool,
}

/// As much of a [`Level`] as survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearnedLevel {
    runs: LearnedRuns,
    bins: u32,
    low: f32,
    high: f32,
    largest: f32,
    steps: u16,
    seen_ms: u64,
    rests_at_zero: bool,
    has_been_zero: bool,
}

impl Level {
    /// A level that nobody has read.
    pub const fn new() -> Level {
        Level {
            value: f64::NAN,
            at: Mono(0),
            seen_ms: 0,
            runs: Runs::NEW,
            bins: 0,
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
            largest: 0.0,
            steps: 0,
            strange: 0.0,
            strange_polls: 0,
            frozen: false,
            judged: false,
            rests_at_zero: false,
            has_been_zero: false,
        }
    }

    /// A good value was read. `whole` says that it is a whole number and not scaled. Returned is
    /// why it is not to be believed.
    pub fn take(
        &mut self,
        value: f64,
        whole: bool,
        poll: &Poll,
        detectors: Detectors,
    ) -> Option<Reason> {
        if self.value.is_nan() {
            self.value = value;
        } else if detectors.has(Detector::ImplausibleStep) && self.leaps(value, whole, poll) {
            self.come_to(poll.at);
            return Some(Reason::ImplausibleStep);
        } else {
            self.come_to(poll.at);
        }
        self.at = poll.at;
        let is_same = value.to_bits() == self.value.to_bits();
        self.rests_at_zero |= is_same && value == 0.0 && self.has_been_zero;
        self.has_been_zero |= value == 0.0;
        self.look_at_run(value, whole, poll, detectors);
        self.low = self.low.min(value as f32);
        self.high = self.high.max(value as f32);
        self.bins |= 1 << bin(value);
        self.value = value;
        self.frozen.then_some(Reason::Frozen)
    }

    /// Whether it is known for how long it may stay the same, and whether it has for longer.
    pub const fn standing(&self) -> (bool, bool) {
        (self.judged, self.frozen)
    }

    /// The last value that was believed, if it was read lately.
    pub fn lately(&self, at: Mono) -> Option<f64> {
        let is_recent = !self.value.is_nan() && at.since(self.at) <= AT_ONCE_MS;
        is_recent.then_some(self.value)
    }

    /// Whether it has been read for long enough, and was never zero.
    pub fn is_never_zero(&self, at: Mono) -> bool {
        !self.value.is_nan() && !self.has_been_zero && self.seen_ms(at) >= NEVER_ZERO_MS
    }

    /// What is to be kept of it.
    pub const fn learned(&self) -> LearnedLevel {
        LearnedLevel {
            runs: self.runs.learned(),
            bins: self.bins,
            low: self.low,
            high: self.high,
            largest: self.largest,
            steps: self.steps,
            seen_ms: self.seen_ms,
            rests_at_zero: self.rests_at_zero,
            has_been_zero: self.has_been_zero,
        }
    }

    /// Goes on from what was learned before; what it shows nobody knows yet.
    pub fn resume(before: &LearnedLevel) -> Level {
        Level {
            runs: Runs::resume(&before.runs),
            bins: before.bins,
            low: before.low,
            high: before.high,
            largest: before.largest,
            steps: before.steps,
            seen_ms: before.seen_ms,
            rests_at_zero: before.rests_at_zero,
            has_been_zero: before.has_been_zero,
            ..Level::new()
        }
    }

    /// Milliseconds since it was first read, those of earlier runs included.
    const fn seen_ms(&self, at: Mono) -> u64 {
        self.seen_ms + at.since(self.at)
    }

    const fn come_to(&mut self, at: Mono) {
        self.seen_ms = self.seen_ms(at);
        self.at = at;
    }

    fn look_at_run(&mut self, value: f64, whole: bool, poll: &Poll, detectors: Detectors) {
        let judges = detectors.has(Detector::Frozen) && self.is_measured(whole);
        let limit = self.runs.limit(poll, false).filter(|_| judges);
        let rests = self.rests_at_zero && value == 0.0;
        self.judged = limit.is_some() && !rests;
        if value.to_bits() != self.value.to_bits() {
            // What rested may have rested for long.
            let running = poll.running && !(self.rests_at_zero && self.value == 0.0);
            self.runs.change(&Poll { running, ..*poll }, limit);
            self.frozen = false;
        } else if poll.running && !rests && !self.frozen {
            self.runs.stay();
            self.frozen = limit.is_some_and(|limit| self.runs.run() > limit);
        }
    }

    /// Learns from a step, or says that it is none that can be. Zero is where values go when their
    /// sensor or the whole machine is switched off, and where they come back from.
    fn leaps(&mut self, value: f64, whole: bool, poll: &Poll) -> bool {
        let gap = poll.at.since(self.at) > 2 * poll.every_ms;
        if gap || value == 0.0 || self.value == 0.0 {
            self.strange_polls = 0;
            return false;
        }
        let step = ((value - self.value).abs() as f32).min(f32::MAX);
        let limit = (STEP_FACTOR * self.largest).max(SPAN_FACTOR * (self.high - self.low));
        if step <= limit || !self.knows_steps(whole, poll) {
            self.strange_polls = 0;
            if step > 0.0 {
                self.steps = self.steps.saturating_add(1);
            }
            self.largest = self.largest.max(step);
            return false;
        }
        let stays = self.strange_polls > 0 && (value - self.strange).abs() <= f64::from(limit);
        self.strange_polls = if stays { self.strange_polls + 1 } else { 1 };
        self.strange = value;
        if self.strange_polls < BELIEVED_AT {
            return true;
        }
        // It was no slip. What was believed too early must not make everything plausible.
        self.strange_polls = 0;
        self.largest = limit;
        false
    }

    fn knows_steps(&self, whole: bool, poll: &Poll) -> bool {
        let seen = self.seen_ms(poll.at);
        let learned = match poll.stops {
            Some(stops) => seen >= LEARN_STEPS_MS && stops >= LEAST_STOPS,
            None => seen >= LEARN_STEPS_STATELESS_MS,
        };
        learned && self.steps >= LEAST_CHANGES && self.is_measured(whole)
    }

    const fn is_measured(&self, whole: bool) -> bool {
        let least = if whole {
            BINS_OF_WHOLE
        } else {
            BINS_OF_MEASURED
        };
        self.bins.count_ones() >= least
    }
}

impl Default for Level {
    fn default() -> Level {
        Level::new()
    }
}

/// One of 32 bins: the top bits of a product with the golden ratio (Fibonacci hashing).
fn bin(value: f64) -> u32 {
    let hashed = value.to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hashed >> 59) as u32
}
