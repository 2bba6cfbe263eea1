//! What becomes of devices when the configuration is another one after a restart.

use super::history::{tiers_are_sums, times_follow_from_segments};
use super::*;
use crate::alarm::AlarmState;
use crate::tag::Order;

const HOUR: u64 = 3_600_000;

/// A plant of this one device.
fn of(device: Device) -> Plant {
    let mut plant = plant();
    plant.alarms.clear();
    plant.devices = vec![device];
    plant
}

fn press(id: &str) -> Device {
    let mut press = plant().devices.remove(0);
    press.id = id.into();
    press
}

/// The same press with another model.
fn altered(change: impl Fn(&mut Model)) -> Device {
    let mut press = press("press-1");
    let mut model = (*press.model).clone();
    change(&mut model);
    press.model = Arc::new(model);
    press
}

/// Each second a reading from one second to another, a part in each of them.
fn produce(bench: &mut Bench, seconds: core::ops::Range<u64>) {
    for second in seconds {
        bench.read(second * 1000, [2, u16::try_from(second).unwrap(), 0]);
    }
}

fn hours<'r>(bench: &'r Bench, device: &str) -> Vec<&'r Summary> {
    let hours = windows(&bench.records, Tier::Hour).into_iter();
    hours.filter(|hour| &*hour.device == device).collect()
}

/// Produces until `before`, is started again a second later as another plant, and produces for as long
/// again; then to the end of the hour, which is at 46 minutes.
fn over_a_change(from: Plant, to: Plant, before: u64) -> Bench {
    let mut bench = Bench::left(from, now(0), None);
    produce(&mut bench, 0..before);
    bench = bench.changed(to, before * 1000);
    produce(&mut bench, before + 1..2 * before);
    bench.pass(HOUR);
    for (index, device) in bench.engine.plant.devices.iter().enumerate() {
        if device.model.state.is_some() {
            tiers_are_sums(&bench.engine, index, &bench.records);
            times_follow_from_segments(&device.id, &bench.records, &bench.pages);
        }
    }
    bench
}

#[test]
fn a_renamed_device_is_one_that_ends_and_one_that_begins() {
    let bench = over_a_change(of(press("press-1")), of(press("press-9")), 300);
    let [old] = hours(&bench, "press-1")[..] else {
        panic!("one hour each")
    };
    let [new] = hours(&bench, "press-9")[..] else {
        panic!("one hour each")
    };
    assert_eq!((old.start, old.end), (Wall(WALL), Wall(WALL + 299_000)));
    assert_eq!(old.parts.good, Some(299));
    assert_eq!(old.times.of(State::Producing), 299_000);
    // The new one begins at its first moment, and counts from its first reading on.
    assert_eq!(new.start, Wall(WALL + 300_000));
    assert_eq!(new.parts.good, Some(298));
    assert_eq!(new.parts.gap_total, 0);
    times_follow_from_segments("press-1", &bench.records, &bench.pages);
}

#[test]
fn the_last_windows_of_a_device_are_told_as_all_others_were() {
    let mut old = press("press-1");
    old.line = Some("line-a".into());
    old.min_coverage = 7_000;
    old.min_exposure_ms = 900_000;
    let mut model = (*old.model).clone();
    let mut scrap = model.tags[1].clone();
    scrap.name = "scrap".into();
    scrap.role = scrap.role.map(|role| Role {
        counts: Counts::Scrap,
        ..role
    });
    if let Source::Modbus(point) = &mut scrap.source {
        point.address = 2;
    }
    model.tags.truncate(2);
    model.tags.push(scrap);
    old.model = Arc::new(model);
    let needs = old.needs();
    let bench = over_a_change(of(old), of(press("press-9")), 300);
    let [hour] = hours(&bench, "press-1")[..] else {
        panic!("what it had come to is told")
    };
    let mut last = windows(&bench.records, Tier::Minute).into_iter();
    let last = last.rfind(|minute| &*minute.device == "press-1");
    for window in [hour, last.unwrap()] {
        assert_eq!(window.line.as_deref(), Some("line-a"));
        assert_eq!((window.every_ms, window.needs), (1_000, needs));
        assert!(window.parts.total.is_some(), "the sum of the two is known");
    }
}

#[test]
fn a_device_that_comes_back_begins_anew_and_has_its_past() {
    let mut bench = Bench::left(of(press("press-1")), now(0), None);
    produce(&mut bench, 0..600);
    bench.pass(HOUR);
    bench = bench.changed(of(press("press-2")), HOUR + 1_000);
    bench.pass(2 * HOUR);
    bench = bench.changed(of(press("press-1")), 2 * HOUR + 1_000);
    let later = 2 * HOUR / 1000;
    // Its counter went on meanwhile: nobody was told to count that.
    produce(&mut bench, later + 2..later + 602);
    bench.pass(3 * HOUR);
    let counts: Vec<_> = hours(&bench, "press-1")
        .iter()
        .map(|hour| {
            (
                hour.start - Wall(WALL),
                hour.parts.good,
                hour.parts.gap_total,
            )
        })
        .collect();
    let back = i64::try_from(2 * HOUR).unwrap() + 1_000;
    let first = 46 * 60_000;
    assert_eq!(
        counts,
        [(0, Some(599), 0), (first, None, 0), (back, Some(599), 0),]
    );
    // The last 24 hours are those of this device, before and after.
    let shown = bench.engine.now(DeviceIndex(0)).unwrap();
    assert_eq!(shown.h24.from, Wall(WALL));
    assert_eq!(shown.h24.sum.parts.good, Some(2 * 599));
    assert!(shown.h24.sum.times.total() < 2 * HOUR + 2_000);
}

#[test]
fn a_counter_that_is_read_elsewhere_is_another_counter() {
    type Change = fn(&mut Point);
    type Written = fn(u16) -> [u16; 3];
    let cases: [(&str, Change, Written); 4] = [
        (
            "order",
            |point| point.order = Order::Badc,
            |n| [2, n.swap_bytes(), 0],
        ),
        ("address", |point| point.address = 2, |n| [2, 0, n]),
        ("kind", |point| point.kind = Kind::I16, |n| [2, n, 0]),
        ("table", |point| point.table = Table::Input, |n| [2, n, 0]),
    ];
    for (what, change, written) in cases {
        let moved = altered(|model| {
            model.tags.truncate(2);
            if let Source::Modbus(point) = &mut model.tags[1].source {
                change(point);
            }
        });
        let mut bench = Bench::left(of(press("press-1")), now(0), None);
        produce(&mut bench, 0..300);
        bench = bench.changed(of(moved), 300_000);
        for second in 301..600 {
            // It stands much higher, which says nothing of parts that were made.
            let count = 5_000 + u16::try_from(second).unwrap();
            let all = written(count);
            bench.pass(second * 1000 - 1);
            let reads = bench.engine.plan.reads.clone();
            for (index, read) in (0..).map(ReadIndex).zip(&reads) {
                let start = usize::from(read.start);
                let words = &all[start..start + usize::from(read.count)];
                let answer = Ok(Words::Registers(words));
                bench.engine.handle_read(index, at(second * 1000), answer);
            }
            bench.drain();
        }
        bench.pass(HOUR);
        let [hour] = hours(&bench, "press-1")[..] else {
            panic!("the hour goes on")
        };
        assert_eq!(hour.start, Wall(WALL), "{what}");
        // What was counted stays, and the first reading is where counting begins again.
        assert_eq!(hour.parts.good, Some(299 + 298), "{what}");
        assert_eq!((hour.parts.gap_total, hour.uncounted_ms), (0, 0), "{what}");
    }
    // The same with another name of the tag and another range is still that counter.
    let same = of(altered(|model| {
        model.tags[1].name = "good-parts".into();
        model.tags[1].range = Some((0.0, 60_000.0));
    }));
    let bench = over_a_change(of(press("press-1")), same, 300);
    let parts = hours(&bench, "press-1")[0].parts;
    assert_eq!((parts.good, parts.gap_total), (Some(599), 2));
}

#[test]
fn another_mapping_of_the_state_counts_from_the_restart_on() {
    let mapped = of(altered(|model| {
        model.state = Some(States::Status(StateMap {
            from: TagIndex(0),
            rules: vec![(Match::Range(2, 2), State::Setup)],
        }));
    }));
    let bench = over_a_change(of(press("press-1")), mapped, 300);
    let times = hours(&bench, "press-1")[0].times;
    assert_eq!(times.of(State::Producing), 299_000);
    // Until it is stale.
    assert_eq!(times.of(State::Setup), 298_000 + STALE);
}

#[test]
fn a_device_without_a_state_any_more_ends_its_windows() {
    let without = of(altered(|model| model.state = None));
    let bench = over_a_change(of(press("press-1")), without, 300);
    let [hour] = hours(&bench, "press-1")[..] else {
        panic!("what it had come to is told")
    };
    assert_eq!(
        (hour.end, hour.parts.good),
        (Wall(WALL + 299_000), Some(299))
    );
    times_follow_from_segments("press-1", &bench.records, &bench.pages);
    // And gets them back with its state.
    let bench = bench.changed(of(press("press-1")), HOUR + 1_000);
    assert!(bench.engine.machine(DeviceIndex(0)).is_some());
    assert_eq!(hours(&bench, "press-1").len(), 1);
}

#[test]
fn windows_that_are_published_from_now_on_hold_what_was_before() {
    let only = |tiers: &[Tier]| {
        let mut press = press("press-1");
        press.publishes = tiers.iter().copied().collect();
        of(press)
    };
    let mut bench = Bench::left(only(&[Tier::Minute]), now(0), None);
    produce(&mut bench, 0..300);
    bench = bench.changed(only(&[Tier::Hour]), 300_000);
    produce(&mut bench, 301..600);
    bench.pass(HOUR);
    assert_eq!(windows(&bench.records, Tier::Minute).len(), 4);
    let hour = hours(&bench, "press-1")[0];
    assert_eq!((hour.start, hour.parts.good), (Wall(WALL), Some(599)));
    // A device that goes tells the windows that it used to tell.
    let bench = bench.changed(of(press("press-9")), HOUR + 1_000);
    let told = |tier| {
        let of = |window: &&&Summary| &*window.device == "press-1";
        windows(&bench.records, tier).iter().filter(of).count()
    };
    assert_eq!(Tier::ALL.map(told), [4, 2, 0, 0]);
}

#[test]
fn another_gateway_or_site_goes_on_where_this_one_was() {
    let mut other = of(press("press-1"));
    other.gateway.id = "gw-2".into();
    other.gateway.site = "wuxi".into();
    let bench = over_a_change(of(press("press-1")), other, 300);
    let parts = hours(&bench, "press-1")[0].parts;
    assert_eq!((parts.good, parts.gap_total), (Some(599), 2));
}

#[test]
fn an_alarm_that_is_no_longer_configured_ends_in_the_journal() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    assert_eq!(bench.engine.alarms[0].state(), AlarmState::UnackActive);
    let before = bench.records.len();
    let mut without = plant();
    without.alarms.remove(0);
    let bench = bench.changed(without.clone(), 5_000);
    let ended = |records: &[Record]| {
        let alarms = records.iter().filter_map(|record| match &record.body {
            Body::Event(Event::Alarm {
                device,
                alarm,
                occurrence,
                priority,
                from,
                to,
                ..
            }) => Some((
                device.clone(),
                alarm.clone(),
                *occurrence,
                *priority,
                *from,
                *to,
            )),
            _ => None,
        });
        alarms.collect::<Vec<_>>()
    };
    let expected = [(
        "press-1".into(),
        "fault".into(),
        1,
        Priority::High,
        AlarmState::UnackActive,
        AlarmState::Normal,
    )];
    assert_eq!(ended(&bench.records[before..]), expected);
    // Once, and it goes on counting if it comes back.
    let before = bench.records.len();
    let bench = bench.changed(without, 6_000);
    assert_eq!(ended(&bench.records[before..]), []);
    let mut bench = bench.changed(plant(), 7_000);
    bench.read(8_000, [7, 0, 0]);
    assert_eq!(bench.engine.alarms[0].occurrence, 2);
}
