//! Reading: which directory a position is in, opening it, and holding what is found against what
//! is known.
//!
//! At most one sealed directory is open besides the newest. A fault closes the one it happened
//! in; the next call opens it again and tells what is missing.

use super::files;
use super::index::{self, Bad, Found, Name, head_at};
use super::pack::{self, Head};
use super::queue::{LEAP, Queue};
use super::ranges::Ranges;
use super::volume::{Fault, Volume};
use super::{Position, StoreError, Stored};
use andon_core::record::Record;

/// So many records more are taken for handed out, so that not each reading writes to the disk.
const AHEAD: u64 = 4096;

impl Queue {
    /// Waiting records after a position, oldest first, to be sent.
    pub fn read(&mut self, after: Option<Position>, max: usize) -> Result<Vec<Stored>, StoreError> {
        let result = self.try_read(after.map_or(0, |position| position.0 + 1), max);
        match &result {
            Ok(records) => self.hand_out(records),
            Err(_) => self.note(&result),
        }
        result
    }

    /// Keeps which records may have reached somebody, before they can.
    fn hand_out(&mut self, records: &[Stored]) {
        let mut unkept = false;
        for dir in &mut self.dirs {
            let own = dir.positions();
            let first = records.partition_point(|stored| stored.position.0 < own.start);
            let after = records.partition_point(|stored| stored.position.0 < own.end);
            if let [one, .., last] | [one @ last] = &records[first..after] {
                unkept |= dir.hand_out(one.position.0..last.position.0 + 1, AHEAD);
            }
        }
        self.sends |= records
            .last()
            .is_some_and(|stored| stored.position.0 + 1 == self.meta.next);
        // A disk that takes nothing must not keep what waits from being sent, which makes room. Should
        // the agent be killed before it takes something, and merge what had been sent, that is told twice.
        if unkept && let Err(error) = self.persist() {
            tracing::debug!("what is handed out is not noted: {error}");
        }
    }

    /// Nothing is sent any more for now.
    pub fn hung_up(&mut self) {
        self.sends = false;
        for dir in &mut self.dirs {
            dir.stop_handing_out();
        }
    }

    pub(super) fn try_read(&mut self, from: u64, max: usize) -> Result<Vec<Stored>, StoreError> {
        let mut records = Vec::new();
        for at in 0..self.dirs.len() {
            if records.len() >= max {
                break;
            }
            let dir = &self.dirs[at];
            if dir.waiting() > 0 && dir.info.end > from {
                self.read_dir(at, from, max, &mut records)?;
            }
        }
        for stored in &mut records {
            if let Some(relabel) = self.relabel_of(&stored.run, stored.record.seq) {
                stored.record.relabel(relabel);
                stored.relabelled = true;
            }
        }
        Ok(records)
    }

    fn read_dir(
        &mut self,
        at: usize,
        from: u64,
        max: usize,
        records: &mut Vec<Stored>,
    ) -> Result<(), StoreError> {
        if !self.ready(at)? {
            return Ok(());
        }
        let mut from = from;
        loop {
            let dir = &self.dirs[at];
            let Some(next) = dir
                .info
                .gone
                .first_gap(from.max(dir.name.base)..dir.info.end)
            else {
                return Ok(());
            };
            if records.len() >= max {
                return Ok(());
            }
            let heads = dir.heads.as_deref().unwrap_or_default();
            let Some(head) = head_at(heads, next).cloned() else {
                // `ready` has told all that is missing; what waits has a pack.
                return Err(StoreError::Failing(format!("position {next} has no pack")));
            };
            from = head.positions().end;
            let unpacked = self.fetch(at, &head)?;
            let dir = &self.dirs[at];
            for (position, record) in unpacked {
                if position >= next && dir.waits(position) && records.len() < max {
                    records.push(Stored {
                        position: Position(position),
                        run: head.run,
                        record,
                        relabelled: false,
                    });
                }
            }
        }
    }

    /// The records of a pack; none if it cannot be read any more, which is then told.
    pub(super) fn fetch(
        &mut self,
        at: usize,
        head: &Head,
    ) -> Result<Vec<(u64, Record)>, StoreError> {
        let fetched = match self.volume(at) {
            Some(volume) => volume.value(&head.key()),
            None => return Err(StoreError::Closed),
        };
        let why = match fetched {
            Ok(Some(value)) => match pack::unpack(head, &value) {
                Ok(records) => return Ok(records),
                Err(unreadable) => {
                    let why = unreadable.to_string();
                    let head = Some(head.clone());
                    self.lose_bad(at, &Bad { head, value, why });
                    return Ok(Vec::new());
                }
            },
            Ok(None) => String::from("a pack vanished while the directory was open"),
            Err(Fault::Io(why) | Fault::Damaged(why)) => why,
        };
        // Opened anew, the directory shows what is left of it.
        self.shut(at);
        Err(StoreError::Failing(why))
    }

    /// Opens a directory, so that its packs can be read; false if it turned out damaged.
    pub(super) fn ready(&mut self, at: usize) -> Result<bool, StoreError> {
        if at + 1 == self.dirs.len() {
            self.revive()?;
            return Ok(at + 1 == self.dirs.len());
        }
        let name = self.dirs[at].name;
        if self.volume(at).is_some() && self.dirs[at].heads.is_some() {
            return Ok(true);
        }
        self.slot = None;
        match self.open_volume(name) {
            Ok((volume, found)) => {
                self.slot = Some((name, volume));
                self.compare(at, found);
                self.forget_heads();
                Ok(true)
            }
            Err(fault @ Fault::Io(_)) => Err(fault.into()),
            Err(Fault::Damaged(why)) => {
                self.give_up_dir(at, &why);
                Ok(false)
            }
        }
    }

    /// Opens the newest directory again after a fault. If it is damaged, its waiting records are
    /// told as lost and a new one takes its place.
    pub(super) fn revive(&mut self) -> Result<(), StoreError> {
        if self.live.is_some() {
            return Ok(());
        }
        let name = self.newest().name;
        match self.open_volume(name) {
            Ok((volume, found)) => {
                volume.sync_files().map_err(StoreError::from_io)?;
                let next = self.meta.next;
                self.strays = found
                    .packs
                    .iter()
                    .filter(|seen| seen.head.first >= next)
                    .map(|seen| seen.head.key())
                    .collect();
                self.live = Some(volume);
                let at = self.dirs.len() - 1;
                self.compare(at, found);
                Ok(())
            }
            Err(fault @ Fault::Io(_)) => Err(fault.into()),
            Err(Fault::Damaged(why)) => {
                self.give_up_dir(self.dirs.len() - 1, &why);
                self.begin_newest(name.base + LEAP, None)?;
                self.revive()
            }
        }
    }

    /// Opens a directory and reads all of it. At a full disk that needs the ballast's room.
    pub(super) fn open_volume(&self, name: Name) -> Result<(Volume, Found), Fault> {
        let path = self.path(name);
        match Volume::open(&path, index::scan) {
            Err(fault) if self.is_disk_full() => {
                let fault = Fault::Io(match fault {
                    Fault::Io(why) | Fault::Damaged(why) => why,
                });
                if files::drop_ballast(&self.ballast) {
                    Volume::open(&path, index::scan)
                } else {
                    Err(fault)
                }
            }
            opened => opened,
        }
    }

    /// Holds what was found in a directory against what is known of it; tells what is missing.
    pub(super) fn compare(&mut self, at: usize, found: Found) {
        for bad in &found.bad {
            self.lose_bad(at, bad);
        }
        let dir = &mut self.dirs[at];
        let known = dir.positions();
        let heads: Vec<_> = found
            .packs
            .into_iter()
            .map(|seen| seen.head)
            .filter(|head| known.contains(&head.first))
            .collect();
        let there: Ranges = heads.iter().map(Head::positions).collect();
        dir.heads = Some(heads);
        let missing: Ranges = there.gaps(known).into_iter().collect();
        if missing
            .iter()
            .any(|range| dir.info.gone.first_gap(range).is_some())
        {
            dir.info.damaged = true;
        }
        self.lose(at, missing, "missing from the outbox's file", None);
    }

    pub(super) fn volume(&self, at: usize) -> Option<&Volume> {
        if at + 1 == self.dirs.len() {
            return self.live.as_ref();
        }
        let name = self.dirs[at].name;
        self.slot
            .as_ref()
            .filter(|slot| slot.0 == name)
            .map(|slot| &slot.1)
    }

    pub(super) fn shut(&mut self, at: usize) {
        if at + 1 == self.dirs.len() {
            self.live = None;
        } else {
            self.slot = None;
        }
    }

    /// Sealed directories other than the oldest and the one being read do without their packs.
    pub(super) fn forget_heads(&mut self) {
        let slot = self.slot.as_ref().map(|slot| slot.0);
        let sealed = self.dirs.len() - 1;
        for dir in self.dirs[..sealed].iter_mut().skip(1) {
            if Some(dir.name) != slot {
                dir.heads = None;
            }
        }
    }
}
