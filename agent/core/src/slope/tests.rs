use super::*;
use alloc::vec;
use proptest::prelude::*;

const MINUTE: u64 = 60_000;
const WINDOW: u64 = 5 * MINUTE;

fn slope() -> Slope {
    Slope::new(TagIndex(0), WINDOW, 1000)
}

/// Per minute.
fn rate(slope: &Slope) -> Option<f64> {
    slope.per_ms().map(|per_ms| per_ms * 60_000.0)
}

#[test]
fn a_steady_climb_has_its_rate_once_the_window_has_passed() {
    let mut slope = slope();
    for second in 0..=600 {
        slope.take(20.0 + second as f64 / 30.0, Mono(second * 1000));
        let rate = rate(&slope);
        if second * 1000 < WINDOW - WINDOW / STEPS {
            assert_eq!(rate, None, "at {second} s");
        } else {
            assert!(
                (rate.unwrap() - 2.0).abs() < 1e-9,
                "at {second} s: {rate:?}"
            );
        }
    }
}

#[test]
fn a_step_counts_as_long_as_it_lies_in_the_window() {
    let mut slope = slope();
    let mut risen = vec![];
    for second in 0..1200_u64 {
        let value = if second < 600 { 20.0 } else { 30.0 };
        slope.take(value, Mono(second * 1000));
        if rate(&slope).is_some_and(|rate| rate > 1.0) {
            risen.push(second);
        }
    }
    let (first, last) = (risen[0], risen[risen.len() - 1]);
    assert_eq!(first, 600);
    // Ten degrees over about five minutes, for about five minutes.
    let step = WINDOW / STEPS / 1000;
    assert!((900 - 2 * step..=900 + 2 * step).contains(&last), "{last}");
    assert_eq!(risen.len() as u64, last - first + 1, "without a hole");
}

#[test]
fn a_gap_leaves_the_rate_undecided_until_the_window_is_known_again() {
    let mut slope = slope();
    let mut known = vec![];
    for second in (0..600).chain(1800..2400_u64) {
        slope.take(second as f64, Mono(second * 1000));
        known.push((second, rate(&slope)));
    }
    let at = |wanted: u64| {
        known
            .iter()
            .find(|(second, _)| *second == wanted)
            .unwrap()
            .1
    };
    assert_eq!(at(1800), None, "over 20 min and not 5");
    assert_eq!(at(2000), None);
    assert!((at(2101).unwrap() - 60.0).abs() < 1e-9);
}

#[test]
fn a_short_gap_takes_nothing_away() {
    let mut slope = slope();
    for second in (0..400).chain(460..700_u64) {
        slope.take(second as f64, Mono(second * 1000));
        if second > 300 {
            assert!((rate(&slope).unwrap() - 60.0).abs() < 1e-9, "at {second} s");
        }
    }
}

#[test]
fn what_is_older_or_no_number_says_nothing() {
    let mut slope = slope();
    for second in 0..=300 {
        slope.take(1.0, Mono(second * 1000));
        slope.take(f64::NAN, Mono(second * 1000 + 1));
        slope.take(99.0, Mono(second * 500));
    }
    assert_eq!(rate(&slope), Some(0.0));
}

#[test]
fn a_tag_that_is_read_twice_in_the_window_has_a_rate() {
    let mut slope = Slope::new(TagIndex(0), WINDOW, WINDOW / 2);
    for reading in 0..10_u64 {
        slope.take(reading as f64 * 5.0, Mono(reading * WINDOW / 2));
        if reading >= 2 {
            assert_eq!(rate(&slope), Some(2.0));
        }
    }
}

proptest! {
    /// Whenever there is a rate, it is that between the newest reading and one from about then.
    #[test]
    fn a_rate_is_one_of_two_readings(
        steps in proptest::collection::vec((1_u64..120_000, -100.0..100.0_f64), 1..200),
    ) {
        let mut slope = slope();
        let (mut at, mut said) = (0, vec![]);
        for (ms, value) in steps {
            at += ms;
            slope.take(value, Mono(at));
            said.push((at, value));
            if let Some(rate) = slope.per_ms() {
                let step = WINDOW / STEPS;
                let around = (WINDOW - step)..=(WINDOW + 2 * step);
                let mut then = said.iter().filter(|(then, _)| around.contains(&(at - then)));
                let is_it = then.any(|(then, before)| {
                    (rate - (value - before) / (at - then) as f64).abs() < 1e-12
                });
                prop_assert!(is_it);
            }
            prop_assert!(slope.points.len() <= POINTS);
        }
    }
}
