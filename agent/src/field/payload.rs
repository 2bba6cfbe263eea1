//! What the payload of an MQTT message means: bytes to readings, pure.
//!
//! A payload is whatever somebody publishes: nothing in it may do more than give a bad reading.
//! It is no longer than the link's `max_payload`, JSON is parsed at most once and to a depth of
//! 128, so time and memory are bounded by that length.

use andon_core::sample::{Reading, Reason, Text, Value};
use andon_core::tag::{Kind, Place};
use serde_json::Value as Json;

/// A message's payload, ready to be looked into.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Text, with the JSON it is as far as anybody wants to look into it.
    Text {
        /// The whole of it, without surrounding white space.
        text: &'a str,
        /// The parsed document; none if it is not JSON or nobody asked.
        json: Option<Json>,
    },
    /// Nothing can be read from it.
    Refused(Reason),
}

impl<'a> Payload<'a> {
    /// Looks at `bytes`, of which no more than `max` are accepted. `as_json` says whether any tag
    /// has a pointer into it.
    pub fn new(bytes: &'a [u8], max: usize, as_json: bool) -> Payload<'a> {
        if bytes.len() > max {
            return Payload::Refused(Reason::TooLong);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Payload::Refused(Reason::Malformed);
        };
        let text = text.trim();
        if text.is_empty() {
            return Payload::Refused(Reason::Malformed);
        }
        let json = if as_json {
            serde_json::from_str(text).ok()
        } else {
            None
        };
        Payload::Text { text, json }
    }

    /// What it says of one place. The broker's retained copy is uncertain at best.
    pub fn reading(&self, place: &Place, retained: bool) -> Reading {
        match self.value(place) {
            Ok(value) if retained => Reading::Uncertain(value, Reason::Retained),
            Ok(value) => Reading::Good(value),
            Err(reason) => Reading::Bad(reason),
        }
    }

    fn value(&self, place: &Place) -> Result<Value, Reason> {
        match (self, &place.pointer) {
            (Payload::Refused(reason), _) => Err(*reason),
            (Payload::Text { text, .. }, None) => bare(text, place.kind),
            (Payload::Text { json: None, .. }, Some(_)) => Err(Reason::Malformed),
            (
                Payload::Text {
                    json: Some(json), ..
                },
                Some(pointer),
            ) => of_json(json.pointer(pointer).ok_or(Reason::Missing)?, place.kind),
        }
    }
}

/// A payload that is nothing but the value: a number, `true`, text, or any of them as JSON writes
/// it.
fn bare(text: &str, kind: Kind) -> Result<Value, Reason> {
    match (text.as_bytes()[0], kind) {
        (b'"', _) => of_json(
            &serde_json::from_str(text).map_err(|_| Reason::Malformed)?,
            kind,
        ),
        (_, Kind::Text) => text_value(text),
        (b'{' | b'[', _) => Err(Reason::WrongType),
        _ => bare_number(text, kind),
    }
}

fn bare_number(text: &str, kind: Kind) -> Result<Value, Reason> {
    match text {
        "true" => of_json(&Json::Bool(true), kind),
        "false" => of_json(&Json::Bool(false), kind),
        "null" => Err(Reason::Missing),
        _ => {
            // Digits first: a float would round them.
            if let Ok(whole) = text.parse::<i64>() {
                return integer(whole, kind);
            }
            number(text.parse().map_err(|_| Reason::WrongType)?, kind)
        }
    }
}

pub(super) fn of_json(json: &Json, kind: Kind) -> Result<Value, Reason> {
    match (json, kind) {
        (Json::Null, _) => Err(Reason::Missing),
        (Json::Bool(truth), Kind::Bool) => Ok(Value::Bool(*truth)),
        (Json::String(text), Kind::Text) => text_value(text),
        (Json::Number(_), Kind::Text) => Err(Reason::WrongType),
        (Json::Number(json), _) => match (json.as_i64(), json.as_f64()) {
            (Some(whole), _) => integer(whole, kind),
            (None, Some(float)) => number(float, kind),
            (None, None) => Err(Reason::OutOfRange),
        },
        _ => Err(Reason::WrongType),
    }
}

fn text_value(text: &str) -> Result<Value, Reason> {
    Text::try_from(text)
        .map(Value::Text)
        .map_err(|_| Reason::TooLong)
}

/// A whole number as a value of `kind`. Machines say `0` and `1` for false and true.
fn integer(whole: i64, kind: Kind) -> Result<Value, Reason> {
    let (low, high) = match kind {
        Kind::Bool => {
            return match whole {
                0 | 1 => Ok(Value::Bool(whole == 1)),
                _ => Err(Reason::WrongType),
            };
        }
        Kind::F32 | Kind::F64 => return Ok(Value::Float(whole as f64)),
        Kind::Text => return Err(Reason::WrongType),
        Kind::U16 => (0, i64::from(u16::MAX)),
        Kind::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::U32 => (0, i64::from(u32::MAX)),
        Kind::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::U64 => (0, i64::MAX),
        Kind::I64 => (i64::MIN, i64::MAX),
        _ => kind.limits().ok_or(Reason::WrongType)?,
    };
    if (low..=high).contains(&whole) {
        Ok(Value::Int(whole))
    } else {
        Err(Reason::OutOfRange)
    }
}

/// Any other number as a value of `kind`: JSON does not tell `5.0` from `5`, so neither do
/// integers here.
fn number(float: f64, kind: Kind) -> Result<Value, Reason> {
    /// Whole floats below are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match kind {
        _ if !float.is_finite() => Err(Reason::NotFinite),
        Kind::F32 if float.abs() > f64::from(f32::MAX) => Err(Reason::OutOfRange),
        Kind::F32 | Kind::F64 => Ok(Value::Float(float)),
        Kind::Text => Err(Reason::WrongType),
        _ if float.fract() != 0.0 => Err(Reason::WrongType),
        _ if float.abs() >= EXACT => Err(Reason::OutOfRange),
        _ => integer(float as i64, kind),
    }
}

#[cfg(test)]
mod tests;
