//! The life cycle of an alarm (ISA-18.2-2016, IEC 62682): states and the whole transition table.

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
