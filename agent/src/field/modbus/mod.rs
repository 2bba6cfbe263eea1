//! One Modbus link: one task, one connection, one request at a time.
//!
//! - Connecting and every request have a hard deadline: that of the device.
//! - After any fault nothing that comes late can be taken for the next answer: over TCP the
//!   connection is closed, a line is silent first (`bus`).
//! - An exception is an answer: the connection stays. Only 0x0A and 0x0B say that the unit behind
//!   a gateway is gone.
//! - Where an address does not exist (exception 0x02) the read is made in parts (`refused`), so
//!   that a gap, or one wrong tag, does not cost the others their values.
//! - What is read when is [`Schedule`]'s to decide; while there is no connection every due read is
//!   told once per period as [`Reason::Disconnected`].
//! - A unit that answers is asked again after a fault as often as its device says (`retries`); one
//!   that is only probed is not, so that it costs the others no more than one probe.
//! - Some devices hear nothing for a while after they are connected to, and a timeout leads to a new
//!   connection. Where nobody answers, what follows a connection that was of no use is given time
//!   before it is used ([`WARM_UP`]), so that such a device is read also if nobody has said
//!   `after_connect`.
//! - A line on which nobody is heard for [`DEAF_MS`] is opened anew: a port that was unplugged may
//!   never say so.

mod bus;
mod connection;
pub mod direct;
pub mod errand;
mod port;
mod refused;
mod request;
mod tcp;
mod timer;

pub use connection::OpenError;
pub use request::{Fault, ask, meaning};

pub(super) use port::probe;

use super::backoff::Backoff;
use super::meter::{Event, Meter};
use super::outlet::{EngineGone, Outlet};
use super::pace::Pace;
use super::schedule::{Change, Schedule, Slot, Step};
use super::{Answer, FromField};
use crate::clock;
use crate::settings::Modbus;
use andon_core::modbus::plan::{Plan, Read, ReadIndex};
use andon_core::plant::{Manners, Model};
use andon_core::sample::Reason;
use andon_core::tag::DeviceIndex;
use andon_core::time::Mono;
use connection::Connection;
use errand::Errand;
use refused::{Refused, is_refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait between two attempts to connect.
const RECONNECT_LAST_MS: u64 = 5_000;

/// From so long without an answer from anybody, an open line is opened anew.
const DEAF_MS: u64 = 30_000;

/// Time that a new connection is given before it is used, where the last one was of no use.
const WARM_UP: Duration = Duration::from_secs(1);

/// No answer is later than so many times the deadline of its unit, or than this.
const LATE_FACTOR: u32 = 3;
const LATE_LEAST: Duration = Duration::from_secs(1);

/// The codes with which a gateway says that it does not reach the unit (Modbus Application
/// Protocol 1.1b3, §7).
const GATEWAY: [u8; 2] = [0x0A, 0x0B];

/// A device behind a link.
pub(super) struct Behind {
    pub(super) device: DeviceIndex,
    pub(super) unit: u8,
    pub(super) manners: Manners,
    pub(super) model: Arc<Model>,
}

/// What a link is started with.
pub(super) struct Parts {
    pub(super) link: Modbus,
    pub(super) plan: Arc<Plan>,
    pub(super) behind: Vec<Behind>,
    pub(super) outlet: Outlet,
    pub(super) meter: Meter,
    pub(super) errands: errand::Incoming,
}

/// Reads what the plan has for the outlet's link. There are hundreds of these futures, so this one
/// holds nothing but the poller.
pub(super) fn run(parts: Parts, pace: Pace) -> impl Future<Output = EngineGone> {
    Poller::new(parts, clock::mono()).run(pace)
}

/// The state of one link.
struct Poller {
    link: Modbus,
    plan: Arc<Plan>,
    outlet: Outlet,
    schedule: Schedule,
    connection: Option<Connection>,
    /// Not to be connected before.
    connect_from: Mono,
    /// Somebody was heard on the connection, or it was opened.
    heard: Mono,
    /// From so long without that an open line is opened anew.
    deaf_ms: u64,
    backoff: Backoff,
    /// The last connection was closed before anything was answered on it.
    in_vain: bool,
    /// The present one was given time because of that.
    warmed_up: bool,
    behind: Vec<Behind>,
    /// Units that need a pause, and until when.
    pauses: Vec<(u8, Instant)>,
    refused: Refused,
    /// The reads whose last answer was an exception, with its code.
    exceptions: Vec<(ReadIndex, u8)>,
    meter: Meter,
    errands: errand::Incoming,
}

/// One read and how it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    read: &'a Read,
    /// Deadline of the answer.
    patience: Duration,
    /// No answer comes later than this.
    late: Duration,
    /// Pause between an answer of the unit and the next request to it.
    between: Duration,
    /// Items that it gives in one answer.
    most: u16,
    /// How often it is repeated after a fault.
    retries: u8,
}

impl<'a> Ask<'a> {
    fn new(read: &'a Read, manners: &Manners) -> Ask<'a> {
        let patience = Duration::from_millis(manners.timeout_ms);
        Ask {
            read,
            patience,
            late: LATE_LEAST.max(patience * LATE_FACTOR),
            between: Duration::from_millis(manners.between_requests_ms),
            most: manners.most(read.table),
            retries: manners.retries,
        }
    }

    /// Another read of the same unit, made in the same way.
    fn of(self, read: &'a Read) -> Ask<'a> {
        Ask { read, ..self }
    }
}

impl Poller {
    fn new(parts: Parts, now: Mono) -> Poller {
        let Parts {
            link,
            plan,
            behind,
            outlet,
            meter,
            errands,
        } = parts;
        let patience_ms = |device: DeviceIndex| {
            let known = behind.iter().find(|known| known.device == device);
            known.map_or(millis(link.timeout), |known| known.manners.timeout_ms)
        };
        let reads = plan
            .of_link(outlet.link())
            .map(|(index, read)| (index, read.unit, read.every_ms, patience_ms(read.device)));
        let schedule = Schedule::new(reads, now);
        let seed = now.0 ^ u64::from(outlet.link().0) << 32;
        Poller {
            link,
            plan,
            outlet,
            schedule,
            connection: None,
            connect_from: now,
            heard: now,
            deaf_ms: DEAF_MS,
            backoff: Backoff::new(RECONNECT_LAST_MS, seed),
            in_vain: false,
            warmed_up: false,
            behind,
            pauses: Vec::new(),
            refused: Refused::default(),
            exceptions: Vec::new(),
            meter,
            errands,
        }
    }

    async fn run(mut self, mut pace: Pace) -> EngineGone {
        loop {
            if let Err(gone) = self.step(&mut pace).await {
                return gone;
            }
        }
    }

    /// One read, or a wait for the next one; and an errand, if somebody has one.
    async fn step(&mut self, pace: &mut Pace) -> Result<(), EngineGone> {
        let errand = match self.schedule.next(clock::mono()) {
            Step::Ask { slot, patience_ms } => {
                self.ask(slot, Duration::from_millis(patience_ms)).await?;
                self.errands.try_recv().ok()
            }
            Step::Skip { slot, reason } => {
                self.tell(slot, Err(reason)).await?;
                None
            }
            Step::Wait(due) => tokio::select! {
                errand = next(&mut self.errands) => Some(errand),
                () = pace.sleep_until(due) => None,
            },
            Step::Idle => Some(next(&mut self.errands).await),
        };
        match errand {
            // Boxed, as above.
            Some(errand) => Box::pin(self.run_errand(*errand)).await,
            None => Ok(()),
        }
    }

    /// Makes one read and tells what came of it.
    async fn ask(&mut self, slot: Slot, patience: Duration) -> Result<(), EngineGone> {
        let index = self.schedule.read(slot);
        let read = self.plan.read(index).clone();
        let mut ask = Ask {
            patience,
            ..Ask::new(&read, &self.manners(&read))
        };
        if self.schedule.is_failing(slot) {
            ask.retries = 0;
        }
        if self.refused.is_in_parts(index, clock::mono()) {
            // Boxed: it is rare, and every link would keep room for it.
            return Box::pin(self.ask_in_parts(slot, ask)).await;
        }
        match self.request(ask).await? {
            Outcome::Answer(answer) => self.answered(slot, &read, Ok(answer)).await,
            Outcome::Exception(code) if is_refusal(code) => {
                Box::pin(self.was_refused(slot, ask, code)).await
            }
            Outcome::Exception(code) => self.answered(slot, &read, Err(code)).await,
            Outcome::Fault(reason, why) => self.failed(slot, &read, reason, &why).await,
            Outcome::Disconnected => self.tell(slot, Err(Reason::Disconnected)).await,
        }
    }

    /// Makes one request, and repeats it after a fault.
    async fn request(&mut self, ask: Ask<'_>) -> Result<Outcome, EngineGone> {
        let mut outcome = self.request_once(ask).await?;
        for _ in 0..ask.retries {
            if !matches!(outcome, Outcome::Fault(..)) {
                break;
            }
            self.meter.note(ask.read.unit, Event::Retry, clock::mono());
            outcome = self.request_once(ask).await?;
        }
        Ok(outcome)
    }

    /// Makes one request, on a new connection if there is none.
    async fn request_once(&mut self, ask: Ask<'_>) -> Result<Outcome, EngineGone> {
        let Some(mut connection) = self.connected().await? else {
            return Ok(Outcome::Disconnected);
        };
        self.pause(ask.read.unit).await;
        let served = connection.served();
        let mut reply = connection.ask(&ask, &self.meter).await;
        // A device may close a connection that was idle; that is no reason to miss a reading.
        if served && matches!(reply, Err(Fault::Lost(_))) {
            match self.connect().await? {
                Some(fresh) => connection = fresh,
                None => return Ok(Outcome::Disconnected),
            }
            reply = connection.ask(&ask, &self.meter).await;
        }
        self.pause_after(ask.read.unit, ask.between);
        self.settled(connection, served, reply).await
    }

    /// What became of the connection by the outcome of a request.
    async fn settled(
        &mut self,
        connection: Connection,
        served: bool,
        reply: Result<Result<Answer, u8>, Fault>,
    ) -> Result<Outcome, EngineGone> {
        match reply {
            Ok(reply) => {
                if !served && self.warmed_up {
                    tracing::info!(
                        link = self.outlet.id(),
                        "answered after {WARM_UP:?} of rest on a new connection; if a reading is \
                         lost after each connection, write `after_connect`"
                    );
                }
                self.in_vain = false;
                self.connection = Some(connection);
                self.heard = clock::mono();
                self.backoff.reset();
                self.outlet.up().await?;
                Ok(reply.map_or_else(Outcome::Exception, Outcome::Answer))
            }
            Err(fault) => {
                let is_deaf = clock::mono().since(self.heard) >= self.deaf_ms;
                match &fault {
                    Fault::Lost(why) if !served => self.turned_away(why).await?,
                    _ => self.outlet.up().await?,
                }
                if connection.survives(&fault) && !is_deaf {
                    self.connection = Some(connection);
                } else {
                    self.in_vain = !served;
                    tracing::debug!(link = self.outlet.id(), "connecting anew: {fault}");
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
        // What a device has not got today it will not have in some seconds.
        let is_final =
            |reason: &Reason| matches!(reason, Reason::Exception(code) if is_refusal(*code));
        if answer.as_ref().is_err_and(|reason| !is_final(reason)) {
            self.schedule.missed(slot, clock::mono());
        }
        let read = self.schedule.read(slot);
        self.outlet
            .send(FromField::Read {
                read,
                at: clock::mono(),
                answer,
            })
            .await
    }

    /// The connection there is, or a new one.
    async fn connected(&mut self) -> Result<Option<Connection>, EngineGone> {
        match self.connection.take() {
            Some(open) => Ok(Some(open)),
            None => self.connect().await,
        }
    }

    /// A new connection, unless it fails or the last attempt was too short a time ago.
    async fn connect(&mut self) -> Result<Option<Connection>, EngineGone> {
        if clock::mono() < self.connect_from {
            return Ok(None);
        }
        match Connection::open(&self.link).await {
            Ok(connection) => {
                self.meter.connected(true);
                let manners = self.behind.iter().map(|behind| &behind.manners);
                let after_ms = manners.map(|manners| manners.after_connect_ms).max();
                let after = Duration::from_millis(after_ms.unwrap_or(0));
                // Never at the cost of somebody who answers.
                self.warmed_up = self.in_vain && after < WARM_UP && self.schedule.nobody_answers();
                let rest = if self.warmed_up { WARM_UP } else { after };
                tokio::time::sleep(rest).await;
                self.heard = clock::mono();
                Ok(Some(connection))
            }
            Err(why) => {
                self.turned_away(&why.to_string()).await?;
                Ok(None)
            }
        }
    }

    /// The device does not take the connection, or closes it before it has answered anything.
    async fn turned_away(&mut self, why: &str) -> Result<(), EngineGone> {
        self.connect_from = clock::mono() + self.backoff.next_ms();
        self.meter.connected(false);
        let why = format!("{}: {why}", self.link.endpoint);
        self.outlet.down(why).await
    }

    /// Waits until a unit may be asked again.
    async fn pause(&mut self, unit: u8) {
        if let Some(at) = self.pauses.iter().position(|(of, _)| *of == unit) {
            let (_, until) = self.pauses.swap_remove(at);
            tokio::time::sleep_until(until).await;
        }
    }

    /// From now on a unit needs a pause; the others are asked meanwhile.
    fn pause_after(&mut self, unit: u8, between: Duration) {
        if between.is_zero() {
            return;
        }
        self.schedule.pause(unit, clock::mono() + millis(between));
        self.pauses.retain(|(of, _)| *of != unit);
        self.pauses.push((unit, Instant::now() + between));
    }

    /// How the device of a read wants to be treated.
    fn manners(&self, read: &Read) -> Manners {
        let device = self.behind.iter().find(|known| known.device == read.device);
        device.map_or_else(|| self.manners_of_link(), |behind| behind.manners)
    }

    fn manners_of_link(&self) -> Manners {
        Manners {
            timeout_ms: millis(self.link.timeout),
            ..Manners::default()
        }
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
                "{table}:{start}, {count} addresses: answered with exception {code}, {}",
                meaning(code)
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The next errand; for ever none when nobody can have one any more.
async fn next(errands: &mut errand::Incoming) -> Box<Errand> {
    match errands.recv().await {
        Some(errand) => errand,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
