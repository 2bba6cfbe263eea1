//! One tag: where it is, what type it has, what it counts.

pub(super) mod message;

use super::nearest::suggest;
use super::report::Finding;
use super::values::{integer, label, list, number, one_of, period, text, whole};
use super::walk::{At, Findings, Item, Section};
use andon_core::tag::{Counts, Format, Kind, Order, Point, Role, Source, Table, Tag};
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeValue;

/// Names that mean something else in the rules of alarms.
const TAKEN: [&str; 7] = ["state", "no_data", "and", "or", "not", "true", "false"];

const ROLES: [(&str, Counts); 3] = [
    ("good_count", Counts::Good),
    ("scrap_count", Counts::Scrap),
    ("total_count", Counts::Total),
];

const ORDERS: [(&str, Order); 4] = [
    ("abcd", Order::Abcd),
    ("cdab", Order::Cdab),
    ("badc", Order::Badc),
    ("dcba", Order::Dcba),
];

const TABLES: [Table; 4] = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];

/// What a tag says of where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComesBy {
    /// A table of Modbus and an address.
    Registers,
    /// A topic.
    Topic,
    /// A place in a document, but not in which.
    Document,
    /// Nothing: its own name may be enough.
    Name,
}

/// A tag as configured: complete but for the period, which may come from its device.
#[derive(Debug, Clone)]
pub(super) struct TagPart {
    pub(super) name: Arc<str>,
    pub(super) name_span: Range<usize>,
    pub(super) span: Range<usize>,
    pub(super) role_span: Range<usize>,
    pub(super) every: Option<u64>,
    tag: Tag,
}

impl TagPart {
    pub(super) fn role(&self) -> Option<Role> {
        self.tag.role
    }

    pub(super) fn comes_by(&self) -> ComesBy {
        match &self.tag.source {
            Source::Modbus(_) => ComesBy::Registers,
            Source::Message(place) if place.topic.is_some() => ComesBy::Topic,
            Source::Message(place) if place.format != Format::Bare => ComesBy::Document,
            Source::Message(_) => ComesBy::Name,
        }
    }

    /// The tag of a device with this period.
    pub(super) fn tag(&self, device_every: u64) -> Tag {
        Tag {
            every_ms: self.every.unwrap_or(device_every),
            ..self.tag.clone()
        }
    }
}

/// The tags of a table `tags`, in the order of the file.
pub(super) fn tags(item: &Item<'_>) -> Option<Vec<TagPart>> {
    let section = item.section("a table of tags: `NAME = { at = ..., type = ... }`")?;
    let tags = section.entries().into_iter().filter_map(|entry| {
        let tag = one_tag(&entry);
        if tag.is_none() {
            entry.out.lose(entry.key);
        }
        tag
    });
    Some(tags.collect())
}

fn one_tag(entry: &Item<'_>) -> Option<TagPart> {
    let named = check_name(entry);
    let mut section = entry
        .section("a table such as `{ at = \"holding:0\", type = \"u16\" }`")?
        .later(&["publish", "bit", "bits", "length", "max_rate"]);
    // Also where none is, so that a misspelt one is told.
    section.take("topic");
    let is_message = message::is_meant(&section);
    let kind = section.need("type", "type = \"u16\"", one_of(&Kind::ALL));
    let unit = section.read("unit", label);
    let range = section.place("range", range);
    let every = section.read("every", period);
    let role_item = section.place("role", one_of(&ROLES));
    let parts = section.place("parts", integer(1, 1_000_000));
    let source = if is_message {
        message::place(&mut section, kind.as_ref()).map(Source::Message)
    } else {
        modbus(&mut section, kind.as_ref()).map(Source::Modbus)
    };
    let role_span = role_item
        .as_ref()
        .map_or(entry.span.clone(), |at| at.span.clone());
    let role = role(
        section.out(),
        role_item,
        parts,
        kind.as_ref(),
        source.as_ref(),
    );
    let (out, before) = (section.out(), section.out().count());
    section.finish();
    if is_message && out.count() > before {
        // What is unknown here may be where it was to come from.
        return None;
    }
    let kind = kind?.value;
    if let (Some(range), Kind::Bool | Kind::Text) = (&range, kind) {
        no_range(entry.out, range);
    }
    named?;
    let name: Arc<str> = entry.key.into();
    Some(TagPart {
        name: name.clone(),
        name_span: entry.key_span.clone(),
        span: entry.span.clone(),
        role_span,
        every,
        tag: Tag {
            name,
            unit: unit.as_deref().unwrap_or("").into(),
            role,
            range: range.map(|at| at.value),
            every_ms: 0,
            source: source?,
        },
    })
}

fn no_range(out: &Findings, range: &At<(f64, f64)>) {
    out.mistake(
        Finding::at(range.span.clone(), "only numbers have a range").hint("leave `range` out"),
    );
}

fn check_name(entry: &Item<'_>) -> Option<()> {
    let name = entry.key;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let (what, hint) = if TAKEN.contains(&name) || super::rules::is_figure(name) {
        (
            format!("`{name}` means something else in the rules of alarms"),
            "choose another name, such as `status` or `mode`",
        )
    } else if name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain)
        && name.len() <= 40
    {
        return Some(());
    } else {
        (
            format!("`{name}` cannot be the name of a tag"),
            "use letters, digits, `_` and `-`, a letter first, at most 40",
        )
    };
    entry
        .out
        .mistake(Finding::at(entry.key_span.clone(), what).hint(hint));
    None
}

fn range(item: &Item<'_>) -> Option<(f64, f64)> {
    let all = item.elements("two numbers, such as [-20, 180]")?.len();
    let ends = list("two numbers, such as [-20, 180]", number)(item)?;
    match *ends.as_slice() {
        [low, high] if all == 2 && low < high => Some((low, high)),
        [_, _] if all == 2 => item.wrong(
            "no value is inside this range",
            "write the least value first, such as [-20, 180]",
        ),
        _ if ends.len() < all => None,
        _ => item.wrong(
            "a range has two ends",
            "write two numbers, such as [-20, 180]",
        ),
    }
}

fn modbus(section: &mut Section<'_>, kind: Option<&At<Kind>>) -> Option<Point> {
    let at = section.need("at", "at = \"holding:0\"", address);
    let order = section.place("order", one_of(&ORDERS));
    let scale = section.place("scale", scale);
    let offset = section.place("offset", number);
    let (at, kind) = (at?, kind?);
    let (table, address) = at.value;
    let out = section.out();
    if let Some((what, hint)) = misfit(table, kind.value) {
        out.mistake(Finding::at(kind.span.clone(), what).hint(hint));
        return None;
    }
    let last = u32::from(address) + u32::from(kind.value.registers()) - 1;
    if last > u32::from(u16::MAX) {
        let what = format!("this value would end at address {last}");
        out.mistake(Finding::at(at.span, what).hint("the last address is 65535"));
        return None;
    }
    if let (Some(order), 1) = (&order, kind.value.registers()) {
        out.mistake(
            Finding::at(
                order.span.clone(),
                "a value of one register has no order of words",
            )
            .hint("leave `order` out, or use a 32-bit type such as u32 or f32"),
        );
    }
    if let (Some(scaled), Kind::Bool) = (scale.as_ref().or(offset.as_ref()), kind.value) {
        out.mistake(
            Finding::at(scaled.span.clone(), "true and false cannot be scaled")
                .hint("leave it out, or use a number type such as u16"),
        );
    }
    Some(Point {
        table,
        address,
        kind: kind.value,
        order: order.map_or(Order::Abcd, |at| at.value),
        scale: scale.map_or(1.0, |at| at.value),
        offset: offset.map_or(0.0, |at| at.value),
    })
}

fn misfit(table: Table, kind: Kind) -> Option<(String, &'static str)> {
    if kind == Kind::Text {
        let what = "this version does not read texts from registers".to_owned();
        return Some((what, "use a number type such as u16"));
    }
    (table.is_bits() && kind != Kind::Bool).then(|| {
        (
            format!("a {} is one bit", table.as_str()),
            "write `type = \"bool\"`, or read a `holding:` or `input:` register",
        )
    })
}

fn scale(item: &Item<'_>) -> Option<f64> {
    match number(item)? {
        0.0 => item.wrong(
            "a scale of 0 makes every value 0",
            "leave `scale` out for 1",
        ),
        scale => Some(scale),
    }
}

/// `holding:10`. The numbers of manuals (40011) are refused with what they mean.
fn address(item: &Item<'_>) -> Option<(Table, u16)> {
    if let DeValue::Integer(_) = item.value {
        return manual_number(item, &whole(item.value).unwrap_or(-1).to_string());
    }
    let text = text(item)?;
    let Some((table, address)) = text.split_once(':') else {
        return manual_number(item, text);
    };
    let Some(table) = TABLES.into_iter().find(|known| known.as_str() == table) else {
        let hint = suggest(table, TABLES.map(Table::as_str), "");
        return item.wrong(format!("`{table}` is not a table of Modbus"), hint);
    };
    let digits = !address.is_empty() && address.bytes().all(|b| b.is_ascii_digit());
    match address.parse::<u32>() {
        Ok(address) if digits => match u16::try_from(address) {
            Ok(address) => {
                warn_of_manual_number(item, table, address);
                Some((table, address))
            }
            Err(_) => item.wrong(
                format!("address {address} does not exist"),
                "from 0 to 65535",
            ),
        },
        _ => item.wrong(
            format!("`{address}` is not a register address"),
            format!("write a number from 0, such as \"{}:10\"", table.as_str()),
        ),
    }
}

fn manual_number<T>(item: &Item<'_>, text: &str) -> Option<T> {
    let meant = from_manual(text);
    let hint = match meant {
        Some((table, address)) => format!(
            "write \"{}:{address}\": addresses count from 0, as on the wire",
            table.as_str()
        ),
        None if text.parse::<u16>().is_ok() => {
            format!("name the table too: \"holding:{text}\" or \"input:{text}\"")
        }
        None => "write table and address, such as \"holding:10\"".into(),
    };
    item.wrong(format!("`{text}` is not a register address"), hint)
}

/// What 40011, 400011, 30001, 10001 and 00001 mean in manuals.
fn from_manual(text: &str) -> Option<(Table, u32)> {
    if !(5..=6).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let table = match text.as_bytes()[0] {
        b'0' => Table::Coil,
        b'1' => Table::Discrete,
        b'3' => Table::Input,
        b'4' => Table::Holding,
        _ => return None,
    };
    let address = text[1..].parse::<u32>().ok()?.checked_sub(1)?;
    (address <= u32::from(u16::MAX)).then_some((table, address))
}

fn warn_of_manual_number(item: &Item<'_>, table: Table, address: u16) {
    let meant = from_manual(&address.to_string());
    if let Some((_, meant)) = meant.filter(|(of, _)| *of == table && !table.is_bits()) {
        let what = format!("{address} looks like a number from a manual");
        let hint = format!("if so, write \"{}:{meant}\"", table.as_str());
        item.out
            .warn(Finding::at(item.span.clone(), what).hint(hint));
    }
}

fn role(
    out: &Findings,
    role: Option<At<Counts>>,
    parts: Option<At<i64>>,
    kind: Option<&At<Kind>>,
    source: Option<&Source>,
) -> Option<Role> {
    let Some(role) = role else {
        if let Some(parts) = parts {
            out.mistake(
                Finding::at(parts.span, "`parts` says how many parts one count is")
                    .hint("add `role = \"good_count\"`, or leave `parts` out"),
            );
        }
        return None;
    };
    if let Some(kind) = kind.filter(|kind| !kind.value.is_integer() || kind.value == Kind::Bool) {
        out.mistake(
            Finding::at(kind.span.clone(), "a counter counts in whole numbers")
                .hint("use u16, i16, u32, i32, u64 or i64")
                .also(role.span.clone(), "this tag counts parts"),
        );
        return None;
    }
    let scaled = |point: &Point| point.scale != 1.0 || point.offset != 0.0;
    let is_scaled = match source {
        Some(Source::Modbus(point)) => scaled(point),
        Some(Source::Message(place)) => place.is_scaled(),
        None => false,
    };
    if is_scaled {
        out.mistake(
            Finding::at(role.span, "a counter cannot be scaled")
                .hint("leave `scale` and `offset` out; `parts = 4` says that a count is 4 parts"),
        );
        return None;
    }
    Some(Role {
        counts: role.value,
        parts: parts.map_or(Some(1), |at| u32::try_from(at.value).ok())?,
    })
}
