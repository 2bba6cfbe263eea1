//! Records of a clock that was set only later.

use super::*;
use andon_core::record::Relabel;

const BY: i64 = 1_790_000_000_000;

/// Records as a clock labels them that was never set.
fn unset(seqs: std::ops::RangeInclusive<u64>) -> Vec<Record> {
    let unset = |mut record: Record| {
        record.ts = record.ts + -BY;
        record.clock = ClockState::Unsynced;
        if let Body::Summary(summary) = &mut record.body {
            summary.start = summary.start + -BY;
            summary.end = summary.end + -BY;
        }
        record
    };
    summaries(seqs).into_iter().map(unset).collect()
}

fn relabel(seq_from: u64, seq_to: u64) -> Relabel {
    Relabel {
        seq_from,
        seq_to,
        by_ms: BY,
        clock: ClockState::Synced,
    }
}

fn setting(records: Vec<Record>, relabel: Relabel) -> Batch {
    Batch {
        records,
        checkpoint: Some(vec![1]),
        relabel: Some(relabel),
    }
}

fn records(read: &[Stored]) -> Vec<Record> {
    read.iter().map(|stored| stored.record.clone()).collect()
}

#[test]
fn what_was_stored_before_the_clock_was_set_has_its_right_labels_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(unset(1..=100))).unwrap();
    assert_eq!(records(&read_all(&mut queue)), unset(1..=100));
    assert!(!queue.view().relabelled);
    // The first is not this clock's; the last is made after it was set.
    let mut last = unset(101..=119);
    last.push(summary(120));
    queue.commit(&setting(last, relabel(2, 119))).unwrap();
    let mut expected = summaries(1..=120);
    expected[0] = unset(1..=1).remove(0);
    let read = read_all(&mut queue);
    assert_eq!(records(&read), expected);
    let relabelled = |stored: &Stored| (2..=119).contains(&stored.record.seq);
    assert!(
        read.iter()
            .all(|stored| stored.relabelled == relabelled(stored))
    );
    let view = queue.view();
    assert!(view.relabelled);
    // Over a rotation, a kill, and what the next run relabels.
    queue.rotate().unwrap();
    queue.acknowledge(&positions(&read[..50]));
    queue.persist().unwrap();
    drop(queue);
    let (mut queue, _) = open(dir.path());
    assert!(!queue.view().relabelled, "that was another run");
    assert_eq!(records(&read_all(&mut queue)), expected[50..]);
    queue
        .commit(&setting(unset(1..=10), relabel(1, 10)))
        .unwrap();
    let mut both = expected[50..].to_vec();
    both.extend(summaries(1..=10));
    assert_eq!(records(&read_all(&mut queue)), both);
    assert!(
        queue.view().oldest.unwrap() > Wall(BY / 2),
        "told by the right clock"
    );
}

#[test]
fn killed_before_the_setting_is_on_disk_they_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(unset(1..=10))).unwrap();
    drop(queue);
    let (mut queue, _) = open(dir.path());
    queue.commit(&setting(unset(1..=3), relabel(1, 3))).unwrap();
    let mut expected = unset(1..=10);
    expected.extend(summaries(1..=3));
    assert_eq!(records(&read_all(&mut queue)), expected);
}

#[test]
fn how_a_run_is_relabelled_is_forgotten_with_its_last_record() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let (mut queue, _) = open(dir.path());
        queue
            .commit(&setting(unset(1..=10), relabel(1, 10)))
            .unwrap();
        let all = positions(&read_all(&mut queue));
        queue.acknowledge(&all);
        queue.persist().unwrap();
        assert!(queue.meta.relabels.len() <= 2);
    }
}

#[test]
fn making_room_keeps_the_labels_of_what_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open_with(dir.path(), SMALL_BUDGET);
    let mut seq = 0;
    let relabel = relabel(1, 1_000_000);
    queue.commit(&setting(unset(1..=1), relabel)).unwrap();
    // Until the oldest summaries have had to go, and events of the same directories stay.
    while queue.view().lost == 0 {
        let mut records = unset(seq + 2..=seq + 400);
        let mut event = link(seq + 401);
        event.ts = event.ts + -BY;
        event.clock = ClockState::Unsynced;
        records.push(event);
        seq += 400;
        queue.commit(&batch(records)).unwrap();
    }
    let first = queue.read(None, 1).unwrap().remove(0);
    assert!(first.relabelled);
    assert!(first.record.ts >= Wall(BY));
    assert!(matches!(first.record.body, Body::Event(_)));
}
