//! The only file that reads the clocks.

use andon_core::time::{ClockState, Mono, Now, Wall};
use rustix::time::{ClockId, clock_gettime};

/// The wall clock is unset while it shows a time before this: 2026-01-01, older than any build.
pub const EARLIEST: Wall = Wall(1_767_225_600_000);

/// Both clocks, now. The monotonic one is `CLOCK_BOOTTIME`, which counts suspended time.
pub fn now() -> Now {
    let mono = clock_gettime(ClockId::Boottime);
    let wall = clock_gettime(ClockId::Realtime);
    let wall = Wall(millis(wall.tv_sec, wall.tv_nsec));
    Now {
        mono: Mono(u64::try_from(millis(mono.tv_sec, mono.tv_nsec)).unwrap_or(0)),
        wall,
        clock: if wall < EARLIEST {
            ClockState::Unsynced
        } else {
            ClockState::Holdover
        },
    }
}

#[expect(
    clippy::unnecessary_cast,
    reason = "the fields are 32 bits wide on some targets"
)]
fn millis(seconds: rustix::time::Secs, nanos: rustix::time::Nsecs) -> i64 {
    seconds as i64 * 1000 + nanos as i64 / 1_000_000
}
