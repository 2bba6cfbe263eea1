//! When the next message may go out: some seconds after the last one, and later where it failed.

use crate::sms::codes::Class;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Waits before what failed is tried again, in twelfths of the first long one: where it may work in
/// seconds, and where in minutes.
const SOON: [u32; 3] = [1, 3, 6];
const LATER: [u32; 4] = [12, 60, 180, 360];

/// The same between two sessions.
const SESSIONS: [u32; 4] = [12, 60, 180, 720];

/// When the next message may go out.
#[derive(Debug)]
pub(super) struct Pace {
    pause: Duration,
    retry: Duration,
    /// There may be something to send.
    has_work: bool,
    /// Not before this.
    rest_until: Instant,
    /// When the last one went out, or did not.
    last: Instant,
    /// Failures in a row.
    failures: usize,
    sessions_failed: usize,
}

impl Pace {
    pub(super) fn new(pause: Duration, retry: Duration) -> Pace {
        let now = Instant::now();
        Pace {
            pause,
            retry,
            has_work: true,
            rest_until: now,
            last: now,
            failures: 0,
            sessions_failed: 0,
        }
    }

    /// Waits until something may be sent.
    pub(super) async fn due(&self) {
        match self.has_work {
            true => sleep_until(self.rest_until).await,
            false => pending().await,
        }
    }

    /// There may be something new: that does not wait for hours after what failed before it.
    pub(super) fn woken(&mut self) {
        self.has_work = true;
        let now = Instant::now();
        let soon = self.last + self.retry;
        self.rest_until = self.rest_until.min(soon.max(now));
    }

    /// There is nothing to send.
    pub(super) const fn idle(&mut self) {
        self.has_work = false;
    }

    /// One went out.
    pub(super) fn sent(&mut self) {
        self.last = Instant::now();
        self.rest_until = self.last + self.pause;
        self.failures = 0;
        self.sessions_failed = 0;
        self.has_work = true;
    }

    /// One did not, for a reason of this kind.
    pub(super) fn failed(&mut self, class: Class) {
        let twelfths = match (class, self.failures) {
            (Class::Soon | Class::Full, failures) if failures < SOON.len() => SOON[failures],
            (_, failures) => LATER[failures.min(LATER.len() - 1)],
        };
        self.failures += 1;
        self.last = Instant::now();
        self.rest_until = self.last + (self.retry * twelfths / 12).max(self.pause);
        self.has_work = true;
    }

    /// A session has ended; how long to wait before the next.
    pub(super) fn session_failed(&mut self) -> Duration {
        let at = self.sessions_failed.min(SESSIONS.len() - 1);
        self.sessions_failed += 1;
        self.has_work = true;
        self.retry * SESSIONS[at] / 12
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn failures_are_waited_out_longer_and_longer_and_new_alarms_shorten_it() {
        let mut pace = Pace::new(Duration::from_secs(4), MINUTE);
        let rest = |pace: &Pace| pace.rest_until - Instant::now();
        for seconds in [60, 300, 900, 1800, 1800] {
            pace.failed(Class::Later);
            assert_eq!(rest(&pace), Duration::from_secs(seconds));
        }
        tokio::time::advance(Duration::from_secs(40)).await;
        pace.woken();
        assert_eq!(rest(&pace), Duration::from_secs(20));
        pace.sent();
        assert_eq!(rest(&pace), Duration::from_secs(4));
        for seconds in [5, 15, 30, 1800] {
            pace.failed(Class::Soon);
            assert_eq!(rest(&pace), Duration::from_secs(seconds));
        }
        for minutes in [1, 5, 15, 60, 60] {
            assert_eq!(pace.session_failed(), MINUTE * minutes);
        }
    }
}
