//! `andon demo`: a whole press line on one machine, with nothing installed.
//!
//! Three presses that speak Modbus TCP and an oven that speaks MQTT produce, starve, break down,
//! lose their link and lie (`press`, `oven`; on the network in `line`). A broker stands in the
//! middle (`broker`). Between them runs the agent, started like any other from a configuration
//! file (`plant`): nothing in it knows that this is a demo. A subscriber that knows only the topics
//! (`watch`) tells what arrived; it is shown as it happens (`table`, `screen`) and compared at the
//! end with what the machines really made (`account`). `stage` puts all this up and takes it down.

mod account;
mod broker;
mod line;
mod options;
mod oven;
mod plant;
mod press;
mod screen;
mod script;
mod stage;
mod table;
mod watch;

pub use account::{Outcome, Tally};
pub use options::{Language, Options, parse_length};

use crate::config;
use crate::run::RunError;
use screen::Screen;
use stage::{STOP_WITHIN, Stage};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why there was no demo, or none that came to its end.
#[derive(Debug)]
pub enum DemoError {
    /// Something that the demo itself needs.
    Io {
        /// What it was doing.
        what: String,
        /// Why not.
        error: io::Error,
    },
    /// The agent refuses the demo's own configuration.
    Config(config::Report),
    /// The agent could not run.
    Run(RunError),
    /// The agent panicked; its log says where.
    Panicked(PathBuf),
    /// The agent was told to stop and did not; its log says what it was doing.
    Hung(PathBuf),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DemoError::Io { what, error } => write!(f, "cannot {what}: {error}"),
            DemoError::Config(report) => f.write_str(&report.render(false)),
            DemoError::Run(error) => error.fmt(f),
            DemoError::Panicked(log) => {
                write!(f, "the agent stopped by a bug; see {}", log.display())
            }
            DemoError::Hung(log) => write!(
                f,
                "the agent did not stop within {} s; see {}",
                STOP_WITHIN.as_secs(),
                log.display()
            ),
        }
    }
}

impl std::error::Error for DemoError {}

/// What was being done when it failed.
fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> DemoError {
    let what = what.into();
    move |error| DemoError::Io { what, error }
}

/// [`demo`] as a command: 0 done and complete, 1 failed, lost or missing.
pub fn command(options: Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(demo(options)),
        Err(error) => Err(doing("start")(error)),
    };
    match outcome {
        Ok(outcome) if outcome.complete => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("andon demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo to its end and shows it; the outcome says whether anything is lost or missing.
///
/// Installs the log (in a file beside the configuration) unless the caller has installed one.
pub async fn demo(options: Options) -> Result<Outcome, DemoError> {
    let mut screen = Screen::new(options.json);
    let stage = Stage::set(&options).await?;
    screen.say(&stage.introduction(&options));
    let agent = stage.start_agent()?;
    let outcome = stage.play(&options, agent, &mut screen).await?;
    if options.json {
        print_json(&outcome).map_err(doing("write the account to standard output"))?;
    } else {
        screen.say(&outcome.to_text(options.language));
    }
    Ok(outcome)
}

fn print_json(outcome: &Outcome) -> io::Result<()> {
    use io::Write as _;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, outcome)?;
    writeln!(out)
}
