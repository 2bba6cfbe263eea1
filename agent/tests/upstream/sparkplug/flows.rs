//! What an edge node does beyond the assertions: what leaves the disk when, what is historical, what
//! births hold, and what an earlier configuration has left.

use super::edge_node;
use super::evidence::{Recorder, Said, set_state, tags};
use super::wire::{Metric, Payload, Value};
use crate::fake::{FakeBroker, Peer};
use crate::mosquitto::Mosquitto;
use crate::rig::{HEAD, Rig, event, summary, within};
use crate::subscriber::Subscriber;
use andon_core::record::Event;
use prost::Message as _;
use rumqttc::mqttbytes::v4::Publish;
use std::sync::Arc;

/// Everything up to the next `status`, which nobody acknowledges.
async fn until_asked(peer: &mut Peer) -> (Vec<Publish>, u16) {
    let mut said = Vec::new();
    loop {
        let publish = peer.publish().await.expect("the connection holds");
        if publish.topic == format!("{HEAD}/status") {
            return (said, publish.pkid);
        }
        said.push(publish);
    }
}

fn metrics(publish: &Publish) -> Vec<Metric> {
    Payload::decode(&publish.payload[..]).unwrap().metrics
}

fn data<'p>(said: &'p [Publish], what: &str) -> Vec<&'p Publish> {
    let of = |publish: &&Publish| publish.topic.contains(what);
    said.iter().filter(of).collect()
}

async fn running(port: u16) -> Rig {
    let (mut rig, lost) = edge_node(tempfile::tempdir().unwrap(), port, None);
    lost.send_replace(Arc::from([false, true]));
    rig.start();
    rig
}

#[tokio::test]
async fn records_leave_the_disk_when_the_status_after_them_is_acknowledged() {
    within(async {
        let broker = FakeBroker::start().await;
        let rig = running(broker.port);
        let mut rig = rig.await;
        let mut peer = broker.accepted(false).await;
        let (births, pkid) = until_asked(&mut peer).await;
        assert_eq!(births.len(), 2);

        rig.make_of(vec![summary("press-1"), event("one")]).await;
        let (said, batch) = until_asked(&mut peer).await;
        assert_eq!(
            (data(&said, "/DDATA/").len(), data(&said, "/NDATA/").len()),
            (1, 1)
        );
        peer.ack(&[pkid]).await;
        rig.make_of(vec![event("two")]).await;
        let (_, second) = until_asked(&mut peer).await;
        assert_eq!(
            rig.waiting().await,
            [1, 2, 3],
            "the births were acknowledged, and no record was"
        );
        peer.ack(&[batch]).await;
        rig.until_waiting(1).await;
        assert_eq!(rig.waiting().await, [3]);

        drop(peer);
        let mut peer = broker.accepted(false).await;
        let (said, again) = until_asked(&mut peer).await;
        let events = data(&said, "/NDATA/");
        assert_eq!(events.len(), 1, "what was not acknowledged is sent again");
        assert!(
            metrics(events[0])
                .iter()
                .all(|metric| metric.is_historical == Some(true))
        );
        assert_ne!(again, second);
        assert_eq!(rig.waiting().await, [3]);
        peer.ack(&[again]).await;
        rig.until_waiting(0).await;
    })
    .await;
}

#[tokio::test]
async fn a_window_of_records_is_on_its_way_and_no_more() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = running(broker.port).await;
        let mut peer = broker.accepted(false).await;
        let (_, births) = until_asked(&mut peer).await;
        peer.ack(&[births]).await;
        rig.make(100).await;
        let mut said = 0;
        let mut asked = Vec::new();
        while said < 32 {
            let (records, pkid) = until_asked(&mut peer).await;
            said += data(&records, "DATA/").len();
            asked.push(pkid);
        }
        assert_eq!(said, 32, "as many as may be unacknowledged");
        // A change that is no record goes all the same; a record would have come before it.
        set_state(&rig, "faulted", "good", None);
        let publish = peer.publish().await.unwrap();
        assert!(
            metrics(&publish)
                .iter()
                .all(|metric| metric.is_historical.is_none())
        );
        assert_eq!(rig.waiting().await.len(), 100);
        peer.ack(&asked).await;
        rig.until_waiting(68).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_made_before_the_birth_is_historical_and_what_comes_after_is_not() {
    within(async {
        let broker = FakeBroker::start().await;
        let (mut rig, lost) = edge_node(tempfile::tempdir().unwrap(), broker.port, None);
        lost.send_replace(Arc::from([false, false]));
        rig.make_of(vec![event("before")]).await;
        rig.start();
        let mut recorder = Recorder::accept(&broker).await;
        recorder.until_nothing_waits(&rig).await;
        rig.make_of(vec![event("after")]).await;
        recorder.until_nothing_waits(&rig).await;
        let events = recorder
            .life
            .said()
            .filter(|said| said.what() == Some("NDATA"));
        let flags: Vec<Option<bool>> = events.map(|said| said.metrics()[0].is_historical).collect();
        assert_eq!(flags, [Some(true), None]);
    })
    .await;
}

fn value<'s>(said: &'s Said, name: &str) -> Option<&'s Value> {
    said.metric(name).expect("it is born").value.as_ref()
}

fn births<'r>(recorder: &'r Recorder, device: &str) -> Vec<&'r Said> {
    let all = recorder.life.said();
    all.filter(|said| said.what() == Some("DBIRTH") && said.device() == Some(device))
        .collect()
}

#[tokio::test]
async fn births_hold_what_holds_now_and_the_newest_window() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = running(broker.port).await;
        let mut recorder = Recorder::accept(&broker).await;
        recorder.until_status().await;
        set_state(&rig, "faulted", "good", None);
        rig.make_of(vec![
            summary("press-1"),
            tags("press-1", "temperature", 60_000),
        ])
        .await;
        recorder.until_nothing_waits(&rig).await;
        recorder.command(vec![super::evidence::rebirth()]).await;
        recorder.until_what("DBIRTH", Some("press-1")).await;

        let births = births(&recorder, "press-1");
        let [before, after] = births[..] else {
            panic!("{} births", births.len());
        };
        assert_eq!(value(before, "state/state"), None);
        assert_eq!(value(before, "kpi/1m/producing_ms"), None);
        assert_eq!(
            value(after, "state/state"),
            Some(&Value::String("faulted".into()))
        );
        assert_eq!(
            value(after, "kpi/1m/producing_ms"),
            Some(&Value::Long(60_000))
        );
        assert_eq!(value(after, "kpi/1h/producing_ms"), None);
        assert_eq!(
            value(after, "tags/1m/temperature_last"),
            Some(&Value::Double(20.5))
        );
        let window = after.metric("kpi/1m/producing_ms").unwrap();
        assert_eq!(
            window.timestamp,
            Some(1_790_000_100_000),
            "the window's end"
        );
        assert!(
            births[0].metrics().iter().all(|metric| {
                !metric
                    .name
                    .as_deref()
                    .unwrap_or_default()
                    .contains("status_")
            }),
            "a tag that stays at home has no metric"
        );
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_configuration_left_is_born_before_it_is_sent() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = running(broker.port).await;
        let mut recorder = Recorder::accept(&broker).await;
        recorder.until_status().await;
        rig.make_of(vec![
            summary("press-9"),
            tags("press-1", "no-longer", 60_000),
            event("still here"),
        ])
        .await;
        recorder.until_nothing_waits(&rig).await;
        let whats: Vec<_> = recorder
            .life
            .said()
            .map(|said| (said.what().unwrap_or_default(), said.device()))
            .collect();
        let expected = [
            ("NBIRTH", None),
            ("DBIRTH", Some("press-1")),
            // An event overtakes windows.
            ("NDATA", None),
            ("DBIRTH", Some("press-9")),
            ("DDATA", Some("press-9")),
            ("DBIRTH", Some("press-1")),
            ("DDATA", Some("press-1")),
        ];
        assert_eq!(whats, expected);
        let anew = births(&recorder, "press-1")[1];
        assert!(anew.metric("tags/1m/no-longer_mean").is_some());
        assert!(
            births(&recorder, "press-9")[0]
                .metric("kpi/1m/producing_ms")
                .is_some()
        );
    })
    .await;
}

#[tokio::test]
async fn a_record_that_is_too_large_takes_no_number_of_the_session() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = running(broker.port).await;
        let mut recorder = Recorder::accept(&broker).await;
        recorder.until_status().await;
        rig.make_of(vec![event(&"x".repeat(5_000)), event("small")])
            .await;
        recorder.until_nothing_waits(&rig).await;
        let loss = rig.losses.recv().await.unwrap();
        assert!(matches!(loss, Event::Loss { seq_from: 1, .. }), "{loss:?}");
        let seqs: Vec<_> = recorder.life.said().filter_map(Said::seq).collect();
        assert_eq!(seqs, [0, 1, 2], "two births and one event");
    })
    .await;
}

#[tokio::test]
async fn what_json_left_retained_is_cleared_and_nothing_new_is_retained() {
    within(async {
        let broker = Mosquitto::start("").await;
        let mut rig = Rig::new(crate::rig::settings(broker.port));
        set_state(&rig, "producing", "good", None);
        rig.start();
        rig.until_reached().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        subscriber.next_on("/status").await;
        let dir = rig.stop().await;

        let (mut rig, lost) = edge_node(dir, broker.port, None);
        lost.send_replace(Arc::from([false, false]));
        set_state(&rig, "producing", "good", None);
        rig.start();
        let mut cleared = Vec::new();
        while cleared.len() < 2 {
            let publish = subscriber.next().await;
            if publish.payload.is_empty() {
                cleared.push(publish.topic);
            }
        }
        rig.make(10).await;
        rig.until_waiting(0).await;
        let dir = rig.stop().await;
        let list = std::fs::read_to_string(dir.path().join("retained-topics")).unwrap();
        assert_eq!(list, "");
        let mut late = Subscriber::start(broker.port).await;
        let retained = late.drain().await;
        assert!(retained.is_empty(), "{retained:?}");
    })
    .await;
}
