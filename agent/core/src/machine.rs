//! The time accounting of one machine, exact to the millisecond.
//!
//! A state holds from the good sample that shows it until the next one, or until `stale_after`
//! after the last one; from then on it is unknown. Nothing is changed backwards ([`crate::late`]
//! plays the same once more, with what came late): the accounting only ever moves forward, in
//! stretches over which one state holds, so the seven times of a window add up to its length
//! whatever happens.

mod derived;

use crate::capacity::Capacities;
use crate::conditions::Inputs;
use crate::count::{Counting, Dial, Odometer};
use crate::fault::Faults;
use crate::motion::Motion;
use crate::plant::Device;
use crate::sample::{Quality, Reason, Value};
use crate::state::{State, Times};
use crate::summary::{Needs, Sum, Summary, Tier};
use crate::tag::Counts;
use crate::time::{Mono, Wall};
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// What a machine shows, and what that makes of its time.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Accounted up to here.
    to: Mono,
    /// What the status last showed.
    shown: State,
    /// Since when it shows that.
    shown_since: Mono,
    /// Until when that can be believed, if anything is shown.
    fresh_until: Option<Mono>,
    /// What it shows before that from some moment on, if nothing more is read.
    turn: Option<Turn>,
    /// Whether work is planned now.
    planned: bool,
    /// What is being accounted.
    accounted: State,
    /// What was accounted before.
    previous: State,
    /// What a fault would be entered from: what was accounted last, for some time or by a reading.
    /// What turned stale just when it was read again was never unknown: of every third poll that is
    /// answered some come at that very millisecond, and a shift may begin at it.
    held: State,
    /// Since when `accounted` holds.
    since: Mono,
    /// The raw status value, while it is fresh.
    code: Option<Value>,
    /// Quality of the status.
    quality: Quality,
    /// Why there was no good sample since the last one: the first reason, until another one has
    /// been told twice in a row. A source that gives two by turns gives one.
    failing: Option<Reason>,
    /// The other one, told once.
    failing_next: Option<Reason>,
    /// The tags that its state is derived from.
    inputs: Inputs,
    ledger: Ledger,
}

/// What a usable reading shows.
#[derive(Debug, Clone, Copy)]
pub struct Showing<'v> {
    /// The state.
    pub state: State,
    /// The raw status value, if there is one.
    pub code: Option<&'v Value>,
    /// Quality of what tells it.
    pub quality: Quality,
    /// Until when it can be believed if nothing more is read.
    pub fresh_until: Mono,
    /// Why what it ends with could not be read since.
    pub failing: Option<Reason>,
    /// What is shown before that, without any reading.
    pub turn: Option<Turn>,
}

/// What is shown from some moment on if nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// From when.
    pub at: Mono,
    /// What.
    pub state: State,
    /// Its quality.
    pub quality: Quality,
}

/// What survives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Label of the start of this device's open window.
    pub window_start: Wall,
    times: Times,
    elapsed_ms: u64,
    planned_ms: u64,
    unknown_ms: u64,
    counting: Counting,
    capacities: Capacities,
    faults: Faults,
    /// The last product that was read, if the rated rate follows one: a product does not change
    /// because a reading fails.
    product: Option<Value>,
    /// What the counter has shown that tells the state, if one does.
    motion: Option<Motion>,
}

impl Machine {
    /// A machine that nobody has seen; its first window begins at `at`, labelled `start`.
    pub fn new(device: &Device, at: Mono, start: Wall, planned: bool) -> Machine {
        let accounted = State::Unknown.accounted(planned);
        Machine {
            to: at,
            shown: State::Unknown,
            shown_since: at,
            fresh_until: None,
            turn: None,
            planned,
            accounted,
            previous: accounted,
            held: accounted,
            since: at,
            code: None,
            quality: Quality::Bad(Reason::NeverRead),
            failing: None,
            failing_next: None,
            inputs: derived::inputs(device),
            ledger: Ledger {
                window_start: start,
                times: Times::default(),
                elapsed_ms: 0,
                planned_ms: 0,
                unknown_ms: 0,
                counting: Counting::new(dials(device), device.no_scrap),
                capacities: Capacities::new(device.rate_of(None), device.highest_rate().is_some()),
                faults: Faults::default(),
                product: None,
                motion: derived::motion(device),
            },
        }
    }

    /// Takes up what a run before has accounted up to now.
    pub fn resume(&mut self, device: &Device, before: &Ledger) {
        let mut counting = self.ledger.counting.clone();
        counting.resume(&before.counting);
        let mut motion = self.ledger.motion;
        if let (Some(motion), Some(before)) = (&mut motion, &before.motion) {
            motion.resume(before);
        }
        let follows_product = device.model.rates.is_some();
        let product = before.product.clone().filter(|_| follows_product);
        let mut capacities = before.capacities;
        let is_rated = device.highest_rate().is_some();
        capacities.resume(device.rate_of(product.as_ref()), is_rated);
        self.ledger = Ledger {
            counting,
            capacities,
            product,
            motion,
            ..before.clone()
        };
    }

    /// What survives a restart.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state that is being accounted.
    pub const fn state(&self) -> State {
        self.accounted
    }

    /// The state that the machine shows, planned or not; unknown once it is stale.
    pub const fn shown(&self) -> State {
        self.shown
    }

    /// Since when it shows that.
    pub const fn shown_since(&self) -> Mono {
        self.shown_since
    }

    /// Until when it shows that, if nothing more is read.
    pub fn shown_until(&self) -> Mono {
        let stale_at = self.fresh_until.unwrap_or(self.to);
        self.turn.map_or(stale_at, |turn| turn.at.min(stale_at))
    }

    /// How far its time is accounted.
    pub const fn accounted_to(&self) -> Mono {
        self.to
    }

    /// Until when what it shows can be believed; where it is accounted to, if it shows nothing.
    pub fn known_until(&self) -> Mono {
        self.fresh_until.unwrap_or(self.to)
    }

    /// The state before the present one.
    pub const fn previous(&self) -> State {
        self.previous
    }

    /// Since when the present state holds.
    pub const fn since(&self) -> Mono {
        self.since
    }

    /// The raw status value, while it is fresh.
    pub const fn code(&self) -> Option<&Value> {
        self.code.as_ref()
    }

    /// Quality of the status.
    pub const fn quality(&self) -> Quality {
        self.quality
    }

    /// The product that it makes, if its rated rate follows one; the last that was read.
    pub const fn product(&self) -> Option<&Value> {
        self.ledger.product.as_ref()
    }

    /// The rated rate now, in thousandths of a part per hour.
    pub const fn rate(&self) -> Option<u64> {
        self.ledger.capacities.rate()
    }

    /// Accounts the time up to `to`, or up to where what it shows changes before: false then, and to
    /// be called again. Earlier moments than already accounted change nothing.
    pub fn advance(&mut self, to: Mono, merge_faults_ms: u64) -> bool {
        let stale_at = self.fresh_until.filter(|until| *until <= to);
        let turn = self.turn.filter(|turn| turn.at <= to);
        match (turn, stale_at) {
            (Some(turn), stale_at) if stale_at.is_none_or(|stale_at| turn.at < stale_at) => {
                self.pass(turn.at, merge_faults_ms);
                self.turn = None;
                self.change(turn.state, merge_faults_ms);
                self.quality = turn.quality;
                false
            }
            (_, Some(stale_at)) => {
                self.pass(stale_at, merge_faults_ms);
                let why = self.failing.unwrap_or(Reason::Stale);
                self.lose(why, merge_faults_ms);
                false
            }
            (_, None) => {
                self.pass(to, merge_faults_ms);
                true
            }
        }
    }

    /// Accounts the time up to `to`, at which another state is shown: what is shown holds until then
    /// even if it goes stale at that very moment.
    pub fn advance_within(&mut self, to: Mono, merge_faults_ms: u64) {
        if self.fresh_until == Some(to) {
            self.fresh_until = Some(to + 1);
        }
        while !self.advance(to, merge_faults_ms) {}
    }

    /// Takes over what is said of the present by the accounting that this one replaces.
    pub fn take_present(&mut self, before: &Machine) {
        self.code.clone_from(&before.code);
        self.quality = before.quality;
        self.failing = before.failing;
        self.failing_next = before.failing_next;
    }

    /// Work is planned, or not, from the accounted moment on.
    pub fn plan(&mut self, planned: bool, merge_faults_ms: u64) {
        self.planned = planned;
        self.account(merge_faults_ms);
    }

    /// A usable sample shows a state from the accounted moment on, unless it came so late that it
    /// is stale by then.
    pub fn show(&mut self, showing: &Showing<'_>, merge_faults_ms: u64) {
        if showing.fresh_until <= self.to {
            return;
        }
        self.fresh_until = Some(showing.fresh_until);
        self.turn = showing.turn;
        self.quality = showing.quality;
        self.failing = showing.failing;
        self.failing_next = None;
        if self.code.as_ref() != showing.code {
            self.code = showing.code.cloned();
        }
        self.change(showing.state, merge_faults_ms);
    }

    /// Nobody knows what it does from the accounted moment on.
    fn lose(&mut self, why: Reason, merge_faults_ms: u64) {
        self.fresh_until = None;
        self.turn = None;
        self.code = None;
        self.quality = Quality::Bad(why);
        self.change(State::Unknown, merge_faults_ms);
    }

    fn change(&mut self, shown: State, merge_faults_ms: u64) {
        if self.shown != shown {
            self.shown = shown;
            self.shown_since = self.to;
        }
        self.account(merge_faults_ms);
    }

    /// The status could not be read, or not understood.
    pub fn fail(&mut self, reason: Reason) {
        let first = *self.failing.get_or_insert(reason);
        let is_again = self.failing_next.replace(reason) == Some(reason);
        let why = if is_again { reason } else { first };
        self.failing = Some(why);
        if self.fresh_until.is_none() {
            self.quality = Quality::Bad(why);
        }
    }

    /// A good reading of a counter; true if it is the first, from which counting begins.
    pub fn count(&mut self, role: Counts, value: &Value, rate: Option<u64>) -> bool {
        let now = self.ledger.odometer();
        let window_from_ms = self.ledger.elapsed_ms - self.ledger.times.total();
        self.ledger
            .counting
            .read(role, value, &now, window_from_ms, rate)
    }

    /// A usable reading of the product; true if its rated rate is another.
    pub fn make(&mut self, device: &Device, product: &Value) -> bool {
        let known = &mut self.ledger.product;
        if known.as_ref() == Some(product) {
            return false;
        }
        *known = Some(product.clone());
        let rate = device.rate_of(known.as_ref());
        let is_other = rate != self.ledger.capacities.rate();
        self.ledger.capacities.change(rate);
        is_other
    }

    /// What a counter showed last.
    pub fn last_count(&self, role: Counts) -> Option<i64> {
        self.ledger.counting.last(role)
    }

    /// What a counter showed last is not to be counted from: its next reading is taken for a reset.
    pub const fn forget_count(&mut self, role: Counts) {
        self.ledger.counting.forget(role);
    }

    /// What a counter showed last was wrong: it was `raw`.
    pub const fn put_back_count(&mut self, role: Counts, raw: i64) {
        self.ledger.counting.put_back(role, raw);
    }

    /// A silence of unknown length lies before the window that begins at the accounted moment. It
    /// is in no window; parts that are learned across it are learned across unknown time.
    pub const fn skip(&mut self) {
        self.ledger.elapsed_ms += 1;
        self.ledger.unknown_ms += 1;
        if let Some(motion) = &mut self.ledger.motion {
            motion.forget();
        }
    }

    /// Closes the window at the accounted moment, labelled `end`, and begins the next one there,
    /// labelled `next`. None if the window is empty.
    pub fn close(
        &mut self,
        device: &Device,
        end: Wall,
        next: Wall,
        label: Label,
    ) -> Option<Summary> {
        let summary = self.ledger.close(device, end, label);
        self.ledger.window_start = next;
        summary
    }

    fn pass(&mut self, to: Mono, merge_faults_ms: u64) {
        let ms = to.since(self.to);
        if ms == 0 {
            return;
        }
        self.to = to;
        self.held = self.accounted;
        let ledger = &mut self.ledger;
        ledger.times.add(self.accounted, ms);
        ledger.faults.pass(self.accounted, ms, merge_faults_ms);
        ledger.elapsed_ms += ms;
        if self.accounted != State::PlannedStop {
            ledger.planned_ms += ms;
            let producing = self.accounted == State::Producing;
            ledger.capacities.pass(ms, producing);
        }
        if self.accounted == State::Unknown {
            ledger.counting.pass_unknown();
        }
        if self.shown == State::Unknown {
            ledger.unknown_ms += ms;
        }
    }

    fn account(&mut self, merge_faults_ms: u64) {
        let accounted = self.shown.accounted(self.planned);
        if accounted != self.accounted {
            self.ledger
                .faults
                .change(self.held, accounted, merge_faults_ms);
            self.previous = self.accounted;
            self.accounted = accounted;
            self.since = self.to;
        }
        if self.shown != State::Unknown {
            self.held = accounted;
        }
    }
}

/// What the label of a window says besides its start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// See [`Summary::fold`].
    pub fold: u32,
    /// See [`Summary::merged`].
    pub merged: u32,
}

impl Ledger {
    /// The label of the moment up to which the open window is accounted.
    pub fn reached(&self) -> Wall {
        self.window_start + self.times.total().cast_signed()
    }

    /// What counters showed last, by [`Counts`]; none of what is to be taken for a reset.
    pub fn last_counts(&self) -> [Option<i64>; 3] {
        let last = |role| self.counting.last(role).filter(|last| *last != i64::MAX);
        [Counts::Good, Counts::Scrap, Counts::Total].map(last)
    }

    /// Unknown milliseconds that were accounted so far, over all windows.
    pub const fn unknown_ms(&self) -> u64 {
        self.unknown_ms
    }

    /// The parts of the window so far, ending at the label `end`, and an empty window in its place.
    pub fn close(&mut self, device: &Device, end: Wall, label: Label) -> Option<Summary> {
        let mut summary = self.close_alone(&device.id, end, label)?;
        summary.line.clone_from(&device.line);
        summary.every_ms = device.model.every_ms;
        summary.needs = device.needs();
        Some(summary)
    }

    /// The same for a device that is no longer configured.
    pub fn close_alone(&mut self, id: &Arc<str>, end: Wall, label: Label) -> Option<Summary> {
        if self.times.total() == 0 {
            return None;
        }
        let summary = Summary {
            device: id.clone(),
            line: None,
            tier: Tier::Minute,
            shift: None,
            start: self.window_start,
            end,
            fold: label.fold,
            rev: 0,
            merged: label.merged,
            clock_step_ms: 0,
            every_ms: 0,
            needs: Needs::NONE,
            ..Summary::of(&self.so_far())
        };
        self.times = Times::default();
        self.counting.begin_window();
        self.capacities.begin_window();
        self.faults.begin_window();
        Some(summary)
    }

    /// The parts of the open window so far.
    pub fn so_far(&self) -> Sum {
        let (parts, uncounted) = self.counting.parts(self.elapsed_ms);
        Sum {
            times: self.times,
            uncounted_ms: uncounted.ms,
            parts,
            failures: self.faults.failures,
            repairs: self.faults.repairs,
            repair_ms: self.faults.repair_ms,
            capacity: self.capacities.of_window(uncounted, self.times.planned()),
            unrated: self.capacities.unrated(),
        }
    }

    const fn odometer(&self) -> Odometer {
        Odometer {
            elapsed_ms: self.elapsed_ms,
            planned_ms: self.planned_ms,
            unknown_ms: self.unknown_ms,
            made: self.capacities.made(),
        }
    }
}

fn dials(device: &Device) -> [Option<Dial>; 3] {
    let mut dials = [None; 3];
    for tag in &device.model.tags {
        if let Some(role) = tag.role {
            dials[role.counts as usize] = Some(Dial {
                parts: role.parts,
                top: tag.top(),
                source: tag.source.fingerprint(device.unit),
            });
        }
    }
    dials
}
