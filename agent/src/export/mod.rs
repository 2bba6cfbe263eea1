//! `andon export`: what the history keeps, as a table for a spreadsheet. It only reads, also while the
//! agent runs.

mod csv;
mod segments;
mod summaries;

use crate::check::complain_of;
use crate::config;
use crate::config::nearest::suggest;
use crate::history::Passed;
use crate::settings::Settings;
use andon_core::history::calendar_of_tags;
use andon_core::summary::Tier;
use andon_core::time::Wall;
use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::cell::Cell;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Windows with their parts and figures
    Summaries,
    /// Stretches of time in one state
    Segments,
}

/// Which windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Window {
    /// Minutes
    #[value(name = "1m")]
    Minute,
    /// Hours
    #[value(name = "1h")]
    Hour,
    /// Shifts
    Shift,
    /// Production days
    #[value(name = "1d")]
    Day,
}

impl Window {
    const fn tier(self) -> Tier {
        match self {
            Window::Minute => Tier::Minute,
            Window::Hour => Tier::Hour,
            Window::Shift => Tier::Shift,
            Window::Day => Tier::Day,
        }
    }
}

/// The form of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated, with a header
    Csv,
}

/// What was asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// First moment, as in 2026-11-23 or 2026-11-23T08:00 by the clock of the plant
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Moment behind the last
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only this device
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// What to write
    #[arg(long, value_enum, default_value_t = What::Summaries)]
    what: What,
    /// Which windows, for summaries: hours if it is left out
    #[arg(long, value_enum)]
    window: Option<Window>,
    /// Form of the table
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The configuration that the agent runs with
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
}

/// What is to be written, checked.
struct Wanted<'s> {
    settings: &'s Settings,
    from: Wall,
    to: Wall,
    device: Option<String>,
    /// Whether anything is kept of that device, at any time.
    is_kept: Cell<bool>,
}

impl Wanted<'_> {
    fn is_of(&self, device: &str) -> bool {
        let is_wanted = calendar_of_tags(device).is_none()
            && self.device.as_ref().is_none_or(|wanted| wanted == device);
        if is_wanted {
            self.is_kept.set(true);
        }
        is_wanted
    }

    /// Why there is nothing of the device, if there is nothing of it at any time; and whether that
    /// can be at all.
    fn nothing(&self) -> Option<(String, bool)> {
        let id = self.device.as_ref().filter(|_| !self.is_kept.get())?;
        let devices = &self.settings.plant.devices;
        let Some(device) = devices.iter().find(|device| *device.id == **id) else {
            let ids = devices.iter().map(|device| &*device.id);
            let hint = suggest(id, ids, "no device is configured");
            let what = format!(
                "there is no device `{id}` in the configuration nor in the history; {hint}"
            );
            return Some((what, false));
        };
        let why = match &device.model.state {
            Some(_) => "nothing is kept of it yet",
            None => "it has no state, and so no windows",
        };
        Some((format!("`{id}`: {why}"), true))
    }

    /// Whether something begins in the time that is asked for.
    fn begins_in(&self, start: Wall) -> bool {
        self.from <= start && start < self.to
    }
}

/// Writes a table to standard output.
pub fn command(options: &Options) -> ExitCode {
    if let (What::Segments, Some(_)) = (options.what, options.window) {
        eprintln!(
            "andon: segments are as long as their state lasts and have no `--window`; leave it out, or \
             ask for `--what summaries`"
        );
        return ExitCode::from(WRONG);
    }
    let loaded = match config::load(&options.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            // Without anybody to read it the file is as bad.
            let _ = complain_of(&report);
            return ExitCode::from(WRONG);
        }
    };
    let settings = &loaded.settings;
    let zone = &settings.plant.calendar.zone;
    let moment = |text: &Option<String>, default: i64| match text {
        Some(text) => parse(text, zone),
        None => Ok(Wall(default)),
    };
    let times = moment(&options.from, i64::MIN)
        .and_then(|from| moment(&options.to, i64::MAX).map(|to| (from, to)));
    let (from, to) = match times {
        Ok(times) => times,
        Err(why) => {
            eprintln!("andon: {why}");
            return ExitCode::from(WRONG);
        }
    };
    if from >= to {
        eprintln!("andon: nothing lies between --from and --to: --from must be the earlier");
        return ExitCode::from(WRONG);
    }
    if !settings.data_dir.join("history").is_dir() {
        eprintln!(
            "andon: there is no history in {}; has an agent run with this configuration?",
            settings.data_dir.display()
        );
        return ExitCode::FAILURE;
    }
    let wanted = Wanted {
        settings,
        from,
        to,
        device: options.device.clone(),
        is_kept: Cell::new(false),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match (options.format, options.what) {
        (Format::Csv, What::Summaries) => {
            let window = options.window.unwrap_or(Window::Hour);
            summaries::write(&wanted, window.tier(), &mut out)
        }
        (Format::Csv, What::Segments) => segments::write(&wanted, &mut out),
    };
    match written.and_then(|passed| out.flush().map(|()| passed)) {
        Ok(passed) => {
            for Passed { file, from, why } in passed {
                eprintln!(
                    "andon: {} is passed over from byte {from} on: {why}",
                    file.display()
                );
            }
            match wanted.nothing() {
                Some((why, can_be)) => {
                    eprintln!("andon: {why}");
                    match can_be {
                        true => ExitCode::SUCCESS,
                        false => ExitCode::from(WRONG),
                    }
                }
                None => ExitCode::SUCCESS,
            }
        }
        // A reader who has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("andon: cannot write the table: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A moment as people write it: a day, or a day and a time, of the plant; or with an offset.
fn parse(text: &str, zone: &TimeZone) -> Result<Wall, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(Wall(instant.as_millisecond()));
    }
    let local: DateTime = text.parse().map_err(|_| {
        format!(
            "`{text}` is not a moment; write 2026-11-23, 2026-11-23T08:00 or \
             2026-11-23T08:00:00+08:00"
        )
    })?;
    let instant = zone.to_ambiguous_timestamp(local).compatible();
    instant
        .map(|instant| Wall(instant.as_millisecond()))
        .map_err(|error| format!("`{text}`: {error}"))
}

#[cfg(test)]
mod tests;
