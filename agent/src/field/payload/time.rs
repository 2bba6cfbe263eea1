//! Time stamps as sources write them.

use andon_core::sample::Reason;
use andon_core::tag::TimeUnit;
use andon_core::time::Wall;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

/// A time stamp in a JSON document: a number, or a text.
pub fn of_json(json: &Json, unit: Option<TimeUnit>, zone: &TimeZone) -> Result<Wall, Reason> {
    match json {
        Json::Null => Err(Reason::Missing),
        Json::String(text) => of_text(text, unit, zone),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => of_number(whole, unit),
            (None, Some(float)) => of_float(float, unit),
            (None, None) => Err(Reason::OutOfRange),
        },
        _ => Err(Reason::WrongType),
    }
}

/// A time stamp written as text: a number, or a date and time as RFC 3339 writes it. One without
/// an offset from UTC is a local one of `zone`; where the clock there is set back, the first of the
/// two moments.
pub fn of_text(text: &str, unit: Option<TimeUnit>, zone: &TimeZone) -> Result<Wall, Reason> {
    let text = text.trim();
    if let Ok(whole) = text.parse() {
        return of_number(whole, unit);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Wall(moment.as_millisecond()));
    }
    if let Ok(local) = text.parse::<DateTime>() {
        // A `Z` that was misread must not become local time.
        let moment = zone.to_timestamp(local).map_err(|_| Reason::OutOfRange)?;
        return Ok(Wall(moment.as_millisecond()));
    }
    of_float(text.parse().map_err(|_| Reason::Malformed)?, unit)
}

/// Whole units since 1970. Without a unit the size tells it: as seconds the numbers below 10^11 are
/// years before 5138, as milliseconds those from there on are years after 1973.
pub fn of_number(number: i64, unit: Option<TimeUnit>) -> Result<Wall, Reason> {
    let unit = unit.unwrap_or_else(|| unit_of(number.unsigned_abs() as f64));
    let ms = match unit {
        TimeUnit::Seconds => number.checked_mul(1000).ok_or(Reason::OutOfRange)?,
        TimeUnit::Millis => number,
        TimeUnit::Micros => number.div_euclid(1000),
        TimeUnit::Nanos => number.div_euclid(1_000_000),
    };
    in_range(ms)
}

fn of_float(number: f64, unit: Option<TimeUnit>) -> Result<Wall, Reason> {
    let ms = match unit.unwrap_or_else(|| unit_of(number.abs())) {
        TimeUnit::Seconds => number * 1e3,
        TimeUnit::Millis => number,
        TimeUnit::Micros => number / 1e3,
        TimeUnit::Nanos => number / 1e6,
    };
    if !ms.is_finite() {
        return Err(Reason::NotFinite);
    }
    in_range(ms.floor() as i64)
}

fn unit_of(size: f64) -> TimeUnit {
    match size {
        ..1e11 => TimeUnit::Seconds,
        ..1e14 => TimeUnit::Millis,
        ..1e17 => TimeUnit::Micros,
        _ => TimeUnit::Nanos,
    }
}

/// A moment that a calendar has: the years −9999 to 9999.
fn in_range(ms: i64) -> Result<Wall, Reason> {
    match Timestamp::from_millisecond(ms) {
        Ok(_) => Ok(Wall(ms)),
        Err(_) => Err(Reason::OutOfRange),
    }
}

#[cfg(test)]
mod tests;
