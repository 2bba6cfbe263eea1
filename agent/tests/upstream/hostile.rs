//! Brokers that acknowledge nothing, too much, in any order, or break off.

use crate::fake::FakeBroker;
use crate::rig::{Rig, json, seq, settings, summary, within};
use rumqttc::Publish;
use std::time::Duration;

fn seqs(records: &[Publish]) -> Vec<u64> {
    records.iter().map(seq).collect()
}

#[tokio::test]
async fn nothing_is_published_before_the_connection_is_accepted() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(1).await;
        rig.start();
        let mut peer = broker.connected().await;
        let early = tokio::time::timeout(Duration::from_millis(200), peer.publish()).await;
        assert!(early.is_err(), "{early:?}");
        rig.journal(1).await;
        peer.accept(false).await;
        for record in peer.records(2).await {
            assert_eq!(
                json(&record)["historical"],
                true,
                "made before this connection"
            );
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn without_acknowledgement_nothing_is_deleted_and_the_connection_is_rebuilt() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut settings = settings(broker.port);
        settings.ack_timeout = Duration::from_millis(300);
        let mut rig = Rig::new(settings);
        rig.journal(5).await;
        rig.start();
        for _ in 0..3 {
            let mut stalled = broker.accepted(false).await;
            while stalled.publish().await.is_some() {}
            assert_eq!(rig.waiting().await, [1, 2, 3, 4, 5]);
        }
        let why = rig.until_unreachable().await;
        assert!(why.contains("acknowledged nothing for 300 ms"), "{why}");

        let mut healthy = broker.accepted(false).await;
        let records = healthy.records(5).await;
        assert_eq!(seqs(&records), [1, 2, 3, 4, 5]);
        healthy
            .ack(&records.iter().map(|record| record.pkid).collect::<Vec<_>>())
            .await;
        rig.until_waiting(0).await;
        rig.until_reached().await;
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_acknowledgement_deletes_exactly_what_it_is_for() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(6).await;
        rig.start();
        let mut peer = broker.accepted(false).await;
        let records = peer.records(6).await;
        for (taken, left) in [
            (4, vec![1, 2, 3, 4, 6]),
            (1, vec![1, 3, 4, 6]),
            (5, vec![1, 3, 4]),
        ] {
            peer.ack(&[records[taken].pkid]).await;
            rig.until_waiting(left.len() as u64).await;
            assert_eq!(rig.waiting().await, left);
        }
        rig.stop().await;
    })
    .await;
}

/// Packet ids are reused after 100: a broker that acknowledges backwards must not make the agent
/// delete one record for another.
#[tokio::test]
async fn a_broker_that_acknowledges_backwards_gets_every_record() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(500).await;
        rig.start();
        let mut peer = broker.accepted(false).await;
        let mut expected = 1;
        for _ in 0..20 {
            let records = peer.records(20).await;
            for record in &records {
                assert_eq!(seq(record), expected);
                expected += 1;
            }
            peer.ack(
                &records
                    .iter()
                    .rev()
                    .map(|record| record.pkid)
                    .collect::<Vec<_>>(),
            )
            .await;
            rig.until_waiting(501 - expected).await;
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_oldest_unacknowledged_record_bounds_how_far_ahead_others_go() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut settings = settings(broker.port);
        settings.window = 8;
        let mut rig = Rig::new(settings);
        rig.journal(20).await;
        rig.start();
        let mut peer = broker.accepted(false).await;
        let first = peer.record().await.unwrap();
        // Of a window of 8 two places are kept for what is live.
        for _ in 1..6 {
            let later = peer.record().await.unwrap();
            peer.ack(&[later.pkid]).await;
        }
        rig.until_waiting(15).await;
        let ahead = tokio::time::timeout(Duration::from_millis(200), peer.record()).await;
        assert!(ahead.is_err(), "{ahead:?}");
        peer.ack(&[first.pkid]).await;
        assert_eq!(seq(&peer.record().await.unwrap()), 7);
        rig.stop().await;
    })
    .await;
}

/// However slow the broker is with the backlog: places are kept for what is live.
#[tokio::test]
async fn what_is_made_now_goes_before_what_waited() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        let waiting = (0..500).map(|_| summary("press-1"));
        rig.make_of(waiting.collect()).await;
        rig.start();
        let mut peer = broker.accepted(false).await;
        let mut sent = peer.records(24).await;
        rig.journal(2).await;
        sent.extend(peer.records(2).await);
        assert_eq!(seqs(&sent[24..]), [501, 502], "nothing was acknowledged");
        // The two places that were kept are free again before the backlog goes on.
        peer.ack(&[sent[0].pkid, sent[1].pkid]).await;
        for at in 2..478 {
            peer.ack(&[sent[at].pkid]).await;
            sent.push(peer.record().await.unwrap());
        }
        let mut backlog = seqs(&sent);
        backlog.retain(|seq| *seq <= 500);
        assert_eq!(backlog, (1..=500).collect::<Vec<_>>());
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn acknowledgements_nobody_asked_for_delete_nothing() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(4).await;
        rig.start();
        for unknown in [77, 101, u16::MAX] {
            let mut peer = broker.accepted(false).await;
            assert_eq!(seqs(&peer.records(4).await), [1, 2, 3, 4]);
            peer.ack(&[unknown]).await;
            while peer.publish().await.is_some() {}
            assert_eq!(rig.waiting().await, [1, 2, 3, 4]);
        }
        rig.stop().await;
    })
    .await;
}

/// rumqttc breaks off at the second copy; the first one counts all the same, or such a broker
/// would be sent the same records for ever.
#[tokio::test]
async fn a_broker_that_acknowledges_twice_is_fed_none_the_less() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(3).await;
        rig.start();
        for left in [vec![2, 3], vec![3], vec![]] {
            let mut peer = broker.accepted(false).await;
            let pkid = peer.record().await.unwrap().pkid;
            peer.ack(&[pkid, pkid]).await;
            rig.until_waiting(left.len() as u64).await;
            assert_eq!(rig.waiting().await, left);
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn after_any_break_it_starts_again_at_the_head_whatever_the_broker_remembers() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(60).await;
        rig.start();
        let half_an_ack = [0x40, 0x02, 0x00];
        let garbage = [0xff, 0xff, 0xff, 0xff, 0xff];
        let nothing = [];
        let mut expected: Vec<u64> = (1..=10).collect();
        for session_present in [false, true] {
            for last_words in [&half_an_ack[..], &garbage[..], &nothing[..]] {
                let mut peer = broker.accepted(session_present).await;
                assert!(peer.connect.clean_session);
                let records = peer.records(10).await;
                assert_eq!(seqs(&records), expected);
                // The third alone is acknowledged, then the connection breaks.
                peer.ack(&[records[2].pkid]).await;
                rig.until_waiting(59 - (expected[9] - 10)).await;
                peer.send_bytes(last_words).await;
                drop(peer);
                expected.remove(2);
                expected.push(expected[8] + 1);
            }
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_although_the_broker_does_not_take_the_goodbye() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.journal(1).await;
        rig.start();
        let mut peer = broker.accepted(false).await;
        assert_eq!(seq(&peer.record().await.unwrap()), 1);
        let dir = rig.stop().await;
        drop(dir);
        while peer.publish().await.is_some() {}
    })
    .await;
}

#[tokio::test]
async fn what_does_not_speak_mqtt_is_named() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        let mut peer = broker.connected().await;
        peer.send(&[rumqttc::mqttbytes::v4::Packet::PingResp]).await;
        let why = rig.until_unreachable().await;
        assert!(why.contains("does not speak MQTT"), "{why}");
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_stays_away_is_told_once_and_not_for_each_attempt() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        drop(broker.connected().await);
        let why = rig.until_unreachable().await;
        assert!(why.contains("it closed the connection"), "{why}");
        rig.reach.mark_unchanged();
        for _ in 0..2 {
            drop(broker.connected().await);
        }
        let mut peer = broker.connected().await;
        assert!(!rig.reach.has_changed().unwrap());
        peer.accept(false).await;
        let publish = peer.publish().await.unwrap();
        assert!(
            !rig.reach.has_changed().unwrap(),
            "reached is what acknowledges"
        );
        peer.ack(&[publish.pkid]).await;
        rig.until_reached().await;
        rig.stop().await;
    })
    .await;
}
