//! The additive parts of one device over one window, and nothing else: everything published
//! besides is computed from them ([`crate::kpi`]), so that anybody can sum windows and devices.

use crate::state::Times;
use crate::time::Wall;
use alloc::sync::Arc;
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

/// The parts of one device over one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Device id.
    pub device: Arc<str>,
    /// Line of the device.
    pub line: Option<Arc<str>>,
    /// Length class.
    pub tier: Tier,
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
    /// What a figure needs before it is published.
    pub needs: Needs,
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
    /// Where the longest such unknown time began, if that was before this window.
    pub gap_from: Option<Wall>,
}

/// What the rated rate would have made, in thousandths of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// Over all planned time.
    pub planned: u64,
    /// While producing.
    pub producing: u64,
    /// Over `uncounted_ms`.
    pub uncounted: u64,
    /// The rated rate at the end of the window, in thousandths of a part per hour.
    pub rate: u64,
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

impl Summary {
    /// Real length in milliseconds.
    pub fn window_ms(&self) -> u64 {
        self.times.total()
    }

    /// Planned busy time: everything but `planned_stop`.
    pub fn planned_ms(&self) -> u64 {
        self.window_ms() - self.times.of(crate::state::State::PlannedStop)
    }
}
