//! Samples in a JSON document: which of them are a tag's, their value and time.

use super::value::of_json;
use super::{Found, Reader, time};
use andon_core::sample::Reason;
use andon_core::tag::{JsonPlace, Literal, Place};
use serde_json::Value as Json;
use std::slice;

/// The samples of a document: the elements of an array in it, or the document itself.
pub(super) fn samples<'j>(json: &'j Json, at: &JsonPlace) -> Result<&'j [Json], Reason> {
    let Some(each) = &at.each else {
        return Ok(slice::from_ref(json));
    };
    match json.pointer(each) {
        Some(Json::Array(elements)) => Ok(elements),
        Some(Json::Null) | None => Err(Reason::Missing),
        Some(_) => Err(Reason::WrongType),
    }
}

/// What one sample says of a place, if it is one of its own.
pub(super) fn find(sample: &Json, at: &JsonPlace, place: &Place, reader: Reader<'_>) -> Found {
    let fulfilled = |(pointer, wanted): &(Box<str>, Literal)| {
        sample
            .pointer(pointer)
            .is_some_and(|found| is(found, wanted, reader.device))
    };
    if !at.conditions.iter().all(fulfilled) {
        return None;
    }
    let time = match &at.time {
        None => None,
        Some(pointer) => {
            let stamp = sample.pointer(pointer).ok_or(Reason::Missing);
            match stamp.and_then(|stamp| time::of_json(stamp, place.time_unit, reader.zone)) {
                Ok(time) => Some(time),
                // Nobody knows how old the value is.
                Err(reason) => return Some((Err(reason), None)),
            }
        }
    };
    let value = sample.pointer(&at.at).ok_or(Reason::Missing);
    Some((value.and_then(|value| of_json(value, place)), time))
}

fn is(found: &Json, wanted: &Literal, device: &str) -> bool {
    match (found, wanted) {
        (Json::String(text), Literal::Text(wanted)) => **text == **wanted,
        (Json::String(text), Literal::Device) => *text == *device,
        (Json::Bool(truth), Literal::Bool(wanted)) => truth == wanted,
        (Json::Number(number), Literal::Int(wanted)) => {
            number.as_i64() == Some(*wanted) || number.as_f64() == Some(*wanted as f64)
        }
        (Json::Number(number), Literal::Float(wanted)) => number.as_f64() == Some(*wanted),
        // A device may be called by a number.
        (Json::Number(number), Literal::Device) => number.to_string() == device,
        _ => false,
    }
}
