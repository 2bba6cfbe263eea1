//! `[http]`; and `[board]`, `[horn]`, `[sms]`: checked in full, not active in this version.

use super::alarms::PRIORITIES;
use super::report::Finding;
use super::values::{boolean, delay, host_port, integer, label, serial_port, some, text};
use super::walk::{Item, Section};
use crate::settings::{Http, NotActive};

/// Checks the sections, and says what does not happen because of each.
pub(super) fn sections(root: &mut Section<'_>) -> Vec<NotActive> {
    let mut not_active = Vec::new();
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
        sms(section);
        tell(
            "[sms]",
            "nobody is sent a message: alarms go to the broker only",
        );
    }
    not_active
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

fn sms(mut section: Section<'_>) {
    section.need("modem", "modem = \"/dev/serial/by-id/...\"", serial_port);
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
}

/// An international telephone number (E.164).
fn number(item: &Item<'_>) -> Option<()> {
    let text = text(item)?;
    let digits = text.strip_prefix('+').unwrap_or("");
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(());
    }
    item.wrong(
        format!("`{text}` is not an international number"),
        "write `+`, the country and the number without spaces, such as \"+8613800000001\"",
    )
}
