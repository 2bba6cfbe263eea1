//! Opening the outbox: clearing away what an interruption left, finding the newest directory that
//! can be read, and taking stock of the others.

use super::files;
use super::index::{Dir, Found, Info, Name};
use super::pack;
use super::quarantine::Quarantine;
use super::queue::{LEAP, META, Meta, Queue, info_name, read_checkpoint};
use super::room;
use super::volume::{Fault, Volume};
use super::witness::Witness;
use super::{OpenError, Opened, View, boot};
use andon_core::record::Event;
use andon_core::time::Wall;
use std::fs;
use std::path::Path;

/// What was found in the newest directory that can be read.
struct Newest {
    meta: Meta,
    checkpoint: Option<Vec<u8>>,
    volume: Volume,
    found: Found,
}

impl Queue {
    /// Opens the outbox of a run.
    pub fn open(
        start: &boot::Start,
        budget: u64,
        late_ms: u64,
    ) -> Result<(Queue, Opened), OpenError> {
        if budget < room::LEAST_BUDGET {
            return Err(OpenError::Budget(budget));
        }
        let root = start.data_dir.join("outbox");
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(&root).map_err(failed(&root))?;
        files::sync_dir(&start.data_dir).map_err(failed(&start.data_dir))?;
        clear_drafts(&root).map_err(failed(&root))?;
        let ballast = files::ballast(&start.data_dir);
        if let Err(error) = files::add_ballast(&ballast, room::RESERVE) {
            tracing::warn!(
                "no room for the reserve file {}: {error}",
                ballast.display()
            );
        }
        let mut queue = Queue {
            quarantine: Quarantine::new(&root, budget / 4),
            rotate_at: room::rotate_at(budget),
            root,
            ballast,
            budget,
            run: start.run,
            meta: Meta::new(),
            dirs: Vec::new(),
            live: None,
            slot: None,
            strays: Vec::new(),
            fresh: Vec::new(),
            sends: false,
            late_ms: i64::try_from(late_ms).unwrap_or(i64::MAX),
            latest: Wall(i64::MIN),
            untold_dirty: false,
            view: View::default(),
        };
        let opened = queue.take_stock(start).map_err(|fault| match fault {
            Fault::Io(why) | Fault::Damaged(why) => OpenError::Store {
                dir: queue.root.clone(),
                why,
            },
        })?;
        Ok((queue, opened))
    }

    fn take_stock(&mut self, start: &boot::Start) -> Result<Opened, Fault> {
        let mut names = self.on_disk()?;
        let mut damaged = Vec::new();
        let mut newest = None;
        while let Some(name) = names.pop() {
            match self.open_newest(name) {
                Ok(found) => {
                    newest = Some((name, found));
                    break;
                }
                Err(Fault::Damaged(why)) => damaged.push((name, why)),
                Err(fault) => return Err(fault),
            }
        }
        let mut checkpoint = None;
        let mut live = None;
        if let Some((name, found)) = newest {
            self.meta = found.meta;
            checkpoint = found.checkpoint;
            if damaged.is_empty() {
                live = Some((name, found.volume, found.found));
            } else {
                names.push(name);
            }
        }
        for name in names {
            self.add_sealed(name, live.as_ref().map(|live| &live.1))?;
        }
        let after_damage = damaged.first().map(|(name, _)| name.base + LEAP);
        for (name, why) in damaged.into_iter().rev() {
            self.give_up_unknown(name, &why);
        }
        self.raise_boot(start);
        self.untold_dirty = true;
        self.fresh.clone_from(&self.meta.untold);
        let is_whole = match live {
            Some((name, volume, found)) => self.take_newest(name, volume, found)?,
            None => self
                .begin_newest(after_damage.unwrap_or(self.meta.next), None)
                .and_then(|()| self.revive())
                .map(|()| false)
                .map_err(|error| Fault::Io(error.to_string()))?,
        };
        match self.persist() {
            Ok(()) => self.sweep(),
            // Reading goes on, and committing is tried again: a full disk stops nothing else.
            Err(error) => {
                tracing::error!("the outbox cannot be written: {error}");
                self.view.failing = Some(error.to_string());
            }
        }
        Ok(Opened {
            run: self.run,
            checkpoint_is_old: !is_whole && checkpoint.is_some(),
            checkpoint,
            losses: std::mem::take(&mut self.fresh),
            waiting: self.view().waiting,
        })
    }

    /// The directories by position, those that a rewriting superseded removed.
    fn on_disk(&self) -> Result<Vec<Name>, Fault> {
        let failed = |error: std::io::Error| Fault::Io(error.to_string());
        let found = files::names(&self.root).map_err(failed)?;
        let all: Vec<Name> = found.iter().filter_map(|name| Name::parse(name)).collect();
        let (superseded, mut names): (Vec<Name>, Vec<Name>) = all
            .iter()
            .partition(|name| all.iter().any(|other| name.is_superseded_by(other)));
        for name in superseded {
            files::remove_dir(&self.path(name)).map_err(failed)?;
        }
        names.sort();
        Ok(names)
    }

    fn open_newest(&self, name: Name) -> Result<Newest, Fault> {
        let (volume, found) = self.open_volume(name)?;
        let unreadable = |what| Fault::Damaged(format!("{what} cannot be read"));
        let meta = volume
            .chunked(META)?
            .ok()
            .flatten()
            .and_then(|bytes| pack::decode::<Meta>(&bytes).ok())
            .ok_or_else(|| unreadable("its account"))?;
        let checkpoint = read_checkpoint(&volume, &meta)?;
        Ok(Newest {
            meta,
            checkpoint,
            volume,
            found,
        })
    }

    /// Adds a sealed directory, from what the newest one says of it, or else by reading it.
    fn add_sealed(&mut self, name: Name, newest: Option<&Volume>) -> Result<(), Fault> {
        if let Some(info) = newest
            .map(|newest| kept_info(newest, name))
            .transpose()?
            .flatten()
        {
            let mut dir = Dir::new(name);
            dir.handed_out = info.offered.clone();
            dir.info = info;
            self.add(dir);
            return Ok(());
        }
        match self.open_volume(name) {
            Ok((_, found)) => {
                let mut dir = Dir::from_scan(name, &found);
                dir.dirty = true;
                self.add(dir);
                self.lose_all_bad(&found);
                Ok(())
            }
            Err(Fault::Damaged(why)) => {
                self.give_up_unknown(name, &why);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn add(&mut self, mut dir: Dir) {
        dir.bytes = files::size(&self.path(dir.name));
        dir.heads = None;
        self.dirs.push(dir);
    }

    fn lose_all_bad(&mut self, found: &Found) {
        let at = self.dirs.len() - 1;
        for bad in &found.bad {
            self.lose_bad(at, bad);
        }
    }

    /// Gives up a directory of which nobody knows what waited in it.
    fn give_up_unknown(&mut self, name: Name, why: &str) {
        let mut dir = Dir::new(name);
        dir.info.damaged = true;
        dir.dirty = true;
        self.found_damage(&format!("outbox directory {name}: {why}"));
        self.dirs.push(dir);
        self.tell(vec![Event::Loss {
            why: format!("damaged outbox directory {name}: {why}"),
            run: None,
            seq_from: 0,
            seq_to: 0,
            count: 0,
            class: None,
        }]);
    }

    /// Adds the newest directory; false if its end is missing.
    fn take_newest(&mut self, name: Name, volume: Volume, found: Found) -> Result<bool, Fault> {
        volume
            .sync_files()
            .map_err(|error| Fault::Io(error.to_string()))?;
        let mut dir = Dir::from_scan(name, &found);
        // What was committed reaches to `next`; all that is not in it must be known to be gone.
        let kept = kept_info(&volume, name)?.unwrap_or_default();
        let there = dir.info.gone.clone();
        let reached = dir.info.end;
        dir.info.end = reached.max(self.meta.next);
        self.meta.next = dir.info.end;
        for gone in kept.gone.iter() {
            dir.remove(gone.start..gone.end.min(dir.info.end));
        }
        let mut missing: Vec<_> = there.iter().collect();
        missing.push(reached..dir.info.end);
        for gap in missing.into_iter().flat_map(|gap| kept.gone.gaps(gap)) {
            self.tell(vec![dir.gap_loss(gap.clone(), self.meta.last)]);
            dir.remove(gap);
        }
        let cut = Witness::read(&self.witness_path())
            .and_then(|witness| Some((witness.next, witness.missing(name, self.meta.next)?)));
        let is_whole = cut.is_none();
        if let Some((next, loss)) = cut {
            self.found_damage("the end of the outbox is missing");
            self.tell(vec![loss]);
            dir.info.end = next;
            dir.remove(self.meta.next..next);
            dir.info.damaged = true;
            self.meta.next = next;
        }
        dir.succeed(&kept);
        dir.dirty = true;
        self.add(dir);
        self.lose_all_bad(&found);
        let packs = found.packs.into_iter().map(|seen| seen.head);
        self.newest().heads = Some(packs.collect());
        self.live = Some(volume);
        Ok(is_whole)
    }

    /// The next start counter is above both the file's and the outbox's.
    fn raise_boot(&mut self, start: &boot::Start) {
        if self.meta.boot >= self.run.boot {
            self.run.boot = self.meta.boot.saturating_add(1);
            if let Err(error) = boot::keep_boot(&start.data_dir, self.run.boot) {
                tracing::warn!("cannot write the start counter: {error}");
            }
        }
        self.meta.boot = self.run.boot;
    }
}

fn kept_info(newest: &Volume, name: Name) -> Result<Option<Info>, Fault> {
    let kept = newest.chunked(&info_name(name))?;
    Ok(kept
        .ok()
        .flatten()
        .and_then(|bytes| pack::decode(&bytes).ok()))
}

/// Clears away what was being made or removed when the agent ended.
fn clear_drafts(root: &Path) -> std::io::Result<()> {
    for name in files::names(root)? {
        if name.ends_with(".del") || name.ends_with(".new") || name.ends_with(".tmp") {
            let path = root.join(&name);
            if path.is_dir() {
                fs::remove_dir_all(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
    }
    files::sync_dir(root)
}
