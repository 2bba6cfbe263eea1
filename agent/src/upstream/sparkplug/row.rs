//! A topic's flat object as the metrics of a message.

use super::catalogue::{Datatype, Kind, Shape};
use crate::sparkplug::{
    Metric, Payload, Properties, Property, QUALITY, QUALITY_BAD, QUALITY_STALE,
};
use andon_core::time::Wall;
use prost::Message as _;
use serde_json::{Map, Value};

/// The type of a quality: Int32 (specification 3.0, §6.4.18).
const INT32: u32 = 3;

/// A flat object, as the contract has it.
pub(super) type Said = Map<String, Value>;

/// What is the same for all metrics of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) shape: &'a Shape,
    /// Alias of the first metric; the others follow.
    pub(super) first_alias: u64,
    /// When it was so.
    pub(super) at: Wall,
}

impl Row<'_> {
    /// Every metric of the row with its name and type, as a birth certificate has them.
    pub(super) fn birth(self, topic: &str, said: Option<&Said>) -> Vec<Metric> {
        let named = |mut metric: Metric, key: &str, of: Datatype| {
            metric.name = Some(format!("{topic}/{key}"));
            metric.datatype = Some(of as u32);
            metric
        };
        self.metrics(said)
            .map(|(metric, key, of)| named(metric, key, of))
            .collect()
    }

    /// Every metric of the row by its alias, as data have them: a host that missed a message has the
    /// whole row again with the next. Tags are left out that another record of the window tells.
    pub(super) fn data(self, said: Option<&Said>, historical: bool) -> Vec<Metric> {
        let marked = |mut metric: Metric| {
            metric.is_historical = historical.then_some(true);
            metric
        };
        let is_part = |key: &str| {
            let tag = tag_of(self.shape.kind, key);
            tag.is_none_or(|tag| said.is_some_and(|said| said.contains_key(&good_ms(tag))))
        };
        self.metrics(said)
            .filter(|(_, key, _)| is_part(key))
            .map(|(metric, _, _)| marked(metric))
            .collect()
    }

    fn metrics<'s>(
        self,
        said: Option<&'s Said>,
    ) -> impl Iterator<Item = (Metric, &'s str, Datatype)>
    where
        Self: 's,
    {
        (self.first_alias..)
            .zip(self.shape.metrics())
            .map(move |(alias, (key, of))| {
                let mut metric = Metric {
                    alias: Some(alias),
                    timestamp: Some(milliseconds(self.at)),
                    ..Metric::default()
                };
                let value = match said {
                    Some(said) => said.get(key),
                    None => None,
                };
                let default = at_rest(self.shape.kind, key, said.is_none());
                put(&mut metric, of, value.or(default.as_ref()));
                metric.properties = said
                    .and_then(|said| quality(self.shape.kind, key, said))
                    .map(property);
                (metric, key, of)
            })
    }
}

/// Of an alarm that says nothing: it is normal.
fn at_rest(kind: Kind, key: &str, nothing_said: bool) -> Option<Value> {
    match key {
        "state" if kind == Kind::Alarm && nothing_said => Some("normal".into()),
        "active" if kind == Kind::Alarm && nothing_said => Some(false.into()),
        _ => None,
    }
}

/// Puts in the value, or that there is none.
fn put(metric: &mut Metric, of: Datatype, value: Option<&Value>) {
    match of {
        Datatype::Int64 => {
            // Negative ones in two's complement (§6.4.16).
            let signed = value.and_then(Value::as_i64);
            metric.long_value = signed.map(i64::cast_unsigned);
        }
        Datatype::DateTime => metric.long_value = value.and_then(Value::as_u64),
        Datatype::Double => metric.double_value = value.and_then(Value::as_f64),
        Datatype::Boolean => metric.boolean_value = value.and_then(Value::as_bool),
        Datatype::String => metric.string_value = value.and_then(text),
    }
    let has_value = metric.long_value.is_some()
        || metric.double_value.is_some()
        || metric.boolean_value.is_some()
        || metric.string_value.is_some();
    metric.is_null = (!has_value).then_some(true);
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What the value of `key` is worth, if it is not good: a state or an alarm says it of itself, and a
/// tag without any good time has no value.
fn quality(kind: Kind, key: &str, said: &Said) -> Option<i32> {
    let word = |key: &str| said.get(key).and_then(Value::as_str);
    match kind {
        Kind::Current | Kind::Alarm => match (word("quality"), word("reason")) {
            (None | Some("good"), _) => None,
            // A last known value that nothing newer confirms.
            (Some("uncertain"), _) | (_, Some("stale")) => Some(QUALITY_STALE),
            _ => Some(QUALITY_BAD),
        },
        Kind::Window => {
            let good_ms = said
                .get(&good_ms(tag_of(kind, key)?))
                .and_then(Value::as_u64);
            (good_ms == Some(0) && !key.ends_with(GOOD_MS)).then_some(QUALITY_BAD)
        }
        Kind::Event => None,
    }
}

/// The end of the key that every tag has in its windows.
const GOOD_MS: &str = "_good_ms";

fn good_ms(tag: &str) -> String {
    format!("{tag}{GOOD_MS}")
}

/// The tag that a metric of a window is about, if it is about one.
fn tag_of(kind: Kind, key: &str) -> Option<&str> {
    let ends = [GOOD_MS, "_mean", "_min", "_max", "_last", "_delta"];
    let mut tags = ends.iter().filter_map(|end| key.strip_suffix(end));
    tags.next().filter(|_| kind == Kind::Window)
}

fn property(quality: i32) -> Vec<u8> {
    let value = Property {
        datatype: Some(INT32),
        int_value: Some(quality.cast_unsigned()),
        long_value: None,
    };
    Properties {
        keys: vec![QUALITY.to_owned()],
        values: vec![value.encode_to_vec()],
    }
    .encode_to_vec()
}

/// A message of these metrics, in the order of their time (specification 3.0, §6.4.6).
pub(super) fn message(mut metrics: Vec<Metric>, seq: Option<u8>, now: Wall) -> Vec<u8> {
    metrics.sort_by_key(|metric| metric.timestamp);
    Payload {
        timestamp: Some(milliseconds(now)),
        metrics: metrics.iter().map(Metric::encode_to_vec).collect(),
        seq: seq.map(u64::from),
    }
    .encode_to_vec()
}

/// Milliseconds UTC; a clock before 1970 shows 0.
pub(super) fn milliseconds(at: Wall) -> u64 {
    u64::try_from(at.0).unwrap_or(0)
}
