//! Against a server written here, byte by byte, so that it can misbehave: raw MBAP over loopback.
//! Every register's value is made from its unit and address, so a wrong value shows.

use super::refused::AGAIN_MS;
use super::*;
use andon_core::sample::{Reading, Value};
use andon_core::tag::{DeviceIndex, Kind, LinkIndex, Point, Source, Tag, TagIndex};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_millis(60);

fn value(unit: u8, address: u16) -> u16 {
    address.wrapping_mul(31).wrapping_add(u16::from(unit) << 8) ^ 0x5A5A
}

fn bit(unit: u8, address: u16) -> bool {
    value(unit, address).count_ones() % 2 == 1
}

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Act {
    Answer,
    Exception(u8),
    /// An exception that names function 0, as pymodbus sends it for a unit that it does not have.
    ExceptionOfNothing(u8),
    Never,
    /// Answers after the client has given up.
    Late,
    /// The right answer in two parts with a pause between.
    InPieces,
    WrongTransaction,
    WrongProtocol,
    WrongUnit,
    WrongFunction,
    /// Answers with this many registers, or bytes of bits, more or fewer than asked.
    Count(i16),
    /// The byte count says one thing, the frame holds another.
    ByteCountLies(u8),
    /// The length field says this.
    Length(u16),
    /// Closes after this many bytes of the answer.
    CloseAfter(usize),
    /// Sends the answer of the request twice.
    Twice,
    /// Sends these bytes instead of an answer.
    Garbage(Vec<u8>),
}

/// A Modbus server that does as its script says, and answers rightly when that is done.
struct Server {
    port: u16,
    script: Arc<Mutex<VecDeque<Act>>>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(script: Vec<Act>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let (requests, connections) = (Arc::default(), Arc::default());
        let task = tokio::spawn(serve(
            listener,
            Arc::clone(&script),
            Arc::clone(&requests),
            Arc::clone(&connections),
        ));
        Server {
            port,
            script,
            requests,
            connections,
            task,
        }
    }

    fn endpoint(&self) -> Modbus {
        tcp_link(self.port, PATIENCE)
    }
}

fn tcp_link(port: u16, timeout: Duration) -> Modbus {
    Modbus {
        endpoint: Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        timeout,
    }
}

async fn serve(
    listener: TcpListener,
    script: Arc<Mutex<VecDeque<Act>>>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.fetch_add(1, SeqCst);
        tokio::spawn(converse(stream, Arc::clone(&script), Arc::clone(&requests)));
    }
}

async fn converse(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Act>>>,
    requests: Arc<AtomicUsize>,
) {
    let mut request = [0; 12];
    while stream.read_exact(&mut request).await.is_ok() {
        requests.fetch_add(1, SeqCst);
        let act = script.lock().unwrap().pop_front().unwrap_or(Act::Answer);
        if perform(&mut stream, &request, act).await.is_err() {
            return;
        }
    }
}

/// An error ends the connection.
async fn perform(stream: &mut TcpStream, request: &[u8; 12], act: Act) -> io::Result<()> {
    let right = frame(request, &pdu(request, 0));
    let closed = || Err(io::ErrorKind::ConnectionAborted.into());
    match act {
        Act::Answer => stream.write_all(&right).await,
        Act::Exception(code) => {
            stream
                .write_all(&frame(request, &[request[7] | 0x80, code]))
                .await
        }
        Act::ExceptionOfNothing(code) => stream.write_all(&frame(request, &[0x80, code])).await,
        Act::Never => Ok(()),
        Act::Late => {
            tokio::time::sleep(PATIENCE * 2).await;
            stream.write_all(&right).await
        }
        Act::InPieces => {
            let (head, tail) = right.split_at(right.len() / 2);
            stream.write_all(head).await?;
            tokio::time::sleep(PATIENCE / 6).await;
            stream.write_all(tail).await
        }
        Act::WrongTransaction => {
            let mut wrong = right;
            wrong[1] ^= 1;
            stream.write_all(&wrong).await
        }
        Act::WrongProtocol => {
            let mut wrong = right;
            wrong[3] = 1;
            stream.write_all(&wrong).await
        }
        Act::WrongUnit => {
            let mut other = *request;
            other[6] ^= 1;
            stream.write_all(&frame(&other, &pdu(&other, 0))).await
        }
        Act::WrongFunction => {
            let mut other = *request;
            other[7] = if request[7] == 3 { 4 } else { request[7] ^ 1 };
            stream.write_all(&frame(&other, &pdu(&other, 0))).await
        }
        Act::Count(more) => stream.write_all(&frame(request, &pdu(request, more))).await,
        Act::ByteCountLies(count) => {
            let mut wrong = right;
            wrong[8] = count;
            stream.write_all(&wrong).await
        }
        Act::Length(length) => {
            let mut wrong = right;
            wrong[4..6].copy_from_slice(&length.to_be_bytes());
            stream.write_all(&wrong).await
        }
        Act::CloseAfter(bytes) => {
            stream
                .write_all(&right[..bytes.min(right.len() - 1)])
                .await?;
            closed()
        }
        Act::Twice => {
            stream.write_all(&right).await?;
            stream.write_all(&right).await
        }
        Act::Garbage(bytes) => {
            stream.write_all(&bytes).await?;
            Ok(())
        }
    }
}

/// The right answer to a request, with `more` registers or bytes of bits than were asked for.
fn pdu(request: &[u8; 12], more: i16) -> Vec<u8> {
    let (unit, function) = (request[6], request[7]);
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    let (start, count) = (word(8), word(10));
    let content: Vec<u8> = if function <= 2 {
        let bytes = count.div_ceil(8).saturating_add_signed(more);
        let byte = |at: u16| {
            (0..8).fold(0, |byte, i| {
                byte | u8::from(bit(unit, start + at * 8 + i)) << i
            })
        };
        (0..bytes).map(byte).collect()
    } else {
        let registers = count.saturating_add_signed(more);
        (0..registers)
            .flat_map(|at| value(unit, start + at).to_be_bytes())
            .collect()
    };
    let mut pdu = vec![function, content.len() as u8];
    pdu.extend(content);
    pdu
}

fn frame(request: &[u8; 12], pdu: &[u8]) -> Vec<u8> {
    let mut frame = request[..4].to_vec();
    frame.extend((pdu.len() as u16 + 1).to_be_bytes());
    frame.push(request[6]);
    frame.extend(pdu);
    frame
}

fn read(table: Table, unit: u8, start: u16, count: u16, every_ms: u64) -> Read {
    let (link, device) = (LinkIndex(0), DeviceIndex(u16::from(unit)));
    Read {
        link,
        device,
        unit,
        table,
        start,
        count,
        every_ms,
        tags: [].into(),
    }
}

fn is_right(read: &Read, answer: &Answer) -> bool {
    let addresses = read.start..read.start + read.count;
    match answer {
        Answer::Registers(registers) => {
            !read.table.is_bits()
                && registers
                    .iter()
                    .copied()
                    .eq(addresses.map(|at| value(read.unit, at)))
        }
        Answer::Bits(bits) => {
            read.table.is_bits()
                && bits
                    .iter()
                    .copied()
                    .eq(addresses.map(|at| bit(read.unit, at)))
        }
    }
}

/// A running link with what it tells.
struct Link {
    plan: Arc<Plan>,
    rx: mpsc::Receiver<FromField>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    fn start(endpoint: Modbus, reads: Vec<Read>) -> Link {
        Link::of_models(endpoint, reads, vec![])
    }

    fn of_models(endpoint: Modbus, reads: Vec<Read>, models: Models) -> Link {
        Link::of_poller(endpoint, reads, models, |_| ())
    }

    /// A link whose poller is changed before it runs.
    fn of_poller(
        endpoint: Modbus,
        reads: Vec<Read>,
        models: Models,
        change: impl FnOnce(&mut Poller),
    ) -> Link {
        let plan = Arc::new(Plan { reads });
        let (tx, rx) = mpsc::channel(64);
        let (stop, stopped) = watch::channel(false);
        let outlet = Outlet::new(tx, LinkIndex(0), "plc".into());
        let mut poller = poller(endpoint, Arc::clone(&plan), models, outlet);
        change(&mut poller);
        let run = Box::pin(poller.run(Pace::now()));
        let task = tokio::spawn(super::super::until(stopped, run));
        Link {
            plan,
            rx,
            stop,
            task,
        }
    }

    async fn next(&mut self) -> FromField {
        timeout(Duration::from_secs(20), self.rx.recv())
            .await
            .expect("silent")
            .expect("ended")
    }

    /// The next outcome of a read; link messages are passed over.
    async fn outcome(&mut self) -> (Read, Result<Answer, Reason>) {
        loop {
            if let FromField::Read { read, answer, .. } = self.next().await {
                return (self.plan.read(read).clone(), answer);
            }
        }
    }

    /// The next readings of single tags, in their order.
    async fn readings(&mut self) -> Vec<(TagIndex, Reading)> {
        loop {
            match self.next().await {
                FromField::Readings { mut readings, .. } => {
                    readings.sort_by_key(|(tag, _)| *tag);
                    let readings = readings.into_iter();
                    return readings
                        .map(|(tag, sample)| (tag, sample.reading))
                        .collect();
                }
                FromField::Link { up: true, .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Outcomes up to the first good one, whose value is checked; the reasons before.
    async fn until_good(&mut self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        loop {
            match self.outcome().await {
                (read, Ok(answer)) => {
                    assert!(
                        is_right(&read, &answer),
                        "wrong values accepted: {answer:?}"
                    );
                    return reasons;
                }
                (_, Err(reason)) => reasons.push(reason),
            }
        }
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(Duration::from_secs(5), self.task)
            .await
            .expect("does not stop")
            .unwrap();
    }
}

/// What one fault looks like from outside, and that the link is well again after it.
async fn after(act: Act, table: Table) -> Vec<Reason> {
    let server = Server::start(vec![Act::Answer, act]).await;
    let mut link = Link::start(server.endpoint(), vec![read(table, 1, 100, 12, 20)]);
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
    let mut link = Link::start(server.endpoint(), reads);
    for table in tables {
        let (read, answer) = link.outcome().await;
        assert!(read.table == table && is_right(&read, &answer.unwrap()));
    }
    assert_eq!(server.connections.load(SeqCst), 1);
    link.stop().await;
}

#[tokio::test]
async fn the_longest_reads_arrive_whole() {
    let server = Server::start(vec![]).await;
    let reads = vec![
        read(Table::Holding, 1, 0, 125, 1000),
        read(Table::Coil, 1, 0, 2000, 1000),
    ];
    let mut link = Link::start(server.endpoint(), reads);
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
    let mut link = Link::start(server.endpoint(), reads);
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
    let mut link = Link::start(server.endpoint(), vec![read(Table::Holding, 1, 0, 2, 20)]);
    assert_eq!(
        link.until_good().await,
        [Reason::Exception(2), Reason::Exception(6)]
    );
    assert_eq!(server.connections.load(SeqCst), 1);
    link.stop().await;
}

#[tokio::test]
async fn a_unit_that_its_gateway_does_not_reach_is_left_to_probing_on_the_same_connection() {
    let gone = vec![Act::Exception(0x0B), Act::ExceptionOfNothing(0x0B)];
    let server = Server::start(gone).await;
    let reads = (0..4)
        .map(|at| read(Table::Holding, 1, at * 200, 2, 100))
        .collect();
    let mut link = Link::start(server.endpoint(), reads);
    for _ in 0..8 {
        assert_eq!(link.outcome().await.1.unwrap_err(), Reason::Exception(0x0B));
    }
    assert_eq!(
        server.requests.load(SeqCst),
        2,
        "one request a round is enough"
    );
    assert_eq!(server.connections.load(SeqCst), 1);
    link.until_good().await;
    link.stop().await;
}

#[tokio::test]
async fn while_nothing_listens_every_due_read_is_told_as_disconnected() {
    let server = Server::start(vec![]).await;
    let (endpoint, port) = (server.endpoint(), server.port);
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
    assert!(why.contains("refused"), "{why}");
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
    let task = tokio::spawn(serve(
        listener,
        Arc::default(),
        Arc::default(),
        Arc::default(),
    ));
    let mut ups = 0;
    for _ in 0..200 {
        match link.next().await {
            FromField::Link { up, .. } => {
                assert!(up);
                ups += 1;
            }
            FromField::Read { answer: Ok(_), .. } if ups == 1 => break,
            FromField::Read { answer, .. } => assert_eq!(answer.unwrap_err(), Reason::Disconnected),
            FromField::Readings { .. } => panic!("no MQTT here"),
        }
    }
    assert_eq!(ups, 1);
    task.abort();
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
    let models = vec![(read.device, Arc::new(model))];
    (
        Link::of_poller(endpoint, vec![read], models, |poller| {
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

/// Deterministic random numbers for the fault loop.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
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
async fn two_thousand_random_faults_and_no_wrong_value() {
    let mut random = Random(0x5EED);
    let faults = (0..2000).map(|_| random_fault(&mut random)).collect();
    let server = Server::start(faults).await;
    let patience = Duration::from_millis(15);
    let open = || tcp::Connection::open("127.0.0.1", server.port, PATIENCE);
    let reads = [
        read(Table::Holding, 1, 0, 12, 0),
        read(Table::Input, 2, 500, 40, 0),
        read(Table::Coil, 3, 7, 21, 0),
    ];
    let mut connection = None;
    let (mut good, mut exceptions, mut faults) = (0, 0, 0);
    for n in 0.. {
        if server.script.lock().unwrap().is_empty() {
            break;
        }
        let mut connected = match connection.take() {
            Some(connected) => connected,
            None => open().await.unwrap(),
        };
        let read = &reads[n % reads.len()];
        match connected.ask(read, patience).await {
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
    let answer = fresh.ask(&reads[0], PATIENCE).await.unwrap().unwrap();
    assert!(is_right(&reads[0], &answer), "not well again");
}
