use super::*;

#[test]
fn fractions_of_a_thousandth_are_carried_from_window_to_window() {
    // 1,666.67 thousandths a minute: rounded each minute, a day would come to a part too many.
    let mut capacities = Capacities::new(Some(100_000), true);
    let mut sum = 0;
    for _ in 0..24 * 60 {
        capacities.pass(60_000, true);
        let of_window = capacities.of_window(Uncounted::default(), 60_000).unwrap();
        assert!((1666..=1667).contains(&of_window.planned));
        sum += of_window.planned;
        capacities.begin_window();
    }
    assert_eq!(sum, 2_400_000);
}

#[test]
fn time_without_a_rate_is_told_beside_what_the_rest_would_have_made() {
    let mut capacities = Capacities::new(None, true);
    let of_window = |capacities: &Capacities, planned_ms: u64| {
        capacities.of_window(Uncounted::default(), planned_ms)
    };
    capacities.pass(600, false);
    capacities.pass(400, true);
    assert_eq!(of_window(&capacities, 1000), None);
    capacities.change(Some(3_600_000));
    capacities.pass(500, true);
    let known = Capacity {
        planned: 500,
        producing: 500,
        uncounted: 0,
        rate: 3_600_000,
    };
    assert_eq!(of_window(&capacities, 1500), Some(known));
    let unrated = Unrated {
        planned_ms: 1000,
        producing_ms: 400,
    };
    assert_eq!(capacities.unrated(), unrated);
    capacities.begin_window();
    // A product without a rate that is never made in planned time takes nothing away.
    capacities.change(None);
    let nothing = Capacity {
        planned: 0,
        producing: 0,
        ..known
    };
    assert_eq!(of_window(&capacities, 0), Some(nothing));
    capacities.pass(1000, true);
    assert_eq!(of_window(&capacities, 1000), None);
}

#[test]
fn a_device_that_is_not_rated_has_no_time_without_a_rate() {
    let mut capacities = Capacities::new(None, false);
    capacities.pass(1000, true);
    assert_eq!(capacities.of_window(Uncounted::default(), 1000), None);
    assert_eq!(capacities.unrated(), Unrated::NONE);
}

#[test]
fn nothing_overflows() {
    let mut capacities = Capacities::new(Some(u64::MAX), true);
    capacities.pass(u64::MAX, true);
    capacities.pass(u64::MAX, true);
    let of_window = capacities.of_window(Uncounted::default(), 60_000).unwrap();
    assert_eq!(of_window.planned, u64::MAX);
}
