//! A gateway's links as its configuration has them, a machine that publishes, and what comes of it.

use andon::config;
use andon::field::{self, FromField};
use andon::settings::{LinkKind, Settings, Topic};
use andon_core::modbus::plan::Plan;
use andon_core::sample::{Quality, Reading, Sample, Value};
use andon_core::tag::{DeviceIndex, TagIndex};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// The settings of these sections behind a gateway in Shanghai.
pub fn settings(sections: &str) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    let head = "gateway = { id = \"gw\", site = \"s\", area = \"a\", timezone = \"Asia/Shanghai\" }\n\
                upstream = { broker = \"mqtt://127.0.0.1\" }\n";
    std::fs::write(&file, format!("{head}{sections}")).unwrap();
    let loaded = config::load(&file).unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    loaded.settings
}

/// A link `shop` to the broker on this port.
pub fn shop(port: u16) -> String {
    format!("[[link]]\nid = \"shop\"\nmqtt = \"mqtt://127.0.0.1:{port}\"\n")
}

pub fn topics(settings: &Settings) -> &[Topic] {
    match &settings.links[0].kind {
        LinkKind::Mqtt(link) => &link.topics,
        other => panic!("{other:?}"),
    }
}

/// The links at work.
pub struct Rig {
    settings: Settings,
    rx: mpsc::Receiver<FromField>,
    _stop: watch::Sender<bool>,
    _field: field::Field,
}

/// What was read: device, tag, value or reason.
pub type Told = (String, String, String);

impl Rig {
    /// Starts them, and waits until the first is up.
    pub async fn start(settings: Settings) -> Rig {
        let mut rig = Rig::begin(settings);
        assert_eq!(rig.link().await, None);
        rig
    }

    /// Starts them.
    pub fn begin(settings: Settings) -> Rig {
        let plan = Arc::new(Plan::new(&settings.plant));
        let (tx, rx) = mpsc::channel(100);
        let (stop, stopped) = watch::channel(false);
        let field = field::start(&settings, plan, tx, stopped);
        Rig {
            settings,
            rx,
            _stop: stop,
            _field: field,
        }
    }

    /// Waits until the link is said to be up, or down and why.
    pub async fn link(&mut self) -> Option<String> {
        loop {
            match self.next().await {
                FromField::Link { up: true, .. } => return None,
                FromField::Link { why, .. } => return Some(why.unwrap_or_default()),
                _ => {}
            }
        }
    }

    /// The next samples of one device.
    pub async fn told(&mut self) -> Vec<Told> {
        let samples = self.samples().await;
        samples.into_iter().map(|(told, _)| told).collect()
    }

    /// The same, with the time stamps.
    pub async fn samples(&mut self) -> Vec<(Told, Option<i64>)> {
        loop {
            if let FromField::Readings {
                device, readings, ..
            } = self.next().await
            {
                let told = |(tag, sample): &(TagIndex, Sample)| {
                    let time = sample.time.map(|time| time.0);
                    (self.tell(device, *tag, &sample.reading), time)
                };
                return readings.iter().map(told).collect();
            }
        }
    }

    fn tell(&self, device: DeviceIndex, tag: TagIndex, reading: &Reading) -> Told {
        let device = self.settings.plant.device(device);
        let tag = &device.model.tags[usize::from(tag.0)].name;
        (device.id.to_string(), tag.to_string(), shown(reading))
    }

    async fn next(&mut self) -> FromField {
        within(self.rx.recv()).await.expect("the links are at work")
    }
}

/// A reading in words: the value, with its caveat, or why there is none.
pub fn shown(reading: &Reading) -> String {
    let value = reading.value().map(Value::to_string).unwrap_or_default();
    match reading.quality() {
        Quality::Good => value,
        Quality::Uncertain(reason) => format!("{value} ({reason})"),
        Quality::Bad(reason) => format!("({reason})"),
    }
}

pub fn told(device: &str, tag: &str, value: &str) -> Told {
    (device.to_owned(), tag.to_owned(), value.to_owned())
}

/// Publishes as machines would.
pub struct Machine {
    client: AsyncClient,
    events: EventLoop,
}

impl Machine {
    pub fn connect(port: u16) -> Machine {
        let mut options = MqttOptions::new("machine", "127.0.0.1", port);
        options.set_max_packet_size(4 << 20, 4 << 20);
        let (client, events) = AsyncClient::new(options, 10);
        Machine { client, events }
    }

    /// Publishes, and waits until the broker has it.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.put(topic, false, payload.into()).await;
    }

    pub async fn retain(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.put(topic, true, payload.into()).await;
    }

    async fn put(&mut self, topic: &str, retain: bool, payload: Vec<u8>) {
        self.client
            .try_publish(topic, QoS::AtLeastOnce, retain, payload)
            .unwrap();
        within(async {
            loop {
                if let Event::Incoming(Packet::PubAck(_)) = self.events.poll().await.unwrap() {
                    return;
                }
            }
        })
        .await;
    }
}

pub async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), work).await.expect("hangs")
}
