//! How the gateway itself is, for its own alarms and its self-test: what drivers report, and what the
//! engine's task sees.

use super::shift::Shift;
use crate::upstream::Reach;
use andon_core::own::Own;
use andon_core::time::Mono;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Where a driver reports how its part is; clones report to the same engine, which looks every second.
/// Only the newest report of a part counts.
#[derive(Debug, Clone)]
pub struct OwnReports(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    reports: watch::Sender<Vec<Report>>,
    /// Number of the last self-test.
    round: watch::Sender<u64>,
}

/// How a part of the gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) own: Own,
    /// Whether something is wrong; none: nobody can tell.
    pub(super) holds: Option<bool>,
    pub(super) why: Option<String>,
    /// The last self-test that its driver has answered; none if it has no test of its own.
    tested: Option<u64>,
}

/// The end of a driver that can test its part.
#[derive(Debug)]
pub struct Tester {
    own: Own,
    reports: OwnReports,
    round: watch::Receiver<u64>,
}

impl OwnReports {
    /// Nothing is known of any part.
    pub fn new() -> OwnReports {
        OwnReports(Arc::new(Shared {
            reports: watch::Sender::new(Vec::new()),
            round: watch::Sender::new(0),
        }))
    }

    /// Nothing is wrong with a part.
    pub fn well(&self, own: Own) {
        self.set(own, |report| {
            (report.holds, report.why) = (Some(false), None)
        });
    }

    /// Something is wrong with a part; why, and what to check.
    pub fn wrong(&self, own: Own, why: impl Into<String>) {
        let why = Some(why.into());
        self.set(own, |report| (report.holds, report.why) = (Some(true), why));
    }

    /// Nobody can tell how a part is now.
    pub fn unknown(&self, own: Own) {
        self.set(own, |report| (report.holds, report.why) = (None, None));
    }

    /// For a driver that can test its part: it is asked at each self-test, and waited for.
    pub fn tester(&self, own: Own) -> Tester {
        let round = self.0.round.subscribe();
        let at = *round.borrow();
        self.set(own, |report| report.tested = Some(at));
        Tester {
            own,
            reports: self.clone(),
            round,
        }
    }

    /// Has every driver test its part, as far as it can, and waits for them; names those that have not
    /// answered in time.
    pub(super) async fn test(&self, patience: Duration) -> Vec<Own> {
        self.0.round.send_modify(|round| *round += 1);
        let round = *self.0.round.borrow();
        let owes = move |report: &&Report| report.tested.is_some_and(|tested| tested < round);
        let mut reports = self.0.reports.subscribe();
        let all = reports.wait_for(|reports| !reports.iter().any(|report| owes(&report)));
        let _ = timeout(patience, all).await;
        let reports = self.0.reports.borrow();
        let silent = reports.iter().filter(owes);
        silent.map(|report| report.own).collect()
    }

    /// Every part of which something was reported.
    pub(super) fn all(&self) -> Vec<Report> {
        self.0.reports.borrow().clone()
    }

    /// Whether something is wrong with a part; none if nobody has said so.
    pub fn holds(&self, own: Own) -> Option<bool> {
        let reports = self.0.reports.borrow();
        let report = reports.iter().find(|report| report.own == own);
        report.and_then(|report| report.holds)
    }

    fn set(&self, own: Own, change: impl FnOnce(&mut Report)) {
        self.0.reports.send_if_modified(|reports| {
            let at = reports.iter().position(|known| known.own == own);
            let at = at.unwrap_or_else(|| {
                reports.push(Report {
                    own,
                    holds: None,
                    why: None,
                    tested: None,
                });
                reports.len() - 1
            });
            let before = reports[at].clone();
            change(&mut reports[at]);
            reports[at] != before
        });
    }
}

impl Default for OwnReports {
    fn default() -> OwnReports {
        OwnReports::new()
    }
}

impl Tester {
    /// Waits until a self-test asks. Never, once the agent stops.
    pub async fn asked(&mut self) {
        if self.round.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The part has passed, or why it has not and what to check.
    pub fn answer(&self, result: Result<(), String>) {
        let round = *self.round.borrow();
        self.reports.set(self.own, |report| {
            report.tested = Some(round);
            report.holds = Some(result.is_err());
            report.why = result.err();
        });
    }
}

impl Shift {
    /// Tells the engine how the gateway is.
    pub(super) fn look_at_gateway(&mut self, now: Mono) {
        for report in self.beside.own.all() {
            let why = report.why.as_deref();
            self.engine.handle_own(now, report.own, report.holds, why);
        }
        let (holds, why) = match &*self.beside.reach.borrow() {
            Reach::Trying => (None, None),
            Reach::Reached => (Some(false), None),
            Reach::Unreachable(why) => (Some(true), Some(why.clone())),
        };
        let broker = Own::BrokerUnreachable;
        self.engine.handle_own(now, broker, holds, why.as_deref());
        let view = self.store.view().borrow().clone();
        let (full, why) = (view.failing.is_some(), view.failing.as_deref());
        self.engine.handle_own(now, Own::DiskFull, Some(full), why);
        if view.damages > self.damages {
            self.damages = view.damages;
            let why = view.damage.as_deref();
            // Found once: its latch keeps it until somebody has looked.
            for holds in [true, false] {
                self.engine
                    .handle_own(now, Own::StoreDamaged, Some(holds), why);
            }
        }
        self.act(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn drivers_that_can_test_their_part_are_asked_and_waited_for() {
        let reports = OwnReports::new();
        reports.wrong(Own::BoardLost, "no heartbeat");
        let mut modem = reports.tester(Own::Modem);
        let _silent = reports.tester(Own::HornTest);
        tokio::spawn(async move {
            modem.asked().await;
            modem.answer(Err("it answers nothing; is it plugged in?".into()));
        });
        let silent = reports.test(Duration::from_secs(10)).await;
        assert_eq!(silent, [Own::HornTest], "the board has no test of its own");
        let all = reports.all();
        let modem = all.iter().find(|report| report.own == Own::Modem);
        assert_eq!(modem.and_then(|report| report.holds), Some(true));
    }
}
