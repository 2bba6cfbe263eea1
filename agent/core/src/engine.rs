//! The engine: what is read goes in with its time, what is to be done comes out as actions.
//!
//! It decides nothing itself; it is the wiring of the modules above it. `handle_*` takes an input
//! and its moment, [`Engine::poll_action`] gives back what follows from it, and
//! [`Engine::poll_deadline`] says when [`Engine::handle_time`] wants to be called next. Inputs are
//! to be handled in the order of their moments, and the actions taken out after each.

mod age;
mod alarms;
mod asked;
mod board;
mod checkpoint;
mod closing;
mod commands;
mod course;
mod departed;
mod first_out;
mod footprint;
mod horns;
mod hygiene;
mod ingest;
mod late;
mod marks;
mod newest;
mod notices;
mod own;
mod past;
mod reasons;
mod recent;
mod sources;
mod tags;
mod view;

pub use board::{Press, Pressed};
pub use checkpoint::Left;
pub use commands::{Command, Refused, SILENCE_MS, Sound};
pub use footprint::{Allocation, allocations};
pub use horns::{HornTest, NoTest};
pub use sources::{LEARNED_KEPT_EVERY_MS, watched};
pub use view::Health;

use crate::alarm::Alarm;
use crate::annunciate::horn::Horns;
use crate::annunciate::{Annunciator, Channel};
use crate::bounded::Queue;
use crate::history::{Mark, Page};
use crate::hygiene::Hygiene;
use crate::late::Late;
use crate::limits;
use crate::machine::Machine;
use crate::modbus::plan::Plan;
use crate::plant::{Device, Plant};
use crate::record::{Body, Event, Record, Relabel, Run};
use crate::sample::{Quality, Reason, Value};
use crate::state::State;
use crate::tag::{DeviceIndex, LinkIndex, TagIndex};
use crate::tiers::Tiers;
use crate::time::{ClockState, Mono, Now, Wall};
use crate::window::Timeline;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use asked::Asked;
use course::Course;
use marks::Marked;
use newest::Newest;
use past::Past;
use reasons::Said;
use recent::Recent;
use sources::Sources;
use tags::Tags;

/// Stale data, silent devices and the clock are looked at this often.
const HOUSEKEEPING_MS: u64 = 1000;

/// Status values without a mapping that are named for each device, once each. A source that sends
/// ever new ones would fill the outbox with them.
const UNMAPPED: usize = 8;

/// What the engine wants done.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Action {
    /// Store this record; it counts from when it is on disk.
    Store(Record),
    /// The wall clock was set for the first time: records that this is about are labelled anew. To
    /// be committed with the next checkpoint, and no earlier than those records.
    Relabel(Relabel),
    /// Keep this page on the gateway. It must be on disk before a checkpoint that is made later.
    Keep(Page),
    /// Commit what is to be stored now, not in some seconds: a person waits for it.
    Commit,
    /// Commit a checkpoint now: what has been learned could not be learned again.
    Checkpoint,
    /// A current value changed: publish what holds now.
    Publish(Current),
    /// There may be something to tell on this channel: its worker is to ask
    /// [`Engine::next_notice`].
    Notices(Channel),
    /// What is to be heard and lit changed: [`Engine::horns`].
    Horn,
    /// The quality of a tag changed for a reason that lies in its data: tell the log.
    Quality(DeviceIndex, TagIndex, Quality),
}

/// A current value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Current {
    /// What a device is.
    Info(DeviceIndex),
    /// What a device does.
    State(DeviceIndex),
    /// How it has done lately.
    Now(DeviceIndex),
    /// How an alarm stands; index into [`Plant::alarms`].
    Alarm(u16),
}

/// What has passed through the engine since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Samples of tags, good and bad.
    pub samples: u64,
    /// Those that were bad.
    pub bad_samples: u64,
    /// Windows closed.
    pub windows: u64,
    /// Records made.
    pub records: u64,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    plant: Arc<Plant>,
    plan: Arc<Plan>,
    run: Run,
    timeline: Timeline,
    /// By calendar.
    courses: Vec<Course>,
    /// End of the open windows, and how many minutes they are made of.
    window_end: Mono,
    window_merged: u32,
    /// Where a silence of days began, while it is being accounted for.
    silent_from: Option<Wall>,
    /// By how much the wall clock was stepped where the open windows begin.
    stepped_ms: i64,
    next_housekeeping: Mono,
    labels_from: LabelsFrom,
    /// When this run began to read.
    begun: Mono,
    /// The moment of the newest input.
    now: Mono,
    devices: Vec<Entry>,
    newest: Newest,
    sources: Sources,
    /// When what was learned of them was last kept.
    learned_kept: Mono,
    tags: Tags,
    /// How each link stands; none if it has said nothing yet.
    links: Vec<Option<Standing>>,
    /// The alarm of each link, if it has one.
    link_alarms: Box<[Option<u16>]>,
    /// What was reported of the gateway itself.
    reports: own::Reports,
    hygiene: Hygiene,
    alarms: Vec<Alarm>,
    /// Alarms that are no longer configured, with their activations: if they come back, they go
    /// on counting.
    retired: Vec<(Arc<str>, Arc<str>, u64)>,
    alarm_deadline: Option<Mono>,
    /// Which start of the I/O board its counts belong to, as far as it is known.
    board_boot: Option<u32>,
    /// Who was told what.
    people: Annunciator,
    horns: Horns,
    /// Alarms may have changed since the horns were worked out.
    horns_due: bool,
    actions: Queue<Action>,
    /// What devices did since the last page that tells so.
    marks: Vec<Mark>,
    /// Number of the last page.
    page: u64,
    seq: u64,
    events: u64,
    tally: Tally,
}

/// Where the labels of this run begin.
#[derive(Debug, Default)]
struct LabelsFrom {
    /// Number of the first record.
    seq: u64,
    /// Number of the first page.
    page: u64,
    /// The first label.
    label: Wall,
}

/// How a link stands.
#[derive(Debug)]
struct Standing {
    up: bool,
    since: Mono,
    /// Why it is down.
    why: Option<Box<str>>,
}

/// A device with everything that is kept for it.
#[derive(Debug)]
struct Entry {
    /// Its first tag in `newest`.
    first_slot: usize,
    /// None if it has no state mapping: no state, no times, no figures.
    machine: Option<Machine>,
    /// Its open hour, shift and production day.
    tiers: Tiers,
    /// Its last hours and days; none without a state.
    recent: Option<Recent>,
    /// What its accounting was told lately, to be corrected by late data; none where none comes.
    late: Option<Box<Late>>,
    /// When any of its tags was last good.
    last_good: Option<Mono>,
    /// What was last told of its state.
    told: Option<Told>,
    /// What an operator has said of what it shows.
    said: Option<Said>,
    /// What its last mark says.
    marked: Option<Marked>,
    /// Status values that nobody mapped and that have been named.
    unmapped: Vec<Value>,
    /// Alarms that ask for this device.
    alarms: Vec<u16>,
    /// What they ask for beyond its newest values.
    asked: Asked,
    /// Summaries published in this run, by tier.
    summaries: [u64; 4],
    /// The same of records of its tags.
    tag_records: [u64; 4],
    /// Good, scrap and total of the windows that end now, by tier: perhaps one that does not go on,
    /// and one after it.
    ended: [heapless::Vec<[Option<u64>; 3], 2>; 4],
}

#[derive(Debug, Clone, PartialEq)]
struct Told {
    state: State,
    code: Option<Value>,
    quality: Quality,
    product: Option<Value>,
    reason: Option<Arc<str>>,
}

impl Engine {
    /// An engine that begins at `now`, continuing from what a run before has left, if anything.
    pub fn new(
        plant: Arc<Plant>,
        plan: Arc<Plan>,
        run: Run,
        now: Now,
        left: Option<Left<'_>>,
    ) -> Engine {
        Engine::with_history(plant, plan, run, now, left, core::iter::empty())
    }

    /// The same, with the pages that were kept: the pieces, and then the minutes. What the
    /// checkpoint does not know of is passed over. It may take several turns to come to `now`:
    /// [`Engine::catch_up`].
    pub fn with_history(
        plant: Arc<Plant>,
        plan: Arc<Plan>,
        run: Run,
        now: Now,
        left: Option<Left<'_>>,
        history: impl IntoIterator<Item = Page>,
    ) -> Engine {
        let last_page = left.and_then(|left| left.last_page());
        let before = left.and_then(checkpoint::Checkpoint::of);
        let past = Past::recall(&plant, history, last_page, before.as_ref());
        let mut timeline = Timeline::new(now);
        let start = before
            .as_ref()
            .map_or(now.mono, |before| before.resume_at(&mut timeline, now));
        let label = timeline.label(start);
        let calendars = plant.calendars();
        let course = |calendar| Course::new(calendar, &timeline, start);
        let courses: Vec<Course> = calendars.map(course).collect();
        let gone = checkpoint::EACH_GONE * past.gone.len();
        let ended = before
            .as_ref()
            .map_or(0, |before| before.alarms_gone(&plant));
        let capacity = limits::actions(&plant) + past.actions() + gone + ended;
        let mut engine = Engine {
            window_end: timeline.moment(timeline.next_minute(start)),
            window_merged: 1,
            silent_from: None,
            stepped_ms: 0,
            next_housekeeping: now.mono,
            labels_from: LabelsFrom::default(),
            begun: now.mono,
            now: start,
            newest: Newest::new(&plant),
            sources: Sources::new(&plant),
            learned_kept: start,
            tags: Tags::new(&plant, start, label),
            links: plant.links.iter().map(|_| None).collect(),
            link_alarms: own::link_alarms(&plant),
            reports: own::Reports::default(),
            hygiene: Hygiene::new(plant.alarms.len(), now.mono, timeline.label(now.mono)),
            alarms: alloc::vec![Alarm::default(); plant.alarms.len()],
            retired: Vec::new(),
            alarm_deadline: None,
            board_boot: None,
            people: Annunciator::new(&plant),
            horns: Horns::new(&plant),
            horns_due: true,
            actions: Queue::with_capacity(capacity),
            marks: Vec::new(),
            page: past.page,
            seq: 0,
            events: 0,
            tally: Tally::default(),
            devices: entries(&plant, &courses, start, label),
            plant,
            plan,
            run,
            timeline,
            courses,
        };
        engine.event(
            now.mono,
            Event::Config {
                what: engine.plant_in_words(),
            },
        );
        for index in 0..engine.devices.len() {
            let device = device_index(index);
            engine.act(Action::Publish(Current::Info(device)));
        }
        let past = engine.remember(past);
        engine.resume(before, past, now);
        engine.recall_counts(start);
        engine.catch_up(now.mono);
        engine
    }

    /// Accounts for the time up to `to`, as far as there is room for what follows from it. False if
    /// some is left: take the actions out and call again, before anything is handled at `to`. After
    /// a long silence, that is; otherwise there is nothing to do here.
    pub fn catch_up(&mut self, to: Mono) -> bool {
        self.roll_on(to, false)
    }

    /// Time passes: windows close, data goes stale, delays end. Also the only place where the
    /// wall clock is looked at.
    pub fn handle_time(&mut self, now: Now) {
        if !self.catch_up(now.mono) {
            return;
        }
        self.settle_late(now.mono);
        self.look_at_clock(now);
        if self.next_housekeeping <= now.mono {
            self.next_housekeeping = Mono((now.mono.0 / HOUSEKEEPING_MS + 1) * HOUSEKEEPING_MS);
            for index in 0..self.devices.len() {
                self.advance(index, now.mono);
                self.tell_state(index);
            }
            self.hygiene.pass(now.mono, self.timeline.label(now.mono));
            self.judge_all(now.mono);
            self.look_after_people(now.mono);
        } else if self
            .alarm_deadline
            .is_some_and(|deadline| deadline <= now.mono)
        {
            self.judge_all(now.mono);
            self.look_after_people(now.mono);
        } else if self.people.wake().is_some_and(|wake| wake <= now.mono) {
            self.look_after_people(now.mono);
        }
        let deadline = self.horns.deadline();
        self.horns_due |= deadline.is_some_and(|deadline| deadline <= now.mono);
    }

    /// A link came up or went down.
    pub fn handle_link(&mut self, link: LinkIndex, at: Mono, up: bool, why: Option<String>) {
        self.roll(at);
        let known = &mut self.links[usize::from(link.0)];
        if known.as_ref().is_none_or(|known| known.up != up) {
            *known = Some(Standing {
                up,
                since: at,
                why: why.as_deref().map(Box::from),
            });
            let link = self.plant.links[usize::from(link.0)].id.clone();
            self.event(at, Event::Link { link, up, why });
            self.judge_all(at);
        }
    }

    /// Records were lost, or something else happened that belongs into the journal.
    pub fn handle_event(&mut self, at: Mono, event: Event) {
        self.roll(at);
        self.event(at, event);
    }

    /// What is to be done next; what is heard comes before all else.
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.look_at_horns() {
            return Some(Action::Horn);
        }
        if self.actions.is_empty() {
            self.turn_marks();
        }
        self.actions.pop()
    }

    /// When [`Engine::handle_time`] wants to be called.
    pub fn poll_deadline(&self) -> Mono {
        let edge = self
            .plan_until()
            .min(self.window_end)
            .min(self.next_housekeeping);
        let deadlines = [
            self.alarm_deadline,
            self.people.wake(),
            self.horns.deadline(),
        ];
        let deadlines = deadlines.into_iter().flatten();
        deadlines.fold(edge, Mono::min)
    }

    /// What has passed through.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    fn look_at_clock(&mut self, now: Now) {
        if self.timeline.is_unset() {
            let clock = self.timeline.worth(now);
            if clock != ClockState::Unsynced {
                self.set_clock(now, clock);
            }
            return;
        }
        let stepped = self.timeline.stepped(now);
        let before = self.timeline.clock;
        if let Some(by) = stepped {
            self.step_clock(now.mono, by);
            self.relabel_shelves();
        }
        if stepped.is_some() || before != now.clock {
            self.timeline.clock = now.clock;
            let event = Event::Clock {
                from: before,
                to: now.clock,
                step_ms: stepped.unwrap_or(0),
            };
            self.event(now.mono, event);
        }
    }

    fn advance(&mut self, index: usize, to: Mono) {
        let merge_faults_ms = self.plant.devices[index].merge_faults_ms;
        while let Some(machine) = &mut self.devices[index].machine {
            let there = machine.advance(to, merge_faults_ms);
            self.mark(index);
            if there {
                break;
            }
        }
    }

    /// Publishes and records the state of a device if it is not what was last told.
    fn tell_state(&mut self, index: usize) {
        self.outdate_reason(index);
        let reason = self.reason_id(index).cloned();
        let entry = &mut self.devices[index];
        let Some(machine) = &entry.machine else {
            return;
        };
        let quality = machine.quality();
        if let Some(told) = &entry.told
            && told.state == machine.state()
            && told.quality == quality
            && told.product.as_ref() == machine.product()
            && told.reason == reason
            && !is_another_fault(told, machine.state(), machine.code())
        {
            return;
        }
        let now = Told {
            state: machine.state(),
            code: machine.code().cloned(),
            quality,
            product: machine.product().cloned(),
            reason,
        };
        let since = machine.since();
        let before = entry.told.replace(now.clone());
        self.act(Action::Publish(Current::State(device_index(index))));
        self.act(Action::Publish(Current::Now(device_index(index))));
        let changed = match &before {
            Some(told) => {
                told.state != now.state
                    || is_another_fault(told, now.state, now.code.as_ref())
                    || (now.reason.is_some() && told.reason != now.reason)
            }
            None => now.state != State::Unknown,
        };
        if changed {
            let device = &self.plant.devices[index];
            let from = before.map_or(State::Unknown, |told| told.state);
            let event = Event::State {
                device: device.id.clone(),
                from,
                to: now.state,
                cause: self.cause(index).map(|cause| cause.en.into()),
                code: now.code,
                quality,
            };
            let at = if from == now.state { self.now } else { since };
            self.event(at, event);
        }
    }

    fn event(&mut self, at: Mono, event: Event) {
        self.events += 1;
        let n = self.events;
        self.store(at, n, Body::Event(event));
    }

    fn store(&mut self, at: Mono, n: u64, body: Body) {
        self.seq += 1;
        self.tally.records += 1;
        let record = Record {
            seq: self.seq,
            n,
            ts: self.timeline.label(at),
            clock: self.timeline.clock,
            body,
        };
        self.act(Action::Store(record));
    }

    fn act(&mut self, action: Action) {
        // `limits::actions` counts what one call can ask for, and the owner takes the actions out
        // after each call; a full queue would be a hole in the numbers, so it is not passed over.
        let full = self.actions.try_push(action).is_err();
        assert!(!full, "more actions than limits::actions allows for");
    }

    fn plant_in_words(&self) -> String {
        alloc::format!(
            "{} devices, {} links, {} alarms, cfg {:08x}",
            self.plant.devices.len(),
            self.plant.links.len(),
            self.plant.alarms.len(),
            self.run.cfg
        )
    }
}

fn entries(plant: &Plant, courses: &[Course], start: Mono, label: Wall) -> Vec<Entry> {
    let mut first_slot = 0;
    let mut entries = Vec::with_capacity(plant.devices.len());
    for (index, device) in plant.devices.iter().enumerate() {
        let course = courses.get(usize::from(device.calendar.0));
        let planned = course.is_none_or(|course| course.span.planned);
        entries.push(Entry {
            first_slot,
            machine: machine(device, start, label, planned),
            tiers: Tiers::default(),
            recent: device.model.state.is_some().then(Recent::new),
            late: None,
            last_good: None,
            told: None,
            said: None,
            marked: None,
            unmapped: Vec::new(),
            alarms: alarms::watching(plant, device_index(index)),
            // What there is to go on from comes with the past.
            asked: Asked::default(),
            summaries: [0; 4],
            tag_records: [0; 4],
            ended: Default::default(),
        });
        first_slot += device.model.tags.len();
    }
    entries
}

/// None for a device without state mapping.
fn machine(device: &Device, at: Mono, start: Wall, planned: bool) -> Option<Machine> {
    let has_state = device.model.state.is_some();
    has_state.then(|| Machine::new(device, at, start, planned))
}

fn device_index(index: usize) -> DeviceIndex {
    DeviceIndex(u16::try_from(index).unwrap_or(u16::MAX))
}

/// A state may cover many codes; only those of faults are told one by one.
fn is_another_fault(told: &Told, state: State, code: Option<&Value>) -> bool {
    state == State::Faulted && told.code.as_ref() != code
}

/// Whether a reason lies in what was read, not in that nothing was.
const fn lies_in_data(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::Timeout
            | Reason::Disconnected
            | Reason::Exception(_)
            | Reason::HttpStatus(_)
            | Reason::NeverRead
            | Reason::Retained
    )
}

#[cfg(test)]
mod tests;
