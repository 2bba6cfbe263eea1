use super::*;
use crate::alarm::{Act, Happening, Verb, Via};
use crate::modbus::plan::tests::{model, plant as bare};
use crate::plant::{self, Owner};
use crate::rule::Rule;
use crate::tag::DeviceIndex;
use crate::time::Wall;
use alloc::vec;

/// An alarm of the only device for each priority.
fn plant(sequence: Sequence, priorities: &[Priority], latched: bool) -> Plant {
    let alarm = |priority: &Priority| plant::Alarm {
        owner: Owner::Device(DeviceIndex(0)),
        id: "a".into(),
        priority: *priority,
        when: Rule::NoData(DeviceIndex(0)),
        on_delay_ms: 0,
        off_delay_ms: 0,
        latched,
        group: None,
        suppress_when: None,
        text_en: "".into(),
        text_zh: "".into(),
    };
    Plant {
        alarms: priorities.iter().map(alarm).collect(),
        horns: vec![plant::Horn {
            id: "horn".into(),
            sequence,
            from_priority: Priority::Low,
            devices: None,
            gateway: true,
        }],
        ..bare(&[model(vec![])])
    }
}

/// Alarms and one horn for them.
struct Hall {
    plant: Plant,
    alarms: Vec<Alarm>,
    horns: Horns,
    now: Mono,
}

impl Hall {
    fn new(sequence: Sequence, priorities: &[Priority], latched: bool) -> Hall {
        let plant = plant(sequence, priorities, latched);
        let mut hall = Hall {
            alarms: vec![Alarm::default(); priorities.len()],
            horns: Horns::new(&plant),
            plant,
            now: Mono(1_000_000),
        };
        hall.look();
        hall
    }

    fn look(&mut self) -> Horn {
        let before = self.horns.now()[0];
        let changed = self.horns.look(&self.plant, &self.alarms, self.now);
        assert_eq!(changed, before != self.horns.now()[0]);
        self.horns.now()[0]
    }

    fn later(&mut self, ms: u64) -> Horn {
        self.now = self.now + ms;
        self.look()
    }

    /// Something happens to the alarm at `index`.
    fn happen(&mut self, index: usize, event: Event) -> Horn {
        let latched = self.plant.alarms[index].latched;
        let now = self.now;
        let alarm = &mut self.alarms[index];
        match event {
            Occur => drop(alarm.happen(Happening::Occur, latched, Wall(0))),
            Clear => drop(alarm.happen(Happening::Clear, latched, Wall(0))),
            Acknowledge => drop(act(alarm, Verb::Acknowledge, latched, now)),
            Reset => drop(act(alarm, Verb::Reset, latched, now)),
            // As the engine does it.
            Silence => {
                let state = alarm.state();
                let rings =
                    state == AlarmState::LatchedAck && self.horns.rings_back(&self.plant, index);
                if alarm.sounds(now) || rings {
                    alarm.silence(now + 600_000);
                }
            }
        }
        self.look()
    }
}

fn act(alarm: &mut Alarm, verb: Verb, latched: bool, now: Mono) -> Result<(), ()> {
    let act = Act {
        by: None,
        via: Via::Board,
        why: Some("why".into()),
    };
    let done = alarm.act(verb, None, act, latched, (now, Wall(0)));
    done.map(drop).map_err(drop)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Occur,
    Clear,
    Acknowledge,
    Reset,
    Silence,
}

use Event::{Acknowledge, Clear, Occur, Reset, Silence};

/// What is heard and seen: horn or none, and the lamp.
const DARK: (Tone, Lamp) = (Tone::Silent, Lamp::Off);
const HORN: (Tone, Lamp) = (Tone::High, Lamp::Flash);
const MUTE: (Tone, Lamp) = (Tone::Silent, Lamp::Flash);
const SEEN: (Tone, Lamp) = (Tone::Silent, Lamp::On);
const RING: (Tone, Lamp) = (Tone::Ringback, Lamp::FlashSlow);
const RUNG: (Tone, Lamp) = (Tone::Silent, Lamp::FlashSlow);

/// State by what led to it, what it shows, and what it shows after occur, clear, acknowledge, reset
/// and silence.
type Row = (
    AlarmState,
    &'static [Event],
    (Tone, Lamp),
    [(Tone, Lamp); 5],
);

fn assert_table(sequence: Sequence, latched: bool, rows: &[Row]) {
    for (state, before, shows, after) in rows {
        let events = [Occur, Clear, Acknowledge, Reset, Silence];
        for (event, expected) in events.into_iter().zip(after) {
            let mut hall = Hall::new(sequence, &[Priority::High], latched);
            let mut horn = hall.look();
            for event in *before {
                horn = hall.happen(0, *event);
            }
            assert_eq!(hall.alarms[0].state(), *state, "{before:?}");
            assert_eq!((horn.tone, horn.red), *shows, "{sequence:?} {state:?}");
            let horn = hall.happen(0, event);
            assert_eq!(
                (horn.tone, horn.red),
                *expected,
                "{sequence:?} {state:?} {event:?}"
            );
            let is_normal = hall.alarms[0].state() == AlarmState::Normal;
            assert_eq!(horn.green == Lamp::On, is_normal);
            assert_eq!(horn.yellow, Lamp::Off);
        }
    }
}

/// ISA-18.1 A: what was acknowledged goes out by itself, what was not stays.
#[test]
fn sequence_a() {
    use AlarmState as S;
    assert_table(
        Sequence::Automatic,
        false,
        &[
            (S::Normal, &[], DARK, [HORN, DARK, DARK, DARK, DARK]),
            (
                S::UnackActive,
                &[Occur],
                HORN,
                [HORN, HORN, SEEN, HORN, MUTE],
            ),
            (
                S::AckActive,
                &[Occur, Acknowledge],
                SEEN,
                [SEEN, DARK, SEEN, SEEN, SEEN],
            ),
            (
                S::RtnUnack,
                &[Occur, Clear],
                HORN,
                [HORN, HORN, DARK, HORN, MUTE],
            ),
        ],
    );
}

/// M: the lamp stays until the reset. So do latched alarms on a horn of sequence A.
#[test]
fn sequence_m_and_latched_alarms_in_sequence_a() {
    use AlarmState as S;
    for sequence in [Sequence::Manual, Sequence::Automatic] {
        assert_table(
            sequence,
            true,
            &[
                (S::Normal, &[], DARK, [HORN, DARK, DARK, DARK, DARK]),
                (
                    S::UnackActive,
                    &[Occur],
                    HORN,
                    [HORN, HORN, SEEN, HORN, MUTE],
                ),
                (
                    S::AckActive,
                    &[Occur, Acknowledge],
                    SEEN,
                    [SEEN, SEEN, SEEN, SEEN, SEEN],
                ),
                (
                    S::LatchedUnack,
                    &[Occur, Clear],
                    HORN,
                    [HORN, HORN, SEEN, HORN, MUTE],
                ),
                (
                    S::LatchedAck,
                    &[Occur, Acknowledge, Clear],
                    SEEN,
                    [HORN, SEEN, SEEN, DARK, SEEN],
                ),
            ],
        );
    }
}

/// R: that it is gone is heard, and seen until the reset.
#[test]
fn sequence_r() {
    use AlarmState as S;
    assert_table(
        Sequence::Ringback,
        true,
        &[
            (S::Normal, &[], DARK, [HORN, DARK, DARK, DARK, DARK]),
            (
                S::UnackActive,
                &[Occur],
                HORN,
                [HORN, HORN, SEEN, HORN, MUTE],
            ),
            (
                S::AckActive,
                &[Occur, Acknowledge],
                SEEN,
                [SEEN, RING, SEEN, SEEN, SEEN],
            ),
            (
                S::LatchedUnack,
                &[Occur, Clear],
                HORN,
                [HORN, HORN, RING, HORN, MUTE],
            ),
            (
                S::LatchedAck,
                &[Occur, Acknowledge, Clear],
                RING,
                [HORN, RING, RING, DARK, RUNG],
            ),
            // A silence before the acknowledgement does not hide that it is gone later.
            (
                S::LatchedAck,
                &[Occur, Silence, Acknowledge, Clear],
                RING,
                [HORN, RING, RING, DARK, RUNG],
            ),
        ],
    );
}

/// Shelved, suppressed, out of service: neither heard nor seen, in any sequence.
#[test]
fn what_is_out_of_view_is_neither_heard_nor_seen() {
    for sequence in [Sequence::Automatic, Sequence::Manual, Sequence::Ringback] {
        for state in [
            AlarmState::Shelved,
            AlarmState::Suppressed,
            AlarmState::OutOfService,
        ] {
            assert_eq!(wanted(sequence, state, Priority::High), DARK);
        }
    }
    let mut hall = Hall::new(Sequence::Automatic, &[Priority::High], false);
    hall.happen(0, Occur);
    let now = hall.now;
    act(&mut hall.alarms[0], Verb::Shelve(1_000), false, now).unwrap();
    let horn = hall.look();
    assert_eq!(
        (horn.tone, horn.red, horn.green),
        (Tone::Silent, Lamp::Off, Lamp::On)
    );
}

#[test]
fn the_most_urgent_is_heard_and_each_lamp_shows_the_worst_of_its_own() {
    let priorities = [Priority::Low, Priority::High, Priority::Medium];
    let mut hall = Hall::new(Sequence::Automatic, &priorities, false);
    let seen = |horn: Horn| (horn.tone, horn.red, horn.yellow, horn.green);
    assert_eq!(
        seen(hall.look()),
        (Tone::Silent, Lamp::Off, Lamp::Off, Lamp::On)
    );
    let low = hall.happen(0, Occur);
    assert_eq!(seen(low), (Tone::Low, Lamp::Off, Lamp::Flash, Lamp::Off));
    let high = hall.happen(1, Occur);
    assert_eq!(
        seen(high),
        (Tone::High, Lamp::Flash, Lamp::Flash, Lamp::Off)
    );
    hall.happen(2, Occur);
    hall.happen(0, Acknowledge);
    let horn = hall.happen(1, Acknowledge);
    assert_eq!(seen(horn), (Tone::Medium, Lamp::On, Lamp::Flash, Lamp::Off));
    let horn = hall.happen(2, Acknowledge);
    assert_eq!(seen(horn), (Tone::Silent, Lamp::On, Lamp::On, Lamp::Off));
}

/// A further alarm, and the end of a silence, begin the tone anew; nothing else disturbs it.
#[test]
fn a_tone_begins_anew_for_what_is_new() {
    let mut hall = Hall::new(
        Sequence::Automatic,
        &[Priority::High, Priority::High],
        false,
    );
    let first = hall.happen(0, Occur);
    assert_eq!(first.since, hall.now);
    let same = hall.later(700);
    assert_eq!(same, first, "nothing happened");
    let gone = hall.happen(0, Clear);
    assert_eq!(gone, first, "locked in");
    hall.later(100);
    let second = hall.happen(1, Occur);
    assert_ne!(second.start, first.start);
    assert_eq!(second.since, hall.now);
    hall.later(100);
    assert_eq!(hall.happen(1, Acknowledge), second, "the other one goes on");
    let quiet = hall.happen(0, Silence);
    assert_eq!((quiet.tone, quiet.red), MUTE);
    assert_eq!(hall.horns.deadline(), Some(hall.now + 600_000));
    let still = hall.later(599_999);
    assert_eq!(still, quiet);
    let again = hall.later(1);
    assert_eq!((again.tone, again.red), HORN);
    assert_eq!(again.since, hall.now);
    assert_eq!(hall.horns.deadline(), None);
    let other = hall.happen(1, Occur);
    assert_eq!(other.tone, Tone::High);
}

#[test]
fn a_new_alarm_sounds_in_a_silence() {
    let mut hall = Hall::new(Sequence::Automatic, &[Priority::High, Priority::Low], false);
    hall.happen(0, Occur);
    assert_eq!(hall.happen(0, Silence).tone, Tone::Silent);
    let horn = hall.happen(1, Occur);
    assert_eq!((horn.tone, horn.red), (Tone::Low, Lamp::Flash));
}

#[test]
fn a_test_shows_each_priority_and_gives_way_to_an_alarm() {
    let mut hall = Hall::new(Sequence::Automatic, &[Priority::Medium], false);
    let before = hall.alarms.clone();
    let ends = hall.horns.test(None, 3_000, hall.now);
    let mut heard = vec![];
    let mut horn = hall.look();
    while let Some(Mono(deadline)) = hall.horns.deadline() {
        assert!(hall.horns.is_tested(0));
        let lit = [horn.red, horn.yellow, horn.green].map(|lamp| lamp == Lamp::On);
        heard.push((horn.tone, lit));
        assert_eq!(horn.since, hall.now);
        horn = hall.later(deadline - hall.now.0);
    }
    assert_eq!(hall.now, ends);
    // The green lamp is lit anyhow.
    let expected = [
        (Tone::High, [true, false, true]),
        (Tone::Medium, [false, true, true]),
        (Tone::Low, [false, false, true]),
        (Tone::Ringback, [true, true, true]),
    ];
    assert_eq!(heard, expected);
    assert_eq!((horn.tone, horn.green), (Tone::Silent, Lamp::On));
    assert_eq!(hall.alarms, before);

    hall.horns.test(Some(0), 3_000, hall.now);
    assert_eq!(hall.look().tone, Tone::High);
    let alarm = hall.happen(0, Occur);
    assert_eq!((alarm.tone, alarm.yellow), (Tone::Medium, Lamp::Flash));
    assert!(!hall.horns.is_tested(0));
}

#[test]
fn a_horn_tells_the_alarms_it_is_for() {
    let mut plant = plant(Sequence::Automatic, &[Priority::Low, Priority::High], false);
    plant.alarms[1].owner = Owner::Gateway;
    let of = |from_priority, devices: Option<&[DeviceIndex]>, gateway| {
        let horn = plant::Horn {
            from_priority,
            devices: devices.map(Into::into),
            gateway,
            ..plant.horns[0].clone()
        };
        [0, 1].map(|alarm| horn.is_for(&plant.alarms[alarm]))
    };
    assert_eq!(of(Priority::Low, None, true), [true, true]);
    assert_eq!(of(Priority::Medium, None, true), [false, true]);
    let first: &[DeviceIndex] = &[DeviceIndex(0)];
    assert_eq!(of(Priority::Low, Some(first), false), [true, false]);
    assert_eq!(of(Priority::Low, Some(first), true), [true, true]);
    assert_eq!(
        of(Priority::Low, Some(&[DeviceIndex(1)]), false),
        [false, false]
    );
}
