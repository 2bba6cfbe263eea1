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

/// The press read once a minute.
fn watched_slowly() -> Plant {
    let mut plant = watched();
    plant.devices[0].stale_after_ms = 200_000;
    let model = Arc::make_mut(&mut plant.devices[0].model);
    model.tags.iter_mut().for_each(|tag| tag.every_ms = 60_000);
    plant
}

impl Bench {
    /// The press produces from one minute to another; its temperature moves, or stands still.
    fn produce_minutes(&mut self, minutes: core::ops::Range<u64>, moves: bool) {
        for minute in minutes {
            let temperature = if moves { 20 + minute * 37 % 400 } else { 77 };
            let registers = [2, minute as u16, temperature as u16];
            self.read(minute * 60_000 + 500, registers);
        }
    }

    fn temperature(&self) -> Quality {
        self.engine.newest.quality(2)
    }
}

/// A run of 13 hours is killed; the next one begins a minute later, of this plant.
fn killed_after_learning(plant: Plant, are_kept: bool) -> Bench {
    let mut bench = Bench::left(watched_slowly(), now(0), None);
    bench.produce_minutes(0..13 * 60, true);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let is_learned = |page: &Page| matches!(page.leaf, crate::history::Leaf::Learned(..));
    let learned = bench.pages.iter().filter(|page| is_learned(page)).count();
    assert_eq!(learned, 3, "every four hours, and not with each minute");
    bench.pages.retain(|page| are_kept || !is_learned(page));
    let start = now(13 * 3_600_000);
    Bench::kept(plant, start, Some(Left::Newest(&checkpoint)), &bench.pages)
}

#[test]
fn what_was_learned_outlives_a_kill() {
    let begin = 13 * 60 + 1;
    let mut bench = killed_after_learning(watched_slowly(), true);
    bench.produce_minutes(begin..begin + 20, false);
    assert_eq!(bench.temperature(), Quality::Good);
    bench.produce_minutes(begin + 20..begin + 30, false);
    assert_eq!(bench.temperature(), Quality::Bad(Reason::Frozen));
    // Nothing was learned, or of another register.
    let mut elsewhere = watched_slowly();
    let model = Arc::make_mut(&mut elsewhere.devices[0].model);
    model.tags[2].source = Source::Modbus(Point::new(Table::Input, 2, Kind::U16));
    for (plant, are_kept) in [(watched_slowly(), false), (elsewhere, true)] {
        let mut bench = killed_after_learning(plant, are_kept);
        for minute in begin..begin + 30 {
            bench.pass(minute * 60_000 + 499);
            let value = |value: i64| Reading::Good(Value::Int(value)).into();
            let samples = [(TagIndex(0), value(2)), (TagIndex(2), value(77))];
            bench
                .engine
                .handle_readings(DeviceIndex(0), at(minute * 60_000 + 500), &samples);
            bench.drain();
        }
        assert_eq!(bench.temperature(), Quality::Good);
    }
}

#[test]
fn what_was_learned_of_damaged_pages_is_nothing() {
    let mut bench = Bench::left(watched_slowly(), now(0), None);
    let learned = |learned: &[u8]| {
        let device = "press-1".into();
        let learned = learned.to_vec();
        [crate::history::LearnedOf { device, learned }]
    };
    for bytes in [&[][..], &[0xff; 3], &[0xff; 40], &[0; 40]] {
        bench.engine.resume_learned(&learned(bytes));
    }
    bench.produce_minutes(0..100, false);
    assert_eq!(bench.temperature(), Quality::Good);
}
