//! What is written holds the keys that are declared, and no others.

use super::*;
use crate::alarm::{Act, AlarmState, Verb, Via};
use crate::annunciate::{Channel, Kind};
use crate::plant::Priority;
use crate::record::{Answer, Class, Done, Event, Record, TagValue, TagWindow, Telling};
use crate::sample::Value;
use crate::state::State;
use crate::summary::{Capacity, ShiftRun, Sum, Summary, Tier, Unrated};
use crate::tag_sums::{Number, TagSum};
use crate::time::{ClockState, Wall};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use serde_json::{Map, Value as Json};

const RUN: Run = Run {
    id: 0x9f3a_61c0_7b2d,
    boot: 12,
    cfg: 0x5be1_c0d2,
};

fn written(body: Body) -> Map<String, Json> {
    let gateway = Gateway {
        root: "andon".into(),
        site: "suzhou".into(),
        area: "press-shop".into(),
        id: "gw-press-1".into(),
    };
    let record = Record {
        seq: 4711,
        n: 388,
        ts: Wall(1_790_000_100_000),
        clock: ClockState::Synced,
        body,
    };
    let message = Message {
        gateway: &gateway,
        run: &RUN,
        record: &record,
        historical: false,
    };
    match serde_json::to_value(&message).unwrap() {
        Json::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn declared(name: &str) -> Payload {
    let mut all = payloads().into_iter();
    all.find(|payload| payload.name == name).unwrap()
}

/// What is wrong with these keys, by their declaration.
fn faults(fields: &[Field], written: &Map<String, Json>) -> Vec<String> {
    let mut faults = Vec::new();
    for key in written.keys() {
        if !fields.iter().any(|field| field.name == *key) {
            faults.push(format!("{key} is not declared"));
        }
    }
    for field in fields {
        let expected = match field.presence {
            Presence::Sometimes => continue,
            Presence::Always => true,
            Presence::Where(key, value) => written[key] == value,
        };
        let value = written.get(&field.name);
        if value.is_some() != expected {
            faults.push(format!("{} is there: {}", field.name, value.is_some()));
        }
        if value == Some(&Json::Null) && !field.null {
            faults.push(format!("{} is null", field.name));
        }
    }
    faults
}

fn summary(tier: Tier, of: &Sum) -> Summary {
    Summary {
        device: "press-1".into(),
        tier,
        shift: (tier == Tier::Shift).then(|| ShiftRun {
            name: "night".into(),
            date: "2026-11-23".into(),
            crew: None,
        }),
        ..Summary::of(of)
    }
}

/// One that has every key that may be left out.
fn rich() -> Summary {
    let mut sum = Sum {
        capacity: Some(Capacity::default()),
        unrated: Unrated {
            planned_ms: 10,
            producing_ms: 5,
        },
        ..Sum::default()
    };
    sum.times.add(State::Producing, 60_000);
    Summary {
        line: Some("A".into()),
        clock_step_ms: 7,
        ..summary(Tier::Shift, &sum)
    }
}

#[test]
fn summaries_are_as_declared() {
    let fields = declared("kpi").fields;
    let mut sum = Sum::default();
    let mut seen = BTreeSet::new();
    let mut look = |summary: Summary| {
        let written = written(Body::Summary(Box::new(summary)));
        assert_eq!(faults(&fields, &written), [""; 0], "{written:?}");
        seen.extend(written.into_iter().map(|(key, _)| key));
    };
    for tier in Tier::ALL {
        look(summary(tier, &sum));
    }
    sum.times.add(State::Producing, 60_000);
    sum.parts.good = Some(3);
    look(summary(Tier::Minute, &sum));
    look(rich());
    let all: BTreeSet<String> = fields.into_iter().map(|field| field.name).collect();
    // Coverage has no value only where nothing was planned; everything else is missing somewhere.
    assert_eq!(&all - &seen, BTreeSet::new(), "declared and never written");
}

#[test]
fn tags_are_as_declared() {
    let payload = declared("tags");
    let sum = TagSum {
        total: 120.0,
        min: 1.0,
        max: 3.0,
        good_ms: 60_000,
    };
    let tag = |name: &str, counter, sum, last| TagValue {
        name: name.into(),
        counter,
        sum,
        last,
    };
    let window = TagWindow {
        device: "press-1".into(),
        line: None,
        tier: Tier::Hour,
        shift: None,
        start: Wall(0),
        end: Wall(60_000),
        window_ms: 60_000,
        fold: 0,
        merged: 1,
        clock_step_ms: 0,
        part: 1,
        parts: 2,
        tags: Vec::from([
            tag("t", false, sum, Some(Number::Float(2.5))),
            tag("c", true, sum, Some(Number::Int(7))),
            tag("x", false, TagSum::EMPTY, None),
        ]),
    };
    let mut written = written(Body::Tags(Box::new(window)));
    let ends: BTreeSet<String> = payload
        .of_tags
        .into_iter()
        .map(|field| field.name)
        .collect();
    let mut seen = BTreeSet::new();
    written.retain(|key, _| {
        let end = ["t_", "c_", "x_"].iter().find_map(|tag| {
            let end = key.strip_prefix(&tag[..1])?;
            ends.contains(end).then_some(end)
        });
        seen.extend(end.map(String::from));
        end.is_none()
    });
    assert_eq!(seen, ends);
    assert_eq!(faults(&payload.fields, &written), [""; 0]);
}

fn every_event() -> Vec<Event> {
    let act = || Act {
        by: Some("li".into()),
        via: Via::Board,
        why: None,
    };
    let alarm = |done| Event::Alarm {
        device: "press-1".into(),
        alarm: "fault".into(),
        occurrence: 3,
        priority: Priority::High,
        from: AlarmState::Normal,
        to: AlarmState::UnackActive,
        value: Some(Value::Int(4)),
        active: true,
        done,
        first_out: false,
    };
    let done = |verb| {
        alarm(Some(Box::new(Done {
            verb,
            act: act(),
            until: None,
            took_ms: (verb == Verb::Solve).then_some(5),
        })))
    };
    let telling = |to: Option<&str>| {
        Event::Telling(Box::new(Telling {
            alarm: None,
            occurrence: None,
            priority: None,
            to: to.map(Into::into),
            channel: to.map(|_| Channel::Sms),
            kind: to.map(|_| Kind::Raised),
            outcome: "sent".into(),
            why: None,
            count: 1,
        }))
    };
    let answer = |refused: Option<&str>| {
        Event::Answer(Box::new(Answer {
            command: "ack".into(),
            id: refused.is_none().then(|| "press-1.fault".into()),
            occurrence: Some(1),
            nonce: "4f1c".into(),
            by: Some("li".into()),
            via: Via::Mqtt,
            count: None,
            refused: refused.map(Into::into),
        }))
    };
    let loss = |run| Event::Loss {
        why: "the disk was full".into(),
        run,
        seq_from: 1,
        seq_to: 2,
        count: 2,
        class: Some(Class::Summary),
    };
    let source = |begins| Event::Source {
        device: "press-1".into(),
        tag: None,
        reason: Reason::Exception(2),
        begins,
        value: None,
    };
    let verbs = [
        Verb::Acknowledge,
        Verb::Reset,
        Verb::Shelve(60_000),
        Verb::Unshelve,
        Verb::OutOfService,
        Verb::Return,
        Verb::Call,
        Verb::Solve,
    ];
    let mut events = Vec::from([
        Event::State {
            device: "press-1".into(),
            from: State::Producing,
            to: State::Faulted,
            code: Some(Value::Int(4)),
            cause: Some("jam".into()),
            quality: Quality::Uncertain(Reason::Retained),
        },
        alarm(None),
        answer(None),
        answer(Some("which alarm? give its `id`")),
        Event::Silence {
            act: Box::new(act()),
            count: 2,
            until: Wall(5),
        },
        Event::HornTest {
            horn: None,
            act: Box::new(act()),
            until: Wall(5),
        },
        telling(None),
        telling(Some("li")),
        Event::Link {
            link: "bus".into(),
            up: false,
            why: Some("no answer".into()),
        },
        Event::Clock {
            from: ClockState::Unsynced,
            to: ClockState::Synced,
            step_ms: 5,
        },
        Event::Config {
            what: "2 devices".into(),
        },
        loss(None),
        loss(Some(RUN)),
        Event::Merged {
            device: "press-1".into(),
            tier: Tier::Hour,
            run: RUN,
            seq_from: 1,
            seq_to: 2,
            count: 2,
        },
        Event::UnmappedState {
            device: "press-1".into(),
            value: Value::Bool(true),
        },
        source(true),
        source(false),
    ]);
    events.extend(verbs.map(done));
    events
}

#[test]
fn events_are_as_declared() {
    let payload = declared("event");
    let mut words = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for event in every_event() {
        let mut written = written(Body::Event(event));
        let word = written.remove("event").unwrap();
        let word = word.as_str().unwrap();
        let mut of_word = payload
            .variants
            .iter()
            .enumerate()
            .filter(|(_, variant)| variant.words.contains(&word));
        let (index, variant) = of_word.next().unwrap();
        assert!(of_word.next().is_none(), "{word} is of one kind");
        let fields = [&payload.fields[..], &variant.fields[..]].concat();
        assert_eq!(faults(&fields, &written), [""; 0], "{written:?}");
        seen.extend(written.into_iter().map(|(key, _)| (index, key)));
        words.insert(String::from(word));
    }
    for (index, variant) in payload.variants.iter().enumerate() {
        for word in variant.words {
            assert!(words.contains(*word), "no {word} was written");
        }
        for field in &variant.fields {
            let key = (index, field.name.clone());
            assert!(seen.contains(&key), "{:?}: never written", key);
        }
    }
}

#[test]
fn nothing_is_declared_twice() {
    for payload in payloads() {
        let variants = payload.variants.iter().map(|variant| &variant.fields[..]);
        for variant in variants.chain([&[][..]]) {
            let names: Vec<_> = payload
                .fields
                .iter()
                .chain(variant)
                .map(|f| &f.name)
                .collect();
            let once: BTreeSet<_> = names.iter().collect();
            assert_eq!(names.len(), once.len(), "{}: {names:?}", payload.name);
        }
    }
}

#[test]
fn a_wrong_declaration_is_found() {
    let fields = declared("kpi").fields;
    let sound = written(Body::Summary(Box::new(rich())));
    let mut more = sound.clone();
    more.insert("surprise".into(), Json::Null);
    assert_eq!(faults(&fields, &more), ["surprise is not declared"]);
    let mut less = sound.clone();
    less.remove("idle_ms");
    less.insert("rev".into(), Json::Null);
    less.insert("window".into(), "1h".into());
    let expected = [
        "shift is there: true",
        "shift_date is there: true",
        "crew is there: true",
        "rev is null",
        "idle_ms is there: false",
    ];
    assert_eq!(faults(&fields, &less), expected);
}
