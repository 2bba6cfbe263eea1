//! What goes up before and after the wall clock is set for the first time.

use crate::relay::Relay;
use crate::rig::{HEAD, Rig, event, json, settings, summary, within};
use crate::server::Server;
use crate::subscriber::Subscriber;
use andon_core::record::{Body, Record, Relabel};
use andon_core::time::{ClockState, Wall};
use rumqttc::Publish;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the clock lacked.
const BY: i64 = 1_790_000_000_000;

/// A record of a clock that was never set.
fn unset(seq: u64, body: Body) -> Record {
    let ms = i64::try_from(seq).unwrap();
    let mut record = Record {
        seq,
        n: seq,
        ts: Wall(ms),
        clock: ClockState::Unsynced,
        body,
    };
    if let Body::Summary(summary) = &mut record.body {
        (summary.start, summary.end) = (Wall(ms - 60_000), Wall(ms));
    }
    record
}

/// Numbers 1 to `count`; each fifth is an event.
fn unset_records(from: u64, to: u64) -> Vec<Record> {
    let body = |seq: u64| match seq % 5 {
        0 => event("as usual"),
        odd if odd % 2 == 1 => summary("press-1"),
        _ => summary("press-2"),
    };
    (from..=to).map(|seq| unset(seq, body(seq))).collect()
}

fn by_kind(publishes: &[Publish]) -> (Vec<u64>, Vec<u64>) {
    let of = |tail: &str| {
        let records = publishes
            .iter()
            .filter(|publish| publish.topic.starts_with(HEAD) && publish.topic.ends_with(tail));
        let seqs = records.map(|publish| json(publish)["seq"].as_u64().unwrap());
        seqs.collect::<Vec<_>>()
    };
    (of("/event"), of("/kpi/1m"))
}

async fn rig(port: u16) -> Rig {
    Rig::by_clock(tempfile::tempdir().unwrap(), settings(port), true)
}

#[tokio::test]
async fn summaries_wait_for_the_clock_and_events_do_not() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let relay = Relay::start(broker.port).await;
        let mut rig = rig(relay.port).await;
        // More than are looked at in a turn, with events behind them.
        let records = unset_records(1, 1_000);
        rig.outbox.commit(records, None, None).await.unwrap();
        rig.start();
        rig.until_waiting(800).await;
        // And so on another connection.
        relay.cut();
        relay.mend();
        let records = unset_records(1_001, 1_100);
        rig.outbox.commit(records, None, None).await.unwrap();
        rig.until_waiting(880).await;
        let before = subscriber.drain().await;
        let (events, summaries) = by_kind(&before);
        let each_fifth: Vec<u64> = (1..=220).map(|n| n * 5).collect();
        assert_eq!((events, summaries), (each_fifth, vec![]));

        let relabel = Relabel {
            seq_from: 1,
            seq_to: 1_101,
            by_ms: BY,
            clock: ClockState::Synced,
        };
        // The window that ends where the clock is set is stored together with that.
        let last = unset(1_101, summary("press-1"));
        let mut after = unset(1_102, summary("press-1"));
        (after.ts, after.clock) = (andon::clock::now().wall, ClockState::Synced);
        let set = rig
            .outbox
            .commit(vec![last, after], Some(vec![1]), Some(relabel));
        set.await.unwrap();
        rig.until_waiting(0).await;
        let publishes = subscriber.drain().await;
        let (events, summaries) = by_kind(&publishes);
        assert_eq!(events, [0; 0], "none is sent again");
        let mut sorted = summaries.clone();
        sorted.sort_unstable();
        let expected: Vec<u64> = (1..=1_102).filter(|seq| seq % 5 != 0).collect();
        assert_eq!(sorted, expected);
        let old = summaries.into_iter().filter(|seq| *seq < 1_102);
        assert!(old.is_sorted(), "their order is kept");
        for publish in publishes
            .iter()
            .filter(|publish| publish.topic.ends_with("/kpi/1m"))
        {
            let record = json(publish);
            let seq = record["seq"].as_i64().unwrap();
            let is_old = seq < 1_102;
            assert_eq!(record["historical"], is_old);
            assert_eq!(record["clock"], "synced");
            if is_old {
                assert_eq!(record["ts"], BY + seq);
                assert_eq!(record["start_ms"], BY + seq - 60_000);
                assert_eq!(record["end_ms"], BY + seq);
            }
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn of_a_clock_that_nobody_sets_they_go_after_a_day_as_they_are() {
    let broker = Server::open().await;
    let mut subscriber = Subscriber::start(broker.port).await;
    let mut rig = rig(broker.port).await;
    within(async {
        let records = unset_records(1, 300);
        rig.outbox.commit(records, None, None).await.unwrap();
        rig.start();
        rig.until_waiting(240).await;
    })
    .await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    tokio::time::resume();
    within(async {
        rig.until_waiting(0).await;
        let publishes = subscriber.drain().await;
        let (_, summaries) = by_kind(&publishes);
        let once: BTreeSet<u64> = summaries.into_iter().collect();
        assert_eq!(once.len(), 240);
        let is_summary = |publish: &&Publish| publish.topic.ends_with("/kpi/1m");
        for publish in publishes.iter().filter(is_summary) {
            assert_eq!(json(publish)["clock"], "unsynced");
            assert_eq!(json(publish)["ts"], json(publish)["seq"]);
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_run_has_left_unset_does_not_wait() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let first = rig(broker.port).await;
        let records = unset_records(1, 10);
        first.outbox.commit(records, None, None).await.unwrap();
        let dir = first.unstarted().await;
        let mut rig = Rig::by_clock(dir, settings(broker.port), true);
        let records = unset_records(1, 10);
        rig.outbox.commit(records, None, None).await.unwrap();
        rig.start();
        rig.until_waiting(8).await;
        let publishes = subscriber.drain().await;
        let (_, summaries) = by_kind(&publishes);
        assert_eq!(summaries, [1, 2, 3, 4, 6, 7, 8, 9]);
        let boots = publishes
            .iter()
            .filter(|publish| publish.topic.ends_with("/kpi/1m"));
        assert!(boots.map(json).all(|record| record["boot"] == 1));
        rig.stop().await;
    })
    .await;
}
