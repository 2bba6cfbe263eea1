//! Starting a run: the lock on the data directory, the start counter and the random run id.
//!
//! Promises: two agents never share a data directory; a `boot` is never used twice as long as
//! either the counter file or the outbox survives (the outbox knows it too, and
//! [`super::open`] raises it where the file was lost); run ids are random, so that two gateways
//! with one name can be told apart.

use super::files;
use andon_core::record::Run;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A run that has begun; the data directory belongs to it until this is dropped.
#[derive(Debug)]
pub struct Start {
    /// Which run this is.
    pub run: Run,
    /// The directory that was locked.
    pub data_dir: PathBuf,
    _lock: File,
}

/// Why a run cannot begin.
#[derive(Debug)]
pub enum StartError {
    /// Another agent uses the data directory.
    Taken {
        /// Which directory.
        data_dir: PathBuf,
        /// The other's process id, if it left one.
        pid: Option<u32>,
    },
    /// The directory or a file in it cannot be used.
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Taken { data_dir, pid } => {
                write!(f, "another agent ")?;
                if let Some(pid) = pid {
                    write!(f, "(process {pid}) ")?;
                }
                write!(
                    f,
                    "uses the data directory {}; stop it, or give this one a data_dir of its own",
                    data_dir.display()
                )
            }
            StartError::Io { path, source } => write!(
                f,
                "cannot use {}: {source}; the data directory must exist or be creatable, and be \
                 writable for the user that runs the agent",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// Locks `data_dir` (made if it is missing), counts the start and draws the run id.
pub fn begin(data_dir: &Path, cfg: u32) -> Result<Start, StartError> {
    fs::create_dir_all(data_dir).map_err(at(data_dir))?;
    let lock = lock(data_dir)?;
    let path = counter(data_dir);
    let boot = read(&path).map_err(at(&path))?.saturating_add(1);
    files::with_ballast(&files::ballast(data_dir), || keep_boot(data_dir, boot))
        .map_err(at(&path))?;
    let mut id = [0; 8];
    files::random(&mut id[..6]).map_err(at(Path::new("/dev/urandom")))?;
    Ok(Start {
        run: Run {
            id: u64::from_le_bytes(id),
            boot,
            cfg,
        },
        data_dir: data_dir.to_path_buf(),
        _lock: lock,
    })
}

/// Writes the start counter.
pub(super) fn keep_boot(data_dir: &Path, boot: u32) -> io::Result<()> {
    files::replace(&counter(data_dir), format!("{boot}\n").as_bytes())
}

fn counter(data_dir: &Path) -> PathBuf {
    data_dir.join("boot")
}

/// The counter; 0 if there is none or it is unreadable: then the outbox knows better.
fn read(path: &Path) -> io::Result<u32> {
    match fs::read(path) {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Whether an agent runs on this directory.
pub fn is_in_use(data_dir: &Path) -> bool {
    // Shared and let go at once: it keeps no agent from starting but in this very moment.
    let lock = File::open(data_dir.join("lock")).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path = data_dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => {
            let name_owner = || {
                file.set_len(0)?;
                file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
            };
            files::with_ballast(&files::ballast(data_dir), name_owner).map_err(at(&path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            Err(StartError::Taken {
                data_dir: data_dir.to_path_buf(),
                pid: text.trim().parse().ok(),
            })
        }
        Err(TryLockError::Error(source)) => Err(StartError::Io { path, source }),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StartError {
    let path = path.to_path_buf();
    move |source| StartError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_in_use_while_an_agent_runs_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        assert!(!is_in_use(&data));
        let start = begin(&data, 7).unwrap();
        assert!(is_in_use(&data));
        drop(start);
        assert!(!is_in_use(&data));
    }

    #[test]
    fn boot_counts_starts_and_ids_differ() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let first = begin(&data, 7).unwrap().run;
        let second = begin(&data, 7).unwrap().run;
        assert_eq!((first.boot, second.boot), (1, 2));
        assert_ne!(first.id, second.id);
        assert!(first.id < 1 << 48);
        assert_eq!(second.cfg, 7);
    }

    #[test]
    fn second_agent_is_refused_and_told_whom_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let held = begin(dir.path(), 0).unwrap();
        let refused = begin(dir.path(), 0).unwrap_err().to_string();
        let pid = format!("process {}", std::process::id());
        assert!(refused.contains(&pid), "{refused}");
        drop(held);
        assert_eq!(begin(dir.path(), 0).unwrap().run.boot, 2);
    }

    #[test]
    fn garbage_in_the_counter_does_not_stop_the_agent() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("boot"), [0xff, 0, 3]).unwrap();
        assert_eq!(begin(dir.path(), 0).unwrap().run.boot, 1);
    }
}
