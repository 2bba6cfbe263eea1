//! States that follow from several tags, or from a counter.

use super::*;
use crate::history::{Leaf, Mark};
use crate::plant::{Derived, Moving, Otherwise};
use crate::rule::{Name, Rule};
use crate::segments::Segments;

const TRIP: TagIndex = TagIndex(0);
const DOOR: TagIndex = TagIndex(1);
const RUN: TagIndex = TagIndex(2);
const SPEED: TagIndex = TagIndex(3);
const GOOD: TagIndex = TagIndex(4);

fn rule(text: &str) -> Rule {
    let resolve = |_: Option<&str>, name: &str| {
        let names = ["trip", "door", "run", "speed"];
        let at = names.iter().position(|other| *other == name).unwrap();
        Ok(Name::Tag(DeviceIndex(0), TagIndex(at as u16)))
    };
    rule::parse(text, 0.0, &resolve).unwrap()
}

/// The press, its state told by these conditions.
fn derived(rules: &[(&str, State)], otherwise: Otherwise) -> Bench {
    Bench::left(derived_plant(rules, otherwise), now(0), None)
}

fn derived_plant(rules: &[(&str, State)], otherwise: Otherwise) -> Plant {
    let mut plant = plant();
    let device = &mut plant.devices[0];
    let mut model = (*device.model).clone();
    model.tags = vec![
        tag("trip", 0, Kind::Bool, None),
        tag("door", 1, Kind::Bool, None),
        tag("run", 2, Kind::Bool, None),
        tag("speed", 3, Kind::U16, None),
        tag("good", 4, Kind::U16, Some(Counts::Good)),
    ];
    model.state = Some(States::Derived(Derived {
        rules: rules
            .iter()
            .map(|(text, state)| (rule(text), *state))
            .collect(),
        otherwise,
        tags: vec![TRIP, DOOR, RUN, SPEED, GOOD],
    }));
    device.model = Arc::new(model);
    plant
}

const BY_CONTACTS: [(&str, State); 2] = [
    ("trip or door", State::Faulted),
    ("run and speed > 5", State::Producing),
];

const MOVING: Otherwise = Otherwise::Moving(Moving {
    tag: GOOD,
    idle_after_ms: 10_000,
    stopped: State::Delayed,
});

fn contact(closed: bool) -> Reading {
    Reading::Good(Value::Bool(closed))
}

fn number(value: i64) -> Reading {
    Reading::Good(Value::Int(value))
}

impl Bench {
    /// A message with these tags.
    fn tell(&mut self, ms: u64, tags: &[(TagIndex, Reading)]) {
        self.pass(ms.saturating_sub(1));
        let samples: Vec<_> = tags
            .iter()
            .map(|(tag, reading)| (*tag, reading.clone().into()))
            .collect();
        self.engine
            .handle_readings(DeviceIndex(0), at(ms), &samples);
        self.drain();
    }

    fn shows(&self) -> (State, Quality) {
        let machine = self.engine.machine(DeviceIndex(0)).unwrap();
        (machine.state(), machine.quality())
    }

    /// Milliseconds in each state over the windows so far.
    fn spent(&self, state: State) -> u64 {
        let times = self.summaries();
        times.iter().map(|summary| summary.times.of(state)).sum()
    }
}

#[test]
fn what_is_decided_needs_no_more_and_what_is_not_says_why() {
    let mut bench = derived(&BY_CONTACTS, Otherwise::State(State::Idle));
    bench.tell(
        0,
        &[(TRIP, contact(true)), (DOOR, Reading::Bad(Reason::Timeout))],
    );
    assert_eq!(bench.shows(), (State::Faulted, Quality::Good));
    bench.tell(
        1_000,
        &[
            (TRIP, contact(false)),
            (RUN, contact(true)),
            (SPEED, number(9)),
        ],
    );
    assert_eq!(
        bench.shows(),
        (State::Unknown, Quality::Bad(Reason::Timeout))
    );
    bench.tell(2_000, &[(DOOR, contact(false))]);
    assert_eq!(bench.shows(), (State::Producing, Quality::Good));
    bench.tell(2_500, &[(SPEED, number(5))]);
    assert_eq!(bench.shows(), (State::Idle, Quality::Good));
    let code = bench.engine.state(DeviceIndex(0)).unwrap().code;
    assert_eq!(code, None, "no value of one tag tells it");
}

#[test]
fn where_nothing_holds_and_nothing_is_said_of_it_the_state_is_unmapped() {
    let mut bench = derived(&[("run", State::Producing)], Otherwise::Unknown);
    bench.tell(0, &[(RUN, contact(false))]);
    assert_eq!(
        bench.shows(),
        (State::Unknown, Quality::Bad(Reason::Unmapped))
    );
    let is_told =
        |record: &Record| matches!(&record.body, Body::Event(Event::UnmappedState { .. }));
    assert!(!bench.records.iter().any(is_told));
}

#[test]
fn a_state_is_as_old_as_the_oldest_tag_that_decided_it() {
    let mut bench = derived(
        &[("run and speed > 5", State::Producing)],
        Otherwise::State(State::Idle),
    );
    bench.tell(250, &[(RUN, contact(true))]);
    // The speed is read all the time; of the run contact only that reading fails is heard.
    for ms in (1_000..60_000).step_by(1_000) {
        bench.tell(ms, &[(SPEED, number(9))]);
        bench.tell(ms + 1, &[(RUN, Reading::Bad(Reason::Disconnected))]);
    }
    bench.pass(60_000);
    assert_eq!(bench.spent(State::Producing), 250 + STALE - 1_000);
    assert_eq!(
        bench.shows(),
        (State::Unknown, Quality::Bad(Reason::Disconnected))
    );
    // Without the run contact the speed decides nothing; with an open one it is not asked.
    bench.tell(60_000, &[(RUN, contact(false))]);
    for ms in (61_000..120_000).step_by(1_000) {
        bench.tell(ms, &[(RUN, contact(false))]);
    }
    bench.pass(120_000);
    assert_eq!(bench.spent(State::Idle), 60_000);
}

#[test]
fn what_is_read_at_once_is_one_picture() {
    let rules = [
        ("run and speed < 5", State::Faulted),
        ("run", State::Producing),
    ];
    let mut bench = derived(&rules, Otherwise::State(State::Idle));
    bench.tell(0, &[(RUN, contact(false)), (SPEED, number(0))]);
    // It starts: between the two tags it would be faulted for no time at all.
    bench.tell(1_000, &[(RUN, contact(true)), (SPEED, number(9))]);
    bench.tell(2_000, &[(SPEED, number(0)), (RUN, contact(false))]);
    bench.pass(60_000);
    assert_eq!(bench.summaries()[0].failures, 0);
    assert_eq!(bench.spent(State::Producing), 1_000);
}

#[test]
fn a_machine_produces_while_its_counter_moves() {
    let mut bench = derived(&[], MOVING);
    let mut good = 7;
    for ms in (0..60_000).step_by(1_000) {
        // A part every five seconds, until one that is read at 30 s.
        good += i64::from(ms % 5_000 == 0 && (5_000..=30_000).contains(&ms));
        bench.tell(ms, &[(GOOD, number(good))]);
        if ms < 5_000 {
            assert_eq!(
                bench.shows(),
                (State::Unknown, Quality::Bad(Reason::NotMoved))
            );
        }
    }
    bench.pass(60_000);
    let summary = bench.summaries()[0];
    assert_eq!(summary.times.of(State::Unknown), 5_000);
    assert_eq!(summary.times.of(State::Producing), 25_000 + 10_000);
    assert_eq!(summary.times.of(State::Delayed), 20_000);
    assert_eq!(summary.parts.good, Some(6));
}

#[test]
fn a_machine_stands_at_the_very_millisecond_and_is_unknown_at_another() {
    let mut bench = derived(&[], MOVING);
    bench.tell(0, &[(GOOD, number(1))]);
    bench.tell(1_300, &[(GOOD, number(2))]);
    for ms in (2_000..9_000).step_by(1_000) {
        bench.tell(ms, &[(GOOD, number(2))]);
    }
    bench.tell(9_700, &[(GOOD, number(2))]);
    // It stands at 11,300 and cannot be read from 12,700 on; nobody looked in between.
    bench.engine.handle_time(now(20_000));
    bench.drain();
    assert_eq!(bench.shows(), (State::Unknown, Quality::Bad(Reason::Stale)));
    bench.pass(60_000);
    let summary = bench.summaries()[0];
    assert_eq!(summary.times.of(State::Producing), 10_000);
    assert_eq!(summary.times.of(State::Delayed), 12_700 - 11_300);
    // The history has all of it.
    let mut segments = Segments::default();
    let mut told = Vec::new();
    for page in &bench.pages {
        if let Leaf::Marks(marks) = &page.leaf {
            let whole: &[Mark] = marks;
            whole
                .iter()
                .for_each(|mark| segments.take(mark, |segment| told.push(segment)));
        }
    }
    let at = |ms: i64| Some(Wall(WALL + ms));
    let ends: Vec<_> = told
        .iter()
        .map(|segment| (segment.state, segment.to))
        .collect();
    assert!(ends.ends_with(&[(State::Producing, at(11_300)), (State::Delayed, at(12_700))]));
}

#[test]
fn conditions_decide_before_the_counter() {
    let mut bench = derived(&[("trip", State::Faulted)], MOVING);
    let open = (TRIP, contact(false));
    bench.tell(0, &[open.clone(), (GOOD, number(1))]);
    bench.tell(1_000, &[open.clone(), (GOOD, number(2))]);
    assert_eq!(bench.shows().0, State::Producing);
    bench.tell(2_000, &[(TRIP, contact(true)), (GOOD, number(3))]);
    assert_eq!(bench.shows().0, State::Faulted);
    // It counted while it was faulted, and stands when that is over by more than the limit.
    for ms in (3_000..14_000).step_by(1_000) {
        bench.tell(ms, &[(TRIP, contact(true)), (GOOD, number(3))]);
    }
    assert_eq!(bench.shows().0, State::Faulted);
    bench.tell(14_000, &[open, (GOOD, number(3))]);
    assert_eq!(bench.shows().0, State::Delayed);
    // The counter moves, but nobody knows of the trip.
    for ms in (15_000..18_000).step_by(1_000) {
        bench.tell(
            ms,
            &[(GOOD, number(4)), (TRIP, Reading::Bad(Reason::Timeout))],
        );
    }
    assert_eq!(
        bench.shows(),
        (State::Unknown, Quality::Bad(Reason::Timeout))
    );
}

#[test]
fn the_counter_goes_on_over_a_restart() {
    let mut bench = derived(&[], MOVING);
    bench.tell(0, &[(GOOD, number(1))]);
    bench.tell(1_000, &[(GOOD, number(2))]);
    let checkpoint = bench.engine.checkpoint();
    let after = |ms: u64, good: i64| {
        let plant = derived_plant(&[], MOVING);
        let mut bench = Bench::left(plant, now(ms), Some(Left::Newest(&checkpoint)));
        bench.tell(ms + 500, &[(GOOD, number(good))]);
        bench.shows()
    };
    assert_eq!(
        after(3_000, 2),
        (State::Producing, Quality::Good),
        "not long enough to stand"
    );
    assert_eq!(after(3_000, 3), (State::Producing, Quality::Good));
    assert_eq!(
        after(30_000, 2),
        (State::Delayed, Quality::Good),
        "it stood all the time"
    );
    let unknown = (State::Unknown, Quality::Bad(Reason::NotMoved));
    assert_eq!(after(30_000, 3), unknown, "nobody knows when it moved");
    // A retained copy may be older than what was read before.
    let mut bench = derived(&[], MOVING);
    bench.tell(
        0,
        &[(GOOD, Reading::Uncertain(Value::Int(9), Reason::Retained))],
    );
    bench.tell(1_000, &[(GOOD, number(10))]);
    assert_eq!(bench.shows(), unknown, "the first reading that counts");
}

/// One message of a stream: after how many tenths of a second, and what it has of each tag.
type Told = (u64, [Option<Reading>; 3], Option<Reading>);

const TENTH: u64 = 100;

fn messages() -> impl Strategy<Value = Vec<Told>> {
    let contacts = || {
        prop_oneof![
            3 => Just(None),
            5 => Just(Some(contact(false))),
            1 => any::<bool>().prop_map(|closed| Some(contact(closed))),
            1 => Just(Some(Reading::Bad(Reason::Timeout))),
        ]
    };
    let count = prop_oneof![
        2 => Just(None),
        4 => Just(Some(0)),
        2 => (1_i64..4).prop_map(Some),
        1 => Just(Some(-1000)),
    ];
    let count = count.prop_map(|by| by.map(number));
    let message = (1_u64..40, [contacts(), contacts(), contacts()], count);
    prop::collection::vec(message, 1..60)
}

/// What such a machine does at a moment, looked up in everything that was read before it.
fn reference(read: &[(u64, TagIndex, Value)], now: u64) -> State {
    let last = |tag: TagIndex| {
        let mut before = read
            .iter()
            .rev()
            .filter(|(ms, of, _)| *of == tag && *ms <= now);
        let (ms, _, value) = before.next()?;
        (now < ms + STALE).then_some(value)
    };
    let closed = |tag: TagIndex| last(tag).map(|value| *value == Value::Bool(true));
    match (closed(TRIP), closed(DOOR)) {
        (Some(true), _) | (_, Some(true)) => return State::Faulted,
        (Some(false), Some(false)) => {}
        _ => return State::Unknown,
    }
    match closed(RUN) {
        Some(true) => return State::Setup,
        Some(false) => {}
        None => return State::Unknown,
    }
    if last(GOOD).is_none() {
        return State::Unknown;
    }
    let (mut still_from, mut worked) = (None, false);
    let mut before: Option<(u64, i64)> = None;
    for (ms, _, value) in read
        .iter()
        .filter(|(ms, tag, _)| *tag == GOOD && *ms <= now)
    {
        let Value::Int(count) = value else { continue };
        match before {
            Some((then, known)) if *count > known => {
                (still_from, worked) = (Some(*ms), ms - then <= 10_000);
            }
            Some(_) => {}
            None => still_from = Some(*ms),
        }
        before = Some((*ms, *count));
    }
    match still_from {
        Some(from) if now >= from + 10_000 => State::Delayed,
        _ if worked => State::Producing,
        _ => State::Unknown,
    }
}

proptest! {
    /// Every moment is accounted as what can be known of it, however the readings come.
    #[test]
    fn times_are_those_of_every_single_moment(messages in messages()) {
        let rules = [("trip or door", State::Faulted), ("run", State::Setup)];
        let mut bench = derived(&rules, MOVING);
        let mut read = Vec::new();
        let (mut ms, mut good) = (0, 5_000);
        for (after, contacts, count) in messages {
            ms += after * TENTH;
            let mut tags = Vec::new();
            for (tag, reading) in [TRIP, DOOR, RUN].into_iter().zip(contacts) {
                tags.extend(reading.map(|reading| (tag, reading)));
            }
            if let Some(Reading::Good(Value::Int(by))) = count {
                good = (good + by).max(0);
                tags.push((GOOD, number(good)));
            }
            for (tag, reading) in &tags {
                read.extend(reading.value().map(|value| (ms, *tag, value.clone())));
            }
            bench.tell(ms, &tags);
        }
        let end = (ms / 60_000 + 1) * 60_000;
        bench.pass(end);
        let mut times = [0; 7];
        for moment in (0..end).step_by(TENTH as usize) {
            times[reference(&read, moment) as usize] += TENTH;
        }
        prop_assert_eq!(State::ALL.map(|state| bench.spent(state)), times);
    }
}
