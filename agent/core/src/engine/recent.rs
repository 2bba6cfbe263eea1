//! The last 24 hours and 30 days of each device, in fixed slots: closed hours and production days, to
//! which the open ones are added where they are shown.
//!
//! What is shown as the last 24 hours begins with the first hour that ended less than 24 hours ago: it
//! covers 24 to 25 hours, of which the caller is told the start. The same for 30 production days.

use crate::state::Times;
use crate::summary::{Capacity, Parts, Sum, Tier, Unrated};
use crate::tiers::Closed;
use crate::time::Wall;
use alloc::boxed::Box;

const HOUR_MS: i64 = 3_600_000;

/// How far back each ring is looked at.
const HOURS_MS: i64 = 24 * HOUR_MS;
const DAYS_MS: i64 = 30 * 24 * HOUR_MS;

/// Slots: one more than fit, since the oldest is looked at until it has left wholly.
const HOURS: usize = 25;
const DAYS: usize = 31;

/// The closed hours and days of a device.
#[derive(Debug, Clone)]
pub(super) struct Recent(Box<Slots>);

/// What a [`Recent`] has allocated.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    hours: Ring<HOURS>,
    days: Ring<DAYS>,
}

impl Recent {
    pub(super) fn new() -> Recent {
        Recent(Box::new(Slots {
            hours: Ring::new(),
            days: Ring::new(),
        }))
    }

    /// A window of a tier was closed.
    pub(super) fn push(&mut self, tier: Tier, closed: &Closed) {
        match tier {
            Tier::Hour => self.0.hours.push(closed),
            Tier::Day => self.0.days.push(closed),
            Tier::Minute | Tier::Shift => {}
        }
    }

    /// A window that was closed is corrected, if it is still among them.
    pub(super) fn correct(&mut self, tier: Tier, closed: &Closed) {
        let slots = match tier {
            Tier::Hour => &mut self.0.hours.slots[..],
            Tier::Day => &mut self.0.days.slots[..],
            Tier::Minute | Tier::Shift => return,
        };
        let right = Slot::of(closed);
        let is_same = |slot: &&mut Slot| (slot.start, slot.end) == (right.start, right.end);
        if let Some(slot) = slots.iter_mut().find(is_same) {
            *slot = right;
        }
    }

    /// What was closed so far has the labels it keeps.
    pub(super) fn settle(&mut self) {
        self.relabel(0);
    }

    /// The clock was set for the first time, `by` milliseconds on: so is what it had labelled.
    pub(super) fn relabel(&mut self, by: i64) {
        let slots = self.0.hours.slots.iter_mut().chain(&mut self.0.days.slots);
        for slot in slots.filter(|slot| slot.unset) {
            slot.start = slot.start + by;
            slot.end = slot.end + by;
            slot.unset = false;
        }
    }

    /// The closed hours of the last 24 hours before `now`, with where they begin.
    pub(super) fn hours(&self, now: Wall) -> Option<(Wall, Sum)> {
        self.0.hours.since(now + -HOURS_MS)
    }

    /// The closed production days of the last 30 days before `now`, with where they begin.
    pub(super) fn days(&self, now: Wall) -> Option<(Wall, Sum)> {
        self.0.days.since(now + -DAYS_MS)
    }
}

#[derive(Debug, Clone)]
struct Ring<const N: usize> {
    slots: [Slot; N],
    /// Where the next one goes, over the oldest.
    next: usize,
    count: usize,
}

impl<const N: usize> Ring<N> {
    const fn new() -> Ring<N> {
        Ring {
            slots: [Slot::EMPTY; N],
            next: 0,
            count: 0,
        }
    }

    fn push(&mut self, closed: &Closed) {
        self.slots[self.next] = Slot::of(closed);
        self.next = (self.next + 1) % N;
        self.count = (self.count + 1).min(N);
    }

    /// The sum of what ended after `moment`, oldest first, with where the first of it began. What a
    /// clock that was set back has labelled again is looked at by its place in the row.
    fn since(&self, moment: Wall) -> Option<(Wall, Sum)> {
        let oldest = (self.next + N - self.count) % N;
        let row = (0..self.count).map(|at| &self.slots[(oldest + at) % N]);
        let mut recent = row.skip_while(|slot| slot.end <= moment);
        let first = recent.next()?;
        let mut sum = first.sum();
        recent.for_each(|slot| sum.add(&slot.sum()));
        Some((first.start, sum))
    }
}

/// One window: as much of a [`Sum`] as the figures that are shown need.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start: Wall,
    end: Wall,
    /// Milliseconds; a window of more than 49 days, which only a silence can be, counts as 49.
    times: [u32; 7],
    uncounted_ms: u32,
    counts: [u64; 3],
    gap_total: u64,
    gap_before_ms: u32,
    gap_after_ms: u32,
    capacity: [u64; 3],
    rate: u64,
    /// Planned and producing milliseconds without a rated rate.
    unrated_ms: [u32; 2],
    failures: u32,
    /// Which of good, scrap, total and the capacity are known.
    known: [bool; 4],
    /// Labelled by a clock that has not been set yet.
    unset: bool,
}

impl Slot {
    const EMPTY: Slot = Slot {
        start: Wall(0),
        end: Wall(0),
        times: [0; 7],
        uncounted_ms: 0,
        counts: [0; 3],
        gap_total: 0,
        gap_before_ms: 0,
        gap_after_ms: 0,
        capacity: [0; 3],
        rate: 0,
        unrated_ms: [0; 2],
        failures: 0,
        known: [false; 4],
        unset: false,
    };

    fn of(closed: &Closed) -> Slot {
        let short = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
        let sum = &closed.sum;
        let parts = &sum.parts;
        let counts = [parts.good, parts.scrap, parts.total];
        let capacity = sum.capacity.unwrap_or_default();
        Slot {
            start: closed.window.start,
            end: closed.window.end,
            times: sum.times.0.map(short),
            uncounted_ms: short(sum.uncounted_ms),
            counts: counts.map(Option::unwrap_or_default),
            gap_total: parts.gap_total,
            gap_before_ms: short(parts.gap_before_ms),
            gap_after_ms: short(parts.gap_after_ms),
            capacity: [capacity.planned, capacity.producing, capacity.uncounted],
            rate: capacity.rate,
            unrated_ms: [sum.unrated.planned_ms, sum.unrated.producing_ms].map(short),
            failures: sum.failures,
            known: [
                counts[0].is_some(),
                counts[1].is_some(),
                counts[2].is_some(),
                sum.capacity.is_some(),
            ],
            unset: closed.window.unset.is_some(),
        }
    }

    fn sum(&self) -> Sum {
        let count = |at: usize| self.known[at].then_some(self.counts[at]);
        let [planned, producing, uncounted] = self.capacity;
        let [planned_ms, producing_ms] = self.unrated_ms.map(u64::from);
        Sum {
            times: Times(self.times.map(u64::from)),
            uncounted_ms: u64::from(self.uncounted_ms),
            parts: Parts {
                good: count(0),
                scrap: count(1),
                total: count(2),
                gap_total: self.gap_total,
                gap_before_ms: u64::from(self.gap_before_ms),
                gap_after_ms: u64::from(self.gap_after_ms),
            },
            failures: self.failures,
            repairs: 0,
            repair_ms: 0,
            capacity: self.known[3].then_some(Capacity {
                planned,
                producing,
                uncounted,
                rate: self.rate,
            }),
            unrated: Unrated {
                planned_ms,
                producing_ms,
            },
        }
    }
}

const _: () = assert!(size_of::<Slot>() <= 144);

#[cfg(test)]
mod tests;
