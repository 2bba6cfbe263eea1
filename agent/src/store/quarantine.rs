//! What cannot be delivered but must not vanish: damaged directories and packs, and records that
//! nobody takes. Both are bounded; agent/docs/delivery.md says what to do with them.

use super::files;
use super::index::Bad;
use andon_core::record::{Record, Run};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The set-aside file is renamed to `.1` past this size; two of them are kept.
const SET_ASIDE_MAX: u64 = 256 * 1024;

/// The directory with everything that was moved aside.
#[derive(Debug)]
pub struct Quarantine {
    dir: PathBuf,
    /// Bytes to keep at most; the newest thing is always kept.
    max: u64,
}

impl Quarantine {
    /// In `root`, with at most `max` bytes.
    pub fn new(root: &Path, max: u64) -> Quarantine {
        Quarantine {
            dir: root.join("quarantine"),
            max,
        }
    }

    /// Moves a directory aside.
    pub fn take(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let name = dir.file_name().unwrap_or_default();
        let mut to = self.dir.join(name);
        while to.exists() {
            to = files::with_suffix(&to, "again");
        }
        fs::rename(dir, &to)?;
        files::sync_dir(&self.dir)?;
        files::sync_parent(dir)?;
        self.prune(&to)
    }

    /// Keeps the bytes of a pack.
    pub fn keep(&self, bad: &Bad) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let name = match &bad.head {
            Some(head) => format!("{:016x}.pack", head.first),
            None => String::from("unknown.pack"),
        };
        let path = self.dir.join(name);
        files::replace(&path, &bad.value)?;
        self.prune(&path)
    }

    /// Bytes taken up.
    pub fn size(&self) -> u64 {
        files::size(&self.dir)
    }

    /// Removes the oldest (lowest positions first) until the bound holds.
    fn prune(&self, newest: &Path) -> io::Result<()> {
        for name in files::names(&self.dir)? {
            if self.size() <= self.max {
                break;
            }
            let path = self.dir.join(name);
            if path == newest {
                continue;
            }
            if path.is_dir() {
                fs::remove_dir_all(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Appends a record that can never go to the set-aside file, one JSON object a line.
pub fn set_aside(path: &Path, run: &Run, record: &Record, why: &str) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > SET_ASIDE_MAX) {
        files::rename(path, &files::with_suffix(path, "1"))?;
    }
    let mut line = serde_json::to_vec(&serde_json::json!({
        "why": why, "run": format!("{:012x}", run.id), "boot": run.boot, "record": record,
    }))?;
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&line)?;
    file.sync_data()?;
    files::sync_parent(path)
}
