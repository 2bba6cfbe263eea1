//! A process that commits is killed at random moments: nothing that it reported is lost.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

const DIR: &str = "ANDON_TEST_STORE";

/// The process that is killed: commits, reads and acknowledges, and reports each of them.
#[test]
#[ignore = "started by nothing_reported_is_lost_by_a_kill"]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        panic!("{DIR} says where to work");
    };
    let (mut queue, opened) = open(Path::new(&dir));
    queue.rotate_at = 10_000;
    let mut out = std::io::stdout();
    let boot = opened.run.boot;
    let mut seq = 0;
    loop {
        let size = [1, 3, 25, 200][seq as usize % 4];
        let records = summaries(seq + 1..=seq + size);
        seq += size;
        let checkpoint = format!("{boot} {seq}");
        queue
            .commit(&with_checkpoint(records, checkpoint.as_bytes()))
            .unwrap();
        writeln!(out, "stored {boot} {seq}").unwrap();
        if seq.is_multiple_of(3) {
            let some = queue.read(None, 150).unwrap();
            for stored in &some {
                writeln!(out, "left {} {}", stored.run.boot, stored.record.seq).unwrap();
            }
            out.flush().unwrap();
            queue.acknowledge(&positions(&some));
        }
    }
}

/// What such processes have reported.
#[derive(Default)]
pub struct Ledger {
    /// By boot: the last number stored.
    stored: BTreeMap<u32, u64>,
    /// What was handed over.
    left: BTreeSet<(u32, u64)>,
}

impl Ledger {
    /// Has a process work on `dir` until it has reported `commits` commits; then does `end` to it, and
    /// goes on with what it says until it is gone.
    pub fn work(&mut self, dir: &Path, commits: u32, mut end: impl FnMut(&mut Child)) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::kill::child",
                "--ignored",
                "--nocapture",
            ])
            .env(DIR, dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        let mut ended = false;
        for line in lines {
            let line = line.unwrap();
            let mut words = line.split(' ');
            let what = words.next().unwrap();
            if what == "stored" || what == "left" {
                let boot: u32 = words.next().unwrap().parse().unwrap();
                let seq: u64 = words.next().unwrap().parse().unwrap();
                if what == "stored" {
                    self.stored.insert(boot, seq);
                    seen += 1;
                } else {
                    self.left.insert((boot, seq));
                }
            }
            if seen >= commits && !ended {
                ended = true;
                end(&mut child);
            }
        }
        let status = child.wait().unwrap();
        assert!(ended, "the child ended by itself: {status}");
    }

    /// Nothing that was reported is lost.
    pub fn check(&self, dir: &Path, round: u32) {
        let (mut queue, opened) = open(dir);
        assert_eq!(opened.losses, []);
        let waiting = waiting(&mut queue);
        assert!(waiting.is_sorted(), "in order, none twice");
        let waiting: BTreeSet<_> = waiting.into_iter().collect();
        for (&boot, &last) in &self.stored {
            for seq in 1..=last {
                let there = waiting.contains(&(boot, seq)) || self.left.contains(&(boot, seq));
                assert!(there, "round {round}: {seq} of start {boot} is lost");
            }
        }
        if let Some((&boot, &last)) = self.stored.last_key_value() {
            let checkpoint = String::from_utf8(opened.checkpoint.unwrap()).unwrap();
            let (of, at) = checkpoint.split_once(' ').unwrap();
            let found: (u32, u64) = (of.parse().unwrap(), at.parse().unwrap());
            let newest = (boot, last);
            assert!(
                found >= newest,
                "checkpoint {found:?} is older than {newest:?}"
            );
        }
    }

    /// Starts that stored something.
    pub fn starts(&self) -> usize {
        self.stored.len()
    }

    /// Records stored.
    pub fn records(&self) -> u64 {
        self.stored.values().sum()
    }
}

#[test]
fn nothing_reported_is_lost_by_a_kill() {
    let rounds = rounds();
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    for round in 0..rounds {
        // A number of commits that differs each round, also none: then the start is hit.
        ledger.work(dir.path(), round * 7 % 40, |child| child.kill().unwrap());
        ledger.check(dir.path(), round);
    }
    assert!(
        ledger.starts() * 2 > rounds as usize,
        "most rounds stored something"
    );
    println!(
        "{rounds} kills, {} records stored, none lost",
        ledger.records()
    );
}
