//! The whole table of domain facts as ISA-18.2 has it: every state that is shown × every event.

use super::*;
use AlarmState as S;

/// What may happen to an alarm, from whatever side.
#[derive(Debug, Clone, Copy)]
enum Event {
    Occurs,
    Clears,
    Acknowledged,
    Reset,
    Shelved,
    Unshelved,
    ShelfEnds,
    Suppressed,
    Released,
    TakenOut,
    Returned,
    Restarted,
    Called,
    Solved,
}

const EVENTS: [Event; 14] = [
    Event::Occurs,
    Event::Clears,
    Event::Acknowledged,
    Event::Reset,
    Event::Shelved,
    Event::Unshelved,
    Event::ShelfEnds,
    Event::Suppressed,
    Event::Released,
    Event::TakenOut,
    Event::Returned,
    Event::Restarted,
    Event::Called,
    Event::Solved,
];

/// What is shown after it; none where a person is refused.
fn after(alarm: &mut Alarm, event: Event, latched: bool) -> Option<AlarmState> {
    let far = (Mono(60_000), Wall(60_000));
    let act = |alarm: &mut Alarm, verb| {
        let done = alarm.act(verb, None, li(Some("why")), latched, AT);
        done.ok().map(|change| change.to)
    };
    match event {
        Event::Occurs => drop(alarm.happen(Occur, latched, Wall(1))),
        Event::Clears => drop(alarm.happen(Clear, latched, Wall(1))),
        Event::Acknowledged => return act(alarm, Verb::Acknowledge),
        Event::Reset => return act(alarm, Verb::Reset),
        Event::Shelved => return act(alarm, Verb::Shelve(1000)),
        Event::Unshelved => return act(alarm, Verb::Unshelve),
        Event::TakenOut => return act(alarm, Verb::OutOfService),
        Event::Returned => return act(alarm, Verb::Return),
        Event::Called => return act(alarm, Verb::Call),
        Event::Solved => return act(alarm, Verb::Solve),
        Event::ShelfEnds => drop(alarm.end_shelf(far.0, latched, far.1)),
        Event::Suppressed => drop(alarm.suppress(true, latched, Wall(1))),
        Event::Released => drop(alarm.suppress(false, latched, Wall(1))),
        Event::Restarted => {
            let stored = postcard::to_allocvec(&alarm.stored(AT.0)).unwrap();
            *alarm = postcard::from_bytes(&stored).unwrap();
            alarm.resume(AT.0);
        }
    }
    Some(alarm.state())
}

#[test]
fn every_state_that_is_shown_with_every_event() {
    const NO: Option<AlarmState> = None;
    let (normal, unack, ack) = (Some(S::Normal), Some(S::UnackActive), Some(S::AckActive));
    let (rtn, l_unack, l_ack) = (
        Some(S::RtnUnack),
        Some(S::LatchedUnack),
        Some(S::LatchedAck),
    );
    let (shelf, supp, out) = (Some(S::Shelved), Some(S::Suppressed), Some(S::OutOfService));
    // Those that are hidden stand on an active alarm. In the order of EVENTS: occurs, clears |
    // acknowledged, reset | shelved, unshelved, shelf ends | suppressed, released | taken out,
    // returned | restarted | called, solved.
    #[rustfmt::skip]
    let rows = [
        (S::Normal, false,
            [unack, normal, NO, NO, shelf, NO, normal, normal, normal, out, NO, normal, unack, NO]),
        (S::Normal, true,
            [unack, normal, NO, NO, shelf, NO, normal, normal, normal, out, NO, normal, unack, NO]),
        (S::UnackActive, false,
            [unack, rtn, ack, NO, shelf, NO, unack, supp, unack, out, NO, unack, NO, normal]),
        (S::UnackActive, true,
            [unack, l_unack, ack, NO, shelf, NO, unack, supp, unack, out, NO, unack, NO, l_ack]),
        (S::AckActive, false,
            [ack, normal, NO, NO, shelf, NO, ack, supp, ack, out, NO, ack, NO, normal]),
        (S::AckActive, true,
            [ack, l_ack, NO, NO, shelf, NO, ack, supp, ack, out, NO, ack, NO, l_ack]),
        (S::RtnUnack, false,
            [unack, rtn, normal, NO, shelf, NO, rtn, supp, rtn, out, NO, rtn, unack, NO]),
        (S::LatchedUnack, true,
            [unack, l_unack, l_ack, NO, shelf, NO, l_unack, supp, l_unack, out, NO, l_unack, unack, NO]),
        (S::LatchedAck, true,
            [unack, l_ack, NO, normal, shelf, NO, l_ack, supp, l_ack, out, NO, l_ack, unack, NO]),
        (S::Shelved, false,
            [shelf, shelf, NO, NO, shelf, unack, unack, supp, shelf, out, NO, shelf, NO, shelf]),
        (S::Shelved, true,
            [shelf, shelf, NO, NO, shelf, unack, unack, supp, shelf, out, NO, shelf, NO, shelf]),
        (S::Suppressed, false,
            [supp, supp, NO, NO, supp, NO, supp, supp, unack, out, NO, supp, NO, normal]),
        (S::Suppressed, true,
            [supp, supp, NO, NO, supp, NO, supp, supp, unack, out, NO, supp, NO, supp]),
        (S::OutOfService, false,
            [out, out, NO, NO, out, NO, out, out, out, out, unack, out, NO, out]),
        (S::OutOfService, true,
            [out, out, NO, NO, out, NO, out, out, out, out, unack, out, NO, out]),
    ];
    for state in S::ALL {
        let is_told = rows.iter().any(|(of, ..)| *of == state);
        assert!(is_told, "{state:?} is not in the table");
    }
    for (state, latched, expected) in rows {
        for (event, expected) in EVENTS.into_iter().zip(expected) {
            let mut alarm = alarm(state, latched);
            let before = alarm.clone();
            let told = format!("{state:?}, latched {latched}: {event:?}");
            assert_eq!(after(&mut alarm, event, latched), expected, "{told}");
            match event {
                Event::Occurs => assert!(alarm.is_active(), "{told}"),
                Event::Clears => assert!(!alarm.is_active(), "{told}"),
                Event::Solved if expected.is_some() => assert!(!alarm.is_active(), "{told}"),
                // The condition is another matter.
                _ if alarm.occurrence == before.occurrence => {
                    assert_eq!(alarm.is_active(), before.is_active(), "{told}");
                }
                _ => assert!(alarm.is_active(), "{told}"),
            }
            if expected.is_none() {
                assert_eq!(alarm, before, "what is refused changes nothing");
            }
            let sounds = matches!(
                alarm.state(),
                S::UnackActive | S::RtnUnack | S::LatchedUnack
            );
            assert_eq!(alarm.sounds(Mono(0)), sounds, "{told}");
        }
    }
}

/// What is hidden on an alarm whose condition is gone comes back as normal, but for a latch.
#[test]
fn what_is_gone_comes_back_into_view_as_normal_or_latched() {
    for (latched, expected) in [(false, S::Normal), (true, S::LatchedUnack)] {
        for (hidden, event) in [
            (S::Shelved, Event::Unshelved),
            (S::Shelved, Event::ShelfEnds),
            (S::Suppressed, Event::Released),
            (S::OutOfService, Event::Returned),
        ] {
            let mut alarm = alarm(hidden, latched);
            alarm.happen(Clear, latched, Wall(1));
            let after = after(&mut alarm, event, latched);
            assert_eq!(after, Some(expected), "{hidden:?} {event:?}");
            assert_eq!(alarm.occurrence, 1);
        }
    }
}
