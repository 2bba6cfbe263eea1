//! Records between the engine and the disk.
//!
//! When the disk does not take them: records wait here, up to [`MOST`]; then the oldest summaries
//! are dropped, then the oldest events, each loss told by a `loss` event. Alarm events go last. Pages
//! of the history wait beside them, up to [`MOST_ROWS`]; then the oldest go, told in the log.

use andon_core::history::{Leaf, Page};
use andon_core::record::{Class, Event, Record, Run};
use andon_core::time::Mono;
use std::collections::VecDeque;

/// Records that wait at most. A record takes about 350 bytes here.
pub const MOST: usize = 8192;

/// Rows and marks of the history's pages that wait at most.
pub const MOST_ROWS: usize = 4096;

/// A commit is due this long after the first record that waits for it.
const COMMIT_AFTER_MS: u64 = 10_000;

/// Or when this many wait: about 4 kB on disk.
const COMMIT_AT: usize = 64;

/// A commit that failed is tried again after this.
const RETRY_AFTER_MS: u64 = 1_000;

/// Bytes of checkpoints that may be written in a day by themselves, so that flash lasts; more
/// devices are written less often. Every commit of summaries and alarms carries one anyway.
const CHECKPOINT_BYTES_A_DAY: u64 = 20_000_000;

/// Records that wait for a commit.
#[derive(Debug)]
pub struct Staging {
    records: VecDeque<Record>,
    pages: VecDeque<Page>,
    /// Pages that were dropped.
    pages_dropped: u64,
    /// When the first of the records and pages came.
    since: Option<Mono>,
    /// A person waits for it.
    urgent: bool,
    /// No commit before this.
    rest_until: Mono,
    /// When the last checkpoint was written, and how large it was.
    checkpoint_at: Mono,
    checkpoint_bytes: usize,
    /// It is due now, whatever its size.
    checkpoint_wanted: bool,
    /// Numbers that were dropped and not yet told.
    dropped: Option<Dropped>,
}

#[derive(Debug, Clone, Copy)]
struct Dropped {
    from: u64,
    to: u64,
    count: u64,
    class: Option<Class>,
}

impl Staging {
    /// Nothing waits.
    pub fn new(now: Mono) -> Staging {
        Staging {
            records: VecDeque::with_capacity(COMMIT_AT),
            pages: VecDeque::new(),
            pages_dropped: 0,
            since: None,
            urgent: false,
            rest_until: now,
            checkpoint_at: now,
            checkpoint_bytes: 0,
            checkpoint_wanted: false,
            dropped: None,
        }
    }

    /// A record waits.
    pub fn push(&mut self, now: Mono, record: Record) {
        self.since.get_or_insert(now);
        self.records.push_back(record);
        if self.records.len() > MOST {
            self.drop_one();
        }
    }

    /// A page of the history waits.
    pub fn keep(&mut self, now: Mono, page: Page) {
        self.since.get_or_insert(now);
        self.pages.push_back(page);
        self.drop_pages();
    }

    /// Every page that waits. They are to be on disk before the checkpoint that is made at the same
    /// time.
    pub fn take_pages(&mut self) -> Vec<Page> {
        self.pages.drain(..).collect()
    }

    /// Pages could not be kept: they wait again, before all others.
    pub fn put_back_pages(&mut self, pages: Vec<Page>) {
        for page in pages.into_iter().rev() {
            self.pages.push_front(page);
        }
        self.drop_pages();
    }

    /// What waits is to be committed at once.
    pub fn hurry(&mut self) {
        self.urgent = !self.records.is_empty();
    }

    /// When the next commit is due.
    pub fn deadline(&self) -> Mono {
        let records = match self.since {
            Some(_) if self.urgent || self.records.len() >= COMMIT_AT => self.rest_until,
            Some(since) => since + COMMIT_AFTER_MS,
            None => self.checkpoint_due(),
        };
        records.min(self.checkpoint_due()).max(self.rest_until)
    }

    /// What was learned is to be committed at once, records or not.
    pub fn checkpoint(&mut self) {
        self.checkpoint_wanted = true;
    }

    /// Everything that waits, and whether a checkpoint must go with it: one made before a summary
    /// or an alarm of this commit would bring it back to life under another number.
    pub fn take(&mut self, now: Mono) -> (Vec<Record>, bool) {
        self.since = None;
        self.urgent = false;
        let records: Vec<Record> = self.records.drain(..).collect();
        let due = now >= self.checkpoint_due();
        let checkpoint = due
            || records
                .iter()
                .any(|record| record.body.class() != Class::Event);
        (records, checkpoint)
    }

    /// A checkpoint of this size was written.
    pub fn checkpointed(&mut self, now: Mono, bytes: usize) {
        self.checkpoint_at = now;
        self.checkpoint_bytes = bytes;
        self.checkpoint_wanted = false;
    }

    /// A commit failed: its records wait again, before all others.
    pub fn put_back(&mut self, now: Mono, records: Vec<Record>) {
        self.rest_until = now + RETRY_AFTER_MS;
        self.urgent = true;
        self.checkpoint_wanted = true;
        if !records.is_empty() {
            self.since.get_or_insert(now);
        }
        for record in records.into_iter().rev() {
            self.records.push_front(record);
        }
        while self.records.len() > MOST {
            self.drop_one();
        }
    }

    /// What was dropped since this was last asked; the engine puts it into the journal.
    pub fn take_loss(&mut self, run: Run) -> Option<Event> {
        // Told once there is room again, so that telling does not drop the next one.
        if self.records.len() > MOST / 2 {
            return None;
        }
        let dropped = self.dropped.take()?;
        Some(Event::Loss {
            why: "the disk took nothing for too long".into(),
            run: Some(run),
            seq_from: dropped.from,
            seq_to: dropped.to,
            count: dropped.count,
            class: dropped.class,
        })
    }

    /// Records that wait.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn drop_pages(&mut self) {
        let mut rows: usize = self.pages.iter().map(rows_of).sum();
        while rows > MOST_ROWS && self.pages.len() > 1 {
            rows -= self.pages.pop_front().as_ref().map_or(0, rows_of);
            if self.pages_dropped == 0 {
                tracing::error!(
                    "the history takes nothing: its oldest pages are dropped, and windows that are \
                     open now may lack them after a restart"
                );
            }
            self.pages_dropped += 1;
        }
    }

    fn checkpoint_due(&self) -> Mono {
        if self.checkpoint_wanted {
            return self.rest_until;
        }
        self.checkpoint_at + self.checkpoint_every()
    }

    fn checkpoint_every(&self) -> u64 {
        let bytes = u64::try_from(self.checkpoint_bytes).unwrap_or(u64::MAX);
        (bytes.saturating_mul(86_400_000) / CHECKPOINT_BYTES_A_DAY).max(COMMIT_AFTER_MS)
    }

    fn drop_one(&mut self) {
        let first = |class| {
            self.records
                .iter()
                .position(|record| record.body.class() == class)
        };
        let at = first(Class::Summary)
            .or_else(|| first(Class::Event))
            .unwrap_or(0);
        let Some(record) = self.records.remove(at) else {
            return;
        };
        let (seq, class) = (record.seq, record.body.class());
        let dropped = self.dropped.get_or_insert(Dropped {
            from: seq,
            to: seq,
            count: 0,
            class: Some(class),
        });
        dropped.from = dropped.from.min(seq);
        dropped.to = dropped.to.max(seq);
        dropped.count += 1;
        dropped.class = dropped.class.filter(|known| *known == class);
    }
}

/// What a page counts as.
fn rows_of(page: &Page) -> usize {
    1 + match &page.leaf {
        Leaf::Minute(rows)
        | Leaf::Piece(rows)
        | Leaf::MinuteAgain(rows)
        | Leaf::PieceAgain(rows) => rows.rows.len(),
        Leaf::Marks(marks) => marks.len(),
        // Some words of memory, where a row has many.
        Leaf::Learned(_, all) => all.iter().map(|of| of.learned.len()).sum::<usize>() / 64,
        Leaf::Tags(tags) => tags.iter().map(|tags| tags.tags.len()).sum::<usize>() / 2,
        Leaf::Relabel(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::record::Body;
    use andon_core::time::{ClockState, Wall};

    const RUN: Run = Run {
        id: 1,
        boot: 1,
        cfg: 1,
    };

    fn record(seq: u64) -> Record {
        let event = Event::Config {
            what: String::new(),
        };
        Record {
            seq,
            n: seq,
            ts: Wall(0),
            clock: ClockState::Synced,
            body: Body::Event(event),
        }
    }

    fn alarm_like(seq: u64) -> Record {
        let event = Event::Loss {
            why: String::new(),
            run: None,
            seq_from: 0,
            seq_to: 0,
            count: 0,
            class: None,
        };
        Record {
            body: Body::Event(event),
            ..record(seq)
        }
    }

    fn seqs(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.seq).collect()
    }

    #[test]
    fn few_records_wait_ten_seconds_and_many_or_urgent_ones_do_not() {
        let mut staging = Staging::new(Mono(0));
        staging.push(Mono(1_000), record(1));
        assert_eq!(
            staging.deadline(),
            Mono(10_000),
            "the checkpoint is due first"
        );
        staging.checkpointed(Mono(5_000), 100);
        assert_eq!(staging.deadline(), Mono(11_000));
        staging.hurry();
        assert!(staging.deadline() <= Mono(1_000));
        let (records, checkpoint) = staging.take(Mono(1_000));
        assert_eq!((seqs(&records), checkpoint), (vec![1], false));
        for seq in 2..=65 {
            staging.push(Mono(2_000), record(seq));
        }
        assert!(staging.deadline() <= Mono(2_000));
    }

    #[test]
    fn a_hurry_without_records_hurries_no_later_one() {
        let mut staging = Staging::new(Mono(0));
        staging.checkpointed(Mono(0), 20_000);
        staging.hurry();
        staging.push(Mono(1_000), record(1));
        assert_eq!(staging.deadline(), Mono(11_000));
    }

    #[test]
    fn summaries_and_alarms_never_go_without_a_checkpoint() {
        let mut staging = Staging::new(Mono(0));
        staging.push(Mono(0), alarm_like(1));
        assert!(staging.take(Mono(0)).1);
    }

    #[test]
    fn a_failed_commit_is_repeated_in_order_after_a_rest() {
        let mut staging = Staging::new(Mono(0));
        staging.push(Mono(0), record(1));
        staging.push(Mono(0), record(2));
        let (records, _) = staging.take(Mono(0));
        staging.push(Mono(0), record(3));
        staging.put_back(Mono(500), records);
        assert_eq!(staging.deadline(), Mono(1_500));
        assert_eq!(seqs(&staging.take(Mono(1_500)).0), [1, 2, 3]);
    }

    #[test]
    fn what_does_not_fit_is_dropped_oldest_first_and_told_with_its_numbers() {
        let mut staging = Staging::new(Mono(0));
        staging.push(Mono(0), alarm_like(1));
        let last = MOST as u64 + 5;
        for seq in 2..=last {
            staging.push(Mono(0), record(seq));
        }
        assert_eq!(staging.len(), MOST);
        assert_eq!(staging.take_loss(RUN), None, "not before there is room");
        let (records, _) = staging.take(Mono(0));
        assert_eq!(
            seqs(&records[..2]),
            [1, 7],
            "the alarm stays, 2 to 6 are gone"
        );
        let Some(Event::Loss {
            seq_from,
            seq_to,
            count,
            class,
            ..
        }) = staging.take_loss(RUN)
        else {
            panic!("a loss must be told");
        };
        assert_eq!(
            (seq_from, seq_to, count, class),
            (2, 6, 5, Some(Class::Event))
        );
        assert_eq!(staging.take_loss(RUN), None);
    }

    #[test]
    fn pages_that_were_not_kept_wait_in_order_and_the_oldest_go_first() {
        let page = |number| Page {
            number,
            leaf: Leaf::Marks(vec![]),
        };
        let numbers = |pages: &[Page]| pages.iter().map(|page| page.number).collect::<Vec<_>>();
        let mut staging = Staging::new(Mono(0));
        staging.checkpointed(Mono(5_000), 100);
        staging.keep(Mono(1_000), page(1));
        staging.keep(Mono(1_000), page(2));
        assert_eq!(
            staging.deadline(),
            Mono(11_000),
            "they are a reason to commit"
        );
        let pages = staging.take_pages();
        staging.keep(Mono(2_000), page(3));
        staging.put_back_pages(pages);
        assert_eq!(numbers(&staging.take_pages()), [1, 2, 3]);
        let many = MOST_ROWS as u64 + 10;
        for number in 1..=many {
            staging.keep(Mono(0), page(number));
        }
        let left = staging.take_pages();
        assert_eq!((left.len(), left[0].number), (MOST_ROWS, 11));
    }

    #[test]
    fn a_wanted_checkpoint_goes_at_once_and_without_records() {
        let mut staging = Staging::new(Mono(0));
        staging.checkpointed(Mono(5_000), 100);
        staging.checkpoint();
        assert!(staging.deadline() <= Mono(5_000));
        assert_eq!(staging.take(Mono(5_000)), (vec![], true));
        staging.checkpointed(Mono(5_000), 100);
        assert_eq!(staging.deadline(), Mono(15_000));
    }

    #[test]
    fn large_checkpoints_are_written_less_often() {
        let mut staging = Staging::new(Mono(0));
        staging.checkpointed(Mono(0), 20_000);
        assert_eq!(staging.deadline(), Mono(86_400));
    }
}
