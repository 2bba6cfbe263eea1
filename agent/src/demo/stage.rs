//! Everything on the stage, put up, played and taken down in order.

use super::account::Outcome;
use super::broker::Broker;
use super::line::Line;
use super::options::{Language, Options};
use super::plant;
use super::screen::Screen;
use super::table::{self, View};
use super::watch::Watch;
use super::{DemoError, doing};
use crate::config;
use crate::run::{self, RunError};
use crate::settings::Settings;
use jiff::tz::TimeZone;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch as signal_value};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// The same line each time.
const SEED: u64 = 7;
/// A picture is redrawn this often.
const REDRAW: Duration = Duration::from_secs(1);
/// Without a terminal, a line is written this often.
const LOG_LINE: Duration = Duration::from_secs(10);
/// What the broker has acknowledged reaches the subscriber within this time.
const ARRIVE_WITHIN: Duration = Duration::from_secs(3);

/// The agent promises 5 s; twice that is a bug.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Everything but the agent.
#[derive(Debug)]
pub struct Stage {
    broker: Arc<Broker>,
    line: Line,
    watch: Watch,
    watching: JoinHandle<()>,
    directory: PathBuf,
    config: PathBuf,
    settings: Settings,
}

/// The running agent.
#[derive(Debug)]
pub struct Agent {
    stop: signal_value::Sender<bool>,
    end: oneshot::Receiver<Result<run::Account, RunError>>,
}

impl Stage {
    /// Puts everything up, the agent not yet started.
    pub async fn set(options: &Options) -> Result<Stage, DemoError> {
        let listen = options.listen.unwrap_or(([127, 0, 0, 1], 0).into());
        let broker = Broker::bind(listen).await.map_err(doing(format!(
            "listen on {listen} (`--listen ADDR:PORT` names another address)"
        )))?;
        let broker = Arc::new(broker);
        let temporary = std::env::temp_dir();
        let directory = plant::fresh_directory(&temporary).map_err(doing(format!(
            "make a directory in {}",
            temporary.display()
        )))?;
        log_to(&directory.join(LOG)).map_err(doing("write a log"))?;
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
    pub fn introduction(&self, options: &Options) -> String {
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
    pub fn start_agent(&self) -> Result<Agent, DemoError> {
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
    pub async fn play(
        self,
        options: &Options,
        mut agent: Agent,
        screen: &mut Screen,
    ) -> Result<Outcome, DemoError> {
        let ended_early = self.show(options, &mut agent, screen).await?;
        if ended_early.is_none() {
            screen.say(match options.language {
                Language::En => "\nStopping: the machines halt, the agent closes its books.",
                Language::Zh => "\n正在结束: 设备停机, 采集程序收尾。",
            });
        }
        let outcome = self.finish(ended_early, agent).await;
        self.watching.abort();
        outcome
    }

    /// Halts the machines, stops the agent unless it has ended, and waits for its last records.
    async fn finish(
        &self,
        ended: Option<run::Account>,
        agent: Agent,
    ) -> Result<Outcome, DemoError> {
        let account = match ended {
            Some(account) => account,
            None => {
                self.line.halt().await;
                let _ = agent.stop.send(true);
                let ended = tokio::time::timeout(STOP_WITHIN, agent.end).await;
                self.end_of(ended.map_err(|_| DemoError::Hung(self.directory.join(LOG)))?)?
            }
        };
        let arrive = async {
            while self.watch.seen().received() < account.acknowledged {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // What has not arrived by then is missing, and the outcome says so.
        let _ = tokio::time::timeout(ARRIVE_WITHIN, arrive).await;
        let truth = self.line.truth();
        Ok(Outcome::new(account, &self.watch.seen(), &truth))
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
                Next::Redraw if screen.is_closed() => return Ok(None),
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
        let made = self.line.made();
        let seen = self.watch.seen().clone();
        let zone: &TimeZone = &self.settings.plant.calendar.zone;
        let view = View {
            seen: &seen,
            made: &made,
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
    use crate::demo::watch::Device;

    /// Everything real but the screen: until each machine has told its state and counted parts.
    #[tokio::test]
    async fn what_the_agent_sends_arrives_and_agrees_with_the_machines() {
        let stage = Stage::set(&Options::default()).await.unwrap();
        let agent = stage.start_agent().unwrap();
        let told = |stage: &Stage| {
            let seen = stage.watch.seen();
            let known = |id| {
                let device = seen.devices.get(id);
                device.is_some_and(|device: &Device| device.state == "producing")
            };
            let made = stage.line.made();
            made.iter().all(|(id, made)| known(*id) && made.total() > 1) && seen.received() >= 4
        };
        while !told(&stage) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let outcome = stage.finish(None, agent).await.unwrap();
        assert!(outcome.complete, "{outcome:?}");
        assert!(outcome.agent.stored >= 4, "{outcome:?}");
        assert_eq!(outcome.received, outcome.agent.stored);
        stage.watching.abort();
        std::fs::remove_dir_all(&stage.directory).unwrap();
    }
}
