//! What comes late: into the log of its device, and, where the next minute ends, out again as
//! corrections of what was told.
//!
//! Corrections wait for the end of a minute so that a machine which sends an hour of readings, one by
//! one, corrects each window once.

use super::closing::{head, put};
use super::ingest::within_range;
use super::{Current, Engine};
use crate::history::{Fill, Leaf, Mark};
use crate::late::{Correction, Late, Said, corrections};
use crate::limits;
use crate::plant::States;
use crate::record::Body;
use crate::rolling::Grain;
use crate::sample::{Quality, Reading, Sample, Value};
use crate::state::State;
use crate::summary::{Summary, TierSet};
use crate::tag::{DeviceIndex, Tag, TagIndex};
use crate::tiers::Ended;
use crate::time::{ClockState, Mono, Now};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Engine {
    /// Late data can correct what is told from here on.
    pub(super) fn begin_late(&mut self) {
        for index in 0..self.devices.len() {
            self.begin_late_of(index);
        }
    }

    /// The same of one device.
    pub(super) fn begin_late_of(&mut self, index: usize) {
        let device = &self.plant.devices[index];
        // What is derived of several tags is not derived of what comes late.
        let has_status = matches!(device.model.state, Some(States::Status(_)));
        let span_ms = if has_status { device.late_ms } else { 0 };
        let entry = &mut self.devices[index];
        let Some(machine) = &entry.machine else {
            return;
        };
        match &mut entry.late {
            Some(late) => late.begin(machine, &entry.tiers),
            None if span_ms > 0 => {
                entry.late = Some(Box::new(Late::new(span_ms, machine, &entry.tiers)));
            }
            None => {}
        }
    }

    /// A sample of a message: if it comes late, it is put where it belongs. As long as the clock is
    /// not set nobody can say when that was.
    pub(super) fn hear_late(
        &mut self,
        device: DeviceIndex,
        index: TagIndex,
        tag: &Tag,
        at: Mono,
        sample: &Sample,
    ) {
        let plant = Arc::clone(&self.plant);
        let settings = plant.device(device);
        let (Some(time), true) = (sample.time, self.timeline.clock != ClockState::Unsynced) else {
            return;
        };
        let age = (self.timeline.label(at) - time).max(0).unsigned_abs();
        let is_late = age >= self.stale_after(device, index);
        let entry = &mut self.devices[usize::from(device.0)];
        // The first that comes in time after a silence tells of the moments since it was read, too.
        let Some(late) = &mut entry.late else {
            return;
        };
        let is_state =
            matches!(&settings.model.state, Some(States::Status(map)) if map.from == index);
        let joins = is_state && age > 0 && !late.shows(at);
        if !is_late && !joins {
            return;
        }
        if age > settings.late_ms {
            return late.pass_over();
        }
        // What is retained is no reading of its time.
        let Reading::Good(value) = within_range(tag, sample.reading.clone()) else {
            return;
        };
        let mut say = |said| {
            let then = at.before(age);
            // From its arrival on the present is told by what comes in time.
            let holds_ms = settings.stale_after_ms.min(age);
            let calendar = plant.calendar_at(settings.calendar);
            late.say(settings, calendar, then, said, holds_ms);
        };
        if let (Some(role), Value::Int(value)) = (tag.role, &value) {
            say(Said::Count(role.counts, *value));
        }
        let rates = settings.model.rates.as_ref();
        if rates.is_some_and(|rates| rates.by == index) {
            say(Said::Product(value.clone()));
        }
        if let Some(States::Status(map)) = &settings.model.state
            && map.from == index
        {
            let mut rules = map.rules.iter();
            let rule = rules.find(|(pattern, _)| pattern.matches(&value));
            if let Some((_, state)) = rule.filter(|(_, state)| *state != State::Unknown) {
                say(Said::State(*state, value, Quality::Good));
            }
        }
    }

    /// Late readings that were passed over: too old, or of time that was known.
    pub fn late_passed_over(&self) -> u64 {
        let all = self.devices.iter().filter_map(|entry| entry.late.as_ref());
        all.map(|late| late.passed_over()).sum()
    }

    /// The run ends at `now`: what is known is known up to here, and what came late is looked at, for the
    /// next run does not know of it. What there is up to `now` must have been caught up with.
    pub fn end(&mut self, now: Now) {
        self.handle_time(now);
        self.late_falls_due();
        self.settle_late(self.now);
    }

    /// A minute ends.
    pub(super) fn late_falls_due(&mut self) {
        for late in self
            .devices
            .iter_mut()
            .filter_map(|entry| entry.late.as_mut())
        {
            late.fall_due();
        }
    }

    /// Looks at what came late up to `now` and is due, of as many devices as there is room for; of the
    /// others a moment later.
    pub(super) fn settle_late(&mut self, now: Mono) {
        for index in 0..self.devices.len() {
            let late = self.devices[index].late.as_ref();
            if !late.is_some_and(|late| late.is_due()) {
                continue;
            }
            let need = corrections(self.plant.devices[index].late_ms);
            let left = limits::one_closing(&self.plant) + limits::reserve(&self.plant);
            if self.actions.room() >= left + need {
                self.advance(index, now);
                self.settle_device(index, now);
            }
        }
    }

    fn settle_device(&mut self, index: usize, edge: Mono) {
        let plant = Arc::clone(&self.plant);
        let device = &plant.devices[index];
        let entry = &mut self.devices[index];
        let (Some(late), Some(machine)) = (&mut entry.late, &mut entry.machine) else {
            return;
        };
        let mut all = Vec::new();
        let calendar = plant.calendar_at(device.calendar);
        let rate = machine.rate();
        late.settle(device, calendar, machine, &mut entry.tiers, |it| {
            all.push(it)
        });
        let is_other_rate = machine.rate() != rate;
        let (mut minutes, mut pieces) = (None, None);
        let mut fills: Vec<Fill> = Vec::new();
        for correction in all {
            match correction {
                Correction::Minute(summary, window, cut) => {
                    let head = head(window, cut, TierSet::NONE);
                    let asked = &mut self.devices[index].asked;
                    asked.correct(Grain::Minute, &window, &summary.sum());
                    put(&mut minutes, &device.id, head, summary.sum());
                    self.publish_again(index, edge, summary);
                }
                Correction::Ended(Ended::Tier(tier, closed), rev) => {
                    if let Some(recent) = &mut self.devices[index].recent {
                        recent.correct(tier, &closed);
                    }
                    let summary = self.summary(device, tier, &closed);
                    self.publish_again(index, edge, Summary { rev, ..summary });
                }
                Correction::Ended(Ended::Piece(piece), _) => {
                    let head = head(piece.window, piece.cut, piece.ended);
                    let asked = &mut self.devices[index].asked;
                    asked.correct(Grain::Piece, &piece.window, &piece.sum);
                    put(&mut pieces, &device.id, head, piece.sum);
                }
                Correction::Fill(fill) => add(&mut fills, fill),
            }
        }
        self.renew_figures_of(index);
        if let Some(minutes) = minutes {
            self.keep(Leaf::MinuteAgain(minutes));
        }
        if let Some(pieces) = pieces {
            self.keep(Leaf::PieceAgain(pieces));
        }
        for fill in fills {
            let device = device.id.clone();
            self.marks.push(Mark::Fills { device, fill });
        }
        let device = super::device_index(index);
        self.act(super::Action::Publish(Current::Now(device)));
        if is_other_rate {
            self.act(super::Action::Publish(Current::Info(device)));
        }
    }

    /// A window that was told is told again, whole.
    fn publish_again(&mut self, index: usize, at: Mono, summary: Summary) {
        if !self.plant.devices[index].publishes.contains(summary.tier) {
            return;
        }
        let count = &mut self.devices[index].summaries[summary.tier as usize];
        *count += 1;
        let n = *count;
        self.store(at, n, Body::Summary(Box::new(summary)));
    }
}

/// Adds a stretch of time, to the last one if it goes on with it.
fn add(fills: &mut Vec<Fill>, next: Fill) {
    if let Some(last) = fills.last_mut()
        && last.to == next.from
        && (last.state, &last.code, last.quality) == (next.state, &next.code, next.quality)
    {
        last.to = next.to;
        return;
    }
    fills.push(next);
}
