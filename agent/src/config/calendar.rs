//! `[[shift]]` and `[calendar]`.

use super::report::Finding;
use super::values::{label, list, minutes, one_of, some, text, time_of_day};
use super::walk::{At, Item, Section};
use andon_core::calendar::{Calendar, MinuteOfDay, Shift};
use jiff::civil::Date;
use jiff::tz::TimeZone;

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

pub(super) fn calendar(
    shifts: Vec<Section<'_>>,
    calendar: Option<Section<'_>>,
    zone: Option<TimeZone>,
) -> Calendar {
    let mut named: Vec<At<Shift>> = Vec::new();
    for section in shifts {
        let out = section.out();
        let Some(shift) = shift(section) else {
            continue;
        };
        if let Some(first) = named.iter().find(|s| s.value.name == shift.value.name) {
            let what = format!("there are two shifts `{}`", shift.value.name);
            out.mistake(
                Finding::at(shift.span.clone(), what)
                    .hint("give each shift a name of its own")
                    .also(first.span.clone(), "the first"),
            );
        }
        if let Some(other) = named.iter().find(|s| overlap(&s.value, &shift.value)) {
            let what = format!(
                "shift `{}` overlaps `{}`",
                shift.value.name, other.value.name
            );
            out.warn(
                Finding::at(shift.span.clone(), what)
                    .hint("the time both cover counts for the one that stands first in the file"),
            );
        }
        named.push(shift);
    }
    let mut whole = Calendar::always(zone.unwrap_or(TimeZone::UTC));
    whole.shifts = named.into_iter().map(|shift| shift.value).collect();
    if let Some(mut section) = calendar.map(|section| section.later(&["crews"])) {
        whole.day_start = section.read("day_start", time_of_day).unwrap_or(0);
        let days = list("a list such as [\"2027-01-01\"]", days);
        whole.holidays = section.read("holidays", &days).unwrap_or_default();
        let worked = list("a list such as [\"2026-10-10\"]", date);
        whole.workdays = section.read("workdays", worked).unwrap_or_default();
        section.finish();
    }
    whole
}

fn shift(mut section: Section<'_>) -> Option<At<Shift>> {
    let name = section.need("name", "name = \"day\"", label);
    let days = section.need("days", "days = [\"mon\", \"tue\"]", weekdays);
    let start = section.need("start", "start = \"08:00\"", time_of_day);
    let end = section.need("end", "end = \"20:00\"", time_of_day);
    let times = start
        .as_ref()
        .zip(end.as_ref())
        .map(|(start, end)| (start.value, end.value));
    let breaks = section.read("breaks", |item| breaks(item, times));
    section.finish();
    let (start, end) = times?;
    let name = name?;
    Some(At {
        span: name.span,
        value: Shift {
            name: name.value,
            days: days?.value,
            start,
            end,
            breaks: breaks.unwrap_or_default(),
        },
    })
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

fn overlap(a: &Shift, b: &Shift) -> bool {
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

/// `2026-10-01` or `2026-10-01..2026-10-07`.
fn days(item: &Item<'_>) -> Option<(Date, Date)> {
    let text = text_of_date(item)?;
    let Some((first, last)) = text.split_once("..") else {
        return date(item).map(|date| (date, date));
    };
    match (parse_date(first), parse_date(last)) {
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        (Some(_), Some(_)) => item.wrong(
            "this ends before it begins",
            "write the first day first, such as \"2026-10-01..2026-10-07\"",
        ),
        _ => not_a_date(item, text),
    }
}

fn date(item: &Item<'_>) -> Option<Date> {
    let text = text_of_date(item)?;
    parse_date(text).or_else(|| not_a_date(item, text))
}

fn text_of_date<'a>(item: &Item<'a>) -> Option<&'a str> {
    match item.value {
        toml::de::DeValue::String(_) => text(item),
        _ => item.expected("dates in quotes, such as \"2026-10-01\""),
    }
}

fn not_a_date<T>(item: &Item<'_>, text: &str) -> Option<T> {
    item.wrong(
        format!("`{text}` is not a date"),
        "write year-month-day, such as \"2026-10-01\" or \"2026-10-01..2026-10-07\"",
    )
}

fn parse_date(text: &str) -> Option<Date> {
    let text = text.trim();
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}
