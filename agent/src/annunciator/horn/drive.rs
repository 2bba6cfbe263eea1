//! One output that is on or off, kept as its horn wants it.
//!
//! - It is switched at once when the horn does something else, and by the pattern in between; what
//!   could not be switched is tried again every second, and told.
//! - It is switched anew from time to time ([`Switch::REFRESH`]) and at a self-test, and looked at as far
//!   as it can be: a test that nobody hears.
//! - When the agent stops it is switched off.

use super::health::Report;
use super::{Ended, Follow};
use crate::settings::Part;
use andon_core::annunciate::horn::{Horn, Lamp, Tone};
use andon_core::time::Mono;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// After so long, what could not be switched is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A stop waits so long for the last time that an output is switched.
pub(super) const LAST_SWITCH: Duration = Duration::from_millis(600);

/// Something that can be switched on and off.
pub(super) trait Switch: Send {
    /// It is switched anew after so long, also if nothing has changed: what it is connected to may have
    /// been without power, and somebody must find out if it is gone.
    const REFRESH: Duration;

    /// Switches it; or says why it cannot be, in words.
    fn set(&mut self, on: bool) -> impl Future<Output = Result<(), String>> + Send;

    /// Switches it, and looks whether it is as it was switched, where that can be seen.
    fn check(&mut self, on: bool) -> impl Future<Output = Result<(), String>> + Send {
        self.set(on)
    }
}

/// Somebody wants to know whether an output can be switched now: where to tell.
pub(super) type Trial = oneshot::Sender<Result<(), String>>;

/// What an output follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    /// What of the horn.
    pub(super) part: Part,
    /// Whether by its pattern; otherwise on for as long as there is something to be heard or lit.
    pub(super) pulsed: bool,
}

impl Role {
    /// Whether it is to be on at `now`, and when that is to be looked at again.
    fn wanted(self, horn: &Horn, now: Mono) -> (bool, Option<Mono>) {
        let lamp = match self.part {
            Part::Sound => return self.sound(horn, now),
            Part::Red => horn.red,
            Part::Yellow => horn.yellow,
            Part::Green => horn.green,
        };
        match self.pulsed {
            true => (lamp.is_lit(now), lamp.next_change(now)),
            false => (lamp != Lamp::Off, None),
        }
    }

    fn sound(self, horn: &Horn, now: Mono) -> (bool, Option<Mono>) {
        match horn.tone {
            Tone::Low | Tone::Medium | Tone::High if !self.pulsed => (true, None),
            // A ringback is heard once, whatever it is heard through.
            _ => (horn.is_on(now), horn.next_change(now)),
        }
    }
}

/// Keeps an output as the horn that it follows wants it, until the agent stops. `now` reads the
/// monotonic clock.
pub(super) async fn drive<S: Switch>(
    mut follow: Follow,
    role: Role,
    mut switch: S,
    report: Report,
    mut trials: mpsc::Receiver<Trial>,
    now: impl Fn() -> Mono,
) {
    let mut switched: Option<bool> = None;
    let mut trial: Option<Trial> = None;
    let mut again = Instant::now();
    loop {
        let moment = now();
        let (on, next) = role.wanted(&follow.now(), moment);
        let is_due = Instant::now() >= again || trial.is_some();
        if switched != Some(on) || is_due {
            let outcome = match is_due {
                true => switch.check(on).await,
                false => switch.set(on).await,
            };
            report.tell(outcome.as_ref().copied().map_err(|why| &**why));
            let is_ok = outcome.is_ok();
            if let Some(trial) = trial.take() {
                // Whoever asked may have gone meanwhile.
                let _ = trial.send(outcome);
            }
            switched = is_ok.then_some(on);
            let pause = if is_ok { S::REFRESH } else { RETRY };
            again = Instant::now() + pause;
            if !is_ok {
                match wait(&mut follow, &mut trials, again).await {
                    Ok(asked) => trial = asked,
                    Err(Ended) => break,
                }
            }
            // Switching takes its time: what is wanted may be something else by now.
            continue;
        }
        let change = next.map(|next| Instant::now() + Duration::from_millis(next.since(now())));
        let until = change.map_or(again, |change| change.min(again));
        match wait(&mut follow, &mut trials, until).await {
            Ok(asked) => trial = asked,
            Err(Ended) => break,
        }
    }
    if switched != Some(false) {
        let last = timeout(LAST_SWITCH, switch.set(false)).await;
        if !matches!(last, Ok(Ok(()))) {
            tracing::warn!("an output of a horn could not be switched off at the end");
        }
    }
}

/// Until `until`, or until the horn does something else before that, or somebody wants to know.
async fn wait(
    follow: &mut Follow,
    trials: &mut mpsc::Receiver<Trial>,
    until: Instant,
) -> Result<Option<Trial>, Ended> {
    tokio::select! {
        changed = follow.changed() => changed.map(|_| None),
        Some(trial) = trials.recv() => Ok(Some(trial)),
        () = sleep_until(until) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
