//! The disk budget: what is given up, in which order, and that all of it is told.

use super::*;
use crate::store::files::{self, trace};
use andon_core::record::{TagValue, TagWindow};
use andon_core::summary::Sum;
use andon_core::tag_sums::{Number, TagSum};
use std::collections::BTreeMap;

/// Fills the smallest outbox with `records` records made by `make`, telling what it is told, as
/// the agent does. At each step of it the disk is within the budget.
fn fill(queue: &mut Queue, records: u64, make: impl Fn(u64) -> Record) -> Vec<Event> {
    let (root, ballast) = (queue.root.clone(), queue.ballast.clone());
    let within = move || {
        let used = files::size(&root) + files::size(&ballast);
        assert!(used <= SMALL_BUDGET, "{used} bytes of {SMALL_BUDGET}");
    };
    trace::watch(move |_, _| within());
    let mut all = Vec::new();
    let mut fresh: Vec<Event> = Vec::new();
    let mut seq = 0;
    while seq < records {
        let mut records: Vec<Record> = Vec::new();
        for event in std::mem::take(&mut fresh) {
            seq += 1;
            records.push(telling(seq, event));
        }
        for _ in 0..500 {
            seq += 1;
            records.push(make(seq));
        }
        fresh = queue.commit(&with_checkpoint(records, b"state")).unwrap();
        all.extend(fresh.clone());
    }
    trace::unwatch();
    all
}

/// Text of which little can be saved.
fn words(seq: u64, len: usize) -> String {
    let letters = noise(seq, len);
    letters.iter().map(|b| char::from(b'0' + b % 64)).collect()
}

/// A window of a shift, which is not merged.
fn shift(seq: u64) -> Record {
    let mut record = summary(seq);
    if let Body::Summary(summary) = &mut record.body {
        summary.tier = Tier::Shift;
        summary.line = Some(words(seq, 200).into());
    }
    record
}

fn event(seq: u64) -> Record {
    let what = words(seq, 400);
    record(seq, Body::Event(Event::Config { what }))
}

fn mixed(seq: u64) -> Record {
    match seq % 100 {
        0 => alarm(seq),
        50 => link(seq),
        _ => shift(seq),
    }
}

#[test]
fn oldest_summaries_go_first_and_each_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, opened) = open_with(dir.path(), SMALL_BUDGET);
    let losses = fill(&mut queue, 50_000, mixed);
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
    let make = |seq| {
        if seq % 10 == 0 {
            alarm(seq)
        } else {
            event(seq)
        }
    };
    let losses = fill(&mut queue, 40_000, make);
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

/// What windows of a device come to.
#[derive(Debug, Clone, PartialEq)]
struct Total {
    end: Wall,
    windows: u32,
    window_ms: u64,
    sum: Sum,
    tags: Vec<TagSum>,
}

/// By tier, device, and whether it is of its tags.
fn totals(records: &[Record]) -> BTreeMap<(Tier, String, bool), Total> {
    let mut totals: BTreeMap<_, Total> = BTreeMap::new();
    for record in records {
        let (merged, window_ms, sum, tags): (_, _, _, &[TagValue]) = match &record.body {
            Body::Summary(window) => (window.merged, window.window_ms(), window.sum(), &[]),
            Body::Tags(tags) => (tags.merged, tags.window_ms, Sum::default(), &tags.tags),
            Body::Event(_) => continue,
        };
        let labels = record.labels().unwrap();
        let key = (
            labels.tier,
            labels.device.to_string(),
            labels.part.is_some(),
        );
        let total = totals.entry(key).or_insert_with(|| Total {
            end: labels.start,
            windows: 0,
            window_ms: 0,
            sum: Sum::default(),
            tags: vec![TagSum::EMPTY; tags.len()],
        });
        assert_eq!(total.end, labels.start, "no hole, and nothing twice");
        assert_eq!((labels.end - labels.start) as u64, window_ms);
        total.end = labels.end;
        total.windows += merged;
        total.window_ms += window_ms;
        total.sum.add(&sum);
        for (total, tag) in total.tags.iter_mut().zip(tags) {
            total.add(&tag.sum);
        }
    }
    totals
}

const DEVICES: u64 = 40;

/// What the devices make in a minute: their windows, those of their tags, and after an hour its.
fn plant(at: u64) -> Vec<Record> {
    let mut records = Vec::new();
    for device in 0..DEVICES {
        records.push(minute(0, device, at as i64));
        records.push(tags(device, at));
    }
    if at % 60 == 59 {
        records.extend((0..DEVICES).map(|device| hour(device, at - 59)));
    }
    records
}

fn hour(device: u64, from: u64) -> Record {
    let mut whole = minute(0, device, from as i64);
    for at in from + 1..from + 60 {
        whole.take_in(minute(0, device, at as i64));
    }
    if let Body::Summary(summary) = &mut whole.body {
        summary.tier = Tier::Hour;
        summary.merged = 1;
    }
    whole
}

fn tags(device: u64, at: u64) -> Record {
    let mut record = minute(0, device, at as i64);
    let Body::Summary(summary) = &record.body else {
        return record;
    };
    let tag = |tag: u64| {
        let random = mixed_up(device << 40 | tag << 32 | at);
        TagValue {
            name: format!("tag-{tag}").into(),
            counter: tag == 0,
            sum: TagSum {
                // Whole numbers, so that they add up to the same in whatever order.
                total: (random >> 20) as f64,
                min: (random & 0xffff) as f64,
                max: (random >> 16 & 0xffff) as f64,
                good_ms: random >> 50,
            },
            last: Some(Number::Float(random as f64)),
        }
    };
    record.body = Body::Tags(Box::new(TagWindow {
        device: summary.device.clone(),
        line: summary.line.clone(),
        tier: Tier::Minute,
        shift: None,
        start: summary.start,
        end: summary.end,
        window_ms: 60_000,
        fold: 0,
        merged: 1,
        clock_step_ms: 0,
        part: 1,
        parts: 1,
        tags: (0..10).map(tag).collect(),
    }));
    record
}

/// Commits what the plant makes, and tells what is told.
fn run_plant(queue: &mut Queue, minutes: u64) -> (Vec<Record>, Vec<Event>) {
    let (mut made, mut all, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    let mut seq = 0;
    for at in 0..minutes {
        let told = std::mem::take(&mut fresh);
        let mut records: Vec<Record> = told.into_iter().map(|event| telling(0, event)).collect();
        records.extend(plant(at));
        for record in &mut records {
            seq += 1;
            record.seq = seq;
        }
        fresh = queue.commit(&batch(records.clone())).unwrap();
        all.extend(fresh.clone());
        made.extend(records);
    }
    (made, all)
}

#[test]
fn windows_are_merged_before_anything_is_lost_and_sum_up_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, opened) = open_with(dir.path(), SMALL_BUDGET);
    let (root, ballast) = (queue.root.clone(), queue.ballast.clone());
    let budget = queue.budget;
    trace::watch(move |_, _| {
        let used = files::size(&root) + files::size(&ballast);
        assert!(used <= budget, "{used} bytes of {budget}");
    });
    let (made, told) = run_plant(&mut queue, 1000);
    trace::unwatch();
    let left: Vec<Record> = read_all(&mut queue).into_iter().map(|s| s.record).collect();
    assert_eq!(totals(&left).len(), totals(&made).len());
    for (key, total) in totals(&made) {
        assert_eq!(totals(&left)[&key], total, "{key:?}");
    }
    let (mut vanished, mut events) = (0, 0);
    for event in &told {
        let Event::Merged {
            run,
            seq_from,
            seq_to,
            count,
            ..
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!(*run, opened.run);
        assert!(*count <= seq_to - seq_from + 1);
        vanished += count;
        events += 1;
    }
    assert_eq!(left.len() as u64 + vanished, made.len() as u64);
    assert!(
        vanished > made.len() as u64 / 2,
        "{vanished} of {}",
        made.len()
    );
    assert!(events < vanished / 10, "{events} events");
    let view = queue.view();
    assert_eq!((view.lost, view.merged), (0, vanished));
    // Hours were merged last, and the newest least.
    let merged = |record: &Record| match &record.body {
        Body::Summary(summary) => summary.merged,
        _ => 0,
    };
    assert_eq!(
        left.iter().rev().map(merged).find(|merged| *merged > 0),
        Some(1)
    );
    assert!(left.iter().map(merged).any(|merged| merged >= 15));
    // All of it holds over a kill.
    drop(queue);
    let (mut queue, opened) = open_with(dir.path(), SMALL_BUDGET);
    assert!(opened.losses.iter().all(|event| told.contains(event)));
    let again: Vec<Record> = read_all(&mut queue).into_iter().map(|s| s.record).collect();
    assert_eq!(again, left);
}

/// A record by which it is clear that what was made before is long past.
fn tomorrow() -> Record {
    let mut record = alarm(1);
    record.ts = record.ts + 86_400_000;
    record
}

/// As many merged directories as there can be, each as far as it goes.
fn merge_all(queue: &mut Queue) {
    queue.rotate().unwrap();
    while queue.merge_some().unwrap() {}
}

fn device_minutes(queue: &mut Queue, minutes: u64) {
    let records = (0..minutes).map(|at| minute(at + 1, 7, at as i64));
    queue.commit(&batch(records.collect())).unwrap();
}

fn spans(queue: &mut Queue) -> Vec<(u64, u32)> {
    let all = read_all(queue).into_iter().map(|stored| stored.record);
    all.filter_map(|record| match record.body {
        Body::Summary(summary) => Some((record.seq, summary.merged)),
        _ => None,
    })
    .collect()
}

#[test]
fn what_was_handed_out_is_never_merged_also_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    device_minutes(&mut queue, 20);
    let sent = queue.read(None, 3).unwrap();
    assert_eq!(sent.len(), 3);
    queue.hung_up();
    queue.commit(&batch(vec![])).unwrap();
    drop(queue);
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(vec![tomorrow()])).unwrap();
    merge_all(&mut queue);
    assert_eq!(spans(&mut queue), [(1, 1), (2, 1), (3, 1), (20, 17)]);

    // Killed while it was being sent, nobody knows how far that has come.
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    device_minutes(&mut queue, 20);
    queue.read(None, 3).unwrap();
    drop(queue);
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(vec![tomorrow()])).unwrap();
    merge_all(&mut queue);
    assert_eq!(spans(&mut queue).len(), 20);
}

#[test]
fn what_is_sent_as_it_is_stored_is_not_merged_either() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    device_minutes(&mut queue, 5);
    queue.read(None, 100).unwrap();
    let records = (5..10).map(|at| minute(at + 1, 7, at as i64)).collect();
    queue.commit(&batch(records)).unwrap();
    // Killed before these are read: but they might have been.
    drop(queue);
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(vec![tomorrow()])).unwrap();
    merge_all(&mut queue);
    assert_eq!(spans(&mut queue).len(), 10);
}

#[test]
fn neither_a_correction_nor_what_it_corrects_is_merged() {
    let correction = |seq| {
        let mut record = minute(seq, 7, 2);
        if let Body::Summary(summary) = &mut record.body {
            summary.rev = 1;
        }
        record
    };
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    device_minutes(&mut queue, 9);
    queue.commit(&batch(vec![correction(10)])).unwrap();
    merge_all(&mut queue);
    assert_eq!(spans(&mut queue), [(2, 2), (3, 1), (9, 6), (10, 1)]);

    // In a later directory, which has even been sent and is gone.
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    device_minutes(&mut queue, 9);
    queue.rotate().unwrap();
    queue.commit(&batch(vec![correction(10)])).unwrap();
    queue.rotate().unwrap();
    let last = queue.read(Some(Position(9)), 9).unwrap();
    queue.acknowledge(&positions(&last));
    assert_eq!(queue.dirs.len(), 2);
    merge_all(&mut queue);
    assert_eq!(spans(&mut queue)[0], (2, 2));
    assert_eq!(
        spans(&mut queue).len(),
        8,
        "from the corrected one on nothing"
    );
}

#[test]
fn what_may_still_be_corrected_is_not_merged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.late_ms = 4 * 60_000;
    let mut last = minute(10, 7, 9);
    let Body::Summary(summary) = &last.body else {
        panic!("{last:?}");
    };
    last.ts = summary.end;
    let mut records: Vec<Record> = (0..9).map(|at| minute(at + 1, 7, at as i64)).collect();
    records.push(last);
    queue.commit(&batch(records)).unwrap();
    merge_all(&mut queue);
    assert_eq!(spans(&mut queue), [(6, 6), (7, 1), (8, 1), (9, 1), (10, 1)]);
}

#[test]
fn done_waits_for_the_telling_of_what_was_merged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    device_minutes(&mut queue, 9);
    merge_all(&mut queue);
    let fresh = queue.commit(&batch(vec![])).unwrap();
    let [
        Event::Merged {
            seq_from: 1,
            seq_to: 8,
            count: 8,
            ..
        },
    ] = fresh[..]
    else {
        panic!("{fresh:?}");
    };
    let all = read_all(&mut queue);
    queue.acknowledge(&positions(&all));
    assert_eq!(queue.view().done, Some((1, 0)));
    queue
        .commit(&batch(vec![telling(10, fresh[0].clone())]))
        .unwrap();
    assert_eq!(
        queue.view().done,
        Some((1, 0)),
        "told, but nobody has heard it"
    );
    let all = read_all(&mut queue);
    queue.acknowledge(&positions(&all));
    assert_eq!(queue.view().done, Some((1, 10)));
}
