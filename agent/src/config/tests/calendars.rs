//! Crews, and several calendars.

use super::*;
use andon_core::calendar::CalendarIndex;
use jiff::civil::{Date, date};

fn with(changes: &[(&str, &str)]) -> Result<Loaded, Report> {
    let text = changes
        .iter()
        .fold(PRESS_LINE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "not in the example: {from}");
            text.replacen(from, to, 1)
        });
    load_text(&text)
}

#[track_caller]
fn loaded(changes: &[(&str, &str)]) -> Loaded {
    with(changes).unwrap_or_else(|report| panic!("{report}"))
}

/// The crews of the shifts of the calendar without a name, in the order of the file.
fn crews(loaded: &Loaded, date: Date) -> Vec<Option<&str>> {
    let calendar = &loaded.settings.plant.calendar;
    let crew = |shift| calendar.crew(shift, date).map(|crew| &**crew);
    (0..calendar.shifts.len()).map(crew).collect()
}

const DAY: &str = "name = \"day\"";
const NIGHT: &str = "name = \"night\"";

#[test]
fn two_crews_take_turns_each_week() {
    let loaded = loaded(&[
        (DAY, "name = \"day\"\ncrews = [\"甲\", \"乙\"]"),
        (NIGHT, "name = \"night\"\ncrews = [\"乙\", \"甲\"]"),
        (
            "[calendar]",
            "[calendar]\ncrews = { from = \"2026-11-23\", every = \"1 week\" }",
        ),
    ]);
    assert_eq!(loaded.warnings.entries().count(), 2, "{}", loaded.warnings);
    let first = [Some("甲"), Some("乙")];
    let second = [Some("乙"), Some("甲")];
    for (day, expected) in [
        (date(2026, 11, 23), first),
        (date(2026, 11, 29), first),
        (date(2026, 11, 30), second),
        // Before the day it is counted from it was the same.
        (date(2026, 11, 22), second),
        (date(2026, 11, 15), first),
        // The 53rd week of 2026 and the first of 2027 differ as any two weeks.
        (date(2026, 12, 21), first),
        (date(2026, 12, 28), second),
        (date(2027, 1, 3), second),
        (date(2027, 1, 4), first),
    ] {
        assert_eq!(crews(&loaded, day), expected, "{day}");
    }
}

#[test]
fn four_crews_work_three_shifts_and_rest_for_two_days() {
    let shift = |name: &str, start: &str, end: &str, crews: &str| {
        format!(
            "[[shift]]\nname = \"{name}\"\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n\
             start = \"{start}\"\nend = \"{end}\"\ncrews = [{crews}]\n"
        )
    };
    let (head, _) = PRESS_LINE.split_once("[[shift]]").unwrap();
    let (_, tail) = PRESS_LINE.split_once("[calendar]").unwrap();
    let text = head.to_owned()
        + &shift("早", "08:00", "16:00", r#""甲", "丁", "丙", "乙""#)
        + &shift("中", "16:00", "00:00", r#""乙", "甲", "丁", "丙""#)
        + &shift("夜", "00:00", "08:00", r#""丙", "乙", "甲", "丁""#)
        + "[calendar]\ncrews = { from = \"2026-11-23\", every = \"2 d\" }"
        + tail;
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.warnings.entries().count(), 2, "{}", loaded.warnings);
    let mut day = date(2026, 11, 23);
    // What 甲 does from its first day on, twice round.
    let round = "早早中中夜夜休休".repeat(2);
    for does in round.chars() {
        let working = crews(&loaded, day);
        let shift = working.iter().position(|crew| *crew == Some("甲"));
        let name = shift.map_or("休", |shift| ["早", "中", "夜"][shift]);
        assert_eq!(name, does.to_string(), "{day}");
        let mut names: Vec<_> = working.into_iter().flatten().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 3, "each shift has a crew of its own");
        day = day.tomorrow().unwrap();
    }
}

#[test]
fn a_shift_may_always_have_the_same_crew() {
    let loaded = loaded(&[(DAY, "name = \"day\"\ncrews = [\"A\"]")]);
    assert_eq!(crews(&loaded, date(2026, 11, 23)), [Some("A"), None]);
}

#[test]
fn a_roster_that_does_not_fit_is_told() {
    let rotation = (
        "[calendar]",
        "[calendar]\ncrews = { from = \"2026-11-23\", every = \"1 d\" }",
    );
    let day = |crews: &str| format!("name = \"day\"\ncrews = {crews}");
    let night = |crews: &str| format!("name = \"night\"\ncrews = {crews}");
    let report = with(&[
        (DAY, &day(r#"["A", "B", "C"]"#)),
        (NIGHT, &night(r#"["B", "A"]"#)),
        rotation,
    ])
    .expect_err("they would get out of step");
    let told: Vec<Entry<'_>> = report.entries().collect();
    assert_eq!(told.len(), 1, "{report}");
    assert!(told[0].message.contains("`night` has 2 crews, `day` has 3"));
    let loaded = loaded(&[
        (DAY, &day(r#"["A", "B"]"#)),
        (NIGHT, &night(r#"["B", "B"]"#)),
        rotation,
    ]);
    let warnings = loaded.warnings.to_string();
    assert!(
        warnings.contains("crew `B` has `day` and `night`"),
        "{warnings}"
    );
}

#[test]
fn a_rotation_that_is_wrong_is_told_once() {
    let report = with(&[
        (DAY, "name = \"day\"\ncrews = [\"A\", \"B\"]"),
        (
            "[calendar]",
            "[calendar]\ncrews = { from = \"2026-11-23\", every = \"weekly\" }",
        ),
    ])
    .expect_err("no such time");
    let told: Vec<Entry<'_>> = report.entries().collect();
    assert_eq!(told.len(), 1, "{report}");
}

const PAINT: &str = r#"
[[calendar]]
day_start = "08:00"
holidays = ["2026-10-01..2026-10-07", "2027-01-01"]

[[calendar]]
id = "paint"
day_start = "06:00"
workdays = ["2026-10-10"]

[calendar.crews]
from = "2026-11-23"
every = "1 week"

[[shift]]
name = "day"
calendar = "paint"
days = ["mon", "tue"]
start = "06:00"
end = "14:00"
crews = ["A", "B"]

[ignored]
"#;

#[test]
fn devices_follow_the_calendar_they_or_their_profile_name() {
    let (head, tail) = PRESS_LINE.split_once("[calendar]").unwrap();
    let (_, tail) = tail.split_once("[[link]]").unwrap();
    let paint = PAINT.replace("[ignored]\n", "");
    let text = format!("{head}{paint}\n[[link]]{tail}");
    let of_profile = "[[profile]]\nid = \"press\"";
    assert!(text.contains(of_profile));
    let text = text.replace(of_profile, &format!("{of_profile}\ncalendar = \"paint\""));
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    let plant = &loaded.settings.plant;
    let of: Vec<_> = plant
        .devices
        .iter()
        .map(|device| device.calendar.0)
        .collect();
    assert_eq!(of, [1, 1, 0, 0]);
    assert_eq!(
        (plant.calendar.shifts.len(), plant.calendar.day_start),
        (2, 480)
    );
    let paint = plant.calendar_at(CalendarIndex(1));
    assert_eq!(
        (&*paint.id, paint.day_start, paint.shifts.len()),
        ("paint", 360, 1)
    );
    assert_eq!(paint.zone.iana_name(), Some("Asia/Shanghai"));
    assert!(paint.holidays.is_empty() && plant.calendar.workdays.is_empty());
    assert_eq!(
        paint.crew(0, date(2026, 11, 30)).map(|crew| &**crew),
        Some("B")
    );
    // The device itself has the last word.
    let text = text.replacen("unit = 2", "unit = 2\ncalendar = \"pain\"", 1);
    let report = load_text(&text).expect_err("no such calendar");
    let told: Vec<Entry<'_>> = report.entries().collect();
    assert_eq!(told.len(), 1, "{report}");
    assert_eq!(told[0].hint, Some("did you mean `paint`?"));
}

#[test]
fn calendars_and_devices_that_do_not_find_each_other_are_a_warning() {
    let (head, tail) = PRESS_LINE.split_once("[[shift]]").unwrap();
    let (_, tail) = tail.split_once("[[link]]").unwrap();
    let (_, paint) = PAINT.split_once("[[calendar]]").unwrap();
    let (_, paint) = paint.split_once("[[calendar]]").unwrap();
    let paint = paint.replace("[ignored]\n", "");
    let text = format!("{head}[[calendar]]{paint}\n[[link]]{tail}");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    let warnings = loaded.warnings.to_string();
    for told in [
        "no device follows the calendar `paint`",
        "`press-1` and 2 more: no calendar is named",
    ] {
        assert!(warnings.contains(told), "{told} is missing in\n{warnings}");
    }
}

#[test]
fn one_calendar_and_several_do_not_go_together() {
    let (head, tail) = PRESS_LINE.split_once("[[link]]").unwrap();
    let text = format!("{head}[[calendar]]\nid = \"paint\"\n\n[[link]]{tail}");
    let report = load_text(&text).expect_err("one of the two").to_string();
    assert!(
        report.contains("write each of them as `[[calendar]]`"),
        "{report}"
    );
}
