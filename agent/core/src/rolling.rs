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
    slots: Queue<Slot>,
    sum: Sum,
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

impl Rolling {
    /// Nothing is known yet.
    pub fn new(over_ms: u64) -> Rolling {
        let mut rolling = Rolling {
            over_ms,
            slots: Queue::with_capacity(slots(over_ms)),
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

    /// A window was closed that follows the last one.
    pub fn push(&mut self, window: &Window, sum: &Sum) {
        if self.slots.room() == 0 {
            self.slots.pop();
        }
        let full = self.slots.try_push(Slot::of(window, sum));
        debug_assert!(full.is_ok(), "room was made");
    }

    /// A window that was closed before is corrected, if it is still in it.
    pub fn correct(&mut self, window: &Window, sum: &Sum) {
        let is_same = |slot: &&mut Slot| (slot.start, slot.fold) == (window.start, window.fold);
        if let Some(slot) = self.slots.items_mut().rev().find(is_same) {
            *slot = Slot::of(window, sum);
        }
    }

    /// Time that is in no window lies behind the last one: what was kept of it is lost.
    pub fn push_gap(&mut self, ms: u64) {
        let last = self.slots.items().back();
        let capacity = last.and_then(|slot| slot.sum().capacity);
        let window = Window {
            start: Wall(i64::MIN),
            end: Wall(i64::MIN),
            fold: 0,
            stepped_ms: 0,
            clock_step_ms: 0,
            unset: None,
        };
        self.push(&window, &missing(ms, capacity));
    }

    /// A silence of unknown length: nobody can say how long ago the rest was.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// Moves it to the end of what was closed; `open` is the piece that goes on, as far as it was.
    pub fn renew(&mut self, open: Option<&Sum>) {
        let open = open.filter(|_| self.grain() == Grain::Piece);
        let mut missing_ms = self.over_ms;
        missing_ms = missing_ms.saturating_sub(open.map_or(0, |open| open.times.total()));
        let mut first = self.slots.len();
        let mut cut_ms = 0;
        while let Some(before) = first.checked_sub(1).filter(|_| missing_ms > 0) {
            first = before;
            let length = self.slots.items()[before].length_ms();
            // A silence is one window, however long it was: of that no more than is asked for.
            if length > missing_ms && length > self.grain().longest_ms() {
                cut_ms = length - missing_ms;
            }
            missing_ms = missing_ms.saturating_sub(length);
        }
        let mut inside = self.slots.items().range(first..);
        let oldest = inside.next().map(|slot| slot.sum().last(cut_ms));
        let rate = oldest.or(open.copied()).and_then(|sum| sum.capacity);
        let mut sum = missing(missing_ms, rate);
        for next in oldest.into_iter().chain(inside.map(Slot::sum)) {
            sum.add(&next);
        }
        if let Some(open) = open {
            sum.add(open);
        }
        self.sum = sum;
    }
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
    /// What is left of a silence without its first `cut_ms`: nothing is known of what is left.
    fn last(mut self, cut_ms: u64) -> Sum {
        if cut_ms == 0 {
            return self;
        }
        let length = self.times.total();
        let left = length.saturating_sub(cut_ms);
        let (unknown, stop) = (
            self.times.of(State::Unknown),
            self.times.of(State::PlannedStop),
        );
        let stop = part_of(stop, left, unknown + stop);
        self.times = Times::default();
        self.times.add(State::PlannedStop, stop);
        self.times.add(State::Unknown, left - stop);
        self.uncounted_ms = self.uncounted_ms.min(left);
        self.unrated.planned_ms = part_of(self.unrated.planned_ms, left, length);
        self.unrated.producing_ms = 0;
        if let Some(capacity) = &mut self.capacity {
            capacity.planned = part_of(capacity.planned, left, length);
            capacity.producing = 0;
            capacity.uncounted = capacity.uncounted.min(capacity.planned);
        }
        self
    }
}

/// One window.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    start: Wall,
    counts: [u64; 3],
    gap_total: u64,
    capacity: [u64; 3],
    rate: u64,
    repair_ms: u64,
    /// Milliseconds; a window of more than 49 days, which only a silence can be, counts as 49.
    times: [u32; 7],
    uncounted_ms: u32,
    gap_before_ms: u32,
    /// Time without a rated rate: planned, producing.
    unrated_ms: [u32; 2],
    failures: u32,
    repairs: u32,
    fold: u32,
    /// Which of good, scrap, total and the capacity are known.
    known: [bool; 4],
}

const _: () = assert!(size_of::<Slot>() <= 144);

impl Slot {
    fn of(window: &Window, sum: &Sum) -> Slot {
        let short = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
        let parts = &sum.parts;
        let counts = [parts.good, parts.scrap, parts.total];
        let capacity = sum.capacity.unwrap_or_default();
        Slot {
            start: window.start,
            counts: counts.map(Option::unwrap_or_default),
            gap_total: parts.gap_total,
            capacity: [capacity.planned, capacity.producing, capacity.uncounted],
            rate: capacity.rate,
            repair_ms: sum.repair_ms,
            times: sum.times.0.map(short),
            uncounted_ms: short(sum.uncounted_ms),
            gap_before_ms: short(parts.gap_before_ms),
            unrated_ms: [sum.unrated.planned_ms, sum.unrated.producing_ms].map(short),
            failures: sum.failures,
            repairs: sum.repairs,
            fold: window.fold,
            known: [
                counts[0].is_some(),
                counts[1].is_some(),
                counts[2].is_some(),
                sum.capacity.is_some(),
            ],
        }
    }

    fn length_ms(&self) -> u64 {
        self.times.iter().map(|ms| u64::from(*ms)).sum()
    }

    fn sum(&self) -> Sum {
        let count = |at: usize| self.known[at].then_some(self.counts[at]);
        let [planned, producing, uncounted] = self.capacity;
        Sum {
            times: Times(self.times.map(u64::from)),
            uncounted_ms: u64::from(self.uncounted_ms),
            parts: Parts {
                good: count(0),
                scrap: count(1),
                total: count(2),
                gap_total: self.gap_total,
                gap_before_ms: u64::from(self.gap_before_ms),
            },
            failures: self.failures,
            repairs: self.repairs,
            repair_ms: self.repair_ms,
            unrated: Unrated {
                planned_ms: u64::from(self.unrated_ms[0]),
                producing_ms: u64::from(self.unrated_ms[1]),
            },
            capacity: self.known[3].then_some(Capacity {
                planned,
                producing,
                uncounted,
                rate: self.rate,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
