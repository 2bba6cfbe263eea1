//! One tag: where it is, what type it has, what it counts.

mod address;
mod contact;
pub(super) mod message;
mod point;
mod role;

pub(super) use address::{address, from_manual};

use super::detect::{Detect, detect};
use super::pages::page_path;
use super::report::Finding;
use super::values::{boolean, integer, label, list, number, one_of, period};
use super::walk::{At, Findings, Item, Section};
use address::warn_of_manual_numbers;
use andon_core::tag::{Counts, Format, Kind, Role, Source, Summed, Table, Tag};
use point::{PointPart, point};
use role::{Counting, role};
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// Names that mean something else in conditions.
const TAKEN: [&str; 10] = [
    "state", "no_data", "suspect", "and", "or", "not", "true", "false", "bit", "else",
];

const ROLES: [(&str, Counts); 3] = [
    ("good_count", Counts::Good),
    ("scrap_count", Counts::Scrap),
    ("total_count", Counts::Total),
];

/// Where a tag comes from, as far as its own keys tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comes {
    /// A register or bit of Modbus.
    Register,
    /// A message on a topic.
    OnTopic,
    /// An input of the I/O board.
    OnBoard,
    /// A place in what a device answers.
    AtPointer,
    /// Whatever is called by its name.
    ByName,
}

/// A tag as configured: complete but for the period, which may come from its device.
#[derive(Debug, Clone)]
pub(super) struct TagPart {
    pub(super) name: Arc<str>,
    pub(super) name_span: Range<usize>,
    pub(super) role_span: Range<usize>,
    pub(super) every: Option<u64>,
    pub(super) detect: Option<Detect>,
    /// The page it stands on, if its device is asked by HTTP.
    pub(super) path: Option<At<Arc<str>>>,
    /// That it does not fit the link of a device was told; its others are no news.
    pub(super) told: Cell<bool>,
    /// The name of the tag that says by which power of ten it is scaled.
    pub(super) power_of_ten: Option<At<String>>,
    /// Where it is read, if by Modbus.
    at: Option<At<(Table, u16)>>,
    tag: Tag,
}

impl TagPart {
    pub(super) fn role(&self) -> Option<Role> {
        self.tag.role
    }

    pub(super) fn comes(&self) -> Comes {
        match &self.tag.source {
            Source::Modbus(_) => Comes::Register,
            Source::Board(_) => Comes::OnBoard,
            Source::Message(place) if place.topic.is_some() => Comes::OnTopic,
            Source::Message(place) if place.format != Format::Bare => Comes::AtPointer,
            Source::Message(_) => Comes::ByName,
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
    let tags: Vec<TagPart> = tags.collect();
    let places: Vec<_> = tags.iter().filter_map(|tag| tag.at.as_ref()).collect();
    warn_of_manual_numbers(&places, item.out);
    Some(tags)
}

fn one_tag(entry: &Item<'_>) -> Option<TagPart> {
    let named = check_name(entry);
    let mut section = entry
        .section("a table such as `{ at = \"holding:0\", type = \"u16\" }`")?
        .later(&["max_rate"]);
    let before = section.out().count();
    // Also where none is, so that a misspelt one is told.
    section.take("topic");
    section.take("at");
    let is_contact = contact::is_meant(&section);
    let is_message = !is_contact && message::is_meant(&section);
    let kind = match is_contact {
        // It has only one.
        true => section.place("type", one_of(&Kind::ALL)),
        false => section.need("type", "type = \"u16\"", one_of(&Kind::ALL)),
    };
    let unit = section.read("unit", label);
    let range = section.place("range", range);
    let every = section.read("every", period);
    let path = section.place("path", page_path);
    let publish = section.read("publish", boolean);
    let detect = section.read("detect", detect);
    let counter = section.place("counter", boolean);
    let counting = Counting {
        role: section.place("role", one_of(&ROLES)),
        parts: section.place("parts", integer(1, 1_000_000)),
        wrap: section.place("wrap", integer(2, i64::MAX)),
    };
    let role_span = counting
        .role
        .as_ref()
        .map_or(entry.span.clone(), |at| at.span.clone());
    let (source, at, power_of_ten) = if is_contact {
        let pin = contact::contact(&mut section, kind.as_ref());
        (pin.map(Source::Board), None, None)
    } else if is_message {
        let place = message::place(&mut section, kind.as_ref());
        (place.map(Source::Message), None, None)
    } else {
        match point(&mut section, kind.as_ref()) {
            Some(PointPart {
                point,
                at,
                power_of_ten,
            }) => (Some(Source::Modbus(point)), Some(at), power_of_ten),
            None => (None, None, None),
        }
    };
    let role = role(
        section.out(),
        counting,
        kind.as_ref(),
        source.as_ref(),
        power_of_ten.is_some(),
    );
    section.finish();
    if is_message && entry.out.count() > before {
        // Perhaps one of the keys that are wrong was to say where it comes from.
        return None;
    }
    let kind = match &source {
        Some(Source::Board(pin)) => pin.kind(),
        _ => kind?.value,
    };
    if let (Some(range), Kind::Bool | Kind::Text) = (&range, kind) {
        no_range(entry.out, range);
    }
    named?;
    let name: Arc<str> = entry.key.into();
    Some(TagPart {
        name: name.clone(),
        name_span: entry.key_span.clone(),
        role_span,
        every,
        detect,
        path,
        told: Cell::new(false),
        power_of_ten,
        at,
        tag: Tag {
            name,
            unit: unit.as_deref().unwrap_or("").into(),
            role,
            summed: summed(entry.out, kind, role, &unit, publish, counter),
            range: range.map(|at| at.value),
            every_ms: 0,
            source: source?,
        },
    })
}

/// Units of what meters count up.
const COUNTED: [&str; 9] = [
    "Wh", "kWh", "MWh", "GWh", "varh", "kvarh", "Mvarh", "VAh", "kVAh",
];

/// What a tag comes to over a window: energies and counts of parts are counters, unless it says
/// otherwise.
fn summed(
    out: &Findings,
    kind: Kind,
    role: Option<Role>,
    unit: &Option<Arc<str>>,
    publish: Option<bool>,
    counter: Option<At<bool>>,
) -> Summed {
    if let (Some(counter), true) = (&counter, matches!(kind, Kind::Bool | Kind::Text)) {
        out.mistake(
            Finding::at(counter.span.clone(), "only numbers count up").hint("leave `counter` out"),
        );
    }
    let is_energy = || unit.as_deref().is_some_and(|unit| COUNTED.contains(&unit));
    match (publish, kind) {
        (Some(false), _) | (_, Kind::Text) => Summed::Not,
        _ if counter.map_or_else(|| role.is_some() || is_energy(), |at| at.value) => {
            Summed::Counter
        }
        _ => Summed::Level,
    }
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
            format!("`{name}` means something else in conditions"),
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
