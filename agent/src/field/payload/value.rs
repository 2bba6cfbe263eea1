//! A number, text or truth value as a value of a tag.

use andon_core::modbus::decode;
use andon_core::sample::{Reason, Text, Value};
use andon_core::tag::{Kind, Place};
use serde_json::Value as Json;

/// A payload that is nothing but the value: a number, `true`, text, or any of them as JSON writes
/// it.
pub(super) fn of_bare(text: &str, place: &Place) -> Result<Value, Reason> {
    match (text.as_bytes()[0], place.kind) {
        (b'"', _) => of_json(
            &serde_json::from_str(text).map_err(|_| Reason::Malformed)?,
            place,
        ),
        (b'{' | b'[', kind) if kind != Kind::Text => Err(Reason::WrongType),
        _ => of_text(text, place),
    }
}

/// A value that is written as text, not empty.
pub(super) fn of_text(text: &str, place: &Place) -> Result<Value, Reason> {
    match place.kind {
        Kind::Text => text_value(text),
        _ => scaled(number_in(text, place.kind)?, place),
    }
}

/// A value in a JSON document. Numbers may stand in quotes.
pub(in crate::field) fn of_json(json: &Json, place: &Place) -> Result<Value, Reason> {
    let kind = place.kind;
    let raw = match (json, kind) {
        (Json::Null, _) => return Err(Reason::Missing),
        (Json::Bool(truth), Kind::Bool) => Value::Bool(*truth),
        (Json::String(text), Kind::Text) => text_value(text)?,
        (Json::String(text), _) => number_in(text, kind)?,
        (Json::Number(_), Kind::Text) => return Err(Reason::WrongType),
        (Json::Number(json), _) => match (json.as_i64(), json.as_f64()) {
            (Some(whole), _) => integer(whole, kind)?,
            (None, Some(float)) => number(float, kind)?,
            (None, None) => return Err(Reason::OutOfRange),
        },
        _ => return Err(Reason::WrongType),
    };
    scaled(raw, place)
}

pub(super) fn scaled(raw: Value, place: &Place) -> Result<Value, Reason> {
    decode::scaled(raw, place.scale, place.offset)
}

/// A number or truth value as people and JSON both write it; `12,5` is neither.
pub(super) fn number_in(text: &str, kind: Kind) -> Result<Value, Reason> {
    match text.trim() {
        "true" | "false" if kind == Kind::Bool => Ok(Value::Bool(text.trim() == "true")),
        "null" => Err(Reason::Missing),
        text => {
            // Digits first: a float would round them.
            if let Ok(whole) = text.parse::<i64>() {
                return integer(whole, kind);
            }
            number(text.parse().map_err(|_| Reason::WrongType)?, kind)
        }
    }
}

pub(super) fn text_value(text: &str) -> Result<Value, Reason> {
    Text::try_from(text)
        .map(Value::Text)
        .map_err(|_| Reason::TooLong)
}

/// A whole number as a value of `kind`. Machines say `0` and `1` for false and true.
pub(super) fn integer(whole: i64, kind: Kind) -> Result<Value, Reason> {
    let (low, high) = match kind {
        Kind::Bool => {
            return match whole {
                0 | 1 => Ok(Value::Bool(whole == 1)),
                _ => Err(Reason::WrongType),
            };
        }
        Kind::F32 | Kind::F64 => return Ok(Value::Float(whole as f64)),
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
pub(super) fn number(float: f64, kind: Kind) -> Result<Value, Reason> {
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
