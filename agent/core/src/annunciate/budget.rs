//! How much may be sent: never more than so many in any 60 minutes and in any 24 hours. Of both, a
//! part is kept for high alarms.

use super::Budget;
use crate::bounded::Queue;
use crate::time::Mono;
use alloc::vec::Vec;

pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;

/// When something was sent lately.
#[derive(Debug)]
pub(super) struct Log {
    budget: Budget,
    /// In ascending order, of the last 24 hours.
    times: Queue<Mono>,
}

impl Log {
    pub(super) fn new(budget: Budget) -> Log {
        Log {
            budget,
            times: Queue::with_capacity(usize::from(budget.per_day)),
        }
    }

    /// Bytes of a log at its fullest.
    pub(super) fn bytes(budget: Budget) -> usize {
        usize::from(budget.per_day) * size_of::<Mono>()
    }

    /// How many more may be sent at `at`.
    pub(super) fn room(&self, at: Mono, urgent: bool) -> usize {
        let left = |(limit, span)| allowed(limit, urgent).saturating_sub(self.used(at, span));
        self.limits().map(left).into_iter().min().unwrap_or(0)
    }

    /// When there is room again; `at` if there is.
    pub(super) fn opens(&self, at: Mono, urgent: bool) -> Mono {
        let times = self.times.items();
        let opens = |(limit, span)| {
            let allowed = allowed(limit, urgent);
            if self.used(at, span) < allowed {
                return at;
            }
            let last = times.len().checked_sub(allowed.max(1));
            let last = last.and_then(|index| times.get(index));
            last.map_or(at, |time| *time + span).max(at)
        };
        self.limits().map(opens).into_iter().max().unwrap_or(at)
    }

    /// Something is sent.
    pub(super) fn note(&mut self, at: Mono) {
        if self.times.room() == 0 {
            self.times.pop();
        }
        let _ = self.times.try_push(at);
    }

    /// The last one was not sent after all.
    pub(super) fn take_back(&mut self) {
        let last = self.times.len().saturating_sub(1);
        let mut index = 0;
        self.times.retain(|_| {
            index += 1;
            index <= last
        });
    }

    /// How long ago each was sent, the oldest first.
    pub(super) fn ages(&self, at: Mono) -> Vec<u64> {
        let ages = self.times.items().iter().map(|time| at.since(*time));
        ages.filter(|age| *age < DAY_MS).collect()
    }

    /// Goes on from a run before.
    pub(super) fn resume(&mut self, at: Mono, ages: &[u64]) {
        for age in ages {
            self.note(at.before(*age));
        }
    }

    fn limits(&self) -> [(u16, u64); 2] {
        [
            (self.budget.per_hour, HOUR_MS),
            (self.budget.per_day, DAY_MS),
        ]
    }

    fn used(&self, at: Mono, span: u64) -> usize {
        let times = self.times.items().iter();
        times.filter(|time| at.since(**time) < span).count()
    }
}

/// What of a limit may be used by what is urgent, or is not.
fn allowed(limit: u16, urgent: bool) -> usize {
    let kept = if urgent { 0 } else { Budget::reserve(limit) };
    usize::from(limit - kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn a_part_is_kept_for_what_is_urgent() {
        let mut log = Log::new(Budget::PERSON);
        let at = Mono(DAY_MS * 10);
        assert_eq!((log.room(at, false), log.room(at, true)), (5, 6));
        for _ in 0..5 {
            log.note(at);
        }
        assert_eq!((log.room(at, false), log.room(at, true)), (0, 1));
        assert_eq!(log.opens(at, false), at + HOUR_MS);
        assert_eq!(log.opens(at, true), at);
        log.take_back();
        assert_eq!(log.room(at, false), 1);
    }

    proptest! {
        /// However it is asked, no hour and no day has more than its limit, and there is room at
        /// the moment that was promised, and not before.
        #[test]
        fn no_hour_and_no_day_has_more(
            (per_hour, per_day) in (1..8u16, 1..30u16),
            steps in prop::collection::vec((0..40u64, any::<bool>()), 1..200),
        ) {
            let mut log = Log::new(Budget { per_hour, per_day });
            let mut at = Mono(DAY_MS * 10);
            let mut sent: Vec<Mono> = Vec::new();
            for (minutes, urgent) in steps {
                at = at + minutes * MINUTE_MS;
                let opens = log.opens(at, urgent);
                if log.room(at, urgent) == 0 {
                    prop_assert!(opens > at);
                    prop_assert_eq!(log.room(Mono(opens.0 - 1), urgent), 0);
                    prop_assert!(log.room(opens, urgent) > 0);
                    continue;
                }
                prop_assert_eq!(opens, at);
                log.note(at);
                sent.push(at);
                let within = |span| sent.iter().filter(|time| at.since(**time) < span).count();
                prop_assert!(within(HOUR_MS) <= usize::from(per_hour));
                prop_assert!(within(DAY_MS) <= usize::from(per_day));
                // What is stored goes on as it was.
                let mut resumed = Log::new(Budget { per_hour, per_day });
                resumed.resume(at, &log.ages(at));
                prop_assert_eq!(resumed.room(at, urgent), log.room(at, urgent));
            }
        }
    }
}
