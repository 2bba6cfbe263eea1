//! The whole system from outside: what the scenarios in `system/` are made of.
//!
//! A scenario starts the agent's binary, a mosquitto and a Modbus server on free loopback ports
//! and lets a recorder subscribe; then it does what happens in a plant and checks what arrived.
//! Nothing here links the agent: it is found by `ANDON_BIN` (and run through `ANDON_RUNNER`, if
//! set), so the same scenarios run natively, emulated and on a gateway. The firmware of the I/O board is
//! linked, as the other end of its line.

pub mod agent;
pub mod authority;
pub mod board;
pub mod broker;
pub mod line;
pub mod maps;
pub mod meter;
pub mod modem;
pub mod network;
pub mod oven;
pub mod presses;
pub mod random;
pub mod recorder;
pub mod records;
pub mod registers;
pub mod scenario;
pub mod script;
pub mod table;
pub mod unknown;
pub mod web;

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Why a scenario could not go on, in words.
pub struct Failure(String);

/// What a scenario and its steps end with.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure that says `what`.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Outer limit for what should happen at once but may take a busy machine a while; longer than the
/// longest pause of the agent before it tries its broker again.
pub const SOON: Duration = Duration::from_secs(120);

/// Looks again and again until `look` finds something; fails after `limit` with `what`.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if began.elapsed() > limit {
            return Err(Failure::new(format!("after {limit:?}, still no {what}")));
        }
        sleep(Duration::from_millis(50));
    }
}

/// The wall clock, in milliseconds UTC.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

/// The first full minute after `ms`.
pub const fn next_minute(ms: i64) -> i64 {
    (ms / 60_000 + 1) * 60_000
}

/// Waits until the wall clock shows `ms`.
pub fn sleep_until(ms: i64) {
    if let Ok(rest) = u64::try_from(ms - now_ms()) {
        sleep(Duration::from_millis(rest));
    }
}

/// Splits the first line off a child's standard output and hands back what reads the rest.
fn first_line(child: &mut Child) -> Outcome<(String, BufReader<std::process::ChildStdout>)> {
    let stdout = child.stdout.take();
    let mut lines = BufReader::new(stdout.ok_or_else(|| Failure::new("no pipe"))?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    Ok((line, lines))
}

/// A log file for a child, so that a failure can be looked into afterwards.
fn log_file(path: &std::path::Path) -> Outcome<Stdio> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    Ok(file.into())
}
