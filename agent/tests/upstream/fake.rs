//! A broker that does what the test says, and nothing by itself but answer pings.

use bytes::{Buf as _, BytesMut};
use rumqttc::mqttbytes::Error;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LARGEST: usize = 1 << 24;

pub struct FakeBroker {
    pub port: u16,
    listener: TcpListener,
}

/// The agent's end, as the broker sees it.
pub struct Peer {
    pub connect: Connect,
    stream: TcpStream,
    buffer: BytesMut,
}

impl FakeBroker {
    pub async fn start() -> FakeBroker {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        FakeBroker {
            port: listener.local_addr().unwrap().port(),
            listener,
        }
    }

    /// Waits for a connection and its CONNECT.
    pub async fn connected(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut peer = Peer {
            connect: Connect::new("none yet"),
            stream,
            buffer: BytesMut::new(),
        };
        match peer.next().await {
            Some(Packet::Connect(connect)) => peer.connect = connect,
            other => panic!("{other:?} instead of CONNECT"),
        }
        peer
    }

    /// Waits for a connection and accepts it.
    pub async fn accepted(&self, session_present: bool) -> Peer {
        let mut peer = self.connected().await;
        peer.accept(session_present).await;
        peer
    }
}

impl Peer {
    pub async fn accept(&mut self, session_present: bool) {
        let code = ConnectReturnCode::Success;
        self.send(&[Packet::ConnAck(ConnAck::new(code, session_present))])
            .await;
    }

    /// The next publish; none when the agent closed the connection.
    pub async fn publish(&mut self) -> Option<Publish> {
        loop {
            match self.next().await? {
                Packet::Publish(publish) => return Some(publish),
                Packet::PingReq => self.send(&[Packet::PingResp]).await,
                // The agent listens for another gateway with its id; nobody grants it here.
                Packet::Subscribe(_) => {}
                other => panic!("{other:?} instead of PUBLISH"),
            }
        }
    }

    /// The next record; current values before it are acknowledged.
    pub async fn record(&mut self) -> Option<Publish> {
        loop {
            let publish = self.publish().await?;
            if !publish.retain {
                return Some(publish);
            }
            self.ack(&[publish.pkid]).await;
        }
    }

    /// So many records in a row.
    pub async fn records(&mut self, count: usize) -> Vec<Publish> {
        let mut records = Vec::new();
        while records.len() < count {
            records.push(self.record().await.expect("the connection holds"));
        }
        records
    }

    /// Acknowledges, all in one piece.
    pub async fn ack(&mut self, pkids: &[u16]) {
        let acks: Vec<_> = pkids
            .iter()
            .map(|pkid| Packet::PubAck(PubAck::new(*pkid)))
            .collect();
        self.send(&acks).await;
    }

    pub async fn send(&mut self, packets: &[Packet]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, LARGEST).unwrap();
        }
        self.send_bytes(&bytes).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        // The agent may have hung up: then the test sees that on reading.
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next packet, whatever it is; none when the agent closed the connection.
    pub async fn next(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.buffer, LARGEST) {
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error} in {:?}", self.buffer.chunk()),
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
