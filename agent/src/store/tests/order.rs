//! The order of flushes, syncs and renames: each of them missing loses data in a power cut, which
//! no other test can show.

use super::*;
use crate::store::files::trace;

#[test]
fn commit_is_flushed_and_then_synced() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    let name = queue.dirs[0].name;
    trace::take();
    queue
        .commit(&with_checkpoint(summaries(1..=9), b"state"))
        .unwrap();
    assert_eq!(
        trace::take(),
        [format!("flush {name}"), String::from("sync db")]
    );
}

#[test]
fn new_outbox_is_synced_before_its_first_commit() {
    let dir = tempfile::tempdir().unwrap();
    let start = begin(dir.path(), 0).unwrap();
    trace::take();
    let (queue, _) = Queue::open(&start, BUDGET, 0).unwrap();
    let name = queue.dirs[0].name.to_string();
    let data = dir.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(
        trace::take(),
        [
            // Its own entry, and the start's clearing away.
            &format!("sync-dir {data}"),
            "sync-dir outbox",
            // Making the directory.
            "sync conf",
            "sync db",
            &format!("sync-dir {name}.new"),
            "sync-dir outbox",
            &format!("flush {name}.new"),
            "sync db",
            &format!("rename {name}.new"),
            "sync-dir outbox",
            // Opening it repeats the syncs.
            "sync conf",
            "sync db",
            &format!("sync-dir {name}"),
            "sync-dir outbox",
            // The account of the start.
            &format!("flush {name}"),
            "sync db",
        ]
    );
}

#[test]
fn rotation_makes_the_next_directory_durable_first() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.rotate_at = 300;
    queue.commit(&batch(summaries(1..=20))).unwrap();
    trace::take();
    queue.commit(&batch(summaries(21..=22))).unwrap();
    let name = queue.dirs[1].name.to_string();
    assert_eq!(
        trace::take(),
        [
            "sync conf",
            "sync db",
            &format!("sync-dir {name}.new"),
            "sync-dir outbox",
            &format!("flush {name}.new"),
            "sync db",
            &format!("rename {name}.new"),
            "sync-dir outbox",
            "sync conf",
            "sync db",
            &format!("sync-dir {name}"),
            "sync-dir outbox",
            &format!("flush {name}"),
            "sync db",
        ]
    );
}

#[test]
fn removal_goes_by_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.rotate_at = 300;
    queue.commit(&batch(summaries(1..=20))).unwrap();
    queue.commit(&batch(summaries(21..=22))).unwrap();
    let all = read_all(&mut queue);
    let name = queue.dirs[0].name;
    trace::take();
    queue.acknowledge(&positions(&all[..20]));
    assert_eq!(
        trace::take(),
        [
            &format!("rename {name}"),
            "sync-dir outbox",
            &format!("remove {name}.del"),
            "sync-dir outbox",
        ]
    );
}

#[test]
fn start_counter_is_replaced_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    trace::take();
    let _start = begin(dir.path(), 0).unwrap();
    let data = dir.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(
        trace::take(),
        [
            "sync boot.tmp",
            "rename boot.tmp",
            &format!("sync-dir {data}")
        ]
    );
}

#[test]
fn no_sync_for_acknowledgements_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(summaries(1..=20))).unwrap();
    let all = read_all(&mut queue);
    trace::take();
    queue.acknowledge(&positions(&all));
    assert_eq!(trace::take(), [""; 0]);
}
