//! One Modbus TCP endpoint: one task, one connection, one request at a time.
//!
//! - Connecting and every request have a hard deadline.
//! - After any fault (no answer in time, an answer to another request, a lost connection) the
//!   connection is closed, so that a late answer can never be taken for the next one.
//! - An exception is an answer: the connection stays. Only 0x0A and 0x0B say that the unit behind
//!   a gateway is gone.
//! - Where an address does not exist (exception 0x02) the read is made in parts (`refused`), so
//!   that a gap, or one wrong tag, does not cost the others their values.
//! - What is read when is [`Schedule`]'s to decide; while there is no connection every due read is
//!   told once per period as [`Reason::Disconnected`].

mod refused;
mod tcp;

use super::backoff::Backoff;
use super::outlet::{EngineGone, Outlet};
use super::pace::Pace;
use super::schedule::{Change, Schedule, Slot, Step};
use super::{Answer, FromField};
use crate::clock;
use crate::settings::{Endpoint, Modbus};
use andon_core::modbus::answer;
use andon_core::modbus::plan::{Plan, Read, ReadIndex};
use andon_core::plant::Model;
use andon_core::sample::Reason;
use andon_core::tag::{DeviceIndex, Table};
use andon_core::time::Mono;
use refused::Refused;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_modbus::client::{Client as _, Context};
use tokio_modbus::slave::SlaveContext as _;
use tokio_modbus::{ProtocolError, Request, Response, Slave};

/// Longest wait between two attempts to connect.
const RECONNECT_LAST_MS: u64 = 5_000;

/// The codes with which a gateway says that it does not reach the unit (Modbus Application
/// Protocol 1.1b3, §7).
const GATEWAY: [u8; 2] = [0x0A, 0x0B];

/// The models of the devices behind a link.
pub(super) type Models = Vec<(DeviceIndex, Arc<Model>)>;

/// Reads what `plan` has for the outlet's link. There are hundreds of these futures, so this one
/// holds nothing but the poller.
pub(super) fn run(
    link: Modbus,
    plan: Arc<Plan>,
    models: Models,
    outlet: Outlet,
    pace: Pace,
) -> impl Future<Output = EngineGone> {
    poller(link, plan, models, outlet).run(pace)
}

fn poller(link: Modbus, plan: Arc<Plan>, models: Models, outlet: Outlet) -> Poller {
    let now = clock::mono();
    let patience_ms = u64::try_from(link.timeout.as_millis()).unwrap_or(u64::MAX);
    let reads = plan
        .of_link(outlet.link())
        .map(|(index, read)| (index, read.unit, read.every_ms));
    let schedule = Schedule::new(reads, patience_ms, now);
    let seed = now.0 ^ u64::from(outlet.link().0) << 32;
    Poller {
        link,
        plan,
        outlet,
        schedule,
        connection: None,
        connect_from: now,
        backoff: Backoff::new(RECONNECT_LAST_MS, seed),
        models,
        refused: Refused::default(),
        exceptions: Vec::new(),
    }
}

/// The state of one link.
struct Poller {
    link: Modbus,
    plan: Arc<Plan>,
    outlet: Outlet,
    schedule: Schedule,
    connection: Option<tcp::Connection>,
    /// Not to be connected before.
    connect_from: Mono,
    backoff: Backoff,
    models: Models,
    refused: Refused,
    /// The reads whose last answer was an exception, with its code.
    exceptions: Vec<(ReadIndex, u8)>,
}

impl Poller {
    async fn run(mut self, mut pace: Pace) -> EngineGone {
        loop {
            if let Err(gone) = self.step(&mut pace).await {
                return gone;
            }
        }
    }

    async fn step(&mut self, pace: &mut Pace) -> Result<(), EngineGone> {
        match self.schedule.next(clock::mono()) {
            Step::Ask { slot, patience_ms } => {
                self.ask(slot, Duration::from_millis(patience_ms)).await?;
            }
            Step::Skip { slot, reason } => self.tell(slot, Err(reason)).await?,
            Step::Wait(due) => pace.sleep_until(due).await,
            Step::Idle => std::future::pending().await,
        }
        Ok(())
    }

    /// Makes one read and tells what came of it.
    async fn ask(&mut self, slot: Slot, patience: Duration) -> Result<(), EngineGone> {
        let index = self.schedule.read(slot);
        let read = self.plan.read(index).clone();
        if self.refused.is_in_parts(index, clock::mono()) {
            return self.ask_in_parts(slot, &read, patience).await;
        }
        match self.request(&read, patience).await? {
            Outcome::Answer(answer) => self.answered(slot, &read, Ok(answer)).await,
            Outcome::Exception(code) if refused::is_refusal(code) => {
                self.was_refused(slot, &read, code, patience).await
            }
            Outcome::Exception(code) => self.answered(slot, &read, Err(code)).await,
            Outcome::Fault(reason, why) => self.failed(slot, &read, reason, &why).await,
            Outcome::Disconnected => self.tell(slot, Err(Reason::Disconnected)).await,
        }
    }

    /// Makes one request, on a new connection if there is none, and closes it after a fault.
    async fn request(&mut self, read: &Read, patience: Duration) -> Result<Outcome, EngineGone> {
        let mut connection = match self.connection.take() {
            Some(open) => open,
            None => match self.connect().await? {
                Some(fresh) => fresh,
                None => return Ok(Outcome::Disconnected),
            },
        };
        let served = connection.served;
        let mut reply = connection.ask(read, patience).await;
        // A device may close a connection that was idle; that is no reason to miss a reading.
        if served && matches!(reply, Err(Fault::Lost(_))) {
            match self.connect().await? {
                Some(fresh) => connection = fresh,
                None => return Ok(Outcome::Disconnected),
            }
            reply = connection.ask(read, patience).await;
        }
        match reply {
            Ok(reply) => {
                self.connection = Some(connection);
                self.backoff.reset();
                self.outlet.up().await?;
                Ok(reply.map_or_else(Outcome::Exception, Outcome::Answer))
            }
            Err(fault) => {
                match &fault {
                    Fault::Lost(why) if !served => self.turned_away(why).await?,
                    _ => self.outlet.up().await?,
                }
                Ok(Outcome::Fault(fault.reason(), fault.to_string()))
            }
        }
    }

    /// The device answered: with content, or with an exception.
    async fn answered(
        &mut self,
        slot: Slot,
        read: &Read,
        reply: Result<Answer, u8>,
    ) -> Result<(), EngineGone> {
        let code = reply.as_ref().err().copied();
        self.note_exception(slot, read, code.filter(|code| !GATEWAY.contains(code)));
        match reply {
            Err(code) if GATEWAY.contains(&code) => {
                let why = format!("the gateway does not reach it (exception {code})");
                self.failed(slot, read, Reason::Exception(code), &why).await
            }
            reply => {
                self.is_back(slot, read);
                self.tell(slot, reply.map_err(Reason::Exception)).await
            }
        }
    }

    fn is_back(&mut self, slot: Slot, read: &Read) {
        if self.schedule.answered(slot) == Change::Back {
            tracing::info!(
                link = self.outlet.id(),
                unit = read.unit,
                "unit answers again"
            );
        }
    }

    async fn failed(
        &mut self,
        slot: Slot,
        read: &Read,
        reason: Reason,
        why: &str,
    ) -> Result<(), EngineGone> {
        let (link, unit) = (self.outlet.id(), read.unit);
        match self.schedule.failed(slot, reason, clock::mono()) {
            Change::Lost => tracing::warn!(link, unit, why, "unit does not answer; probing it"),
            _ => tracing::debug!(link, unit, why, "read failed"),
        }
        self.tell(slot, Err(reason)).await
    }

    async fn tell(&mut self, slot: Slot, answer: Result<Answer, Reason>) -> Result<(), EngineGone> {
        let read = self.schedule.read(slot);
        self.outlet
            .send(FromField::Read {
                read,
                at: clock::mono(),
                answer,
            })
            .await
    }

    /// A new connection, unless it fails or the last attempt was too short a time ago.
    async fn connect(&mut self) -> Result<Option<tcp::Connection>, EngineGone> {
        if clock::mono() < self.connect_from {
            return Ok(None);
        }
        let Endpoint::Tcp { host, port } = &self.link.endpoint;
        match tcp::Connection::open(host, *port, self.link.timeout).await {
            Ok(connection) => Ok(Some(connection)),
            Err(why) => {
                self.turned_away(&why).await?;
                Ok(None)
            }
        }
    }

    /// The device does not take the connection, or closes it before it has answered anything.
    async fn turned_away(&mut self, why: &str) -> Result<(), EngineGone> {
        self.connect_from = clock::mono() + self.backoff.next_ms();
        let why = format!("{}: {why}", self.link.endpoint);
        self.outlet.down(why).await
    }

    /// Says once for each read which exception it is answered with.
    fn note_exception(&mut self, slot: Slot, read: &Read, code: Option<u8>) {
        let index = self.schedule.read(slot);
        let known = self.exceptions.iter().position(|(of, _)| *of == index);
        if known.map(|at| self.exceptions[at].1) == code {
            return;
        }
        if let Some(at) = known {
            self.exceptions.swap_remove(at);
        }
        if let Some(code) = code {
            self.exceptions.push((index, code));
            let (table, start, count) = (read.table.as_str(), read.start, read.count);
            tracing::warn!(
                link = self.outlet.id(),
                unit = read.unit,
                "{table}:{start}, {count} addresses: answered with exception {code}"
            );
        }
    }
}

/// What came of one request.
enum Outcome {
    Answer(Answer),
    Exception(u8),
    /// The connection has been closed because of it; for the engine, and for people.
    Fault(Reason, String),
    /// There is no connection.
    Disconnected,
}

/// Makes one request on a connection. The inner error is an exception code; after the outer one
/// the connection is of no use.
pub async fn ask(
    context: &mut Context,
    read: &Read,
    patience: Duration,
) -> Result<Result<Answer, u8>, Fault> {
    context.set_slave(Slave(read.unit));
    match timeout(patience, context.call(request(read))).await {
        Ok(Ok(Ok(response))) => content(read, response).map(Ok),
        Ok(Ok(Err(exception))) => Ok(Err(exception.into())),
        // Some servers name no function in the exception for a unit that they do not have.
        Ok(Err(tokio_modbus::Error::Protocol(ProtocolError::FunctionCodeMismatch {
            result: Err(exception),
            ..
        }))) => Ok(Err(exception.exception.into())),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Fault::Timeout(patience)),
    }
}

const fn request(read: &Read) -> Request<'static> {
    match read.table {
        Table::Coil => Request::ReadCoils(read.start, read.count),
        Table::Discrete => Request::ReadDiscreteInputs(read.start, read.count),
        Table::Holding => Request::ReadHoldingRegisters(read.start, read.count),
        Table::Input => Request::ReadInputRegisters(read.start, read.count),
    }
}

/// What an answer holds, once it is known to fit the request: tokio-modbus has compared unit and
/// transaction, but takes any number of registers in a release build.
fn content(read: &Read, response: Response) -> Result<Answer, Fault> {
    let function = response.function_code().value();
    let (items, answer) = match response {
        Response::ReadCoils(mut bits) | Response::ReadDiscreteInputs(mut bits) => {
            let items = bits.len();
            bits.truncate(usize::from(read.count));
            (items, Answer::Bits(bits))
        }
        Response::ReadHoldingRegisters(registers) | Response::ReadInputRegisters(registers) => {
            (registers.len(), Answer::Registers(registers))
        }
        _ => return Err(Fault::Unfit(format!("answered with function {function}"))),
    };
    answer::check(read, function, items).map_err(|misfit| Fault::Unfit(misfit.to_string()))?;
    Ok(answer)
}

/// Why there is no answer. After any of these the connection is of no use.
#[derive(Debug)]
pub enum Fault {
    /// Nothing in this time.
    Timeout(Duration),
    /// The connection is gone.
    Lost(String),
    /// Something arrived that is no answer to the request.
    Unfit(String),
}

impl Fault {
    const fn reason(&self) -> Reason {
        match self {
            Fault::Timeout(_) => Reason::Timeout,
            Fault::Lost(_) => Reason::Disconnected,
            Fault::Unfit(_) => Reason::BadAnswer,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Timeout(patience) => write!(f, "no answer within {patience:?}"),
            Fault::Lost(why) => write!(f, "connection lost: {why}"),
            Fault::Unfit(why) => write!(f, "the answer does not fit the request: {why}"),
        }
    }
}

impl From<tokio_modbus::Error> for Fault {
    fn from(error: tokio_modbus::Error) -> Fault {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, InvalidData,
            NetworkUnreachable, TimedOut, UnexpectedEof,
        };
        use tokio_modbus::Error::{Protocol, Transport};
        match error {
            Protocol(ProtocolError::HeaderMismatch { message, .. }) => Fault::Unfit(message),
            Protocol(ProtocolError::FunctionCodeMismatch { request, .. }) => {
                Fault::Unfit(format!("answered another function than {request}"))
            }
            Transport(error) => match error.kind() {
                // The decoder's own: a frame too short for its content, or no Modbus at all.
                InvalidData | UnexpectedEof => Fault::Unfit(error.to_string()),
                BrokenPipe | ConnectionAborted | ConnectionReset | HostUnreachable
                | NetworkUnreachable | TimedOut => Fault::Lost(error.to_string()),
                // At the end of the stream tokio-modbus reports whatever errno last was.
                _ => Fault::Lost("closed by the device".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
