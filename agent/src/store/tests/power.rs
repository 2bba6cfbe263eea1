//! Power cuts: an ext4 of its own is shut down while records are committed, without its journal being
//! written, and mounted again. What was reported as stored before is there.

use super::disk::Disk;
use super::kill::Ledger;
use super::*;

#[test]
fn nothing_reported_is_lost_by_a_power_cut() {
    let rounds = rounds().min(100);
    let mut disk = Disk::ext4(96);
    let mut ledger = Ledger::default();
    for round in 0..rounds {
        // Half of the cuts are near the start, when directories are made and removed.
        let commits = if round % 2 == 0 {
            round % 8
        } else {
            round * 7 % 60
        };
        let cut = disk.power();
        ledger.work(&disk.data(), commits, |child| {
            cut.cut();
            child.kill().unwrap();
        });
        drop(cut);
        disk.power_on();
        ledger.check(&disk.data(), round);
    }
    println!(
        "{rounds} power cuts, {} records stored, none lost",
        ledger.records()
    );
}

#[test]
fn a_file_system_that_turns_read_only_is_told_read_from_and_recovered_from() {
    let mut disk = Disk::ext4(64);
    let (mut queue, _) = open(&disk.data());
    queue.commit(&batch(summaries(1..=300))).unwrap();
    disk.turn_read_only();
    for _ in 0..3 {
        queue.commit(&batch(summaries(301..=400))).unwrap_err();
        assert!(queue.view().failing.is_some());
    }
    drop(queue);
    let start = begin(&disk.data(), 0);
    assert!(start.is_err(), "nothing is pretended");
    disk.power_on();
    let (mut queue, opened) = open(&disk.data());
    assert_eq!(opened.losses, []);
    let expected: Vec<(u32, u64)> = (1..=300).map(|seq| (1, seq)).collect();
    assert_eq!(waiting(&mut queue), expected);
    queue.commit(&batch(summaries(1..=3))).unwrap();
}
