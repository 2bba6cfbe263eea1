//! Which read of a link is made next: pure, with the time as an argument.
//!
//! - A read is due at the whole multiples of its period on the boot-time clock, so that everything
//!   that is due in the plant is due at one instant; the first time it is due at once. Deadlines
//!   that were missed are skipped, never queued.
//! - What came to nothing is due again soon, also if its period is longer: a meter that is read every
//!   quarter of an hour is not bad for as long because one answer was lost.
//! - Of what is due, the oldest deadline goes first, the shorter period before the longer.
//! - A unit that did not answer is not asked for its other due reads; they fail with it. From then
//!   on it comes after the units that answer. After two failures in a row only one of its reads
//!   is made now and then, as a probe: after 1, 2, 4 … 30 s, and one probe of one unit at a time,
//!   so that dead units never take more of the link than one probe each time the rest is served.
//! - A probe waits no longer than the healthy units can: until the next of their reads would be
//!   late by a whole period. Every fourth may take the whole patience, so that a unit
//!   slower than that comes back too.
//!
//! One good answer makes a unit healthy again. A unit that needs a pause after its answers is passed
//! over until it has had it.

use andon_core::modbus::plan::ReadIndex;
use andon_core::sample::Reason;
use andon_core::time::Mono;

/// From this many failures in a row a unit is only probed.
const DEAD_AFTER: u32 = 2;

/// Milliseconds from a unit's death to the first probe; doubled after each failed one.
const PROBE_FIRST_MS: u64 = 1_000;

/// Longest time between two probes where other units share the link.
const PROBE_LAST_MS: u64 = 30_000;

/// Longest time between two probes of a link's only unit: nobody else pays for them.
const PROBE_ALONE_MS: u64 = 5_000;

/// A probe this much overdue goes before healthy units: a link without a free moment must not
/// keep a unit dead for ever.
const PROBE_OVERDUE_MS: u64 = 30_000;

/// A read that came to nothing is due again at the next multiple of this, also if its period is longer.
const AGAIN_MS: u64 = 10_000;

/// After every so many failures in a row a probe is given the whole patience.
const FULL_PATIENCE: u32 = 4;

/// What a link does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make this read.
    Ask {
        /// Which read.
        slot: Slot,
        /// Hard deadline of the answer, in milliseconds from now.
        patience_ms: u64,
    },
    /// Tell that this read failed without making it: its unit does not answer.
    Skip {
        /// Which read.
        slot: Slot,
        /// Why its unit failed.
        reason: Reason,
    },
    /// Nothing is due before this time.
    Wait(Mono),
    /// There is nothing to read at all.
    Idle,
}

/// One read within a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

/// What an outcome changed about a unit, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as before.
    None,
    /// It stopped answering.
    Lost,
    /// It answers again.
    Back,
}

/// The reads of one link with their deadlines, and the health of its units.
#[derive(Debug)]
pub struct Schedule {
    entries: Vec<Entry>,
    units: Vec<Unit>,
    /// A failing unit was asked since the link last had nothing to do.
    probed: bool,
}

#[derive(Debug)]
struct Entry {
    read: ReadIndex,
    /// Index into [`Schedule::units`].
    unit: usize,
    every_ms: u64,
    due: Mono,
    /// Hard deadline of its answer.
    patience_ms: u64,
}

#[derive(Debug)]
struct Unit {
    id: u8,
    /// None while it answers.
    failing: Option<Failing>,
    /// It needs a pause until then.
    pause_until: Mono,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    /// In a row.
    failures: u32,
    /// Of the last failure.
    reason: Reason,
    /// A read that is due from then on may be made.
    probe_from: Mono,
}

/// Smaller goes first: whether it waits for healthy units, its deadline, its period.
type Urgency = (bool, Mono, u64);

impl Schedule {
    /// A schedule of reads, each with its unit, its period and the deadline of its answer in
    /// milliseconds, all of them due `now`.
    pub fn new(reads: impl Iterator<Item = (ReadIndex, u8, u64, u64)>, now: Mono) -> Schedule {
        let mut units: Vec<Unit> = Vec::new();
        let entry = |(read, id, every_ms, patience_ms): (ReadIndex, u8, u64, u64)| {
            let unit = units
                .iter()
                .position(|unit| unit.id == id)
                .unwrap_or_else(|| {
                    units.push(Unit {
                        id,
                        failing: None,
                        pause_until: now,
                    });
                    units.len() - 1
                });
            Entry {
                read,
                unit,
                every_ms: every_ms.max(1),
                due: now,
                patience_ms,
            }
        };
        let entries = reads.map(entry).collect();
        Schedule {
            entries,
            units,
            probed: false,
        }
    }

    /// What to do at `now`. The read it names has its next deadline in the future afterwards.
    pub fn next(&mut self, now: Mono) -> Step {
        let mut best: Option<(Urgency, Slot)> = None;
        for at in 0..self.entries.len() {
            if self.entries[at].due > now {
                continue;
            }
            match self.urgency(&self.entries[at], now) {
                Err(reason) => {
                    self.advance(Slot(at), now);
                    self.missed(Slot(at), now);
                    return Step::Skip {
                        slot: Slot(at),
                        reason,
                    };
                }
                Ok(_) if self.from(&self.entries[at]) > now => {}
                Ok(urgency) if best.is_none_or(|(least, _)| urgency < least) => {
                    best = Some((urgency, Slot(at)));
                }
                Ok(_) => {}
            }
        }
        if let Some((_, slot)) = best {
            let patience_ms = self.patience(slot, now);
            self.probed |= self.unit(slot).failing.is_some();
            self.advance(slot, now);
            return Step::Ask { slot, patience_ms };
        }
        self.probed = false;
        match self.entries.iter().map(|entry| self.from(entry)).min() {
            Some(due) => Step::Wait(due),
            None => Step::Idle,
        }
    }

    /// The unit answered.
    pub fn answered(&mut self, slot: Slot) -> Change {
        match self.unit_mut(slot).failing.take() {
            Some(Failing {
                failures: DEAD_AFTER..,
                ..
            }) => Change::Back,
            _ => Change::None,
        }
    }

    /// The unit did not answer, or not as it should. Its other reads that are due by `now` fail
    /// with this one: [`Schedule::next`] hands them out as [`Step::Skip`].
    pub fn failed(&mut self, slot: Slot, reason: Reason, now: Mono) -> Change {
        self.missed(slot, now);
        let longest = if self.units.len() > 1 {
            PROBE_LAST_MS
        } else {
            PROBE_ALONE_MS
        };
        let unit = self.unit_mut(slot);
        let failures = unit
            .failing
            .map_or(1, |failing| failing.failures.saturating_add(1));
        let pause = match failures.checked_sub(DEAD_AFTER) {
            // It is asked again at its next deadline.
            None => 1,
            Some(probes) => (PROBE_FIRST_MS << probes.min(16)).min(longest),
        };
        unit.failing = Some(Failing {
            failures,
            reason,
            probe_from: now + pause,
        });
        if failures == DEAD_AFTER {
            Change::Lost
        } else {
            Change::None
        }
    }

    /// A unit is not to be asked before `until`; the others are, meanwhile.
    pub fn pause(&mut self, id: u8, until: Mono) {
        if let Some(unit) = self.units.iter_mut().find(|unit| unit.id == id) {
            unit.pause_until = until;
        }
    }

    /// Whether the unit did not answer when it was last asked.
    pub fn is_failing(&self, slot: Slot) -> bool {
        self.unit(slot).failing.is_some()
    }

    /// Whether no unit at all answered when it was last asked.
    pub fn nobody_answers(&self) -> bool {
        self.units.iter().all(|unit| unit.failing.is_some())
    }

    /// A read came to nothing, whatever the reason: it is due again soon.
    pub fn missed(&mut self, slot: Slot, now: Mono) {
        if self.entries[slot.0].every_ms > AGAIN_MS {
            self.again_by(slot, Mono((now.0 / AGAIN_MS + 1).saturating_mul(AGAIN_MS)));
        }
    }

    /// A read is due again by `at`, also if its period is longer.
    pub fn again_by(&mut self, slot: Slot, at: Mono) {
        let entry = &mut self.entries[slot.0];
        entry.due = entry.due.min(at);
    }

    /// The read of a slot.
    pub fn read(&self, slot: Slot) -> ReadIndex {
        self.entries[slot.0].read
    }

    /// How urgent a due read is; or why it is not to be made.
    fn urgency(&self, entry: &Entry, now: Mono) -> Result<Urgency, Reason> {
        match self.units[entry.unit].failing {
            None => Ok((false, entry.due, entry.every_ms)),
            Some(failing) if entry.due < failing.probe_from => Err(failing.reason),
            Some(failing) if failing.is_overdue(now) => {
                Ok((false, failing.probe_from, entry.every_ms))
            }
            Some(failing) if self.probed => Err(failing.reason),
            Some(failing) => Ok((true, failing.probe_from, entry.every_ms)),
        }
    }

    /// When a read can be made: when it is due and its unit has had its pause.
    fn from(&self, entry: &Entry) -> Mono {
        entry.due.max(self.units[entry.unit].pause_until)
    }

    /// How long the answer may take.
    fn patience(&self, slot: Slot, now: Mono) -> u64 {
        let patience_ms = self.entries[slot.0].patience_ms;
        match self.unit(slot).failing {
            Some(failing) if failing.failures % FULL_PATIENCE != 0 && !failing.is_overdue(now) => {
                let healthy = self
                    .entries
                    .iter()
                    .filter(|e| self.units[e.unit].failing.is_none());
                let late = healthy.map(|entry| entry.due + entry.every_ms).min();
                late.map_or(patience_ms, |late| late.since(now).min(patience_ms))
            }
            _ => patience_ms,
        }
    }

    fn advance(&mut self, slot: Slot, now: Mono) {
        let entry = &mut self.entries[slot.0];
        entry.due = Mono((now.0 / entry.every_ms + 1).saturating_mul(entry.every_ms));
    }

    fn unit(&self, slot: Slot) -> &Unit {
        &self.units[self.entries[slot.0].unit]
    }

    fn unit_mut(&mut self, slot: Slot) -> &mut Unit {
        &mut self.units[self.entries[slot.0].unit]
    }
}

impl Failing {
    fn is_overdue(&self, now: Mono) -> bool {
        now.since(self.probe_from) > PROBE_OVERDUE_MS
    }
}

#[cfg(test)]
mod tests;
