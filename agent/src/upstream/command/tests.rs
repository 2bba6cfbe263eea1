//! What is made of messages on the command topics.

use super::*;
use crate::run::Wanted;
use andon_core::time::{ClockState, Mono, Wall};

const HEAD: &str = "andon/v1/suzhou/press-shop/gw-press-1";
const SECRET: &str = "0123456789abcdef";
const NOON: i64 = 1_790_000_000_000;

fn clerk() -> Clerk {
    Clerk {
        head: format!("{HEAD}/cmd/"),
        token: TokenFile::new("none".into(), "command_token_file", "for commands"),
        only_signed: false,
        fresh: Fresh::new(Mono(0)),
        refusals: Refusals::default(),
    }
}

fn noon() -> Now {
    Now {
        mono: Mono(3_600_000),
        wall: Wall(NOON),
        clock: ClockState::Holdover,
    }
}

impl Clerk {
    fn asked(&mut self, command: &str, payload: &str) -> Result<Commanded, String> {
        let topic = format!("{HEAD}/cmd/{command}");
        self.judge(noon(), &topic, payload.as_bytes(), Ok(SECRET.into()))
    }
}

/// An acknowledgement with this nonce and token.
fn ack(nonce: &str, token: &str) -> String {
    format!(
        r#"{{"id":"press-1.fault","occurrence":3,"by":"li","token":"{token}","nonce":"{nonce}","ts":{NOON}}}"#
    )
}

#[test]
fn who_has_the_secret_is_heard_and_answered() {
    let mut clerk = clerk();
    let commanded = clerk.asked("ack", &ack("a", SECRET)).unwrap();
    assert!(matches!(commanded.wanted, Ok(Wanted::Alarm(_))));
    let answer = commanded.answer;
    assert_eq!((&*answer.command, &*answer.nonce), ("ack", "a"));
    assert_eq!(answer.id.as_deref(), Some("press-1.fault"));
    assert_eq!(answer.by.as_deref(), Some("li"));

    // Whoever has the secret is told as well why nothing is done.
    let other = clerk.asked("return", &ack("b", SECRET)).unwrap();
    assert!(other.wanted.unwrap_err().starts_with("only ack"));
    assert_eq!(&*other.answer.command, "return");
}

#[test]
fn who_has_not_is_neither_heard_nor_remembered() {
    let mut clerk = clerk();
    for token in ["", "0123456789abcdeF", "sha256=00"] {
        assert!(clerk.asked("ack", &ack("a", token)).is_err(), "{token}");
    }
    assert!(clerk.asked("ack", "{}").is_err());
    let unreadable = Err("command_token_file none: no such file".to_owned());
    let topic = format!("{HEAD}/cmd/ack");
    let why = clerk.judge(noon(), &topic, ack("a", SECRET).as_bytes(), unreadable);
    assert!(why.unwrap_err().contains("command_token_file"));
    assert!(
        clerk.asked("ack", &ack("a", SECRET)).is_ok(),
        "its nonce is not used up"
    );
    let again = clerk.asked("ack", &ack("a", SECRET)).unwrap_err();
    assert!(again.contains("repeated"), "{again}");
}

#[test]
fn only_topics_of_commands_are_looked_at() {
    let mut clerk = clerk();
    let long = "x".repeat(LONGEST_NAME + 1);
    assert!(clerk.asked(&long, &ack("a", SECRET)).is_err());
    let elsewhere = clerk.judge(noon(), "other/cmd/ack", b"{}", Ok(SECRET.into()));
    assert!(elsewhere.is_err());
}

fn ear(room: usize) -> (Ear, mpsc::Receiver<Heard>) {
    let (queue, heard) = mpsc::channel(room);
    let ear = Ear {
        filter: format!("{HEAD}/cmd/+"),
        queue,
        refusals: Refusals::default(),
        due: None,
        is_asked: false,
        unanswered: 0,
        rest_until: None,
        told: None,
    };
    (ear, heard)
}

#[test]
fn what_is_retained_too_large_or_too_much_does_not_get_far() {
    let (ear, mut heard) = ear(1);
    let say = |payload: Vec<u8>, is_retained| {
        ear.heard(format!("{HEAD}/cmd/ack"), payload.into(), is_retained);
        ear.refusals.count(Remote::Mqtt)
    };
    assert_eq!(say(b"{}".to_vec(), true), 1);
    assert_eq!(say(vec![b' '; LARGEST + 1], false), 2);
    assert_eq!(say(b"{}".to_vec(), false), 2);
    assert_eq!(say(b"{}".to_vec(), false), 3);
    assert_eq!(heard.try_recv().unwrap().payload, b"{}".as_slice());
    assert!(heard.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_ends_the_connection_for_it_is_left_alone_for_a_while() {
    let (mut ear, _heard) = ear(1);
    for _ in 0..PATIENCE {
        ear.connected();
        assert_eq!(ear.due(), Some(Instant::now()));
        assert_eq!(ear.listen(), format!("{HEAD}/cmd/+"));
        assert_eq!(ear.due(), None);
        ear.over(false);
    }
    ear.connected();
    assert_eq!(ear.due(), Some(Instant::now() + REST));
    // Meanwhile connections come and go as they like.
    ear.over(false);
    tokio::time::advance(REST).await;
    ear.connected();
    assert_eq!(ear.due(), Some(Instant::now()));
    ear.listen();
    ear.answered(true);
    ear.over(false);
    ear.connected();
    assert_eq!(ear.due(), Some(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_ends_the_connection_ends_listening_for_a_while() {
    let (mut ear, _heard) = ear(1);
    ear.connected();
    ear.listen();
    ear.answered(true);
    ear.over(true);
    ear.connected();
    assert_eq!(ear.due(), Some(Instant::now() + REST));
}
