use super::*;
use crate::state::State;
use crate::tiers::Window;

fn closed(start_h: i64, end_h: i64, good: Option<u64>) -> Closed {
    let mut sum = Sum::default();
    let ms = u64::try_from((end_h - start_h) * HOUR_MS).unwrap();
    sum.times.add(State::Producing, ms);
    sum.parts.good = good;
    sum.failures = 1;
    Closed {
        window: Window {
            start: Wall(start_h * HOUR_MS),
            end: Wall(end_h * HOUR_MS),
            fold: 0,
            stepped_ms: 0,
            clock_step_ms: 0,
            unset: None,
        },
        merged: 1,
        shift: None,
        sum,
    }
}

#[test]
fn the_last_24_hours_begin_with_the_first_that_ended_within_them() {
    let mut recent = Recent::new();
    for hour in 0..100 {
        recent.push(Tier::Hour, &closed(hour, hour + 1, Some(1)));
    }
    let at = |minutes: i64| {
        recent
            .hours(Wall(100 * HOUR_MS + minutes * 60_000))
            .unwrap()
    };
    // At 100:00 the hour 75 to 76 has just left.
    for (minutes, from, hours) in [(0, 76, 24), (1, 76, 24), (59, 76, 24)] {
        let (start, sum) = at(minutes);
        assert_eq!(start, Wall(from * HOUR_MS));
        assert_eq!(
            (sum.failures, sum.parts.good),
            (hours, Some(u64::from(hours)))
        );
    }
    // Just before an hour is closed, 24 closed ones and nearly a whole open one are shown.
    assert_eq!(recent.hours(Wall(124 * HOUR_MS - 1)).unwrap().1.failures, 1);
    assert_eq!(recent.hours(Wall(124 * HOUR_MS)), None);
    assert_eq!(recent.days(Wall(0)), None);
}

#[test]
fn a_silence_is_shown_as_long_as_it_ended_within_the_time() {
    let mut recent = Recent::new();
    recent.push(Tier::Day, &closed(0, 24, Some(7)));
    recent.push(Tier::Day, &closed(24, 90 * 24, None));
    let (start, sum) = recent.days(Wall(100 * 24 * HOUR_MS)).unwrap();
    assert_eq!(start, Wall(24 * HOUR_MS));
    // Longer than a slot can tell.
    assert_eq!(sum.times.total(), u64::from(u32::MAX));
    assert_eq!(sum.parts.good, None);
}

#[test]
fn a_slot_keeps_what_is_shown_of_a_window() {
    let mut before = closed(3, 4, None);
    before.sum.parts.total = Some(u64::MAX);
    before.sum.parts.gap_total = 5;
    before.sum.parts.gap_before_ms = 1 << 31;
    before.sum.parts.gap_after_ms = 6;
    before.sum.uncounted_ms = 77;
    before.sum.capacity = Some(Capacity {
        planned: 1,
        producing: 2,
        uncounted: 3,
        rate: 4,
    });
    assert_eq!(Slot::of(&before).sum(), before.sum);
}
