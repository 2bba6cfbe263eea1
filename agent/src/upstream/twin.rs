//! Two gateways with one id find each other by `run` (contract §5).
//!
//! A broker ends the older connection when a client with the same id comes, so both are thrown out
//! by turns. From the second connection of a run on its own `status` is listened to: what another
//! run has put there since ours was taken can only come from another gateway. The first connection
//! listens to nothing, so that a broker that allows no subscription sees one only where something is
//! wrong; and if a connection ends before it has been granted, it is not asked for again.

use crate::run::OwnReports;
use andon_core::message::run_id;
use andon_core::own::Own;
use andon_core::record::Run;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// A connection that lasts this long has no rival.
const ALONE: Duration = Duration::from_secs(120);

/// Looks for another gateway with the same id.
#[derive(Debug)]
pub(super) struct Twin {
    run: String,
    own: OwnReports,
    /// Ours was taken at least once, so that an older run's is gone.
    told: bool,
    /// What has come of listening.
    listening: Listening,
    connected: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listening {
    No,
    Asked,
    Granted,
    /// The broker ends the connection for it.
    Refused,
}

#[derive(Deserialize)]
struct Status {
    run: String,
}

impl Twin {
    pub(super) fn new(run: &Run, own: OwnReports) -> Twin {
        Twin {
            run: run_id(run),
            own,
            told: false,
            listening: Listening::No,
            connected: None,
        }
    }

    /// A connection begins; whether to listen on it.
    pub(super) fn connected(&mut self) -> bool {
        self.connected = Some(Instant::now());
        if self.listening == Listening::Asked {
            self.listening = Listening::Refused;
        }
        if !self.told || self.listening == Listening::Refused {
            return false;
        }
        self.listening = Listening::Asked;
        true
    }

    /// The broker lets us listen.
    pub(super) fn granted(&mut self) {
        self.listening = Listening::Granted;
    }

    /// Our `status` was taken.
    pub(super) fn told(&mut self) {
        self.told = true;
        let alone = self.connected.is_some_and(|at| at.elapsed() >= ALONE);
        if alone {
            self.own.well(Own::DuplicateGateway);
        }
    }

    /// This is what the `status` of this gateway says.
    pub(super) fn heard(&mut self, payload: &[u8]) {
        let Ok(Status { run }) = serde_json::from_slice(payload) else {
            return;
        };
        if run != self.run {
            let why = format!(
                "run {run} speaks as this gateway, which is run {}",
                self.run
            );
            self.own.wrong(Own::DuplicateGateway, why);
            self.connected = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin() -> (Twin, OwnReports) {
        let own = OwnReports::new();
        let run = Run {
            id: 0xab,
            boot: 1,
            cfg: 0,
        };
        (Twin::new(&run, own.clone()), own)
    }

    #[tokio::test(start_paused = true)]
    async fn another_run_after_ours_was_told_is_another_gateway() {
        let (mut twin, own) = twin();
        assert!(!twin.connected(), "what is there may be of our run before");
        twin.told();
        assert!(twin.connected());
        twin.granted();
        twin.heard(br#"{"run":"0000000000ab","status":"offline"}"#);
        assert_eq!(own.holds(Own::DuplicateGateway), None, "our own last will");
        twin.heard(br#"{"run":"0000000000cd","status":"online"}"#);
        assert_eq!(own.holds(Own::DuplicateGateway), Some(true));
        twin.told();
        assert_eq!(own.holds(Own::DuplicateGateway), Some(true));
        tokio::time::advance(ALONE).await;
        twin.told();
        assert_eq!(own.holds(Own::DuplicateGateway), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_ends_the_connection_for_it_is_not_asked_again() {
        let (mut twin, _) = twin();
        twin.connected();
        twin.told();
        assert!(twin.connected());
        assert!(!twin.connected(), "not granted on the one before");
        assert!(!twin.connected());
    }
}
