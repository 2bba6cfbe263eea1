//! Devices that want to be treated in their own way.

use super::harness::{Link, behind, patient, read};
use super::server::{Act, Books, PATIENCE, Server, converse};
use super::*;
use std::sync::Arc;
use tokio::time::timeout;

fn link(server: &Server, reads: Vec<Read>, manners: Manners) -> Link {
    let behind = reads.iter().map(|read| behind(read, manners)).collect();
    Link::of_poller(server.link(), reads, behind, |_| ())
}

/// Of each unit, how long after its last request each of its requests came.
fn pauses(books: &Books, unit: u8) -> Vec<Duration> {
    let requests = books.requests.lock().unwrap();
    let of_unit: Vec<Instant> = requests
        .iter()
        .filter(|(_, frame)| frame[6] == unit)
        .map(|(at, _)| *at)
        .collect();
    of_unit.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test]
async fn a_device_that_drops_every_tenth_request_loses_no_reading_with_one_retry() {
    let script = (0..60).map(|n| if n % 10 == 9 { Act::Never } else { Act::Answer });
    let server = Server::start(script.collect()).await;
    let manners = Manners {
        retries: 1,
        ..patient(PATIENCE / 3)
    };
    let mut link = link(&server, vec![read(Table::Holding, 1, 0, 4, 10)], manners);
    for _ in 0..50 {
        assert_eq!(link.until_good().await, [], "a reading was lost");
    }
    let figures = link.meter.snapshot(clock::mono());
    let unit = &figures.units[0];
    assert!(
        unit.retries >= 4 && unit.timeouts == unit.retries,
        "{unit:?}"
    );
    assert_eq!(unit.answering, Some(true));
    link.stop().await;
}

#[tokio::test]
async fn a_fault_is_repeated_as_often_as_the_device_says_and_then_told() {
    let server = Server::start(vec![Act::Answer, Act::Never, Act::Never, Act::Never]).await;
    let manners = Manners {
        retries: 2,
        ..patient(PATIENCE / 3)
    };
    let mut link = link(&server, vec![read(Table::Holding, 1, 0, 4, 200)], manners);
    link.until_good().await;
    assert_eq!(link.until_good().await, [Reason::Timeout]);
    assert_eq!(server.books.asked(), 5);
    link.stop().await;
}

#[tokio::test]
async fn a_unit_that_is_only_probed_is_asked_once_each_time() {
    let server = Server::start(vec![Act::Never; 100]).await;
    let manners = Manners {
        retries: 3,
        ..patient(PATIENCE / 3)
    };
    let mut link = link(&server, vec![read(Table::Holding, 1, 0, 4, 50)], manners);
    for _ in 0..25 {
        assert_eq!(link.outcome().await.1.unwrap_err(), Reason::Timeout);
    }
    // Four requests for the first reading, one for the second, and a probe or two.
    assert!(server.books.asked() <= 7, "{}", server.books.asked());
    link.stop().await;
}

#[tokio::test]
async fn each_device_has_its_own_deadline() {
    let server = Server::start(vec![Act::Never; 2]).await;
    let reads = vec![
        read(Table::Holding, 1, 0, 4, 5_000),
        read(Table::Holding, 2, 0, 4, 5_000),
    ];
    let behind = vec![
        behind(&reads[0], patient(Duration::from_millis(20))),
        behind(&reads[1], patient(Duration::from_millis(120))),
    ];
    let mut link = Link::of_poller(server.link(), reads, behind, |_| ());
    let mut took = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        let (read, answer) = link.outcome().await;
        assert_eq!(answer.unwrap_err(), Reason::Timeout);
        took.push((read.unit, began.elapsed()));
    }
    assert_eq!((took[0].0, took[1].0), (1, 2));
    assert!(took[1].1 >= Duration::from_millis(120), "{took:?}");
    link.stop().await;
}

#[tokio::test]
async fn a_device_that_needs_a_pause_gets_it_and_the_others_are_asked_meanwhile() {
    let server = Server::start(vec![]).await;
    let reads = vec![
        read(Table::Holding, 1, 0, 4, 10),
        read(Table::Holding, 1, 50, 4, 10),
        read(Table::Holding, 2, 0, 4, 10),
    ];
    let slow = Manners {
        between_requests_ms: 80,
        ..patient(PATIENCE)
    };
    let behind = vec![
        behind(&reads[0], slow),
        behind(&reads[2], patient(PATIENCE)),
    ];
    let mut link = Link::of_poller(server.link(), reads, behind, |_| ());
    while pauses(&server.books, 1).len() < 6 {
        link.until_good().await;
    }
    let slow = pauses(&server.books, 1);
    assert!(
        slow.iter().all(|pause| *pause >= Duration::from_millis(80)),
        "{slow:?}"
    );
    let others = pauses(&server.books, 2).len();
    assert!(
        others > 2 * slow.len(),
        "{others} requests to the other unit"
    );
    link.stop().await;
}

/// A device that does not hear what comes too early after a connection, and then hears nothing on
/// that connection ever after.
async fn late_riser(after: Duration) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let books = Arc::new(Books::default());
    let kept = Arc::clone(&books);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let books = Arc::clone(&kept);
            tokio::spawn(async move {
                let early = timeout(after, stream.peek(&mut [0])).await.is_ok();
                if early {
                    let mut bytes = [0; 256];
                    while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
                } else {
                    converse(stream, books).await;
                }
            });
        }
    });
    (port, task)
}

#[tokio::test]
async fn a_device_that_needs_half_a_second_after_connect_is_read_if_nobody_says_so() {
    let (port, task) = late_riser(Duration::from_millis(500)).await;
    let reads = vec![read(Table::Holding, 1, 0, 4, 20)];
    let mut link = Link::start(tcp_link(port, PATIENCE), reads);
    // The first connection is of no use, and none would ever be.
    assert_ne!(link.until_good().await, []);
    for _ in 0..4 {
        assert_eq!(link.until_good().await, []);
    }
    task.abort();
    link.stop().await;
}

#[tokio::test]
async fn a_device_that_needs_half_a_second_after_connect_gets_it() {
    let (port, task) = late_riser(Duration::from_millis(500)).await;
    let reads = vec![
        read(Table::Holding, 1, 0, 4, 20),
        read(Table::Holding, 2, 0, 4, 20),
    ];
    let slow = Manners {
        after_connect_ms: 520,
        ..patient(PATIENCE)
    };
    // It is enough that one of the devices behind the connection needs it.
    let behind = vec![
        behind(&reads[0], patient(PATIENCE)),
        behind(&reads[1], slow),
    ];
    let modbus = tcp_link(port, PATIENCE);
    let mut link = Link::of_poller(modbus, reads, behind, |_| ());
    for _ in 0..4 {
        assert_eq!(link.until_good().await, []);
    }
    task.abort();
    link.stop().await;
}

#[tokio::test]
async fn a_plc_that_takes_one_connection_is_read_as_soon_as_it_is_free() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let books = Arc::new(Books::default());
    let kept = Arc::clone(&books);
    // One connection at a time; another is closed at once.
    let task = tokio::spawn(async move {
        let taken = Arc::new(AtomicUsize::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            if taken.fetch_add(1, SeqCst) > 0 {
                taken.fetch_sub(1, SeqCst);
                continue;
            }
            let (books, taken) = (Arc::clone(&kept), Arc::clone(&taken));
            tokio::spawn(async move {
                converse(stream, books).await;
                taken.fetch_sub(1, SeqCst);
            });
        }
    });
    let somebody = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut link = Link::start(
        tcp_link(port, PATIENCE),
        vec![read(Table::Holding, 1, 0, 4, 20)],
    );
    let mut beside = {
        let server = Server::start(vec![]).await;
        let link = Link::start(server.link(), vec![read(Table::Holding, 1, 0, 4, 20)]);
        (server, link)
    };
    let FromField::Link { up: false, .. } = link.next().await else {
        panic!("not told that the link is down");
    };
    // Another link goes on as ever.
    for _ in 0..10 {
        assert_eq!(beside.1.until_good().await, []);
    }
    drop(somebody);
    assert!(
        link.until_good()
            .await
            .iter()
            .all(|reason| *reason == Reason::Disconnected)
    );
    // After a fault the connection is made anew, and the PLC has to have let go of the old one.
    books.script.lock().unwrap().push_back(Act::Never);
    link.until_good().await;
    link.until_good().await;
    assert_eq!(beside.0.books.connections(), 1);
    task.abort();
    link.stop().await;
    beside.1.stop().await;
}
