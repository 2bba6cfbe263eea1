//! What a device does, by the time model of ISO 22400, and the exact accounting of it.

use serde::{Deserialize, Serialize};

/// What a device does. The order is part of the stored form: it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum State {
    /// Producing (APT).
    Producing,
    /// Being set up (AUST).
    Setup,
    /// Stopped inside an order: starved, blocked, minor stop (part of ADET).
    Delayed,
    /// Stopped by its own failure (part of ADET).
    Faulted,
    /// Able to run, no order (ADOT).
    Idle,
    /// Outside the shift calendar or in a break, and not working.
    PlannedStop,
    /// No good data.
    Unknown,
}

impl State {
    /// Every state, in the order of [`Times`].
    pub const ALL: [State; 7] = [
        State::Producing,
        State::Setup,
        State::Delayed,
        State::Faulted,
        State::Idle,
        State::PlannedStop,
        State::Unknown,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Producing => "producing",
            State::Setup => "setup",
            State::Delayed => "delayed",
            State::Faulted => "faulted",
            State::Idle => "idle",
            State::PlannedStop => "planned_stop",
            State::Unknown => "unknown",
        }
    }

    /// The state that a mapping or a rule names; `planned_stop` and `unknown` are never mapped.
    pub fn from_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// What is accounted for a machine that shows `self`: out of planned time a machine that
    /// neither produces nor is set up stands by plan.
    pub const fn accounted(self, planned: bool) -> State {
        match self {
            State::Producing | State::Setup => self,
            _ if planned => self,
            _ => State::PlannedStop,
        }
    }
}

/// Milliseconds in each state; they add up to the length of what they describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Times(pub [u64; 7]);

impl Times {
    /// Milliseconds in `state`.
    pub const fn of(&self, state: State) -> u64 {
        self.0[state as usize]
    }

    /// Adds `ms` in `state`.
    pub const fn add(&mut self, state: State, ms: u64) {
        self.0[state as usize] += ms;
    }

    /// The length of the whole.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Planned busy time: everything but `planned_stop`.
    pub fn planned(&self) -> u64 {
        self.total() - self.of(State::PlannedStop)
    }
}
