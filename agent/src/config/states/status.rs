//! A state that a status tag tells: which of its values mean what.

use crate::config::nearest::suggest;
use crate::config::report::Finding;
use crate::config::rules::bit_misfit;
use crate::config::values::{text, whole};
use crate::config::walk::{At, Findings, Item, Section};
use andon_core::plant::{Match, StateMap};
use andon_core::sample::{Text, Value};
use andon_core::state::State;
use andon_core::tag::{Kind, Tag, TagIndex};
use toml::de::DeValue;

/// Whether every value of a range is already mapped is looked at one by one, up to so many.
const LOOKED_AT: i64 = 1 << 16;

/// A mapping of values as configured; what they are is known with the type of `from`.
#[derive(Debug, Clone)]
pub(in crate::config) struct StatusPart {
    from: At<String>,
    rules: Vec<(At<Raw>, State)>,
}

#[derive(Debug, Clone)]
enum Raw {
    Int(i64),
    Text(String),
    Bool(bool),
}

/// A table `state` with `from`.
pub(super) fn status(
    mut section: Section<'_>,
    states: Vec<(Item<'_>, State)>,
) -> Option<StatusPart> {
    let from = section.need("from", "from = \"status\"", |item| {
        text(item).map(str::to_owned)
    });
    let out = section.out();
    if let (Some(from), Some(counter)) = (&from, section.take("counter")) {
        out.mistake(
            Finding::at(counter.key_span, "`from` and `counter` both tell the state")
                .hint("leave one of them out; a machine with a status needs no counter for it")
                .also(from.span.clone(), "the status tag"),
        );
    } else {
        for key in ["idle_after", "stopped"] {
            if let Some(item) = section.take(key) {
                let what = format!("`{key}` is for a state that a counter tells");
                let hint = "leave it out, or write `counter` in place of `from`";
                out.mistake(Finding::at(item.key_span, what).hint(hint));
            }
        }
    }
    for key in ["idle_after", "stopped"] {
        section.take(key);
    }
    // What is wrong with a value was told where it stands.
    let is_silent = |(entry, _): &(Item<'_>, State)| match entry.value {
        DeValue::Array(list) => list.is_empty(),
        _ => false,
    };
    let maps_nothing = states.iter().all(is_silent);
    let mut rules = Vec::new();
    for (entry, state) in states {
        rules.extend(values(&entry).into_iter().map(|raw| (raw, state)));
    }
    if maps_nothing {
        out.mistake(
            Finding::at(section.span(), "this maps no value to a state")
                .hint("add at least `producing = [...]`"),
        );
    }
    section.finish();
    Some(StatusPart { from: from?, rules })
}

fn values(entry: &Item<'_>) -> Vec<At<Raw>> {
    let list = match entry.value {
        DeValue::String(_) => "a list of its values, such as [2]; conditions have no `from`",
        _ => "a list of values, such as [2] or [\"4..99\"]",
    };
    let elements = entry.elements(list);
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
            DeValue::Float(_) => {
                return item.wrong(
                    "a status has whole numbers only",
                    "write the numbers that it reads, before any scale: [2] or \"4..99\"",
                );
            }
            _ => {
                return item.expected(
                    "numbers, ranges (\"4..99\"), bits (\"bit 3\"), texts, true or false",
                );
            }
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

impl StatusPart {
    /// The mapping over these tags.
    pub(super) fn resolve(&self, tags: &[Tag], out: &Findings) -> Option<StateMap> {
        let at = position(&self.from, tags, out)?;
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

/// Where the tag with this name is; that there is none is a mistake.
pub(in crate::config) fn position(
    name: &At<String>,
    tags: &[Tag],
    out: &Findings,
) -> Option<usize> {
    let at = tags.iter().position(|tag| *tag.name == *name.value);
    if at.is_none() && !out.is_lost(&name.value) {
        let what = format!("there is no tag `{}`", name.value);
        let names = tags.iter().map(|tag| &*tag.name);
        let hint = suggest(&name.value, names, "add it to `tags`");
        out.mistake(Finding::at(name.span.clone(), what).hint(hint));
    }
    at
}

/// What a raw value of the file is compared with, given the type of the status tag.
fn compared(raw: &Raw, tag: &Tag) -> Result<Match, (String, String)> {
    let kind = tag.kind();
    match (kind, raw) {
        (Kind::Text, Raw::Text(text)) if bit(text).is_some() => {
            let hint = "only whole numbers have; write the texts that it sends";
            Err((
                format!("`{}` is a text and has no bits", tag.name),
                hint.into(),
            ))
        }
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
        (_, Raw::Text(text)) => match (range(text), bit(text)) {
            (Some((low, high)), _) => in_type(low, high, tag),
            (None, Some((bit, set))) => match bit_misfit(tag, bit) {
                Some(misfit) => Err(misfit),
                None => Ok(Match::Bit(bit, set)),
            },
            (None, None) if is_fraction(text) => Err((
                format!("`{}` has whole numbers only", tag.name),
                "write the numbers that it reads, before any scale: [2] or \"4..99\"".into(),
            )),
            (None, None) => Err(no_number(tag)),
        },
        (_, Raw::Bool(_)) => Err(no_number(tag)),
    }
}

fn no_number(tag: &Tag) -> (String, String) {
    (
        format!("`{}` is a number", tag.name),
        "write numbers, such as [2], ranges (\"4..99\") or bits (\"bit 3\", \"not bit 3\")".into(),
    )
}

/// `bit 3`, `not bit 3`: its number, and whether it is 1.
fn bit(text: &str) -> Option<(u8, bool)> {
    let mut words = text.split_whitespace();
    let first = words.next()?;
    let set = first != "not";
    let word = if set { first } else { words.next()? };
    let number = words.next().filter(|_| word == "bit")?;
    let number = number.parse().ok()?;
    words.next().is_none().then_some((number, set))
}

/// `1.5`, `1.5..2.5`: numbers, but not whole ones.
fn is_fraction(text: &str) -> bool {
    let mut numbers = text.split("..").map(|number| number.trim().parse::<f64>());
    let count = text.split("..").count();
    count <= 2 && numbers.all(|number| number.is_ok_and(f64::is_finite))
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

/// The first match wins: a value that is mapped before is never seen again. It is a warning only, for
/// what the machine does is told all the same.
fn warn_if_unreachable(rules: &[(Match, State)], rule: &Match, raw: &At<Raw>, out: &Findings) {
    let Some(state) = covering(rules, rule) else {
        return;
    };
    let what = format!(
        "this never matches: the value is already `{}`",
        state.as_str()
    );
    out.warn(
        Finding::at(raw.span.clone(), what)
            .hint("the first match wins: move it up, or take it out"),
    );
}

/// The state that has the values of a rule already, if those before have all of them.
fn covering(rules: &[(Match, State)], rule: &Match) -> Option<State> {
    let first = |value: i64| {
        let mut before = rules.iter();
        let found = before.find(|(earlier, _)| earlier.matches(&Value::Int(value)));
        found.map(|(_, state)| *state)
    };
    let has = |wanted: &Match| rules.iter().find(|(earlier, _)| earlier == wanted);
    // A bit that is asked for both ways leaves nothing.
    let both = rules.iter().find(|(earlier, _)| match earlier {
        Match::Bit(bit, set) => has(&Match::Bit(*bit, !set)).is_some(),
        _ => false,
    });
    match (both, rule) {
        (Some((_, state)), _) => Some(*state),
        (None, Match::Range(low, high)) if high.saturating_sub(*low) < LOOKED_AT => {
            let state = first(*low)?;
            (*low..=*high)
                .all(|value| first(value).is_some())
                .then_some(state)
        }
        (None, Match::Range(low, high)) => {
            let mut wider = rules.iter();
            let found = wider.find(
                |(earlier, _)| matches!(earlier, Match::Range(from, to) if from <= low && high <= to),
            );
            found.map(|(_, state)| *state)
        }
        (None, rule) => has(rule).map(|(_, state)| *state),
    }
}
