//! What the history says of windows that are still open: added up again at the start.

use super::Engine;
use super::asked::{Asked, asked};
use super::checkpoint::{Checkpoint, EACH_GONE};
use super::closing::{AllEnded, head, push};
use super::departed::{Departed, MOST_ENDED};
use super::recent::Recent;
use crate::calendar::CalendarIndex;
use crate::history::{Head, Leaf, LearnedOf, OpenTags, Page, Rows, calendar_of_tags};
use crate::machine::{Label, Ledger};
use crate::plant::{Device, Plant};
use crate::record::Body;
use crate::rolling::Grain;
use crate::summary::{Needs, Summary, Tier, TierSet};
use crate::tag::{Counts, Tag};
use crate::tiers::{Ended, Frames, Piece, Tiers};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What was found in the history.
#[derive(Debug)]
pub(super) struct Past {
    /// Each device of the plant.
    devices: Vec<OfDevice>,
    /// By calendar, the windows of the tags whose devices follow it.
    tags: Vec<OfDevice>,
    /// By calendar, the frames of the row that was added last: mostly those of the next one too.
    frames: Vec<Option<(Head, Frames)>>,
    /// What tags had come to.
    open_tags: Vec<OpenTags>,
    /// What was learned of sources.
    learned: Vec<LearnedOf>,
    /// Devices that are not configured any more, or have no state any more.
    pub(super) gone: Vec<Gone>,
    /// Devices that are not configured any more whose tags were told.
    departed: Vec<Departed>,
    /// Number of the last page.
    pub(super) page: u64,
}

/// What is left of the past once the open windows are taken up.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// See [`Past::gone`].
    pub(super) gone: Vec<Gone>,
    /// See [`Past::departed`].
    pub(super) departed: Vec<Departed>,
    /// What tags had come to.
    pub(super) open_tags: Vec<OpenTags>,
}

/// What was found of one device.
#[derive(Debug, Default)]
struct OfDevice {
    /// Its open windows.
    tiers: Tiers,
    /// What alarms ask for.
    asked: Asked,
    /// Where the last minute and the last piece ended.
    ends: [Option<Wall>; 2],
    /// Its last hours and days; none for a device that is gone.
    recent: Option<Recent>,
    /// Number of the page of its last piece: the minutes of earlier pages are in pieces.
    last_piece: u64,
}

/// A device that is not configured any more, or has no state any more.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) id: Arc<str>,
    /// The calendar that it followed, if that is known and still there.
    pub(super) calendar: Option<CalendarIndex>,
    pub(super) settings: Settings,
    past: OfDevice,
    /// Summaries published in this run, by tier.
    summaries: [u64; 4],
    /// The last windows that ended of it: tier, end, and the counts by [`Counts`].
    pub(super) counted: Vec<(Tier, Wall, [Option<u64>; 3])>,
    /// Where its counters of parts stood, by [`Counts`].
    pub(super) stood: [Option<i64>; 3],
}

/// What was configured of a device that its windows tell, or are told by: the last of them may be told
/// when it is not configured any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) line: Option<Arc<str>>,
    every_ms: u64,
    needs: Needs,
    /// See [`Device::third`].
    third: Option<Counts>,
    /// The tiers that were published of it.
    publishes: TierSet,
    /// The tiers over which it was told what its tags come to.
    pub(super) publishes_tags: TierSet,
    /// Its counters of parts that are told as its summaries are: what they count, and parts for each
    /// count.
    pub(super) counters: Vec<(Arc<str>, Counts, u32)>,
}

impl Settings {
    pub(super) fn of(device: &Device) -> Settings {
        Settings {
            line: device.line.clone(),
            every_ms: device.model.every_ms,
            needs: device.needs(),
            third: device.third(),
            publishes: device.publishes,
            publishes_tags: device.publishes_tags,
            counters: counters(device),
        }
    }

    /// Those of a device of which only its windows are known.
    pub(super) const fn unknown() -> Settings {
        Settings {
            line: None,
            every_ms: 0,
            needs: Needs::NONE,
            third: None,
            publishes: TierSet::ALL,
            publishes_tags: TierSet::ALL.without(Tier::Minute),
            counters: Vec::new(),
        }
    }
}

fn counters(device: &Device) -> Vec<(Arc<str>, Counts, u32)> {
    if device.model.state.is_none() {
        return Vec::new();
    }
    let told = device.model.tags.iter().filter(|tag| device.tells(tag));
    let counter = |tag: &Tag| {
        let role = tag.role?;
        Some((tag.name.clone(), role.counts, role.parts))
    };
    told.filter_map(counter).collect()
}

impl OfDevice {
    fn of((device, asked): (&Device, Asked)) -> OfDevice {
        OfDevice {
            asked,
            recent: device.model.state.is_some().then(Recent::new),
            ..OfDevice::default()
        }
    }
}

impl Gone {
    pub(super) fn new(id: &Arc<str>, calendar: Option<CalendarIndex>, settings: Settings) -> Gone {
        Gone {
            id: id.clone(),
            calendar,
            settings,
            past: OfDevice::default(),
            summaries: [0; 4],
            counted: Vec::new(),
            stood: [None; 3],
        }
    }
}

impl Past {
    /// Adds up what was kept, up to the page with the number `last` if there is one.
    pub(super) fn recall(
        plant: &Plant,
        history: impl IntoIterator<Item = Page>,
        last: Option<u64>,
        before: Option<&Checkpoint>,
    ) -> Past {
        let mut past = Past {
            devices: plant
                .devices
                .iter()
                .zip(asked(plant))
                .map(OfDevice::of)
                .collect(),
            tags: plant.calendars().map(|_| OfDevice::default()).collect(),
            frames: plant.calendars().map(|_| None).collect(),
            open_tags: Vec::new(),
            learned: Vec::new(),
            gone: before.map_or_else(Vec::new, |before| before.gone(plant)),
            departed: Vec::new(),
            page: last.unwrap_or(0),
        };
        for page in history {
            if last.is_some_and(|last| page.number > last) {
                continue;
            }
            past.page = past.page.max(page.number);
            match page.leaf {
                Leaf::Piece(rows) => past.add(plant, page.number, &rows, true),
                Leaf::Minute(rows) => past.add(plant, page.number, &rows, false),
                Leaf::Tags(tags) => past.open_tags = tags,
                Leaf::Learned(_, learned) => past.learned = learned,
                // The reader has applied what these say.
                Leaf::MinuteAgain(_) | Leaf::PieceAgain(_) | Leaf::Relabel(_) => {}
                Leaf::Marks(_) => {}
            }
        }
        let tiers_of = |calendar: CalendarIndex| {
            let of_calendar = past.tags.get(usize::from(calendar.0));
            of_calendar.map_or_else(Tiers::default, |of| of.tiers.clone())
        };
        past.departed = Departed::all(plant, &past.open_tags, &past.gone, before, tiers_of);
        past
    }

    /// Actions that come of it, at most.
    pub(super) fn actions(&self) -> usize {
        let open = self.gone.iter().filter(|gone| gone.past.tiers.is_open());
        let parts = self
            .departed
            .iter()
            .map(|one| MOST_ENDED * one.most_parts() + 3);
        EACH_GONE * open.count() + parts.sum::<usize>()
    }

    fn add(&mut self, plant: &Plant, number: u64, rows: &Rows, are_pieces: bool) {
        let frames_of = |calendar: CalendarIndex, head: &Head| {
            let calendar = plant.calendar_at(calendar);
            Frames::over(calendar, &head.window)
        };
        let mut known = core::mem::take(&mut self.frames);
        for (at, row) in rows.rows.iter().enumerate() {
            let head = row.own.as_ref().unwrap_or(&rows.head);
            let Some((calendar, of_device)) = self.of_device(plant, &row.device, at) else {
                continue;
            };
            let OfDevice {
                tiers,
                recent,
                asked,
                ends,
                last_piece,
            } = of_device;
            let grain = match are_pieces {
                true => Grain::Piece,
                false => Grain::Minute,
            };
            let end = &mut ends[usize::from(are_pieces)];
            asked.recall(grain, *end, &head.window, &row.sum);
            *end = Some(head.window.end);
            if number <= *last_piece {
                continue;
            }
            let place = usize::from(calendar.0);
            let frames = match known[place] {
                Some((whose, frames)) if whose == *head => frames,
                _ => frames_of(calendar, head),
            };
            known[place] = Some((*head, frames));
            let see = |tier, closed| {
                if let Some(recent) = recent {
                    recent.push(tier, &closed);
                }
            };
            if are_pieces {
                *last_piece = number;
                let piece = Piece {
                    window: head.window,
                    sum: row.sum,
                    cut: head.cut,
                    ended: head.ended,
                };
                tiers.recall_piece(&piece, &frames, see);
            } else {
                tiers.recall_minute(&head.window, &row.sum, head.cut, &frames, see);
            }
        }
        self.frames = known;
    }

    /// The device with this id, with its calendar; mostly the rows stand in the order of the devices.
    /// None for the tags of a calendar that is not there any more.
    fn of_device(
        &mut self,
        plant: &Plant,
        id: &Arc<str>,
        row: usize,
    ) -> Option<(CalendarIndex, &mut OfDevice)> {
        if let Some(calendar) = calendar_of_tags(id) {
            let index = calendar_with_id(plant, calendar)?;
            return Some((index, self.tags.get_mut(usize::from(index.0))?));
        }
        let devices = &plant.devices;
        // A device that has no state any more ends its windows, as one that is gone.
        let is_it = |device: &Device| device.id == *id && device.model.state.is_some();
        let is_at = |index: &usize| devices.get(*index).is_some_and(is_it);
        let found = Some(row).filter(is_at);
        match found.or_else(|| devices.iter().position(is_it)) {
            Some(index) => Some((devices[index].calendar, &mut self.devices[index])),
            None => {
                let only = plant.other_calendars.is_empty();
                let index = find_or_add(&mut self.gone, id, only.then_some(CalendarIndex(0)));
                let gone = &mut self.gone[index];
                Some((gone.calendar.unwrap_or_default(), &mut gone.past))
            }
        }
    }
}

pub(super) fn calendar_with_id(plant: &Plant, id: &str) -> Option<CalendarIndex> {
    let at = plant.calendars().position(|calendar| *calendar.id == *id)?;
    u8::try_from(at).ok().map(CalendarIndex)
}

fn find_or_add(gone: &mut Vec<Gone>, id: &Arc<str>, calendar: Option<CalendarIndex>) -> usize {
    let known = gone.iter().position(|gone| gone.id == *id);
    known.unwrap_or_else(|| {
        gone.push(Gone::new(id, calendar, Settings::unknown()));
        gone.len() - 1
    })
}

impl Engine {
    /// Takes up the open windows of the past. Devices that are gone are left to be ended, and what
    /// tags had come to, until it is known which of their windows goes on.
    pub(super) fn remember(&mut self, past: Past) -> Unfinished {
        for (entry, of_device) in self.devices.iter_mut().zip(past.devices) {
            entry.tiers = of_device.tiers;
            entry.recent = of_device.recent;
            entry.asked = of_device.asked;
        }
        self.renew_figures();
        for (tiers, past) in self.tags.tiers.iter_mut().zip(past.tags) {
            if let Some(tiers) = tiers {
                *tiers = past.tiers;
            }
        }
        self.resume_learned(&past.learned);
        Unfinished {
            gone: past.gone,
            departed: past.departed,
            open_tags: past.open_tags,
        }
    }

    /// What devices that are not configured any more had counted goes out; their windows end.
    pub(super) fn end_gone(
        &mut self,
        mut gone: Vec<Gone>,
        ledgers: impl Iterator<Item = (Arc<str>, Ledger)>,
        at: Wall,
        now: Mono,
    ) -> Vec<Gone> {
        for (id, mut ledger) in ledgers {
            let fold = self.timeline.fold_at(ledger.window_start);
            let index = find_or_add(&mut gone, &id, None);
            gone[index].stood = ledger.last_counts();
            if let Some(minute) = ledger.close_alone(&id, at, Label { fold, merged: 1 }) {
                self.add_last(&mut gone[index], minute, now);
            }
        }
        for gone in &mut gone {
            if gone.past.tiers.is_open() {
                self.mark_end(&gone.id, at);
            }
            let mut ended = AllEnded::new();
            gone.past.tiers.end(|one| push(&mut ended, one));
            for ended in ended {
                self.tell_gone(gone, now, ended);
            }
        }
        gone
    }

    fn add_last(&mut self, gone: &mut Gone, minute: Summary, now: Mono) {
        let (window, sum) = (self.window_of(&minute), minute.sum());
        let frames = self.frames_of(gone.calendar.unwrap_or_default(), &window);
        let mut ended = AllEnded::new();
        let add = |one| push(&mut ended, one);
        let cut = gone.past.tiers.add(&window, &sum, &frames, add);
        let is_before = |ended: &Ended| matches!(ended, Ended::Piece(p) if p.ended.is_empty());
        for ended in ended.iter().filter(|ended| is_before(ended)) {
            self.tell_gone(gone, now, *ended);
        }
        let mut rows = Rows::new(head(window, cut, TierSet::NONE));
        rows.push(gone.id.clone(), rows.head, sum);
        self.keep(Leaf::Minute(rows));
        self.publish_gone(gone, now, minute);
        for ended in ended.iter().filter(|ended| !is_before(ended)) {
            self.tell_gone(gone, now, *ended);
        }
    }

    fn tell_gone(&mut self, gone: &mut Gone, now: Mono, ended: Ended) {
        match ended {
            Ended::Tier(tier, closed) => {
                let mut sum = closed.sum;
                if let Some(third) = gone.settings.third {
                    sum.derive(third);
                }
                let summary = self.summary_alone(&gone.id, gone.calendar, tier, &closed, &sum);
                self.publish_gone(gone, now, summary);
            }
            Ended::Piece(piece) => self.keep_alone(&gone.id, &piece),
        }
    }

    fn publish_gone(&mut self, gone: &mut Gone, now: Mono, summary: Summary) {
        self.tally.windows += 1;
        let parts = &summary.parts;
        let counts = [parts.good, parts.scrap, parts.total];
        gone.counted.push((summary.tier, summary.end, counts));
        let settings = &gone.settings;
        if !settings.publishes.contains(summary.tier) {
            return;
        }
        let summary = Summary {
            line: settings.line.clone(),
            every_ms: settings.every_ms,
            needs: settings.needs,
            ..summary
        };
        let n = &mut gone.summaries[summary.tier as usize];
        *n += 1;
        self.store(now, *n, Body::Summary(Box::new(summary)));
    }

    pub(super) fn keep_alone(&mut self, id: &Arc<str>, piece: &Piece) {
        let mut rows = Rows::new(head(piece.window, piece.cut, piece.ended));
        rows.push(id.clone(), rows.head, piece.sum);
        self.keep(Leaf::Piece(rows));
    }
}
