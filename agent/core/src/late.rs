//! Late data: what a machine says by its own time stamps of time that nobody had known of.
//!
//! Of each device whose readings have time stamps, everything that its accounting was told over the
//! last minutes is kept, as the machine was told it: a log, and the accounting where the log begins.
//! What comes late is put into the log where it belongs, and the log is played through the same
//! accounting again. So windows are what they had been if it had come in time, with one exception:
//!
//! - **Known time is never changed.** While what was read in time is fresh, late states have no say;
//!   unknown time takes the newest late state that is fresh then.
//! - **Nothing is counted twice.** A late reading of a counter counts only as long as no later one
//!   was counted: that one has counted its parts already.
//! - **A product** that comes late holds from its time on, as long as no later one was read.
//! - Late readings come in the order of their time, each tag by itself; others are passed over.

mod replay;

use crate::bounded::Queue;
use crate::calendar::Calendar;
use crate::history::Fill;
use crate::machine::{Label, Machine};
use crate::plant::Device;
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::summary::{Summary, Tier, TierSet};
use crate::tag::Counts;
use crate::tiers::{Ended, Tiers, Window};
use crate::time::{Mono, Wall};
use alloc::vec::Vec;
use replay::{Outcome, Replay};

/// Entries of the log for each minute of its span: its end, first and last readings of the counters,
/// some states. A device that does more is remembered for a shorter time.
const ENTRIES_A_MINUTE: usize = 8;

/// And so many besides, for a burst of late readings before they are looked at.
const ENTRIES_MORE: usize = 128;

/// When the log is full, room is made for a fourth of what stays.
const PART_FREE: usize = 4;

const MINUTE_MS: u64 = 60_000;

/// Entries that the log of a span of so many milliseconds has.
pub fn entries(span_ms: u64) -> usize {
    let minutes = usize::try_from(span_ms / MINUTE_MS).unwrap_or(usize::MAX);
    minutes.saturating_mul(ENTRIES_A_MINUTE) + ENTRIES_MORE
}

/// Hours, shifts and days of a span whose number of corrections is remembered.
pub fn revisions(span_ms: u64) -> usize {
    usize::try_from(span_ms / (20 * MINUTE_MS)).unwrap_or(usize::MAX) + 12
}

/// Minutes that the log of a span has at most; more there are where the clock is stepped.
fn minutes(span_ms: u64) -> usize {
    usize::try_from(span_ms / MINUTE_MS).unwrap_or(usize::MAX) + 4
}

/// Windows that one look at what came late can correct, at most, and pages that say so: with each
/// minute an hour, a shift and a day can have ended.
pub fn corrections(span_ms: u64) -> usize {
    4 * minutes(span_ms) + 16
}

/// The last minutes of a device.
#[derive(Debug)]
pub struct Late {
    span_ms: u64,
    /// The accounting where the log begins.
    base: Replay,
    log: Queue<Entry>,
    revised: Queue<Revised>,
    /// Something came late since the last look.
    is_fresh: bool,
    /// It is to be looked at as soon as there is room for what follows.
    is_due: bool,
    /// Hardly anything can be left out of the log that says nothing.
    is_packed: bool,
    /// The newest late state.
    newest: Option<Mono>,
    /// Until when the newest state holds that was read in time.
    shown_until: Option<Mono>,
    /// The newest reading of the product, late or not.
    made: Option<Mono>,
    /// When the last one came that was in time.
    made_in_time: Option<Mono>,
    /// Late readings that came too late, or told of time that was known.
    passed_over: u64,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    at: Mono,
    /// It came late, and was not looked at yet.
    is_fresh: bool,
    input: Input,
}

impl Entry {
    /// Whether a minute ends here.
    const fn is_end(&self) -> bool {
        matches!(self.input, Input::Closes(_))
    }

    /// The end of a minute, if it is one.
    const fn closes_mut(&mut self) -> Option<&mut Closes> {
        match &mut self.input {
            Input::Closes(closes) => Some(closes),
            _ => None,
        }
    }
}

/// Marks an entry that is about to be left out.
const LEFT_OUT: Mono = Mono(u64::MAX);

/// What the accounting was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// See [`Machine::plan`].
    Plans(bool),
    /// See [`Machine::show`].
    Shows {
        /// The state.
        state: State,
        /// The raw status value.
        code: Value,
        /// Quality of the status.
        quality: Quality,
        /// Until when that can be believed.
        until: Mono,
        /// It came late.
        is_late: bool,
    },
    /// See [`Machine::count`].
    Counts {
        /// Which counter.
        role: Counts,
        /// What it shows.
        value: i64,
        /// Unknown time so far, with what is fresh and without it, when the log was last compacted.
        unknown_ms: u64,
    },
    /// See [`Machine::make`].
    Makes(Value),
    /// See [`Machine::close`].
    Closes(Closes),
}

/// The end of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closes {
    /// Label of the end.
    pub end: Wall,
    /// Label from which the next one begins.
    pub next: Wall,
    /// What the label says besides.
    pub label: Label,
    /// See [`Window::stepped_ms`].
    pub stepped_ms: i64,
    /// See [`Window::unset`].
    pub unset: Option<i64>,
    /// How often it was corrected.
    pub rev: u32,
}

/// How often a window was corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revised {
    tier: Tier,
    start: Wall,
    end: Wall,
    fold: u32,
    rev: u32,
}

/// What a late reading says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// The machine was in this state.
    State(State, Value, Quality),
    /// A counter stood here.
    Count(Counts, i64),
    /// It made this product.
    Product(Value),
}

/// What corrects what was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Correction {
    /// A minute, with the tiers that were ended before it.
    Minute(Summary, Window, TierSet),
    /// A longer window or a piece, with how often it was corrected by now.
    Ended(Ended, u32),
    /// Time that was unknown.
    Fill(Fill),
}

impl Late {
    /// A log that begins with this accounting.
    pub fn new(span_ms: u64, machine: &Machine, tiers: &Tiers) -> Late {
        Late {
            span_ms,
            base: Replay::new(machine, tiers),
            log: Queue::with_capacity(entries(span_ms)),
            revised: Queue::with_capacity(revisions(span_ms)),
            is_fresh: false,
            is_due: false,
            is_packed: false,
            newest: None,
            shown_until: None,
            made: None,
            made_in_time: None,
            passed_over: 0,
        }
    }

    /// Begins anew with this accounting: nothing before it can be corrected any more.
    pub fn begin(&mut self, machine: &Machine, tiers: &Tiers) {
        self.pass_over_fresh();
        self.base = Replay::new(machine, tiers);
        self.log.clear();
        self.revised.clear();
    }

    /// Whether a state that was read in time holds at `at`.
    pub fn shows(&self, at: Mono) -> bool {
        self.shown_until.is_some_and(|until| at < until)
    }

    /// The accounting was told this at `at`.
    pub fn note(&mut self, device: &Device, calendar: &Calendar, at: Mono, input: Input) {
        if let Input::Shows {
            until,
            is_late: false,
            ..
        } = &input
        {
            self.shown_until = Some(*until);
        }
        if self.log.room() == 0 {
            self.make_room(device, calendar);
        }
        let is_fresh = false;
        let full = self.log.try_push(Entry {
            at,
            is_fresh,
            input,
        });
        debug_assert!(full.is_ok(), "room was made");
    }

    /// The product was read in time, as it was at `from`; the accounting takes it at `at`. It is noted
    /// if it `is_other` than the last one, or if that may be another once what came late is looked at.
    pub fn note_product(
        &mut self,
        device: &Device,
        calendar: &Calendar,
        (at, from): (Mono, Mono),
        product: &Value,
        is_other: bool,
    ) {
        self.made = self.made.max(Some(from));
        self.made_in_time = Some(at);
        if is_other || self.is_fresh {
            self.note(device, calendar, at, Input::Makes(product.clone()));
        }
    }

    /// Something was said late of the moment `at`; a state holds for so long. False if it is passed over.
    pub fn say(
        &mut self,
        device: &Device,
        calendar: &Calendar,
        at: Mono,
        said: Said,
        holds_ms: u64,
    ) -> bool {
        let is_taken = at >= self.base.machine.accounted_to() && self.is_next(at, &said);
        if is_taken && self.log.room() == 0 && !self.is_packed {
            self.compact(device, calendar);
        }
        if !is_taken || self.log.room() == 0 {
            self.pass_over();
            return false;
        }
        let mut from = at;
        let input = match said {
            Said::State(state, code, quality) => {
                self.newest = Some(at);
                Input::Shows {
                    state,
                    code,
                    quality,
                    until: at + holds_ms,
                    is_late: true,
                }
            }
            Said::Count(role, value) => Input::Counts {
                role,
                value,
                unknown_ms: 0,
            },
            Said::Product(product) => {
                self.made = Some(at);
                // What was read in time, of a moment before, holds from when it came.
                from = at.max(self.made_in_time.unwrap_or(at));
                Input::Makes(product)
            }
        };
        let place = self.log.items().partition_point(|entry| entry.at <= from);
        let entry = Entry {
            at: from,
            is_fresh: true,
            input,
        };
        self.is_fresh |= self.log.try_insert(place, entry).is_ok();
        true
    }

    /// A late reading changes nothing.
    pub const fn pass_over(&mut self) {
        self.passed_over += 1;
    }

    /// A minute ends: what came late up to now is to be looked at.
    pub const fn fall_due(&mut self) {
        self.is_due = self.is_fresh;
    }

    /// Whether something came late that is to be looked at now.
    pub const fn is_due(&self) -> bool {
        self.is_due
    }

    /// Late readings that were passed over.
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Looks at what came late up to `now`, where `machine` and `tiers` stand: they become what they
    /// would be. `tell` is told of everything that was told otherwise.
    pub fn settle(
        &mut self,
        device: &Device,
        calendar: &Calendar,
        machine: &mut Machine,
        tiers: &mut Tiers,
        mut tell: impl FnMut(Correction),
    ) {
        let now = machine.accounted_to();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let told = self.play(device, calendar, now, false, |it| before.push(it));
        let mut right = self.play(device, calendar, now, true, |it| after.push(it));
        debug_assert_eq!(told.machine.ledger(), machine.ledger(), "the log is whole");
        right.machine.take_present(machine);
        (*machine, *tiers) = (right.machine, right.tiers);
        self.is_fresh = false;
        self.is_due = false;
        self.is_packed = false;
        self.log
            .items_mut()
            .for_each(|entry| entry.is_fresh = false);
        for outcome in &after {
            if let Outcome::Fill(fill) = outcome
                && !before.contains(outcome)
            {
                tell(Correction::Fill(fill.clone()));
            }
        }
        // The windows are the same ones, in the same order; their parts may be others.
        let windows = |all: Vec<Outcome>| all.into_iter().filter(|it| !it.is_fill());
        let mut closes = self.log.items_mut().filter_map(Entry::closes_mut);
        for (before, after) in windows(before).zip(windows(after)) {
            let is_other = before != after;
            match after {
                Outcome::Minute(mut summary, window, cut) => {
                    let closes = closes.find(|closes| closes.end == window.end);
                    if let (true, Some(closes)) = (is_other, closes) {
                        closes.rev += 1;
                        summary.rev = closes.rev;
                        tell(Correction::Minute(summary, window, cut));
                    }
                }
                Outcome::Ended(ended) if is_other => {
                    let rev = revise(&mut self.revised, &ended);
                    tell(Correction::Ended(ended, rev));
                }
                Outcome::Ended(_) | Outcome::Fill(_) => {}
            }
        }
    }

    /// Forgets what is older than the span before `now`.
    pub fn forget(&mut self, device: &Device, calendar: &Calendar, now: Mono) {
        let span_ms = self.span_ms;
        let is_old = |end: Mono| end + span_ms < now;
        while !self.is_fresh && self.first_end().is_some_and(is_old) {
            self.advance(device, calendar);
        }
        let ends = self
            .log
            .items()
            .iter()
            .filter(|entry| entry.is_end())
            .count();
        if ends > minutes(self.span_ms) {
            self.pass_over_fresh();
            self.advance(device, calendar);
        }
        let from = self.base.machine.ledger().window_start;
        self.revised.retain(|revised| revised.end > from);
    }

    /// Whether a reading follows those that were taken: late states one another, counters all.
    fn is_next(&self, at: Mono, said: &Said) -> bool {
        match said {
            Said::State(..) => self.newest.is_none_or(|newest| newest < at),
            Said::Product(_) => self.made.is_none_or(|newest| newest < at),
            Said::Count(of, _) => {
                let is_later = |entry: &&Entry| entry.at >= at;
                let mut later = self.log.items().iter().rev().take_while(is_later);
                let is_same = |entry: &Entry| matches!(&entry.input, Input::Counts { role, .. } if role == of);
                !later.any(is_same)
            }
        }
    }

    fn first_end(&self) -> Option<Mono> {
        let mut log = self.log.items().iter();
        log.find(|entry| entry.is_end()).map(|entry| entry.at)
    }

    /// Room for one entry more, by leaving out what says nothing, or else by forgetting.
    fn make_room(&mut self, device: &Device, calendar: &Calendar) {
        if !self.is_packed {
            self.compact(device, calendar);
        }
        if self.log.room() == 0 {
            self.pass_over_fresh();
        }
        // Some at once, so that it is not looked through for each reading.
        while !self.is_fresh && self.log.room() < self.log.len() / PART_FREE {
            self.advance(device, calendar);
        }
    }

    fn pass_over_fresh(&mut self) {
        if !self.is_fresh {
            return;
        }
        let before = self.log.len();
        self.log.retain(|entry| !entry.is_fresh);
        let gone = before - self.log.len();
        self.passed_over += u64::try_from(gone).unwrap_or(u64::MAX);
        self.is_fresh = false;
        self.is_due = false;
    }

    /// Takes the first minute out of the log; all of it, if that is not over.
    fn advance(&mut self, device: &Device, calendar: &Calendar) {
        self.is_packed = false;
        while let Some(entry) = self.log.pop() {
            let is_end = entry.is_end();
            self.base.take(&entry, device, calendar, &mut |_| {});
            if is_end {
                return;
            }
        }
    }

    /// Leaves out what says nothing: a state that is shown again while it is fresh, and of readings of
    /// a counter that rise within a minute all of which was known, those between the first and the last.
    fn compact(&mut self, device: &Device, calendar: &Calendar) {
        // It is played with what is fresh and without it: time may be unknown to the one only.
        let (mut all, mut told) = (self.base.clone(), self.base.clone());
        for entry in self.log.items_mut() {
            all.take(entry, device, calendar, &mut |_| {});
            if entry.is_fresh {
                told.pass(entry.at, device.merge_faults_ms, &mut |_| {});
            } else {
                told.take(entry, device, calendar, &mut |_| {});
            }
            if let Input::Counts { unknown_ms, .. } = &mut entry.input {
                // Neither goes back: the sum is the same only if both are.
                let unknown = [&all, &told].map(|replay| replay.machine.ledger().unknown_ms());
                *unknown_ms = unknown[0] + unknown[1];
            }
        }
        // Going back: of each counter the reading behind, and whether it is the last of its minute.
        let mut behind: [Option<(i64, u64, bool)>; 3] = [None; 3];
        for at in (0..self.log.len()).rev() {
            match &self.log.items()[at].input {
                Input::Closes(_) => behind = [None; 3],
                Input::Counts {
                    role,
                    value,
                    unknown_ms,
                } => {
                    let (role, this) = (*role as usize, (*value, *unknown_ms));
                    let is_fresh = self.log.items()[at].is_fresh;
                    let before = self.count_before(at, role);
                    let between = behind[role].zip(before).is_some_and(|(behind, before)| {
                        behind.1 == before.1
                            && (before.0..=behind.0).contains(&this.0)
                            && (is_fresh || !before.2 && !behind.2)
                    });
                    if between {
                        // The one behind stays the neighbour.
                        self.leave_out(at);
                    } else {
                        behind[role] = Some((this.0, this.1, is_fresh));
                    }
                }
                Input::Plans(_) | Input::Shows { .. } | Input::Makes(_) => {}
            }
        }
        self.log.retain(|entry| entry.at != LEFT_OUT);
        self.join_states();
        self.join_products();
        self.is_packed = self.log.room() < self.log.len() / PART_FREE;
    }

    fn leave_out(&mut self, place: usize) {
        if let Some(entry) = self.log.at_mut(place) {
            entry.at = LEFT_OUT;
        }
    }

    /// The reading of a counter before the one at this place, in its minute.
    fn count_before(&self, place: usize, of: usize) -> Option<(i64, u64, bool)> {
        let before = self.log.items().range(..place).rev();
        let mut before = before.take_while(|entry| !entry.is_end());
        before.find_map(|entry| match &entry.input {
            Input::Counts {
                role,
                value,
                unknown_ms,
            } if *role as usize == of => Some((*value, *unknown_ms, entry.is_fresh)),
            _ => None,
        })
    }

    fn join_states(&mut self) {
        // The last state in time and the last late one: what comes next may only renew it.
        let mut last: [Option<usize>; 2] = [None; 2];
        for at in 0..self.log.len() {
            let entry = &self.log.items()[at];
            let Input::Shows {
                state,
                code,
                quality,
                until,
                is_late,
            } = &entry.input
            else {
                continue;
            };
            let (begin, until, is_late) = (entry.at, *until, *is_late);
            let renews = last[usize::from(is_late)].filter(|last| {
                let before = &self.log.items()[*last];
                matches!(&before.input, Input::Shows { state: s, code: c, quality: q, until: u, .. }
                    if s == state && c == code && q == quality && begin < *u && *u <= until)
                    && before.is_fresh == entry.is_fresh
            });
            match renews {
                Some(before) => {
                    let before = self.log.at_mut(before).map(|entry| &mut entry.input);
                    if let Some(Input::Shows { until: longer, .. }) = before {
                        *longer = until;
                    }
                    self.leave_out(at);
                }
                None => last[usize::from(is_late)] = Some(at),
            }
        }
        self.log.retain(|entry| entry.at != LEFT_OUT);
    }

    /// Leaves out a product that is the one before. One that was read in time counts also where what
    /// is fresh does not.
    fn join_products(&mut self) {
        let mut last = (self.base.machine.product().cloned(), false);
        for entry in self.log.items_mut() {
            let Input::Makes(product) = &entry.input else {
                continue;
            };
            let (before, was_fresh) = &last;
            if before.as_ref() == Some(product) && (entry.is_fresh || !was_fresh) {
                entry.at = LEFT_OUT;
            } else {
                last = (Some(product.clone()), entry.is_fresh);
            }
        }
        self.log.retain(|entry| entry.at != LEFT_OUT);
    }

    fn play(
        &self,
        device: &Device,
        calendar: &Calendar,
        to: Mono,
        with_fresh: bool,
        mut tell: impl FnMut(Outcome),
    ) -> Replay {
        let mut replay = self.base.clone();
        let log = self.log.items().iter();
        for entry in log.filter(|entry| with_fresh || !entry.is_fresh) {
            replay.take(entry, device, calendar, &mut tell);
        }
        replay.pass(to, device.merge_faults_ms, &mut tell);
        replay
    }
}

/// Counts one more correction of a window.
fn revise(revised: &mut Queue<Revised>, ended: &Ended) -> u32 {
    let Ended::Tier(tier, closed) = ended else {
        return 0;
    };
    let window = &closed.window;
    let is_same = |known: &&mut Revised| {
        (known.tier, known.start, known.fold) == (*tier, window.start, window.fold)
    };
    if let Some(known) = revised.items_mut().find(is_same) {
        known.rev += 1;
        return known.rev;
    }
    if revised.room() == 0 {
        revised.pop();
    }
    let first = Revised {
        tier: *tier,
        start: window.start,
        end: window.end,
        fold: window.fold,
        rev: 1,
    };
    let full = revised.try_push(first);
    debug_assert!(full.is_ok(), "room was made");
    1
}
