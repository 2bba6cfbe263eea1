use super::*;
use crate::sample::Reason;
use crate::summary::TierSet;
use crate::tag::{Format, Kind, Place, Source};
use alloc::vec::Vec;
use proptest::prelude::*;

fn tag(summed: Summed, kind: Kind) -> Tag {
    Tag {
        name: "t".into(),
        unit: "".into(),
        role: None,
        summed,
        range: None,
        every_ms: 1000,
        source: Source::Message(Place {
            topic: None,
            format: Format::Bare,
            kind,
            scale: 1.0,
            offset: 0.0,
            time_unit: None,
        }),
    }
}

fn good(value: f64) -> Reading {
    Reading::Good(Value::Float(value))
}

#[test]
fn the_mean_is_weighted_by_the_time_that_values_held() {
    let level = tag(Summed::Level, Kind::F64);
    let mut track = Track::new(Mono(0));
    track.take(&level, &good(10.0), Mono(0), Mono(3_000));
    track.take(&level, &good(40.0), Mono(1_000), Mono(4_000));
    // Stale at 4 s, and read again at 9 s.
    track.take(&level, &good(20.0), Mono(9_000), Mono(12_000));
    let minute = track.end_minute(Summed::Level, Mono(10_000));
    assert_eq!(minute.good_ms, 5_000);
    assert_eq!(minute.mean(), Some((10.0 + 3.0 * 40.0 + 20.0) / 5.0));
    assert_eq!((minute.min, minute.max), (10.0, 40.0));
    // The last value holds on into the next minute.
    let next = track.end_minute(Summed::Level, Mono(70_000));
    assert_eq!((next.good_ms, next.mean()), (2_000, Some(20.0)));
    assert_eq!(track.end_minute(Summed::Level, Mono(130_000)).mean(), None);
}

#[test]
fn a_bad_sample_ends_the_good_time() {
    let level = tag(Summed::Level, Kind::F64);
    let mut track = Track::new(Mono(0));
    track.take(&level, &good(5.0), Mono(0), Mono(3_000));
    track.take(
        &level,
        &Reading::Bad(Reason::Timeout),
        Mono(1_000),
        Mono(4_000),
    );
    assert_eq!(track.end_minute(Summed::Level, Mono(60_000)).good_ms, 1_000);
    assert_eq!(track.last(), Some(Number::Float(5.0)));
}

#[test]
fn a_counter_tells_what_was_added_over_wraps_resets_and_gaps() {
    let mut counter = tag(Summed::Counter, Kind::U16);
    let mut track = Track::new(Mono(0));
    let mut add = |raw: i64| {
        track.take(&counter, &Reading::Good(Value::Int(raw)), Mono(0), Mono(1));
        track.so_far(Tier::Minute).total
    };
    assert_eq!(add(65_500), 0.0, "the first reading is where it begins");
    assert_eq!(add(65_530), 30.0);
    assert_eq!(add(4), 40.0, "a wrap");
    assert_eq!(add(2), 40.0, "a reset");
    assert_eq!(add(12), 50.0);
    counter.summed = Summed::Counter;
    let mut track = Track::new(Mono(0));
    let energy = tag(Summed::Counter, Kind::F32);
    let before = Counted {
        last: Number::Float(100.5),
        added: [
            Number::Int(2),
            Number::Float(3.5),
            Number::Int(4),
            Number::Int(5),
        ],
    };
    track.count_on(&before, true, TierSet::NONE.with(Tier::Day));
    assert_eq!(track.so_far(Tier::Day).total, 5.0);
    assert_eq!(track.counted().unwrap().added[3], Number::Int(5));
    track.take(&energy, &good(101.0), Mono(5), Mono(6));
    track.take(&energy, &good(0.25), Mono(7), Mono(8));
    assert_eq!(track.so_far(Tier::Minute).total, 0.5);
}

proptest! {
    /// Every tier is the sum of the minutes in it, and a mean lies between the least and the greatest
    /// value.
    #[test]
    fn tiers_are_the_sums_of_minutes(
        samples in proptest::collection::vec((1u64..90_000, proptest::option::weighted(0.8, -1e6..1e6f64)), 1..200),
    ) {
        let level = tag(Summed::Level, Kind::F64);
        let (mut track, mut now, mut edge) = (Track::new(Mono(0)), 0, 60_000);
        let mut minutes: Vec<TagSum> = Vec::new();
        for (gap, value) in samples {
            now += gap;
            while edge <= now {
                minutes.push(track.end_minute(Summed::Level, Mono(edge)));
                edge += 60_000;
            }
            let reading = value.map_or(Reading::Bad(Reason::Timeout), good);
            track.take(&level, &reading, Mono(now), Mono(now + 30_000));
        }
        minutes.push(track.end_minute(Summed::Level, Mono(edge)));
        let mut sum = TagSum::EMPTY;
        for minute in &minutes {
            prop_assert!(minute.good_ms <= 60_000);
            if let Some(mean) = minute.mean() {
                let slack = 1e-9 * minute.max.abs().max(minute.min.abs());
                prop_assert!(minute.min - slack <= mean && mean <= minute.max + slack);
            }
            sum.add(minute);
        }
        for tier in [Tier::Hour, Tier::Shift, Tier::Day] {
            prop_assert_eq!(track.end(tier), sum);
        }
    }
}
