//! `andon run`: the engine in one task, the drivers around it.

use crate::settings::Settings;
use std::fmt;
use tokio::sync::watch;

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Account {
    /// Samples of tags, good and bad.
    pub samples: u64,
    /// Those that were bad.
    pub bad_samples: u64,
    /// Windows closed.
    pub windows: u64,
    /// Records on disk, of this run.
    pub stored: u64,
    /// Records that the broker acknowledged in this run, earlier runs' included.
    pub acknowledged: u64,
    /// Records that wait on disk for the next run.
    pub waiting: u64,
    /// Records lost.
    pub lost: u64,
}

/// Why the agent could not run.
#[derive(Debug)]
pub enum RunError {}

impl fmt::Display for RunError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// Runs until `stop` becomes true; then closes orderly, within 5 s.
pub async fn run(settings: Settings, stop: watch::Receiver<bool>) -> Result<Account, RunError> {
    let _ = (settings, stop);
    Ok(Account::default())
}
