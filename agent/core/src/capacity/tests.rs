use super::*;

#[test]
fn fractions_of_a_thousandth_are_carried_from_window_to_window() {
    // 1,666.67 thousandths a minute: rounded each minute, a day would come to a part too many.
    let mut capacities = Capacities::new(Some(100_000));
    let mut sum = 0;
    for _ in 0..24 * 60 {
        capacities.pass(60_000, true);
        let of_window = capacities.of_window(Uncounted::default()).unwrap();
        assert!((1666..=1667).contains(&of_window.planned));
        sum += of_window.planned;
        capacities.begin_window();
    }
    assert_eq!(sum, 2_400_000);
}

#[test]
fn time_without_a_rate_has_no_capacity() {
    let mut capacities = Capacities::new(None);
    let of_window = |capacities: &Capacities| capacities.of_window(Uncounted::default());
    assert_eq!(of_window(&capacities), None);
    capacities.pass(1000, false);
    capacities.change(Some(3_600_000));
    capacities.pass(1000, false);
    assert_eq!(of_window(&capacities), None, "a part of it had none");
    capacities.begin_window();
    capacities.pass(500, false);
    let known = Capacity {
        planned: 500,
        producing: 0,
        uncounted: 0,
        rate: 3_600_000,
    };
    assert_eq!(of_window(&capacities), Some(known));
    // A product without a rate that is never made in planned time takes nothing away.
    capacities.change(None);
    assert_eq!(of_window(&capacities), Some(known));
}

#[test]
fn nothing_overflows() {
    let mut capacities = Capacities::new(Some(u64::MAX));
    capacities.pass(u64::MAX, true);
    capacities.pass(u64::MAX, true);
    let of_window = capacities.of_window(Uncounted::default()).unwrap();
    assert_eq!(of_window.planned, u64::MAX);
}
