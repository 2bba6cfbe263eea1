//! The outbox: records on disk that wait to be sent, and the checkpoint.
//!
//! # Invariants
//!
//! Each is held by a test (`tests/`); `agent/docs/delivery.md` says what is on disk.
//!
//! 1. **Durable means durable.** What [`Store::commit`] answers with `Ok` survives a kill and a
//!    power cut: flushed, and then synced, since sled's flush alone is not. A new directory is
//!    synced with its parents before anything counts as stored in it.
//! 2. **All or nothing.** Records and checkpoint of one commit count together or not at all;
//!    after an error nothing of them counts, and the caller has them back.
//! 3. **A position is never used twice** and always rises; a record keeps its own until it
//!    leaves.
//! 4. **Nothing leaves unacknowledged** but by being told: every lost record is covered by an
//!    [`Event::Loss`], which is itself on disk before the record goes and stays there until a
//!    committed record tells it.
//! 5. **An acknowledged record may come back** after a crash, never without one: acknowledgements
//!    are on disk with the next commit. Subscribers drop what they know by (gateway, run, seq).
//! 6. **The newest checkpoint survives**, as a whole, every commit and rotation.
//! 7. **Damage stays local**: a damaged value loses a pack, a damaged directory loses itself; it
//!    is moved aside and kept. No damage makes the agent crash, or fail at every start.
//! 8. **A full disk loses nothing stored**, and passes by itself when room returns.
//! 9. **Relabelled for good**: once a commit says how the records of a run are to be relabelled, they
//!    are read so, over restarts and rotations, until the last of them has left.
//! 10. **Bounded**: two directories open at once, disk within the budget, at every moment.
//! 11. **Merged, not lost**: what merging makes of records sums up to what they summed up to, each number
//!     that vanishes is told by an [`Event::Merged`] as a loss is, and nothing is merged that was ever
//!     handed out to be sent: nobody gets a window twice, by itself and in another.
//!
//! # How
//!
//! A row of small sled databases, one per about 2 MB ([`volume`] is the only file that knows
//! sled). Only the newest is written to; when full it is sealed, and removed whole once nothing
//! waits in it. What is acknowledged in any of them is kept in the newest ([`index`]). All of it
//! is blocking code ([`queue`]) on a thread of its own; the rest of the agent sees [`Store`].

mod boot;
pub(crate) mod files;
mod index;
mod leave;
mod merge;
mod open;
mod pack;
mod quarantine;
mod queue;
mod ranges;
mod read;
mod room;
#[cfg(test)]
mod tests;
mod volume;
mod witness;

pub use boot::{Start, StartError, begin, is_in_use};
pub(crate) use files::random;

use andon_core::record::{Event, Record, Relabel, Run};
use andon_core::time::Wall;
use queue::Queue;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use tokio::sync::{oneshot, watch};
use volume::Fault;

/// What the outbox is opened with.
#[derive(Debug)]
pub struct Options {
    /// The run whose records are committed; it holds the lock on the data directory, and with it
    /// goes into the store.
    pub start: Start,
    /// Bytes on disk that the outbox may come to.
    pub budget: u64,
    /// How late a correction of a window may come, in milliseconds: until then it is not merged.
    pub late_ms: u64,
}

/// What was found in the outbox.
#[derive(Debug)]
pub struct Opened {
    /// The run; its `boot` is raised if the outbox knew a higher one than the counter file.
    pub run: Run,
    /// The newest checkpoint.
    pub checkpoint: Option<Vec<u8>>,
    /// The newest checkpoint was lost with a damaged directory, this is an earlier one: windows and
    /// counts in it may have been stored since.
    pub checkpoint_is_old: bool,
    /// Losses and mergings that no stored record tells yet ([`Event::Loss`], [`Event::Merged`]): to be
    /// committed as records.
    pub losses: Vec<Event>,
    /// Records that wait, of all runs.
    pub waiting: u64,
}

/// Where a record stands in the outbox; rises, with gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(crate) u64);

/// A waiting record.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Where it stands.
    pub position: Position,
    /// The run that made it.
    pub run: Run,
    /// The record; if its run's clock was set only later, with the labels that this gave it.
    pub record: Record,
    /// Whether that is so.
    pub relabelled: bool,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// The last position given out.
    pub newest: Option<Position>,
    /// Records that wait.
    pub waiting: u64,
    /// About when the oldest waiting record was made: when the first of its pack was; before
    /// anything has been read, the first of its run in its directory.
    pub oldest: Option<Wall>,
    /// (boot, seq) up to which everything was acknowledged, or told as lost by an acknowledged
    /// event.
    pub done: Option<(u32, u64)>,
    /// The clock was set for the first time in this run, and what it had labelled is relabelled.
    pub relabelled: bool,
    /// Records stored in this run.
    pub stored: u64,
    /// Records acknowledged in this run.
    pub acknowledged: u64,
    /// Records found lost, given up or set aside in this run.
    pub lost: u64,
    /// Records that vanished into others in this run.
    pub merged: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Why the last attempt to write or read failed.
    pub failing: Option<String>,
    /// Times that something stored was found damaged in this run.
    pub damages: u64,
    /// What was found damaged last.
    pub damage: Option<String>,
}

/// Why the outbox cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The budget is too small to work with.
    Budget(u64),
    /// A file or directory cannot be used.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be opened although it may be intact: no space, no permission.
    Store {
        /// Where it is.
        dir: PathBuf,
        /// Why.
        why: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Budget(budget) => write!(
                f,
                "disk_budget is {budget} bytes, the outbox needs at least {}; raise it",
                room::LEAST_BUDGET
            ),
            OpenError::Io { path, source } => write!(
                f,
                "cannot use {}: {source}; check its owner and the space on its disk",
                path.display()
            ),
            OpenError::Store { dir, why } => write!(
                f,
                "cannot open the outbox {}: {why}; nothing in it was changed, check the space and \
                 the permissions there and start again",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why an operation of the outbox failed. All but `Unknown` and `Closed` pass by themselves:
/// the same call may be repeated later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Too little space on the disk.
    DiskFull {
        /// Bytes free.
        free: u64,
        /// Bytes that must be free.
        need: u64,
    },
    /// The budget is taken up by what cannot be given up.
    Budget {
        /// Bytes used.
        used: u64,
        /// Bytes allowed.
        budget: u64,
    },
    /// A file operation failed; the database is opened again at the next call.
    Failing(String),
    /// Nothing waits at this position.
    Unknown(Position),
    /// The store was closed.
    Closed,
}

impl StoreError {
    fn from_io(error: io::Error) -> StoreError {
        StoreError::Failing(error.to_string())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        match fault {
            Fault::Io(why) | Fault::Damaged(why) => StoreError::Failing(why),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::DiskFull { free, need } => write!(
                f,
                "the disk is full: {free} bytes free, {need} needed; storing goes on when there \
                 is room"
            ),
            StoreError::Budget { used, budget } => write!(
                f,
                "disk_budget ({budget} bytes) is used up ({used}) by what is not given up, such \
                 as the quarantine; raise it, or clear the quarantine"
            ),
            StoreError::Failing(why) => write!(f, "the outbox fails: {why}; it is tried again"),
            StoreError::Unknown(position) => write!(f, "nothing waits at position {}", position.0),
            StoreError::Closed => f.write_str("the outbox is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

/// A commit that did not happen; what was to be stored comes back.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub error: StoreError,
    /// The records.
    pub records: Vec<Record>,
    /// The checkpoint.
    pub checkpoint: Option<Vec<u8>>,
}

/// What is stored together.
#[derive(Debug, Clone, Default)]
struct Batch {
    records: Vec<Record>,
    checkpoint: Option<Vec<u8>>,
    relabel: Option<Relabel>,
}

/// Handle of the outbox; clones share it. It is closed by [`Store::close`], or when the last
/// handle is dropped.
#[derive(Debug, Clone)]
pub struct Store {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<View>,
}

/// What the thread is asked to do.
#[derive(Debug)]
enum Request {
    Commit(Arc<Batch>, oneshot::Sender<Result<Vec<Event>, StoreError>>),
    Read(
        Option<Position>,
        usize,
        oneshot::Sender<Result<Vec<Stored>, StoreError>>,
    ),
    Acknowledge(Vec<Position>),
    HungUp,
    SetAside(Position, String, oneshot::Sender<Result<Event, StoreError>>),
    Close(oneshot::Sender<()>),
}

/// Opens the outbox and starts its thread. Blocks: some tens of milliseconds, seconds if another
/// process still lets go of it.
pub fn open(options: Options) -> Result<(Store, Opened), OpenError> {
    let Options {
        start,
        budget,
        late_ms,
    } = options;
    let (mut queue, opened) = Queue::open(&start, budget, late_ms)?;
    let (requests, receive) = mpsc::channel();
    let (tell, view) = watch::channel(queue.view());
    std::thread::Builder::new()
        .name(String::from("outbox"))
        .spawn(move || {
            let closing = serve(queue, &receive, &tell);
            drop(start);
            drop(closing);
        })
        .map_err(|source| OpenError::Io {
            path: PathBuf::from("thread of the outbox"),
            source,
        })?;
    Ok((Store { requests, view }, opened))
}

impl Store {
    /// Stores records and checkpoint, durably when it returns `Ok`, and from then on gives the
    /// records that `relabel` is about their new labels where they are read. Returned are losses and
    /// mergings to tell ([`Event::Loss`], [`Event::Merged`]): what had to make room, and what was found
    /// damaged since the last call.
    /// Each stays on disk until a committed record tells it.
    pub async fn commit(
        &self,
        records: Vec<Record>,
        checkpoint: Option<Vec<u8>>,
        relabel: Option<Relabel>,
    ) -> Result<Vec<Event>, Rejected> {
        let batch = Arc::new(Batch {
            records,
            checkpoint,
            relabel,
        });
        let asked = self.ask(|answer| Request::Commit(Arc::clone(&batch), answer));
        asked.await.map_err(|error| {
            let batch = Arc::unwrap_or_clone(batch);
            Rejected {
                error,
                records: batch.records,
                checkpoint: batch.checkpoint,
            }
        })
    }

    /// Waiting records with a position after `after` (from the oldest if none), oldest first, at
    /// most `max`.
    pub async fn read(
        &self,
        after: Option<Position>,
        max: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        self.ask(|answer| Request::Read(after, max, answer)).await
    }

    /// Takes out exactly these records, in any order. On disk with the next commit.
    pub fn acknowledge(&self, positions: Vec<Position>) {
        // A closed store has written its last: the records are sent again after the next start.
        let _ = self.requests.send(Request::Acknowledge(positions));
    }

    /// Tells that what was read is not on its way any more: of what has not been read, adjacent
    /// windows may be merged.
    pub fn hung_up(&self) {
        // A closed store merges nothing.
        let _ = self.requests.send(Request::HungUp);
    }

    /// Takes out a record that can never go. It is kept in a file beside the outbox; returned is
    /// the loss to tell.
    pub async fn set_aside(&self, position: Position, why: String) -> Result<Event, StoreError> {
        self.ask(|answer| Request::SetAside(position, why, answer))
            .await
    }

    /// How things stand; changes after each operation that changes anything.
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Writes what is not on disk yet and ends the thread.
    pub async fn close(self) {
        let (answer, closed) = oneshot::channel();
        if self.requests.send(Request::Close(answer)).is_ok() {
            let _ = closed.await;
        }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(request(answer))
            .map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// The thread: one request after the other, until it is asked to close; returns whom to answer
/// that. Other answers that nobody waits for any more are dropped.
fn serve(
    mut queue: Queue,
    requests: &mpsc::Receiver<Request>,
    tell: &watch::Sender<View>,
) -> Option<oneshot::Sender<()>> {
    let mut closing = None;
    while let Ok(request) = requests.recv() {
        match request {
            Request::Commit(batch, answer) => {
                let result = queue.commit(&batch);
                drop(batch);
                show(&mut queue, tell);
                let _ = answer.send(result);
            }
            Request::Read(after, max, answer) => {
                let result = queue.read(after, max);
                show(&mut queue, tell);
                let _ = answer.send(result);
            }
            Request::Acknowledge(positions) => {
                queue.acknowledge(&positions);
                show(&mut queue, tell);
            }
            Request::HungUp => queue.hung_up(),
            Request::SetAside(position, why, answer) => {
                let result = queue.set_aside(position, &why);
                show(&mut queue, tell);
                let _ = answer.send(result);
            }
            Request::Close(answer) => {
                closing = Some(answer);
                break;
            }
        }
    }
    if queue.is_dirty()
        && let Err(error) = queue.persist()
    {
        tracing::warn!("what was acknowledged last will be sent again: {error}");
    }
    closing
}

fn show(queue: &mut Queue, tell: &watch::Sender<View>) {
    let view = queue.view();
    tell.send_if_modified(|shown| {
        let changed = *shown != view;
        *shown = view;
        changed
    });
}
