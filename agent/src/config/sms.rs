//! `[sms]`: the modem, and the people who get text messages.

use super::alarms::PRIORITIES;
use super::report::Finding;
use super::values::{boolean, delay, integer, label, path, serial_port, text};
use super::walk::{Item, Section};
use crate::settings::Sms;
use std::path::Path;

/// Speed of a modem's port; those on USB have none.
const BAUD: u32 = 115_200;

/// Reads the section; files are relative to `base`.
pub(super) fn sms(mut section: Section<'_>, base: &Path) -> Option<Sms> {
    let modem = section.need("modem", "modem = \"/dev/serial/by-id/...\"", serial_port);
    let baud = section.read("baud", super::serial::baud);
    let pin_file = section.read("pin_file", |item| path(item).map(|path| base.join(path)));
    let service_centre = section.read("service_centre", |item| number(item).map(str::to_owned));
    section.read("optional", boolean);
    section.read("per_hour", integer(1, 3600));
    let persons = section.sections("person");
    if persons.is_empty() && !section.out().is_lost("person") {
        section.out().mistake(
            Finding::at(section.span(), "there is nobody to send messages to")
                .hint("add `[[sms.person]]` with `name` and `number`"),
        );
    }
    for mut person in persons {
        person.need("name", "name = \"Shift lead\"", label);
        person.need("number", "number = \"+8613800000001\"", number);
        person.read("from_priority", super::values::one_of(&PRIORITIES));
        person.read("after", delay);
        person.finish();
    }
    section.finish();
    Some(Sms {
        modem: modem?.value.into(),
        baud: baud.unwrap_or(BAUD),
        pin_file,
        service_centre,
    })
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
