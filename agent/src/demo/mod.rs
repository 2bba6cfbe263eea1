//! `andon demo`: a whole press line on one machine, with nothing installed.
//!
//! Three presses that speak Modbus TCP and an oven that speaks MQTT produce, starve, break down,
//! lose their link and lie (`press`, `oven`; on the network in `line`). A broker stands in the
//! middle (`broker`). Between them runs the agent, started like any other from a configuration
//! file (`plant`): nothing in it knows that this is a demo. A subscriber that knows only the topics
//! (`watch`) tells what arrived; it is shown as it happens (`table`, `screen`) and compared at the
//! end with what the machines really made (`account`).

mod account;
mod broker;
mod line;
mod oven;
mod plant;
mod press;
mod screen;
mod script;
mod table;
mod watch;

pub use account::{Outcome, Tally};

use crate::config;
use crate::run::{self, RunError};
use crate::settings::Settings;
use broker::Broker;
use jiff::tz::TimeZone;
use line::Line;
use screen::Screen;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use table::View;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch as signal_value};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use watch::Watch;

/// The same line each time.
const SEED: u64 = 7;
/// A picture is redrawn this often.
const REDRAW: Duration = Duration::from_secs(1);
/// Without a terminal, a line is written this often.
const LOG_LINE: Duration = Duration::from_secs(10);
/// What the broker has acknowledged reaches the subscriber within this time.
const ARRIVE_WITHIN: Duration = Duration::from_secs(3);

/// How the demo is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Ends by itself after this time; otherwise on Ctrl-C.
    pub length: Option<Duration>,
    /// Where the broker listens; a free loopback port by default.
    pub listen: Option<SocketAddr>,
    /// One JSON object on standard output, and everything else on standard error.
    pub json: bool,
    /// Language of what is shown.
    pub language: Language,
}

/// Language of what the demo says. The order is that of all texts that come in pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// As in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh",
        }
    }

    /// The language of the messages on this terminal (POSIX, 8.2): the first of these that is set.
    pub fn of_environment() -> Language {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
        let locale = set.find(|value| !value.is_empty());
        Language::of_locale(&locale.unwrap_or_default())
    }

    /// The language of a locale: Chinese for `zh…`.
    pub fn of_locale(locale: &str) -> Language {
        if locale.starts_with("zh") {
            Language::Zh
        } else {
            Language::En
        }
    }
}

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
        }
    }
}

impl std::error::Error for DemoError {}

/// What was being done when it failed.
fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> DemoError {
    let what = what.into();
    move |error| DemoError::Io { what, error }
}

/// The time of `--for`: a whole number with `s`, `min` or `h`, at most a day.
pub fn parse_length(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 3600;
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim_start();
    let seconds = match unit {
        "s" => Some(1),
        "min" | "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number = digits.parse().ok().filter(|number| *number > 0);
    let length = seconds
        .zip(number)
        .map(|(a, b): (u64, u64)| a.saturating_mul(b));
    match length {
        Some(seconds @ 1..=DAY) => Ok(Duration::from_secs(seconds)),
        _ => Err(String::from(
            "a whole number of s, min or h, at most a day, as in \"60s\" or \"5 min\"",
        )),
    }
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
        screen.say(&format!("\n{}", outcome.to_text(options.language)));
    }
    Ok(outcome)
}

fn print_json(outcome: &Outcome) -> io::Result<()> {
    use io::Write as _;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, outcome)?;
    writeln!(out)
}

/// Everything but the agent.
#[derive(Debug)]
struct Stage {
    broker: Arc<Broker>,
    line: Line,
    watch: Watch,
    watching: JoinHandle<()>,
    directory: PathBuf,
    config: PathBuf,
    settings: Settings,
}

/// The running agent.
struct Agent {
    stop: signal_value::Sender<bool>,
    end: oneshot::Receiver<Result<run::Account, RunError>>,
}

impl Stage {
    async fn set(options: &Options) -> Result<Stage, DemoError> {
        let temporary = std::env::temp_dir();
        let directory = plant::fresh_directory(&temporary).map_err(doing(format!(
            "make a directory in {}",
            temporary.display()
        )))?;
        log_to(&directory.join(LOG)).map_err(doing("write a log"))?;

        let listen = options.listen.unwrap_or(([127, 0, 0, 1], 0).into());
        let broker = Broker::bind(listen).await.map_err(doing(format!(
            "listen on {listen} (`--listen ADDR:PORT` names another address)"
        )))?;
        let broker = Arc::new(broker);
        let line = Line::start(&broker, SEED)
            .await
            .map_err(doing("listen on a free loopback port"))?;
        let watch = Watch::default();
        let watching = tokio::spawn(watch.clone().run(Arc::clone(&broker)));

        let config = directory.join(plant::FILE);
        let text = plant::text(line.addresses(), broker.address(), options.language);
        std::fs::write(&config, text).map_err(doing(format!("write {}", config.display())))?;
        let settings = config::load(&config).map_err(DemoError::Config)?.settings;
        let stage = Stage {
            broker,
            line,
            watch,
            watching,
            directory,
            config,
            settings,
        };
        stage.wait_for_subscriber().await?;
        Ok(stage)
    }

    /// A record published before the subscriber listens would look like a hole.
    async fn wait_for_subscriber(&self) -> Result<(), DemoError> {
        let subscribed = async {
            while !self.broker.is_subscribed("#") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(ARRIVE_WITHIN, subscribed).await;
        waited.map_err(|_| {
            let address = self.broker.address();
            let error = io::ErrorKind::TimedOut.into();
            doing(format!("subscribe to the demo's own broker at {address}"))(error)
        })
    }

    /// What to look at.
    fn introduction(&self, options: &Options) -> String {
        let address = self.broker.address();
        let (ip, port) = (address.ip(), address.port());
        let config = self.config.display();
        let data = self.settings.data_dir.display();
        let log = self.directory.join(LOG);
        let log = log.display();
        let length = options.length.map(|length| length.as_secs());
        match options.language {
            Language::En => {
                let end = length.map_or(String::from("with Ctrl-C"), |seconds| {
                    format!("after {seconds} s, or with Ctrl-C")
                });
                format!(
                    "A press line on this machine: three presses (Modbus TCP) and an oven (MQTT)\n\
                     produce, starve, break down, change tools and stand idle. press-2 loses its\n\
                     link, press-3 resets its counters and shows a status nobody knows, the oven\n\
                     publishes broken JSON, words for numbers and impossible temperatures.\n\
                     The agent reads all this and sends its records to the broker inside.\n\n  \
                     broker         {address}\n  \
                     look at it     mosquitto_sub -h {ip} -p {port} -t 'andon/#' -v\n  \
                     configuration  {config}\n  \
                     data           {data}\n  \
                     agent's log    {log}\n  \
                     ends           {end}\n"
                )
            }
            Language::Zh => {
                let end = length.map_or(String::from("按 Ctrl-C"), |seconds| {
                    format!("{seconds} 秒后, 或按 Ctrl-C")
                });
                format!(
                    "本机上的一条冲压线: 三台冲压机 (Modbus TCP) 和一台回火炉 (MQTT)。\n\
                     它们生产、待料、故障、换型、空闲; press-2 会断线, press-3 会清零计数器并\n\
                     给出无人认识的状态, 回火炉会发出残缺的 JSON、文字代替数字和不可能的温度。\n\
                     采集程序读取这一切, 并把记录发到内置的 broker。\n\n  \
                     broker    {address}\n  \
                     查看      mosquitto_sub -h {ip} -p {port} -t 'andon/#' -v\n  \
                     配置文件  {config}\n  \
                     数据目录  {data}\n  \
                     日志      {log}\n  \
                     结束      {end}\n"
                )
            }
        }
    }

    /// Starts the agent on a thread of its own, as it has a process of its own elsewhere.
    fn start_agent(&self) -> Result<Agent, DemoError> {
        let (stop, stopped) = signal_value::channel(false);
        let (ended, end) = oneshot::channel();
        let settings = self.settings.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(doing("start the agent"))?;
        std::thread::Builder::new()
            .name(String::from("agent"))
            .spawn(move || {
                let account = runtime.block_on(run::run(settings, stopped));
                // Nobody waits for it only when the demo itself has failed.
                let _ = ended.send(account);
            })
            .map_err(doing("start the agent"))?;
        Ok(Agent { stop, end })
    }

    /// Shows the line until its end, then stops everything in order and draws the account.
    async fn play(
        self,
        options: &Options,
        mut agent: Agent,
        screen: &mut Screen,
    ) -> Result<Outcome, DemoError> {
        let ended_early = self.show(options, &mut agent, screen).await?;
        let account = match ended_early {
            Some(account) => account,
            None => {
                self.line.halt().await;
                self.picture(options.language, screen);
                let _ = agent.stop.send(true);
                self.end_of(agent.end.await)?
            }
        };
        let arrive = async {
            while self.watch.seen().received() < account.acknowledged {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // What has not arrived by then is missing, and the outcome says so.
        let _ = tokio::time::timeout(ARRIVE_WITHIN, arrive).await;
        self.watching.abort();
        Ok(Outcome::new(
            account,
            &self.watch.seen(),
            &self.line.truth(),
        ))
    }

    /// Redraws until the time is over or somebody stops it; the account if the agent ended first.
    async fn show(
        &self,
        options: &Options,
        agent: &mut Agent,
        screen: &mut Screen,
    ) -> Result<Option<run::Account>, DemoError> {
        enum Next {
            Redraw,
            Stop,
            Ended(Ended),
        }
        let period = if screen.is_terminal() {
            REDRAW
        } else {
            LOG_LINE
        };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(doing("wait for Ctrl-C"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(doing("wait for SIGTERM"))?;
        let mut redraw = tokio::time::interval_at(Instant::now() + REDRAW, period);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let time = async {
            match options.length {
                Some(length) => tokio::time::sleep(length).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(time);
        loop {
            let next = tokio::select! {
                () = &mut time => Next::Stop,
                _ = interrupt.recv() => Next::Stop,
                _ = terminate.recv() => Next::Stop,
                ended = &mut agent.end => Next::Ended(ended),
                _ = redraw.tick() => Next::Redraw,
            };
            match next {
                Next::Redraw => self.picture(options.language, screen),
                Next::Stop => return Ok(None),
                Next::Ended(ended) => return self.end_of(ended).map(Some),
            }
        }
    }

    fn end_of(&self, ended: Ended) -> Result<run::Account, DemoError> {
        let ended = ended.map_err(|_| DemoError::Panicked(self.directory.join(LOG)))?;
        ended.map_err(DemoError::Run)
    }

    fn picture(&self, language: Language, screen: &mut Screen) {
        let truth = self.line.truth();
        let seen = self.watch.seen().clone();
        let zone: &TimeZone = &self.settings.plant.calendar.zone;
        let view = View {
            seen: &seen,
            truth: &truth,
            now: crate::clock::now().wall,
            zone,
            language,
        };
        if screen.is_terminal() {
            let (width, _) = screen.size();
            screen.draw(&table::render(&view, width, screen.has_colour()));
        } else {
            screen.say(&table::one_line(&view));
        }
    }
}

/// How the agent's thread ended: no message if it panicked.
type Ended = Result<Result<run::Account, RunError>, oneshot::error::RecvError>;

/// Name of the log in the directory.
const LOG: &str = "andon.log";

/// The agent's log goes to a file: on the terminal it would tear the table.
fn log_to(path: &Path) -> io::Result<()> {
    let file = std::fs::File::create(path)?;
    // An error means that the caller has a log of its own.
    let _ = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_read_as_durations_are_written_elsewhere() {
        for (text, seconds) in [("60s", 60), ("60 s", 60), ("5 min", 300), ("1 h", 3600)] {
            assert_eq!(parse_length(text), Ok(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "60",
            "s",
            "0 s",
            "-1 s",
            "1.5 h",
            "2 days",
            "25 h",
            "99999999999999999999 h",
        ] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_chinese_locale_speaks_chinese() {
        assert_eq!(Language::of_locale("zh_CN.UTF-8"), Language::Zh);
        assert_eq!(Language::of_locale("en_GB.UTF-8"), Language::En);
        assert_eq!(Language::of_locale("C"), Language::En);
    }
}
