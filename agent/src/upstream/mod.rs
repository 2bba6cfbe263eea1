//! The way up: records from the outbox to the broker, current values beside them.
//!
//! What it promises:
//!
//! - A record leaves the outbox only when the broker has acknowledged exactly that publish.
//! - Records go in the order of the outbox within their topic and lane, live ones before the backlog and
//!   events before windows ([`lanes`]), and after any error again from its head; so each arrives at
//!   least once, and (`gateway`, `run`, `seq`) tells the second copy.
//! - Until the wall clock has been set once in this run, what the run has summed up waits, a day at
//!   most; events do not. Then it goes with its right times, beside what is made since.
//! - On every connection all current values that hold come first, then records.
//! - A broker that accepts the connection and then acknowledges nothing is given up after
//!   `ack_timeout`, as if it had closed the connection.
//! - A record that can never be sent is set aside and told, and holds up no other.
//! - Brokers are tried in turn (`turn`). Files that were replaced are taken up by a new connection,
//!   once what is on its way has been acknowledged; if they cannot be used, the old one goes on.
//! - While the clock is not set, TLS waits for it for a moment, and is tried again when it is.
//! - At a stop `status` says `offline`, within [`GOODBYE`], whatever the broker does.

pub mod command;
mod current;
mod files;
mod handover;
mod inflight;
mod lanes;
mod link;
pub mod sparkplug;
mod status;
mod turn;
mod twin;

pub use current::CurrentValues;
pub use status::Health;

use crate::broker;
use crate::clock;
use crate::run::OwnReports;
use crate::settings::{self, Broker};
use crate::store::{Position, Store, View};
use crate::tls::{self, FileError};
use andon_core::message::topic_head;
use andon_core::plant::Gateway;
use andon_core::record::{Event, Run};
use andon_core::time::ClockState;
use bytes::Bytes;
use command::Ear;
use current::STATUS;
use files::Files;
use lanes::Lanes;
use link::{Cargo, Connection, News, Topics};
use rumqttc::{LastWill, MqttOptions, QoS};
use sparkplug::{Edge, LARGEST_BIRTH};
use status::{Pace, Progress, Speaker};
use std::future::pending;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turn::Turn;
use twin::Twin;

/// How long a stop waits for the broker to take the last `status`.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a stop waits for DISCONNECT to leave.
const HANG_UP: Duration = Duration::from_millis(500);
/// The longest pause after the first failed connection; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long TLS waits for the clock to be set, once: by one that is not, no certificate can be judged.
const CLOCK_PATIENCE: Duration = Duration::from_secs(60);
/// How long summaries wait for the clock to be set.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);
/// The widest window that stays well under what rumqttc lets be on its way.
const WIDEST_WINDOW: u16 = 64;

/// Whether the broker takes what it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nothing is known yet.
    Trying,
    /// It acknowledges.
    Reached,
    /// It does not; why, and what to check.
    Unreachable(String),
}

/// What the uplink is made of.
#[derive(Debug)]
pub struct Parts {
    /// How to connect, and the limits.
    pub settings: settings::Upstream,
    /// Who this gateway is; its id is the MQTT client id.
    pub gateway: Gateway,
    /// This run.
    pub run: Run,
    /// Where the records wait.
    pub store: Store,
    /// The current values.
    pub current: CurrentValues,
    /// How the gateway is; part of `status`.
    pub health: watch::Receiver<Health>,
    /// The wall clock has not been set since the start.
    pub waits_for_clock: bool,
    /// Where `loss` events go that the engine must record. When it is full, a record that cannot
    /// be sent waits, and those behind it too.
    pub losses: mpsc::Sender<Event>,
    /// Where it is told whether the broker is reached.
    pub reach: watch::Sender<Reach>,
    /// Where another gateway with the same id is reported.
    pub own: OwnReports,
    /// What it takes to speak Sparkplug instead of JSON.
    pub sparkplug: Option<sparkplug::Parts>,
    /// Where commands are heard, if any may come.
    pub ear: Option<Ear>,
}

/// The driver of the way up.
#[derive(Debug)]
pub struct Uplink {
    parts: Parts,
    head: String,
    turn: Turn,
    /// The files of this connection, if it has any, and when they are looked at again.
    files: Option<(Files, Instant)>,
    /// TLS has waited for the clock.
    waited: bool,
    view: watch::Receiver<View>,
    pace: Pace,
    /// Connections that failed since the last acknowledgement.
    failures: u32,
    /// When `status` is due again.
    status_due: Option<Instant>,
    /// No records before this: the disk or the engine could not do its part.
    records_rest_until: Option<Instant>,
    /// Why, until records have gone again.
    resting_for: Option<String>,
    /// Summaries of this run wait for the clock to be set, until then at most.
    hold_until: Option<Instant>,
    /// Not all that waits has been looked at: there may be events behind summaries that are held.
    looks_on: bool,
    /// What of the outbox goes over this connection next.
    lanes: Lanes,
    /// The first and the last record that was read and held, and has not been read again.
    held: Option<(Position, Position)>,
    /// The backlog rests until then, for its rate.
    replay_at: Option<Instant>,
    twin: Twin,
    /// The edge node, if Sparkplug is spoken.
    edge: Option<Box<Edge>>,
}

/// One connection's life; each mode is a method that returns the next.
enum Mode {
    Connecting,
    Serving(Box<Connection>),
    Renewing(Box<Connection>),
    Pausing(String),
    Parting(Box<Connection>),
    /// The primary host has gone, or is not there.
    Leaving(Box<Connection>),
    Over,
}

/// Why a mode goes on.
enum Wake {
    Stop,
    News(News),
    Stalled,
    Listen,
    Files,
    /// The primary host is not to be found at this broker.
    HostAway,
    Look,
}

impl Uplink {
    /// Connects nowhere yet.
    pub fn new(mut parts: Parts) -> Uplink {
        parts.settings.window = parts.settings.window.clamp(1, WIDEST_WINDOW);
        let edge = parts.sparkplug.take().map(Edge::new).map(Box::new);
        if edge.is_some() {
            parts.current.do_not_retain();
        }
        Uplink {
            head: topic_head(&parts.gateway),
            turn: Turn::new(&parts.settings),
            files: None,
            waited: false,
            view: parts.store.view(),
            pace: Pace::default(),
            failures: 0,
            status_due: None,
            records_rest_until: None,
            resting_for: None,
            hold_until: parts.waits_for_clock.then(|| Instant::now() + LONGEST_HOLD),
            looks_on: false,
            lanes: Lanes::new(None, parts.settings.replay, Instant::now()),
            held: None,
            replay_at: None,
            twin: Twin::new(&parts.run, parts.own.clone()),
            edge,
            parts,
        }
    }

    /// Runs until `stop` becomes true, then says goodbye.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut mode = Mode::Connecting;
        loop {
            mode = match mode {
                Mode::Connecting => self.connecting(&mut stop).await,
                Mode::Serving(connection) => self.serving(connection, &mut stop).await,
                Mode::Renewing(connection) => self.renewing(connection, &mut stop).await,
                Mode::Pausing(why) => self.pausing(why, &mut stop).await,
                Mode::Parting(connection) => self.parting(connection).await,
                Mode::Leaving(connection) => self.leaving(connection, &mut stop).await,
                Mode::Over => return,
            };
        }
    }

    async fn connecting(&mut self, stop: &mut watch::Receiver<bool>) -> Mode {
        tokio::select! {
            () = stopped(stop) => Mode::Over,
            opened = self.open_in_time() => match opened {
                Ok(mut connection) => {
                    if let Some(edge) = &mut self.edge {
                        let has_others = self.turn.has_others();
                        edge.connected(&mut connection, &self.turn.address(), has_others);
                    } else if self.twin.connected() {
                        connection.listen(Topics::Status, format!("{}/{STATUS}", self.head));
                    }
                    self.parts.ear.iter_mut().for_each(Ear::connected);
                    self.pace = Pace::default();
                    let newest = self.view.borrow().newest;
                    self.lanes = Lanes::new(newest, self.parts.settings.replay, Instant::now());
                    self.held = None;
                    self.parts.current.connected();
                    Mode::Serving(Box::new(connection))
                }
                Err(why) => Mode::Pausing(why),
            },
        }
    }

    async fn serving(
        &mut self,
        mut connection: Box<Connection>,
        stop: &mut watch::Receiver<bool>,
    ) -> Mode {
        loop {
            self.hand_over(&mut connection).await;
            match self.wake(&mut connection, stop).await {
                Wake::Stop => return Mode::Parting(connection),
                Wake::News(News::Delivered(cargo)) => self.delivered(cargo),
                Wake::News(News::Heard {
                    topic,
                    payload,
                    retained,
                }) => {
                    if self.heard(topic, payload, retained) {
                        return Mode::Leaving(connection);
                    }
                }
                Wake::News(News::Answered(topics, granted)) => self.answered(topics, granted),
                Wake::News(News::Over(why)) => {
                    let is_choked = connection.is_choked();
                    self.parts
                        .ear
                        .iter_mut()
                        .for_each(|ear| ear.over(is_choked));
                    return Mode::Pausing(why);
                }
                Wake::Listen => {
                    if let Some(ear) = &mut self.parts.ear {
                        connection.listen(Topics::Commands, ear.listen());
                    }
                }
                Wake::Stalled => {
                    let ms = self.parts.settings.ack_timeout.as_millis();
                    return Mode::Pausing(format!(
                        "it accepts the connection but has acknowledged nothing for {ms} ms; \
                         check its disk and its log"
                    ));
                }
                Wake::Files => {
                    if self.have_good_files_changed().await {
                        return Mode::Renewing(connection);
                    }
                }
                Wake::HostAway => return Mode::Leaving(connection),
                Wake::Look => {}
            }
        }
    }

    /// Lets the broker take what is on its way, hangs up as it should be done, and connects anew.
    async fn renewing(
        &mut self,
        mut connection: Box<Connection>,
        stop: &mut watch::Receiver<bool>,
    ) -> Mode {
        let patience = self.parts.settings.ack_timeout;
        let rest = async {
            while !connection.is_idle() {
                match connection.news().await {
                    News::Delivered(cargo) => self.delivered(cargo),
                    News::Heard {
                        topic,
                        payload,
                        retained,
                    } => {
                        // If the primary host has gone, the next connection finds that out.
                        self.heard(topic, payload, retained);
                    }
                    News::Answered(topics, granted) => self.answered(topics, granted),
                    News::Over(_) => return,
                }
            }
            if let Some(edge) = &mut self.edge {
                edge.part(&mut connection);
            }
            connection.disconnect();
            self.gone(&mut connection).await;
        };
        tokio::select! {
            () = stopped(stop) => {}
            _ = timeout(patience, rest) => return Mode::Connecting,
        }
        Mode::Parting(connection)
    }

    async fn pausing(&mut self, why: String, stop: &mut watch::Receiver<bool>) -> Mode {
        let Some(why) = self.turn.failed(&why) else {
            return Mode::Connecting;
        };
        self.failures = self.failures.saturating_add(1);
        self.parts.store.hung_up();
        self.tell(Reach::Unreachable(why));
        let pause = pause(self.failures, RandomState::new().hash_one(self.failures));
        tokio::select! {
            () = stopped(stop) => Mode::Over,
            () = sleep(pause) => Mode::Connecting,
            () = self.clock_is_set(), if self.clock_hinders() => Mode::Connecting,
        }
    }

    async fn parting(&mut self, mut connection: Box<Connection>) -> Mode {
        self.say_goodbye(&mut connection);
        if timeout(GOODBYE, self.goodbye_taken(&mut connection)).await != Ok(true) {
            tracing::warn!(
                "broker {} did not take the goodbye; its last will stands in",
                self.turn.address()
            );
            return Mode::Over;
        }
        connection.disconnect();
        // If it takes too long, dropping the connection ends it as well.
        let _ = timeout(HANG_UP, self.gone(&mut connection)).await;
        Mode::Over
    }

    fn say_goodbye(&mut self, connection: &mut Connection) {
        if let Some(edge) = &mut self.edge {
            edge.part(connection);
            return;
        }
        let (health, progress) = self.condition();
        let payload = self
            .speaker()
            .goodbye(&health, &progress, clock::now().wall);
        connection.publish(Cargo::Goodbye, format!("{}/{STATUS}", self.head), payload);
    }

    /// Ends a connection on purpose, and connects anew after a moment.
    async fn leaving(
        &mut self,
        connection: Box<Connection>,
        stop: &mut watch::Receiver<bool>,
    ) -> Mode {
        self.parting(connection).await;
        self.turn.pass_over();
        self.parts.store.hung_up();
        let pause = pause(1, RandomState::new().hash_one(self.failures));
        tokio::select! {
            () = stopped(stop) => Mode::Over,
            () = sleep(pause) => Mode::Connecting,
        }
    }

    /// Waits for the end of a connection.
    async fn gone(&mut self, connection: &mut Connection) {
        loop {
            match connection.news().await {
                News::Delivered(cargo) => self.delivered(cargo),
                News::Heard { .. } | News::Answered(..) => {}
                News::Over(_) => return,
            }
        }
    }

    async fn goodbye_taken(&mut self, connection: &mut Connection) -> bool {
        loop {
            match connection.news().await {
                News::Delivered(cargo) => {
                    let taken = cargo
                        .iter()
                        .any(|cargo| matches!(cargo, Cargo::Goodbye | Cargo::Death));
                    self.delivered(cargo);
                    if taken {
                        return true;
                    }
                }
                News::Heard { .. } | News::Answered(..) => {}
                News::Over(_) => return false,
            }
        }
    }

    /// TLS waits for the clock, once and not for ever: there may be nobody who sets it.
    async fn open_in_time(&mut self) -> Result<Connection, String> {
        if self.clock_hinders() && !self.waited {
            tracing::info!(
                "the clock is not set: TLS waits for it, {} s at most",
                CLOCK_PATIENCE.as_secs()
            );
            let _ = timeout(CLOCK_PATIENCE, self.clock_is_set()).await;
        }
        self.waited = true;
        self.open().await
    }

    async fn open(&mut self) -> Result<Connection, String> {
        if let Some(edge) = &mut self.edge {
            edge.connecting().await;
        }
        let broker = self.turn.broker().clone();
        let make = self.recipe();
        let prepare = move || {
            // Before they are read for use: what is replaced in between is noticed.
            let files = Files::of(&broker);
            let own = broker.tls.as_ref().and_then(tls::own_certificate);
            Ok::<_, FileError>((files, own, make(&broker)?))
        };
        let (files, own, options) = tokio::task::spawn_blocking(prepare)
            .await
            .map_err(|panicked| panicked.to_string())?
            .map_err(|error| error.to_string())?;
        self.files = files.map(|files| (files, Instant::now() + files::EVERY));
        let window = self.parts.settings.window;
        let opened = Connection::open(options, own, window, || clock::now().wall).await;
        if let Some(edge) = &mut self.edge {
            edge.tried(opened.as_ref().err().is_none_or(|failed| failed.was_sent));
        }
        opened.map_err(|failed| failed.why)
    }

    fn last_will(&self) -> LastWill {
        if let Some(edge) = &self.edge {
            return edge.last_will();
        }
        let payload = self.speaker().last_will(clock::now().wall);
        let topic = format!("{}/{STATUS}", self.head);
        LastWill::new(topic, payload, QoS::AtLeastOnce, true)
    }

    /// Makes the options of one connection, from the files as they are when it is called.
    fn recipe(&self) -> impl Fn(&Broker) -> Result<MqttOptions, FileError> + Send + 'static {
        let will = self.last_will();
        let client_id = self.parts.gateway.id.to_string();
        let (largest, keep_alive) = {
            let settings = &self.parts.settings;
            let largest = match self.edge {
                Some(_) => LARGEST_BIRTH,
                None => settings.max_payload,
            };
            (largest, settings.keep_alive)
        };
        move |broker| {
            let will = Some(will.clone());
            let mut options = broker::options(broker, &client_id, largest, will)?;
            options.set_keep_alive(keep_alive);
            Ok(options)
        }
    }

    /// Looks at the files; true if there is something else in them that can be used.
    async fn have_good_files_changed(&mut self) -> bool {
        let Some((files, due)) = &mut self.files else {
            return false;
        };
        *due = Instant::now() + files::EVERY;
        let (files, broker, make) = (files.clone(), self.turn.broker().clone(), self.recipe());
        let look = move || {
            let changed = files.changed()?;
            Some((changed, make(&broker).err()))
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let Some((changed, wrong)) = looked.ok().flatten() else {
            return false;
        };
        if let Some((files, _)) = &mut self.files {
            *files = changed;
        }
        if let Some(wrong) = wrong {
            tracing::warn!(
                "files of the broker {} were replaced and cannot be used: {wrong}; the connection \
                 goes on with the earlier ones",
                self.turn.address()
            );
            return false;
        }
        tracing::info!(
            "files of the broker {} were replaced: connecting anew with them",
            self.turn.address()
        );
        true
    }

    /// Whether certificates are to be judged by a clock that is not set.
    fn clock_hinders(&self) -> bool {
        let is_unset = self.parts.health.borrow().clock == ClockState::Unsynced;
        is_unset && self.turn.broker().tls.is_some()
    }

    async fn clock_is_set(&self) {
        let mut health = self.parts.health.clone();
        let set = health.wait_for(|health| health.clock != ClockState::Unsynced);
        if set.await.is_err() {
            pending::<()>().await;
        }
    }

    async fn wake(
        &mut self,
        connection: &mut Connection,
        stop: &mut watch::Receiver<bool>,
    ) -> Wake {
        let stalls_at = connection.stalls_at(self.parts.settings.ack_timeout);
        let listens_at = self.parts.ear.as_ref().and_then(Ear::due);
        tokio::select! {
            biased;
            () = stopped(stop) => Wake::Stop,
            () = until(listens_at) => Wake::Listen,
            news = connection.news() => Wake::News(news),
            () = until(stalls_at) => Wake::Stalled,
            () = changed(&mut self.view) => Wake::Look,
            () = changed(&mut self.parts.health) => Wake::Look,
            () = self.parts.current.changed() => Wake::Look,
            () = until(self.files.as_ref().map(|(_, due)| *due)) => Wake::Files,
            () = until(self.status_due) => Wake::Look,
            () = until(self.records_rest_until) => Wake::Look,
            () = until(self.replay_at) => Wake::Look,
            () = until(self.hold_until) => Wake::Look,
            () = until(self.edge.as_ref().and_then(|edge| edge.waits_until())) => Wake::HostAway,
            () = Edge::changed(&mut self.edge) => Wake::Look,
            () = yield_now(), if self.looks_on => Wake::Look,
        }
    }

    /// Whether what was said ends this connection.
    fn heard(&mut self, topic: String, payload: Bytes, retained: bool) -> bool {
        let below = topic.strip_prefix(&self.head);
        match (&mut self.edge, &self.parts.ear) {
            _ if below == Some(&format!("/{STATUS}")) => self.twin.heard(&payload),
            (_, Some(ear)) if below.is_some() => ear.heard(topic, payload, retained),
            (Some(edge), _) => return edge.heard(&topic, &payload),
            _ => {}
        }
        false
    }

    fn answered(&mut self, topics: Topics, is_granted: bool) {
        match (topics, &mut self.parts.ear) {
            (Topics::Status, _) if is_granted => self.twin.granted(),
            (Topics::Commands, Some(ear)) => ear.answered(is_granted),
            (Topics::Edge, _) if is_granted => self.listens(),
            _ => {}
        }
    }

    fn delivered(&mut self, cargo: Vec<Cargo>) {
        if cargo.is_empty() {
            return;
        }
        self.failures = 0;
        self.turn.acknowledged();
        self.tell(Reach::Reached);
        let mut records = Vec::with_capacity(cargo.len());
        for cargo in cargo {
            match cargo {
                Cargo::Record(position) => records.push(position),
                Cargo::Batch(batch) => records.extend(batch),
                Cargo::LeftOver(topic) => self.parts.current.left_over_cleared(&topic),
                Cargo::Current(topic) => {
                    self.parts.current.acknowledged(&topic);
                    if topic == format!("{}/{STATUS}", self.head) {
                        self.twin.told();
                    }
                }
                Cargo::Goodbye | Cargo::Death => {}
            }
        }
        if !records.is_empty() {
            self.parts.store.acknowledge(records);
        }
    }

    /// Once for each change, not for each attempt.
    fn tell(&self, reach: Reach) {
        let changed = self.parts.reach.send_if_modified(|last| {
            let changed = *last != reach;
            last.clone_from(&reach);
            changed
        });
        match reach {
            _ if !changed => {}
            Reach::Trying => {}
            Reach::Reached => tracing::info!("broker {} reached", self.turn.address()),
            Reach::Unreachable(why) => {
                tracing::warn!("broker unreachable: {why}; records wait on disk");
            }
        }
    }

    fn condition(&mut self) -> (Health, Progress) {
        let view = self.view.borrow_and_update();
        let progress = Progress {
            waiting: view.waiting,
            oldest: view.oldest,
            done: view.done,
        };
        (*self.parts.health.borrow_and_update(), progress)
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker {
            gateway: &self.parts.gateway,
            run: &self.parts.run,
        }
    }
}

/// Anything between nothing and a bound that doubles with each failure (full jitter), so that a
/// hundred gateways do not come back at the same moment.
fn pause(failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    let bound = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
    let ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % (ms + 1))
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody left who could stop us means that everybody has.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn changed<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        pending::<()>().await;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_PAUSE, LONGEST_PAUSE, pause};
    use std::time::Duration;

    #[test]
    fn a_pause_is_anything_up_to_a_bound_that_doubles() {
        let longest = |failures| {
            let bounds = (0..100_000u64)
                .step_by(7)
                .map(|random| pause(failures, random));
            bounds.max().unwrap().as_secs_f64().round()
        };
        assert_eq!(pause(1, 0), Duration::ZERO);
        assert_eq!(pause(1, 1000), FIRST_PAUSE);
        assert_eq!([1, 2, 3, 4].map(longest), [1.0, 2.0, 4.0, 8.0]);
        assert_eq!(
            [7, 8, u32::MAX].map(longest),
            [LONGEST_PAUSE.as_secs_f64(); 3]
        );
    }
}
