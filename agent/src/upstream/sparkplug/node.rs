//! The life of an edge node: what it must say before anything else, and what its messages are. Pure:
//! messages that were heard and the time come in, messages to publish go out.

use super::catalogue::{Catalogue, Kind, Shape, left_over};
use super::host::{PrimaryHost, Turn};
use super::names::Names;
use super::row::{Row, Said, message, milliseconds};
use crate::sparkplug::{self, BIRTH_NUMBER, Metric, REBIRTH};
use crate::store::Stored;
use andon_core::message::{Message, topic_tail};
use andon_core::plant::{GATEWAY, Gateway, Owner, Plant};
use andon_core::record::Body;
use andon_core::tag::DeviceIndex;
use andon_core::time::Wall;
use prost::Message as _;
use serde_json::Value;
use std::sync::Arc;

/// Types of the two metrics that belong to the protocol (§6.4.16).
const INT64: u32 = 4;
const BOOLEAN: u32 = 11;

/// The alias of `bdSeq`; the metrics of topics follow. `Node Control/Rebirth` must have none.
const FIRST_ALIAS: u64 = 1;

/// Something to publish: with QoS 0, and never retained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
}

/// What holds now, by topic below the gateway: `press-1/state`.
pub(super) trait Holding {
    /// The payload; none if nothing holds there.
    fn payload(&self, topic_tail: &str) -> Option<Vec<u8>>;
}

/// What becomes of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is this message.
    Say(Publish),
    /// Its metrics must be born first: [`Node::owed`] has what to publish, then ask again.
    BirthFirst,
    /// Its device is lost, and has nothing to say until it is back.
    Lost,
    /// It would be a payload of so many bytes, more than may be.
    TooLarge(usize),
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing that changes anything, or something is owed now.
    Nothing,
    /// The primary host has gone: say farewell, and connect anew.
    HostGone,
}

/// An edge node and its devices.
#[derive(Debug)]
pub(super) struct Node {
    names: Names,
    gateway: Gateway,
    topics: Vec<Topic>,
    devices: Vec<Device>,
    /// The next alias that nothing has.
    next_alias: u64,
    /// Number of the present connection, or of the last.
    birth_number: Option<u8>,
    /// Number of the next message of the session.
    seq: u8,
    session: Session,
    host: PrimaryHost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// No connection, or nobody to be born for.
    None,
    /// NBIRTH is owed, and then all DBIRTHs.
    BirthOwed,
    /// The node was born.
    Born,
}

#[derive(Debug)]
struct Device {
    id: Arc<str>,
    topics: Vec<Topic>,
    /// Nothing good is known of it.
    is_lost: bool,
    is_born: bool,
}

/// The metrics of one topic of the contract.
#[derive(Debug)]
struct Topic {
    /// Below the device, or below the gateway for those of the node.
    tail: String,
    shape: Arc<Shape>,
    first_alias: u64,
    /// The newest window of it that was sent, in the records that tell it; none of a topic with
    /// current values, and of events, of which none lasts.
    newest: Vec<Stored>,
}

impl Node {
    /// The node of this plant. `last_birth_number` is that of its last connection ever, if it had
    /// one. All devices are lost until they are found.
    pub(super) fn new(plant: &Plant, names: Names, last_birth_number: Option<u8>) -> Node {
        let catalogue = Catalogue::new();
        let mut node = Node {
            names,
            gateway: plant.gateway.clone(),
            topics: Vec::new(),
            devices: Vec::new(),
            next_alias: FIRST_ALIAS + 1,
            birth_number: last_birth_number,
            seq: 0,
            session: Session::None,
            host: PrimaryHost::default(),
        };
        let next_alias = &mut node.next_alias;
        let mut topic = |(tail, shape)| Topic::new(tail, shape, next_alias);
        let alarms = |owner: Owner| {
            let own = plant
                .alarms
                .iter()
                .filter(move |alarm| alarm.owner == owner);
            own.map(|alarm| catalogue.alarm(alarm))
        };
        let own = catalogue
            .of_node()
            .into_iter()
            .chain(alarms(Owner::Gateway));
        node.topics = own.map(&mut topic).collect();
        for (index, device) in (0..).map(DeviceIndex).zip(&plant.devices) {
            let topics = catalogue.of_device(device).into_iter();
            node.devices.push(Device {
                id: Arc::clone(&device.id),
                topics: topics
                    .chain(alarms(Owner::Device(index)))
                    .map(&mut topic)
                    .collect(),
                is_lost: true,
                is_born: false,
            });
        }
        node
    }

    /// A connection will be tried. Returns its number, which must be on disk before.
    pub(super) fn connecting(&mut self) -> u8 {
        let number = self.birth_number.map_or(0, |last| last.wrapping_add(1));
        self.birth_number = Some(number);
        self.session = Session::None;
        number
    }

    /// No CONNECT was sent: its number is free again.
    pub(super) fn not_connected(&mut self, before: Option<u8>) {
        self.birth_number = before;
    }

    /// The number of the present connection, or of the last.
    pub(super) const fn birth_number(&self) -> Option<u8> {
        self.birth_number
    }

    /// NDEATH: the last will of a connection, and what is said before it is ended on purpose.
    pub(super) fn death(&self, now: Wall) -> Publish {
        let mut number = self.birth_number_metric(now);
        number.alias = None;
        Publish {
            topic: self.names.of_node("NDEATH"),
            payload: message(vec![number], None, now),
        }
    }

    /// The broker has accepted the connection, `another` than the last one. Returns what to subscribe
    /// to, with QoS 1.
    pub(super) fn connected(&mut self, another: bool) -> Vec<String> {
        self.host.connected(another);
        let state = self.names.state();
        self.session = match state {
            Some(_) => Session::None,
            None => Session::BirthOwed,
        };
        [self.names.of_node("NCMD")]
            .into_iter()
            .chain(state)
            .collect()
    }

    /// The connection is over.
    pub(super) fn disconnected(&mut self) {
        self.session = Session::None;
    }

    /// Whether NBIRTH is all that was said.
    pub(super) fn is_newborn(&self) -> bool {
        self.session == Session::Born && self.seq == 1 && self.devices.iter().all(|d| !d.is_born)
    }

    /// Whether anything may be said on this connection.
    pub(super) fn is_in_session(&self) -> bool {
        self.session != Session::None
    }

    /// The primary host that is waited for, while it is.
    pub(super) fn waits_for(&self) -> Option<&str> {
        self.names.primary_host().filter(|_| !self.host.is_online())
    }

    /// Somebody said this.
    pub(super) fn heard(&mut self, topic: &str, payload: &[u8]) -> Heard {
        if Some(topic) == self.names.state().as_deref() {
            match self.host.heard(payload) {
                Some(Turn::Came) => self.session = Session::BirthOwed,
                Some(Turn::Went) => {
                    self.session = Session::None;
                    return Heard::HostGone;
                }
                None => {}
            }
        } else if topic == self.names.of_node("NCMD")
            && self.session == Session::Born
            && asks_for_rebirth(payload)
        {
            self.session = Session::BirthOwed;
        }
        Heard::Nothing
    }

    /// Which devices are lost, in the order of the plant. Returns whether one has been found.
    pub(super) fn lost(&mut self, lost: &[bool]) -> bool {
        let mut found = false;
        for (device, is_lost) in self.devices.iter_mut().zip(lost) {
            found |= device.is_lost && !is_lost;
            device.is_lost = *is_lost;
        }
        found
    }

    /// What must be published before any data; none if nothing must.
    pub(super) fn owed(&mut self, now: Wall, holding: &impl Holding) -> Option<Publish> {
        match self.session {
            Session::None => None,
            Session::BirthOwed => {
                self.session = Session::Born;
                for device in &mut self.devices {
                    device.is_born = false;
                }
                self.seq = 0;
                Some(self.node_birth(now, holding))
            }
            Session::Born => {
                let owed = |device: &Device| device.is_born == device.is_lost;
                let index = self.devices.iter().position(owed)?;
                let device = self.devices.get_mut(index)?;
                device.is_born = !device.is_lost;
                Some(if device.is_born {
                    self.device_birth(index, now, holding)
                } else {
                    self.device_death(index, now)
                })
            }
        }
    }

    /// A current value changed, or was cleared. Nothing is said of a device that is lost: its birth
    /// will have what holds then.
    pub(super) fn current(&mut self, tail: &str, payload: &[u8], now: Wall) -> Option<Publish> {
        let said = match serde_json::from_slice(payload) {
            Ok(Value::Object(said)) => Some(said),
            _ => None,
        };
        let (device, tail) = self.owner(tail);
        if device.is_some_and(|device| !self.devices.get(device).is_some_and(|d| d.is_born)) {
            return None;
        }
        let topic = self.topic(device, tail)?;
        let metrics = topic.row(said.as_ref(), now).data(said.as_ref(), false);
        Some(self.data(device, metrics, now))
    }

    /// A record is to be sent.
    pub(super) fn record(
        &mut self,
        stored: &Stored,
        historical: bool,
        limit: usize,
        now: Wall,
    ) -> Answer {
        let said = self.said(stored, historical);
        let tail = topic_tail(&stored.record.body);
        if let Body::Summary(_) | Body::Tags(_) = stored.record.body {
            self.take_in(&tail);
        }
        let (device, tail) = self.owner(&tail);
        if device
            .and_then(|device| self.devices.get(device))
            .is_some_and(|device| device.is_lost)
        {
            return Answer::Lost;
        }
        if self.extend(device, tail, &said) || self.is_unborn(device) {
            return Answer::BirthFirst;
        }
        let Some(topic) = self.topic(device, tail) else {
            // The topic was taken in just before.
            return Answer::BirthFirst;
        };
        if topic.shape.kind == Kind::Window {
            topic.keep(stored);
        }
        let metrics = topic.row(Some(&said), now).data(Some(&said), historical);
        let before = self.seq;
        let publish = self.data(device, metrics, now);
        let size = publish.payload.len();
        if size > limit {
            // It is not sent: the next message has its number.
            self.seq = before;
            return Answer::TooLarge(size);
        }
        Answer::Say(publish)
    }

    fn is_unborn(&self, device: Option<usize>) -> bool {
        let device = device.and_then(|device| self.devices.get(device));
        self.session != Session::Born || device.is_some_and(|device| !device.is_born)
    }

    fn said(&self, stored: &Stored, historical: bool) -> Said {
        let message = Message {
            gateway: &self.gateway,
            run: &stored.run,
            record: &stored.record,
            historical,
        };
        match serde_json::to_value(&message) {
            Ok(Value::Object(said)) => said,
            _ => Said::new(),
        }
    }

    /// Makes sure that there is a topic for a record of a device that is no longer configured.
    fn take_in(&mut self, whole_tail: &str) {
        let Some((id, tail)) = whole_tail.split_once('/') else {
            return;
        };
        let at = self.devices.iter().position(|device| *device.id == *id);
        let at = at.unwrap_or_else(|| {
            self.devices.push(Device {
                id: id.into(),
                topics: Vec::new(),
                is_lost: false,
                is_born: false,
            });
            self.devices.len() - 1
        });
        if let Some(device) = self.devices.get_mut(at)
            && device.topics.iter().all(|topic| topic.tail != tail)
        {
            let topic = Topic::new(tail.to_owned(), left_over(tail), &mut self.next_alias);
            device.topics.push(topic);
            device.is_born = false;
        }
    }

    /// Adds metrics that a record has and the catalogue has not; then whoever has them must be born
    /// anew.
    fn extend(&mut self, device: Option<usize>, tail: &str, said: &Said) -> bool {
        let first_alias = self.next_alias;
        let Some(topic) = self.topic(device, tail) else {
            return false;
        };
        let Some(shape) = topic.shape.with(said) else {
            return false;
        };
        let count = shape.len();
        topic.shape = Arc::new(shape);
        topic.first_alias = first_alias;
        self.next_alias += count;
        match device.and_then(|device| self.devices.get_mut(device)) {
            Some(device) => device.is_born = false,
            None => self.session = Session::BirthOwed,
        }
        true
    }

    /// Whose a topic is: that of a device by its index, or of the node.
    fn owner<'t>(&self, tail: &'t str) -> (Option<usize>, &'t str) {
        let Some((id, rest)) = tail.split_once('/') else {
            return (None, tail);
        };
        if id == GATEWAY {
            return (None, rest);
        }
        let at = self.devices.iter().position(|device| *device.id == *id);
        at.map_or((None, tail), |at| (Some(at), rest))
    }

    fn topic(&mut self, device: Option<usize>, tail: &str) -> Option<&mut Topic> {
        let topics = match device {
            Some(device) => &mut self.devices.get_mut(device)?.topics,
            None => &mut self.topics,
        };
        topics.iter_mut().find(|topic| topic.tail == tail)
    }

    fn node_birth(&mut self, now: Wall, holding: &impl Holding) -> Publish {
        let rebirth = Metric {
            name: Some(REBIRTH.to_owned()),
            timestamp: Some(milliseconds(now)),
            datatype: Some(BOOLEAN),
            boolean_value: Some(false),
            ..Metric::default()
        };
        let mut metrics = vec![self.birth_number_metric(now), rebirth];
        for topic in &self.topics {
            let whole = match topic.shape.kind {
                Kind::Alarm => format!("{GATEWAY}/{}", topic.tail),
                _ => topic.tail.clone(),
            };
            metrics.extend(self.born(topic, &whole, now, holding));
        }
        self.numbered(self.names.of_node("NBIRTH"), metrics, now)
    }

    fn device_birth(&mut self, index: usize, now: Wall, holding: &impl Holding) -> Publish {
        let device = &self.devices[index];
        let mut metrics = Vec::new();
        for topic in &device.topics {
            let whole = format!("{}/{}", device.id, topic.tail);
            metrics.extend(self.born(topic, &whole, now, holding));
        }
        let topic = self.names.of_device("DBIRTH", &device.id);
        self.numbered(topic, metrics, now)
    }

    fn device_death(&mut self, index: usize, now: Wall) -> Publish {
        let topic = self.names.of_device("DDEATH", &self.devices[index].id);
        self.numbered(topic, Vec::new(), now)
    }

    /// All metrics of a topic with what holds now.
    fn born(&self, topic: &Topic, tail: &str, now: Wall, holding: &impl Holding) -> Vec<Metric> {
        let said = match topic.shape.kind {
            Kind::Current | Kind::Alarm => holding
                .payload(tail)
                .and_then(|payload| serde_json::from_slice(&payload).ok()),
            Kind::Window | Kind::Event => {
                let records = topic.newest.iter().map(|stored| self.said(stored, false));
                records.reduce(|mut all, part| {
                    all.extend(part);
                    all
                })
            }
        };
        topic
            .row(said.as_ref(), now)
            .birth(&topic.tail, said.as_ref())
    }

    fn data(&mut self, device: Option<usize>, metrics: Vec<Metric>, now: Wall) -> Publish {
        let topic = match device.and_then(|device| self.devices.get(device)) {
            Some(device) => self.names.of_device("DDATA", &device.id),
            None => self.names.of_node("NDATA"),
        };
        self.numbered(topic, metrics, now)
    }

    fn numbered(&mut self, topic: String, metrics: Vec<Metric>, now: Wall) -> Publish {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        Publish {
            topic,
            payload: message(metrics, Some(seq), now),
        }
    }

    fn birth_number_metric(&self, now: Wall) -> Metric {
        Metric {
            name: Some(BIRTH_NUMBER.to_owned()),
            alias: Some(FIRST_ALIAS),
            timestamp: Some(milliseconds(now)),
            datatype: Some(INT64),
            long_value: Some(u64::from(self.birth_number.unwrap_or(0))),
            ..Metric::default()
        }
    }
}

impl Topic {
    fn new(tail: String, shape: Arc<Shape>, next_alias: &mut u64) -> Topic {
        let first_alias = *next_alias;
        *next_alias += shape.len();
        Topic {
            tail,
            shape,
            first_alias,
            newest: Vec::new(),
        }
    }

    /// Keeps a record that was sent, beside those of the same window that tell other tags. What is
    /// sent late is not the newest.
    fn keep(&mut self, stored: &Stored) {
        let window = |stored: &Stored| match &stored.record.body {
            Body::Summary(summary) => Some((summary.end, 0)),
            Body::Tags(tags) => Some((tags.end, tags.part)),
            Body::Event(_) => None,
        };
        let new = window(stored);
        let newest = self.newest.iter().filter_map(window).max();
        if newest.map(|(end, _)| end) > new.map(|(end, _)| end) {
            return;
        }
        self.newest.retain(|old| match (window(old), new) {
            (Some((old_end, old_part)), Some((end, part))) => old_end == end && old_part != part,
            _ => false,
        });
        self.newest.push(stored.clone());
    }

    /// Its metrics, as of the moment that is said, or of now.
    fn row(&self, said: Option<&Said>, now: Wall) -> Row<'_> {
        let key = self.shape.kind.time_key();
        let at = said.and_then(|said| said.get(key)).and_then(Value::as_i64);
        Row {
            shape: &self.shape,
            first_alias: self.first_alias,
            at: at.map_or(now, Wall),
        }
    }
}

/// The only command there is.
fn asks_for_rebirth(payload: &[u8]) -> bool {
    let Ok(payload) = sparkplug::Payload::decode(payload) else {
        return false;
    };
    payload.metrics.iter().any(|metric| {
        Metric::decode(metric.as_slice()).is_ok_and(|metric| {
            metric.name.as_deref() == Some(REBIRTH) && metric.boolean_value == Some(true)
        })
    })
}
