//! Rolling windows: what the last hours of a device come to, moved with every minute.
//!
//! A rolling window is made of whole windows that were closed, and of nothing else:
//!
//! - up to [`LONGEST_BY_MINUTE_MS`] of single minutes, so that it is the exact sum of the minutes in it;
//! - beyond, of pieces (the minutes up to where an hour, a shift or a production day ends) and the one
//!   that is open: it reaches back as far as asked for, and up to an hour further.
//!
//! Time is real elapsed time, as in every window: a clock that is stepped moves no minute out. What is
//! missing because nothing was recorded yet is unknown time, as after a silence; it is never zero.

use crate::bounded::Queue;
use crate::state::{State, Times};
use crate::summary::{Capacity, Parts, Sum, Unrated};
use crate::tiers::Window;
use crate::time::Wall;

/// Windows up to this length are made of minutes.
pub const LONGEST_BY_MINUTE_MS: u64 = 12 * HOUR_MS;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Pieces of a day beyond its hours: those that a shift or the production day ends in between.
const CUTS_A_DAY: u64 = 4;

/// What the last `over_ms` of a device come to.
#[derive(Debug)]
pub struct Rolling {
    over_ms: u64,
    /// One for each window, and as many of those that follow.
    spent: Queue<Spent>,
    counted: Option<Queue<Counted>>,
    labels: Option<Queue<(Wall, u32)>>,
    sum: Sum,
}

/// What is kept of each window besides times and faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeps {
    /// Parts and capacity: for figures that are made of them.
    pub counts: bool,
    /// Start and fold: for a device whose windows late data correct.
    pub labels: bool,
}

/// What windows are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Minutes.
    Minute,
    /// Pieces.
    Piece,
}

impl Grain {
    /// What a window over `over_ms` is made of.
    pub const fn of(over_ms: u64) -> Grain {
        if over_ms <= LONGEST_BY_MINUTE_MS {
            Grain::Minute
        } else {
            Grain::Piece
        }
    }

    const fn longest_ms(self) -> u64 {
        match self {
            Grain::Minute => MINUTE_MS,
            Grain::Piece => HOUR_MS,
        }
    }
}

/// How many windows are kept for a rolling one; should the clock's steps have cut more, the time before
/// them is unknown.
pub const fn slots(over_ms: u64) -> usize {
    let whole = over_ms.div_ceil(Grain::of(over_ms).longest_ms());
    let cuts = match Grain::of(over_ms) {
        Grain::Minute => 0,
        Grain::Piece => CUTS_A_DAY * (over_ms / DAY_MS + 1),
    };
    (whole + cuts + 2) as usize
}

/// Bytes that a rolling window takes besides itself.
pub const fn bytes(over_ms: u64, keeps: Keeps) -> usize {
    let mut each = size_of::<Spent>();
    if keeps.counts {
        each += size_of::<Counted>();
    }
    if keeps.labels {
        each += size_of::<(Wall, u32)>();
    }
    slots(over_ms) * each
}

impl Rolling {
    /// Nothing is known yet.
    pub fn new(over_ms: u64, keeps: Keeps) -> Rolling {
        let slots = slots(over_ms);
        let mut rolling = Rolling {
            over_ms,
            spent: Queue::with_capacity(slots),
            counted: keeps.counts.then(|| Queue::with_capacity(slots)),
            labels: keeps.labels.then(|| Queue::with_capacity(slots)),
            sum: Sum::default(),
        };
        rolling.renew(None);
        rolling
    }

    /// How far it reaches back, in milliseconds.
    pub const fn over_ms(&self) -> u64 {
        self.over_ms
    }

    /// What it is made of.
    pub const fn grain(&self) -> Grain {
        Grain::of(self.over_ms)
    }

    /// What it comes to, as it was last [renewed](Rolling::renew).
    pub const fn sum(&self) -> &Sum {
        &self.sum
    }

    /// A window was closed that follows the last one. A silence is one window, however long it was: it
    /// is taken in as many as it would have been.
    pub fn push(&mut self, window: &Window, sum: &Sum) {
        let longest_ms = self.grain().longest_ms();
        let mut rest = *sum;
        while rest.times.total() > longest_ms {
            let first = rest.split_off(longest_ms);
            self.push_one(window, &first);
        }
        self.push_one(window, &rest);
    }

    fn push_one(&mut self, window: &Window, sum: &Sum) {
        push(&mut self.spent, Spent::of(sum));
        if let Some(counted) = &mut self.counted {
            push(counted, Counted::of(sum));
        }
        if let Some(labels) = &mut self.labels {
            push(labels, (window.start, window.fold));
        }
    }

    /// A window that was closed before is corrected, if it is still in it; a silence of the agent itself
    /// never is.
    pub fn correct(&mut self, window: &Window, sum: &Sum) {
        let label = (window.start, window.fold);
        let labels = self.labels.as_ref().map(Queue::items);
        let at = labels.and_then(|labels| labels.iter().rposition(|known| *known == label));
        let Some(at) = at.filter(|_| sum.times.total() <= self.grain().longest_ms()) else {
            return;
        };
        if let Some(slot) = self.spent.at_mut(at) {
            *slot = Spent::of(sum);
        }
        if let Some(slot) = self.counted.as_mut().and_then(|counted| counted.at_mut(at)) {
            *slot = Counted::of(sum);
        }
    }

    /// Time that is in no window lies behind the last one: what was kept of it is lost.
    pub fn push_gap(&mut self, ms: u64) {
        let last = self.spent.len().checked_sub(1);
        let capacity = last.and_then(|last| self.slot(last).capacity);
        let nowhere = Window {
            start: Wall(i64::MIN),
            end: Wall(i64::MIN),
            fold: 0,
            stepped_ms: 0,
            clock_step_ms: 0,
            unset: None,
        };
        self.push(&nowhere, &missing(ms, capacity));
    }

    /// A silence of unknown length: nobody can say how long ago the rest was.
    pub fn clear(&mut self) {
        self.spent.clear();
        self.counted.iter_mut().for_each(Queue::clear);
        self.labels.iter_mut().for_each(Queue::clear);
    }

    /// Moves it to the end of what was closed; `open` is the piece that goes on, as far as it was.
    pub fn renew(&mut self, open: Option<&Sum>) {
        let open = open.filter(|_| self.grain() == Grain::Piece);
        let mut missing_ms = self.over_ms;
        missing_ms = missing_ms.saturating_sub(open.map_or(0, |open| open.times.total()));
        let mut first = self.spent.len();
        while let Some(before) = first.checked_sub(1).filter(|_| missing_ms > 0) {
            first = before;
            missing_ms = missing_ms.saturating_sub(self.spent.items()[before].length_ms());
        }
        let inside = first..self.spent.len();
        let oldest = inside.clone().next().map(|at| self.slot(at));
        let capacity = oldest.or(open.copied()).and_then(|sum| sum.capacity);
        let mut sum = missing(missing_ms, capacity);
        for at in inside {
            sum.add(&self.slot(at));
        }
        if let Some(open) = open {
            sum.add(open);
        }
        self.sum = sum;
    }

    fn slot(&self, at: usize) -> Sum {
        let mut sum = self.spent.items()[at].sum();
        if let Some(counted) = &self.counted {
            counted.items()[at].add_to(&mut sum);
        }
        sum
    }
}

/// Puts an item behind the others, in place of the oldest if there is no room.
fn push<T>(queue: &mut Queue<T>, item: T) {
    if queue.room() == 0 {
        queue.pop();
    }
    let full = queue.try_push(item).is_err();
    debug_assert!(!full, "room was made");
}

/// Time of which nothing was recorded. What could have been made in it is taken from the rate that
/// was known first.
fn missing(ms: u64, capacity: Option<Capacity>) -> Sum {
    let mut sum = Sum::default();
    if ms == 0 {
        return sum;
    }
    sum.times.add(State::Unknown, ms);
    sum.uncounted_ms = ms;
    sum.capacity = capacity.map(|capacity| {
        let possible = part_of(capacity.rate, ms, HOUR_MS);
        Capacity {
            planned: possible,
            producing: 0,
            uncounted: possible,
            rate: capacity.rate,
        }
    });
    sum
}

/// `number × part / whole`.
fn part_of(number: u64, part: u64, whole: u64) -> u64 {
    let exact = u128::from(number) * u128::from(part);
    let part = exact.checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(part).unwrap_or(u64::MAX)
}

impl Sum {
    /// Takes the first `ms` out of a window that is longer: what was known is known of its beginning,
    /// and the silence behind is the same all along.
    fn split_off(&mut self, ms: u64) -> Sum {
        let whole = self.times.total();
        let mut first = Sum {
            times: Times::default(),
            ..*self
        };
        let mut left = ms;
        for state in State::ALL {
            if !matches!(state, State::PlannedStop | State::Unknown) {
                let part = self.times.of(state).min(left);
                self.times.0[state as usize] -= part;
                first.times.add(state, part);
                left -= part;
            }
        }
        let (stop, unknown) = (
            self.times.of(State::PlannedStop),
            self.times.of(State::Unknown),
        );
        let of_stop = part_of(stop, left, stop + unknown).max(left.saturating_sub(unknown));
        for (state, part) in [
            (State::PlannedStop, of_stop),
            (State::Unknown, left - of_stop),
        ] {
            self.times.0[state as usize] -= part;
            first.times.add(state, part);
        }
        let share = |number: u64| part_of(number, ms, whole);
        first.uncounted_ms = share(self.uncounted_ms);
        self.uncounted_ms -= first.uncounted_ms;
        first.unrated.planned_ms = share(self.unrated.planned_ms);
        self.unrated.planned_ms -= first.unrated.planned_ms;
        self.unrated.producing_ms = 0;
        if let (Some(rest), Some(first)) = (&mut self.capacity, &mut first.capacity) {
            first.planned = share(rest.planned);
            first.uncounted = share(rest.uncounted);
            rest.planned -= first.planned;
            rest.uncounted -= first.uncounted;
            rest.producing = 0;
        }
        let counted = |count: Option<u64>| count.map(|_| 0);
        let gap_after_ms = self.parts.gap_after_ms;
        first.parts.gap_after_ms = gap_after_ms.saturating_sub(whole - ms);
        self.parts = Parts {
            good: counted(self.parts.good),
            scrap: counted(self.parts.scrap),
            total: counted(self.parts.total),
            gap_after_ms,
            ..Parts::default()
        };
        (self.failures, self.repairs, self.repair_ms) = (0, 0, 0);
        first
    }
}

/// Times and faults of one window.
#[derive(Debug, Clone, Copy)]
struct Spent {
    /// Milliseconds in each state.
    times: [u32; 7],
    /// A repair of more than 49 days counts as 49.
    repair_ms: u32,
    failures: u16,
    repairs: u16,
}

const _: () = assert!(size_of::<Spent>() == 36);

impl Spent {
    fn of(sum: &Sum) -> Spent {
        Spent {
            times: sum.times.0.map(short),
            repair_ms: short(sum.repair_ms),
            failures: u16::try_from(sum.failures).unwrap_or(u16::MAX),
            repairs: u16::try_from(sum.repairs).unwrap_or(u16::MAX),
        }
    }

    fn length_ms(&self) -> u64 {
        self.times.iter().map(|ms| u64::from(*ms)).sum()
    }

    fn sum(&self) -> Sum {
        Sum {
            times: Times(self.times.map(u64::from)),
            failures: u32::from(self.failures),
            repairs: u32::from(self.repairs),
            repair_ms: u64::from(self.repair_ms),
            ..Sum::default()
        }
    }
}

/// Parts and capacity of one window.
#[derive(Debug, Clone, Copy)]
struct Counted {
    counts: [u64; 3],
    gap_total: u64,
    capacity: [u64; 3],
    rate: u64,
    uncounted_ms: u32,
    gap_before_ms: u32,
    gap_after_ms: u32,
    /// Time without a rated rate: planned, producing.
    unrated_ms: [u32; 2],
    /// Which of good, scrap, total and the capacity are known.
    known: [bool; 4],
}

impl Counted {
    fn of(sum: &Sum) -> Counted {
        let parts = &sum.parts;
        let counts = [parts.good, parts.scrap, parts.total];
        let capacity = sum.capacity.unwrap_or_default();
        let [good, scrap, total] = counts.map(|count| count.is_some());
        Counted {
            counts: counts.map(Option::unwrap_or_default),
            gap_total: parts.gap_total,
            capacity: [capacity.planned, capacity.producing, capacity.uncounted],
            rate: capacity.rate,
            uncounted_ms: short(sum.uncounted_ms),
            gap_before_ms: short(parts.gap_before_ms),
            gap_after_ms: short(parts.gap_after_ms),
            unrated_ms: [sum.unrated.planned_ms, sum.unrated.producing_ms].map(short),
            known: [good, scrap, total, sum.capacity.is_some()],
        }
    }

    fn add_to(&self, sum: &mut Sum) {
        let count = |at: usize| self.known[at].then_some(self.counts[at]);
        let [planned, producing, uncounted] = self.capacity;
        sum.uncounted_ms = u64::from(self.uncounted_ms);
        sum.parts = Parts {
            good: count(0),
            scrap: count(1),
            total: count(2),
            gap_total: self.gap_total,
            gap_before_ms: u64::from(self.gap_before_ms),
            gap_after_ms: u64::from(self.gap_after_ms),
        };
        let [planned_ms, producing_ms] = self.unrated_ms.map(u64::from);
        sum.unrated = Unrated {
            planned_ms,
            producing_ms,
        };
        sum.capacity = self.known[3].then_some(Capacity {
            planned,
            producing,
            uncounted,
            rate: self.rate,
        });
    }
}

fn short(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
