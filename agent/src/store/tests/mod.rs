//! The invariants of the outbox, each held by a test.

mod basic;
mod budget;
mod damage;
mod full;
mod kill;
mod labels;
mod measure;
mod model;
mod order;

use super::queue::Queue;
use super::{Batch, Opened, Position, Stored, begin, room};
use andon_core::alarm::AlarmState;
use andon_core::plant::Priority;
use andon_core::record::{Body, Event, Record, Run};
use andon_core::state::Times;
use andon_core::summary::{Capacity, Needs, Parts, Summary, Tier, Unrated};
use andon_core::time::{ClockState, Wall};
use std::path::Path;

/// A budget that no test but those of the budget reaches.
pub const BUDGET: u64 = 256 * 1024 * 1024;
/// The smallest budget that is taken.
pub const SMALL_BUDGET: u64 = room::LEAST_BUDGET;

/// How long the random tests go on; more for a soak.
pub fn rounds() -> u32 {
    std::env::var("ANDON_SOAK_ROUNDS").map_or(10, |text| text.parse().unwrap())
}

/// A run on a data directory; its lock is let go again, as by a kill.
pub fn open(data_dir: &Path) -> (Queue, Opened) {
    open_with(data_dir, BUDGET)
}

pub fn open_with(data_dir: &Path, budget: u64) -> (Queue, Opened) {
    let start = begin(data_dir, 0xc0f1).unwrap();
    Queue::open(&start, budget).unwrap()
}

/// A minute of one of 40 devices, as the agent stores it.
pub fn summary(seq: u64) -> Record {
    let at = 1_790_000_000_000 + seq as i64 / 40 * 60_000;
    record(
        seq,
        Body::Summary(Box::new(Summary {
            device: format!("press-{:02}", seq % 40).into(),
            line: Some("A".into()),
            tier: Tier::Minute,
            shift: None,
            start: Wall(at),
            end: Wall(at + 60_000),
            fold: 0,
            rev: 0,
            merged: 1,
            clock_step_ms: 0,
            every_ms: 1000,
            times: Times([52_100 - seq % 977, 0, 3000, 4900 + seq % 977, 0, 0, 0]),
            uncounted_ms: 0,
            parts: Parts {
                good: Some(16 + seq % 7),
                scrap: Some(1),
                total: Some(17 + seq % 7),
                gap_total: 0,
                gap_before_ms: 0,
                gap_after_ms: 0,
            },
            failures: 1,
            repairs: 1,
            repair_ms: 4900,
            capacity: Some(Capacity {
                planned: 20_000,
                producing: 17_367,
                uncounted: 0,
                rate: 1_200_000,
            }),
            unrated: Unrated::NONE,
            needs: Needs {
                coverage: 5000,
                exposure_ms: 1_800_000,
                no_scrap: false,
            },
        })),
    )
}

/// An entry of the journal.
pub fn link(seq: u64) -> Record {
    let event = Event::Link {
        link: "plc".into(),
        up: seq.is_multiple_of(2),
        why: Some(format!("no answer for {seq} s")),
    };
    record(seq, Body::Event(event))
}

/// An alarm event.
pub fn alarm(seq: u64) -> Record {
    let event = Event::Alarm {
        device: "press-1".into(),
        alarm: "fault".into(),
        occurrence: seq,
        priority: Priority::High,
        from: AlarmState::Normal,
        to: AlarmState::UnackActive,
        value: None,
        active: true,
        first_out: false,
        done: None,
    };
    record(seq, Body::Event(event))
}

/// A record that tells a loss.
pub fn telling(seq: u64, loss: Event) -> Record {
    record(seq, Body::Event(loss))
}

fn record(seq: u64, body: Body) -> Record {
    Record {
        seq,
        n: seq,
        ts: Wall(1_790_000_000_000 + seq as i64),
        clock: ClockState::Synced,
        body,
    }
}

pub fn summaries(seqs: std::ops::RangeInclusive<u64>) -> Vec<Record> {
    seqs.map(summary).collect()
}

pub fn batch(records: Vec<Record>) -> Batch {
    Batch {
        records,
        ..Batch::default()
    }
}

pub fn with_checkpoint(records: Vec<Record>, checkpoint: &[u8]) -> Batch {
    Batch {
        records,
        checkpoint: Some(checkpoint.to_vec()),
        relabel: None,
    }
}

/// Everything that waits, read in pieces.
pub fn read_all(queue: &mut Queue) -> Vec<Stored> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let some = queue.read(after, 7).unwrap();
        let Some(last) = some.last() else { return all };
        after = Some(last.position);
        all.extend(some);
    }
}

/// (boot, seq) of everything that waits.
pub fn waiting(queue: &mut Queue) -> Vec<(u32, u64)> {
    read_all(queue)
        .iter()
        .map(|stored| (stored.run.boot, stored.record.seq))
        .collect()
}

pub fn positions(stored: &[Stored]) -> Vec<Position> {
    stored.iter().map(|stored| stored.position).collect()
}

/// What losses say: (boot, first, last, count).
pub fn told(losses: &[Event]) -> Vec<(Option<u32>, u64, u64, u64)> {
    losses
        .iter()
        .map(|event| match event {
            Event::Loss {
                run,
                seq_from,
                seq_to,
                count,
                ..
            } => (run.map(|run: Run| run.boot), *seq_from, *seq_to, *count),
            other => panic!("not a loss: {other:?}"),
        })
        .collect()
}

/// Copies a directory as it is.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
