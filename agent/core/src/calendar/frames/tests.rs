use super::super::Shift;
use super::super::tests::{HOUR, at, press_line, zone};
use super::*;
use alloc::vec;
use jiff::civil::date;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;

/// Lengths in minutes of the frames from `from` up to `to`, which must be edges.
fn lengths(frame: impl Fn(Wall) -> Frame, from: Wall, to: Wall) -> Vec<i64> {
    let mut lengths = vec![];
    let mut now = from;
    while now < to {
        let frame = frame(now);
        assert_eq!(frame.start, now, "frames follow each other");
        lengths.push((frame.until - frame.start) / MINUTE);
        now = frame.until;
    }
    assert_eq!(now, to);
    lengths
}

#[test]
fn hours_are_those_of_the_local_clock() {
    for (name, minute) in [
        ("Asia/Shanghai", 0),
        ("Asia/Kolkata", 30),
        ("Asia/Kathmandu", 15),
    ] {
        let zone = zone(name);
        let calendar = Calendar::always(zone.clone());
        let frame = calendar.hour_at(at(&zone, "2026-11-23T11:59:59.999"));
        assert_eq!(frame.start, at(&zone, "2026-11-23T11:00"));
        assert_eq!(frame.until, at(&zone, "2026-11-23T12:00"));
        assert_eq!(frame.start.0 / MINUTE % 60, minute, "{name}");
    }
}

#[test]
fn a_clock_change_makes_23_or_25_hours_of_60_minutes() {
    let zone = zone("Europe/Berlin");
    let calendar = Calendar::always(zone.clone());
    let hours =
        |from: &str, to: &str| lengths(|now| calendar.hour_at(now), at(&zone, from), at(&zone, to));
    assert_eq!(hours("2026-03-29T00:00", "2026-03-30T00:00"), [60; 23]);
    assert_eq!(hours("2026-10-25T00:00", "2026-10-26T00:00"), [60; 25]);
}

#[test]
fn a_clock_change_by_half_an_hour_ends_an_hour() {
    let zone = zone("Australia/Lord_Howe");
    let calendar = Calendar::always(zone.clone());
    // 02:00 becomes 01:30 on 5 April, and 02:30 on 4 October.
    let hours =
        |from: &str, to: &str| lengths(|now| calendar.hour_at(now), at(&zone, from), at(&zone, to));
    assert_eq!(
        hours("2026-04-05T00:00", "2026-04-05T03:00"),
        [60, 60, 30, 60]
    );
    assert_eq!(
        hours("2026-10-04T00:00", "2026-10-04T04:00"),
        [60, 60, 30, 60]
    );
    // In the half hour itself, by its first and last millisecond.
    let change = at(&zone, "2026-04-05T00:00") + 2 * HOUR;
    for moment in [change, change + (HOUR / 2 - 1)] {
        let frame = calendar.hour_at(moment);
        assert_eq!((frame.start, frame.until), (change, change + HOUR / 2));
    }
}

#[test]
fn a_production_day_is_as_long_as_it_really_is() {
    let zone = zone("Europe/Berlin");
    let mut calendar = Calendar::always(zone.clone());
    for day_start in [0, 2 * 60 + 30, 6 * 60, 8 * 60] {
        calendar.day_start = day_start;
        let moment = |date: Date| calendar.instant(date, day_start);
        let days = |first: Date, last: Date| {
            lengths(|now| calendar.day_at(now), moment(first), moment(last))
        };
        let clock =
            |lengths: Vec<i64>| lengths.iter().sum::<i64>() - 24 * 60 * lengths.len() as i64;
        assert_eq!(clock(days(date(2026, 3, 27), date(2026, 3, 31))), -60);
        assert_eq!(clock(days(date(2026, 10, 23), date(2026, 10, 27))), 60);
        // A leap day, and a year with 53 weeks.
        assert_eq!(days(date(2028, 2, 28), date(2028, 3, 2)), [24 * 60; 3]);
        assert_eq!(days(date(2026, 1, 1), date(2027, 1, 1)).len(), 365);
        assert_eq!(days(date(2025, 12, 29), date(2027, 1, 4)).len(), 53 * 7);
    }
}

#[test]
fn a_shift_has_its_date_and_its_breaks() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    let shift = |text: &str| calendar.shift_at(at(&zone, text)).unwrap();
    let day = shift("2026-11-23T12:10");
    assert_eq!(day.shift, Some((0, date(2026, 11, 23))));
    assert_eq!(day.start, at(&zone, "2026-11-23T08:00"));
    assert_eq!(day.until, at(&zone, "2026-11-23T20:00"));
    // Over midnight it belongs to the day it started on.
    let night = shift("2026-11-24T07:59");
    assert_eq!(night.shift, Some((1, date(2026, 11, 23))));
    assert_eq!(night.start, at(&zone, "2026-11-23T20:00"));
    assert_eq!(night.until, at(&zone, "2026-11-24T08:00"));
}

#[test]
fn the_time_between_shifts_is_cut_where_days_begin() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    // Saturday evening to Monday morning.
    let weekend = |from: &str, until: &str| {
        let frame = calendar.shift_at(at(&zone, from)).unwrap();
        assert_eq!(frame.shift, None);
        assert_eq!(
            (frame.start, frame.until),
            (at(&zone, from), at(&zone, until))
        );
    };
    weekend("2026-11-28T20:00", "2026-11-29T08:00");
    weekend("2026-11-29T08:00", "2026-11-30T08:00");
    // A week of holidays, seven production days.
    let holidays = lengths(
        |now| calendar.shift_at(now).unwrap(),
        at(&zone, "2026-10-01T08:00"),
        at(&zone, "2026-10-08T08:00"),
    );
    assert_eq!(holidays, [24 * 60; 7]);
}

#[test]
fn a_shift_over_a_clock_change_is_as_long_as_it_really_is() {
    let zone = zone("Europe/Berlin");
    let mut calendar = press_line(zone.clone());
    calendar.shifts[1].days = [true; 7];
    let night = |evening: &str| {
        let frame = calendar.shift_at(at(&zone, evening)).unwrap();
        (frame.until - frame.start) / HOUR
    };
    assert_eq!(night("2026-03-27T20:00"), 12);
    assert_eq!(night("2026-03-28T20:00"), 11);
    assert_eq!(night("2026-10-24T20:00"), 13);
}

#[test]
fn overlapping_shifts_share_time_by_their_order_in_the_file() {
    let zone = zone("Asia/Shanghai");
    let mut calendar = press_line(zone.clone());
    // The night runs on until nine; the day stands first in the file and has the hour.
    calendar.shifts[1].end = 9 * 60;
    let moment = at(&zone, "2026-11-24T08:30");
    assert_eq!(calendar.span_at(moment).shift, Some(0));
    let night = calendar.shift_at(at(&zone, "2026-11-24T07:00")).unwrap();
    assert_eq!(night.until, at(&zone, "2026-11-24T08:00"));
    // A shift inside another one parts it.
    calendar.shifts[1] = Shift {
        start: 10 * 60,
        end: 12 * 60,
        ..calendar.shifts[1].clone()
    };
    calendar.shifts.swap(0, 1);
    let edges = lengths(
        |now| calendar.shift_at(now).unwrap(),
        at(&zone, "2026-11-24T08:00"),
        at(&zone, "2026-11-24T20:00"),
    );
    assert_eq!(edges, [120, 120, 480]);
}

#[test]
fn a_shift_of_24_hours_ends_where_it_begins_again() {
    let zone = zone("Asia/Shanghai");
    let mut calendar = press_line(zone.clone());
    calendar.shifts.truncate(1);
    calendar.shifts[0].end = calendar.shifts[0].start;
    let frame = calendar.shift_at(at(&zone, "2026-11-24T08:00")).unwrap();
    assert_eq!(frame.start, at(&zone, "2026-11-24T08:00"));
    assert_eq!(frame.until, at(&zone, "2026-11-25T08:00"));
    assert_eq!(frame.shift, Some((0, date(2026, 11, 24))));
}

proptest! {
    /// Every moment lies in the frame that is given for it, every moment of a frame has the same
    /// one, and shifts agree with the spans of planned time.
    #[test]
    fn frames_divide_time(
        zone_at in 0usize..5,
        day_start in 0u16..1440,
        shifts in proptest::collection::vec((any::<[bool; 7]>(), 0u16..1440, 0u16..1440), 0..4),
        minute in 0i64..(2 * 366 * 24 * 60),
        part in 0.0..1.0f64,
    ) {
        let names = [
            "Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns",
        ];
        let zone = zone(names[zone_at]);
        let shifts = shifts.into_iter().enumerate().map(|(n, (days, start, end))| Shift {
            name: alloc::format!("s{n}").into(),
            days,
            start,
            end,
            breaks: vec![],
            crews: vec![],
        });
        let calendar = Calendar {
            day_start,
            shifts: shifts.collect(),
            holidays: vec![(date(2026, 10, 1), date(2026, 10, 7))],
            ..Calendar::always(zone.clone())
        };
        let now = at(&zone, "2026-01-01T00:00") + minute * MINUTE;
        let frames = [
            Some(calendar.hour_at(now)), Some(calendar.day_at(now)), calendar.shift_at(now),
        ];
        for (kind, frame) in frames.into_iter().enumerate() {
            let Some(frame) = frame else { continue };
            prop_assert!(frame.contains(now), "{frame:?}");
            prop_assert!(frame.until - frame.start <= 26 * HOUR);
            prop_assert_eq!((frame.start.0 % MINUTE, frame.until.0 % MINUTE), (0, 0));
            let length = frame.until - frame.start;
            let other = frame.start + (length as f64 * part) as i64;
            for moment in [frame.start, other, frame.until + -1] {
                let same = match kind {
                    0 => calendar.hour_at(moment),
                    1 => calendar.day_at(moment),
                    _ => calendar.shift_at(moment).unwrap(),
                };
                prop_assert_eq!(same, frame, "at {:?}", moment);
                if kind == 2 {
                    let shift = calendar.span_at(moment).shift;
                    prop_assert_eq!(shift, frame.shift.map(|(index, _)| index));
                }
            }
        }
    }
}
