//! The last of what the tags of a device came to that is not configured any more: its open windows
//! are told once more, up to where the run before ended.

use super::Engine;
use super::checkpoint::Checkpoint;
use super::closing::{AllEnded, push};
use super::past::{Gone, Settings};
use super::tags::{CountersOf, StoredCounter, tag_window};
use crate::calendar::CalendarIndex;
use crate::history::{Leaf, OpenTag, OpenTags, tags_of};
use crate::plant::Plant;
use crate::record::{Body, TagValue};
use crate::summary::{Tier, TierSet};
use crate::tag::Counts;
use crate::tag_sums::{Number, TagSum};
use crate::tiers::{Closed, Ended, SUMMED, Tiers};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A device whose tags were told.
#[derive(Debug)]
pub(super) struct Departed {
    device: Arc<str>,
    calendar: CalendarIndex,
    /// The windows of the tags whose devices follow that calendar.
    tiers: Tiers,
    /// The windows of which `tags` tell, by start and fold.
    windows: [Option<(Wall, u32)>; 4],
    tags: Vec<OpenTag>,
}

/// A tag of such a device.
struct LastTag {
    name: Arc<str>,
    counter: bool,
    /// What a counter of parts counts, and parts for each count: its windows are as the summaries say.
    counts: Option<(Counts, u32)>,
    sums: [TagSum; 4],
    last: Option<Number>,
}

impl Departed {
    /// The devices that are in what is left of the run before, and not in the plant.
    pub(super) fn all<'t>(
        plant: &Plant,
        kept: &'t [OpenTags],
        gone: &[Gone],
        before: Option<&'t Checkpoint>,
        tiers_of: impl Fn(CalendarIndex) -> Tiers,
    ) -> Vec<Departed> {
        let is_gone = |id: &str| !plant.devices.iter().any(|device| *device.id == *id);
        let only = plant.other_calendars.is_empty();
        let followed = |id: &str| {
            let of = gone.iter().find(|gone| *gone.id == *id);
            let known = of.and_then(|gone| gone.calendar);
            known.or_else(|| only.then(CalendarIndex::default))
        };
        let mut all: Vec<Departed> = Vec::new();
        let mut add = |id: &Arc<str>, windows, tags: &[OpenTag]| {
            let is_known = all.iter().any(|departed| departed.device == *id);
            if let (false, Some(calendar)) = (is_known, followed(id)) {
                all.push(Departed {
                    device: id.clone(),
                    calendar,
                    tiers: tiers_of(calendar),
                    windows,
                    tags: tags.to_vec(),
                });
            }
        };
        for kept in kept {
            for tags in kept.tags.chunk_by(|one, other| one.device == other.device) {
                if let [first, ..] = tags
                    && is_gone(&first.device)
                {
                    add(&first.device, kept.windows, tags);
                }
            }
        }
        // A kill may have left nothing but where counters stand.
        let counters = before.map_or(&[][..], Checkpoint::counters);
        for (id, _) in counters.iter().filter(|(id, _)| is_gone(id)) {
            add(id, [None; 4], &[]);
        }
        let counting = |gone: &&Gone| is_gone(&gone.id) && !gone.settings.counters.is_empty();
        for gone in gone.iter().filter(counting) {
            add(&gone.id, [None; 4], &[]);
        }
        all
    }

    /// Records that tell what its tags come to over one window, at most.
    pub(super) fn most_parts(&self) -> usize {
        self.tags.len().max(1)
    }

    /// Its tags in their open windows, of which the minute began at `minute`.
    fn last_tags(
        &self,
        minute: Wall,
        settings: &Settings,
        stood: &[Option<i64>; 3],
        counters: &[StoredCounter],
    ) -> Vec<LastTag> {
        let open = |tier: Tier| match tier {
            Tier::Minute => Some((minute, 0)),
            _ => {
                let open = self.tiers.so_far(tier)?;
                Some((open.window.start, open.window.fold))
            }
        };
        let is_same = |tier: Tier| {
            let kept = self.windows[tier as usize];
            kept.is_some() && kept == open(tier)
        };
        let of = |tag: &OpenTag| LastTag {
            name: tag.tag.clone(),
            // Only levels have a least value.
            counter: tag.sums.iter().all(|sum| !sum.min.is_finite()),
            counts: None,
            sums: Tier::ALL.map(|tier| match is_same(tier) {
                true => tag.sums[tier as usize],
                false => TagSum::EMPTY,
            }),
            last: tag.last,
        };
        let mut tags: Vec<LastTag> = self.tags.iter().map(of).collect();
        for (name, counts, parts) in &settings.counters {
            let tag = find_or_add(&mut tags, name);
            tag.counts = Some((*counts, *parts));
            tag.last = stood[*counts as usize].map(Number::Int).or(tag.last);
        }
        for (name, _, counted) in counters {
            let tag = find_or_add(&mut tags, name);
            tag.last = Some(counted.last);
            for (sum, added) in tag.sums.iter_mut().zip(counted.added) {
                sum.total = added.as_f64();
            }
        }
        tags
    }
}

fn find_or_add<'t>(tags: &'t mut Vec<LastTag>, name: &Arc<str>) -> &'t mut LastTag {
    let known = tags.iter().position(|tag| tag.name == *name);
    let at = known.unwrap_or_else(|| {
        tags.push(LastTag {
            name: name.clone(),
            counter: true,
            counts: None,
            sums: [TagSum::EMPTY; 4],
            last: None,
        });
        tags.len() - 1
    });
    &mut tags[at]
}

impl LastTag {
    /// What it comes to over a window of a tier that ended with these counts of parts; the open
    /// minute is in it or is not.
    fn told(
        &self,
        tier: Tier,
        (goes_on, with_minute): (bool, bool),
        ended: Option<&[Option<u64>; 3]>,
    ) -> TagValue {
        let mut sum = match goes_on {
            true => self.sums[tier as usize],
            false => TagSum::EMPTY,
        };
        if with_minute && tier != Tier::Minute {
            sum.add(&self.sums[Tier::Minute as usize]);
        }
        let mut known = sum.good_ms > 0 || sum.min.is_finite() || sum.total != 0.0;
        if let Some((counts, parts)) = self.counts {
            let made = ended.and_then(|counted| counted[counts as usize]);
            sum.total = made.map_or(0.0, |made| made as f64 / f64::from(parts));
            known = made.is_some();
        }
        TagValue {
            name: self.name.clone(),
            counter: self.counter,
            sum,
            last: self.last.filter(|_| known),
        }
    }
}

impl Engine {
    /// What the tags of these devices have come to goes out; their windows end at the label `at`.
    pub(super) fn end_departed(
        &mut self,
        departed: Vec<Departed>,
        gone: &[Gone],
        counters: &[CountersOf],
        at: Wall,
        now: Mono,
    ) {
        if departed.is_empty() {
            return;
        }
        for one in departed {
            self.end_tags_of(one, gone, counters, at, now);
        }
        // What was kept of them is not to be found once more.
        let mut open = self.open_tags();
        if open.is_empty() {
            let minute = Some((self.tags.stood().0, 0));
            open.push(OpenTags {
                windows: [minute, None, None, None],
                tags: Vec::new(),
            });
        }
        self.keep(Leaf::Tags(open));
    }

    fn end_tags_of(
        &mut self,
        mut one: Departed,
        gone: &[Gone],
        counters: &[CountersOf],
        at: Wall,
        now: Mono,
    ) {
        let unknown = Gone::new(&one.device, None, Settings::unknown());
        let gone = gone.iter().find(|gone| gone.id == one.device);
        let gone = gone.unwrap_or(&unknown);
        let counters = counters.iter().find(|(id, _)| *id == one.device);
        let counters = counters.map_or(&[][..], |(_, counters)| counters);
        let (start, passed_ms) = self.tags.stood();
        let tags = one.last_tags(start, &gone.settings, &gone.stood, counters);
        let mut cut = TierSet::NONE;
        let mut ended = AllEnded::new();
        let minute = self.minute_of_tags(start, at, passed_ms);
        let mut closed: Vec<(Tier, Closed)> = Vec::new();
        if let Some((window, sum)) = minute {
            let frames = self.frames_of(one.calendar, &window);
            let tiers = &mut one.tiers;
            cut = tiers.add(&window, &sum, &frames, |one| push(&mut ended, one));
            let merged = self.window_merged;
            let minute = Closed {
                window,
                merged,
                shift: None,
                sum,
            };
            closed.push((Tier::Minute, minute));
        }
        let mut last = AllEnded::new();
        one.tiers.end(|one| push(&mut last, one));
        // Where nobody tells tags by this calendar any more, its windows have ended as well.
        let is_followed = self.tags.tiers(one.calendar).is_some();
        let name = tags_of(self.plant.calendar_at(one.calendar));
        for ended in ended.into_iter().chain(last) {
            match ended {
                Ended::Tier(tier, window) => closed.push((tier, window)),
                Ended::Piece(piece) if !is_followed => self.keep_alone(&name, &piece),
                Ended::Piece(_) => {}
            }
        }
        let (mut told, mut n) = (TierSet::NONE, [0; 4]);
        for (tier, closed) in closed {
            // What does not go on with the minute ended before it.
            let is_before = cut.contains(tier) && !told.contains(tier);
            let goes_on = is_before || !cut.contains(tier);
            told = told.with(tier);
            if !gone.settings.publishes_tags.contains(tier) {
                continue;
            }
            let is_it = |(of, end, _): &&(Tier, Wall, _)| (*of, *end) == (tier, closed.window.end);
            let counted = gone.counted.iter().find(is_it).map(|(.., counted)| counted);
            let with_minute = minute.is_some() && !is_before;
            let value = |tag: &LastTag| tag.told(tier, (goes_on, with_minute), counted);
            let values: Vec<TagValue> = tags.iter().map(value).collect();
            let head =
                self.summary_alone(&one.device, Some(one.calendar), tier, &closed, &closed.sum);
            let line = gone.settings.line.as_ref();
            let names = values.iter().map(|tag| &*tag.name).enumerate();
            let ranges = self
                .plant
                .parts_of(&one.device, line.map(|line| &**line), names);
            let count = u16::try_from(ranges.len()).unwrap_or(u16::MAX);
            for (part, range) in (1..).zip(ranges) {
                let values = values.get(range).unwrap_or_default().to_vec();
                let window = tag_window(&head, line, (part, count), values);
                n[tier as usize] += 1;
                self.store(now, n[tier as usize], Body::Tags(Box::new(window)));
            }
        }
    }
}

/// How many windows of each tier end at most: one before the minute and one with it.
pub(super) const MOST_ENDED: usize = 2 * SUMMED.len() + 1;
