//! Which broker it is: several may be named, and they are tried in turn.
//!
//! - One that cannot be reached, or has acknowledged nothing by the end of its connection, is followed
//!   by the next, at once. When all of them have failed in a row, the round is over.
//! - After one that did acknowledge, a new round begins with the first: the order in the
//!   configuration is the order of preference.

use crate::settings::{Broker, Upstream};
use std::mem::take;

/// The brokers, and how far this round is.
#[derive(Debug)]
pub(super) struct Turn {
    first: Broker,
    others: Vec<Broker>,
    at: usize,
    /// Why those before this one are of no use, in this round.
    refused: Vec<String>,
    /// The present one has acknowledged something.
    worked: bool,
}

impl Turn {
    /// Begins with the first.
    pub(super) fn new(settings: &Upstream) -> Turn {
        Turn {
            first: settings.broker.clone(),
            others: settings.others.clone(),
            at: 0,
            refused: Vec::new(),
            worked: false,
        }
    }

    /// Whose turn it is.
    pub(super) fn broker(&self) -> &Broker {
        let other = self.at.checked_sub(1).and_then(|at| self.others.get(at));
        other.unwrap_or(&self.first)
    }

    /// Its address.
    pub(super) fn address(&self) -> String {
        let Broker { host, port, .. } = self.broker();
        match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }

    /// It acknowledged something.
    pub(super) fn acknowledged(&mut self) {
        self.worked = true;
    }

    /// It is of no use now, though it answers: the next one's turn, the first's after the last.
    pub(super) fn pass_over(&mut self) {
        self.worked = false;
        self.refused.clear();
        self.at = (self.at + 1) % (self.others.len() + 1);
    }

    /// Whether there is another one.
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Its connection is over, or there was none. None: it is the next one's turn. Otherwise all have
    /// been tried, or the one that worked does not any more; why, of each.
    pub(super) fn failed(&mut self, why: &str) -> Option<String> {
        let why = format!("{}: {why}", self.address());
        if take(&mut self.worked) {
            self.at = 0;
            self.refused.clear();
            return Some(why);
        }
        self.refused.push(why);
        self.at += 1;
        if self.at <= self.others.len() {
            return None;
        }
        self.at = 0;
        Some(take(&mut self.refused).join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn turn(hosts: &[&str]) -> Turn {
        let mut brokers = hosts.iter().map(|host| Broker {
            host: (*host).into(),
            port: 1883,
            tls: None,
            username: None,
            username_file: None,
            password_file: None,
        });
        Turn::new(&Upstream {
            payload: crate::settings::Payload::Json,
            broker: brokers.next().unwrap(),
            others: brokers.collect(),
            keep_alive: Duration::from_secs(30),
            max_payload: 1000,
            ack_timeout: Duration::from_secs(30),
            replay: 500,
            window: 1,
            commands: None,
        })
    }

    #[test]
    fn a_single_one_has_always_its_turn() {
        let mut turn = turn(&["::1"]);
        for _ in 0..3 {
            assert_eq!(turn.failed("away").unwrap(), "[::1]:1883: away");
        }
        turn.acknowledged();
        assert_eq!(turn.failed("gone").unwrap(), "[::1]:1883: gone");
    }

    #[test]
    fn all_are_tried_before_the_round_is_over() {
        let mut turn = turn(&["a", "b", "c"]);
        for _ in 0..2 {
            assert_eq!(turn.address(), "a:1883");
            assert_eq!(turn.failed("1"), None);
            assert_eq!(turn.address(), "b:1883");
            assert_eq!(turn.failed("2"), None);
            assert_eq!(turn.address(), "c:1883");
            assert_eq!(turn.failed("3").unwrap(), "a:1883: 1; b:1883: 2; c:1883: 3");
        }
    }

    #[test]
    fn after_one_that_worked_the_first_is_preferred_again() {
        let mut turn = turn(&["a", "b", "c"]);
        assert_eq!(turn.failed("away"), None);
        turn.acknowledged();
        turn.acknowledged();
        assert_eq!(turn.failed("closed").unwrap(), "b:1883: closed");
        assert_eq!(turn.address(), "a:1883");
        // What was wrong in the round before is forgotten, and a connection that does nothing is one
        // that failed.
        assert_eq!(turn.failed("1"), None);
        assert_eq!(turn.failed("2"), None);
        assert_eq!(turn.failed("3").unwrap(), "a:1883: 1; b:1883: 2; c:1883: 3");
    }
}
