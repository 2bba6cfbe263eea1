//! The broker inside the demo: enough of MQTT 3.1.1 for any client to look around, and no more.
//!
//! It promises: QoS 0 and 1 in both directions, `+` and `#`, retained messages, last wills, keep
//! alive. A message is handed to every subscriber's queue before it is acknowledged. What it does
//! not do: QoS 2 (the connection is closed, a QoS 2 subscription is granted QoS 1), MQTT 5,
//! sessions that outlive a connection, repeating what a subscriber did not acknowledge.
//!
//! Everything is bounded. When a subscriber's queue is full, or it takes nothing for
//! [`WRITE_WITHIN`], the subscriber is dropped; the publisher never waits for it.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, SubAck,
    SubscribeFilter, SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{self, Protocol, QoS};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// Connections at once.
const CLIENTS: usize = 64;
/// Subscriptions of one client.
const FILTERS: usize = 64;
/// Messages waiting for one client.
const QUEUE: usize = 1024;
/// Retained topics; further ones are delivered but not kept.
const RETAINED: usize = 4096;
/// Bytes of one packet.
const PACKET: usize = 256 * 1024;
/// A new connection must introduce itself within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A client that takes nothing for this long is dropped.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// A running broker; it ends, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    hub: Hub,
    _tasks: JoinSet<()>,
}

impl Broker {
    /// Starts to listen; with port 0 on a free port.
    pub async fn bind(listen: SocketAddr) -> io::Result<Broker> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let hub = Hub::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, hub.clone()));
        Ok(Broker {
            address,
            hub,
            _tasks: tasks,
        })
    }

    /// Where a client on this machine reaches it.
    pub const fn address(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// Whether somebody has subscribed to exactly this topic, without wildcards.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        let table = self.hub.table();
        let mut clients = table.clients.values();
        clients.any(|client| client.filters.iter().any(|filter| filter.path == topic))
    }
}

async fn accept(listener: TcpListener, hub: Hub) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() < CLIENTS => {
                connections.spawn(serve(stream, hub.clone()));
            }
            Ok((stream, _)) => drop(stream),
            // Out of descriptors, most likely: give the others time to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One connection, from its first packet to its last will.
async fn serve(stream: TcpStream, hub: Hub) {
    let mut wire = Wire {
        stream,
        inbox: BytesMut::new(),
    };
    let Ok(Ok(Packet::Connect(connect))) = timeout(CONNECT_WITHIN, wire.read()).await else {
        return;
    };
    if connect.protocol != Protocol::V4 {
        let refusal = ConnAck::new(ConnectReturnCode::RefusedProtocolVersion, false);
        let _ = wire.write(&Packet::ConnAck(refusal)).await;
        return;
    }
    let (key, queue) = hub.join(&connect.client_id);
    let end = converse(&mut wire, &hub, key, &connect, queue).await;
    hub.leave(key);
    if let (Err(error), Some(will)) = (end, connect.last_will) {
        tracing::debug!(client = connect.client_id, %error, "demo broker: client lost");
        hub.route(&will_message(will));
    }
}

fn will_message(will: LastWill) -> Publish {
    let mut publish = Publish::from_bytes(will.topic, will.qos, will.message);
    publish.retain = will.retain;
    publish
}

/// Until the client says goodbye (`Ok`) or is lost.
async fn converse(
    wire: &mut Wire,
    hub: &Hub,
    key: u64,
    connect: &Connect,
    mut queue: mpsc::Receiver<Publish>,
) -> io::Result<()> {
    enum Next {
        Received(Packet),
        ToSend(Publish),
    }
    let accepted = ConnAck::new(ConnectReturnCode::Success, false);
    wire.write(&Packet::ConnAck(accepted)).await?;
    // MQTT 3.1.1, 3.1.2.10: lost after one and a half times the keep alive; 0 is never.
    let silence = match connect.keep_alive {
        0 => Duration::from_secs(u64::from(u16::MAX)),
        seconds => Duration::from_millis(u64::from(seconds) * 1500),
    };
    let mut lost_at = Instant::now() + silence;
    let mut packet_id = 0;
    loop {
        let next = tokio::select! {
            received = timeout_at(lost_at, wire.read()) => Next::Received(received??),
            message = queue.recv() => Next::ToSend(
                message.ok_or_else(|| io::Error::other("too slow, or its id was taken over"))?
            ),
        };
        match next {
            Next::Received(Packet::Disconnect) => return Ok(()),
            Next::Received(packet) => {
                lost_at = Instant::now() + silence;
                for answer in answers(hub, key, packet)? {
                    wire.send(answer, &mut packet_id).await?;
                }
            }
            Next::ToSend(message) => {
                wire.send(Packet::Publish(message), &mut packet_id).await?;
            }
        }
    }
}

/// What is said to a packet, in order.
fn answers(hub: &Hub, key: u64, packet: Packet) -> io::Result<Vec<Packet>> {
    Ok(match packet {
        Packet::Publish(publish) => {
            if publish.topic.is_empty() || !mqttbytes::valid_topic(&publish.topic) {
                return Err(io::Error::other("published to a topic with wildcards"));
            }
            if publish.qos == QoS::ExactlyOnce {
                return Err(io::Error::other("QoS 2 is not served here"));
            }
            hub.route(&publish);
            match publish.qos {
                QoS::AtLeastOnce => vec![Packet::PubAck(PubAck::new(publish.pkid))],
                _ => Vec::new(),
            }
        }
        Packet::Subscribe(subscribe) => {
            let (codes, retained) = hub.subscribe(key, subscribe.filters);
            let ack = Packet::SubAck(SubAck::new(subscribe.pkid, codes));
            let retained = retained.into_iter().map(Packet::Publish);
            std::iter::once(ack).chain(retained).collect()
        }
        Packet::Unsubscribe(unsubscribe) => {
            hub.unsubscribe(key, &unsubscribe.topics);
            vec![Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))]
        }
        Packet::PingReq => vec![Packet::PingResp],
        Packet::PubAck(_) => Vec::new(),
        _ => return Err(io::Error::other("a packet that no client may send here")),
    })
}

/// A connection as packets.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    inbox: BytesMut,
}

impl Wire {
    /// The next packet. Cancelling it loses nothing: what has arrived stays in the inbox.
    async fn read(&mut self) -> io::Result<Packet> {
        loop {
            match Packet::read(&mut self.inbox, PACKET) {
                Ok(packet) => return Ok(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Writes a packet; a message of QoS 1 gets the next id.
    async fn send(&mut self, mut packet: Packet, last_id: &mut u16) -> io::Result<()> {
        if let Packet::Publish(publish) = &mut packet {
            *last_id = last_id.checked_add(1).unwrap_or(1);
            publish.pkid = *last_id;
        }
        self.write(&packet).await
    }

    async fn write(&mut self, packet: &Packet) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        packet
            .write(&mut bytes, 2 * PACKET)
            .map_err(io::Error::other)?;
        timeout(WRITE_WITHIN, self.stream.write_all(&bytes)).await?
    }
}

/// Who is connected and what is retained; every connection holds one.
#[derive(Debug, Clone, Default)]
struct Hub(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    last_key: u64,
    clients: BTreeMap<u64, Client>,
    retained: BTreeMap<String, Publish>,
}

#[derive(Debug)]
struct Client {
    id: String,
    filters: Vec<SubscribeFilter>,
    queue: mpsc::Sender<Publish>,
}

impl Hub {
    /// Nothing under the lock panics halfway through a change, so a poisoned one is still right.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client that comes with the id of another takes its place (MQTT 3.1.1, 3.1.4-2).
    fn join(&self, id: &str) -> (u64, mpsc::Receiver<Publish>) {
        let mut table = self.table();
        if !id.is_empty() {
            table.clients.retain(|_, client| client.id != id);
        }
        table.last_key += 1;
        let key = table.last_key;
        let (queue, receiver) = mpsc::channel(QUEUE);
        let client = Client {
            id: String::from(id),
            filters: Vec::new(),
            queue,
        };
        table.clients.insert(key, client);
        (key, receiver)
    }

    fn leave(&self, key: u64) {
        self.table().clients.remove(&key);
    }

    fn route(&self, publish: &Publish) {
        let mut table = self.table();
        if publish.retain {
            table.retain(publish);
        }
        table.clients.retain(|_, client| {
            let Some(granted) = client.granted(&publish.topic) else {
                return true;
            };
            let mut message = publish.clone();
            message.retain = false;
            message.dup = false;
            message.qos = lesser(publish.qos, granted);
            let taken = client.queue.try_send(message).is_ok();
            if !taken {
                tracing::warn!(
                    client = client.id,
                    "demo broker: dropped a client that is too slow"
                );
            }
            taken
        });
    }

    fn subscribe(
        &self,
        key: u64,
        filters: Vec<SubscribeFilter>,
    ) -> (Vec<SubscribeReasonCode>, Vec<Publish>) {
        let mut table = self.table();
        let Table {
            clients, retained, ..
        } = &mut *table;
        let Some(client) = clients.get_mut(&key) else {
            let refused = vec![SubscribeReasonCode::Failure; filters.len()];
            return (refused, Vec::new());
        };
        let mut codes = Vec::new();
        let mut messages = Vec::new();
        for mut filter in filters {
            client.filters.retain(|held| held.path != filter.path);
            if client.filters.len() == FILTERS || !mqttbytes::valid_filter(&filter.path) {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            }
            filter.qos = lesser(filter.qos, QoS::AtLeastOnce);
            codes.push(SubscribeReasonCode::Success(filter.qos));
            for kept in retained.values() {
                if matches(&kept.topic, &filter.path) {
                    let mut message = kept.clone();
                    message.qos = lesser(kept.qos, filter.qos);
                    messages.push(message);
                }
            }
            client.filters.push(filter);
        }
        (codes, messages)
    }

    fn unsubscribe(&self, key: u64, topics: &[String]) {
        if let Some(client) = self.table().clients.get_mut(&key) {
            let filters = &mut client.filters;
            filters.retain(|filter| !topics.contains(&filter.path));
        }
    }
}

impl Table {
    fn retain(&mut self, publish: &Publish) {
        if publish.payload.is_empty() {
            self.retained.remove(&publish.topic);
        } else if self.retained.len() < RETAINED || self.retained.contains_key(&publish.topic) {
            let mut kept = publish.clone();
            // The payload is a slice of the packet it came in: keep only what is needed.
            kept.payload = Bytes::copy_from_slice(&publish.payload);
            kept.dup = false;
            self.retained.insert(kept.topic.clone(), kept);
        }
    }
}

impl Client {
    /// The best QoS among the subscriptions that match.
    fn granted(&self, topic: &str) -> Option<QoS> {
        let matching = self
            .filters
            .iter()
            .filter(|filter| matches(topic, &filter.path));
        matching.map(|filter| filter.qos).reduce(greater)
    }
}

fn lesser(a: QoS, b: QoS) -> QoS {
    if a <= b { a } else { b }
}

fn greater(a: QoS, b: QoS) -> QoS {
    if a >= b { a } else { b }
}

/// Whether a valid filter takes a topic. (The codec's own function slices the topic at byte 1,
/// which panics on a topic that begins with a Chinese character.)
fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('#') || filter.starts_with('+')) {
        return false;
    }
    let mut topic = topic.split('/');
    for part in filter.split('/') {
        if part == "#" {
            return true;
        }
        match topic.next() {
            Some(level) if part == "+" || part == level => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests;
