//! The life cycle of an alarm (ISA-18.2-2016, IEC 62682): states and the whole transition table.

use crate::sample::Value;
use crate::time::{Mono, Wall};
use serde::{Deserialize, Serialize};

/// Where an alarm is in its life. The order is part of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmState {
    /// Nothing to tell (A).
    #[default]
    Normal,
    /// Active, nobody has seen it (B).
    UnackActive,
    /// Active, somebody has seen it (C).
    AckActive,
    /// Gone before anybody saw it (D).
    RtnUnack,
    /// Latched, gone, nobody has seen it (E).
    LatchedUnack,
    /// Latched, gone, seen; waits for a reset (F).
    LatchedAck,
}

/// What happens to an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// The condition holds, on-delay over.
    Occur,
    /// The condition is gone, off-delay over.
    Clear,
    /// A person acknowledges.
    Acknowledge,
    /// A person resets.
    Reset,
}

impl AlarmState {
    /// Every state.
    pub const ALL: [AlarmState; 6] = [
        AlarmState::Normal,
        AlarmState::UnackActive,
        AlarmState::AckActive,
        AlarmState::RtnUnack,
        AlarmState::LatchedUnack,
        AlarmState::LatchedAck,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlarmState::Normal => "normal",
            AlarmState::UnackActive => "unack-active",
            AlarmState::AckActive => "ack-active",
            AlarmState::RtnUnack => "rtn-unack",
            AlarmState::LatchedUnack => "latched-unack",
            AlarmState::LatchedAck => "latched-ack",
        }
    }

    /// Whether the condition holds.
    pub const fn is_active(self) -> bool {
        matches!(self, AlarmState::UnackActive | AlarmState::AckActive)
    }

    /// The next state; the same one where nothing changes.
    pub const fn after(self, what: Happening, latched: bool) -> AlarmState {
        use AlarmState::{AckActive, LatchedAck, LatchedUnack, Normal, RtnUnack, UnackActive};
        match (self, what) {
            (Normal | RtnUnack | LatchedUnack | LatchedAck, Happening::Occur) => UnackActive,
            (UnackActive, Happening::Clear) if latched => LatchedUnack,
            (UnackActive, Happening::Clear) => RtnUnack,
            (AckActive, Happening::Clear) if latched => LatchedAck,
            (AckActive, Happening::Clear) => Normal,
            (UnackActive, Happening::Acknowledge) => AckActive,
            (RtnUnack, Happening::Acknowledge) => Normal,
            (LatchedUnack, Happening::Acknowledge) => LatchedAck,
            (LatchedAck, Happening::Reset) => Normal,
            (state, _) => state,
        }
    }
}

/// One alarm of one device, as it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Where it is in its life.
    pub state: AlarmState,
    /// Activations so far; never used again.
    pub occurrence: u64,
    /// When it was last raised.
    pub raised: Option<Wall>,
    /// When it was last acknowledged.
    pub acked: Option<Wall>,
    /// When its condition was last gone.
    pub cleared: Option<Wall>,
    /// The value that raised it.
    pub value: Option<Value>,
    /// Whether its condition cannot be decided now.
    #[serde(skip)]
    pub undecided: bool,
    /// The delay that is running.
    #[serde(skip)]
    wait: Option<Wait>,
}

/// A delay that is waited out; it stands still while the condition is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    remaining_ms: u64,
    since: Option<Mono>,
}

impl Alarm {
    /// A normal alarm that has been active `occurrence` times.
    pub fn at_rest(occurrence: u64) -> Alarm {
        Alarm {
            occurrence,
            ..Alarm::default()
        }
    }

    /// Takes the answer of the condition at `now`, and says what happens. `since` is when the
    /// answer began to hold, if that was earlier; the delays are in milliseconds.
    pub fn judge(
        &mut self,
        now: Mono,
        since: Mono,
        answer: Option<bool>,
        on_delay_ms: u64,
        off_delay_ms: u64,
    ) -> Option<Happening> {
        self.undecided = answer.is_none();
        let Some(holds) = answer else {
            if let Some(wait) = &mut self.wait {
                wait.remaining_ms = wait.remaining(now);
                wait.since = None;
            }
            return None;
        };
        if holds == self.state.is_active() {
            self.wait = None;
            return None;
        }
        let wait = self.wait.get_or_insert(Wait {
            remaining_ms: if holds { on_delay_ms } else { off_delay_ms },
            since: Some(since.min(now)),
        });
        wait.since.get_or_insert(now);
        if wait.remaining(now) > 0 {
            return None;
        }
        self.wait = None;
        Some(if holds {
            Happening::Occur
        } else {
            Happening::Clear
        })
    }

    /// When a running delay is over.
    pub fn deadline(&self) -> Option<Mono> {
        let wait = self.wait?;
        Some(wait.since? + wait.remaining_ms)
    }

    /// Something happens at `at`; returns the state before, if it changes.
    pub fn happen(&mut self, what: Happening, latched: bool, at: Wall) -> Option<AlarmState> {
        let before = self.state;
        let after = before.after(what, latched);
        if after == before {
            return None;
        }
        self.state = after;
        match what {
            Happening::Occur => {
                self.occurrence += 1;
                self.raised = Some(at);
                self.acked = None;
                self.cleared = None;
            }
            Happening::Clear => self.cleared = Some(at),
            Happening::Acknowledge => self.acked = Some(at),
            Happening::Reset => {}
        }
        Some(before)
    }
}

impl Wait {
    fn remaining(&self, now: Mono) -> u64 {
        self.remaining_ms
            .saturating_sub(self.since.map_or(0, |since| now.since(since)))
    }
}

#[cfg(test)]
mod tests;
