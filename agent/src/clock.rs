//! The only file that reads the clocks.

use andon_core::time::{ClockState, Mono, Now, Wall};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};

/// The wall clock is unset while it shows a time before this: 2026-01-01, older than any build.
pub const EARLIEST: Wall = Wall(1_767_225_600_000);

/// What the monotonic clock shows when the gateway boots: a century, so that moments before this
/// boot, which a checkpoint may speak of, can be told too.
const BOOT_MS: u64 = 100 * 365 * 24 * 3_600_000;

/// The latest time that is known for sure: what a clock that somebody vouched for showed last, also
/// in an earlier run.
static KNOWN: AtomicI64 = AtomicI64::new(EARLIEST.0);

/// It has been at least `wall`.
pub fn remember(wall: Wall) {
    KNOWN.fetch_max(wall.0, Ordering::Relaxed);
}

/// The time by which certificates are judged.
pub fn for_certificates() -> Wall {
    at_least(now(), Wall(KNOWN.load(Ordering::Relaxed)))
}

/// A clock that nobody vouches for may have been set back at the start to anything, but it is not
/// earlier than what is known. One that is disciplined is right whatever was known before.
fn at_least(now: Now, known: Wall) -> Wall {
    match now.clock {
        ClockState::Synced => now.wall,
        ClockState::Holdover | ClockState::Unsynced => now.wall.max(known),
    }
}

/// The monotonic clock (`CLOCK_BOOTTIME`, which counts suspended time), now.
pub fn mono() -> Mono {
    let since_boot = millis(clock_gettime(ClockId::Boottime));
    Mono(BOOT_MS + u64::try_from(since_boot).unwrap_or(0))
}

/// Microseconds of the monotonic clock, to measure how long something takes.
pub fn micros() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let micros = i128::from(time.tv_sec) * 1_000_000 + i128::from(time.tv_nsec) / 1000;
    u64::try_from(micros).unwrap_or(0)
}

/// Both clocks, now.
pub fn now() -> Now {
    let mono = mono();
    let wall = Wall(millis(clock_gettime(ClockId::Realtime)));
    let clock = if wall < EARLIEST {
        ClockState::Unsynced
    } else if kernel_vouches() {
        ClockState::Synced
    } else {
        ClockState::Holdover
    };
    Now { mono, wall, clock }
}

/// Whether the kernel's clock is disciplined: no `STA_UNSYNC`, and an error of at most a second.
#[expect(
    unsafe_code,
    reason = "no crate in the tree wraps adjtimex for reading"
)]
fn kernel_vouches() -> bool {
    const MOST_ERROR_US: libc::c_long = 1_000_000;
    // SAFETY: timex is plain data for which all zeros is a value, and with `modes` 0 the call
    // only fills it in.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    state >= 0 && timex.status & libc::STA_UNSYNC == 0 && timex.maxerror <= MOST_ERROR_US
}

#[expect(
    clippy::unnecessary_cast,
    reason = "the fields are 32 bits wide on some targets"
)]
fn millis(time: Timespec) -> i64 {
    time.tv_sec as i64 * 1000 + time.tv_nsec as i64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_judged_by_no_earlier_time_than_is_known() {
        let known = Wall(EARLIEST.0 + 1_000_000);
        let at = |wall, clock| {
            let now = Now {
                mono: Mono(0),
                wall: Wall(wall),
                clock,
            };
            at_least(now, known)
        };
        assert_eq!(at(0, ClockState::Unsynced), known, "1970, an empty battery");
        assert_eq!(at(EARLIEST.0 + 5, ClockState::Holdover), known);
        let later = known.0 + 5;
        assert_eq!(at(later, ClockState::Holdover), Wall(later));
        let earlier = known.0 - 5;
        assert_eq!(
            at(earlier, ClockState::Synced),
            Wall(earlier),
            "what was known was wrong"
        );
    }
}
