use super::*;
use alloc::format;

mod table;

use Cycle::{AckActive, LatchedAck, LatchedUnack, Normal, RtnUnack, UnackActive};
use Happening::{Acknowledge, Clear, Occur, Reset, Return};

/// The whole table of domain.md §1.1: state, then the next one on occur, clear, acknowledge, reset and
/// on coming back into view; `latched` decides where a cleared alarm goes. A latch is lifted by a reset
/// only.
#[test]
fn every_state_with_every_happening() {
    let happenings = [Occur, Clear, Acknowledge, Reset, Return];
    let table = [
        (Normal, [UnackActive, Normal, Normal, Normal, Normal]),
        (
            UnackActive,
            [UnackActive, RtnUnack, AckActive, UnackActive, UnackActive],
        ),
        (
            AckActive,
            [AckActive, Normal, AckActive, AckActive, UnackActive],
        ),
        (RtnUnack, [UnackActive, RtnUnack, Normal, RtnUnack, Normal]),
        (
            LatchedUnack,
            [
                UnackActive,
                LatchedUnack,
                LatchedAck,
                LatchedUnack,
                LatchedUnack,
            ],
        ),
        (
            LatchedAck,
            [UnackActive, LatchedAck, LatchedAck, Normal, LatchedAck],
        ),
    ];
    assert_eq!(table.map(|(cycle, _)| cycle), Cycle::ALL);
    for (cycle, next) in table {
        assert_eq!(
            happenings.map(|what| cycle.after(what, false)),
            next,
            "{cycle:?}"
        );
    }
    assert_eq!(UnackActive.after(Clear, true), LatchedUnack);
    assert_eq!(AckActive.after(Clear, true), LatchedAck);
}

const ON: u64 = 5_000;
const OFF: u64 = 2_000;
const AT: (Mono, Wall) = (Mono(0), Wall(0));

fn judge(alarm: &mut Alarm, at: u64, answer: Option<bool>) -> Option<Happening> {
    let what = alarm.judge(Mono(at), Mono(at), answer, ON, OFF);
    if let Some(what) = what {
        alarm.happen(what, false, Wall(0));
    }
    what
}

fn li(why: Option<&str>) -> Act {
    Act {
        by: Some("li".into()),
        via: Via::Cli,
        why: why.map(Into::into),
    }
}

/// A latched alarm in a state, out of view or not.
fn alarm(state: AlarmState, latched: bool) -> Alarm {
    let mut alarm = Alarm::default();
    let steps: &[Happening] = match state {
        AlarmState::Normal => &[],
        AlarmState::AckActive => &[Occur, Acknowledge],
        AlarmState::RtnUnack | AlarmState::LatchedUnack => &[Occur, Clear],
        AlarmState::LatchedAck => &[Occur, Clear, Acknowledge],
        AlarmState::UnackActive
        | AlarmState::Shelved
        | AlarmState::Suppressed
        | AlarmState::OutOfService => &[Occur],
    };
    for step in steps {
        alarm.happen(*step, latched, Wall(0));
    }
    let hide = |alarm: &mut Alarm, verb| {
        let done = alarm.act(verb, None, li(Some("repair")), latched, AT);
        done.unwrap();
    };
    match state {
        AlarmState::Shelved => hide(&mut alarm, Verb::Shelve(1000)),
        AlarmState::OutOfService => hide(&mut alarm, Verb::OutOfService),
        AlarmState::Suppressed => {
            alarm.suppress(true, latched, Wall(0));
        }
        _ => {}
    }
    assert_eq!(alarm.state(), state);
    alarm
}

/// What each command comes to in each state: the state after it, or nothing where it is refused.
#[test]
fn every_state_with_every_command() {
    use AlarmState as S;
    let verbs = [
        Verb::Acknowledge,
        Verb::Reset,
        Verb::Shelve(1000),
        Verb::Unshelve,
        Verb::OutOfService,
        Verb::Return,
    ];
    let (shelved, out) = (Some(S::Shelved), Some(S::OutOfService));
    let rows = [
        (S::Normal, true, [None, None, shelved, None, out, None]),
        (
            S::UnackActive,
            true,
            [Some(S::AckActive), None, shelved, None, out, None],
        ),
        (S::AckActive, true, [None, None, shelved, None, out, None]),
        (
            S::RtnUnack,
            false,
            [Some(S::Normal), None, shelved, None, out, None],
        ),
        (
            S::LatchedUnack,
            true,
            [Some(S::LatchedAck), None, shelved, None, out, None],
        ),
        (
            S::LatchedAck,
            true,
            [None, Some(S::Normal), shelved, None, out, None],
        ),
        (
            S::Shelved,
            true,
            [None, None, shelved, Some(S::UnackActive), out, None],
        ),
        (
            S::Suppressed,
            true,
            [None, None, Some(S::Suppressed), None, out, None],
        ),
        (
            S::OutOfService,
            true,
            [None, None, out, None, out, Some(S::UnackActive)],
        ),
    ];
    assert_eq!(rows.map(|(state, ..)| state), S::ALL);
    for (state, latched, expected) in rows {
        for (verb, expected) in verbs.into_iter().zip(expected) {
            let mut alarm = alarm(state, latched);
            let before = alarm.clone();
            let done = alarm.act(verb, None, li(Some("why")), latched, AT);
            assert_eq!(
                done.as_ref().ok().map(|change| change.to),
                expected,
                "{state:?} {verb:?}"
            );
            match done {
                Ok(change) => assert_eq!((change.from, change.to), (state, alarm.state())),
                Err(_) => assert_eq!(alarm, before, "what is refused changes nothing"),
            }
        }
    }
}

#[test]
fn a_refusal_says_why() {
    let refusal = |alarm: &mut Alarm, verb, occurrence, act| {
        alarm.act(verb, occurrence, act, true, AT).unwrap_err()
    };
    let mut active = alarm(AlarmState::UnackActive, true);
    let ack = Verb::Acknowledge;
    assert_eq!(
        refusal(&mut active, Verb::Reset, None, li(None)),
        Refusal::Active
    );
    assert_eq!(
        refusal(&mut active, Verb::Shelve(1), None, li(Some("  "))),
        Refusal::NoReason
    );
    for ms in [0, LONGEST_SHELF_MS + 1] {
        let refused = refusal(&mut active, Verb::Shelve(ms), None, li(Some("x")));
        assert_eq!(refused, Refusal::ShelfTime);
    }
    assert_eq!(
        refusal(&mut active, Verb::OutOfService, None, li(None)),
        Refusal::NoReason
    );
    let future = refusal(&mut active, ack, Some(2), li(None));
    assert_eq!(
        future,
        Refusal::Occurrence {
            named: 2,
            newest: 1
        }
    );
    let mut act = li(None);
    act.by = Some("x".repeat(LONGEST_BY + 1).into());
    assert_eq!(refusal(&mut active, ack, None, act), Refusal::LongName);
    let act = li(Some(&"x".repeat(LONGEST_WHY + 1)));
    assert_eq!(refusal(&mut active, ack, None, act), Refusal::LongReason);
    let act = li(Some("two\nlines"));
    assert_eq!(refusal(&mut active, ack, None, act), Refusal::NoLine);

    // Raised again since they looked.
    active.happen(Clear, true, Wall(1));
    active.happen(Occur, true, Wall(2));
    let older = refusal(&mut active, ack, Some(1), li(None));
    assert!(format!("{older}").contains("number 2 now"), "{older}");
    active.act(ack, Some(2), li(None), true, AT).unwrap();
    assert_eq!(
        refusal(&mut active, ack, Some(2), li(None)),
        Refusal::Acknowledged(Some("li".into()))
    );
    active.happen(Clear, true, Wall(3));
    active.act(Verb::Reset, None, li(None), true, AT).unwrap();
    assert_eq!(
        refusal(&mut active, ack, None, li(None)),
        Refusal::NothingToAcknowledge(AlarmState::Normal)
    );
    assert_eq!(
        refusal(&mut active, Verb::Unshelve, None, li(None)),
        Refusal::NotShelved
    );
    assert_eq!(
        refusal(&mut active, Verb::Return, None, li(None)),
        Refusal::InService
    );
    let mut unlatched = alarm(AlarmState::UnackActive, false);
    let refused = unlatched.act(Verb::Reset, None, li(None), false, AT);
    assert_eq!(
        refused,
        Err(Refusal::NothingToReset(AlarmState::UnackActive))
    );
}

#[test]
fn by_a_message_one_can_acknowledge_and_nothing_else() {
    for verb in [
        Verb::Reset,
        Verb::Shelve(1000),
        Verb::Unshelve,
        Verb::OutOfService,
        Verb::Return,
    ] {
        let mut alarm = alarm(AlarmState::UnackActive, true);
        let act = Act {
            via: Via::Sms,
            ..li(Some("why"))
        };
        assert_eq!(alarm.act(verb, None, act, true, AT), Err(Refusal::NotBySms));
    }
    let act = Act {
        via: Via::Sms,
        ..li(None)
    };
    let done = alarm(AlarmState::UnackActive, true).act(Verb::Acknowledge, None, act, true, AT);
    assert_eq!(done.unwrap().to, AlarmState::AckActive);
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
    assert_eq!((alarm.cycle, alarm.occurrence), (RtnUnack, 1));
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
    assert_eq!(alarm.cycle, UnackActive);
}

#[test]
fn every_activation_has_a_number_of_its_own() {
    let mut alarm = Alarm::default();
    for round in 1..=3 {
        alarm.happen(Occur, true, Wall(round));
        alarm.happen(Clear, true, Wall(round));
        let numbers = u64::try_from(round).unwrap();
        assert_eq!((alarm.occurrence, alarm.count), (numbers, numbers));
    }
    assert_eq!(alarm.cycle, LatchedUnack);
    alarm.happen(Acknowledge, true, Wall(4));
    alarm.happen(Occur, true, Wall(5));
    assert_eq!((alarm.occurrence, alarm.count), (4, 1));
}

#[test]
fn who_brought_it_there_goes_with_the_state() {
    let mut alarm = alarm(AlarmState::UnackActive, false);
    assert_eq!(alarm.who(), None);
    alarm
        .act(Verb::Acknowledge, None, li(None), false, AT)
        .unwrap();
    assert_eq!(alarm.who(), Some(&li(None)));
    let shelving = li(Some("spare part is ordered"));
    alarm
        .act(Verb::Shelve(1000), None, shelving.clone(), false, AT)
        .unwrap();
    assert_eq!(alarm.who(), Some(&shelving));
    let change = alarm.end_shelf(Mono(1000), false, Wall(1000)).unwrap();
    assert_eq!(
        (change.from, change.to),
        (AlarmState::Shelved, AlarmState::UnackActive)
    );
    assert_eq!((alarm.who(), alarm.acked), (None, None), "raised anew");
    assert_eq!(alarm.occurrence, 2);
}

#[test]
fn what_comes_and_goes_while_it_is_suppressed_is_counted_and_needs_nobody() {
    let mut alarm = Alarm::default();
    assert_eq!(
        alarm.suppress(true, false, Wall(0)),
        None,
        "nothing to tell"
    );
    assert_eq!(alarm.state(), AlarmState::Normal);
    let change = alarm.happen(Occur, false, Wall(1)).unwrap();
    assert_eq!(change.to, AlarmState::Suppressed);
    assert!(!alarm.sounds(Mono(0)));
    let change = alarm.happen(Clear, false, Wall(2)).unwrap();
    assert_eq!(
        (change.from, change.to),
        (AlarmState::Suppressed, AlarmState::Suppressed)
    );
    let change = alarm.suppress(false, false, Wall(3)).unwrap();
    assert_eq!(change.to, AlarmState::Normal);
    assert_eq!(alarm.occurrence, 1);
}
