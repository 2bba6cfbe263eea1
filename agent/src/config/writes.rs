//! `allow_write` of a device: the addresses that may be written, with their values.

use super::report::Finding;
use super::tags::address;
use super::values::{list, whole};
use super::walk::{At, Item};
use andon_core::modbus::permit::{Allowed, Target};
use andon_core::tag::Table;
use std::ops::RangeInclusive;

/// One address without the unit that has it.
#[derive(Debug, Clone)]
pub(super) struct Write {
    target: Target,
    address: u16,
    values: RangeInclusive<u16>,
}

impl Write {
    pub(super) fn of_unit(self, unit: u8) -> Allowed {
        Allowed {
            unit,
            target: self.target,
            address: self.address,
            values: self.values,
        }
    }
}

pub(super) fn writes(item: &Item<'_>) -> Option<Vec<Write>> {
    list("a list such as [{ at = \"coil:0\" }]", write)(item)
}

fn write(item: &Item<'_>) -> Option<Write> {
    let mut section = item.section("a table such as `{ at = \"holding:5\", range = [0, 3] }`")?;
    let at = section.need("at", "at = \"coil:0\"", |item| {
        let (table, address) = address(item)?;
        match table {
            Table::Coil => Some((Target::Coil, address)),
            Table::Holding => Some((Target::Holding, address)),
            Table::Discrete | Table::Input => item.wrong(
                format!("`{}:` can only be read", table.as_str()),
                "only `coil:` and `holding:` can be written",
            ),
        }
    });
    let range: Option<At<RangeInclusive<u16>>> = section.place("range", values);
    let has_range = section.has("range");
    let (out, span) = (section.out(), section.span());
    section.finish();
    let (target, address) = at?.value;
    let values = match (target, range) {
        (Target::Coil, None) if !has_range => 0..=1,
        (Target::Coil, Some(range)) if *range.value.end() > 1 => {
            out.mistake(
                Finding::at(range.span, "a coil is 0 or 1")
                    .hint("leave `range` out, or write [0, 0] if it may only be switched off"),
            );
            return None;
        }
        (Target::Holding, None) if !has_range => {
            out.mistake(
                Finding::at(span, "this register could be given any value")
                    .hint("add the values it may be given: `range = [0, 3]`"),
            );
            return None;
        }
        (_, range) => range?.value,
    };
    Some(Write {
        target,
        address,
        values,
    })
}

/// The least and the greatest value, as they are on the wire.
fn values(item: &Item<'_>) -> Option<RangeInclusive<u16>> {
    let what = "two whole numbers from 0 to 65535, such as [0, 3]";
    let ends = item.elements(what)?;
    let raw = |end: &Item<'_>| whole(end.value).and_then(|value| u16::try_from(value).ok());
    match ends.as_slice() {
        [low, high] => match (raw(low), raw(high)) {
            (Some(low), Some(high)) if low <= high => Some(low..=high),
            (Some(_), Some(_)) => item.wrong(
                "no value is inside this range",
                "write the least value first, such as [0, 3]",
            ),
            _ => item.wrong(
                "these are not the raw values of a register",
                format!("write {what}"),
            ),
        },
        _ => item.wrong("a range has two ends", format!("write {what}")),
    }
}
