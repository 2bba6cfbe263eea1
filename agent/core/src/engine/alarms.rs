//! Conditions to alarms: who asks for which device, and what follows from an answer.

use super::{Action, Current, Engine};
use crate::alarm::{AlarmState, Change, Happening};
use crate::kpi::Measure;
use crate::own::Own;
use crate::plant::Plant;
use crate::record::{Done, Event};
use crate::rule::{Rule, World};
use crate::sample::Value;
use crate::state::State;
use crate::tag::{DeviceIndex, TagIndex};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The alarms whose conditions ask for `device`.
pub(super) fn watching(plant: &Plant, device: DeviceIndex) -> Vec<u16> {
    let mut found = Vec::new();
    for (index, alarm) in plant.alarms.iter().enumerate() {
        let mut asks = false;
        for rule in core::iter::once(&alarm.when).chain(&alarm.suppress_when) {
            rule.for_each_leaf(&mut |leaf| {
                asks |= match leaf {
                    Rule::State { device: of, .. }
                    | Rule::Tag { device: of, .. }
                    | Rule::Rate { device: of, .. }
                    | Rule::TagNoData(of, _)
                    | Rule::NoData(of)
                    | Rule::Suspect(of) => *of == device,
                    // Figures are moved by time, each minute, and not by what is read.
                    _ => false,
                };
            });
        }
        if let (true, Ok(index)) = (asks, u16::try_from(index)) {
            found.push(index);
        }
    }
    found
}

impl World for Engine {
    /// What a machine shows counts, in a break too: its fault does not end there. Whether it stands
    /// by plan is known even while nothing is read.
    fn is(&self, device: DeviceIndex, state: State) -> Option<bool> {
        let machine = self.devices[usize::from(device.0)].machine.as_ref()?;
        match (state, machine.shown()) {
            (State::PlannedStop, _) => Some(machine.state() == State::PlannedStop),
            (_, State::Unknown) => None,
            (state, shown) => Some(state == shown),
        }
    }

    fn value(&self, device: DeviceIndex, tag: TagIndex) -> Option<Value> {
        self.usable(device, tag)
    }

    /// Before anything was read, silence is known once the time has passed in which it would have been.
    fn no_data(&self, device: DeviceIndex) -> Option<bool> {
        let entry = &self.devices[usize::from(device.0)];
        let stale_after = self.plant.device(device).stale_after_ms;
        let is_silent = self.now.since(self.silent_since(device)) >= stale_after;
        (is_silent || entry.last_good.is_some()).then_some(is_silent)
    }

    fn tag_no_data(&self, device: DeviceIndex, tag: TagIndex) -> Option<bool> {
        let heard = self.devices[usize::from(device.0)].asked.heard(tag);
        let silent_ms = self.now.since(self.tag_silent_since(device, tag));
        let is_silent = silent_ms >= self.stale_after(device, tag);
        (is_silent || heard.is_some()).then_some(is_silent)
    }

    fn figure(&self, device: DeviceIndex, measure: Measure, over_ms: u64) -> Option<f64> {
        self.figure_over(device, measure, over_ms)
    }

    fn rate_per_ms(&self, device: DeviceIndex, tag: TagIndex, window_ms: u64) -> Option<f64> {
        self.slope_of(device, tag, window_ms)
    }

    fn suspect(&self, device: DeviceIndex) -> Option<bool> {
        self.lies(device)
    }

    fn own(&self, own: Own) -> Option<bool> {
        self.own_holds(own)
    }
}

impl Engine {
    pub(super) fn judge_device(&mut self, device: DeviceIndex, now: Mono) {
        for at in 0..self.devices[usize::from(device.0)].alarms.len() {
            let index = self.devices[usize::from(device.0)].alarms[at];
            self.judge(index, now);
        }
    }

    pub(super) fn judge_all(&mut self, now: Mono) {
        self.alarm_deadline = None;
        for index in 0..self.alarms.len() {
            self.judge(u16::try_from(index).unwrap_or(u16::MAX), now);
        }
    }

    /// The clock was set for the first time: what happened to alarms between the labels `from` and
    /// `to` that it had given happened `by` milliseconds later.
    pub(super) fn relabel_alarms(&mut self, from: Wall, to: Wall, by: i64) {
        for at in 0..self.alarms.len() {
            let alarm = &mut self.alarms[at];
            let times = [&mut alarm.raised, &mut alarm.acked, &mut alarm.cleared];
            let times = times.into_iter().flatten();
            let mut changed = false;
            for time in times.filter(|time| from <= **time && **time <= to) {
                *time = *time + by;
                changed = true;
            }
            if changed {
                let index = u16::try_from(at).unwrap_or(u16::MAX);
                self.act(Action::Publish(Current::Alarm(index)));
            }
        }
    }

    /// What hides an alarm begins before its condition is looked at, and ends after: what comes or
    /// goes at the same moment is not shown for it.
    ///
    /// Silence behind a dead link is hidden as well ([`Engine::is_cut_off`]).
    pub(super) fn judge(&mut self, index: u16, now: Mono) {
        let plant = Arc::clone(&self.plant);
        let at = usize::from(index);
        let settings = &plant.alarms[at];
        let latched = settings.latched;
        let label = self.timeline.label(now);
        let (was_undecided, mut told) = (self.alarms[at].undecided, false);
        let by_design = match &settings.suppress_when {
            Some(when) => when.evaluate(&*self, self.alarms[at].is_suppressed()),
            // It may have been, under another configuration.
            None => Some(false),
        };
        let cut_off = self.is_cut_off(settings, now);
        let suppressed = match (by_design, cut_off) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            // What hid it may still hold.
            _ => None,
        };
        if suppressed == Some(true) {
            let change = self.alarms[at].suppress(true, latched, label);
            told |= self.tell_alarm(index, change, None, now);
        }
        let answer = settings.when.evaluate(&*self, self.alarms[at].is_active());
        let since = self.since(&settings.when, now);
        let what = self.alarms[at].judge(
            now,
            since,
            answer,
            settings.on_delay_ms,
            settings.off_delay_ms,
        );
        if let Some(what) = what {
            if what == Happening::Occur {
                self.alarms[at].value = self.subject(&settings.when);
            }
            let change = self.alarms[at].happen(what, latched, label);
            told |= self.tell_alarm(index, change, None, now);
        }
        let change = self.alarms[at].end_shelf(now, latched, label);
        told |= self.tell_alarm(index, change, None, now);
        if suppressed == Some(false) && !self.is_ending_silence(index, answer) {
            let change = self.alarms[at].suppress(false, latched, label);
            told |= self.tell_alarm(index, change, None, now);
        }
        let alarm = &self.alarms[at];
        if let Some(deadline) = alarm.deadline() {
            let earliest = self
                .alarm_deadline
                .map_or(deadline, |known| known.min(deadline));
            self.alarm_deadline = Some(earliest);
        }
        let undecided_changed =
            alarm.undecided != was_undecided && alarm.state() != AlarmState::Normal;
        if told || undecided_changed {
            self.act(Action::Publish(Current::Alarm(index)));
        }
        if told {
            self.act(Action::Commit);
        }
    }

    /// Whether an alarm over silence is only waiting out its delay: come out from behind a dead link,
    /// that is not told as new.
    fn is_ending_silence(&self, index: u16, answer: Option<bool>) -> bool {
        let mut of_silence = false;
        let settings = &self.plant.alarms[usize::from(index)];
        settings
            .when
            .for_each_leaf(&mut |leaf| of_silence |= leaf.silence_of().is_some());
        of_silence && answer != Some(true) && self.alarms[usize::from(index)].is_active()
    }

    /// Silence is known only afterwards: its delay counts from the last good sample.
    fn since(&self, when: &Rule, now: Mono) -> Mono {
        match when {
            Rule::NoData(device) => self.silent_since(*device),
            Rule::TagNoData(device, tag) => self.tag_silent_since(*device, *tag),
            _ => now,
        }
    }

    /// Puts a change of an alarm into the journal, and says whether there was one.
    pub(super) fn tell_alarm(
        &mut self,
        index: u16,
        change: Option<Change>,
        done: Option<Box<Done>>,
        now: Mono,
    ) -> bool {
        let Some(change) = change else {
            return false;
        };
        self.horns_due = true;
        self.count_change(index, change, done.as_deref(), now);
        let Change { from, to } = change;
        let first_out = self.is_first_out(index, to);
        let settings = &self.plant.alarms[usize::from(index)];
        let alarm = &self.alarms[usize::from(index)];
        let event = Event::Alarm {
            device: self.plant.owner_id(settings.owner).into(),
            alarm: settings.id.clone(),
            occurrence: alarm.occurrence,
            priority: settings.priority,
            from,
            to,
            value: self.subject(&settings.when),
            active: alarm.is_active(),
            first_out,
            done,
        };
        self.event(now, event);
        self.settle_first_out(index);
        self.note_alarm(index, now);
        true
    }

    /// The wall clock was stepped: shelves end at the same moments, which have other labels now.
    pub(super) fn relabel_shelves(&mut self) {
        for index in 0..self.alarms.len() {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            if self.alarms[usize::from(index)].shelved_until().is_some() {
                self.act(Action::Publish(Current::Alarm(index)));
            }
        }
    }

    /// The value that the condition speaks of; the raw code for a condition on a state.
    fn subject(&self, when: &Rule) -> Option<Value> {
        let subject = when.subject()?;
        match subject {
            Rule::Figure { .. } | Rule::Rate { .. } => subject
                .number(self)
                .map(|number| Value::Float(rounded(number))),
            Rule::Tag { device, tag, .. } => self.usable(*device, *tag),
            Rule::State { device, .. } => self.devices[usize::from(device.0)]
                .machine
                .as_ref()?
                .code()
                .cloned(),
            _ => None,
        }
    }
}

/// To four decimals, as figures are; what has none left to cut stays as it is.
fn rounded(number: f64) -> f64 {
    let units = number * 1e4;
    if units.abs() < 1e15 {
        let half = if units < 0.0 { -0.5 } else { 0.5 };
        (units + half) as i64 as f64 / 1e4
    } else {
        number
    }
}
