//! Against mosquitto, started here on a port of its own.

use super::*;
use crate::settings::{LinkKind, Settings};
use andon_core::sample::Value;
use andon_core::tag::{DeviceIndex, LinkIndex, TagIndex};
use rumqttc::{Outgoing, QoS};
use std::fs::File;
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
    dir: TempDir,
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
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\nlog_type all\nlog_dest stderr\n"
            ),
        )
        .unwrap();
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
        let process = Command::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(File::create(dir.path().join("log")).unwrap())
            .spawn()
            .expect("mosquitto is installed");
        Mosquitto { port, process, dir }
    }
}

impl Mosquitto {
    /// Waits until its log has said something so many times.
    async fn said(&self, what: &str, times: usize) {
        let said = async {
            loop {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
                if log.matches(what).count() >= times {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), said).await.expect(what);
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

/// The oven of the example configuration behind a broker.
fn oven(port: u16) -> Settings {
    let text = format!(
        r#"
        gateway = {{ id = "gw-test", site = "s", area = "a" }}
        upstream = {{ broker = "mqtt://127.0.0.1" }}
        [[link]]
        id = "shop"
        mqtt = "mqtt://127.0.0.1:{port}"
        [[device]]
        id = "oven-7"
        link = "shop"
        [device.tags]
        mode = {{ topic = "oven/7/state", at = "/mode", type = "string" }}
        parts = {{ topic = "oven/7/state", at = "/parts", type = "u32" }}
        temperature = {{ topic = "oven/7/temp", type = "f64" }}
        "#
    );
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("andon.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = crate::config::load(&file);
    loaded.unwrap_or_else(|report| panic!("{report}")).settings
}

fn subscriber(port: u16) -> (Subscriber, mpsc::Receiver<FromField>) {
    let settings = oven(port);
    let LinkKind::Mqtt(link) = &settings.links[0].kind else {
        panic!("MQTT");
    };
    let (tx, rx) = mpsc::channel(64);
    let outlet = Outlet::new(tx, LinkIndex(0), "shop".into());
    (Subscriber::new(link.clone(), &settings.plant, outlet), rx)
}

struct Link {
    rx: mpsc::Receiver<FromField>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    fn start(port: u16) -> Link {
        let (subscriber, rx) = subscriber(port);
        Link::run(subscriber, rx)
    }

    fn run(subscriber: Subscriber, rx: mpsc::Receiver<FromField>) -> Link {
        let (stop, stopped) = watch::channel(false);
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
                assert_eq!(device, DeviceIndex(0));
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
    let nested = "[".repeat(20_000);
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
    let (mut subscriber, _rx) = subscriber(9);
    let topics = &mut subscriber.topics;
    topics.all[0].left_out_until = Some(Mono(u64::MAX));
    topics.all[1].left_out_until = Some(Mono(0));
    assert_eq!(topics.let_in(Mono(1)), ["oven/7/temp".into()]);
    assert!(topics.let_in(Mono(1)).is_empty());
    assert_eq!(topics.subscribe(false), ["oven/7/temp".into()]);
    assert_eq!(topics.subscribe(true), ["oven/7/temp".into()]);
}

/// Publishing over a topic that speaks and one that became silent, with the patience used up.
#[tokio::test]
async fn silence_is_asked_about_and_then_connected_anew_without_telling() {
    let broker = Mosquitto::start();
    let mut machine = Machine::connect(broker.port).await;
    machine.publish("oven/7/temp", true, b"812.5").await;
    let (mut subscriber, rx) = subscriber(broker.port);
    subscriber.keep_alive = Duration::from_secs(1);
    for topic in &mut subscriber.topics.all {
        for _ in 0..3 {
            topic.voice.heard(Mono(0), "oven/7/temp", b"812.5", true);
        }
    }
    let mut link = Link::run(subscriber, rx);
    link.until_link(true).await;
    let retained = Reading::Uncertain(Value::Float(812.5), Reason::Retained);
    assert_eq!(link.readings().await, [(TEMPERATURE, retained)]);
    // With the pings both topics are subscribed to anew, and then on a connection of its own.
    broker.said("Sending SUBACK", 1 + 2 + 1).await;
    broker.said("New client connected", 1 + 1 + 1).await;
    // The retained copy that came each time was known, and the link was never told to be down.
    machine.publish("oven/7/temp", false, b"813").await;
    let FromField::Readings { readings, .. } = link.next().await else {
        panic!("the link did not stay up");
    };
    let good = Reading::Good(Value::Float(813.0));
    assert_eq!(readings, [(TEMPERATURE, good.into())]);
    link.stop().await;
}

#[test]
fn bad_readings_are_warned_about_once_a_minute() {
    let (mut subscriber, _rx) = subscriber(9);
    let topic = &mut subscriber.topics.all[0];
    for (now, unsaid) in [(0, 0), (1_000, 1), (59_999, 2), (60_000, 0), (60_001, 1)] {
        topic.warn("shop", Reason::Malformed, 3, Mono(now));
        assert_eq!(topic.unsaid(), unsaid, "at {now}");
    }
}
