//! One connection to the broker, from CONNECT to its end.
//!
//! Client and event loop of rumqttc are new for each connection and dropped with it: what they
//! keep of a broken one would be sent past their own flow control, or forgotten. Nothing is lost
//! by that, because the outbox is the only truth.

use super::inflight::InFlight;
use crate::broker::{INFLIGHT, explain, network_options};
use crate::store::Position;
use andon_core::time::Wall;
use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, StateError,
    SubscribeReasonCode, mqttbytes,
};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Events of rumqttc between its task and ours. When full, its task waits: it reads no more from
/// the broker until we have looked at what it read.
const EVENTS: usize = 64;

/// Publishes with QoS 0 that are handed over and not sent. With all that may be in flight they must
/// fit into the queue of rumqttc.
const UNSENT: usize = 24;

/// What a publish carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cargo {
    /// A record of the outbox.
    Record(Position),
    /// The current value of this topic.
    Current(String),
    /// The last `status`.
    Goodbye,
    /// Nothing, at a topic where a value may be retained.
    LeftOver(String),
    /// These records, sent before without being acknowledged themselves.
    Batch(Vec<Position>),
    /// That the edge node is no more.
    Death,
}

/// An accepted connection.
#[derive(Debug)]
pub(super) struct Connection {
    client: AsyncClient,
    events: Events,
    in_flight: InFlight<Cargo>,
    window: u16,
    /// Since when the broker owes an acknowledgement.
    owed_since: Instant,
    /// When it was accepted: records made before are historical.
    pub(super) accepted: Wall,
    /// What happened besides deliveries, and is told next.
    besides: VecDeque<News>,
    /// What was handed over with QoS 0 and not sent yet.
    unsent: usize,
    /// Records sent with QoS 0 that no acknowledgement answers for yet.
    batch: Vec<Position>,
    /// Those, and the ones for which it is owed.
    on_way: BTreeSet<Position>,
    /// What is listened to, in the order in which it was asked for, with the packet id of each
    /// subscription once that is told.
    asked: Vec<(Topics, Option<u16>)>,
}

/// What can be listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topics {
    /// The `status` of this gateway.
    Status,
    /// Commands.
    Commands,
    /// What an edge node of Sparkplug hears.
    Edge,
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum News {
    /// These were acknowledged.
    Delivered(Vec<Cargo>),
    /// Somebody said this on a topic that is listened to.
    Heard {
        /// The topic.
        topic: String,
        /// What was said.
        payload: Bytes,
        /// It was said before, and kept.
        retained: bool,
    },
    /// Whether the broker lets us listen.
    Answered(Topics, bool),
    /// It is over, for this reason.
    Over(String),
}

/// No connection came of it.
#[derive(Debug)]
pub(super) struct Failed {
    /// Why.
    pub(super) why: String,
    /// Whether the broker may have had our CONNECT.
    pub(super) was_sent: bool,
}

impl Connection {
    /// Connects and waits for CONNACK. `own` is what this side shows of itself in TLS; `now` is asked for the time when it is there.
    pub(super) async fn open(
        options: MqttOptions,
        own: Option<String>,
        window: u16,
        now: impl FnOnce() -> Wall,
    ) -> Result<Connection, Failed> {
        let (client, mut event_loop) = AsyncClient::new(options, usize::from(INFLIGHT));
        event_loop.set_network_options(network_options());
        let mut events = Events::of(event_loop, own);
        match events.next().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {}
            Ok(other) => {
                let why = format!("it answered CONNECT with {other:?}");
                return Err(Failed {
                    why,
                    was_sent: true,
                });
            }
            Err(why) => {
                let was_sent = !events.nothing_sent;
                return Err(Failed { why, was_sent });
            }
        }
        Ok(Connection {
            client,
            events,
            in_flight: InFlight::new(usize::from(window)),
            window,
            owed_since: Instant::now(),
            accepted: now(),
            besides: VecDeque::new(),
            unsent: 0,
            batch: Vec::new(),
            on_way: BTreeSet::new(),
            asked: Vec::new(),
        })
    }

    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// How many more may be handed over now.
    pub(super) fn room(&self) -> usize {
        self.in_flight.room()
    }

    /// Whether one more may be handed over now, also with QoS 0.
    pub(super) fn has_room(&self) -> bool {
        self.room() > 0 && self.unsent < UNSENT
    }

    /// How many more records may be sent that a later acknowledgement answers for.
    pub(super) fn window_left(&self) -> usize {
        usize::from(self.window).saturating_sub(self.on_way.len())
    }

    /// Publishes with QoS 1. That it was sent, or could not be, is told by [`Connection::news`].
    pub(super) fn publish(&mut self, cargo: Cargo, topic: String, payload: Vec<u8>) {
        let retain = matches!(
            cargo,
            Cargo::Current(_) | Cargo::Goodbye | Cargo::LeftOver(_)
        );
        if self.in_flight.is_empty() {
            self.owed_since = Instant::now();
        }
        self.in_flight.hand_over(cargo);
        // The queue has room for all that may be on its way, so this fails only when the
        // connection is over, and then `news` says so.
        let _ = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, retain, payload);
    }

    /// Publishes with QoS 0. That it was sent is seen; whether it arrived, nobody tells.
    pub(super) fn send(&mut self, topic: String, payload: Vec<u8>) {
        self.unsent += 1;
        // As above.
        let _ = self
            .client
            .try_publish(topic, QoS::AtMostOnce, false, payload);
    }

    /// Publishes a record with QoS 0, for which the next [`Cargo::Batch`] answers.
    pub(super) fn send_record(&mut self, position: Position, topic: String, payload: Vec<u8>) {
        self.batch.push(position);
        self.on_way.insert(position);
        self.send(topic, payload);
    }

    /// Whether records were sent for which nothing answers yet.
    pub(super) const fn has_batch(&self) -> bool {
        !self.batch.is_empty()
    }

    /// The records for which nothing answers yet.
    pub(super) fn take_batch(&mut self) -> Vec<Position> {
        std::mem::take(&mut self.batch)
    }

    /// Whether a record was sent and may still arrive.
    pub(super) fn is_on_way(&self, position: Position) -> bool {
        self.on_way.contains(&position)
    }

    /// The edge node was born: what was made before is historical.
    pub(super) fn born(&mut self, now: Wall) {
        self.accepted = now;
    }

    /// Listens. What the broker says to that, and what is said there, is told by [`Connection::news`].
    pub(super) fn listen(&mut self, topics: Topics, filter: String) {
        let qos = match topics {
            Topics::Status => QoS::AtMostOnce,
            Topics::Commands | Topics::Edge => QoS::AtLeastOnce,
        };
        self.asked.push((topics, None));
        // Fails only when the connection is over already.
        let _ = self.client.try_subscribe(filter, qos);
    }

    /// Whether it was ended by a packet that is larger than any may be.
    pub(super) const fn is_choked(&self) -> bool {
        self.events.is_choked
    }

    /// Asks for an orderly end, after all that was published.
    pub(super) fn disconnect(&self) {
        // Fails only when the connection is over already.
        let _ = self.client.try_disconnect();
    }

    /// When the connection is to be given up unless an acknowledgement arrives before.
    pub(super) fn stalls_at(&self, ack_timeout: Duration) -> Option<Instant> {
        (!self.in_flight.is_empty()).then(|| self.owed_since + ack_timeout)
    }

    /// Waits for something to happen; may be dropped while waiting.
    pub(super) async fn news(&mut self) -> News {
        if let Some(news) = self.besides.pop_front() {
            return news;
        }
        let mut next = self.events.next().await;
        let mut delivered = Vec::new();
        loop {
            match next {
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    self.besides.push_back(News::Heard {
                        topic: publish.topic,
                        payload: publish.payload,
                        retained: publish.retain,
                    });
                }
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    let granted = !ack.return_codes.contains(&SubscribeReasonCode::Failure);
                    let mut asked = self.asked.iter();
                    let asked = asked.find(|(_, pkid)| *pkid == Some(ack.pkid));
                    let news = asked.map(|(topics, _)| News::Answered(*topics, granted));
                    self.besides.extend(news);
                }
                Ok(event) => delivered.extend(self.absorb(&event)),
                Err(why) if delivered.is_empty() => return News::Over(why),
                Err(why) => {
                    self.events.over = Some(why);
                    return News::Delivered(delivered);
                }
            }
            match self.events.try_next() {
                Some(event) => next = event,
                None => return News::Delivered(delivered),
            }
        }
    }

    fn absorb(&mut self, event: &Event) -> Option<Cargo> {
        match event {
            // With QoS 0: nothing has the packet id 0.
            Event::Outgoing(Outgoing::Publish(0)) => self.unsent = self.unsent.saturating_sub(1),
            Event::Outgoing(Outgoing::Publish(pkid)) => self.in_flight.sent(*pkid),
            Event::Outgoing(Outgoing::Subscribe(pkid)) => {
                let told = self.asked.iter_mut().find(|(_, known)| known.is_none());
                if let Some((_, unknown)) = told {
                    *unknown = Some(*pkid);
                }
            }
            Event::Outgoing(Outgoing::AwaitAck(pkid)) => self.in_flight.held(*pkid),
            Event::Incoming(Packet::PubAck(ack)) => {
                let cargo = self.in_flight.acknowledged(ack.pkid)?;
                self.owed_since = Instant::now();
                if let Cargo::Batch(records) = &cargo {
                    for record in records {
                        self.on_way.remove(record);
                    }
                }
                return Some(cargo);
            }
            _ => {}
        }
        None
    }
}

/// The events of one event loop, which is polled by a task of its own: `poll` loses data when it
/// is dropped half-way, so it must not stand in a `select!`.
#[derive(Debug)]
struct Events {
    receiver: mpsc::Receiver<Result<Event, ConnectionError>>,
    driver: JoinHandle<()>,
    /// Why there will be no more.
    over: Option<String>,
    /// It ended before anything was sent.
    nothing_sent: bool,
    /// A packet was larger than any may be.
    is_choked: bool,
    /// What this side shows of itself in TLS.
    own: Option<String>,
}

impl Events {
    fn of(event_loop: EventLoop, own: Option<String>) -> Events {
        let (sender, receiver) = mpsc::channel(EVENTS);
        Events {
            receiver,
            driver: tokio::spawn(drive(event_loop, sender)),
            over: None,
            nothing_sent: false,
            is_choked: false,
            own,
        }
    }

    async fn next(&mut self) -> Result<Event, String> {
        if let Some(why) = self.over.clone() {
            return Err(why);
        }
        match self.receiver.recv().await {
            Some(event) => {
                self.nothing_sent = event.as_ref().is_err_and(is_unreached);
                self.told(event)
            }
            None => Err("the MQTT client ended".to_owned()),
        }
    }

    fn try_next(&mut self) -> Option<Result<Event, String>> {
        let event = self.receiver.try_recv().ok()?;
        Some(self.told(event))
    }

    /// DISCONNECT is the last thing that is sent: the end, as an error is.
    fn told(&mut self, event: Result<Event, ConnectionError>) -> Result<Event, String> {
        use StateError::Deserialization;
        use mqttbytes::Error::PayloadSizeLimitExceeded;
        match event {
            Ok(Event::Outgoing(Outgoing::Disconnect)) => Err("disconnected".to_owned()),
            Err(ConnectionError::MqttState(Deserialization(PayloadSizeLimitExceeded(bytes)))) => {
                self.is_choked = true;
                Err(format!(
                    "it sent a packet of {bytes} bytes, which nobody may"
                ))
            }
            other => other.map_err(|error| explain(&error, self.own.as_deref())),
        }
    }
}

/// Whether nobody answered even the connection below MQTT.
fn is_unreached(error: &ConnectionError) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let ConnectionError::Io(error) = error else {
        return false;
    };
    matches!(
        error.kind(),
        ConnectionRefused | HostUnreachable | NetworkUnreachable
    )
}

impl Drop for Events {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Polls until the first error. What was read before it is handed on first: acknowledgements that
/// arrived in one piece with the end of the connection count.
async fn drive(mut event_loop: EventLoop, events: mpsc::Sender<Result<Event, ConnectionError>>) {
    loop {
        let polled = event_loop.poll().await;
        let over = polled.is_err();
        if over {
            for event in std::mem::take(&mut event_loop.state.events) {
                if events.send(Ok(event)).await.is_err() {
                    return;
                }
            }
        }
        if events.send(polled).await.is_err() || over {
            return;
        }
    }
}
