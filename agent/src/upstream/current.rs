//! Current values: retained at the broker, overwritten, never queued.
//!
//! - There is one slot for each topic and the newest value wins; at most one publish of a topic is
//!   on its way at a time, so that the broker cannot be left with an older one.
//! - On every connect all that hold are due again, `status` last: who sees `status` online under
//!   this run can believe the others.
//! - Every topic that may be retained at the broker is listed in a file before it is first
//!   published. What an earlier run or configuration left there and nobody set again by
//!   [`CurrentValues::settled`] is cleared.

use andon_core::message::topic_head;
use andon_core::plant::Gateway;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The list of topics that may be retained, one a line.
const LIST_FILE: &str = "retained-topics";

/// The topic of the gateway's own current value, below the gateway.
pub(super) const STATUS: &str = "status";

/// The current values of this gateway; clones share them.
#[derive(Debug, Clone)]
pub struct CurrentValues {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// `{root}/v1/{site}/{area}/{gateway}`.
    head: String,
    /// The topic of `status`, which goes last.
    status: String,
    list_file: PathBuf,
    slots: Mutex<Slots>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    by_topic: BTreeMap<String, Slot>,
    /// Every topic that may be retained at the broker.
    listed: BTreeSet<String>,
    /// `listed` differs from the file.
    unsaved: bool,
    /// Values are told otherwise than by retained topics: what is listed is to be cleared.
    unretained: bool,
    /// Topics that are being cleared.
    clearing: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Slot {
    /// None: to be cleared.
    payload: Option<Vec<u8>>,
    /// To be published on this connection.
    due: bool,
    /// Published on this connection and not acknowledged.
    in_flight: bool,
}

/// A current value to publish; an empty payload clears the topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The whole topic.
    pub(super) topic: String,
    /// What to publish.
    pub(super) payload: Vec<u8>,
}

impl CurrentValues {
    /// No values yet; reads from `data_dir` which topics an earlier run may have left retained.
    /// Without that list nothing is cleared, which is told in the log and harms nothing else.
    pub fn open(data_dir: &Path, gateway: &Gateway) -> CurrentValues {
        let head = topic_head(gateway);
        let list_file = data_dir.join(LIST_FILE);
        let listed = read_list(&list_file).unwrap_or_else(|error| {
            tracing::warn!(
                "{}: {error}; topics of an earlier configuration stay at the broker",
                list_file.display()
            );
            BTreeSet::new()
        });
        CurrentValues {
            shared: Arc::new(Shared {
                status: format!("{head}/{STATUS}"),
                head,
                list_file,
                slots: Mutex::new(Slots {
                    listed,
                    ..Slots::default()
                }),
                changed: Notify::new(),
            }),
        }
    }

    /// `payload` is what holds now at this topic below the gateway; none clears the topic.
    pub fn set(&self, topic_tail: String, payload: Option<Vec<u8>>) {
        let topic = format!("{}/{topic_tail}", self.shared.head);
        let mut slots = self.slots();
        if slots
            .by_topic
            .get(&topic)
            .is_some_and(|slot| slot.payload == payload)
        {
            return;
        }
        if payload.is_some() && !slots.unretained && slots.listed.insert(topic.clone()) {
            slots.unsaved = true;
        }
        let slot = slots.by_topic.entry(topic).or_default();
        slot.payload = payload;
        slot.due = true;
        drop(slots);
        self.shared.changed.notify_one();
    }

    /// All that holds after the start has been set: what else may be retained is cleared.
    pub fn settled(&self) {
        let mut slots = self.slots();
        if slots.unretained {
            return;
        }
        let Slots {
            by_topic, listed, ..
        } = &mut *slots;
        for topic in listed.iter().filter(|topic| **topic != self.shared.status) {
            by_topic.entry(topic.clone()).or_insert(Slot {
                due: true,
                ..Slot::default()
            });
        }
        drop(slots);
        self.shared.changed.notify_one();
    }

    /// From here on values are told otherwise than by retained topics. What an earlier run or
    /// configuration has left retained is to be cleared ([`CurrentValues::next_left_over`]).
    pub(super) fn do_not_retain(&self) {
        self.slots().unretained = true;
    }

    /// A topic to clear at the broker.
    pub(super) fn next_left_over(&self) -> Option<String> {
        let mut slots = self.slots();
        if !slots.unretained {
            return None;
        }
        let topic = slots.listed.difference(&slots.clearing).next().cloned()?;
        slots.clearing.insert(topic.clone());
        Some(topic)
    }

    /// The broker has cleared a topic.
    pub(super) fn left_over_cleared(&self, topic: &str) {
        let mut slots = self.slots();
        slots.clearing.remove(topic);
        slots.unsaved |= slots.listed.remove(topic);
        drop(slots);
        self.shared.changed.notify_one();
    }

    /// What holds at this topic below the gateway.
    pub(super) fn held(&self, topic_tail: &str) -> Option<Vec<u8>> {
        let topic = format!("{}/{topic_tail}", self.shared.head);
        self.slots().by_topic.get(&topic)?.payload.clone()
    }

    /// All that holds is told at once, by other means.
    pub(super) fn all_told(&self) {
        let mut slots = self.slots();
        slots.by_topic.retain(|_, slot| slot.payload.is_some());
        for slot in slots.by_topic.values_mut() {
            slot.due = false;
            slot.in_flight = false;
        }
    }

    /// Waits until there may be something to publish.
    pub(super) async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// A new connection: nothing is on its way, and everything that holds is due.
    pub(super) fn connected(&self) {
        let mut slots = self.slots();
        slots.clearing.clear();
        for slot in slots.by_topic.values_mut() {
            slot.due = true;
            slot.in_flight = false;
        }
    }

    /// Brings the list of topics to disk if it changed. Must come before [`CurrentValues::next`].
    pub(super) async fn save_list(&self) {
        let Some(text) = self.unsaved_list() else {
            return;
        };
        let file = self.shared.list_file.clone();
        let written = tokio::task::spawn_blocking(move || write_list(&file, &text)).await;
        if let Err(error) = written.unwrap_or_else(|panicked| Err(io::Error::other(panicked))) {
            tracing::warn!(
                "{}: {error}; a topic that is no longer configured may stay at the broker",
                self.shared.list_file.display()
            );
        }
    }

    /// Takes one that is due; none while a topic is not yet in the list on disk.
    pub(super) fn next(&self) -> Option<Due> {
        let mut slots = self.slots();
        if slots.unsaved {
            return None;
        }
        let status = &self.shared.status;
        let is_due = |slot: &Slot| slot.due && !slot.in_flight;
        let topic = slots
            .by_topic
            .iter()
            .find(|(topic, slot)| is_due(slot) && *topic != status)
            .or_else(|| {
                slots
                    .by_topic
                    .get_key_value(status)
                    .filter(|(_, slot)| is_due(slot))
            })
            .map(|(topic, _)| topic.clone())?;
        let slot = slots.by_topic.get_mut(&topic)?;
        slot.due = false;
        slot.in_flight = true;
        let payload = slot.payload.clone().unwrap_or_default();
        Some(Due { topic, payload })
    }

    /// The broker acknowledged the last publish of this topic. A cleared topic is forgotten.
    pub(super) fn acknowledged(&self, topic: &str) {
        let mut slots = self.slots();
        let Some(slot) = slots.by_topic.get_mut(topic) else {
            return;
        };
        slot.in_flight = false;
        if slot.due {
            drop(slots);
            self.shared.changed.notify_one();
        } else if slot.payload.is_none() {
            slots.by_topic.remove(topic);
            slots.unsaved |= slots.listed.remove(topic);
        }
    }

    fn unsaved_list(&self) -> Option<String> {
        let mut slots = self.slots();
        if !std::mem::take(&mut slots.unsaved) {
            return None;
        }
        Some(
            slots
                .listed
                .iter()
                .flat_map(|topic| [topic.as_str(), "\n"])
                .collect(),
        )
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.shared
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_list(file: &Path) -> io::Result<BTreeSet<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text
            .lines()
            .filter(|line| !line.is_empty())
            .map(String::from)
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// All or nothing, also over a power cut.
fn write_list(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut written = File::create(&new)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&new, file)?;
    match file.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{CurrentValues, Due, LIST_FILE};
    use andon_core::plant::Gateway;
    use std::path::Path;

    fn open(dir: &Path) -> CurrentValues {
        let gateway = Gateway {
            root: "r".into(),
            site: "s".into(),
            area: "a".into(),
            id: "g".into(),
        };
        CurrentValues::open(dir, &gateway)
    }

    fn due(tail: &str, payload: &str) -> Option<Due> {
        Some(Due {
            topic: format!("r/v1/s/a/g/{tail}"),
            payload: payload.into(),
        })
    }

    fn set(values: &CurrentValues, tail: &str, payload: &str) {
        values.set(tail.to_owned(), Some(payload.into()));
    }

    async fn next(values: &CurrentValues) -> Option<Due> {
        values.save_list().await;
        values.next()
    }

    #[tokio::test]
    async fn the_newest_wins_and_an_equal_one_is_not_sent_again() {
        let dir = tempfile::tempdir().unwrap();
        let values = open(dir.path());
        set(&values, "p/state", "1");
        set(&values, "p/state", "2");
        assert_eq!(next(&values).await, due("p/state", "2"));
        assert_eq!(next(&values).await, None);
        set(&values, "p/state", "2");
        values.acknowledged("r/v1/s/a/g/p/state");
        assert_eq!(next(&values).await, None);
    }

    #[tokio::test]
    async fn one_publish_of_a_topic_is_on_its_way_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let values = open(dir.path());
        set(&values, "p/state", "1");
        assert_eq!(next(&values).await, due("p/state", "1"));
        set(&values, "p/state", "2");
        assert_eq!(next(&values).await, None);
        values.acknowledged("r/v1/s/a/g/p/state");
        assert_eq!(next(&values).await, due("p/state", "2"));
    }

    #[tokio::test]
    async fn a_new_connection_makes_all_due_again_with_status_last() {
        let dir = tempfile::tempdir().unwrap();
        let values = open(dir.path());
        set(&values, "status", "online");
        set(&values, "z/state", "1");
        for _ in 0..2 {
            values.connected();
            assert_eq!(next(&values).await, due("z/state", "1"));
            assert_eq!(next(&values).await, due("status", "online"));
            assert_eq!(next(&values).await, None);
        }
    }

    #[tokio::test]
    async fn a_cleared_topic_is_published_empty_once_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let values = open(dir.path());
        set(&values, "p/alarm/fault", "1");
        assert!(next(&values).await.is_some());
        values.acknowledged("r/v1/s/a/g/p/alarm/fault");
        values.set("p/alarm/fault".into(), None);
        assert_eq!(next(&values).await, due("p/alarm/fault", ""));
        values.connected();
        assert_eq!(
            next(&values).await,
            due("p/alarm/fault", ""),
            "not acknowledged yet"
        );
        values.acknowledged("r/v1/s/a/g/p/alarm/fault");
        values.connected();
        assert_eq!(next(&values).await, None);
        assert_eq!(
            std::fs::read_to_string(dir.path().join(LIST_FILE)).unwrap(),
            ""
        );
    }

    #[tokio::test]
    async fn what_an_earlier_run_left_and_nobody_set_again_is_cleared_once_settled() {
        let dir = tempfile::tempdir().unwrap();
        let earlier = open(dir.path());
        for tail in ["p/info", "q/info", "status"] {
            set(&earlier, tail, "x");
        }
        assert!(next(&earlier).await.is_some());

        let values = open(dir.path());
        set(&values, "p/info", "y");
        assert_eq!(next(&values).await, due("p/info", "y"));
        assert_eq!(next(&values).await, None, "the start is not over yet");
        values.settled();
        assert_eq!(next(&values).await, due("q/info", ""));
        assert_eq!(next(&values).await, None);
    }

    #[tokio::test]
    async fn a_topic_is_listed_on_disk_before_it_is_published() {
        let dir = tempfile::tempdir().unwrap();
        let values = open(dir.path());
        set(&values, "p/info", "x");
        assert_eq!(values.next(), None);
        values.save_list().await;
        let list = std::fs::read_to_string(dir.path().join(LIST_FILE)).unwrap();
        assert_eq!(list, "r/v1/s/a/g/p/info\n");
        assert_eq!(values.next(), due("p/info", "x"));
    }

    #[tokio::test]
    async fn values_are_published_also_where_no_list_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let values = open(&dir.path().join("missing"));
        set(&values, "p/info", "x");
        assert_eq!(next(&values).await, due("p/info", "x"));
    }
}
