//! A wall clock that is set for the first time while the agent runs, or never, or wrongly.

use super::history::{tiers_are_sums, times_follow_from_segments};
use super::*;
use crate::history::Relabels;
use alloc::collections::BTreeSet;

/// What a clock shows that was never set, when the gateway has just booted.
const BOOT: i64 = 20_000;

const HOUR: u64 = 3_600_000;

/// The clocks of a gateway that booted at 0 and whose clock was never set.
fn never_set(ms: u64) -> Now {
    Now {
        mono: at(ms),
        wall: Wall(BOOT + i64::try_from(ms).unwrap()),
        clock: ClockState::Unsynced,
    }
}

impl Bench {
    /// Lets the engine do everything that it has a deadline for, up to `ms`, by these clocks.
    fn pass_by(&mut self, clocks: impl Fn(u64) -> Now, ms: u64) {
        while self.engine.poll_deadline() <= at(ms) {
            let deadline = self.engine.poll_deadline().max(self.engine.now);
            self.engine.handle_time(clocks(deadline.0 - MONO));
            self.drain();
        }
    }

    fn read_by(&mut self, clocks: impl Fn(u64) -> Now, ms: u64, registers: [u16; 3]) {
        self.pass_by(clocks, ms.saturating_sub(1));
        self.engine
            .handle_read(ReadIndex(0), at(ms), Ok(Words::Registers(&registers)));
        self.drain();
    }

    /// The records of this run as they are sent, and its pages as they are read.
    fn labelled(&self) -> (Vec<Record>, Vec<Page>) {
        let mut records = self.records.clone();
        if let Some(relabel) = &self.relabel {
            let concerned = |record: &&mut Record| relabel.concerns(record.seq);
            let concerned = records.iter_mut().filter(concerned);
            concerned.for_each(|record| record.relabel(relabel));
        }
        (records, relabelled(&self.pages))
    }
}

fn relabelled(pages: &[Page]) -> Vec<Page> {
    let (mut pages, mut relabels) = (pages.to_vec(), Relabels::default());
    pages.iter().for_each(|page| relabels.note(page));
    pages.iter_mut().for_each(|page| relabels.apply(page));
    pages
}

/// A day with one shift, in the middle of which the tests take place.
fn one_shift() -> Plant {
    let mut plant = plant();
    plant.calendar.shifts = vec![crate::calendar::Shift {
        name: "day".into(),
        days: [true; 7],
        start: 8 * 60,
        end: 20 * 60,
        crews: vec![],
        breaks: vec![(12 * 60, 13 * 60)],
    }];
    plant
}

/// Reads each ten seconds, `from` to `to` in milliseconds.
fn work(bench: &mut Bench, clocks: impl Fn(u64) -> Now, from: u64, to: u64) {
    for ms in (from..to).step_by(2_000) {
        let n = u16::try_from(ms / 2_000).unwrap();
        let status = [2, 2, 2, 7, 3, 0][usize::from(n / 45) % 6];
        bench.read_by(&clocks, ms, [status, n, 0]);
    }
}

#[test]
fn what_was_labelled_before_the_clock_was_set_has_the_right_times_then() {
    let mut bench = Bench::left(plant(), never_set(0), None);
    work(&mut bench, never_set, 0, 90 * 60_000);
    let set = 90 * 60_000 + 500;
    bench.engine.handle_time(now(set));
    bench.drain();
    work(&mut bench, now, set + 500, 3 * HOUR);
    bench.pass(3 * HOUR);
    let (records, pages) = bench.labelled();
    let minutes = windows(&records, Tier::Minute);
    // They lie where they belong, and follow one another without a gap or a step.
    assert_eq!(minutes[0].start, now(0).wall);
    for pair in minutes.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
    for minute in &minutes {
        assert_eq!(minute.window_ms(), (minute.end - minute.start) as u64);
        assert_eq!(minute.clock_step_ms, 0);
    }
    assert_eq!(minutes.last().unwrap().end, now(3 * HOUR).wall);
    tiers_are_sums(&bench.engine, 0, &records);
    times_follow_from_segments("press-1", &records, &pages);
    let hours = windows(&records, Tier::Hour);
    // By the clock that was not set: 20 s after 00:00, to 01:00, to where it was set.
    let until = |hour: &Summary| hour.end - now(0).wall;
    assert_eq!(until(hours[0]), 60 * 60_000 - BOOT);
    assert_eq!(until(hours[1]), i64::try_from(set).unwrap());
    assert!(
        records
            .iter()
            .all(|record| record.clock == ClockState::Synced
                || matches!(record.body, Body::Event(Event::Config { .. })))
    );
    let ts = |record: &Record| record.ts;
    let summaries = || {
        records
            .iter()
            .filter(|r| matches!(r.body, Body::Summary(_)))
    };
    assert!(
        summaries()
            .zip(summaries().skip(1))
            .all(|(a, b)| ts(a) <= ts(b))
    );
}

#[test]
fn a_clock_that_is_not_set_knows_no_shift_and_hides_no_standstill() {
    let mut bench = Bench::left(one_shift(), never_set(0), None);
    bench.pass_by(never_set, 2 * HOUR);
    assert!(bench.engine.now(DeviceIndex(0)).unwrap().shift.is_none());
    let planned = |summary: &&Summary| summary.planned_ms() == summary.window_ms();
    assert!(bench.summaries().iter().all(planned));
    // 16:14 in the shift.
    bench.engine.handle_time(now(2 * HOUR + 10));
    bench.drain();
    bench.pass(6 * HOUR);
    let (records, pages) = bench.labelled();
    let shifts = windows(&records, Tier::Shift);
    assert_eq!(shifts.len(), 1);
    assert_eq!(shifts[0].start, now(2 * HOUR + 10).wall);
    assert_eq!(&*shifts[0].shift.as_ref().unwrap().name, "day");
    // Read again after a restart it is the same, and none is told where none was.
    let checkpoint = bench.engine.checkpoint();
    let left = Some(Left::Newest(&checkpoint));
    let mut again = Bench::kept(one_shift(), now(6 * HOUR + 100), left, &pages);
    again.pass(18 * HOUR);
    let shifts = windows(&again.records, Tier::Shift);
    // The night, up to where a production day begins, and from there.
    assert_eq!(shifts.len(), 2);
    assert!(shifts.iter().all(|shift| shift.shift.is_none()));
    assert!(shifts[0].start > now(5 * HOUR).wall);
}

#[test]
fn the_last_24_hours_hold_what_was_labelled_before() {
    let mut bench = Bench::left(plant(), never_set(0), None);
    work(&mut bench, never_set, 0, 5 * HOUR);
    bench.engine.handle_time(now(5 * HOUR));
    bench.drain();
    work(&mut bench, now, 5 * HOUR + 1000, 8 * HOUR);
    let shown = |bench: &Bench| {
        let now = bench.engine.now(DeviceIndex(0)).unwrap();
        (now.h24, now.d30)
    };
    let before = shown(&bench);
    assert_eq!(before.0.from, now(0).wall);
    assert_eq!(before.1.from, now(0).wall);
    assert_eq!(before.0.sum.times.total(), 8 * HOUR - 1_000);
    // The same from what is on disk.
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let left = Some(Left::Newest(&checkpoint));
    let start = now(8 * HOUR - 1_000);
    let again = Bench::kept(plant(), start, left, &relabelled(&bench.pages));
    let after = shown(&again);
    assert_eq!(before.0.from, after.0.from);
    assert_eq!(before.0.sum, after.0.sum);
    assert_eq!(before.1.sum, after.1.sum);
}

#[test]
fn killed_before_the_clock_was_set_what_it_labelled_stays_as_it_is_and_says_so() {
    let mut bench = Bench::left(plant(), never_set(0), None);
    work(&mut bench, never_set, 0, 200_000);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let (mut records, mut pages) = (bench.records, bench.pages);
    // Again by a clock that was not set, and it is set after a while.
    let left = Some(Left::Newest(&checkpoint));
    let again = |ms: u64| Now {
        wall: Wall(BOOT + i64::try_from(ms).unwrap() - 300_000),
        ..never_set(ms)
    };
    let mut bench = Bench::kept(plant(), again(300_000), left, &relabelled(&pages));
    work(&mut bench, again, 300_000, 500_000);
    bench.engine.handle_time(now(500_000));
    bench.drain();
    work(&mut bench, now, 500_000, 600_000);
    let (own, of_run) = bench.labelled();
    let minutes = windows(&own, Tier::Minute);
    assert_eq!(minutes[0].end, Wall(BOOT + 198_000), "what was left open");
    let left_open = |record: &&Record| matches!(&record.body, Body::Summary(summary) if summary.start < Wall(WALL));
    let unsynced = |record: &Record| record.clock == ClockState::Unsynced;
    assert!(own.iter().filter(left_open).count() >= 3);
    assert!(own.iter().filter(left_open).all(unsynced));
    let own_from = minutes.iter().find(|minute| minute.start > Wall(WALL));
    assert_eq!(own_from.unwrap().start, now(300_000).wall);
    records.extend(own);
    pages.extend(of_run);
    tiers_are_sums(&bench.engine, 0, &records);
    times_follow_from_segments("press-1", &records, &pages);
    keys_are_unique(&records);
}

#[test]
fn killed_after_the_clock_was_set_the_next_run_goes_on_from_there() {
    let mut bench = Bench::left(plant(), never_set(0), None);
    work(&mut bench, never_set, 0, 200_000);
    bench.engine.handle_time(now(200_000));
    bench.drain();
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let (mut records, mut pages) = bench.labelled();
    let left = Some(Left::Newest(&checkpoint));
    let mut bench = Bench::kept(plant(), now(260_000), left, &pages);
    work(&mut bench, now, 260_000, 2 * HOUR);
    records.append(&mut bench.records);
    pages.append(&mut bench.pages);
    let minutes = windows(&records, Tier::Minute);
    for pair in minutes.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
    tiers_are_sums(&bench.engine, 0, &records);
    times_follow_from_segments("press-1", &records, &pages);
}

#[test]
fn a_clock_behind_what_had_been_reached_is_not_set_unless_the_kernel_vouches_for_it() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    bench.pass(600_000);
    let checkpoint = bench.engine.checkpoint();
    let behind = |clock| {
        move |ms: u64| Now {
            mono: at(ms),
            wall: Wall(WALL + i64::try_from(ms).unwrap() - 300_000),
            clock,
        }
    };
    let left = Some(Left::Newest(&checkpoint));
    let synced = Bench::left(plant(), behind(ClockState::Synced)(700_000), left);
    assert_eq!(synced.engine.clock(), ClockState::Synced);
    let held = behind(ClockState::Holdover);
    let held = move |ms| held(ms);
    let start = held(700_000);
    let start = Now {
        wall: start.wall + -60_000,
        ..start
    };
    let mut bench = Bench::left(plant(), start, left);
    assert_eq!(bench.engine.clock(), ClockState::Unsynced);
    let held = move |ms: u64| Now {
        wall: held(ms).wall + -60_000,
        ..held(ms)
    };
    // It does not become right by waiting until it shows what had been reached.
    bench.pass_by(held, 2_000_000);
    assert_eq!(bench.engine.clock(), ClockState::Unsynced);
    assert_eq!(bench.relabel, None);
    bench.engine.handle_time(now(2_000_500));
    bench.drain();
    assert_eq!(bench.relabel.unwrap().by_ms, 360_000);
    let (records, _) = bench.labelled();
    let minutes = windows(&records, Tier::Minute);
    let own = minutes
        .iter()
        .find(|minute| minute.start >= now(700_000).wall);
    assert_eq!(own.unwrap().start, now(700_000).wall);
    keys_are_unique(&records);
}

#[test]
fn the_shift_before_a_clock_that_went_back_has_its_last_minute() {
    let mut bench = Bench::left(one_shift(), now(0), None);
    bench.pass(630_000);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    // In the same hour, so that only the shift is another matter.
    let held = Now {
        wall: now(580_000).wall,
        clock: ClockState::Holdover,
        ..now(640_000)
    };
    let left = Some(Left::Newest(&checkpoint));
    let bench = Bench::kept(one_shift(), held, left, &bench.pages);
    assert_eq!(bench.engine.clock(), ClockState::Unsynced);
    let ends = |tier| windows(&bench.records, tier).last().unwrap().end;
    for tier in [Tier::Minute, Tier::Hour, Tier::Shift, Tier::Day] {
        assert_eq!(ends(tier), now(630_000).wall, "{tier:?}");
    }
}

#[test]
fn steps_of_a_clock_that_is_not_set_are_none() {
    let mut bench = Bench::left(plant(), never_set(0), None);
    bench.pass_by(never_set, 100_000);
    // Something has moved it, to where it is as wrong as before.
    let moved = |ms| Now {
        wall: never_set(ms).wall + 7_000_000,
        ..never_set(ms)
    };
    bench.pass_by(moved, 200_000);
    bench.engine.handle_time(now(200_500));
    bench.drain();
    let (records, _) = bench.labelled();
    let minutes = windows(&records, Tier::Minute);
    assert_eq!(minutes[0].start, now(0).wall);
    assert!(minutes.windows(2).all(|pair| pair[0].end == pair[1].start));
}

#[test]
fn an_alarm_that_was_raised_before_the_clock_was_set_has_its_right_time_then() {
    let mut bench = Bench::left(plant(), never_set(0), None);
    bench.read_by(never_set, 1_000, [7, 0, 0]);
    assert_eq!(bench.engine.alarms[0].raised, Some(Wall(BOOT + 1_000)));
    bench.published.clear();
    bench.engine.handle_time(now(2_000));
    bench.drain();
    assert_eq!(bench.engine.alarms[0].raised, Some(now(1_000).wall));
    for told in [Current::Alarm(0), Current::State(DeviceIndex(0))] {
        assert!(bench.published.contains(&told), "{told:?}");
    }
}

fn keys_are_unique(records: &[Record]) {
    let mut keys = BTreeSet::new();
    for record in records {
        if let Body::Summary(summary) = &record.body {
            let key = (summary.tier as usize, summary.start, summary.fold);
            assert!(keys.insert(key), "{key:?} twice");
        }
    }
}

/// What happens to the clocks of a gateway.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Time passes; the wall clock runs with it, but for this drift in parts per million.
    Pass { ms: u64, drift: i64 },
    /// The wall clock is stepped.
    Step(i64),
    /// The wall clock is set right.
    Set,
    /// The agent is killed and started after this time, the gateway with it, and its clock forgets
    /// everything.
    Boot { ms: u64 },
    /// The agent alone.
    Restart { ms: u64 },
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => (1u64..2_000_000, -200i64..200).prop_map(|(ms, drift)| Turn::Pass { ms, drift }),
        2 => prop_oneof![-8_000_000i64..8_000_000, -1_000i64..1_000].prop_map(Turn::Step),
        2 => Just(Turn::Set),
        1 => (1u64..4_000_000).prop_map(|ms| Turn::Boot { ms }),
        1 => (1u64..200_000).prop_map(|ms| Turn::Restart { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever becomes of the wall clock: no key repeats, all time that passed while the agent ran
    /// is in minutes once, hours and days are the sums of theirs, and the segments tell the same.
    #[test]
    fn no_clock_makes_a_key_twice_or_loses_time(
        year_2038 in any::<bool>(),
        begins_unset in any::<bool>(),
        turns in proptest::collection::vec(turn(), 1..14),
    ) {
        // A second before 32 bits of seconds are over.
        let true_wall = if year_2038 { 2_147_483_647_000 } else { WALL };
        let truth = |ms: u64| true_wall + i64::try_from(ms).unwrap();
        let unset_wall = |_: u64| 0i64;
        let mut ms = 0u64;
        let mut off = if begins_unset { unset_wall(0) - truth(0) } else { 0 };
        let clocks = |ms: u64, off: i64| {
            let wall = truth(ms) + off;
            let clock = if wall < 1_767_225_600_000 { ClockState::Unsynced } else { ClockState::Holdover };
            Now { mono: at(ms), wall: Wall(wall), clock }
        };
        let mut bench = Bench::left(plant(), clocks(0, off), None);
        let (mut records, mut pages, mut ran, mut minutes_ran) = (vec![], vec![], 0u64, 0u64);
        for turn in turns {
            match turn {
                Turn::Pass { ms: passed, drift } => {
                    let end = ms + passed;
                    while ms < end {
                        let step = (end - ms).min(7_000);
                        ms += step;
                        off += i64::try_from(step).unwrap() * drift / 1_000_000;
                        let n = u16::try_from(ms / 7_000 % 60_000).unwrap();
                        bench.engine.handle_time(clocks(ms, off));
                        bench.drain();
                        bench.engine.handle_read(ReadIndex(0), at(ms), Ok(Words::Registers(&[2 + n % 3 * 2, n, 0])));
                        bench.drain();
                    }
                    // No step and no kill in the very moment of a reading: a state of no length at
                    // the end of all is in no minute of the reference.
                    ms += 1;
                    ran += passed;
                }
                Turn::Step(by) => off += by,
                Turn::Set => off = 0,
                Turn::Boot { ms: silent } | Turn::Restart { ms: silent } => {
                    bench.engine.handle_time(clocks(ms, off));
                    bench.drain();
                    let checkpoint = bench.engine.checkpoint();
                    bench.drain();
                    let (mut own, mut of_run) = bench.labelled();
                    records.append(&mut own);
                    pages.append(&mut of_run);
                    ms += silent;
                    if let Turn::Boot { .. } = turn {
                        off = unset_wall(ms) - truth(ms);
                    }
                    let left = Some(Left::Newest(&checkpoint));
                    bench = Bench::kept(plant(), clocks(ms, off), left, &pages);
                }
            }
        }
        let (mut own, mut of_run) = bench.labelled();
        records.append(&mut own);
        pages.append(&mut of_run);
        keys_are_unique(&records);
        tiers_are_sums(&bench.engine, 0, &records);
        times_follow_from_segments("press-1", &records, &pages);
        for minute in windows(&records, Tier::Minute) {
            prop_assert_eq!(minute.window_ms(), (minute.end - minute.start) as u64);
            minutes_ran += minute.window_ms();
        }
        let open = bench.engine.machine(DeviceIndex(0)).unwrap().ledger();
        minutes_ran += open.so_far().times.total();
        prop_assert!(minutes_ran >= ran);
    }
}
