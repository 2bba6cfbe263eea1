//! JSON Schema of payloads. Only what drafts 07 and 2020-12 have in common is used, so that the same
//! schema stands in the AsyncAPI document, whose readers know the older one.

use super::json::Json;
use andon_core::message::{Field, Payload, PayloadClass, Presence, Shape, Variant};

/// The schema of a payload as a file of its own.
pub(super) fn document(payload: &Payload) -> Json {
    let mut entries = vec![(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    )];
    entries.extend(titled(payload.name, payload.about));
    if payload.variants.is_empty() {
        entries.extend(keys(payload));
    } else {
        entries.push(("type".to_owned(), "object".into()));
        let variants = payload.variants.iter();
        let variants = variants.map(|variant| of_variant(payload, variant));
        entries.push(("oneOf".to_owned(), Json::List(variants.collect())));
    }
    Json::Object(entries)
}

/// The schema of a payload that is of one kind.
pub(super) fn of_payload(payload: &Payload) -> Json {
    Json::Object(keys(payload))
}

/// What others send may have more keys than are looked at.
fn keys(payload: &Payload) -> Vec<(String, Json)> {
    let mut entries = closed(&payload.fields, &payload.of_tags);
    if payload.class == PayloadClass::Command {
        entries.retain(|(key, _)| key != "additionalProperties");
    }
    entries
}

/// The schema of one kind of a payload.
pub(super) fn of_variant(payload: &Payload, variant: &Variant) -> Json {
    let words = variant.words.iter().copied();
    let word = Field {
        name: "event".to_owned(),
        shape: Shape::Words(words.collect()),
        null: false,
        presence: Presence::Always,
        about: "What happened.".to_owned(),
    };
    let fields: Vec<Field> = payload
        .fields
        .iter()
        .chain([&word])
        .chain(&variant.fields)
        .cloned()
        .collect();
    let mut entries = titled(&name_of(variant), variant.about);
    entries.extend(closed(&fields, &payload.of_tags));
    Json::Object(entries)
}

/// A name for a kind of event: `event-state`.
pub(super) fn name_of(variant: &Variant) -> String {
    format!("event-{}", variant.words.first().unwrap_or(&""))
}

fn titled(title: &str, about: &str) -> Vec<(String, Json)> {
    vec![
        ("title".to_owned(), title.into()),
        ("description".to_owned(), about.into()),
    ]
}

/// An object with these keys and no others.
fn closed(fields: &[Field], of_tags: &[Field]) -> Vec<(String, Json)> {
    let always = fields.iter().filter(|f| f.presence == Presence::Always);
    let properties = fields
        .iter()
        .map(|field| (field.name.clone(), value(field)));
    let mut entries = vec![
        ("type".to_owned(), "object".into()),
        (
            "required".to_owned(),
            Json::list(always.map(|field| field.name.clone())),
        ),
        ("properties".to_owned(), Json::object(properties)),
    ];
    if !of_tags.is_empty() {
        let patterns = of_tags.iter();
        let patterns = patterns.map(|field| (format!("^.+{}$", field.name), value(field)));
        entries.push(("patternProperties".to_owned(), Json::object(patterns)));
    }
    entries.push(("additionalProperties".to_owned(), false.into()));
    entries.extend(conditions(fields));
    entries
}

/// Keys that are there where another has a certain value, and nowhere else.
fn conditions(fields: &[Field]) -> Vec<(String, Json)> {
    let mut conditions = fields.iter().filter_map(|field| match field.presence {
        Presence::Where(key, value) => Some((key, value)),
        _ => None,
    });
    let Some((key, word)) = conditions.next() else {
        return Vec::new();
    };
    debug_assert!(conditions.all(|other| other == (key, word)));
    let concerned = || {
        let concerned = fields.iter();
        concerned.filter(|field| field.presence == Presence::Where(key, word))
    };
    let is_so = Json::object([(key, Json::object([("const", word.into())]))]);
    let required = Json::list(concerned().map(|field| field.name.clone()));
    let absent = Json::object(concerned().map(|field| (field.name.clone(), false.into())));
    vec![
        ("if".to_owned(), Json::object([("properties", is_so)])),
        ("then".to_owned(), Json::object([("required", required)])),
        ("else".to_owned(), Json::object([("properties", absent)])),
    ]
}

fn value(field: &Field) -> Json {
    let mut entries = vec![("description".to_owned(), about(field).into())];
    entries.extend(shape(&field.shape, field.null));
    Json::Object(entries)
}

fn about(field: &Field) -> String {
    match field.shape {
        Shape::Time => format!("{} Milliseconds since 1970-01-01T00:00:00Z.", field.about),
        _ => field.about.clone(),
    }
}

fn shape(shape: &Shape, null: bool) -> Vec<(String, Json)> {
    let types: &[&str] = match shape {
        Shape::Truth => &["boolean"],
        Shape::Count | Shape::Whole | Shape::Time | Shape::Only(_) => &["integer"],
        Shape::Number | Shape::Positive | Shape::Share => &["number"],
        Shape::Text | Shape::Pattern(_) | Shape::Words(_) => &["string"],
        Shape::Read => &["number", "string", "boolean"],
        Shape::ReadNumber => &["number", "boolean"],
        Shape::List(_) => &["array"],
    };
    let types: Vec<&str> = types
        .iter()
        .copied()
        .chain(null.then_some("null"))
        .collect();
    let kind = match types[..] {
        [only] => only.into(),
        _ => Json::list(types),
    };
    let more: Vec<(&str, Json)> = match shape {
        Shape::Count | Shape::Positive => vec![("minimum", 0.into())],
        Shape::Share => vec![("minimum", 0.into()), ("maximum", 1.into())],
        Shape::Only(number) => vec![("const", (*number).into())],
        Shape::Pattern(pattern) => vec![("pattern", (*pattern).into())],
        Shape::Words(words) => {
            let words = words.iter().map(|word| Json::from(*word));
            let null = null.then_some(Json::Null);
            vec![("enum", Json::List(words.chain(null).collect()))]
        }
        Shape::List(of) => vec![("items", Json::Object(self::shape(of, false)))],
        _ => Vec::new(),
    };
    let more = more.into_iter().map(|(key, value)| (key.to_owned(), value));
    std::iter::once(("type".to_owned(), kind))
        .chain(more)
        .collect()
}
