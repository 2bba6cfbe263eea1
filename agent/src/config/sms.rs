//! `[sms]`: the modem, and the people who get text messages.

use super::recipients::{RecipientPart, Rest, count, name};
use super::report::Finding;
use super::values::{boolean, duration, secret_file, serial_port, text};
use super::walk::{At, Item, Section};
use crate::settings::Sms;
use andon_core::plant::{Budget, Channel, Roster};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Speed of a modem's port; those on USB have none.
const BAUD: u32 = 115_200;

/// `[sms]` as it is written.
pub(super) struct SmsPart {
    /// The modem; none after a mistake.
    pub(super) modem: Option<Sms>,
    /// All messages together.
    pub(super) budget: Budget,
    /// See [`Roster::repeat_ms`].
    pub(super) repeat_ms: u64,
    pub(super) people: Vec<RecipientPart>,
    pub(super) span: Range<usize>,
}

/// Reads the section; files are relative to `base`.
pub(super) fn sms(mut section: Section<'_>, base: &Path) -> SmsPart {
    let span = section.span();
    let modem = section.need("modem", "modem = \"/dev/serial/by-id/...\"", serial_port);
    let baud = section.read("baud", super::serial::baud);
    let pin_file = section.read("pin_file", |item| secret_file(item, base));
    let service_centre = section.read("service_centre", |item| number(item).map(str::to_owned));
    let optional = section.read("optional", boolean).unwrap_or(false);
    let per_hour = section.read("per_hour", count(1, 3600));
    let per_day = section.read("per_day", count(1, 10_000));
    let repeat_ms = section.read("repeat", super::values::delay);
    let mut time = |key, low, high, default| {
        let ms = section.read(key, duration(low, high));
        Duration::from_millis(ms.unwrap_or(default))
    };
    let pause = time("pause", 0, 600_000, 4_000);
    let poll = time("poll", 1_000, 3_600_000, 60_000);
    let send_timeout = time("send_timeout", 1_000, 600_000, 130_000);
    let retry = time("retry", 1_000, 3_600_000, 60_000);
    let persons = section.sections("person");
    if persons.is_empty() && !section.out().is_lost("person") {
        section.out().mistake(
            Finding::at(section.span(), "there is nobody to send messages to")
                .hint("add `[[sms.person]]` with `name` and `number`"),
        );
    }
    section.finish();
    let per_hour = per_hour.unwrap_or(Budget::SMS.per_hour);
    SmsPart {
        modem: modem.map(|modem| Sms {
            modem: modem.value.into(),
            baud: baud.unwrap_or(BAUD),
            pin_file,
            service_centre,
            optional,
            pause,
            poll,
            send_timeout,
            retry,
        }),
        budget: Budget {
            per_hour,
            per_day: per_day.unwrap_or(Budget::SMS.per_day.max(per_hour)),
        },
        repeat_ms: repeat_ms.unwrap_or(Roster::REPEAT_MS),
        people: persons.into_iter().filter_map(person).collect(),
        span,
    }
}

fn person(mut section: Section<'_>) -> Option<RecipientPart> {
    let span = section.span();
    let name = name(&mut section, "name = \"Shift lead\"");
    let number = section.need("number", "number = \"+8613800000001\"", number);
    let rest = Rest::read(&mut section);
    section.finish();
    let number = number?;
    let address = At {
        value: number.value.into(),
        span: number.span,
    };
    Some(rest.of(Channel::Sms, name?, address, span))
}

/// An international telephone number (E.164).
fn number<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = text(item)?;
    let digits = text.strip_prefix('+').unwrap_or("");
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text);
    }
    item.wrong(
        format!("`{text}` is not an international number"),
        "write `+`, the country and the number without spaces, such as \"+8613800000001\"",
    )
}
