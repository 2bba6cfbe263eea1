//! How the state of a machine is told, and its rated rate by product.

use crate::rule::Rule;
use crate::sample::Value;
use crate::state::State;
use crate::tag::TagIndex;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// How the state of a machine is told.
#[derive(Debug, Clone, PartialEq)]
pub enum States {
    /// By the value of a status tag.
    Status(StateMap),
    /// By conditions over several tags, by a counter, or by both.
    Derived(Derived),
}

impl States {
    /// The tags that tell it.
    pub fn tags(&self) -> &[TagIndex] {
        match self {
            States::Status(map) => core::slice::from_ref(&map.from),
            States::Derived(derived) => &derived.tags,
        }
    }
}

/// A state that follows from several tags of the machine itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// In the order of the file: the first condition that holds decides. Their leaves are tags of
    /// the machine itself; the model is that of many, so the device that they name says nothing.
    pub rules: Vec<(Rule, State)>,
    /// What decides where no condition holds.
    pub otherwise: Otherwise,
    /// Every tag that any of this asks for, once each.
    pub tags: Vec<TagIndex>,
}

/// What decides where no condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing: the state is unknown.
    Unknown,
    /// It is this one.
    State(State),
    /// Whether a counter moves.
    Moving(Moving),
}

/// A machine that produces while its counter moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moving {
    /// The counter.
    pub tag: TagIndex,
    /// Milliseconds without a movement after which the machine stands.
    pub idle_after_ms: u64,
    /// What it does then.
    pub stopped: State,
}

/// A rated rate that follows a tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// The tag that names the product.
    pub by: TagIndex,
    /// Products with their rates in thousandths of a part per hour.
    pub map: Vec<(Value, u64)>,
    /// The rate of every other product, and while none is known.
    pub otherwise: Option<u64>,
}

impl Rates {
    /// The rate of a product, in thousandths of a part per hour; none if nobody says.
    pub fn of(&self, product: Option<&Value>) -> Option<u64> {
        let named = |product: &Value| self.map.iter().find(|(name, _)| name == product);
        let rate = product.and_then(named).map(|(_, rate)| *rate);
        rate.or(self.otherwise)
    }

    /// The highest of them.
    pub(super) fn highest(&self) -> Option<u64> {
        let rates = self.map.iter().map(|(_, rate)| *rate);
        rates.chain(self.otherwise).max()
    }
}

/// How one tag tells the state: the first rule that matches.
#[derive(Debug, Clone, PartialEq)]
pub struct StateMap {
    /// The status tag.
    pub from: TagIndex,
    /// In the order of the file.
    pub rules: Vec<(Match, State)>,
}

/// What a status value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Match {
    /// A number in this range, ends included.
    Range(i64, i64),
    /// Exactly this text.
    Text(Box<str>),
    /// Exactly this truth value.
    Bool(bool),
    /// An integer whose bit with this number, 0 the least significant, is 1 (true) or 0.
    Bit(u8, bool),
}

impl Match {
    /// Whether `value` matches. A range has no gaps: 4.5 lies in 4 to 99.
    pub fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (Match::Range(low, high), Value::Int(i)) => (low..=high).contains(&i),
            (Match::Range(low, high), Value::Float(f)) => (*low as f64..=*high as f64).contains(f),
            (Match::Text(text), Value::Text(t)) => **text == **t,
            (Match::Bool(b), Value::Bool(v)) => b == v,
            (Match::Bit(bit, set), Value::Int(i)) => (i >> bit.min(&63) & 1 == 1) == *set,
            (Match::Range(low, high), Value::Bool(v)) => (low..=high).contains(&&i64::from(*v)),
            _ => false,
        }
    }
}
