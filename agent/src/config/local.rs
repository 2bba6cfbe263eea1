//! `[http]`; `[sms]`, whose modem can be tested; and `[board]`, `[horn]`: checked in full, not active in
//! this version.

use super::alarms::PRIORITIES;
use super::report::Finding;
use super::values::{boolean, delay, host_port, integer, label, path, serial_port, some, text};
use super::walk::{Item, Section};
use crate::settings::{Http, NotActive, Sms};
use std::path::Path;

/// Speed of a modem's port; those on USB have none.
const BAUD: u32 = 115_200;

/// What is on the gateway itself.
pub(super) struct Local {
    /// The modem for text messages.
    pub(super) sms: Option<Sms>,
    /// What does not happen, because of which section.
    pub(super) not_active: Vec<NotActive>,
}

/// Reads the sections; files are relative to `base`.
pub(super) fn sections(root: &mut Section<'_>, base: &Path) -> Local {
    let mut not_active = Vec::new();
    let mut modem = None;
    let mut tell = |section: &str, why: &str| {
        not_active.push(NotActive {
            section: section.into(),
            why: why.into(),
        });
    };
    let board = root.section("board");
    let has_board = board.is_some();
    if let Some(section) = board {
        port(section);
        tell("[board]", "this version does not speak to the I/O board");
    }
    if let Some(section) = root.section("horn") {
        horn(section, has_board);
        tell("[horn]", "no horn sounds: alarms go to the broker only");
    }
    if let Some(section) = root.section("sms") {
        modem = sms(section, base);
        tell(
            "[sms]",
            "alarms send no messages yet: they go to the broker only; `andon sms test` works",
        );
    }
    Local {
        sms: modem,
        not_active,
    }
}

/// `[http]`: where the HTTP door listens.
pub(super) fn http(mut section: Section<'_>) -> Option<Http> {
    let listen = section.need("listen", "listen = \"127.0.0.1:8080\"", |item| {
        host_port(item, text(item)?, 8080, "127.0.0.1:8080")
    });
    section.finish();
    let (host, port) = listen?.value;
    Some(Http { host, port })
}

fn port(mut section: Section<'_>) {
    section.need("port", "port = \"/dev/serial/by-id/...\"", serial_port);
    section.read("optional", boolean);
    section.finish();
}

fn horn(mut section: Section<'_>, has_board: bool) {
    let through = |item: &Item<'_>| {
        let name = text(item)?;
        if name != "board" {
            return item.wrong(
                format!("a horn cannot sound through `{name}`"),
                "allowed in this version: board",
            );
        }
        if !has_board && !item.out.is_lost("board") {
            return item.wrong("there is no [board]", "add `[board]` with its `port`");
        }
        Some(())
    };
    section.need(
        "through",
        "through = [\"board\"]",
        some("a list such as [\"board\"]", through),
    );
    section.finish();
}

fn sms(mut section: Section<'_>, base: &Path) -> Option<Sms> {
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
