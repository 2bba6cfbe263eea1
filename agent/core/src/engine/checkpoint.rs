//! What a run leaves for the next: open windows, counters, alarms. The stored form is postcard
//! behind a version byte; a form that is not understood counts as none.

use super::Engine;
use crate::alarm::Alarm;
use crate::machine::{Ledger, Machine};
use crate::time::{ClockState, Mono, Now, Wall};
use crate::window::Timeline;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;

/// A silence longer than this is a wrong clock and not a silence.
const LONGEST_SILENCE_MS: i64 = 400 * 24 * 3_600_000;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Label of the moment it describes.
    at: Wall,
    /// The latest label so far.
    high: Wall,
    fold: u32,
    devices: Vec<(Arc<str>, Ledger)>,
    alarms: Vec<(Arc<str>, Arc<str>, Alarm)>,
}

impl Checkpoint {
    pub(super) fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        let (&version, rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }

    /// The moment from which the accounting goes on: that of the checkpoint, so that the time
    /// between is accounted as unknown; or now, where nobody can say how long it was.
    pub(super) fn resume_at(&self, timeline: &mut Timeline, now: Now) -> Mono {
        timeline.resume(now.mono, self.high, self.fold);
        if self.silence_is_known(now) {
            timeline.moment(self.at)
        } else {
            now.mono
        }
    }

    fn silence_is_known(&self, now: Now) -> bool {
        let silence = now.wall - self.at;
        now.clock != ClockState::Unsynced && (0..=LONGEST_SILENCE_MS).contains(&silence)
    }
}

impl Engine {
    /// What the next run needs, at the newest moment that was handled.
    pub fn checkpoint(&mut self) -> Vec<u8> {
        let now = self.now;
        for index in 0..self.devices.len() {
            self.advance(index, now);
        }
        let devices = self
            .devices
            .iter()
            .zip(&self.plant.devices)
            .filter_map(|(entry, device)| {
                Some((device.id.clone(), entry.machine.as_ref()?.ledger().clone()))
            })
            .collect();
        let alarms = self
            .alarms
            .iter()
            .zip(&self.plant.alarms)
            .filter(|(alarm, _)| alarm.occurrence > 0)
            .map(|(alarm, settings)| {
                let device = self.plant.device(settings.device).id.clone();
                (device, settings.id.clone(), alarm.clone())
            })
            .collect();
        let (high, fold) = self.timeline.reached(now);
        let checkpoint = Checkpoint {
            at: self.timeline.label(now),
            high,
            fold,
            devices,
            alarms,
        };
        let mut bytes = Vec::from([VERSION]);
        match postcard::to_allocvec(&checkpoint) {
            Ok(rest) => bytes.extend_from_slice(&rest),
            // Serialising to memory has no way to fail; an empty checkpoint counts as none.
            Err(_) => bytes.clear(),
        }
        bytes
    }

    /// Continues from a checkpoint; `start` is what [`Checkpoint::resume_at`] said.
    pub(super) fn resume(&mut self, before: Checkpoint, start: Mono, now: Now) {
        for (id, ledger) in &before.devices {
            let found = self
                .plant
                .devices
                .iter()
                .position(|device| device.id == *id);
            if let Some(machine) = found.and_then(|index| self.devices[index].machine.as_mut()) {
                machine.resume(ledger);
            }
        }
        if !before.silence_is_known(now) {
            let next = self.timeline.label(now.mono);
            self.close_windows_at(now.mono, before.at, next);
        }
        for (device, id, alarm) in before.alarms {
            let found = self.plant.alarms.iter().position(|settings| {
                settings.id == id && self.plant.device(settings.device).id == device
            });
            if let Some(index) = found {
                self.alarms[index] = alarm;
            }
        }
        debug_assert!(start <= now.mono);
        self.roll(now.mono);
    }

    /// The machines, for a look from outside.
    pub fn machine(&self, device: crate::tag::DeviceIndex) -> Option<&Machine> {
        self.devices[usize::from(device.0)].machine.as_ref()
    }
}
