//! How surprising a value is, in bits: what it would take to write it down for somebody who knows
//! what industrial devices usually say.
//!
//! A register about which nothing is known takes 16 bits. A voltage of 230.1 read as such takes
//! less, because its exponent is an everyday one and it has four digits; the same bits in another
//! byte order are a number of 10⁻²³ with all the digits that a float can have. The figures are
//! round ones: what counts are differences of several bits that add up over many values.

use andon_core::modbus::decode::word;
use andon_core::tag::{Kind, Order};

/// Bits for which a register that is 0 can be had, whatever it is part of.
const ZERO: f64 = 3.0;

/// The same for one that is all ones, or part of the usual NaN: many devices say "no value" so.
const ONES: f64 = 4.0;

/// A negative number is rarer than a positive one.
const NEGATIVE: f64 = 3.0;
const POSITIVE: f64 = 0.2;

/// No device says this.
const NEVER: f64 = 1000.0;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3_600_000;

/// 2000-01-01 and 2040-01-01, in milliseconds since 1970.
const EPOCHS_MS: std::ops::Range<u64> = 946_684_800_000..2_208_988_800_000;

/// The surprise of what these registers say as a `kind`; `now_ms` is the wall clock, for times.
pub(super) fn of_value(kind: Kind, order: Order, registers: &[u16], now_ms: u64) -> f64 {
    let word = word(registers, order);
    let count = registers.len() as f64;
    let width = 16 * registers.len() as u32;
    if kind == Kind::Text {
        return registers
            .iter()
            .map(|register| text(*register, order))
            .sum();
    }
    if word == 0 {
        return ZERO * count;
    }
    let says_none = match kind {
        Kind::F32 => word as u32 == f32::NAN.to_bits(),
        Kind::F64 => word == f64::NAN.to_bits(),
        _ => false,
    };
    if says_none || word == u64::MAX >> (64 - width) {
        return ONES * count;
    }
    match kind {
        Kind::U16 | Kind::U32 | Kind::U64 => POSITIVE + whole(word, width),
        Kind::I16 | Kind::I32 | Kind::I64 => signed(word, width),
        Kind::F32 => {
            let value = f32::from_bits(word as u32);
            let digits = digits(&shortest(value));
            float(f64::from(value), digits, value.is_normal(), 23.0)
        }
        Kind::F64 => {
            let value = f64::from_bits(word);
            let digits = digits(&shortest(value));
            float(value, digits, value.is_normal(), 52.0)
        }
        Kind::Bcd16 | Kind::Bcd32 | Kind::Bcd64 => bcd(word, width),
        Kind::EpochS | Kind::EpochS64 => epoch(word.saturating_mul(1000), 1000, now_ms),
        Kind::EpochMs => epoch(word, 1, now_ms),
        Kind::Bool | Kind::F16 | Kind::Text => NEVER,
    }
}

/// The surprise of how a value moved between two readings: little for a small step. Right bytes in
/// the wrong order make great leaps.
pub(super) fn of_move(kind: Kind, order: Order, before: &[u16], after: &[u16]) -> f64 {
    let count = before.len() as f64;
    if before == after {
        return 0.2 * count;
    }
    let width = 16 * before.len() as u32;
    let (before, after) = (word(before, order), word(after, order));
    let step = match kind {
        Kind::F32 => float_step(
            [before, after].map(|word| f64::from(f32::from_bits(word as u32))),
            [before, after].map(|word| shortest(f32::from_bits(word as u32))),
            rank(before << 32).abs_diff(rank(after << 32)) >> 32,
        ),
        Kind::F64 => float_step(
            [before, after].map(f64::from_bits),
            [before, after].map(|word| shortest(f64::from_bits(word))),
            rank(before).abs_diff(rank(after)),
        ),
        // A whole number that goes through its end makes no leap.
        _ => {
            let apart = before.abs_diff(after);
            apart.min((u64::MAX >> (64 - width)) - apart + 1)
        }
    };
    3.0 + (step as f64 + 1.0).log2().min(16.0 * count)
}

/// The place of a float among all floats, in the order of their values.
const fn rank(bits: u64) -> i64 {
    let size = (bits & (u64::MAX >> 1)).cast_signed();
    if bits >> 63 == 1 { -size } else { size }
}

/// How many steps apart two floats are: steps of their last decimal if they have few, otherwise
/// of the floats between them.
fn float_step(values: [f64; 2], shortest: [String; 2], floats: u64) -> u64 {
    let decimals = shortest.map(|text| text.split_once('.').map_or(0, |(_, part)| part.len()));
    let unit = 10_f64.powi(decimals[0].max(decimals[1]).min(300) as i32);
    let steps = ((values[0] - values[1]).abs() * unit).round();
    // `as` saturates, and a NaN is no step at all.
    if steps.is_nan() {
        floats
    } else {
        floats.min(steps as u64)
    }
}

/// The shortest decimal that is this float.
fn shortest(value: impl std::fmt::Display) -> String {
    value.to_string()
}

/// The length of the number, then its bits after the first one.
fn whole(value: u64, width: u32) -> f64 {
    let length = u64::BITS - value.leading_zeros();
    // A counter that wide is hardly ever nearly full: two values side by side look like that.
    let full = width > 16 && length > width - 4;
    let suspicion = if full {
        3.0 * f64::from(width / 16)
    } else {
        0.0
    };
    f64::from(width).log2() + 0.4 + f64::from(length) - 1.0 + suspicion
}

fn signed(word: u64, width: u32) -> f64 {
    let value = (word << (64 - width)).cast_signed() >> (64 - width);
    let sign = if value < 0 { NEGATIVE } else { POSITIVE };
    sign + whole(value.unsigned_abs(), width)
}

fn float(value: f64, digits: u32, normal: bool, mantissa: f64) -> f64 {
    if !normal {
        return NEVER;
    }
    let sign = if value < 0.0 { NEGATIVE } else { POSITIVE };
    let exponent = match value.abs() {
        0.01..1e5 => 4.5,
        1e-3..1e7 => 6.0,
        1e-9..1e12 => 9.0,
        1e-20..1e20 => 14.0,
        _ => 40.0,
    };
    sign + exponent + 1.0 + mantissa.min(f64::from(digits) * 10_f64.log2())
}

/// Digits of a decimal, without the zeros that only say where the point is.
fn digits(decimal: &str) -> u32 {
    let digits: String = decimal.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len() as u32
}

fn bcd(word: u64, width: u32) -> f64 {
    let nibbles = (0..width / 4).rev().map(|at| word >> (4 * at) & 0xF);
    let mut value = 0_u64;
    for nibble in nibbles {
        if nibble > 9 {
            return NEVER;
        }
        value = value * 10 + nibble;
    }
    POSITIVE + whole(value, width)
}

/// A time is one of these days, one of these years, one of the year 2000 from which clocks count
/// that were never set, or some time of these decades.
fn epoch(ms: u64, step_ms: u64, now_ms: u64) -> f64 {
    let bits = |span_ms: u64| (span_ms as f64 / step_ms as f64).log2();
    if ms.abs_diff(now_ms) < DAY_MS {
        1.0 + bits(2 * DAY_MS)
    } else if ms.abs_diff(now_ms) < 365 * DAY_MS
        || (0..365 * DAY_MS).contains(&(ms.wrapping_sub(EPOCHS_MS.start)))
    {
        2.0 + bits(3 * 365 * DAY_MS)
    } else if EPOCHS_MS.contains(&ms) {
        4.0 + bits(EPOCHS_MS.end - EPOCHS_MS.start)
    } else {
        NEVER
    }
}

/// Letters and digits are likelier than signs. NULs and blanks fill up, but no text begins with a
/// NUL: that is how swapped bytes show.
fn text(register: u16, order: Order) -> f64 {
    let [first, second] = match order {
        Order::Badc | Order::Dcba => register.to_le_bytes(),
        Order::Abcd | Order::Cdab => register.to_be_bytes(),
    };
    let gap = if first == 0 && second != 0 { 8.0 } else { 0.0 };
    gap + letter(first) + letter(second)
}

const fn letter(byte: u8) -> f64 {
    match byte {
        0 | b' ' => 1.5,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' | b':' => 5.5,
        0x21..=0x7E => 8.0,
        _ => NEVER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32(value: f32, order: Order) -> f64 {
        let bits = value.to_bits();
        let registers = [(bits >> 16) as u16, bits as u16];
        of_value(Kind::F32, order, &registers, 0)
    }

    #[test]
    fn an_everyday_number_is_less_surprising_in_its_own_order() {
        for value in [230.1, -12.5, 49.98, 0.86, 1200.0, 345_678.0] {
            let right = f32(value, Order::Abcd);
            assert!(right < 31.0, "{value} takes {right} bits");
            for order in [Order::Cdab, Order::Badc, Order::Dcba] {
                assert!(f32(value, order) > right + 3.0, "{value} in {order:?}");
            }
        }
    }

    #[test]
    fn what_is_zero_or_all_ones_speaks_for_no_type() {
        for registers in [&[0_u16; 4], &[0xFFFF; 4]] {
            let wide = of_value(Kind::U64, Order::Abcd, registers, 0);
            let each: f64 = registers
                .iter()
                .map(|register| of_value(Kind::U16, Order::Abcd, &[*register], 0))
                .sum();
            assert_eq!(wide, each);
        }
    }

    #[test]
    fn a_counter_that_counts_does_not_leap() {
        let (before, after) = ([0x0001, 0xFFFE], [0x0002, 0x0001]);
        let right = of_move(Kind::U32, Order::Abcd, &before, &after);
        let wrong = of_move(Kind::U32, Order::Cdab, &before, &after);
        assert!(right + 10.0 < wrong, "{right} and {wrong}");
        let down = of_move(Kind::I16, Order::Abcd, &[0], &[0xFFFF]);
        assert_eq!(down, 4.0);
        let around = of_move(Kind::U16, Order::Abcd, &[0xFFFE], &[1]);
        assert_eq!(around, 5.0);
        assert_eq!(of_move(Kind::F32, Order::Abcd, &before, &before), 0.4);
    }

    #[test]
    fn a_float_moves_through_zero_in_small_steps() {
        let registers = |value: f32| [(value.to_bits() >> 16) as u16, value.to_bits() as u16];
        let tiny = f32::from_bits(1);
        let step = of_move(Kind::F32, Order::Abcd, &registers(tiny), &registers(-tiny));
        assert_eq!(step, 3.0 + 3_f64.log2());
    }

    #[test]
    fn a_time_is_one_of_these_days_or_decades() {
        let now_s = 1_790_000_000_u64;
        let bits = |s: u64| {
            let registers = [(s >> 16) as u16, s as u16];
            of_value(Kind::EpochS, Order::Abcd, &registers, now_s * 1000)
        };
        assert!(bits(now_s - 5) < 20.0);
        assert!(bits(now_s - 400 * 86_400) > 30.0);
        assert!(bits(946_684_800 + 86_400) < 29.0);
        assert!(bits(1000) >= NEVER);
    }

    #[test]
    fn digits_above_nine_are_no_bcd_and_controls_no_text() {
        let bcd = |register| of_value(Kind::Bcd16, Order::Abcd, &[register], 0);
        assert!(bcd(0x1234) < 16.0);
        assert!(bcd(0x123A) >= NEVER);
        let text = |register| of_value(Kind::Text, Order::Abcd, &[register], 0);
        assert!(text(u16::from_be_bytes(*b"SM")) < 12.0);
        assert!(text(u16::from_be_bytes(*b"S\x07")) >= NEVER);
    }
}
