//! What from the network is turned away before anything is done: counted, and told in the log without
//! filling it.

use crate::clock;
use andon_core::time::Mono;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

/// Of what is turned away one way, the log has one line in this time.
const TELL_MS: u64 = 10_000;

/// From where somebody wanted something done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// The HTTP door.
    Http,
    /// The command topics of the broker.
    Mqtt,
}

impl Remote {
    /// Each of them.
    pub const ALL: [Remote; 2] = [Remote::Http, Remote::Mqtt];

    /// As in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Remote::Http => "http",
            Remote::Mqtt => "mqtt",
        }
    }
}

/// The account of what was turned away; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<[Account; Remote::ALL.len()]>>);

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    count: u64,
    told: Option<Mono>,
    /// How many the log does not tell of, since it told.
    untold: u64,
}

impl Refusals {
    /// One more, and why.
    pub fn note(&self, from: Remote, why: impl Display) {
        if let Some(untold) = self.account(from, clock::mono()) {
            let more = match untold {
                0 => String::new(),
                untold => format!(" (and {untold} more since the last line)"),
            };
            tracing::warn!("turned away by {}: {why}{more}", from.as_str());
        }
    }

    /// How many there were.
    pub fn count(&self, from: Remote) -> u64 {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts[from as usize].count
    }

    /// One more; how many before it were not told, if this one is to be.
    fn account(&self, from: Remote, now: Mono) -> Option<u64> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = &mut accounts[from as usize];
        account.count += 1;
        if account.told.is_some_and(|told| now.since(told) < TELL_MS) {
            account.untold += 1;
            return None;
        }
        account.told = Some(now);
        Some(std::mem::take(&mut account.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_one_in_a_while_is_told() {
        let refusals = Refusals::default();
        let note = |ms| refusals.account(Remote::Http, Mono(ms));
        assert_eq!(note(5), Some(0));
        assert_eq!(note(6), None);
        assert_eq!(note(10_004), None);
        assert_eq!(
            refusals.account(Remote::Mqtt, Mono(7)),
            Some(0),
            "apart from the other way"
        );
        assert_eq!(note(10_005), Some(2));
        assert_eq!(note(20_005), Some(0));
        assert_eq!(refusals.count(Remote::Http), 5);
        assert_eq!(refusals.count(Remote::Mqtt), 1);
    }
}
