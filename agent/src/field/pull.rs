//! One machine that answers HTTP requests with documents: one task, one connection, one request at
//! a time.
//!
//! - Connecting and every request have a hard deadline; after any fault the connection is closed.
//! - Whatever the machine answers ends as readings of the tags of that page. A status other than
//!   success is an answer too: the machine is there, and its tags say `http-503`.
//! - Moved pages are followed, but only [`REDIRECTS`] times and never to another host: what is read
//!   is what the configuration names.
//! - What is asked when is [`Schedule`]'s to decide, as for Modbus; pages that are due together are
//!   asked one after the other. While there is no connection every page that is due is told once
//!   per period as [`Reason::Disconnected`]. A page that is read once an hour is not bad for an hour
//!   because of one failure: it is asked for again after [`AGAIN_MS`].

mod client;
mod location;

use super::FromField;
use super::backoff::Backoff;
use super::outlet::{EngineGone, Outlet};
use super::pace::Pace;
use super::payload::{self, Payload};
use super::schedule::{Change, Schedule, Slot, Step};
use crate::clock;
use crate::settings::{self, HttpGet};
use andon_core::modbus::plan::ReadIndex;
use andon_core::plant::{Model, Plant};
use andon_core::sample::{Reading, Reason, Sample};
use andon_core::tag::{DeviceIndex, Place, Source, TagIndex};
use andon_core::time::Mono;
use bytes::Bytes;
use client::{Answer, Connection, Fault};
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait between two attempts to connect.
const RECONNECT_LAST_MS: u64 = 5_000;

/// How often a moved page is followed.
const REDIRECTS: usize = 3;

/// The state of one link.
pub(super) struct Poller {
    link: HttpGet,
    /// Who is read from each page.
    readers: Vec<Vec<Reader>>,
    /// The zone of time stamps that name none.
    zone: TimeZone,
    outlet: Outlet,
    schedule: Schedule,
    connection: Option<Connection>,
    /// Not to be connected before.
    connect_from: Mono,
    backoff: Backoff,
    /// What was last said of each page: why nothing can be read from it.
    said: Vec<Option<Reason>>,
}

/// A device that is read from a page.
struct Reader {
    device: DeviceIndex,
    /// What the device is called in documents.
    called: Arc<str>,
    model: Arc<Model>,
    tags: Vec<TagIndex>,
}

/// What came of one page.
enum Outcome {
    Document(Bytes),
    /// It answered, but not with the page.
    Refused(Reason, String),
    /// It did not answer, or not as it should; the connection has been closed because of it.
    Failed(Reason, String),
    /// There is no connection.
    Disconnected,
}

impl Poller {
    /// A poller of what `link` names, for the devices of `plant`.
    pub(super) fn new(link: HttpGet, plant: &Plant, outlet: Outlet) -> Poller {
        let now = clock::mono();
        let patience_ms = u64::try_from(link.timeout.as_millis()).unwrap_or(u64::MAX);
        // A page that does not come is no reason to leave out the others.
        let reads = link.pages.iter().zip(0..).map(|(page, index)| {
            let first = link.pages.iter().position(|other| other.path == page.path);
            let unit = first.and_then(|first| u8::try_from(first).ok());
            let unit = unit.unwrap_or(u8::MAX);
            (ReadIndex(index), unit, page.every_ms, patience_ms)
        });
        let reader = |reader: &settings::Reader| Reader {
            device: reader.device,
            called: reader.called.clone(),
            model: plant.device(reader.device).model.clone(),
            tags: reader.tags.clone(),
        };
        let schedule = Schedule::new(reads, now);
        let seed = now.0 ^ u64::from(outlet.link().0) << 32;
        Poller {
            said: link.pages.iter().map(|_| None).collect(),
            readers: (link.pages.iter())
                .map(|page| page.readers.iter().map(reader).collect())
                .collect(),
            link,
            zone: plant.calendar.zone.clone(),
            outlet,
            schedule,
            connection: None,
            connect_from: now,
            backoff: Backoff::new(RECONNECT_LAST_MS, seed),
        }
    }

    /// Asks again and again.
    pub(super) async fn run(mut self, mut pace: Pace) -> EngineGone {
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
            Step::Skip { slot, reason } => self.tell_bad(self.page(slot), reason).await?,
            Step::Wait(due) => pace.sleep_until(due).await,
            Step::Idle => std::future::pending().await,
        }
        Ok(())
    }

    fn page(&self, slot: Slot) -> usize {
        usize::try_from(self.schedule.read(slot).0).unwrap_or(usize::MAX)
    }

    /// Asks for one page and tells what came of it.
    async fn ask(&mut self, slot: Slot, patience: Duration) -> Result<(), EngineGone> {
        let index = self.page(slot);
        let outcome = self.follow(index, Instant::now() + patience).await?;
        if !matches!(outcome, Outcome::Document(_)) {
            self.schedule.missed(slot, clock::mono());
        }
        match outcome {
            Outcome::Document(document) => {
                self.is_back(slot, index);
                self.say(index, None, "");
                self.tell(index, &document).await
            }
            Outcome::Refused(reason, why) => {
                self.is_back(slot, index);
                self.say(index, Some(reason), &why);
                self.tell_bad(index, reason).await
            }
            Outcome::Failed(reason, why) => {
                let (link, path) = (self.outlet.id(), &*self.link.pages[index].path);
                match self.schedule.failed(slot, reason, clock::mono()) {
                    Change::Lost => tracing::warn!(link, path, why, "no answer; probing it"),
                    _ => tracing::debug!(link, path, why, "no answer"),
                }
                self.tell_bad(index, reason).await
            }
            Outcome::Disconnected => self.tell_bad(index, Reason::Disconnected).await,
        }
    }

    /// Asks for a page, also where it has moved to.
    async fn follow(&mut self, index: usize, deadline: Instant) -> Result<Outcome, EngineGone> {
        let mut path = self.link.pages[index].path.to_string();
        for _ in 0..=REDIRECTS {
            let location = match self.request(&path, deadline).await? {
                Ok(Answer::Moved(location)) => location,
                Ok(Answer::Document(document)) => return Ok(Outcome::Document(document)),
                Ok(Answer::TooLong) => return Ok(too_long(self.link.max_payload)),
                Ok(Answer::Status(status)) => return Ok(refused(status)),
                Err(outcome) => return Ok(outcome),
            };
            match location::resolve(&self.link.server, &path, &location) {
                Some(moved) => path = moved,
                None => {
                    let why = format!("it has moved to another host, {location}: name that one");
                    return Ok(Outcome::Refused(Reason::BadAnswer, why));
                }
            }
        }
        let why = format!("it has moved more than {REDIRECTS} times");
        Ok(Outcome::Refused(Reason::BadAnswer, why))
    }

    /// Makes one request, on a new connection if there is none, and closes it after a fault.
    async fn request(
        &mut self,
        path: &str,
        deadline: Instant,
    ) -> Result<Result<Answer, Outcome>, EngineGone> {
        let mut connection = match self.connection.take() {
            Some(open) => open,
            None => match self.connect().await? {
                Some(fresh) => fresh,
                None => return Ok(Err(Outcome::Disconnected)),
            },
        };
        let served = connection.served;
        let mut reply = connection.get(path, deadline).await;
        // A device may close a connection that was idle; that is no reason to miss a reading.
        if served && matches!(reply, Err(Fault::Lost(_))) {
            match self.connect().await? {
                Some(fresh) => connection = fresh,
                None => return Ok(Err(Outcome::Disconnected)),
            }
            reply = connection.get(path, deadline).await;
        }
        match reply {
            Ok(answer) => {
                if connection.is_open() {
                    self.connection = Some(connection);
                }
                self.backoff.reset();
                self.outlet.up().await?;
                Ok(Ok(answer))
            }
            Err(fault) => {
                match &fault {
                    Fault::Lost(why) if !served => self.turned_away(why).await?,
                    _ => self.outlet.up().await?,
                }
                Ok(Err(Outcome::Failed(fault.reason(), fault.to_string())))
            }
        }
    }

    /// A new connection, unless it fails or the last attempt was too short a time ago.
    async fn connect(&mut self) -> Result<Option<Connection>, EngineGone> {
        if clock::mono() < self.connect_from {
            return Ok(None);
        }
        match Connection::open(&self.link).await {
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
        let server = &self.link.server;
        let why = format!("{}:{}: {why}", server.host, server.port);
        self.outlet.down(why).await
    }

    fn is_back(&mut self, slot: Slot, index: usize) {
        if self.schedule.answered(slot) == Change::Back {
            let path = &*self.link.pages[index].path;
            tracing::info!(link = self.outlet.id(), path, "it answers again");
        }
    }

    /// Says once for each page why nothing can be read from it.
    fn say(&mut self, index: usize, reason: Option<Reason>, why: &str) {
        if std::mem::replace(&mut self.said[index], reason) == reason {
            return;
        }
        let (link, path) = (self.outlet.id(), &*self.link.pages[index].path);
        match reason {
            Some(reason) => tracing::warn!(link, path, %reason, "{why}"),
            None => tracing::info!(link, path, "it is as it should be again"),
        }
    }

    /// Tells what a document says.
    async fn tell(&mut self, index: usize, document: &[u8]) -> Result<(), EngineGone> {
        let payload = Payload::new(document, self.link.max_payload);
        let read = self.readers[index].iter().map(|reader| {
            let of = payload::Reader {
                device: &reader.called,
                zone: &self.zone,
                retained: false,
            };
            (reader.device, payload.samples(reader.places(), of))
        });
        self.send(read.collect()).await
    }

    /// Tells that nothing can be read from a page.
    async fn tell_bad(&mut self, index: usize, reason: Reason) -> Result<(), EngineGone> {
        let read = self.readers[index].iter().map(|reader| {
            let bad = |tag: &TagIndex| (*tag, Sample::from(Reading::Bad(reason)));
            (reader.device, reader.tags.iter().map(bad).collect())
        });
        self.send(read.collect()).await
    }

    async fn send(&mut self, read: Vec<Readings>) -> Result<(), EngineGone> {
        let at = clock::mono();
        for (device, readings) in read {
            let message = FromField::Readings {
                device,
                at,
                readings,
            };
            self.outlet.send(message).await?;
        }
        Ok(())
    }
}

type Readings = (DeviceIndex, Vec<(TagIndex, Sample)>);

impl Reader {
    /// Where its tags stand.
    fn places(&self) -> impl Iterator<Item = (TagIndex, &Place)> {
        let place = |tag: &TagIndex| match &self.model.tags[usize::from(tag.0)].source {
            Source::Message(place) => Some((*tag, place)),
            Source::Modbus(_) | Source::Board(_) => None,
        };
        self.tags.iter().filter_map(place)
    }
}

fn too_long(most: usize) -> Outcome {
    let why = format!("its answer is larger than {most} bytes; raise max_payload if it is meant");
    Outcome::Refused(Reason::TooLong, why)
}

fn refused(status: u16) -> Outcome {
    let why = match status {
        401 | 403 => "it does not let the agent in: check username and password_file",
        404 => "it has no such page: check the path",
        _ => "it answers with an error",
    };
    Outcome::Refused(Reason::HttpStatus(status.into()), why.to_owned())
}

#[cfg(test)]
mod tests;
