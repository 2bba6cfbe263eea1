//! Certificates that must be refused, each with a message that says which and why, and those beside
//! them that must not.

use crate::authority::{Authority, OF_A_BROKER, OF_A_CLIENT};
use crate::secure::{delivers, refused, tls};
use andon::settings::Upstream;
use rustls::server::Acceptor;
use std::fs;
use std::path::PathBuf;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::rig::{Rig, within};

/// Puts `name` where the broker's certificate is.
fn shown(authority: &Authority, name: &str) {
    for end in ["pem", "key"] {
        let from = authority.file(&format!("{name}.{end}"));
        fs::rename(from, authority.file(&format!("broker.{end}"))).unwrap();
    }
}

fn with_list(port: u16, authority: &Authority, list: PathBuf) -> Upstream {
    let mut settings = tls(port, authority.file("ca.pem"));
    settings.broker.tls.as_mut().unwrap().crl_file = Some(list);
    settings
}

/// The list of what is revoked; when the next one is due, as openssl has it.
fn list(authority: &Authority, next: &str) -> PathBuf {
    authority.openssl(&format!(
        "ca -config books.cnf -gencrl {next} -out revoked.pem"
    ));
    authority.file("revoked.pem")
}

#[tokio::test]
async fn one_that_has_expired_is_refused() {
    within(async {
        let authority = Authority::new();
        let past = "-startdate 20260101000000Z -enddate 20260201030405Z";
        authority.issue_for("old", OF_A_BROKER, past);
        shown(&authority, "old");
        let broker = authority.broker("allow_anonymous true").await;
        let why = refused(tls(broker.port, authority.file("ca.pem"))).await;
        let expected = "the server's certificate (CN=old, issued by CN=ca) has expired: it was valid \
                        until 2026-02-01 03:04 UTC, and it is ";
        assert!(why.contains(expected), "{why}");
    })
    .await;
}

#[tokio::test]
async fn one_that_is_not_valid_yet_is_refused() {
    within(async {
        let authority = Authority::new();
        let coming = "-startdate 20400101030405Z -enddate 20410101000000Z";
        authority.issue_for("new", OF_A_BROKER, coming);
        shown(&authority, "new");
        let broker = authority.broker("allow_anonymous true").await;
        let why = refused(tls(broker.port, authority.file("ca.pem"))).await;
        let expected = "the server's certificate (CN=new, issued by CN=ca) is not valid yet: it is from \
                        2040-01-01 03:04 UTC on, and here it is ";
        assert!(why.contains(expected), "{why}");
        assert!(why.contains("check the gateway's clock"), "{why}");
    })
    .await;
}

#[tokio::test]
async fn one_for_another_purpose_is_refused() {
    within(async {
        let authority = Authority::new();
        let client = format!("{OF_A_BROKER}\n{OF_A_CLIENT}");
        authority.issue("thief", &client);
        shown(&authority, "thief");
        let broker = authority.broker("allow_anonymous true").await;
        let why = refused(tls(broker.port, authority.file("ca.pem"))).await;
        assert!(
            why.contains("(CN=thief, issued by CN=ca) cannot be accepted"),
            "{why}"
        );
    })
    .await;
}

/// The fault of an authority between must not be laid at the door of the broker.
#[tokio::test]
async fn of_a_chain_the_one_that_has_expired_is_named() {
    within(async {
        let authority = Authority::new();
        let past = "-startdate 20260101000000Z -enddate 20260201000000Z";
        authority.issue_for("between", "basicConstraints=critical,CA:true", past);
        authority.openssl(
            "x509 -req -in broker.csr -CA between.pem -CAkey between.key -CAcreateserial -days 2 \
             -extfile names -out leaf.pem",
        );
        let chain = ["leaf.pem", "between.pem"].map(|name| {
            let file = authority.file(name);
            fs::read_to_string(file).unwrap()
        });
        fs::write(authority.file("broker.pem"), chain.concat()).unwrap();
        let broker = authority.broker("allow_anonymous true").await;
        let why = refused(tls(broker.port, authority.file("ca.pem"))).await;
        assert!(
            why.contains("(CN=between, issued by CN=ca) has expired"),
            "{why}"
        );
    })
    .await;
}

#[tokio::test]
async fn one_that_is_revoked_is_refused_and_another_one_is_not() {
    within(async {
        let authority = Authority::new();
        let broker = authority.broker("allow_anonymous true").await;
        authority.openssl("ca -config books.cnf -revoke client.pem");
        let other = list(&authority, "-crldays 1");
        delivers(with_list(broker.port, &authority, other)).await;

        // Authorities publish DER.
        authority.openssl("crl -in revoked.pem -outform DER -out revoked.der");
        delivers(with_list(broker.port, &authority, authority.file("revoked.der"))).await;

        authority.openssl("ca -config books.cnf -revoke broker.pem");
        let revoked = list(&authority, "-crldays 1");
        let why = refused(with_list(broker.port, &authority, revoked.clone())).await;
        let expected = format!(
            "the server's certificate (CN=broker, issued by CN=ca) has been revoked, says crl_file {}",
            revoked.display()
        );
        assert!(why.contains(&expected), "{why}");
    })
    .await;
}

/// A list that is out of date, or of somebody else, says nothing about a certificate.
#[tokio::test]
async fn a_list_that_says_nothing_about_it_lets_nobody_in() {
    within(async {
        let authority = Authority::new();
        let broker = authority.broker("allow_anonymous true").await;
        let past = "-crl_lastupdate 20260101000000Z -crl_nextupdate 20260201030405Z";
        let outdated = list(&authority, past);
        let why = refused(with_list(broker.port, &authority, outdated.clone())).await;
        let expected = format!(
            "the list in crl_file {} is out of date (CN=ca, valid until 2026-02-01 03:04 UTC)",
            outdated.display()
        );
        assert!(why.contains(&expected), "{why}");

        let elsewhere = Authority::named("elsewhere");
        let foreign = list(&elsewhere, "-crldays 1");
        let why = refused(with_list(broker.port, &authority, foreign)).await;
        assert!(
            why.contains("has no list of the authority that issued it"),
            "{why}"
        );
        assert!(why.contains("only of CN=elsewhere"), "{why}");

        fs::write(authority.file("revoked.pem"), "nothing").unwrap();
        let why = refused(with_list(
            broker.port,
            &authority,
            authority.file("revoked.pem"),
        ))
        .await;
        assert!(
            why.contains("there is no list of revoked certificates in it"),
            "{why}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_the_broker_does_not_like_about_ours_is_told_with_its_name() {
    within(async {
        let authority = Authority::new();
        let broker = authority
            .broker("allow_anonymous true\nrequire_certificate true")
            .await;
        let elsewhere = Authority::named("elsewhere");
        let past = "-startdate 20260101000000Z -enddate 20260201030405Z";
        authority.issue_for("old", OF_A_CLIENT, past);
        for (from, name, expected) in [
            (
                &authority,
                "old",
                "CN=old, issued by CN=ca, expired since 2026-02-01 03:04 UTC",
            ),
            (&elsewhere, "client", "CN=client, issued by CN=elsewhere"),
        ] {
            let mut settings = tls(broker.port, authority.file("ca.pem"));
            let files = settings.broker.tls.as_mut().unwrap();
            files.cert_file = Some(from.file(&format!("{name}.pem")));
            files.key_file = Some(from.file(&format!("{name}.key")));
            let why = refused(settings).await;
            let file = from.file(&format!("{name}.pem"));
            let expected = format!("cert_file: {} ({expected})", file.display());
            assert!(
                why.contains(&expected) || why.contains(&expected.replace("file:", "file")),
                "{why}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_found_before_anybody_is_asked() {
    within(async {
        let authority = Authority::new();
        let mut settings = tls(1, authority.file("ca.pem"));
        let files = settings.broker.tls.as_mut().unwrap();
        files.cert_file = Some(authority.file("client.pem"));
        files.key_file = Some(authority.file("broker.key"));
        let why = refused(settings).await;
        assert!(
            why.contains("it is not the certificate of the key in key_file"),
            "{why}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_does_not_speak_tls_is_named() {
    within(async {
        let authority = Authority::new();
        let plain = crate::mosquitto::Mosquitto::start("").await;
        let why = refused(tls(plain.port, authority.file("ca.pem"))).await;
        assert!(
            why.contains("closed the connection") || why.contains("does not speak TLS"),
            "{why}"
        );
    })
    .await;
}

/// What a load balancer or a broker with several names decides by, before anything is encrypted.
#[tokio::test]
async fn the_broker_hears_which_name_and_which_protocol_are_wanted() {
    within(async {
        let authority = Authority::new();
        for (alpn, expected) in [
            (None, None),
            (Some("x-amzn-mqtt-ca"), Some("x-amzn-mqtt-ca")),
        ] {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut settings = tls(port, authority.file("ca.pem"));
            settings.broker.tls.as_mut().unwrap().alpn = alpn.map(Into::into);
            let mut rig = Rig::new(settings);
            rig.start();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut acceptor = Acceptor::default();
            let accepted = loop {
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).await.unwrap();
                acceptor.read_tls(&mut &bytes[..read]).unwrap();
                if let Some(accepted) = acceptor.accept().unwrap() {
                    break accepted;
                }
            };
            let hello = accepted.client_hello();
            assert_eq!(hello.server_name(), Some("localhost"));
            let asked = hello.alpn().map(|mut asked| asked.next().unwrap().to_vec());
            assert_eq!(asked.as_deref(), expected.map(str::as_bytes));
            drop(stream);
            rig.stop().await;
        }
    })
    .await;
}
