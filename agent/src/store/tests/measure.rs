//! Figures for agent/docs/delivery.md: `cargo test -p andon --lib store::tests::measure -- --ignored
//! --nocapture`.

use super::*;
use crate::clock;
use crate::store::pack::{encode, pack};

/// Bytes that this process handed to the kernel to be written. (`write_bytes` counts whole folios,
/// which some file systems make large.)
pub fn written() -> u64 {
    proc("/proc/self/io", "wchar:")
}

pub fn resident_kb() -> u64 {
    proc("/proc/self/status", "VmRSS:")
}

fn proc(file: &str, key: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement: prints figures"]
fn bytes_written() {
    for (each, commits) in [(200, 300), (25, 800), (1, 1000)] {
        let dir = tempfile::tempdir().unwrap();
        let (mut queue, _) = open(dir.path());
        let before = written();
        let (mut payload, mut stored) = (0, 0);
        for n in 0..commits {
            let records: Vec<Record> = (0..each)
                .map(|device| minute(n * each + device + 1, device, n as i64))
                .collect();
            stored += pack(records.iter().map(|record| (record.seq, queue.run, record)))
                .iter()
                .map(|pack| pack.value.len() as u64)
                .sum::<u64>();
            payload += records
                .iter()
                .map(|record| encode(record).len() as u64)
                .sum::<u64>();
            queue.commit(&batch(records)).unwrap();
            let some = queue.read(None, 1000).unwrap();
            queue.acknowledge(&positions(&some));
        }
        let written = written() - before;
        println!(
            "{each} a commit: {} B a record, {} B stored, {:.2} written per stored byte, {:.2} per payload byte, {} B a commit",
            payload / (commits * each),
            stored / (commits * each),
            written as f64 / stored as f64,
            written as f64 / payload as f64,
            written / commits,
        );
    }
}

const DIR: &str = "ANDON_TEST_STORE";

/// Fills in one process and opens in another, as a restart does.
#[test]
#[ignore = "a measurement: prints figures"]
fn backlog_of_20_mb() {
    let Some(dir) = std::env::var_os(DIR) else {
        let dir = tempfile::tempdir().unwrap();
        for _ in ["fill", "open"] {
            let ended = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "store::tests::measure::backlog_of_20_mb"])
                .args(["--ignored", "--nocapture"])
                .env(DIR, dir.path())
                .status();
            assert!(ended.unwrap().success());
        }
        return;
    };
    let before = resident_kb();
    let start = clock::now().mono;
    let (mut queue, opened) = open(Path::new(&dir));
    let took = clock::now().mono.since(start);
    println!(
        "opened in {took} ms; resident: {before} kB before, {} kB after",
        resident_kb()
    );
    if opened.waiting == 0 {
        let mut seq = 0;
        let mut payload = 0;
        while payload < 20_000_000 {
            let records = summaries(seq + 1..=seq + 200);
            seq += 200;
            payload += records
                .iter()
                .map(|record| encode(record).len())
                .sum::<usize>();
            queue.commit(&batch(records)).unwrap();
            if seq % 20_000 == 0 {
                println!("{seq} records, {payload} B: resident {} kB", resident_kb());
            }
        }
        println!(
            "{seq} records, {payload} B payload, {} B on disk",
            queue.view().bytes
        );
        return;
    }
    queue.commit(&batch(summaries(1..=200))).unwrap();
    println!("after a commit: resident {} kB", resident_kb());
    let start = clock::now().mono;
    let count = read_all_counted(&mut queue);
    let took = clock::now().mono.since(start);
    println!(
        "read {count} records in {took} ms, resident {} kB",
        resident_kb()
    );
}

fn read_all_counted(queue: &mut Queue) -> usize {
    let mut count = 0;
    let mut after = None;
    loop {
        let some = queue.read(after, 100).unwrap();
        let Some(last) = some.last() else {
            return count;
        };
        after = Some(last.position);
        count += some.len();
    }
}
