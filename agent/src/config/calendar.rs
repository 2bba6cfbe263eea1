//! `[calendar]`, or several `[[calendar]]`, with the shifts that belong to each.

use super::crews;
use super::nearest::suggest;
use super::report::Finding;
use super::shifts::{ShiftPart, overlap, shift};
use super::values::{id, list, text, time_of_day};
use super::walk::{At, Findings, Item, Section};
use andon_core::calendar::{Calendar, CalendarIndex};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeValue;

/// More are no calendars of one plant.
const MOST: usize = 200;

/// The calendars: the first is the one that counts where none is named.
#[derive(Debug)]
pub(super) struct Calendars {
    all: Vec<CalendarPart>,
}

#[derive(Debug)]
struct CalendarPart {
    calendar: Calendar,
    /// Where it is written; none if it is not.
    span: Option<Range<usize>>,
    /// Where `crews` stands, right or wrong.
    rotation_span: Option<Range<usize>>,
    shifts: Vec<ShiftPart>,
}

/// Reads the shifts and calendars; the sections of both stand in one file.
pub(super) fn calendars(
    shifts: Vec<Section<'_>>,
    root: &mut Section<'_>,
    zone: Option<TimeZone>,
) -> Calendars {
    let zone = zone.unwrap_or(TimeZone::UTC);
    let out = root.out();
    let nameless = CalendarPart {
        calendar: Calendar::always(zone.clone()),
        span: None,
        rotation_span: None,
        shifts: Vec::new(),
    };
    let mut calendars = Calendars {
        all: vec![nameless],
    };
    let several = matches!(
        root.peek("calendar").map(|item| item.value),
        Some(DeValue::Array(_))
    );
    let sections = match several {
        true => root.sections("calendar"),
        false => root.section("calendar").into_iter().collect(),
    };
    for section in sections {
        calendars.put(calendar(section, zone.clone(), several), out);
    }
    if let Some(first) = calendars.all.get(MOST) {
        let what = format!("more than {} calendars", MOST - 1);
        out.mistake(first.finding(what).hint("let devices share them"));
        calendars.all.truncate(MOST);
    }
    for part in shifts.into_iter().filter_map(shift) {
        calendars.add(part, out);
    }
    for part in &mut calendars.all {
        crews::check(&part.shifts, part.rotation_span.as_ref(), out);
        let shifts = part.shifts.iter().map(|part| part.shift.clone());
        part.calendar.shifts = shifts.collect();
    }
    calendars
}

fn calendar(mut section: Section<'_>, zone: TimeZone, several: bool) -> CalendarPart {
    let span = section.span();
    let out = section.out();
    let mut calendar = Calendar::always(zone);
    let id = section.place("id", id);
    if let (Some(id), false) = (&id, several) {
        let what = "a calendar with an id is one of several";
        let hint = "write `[[calendar]]` with double brackets";
        out.mistake(Finding::at(id.span.clone(), what).hint(hint));
    }
    calendar.day_start = section.read("day_start", time_of_day).unwrap_or(0);
    let days = list("a list such as [\"2027-01-01\"]", days);
    calendar.holidays = section.read("holidays", &days).unwrap_or_default();
    let worked = list("a list such as [\"2026-10-10\"]", date);
    calendar.workdays = section.read("workdays", worked).unwrap_or_default();
    let rotation_span = section.peek("crews").map(|item| item.span);
    calendar.rotation = section.read("crews", crews::rotation);
    section.finish();
    CalendarPart {
        span: Some(id.as_ref().map_or(span, |id| id.span.clone())),
        calendar: Calendar {
            id: id.map_or_else(|| "".into(), |id| id.value),
            ..calendar
        },
        rotation_span,
        shifts: Vec::new(),
    }
}

impl CalendarPart {
    fn finding(&self, what: impl Into<String>) -> Finding {
        match &self.span {
            Some(span) => Finding::at(span.clone(), what),
            None => Finding::of_file(what),
        }
    }
}

impl Calendars {
    fn put(&mut self, part: CalendarPart, out: &Findings) {
        let same = |other: &&mut CalendarPart| other.calendar.id == part.calendar.id;
        match self.all.iter_mut().find(same) {
            None => self.all.push(part),
            Some(first) if first.span.is_none() => *first = part,
            Some(first) => {
                let (what, hint) = if part.calendar.id.is_empty() {
                    (
                        "there are two calendars without an id".to_owned(),
                        "only the one that counts where none is named has none",
                    )
                } else {
                    (
                        format!("there are two calendars `{}`", part.calendar.id),
                        "give each calendar an id of its own",
                    )
                };
                let mut finding = part.finding(what).hint(hint);
                if let Some(first) = &first.span {
                    finding = finding.also(first.clone(), "the first");
                }
                out.mistake(finding);
            }
        }
    }

    /// Adds a shift to its calendar.
    fn add(&mut self, part: ShiftPart, out: &Findings) {
        let index = self.find(part.calendar.as_ref(), out);
        let Some(calendar) = index.and_then(|index| self.all.get_mut(usize::from(index.0))) else {
            return;
        };
        let shift = &part.shift;
        let mut others = calendar.shifts.iter();
        if let Some(first) = others.find(|other| other.shift.name == shift.name) {
            let what = format!("there are two shifts `{}`", shift.name);
            out.mistake(
                Finding::at(part.name_span.clone(), what)
                    .hint("give each shift a name of its own")
                    .also(first.name_span.clone(), "the first"),
            );
        }
        let mut others = calendar.shifts.iter();
        if let Some(other) = others.find(|other| overlap(&other.shift, shift)) {
            let what = format!("shift `{}` overlaps `{}`", shift.name, other.shift.name);
            out.warn(
                Finding::at(part.name_span.clone(), what)
                    .hint("the time both cover counts for the one that stands first in the file"),
            );
        }
        calendar.shifts.push(part);
    }

    /// The calendar that somebody names, or the one that counts without a name; none if there is no
    /// such, which is reported.
    pub(super) fn find(
        &self,
        named: Option<&At<Arc<str>>>,
        out: &Findings,
    ) -> Option<CalendarIndex> {
        let Some(named) = named else {
            return Some(CalendarIndex(0));
        };
        let is_named = |part: &CalendarPart| part.calendar.id == named.value;
        let at = self.all.iter().position(is_named);
        if at.is_none() && !out.is_definition_lost(&named.value) && !out.is_lost("calendar") {
            let ids = self.all.iter().skip(1).map(|part| &*part.calendar.id);
            let hint = suggest(&named.value, ids, "add a `[[calendar]]` with this id");
            let what = format!("there is no calendar `{}`", named.value);
            out.mistake(Finding::at(named.span.clone(), what).hint(hint));
        }
        u8::try_from(at?).ok().map(CalendarIndex)
    }

    /// Tells of calendars that no device follows, and of devices that follow none by mistake: `follow`
    /// has the calendar of each device whose time is accounted.
    pub(super) fn warn(&self, follow: &[(Arc<str>, CalendarIndex)], out: &Findings) {
        for (index, part) in self.all.iter().enumerate().skip(1) {
            let is_followed = |(_, of): &(_, CalendarIndex)| usize::from(of.0) == index;
            if !follow.iter().any(is_followed) && !out.are_devices_lost() {
                let id = &part.calendar.id;
                let what = format!("no device follows the calendar `{id}`");
                let hint = format!("write `calendar = \"{id}\"` in a [[device]] or [[profile]]");
                out.warn(part.finding(what).hint(hint));
            }
        }
        let [nameless, others @ ..] = self.all.as_slice() else {
            return;
        };
        let has_shifts = |part: &CalendarPart| !part.shifts.is_empty();
        if has_shifts(nameless) || !others.iter().any(has_shifts) {
            return;
        }
        let mut without = follow.iter().filter(|(_, of)| *of == CalendarIndex(0));
        if let Some((first, _)) = without.next() {
            let more = match without.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let what = format!("`{first}`{more}: no calendar is named, so all time is planned");
            out.warn(Finding::of_file(what).hint("add `calendar = \"ID\"` of a [[calendar]]"));
        }
    }

    /// The names of the shifts of every calendar.
    pub(super) fn shift_names(&self) -> impl Iterator<Item = &str> {
        let parts = self.all.iter();
        let shifts = parts.flat_map(|part| part.shifts.iter());
        shifts.map(|part| &*part.shift.name)
    }

    /// The one that counts where none is named, and the others.
    pub(super) fn into_parts(self) -> (Calendar, Vec<Calendar>) {
        let zone = self.all.first().map(|part| part.calendar.zone.clone());
        let mut all = self.all.into_iter().map(|part| part.calendar);
        let nameless = all.next();
        let nameless = nameless.unwrap_or_else(|| Calendar::always(zone.unwrap_or(TimeZone::UTC)));
        (nameless, all.collect())
    }
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

pub(super) fn date(item: &Item<'_>) -> Option<Date> {
    let text = text_of_date(item)?;
    parse_date(text).or_else(|| not_a_date(item, text))
}

fn text_of_date<'a>(item: &Item<'a>) -> Option<&'a str> {
    match item.value {
        DeValue::String(_) => text(item),
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
