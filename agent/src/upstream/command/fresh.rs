//! Whether a command is new: it was sent a moment ago, by the gateway's own clock, and none with its nonce
//! was carried out before.
//!
//! - Nonces are remembered for as long as their commands would be new, and no more than [`MOST`] of them:
//!   beyond, no command is taken until some are old.
//! - A command that was sent before one that is forgotten is never new again, even if the clock is set back.
//! - Nothing is remembered over a restart; but what an earlier run may have carried out was sent before
//!   this one began, and is not new.

use andon_core::time::{ClockState, Mono, Now, Wall};
use std::collections::VecDeque;
use std::fmt;

/// A command is stale after this.
pub(super) const STALE_MS: i64 = 60_000;

/// Clocks of those who command may be ahead by this.
pub(super) const AHEAD_MS: i64 = 10_000;

/// Nonces that are remembered.
pub const MOST: usize = 1024;

/// Why a command is not new, or nobody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotNew {
    /// The clock of the gateway has not been set.
    NoClock,
    /// It was sent so many milliseconds ago.
    Stale(i64),
    /// It will be sent in so many milliseconds.
    Ahead(i64),
    /// It was sent before this run began, or at once after that.
    BeforeStart,
    /// It was sent before one that is forgotten; the clock was set back.
    Forgotten,
    /// One with its nonce was carried out.
    Repeated,
    /// Too many were carried out in too short a time.
    TooMany,
}

impl fmt::Display for NotNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotNew::NoClock => f.write_str(
                "the gateway's clock has not been set, so nobody can tell whether it is new",
            ),
            NotNew::Stale(ms) => write!(f, "it is stale: sent {ms} ms ago by the gateway's clock"),
            NotNew::Ahead(ms) => write!(
                f,
                "it was sent {ms} ms ahead of the gateway's clock; one of the clocks is wrong"
            ),
            NotNew::BeforeStart => write!(
                f,
                "it was sent before the agent had run for {} s",
                AHEAD_MS / 1000
            ),
            NotNew::Forgotten => {
                f.write_str("it may be repeated: the gateway's clock was set back")
            }
            NotNew::Repeated => f.write_str("it is repeated: its nonce was used before"),
            NotNew::TooMany => write!(f, "there were more than {MOST} commands in a minute"),
        }
    }
}

/// What was carried out.
#[derive(Debug)]
pub(super) struct Fresh {
    began: Mono,
    seen: VecDeque<(Wall, Box<str>)>,
    /// When the latest that is forgotten was sent.
    forgotten: Option<Wall>,
}

impl Fresh {
    /// Nothing was carried out in the run that began at `began`.
    pub(super) fn new(began: Mono) -> Fresh {
        Fresh {
            began,
            seen: VecDeque::new(),
            forgotten: None,
        }
    }

    /// Whether what was sent at `ts` with this nonce is new.
    pub(super) fn look(&self, now: Now, ts: Wall, nonce: &str) -> Result<(), NotNew> {
        if now.clock == ClockState::Unsynced {
            return Err(NotNew::NoClock);
        }
        let age = now.wall - ts;
        if age > STALE_MS {
            return Err(NotNew::Stale(age));
        }
        if age < -AHEAD_MS {
            return Err(NotNew::Ahead(age.saturating_neg()));
        }
        // Where the start stands on the clock as it goes now.
        let run_for = i64::try_from(now.mono.since(self.began)).unwrap_or(i64::MAX);
        if age >= run_for.saturating_sub(AHEAD_MS) {
            return Err(NotNew::BeforeStart);
        }
        if self.forgotten.is_some_and(|forgotten| ts <= forgotten) {
            return Err(NotNew::Forgotten);
        }
        match self.seen.iter().any(|(_, seen)| **seen == *nonce) {
            true => Err(NotNew::Repeated),
            false => Ok(()),
        }
    }

    /// The same, and from now on it is not new any more.
    pub(super) fn take(&mut self, now: Now, ts: Wall, nonce: &str) -> Result<(), NotNew> {
        self.look(now, ts, nonce)?;
        let forgotten = &mut self.forgotten;
        self.seen.retain(|(sent, _)| {
            let is_old = now.wall - *sent > STALE_MS;
            if is_old {
                *forgotten = (*forgotten).max(Some(*sent));
            }
            !is_old
        });
        if self.seen.len() >= MOST {
            return Err(NotNew::TooMany);
        }
        self.seen.push_back((ts, nonce.into()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Mono = Mono(1_000_000);
    const NOON: i64 = 1_790_000_000_000;

    /// So long after the start, on a clock that goes as it should.
    fn after(ms: u64) -> Now {
        at(ms, NOON + i64::try_from(ms).unwrap())
    }

    fn at(ms: u64, wall: i64) -> Now {
        Now {
            mono: START + ms,
            wall: Wall(wall),
            clock: ClockState::Holdover,
        }
    }

    #[test]
    fn a_command_is_new_once_and_for_a_minute() {
        let mut fresh = Fresh::new(START);
        let now = after(100_000);
        let ts = now.wall;
        assert_eq!(fresh.take(now, ts, "a"), Ok(()));
        assert_eq!(fresh.take(now, ts, "a"), Err(NotNew::Repeated));
        assert_eq!(fresh.take(now, ts + 5_000, "a"), Err(NotNew::Repeated));
        assert_eq!(fresh.take(now, ts + AHEAD_MS, "b"), Ok(()));
        let ahead = fresh.take(now, ts + AHEAD_MS + 1, "c");
        assert_eq!(ahead, Err(NotNew::Ahead(10_001)));
        assert_eq!(fresh.take(now, ts + -STALE_MS, "d"), Ok(()));
        let stale = fresh.take(now, ts + (-STALE_MS - 1), "e");
        assert_eq!(stale, Err(NotNew::Stale(60_001)));
        let later = after(100_000 + 60_000);
        assert_eq!(fresh.take(later, ts, "a"), Err(NotNew::Repeated));
        let later = after(100_000 + 60_001);
        assert_eq!(fresh.take(later, ts, "a"), Err(NotNew::Stale(60_001)));
    }

    #[test]
    fn without_a_clock_nothing_is_new() {
        let mut fresh = Fresh::new(START);
        let now = Now {
            clock: ClockState::Unsynced,
            ..at(100_000, 100_000)
        };
        assert_eq!(fresh.take(now, now.wall, "a"), Err(NotNew::NoClock));
    }

    #[test]
    fn what_was_sent_before_the_start_is_not_new() {
        let mut fresh = Fresh::new(START);
        let early = fresh.take(after(9_999), Wall(NOON + 9_999), "a");
        assert_eq!(early, Err(NotNew::BeforeStart));
        let old = fresh.take(after(20_000), Wall(NOON + 9_999), "a");
        assert_eq!(old, Err(NotNew::BeforeStart));
        let other = fresh.take(after(20_000), Wall(NOON + 10_000), "a");
        assert_eq!(other, Err(NotNew::BeforeStart));
        let new = fresh.take(after(20_000), Wall(NOON + 10_001), "a");
        assert_eq!(new, Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_new_again() {
        let mut fresh = Fresh::new(START);
        let first = after(100_000);
        assert_eq!(fresh.take(first, first.wall, "a"), Ok(()));
        let second = after(200_000);
        assert_eq!(
            fresh.take(second, second.wall, "b"),
            Ok(()),
            "a is forgotten"
        );
        let back = at(200_001, first.wall.0);
        assert_eq!(fresh.take(back, first.wall, "a"), Err(NotNew::Forgotten));
        assert_eq!(fresh.take(back, first.wall + 1, "c"), Ok(()));
    }

    #[test]
    fn too_many_at_once_are_refused_rather_than_forgotten() {
        let mut fresh = Fresh::new(START);
        let now = after(100_000);
        for n in 0..MOST {
            assert_eq!(fresh.take(now, now.wall, &n.to_string()), Ok(()));
        }
        assert_eq!(fresh.take(now, now.wall, "more"), Err(NotNew::TooMany));
        assert_eq!(fresh.take(now, now.wall, "0"), Err(NotNew::Repeated));
        let later = after(160_001);
        assert_eq!(fresh.take(later, later.wall, "more"), Ok(()));
        assert_eq!(fresh.seen.len(), 1);
    }

    proptest! {
        /// Whatever the clock does within a run, nothing is carried out twice.
        #[test]
        fn nothing_is_new_twice(steps in prop::collection::vec(
            (0..90_000u64, -200_000..200_000i64, 0..12usize, -70_000..15_000i64), 1..200,
        )) {
            let mut fresh = Fresh::new(START);
            let (mut mono, mut step) = (20_000, 0);
            let mut sent: Vec<(Wall, usize)> = Vec::new();
            let mut done: Vec<(Wall, usize)> = Vec::new();
            for (passes, steps, again, ahead) in steps {
                mono += passes;
                if again == 0 {
                    step += steps;
                }
                let now = at(mono, NOON + step + i64::try_from(mono).unwrap());
                sent.push((now.wall + ahead, sent.len()));
                let replayed = sent.len().saturating_sub(1 + again);
                for (ts, n) in [sent[replayed], sent[again % sent.len()]] {
                    if fresh.take(now, ts, &n.to_string()).is_ok() {
                        prop_assert!(!done.contains(&(ts, n)), "{ts:?} {n} twice");
                        done.push((ts, n));
                    }
                }
            }
        }

        /// Nor over restarts of a gateway whose clock goes on meanwhile.
        #[test]
        fn nothing_is_new_twice_over_restarts(steps in prop::collection::vec(
            (0..30_000u64, 0..5usize, any::<bool>(), -70_000..15_000i64), 1..200,
        )) {
            let mut fresh = Fresh::new(START);
            let mut ms = 20_000;
            let mut sent: Vec<(Wall, usize)> = Vec::new();
            let mut done: Vec<(Wall, usize)> = Vec::new();
            for (passes, again, restarts, ahead) in steps {
                ms += passes;
                if restarts && again == 0 {
                    fresh = Fresh::new(START + ms);
                }
                let now = after(ms);
                sent.push((now.wall + ahead, sent.len()));
                for (ts, n) in sent.iter().rev().take(again + 1) {
                    if fresh.take(now, *ts, &n.to_string()).is_ok() {
                        prop_assert!(!done.contains(&(*ts, *n)), "{ts:?} {n} twice");
                        done.push((*ts, *n));
                    }
                }
            }
        }
    }
}
