use super::*;
use crate::tag::TagIndex;

const MOVING: Moving = Moving {
    tag: TagIndex(0),
    idle_after_ms: 60_000,
    stopped: State::Idle,
};

fn motion() -> Motion {
    Motion::new(Dial {
        parts: 1,
        top: Some(65_535),
        source: 0,
    })
}

fn read(motion: &mut Motion, elapsed_ms: u64, raw: i64) -> (State, Option<u64>) {
    let now = Odometer {
        elapsed_ms,
        ..Odometer::default()
    };
    motion.read(raw, &now, Some(3_600_000), &MOVING);
    at(motion, elapsed_ms)
}

fn at(motion: &Motion, elapsed_ms: u64) -> (State, Option<u64>) {
    let moved = motion.at(elapsed_ms, &MOVING).unwrap();
    (moved.state, moved.stands_in_ms)
}

#[test]
fn nobody_knows_before_it_moved_or_stood_long_enough() {
    let mut m = motion();
    assert_eq!(m.at(0, &MOVING), None);
    assert_eq!(read(&mut m, 1000, 7), (State::Unknown, Some(60_000)));
    assert_eq!(read(&mut m, 41_000, 7), (State::Unknown, Some(20_000)));
    assert_eq!(read(&mut m, 61_000, 7), (State::Idle, None));
    assert_eq!(read(&mut m, 62_000, 8), (State::Producing, Some(60_000)));
    assert_eq!(read(&mut m, 121_999, 8), (State::Producing, Some(1)));
    assert_eq!(read(&mut m, 122_000, 8), (State::Idle, None));
}

#[test]
fn a_wrap_is_a_movement_and_a_reset_is_none() {
    let mut m = motion();
    read(&mut m, 0, 65_534);
    assert_eq!(read(&mut m, 2000, 0).0, State::Producing);
    assert_eq!(read(&mut m, 50_000, 40), (State::Producing, Some(60_000)));
    assert_eq!(read(&mut m, 60_000, 2), (State::Producing, Some(50_000)));
    assert_eq!(read(&mut m, 110_000, 2), (State::Idle, None));
    assert_eq!(read(&mut m, 111_000, 0), (State::Idle, None));
    assert_eq!(read(&mut m, 112_000, 1).0, State::Producing);
}

#[test]
fn a_silence_hides_when_it_moved_but_not_that_it_stood() {
    let mut m = motion();
    read(&mut m, 0, 5);
    read(&mut m, 1000, 6);
    // Within reach: it moved less than `idle_after` ago, whenever that was.
    assert_eq!(read(&mut m, 61_000, 9), (State::Producing, Some(60_000)));
    assert_eq!(read(&mut m, 121_001, 12), (State::Unknown, Some(60_000)));
    assert_eq!(read(&mut m, 122_000, 13).0, State::Producing);
    assert_eq!(read(&mut m, 999_000, 13), (State::Idle, None));
}

#[test]
fn a_restart_goes_on_with_the_same_counter_only() {
    let mut before = motion();
    read(&mut before, 0, 5);
    read(&mut before, 1000, 6);
    let mut same = motion();
    same.resume(&before);
    assert_eq!(read(&mut same, 500_000, 6), (State::Idle, None));
    let mut other = Motion::new(Dial {
        parts: 2,
        top: None,
        source: 0,
    });
    other.resume(&before);
    assert_eq!(other.at(500_000, &MOVING), None);
    let mut gap = before;
    gap.forget();
    assert_eq!(read(&mut gap, 2000, 7), (State::Unknown, Some(60_000)));
}
