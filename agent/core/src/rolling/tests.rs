use super::*;
use crate::kpi::{Key, Measure};
use crate::summary::Needs;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;

fn window(start: i64, length: i64) -> Window {
    Window {
        start: Wall(start),
        end: Wall(start + length),
        fold: 0,
        stepped_ms: 0,
        clock_step_ms: 0,
        unset: None,
    }
}

/// A window in one state, in which a part is made each second while producing.
fn spent(state: State, ms: u64) -> Sum {
    let mut sum = Sum::default();
    sum.times.add(state, ms);
    let made = if state == State::Producing { ms } else { 0 };
    sum.parts.total = (state != State::Unknown).then_some(made / 1000);
    sum.parts.good = sum.parts.total;
    sum.failures = u32::from(state == State::Faulted);
    sum.capacity = Some(Capacity {
        planned: if state == State::PlannedStop { 0 } else { ms },
        producing: made,
        uncounted: 0,
        rate: 3_600_000,
    });
    sum
}

const ALL: Keeps = Keeps {
    counts: true,
    labels: true,
};

fn of(rolling: &Rolling, name: &str) -> Option<f64> {
    let needs = Needs {
        coverage: 5_000,
        exposure_ms: 1_800_000,
        no_scrap: false,
    };
    Measure::from_name(name).unwrap().of(rolling.sum(), &needs)
}

/// Minutes of these states, and what has come of them.
fn after(over_ms: u64, states: &[(State, i64)]) -> Rolling {
    let mut rolling = Rolling::new(over_ms, ALL);
    let mut at = 0;
    for (state, minutes) in states {
        for _ in 0..*minutes {
            rolling.push(&window(at, MINUTE), &spent(*state, MINUTE_MS));
            at += MINUTE;
        }
    }
    rolling.renew(None);
    rolling
}

#[test]
fn it_is_the_sum_of_the_minutes_in_it_and_of_no_other() {
    let hours = |states: &[(State, i64)]| after(8 * HOUR_MS, states);
    let rolling = hours(&[
        (State::Idle, 900),
        (State::Producing, 360),
        (State::Faulted, 120),
    ]);
    assert_eq!(rolling.sum().times.total(), 8 * HOUR_MS);
    assert_eq!(of(&rolling, "availability"), Some(0.75));
    assert_eq!(of(&rolling, "failures"), Some(120.0));
    assert_eq!(of(&rolling, "fault_rate_per_h"), Some(20.0));
    let rolling = hours(&[(State::Faulted, 1), (State::Producing, 480)]);
    assert_eq!(
        of(&rolling, "failures"),
        Some(0.0),
        "it has left the window"
    );
    let rolling = hours(&[(State::Faulted, 1), (State::Producing, 479)]);
    assert_eq!(of(&rolling, "failures"), Some(1.0));
}

#[test]
fn what_was_not_recorded_yet_is_unknown_and_never_zero() {
    let rolling = after(8 * HOUR_MS, &[(State::Producing, 60)]);
    assert_eq!(rolling.sum().times.of(State::Unknown), 7 * HOUR_MS);
    assert_eq!(of(&rolling, "availability"), None, "low coverage");
    assert_eq!(of(&rolling, "failures"), None);
    assert_eq!(of(&rolling, "availability_low"), Some(0.125));
    assert_eq!(of(&rolling, "availability_high"), Some(1.0));
    // 7 of 8 hours of capacity may have been used, or not.
    assert_eq!(of(&rolling, "capacity_utilisation"), None);
    assert_eq!(of(&rolling, "capacity_utilisation_low"), Some(0.125));
    assert_eq!(of(&rolling, "capacity_utilisation_high"), Some(1.0));
    let rolling = after(8 * HOUR_MS, &[(State::Producing, 240)]);
    assert_eq!(of(&rolling, "availability"), Some(1.0));
    assert_eq!(of(&Rolling::new(HOUR_MS, ALL), "coverage"), Some(0.0));
}

#[test]
fn without_planned_time_there_is_no_figure() {
    let rolling = after(HOUR_MS, &[(State::Producing, 60), (State::PlannedStop, 60)]);
    for name in [
        "availability",
        "oee",
        "faulted_ms",
        "failures",
        "coverage",
        "oee_low",
    ] {
        assert_eq!(of(&rolling, name), None, "{name}");
    }
    assert_eq!(of(&rolling, "planned_stop_ms"), Some(3.6e6));
}

#[test]
fn a_late_correction_reaches_the_minute_that_it_is_about() {
    let mut rolling = after(HOUR_MS, &[(State::Producing, 30), (State::Unknown, 30)]);
    assert_eq!(of(&rolling, "faulted_ms"), Some(0.0));
    for minute in 30..45 {
        let sum = spent(State::Faulted, MINUTE_MS);
        rolling.correct(&window(minute * MINUTE, MINUTE), &sum);
    }
    // What is not in it, or another run over the same labels, corrects nothing.
    rolling.correct(
        &window(999 * MINUTE, MINUTE),
        &spent(State::Faulted, MINUTE_MS),
    );
    let mut other = window(50 * MINUTE, MINUTE);
    other.fold = 1;
    rolling.correct(&other, &spent(State::Faulted, MINUTE_MS));
    rolling.renew(None);
    assert_eq!(of(&rolling, "faulted_ms"), Some(9e5));
    assert_eq!(of(&rolling, "availability"), Some(0.6667));
}

#[test]
fn of_a_long_silence_counts_what_lies_in_the_window() {
    let mut rolling = after(HOUR_MS, &[(State::Producing, 60)]);
    let mut silence = spent(State::Unknown, 9 * HOUR_MS);
    silence.times.add(State::PlannedStop, 3 * HOUR_MS);
    rolling.push(&window(60 * MINUTE, 12 * 60 * MINUTE), &silence);
    rolling.renew(None);
    assert_eq!(rolling.sum().times.of(State::Unknown), 3 * HOUR_MS / 4);
    assert_eq!(rolling.sum().times.of(State::PlannedStop), HOUR_MS / 4);
    for minute in 0..40 {
        let start = (13 * 60 + minute) * MINUTE;
        rolling.push(&window(start, MINUTE), &spent(State::Producing, MINUTE_MS));
    }
    rolling.renew(None);
    assert_eq!(rolling.sum().times.total(), HOUR_MS);
    // 40 min known; of the 20 of silence 15 were planned.
    assert_eq!(of(&rolling, "coverage"), Some(0.7273));
    assert_eq!(of(&rolling, "availability"), Some(1.0));
    rolling.clear();
    rolling.renew(None);
    assert_eq!(of(&rolling, "coverage"), Some(0.0));
}

#[test]
fn days_are_made_of_pieces_and_the_one_that_is_open() {
    let over_ms = 31 * DAY_MS;
    let mut rolling = Rolling::new(over_ms, ALL);
    for hour in 0..31 * 24 + 100 {
        let state = match hour {
            0..100 => State::Faulted,
            _ => State::Producing,
        };
        rolling.push(
            &window(hour * 60 * MINUTE, 60 * MINUTE),
            &spent(state, HOUR_MS),
        );
    }
    rolling.renew(Some(&spent(State::Producing, 1_800_000)));
    // It reaches back up to an hour further: 743 h and a half are not 31 days.
    assert_eq!(rolling.sum().times.total(), over_ms + 1_800_000);
    assert_eq!(of(&rolling, "failures"), Some(0.0));
    assert_eq!(of(&rolling, "availability"), Some(1.0));
    assert_eq!(of(&rolling, "throughput_per_h"), Some(3600.0));
}

#[test]
fn every_length_has_its_room() {
    for (over_ms, most) in [
        (MINUTE_MS, 3),
        (8 * HOUR_MS, 482),
        (12 * HOUR_MS, 722),
        (13 * HOUR_MS, 24),
        (31 * DAY_MS, 900),
    ] {
        assert!((2..=most).contains(&slots(over_ms)), "{over_ms}");
    }
}

#[test]
fn every_name_is_understood_and_no_other() {
    for name in Measure::names() {
        assert!(Measure::from_name(name).is_some(), "{name}");
    }
    assert_eq!(Measure::names().count(), 14 + 2 * 7 + 12);
    assert_eq!(Measure::from_name("mttr_s_low"), None);
    assert_eq!(Measure::from_name("coverage_high"), None);
    assert_eq!(Measure::from_name("oee_reason"), None);
    assert_eq!(Measure::from_name("oee"), Some(Measure::Value(Key::Oee)));
}

#[test]
fn without_counts_the_times_are_the_same_and_take_less() {
    let few = Keeps {
        counts: false,
        labels: false,
    };
    let (mut rolling, mut all) = (Rolling::new(HOUR_MS, few), Rolling::new(HOUR_MS, ALL));
    for minute in 0..100 {
        let state = State::ALL[usize::try_from(minute % 5).unwrap()];
        for rolling in [&mut rolling, &mut all] {
            rolling.push(&window(minute * MINUTE, MINUTE), &spent(state, MINUTE_MS));
            rolling.renew(None);
        }
        assert_eq!(rolling.sum().times, all.sum().times);
        assert_eq!(rolling.sum().failures, all.sum().failures);
    }
    assert!(2 * bytes(HOUR_MS, few) < bytes(HOUR_MS, ALL));
}

#[test]
fn a_long_window_is_split_into_what_it_is_made_of() {
    let mut long = spent(State::Unknown, 10 * MINUTE_MS);
    long.times.add(State::Producing, 90_000);
    long.times.add(State::PlannedStop, 7);
    (long.failures, long.parts.total) = (3, Some(8));
    // It was read last 100 s after the beginning.
    long.parts.gap_after_ms = 590_007;
    let mut rolling = Rolling::new(HOUR_MS, ALL);
    rolling.push(&window(0, 690_007), &long);
    assert_eq!(rolling.spent.len(), 12);
    let mut sum = Sum::default();
    for at in 0..12 {
        let slot = rolling.slot(at);
        assert!(slot.times.total() <= MINUTE_MS);
        sum.add(&slot);
    }
    assert_eq!((sum.times, sum.failures), (long.times, 3));
    assert_eq!((sum.parts, sum.capacity), (long.parts, long.capacity));
    let ends_in_gap = |at: usize| rolling.slot(at).parts.gap_after_ms;
    assert_eq!([0, 1, 2].map(ends_in_gap), [0, 20_000, 80_000]);
}

fn any_sum() -> impl Strategy<Value = Sum> {
    let states = proptest::sample::select(&State::ALL[..]);
    let times = proptest::collection::vec((states, 0_u64..20_000), 1..4);
    let count = || proptest::option::of(0_u64..100);
    let gap = || 0_u64..200_000;
    let gaps = (gap(), gap());
    (
        times,
        count(),
        count(),
        count(),
        0_u32..3,
        any::<bool>(),
        gaps,
    )
        .prop_map(|(times, good, scrap, total, failures, has_rate, gaps)| {
            let mut sum = Sum::default();
            for (state, ms) in times {
                sum.times.add(state, ms);
            }
            (sum.parts.good, sum.parts.scrap, sum.parts.total) = (good, scrap, total);
            (sum.parts.gap_before_ms, sum.parts.gap_after_ms) = gaps;
            sum.failures = failures;
            sum.capacity = has_rate.then_some(Capacity {
                planned: 60_000,
                producing: 30_000,
                uncounted: 0,
                rate: 3_600_000,
            });
            sum
        })
}

proptest! {
    /// Against a plain list of all windows ever: the sum of those at the end that reach back so far.
    #[test]
    fn it_is_what_adding_up_comes_to(
        sums in proptest::collection::vec(any_sum(), 0..120),
        minutes in 1_u64..90,
    ) {
        let over_ms = minutes * MINUTE_MS;
        let mut rolling = Rolling::new(over_ms, ALL);
        for (at, sum) in sums.iter().enumerate() {
            let start = i64::try_from(at).unwrap() * MINUTE;
            rolling.push(&window(start, MINUTE), sum);
        }
        rolling.renew(None);
        let kept = slots(over_ms);
        let (mut inside, mut length) = (0, 0);
        for sum in sums.iter().rev().take(kept) {
            if length >= over_ms {
                break;
            }
            length += sum.times.total();
            inside += 1;
        }
        let oldest = sums.get(sums.len() - inside).and_then(|sum| sum.capacity);
        let mut expected = missing(over_ms.saturating_sub(length), oldest);
        for sum in &sums[sums.len() - inside..] {
            expected.add(sum);
        }
        prop_assert_eq!(*rolling.sum(), expected);
    }
}
