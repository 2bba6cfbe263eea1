//! The history: what is kept on the gateway itself, whether it was sent or not. Open hours, shifts and
//! production days are added up from it at a start, and `andon export` reads it.
//!
//! # Invariants
//!
//! Each is held by a test (`tests/`); `agent/docs/adr/0002` says why it is built so.
//!
//! 1. **Durable before the checkpoint.** What [`History::commit`] answers with `Ok` survives a kill and
//!    a power cut. The agent commits the pages first, then the outbox's records with the checkpoint
//!    that knows of them.
//! 2. **Cut at the checkpoint.** [`open`] drops every page later than the last one that the checkpoint
//!    knows, durably, before anything is added: their time is accounted for once more. So a crash
//!    between the two commits neither loses nor doubles a minute.
//! 3. **In order, each page once.** The numbers of a log rise; a commit that failed and is repeated adds
//!    nothing that is there already.
//! 4. **Damage stays local.** A page whose checksum does not fit ends its file: what stands before it is
//!    read, what stands behind it is passed over, and told. At the end of the last file it is cut off.
//!    No content of a file makes the agent crash or fail to start.
//! 5. **Bounded.** Each log stays within its bytes and its time; the oldest file goes whole. A disk that
//!    has less than the outbox's reserve free gets no page.
//! 6. **Nobody waits for it** but the commit: files are touched on the blocking threads only, and when
//!    the history fails the outbox goes on without it.
//!
//! # How
//!
//! Minutes and pieces that late data correct are written once more, behind the others of their log, and
//! looked for before the log is read ([`Pages::corrected`]): of one key the last counts.
//!
//! Six logs, for what is read together stands together: `pieces` (read whole at a start), `minutes`
//! (of which a start reads the last hours), `marks`, `tags` and `learned` (of which only the last page counts), and
//! `labels`: which pages of the others were labelled by a clock that was set only later, and by how much
//! they are to be moved; it is read before any other. A log is a row of files of at most about 1 MB,
//! each named by its first page ([`log`]). A page is one entry: length, checksum, postcard ([`form`]).

mod form;
mod log;
mod read;
#[cfg(test)]
mod tests;

pub use log::Limit;
pub use read::{Pages, Passed};

use crate::store::files;
use andon_core::history::{Leaf, Page, Relabels};
use log::Log;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that must be free on the disk besides what is written: the outbox's reserve.
const RESERVE: u64 = 2 << 20;

/// A piece is an hour at most; and as much again.
const LONGEST_PIECE_MS: i64 = 2 * 3_600_000;

/// A log of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The pieces that hours, shifts and production days are made of.
    Pieces,
    /// The minutes.
    Minutes,
    /// What devices did.
    Marks,
    /// What tags had come to in open windows; only the last page counts.
    Tags,
    /// By how much labels are to be moved.
    Labels,
    /// What was learned of sources; only the last page counts.
    Learned,
}

impl Kind {
    /// Every log.
    pub const ALL: [Kind; 6] = [
        Kind::Pieces,
        Kind::Minutes,
        Kind::Marks,
        Kind::Tags,
        Kind::Labels,
        Kind::Learned,
    ];

    /// The folder of the log in `data_dir`.
    pub fn dir(self, data_dir: &Path) -> PathBuf {
        let name = match self {
            Kind::Pieces => "pieces",
            Kind::Minutes => "minutes",
            Kind::Marks => "marks",
            Kind::Tags => "tags",
            Kind::Labels => "labels",
            Kind::Learned => "learned",
        };
        data_dir.join("history").join(name)
    }

    const fn of(page: &Page) -> Kind {
        match page.leaf {
            Leaf::Piece(_) | Leaf::PieceAgain(_) => Kind::Pieces,
            Leaf::Minute(_) | Leaf::MinuteAgain(_) => Kind::Minutes,
            Leaf::Marks(_) => Kind::Marks,
            Leaf::Tags(_) => Kind::Tags,
            Leaf::Relabel(_) => Kind::Labels,
            Leaf::Learned(..) => Kind::Learned,
        }
    }
}

/// What the history may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of each log, in the order of [`Kind::ALL`].
    pub logs: [Limit; 6],
}

/// Handle of the history; clones share it.
#[derive(Debug, Clone)]
pub struct History {
    logs: Arc<Mutex<Logs>>,
}

#[derive(Debug)]
struct Logs {
    /// None if the history could not be opened: nothing is kept in this run.
    logs: Option<[Log; 6]>,
    relabels: Relabels,
}

/// Pages that were not kept; they come back.
#[derive(Debug)]
pub struct NotKept {
    /// Why.
    pub error: io::Error,
    /// The pages.
    pub pages: Vec<Page>,
}

/// Opens the history, and drops every page after the one with the number `last_page`, if there is one.
/// Blocks.
pub fn open(data_dir: &Path, limits: Limits, last_page: Option<u64>) -> io::Result<History> {
    let log = |kind: Kind| Log::open(kind.dir(data_dir), limits.logs[kind as usize], last_page);
    // First, for it says how those of the others are to be read.
    let labels = log(Kind::Labels)?;
    let logs = [
        log(Kind::Pieces)?,
        log(Kind::Minutes)?,
        log(Kind::Marks)?,
        log(Kind::Tags)?,
        labels,
        log(Kind::Learned)?,
    ];
    Ok(History::of(Logs {
        logs: Some(logs),
        relabels: relabels(data_dir),
    }))
}

/// The pages of a log, oldest first, with the labels that they would have if the clock had been right.
pub fn pages(data_dir: &Path, kind: Kind) -> Pages {
    Pages::read(&kind.dir(data_dir), relabels(data_dir))
}

fn relabels(data_dir: &Path) -> Relabels {
    let mut relabels = Relabels::default();
    for page in Pages::read(&Kind::Labels.dir(data_dir), Relabels::default()) {
        relabels.note(&page);
    }
    relabels
}

impl History {
    fn of(logs: Logs) -> History {
        History {
            logs: Arc::new(Mutex::new(logs)),
        }
    }

    /// A history that keeps nothing.
    pub fn none() -> History {
        History::of(Logs {
            logs: None,
            relabels: Relabels::default(),
        })
    }

    /// The pages that the engine goes on from: the pieces, then the minutes since the last of them
    /// began and at least of the last `reach_ms`, then what tags had come to and what was learned,
    /// then an empty one that tells the number of the last page of all. Blocks.
    pub fn past(&self, reach_ms: u64) -> impl Iterator<Item = Page> + use<> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let relabels = &logs.relabels;
        let logs = logs.logs.as_ref();
        let last = logs.and_then(|logs| logs.iter().map(Log::last).max());
        let pages = logs.map(|[pieces, minutes, _, tags, _, learned]| {
            let read = |log: &Log| Pages::read(&log.dir(), relabels.clone());
            let newest = minutes.newest() + relabels.by_ms(minutes.last());
            let reach_ms = i64::try_from(reach_ms).unwrap_or(i64::MAX);
            let since = newest + -LONGEST_PIECE_MS.max(reach_ms);
            let last_minutes = read(minutes).after(since).corrected();
            let last_tags = read(tags).after_page(tags.last());
            let last_learned = read(learned).after_page(learned.last());
            read(pieces)
                .corrected()
                .chain(last_minutes)
                .chain(last_tags)
                .chain(last_learned)
        });
        let end = Page {
            number: last.unwrap_or(0),
            leaf: Leaf::Marks(Vec::new()),
        };
        pages.into_iter().flatten().chain(std::iter::once(end))
    }

    /// Keeps pages, durably when it returns `Ok`.
    pub async fn commit(&self, pages: Vec<Page>) -> Result<(), NotKept> {
        if pages.is_empty() {
            return Ok(());
        }
        let logs = Arc::clone(&self.logs);
        let kept = tokio::task::spawn_blocking(move || {
            let mut logs = logs.lock().unwrap_or_else(PoisonError::into_inner);
            match logs.commit(&pages) {
                Ok(()) => Ok(()),
                Err(error) => Err(NotKept { error, pages }),
            }
        });
        kept.await.unwrap_or_else(|panicked| {
            let error = io::Error::other(panicked);
            let pages = Vec::new();
            Err(NotKept { error, pages })
        })
    }
}

impl Logs {
    fn commit(&mut self, pages: &[Page]) -> io::Result<()> {
        let Some(logs) = &mut self.logs else {
            return Ok(());
        };
        for kind in Kind::ALL {
            let of_kind = || pages.iter().filter(|page| Kind::of(page) == kind);
            if of_kind().next().is_some() {
                let log = &mut logs[kind as usize];
                let free = files::free(&log.dir())?;
                if free < RESERVE {
                    return Err(io::Error::new(
                        io::ErrorKind::StorageFull,
                        format!("{free} bytes free, {RESERVE} are left for the outbox"),
                    ));
                }
                log.append(of_kind(), &self.relabels)?;
            }
        }
        pages.iter().for_each(|page| self.relabels.note(page));
        Ok(())
    }
}
