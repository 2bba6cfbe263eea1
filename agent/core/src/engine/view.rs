//! What holds now, for those who show it.

use super::{Current, Engine};
use crate::alarm::AlarmState;
use crate::machine::Machine;
use crate::message::{AlarmMessage, InfoMessage, StateMessage};
use crate::plant::{Code, Model, Plant};
use crate::record::Run;
use crate::sample::Value;
use crate::tag::DeviceIndex;
use crate::time::{ClockState, Wall};

/// How the gateway is, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Links that are up.
    pub links_up: usize,
    /// Links that are down.
    pub links_down: usize,
    /// Devices without a good sample for their stale time.
    pub devices_bad: usize,
    /// Label of the end of the open windows.
    pub next: Wall,
}

impl Engine {
    /// How the gateway is.
    pub fn health(&self) -> Health {
        let up = |wanted: bool| self.links.iter().filter(|up| **up == Some(wanted)).count();
        Health {
            links_up: up(true),
            links_down: up(false),
            devices_bad: self.silent_devices(),
            next: self.timeline.label(self.window_end),
        }
    }

    /// The plant that the engine was built from.
    pub fn plant(&self) -> &Plant {
        &self.plant
    }

    /// The run that the engine makes records for.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// How far the wall clock can be believed.
    pub const fn clock(&self) -> ClockState {
        self.timeline.clock
    }

    /// The accounting of a device; none if it has no state.
    pub fn machine(&self, device: DeviceIndex) -> Option<&Machine> {
        self.devices[usize::from(device.0)].machine.as_ref()
    }

    /// What a device is.
    pub fn info(&self, device: DeviceIndex) -> InfoMessage<'_> {
        InfoMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: self.plant.device(device),
        }
    }

    /// What a device does; none if it has no state.
    pub fn state(&self, device: DeviceIndex) -> Option<StateMessage<'_>> {
        let machine = self.machine(device)?;
        let settings = self.plant.device(device);
        Some(StateMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: settings,
            ts: self.timeline.label(self.now),
            state: machine.state(),
            previous: machine.previous(),
            since: self.timeline.label(machine.since()),
            code: machine.code(),
            cause: cause(&settings.model, machine.code()),
            quality: machine.quality(),
        })
    }

    /// How an alarm stands; none while it is normal.
    pub fn alarm(&self, index: u16) -> Option<AlarmMessage<'_>> {
        let alarm = self.alarms.get(usize::from(index))?;
        let settings = &self.plant.alarms[usize::from(index)];
        (alarm.state != AlarmState::Normal).then(|| AlarmMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: self.plant.device(settings.device),
            settings,
            alarm,
        })
    }

    /// Every current value that holds, or might.
    pub fn currents(&self) -> impl Iterator<Item = Current> + '_ {
        let devices = (0..self.devices.len()).map(super::device_index);
        let alarms = (0..self.alarms.len()).filter_map(|index| u16::try_from(index).ok());
        devices
            .flat_map(|device| [Current::Info(device), Current::State(device)])
            .chain(alarms.map(Current::Alarm))
    }
}

/// What a raw status value means.
pub(super) fn cause<'m>(model: &'m Model, code: Option<&Value>) -> Option<&'m Code> {
    let Some(Value::Int(raw)) = code else {
        return None;
    };
    model.codes.iter().find(|code| code.value == *raw)
}
