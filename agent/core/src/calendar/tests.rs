use super::*;
use alloc::vec;
use jiff::civil::date;
use proptest::prelude::*;

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

/// Whether a minute is planned and which shift it lies in, worked out minute by minute without any
/// time zone: local minutes since the first Monday of 1970.
fn by_the_minute(calendar: &Calendar, minute: i64) -> (bool, Option<usize>) {
    const DAY: i64 = 24 * 60;
    let length =
        |from: MinuteOfDay, to: MinuteOfDay| (i64::from(to) - i64::from(from) + DAY - 1) % DAY + 1;
    for (index, shift) in calendar.shifts.iter().enumerate() {
        // The earlier of two takings place of one shift has what both cover.
        for day in [minute.div_euclid(DAY) - 1, minute.div_euclid(DAY)] {
            let date = date(1970, 1, 5).checked_add(day.days()).unwrap();
            let on_holiday = calendar
                .holidays
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&date));
            let by_week = shift.days[usize::try_from(day.rem_euclid(7)).unwrap()] && !on_holiday;
            let start = day * DAY + i64::from(shift.start);
            let since = minute - start;
            let takes_place = by_week || calendar.workdays.contains(&date);
            if !takes_place || !(0..length(shift.start, shift.end)).contains(&since) {
                continue;
            }
            let in_break = shift.breaks.iter().any(|&(from, to)| {
                let begins = (i64::from(from) - i64::from(shift.start)).rem_euclid(DAY);
                (begins..begins + length(from, to)).contains(&since)
            });
            return (!in_break, Some(index));
        }
    }
    (calendar.shifts.is_empty(), None)
}

fn shifts() -> impl Strategy<Value = Vec<Shift>> {
    let shift = (
        any::<[bool; 7]>(),
        0u16..1440,
        1u16..=1440,
        0u16..1440,
        1u16..300,
    );
    let shift = shift.prop_map(|(days, start, length, offset, pause)| {
        // A break inside of the shift, if there is room for it.
        let offset = offset % length;
        let pause = pause.min(length - offset);
        let at = |minutes: u16| (start + minutes) % 1440;
        Shift {
            name: "".into(),
            days,
            start,
            end: at(length),
            breaks: match pause {
                0 => vec![],
                pause => vec![(at(offset), at(offset + pause))],
            },
            crews: vec![],
        }
    });
    proptest::collection::vec(shift, 0..4)
}

proptest! {
    /// Spans follow each other without a hole, and every minute of one is what it says.
    #[test]
    fn spans_are_what_every_minute_says(
        shifts in shifts(),
        holiday in 0i32..30,
        workday in 0i32..30,
        from in 0i64..40 * 24 * 60,
        // UTC, and a zone that has never changed its clocks since.
        ahead in prop_oneof![Just(0i64), Just(330)],
    ) {
        let name = if ahead == 0 { "UTC" } else { "Asia/Kolkata" };
        let day = |days: i32| date(2026, 12, 14).checked_add(days.days()).unwrap();
        let calendar = Calendar {
            shifts,
            holidays: vec![(day(holiday), day(holiday + 2))],
            workdays: vec![day(workday)],
            ..Calendar::always(zone(name))
        };
        // From 2026-12-14 on, over the turn of the year.
        let monday = (date(2026, 12, 14) - date(1970, 1, 5)).get_days();
        let mut minute = i64::from(monday) * 24 * 60 + from;
        let wall = |minute: i64| Wall((minute + 4 * 24 * 60 - ahead) * 60_000);
        let end = minute + 3 * 24 * 60;
        while minute < end {
            let span = calendar.span_at(wall(minute));
            prop_assert!(span.until > wall(minute));
            prop_assert_eq!((span.until.0 - wall(minute).0) % 60_000, 0);
            let next = minute + (span.until - wall(minute)) / 60_000;
            for inside in minute..next {
                let said = (span.planned, span.shift);
                prop_assert_eq!(by_the_minute(&calendar, inside), said, "minute {}", inside - minute);
            }
            minute = next;
        }
    }
}
