//! Sources that lie: values that were read well and still are not what the machine does.
//!
//! Nothing is configured. Each tag has a watch that learns what is normal for it, in fixed memory,
//! and judges only after it has learned: a tag that has seldom moved is never judged. What was
//! learned outlives a restart ([`Learned`]): it is kept every few hours and not with each
//! checkpoint, which would write some hundred kilobytes of a large gateway to flash each time.
//!
//! The limits are far outside of what was learned, because a wrong alarm costs more trust than a
//! lie that is found an hour later. They are all in [`limits`].

mod block;
mod clock;
mod level;
mod meter;
mod runs;

pub use block::{Block, is_of_zeros};
pub use clock::Behind;
pub use level::{LearnedLevel, Level};
pub use meter::{Counted, Jump, LearnedMeter, Meter};

use crate::time::Mono;
use serde::{Deserialize, Serialize};

/// Every threshold of the detectors.
pub mod limits {
    /// Milliseconds of running time over which runs of one value are learned: a shift, with its
    /// warm-up, its tool changes and its breaks.
    pub const LEARN_RUNNING_MS: u64 = 8 * 3_600_000;

    /// Changes that must have been seen besides: with fewer, the longest run is chance.
    pub const LEAST_CHANGES: u16 = 200;

    /// The limit is this many times the longest run that was ever seen. If values repeat by chance,
    /// the longest of 200 runs is some 5 times the mean, so this is 20 times the mean: chance
    /// exceeds it once in 10^9 runs.
    pub const RUN_FACTOR: u32 = 4;

    /// No shorter run of polls is judged.
    pub const LEAST_RUN: u32 = 20;

    /// So many runs must have been of the order of the longest, which is at least the longest
    /// divided by [`LONG_PART`]: a drive that is ramped moves with each poll for a minute, and then
    /// holds its speed for an hour, and it is the hour that must have been seen often enough.
    pub const LEAST_LONG: u16 = 12;
    /// See [`LEAST_LONG`].
    pub const LONG_PART: u32 = 4;

    /// A tag that has kept a value for longer than this while its machine ran does not "normally
    /// move": set points, recipes, speeds that are held, counters of rare things.
    pub const LONGEST_MS: u64 = 3_600_000;
    /// The same in polls, for tags that are read seldom.
    pub const LONGEST_POLLS: u32 = 20;

    /// A measured value has many values. Of 32 bins that values are thrown into, this many must
    /// have been hit (about 9 values); whole numbers that are not scaled need more (about 22),
    /// because modes, steps of a cycle and numbers of programs are whole numbers too.
    pub const BINS_OF_MEASURED: u32 = 8;
    /// See [`BINS_OF_MEASURED`].
    pub const BINS_OF_WHOLE: u32 = 16;

    /// A counter that has not counted for this many cycles at rated rate stands still even if
    /// nothing was learned, at least for [`RATED_STILL_MS`] of running time: the wrong register
    /// never counts.
    pub const RATED_CYCLES: u64 = 100;
    /// See [`RATED_CYCLES`]. Some machines say that they produce while their tool is changed.
    pub const RATED_STILL_MS: u64 = 3_600_000;

    /// Milliseconds over which the steps of a tag are learned: a day.
    pub const LEARN_STEPS_MS: u64 = 24 * 3_600_000;

    /// The machine must have stopped so often meanwhile: starts and stops have the largest steps.
    pub const LEAST_STOPS: u8 = 2;

    /// The same for a device without a state, whose stops nobody sees: a week has them all.
    pub const LEARN_STEPS_STATELESS_MS: u64 = 7 * 24 * 3_600_000;

    /// A step is implausible beyond this many times the largest that was seen between two polls...
    pub const STEP_FACTOR: f32 = 8.0;

    /// ...and beyond this many times everything that the value has ever spanned.
    pub const SPAN_FACTOR: f32 = 2.0;

    /// A value or count that has jumped is believed at its third poll there: a change of set point,
    /// or a new meter, must not stay bad.
    pub const BELIEVED_AT: u8 = 3;

    /// Machines run up to half as fast again as rated; three times is no machine.
    pub const RATED_FACTOR: f32 = 3.0;

    /// Without a rated rate: so many times the fastest that was learned.
    pub const FASTEST_FACTOR: f32 = 10.0;

    /// With both: so many times the fastest that was learned and confirmed.
    pub const CONFIRMED_FACTOR: f32 = 2.0;

    /// Steps of a counter from which its fastest is learned.
    pub const LEAST_STEPS: u16 = 200;

    /// Counts by which a poll may be off, because controllers copy counters when they like.
    pub const SLACK_COUNTS: f64 = 3.0;

    /// Tags that must have been in an answer for it to be a block at all.
    pub const LEAST_OF_BLOCK: u16 = 3;

    /// Levels and counters drop at once if the levels were read within so many milliseconds before: a
    /// dead controller may not answer for a while before its gateway does, and a machine that was
    /// switched off over night begins with zeros.
    pub const AT_ONCE_MS: u64 = 600_000;

    /// A value that has never been zero for so long, in milliseconds, cannot be: a week has a
    /// weekend with the main switch off.
    pub const NEVER_ZERO_MS: u64 = 7 * 24 * 3_600_000;

    /// Time stamps that stay behind by the same, give or take so many milliseconds...
    pub const BEHIND_JITTER_MS: u64 = 2_000;

    /// ...over so many samples are those of a slow clock.
    pub const BEHIND_SAMPLES: u8 = 3;
}

/// What was learned of a tag, as it is kept: some 35 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Learned {
    /// Of a measured value.
    Level(LearnedLevel),
    /// Of a counter.
    Meter(LearnedMeter),
}

/// What is known where a value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    /// When.
    pub at: Mono,
    /// Milliseconds between two polls.
    pub every_ms: u64,
    /// Whether the machine says that it produces. What it says, not what is believed of it.
    pub running: bool,
    /// How often it was seen to stop; none if it has no state.
    pub stops: Option<u8>,
}

impl Poll {
    /// How many polls so many milliseconds are.
    fn polls(&self, ms: u64) -> u32 {
        u32::try_from(ms / self.every_ms.max(1)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
