//! `andon scan`: which units are there.

mod lines;
mod report;
mod units;

use super::address::{self, Form, LineOptions};
use super::link::{self, Link};
use super::progress::Progress;
use super::trouble::Trouble;
use super::wire::Wire;
use super::{WRONG, parse_timeout};
use crate::check::say;
use crate::settings::{Endpoint, SerialPort};
use report::Report;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use units::Search;

/// Deadline of an answer over a network, if nobody says otherwise; it grows with what a gateway
/// needs.
const NETWORK_PATIENCE: Duration = Duration::from_millis(300);

/// The same on a serial line; an answer must begin by then.
const LINE_PATIENCE: Duration = Duration::from_millis(200);

/// So many units are asked first where there is more than one way to ask.
const FEW: usize = 16;

/// Long enough for any device after a new connection.
const LONG_AFTER_CONNECT: Duration = Duration::from_secs(1);

/// How a scan is started.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// A link of the configuration by its id, or an address: HOST:PORT, tcp://HOST,
    /// rtu-tcp://HOST:PORT, /dev/serial/by-id/NAME
    link: String,
    /// Unit ids to ask, both ends included
    #[arg(long, value_name = "FIRST..LAST", default_value = "1..247", value_parser = parse_units)]
    units: RangeInclusive<u8>,
    /// The configuration, for links by id [default: andon.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Deadline of each answer, such as "500 ms" [default: short, and longer where a gateway needs it]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    #[command(flatten)]
    line: LineOptions,
    /// On a serial port, try every line setting, and do not stop at the first at which a unit answers
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_units(text: &str) -> Result<RangeInclusive<u8>, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err("unit ids from 0 to 255, such as 1..32 or 17".into()),
    }
}

/// Scans, and prints what came of it: 0 something answers, 1 nothing does, 2 wrong usage.
pub fn command(options: &Options) -> ExitCode {
    let (config, line) = (options.config.as_deref(), options.line);
    let link = link::find(&options.link, config, line)
        .and_then(|link| link.may_have(&options.units).map(|()| link));
    let link = match link {
        Ok(link) => link,
        Err(unknown) => {
            unknown.complain("scan");
            return ExitCode::from(WRONG);
        }
    };
    let scanned = crate::runtime()
        .map_err(|error| format!("the system gives no event loop: {error}"))
        .and_then(|runtime| {
            let scanned = runtime.block_on(scan(link, options));
            scanned.map_err(|trouble| trouble.to_string())
        });
    match scanned {
        Ok(report) => {
            let text = match options.json {
                true => report.to_json().to_string(),
                false => report.to_text().trim_end().to_owned(),
            };
            let said = say(io::stdout(), &text);
            if said.is_ok() && !report.lines.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(why) => {
            eprintln!("andon scan: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The line settings of a port.
const fn form(port: &SerialPort) -> Form {
    Form {
        baud: port.baud,
        parity: port.parity,
        stop_bits: port.stop_bits,
    }
}

/// What was found so far; whoever ends the scan gets this.
#[derive(Debug, Default)]
struct Found {
    /// The units, with the line settings at which they answer on a serial port.
    lines: Vec<(Option<Form>, Search)>,
}

async fn scan(link: Link, options: &Options) -> Result<Report, Trouble> {
    let mut wire = link.wire(link.patience).await?;
    wire.connect().await?;
    let units: Vec<u8> = options.units.clone().collect();
    let mut found = Found::default();
    let progress = Progress::of(units.len() as u64);
    let port = match &link.endpoint {
        Endpoint::Serial(port) if !wire.is_agent() => Some(port),
        _ => None,
    };
    let through_agent = wire.is_agent();
    let all = async {
        match port {
            Some(port) => {
                // Nobody else can open it.
                drop(wire);
                let configured = link.configured.then(|| form(port));
                let forms = lines::forms(configured, options.line);
                let patience = options.timeout.unwrap_or(LINE_PATIENCE);
                let at = |form| Wire::to(address::serial(port.path.clone(), form), patience);
                found
                    .on_lines(&at, &forms, &units, options, &progress)
                    .await
            }
            None => {
                found
                    .on_network(&mut wire, &units, options, &progress)
                    .await
            }
        }
    };
    let ended = tokio::select! {
        ended = all => ended,
        // What was found so far is worth knowing.
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    progress.end();
    ended?;
    Ok(found.report(link, options, through_agent))
}

impl Found {
    /// Asks every unit of an endpoint that needs no more to be known.
    async fn on_network(
        &mut self,
        wire: &mut Wire,
        units: &[u8],
        options: &Options,
        progress: &Progress,
    ) -> Result<(), Trouble> {
        let patience = options.timeout.unwrap_or(NETWORK_PATIENCE);
        // The running agent has other reads to make: nobody gets long from it.
        let learns = options.timeout.is_none() && !wire.is_agent();
        let search = self.line(None, Search::new(patience, learns));
        for id in units {
            progress.step(format!("unit {id}, {} found", search.found.len()));
            search.ask(wire, *id).await?;
        }
        if search.found.is_empty() && wire.connects() {
            // Some devices do not listen for a while after a new connection, and every silence
            // leads to one.
            wire.after_connect = LONG_AFTER_CONNECT;
            let (few, others) = units.split_at(FEW.min(units.len()));
            progress.more(few.len() as u64);
            for id in few {
                progress.step(format!("unit {id} slowly"));
                search.ask(wire, *id).await?;
            }
            if !search.found.is_empty() {
                progress.more(others.len() as u64);
                for id in others {
                    progress.step(format!("unit {id} slowly, {} found", search.found.len()));
                    search.ask(wire, *id).await?;
                }
            }
        }
        let again = search.again();
        progress.more(again.len() as u64);
        for id in again {
            progress.step(format!("unit {id} again, {} found", search.found.len()));
            search.ask(wire, id).await?;
        }
        Ok(())
    }

    /// Tries one line setting after the other: first with a few units each, because most devices
    /// have a low id, then with all the others.
    async fn on_lines(
        &mut self,
        at: &dyn Fn(Form) -> Wire,
        forms: &[Form],
        units: &[u8],
        options: &Options,
        progress: &Progress,
    ) -> Result<(), Trouble> {
        let (few, others) = units.split_at(FEW.min(units.len()));
        // As long as nobody answers, it may take all of it.
        progress.left(forms.len() as u64 * units.len() as u64);
        for (tried, form) in (1..).zip(forms) {
            if self.on_line(at, *form, few, progress).await? {
                let later = if options.all { forms.len() - tried } else { 0 };
                progress.left((others.len() + later * few.len()) as u64);
                self.on_line(at, *form, others, progress).await?;
                if !options.all {
                    return Ok(());
                }
            }
        }
        let heard = self
            .lines
            .iter()
            .any(|(_, search)| !search.found.is_empty());
        if heard || others.is_empty() {
            return Ok(());
        }
        for form in forms {
            if self.on_line(at, *form, others, progress).await? && !options.all {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks some units at one line setting; whether anybody answered at it so far.
    async fn on_line(
        &mut self,
        at: &dyn Fn(Form) -> Wire,
        form: Form,
        units: &[u8],
        progress: &Progress,
    ) -> Result<bool, Trouble> {
        let mut wire = at(form);
        let search = self.line(Some(form), Search::new(wire.patience, false));
        for id in units {
            progress.step(format!(
                "{}, unit {id}, {} found",
                form.shown(),
                search.found.len()
            ));
            search.ask(&mut wire, *id).await?;
        }
        Ok(!search.found.is_empty())
    }

    /// What it came to.
    fn report(self, link: Link, options: &Options, through_agent: bool) -> Report {
        let asked = self
            .lines
            .iter()
            .map(|(_, search)| search.asked.len())
            .max();
        let unreached = self.lines.iter().map(|(_, search)| search.unreached).sum();
        let noise: u32 = self.lines.iter().map(|(_, search)| search.noise).sum();
        let tried = self.lines.len();
        let mut lines = self.lines.into_iter().map(|(form, mut search)| {
            search.found.sort_unstable_by_key(|unit| unit.id);
            (form, search.found)
        });
        let lines: Vec<_> = lines
            .by_ref()
            .filter(|(_, units)| !units.is_empty())
            .collect();
        let mut notes = Vec::new();
        let mut endpoint = link.endpoint.clone();
        if let (Endpoint::Serial(port), Some((Some(at), _))) = (&mut endpoint, lines.first()) {
            if link.configured && form(port) != *at {
                notes.push(format!(
                    "The configuration says {} for link {}, but its units answer at {}.",
                    form(port).shown(),
                    link.id,
                    at.shown()
                ));
            }
            endpoint = address::serial(port.path.clone(), *at);
        }
        if through_agent {
            let line = match link.endpoint {
                Endpoint::Serial(_) => ", at its line settings: no others are tried while it runs",
                _ => "",
            };
            notes.push(format!(
                "The running agent asked, between its own reads{line}."
            ));
        }
        if noise > 0 {
            notes.push(format!(
                "{noise} times something came that was no answer: is another master at work on \
                 this line, or has a unit id been given twice?"
            ));
        }
        let line = lines.first().and_then(|(form, _)| *form);
        let probe = match (link.configured, line) {
            (true, _) => link.id.clone(),
            (false, None) => options.link.clone(),
            (false, Some(form)) => format!("{} {}", link.endpoint, form.options()),
        };
        Report {
            probe,
            place: link.endpoint.to_string(),
            link_section: (!link.configured).then(|| address::section(&link.id, &endpoint)),
            link: link.id,
            lines,
            wanted: options.units.clone().count(),
            asked: asked.unwrap_or(0),
            tried,
            unreached,
            notes,
        }
    }

    /// The search at one line setting, begun if it is not there yet.
    fn line(&mut self, form: Option<Form>, new: Search) -> &mut Search {
        let known = self.lines.iter().position(|(of, _)| *of == form);
        let at = known.unwrap_or_else(|| {
            self.lines.push((form, new));
            self.lines.len() - 1
        });
        &mut self.lines[at].1
    }
}

#[cfg(test)]
mod tests;
