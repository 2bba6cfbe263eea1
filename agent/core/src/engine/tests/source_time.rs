//! What the time stamps of sources make of their readings.

use super::*;
use crate::sample::Sample;
use crate::tag::{Detectors, Place};

/// A press that publishes: mode, good count and a slow temperature.
fn publishing() -> Plant {
    let mut plant = plant();
    let mut model = (*plant.devices[0].model).clone();
    for tag in &mut model.tags {
        tag.source = Source::Message(Place::bare(None, tag.kind()));
    }
    model.tags.push(Tag {
        every_ms: 20_000,
        source: Source::Message(Place::bare(None, Kind::F64)),
        ..tag("temperature", 0, Kind::U16, None)
    });
    plant.devices[0].detect = vec![Detectors::SENT; model.tags.len()].into();
    plant.devices[0].model = Arc::new(model);
    plant
}

const STATUS: u16 = 0;
const GOOD: u16 = 1;
const TEMPERATURE: u16 = 3;

struct Publisher {
    bench: Bench,
}

impl Publisher {
    fn new() -> Publisher {
        Publisher {
            bench: Bench::left(publishing(), now(0), None),
        }
    }

    /// A message at `ms` with a sample of `tag` that was taken at `taken` by its own time stamp.
    fn says(&mut self, ms: u64, tag: u16, value: i64, taken: i64) {
        let reading = Reading::Good(Value::Int(value));
        self.hears(ms, tag, reading, Some(taken));
    }

    fn hears(&mut self, ms: u64, tag: u16, reading: Reading, taken: Option<i64>) {
        self.bench.pass(ms.saturating_sub(1));
        let sample = Sample {
            reading,
            time: taken.map(|taken| Wall(WALL + taken)),
        };
        self.bench
            .engine
            .handle_readings(DeviceIndex(0), at(ms), &[(TagIndex(tag), sample)]);
        self.bench.drain();
    }

    fn state(&self) -> (State, Quality) {
        let state = self.bench.engine.state(DeviceIndex(0)).unwrap();
        (state.state, state.quality)
    }

    fn quality(&self, tag: u16) -> Quality {
        self.bench.engine.newest.quality(usize::from(tag))
    }

    fn usable(&self, tag: u16) -> Option<Value> {
        self.bench.engine.usable(DeviceIndex(0), TagIndex(tag))
    }
}

#[test]
fn a_reading_counts_as_fresh_from_its_own_time_on() {
    let mut source = Publisher::new();
    source.says(2000, STATUS, 2, 500);
    assert_eq!(source.state(), (State::Producing, Quality::Good));
    source.bench.pass(60_000);
    let times = source.bench.summaries()[0].times;
    // It showed at 2000 and was to be believed until 500 + 3000.
    assert_eq!(times.of(State::Producing), 1500);
    assert_eq!(source.quality(STATUS), Quality::Good);
}

#[test]
fn one_that_is_too_old_is_stale_and_shows_nothing() {
    let mut source = Publisher::new();
    source.says(5000, STATUS, 2, 2000);
    assert_eq!(source.quality(STATUS), Quality::Bad(Reason::Stale));
    let why = Quality::Bad(Reason::Stale);
    assert_eq!(source.state(), (State::Unknown, why));
    assert_eq!(source.bench.engine.health().devices_bad, 1);
    source.says(5001, STATUS, 2, 2002);
    assert_eq!(source.state(), (State::Producing, Quality::Good));
    assert_eq!(source.bench.engine.tally().bad_samples, 1);
}

#[test]
fn a_slow_tag_may_be_older_than_a_fast_one() {
    let mut source = Publisher::new();
    source.says(59_999, TEMPERATURE, 20, 0);
    assert_eq!(source.usable(TEMPERATURE), Some(Value::Int(20)));
    source.bench.pass(60_000);
    source.bench.engine.handle_time(now(60_000));
    assert_eq!(source.usable(TEMPERATURE), None, "3 × 20 s by its own time");
    source.says(120_000, TEMPERATURE, 21, 60_000);
    assert_eq!(source.quality(TEMPERATURE), Quality::Bad(Reason::Stale));
}

#[test]
fn one_from_the_future_is_taken_with_a_caveat_and_counts() {
    let mut source = Publisher::new();
    source.says(1000, STATUS, 2, 61_000);
    assert_eq!(
        source.state(),
        (State::Producing, Quality::Good),
        "a minute is borne"
    );
    source.says(2000, STATUS, 2, 62_001);
    let ahead = Quality::Uncertain(Reason::ClockAhead);
    assert_eq!(source.state(), (State::Producing, ahead));
    assert_eq!(
        source.bench.engine.health().devices_bad,
        0,
        "it is not silent"
    );
    source.says(2000, GOOD, 100, 3_600_000);
    source.says(3000, GOOD, 107, 3_601_000);
    source.bench.pass(60_000);
    assert_eq!(source.bench.summaries()[0].parts.good, Some(7));
}

#[test]
fn a_late_duplicate_is_no_reset() {
    let mut source = Publisher::new();
    source.says(1000, GOOD, 100, 1000);
    source.says(2000, GOOD, 105, 2000);
    source.says(2100, GOOD, 100, 1000);
    source.says(2200, GOOD, 105, 2000);
    source.says(3000, GOOD, 106, 3000);
    source.bench.pass(60_000);
    let summary = source.bench.summaries()[0];
    assert_eq!((summary.parts.good, summary.uncounted_ms), (Some(6), 0));
    assert_eq!(
        source.bench.engine.tally().samples,
        4,
        "the late one is none"
    );
}

#[test]
fn what_is_sent_once_more_after_a_restart_is_no_reset_either() {
    let mut source = Publisher::new();
    source.says(1000, GOOD, 100, 1000);
    source.says(2000, GOOD, 105, 2000);
    source.says(2000, STATUS, 3, 2000);
    let checkpoint = source.bench.engine.checkpoint();
    let left = Some(Left::Newest(&checkpoint));
    let mut source = Publisher {
        bench: Bench::left(publishing(), now(3000), left),
    };
    // A publisher sends again what nobody has acknowledged, and then goes on.
    source.says(3100, GOOD, 100, 1000);
    source.says(3100, STATUS, 2, 1000);
    assert_eq!(source.state().0, State::Unknown, "it shows what was before");
    source.says(3200, GOOD, 105, 2000);
    source.says(3300, GOOD, 106, 3200);
    source.says(3300, STATUS, 2, 3200);
    assert_eq!(source.state(), (State::Producing, Quality::Good));
    source.bench.pass(60_000);
    let summary = source.bench.summaries()[0];
    assert_eq!((summary.parts.good, summary.uncounted_ms), (Some(6), 0));
}

#[test]
fn a_clock_that_was_ahead_and_is_set_right_is_believed_again() {
    let mut source = Publisher::new();
    source.says(1000, STATUS, 2, 86_400_000);
    source.says(2000, STATUS, 3, 2000);
    assert_eq!(source.state(), (State::Delayed, Quality::Good));
}

/// What was told of the source as a whole.
fn told(source: &Publisher) -> Vec<(Reason, bool, Option<Value>)> {
    let of = |record: &Record| match &record.body {
        Body::Event(Event::Source {
            tag: None,
            reason,
            begins,
            value,
            ..
        }) => Some((*reason, *begins, value.clone())),
        _ => None,
    };
    source.bench.records.iter().filter_map(of).collect()
}

#[test]
fn stamps_that_move_on_and_stay_behind_are_those_of_a_slow_clock() {
    let mut source = Publisher::new();
    let hour = 3_600_000;
    for second in 1..=40 {
        let ms = second * 1000;
        let jitter = i64::try_from(second % 3).unwrap() * 300;
        source.says(ms, STATUS, 2, ms as i64 - hour - jitter);
        let why = if second < 3 {
            Reason::Stale
        } else {
            Reason::ClockBehind
        };
        assert_eq!(source.quality(STATUS), Quality::Bad(why), "{second}");
        assert_eq!(source.state().0, State::Unknown);
    }
    // It is set.
    for second in 41..=60 {
        source.says(second * 1000, STATUS, 2, second as i64 * 1000);
        assert_eq!(source.state(), (State::Producing, Quality::Good));
    }
    let [
        (Reason::ClockBehind, true, Some(Value::Int(by))),
        (Reason::ClockBehind, false, None),
    ] = told(&source)[..]
    else {
        panic!("{:?}", told(&source));
    };
    assert_eq!(by, -hour, "ahead by so much when it was found");
}

#[test]
fn a_clock_that_is_set_back_is_told_and_not_passed_over_in_silence() {
    let mut source = Publisher::new();
    let hour = 3_600_000;
    for second in 1..=10 {
        source.says(second * 1000, STATUS, 2, second as i64 * 1000);
    }
    for second in 11..=40 {
        source.says(second * 1000, STATUS, 2, second as i64 * 1000 - hour);
    }
    assert_eq!(source.quality(STATUS), Quality::Bad(Reason::ClockBehind));
    // It is set right.
    for second in 41..=60 {
        source.says(second * 1000, STATUS, 2, second as i64 * 1000);
    }
    assert_eq!(source.state(), (State::Producing, Quality::Good));
    let behind = Reason::ClockBehind;
    let by = Some(Value::Int(-hour));
    assert_eq!(told(&source), [(behind, true, by), (behind, false, None)]);
}

#[test]
fn stamps_that_stand_and_a_backlog_are_no_slow_clock() {
    let mut source = Publisher::new();
    let hour = 3_600_000;
    for second in 1..=10 {
        source.says(second * 1000, STATUS, 2, -hour);
        assert_eq!(source.quality(STATUS), Quality::Bad(Reason::Stale));
    }
    // A thousand samples of the last hour, ten in a second.
    for n in 0..1000 {
        let ms = 11_000 + n * 100;
        source.says(ms, STATUS, 2, -hour + 1 + n as i64 * 3000);
        assert_eq!(source.quality(STATUS), Quality::Bad(Reason::Stale), "{n}");
    }
    assert_eq!(told(&source), vec![]);
}

#[test]
fn a_clock_that_is_ahead_is_told_once_and_once_when_it_is_right() {
    let mut source = Publisher::new();
    for second in 1..=20 {
        source.says(second * 1000, STATUS, 2, second as i64 * 1000 + 90_000);
    }
    for second in 111..=140 {
        source.says(second * 1000, STATUS, 2, second as i64 * 1000);
    }
    let by = Some(Value::Int(90_000));
    let ahead = Reason::ClockAhead;
    assert_eq!(told(&source), [(ahead, true, by), (ahead, false, None)]);
}

#[test]
fn while_the_gateways_clock_is_not_set_no_time_stamp_is_judged() {
    let unset = Now {
        wall: Wall(86_400_000),
        clock: ClockState::Unsynced,
        ..now(0)
    };
    let mut source = Publisher {
        bench: Bench::left(publishing(), unset, None),
    };
    for (ms, value, taken) in [(0, 2, 0), (10, 3, -5_000_000)] {
        let sample = Sample {
            reading: Reading::Good(Value::Int(value)),
            time: Some(Wall(WALL + taken)),
        };
        let engine = &mut source.bench.engine;
        engine.handle_readings(DeviceIndex(0), at(ms), &[(TagIndex(STATUS), sample)]);
    }
    assert_eq!(source.state(), (State::Delayed, Quality::Good));
}

#[test]
fn a_retained_copy_is_aged_by_its_own_time() {
    let retained = || Reading::Uncertain(Value::Int(2), Reason::Retained);
    let mut source = Publisher::new();
    source.hears(5000, STATUS, retained(), Some(2000));
    assert_eq!(source.quality(STATUS), Quality::Bad(Reason::Stale));
    source.hears(5000, STATUS, retained(), Some(4000));
    let caveat = Quality::Uncertain(Reason::Retained);
    assert_eq!(source.state(), (State::Producing, caveat));
    source.bench.pass(60_000);
    assert_eq!(source.bench.summaries()[0].times.of(State::Producing), 2000);
}

#[test]
fn of_a_batch_all_count_and_the_last_holds() {
    let mut source = Publisher::new();
    let sample = |tag, value, taken| {
        let sample = Sample {
            reading: Reading::Good(Value::Int(value)),
            time: Some(Wall(WALL + taken)),
        };
        (TagIndex(tag), sample)
    };
    source.says(0, STATUS, 2, 0);
    source.says(0, GOOD, 100, 0);
    // It was reset between 103 and 2: one reading alone would look like a loss of everything.
    let batch = [
        sample(STATUS, 7, 600),
        sample(STATUS, 2, 900),
        sample(GOOD, 103, 500),
        sample(GOOD, 2, 900),
        sample(GOOD, 4, 1000),
    ];
    let engine = &mut source.bench.engine;
    engine.handle_readings(DeviceIndex(0), at(1000), &batch);
    source.bench.drain();
    assert_eq!(source.state(), (State::Producing, Quality::Good));
    source.bench.pass(60_000);
    let summary = source.bench.summaries()[0];
    assert_eq!((summary.parts.good, summary.failures), (Some(5), 1));
}
