//! Samples that come late, or rarely, and states that nobody mapped.

use super::*;

#[test]
fn a_sample_that_is_stale_when_it_comes_shows_nothing() {
    let mut bench = Bench::new();
    bench.pass(20_000);
    bench
        .engine
        .handle_read(ReadIndex(0), at(5_000), Ok(Words::Registers(&[7, 5, 0])));
    bench.drain();
    bench.pass(60_000);
    assert_eq!(bench.states(), []);
    assert_eq!(bench.summaries()[0].times.of(State::Unknown), 60_000);
    assert_eq!(bench.engine.alarms[0].occurrence, 0);
}

#[test]
fn the_shortest_unknown_time_is_told() {
    let mut bench = Bench::new();
    bench.read(200, [2, 0, 0]);
    bench.read(3_900, [2, 0, 0]);
    let expected = [
        (State::Unknown, State::Producing),
        (State::Producing, State::Unknown),
        (State::Unknown, State::Producing),
    ];
    assert_eq!(bench.states(), expected);
}

#[test]
fn a_status_that_nobody_mapped_is_no_change_of_state_and_goes_stale() {
    let mut bench = Bench::new();
    bench.read(0, [1234, 0, 0]);
    assert_eq!(bench.states(), []);
    let state = bench.engine.state(DeviceIndex(0)).unwrap();
    assert_eq!(state.quality, Quality::Bad(Reason::Unmapped));
    bench.pass(10_000);
    let state = bench.engine.state(DeviceIndex(0)).unwrap();
    assert_eq!(state.quality, Quality::Bad(Reason::Stale));
    assert_eq!(state.code, None);
    assert_eq!(bench.states(), []);
}

#[test]
fn values_that_nobody_mapped_are_named_once_each_and_not_without_end() {
    let mut bench = Bench::new();
    for second in 0..10u16 {
        bench.read(u64::from(second) * 1000, [1234 + second % 2, 0, 0]);
    }
    let named = |bench: &Bench| {
        let is_named =
            |record: &&Record| matches!(record.body, Body::Event(Event::UnmappedState { .. }));
        bench.records.iter().filter(is_named).count()
    };
    assert_eq!(named(&bench), 2);
    for second in 10..100 {
        bench.read(u64::from(second) * 1000, [2000 + second, 0, 0]);
    }
    assert_eq!(named(&bench), UNMAPPED);
}
