//! What the time stamp of a source makes of its reading (contract §2: sources that lie).
//!
//! The reading stays an input of the moment at which it arrived; its age is passed along. What one
//! that is too old to be one of now says of the past is [`super::late`]'s.

use super::Engine;
use crate::plant::States;
use crate::sample::{Reading, Reason, Sample};
use crate::tag::{DeviceIndex, Source, Summed, TagIndex};
use crate::time::{ClockState, Mono, Wall};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The newest time stamps of a device's tags.
pub(super) type TimesOf = (Arc<str>, Vec<(Arc<str>, Wall)>);

/// So much may the clock of a source be ahead of the gateway's, in milliseconds.
const AHEAD_MS: i64 = 60_000;

/// A reading with its age when it arrived.
#[derive(Debug)]
pub(super) struct Aged {
    pub(super) reading: Reading,
    pub(super) age_ms: u64,
}

impl Aged {
    /// A reading that is as old as its arrival.
    pub(super) const fn now(reading: Reading) -> Aged {
        Aged { reading, age_ms: 0 }
    }
}

impl Engine {
    /// What a sample is worth that arrives at `at`; none if a newer one of the tag was taken: a
    /// counter that goes back would look like a reset. While the gateway's clock is not set nobody
    /// can say how old anything is, and time stamps are not looked at.
    pub(super) fn age(
        &mut self,
        device: DeviceIndex,
        tag: TagIndex,
        at: Mono,
        sample: &Sample,
    ) -> Option<Aged> {
        let reading = sample.reading.clone();
        let (Some(time), true) = (sample.time, self.timeline.clock != ClockState::Unsynced) else {
            return Some(Aged::now(reading));
        };
        let now = self.timeline.label(at);
        let slot = self.devices[usize::from(device.0)].first_slot + usize::from(tag.0);
        let age = now - time;
        // One that lies in the future is no measure: its clock may have been set since.
        let goes_back = self.newest.time(slot).is_some_and(|newest| {
            newest.is_some_and(|newest| time < newest && newest <= now + AHEAD_MS)
        });
        if goes_back {
            // A clock that was set back sends older stamps for as long as it was set back by.
            let late = age.max(0).unsigned_abs();
            let is_stale = late >= self.stale_after(device, tag);
            if !(is_stale && self.is_clock_behind(device, tag, at, time, late)) {
                return None;
            }
        }
        if let Some(newest) = self.newest.time(slot) {
            *newest = Some(time);
        }
        let reading = match reading {
            Reading::Good(value) if age < -AHEAD_MS => {
                Reading::Uncertain(value, Reason::ClockAhead)
            }
            Reading::Good(_) | Reading::Uncertain(..)
                if age >= 0 && age.unsigned_abs() >= self.stale_after(device, tag) =>
            {
                let late = age.unsigned_abs();
                Reading::Bad(match self.is_clock_behind(device, tag, at, time, late) {
                    true => Reason::ClockBehind,
                    false => Reason::Stale,
                })
            }
            reading => reading,
        };
        match reading.quality().reason() {
            Some(why @ (Reason::ClockAhead | Reason::ClockBehind)) => {
                self.clock_of(device, Some(why), -age, at);
            }
            Some(_) => {}
            None => self.clock_of(device, None, 0, at),
        }
        Some(Aged {
            reading,
            age_ms: age.max(0).unsigned_abs(),
        })
    }

    /// How far what counts or shows the state has come by the clocks of its sources. What a
    /// source sends once more after a restart must not go back behind it either.
    pub(super) fn source_times(&mut self) -> Vec<TimesOf> {
        let plant = Arc::clone(&self.plant);
        let mut all = Vec::new();
        for (entry, device) in self.devices.iter().zip(&plant.devices) {
            let telling = device.model.state.as_ref().map_or(&[][..], States::tags);
            let tags = (0..).map(TagIndex).zip(&device.model.tags);
            let matters = tags.filter(|(index, tag)| {
                let comes_by_message = matches!(tag.source, Source::Message(_));
                let counts = tag.role.is_some() || tag.summed == Summed::Counter;
                comes_by_message && (counts || telling.contains(index))
            });
            let newest = &mut self.newest;
            let times: Vec<_> = matters
                .filter_map(|(index, tag)| {
                    let time = newest.time(entry.first_slot + usize::from(index.0))?;
                    Some((tag.name.clone(), (*time)?))
                })
                .collect();
            if !times.is_empty() {
                all.push((device.id.clone(), times));
            }
        }
        all
    }

    /// Goes on from the time stamps that a run before has seen.
    pub(super) fn resume_source_times(&mut self, before: &[TimesOf]) {
        for (id, times) in before {
            let found = self
                .plant
                .devices
                .iter()
                .position(|device| device.id == *id);
            let Some(index) = found else { continue };
            for (name, time) in times {
                let model = &self.plant.devices[index].model;
                let Some(tag) = model.tag(name) else { continue };
                // Only tags that come by messages have a place for it.
                if let Source::Message(_) = model.tags[usize::from(tag.0)].source {
                    let slot = self.devices[index].first_slot + usize::from(tag.0);
                    if let Some(newest) = self.newest.time(slot) {
                        *newest = Some(*time);
                    }
                }
            }
        }
    }
}
