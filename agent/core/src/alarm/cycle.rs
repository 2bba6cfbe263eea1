//! What an alarm goes through while nothing hides it.

use super::AlarmState;
use serde::{Deserialize, Serialize};

/// Where an alarm is in its life. The order is part of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Cycle {
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
    /// It comes back into view: nothing hides it any more.
    Return,
}

impl Cycle {
    /// Every one.
    pub const ALL: [Cycle; 6] = [
        Cycle::Normal,
        Cycle::UnackActive,
        Cycle::AckActive,
        Cycle::RtnUnack,
        Cycle::LatchedUnack,
        Cycle::LatchedAck,
    ];

    /// Whether the condition holds.
    pub const fn is_active(self) -> bool {
        matches!(self, Cycle::UnackActive | Cycle::AckActive)
    }

    /// Whether nobody has seen it.
    pub const fn is_unacknowledged(self) -> bool {
        matches!(
            self,
            Cycle::UnackActive | Cycle::RtnUnack | Cycle::LatchedUnack
        )
    }

    /// The next one; the same where nothing changes.
    pub const fn after(self, what: Happening, latched: bool) -> Cycle {
        use Cycle::{AckActive, LatchedAck, LatchedUnack, Normal, RtnUnack, UnackActive};
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
            // Raised anew; and nobody need acknowledge what came and went out of view.
            (AckActive, Happening::Return) => UnackActive,
            (RtnUnack, Happening::Return) => Normal,
            (same, _) => same,
        }
    }
}

impl From<Cycle> for AlarmState {
    fn from(cycle: Cycle) -> AlarmState {
        match cycle {
            Cycle::Normal => AlarmState::Normal,
            Cycle::UnackActive => AlarmState::UnackActive,
            Cycle::AckActive => AlarmState::AckActive,
            Cycle::RtnUnack => AlarmState::RtnUnack,
            Cycle::LatchedUnack => AlarmState::LatchedUnack,
            Cycle::LatchedAck => AlarmState::LatchedAck,
        }
    }
}
