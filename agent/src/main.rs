//! The `andon` command line.

use andon::alarms::{self, Deed};
use andon::annunciator::{horn, mail, webhook};
use andon::{
    board, check, config, demo, export, memory, probe, run, schema, selftest, sms, status,
};
use clap::{Parser, Subcommand};
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Wrong usage, or a configuration with mistakes.
const USAGE: u8 = 2;

/// Edge agent for factory gateways: fault rate, capacity utilisation, alarms.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the agent
    Run {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = "andon.toml")]
        config: PathBuf,
    },
    /// Show a whole line on this machine: simulated machines, a broker, the real agent
    Demo {
        /// End by itself after this time, as in "60s" or "5 min"
        #[arg(long = "for", value_name = "TIME", value_parser = demo::parse_length)]
        length: Option<Duration>,
        /// Where the broker inside listens [default: a free port of 127.0.0.1]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Print the account as one JSON object, and nothing else on standard output
        #[arg(long)]
        json: bool,
    },
    /// Show how the running agent stands: links, devices, alarms, outbox, clock
    Status {
        /// The configuration it runs with
        #[arg(long, value_name = "FILE", default_value = "andon.toml")]
        config: PathBuf,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// List the alarms of the running agent that are not normal
    Alarms(alarms::Shown),
    /// Acknowledge an alarm: you have seen it and see to it
    Ack(alarms::Ack),
    /// Let a latched alarm go, once it was acknowledged and its condition is gone
    Reset(alarms::One),
    /// Put an alarm aside for some time; it comes back by itself
    Shelve(alarms::Shelve),
    /// Take an alarm off the shelf before its time
    Unshelve(alarms::One),
    /// Switch an alarm off until it is returned
    OutOfService(alarms::ForReason),
    /// Return an alarm to service
    Return(alarms::One),
    /// Call for somebody to a device: material, quality or maintenance
    Call(alarms::Call),
    /// Say that whoever was called has arrived
    Arrived(alarms::One),
    /// Say that what somebody was called for is solved
    Solved(alarms::One),
    /// Stop the sound of all alarms for 10 min; they are still to be acknowledged
    Silence(alarms::Who),
    /// Test the running agent: disk, clock, links, broker, and what is there of modem, board and horn
    Selftest(selftest::Options),
    /// Write what is kept on the gateway as a table: windows with their figures, or what machines did
    Export(export::Options),
    /// List every mistake of a configuration, or what it comes to in memory and on disk
    Check {
        /// The configuration
        file: PathBuf,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Read from a device that nobody knows: every decoding, answer time, configuration to paste
    Probe(probe::Options),
    /// Find the units of a link, read-only
    Scan(probe::scan::Options),
    /// Prove that alarms are heard and seen
    #[command(subcommand)]
    Horn(horn::Options),
    /// Prove that text messages reach people
    #[command(subcommand)]
    Sms(sms::Options),
    /// Show or test the I/O board of the running agent
    #[command(subcommand)]
    Board(board::command::Options),
    /// Prove that robots of groups and programs are reached
    #[command(subcommand)]
    Webhook(webhook::Options),
    /// Print the contract for programs: JSON Schema of every payload, and the AsyncAPI document
    Schema(schema::Options),
    /// Prove that mail reaches people
    #[command(subcommand)]
    Mail(mail::Options),
}

fn main() -> ExitCode {
    memory::stay_small();
    let cli = Cli::parse();
    match cli.command {
        Command::Check { file, json } => check::run(&file, json),
        Command::Run { config } => run_agent(&config),
        Command::Alarms(options) => alarms::list(&options),
        Command::Ack(ack) => alarms::act(Deed::Ack(ack)),
        Command::Reset(one) => alarms::act(Deed::Reset(one)),
        Command::Shelve(shelve) => alarms::act(Deed::Shelve(shelve)),
        Command::Unshelve(one) => alarms::act(Deed::Unshelve(one)),
        Command::OutOfService(reason) => alarms::act(Deed::OutOfService(reason)),
        Command::Return(one) => alarms::act(Deed::Return(one)),
        Command::Call(call) => alarms::act(Deed::Call(call)),
        Command::Arrived(one) => alarms::act(Deed::Arrived(one)),
        Command::Solved(one) => alarms::act(Deed::Solved(one)),
        Command::Silence(who) => alarms::act(Deed::Silence(who)),
        Command::Selftest(options) => selftest::command(&options),
        Command::Export(options) => export::command(&options),
        Command::Probe(options) => probe::command(&options),
        Command::Horn(options) => horn::command(&options),
        Command::Sms(options) => sms::command(&options),
        Command::Board(options) => board::command::command(&options),
        Command::Webhook(options) => webhook::command(&options),
        Command::Schema(options) => schema::command(&options),
        Command::Mail(options) => mail::command(&options),
        Command::Scan(options) => probe::scan::command(&options),
        Command::Status { config, json } => status::command(&config, json),
        Command::Demo {
            length,
            listen,
            json,
        } => demo::command(demo::Options {
            length,
            listen,
            json,
            language: demo::Language::of_environment(),
        }),
    }
}

fn run_agent(file: &std::path::Path) -> ExitCode {
    log_to_stderr();
    let loaded = config::load(file);
    let report = match &loaded {
        Ok(loaded) => &loaded.warnings,
        Err(report) => report,
    };
    // Without anybody to read them the settings are as good, or as bad.
    let _ = check::complain_of(report);
    let Ok(config::Loaded { settings, .. }) = loaded else {
        return ExitCode::from(USAGE);
    };
    let runtime = match andon::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("andon: the system gives no event loop: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(stop_on_signal(stop));
        run::run(settings, stopped).await
    });
    // A blocking call that hangs on a dying disk must not hold up the end.
    runtime.shutdown_background();
    match outcome {
        Ok(account) => {
            tracing::info!(
                "stopped: {} samples ({} bad), {} windows, {} records stored, {} acknowledged, \
                 {} waiting, {} lost",
                account.samples,
                account.bad_samples,
                account.windows,
                account.stored,
                account.acknowledged,
                account.waiting,
                account.lost
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("andon: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn stop_on_signal(stop: watch::Sender<bool>) {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        // The terminal was closed under a run started by hand.
        signal(SignalKind::hangup()),
    ) else {
        tracing::error!("signals cannot be caught; only a kill will stop this run");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    let _ = stop.send(true);
}

/// To standard error, from `info` up; `RUST_LOG` may say otherwise (`debug`, `andon::field=trace`).
fn log_to_stderr() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let wanted = std::env::var("RUST_LOG").ok();
    let filter = wanted
        .as_deref()
        .and_then(|wanted| wanted.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry()
        .with(filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO)))
        .with(lines)
        .init();
}
