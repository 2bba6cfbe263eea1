//! Parts from counters: differences of readings, with wraps, resets and gaps told apart.
//!
//! Nothing is invented: what was made between a reset and the reading before it is nobody's
//! knowledge, so that time becomes `uncounted`; parts learned by a difference that spans unknown
//! time are counted when they are read, and marked.

use crate::sample::Value;
use crate::summary::Parts;
use crate::tag::Counts;
use serde::{Deserialize, Serialize};

/// How far the accounting of a device had come at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Odometer {
    /// Accounted milliseconds so far.
    pub elapsed_ms: u64,
    /// Of them, planned.
    pub planned_ms: u64,
    /// Of them, unknown.
    pub unknown_ms: u64,
    /// What the rated rate would have made in the planned ones, in thousandths of a part.
    pub made: u64,
}

impl Odometer {
    /// The later of two; each of its numbers only grows.
    fn max(&self, other: &Odometer) -> Odometer {
        Odometer {
            elapsed_ms: self.elapsed_ms.max(other.elapsed_ms),
            planned_ms: self.planned_ms.max(other.planned_ms),
            unknown_ms: self.unknown_ms.max(other.unknown_ms),
            made: self.made.max(other.made),
        }
    }
}

/// What a counter is, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Parts for each count.
    pub parts: u32,
    /// Where it wraps; none if it does not.
    pub top: Option<i64>,
    /// Where it is read: [`crate::tag::Source::fingerprint`].
    pub source: u32,
}

/// One counter of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    dial: Dial,
    last: Option<(i64, Odometer)>,
    /// Planned time was unknown since.
    is_in_gap: bool,
}

/// What a reading tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first reading: something to count from.
    First,
    /// Counts since the reading before.
    Made(u64),
    /// It began anew.
    Reset,
}

impl Counter {
    /// A counter that nobody has read.
    pub const fn new(dial: Dial) -> Counter {
        Counter {
            dial,
            last: None,
            is_in_gap: false,
        }
    }

    /// What it is.
    pub(crate) const fn dial(&self) -> Dial {
        self.dial
    }

    /// Whether the other is a counter of the same make.
    pub(crate) fn is_like(&self, other: &Counter) -> bool {
        self.dial == other.dial
    }

    /// The last reading, if the counter is still what it was.
    pub fn resume(&mut self, before: &Counter) {
        if self.is_like(before) {
            self.last = before.last;
            self.is_in_gap = before.is_in_gap;
        }
    }

    /// Takes a reading; with what it tells, how far the accounting was at the one before.
    pub(crate) fn read(
        &mut self,
        raw: i64,
        now: &Odometer,
        rate: Option<u64>,
    ) -> (Step, Option<Odometer>) {
        let step = self.step(raw, now, rate);
        let before = self.last.replace((raw, *now));
        self.is_in_gap = false;
        (step, before.map(|(_, then)| then))
    }

    /// How long ago it was read, if planned time was unknown since: parts may have been made that are
    /// learned by its next reading.
    fn gap_ms(&self, elapsed_ms: u64) -> Option<u64> {
        let (_, then) = self.last.filter(|_| self.is_in_gap)?;
        Some(elapsed_ms.saturating_sub(then.elapsed_ms))
    }

    fn step(&self, raw: i64, now: &Odometer, rate: Option<u64>) -> Step {
        let Some((before, then)) = self.last else {
            return Step::First;
        };
        if raw >= before {
            return Step::Made(raw.abs_diff(before));
        }
        let elapsed = now.elapsed_ms.saturating_sub(then.elapsed_ms);
        match self.wrapped(before, raw, elapsed, rate) {
            Some(made) => Step::Made(made),
            None => Step::Reset,
        }
    }

    /// A drop from within 5 % of the top that fits rated rate × elapsed time is a wrap. Machines
    /// run up to half as fast again as rated, and a part may just have been finished.
    fn wrapped(&self, before: i64, raw: i64, elapsed_ms: u64, rate: Option<u64>) -> Option<u64> {
        let top = self.dial.top?;
        if raw < 0 || before > top || before < top - top / 20 {
            return None;
        }
        let made = before.abs_diff(top) + 1 + raw.unsigned_abs();
        let most = match rate {
            Some(rate) => {
                let thousandths = u128::from(rate) * u128::from(elapsed_ms) * 3 / 2 / 3_600_000;
                thousandths / 1000 / u128::from(self.dial.parts.max(1)) + 1
            }
            None => u128::from(top.unsigned_abs() / 20),
        };
        (u128::from(made) <= most).then_some(made)
    }
}

/// The counters of a device with what they have counted in the open window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counting {
    counters: [Option<Counter>; 3],
    window: [Tally; 3],
    uncounted: Uncounted,
    /// Planned time up to here is already told as uncounted.
    uncounted_to: Odometer,
    /// Parts in the totals of earlier windows that the total counter has not shown yet.
    owed: u64,
    no_scrap: bool,
}

/// Planned time of a window over which nobody could count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Uncounted {
    /// How long.
    pub ms: u64,
    /// What the rated rate would have made in it, in thousandths of a part.
    pub made: u64,
}

/// One counter's share of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Tally {
    read: bool,
    parts: u64,
    gap: u64,
    gap_before_ms: u64,
}

impl Counting {
    /// The counters of a device, by role.
    pub fn new(dials: [Option<Dial>; 3], no_scrap: bool) -> Counting {
        Counting {
            counters: dials.map(|dial| dial.map(Counter::new)),
            window: [Tally::default(); 3],
            uncounted: Uncounted::default(),
            uncounted_to: Odometer::default(),
            owed: 0,
            no_scrap,
        }
    }

    /// Takes up what was counted before a restart, counter by counter as far as they are the same.
    pub fn resume(&mut self, before: &Counting) {
        for (counter, before) in self.counters.iter_mut().zip(&before.counters) {
            if let (Some(counter), Some(before)) = (counter, before) {
                counter.resume(before);
            }
        }
        self.window = before.window;
        self.uncounted = before.uncounted;
        self.uncounted_to = before.uncounted_to;
        self.owed = before.owed;
    }

    /// A good reading of the counter with this role; true if it is the first, from which counting
    /// begins. `window_from_ms` is what the odometer showed when the open window began, `rate` the rated rate in thousandths of a part per hour.
    pub fn read(
        &mut self,
        role: Counts,
        value: &Value,
        now: &Odometer,
        window_from_ms: u64,
        rate: Option<u64>,
    ) -> bool {
        let (Some(counter), Value::Int(raw)) = (&mut self.counters[role as usize], value) else {
            return false;
        };
        let tally = &mut self.window[role as usize];
        tally.read = true;
        let (step, before) = counter.read(*raw, now, rate);
        // What is told now of the time before the window, where some of it is unknown.
        let gap_before_ms = match before {
            Some(then) if now.unknown_ms > then.unknown_ms => {
                window_from_ms.saturating_sub(then.elapsed_ms)
            }
            _ => 0,
        };
        match (step, before) {
            (Step::Made(counts), Some(then)) => {
                let parts = counts.saturating_mul(u64::from(counter.dial.parts));
                tally.parts = tally.parts.saturating_add(parts);
                if parts > 0 && now.unknown_ms > then.unknown_ms {
                    tally.gap = tally.gap.saturating_add(parts);
                    tally.gap_before_ms = tally.gap_before_ms.max(gap_before_ms);
                }
            }
            (Step::Reset, Some(then)) => {
                tally.gap_before_ms = tally.gap_before_ms.max(gap_before_ms);
                let from = then.max(&self.uncounted_to);
                let uncounted = &mut self.uncounted;
                uncounted.ms += now.planned_ms.saturating_sub(from.planned_ms);
                uncounted.made += now.made.saturating_sub(from.made);
                self.uncounted_to = *now;
                if role == Counts::Total {
                    self.owed = 0;
                }
            }
            _ => {}
        }
        before.is_none()
    }

    /// What a counter showed last.
    pub fn last(&self, role: Counts) -> Option<i64> {
        let counter = self.counters[role as usize].as_ref()?;
        counter.last.map(|(last, _)| last)
    }

    /// What a counter showed last is not to be counted from: its next reading is taken for a reset.
    pub const fn forget(&mut self, role: Counts) {
        // Every reading is less, and from so far up none is a wrap.
        self.put_back(role, i64::MAX);
    }

    /// What a counter showed last was wrong: it was `raw`.
    pub const fn put_back(&mut self, role: Counts, raw: i64) {
        if let Some(counter) = &mut self.counters[role as usize]
            && let Some((last, _)) = &mut counter.last
        {
            *last = raw;
        }
    }

    /// Planned time passes that is unknown.
    pub fn pass_unknown(&mut self) {
        for counter in self.counters.iter_mut().flatten() {
            counter.is_in_gap = true;
        }
    }

    /// See [`Parts::gap_after_ms`]; `elapsed_ms` is what the odometer shows.
    fn gap_after_ms(&self, elapsed_ms: u64) -> u64 {
        let counters = self.counters.iter().flatten();
        let open = counters.filter_map(|counter| counter.gap_ms(elapsed_ms));
        open.max().unwrap_or(0)
    }

    /// Parts and uncounted time of the open window, when the odometer shows `elapsed_ms`.
    pub fn parts(&self, elapsed_ms: u64) -> (Parts, Uncounted) {
        let (good, scrap, total, _) = self.counts();
        let gap = |role: Counts| self.window[role as usize].gap;
        // Of a window in which the other count was not read as well: the longer ones know the total.
        let gap_total = match self.counters[Counts::Total as usize] {
            Some(_) => gap(Counts::Total),
            None => gap(Counts::Good).saturating_add(gap(Counts::Scrap)),
        };
        let gaps = self.window.iter().map(|tally| tally.gap_before_ms);
        let gap_before_ms = gaps.max().unwrap_or(0);
        (
            Parts {
                good,
                scrap,
                total,
                gap_total,
                gap_before_ms,
                gap_after_ms: self.gap_after_ms(elapsed_ms),
            },
            self.uncounted,
        )
    }

    /// Good, scrap and total of the open window, two of which give the third unless it has a counter
    /// of its own, and what it owes the next one. A total that was read before the part counted of it
    /// may lack some of that part: these are in the total of this window already, and not again in
    /// that of the next.
    fn counts(&self) -> (Option<u64>, Option<u64>, Option<u64>, u64) {
        let count = |role: Counts| {
            let tally = &self.window[role as usize];
            tally.read.then_some(tally.parts)
        };
        let good = count(Counts::Good);
        let scrap = match self.no_scrap {
            true => good.or(count(Counts::Total)).map(|_| 0),
            false => count(Counts::Scrap),
        };
        let share = |part: u64, total: u64| {
            let (total, owed) = match total.checked_sub(self.owed) {
                Some(total) => (total, 0),
                None => (0, self.owed - total),
            };
            let lacks = part.saturating_sub(total);
            // No more than one window's, lest a total that stood still is owed for ever.
            (total + lacks, (owed + lacks).min(owed.max(part)))
        };
        // What has a counter that was not read in this window is told when it is.
        let follows = |role: Counts| self.counters[role as usize].is_none();
        match (good, scrap, count(Counts::Total)) {
            (Some(g), Some(s), None) if follows(Counts::Total) => {
                (good, scrap, Some(g.saturating_add(s)), 0)
            }
            (Some(part), None, Some(total)) if follows(Counts::Scrap) => {
                let (total, owed) = share(part, total);
                (good, Some(total - part), Some(total), owed)
            }
            (None, Some(part), Some(total)) if follows(Counts::Good) => {
                let (total, owed) = share(part, total);
                (Some(total - part), scrap, Some(total), owed)
            }
            (good, scrap, Some(total)) => {
                let (total, owed) = share(0, total);
                (good, scrap, Some(total), owed)
            }
            (good, scrap, None) => (good, scrap, None, self.owed),
        }
    }

    /// Begins a new window.
    pub fn begin_window(&mut self) {
        self.owed = self.counts().3;
        self.window = [Tally::default(); 3];
        self.uncounted = Uncounted::default();
    }
}

#[cfg(test)]
mod tests;
