//! The engine's task: inputs in, actions out, commits in between.
//!
//! One commit is on its way at a time; meanwhile records wait in [`Staging`]. A checkpoint is made
//! at the moment its commit begins, so that it describes what the records before it have led to. The
//! pages that it knows of are on disk before it is.
//! Questions about how things stand are answered in between, one after the other ([`super::ask`]);
//! orders ([`super::order`]) when the commit is done that holds what followed from them.

use super::FIELD_QUEUE;
use super::ask::{Ask, Beside};
use super::command::Commanded;
use super::notices::Word;
use super::order::{Given, Promises};
use crate::annunciator::horn::Teller;
use crate::clock;
use crate::field::{Answer, FromField};
use crate::history::{History, NotKept};
use crate::staging::Staging;
use crate::store::{Rejected, Store, StoreError};
use crate::upstream::{CurrentValues, Health};
use andon_core::engine::{Action, Current, Engine, Press, Pressed, Tally};
use andon_core::modbus::decode::Words;
use andon_core::record::{Body, Event, Relabel};
use andon_core::sample::Quality;
use andon_core::tag::{DeviceIndex, TagIndex};
use andon_core::time::Mono;
use andon_wire::{self as wire, ButtonEvent};
use serde::Serialize;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// A stop waits this long for the disk.
const LAST_COMMIT: Duration = Duration::from_secs(2);

/// Warnings about data that are logged in a minute; the rest are counted.
const WARNINGS_A_MINUTE: u32 = 10;

/// A source whose time stands still tells late readings without end: the log names it this often.
const TELL_PASSED_OVER_MS: u64 = 10 * 60_000;

/// How a commit ended.
struct Commit {
    /// Pages that the history did not take.
    not_kept: Option<NotKept>,
    /// Whether it tells how records are relabelled.
    relabels: bool,
    /// With losses to tell, or not at all.
    stored: Result<Vec<Event>, Rejected>,
}

/// The outbox's thread has ended by itself: what is made now would be kept by nobody.
#[derive(Debug)]
pub(super) struct OutboxEnded;

/// The engine with what it needs to act.
pub(super) struct Shift {
    pub(super) engine: Engine,
    pub(super) store: Store,
    history: History,
    pub(super) beside: Beside,
    current: CurrentValues,
    watches: Watches,
    staging: Staging,
    pub(super) promises: Promises,
    commit: Option<JoinHandle<Commit>>,
    /// How records are relabelled that were made before the clock was set, until that is on disk.
    relabel: Option<Relabel>,
    /// The disk takes nothing now.
    pub(super) failing: bool,
    /// The history takes nothing now.
    history_failing: bool,
    /// The outbox's thread has ended, and will take nothing any more.
    gone: bool,
    warnings: Warnings,
    /// Late readings that were passed over, as far as the log tells of them, and when it told so.
    passed_over: (u64, Option<Mono>),
    /// Damage of the store that its alarm has told.
    pub(super) damages: u64,
}

/// What the engine's task is told and asked besides readings.
pub(super) struct Told {
    /// What belongs into the journal.
    pub(super) journal: mpsc::Receiver<Event>,
    /// Questions.
    pub(super) asks: mpsc::Receiver<Ask>,
    /// Orders.
    pub(super) orders: mpsc::Receiver<Given>,
    /// Commands from the network.
    pub(super) commands: mpsc::Receiver<Commanded>,
    /// What those say who tell people of alarms.
    pub(super) words: mpsc::Receiver<Word>,
}

/// What others follow.
pub(super) struct Watches {
    /// How the gateway is, for `status`.
    pub(super) health: watch::Sender<Health>,
    /// Of which devices nothing good is known, where Sparkplug is spoken: to it they are dead.
    pub(super) lost: Option<watch::Sender<Arc<[bool]>>>,
    /// What is to be heard and lit.
    pub(super) horns: Teller,
    /// Changes whenever the engine has looked at the time: its sign of life, for the I/O board.
    pub(super) pulse: watch::Sender<u64>,
}

enum Wake {
    Stop,
    Committed(Commit),
    Journal(Event),
    Ask(Ask),
    Order(Given),
    Command(Commanded),
    Word(Word),
    Field(Option<FromField>),
    Time,
}

impl Shift {
    /// Begins; `losses` is what the outbox has to tell of the time before.
    pub(super) fn new(
        engine: Engine,
        store: Store,
        history: History,
        current: CurrentValues,
        watches: Watches,
        beside: Beside,
        losses: Vec<Event>,
    ) -> Shift {
        let now = clock::mono();
        let mut shift = Shift {
            engine,
            store,
            history,
            beside,
            current,
            watches,
            staging: Staging::new(now),
            promises: Promises::default(),
            commit: None,
            relabel: None,
            failing: false,
            history_failing: false,
            gone: false,
            warnings: Warnings {
                minute: now,
                told: 0,
                untold: 0,
            },
            passed_over: (0, None),
            damages: 0,
        };
        let currents: Vec<Current> = shift.engine.currents().collect();
        for current in currents {
            shift.publish(current, false);
        }
        shift.current.settled();
        shift.act(now);
        shift.catch_up(now);
        for loss in losses {
            shift.tell(loss);
        }
        shift.tell_health();
        shift
    }

    /// Works until `stop` becomes true, then commits what there is.
    pub(super) async fn work(
        mut self,
        mut field: mpsc::Receiver<FromField>,
        mut told: Told,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Tally, OutboxEnded> {
        loop {
            let deadline = self.deadline();
            // The field comes after what is rare: a flood of readings holds up nothing else.
            let wake = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Wake::Stop,
                done = committed(&mut self.commit) => Wake::Committed(done),
                Some(event) = told.journal.recv() => Wake::Journal(event),
                Some(given) = told.orders.recv() => Wake::Order(given),
                Some(commanded) = told.commands.recv() => Wake::Command(commanded),
                Some(word) = told.words.recv() => Wake::Word(word),
                Some(ask) = told.asks.recv() => Wake::Ask(ask),
                message = field.recv() => Wake::Field(message),
                () = sleep_until(deadline) => Wake::Time,
            };
            if let Wake::Field(Some(message)) = &wake {
                self.take(message);
            }
            // But readings are handled first: a window closes only after what was read in it.
            self.take_waiting(&mut field);
            match wake {
                Wake::Field(None) | Wake::Stop => break,
                Wake::Committed(done) => self.committed(done),
                Wake::Journal(event) => self.tell(event),
                Wake::Ask(ask) => self.answer(ask),
                Wake::Order(given) => self.obey(given),
                Wake::Command(commanded) => self.carry_out(commanded),
                Wake::Word(word) => self.attend(word),
                Wake::Field(Some(_)) | Wake::Time => {}
            }
            self.keep_time();
            let now = clock::mono();
            self.act(now);
            if self.gone {
                return Err(OutboxEnded);
            }
            self.commit_if_due(now);
        }
        self.close().await;
        Ok(self.engine.tally())
    }

    /// Takes what the field has sent so far, no more than its queue holds.
    fn take_waiting(&mut self, field: &mut mpsc::Receiver<FromField>) {
        for _ in 0..FIELD_QUEUE {
            let Ok(message) = field.try_recv() else { break };
            self.take(&message);
        }
    }

    fn take(&mut self, message: &FromField) {
        self.catch_up(message.at());
        match message {
            FromField::Link { link, at, up, why } => {
                self.engine.handle_link(*link, *at, *up, why.clone());
            }
            FromField::Read { read, at, answer } => {
                let words = answer
                    .as_ref()
                    .map_err(|reason| *reason)
                    .map(|answer| match answer {
                        Answer::Registers(registers) => Words::Registers(registers),
                        Answer::Bits(bits) => Words::Bits(bits),
                    });
                self.engine.handle_read(*read, *at, words);
            }
            FromField::Readings {
                device,
                at,
                readings,
            } => {
                self.engine.handle_readings(*device, *at, readings);
            }
            FromField::BoardBoot { at, boot_id } => self.engine.handle_board_boot(*at, *boot_id),
            FromField::Pressed { at, event } => self.pressed(*at, *event),
        }
        self.act(clock::mono());
    }

    /// A button of the I/O board was pressed.
    fn pressed(&mut self, at: Mono, event: ButtonEvent) {
        let press = match event.press {
            wire::Press::Short => Press::Short,
            wire::Press::Long => Press::Long,
            wire::Press::Held => Press::Held,
        };
        match event.button {
            wire::Button::Acknowledge => {
                let (alarms, what) = match self.engine.handle_press(at, press) {
                    Pressed::Silenced(alarms) => (alarms, "silenced"),
                    Pressed::Acknowledged(alarms) => (alarms, "acknowledged"),
                    Pressed::Reset(alarms) => (alarms, "reset"),
                };
                tracing::info!("acknowledge button of the board: {alarms} alarms {what}");
            }
            wire::Button::Reason1 => self.button(at, 0, press),
            wire::Button::Reason2 => self.button(at, 1, press),
            wire::Button::Reason3 => self.button(at, 2, press),
        }
    }

    /// A reason button was pressed.
    fn button(&mut self, at: Mono, button: usize, press: Press) {
        let number = button + 1;
        match self.engine.handle_button(at, button, press) {
            Some(machines) => {
                tracing::info!("reason button {number} of the board: of {machines} machines");
            }
            None => tracing::info!(
                "reason button {number} of the board was pressed and means nothing; `reason{number}` \
                 of [board] says what it means"
            ),
        }
    }

    /// Lets the engine account for a silence, in as many turns as it takes.
    pub(super) fn catch_up(&mut self, to: Mono) {
        while !self.engine.catch_up(to) {
            self.act(clock::mono());
        }
    }

    /// Puts an event into the journal. Its actions are done at once: there may be many events.
    fn tell(&mut self, event: Event) {
        let now = clock::mono();
        self.engine.handle_event(now, event);
        self.act(now);
    }

    /// Lets the engine do what it has a deadline for.
    fn keep_time(&mut self) {
        if self.engine.poll_deadline() <= clock::mono() {
            let now = clock::now();
            self.catch_up(now.mono);
            self.engine.handle_time(now);
            self.watches
                .pulse
                .send_modify(|beats| *beats = beats.wrapping_add(1));
            self.act(now.mono);
            self.look_at_gateway(now.mono);
            self.tell_health();
            self.tell_passed_over(now.mono);
        }
    }

    fn deadline(&self) -> Mono {
        let engine = self.engine.poll_deadline();
        match self.commit {
            None => engine.min(self.staging.deadline()),
            Some(_) => engine,
        }
    }

    /// Does what the engine has asked for.
    pub(super) fn act(&mut self, now: Mono) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => {
                    log_alarm(&record.body);
                    self.staging.push(now, record);
                }
                Action::Relabel(relabel) => self.relabel = Some(relabel),
                Action::Keep(page) => self.staging.keep(now, page),
                Action::Commit => self.staging.hurry(),
                Action::Checkpoint => self.staging.checkpoint(),
                Action::Publish(current) => self.publish(current, true),
                Action::Notices(channel) => self.beside.desks.wake(channel),
                Action::Horn => self.watches.horns.tell(self.engine.horns()),
                Action::Quality(device, tag, quality) => self.warn(now, device, tag, quality),
            }
        }
        if let Some(loss) = self.staging.take_loss(*self.engine.run()) {
            self.engine.handle_event(now, loss);
        }
    }

    /// Hands over what holds now; `clear` also that nothing does.
    fn publish(&self, current: Current, clear: bool) {
        let id = |device: DeviceIndex| &self.engine.plant().device(device).id;
        let (topic, payload) = match current {
            Current::Info(device) => (
                format!("{}/info", id(device)),
                json(&self.engine.info(device)),
            ),
            Current::State(device) => {
                let payload = self.engine.state(device).and_then(|state| json(&state));
                (format!("{}/state", id(device)), payload)
            }
            Current::Now(device) => {
                let payload = self.engine.now(device).and_then(|now| json(&now));
                (format!("{}/now", id(device)), payload)
            }
            Current::Alarm(index) => {
                let alarm = &self.engine.plant().alarms[usize::from(index)];
                let payload = self.engine.alarm(index).and_then(|alarm| json(&alarm));
                let owner = self.engine.plant().owner_id(alarm.owner);
                (format!("{owner}/alarm/{}", alarm.id), payload)
            }
        };
        if payload.is_some() || clear {
            self.current.set(topic, payload);
        }
    }

    /// How the gateway is, for `status`.
    pub(super) fn health(engine: &Engine) -> Health {
        let health = engine.health();
        Health {
            links_up: count(health.links_up),
            links_down: count(health.links_down),
            devices_bad: count(health.devices_bad),
            next: Some(health.next),
            clock: engine.clock(),
        }
    }

    fn tell_health(&self) {
        let new = Shift::health(&self.engine);
        self.watches.health.send_if_modified(|old| {
            let changed = *old != new;
            *old = new;
            changed
        });
        if let Some(lost) = &self.watches.lost {
            lost.send_if_modified(|old| {
                let changed = !self.engine.silent().eq(old.iter().copied());
                if changed {
                    *old = self.engine.silent().collect();
                }
                changed
            });
        }
    }

    /// Somebody waits for what was just put into the journal.
    pub(super) fn hurry(&mut self) {
        self.staging.hurry();
    }

    fn commit_if_due(&mut self, now: Mono) {
        if self.commit.is_none() && self.staging.deadline() <= now {
            self.begin_commit(now);
        }
    }

    fn begin_commit(&mut self, now: Mono) {
        let (records, with_checkpoint) = self.staging.take(now);
        let relabel = self.relabel;
        // Without it the next run would take what is relabelled here for what is not.
        let with_checkpoint = with_checkpoint || relabel.is_some();
        let checkpoint = with_checkpoint.then(|| self.engine.checkpoint());
        if let Some(checkpoint) = &checkpoint {
            self.staging.checkpointed(now, checkpoint.len());
            // It may have turned a last page.
            self.act(now);
        }
        self.promises.committing();
        let pages = self.staging.take_pages();
        let (history, store) = (self.history.clone(), self.store.clone());
        self.commit = Some(tokio::spawn(async move {
            let not_kept = history.commit(pages).await.err();
            let stored = store.commit(records, checkpoint, relabel).await;
            Commit {
                not_kept,
                relabels: relabel.is_some(),
                stored,
            }
        }));
    }

    fn committed(&mut self, done: Commit) {
        match done.not_kept {
            None => self.history_failing = false,
            Some(NotKept { error, pages }) => {
                if !std::mem::replace(&mut self.history_failing, true) {
                    tracing::error!("the history fails: {error}; it is tried again");
                }
                self.staging.put_back_pages(pages);
            }
        }
        match done.stored {
            Ok(losses) => {
                if done.relabels {
                    self.relabel = None;
                }
                self.promises.committed(Ok(()));
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the outbox takes records again");
                }
                for loss in losses {
                    self.tell(loss);
                }
            }
            Err(failed) => {
                self.promises.committed(Err(&failed.error.to_string()));
                self.gone = failed.error == StoreError::Closed;
                if !std::mem::replace(&mut self.failing, true) && !self.gone {
                    tracing::error!(
                        "{}; records wait in memory and are tried again",
                        failed.error
                    );
                }
                self.staging.put_back(clock::mono(), failed.records);
            }
        }
    }

    /// The last commit: everything that waits, with the windows as they are.
    async fn close(&mut self) {
        let last = async {
            if let Some(commit) = self.commit.take()
                && let Ok(done) = commit.await
            {
                self.committed(done);
            }
            let ends = clock::now();
            let now = ends.mono;
            self.catch_up(now);
            self.engine.end(ends);
            self.staging.checkpoint();
            self.act(now);
            self.engine.keep_tags();
            self.engine.keep_learned();
            self.act(now);
            self.begin_commit(now);
            match self.commit.take() {
                Some(commit) => commit.await.ok(),
                None => None,
            }
        };
        match tokio::time::timeout(LAST_COMMIT, last).await {
            Ok(Some(Commit { stored: Ok(_), .. })) => self.promises.committed(Ok(())),
            Ok(Some(Commit {
                stored: Err(failed),
                ..
            })) => {
                self.promises.committed(Err(&failed.error.to_string()));
                tracing::error!(
                    "{}; {} records and the open windows are lost",
                    failed.error,
                    failed.records.len()
                );
            }
            Ok(None) | Err(_) => {
                tracing::error!("the disk did not answer; what was not committed is lost");
            }
        }
    }

    fn tell_passed_over(&mut self, now: Mono) {
        let (known, told) = self.passed_over;
        let all = self.engine.late_passed_over();
        if all > known && told.is_none_or(|told| now.since(told) >= TELL_PASSED_OVER_MS) {
            self.passed_over = (all, Some(now));
            tracing::info!(
                "{} late readings change nothing: older than `late`, not in the order of their \
                 time, or of counters that were read since",
                all - known
            );
        }
    }

    fn warn(&mut self, now: Mono, device: DeviceIndex, tag: TagIndex, quality: Quality) {
        let Some(untold) = self.warnings.may_tell(now) else {
            return;
        };
        let device = self.engine.plant().device(device);
        let tag = &device.model.tags[usize::from(tag.0)].name;
        if let Some(reason) = quality.reason() {
            let more = match untold {
                0 => String::new(),
                untold => format!(" ({untold} more since the last line)"),
            };
            tracing::warn!("{} {tag}: {reason}{more}", device.id);
        }
    }
}

/// With the broker away the log is where an engineer sees that an alarm was raised.
fn log_alarm(body: &Body) {
    if let Body::Event(Event::Alarm {
        device,
        alarm,
        occurrence,
        from,
        to,
        done,
        ..
    }) = body
    {
        let (from, to) = (from.as_str(), to.as_str());
        let by = match done {
            Some(done) => format!(
                ", {} by {}",
                done.verb.as_str(),
                done.act.by.as_deref().unwrap_or("somebody")
            ),
            None => String::new(),
        };
        tracing::warn!("alarm {device}.{alarm} number {occurrence}: {from} to {to}{by}");
    }
}

/// Keeps a source that sends rubbish from filling the log.
struct Warnings {
    minute: Mono,
    told: u32,
    untold: u32,
}

impl Warnings {
    /// How many were not told before this one, if this one may be.
    fn may_tell(&mut self, now: Mono) -> Option<u32> {
        if now.since(self.minute) >= 60_000 {
            self.minute = now;
            self.told = 0;
        }
        if self.told >= WARNINGS_A_MINUTE {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

async fn committed(commit: &mut Option<JoinHandle<Commit>>) -> Commit {
    let Some(handle) = commit else {
        return pending().await;
    };
    let done = handle.await;
    *commit = None;
    match done {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

async fn sleep_until(deadline: Mono) {
    tokio::time::sleep(Duration::from_millis(deadline.since(clock::mono()))).await;
}

pub(super) fn json(message: &impl Serialize) -> Option<Vec<u8>> {
    // Serialising plain data to memory fails only on a map with keys that are not text.
    let mut bytes = serde_json::to_vec(message).ok()?;
    // Kept for as long as it holds: without the room that growing has left.
    bytes.shrink_to_fit();
    Some(bytes)
}

#[cfg(test)]
mod tests;
