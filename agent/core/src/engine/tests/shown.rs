//! What is shown on the gateway: links, devices and tags as they stand.

use super::*;
use alloc::format;
use serde_json::json;

impl Bench {
    /// The status cannot be read.
    fn status_fails(&mut self, ms: u64, reason: Reason) {
        self.pass(ms - 1);
        let samples = [(TagIndex(0), Reading::Bad(reason).into())];
        self.engine
            .handle_readings(DeviceIndex(0), at(ms), &samples);
        self.drain();
    }
}

fn tags(bench: &Bench, ms: u64) -> serde_json::Value {
    let tags: Vec<_> = bench.engine.tags(DeviceIndex(0), at(ms)).collect();
    serde_json::to_value(tags).unwrap()
}

fn device(bench: &Bench, ms: u64) -> serde_json::Value {
    let mut devices = bench.engine.devices(at(ms));
    serde_json::to_value(devices.next().unwrap()).unwrap()
}

fn link(bench: &Bench, ms: u64) -> serde_json::Value {
    let mut links = bench.engine.links(at(ms));
    serde_json::to_value(links.next().unwrap()).unwrap()
}

#[test]
fn a_tag_shows_its_value_until_it_is_stale_and_then_none() {
    let mut bench = Bench::new();
    let never = tags(&bench, 0);
    assert_eq!(never[0]["quality"], "bad");
    assert_eq!(never[0]["reason"], "never-read");
    assert_eq!(never[0]["age_ms"], json!(null));

    bench.read(1_000, [2, 100, 0]);
    assert_eq!(
        tags(&bench, 1_500)[1],
        json!({
            "device": "press-1", "tag": "good", "value": 100, "quality": "good", "reason": null,
            "age_ms": 500, "unit": "", "every_ms": 1000,
        })
    );
    let stale = &tags(&bench, 1_000 + STALE)[1];
    assert_eq!(stale["value"], json!(null), "an old value is no value");
    assert_eq!(stale["quality"], "bad");
    assert_eq!(stale["reason"], "stale");
    assert_eq!(stale["age_ms"], STALE);
}

#[test]
fn a_bad_reading_is_shown_with_its_reason_and_age() {
    let mut bench = Bench::new();
    bench.read(1_000, [2, 100, 0]);
    bench.fail(2_000);
    let bad = &tags(&bench, 2_250)[1];
    assert_eq!(bad["value"], json!(null));
    assert_eq!(bad["reason"], "timeout");
    assert_eq!(bad["age_ms"], 250, "of the newest reading, good or bad");
    let device = device(&bench, 2_250);
    assert_eq!(device["age_ms"], 1_250, "of the newest good reading");
    assert_eq!(device["tags_bad"], 3);
    assert_eq!(device["bad"][0]["tag"], "status");
}

#[test]
fn a_device_shows_what_it_does_and_since_when() {
    let mut bench = Bench::new();
    bench.read(1_000, [7, 0, 0]);
    let shown = device(&bench, 1_200);
    assert_eq!(shown["state"], "faulted");
    assert_eq!(shown["since_ms"], WALL + 1_000);
    assert_eq!(shown["code"], 7);
    assert_eq!(shown["cause"], "light curtain");
    assert_eq!(shown["quality"], "good");
    assert_eq!(shown["link"], "plc");
    assert_eq!(shown["bad"], json!([]));
}

#[test]
fn another_reason_of_a_bad_status_is_told_once_it_is_no_accident() {
    let mut bench = Bench::new();
    bench.read(1_000, [2, 0, 0]);
    let state = Current::State(DeviceIndex(0));
    let mut told = |ms: u64, reason| {
        bench.published.clear();
        bench.status_fails(ms, reason);
        let quality = bench.engine.state(DeviceIndex(0)).unwrap().quality;
        let reason = quality.reason().map(|reason| format!("{reason}"));
        (reason.unwrap_or_default(), bench.published.contains(&state))
    };
    let (timeout, refused) = (Reason::Timeout, Reason::Exception(2));
    for ms in [2_000, 3_000] {
        assert!(!told(ms, timeout).1, "it may come back before it is stale");
    }
    assert_eq!(told(5_000, timeout), ("timeout".into(), true));
    // By turns they are one trouble, told twice another one.
    for (ms, reason) in [(6_000, refused), (7_000, timeout), (8_000, refused)] {
        assert_eq!(told(ms, reason), ("timeout".into(), false));
    }
    assert_eq!(told(9_000, refused), ("exception-2".into(), true));
    assert_eq!(told(10_000, timeout), ("exception-2".into(), false));
    assert_eq!(told(11_000, timeout), ("timeout".into(), true));
    let journal = |record: &&Record| matches!(&record.body, Body::Event(Event::State { .. }));
    assert_eq!(
        bench.records.iter().filter(journal).count(),
        2,
        "the state is the same"
    );
}

#[test]
fn a_link_shows_since_when_and_why_it_is_down() {
    let mut bench = Bench::new();
    let unknown = link(&bench, 0);
    assert_eq!(unknown["up"], json!(null), "it has said nothing yet");
    bench
        .engine
        .handle_link(LinkIndex(0), at(1_000), true, None);
    bench.read(1_000, [2, 0, 0]);
    let up = link(&bench, 1_500);
    assert_eq!((&up["up"], &up["devices_bad"]), (&json!(true), &json!(0)));
    let why = Some(String::from("closed by the device"));
    bench
        .engine
        .handle_link(LinkIndex(0), at(2_000), false, why.clone());
    // Told again it is no news.
    bench
        .engine
        .handle_link(LinkIndex(0), at(3_000), false, None);
    let down = link(&bench, 60_000);
    assert_eq!(down["up"], false);
    assert_eq!(down["since_ms"], WALL + 2_000);
    assert_eq!(down["why"], json!(why));
    assert_eq!(
        (&down["devices"], &down["devices_bad"]),
        (&json!(1), &json!(1))
    );
}
