//! What becomes of open windows, counters and alarms over a restart.

use super::*;
use crate::alarm::AlarmState;

impl Bench {
    /// Goes on as another run of this plant does, at a moment with a label of its own.
    fn continued(plant: Plant, start: Now, checkpoint: &[u8]) -> Bench {
        Bench::left(plant, start, Some(Left::Newest(checkpoint)))
    }

    /// Start and fold of the windows so far: with the device, what names them.
    fn keys(&self) -> Vec<(i64, u32)> {
        let key = |summary: &&Summary| (summary.start - Wall(WALL), summary.fold);
        self.summaries().iter().map(key).collect()
    }
}

/// The clocks at `ms`, the wall clock `by` milliseconds off.
fn stepped(ms: u64, by: i64) -> Now {
    let mut now = now(ms);
    now.wall = now.wall + by;
    now
}

#[test]
fn what_is_known_at_a_stop_is_known_up_to_it() {
    let mut bench = Bench::new();
    bench.read(1_000, [2, 0, 0]);
    bench.engine.end(now(1_700));
    bench.drain();
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::resumed(2_500, Some(&checkpoint));
    bench.pass(60_000);
    let minute = bench.summaries()[0];
    assert_eq!(minute.times.of(State::Producing), 700);
    assert_eq!(minute.times.of(State::Unknown), 59_300);
}

#[test]
fn a_device_that_was_added_has_no_past() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    let checkpoint = bench.engine.checkpoint();
    let mut plant = plant();
    let mut added = plant.devices[0].clone();
    added.id = "press-2".into();
    added.unit = 2;
    plant.devices.push(added);
    let mut bench = Bench::continued(plant, now(600_500), &checkpoint);
    bench.pass(660_000);
    let ours = |summary: &&&Summary| &*summary.device == "press-2";
    let summaries = bench.summaries();
    let windows: Vec<_> = summaries.iter().filter(ours).collect();
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0].start, Wall(WALL + 600_500));
    assert_eq!(windows[0].window_ms(), 59_500);
}

#[test]
fn a_device_that_was_removed_takes_nothing_of_the_others_with_it() {
    let mut plant = plant();
    let mut first = plant.devices[0].clone();
    first.id = "press-0".into();
    plant.devices.insert(0, first);
    let mut both = Bench::left(plant, now(0), None);
    both.engine
        .handle_read(ReadIndex(1), at(0), Ok(Words::Registers(&[2, 7, 0])));
    both.pass(2_000);
    let checkpoint = both.engine.checkpoint();
    let mut bench = Bench::resumed(2_500, Some(&checkpoint));
    bench.read(3_000, [2, 9, 0]);
    bench.pass(60_000);
    let [gone, kept] = &bench.summaries()[..] else {
        panic!("{:?}", bench.summaries());
    };
    assert_eq!((&*kept.device, kept.parts.good), ("press-1", Some(2)));
    assert_eq!((&*gone.device, gone.window_ms()), ("press-0", 2_000));
    assert_eq!(gone.end, Wall(WALL + 2_000));
}

#[test]
fn a_window_that_goes_on_keeps_its_fold() {
    let mut bench = Bench::new();
    bench.pass(300_000);
    // Five minutes back, three and a half of them again, then a restart past the first time.
    bench.engine.handle_time(stepped(300_500, -300_000));
    bench.drain();
    bench.engine.handle_time(stepped(510_000, -300_000));
    bench.drain();
    let mut keys = bench.keys();
    let checkpoint = bench.engine.checkpoint();
    let bench = Bench::continued(plant(), stepped(700_000, -300_000), &checkpoint);
    keys.extend(bench.keys());
    let mut once = keys.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "{keys:?}");
    assert!(keys.contains(&(180_000, 1)), "{keys:?}");
}

#[test]
fn a_clock_set_back_over_a_restart_gives_no_key_twice() {
    let mut bench = Bench::new();
    bench.pass(150_000);
    let mut keys = bench.keys();
    let mut checkpoint = bench.engine.checkpoint();
    for restart in 1..=3 {
        // Each time two minutes back, and two and a half on.
        let by = -120_000 * restart;
        let start = 150_000 * u64::try_from(restart).unwrap() + 10;
        let mut bench = Bench::continued(plant(), stepped(start, by), &checkpoint);
        for ms in (start..start + 150_000).step_by(1000) {
            bench.engine.handle_time(stepped(ms, by));
            bench.drain();
        }
        keys.extend(bench.keys());
        checkpoint = bench.engine.checkpoint();
    }
    let mut once = keys.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "{keys:?}");
}

#[test]
fn parts_over_a_silence_of_unknown_length_are_marked() {
    let mut bench = Bench::new();
    bench.read(0, [2, 100, 0]);
    bench.read(1_000, [2, 101, 0]);
    let checkpoint = bench.engine.checkpoint();
    let by = -3_600_000;
    let mut bench = Bench::continued(plant(), stepped(9_000, by), &checkpoint);
    let answer = [2, 141, 0];
    bench
        .engine
        .handle_read(ReadIndex(0), at(9_500), Ok(Words::Registers(&answer)));
    bench.engine.handle_time(stepped(60_000, by));
    bench.drain();
    let parts = bench.summaries().last().unwrap().parts;
    assert_eq!((parts.good, parts.gap_total), (Some(40), 40));
    assert!(parts.gap_before_ms > 0, "the gap began before the window");
}

#[test]
fn an_alarm_is_undecided_until_its_device_has_been_read_again() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    assert_eq!(bench.engine.alarms[0].occurrence, 1);
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::resumed(5_000, Some(&checkpoint));
    assert!(bench.engine.alarm(0).unwrap().alarm.undecided);
    bench.pass(10_000);
    assert!(bench.engine.alarm(0).unwrap().alarm.undecided);
    bench.read(11_000, [7, 0, 0]);
    let message = bench.engine.alarm(0).unwrap();
    assert!(!message.alarm.undecided);
    assert_eq!(message.alarm.occurrence, 1, "it is the same one");
}

#[test]
fn two_restarts_in_a_minute_and_a_break_between_add_up() {
    let mut plant = plant();
    plant.calendar.shifts = vec![crate::calendar::Shift {
        name: "all".into(),
        days: [true; 7],
        start: 0,
        end: 0,
        // WALL is 14:14 UTC; the break is the second minute from there.
        breaks: vec![(14 * 60 + 15, 14 * 60 + 16)],
        crews: vec![],
    }];
    let mut bench = Bench::left(plant.clone(), now(0), None);
    bench.read(0, [2, 0, 0]);
    bench.read(58_000, [2, 10, 0]);
    let mut records = core::mem::take(&mut bench.records);
    for start in [59_000, 61_000, 119_500] {
        let checkpoint = bench.engine.checkpoint();
        bench = Bench::continued(plant.clone(), now(start), &checkpoint);
        records.append(&mut bench.records);
    }
    bench.read(121_000, [2, 20, 0]);
    bench.pass(180_000);
    records.append(&mut bench.records);
    bench.records = records;
    assert_eq!(bench.keys(), [(0, 0), (60_000, 0), (120_000, 0)]);
    let summaries = bench.summaries();
    assert!(
        summaries
            .iter()
            .all(|summary| summary.window_ms() == 60_000)
    );
    assert_eq!(summaries[1].times.of(State::PlannedStop), 60_000);
    let good: u64 = summaries.iter().filter_map(|s| s.parts.good).sum();
    assert_eq!(good, 20);
}

#[test]
fn an_earlier_checkpoint_brings_nothing_back_but_alarms() {
    let mut bench = Bench::new();
    bench.read(0, [7, 100, 0]);
    let earlier = bench.engine.checkpoint();
    // Lost with the newest checkpoint: two stored windows, and the next two activations.
    for second in [60, 61, 62, 63, 121] {
        bench.read(second * 1000, [if second % 2 == 0 { 2 } else { 7 }, 110, 0]);
    }
    assert_eq!(
        (bench.summaries().len(), bench.engine.alarms[0].occurrence),
        (2, 3)
    );
    let mut bench = Bench::left(plant(), now(130_000), Some(Left::Earlier(&earlier)));
    bench.read(131_000, [7, 110, 0]);
    assert!(bench.engine.alarm(0).unwrap().alarm.occurrence > 3);
    bench.read(132_000, [2, 112, 0]);
    bench.pass(180_000);
    let summaries = bench.summaries();
    assert_eq!(summaries.len(), 1);
    assert_eq!(summaries[0].start, Wall(WALL + 130_000));
    assert_eq!(summaries[0].parts.good, Some(2));
}

#[test]
fn an_alarm_that_was_removed_and_comes_back_goes_on_counting() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    bench.read(1_000, [7, 0, 0]);
    assert_eq!(bench.engine.alarms[0].occurrence, 1);
    let mut without = plant();
    without.alarms.remove(0);
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::continued(without, now(2_000), &checkpoint);
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::resumed(3_000, Some(&checkpoint));
    assert_eq!(bench.engine.alarms[0].state(), AlarmState::Normal);
    bench.read(4_000, [7, 0, 0]);
    assert_eq!(bench.engine.alarms[0].occurrence, 2);
}
