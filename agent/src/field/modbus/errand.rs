//! Single requests of others through a link that is at work: whoever looks into a device, and the
//! horn's lamp on a relay module. One connection for each endpoint, so nobody else has one.
//!
//! An errand goes between two reads, one at a time; a write goes only where the configuration allows
//! it (`allow_write`).

use super::{Ask, Outcome, Poller};
use crate::field::Answer;
use crate::field::outlet::EngineGone;
use andon_core::modbus::permit::{Permit, Target};
use andon_core::modbus::plan::Read;
use andon_core::sample::Reason;
use andon_core::tag::{DeviceIndex, LinkIndex, Table};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Errands of one link that may wait; when there are so many, the next one is refused as busy.
const WAITING: usize = 4;

/// What is to be done once. Boxed, for the channel of each link keeps room for many of them.
#[derive(Debug)]
pub(in crate::field) struct Errand {
    task: Task,
    done: oneshot::Sender<Result<Done, Refusal>>,
}

/// The errands of a link, as they come.
pub(in crate::field) type Incoming = mpsc::Receiver<Box<Errand>>;

/// What an errand is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Reads addresses of a unit.
    Read {
        /// Unit id on the wire.
        unit: u8,
        /// Which table.
        table: Table,
        /// First protocol address.
        start: u16,
        /// Addresses, 1 to 125 registers or 1 to 2,000 bits.
        count: u16,
        /// Deadline of the answer, if not that of the device.
        patience: Option<Duration>,
    },
    /// Writes one address of a unit.
    Write {
        /// Unit id on the wire.
        unit: u8,
        /// Coil or register.
        target: Target,
        /// Protocol address.
        address: u16,
        /// The value; of a coil 0 or 1.
        value: u16,
    },
}

/// An errand that was done.
#[derive(Debug)]
pub struct Done {
    /// What the unit answered; of a write what it says it has taken.
    pub answer: Answer,
    /// From the request to the answer.
    pub took: Duration,
}

/// Why an errand was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The link does not speak Modbus, or is not there.
    NoModbus,
    /// Others are waiting already.
    Busy,
    /// No `allow_write` has this address with this value.
    NotAllowed,
    /// There is no connection.
    Disconnected,
    /// More addresses than fit one request, or none.
    Count,
    /// The unit answered with this exception code.
    Exception(u8),
    /// There was no answer in time: within how long.
    Silence(String),
    /// There was a wrong answer, or the connection was lost: why.
    Fault(String),
    /// The agent is stopping.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NoModbus => "this link does not speak Modbus",
            Refusal::Busy => "others are waiting for this link already; try again",
            Refusal::NotAllowed => {
                "nobody may write this value there; `allow_write` of the device says what may be"
            }
            Refusal::Disconnected => "the link is down",
            Refusal::Count => {
                "one request has 1 to 125 registers or 1 to 2000 bits, up to address 65535"
            }
            Refusal::Exception(code) => return write!(f, "answered with exception {code}"),
            Refusal::Silence(why) | Refusal::Fault(why) => why,
            Refusal::Stopping => "the agent is stopping",
        })
    }
}

impl std::error::Error for Refusal {}

/// The way to the Modbus links, for errands.
#[derive(Debug, Clone, Default)]
pub struct Errands(Arc<[(LinkIndex, mpsc::Sender<Box<Errand>>)]>);

impl Errands {
    /// The ways to these links, and where their errands come out.
    pub(in crate::field) fn to(links: &[LinkIndex]) -> (Errands, Vec<Incoming>) {
        let channels = links.iter().map(|link| (*link, mpsc::channel(WAITING)));
        let (ways, ends): (Vec<_>, Vec<_>) =
            channels.map(|(link, (tx, rx))| ((link, tx), rx)).unzip();
        (Errands(ways.into()), ends)
    }

    /// Has a link do something once, and waits for it.
    pub async fn run(&self, link: LinkIndex, task: Task) -> Result<Done, Refusal> {
        let (_, tx) = self
            .0
            .iter()
            .find(|(known, _)| *known == link)
            .ok_or(Refusal::NoModbus)?;
        let (done, outcome) = oneshot::channel();
        let errand = Box::new(Errand { task, done });
        tx.try_send(errand).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        outcome.await.unwrap_or(Err(Refusal::Stopping))
    }
}

/// An errand that may be done.
enum Job {
    Read(Read, Option<Duration>),
    Write(Permit),
}

impl Poller {
    /// Does an errand and tells whoever has it.
    pub(super) async fn run_errand(&mut self, errand: Errand) -> Result<(), EngineGone> {
        let outcome = match self.job(&errand.task) {
            Ok(job) => self.run_job(job).await?,
            Err(refusal) => Err(refusal),
        };
        // Whoever had it may have gone meanwhile.
        let _ = errand.done.send(outcome);
        Ok(())
    }

    fn job(&self, task: &Task) -> Result<Job, Refusal> {
        match *task {
            Task::Read {
                unit,
                table,
                start,
                count,
                patience,
            } => {
                let fits = u32::from(start) + u32::from(count) <= 0x1_0000;
                if !(1..=table.limit()).contains(&count) || !fits {
                    return Err(Refusal::Count);
                }
                let read = Read {
                    link: self.outlet.link(),
                    device: DeviceIndex(u16::MAX),
                    unit,
                    table,
                    start,
                    count,
                    every_ms: 0,
                    tags: [].into(),
                };
                Ok(Job::Read(read, patience))
            }
            Task::Write {
                unit,
                target,
                address,
                value,
            } => {
                let place = (unit, target, address);
                let allowed = self.link.allow_write.iter();
                let mut here = allowed.filter(|it| (it.unit, it.target, it.address) == place);
                let permit = here.find_map(|allowed| allowed.permit(value));
                permit.map(Job::Write).ok_or(Refusal::NotAllowed)
            }
        }
    }

    async fn run_job(&mut self, job: Job) -> Result<Result<Done, Refusal>, EngineGone> {
        let unit = match &job {
            Job::Read(read, _) => read.unit,
            Job::Write(permit) => permit.unit(),
        };
        let known = self.behind.iter().find(|behind| behind.unit == unit);
        let manners = known.map_or_else(|| self.manners_of_link(), |behind| behind.manners);
        let Some(mut connection) = self.connected().await? else {
            return Ok(Err(Refusal::Disconnected));
        };
        self.pause(unit).await;
        let served = connection.served();
        let began = Instant::now();
        let reply = match job {
            Job::Read(read, patience) => {
                let usual = Ask::new(&read, &manners);
                let ask = Ask {
                    patience: patience.unwrap_or(usual.patience),
                    // Exactly what is wanted.
                    most: read.count,
                    ..usual
                };
                connection.ask(&ask, &self.meter).await
            }
            Job::Write(permit) => {
                let patience = Duration::from_millis(manners.timeout_ms);
                connection.write(permit, patience, &self.meter).await
            }
        };
        let took = began.elapsed();
        self.pause_after(unit, Duration::from_millis(manners.between_requests_ms));
        Ok(match self.settled(connection, served, reply).await? {
            Outcome::Answer(answer) => Ok(Done { answer, took }),
            Outcome::Exception(code) => Err(Refusal::Exception(code)),
            Outcome::Fault(Reason::Timeout, why) => Err(Refusal::Silence(why)),
            Outcome::Fault(_, why) => Err(Refusal::Fault(why)),
            Outcome::Disconnected => Err(Refusal::Disconnected),
        })
    }
}
