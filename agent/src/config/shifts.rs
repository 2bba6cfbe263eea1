//! `[[shift]]`.

use super::values::{id, label, minutes, one_of, some, text, time_of_day};
use super::walk::{At, Item, Section};
use andon_core::calendar::{MinuteOfDay, Shift};
use std::ops::Range;
use std::sync::Arc;

const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;

const WEEKDAYS: [(&str, usize); 7] = [
    ("mon", 0),
    ("tue", 1),
    ("wed", 2),
    ("thu", 3),
    ("fri", 4),
    ("sat", 5),
    ("sun", 6),
];

/// Names of crews stand on displays.
const LONGEST_CREW: usize = 40;

/// A shift with what it names.
#[derive(Debug)]
pub(super) struct ShiftPart {
    pub(super) shift: Shift,
    pub(super) name_span: Range<usize>,
    /// The calendar that it belongs to.
    pub(super) calendar: Option<At<Arc<str>>>,
    /// Where its crews stand.
    pub(super) crews_span: Range<usize>,
}

pub(super) fn shift(mut section: Section<'_>) -> Option<ShiftPart> {
    let name = section.need("name", "name = \"day\"", label);
    let days = section.need("days", "days = [\"mon\", \"tue\"]", weekdays);
    let start = section.need("start", "start = \"08:00\"", time_of_day);
    let end = section.need("end", "end = \"20:00\"", time_of_day);
    let times = start
        .as_ref()
        .zip(end.as_ref())
        .map(|(start, end)| (start.value, end.value));
    let breaks = section.read("breaks", |item| breaks(item, times));
    let crews = section.place("crews", some("a list such as [\"A\", \"B\"]", crew));
    let calendar = section.place("calendar", id);
    section.finish();
    let (start, end) = times?;
    let name = name?;
    Some(ShiftPart {
        calendar,
        crews_span: crews
            .as_ref()
            .map_or(name.span.clone(), |crews| crews.span.clone()),
        name_span: name.span,
        shift: Shift {
            name: name.value,
            days: days?.value,
            start,
            end,
            breaks: breaks.unwrap_or_default(),
            crews: crews.map(|crews| crews.value).unwrap_or_default(),
        },
    })
}

fn crew(item: &Item<'_>) -> Option<Arc<str>> {
    let name = label(item)?;
    if name.chars().count() > LONGEST_CREW {
        return item.wrong(
            "this name of a crew is too long",
            format!("at most {LONGEST_CREW} characters"),
        );
    }
    Some(name)
}

fn weekdays(item: &Item<'_>) -> Option<[bool; 7]> {
    let days = some("a list such as [\"mon\", \"tue\"]", one_of(&WEEKDAYS))(item)?;
    let mut week = [false; 7];
    for day in days {
        week[day] = true;
    }
    Some(week)
}

/// Breaks as start and end; each must lie inside the shift, after the one before it.
fn breaks(
    item: &Item<'_>,
    shift: Option<(MinuteOfDay, MinuteOfDay)>,
) -> Option<Vec<(MinuteOfDay, MinuteOfDay)>> {
    let mut taken: Vec<(u16, u16)> = Vec::new();
    let mut breaks = Vec::new();
    for element in item.elements("a list such as [\"12:00-12:30\"]")? {
        let Some((from, to)) = one_break(&element) else {
            continue;
        };
        if let Some((start, end)) = shift {
            let begin = (from + DAY - start) % DAY;
            let length = (to + DAY - from - 1) % DAY + 1;
            if begin + length > length_of(start, end) {
                element.wrong::<()>(
                    "this break is not inside its shift",
                    format!("the shift lasts from {} to {}", clock(start), clock(end)),
                );
            } else if taken.iter().any(|&(b, e)| begin < e && b < begin + length) {
                element.wrong::<()>("this break overlaps another one", "join the two");
            }
            taken.push((begin, begin + length));
        }
        breaks.push((from, to));
    }
    Some(breaks)
}

fn one_break(item: &Item<'_>) -> Option<(MinuteOfDay, MinuteOfDay)> {
    let text = text(item)?;
    let ends = text
        .split_once('-')
        .and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
    match ends {
        Some((from, to)) if from != to => Some((from, to)),
        _ => item.wrong(
            format!("`{text}` is not a break"),
            "write start and end, such as \"12:00-12:30\"",
        ),
    }
}

fn length_of(start: MinuteOfDay, end: MinuteOfDay) -> u16 {
    (end + DAY - start - 1) % DAY + 1
}

fn clock(minutes: MinuteOfDay) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

pub(super) fn overlap(a: &Shift, b: &Shift) -> bool {
    let starts = |shift: &Shift| -> Vec<u16> {
        (0..7u16)
            .filter(|day| shift.days[usize::from(*day)])
            .map(|day| day * DAY + shift.start)
            .collect()
    };
    let (long_a, long_b) = (length_of(a.start, a.end), length_of(b.start, b.end));
    starts(a).iter().any(|from_a| {
        starts(b).iter().any(|from_b| {
            (from_b + WEEK - from_a) % WEEK < long_a || (from_a + WEEK - from_b) % WEEK < long_b
        })
    })
}
