//! One log: a row of files, of which the last is written to and the oldest goes.

use super::form::{self, MAGIC, Names};
use super::read::{Name, Scan, end_of_first, names};
use crate::store::files;
use andon_core::history::{Page, Relabels};
use andon_core::time::Wall;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// A file is full at this many bytes.
const FULL: u64 = 1 << 20;

/// A file with this name says that the log once was longer.
pub(super) const TRIMMED: &str = "trimmed";

/// And no sooner than at this many, however little the log may take.
const LEAST: u64 = 4096;

const DAY_MS: i64 = 86_400_000;

/// What a log may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of all its files.
    pub bytes: u64,
    /// How long pages are kept, in milliseconds; a file goes when all of it is older.
    pub keep_ms: i64,
}

/// A log, open to be written.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    limit: Limit,
    /// Oldest first, with their sizes.
    files: VecDeque<(Name, u64)>,
    /// The last of them.
    last_file: Option<Writing>,
    /// Number of the last page, and the newest moment of it.
    last: u64,
    newest: Wall,
    #[cfg(test)]
    pub(super) writes_left: Option<usize>,
}

#[derive(Debug)]
struct Writing {
    file: File,
    names: Names,
}

impl Log {
    /// Opens a log (made if it is missing), without the pages after the one numbered `last_page`.
    pub(super) fn open(dir: PathBuf, limit: Limit, last_page: Option<u64>) -> io::Result<Log> {
        if !dir.exists() {
            fs::create_dir_all(&dir)?;
            files::sync_parent(&dir)?;
        }
        let mut log = Log {
            files: VecDeque::new(),
            last_file: None,
            last: 0,
            newest: Wall(0),
            limit,
            #[cfg(test)]
            writes_left: None,
            dir,
        };
        for name in names(&log.dir)? {
            let bytes = fs::metadata(log.path(name))?.len();
            log.files.push_back((name, bytes));
        }
        while let Some(&(name, bytes)) = log.files.back() {
            if log.take_up(name, bytes, last_page)? {
                break;
            }
            // Nothing in it counts.
            fs::remove_file(log.path(name))?;
            log.files.pop_back();
        }
        files::sync_dir(&log.dir)?;
        Ok(log)
    }

    /// Where it is.
    pub(super) fn dir(&self) -> PathBuf {
        self.dir.clone()
    }

    /// Number of the last page; 0 if there is none.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The newest moment that the last page speaks of.
    pub(super) const fn newest(&self) -> Wall {
        self.newest
    }

    /// Adds pages, durably; those that are there already are passed over.
    pub(super) fn append<'p>(
        &mut self,
        pages: impl Iterator<Item = &'p Page>,
        relabels: &Relabels,
    ) -> io::Result<()> {
        let last = self.last;
        let mut pages = pages.filter(|page| page.number > last).peekable();
        let Some(first) = pages.peek() else {
            return Ok(());
        };
        let name = Name {
            first: first.number,
            label: form::label(first).0,
        };
        if self.is_full(name, relabels) {
            self.last_file = None;
        }
        let mut writing = match self.last_file.take() {
            Some(writing) => writing,
            None => self.begin(name)?,
        };
        let known = writing.names.len();
        let mut bytes = Vec::new();
        let (mut last, mut newest) = (self.last, self.newest);
        for page in pages {
            form::write(page, &mut writing.names, &mut bytes);
            last = page.number;
            newest = form::label(page);
        }
        let Some((_, size)) = self.files.back_mut() else {
            return Err(io::Error::other("a log without a file"));
        };
        let at = *size;
        #[cfg(test)]
        let written = self.limited_write(&writing.file, &bytes, at);
        #[cfg(not(test))]
        let written = writing.file.write_all_at(&bytes, at);
        match written.and_then(|()| writing.file.sync_data()) {
            Ok(()) => {
                if let Some((_, size)) = self.files.back_mut() {
                    *size += bytes.len() as u64;
                }
                (self.last, self.newest) = (last, newest);
                self.last_file = Some(writing);
                self.give_up(newest.0, relabels);
                Ok(())
            }
            Err(error) => {
                writing.names.truncate(known);
                // What was begun is overwritten by the next attempt, or cut off at the next start.
                let _ = writing.file.set_len(at);
                self.last_file = Some(writing);
                Err(error)
            }
        }
    }

    /// Goes on in a file; false if it holds no page that counts.
    fn take_up(&mut self, name: Name, bytes: u64, last_page: Option<u64>) -> io::Result<bool> {
        if last_page.is_some_and(|last| name.first > last) {
            return Ok(false);
        }
        let path = self.path(name);
        let mut scan = Scan::new(fs::read(&path)?);
        let (mut end, mut last, mut known) = (scan.at(), None, 0);
        let mut newest = Wall(0);
        let is_cut = loop {
            let Some(page) = scan.next() else {
                break false;
            };
            if last_page.is_some_and(|last| page.number > last) {
                break true;
            }
            last = Some(page.number);
            newest = form::label(&page);
            end = scan.at();
            known = scan.names.len();
        };
        if !is_cut && !scan.is_over() {
            tracing::warn!(
                "{}: what stands behind byte {end} is no page; written when the power went, or \
                 damaged; it is cut off",
                path.display()
            );
        }
        let Some(last) = last else {
            return Ok(false);
        };
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        if bytes > end as u64 {
            file.set_len(end as u64)?;
            file.sync_all()?;
        }
        let mut names = scan.names;
        names.truncate(known);
        (self.last, self.newest) = (last, newest);
        self.last_file = Some(Writing { file, names });
        if let Some((_, size)) = self.files.back_mut() {
            *size = end as u64;
        }
        Ok(true)
    }

    fn begin(&mut self, name: Name) -> io::Result<Writing> {
        let path = self.path(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let begun = file
            .write_all_at(MAGIC, 0)
            .and_then(|()| files::sync_dir(&self.dir));
        if let Err(error) = begun {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.files.push_back((name, MAGIC.len() as u64));
        Ok(Writing {
            file,
            names: Names::default(),
        })
    }

    /// Whether the last file takes no more: by its size, or because a day is over, so that old pages
    /// do not stay for the sake of new ones.
    fn is_full(&self, next: Name, relabels: &Relabels) -> bool {
        let full = (self.limit.bytes / 8).clamp(LEAST, FULL);
        let is_day_over = |name: &Name| next.label - name.moved(relabels) >= DAY_MS;
        self.files
            .back()
            .is_some_and(|(name, bytes)| *bytes >= full || is_day_over(name))
    }

    fn give_up(&mut self, now: i64, relabels: &Relabels) {
        loop {
            let bytes: u64 = self.files.iter().map(|(_, bytes)| bytes).sum();
            let Some((oldest, _)) = self.files.front().filter(|_| self.files.len() > 1) else {
                return;
            };
            let names = self.files.iter().map(|(name, _)| name);
            let keep_from = now.saturating_sub(self.limit.keep_ms);
            let is_old = end_of_first(names, relabels).is_some_and(|end| end < keep_from);
            if bytes <= self.limit.bytes && !is_old {
                return;
            }
            let path = self.path(*oldest);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {}: {error}", path.display());
                return;
            }
            self.files.pop_front();
            let trimmed = self.dir.join(TRIMMED);
            if !trimmed.exists() {
                let _ = File::create(trimmed);
            }
        }
    }

    fn path(&self, name: Name) -> PathBuf {
        self.dir.join(name.file())
    }

    /// A disk that is full after some bytes.
    #[cfg(test)]
    fn limited_write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let most = self.writes_left.unwrap_or(usize::MAX).min(bytes.len());
        if let Some(left) = &mut self.writes_left {
            *left -= most;
        }
        file.write_all_at(&bytes[..most], at)?;
        if most < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}
