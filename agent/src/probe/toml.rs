//! Configuration to paste.

use super::collect::Why;
use super::found::{Found, Tag};
use super::report::Report;
use crate::config::show_ms;
use andon_core::tag::{Kind, Table};
use std::fmt::Write as _;

/// `[[device]]` with its tags and what it needs, after the `[[link]]` if that is not in the
/// configuration yet. Empty if there is no tag to write down.
pub fn toml(report: &Report, found: &Found) -> String {
    let mut text = String::new();
    let most = report
        .max_registers()
        .and_then(|most| u16::try_from(most).ok());
    let tags = found.tags.iter().filter_map(|tag| within(tag, most));
    let tags: Vec<Tag> = tags.collect();
    if tags.is_empty() {
        return text;
    }
    if let Some(link) = &report.link_section {
        text.push_str(link);
        text.push('\n');
    }
    let _ = writeln!(text, "[[device]]");
    let _ = writeln!(text, "id = \"unit-{}\"", report.unit);
    let _ = writeln!(text, "link = \"{}\"", report.link);
    let _ = writeln!(text, "unit = {}", report.unit);
    for (key, ms) in [
        ("between_requests", report.between_ms()),
        ("after_connect", report.after_ms),
    ] {
        if let Some(ms @ 1..) = ms {
            let _ = writeln!(text, "{key} = \"{}\"", show_ms(ms));
        }
    }
    if let Some(registers) = report.max_registers() {
        let _ = writeln!(text, "max_registers = {registers}");
    }
    let _ = writeln!(text, "\n[device.tags]");
    for tag in &tags {
        let _ = writeln!(text, "{} = {{ {} }}", name(tag), keys(tag));
    }
    text
}

/// The tag as far as the device gives it in one answer: a text may be shorter, a number not.
fn within(tag: &Tag, most: Option<u16>) -> Option<Tag> {
    let registers = tag.registers.min(most.unwrap_or(u16::MAX));
    let is_whole = registers == tag.registers || tag.kind == Kind::Text;
    is_whole.then(|| Tag {
        registers,
        ..tag.clone()
    })
}

/// A name that says where the value is.
fn name(tag: &Tag) -> String {
    let table = match tag.table {
        Table::Coil => "c",
        Table::Discrete => "d",
        Table::Holding => "r",
        Table::Input => "i",
    };
    format!("{table}{}", tag.address)
}

fn keys(tag: &Tag) -> String {
    let mut keys = format!(
        "at = \"{}:{}\", type = \"{}\"",
        tag.table.as_str(),
        tag.address,
        tag.kind.name()
    );
    if tag.kind == Kind::Text {
        let _ = write!(keys, ", length = {}", 2 * tag.registers);
    }
    if let Some(order) = tag.order_name() {
        let _ = write!(keys, ", order = \"{order}\"");
    }
    keys
}

/// How a device says that it does not have something, in words.
pub fn why(why: Why) -> String {
    match why {
        Why::Exception(code) => {
            format!("exception {code}: {}", crate::field::modbus::meaning(code))
        }
        Why::Silence => "no answer to requests for it".into(),
    }
}
