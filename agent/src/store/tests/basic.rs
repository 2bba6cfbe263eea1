//! What the rest of the agent relies on, through the handle.

use super::*;
use crate::store::{Options, Store, StoreError, open as open_store};

fn start(data_dir: &Path) -> (Store, Opened) {
    let start = begin(data_dir, 1).unwrap();
    open_store(Options {
        late_ms: 0,
        start,
        budget: BUDGET,
    })
    .unwrap()
}

#[tokio::test]
async fn records_come_back_in_order_with_their_run_until_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (store, opened) = start(dir.path());
    assert_eq!((opened.checkpoint, opened.waiting), (None, 0));
    let losses = store.commit(summaries(1..=60), None, None).await.unwrap();
    assert_eq!(losses, []);
    let first = store.read(None, 50).await.unwrap();
    let rest = store.read(Some(first[49].position), 50).await.unwrap();
    assert_eq!((first.len(), rest.len()), (50, 10));
    let all: Vec<Stored> = first.into_iter().chain(rest).collect();
    assert!(all.iter().all(|stored| stored.run == opened.run));
    let records: Vec<Record> = all.iter().map(|stored| stored.record.clone()).collect();
    assert_eq!(records, summaries(1..=60));
    store.acknowledge(vec![all[3].position, all[0].position]);
    let left = store.read(None, 3).await.unwrap();
    let seqs: Vec<u64> = left.iter().map(|stored| stored.record.seq).collect();
    assert_eq!(seqs, [2, 3, 5]);
    store.close().await;
}

#[tokio::test]
async fn acknowledgements_survive_an_orderly_close() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = start(dir.path());
    store
        .commit(summaries(1..=5), Some(vec![9; 100_000]), None)
        .await
        .unwrap();
    let all = store.read(None, 9).await.unwrap();
    store.acknowledge(positions(&all[..2]));
    store.close().await;
    let (store, opened) = start(dir.path());
    assert_eq!((opened.run.boot, opened.waiting), (2, 3));
    assert_eq!(opened.checkpoint, Some(vec![9; 100_000]));
    let again = store.read(None, 9).await.unwrap();
    assert_eq!(again, all[2..]);
    store.close().await;
}

#[tokio::test]
async fn view_says_how_far_everything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = start(dir.path());
    let view = store.view();
    assert_eq!((view.borrow().waiting, view.borrow().done), (0, None));
    store.commit(summaries(1..=4), None, None).await.unwrap();
    let seen = view.borrow().clone();
    assert_eq!((seen.waiting, seen.stored, seen.done), (4, 4, Some((1, 0))));
    assert_eq!(seen.oldest, Some(summary(1).ts));
    let all = store.read(None, 9).await.unwrap();
    assert_eq!(seen.newest, Some(all[3].position));
    store.acknowledge(vec![all[0].position, all[2].position, all[2].position]);
    store.read(None, 0).await.unwrap();
    let seen = view.borrow().clone();
    assert_eq!(
        (seen.waiting, seen.acknowledged, seen.done),
        (2, 2, Some((1, 1)))
    );
    store.acknowledge(positions(&all));
    store.read(None, 0).await.unwrap();
    let seen = view.borrow().clone();
    assert_eq!(
        (seen.waiting, seen.oldest, seen.done),
        (0, None, Some((1, 4)))
    );
    store.close().await;
}

#[tokio::test]
async fn set_aside_takes_out_one_record_and_keeps_it_readable() {
    let dir = tempfile::tempdir().unwrap();
    let (store, opened) = start(dir.path());
    store.commit(summaries(1..=3), None, None).await.unwrap();
    let all = store.read(None, 9).await.unwrap();
    let why = String::from("larger than max_payload");
    let loss = store.set_aside(all[1].position, why.clone()).await.unwrap();
    assert_eq!(told(std::slice::from_ref(&loss)), [(Some(1), 2, 2, 1)]);
    assert_eq!(
        store.read(None, 9).await.unwrap(),
        [all[0].clone(), all[2].clone()]
    );
    let again = store.set_aside(all[1].position, why).await;
    assert_eq!(again, Err(StoreError::Unknown(all[1].position)));
    let text = std::fs::read_to_string(dir.path().join("outbox/set-aside.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["record"]["seq"], 2);
    assert_eq!(line["run"], format!("{:012x}", opened.run.id));
    store.close().await;
    // Not told by a record yet: it is handed out again.
    let (store, opened) = start(dir.path());
    assert_eq!(opened.losses, std::slice::from_ref(&loss));
    store
        .commit(vec![telling(1, loss)], None, None)
        .await
        .unwrap();
    store.close().await;
    let (_store, opened) = start(dir.path());
    assert_eq!(opened.losses, []);
}

#[tokio::test]
async fn a_record_larger_than_a_value_is_told_and_the_rest_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = start(dir.path());
    let big = record(
        2,
        Body::Event(Event::Config {
            what: "x".repeat(8000),
        }),
    );
    let losses = store
        .commit(vec![summary(1), big, summary(3)], None, None)
        .await
        .unwrap();
    assert_eq!(told(&losses), [(Some(1), 2, 2, 1)]);
    let left = store.read(None, 9).await.unwrap();
    let seqs: Vec<u64> = left.iter().map(|stored| stored.record.seq).collect();
    assert_eq!(seqs, [1, 3]);
    store.close().await;
}

#[tokio::test]
async fn a_closed_store_hands_the_records_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = start(dir.path());
    store.clone().close().await;
    let rejected = store
        .commit(summaries(1..=2), Some(vec![1]), None)
        .await
        .unwrap_err();
    assert_eq!(rejected.error, StoreError::Closed);
    assert_eq!(rejected.records, summaries(1..=2));
    assert_eq!(rejected.checkpoint, Some(vec![1]));
}

#[test]
fn boot_is_above_both_the_file_and_the_outbox() {
    let dir = tempfile::tempdir().unwrap();
    for expected in 1..=3 {
        assert_eq!(open(dir.path()).1.run.boot, expected);
    }
    std::fs::remove_file(dir.path().join("boot")).unwrap();
    assert_eq!(open(dir.path()).1.run.boot, 4);
    std::fs::remove_dir_all(dir.path().join("outbox")).unwrap();
    assert_eq!(open(dir.path()).1.run.boot, 5);
}

#[test]
fn positions_go_on_after_a_full_drain_and_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.commit(&batch(summaries(1..=3))).unwrap();
    let first = read_all(&mut queue);
    queue.acknowledge(&positions(&first));
    queue.persist().unwrap();
    drop(queue);
    let (mut queue, opened) = open(dir.path());
    assert_eq!(opened.waiting, 0);
    queue.commit(&batch(summaries(1..=1))).unwrap();
    assert!(read_all(&mut queue)[0].position > first[2].position);
}

#[test]
fn a_drained_directory_is_removed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queue, _) = open(dir.path());
    queue.rotate_at = 8_000;
    for n in 0..5 {
        queue
            .commit(&batch(summaries(n * 200 + 1..=n * 200 + 200)))
            .unwrap();
    }
    assert!(queue.dirs.len() >= 4);
    let all = read_all(&mut queue);
    assert_eq!(all.len(), 1000);
    queue.acknowledge(&positions(&all));
    assert_eq!(queue.dirs.len(), 1);
    let on_disk = crate::store::files::names(&dir.path().join("outbox")).unwrap();
    assert_eq!(
        on_disk,
        [queue.dirs[0].name.to_string(), String::from("witness")]
    );
}
