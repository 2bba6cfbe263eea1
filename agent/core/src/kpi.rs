//! The figures: every key of the contract from the parts of a [`Summary`], in integers.
//!
//! K = planned − unknown, U = unknown, B = producing + setup + delayed + faulted. A value is over
//! known time; its bounds are over all planned time, with the unknown time taken as the worst and
//! the best case. No data is never zero: what cannot be known has a [`Why`].
//!
//! Sources: ISO 22400-2:2014 (availability, allocation efficiency, utilisation efficiency,
//! technical efficiency, effectiveness, quality ratio, OEE, MTBF, MTTR), the contract for the rest.

mod measure;

pub use measure::{Measure, Part};

use crate::state::State;
use crate::summary::{Needs, Parts, Sum, Summary};

/// Why a figure has no value. The order is that of importance, highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Too little of the planned time is known.
    LowCoverage,
    /// Nothing was planned.
    NoPlannedTime,
    /// Parts were learned by a reading that spans more than this window, or will be.
    CountsAcrossGap,
    /// Nothing counts the parts, or nothing was counted.
    NoCount,
    /// The device has no rated rate, or not enough of the time had one.
    NoRatedRate,
    /// Good parts are counted, but neither scrap nor the total.
    NoScrapCount,
    /// No fault began, or ended: nothing to divide by.
    NoFailures,
    /// Too little time in question for a rate.
    TooShort,
}

impl Why {
    /// Every reason, the most important first.
    pub const ALL: [Why; 8] = [
        Why::LowCoverage,
        Why::NoPlannedTime,
        Why::CountsAcrossGap,
        Why::NoCount,
        Why::NoRatedRate,
        Why::NoScrapCount,
        Why::NoFailures,
        Why::TooShort,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Why::LowCoverage => "low-coverage",
            Why::NoPlannedTime => "no-planned-time",
            Why::CountsAcrossGap => "counts-across-gap",
            Why::NoCount => "no-count",
            Why::NoRatedRate => "no-rated-rate",
            Why::NoScrapCount => "no-scrap-count",
            Why::NoFailures => "no-failures",
            Why::TooShort => "too-short",
        }
    }

    /// Whether it says something about the data and not only about the length of the window.
    pub(crate) const fn is_notable(self) -> bool {
        !matches!(self, Why::NoFailures | Why::TooShort)
    }
}

/// A number with a fixed count of decimals, rounded half up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// The number × 10^decimals.
    pub units: u64,
    /// 3 or 4.
    pub decimals: u8,
}

impl Fixed {
    /// `numerator / denominator`; none if there is nothing to divide by.
    fn ratio(numerator: u128, denominator: u128, decimals: u8) -> Option<Fixed> {
        let scaled = numerator.checked_mul(10u128.pow(u32::from(decimals)))?;
        let rounded = scaled
            .checked_add(denominator / 2)?
            .checked_div(denominator)?;
        Some(Fixed {
            units: u64::try_from(rounded).ok()?,
            decimals,
        })
    }

    /// As a floating-point number; exact to the last published decimal.
    pub fn as_f64(self) -> f64 {
        self.units as f64 / if self.decimals == 4 { 1e4 } else { 1e3 }
    }
}

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its key.
    pub key: Key,
    /// Its value, or why there is none.
    pub value: Result<Fixed, Why>,
    /// Worst and best case, for the keys that have them; none if nothing was planned.
    pub bounds: Option<(Option<Fixed>, Option<Fixed>)>,
}

/// The figures of the contract, in the order in which they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Parts made of parts possible (产能利用率; ISO equipment load ratio).
    CapacityUtilisation,
    /// Producing of known planned time.
    Availability,
    /// Faulted of known planned time (设备故障率).
    FaultTimeRatio,
    /// Busy of known planned time.
    AllocationEfficiency,
    /// Producing of busy time.
    UtilisationEfficiency,
    /// Producing of producing, delayed and faulted.
    TechnicalEfficiency,
    /// Good parts of parts possible.
    Oee,
    /// Parts made of parts possible while producing.
    Effectiveness,
    /// Good of all parts.
    QualityRatio,
    /// Faults per hour of producing and setup.
    FaultRatePerH,
    /// Seconds of producing and setup per fault.
    MtbfS,
    /// Seconds of repair per fault that ended.
    MttrS,
    /// Parts per busy hour.
    ThroughputPerH,
    /// Known of planned time.
    Coverage,
}

impl Key {
    /// Every key.
    pub const ALL: [Key; 14] = [
        Key::CapacityUtilisation,
        Key::Availability,
        Key::FaultTimeRatio,
        Key::AllocationEfficiency,
        Key::UtilisationEfficiency,
        Key::TechnicalEfficiency,
        Key::Oee,
        Key::Effectiveness,
        Key::QualityRatio,
        Key::FaultRatePerH,
        Key::MtbfS,
        Key::MttrS,
        Key::ThroughputPerH,
        Key::Coverage,
    ];

    /// The names of value, lower bound, upper bound and reason.
    pub const fn names(self) -> [&'static str; 4] {
        macro_rules! names {
            ($name:literal) => {
                [
                    $name,
                    concat!($name, "_low"),
                    concat!($name, "_high"),
                    concat!($name, "_reason"),
                ]
            };
        }
        match self {
            Key::CapacityUtilisation => names!("capacity_utilisation"),
            Key::Availability => names!("availability"),
            Key::FaultTimeRatio => names!("fault_time_ratio"),
            Key::AllocationEfficiency => names!("allocation_efficiency"),
            Key::UtilisationEfficiency => names!("utilisation_efficiency"),
            Key::TechnicalEfficiency => names!("technical_efficiency"),
            Key::Oee => names!("oee"),
            Key::Effectiveness => names!("effectiveness"),
            Key::QualityRatio => names!("quality_ratio"),
            Key::FaultRatePerH => names!("fault_rate_per_h"),
            Key::MtbfS => names!("mtbf_s"),
            Key::MttrS => names!("mttr_s"),
            Key::ThroughputPerH => names!("throughput_per_h"),
            Key::Coverage => names!("coverage"),
        }
    }

    /// Whether it is told with its worst and best case.
    pub const fn has_bounds(self) -> bool {
        matches!(
            self,
            Key::CapacityUtilisation
                | Key::Availability
                | Key::FaultTimeRatio
                | Key::AllocationEfficiency
                | Key::UtilisationEfficiency
                | Key::TechnicalEfficiency
                | Key::Oee
        )
    }

    /// The key with this name.
    pub fn from_name(name: &str) -> Option<Key> {
        Key::ALL.into_iter().find(|key| key.names()[0] == name)
    }
}

/// All figures of a window.
pub fn figures(summary: &Summary) -> impl Iterator<Item = Figure> {
    figures_of(&summary.sum(), &summary.needs)
}

/// All figures of these parts.
pub fn figures_of(sum: &Sum, needs: &Needs) -> impl Iterator<Item = Figure> + use<> {
    let sums = Sums::of(sum, needs);
    Key::ALL.into_iter().map(move |key| sums.figure(key))
}

/// One figure of these parts.
pub fn figure_of(sum: &Sum, needs: &Needs, key: Key) -> Figure {
    Sums::of(sum, needs).figure(key)
}

/// The most important reason among the figures without value, if it says something of the data.
pub fn reason(summary: &Summary) -> Option<Why> {
    reason_of(&summary.sum(), &summary.needs)
}

/// The same of these parts.
pub fn reason_of(sum: &Sum, needs: &Needs) -> Option<Why> {
    figures_of(sum, needs)
        .filter_map(|figure| figure.value.err())
        .filter(|why| why.is_notable())
        .min()
}

const RATIO: u8 = 4;
const RATE: u8 = 3;
const HOUR_MS: u128 = 3_600_000;

/// The sums that the formulas are made of; times in milliseconds, capacities in thousandths.
struct Sums {
    sum: Sum,
    needs: Needs,
    planned: u128,
    unknown: u128,
    busy: u128,
    producing: u128,
    setup: u128,
    delayed: u128,
    faulted: u128,
}

impl Sums {
    fn of(sum: &Sum, needs: &Needs) -> Sums {
        let of = |state| u128::from(sum.times.of(state));
        Sums {
            sum: *sum,
            needs: *needs,
            planned: u128::from(sum.planned_ms()),
            unknown: of(State::Unknown),
            busy: [
                State::Producing,
                State::Setup,
                State::Delayed,
                State::Faulted,
            ]
            .map(of)
            .into_iter()
            .sum(),
            producing: of(State::Producing),
            setup: of(State::Setup),
            delayed: of(State::Delayed),
            faulted: of(State::Faulted),
        }
    }

    fn figure(&self, key: Key) -> Figure {
        let known = self.planned - self.unknown;
        match key {
            Key::Availability => self.share(key, self.producing, known, self.planned),
            Key::FaultTimeRatio => self.share(key, self.faulted, known, self.planned),
            Key::AllocationEfficiency => self.share(key, self.busy, known, self.planned),
            Key::UtilisationEfficiency => {
                self.share(key, self.producing, self.busy, self.busy + self.unknown)
            }
            Key::TechnicalEfficiency => {
                let part = self.producing + self.delayed + self.faulted;
                self.share(key, self.producing, part, part + self.unknown)
            }
            Key::CapacityUtilisation => self.of_capacity(key, self.total()),
            Key::Oee => self.of_capacity(key, self.good()),
            Key::Effectiveness => Figure {
                key,
                value: self.effectiveness(),
                bounds: None,
            },
            Key::QualityRatio => Figure {
                key,
                value: self.quality_ratio(),
                bounds: None,
            },
            Key::FaultRatePerH => {
                let failures = u128::from(self.sum.failures);
                Figure {
                    key,
                    value: self.rate(failures * HOUR_MS, self.exposure()),
                    bounds: None,
                }
            }
            Key::MtbfS => {
                let failures = u128::from(self.sum.failures);
                Figure {
                    key,
                    value: self.mean_s(self.exposure(), failures),
                    bounds: None,
                }
            }
            Key::MttrS => {
                let repair = u128::from(self.sum.repair_ms);
                let repairs = u128::from(self.sum.repairs);
                Figure {
                    key,
                    value: self.mean_s(repair, repairs),
                    bounds: None,
                }
            }
            Key::ThroughputPerH => {
                let value = self
                    .counted()
                    .and_then(|parts| self.rate(parts * HOUR_MS, self.busy));
                Figure {
                    key,
                    value,
                    bounds: None,
                }
            }
            Key::Coverage => {
                let value = Fixed::ratio(known, self.planned, RATIO).ok_or(Why::NoPlannedTime);
                Figure {
                    key,
                    value,
                    bounds: None,
                }
            }
        }
    }

    /// A share of time, with the unknown time wholly out of or in the numerator as its bounds.
    fn share(&self, key: Key, part: u128, whole: u128, possible: u128) -> Figure {
        let value = self
            .covered()
            .and_then(|()| Fixed::ratio(part, whole, RATIO).ok_or(Why::TooShort));
        let low = Fixed::ratio(part, possible, RATIO);
        let high = Fixed::ratio(part + self.unknown, possible, RATIO);
        Figure {
            key,
            value,
            bounds: Some((low, high)),
        }
    }

    /// Parts of what the rated rate would have made; bounds: the uncounted time made nothing, or
    /// ran at rated rate. Where the window does not contain a whole gap, too: what was learned over one
    /// that began earlier was made before, or here; one that ends later made nothing here, or ran at
    /// rated rate.
    fn of_capacity(&self, key: Key, parts: Result<u128, Why>) -> Figure {
        let Parts {
            gap_total,
            gap_before_ms,
            gap_after_ms,
            ..
        } = self.sum.parts;
        let rated = self.rated(self.planned, self.sum.unrated.planned_ms);
        let all = parts.and_then(|parts| {
            let capacity = self.sum.capacity.ok_or(Why::NoRatedRate)?;
            Ok((parts * 1000, capacity, rated?))
        });
        let value = all.and_then(|(made, capacity, rated)| {
            self.covered()?;
            if gap_before_ms > 0 || gap_after_ms > 0 {
                return Err(Why::CountsAcrossGap);
            }
            let counted = u128::from(capacity.planned.saturating_sub(capacity.uncounted));
            rated.ratio(made, counted).ok_or(Why::LowCoverage)
        });
        let (low, high) = match all {
            Ok((made, capacity, rated)) => {
                let possible = u128::from(capacity.planned);
                let doubted = if gap_before_ms > 0 { gap_total } else { 0 };
                let surely = made.saturating_sub(u128::from(doubted) * 1000);
                let at_most = rated.scale(made) + rated.of_all(capacity.uncounted);
                // Of what was not counted yet no more than the unknown time can be of this window.
                let open = self.unknown.min(u128::from(gap_after_ms));
                let possible_in_all = rated.of_all(capacity.planned);
                let open = possible_in_all.saturating_mul(open);
                (
                    rated.ratio(surely, possible),
                    Fixed::ratio(
                        at_most.saturating_mul(self.planned).saturating_add(open),
                        possible_in_all.saturating_mul(self.planned),
                        RATIO,
                    ),
                )
            }
            Err(_) => (None, None),
        };
        Figure {
            key,
            value,
            bounds: Some((low, high)),
        }
    }

    fn effectiveness(&self) -> Result<Fixed, Why> {
        let made = self.counted()? * 1000;
        let capacity = self.sum.capacity.ok_or(Why::NoRatedRate)?;
        let rated = self.rated(self.producing, self.sum.unrated.producing_ms)?;
        self.covered()?;
        rated
            .ratio(made, u128::from(capacity.producing))
            .ok_or(Why::TooShort)
    }

    /// How much of some time had a rated rate, if that is enough to take the rest to be like it.
    fn rated(&self, time_ms: u128, unrated_ms: u64) -> Result<Rated, Why> {
        if unrated_ms == 0 {
            return Ok(Rated::ALL);
        }
        let rated_ms = time_ms.saturating_sub(u128::from(unrated_ms));
        let enough = rated_ms * 10_000 >= time_ms * u128::from(self.needs.coverage);
        let rated = Rated { rated_ms, time_ms };
        (enough && rated_ms > 0)
            .then_some(rated)
            .ok_or(Why::NoRatedRate)
    }

    fn quality_ratio(&self) -> Result<Fixed, Why> {
        let good = self.good()?;
        Fixed::ratio(good, self.total()?, RATIO).ok_or(Why::NoCount)
    }

    fn rate(&self, numerator: u128, time: u128) -> Result<Fixed, Why> {
        self.covered()?;
        self.exposed()?;
        Fixed::ratio(numerator, time, RATE).ok_or(Why::TooShort)
    }

    fn mean_s(&self, total_ms: u128, count: u128) -> Result<Fixed, Why> {
        self.covered()?;
        self.exposed()?;
        Fixed::ratio(total_ms, count * 1000, RATE).ok_or(Why::NoFailures)
    }

    fn total(&self) -> Result<u128, Why> {
        let parts = &self.sum.parts;
        parts.total.map(u128::from).ok_or(if parts.good.is_some() {
            Why::NoScrapCount
        } else {
            Why::NoCount
        })
    }

    fn good(&self) -> Result<u128, Why> {
        let parts = &self.sum.parts;
        parts.good.map(u128::from).ok_or(if parts.total.is_some() {
            Why::NoScrapCount
        } else {
            Why::NoCount
        })
    }

    /// Parts whose time is known.
    fn counted(&self) -> Result<u128, Why> {
        Ok(self
            .total()?
            .saturating_sub(u128::from(self.sum.parts.gap_total)))
    }

    fn exposure(&self) -> u128 {
        self.producing + self.setup
    }

    fn exposed(&self) -> Result<(), Why> {
        let enough = self.exposure() >= u128::from(self.needs.exposure_ms).max(1);
        enough.then_some(()).ok_or(Why::TooShort)
    }

    fn covered(&self) -> Result<(), Why> {
        if self.planned == 0 {
            return Err(Why::NoPlannedTime);
        }
        let known = self.planned - self.unknown;
        let enough = known * 10_000 >= self.planned * u128::from(self.needs.coverage);
        (enough && known > 0).then_some(()).ok_or(Why::LowCoverage)
    }
}

/// Time with a rated rate, of all time: that without one is taken to be like it.
#[derive(Debug, Clone, Copy)]
struct Rated {
    rated_ms: u128,
    time_ms: u128,
}

impl Rated {
    const ALL: Rated = Rated {
        rated_ms: 1,
        time_ms: 1,
    };

    /// Parts of what could have been made in all of the time, if `possible` in that with a rate.
    fn ratio(self, made: u128, possible: u128) -> Option<Fixed> {
        let possible = possible.saturating_mul(self.time_ms);
        Fixed::ratio(self.scale(made), possible, RATIO)
    }

    const fn scale(self, made: u128) -> u128 {
        made.saturating_mul(self.rated_ms)
    }

    const fn of_all(self, possible: u64) -> u128 {
        (possible as u128).saturating_mul(self.time_ms)
    }
}

#[cfg(test)]
mod tests;
