//! What calendars come to in the next days: mistakes in them are seen before they are in the figures.

use super::line;
use andon_core::calendar::Calendar;
use andon_core::summary::ShiftRun;
use andon_core::time::Wall;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Days that are shown.
const DAYS: i64 = 7;

/// A shift that will take place, with what of it is planned.
struct Coming {
    run: ShiftRun,
    start: Wall,
    end: Wall,
    planned_ms: i64,
}

/// The shifts that start on a day, as the agent will cut them.
fn of_day(calendar: &Calendar, date: Date) -> Vec<Coming> {
    let midnight = |date: Date| {
        let zoned = date.to_zoned(calendar.zone.clone()).ok();
        zoned.map(|zoned| Wall(zoned.timestamp().as_millisecond()))
    };
    let next = date.tomorrow().ok().and_then(midnight);
    let (Some(mut at), Some(next)) = (midnight(date), next) else {
        return Vec::new();
    };
    let mut coming = Vec::new();
    while at < next {
        let Some(frame) = calendar.shift_at(at) else {
            break;
        };
        if let Some(shift) = frame.shift.filter(|(_, of)| *of == date)
            && frame.start >= at
            && let Some(run) = ShiftRun::of(calendar, shift)
        {
            coming.push(Coming {
                run,
                start: frame.start,
                end: frame.until,
                planned_ms: planned(calendar, frame.start, frame.until),
            });
        }
        at = frame.until;
    }
    coming
}

fn planned(calendar: &Calendar, from: Wall, to: Wall) -> i64 {
    let (mut at, mut sum) = (from, 0);
    while at < to {
        let span = calendar.span_at(at);
        let until = span.until.min(to);
        sum += if span.planned { until - at } else { 0 };
        at = until;
    }
    sum
}

fn days(today: Date) -> impl Iterator<Item = Date> {
    (0..DAYS).filter_map(move |days| today.checked_add(days.days()).ok())
}

fn date_of(now: Wall, zone: &TimeZone) -> Option<Date> {
    let now = Timestamp::from_millisecond(now.0).ok()?;
    Some(now.to_zoned(zone.clone()).date())
}

/// The shifts of the next days by every calendar that has any.
pub(super) fn show<'c>(
    text: &mut String,
    calendars: impl Iterator<Item = &'c Calendar>,
    now: Wall,
) {
    for calendar in calendars.filter(|calendar| !calendar.shifts.is_empty()) {
        let zone = calendar.zone.iana_name().unwrap_or("UTC");
        let name = match &*calendar.id {
            "" => String::new(),
            id => format!(" {id}"),
        };
        let Some(today) = date_of(now, &calendar.zone) else {
            continue;
        };
        let _ = writeln!(text, "\nCalendar{name}, the next {DAYS} days in {zone}");
        for date in days(today) {
            show_day(text, calendar, date);
        }
        for (what, next) in [
            ("holidays", next_holiday(calendar, today)),
            ("workdays", next_workday(calendar, today)),
        ] {
            match next {
                Next::Day(date) => line(text, what, &format!("the next is {}", named(date))),
                Next::Over => line(text, what, "none to come"),
                Next::NoneAtAll => {}
            }
        }
    }
}

fn show_day(text: &mut String, calendar: &Calendar, date: Date) {
    let mut what: Vec<&str> = Vec::new();
    if calendar.is_holiday(date) {
        what.push("holiday");
    }
    if calendar.workdays.contains(&date) {
        what.push("workday");
    }
    let coming = of_day(calendar, date);
    let shifts = coming.iter().map(|coming| shown(coming, calendar));
    let mut shown: Vec<String> = shifts.collect();
    if shown.is_empty() {
        shown.push("no shift".into());
    }
    if !what.is_empty() {
        shown.push(format!("({})", what.join(", ")));
    }
    line(text, &named(date), &shown.join("   "));
}

/// `night 20:00-08:00, 11 h planned, 甲`.
fn shown(coming: &Coming, calendar: &Calendar) -> String {
    let clock = |at: Wall| {
        let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
        at.to_zoned(calendar.zone.clone())
            .strftime("%H:%M")
            .to_string()
    };
    let Coming {
        run,
        start,
        end,
        planned_ms,
    } = coming;
    let minutes = planned_ms / 60_000;
    let planned = match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    };
    let crew = run.crew.as_ref().map(|crew| format!(", {crew}"));
    format!(
        "{} {}-{}, {planned} planned{}",
        run.name,
        clock(*start),
        clock(*end),
        crew.unwrap_or_default()
    )
}

fn named(date: Date) -> String {
    date.strftime("%a %Y-%m-%d").to_string()
}

/// What is still to come of a list of days.
enum Next {
    Day(Date),
    /// The list is of the past: it was not kept up.
    Over,
    NoneAtAll,
}

fn next_holiday(calendar: &Calendar, today: Date) -> Next {
    let days = calendar.holidays.iter();
    next_of(
        days.map(|(first, last)| {
            if *last < today {
                *last
            } else {
                (*first).max(today)
            }
        }),
        today,
    )
}

fn next_workday(calendar: &Calendar, today: Date) -> Next {
    next_of(calendar.workdays.iter().copied(), today)
}

fn next_of(days: impl Iterator<Item = Date> + Clone, today: Date) -> Next {
    match days.clone().filter(|date| *date >= today).min() {
        Some(next) => Next::Day(next),
        None if days.count() > 0 => Next::Over,
        None => Next::NoneAtAll,
    }
}

/// The same for a program.
pub(super) fn as_json<'c>(calendars: impl Iterator<Item = &'c Calendar>, now: Wall) -> Vec<Value> {
    let calendars = calendars.map(|calendar| {
        let today = date_of(now, &calendar.zone);
        let dates = today.into_iter().flat_map(days);
        let shifts = dates.flat_map(|date| of_day(calendar, date)).map(|coming| {
            json!({
                "shift": coming.run.name,
                "shift_date": coming.run.date,
                "crew": coming.run.crew,
                "start_ms": coming.start,
                "end_ms": coming.end,
                "planned_ms": coming.planned_ms,
            })
        });
        json!({
            "id": (!calendar.id.is_empty()).then_some(&calendar.id),
            "zone": calendar.zone.iana_name(),
            "shifts": shifts.collect::<Vec<_>>(),
        })
    });
    calendars.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::calendar::Shift;
    use jiff::civil::date;

    fn nights(zone: &str) -> Calendar {
        let mut calendar = Calendar::always(TimeZone::get(zone).unwrap());
        let shift = |name: &str, days, start, end| Shift {
            name: name.into(),
            days,
            start,
            end,
            breaks: vec![(0, 30)],
            crews: vec!["甲".into()],
        };
        calendar.shifts = vec![shift(
            "night",
            [true, true, true, true, true, true, false],
            20 * 60,
            8 * 60,
        )];
        calendar.holidays = vec![(date(2026, 12, 31), date(2027, 1, 2))];
        calendar.workdays = vec![date(2027, 1, 3)];
        calendar
    }

    fn told(calendar: &Calendar, today: Date) -> String {
        let now = today
            .at(12, 0, 0, 0)
            .to_zoned(calendar.zone.clone())
            .unwrap();
        let mut text = String::new();
        show(
            &mut text,
            std::iter::once(calendar),
            Wall(now.timestamp().as_millisecond()),
        );
        text
    }

    #[test]
    fn a_week_over_the_turn_of_the_year_is_told() {
        let text = told(&nights("Asia/Shanghai"), date(2026, 12, 28));
        let expected = "
Calendar, the next 7 days in Asia/Shanghai
  Mon 2026-12-28 night 20:00-08:00, 11 h 30 min planned, 甲
  Tue 2026-12-29 night 20:00-08:00, 11 h 30 min planned, 甲
  Wed 2026-12-30 night 20:00-08:00, 11 h 30 min planned, 甲
  Thu 2026-12-31 no shift   (holiday)
  Fri 2027-01-01 no shift   (holiday)
  Sat 2027-01-02 no shift   (holiday)
  Sun 2027-01-03 night 20:00-08:00, 11 h 30 min planned, 甲   (workday)
  holidays       the next is Thu 2026-12-31
  workdays       the next is Sun 2027-01-03
";
        assert_eq!(text, expected);
    }

    #[test]
    fn lists_that_are_of_the_past_are_told() {
        let text = told(&nights("Asia/Shanghai"), date(2027, 2, 1));
        assert!(text.contains("holidays       none to come"), "{text}");
        let text = told(&nights("Asia/Shanghai"), date(2027, 1, 1));
        assert!(
            text.contains("holidays       the next is Fri 2027-01-01"),
            "{text}"
        );
    }

    #[test]
    fn the_night_of_a_clock_change_is_as_long_as_it_is() {
        let text = told(&nights("Europe/Berlin"), date(2026, 3, 28));
        assert!(
            text.contains("Sat 2026-03-28 night 20:00-08:00, 10 h 30 min planned"),
            "{text}"
        );
        let text = told(&nights("Europe/Berlin"), date(2026, 10, 24));
        assert!(
            text.contains("Sat 2026-10-24 night 20:00-08:00, 12 h 30 min planned"),
            "{text}"
        );
    }

    #[test]
    fn programs_are_told_the_same() {
        let calendar = nights("Asia/Shanghai");
        let now = date(2026, 12, 28).to_zoned(calendar.zone.clone()).unwrap();
        let now = Wall(now.timestamp().as_millisecond());
        let told = as_json(std::iter::once(&calendar), now);
        let shifts = told[0]["shifts"].as_array().unwrap();
        assert_eq!(shifts.len(), 4);
        // 2026-12-28T12:00Z, twelve hours.
        assert_eq!(shifts[0]["start_ms"], 1_798_459_200_000_i64);
        assert_eq!(shifts[0]["end_ms"], 1_798_502_400_000_i64);
        assert_eq!(shifts[0]["planned_ms"], 41_400_000);
        assert_eq!(shifts[3]["shift_date"], "2027-01-03");
        assert_eq!(shifts[3]["crew"], "甲");
    }
}
