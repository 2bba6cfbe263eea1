//! One number of a window by its name, as rules ask for it: a figure, one of its bounds, or a part.

use super::{Fixed, Key, Why, figure_of};
use crate::state::State;
use crate::summary::{Needs, Sum};

/// One number of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// A figure; none where it is null.
    Value(Key),
    /// Its worst case, over all planned time.
    Low(Key),
    /// Its best case.
    High(Key),
    /// A part; none where too little of the planned time is known.
    Part(Part),
}

/// A part that figures are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Milliseconds in a state.
    Time(State),
    /// Faults that began.
    Failures,
    /// Faults that ended.
    Repairs,
    /// Good parts.
    Good,
    /// Scrap.
    Scrap,
    /// Both.
    Total,
}

const PARTS: [(&str, Part); 12] = [
    ("producing_ms", Part::Time(State::Producing)),
    ("setup_ms", Part::Time(State::Setup)),
    ("delayed_ms", Part::Time(State::Delayed)),
    ("faulted_ms", Part::Time(State::Faulted)),
    ("idle_ms", Part::Time(State::Idle)),
    ("planned_stop_ms", Part::Time(State::PlannedStop)),
    ("unknown_ms", Part::Time(State::Unknown)),
    ("failures", Part::Failures),
    ("repairs", Part::Repairs),
    ("good", Part::Good),
    ("scrap", Part::Scrap),
    ("total", Part::Total),
];

impl Measure {
    /// The number with this name of the contract.
    pub fn from_name(name: &str) -> Option<Measure> {
        let part = PARTS.iter().find(|(known, _)| *known == name);
        if let Some((_, part)) = part {
            return Some(Measure::Part(*part));
        }
        Key::ALL.into_iter().find_map(|key| {
            let [value, low, high, _] = key.names();
            match name {
                _ if name == value => Some(Measure::Value(key)),
                _ if name == low && key.has_bounds() => Some(Measure::Low(key)),
                _ if name == high && key.has_bounds() => Some(Measure::High(key)),
                _ => None,
            }
        })
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        let figures = Key::ALL.into_iter().flat_map(|key| {
            let [value, low, high, _] = key.names();
            let bounds = [low, high].into_iter().filter(move |_| key.has_bounds());
            core::iter::once(value).chain(bounds)
        });
        figures.chain(PARTS.iter().map(|(name, _)| *name))
    }

    /// The number in a window with these parts; none where it is null.
    pub fn of(self, sum: &Sum, needs: &Needs) -> Option<f64> {
        let bounds = |key| figure_of(sum, needs, key).bounds;
        let fixed = match self {
            Measure::Value(key) => figure_of(sum, needs, key).value.ok(),
            Measure::Low(key) => bounds(key).and_then(|(low, _)| low),
            Measure::High(key) => bounds(key).and_then(|(_, high)| high),
            Measure::Part(part) => return part.of(sum, needs),
        };
        fixed.map(Fixed::as_f64)
    }

    /// The least and the most that it can ever be.
    pub const fn range(self) -> (f64, f64) {
        let most = match self {
            Measure::Value(key) | Measure::Low(key) | Measure::High(key) if key.is_share() => 1.0,
            _ => f64::INFINITY,
        };
        (0.0, most)
    }

    /// Whether it says how much was made, or could have been: a machine that counts nothing has none.
    pub const fn needs_count(self) -> bool {
        match self {
            Measure::Value(key) | Measure::Low(key) | Measure::High(key) => matches!(
                key,
                Key::CapacityUtilisation
                    | Key::Oee
                    | Key::Effectiveness
                    | Key::QualityRatio
                    | Key::ThroughputPerH
            ),
            Measure::Part(part) => matches!(part, Part::Good | Part::Scrap | Part::Total),
        }
    }

    /// Whether it needs a rated rate.
    pub const fn needs_rate(self) -> bool {
        match self {
            Measure::Value(key) | Measure::Low(key) | Measure::High(key) => {
                matches!(
                    key,
                    Key::CapacityUtilisation | Key::Oee | Key::Effectiveness
                )
            }
            Measure::Part(_) => false,
        }
    }

    /// Whether it is null in a window with less of producing and setup than `min_exposure`.
    pub const fn needs_exposure(self) -> bool {
        matches!(
            self,
            Measure::Value(Key::FaultRatePerH | Key::MtbfS | Key::MttrS | Key::ThroughputPerH)
        )
    }
}

impl Part {
    /// Unknown and planned time are known by themselves; of the others some may lie in time that
    /// nobody knows.
    fn of(self, sum: &Sum, needs: &Needs) -> Option<f64> {
        let is_certain = matches!(self, Part::Time(State::Unknown | State::PlannedStop));
        let coverage = || figure_of(sum, needs, Key::Availability).value;
        if !is_certain && matches!(coverage(), Err(Why::LowCoverage | Why::NoPlannedTime)) {
            return None;
        }
        let number = match self {
            Part::Time(state) => sum.times.of(state),
            Part::Failures => u64::from(sum.failures),
            Part::Repairs => u64::from(sum.repairs),
            Part::Good => sum.parts.good?,
            Part::Scrap => sum.parts.scrap?,
            Part::Total => sum.parts.total?,
        };
        Some(number as f64)
    }
}

impl Key {
    /// Whether it is a share of a whole, never above 1.
    pub(crate) const fn is_share(self) -> bool {
        matches!(
            self,
            Key::Availability
                | Key::FaultTimeRatio
                | Key::AllocationEfficiency
                | Key::UtilisationEfficiency
                | Key::TechnicalEfficiency
                | Key::QualityRatio
                | Key::Coverage
        )
    }
}
