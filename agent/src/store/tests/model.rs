//! The outbox against a plain map, through commits, acknowledgements, reads, mergings, restarts, and
//! crashes at every write.

use super::*;
use crate::store::files::trace;
use andon_core::summary::Sum;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tempfile::TempDir;

#[derive(Debug, Clone)]
enum Step {
    Commit {
        records: u8,
        checkpoint: Option<u16>,
    },
    Acknowledge {
        every: u8,
        from: u8,
        count: u8,
    },
    Read {
        skip: u8,
        max: u8,
    },
    SetAside {
        nth: u8,
    },
    /// Merges what may be merged, of one directory.
    Merge,
    /// What was read is not on its way any more.
    HungUp,
    /// The next step is interrupted at its nth write, as by a kill; the last block that was written before
    /// is torn, if `torn`.
    Crash {
        nth: u8,
        torn: bool,
    },
    /// Orderly: what is known is written.
    Close,
    /// Dropped without writing, as by a kill.
    Drop,
    /// The files as they are while the outbox is open.
    CopyWhileOpen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..60, prop::option::of(0u16..20_000))
            .prop_map(|(records, checkpoint)| Step::Commit { records, checkpoint }),
        4 => (1u8..4, 0u8..30, 0u8..80)
            .prop_map(|(every, from, count)| Step::Acknowledge { every, from, count }),
        2 => (0u8..80, 0u8..90).prop_map(|(skip, max)| Step::Read { skip, max }),
        1 => (0u8..50).prop_map(|nth| Step::SetAside { nth }),
        2 => Just(Step::Merge),
        1 => Just(Step::HungUp),
        3 => (0u8..16, any::<bool>()).prop_map(|(nth, torn)| Step::Crash { nth, torn }),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        1 => Just(Step::CopyWhileOpen),
    ]
}

#[derive(Clone)]
struct Model {
    waiting: BTreeMap<Position, (Run, Record)>,
    /// Left, but that is perhaps not on disk.
    left: BTreeMap<Position, (Run, Record)>,
    checkpoint: Option<Vec<u8>>,
    untold: Vec<Event>,
    newest: Option<Position>,
    seq: u64,
}

struct Trial {
    model: Model,
    queue: Option<Queue>,
    run: Run,
    dir: TempDir,
    crash: Option<(u8, bool)>,
}

/// The files as they were at a write.
type Wreck = Rc<RefCell<Option<TempDir>>>;

impl Trial {
    fn new() -> Trial {
        let dir = tempfile::tempdir().unwrap();
        let (mut queue, opened) = open(dir.path());
        queue.rotate_at = 3000;
        Trial {
            model: Model {
                waiting: BTreeMap::new(),
                left: BTreeMap::new(),
                checkpoint: None,
                untold: Vec::new(),
                newest: None,
                seq: 0,
            },
            queue: Some(queue),
            run: opened.run,
            dir,
            crash: None,
        }
    }

    /// Takes a copy of the files at the nth write from now on. Between a flush and the sync that follows
    /// a file is what the kernel has of it; torn, the end of what was written last is missing.
    fn watch(&self, nth: u8, torn: bool) -> Wreck {
        let wreck = Wreck::default();
        let (taken, from) = (Rc::clone(&wreck), self.dir.path().to_path_buf());
        let mut left = nth;
        trace::watch(move |what, path| {
            if left > 0 {
                left -= 1;
                return;
            }
            if taken.borrow().is_some() {
                return;
            }
            let copy = tempfile::tempdir().unwrap();
            copy_dir(&from, copy.path());
            let db = path.file_name().is_some_and(|name| name == "db");
            if torn
                && db
                && what == "sync"
                && let Ok(inside) = path.strip_prefix(&from)
            {
                tear(&copy.path().join(inside));
            }
            *taken.borrow_mut() = Some(copy);
        });
        wreck
    }

    /// Does a step that is interrupted: afterwards everything is as before it, or as after it.
    fn interrupted(&mut self, step: &Step, (nth, torn): (u8, bool)) {
        let before = self.model.clone();
        let wreck = self.watch(nth, torn);
        self.step(step);
        trace::unwatch();
        let Some(wreck) = wreck.take() else {
            return;
        };
        self.queue = None;
        self.dir = wreck;
        let (mut queue, opened) = open(self.dir.path());
        queue.rotate_at = 3000;
        let found: BTreeMap<Position, (Run, Record)> = read_all(&mut queue)
            .into_iter()
            .map(|stored| (stored.position, (stored.run, stored.record)))
            .collect();
        let is_as = |model: &Model| {
            let here = |(position, record): (&Position, &_)| found.get(position) == Some(record);
            let known = |(position, record): (&Position, &_)| {
                model.waiting.get(position) == Some(record)
                    || model.left.get(position) == Some(record)
            };
            model.waiting.iter().all(here) && found.iter().all(known)
        };
        let after = &self.model;
        let done = !is_as(&before);
        assert!(
            !done || is_as(after),
            "{step:?} interrupted at {nth}: {found:?}"
        );
        assert!([&before.checkpoint, &after.checkpoint].contains(&&opened.checkpoint));
        let is_loss = |event: &Event| matches!(event, Event::Loss { .. });
        for loss in opened.losses.iter().filter(|event| is_loss(event)) {
            assert!(
                before.untold.contains(loss) || after.untold.contains(loss),
                "{loss:?}"
            );
        }
        // Positions of what was never reported as stored may be given out again.
        self.model.newest = if done { after.newest } else { before.newest };
        self.model.waiting = found;
        self.model.left.clear();
        self.model.checkpoint = opened.checkpoint;
        self.model.untold = opened.losses;
        self.model.seq = 0;
        self.run = opened.run;
        self.queue = Some(queue);
        self.compare();
    }

    fn queue(&mut self) -> &mut Queue {
        self.queue.as_mut().unwrap()
    }

    fn go(&mut self, step: &Step) {
        match (step, self.crash.take()) {
            (Step::Crash { nth, torn }, _) => self.crash = Some((*nth, *torn)),
            (Step::CopyWhileOpen, _) | (_, None) => self.step(step),
            (_, Some(crash)) => self.interrupted(step, crash),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Crash { .. } => {}
            Step::HungUp => self.queue().hung_up(),
            Step::Merge => self.merge(),
            Step::Commit {
                records,
                checkpoint,
            } => self.commit(records, checkpoint),
            Step::Acknowledge { every, from, count } => {
                let some: Vec<Position> = self
                    .model
                    .waiting
                    .keys()
                    .skip(from.into())
                    .step_by(every.into())
                    .take(count.into())
                    .copied()
                    .collect();
                self.queue().acknowledge(&some);
                for position in some {
                    let record = self.model.waiting.remove(&position).unwrap();
                    self.model.left.insert(position, record);
                }
            }
            Step::Read { skip, max } => {
                let after = self.model.waiting.keys().nth(skip.into()).copied();
                let expected: Vec<Position> = self
                    .model
                    .waiting
                    .keys()
                    .filter(|position| after.is_none_or(|after| **position > after))
                    .take(max.into())
                    .copied()
                    .collect();
                let read = self.queue().read(after, max.into()).unwrap();
                assert_eq!(positions(&read), expected);
            }
            Step::SetAside { nth } => {
                let Some(position) = self.model.waiting.keys().nth(nth.into()).copied() else {
                    return;
                };
                let event = self.queue().set_aside(position, "model").unwrap();
                let record = self.model.waiting.remove(&position).unwrap();
                self.model.left.insert(position, record);
                self.model.untold.push(event);
            }
            Step::Close => {
                self.queue().persist().unwrap();
                self.model.left.clear();
                self.queue = None;
                self.reopen();
            }
            Step::Drop => {
                self.queue = None;
                self.reopen();
            }
            Step::CopyWhileOpen => {
                let copy = tempfile::tempdir().unwrap();
                copy_dir(self.dir.path(), copy.path());
                self.queue = None;
                self.dir = copy;
                self.reopen();
            }
        }
        self.compare();
    }

    /// What waits comes to the same, with fewer records; what vanished is told.
    fn merge(&mut self) {
        let sums = |all: &BTreeMap<Position, (Run, Record)>| {
            let mut sums: BTreeMap<(u64, String), (i64, Sum)> = BTreeMap::new();
            for (run, record) in all.values() {
                if let Body::Summary(summary) = &record.body {
                    let key = (run.id, summary.device.to_string());
                    let (ms, sum) = sums.entry(key).or_default();
                    *ms += summary.end - summary.start;
                    sum.add(&summary.sum());
                }
            }
            sums
        };
        self.queue().merge_some().unwrap();
        let all: BTreeMap<_, _> = read_all(self.queue())
            .into_iter()
            .map(|stored| (stored.position, (stored.run, stored.record)))
            .collect();
        let before = self.model.waiting.len();
        assert_eq!(sums(&all), sums(&self.model.waiting));
        let told = std::mem::take(&mut self.queue().fresh);
        let vanished: u64 = told
            .iter()
            .map(|event| match event {
                Event::Merged { count, .. } => *count,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(all.len() as u64 + vanished, before as u64);
        if vanished > 0 {
            self.model.left.clear();
        }
        self.model.untold.extend(told);
        self.model.waiting = all;
    }

    fn commit(&mut self, count: u8, checkpoint: Option<u16>) {
        let mut records: Vec<Record> = Vec::new();
        for event in std::mem::take(&mut self.model.untold) {
            self.model.seq += 1;
            records.push(telling(self.model.seq, event));
        }
        for _ in 0..count {
            self.model.seq += 1;
            let seq = self.model.seq;
            records.push(if seq.is_multiple_of(5) {
                link(seq)
            } else {
                summary(seq)
            });
        }
        let checkpoint = checkpoint.map(|len| vec![self.model.seq as u8; len.into()]);
        let batch = Batch {
            records,
            checkpoint,
            relabel: None,
        };
        let fresh = self.queue().commit(&batch).unwrap();
        assert_eq!(fresh, []);
        let before = self.model.newest;
        let new = self.queue().read(before, 1000).unwrap();
        let records: Vec<Record> = new.iter().map(|stored| stored.record.clone()).collect();
        assert_eq!(
            records, batch.records,
            "positions rise and are not used again"
        );
        for stored in new {
            assert_eq!(stored.run, self.run);
            self.model.newest = Some(stored.position);
            self.model
                .waiting
                .insert(stored.position, (stored.run, stored.record));
        }
        if batch.checkpoint.is_some() {
            self.model.checkpoint = batch.checkpoint;
        }
        self.model.left.clear();
    }

    fn reopen(&mut self) {
        let (mut queue, opened) = open(self.dir.path());
        queue.rotate_at = 3000;
        assert!(opened.run.boot > self.run.boot);
        assert_eq!(opened.checkpoint, self.model.checkpoint);
        self.run = opened.run;
        self.model.seq = 0;
        // What left may have come back, with its own position and nothing else.
        for stored in read_all(&mut queue) {
            if let Some(record) = self.model.left.remove(&stored.position) {
                self.model.waiting.insert(stored.position, record);
            }
        }
        self.model.left.clear();
        // A record that came back is told again only if its loss was on disk.
        self.model.untold.clone_from(&opened.losses);
        self.queue = Some(queue);
    }

    fn compare(&mut self) {
        let read = read_all(self.queue());
        let found: Vec<_> = read
            .into_iter()
            .map(|s| (s.position, (s.run, s.record)))
            .collect();
        let expected: Vec<_> = self.model.waiting.clone().into_iter().collect();
        assert_eq!(found, expected);
        let view = self.queue().view();
        assert_eq!(view.waiting, expected.len() as u64);
        let open = self.queue().dirs.len();
        assert!(open <= expected.len() + 1, "drained directories are gone");
    }
}

/// The end of what was written last is lost.
fn tear(path: &Path) {
    let mut content = std::fs::read(path).unwrap();
    if let Some(last) = content.iter().rposition(|byte| *byte != 0) {
        let from = last.saturating_sub(64);
        content[from..=last].fill(0);
        std::fs::write(path, content).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_plain_map(steps in prop::collection::vec(step(), 1..40)) {
        let mut run = Trial::new();
        for step in &steps {
            run.go(step);
        }
    }
}
