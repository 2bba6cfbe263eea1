//! Every capacity, from the configuration: memory is a plan. What the capacities cost in bytes is
//! [`crate::engine::allocations`].

use crate::plant::{Device, Plant, States};
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

/// Those whose windows are told.
pub fn tracks(plant: &Plant) -> usize {
    let told = |device: &Device| {
        let tags = device.model.tags.iter();
        tags.filter(|tag| device.tells(tag)).count()
    };
    plant.devices.iter().map(told).sum()
}

/// Tags that states are derived from, of all devices together.
pub fn inputs(plant: &Plant) -> usize {
    let states = plant
        .devices
        .iter()
        .filter_map(|device| device.model.state.as_ref());
    let derived = states.filter(|state| matches!(state, States::Derived(_)));
    derived.map(|state| state.tags().len()).sum()
}

/// Actions that one call of the engine can ask for: that every device ends a window and more, in a
/// turn of a long silence; besides, whatever follows from an input.
pub fn actions(plant: &Plant) -> usize {
    one_closing(plant) + reserve(plant) + late(plant)
}

/// Actions that follow from what came late of a few devices; the others wait a moment.
fn late(plant: &Plant) -> usize {
    let spans = plant.devices.iter().map(|device| device.late_ms);
    let longest = spans.max().filter(|longest| *longest > 0);
    longest.map_or(0, |longest| 4 * crate::late::corrections(longest))
}

/// Actions that follow where a window of every tier ends: the records, and what is kept of them.
pub fn one_closing(plant: &Plant) -> usize {
    published(plant) + 7 + plant.roster.recipients.len()
}

/// Of [`actions`], what must be left for an input: the window that ends before it, the one that the
/// rest of a silence is, the one cut by a step of the clock, and the tiers that such a step ends;
/// every device may change its state twice and say so, and how it has done lately; every alarm may
/// come off its shelf, be suppressed or not any more, change, and say so, its shelf may end at
/// another label, and somebody may acknowledge it together with all others.
pub fn reserve(plant: &Plant) -> usize {
    let devices = plant.devices.len();
    3 * one_closing(plant)
        + published(plant)
        + 8 * devices
        + 8 * plant.alarms.len()
        + 2 * plant.roster.recipients.len()
        + UNTOLD
        + QUALITIES
        + SOURCES
        + 64
}

fn published(plant: &Plant) -> usize {
    let of_device = |device: &Device| {
        let tags = device.publishes_tags.iter().count();
        device.publishes.iter().count() + tags * plant.tag_parts(device).len()
    };
    plant.devices.iter().map(of_device).sum()
}

/// Alarms of which one call says that nobody can be told; the others are told with a later one.
pub const UNTOLD: usize = 8;

/// Events of lying sources that one call tells; the others are told with a later reading.
pub const SOURCES: usize = 16;

/// Changes of quality that one call tells; a read has up to 125 tags, and one line of the log names
/// the trouble as well as all of them.
pub const QUALITIES: usize = 16;
