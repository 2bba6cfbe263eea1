//! Two gateways with one id, on a real broker.

use crate::rig::{Rig, settings, within};
use crate::server::Server;
use andon_core::own::Own;
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test]
async fn two_gateways_with_one_id_find_each_other() {
    within(async {
        let broker = Server::open().await;
        let mut first = Rig::new(settings(broker.port));
        first.start();
        first.until_reached().await;
        let mut second = Rig::new(settings(broker.port));
        assert_ne!(first.run.id, second.run.id);
        second.start();
        let found = |rig: &Rig| rig.own.holds(Own::DuplicateGateway) == Some(true);
        while !(found(&first) && found(&second)) {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_starts_again_or_comes_back_is_alone() {
    within(async {
        let mut broker = Server::open().await;
        let mut rig = Rig::new(settings(broker.port));
        rig.start();
        rig.until_reached().await;
        let dir = rig.stop().await;
        let mut rig = Rig::in_dir(dir, settings(broker.port));
        rig.start();
        rig.until_reached().await;
        broker.restart().await;
        rig.until_unreachable().await;
        rig.until_reached().await;
        // What is retained comes with the grant, before the records that are made now are taken.
        rig.make(3).await;
        rig.until_waiting(0).await;
        assert_eq!(rig.own.holds(Own::DuplicateGateway), None);
    })
    .await;
}
