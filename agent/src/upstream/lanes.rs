//! Which record goes next: what is made while the broker is there goes before the backlog, and events
//! before windows. The backlog has its share all the same, and no more than a rate of its own.
//!
//! Order is kept in each lane for events, and for windows; so it is within each topic. How far ahead is
//! looked for events is bounded ([`LOOK`]): a month's backlog is not searched for them.

use crate::store::{Position, Stored};
use andon_core::record::{Class, Record};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// So many records of a lane are in memory at most.
pub(super) const LOOK: usize = 256;
/// One record of the backlog goes at least after so many windows that are live. (Events are few, and none
/// waits for the backlog.)
const SHARE: u32 = 3;
/// So many records of the backlog may go at once after a pause.
const BURST: u32 = 64;

/// Records that were read and not handed over yet.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The last record that was read; none: from the outbox's head.
    pub(super) read_to: Option<Position>,
    events: VecDeque<Stored>,
    windows: VecDeque<Stored>,
}

impl Lane {
    /// How many more may be read.
    pub(super) fn room(&self) -> usize {
        LOOK.saturating_sub(self.len())
    }

    /// Adds one that was read.
    pub(super) fn push(&mut self, stored: Stored) {
        self.of(&stored.record).push_back(stored);
    }

    fn len(&self) -> usize {
        self.events.len() + self.windows.len()
    }

    fn pop(&mut self) -> Option<Stored> {
        self.events.pop_front().or_else(|| self.windows.pop_front())
    }

    fn of(&mut self, record: &Record) -> &mut VecDeque<Stored> {
        match record.body.class() {
            Class::Summary => &mut self.windows,
            Class::Event | Class::Alarm => &mut self.events,
        }
    }
}

/// Both lanes of a connection.
#[derive(Debug)]
pub(super) struct Lanes {
    /// The last record that was stored before the connection; what is stored since is live.
    pub(super) backlog_to: Position,
    pub(super) live: Lane,
    pub(super) backlog: Lane,
    /// Live windows since the last of the backlog.
    turn: u32,
    /// Between two records of the backlog.
    pace: Duration,
    /// When the next of the backlog would be due if none ever went at once.
    due: Instant,
}

impl Lanes {
    /// For a connection; `newest` is the last record in the outbox, and of the backlog `rate` may go
    /// a second.
    pub(super) fn new(newest: Option<Position>, rate: u32, now: Instant) -> Lanes {
        Lanes {
            backlog_to: newest.unwrap_or(Position(0)),
            live: Lane {
                read_to: newest,
                ..Lane::default()
            },
            backlog: Lane::default(),
            turn: 0,
            pace: Duration::from_secs(1) / rate.max(1),
            due: now,
        }
    }

    /// Whether there are records of the backlog that have not been read.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog.read_to.unwrap_or(Position(0)) < self.backlog_to
    }

    /// What goes next. `room` are the places in the window of `window`: some are kept for
    /// what is live, so that it finds one whenever it comes.
    pub(super) fn next(&mut self, room: usize, window: usize, now: Instant) -> Option<Stored> {
        if let Some(event) = self.live.events.pop_front() {
            return Some(event);
        }
        let may = self.backlog.len() > 0 && self.opens().is_none_or(|at| at <= now);
        let share = may && self.turn >= SHARE;
        if !share && let Some(window) = self.live.windows.pop_front() {
            self.turn += 1;
            return Some(window);
        }
        if !share && (!may || room <= window / 4) {
            return None;
        }
        self.turn = 0;
        self.due = self.due.max(now) + self.pace;
        self.backlog.pop()
    }

    /// When the next of the backlog may go, if that is only a matter of time.
    pub(super) fn opens(&self) -> Option<Instant> {
        (self.backlog.len() > 0)
            .then(|| self.due.checked_sub(self.pace * BURST))
            .flatten()
    }

    /// A record that could not go: it is the next of its lane again.
    pub(super) fn put_back(&mut self, stored: Stored) {
        let lane = match stored.position > self.backlog_to {
            true => &mut self.live,
            false => &mut self.backlog,
        };
        lane.of(&stored.record).push_front(stored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::record::{Body, Event, Run};
    use andon_core::summary::{Sum, Summary};
    use andon_core::time::{ClockState, Wall};

    fn stored(position: u64, body: Body) -> Stored {
        Stored {
            position: Position(position),
            run: Run {
                id: 1,
                boot: 1,
                cfg: 1,
            },
            record: Record {
                seq: position,
                n: position,
                ts: Wall(0),
                clock: ClockState::Synced,
                body,
            },
            relabelled: false,
        }
    }

    fn window(position: u64) -> Stored {
        let summary = Summary::of(&Sum::default());
        stored(position, Body::Summary(Box::new(summary)))
    }

    fn event(position: u64) -> Stored {
        let what = String::new();
        stored(position, Body::Event(Event::Config { what }))
    }

    fn lanes(rate: u32) -> Lanes {
        Lanes::new(Some(Position(1000)), rate, Instant::now())
    }

    fn all(lanes: &mut Lanes, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| lanes.next(32, 32, now))
            .map(|stored| stored.position.0)
            .collect()
    }

    #[test]
    fn live_goes_first_and_events_before_windows_with_a_share_for_the_backlog() {
        let mut lanes = lanes(1000);
        for position in 1..=4 {
            lanes.backlog.push(window(position));
        }
        lanes.backlog.push(event(5));
        for position in 1001..=1007 {
            lanes.live.push(window(position));
        }
        lanes.live.push(event(1008));
        lanes.live.push(event(1009));
        assert_eq!(
            all(&mut lanes, Instant::now()),
            [
                1008, 1009, 1001, 1002, 1003, 5, 1004, 1005, 1006, 1, 1007, 2, 3, 4
            ]
        );
    }

    #[test]
    fn the_backlog_leaves_places_free_and_its_share_takes_one_all_the_same() {
        let mut lanes = lanes(1000);
        let now = Instant::now();
        for position in 1..=20 {
            lanes.backlog.push(window(position));
        }
        assert!(lanes.next(9, 32, now).is_some());
        assert!(lanes.next(8, 32, now).is_none());
        for position in 1001..=1004 {
            lanes.live.push(window(position));
        }
        let next = |lanes: &mut Lanes| lanes.next(1, 32, now).map(|stored| stored.position.0);
        let went: Vec<_> = (0..6).map(|_| next(&mut lanes)).collect();
        assert_eq!(
            went,
            [1001, 1002, 1003, 2, 1004]
                .map(Some)
                .into_iter()
                .chain([None])
                .collect::<Vec<_>>()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_backlog_goes_at_its_rate_and_what_is_live_as_it_comes() {
        let mut lanes = lanes(10);
        for position in 1..=200 {
            lanes.backlog.push(window(position));
        }
        let now = Instant::now();
        assert_eq!(all(&mut lanes, now).len() as u32, BURST + 1);
        let opens = lanes.opens().unwrap();
        assert_eq!(opens - now, Duration::from_millis(100));
        lanes.live.push(window(1001));
        assert_eq!(all(&mut lanes, now), [1001]);
        assert_eq!(all(&mut lanes, now + Duration::from_secs(1)).len(), 10);
    }

    #[test]
    fn what_could_not_go_is_the_next_of_its_lane() {
        let mut lanes = lanes(1000);
        for position in [1, 2] {
            lanes.backlog.push(window(position));
            lanes.live.push(window(1000 + position));
        }
        let now = Instant::now();
        let first = lanes.next(32, 32, now).unwrap();
        lanes.put_back(first);
        assert_eq!(all(&mut lanes, now), [1001, 1002, 1, 2]);
        lanes.put_back(window(7));
        assert_eq!(all(&mut lanes, now), [7]);
    }
}
