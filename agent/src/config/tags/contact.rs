//! A tag that a counting input of the I/O board tells: `board:count0`, `board:input3`.

use super::{At, Finding, Item, Section};
use crate::config::values::text;
use andon_core::tag::{Kind, Pin};
use andon_wire::INPUTS;
use toml::de::DeValue;

const BOARD: &str = "board:";

/// Whether a tag is written as one of the board.
pub(super) fn is_meant(section: &Section<'_>) -> bool {
    section.peek("at").is_some_and(
        |at| matches!(at.value, DeValue::String(text) if text.trim_start().starts_with(BOARD)),
    )
}

/// The input of a tag; `kind` is its type, if it says one.
pub(super) fn contact(section: &mut Section<'_>, kind: Option<&At<Kind>>) -> Option<Pin> {
    let pin = section.place("at", pin)?.value;
    let own = pin.kind();
    if let Some(kind) = kind.filter(|kind| kind.value != own) {
        let what = match pin {
            Pin::Count(_) => "a count of the board is a `u64`",
            Pin::Level(_) => "an input of the board is a `bool`: on or off",
        };
        section
            .out()
            .mistake(Finding::at(kind.span.clone(), what).hint("leave `type` out"));
        return None;
    }
    Some(pin)
}

fn pin(item: &Item<'_>) -> Option<Pin> {
    let text = text(item)?;
    let name = text.trim().strip_prefix(BOARD).unwrap_or_default();
    let number = |digits: &str| {
        let number = digits.parse::<u8>().ok()?;
        (usize::from(number) < INPUTS).then_some(number)
    };
    let count = name
        .strip_prefix("count")
        .map(|n| number(n).map(Pin::Count));
    let level = || {
        name.strip_prefix("input")
            .map(|n| number(n).map(Pin::Level))
    };
    match count.or_else(level).flatten() {
        Some(pin) => Some(pin),
        None => {
            let last = INPUTS - 1;
            item.wrong(
                format!("the board has no `{name}`"),
                format!(
                    "`board:count0` to `board:count{last}` count pulses, `board:input0` to \
                     `board:input{last}` are on or off"
                ),
            )
        }
    }
}
