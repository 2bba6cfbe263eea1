//! Records through a real broker.

use crate::mosquitto::free_port;
use crate::relay::Relay;
use crate::rig::{HEAD, Rig, event, json, seq, settings, within};
use crate::server::Server;
use crate::subscriber::Subscriber;
use andon::settings::Upstream;
use andon_core::message::run_id;
use andon_core::record::{Body, Event};
use rumqttc::Publish;
use std::collections::{BTreeMap, BTreeSet};

/// What arrived: each number once, in order within its topic.
#[derive(Default)]
struct Arrived {
    seqs: BTreeSet<u64>,
    last_of: BTreeMap<String, u64>,
}

impl Arrived {
    fn take(&mut self, publishes: Vec<Publish>) {
        for publish in publishes
            .iter()
            .filter(|publish| publish.topic.starts_with(HEAD))
        {
            if publish.topic.ends_with("/status") {
                continue;
            }
            let seq = seq(publish);
            if self.seqs.insert(seq) {
                let last = self.last_of.insert(publish.topic.clone(), seq).unwrap_or(0);
                assert!(seq > last, "{seq} after {last} on {}", publish.topic);
            }
        }
    }
}

#[tokio::test]
async fn a_thousand_records_arrive_through_three_restarts_of_the_broker() {
    within(async {
        let mut broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let relay = Relay::start(broker.port).await;
        let mut rig = Rig::new(settings(relay.port));
        rig.make(600).await;
        rig.start();
        let mut arrived = Arrived::default();
        for round in 1..=3 {
            rig.outbox
                .view()
                .wait_for(|view| view.waiting <= 600 - 150 * round)
                .await
                .unwrap();
            rig.make(50).await;
            // What the broker has accepted goes to the subscriber before the broker is killed;
            // what the agent still has on its way is cut off, in the middle of a packet or not.
            relay.cut();
            arrived.take(subscriber.drain().await);
            for seq in (1..=600).filter(|seq| !arrived.seqs.contains(seq)) {
                assert!(
                    rig.waiting().await.contains(&seq),
                    "{seq} was deleted and never arrived"
                );
            }
            broker.restart().await;
            subscriber
                .subscribed_times(u32::try_from(round).unwrap() + 1)
                .await;
            relay.mend();
        }
        rig.make(250).await;
        rig.until_waiting(0).await;
        arrived.take(subscriber.drain().await);
        assert_eq!(arrived.seqs, (1..=1000).collect());
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_record_is_published_as_the_contract_says() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        rig.make(1).await;
        rig.start();
        let old = subscriber.next_on("/press-1/kpi/1m").await;
        assert_eq!(old.topic, format!("{HEAD}/press-1/kpi/1m"));
        assert!(!old.retain);
        let payload = json(&old);
        assert_eq!(payload["gateway"], "gw-press-1");
        assert_eq!(payload["run"], run_id(&rig.run));
        assert_eq!(payload["historical"], true, "made before the connection");
        rig.make_of(vec![event("new")]).await;
        let new = json(&subscriber.next_on("/event").await);
        assert_eq!(
            (&new["seq"], &new["historical"]),
            (&2.into(), &false.into())
        );
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_record_that_can_never_go_is_set_aside_and_told_and_the_others_pass() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(tight(broker.port));
        rig.make(2).await;
        rig.make_of(vec![oversize()]).await;
        rig.make(2).await;
        rig.start();
        rig.until_waiting(0).await;
        let mut arrived = Arrived::default();
        arrived.take(subscriber.drain().await);
        assert_eq!(arrived.seqs, [1, 2, 4, 5].into());
        match rig.losses.recv().await.unwrap() {
            Event::Loss {
                why,
                seq_from: 3,
                seq_to: 3,
                count: 1,
                ..
            } => {
                assert!(why.contains("max_payload is 5000"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        rig.stop().await;
    })
    .await;
}

/// The channel to the engine holds four; nothing may be set aside that cannot be told.
#[tokio::test]
async fn a_loss_that_the_engine_does_not_take_yet_stays_in_the_outbox() {
    within(async {
        let broker = Server::open().await;
        let mut rig = Rig::new(tight(broker.port));
        rig.make_of((0..6).map(|_| oversize()).collect()).await;
        rig.start();
        rig.until_waiting(2).await;
        rig.until_reached().await;
        assert_eq!(rig.waiting().await, [5, 6]);
        for expected in 1..=6 {
            match rig.losses.recv().await.unwrap() {
                Event::Loss { seq_from, .. } => assert_eq!(seq_from, expected),
                other => panic!("{other:?}"),
            }
        }
        rig.until_waiting(0).await;
        rig.stop().await;
    })
    .await;
}

/// The outbox may have to give up a record that waits to be set aside.
#[tokio::test]
async fn a_record_that_is_gone_when_it_is_set_aside_holds_up_nothing() {
    within(async {
        let broker = Server::open().await;
        let mut rig = Rig::new(tight(broker.port));
        rig.make_of((0..6).map(|_| oversize()).collect()).await;
        rig.make(1).await;
        rig.start();
        rig.until_waiting(3).await;
        let fifth = rig.outbox.read(None, 1).await.unwrap().remove(0);
        rig.outbox.acknowledge(vec![fifth.position]);
        for expected in [1, 2, 3, 4, 6] {
            match rig.losses.recv().await.unwrap() {
                Event::Loss { seq_from, .. } => assert_eq!(seq_from, expected),
                other => panic!("{other:?}"),
            }
        }
        rig.until_waiting(0).await;
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_although_there_is_no_broker() {
    within(async {
        let mut rig = Rig::new(settings(free_port()));
        rig.make(10).await;
        rig.start();
        let why = rig.until_unreachable().await;
        assert!(
            why.contains("is the broker running, is the port right?"),
            "{why}"
        );
        assert_eq!(rig.waiting().await.len(), 10);
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn options_that_rumqttc_would_panic_on_do_not_reach_it() {
    within(async {
        let broker = Server::open().await;
        for window in [0, u16::MAX] {
            let mut settings = settings(broker.port);
            settings.window = window;
            settings.max_payload = usize::MAX;
            let mut rig = Rig::new(settings);
            rig.make(300).await;
            rig.start();
            rig.until_waiting(0).await;
            rig.stop().await;
        }
    })
    .await;
}

/// Fits into the outbox and not into [`tight`].
fn oversize() -> Body {
    event(&"x".repeat(6_000))
}

fn tight(port: u16) -> Upstream {
    Upstream {
        max_payload: 5_000,
        ..settings(port)
    }
}
