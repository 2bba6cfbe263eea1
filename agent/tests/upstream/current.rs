//! Current values, last will and goodbye.

use crate::fake::FakeBroker;
use crate::relay::Relay;
use crate::rig::{HEAD, Rig, json, settings, within};
use crate::server::Server;
use crate::subscriber::Subscriber;
use andon_core::message::run_id;
use std::collections::BTreeMap;
use std::time::Duration;

fn set(rig: &Rig, tail: &str, payload: &str) {
    rig.current.set(tail.to_owned(), Some(payload.into()));
}

/// What a newcomer is told: the retained messages by topic below the gateway.
async fn retained(port: u16) -> BTreeMap<String, Vec<u8>> {
    let mut newcomer = Subscriber::start(port).await;
    let told = newcomer.drain().await;
    told.into_iter()
        .map(|publish| {
            (
                publish.topic.replace(&format!("{HEAD}/"), ""),
                publish.payload.to_vec(),
            )
        })
        .collect()
}

#[tokio::test]
async fn on_every_connect_all_current_values_come_before_the_first_record() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut settings = settings(broker.port);
        settings.window = 2;
        let mut rig = Rig::new(settings);
        rig.make(3).await;
        for number in 1..=5 {
            set(&rig, &format!("press-{number}/state"), "{}");
        }
        rig.start();
        for _ in 0..2 {
            let mut peer = broker.accepted(false).await;
            let mut topics = Vec::new();
            loop {
                let publish = peer.publish().await.unwrap();
                if !publish.retain {
                    break;
                }
                topics.push(publish.topic.replace(&format!("{HEAD}/"), ""));
                peer.ack(&[publish.pkid]).await;
            }
            let expected = [1, 2, 3, 4, 5].map(|number| format!("press-{number}/state"));
            assert_eq!(topics[..5], expected);
            assert_eq!(topics[5], "status");
        }
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_change_goes_out_as_it_comes_and_is_retained() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        subscriber.next_on("/status").await;
        for payload in ["1", "2"] {
            set(&rig, "press-1/state", payload);
            assert_eq!(subscriber.next_on("/press-1/state").await.payload, payload);
        }
        assert_eq!(retained(broker.port).await["press-1/state"], b"2");
        rig.current.set("press-1/state".into(), None);
        assert_eq!(subscriber.next_on("/press-1/state").await.payload, "");
        assert!(!retained(broker.port).await.contains_key("press-1/state"));
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_longer_configured_is_cleared() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        set(&rig, "press-1/info", "1");
        set(&rig, "press-2/info", "2");
        rig.start();
        subscriber.next_on("/status").await;
        let dir = rig.stop().await;

        let mut rig = Rig::in_dir(dir, settings(broker.port));
        set(&rig, "press-1/info", "3");
        rig.start();
        assert_eq!(subscriber.next_on("/press-1/info").await.payload, "3");
        assert_eq!(
            retained(broker.port).await["press-2/info"],
            b"2",
            "not before it is settled"
        );
        rig.current.settled();
        assert_eq!(subscriber.next_on("/press-2/info").await.payload, "");
        let topics: Vec<_> = retained(broker.port).await.into_keys().collect();
        assert_eq!(topics, ["press-1/info", "status"]);
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_broken_connection_leaves_the_last_will_of_this_run() {
    within(async {
        let broker = Server::open().await;
        let relay = Relay::start(broker.port).await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(relay.port));
        rig.start();
        let online = json(&subscriber.next_on("/status").await);
        assert_eq!(
            (&online["status"], &online["links_up"]),
            (&"online".into(), &2.into())
        );
        relay.cut();
        let will = json(&subscriber.next_on("/status").await);
        assert_eq!(will["status"], "offline");
        assert_eq!(will["run"], run_id(&rig.run));
        relay.mend();
        assert_eq!(
            json(&subscriber.next_on("/status").await)["status"],
            "online"
        );
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_says_goodbye_and_leaves_no_will() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        subscriber.next_on("/status").await;
        rig.stop().await;
        let goodbye = json(&subscriber.next_on("/status").await);
        assert_eq!(
            (&goodbye["status"], &goodbye["waiting"]),
            (&"offline".into(), &0.into())
        );
        assert_eq!(subscriber.drain().await, [], "a will after the goodbye");
        let kept = retained(broker.port).await.remove("status").unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&kept).unwrap(),
            goodbye
        );
    })
    .await;
}

#[tokio::test]
async fn status_follows_the_health_of_the_gateway() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        subscriber.next_on("/status").await;
        rig.change_health(|health| health.links_down = 1);
        assert_eq!(json(&subscriber.next_on("/status").await)["links_down"], 1);
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_current_value_that_is_too_large_holds_up_nothing() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        set(&rig, "press-1/info", &"x".repeat(10_001));
        set(&rig, "press-2/info", "2");
        rig.make(1).await;
        rig.start();
        rig.until_waiting(0).await;
        let topics: Vec<_> = subscriber
            .drain()
            .await
            .into_iter()
            .map(|it| it.topic)
            .collect();
        assert!(
            topics.contains(&format!("{HEAD}/press-2/info")),
            "{topics:?}"
        );
        assert!(
            !topics.contains(&format!("{HEAD}/press-1/info")),
            "{topics:?}"
        );
        rig.stop().await;
    })
    .await;
}

/// Many quick changes of one topic leave the last one at the broker, and hold up no record.
#[tokio::test]
async fn quick_changes_end_with_the_newest() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        for number in 1..=1000 {
            set(&rig, "press-1/state", &number.to_string());
            if number % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        rig.make(3).await;
        rig.until_waiting(0).await;
        while subscriber.next_on("/press-1/state").await.payload != "1000" {}
        assert_eq!(retained(broker.port).await["press-1/state"], b"1000");
        rig.stop().await;
    })
    .await;
}
