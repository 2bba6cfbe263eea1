//! Waiting for a moment that matters to the microsecond.
//!
//! The runtime's own timer has ticks of a millisecond. At 115,200 baud the silent interval is
//! 1.75 ms and a whole request takes 0.7 ms, so rounding up would cost a fifth of the bus. A timer of
//! the kernel wakes the runtime like any other descriptor.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

/// Something to wait with.
#[derive(Debug)]
pub(super) enum Timer {
    /// To the microsecond.
    Fine(Fine),
    /// To the millisecond: enough where a network is in between.
    Coarse,
}

/// A timer of the kernel.
#[derive(Debug)]
pub(super) struct Fine {
    fd: AsyncFd<OwnedFd>,
    /// When it will wake the runtime, if it will.
    set: Option<Instant>,
}

impl Timer {
    /// A fine one, if the kernel has one to give.
    pub(super) fn fine() -> Timer {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(io::Error::from);
        match fd.and_then(|fd| register(fd, Interest::READABLE)) {
            Ok(fd) => Timer::Fine(Fine { fd, set: None }),
            Err(error) => {
                tracing::warn!("no fine timer: {error}; waiting to the millisecond");
                Timer::Coarse
            }
        }
    }

    /// Waits until `at`, never less. May be dropped and called again.
    pub(super) async fn until(&mut self, at: Instant) {
        if let Timer::Fine(fine) = self
            && fine.until(at).await.is_ok()
        {
            return;
        }
        sleep_until(at).await;
    }
}

#[expect(unsafe_code, reason = "tokio cannot know that a descriptor stays open")]
pub(super) fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned, so it is open and stays the same until the `AsyncFd`, which
    // takes it over, is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
    Ok(registered?)
}

impl Fine {
    async fn until(&mut self, at: Instant) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if now >= at {
                return Ok(());
            }
            // Set for an earlier moment it wakes too early once, which costs less than setting it
            // anew for each byte that comes.
            if self.set.is_none_or(|set| set <= now || set > at) {
                self.set(at, now)?;
            }
            let mut ready = self.fd.readable().await?;
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut [0; 8])?));
            if let Ok(read) = read {
                read?;
                self.set = None;
            }
        }
    }

    fn set(&mut self, at: Instant, now: Instant) -> io::Result<()> {
        let wait = at.duration_since(now);
        let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value,
        };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        self.set = Some(at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_never_wakes_early_also_when_dropped_and_moved() {
        let mut timer = Timer::fine();
        assert!(matches!(timer, Timer::Fine(_)));
        for us in [1, 300, 1_750, 900, 2_000, 50] {
            let at = Instant::now() + Duration::from_micros(us);
            {
                let later = timer.until(at + Duration::from_secs(5));
                tokio::pin!(later);
                let first = std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(later.as_mut().poll(cx).is_pending())
                });
                assert!(first.await);
            }
            timer.until(at).await;
            assert!(Instant::now() >= at);
        }
    }
}
