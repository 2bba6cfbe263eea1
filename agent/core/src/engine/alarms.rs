//! Conditions to alarms: who asks for which device, and what follows from an answer.

use super::{Action, Current, Engine};
use crate::alarm::Happening;
use crate::plant::Plant;
use crate::record::Event;
use crate::rule::{Rule, World};
use crate::sample::Value;
use crate::state::State;
use crate::tag::{DeviceIndex, TagIndex};
use crate::time::{Mono, Wall};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The alarms whose conditions ask for `device`.
pub(super) fn watching(plant: &Plant, device: DeviceIndex) -> Vec<u16> {
    let mut found = Vec::new();
    for (index, alarm) in plant.alarms.iter().enumerate() {
        let mut asks = false;
        alarm.when.for_each_leaf(&mut |leaf| {
            asks |= match leaf {
                Rule::State { device: of, .. }
                | Rule::Tag { device: of, .. }
                | Rule::NoData(of) => *of == device,
                _ => false,
            };
        });
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

    fn no_data(&self, device: DeviceIndex) -> bool {
        self.is_silent(device)
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

    fn judge(&mut self, index: u16, now: Mono) {
        let plant = Arc::clone(&self.plant);
        let at = usize::from(index);
        let settings = &plant.alarms[at];
        let answer = settings
            .when
            .evaluate(&*self, self.alarms[at].state.is_active());
        let since = self.since(&settings.when, now);
        let alarm = &mut self.alarms[at];
        let was_undecided = alarm.undecided;
        let what = alarm.judge(
            now,
            since,
            answer,
            settings.on_delay_ms,
            settings.off_delay_ms,
        );
        let undecided_changed =
            alarm.undecided != was_undecided && alarm.state != crate::alarm::AlarmState::Normal;
        if let Some(deadline) = alarm.deadline() {
            let earliest = self
                .alarm_deadline
                .map_or(deadline, |known| known.min(deadline));
            self.alarm_deadline = Some(earliest);
        }
        match what {
            Some(what) => self.happen(index, what, now),
            None if undecided_changed => self.act(Action::Publish(Current::Alarm(index))),
            None => {}
        }
    }

    /// Silence is known only afterwards: its delay counts from the last good sample.
    fn since(&self, when: &Rule, now: Mono) -> Mono {
        match when {
            Rule::NoData(device) => self.devices[usize::from(device.0)].last_good.unwrap_or(now),
            _ => now,
        }
    }

    fn happen(&mut self, index: u16, what: Happening, now: Mono) {
        let plant = Arc::clone(&self.plant);
        let settings = &plant.alarms[usize::from(index)];
        let value = self.subject(&settings.when);
        let label = self.timeline.label(now);
        let alarm = &mut self.alarms[usize::from(index)];
        let Some(from) = alarm.happen(what, settings.latched, label) else {
            return;
        };
        if what == Happening::Occur {
            alarm.value.clone_from(&value);
        }
        let event = Event::Alarm {
            device: plant.device(settings.device).id.clone(),
            alarm: settings.id.clone(),
            occurrence: alarm.occurrence,
            priority: settings.priority,
            from,
            to: alarm.state,
            value,
        };
        self.event(now, event);
        self.act(Action::Publish(Current::Alarm(index)));
        self.act(Action::Commit);
    }

    /// The value that the condition speaks of; the raw code for a condition on a state.
    fn subject(&self, when: &Rule) -> Option<Value> {
        match when.subject()? {
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
