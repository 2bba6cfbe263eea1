//! The outbox itself, as plain blocking code: directories in a row, the newest written to.
//!
//! Here is what is written; what is read is in `read.rs`, what leaves in `leave.rs`, opening in
//! `open.rs`, making room in `room.rs` and `merge.rs`.

use super::files;
use super::index::{self, Claim, Dir, Name};
use super::pack::{self, Pack, chunks};
use super::quarantine::Quarantine;
use super::room;
use super::volume::{Change, Fault, Volume};
use super::witness::Witness;
use super::{Batch, Position, StoreError, View};
use andon_core::record::{Body, Event, Record, Relabel, Run};
use andon_core::time::Wall;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A directory is sealed at this many packs, whatever their size: their heads are in memory.
const PACKS_EACH: usize = 4096;
/// After a damaged newest directory positions go on this far ahead: nobody knows its last one.
pub const LEAP: u64 = 1 << 32;

/// Names of what is stored in chunks.
pub const META: &[u8] = b"m";
const CHECKPOINTS: [&[u8]; 2] = [b"c0", b"c1"];

/// What the newest directory says of the whole; written with every commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The next position; apart from the records, which may all be gone.
    pub next: u64,
    /// Counts commits, so that chunks of two are never mixed.
    pub number: u64,
    /// The highest start counter seen.
    pub boot: u32,
    /// The newest number committed.
    pub last: Option<(u32, u64)>,
    /// Which of the two places holds the checkpoint. A commit that failed may have reached the
    /// disk all the same; it wrote the other place, so the valid one is untouched.
    pub checkpoint: Option<bool>,
    /// Losses and mergings that no stored record tells yet.
    pub untold: Vec<Event>,
    /// How the records are to be relabelled that a run made before its clock was set, by its id.
    pub relabels: Vec<(u64, Relabel)>,
}

impl Meta {
    /// Of an outbox that never held anything.
    pub fn new() -> Meta {
        Meta {
            next: 1,
            number: 0,
            boot: 0,
            last: None,
            checkpoint: None,
            untold: Vec::new(),
            relabels: Vec::new(),
        }
    }
}

/// The outbox.
#[derive(Debug)]
pub struct Queue {
    pub(super) root: PathBuf,
    pub(super) ballast: PathBuf,
    pub(super) budget: u64,
    pub(super) rotate_at: u64,
    pub(super) run: Run,
    pub(super) meta: Meta,
    /// By position; the last one is written to, the others are sealed. Never empty.
    pub(super) dirs: Vec<Dir>,
    /// The newest directory, unless a fault closed it.
    pub(super) live: Option<Volume>,
    /// One sealed directory that is being read.
    pub(super) slot: Option<(Name, Volume)>,
    /// Packs of commits that failed and may be on disk all the same.
    pub(super) strays: Vec<Vec<u8>>,
    /// Losses and mergings that the caller does not know yet.
    pub(super) fresh: Vec<Event>,
    /// Records are sent as they are stored: the next ones will be handed out at once.
    pub(super) sends: bool,
    /// Windows that ended this much before the newest record are not corrected any more, in milliseconds.
    pub(super) late_ms: i64,
    /// When the newest record was made.
    pub(super) latest: Wall,
    /// Whether `meta.untold` differs from what is on disk.
    pub(super) untold_dirty: bool,
    pub(super) quarantine: Quarantine,
    pub(super) view: View,
}

impl Queue {
    /// Stores records and checkpoint, durably and all or nothing. What had to make room, or was
    /// found lost since the last call, is returned to be told.
    pub fn commit(&mut self, batch: &Batch) -> Result<Vec<Event>, StoreError> {
        let result = self.try_commit(batch);
        self.note(&result);
        result
    }

    fn try_commit(&mut self, batch: &Batch) -> Result<Vec<Event>, StoreError> {
        self.revive()?;
        if let Some(last) = batch.records.last() {
            self.latest = self.latest.max(last.ts);
        }
        let packs = pack::pack(self.numbered(batch));
        let size = packs.iter().map(|pack| pack.value.len() as u64).sum();
        let checkpoint = batch.checkpoint.as_ref().map_or(0, Vec::len) as u64;
        self.admit(size + checkpoint)?;
        self.commit_unchecked(batch, size)
    }

    /// Commits without asking whether there is room.
    pub(super) fn commit_unchecked(
        &mut self,
        batch: &Batch,
        size: u64,
    ) -> Result<Vec<Event>, StoreError> {
        self.revive()?;
        for record in batch.records.iter().filter(|record| !pack::fits(record)) {
            let why = "larger than what the outbox can hold";
            let event = self.keep_aside(record, self.run, why)?;
            self.tell(vec![event]);
        }
        if self.is_full(size) {
            self.rotate()?;
        }
        // Packed only now: after damage the positions go on elsewhere.
        let packs = pack::pack(self.numbered(batch));
        let claims: Vec<Claim> = self
            .numbered(batch)
            .filter_map(|(position, _, record)| index::claim(position, record))
            .collect();
        let told: Vec<&Event> = batch
            .records
            .iter()
            .filter_map(|record| match &record.body {
                Body::Event(event @ (Event::Loss { .. } | Event::Merged { .. })) => Some(event),
                _ => None,
            })
            .collect();
        if self.sends {
            let next = self.meta.next;
            let end = packs.last().map_or(next, |pack| pack.head.positions().end);
            let newest = self.newest();
            newest.info.offered.insert(next..end);
            newest.dirty = true;
        }
        self.write(
            &packs,
            batch.checkpoint.as_deref(),
            &told,
            batch.records.last(),
            batch.relabel,
        )?;
        let newest = self.newest();
        newest.info.claims.extend(claims);
        for record in &batch.records {
            index::correct(&mut newest.info.corrects, record);
        }
        self.view.stored += packs
            .iter()
            .map(|pack| u64::from(pack.head.count))
            .sum::<u64>();
        self.sweep();
        let _ = files::add_ballast(&self.ballast, room::RESERVE);
        Ok(std::mem::take(&mut self.fresh))
    }

    /// The records that can be stored, with the positions that they would get.
    fn numbered<'a>(
        &self,
        batch: &'a Batch,
    ) -> impl Iterator<Item = (u64, Run, &'a Record)> + use<'a> {
        let run = self.run;
        let fitting = batch.records.iter().filter(|record| pack::fits(record));
        (self.meta.next..)
            .zip(fitting)
            .map(move |(position, record)| (position, run, record))
    }

    /// Writes what is known but not yet on disk: acknowledgements, losses.
    pub fn persist(&mut self) -> Result<(), StoreError> {
        self.revive()?;
        self.write(&[], None, &[], None, None)
    }

    /// Whether there is anything for [`Queue::persist`] to write.
    pub fn is_dirty(&self) -> bool {
        self.untold_dirty || self.dirs.iter().any(|dir| dir.dirty)
    }

    fn write(
        &mut self,
        packs: &[Pack],
        checkpoint: Option<&[u8]>,
        told: &[&Event],
        last: Option<&Record>,
        relabel: Option<Relabel>,
    ) -> Result<(), StoreError> {
        self.meta.number += 1;
        let mut meta = self.meta.clone();
        if let Some(relabel) = relabel {
            meta.relabels.retain(|(run, _)| self.has_records_of(*run));
            meta.relabels.push((self.run.id, relabel));
        }
        meta.untold.retain(|event| !told.contains(&event));
        if let Some(end) = packs.last().map(|pack| pack.head.positions().end) {
            meta.next = end;
        }
        if let Some(last) = last {
            meta.last = Some((self.run.boot, last.seq));
        }
        let mut changes: Vec<Change> = self.strays.iter().map(|key| (key.clone(), None)).collect();
        if let Some(bytes) = checkpoint {
            let place = !meta.checkpoint.unwrap_or(true);
            meta.checkpoint = Some(place);
            put(
                &mut changes,
                CHECKPOINTS[usize::from(place)],
                meta.number,
                &pack::deflated(bytes),
            );
        }
        for dir in self.dirs.iter().filter(|dir| dir.dirty) {
            put(
                &mut changes,
                &info_name(dir.name),
                meta.number,
                &pack::encode(&dir.info),
            );
        }
        put(&mut changes, META, meta.number, &pack::encode(&meta));
        // Last, so that a key that a failed commit left and this one uses again is not removed.
        changes.extend(
            packs
                .iter()
                .map(|pack| (pack.head.key(), Some(pack.value.clone()))),
        );
        let Some(live) = &mut self.live else {
            return Err(StoreError::Closed);
        };
        if let Err(fault) = live.commit(changes) {
            self.live = None;
            return Err(fault.into());
        }
        self.meta = meta;
        self.strays.clear();
        self.untold_dirty = false;
        for dir in &mut self.dirs {
            dir.dirty = false;
        }
        let next = self.meta.next;
        let path = self.newest_path();
        let newest = self.newest();
        for pack in packs {
            newest.add(&pack.head, &pack.classes, pack.value.len() as u64);
        }
        debug_assert!(packs.is_empty() || newest.info.end == next);
        newest.bytes = files::size(&path);
        if let (Some(last), false) = (last, packs.is_empty()) {
            self.note_reach(last.seq);
        }
        Ok(())
    }

    fn note_reach(&self, seq: u64) {
        let witness = Witness {
            base: self.dirs[self.dirs.len() - 1].name.base,
            next: self.meta.next,
            run: self.run,
            seq,
        };
        if let Err(error) = witness.write(&self.witness_path()) {
            tracing::debug!("how far the outbox reaches is not noted: {error}");
        }
    }

    pub(super) fn witness_path(&self) -> PathBuf {
        self.root.join("witness")
    }

    fn is_full(&self, size: u64) -> bool {
        let newest = &self.dirs[self.dirs.len() - 1];
        let packs = newest.heads.as_ref().map_or(0, Vec::len);
        newest.waiting() + newest.info.payload > 0
            && (newest.info.payload + size > self.rotate_at || packs >= PACKS_EACH)
    }

    /// Seals the newest directory and begins another, which takes over all that is not a record.
    pub(super) fn rotate(&mut self) -> Result<(), StoreError> {
        let Some(live) = &self.live else {
            return Err(StoreError::Closed);
        };
        let checkpoint = match read_checkpoint(live, &self.meta) {
            Ok(checkpoint) => checkpoint,
            Err(fault) => {
                self.live = None;
                return Err(fault.into());
            }
        };
        self.begin_newest(self.meta.next, checkpoint.as_deref())?;
        // Opened once more: that writes sled's snapshot, for which there may be no room later.
        self.live = None;
        let index = self.dirs.len() - 2;
        let path = self.path(self.dirs[index].name);
        if let Ok((volume, ())) = Volume::open(&path, |_| Ok(())) {
            drop(volume);
        }
        self.dirs[index].bytes = files::size(&path);
        self.forget_heads();
        self.revive()
    }

    /// Makes a new newest directory that begins at `base`; does not open it.
    pub(super) fn begin_newest(
        &mut self,
        base: u64,
        checkpoint: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.meta.number += 1;
        let mut meta = Meta {
            next: base,
            checkpoint: None,
            ..self.meta.clone()
        };
        let mut changes = Vec::new();
        if let Some(bytes) = checkpoint {
            meta.checkpoint = Some(false);
            put(
                &mut changes,
                CHECKPOINTS[0],
                meta.number,
                &pack::deflated(bytes),
            );
        }
        for dir in &self.dirs {
            put(
                &mut changes,
                &info_name(dir.name),
                meta.number,
                &pack::encode(&dir.info),
            );
        }
        put(&mut changes, META, meta.number, &pack::encode(&meta));
        let path = self.path(Name::new(base));
        if let Err(fault) = Volume::create(&path, changes)
            && !path.exists()
        {
            return Err(fault.into());
        }
        // If only its last sync failed it counts all the same: opening it repeats that.
        self.meta = meta;
        self.strays.clear();
        self.untold_dirty = false;
        for dir in &mut self.dirs {
            dir.dirty = false;
        }
        let mut dir = Dir::new(Name::new(base));
        dir.bytes = files::size(&path);
        self.dirs.push(dir);
        Ok(())
    }

    fn has_records_of(&self, run: u64) -> bool {
        let waiting = self.dirs.iter().filter(|dir| dir.waiting() > 0);
        let mut spans = waiting.flat_map(|dir| &dir.info.spans);
        run != self.run.id && spans.any(|span| span.run.id == run)
    }

    /// How a record is to be relabelled, if at all.
    pub(super) fn relabel_of(&self, run: &Run, seq: u64) -> Option<&Relabel> {
        let of_run = |(id, relabel): &&(u64, Relabel)| *id == run.id && relabel.concerns(seq);
        let found = self.meta.relabels.iter().find(of_run);
        found.map(|(_, relabel)| relabel)
    }

    pub(super) fn note<T>(&mut self, result: &Result<T, StoreError>) {
        self.view.failing = result.as_ref().err().map(ToString::to_string);
    }

    /// How things stand.
    pub fn view(&mut self) -> View {
        let oldest = self.dirs.iter().find_map(|dir| Some((dir, dir.oldest()?)));
        let head = oldest.and_then(|(dir, position)| dir.number(position));
        let claims = self.dirs.iter().flat_map(|dir| &dir.info.claims);
        let untold = self.meta.untold.iter().filter_map(index::vanished);
        let open = head
            .map(|(run, seq)| (run.boot, seq))
            .into_iter()
            .chain(claims.map(|claim| (claim.boot, claim.seq)))
            .chain(untold)
            .min()
            .map(|(boot, seq)| (boot, seq.saturating_sub(1)));
        let done = open.or(self.meta.last);
        self.view.newest = (self.meta.next > 1).then(|| Position(self.meta.next - 1));
        self.view.waiting = self.dirs.iter().map(Dir::waiting).sum();
        let by = head.and_then(|(run, seq)| self.relabel_of(&run, seq));
        let by = by.map_or(0, |relabel| relabel.by_ms);
        self.view.oldest = oldest.and_then(|(dir, position)| Some(dir.ts(position)? + by));
        let is_own = |(run, _): &(u64, Relabel)| *run == self.run.id;
        self.view.relabelled = self.meta.relabels.iter().any(is_own);
        self.view.done = self.view.done.max(done);
        self.view.bytes = self.total();
        self.view.clone()
    }

    pub(super) fn newest(&mut self) -> &mut Dir {
        let at = self.dirs.len() - 1;
        &mut self.dirs[at]
    }

    fn newest_path(&self) -> PathBuf {
        self.path(self.dirs[self.dirs.len() - 1].name)
    }

    pub(super) fn path(&self, name: Name) -> PathBuf {
        self.root.join(name.to_string())
    }
}

/// The name under which the newest directory keeps what is known of another.
pub fn info_name(name: Name) -> Vec<u8> {
    let mut key = vec![b'd'];
    key.extend(name.base.to_be_bytes());
    key.extend(name.rewriting.to_be_bytes());
    key
}

/// The checkpoint that `meta` speaks of; none if there is none or it is unreadable.
pub fn read_checkpoint(volume: &Volume, meta: &Meta) -> Result<Option<Vec<u8>>, Fault> {
    let Some(place) = meta.checkpoint else {
        return Ok(None);
    };
    let read = volume.chunked(CHECKPOINTS[usize::from(place)])?;
    let read = read.and_then(|read| read.as_deref().map(pack::inflated).transpose());
    Ok(read.unwrap_or_else(|unreadable| {
        tracing::error!("the checkpoint is lost: {unreadable}");
        None
    }))
}

/// Adds something that is stored in chunks.
pub fn put(changes: &mut Vec<Change>, name: &[u8], number: u64, bytes: &[u8]) {
    changes.extend(
        chunks(name, number, bytes)
            .into_iter()
            .map(|(key, value)| (key, Some(value))),
    );
}
