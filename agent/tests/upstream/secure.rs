//! TLS and passwords against a broker, with an authority made by openssl for the test.

use crate::authority::Authority;
use crate::rig::{Rig, settings, within};
use crate::server::{Door, Server};
use andon::settings::{Tls, Upstream};
use std::path::PathBuf;

pub fn tls(port: u16, ca_file: PathBuf) -> Upstream {
    let mut settings = settings(port);
    settings.broker.host = "localhost".into();
    settings.broker.tls = Some(Tls {
        ca_file: Some(ca_file),
        ..Tls::default()
    });
    settings
}

pub async fn refused(settings: Upstream) -> String {
    let mut rig = Rig::new(settings);
    rig.make(1).await;
    rig.start();
    let why = rig.until_unreachable().await;
    assert_eq!(rig.waiting().await, [1]);
    rig.stop().await;
    why
}

pub async fn delivers(settings: Upstream) {
    let mut rig = Rig::new(settings);
    rig.make(100).await;
    rig.start();
    rig.until_waiting(0).await;
    rig.stop().await;
}

#[tokio::test]
async fn records_go_through_tls() {
    within(async {
        let authority = Authority::new();
        let broker = Server::behind(Door {
            authority: Some(&authority),
            ..Door::default()
        })
        .await;
        delivers(tls(broker.port, authority.file("ca.pem"))).await;
    })
    .await;
}

#[tokio::test]
async fn the_agent_shows_its_own_certificate() {
    within(async {
        let authority = Authority::new();
        let broker = Server::behind(Door {
            authority: Some(&authority),
            asks_for_certificate: true,
            ..Door::default()
        })
        .await;
        let mut settings = tls(broker.port, authority.file("ca.pem"));
        let why = refused(settings.clone()).await;
        assert!(why.contains("wants a certificate of this gateway"), "{why}");
        let files = settings.broker.tls.as_mut().unwrap();
        files.cert_file = Some(authority.file("client.pem"));
        let why = refused(settings.clone()).await;
        assert!(
            why.contains("cert_file and key_file belong together"),
            "{why}"
        );
        settings.broker.tls.as_mut().unwrap().key_file = Some(authority.file("client.key"));
        delivers(settings).await;
    })
    .await;
}

#[tokio::test]
async fn another_authority_is_refused() {
    within(async {
        let broker = Authority::new().broker("allow_anonymous true").await;
        // Of the same name, as after an authority was made anew by the same script.
        let other = Authority::new();
        let why = refused(tls(broker.port, other.file("ca.pem"))).await;
        assert!(
            why.contains("the server's certificate (CN=broker, issued by CN=ca) was not issued by"),
            "{why}"
        );
        assert!(
            why.contains(&format!(
                "an authority in ca_file {}",
                other.file("ca.pem").display()
            )),
            "{why}"
        );
    })
    .await;
}

#[tokio::test]
async fn another_name_is_refused() {
    within(async {
        let authority = Authority::new();
        let broker = authority.broker("allow_anonymous true").await;
        let mut settings = tls(broker.port, authority.file("ca.pem"));
        settings.broker.host = "127.0.0.1".into();
        let why = refused(settings).await;
        assert!(
            why.contains("valid for localhost, and the address says 127.0.0.1"),
            "{why}"
        );
    })
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    within(async {
        let authority = Authority::new();
        let missing = authority.file("missing.pem");
        let why = refused(tls(1, missing.clone())).await;
        assert!(
            why.contains(&format!("ca_file {}", missing.display())),
            "{why}"
        );
        let key = authority.file("broker.key");
        let why = refused(tls(1, key.clone())).await;
        assert!(why.contains(&format!("ca_file {}", key.display())), "{why}");
        let mut settings = settings(1);
        settings.broker.username = Some("agent".into());
        settings.broker.password_file = Some(missing.clone());
        let why = refused(settings).await;
        assert!(
            why.contains(&format!("password_file {}", missing.display())),
            "{why}"
        );
    })
    .await;
}

/// Rotating is replacing the file: it is read anew for each connection.
#[tokio::test]
async fn a_wrong_password_is_named_and_a_replaced_one_taken_up() {
    within(async {
        let broker = Server::behind(Door {
            user: Some(("agent", "right")),
            ..Door::default()
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        std::fs::write(&password, "wrong\n").unwrap();
        let mut settings = settings(broker.port);
        let user = dir.path().join("user");
        std::fs::write(&user, "agent\n").unwrap();
        settings.broker.username_file = Some(user);
        settings.broker.password_file = Some(password.clone());
        let mut rig = Rig::new(settings);
        rig.make(1).await;
        rig.start();
        let why = rig.until_unreachable().await;
        assert!(why.contains("check username"), "{why}");
        std::fs::write(&password, "right\n").unwrap();
        rig.until_waiting(0).await;
        rig.stop().await;
    })
    .await;
}
