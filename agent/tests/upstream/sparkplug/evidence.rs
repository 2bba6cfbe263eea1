//! Sessions of an edge node, packet by packet, as a broker has them.

use super::wire::{Metric, Payload, Value};
use super::{GROUP, NODE, edge_node, edge_node_at, plant};
use crate::fake::{FakeBroker, Peer};
use crate::rig::{Rig, event, summary, within};
use andon_core::plant::GATEWAY;
use andon_core::record::{Body, TagValue, TagWindow};
use andon_core::summary::Tier;
use andon_core::tag_sums::{Number, TagSum};
use andon_core::time::Wall;
use prost::Message as _;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish, SubAck, SubscribeReasonCode as Granted};
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// What happened on some connections.
#[derive(Default)]
pub struct Evidence {
    /// Two connections of a new node; everything a node does without a primary host.
    pub plain: Vec<Life>,
    /// Two connections of a node whose last one had the number 254.
    pub wrapped: Vec<Life>,
    /// Two connections of a node with a primary host.
    pub hosted: Vec<Life>,
    /// Three connections of a node with two brokers, at the first, the other and the first: each ends
    /// before the next begins, because the primary host goes.
    pub walked: Vec<Life>,
}

/// One connection.
pub struct Life {
    pub connect: Connect,
    pub steps: Vec<Step>,
}

pub enum Step {
    Subscribed(Vec<(String, QoS)>),
    Said(Said),
    Disconnected,
    /// What the test did now.
    Did(&'static str),
}

/// A publish of the node.
#[derive(Clone)]
pub struct Said {
    pub topic: String,
    pub qos: QoS,
    pub retain: bool,
    /// As Sparkplug; none of other topics.
    pub payload: Option<Payload>,
}

impl Said {
    fn of(publish: &Publish) -> Said {
        let is_sparkplug = publish.topic.starts_with("spB");
        let decoded = || Payload::decode(&publish.payload[..]).expect("a payload of Sparkplug");
        Said {
            topic: publish.topic.clone(),
            qos: publish.qos,
            retain: publish.retain,
            payload: is_sparkplug.then(decoded),
        }
    }

    /// `NBIRTH` and so on; none of other topics.
    pub fn what(&self) -> Option<&str> {
        self.payload.as_ref()?;
        self.topic.split('/').nth(2)
    }

    pub fn device(&self) -> Option<&str> {
        self.topic.split('/').nth(4)
    }

    pub fn metrics(&self) -> &[Metric] {
        self.payload
            .as_ref()
            .map_or(&[], |payload| &payload.metrics)
    }

    pub fn metric(&self, name: &str) -> Option<&Metric> {
        let named = |metric: &&Metric| metric.name.as_deref() == Some(name);
        self.metrics().iter().find(named)
    }

    pub fn seq(&self) -> Option<u64> {
        self.payload.as_ref()?.seq
    }

    /// The number of the connection, of a birth or death of the node.
    pub fn birth_number(&self) -> Option<u64> {
        match self.metric("bdSeq")?.value {
            Some(Value::Long(number)) => Some(number),
            _ => None,
        }
    }
}

impl Life {
    /// The last will as if it had been published.
    pub fn will(&self) -> Option<Said> {
        let will = self.connect.last_will.as_ref()?;
        Some(Said {
            topic: will.topic.clone(),
            qos: will.qos,
            retain: will.retain,
            payload: Payload::decode(&will.message[..]).ok(),
        })
    }

    /// What was said, other topics than Sparkplug's too.
    pub fn all_said(&self) -> impl Iterator<Item = &Said> {
        said(&self.steps)
    }

    pub fn said(&self) -> impl Iterator<Item = &Said> {
        self.all_said().filter(|said| said.payload.is_some())
    }

    /// What happened before, and after, the test did something.
    pub fn around(&self, what: &str) -> Option<(&[Step], &[Step])> {
        let did = |step: &Step| matches!(step, Step::Did(did) if *did == what);
        let at = self.steps.iter().position(did)?;
        Some((&self.steps[..at], &self.steps[at + 1..]))
    }

    /// What happened from when the test did something until it did the next.
    pub fn after(&self, what: &str) -> Option<&[Step]> {
        let (_, after) = self.around(what)?;
        let next = after.iter().position(|step| matches!(step, Step::Did(_)));
        Some(&after[..next.unwrap_or(after.len())])
    }

    pub fn subscriptions(&self) -> impl Iterator<Item = &(String, QoS)> {
        self.steps.iter().flat_map(|step| match step {
            Step::Subscribed(filters) => filters.as_slice(),
            _ => &[],
        })
    }
}

pub fn said(steps: &[Step]) -> impl Iterator<Item = &Said> {
    steps.iter().filter_map(|step| match step {
        Step::Said(said) => Some(said),
        _ => None,
    })
}

/// Made once, for all assertions.
pub fn evidence() -> &'static Evidence {
    static EVIDENCE: OnceLock<Evidence> = OnceLock::new();
    EVIDENCE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(within(async {
            Evidence {
                plain: plain().await,
                wrapped: wrapped().await,
                hosted: hosted().await,
                walked: walked().await,
            }
        }))
    })
}

/// A connection that is written down.
pub struct Recorder {
    peer: Peer,
    pub life: Life,
}

impl Recorder {
    pub async fn accept(broker: &FakeBroker) -> Recorder {
        let mut peer = broker.connected().await;
        let connect = peer.connect.clone();
        peer.accept(false).await;
        Recorder {
            peer,
            life: Life {
                connect,
                steps: Vec::new(),
            },
        }
    }

    pub fn did(&mut self, what: &'static str) {
        self.life.steps.push(Step::Did(what));
    }

    /// The next packet, written down and answered; false at the end of the connection.
    pub async fn step(&mut self) -> bool {
        let step = match self.peer.next().await {
            Some(Packet::Publish(publish)) => {
                if publish.qos != QoS::AtMostOnce {
                    self.peer.ack(&[publish.pkid]).await;
                }
                Step::Said(Said::of(&publish))
            }
            Some(Packet::Subscribe(subscribe)) => {
                let granted = Granted::Success(QoS::AtLeastOnce);
                let codes = vec![granted; subscribe.filters.len()];
                let ack = Packet::SubAck(SubAck::new(subscribe.pkid, codes));
                self.peer.send(&[ack]).await;
                let filters = subscribe.filters.into_iter();
                Step::Subscribed(filters.map(|filter| (filter.path, filter.qos)).collect())
            }
            Some(Packet::Disconnect) => Step::Disconnected,
            Some(Packet::PingReq) => {
                self.peer.send(&[Packet::PingResp]).await;
                return true;
            }
            Some(Packet::PubAck(_)) => return true,
            Some(other) => panic!("{other:?}"),
            None => return false,
        };
        self.life.steps.push(step);
        true
    }

    /// Writes down until the node says something like this.
    pub async fn until(&mut self, wanted: impl Fn(&Said) -> bool) {
        loop {
            assert!(self.step().await, "the connection holds");
            if let Some(Step::Said(said)) = self.life.steps.last()
                && wanted(said)
            {
                return;
            }
        }
    }

    pub async fn until_status(&mut self) {
        self.until(|said| said.topic.ends_with("/status")).await;
    }

    pub async fn until_what(&mut self, what: &str, device: Option<&str>) {
        self.until(|said| said.what() == Some(what) && said.device() == device)
            .await;
    }

    /// Writes down until all records have left the disk.
    pub async fn until_nothing_waits(&mut self, rig: &Rig) {
        tokio::select! {
            () = rig.until_waiting(0) => {}
            () = self.until_end() => panic!("the connection holds"),
        }
    }

    pub async fn until_end(&mut self) {
        while self.step().await {}
    }

    /// Says something to the node.
    pub async fn tell(&mut self, topic: &str, payload: Vec<u8>) {
        let mut publish = Publish::new(topic, QoS::AtMostOnce, payload);
        publish.retain = false;
        self.peer.send(&[Packet::Publish(publish)]).await;
    }

    pub async fn command(&mut self, metrics: Vec<Metric>) {
        let payload = Payload {
            timestamp: Some(1),
            metrics,
            ..Payload::default()
        };
        let topic = format!("spBv1.0/{GROUP}/NCMD/{NODE}");
        self.tell(&topic, payload.encode_to_vec()).await;
    }

    pub async fn state(&mut self, host: &str, online: bool, timestamp: u64) {
        let state = json!({ "online": online, "timestamp": timestamp });
        let topic = format!("spBv1.0/STATE/{host}");
        self.tell(&topic, state.to_string().into_bytes()).await;
    }
}

pub fn rebirth() -> Metric {
    Metric::named("Node Control/Rebirth", Value::Boolean(true))
}

pub fn tags(device: &str, tag: &str, good_ms: u64) -> Body {
    Body::Tags(Box::new(TagWindow {
        device: device.into(),
        line: None,
        tier: Tier::Minute,
        shift: None,
        start: Wall(1_790_000_040_000),
        end: Wall(1_790_000_100_000),
        window_ms: 60_000,
        fold: 0,
        merged: 1,
        clock_step_ms: 0,
        part: 1,
        parts: 1,
        tags: vec![TagValue {
            name: tag.into(),
            counter: false,
            sum: TagSum {
                good_ms,
                ..TagSum::EMPTY
            },
            last: (good_ms > 0).then_some(Number::Float(20.5)),
        }],
    }))
}

pub fn set_state(rig: &Rig, state: &str, quality: &str, reason: Option<&str>) {
    let ts = andon::clock::now().wall.0;
    let payload = json!({
        "v": 1, "gateway": NODE, "run": "0", "device": "press-1", "ts": ts, "state": state,
        "previous": "idle", "since_ms": ts, "code": 1, "quality": quality, "reason": reason,
        "cause": null, "cause_zh": null, "product": null,
    });
    rig.current.set(
        "press-1/state".into(),
        Some(payload.to_string().into_bytes()),
    );
}

async fn plain() -> Vec<Life> {
    let broker = FakeBroker::start().await;
    let (mut rig, lost) = edge_node(tempfile::tempdir().unwrap(), broker.port, None);
    lost.send_replace(Arc::from([false, true]));
    set_state(&rig, "producing", "good", None);
    rig.start();
    let mut one = Recorder::accept(&broker).await;
    one.until_status().await;

    one.did("values");
    set_state(&rig, "faulted", "good", None);
    one.until_what("DDATA", Some("press-1")).await;
    set_state(&rig, "unknown", "bad", Some("timeout"));
    one.until_what("DDATA", Some("press-1")).await;
    set_state(&rig, "idle", "uncertain", Some("retained"));
    one.until_what("DDATA", Some("press-1")).await;
    let alarm = plant();
    let alarm = alarm
        .alarms
        .iter()
        .find(|alarm| matches!(alarm.owner, andon_core::plant::Owner::Gateway));
    let topic = format!(
        "{GATEWAY}/alarm/{}",
        alarm.expect("the gateway has its own").id
    );
    let active = json!({"state": "unack-active", "active": true, "quality": "good"});
    rig.current
        .set(topic.clone(), Some(active.to_string().into_bytes()));
    one.until_what("NDATA", None).await;
    rig.current.set(topic, None);
    one.until_what("NDATA", None).await;

    one.did("records");
    let bodies = (0..300).map(|made| match made % 3 {
        0 => summary("press-1"),
        1 => tags(
            "press-1",
            "temperature",
            if made % 2 == 0 { 60_000 } else { 0 },
        ),
        _ => event("as usual"),
    });
    rig.make_of(bodies.collect()).await;
    one.until_nothing_waits(&rig).await;

    one.did("commands that are none");
    one.command(vec![Metric::named(
        "Node Control/Reboot",
        Value::Boolean(true),
    )])
    .await;
    one.command(vec![Metric::named(
        "Node Control/Rebirth",
        Value::Boolean(false),
    )])
    .await;
    one.command(vec![Metric::named("Node Control/Rebirth", Value::Int(1))])
        .await;
    one.tell(
        &format!("spBv1.0/{GROUP}/NCMD/{NODE}"),
        vec![0xff, 0x00, 0x17],
    )
    .await;
    let device = format!("spBv1.0/{GROUP}/DCMD/{NODE}/press-1");
    let payload = Payload {
        metrics: vec![rebirth()],
        ..Payload::default()
    };
    one.tell(&device, payload.encode_to_vec()).await;
    one.tell(
        &format!("spBv1.0/{GROUP}/NCMD/another"),
        payload.encode_to_vec(),
    )
    .await;
    set_state(&rig, "producing", "good", None);
    one.until_what("DDATA", Some("press-1")).await;

    one.did("rebirth");
    one.command(vec![rebirth()]).await;
    one.until_what("NBIRTH", None).await;
    one.until_status().await;
    set_state(&rig, "faulted", "good", None);
    one.until_what("DDATA", Some("press-1")).await;

    one.did("lost");
    lost.send_replace(Arc::from([true, true]));
    one.until_what("DDEATH", Some("press-1")).await;
    rig.make_of(vec![summary("press-1"), event("alone")]).await;
    one.until_what("NDATA", None).await;

    one.did("found");
    lost.send_replace(Arc::from([false, false]));
    one.until_nothing_waits(&rig).await;
    rig.make_of(vec![tags("meter-1", "power", 60_000)]).await;
    one.until_nothing_waits(&rig).await;
    let Recorder { peer, life: first } = one;
    drop(peer);

    rig.until_unreachable().await;
    rig.make_of(vec![summary("press-1"), event("meanwhile")])
        .await;
    let mut two = Recorder::accept(&broker).await;
    two.until_nothing_waits(&rig).await;
    two.did("stop");
    tokio::join!(rig.stop(), two.until_end());
    vec![first, two.life]
}

async fn wrapped() -> Vec<Life> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sparkplug-bdseq"), "254\n").unwrap();
    let broker = FakeBroker::start().await;
    let (mut rig, _lost) = edge_node(dir, broker.port, None);
    rig.start();
    let mut one = Recorder::accept(&broker).await;
    one.until_status().await;
    let Recorder { peer, life: first } = one;
    drop(peer);
    let mut two = Recorder::accept(&broker).await;
    two.until_status().await;
    tokio::join!(rig.stop(), two.until_end());
    vec![first, two.life]
}

async fn hosted() -> Vec<Life> {
    let broker = FakeBroker::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, lost) = edge_node(dir, broker.port, Some("scada"));
    lost.send_replace(Arc::from([false, true]));
    rig.make_of(vec![summary("press-1"), event("before")]).await;
    rig.start();
    let mut one = Recorder::accept(&broker).await;
    while one.life.subscriptions().count() < 2 {
        assert!(one.step().await);
    }
    one.did("other hosts");
    one.state("scada", false, 1000).await;
    one.state("another", true, 5000).await;
    one.tell("spBv1.0/STATE/scada", b"ONLINE".to_vec()).await;
    one.state("scada", true, 999).await;
    one.did("online");
    one.state("scada", true, 1000).await;
    one.until_nothing_waits(&rig).await;
    one.did("old offline");
    one.state("scada", false, 999).await;
    set_state(&rig, "faulted", "good", None);
    one.until_what("DDATA", Some("press-1")).await;
    one.did("offline");
    one.state("scada", false, 1000).await;
    one.until_end().await;

    rig.make_of(vec![summary("press-1"), event("meanwhile")])
        .await;
    let mut two = Recorder::accept(&broker).await;
    while two.life.subscriptions().count() < 2 {
        assert!(two.step().await);
    }
    two.did("old online");
    two.state("scada", true, 999).await;
    two.did("online");
    two.state("scada", true, 2000).await;
    two.until_nothing_waits(&rig).await;
    tokio::join!(rig.stop(), two.until_end());
    vec![one.life, two.life]
}

async fn walked() -> Vec<Life> {
    let brokers = [FakeBroker::start().await, FakeBroker::start().await];
    let ports = [brokers[0].port, brokers[1].port];
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, lost) = edge_node_at(dir, &ports, Some("scada"));
    lost.send_replace(Arc::from([false, false]));
    rig.start();
    let mut lives = Vec::new();
    // A host has a time stamp of its own at each broker.
    for (at, timestamp) in [(0, 1000), (1, 10), (0, 2000)] {
        let mut one = Recorder::accept(&brokers[at]).await;
        one.state("scada", true, timestamp).await;
        one.until_status().await;
        one.did("offline");
        one.state("scada", false, timestamp).await;
        one.until_end().await;
        lives.push(one.life);
    }
    rig.stop().await;
    lives
}
