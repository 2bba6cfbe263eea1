//! One small sled database in a directory of its own: the only file that knows sled.
//!
//! Promises, each against something sled 0.34.7 does:
//! - [`Volume::commit`] is durable when it returns: sled's `flush` alone does not reach the disk.
//! - Opening survives left-over and damaged snapshots, panics of sled, and a lock that its
//!   background threads release late.
//! - Nothing is ever in a blob file, which sled would not sync.
//! - A value is written once, and not again with the page that it is in ([`Shelf`]).
//! - After a fault the volume is of no use; the caller drops it and opens it again.

use super::files::{self, trace};
use super::pack::{self, Unreadable};
use sled::Transactional as _;
use sled::transaction::{ConflictableTransactionError, TransactionError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// sled's page cache; it does not pay for an outbox, which is read once.
const CACHE: u64 = 1024 * 1024;
/// With values of at most [`pack::MAX_VALUE`] pages then stay out of `blobs/`.
const SEGMENT: usize = 512 * 1024;
/// A lock is tried this often, this long apart: 5 s.
const LOCK_TRIES: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// One key with its new value, or none to remove it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Why a volume is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The surroundings fail (disk full, no permission, locked); the data is as good as before.
    Io(String),
    /// The files are not what was written.
    Damaged(String),
}

/// An open directory.
#[derive(Debug)]
pub struct Volume {
    dir: PathBuf,
    open: Option<Open>,
}

/// Trees in one log: what is written again and again would drag the rest along with it, since sled
/// rewrites whole pages. The account is in the default tree and in those of [`ACCOUNTS`].
#[derive(Debug)]
struct Open {
    db: sled::Db,
    accounts: Vec<sled::Tree>,
    /// By their first position.
    shelves: Vec<Shelf>,
}

/// What of the account has a tree of its own: the keys that begin so.
const ACCOUNTS: [&[u8]; 3] = [b"c0", b"c1", b"d"];

/// A tree of packs. sled rewrites a page with each tenth change of it, and splits it into two when it
/// has 17 keys: with all packs in one tree each was written more than three times. A tree takes
/// as many as it can without either.
#[derive(Debug)]
struct Shelf {
    /// No pack of an earlier position is in it.
    first: u64,
    tree: sled::Tree,
    /// How often its page was changed.
    changes: usize,
}

/// After the page itself, sled appends so many changes to it.
const CHANGES_A_SHELF: usize = 9;

impl Volume {
    /// Makes a new directory with `first` in it. It appears under its name only when all of that
    /// is on disk, so a directory under its own name always holds its first commit.
    pub fn create(dir: &Path, first: Vec<Change>) -> Result<(), Fault> {
        let draft = files::with_suffix(dir, "new");
        if draft.exists() {
            files::remove_dir(&draft).map_err(io_fault)?;
        }
        Volume::create_draft(&draft)?.commit(first)?;
        files::rename(&draft, dir).map_err(io_fault)
    }

    /// Makes a new directory under a name that the start clears away.
    pub fn create_draft(draft: &Path) -> Result<Volume, Fault> {
        let volume = Volume::attach(draft)?;
        volume.sync_files().map_err(io_fault)?;
        Ok(volume)
    }

    /// Opens a directory and reads it with `scan`, which may run twice.
    pub fn open<T>(
        dir: &Path,
        scan: impl Fn(&Volume) -> Result<T, Fault>,
    ) -> Result<(Volume, T), Fault> {
        if !dir.join("db").exists() {
            return Err(Fault::Damaged(String::from("its db file is missing")));
        }
        remove_files(dir, |name| {
            name.starts_with("snap.") && name.ends_with(".generating")
        })?;
        let attempt = || {
            let volume = Volume::attach(dir)?;
            let found = scan(&volume)?;
            Ok((volume, found))
        };
        attempt().or_else(|fault| match fault {
            Fault::Io(_) => Err(fault),
            // A snapshot only saves work at opening; without it sled reads its log.
            Fault::Damaged(_) => {
                trace::note("distrust", dir);
                remove_files(dir, |name| name.starts_with("snap."))?;
                attempt()
            }
        })
    }

    /// Repeats the syncs of the creation: the last run may have ended before they were done.
    pub fn sync_files(&self) -> io::Result<()> {
        files::sync_data(&self.dir.join("conf"))?;
        files::sync_data(&self.dir.join("db"))?;
        files::sync_dir(&self.dir)?;
        files::sync_parent(&self.dir)
    }

    /// Applies all changes or none; durable when it returns.
    pub fn commit(&mut self, changes: Vec<Change>) -> Result<(), Fault> {
        let mut batches: Vec<(sled::Tree, sled::Batch)> = Vec::new();
        for (key, value) in changes {
            let Some(tree) = self.tree_for(&key, value.is_some())? else {
                continue;
            };
            let same = |(known, _): &(sled::Tree, sled::Batch)| known.name() == tree.name();
            let at = match batches.iter().rposition(same) {
                Some(at) => at,
                None => {
                    batches.push((tree, sled::Batch::default()));
                    batches.len() - 1
                }
            };
            match value {
                Some(value) => batches[at].1.insert(key, value),
                None => batches[at].1.remove(key),
            }
        }
        let (trees, batches): (Vec<_>, Vec<_>) = batches.into_iter().unzip();
        if !trees.is_empty() {
            apply(&trees, &batches)?;
        }
        trace::note("flush", &self.dir);
        let Open { db, .. } = self.trees();
        guarded(|| db.flush())?;
        files::sync_data(&self.dir.join("db")).map_err(io_fault)?;
        self.refuse_blobs()
    }

    /// The value of a key.
    pub fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let Some(tree) = self.tree(key) else {
            return Ok(None);
        };
        guarded(|| Ok(tree.get(key)?.map(|value| value.to_vec())))
    }

    /// Something that was stored in chunks; none if it was not.
    pub fn chunked(&self, name: &[u8]) -> Result<Result<Option<Vec<u8>>, Unreadable>, Fault> {
        let mut fault = None;
        let joined = pack::join(name, |key| match self.value(key) {
            Ok(value) => value,
            Err(found) => {
                fault = Some(found);
                None
            }
        });
        fault.map_or(Ok(joined), Err)
    }

    /// Shows the key and value of every pack, in order.
    pub fn scan(&self, mut see: impl FnMut(&[u8], &[u8])) -> Result<(), Fault> {
        guarded(|| {
            for entry in self.trees().shelves.iter().flat_map(|shelf| &shelf.tree) {
                let (key, value) = entry?;
                see(&key, &value);
            }
            Ok(())
        })
    }

    fn attach(dir: &Path) -> Result<Volume, Fault> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE)
            .segment_size(SEGMENT)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None);
        let mut tries = 0;
        let db = loop {
            match guarded(|| config.open()) {
                Err(Fault::Io(why)) if is_lock(&why) && tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::park_timeout(LOCK_PAUSE);
                }
                opened => break opened?,
            }
        };
        let accounts = guarded(|| ACCOUNTS.iter().map(|name| db.open_tree(name)).collect())?;
        let shelves = guarded(|| shelves(&db))?;
        let volume = Volume {
            dir: dir.to_path_buf(),
            open: Some(Open {
                db,
                accounts,
                shelves,
            }),
        };
        volume.refuse_blobs()?;
        Ok(volume)
    }

    fn trees(&self) -> &Open {
        self.open
            .as_ref()
            .expect("taken only when the volume is dropped")
    }

    /// The tree that a key is in, if it is in any.
    fn tree(&self, key: &[u8]) -> Option<&sled::Tree> {
        let Open {
            db,
            accounts,
            shelves,
        } = self.trees();
        if let Some(position) = pack::position(key) {
            let after = shelves.partition_point(|shelf| shelf.first <= position);
            return Some(&shelves.get(after.checked_sub(1)?)?.tree);
        }
        let of_account = ACCOUNTS.iter().position(|name| key.starts_with(name));
        Some(of_account.map_or(&**db, |at| &accounts[at]))
    }

    /// The tree that a change of a key belongs to; for a pack that is new perhaps a new one.
    fn tree_for(&mut self, key: &[u8], stays: bool) -> Result<Option<sled::Tree>, Fault> {
        let tree = self.tree(key).cloned();
        let (Some(position), Some(Open { db, shelves, .. })) =
            (pack::position(key), self.open.as_mut())
        else {
            return Ok(tree);
        };
        let after = shelves.partition_point(|shelf| shelf.first <= position);
        let shelf = after.checked_sub(1).and_then(|at| shelves.get_mut(at));
        match shelf {
            Some(shelf)
                if !stays
                    || shelf.changes < CHANGES_A_SHELF
                    || guarded(|| shelf.tree.contains_key(key))? =>
            {
                shelf.changes += 1;
                return Ok(Some(shelf.tree.clone()));
            }
            None if !stays => return Ok(None),
            _ => {}
        }
        let mut name = vec![pack::PACK];
        name.extend(position.to_be_bytes());
        let tree = guarded(|| db.open_tree(&name))?;
        shelves.insert(
            after,
            Shelf {
                first: position,
                tree: tree.clone(),
                changes: 1,
            },
        );
        Ok(Some(tree))
    }

    fn refuse_blobs(&self) -> Result<(), Fault> {
        match files::names(&self.dir.join("blobs")) {
            Ok(names) if names.is_empty() => Ok(()),
            Ok(_) => Err(Fault::Damaged(String::from(
                "there are files in blobs/, whose content was never synced",
            ))),
            Err(error) => Err(io_fault(error)),
        }
    }
}

/// The trees of packs, by their first position.
fn shelves(db: &sled::Db) -> sled::Result<Vec<Shelf>> {
    let mut shelves = Vec::new();
    for name in db.tree_names() {
        let Some(first) = pack::position(&name) else {
            continue;
        };
        let tree = db.open_tree(&name)?;
        let changes = tree.len();
        shelves.push(Shelf {
            first,
            tree,
            changes,
        });
    }
    shelves.sort_by_key(|shelf| shelf.first);
    Ok(shelves)
}

/// In one transaction.
fn apply(trees: &[sled::Tree], batches: &[sled::Batch]) -> Result<(), Fault> {
    guarded(|| {
        trees
            .transaction(|views| {
                for (view, batch) in views.iter().zip(batches) {
                    view.apply_batch(batch)?;
                }
                Ok::<(), ConflictableTransactionError<()>>(())
            })
            .map_err(|error| match error {
                TransactionError::Storage(error) => error,
                TransactionError::Abort(()) => {
                    sled::Error::ReportableBug(String::from("aborted by nobody"))
                }
            })
    })
}

impl Drop for Volume {
    fn drop(&mut self) {
        // After a fault sled may panic once more while it is torn down.
        let open = self.open.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
    }
}

fn remove_files(dir: &Path, which: impl Fn(&str) -> bool) -> Result<(), Fault> {
    for name in files::names(dir).map_err(io_fault)? {
        if which(&name) {
            std::fs::remove_file(dir.join(name)).map_err(io_fault)?;
        }
    }
    Ok(())
}

/// Runs something of sled; a panic is a fault like any other.
fn guarded<T>(action: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(io_fault(error)),
        Ok(Err(error)) => Err(Fault::Damaged(error.to_string())),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Fault::Damaged(format!(
                "sled panicked: {}",
                text.unwrap_or("no text")
            )))
        }
    }
}

fn io_fault(error: io::Error) -> Fault {
    match error.kind() {
        // What a truncated file looks like.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Fault::Damaged(error.to_string())
        }
        _ => Fault::Io(error.to_string()),
    }
}

fn is_lock(why: &str) -> bool {
    why.contains("could not acquire lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_sled_is_a_fault_like_any_other() {
        let fault = |said: &str| Err::<(), _>(Fault::Damaged(format!("sled panicked: {said}")));
        assert_eq!(guarded(|| panic!("a torn page")), fault("a torn page"));
        assert_eq!(guarded(|| panic!("page {}", 7)), fault("page 7"));
        assert_eq!(
            guarded(|| std::panic::resume_unwind(Box::new(7))),
            fault("no text")
        );
    }
}
