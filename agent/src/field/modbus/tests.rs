//! Modbus TCP against a server that misbehaves (`server`).
//! Every register's value is made from its unit and address, so a wrong value shows.

mod errands;
mod harness;
mod line;
mod manners;
mod pty;
mod rtu;
mod server;

use super::refused::AGAIN_MS;
use super::*;
use andon_core::sample::{Reading, Value};
use andon_core::tag::{Kind, Point, Source, Table, Tag, TagIndex};
use harness::{Link, Random, behind, idle_meter, is_right, patient, read, tcp_link, value};
use server::{Act, PATIENCE, Server, perform};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What one fault looks like from outside, and that the link is well again after it.
async fn after(act: Act, table: Table) -> Vec<Reason> {
    let server = Server::start(vec![Act::Answer, act]).await;
    let mut link = Link::start(server.link(), vec![read(table, 1, 100, 12, 20)]);
    assert!(link.until_good().await.is_empty());
    let mut reasons = link.until_good().await;
    assert!(link.until_good().await.is_empty(), "not well again");
    link.stop().await;
    // Deadlines that passed while it waited for the answer are told with the same reason.
    reasons.dedup();
    reasons
}

#[tokio::test]
async fn all_four_tables_are_read() {
    let server = Server::start(vec![]).await;
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    let reads = tables.map(|table| read(table, 9, 77, 13, 1000)).to_vec();
    let mut link = Link::start(server.link(), reads);
    for table in tables {
        let (read, answer) = link.outcome().await;
        assert!(read.table == table && is_right(&read, &answer.unwrap()));
    }
    assert_eq!(server.books.connections(), 1);
    link.stop().await;
}

#[tokio::test]
async fn the_longest_reads_arrive_whole() {
    let server = Server::start(vec![]).await;
    let reads = vec![
        read(Table::Holding, 1, 0, 125, 1000),
        read(Table::Coil, 1, 0, 2000, 1000),
    ];
    let mut link = Link::start(server.link(), reads);
    link.until_good().await;
    link.until_good().await;
    link.stop().await;
}

#[tokio::test]
async fn no_answer_is_a_timeout_and_a_late_one_is_never_taken_for_the_next() {
    assert_eq!(after(Act::Never, Table::Holding).await, [Reason::Timeout]);
    assert_eq!(after(Act::Late, Table::Holding).await, [Reason::Timeout]);
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    for table in [Table::Holding, Table::Discrete] {
        for act in [
            Act::WrongTransaction,
            Act::WrongProtocol,
            Act::WrongUnit,
            Act::WrongFunction,
        ] {
            assert_eq!(after(act, table).await, [Reason::BadAnswer]);
        }
    }
}

#[tokio::test]
async fn an_answer_of_another_length_is_refused() {
    for act in [
        Act::Count(-6),
        Act::Count(-1),
        Act::Count(1),
        Act::Count(-12),
        Act::Length(0),
    ] {
        assert_eq!(after(act, Table::Input).await, [Reason::BadAnswer]);
    }
    assert_eq!(
        after(Act::Count(-1), Table::Coil).await,
        [Reason::BadAnswer]
    );
    assert_eq!(after(Act::Count(1), Table::Coil).await, [Reason::BadAnswer]);
    assert_eq!(
        after(Act::ByteCountLies(12), Table::Holding).await,
        [Reason::BadAnswer]
    );
    assert_eq!(
        after(Act::Length(u16::MAX), Table::Holding).await,
        [Reason::Timeout]
    );
}

#[tokio::test]
async fn an_answer_may_come_in_pieces() {
    assert_eq!(after(Act::InPieces, Table::Holding).await, []);
}

#[tokio::test]
async fn a_second_copy_of_an_answer_is_not_the_next_answer() {
    let server = Server::start(vec![Act::Twice; 5]).await;
    let reads = vec![
        read(Table::Holding, 1, 0, 4, 20),
        read(Table::Holding, 1, 50, 4, 20),
    ];
    let mut link = Link::start(server.link(), reads);
    for _ in 0..6 {
        link.until_good().await;
    }
    link.stop().await;
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_reading() {
    let reasons = after(Act::CloseAfter(0), Table::Holding).await;
    assert_eq!(reasons, []);
    assert_eq!(after(Act::CloseAfter(9), Table::Holding).await, []);
}

#[tokio::test]
async fn an_exception_is_an_answer_and_keeps_the_connection() {
    let server = Server::start(vec![Act::Exception(2), Act::Exception(6)]).await;
    let mut link = Link::start(server.link(), vec![read(Table::Holding, 1, 0, 2, 20)]);
    assert_eq!(
        link.until_good().await,
        [Reason::Exception(2), Reason::Exception(6)]
    );
    assert_eq!(server.books.connections(), 1);
    link.stop().await;
}

#[tokio::test]
async fn a_unit_that_its_gateway_does_not_reach_is_left_to_probing_on_the_same_connection() {
    let gone = vec![Act::Exception(0x0B), Act::ExceptionOfNothing(0x0B)];
    let server = Server::start(gone).await;
    let reads = (0..4)
        .map(|at| read(Table::Holding, 1, at * 200, 2, 100))
        .collect();
    let mut link = Link::start(server.link(), reads);
    for _ in 0..8 {
        assert_eq!(link.outcome().await.1.unwrap_err(), Reason::Exception(0x0B));
    }
    assert_eq!(server.books.asked(), 2, "one request a round is enough");
    assert_eq!(server.books.connections(), 1);
    link.until_good().await;
    link.stop().await;
}

#[tokio::test]
async fn while_nothing_listens_every_due_read_is_told_as_disconnected() {
    let server = Server::start(vec![]).await;
    let (endpoint, port) = (server.link(), server.port);
    drop(server);
    let reads = vec![
        read(Table::Holding, 1, 0, 2, 100),
        read(Table::Holding, 2, 0, 2, 100),
    ];
    let mut link = Link::start(endpoint, reads);
    let FromField::Link {
        up: false,
        why: Some(why),
        ..
    } = link.next().await
    else {
        panic!("not told that the link is down");
    };
    assert!(why.starts_with(&format!("127.0.0.1:{port}: ")), "{why}");
    assert!(why.contains("nothing listens there"), "{why}");
    for _ in 0..6 {
        let message = link.next().await;
        assert!(matches!(
            message,
            FromField::Read {
                answer: Err(Reason::Disconnected),
                ..
            }
        ));
    }
    link.stop().await;
}

#[tokio::test]
async fn a_link_comes_up_when_its_device_does_and_says_so_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let endpoint = tcp_link(address.port(), PATIENCE);
    let mut link = Link::start(endpoint, vec![read(Table::Holding, 1, 0, 2, 50)]);
    assert!(matches!(
        link.next().await,
        FromField::Link { up: false, .. }
    ));
    let listener = TcpListener::bind(address).await.unwrap();
    let server = Server::on(listener, vec![]);
    let mut ups = 0;
    for _ in 0..200 {
        match link.next().await {
            FromField::Link { up, .. } => {
                assert!(up);
                ups += 1;
            }
            FromField::Read { answer: Ok(_), .. } if ups == 1 => break,
            FromField::Read { answer, .. } => assert_eq!(answer.unwrap_err(), Reason::Disconnected),
            other => panic!("no link of Modbus says {other:?}"),
        }
    }
    assert_eq!(ups, 1);
    drop(server);
    link.stop().await;
}

#[tokio::test]
async fn a_device_that_takes_one_connection_only_is_told_as_down_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let endpoint = tcp_link(port, PATIENCE);
    let mut link = Link::start(endpoint, vec![read(Table::Holding, 1, 0, 2, 50)]);
    let FromField::Link {
        up: false,
        why: Some(why),
        ..
    } = link.next().await
    else {
        panic!("not told that the link is down");
    };
    assert!(why.contains("closed") || why.contains("reset"), "{why}");
    task.abort();
    link.stop().await;
}

#[tokio::test]
async fn one_dead_unit_of_five_keeps_no_other_from_its_deadlines() {
    // Unit 3 never answers: the server drops what is meant for it by script only, so serve here.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 12];
                while stream.read_exact(&mut request).await.is_ok() {
                    let act = if request[6] == 3 {
                        Act::Never
                    } else {
                        Act::Answer
                    };
                    perform(&mut stream, &request, act).await.unwrap();
                }
            });
        }
    });
    let endpoint = tcp_link(port, PATIENCE);
    let reads = (1..=5)
        .map(|unit| read(Table::Holding, unit, 0, 10, 200))
        .collect();
    let mut link = Link::start(endpoint, reads);
    let mut good = [0; 6];
    let mut bad = 0;
    for _ in 0..60 {
        match link.outcome().await {
            (read, Ok(answer)) => {
                assert!(is_right(&read, &answer));
                good[usize::from(read.unit)] += 1;
            }
            (read, Err(reason)) => {
                assert_eq!((read.unit, reason), (3, Reason::Timeout));
                bad += 1;
            }
        }
    }
    // Sixty outcomes are twelve rounds, give or take the one under way.
    assert!(bad >= 11, "{bad}");
    assert_eq!(good[3], 0);
    assert!(
        good.iter()
            .enumerate()
            .all(|(unit, n)| [0, 3].contains(&unit) || *n >= 11),
        "{good:?}"
    );
    task.abort();
    link.stop().await;
}

/// A device without some of its registers, which refuses any request that touches one.
async fn serve_without(
    listener: TcpListener,
    missing: Arc<Mutex<Vec<u16>>>,
    requests: Arc<AtomicUsize>,
) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (missing, requests) = (Arc::clone(&missing), Arc::clone(&requests));
        tokio::spawn(async move {
            let mut request = [0; 12];
            while stream.read_exact(&mut request).await.is_ok() {
                requests.fetch_add(1, SeqCst);
                let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
                let asked = word(8)..word(8) + word(10);
                let is_missing = |address: &u16| asked.contains(address);
                let refused = missing.lock().unwrap().iter().any(is_missing);
                let act = if refused {
                    Act::Exception(2)
                } else {
                    Act::Answer
                };
                perform(&mut stream, &request, act).await.unwrap();
            }
        });
    }
}

/// A link to a device with a u16 at each of `addresses`, whose registers `missing` do not exist;
/// with it the number of requests so far, and the device.
async fn link_without(
    addresses: &[u16],
    missing: &[u16],
    again_ms: u64,
) -> (Link, Arc<AtomicUsize>, JoinHandle<()>) {
    let missing = Arc::new(Mutex::new(missing.to_vec()));
    link_to(addresses, missing, again_ms).await
}

/// The same with registers that may come and go; what was refused is asked for again after
/// `again_ms`.
async fn link_to(
    addresses: &[u16],
    missing: Arc<Mutex<Vec<u16>>>,
    again_ms: u64,
) -> (Link, Arc<AtomicUsize>, JoinHandle<()>) {
    let tag = |address: &u16| Tag {
        name: format!("r{address}").into(),
        unit: "".into(),
        role: None,
        summed: andon_core::tag::Summed::Not,
        range: None,
        every_ms: 100,
        source: Source::Modbus(Point::new(Table::Holding, *address, Kind::U16)),
    };
    let tags = addresses.iter().map(tag).collect();
    let model = Model {
        every_ms: 100,
        tags,
        state: None,
        codes: vec![],
        rates: None,
    };
    let last = addresses.iter().max().unwrap();
    let read = Read {
        tags: (0..addresses.len() as u16).map(TagIndex).collect(),
        ..read(Table::Holding, 1, 0, last + 1, 100)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let task = tokio::spawn(serve_without(listener, missing, Arc::clone(&requests)));
    let endpoint = tcp_link(port, PATIENCE * 10);
    let behind = vec![Behind {
        model: Arc::new(model),
        ..behind(&read, Manners::default())
    }];
    (
        Link::of_poller(endpoint, vec![read], behind, |poller| {
            poller.refused = Refused::again_after(again_ms);
        }),
        requests,
        task,
    )
}

/// The readings of the first two rounds of such a device, each with the requests it took.
async fn two_rounds_without(
    addresses: &[u16],
    missing: &[u16],
) -> [(Vec<(TagIndex, Reading)>, usize); 2] {
    let (mut link, requests, task) = link_without(addresses, missing, AGAIN_MS).await;
    let mut rounds = [(Vec::new(), 0), (Vec::new(), 0)];
    for round in &mut rounds {
        let before = requests.load(SeqCst);
        round.0 = link.readings().await;
        round.1 = requests.load(SeqCst) - before;
    }
    task.abort();
    link.stop().await;
    rounds
}

fn good(tag: u16, address: u16) -> (TagIndex, Reading) {
    (
        TagIndex(tag),
        Reading::Good(Value::Int(i64::from(value(1, address)))),
    )
}

fn refused(tag: u16) -> (TagIndex, Reading) {
    (TagIndex(tag), Reading::Bad(Reason::Exception(2)))
}

#[tokio::test]
async fn a_gap_that_a_device_refuses_costs_no_tag_its_value() {
    let rounds = two_rounds_without(&[0, 1, 20, 40], &[10, 30]).await;
    for (readings, _) in &rounds {
        assert_eq!(
            *readings,
            [good(0, 0), good(1, 1), good(2, 20), good(3, 40)]
        );
    }
    // The whole; 0..20 and 40; 0..1 and 20; 0..20 is known, 20..40 is tried in vain.
    assert_eq!((rounds[0].1, rounds[1].1), (1 + 5, 3));
}

#[tokio::test]
async fn a_tag_that_a_device_refuses_costs_only_itself() {
    let addresses: Vec<u16> = (0..64).collect();
    let (mut link, requests, task) = link_without(&addresses, &[17], AGAIN_MS).await;
    let expected: Vec<_> = (0..64)
        .map(|at| if at == 17 { refused(at) } else { good(at, at) })
        .collect();
    // The search takes some rounds of a few requests each, and tells what it reads on its way.
    let mut told: BTreeMap<TagIndex, Reading> = BTreeMap::new();
    while told.len() < 64 {
        let before = requests.load(SeqCst);
        told.extend(link.readings().await);
        assert!(requests.load(SeqCst) - before <= 1 + 8, "a round");
    }
    assert!(told.into_iter().eq(expected.iter().cloned()));
    assert!(requests.load(SeqCst) <= 1 + 18, "six levels down and up");
    // What is left are two reads, before it and after it.
    loop {
        let before = requests.load(SeqCst);
        let round = link.readings().await;
        if requests.load(SeqCst) - before == 2 {
            assert_eq!(round, expected);
            break;
        }
    }
    task.abort();
    link.stop().await;
}

#[tokio::test]
async fn what_was_refused_is_asked_for_again_and_read_once_it_is_there() {
    let missing = Arc::new(Mutex::new(vec![2, 4]));
    let (mut link, _, task) = link_to(&[0, 1, 2, 3, 4, 5], Arc::clone(&missing), 300).await;
    let bad = [0, 1, 2, 3, 4, 5].map(|at| match at {
        2 | 4 => refused(at),
        _ => good(at, at),
    });
    while link.readings().await != bad {}
    missing.lock().unwrap().retain(|at| *at != 4);
    let better = [0, 1, 2, 3, 4, 5].map(|at| match at {
        2 => refused(at),
        _ => good(at, at),
    });
    while link.readings().await != better {}
    // Once nothing is refused any more the whole is read as it was planned.
    missing.lock().unwrap().clear();
    loop {
        if let FromField::Read {
            answer: Ok(Answer::Registers(registers)),
            ..
        } = link.next().await
        {
            assert_eq!(registers.len(), 6);
            break;
        }
    }
    task.abort();
    link.stop().await;
}

#[tokio::test]
async fn a_device_that_refuses_everything_is_asked_for_the_whole_as_before() {
    let (mut link, requests, task) = link_without(&[0, 1], &[0, 1], AGAIN_MS).await;
    assert_eq!(link.outcome().await.1.unwrap_err(), Reason::Exception(2));
    let searched = requests.load(SeqCst);
    assert_eq!(searched, 3, "the whole and each tag");
    for _ in 0..3 {
        assert_eq!(link.outcome().await.1.unwrap_err(), Reason::Exception(2));
    }
    assert_eq!(requests.load(SeqCst), searched + 3);
    task.abort();
    link.stop().await;
}

fn random_fault(random: &mut Random) -> Act {
    match random.below(14) {
        0 => Act::Exception(random.below(256) as u8),
        1 => Act::WrongTransaction,
        2 => Act::WrongProtocol,
        3 => Act::WrongUnit,
        4 => Act::WrongFunction,
        5 => Act::Count(random.below(12) as i16 - 12),
        6 => Act::Count(random.below(50) as i16 + 1),
        7 => Act::ByteCountLies(random.below(256) as u8),
        8 => Act::Length(random.below(12) as u16),
        9 => Act::CloseAfter(random.below(30) as usize),
        10 => Act::Twice,
        11 => Act::InPieces,
        12 if random.below(8) == 0 => Act::Late,
        12 if random.below(8) == 0 => Act::Never,
        _ => {
            let length = random.below(300);
            Act::Garbage((0..length).map(|_| random.below(256) as u8).collect())
        }
    }
}

/// The request function alone, without schedule and back-off, so that thousands of faults take
/// seconds: after each the connection is made anew if it failed, as the poller does.
#[tokio::test]
async fn two_thousand_random_faults_and_no_wrong_value_and_nothing_but_reading_leaves() {
    let mut random = Random(0x5EED);
    let faults = (0..2000).map(|_| random_fault(&mut random)).collect();
    let server = Server::start(faults).await;
    let manners = patient(Duration::from_millis(15));
    let link = server.link();
    let open = || Connection::open(&link);
    let meter = idle_meter(&link.endpoint);
    let reads = [
        read(Table::Holding, 1, 0, 12, 0),
        read(Table::Input, 2, 500, 40, 0),
        read(Table::Coil, 3, 7, 21, 0),
    ];
    let mut connection = None;
    let (mut good, mut exceptions, mut faults) = (0, 0, 0);
    for n in 0.. {
        if server.books.script.lock().unwrap().is_empty() {
            break;
        }
        let mut connected = match connection.take() {
            Some(connected) => connected,
            None => open().await.unwrap(),
        };
        let read = &reads[n % reads.len()];
        match connected.ask(&Ask::new(read, &manners), &meter).await {
            Ok(reply) => {
                match reply {
                    Ok(answer) => {
                        assert!(is_right(read, &answer), "wrong value accepted: {answer:?}");
                        good += 1;
                    }
                    Err(_) => exceptions += 1,
                }
                connection = Some(connected);
            }
            Err(_) => faults += 1,
        }
    }
    assert!(
        good > 100 && exceptions > 50 && faults > 1000,
        "{good} {exceptions} {faults}"
    );
    let mut fresh = open().await.unwrap();
    let ask = Ask::new(&reads[0], &manners);
    let answer = fresh.ask(&ask, &meter).await.unwrap().unwrap();
    assert!(is_right(&reads[0], &answer), "not well again");
    let requests = server.books.requests.lock().unwrap();
    assert!(requests.len() > 2000);
    assert!(
        requests
            .iter()
            .all(|(_, frame)| (1..=4).contains(&frame[7]))
    );
}
