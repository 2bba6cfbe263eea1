//! `andon export`: what the history keeps, as a table for a spreadsheet. It only reads, also while the
//! agent runs.

mod csv;
mod segments;
mod summaries;

use crate::check::complain_of;
use crate::config;
use crate::history::Passed;
use crate::settings::Settings;
use andon_core::summary::Tier;
use andon_core::time::Wall;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The windows of a tier, with their figures.
    Summaries(Tier),
    /// What each device did.
    Segments,
}

/// What was asked for on the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration, for the data directory, the time zone and the devices.
    pub config: PathBuf,
    /// What to write.
    pub what: What,
    /// The first moment, as written.
    pub from: Option<String>,
    /// The moment behind the last, as written.
    pub to: Option<String>,
    /// The only device, if not all.
    pub device: Option<String>,
}

/// What is to be written, checked.
struct Wanted<'s> {
    settings: &'s Settings,
    from: Wall,
    to: Wall,
    device: Option<String>,
}

impl Wanted<'_> {
    fn is_of(&self, device: &str) -> bool {
        // The gateway itself has no name in the history.
        !device.is_empty() && self.device.as_ref().is_none_or(|wanted| wanted == device)
    }

    /// Whether something begins in the time that is asked for.
    fn begins_in(&self, start: Wall) -> bool {
        self.from <= start && start < self.to
    }
}

/// Writes a table to standard output.
pub fn command(options: Options) -> ExitCode {
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
        device: options.device,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match options.what {
        What::Summaries(tier) => summaries::write(&wanted, tier, &mut out),
        What::Segments => segments::write(&wanted, &mut out),
    };
    match written.and_then(|passed| out.flush().map(|()| passed)) {
        Ok(passed) => {
            for Passed { file, from, why } in passed {
                eprintln!(
                    "andon: {} is passed over from byte {from} on: {why}",
                    file.display()
                );
            }
            ExitCode::SUCCESS
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
