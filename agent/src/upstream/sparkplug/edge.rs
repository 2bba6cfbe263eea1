//! The edge node on a connection: when it is born, what it says, and what leaves the disk when.

use super::names::Names;
use super::node::{Answer, Heard, Holding, Node, Publish};
use super::numbers::NumberFile;
use crate::clock;
use crate::store::Stored;
use crate::upstream::current::{CurrentValues, STATUS};
use crate::upstream::handover::is_historical;
use crate::upstream::lanes::{LOOK, Lanes};
use crate::upstream::link::{Cargo, Connection, Topics};
use crate::upstream::{Reach, Uplink};
use andon_core::plant::Plant;
use rumqttc::{LastWill, QoS};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Bytes that a birth certificate may come to: some 30,000 metrics of one device.
pub(in crate::upstream) const LARGEST_BIRTH: usize = 1 << 20;

/// How long the primary host is waited for at a broker where others can be tried.
const HOST_PATIENCE: Duration = Duration::from_secs(30);

/// What it takes to speak Sparkplug.
#[derive(Debug)]
pub struct Parts {
    /// What the metrics follow from.
    pub plant: Arc<Plant>,
    /// What the node is called.
    pub names: Names,
    /// Of which devices nothing good is known, in the order of the plant.
    pub lost: watch::Receiver<Arc<[bool]>>,
    /// Where the number of the last connection is kept.
    pub data_dir: PathBuf,
}

/// The edge node and what it goes by.
#[derive(Debug)]
pub(in crate::upstream) struct Edge {
    node: Node,
    lost: watch::Receiver<Arc<[bool]>>,
    file: NumberFile,
    /// What the file says.
    on_disk: Option<u8>,
    /// The number of the last CONNECT.
    last: Option<u8>,
    /// The broker of the last connection.
    broker: Option<String>,
    /// The primary host may be at another broker: until then it is waited for at this one.
    waits_until: Option<Instant>,
    /// A `status` is owed: the births tell nobody that they arrived.
    asks: bool,
}

impl Edge {
    pub(in crate::upstream) fn new(parts: Parts) -> Edge {
        let file = NumberFile::in_dir(&parts.data_dir);
        let last = file.read();
        Edge {
            node: Node::new(&parts.plant, parts.names, last),
            lost: parts.lost,
            file,
            on_disk: last,
            last,
            broker: None,
            waits_until: None,
            asks: false,
        }
    }

    /// A connection will be tried: its number is on disk before it is used.
    pub(in crate::upstream) async fn connecting(&mut self) {
        let number = self.node.connecting();
        if self.on_disk == Some(number) {
            return;
        }
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || file.write(number)).await;
        match written.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked))) {
            Ok(()) => self.on_disk = Some(number),
            Err(error) => tracing::warn!(
                "{}: {error}; after a restart hosts may take a late death of this connection for \
                 that of the next",
                self.file.path().display()
            ),
        }
    }

    /// CONNECT was not sent, or was, and its number is used up.
    pub(in crate::upstream) fn tried(&mut self, was_sent: bool) {
        if was_sent {
            self.last = self.node.birth_number();
        } else {
            self.node.not_connected(self.last);
        }
    }

    pub(in crate::upstream) fn last_will(&self) -> LastWill {
        let death = self.node.death(clock::now().wall);
        LastWill::new(death.topic, death.payload, QoS::AtLeastOnce, false)
    }

    /// The broker has accepted a connection; there may be others.
    pub(in crate::upstream) fn connected(
        &mut self,
        connection: &mut Connection,
        broker: &str,
        has_others: bool,
    ) {
        let another = self.broker.as_deref() != Some(broker);
        self.broker = Some(broker.to_owned());
        for topic in self.node.connected(another) {
            connection.listen(Topics::Edge, topic);
        }
        self.waits_until = None;
        if let Some(host) = self.node.waits_for() {
            self.waits_until = has_others.then(|| Instant::now() + HOST_PATIENCE);
            tracing::info!("waiting for the primary host {host}; records wait on disk");
        }
    }

    /// Whether the primary host has gone, so that this connection is to be ended.
    pub(in crate::upstream) fn heard(&mut self, topic: &str, payload: &[u8]) -> bool {
        let waited = self.node.waits_for().is_some();
        match self.node.heard(topic, payload) {
            Heard::HostGone => {
                tracing::warn!("the primary host is offline; records wait on disk");
                true
            }
            Heard::Nothing => {
                if waited && self.node.waits_for().is_none() {
                    self.waits_until = None;
                    tracing::info!("the primary host is online");
                }
                false
            }
        }
    }

    /// Until when the primary host is waited for at this broker.
    pub(in crate::upstream) const fn waits_until(&self) -> Option<Instant> {
        self.waits_until
    }

    /// Says farewell, before the connection is ended on purpose.
    pub(in crate::upstream) fn part(&mut self, connection: &mut Connection) {
        let death = self.node.death(clock::now().wall);
        self.node.disconnected();
        connection.publish(Cargo::Death, death.topic, death.payload);
    }

    /// Waits until other devices are lost than before.
    pub(in crate::upstream) async fn changed(edge: &mut Option<Box<Edge>>) {
        match edge {
            Some(edge) if edge.lost.has_changed().is_ok() => {
                let _ = edge.lost.changed().await;
            }
            _ => std::future::pending().await,
        }
    }

    /// Whether a device has been found again.
    fn look_at_devices(&mut self) -> bool {
        let lost = self.lost.borrow_and_update();
        self.node.lost(&lost)
    }
}

impl Holding for CurrentValues {
    fn payload(&self, topic_tail: &str) -> Option<Vec<u8>> {
        self.held(topic_tail)
    }
}

impl Uplink {
    /// Says what there is room for: births, current values, records; and after them a `status` whose
    /// acknowledgement is theirs.
    pub(in crate::upstream) async fn speak(
        &mut self,
        edge: &mut Edge,
        connection: &mut Connection,
    ) {
        if edge.look_at_devices() {
            // What waited for it may be anywhere in the outbox.
            self.read_again();
        }
        let mut passed_over = 0;
        while edge.node.is_in_session() && connection.has_room() {
            let now = clock::now().wall;
            if let Some(publish) = edge.node.owed(now, &self.parts.current) {
                if edge.node.is_newborn() {
                    self.parts.current.all_told();
                    connection.born(now);
                }
                edge.asks = true;
                connection.send(publish.topic, publish.payload);
                continue;
            }
            self.parts.current.save_list().await;
            if let Some(due) = self.parts.current.next() {
                let tail = due.topic.strip_prefix(&self.head).unwrap_or_default();
                let tail = tail.trim_start_matches('/');
                if let Some(publish) = edge.node.current(tail, &due.payload, now) {
                    connection.send(publish.topic, publish.payload);
                }
                self.parts.current.acknowledged(&due.topic);
            } else if let Some(topic) = self.parts.current.next_left_over() {
                connection.publish(Cargo::LeftOver(topic.clone()), topic, Vec::new());
            } else if connection.window_left() == 0 {
                break;
            } else if passed_over >= LOOK {
                self.looks_on = true;
                break;
            } else if let Some(stored) = self.next_record(connection.window_left()).await {
                if !self.say(edge, connection, stored).await {
                    passed_over += 1;
                }
            } else {
                break;
            }
        }
        if (edge.asks && edge.node.is_in_session()) || connection.has_batch() {
            edge.asks = false;
            self.ask(connection);
        }
    }

    /// Begins again at the head of the outbox.
    fn read_again(&mut self) {
        let newest = self.view.borrow().newest;
        self.lanes = Lanes::new(newest, self.parts.settings.replay, Instant::now());
        self.held = None;
    }

    /// Says a record; false if it has to wait.
    async fn say(&mut self, edge: &mut Edge, connection: &mut Connection, stored: Stored) -> bool {
        if connection.is_on_way(stored.position) {
            return false;
        }
        let now = clock::now().wall;
        let historical = is_historical(&stored, &self.parts.run, connection.accepted, now);
        let limit = self.parts.settings.max_payload;
        match edge.node.record(&stored, historical, limit, now) {
            Answer::Say(Publish { topic, payload }) => {
                connection.send_record(stored.position, topic, payload);
                true
            }
            Answer::BirthFirst => {
                self.lanes.put_back(stored);
                true
            }
            Answer::Lost => false,
            Answer::TooLarge(size) => {
                let why = format!("{size} bytes, and max_payload is {limit}");
                self.set_aside(stored, why).await;
                true
            }
        }
    }

    /// Publishes the `status` that is acknowledged for all that was said before.
    fn ask(&mut self, connection: &mut Connection) {
        let (health, progress) = self.condition();
        let status = self.speaker().online(&health, &progress, clock::now().wall);
        let batch = Cargo::Batch(connection.take_batch());
        connection.publish(batch, format!("{}/{STATUS}", self.head), status);
    }

    /// The broker lets us listen, so it is there, whoever else is not.
    pub(in crate::upstream) fn listens(&mut self) {
        self.failures = 0;
        self.tell(Reach::Reached);
    }
}
