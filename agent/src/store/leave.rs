//! Leaving: acknowledged, set aside, or lost and told; and the directories that are empty then.

use super::files;
use super::index::{Bad, Corrects, Dir};
use super::quarantine;
use super::queue::Queue;
use super::ranges::Ranges;
use super::{Position, StoreError};
use andon_core::record::{Class, Event, Record, Run};

impl Queue {
    /// Takes records out: exactly these, in any order; unknown positions are ignored.
    pub fn acknowledge(&mut self, positions: &[Position]) {
        for &Position(position) in positions {
            let at = self.dirs.partition_point(|dir| dir.info.end <= position);
            let Some(dir) = self.dirs.get_mut(at).filter(|dir| dir.waits(position)) else {
                continue;
            };
            dir.remove(position..position + 1);
            self.view.acknowledged += 1;
        }
        self.sweep();
    }

    /// Takes out a record that can never go; it stays in the set-aside file.
    pub fn set_aside(&mut self, position: Position, why: &str) -> Result<Event, StoreError> {
        let Position(at) = position;
        let found = self.try_read(at, 1)?;
        let Some(stored) = found.first().filter(|stored| stored.position == position) else {
            return Err(StoreError::Unknown(position));
        };
        let event = self.keep_aside(&stored.record, stored.run, why)?;
        let dir = self.dirs.partition_point(|dir| dir.info.end <= at);
        self.dirs[dir].remove(at..at + 1);
        self.tell(vec![event.clone()]);
        self.fresh.retain(|fresh| *fresh != event);
        Ok(event)
    }

    /// Writes a record to the set-aside file; returns what to tell.
    pub(super) fn keep_aside(
        &self,
        record: &Record,
        run: Run,
        why: &str,
    ) -> Result<Event, StoreError> {
        let path = self.root.join("set-aside.jsonl");
        quarantine::set_aside(&path, &run, record, why).map_err(StoreError::from_io)?;
        Ok(Event::Loss {
            why: format!("set aside: {why}"),
            run: Some(run),
            seq_from: record.seq,
            seq_to: record.seq,
            count: 1,
            class: Some(record.body.class()),
        })
    }

    /// Gives up waiting records of a directory, and tells it.
    pub(super) fn lose(&mut self, at: usize, positions: Ranges, why: &str, class: Option<Class>) {
        let dir = &mut self.dirs[at];
        let losses = dir.losses(&positions, why, class);
        for range in positions.iter() {
            dir.remove(range);
        }
        self.tell(losses);
    }

    /// Gives up a pack that cannot be read, and keeps its bytes.
    pub(super) fn lose_bad(&mut self, at: usize, bad: &Bad) {
        if let Err(error) = self.quarantine.keep(bad) {
            tracing::warn!("cannot keep a damaged part of the outbox: {error}");
        }
        self.found_damage(&bad.why);
        if let Some(head) = &bad.head {
            let why = format!("damaged in the outbox: {}", bad.why);
            let lost = [head.positions()].into_iter().collect();
            self.lose(at, lost, &why, None);
        }
    }

    /// Gives up a whole directory; [`Queue::sweep`] moves it aside once that is on disk.
    pub(super) fn give_up_dir(&mut self, at: usize, why: &str) {
        let dir = &self.dirs[at];
        let why = format!("damaged outbox directory {}: {why}", dir.name);
        let lost = [dir.positions()].into_iter().collect();
        self.found_damage(&why);
        self.lose(at, lost, &why, None);
        self.dirs[at].info.damaged = true;
        self.dirs[at].dirty = true;
        self.shut(at);
    }

    /// For the alarm of the gateway.
    pub(super) fn found_damage(&mut self, why: &str) {
        self.view.damages += 1;
        self.view.damage = Some(why.to_owned());
    }

    /// Remembers losses and mergings until a stored record tells them, and hands them to the caller
    /// once.
    pub(super) fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            if self.meta.untold.contains(&event) {
                continue;
            }
            match &event {
                Event::Loss { count, why, .. } => {
                    self.view.lost += count;
                    tracing::error!("{count} records lost: {why}");
                }
                Event::Merged { count, .. } => self.view.merged += count,
                _ => {}
            }
            self.meta.untold.push(event.clone());
            self.fresh.push(event);
            self.untold_dirty = true;
        }
    }

    /// Removes sealed directories that nothing waits in, and moves damaged ones aside. A loss is
    /// on disk before what was lost goes.
    pub(super) fn sweep(&mut self) {
        let sealed = self.dirs.len() - 1;
        let idle = |dir: &Dir| dir.waiting() == 0;
        if !self.dirs[..sealed].iter().any(idle) {
            return;
        }
        let damage_unwritten = self.dirs.iter().any(|dir| dir.info.damaged && dir.dirty);
        if (self.untold_dirty || damage_unwritten)
            && let Err(error) = self.persist()
        {
            tracing::warn!("drained outbox directories stay for now: {error}");
            return;
        }
        let newest = self.newest().name;
        let mut kept = Vec::new();
        let mut corrects = Corrects::default();
        for mut dir in std::mem::take(&mut self.dirs) {
            let stays = dir.name == newest || !idle(&dir) || !self.clear(&dir);
            // What was corrected may wait in a directory before these.
            if stays {
                dir.correct_too(&std::mem::take(&mut corrects));
                kept.push(dir);
            } else {
                dir.correct_too(&corrects);
                corrects = dir.info.corrects;
            }
        }
        self.dirs = kept;
    }

    /// Whether a directory that nothing waits in is out of the way.
    fn clear(&mut self, dir: &Dir) -> bool {
        if self.slot.as_ref().is_some_and(|slot| slot.0 == dir.name) {
            self.slot = None;
        }
        let path = self.path(dir.name);
        let cleared = if dir.info.damaged {
            self.quarantine.take(&path)
        } else {
            files::remove_dir(&path)
        };
        if let Err(error) = &cleared {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
        cleared.is_ok() || !path.exists()
    }
}
