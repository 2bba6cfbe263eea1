//! A state that no tag tells alone: conditions over several tags, a counter that moves, or both.

use super::status::position;
use crate::config::report::Finding;
use crate::config::rules::{When, condition};
use crate::config::values::{duration, one_of, show_ms, text};
use crate::config::walk::{At, Findings, Item, Section};
use andon_core::plant::{Derived, Moving, Otherwise, States};
use andon_core::rule::Rule;
use andon_core::state::State;
use andon_core::tag::{Tag, TagIndex};
use std::ops::Range;
use toml::de::DeValue;

/// The condition that always holds.
const ELSE: &str = "else";

/// What a machine that does not produce may be said to do.
const STOPPED: [(&str, State); 2] = [("idle", State::Idle), ("delayed", State::Delayed)];

const HOUR_MS: u64 = 3_600_000;

/// How the state follows, as configured.
#[derive(Debug, Clone)]
pub(in crate::config) struct DerivedPart {
    rules: Vec<(At<When>, State)>,
    otherwise: Option<At<State>>,
    counter: Option<CounterPart>,
    /// Whether something in it could not be read: what is left says less than was meant.
    is_whole: bool,
}

#[derive(Debug, Clone)]
struct CounterPart {
    tag: At<String>,
    idle_after: At<u64>,
    stopped: State,
}

/// A table `state` without `from`.
pub(super) fn derived(
    mut section: Section<'_>,
    states: Vec<(Item<'_>, State)>,
) -> Option<DerivedPart> {
    section.take("from");
    let out = section.out();
    let before = out.count();
    let counter = counter(&mut section);
    let mut rules = Vec::new();
    let mut otherwise: Option<At<State>> = None;
    for (entry, state) in states {
        if let Some(above) = &otherwise {
            never_asked(&entry, above.span.clone());
        } else if matches!(entry.value, DeValue::String(text) if text.trim() == ELSE) {
            otherwise = Some(At {
                value: state,
                span: entry.span.clone(),
            });
        } else if let Some(value) = when(&entry) {
            rules.push((
                At {
                    value,
                    span: entry.span,
                },
                state,
            ));
        }
    }
    if let (Some(otherwise), Some(_)) = (&otherwise, &counter) {
        out.mistake(
            Finding::at(
                otherwise.span.clone(),
                "the counter decides where nothing else does",
            )
            .hint("leave this line out; `stopped` says what the machine does that does not move"),
        );
    }
    if let (Some(only), None, true, true) = (
        &otherwise,
        &counter,
        rules.is_empty(),
        out.count() == before,
    ) {
        out.mistake(
            Finding::at(only.span.clone(), "this state would never change")
                .hint("write a condition above it, such as `producing = \"run and speed > 5\"`"),
        );
    }
    section.finish();
    Some(DerivedPart {
        rules,
        otherwise,
        counter,
        is_whole: out.count() == before,
    })
}

fn when(entry: &Item<'_>) -> Option<When> {
    match entry.value {
        DeValue::String(_) => condition(entry),
        DeValue::Array(_) => entry.wrong(
            "nothing says which tag these are values of",
            "add `from = \"status\"`, or write a condition, such as \"run and speed > 5\"",
        ),
        _ => entry.expected("a condition, such as \"run and speed > 5\""),
    }
}

fn never_asked(entry: &Item<'_>, above: Range<usize>) {
    entry.out.mistake(
        Finding::at(
            entry.key_span.clone(),
            "this never decides: `else` is above it",
        )
        .hint("write the line with \"else\" last")
        .also(above, "always holds"),
    );
}

fn counter(section: &mut Section<'_>) -> Option<CounterPart> {
    let out = section.out();
    let tag = section.place("counter", |item| text(item).map(str::to_owned));
    let limit = duration(1000, 24 * HOUR_MS);
    if !section.has("counter") {
        for key in ["idle_after", "stopped"] {
            if let Some(item) = section.take(key) {
                let what = format!("`{key}` is for a state that a counter tells");
                let hint = "leave it out, or add `counter = \"good\"`";
                out.mistake(Finding::at(item.key_span, what).hint(hint));
            }
        }
        return None;
    }
    let idle_after = section.need("idle_after", "idle_after = \"60 s\"", limit);
    let stopped = section.read("stopped", one_of(&STOPPED));
    Some(CounterPart {
        tag: tag?,
        idle_after: idle_after?,
        stopped: stopped.unwrap_or(State::Idle),
    })
}

impl DerivedPart {
    /// How it follows from these tags.
    pub(super) fn resolve(&self, tags: &[Tag], out: &Findings) -> Option<Derived> {
        let mut rules: Vec<(Rule, State)> = Vec::new();
        let mut told = self.is_whole;
        for (when, state) in &self.rules {
            match when.value.over(tags, out) {
                Ok(rule) => {
                    warn_if_unreachable(&rules, &rule, when, out);
                    told &= !rule.has_lost();
                    rules.push((rule, *state));
                }
                Err(mistake) => {
                    told = false;
                    let span = when.value.span_of(&when.span, mistake.at, mistake.len);
                    let finding = Finding::at(span, mistake.what);
                    out.mistake(match mistake.hint {
                        Some(hint) => finding.hint(hint),
                        None => finding,
                    });
                }
            }
        }
        let moving = self.counter.as_ref().map(|part| part.resolve(tags, out));
        let otherwise = match (moving, &self.otherwise) {
            (Some(moving), _) => Otherwise::Moving(moving?),
            (None, Some(state)) => Otherwise::State(state.value),
            (None, None) => Otherwise::Unknown,
        };
        told.then(|| Derived {
            tags: asked_for(&rules, otherwise),
            rules,
            otherwise,
        })
    }
}

/// The tags that a state follows from, once each.
fn asked_for(rules: &[(Rule, State)], otherwise: Otherwise) -> Vec<TagIndex> {
    let mut tags = Vec::new();
    let mut add = |tag: TagIndex| {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    };
    for (rule, _) in rules {
        rule.for_each_leaf(&mut |leaf| {
            if let Rule::Tag { tag, .. } = leaf {
                add(*tag);
            }
        });
    }
    if let Otherwise::Moving(moving) = otherwise {
        add(moving.tag);
    }
    tags
}

fn warn_if_unreachable(rules: &[(Rule, State)], rule: &Rule, when: &At<When>, out: &Findings) {
    if let Some((_, state)) = rules.iter().find(|(earlier, _)| earlier == rule) {
        let what = format!("this never decides: it is already `{}`", state.as_str());
        out.warn(
            Finding::at(when.span.clone(), what)
                .hint("the first condition that holds decides: move it up, or take it out"),
        );
    }
}

impl CounterPart {
    fn resolve(&self, tags: &[Tag], out: &Findings) -> Option<Moving> {
        let at = position(&self.tag, tags, out)?;
        let tag = &tags[at];
        if !counts_up(tag) {
            let what = format!("`{}` does not count up", tag.name);
            out.mistake(
                Finding::at(self.tag.span.clone(), what)
                    .hint("name a tag that counts in whole numbers, and is not scaled"),
            );
            return None;
        }
        let least_ms = tag.every_ms.saturating_mul(2);
        if self.idle_after.value < least_ms {
            let what = format!(
                "`{}` is read every {}: the machine would stand between two readings",
                tag.name,
                show_ms(tag.every_ms)
            );
            let hint = format!(
                "at least {}, and longer than a part takes",
                show_ms(least_ms)
            );
            out.mistake(Finding::at(self.idle_after.span.clone(), what).hint(hint));
        }
        Some(Moving {
            tag: TagIndex(u16::try_from(at).ok()?),
            idle_after_ms: self.idle_after.value,
            stopped: self.stopped,
        })
    }
}

fn counts_up(tag: &Tag) -> bool {
    let kind = tag.kind();
    kind.is_integer() && !kind.is_time() && tag.limits().is_some()
}

/// A machine that takes longer for a count than `idle_after` at its lowest rated rate would stand
/// between any two. `rate` is in thousandths of a part per hour.
pub(in crate::config) fn warn_if_slow(
    part: &super::StatePart,
    state: &States,
    tags: &[Tag],
    rate: u64,
    out: &Findings,
) {
    let (super::StatePart::Derived(part), States::Derived(derived)) = (part, state) else {
        return;
    };
    let (Some(counter), Otherwise::Moving(moving)) = (&part.counter, derived.otherwise) else {
        return;
    };
    let role = tags[usize::from(moving.tag.0)].role;
    let parts = u64::from(role.map_or(1, |role| role.parts));
    let count_ms = parts.saturating_mul(1000 * HOUR_MS) / rate.max(1);
    if role.is_some() && count_ms > moving.idle_after_ms {
        let what = format!(
            "at its rated rate the machine takes {} for a count: it would stand in between",
            show_ms((count_ms / 1000).max(1) * 1000)
        );
        out.warn(
            Finding::at(counter.idle_after.span.clone(), what).hint("make it longer than that"),
        );
    }
}
