//! `[board]`: the microcontroller I/O board. It is a link like the others, devices are read through it;
//! and it has buttons.

use super::glob::glob_matches;
use super::links::{KindPart, LinkPart};
use super::nearest::suggest;
use super::report::Finding;
use super::serial::baud;
use super::values::{boolean, id, label, one_of, serial_port, some, text};
use super::walk::{At, Findings, Item, Section};
use crate::settings::{BOARD, Board};
use andon_core::call::Call;
use andon_core::plant::{Device, Means, ReasonButton, StopReason};
use andon_core::tag::{DeviceIndex, Source};
use std::sync::Arc;

/// Speed of a board on a UART; one on USB has none.
const BAUD: u32 = 115_200;

/// The buttons, in their order.
const BUTTONS: [&str; 3] = ["reason1", "reason2", "reason3"];

/// Reasons that need no texts.
const REASONS: [(&str, &str, &str); 3] = [
    ("no-material", "no material", "缺料"),
    ("breakdown", "breakdown", "故障"),
    ("changeover", "changeover", "换型"),
];

/// What can be called for.
const CALLS: [(&str, Call); 3] = [
    (Call::Material.as_str(), Call::Material),
    (Call::Quality.as_str(), Call::Quality),
    (Call::Maintenance.as_str(), Call::Maintenance),
];

/// What is said of the board besides its link, before devices are known.
#[derive(Debug, Default)]
pub(super) struct BoardPart {
    /// Whether there is one; also one with mistakes.
    pub(super) is_there: bool,
    buttons: [Option<ButtonPart>; 3],
}

/// A button before its devices are known.
#[derive(Debug)]
struct ButtonPart {
    means: Means,
    globs: Vec<At<String>>,
}

/// Reads the section and adds the link of the board, if there is one.
pub(super) fn add(root: &mut Section<'_>, links: &mut Vec<LinkPart>) -> BoardPart {
    let out = root.out();
    let Some(section) = root.section("board") else {
        return BoardPart {
            is_there: out.is_lost("board"),
            ..BoardPart::default()
        };
    };
    let (link, buttons) = board(section);
    match link {
        None => out.lose("board"),
        Some(board) => match links.iter().find(|link| *link.id == *board.id) {
            Some(taken) => out.mistake(
                Finding::at(
                    taken.span(),
                    format!("`{BOARD}` is the link of the I/O board"),
                )
                .hint("give this link another id")
                .also(board.span(), "the board"),
            ),
            None => links.push(board),
        },
    }
    BoardPart {
        is_there: true,
        buttons,
    }
}

fn board(mut section: Section<'_>) -> (Option<LinkPart>, [Option<ButtonPart>; 3]) {
    let span = section.span();
    let port = section.need("port", "port = \"/dev/serial/by-id/...\"", serial_port);
    let baud = section.read("baud", baud);
    let optional = section.read("optional", boolean);
    let buttons = BUTTONS.map(|key| section.read(key, button));
    section.finish();
    let link = port.map(|port| LinkPart {
        id: BOARD.into(),
        timeout_span: port.span,
        span,
        kind: KindPart::Board(Board {
            port: port.value.into(),
            baud: baud.unwrap_or(BAUD),
            optional: optional.unwrap_or(false),
        }),
    });
    (link, buttons)
}

fn button(item: &Item<'_>) -> Option<ButtonPart> {
    let example = "a table such as `{ stop = \"no-material\", devices = [\"press-*\"] }`";
    let mut section = item.section(example)?;
    let stop = section.place("stop", id);
    let call = section.place("call", one_of(&CALLS));
    if let (false, false) = (section.has("stop"), section.has("call")) {
        let what = "this does not say what the button means";
        let hint = "add `stop = \"no-material\"`, or `call = \"maintenance\"`";
        section
            .out()
            .mistake(Finding::at(item.span.clone(), what).hint(hint));
    }
    let en = section.read("en", label);
    let zh = section.read("zh", label);
    let glob = |item: &Item<'_>| {
        text(item).map(|text| At {
            value: text.to_owned(),
            span: item.span.clone(),
        })
    };
    let globs = section.need(
        "devices",
        "devices = [\"*\"]",
        some("a list such as [\"press-*\"]", glob),
    );
    let out = section.out();
    section.finish();
    let means = match (stop, call) {
        (Some(stop), Some(call)) => {
            let what = "a button either says why machines stand or calls somebody";
            let hint = "leave `stop` or `call` out";
            let finding = Finding::at(call.span, what).hint(hint);
            out.mistake(finding.also(stop.span, "the reason"));
            return None;
        }
        (Some(stop), None) => Means::Stop(reason(&stop, en, zh, out)?),
        (None, call) => {
            let call = call?;
            if en.is_some() || zh.is_some() {
                let what = "a call has its texts already";
                let hint = "leave `en` and `zh` out; an [[alarm]] changes how a call is told";
                out.mistake(Finding::at(call.span, what).hint(hint));
            }
            Means::Call(call.value)
        }
    };
    Some(ButtonPart {
        means,
        globs: globs?.value,
    })
}

/// A reason has a text in both languages: its own, or one that everybody knows.
fn reason(
    stop: &At<Arc<str>>,
    en: Option<Arc<str>>,
    zh: Option<Arc<str>>,
    out: &Findings,
) -> Option<StopReason> {
    let known = REASONS.iter().find(|(id, ..)| *stop.value == **id);
    let texts = match (en, zh, known) {
        (Some(en), Some(zh), _) => Some((en, zh)),
        (en, zh, Some((_, known_en, known_zh))) => Some((
            en.unwrap_or_else(|| (*known_en).into()),
            zh.unwrap_or_else(|| (*known_zh).into()),
        )),
        _ => None,
    };
    let Some((en, zh)) = texts else {
        let what = format!("what does `{}` mean to people?", stop.value);
        let names = REASONS.map(|(id, ..)| id).join(", ");
        out.mistake(Finding::at(stop.span.clone(), what).hint(format!(
            "add `en = \"...\"` and `zh = \"...\"`; known without them: {names}"
        )));
        return None;
    };
    Some(StopReason {
        id: stop.value.clone(),
        en: en.as_ref().into(),
        zh: zh.as_ref().into(),
    })
}

/// What the buttons mean, of which devices; and whether tags of the board have a board.
pub(super) fn buttons(
    part: BoardPart,
    devices: &[Device],
    out: &Findings,
) -> [Option<ReasonButton>; 3] {
    need(devices, part.is_there, out);
    part.buttons.map(|button| {
        let ButtonPart { means, globs } = button?;
        let with_state = matches!(means, Means::Stop(_));
        let devices = matched(&globs, devices, with_state, out);
        Some(ReasonButton { means, devices })
    })
}

/// The devices of a button; those `with_state` alone, if it is about that.
fn matched(
    globs: &[At<String>],
    devices: &[Device],
    with_state: bool,
    out: &Findings,
) -> Box<[DeviceIndex]> {
    let fits = |device: &&Device| !with_state || device.model.state.is_some();
    for glob in globs {
        let hits = |id: &str| glob_matches(&glob.value, id);
        let mut fitting = devices.iter().filter(fits);
        if fitting.any(|device| hits(&device.id)) || out.lost_any(hits) {
            continue;
        }
        let (what, hint) = match devices.iter().find(|device| hits(&device.id)) {
            Some(device) => (
                format!("`{}` has no state that could have a reason", device.id),
                "add `[device.state]`, or leave it out here".to_owned(),
            ),
            None => {
                let names = devices.iter().map(|device| &*device.id);
                let none = "write the id of a device; `*` stands for anything";
                (
                    format!("no device matches `{}`", glob.value),
                    suggest(&glob.value, names, none),
                )
            }
        };
        out.mistake(Finding::at(glob.span.clone(), what).hint(hint));
    }
    let is_meant = |device: &Device| {
        let mut globs = globs.iter();
        globs.any(|glob| glob_matches(&glob.value, &device.id))
    };
    let all = (0..).map(DeviceIndex).zip(devices);
    let meant = all.filter(|(_, device)| fits(device) && is_meant(device));
    meant.map(|(index, _)| index).collect()
}

/// Tags of a board that is not there.
fn need(devices: &[Device], has_board: bool, out: &Findings) {
    let of_board = |device: &&Device| {
        let mut tags = device.model.tags.iter();
        tags.any(|tag| matches!(tag.source, Source::Board(_)))
    };
    if let (Some(device), false) = (devices.iter().find(of_board), has_board) {
        let what = format!(
            "`{}` has tags of the I/O board, and there is no [board]",
            device.id
        );
        out.mistake(Finding::of_file(what).hint("add `[board]` with its `port`"));
    }
}
