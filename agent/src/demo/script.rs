//! What simulated machines have in common: a seeded die and a repeating script of steps.
//!
//! Machines are pure: the same seed and the same time give the same machine, however often it was
//! looked at in between, because they move in fixed ticks.

/// Milliseconds a machine moves at a time.
pub const TICK_MS: u64 = 50;

/// A small deterministic generator (SplitMix64; Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Die(u64);

impl Die {
    /// A die that falls the same way for the same seed.
    pub const fn new(seed: u64) -> Die {
        Die(seed)
    }

    /// A number from 0 up to, not including, `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    /// `nominal` give or take a tenth.
    pub const fn about(&mut self, nominal: u64) -> u64 {
        nominal - nominal / 10 + self.below(nominal / 5 + 1)
    }
}

/// A list of steps, repeated for ever; each takes its nominal time give or take a tenth.
#[derive(Debug, Clone)]
pub struct Script<T: 'static> {
    steps: &'static [(T, u64)],
    at: usize,
    left_ms: u64,
}

impl<T: Copy> Script<T> {
    /// Begins with the first step; `steps` are what happens and for how many seconds.
    pub const fn new(steps: &'static [(T, u64)], die: &mut Die) -> Script<T> {
        Script {
            steps,
            at: 0,
            left_ms: die.about(steps[0].1 * 1000),
        }
    }

    /// What happens now.
    pub const fn step(&self) -> T {
        self.steps[self.at].0
    }

    /// Moves one tick; tells the step that has just begun, if one has.
    pub const fn tick(&mut self, die: &mut Die) -> Option<T> {
        self.left_ms = self.left_ms.saturating_sub(TICK_MS);
        if self.left_ms > 0 {
            return None;
        }
        self.at = (self.at + 1) % self.steps.len();
        self.left_ms = die.about(self.steps[self.at].1 * 1000);
        Some(self.step())
    }
}

/// Parts that a machine has really made, whatever its counters say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Good parts.
    pub good: u64,
    /// Scrap.
    pub scrap: u64,
}

impl Made {
    /// Both.
    pub const fn total(self) -> u64 {
        self.good + self.scrap
    }
}
