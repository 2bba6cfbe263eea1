//! The latest time that is known for sure, kept over restarts: a gateway without a battery starts in
//! the past, and would take a certificate that has expired for a good one, or a new one for none.
//!
//! Only what the kernel vouches for is kept, so that a clock that somebody set wrong does no harm for
//! longer than it is wrong.

use crate::clock;
use andon_core::time::{ClockState, Wall};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// Milliseconds UTC, in decimal.
const FILE: &str = "known-time";

/// Between two writes: 144 small ones a day.
const EVERY: Duration = Duration::from_secs(600);
/// The clock may be set at any moment after the start.
const LOOK: Duration = Duration::from_secs(10);

/// Later than this is no time that anybody has known: 2100.
const LATEST: i64 = 4_102_444_800_000;

/// Takes up what an earlier run knew. Blocks.
pub(super) fn recall(data_dir: &Path) {
    let file = data_dir.join(FILE);
    match read(&file) {
        Ok(wall) => clock::remember(wall),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(
            "{}: {error}; while the clock is not set, certificates are judged by the age of this \
             version",
            file.display()
        ),
    }
}

/// Keeps the time, while somebody vouches for it.
pub(super) async fn keep(data_dir: PathBuf) {
    let mut failing = false;
    loop {
        let now = clock::now();
        if now.clock != ClockState::Synced {
            sleep(LOOK).await;
            continue;
        }
        clock::remember(now.wall);
        let dir = data_dir.clone();
        let written = tokio::task::spawn_blocking(move || write(&dir, now.wall)).await;
        let error = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let (Some(error), false) = (&error, failing) {
            tracing::warn!("the time cannot be kept for the next start: {FILE}: {error}");
        }
        failing = error.is_some();
        sleep(EVERY).await;
    }
}

fn read(file: &Path) -> io::Result<Wall> {
    let text = fs::read_to_string(file)?;
    let ms = text.trim().parse().ok();
    let ms = ms.filter(|ms| (clock::EARLIEST.0..LATEST).contains(ms));
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "this is no time");
    ms.map(Wall).ok_or_else(wrong)
}

fn write(data_dir: &Path, wall: Wall) -> io::Result<()> {
    let new = data_dir.join("known-time.tmp");
    let mut file = File::create(&new)?;
    writeln!(file, "{}", wall.0)?;
    file.sync_data()?;
    fs::rename(new, data_dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        assert_eq!(read(&file).unwrap_err().kind(), io::ErrorKind::NotFound);
        for ms in [clock::EARLIEST.0, 1_790_000_000_000] {
            write(dir.path(), Wall(ms)).unwrap();
            assert_eq!(read(&file).unwrap(), Wall(ms));
        }
        for damaged in ["", "0", "17900000000000000", "179000000000x", "\0\0\0\0"] {
            fs::write(&file, damaged).unwrap();
            assert!(read(&file).is_err(), "{damaged:?}");
        }
    }
}
