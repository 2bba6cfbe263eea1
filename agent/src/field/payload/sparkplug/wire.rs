//! What a payload of Sparkplug B says, as far as it is read.

pub(super) use crate::sparkplug::Metric;

use crate::sparkplug::{self, BIRTH_NUMBER, Properties, Property, QUALITY};
use andon_core::sample::Reason;
use andon_core::time::Wall;
use prost::Message as _;

const QUALITY_GOOD: i64 = sparkplug::QUALITY_GOOD as i64;
const QUALITY_STALE: i64 = sparkplug::QUALITY_STALE as i64;

/// The types of values that a tag can hold (§6.4.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Int8,
    Int16,
    Int32,
    Int64,
    /// UInt8 to UInt64, and DateTime.
    Unsigned,
    /// All that say themselves what they are.
    Other,
}

/// A value as a message has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Signed(i64),
    Unsigned(u64),
    /// A whole number of a type that no birth certificate has told.
    Bits32(u32),
    Bits64(u64),
    Float(f64),
    Bool(bool),
    Text(String),
}

/// A payload that was taken apart.
pub(super) struct Payload {
    pub(super) time: Option<Wall>,
    metrics: Vec<Vec<u8>>,
}

pub(super) fn payload(bytes: &[u8], max: usize) -> Result<Payload, Reason> {
    if bytes.len() > max {
        return Err(Reason::TooLong);
    }
    let raw = sparkplug::Payload::decode(bytes).map_err(|_| Reason::Malformed)?;
    Ok(Payload {
        time: raw.timestamp.and_then(wall),
        metrics: raw.metrics,
    })
}

impl Payload {
    pub(super) fn metrics(&self) -> impl Iterator<Item = Result<Metric, Reason>> {
        let decode = |bytes: &Vec<u8>| Metric::decode(bytes.as_slice());
        self.metrics
            .iter()
            .map(move |bytes| decode(bytes).map_err(|_| Reason::Malformed))
    }
}

/// The number of a node's birth or death.
pub(super) fn birth_number(bytes: &[u8]) -> Option<u64> {
    let payload = payload(bytes, usize::MAX).ok()?;
    let metric = payload
        .metrics()
        .flatten()
        .find(|metric| metric.name.as_deref() == Some(BIRTH_NUMBER))?;
    metric.long_value.or(metric.int_value.map(u64::from))
}

impl Metric {
    pub(super) fn time(&self) -> Option<Wall> {
        self.timestamp.and_then(wall)
    }

    pub(super) fn type_of_value(&self) -> Option<Datatype> {
        Some(match self.datatype? {
            1 => Datatype::Int8,
            2 => Datatype::Int16,
            3 => Datatype::Int32,
            4 => Datatype::Int64,
            5..=8 | 13 => Datatype::Unsigned,
            // Said where nobody knows it.
            0 => return None,
            _ => Datatype::Other,
        })
    }

    /// Its value, unless it has none or its source calls it bad.
    pub(super) fn raw(&self, datatype: Option<Datatype>) -> Result<Raw, Reason> {
        if self.is_null == Some(true) {
            return Err(Reason::Missing);
        }
        match self.quality()? {
            None | Some(QUALITY_GOOD) => {}
            Some(QUALITY_STALE) => return Err(Reason::Stale),
            Some(_) => return Err(Reason::BadAtSource),
        }
        if let Some(bits) = self.int_value {
            let bits = u64::from(bits);
            return whole(bits, 32, datatype);
        }
        if let Some(bits) = self.long_value {
            return whole(bits, 64, datatype);
        }
        let float = self.float_value.map(f64::from).or(self.double_value);
        float
            .map(Raw::Float)
            .or(self.boolean_value.map(Raw::Bool))
            .or(self.string_value.clone().map(Raw::Text))
            .ok_or(match datatype {
                // A value of a type that is not read, such as bytes or a table.
                Some(Datatype::Other) => Reason::WrongType,
                _ => Reason::Missing,
            })
    }

    fn quality(&self) -> Result<Option<i64>, Reason> {
        let Some(bytes) = &self.properties else {
            return Ok(None);
        };
        let properties = Properties::decode(bytes.as_slice()).map_err(|_| Reason::Malformed)?;
        let at = properties.keys.iter().position(|key| key == QUALITY);
        let Some(value) = at.and_then(|at| properties.values.get(at)) else {
            return Ok(None);
        };
        let value = Property::decode(value.as_slice()).map_err(|_| Reason::Malformed)?;
        let long = value.long_value.and_then(|long| i64::try_from(long).ok());
        Ok(value.int_value.map(i64::from).or(long))
    }
}

/// The whole number in `bits` of a field `width` bits wide. Negative ones are sent in two's
/// complement, by some at the width of their type and by others at that of the field.
fn whole(bits: u64, width: u32, datatype: Option<Datatype>) -> Result<Raw, Reason> {
    let type_width = match datatype {
        Some(Datatype::Int8) => 8,
        Some(Datatype::Int16) => 16,
        Some(Datatype::Int32) => 32,
        Some(Datatype::Int64) => 64,
        Some(Datatype::Unsigned | Datatype::Other) => return Ok(Raw::Unsigned(bits)),
        None => {
            return Ok(match u32::try_from(bits) {
                Ok(bits) if width == 32 => Raw::Bits32(bits),
                _ => Raw::Bits64(bits),
            });
        }
    };
    let signed_at = |width: u32| (bits << (64 - width)).cast_signed() >> (64 - width);
    let of_type = signed_at(type_width);
    let fits = bits >> (type_width - 1) >> 1 == 0 || signed_at(width.max(type_width)) == of_type;
    if fits {
        Ok(Raw::Signed(of_type))
    } else {
        Err(Reason::OutOfRange)
    }
}

fn wall(ms: u64) -> Option<Wall> {
    // 0 is what a source without a clock sends.
    i64::try_from(ms).ok().filter(|ms| *ms > 0).map(Wall)
}
