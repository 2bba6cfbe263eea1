use super::*;
use crate::state::Times;
use crate::summary::{Capacity, Needs, Parts, Tier, Unrated};
use crate::time::Wall;
use alloc::vec::Vec;

/// The minute that contract.md §5 shows.
fn example() -> Summary {
    let mut times = Times::default();
    times.add(State::Producing, 52_100);
    times.add(State::Delayed, 3_000);
    times.add(State::Faulted, 4_900);
    Summary {
        device: "press-1".into(),
        line: Some("A".into()),
        tier: Tier::Minute,
        shift: None,
        start: Wall(1_790_000_040_000),
        end: Wall(1_790_000_100_000),
        fold: 0,
        rev: 0,
        merged: 1,
        clock_step_ms: 0,
        every_ms: 1000,
        times,
        uncounted_ms: 0,
        parts: Parts {
            good: Some(16),
            scrap: Some(1),
            total: Some(17),
            gap_total: 0,
            gap_before_ms: 0,
            gap_after_ms: 0,
        },
        failures: 1,
        repairs: 1,
        repair_ms: 4_900,
        capacity: Some(Capacity {
            planned: 20_000,
            producing: 17_367,
            uncounted: 0,
            rate: 1_200_000,
        }),
        unrated: Unrated::NONE,
        needs: Needs {
            coverage: 5_000,
            exposure_ms: 1_800_000,
            no_scrap: false,
        },
    }
}

fn figure(summary: &Summary, key: Key) -> Figure {
    figures(summary).find(|figure| figure.key == key).unwrap()
}

fn value(summary: &Summary, key: Key) -> Result<f64, Why> {
    figure(summary, key).value.map(Fixed::as_f64)
}

fn bounds(summary: &Summary, key: Key) -> (f64, f64) {
    let (low, high) = figure(summary, key).bounds.unwrap();
    (low.unwrap().as_f64(), high.unwrap().as_f64())
}

#[test]
fn those_that_have_bounds_are_told_with_them() {
    for figure in figures(&example()) {
        assert_eq!(
            figure.bounds.is_some(),
            figure.key.has_bounds(),
            "{figure:?}"
        );
    }
}

#[test]
fn the_example_of_the_contract() {
    let summary = example();
    assert_eq!(value(&summary, Key::CapacityUtilisation), Ok(0.85));
    assert_eq!(value(&summary, Key::Availability), Ok(0.8683));
    assert_eq!(value(&summary, Key::Coverage), Ok(1.0));
    assert_eq!(value(&summary, Key::Oee), Ok(0.8));
    assert_eq!(value(&summary, Key::FaultTimeRatio), Ok(0.0817));
    assert_eq!(value(&summary, Key::FaultRatePerH), Err(Why::TooShort));
    assert_eq!(reason(&summary), None);
}

#[test]
fn oee_is_availability_times_effectiveness_times_quality() {
    let summary = example();
    let product = value(&summary, Key::Availability).unwrap()
        * value(&summary, Key::Effectiveness).unwrap()
        * value(&summary, Key::QualityRatio).unwrap();
    assert!((product - value(&summary, Key::Oee).unwrap()).abs() < 1e-3);
}

#[test]
fn unknown_time_widens_the_bounds_and_low_coverage_takes_the_value() {
    let mut summary = example();
    summary.times = Times::default();
    summary.times.add(State::Producing, 20_000);
    summary.times.add(State::Unknown, 40_000);
    let availability = figure(&summary, Key::Availability);
    assert_eq!(availability.value, Err(Why::LowCoverage));
    let (low, high) = availability.bounds.unwrap();
    assert_eq!(
        (low.unwrap().as_f64(), high.unwrap().as_f64()),
        (0.3333, 1.0)
    );
    assert_eq!(value(&summary, Key::Coverage), Ok(0.3333));
    assert_eq!(reason(&summary), Some(Why::LowCoverage));
}

#[test]
fn time_without_a_rate_is_taken_to_be_like_the_rest() {
    let mut summary = example();
    let all = |summary: &Summary| {
        [Key::CapacityUtilisation, Key::Oee, Key::Effectiveness]
            .map(|key| (value(summary, key), figure(summary, key).bounds))
    };
    let rated = all(&summary);
    // A quarter of the time had none, and of producing too.
    summary.unrated = Unrated {
        planned_ms: 15_000,
        producing_ms: 13_025,
    };
    let capacity = summary.capacity.as_mut().unwrap();
    capacity.planned = 15_000;
    capacity.producing = 13_025;
    let scaled = all(&summary);
    assert_eq!((scaled[0], scaled[1]), (rated[0], rated[1]));
    let (one, other) = (scaled[2].0.unwrap(), rated[2].0.unwrap());
    assert!((one - other).abs() < 1e-3, "{one} {other}");
    // Three quarters had none: the rest is no measure.
    summary.unrated.planned_ms = 45_000;
    summary.unrated.producing_ms = 45_000;
    let too_little = (Err(Why::NoRatedRate), Some((None, None)));
    assert_eq!(all(&summary)[..2], [too_little; 2]);
    assert_eq!(value(&summary, Key::Effectiveness), Err(Why::NoRatedRate));
    // None of it, and nothing is asked for.
    summary.needs.coverage = 0;
    summary.unrated.planned_ms = 60_000;
    assert_eq!(value(&summary, Key::Oee), Err(Why::NoRatedRate));
}

#[test]
fn uncounted_time_and_time_without_a_rate_go_together() {
    // 1,000/h over 8 h of 10, 2 of them without a rate and 1 uncounted; 6,000 parts.
    let mut summary = example();
    summary.times = Times::default();
    summary.times.add(State::Producing, 36_000_000);
    summary.uncounted_ms = 3_600_000;
    summary.parts.total = Some(6_000);
    summary.unrated.planned_ms = 7_200_000;
    let capacity = summary.capacity.as_mut().unwrap();
    (capacity.planned, capacity.uncounted) = (8_000_000, 1_000_000);
    let figure = figure(&summary, Key::CapacityUtilisation);
    let (low, high) = figure.bounds.unwrap();
    // Of 10,000 in all: 6,000 of 8,750; of 10,000; 7,250 of 10,000.
    assert_eq!(figure.value.unwrap().as_f64(), 0.6857);
    assert_eq!(low.unwrap().as_f64(), 0.6);
    assert_eq!(high.unwrap().as_f64(), 0.725);
}

#[test]
fn nothing_planned_is_not_zero() {
    let mut summary = example();
    summary.times = Times::default();
    summary.times.add(State::PlannedStop, 60_000);
    for key in [Key::Availability, Key::Coverage, Key::FaultTimeRatio] {
        assert_eq!(value(&summary, key), Err(Why::NoPlannedTime));
    }
    assert_eq!(
        figure(&summary, Key::Availability).bounds,
        Some((None, None))
    );
    assert_eq!(reason(&summary), Some(Why::NoPlannedTime));
}

#[test]
fn a_faulted_window_has_oee_zero_and_not_null() {
    let mut summary = example();
    summary.times = Times::default();
    summary.times.add(State::Faulted, 60_000);
    summary.parts = Parts {
        good: Some(0),
        scrap: Some(0),
        total: Some(0),
        ..Parts::default()
    };
    assert_eq!(value(&summary, Key::Oee), Ok(0.0));
    assert_eq!(value(&summary, Key::CapacityUtilisation), Ok(0.0));
    assert_eq!(value(&summary, Key::FaultTimeRatio), Ok(1.0));
    assert_eq!(value(&summary, Key::QualityRatio), Err(Why::NoCount));
}

#[test]
fn what_nobody_counts_or_rates_is_null_with_its_reason() {
    let mut summary = example();
    summary.parts = Parts {
        good: Some(16),
        ..Parts::default()
    };
    assert_eq!(
        value(&summary, Key::CapacityUtilisation),
        Err(Why::NoScrapCount)
    );
    summary.parts = Parts::default();
    assert_eq!(value(&summary, Key::Oee), Err(Why::NoCount));
    let mut summary = example();
    summary.capacity = None;
    assert_eq!(
        value(&summary, Key::CapacityUtilisation),
        Err(Why::NoRatedRate)
    );
    assert_eq!(value(&summary, Key::Effectiveness), Err(Why::NoRatedRate));
}

#[test]
fn uncounted_time_bounds_the_utilisation_and_leaves_the_capacity() {
    let mut summary = example();
    summary.uncounted_ms = 30_000;
    summary.capacity.as_mut().unwrap().uncounted = 10_000;
    let figure = figure(&summary, Key::CapacityUtilisation);
    assert_eq!(figure.value.unwrap().as_f64(), 1.7);
    let (low, high) = figure.bounds.unwrap();
    assert_eq!(
        (low.unwrap().as_f64(), high.unwrap().as_f64()),
        (0.85, 1.35)
    );
}

#[test]
fn parts_across_a_gap_of_another_window_take_the_value() {
    let mut summary = example();
    summary.parts.gap_total = 9;
    summary.parts.gap_before_ms = 1_000;
    assert_eq!(
        value(&summary, Key::CapacityUtilisation),
        Err(Why::CountsAcrossGap)
    );
    assert_eq!(value(&summary, Key::Oee), Err(Why::CountsAcrossGap));
    assert_eq!(value(&summary, Key::Effectiveness), Ok(0.4606));
    assert_eq!(reason(&summary), Some(Why::CountsAcrossGap));
    // All nine may have been made before.
    let bounds = |key| bounds(&summary, key);
    assert_eq!(bounds(Key::CapacityUtilisation), (0.4, 0.85));
    assert_eq!(bounds(Key::Oee), (0.35, 0.8));
}

#[test]
fn parts_that_a_later_window_tells_take_the_value() {
    let mut summary = example();
    // Of 66 s the last six are unknown, and nobody has counted for seven.
    summary.times.add(State::Unknown, 6_000);
    summary.capacity.as_mut().unwrap().planned += 2_000;
    summary.parts.gap_after_ms = 7_000;
    for key in [Key::CapacityUtilisation, Key::Oee] {
        assert_eq!(value(&summary, key), Err(Why::CountsAcrossGap));
    }
    // Two parts more in six seconds, at most.
    let bounds = |summary: &Summary| bounds(summary, Key::CapacityUtilisation);
    assert_eq!(bounds(&summary), (0.7727, 0.8636));
    // Of the unknown time only the last second was not counted in the end.
    summary.parts.gap_after_ms = 1_000;
    assert_eq!(bounds(&summary), (0.7727, 0.7879));
    // No more is known of it where it has no value for another reason.
    summary.needs.coverage = 10_000;
    assert_eq!(
        value(&summary, Key::CapacityUtilisation),
        Err(Why::LowCoverage)
    );
    assert_eq!(bounds(&summary), (0.7727, 0.7879));
}

#[test]
fn rates_need_exposure() {
    let mut summary = example();
    summary.times.add(State::Producing, 3_600_000);
    assert_eq!(value(&summary, Key::FaultRatePerH), Ok(0.986));
    assert_eq!(value(&summary, Key::MtbfS), Ok(3652.1));
    assert_eq!(value(&summary, Key::MttrS), Ok(4.9));
    assert_eq!(value(&summary, Key::ThroughputPerH), Ok(16.721));
    summary.failures = 0;
    summary.repairs = 0;
    assert_eq!(value(&summary, Key::FaultRatePerH), Ok(0.0));
    assert_eq!(value(&summary, Key::MtbfS), Err(Why::NoFailures));
    assert_eq!(value(&summary, Key::MttrS), Err(Why::NoFailures));
}

/// The rows of the table in `text` whose header is `header`, cell by cell.
fn table<'d>(text: &'d str, header: &str) -> Vec<Vec<&'d str>> {
    let rows = text.lines().skip_while(|line| *line != header).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        row.split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect()
    })
    .collect()
}

/// The worked example of the documentation is computed, not remembered.
#[test]
fn the_worked_example_of_the_documentation() {
    let text = include_str!("../../../docs/figures.md");
    let parts = table(text, "| part | value | from |");
    let part = |name: &str| -> u64 {
        let row = parts.iter().find(|row| row[1] == name);
        row.map_or(0, |row| row[2].parse().unwrap())
    };
    let mut times = Times::default();
    for (state, name) in [
        (State::Producing, "producing_ms"),
        (State::Setup, "setup_ms"),
        (State::Delayed, "delayed_ms"),
        (State::Faulted, "faulted_ms"),
        (State::Idle, "idle_ms"),
        (State::PlannedStop, "planned_stop_ms"),
        (State::Unknown, "unknown_ms"),
    ] {
        times.add(state, part(name));
    }
    let summary = Summary {
        tier: Tier::Shift,
        times,
        parts: Parts {
            good: Some(part("good")),
            scrap: Some(part("scrap")),
            total: Some(part("total")),
            gap_total: part("gap_total"),
            gap_before_ms: 0,
            gap_after_ms: 0,
        },
        failures: part("failures") as u32,
        repairs: part("repairs") as u32,
        repair_ms: part("repair_ms"),
        capacity: Some(Capacity {
            planned: part("capacity"),
            producing: part("capacity_producing"),
            uncounted: 0,
            rate: 1_200_000,
        }),
        ..example()
    };
    assert_eq!(summary.window_ms(), 43_200_000);
    let rows = table(text, "| key | value | low | high | from |");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row[1], [2, 3, 4].map(|at| row[at].parse::<f64>().ok())))
        .collect();
    let computed: Vec<_> = figures(&summary)
        .map(|figure| {
            let bounds = figure.bounds.unwrap_or_default();
            let all = [figure.value.ok(), bounds.0, bounds.1];
            (
                figure.key.names()[0],
                all.map(|fixed| fixed.map(Fixed::as_f64)),
            )
        })
        .collect();
    assert_eq!(told, computed);
}
