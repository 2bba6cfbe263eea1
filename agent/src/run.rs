//! `andon run`: the engine in one task, the drivers around it.
//!
//! The order of a run: lock the data directory, listen, start reading, open the outbox meanwhile,
//! build the engine from its checkpoint and the history, start the way up. At the end: stop reading, close the windows as
//! open (a checkpoint), commit, say goodbye, close the outbox.

mod ask;
mod command;
mod known_time;
mod metrics;
mod notices;
mod order;
mod own;
mod refusals;
mod selftest;
mod shift;

pub use ask::{Ask, Asks, NoAnswer, Question};
pub use command::{Commanded, Wanted};
pub use notices::{Closed, Desk, Desks, InHand, Word};
pub use order::{Given, NotDone, Order, Orders};
pub use own::{OwnReports, Tester};
pub use refusals::{Refusals, Remote};
pub use selftest::{Part, SelfTest, Verdict};

use crate::annunciator::horn::{self, Horns};
use crate::annunciator::sms::{self, Texts, Worker};
use crate::annunciator::{self, Setups, Speaker};
use crate::board::{self, Watched};
use crate::clock;
use crate::control;
use crate::field::{self, MissingPort};
use crate::history::{self, History, Limits};
use crate::http::{self, Acting, Door, Scripts};
use crate::plan;
use crate::settings::{Payload, Settings, Upstream};
use crate::sms::PIN_REFUSED;
use crate::store::{self, OpenError, StartError, Store};
use crate::upstream::sparkplug::{self, Names};
use crate::upstream::{self, CurrentValues, Parts, Reach, Uplink};
use andon_core::annunciate::Channel;
use andon_core::engine::{Engine, Left};
use andon_core::modbus::plan::Plan;
use andon_core::own::Own;
use andon_core::plant::Plant;
use andon_core::record::Run;
use andon_core::time::Now;
use ask::Beside;
use shift::{OutboxEnded, Shift, Told, Watches};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Field → engine: when this many messages wait, the drivers wait too; polling slows, and says so.
pub const FIELD_QUEUE: usize = 1024;

/// Losses told by the way up; when full, the record that cannot be sent waits.
const LOSS_QUEUE: usize = 64;

/// How long a stop lets the broker take what has just been committed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a stop waits for the way up to say goodbye, and for the outbox to close.
const PARTING: Duration = Duration::from_millis(2_700);
const CLOSING: Duration = Duration::from_secs(1);

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Account {
    /// Samples of tags, good and bad.
    pub samples: u64,
    /// Those that were bad.
    pub bad_samples: u64,
    /// Windows closed.
    pub windows: u64,
    /// Records on disk, of this run.
    pub stored: u64,
    /// Records that the broker acknowledged in this run, earlier runs' included.
    pub acknowledged: u64,
    /// Records that wait on disk for the next run.
    pub waiting: u64,
    /// Records lost.
    pub lost: u64,
}

/// Why the agent could not run.
#[derive(Debug)]
pub enum RunError {
    /// The data directory cannot be used.
    Start(StartError),
    /// A serial port that must be there is not.
    Port(MissingPort),
    /// The outbox cannot be opened.
    Open(OpenError),
    /// Nothing can listen where `[http]` says.
    Listen(http::ListenError),
    /// The outbox ended by itself.
    OutboxEnded,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Start(error) => error.fmt(f),
            RunError::Port(error) => error.fmt(f),
            RunError::Open(error) => error.fmt(f),
            RunError::Listen(error) => error.fmt(f),
            RunError::OutboxEnded => f.write_str(
                "the outbox has stopped by itself; what was stored is safe, start the agent again",
            ),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs until `stop` becomes true; then closes orderly, within 5 s.
pub async fn run(settings: Settings, stop: watch::Receiver<bool>) -> Result<Account, RunError> {
    for section in &settings.not_active {
        tracing::warn!("not active: {}: {}", section.section, section.why);
    }
    field::check_ports(&settings).map_err(RunError::Port)?;
    let start = store::begin(&settings.data_dir, settings.plant.cfg).map_err(RunError::Start)?;
    known_time::recall(&settings.data_dir);
    let mut listeners = Vec::new();
    if let Some(http) = &settings.http {
        let listener = http::listen(&http.host, http.port).await;
        listeners.push(listener.map_err(RunError::Listen)?);
    }
    let control = control::listen(&settings.data_dir);
    let (control, _socket) = control.unzip();
    listeners.extend(control);
    let plant = Arc::new(settings.plant.clone());
    let plan = Arc::new(Plan::new(&plant));
    let (from_field, field_queue) = mpsc::channel(FIELD_QUEUE);
    let (asks, ask_queue) = Asks::channel();
    let (orders, order_queue) = Orders::channel();
    let (mut desks, word_queue) = Desks::new();
    let own = OwnReports::new();
    let (texts, _texting) = text_messages(&settings, &mut desks, &own, &stop);
    let scripts = Scripts::open(&settings, &from_field, stop.clone()).await;
    // Held here too, so that a gateway without links runs all the same.
    let open = from_field.clone();
    // Whatever sounds is off before the links end, and they before the engine does.
    let (stop_others, others_stopped) = watch::channel(false);
    let until = others_stopped.clone();
    let mut field = field::start(&settings, Arc::clone(&plan), from_field, until);
    let (tell_horns, horns) = Horns::new(plant.horns.len());
    let (pulse, pulses) = watch::channel(0);
    let mut drivers = horn::start(&settings, &horns, &field.errands, &stop);
    let watched = Watched {
        horn: drivers.boards.pop(),
        pulse: pulses,
    };
    let board = board::start(&settings, &open, watched, &others_stopped, &mut field.tasks);
    let outputs = drivers.health.clone();
    if !drivers.trials.is_empty() {
        tokio::spawn(drivers.trials.work(own.tester(Own::HornTest)));
    }
    horn::end_before(drivers.tasks, stop.clone(), stop_others);
    let selftest = SelfTest::new(
        asks.clone(),
        own.clone(),
        board.clone(),
        texts.clone(),
        settings.data_dir.clone(),
    );
    let mut nights = JoinSet::new();
    nights.spawn(known_time::keep(settings.data_dir.clone()));
    if let Some(minute) = settings.selftest {
        let zone = plant.calendar.zone.clone();
        nights.spawn(selftest.clone().every_night(minute, zone));
    }
    let refusals = Refusals::default();
    let acting = Acting::open(settings.http.as_ref(), &refusals).await;
    let door = Door {
        asks: asks.clone(),
        orders,
        selftest,
        plant: Arc::clone(&plant),
        scripts: Arc::new(scripts),
        errands: field.errands.clone(),
        board,
        texts: texts.clone(),
        acting: acting.map(Arc::new),
    };
    // From here on the door is open; what it is asked waits until there is an engine.
    let _serving = http::start(listeners, door, &stop);

    // What only the start needs is not kept for the rest of the run.
    let limits = plan::history(&settings);
    let Settings {
        upstream,
        data_dir,
        disk_budget,
        webhooks,
        mail,
        ..
    } = settings;
    let of_history: u64 = limits.logs.iter().map(|log| log.bytes).sum();
    let late = plant.devices.iter().map(|device| device.late_ms);
    let options = store::Options {
        start,
        budget: disk_budget.saturating_sub(of_history),
        late_ms: late.max().unwrap_or(0),
    };
    let (store, opened) = open_store(options).await?;
    let run = opened.run;
    tracing::info!(
        "run {}, boot {}: {} devices, {} reads, {} records wait",
        andon_core::message::run_id(&run),
        run.boot,
        plant.devices.len(),
        plan.reads.len(),
        opened.waiting,
    );
    let now = clock::now();
    if opened.checkpoint_is_old {
        tracing::error!(
            "the newest checkpoint was damaged: alarms go on from an earlier one, open windows are \
             lost and counting begins anew"
        );
    }
    let before = Before {
        checkpoint: opened.checkpoint,
        is_old: opened.checkpoint_is_old,
        data_dir: data_dir.clone(),
        limits,
    };
    let (engine, history) = begin(Arc::clone(&plant), plan, run, now, before).await;

    let current = CurrentValues::open(&data_dir, &plant.gateway);
    let waits_for_clock = engine.waits_for_clock();
    let (to_uplink, health) = watch::channel(Shift::health(&engine));
    let (losses, loss_queue) = mpsc::channel(LOSS_QUEUE);
    tokio::spawn(horn::watch_over(outputs.clone(), own.clone()));
    let (reach, reached) = watch::channel(Reach::Trying);
    let (hang_up, hung_up) = watch::channel(false);
    let (tell_lost, sparkplug) = sparkplug(&upstream, &plant, &data_dir).unzip();
    let mut tellers = JoinSet::new();
    let (commanded, command_queue) = mpsc::channel(command::ROOM);
    let head = andon_core::message::topic_head(&plant.gateway);
    let commands = upstream.commands.as_ref();
    let ear = upstream::command::open(commands, &head, commanded, &refusals, &mut tellers).await;
    let uplink = Uplink::new(Parts {
        settings: upstream,
        gateway: plant.gateway.clone(),
        run,
        store: store.clone(),
        current: current.clone(),
        health,
        waits_for_clock,
        losses,
        reach,
        own: own.clone(),
        sparkplug,
        ear,
    });
    let speaker = Speaker {
        gateway: plant.gateway.id.clone(),
        run: andon_core::message::run_id(&run),
        asks,
        setups: Setups::new(own.clone()),
    };
    annunciator::start(&mut tellers, webhooks, mail, &mut desks, &speaker);
    let shift = Shift::new(
        engine,
        store.clone(),
        history,
        current,
        Watches {
            health: to_uplink,
            lost: tell_lost,
            horns: tell_horns,
            pulse,
        },
        Beside {
            began: now.mono,
            reach: reached.clone(),
            meters: field.meters,
            outputs,
            desks,
            own,
            texts,
            refusals,
        },
        opened.losses,
    );
    let uplink = tokio::spawn(uplink.run(hung_up));

    let told = Told {
        journal: loss_queue,
        asks: ask_queue,
        orders: order_queue,
        commands: command_queue,
        words: word_queue,
    };
    let tally = shift.work(field_queue, told, others_stopped).await;
    tellers.shutdown().await;
    field.tasks.shutdown().await;
    if *reached.borrow() == Reach::Reached {
        drained(&store).await;
    }
    let _ = hang_up.send(true);
    part(uplink).await;
    let tally = tally.map_err(|OutboxEnded| RunError::OutboxEnded)?;
    let view = store.view().borrow().clone();
    if tokio::time::timeout(CLOSING, store.close()).await.is_err() {
        tracing::warn!("the outbox did not close in time; what was committed is safe");
    }
    Ok(Account {
        samples: tally.samples,
        bad_samples: tally.bad_samples,
        windows: tally.windows,
        stored: view.stored,
        acknowledged: view.acknowledged,
        waiting: view.waiting,
        lost: view.lost,
    })
}

/// What the way up needs to speak Sparkplug, if it is to, and where it is told of lost devices.
fn sparkplug(
    upstream: &Upstream,
    plant: &Arc<Plant>,
    data_dir: &Path,
) -> Option<(watch::Sender<Arc<[bool]>>, sparkplug::Parts)> {
    let Payload::Sparkplug {
        group,
        primary_host,
    } = &upstream.payload
    else {
        return None;
    };
    // Each is lost until something good is known of it.
    let (tell, lost) = watch::channel(vec![true; plant.devices.len()].into());
    let parts = sparkplug::Parts {
        names: Names::new(&plant.gateway, group.as_deref(), primary_host.as_deref()),
        plant: Arc::clone(plant),
        lost,
        data_dir: data_dir.to_path_buf(),
    };
    Some((tell, parts))
}

/// The worker of text messages, if there is a modem; it ends with the set.
fn text_messages(
    settings: &Settings,
    desks: &mut Desks,
    own: &OwnReports,
    stop: &watch::Receiver<bool>,
) -> (Option<Texts>, JoinSet<()>) {
    let mut tasks = JoinSet::new();
    let texts = settings.sms.clone().map(|sms| {
        let (worker, texts) = Worker::new(sms::Parts {
            settings: sms,
            gateway: settings.plant.gateway.id.to_string(),
            refused: settings.data_dir.join(PIN_REFUSED),
            desk: desks.desk(Channel::Sms),
            tester: own.tester(Own::Modem),
            stop: stop.clone(),
        });
        tasks.spawn(worker.run());
        tasks.spawn(sms::watch_over(texts.health.clone(), own.clone()));
        texts
    });
    (texts, tasks)
}

async fn open_store(options: store::Options) -> Result<(Store, store::Opened), RunError> {
    let opened = tokio::task::spawn_blocking(move || store::open(options)).await;
    match opened {
        Ok(opened) => opened.map_err(RunError::Open),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// What a run before has left.
struct Before {
    checkpoint: Option<Vec<u8>>,
    is_old: bool,
    data_dir: PathBuf,
    limits: Limits,
}

/// The engine, going on from what is left. Reading the history takes a moment and is not done here.
async fn begin(
    plant: Arc<Plant>,
    plan: Arc<Plan>,
    run: Run,
    now: Now,
    before: Before,
) -> (Engine, History) {
    let begun = tokio::task::spawn_blocking(move || {
        let left = before.checkpoint.as_deref().map(|checkpoint| {
            if before.is_old {
                Left::Earlier(checkpoint)
            } else {
                Left::Newest(checkpoint)
            }
        });
        let last_page = left.and_then(|left| left.last_page());
        let opened = history::open(&before.data_dir, before.limits, last_page);
        let history = opened.unwrap_or_else(|error| {
            tracing::error!(
                "the history cannot be opened: {error}; nothing is kept in this run, and the open \
                 hours, shifts and days begin anew"
            );
            History::none()
        });
        let past = history.past(plant.reach_of_minutes());
        let engine = Engine::with_history(plant, plan, run, now, left, past);
        (engine, history)
    });
    match begun.await {
        Ok(begun) => begun,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Waits for the broker to take what waits, for a moment.
async fn drained(store: &Store) {
    let mut view = store.view();
    let empty = view.wait_for(|view| view.waiting == 0);
    let _ = tokio::time::timeout(LAST_WORDS, empty).await;
}

async fn part(uplink: JoinHandle<()>) {
    let abort = uplink.abort_handle();
    match tokio::time::timeout(PARTING, uplink).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("the way up ended by itself: {error}"),
        Err(_) => abort.abort(),
    }
}
