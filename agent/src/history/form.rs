//! The stored form of pages: length, checksum, then a version and postcard. Variants and fields are
//! only ever appended, and [`VERSION`] rises with them.

use andon_core::calendar::CalendarIndex;
use andon_core::history::{
    Fill, Head, Leaf, LearnedOf, Mark, OpenTag, OpenTags, Page, Relabel, Row, Rows,
};
use andon_core::sample::{Quality, Value};
use andon_core::state::State;
use andon_core::summary::Sum;
use andon_core::tag_sums::{Number, TagSum};
use andon_core::time::Wall;
use crc::{CRC_32_ISO_HDLC, Crc};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// Version of the stored form.
const VERSION: u8 = 7;

/// Length and checksum.
const FRAME: usize = 8;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What a file of a log begins with.
pub(super) const MAGIC: &[u8; 8] = b"andon\0h\x01";

/// The names of devices and tags in one file, each written once: a file can be read without any other.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: Vec<Arc<str>>,
    by_id: HashMap<Arc<str>, u32>,
}

impl Names {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Forgets all but the first `count`.
    pub(super) fn truncate(&mut self, count: usize) {
        for id in self.ids.drain(count..) {
            self.by_id.remove(&id);
        }
    }

    fn index(&mut self, id: &Arc<str>) -> u32 {
        if let Some(index) = self.by_id.get(id) {
            return *index;
        }
        let index = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.add(id.clone());
        index
    }

    fn add(&mut self, id: Arc<str>) {
        let index = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.by_id.insert(id.clone(), index);
        self.ids.push(id);
    }

    fn id(&self, index: u32) -> Option<Arc<str>> {
        self.ids.get(usize::try_from(index).ok()?).cloned()
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    number: u64,
    /// Ids that this page is the first of its file to name; their indexes go on from those before.
    names: Vec<Arc<str>>,
    leaf: StoredLeaf,
}

#[derive(Serialize, Deserialize)]
enum StoredLeaf {
    Minute(StoredRows),
    Piece(StoredRows),
    Marks(Vec<StoredMark>),
    Tags(Vec<StoredTags>),
    Relabel(Relabel),
    MinuteAgain(StoredRows),
    PieceAgain(StoredRows),
    Learned(Wall, Vec<(u32, Vec<u8>)>),
}

#[derive(Serialize, Deserialize)]
struct StoredTags {
    windows: [Option<(Wall, u32)>; 4],
    /// Devices and tags by the names of the file; no sums of what is empty.
    tags: Vec<StoredTag>,
}

#[derive(Serialize, Deserialize)]
struct StoredTag {
    device: u32,
    tag: u32,
    sums: [Option<TagSum>; 4],
    last: Option<Number>,
}

#[derive(Serialize, Deserialize)]
struct StoredRows {
    head: Head,
    rows: Vec<(u32, Option<Head>, Sum)>,
}

#[derive(Serialize, Deserialize)]
enum StoredMark {
    Shows {
        device: u32,
        calendar: CalendarIndex,
        at: Wall,
        state: State,
        code: Option<Value>,
        quality: Quality,
        reason: Option<u32>,
        again: bool,
    },
    Plan {
        calendar: CalendarIndex,
        at: Wall,
        planned: bool,
        again: bool,
    },
    Step {
        from: Wall,
        to: Wall,
    },
    Gap {
        from: Wall,
        to: Wall,
    },
    Ends {
        device: u32,
        at: Wall,
    },
    Fills {
        device: u32,
        fill: Fill,
    },
}

/// Appends the entry of a page.
pub(super) fn write(page: &Page, names: &mut Names, to: &mut Vec<u8>) {
    let known = names.len();
    let leaf = match &page.leaf {
        Leaf::Minute(rows) => StoredLeaf::Minute(stored_rows(rows, names)),
        Leaf::Piece(rows) => StoredLeaf::Piece(stored_rows(rows, names)),
        Leaf::Marks(marks) => {
            StoredLeaf::Marks(marks.iter().map(|mark| stored_mark(mark, names)).collect())
        }
        Leaf::Tags(tags) => {
            StoredLeaf::Tags(tags.iter().map(|tags| stored_tags(tags, names)).collect())
        }
        Leaf::Relabel(relabel) => StoredLeaf::Relabel(*relabel),
        Leaf::MinuteAgain(rows) => StoredLeaf::MinuteAgain(stored_rows(rows, names)),
        Leaf::PieceAgain(rows) => StoredLeaf::PieceAgain(stored_rows(rows, names)),
        Leaf::Learned(at, all) => {
            let stored = |of: &LearnedOf| (names.index(&of.device), of.learned.clone());
            StoredLeaf::Learned(*at, all.iter().map(stored).collect())
        }
    };
    let stored = Stored {
        number: page.number,
        names: names.ids[known..].to_vec(),
        leaf,
    };
    let start = to.len();
    to.extend([0; FRAME]);
    to.push(VERSION);
    // Serialising plain data to memory has no way to fail; an entry that did would not be read.
    if let Ok(body) = postcard::to_allocvec(&stored) {
        to.extend(body);
    }
    let length = u32::try_from(to.len() - start - FRAME).unwrap_or(u32::MAX);
    let checksum = checksum(length, &to[start + FRAME..]);
    to[start..start + 4].copy_from_slice(&length.to_le_bytes());
    to[start + 4..start + FRAME].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the entry at the beginning of `bytes`, with its length; none if there is no whole one.
pub(super) fn read(bytes: &[u8], names: &mut Names) -> Option<(Page, usize)> {
    let (frame, rest) = bytes.split_first_chunk::<FRAME>()?;
    let [l0, l1, l2, l3, crc @ ..] = *frame;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let body = rest.get(..usize::try_from(length).ok()?)?;
    let (&version, content) = body.split_first()?;
    if checksum(length, body) != u32::from_le_bytes(crc) || version != VERSION {
        return None;
    }
    let stored: Stored = postcard::from_bytes(content).ok()?;
    for id in stored.names {
        names.add(id);
    }
    let leaf = match stored.leaf {
        StoredLeaf::Minute(rows) => Leaf::Minute(rows_of(rows, names)?),
        StoredLeaf::Piece(rows) => Leaf::Piece(rows_of(rows, names)?),
        StoredLeaf::Marks(marks) => {
            let marks = marks.into_iter().map(|mark| mark_of(mark, names));
            Leaf::Marks(marks.collect::<Option<_>>()?)
        }
        StoredLeaf::Tags(tags) => {
            let tags = tags.into_iter().map(|tags| tags_of(tags, names));
            Leaf::Tags(tags.collect::<Option<_>>()?)
        }
        StoredLeaf::Relabel(relabel) => Leaf::Relabel(relabel),
        StoredLeaf::MinuteAgain(rows) => Leaf::MinuteAgain(rows_of(rows, names)?),
        StoredLeaf::PieceAgain(rows) => Leaf::PieceAgain(rows_of(rows, names)?),
        StoredLeaf::Learned(at, all) => {
            let learned = |(device, learned)| {
                let device = names.id(device)?;
                Some(LearnedOf { device, learned })
            };
            Leaf::Learned(at, all.into_iter().map(learned).collect::<Option<_>>()?)
        }
    };
    let page = Page {
        number: stored.number,
        leaf,
    };
    Some((page, FRAME + body.len()))
}

/// The newest moment that a page speaks of.
pub(super) fn label(page: &Page) -> Wall {
    match &page.leaf {
        Leaf::Minute(rows)
        | Leaf::Piece(rows)
        | Leaf::MinuteAgain(rows)
        | Leaf::PieceAgain(rows) => rows.head.window.end,
        Leaf::Marks(marks) => marks.last().map_or(Wall(0), |mark| match mark {
            Mark::Shows { at, .. } | Mark::Plan { at, .. } | Mark::Ends { at, .. } => *at,
            Mark::Step { to, .. } | Mark::Gap { to, .. } => *to,
            Mark::Fills { fill, .. } => fill.to,
        }),
        Leaf::Tags(tags) => {
            let windows = tags.iter().flat_map(|tags| tags.windows);
            let starts = windows.flatten().map(|(start, _)| start);
            starts.max().unwrap_or(Wall(0))
        }
        Leaf::Relabel(relabel) => relabel.to,
        Leaf::Learned(at, _) => *at,
    }
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&length.to_le_bytes());
    digest.update(body);
    digest.finalize()
}

fn stored_rows(rows: &Rows, names: &mut Names) -> StoredRows {
    let stored = |row: &Row| (names.index(&row.device), row.own, row.sum);
    StoredRows {
        head: rows.head,
        rows: rows.rows.iter().map(stored).collect(),
    }
}

fn rows_of(stored: StoredRows, names: &Names) -> Option<Rows> {
    let row = |(device, own, sum)| {
        let device = names.id(device)?;
        Some(Row { device, own, sum })
    };
    Some(Rows {
        head: stored.head,
        rows: stored.rows.into_iter().map(row).collect::<Option<_>>()?,
    })
}

fn stored_tags(tags: &OpenTags, names: &mut Names) -> StoredTags {
    let known = |sum: TagSum| (sum != TagSum::EMPTY).then_some(sum);
    let tag = |open: &OpenTag| StoredTag {
        device: names.index(&open.device),
        tag: names.index(&open.tag),
        sums: open.sums.map(known),
        last: open.last,
    };
    StoredTags {
        windows: tags.windows,
        tags: tags.tags.iter().map(tag).collect(),
    }
}

fn tags_of(stored: StoredTags, names: &Names) -> Option<OpenTags> {
    let tag = |stored: StoredTag| {
        Some(OpenTag {
            device: names.id(stored.device)?,
            tag: names.id(stored.tag)?,
            sums: stored.sums.map(|sum| sum.unwrap_or(TagSum::EMPTY)),
            last: stored.last,
        })
    };
    Some(OpenTags {
        windows: stored.windows,
        tags: stored.tags.into_iter().map(tag).collect::<Option<_>>()?,
    })
}

fn stored_mark(mark: &Mark, names: &mut Names) -> StoredMark {
    match mark.clone() {
        Mark::Shows {
            device,
            calendar,
            at,
            state,
            code,
            quality,
            reason,
            again,
        } => StoredMark::Shows {
            device: names.index(&device),
            calendar,
            at,
            state,
            code,
            quality,
            reason: reason.map(|reason| names.index(&reason)),
            again,
        },
        Mark::Plan {
            calendar,
            at,
            planned,
            again,
        } => StoredMark::Plan {
            calendar,
            at,
            planned,
            again,
        },
        Mark::Step { from, to } => StoredMark::Step { from, to },
        Mark::Gap { from, to } => StoredMark::Gap { from, to },
        Mark::Ends { device, at } => StoredMark::Ends {
            device: names.index(&device),
            at,
        },
        Mark::Fills { device, fill } => StoredMark::Fills {
            device: names.index(&device),
            fill,
        },
    }
}

fn mark_of(stored: StoredMark, names: &Names) -> Option<Mark> {
    Some(match stored {
        StoredMark::Shows {
            device,
            calendar,
            at,
            state,
            code,
            quality,
            reason,
            again,
        } => Mark::Shows {
            device: names.id(device)?,
            calendar,
            at,
            state,
            code,
            quality,
            reason: match reason {
                Some(reason) => Some(names.id(reason)?),
                None => None,
            },
            again,
        },
        StoredMark::Plan {
            calendar,
            at,
            planned,
            again,
        } => Mark::Plan {
            calendar,
            at,
            planned,
            again,
        },
        StoredMark::Step { from, to } => Mark::Step { from, to },
        StoredMark::Gap { from, to } => Mark::Gap { from, to },
        StoredMark::Ends { device, at } => Mark::Ends {
            device: names.id(device)?,
            at,
        },
        StoredMark::Fills { device, fill } => Mark::Fills {
            device: names.id(device)?,
            fill,
        },
    })
}
