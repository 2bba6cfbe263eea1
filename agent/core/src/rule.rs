//! Conditions of alarms and of states: a small language with three-valued answers.
//!
//! `state == faulted`, `temperature > 620`, `door_open`, `status bit 3`, `no_data`, `no_data(temperature)`,
//! `rate_per_min(temperature, "5 min") > 2`, `fault_rate_per_h > 3`, joined by `and`, `or`, `not` and
//! parentheses; `press-1.state` names another device. Bad or missing data is *undecided*
//! (Kleene logic): it neither raises nor clears.

use crate::call::Call;
use crate::kpi::Measure;
use crate::own::Own;
use crate::sample::Value;
use crate::state::State;
use crate::tag::{DeviceIndex, TagIndex};
use alloc::boxed::Box;
use alloc::string::String;

mod parse;

pub use parse::{Resolve, parse};

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A device is, or is not, in a state.
    State {
        /// Whose.
        device: DeviceIndex,
        /// Which.
        is: State,
        /// `!=` instead of `==`.
        negated: bool,
    },
    /// A tag compared with a limit.
    Tag {
        /// Whose.
        device: DeviceIndex,
        /// Which.
        tag: TagIndex,
        /// How.
        op: Op,
        /// With what.
        limit: Limit,
    },
    /// No good sample of any tag of the device.
    NoData(DeviceIndex),
    /// No good sample of one tag.
    TagNoData(DeviceIndex, TagIndex),
    /// A source of the device lies (see [`crate::tag::Detector`]).
    Suspect(DeviceIndex),
    /// A condition of the gateway itself; never written, made for the agent's own alarms.
    Own(Own),
    /// What people say: called, and not solved yet; never written, made for calls.
    Call(Call),
    /// A figure over a rolling window compared with a limit.
    Figure {
        /// Whose.
        device: DeviceIndex,
        /// Which.
        measure: Measure,
        /// Length of the window in milliseconds.
        over_ms: u64,
        /// How.
        op: Op,
        /// With what.
        limit: Limit,
    },
    /// How fast a tag moves compared with a limit.
    Rate {
        /// Whose.
        device: DeviceIndex,
        /// Which.
        tag: TagIndex,
        /// Over which time.
        window_ms: u64,
        /// Of what the limit speaks.
        per: Per,
        /// How.
        op: Op,
        /// With what.
        limit: Limit,
    },
    /// Something whose definition is wrong: always undecided, and in no plant that runs.
    Lost,
    /// Both.
    And(Box<Rule>, Box<Rule>),
    /// Either.
    Or(Box<Rule>, Box<Rule>),
    /// The opposite.
    Not(Box<Rule>),
}

/// The time that a rate of change is told for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Per {
    /// Each with the function that rules write for it.
    pub const ALL: [(&'static str, Per); 3] = [
        ("rate_per_s", Per::Second),
        ("rate_per_min", Per::Minute),
        ("rate_per_h", Per::Hour),
    ];

    /// As in `°C/min`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Per::Second => "s",
            Per::Minute => "min",
            Per::Hour => "h",
        }
    }

    /// Milliseconds.
    pub const fn ms(self) -> f64 {
        match self {
            Per::Second => 1e3,
            Per::Minute => 6e4,
            Per::Hour => 3.6e6,
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// What a tag is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// A number; an active condition clears only `deadband` away from it.
    Number {
        /// The limit.
        limit: f64,
        /// In the tag's unit, not negative.
        deadband: f64,
    },
    /// A text, for `==` and `!=`.
    Text(Box<str>),
    /// A truth value, for `==` and `!=`.
    Bool(bool),
    /// The bit of a whole number with this number, 0 the least significant; `==` if it is 1.
    Bit(u8),
}

/// What a name in a rule stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// A tag.
    Tag(DeviceIndex, TagIndex),
    /// `state` of a device.
    State(DeviceIndex),
    /// `no_data` of a device.
    NoData(DeviceIndex),
    /// `suspect` of a device.
    Suspect(DeviceIndex),
    /// A figure of the contract, such as `fault_rate_per_h`, over a rolling window of so many
    /// milliseconds.
    Figure(DeviceIndex, Measure, u64),
    /// Something whose definition is wrong: any use of it may be right.
    Lost,
}

/// What is wrong in the text of a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// First byte of the place in the text.
    pub at: usize,
    /// Bytes of the place.
    pub len: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What a rule asks while it is evaluated; `None` is undecided.
pub trait World {
    /// Whether a device is in a state, `None` while nobody knows.
    fn is(&self, device: DeviceIndex, state: State) -> Option<bool>;
    /// The value of a tag, `None` unless usable now.
    fn value(&self, device: DeviceIndex, tag: TagIndex) -> Option<Value>;
    /// Whether a device has no good sample, `None` until reading it was tried.
    fn no_data(&self, device: DeviceIndex) -> Option<bool>;
    /// The same of one tag.
    fn tag_no_data(&self, device: DeviceIndex, tag: TagIndex) -> Option<bool>;
    /// A figure of a device over the last `over_ms`, `None` while it is null.
    fn figure(&self, device: DeviceIndex, measure: Measure, over_ms: u64) -> Option<f64>;
    /// How fast a tag moves, in its unit per millisecond over the last `window_ms`; `None` while that
    /// cannot be said.
    fn rate_per_ms(&self, device: DeviceIndex, tag: TagIndex, window_ms: u64) -> Option<f64>;
    /// Whether a source of a device lies, `None` while it says nothing.
    fn suspect(&self, device: DeviceIndex) -> Option<bool>;
    /// Whether a condition of the gateway itself holds, `None` while nobody has said so.
    fn own(&self, own: Own) -> Option<bool>;
}

impl Rule {
    /// The answer now, `None` if undecided. `active` says whether the alarm stands, for the deadband.
    pub fn evaluate(&self, world: &impl World, active: bool) -> Option<bool> {
        match self {
            // It holds until people say otherwise.
            Rule::Call(_) => Some(active),
            rule => rule.answer(world, if active { 1.0 } else { 0.0 }),
        }
    }

    /// `widen` says by how many deadbands each comparison is met before its limit: by one where
    /// the alarm stands on it, by minus one where the alarm stands on its opposite.
    fn answer(&self, world: &impl World, widen: f64) -> Option<bool> {
        match self {
            Rule::State {
                device,
                is,
                negated,
            } => Some(world.is(*device, *is)? != *negated),
            Rule::Tag {
                device,
                tag,
                op,
                limit,
            } => limit.compare(*op, &world.value(*device, *tag)?, widen),
            Rule::NoData(device) => world.no_data(*device),
            Rule::TagNoData(device, tag) => world.tag_no_data(*device, *tag),
            Rule::Suspect(device) => world.suspect(*device),
            Rule::Own(own) => world.own(*own),
            Rule::Figure { op, limit, .. } | Rule::Rate { op, limit, .. } => {
                limit.compare(*op, &Value::Float(self.number(world)?), widen)
            }
            Rule::Call(_) | Rule::Lost => None,
            Rule::And(a, b) => match (a.answer(world, widen), b.answer(world, widen)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Rule::Or(a, b) => match (a.answer(world, widen), b.answer(world, widen)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Rule::Not(a) => a.answer(world, -widen).map(|yes| !yes),
        }
    }

    /// The figure or rate of a leaf that is about one, in the unit of its limit.
    pub fn number(&self, world: &impl World) -> Option<f64> {
        match self {
            Rule::Figure {
                device,
                measure,
                over_ms,
                ..
            } => world.figure(*device, *measure, *over_ms),
            Rule::Rate {
                device,
                tag,
                window_ms,
                per,
                ..
            } => Some(world.rate_per_ms(*device, *tag, *window_ms)? * per.ms()),
            _ => None,
        }
    }

    /// The first tag, state, figure or rate that the rule asks for: what an alarm shows as its value.
    pub fn subject(&self) -> Option<&Rule> {
        match self {
            Rule::And(a, b) | Rule::Or(a, b) => a.subject().or_else(|| b.subject()),
            Rule::Not(a) => a.subject(),
            Rule::NoData(_)
            | Rule::TagNoData(..)
            | Rule::Suspect(_)
            | Rule::Own(_)
            | Rule::Call(_)
            | Rule::Lost => None,
            leaf => Some(leaf),
        }
    }

    /// The number that the condition compares with, if it has one.
    pub fn limit(&self) -> Option<f64> {
        match self.subject()? {
            Rule::Tag { limit, .. } | Rule::Figure { limit, .. } | Rule::Rate { limit, .. } => {
                match limit {
                    Limit::Number { limit, .. } => Some(*limit),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The device whose silence this leaf asks for, and the tag if it is only that one's.
    pub const fn silence_of(&self) -> Option<(DeviceIndex, Option<TagIndex>)> {
        match self {
            Rule::NoData(device) => Some((*device, None)),
            Rule::TagNoData(device, tag) => Some((*device, Some(*tag))),
            _ => None,
        }
    }

    /// Calls `f` for every leaf.
    pub fn for_each_leaf<'a>(&'a self, f: &mut impl FnMut(&'a Rule)) {
        match self {
            Rule::And(a, b) | Rule::Or(a, b) => {
                a.for_each_leaf(f);
                b.for_each_leaf(f);
            }
            Rule::Not(a) => a.for_each_leaf(f),
            leaf => f(leaf),
        }
    }

    /// Whether it asks for a figure over a window.
    pub fn needs_figures(&self) -> bool {
        self.has(|leaf| matches!(leaf, Rule::Figure { .. }))
    }

    /// Whether something in it is wrong.
    pub fn has_lost(&self) -> bool {
        self.has(|leaf| matches!(leaf, Rule::Lost))
    }

    /// Whether any leaf is one that `is_it`.
    pub fn has(&self, is_it: impl Fn(&Rule) -> bool) -> bool {
        let mut found = false;
        self.for_each_leaf(&mut |leaf| found |= is_it(leaf));
        found
    }
}

impl Limit {
    pub(crate) fn compare(&self, op: Op, value: &Value, widen: f64) -> Option<bool> {
        match (self, value) {
            (Limit::Text(text), Value::Text(v)) => op.of_equal(**text == **v),
            (Limit::Bool(b), Value::Bool(v)) => op.of_equal(b == v),
            (Limit::Bit(bit), Value::Int(i)) => op.of_equal(i >> bit.min(&63) & 1 == 1),
            (Limit::Number { limit, deadband }, value) => {
                let v = value.number()?;
                let margin = widen * deadband;
                Some(match op {
                    Op::Equal => v == *limit,
                    Op::NotEqual => v != *limit,
                    Op::Less => v < limit + margin,
                    Op::LessEqual => v <= limit + margin,
                    Op::Greater => v > limit - margin,
                    Op::GreaterEqual => v >= limit - margin,
                })
            }
            _ => None,
        }
    }
}

impl Op {
    fn of_equal(self, equal: bool) -> Option<bool> {
        match self {
            Op::Equal => Some(equal),
            Op::NotEqual => Some(!equal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
