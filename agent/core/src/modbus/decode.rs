//! What the registers or bits of an answer mean.
//!
//! Integers stay exact: unscaled they are [`Value::Int`], and a decimal scale is applied as a
//! fraction, so that 3 × 0.1 is 0.3 and not 0.30000000000000004. Nothing here allocates.

use crate::sample::{Reason, Value};
use crate::tag::{Kind, Order, Point};

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
pub fn decode(point: &Point, words: Words<'_>, start: u16) -> Result<Value, Reason> {
    let at = point.address.checked_sub(start).ok_or(Reason::BadAnswer)?;
    match (words, point.table.is_bits()) {
        (Words::Bits(bits), true) => {
            let bit = bits.get(usize::from(at)).ok_or(Reason::BadAnswer)?;
            Ok(Value::Bool(*bit))
        }
        (Words::Registers(registers), false) => {
            let registers = registers.get(usize::from(at)..).ok_or(Reason::BadAnswer)?;
            of_registers(point, registers)
        }
        _ => Err(Reason::BadAnswer),
    }
}

fn of_registers(point: &Point, registers: &[u16]) -> Result<Value, Reason> {
    let order = point.order;
    let raw = match point.kind {
        Kind::Bool => return Ok(Value::Bool(first::<1>(registers)? != [0])),
        Kind::U16 => i64::from(first::<1>(registers)?[0]),
        Kind::I16 => i64::from(first::<1>(registers)?[0] as i16),
        Kind::U32 => i64::from(bits32(registers, order)?),
        Kind::I32 => i64::from(bits32(registers, order)? as i32),
        Kind::U64 => i64::try_from(bits64(registers, order)?).map_err(|_| Reason::OutOfRange)?,
        Kind::I64 => bits64(registers, order)? as i64,
        Kind::F32 => return float(point, f64::from(f32::from_bits(bits32(registers, order)?))),
        Kind::F64 => return float(point, f64::from_bits(bits64(registers, order)?)),
        Kind::Text => return Err(Reason::WrongType),
    };
    integer(point, raw)
}

fn first<const N: usize>(registers: &[u16]) -> Result<[u16; N], Reason> {
    registers
        .first_chunk::<N>()
        .copied()
        .ok_or(Reason::BadAnswer)
}

fn bits32(registers: &[u16], order: Order) -> Result<u32, Reason> {
    let [a, b] = ordered(first::<2>(registers)?, order);
    Ok(u32::from(a) << 16 | u32::from(b))
}

fn bits64(registers: &[u16], order: Order) -> Result<u64, Reason> {
    let words = ordered(first::<4>(registers)?, order);
    Ok(words
        .iter()
        .fold(0, |sum, word| sum << 16 | u64::from(*word)))
}

/// The words with the highest first and big endian each.
fn ordered<const N: usize>(mut words: [u16; N], order: Order) -> [u16; N] {
    if matches!(order, Order::Cdab | Order::Dcba) {
        words.reverse();
    }
    if matches!(order, Order::Badc | Order::Dcba) {
        words = words.map(u16::swap_bytes);
    }
    words
}

fn is_unscaled(point: &Point) -> bool {
    point.scale == 1.0 && point.offset == 0.0
}

/// `raw × scale + offset`; a whole number that is scaled becomes the nearest float to the decimal
/// result. Text and truth values are not scaled.
pub fn scaled_value(raw: Value, scale: f64, offset: f64) -> Result<Value, Reason> {
    match raw {
        _ if scale == 1.0 && offset == 0.0 => Ok(raw),
        Value::Int(raw) => finite(scaled(raw, scale, offset)),
        Value::Float(raw) => finite(raw * scale + offset),
        Value::Bool(_) | Value::Text(_) => Ok(raw),
    }
}

fn float(point: &Point, raw: f64) -> Result<Value, Reason> {
    let value = if is_unscaled(point) {
        raw
    } else {
        raw * point.scale + point.offset
    };
    finite(value)
}

fn integer(point: &Point, raw: i64) -> Result<Value, Reason> {
    if is_unscaled(point) {
        return Ok(Value::Int(raw));
    }
    finite(scaled(raw, point.scale, point.offset))
}

fn finite(value: f64) -> Result<Value, Reason> {
    if value.is_finite() {
        Ok(Value::Float(value))
    } else {
        Err(Reason::NotFinite)
    }
}

/// `raw × scale + offset`, as the nearest float to the decimal result where scale and offset are
/// short decimals and all parts are exact; otherwise with the rounding of the plain formula.
fn scaled(raw: i64, scale: f64, offset: f64) -> f64 {
    let exact = || {
        let (digits, parts) = fraction(scale, offset)?;
        let sum = raw.checked_mul(parts[0])?.checked_add(parts[1])?;
        (sum.unsigned_abs() <= EXACT).then_some(sum as f64 / POWERS[digits])
    };
    exact().unwrap_or(raw as f64 * scale + offset)
}

/// Integers up to here are exact as f64.
const EXACT: u64 = 1 << 53;

/// Powers of ten, each exact as f64.
const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The fewest decimal digits with which both numbers are whole, and the numbers as that many.
fn fraction(scale: f64, offset: f64) -> Option<(usize, [i64; 2])> {
    POWERS
        .iter()
        .enumerate()
        .find_map(|(digits, power)| Some((digits, [whole(scale, *power)?, whole(offset, *power)?])))
}

fn whole(x: f64, power: f64) -> Option<i64> {
    let times = x * power;
    let nearest = (times + if times < 0.0 { -0.5 } else { 0.5 }) as i64;
    (nearest.unsigned_abs() <= EXACT && nearest as f64 / power == x).then_some(nearest)
}

#[cfg(test)]
mod tests;
