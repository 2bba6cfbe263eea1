//! Calls: what 安灯 means in every plant. An operator asks for somebody, somebody arrives, it is solved
//! (contract §6).
//!
//! A call is an alarm whose condition is what people say: called raises it, arrived acknowledges it,
//! solved clears it.

/// What is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Material is missing.
    Material,
    /// Somebody is to look at the quality.
    Quality,
    /// Something is to be repaired or set up.
    Maintenance,
}

impl Call {
    /// Every kind.
    pub const ALL: [Call; 3] = [Call::Material, Call::Quality, Call::Maintenance];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Call::Material => "material",
            Call::Quality => "quality",
            Call::Maintenance => "maintenance",
        }
    }

    /// The id of its alarm within a device.
    pub const fn id(self) -> &'static str {
        match self {
            Call::Material => "call-material",
            Call::Quality => "call-quality",
            Call::Maintenance => "call-maintenance",
        }
    }

    /// The kind with this word.
    pub fn of(word: &str) -> Option<Call> {
        Call::ALL.into_iter().find(|call| call.as_str() == word)
    }
}
