//! `andon probe`: what an unknown device has to say, and how it wants to be asked.
//!
//! It reads some addresses several times ([`collect`]), finds out which of them exist ([`cut`])
//! and how fast the device may be asked ([`pace`]), judges what the registers mean ([`plausible`])
//! and shows every decoding, the judgement and configuration to paste ([`report`]). Nothing is
//! ever written: only reads can be expressed here ([`wire`]).

mod address;
mod collect;
mod cut;
mod found;
mod link;
mod pace;
pub mod plausible;
mod progress;
mod report;
pub mod scan;
mod span;
mod table;
mod toml;
mod trouble;
mod values;
mod wire;

pub use span::Span;
pub use trouble::Trouble;

use crate::check::say;
use crate::clock;
use address::LineOptions;
use link::Link;
use report::Report;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use table::Detail;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// Between two readings, so that what moves is seen to move.
const REST: Duration = Duration::from_millis(700);

/// How a probe is started.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// A link of the configuration by its id, or an address: HOST:PORT, tcp://HOST,
    /// rtu-tcp://HOST:PORT, /dev/serial/by-id/NAME
    link: String,
    /// Modbus unit id
    #[arg(long, value_name = "N")]
    unit: u8,
    /// What to read: TABLE:FIRST..LAST, both ends included, tables coil, discrete, holding, input;
    /// may be given several times
    #[arg(long, value_name = "RANGE", required = true)]
    at: Vec<Span>,
    /// The configuration, for links by id [default: andon.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Deadline of each answer, such as "500 ms" [default: that of the link, or 1 s]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    #[command(flatten)]
    line: LineOptions,
    /// How often to read, to see what moves
    #[arg(long, value_name = "TIMES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    readings: u32,
    /// Show only the lines in which something is plausible
    #[arg(long, conflicts_with = "all")]
    short: bool,
    /// Show also the decodings of four registers in which nothing is plausible
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Options {
    const fn detail(&self) -> Detail {
        match (self.short, self.all) {
            (true, _) => Detail::Short,
            (_, true) => Detail::All,
            _ => Detail::Usual,
        }
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let ms = crate::config::parse_ms(text).filter(|ms| (10..=60_000).contains(ms));
    let ms = ms.ok_or("a time from 10 ms to 1 min, such as \"500 ms\" or \"2 s\"")?;
    Ok(Duration::from_millis(ms))
}

/// Probes, and prints what came of it: 0 done, 1 the device could not be asked, 2 wrong usage.
pub fn command(options: &Options) -> ExitCode {
    let (config, line) = (options.config.as_deref(), options.line);
    let link = link::find(&options.link, config, line)
        .and_then(|link| link.may_have(&(options.unit..=options.unit)).map(|()| link));
    let link = match link {
        Ok(link) => link,
        Err(unknown) => {
            unknown.complain("probe");
            return ExitCode::from(WRONG);
        }
    };
    let probed = crate::runtime()
        .map_err(|error| format!("the system gives no event loop: {error}"))
        .and_then(|runtime| {
            let probed = runtime.block_on(probe(link, options));
            probed.map_err(|trouble| trouble.to_string())
        });
    match probed {
        Ok(report) => {
            let text = match options.json {
                true => report.to_json().to_string(),
                false => report.to_text(options.detail()).trim_end().to_owned(),
            };
            say(io::stdout(), &text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(why) => {
            eprintln!("andon probe: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Asks the device.
async fn probe(link: Link, options: &Options) -> Result<Report, Trouble> {
    let patience = options.timeout.unwrap_or(link.patience);
    let unit = options.unit;
    let mut wire = link.wire(patience).await?;
    let spans = span::merged(&options.at);
    let mut after_ms = None;
    if let Some(first) = spans.first() {
        after_ms = pace::greet(&mut wire, unit, *first, &link).await?;
    }
    let collected = collect::collect(&mut wire, unit, &spans, options.readings, REST).await?;
    let paced = match collected.longest {
        Some(span) if !wire.is_agent() => {
            let longest = collected.times_us.iter().max().copied().unwrap_or(0);
            Some(pace::measure(&mut wire, unit, span, longest).await?)
        }
        _ => None,
    };
    Ok(Report {
        place: link.endpoint.to_string(),
        link_section: link.section(),
        link: link.id,
        unit,
        collected,
        paced,
        after_ms,
        through_agent: wire.is_agent(),
        now_ms: u64::try_from(clock::now().wall.0).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
