//! A process that commits is killed at random moments: nothing that it reported is lost.

use super::*;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

const DIR: &str = "ANDON_TEST_STORE";

/// The process that is killed: commits, reads and acknowledges, and reports each of them.
#[test]
#[ignore = "started by nothing_reported_is_lost_by_a_kill"]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        panic!("{DIR} says where to work");
    };
    let (mut queue, opened) = open(Path::new(&dir));
    queue.rotate_at = 30_000;
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

#[test]
fn nothing_reported_is_lost_by_a_kill() {
    let rounds = rounds();
    let dir = tempfile::tempdir().unwrap();
    // By boot: the last number reported, and what was handed over.
    let mut stored: BTreeMap<u32, u64> = BTreeMap::new();
    let mut left: std::collections::BTreeSet<(u32, u64)> = Default::default();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::kill::child",
                "--ignored",
                "--nocapture",
            ])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A number of commits that differs each round, also none: then the start is hit.
        let until = round * 7 % 40;
        let mut commits = 0;
        let mut killed = false;
        for line in lines {
            let line = line.unwrap();
            let mut words = line.split(' ');
            let what = words.next().unwrap();
            if what == "stored" || what == "left" {
                let boot: u32 = words.next().unwrap().parse().unwrap();
                let seq: u64 = words.next().unwrap().parse().unwrap();
                if what == "stored" {
                    stored.insert(boot, seq);
                    commits += 1;
                } else {
                    left.insert((boot, seq));
                }
            }
            if commits >= until && !killed {
                killed = true;
                child.kill().unwrap();
            }
        }
        assert!(
            killed,
            "the child ended by itself: {}",
            child.wait().unwrap()
        );
        child.wait().unwrap();
        let (mut queue, opened) = open(dir.path());
        assert_eq!(opened.losses, []);
        let waiting = waiting(&mut queue);
        assert!(waiting.is_sorted(), "in order, none twice");
        let waiting: std::collections::BTreeSet<_> = waiting.into_iter().collect();
        for (&boot, &last) in &stored {
            for seq in 1..=last {
                let there = waiting.contains(&(boot, seq)) || left.contains(&(boot, seq));
                assert!(there, "round {round}: {seq} of start {boot} is lost");
            }
        }
        if let Some((&boot, &last)) = stored.last_key_value() {
            let checkpoint = String::from_utf8(opened.checkpoint.unwrap()).unwrap();
            let (of, at) = checkpoint.split_once(' ').unwrap();
            let found: (u32, u64) = (of.parse().unwrap(), at.parse().unwrap());
            assert!(
                found >= (boot, last),
                "checkpoint {found:?} is older than {:?}",
                (boot, last)
            );
        }
    }
    assert!(
        stored.len() * 2 > rounds as usize,
        "most rounds stored something"
    );
}
