//! `andon board info` and `andon board test`: the I/O board of the running agent, over its control
//! socket.

use super::desk::Figures;
use crate::check::{complain_of, say};
use crate::control::{self, AskError};
use crate::{config, runtime};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// What may be done with the board.
#[derive(Debug, Subcommand)]
pub enum Options {
    /// Show which board is there, what it counts, and how well it is heard
    Info(Info),
    /// Let its buzzer sound and all its lamps shine for 3 s
    Test(Common),
}

/// What both need.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration the agent runs with
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
}

/// What is shown.
#[derive(Debug, Args)]
pub struct Info {
    #[command(flatten)]
    common: Common,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Does it, and prints what came of it.
pub fn command(options: &Options) -> ExitCode {
    let (common, done) = match options {
        Options::Info(info) => (
            &info.common,
            with_agent(&info.common.config, |dir| shown(dir, info.json)),
        ),
        Options::Test(common) => (common, with_agent(&common.config, tested)),
    };
    match done {
        Ok(Some(text)) => {
            // A pipe that nobody reads any more is a failure of the command.
            say(std::io::stdout(), &text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Ok(None) => ExitCode::from(WRONG),
        Err(AskError::Refused { status, why }) if status.as_u16() == 404 => {
            eprintln!("andon: {}: {why}", common.config.display());
            ExitCode::from(WRONG)
        }
        Err(error) => {
            eprintln!("andon: {error}");
            ExitCode::FAILURE
        }
    }
}

/// None if the configuration has mistakes, which were told.
fn with_agent(
    file: &Path,
    ask: impl AsyncFnOnce(PathBuf) -> Result<String, AskError>,
) -> Result<Option<String>, AskError> {
    let data_dir = match config::load(file) {
        Ok(loaded) => loaded.settings.data_dir,
        Err(report) => {
            // Without anybody to read it the file is as bad.
            let _ = complain_of(&report);
            return Ok(None);
        }
    };
    let runtime = runtime().map_err(|error| AskError::NoAnswer(error.to_string()))?;
    runtime.block_on(ask(data_dir)).map(Some)
}

async fn shown(data_dir: PathBuf, json: bool) -> Result<String, AskError> {
    let answer = control::get(&data_dir, "/control/board").await?;
    if json {
        return Ok(String::from_utf8_lossy(&answer).into_owned() + "\n");
    }
    let figures = serde_json::from_slice(&answer);
    let figures = figures.map_err(|error| AskError::NoAnswer(error.to_string()))?;
    Ok(render(&figures))
}

async fn tested(data_dir: PathBuf) -> Result<String, AskError> {
    control::post(&data_dir, "/control/board/test", Vec::new()).await?;
    Ok("the board sounds and shines for 3 s; its buzzer and all three lamps are to be heard and seen\n\
        板载蜂鸣器与三色灯测试 3 秒：请确认能听到、看到\n"
        .to_owned())
}

/// The figures as lines.
fn render(figures: &Figures) -> String {
    let mut text = String::new();
    let mut line = |what: &str, is: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{what:<10} {is}");
    };
    line("port", figures.port.display().to_string());
    match (&figures.why, figures.up) {
        (_, true) => line("board", "is there 已连接".to_owned()),
        (Some(why), false) => line("board", format!("is not there 未连接: {why}")),
        (None, false) => line("board", "has not answered yet 尚未应答".to_owned()),
    }
    if let (Some(firmware), Some(wire)) = (&figures.firmware, figures.wire) {
        let agent = figures.agent_wire;
        line(
            "firmware",
            format!("{firmware}, messages of version {wire} (this agent: {agent})"),
        );
    }
    if let (Some(boot_id), Some(uptime), Some(reset)) =
        (figures.boot_id, figures.uptime_ms, &figures.reset)
    {
        let up = uptime / 1000;
        line("start", format!("{boot_id:08x}, {up} s ago, by {reset}"));
    }
    if let Some(alone) = figures.alone_ms.filter(|alone| *alone > 0) {
        line(
            "alone",
            format!("{} s without an agent, the last time", alone / 1000),
        );
    }
    if let (Some(counts), Some(levels)) = (figures.counts, figures.levels) {
        for (number, (count, on)) in counts.iter().zip(levels).enumerate() {
            let on = if on { "on 通" } else { "off 断" };
            line(&format!("input{number}"), format!("{on}, {count} pulses"));
        }
    }
    if let Some(ago) = figures.heard_ms_ago {
        let Figures {
            missed,
            damaged,
            connects,
            ..
        } = figures;
        line(
            "line",
            format!(
                "heard {ago} ms ago, connected {connects} times, {missed} frames missed, \
                 {damaged} damaged"
            ),
        );
    }
    text
}
