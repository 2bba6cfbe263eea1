//! Which lies of a source are looked for.

use core::ops::BitOr;

/// A lie that a source may tell of one tag, and that is found without being configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Detector {
    /// A value that normally moves does not, while the machine says that it runs.
    Frozen = 1,
    /// A whole answer is zeros, such as a gateway gives for a controller that is dead.
    AllZero = 2,
    /// A counter does not count, while the machine says that it produces.
    StandingStill = 4,
    /// A value moves faster than it ever could.
    ImplausibleStep = 8,
    /// A counter counts more than the machine could have made.
    ImplausibleCount = 16,
    /// Time stamps lie behind by a constant.
    ClockBehind = 32,
}

impl Detector {
    /// Every detector with its name in the configuration, which is also the reason that it gives.
    pub const ALL: [(&'static str, Detector); 6] = [
        ("frozen", Detector::Frozen),
        ("all-zero", Detector::AllZero),
        ("standing-still", Detector::StandingStill),
        ("implausible-step", Detector::ImplausibleStep),
        ("implausible-count", Detector::ImplausibleCount),
        ("clock-behind", Detector::ClockBehind),
    ];
}

/// Some of the detectors, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Detectors(u8);

impl Detectors {
    /// None of them.
    pub const NONE: Detectors = Detectors(0);

    /// All of them.
    pub const ALL: Detectors = Detectors(63);

    /// Those for a tag whose source sends when it likes: it may well send nothing but changes, and
    /// a message has no registers that could all be zero.
    pub const SENT: Detectors = Detectors::ALL
        .without(Detector::Frozen)
        .without(Detector::AllZero);

    /// Whether this one is among them.
    pub const fn has(self, detector: Detector) -> bool {
        self.0 & detector as u8 != 0
    }

    /// The same without this one.
    pub const fn without(self, detector: Detector) -> Detectors {
        Detectors(self.0 & !(detector as u8))
    }

    /// Those that are in both.
    pub const fn and(self, other: Detectors) -> Detectors {
        Detectors(self.0 & other.0)
    }
}

impl FromIterator<Detector> for Detectors {
    fn from_iter<I: IntoIterator<Item = Detector>>(detectors: I) -> Detectors {
        let bits = detectors.into_iter().map(|detector| detector as u8);
        Detectors(bits.fold(0, BitOr::bitor))
    }
}
