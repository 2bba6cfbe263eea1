//! Random moments, that can be had again: the seed is printed.

use crate::now_ms;
use std::env;

/// xorshift64*: enough to choose moments.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by `ANDON_SEED`, or else by the clock; printed either way.
    pub fn from_environment() -> Self {
        let given = env::var("ANDON_SEED").ok().and_then(|s| s.parse().ok());
        let seed: u64 = given.unwrap_or_else(|| now_ms().unsigned_abs());
        eprintln!("ANDON_SEED={seed}");
        Self(seed | 1)
    }

    /// A number from 0 to `limit` − 1.
    pub fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        mixed as i64 % limit
    }
}
