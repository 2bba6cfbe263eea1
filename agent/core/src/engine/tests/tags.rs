//! What tags come to over minutes and longer.

use super::*;
use crate::history::Leaf;
use crate::message::Message;
use crate::record::{TagValue, TagWindow};
use crate::tag_sums::{Number, TagSum};

const HOUR: u64 = 3_600_000;

/// A press that tells its tags, and a meter that has no state.
fn with_meter() -> Plant {
    let mut plant = plant();
    let mut meter = plant.devices[0].clone();
    meter.id = "meter".into();
    meter.unit = 2;
    meter.model = Arc::new(Model {
        state: None,
        tags: vec![
            tag("power", 0, Kind::U16, None),
            Tag {
                summed: Summed::Counter,
                ..tag("energy", 1, Kind::U16, None)
            },
            Tag {
                summed: Summed::Not,
                ..tag("home", 2, Kind::U16, None)
            },
        ],
        ..(*meter.model).clone()
    });
    plant.devices.push(meter);
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

fn value<'t>(window: &'t TagWindow, name: &str) -> &'t TagValue {
    window.tags.iter().find(|tag| &*tag.name == name).unwrap()
}

impl Bench {
    fn read_meter(&mut self, ms: u64, power: u16, energy: u16) {
        self.pass(ms.saturating_sub(1));
        let words = [power, energy, 1];
        self.engine
            .handle_read(ReadIndex(1), at(ms), Ok(Words::Registers(&words)));
        self.drain();
    }

    /// Killed, or stopped in order if it says what tags have come to; and started again.
    fn again(self, ms: u64, in_order: bool) -> Bench {
        self.again_as(with_meter(), ms, in_order)
    }

    /// The same with another plant.
    fn again_as(mut self, plant: Plant, ms: u64, in_order: bool) -> Bench {
        if in_order {
            self.engine.keep_tags();
        }
        let checkpoint = self.engine.checkpoint();
        self.drain();
        let left = Some(Left::Newest(&checkpoint));
        let mut bench = Bench::kept(plant, now(ms), left, &self.pages);
        let mut records = self.records;
        records.append(&mut bench.records);
        let mut pages = self.pages;
        pages.append(&mut bench.pages);
        (bench.records, bench.pages) = (records, pages);
        bench
    }
}

#[test]
fn a_meter_without_a_state_tells_its_tags_all_the_same() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    for second in 0..70 {
        bench.read_meter(
            second * 1000,
            if second < 30 { 100 } else { 400 },
            7 + second as u16,
        );
    }
    let minutes = tags(&bench.records, "meter", Tier::Minute);
    assert_eq!(minutes.len(), 1);
    let minute = minutes[0];
    assert_eq!(
        (minute.start, minute.end),
        (Wall(WALL), Wall(WALL + 60_000))
    );
    assert_eq!((minute.window_ms, minute.tags.len()), (60_000, 2));
    let power = value(minute, "power");
    assert_eq!((power.sum.mean(), power.sum.good_ms), (Some(250.0), 60_000));
    assert_eq!((power.sum.min, power.sum.max), (100.0, 400.0));
    assert_eq!(power.last, Some(Number::Int(400)));
    let energy = value(minute, "energy");
    // The reading at 60 s belongs to the next minute.
    assert_eq!((energy.counter, energy.sum.total), (true, 59.0));
    assert!(
        windows(&bench.records, Tier::Minute)
            .iter()
            .all(|one| &*one.device != "meter")
    );
    // Those of the press stand beside its summary.
    assert_eq!(
        value(tags(&bench.records, "press-1", Tier::Minute)[0], "good").last,
        None
    );
}

#[test]
fn hours_of_tags_are_the_sums_of_their_minutes_over_restarts_in_order() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    let (mut ms, mut energy) = (0, 0u16);
    for round in 0..5u64 {
        for step in 0..40 {
            energy += 3;
            ms += 17_000 + round * 1000;
            bench.read_meter(ms, (step * 7 % 60) as u16, energy);
        }
        ms += 20_500;
        bench = bench.again(ms, true);
    }
    bench.pass(2 * HOUR);
    let minutes = tags(&bench.records, "meter", Tier::Minute);
    let hours = tags(&bench.records, "meter", Tier::Hour);
    assert_eq!(hours.len(), 2);
    let mut total = 0.0;
    for hour in hours {
        let inside = minutes
            .iter()
            .filter(|minute| hour.start <= minute.start && minute.end <= hour.end);
        for name in ["power", "energy"] {
            let mut sum = TagSum::EMPTY;
            inside
                .clone()
                .for_each(|minute| sum.add(&value(minute, name).sum));
            let told = value(hour, name).sum;
            // The same numbers in another order of adding differ in their last digit at most.
            assert!((told.total - sum.total).abs() <= 1e-12 * sum.total);
            assert_eq!(
                (told.min, told.max, told.good_ms),
                (sum.min, sum.max, sum.good_ms)
            );
        }
        total += value(hour, "energy").sum.total;
    }
    // The first reading is where it begins; a restart loses nothing.
    assert_eq!(total, f64::from(energy - 3));
}

#[test]
fn a_kill_takes_no_more_of_the_tags_than_since_the_last_hour_and_nothing_of_counters() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    // 14:14 to 15:04; what was kept at 15:00 is all that is left.
    for second in (0..50 * 60).step_by(10) {
        bench.read_meter(second * 1000, 5, (second / 10) as u16);
    }
    let mut bench = bench.again(50 * 60_000, false);
    bench.read_meter(50 * 60_000 + 10_000, 5, 400);
    // To the end of the day, at 24:00.
    bench.pass(10 * HOUR);
    let day = tags(&bench.records, "meter", Tier::Day)[0];
    let power = value(day, "power");
    // The stale time is three seconds.
    let until_15 = 46 * 6 * 3_000;
    assert_eq!(power.sum.good_ms, until_15 + 3_000);
    assert_eq!(value(day, "energy").sum.total, 400.0);
    let minutes = tags(&bench.records, "meter", Tier::Minute);
    let by_minutes: f64 = minutes
        .iter()
        .map(|minute| value(minute, "energy").sum.total)
        .sum();
    assert_eq!(by_minutes, 400.0);
}

/// That plant without the device with this index.
fn without(index: usize) -> Plant {
    let mut plant = with_meter();
    plant.devices.remove(index);
    for device in &mut plant.devices {
        device.unit = 1;
    }
    plant
}

/// Each longer window of a device's tags against the minutes in it; how many there are.
#[track_caller]
fn are_sums(records: &[Record], device: &str, names: &[&str]) -> usize {
    let minutes = tags(records, device, Tier::Minute);
    let mut count = 0;
    for tier in [Tier::Hour, Tier::Shift, Tier::Day] {
        let (mut from, mut length) = (minutes[0].start, 0);
        for window in tags(records, device, tier) {
            count += 1;
            assert_eq!(window.start, from, "{tier:?}");
            from = window.end;
            length += window.window_ms;
            let inside = minutes
                .iter()
                .filter(|minute| window.start <= minute.start && minute.end <= window.end);
            for name in names {
                let mut sum = TagSum::EMPTY;
                let each = inside.clone();
                each.for_each(|minute| sum.add(&value(minute, name).sum));
                assert_eq!(value(window, name).sum, sum, "{tier:?} {name}");
                assert!(value(window, name).last.is_some(), "{tier:?} {name}");
            }
        }
        let all: u64 = minutes.iter().map(|minute| minute.window_ms).sum();
        assert!(length == 0 || length == all, "{tier:?}: up to the end");
    }
    count
}

#[test]
fn the_tags_of_a_device_that_was_removed_are_told_up_to_the_stop() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    // 14:14 to 15:04:05; levels are whole numbers, which add up exactly.
    for second in (0..50 * 60 + 10).step_by(5) {
        bench.read_meter(second * 1000, (second % 70) as u16, second as u16);
    }
    let mut bench = bench.again_as(without(1), 52 * 60_000, true);
    let minutes = tags(&bench.records, "meter", Tier::Minute);
    assert_eq!(
        minutes.last().unwrap().end,
        Wall(WALL + 50 * 60_000 + 5_000)
    );
    assert_eq!(are_sums(&bench.records, "meter", &["power", "energy"]), 3);
    let day = tags(&bench.records, "meter", Tier::Day)[0];
    assert_eq!(value(day, "energy").sum.total, 3_005.0);
    assert_eq!(value(day, "energy").last, Some(Number::Int(3_005)));
    // Once, and what is left goes on.
    let told = tags(&bench.records, "meter", Tier::Hour).len();
    bench.pass(53 * 60_000);
    let mut bench = bench.again_as(without(1), 54 * 60_000, false);
    bench.pass(10 * HOUR);
    assert_eq!(tags(&bench.records, "meter", Tier::Hour).len(), told);
    let press = tags(&bench.records, "press-1", Tier::Day)[0];
    assert_eq!(press.start, Wall(WALL));
}

#[test]
fn the_counters_of_a_device_that_was_removed_are_told_as_beside_its_last_summaries() {
    for in_order in [true, false] {
        let mut bench = Bench::left(with_meter(), now(0), None);
        for second in (0..50 * 60).step_by(10) {
            bench.read(second * 1000, [2, (second / 10) as u16, 0]);
        }
        let bench = bench.again_as(without(0), 55 * 60_000, in_order);
        for tier in [Tier::Minute, Tier::Hour, Tier::Day] {
            let all = windows(&bench.records, tier);
            let summaries = all.iter().filter(|one| &*one.device == "press-1");
            let told = tags(&bench.records, "press-1", tier);
            assert_eq!(summaries.clone().count(), told.len(), "{tier:?}");
            for (summary, told) in summaries.zip(told) {
                assert_eq!((summary.start, summary.end), (told.start, told.end));
                let good = value(told, "good");
                assert_eq!(Some(good.sum.total as u64), summary.parts.good);
                assert!(good.counter && good.last.is_some());
            }
        }
        let day = tags(&bench.records, "press-1", Tier::Day)[0];
        assert_eq!(value(day, "good").sum.total, 299.0);
    }
}

#[test]
fn a_kill_before_a_meter_is_removed_takes_nothing_of_its_counters() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    for second in (0..50 * 60).step_by(10) {
        bench.read_meter(second * 1000, 5, (second / 10) as u16);
    }
    let bench = bench.again_as(without(1), 55 * 60_000, false);
    let day = tags(&bench.records, "meter", Tier::Day)[0];
    assert_eq!(value(day, "energy").sum.total, 299.0);
    let hours = tags(&bench.records, "meter", Tier::Hour);
    let added = hours.iter().map(|hour| value(hour, "energy").sum.total);
    assert_eq!(added.sum::<f64>(), 299.0);
}

#[test]
fn where_the_last_device_with_tags_was_removed_its_windows_end_for_good() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    bench.read_meter(60_000, 5, 7);
    let mut none = without(1);
    none.devices[0].publishes_tags = TierSet::NONE;
    let bench = bench.again_as(none.clone(), 120_000, true);
    let told = tags(&bench.records, "meter", Tier::Hour).len();
    assert_eq!(told, 1);
    let bench = bench.again_as(none, 180_000, true);
    assert_eq!(tags(&bench.records, "meter", Tier::Hour).len(), told);
    // It comes back: its windows begin then.
    let mut bench = bench.again_as(with_meter(), 3 * HOUR, true);
    bench.pass(5 * HOUR);
    let hours = tags(&bench.records, "meter", Tier::Hour);
    assert_eq!(
        hours[1].start,
        Wall(WALL + 180_000),
        "with all that is there"
    );
}

#[test]
fn the_last_value_of_a_level_outlives_a_restart() {
    let mut bench = Bench::left(with_meter(), now(0), None);
    bench.read_meter(60_000, 5, 7);
    bench.pass(70_000);
    let mut bench = bench.again(120_000, true);
    bench.pass(HOUR);
    let hour = tags(&bench.records, "meter", Tier::Hour)[0];
    let power = value(hour, "power");
    assert_eq!(
        (power.sum.mean(), power.last),
        (Some(5.0), Some(Number::Int(5)))
    );
    assert_eq!(power.sum.good_ms, 3_000);
}

#[test]
fn what_does_not_fit_into_a_payload_is_told_in_parts() {
    let mut plant = with_meter();
    plant.max_payload = 2_000;
    let model = Model {
        tags: (0..40)
            .map(|n| {
                tag(
                    &alloc::format!("a_rather_long_name_of_a_tag_{n:02}"),
                    n,
                    Kind::U16,
                    None,
                )
            })
            .collect(),
        ..(*plant.devices[1].model).clone()
    };
    plant.devices[1].model = Arc::new(model);
    let mut bench = Bench::left(plant, now(0), None);
    bench.pass(60_000);
    let parts = tags(&bench.records, "meter", Tier::Minute);
    assert!(parts.len() > 5);
    let told: Vec<_> = parts
        .iter()
        .flat_map(|part| &part.tags)
        .map(|tag| &tag.name)
        .collect();
    assert_eq!(told.len(), 40);
    for (number, part) in (1..).zip(&parts) {
        assert_eq!((part.part, usize::from(part.parts)), (number, parts.len()));
    }
    let of_topic = bench.records.iter().filter(|record| match &record.body {
        Body::Tags(tags) => &*tags.device == "meter" && tags.tier == Tier::Minute,
        _ => false,
    });
    assert!(of_topic.map(|record| record.n).eq(1..=parts.len() as u64));
}

#[test]
fn where_no_tag_is_told_nothing_is_kept_of_them() {
    let mut bench = Bench::new();
    bench.pass(2 * HOUR);
    assert!(bench.pages.iter().all(|page| match &page.leaf {
        Leaf::Tags(_) | Leaf::Learned(..) => false,
        Leaf::Minute(rows)
        | Leaf::Piece(rows)
        | Leaf::MinuteAgain(rows)
        | Leaf::PieceAgain(rows) => rows.rows.iter().all(|row| !row.device.is_empty()),
        Leaf::Marks(_) | Leaf::Relabel(_) => true,
    }));
}

proptest! {
    /// Whatever the values are, a payload is no longer than the plan of its parts says.
    #[test]
    fn a_payload_of_tags_is_as_long_as_was_planned_at_most(
        names in proptest::collection::vec("[a-z][a-z0-9_-]{0,39}", 1..60),
        numbers in proptest::collection::vec(any::<f64>(), 60),
        whole in any::<i64>(),
        max_payload in 1_024usize..9_728,
    ) {
        let mut plant = with_meter();
        plant.max_payload = max_payload;
        let tags = names.iter().map(|name| tag(name, 0, Kind::I64, None));
        let model = Model { tags: tags.collect(), ..(*plant.devices[1].model).clone() };
        plant.devices[1].model = Arc::new(model);
        let device = &plant.devices[1];
        let run = Run { id: u64::MAX, boot: u32::MAX, cfg: u32::MAX };
        for range in plant.tag_parts(device) {
            let tags = range.map(|at| {
                let number = numbers[at % numbers.len()];
                let number = if number.is_finite() { number } else { -f64::MIN_POSITIVE };
                TagValue {
                    name: device.model.tags[at].name.clone(),
                    counter: false,
                    sum: TagSum { total: number, min: number, max: -number, good_ms: u64::MAX },
                    last: Some(if at % 2 == 0 { Number::Int(whole) } else { Number::Float(number) }),
                }
            });
            let window = TagWindow {
                device: device.id.clone(),
                line: None,
                tier: Tier::Shift,
                shift: Some(crate::summary::ShiftRun {
                    crew: None,
                    name: "a name of a shift as long as names are".into(),
                    date: "2026-11-23".into(),
                }),
                start: Wall(i64::MAX),
                end: Wall(i64::MAX),
                window_ms: u64::MAX,
                fold: u32::MAX,
                merged: u32::MAX,
                clock_step_ms: i64::MIN,
                part: u16::MAX,
                parts: u16::MAX,
                tags: tags.collect(),
            };
            let record = Record {
                seq: u64::MAX,
                n: u64::MAX,
                ts: Wall(i64::MAX),
                clock: ClockState::Unsynced,
                body: Body::Tags(Box::new(window)),
            };
            let message = Message {
                gateway: &plant.gateway,
                run: &run,
                record: &record,
                historical: false,
            };
            let length = serde_json::to_vec(&message).unwrap().len();
            prop_assert!(length <= max_payload, "{length} of {max_payload}");
        }
    }
}
