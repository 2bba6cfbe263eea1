//! A tag that comes by a message: its topic, and where in the message it stands.

use super::point::scale;
use super::{At, Finding, Item, Section, number};
use crate::config::values::{integer, one_of, text, whole};
use andon_core::tag::{Column, CsvPlace, Format, JsonPlace, Kind, Literal, Place, TimeUnit};
use std::sync::Arc;
use toml::de::DeValue;

/// What stands for the device in topics and conditions.
pub(in crate::config) const DEVICE: &str = "{device}";

const SEPARATORS: [(&str, u8); 4] = [(",", b','), (";", b';'), ("\t", b'\t'), ("|", b'|')];

const TIME_UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Seconds),
    ("ms", TimeUnit::Millis),
    ("us", TimeUnit::Micros),
    ("ns", TimeUnit::Nanos),
];

/// Columns that are looked at, as many as the field does.
const MOST_COLUMNS: i64 = 1024;

/// Keys that no tag has that is read from registers.
const OWN_KEYS: [&str; 7] = [
    "topic",
    "metric",
    "csv",
    "each",
    "where",
    "time",
    "time_unit",
];

/// Whether a tag is written as one that comes by messages. One that says nothing of its place may
/// be: what is pushed by name has none.
pub(super) fn is_meant(section: &Section<'_>) -> bool {
    let pointer =
        |at: &Item<'_>| matches!(at.value, DeValue::String(text) if text.starts_with('/'));
    OWN_KEYS.iter().any(|key| section.has(key))
        || match section.peek("at") {
            Some(at) => pointer(&at),
            None => !section.has_blanked("at") && !section.has("order"),
        }
}

/// The place of a tag; its keys are taken in any case, so that each is known.
pub(super) fn place(section: &mut Section<'_>, kind: Option<&At<Kind>>) -> Option<Place> {
    let out = section.out();
    let before = out.count();
    let topic = section.place("topic", topic);
    let scale = section.place("scale", scale);
    let offset = section.place("offset", number);
    let time_unit = section.place("time_unit", one_of(&TIME_UNITS));
    let format = format(section);
    if let (Some(unit), false) = (&time_unit, section.has("time")) {
        let what = "`time_unit` says what a time stamp counts";
        let hint = "add `time`, the place of the time stamp, or leave `time_unit` out";
        out.mistake(Finding::at(unit.span.clone(), what).hint(hint));
    }
    let scaled = scale.as_ref().or(offset.as_ref());
    if let (Some(scaled), Some(Kind::Bool | Kind::Text)) = (scaled, kind.map(|at| at.value)) {
        out.mistake(
            Finding::at(scaled.span.clone(), "only numbers can be scaled")
                .hint("leave it out, or use a number type such as f64"),
        );
    }
    if let Some(kind) = kind.filter(|kind| is_of_registers(kind.value)) {
        let what = format!("`{}` is a type of registers", kind.value.name());
        let hint = "messages carry numbers as such: use u16, u32, i64 or f64";
        out.mistake(Finding::at(kind.span.clone(), what).hint(hint));
    }
    let format = format?;
    if let Format::Metric(_) = format {
        check_metric(section, topic.as_ref());
    } else if let Some(topic) = topic.as_ref().filter(|at| at.value.starts_with("spBv1.0/")) {
        let what = "messages of Sparkplug are read by metric";
        let hint = "add `metric = \"NAME\"`, the name of the metric";
        out.mistake(Finding::at(topic.span.clone(), what).hint(hint));
    }
    if out.count() > before {
        return None;
    }
    Some(Place {
        topic: topic.map(|at| at.value),
        format,
        kind: kind?.value,
        scale: scale.map_or(1.0, |at| at.value),
        offset: offset.map_or(0.0, |at| at.value),
        time_unit: time_unit.map(|at| at.value),
    })
}

/// Whether it is only a way to write a value into registers.
fn is_of_registers(kind: Kind) -> bool {
    kind.is_bcd() || kind.is_time() || kind == Kind::F16
}

fn format(section: &mut Section<'_>) -> Option<Format> {
    let ways = ["at", "csv", "metric"];
    let given: Vec<Item<'_>> = ways
        .into_iter()
        .filter_map(|key| section.take(key))
        .collect();
    if let [first, second, ..] = given.as_slice() {
        let what = format!(
            "a value is found by either `{}` or `{}`",
            first.key, second.key
        );
        section.out().mistake(
            Finding::at(second.key_span.clone(), what)
                .hint(format!("leave `{}` or `{}` out", first.key, second.key))
                .also(first.key_span.clone(), "already said here"),
        );
    }
    let is_json = section.has("at") || section.has("each") || section.has("where");
    let format = match given.first() {
        Some(item) if item.key == "csv" => csv(section, item),
        Some(item) if item.key == "metric" => text(item).map(|name| Format::Metric(name.into())),
        _ if is_json => json(section, given.first()),
        _ => Some(Format::Bare),
    };
    // What belongs to another way is said to be out of place, not unknown.
    let others: &[(&'static str, &str)] = match format {
        Some(Format::Bare) => &[("separator", "`csv`"), ("time", "`at` or `csv`")],
        Some(Format::Csv(_)) => &[("each", "`at`"), ("where", "`at`")],
        Some(Format::Json(_)) => &[("separator", "`csv`")],
        Some(Format::Metric(_)) => &[
            ("separator", "`csv`"),
            ("each", "`at`"),
            ("where", "`at`"),
            ("time", "`at` or `csv`; a metric has its own time"),
        ],
        None => &[],
    };
    for (key, with) in others {
        if let Some(item) = section.take(key) {
            let what = format!("`{key}` goes with {with}");
            section.out().mistake(
                Finding::at(item.key_span.clone(), what).hint(format!("leave `{key}` out")),
            );
        }
    }
    for key in ["each", "where", "separator", "time"] {
        section.take(key);
    }
    format
}

fn json(section: &mut Section<'_>, at: Option<&Item<'_>>) -> Option<Format> {
    let before = section.out().count();
    // Elements of an array may be the values themselves.
    let at = match at {
        Some(at) => pointer(at),
        None => Some("".into()),
    };
    let each = section.read("each", |item| match item.value {
        DeValue::String(text) if text.is_empty() => Some("".into()),
        _ => pointer(item),
    });
    let conditions = section.read("where", conditions).unwrap_or_default();
    let time = section.read("time", pointer);
    if section.out().count() > before {
        return None;
    }
    Some(Format::Json(JsonPlace {
        each,
        conditions,
        at: at?,
        time,
    }))
}

fn csv(section: &mut Section<'_>, at: &Item<'_>) -> Option<Format> {
    let before = section.out().count();
    let column_of_value = column(at);
    let time = section.read("time", column);
    let separator = section.read("separator", one_of(&SEPARATORS));
    if section.out().count() > before {
        return None;
    }
    Some(Format::Csv(CsvPlace {
        column: column_of_value?,
        time,
        separator,
    }))
}

fn column(item: &Item<'_>) -> Option<Column> {
    match item.value {
        DeValue::String(_) => text(item).map(|name| Column::Name(name.trim().into())),
        DeValue::Integer(_) => {
            let number = integer(1, MOST_COLUMNS)(item)? - 1;
            u16::try_from(number).ok().map(Column::Number)
        }
        _ => item.expected("the number of a column from 1, or its name in the first row"),
    }
}

/// Pointers with what must be there.
type Conditions = Box<[(Box<str>, Literal)]>;

fn conditions(item: &Item<'_>) -> Option<Conditions> {
    let section = item.section("what must be where: `{ \"/name\" = \"temp\" }`")?;
    let entries = section.entries().into_iter();
    let conditions: Option<Vec<_>> = entries
        .map(|entry| {
            let mut name = entry.clone();
            name.span = entry.key_span.clone();
            Some((pointer_in(&name, entry.key)?, literal(&entry)?))
        })
        .collect();
    match conditions {
        Some(conditions) if conditions.is_empty() => item.wrong(
            "this names no condition",
            "write what must be where, such as `{ \"/name\" = \"temp\" }`, or leave it out",
        ),
        conditions => conditions.map(Vec::into_boxed_slice),
    }
}

fn literal(item: &Item<'_>) -> Option<Literal> {
    match item.value {
        DeValue::String(text) if &**text == DEVICE => Some(Literal::Device),
        DeValue::String(text) => Some(Literal::Text((&**text).into())),
        DeValue::Boolean(truth) => Some(Literal::Bool(*truth)),
        DeValue::Integer(_) => match whole(item.value) {
            Some(number) => Some(Literal::Int(number)),
            None => item.wrong("this number is too large", "write it as a text, or smaller"),
        },
        DeValue::Float(_) => number(item).map(Literal::Float),
        _ => item.expected("a text, a number, true or false"),
    }
}

fn topic(item: &Item<'_>) -> Option<Arc<str>> {
    let text = text(item)?;
    let what = format!("`{text}` is not a topic one can read from");
    if text.contains(['\0', '#']) || text.len() > 200 {
        return item.wrong(
            what,
            "write every level of the topic; `+` stands for any one level, `{device}` for the device",
        );
    }
    if text
        .split('/')
        .any(|level| level != "+" && level.contains('+'))
    {
        return item.wrong(what, "`+` stands for a whole level: `line1/+/state`");
    }
    if text.replace(DEVICE, "").contains(['{', '}']) {
        return item.wrong(what, "only `{device}` stands for something in a topic");
    }
    Some(text.into())
}

/// A metric is named anew by each birth certificate of its one device.
fn check_metric(section: &Section<'_>, topic: Option<&At<Arc<str>>>) {
    let out = section.out();
    let hint = "write `topic = \"spBv1.0/GROUP/DDATA/NODE/DEVICE\"`, or \
                \"spBv1.0/GROUP/NDATA/NODE\" for a metric of the node itself";
    let Some(topic) = topic else {
        if !section.has("topic") {
            let what = "a metric needs the topic of its Sparkplug device";
            out.mistake(Finding::at(section.span(), what).hint(hint));
        }
        return;
    };
    let levels: Vec<&str> = topic.value.split('/').collect();
    let fits = match levels.as_slice() {
        ["spBv1.0", group, "NDATA", node] => ![group, node].contains(&&"+"),
        ["spBv1.0", group, "DDATA", node, device] => ![group, node, device].contains(&&"+"),
        _ => false,
    };
    if !fits {
        let what = format!(
            "`{}` is not the data topic of a Sparkplug device",
            topic.value
        );
        out.mistake(Finding::at(topic.span.clone(), what).hint(hint));
    }
}

fn pointer(item: &Item<'_>) -> Option<Box<str>> {
    pointer_in(item, text(item)?)
}

fn pointer_in(item: &Item<'_>, text: &str) -> Option<Box<str>> {
    if !text.starts_with('/') {
        return item.wrong(
            format!("`{text}` is not a JSON pointer"),
            format!("write \"/{}\" (RFC 6901)", text.replace('.', "/")),
        );
    }
    let escapes_end_well = |part: &str| part.starts_with(['0', '1']);
    if !text.split('~').skip(1).all(escapes_end_well) {
        return item.wrong(
            format!("`{text}` is not a JSON pointer"),
            "write `~0` for `~` and `~1` for `/` inside a name (RFC 6901)",
        );
    }
    Some(text.into())
}

/// What a topic is for one device.
pub(in crate::config) fn topic_of(template: &str, called: &str) -> String {
    template.replace(DEVICE, called)
}

/// The filter that stands for the topics of all devices, if the device is a whole level in it.
pub(in crate::config) fn topic_of_all(template: &str) -> Option<String> {
    let levels = template.split('/').map(|level| match level {
        DEVICE => Some("+"),
        level if level.contains(DEVICE) => None,
        level => Some(level),
    });
    let levels: Vec<&str> = levels.collect::<Option<_>>()?;
    let filter = levels.join("/");
    (filter != template).then_some(filter)
}
