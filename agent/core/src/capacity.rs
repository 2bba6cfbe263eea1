//! What the rated rate would have made, integrated exactly over its changes.
//!
//! The rate is in thousandths of a part per hour, so each millisecond makes a fraction of a
//! thousandth. The fraction is carried on, also from window to window: whatever the windows are cut
//! into, what they would have made adds up to the integral over all of them, to the nearest
//! thousandth of a part.

use crate::count::Uncounted;
use crate::summary::{Capacity, Unrated};
use serde::{Deserialize, Serialize};

/// Rate × milliseconds that come to a thousandth of a part.
const WHOLE: u64 = 3_600_000;

/// A sum of rate × time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Integral {
    /// Thousandths of a part.
    made: u64,
    /// Of a further one, this many of [`WHOLE`].
    rest: u64,
}

impl Integral {
    /// Nothing yet; half a thousandth, so that cutting off rounds to the nearest.
    const NONE: Integral = Integral {
        made: 0,
        rest: WHOLE / 2,
    };

    fn add(&mut self, rate: u64, ms: u64) {
        let sum = u128::from(self.rest) + u128::from(rate) * u128::from(ms);
        let made = u64::try_from(sum / u128::from(WHOLE)).unwrap_or(u64::MAX);
        self.made = self.made.saturating_add(made);
        self.rest = (sum % u128::from(WHOLE)) as u64;
    }
}

/// What the rated rate of a device would have made since it is accounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacities {
    /// The rated rate, in thousandths of a part per hour.
    rate: Option<u64>,
    /// The last one that there was.
    last: Option<u64>,
    /// There is one, if perhaps not of each product.
    is_rated: bool,
    planned: Integral,
    producing: Integral,
    /// Of the open window.
    unrated: Unrated,
    window: Start,
}

/// Where the open window began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Start {
    planned: u64,
    producing: u64,
}

impl Capacities {
    /// Nothing, at this rate, of a device that is rated or is not.
    pub const fn new(rate: Option<u64>, is_rated: bool) -> Capacities {
        Capacities {
            rate,
            last: rate,
            is_rated,
            planned: Integral::NONE,
            producing: Integral::NONE,
            unrated: Unrated::NONE,
            window: Start {
                planned: 0,
                producing: 0,
            },
        }
    }

    /// Goes on after a restart: at this rate, of a device that is still rated or is not any more.
    pub const fn resume(&mut self, rate: Option<u64>, is_rated: bool) {
        self.rate = rate;
        self.is_rated = is_rated;
        if rate.is_some() || !is_rated {
            self.last = rate;
        }
    }

    /// The rated rate is another from now on.
    pub fn change(&mut self, rate: Option<u64>) {
        self.rate = rate;
        self.last = rate.or(self.last);
    }

    /// The rated rate.
    pub const fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Planned time passes.
    pub fn pass(&mut self, ms: u64, producing: bool) {
        match self.rate {
            Some(rate) => {
                self.planned.add(rate, ms);
                if producing {
                    self.producing.add(rate, ms);
                }
            }
            None if self.is_rated => {
                self.unrated.planned_ms += ms;
                if producing {
                    self.unrated.producing_ms += ms;
                }
            }
            None => {}
        }
    }

    /// See [`crate::count::Odometer::made`].
    pub const fn made(&self) -> u64 {
        self.planned.made
    }

    /// Time of the open window without a rate.
    pub const fn unrated(&self) -> Unrated {
        self.unrated
    }

    /// Of the open window, with so much planned time; none if there was no rate in it.
    pub fn of_window(&self, uncounted: Uncounted, planned_ms: u64) -> Option<Capacity> {
        let had_none = self.unrated.planned_ms > 0 && self.unrated.planned_ms == planned_ms;
        let rate = self.last.filter(|_| !had_none || uncounted.made > 0)?;
        Some(Capacity {
            planned: self.planned.made - self.window.planned,
            producing: self.producing.made - self.window.producing,
            uncounted: uncounted.made,
            rate,
        })
    }

    /// Begins a new window.
    pub const fn begin_window(&mut self) {
        self.window = Start {
            planned: self.planned.made,
            producing: self.producing.made,
        };
        self.unrated = Unrated::NONE;
    }
}

#[cfg(test)]
mod tests;
