//! Every capacity, from the configuration, and what it costs: memory is a plan.

use crate::alarm::Alarm;
use crate::engine::{Action, Slot, is_text};
use crate::machine::Machine;
use crate::plant::{self, Plant};
use crate::sample::Text;
use alloc::vec::Vec;
use core::mem::size_of;

/// One kind of thing that is allocated at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// What it is for.
    pub what: &'static str,
    /// How many.
    pub count: usize,
    /// Bytes for each.
    pub each: usize,
}

impl Allocation {
    /// Bytes for all of them.
    pub const fn bytes(&self) -> usize {
        self.count * self.each
    }
}

/// Tags of all devices together.
pub fn tags(plant: &Plant) -> usize {
    plant
        .devices
        .iter()
        .map(|device| device.model.tags.len())
        .sum()
}

/// Those of them that hold text.
pub fn texts(plant: &Plant) -> usize {
    let tags = plant.devices.iter().flat_map(|device| &device.model.tags);
    tags.filter(|tag| is_text(tag)).count()
}

/// Actions that one call of the engine can ask for: every device may close some windows, change its
/// state twice and say so; every alarm may change and say so.
pub fn actions(plant: &Plant) -> usize {
    5 * plant.devices.len() + reserve(plant)
}

/// Of those, what must be left when one more window is closed in the same call: that window, the
/// last one, one cut by a step of the clock, and everything that changes besides.
pub fn reserve(plant: &Plant) -> usize {
    7 * plant.devices.len() + 3 * plant.alarms.len() + QUALITIES + 64
}

/// Changes of quality that one call tells; a read has up to 125 tags, and one line of the log names
/// the trouble as well as all of them.
pub const QUALITIES: usize = 16;

/// What the core allocates for a plant.
pub fn allocations(plant: &Plant) -> Vec<Allocation> {
    let devices = plant.devices.len();
    let alarms = plant.alarms.len();
    Vec::from([
        Allocation {
            what: "newest sample of each tag",
            count: tags(plant),
            each: size_of::<Slot>(),
        },
        Allocation {
            what: "newest text of each tag that has one",
            count: texts(plant),
            each: size_of::<Text>(),
        },
        Allocation {
            what: "accounting of each device",
            count: devices,
            each: size_of::<Machine>() + size_of::<plant::Device>() + 512,
        },
        Allocation {
            what: "alarms",
            count: alarms,
            each: size_of::<Alarm>() + size_of::<plant::Alarm>() + 256,
        },
        Allocation {
            what: "actions on their way",
            count: actions(plant),
            each: size_of::<Action>(),
        },
    ])
}
