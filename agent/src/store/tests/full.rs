//! A full disk, a real one: nothing stored is lost, and it passes when room returns.

use super::disk::Disk;
use super::*;
use crate::store::StoreError;
use std::fs;

#[test]
fn commits_are_refused_before_the_disk_is_full_and_go_on_when_there_is_room() {
    let disk = Disk::new(9);
    let (mut queue, _) = open(&disk.data());
    queue.rotate_at = 100_000;
    let mut seq = 0;
    let refused = loop {
        match queue.commit(&with_checkpoint(summaries(seq + 1..=seq + 400), b"x")) {
            Ok(losses) => assert_eq!(losses, []),
            Err(error) => break error,
        }
        seq += 400;
    };
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused}");
    assert!(seq > 10_000);
    assert_eq!(queue.view().failing, Some(refused.to_string()));
    let expected: Vec<(u32, u64)> = (1..=seq).map(|seq| (1, seq)).collect();
    assert_eq!(waiting(&mut queue), expected);
    // Draining makes the room.
    let all = read_all(&mut queue);
    queue.acknowledge(&positions(&all));
    queue
        .commit(&batch(summaries(seq + 1..=seq + 400)))
        .unwrap();
    assert_eq!(queue.view().failing, None);
    assert_eq!(waiting(&mut queue)[0], (1, seq + 1));
}

#[test]
fn disk_filled_by_others_loses_nothing_stored() {
    let disk = Disk::new(24);
    let (mut queue, _) = open(&disk.data());
    queue.rotate_at = 100_000;
    let mut seq = 0;
    for _ in 0..10 {
        queue
            .commit(&batch(summaries(seq + 1..=seq + 400)))
            .unwrap();
        seq += 400;
    }
    let expected: Vec<(u32, u64)> = (1..=seq).map(|seq| (1, seq)).collect();
    let filler = disk.fill(0);
    for _ in 0..3 {
        let refused = queue
            .commit(&batch(summaries(seq + 1..=seq + 400)))
            .unwrap_err();
        assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused}");
    }
    assert_eq!(waiting(&mut queue), expected, "reading goes on");
    drop(queue);
    // Started at 0 bytes free: the reserve file makes it possible.
    let (mut queue, opened) = open(&disk.data());
    assert_eq!((opened.losses.len(), opened.waiting), (0, seq));
    assert_eq!(waiting(&mut queue), expected);
    fs::remove_file(filler).unwrap();
    queue.commit(&batch(summaries(1..=3))).unwrap();
    assert!(disk.data().join("reserve").exists(), "the reserve is back");
    let run = waiting(&mut queue);
    assert_eq!(run[..expected.len()], expected);
    assert_eq!(run[expected.len()..], [(2, 1), (2, 2), (2, 3)]);
}

#[test]
fn writing_into_a_full_disk_recovers_by_opening_again() {
    let disk = Disk::new(24);
    let (mut queue, _) = open(&disk.data());
    let mut seq = 0;
    for _ in 0..5 {
        queue
            .commit(&batch(summaries(seq + 1..=seq + 400)))
            .unwrap();
        seq += 400;
    }
    let expected: Vec<(u32, u64)> = (1..=seq).map(|seq| (1, seq)).collect();
    // Past the check of free space, straight into the wall, until sled itself fails.
    let filler = disk.fill(0);
    let mut failed = 0;
    for _ in 0..40 {
        if queue
            .commit_unchecked(&batch(summaries(seq + 1..=seq + 4000)), 0)
            .is_err()
        {
            failed += 1;
        }
    }
    assert!(failed > 0, "the disk was full");
    let stored = queue.view().waiting;
    fs::remove_file(filler).unwrap();
    queue.commit(&batch(Vec::new())).unwrap();
    let found = waiting(&mut queue);
    assert_eq!(found[..expected.len()], expected);
    assert_eq!(
        found.len() as u64,
        stored,
        "what failed does not count, what did not, does"
    );
    queue.commit(&batch(summaries(seq + 1..=seq + 10))).unwrap();
    drop(queue);
    let (mut queue, opened) = open(&disk.data());
    assert_eq!(opened.losses, []);
    assert_eq!(waiting(&mut queue).len() as u64, stored + 10);
}

/// What the outbox does in its life: commits, acknowledges, sets aside, merges, rotates, is opened again.
/// What was stored is in `stored`, what has left in `left`.
fn live(queue: &mut Queue, seq: &mut u64, stored: &mut Vec<u64>, left: &mut Vec<u64>) {
    for _ in 0..12 {
        let records = summaries(*seq + 1..=*seq + 200);
        *seq += 200;
        let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
        // Past the check of free space, so that it is sled that finds none.
        if queue
            .commit_unchecked(&with_checkpoint(records, b"state"), 7000)
            .is_ok()
        {
            stored.extend(seqs);
        }
        if let Ok(some) = queue.read(None, 60) {
            queue.acknowledge(&positions(&some));
            left.extend(some.iter().map(|stored| stored.record.seq));
        }
        if let Ok(some) = queue.read(None, 1)
            && let [stored] = &some[..]
            && queue.set_aside(stored.position, "no room").is_ok()
        {
            left.push(stored.record.seq);
        }
        queue.hung_up();
        let _ = queue.merge_some();
    }
}

#[test]
fn the_disk_fills_at_every_point_of_the_way_and_nothing_stored_is_lost() {
    let steps = u64::from(rounds()) * 2;
    for step in 0..steps {
        let disk = Disk::new(6);
        let (mut queue, _) = open(&disk.data());
        queue.rotate_at = 20_000;
        let (mut seq, mut stored, mut left) = (0, Vec::new(), Vec::new());
        live(&mut queue, &mut seq, &mut stored, &mut left);
        let filler = disk.fill(step * 2_500_000 / steps);
        live(&mut queue, &mut seq, &mut stored, &mut left);
        drop(queue);
        if step % 2 == 0 {
            // The agent is started again while the disk is full, if that goes at all.
            if let Ok(start) = begin(&disk.data(), 0)
                && let Ok((mut queue, _)) = Queue::open(&start, BUDGET, 0)
            {
                live(&mut queue, &mut seq, &mut stored, &mut left);
            }
        }
        fs::remove_file(filler).unwrap();
        let (mut queue, opened) = open(&disk.data());
        queue
            .commit(&batch(summaries(seq + 1..=seq + 1)))
            .expect("there is room again");
        let mut told = queue.meta.untold.clone();
        told.extend(opened.losses);
        let mut there: Vec<u64> = read_all(&mut queue).iter().map(|s| s.record.seq).collect();
        there.extend(left);
        for event in told {
            // Set aside, or merged into what waits: told either way.
            if let Event::Merged {
                seq_from, seq_to, ..
            }
            | Event::Loss {
                seq_from, seq_to, ..
            } = event
            {
                there.extend(seq_from..=seq_to);
            }
        }
        there.sort_unstable();
        for seq in stored {
            assert!(
                there.binary_search(&seq).is_ok(),
                "step {step}: {seq} is lost"
            );
        }
    }
}
