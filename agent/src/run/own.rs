//! How the gateway itself is, for its own alarms: what drivers report, and what the engine's task sees.

use super::shift::Shift;
use crate::upstream::Reach;
use andon_core::own::Own;
use andon_core::time::Mono;
use std::sync::Arc;
use tokio::sync::watch;

/// Where a driver reports how its part is; clones report to the same engine, which looks every second.
/// Only the newest report of a part counts.
#[derive(Debug, Clone)]
pub struct OwnReports(Arc<watch::Sender<Vec<Report>>>);

/// How a part of the gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    own: Own,
    holds: Option<bool>,
    why: Option<String>,
}

impl OwnReports {
    /// Nothing is known of any part.
    pub fn new() -> OwnReports {
        OwnReports(Arc::new(watch::Sender::new(Vec::new())))
    }

    /// Nothing is wrong with a part.
    pub fn well(&self, own: Own) {
        self.set(own, Some(false), None);
    }

    /// Something is wrong with a part; why, and what to check.
    pub fn wrong(&self, own: Own, why: impl Into<String>) {
        self.set(own, Some(true), Some(why.into()));
    }

    /// Nobody can tell how a part is now.
    pub fn unknown(&self, own: Own) {
        self.set(own, None, None);
    }

    fn set(&self, own: Own, holds: Option<bool>, why: Option<String>) {
        let report = Report { own, holds, why };
        self.0.send_if_modified(|reports| {
            match reports.iter_mut().find(|known| known.own == own) {
                Some(known) if *known == report => return false,
                Some(known) => *known = report,
                None => reports.push(report),
            }
            true
        });
    }
}

impl Default for OwnReports {
    fn default() -> OwnReports {
        OwnReports::new()
    }
}

impl Shift {
    /// Tells the engine how the gateway is.
    pub(super) fn look_at_gateway(&mut self, now: Mono) {
        let reports = self.beside.own.0.borrow().clone();
        for Report { own, holds, why } in reports {
            self.engine.handle_own(now, own, holds, why.as_deref());
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
