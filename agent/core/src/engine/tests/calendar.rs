//! Planned time is the real elapsed time of shifts less their breaks, whatever the clocks of the zone
//! do. What is expected stands here as plain UTC and minutes, and was worked out by hand.

use super::*;
use crate::calendar::{Rotation, Shift};
use core::num::NonZeroU16;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60_000;

/// A shift that took place: its name, date and crew, where it began and ended in UTC, and how many of
/// its minutes were planned.
type Took<'t> = (&'t str, &'t str, Option<&'t str>, &'t str, &'t str, i64);

fn utc(text: &str) -> Wall {
    let instant: Timestamp = text.parse().unwrap();
    Wall(instant.as_millisecond())
}

fn zone(name: &str) -> Calendar {
    Calendar::always(TimeZone::get(name).unwrap())
}

const ALL_DAYS: [bool; 7] = [true; 7];

fn shift(name: &str, days: [bool; 7], start: &str, end: &str, breaks: &[(&str, &str)]) -> Shift {
    let minute = |text: &str| {
        let (hours, minutes) = text.split_once(':').unwrap();
        hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
    };
    let breaks = breaks.iter().map(|(from, to)| (minute(from), minute(to)));
    Shift {
        name: name.into(),
        days,
        start: minute(start),
        end: minute(end),
        breaks: breaks.collect(),
        crews: vec![],
    }
}

/// What a device comes to that nobody has ever read, with the time handled in these steps.
fn accounted(calendar: &Calendar, from: Wall, to: Wall, step: i64) -> Vec<Record> {
    let mut plant = plant();
    plant.alarms.clear();
    plant.calendar = calendar.clone();
    let plant = Arc::new(plant);
    let run = Run {
        id: 1,
        boot: 1,
        cfg: 0,
    };
    let now = |wall: Wall| Now {
        mono: Mono(MONO + u64::try_from(wall - from).unwrap()),
        wall,
        clock: ClockState::Synced,
    };
    let plan = Arc::new(Plan::new(&plant));
    let mut engine = Engine::new(plant, plan, run, now(from), None);
    let mut records = vec![];
    let mut at = from;
    loop {
        while let Some(action) = engine.poll_action() {
            if let Action::Store(record) = action {
                records.push(record);
            }
        }
        if at >= to {
            return records;
        }
        at = (at + step).min(to);
        while !engine.catch_up(now(at).mono) {
            while let Some(action) = engine.poll_action() {
                if let Action::Store(record) = action {
                    records.push(record);
                }
            }
        }
        engine.handle_time(now(at));
    }
}

/// Accounts from one moment to another, both of which must be edges of every tier, and compares all
/// tiers with what took place.
#[track_caller]
fn expect(calendar: &Calendar, from: &str, to: &str, took: &[Took<'_>]) {
    let (from, to) = (utc(from), utc(to));
    let planned: i64 = took.iter().map(|shift| shift.5).sum();
    // Minute by minute, and as silences that are cut where tiers end.
    for step in [MINUTE, 7 * 60 * MINUTE + 13 * MINUTE] {
        let records = accounted(calendar, from, to, step);
        for tier in Tier::ALL {
            let windows = windows(&records, tier);
            let (mut at, mut sum) = (from, 0);
            for window in &windows {
                assert_eq!(window.start, at, "{tier:?}: windows follow each other");
                let length = i64::try_from(window.window_ms()).unwrap();
                assert_eq!(window.end - window.start, length, "{tier:?}: real length");
                sum += i64::try_from(window.planned_ms()).unwrap();
                at = window.end;
            }
            assert_eq!(at, to, "{tier:?}: every window has ended");
            assert_eq!(sum, planned * MINUTE, "{tier:?}: planned time");
        }
        let told = windows(&records, Tier::Shift);
        let told: Vec<_> = told
            .iter()
            .filter_map(|window| {
                let run = window.shift.as_ref()?;
                let planned = i64::try_from(window.planned_ms()).unwrap() / MINUTE;
                let crew = run.crew.as_deref();
                Some((
                    &*run.name,
                    &*run.date,
                    crew,
                    window.start,
                    window.end,
                    planned,
                ))
            })
            .collect();
        let took = took.iter().map(|(name, date, crew, start, end, planned)| {
            (*name, *date, *crew, utc(start), utc(end), *planned)
        });
        assert_eq!(told, took.collect::<Vec<_>>());
        // Nothing is planned outside of shifts.
        let between = windows(&records, Tier::Shift);
        let mut between = between.iter().filter(|window| window.shift.is_none());
        assert!(between.all(|window| window.planned_ms() == 0));
    }
}

fn nights(name: &str, breaks: &[(&str, &str)]) -> Calendar {
    let mut calendar = zone(name);
    calendar.day_start = 12 * 60;
    calendar.shifts = vec![shift("night", ALL_DAYS, "20:00", "08:00", breaks)];
    calendar
}

#[test]
fn the_night_to_summer_time_has_eleven_hours() {
    let calendar = nights("Europe/Berlin", &[("00:00", "00:30")]);
    expect(
        &calendar,
        "2026-03-27T11:00:00Z",
        "2026-03-30T10:00:00Z",
        &[
            (
                "night",
                "2026-03-27",
                None,
                "2026-03-27T19:00:00Z",
                "2026-03-28T07:00:00Z",
                690,
            ),
            (
                "night",
                "2026-03-28",
                None,
                "2026-03-28T19:00:00Z",
                "2026-03-29T06:00:00Z",
                630,
            ),
            (
                "night",
                "2026-03-29",
                None,
                "2026-03-29T18:00:00Z",
                "2026-03-30T06:00:00Z",
                690,
            ),
        ],
    );
}

#[test]
fn the_night_to_winter_time_has_thirteen_hours() {
    let calendar = nights("Europe/Berlin", &[("00:00", "00:30")]);
    expect(
        &calendar,
        "2026-10-24T10:00:00Z",
        "2026-10-26T11:00:00Z",
        &[
            (
                "night",
                "2026-10-24",
                None,
                "2026-10-24T18:00:00Z",
                "2026-10-25T07:00:00Z",
                750,
            ),
            (
                "night",
                "2026-10-25",
                None,
                "2026-10-25T19:00:00Z",
                "2026-10-26T07:00:00Z",
                690,
            ),
        ],
    );
}

#[test]
fn a_break_over_a_clock_change_is_as_long_as_it_really_is() {
    let calendar = nights("Europe/Berlin", &[("01:45", "03:15")]);
    // 01:45 to 03:15 are 30 minutes in spring and two and a half hours in autumn.
    expect(
        &calendar,
        "2026-03-28T11:00:00Z",
        "2026-03-29T10:00:00Z",
        &[(
            "night",
            "2026-03-28",
            None,
            "2026-03-28T19:00:00Z",
            "2026-03-29T06:00:00Z",
            630,
        )],
    );
    expect(
        &calendar,
        "2026-10-24T10:00:00Z",
        "2026-10-25T11:00:00Z",
        &[(
            "night",
            "2026-10-24",
            None,
            "2026-10-24T18:00:00Z",
            "2026-10-25T07:00:00Z",
            630,
        )],
    );
}

#[test]
fn a_shift_that_begins_in_the_skipped_hour_begins_when_it_is_over() {
    // 02:30 does not exist: it is 03:30, and the shift until 06:30 has three hours.
    let mut calendar = zone("Europe/Berlin");
    calendar.shifts = vec![shift("early", ALL_DAYS, "02:30", "06:30", &[])];
    expect(
        &calendar,
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
        &[(
            "early",
            "2026-03-29",
            None,
            "2026-03-29T01:30:00Z",
            "2026-03-29T04:30:00Z",
            180,
        )],
    );
    // In autumn it is the first 02:30.
    expect(
        &calendar,
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
        &[(
            "early",
            "2026-10-25",
            None,
            "2026-10-25T00:30:00Z",
            "2026-10-25T05:30:00Z",
            300,
        )],
    );
}

#[test]
fn a_clock_that_is_changed_by_half_an_hour_changes_a_night_by_half_an_hour() {
    // +10:30 in winter, +11 in summer.
    let mut calendar = nights("Australia/Lord_Howe", &[("01:00", "01:20")]);
    calendar.shifts[0].start = 22 * 60;
    calendar.shifts[0].end = 6 * 60;
    expect(
        &calendar,
        "2026-04-04T01:00:00Z",
        "2026-04-06T01:30:00Z",
        &[
            (
                "night",
                "2026-04-04",
                None,
                "2026-04-04T11:00:00Z",
                "2026-04-04T19:30:00Z",
                490,
            ),
            (
                "night",
                "2026-04-05",
                None,
                "2026-04-05T11:30:00Z",
                "2026-04-05T19:30:00Z",
                460,
            ),
        ],
    );
    expect(
        &calendar,
        "2026-10-03T01:30:00Z",
        "2026-10-05T01:00:00Z",
        &[
            (
                "night",
                "2026-10-03",
                None,
                "2026-10-03T11:30:00Z",
                "2026-10-03T19:00:00Z",
                430,
            ),
            (
                "night",
                "2026-10-04",
                None,
                "2026-10-04T11:00:00Z",
                "2026-10-04T19:00:00Z",
                460,
            ),
        ],
    );
}

#[test]
fn zones_of_half_and_quarter_hours_have_their_own_hours() {
    let mut calendar = zone("Asia/Kolkata");
    calendar.shifts = vec![shift(
        "day",
        ALL_DAYS,
        "08:15",
        "17:00",
        &[("12:00", "12:45")],
    )];
    expect(
        &calendar,
        "2026-11-22T18:30:00Z",
        "2026-11-23T18:30:00Z",
        &[(
            "day",
            "2026-11-23",
            None,
            "2026-11-23T02:45:00Z",
            "2026-11-23T11:30:00Z",
            480,
        )],
    );
    calendar.zone = TimeZone::get("Asia/Kathmandu").unwrap();
    expect(
        &calendar,
        "2026-11-22T18:15:00Z",
        "2026-11-23T18:15:00Z",
        &[(
            "day",
            "2026-11-23",
            None,
            "2026-11-23T02:30:00Z",
            "2026-11-23T11:15:00Z",
            480,
        )],
    );
}

#[test]
fn zones_that_changed_their_rules_are_followed() {
    // Kazakhstan went from +6 to +5 when 1 March 2024 began, which was a leap year.
    expect(
        &nights("Asia/Almaty", &[]),
        "2024-02-29T06:00:00Z",
        "2024-03-02T07:00:00Z",
        &[
            (
                "night",
                "2024-02-29",
                None,
                "2024-02-29T14:00:00Z",
                "2024-03-01T03:00:00Z",
                780,
            ),
            (
                "night",
                "2024-03-01",
                None,
                "2024-03-01T15:00:00Z",
                "2024-03-02T03:00:00Z",
                720,
            ),
        ],
    );
    // Turkey has had summer time since March 2016 and never went back.
    expect(
        &nights("Europe/Istanbul", &[]),
        "2016-11-05T09:00:00Z",
        "2016-11-06T09:00:00Z",
        &[(
            "night",
            "2016-11-05",
            None,
            "2016-11-05T17:00:00Z",
            "2016-11-06T05:00:00Z",
            720,
        )],
    );
    // Venezuela moved its clocks forward by half an hour at 02:30 on 1 May 2016.
    expect(
        &nights("America/Caracas", &[]),
        "2016-04-30T16:30:00Z",
        "2016-05-01T16:00:00Z",
        &[(
            "night",
            "2016-04-30",
            None,
            "2016-05-01T00:30:00Z",
            "2016-05-01T12:00:00Z",
            690,
        )],
    );
}

#[test]
fn a_date_that_a_zone_skipped_has_no_shifts() {
    // Samoa moved over the date line: 29 December 2011 was followed by the 31st.
    let mut calendar = zone("Pacific/Apia");
    calendar.day_start = 8 * 60;
    calendar.shifts = vec![
        shift("day", ALL_DAYS, "08:00", "20:00", &[]),
        shift("night", ALL_DAYS, "20:00", "08:00", &[]),
    ];
    expect(
        &calendar,
        "2011-12-29T18:00:00Z",
        "2011-12-31T18:00:00Z",
        &[
            (
                "day",
                "2011-12-29",
                None,
                "2011-12-29T18:00:00Z",
                "2011-12-30T06:00:00Z",
                720,
            ),
            (
                "night",
                "2011-12-29",
                None,
                "2011-12-30T06:00:00Z",
                "2011-12-30T18:00:00Z",
                720,
            ),
            (
                "day",
                "2011-12-31",
                None,
                "2011-12-30T18:00:00Z",
                "2011-12-31T06:00:00Z",
                720,
            ),
            (
                "night",
                "2011-12-31",
                None,
                "2011-12-31T06:00:00Z",
                "2011-12-31T18:00:00Z",
                720,
            ),
        ],
    );
}

/// Day and night of `press-line.toml`, with two crews that change each Monday.
fn two_crews() -> Calendar {
    let mut calendar = zone("Asia/Shanghai");
    calendar.day_start = 8 * 60;
    let mut six = ALL_DAYS;
    six[6] = false;
    let mut five = six;
    five[5] = false;
    let breaks = [("12:00", "12:30"), ("16:00", "16:15")];
    let mut day = shift("day", six, "08:00", "20:00", &breaks);
    day.crews = vec!["甲".into(), "乙".into()];
    // A break over midnight.
    let mut night = shift("night", five, "20:00", "08:00", &[("23:45", "00:15")]);
    night.crews = vec!["乙".into(), "甲".into()];
    calendar.shifts = vec![day, night];
    calendar.rotation = NonZeroU16::new(7).map(|days| Rotation {
        from: date(2026, 11, 23),
        days,
    });
    calendar
}

#[test]
fn a_year_of_53_weeks_turns_crews_as_any_other() {
    let mut calendar = two_crews();
    // No holidays here: the 53rd week runs through the turn of the year.
    calendar.shifts[0].breaks.clear();
    calendar.shifts[1].breaks.clear();
    let (jia, yi) = (Some("甲"), Some("乙"));
    expect(
        &calendar,
        "2026-12-27T00:00:00Z",
        "2027-01-05T00:00:00Z",
        &[
            (
                "day",
                "2026-12-28",
                yi,
                "2026-12-28T00:00:00Z",
                "2026-12-28T12:00:00Z",
                720,
            ),
            (
                "night",
                "2026-12-28",
                jia,
                "2026-12-28T12:00:00Z",
                "2026-12-29T00:00:00Z",
                720,
            ),
            (
                "day",
                "2026-12-29",
                yi,
                "2026-12-29T00:00:00Z",
                "2026-12-29T12:00:00Z",
                720,
            ),
            (
                "night",
                "2026-12-29",
                jia,
                "2026-12-29T12:00:00Z",
                "2026-12-30T00:00:00Z",
                720,
            ),
            (
                "day",
                "2026-12-30",
                yi,
                "2026-12-30T00:00:00Z",
                "2026-12-30T12:00:00Z",
                720,
            ),
            (
                "night",
                "2026-12-30",
                jia,
                "2026-12-30T12:00:00Z",
                "2026-12-31T00:00:00Z",
                720,
            ),
            (
                "day",
                "2026-12-31",
                yi,
                "2026-12-31T00:00:00Z",
                "2026-12-31T12:00:00Z",
                720,
            ),
            (
                "night",
                "2026-12-31",
                jia,
                "2026-12-31T12:00:00Z",
                "2027-01-01T00:00:00Z",
                720,
            ),
            (
                "day",
                "2027-01-01",
                yi,
                "2027-01-01T00:00:00Z",
                "2027-01-01T12:00:00Z",
                720,
            ),
            (
                "night",
                "2027-01-01",
                jia,
                "2027-01-01T12:00:00Z",
                "2027-01-02T00:00:00Z",
                720,
            ),
            (
                "day",
                "2027-01-02",
                yi,
                "2027-01-02T00:00:00Z",
                "2027-01-02T12:00:00Z",
                720,
            ),
            // Monday: the other week.
            (
                "day",
                "2027-01-04",
                jia,
                "2027-01-04T00:00:00Z",
                "2027-01-04T12:00:00Z",
                720,
            ),
            (
                "night",
                "2027-01-04",
                yi,
                "2027-01-04T12:00:00Z",
                "2027-01-05T00:00:00Z",
                720,
            ),
        ],
    );
}

#[test]
fn the_night_of_the_eve_runs_into_the_holiday_and_none_starts_on_it() {
    let mut calendar = two_crews();
    calendar.holidays = vec![(date(2026, 10, 1), date(2026, 10, 7))];
    let (jia, yi) = (Some("甲"), Some("乙"));
    // The crew of the night is that of the evening, also where the week turns at midnight.
    expect(
        &calendar,
        "2026-09-30T00:00:00Z",
        "2026-10-09T00:00:00Z",
        &[
            (
                "day",
                "2026-09-30",
                jia,
                "2026-09-30T00:00:00Z",
                "2026-09-30T12:00:00Z",
                675,
            ),
            (
                "night",
                "2026-09-30",
                yi,
                "2026-09-30T12:00:00Z",
                "2026-10-01T00:00:00Z",
                690,
            ),
            (
                "day",
                "2026-10-08",
                yi,
                "2026-10-08T00:00:00Z",
                "2026-10-08T12:00:00Z",
                675,
            ),
            (
                "night",
                "2026-10-08",
                jia,
                "2026-10-08T12:00:00Z",
                "2026-10-09T00:00:00Z",
                690,
            ),
        ],
    );
}

#[test]
fn holidays_span_the_turn_of_the_year_and_a_sunday_is_worked_for_them() {
    let mut calendar = two_crews();
    calendar.holidays = vec![(date(2026, 12, 31), date(2027, 1, 2))];
    // A Sunday, on which both shifts start; its night runs into Monday.
    calendar.workdays = vec![date(2027, 1, 3)];
    let (jia, yi) = (Some("甲"), Some("乙"));
    expect(
        &calendar,
        "2026-12-30T00:00:00Z",
        "2027-01-05T00:00:00Z",
        &[
            (
                "day",
                "2026-12-30",
                yi,
                "2026-12-30T00:00:00Z",
                "2026-12-30T12:00:00Z",
                675,
            ),
            (
                "night",
                "2026-12-30",
                jia,
                "2026-12-30T12:00:00Z",
                "2026-12-31T00:00:00Z",
                690,
            ),
            (
                "day",
                "2027-01-03",
                yi,
                "2027-01-03T00:00:00Z",
                "2027-01-03T12:00:00Z",
                675,
            ),
            (
                "night",
                "2027-01-03",
                jia,
                "2027-01-03T12:00:00Z",
                "2027-01-04T00:00:00Z",
                690,
            ),
            (
                "day",
                "2027-01-04",
                jia,
                "2027-01-04T00:00:00Z",
                "2027-01-04T12:00:00Z",
                675,
            ),
            (
                "night",
                "2027-01-04",
                yi,
                "2027-01-04T12:00:00Z",
                "2027-01-05T00:00:00Z",
                690,
            ),
        ],
    );
}

#[test]
fn a_leap_day_is_a_day() {
    let mut calendar = two_crews();
    calendar.rotation = None;
    let (jia, yi) = (Some("甲"), Some("乙"));
    expect(
        &calendar,
        "2028-02-28T00:00:00Z",
        "2028-03-02T00:00:00Z",
        &[
            (
                "day",
                "2028-02-28",
                jia,
                "2028-02-28T00:00:00Z",
                "2028-02-28T12:00:00Z",
                675,
            ),
            (
                "night",
                "2028-02-28",
                yi,
                "2028-02-28T12:00:00Z",
                "2028-02-29T00:00:00Z",
                690,
            ),
            (
                "day",
                "2028-02-29",
                jia,
                "2028-02-29T00:00:00Z",
                "2028-02-29T12:00:00Z",
                675,
            ),
            (
                "night",
                "2028-02-29",
                yi,
                "2028-02-29T12:00:00Z",
                "2028-03-01T00:00:00Z",
                690,
            ),
            (
                "day",
                "2028-03-01",
                jia,
                "2028-03-01T00:00:00Z",
                "2028-03-01T12:00:00Z",
                675,
            ),
            (
                "night",
                "2028-03-01",
                yi,
                "2028-03-01T12:00:00Z",
                "2028-03-02T00:00:00Z",
                690,
            ),
        ],
    );
}

#[test]
fn a_shift_of_24_hours_has_23_or_25_where_the_clock_is_changed() {
    let mut calendar = zone("Europe/Berlin");
    calendar.day_start = 6 * 60;
    calendar.shifts = vec![shift(
        "watch",
        ALL_DAYS,
        "06:00",
        "06:00",
        &[("05:00", "06:00")],
    )];
    expect(
        &calendar,
        "2026-03-27T05:00:00Z",
        "2026-03-30T04:00:00Z",
        &[
            (
                "watch",
                "2026-03-27",
                None,
                "2026-03-27T05:00:00Z",
                "2026-03-28T05:00:00Z",
                1380,
            ),
            (
                "watch",
                "2026-03-28",
                None,
                "2026-03-28T05:00:00Z",
                "2026-03-29T04:00:00Z",
                1320,
            ),
            (
                "watch",
                "2026-03-29",
                None,
                "2026-03-29T04:00:00Z",
                "2026-03-30T04:00:00Z",
                1380,
            ),
        ],
    );
    expect(
        &calendar,
        "2026-10-24T04:00:00Z",
        "2026-10-25T05:00:00Z",
        &[(
            "watch",
            "2026-10-24",
            None,
            "2026-10-24T04:00:00Z",
            "2026-10-25T05:00:00Z",
            1440,
        )],
    );
}
