//! What networks do: cut in the middle of a packet, go silent without a word, be slow.

use crate::rig::{HEAD, Rig, seq, settings, within};
use crate::server::Server;
use crate::subscriber::Subscriber;
use andon::settings::Upstream;
use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Bytes that are moved at once.
const PIECE: usize = 512;

/// What is done to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// They are moved.
    Good,
    /// They vanish, and nobody says so: a router has forgotten the connection, a cable is out.
    Silent,
    /// Each piece takes its time.
    Slow,
}

/// A link between the agent and its broker.
struct Link {
    port: u16,
    way: watch::Sender<Way>,
    /// How many connections there were.
    connections: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Link {
    async fn to(target: u16) -> Link {
        Link::cutting(target, Vec::new()).await
    }

    /// The first connections are cut after so many bytes to the broker, and from it.
    async fn cutting(target: u16, cuts: Vec<(usize, usize)>) -> Link {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, ways) = watch::channel(Way::Good);
        let (count, connections) = watch::channel(0);
        let cuts = Arc::new(Mutex::new(VecDeque::from(cuts)));
        let task = tokio::spawn(async move {
            loop {
                let (agent, _) = listener.accept().await.unwrap();
                count.send_modify(|count| *count += 1);
                let cut = cuts.lock().unwrap().pop_front();
                let (up, down) = cut.unwrap_or((usize::MAX, usize::MAX));
                let ways = ways.clone();
                tokio::spawn(async move {
                    let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await;
                    let (from_agent, to_agent) = agent.into_split();
                    let (from_broker, to_broker) = broker.unwrap().into_split();
                    // Whichever ends first takes both sockets with it.
                    tokio::select! {
                        () = move_bytes(from_agent, to_broker, up, ways.clone()) => {}
                        () = move_bytes(from_broker, to_agent, down, ways) => {}
                    }
                });
            }
        });
        Link {
            port,
            way,
            connections,
            task,
        }
    }

    fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    fn connections(&self) -> usize {
        *self.connections.borrow()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn move_bytes(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut left: usize,
    mut ways: watch::Receiver<Way>,
) {
    let mut piece = [0; PIECE];
    while left > 0 {
        let Ok(read @ 1..) = from.read(&mut piece).await else {
            // Where nothing is said, no end is said either.
            let _ = ways.wait_for(|way| *way != Way::Silent).await;
            return;
        };
        let way = *ways.borrow();
        match way {
            Way::Good => {}
            Way::Silent => continue,
            Way::Slow => sleep(Duration::from_millis(10)).await,
        }
        let taken = read.min(left);
        if to.write_all(&piece[..taken]).await.is_err() {
            return;
        }
        left -= taken;
    }
    // What went before is answered, so that something is done on most connections.
    sleep(Duration::from_millis(100)).await;
}

/// The numbers of the records that arrived, each once.
async fn arrived(subscriber: &mut Subscriber) -> BTreeSet<u64> {
    let publishes = subscriber.drain().await.into_iter();
    let records = publishes
        .filter(|publish| publish.topic.starts_with(HEAD) && !publish.topic.ends_with("/status"));
    records.map(|publish| seq(&publish)).collect()
}

fn impatient(port: u16) -> Upstream {
    let mut settings = settings(port);
    // Long: it must not be what finds the dead connection.
    settings.ack_timeout = Duration::from_secs(600);
    settings.keep_alive = Duration::from_secs(1);
    settings
}

#[tokio::test]
async fn cut_in_the_middle_of_packets_nothing_is_lost() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let all = usize::MAX;
        let cuts = vec![
            // In CONNECT, in CONNACK, behind the first acknowledgement and in it.
            (17, all),
            (all, 3),
            (all, 8),
            (all, 7),
            // In publishes, their headers or their payloads, and in acknowledgements between.
            (4_099, all),
            (9_001, 31),
            (6_543, all),
            (all, 99),
            (12_011, all),
        ];
        let count = cuts.len();
        let link = Link::cutting(broker.port, cuts).await;
        let mut rig = Rig::new(settings(link.port));
        rig.make(500).await;
        rig.start();
        rig.until_waiting(0).await;
        assert!(link.connections() > count, "all cuts were made");
        assert_eq!(arrived(&mut subscriber).await, (1..=500).collect());
        rig.stop().await;
    })
    .await;
}

/// Nobody says that the connection is dead, and nothing is under way that would be missed: only a
/// ping that is not answered tells.
#[tokio::test]
async fn a_half_open_connection_is_found_by_pings() {
    within(async {
        let broker = Server::open().await;
        let link = Link::to(broker.port).await;
        let mut rig = Rig::new(impatient(link.port));
        rig.make(3).await;
        rig.start();
        rig.until_waiting(0).await;
        rig.until_reached().await;
        link.set(Way::Silent);
        let why = rig.until_unreachable().await;
        assert!(why.contains("does not answer pings"), "{why}");
        link.set(Way::Good);
        rig.make(3).await;
        rig.until_waiting(0).await;
        rig.until_reached().await;
        rig.stop().await;
    })
    .await;
}

/// Records that nobody acknowledges tell sooner than pings do.
#[tokio::test]
async fn a_half_open_connection_is_found_by_what_waits() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let link = Link::to(broker.port).await;
        let mut settings = settings(link.port);
        settings.ack_timeout = Duration::from_secs(1);
        let mut rig = Rig::new(settings);
        rig.make(3).await;
        rig.start();
        rig.until_waiting(0).await;
        link.set(Way::Silent);
        rig.make(200).await;
        let why = rig.until_unreachable().await;
        assert!(
            why.contains("has acknowledged nothing for 1000 ms"),
            "{why}"
        );
        link.set(Way::Good);
        rig.until_waiting(0).await;
        assert_eq!(arrived(&mut subscriber).await, (1..=203).collect());
        rig.stop().await;
    })
    .await;
}

/// A link that takes seconds for what is on its way is not a dead one.
#[tokio::test]
async fn a_slow_link_is_borne() {
    within(async {
        let broker = Server::open().await;
        let mut subscriber = Subscriber::start(broker.port).await;
        let link = Link::to(broker.port).await;
        link.set(Way::Slow);
        let mut rig = Rig::new(settings(link.port));
        rig.make(200).await;
        rig.start();
        rig.until_waiting(0).await;
        assert_eq!(link.connections(), 1);
        assert_eq!(arrived(&mut subscriber).await, (1..=200).collect());
        rig.stop().await;
    })
    .await;
}
