//! Every capacity, from the configuration: memory is a plan. What the capacities cost in bytes is
//! [`crate::engine::allocations`].

use crate::plant::Plant;
use crate::tag::{Kind, Source};

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
    tags.filter(|tag| tag.kind() == Kind::Text).count()
}

/// Those that come by messages, which may have a time stamp of their own.
pub fn messages(plant: &Plant) -> usize {
    let tags = plant.devices.iter().flat_map(|device| &device.model.tags);
    tags.filter(|tag| matches!(tag.source, Source::Message(_)))
        .count()
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
