//! The gateway's own current value, `status`: what it says, and how often (contract §5).

use andon_core::message::{StatusDetail, StatusMessage};
use andon_core::plant::Gateway;
use andon_core::record::Run;
use andon_core::time::{ClockState, Wall};
use std::time::Duration;
use tokio::time::Instant;

/// Shortest time between two because of a change.
const AFTER_CHANGE: Duration = Duration::from_secs(1);
/// Shortest time between two because only the progress of the outbox changed.
const AFTER_PROGRESS: Duration = Duration::from_secs(10);
/// Longest time between two.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// How the gateway is, as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Links that are up.
    pub links_up: u32,
    /// Links that are down.
    pub links_down: u32,
    /// Devices without good data.
    pub devices_bad: u32,
    /// When the next record is due.
    pub next: Option<Wall>,
    /// How far the wall clock can be believed.
    pub clock: ClockState,
}

/// How far the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Records that wait.
    pub(super) waiting: u64,
    /// When the oldest of them was made.
    pub(super) oldest: Option<Wall>,
    /// Boot and number up to which everything was acknowledged or told as lost.
    pub(super) done: Option<(u32, u64)>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker<'a> {
    /// The gateway.
    pub(super) gateway: &'a Gateway,
    /// This run of the agent.
    pub(super) run: &'a Run,
}

impl Speaker<'_> {
    /// While connected.
    pub(super) fn online(self, health: &Health, progress: &Progress, now: Wall) -> Vec<u8> {
        self.payload(true, now, Some((health, progress)))
    }

    /// At an orderly stop.
    pub(super) fn goodbye(self, health: &Health, progress: &Progress, now: Wall) -> Vec<u8> {
        self.payload(false, now, Some((health, progress)))
    }

    /// For the broker to publish when the connection breaks. It says nothing that would be old by
    /// then; `ts` is when the connection was made.
    pub(super) fn last_will(self, now: Wall) -> Vec<u8> {
        self.payload(false, now, None)
    }

    fn payload(self, online: bool, ts: Wall, detail: Option<(&Health, &Progress)>) -> Vec<u8> {
        let payload = StatusMessage {
            gateway: self.gateway,
            run: self.run,
            online,
            version: env!("CARGO_PKG_VERSION"),
            ts,
            detail: detail.map(|(health, progress)| StatusDetail {
                clock: health.clock,
                waiting: progress.waiting,
                oldest_waiting: progress.oldest,
                links_up: health.links_up,
                links_down: health.links_down,
                devices_bad: health.devices_bad,
                done: progress.done,
                next: health.next,
            }),
        };
        serde_json::to_vec(&payload).expect("numbers and strings always serialise")
    }
}

/// When `status` is due again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<(Instant, Health, Progress)>,
}

impl Pace {
    /// When these are to be published; the moment may have passed. At once if nothing was yet.
    pub(super) fn due(&self, health: &Health, progress: &Progress) -> Option<Instant> {
        let (at, last_health, last_progress) = self.last.as_ref()?;
        let quiet = Health {
            next: last_health.next,
            ..*health
        };
        let wait = if quiet != *last_health {
            AFTER_CHANGE
        } else if health != last_health || progress != last_progress {
            AFTER_PROGRESS
        } else {
            AT_LEAST_EVERY
        };
        Some(*at + wait)
    }

    /// They were published.
    pub(super) fn published(&mut self, now: Instant, health: Health, progress: Progress) {
        self.last = Some((now, health, progress));
    }
}

#[cfg(test)]
mod tests {
    use super::{AFTER_CHANGE, AFTER_PROGRESS, AT_LEAST_EVERY, Health, Pace, Progress, Speaker};
    use andon_core::plant::Gateway;
    use andon_core::record::Run;
    use andon_core::time::{ClockState, Wall};
    use serde_json::json;
    use tokio::time::Instant;

    const HEALTH: Health = Health {
        links_up: 2,
        links_down: 1,
        devices_bad: 1,
        next: Some(Wall(60_000)),
        clock: ClockState::Synced,
    };
    const PROGRESS: Progress = Progress {
        waiting: 3,
        oldest: Some(Wall(50_000)),
        done: Some((12, 4711)),
    };

    #[test]
    fn changes_progress_and_silence_have_their_own_pace() {
        let mut pace = Pace::default();
        assert_eq!(pace.due(&HEALTH, &PROGRESS), None, "the first goes at once");
        let now = Instant::now();
        pace.published(now, HEALTH, PROGRESS);
        assert_eq!(pace.due(&HEALTH, &PROGRESS), Some(now + AT_LEAST_EVERY));

        let progress = Progress {
            waiting: 4,
            ..PROGRESS
        };
        assert_eq!(pace.due(&HEALTH, &progress), Some(now + AFTER_PROGRESS));
        let later = Health {
            next: Some(Wall(120_000)),
            ..HEALTH
        };
        assert_eq!(pace.due(&later, &PROGRESS), Some(now + AFTER_PROGRESS));

        let worse = Health {
            links_down: 2,
            ..later
        };
        assert_eq!(pace.due(&worse, &progress), Some(now + AFTER_CHANGE));
    }

    #[test]
    fn payloads_are_those_of_the_contract() {
        let gateway = Gateway {
            root: "andon".into(),
            site: "suzhou".into(),
            area: "press-shop".into(),
            id: "gw-press-1".into(),
        };
        let run = Run {
            id: 0x9f3a_61c0_7b2d,
            boot: 12,
            cfg: 0x5be1_c0d2,
        };
        let speaker = Speaker {
            gateway: &gateway,
            run: &run,
        };
        let read = |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        let version = env!("CARGO_PKG_VERSION");

        let will = json!({
            "v": 1, "status": "offline", "gateway": "gw-press-1", "version": version,
            "run": "9f3a61c07b2d", "boot": 12, "cfg": "5be1c0d2", "ts": 55_000,
        });
        assert_eq!(read(speaker.last_will(Wall(55_000))), will);

        let mut online = will;
        online["status"] = json!("online");
        for (key, value) in [
            ("clock", json!("synced")),
            ("waiting", json!(3)),
            ("oldest_waiting_ms", json!(50_000)),
            ("links_up", json!(2)),
            ("links_down", json!(1)),
            ("devices_bad", json!(1)),
            ("done_boot", json!(12)),
            ("done_seq", json!(4711)),
            ("next_ms", json!(60_000)),
        ] {
            online[key] = value;
        }
        assert_eq!(
            read(speaker.online(&HEALTH, &PROGRESS, Wall(55_000))),
            online
        );
    }
}
