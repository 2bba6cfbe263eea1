//! What alarms ask of a device beyond its newest values: figures over rolling windows, rates of change
//! and the silence of single tags. Only what is asked for is kept, in fixed memory for each.

use super::Engine;
use crate::kpi::Measure;
use crate::plant::{Device, Plant};
use crate::rolling::{Grain, Keeps, Rolling, bytes};
use crate::rule::Rule;
use crate::slope::Slope;
use crate::summary::Sum;
use crate::tag::{DeviceIndex, TagIndex};
use crate::tiers::Window;
use crate::time::{Mono, Wall};
use alloc::vec::Vec;

/// What is kept of one device because alarms ask for it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// One for each time that figures are taken over.
    pub(super) rolling: Vec<Rolling>,
    /// One for each tag and time that a rate is taken over.
    pub(super) slopes: Vec<Slope>,
    /// Tags whose silence is asked for, with when each was last good.
    heard: Vec<(TagIndex, Option<Mono>)>,
}

/// What alarms ask for, once each, in the order in which they do.
#[derive(Debug, Default)]
struct Asks {
    /// With whether any of the figures is made of parts.
    rolling: Vec<(DeviceIndex, u64, bool)>,
    slopes: Vec<(DeviceIndex, TagIndex, u64)>,
    heard: Vec<(DeviceIndex, TagIndex)>,
}

impl Asks {
    fn of(plant: &Plant) -> Asks {
        let mut asks = Asks::default();
        for alarm in &plant.alarms {
            for rule in core::iter::once(&alarm.when).chain(&alarm.suppress_when) {
                rule.for_each_leaf(&mut |leaf| asks.note(leaf));
            }
        }
        let rank =
            |(device, over_ms, counts): &(DeviceIndex, u64, bool)| (*device, *over_ms, !counts);
        asks.rolling.sort_unstable_by_key(rank);
        asks.rolling
            .dedup_by_key(|(device, over_ms, _)| (*device, *over_ms));
        asks.slopes.sort_unstable();
        asks.slopes.dedup();
        asks.heard.sort_unstable();
        asks.heard.dedup();
        asks
    }

    fn note(&mut self, leaf: &Rule) {
        match leaf {
            Rule::Figure {
                device,
                measure,
                over_ms,
                ..
            } => self
                .rolling
                .push((*device, *over_ms, measure.needs_count())),
            Rule::Rate {
                device,
                tag,
                window_ms,
                ..
            } => self.slopes.push((*device, *tag, *window_ms)),
            Rule::TagNoData(device, tag) => self.heard.push((*device, *tag)),
            _ => {}
        }
    }
}

/// What alarms ask for of each device.
pub(super) fn asked(plant: &Plant) -> Vec<Asked> {
    let mut all: Vec<Asked> = plant.devices.iter().map(|_| Asked::default()).collect();
    let asks = Asks::of(plant);
    for (device, over_ms, counts) in asks.rolling {
        let settings = plant.device(device);
        if settings.model.state.is_some() {
            let rolling = Rolling::new(over_ms, keeps(settings, counts));
            all[usize::from(device.0)].rolling.push(rolling);
        }
    }
    for (device, tag, window_ms) in asks.slopes {
        let every_ms = plant.device(device).model.tags[usize::from(tag.0)].every_ms;
        let of_device = &mut all[usize::from(device.0)];
        of_device.slopes.push(Slope::new(tag, window_ms, every_ms));
    }
    for (device, tag) in asks.heard {
        all[usize::from(device.0)].heard.push((tag, None));
    }
    all
}

fn keeps(device: &Device, counts: bool) -> Keeps {
    Keeps {
        counts,
        labels: device.late_ms > 0,
    }
}

/// How many rolling windows there are, and the bytes of all of them.
pub(super) fn rolling_windows(plant: &Plant) -> (usize, usize) {
    let asks = Asks::of(plant).rolling;
    let each = asks.iter().map(|(device, over_ms, counts)| {
        size_of::<Rolling>() + bytes(*over_ms, keeps(plant.device(*device), *counts))
    });
    (asks.len(), each.sum())
}

/// How many rates of change are followed.
pub(super) fn count_slopes(plant: &Plant) -> usize {
    Asks::of(plant).slopes.len()
}

impl Plant {
    /// How far back single minutes are needed for figures of alarms, in milliseconds.
    pub fn reach_of_minutes(&self) -> u64 {
        let asks = Asks::of(self).rolling.into_iter();
        let times = asks.map(|(_, over_ms, _)| over_ms);
        let minutes = times.filter(|over_ms| Grain::of(*over_ms) == Grain::Minute);
        minutes.max().unwrap_or(0)
    }
}

impl Asked {
    /// A window of this kind was closed.
    pub(super) fn push(&mut self, grain: Grain, window: &Window, sum: &Sum) {
        let of_grain = |rolling: &&mut Rolling| rolling.grain() == grain;
        for rolling in self.rolling.iter_mut().filter(of_grain) {
            rolling.push(window, sum);
        }
    }

    /// The same from what was kept; `end` is where the window of this kind before it ended. Nothing is
    /// kept of what lies between two that do not follow one another.
    pub(super) fn recall(&mut self, grain: Grain, end: Option<Wall>, window: &Window, sum: &Sum) {
        let gap_ms = end.map_or(0, |end| window.start - (end + window.stepped_ms));
        let of_grain = |rolling: &&mut Rolling| rolling.grain() == grain;
        for rolling in self.rolling.iter_mut().filter(of_grain) {
            match u64::try_from(gap_ms) {
                Ok(0) => {}
                Ok(gap_ms) => rolling.push_gap(gap_ms),
                Err(_) => rolling.clear(),
            }
            rolling.push(window, sum);
        }
    }

    /// A window of this kind is corrected.
    pub(super) fn correct(&mut self, grain: Grain, window: &Window, sum: &Sum) {
        let of_grain = |rolling: &&mut Rolling| rolling.grain() == grain;
        for rolling in self.rolling.iter_mut().filter(of_grain) {
            rolling.correct(window, sum);
        }
    }

    /// A silence of unknown length.
    pub(super) fn forget(&mut self) {
        self.rolling.iter_mut().for_each(Rolling::clear);
    }

    /// A good reading of a tag.
    pub(super) fn hear(&mut self, tag: TagIndex, number: Option<f64>, at: Mono) {
        for (_, heard) in self.heard.iter_mut().filter(|(of, _)| *of == tag) {
            *heard = (*heard).max(Some(at));
        }
        let Some(number) = number else { return };
        let of_tag = |slope: &&mut Slope| slope.tag() == tag;
        for slope in self.slopes.iter_mut().filter(of_tag) {
            slope.take(number, at);
        }
    }

    /// When a tag was last good.
    pub(super) fn heard(&self, tag: TagIndex) -> Option<Mono> {
        let heard = self.heard.iter().find(|(of, _)| *of == tag);
        heard.and_then(|(_, at)| *at)
    }
}

impl Engine {
    /// Minutes were closed or corrected: figures move on.
    pub(super) fn renew_figures(&mut self) {
        for index in 0..self.devices.len() {
            self.renew_figures_of(index);
        }
    }

    /// The same of one device.
    pub(super) fn renew_figures_of(&mut self, index: usize) {
        let entry = &mut self.devices[index];
        if entry.asked.rolling.is_empty() {
            return;
        }
        let open = entry.tiers.open_piece().map(|open| open.sum);
        for rolling in &mut entry.asked.rolling {
            rolling.renew(open.as_ref());
        }
    }

    /// A figure over a rolling window; none while it is null.
    pub(super) fn figure_over(
        &self,
        device: DeviceIndex,
        measure: Measure,
        over_ms: u64,
    ) -> Option<f64> {
        let asked = &self.devices[usize::from(device.0)].asked;
        let rolling = asked.rolling.iter().find(|one| one.over_ms() == over_ms)?;
        let settings: &Device = self.plant.device(device);
        let mut sum = *rolling.sum();
        if let Some(third) = settings.third() {
            sum.derive(third);
        }
        measure.of(&sum, &settings.needs())
    }

    /// How fast a tag moves; none while its newest value cannot be used.
    pub(super) fn slope_of(
        &self,
        device: DeviceIndex,
        tag: TagIndex,
        window_ms: u64,
    ) -> Option<f64> {
        self.usable(device, tag)?;
        let slopes = &self.devices[usize::from(device.0)].asked.slopes;
        let slope = slopes.iter().find(|slope| slope.is_of(tag, window_ms))?;
        slope.per_ms()
    }

    /// Since when a tag has had no good sample; since the start, if there was none yet.
    pub(super) fn tag_silent_since(&self, device: DeviceIndex, tag: TagIndex) -> Mono {
        let heard = self.devices[usize::from(device.0)].asked.heard(tag);
        heard.unwrap_or(self.begun)
    }

    /// The same of a whole device.
    pub(super) fn silent_since(&self, device: DeviceIndex) -> Mono {
        let last_good = self.devices[usize::from(device.0)].last_good;
        last_good.unwrap_or(self.begun)
    }
}
