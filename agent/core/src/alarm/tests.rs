use super::*;
use AlarmState::{AckActive, LatchedAck, LatchedUnack, Normal, RtnUnack, UnackActive};
use Happening::{Acknowledge, Clear, Occur, Reset};

/// The whole table of domain.md §1.1: state, then the next one on occur, clear, acknowledge and
/// reset; `latched` decides where a cleared alarm goes.
#[test]
fn every_state_with_every_happening() {
    let table = [
        (Normal, [UnackActive, Normal, Normal, Normal]),
        (UnackActive, [UnackActive, RtnUnack, AckActive, UnackActive]),
        (AckActive, [AckActive, Normal, AckActive, AckActive]),
        (RtnUnack, [UnackActive, RtnUnack, Normal, RtnUnack]),
        (
            LatchedUnack,
            [UnackActive, LatchedUnack, LatchedAck, LatchedUnack],
        ),
        (LatchedAck, [UnackActive, LatchedAck, LatchedAck, Normal]),
    ];
    assert_eq!(table.map(|(state, _)| state), AlarmState::ALL);
    for (state, next) in table {
        assert_eq!(
            [Occur, Clear, Acknowledge, Reset].map(|what| state.after(what, false)),
            next
        );
    }
    assert_eq!(UnackActive.after(Clear, true), LatchedUnack);
    assert_eq!(AckActive.after(Clear, true), LatchedAck);
}

const ON: u64 = 5_000;
const OFF: u64 = 2_000;

fn judge(alarm: &mut Alarm, at: u64, answer: Option<bool>) -> Option<Happening> {
    let what = alarm.judge(Mono(at), Mono(at), answer, ON, OFF);
    if let Some(what) = what {
        alarm.happen(what, false, Wall(0));
    }
    what
}

#[test]
fn delays_are_waited_out_in_both_directions() {
    let mut alarm = Alarm::default();
    assert_eq!(judge(&mut alarm, 0, Some(true)), None);
    assert_eq!(alarm.deadline(), Some(Mono(ON)));
    assert_eq!(judge(&mut alarm, 4_999, Some(true)), None);
    assert_eq!(judge(&mut alarm, 5_000, Some(true)), Some(Occur));
    assert_eq!(judge(&mut alarm, 6_000, Some(false)), None);
    assert_eq!(judge(&mut alarm, 7_000, Some(true)), None);
    assert_eq!(alarm.deadline(), None);
    assert_eq!(judge(&mut alarm, 8_000, Some(false)), None);
    assert_eq!(judge(&mut alarm, 10_000, Some(false)), Some(Clear));
    assert_eq!((alarm.state, alarm.occurrence), (RtnUnack, 1));
}

#[test]
fn an_undecided_condition_neither_raises_nor_clears_and_stops_the_delay() {
    let mut alarm = Alarm::default();
    judge(&mut alarm, 0, Some(true));
    assert_eq!(judge(&mut alarm, 3_000, None), None);
    assert!(alarm.undecided);
    assert_eq!(alarm.deadline(), None);
    assert_eq!(judge(&mut alarm, 60_000, Some(true)), None);
    assert_eq!(alarm.deadline(), Some(Mono(62_000)));
    assert_eq!(judge(&mut alarm, 62_000, Some(true)), Some(Occur));
    assert_eq!(judge(&mut alarm, 90_000, None), None);
    assert_eq!(alarm.state, UnackActive);
}

#[test]
fn every_activation_has_a_number_of_its_own() {
    let mut alarm = Alarm::default();
    for round in 1..=3 {
        alarm.happen(Occur, true, Wall(round));
        alarm.happen(Clear, true, Wall(round));
        assert_eq!(alarm.occurrence, u64::try_from(round).unwrap());
    }
    assert_eq!(alarm.state, LatchedUnack);
}
