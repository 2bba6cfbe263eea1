use super::*;
use crate::sample::Reason;
use crate::tag::{Detector, Detectors};
use proptest::prelude::*;

const SECOND: u64 = 1000;

fn poll(second: u64, running: bool) -> Poll {
    Poll {
        at: Mono(1_000_000 + second * SECOND),
        every_ms: SECOND,
        running,
        stops: Some(9),
    }
}

/// A level that has moved with each poll for as long as it takes, and the next second.
fn moving() -> (Level, u64) {
    let mut level = Level::new();
    let day = limits::LEARN_STEPS_MS / SECOND + 10;
    for second in 0..day {
        let value = 100.0 + (second % 40) as f64 / 8.0;
        let why = level.take(value, false, &poll(second, true), Detectors::ALL);
        assert_eq!(why, None);
    }
    (level, day)
}

#[test]
fn a_level_that_always_moves_is_frozen_after_twenty_polls_and_until_it_moves() {
    let (mut level, start) = moving();
    let mut take = |second, value, running| {
        level.take(value, false, &poll(start + second, running), Detectors::ALL)
    };
    assert_eq!(take(0, 101.0, true), None);
    for second in 1..=20 {
        assert_eq!(take(second, 101.0, true), None, "{second}");
    }
    assert_eq!(take(21, 101.0, true), Some(Reason::Frozen));
    // That the machine stops meanwhile says nothing about it.
    assert_eq!(take(22, 101.0, false), Some(Reason::Frozen));
    assert_eq!(take(23, 101.25, true), None);
}

#[test]
fn while_the_machine_stands_anything_may_stand() {
    let (mut level, start) = moving();
    for second in 0..10_000 {
        let why = level.take(101.0, false, &poll(start + second, false), Detectors::ALL);
        assert_eq!(why, None);
    }
}

#[test]
fn a_detector_that_is_switched_off_says_nothing() {
    let (mut level, start) = moving();
    let without = Detectors::ALL
        .without(Detector::Frozen)
        .without(Detector::ImplausibleStep);
    for second in 0..100 {
        let value = if second == 50 { 1e9 } else { 101.0 };
        let why = level.take(value, false, &poll(start + second, true), without);
        assert_eq!(why, None);
    }
}

#[test]
fn steps_of_a_cycle_and_modes_are_never_frozen() {
    let mut level = Level::new();
    for second in 0..100_000 {
        let why = level.take(
            (second / 3 % 9) as f64,
            true,
            &poll(second, true),
            Detectors::ALL,
        );
        assert_eq!(why, None);
    }
    for second in 100_000..110_000 {
        assert_eq!(
            level.take(4.0, true, &poll(second, true), Detectors::ALL),
            None
        );
    }
}

#[test]
fn a_drive_that_ramps_often_and_holds_for_long_is_never_frozen() {
    let mut level = Level::new();
    for second in 0..400_000u64 {
        // Each two hours ten seconds of ramp.
        let phase = second % 7200;
        let speed = if phase < 10 {
            phase as f64 * 5.0 + 0.5
        } else {
            50.0
        };
        let why = level.take(speed, false, &poll(second, true), Detectors::ALL);
        assert_eq!(why, None, "{second}");
    }
}

#[test]
fn after_a_gap_any_step_may_be() {
    let (mut level, start) = moving();
    let why = level.take(50_000.0, false, &poll(start + 60, true), Detectors::ALL);
    assert_eq!(why, None);
}

fn of_parts(per_hour: Option<u64>) -> Counted {
    Counted::parts(per_hour)
}

#[test]
fn counts_in_lumps_are_counted() {
    let mut meter = Meter::new();
    let counted = of_parts(Some(1200));
    for second in 0..20_000 {
        // Two hundred every ten minutes, as they are made.
        let count = (second / 600 * 200) as f64;
        let (why, jump) = meter.take(count, counted, &poll(second, true), Detectors::ALL);
        assert_eq!((why, jump), (None, Jump::None));
    }
}

#[test]
fn a_machine_that_is_faster_than_rated_loses_nothing() {
    let mut meter = Meter::new();
    let counted = of_parts(Some(360));
    let mut held = 0;
    let mut last = 0;
    for second in 0..1000 {
        // Fifty times as fast: somebody has written parts per minute.
        let count = second * 5;
        let (_, jump) = meter.take(count as f64, counted, &poll(second, true), Detectors::ALL);
        match jump {
            Jump::None => last = count,
            Jump::Held => held += 1,
            jump => panic!("{jump:?}"),
        }
    }
    assert!(held <= 4, "{held}");
    assert_eq!(last, 999 * 5);
}

#[test]
fn a_dropped_counter_that_comes_back_was_not_reset() {
    let mut meter = Meter::new();
    let counted = of_parts(Some(1200));
    let mut take = |second, count: f64| {
        let (why, jump) = meter.take(count, counted, &poll(second, true), Detectors::ALL);
        assert_eq!(why, None);
        jump
    };
    assert_eq!(take(0, 4711.0), Jump::None);
    assert_eq!(take(1, 0.0), Jump::None);
    // A weekend later: as many parts could have been made.
    assert_eq!(take(200_000, 4712.0), Jump::Back(4711.0));
    // A reset is one: it counts on from there.
    assert_eq!(take(200_001, 0.0), Jump::None);
    assert_eq!(take(200_004, 1.0), Jump::None);
    assert_eq!(take(400_000, 4713.0), Jump::None);
}

/// A machine's value, whatever it is.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-1000i32..1000).prop_map(f64::from),
        2 => Just(0.0),
        2 => Just(7.5),
        1 => prop::num::f64::NORMAL,
    ]
}

/// A poll each hour: with so few polls a day it is learned sooner what is normal.
fn hourly(hour: u64, running: bool) -> Poll {
    Poll {
        at: Mono(1_000_000 + hour * 3_600_000),
        every_ms: 3_600_000,
        ..poll(0, running)
    }
}

proptest! {
    /// Whatever comes: what differs from the value before is not frozen, what stays is frozen in the
    /// end, and three polls at one place are believed.
    #[test]
    fn a_level_always_comes_back(
        values in prop::collection::vec((any_value(), any::<bool>(), 0u64..3), 1..200),
        last in any_value(),
    ) {
        let mut level = Level::new();
        let mut hour = 0;
        for n in 0..300 {
            hour += 1;
            let value = 100.0 + f64::from(n % 40) / 8.0;
            level.take(value, false, &hourly(hour, true), Detectors::ALL);
        }
        prop_assert!(level.standing().0, "it has learned");
        let mut before = f64::NAN;
        for (value, running, pause) in values {
            hour += 1 + pause;
            let why = level.take(value, false, &hourly(hour, running), Detectors::ALL);
            prop_assert!(why != Some(Reason::Frozen) || before == value);
            before = value;
        }
        let mut why = None;
        for _ in 0..limits::BELIEVED_AT {
            hour += 1;
            why = level.take(last, false, &hourly(hour, false), Detectors::ALL);
        }
        prop_assert_ne!(why, Some(Reason::ImplausibleStep));
        if last != 0.0 && level.standing().0 {
            for _ in 0..=4 * limits::LONGEST_POLLS {
                hour += 1;
                why = level.take(last, false, &hourly(hour, true), Detectors::ALL);
            }
            prop_assert_eq!(why, Some(Reason::Frozen));
        }
    }

    /// Whatever comes: nothing is held for longer than it takes to believe it, and what is counted
    /// is never more than what the counter has gone up.
    #[test]
    fn a_meter_always_comes_back(
        counts in prop::collection::vec((0u32..1_000_000, 0u64..5), 1..400),
        rated in prop::option::of(1u64..100_000),
    ) {
        let mut meter = Meter::new();
        let counted = of_parts(rated);
        let (mut second, mut base, mut made, mut up) = (0, None::<f64>, 0.0, 0.0);
        let mut before = None::<f64>;
        for (count, pause) in counts {
            second += 1 + pause;
            let count = f64::from(count);
            let (why, jump) = meter.take(count, counted, &poll(second, true), Detectors::ALL);
            prop_assert_eq!(why == Some(Reason::ImplausibleCount), jump == Jump::Held);
            if let Some(before) = before {
                up += (count - before).max(0.0);
            }
            before = Some(count);
            match jump {
                Jump::None => {
                    made += base.map_or(0.0, |base| (count - base).max(0.0));
                    base = Some(count);
                }
                Jump::Held => {}
                Jump::Anew => base = Some(count),
                Jump::Back(from) => {
                    prop_assert!(count >= from);
                    made += count - from;
                    base = Some(count);
                }
            }
        }
        prop_assert!(made <= up, "{} of {}", made, up);
        let last = before.unwrap_or(0.0);
        let mut jump = Jump::None;
        for _ in 0..limits::BELIEVED_AT {
            second += 1;
            jump = meter.take(last, counted, &poll(second, true), Detectors::ALL).1;
        }
        prop_assert_ne!(jump, Jump::Held);
    }
}
