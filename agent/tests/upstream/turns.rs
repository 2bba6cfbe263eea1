//! Several brokers, tried in turn; and TLS, which waits for a clock that is not set.

use crate::authority::Authority;
use crate::fake::FakeBroker;
use crate::mosquitto::free_port;
use crate::rig::{Rig, seq, settings, within};
use crate::secure::tls;
use crate::server::Server;
use andon::settings::Upstream;
use andon_core::time::ClockState;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

fn brokers(ports: &[u16]) -> Upstream {
    let mut all = ports.iter().map(|port| settings(*port));
    let mut first = all.next().unwrap();
    first.others = all.map(|settings| settings.broker).collect();
    first
}

#[tokio::test]
async fn where_the_first_does_not_answer_the_next_gets_everything() {
    within(async {
        let broker = Server::open().await;
        let mut rig = Rig::new(brokers(&[free_port(), free_port(), broker.port]));
        rig.make(100).await;
        rig.start();
        rig.until_waiting(0).await;
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn when_none_answers_it_is_told_of_each() {
    within(async {
        let ports = [free_port(), free_port()];
        let mut rig = Rig::new(brokers(&ports));
        rig.start();
        let why = rig.until_unreachable().await;
        for port in ports {
            let expected = format!("127.0.0.1:{port}: nothing listens there");
            assert!(why.contains(&expected), "{why}");
        }
        rig.stop().await;
    })
    .await;
}

/// One that hangs is no better than one that is away.
#[tokio::test]
async fn one_that_acknowledges_nothing_is_passed_over() {
    within(async {
        let (hangs, works) = (FakeBroker::start().await, FakeBroker::start().await);
        let mut settings = brokers(&[hangs.port, works.port]);
        settings.ack_timeout = Duration::from_millis(300);
        let mut rig = Rig::new(settings);
        rig.make(1).await;
        rig.start();
        let mut stalled = hangs.accepted(false).await;
        while stalled.publish().await.is_some() {}
        let mut peer = works.accepted(false).await;
        let record = peer.record().await.unwrap();
        peer.ack(&[record.pkid]).await;
        rig.until_waiting(0).await;
        rig.until_reached().await;
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn after_the_second_is_gone_too_the_first_is_asked_first() {
    within(async {
        let (first, second) = (FakeBroker::start().await, FakeBroker::start().await);
        let mut rig = Rig::new(brokers(&[first.port, second.port]));
        rig.make(3).await;
        rig.start();
        drop(first.connected().await);
        let mut peer = second.accepted(false).await;
        let record = peer.record().await.unwrap();
        peer.ack(&[record.pkid]).await;
        rig.until_waiting(2).await;
        drop(peer);
        // What the second has not acknowledged goes to the first, and nothing else.
        let mut peer = first.accepted(false).await;
        let taken = BTreeSet::from([seq(&record)]);
        let again: BTreeSet<u64> = peer.records(2).await.iter().map(seq).collect();
        assert_eq!(again, &BTreeSet::from([1, 2, 3]) - &taken);
        rig.stop().await;
    })
    .await;
}

#[tokio::test]
async fn tls_waits_for_the_clock_to_be_set() {
    within(async {
        let authority = Authority::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut rig = Rig::new(tls(port, authority.file("ca.pem")));
        rig.change_health(|health| health.clock = ClockState::Unsynced);
        rig.start();
        let early = timeout(Duration::from_millis(300), listener.accept()).await;
        assert!(early.is_err(), "{early:?}");
        rig.change_health(|health| health.clock = ClockState::Holdover);
        listener.accept().await.unwrap();
        rig.stop().await;
    })
    .await;
}

/// There may be nobody who sets it; then certificates are judged by the latest time that is known.
#[tokio::test(start_paused = true)]
async fn tls_does_not_wait_for_ever() {
    let authority = Authority::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(tls(port, authority.file("ca.pem")));
    rig.change_health(|health| health.clock = ClockState::Unsynced);
    let began = tokio::time::Instant::now();
    rig.start();
    listener.accept().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(60));
    rig.stop().await;
}

#[tokio::test]
async fn without_tls_nothing_waits_for_the_clock() {
    within(async {
        let broker = FakeBroker::start().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.change_health(|health| health.clock = ClockState::Unsynced);
        rig.start();
        broker.connected().await;
        rig.stop().await;
    })
    .await;
}
