//! What a tag has come to over a window: the time-weighted mean of a level with its least and greatest
//! value, or what was added to a counter.
//!
//! A value holds from its sample until the next one, until `stale_after`, or until the tag turns bad;
//! only that time is good, and only good time counts.

use crate::sample::{Reading, Value};
use crate::summary::{Tier, TierSet};
use crate::tag::{Summed, Tag};
use crate::time::Mono;
use serde::{Deserialize, Serialize};

/// A number as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Number {
    /// A contact or a bit.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other.
    Float(f64),
}

impl Number {
    /// The number in a value; text has none.
    pub const fn of(value: &Value) -> Option<Number> {
        match value {
            Value::Bool(b) => Some(Number::Bool(*b)),
            Value::Int(i) => Some(Number::Int(*i)),
            Value::Float(f) => Some(Number::Float(*f)),
            Value::Text(_) => None,
        }
    }

    /// In the shortest form: most counters count in whole steps.
    fn plain(number: f64) -> Number {
        let whole = number as i64;
        if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
            Number::Int(whole)
        } else {
            Number::Float(number)
        }
    }

    /// As a floating-point number.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Bool(b) => f64::from(u8::from(b)),
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        }
    }

    /// What was added since `before`. A drop is a wrap if it comes from within 5 % of `top`, where the
    /// counter begins again; any other drop is a reset, and what was added since is not invented.
    fn added_since(self, before: Number, top: Option<i64>) -> f64 {
        match (before, self) {
            (Number::Int(before), Number::Int(now)) if now >= before => now.abs_diff(before) as f64,
            (Number::Int(before), Number::Int(now)) => match top {
                Some(top) if now >= 0 && before <= top && before >= top - top / 20 => {
                    (before.abs_diff(top) + 1 + now.unsigned_abs()) as f64
                }
                _ => 0.0,
            },
            (before, now) => (now.as_f64() - before.as_f64()).max(0.0),
        }
    }
}

/// A counter as a restart finds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// Where it stands.
    pub last: Number,
    /// What was added in the open window of each tier.
    pub added: [Number; 4],
}

/// The parts of a tag's window; those of windows that follow one another are added up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TagSum {
    /// Of a level: value × milliseconds, over good time. Of a counter: what was added.
    pub total: f64,
    /// The least value; infinite if there was none.
    pub min: f64,
    /// The greatest value; infinite if there was none.
    pub max: f64,
    /// Good time in milliseconds.
    pub good_ms: u64,
}

impl TagSum {
    /// Of a window without a value.
    pub const EMPTY: TagSum = TagSum {
        total: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        good_ms: 0,
    };

    /// Adds the window that follows.
    pub fn add(&mut self, next: &TagSum) {
        self.total += next.total;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.good_ms += next.good_ms;
    }

    /// The time-weighted mean of a level; none without good time.
    pub fn mean(&self) -> Option<f64> {
        (self.good_ms > 0).then(|| self.total / self.good_ms as f64)
    }
}

/// One tag: the value that holds, and what it has come to in the open window of each tier.
#[derive(Debug, Clone)]
pub struct Track {
    /// The last good value.
    last: Option<Number>,
    /// Accounted up to here.
    to: Mono,
    /// Until when the last good value holds.
    until: Mono,
    /// In the order of [`Tier::ALL`].
    sums: [TagSum; 4],
}

impl Track {
    /// A tag that nobody has read.
    pub const fn new(at: Mono) -> Track {
        Track {
            last: None,
            to: at,
            until: at,
            sums: [TagSum::EMPTY; 4],
        }
    }

    /// A reading came at `at`; a good one holds until `until`.
    pub fn take(&mut self, tag: &Tag, reading: &Reading, at: Mono, until: Mono) {
        self.pass(tag.summed, at);
        let number = match reading {
            Reading::Good(value) => Number::of(value),
            Reading::Uncertain(..) | Reading::Bad(_) => None,
        };
        let Some(number) = number else {
            self.until = self.to;
            return;
        };
        let minute = &mut self.sums[Tier::Minute as usize];
        match (tag.summed, self.last) {
            (Summed::Counter, Some(last)) => {
                let top = tag.top().or_else(|| tag.kind().top());
                minute.total += number.added_since(last, top);
            }
            (Summed::Level, _) => {
                minute.min = minute.min.min(number.as_f64());
                minute.max = minute.max.max(number.as_f64());
            }
            _ => {}
        }
        self.last = Some(number);
        self.until = until;
    }

    /// A counter goes on from `last`, whatever it showed before: nothing is added for that.
    pub const fn count_from(&mut self, last: Number) {
        self.last = Some(last);
    }

    /// What a counter showed last is not to be counted from: it begins anew with what it shows next.
    pub const fn forget(&mut self) {
        self.last = None;
    }

    /// The open minute ends at `at`: longer windows get what it has come to.
    pub fn end_minute(&mut self, summed: Summed, at: Mono) -> TagSum {
        self.pass(summed, at);
        let minute = self.end(Tier::Minute);
        for sum in &mut self.sums[1..] {
            sum.add(&minute);
        }
        minute
    }

    /// Ends the open window of a tier.
    pub const fn end(&mut self, tier: Tier) -> TagSum {
        core::mem::replace(&mut self.sums[tier as usize], TagSum::EMPTY)
    }

    /// A run before has left this value, which holds no more.
    pub const fn recall(&mut self, last: Option<Number>) {
        self.last = last;
    }

    /// The last good value.
    pub const fn last(&self) -> Option<Number> {
        self.last
    }

    /// Where a counter stands, and what was added in the open window of each tier.
    pub fn counted(&self) -> Option<Counted> {
        Some(Counted {
            last: self.last?,
            added: self.sums.map(|sum| Number::plain(sum.total)),
        })
    }

    /// A run before has left this counter there; unless it is the `same` one, what it shows now is
    /// where counting begins.
    pub fn count_on(&mut self, before: &Counted, same: bool, tiers: TierSet) {
        self.last = same.then_some(before.last);
        for tier in tiers.iter() {
            self.sums[tier as usize].total = before.added[tier as usize].as_f64();
        }
    }

    /// The open window of a tier so far.
    pub const fn so_far(&self, tier: Tier) -> &TagSum {
        &self.sums[tier as usize]
    }

    /// A run before has come to this in the open window of a tier.
    pub fn resume(&mut self, tier: Tier, before: &TagSum) {
        self.sums[tier as usize].add(before);
    }

    /// Accounts for the time up to `to`.
    pub fn pass(&mut self, summed: Summed, to: Mono) {
        let good_ms = to.min(self.until).since(self.to);
        self.to = self.to.max(to);
        let (Some(value), 1..) = (self.last, good_ms) else {
            return;
        };
        let minute = &mut self.sums[Tier::Minute as usize];
        minute.good_ms += good_ms;
        if summed == Summed::Level {
            let value = value.as_f64();
            minute.total += value * good_ms as f64;
            minute.min = minute.min.min(value);
            minute.max = minute.max.max(value);
        }
    }
}

const _: () = assert!(size_of::<Track>() <= 160);

#[cfg(test)]
mod tests;
