//! Scaling by decimal numbers, exact wherever a float can be.

use super::finite;
use crate::sample::{Reason, Value};
use crate::tag::Point;

/// The value that `raw` stands for: itself, or a float once it is scaled, whatever it is scaled by.
pub(super) fn scaled(point: &Point, raw: &Value, power: i32) -> Result<Value, Reason> {
    if point.is_scaled() {
        by(raw, point.scale, point.offset, power)
    } else {
        Ok(raw.clone())
    }
}

/// `raw × scale × 10^power + offset` of a number; others are what they are.
pub(super) fn by(raw: &Value, scale: f64, offset: f64, power: i32) -> Result<Value, Reason> {
    match *raw {
        Value::Int(raw) => finite(integer(raw, scale, offset, power)),
        Value::Float(raw) => finite(times(raw * scale, power) + offset),
        Value::Bool(_) | Value::Text(_) => Ok(raw.clone()),
    }
}

/// `raw × scale × 10^power + offset`, as the nearest float to the decimal result where scale and
/// offset are short decimals and all parts are exact; otherwise with the rounding of the plain
/// formula.
fn integer(raw: i64, scale: f64, offset: f64, power: i32) -> f64 {
    let exact = || {
        let (digits, [scale, offset]) = fraction(scale, offset)?;
        // Over the common denominator 10^digits, or 10^(digits − power) if the power divides.
        let up = 10_i64.checked_pow(power.max(0).unsigned_abs())?;
        let down = power.min(0).unsigned_abs();
        let product = raw.checked_mul(scale)?.checked_mul(up)?;
        let sum = product.checked_add(offset.checked_mul(10_i64.checked_pow(down)?)?)?;
        let denominator = POWERS.get(digits + usize::try_from(down).ok()?)?;
        (sum.unsigned_abs() <= EXACT).then_some(sum as f64 / denominator)
    };
    exact().unwrap_or_else(|| times(raw as f64 * scale, power) + offset)
}

/// `x × 10^power`; negative powers divide, since only the positive ones are exact.
fn times(x: f64, power: i32) -> f64 {
    let of = |power: u32| POWERS.get(power as usize).copied().unwrap_or(f64::INFINITY);
    if power < 0 {
        x / of(power.unsigned_abs())
    } else {
        x * of(power.unsigned_abs())
    }
}

/// Integers up to here are exact as f64.
const EXACT: u64 = 1 << 53;

/// Powers of ten, each exact as f64: those of a short decimal, and as many again to scale by.
const POWERS: [f64; 20] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19,
];

/// Decimals that a short number may have.
const DIGITS: usize = 10;

/// The fewest decimal digits with which both numbers are whole, and the numbers as that many.
fn fraction(scale: f64, offset: f64) -> Option<(usize, [i64; 2])> {
    POWERS[..DIGITS]
        .iter()
        .enumerate()
        .find_map(|(digits, power)| Some((digits, [whole(scale, *power)?, whole(offset, *power)?])))
}

fn whole(x: f64, power: f64) -> Option<i64> {
    let times = x * power;
    let nearest = (times + if times < 0.0 { -0.5 } else { 0.5 }) as i64;
    (nearest.unsigned_abs() <= EXACT && nearest as f64 / power == x).then_some(nearest)
}
