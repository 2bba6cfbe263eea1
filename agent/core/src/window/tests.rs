use super::*;

fn now(mono: u64, wall: i64) -> Now {
    Now {
        mono: Mono(mono),
        wall: Wall(wall),
        clock: ClockState::Synced,
    }
}

#[test]
fn labels_run_with_the_monotonic_clock() {
    let line = Timeline::new(now(5_000, 1_000_030_000));
    assert_eq!(line.label(Mono(6_500)), Wall(1_000_031_500));
    assert_eq!(line.moment(Wall(1_000_031_500)), Mono(6_500));
    assert_eq!(line.next_minute(Mono(5_000)), Wall(1_000_080_000));
    assert_eq!(
        line.next_minute(line.moment(Wall(1_000_080_000))),
        Wall(1_000_140_000)
    );
}

#[test]
fn the_jitter_of_two_readings_is_no_step() {
    let line = Timeline::new(now(5_000, 1_000_000));
    assert_eq!(line.stepped(now(6_000, 1_001_099)), None);
    assert_eq!(line.stepped(now(6_000, 1_001_100)), Some(100));
    assert_eq!(line.stepped(now(6_000, 900_000)), Some(-101_000));
}

#[test]
fn labels_run_over_twice_count_up() {
    let mut line = Timeline::new(now(0, 600_000));
    assert_eq!(line.fold_at(Wall(600_000)), 0);
    line.step(Mono(60_000), -120_000);
    assert_eq!(line.label(Mono(60_000)), Wall(540_000));
    assert_eq!(line.fold_at(Wall(540_000)), 1);
    line.step(Mono(90_000), -30_000);
    assert_eq!(line.fold_at(Wall(540_000)), 2);
    assert_eq!(line.fold_at(Wall(659_999)), 2);
    assert_eq!(line.fold_at(Wall(660_000)), 0);
    line.step(Mono(200_000), 50_000);
    assert_eq!(line.fold_at(line.label(Mono(200_000))), 0);
}

#[test]
fn labels_of_a_clock_that_is_not_set_are_not_those_of_before_wherever_they_are_moved() {
    // A run that had come to 600,000, and a clock that stands before that and is not vouched for.
    let start = Now {
        clock: ClockState::Holdover,
        ..now(0, 400_000)
    };
    let mut line = Timeline::new(start);
    line.resume((Wall(600_000), 0), Some(Wall(600_000)), start);
    line.begin_anew(Wall(600_000), Mono(0));
    assert!(line.is_unset());
    // It runs past 600,000, and then is set to before it: so are its labels.
    let past = line.label(Mono(240_000));
    assert_eq!((past, line.fold_at(past)), (Wall(640_000), 1));
    line.set(Mono(240_000), -120_000, ClockState::Synced);
    assert_eq!(line.fold_at(line.label(Mono(240_000))), 2);
    assert_eq!(line.fold_at(line.label(Mono(360_000))), 0);
}

#[test]
fn a_clock_set_back_again_later_has_a_fold_of_its_own() {
    let mut line = Timeline::new(now(0, 600_000));
    line.step(Mono(60_000), -60_000);
    assert_eq!(line.fold_at(Wall(600_000)), 1);
    // Past the first time, then back over both.
    assert_eq!(line.fold_at(Wall(660_000)), 0);
    line.step(Mono(180_000), -120_000);
    assert_eq!(line.fold_at(Wall(600_000)), 2);
    assert_eq!(line.fold_at(Wall(720_000)), 0);
}
