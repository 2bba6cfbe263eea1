use super::*;
use andon_core::calendar::Calendar;
use andon_core::plant::{Gateway, Link, Manners, Model};
use andon_core::sample::Value;
use andon_core::tag::{Kind, Place, Tag};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::Arc;

const DOORS: [LinkIndex; 1] = [LinkIndex(1)];
const TS: i64 = 1_790_000_000_000;

/// Presses 1 and 2 behind the door, and a saw behind another link.
fn plant() -> Plant {
    let tag = |name: &str, kind| Tag {
        name: name.into(),
        unit: "".into(),
        role: None,
        summed: andon_core::tag::Summed::Not,
        range: None,
        every_ms: 10_000,
        source: Source::Message(Place::bare(None, kind)),
    };
    let mut tenths = tag("pressure", Kind::I16);
    tenths.range = Some((0.0, 6.0));
    if let Source::Message(place) = &mut tenths.source {
        place.scale = 0.1;
    }
    let model = Arc::new(Model {
        every_ms: 10_000,
        tags: vec![tag("temp", Kind::F64), tag("mode", Kind::Text), tenths],
        state: None,
        codes: vec![],
        rates: None,
    });
    let device = |id: &str, link| Device {
        id: id.into(),
        name: id.into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(link),
        unit: 0,
        manners: Manners::default(),
        model: Arc::clone(&model),
        rated_rate: None,
        stale_after_ms: 30_000,
        late_ms: 0,
        publishes: andon_core::summary::TierSet::ALL,
        publishes_tags: andon_core::summary::TierSet::NONE,
        no_scrap: false,
        min_coverage: 5_000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: Arc::default(),
    };
    Plant {
        gateway: Gateway {
            root: "andon".into(),
            site: "s".into(),
            area: "a".into(),
            id: "gw".into(),
        },
        calendar: Calendar::always(TimeZone::get("Asia/Shanghai").unwrap()),
        other_calendars: vec![],
        links: vec![Link::network("plc"), Link::network("door")],
        devices: vec![device("saw", 0), device("press-1", 1), device("press-2", 1)],
        alarms: vec![],
        roster: Default::default(),
        horns: vec![],
        buttons: Default::default(),
        max_payload: 9000,
        cfg: 0,
    }
}

fn push(body: &str) -> Result<Vec<Pushed>, PushError> {
    samples(body.as_bytes(), &plant(), &DOORS)
}

fn good(value: Value, time: Option<i64>) -> Sample {
    Sample {
        reading: Reading::Good(value),
        time: time.map(Wall),
    }
}

#[test]
fn tags_are_found_by_name() {
    let pushed = push(
        r#"{"device":"press-1","ts":1790000000000,"tags":{"temp":3.2,"mode":"run","pressure":57}}"#,
    );
    let mut pushed = pushed.unwrap();
    assert_eq!((pushed.len(), pushed[0].device), (1, DeviceIndex(1)));
    pushed[0].samples.sort_by_key(|(tag, _)| *tag);
    let run = Value::Text("run".try_into().unwrap());
    assert_eq!(
        pushed[0].samples,
        [
            (TagIndex(0), good(Value::Float(3.2), Some(TS))),
            (TagIndex(1), good(run, Some(TS))),
            (TagIndex(2), good(Value::Float(5.7), Some(TS))),
        ]
    );
}

#[test]
fn entries_come_by_device_in_the_order_of_their_time() {
    let pushed = push(
        r#"[{"device":"press-2","tags":{"temp":9}},
            {"device":"press-1","ts":1790000002,"tags":{"temp":2}},
            {"device":"press-1","tags":{"temp":3}},
            {"device":"press-1","ts":"2026-09-21T22:13:21+08:00","tags":{"temp":1}}]"#,
    )
    .unwrap();
    let of = |pushed: &Pushed| -> Vec<(f64, Option<i64>)> {
        let samples = pushed.samples.iter();
        samples
            .map(|(_, sample)| {
                let value = sample.reading.value().and_then(Value::number);
                (value.unwrap(), sample.time.map(|time| time.0))
            })
            .collect()
    };
    assert_eq!(pushed.len(), 2);
    assert_eq!(pushed[0].device, DeviceIndex(1));
    assert_eq!(
        of(&pushed[0]),
        [
            (1.0, Some(1_790_000_001_000)),
            (2.0, Some(1_790_000_002_000)),
            (3.0, None)
        ]
    );
    assert_eq!(
        (pushed[1].device, of(&pushed[1])),
        (DeviceIndex(2), vec![(9.0, None)])
    );
}

#[test]
fn a_value_of_another_type_is_a_bad_reading_and_no_mistake() {
    let pushed = push(r#"{"device":"press-1","tags":{"temp":"warm","mode":null,"pressure":"57"}}"#);
    let pushed = pushed.unwrap();
    let reading = |tag| {
        let of_tag = |(known, _): &&(TagIndex, Sample)| *known == TagIndex(tag);
        pushed[0]
            .samples
            .iter()
            .find(of_tag)
            .unwrap()
            .1
            .reading
            .clone()
    };
    assert_eq!(reading(0), Reading::Bad(Reason::WrongType));
    assert_eq!(reading(1), Reading::Bad(Reason::Missing));
    assert_eq!(reading(2), Reading::Good(Value::Float(5.7)));
    assert_eq!(pushed[0].bad(), 2);

    let beyond = push(r#"{"device":"press-1","tags":{"pressure":61}}"#).unwrap();
    let reading = &beyond[0].samples[0].1.reading;
    assert_eq!(*reading, Reading::Bad(Reason::OutOfRange));
    assert_eq!(beyond[0].bad(), 1, "the script is told");
}

#[test]
fn a_mistake_of_the_script_is_named_and_nothing_is_taken() {
    for (body, told) in [
        ("{", "the body is not JSON: EOF"),
        ("7", "write {\"device\": ID"),
        ("[7]", "entry 0: it is not an object"),
        (r#"{"tags":{}}"#, "entry 0: `device` is not the id"),
        (
            r#"{"device":"press-1"}"#,
            "entry 0: `tags` is not an object",
        ),
        (
            r#"{"device":"press-1","time":1,"tags":{}}"#,
            "`time` is none of",
        ),
        (
            r#"{"device":"press-9","tags":{}}"#,
            "no device `press-9` is pushed to",
        ),
        (
            r#"{"device":"saw","tags":{}}"#,
            "no device `saw` is pushed to",
        ),
        (
            r#"[{"device":"press-1","tags":{"temp":1}},{"device":"press-1","tags":{"tmp":1}}]"#,
            "entry 1: device `press-1` has no tag `tmp`",
        ),
        (
            r#"{"device":"press-1","ts":"noon","tags":{}}"#,
            "entry 0: `ts` is no time (malformed)",
        ),
    ] {
        let error = push(body).unwrap_err().to_string();
        assert!(error.contains(told), "{body}: {error}");
    }
    let large = format!("[{}]", vec!["{\"tags\":{}}"; 6000].join(","));
    assert_eq!(push(&large), Err(PushError::TooLarge));
    let many = format!("[{}]", vec!["{}"; MOST_ENTRIES + 1].join(","));
    assert_eq!(push(&many), Err(PushError::TooMany(MOST_ENTRIES + 1)));
}

proptest! {
    #[test]
    fn any_body_is_taken_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = samples(&body, &plant(), &DOORS);
    }

    #[test]
    fn what_is_pushed_comes_back(temp in any::<f64>(), ts in 100_000_000_000..10_000_000_000_000_i64) {
        prop_assume!(temp.is_finite());
        let body = format!("{{\"device\":\"press-2\",\"ts\":{ts},\"tags\":{{\"temp\":{temp:?}}}}}");
        let pushed = push(&body).unwrap();
        prop_assert_eq!(&pushed[0].samples, &[(TagIndex(0), good(Value::Float(temp), Some(ts)))]);
    }
}
