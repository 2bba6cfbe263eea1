//! Files that are replaced while a connection stands and is at work.

use crate::authority::{Authority, OF_A_CLIENT};
use crate::mosquitto::{Mosquitto, free_port};
use crate::rig::{Rig, json, seq, within};
use crate::secure::tls;
use crate::subscriber::Subscriber;
use andon::settings::Upstream;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// The files of a gateway, in a folder that somebody looks after.
struct Gateway {
    dir: tempfile::TempDir,
}

impl Gateway {
    fn new(authority: &Authority) -> Gateway {
        let gateway = Gateway {
            dir: tempfile::tempdir().unwrap(),
        };
        gateway.put("ca.pem", &authority.file("ca.pem"));
        gateway.put("gw.pem", &authority.file("client.pem"));
        gateway.put("gw.key", &authority.file("client.key"));
        gateway
    }

    /// Replaces a file in one step, as it should be done.
    fn put(&self, name: &str, from: &Path) {
        let new = self.dir.path().join("new");
        fs::copy(from, &new).unwrap();
        fs::rename(new, self.dir.path().join(name)).unwrap();
    }

    fn settings(&self, port: u16) -> Upstream {
        let file = |name| Some(self.dir.path().join(name));
        let mut settings = tls(port, self.dir.path().join("ca.pem"));
        let files = settings.broker.tls.as_mut().unwrap();
        (files.cert_file, files.key_file) = (file("gw.pem"), file("gw.key"));
        settings
    }
}

/// A broker that names its clients by their certificates, with an open door for the subscriber.
async fn strict(authority: &Authority) -> (Mosquitto, u16) {
    let open = free_port();
    let config = format!(
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous true\n\
         log_type all\nlistener {open} 127.0.0.1"
    );
    (authority.broker(&config).await, open)
}

/// How often the gateway was let in, by which certificate.
fn let_in(broker: &Mosquitto) -> Vec<String> {
    let log = broker.log();
    let lines = log.lines().filter(|line| line.contains(" as gw-press-1 "));
    lines
        .filter_map(|line| Some(line.split_once("u'")?.1.split_once('\'')?.0.to_owned()))
        .collect()
}

/// Makes records until the gateway is let in by this certificate.
async fn work_until(rig: &mut Rig, broker: &Mosquitto, certificate: &str) -> u64 {
    let mut made = 0;
    while let_in(broker).last().is_none_or(|last| last != certificate) {
        rig.make(3).await;
        made += 3;
        sleep(Duration::from_millis(20)).await;
    }
    made
}

#[tokio::test]
async fn a_certificate_replaced_under_load_is_taken_up_and_nothing_is_lost() {
    within(async {
        let authority = Authority::new();
        authority.issue("client-2", OF_A_CLIENT);
        let gateway = Gateway::new(&authority);
        let (broker, open) = strict(&authority).await;
        let mut subscriber = Subscriber::start(open).await;
        let mut rig = Rig::new(gateway.settings(broker.port));
        rig.start();
        let mut made = work_until(&mut rig, &broker, "client").await;

        // First the one and a while later the other: what lies between is of no use, and the
        // connection goes on.
        gateway.put("gw.pem", &authority.file("client-2.pem"));
        for _ in 0..60 {
            rig.make(3).await;
            made += 3;
            sleep(Duration::from_millis(200)).await;
        }
        gateway.put("gw.key", &authority.file("client-2.key"));
        made += work_until(&mut rig, &broker, "client-2").await;
        rig.make(30).await;
        made += 30;
        rig.until_waiting(0).await;
        assert_eq!(let_in(&broker), ["client", "client-2"]);
        rig.stop().await;

        let arrived = subscriber.drain().await;
        let (status, records): (Vec<_>, Vec<_>) = arrived
            .iter()
            .partition(|publish| publish.topic.ends_with("/status"));
        let numbers: BTreeSet<u64> = records.into_iter().map(seq).collect();
        assert_eq!(numbers, (1..=made).collect());
        // It hung up as it should be done: nobody was told that it is offline before the end.
        let said = status
            .into_iter()
            .map(|publish| json(publish)["status"].clone());
        assert_eq!(said.filter(|said| said == "offline").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_list_that_revokes_the_broker_ends_the_connection() {
    within(async {
        let authority = Authority::new();
        let gateway = Gateway::new(&authority);
        let (broker, _) = strict(&authority).await;
        let crldays = "ca -config books.cnf -gencrl -crldays 1 -out revoked.pem";
        authority.openssl(crldays);
        gateway.put("revoked.pem", &authority.file("revoked.pem"));
        let mut settings = gateway.settings(broker.port);
        let list = gateway.dir.path().join("revoked.pem");
        settings.broker.tls.as_mut().unwrap().crl_file = Some(list);
        let mut rig = Rig::new(settings);
        rig.make(3).await;
        rig.start();
        rig.until_waiting(0).await;
        rig.until_reached().await;

        authority.openssl("ca -config books.cnf -revoke broker.pem");
        authority.openssl(crldays);
        gateway.put("revoked.pem", &authority.file("revoked.pem"));
        let why = rig.until_unreachable().await;
        assert!(why.contains("has been revoked"), "{why}");
        rig.make(1).await;
        assert_eq!(rig.waiting().await, [4]);
        rig.stop().await;
    })
    .await;
}

/// The authority itself is replaced: for a while both are trusted, then only the new one is.
#[tokio::test]
async fn an_authority_is_replaced_without_a_gap() {
    within(async {
        let (old, new) = (Authority::named("old"), Authority::named("new"));
        let gateway = Gateway::new(&old);
        let mut broker = old.broker("allow_anonymous true").await;
        let mut rig = Rig::new(gateway.settings(broker.port));
        rig.make(3).await;
        rig.start();
        rig.until_waiting(0).await;

        let both = [&old, &new].map(|one| fs::read_to_string(one.file("ca.pem")).unwrap());
        let bundle = gateway.dir.path().join("bundle");
        fs::write(&bundle, both.concat()).unwrap();
        gateway.put("ca.pem", &bundle);
        for name in ["broker.pem", "broker.key"] {
            fs::copy(new.file(name), old.file(name)).unwrap();
        }
        broker.restart().await;
        rig.make(3).await;
        rig.until_waiting(0).await;

        gateway.put("ca.pem", &new.file("ca.pem"));
        broker.restart().await;
        rig.make(3).await;
        rig.until_waiting(0).await;
        rig.stop().await;
    })
    .await;
}
