//! One MQTT broker that machines publish to: one task, one connection.
//!
//! - Each connection has a client and an event loop of its own and a clean session; it subscribes
//!   after CONNACK, with QoS 1. The link is up when every subscription is acknowledged.
//! - Whatever is published ends as samples of the tags of that topic, good or bad; bad ones are
//!   warned about once a minute for each topic.
//! - Topics in which only the device differs share a filter; the topic tells whose message it is.
//!   A message that arrives twice changes nothing the second time: counters say what they show.
//! - A packet over [`LARGEST_PACKET`] is not received at all: the connection is closed instead.
//!   If it is a retained one it would close every connection, so the next connection subscribes
//!   to one topic after the other; the topic that closes it is named and left out for an hour.
//! - When all that usually speak are silent, they are subscribed to anew, and then the connection
//!   is made anew, once (`silence`).

mod filter;
mod silence;
mod subscribing;
mod topic;
mod topics;

use super::FromField;
use super::backoff::Backoff;
use super::outlet::{EngineGone, Outlet};
use crate::broker;
use crate::clock;
use crate::settings::MqttLink;
use andon_core::plant::Plant;
use andon_core::sample::{Reading, Reason};
use andon_core::time::Mono;
use jiff::tz::TimeZone;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, StateError,
    SubAck, SubscribeReasonCode, mqttbytes,
};
use std::sync::Arc;
use std::time::Duration;
use subscribing::Subscribing;
use tokio::time::sleep;
use topic::{Message, Readings, Topic};
use topics::{Step, Topics};

/// Largest packet in bytes that is received, unless `max_payload` is larger.
const LARGEST_PACKET: usize = 256 * 1024;

/// Room for the topic and the headers of a packet.
const PACKET_HEAD: usize = 66_000;

/// A ping is sent after this long; a half-open connection is noticed after twice as long.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Longest wait between two attempts to connect.
const RECONNECT_LAST_MS: u64 = 5_000;

/// A connection that lasted this long did work.
const LASTING_MS: u64 = 10_000;

/// How long a topic is left out that closed a connection.
const LEFT_OUT_MS: u64 = 3_600_000;

/// The state of one link.
pub struct Subscriber {
    link: MqttLink,
    zone: TimeZone,
    topics: Topics,
    keep_alive: Duration,
    outlet: Outlet,
    backoff: Backoff,
    /// A packet over the limit closed the last connection.
    careful: bool,
    /// The present subscriptions were made because of a silence, which a retained copy of what was
    /// heard before does not break.
    suspicious: bool,
    /// When the present connection was ready.
    up_since: Option<Mono>,
}

/// Why a connection ended.
struct End {
    why: String,
    /// Bytes of the packet that was over the limit.
    oversize: Option<usize>,
    /// Filters that were just being subscribed to.
    asked: Vec<Arc<str>>,
    /// It was ended here, for nothing was heard on it.
    deaf: bool,
}

impl Subscriber {
    /// A subscriber to what `link` names, for the devices of `plant`.
    pub fn new(link: MqttLink, plant: &Plant, outlet: Outlet) -> Subscriber {
        let topics = link.topics.iter().map(|topic| Topic::new(topic, plant));
        let seed = clock::mono().0 ^ u64::from(outlet.link().0) << 32;
        Subscriber {
            topics: Topics::new(topics.collect()),
            zone: plant.calendar.zone.clone(),
            backoff: Backoff::new(RECONNECT_LAST_MS, seed),
            link,
            keep_alive: KEEP_ALIVE,
            outlet,
            careful: false,
            suspicious: false,
            up_since: None,
        }
    }

    /// Connects again and again.
    pub async fn run(mut self) -> EngineGone {
        loop {
            if let Err(gone) = self.connect_once().await {
                return gone;
            }
            // One that is closed again and again (another client with our id) is not one that works.
            let lasted = self
                .up_since
                .take()
                .map_or(0, |since| clock::mono().since(since));
            if lasted >= LASTING_MS && !self.careful {
                self.backoff.reset();
            }
            sleep(Duration::from_millis(self.backoff.next_ms())).await;
        }
    }

    /// One connection with its consequences.
    async fn connect_once(&mut self) -> Result<(), EngineGone> {
        let end = match self.options().await {
            Ok(options) => self.connection(options).await?,
            Err(why) => End {
                why,
                oversize: None,
                asked: Vec::new(),
                deaf: false,
            },
        };
        self.suspicious = end.deaf;
        if end.deaf {
            tracing::info!(link = self.outlet.id(), "{}", end.why);
            return Ok(());
        }
        let broker = &self.link.broker;
        let why = format!("{}:{}: {}", broker.host, broker.port, end.why);
        self.outlet.down(why).await?;
        let Some(bytes) = end.oversize else {
            self.careful = false;
            return Ok(());
        };
        match (self.careful, &end.asked[..]) {
            (true, [culprit]) => self.leave_out(culprit, bytes).await?,
            _ => self.warn_oversize(bytes),
        }
        self.careful = true;
        Ok(())
    }

    async fn options(&self) -> Result<MqttOptions, String> {
        let (broker, client_id) = (self.link.broker.clone(), self.link.client_id.clone());
        let largest = largest_packet(&self.link);
        let keep_alive = self.keep_alive;
        let make = move || {
            let mut options = broker::options(&broker, &client_id, LARGEST_PACKET, None)
                .map_err(|error| error.to_string())?;
            options
                .set_keep_alive(keep_alive)
                .set_max_packet_size(largest, LARGEST_PACKET);
            Ok(options)
        };
        // It reads the password and certificates.
        tokio::task::spawn_blocking(make)
            .await
            .unwrap_or_else(|error| Err(error.to_string()))
    }

    /// A connection from CONNECT to its end.
    async fn connection(&mut self, options: MqttOptions) -> Result<End, EngineGone> {
        let (client, mut events) = AsyncClient::new(options, 4);
        events.set_network_options(broker::network_options());
        self.topics.let_in(clock::mono());
        self.topics.forget_metrics();
        let filters = self.topics.subscribe(self.careful);
        let mut subscribing = Subscribing::new(filters, self.careful);
        loop {
            let error = match events.poll().await {
                // It comes with every ping: time to look what has been left out or silent for long.
                Ok(Event::Incoming(Packet::PingResp)) => {
                    if let Some(end) = self.look_around(&mut subscribing, &client) {
                        return Ok(end);
                    }
                    continue;
                }
                Ok(Event::Incoming(packet)) => {
                    let subscribed = subscribing.is_done();
                    self.incoming(packet, &mut subscribing, &client).await?;
                    if subscribing.is_done() && !subscribed {
                        self.up_since = Some(clock::mono());
                        self.outlet.up().await?;
                    }
                    continue;
                }
                Ok(Event::Outgoing(_)) => continue,
                Err(error) => error,
            };
            self.last_messages(&mut events).await?;
            return Ok(End {
                why: explain(&error, &self.link),
                oversize: oversize(&error),
                asked: subscribing.asked,
                deaf: false,
            });
        }
    }

    async fn incoming(
        &mut self,
        packet: Packet,
        subscribing: &mut Subscribing,
        client: &AsyncClient,
    ) -> Result<(), EngineGone> {
        match packet {
            Packet::Publish(publish) => return self.message(&publish).await,
            Packet::ConnAck(_) => subscribing.advance(client),
            Packet::SubAck(ack) => {
                self.warn_refused(&ack, &subscribing.asked);
                subscribing.acknowledged(client);
            }
            Packet::UnsubAck(_) => subscribing.advance(client),
            _ => {}
        }
        Ok(())
    }

    /// What arrived together with the packet that ended the connection.
    async fn last_messages(&mut self, events: &mut EventLoop) -> Result<(), EngineGone> {
        while let Some(event) = events.state.events.pop_front() {
            if let Event::Incoming(Packet::Publish(publish)) = event {
                self.message(&publish).await?;
            }
        }
        Ok(())
    }

    /// Lets topics in again, and subscribes or connects anew where there is a silence.
    fn look_around(&mut self, subscribing: &mut Subscribing, client: &AsyncClient) -> Option<End> {
        let now = clock::mono();
        subscribing.add(self.topics.let_in(now));
        if subscribing.is_done() {
            match self.topics.step(now) {
                Step::Wait => {}
                Step::Subscribe(filters) => {
                    self.suspicious = true;
                    subscribing.add(filters);
                }
                Step::Connect => {
                    let why = "nothing is heard of what usually speaks: connecting anew";
                    return Some(End {
                        why: why.into(),
                        oversize: None,
                        asked: Vec::new(),
                        deaf: true,
                    });
                }
            }
        }
        subscribing.resume(client);
        None
    }

    async fn message(&mut self, publish: &Publish) -> Result<(), EngineGone> {
        let (name, retained) = (publish.topic.as_str(), publish.retain);
        let topics = self.topics.route(name);
        if topics.is_empty() {
            self.topics.nobody_reads(self.outlet.id(), name);
        }
        let at = clock::mono();
        for (index, heard) in topics {
            let known = self
                .topics
                .heard(index, at, name, &publish.payload, !retained);
            if known && retained && self.suspicious {
                continue;
            }
            let topic = &mut self.topics.all[index];
            let message = Message {
                payload: &publish.payload,
                retained,
                max: self.link.max_payload,
            };
            let read = topic.read(&message, heard, &self.zone);
            let mut samples = read.iter().flat_map(|(_, samples)| samples);
            if let Some(reason) = samples.find_map(|(_, sample)| bad_reason(&sample.reading)) {
                topic.warn(self.outlet.id(), reason, publish.payload.len(), at);
            }
            self.tell(at, read).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, at: Mono, read: Vec<Readings>) -> Result<(), EngineGone> {
        for (device, readings) in read {
            let message = FromField::Readings {
                device,
                at,
                readings,
            };
            self.outlet.send(message).await?;
        }
        Ok(())
    }

    /// Leaves out what is subscribed to by a filter through which a message came that is larger than
    /// what is received.
    async fn leave_out(&mut self, culprit: &Arc<str>, bytes: usize) -> Result<(), EngineGone> {
        let at = clock::mono();
        tracing::warn!(
            link = self.outlet.id(),
            topic = &**culprit,
            bytes,
            limit = largest_packet(&self.link),
            "a message over the limit closed the connection; the topic is left out for an hour"
        );
        let mut bad = Vec::new();
        for topic in &mut self.topics.all {
            if topic.own.contains(culprit) {
                topic.left_out_until = Some(at + LEFT_OUT_MS);
                bad.extend(topic.all_bad(Reason::TooLong));
            }
        }
        self.tell(at, bad).await
    }

    fn warn_oversize(&self, bytes: usize) {
        let topics = self.topics.all.iter();
        let names: Vec<&str> = topics.map(|topic| &*topic.name).take(20).collect();
        tracing::warn!(
            link = self.outlet.id(),
            bytes,
            limit = largest_packet(&self.link),
            "a message over the limit closed the connection; it came on one of {}",
            names.join(", ")
        );
    }

    fn warn_refused(&self, ack: &SubAck, asked: &[Arc<str>]) {
        for (code, filter) in ack.return_codes.iter().zip(asked) {
            if matches!(code, SubscribeReasonCode::Failure) {
                tracing::warn!(
                    link = self.outlet.id(),
                    topic = &**filter,
                    "the broker refuses the subscription; check its access rules"
                );
            }
        }
    }
}

/// Bytes of a packet that is still received.
fn largest_packet(link: &MqttLink) -> usize {
    LARGEST_PACKET.max(link.max_payload.saturating_add(PACKET_HEAD))
}

fn bad_reason(reading: &Reading) -> Option<Reason> {
    match reading {
        Reading::Bad(reason) => Some(*reason),
        Reading::Good(_) | Reading::Uncertain(..) => None,
    }
}

fn oversize(error: &ConnectionError) -> Option<usize> {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(
            mqttbytes::Error::PayloadSizeLimitExceeded(bytes),
        )) => Some(*bytes),
        _ => None,
    }
}

fn explain(error: &ConnectionError, link: &MqttLink) -> String {
    let limit = largest_packet(link);
    match oversize(error) {
        Some(bytes) => format!("a message of {bytes} bytes is over the limit of {limit}"),
        None => broker::explain(error, None),
    }
}

#[cfg(test)]
mod tests;
