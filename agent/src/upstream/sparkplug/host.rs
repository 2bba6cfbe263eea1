//! The primary host, without which there is nobody to be born for (specification 3.0, §5.4, §5.7).

use serde::Deserialize;

/// What the STATE messages of the primary host have come to.
#[derive(Debug, Default)]
pub(super) struct PrimaryHost {
    is_online: bool,
    /// The `timestamp` of the newest STATE, and of the newest that was online.
    newest: Option<u64>,
    newest_online: Option<u64>,
}

/// What a STATE message changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has come.
    Came,
    /// It has gone.
    Went,
}

#[derive(Deserialize)]
struct State {
    online: bool,
    timestamp: u64,
}

impl PrimaryHost {
    /// Whether it is there, as far as it has told.
    pub(super) const fn is_online(&self) -> bool {
        self.is_online
    }

    /// A connection begins: whether the host is there must be heard on it. A host has time stamps of
    /// its own at each broker, so at `another` one those of before say nothing.
    pub(super) fn connected(&mut self, another: bool) {
        self.is_online = false;
        if another {
            *self = PrimaryHost::default();
        }
    }

    /// What a STATE message says. One that is older than what was heard before, or none at all,
    /// changes nothing.
    pub(super) fn heard(&mut self, payload: &[u8]) -> Option<Turn> {
        let State { online, timestamp } = serde_json::from_slice(payload).ok()?;
        let before = if online {
            self.newest
        } else {
            self.newest_online
        };
        if before.is_some_and(|before| timestamp < before) {
            return None;
        }
        self.newest = self.newest.max(Some(timestamp));
        if online {
            self.newest_online = Some(timestamp);
        }
        let was_online = std::mem::replace(&mut self.is_online, online);
        match (was_online, online) {
            (false, true) => Some(Turn::Came),
            (true, false) => Some(Turn::Went),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PrimaryHost, Turn};

    fn say(host: &mut PrimaryHost, online: bool, timestamp: u64) -> Option<Turn> {
        host.heard(format!(r#"{{"online":{online},"timestamp":{timestamp}}}"#).as_bytes())
    }

    #[test]
    fn an_older_state_changes_nothing() {
        let mut host = PrimaryHost::default();
        assert_eq!(say(&mut host, true, 100), Some(Turn::Came));
        assert_eq!(
            say(&mut host, false, 99),
            None,
            "the will of a session before"
        );
        assert_eq!(say(&mut host, false, 100), Some(Turn::Went));
        assert_eq!(say(&mut host, true, 99), None);
        assert_eq!(say(&mut host, true, 101), Some(Turn::Came));
        assert_eq!(say(&mut host, true, 101), None, "it says so again");
    }

    #[test]
    fn what_is_no_state_changes_nothing() {
        let mut host = PrimaryHost::default();
        for payload in [
            "",
            "ONLINE",
            "true",
            r#"{"online":true}"#,
            r#"{"online":"true","timestamp":1}"#,
            r#"{"online":true,"timestamp":-1}"#,
        ] {
            assert_eq!(host.heard(payload.as_bytes()), None, "{payload}");
        }
        assert!(!host.is_online());
    }

    #[test]
    fn time_stamps_are_kept_over_a_connection_and_not_to_another_broker() {
        let mut host = PrimaryHost::default();
        say(&mut host, true, 100);
        host.connected(false);
        assert!(!host.is_online(), "not heard on this connection");
        assert_eq!(say(&mut host, true, 99), None);
        host.connected(true);
        assert_eq!(say(&mut host, true, 99), Some(Turn::Came));
    }
}
