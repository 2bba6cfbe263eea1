//! Files and directories: every sync, rename and removal of the store goes through here, so that
//! a test can hold their order (`trace`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Size of the file that is given up when the disk is full, so that a directory can be opened
/// again (opening one writes a snapshot).
const BALLAST: u64 = 1024 * 1024;

/// Makes the content of a file durable.
pub fn sync_data(path: &Path) -> io::Result<()> {
    trace::note("sync", path);
    File::open(path)?.sync_data()
}

/// Makes the entries of a directory durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    trace::note("sync-dir", path);
    File::open(path)?.sync_all()
}

/// Renames within one directory, durably.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    trace::note("rename", from);
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Removes a directory so that an interruption never leaves half of it under its own name.
pub fn remove_dir(dir: &Path) -> io::Result<()> {
    let doomed = with_suffix(dir, "del");
    if doomed.exists() {
        fs::remove_dir_all(&doomed)?;
    }
    rename(dir, &doomed)?;
    trace::note("remove", &doomed);
    fs::remove_dir_all(&doomed)?;
    sync_parent(&doomed)
}

/// Replaces a file as a whole: afterwards it holds all of `bytes`, or what it held before.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let tmp = with_suffix(path, "tmp");
    let mut file = File::create(&tmp)?;
    file.write_all(bytes)?;
    sync_data(&tmp)?;
    rename(&tmp, path)
}

/// Makes the entry of `path` in its directory durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// `path` with `.suffix` appended to its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Names of the entries of a directory that are text; all of ours are.
pub fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Bytes that a file, or everything below a directory, takes up on disk; 0 if it is not there.
pub fn size(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(meta) = fs::symlink_metadata(path) else {
        return 0;
    };
    let below = if meta.is_dir() {
        names(path)
            .unwrap_or_default()
            .iter()
            .map(|name| size(&path.join(name)))
            .sum()
    } else {
        0
    };
    meta.blocks() * 512 + below
}

/// Bytes that can still be written to the file system that holds `path`.
pub fn free(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Random bytes from the kernel.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// The ballast file of a data directory.
pub fn ballast(data_dir: &Path) -> PathBuf {
    data_dir.join("reserve")
}

/// Makes the ballast file, if it is not there in full and the disk has `spare` bytes besides.
pub fn add_ballast(path: &Path, spare: u64) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() == BALLAST) {
        return Ok(());
    }
    if free(path.parent().unwrap_or(Path::new(".")))? < BALLAST + spare {
        return Ok(());
    }
    let written = write_ballast(path);
    if written.is_err() {
        drop_ballast(path);
    }
    written
}

fn write_ballast(path: &Path) -> io::Result<()> {
    // Random, because some flash file systems compress: zeros would reserve nothing.
    let mut block = [0; 4096];
    random(&mut block)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)?;
    for number in 0..BALLAST / 4096 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block)?;
    }
    file.sync_all()
}

/// Does what needs a little room; at a full disk, in the room of the ballast.
pub fn with_ballast<T>(path: &Path, action: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match action() {
        Err(error) if error.kind() == io::ErrorKind::StorageFull && drop_ballast(path) => action(),
        done => done,
    }
}

/// Gives the ballast's room back; whether there was any.
pub fn drop_ballast(path: &Path) -> bool {
    fs::remove_file(path).is_ok()
}

/// Nothing is traced outside tests.
#[cfg(not(test))]
pub mod trace {
    /// Does nothing.
    pub fn note(_: &str, _: &std::path::Path) {}
}

/// What was done to which file, in order, on this thread.
#[cfg(test)]
pub mod trace {
    use std::cell::RefCell;
    use std::path::Path;

    /// Is shown each step before it is done.
    type Watch = Box<dyn FnMut(&str, &Path)>;

    thread_local! {
        static DONE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    }

    /// Notes one step.
    pub fn note(what: &str, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        DONE.with_borrow_mut(|done| done.push(format!("{what} {name}")));
        // Taken out meanwhile: what it does is not watched.
        if let Some(mut watch) = WATCH.take() {
            watch(what, path);
            WATCH.set(Some(watch));
        }
    }

    /// From now on shows each step of this thread.
    pub fn watch(watch: impl FnMut(&str, &Path) + 'static) {
        WATCH.set(Some(Box::new(watch)));
    }

    /// No longer does.
    pub fn unwatch() {
        WATCH.set(None);
    }

    /// Takes what was noted since the last call.
    pub fn take() -> Vec<String> {
        DONE.take()
    }
}
