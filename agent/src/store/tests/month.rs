//! A month without the broker, in compressed time: 200 devices, the default budget. What arrives afterwards
//! comes to what was made, to the unit, and the disk was within the budget at every moment.
//!
//! `ANDON_DAYS=30 cargo test -p andon --release --lib store::tests::month -- --ignored --nocapture`

use super::measure::{resident_kb, written};
use super::*;
use crate::store::files::{self, trace};
use andon_core::summary::Sum;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

const DEVICES: u64 = 200;
/// What the history leaves of the default `disk_budget` of 64 MiB.
const OUTBOX: u64 = 48 << 20;

/// The sum of a device's windows of a tier, and where the last one ends.
type Totals = HashMap<(Tier, String), (Wall, Sum)>;

fn add(totals: &mut Totals, record: &Record) {
    let Body::Summary(window) = &record.body else {
        return;
    };
    let key = (window.tier, window.device.to_string());
    let (end, sum) = totals
        .entry(key)
        .or_insert_with(|| (window.start, Sum::default()));
    assert_eq!(*end, window.start, "no hole, and nothing twice");
    *end = window.end;
    sum.add(&window.sum());
}

/// The windows that end with a minute: of all devices, and each hour theirs.
fn ended(at: u64, hours: &mut [Option<Record>]) -> Vec<Record> {
    let mut records = Vec::new();
    for device in 0..DEVICES {
        let minute = minute(0, device, at as i64);
        match &mut hours[device as usize] {
            Some(hour) => hour.take_in(minute.clone()),
            none => *none = Some(minute.clone()),
        }
        records.push(minute);
    }
    if at % 60 == 59 {
        for hour in hours {
            let mut hour = hour.take().unwrap();
            if let Body::Summary(summary) = &mut hour.body {
                (summary.tier, summary.merged) = (Tier::Hour, 1);
            }
            records.push(hour);
        }
    }
    records
}

#[test]
#[ignore = "takes minutes; a figure of agent/docs/delivery.md"]
fn a_month_offline_arrives_whole() {
    let days: u64 = std::env::var("ANDON_DAYS").map_or(1, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open_with(dir.path(), OUTBOX);
    let most = Rc::new(Cell::new(0));
    let (seen, root, ballast) = (Rc::clone(&most), queue.root.clone(), queue.ballast.clone());
    let mut step = 0_u64;
    trace::watch(move |what, _| {
        step += 1;
        // The many small steps of commits are looked at now and then, the others always.
        if step.is_multiple_of(50) || !matches!(what, "flush" | "sync") {
            let used = files::size(&root) + files::size(&ballast);
            assert!(used <= OUTBOX, "{used} bytes of {OUTBOX}");
            seen.set(used.max(seen.get()));
        }
    });
    let before = written();
    let (mut made, mut hours) = (Totals::new(), vec![None; DEVICES as usize]);
    let (mut seq, mut stored, mut fresh, mut resident) = (0, 0_u64, Vec::new(), 0);
    for at in 0..days * 24 * 60 {
        let told = std::mem::take(&mut fresh);
        let mut records: Vec<Record> = told.into_iter().map(|event| telling(0, event)).collect();
        records.extend(ended(at, &mut hours));
        for record in &mut records {
            seq += 1;
            record.seq = seq;
            add(&mut made, record);
        }
        stored += pack::pack(records.iter().map(|record| (record.seq, queue.run, record)))
            .iter()
            .map(|pack| pack.value.len() as u64)
            .sum::<u64>();
        fresh = queue.commit(&batch(records)).unwrap();
        assert!(
            fresh
                .iter()
                .all(|event| matches!(event, Event::Merged { .. }))
        );
        resident = resident_kb().max(resident);
    }
    trace::take();
    let (wrote, view) = (written() - before, queue.view());
    println!(
        "{days} days: {seq} records, {} merged, {} lost, {} wait on {:.1} MB, at most {:.1} MB; \
         {:.1} MB written a day, {:.2} for each stored byte; resident at most {resident} kB",
        view.merged,
        view.lost,
        view.waiting,
        view.bytes as f64 / 1e6,
        most.get() as f64 / 1e6,
        wrote as f64 / days as f64 / 1e6,
        wrote as f64 / stored as f64,
    );
    assert_eq!(view.lost, 0);
    let (mut arrived, mut after, mut resident) = (Totals::new(), None, 0);
    loop {
        let some = queue.read(after, 256).unwrap();
        let Some(last) = some.last() else { break };
        after = Some(last.position);
        for stored in &some {
            add(&mut arrived, &stored.record);
        }
        queue.acknowledge(&positions(&some));
        resident = resident_kb().max(resident);
    }
    trace::unwatch();
    assert_eq!(arrived.len(), made.len());
    for (key, total) in &made {
        assert_eq!(arrived.get(key), Some(total), "{key:?}");
    }
    assert_eq!(queue.view().waiting, 0);
    println!(
        "all of it read and acknowledged: the same sums; resident at most {resident} kB, {} B on disk",
        queue.view().bytes
    );
}
