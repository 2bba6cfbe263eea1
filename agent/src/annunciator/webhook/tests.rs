//! What is made here for other tests, and what is read from headers and files.

use super::*;
use crate::settings::{Product, Tls};
use andon_core::time::Wall;
use hyper::header::{HeaderName, HeaderValue};

pub(super) fn webhook(product: Product) -> Webhook {
    Webhook {
        name: "line-a".into(),
        product,
        place: Place::Open(Address::parse("http://127.0.0.1:9/hook").unwrap()),
        secret_file: None,
        token_file: None,
        keyword: None,
        mention: Vec::new(),
        timeout: Duration::from_secs(15),
        tls: Tls::default(),
    }
}

pub(super) fn message(text: &str) -> Message {
    let fields = serde_json::json!({ "id": "press-1.fault", "occurrence": 3 });
    Message {
        id: "gw-1-7".into(),
        about: Some("press-1.fault.3".into()),
        is_first: true,
        is_urgent: true,
        subject: text.lines().next().unwrap_or("").to_owned(),
        text: text.to_owned(),
        fields: fields.as_object().unwrap().clone(),
        at: Wall(1_790_000_100_000),
    }
}

fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

#[test]
fn the_time_of_a_server_is_read() {
    // RFC 9110, §5.6.7.
    let at = |text| date(&headers(DATE, text));
    assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
    assert_eq!(at("yesterday"), None);
}

#[test]
fn a_wish_to_be_left_alone_has_a_limit() {
    let of = |text| after(&headers(RETRY_AFTER, text));
    assert_eq!(of("120"), Some(Duration::from_secs(120)));
    assert_eq!(of("86400"), Some(LONGEST_PAUSE));
    assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), None);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_without_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    let mut hook = webhook(Product::Wecom);
    hook.place = Place::File(file.clone());
    let why = |told: Told| match told {
        Told::Failed { why, .. } => why,
        other => panic!("{other:?}"),
    };
    assert!(why(send(&hook, &message("x")).await).contains("url_file"));
    for wrong in ["key=693a91f6", "", "https://a/?key=693a91f6\nhttps://b/"] {
        std::fs::write(&file, wrong).unwrap();
        let why = why(send(&hook, &message("x")).await);
        assert!(why.contains("it must hold"), "{why}");
        assert!(!why.contains("693a91f6"), "{why}");
    }
    // A byte order mark and a line end are what editors add.
    std::fs::write(&file, "\u{feff}http://127.0.0.1:9/send?key=693a91f6\r\n").unwrap();
    let why = why(send(&hook, &message("x")).await);
    assert!(why.contains("127.0.0.1:9: nothing listens there"), "{why}");
    assert!(!why.contains("693a91f6"), "{why}");
}
