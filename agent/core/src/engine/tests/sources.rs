//! What is told of sources that lie. That they are found, and when, is in `tests/lies`.

use super::*;
use crate::tag::Detectors;

/// The press with a temperature that has a range, and an alarm on what lies.
fn watched() -> Plant {
    let mut plant = plant();
    let mut model = (*plant.devices[0].model).clone();
    model.tags[2] = Tag {
        range: Some((0.0, 500.0)),
        role: None,
        summed: Summed::Level,
        ..tag("temperature", 2, Kind::U16, None)
    };
    plant.devices[0].detect = vec![Detectors::ALL; model.tags.len()].into();
    plant.devices[0].model = Arc::new(model);
    plant.alarms = vec![plant::Alarm {
        id: "suspect".into(),
        when: rule::Rule::Suspect(DeviceIndex(0)),
        ..plant.alarms[0].clone()
    }];
    plant
}

fn told(bench: &Bench) -> Vec<(&str, Reason, bool, Option<Value>)> {
    let of = |record: &'_ Record| match &record.body {
        Body::Event(Event::Source {
            tag: Some(tag),
            reason,
            begins,
            value,
            ..
        }) => Some((tag.clone(), *reason, *begins, value.clone())),
        _ => None,
    };
    let told = bench.records.iter().filter_map(of);
    told.map(|(tag, reason, begins, value)| {
        assert_eq!(&*tag, "temperature");
        ("temperature", reason, begins, value)
    })
    .collect()
}

#[test]
fn a_lie_is_told_when_it_begins_and_when_it_has_been_gone_for_ten_polls() {
    let mut bench = Bench::left(watched(), now(0), None);
    let is_active = |bench: &Bench| bench.engine.alarm(0).map(|alarm| alarm.alarm.state());
    for second in 1..=5 {
        bench.read(second * 1000, [2, 100, 20]);
    }
    assert_eq!(is_active(&bench), None);
    // It comes and goes: that is one lie.
    for second in 6..=30 {
        let value = if second % 3 == 0 { 999 } else { 20 };
        bench.read(second * 1000, [2, 100, value]);
        assert_eq!(told(&bench).len(), 1);
    }
    let active = Some(crate::alarm::AlarmState::UnackActive);
    assert_eq!(is_active(&bench), active);
    for second in 31..=39 {
        bench.read(second * 1000, [2, 100, 20]);
        assert_eq!(told(&bench).len(), 1);
    }
    bench.read(40_000, [2, 100, 20]);
    let expected = [
        (
            "temperature",
            Reason::OutOfRange,
            true,
            Some(Value::Int(999)),
        ),
        ("temperature", Reason::OutOfRange, false, None),
    ];
    assert_eq!(told(&bench), expected);
    assert_ne!(is_active(&bench), active);
}

#[test]
fn a_source_that_says_nothing_is_not_said_to_be_right() {
    let mut bench = Bench::left(watched(), now(0), None);
    assert_eq!(bench.engine.lies(DeviceIndex(0)), None);
    bench.read(1000, [2, 100, 20]);
    assert_eq!(bench.engine.lies(DeviceIndex(0)), Some(false));
    bench.read(2000, [2, 100, 999]);
    for second in 3..=60 {
        bench.fail(second * 1000);
    }
    assert_eq!(bench.engine.lies(DeviceIndex(0)), Some(true));
    assert_eq!(told(&bench).len(), 1, "what is not read has no word on it");
}

#[test]
fn a_source_that_lies_all_day_is_told_some_times() {
    let mut bench = Bench::left(watched(), now(0), None);
    for second in 0..86_400 / 10 {
        // Wrong for one poll in eleven: it has been calm for just as long as it takes.
        let value = if second % 11 == 0 { 999 } else { 20 };
        bench.read(1000 + second * 1000, [0, 100, value]);
    }
    // At first what may come at once, then one more each five minutes.
    let told = told(&bench).len();
    assert!((2 * 16..=2 * (16 + 29)).contains(&told), "{told}");
}

#[test]
fn a_count_is_judged_by_that_of_the_run_before() {
    let mut bench = Bench::left(watched(), now(0), None);
    bench.read(1000, [2, 100, 20]);
    bench.read(2000, [2, 101, 20]);
    let checkpoint = bench.engine.checkpoint();
    let left = Some(Left::Newest(&checkpoint[..]));
    let mut bench = Bench::left(watched(), now(20_000), left);
    bench.read(21_000, [2, 60_000, 20]);
    let good = |bench: &Bench| bench.engine.newest.quality(1);
    let held = Quality::Uncertain(Reason::ImplausibleCount);
    assert_eq!(good(&bench), held);
    bench.read(22_000, [2, 120, 20]);
    assert_eq!(good(&bench), Quality::Good);
    bench.pass(60_000);
    let parts = bench.summaries()[0].parts;
    // All but the first of them were made while nobody looked.
    assert_eq!((parts.good, parts.gap_total), (Some(20), 19));
}
