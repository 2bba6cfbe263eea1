//! Samples into the tables: newest value of each tag, status and counters to the machine.

use super::age::Aged;
use super::{Action, Current, Engine, Entry, UNMAPPED, device_index, lies_in_data, sources};
use crate::late::Input;
use crate::limits;
use crate::machine::Showing;
use crate::modbus::decode::{Words, decode, scale};
use crate::modbus::plan::ReadIndex;
use crate::plant::States;
use crate::quality::Jump;
use crate::record::Event;
use crate::sample::{Quality, Reading, Reason, Sample, Value};
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
        let is_dead = answer.as_ref().is_ok_and(|words| {
            let tags = || read.tags.iter().copied();
            self.is_dead_block(read.device, at, tags, sources::is_zero(*words))
        });
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
                    Ok(_) if is_dead && self.is_dead(read.device, index) => {
                        Reading::Bad(Reason::AllZero)
                    }
                    Ok(words) => match decode(point, *words, read.start) {
                        Ok(value) => Reading::Good(value),
                        Err(reason) => Reading::Bad(reason),
                    },
                    Err(reason) => Reading::Bad(*reason),
                };
                self.take(read.device, index, tag, at, Aged::now(reading));
            }
        }
        self.finish(read.device, at);
    }

    /// A message brought samples of one device, those of one tag in the order of their time, or a
    /// Modbus read was answered piece by piece.
    pub fn handle_readings<'r>(
        &mut self,
        device: DeviceIndex,
        at: Mono,
        samples: impl IntoIterator<Item = &'r (TagIndex, Sample)> + Clone,
    ) {
        let plant = Arc::clone(&self.plant);
        let model = &plant.device(device).model;
        self.begin(device, at);
        let is_zero = sources::are_zero(plant.device(device), samples.clone().into_iter());
        let tags = || samples.clone().into_iter().map(|(index, _)| *index);
        let is_dead = self.is_dead_block(device, at, tags, is_zero);
        for scaled in IN_ORDER {
            for (index, sample) in samples.clone() {
                let tag = &model.tags[usize::from(index.0)];
                if tag.power_of_ten().is_some() != scaled {
                    continue;
                }
                if is_dead && self.is_dead(device, *index) {
                    let aged = Aged::now(Reading::Bad(Reason::AllZero));
                    self.take(device, *index, tag, at, aged);
                    continue;
                }
                self.hear_late(device, *index, tag, at, sample);
                if let Some(aged) = self.age(device, *index, at, sample) {
                    self.take(device, *index, tag, at, aged);
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
        self.derive(device);
        self.tell_state(usize::from(device.0));
        self.judge_device(device, at);
    }

    fn take(&mut self, device: DeviceIndex, index: TagIndex, tag: &Tag, at: Mono, aged: Aged) {
        let Aged { reading, age_ms } = aged;
        let reading = self.scaled(device, tag, reading);
        let said = reading.value().cloned();
        let from = at.before(age_ms);
        let (reading, jump) = self.watch(device, index, (at, from), within_range(tag, reading));
        self.tally.samples += 1;
        let entry = &mut self.devices[usize::from(device.0)];
        let slot = entry.first_slot + usize::from(index.0);
        if reading.is_live() {
            entry.last_good = entry.last_good.max(Some(from));
            let number = reading.value().and_then(Value::number);
            entry.asked.hear(index, number, from);
        }
        if let Reading::Bad(_) = &reading {
            self.tally.bad_samples += 1;
        }
        let quality = reading.quality();
        let told =
            quality.reason().is_some_and(lies_in_data) && quality != self.newest.quality(slot);
        self.newest.put(slot, &reading, from);
        self.tell_source(device, index, &reading, said.as_ref(), at);
        if let (Some(value), true) = (&said, jump != Jump::None) {
            self.jump(device, index, value, jump);
        }
        let until = from + self.stale_after(device, index);
        self.track(device, index, &reading, at, until);
        if told && self.actions.len() < limits::QUALITIES {
            self.act(Action::Quality(device, index, quality));
        }
        if tag.role.is_some() && jump != Jump::Held {
            self.count(device, &reading, tag);
        }
        let model = &self.plant.device(device).model;
        let makes = model.rates.as_ref().is_some_and(|rates| rates.by == index);
        match &model.state {
            Some(States::Status(map)) if map.from == index => {
                self.show(device, &reading, at, from);
            }
            Some(States::Derived(_)) => self.note(device, index, &reading, from),
            _ => {}
        }
        if makes {
            self.make(device, &reading, from);
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

    fn count(&mut self, device: DeviceIndex, reading: &Reading, tag: &Tag) {
        let entry = &mut self.devices[usize::from(device.0)];
        // A retained copy may be older than what was counted since: it would look like a reset.
        let live = reading.value().filter(|_| reading.is_live());
        let (Some(machine), Some(value), Some(role)) = (&mut entry.machine, live, tag.role) else {
            return;
        };
        if let (Some(late), Value::Int(value)) = (&mut entry.late, value) {
            let input = Input::Counts {
                role: role.counts,
                value: *value,
                unknown_ms: 0,
            };
            let device = self.plant.device(device);
            let calendar = self.plant.calendar_at(device.calendar);
            late.note(device, calendar, machine.accounted_to(), input);
        }
        let rate = self.plant.device(device).highest_rate();
        if machine.count(role.counts, value, rate) {
            // Lost with a crash, what is made from now on could not be counted.
            self.act(Action::Checkpoint);
        }
    }

    /// The status was read at `at`, as it was at `from`.
    fn show(&mut self, device: DeviceIndex, reading: &Reading, at: Mono, from: Mono) {
        let settings = self.plant.device(device);
        let entry = &mut self.devices[usize::from(device.0)];
        let (Some(machine), Some(States::Status(map))) =
            (&mut entry.machine, &settings.model.state)
        else {
            return;
        };
        let value = match reading {
            Reading::Good(value) | Reading::Uncertain(value, _) => value,
            Reading::Bad(reason) => {
                machine.fail(*reason);
                if *reason == Reason::Frozen {
                    self.claim_on(device, at + settings.stale_after_ms);
                } else {
                    self.claim(device, State::Unknown, at);
                }
                return self.mark(usize::from(device.0));
            }
        };
        let rule = map.rules.iter().find(|(pattern, _)| pattern.matches(value));
        let (state, quality) = match rule {
            Some((_, state)) => (*state, reading.quality()),
            None => (State::Unknown, Quality::Bad(Reason::Unmapped)),
        };
        let fresh_until = from + settings.stale_after_ms;
        if fresh_until <= at {
            return machine.fail(Reason::Stale);
        }
        if let Some(late) = &mut entry.late {
            let input = Input::Shows {
                state,
                code: value.clone(),
                quality,
                until: fresh_until,
                is_late: false,
            };
            let calendar = self.plant.calendar_at(settings.calendar);
            late.note(settings, calendar, at, input);
        }
        let showing = Showing {
            state,
            code: Some(value),
            quality,
            fresh_until,
            failing: None,
            turn: None,
        };
        machine.show(&showing, settings.merge_faults_ms);
        let is_new =
            rule.is_none() && !entry.unmapped.contains(value) && entry.unmapped.len() < UNMAPPED;
        if is_new {
            entry.unmapped.push(value.clone());
            let event = Event::UnmappedState {
                device: settings.id.clone(),
                value: value.clone(),
            };
            self.event(at, event);
        }
        self.claim(device, state, fresh_until);
        self.mark(usize::from(device.0));
    }

    /// A tag that a state may be derived from was read, as it was at `from`.
    fn note(&mut self, device: DeviceIndex, tag: TagIndex, reading: &Reading, from: Mono) {
        let settings = self.plant.device(device);
        if let Some(machine) = &mut self.devices[usize::from(device.0)].machine {
            machine.take(settings, tag, reading, from + settings.stale_after_ms);
        }
    }

    /// What was noted shows a state.
    fn derive(&mut self, device: DeviceIndex) {
        let settings = self.plant.device(device);
        let entry = &mut self.devices[usize::from(device.0)];
        if let (Some(machine), Some(States::Derived(derived))) =
            (&mut entry.machine, &settings.model.state)
        {
            machine.derive(derived, settings.merge_faults_ms);
            let (state, until) = (machine.shown(), machine.shown_until());
            self.claim(device, state, until);
            self.mark(usize::from(device.0));
        }
    }

    /// The product was read, as it was at `from`. A retained copy is the last that there was, and as good.
    fn make(&mut self, device: DeviceIndex, reading: &Reading, from: Mono) {
        let settings = self.plant.device(device);
        let Entry { machine, late, .. } = &mut self.devices[usize::from(device.0)];
        let (Some(machine), Some(product)) = (machine, reading.value()) else {
            return;
        };
        if let Some(late) = late {
            let calendar = self.plant.calendar_at(settings.calendar);
            let is_other = machine.product() != Some(product);
            let when = (machine.accounted_to(), from);
            late.note_product(settings, calendar, when, product, is_other);
        }
        if machine.make(settings, product) {
            self.act(Action::Publish(Current::Info(device)));
        }
    }

    /// The value of a tag if it can be used at the engine's moment.
    pub(super) fn usable(&self, device: DeviceIndex, tag: TagIndex) -> Option<Value> {
        let entry = &self.devices[usize::from(device.0)];
        let (value, at) = self.newest.value(entry.first_slot + usize::from(tag.0))?;
        (self.now.since(at) < self.stale_after(device, tag)).then_some(value)
    }

    /// Milliseconds for which a value of a tag can be used.
    pub(super) fn stale_after(&self, device: DeviceIndex, tag: TagIndex) -> u64 {
        let settings = self.plant.device(device);
        let every = settings.model.tags[usize::from(tag.0)].every_ms;
        settings.stale_after_ms.max(3 * every)
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

pub(super) fn within_range(tag: &Tag, reading: Reading) -> Reading {
    match reading.value() {
        Some(value) if !tag.in_range(value) => Reading::Bad(Reason::OutOfRange),
        _ => reading,
    }
}
