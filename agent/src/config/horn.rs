//! `[horn]`: through what alarms are heard; checked in full, not active in this version.

use super::values::{some, text};
use super::walk::{Item, Section};

/// Reads the section; a horn may sound through the board only if there is one.
pub(super) fn horn(mut section: Section<'_>, has_board: bool) {
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
