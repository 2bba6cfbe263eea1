//! What tags come to over minutes, hours, shifts and production days. These windows are the same for
//! all tags of the gateway, whether their device has a state or not.

use super::Engine;
use super::closing::{AllEnded, push};
use crate::history::{Leaf, OpenTags};
use crate::limits;
use crate::plant::{Device, Plant};
use crate::record::{Body, TagValue, TagWindow};
use crate::sample::Reading;
use crate::state::State;
use crate::summary::{Sum, Summary, Tier, TierSet};
use crate::tag::{DeviceIndex, Summed, TagIndex};
use crate::tag_sums::{Counted, TagSum, Track};
use crate::tiers::{Closed, Ended, SUMMED, Tiers, Window};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// No track for this tag.
const NONE: u32 = u32::MAX;

/// Where the counters of a device stand, by tag.
pub(super) type CountersOf = (Arc<str>, Vec<(Arc<str>, Counted)>);

/// Every tag that is told, with the windows that all of them have.
#[derive(Debug)]
pub(super) struct Tags {
    tracks: Vec<Track>,
    /// The track of each slot of [`super::newest`].
    of_slot: Vec<u32>,
    /// The windows; none if no tag is told.
    pub(super) tiers: Option<Tiers>,
    /// Label of the start of the open minute, and how much of it has passed before [`Tags::since`].
    start: Wall,
    passed_ms: u64,
    since: Mono,
}

impl Tags {
    pub(super) fn new(plant: &Plant, at: Mono, start: Wall) -> Tags {
        let mut tags = Tags {
            tracks: Vec::with_capacity(limits::tracks(plant)),
            of_slot: Vec::with_capacity(limits::tags(plant)),
            tiers: None,
            start,
            passed_ms: 0,
            since: at,
        };
        for device in &plant.devices {
            for tag in &device.model.tags {
                let mut track = NONE;
                if device.tells(tag) {
                    track = u32::try_from(tags.tracks.len()).unwrap_or(NONE);
                    tags.tracks.push(Track::new(at));
                }
                tags.of_slot.push(track);
            }
        }
        if !tags.tracks.is_empty() {
            tags.tiers = Some(Tiers::default());
        }
        tags
    }

    /// The open minute as a run before has left it.
    pub(super) const fn resume(&mut self, start: Wall, passed_ms: u64) {
        self.start = start;
        self.passed_ms = passed_ms;
    }

    /// Start and length of the open minute.
    pub(super) const fn open(&self, at: Mono) -> (Wall, u64) {
        (self.start, self.passed_ms + at.since(self.since))
    }

    /// The next minute begins.
    const fn begin(&mut self, at: Mono, start: Wall) {
        self.start = start;
        self.passed_ms = 0;
        self.since = at;
    }

    pub(super) fn track(&mut self, slot: usize) -> Option<&mut Track> {
        let at = usize::try_from(*self.of_slot.get(slot)?).ok()?;
        self.tracks.get_mut(at)
    }
}

impl Engine {
    /// A reading of a tag that holds until `until`, unless another comes.
    pub(super) fn track(
        &mut self,
        device: DeviceIndex,
        index: TagIndex,
        reading: &Reading,
        at: Mono,
        until: Mono,
    ) {
        let slot = self.devices[usize::from(device.0)].first_slot + usize::from(index.0);
        if let Some(track) = self.tags.track(slot) {
            let tag = &self.plant.device(device).model.tags[usize::from(index.0)];
            track.take(tag, reading, at, until);
        }
    }

    /// The minute of all tags ends at `edge`, labelled `end`; the next one begins there, labelled
    /// `next`. Returned is the window for the history, with the tiers that ended before it.
    pub(super) fn close_tags(
        &mut self,
        edge: Mono,
        end: Wall,
        next: Wall,
    ) -> Option<(Window, Sum, TierSet, AllEnded)> {
        let (start, passed_ms) = self.tags.open(edge);
        self.tags.begin(edge, next);
        if passed_ms == 0 {
            return None;
        }
        let mut tiers = self.tags.tiers.take()?;
        let window = Window {
            start,
            end,
            fold: self.timeline.fold_at(start),
            stepped_ms: self.stepped_ms,
            clock_step_ms: 0,
            unset: self.timeline.is_unset().then_some(0),
        };
        let mut sum = Sum::default();
        sum.times.add(State::Unknown, passed_ms);
        let frames = self.frames_of(&window);
        let mut ended = AllEnded::new();
        let cut = tiers.add(&window, &sum, &frames, |one| push(&mut ended, one));
        self.tags.tiers = Some(tiers);
        let mut told = TierSet::NONE;
        for one in &ended {
            if let Ended::Tier(tier, closed) = one
                && cut.contains(*tier)
                && !told.contains(*tier)
            {
                told = told.with(*tier);
                self.tell_tags(*tier, closed, edge);
            }
        }
        self.tell_minute_of_tags(&window, passed_ms, edge);
        for one in &ended {
            if let Ended::Tier(tier, closed) = one {
                if told.contains(*tier) {
                    told = told.without(*tier);
                } else {
                    self.tell_tags(*tier, closed, edge);
                }
            }
        }
        Some((window, sum, cut, ended))
    }

    /// The tags of every device over the minute, which longer windows take up.
    fn tell_minute_of_tags(&mut self, window: &Window, window_ms: u64, edge: Mono) {
        let mut minute = Closed {
            window: *window,
            merged: self.window_merged,
            shift: None,
            sum: Sum::default(),
        };
        minute.sum.times.add(State::Unknown, window_ms);
        self.tell_window(Tier::Minute, &minute, edge, |track, summed| {
            track.end_minute(summed, edge)
        });
    }

    pub(super) fn tell_tags(&mut self, tier: Tier, closed: &Closed, edge: Mono) {
        self.tell_window(tier, closed, edge, |track, _| track.end(tier));
    }

    /// Ends a window of every tag, and tells of those that are told over this tier.
    fn tell_window(
        &mut self,
        tier: Tier,
        closed: &Closed,
        edge: Mono,
        end: impl Fn(&mut Track, Summed) -> TagSum,
    ) {
        let plant = Arc::clone(&self.plant);
        for (index, device) in plant.devices.iter().enumerate() {
            let first = self.devices[index].first_slot;
            if !device.publishes_tags.contains(tier) {
                for (at, tag) in device.model.tags.iter().enumerate() {
                    if let Some(track) = self.tags.track(first + at) {
                        end(track, tag.summed);
                    }
                }
                continue;
            }
            let ranges = plant.tag_parts(device);
            let count = u16::try_from(ranges.len()).unwrap_or(u16::MAX);
            let head = self.summary_alone(&device.id, tier, closed, &closed.sum);
            for (part, range) in (1..).zip(ranges) {
                let mut tags = Vec::with_capacity(range.len());
                for at in range {
                    let tag = &device.model.tags[at];
                    let Some(track) = self.tags.track(first + at) else {
                        continue;
                    };
                    let mut sum = end(track, tag.summed);
                    let mut known = sum.good_ms > 0 || sum.min.is_finite() || sum.total != 0.0;
                    let last = track.last();
                    if let (Some(role), true) = (tag.role, self.devices[index].machine.is_some()) {
                        // As in the summary beside it, which loses nothing to a kill.
                        let counts = self.devices[index].ended[tier as usize].first();
                        let parts = counts.and_then(|counts| counts[role.counts as usize]);
                        sum.total = parts.map_or(0.0, |n| n as f64 / f64::from(role.parts));
                        known = parts.is_some();
                    }
                    tags.push(TagValue {
                        name: tag.name.clone(),
                        counter: tag.summed == Summed::Counter,
                        sum,
                        last: last.filter(|_| known),
                    });
                }
                let window = tag_window(&head, device, (part, count), tags);
                let n = &mut self.devices[index].tag_records[tier as usize];
                *n += 1;
                let n = *n;
                self.store(edge, n, Body::Tags(Box::new(window)));
            }
            let ended = &mut self.devices[index].ended[tier as usize];
            if !ended.is_empty() {
                ended.remove(0);
            }
        }
    }

    /// What tags have come to so far, to be kept: after a kill it is what is left of the open windows.
    pub fn keep_tags(&mut self) {
        let Some(tiers) = &self.tags.tiers else {
            return;
        };
        let mut windows = [None; 4];
        windows[Tier::Minute as usize] = Some((self.tags.start, 0));
        for tier in SUMMED {
            let open = tiers.so_far(tier).map(|open| open.window);
            windows[tier as usize] = open.map(|window| (window.start, window.fold));
        }
        let plant = Arc::clone(&self.plant);
        let mut tags = Vec::new();
        for (device, entry) in plant.devices.iter().zip(&self.devices) {
            for (at, tag) in device.model.tags.iter().enumerate() {
                let Some(track) = self.tags.track(entry.first_slot + at) else {
                    continue;
                };
                let sums = Tier::ALL.map(|tier| *track.so_far(tier));
                if sums != [TagSum::EMPTY; 4] {
                    tags.push((device.id.clone(), tag.name.clone(), sums));
                }
            }
        }
        self.keep(Leaf::Tags(OpenTags { windows, tags }));
    }

    /// Goes on from what was kept and from what the checkpoint says of counters, in the windows that
    /// are still open.
    pub(super) fn resume_tags(&mut self, kept: Option<&OpenTags>, counters: &[CountersOf]) {
        let Some(tiers) = &self.tags.tiers else {
            return;
        };
        let open = Tier::ALL.map(|tier| match tier {
            Tier::Minute => Some((self.tags.start, 0)),
            _ => {
                let open = tiers.so_far(tier);
                open.map(|open| (open.window.start, open.window.fold))
            }
        });
        if let Some(kept) = kept {
            let same = |tier: &Tier| {
                let at = *tier as usize;
                open[at].is_some() && open[at] == kept.windows[at]
            };
            let goes_on = Tier::ALL.into_iter().filter(same).collect();
            self.resume_sums(kept, goes_on);
        }
        let is_open = |tier: &Tier| open[*tier as usize].is_some();
        let goes_on = Tier::ALL.into_iter().filter(is_open).collect();
        self.resume_counters(counters, goes_on);
    }

    fn resume_sums(&mut self, kept: &OpenTags, goes_on: TierSet) {
        let plant = Arc::clone(&self.plant);
        let count = plant.devices.len();
        let mut at = 0;
        for (id, name, sums) in &kept.tags {
            // Mostly they stand in the order of the devices.
            let mut found = (0..count).map(|n| (at + n) % count);
            let Some(index) = found.find(|index| plant.devices[*index].id == *id) else {
                continue;
            };
            at = index;
            let Some(tag) = plant.devices[index].model.tag(name) else {
                continue;
            };
            let slot = self.devices[index].first_slot + usize::from(tag.0);
            if let Some(track) = self.tags.track(slot) {
                for tier in goes_on.iter() {
                    track.resume(tier, &sums[tier as usize]);
                }
            }
        }
    }

    /// The counters of a device, but for those of parts that its machine counts.
    pub(super) fn counters(&self, index: usize) -> Vec<(Arc<str>, Counted)> {
        let (device, entry) = (&self.plant.devices[index], &self.devices[index]);
        let tags = device.model.tags.iter().enumerate();
        let counters = tags.filter(|(_, tag)| {
            tag.summed == Summed::Counter && (tag.role.is_none() || entry.machine.is_none())
        });
        counters
            .filter_map(|(at, tag)| {
                let track = usize::try_from(*self.tags.of_slot.get(entry.first_slot + at)?).ok()?;
                let counted = self.tags.tracks.get(track)?.counted()?;
                Some((tag.name.clone(), counted))
            })
            .collect()
    }

    /// Counters go on from where a run before has left them, in the windows that go on.
    fn resume_counters(&mut self, before: &[CountersOf], goes_on: TierSet) {
        let plant = Arc::clone(&self.plant);
        for (id, counters) in before {
            let Some(index) = plant.devices.iter().position(|device| device.id == *id) else {
                continue;
            };
            let first = self.devices[index].first_slot;
            for (name, counted) in counters {
                let tag = plant.devices[index].model.tag(name);
                let slot = tag.map(|tag| first + usize::from(tag.0));
                if let Some(track) = slot.and_then(|slot| self.tags.track(slot)) {
                    track.count_on(counted, goes_on);
                }
            }
        }
    }
}

fn tag_window(
    head: &Summary,
    device: &Device,
    (part, parts): (u16, u16),
    tags: Vec<TagValue>,
) -> TagWindow {
    TagWindow {
        device: device.id.clone(),
        line: device.line.clone(),
        tier: head.tier,
        shift: head.shift.clone(),
        start: head.start,
        end: head.end,
        window_ms: head.window_ms(),
        fold: head.fold,
        merged: head.merged,
        clock_step_ms: head.clock_step_ms,
        part,
        parts,
        tags,
    }
}
