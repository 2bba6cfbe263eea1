//! Windows that do not contain a whole gap: what was made in it is told by another one, so that they
//! have no figure of counts.

use super::edges::with_break;
use super::*;
use crate::kpi::{self, Key, Why};

/// Produces a part a second from the one moment to the other, in seconds.
fn works(bench: &mut Bench, seconds: core::ops::RangeInclusive<u64>) {
    for second in seconds {
        let made = u16::try_from(second).unwrap();
        bench.read(second * 1000, [2, made, 0]);
    }
}

/// How far the gaps reach before and after each minute.
fn gaps(bench: &Bench) -> Vec<(u64, u64)> {
    let minutes = bench.summaries().into_iter();
    let parts = minutes.map(|minute| minute.parts);
    parts
        .map(|parts| (parts.gap_before_ms, parts.gap_after_ms))
        .collect()
}

fn utilisation(summary: &Summary) -> Result<f64, Why> {
    let figure = kpi::figures(summary).find(|it| it.key == Key::CapacityUtilisation);
    figure.unwrap().value.map(kpi::Fixed::as_f64)
}

#[test]
fn a_window_that_ends_in_a_gap_has_no_figure_of_counts_and_the_one_around_it_has() {
    let mut bench = Bench::new();
    works(&mut bench, 0..=50);
    // Unknown from 53 s on; what was made until it answers again is counted then.
    works(&mut bench, 130..=239);
    bench.pass(46 * 60_000);
    assert_eq!(
        gaps(&bench)[..4],
        [(0, 10_000), (0, 70_000), (70_000, 0), (0, 0)]
    );
    let minutes = bench.summaries();
    let utilisations: Vec<_> = minutes[..4].iter().map(|it| utilisation(it)).collect();
    assert_eq!(
        utilisations,
        [
            Err(Why::CountsAcrossGap),
            Err(Why::NoCount),
            Err(Why::CountsAcrossGap),
            Ok(1.0)
        ]
    );
    // It was not read any more after four minutes; the sum of those that contain the gap is whole.
    let mut sum = minutes[0].sum();
    minutes[1..4].iter().for_each(|it| sum.add(&it.sum()));
    assert_eq!(utilisation(&Summary::of(&sum)), Ok(0.9958));
    let hour = windows(&bench.records, Tier::Hour)[0];
    assert_eq!(hour.parts.gap_after_ms, 46 * 60_000 - 239_000);
}

#[test]
fn a_gap_that_begins_or_ends_where_a_minute_does_is_of_the_next_one() {
    let mut bench = Bench::new();
    // It turns stale at 60 s, and is read again at 180 s.
    works(&mut bench, 0..=57);
    works(&mut bench, 180..=239);
    bench.pass(240_000);
    assert_eq!(
        gaps(&bench),
        [(0, 0), (0, 63_000), (0, 123_000), (123_000, 0)]
    );
}

#[test]
fn a_machine_that_is_switched_off_in_a_break_leaves_no_gap_behind() {
    let mut bench = Bench::left(with_break(), now(0), None);
    works(&mut bench, 0..=57);
    // Off from where the break begins; it is missed from where that ends.
    bench.pass(180_000);
    assert_eq!(gaps(&bench), [(0, 0), (0, 0), (0, 123_000)]);
}

#[test]
fn nothing_that_was_made_in_a_gap_is_no_gap() {
    let mut bench = Bench::new();
    bench.read(0, [2, 7, 0]);
    bench.read(90_000, [2, 7, 0]);
    bench.pass(120_000);
    // The first one could not know.
    assert_eq!(gaps(&bench), [(0, 60_000), (0, 30_000)]);
    bench.read(121_000, [2, 7, 0]);
    bench.read(122_000, [2, 8, 0]);
    bench.pass(123_000);
    let parts = bench.engine.machine(DeviceIndex(0)).unwrap();
    let parts = parts.ledger().so_far().parts;
    assert_eq!((parts.gap_before_ms, parts.gap_after_ms), (0, 0));
}

#[test]
fn a_restart_in_a_gap_goes_on_with_it() {
    let mut bench = Bench::new();
    works(&mut bench, 0..=50);
    bench.pass(55_000);
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::resumed(100_000, Some(&checkpoint));
    bench.pass(119_999);
    assert_eq!(gaps(&bench), [(0, 10_000)]);
    works(&mut bench, 130..=170);
    bench.pass(180_000);
    assert_eq!(gaps(&bench), [(0, 10_000), (0, 70_000), (70_000, 10_000)]);
}

#[test]
fn a_reset_over_a_gap_leaves_no_figure_of_counts_to_the_window_that_tells_of_it() {
    let mut bench = Bench::new();
    works(&mut bench, 0..=50);
    // Unknown from 53 s on; meanwhile it was switched off and on, and counts from 0.
    for second in 130..=180 {
        let made = u16::try_from(second - 130).unwrap();
        bench.read(second * 1000, [2, made, 0]);
    }
    bench.pass(240_000);
    assert_eq!(gaps(&bench)[..3], [(0, 10_000), (0, 70_000), (70_000, 0)]);
    let minutes = bench.summaries();
    // From the last reading before to the first after: more than the window is long.
    assert_eq!(minutes[2].uncounted_ms, 80_000);
    assert_eq!(utilisation(minutes[2]), Err(Why::CountsAcrossGap));
}
