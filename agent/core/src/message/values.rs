//! What may stand at a key: how each type is written, and what a schema says of it.

use super::declare::{Entry, Shape};
use crate::alarm::{AlarmState, Via};
use crate::annunciate::{Channel, Kind};
use crate::kpi::Why;
use crate::plant::Priority;
use crate::record::{Class, Run};
use crate::sample::{Quality, Reason, Value};
use crate::state::State;
use crate::summary::Tier;
use crate::tag_sums::Number;
use crate::time::{ClockState, Wall};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Types that `serde` writes as they are.
macro_rules! plain {
    ($($type:ty => $shape:expr;)*) => {
        $(impl Entry for $type {
            fn shape() -> Shape {
                $shape
            }
            fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
                map.serialize_entry(key, self)
            }
        })*
    };
}

plain! {
    bool => Shape::Truth;
    u16 => Shape::Count;
    u32 => Shape::Count;
    u64 => Shape::Count;
    i64 => Shape::Whole;
    f64 => Shape::Number;
    &str => Shape::Text;
    String => Shape::Text;
    Cow<'_, str> => Shape::Text;
    Wall => Shape::Time;
    Raw<'_> => Shape::Read;
    Last => Shape::ReadNumber;
    Plain => Shape::Number;
    Thousandths => Shape::Positive;
    Vec<&str> => Shape::List(Box::new(Shape::Text));
}

/// Types that are written as one of several words.
macro_rules! words {
    ($($type:ty => $all:expr;)*) => {
        $(impl Entry for $type {
            fn shape() -> Shape {
                Shape::Words($all.into_iter().map(|value| value.as_str()).collect())
            }
            fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
                map.serialize_entry(key, self.as_str())
            }
        })*
    };
}

words! {
    State => State::ALL;
    Tier => Tier::ALL;
    ClockState => ClockState::ALL;
    AlarmState => AlarmState::ALL;
    Priority => Priority::ALL;
    Via => Via::ALL;
    Why => Why::ALL;
    Class => Class::ALL;
    Channel => Channel::ALL;
    Kind => Kind::ALL;
}

/// One of some words that no type of the core stands for.
macro_rules! word_of {
    ($($(#[$doc:meta])* $name:ident: $words:expr;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name<'a>(pub(super) &'a str);

            impl Entry for $name<'_> {
                fn shape() -> Shape {
                    Shape::Words(Vec::from($words))
                }
                fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
                    map.serialize_entry(key, self.0)
                }
            }
        )*
    };
}

word_of! {
    /// How a link stands.
    UpDown: ["up", "down"];
    /// Whether the gateway is connected.
    Online: ["online", "offline"];
    /// What became of a command.
    Carried: ["done", "refused"];
    /// What became of a notice.
    Outcome: ["sent", "unknown", "refused", "failed", "untold"];
}

/// A text of a fixed form.
macro_rules! patterns {
    ($($type:ty => $pattern:literal, |$value:ident| $text:expr;)*) => {
        $(impl Entry for $type {
            fn shape() -> Shape {
                Shape::Pattern($pattern)
            }
            fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
                let $value = self;
                map.serialize_entry(key, &$text)
            }
        })*
    };
}

/// A short hash of a configuration.
pub(super) struct Hash(pub(super) u32);

/// What a source was, or is: `good`, or why it is not.
pub(super) struct Soundness(pub(super) Option<Reason>);

/// A day, as in `2026-11-23`.
pub(super) struct Day<'a>(pub(super) &'a str);

patterns! {
    &Run => "^[0-9a-f]{12}$", |run| super::run_id(run);
    Hash => "^[0-9a-f]{8}$", |hash| format!("{:08x}", hash.0);
    Reason => "^[a-z0-9]+(-[a-z0-9]+)*$", |reason| reason.to_string();
    Soundness => "^[a-z0-9]+(-[a-z0-9]+)*$", |sound| match sound.0 {
        Some(reason) => reason.to_string(),
        None => String::from("good"),
    };
    Day<'_> => "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", |day| day.0;
}

/// The version of the payload.
pub(super) struct Version;

impl Entry for Version {
    fn shape() -> Shape {
        Shape::Only(super::VERSION)
    }
    fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
        map.serialize_entry(key, &super::VERSION)
    }
}

impl Entry for Quality {
    fn shape() -> Shape {
        Shape::Words(Vec::from(["good", "uncertain", "bad"]))
    }
    fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
        map.serialize_entry(key, self.as_str())
    }
}

/// Whether the condition of an alarm can be told: `good` or `bad`.
pub(super) struct Judged(pub(super) bool);

impl Entry for Judged {
    fn shape() -> Shape {
        Shape::Words(Vec::from(["good", "bad"]))
    }
    fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
        map.serialize_entry(key, if self.0 { "good" } else { "bad" })
    }
}

/// A raw value as a JSON number, text or truth value.
pub(super) struct Raw<'a>(pub(super) &'a Value);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Int(i) => serializer.serialize_i64(*i),
            Value::Float(f) => serializer.serialize_f64(*f),
            Value::Text(t) => serializer.serialize_str(t),
        }
    }
}

/// A number as it was read.
pub(super) struct Last(pub(super) Number);

impl Serialize for Last {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Number::Bool(b) => serializer.serialize_bool(b),
            Number::Int(i) => serializer.serialize_i64(i),
            Number::Float(f) => serializer.serialize_f64(f),
        }
    }
}

/// A computed number: nine digits tell all that was measured, and whole ones have no fraction.
pub(super) struct Plain(pub(super) f64);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const WHOLE: f64 = 9_007_199_254_740_992.0;
        let whole = self.0 as i64;
        if self.0.abs() < WHOLE && whole as f64 == self.0 {
            return serializer.serialize_i64(whole);
        }
        let digits = format!("{:.8e}", self.0);
        serializer.serialize_f64(digits.parse().unwrap_or(self.0))
    }
}

/// Thousandths as a JSON number: whole ones without a fraction.
pub(super) struct Thousandths(pub(super) u64);

impl Serialize for Thousandths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}
