//! Devices that follow different calendars, and what becomes of them when the configuration changes.

use super::history::{tiers_are_sums, times_follow_from_segments};
use super::*;
use crate::calendar::{CalendarIndex, Shift};
use crate::history::Leaf;
use crate::record::TagWindow;
use alloc::format;
use alloc::string::ToString as _;

const HOUR: u64 = 3_600_000;
const PAINT: CalendarIndex = CalendarIndex(1);

fn shift(name: &str, start: u16, end: u16) -> Shift {
    Shift {
        name: name.into(),
        days: [true; 7],
        start,
        end,
        breaks: vec![((start + 120) % 1440, (start + 135) % 1440)],
        crews: vec![format!("crew of {name}").as_str().into()],
    }
}

/// A press by the calendar of all, a booth by that of the paint shop, which also has a meter without
/// a state; all three tell their tags. It is 14:14 where the tests begin.
fn paint_shop() -> Plant {
    let mut plant = plant();
    plant.alarms.clear();
    plant.calendar.day_start = 6 * 60;
    plant.calendar.shifts = vec![shift("early", 360, 840), shift("late", 840, 1320)];
    let mut paint = plant.calendar.clone();
    paint.id = "paint".into();
    paint.day_start = 7 * 60 + 30;
    paint.shifts = vec![shift("day", 450, 1170), shift("night", 1170, 450)];
    plant.other_calendars = vec![paint];
    let device = |id: &str, unit| {
        let mut device = plant.devices[0].clone();
        (device.id, device.unit, device.calendar) = (id.into(), unit, PAINT);
        device
    };
    let (booth, mut meter) = (device("booth", 2), device("meter", 3));
    meter.model = Arc::new(Model {
        state: None,
        ..(*meter.model).clone()
    });
    plant.devices.extend([booth, meter]);
    for device in &mut plant.devices {
        device.publishes_tags = TierSet::ALL;
    }
    plant
}

fn tags<'r>(records: &'r [Record], device: &str, tier: Tier) -> Vec<&'r TagWindow> {
    let all = records.iter().filter_map(|record| match &record.body {
        Body::Tags(tags) => Some(&**tags),
        _ => None,
    });
    all.filter(|tags| &*tags.device == device && tags.tier == tier)
        .collect()
}

fn of<'r>(records: &'r [Record], device: &str, tier: Tier) -> Vec<&'r Summary> {
    let all = windows(records, tier).into_iter();
    all.filter(|window| &*window.device == device).collect()
}

/// Day, hour and minute in UTC, from 14:14 on.
fn clock(wall: Wall) -> (i64, i64, i64) {
    let minutes = (wall - Wall(WALL)) / 60_000 + 14 * 60 + 14;
    let day = minutes.rem_euclid(1440);
    (minutes.div_euclid(1440), day / 60, day % 60)
}

/// Name, date, crew, start and end.
type Named<'r> = (
    Option<(&'r str, &'r str, &'r str)>,
    (i64, i64, i64),
    (i64, i64, i64),
);

fn named<'r>(windows: &[&'r Summary]) -> Vec<Named<'r>> {
    let named = windows.iter().map(|window| {
        let run = window.shift.as_ref();
        let run = run.map(|run| (&*run.name, &*run.date, run.crew.as_deref().unwrap()));
        (run, clock(window.start), clock(window.end))
    });
    named.collect()
}

impl Bench {
    /// Each device is read at each of these minutes.
    fn work(&mut self, minutes: impl Iterator<Item = u64>) {
        for minute in minutes {
            let ms = minute * 60_000 + 500;
            self.pass(ms - 1);
            let good = u16::try_from(minute * 3).unwrap();
            for read in 0..3 {
                let status = [2, 7, 0][usize::try_from(minute % 3).unwrap()];
                let words = [status, good, 1];
                self.engine
                    .handle_read(ReadIndex(read), at(ms), Ok(Words::Registers(&words)));
                self.drain();
            }
        }
    }

    fn check(&self) {
        for (index, device) in self.engine.plant.devices.iter().enumerate() {
            if device.model.state.is_some() {
                tiers_are_sums(&self.engine, index, &self.records);
                times_follow_from_segments(&device.id, &self.records, &self.pages);
            }
        }
    }
}

/// The windows of a device's tags are those of its summaries, with the same shift.
fn tags_stand_beside_summaries(records: &[Record], device: &str) {
    for tier in Tier::ALL {
        let summaries = of(records, device, tier);
        let summaries = summaries
            .iter()
            .map(|one| (one.start, one.end, one.merged, &one.shift));
        let tags = tags(records, device, tier);
        let tags = tags
            .iter()
            .map(|one| (one.start, one.end, one.merged, &one.shift));
        assert!(summaries.eq(tags), "{device} {tier:?}");
    }
}

#[test]
fn each_device_has_the_shifts_and_days_of_its_calendar() {
    let mut bench = Bench::left(paint_shop(), now(0), None);
    bench.work((0..30 * 60).step_by(7));
    bench = bench.changed(paint_shop(), 30 * HOUR + 400_000);
    bench.pass(40 * HOUR);
    bench.check();
    let late = Some(("late", "2026-09-21", "crew of late"));
    let early = Some(("early", "2026-09-22", "crew of early"));
    let next_late = Some(("late", "2026-09-22", "crew of late"));
    assert_eq!(
        named(&of(&bench.records, "press-1", Tier::Shift)),
        [
            (late, (0, 14, 14), (0, 22, 0)),
            (None, (0, 22, 0), (1, 6, 0)),
            (early, (1, 6, 0), (1, 14, 0)),
            (next_late, (1, 14, 0), (1, 22, 0)),
            (None, (1, 22, 0), (2, 6, 0)),
        ]
    );
    let day = Some(("day", "2026-09-21", "crew of day"));
    let night = Some(("night", "2026-09-21", "crew of night"));
    let next_day = Some(("day", "2026-09-22", "crew of day"));
    assert_eq!(
        named(&of(&bench.records, "booth", Tier::Shift)),
        [
            (day, (0, 14, 14), (0, 19, 30)),
            (night, (0, 19, 30), (1, 7, 30)),
            (next_day, (1, 7, 30), (1, 19, 30)),
        ]
    );
    let days = |device: &str| {
        let days = of(&bench.records, device, Tier::Day);
        days.iter().map(|day| clock(day.end)).collect::<Vec<_>>()
    };
    assert_eq!(days("press-1"), [(1, 6, 0), (2, 6, 0)]);
    assert_eq!(days("booth"), [(1, 7, 30)]);
    // Nothing of the night is planned for the press, all but its break for the booth.
    let night = of(&bench.records, "press-1", Tier::Shift)[1];
    assert_eq!(night.planned_ms(), night.times.of(State::Producing));
    let night = of(&bench.records, "booth", Tier::Shift)[1];
    assert!(night.planned_ms() >= 12 * HOUR - 15 * 60_000);
    for device in ["press-1", "booth"] {
        tags_stand_beside_summaries(&bench.records, device);
    }
    let meter = tags(&bench.records, "meter", Tier::Shift);
    let names: Vec<_> = meter
        .iter()
        .map(|one| &*one.shift.as_ref().unwrap().name)
        .collect();
    assert_eq!(names, ["day", "night", "day"]);
}

#[test]
fn what_is_shown_now_is_the_shift_of_the_devices_own_calendar() {
    let mut bench = Bench::left(paint_shop(), now(0), None);
    bench.work((0..60).step_by(7));
    for (hours, press, booth) in [
        (1, Some("late"), "day"),
        (6, Some("late"), "night"),
        (9, None, "night"),
    ] {
        bench.pass(hours * HOUR);
        let shift = |device| {
            let (run, lately) = bench
                .engine
                .now(DeviceIndex(device))
                .unwrap()
                .shift
                .unwrap();
            (run.map(|run| run.name), clock(lately.from))
        };
        assert_eq!(shift(0).0.as_deref(), press);
        assert_eq!(shift(1).0.as_deref(), Some(booth));
    }
    let from = bench
        .engine
        .now(DeviceIndex(1))
        .unwrap()
        .shift
        .unwrap()
        .1
        .from;
    assert_eq!(clock(from), (0, 19, 30));
}

#[test]
fn silences_of_days_are_few_windows_whatever_the_calendars() {
    let mut plant = paint_shop();
    // Shifts over the start of the production day of their own calendar, and of each other's.
    for n in 0..6u16 {
        let mut other = plant.calendar.clone();
        other.id = format!("other-{n}").as_str().into();
        other.day_start = 60 * n + 7;
        other.shifts = vec![
            shift("a", 30 * n + 13, 30 * n + 700),
            shift("b", 30 * n + 700, 30 * n + 13),
        ];
        plant.other_calendars.push(other);
    }
    for silence in [9 * 24 * HOUR + 9 * HOUR, 365 * 24 * HOUR] {
        let mut bench = Bench::left(plant.clone(), now(0), None);
        bench.work(0..4);
        bench = bench.changed(plant.clone(), silence);
        bench.pass(silence + 300_000);
        bench.check();
        for device in ["press-1", "booth"] {
            let shifts = of(&bench.records, device, Tier::Shift);
            assert!(shifts.len() < 40, "{}", shifts.len());
            let minutes = of(&bench.records, device, Tier::Minute);
            assert!(minutes.len() < 320, "{}", minutes.len());
            // What has a name is one shift, or what there was of it.
            for shift in shifts.iter().filter(|shift| shift.shift.is_some()) {
                assert!(shift.window_ms() <= 12 * HOUR && shift.merged == 1);
            }
            tags_stand_beside_summaries(&bench.records, device);
        }
        // All of it is accounted for, and planned as much as the shifts say.
        let booth = of(&bench.records, "booth", Tier::Day);
        let whole = booth.iter().filter(|day| day.merged > 1);
        for day in whole {
            let days = day.window_ms() / (24 * HOUR);
            assert!(day.planned_ms() >= days * (24 * HOUR - 30 * 60_000));
        }
    }
}

#[test]
fn a_device_that_changes_its_calendar_keeps_its_parts_and_goes_on_by_the_new_one() {
    let mut bench = Bench::left(paint_shop(), now(0), None);
    bench.work(0..60);
    let mut moved = paint_shop();
    moved.devices[1].calendar = CalendarIndex(0);
    bench = bench.changed(moved, HOUR + 1_000);
    bench.work(61..80);
    bench.pass(9 * HOUR);
    bench.check();
    let shifts = of(&bench.records, "booth", Tier::Shift);
    let late = Some(("late", "2026-09-21", "crew of late"));
    assert_eq!(named(&shifts), [(late, (0, 14, 14), (0, 22, 0))]);
    // A part for each of the three that are counted each minute from the first reading on.
    assert_eq!(shifts[0].parts.good, Some(3 * 79));
    // The press has not been touched.
    assert_eq!(
        named(&of(&bench.records, "press-1", Tier::Shift)),
        named(&shifts)
    );
}

#[test]
fn a_calendar_that_is_gone_leaves_its_devices_to_the_others() {
    let mut bench = Bench::left(paint_shop(), now(0), None);
    bench.work(0..60);
    let mut without = paint_shop();
    without.other_calendars.clear();
    for device in &mut without.devices {
        device.calendar = CalendarIndex(0);
    }
    bench = bench.changed(without, HOUR + 1_000);
    bench.pass(9 * HOUR);
    bench.check();
    let names = |device: &str| {
        let shifts = of(&bench.records, device, Tier::Shift);
        let name = |shift: &&Summary| shift.shift.as_ref().unwrap().name.to_string();
        shifts.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names("booth"), ["late"]);
    assert_eq!(names("press-1"), ["late"]);
}

#[test]
fn calendars_that_change_their_places_keep_their_devices() {
    let mut plant = paint_shop();
    let mut third = plant.calendar.clone();
    third.id = "third".into();
    third.shifts = vec![shift("third", 0, 1439)];
    plant.other_calendars.push(third);
    let mut bench = Bench::left(plant.clone(), now(0), None);
    bench.work(0..60);
    plant.other_calendars.swap(0, 1);
    for device in &mut plant.devices[1..] {
        device.calendar = CalendarIndex(2);
    }
    bench = bench.changed(plant, HOUR + 1_000);
    bench.work(61..80);
    bench.pass(9 * HOUR);
    bench.check();
    tags_stand_beside_summaries(&bench.records, "booth");
    let shifts = of(&bench.records, "booth", Tier::Shift);
    let day = Some(("day", "2026-09-21", "crew of day"));
    assert_eq!(named(&shifts), [(day, (0, 14, 14), (0, 19, 30))]);
    // What the tags had come to before goes on too.
    let tags = tags(&bench.records, "meter", Tier::Shift);
    let good = tags[0]
        .tags
        .iter()
        .find(|tag| &*tag.name == "good")
        .unwrap();
    assert_eq!(good.sum.total, f64::from(3 * 79));
}

#[test]
fn a_device_that_is_removed_ends_as_the_shift_of_its_own_calendar() {
    for keep_calendar in [true, false] {
        let mut bench = Bench::left(paint_shop(), now(0), None);
        bench.work(0..60);
        let mut without = paint_shop();
        without.devices.truncate(1);
        if !keep_calendar {
            without.other_calendars.clear();
        }
        bench = bench.changed(without, HOUR + 1_000);
        let shifts = of(&bench.records, "booth", Tier::Shift);
        assert_eq!(shifts.len(), 1);
        let name = shifts[0].shift.as_ref().map(|run| &*run.name);
        assert_eq!(
            name,
            keep_calendar.then_some("day"),
            "never that of another calendar"
        );
        bench.pass(2 * HOUR);
        bench.check();
        times_follow_from_segments("booth", &bench.records, &bench.pages);
    }
}

#[test]
fn pages_of_tags_name_their_calendar_and_no_device() {
    let mut bench = Bench::left(paint_shop(), now(0), None);
    bench.pass(2 * HOUR);
    let mut ids: Vec<_> = bench
        .pages
        .iter()
        .filter_map(|page| match &page.leaf {
            Leaf::Minute(rows) | Leaf::Piece(rows) => Some(&rows.rows),
            _ => None,
        })
        .flatten()
        .map(|row| &*row.device)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids, [":", ":paint", "booth", "press-1"]);
}
