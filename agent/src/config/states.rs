//! `state` and `codes` of a profile or device: how its state is told, and what raw values mean.

mod derived;
mod status;

use super::report::Finding;
use super::values::label;
use super::walk::{Findings, Item, Section};
use andon_core::plant::{Code, States};
use andon_core::state::State;
use andon_core::tag::Tag;
use derived::DerivedPart;
use status::StatusPart;
use toml::de::DeValue;

pub(super) use derived::warn_if_slow;
pub(super) use status::position;

/// The states that a mapping may name.
const MAPPED: [State; 5] = [
    State::Producing,
    State::Setup,
    State::Delayed,
    State::Faulted,
    State::Idle,
];

/// How a state is told, as configured; what its values are is known with the tags.
#[derive(Debug, Clone)]
pub(super) enum StatePart {
    Status(StatusPart),
    Derived(DerivedPart),
}

/// A table `state`.
pub(super) fn state(item: &Item<'_>) -> Option<StatePart> {
    let mut section = item.section("a table: `{ from = \"status\", producing = [2] }`")?;
    let states = named(&mut section);
    let is_condition = |(entry, _): &(Item<'_>, State)| matches!(entry.value, DeValue::String(_));
    let is_derived = section.has("counter") || states.iter().any(is_condition);
    if is_derived && !section.has("from") {
        derived::derived(section, states).map(StatePart::Derived)
    } else {
        status::status(section, states).map(StatePart::Status)
    }
}

/// What says when the machine is in which state, in the order of the file.
fn named<'a>(section: &mut Section<'a>) -> Vec<(Item<'a>, State)> {
    let mut states = Vec::new();
    for entry in section.entries() {
        let Some(state) = State::from_name(entry.key) else {
            continue;
        };
        section.take(state.as_str());
        if MAPPED.contains(&state) {
            states.push((entry, state));
        } else {
            refuse_unmappable(&entry, state);
        }
    }
    for state in MAPPED {
        section.take(state.as_str());
    }
    states
}

fn refuse_unmappable(entry: &Item<'_>, state: State) {
    let hint = match state {
        State::PlannedStop => "it follows from the shift calendar; map these values to `idle`",
        _ => "values that no rule names are unknown by themselves",
    };
    let what = format!("`{}` cannot be mapped", entry.key);
    entry
        .out
        .mistake(Finding::at(entry.key_span.clone(), what).hint(hint));
}

impl StatePart {
    /// How the state is told over these tags.
    pub(super) fn resolve(&self, tags: &[Tag], out: &Findings) -> Option<States> {
        match self {
            StatePart::Status(part) => part.resolve(tags, out).map(States::Status),
            StatePart::Derived(part) => part.resolve(tags, out).map(States::Derived),
        }
    }
}

/// A table `codes`: `4 = { en = "...", zh = "..." }`.
pub(super) fn codes(item: &Item<'_>) -> Option<Vec<Code>> {
    let section = item.section("a table: `{ 4 = { en = \"...\", zh = \"...\" } }`")?;
    let codes = section
        .entries()
        .into_iter()
        .filter_map(|entry| code(&entry));
    Some(codes.collect())
}

fn code(entry: &Item<'_>) -> Option<Code> {
    let value = entry.key.parse::<i64>().ok();
    if value.is_none() {
        let what = format!("`{}` is not a raw status value", entry.key);
        entry.out.mistake(
            Finding::at(entry.key_span.clone(), what).hint("write a whole number, such as `4`"),
        );
    }
    let mut texts = entry.section("a table: `{ en = \"...\", zh = \"...\" }`")?;
    let en = texts.read("en", label);
    let zh = texts.read("zh", label);
    if texts.entries().is_empty() {
        let _: Option<()> = entry.wrong(
            "this code has no text",
            "write `{ en = \"...\", zh = \"...\" }`, or one of the two",
        );
    }
    texts.finish();
    // Who reads only the other language still gets a text.
    let (en, zh) = (en.clone().or_else(|| zh.clone())?, zh.or(en)?);
    Some(Code {
        value: value?,
        en: en.as_ref().into(),
        zh: zh.as_ref().into(),
    })
}
