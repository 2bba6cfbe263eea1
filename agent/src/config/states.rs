//! `state` and `codes` of a profile or device: what raw status values mean.

use super::nearest::suggest;
use super::report::Finding;
use super::values::{label, text, whole};
use super::walk::{At, Findings, Item};
use andon_core::plant::{Code, Match, StateMap};
use andon_core::sample::Text;
use andon_core::state::State;
use andon_core::tag::{Kind, Tag, TagIndex};
use toml::de::DeValue;

/// The states that a mapping may name.
const MAPPED: [State; 5] = [
    State::Producing,
    State::Setup,
    State::Delayed,
    State::Faulted,
    State::Idle,
];

/// A state mapping as configured; what its values are is known with the type of `from`.
#[derive(Debug, Clone)]
pub(super) struct StatePart {
    from: At<String>,
    rules: Vec<(At<Raw>, State)>,
}

#[derive(Debug, Clone)]
enum Raw {
    Int(i64),
    Text(String),
    Bool(bool),
}

/// A table `state`, its rules in the order of the file.
pub(super) fn state(item: &Item<'_>) -> Option<StatePart> {
    let mut section = item.section("a table: `{ from = \"status\", producing = [2] }`")?;
    let from = section.need("from", "from = \"status\"", |item| {
        text(item).map(str::to_owned)
    });
    let mut rules = Vec::new();
    for entry in section.entries() {
        if entry.key == "from" {
            continue;
        }
        if let Some(state) = MAPPED.into_iter().find(|state| state.as_str() == entry.key) {
            section.take(state.as_str());
            rules.extend(values(&entry).into_iter().map(|raw| (raw, state)));
        } else if let Some(state) = State::from_name(entry.key) {
            section.take(state.as_str());
            refuse_unmappable(&entry, state);
        }
    }
    for state in MAPPED {
        section.take(state.as_str());
    }
    if rules.is_empty() {
        section.out().mistake(
            Finding::at(section.span(), "this maps no value to a state")
                .hint("add at least `producing = [...]`"),
        );
    }
    section.finish();
    Some(StatePart { from: from?, rules })
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

fn values(entry: &Item<'_>) -> Vec<At<Raw>> {
    let elements = entry.elements("a list of values, such as [2] or [\"4..99\"]");
    let raw = |item: Item<'_>| {
        let value = match item.value {
            DeValue::Boolean(value) => Raw::Bool(*value),
            DeValue::String(text) => match range(text) {
                Some((low, high)) if low > high => {
                    return item.wrong(
                        "no value is inside this range",
                        format!("write the least value first: \"{high}..{low}\""),
                    );
                }
                _ => Raw::Text(text.to_string()),
            },
            DeValue::Integer(_) => match whole(item.value) {
                Some(value) => Raw::Int(value),
                None => return item.wrong("this number is too large", "at most 64 bits"),
            },
            _ => return item.expected("whole numbers, ranges (\"4..99\"), texts, true or false"),
        };
        Some(At {
            value,
            span: item.span,
        })
    };
    elements
        .unwrap_or_default()
        .into_iter()
        .filter_map(raw)
        .collect()
}

impl StatePart {
    /// The mapping over these tags.
    pub(super) fn resolve(&self, tags: &[Tag], out: &Findings) -> Option<StateMap> {
        let at = tags.iter().position(|tag| *tag.name == *self.from.value);
        let Some(at) = at else {
            if !out.is_lost(&self.from.value) {
                let what = format!("there is no tag `{}`", self.from.value);
                let names = tags.iter().map(|tag| &*tag.name);
                let hint = suggest(&self.from.value, names, "add it to `tags`");
                out.mistake(Finding::at(self.from.span.clone(), what).hint(hint));
            }
            return None;
        };
        let mut rules: Vec<(Match, State)> = Vec::new();
        for (raw, state) in &self.rules {
            match compared(&raw.value, &tags[at]) {
                Ok(rule) => {
                    warn_if_unreachable(&rules, &rule, raw, out);
                    rules.push((rule, *state));
                }
                Err((what, hint)) => out.mistake(
                    Finding::at(raw.span.clone(), what)
                        .hint(hint)
                        .also(self.from.span.clone(), "compared with this tag"),
                ),
            }
        }
        let from = TagIndex(u16::try_from(at).ok()?);
        Some(StateMap { from, rules })
    }
}

/// What a raw value of the file is compared with, given the type of the status tag.
fn compared(raw: &Raw, tag: &Tag) -> Result<Match, (String, String)> {
    let kind = tag.kind();
    match (kind, raw) {
        (Kind::Text, Raw::Text(text)) if text.len() <= Text::new().capacity() => {
            Ok(Match::Text(text.as_str().into()))
        }
        (Kind::Text, Raw::Text(_)) => Err((
            "this text is too long to be read".into(),
            format!("at most {} bytes", Text::new().capacity()),
        )),
        (Kind::Bool, Raw::Bool(value)) => Ok(Match::Bool(*value)),
        (Kind::Bool | Kind::Text, _) => {
            let (is, hint) = match kind {
                Kind::Bool => ("true or false", "write [true] or [false]"),
                _ => ("a text", "write texts in quotes, such as [\"run\"]"),
            };
            Err((format!("`{}` is {is}", tag.name), hint.into()))
        }
        (_, Raw::Int(value)) => in_type(*value, *value, tag),
        (_, Raw::Text(text)) => match range(text) {
            Some((low, high)) => in_type(low, high, tag),
            None => Err((
                format!("`{}` is a number", tag.name),
                "write numbers, such as [2], or ranges, such as [\"4..99\"]".into(),
            )),
        },
        (_, Raw::Bool(_)) => Err((
            format!("`{}` is a number", tag.name),
            "write numbers, such as [2], or ranges, such as [\"4..99\"]".into(),
        )),
    }
}

fn range(text: &str) -> Option<(i64, i64)> {
    let (low, high) = text.split_once("..")?;
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}

/// A value that the type does not have is a mistake, unless it is scaled into something else.
fn in_type(low: i64, high: i64, tag: &Tag) -> Result<Match, (String, String)> {
    match tag.limits() {
        Some((least, most)) if low < least || high > most => {
            let what = format!("`{}` never has this value", tag.name);
            Err((what, format!("its type goes from {least} to {most}")))
        }
        _ => Ok(Match::Range(low, high)),
    }
}

fn warn_if_unreachable(rules: &[(Match, State)], rule: &Match, raw: &At<Raw>, out: &Findings) {
    let covers = |(earlier, _): &&(Match, State)| match (earlier, rule) {
        (Match::Range(from, to), Match::Range(low, high)) => from <= low && high <= to,
        (earlier, rule) => earlier == rule,
    };
    if let Some((_, state)) = rules.iter().find(covers) {
        let what = format!(
            "this never matches: the value is already `{}`",
            state.as_str()
        );
        out.warn(
            Finding::at(raw.span.clone(), what)
                .hint("the first match wins: move it up, or take it out"),
        );
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
