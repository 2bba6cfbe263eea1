//! How long to wait before a connection is tried again: doubled each time, with jitter, so that
//! links that lost the same switch do not come back all at once.

/// Milliseconds before the second attempt, jitter left out.
const FIRST_MS: u64 = 250;

/// Growing waits between attempts.
#[derive(Debug)]
pub struct Backoff {
    attempts: u32,
    last_ms: u64,
    random: u64,
}

impl Backoff {
    /// Waits that grow up to `last_ms`. Different seeds give different jitter.
    pub const fn new(last_ms: u64, seed: u64) -> Backoff {
        Backoff {
            attempts: 0,
            last_ms,
            random: seed,
        }
    }

    /// The next wait in milliseconds: between half and all of what it has grown to.
    pub fn next_ms(&mut self) -> u64 {
        let full = (FIRST_MS << self.attempts.min(16)).min(self.last_ms);
        self.attempts = self.attempts.saturating_add(1);
        full / 2 + self.random() % (full / 2 + 1)
    }

    /// The attempt succeeded.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }

    /// SplitMix64.
    const fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.random ^ self.random >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(5000, 7);
        for full in [250, 500, 1000, 2000, 4000, 5000, 5000, 5000] {
            let wait = backoff.next_ms();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        backoff.reset();
        assert!(backoff.next_ms() <= 250);
    }

    #[test]
    fn links_that_failed_together_do_not_return_together() {
        let mut waits: Vec<u64> = (0..20)
            .map(|seed| Backoff::new(5000, seed).next_ms())
            .collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
