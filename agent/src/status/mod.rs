//! `andon status`: the running agent at a glance, asked over its control socket.

mod screen;

use crate::check::{complain_of, say};
use crate::control::{self, AskError};
use crate::{config, runtime};
use serde::Deserialize;
use std::path::Path;
use std::process::ExitCode;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// Asks the agent that runs with this configuration how it stands and prints that, with `json` as
/// the object that it answers.
pub fn command(file: &Path, json: bool) -> ExitCode {
    let data_dir = match config::load(file) {
        Ok(loaded) => loaded.settings.data_dir,
        Err(report) => {
            // Without anybody to read it the file is as bad.
            let _ = complain_of(&report);
            return ExitCode::from(WRONG);
        }
    };
    match ask(&data_dir, json) {
        // A pipe that nobody reads any more is no failure of the agent, but of the command.
        Ok(text) => say(std::io::stdout(), &text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(why) => {
            eprintln!("andon: {why}");
            ExitCode::FAILURE
        }
    }
}

fn ask(data_dir: &Path, json: bool) -> Result<String, String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let answer = runtime.block_on(control::get(data_dir, "/api/v1/status"));
    let answer = answer.map_err(|error| error.to_string())?;
    if json {
        return Ok(String::from_utf8_lossy(&answer).into_owned());
    }
    let status: Status = serde_json::from_slice(&answer)
        .map_err(|error| AskError::NoAnswer(error.to_string()).to_string())?;
    Ok(screen::render(&status))
}

/// What of the agent's answer is shown. Another version may say more, or less.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    gateway: String,
    run: String,
    boot: u32,
    cfg: String,
    version: String,
    ts: i64,
    clock: String,
    up_ms: u64,
    memory_bytes: Option<u64>,
    broker_reached: Option<bool>,
    broker_why: Option<String>,
    waiting: u64,
    oldest_waiting_ms: Option<i64>,
    stored: u64,
    acknowledged: u64,
    lost: u64,
    disk_bytes: u64,
    disk_why: Option<String>,
    links_up: usize,
    links_down: usize,
    devices_bad: usize,
    modem: Option<Modem>,
    links: Vec<Link>,
    devices: Vec<Device>,
    alarms: Vec<Alarm>,
    hygiene: Option<Hygiene>,
}

/// How many alarms there were.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hygiene {
    last_10min: u64,
    last_hour: u64,
    last_day: u64,
    flood: bool,
    chattering_ids: Vec<String>,
    stale: u64,
    ack_median_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Modem {
    state: String,
    since_ms: i64,
    why: Option<String>,
    model: String,
    signal_dbm: Option<i16>,
    roaming: bool,
    sent: u64,
    unknown: u64,
    refused: u64,
    undelivered: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    link: String,
    up: Option<bool>,
    since_ms: Option<i64>,
    why: Option<String>,
    devices: u64,
    devices_bad: u64,
    occupancy: Option<f64>,
    units: Vec<Unit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Unit {
    unit: u8,
    answering: Option<bool>,
    requests: u64,
    timeouts: u64,
    crc_errors: u64,
    wrong_answers: u64,
    retries: u64,
    answer_ms_p50: Option<f64>,
    answer_ms_p99: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device {
    device: String,
    state: Option<String>,
    since_ms: Option<i64>,
    code: Option<serde_json::Value>,
    cause: Option<String>,
    quality: String,
    reason: Option<String>,
    age_ms: Option<u64>,
    tags: usize,
    tags_bad: usize,
    bad: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tag {
    tag: String,
    quality: String,
    reason: Option<String>,
    age_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alarm {
    id: String,
    state: String,
    priority: String,
    quality: String,
    raised_ms: Option<i64>,
    text_en: String,
}
