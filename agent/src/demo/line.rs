//! The simulated machines on the network: three Modbus TCP servers and an MQTT client.
//!
//! A machine starts when somebody first reads it, so that nothing is made before its counters were
//! seen at 0, and it keeps a log of what it had made whenever it told so: the truth that what was
//! published is compared with.

use super::broker::Broker;
use super::oven::{Oven, Topic};
use super::press::{INPUTS_FROM, Press, Wire};
use super::script::Made;
use crate::clock;
use rumqttc::mqttbytes::QoS;
use rumqttc::{AsyncClient, MqttOptions};
use std::collections::VecDeque;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

/// Ids of the presses; each answers as unit 1 on a port of its own.
pub const PRESSES: [&str; 3] = ["press-1", "press-2", "press-3"];
/// Id of the oven.
pub const OVEN: &str = "oven-7";
/// Where the oven says its mode and its counter.
pub const STATE_TOPIC: &str = "oven/7/state";
/// Where the oven says its temperature.
pub const TEMPERATURE_TOPIC: &str = "oven/7/temp";
/// Milliseconds a part takes: each press, give or take a tenth.
const PRESS_CYCLES_MS: [u64; 3] = [550, 720, 1100];
/// Milliseconds a part takes the oven.
const OVEN_CYCLE_MS: u64 = 1600;
/// The unit that the presses answer as.
const UNIT: u8 = 1;
/// How often machines that nobody asks look at the time.
const PERIOD: Duration = Duration::from_millis(50);
/// A halted line is read once more within this time, or not at all.
const READ_WITHIN: Duration = Duration::from_secs(4);
/// Entries of a machine's log; one a second is over half an hour.
const LOG: usize = 2000;

/// The running line; it ends when this is dropped.
#[derive(Debug)]
pub struct Line {
    addresses: Vec<SocketAddr>,
    presses: Vec<Site<Press>>,
    oven: Site<Oven>,
    _tasks: JoinSet<()>,
}

/// What a machine has made, and when it told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Which machine.
    pub id: &'static str,
    /// Made up to now.
    pub made: Made,
    /// Wall clock and total, whenever it told.
    pub told: VecDeque<(i64, u64)>,
}

impl Truth {
    /// The least and the most that a reader can have counted by `wall_ms`, if both are known:
    /// what was told shortly before and shortly after.
    pub fn told_by(&self, wall_ms: i64) -> (u64, u64) {
        /// Milliseconds: a reading is put a little off, and one of a second may not have arrived.
        const BLUR: i64 = 1500;
        let before = self.told.iter().rev().find(|told| told.0 <= wall_ms - BLUR);
        let after = self.told.iter().find(|told| told.0 >= wall_ms + BLUR);
        (
            before.map_or(0, |told| told.1),
            after.map_or(self.made.total(), |told| told.1),
        )
    }
}

impl Line {
    /// Starts the servers on free loopback ports, and the oven as a client of `broker`.
    pub async fn start(broker: &Arc<Broker>, seed: u64) -> io::Result<Line> {
        let mut line = Line {
            addresses: Vec::new(),
            presses: Vec::new(),
            oven: Site::new(Oven::new(OVEN_CYCLE_MS, seed)),
            _tasks: JoinSet::new(),
        };
        for (number, cycle_ms) in PRESS_CYCLES_MS.into_iter().enumerate() {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            line.addresses.push(listener.local_addr()?);
            let press = Site::new(Press::new(number, cycle_ms, seed));
            line._tasks.spawn(serve(listener, press.clone()));
            line.presses.push(press);
        }
        line._tasks
            .spawn(publish(Arc::clone(broker), line.oven.clone()));
        Ok(line)
    }

    /// Where the presses answer, in the order of [`PRESSES`].
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What everyone has made up to now.
    pub fn made(&self) -> Vec<(&'static str, Made)> {
        let presses = PRESSES.into_iter().zip(&self.presses);
        let mut made: Vec<_> = presses
            .map(|(id, site)| (id, site.desk().machine.made()))
            .collect();
        made.push((OVEN, self.oven.desk().machine.made()));
        made
    }

    /// What everyone has made, and when it told.
    pub fn truth(&self) -> Vec<Truth> {
        let logs = self.presses.iter().map(|site| site.desk().told.clone());
        let logs = logs.chain([self.oven.desk().told.clone()]);
        let made = self.made().into_iter().zip(logs);
        made.map(|((id, made), told)| Truth { id, made, told })
            .collect()
    }

    /// Stops all machines for good and waits until each was read once more.
    pub async fn halt(&self) {
        let now = clock::mono().0;
        for site in &self.presses {
            let mut desk = site.desk();
            desk.machine.halt(now);
            desk.halted = true;
            desk.read_since_halt = false;
        }
        {
            let mut desk = self.oven.desk();
            let last = desk.machine.halt(now);
            desk.outbox.extend(last);
            desk.halted = true;
            desk.read_since_halt = false;
        }
        let all_read = async {
            while !self.is_read() {
                tokio::time::sleep(PERIOD).await;
            }
        };
        // A line that nobody reads any more is told by the account, not here.
        let _ = tokio::time::timeout(READ_WITHIN, all_read).await;
    }

    fn is_read(&self) -> bool {
        let presses = self.presses.iter();
        presses
            .map(|site| site.desk().read_since_halt)
            .chain([self.oven.desk().read_since_halt])
            .all(|read| read)
    }
}

/// A machine with its log, shared by those who read it and those who watch it.
#[derive(Debug)]
struct Site<M>(Arc<Mutex<Desk<M>>>);

#[derive(Debug)]
struct Desk<M> {
    machine: M,
    told: VecDeque<(i64, u64)>,
    outbox: Vec<(Topic, String)>,
    halted: bool,
    read_since_halt: bool,
}

impl<M> Clone for Site<M> {
    fn clone(&self) -> Self {
        Site(Arc::clone(&self.0))
    }
}

impl<M> Site<M> {
    fn new(machine: M) -> Site<M> {
        Site(Arc::new(Mutex::new(Desk {
            machine,
            told: VecDeque::new(),
            outbox: Vec::new(),
            halted: false,
            read_since_halt: false,
        })))
    }

    /// Machines do not panic half-way through a move, so a poisoned lock guards a whole one.
    fn desk(&self) -> MutexGuard<'_, Desk<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Desk<M> {
    fn log(&mut self, total: u64) {
        if self.told.len() == LOG {
            self.told.pop_front();
        }
        self.told.push_back((clock::now().wall.0, total));
        self.read_since_halt = self.halted;
    }
}

/// One press's Modbus server, with the moods of its link.
async fn serve(listener: TcpListener, site: Site<Press>) {
    let server = Server::new(listener);
    loop {
        let answering = |stream, address| {
            let site = site.clone();
            async move { accept_tcp_connection(stream, address, |_| Ok(Some(site.clone()))) }
        };
        tokio::select! {
            _ = server.serve(&answering, |_| {}) => tokio::time::sleep(PERIOD).await,
            () = site.link_closed(true) => {}
        }
        // With `serve` all its connections have ended; new ones are closed at once.
        let refusing = |stream, address| async move {
            accept_tcp_connection(stream, address, |_| Ok(None::<Site<Press>>))
        };
        tokio::select! {
            _ = server.serve(&refusing, |_| {}) => tokio::time::sleep(PERIOD).await,
            () = site.link_closed(false) => {}
        }
    }
}

impl Site<Press> {
    async fn link_closed(&self, closed: bool) {
        loop {
            {
                let mut desk = self.desk();
                desk.machine.advance(clock::mono().0);
                if (desk.machine.wire() == Wire::Closed) == closed {
                    return;
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    fn answer(&self, request: &SlaveRequest<'_>) -> Result<Option<Response>, ExceptionCode> {
        let now = clock::mono().0;
        let mut desk = self.desk();
        desk.machine.start(now);
        desk.machine.advance(now);
        if desk.machine.wire() != Wire::Up {
            return Ok(None);
        }
        if request.slave != UNIT {
            return Err(ExceptionCode::GatewayTargetDevice);
        }
        let response = read(&desk.machine, &request.request)?;
        if matches!(response, Response::ReadHoldingRegisters(_)) {
            let total = desk.machine.made().total();
            desk.log(total);
        }
        Ok(Some(response))
    }
}

impl Service for Site<Press> {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = future::Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        future::ready(self.answer(&request))
    }
}

/// What a press answers; only what it has may be read, and nothing written.
fn read(press: &Press, request: &Request<'_>) -> Result<Response, ExceptionCode> {
    match *request {
        Request::ReadHoldingRegisters(from, count) => {
            let words = part(&press.holding(), 0, from, count)?;
            Ok(Response::ReadHoldingRegisters(words))
        }
        Request::ReadInputRegisters(from, count) => {
            let words = part(&press.inputs(), INPUTS_FROM, from, count)?;
            Ok(Response::ReadInputRegisters(words))
        }
        Request::ReadDiscreteInputs(from, count) => {
            let bits = part(&[press.door_open()], 0, from, count)?;
            Ok(Response::ReadDiscreteInputs(bits))
        }
        _ => Err(ExceptionCode::IllegalFunction),
    }
}

/// `count` from address `from` of a table that begins at `first`.
fn part<T: Copy>(table: &[T], first: u16, from: u16, count: u16) -> Result<Vec<T>, ExceptionCode> {
    if count == 0 {
        return Err(ExceptionCode::IllegalDataValue);
    }
    let start = from.checked_sub(first).map(usize::from);
    start
        .and_then(|start| table.get(start..start + usize::from(count)))
        .map(<[T]>::to_vec)
        .ok_or(ExceptionCode::IllegalDataAddress)
}

/// The oven's side of its connection to the broker.
async fn publish(broker: Arc<Broker>, site: Site<Oven>) {
    loop {
        let address = broker.address();
        let options = MqttOptions::new("oven-7", address.ip().to_string(), address.port());
        let (client, mut events) = AsyncClient::new(options, 64);
        let polling = async { while events.poll().await.is_ok() {} };
        tokio::select! {
            () = polling => tokio::time::sleep(Duration::from_secs(1)).await,
            () = speak(&broker, &client, &site) => {}
        }
    }
}

/// Says what the oven has to say, until the connection is gone.
async fn speak(broker: &Broker, client: &AsyncClient, site: &Site<Oven>) {
    loop {
        let said = {
            let now = clock::mono().0;
            let mut desk = site.desk();
            if broker.is_subscribed(STATE_TOPIC) {
                desk.machine.start(now);
            }
            let mut said = desk.machine.advance(now);
            said.append(&mut desk.outbox);
            if said.iter().any(|(topic, _)| *topic == Topic::State) && desk.machine.lie().is_none()
            {
                let total = desk.machine.made().total();
                desk.log(total);
            }
            said
        };
        for (topic, text) in said {
            let topic = match topic {
                Topic::State => STATE_TOPIC,
                Topic::Temperature => TEMPERATURE_TOPIC,
            };
            if client
                .publish(topic, QoS::AtLeastOnce, false, text)
                .await
                .is_err()
            {
                return;
            }
        }
        tokio::time::sleep(PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_modbus::prelude::{Reader as _, Slave, Writer as _};

    async fn line() -> (Arc<Broker>, Line) {
        let broker = Broker::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let broker = Arc::new(broker);
        let line = Line::start(&broker, 1).await.unwrap();
        (broker, line)
    }

    async fn press(line: &Line, unit: u8) -> tokio_modbus::client::Context {
        let address = line.addresses()[0];
        tokio_modbus::client::tcp::connect_slave(address, Slave(unit))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_press_answers_what_it_has_and_refuses_the_rest_by_the_standard() {
        let (_broker, line) = line().await;
        let mut client = press(&line, UNIT).await;
        assert_eq!(
            client.read_holding_registers(0, 4).await.unwrap(),
            Ok(vec![2, 0, 0, 0]),
            "reading it starts it, with its counters at 0"
        );
        let inputs = client.read_input_registers(10, 3).await.unwrap().unwrap();
        assert_eq!(inputs.len(), 3);
        let door = client.read_discrete_inputs(0, 1).await.unwrap();
        assert_eq!(door, Ok(vec![false]));
        for refused in [
            client.read_holding_registers(0, 5).await.unwrap(),
            client.read_holding_registers(4, 1).await.unwrap(),
            client.read_input_registers(9, 2).await.unwrap(),
            client.read_input_registers(65535, 1).await.unwrap(),
        ] {
            assert_eq!(refused, Err(ExceptionCode::IllegalDataAddress));
        }
        let written = client.write_single_register(0, 0).await.unwrap();
        assert_eq!(written, Err(ExceptionCode::IllegalFunction));
        let mut wrong = press(&line, 9).await;
        let refused = wrong.read_holding_registers(0, 1).await.unwrap();
        assert_eq!(refused, Err(ExceptionCode::GatewayTargetDevice));
    }

    #[tokio::test]
    async fn a_lost_link_gives_no_answer_then_closes_and_comes_back() {
        let (_broker, line) = line().await;
        let mut like = Press::new(1, PRESS_CYCLES_MS[1], 1);
        like.start(0);
        let mut closes_ms = 0;
        while like.wire() != Wire::Closed {
            closes_ms += 50;
            like.advance(closes_ms);
        }
        // It has been silent for a while and will close its connections in a moment.
        let site = &line.presses[1];
        let begun = clock::mono().0 - (closes_ms - 500);
        site.desk().machine.start(begun);
        let connect = || tokio_modbus::client::tcp::connect_slave(line.addresses()[1], Slave(UNIT));
        let mut client = connect().await.unwrap();
        let answer = client.read_holding_registers(0, 4).await;
        assert!(answer.is_err(), "closed without an answer: {answer:?}");
        let mut client = connect().await.unwrap();
        let answer = client.read_holding_registers(0, 4).await;
        assert!(answer.is_err(), "closed at once: {answer:?}");
        assert_eq!(site.desk().told, [], "it told nothing");
        site.desk().machine.halt(clock::mono().0);
        let answer = loop {
            let mut client = connect().await.unwrap();
            if let Ok(answer) = client.read_holding_registers(0, 4).await {
                break answer.unwrap();
            }
        };
        let made = site.desk().machine.made();
        assert_eq!(u64::from(answer[1]), made.good);
        assert_eq!(u64::from(answer[3]), made.scrap);
    }

    #[tokio::test]
    async fn the_oven_waits_for_somebody_who_listens_and_begins_at_zero() {
        let (broker, line) = line().await;
        let address = broker.address();
        let options = MqttOptions::new("reader", address.ip().to_string(), address.port());
        let (client, mut events) = AsyncClient::new(options, 8);
        client
            .subscribe(STATE_TOPIC, QoS::AtLeastOnce)
            .await
            .unwrap();
        let first = loop {
            let event = events.poll().await.unwrap();
            if let rumqttc::Event::Incoming(rumqttc::Packet::Publish(message)) = event {
                break message;
            }
        };
        assert_eq!(&*first.payload, br#"{"mode":"run","parts":0}"#);
        let oven = line.truth().pop().unwrap();
        assert_eq!((oven.id, oven.told[0].1), (OVEN, 0));
    }

    #[test]
    fn the_truth_at_a_moment_lies_between_what_was_told_around_it() {
        let truth = Truth {
            id: OVEN,
            made: Made { good: 9, scrap: 1 },
            told: VecDeque::from([(1000, 0), (2000, 3), (3000, 4), (4000, 5), (11_000, 8)]),
        };
        assert_eq!(truth.told_by(500), (0, 3), "before anything was told");
        assert_eq!(
            truth.told_by(2500),
            (0, 5),
            "as near as a reading may be off"
        );
        assert_eq!(truth.told_by(7000), (5, 8), "while the link was lost");
        assert_eq!(truth.told_by(20_000), (8, 10), "after the last word");
    }
}
