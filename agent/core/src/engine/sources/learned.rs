//! What was learned of sources, over restarts.
//!
//! It is kept every few hours and at an orderly stop, between the ends of hours, when nothing else
//! that is large is: a kill takes what was learned since.

use super::Watch;
use crate::engine::Engine;
use crate::history::{Leaf, LearnedOf};
use crate::plant::Device;
use crate::quality::{Learned, Level, Meter};
use crate::tag::Tag;
use crate::time::Mono;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// It is kept so often, in milliseconds.
pub const KEPT_EVERY_MS: u64 = 4 * 3_600_000;

/// As much as of a device is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// How often it was seen to stop.
    stops: u8,
    /// By the fingerprint of the source: a tag that is read elsewhere is another one.
    tags: Vec<(u32, Learned)>,
}

impl Watch {
    const fn learned(&self) -> Learned {
        match self {
            Watch::Level(level) => Learned::Level(level.learned()),
            Watch::Meter(meter) => Learned::Meter(meter.learned()),
        }
    }

    /// Goes on from what was learned of a tag of the same kind.
    fn resume(&mut self, before: &Learned) {
        match (self, before) {
            (Watch::Level(level), Learned::Level(before)) => *level = Level::resume(before),
            (Watch::Meter(meter), Learned::Meter(before)) => *meter = Meter::resume(before),
            _ => {}
        }
    }
}

impl Engine {
    /// What was learned is to be kept, if it has not been for long.
    pub(in crate::engine) fn keep_learned_if_due(&mut self, at: Mono) {
        if at.since(self.learned_kept) >= KEPT_EVERY_MS {
            self.keep_learned();
        }
    }

    /// What was learned of sources so far, to be kept: a restart goes on from it.
    pub fn keep_learned(&mut self) {
        self.learned_kept = self.now;
        let mut all = Vec::new();
        let devices = self.plant.devices.iter().zip(&self.devices);
        for ((device, entry), of_device) in devices.zip(&self.sources.devices) {
            let tags = (entry.first_slot..).zip(&device.model.tags);
            let learned = tags.filter_map(|(slot, tag)| {
                let watch = self.sources.watch(slot)?;
                Some((fingerprint(device, tag), watch.learned()))
            });
            let stored = Stored {
                stops: of_device.stops,
                tags: learned.collect(),
            };
            if stored.tags.is_empty() {
                continue;
            }
            // Serialising to memory has no way to fail.
            if let Ok(learned) = postcard::to_allocvec(&stored) {
                let device = device.id.clone();
                all.push(LearnedOf { device, learned });
            }
        }
        if !all.is_empty() {
            let at = self.timeline.label(self.now);
            self.keep(Leaf::Learned(at, all));
        }
    }

    /// Goes on from what was learned before a restart.
    pub(in crate::engine) fn resume_learned(&mut self, before: &[LearnedOf]) {
        let devices = self.plant.devices.iter().zip(&self.devices);
        for (index, (device, entry)) in devices.enumerate() {
            let is_it = |of: &&LearnedOf| of.device == device.id;
            let near = before.get(index).filter(is_it);
            let Some(of_device) = near.or_else(|| before.iter().find(is_it)) else {
                continue;
            };
            let Ok(stored) = postcard::from_bytes::<Stored>(&of_device.learned) else {
                continue;
            };
            self.sources.devices[index].stops = stored.stops;
            let mut rest = &stored.tags[..];
            for (slot, tag) in (entry.first_slot..).zip(&device.model.tags) {
                let Some(watch) = self.sources.watch_mut(slot) else {
                    continue;
                };
                let is_of = |(of, _): &(u32, Learned)| *of == fingerprint(device, tag);
                // Mostly they stand in the order of the tags.
                let found = match rest.first() {
                    Some(first) if is_of(first) => Some(first),
                    _ => stored.tags.iter().find(|learned| is_of(learned)),
                };
                if let Some((_, learned)) = found {
                    watch.resume(learned);
                }
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
}

fn fingerprint(device: &Device, tag: &Tag) -> u32 {
    tag.source.fingerprint(device.unit)
}
