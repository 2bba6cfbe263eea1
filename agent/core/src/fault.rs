//! Faults as events: when one begins, when it ends, and how long its repair took.
//!
//! A fault begins with an entry into `faulted` from a known state other than planned stop. Unknown
//! time and breaks interrupt it without ending it; it ends when the machine is seen in another
//! known state, and stays so for `merge_faults`.

use crate::state::State;
use serde::{Deserialize, Serialize};

/// The fault of a device, if it has one, with what the open window has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Faults {
    open: Option<Open>,
    /// Faults that began in the window.
    pub failures: u32,
    /// Faults that ended in the window.
    pub repairs: u32,
    /// `faulted` time of those, from their beginning.
    pub repair_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// `faulted` time so far.
    faulted_ms: u64,
    /// How long the machine has been seen without it.
    without_ms: Option<u64>,
}

impl Faults {
    /// The accounted state changes.
    pub fn change(&mut self, from: State, to: State, merge_ms: u64) {
        match (&mut self.open, to) {
            (Some(open), State::Faulted) => open.without_ms = None,
            (None, State::Faulted) => {
                self.open = Some(Open {
                    faulted_ms: 0,
                    without_ms: None,
                });
                if !matches!(from, State::Unknown | State::PlannedStop) {
                    self.failures += 1;
                }
            }
            (Some(_), State::Unknown | State::PlannedStop) | (None, _) => {}
            (Some(open), _) => {
                open.without_ms.get_or_insert(0);
                self.end_if_over(merge_ms);
            }
        }
    }

    /// `ms` pass in an accounted state.
    pub fn pass(&mut self, state: State, ms: u64, merge_ms: u64) {
        let Some(open) = &mut self.open else { return };
        match (state, &mut open.without_ms) {
            (State::Faulted, _) => open.faulted_ms += ms,
            (State::Unknown | State::PlannedStop, _) | (_, None) => {}
            (_, Some(without)) => {
                *without += ms;
                self.end_if_over(merge_ms);
            }
        }
    }

    fn end_if_over(&mut self, merge_ms: u64) {
        if let Some(Open {
            faulted_ms,
            without_ms: Some(without),
        }) = self.open
            && without >= merge_ms
        {
            self.repairs += 1;
            self.repair_ms += faulted_ms;
            self.open = None;
        }
    }

    /// Begins a new window; an open fault goes on.
    pub fn begin_window(&mut self) {
        *self = Faults {
            open: self.open,
            ..Faults::default()
        };
    }
}

#[cfg(test)]
mod tests;
