//! `[board]`: the microcontroller I/O board. It is a link like the others: devices are read through it.

use super::links::{KindPart, LinkPart};
use super::report::Finding;
use super::serial::baud;
use super::values::{boolean, serial_port};
use super::walk::{Findings, Section};
use crate::settings::{BOARD, Board};
use andon_core::plant::Device;
use andon_core::tag::Source;

/// Speed of a board on a UART; one on USB has none.
const BAUD: u32 = 115_200;

/// Reads the section.
fn board(mut section: Section<'_>) -> Option<LinkPart> {
    let span = section.span();
    let port = section.need("port", "port = \"/dev/serial/by-id/...\"", serial_port);
    let baud = section.read("baud", baud);
    let optional = section.read("optional", boolean);
    section.finish();
    let port = port?;
    Some(LinkPart {
        id: BOARD.into(),
        timeout_span: port.span,
        span,
        kind: KindPart::Board(Board {
            port: port.value.into(),
            baud: baud.unwrap_or(BAUD),
            optional: optional.unwrap_or(false),
        }),
    })
}

/// Adds the link of the board, if there is one; false only if `[board]` is not there at all.
pub(super) fn add(root: &mut Section<'_>, links: &mut Vec<LinkPart>) -> bool {
    let out = root.out();
    let Some(section) = root.section("board") else {
        return out.is_lost("board");
    };
    let Some(board) = board(section) else {
        out.lose("board");
        return true;
    };
    match links.iter().find(|link| *link.id == *board.id) {
        Some(taken) => out.mistake(
            Finding::at(
                taken.span(),
                format!("`{BOARD}` is the link of the I/O board"),
            )
            .hint("give this link another id")
            .also(board.span(), "the board"),
        ),
        None => links.push(board),
    }
    true
}

/// Tags of a board that is not there.
pub(super) fn need(devices: &[Device], has_board: bool, out: &Findings) {
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
