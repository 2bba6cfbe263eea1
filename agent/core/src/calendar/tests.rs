use super::*;
use alloc::vec;
use jiff::civil::date;

pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

pub(crate) fn at(zone: &TimeZone, text: &str) -> Wall {
    let local: DateTime = text.parse().unwrap();
    Wall(
        zone.to_ambiguous_timestamp(local)
            .compatible()
            .unwrap()
            .as_millisecond(),
    )
}

/// The calendar of `press-line.toml`.
pub(crate) fn press_line(zone: TimeZone) -> Calendar {
    let day = Shift {
        name: "day".into(),
        days: [true, true, true, true, true, true, false],
        start: 8 * 60,
        end: 20 * 60,
        breaks: vec![(12 * 60, 12 * 60 + 30), (16 * 60, 16 * 60 + 15)],
        crews: vec![],
    };
    let night = Shift {
        name: "night".into(),
        days: [true, true, true, true, true, false, false],
        start: 20 * 60,
        end: 8 * 60,
        breaks: vec![(0, 30)],
        crews: vec![],
    };
    Calendar {
        id: "".into(),
        zone,
        day_start: 8 * 60,
        shifts: vec![day, night],
        holidays: vec![(date(2026, 10, 1), date(2026, 10, 7))],
        workdays: vec![date(2026, 10, 10), date(2026, 10, 11)],
        rotation: None,
    }
}

/// Planned milliseconds between two labels, by walking the spans.
fn planned(calendar: &Calendar, from: Wall, to: Wall) -> i64 {
    let (mut at, mut sum) = (from, 0);
    while at < to {
        let span = calendar.span_at(at);
        assert!(span.until > at, "a span must end later than it begins");
        let until = span.until.min(to);
        sum += if span.planned { until - at } else { 0 };
        at = until;
    }
    sum
}

#[test]
fn without_shifts_all_time_is_planned() {
    let calendar = Calendar::always(TimeZone::UTC);
    assert!(calendar.span_at(Wall(0)).planned);
    assert_eq!(
        planned(&calendar, Wall(0), Wall(10 * 24 * HOUR)),
        10 * 24 * HOUR
    );
}

#[test]
fn breaks_are_not_planned_and_end_to_the_minute() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    let span = calendar.span_at(at(&zone, "2026-11-23T11:59:59.999"));
    assert!(span.planned);
    assert_eq!(span.until, at(&zone, "2026-11-23T12:00"));
    let span = calendar.span_at(at(&zone, "2026-11-23T12:00"));
    assert!(!span.planned);
    assert_eq!(span.shift, Some(0));
    assert_eq!(span.until, at(&zone, "2026-11-23T12:30"));
}

#[test]
fn a_night_belongs_to_the_day_it_starts_on() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    // Saturday morning still is Friday's night; Saturday has no night of its own.
    assert_eq!(
        calendar.span_at(at(&zone, "2026-11-28T07:59")).shift,
        Some(1)
    );
    assert!(!calendar.span_at(at(&zone, "2026-11-28T20:00")).planned);
    assert!(!calendar.span_at(at(&zone, "2026-11-29T12:00")).planned);
    // A break after midnight lies on the next date.
    assert!(!calendar.span_at(at(&zone, "2026-11-24T00:29")).planned);
    assert!(calendar.span_at(at(&zone, "2026-11-24T00:30")).planned);
}

#[test]
fn holidays_stop_what_starts_on_them_and_workdays_start_everything() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    // The night of 30 September runs into the holiday.
    assert!(calendar.span_at(at(&zone, "2026-10-01T07:00")).planned);
    assert!(!calendar.span_at(at(&zone, "2026-10-01T08:00")).planned);
    assert!(!calendar.span_at(at(&zone, "2026-10-07T21:00")).planned);
    assert!(calendar.span_at(at(&zone, "2026-10-08T08:00")).planned);
    // A worked Sunday.
    assert!(calendar.span_at(at(&zone, "2026-10-11T09:00")).planned);
}

#[test]
fn a_night_over_a_clock_change_is_as_long_as_it_really_is() {
    let zone = zone("Europe/Berlin");
    let mut calendar = press_line(zone.clone());
    calendar.shifts[1].days = [true; 7];
    calendar.shifts[1].breaks.clear();
    let night =
        |evening: &str, morning: &str| planned(&calendar, at(&zone, evening), at(&zone, morning));
    assert_eq!(night("2026-03-27T20:00", "2026-03-28T08:00"), 12 * HOUR);
    assert_eq!(night("2026-03-28T20:00", "2026-03-29T08:00"), 11 * HOUR);
    assert_eq!(night("2026-10-24T20:00", "2026-10-25T08:00"), 13 * HOUR);
}

#[test]
fn a_whole_week_has_the_planned_time_of_its_shifts() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    let week = planned(
        &calendar,
        at(&zone, "2026-11-23T08:00"),
        at(&zone, "2026-11-30T08:00"),
    );
    let minute = 60_000;
    assert_eq!(
        week,
        6 * (12 * HOUR - 45 * minute) + 5 * (12 * HOUR - 30 * minute)
    );
}
