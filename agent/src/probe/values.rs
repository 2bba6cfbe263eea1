//! Values as the table and the configuration show them.

use super::plausible::{Part, Run};
use andon_core::modbus::decode::{Words, decode};
use andon_core::sample::Value;
use andon_core::tag::{Kind, Order, Point, Table};

/// Everyday floats are shown in full, others with an exponent.
const EVERYDAY: std::ops::Range<f64> = 1e-3..1e9;

/// What the agent would read in one of the readings.
pub fn read(run: &Run, reading: usize, part: &Part, order: Order) -> Option<Value> {
    let registers = run.readings.get(reading)?;
    let length = if part.kind == Kind::Text {
        2 * part.registers
    } else {
        0
    };
    let point = Point {
        order,
        length: u8::try_from(length).ok()?,
        ..Point::new(Table::Holding, part.address, part.kind)
    };
    decode(&point, Words::Registers(registers), run.start).ok()
}

/// The registers of a value in one of the readings.
pub fn registers(run: &Run, reading: usize, address: u16, count: u16) -> Option<&[u16]> {
    let at = usize::from(address.checked_sub(run.start)?);
    run.readings.get(reading)?.get(at..at + usize::from(count))
}

/// A value in at most `width` characters, as far as that can be.
pub fn shown(value: &Value, kind: Kind, width: usize) -> String {
    match value {
        Value::Float(float) if kind == Kind::F32 => short(
            f64::from(*float as f32),
            &(*float as f32).to_string(),
            width,
        ),
        Value::Float(float) => short(*float, &float.to_string(), width),
        Value::Int(ms) if kind.is_time() => moment(*ms),
        Value::Int(int) => int.to_string(),
        Value::Bool(bit) => u8::from(*bit).to_string(),
        Value::Text(text) => format!("{:?}", text.as_str()),
    }
}

fn short(value: f64, full: &str, width: usize) -> String {
    if value == 0.0 || EVERYDAY.contains(&value.abs()) {
        if full.len() <= width {
            return full.to_owned();
        }
        let whole = full.find('.').unwrap_or(full.len());
        return format!("{value:.*}", width.saturating_sub(whole + 2));
    }
    format!("{value:.3e}")
}

/// A moment in UTC.
pub fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| "no time".into(),
        |time| time.strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// The characters of a register, with dots for what cannot be shown.
pub fn letters(register: u16) -> String {
    let letter = |byte: u8| match byte {
        0x20..=0x7E => char::from(byte),
        _ => '.',
    };
    register.to_be_bytes().map(letter).into_iter().collect()
}

/// The 16 bits, the highest first, in groups of four.
pub fn bits(register: u16) -> String {
    let group = |at: u16| format!("{:04b}", register >> (4 * at) & 0xF);
    [3, 2, 1, 0].map(group).join(" ")
}
