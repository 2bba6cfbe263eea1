//! Time as the core sees it: a monotonic clock to measure with, a wall clock to label with.
//!
//! Durations are only ever taken between two [`Mono`]s. A [`Wall`] is a label; it may jump, and
//! [`Now`] says how far it can be believed.

use core::ops::{Add, Sub};
use serde::{Deserialize, Serialize};

/// Monotonic milliseconds since an arbitrary start (the gateway's boot); never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// Milliseconds from `earlier` to `self`, 0 if `earlier` is later.
    pub const fn since(self, earlier: Mono) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `ms` earlier.
    pub const fn before(self, ms: u64) -> Mono {
        Mono(self.0.saturating_sub(ms))
    }
}

impl Add<u64> for Mono {
    type Output = Mono;
    fn add(self, ms: u64) -> Mono {
        Mono(self.0.saturating_add(ms))
    }
}

/// Wall clock: milliseconds UTC since 1970.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Add<i64> for Wall {
    type Output = Wall;
    fn add(self, ms: i64) -> Wall {
        Wall(self.0.saturating_add(ms))
    }
}

impl Sub for Wall {
    type Output = i64;
    fn sub(self, other: Wall) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

/// How far the wall clock can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClockState {
    /// The kernel says that it is disciplined by a time source.
    Synced,
    /// Plausible (a real-time clock, or a time source that went away), but nobody vouches for it.
    Holdover,
    /// Earlier than the day this agent was built: it was never set.
    Unsynced,
}

impl ClockState {
    /// Every state.
    pub const ALL: [ClockState; 3] = [
        ClockState::Synced,
        ClockState::Holdover,
        ClockState::Unsynced,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClockState::Synced => "synced",
            ClockState::Holdover => "holdover",
            ClockState::Unsynced => "unsynced",
        }
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What durations are measured with.
    pub mono: Mono,
    /// What is written on records.
    pub wall: Wall,
    /// How far `wall` can be believed.
    pub clock: ClockState,
}
