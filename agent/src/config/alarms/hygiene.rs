//! What is allowed and will not do anybody good: alarms that chatter, that always stand or never can,
//! and that come too late. ISA-18.2 and EEMUA 191 call it the rationalisation of alarms.

use super::super::report::Finding;
use super::super::values::show_ms;
use super::super::walk::Findings;
use super::AlarmPart;
use andon_core::plant::{Device, Priority};
use andon_core::rule::{Limit, Op, Rule};
use andon_core::tag::{Source, Tag};

const MINUTE_MS: u64 = 60_000;

/// Warns of what the condition of an alarm will do, as it reads for the first of its devices.
pub(super) fn warn(part: &AlarmPart, rule: &Rule, devices: &[Device], out: &Findings) {
    let told = |what: String, hint: &str| {
        let what = format!("alarm `{}` {what}", part.id.value);
        out.warn(Finding::at(part.when.span.clone(), what).hint(hint));
    };
    if rule.has_lost() {
        return;
    }
    if let Some((what, hint)) = chatters(part, rule) {
        told(what.to_owned(), hint);
    }
    if let Some((what, hint)) = comes_late(part) {
        told(what, &hint);
    }
    let mut first = None;
    rule.for_each_leaf(&mut |leaf| {
        first = first.take().or_else(|| decides_nothing(leaf, devices));
    });
    if let Some((what, hint)) = first {
        told(what, &hint);
    }
}

/// What moves by itself, around its limit, raises and clears with each reading.
fn chatters(part: &AlarmPart, rule: &Rule) -> Option<(&'static str, &'static str)> {
    if part.deadband > 0.0 || part.off_delay_ms > 0 {
        return None;
    }
    let is_ordered = |op: &Op| !matches!(op, Op::Equal | Op::NotEqual);
    if rule.has(|leaf| matches!(leaf, Rule::Tag { op, .. } if is_ordered(op))) {
        let hint = "add a `deadband` in the unit of the tag, or an `off_delay`";
        return Some(("may come and go with each reading", hint));
    }
    if rule.has(|leaf| matches!(leaf, Rule::Rate { op, .. } if is_ordered(op))) {
        let hint = "add a `deadband` in the unit of the rate, or an `off_delay`";
        return Some(("may come and go with each reading", hint));
    }
    if rule.has(|leaf| matches!(leaf, Rule::Figure { op, .. } if is_ordered(op))) {
        let hint =
            "add a `deadband` in the unit of the figure (0.02 for a ratio), or an `off_delay`";
        return Some(("may come and go with each minute", hint));
    }
    None
}

/// A delay takes at most half of the time that a person has (ISA-18.2 gives 3 min for what is high, 10
/// for what is medium and 30 for what is low).
fn comes_late(part: &AlarmPart) -> Option<(String, String)> {
    let (word, minutes) = match part.priority {
        Priority::High => ("high", 3),
        Priority::Medium => ("medium", 10),
        Priority::Low => ("low", 30),
    };
    let most = minutes * MINUTE_MS / 2;
    (part.on_delay_ms > most).then(|| {
        let what = format!(
            "waits {} before it is raised; of priority {word}, it needs somebody within {minutes} min",
            show_ms(part.on_delay_ms)
        );
        let hint = format!(
            "an `on_delay` of at most {}, or a lower `priority`",
            show_ms(most)
        );
        (what, hint)
    })
}

/// A comparison that always holds, never does, or is never decided.
fn decides_nothing(leaf: &Rule, devices: &[Device]) -> Option<(String, String)> {
    let number = |limit: &Limit| match limit {
        Limit::Number { limit, .. } => Some(*limit),
        _ => None,
    };
    match leaf {
        Rule::Tag {
            device,
            tag,
            op,
            limit,
        } => {
            let tag = &devices[usize::from(device.0)].model.tags[usize::from(tag.0)];
            let limit = number(limit)?;
            if is_exact(*op) && is_float(tag) {
                return Some(never_equal(&tag.name));
            }
            let (least, most) = range_of(tag)?;
            outside(
                &tag.name,
                *op,
                limit,
                (least, most),
                "the `range` of the tag",
            )
        }
        Rule::Rate { op, .. } if is_exact(*op) => Some(never_equal("a rate")),
        Rule::Figure {
            device,
            measure,
            over_ms,
            op,
            limit,
        } => {
            let device = &devices[usize::from(device.0)];
            let counts = device.model.tags.iter().any(|tag| tag.role.is_some());
            if measure.needs_count() && !counts {
                return Some(never(
                    &format!("`{}` counts no parts", device.id),
                    "give a tag the `role` of a count",
                ));
            }
            if measure.needs_rate() && device.highest_rate().is_none() {
                return Some(never(
                    &format!("`{}` has no rated rate", device.id),
                    "add `rated_rate` to the device or its profile",
                ));
            }
            if measure.needs_exposure() && *over_ms < device.min_exposure_ms {
                let least = show_ms(device.min_exposure_ms);
                return Some(never(
                    &format!("it needs {least} of producing and setup (`min_exposure`)"),
                    &format!("take it over more than {least}"),
                ));
            }
            let limit = number(limit)?;
            outside("the figure", *op, limit, measure.range(), "what it can be")
        }
        _ => None,
    }
}

const fn is_exact(op: Op) -> bool {
    matches!(op, Op::Equal | Op::NotEqual)
}

/// Whether it has a fraction, so that it is hardly ever exactly a number.
fn is_float(tag: &Tag) -> bool {
    let is_scaled = match &tag.source {
        Source::Modbus(point) => point.is_scaled(),
        Source::Message(place) => place.is_scaled(),
        Source::Board(_) => false,
    };
    is_scaled || !tag.kind().is_integer()
}

/// The values that a tag can have: those outside are bad.
fn range_of(tag: &Tag) -> Option<(f64, f64)> {
    let of_type = tag.limits().map(|(low, high)| (low as f64, high as f64));
    tag.range.or(of_type)
}

fn never_equal(what: &str) -> (String, String) {
    (
        format!("asks whether {what} is exactly a number, which it hardly ever is"),
        "use < or >, or two of them joined by `and`".into(),
    )
}

fn never(why: &str, hint: &str) -> (String, String) {
    (format!("is never decided: {why}"), hint.into())
}

/// A limit that nothing passes, or everything does.
fn outside(
    what: &str,
    op: Op,
    limit: f64,
    (least, most): (f64, f64),
    of: &str,
) -> Option<(String, String)> {
    let always = match op {
        Op::Less => limit > most,
        Op::LessEqual => limit >= most,
        Op::Greater => limit < least,
        Op::GreaterEqual => limit <= least,
        Op::Equal => false,
        Op::NotEqual => limit < least || limit > most,
    };
    let never = match op {
        Op::Less => limit <= least,
        Op::LessEqual => limit < least,
        Op::Greater => limit >= most,
        Op::GreaterEqual => limit > most,
        Op::Equal => limit < least || limit > most,
        Op::NotEqual => false,
    };
    let word = match (always, never) {
        (true, _) => "always",
        (_, true) => "never",
        _ => return None,
    };
    Some((
        format!("compares {what} with {limit}, which {word} holds"),
        format!("{of} is {least} to {most}"),
    ))
}
