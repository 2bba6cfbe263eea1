//! Moments of the boot-time clock on tokio's clock.
//!
//! Cost is wake-ups: all links share one [`Pace`], so that whatever is due at the same millisecond
//! is due at the same instant for tokio too, and one tick wakes it.

use crate::clock;
use andon_core::time::Mono;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The clocks part when the gateway was suspended; this much is noise.
const DRIFT: Duration = Duration::from_millis(100);

/// Where the boot-time clock stands on tokio's clock.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    mono: Mono,
    instant: Instant,
}

impl Pace {
    /// Compares the clocks now.
    pub fn now() -> Pace {
        Pace {
            mono: clock::mono(),
            instant: Instant::now(),
        }
    }

    /// Sleeps until `due`.
    pub async fn sleep_until(&mut self, due: Mono) {
        let now = Pace::now();
        if self.instant_of(now.mono).duration_since(now.instant) > DRIFT {
            *self = now;
        }
        sleep_until(self.instant_of(due)).await;
    }

    fn instant_of(&self, at: Mono) -> Instant {
        self.instant + Duration::from_millis(at.since(self.mono))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_is_one_instant() {
        let pace = Pace {
            mono: Mono(1000),
            instant: Instant::now(),
        };
        assert_eq!(
            pace.instant_of(Mono(3000)),
            pace.instant + Duration::from_secs(2)
        );
        assert_eq!(pace.instant_of(Mono(0)), pace.instant);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_suspension_the_clocks_are_compared_anew() {
        let now = clock::mono();
        let asleep_ms = now.0 / 2;
        let mut pace = Pace {
            mono: Mono(now.0 - asleep_ms),
            instant: Instant::now(),
        };
        let before = Instant::now();
        pace.sleep_until(now + 1000).await;
        assert!(before.elapsed() <= Duration::from_millis(1001));
    }
}
