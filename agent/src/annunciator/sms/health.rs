//! How the modem stands, for whoever asks.

use crate::clock;
use crate::run::OwnReports;
use crate::sms::modem::Ready;
use andon_core::annunciate::Outcome;
use andon_core::own::Own;
use andon_core::time::Mono;
use tokio::sync::watch;

/// What the modem can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModemState {
    /// It is being started.
    #[default]
    Starting,
    /// It sends.
    Ready,
    /// It does not; [`Health::why`] says why.
    Trouble,
}

impl ModemState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ModemState::Starting => "starting",
            ModemState::Ready => "ready",
            ModemState::Trouble => "trouble",
        }
    }
}

/// How the modem stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What it can do.
    pub state: ModemState,
    /// Since when.
    pub since: Mono,
    /// Why it cannot send.
    pub why: Option<String>,
    /// Manufacturer and model; empty until it has said so.
    pub model: String,
    /// Signal in dBm.
    pub signal_dbm: Option<i16>,
    /// Whether it is in a network of another operator.
    pub roaming: bool,
    /// Messages in its memory when it was last looked at, and how many have room.
    pub memory: Option<(u16, u16)>,
    /// Messages that the network has taken.
    pub sent: u64,
    /// Those of which nobody knows.
    pub unknown: u64,
    /// Those that failed and were tried again.
    pub failed: u64,
    /// Those that were refused for good.
    pub refused: u64,
    /// Messages that people have sent.
    pub received: u64,
    /// Reports that a message was delivered, and that it cannot be.
    pub delivered: u64,
    /// See there.
    pub undelivered: u64,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            state: ModemState::Starting,
            since: clock::mono(),
            why: None,
            model: String::new(),
            signal_dbm: None,
            roaming: false,
            memory: None,
            sent: 0,
            unknown: 0,
            failed: 0,
            refused: 0,
            received: 0,
            delivered: 0,
            undelivered: 0,
        }
    }
}

/// Raises `gateway.modem` while the modem is in trouble; while it is being started nobody can tell. Ends
/// with its worker.
pub async fn watch_over(mut health: watch::Receiver<Health>, own: OwnReports) {
    loop {
        let (state, why) = {
            let health = health.borrow_and_update();
            (health.state, health.why.clone())
        };
        match state {
            ModemState::Starting => own.unknown(Own::Modem),
            ModemState::Ready => own.well(Own::Modem),
            ModemState::Trouble => own.wrong(Own::Modem, why.unwrap_or_default()),
        }
        if health.changed().await.is_err() {
            return;
        }
    }
}

impl Health {
    fn become_now(&mut self, state: ModemState, why: Option<String>) {
        if self.state != state {
            self.state = state;
            self.since = clock::mono();
        }
        self.why = why;
    }

    pub(super) fn trouble(&mut self, why: String) {
        self.become_now(ModemState::Trouble, Some(why));
    }

    pub(super) fn ready(&mut self, ready: &Ready) {
        self.become_now(ModemState::Ready, None);
        self.model.clone_from(&ready.model);
        self.signal_dbm = ready.signal_dbm;
        self.roaming = ready.roaming;
    }

    /// What it says when it is asked in between.
    pub(super) fn seen(&mut self, registered: bool, signal_dbm: Option<i16>) {
        self.signal_dbm = signal_dbm;
        match registered {
            true => self.become_now(ModemState::Ready, None),
            false => self.become_now(
                ModemState::Trouble,
                Some("the modem has lost its network: look at the antenna".to_owned()),
            ),
        }
    }

    pub(super) fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Sent => {
                self.sent += 1;
                self.become_now(ModemState::Ready, None);
            }
            Outcome::Unknown => self.unknown += 1,
            Outcome::Failed(why) => {
                self.failed += 1;
                self.become_now(ModemState::Trouble, Some(why.clone()));
            }
            Outcome::Refused(_) => self.refused += 1,
        }
    }

    /// In words, for whoever tests it.
    pub fn in_words(&self) -> String {
        crate::sms::described(&Ready {
            model: self.model.clone(),
            signal_dbm: self.signal_dbm,
            roaming: self.roaming,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_modem_in_trouble_fails_and_one_that_starts_says_nothing() {
        let own = OwnReports::new();
        let (tell, health) = watch::channel(Health::default());
        tokio::spawn(watch_over(health, own.clone()));
        for (state, holds) in [
            (ModemState::Trouble, Some(true)),
            (ModemState::Ready, Some(false)),
            (ModemState::Starting, None),
        ] {
            tell.send_modify(|health| health.state = state);
            while own.holds(Own::Modem) != holds {
                tokio::task::yield_now().await;
            }
        }
    }
}
