//! What tags come to over minutes, hours, shifts and production days. These windows are the same for
//! the tags of all devices that follow a calendar, whether they have a state or not.

use super::Engine;
use super::closing::{AllEnded, push};
use crate::calendar::CalendarIndex;
use crate::history::{Leaf, OpenTag, OpenTags};
use crate::limits;
use crate::plant::Plant;
use crate::record::{Body, TagValue, TagWindow};
use crate::sample::Reading;
use crate::state::State;
use crate::summary::{Sum, Summary, Tier, TierSet};
use crate::tag::{DeviceIndex, Summed, TagIndex};
use crate::tag_sums::{Counted, TagSum, Track};
use crate::tiers::{Closed, Ended, Tiers, Window};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// No track for this tag.
const NONE: u32 = u32::MAX;

/// Where the counters of a device stand, by tag.
pub(super) type CountersOf = (Arc<str>, Vec<StoredCounter>);

/// A counter by its name, with the fingerprint of its source and where it stands.
pub(super) type StoredCounter = (Arc<str>, u32, Counted);

/// Every tag that is told, with the windows that all of them have.
#[derive(Debug)]
pub(super) struct Tags {
    tracks: Vec<Track>,
    /// The track of each slot of [`super::newest`].
    of_slot: Vec<u32>,
    /// By calendar, the windows of the devices that follow it; none if no tag of theirs is told.
    pub(super) tiers: Vec<Option<Tiers>>,
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
            tiers: plant.calendars().map(|_| None).collect(),
            start,
            passed_ms: 0,
            since: at,
        };
        for device in &plant.devices {
            for tag in &device.model.tags {
                let mut track = NONE;
                if device.tells(tag) {
                    track = u32::try_from(tags.tracks.len()).unwrap_or(NONE);
                    if let Some(tiers) = tags.tiers.get_mut(usize::from(device.calendar.0)) {
                        tiers.get_or_insert_default();
                    }
                    tags.tracks.push(Track::new(at));
                }
                tags.of_slot.push(track);
            }
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

    /// The open minute where the accounting began: its start, and how much of it had passed before.
    pub(super) const fn stood(&self) -> (Wall, u64) {
        (self.start, self.passed_ms)
    }

    /// The windows of the devices that follow a calendar.
    pub(super) fn tiers(&self, calendar: CalendarIndex) -> Option<&Tiers> {
        self.tiers.get(usize::from(calendar.0))?.as_ref()
    }

    fn track_at(&self, slot: usize) -> Option<&Track> {
        let at = usize::try_from(*self.of_slot.get(slot)?).ok()?;
        self.tracks.get(at)
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
    /// `next`. Returned is the minute, unless it is empty.
    pub(super) fn end_minute_of_tags(
        &mut self,
        edge: Mono,
        end: Wall,
        next: Wall,
    ) -> Option<(Window, Sum)> {
        let (start, passed_ms) = self.tags.open(edge);
        self.tags.begin(edge, next);
        self.minute_of_tags(start, end, passed_ms)
    }

    /// The open minute of tags so far, up to `end`, unless it is empty.
    pub(super) fn minute_of_tags(
        &self,
        start: Wall,
        end: Wall,
        passed_ms: u64,
    ) -> Option<(Window, Sum)> {
        if passed_ms == 0 {
            return None;
        }
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
        Some((window, sum))
    }

    /// A minute of the tags whose devices follow a calendar has ended at `edge`. Returned is the window
    /// for the history, with the tiers that ended before it.
    pub(super) fn close_tags(
        &mut self,
        calendar: CalendarIndex,
        edge: Mono,
        (window, sum): (Window, Sum),
    ) -> Option<(Window, Sum, TierSet, AllEnded)> {
        let place = usize::from(calendar.0);
        let mut tiers = self.tags.tiers.get_mut(place)?.take()?;
        let frames = self.frames_of(calendar, &window);
        let mut ended = AllEnded::new();
        let cut = tiers.add(&window, &sum, &frames, |one| push(&mut ended, one));
        self.tags.tiers[place] = Some(tiers);
        let mut told = TierSet::NONE;
        for one in &ended {
            if let Ended::Tier(tier, closed) = one
                && cut.contains(*tier)
                && !told.contains(*tier)
            {
                told = told.with(*tier);
                self.tell_tags(calendar, *tier, closed, edge);
            }
        }
        self.tell_minute_of_tags(calendar, (window, sum), edge);
        for one in &ended {
            if let Ended::Tier(tier, closed) = one {
                if told.contains(*tier) {
                    told = told.without(*tier);
                } else {
                    self.tell_tags(calendar, *tier, closed, edge);
                }
            }
        }
        Some((window, sum, cut, ended))
    }

    /// The tags of these devices over the minute, which longer windows take up.
    fn tell_minute_of_tags(
        &mut self,
        calendar: CalendarIndex,
        (window, sum): (Window, Sum),
        edge: Mono,
    ) {
        let minute = Closed {
            window,
            merged: self.window_merged,
            shift: None,
            sum,
        };
        self.tell_window(calendar, Tier::Minute, &minute, edge, |track, summed| {
            track.end_minute(summed, edge)
        });
    }

    pub(super) fn tell_tags(
        &mut self,
        calendar: CalendarIndex,
        tier: Tier,
        closed: &Closed,
        edge: Mono,
    ) {
        self.tell_window(calendar, tier, closed, edge, |track, _| track.end(tier));
    }

    /// Ends a window of the tags whose devices follow a calendar, and tells of those that are told over this tier.
    fn tell_window(
        &mut self,
        calendar: CalendarIndex,
        tier: Tier,
        closed: &Closed,
        edge: Mono,
        end: impl Fn(&mut Track, Summed) -> TagSum,
    ) {
        let plant = Arc::clone(&self.plant);
        for (index, device) in plant.devices.iter().enumerate() {
            if device.calendar != calendar {
                continue;
            }
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
            let head = self.summary_alone(&device.id, Some(calendar), tier, closed, &closed.sum);
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
                let window = tag_window(&head, device.line.as_ref(), (part, count), tags);
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
        let now = self.now;
        let plant = Arc::clone(&self.plant);
        let tags = plant.devices.iter().flat_map(|device| &device.model.tags);
        for (slot, tag) in tags.enumerate() {
            if let Some(track) = self.tags.track(slot) {
                track.pass(tag.summed, now);
            }
        }
        let open = self.open_tags();
        if !open.is_empty() {
            self.keep(Leaf::Tags(open));
        }
    }

    /// What tags have come to so far, by the calendars of their devices.
    pub(super) fn open_tags(&self) -> Vec<OpenTags> {
        let plant = Arc::clone(&self.plant);
        let mut all = Vec::new();
        for calendar in self.calendar_indexes() {
            let Some(windows) = self.open_windows(calendar) else {
                continue;
            };
            let mut tags = Vec::new();
            let devices = plant.devices.iter().zip(&self.devices);
            for (device, entry) in devices.filter(|(device, _)| device.calendar == calendar) {
                for (at, tag) in device.model.tags.iter().enumerate() {
                    let Some(track) = self.tags.track_at(entry.first_slot + at) else {
                        continue;
                    };
                    let sums = Tier::ALL.map(|tier| *track.so_far(tier));
                    if sums != [TagSum::EMPTY; 4] {
                        tags.push(OpenTag {
                            device: device.id.clone(),
                            tag: tag.name.clone(),
                            sums,
                            last: track.last(),
                        });
                    }
                }
            }
            all.push(OpenTags { windows, tags });
        }
        all
    }

    /// Start and fold of the open windows of the tags whose devices follow a calendar; none if none of
    /// them is told.
    fn open_windows(&self, calendar: CalendarIndex) -> Option<[Option<(Wall, u32)>; 4]> {
        let tiers = self.tags.tiers(calendar)?;
        Some(Tier::ALL.map(|tier| match tier {
            Tier::Minute => Some((self.tags.start, 0)),
            _ => {
                let open = tiers.so_far(tier);
                open.map(|open| (open.window.start, open.window.fold))
            }
        }))
    }

    /// Goes on from what was kept and from what the checkpoint says of counters, in the windows that
    /// are still open.
    pub(super) fn resume_tags(&mut self, kept: &[OpenTags], counters: &[CountersOf]) {
        for kept in kept {
            self.resume_sums(kept);
        }
        self.resume_counters(counters);
    }

    fn resume_sums(&mut self, kept: &OpenTags) {
        let plant = Arc::clone(&self.plant);
        let count = plant.devices.len();
        let mut at = 0;
        for open_tag in &kept.tags {
            // Mostly they stand in the order of the devices.
            let mut found = (0..count).map(|n| (at + n) % count);
            let is_it = |index: &usize| plant.devices[*index].id == open_tag.device;
            let Some(index) = found.find(is_it) else {
                continue;
            };
            at = index;
            // A window that goes on is one that began with it, by whatever calendar.
            let Some(open) = self.open_windows(plant.devices[index].calendar) else {
                continue;
            };
            let same = |tier: &Tier| {
                let place = *tier as usize;
                open[place].is_some() && open[place] == kept.windows[place]
            };
            let Some(tag) = plant.devices[index].model.tag(&open_tag.tag) else {
                continue;
            };
            let slot = self.devices[index].first_slot + usize::from(tag.0);
            let settings = &plant.devices[index].model.tags[usize::from(tag.0)];
            if let Some(track) = self.tags.track(slot) {
                for tier in Tier::ALL.into_iter().filter(same) {
                    track.resume(tier, &open_tag.sums[tier as usize]);
                }
                // Where counters stand is in the checkpoint, which is newer.
                if settings.summed == Summed::Level {
                    track.recall(open_tag.last);
                }
            }
        }
    }

    /// The counters of a device, but for those of parts that its machine counts.
    pub(super) fn counters(&self, index: usize) -> Vec<StoredCounter> {
        let (device, entry) = (&self.plant.devices[index], &self.devices[index]);
        let tags = device.model.tags.iter().enumerate();
        let counters = tags.filter(|(_, tag)| {
            tag.summed == Summed::Counter && (tag.role.is_none() || entry.machine.is_none())
        });
        counters
            .filter_map(|(at, tag)| {
                let track = usize::try_from(*self.tags.of_slot.get(entry.first_slot + at)?).ok()?;
                let counted = self.tags.tracks.get(track)?.counted()?;
                let source = tag.source.fingerprint(device.unit);
                Some((tag.name.clone(), source, counted))
            })
            .collect()
    }

    /// Counters go on from where a run before has left them, in the windows that go on.
    fn resume_counters(&mut self, before: &[CountersOf]) {
        let plant = Arc::clone(&self.plant);
        for (id, counters) in before {
            let Some(index) = plant.devices.iter().position(|device| device.id == *id) else {
                continue;
            };
            let Some(open) = self.open_windows(plant.devices[index].calendar) else {
                continue;
            };
            let is_open = |tier: &Tier| open[*tier as usize].is_some();
            let goes_on: TierSet = Tier::ALL.into_iter().filter(is_open).collect();
            let first = self.devices[index].first_slot;
            for (name, source, counted) in counters {
                let device = &plant.devices[index];
                let Some(tag) = device.model.tag(name) else {
                    continue;
                };
                let now = &device.model.tags[usize::from(tag.0)].source;
                let same = now.fingerprint(device.unit) == *source;
                if let Some(track) = self.tags.track(first + usize::from(tag.0)) {
                    track.count_on(counted, same, goes_on);
                }
            }
        }
    }
}

/// A window of tags as it is told, labelled as `head` is.
pub(super) fn tag_window(
    head: &Summary,
    line: Option<&Arc<str>>,
    (part, parts): (u16, u16),
    tags: Vec<TagValue>,
) -> TagWindow {
    TagWindow {
        device: head.device.clone(),
        line: line.cloned(),
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
