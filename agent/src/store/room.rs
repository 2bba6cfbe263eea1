//! Making room: what is merged and what is given up, in which order, when the disk budget is full.
//!
//! Order: first the windows of minutes are merged within quarters of an hour, everywhere; then within
//! hours; then both within 24 hours, the oldest first (`merge.rs`). Only then records are given up:
//! summaries before events before alarms, and of one class the oldest first, a directory at a time. What is kept of a directory is rewritten under the same positions, so that neither
//! order nor acknowledgements under way notice. Each loss is on disk, to be told, before what
//! was lost is removed.

use super::StoreError;
use super::files;
use super::index::{self, Dir, Name};
use super::merge::Merging;
use super::pack::{class_index, encode, pack};
use super::queue::{META, Queue, put};
use super::ranges::Ranges;
use super::volume::{Change, Fault, Volume};
use andon_core::record::{Class, Record, Run};

/// The smallest disk budget that the outbox can keep.
pub const LEAST_BUDGET: u64 = 8 * MIB;
const MIB: u64 = 1024 * 1024;
/// Left free on the disk for others, and for sled's next segment.
pub const RESERVE: u64 = 2 * MIB;
/// What a new directory takes up before anything is in it.
const NEW_DIR: u64 = MIB;
/// Below this the disk counts as full.
const FULL: u64 = MIB / 2;
/// Bytes rewritten in one commit.
const REWRITE_EACH: usize = 64 * 1024;

/// At how much payload a directory is sealed: small against the budget, since room is made by
/// whole directories.
pub fn rotate_at(budget: u64) -> u64 {
    (budget / 16).clamp(MIB / 4, 2 * MIB)
}

impl Queue {
    /// Makes room for `size` bytes of payload, or says why there is none.
    pub(super) fn admit(&mut self, size: u64) -> Result<(), StoreError> {
        let need = size * 3 + NEW_DIR;
        let free = files::free(&self.root).map_err(StoreError::from_io)?;
        if free < need + RESERVE {
            return Err(StoreError::DiskFull {
                free,
                need: need + RESERVE,
            });
        }
        // A directory that is rewritten is there twice for a moment.
        let twice = 2 * self.rotate_at + NEW_DIR;
        while self.total() + need + twice > self.budget {
            if self.merge_some()? || self.give_up_some()? {
                continue;
            }
            if self.total() + need > self.budget {
                return Err(StoreError::Budget {
                    used: self.total(),
                    budget: self.budget,
                });
            }
            break;
        }
        Ok(())
    }

    /// Bytes on disk.
    pub(super) fn total(&self) -> u64 {
        let dirs: u64 = self.dirs.iter().map(|dir| dir.bytes).sum();
        dirs + self.quarantine.size()
            + files::size(&self.ballast)
            + files::size(&self.root.join("set-aside.jsonl"))
            + files::size(&self.root.join("set-aside.jsonl.1"))
    }

    pub(super) fn is_disk_full(&self) -> bool {
        files::free(&self.root).is_ok_and(|free| free < FULL)
    }

    /// Gives up the records of the lowest class in the oldest directory that has any; false if
    /// there is nothing to give up.
    fn give_up_some(&mut self) -> Result<bool, StoreError> {
        for class in [Class::Summary, Class::Event, Class::Alarm] {
            let has = |dir: &Dir| dir.waiting() > 0 && dir.info.classes[class_index(class)] > 0;
            let Some(at) = self.dirs.iter().position(has) else {
                continue;
            };
            if at + 1 == self.dirs.len() {
                self.rotate()?;
            }
            self.give_up_class(at, class)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn give_up_class(&mut self, at: usize, class: Class) -> Result<(), StoreError> {
        let lost = self.positions_of(at, class)?;
        self.dirs[at].info.classes[class_index(class)] = 0;
        self.lose(at, lost, "disk budget", Some(class));
        self.persist()?;
        if self.dirs[at].waiting() == 0 {
            self.sweep();
            return Ok(());
        }
        let first = self.first_to_rewrite(at);
        let merged = self.dirs[first..=at]
            .iter()
            .map(|dir| dir.info.merged)
            .min()
            .unwrap_or_default();
        self.rewrite(first, at, &Merging::default())?;
        self.dirs[first].info.merged = merged;
        Ok(())
    }

    /// Of the directories to rewrite with that at `at`, the first: the one before goes with it
    /// if little was left of that, so that there are never many small ones.
    pub(super) fn first_to_rewrite(&self, at: usize) -> usize {
        let small = |dir: &Dir| {
            dir.name.rewriting > 0
                && dir.info.payload < self.rotate_at / 2
                && dir.info.merged >= self.dirs[at].info.merged
        };
        match at.checked_sub(1) {
            Some(before) if small(&self.dirs[before]) => before,
            _ => at,
        }
    }

    /// The waiting positions of a class in a directory.
    fn positions_of(&mut self, at: usize, class: Class) -> Result<Ranges, StoreError> {
        let mut positions = Ranges::default();
        self.each_waiting(at, |position, _, record| {
            if record.body.class() == class {
                positions.insert(position..position + 1);
            }
            Ok(())
        })?;
        Ok(positions)
    }

    pub(super) fn each_waiting(
        &mut self,
        at: usize,
        mut see: impl FnMut(u64, Run, Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.ready(at)? {
            return Ok(());
        }
        for head in self.dirs[at].heads.clone().unwrap_or_default() {
            if self.dirs[at]
                .info
                .gone
                .first_gap(head.positions())
                .is_none()
            {
                continue;
            }
            let records = self.fetch(at, &head)?;
            for (position, record) in records {
                if self.dirs[at].waits(position) {
                    see(position, head.run, record)?;
                }
            }
        }
        Ok(())
    }

    /// Copies what waits in adjacent sealed directories into one that takes their place, merged as
    /// `merging` says.
    pub(super) fn rewrite(
        &mut self,
        first: usize,
        last: usize,
        merging: &Merging,
    ) -> Result<(), StoreError> {
        let name = Name {
            base: self.dirs[first].name.base,
            last: self.dirs[last].name.last,
            rewriting: self.meta.number,
        };
        let path = self.path(name);
        let draft = files::with_suffix(&path, "new");
        let mut volume = Volume::create_draft(&draft)?;
        let mut records = Vec::new();
        let mut bytes = 0;
        for at in first..=last {
            self.each_waiting(at, |position, run, record| {
                let Some(record) = merging.becomes(position, record) else {
                    return Ok(());
                };
                bytes += encode(&record).len();
                records.push((position, run, record));
                if bytes > REWRITE_EACH {
                    bytes = 0;
                    copy(&mut volume, &std::mem::take(&mut records))?;
                }
                Ok(())
            })?;
        }
        copy(&mut volume, &records)?;
        let mut account = Vec::new();
        put(&mut account, META, self.meta.number, &encode(&self.meta));
        volume.commit(account)?;
        drop(volume);
        self.slot = None;
        // Opened once more, as after sealing; and what it holds is what was really written.
        let (volume, found) = Volume::open(&draft, index::scan)?;
        drop(volume);
        files::rename(&draft, &path).map_err(StoreError::from_io)?;
        let mut dir = Dir::from_scan(name, &found);
        for replaced in &self.dirs[first..=last] {
            dir.succeed(&replaced.info);
        }
        dir.heads = None;
        dir.dirty = true;
        dir.bytes = files::size(&path);
        let replaced: Vec<Dir> = self.dirs.splice(first..=last, [dir]).collect();
        for dir in replaced {
            let old = self.path(dir.name);
            if let Err(error) = files::remove_dir(&old) {
                tracing::warn!("cannot remove {}: {error}", old.display());
            }
        }
        Ok(())
    }
}

fn copy(volume: &mut Volume, records: &[(u64, Run, Record)]) -> Result<(), Fault> {
    let packs = pack(
        records
            .iter()
            .map(|(position, run, record)| (*position, *run, record)),
    );
    let changes: Vec<Change> = packs
        .into_iter()
        .map(|pack| (pack.head.key(), Some(pack.value)))
        .collect();
    volume.commit(changes)
}
