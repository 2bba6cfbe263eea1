//! Merging waiting windows, before anything is given up: what may be, what becomes of each record, and
//! what is told of it. How windows are merged is the core's ([`andon_core::merge`]).
//!
//! Merged is only what nobody can have: a record that was ever handed out to be sent stays, or its
//! window could arrive by itself and in another. For the same reason neither a correction nor what it
//! corrects is merged, nor what may still be corrected.

use super::StoreError;
use super::index::{self, Corrects, Dir};
use super::pack::{class_index, decode, encode};
use super::queue::Queue;
use super::ranges::Ranges;
use andon_core::merge::Within;
use andon_core::record::{Class, Event, Record, Run};
use andon_core::summary::Tier;
use andon_core::time::Wall;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What becomes of the records of some directories.
#[derive(Debug, Default)]
pub struct Merging {
    /// Positions of records that are part of a later one.
    vanished: Ranges,
    /// What later ones become, encoded: there may be thousands.
    grown: HashMap<u64, Vec<u8>>,
    /// Numbers that vanish, by run, device and tier.
    told: BTreeMap<(u32, Arc<str>, Tier), (Run, Numbers)>,
}

#[derive(Debug)]
struct Numbers {
    from: u64,
    to: u64,
    count: u64,
}

/// Records that may be merged with each other: run, device, tier and part of its tags.
type Row = (u64, Arc<str>, Tier, Option<u16>);

/// A record that the next one of its row may go on with.
struct Open {
    position: u64,
    run: Run,
    record: Record,
    relabelled: bool,
    grown: bool,
}

impl Merging {
    /// The record in the place of `record`, if any.
    pub fn becomes(&self, position: u64, record: Record) -> Option<Record> {
        if self.vanished.contains(position) {
            return None;
        }
        let merged = self.grown.get(&position);
        // What was encoded a moment ago can be read.
        Some(
            merged
                .and_then(|bytes| decode(bytes).ok())
                .unwrap_or(record),
        )
    }

    /// The record of `open` is part of the one at `by`.
    fn vanish(&mut self, open: &Open) {
        self.vanished.insert(open.position..open.position + 1);
        let Some(labels) = open.record.labels() else {
            return;
        };
        let seq = open.record.seq;
        let key = (open.run.boot, Arc::from(labels.device), labels.tier);
        let (_, numbers) = self.told.entry(key).or_insert((
            open.run,
            Numbers {
                from: seq,
                to: seq,
                count: 0,
            },
        ));
        numbers.from = numbers.from.min(seq);
        numbers.to = numbers.to.max(seq);
        numbers.count += 1;
    }

    fn close(&mut self, open: &Open) {
        if open.grown {
            self.grown.insert(open.position, encode(&open.record));
        }
    }

    fn events(&self) -> Vec<Event> {
        let told = self.told.iter();
        told.map(|((_, device, tier), (run, numbers))| Event::Merged {
            device: device.clone(),
            tier: *tier,
            run: *run,
            seq_from: numbers.from,
            seq_to: numbers.to,
            count: numbers.count,
        })
        .collect()
    }
}

impl Queue {
    /// Merges windows of one directory, one step further; false if there is none to merge further.
    pub(super) fn merge_some(&mut self) -> Result<bool, StoreError> {
        let sealed = self.dirs.len() - 1;
        for within in Within::ALL {
            let may = |dir: &Dir| {
                dir.info.merged < within
                    && dir.waiting() > 0
                    && dir.info.classes[class_index(Class::Summary)] > 0
            };
            if let Some(at) = self.dirs[..sealed].iter().position(may) {
                self.merge(at, within)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn merge(&mut self, at: usize, within: Within) -> Result<(), StoreError> {
        // Whatever comes of it, it is not tried again.
        self.dirs[at].info.merged = within;
        self.dirs[at].dirty = true;
        let first = self.first_to_rewrite(at);
        let merging = self.find_mergings(first, at, within)?;
        if merging.vanished.len() == 0 {
            return Ok(());
        }
        self.tell(merging.events());
        self.persist()?;
        self.rewrite(first, at, &merging)?;
        self.dirs[first].info.merged = within;
        Ok(())
    }

    fn find_mergings(
        &mut self,
        first: usize,
        last: usize,
        within: Within,
    ) -> Result<Merging, StoreError> {
        let corrected = self.corrected(first, last)?;
        let settled = self.settled(last);
        let mut merging = Merging::default();
        let mut rows: HashMap<Row, Open> = HashMap::new();
        for at in first..=last {
            let offered = self.dirs[at].info.offered.clone();
            let relabels = self.meta.relabels.clone();
            self.each_waiting(at, |position, run, record| {
                let Some(labels) = record.labels() else {
                    return Ok(());
                };
                let row: Row = (run.id, Arc::from(labels.device), labels.tier, labels.part);
                let before = rows.remove(&row);
                let may = !offered.contains(position)
                    && labels.rev == 0
                    && labels.end <= settled[index::place(labels.tier)]
                    && !corrected.contains(&(row.1.clone(), labels.tier, labels.start));
                let relabelled = relabels
                    .iter()
                    .any(|(of, relabel)| *of == run.id && relabel.concerns(record.seq));
                let mut open = Open {
                    position,
                    run,
                    record,
                    relabelled,
                    grown: false,
                };
                match before {
                    Some(before)
                        if may
                            && before.relabelled == relabelled
                            && before.record.goes_on_with(&open.record, within) =>
                    {
                        merging.vanish(&before);
                        let next = std::mem::replace(&mut open.record, before.record);
                        open.record.take_in(next);
                        open.grown = true;
                    }
                    Some(before) => merging.close(&before),
                    None => {}
                }
                if may {
                    rows.insert(row, open);
                }
                Ok(())
            })?;
        }
        for open in rows.values() {
            merging.close(open);
        }
        Ok(merging)
    }

    /// The windows that records in some directories correct.
    fn corrected(
        &mut self,
        first: usize,
        last: usize,
    ) -> Result<HashSet<(Arc<str>, Tier, Wall)>, StoreError> {
        let mut corrected = HashSet::new();
        for at in first..=last {
            if self.dirs[at].info.corrects == Corrects::default() {
                continue;
            }
            self.each_waiting(at, |_, _, record| {
                if let Some(labels) = record.labels().filter(|labels| labels.rev > 0) {
                    corrected.insert((Arc::from(labels.device), labels.tier, labels.start));
                }
                Ok(())
            })?;
        }
        Ok(corrected)
    }

    /// Windows that ended by then, by tier, are corrected neither by what waits behind the
    /// directory at `at` nor by what is still to come.
    fn settled(&self, at: usize) -> [Wall; 4] {
        let spans = self.dirs.iter().flat_map(|dir| &dir.info.spans);
        let latest = spans.map(|span| span.ts).fold(self.latest, Wall::max);
        let by_time = Wall(latest.0.saturating_sub(self.late_ms));
        Tier::ALL.map(|tier| {
            let behind = self.dirs[at + 1..].iter();
            let corrects = behind.filter_map(|dir| dir.info.corrects[index::place(tier)]);
            corrects.fold(by_time, Wall::min)
        })
    }
}
