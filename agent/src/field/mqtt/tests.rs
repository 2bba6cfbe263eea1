//! Against mosquitto, started here on a port of its own.

use super::*;
use crate::settings::{Broker, Topic as TopicSettings};
use andon_core::sample::Value;
use andon_core::tag::{Kind, LinkIndex};
use rumqttc::{Outgoing, QoS};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const MODE: TagIndex = TagIndex(0);
const PARTS: TagIndex = TagIndex(1);
const TEMPERATURE: TagIndex = TagIndex(2);

/// A broker that ends with the test.
struct Mosquitto {
    port: u16,
    process: Child,
    _dir: TempDir,
}

impl Mosquitto {
    fn start() -> Mosquitto {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Mosquitto::start_on(port)
    }

    fn start_on(port: u16) -> Mosquitto {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("mosquitto.conf");
        std::fs::write(
            &file,
            format!("listener {port} 127.0.0.1\nallow_anonymous true\n"),
        )
        .unwrap();
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
        let process = Command::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        Mosquitto {
            port,
            process,
            _dir: dir,
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Publishes as a machine would, and waits until the broker has it.
struct Machine {
    client: AsyncClient,
    events: EventLoop,
}

impl Machine {
    async fn connect(port: u16) -> Machine {
        loop {
            let mut options = MqttOptions::new("machine", "127.0.0.1", port);
            options.set_max_packet_size(4 << 20, 4 << 20);
            let (client, mut events) = AsyncClient::new(options, 10);
            // The broker may still be starting.
            if events.poll().await.is_ok() {
                return Machine { client, events };
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn publish(&mut self, topic: &str, retain: bool, payload: &[u8]) {
        self.client
            .try_publish(topic, QoS::AtLeastOnce, retain, payload)
            .unwrap();
        let acknowledged = async {
            loop {
                match self.events.poll().await.expect("the broker took it") {
                    Event::Incoming(Packet::PubAck(_)) => return,
                    Event::Outgoing(Outgoing::Disconnect) => panic!("disconnected"),
                    _ => {}
                }
            }
        };
        timeout(Duration::from_secs(10), acknowledged)
            .await
            .expect("no PUBACK");
    }
}

fn place(topic: &str, pointer: Option<&str>, kind: Kind) -> Place {
    match pointer {
        Some(at) => Place::json(Some(topic.into()), at, kind),
        None => Place::bare(Some(topic.into()), kind),
    }
}

/// The oven of the example configuration, without a plant around it.
fn topics() -> Vec<Topic> {
    let topic = |name: &str, tags: Vec<(TagIndex, Place)>| Topic {
        name: name.into(),
        devices: vec![(DeviceIndex(7), "oven-7".into(), tags)],
        left_out_until: None,
        warned: None,
        unsaid: 0,
    };
    vec![
        topic(
            "oven/7/state",
            vec![
                (MODE, place("oven/7/state", Some("/mode"), Kind::Text)),
                (PARTS, place("oven/7/state", Some("/parts"), Kind::U32)),
            ],
        ),
        topic(
            "oven/7/temp",
            vec![(TEMPERATURE, place("oven/7/temp", None, Kind::F64))],
        ),
    ]
}

fn link_settings(port: u16, topics: &[Topic]) -> MqttLink {
    let named = |topic: &Topic| TopicSettings {
        name: topic.name.clone(),
        shared: None,
        readers: vec![],
    };
    MqttLink {
        broker: Broker {
            host: "127.0.0.1".into(),
            port,
            tls: None,
            username: None,
            password_file: None,
        },
        client_id: "gw-test-shop".into(),
        topics: topics.iter().map(named).collect(),
        max_payload: 64 * 1024,
    }
}

struct Link {
    rx: mpsc::Receiver<FromField>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    fn start(port: u16) -> Link {
        let topics = topics();
        let link = link_settings(port, &topics);
        let (tx, rx) = mpsc::channel(64);
        let (stop, stopped) = watch::channel(false);
        let outlet = Outlet::new(tx, LinkIndex(0), "shop".into());
        let subscriber = Subscriber::of_topics(link, TimeZone::UTC, topics, outlet);
        let task = tokio::spawn(super::super::until(stopped, Box::pin(subscriber.run())));
        Link { rx, stop, task }
    }

    async fn next(&mut self) -> FromField {
        timeout(Duration::from_secs(20), self.rx.recv())
            .await
            .expect("silent")
            .expect("ended")
    }

    async fn until_link(&mut self, expected: bool) -> Option<String> {
        loop {
            if let FromField::Link { up, why, .. } = self.next().await
                && up == expected
            {
                return why;
            }
        }
    }

    async fn readings(&mut self) -> Vec<(TagIndex, Reading)> {
        loop {
            if let FromField::Readings {
                device, readings, ..
            } = self.next().await
            {
                assert_eq!(device, DeviceIndex(7));
                let readings = readings.into_iter();
                return readings
                    .map(|(tag, sample)| (tag, sample.reading))
                    .collect();
            }
        }
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(Duration::from_secs(5), self.task)
            .await
            .expect("does not stop")
            .unwrap();
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.try_into().unwrap())
}

#[tokio::test]
async fn what_machines_publish_becomes_readings() {
    let broker = Mosquitto::start();
    let mut machine = Machine::connect(broker.port).await;
    machine.publish("oven/7/temp", true, b"812.5").await;
    let mut link = Link::start(broker.port);
    let retained = Reading::Uncertain(Value::Float(812.5), Reason::Retained);
    assert_eq!(link.readings().await, [(TEMPERATURE, retained)]);

    machine.publish("oven/7/temp", false, b"813").await;
    assert_eq!(
        link.readings().await,
        [(TEMPERATURE, Reading::Good(Value::Float(813.0)))]
    );
    machine
        .publish("oven/7/state", false, br#"{"mode":"run","parts":412}"#)
        .await;
    assert_eq!(
        link.readings().await,
        [
            (MODE, Reading::Good(text("run"))),
            (PARTS, Reading::Good(Value::Int(412)))
        ]
    );
    link.stop().await;
}

#[tokio::test]
async fn hostile_payloads_are_bad_readings_and_nothing_more() {
    let broker = Mosquitto::start();
    let mut machine = Machine::connect(broker.port).await;
    let mut link = Link::start(broker.port);
    link.until_link(true).await;
    let nested = "[".repeat(60_000);
    let long = vec![b'x'; 70_000];
    let cases: [(&[u8], Reason); 6] = [
        (b"", Reason::Malformed),
        (b"{\"mode\":", Reason::Malformed),
        (&[0xFF; 100], Reason::Malformed),
        (nested.as_bytes(), Reason::Malformed),
        (&long, Reason::TooLong),
        (b"{}", Reason::Missing),
    ];
    for (payload, reason) in cases {
        machine.publish("oven/7/state", false, payload).await;
        let bad = Reading::Bad(reason);
        assert_eq!(link.readings().await, [(MODE, bad.clone()), (PARTS, bad)]);
    }
    machine
        .publish("oven/7/state", false, br#"{"mode":7,"parts":-1}"#)
        .await;
    assert_eq!(
        link.readings().await,
        [
            (MODE, Reading::Bad(Reason::WrongType)),
            (PARTS, Reading::Bad(Reason::OutOfRange))
        ]
    );
    machine.publish("oven/7/temp", false, b"NaN").await;
    assert_eq!(
        link.readings().await,
        [(TEMPERATURE, Reading::Bad(Reason::NotFinite))]
    );
    link.stop().await;
}

#[tokio::test]
async fn a_link_comes_back_with_its_broker_and_subscribes_again() {
    let broker = Mosquitto::start();
    let port = broker.port;
    let mut link = Link::start(port);
    link.until_link(true).await;
    drop(broker);
    let why = link.until_link(false).await.expect("says why");
    assert!(why.starts_with(&format!("127.0.0.1:{port}: ")), "{why}");
    let broker = Mosquitto::start_on(port);
    link.until_link(true).await;
    let mut machine = Machine::connect(broker.port).await;
    machine.publish("oven/7/temp", false, b"1").await;
    assert_eq!(
        link.readings().await,
        [(TEMPERATURE, Reading::Good(Value::Float(1.0)))]
    );
    link.stop().await;
}

#[tokio::test]
async fn a_retained_message_over_the_limit_is_found_and_only_its_topic_left_out() {
    let broker = Mosquitto::start();
    let mut machine = Machine::connect(broker.port).await;
    machine
        .publish("oven/7/state", true, &vec![b' '; 1 << 20])
        .await;
    machine.publish("oven/7/temp", true, b"812.5").await;
    let mut link = Link::start(broker.port);
    let why = link.until_link(false).await.expect("says why");
    assert!(why.contains("over the limit"), "{why}");
    let mut bad = Vec::new();
    loop {
        match link.next().await {
            FromField::Link { up: true, .. } => break,
            FromField::Readings { readings, .. } => bad.extend(readings),
            other => panic!("{other:?}"),
        }
    }
    for tag in [MODE, PARTS] {
        assert!(
            bad.contains(&(tag, Reading::Bad(Reason::TooLong).into())),
            "{bad:?}"
        );
    }
    machine.publish("oven/7/temp", false, b"813").await;
    let good = (TEMPERATURE, Reading::Good(Value::Float(813.0)));
    while !link.readings().await.contains(&good) {}
    link.stop().await;
}

#[tokio::test]
async fn a_message_over_the_limit_costs_one_connection() {
    let broker = Mosquitto::start();
    let mut machine = Machine::connect(broker.port).await;
    let mut link = Link::start(broker.port);
    link.until_link(true).await;
    machine
        .publish("oven/7/state", false, &vec![b' '; 1 << 20])
        .await;
    link.until_link(false).await;
    link.until_link(true).await;
    machine
        .publish("oven/7/state", false, br#"{"mode":"run","parts":1}"#)
        .await;
    assert_eq!(link.readings().await[0], (MODE, Reading::Good(text("run"))));
    link.stop().await;
}

#[tokio::test]
async fn a_link_stops_while_its_broker_is_away() {
    let mut link = Link::start(9);
    link.until_link(false).await;
    link.stop().await;
}

#[test]
fn a_topic_that_was_left_out_is_let_in_again_when_its_time_is_over() {
    let mut topics = topics();
    topics[0].left_out_until = Some(Mono(u64::MAX));
    topics[1].left_out_until = Some(Mono(0));
    let (tx, _rx) = mpsc::channel(1);
    let outlet = Outlet::new(tx, LinkIndex(0), "shop".into());
    let mut subscriber =
        Subscriber::of_topics(link_settings(9, &topics), TimeZone::UTC, topics, outlet);
    assert_eq!(subscriber.let_in(), [1]);
    assert!(subscriber.let_in().is_empty());
    assert_eq!(subscriber.wanted(), [1]);
}

#[test]
fn bad_readings_are_warned_about_once_a_minute() {
    let mut topic = topics().remove(0);
    for (now, unsaid) in [(0, 0), (1_000, 1), (59_999, 2), (60_000, 0), (60_001, 1)] {
        topic.warn("shop", Reason::Malformed, 3, Mono(now));
        assert_eq!(topic.unsaid, unsaid, "at {now}");
    }
}
