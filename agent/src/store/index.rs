//! What the outbox knows of a directory without opening it, and what a scan finds in one.

use super::pack::{self, Head, class_index};
use super::ranges::Ranges;
use super::volume::{Fault, Volume};
use andon_core::merge::Within;
use andon_core::record::{Body, Class, Event, Record, Run};
use andon_core::summary::Tier;
use andon_core::time::Wall;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// More losses than this of one directory and run are told as one.
const LOSSES_EACH: usize = 16;

/// What a directory is called: by the first position in it, and, if others were rewritten into
/// it, by the last of these and a number that rises with every rewriting. A directory whose base
/// a later rewriting covers is superseded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// First position.
    pub base: u64,
    /// Base of the last directory in it.
    pub last: u64,
    /// Which rewriting made it; 0 if none did.
    pub rewriting: u64,
}

impl Name {
    /// Of a directory that records are committed to.
    pub fn new(base: u64) -> Name {
        Name {
            base,
            last: base,
            rewriting: 0,
        }
    }

    /// Reads a file name back.
    pub fn parse(text: &str) -> Option<Name> {
        let parts: Vec<u64> = text
            .split('-')
            .map(|part| {
                u64::from_str_radix(part, 16)
                    .ok()
                    .filter(|_| part.len() == 16)
            })
            .collect::<Option<_>>()?;
        match *parts {
            [base] => Some(Name::new(base)),
            [base, last, rewriting] => Some(Name {
                base,
                last,
                rewriting,
            }),
            _ => None,
        }
    }

    /// Whether `other` holds all that waits in this one.
    pub fn is_superseded_by(&self, other: &Name) -> bool {
        (other.base..=other.last).contains(&self.base) && other.rewriting > self.rewriting
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.base)?;
        if self.rewriting > 0 {
            write!(f, "-{:016x}-{:016x}", self.last, self.rewriting)?;
        }
        Ok(())
    }
}

/// A directory: all positions from its base until `end` wait in it, except those that are gone.
#[derive(Debug, Clone)]
pub struct Dir {
    /// Its name.
    pub name: Name,
    /// What is known of it, as it is kept in the newest directory.
    pub info: Info,
    /// Its packs, while they are needed.
    pub heads: Option<Vec<Head>>,
    /// Bytes it takes up on disk.
    pub bytes: u64,
    /// Whether `info` differs from what is kept.
    pub dirty: bool,
    /// Positions that were handed out in this run, or in those before.
    pub handed_out: Ranges,
}

/// What is known of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Info {
    /// The position after the last.
    pub end: u64,
    /// Positions that do not wait: acknowledged, lost, or never used.
    pub gone: Ranges,
    /// Records of each class at most; indexed by [`class_index`].
    pub classes: [u32; 3],
    /// Which records stand at which positions.
    pub spans: Vec<Span>,
    /// Waiting records that tell of numbers that vanished.
    pub claims: Vec<Claim>,
    /// Positions that may have been handed out to be sent, also those that are about to be: what
    /// somebody may have got already is not told again as a part of something else.
    pub offered: Ranges,
    /// Where the oldest window begins that a record in it corrects, by tier.
    pub corrects: Corrects,
    /// How far its windows have been merged.
    pub merged: Within,
    /// Bytes of packs.
    pub payload: u64,
    /// Something in it is damaged: once nothing waits, it is moved aside instead of removed.
    pub damaged: bool,
}

/// Positions at which the numbers of one run rise with the position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Whose records.
    pub run: Run,
    /// First position.
    pub first: u64,
    /// Position after the last.
    pub end: u64,
    /// Number of the first.
    pub seq: u64,
    /// When the first was made.
    pub ts: Wall,
}

/// A waiting record that tells of numbers that vanished: until it is acknowledged, that is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Position of the record.
    pub position: u64,
    /// The run whose numbers were lost.
    pub boot: u32,
    /// First of the numbers.
    pub seq: u64,
}

/// Where the oldest of some windows that are corrected begins, by tier.
pub type Corrects = [Option<Wall>; 4];

/// What a scan found.
#[derive(Debug, Default)]
pub struct Found {
    /// Packs that can be read.
    pub packs: Vec<Seen>,
    /// Positions inside of packs that have no record.
    pub skipped: Ranges,
    /// The numbers that their records tell of.
    pub claims: Vec<Claim>,
    /// The windows that they correct.
    pub corrects: Corrects,
    /// Packs that cannot be read.
    pub bad: Vec<Bad>,
}

/// A pack that can be read.
#[derive(Debug)]
pub struct Seen {
    /// What its key says.
    pub head: Head,
    /// How many of each class.
    pub classes: [u32; 3],
    /// Size of its value.
    pub bytes: u64,
}

/// A pack that cannot be read.
#[derive(Debug)]
pub struct Bad {
    /// What its key says, if that can be read.
    pub head: Option<Head>,
    /// Its value, as found.
    pub value: Vec<u8>,
    /// What is wrong with it.
    pub why: String,
}

impl Dir {
    /// An empty directory.
    pub fn new(name: Name) -> Dir {
        Dir {
            name,
            info: Info {
                end: name.base,
                ..Info::default()
            },
            heads: Some(Vec::new()),
            bytes: 0,
            dirty: false,
            handed_out: Ranges::default(),
        }
    }

    /// A directory as a scan found it: whatever has no pack in it, readable or not, is gone.
    pub fn from_scan(name: Name, found: &Found) -> Dir {
        let mut dir = Dir::new(name);
        let bad = found.bad.iter().filter_map(|bad| bad.head.as_ref());
        let mut all: Vec<_> = found
            .packs
            .iter()
            .map(|seen| (&seen.head, seen.classes, seen.bytes))
            .chain(bad.map(|head| (head, [0; 3], 0)))
            .collect();
        all.sort_by_key(|(head, ..)| head.first);
        for (head, classes, bytes) in all {
            dir.add(head, &classes, bytes);
        }
        for range in found.skipped.iter() {
            dir.info.gone.insert(range);
        }
        dir.info.claims.clone_from(&found.claims);
        dir.info.corrects = found.corrects;
        dir
    }

    /// Takes over what a scan cannot see, of a directory whose records this one holds.
    pub fn succeed(&mut self, known: &Info) {
        for range in known.offered.iter() {
            self.info.offered.insert(range.clone());
            self.handed_out.insert(range);
        }
    }

    /// Windows that records in another directory corrected are taken for corrected by this one.
    pub fn correct_too(&mut self, corrects: &Corrects) {
        for (own, other) in self.info.corrects.iter_mut().zip(corrects) {
            let oldest = own.iter().chain(other).min().copied();
            self.dirty |= oldest != *own;
            *own = oldest;
        }
    }

    /// Records are handed out, those that follow `ahead` of them next; whether that has to be kept first.
    pub fn hand_out(&mut self, positions: Range<u64>, ahead: u64) -> bool {
        self.handed_out.insert(positions.clone());
        if self.info.offered.first_gap(positions.clone()).is_none() {
            return false;
        }
        let end = (positions.end + ahead).min(self.info.end);
        self.info.offered.insert(positions.start..end);
        self.dirty = true;
        true
    }

    /// Nothing more of it is handed out for now.
    pub fn stop_handing_out(&mut self) {
        if self.info.offered != self.handed_out {
            self.info.offered.clone_from(&self.handed_out);
            self.dirty = true;
        }
    }

    /// Counts a stored pack in; a gap before it is gone.
    pub fn add(&mut self, head: &Head, classes: &[u32; 3], bytes: u64) {
        let Range { start, end } = head.positions();
        self.info.gone.insert(self.info.end..start);
        self.info.end = end;
        self.info.payload += bytes;
        for (sum, count) in self.info.classes.iter_mut().zip(classes) {
            *sum += count;
        }
        match self.info.spans.last_mut() {
            Some(span) if span.run == head.run && span.seq_at(start) == head.seq => span.end = end,
            _ => self.info.spans.push(Span {
                run: head.run,
                first: start,
                end,
                seq: head.seq,
                ts: head.ts,
            }),
        }
        if let Some(heads) = &mut self.heads {
            heads.push(head.clone());
        }
    }

    /// The positions of the directory.
    pub fn positions(&self) -> Range<u64> {
        self.name.base..self.info.end
    }

    /// How many records wait.
    pub fn waiting(&self) -> u64 {
        self.info.end - self.name.base - self.info.gone.len()
    }

    /// Whether the record at `position` waits.
    pub fn waits(&self, position: u64) -> bool {
        self.positions().contains(&position) && !self.info.gone.contains(position)
    }

    /// The oldest waiting position.
    pub fn oldest(&self) -> Option<u64> {
        self.info.gone.first_gap(self.positions())
    }

    /// Takes positions out of what waits.
    pub fn remove(&mut self, positions: Range<u64>) {
        self.info.gone.insert(positions);
        let gone = &self.info.gone;
        self.info
            .claims
            .retain(|claim| !gone.contains(claim.position));
        self.dirty = true;
    }

    /// The run and number of the record at `position`.
    pub fn number(&self, position: u64) -> Option<(Run, u64)> {
        let at = self.info.spans.partition_point(|span| span.end <= position);
        let span = self.info.spans.get(at)?;
        (span.first <= position).then(|| (span.run, span.seq_at(position)))
    }

    /// When the record at `position` was made, as exactly as is known without reading it: the
    /// time of the first of its pack, or of its span.
    pub fn ts(&self, position: u64) -> Option<Wall> {
        if let Some(head) = self
            .heads
            .as_ref()
            .and_then(|heads| head_at(heads, position))
        {
            return Some(head.ts);
        }
        let at = self.info.spans.partition_point(|span| span.end <= position);
        self.info.spans.get(at).map(|span| span.ts)
    }

    /// What to tell when those of `lost` that wait are lost: a loss per unbroken row of numbers,
    /// or one per run if there are too many.
    pub fn losses(&self, lost: &Ranges, why: &str, class: Option<Class>) -> Vec<Event> {
        let waiting: Vec<Range<u64>> = lost
            .iter()
            .flat_map(|range| {
                let own = self.positions();
                self.info
                    .gone
                    .gaps(range.start.max(own.start)..range.end.min(own.end))
            })
            .collect();
        let mut losses = Vec::new();
        for span in &self.info.spans {
            let mut rows: Vec<(u64, Range<u64>)> = waiting
                .iter()
                .map(|range| range.start.max(span.first)..range.end.min(span.end))
                .filter(|row| !row.is_empty())
                .map(|row| (row.end - row.start, row))
                .collect();
            if rows.len() > LOSSES_EACH {
                let count = rows.iter().map(|(count, _)| count).sum();
                let whole = rows[0].1.start..rows[rows.len() - 1].1.end;
                rows = vec![(count, whole)];
            }
            losses.extend(rows.into_iter().map(|(count, row)| Event::Loss {
                why: why.to_owned(),
                run: Some(span.run),
                seq_from: span.seq_at(row.start),
                seq_to: span.seq_at(row.end - 1),
                count,
                class,
            }));
        }
        losses
    }

    /// What to tell of positions that were committed but left no trace: their numbers follow
    /// those before them, if one run made what is on both sides.
    pub fn gap_loss(&self, gap: Range<u64>, last: Option<(u32, u64)>) -> Event {
        let spans = &self.info.spans;
        let before = spans.iter().find(|span| span.end == gap.start);
        let run = before.map(|span| span.run).filter(|run| {
            match spans.iter().find(|span| span.first >= gap.end) {
                Some(after) => after.run == *run,
                None => last.is_some_and(|(boot, _)| boot == run.boot),
            }
        });
        let count = gap.end - gap.start;
        let seq = before
            .filter(|_| run.is_some())
            .map(|span| span.seq_at(gap.start));
        Event::Loss {
            why: String::from("missing from the outbox's file"),
            run,
            seq_from: seq.unwrap_or(0),
            seq_to: seq.map_or(0, |seq| seq + count - 1),
            count,
            class: None,
        }
    }
}

impl Span {
    fn seq_at(&self, position: u64) -> u64 {
        self.seq + (position - self.first)
    }
}

/// The pack that holds `position`.
pub fn head_at(heads: &[Head], position: u64) -> Option<&Head> {
    let at = heads.partition_point(|head| head.positions().end <= position);
    heads.get(at).filter(|head| head.first <= position)
}

/// The run and the first of the numbers that vanished.
pub fn vanished(event: &Event) -> Option<(u32, u64)> {
    match event {
        Event::Loss {
            run: Some(run),
            seq_from,
            ..
        }
        | Event::Merged { run, seq_from, .. } => Some((run.boot, *seq_from)),
        _ => None,
    }
}

/// The claim that a record makes on what it tells.
pub fn claim(position: u64, record: &Record) -> Option<Claim> {
    let Body::Event(event) = &record.body else {
        return None;
    };
    let (boot, seq) = vanished(event)?;
    Some(Claim {
        position,
        boot,
        seq,
    })
}

/// Adds the window that a record corrects, if it does.
pub fn correct(corrects: &mut Corrects, record: &Record) {
    if let Some(labels) = record.labels().filter(|labels| labels.rev > 0) {
        let oldest = &mut corrects[place(labels.tier)];
        *oldest = oldest.iter().copied().chain([labels.start]).min();
    }
}

/// The place of a tier in [`Corrects`].
pub const fn place(tier: Tier) -> usize {
    tier as usize
}

/// Reads every pack of a volume.
pub fn scan(volume: &Volume) -> Result<Found, Fault> {
    let mut found = Found::default();
    volume.scan(|key, value| {
        let Some(head) = Head::parse(key) else {
            found.bad.push(Bad {
                head: None,
                value: value.to_vec(),
                why: String::from("its key makes no sense"),
            });
            return;
        };
        match pack::unpack(&head, value) {
            Ok(records) => {
                let mut classes = [0; 3];
                let mut next = head.first;
                for (position, record) in &records {
                    classes[class_index(record.body.class())] += 1;
                    found.claims.extend(claim(*position, record));
                    correct(&mut found.corrects, record);
                    found.skipped.insert(next..*position);
                    next = position + 1;
                }
                let bytes = value.len() as u64;
                found.packs.push(Seen {
                    head,
                    classes,
                    bytes,
                });
            }
            Err(unreadable) => found.bad.push(Bad {
                head: Some(head),
                value: value.to_vec(),
                why: unreadable.to_string(),
            }),
        }
    })?;
    Ok(found)
}
