//! A full disk, a real one: nothing stored is lost, and it passes when room returns.

use super::*;
use crate::store::StoreError;
use std::fs;
use std::process::Command;

/// A small file system of its own, gone when dropped.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new(mib: u32) -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(dir.path())
            .output();
        let said = match &mounted {
            Ok(output) if output.status.success() => return Disk { dir },
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        panic!("this test mounts a tmpfs and therefore runs as root with CAP_SYS_ADMIN: {said}");
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// Takes up everything but `left` bytes.
    fn fill(&self, left: u64) -> std::path::PathBuf {
        let path = self.dir.path().join("filler");
        let free = crate::store::files::free(self.dir.path()).unwrap();
        fs::write(&path, vec![1; free.saturating_sub(left) as usize]).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount")
            .arg("-l")
            .arg(self.dir.path())
            .status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "the tmpfs stays mounted"
        );
    }
}

#[test]
fn commits_are_refused_before_the_disk_is_full_and_go_on_when_there_is_room() {
    let disk = Disk::new(24);
    let (mut queue, _) = open(&disk.data());
    queue.rotate_at = 300_000;
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
