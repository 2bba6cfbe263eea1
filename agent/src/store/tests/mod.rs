//! The invariants of the outbox, each held by a test.

mod basic;
mod budget;
mod damage;
mod disk;
mod full;
mod kill;
mod labels;
mod measure;
mod model;
mod month;
mod order;
mod power;

use super::pack;
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
    Queue::open(&start, budget, 0).unwrap()
}

/// Bytes that cannot be made smaller.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let bytes = (0..).flat_map(|n| mixed_up(seed << 32 | n).to_le_bytes());
    bytes.take(len).collect()
}

/// A number that looks random (splitmix64).
pub fn mixed_up(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// A minute of one of 40 devices, as the agent stores it.
pub fn summary(seq: u64) -> Record {
    minute(seq, seq % 40, seq as i64 / 40)
}

/// A minute of a device that starts, stops and fails as it likes.
pub fn minute(seq: u64, device: u64, minute: i64) -> Record {
    // From the beginning of an hour.
    let at = 1_789_999_200_000 + minute * 60_000;
    let random = mixed_up(device << 32 | minute as u64);
    let stopped = if random.is_multiple_of(3) {
        random >> 8 & 0x7fff
    } else {
        0
    };
    let faulted = if random % 3 == 1 {
        random >> 24 & 0x7fff
    } else {
        0
    };
    let producing = 60_000 - stopped - faulted;
    let failed = u32::from(faulted > 0);
    let made = producing * (300 + 17 * device) / 3_600_000;
    let scrap = u64::from(random.is_multiple_of(7)).min(made);
    let mut record = record(
        seq,
        Body::Summary(Box::new(Summary {
            device: format!("press-{device:02}").into(),
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
            times: Times([producing, 0, stopped, faulted, 0, 0, 0]),
            uncounted_ms: 0,
            parts: Parts {
                good: Some(made - scrap),
                scrap: Some(scrap),
                total: Some(made),
                gap_total: 0,
                gap_before_ms: 0,
                gap_after_ms: 0,
            },
            failures: failed,
            repairs: failed,
            repair_ms: faulted,
            capacity: Some(Capacity {
                planned: 5000 + 283 * device,
                producing: producing * (300 + 17 * device) / 3600,
                uncounted: 0,
                rate: 300_000 + 17_000 * device,
            }),
            unrated: Unrated::NONE,
            needs: Needs {
                coverage: 5000,
                exposure_ms: 1_800_000,
                no_scrap: false,
            },
        })),
    );
    record.ts = Wall(at + 60_000);
    record
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

/// Everything that waits, read in pieces, and not to be sent.
pub fn read_all(queue: &mut Queue) -> Vec<Stored> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let some = queue.try_read(from, 61).unwrap();
        let Some(last) = some.last() else { return all };
        from = last.position.0 + 1;
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
