//! `[board]`: the microcontroller I/O board; checked in full, not active in this version.

use super::values::{boolean, serial_port};
use super::walk::Section;

/// Reads the section.
pub(super) fn board(mut section: Section<'_>) {
    section.need("port", "port = \"/dev/serial/by-id/...\"", serial_port);
    section.read("optional", boolean);
    section.finish();
}
