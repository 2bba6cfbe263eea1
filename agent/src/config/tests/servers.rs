//! Brokers and other servers: several of them, their files, and what may not be said about them.

use super::*;
use crate::settings::Broker;

fn with(keys: &str) -> String {
    let text = LEAST.replace("broker = \"mqtts://broker.example\"", keys);
    assert_ne!(text, LEAST);
    text
}

#[track_caller]
fn upstream(keys: &str) -> crate::settings::Upstream {
    let loaded = load_text(&with(keys)).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings.upstream
}

#[track_caller]
fn refused(keys: &str, what: &str, hint: &str) {
    let report = load_text(&with(keys)).expect_err(keys);
    let entries: Vec<_> = report.entries().collect();
    assert_eq!(entries.len(), 1, "{report}");
    assert!(entries[0].message.contains(what), "{report}");
    assert!(entries[0].hint.unwrap_or("").contains(hint), "{report}");
}

#[test]
fn brokers_stand_in_a_list_and_share_their_files() {
    let several = upstream(
        "broker = [\"mqtts://a.example\", \"mqtts://[fd00::7]:8884\"]\nca_file = \"ca.pem\"\n\
         username = \"gw\"\npassword_file = \"pw\"\nkeep_alive = \"10 s\"",
    );
    assert_eq!(several.keep_alive, Duration::from_secs(10));
    let (first, others) = (&several.broker, &several.others);
    assert_eq!((first.host.as_str(), first.port), ("a.example", 8883));
    let second = Broker {
        host: "fd00::7".into(),
        port: 8884,
        ..first.clone()
    };
    assert_eq!(*others, [second]);
    let single = upstream("broker = [\"mqtt://a\"]");
    assert_eq!((single.broker.port, single.others.len()), (1883, 0));
    assert_eq!(single.keep_alive, Duration::from_secs(30));
}

#[test]
fn lists_that_cannot_be_tried_in_turn_are_refused() {
    refused("broker = []", "0 brokers", "name 1 to 8");
    let nine: Vec<String> = (1..=9).map(|n| format!("\"mqtt://b{n}\"")).collect();
    let nine = format!("broker = [{}]", nine.join(", "));
    refused(&nine, "9 brokers", "name 1 to 8");
    refused(
        "broker = [\"mqtts://a\", \"mqtt://b\"]",
        "one broker with TLS and one without",
        "`mqtts://` in all",
    );
    refused(
        "broker = [\"mqtt://a\", \"mqtt://a:1883\"]",
        "the same broker twice",
        "leave one",
    );
    refused(
        "broker = [\"mqtt://a\", \"http://b\"]",
        "`http://b` is not the address of a broker",
        "mqtt://",
    );
    refused("broker = 7", "`broker` is an integer", "a list of them");
}

#[test]
fn what_belongs_to_tls_needs_tls() {
    for key in ["ca_file", "crl_file", "alpn"] {
        let keys = format!("broker = \"mqtt://a\"\n{key} = \"x\"");
        refused(&keys, "this is for TLS, and the address is not", "mqtts://");
    }
    refused(
        "broker = \"mqtts://a\"\ncert_file = \"x\"",
        "a certificate without its key",
        "key_file",
    );
    let revoked =
        upstream("broker = \"mqtts://a\"\ncrl_file = \"revoked.crl\"\nalpn = \"x-amzn-mqtt-ca\"");
    let tls = revoked.broker.tls.unwrap();
    assert_eq!(tls.crl_file, Some("/etc/andon/revoked.crl".into()));
    assert_eq!(tls.alpn.as_deref(), Some("x-amzn-mqtt-ca"));
    refused(
        "broker = \"mqtts://a\"\nalpn = \"a b\"",
        "not the name of a protocol",
        "mqtt",
    );
}

#[test]
fn user_and_password_come_from_files_or_from_systemd() {
    let broker = upstream(
        "broker = \"mqtts://a\"\nusername_file = \"user\"\n\
         password_file = \"$CREDENTIALS_DIRECTORY/broker\"\ncert_file = \"gw.pem\"\n\
         key_file = \"$CREDENTIALS_DIRECTORY/gw.key\"",
    )
    .broker;
    assert_eq!(broker.username_file, Some("/etc/andon/user".into()));
    assert_eq!(
        broker.password_file,
        Some("$CREDENTIALS_DIRECTORY/broker".into())
    );
    let tls = broker.tls.unwrap();
    assert_eq!(tls.key_file, Some("$CREDENTIALS_DIRECTORY/gw.key".into()));
    refused(
        "broker = \"mqtt://a\"\nusername = \"a\"\nusername_file = \"b\"",
        "there are two user names",
        "leave `username`",
    );
    refused(
        "broker = \"mqtt://a\"\npassword_file = \"b\"",
        "a password without a user name",
        "username",
    );
    for path in [
        "$HOME/b",
        "$CREDENTIALS_DIRECTORY",
        "$CREDENTIALS_DIRECTORY/../b",
    ] {
        let keys = format!("broker = \"mqtt://a\"\nusername = \"a\"\npassword_file = \"{path}\"");
        refused(
            &keys,
            "is not the name of a file",
            "$CREDENTIALS_DIRECTORY/NAME",
        );
    }
}

#[test]
fn nothing_switches_verification_off() {
    for key in [
        "insecure",
        "tls_insecure",
        "insecure_skip_verify",
        "verify",
        "allow_self_signed",
    ] {
        for value in ["true", "false"] {
            let keys = format!("broker = \"mqtts://a\"\n{key} = {value}");
            refused(&keys, "certificates are always verified", "`ca_file`");
        }
    }
}
