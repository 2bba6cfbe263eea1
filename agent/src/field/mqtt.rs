//! One MQTT broker that machines publish to: one task, one connection.
//!
//! - Each connection has a client and an event loop of its own and a clean session; it subscribes
//!   after CONNACK, with QoS 1. The link is up when every subscription is acknowledged.
//! - Whatever is published ends as a reading of the tags of that topic, good or bad; bad ones are
//!   warned about once a minute for each topic.
//! - A packet over [`LARGEST_PACKET`] is not received at all: the connection is closed instead.
//!   If it is a retained one it would close every connection, so the next connection subscribes
//!   to one topic after the other; the topic that closes it is named and left out for an hour.

use super::FromField;
mod subscribing;

use super::backoff::Backoff;
use super::outlet::{EngineGone, Outlet};
use super::payload::{Payload, Reader};
use crate::broker;
use crate::clock;
use crate::settings::MqttLink;
use andon_core::plant::Plant;
use andon_core::sample::{Reading, Reason};
use andon_core::tag::{DeviceIndex, Place, Source, TagIndex};
use andon_core::time::Mono;
use jiff::tz::TimeZone;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, StateError,
    SubAck, SubscribeReasonCode, mqttbytes,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use subscribing::Subscribing;
use tokio::time::sleep;

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

/// Bad readings of a topic are warned about at most once in this time.
const WARN_AGAIN_MS: u64 = 60_000;

/// The state of one link.
pub struct Subscriber {
    link: MqttLink,
    zone: TimeZone,
    topics: Vec<Topic>,
    by_name: HashMap<Arc<str>, usize>,
    outlet: Outlet,
    backoff: Backoff,
    /// A packet over the limit closed the last connection.
    careful: bool,
    /// When the present connection was ready.
    up_since: Option<Mono>,
}

/// One topic with what is read from it.
struct Topic {
    name: Arc<str>,
    devices: Vec<(DeviceIndex, Arc<str>, Vec<(TagIndex, Place)>)>,
    left_out_until: Option<Mono>,
    warned: Option<Mono>,
    /// Messages with bad readings since then.
    unsaid: u64,
}

/// Why a connection ended.
struct End {
    why: String,
    /// Bytes of the packet that was over the limit.
    oversize: Option<usize>,
    /// Topics that were just being subscribed to.
    asked: Vec<usize>,
}

impl Subscriber {
    /// A subscriber to what `link` names, for the devices of `plant`.
    pub fn new(link: MqttLink, plant: &Plant, outlet: Outlet) -> Subscriber {
        let topics = link
            .topics
            .iter()
            .map(|topic| Topic::new(topic, plant))
            .collect();
        Subscriber::of_topics(link, plant.calendar.zone.clone(), topics, outlet)
    }

    fn of_topics(link: MqttLink, zone: TimeZone, topics: Vec<Topic>, outlet: Outlet) -> Subscriber {
        let by_name = topics
            .iter()
            .map(|topic| topic.name.clone())
            .zip(0..)
            .collect();
        let seed = clock::mono().0 ^ u64::from(outlet.link().0) << 32;
        let backoff = Backoff::new(RECONNECT_LAST_MS, seed);
        Subscriber {
            link,
            zone,
            topics,
            by_name,
            outlet,
            backoff,
            careful: false,
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
            },
        };
        let broker = &self.link.broker;
        let why = format!("{}:{}: {}", broker.host, broker.port, end.why);
        self.outlet.down(why).await?;
        let Some(bytes) = end.oversize else {
            self.careful = false;
            return Ok(());
        };
        match (self.careful, &end.asked[..]) {
            (true, [culprit]) => self.leave_out(*culprit, bytes).await?,
            _ => self.warn_oversize(bytes),
        }
        self.careful = true;
        Ok(())
    }

    async fn options(&self) -> Result<MqttOptions, String> {
        let (broker, client_id) = (self.link.broker.clone(), self.link.client_id.clone());
        let largest = largest_packet(&self.link);
        let make = move || {
            let mut options = broker::options(&broker, &client_id, LARGEST_PACKET, None)
                .map_err(|error| error.to_string())?;
            options
                .set_keep_alive(KEEP_ALIVE)
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
        let mut subscribing = Subscribing::new(self.wanted(), self.careful);
        loop {
            let error = match events.poll().await {
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
            Packet::ConnAck(_) => subscribing.advance(client, &self.topics),
            Packet::SubAck(ack) => {
                self.warn_refused(&ack, &subscribing.asked);
                subscribing.acknowledged(client, &self.topics);
            }
            Packet::UnsubAck(_) => subscribing.advance(client, &self.topics),
            // It comes with every ping: time to look whether a topic has been left out for long.
            Packet::PingResp => {
                subscribing.add(self.let_in());
                subscribing.resume(client, &self.topics);
            }
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

    async fn message(&mut self, publish: &Publish) -> Result<(), EngineGone> {
        let Some(topic) = self.by_name.get(publish.topic.as_str()) else {
            return Ok(());
        };
        let topic = &mut self.topics[*topic];
        let at = clock::mono();
        let payload = Payload::new(&publish.payload, self.link.max_payload);
        let mut bad = None;
        for (device, called, tags) in &topic.devices {
            let reader = Reader {
                device: called,
                zone: &self.zone,
                retained: publish.retain,
            };
            let tags = tags.iter().map(|(tag, place)| (*tag, place));
            let readings = payload.samples(tags, reader);
            bad = bad.or_else(|| {
                readings
                    .iter()
                    .find_map(|(_, sample)| bad_reason(&sample.reading))
            });
            self.outlet
                .send(FromField::Readings {
                    device: *device,
                    at,
                    readings,
                })
                .await?;
        }
        if let Some(reason) = bad {
            topic.warn(self.outlet.id(), reason, publish.payload.len(), at);
        }
        Ok(())
    }

    /// Leaves a topic out whose message is larger than what is received.
    async fn leave_out(&mut self, culprit: usize, bytes: usize) -> Result<(), EngineGone> {
        let at = clock::mono();
        let topic = &mut self.topics[culprit];
        topic.left_out_until = Some(at + LEFT_OUT_MS);
        tracing::warn!(
            link = self.outlet.id(),
            topic = &*topic.name,
            bytes,
            limit = largest_packet(&self.link),
            "a message over the limit closed the connection; the topic is left out for an hour"
        );
        for (device, _, tags) in &topic.devices {
            let bad = |(tag, _): &(TagIndex, Place)| (*tag, Reading::Bad(Reason::TooLong).into());
            let readings = tags.iter().map(bad).collect();
            self.outlet
                .send(FromField::Readings {
                    device: *device,
                    at,
                    readings,
                })
                .await?;
        }
        Ok(())
    }

    fn warn_oversize(&self, bytes: usize) {
        let names: Vec<&str> = self
            .topics
            .iter()
            .map(|topic| &*topic.name)
            .take(20)
            .collect();
        tracing::warn!(
            link = self.outlet.id(),
            bytes,
            limit = largest_packet(&self.link),
            "a message over the limit closed the connection; it came on one of {}",
            names.join(", ")
        );
    }

    fn warn_refused(&self, ack: &SubAck, asked: &[usize]) {
        for (code, topic) in ack.return_codes.iter().zip(asked) {
            if matches!(code, SubscribeReasonCode::Failure) {
                tracing::warn!(
                    link = self.outlet.id(),
                    topic = &*self.topics[*topic].name,
                    "the broker refuses the subscription; check its access rules"
                );
            }
        }
    }

    /// Ends the time of those topics that have been left out for long enough, and names them.
    fn let_in(&mut self) -> Vec<usize> {
        let now = clock::mono();
        let over = |topic: &mut Topic| topic.left_out_until.take_if(|until| *until <= now);
        let topics = self.topics.iter_mut().zip(0..);
        topics
            .filter_map(|(topic, at)| over(topic).map(|_| at))
            .collect()
    }

    /// The topics to subscribe to on a new connection.
    fn wanted(&mut self) -> VecDeque<usize> {
        self.let_in();
        let topics = self.topics.iter().zip(0..);
        topics
            .filter(|(topic, _)| topic.left_out_until.is_none())
            .map(|(_, at)| at)
            .collect()
    }
}

impl Topic {
    fn new(topic: &crate::settings::Topic, plant: &Plant) -> Topic {
        let place = |device: DeviceIndex, tag: TagIndex| {
            let source = &plant.device(device).model.tags[usize::from(tag.0)].source;
            match source {
                Source::Message(place) => Some((tag, place.clone())),
                Source::Modbus(_) => None,
            }
        };
        let devices = topic.readers.iter().map(|reader| {
            let tags = reader.tags.iter();
            let places = tags.filter_map(|tag| place(reader.device, *tag));
            (reader.device, reader.called.clone(), places.collect())
        });
        Topic {
            name: topic.name.clone(),
            devices: devices.collect(),
            left_out_until: None,
            warned: None,
            unsaid: 0,
        }
    }

    fn warn(&mut self, link: &str, reason: Reason, bytes: usize, now: Mono) {
        self.unsaid += 1;
        if self
            .warned
            .is_some_and(|warned| now.since(warned) < WARN_AGAIN_MS)
        {
            return;
        }
        let (topic, messages) = (&*self.name, self.unsaid);
        tracing::warn!(link, topic, %reason, bytes, messages, "bad readings from a message");
        self.warned = Some(now);
        self.unsaid = 0;
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
        None => broker::explain(error),
    }
}

#[cfg(test)]
mod tests;
