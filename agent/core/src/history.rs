//! What is kept on the gateway itself: minutes, the pieces that hours, shifts and production days
//! are added up from, and what each device did.
//!
//! It is written as pages, numbered without a gap. A checkpoint names the last page it knows: later
//! ones tell of time that the next run accounts for itself, and are dropped before it begins.

use crate::calendar::{Calendar, CalendarIndex};
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::summary::{Sum, TierSet};
use crate::tag_sums::{Number, TagSum};
use crate::tiers::Window;
use crate::time::Wall;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is kept of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Rises by one with each page, over restarts too.
    pub number: u64,
    /// What it tells.
    pub leaf: Leaf,
}

/// What a page tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Leaf {
    /// A minute of every device with a state.
    Minute(Rows),
    /// The minutes up to where an hour, a shift or a production day ended.
    Piece(Rows),
    /// Minutes of earlier pages, corrected by late data.
    MinuteAgain(Rows),
    /// Pieces of earlier pages, corrected.
    PieceAgain(Rows),
    /// What devices did.
    Marks(Vec<Mark>),
    /// What tags have come to in the windows that are open, by calendar. Only the last of them counts.
    Tags(Vec<OpenTags>),
    /// The wall clock was set for the first time in a run.
    Relabel(Relabel),
    /// What was learned of sources up to this moment. Only the last of them counts.
    Learned(Wall, Vec<LearnedOf>),
}

/// What was learned of the sources of a device: [`crate::quality::Learned`] of its tags, packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedOf {
    /// Device id.
    pub device: Arc<str>,
    /// Postcard.
    pub learned: Vec<u8>,
}

/// What a clock had labelled that had not been set once: pages from `first` to the one that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relabel {
    /// Number of the first page with such labels.
    pub first: u64,
    /// By how many milliseconds they are moved.
    pub by_ms: i64,
    /// What the clock was set to.
    pub to: Wall,
}

/// Every [`Relabel`] of a history: to be known before the pages that they are about are read.
#[derive(Debug, Clone, Default)]
pub struct Relabels(Vec<(u64, Relabel)>);

impl Relabels {
    /// Takes note of a page that is one.
    pub fn note(&mut self, page: &Page) {
        if let Leaf::Relabel(relabel) = page.leaf {
            self.0.push((page.number, relabel));
        }
    }

    /// By how much the labels of the page with this number are moved.
    pub fn by_ms(&self, number: u64) -> i64 {
        let concerns =
            |(last, relabel): &&(u64, Relabel)| relabel.first <= number && number < *last;
        let all = self.0.iter().filter(concerns);
        all.map(|(_, relabel)| relabel.by_ms).sum()
    }

    /// Gives a page the labels that it would have if the clock had been right.
    pub fn apply(&self, page: &mut Page) {
        let by = self.by_ms(page.number);
        if by == 0 {
            return;
        }
        match &mut page.leaf {
            Leaf::Minute(rows)
            | Leaf::Piece(rows)
            | Leaf::MinuteAgain(rows)
            | Leaf::PieceAgain(rows) => {
                let own = rows.rows.iter_mut().filter_map(|row| row.own.as_mut());
                for head in own.chain([&mut rows.head]) {
                    head.window = head.window.moved(by);
                }
            }
            Leaf::Marks(marks) => marks.iter_mut().for_each(|mark| mark.relabel(by)),
            Leaf::Tags(tags) => {
                let windows = tags.iter_mut().flat_map(|tags| &mut tags.windows);
                for (start, _) in windows.flatten() {
                    *start = *start + by;
                }
            }
            Leaf::Learned(at, _) => *at = *at + by,
            Leaf::Relabel(_) => {}
        }
    }
}

/// What the tags of some devices have come to in their open windows, which are the same ones.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTags {
    /// Start and fold of the open window of each tier; none of what has just ended.
    pub windows: [Option<(Wall, u32)>; 4],
    /// What each tag has come to in these windows.
    pub tags: Vec<OpenTag>,
}

/// What a tag has come to in its open windows.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTag {
    /// Device id.
    pub device: Arc<str>,
    /// Name of the tag.
    pub tag: Arc<str>,
    /// In the order of [`crate::summary::Tier::ALL`].
    pub sums: [TagSum; 4],
    /// Its last good value.
    pub last: Option<Number>,
}

/// The windows of some devices that ended at the same moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The window of most of them.
    pub head: Head,
    /// One for each device.
    pub rows: Vec<Row>,
}

/// A window without its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its label.
    pub window: Window,
    /// The tiers that were ended before it, for they do not go on with it.
    pub cut: TierSet,
    /// The tiers that ended with it; of minutes none.
    pub ended: TierSet,
}

/// A device's window.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Device id; for the windows of tags [`tags_of`] the calendar that they follow.
    pub device: Arc<str>,
    /// Its window, where that is another one than [`Rows::head`].
    pub own: Option<Head>,
    /// Its parts.
    pub sum: Sum,
}

/// What stands in place of a device for the windows of all tags whose devices follow a calendar: no
/// device has such an id.
pub fn tags_of(calendar: &Calendar) -> Arc<str> {
    format!("{TAGS}{}", calendar.id).into()
}

/// The id of the calendar whose tags a row speaks of; none if it speaks of a device.
pub fn calendar_of_tags(device: &str) -> Option<&str> {
    device.strip_prefix(TAGS)
}

const TAGS: char = ':';

impl Rows {
    /// Rows without any.
    pub const fn new(head: Head) -> Rows {
        Rows {
            head,
            rows: Vec::new(),
        }
    }

    /// Adds the window of a device.
    pub fn push(&mut self, device: Arc<str>, head: Head, sum: Sum) {
        let own = (head != self.head).then_some(head);
        self.rows.push(Row { device, own, sum });
    }
}

/// A change of what is known of a device, or of the time it is known for.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A device shows this from here on.
    Shows {
        /// Device id.
        device: Arc<str>,
        /// The calendar that says whether its work is planned, by its place in the configuration.
        calendar: CalendarIndex,
        /// Since when.
        at: Wall,
        /// What it shows, planned or not.
        state: State,
        /// The raw status value.
        code: Option<Value>,
        /// Quality of the status.
        quality: Quality,
        /// Id of the reason that an operator has said, if one has.
        reason: Option<Arc<str>>,
        /// Nothing changed: it is told again for those who read from here on.
        again: bool,
    },
    /// Work is planned from here on, or not. At each start it is told of every calendar before
    /// devices are.
    Plan {
        /// By which calendar.
        calendar: CalendarIndex,
        /// Since when.
        at: Wall,
        /// Whether it is.
        planned: bool,
        /// Nothing changed: it is told again for those who read from here on.
        again: bool,
    },
    /// The wall clock was stepped: labels go on elsewhere.
    Step {
        /// Label of the moment before.
        from: Wall,
        /// Label of the same moment after.
        to: Wall,
    },
    /// A silence of unknown length, which is in no window.
    Gap {
        /// Where what is known ends.
        from: Wall,
        /// Where it begins again.
        to: Wall,
    },
    /// What a device did in time that was unknown, told late.
    Fills {
        /// Device id.
        device: Arc<str>,
        /// What it did.
        fill: Fill,
    },
    /// A device is no longer configured.
    Ends {
        /// Device id.
        device: Arc<str>,
        /// What is known of it ends here.
        at: Wall,
    },
}

/// What a device did in time that was unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// From here on.
    pub from: Wall,
    /// Up to here.
    pub to: Wall,
    /// What it showed, planned or not.
    pub state: State,
    /// The raw status value.
    pub code: Option<Value>,
    /// Quality of the status.
    pub quality: Quality,
}

impl Mark {
    /// The labels of the clock that was not set, `by` milliseconds later; those of before the run, and
    /// of after it was set, are right.
    fn relabel(&mut self, by: i64) {
        match self {
            Mark::Shows { at, .. } | Mark::Plan { at, .. } | Mark::Ends { at, .. } => {
                *at = *at + by
            }
            Mark::Step { from, .. } => *from = *from + by,
            Mark::Gap { to, .. } => *to = *to + by,
            // Late data are not looked at before the clock is set.
            Mark::Fills { .. } => {}
        }
    }
}

/// Every correction of some pages: to be known before the pages are read that it is about.
#[derive(Debug, Clone, Default)]
pub struct Corrections {
    minutes: BTreeMap<Of, Corrected>,
    pieces: BTreeMap<Of, Corrected>,
}

/// Device, start and fold of what is corrected.
type Of = (Arc<str>, Wall, u32);

/// What a window is by its last correction, and the numbers of all pages that corrected it.
#[derive(Debug, Clone, Default)]
struct Corrected {
    sum: Sum,
    pages: Vec<u64>,
}

impl Corrections {
    /// Takes note of a page that holds some; a later one counts more.
    pub fn note(&mut self, page: &Page) {
        let (rows, sums) = match &page.leaf {
            Leaf::MinuteAgain(rows) => (rows, &mut self.minutes),
            Leaf::PieceAgain(rows) => (rows, &mut self.pieces),
            _ => return,
        };
        for row in &rows.rows {
            let window = &row.own.as_ref().unwrap_or(&rows.head).window;
            let of = (row.device.clone(), window.start, window.fold);
            let corrected = sums.entry(of).or_default();
            corrected.sum = row.sum;
            corrected.pages.push(page.number);
        }
    }

    /// Corrects a page.
    pub fn apply(&self, page: &mut Page) {
        let (rows, sums) = match &mut page.leaf {
            Leaf::Minute(rows) => (rows, &self.minutes),
            Leaf::Piece(rows) => (rows, &self.pieces),
            _ => return,
        };
        if sums.is_empty() {
            return;
        }
        let Rows { head, rows } = rows;
        for row in rows {
            let window = &row.own.as_ref().unwrap_or(head).window;
            if let Some(corrected) = sums.get(&(row.device.clone(), window.start, window.fold)) {
                row.sum = corrected.sum;
            }
        }
    }

    /// The numbers of the pages that corrected a minute.
    pub fn of_minute(&self, device: &Arc<str>, window: &Window) -> &[u64] {
        let of = (device.clone(), window.start, window.fold);
        self.minutes.get(&of).map_or(&[], |it| &it.pages)
    }

    /// The numbers of the pages that corrected a piece.
    pub fn of_piece(&self, device: &Arc<str>, window: &Window) -> &[u64] {
        let of = (device.clone(), window.start, window.fold);
        self.pieces.get(&of).map_or(&[], |it| &it.pages)
    }
}
