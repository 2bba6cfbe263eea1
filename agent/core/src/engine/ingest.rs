//! Samples into the tables: newest value of each tag, status and counters to the machine.

use super::{Action, Engine, UNMAPPED, device_index, lies_in_data};
use crate::limits;
use crate::modbus::decode::{Words, decode, scale};
use crate::modbus::plan::ReadIndex;
use crate::record::Event;
use crate::sample::{Quality, Reading, Reason, Value};
use crate::state::State;
use crate::tag::{DeviceIndex, Source, Tag, TagIndex};
use crate::time::Mono;
use alloc::sync::Arc;

/// Tags that others are scaled by come before those: both may have been read at once.
const IN_ORDER: [bool; 2] = [false, true];

impl Engine {
    /// A Modbus read was answered, or not.
    pub fn handle_read(&mut self, read: ReadIndex, at: Mono, answer: Result<Words<'_>, Reason>) {
        let plan = Arc::clone(&self.plan);
        let Some(read) = usize::try_from(read.0)
            .ok()
            .and_then(|index| plan.reads.get(index))
        else {
            return;
        };
        let plant = Arc::clone(&self.plant);
        let model = &plant.device(read.device).model;
        self.begin(read.device, at);
        for scaled in IN_ORDER {
            for &index in read.tags.iter() {
                let tag = &model.tags[usize::from(index.0)];
                let Source::Modbus(point) = &tag.source else {
                    continue;
                };
                if point.power_of_ten.is_some() != scaled {
                    continue;
                }
                let reading = match &answer {
                    Ok(words) => match decode(point, *words, read.start) {
                        Ok(value) => Reading::Good(value),
                        Err(reason) => Reading::Bad(reason),
                    },
                    Err(reason) => Reading::Bad(*reason),
                };
                self.take(read.device, index, tag, at, reading);
            }
        }
        self.finish(read.device, at);
    }

    /// A message brought readings of one device, or a Modbus read was answered piece by piece.
    pub fn handle_readings<'r>(
        &mut self,
        device: DeviceIndex,
        at: Mono,
        readings: impl IntoIterator<Item = &'r (TagIndex, Reading)> + Clone,
    ) {
        let plant = Arc::clone(&self.plant);
        let model = &plant.device(device).model;
        self.begin(device, at);
        for scaled in IN_ORDER {
            for (index, reading) in readings.clone() {
                let tag = &model.tags[usize::from(index.0)];
                if tag.power_of_ten().is_some() == scaled {
                    self.take(device, *index, tag, at, reading.clone());
                }
            }
        }
        self.finish(device, at);
    }

    fn begin(&mut self, device: DeviceIndex, at: Mono) {
        self.roll(at);
        self.advance(usize::from(device.0), at);
        // It may have been stale since it was last looked at.
        self.tell_state(usize::from(device.0));
    }

    fn finish(&mut self, device: DeviceIndex, at: Mono) {
        self.tell_state(usize::from(device.0));
        self.judge_device(device, at);
    }

    fn take(
        &mut self,
        device: DeviceIndex,
        index: TagIndex,
        tag: &Tag,
        at: Mono,
        reading: Reading,
    ) {
        let reading = within_range(tag, self.scaled(device, tag, reading));
        self.tally.samples += 1;
        let entry = &mut self.devices[usize::from(device.0)];
        let slot = entry.first_slot + usize::from(index.0);
        let mut told = false;
        match &reading {
            Reading::Good(_) => entry.last_good = Some(at),
            Reading::Uncertain(..) => {}
            Reading::Bad(reason) => {
                self.tally.bad_samples += 1;
                told = Quality::Bad(*reason) != self.newest.quality(slot) && lies_in_data(*reason);
            }
        }
        self.newest.put(slot, &reading, at);
        if told && self.actions.len() < limits::QUALITIES {
            self.act(Action::Quality(device, index, reading.quality()));
        }
        if tag.role.is_some() {
            self.count(device, &reading, tag, at);
        }
        let map = self.plant.device(device).model.state.as_ref();
        if map.is_some_and(|map| map.from == index) {
            self.show(device, &reading, at);
        }
    }

    /// What a reading is with the power of ten that another tag says; the others are as they are.
    fn scaled(&self, device: DeviceIndex, tag: &Tag, reading: Reading) -> Reading {
        let (Source::Modbus(point), Some(by)) = (&tag.source, tag.power_of_ten()) else {
            return reading;
        };
        let power = self.usable(device, by);
        let scaled = |raw: &Value| scale(point, raw, power.as_ref());
        match &reading {
            Reading::Good(raw) => scaled(raw).map_or_else(Reading::Bad, Reading::Good),
            Reading::Uncertain(raw, reason) => {
                scaled(raw).map_or_else(Reading::Bad, |value| Reading::Uncertain(value, *reason))
            }
            Reading::Bad(_) => reading,
        }
    }

    fn count(&mut self, device: DeviceIndex, reading: &Reading, tag: &Tag, at: Mono) {
        let entry = &mut self.devices[usize::from(device.0)];
        // A retained copy may be older than what was counted since: it would look like a reset.
        let (Some(machine), Reading::Good(value), Some(role)) =
            (&mut entry.machine, reading, tag.role)
        else {
            return;
        };
        let rate = self.plant.device(device).rated_rate;
        if machine.count(role.counts, value, self.timeline.label(at), rate) {
            // Lost with a crash, what is made from now on could not be counted.
            self.act(Action::Checkpoint);
        }
    }

    fn show(&mut self, device: DeviceIndex, reading: &Reading, at: Mono) {
        let settings = self.plant.device(device);
        let entry = &mut self.devices[usize::from(device.0)];
        let (Some(machine), Some(map)) = (&mut entry.machine, &settings.model.state) else {
            return;
        };
        let value = match reading {
            Reading::Good(value) | Reading::Uncertain(value, _) => value,
            Reading::Bad(reason) => return machine.fail(*reason),
        };
        let rule = map.rules.iter().find(|(pattern, _)| pattern.matches(value));
        let (state, quality) = match rule {
            Some((_, state)) => (*state, reading.quality()),
            None => (State::Unknown, Quality::Bad(Reason::Unmapped)),
        };
        let fresh_until = at + settings.stale_after_ms;
        machine.show(state, value, quality, fresh_until, settings.merge_faults_ms);
        if rule.is_none() && !entry.unmapped.contains(value) && entry.unmapped.len() < UNMAPPED {
            entry.unmapped.push(value.clone());
            let event = Event::UnmappedState {
                device: settings.id.clone(),
                value: value.clone(),
            };
            self.event(at, event);
        }
    }

    /// The value of a tag if it can be used at the engine's moment.
    pub(super) fn usable(&self, device: DeviceIndex, tag: TagIndex) -> Option<Value> {
        let settings = self.plant.device(device);
        let entry = &self.devices[usize::from(device.0)];
        let every = settings.model.tags[usize::from(tag.0)].every_ms;
        let stale_after = settings.stale_after_ms.max(3 * every);
        let (value, at) = self.newest.value(entry.first_slot + usize::from(tag.0))?;
        (self.now.since(at) < stale_after).then_some(value)
    }

    /// Whether a device has had no good sample for its stale time.
    pub(super) fn is_silent(&self, device: DeviceIndex) -> bool {
        let entry = &self.devices[usize::from(device.0)];
        let stale_after = self.plant.device(device).stale_after_ms;
        entry
            .last_good
            .is_none_or(|at| self.now.since(at) >= stale_after)
    }

    /// Devices without a good sample for their stale time.
    pub(super) fn silent_devices(&self) -> usize {
        (0..self.devices.len())
            .filter(|&index| self.is_silent(device_index(index)))
            .count()
    }
}

fn within_range(tag: &Tag, reading: Reading) -> Reading {
    match reading.value() {
        Some(value) if !tag.in_range(value) => Reading::Bad(Reason::OutOfRange),
        _ => reading,
    }
}
