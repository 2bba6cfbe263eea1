//! `[calendar.crews]`: how the crews of every shift take turns.

use super::calendar::date;
use super::report::Finding;
use super::shifts::ShiftPart;
use super::values::text;
use super::walk::{Findings, Item};
use andon_core::calendar::Rotation;
use std::num::NonZeroU16;
use std::ops::Range;
use toml::de::DeValue;

const LONGEST_TURN: u16 = 366;

pub(super) fn rotation(item: &Item<'_>) -> Option<Rotation> {
    if matches!(item.value, DeValue::Array(_)) {
        return item.wrong(
            "the crews themselves stand in the shifts",
            "write `crews = [\"A\", \"B\"]` in each [[shift]], and here `crews = { from = \"2026-11-23\", every = \"1 week\" }`",
        );
    }
    let example = "a table such as { from = \"2026-11-23\", every = \"1 week\" }";
    let mut section = item.section(example)?;
    let from = section.need("from", "from = \"2026-11-23\"", date);
    let every = section.need("every", "every = \"1 week\"", turn);
    section.finish();
    Some(Rotation {
        from: from?.value,
        days: every?.value,
    })
}

/// Whole days or weeks.
fn turn(item: &Item<'_>) -> Option<NonZeroU16> {
    let text = text(item)?;
    let digits = text.trim().find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.trim().split_at(digits.unwrap_or(text.trim().len()));
    let days = match unit.trim() {
        "d" | "day" | "days" => Some(1),
        "week" | "weeks" => Some(7),
        _ => None,
    };
    let turn = days.zip(number.parse::<u16>().ok());
    let turn = turn.and_then(|(days, number)| number.checked_mul(days));
    match turn.and_then(NonZeroU16::new) {
        Some(turn) if turn.get() <= LONGEST_TURN => Some(turn),
        _ => item.wrong(
            format!("`{text}` is not a time after which crews change"),
            format!(
                "write days or weeks, such as \"1 week\" or \"2 d\", at most {LONGEST_TURN} days"
            ),
        ),
    }
}

/// Whether the crews of the shifts of one calendar can take turns together; `rotation` is where it is
/// said how.
pub(super) fn check(shifts: &[ShiftPart], rotation: Option<&Range<usize>>, out: &Findings) {
    let longest = shifts.iter().max_by_key(|part| part.shift.crews.len());
    let Some(longest) = longest else {
        return;
    };
    let most = longest.shift.crews.len();
    if let (Some(span), 0..=1) = (rotation, most) {
        let what = "no shift has crews that take turns";
        let hint = "write them into each [[shift]]: `crews = [\"A\", \"B\"]`";
        out.warn(Finding::at(span.clone(), what).hint(hint));
    }
    if most > 1 && rotation.is_none() && !out.is_lost("crews") {
        let what = "nothing says when these crews change";
        let hint = "add `crews = { from = \"2026-11-23\", every = \"1 week\" }` to the calendar";
        out.mistake(Finding::at(longest.crews_span.clone(), what).hint(hint));
    }
    for (index, part) in shifts.iter().enumerate() {
        let count = part.shift.crews.len();
        if count > 0 && !most.is_multiple_of(count) {
            let what = format!(
                "`{}` has {count} crews, `{}` has {most}: they would change at different times",
                part.shift.name, longest.shift.name
            );
            let hint =
                "name one for each turn of the rotation, the same one several times if need be";
            let finding = Finding::at(part.crews_span.clone(), what).hint(hint);
            out.mistake(finding.also(longest.crews_span.clone(), "the other"));
        } else if let Some((other, crew)) = shifts[..index]
            .iter()
            .find_map(|other| Some((other, twice(other, part, most)?)))
        {
            let what = format!(
                "crew `{crew}` has `{}` and `{}` on the same days",
                other.shift.name, part.shift.name
            );
            let hint = "look at the order of the crews in the two shifts";
            let finding = Finding::at(part.crews_span.clone(), what).hint(hint);
            out.warn(finding.also(other.crews_span.clone(), "the other"));
        }
    }
}

/// A crew that has both shifts in one turn, if there are days on which both take place.
fn twice<'p>(one: &'p ShiftPart, other: &ShiftPart, turns: usize) -> Option<&'p str> {
    let (one, other) = (&one.shift, &other.shift);
    let mut days = one.days.iter().zip(other.days);
    if !days.any(|(one, other)| *one && other) || one.crews.is_empty() || other.crews.is_empty() {
        return None;
    }
    let crew = |turn: usize| &one.crews[turn % one.crews.len()];
    let both = |turn: &usize| *crew(*turn) == other.crews[turn % other.crews.len()];
    (0..turns).find(both).map(|turn| &**crew(turn))
}
