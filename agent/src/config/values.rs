//! Values as engineers write them: `"500 ms"`, `"32 MiB"`, `"1200/h"`, `"08:00"`, ids, addresses.

use super::loose;
use super::nearest::suggest;
use super::walk::Item;
use crate::secret::CREDENTIALS;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::DeValue;

/// Ids end up in topics; longer ones are hard to read and to type.
pub(super) const LONGEST_ID: usize = 40;

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 3600 * SECOND;

pub(super) fn text<'a>(item: &Item<'a>) -> Option<&'a str> {
    match item.value {
        DeValue::String(text) if text.trim().is_empty() => item.wrong(
            format!("`{}` is empty", item.key),
            "write a text, or leave the key out",
        ),
        DeValue::String(text) => Some(text),
        _ => item.expected("a text in quotes"),
    }
}

/// A text for people: one line, of a length that fits a display.
pub(super) fn label(item: &Item<'_>) -> Option<Arc<str>> {
    let text = text(item)?;
    if text.chars().any(char::is_control) || text.len() > 300 {
        return item.wrong(
            format!("`{}` is not one line of text", item.key),
            "at most 300 bytes, without line breaks",
        );
    }
    Some(text.into())
}

pub(super) fn boolean(item: &Item<'_>) -> Option<bool> {
    let value = match item.value {
        DeValue::Boolean(value) => Some(*value),
        _ => item.loose_text().and_then(loose::boolean),
    };
    value.or_else(|| item.expected("true or false, without quotes"))
}

/// A whole number within a range.
pub(super) fn integer(low: i64, high: i64) -> impl Fn(&Item<'_>) -> Option<i64> {
    move |item| match whole(item.value).or_else(|| item.loose_text().and_then(loose::integer)) {
        Some(value) if (low..=high).contains(&value) => Some(value),
        None if !matches!(item.value, DeValue::Integer(_)) => {
            item.expected(&format!("a whole number from {low} to {high}"))
        }
        _ => item.wrong(
            format!("`{}` is out of range", item.key),
            format!("from {low} to {high}"),
        ),
    }
}

/// The value as an integer, if it is one.
pub(super) fn whole(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix()).ok(),
        _ => None,
    }
}

/// A finite number.
pub(super) fn number(item: &Item<'_>) -> Option<f64> {
    let value = match item.value {
        DeValue::Integer(_) => whole(item.value).map(|int| int as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => match item.loose_text().and_then(loose::number) {
            Some(value) => Some(value),
            None => return item.expected("a number, without quotes"),
        },
    };
    match value {
        Some(value) if value.is_finite() => Some(value),
        _ => item.wrong(
            format!("`{}` is not a number one can use", item.key),
            "write a finite number",
        ),
    }
}

/// A time in milliseconds, within a range.
pub(super) fn duration(low: u64, high: u64) -> impl Fn(&Item<'_>) -> Option<u64> {
    move |item| {
        let DeValue::String(text) = item.value else {
            return match whole(item.value) {
                Some(n) => item.wrong(
                    format!("`{}` has no unit", item.key),
                    format!("write \"{n} ms\" or \"{n} s\", in quotes"),
                ),
                None => item.expected("a time such as \"500 ms\", \"5 s\", \"15 min\" or \"1 h\""),
            };
        };
        let Some(ms) = parse_ms(text) else {
            return item.wrong(
                format!("`{text}` is not a time"),
                "write a number and ms, s, min, h or d, such as \"500 ms\" or \"5 s\"",
            );
        };
        if !(low..=high).contains(&ms) {
            return item.wrong(
                format!("`{}` is out of range", item.key),
                format!("from {} to {}", show_ms(low), show_ms(high)),
            );
        }
        Some(ms)
    }
}

/// A time as in the file, in milliseconds.
pub(crate) fn parse_ms(text: &str) -> Option<u64> {
    let units = [
        ("ms", 1),
        ("s", SECOND),
        ("min", 60 * SECOND),
        ("h", 3600 * SECOND),
        ("d", DAY),
    ];
    scaled(text, &units)
}

/// Any time up to a day.
pub(super) fn delay(item: &Item<'_>) -> Option<u64> {
    duration(0, DAY)(item)
}

/// A polling period.
pub(super) fn period(item: &Item<'_>) -> Option<u64> {
    duration(10, DAY)(item)
}

/// A time as in the file: in the largest unit that needs no fraction.
pub(crate) fn show_ms(ms: u64) -> String {
    let units = [
        (DAY, "d"),
        (3600 * SECOND, "h"),
        (60 * SECOND, "min"),
        (SECOND, "s"),
    ];
    let whole = |(unit, _): &&(u64, &str)| ms.is_multiple_of(*unit) && ms > 0;
    match units.iter().find(whole) {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format!("{ms} ms"),
    }
}

/// A size in bytes, within a range.
pub(super) fn size(low: u64, high: u64) -> impl Fn(&Item<'_>) -> Option<u64> {
    move |item| {
        let DeValue::String(text) = item.value else {
            return item.expected("a size such as \"32 MiB\"");
        };
        let units = [
            ("B", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        let Some(bytes) = scaled(text, &units) else {
            return item.wrong(
                format!("`{text}` is not a size"),
                "write a number and B, KiB, MiB or GiB, such as \"32 MiB\"",
            );
        };
        if !(low..=high).contains(&bytes) {
            return item.wrong(
                format!("`{}` is out of range", item.key),
                format!("from {} to {}", show_bytes(low), show_bytes(high)),
            );
        }
        Some(bytes)
    }
}

/// A size as in the file; parts of a unit with one decimal.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let (unit, name): (u64, _) = match bytes {
        0..1024 => return format!("{bytes} B"),
        1024..1_048_576 => (1 << 10, "KiB"),
        1_048_576..1_073_741_824 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    if bytes.is_multiple_of(unit) {
        format!("{} {name}", bytes / unit)
    } else {
        format!("{:.1} {name}", bytes as f64 / unit as f64)
    }
}

/// A number and one of the units; none if it is anything else.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    rounded(number.parse::<f64>().ok()? * *factor as f64)
}

fn rounded(value: f64) -> Option<u64> {
    // Above 2^53 a float skips integers.
    (0.0..=9e15).contains(&value).then(|| value.round() as u64)
}

/// A rate in thousandths of a part per hour.
pub(super) fn rate(item: &Item<'_>) -> Option<u64> {
    let hint = "write parts and a time, such as \"1200/h\", \"20/min\" or \"0.5/s\"";
    let DeValue::String(text) = item.value else {
        return match item.value {
            DeValue::Integer(_) | DeValue::Float(_) => {
                item.wrong(format!("`{}` has no unit", item.key), hint)
            }
            _ => item.expected("a rate such as \"1200/h\""),
        };
    };
    let parsed = text.split_once('/').and_then(|(number, per)| {
        let hours = match per.trim() {
            "h" => 1.0,
            "min" => 60.0,
            "s" => 3600.0,
            _ => return None,
        };
        let number = number.trim();
        let ungrouped = item.loose_text().map(|_| loose::ungrouped(number));
        let number = ungrouped.as_deref().unwrap_or(number);
        let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number = number.parse::<f64>().ok().filter(|_| plain)?;
        rounded(number * hours * 1000.0)
    });
    match parsed {
        None => item.wrong(format!("`{text}` is not a rate"), hint),
        Some(0) => item.wrong(
            "a rate of 0 makes no part at all",
            "leave the key out if the rated rate is not known",
        ),
        Some(rate) if rate > 1_000_000_000_000 => item.wrong(
            "this is more than a thousand million parts per hour",
            "check the number and the unit",
        ),
        Some(rate) => Some(rate),
    }
}

/// An id: `a-z 0-9 -`.
pub(super) fn id(item: &Item<'_>) -> Option<Arc<str>> {
    let text = text(item)?;
    if is_id(text) {
        return Some(text.into());
    }
    let slug = slug(text);
    let hint = if is_id(&slug) {
        format!("use only a-z, 0-9 and `-`, such as `{slug}`")
    } else {
        format!("use only a-z, 0-9 and `-` in the middle, at most {LONGEST_ID}")
    };
    item.out.lose(text);
    item.wrong(format!("`{text}` is not an id"), hint)
}

/// A text in the letters of ids; of any length, also none.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// One of some words.
pub(super) fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&Item<'_>) -> Option<T> {
    move |item| {
        let names = choices.iter().map(|(name, _)| *name);
        let DeValue::String(text) = item.value else {
            let all: Vec<&str> = names.collect();
            return item.expected(&format!("one of \"{}\"", all.join("\", \"")));
        };
        match choices.iter().find(|(name, _)| name == text) {
            Some((_, value)) => Some(*value),
            None => {
                let all: Vec<&str> = names.clone().collect();
                let hint = match super::nearest::nearest(text, names) {
                    Some(meant) => format!("did you mean \"{meant}\"? allowed: {}", all.join(", ")),
                    None => format!("allowed: {}", all.join(", ")),
                };
                item.wrong(format!("`{}` cannot be \"{text}\"", item.key), hint)
            }
        }
    }
}

/// Every element of a list, parsed; the wrong ones are reported and left out.
pub(super) fn list<'a, T>(
    what: &'static str,
    parse: impl Fn(&Item<'a>) -> Option<T>,
) -> impl Fn(&Item<'a>) -> Option<Vec<T>> {
    move |item| {
        let elements = item.elements(what)?;
        Some(elements.iter().filter_map(&parse).collect())
    }
}

/// Like [`list`]; an empty one is a mistake, with what to write instead.
pub(super) fn some<'a, T>(
    what: &'static str,
    parse: impl Fn(&Item<'a>) -> Option<T>,
) -> impl Fn(&Item<'a>) -> Option<Vec<T>> {
    let parse = list(what, parse);
    move |item| {
        if item.elements(what)?.is_empty() {
            return item.wrong(format!("`{}` is empty", item.key), format!("write {what}"));
        }
        parse(item)
    }
}

/// A path of a file; relative ones count from the folder of the configuration.
pub(super) fn path(item: &Item<'_>) -> Option<PathBuf> {
    text(item).map(PathBuf::from)
}

/// A file that is read while the agent runs: below `base`, or a credential that systemd hands over.
pub(super) fn secret_file(item: &Item<'_>, base: &Path) -> Option<PathBuf> {
    let text = text(item)?;
    if !text.starts_with('$') {
        return Some(base.join(text));
    }
    let name = text
        .strip_prefix(CREDENTIALS)
        .and_then(|name| name.strip_prefix('/'));
    // systemd allows no other names (systemd.exec(5), LoadCredential=).
    match name.filter(|name| !name.is_empty() && !name.contains('/') && !name.starts_with('.')) {
        Some(_) => Some(text.into()),
        None => item.wrong(
            format!("`{text}` is not the name of a file"),
            format!("write a path, or `{CREDENTIALS}/NAME` for a credential of the service"),
        ),
    }
}

/// A serial port by a name that stays the same after the next reboot: under `/dev/serial`, that of a
/// port that is soldered on (`/dev/ttyS1`, `/dev/ttymxc2`, `/dev/ttyAMA0`), or a link to one.
pub(super) fn serial_port<'a>(item: &Item<'a>) -> Option<&'a str> {
    let path = text(item)?;
    if path.starts_with("/dev/ttyUSB") || path.starts_with("/dev/ttyACM") {
        return item.wrong(
            format!("`{path}` may be another port after the next start"),
            "use its name under /dev/serial/by-id (`ls -l /dev/serial/by-id` shows them)",
        );
    }
    if !path.starts_with('/') {
        return item.wrong(
            format!("`{path}` is not the path of a serial port"),
            "write the whole path, such as \"/dev/serial/by-id/usb-...\"",
        );
    }
    Some(path)
}

/// `host:port`, `host`, `[::1]:port`.
pub(super) fn host_port(
    item: &Item<'_>,
    text: &str,
    default_port: u16,
    example: &str,
) -> Option<(String, u16)> {
    let hint = || format!("write \"{example}\"");
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let v6 = text.starts_with('[') && host.parse::<std::net::Ipv6Addr>().is_ok();
    let looks_v4 = !host.is_empty() && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if looks_v4 && host.parse::<std::net::Ipv4Addr>().is_err() {
        let hint = "an address has four numbers from 0 to 255".to_owned();
        return item.wrong(format!("`{host}` is not an address"), hint);
    }
    if host.is_empty() || !(v6 || host.chars().all(is_host)) {
        return item.wrong(format!("`{host}` is not a host name or address"), hint());
    }
    match port.map_or(Ok(default_port), str::parse) {
        Ok(port @ 1..) => Some((host.to_owned(), port)),
        _ => item.wrong(
            format!("`{}` is not a port", port.unwrap_or_default()),
            format!("from 1 to 65535; {}", hint()),
        ),
    }
}

/// A local time of day, in minutes.
pub(super) fn time_of_day(item: &Item<'_>) -> Option<u16> {
    let DeValue::String(text) = item.value else {
        return item.expected("a time of day in quotes, such as \"08:00\"");
    };
    match minutes(text) {
        Some(minutes) => Some(minutes),
        None if text == "24:00" => item.wrong("24:00 is the next day's 00:00", "write \"00:00\""),
        None => item.wrong(
            format!("`{text}` is not a time of day"),
            "write hours and minutes, such as \"08:00\"",
        ),
    }
}

/// `HH:MM` in minutes.
pub(super) fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |s: &str| (1..=2).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// An IANA time zone of the rules that are built in.
pub(super) fn time_zone(item: &Item<'_>) -> Option<jiff::tz::TimeZone> {
    let name = text(item)?;
    jiff::tz::TimeZone::get(name).ok().or_else(|| {
        // Abbreviations such as CST mean several zones: only places are proposed.
        let names: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .filter(|name| name.contains('/'))
            .collect();
        let close = super::nearest::nearest(name, names.iter().map(String::as_str));
        let hint = match close {
            Some(close) => suggest(name, [close], ""),
            None => "write an IANA name, such as \"Asia/Shanghai\" or \"Europe/Berlin\"".into(),
        };
        item.wrong(format!("there is no time zone `{name}`"), hint)
    })
}
