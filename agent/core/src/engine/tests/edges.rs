//! What happens at the very millisecond at which something else ends; most of it was found by the
//! oracle (`agent/core/tests/oracle`).

use super::*;

/// A calendar with one shift all day, and the second minute of the tests as its break.
pub(super) fn with_break() -> Plant {
    let mut plant = plant();
    plant.calendar.shifts = vec![crate::calendar::Shift {
        name: "all".into(),
        days: [true; 7],
        start: 0,
        end: 0,
        crews: vec![],
        breaks: vec![(14 * 60 + 15, 14 * 60 + 16)],
    }];
    plant
}

#[test]
fn a_fault_that_is_read_when_the_state_turns_stale_is_a_failure() {
    let mut bench = Bench::new();
    bench.read(0, [3, 0, 0]);
    // Two polls were lost; the third comes when the state has held for as long as it may.
    bench.pass(STALE);
    bench
        .engine
        .handle_read(ReadIndex(0), at(STALE), Ok(Words::Registers(&[7, 0, 0])));
    bench.pass(60_000);
    let minute = bench.summaries()[0];
    assert_eq!(minute.times.of(State::Delayed), STALE);
    assert_eq!((minute.failures, minute.repairs), (1, 0));
}

#[test]
fn a_fault_that_is_read_when_the_state_turns_stale_and_a_break_ends_is_a_failure() {
    let mut bench = Bench::left(with_break(), now(0), None);
    // It is set up in the break, and then its break ends just when that is as old as may be.
    let end = 120_000;
    bench.read(end - STALE, [1, 0, 0]);
    bench.pass(end);
    bench
        .engine
        .handle_read(ReadIndex(0), at(end), Ok(Words::Registers(&[7, 0, 0])));
    bench.pass(180_000);
    let minutes = bench.summaries();
    assert_eq!(minutes[1].times.of(State::Setup), STALE);
    assert_eq!(minutes[2].times.of(State::Faulted), STALE);
    let failures: Vec<u32> = minutes.iter().map(|it| it.failures).collect();
    assert_eq!(failures, [0, 0, 1]);
}

#[test]
fn a_fault_that_the_end_of_a_break_ends_is_one_of_the_time_after_it() {
    let mut bench = Bench::left(with_break(), now(0), None);
    for second in 1..=130 {
        let status = if second < 70 { 7 } else { 0 };
        bench.read(second * 1000, [status, 0, 0]);
    }
    bench.pass(180_000);
    let repairs: Vec<u32> = bench.summaries().iter().map(|it| it.repairs).collect();
    assert_eq!(repairs, [0, 0, 1]);
}

#[test]
fn a_silence_is_cut_where_hours_and_days_end_and_nowhere_else() {
    // The calendar is asked again after a day, which is no edge of anything.
    let mut bench = Bench::left(plant(), now(1_300), None);
    let day = 24 * 3_600_000;
    bench.pass(day - 30 * 60_000);
    while !bench.engine.catch_up(at(day + 20 * 60_000)) {
        bench.drain();
    }
    bench.drain();
    let silent = bench.summaries().into_iter().filter(|it| it.merged > 1);
    let silent: Vec<(i64, i64)> = silent.map(|it| (it.start.0, it.end.0)).collect();
    // From 13:45 to 14:00, and to 14:34: nothing ends at 14:14:01.3.
    let hour = WALL + 24 * 3_600_000 - 14 * 60_000;
    let begin = hour - 15 * 60_000;
    assert_eq!(silent, [(begin, hour), (hour, hour + 34 * 60_000)]);
}

#[test]
fn where_no_scrap_is_counted_longer_windows_have_none_either() {
    let mut plant = plant();
    let device = &mut plant.devices[0];
    device.no_scrap = true;
    let model = Arc::get_mut(&mut device.model).unwrap();
    model.tags[2] = tag("total", 2, Kind::U16, Some(Counts::Total));
    let mut bench = Bench::left(plant, now(0), None);
    bench.read(0, [2, 0, 0]);
    // The two are never read at quite the same time.
    bench.read(1_000, [2, 5, 6]);
    bench.pass(3_600_000);
    let hour = windows(&bench.records, Tier::Hour)[0];
    let parts = hour.parts;
    assert_eq!(
        (parts.good, parts.scrap, parts.total),
        (Some(5), Some(0), Some(6))
    );
}
