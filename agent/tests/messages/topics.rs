//! Topics in which the device is one level.

use crate::mosquitto::Mosquitto;
use crate::rig::{Machine, Rig, settings, shop, told, topics};
use std::fmt::Write as _;

/// Presses 1 to 3 on topics that only the device tells apart; press-3 is called otherwise.
fn presses(port: u16) -> String {
    let mut sections = shop(port);
    sections += "[[profile]]\nid = \"press\"\n\
                 [profile.tags]\n\
                 status = { topic = \"line1/{device}/state\", at = \"/s\", type = \"u16\" }\n\
                 good = { topic = \"line1/{device}/state\", at = \"/good\", type = \"u32\" }\n\
                 temp = { topic = \"site/+/press/{device}/temp\", type = \"f64\" }\n";
    for (id, more) in [
        ("press-1", ""),
        ("press-2", ""),
        ("press-3", "address = \"A-0017\"\n"),
    ] {
        write!(
            sections,
            "[[device]]\nid = \"{id}\"\nlink = \"shop\"\nprofile = \"press\"\n{more}"
        )
        .unwrap();
    }
    sections
}

#[tokio::test]
async fn the_level_of_the_topic_says_whose_message_it_is() {
    let broker = Mosquitto::start("log_type all").await;
    let mut rig = Rig::start(settings(&presses(broker.port))).await;
    let mut machine = Machine::connect(broker.port);
    for (called, id) in [
        ("press-2", "press-2"),
        ("A-0017", "press-3"),
        ("press-1", "press-1"),
    ] {
        // Those of nobody in between: a stranger, the id of one that is called otherwise.
        machine.publish("line1/press-9/state", r#"{"s":9}"#).await;
        machine.publish("line1/press-3/state", r#"{"s":9}"#).await;
        machine
            .publish(&format!("line1/{called}/state"), r#"{"s":2,"good":7}"#)
            .await;
        assert_eq!(
            rig.told().await,
            [told(id, "status", "2"), told(id, "good", "7")]
        );
        machine
            .publish(&format!("site/hall-b/press/{called}/temp"), "21.5")
            .await;
        assert_eq!(rig.told().await, [told(id, "temp", "21.5")]);
    }
    let log = broker.log();
    let subscriptions: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split("gw-shop 1 ").nth(1))
        .collect();
    assert_eq!(
        subscriptions,
        ["line1/+/state", "site/+/press/+/temp"],
        "{log}"
    );
}

/// A device of the same link may name one topic of those that others share.
#[tokio::test]
async fn filters_that_overlap_are_one_and_nothing_comes_twice() {
    let broker = Mosquitto::start("log_type all").await;
    let extra = "[[device]]\nid = \"watch\"\nlink = \"shop\"\n[device.tags]\n\
                 first = { topic = \"line1/press-1/state\", at = \"/s\", type = \"u16\" }\n\
                 any = { topic = \"line1/+/state\", at = \"/s\", type = \"u16\" }\n";
    let mut rig = Rig::start(settings(&(presses(broker.port) + extra))).await;
    let mut machine = Machine::connect(broker.port);
    machine
        .publish("line1/press-1/state", r#"{"s":2,"good":7}"#)
        .await;
    machine.publish("line1/press-9/state", r#"{"s":3}"#).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(rig.told().await);
    }
    all.sort();
    assert_eq!(
        all,
        [
            told("press-1", "good", "7"),
            told("press-1", "status", "2"),
            told("watch", "any", "2"),
            told("watch", "first", "2"),
        ]
    );
    assert_eq!(rig.told().await, [told("watch", "any", "3")]);
    let log = broker.log();
    assert_eq!(log.matches("gw-shop 1 ").count(), 2, "{log}");
}

/// The message that is too large is that of one device; the others go on without it.
#[tokio::test]
async fn of_a_shared_filter_only_the_topic_is_left_out_that_closes_the_connection() {
    let broker = Mosquitto::start("").await;
    let mut machine = Machine::connect(broker.port);
    machine
        .retain("line1/press-2/state", vec![b' '; 1 << 20])
        .await;
    let mut rig = Rig::begin(settings(&presses(broker.port)));
    // The subscription may be acknowledged before the message arrives; then it was up for a moment.
    let why = loop {
        if let Some(why) = rig.link().await {
            break why;
        }
    };
    assert!(why.contains("over the limit"), "{why}");
    let bad = rig.told().await;
    let too_long = |tag| told("press-2", tag, "(too-long)");
    assert_eq!(bad, [too_long("status"), too_long("good")]);
    assert_eq!(rig.link().await, None);
    machine
        .publish("line1/press-1/state", r#"{"s":2,"good":7}"#)
        .await;
    assert_eq!(
        rig.told().await,
        [told("press-1", "status", "2"), told("press-1", "good", "7")]
    );
}

#[test]
fn a_line_of_two_hundred_has_one_filter() {
    let mut sections = shop(1883);
    sections += "[[profile]]\nid = \"press\"\n\
                 tags = { status = { topic = \"line1/{device}/state\", at = \"/s\", type = \"u16\" } }\n\
                 [[device]]\neach = \"1..200\"\nid = \"press-{n:03}\"\nlink = \"shop\"\nprofile = \"press\"\n";
    let settings = settings(&sections);
    let topics = topics(&settings);
    assert_eq!(topics.len(), 200);
    let shared = |topic: &&andon::settings::Topic| topic.shared.as_deref() == Some("line1/+/state");
    assert_eq!(topics.iter().filter(shared).count(), 200);
}
