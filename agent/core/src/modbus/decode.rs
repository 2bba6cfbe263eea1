//! What the registers or bits of an answer mean.
//!
//! Integers stay exact: unscaled they are [`Value::Int`], and a decimal scale is applied as a
//! fraction, so that 3 × 0.1 is 0.3 and not 0.30000000000000004. Nothing here allocates.

mod decimal;
mod text;

use crate::sample::{Reason, Value};
use crate::tag::{Kind, Order, Point};
use core::ops::RangeInclusive;

/// An answer's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words<'a> {
    /// 16-bit registers.
    Registers(&'a [u16]),
    /// Bits.
    Bits(&'a [bool]),
}

/// The value at `point` in an answer that begins at address `start`. An answer in which the point
/// does not lie, or of the wrong sort, is [`Reason::BadAnswer`].
///
/// The value of a point that another tag scales is raw: [`scale`] makes the value of it.
pub fn decode(point: &Point, words: Words<'_>, start: u16) -> Result<Value, Reason> {
    let at = point.address.checked_sub(start).ok_or(Reason::BadAnswer)?;
    match (words, point.table.is_bits()) {
        (Words::Bits(bits), true) => {
            let bit = bits.get(usize::from(at)).ok_or(Reason::BadAnswer)?;
            Ok(Value::Bool(*bit))
        }
        (Words::Registers(registers), false) => {
            let end = usize::from(at) + usize::from(point.width());
            let own = registers.get(usize::from(at)..end);
            of_registers(point, own.ok_or(Reason::BadAnswer)?)
        }
        _ => Err(Reason::BadAnswer),
    }
}

/// The value in exactly the registers of `point`.
fn of_registers(point: &Point, own: &[u16]) -> Result<Value, Reason> {
    if point.kind == Kind::Text {
        return text::text(point, own);
    }
    let word = word(own, point.order);
    if point.absent.contains(&word) {
        return Err(Reason::Missing);
    }
    let raw = raw(point, word)?;
    match point.power_of_ten {
        Some(_) => Ok(raw),
        None => decimal::scaled(point, &raw, 0),
    }
}

/// What the bits mean, before anything is scaled.
fn raw(point: &Point, word: u64) -> Result<Value, Reason> {
    let unsigned = point.bits.map_or(word, |bits| bits.unsigned_in(word));
    let signed = |all: i64| point.bits.map_or(all, |bits| bits.signed_in(word));
    let integer = match point.kind {
        Kind::Bool => return Ok(Value::Bool(unsigned != 0)),
        // Beyond i64 only a float is wide enough, which a scaled value is anyway.
        Kind::U64 if point.is_scaled() && unsigned > i64::MAX.unsigned_abs() => {
            return finite(unsigned as f64);
        }
        Kind::U16 | Kind::U32 | Kind::U64 => in_range(unsigned)?,
        Kind::I16 => signed(i64::from(word as u16 as i16)),
        Kind::I32 => signed(i64::from(word as u32 as i32)),
        Kind::I64 => signed(word.cast_signed()),
        Kind::Bcd16 | Kind::Bcd32 | Kind::Bcd64 => in_range(of_bcd(word)?)?,
        Kind::EpochMs => in_range(word)?,
        Kind::EpochS | Kind::EpochS64 => in_range(word)?
            .checked_mul(1000)
            .ok_or(Reason::OutOfRange)?,
        Kind::F16 => return finite(half(word as u16)),
        Kind::F32 => return finite(f64::from(f32::from_bits(word as u32))),
        Kind::F64 => return finite(f64::from_bits(word)),
        Kind::Text => return Err(Reason::WrongType),
    };
    Ok(Value::Int(integer))
}

/// The powers of ten by which a device may scale: those of a `sunssf` (SunSpec Information Model
/// Specification 1.9, scale factors). Any other is no value; 0x8000 says that there is none.
const SCALE_FACTORS: RangeInclusive<i64> = -10..=10;

/// `raw × scale + offset`; a whole number that is scaled becomes the nearest float to the decimal
/// result. Text and truth values are not scaled.
pub fn scaled(raw: Value, scale: f64, offset: f64) -> Result<Value, Reason> {
    if scale == 1.0 && offset == 0.0 {
        return Ok(raw);
    }
    decimal::by(&raw, scale, offset, 0)
}

/// The value at a point that another tag scales: its raw value and what the other tag says, if
/// that is usable. Without it there is no value, and never the raw one.
pub fn scale(point: &Point, raw: &Value, power: Option<&Value>) -> Result<Value, Reason> {
    let power = match power {
        Some(Value::Int(power)) if SCALE_FACTORS.contains(power) => *power as i32,
        _ => return Err(Reason::Missing),
    };
    decimal::scaled(point, raw, power)
}

/// The bits of the registers as one number, whatever order they came in; of more than four
/// registers, the last four.
pub fn word(registers: &[u16], order: Order) -> u64 {
    let join = |word: u64, register: &u16| {
        let swapped = matches!(order, Order::Badc | Order::Dcba);
        let register = if swapped {
            register.swap_bytes()
        } else {
            *register
        };
        word << 16 | u64::from(register)
    };
    match order {
        Order::Abcd | Order::Badc => registers.iter().fold(0, join),
        Order::Cdab | Order::Dcba => registers.iter().rev().fold(0, join),
    }
}

fn finite(value: f64) -> Result<Value, Reason> {
    if value.is_finite() {
        Ok(Value::Float(value))
    } else {
        Err(Reason::NotFinite)
    }
}

fn in_range(raw: u64) -> Result<i64, Reason> {
    i64::try_from(raw).map_err(|_| Reason::OutOfRange)
}

/// IEEE 754 binary16, which has no type of its own yet.
fn half(bits: u16) -> f64 {
    let exponent = u32::from(bits >> 10 & 0x1F);
    let fraction = u32::from(bits & 0x3FF);
    let magnitude = match exponent {
        0 => fraction as f32 / (1 << 24) as f32,
        0x1F => f32::from_bits(0xFF << 23 | fraction << 13),
        // The same exponent by the bias of binary32.
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    f64::from(if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    })
}

/// Decimal digits of four bits each, the highest first.
fn of_bcd(word: u64) -> Result<u64, Reason> {
    let mut digits = (0..16).rev().map(|at| word >> (4 * at) & 0xF);
    digits.try_fold(0, |number, digit| match digit {
        0..=9 => Ok(number * 10 + digit),
        _ => Err(Reason::NotBcd),
    })
}

#[cfg(test)]
mod tests;
