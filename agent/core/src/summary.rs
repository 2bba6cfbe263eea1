//! The additive parts of one device over one window, and nothing else: everything published
//! besides is computed from them ([`crate::kpi`]), so that anybody can sum windows and devices.

use crate::calendar::Calendar;
use crate::state::Times;
use crate::tag::Counts;
use crate::time::Wall;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Length class of a window. The order is part of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// A local minute.
    Minute,
    /// A local hour.
    Hour,
    /// A shift.
    Shift,
    /// A production day.
    Day,
}

impl Tier {
    /// Every tier, the shortest first.
    pub const ALL: [Tier; 4] = [Tier::Minute, Tier::Hour, Tier::Shift, Tier::Day];

    /// As in topics and payloads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Minute => "1m",
            Tier::Hour => "1h",
            Tier::Shift => "shift",
            Tier::Day => "1d",
        }
    }
}

/// Some of the tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TierSet(u8);

impl TierSet {
    /// None of them.
    pub const NONE: TierSet = TierSet(0);
    /// All of them.
    pub const ALL: TierSet = TierSet(0b1111);

    /// Whether `tier` is one of them.
    pub const fn contains(self, tier: Tier) -> bool {
        self.0 & 1 << tier as u8 != 0
    }

    /// These and `tier`.
    #[must_use]
    pub const fn with(self, tier: Tier) -> TierSet {
        TierSet(self.0 | 1 << tier as u8)
    }

    /// These without `tier`.
    #[must_use]
    pub const fn without(self, tier: Tier) -> TierSet {
        TierSet(self.0 & !(1 << tier as u8))
    }

    /// Whether it is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, the shortest first.
    pub fn iter(self) -> impl Iterator<Item = Tier> {
        Tier::ALL
            .into_iter()
            .filter(move |tier| self.contains(*tier))
    }
}

impl FromIterator<Tier> for TierSet {
    fn from_iter<I: IntoIterator<Item = Tier>>(tiers: I) -> TierSet {
        tiers.into_iter().fold(TierSet::NONE, TierSet::with)
    }
}

/// The parts of one device over one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Device id.
    pub device: Arc<str>,
    /// Line of the device.
    pub line: Option<Arc<str>>,
    /// Length class.
    pub tier: Tier,
    /// The shift, for windows that are one.
    pub shift: Option<ShiftRun>,
    /// Label of the start.
    pub start: Wall,
    /// Label of the end.
    pub end: Wall,
    /// 0 for labels that were never given before; else which run over labels of before it is,
    /// counted from the first time that a clock was stepped back.
    pub fold: u32,
    /// Corrections of this window so far.
    pub rev: u32,
    /// Windows merged into this one, itself included.
    pub merged: u32,
    /// Sum of the steps of the wall clock inside the window, in milliseconds.
    pub clock_step_ms: i64,
    /// The polling period of the device.
    pub every_ms: u64,
    /// Milliseconds in each state; their sum is the window's real length.
    pub times: Times,
    /// Time over which parts were made that nobody could count (a counter was reset).
    pub uncounted_ms: u64,
    /// Parts.
    pub parts: Parts,
    /// Faults that began.
    pub failures: u32,
    /// Faults that ended.
    pub repairs: u32,
    /// `faulted` time of the faults that ended, from their beginning.
    pub repair_ms: u64,
    /// What the rated rate would have made; none without a rated rate.
    pub capacity: Option<Capacity>,
    /// Time of which that says nothing.
    pub unrated: Unrated,
    /// What a figure needs before it is published.
    pub needs: Needs,
}

/// A shift as it took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftRun {
    /// Its name.
    pub name: Arc<str>,
    /// The day it started on, as in `2026-11-23`.
    pub date: Arc<str>,
    /// The crew that worked it, if the calendar names any.
    pub crew: Option<Arc<str>>,
}

impl ShiftRun {
    /// The shift of a calendar by its index, with the date it started on.
    pub fn of(calendar: &Calendar, (index, date): (usize, Date)) -> Option<ShiftRun> {
        let shift = calendar.shifts.get(index)?;
        Some(ShiftRun {
            name: shift.name.clone(),
            date: date.to_string().into(),
            crew: calendar.crew(index, date).cloned(),
        })
    }
}

/// Parts counted in a window. A count that nobody reads is none, not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parts {
    /// Good parts.
    pub good: Option<u64>,
    /// Scrap.
    pub scrap: Option<u64>,
    /// Both.
    pub total: Option<u64>,
    /// Part of `total`: learned by one reading that spans unknown time.
    pub gap_total: u64,
    /// How long before this window the reading was made from which the earliest of them were counted,
    /// in milliseconds; 0 if it was in the window.
    pub gap_before_ms: u64,
    /// How long before the end of this window a counter was read last of which nothing is known since,
    /// in milliseconds; 0 if no planned time was unknown since the last reading of any counter. What
    /// was made since is told by a later window.
    pub gap_after_ms: u64,
}

/// What the rated rate would have made, in thousandths of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// Over all planned time that had a rated rate.
    pub planned: u64,
    /// While producing.
    pub producing: u64,
    /// Over `uncounted_ms`.
    pub uncounted: u64,
    /// The rated rate at the end of the window, in thousandths of a part per hour; the last one
    /// before if there is none then.
    pub rate: u64,
}

/// Time without a rated rate, of a device that has one: what it makes is not known yet, or no rate is
/// configured for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unrated {
    /// Planned milliseconds.
    pub planned_ms: u64,
    /// Of them, producing.
    pub producing_ms: u64,
}

impl Unrated {
    /// All time had a rate, or the device has none.
    pub const NONE: Unrated = Unrated {
        planned_ms: 0,
        producing_ms: 0,
    };
}

/// What a figure needs before it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Share of known time, in ten-thousandths.
    pub coverage: u16,
    /// Producing + setup time for rates, MTBF and MTTR.
    pub exposure_ms: u64,
    /// The device counts no scrap at all: its quality is 1.
    pub no_scrap: bool,
}

impl Needs {
    /// Nothing is needed.
    pub const NONE: Needs = Needs {
        coverage: 0,
        exposure_ms: 0,
        no_scrap: false,
    };
}

impl Summary {
    /// These parts, of no device and no window yet.
    pub fn of(sum: &Sum) -> Summary {
        Summary {
            device: "".into(),
            line: None,
            tier: Tier::Minute,
            shift: None,
            start: Wall(0),
            end: Wall(0),
            fold: 0,
            rev: 0,
            merged: 1,
            clock_step_ms: 0,
            every_ms: 0,
            times: sum.times,
            uncounted_ms: sum.uncounted_ms,
            parts: sum.parts,
            failures: sum.failures,
            repairs: sum.repairs,
            repair_ms: sum.repair_ms,
            capacity: sum.capacity,
            unrated: sum.unrated,
            needs: Needs::NONE,
        }
    }

    /// What is added up when windows are.
    pub const fn sum(&self) -> Sum {
        Sum {
            times: self.times,
            uncounted_ms: self.uncounted_ms,
            parts: self.parts,
            failures: self.failures,
            repairs: self.repairs,
            repair_ms: self.repair_ms,
            capacity: self.capacity,
            unrated: self.unrated,
        }
    }

    /// Real length in milliseconds.
    pub fn window_ms(&self) -> u64 {
        self.times.total()
    }

    /// Planned busy time: everything but `planned_stop`.
    pub fn planned_ms(&self) -> u64 {
        self.times.planned()
    }
}

/// The parts of a window, or of windows that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sum {
    /// Milliseconds in each state; their sum is the real length.
    pub times: Times,
    /// See [`Summary::uncounted_ms`].
    pub uncounted_ms: u64,
    /// Parts.
    pub parts: Parts,
    /// Faults that began.
    pub failures: u32,
    /// Faults that ended.
    pub repairs: u32,
    /// See [`Summary::repair_ms`].
    pub repair_ms: u64,
    /// See [`Summary::unrated`].
    pub unrated: Unrated,
    /// See [`Summary::capacity`].
    pub capacity: Option<Capacity>,
}

impl Sum {
    /// Planned busy time: everything but `planned_stop`.
    pub fn planned_ms(&self) -> u64 {
        self.times.planned()
    }

    /// Whether there is time in it for which a rated rate says what could have been made, or would if
    /// the product were known.
    fn needs_rate(&self) -> bool {
        let unrated_ms = self.unrated.planned_ms;
        self.planned_ms() > unrated_ms || self.uncounted_ms > 0 && unrated_ms == 0
    }

    /// Adds the window that follows.
    pub fn add(&mut self, next: &Sum) {
        let before_ms = self.times.total();
        self.capacity = match (self.capacity, next.capacity) {
            (None, capacity) if !self.needs_rate() => capacity,
            (capacity, None) if !next.needs_rate() => capacity,
            (Some(sum), Some(next)) => Some(Capacity {
                planned: sum.planned.saturating_add(next.planned),
                producing: sum.producing.saturating_add(next.producing),
                uncounted: sum.uncounted.saturating_add(next.uncounted),
                rate: next.rate,
            }),
            // The device was not rated then: a part of the time is no measure for all that was.
            _ => None,
        };
        for (sum, next) in self.times.0.iter_mut().zip(next.times.0) {
            *sum += next;
        }
        self.uncounted_ms += next.uncounted_ms;
        let parts = &mut self.parts;
        parts.good = added(parts.good, next.parts.good);
        parts.scrap = added(parts.scrap, next.parts.scrap);
        parts.total = added(parts.total, next.parts.total);
        parts.gap_total = parts.gap_total.saturating_add(next.parts.gap_total);
        let gap_before = next.parts.gap_before_ms.saturating_sub(before_ms);
        parts.gap_before_ms = parts.gap_before_ms.max(gap_before);
        parts.gap_after_ms = next.parts.gap_after_ms;
        self.failures = self.failures.saturating_add(next.failures);
        self.repairs = self.repairs.saturating_add(next.repairs);
        self.repair_ms += next.repair_ms;
        self.unrated.planned_ms += next.unrated.planned_ms;
        self.unrated.producing_ms += next.unrated.producing_ms;
    }

    /// The count that nobody reads, from the sums of the two that are read. A window in which one
    /// of them was not read has no third, so that thirds cannot be added up.
    pub fn derive(&mut self, third: Counts) {
        let parts = &mut self.parts;
        let (good, scrap, total) = (parts.good, parts.scrap, parts.total);
        let both = |one: Option<u64>, other: Option<u64>| one.zip(other);
        match third {
            Counts::Good => {
                parts.good = both(total, scrap).map(|(total, scrap)| total.saturating_sub(scrap));
            }
            Counts::Scrap => {
                parts.scrap = both(total, good).map(|(total, good)| total.saturating_sub(good));
            }
            Counts::Total => {
                parts.total = both(good, scrap).map(|(good, scrap)| good.saturating_add(scrap));
            }
        }
    }
}

/// A count that was read in one of two windows is known for both as far as it was read.
fn added(sum: Option<u64>, next: Option<u64>) -> Option<u64> {
    match (sum, next) {
        (Some(sum), Some(next)) => Some(sum.saturating_add(next)),
        (one, other) => one.or(other),
    }
}
