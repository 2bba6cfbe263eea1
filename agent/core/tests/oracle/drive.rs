//! The engine, told what happens in a stream.

use crate::machine::{Reading, Value};
use crate::plant;
use crate::stream::{Fact, Stream, What, Worth};
use andon_core::engine::{Action, Engine, Left};
use andon_core::history::{Corrections, Leaf, Page, Relabels};
use andon_core::modbus::plan::Plan;
use andon_core::plant::Plant;
use andon_core::record::{Record, Relabel, Run};
use andon_core::sample::{self, Reason, Sample};
use andon_core::tag::{DeviceIndex, TagIndex};
use andon_core::time::{ClockState, Mono, Now, Wall};
use std::sync::Arc;

/// The records that a stream leaves, in their order.
pub fn drive(stream: &Stream, facts: &[Fact]) -> Vec<Record> {
    let mut gateway: Option<OnGateway> = None;
    for fact in facts {
        let now = |worth: Worth| Now {
            mono: Mono(fact.mono),
            wall: Wall(fact.wall),
            clock: match worth {
                Worth::Synced => ClockState::Synced,
                Worth::Held => ClockState::Holdover,
                Worth::Nothing => ClockState::Unsynced,
            },
        };
        match (&fact.what, &mut gateway) {
            (
                What::Start {
                    back,
                    worth,
                    machines,
                },
                gateway,
            ) => {
                let disk = gateway.take().map(|gateway| gateway.killed(*back));
                let plant = Arc::new(plant::plant(stream, machines));
                let disk = disk.unwrap_or_default();
                *gateway = Some(OnGateway::start(&plant, machines, now(*worth), disk));
            }
            (_, None) => {}
            (What::Commit, Some(gateway)) => gateway.commit(),
            (What::Look { worth }, Some(gateway)) => {
                let now = now(*worth);
                gateway.catch_up(now.mono);
                gateway.engine.handle_time(now);
                gateway.drain();
            }
            (What::Stop { worth }, Some(gateway)) => {
                let now = now(*worth);
                gateway.catch_up(now.mono);
                gateway.engine.end(now);
                gateway.drain();
                gateway.commit();
            }
            (What::Read(machine, readings), Some(gateway)) => {
                gateway.read(*machine, fact, readings);
            }
        }
    }
    gateway.map_or(vec![], |gateway| gateway.disk.sent())
}

fn sample(reading: &Reading, wall: i64) -> (TagIndex, Sample) {
    let told = match reading.value {
        Value::Good(raw) => sample::Reading::Good(sample::Value::Int(raw)),
        Value::Retained(raw) => {
            sample::Reading::Uncertain(sample::Value::Int(raw), Reason::Retained)
        }
        Value::Bad => sample::Reading::Bad(Reason::Timeout),
    };
    let sample = Sample {
        reading: told,
        time: reading.age.map(|age| Wall(wall - age)),
    };
    (plant::tag_index(reading.tag), sample)
}

/// What is on disk.
#[derive(Default)]
struct Disk {
    /// Each with the number of its run.
    records: Vec<(u32, Record)>,
    relabels: Vec<(u32, Relabel)>,
    pages: Vec<Page>,
    commits: Vec<Commit>,
    starts: u32,
}

#[derive(Clone)]
struct Commit {
    checkpoint: Vec<u8>,
    records: usize,
    relabels: usize,
}

impl Disk {
    /// The records as they are sent.
    fn sent(self) -> Vec<Record> {
        let relabels = &self.relabels;
        let sent = self.records.into_iter().map(|(run, mut record)| {
            for (_, relabel) in relabels.iter().filter(|(of, _)| *of == run) {
                if relabel.concerns(record.seq) {
                    record.relabel(relabel);
                }
            }
            record
        });
        sent.collect()
    }

    /// The pieces, and then the minutes, as they are read again.
    fn history(&self) -> Vec<Page> {
        let (mut relabels, mut corrections) = (Relabels::default(), Corrections::default());
        self.pages.iter().for_each(|page| relabels.note(page));
        let mut pages = self.pages.clone();
        pages.iter_mut().for_each(|page| relabels.apply(page));
        pages.iter().for_each(|page| corrections.note(page));
        pages.iter_mut().for_each(|page| corrections.apply(page));
        pages.sort_by_key(|page| !matches!(page.leaf, Leaf::Piece(_)));
        pages
    }
}

/// In a silence as long as this more than one window ends, which the engine wants to be caught up with.
const SILENCE_MS: u64 = 60_000;

/// The engine and its disk.
struct OnGateway {
    engine: Engine,
    /// Which machine each device is.
    machines: Vec<usize>,
    disk: Disk,
    /// When it last handled something.
    last: Mono,
}

impl OnGateway {
    fn start(plant: &Arc<Plant>, machines: &[usize], now: Now, mut disk: Disk) -> OnGateway {
        disk.starts += 1;
        let run = Run {
            id: u64::from(disk.starts),
            boot: disk.starts,
            cfg: plant.cfg,
        };
        let plan = Arc::new(Plan::new(plant));
        let checkpoint = disk.commits.last().map(|commit| commit.checkpoint.clone());
        let left = checkpoint.as_deref().map(Left::Newest);
        // What the checkpoint does not know is dropped, and would move or correct nothing.
        if let Some(last) = left.and_then(|left| left.last_page()) {
            disk.pages.retain(|page| page.number <= last);
        }
        let history = disk.history();
        let engine = Engine::with_history(Arc::clone(plant), plan, run, now, left, history);
        let mut gateway = OnGateway {
            engine,
            machines: machines.to_vec(),
            disk,
            last: now.mono,
        };
        gateway.drain();
        gateway.catch_up(now.mono);
        gateway
    }

    fn read(&mut self, machine: usize, fact: &Fact, readings: &[Reading]) {
        let Some(device) = self.machines.iter().position(|it| *it == machine) else {
            return;
        };
        let at = Mono(fact.mono);
        // Otherwise the engine does by itself what there is to do before.
        if at.since(self.last) >= SILENCE_MS {
            self.catch_up(at);
        }
        self.last = at;
        let samples: Vec<(TagIndex, Sample)> = readings
            .iter()
            .map(|reading| sample(reading, fact.wall))
            .collect();
        let device = DeviceIndex(u16::try_from(device).unwrap_or(0));
        self.engine.handle_readings(device, at, &samples);
        self.drain();
    }

    fn catch_up(&mut self, to: Mono) {
        self.last = to;
        while !self.engine.catch_up(to) {
            self.drain();
        }
        self.drain();
    }

    fn drain(&mut self) {
        let run = self.disk.starts;
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => self.disk.records.push((run, record)),
                Action::Relabel(relabel) => self.disk.relabels.push((run, relabel)),
                Action::Keep(page) => self.disk.pages.push(page),
                _ => {}
            }
        }
    }

    fn commit(&mut self) {
        let checkpoint = self.engine.checkpoint();
        self.drain();
        self.disk.commits.push(Commit {
            checkpoint,
            records: self.disk.records.len(),
            relabels: self.disk.relabels.len(),
        });
    }

    /// What is left of it if the last `back` commits are lost with the engine. Pages are written
    /// before the commit that knows them, and may be there without it.
    fn killed(self, back: usize) -> Disk {
        let mut disk = self.disk;
        let left = disk.commits.len().saturating_sub(back).max(1);
        disk.commits.truncate(left);
        if let Some(last) = disk.commits.last() {
            disk.records.truncate(last.records);
            disk.relabels.truncate(last.relabels);
        }
        disk
    }
}
