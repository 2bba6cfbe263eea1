//! The disk budget: what is given up, in which order, and that all of it is told.

use super::*;

/// Fills the smallest outbox with `records` records made by `make`, telling what it is told, as
/// the agent does.
fn fill(queue: &mut Queue, records: u64, make: impl Fn(u64) -> Record) -> Vec<Event> {
    let mut all = Vec::new();
    let mut fresh: Vec<Event> = Vec::new();
    let mut seq = 0;
    while seq < records {
        let mut records: Vec<Record> = Vec::new();
        for loss in std::mem::take(&mut fresh) {
            seq += 1;
            records.push(telling(seq, loss));
        }
        for _ in 0..500 {
            seq += 1;
            records.push(make(seq));
        }
        fresh = queue.commit(&with_checkpoint(records, b"state")).unwrap();
        all.extend(fresh.clone());
        let used = queue.view().bytes;
        assert!(used <= SMALL_BUDGET, "{used} bytes of {SMALL_BUDGET}");
    }
    all
}

fn mixed(seq: u64) -> Record {
    match seq % 100 {
        0 => alarm(seq),
        50 => link(seq),
        _ => summary(seq),
    }
}

#[test]
fn oldest_summaries_go_first_and_each_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, opened) = open_with(dir.path(), SMALL_BUDGET);
    let losses = fill(&mut queue, 120_000, mixed);
    assert!(!losses.is_empty());
    let left = read_all(&mut queue);
    assert!(left.is_sorted_by_key(|stored| stored.position));
    assert!(
        left.is_sorted_by_key(|stored| stored.record.seq),
        "order is kept"
    );
    let mut all = vec![0_u64; queue.view.stored as usize + 1];
    for stored in &left {
        all[stored.record.seq as usize] += 1;
    }
    let events = left
        .iter()
        .filter(|s| matches!(s.record.body, Body::Event(_)))
        .count();
    let mut lost = 0;
    for loss in &losses {
        let Event::Loss {
            run,
            seq_from,
            seq_to,
            count,
            class,
            why,
        } = loss
        else {
            panic!("{loss:?}");
        };
        assert_eq!((why.as_str(), *run), ("disk budget", Some(opened.run)));
        assert_eq!(*class, Some(andon_core::record::Class::Summary));
        lost += count;
        for seq in *seq_from..=*seq_to {
            all[seq as usize] += u64::from(all[seq as usize] == 0);
        }
    }
    assert!(
        all[1..].iter().all(|times| *times == 1),
        "each waits or is told"
    );
    assert_eq!(left.len() as u64 + lost, queue.view.stored);
    assert_eq!(queue.view().lost, lost);
    assert!(
        events as u64 >= queue.view.stored / 50,
        "no event was given up"
    );
    // All of it holds over a crash.
    drop(queue);
    let (mut queue, _) = open_with(dir.path(), SMALL_BUDGET);
    assert_eq!(read_all(&mut queue), left);
}

#[test]
fn events_go_before_alarms() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open_with(dir.path(), SMALL_BUDGET);
    let make = |seq| if seq % 10 == 0 { alarm(seq) } else { link(seq) };
    let losses = fill(&mut queue, 150_000, make);
    assert!(!losses.is_empty());
    let left = read_all(&mut queue);
    let alarms = left
        .iter()
        .filter(|s| matches!(s.record.body, Body::Event(Event::Alarm { .. })));
    let made = (1..=queue.view.stored).filter(|seq| seq % 10 == 0).count();
    assert!(
        alarms.count() + losses.len() >= made,
        "no alarm was given up"
    );
}

#[test]
fn done_waits_for_what_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(summaries(1..=10))).unwrap();
    let all = read_all(&mut queue);
    let loss = queue.set_aside(all[4].position, "too large").unwrap();
    let others: Vec<Position> = positions(&all);
    queue.acknowledge(&others);
    assert_eq!(queue.view().done, Some((1, 4)), "5 is lost and not told");
    queue.commit(&batch(vec![telling(11, loss)])).unwrap();
    assert_eq!(
        queue.view().done,
        Some((1, 4)),
        "told, but nobody has heard it"
    );
    drop(queue);
    let (mut queue, _) = open(dir.path());
    assert_eq!(queue.view().done, Some((1, 4)), "also over a restart");
    let left = read_all(&mut queue);
    queue.acknowledge(&positions(&left));
    assert_eq!(queue.view().done, Some((1, 11)));
}

#[test]
fn rewriting_interrupted_before_the_old_was_removed_brings_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open_with(dir.path(), SMALL_BUDGET);
    let mut seq = 0;
    let (rewritten, before) = loop {
        let records: Vec<Record> = (seq + 1..=seq + 500).map(mixed).collect();
        seq += 500;
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        queue.commit(&batch(records)).unwrap();
        if let Some(found) = queue.dirs.iter().find(|dir| dir.name.rewriting > 0) {
            break (found.name, copy);
        }
    };
    let left = read_all(&mut queue);
    drop(queue);
    let outbox = dir.path().join("outbox");
    let old = outbox.join(format!("{:016x}", rewritten.base));
    assert!(!old.exists());
    copy_dir(
        &before.path().join("outbox").join(old.file_name().unwrap()),
        &old,
    );
    let (mut queue, _) = open_with(dir.path(), SMALL_BUDGET);
    assert_eq!(read_all(&mut queue), left);
    assert!(!old.exists());
}
