//! `andon alarms`, `ack`, `reset`, `shelve` and the others: the alarms of the running agent, and what
//! may be done with them, over its control socket.

mod hygiene;
mod screen;

use crate::check::{complain_of, say};
use crate::control::{self, AskError};
use crate::http::Wish;
use crate::settings::Settings;
use crate::{config, runtime};
use andon_core::alarm::{LONGEST_BY, LONGEST_SHELF_MS};
use bytes::Bytes;
use clap::Args;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// The list.
#[derive(Debug, Args)]
pub struct List {
    /// The configuration the agent runs with
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// The list, or what it comes to.
#[derive(Debug, Args)]
pub struct Shown {
    #[command(flatten)]
    list: List,
    /// Print how many alarms there were instead: rate, floods, chatter, the most frequent
    #[arg(long)]
    hygiene: bool,
}

/// Who does something.
#[derive(Debug, Args)]
pub struct Who {
    /// Who does it [default: the user who is logged in]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    list: List,
}

/// Something done to one alarm.
#[derive(Debug, Args)]
pub struct One {
    /// The alarm, as `andon alarms` shows it: DEVICE.ALARM
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    who: Who,
}

/// A call for somebody.
#[derive(Debug, Args)]
pub struct Call {
    /// The device that needs somebody
    #[arg(value_name = "DEVICE")]
    device: String,
    /// What for: material, quality or maintenance
    #[arg(value_name = "KIND", value_parser = kind_of_call)]
    kind: &'static str,
    #[command(flatten)]
    who: Who,
}

/// An acknowledgement.
#[derive(Debug, Args)]
pub struct Ack {
    #[command(flatten)]
    one: One,
    /// Only if this is still the newest occurrence, the number that `andon alarms` shows
    #[arg(long, value_name = "N")]
    occurrence: Option<u64>,
}

/// Something done for a reason.
#[derive(Debug, Args)]
pub struct ForReason {
    #[command(flatten)]
    one: One,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
}

/// Shelving.
#[derive(Debug, Args)]
pub struct Shelve {
    #[command(flatten)]
    reason: ForReason,
    /// For how long, at most 8 h, as in "1h" or "30 min"
    #[arg(long = "for", value_name = "TIME", value_parser = shelf_time)]
    time: Duration,
}

/// What is to be done.
#[derive(Debug)]
pub enum Deed {
    /// Acknowledge an alarm.
    Ack(Ack),
    /// Let a latched alarm go.
    Reset(One),
    /// Put an alarm aside.
    Shelve(Shelve),
    /// Take it off the shelf.
    Unshelve(One),
    /// Switch an alarm off.
    OutOfService(ForReason),
    /// Switch it on again.
    Return(One),
    /// Call for somebody.
    Call(Call),
    /// Whoever was called has arrived.
    Arrived(One),
    /// What they were called for is solved.
    Solved(One),
    /// Stop the sound of all alarms.
    Silence(Who),
}

fn kind_of_call(word: &str) -> Result<&'static str, String> {
    let call = andon_core::call::Call::of(word);
    call.map(|call| call.id())
        .ok_or_else(|| "material, quality or maintenance".into())
}

fn shelf_time(text: &str) -> Result<Duration, String> {
    let wrong =
        |_| "a whole number of s, min or h, at most 8 h, as in \"30 min\" or \"2h\"".to_owned();
    let time = crate::demo::parse_length(text).map_err(wrong)?;
    if time > Duration::from_millis(LONGEST_SHELF_MS) {
        return Err("an alarm is shelved for at most 8 h".into());
    }
    Ok(time)
}

/// What the agent answers about its alarms. Another version may say more, or less.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alarms {
    gateway: String,
    ts: i64,
    sounding: Option<String>,
    sounding_alarms: u64,
    silent_until_ms: Option<i64>,
    alarms: Vec<Alarm>,
    hygiene: hygiene::Hygiene,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alarm {
    id: String,
    occurrence: u64,
    state: String,
    active: bool,
    priority: String,
    quality: String,
    raised_ms: Option<i64>,
    acked_ms: Option<i64>,
    cleared_ms: Option<i64>,
    text_en: String,
    text_zh: String,
    by: Option<String>,
    why: Option<String>,
    until_ms: Option<i64>,
    first_out: bool,
    count: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Silenced {
    silenced: u64,
}

/// Prints the alarms of the running agent.
pub fn list(options: &Shown) -> ExitCode {
    let Shown { list, hygiene } = options;
    with_agent(&list.config, |settings| {
        let answer = asked(control::get(&settings.data_dir, "/api/v1/alarms"))?;
        if list.json {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
        understood(&answer).map(|alarms| {
            if *hygiene {
                hygiene::render(&alarms)
            } else {
                screen::render(&alarms)
            }
        })
    })
}

/// Has the running agent do it, and prints what came of it.
pub fn act(deed: Deed) -> ExitCode {
    let (one, verb, mut wish) = match deed {
        Deed::Silence(who) => return silence(&who),
        Deed::Ack(ack) => {
            let occurrence = ack.occurrence;
            let wish = Wish {
                occurrence,
                ..Wish::default()
            };
            (ack.one, "ack", wish)
        }
        Deed::Reset(one) => (one, "reset", Wish::default()),
        Deed::Unshelve(one) => (one, "unshelve", Wish::default()),
        Deed::Return(one) => (one, "return", Wish::default()),
        Deed::Call(Call { device, kind, who }) => {
            let id = format!("{device}.{kind}");
            (One { id, who }, "call", Wish::default())
        }
        Deed::Arrived(one) => (one, "ack", Wish::default()),
        Deed::Solved(one) => (one, "solve", Wish::default()),
        Deed::OutOfService(ForReason { one, why }) => (one, "out-of-service", because(why)),
        Deed::Shelve(Shelve { reason, time }) => {
            let mut wish = because(reason.why);
            wish.for_ms = u64::try_from(time.as_millis()).ok();
            (reason.one, "shelve", wish)
        }
    };
    let One { id, who } = one;
    wish.by = Some(who.name());
    with_agent(&who.list.config, |settings| {
        let path = format!("/api/v1/alarms/{}/{verb}", escaped(&id));
        let answer = asked(control::post(&settings.data_dir, &path, body(&wish)))?;
        if who.list.json {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
        let alarm: Alarm = understood(&answer)?;
        let until = alarm.until_ms.map(|until| local(until, settings));
        Ok(screen::outcome(&alarm, until.as_deref()))
    })
}

fn silence(who: &Who) -> ExitCode {
    let wish = Wish {
        by: Some(who.name()),
        ..Wish::default()
    };
    with_agent(&who.list.config, |settings| {
        let post = control::post(&settings.data_dir, "/api/v1/horn/silence", body(&wish));
        let answer = asked(post)?;
        if who.list.json {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
        let Silenced { silenced } = understood(&answer)?;
        Ok(screen::silenced(silenced))
    })
}

/// A moment as the clock on the wall of the plant shows it.
fn local(ms: i64, settings: &Settings) -> String {
    let zone = settings.plant.calendar.zone.clone();
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(at) => at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

fn because(why: String) -> Wish {
    Wish {
        why: Some(why),
        ..Wish::default()
    }
}

impl Who {
    /// The configuration of the agent that is spoken to.
    pub(crate) fn config(&self) -> &Path {
        &self.list.config
    }

    /// Whether a program reads the answer.
    pub(crate) const fn is_json(&self) -> bool {
        self.list.json
    }

    /// The name that was given, or that of the user, also of the one who became root; where nobody
    /// says a name, the number of the user.
    pub(crate) fn name(&self) -> String {
        if let Some(by) = &self.by {
            return by.clone();
        }
        let fits = |user: &String| !user.is_empty() && user.len() <= LONGEST_BY;
        let of = |variable| std::env::var(variable).ok().filter(fits);
        let user = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(of);
        user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
    }
}

/// Why a command failed.
pub(crate) enum Failed {
    /// What was asked for cannot be.
    Wrong(String),
    /// It could not be done.
    Failed(String),
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Failed {
        let words = error.to_string();
        match error {
            AskError::Refused { status, .. } if matches!(status.as_u16(), 400 | 404) => {
                Failed::Wrong(words)
            }
            _ => Failed::Failed(words),
        }
    }
}

pub(crate) fn with_agent(
    file: &Path,
    ask: impl FnOnce(&Settings) -> Result<String, Failed>,
) -> ExitCode {
    let settings = match config::load(file) {
        Ok(loaded) => loaded.settings,
        Err(report) => {
            // Without anybody to read it the file is as bad.
            let _ = complain_of(&report);
            return ExitCode::from(WRONG);
        }
    };
    match ask(&settings) {
        // A pipe that nobody reads any more is no failure of the agent, but of the command.
        Ok(text) => say(std::io::stdout(), &text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(Failed::Wrong(why)) => {
            eprintln!("andon: {why}");
            ExitCode::from(WRONG)
        }
        Err(Failed::Failed(why)) => {
            eprintln!("andon: {why}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn asked(
    answer: impl Future<Output = Result<Bytes, AskError>>,
) -> Result<Bytes, Failed> {
    let runtime = runtime().map_err(|error| Failed::Failed(error.to_string()))?;
    Ok(runtime.block_on(answer)?)
}

pub(crate) fn understood<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failed> {
    let understood = serde_json::from_slice(answer);
    understood.map_err(|error| AskError::NoAnswer(error.to_string()).into())
}

fn body(wish: &Wish) -> Vec<u8> {
    // Serialising plain data to memory fails only on a map with keys that are not text.
    serde_json::to_vec(wish).unwrap_or_default()
}

/// An id as a part of a path; ids have nothing to escape, what was typed for one may.
fn escaped(id: &str) -> String {
    let mut path = String::new();
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => path.push(char::from(byte)),
            // A path of dots alone means a folder.
            b'.' if id.bytes().any(|byte| byte != b'.') => path.push('.'),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_for_an_id_stays_within_its_part_of_the_path() {
        assert_eq!(escaped("press-1.fault"), "press-1.fault");
        assert_eq!(escaped("../horn/x y?"), "..%2Fhorn%2Fx%20y%3F");
        assert_eq!(escaped(".."), "%2E%2E");
        assert_eq!(escaped("一"), "%E4%B8%80");
    }

    #[test]
    fn a_shelf_is_for_eight_hours_at_most() {
        assert_eq!(shelf_time("8h"), Ok(Duration::from_secs(8 * 3600)));
        assert_eq!(shelf_time("30 min"), Ok(Duration::from_secs(1800)));
        assert!(shelf_time("9h").unwrap_err().contains("8 h"));
        assert!(shelf_time("soon").is_err());
    }
}
