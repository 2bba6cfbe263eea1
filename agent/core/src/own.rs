//! What goes wrong with the gateway itself: the conditions of the agent's own alarms (contract §6).
//!
//! They need no configuration. Whoever looks after a part reports how it is; that a link is down and
//! that the clock was never set, the engine sees by itself.

use crate::tag::LinkIndex;
use alloc::format;
use alloc::string::String;

/// A condition of the gateway itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Own {
    /// The wall clock is not set: labels of time are wrong.
    ClockUnset,
    /// The disk takes no records.
    DiskFull,
    /// What was stored was found damaged.
    StoreDamaged,
    /// The broker does not answer.
    BrokerUnreachable,
    /// Another gateway speaks under the same id.
    DuplicateGateway,
    /// The modem does not work: nobody gets messages.
    Modem,
    /// The I/O board does not answer.
    BoardLost,
    /// The horn has failed its test.
    HornTest,
    /// A webhook or the mail server takes no messages until it is set up in another way.
    Notify,
    /// A link is down.
    Link(LinkIndex),
}

impl Own {
    /// All that every gateway has but for its links.
    pub const ALL: [Own; 9] = [
        Own::ClockUnset,
        Own::DiskFull,
        Own::StoreDamaged,
        Own::BrokerUnreachable,
        Own::DuplicateGateway,
        Own::Modem,
        Own::BoardLost,
        Own::HornTest,
        Own::Notify,
    ];

    /// The id of its alarm; `link` is the id of the link that it is about.
    pub fn id(self, link: &str) -> String {
        match self {
            Own::ClockUnset => "clock-unset".into(),
            Own::DiskFull => "disk-full".into(),
            Own::StoreDamaged => "store-damaged".into(),
            Own::BrokerUnreachable => "broker-unreachable".into(),
            Own::DuplicateGateway => "duplicate-gateway".into(),
            Own::Modem => "modem".into(),
            Own::BoardLost => "board-lost".into(),
            Own::HornTest => "horn-test".into(),
            Own::Notify => "notify".into(),
            Own::Link(_) => format!("link-{link}"),
        }
    }

    /// Whether it is found once and does not last: its alarm is latched, and has no delays.
    pub const fn is_found_once(self) -> bool {
        matches!(self, Own::StoreDamaged)
    }
}
