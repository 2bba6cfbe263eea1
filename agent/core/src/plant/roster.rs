//! Who is told of alarms, on which channel, and how much of it they can bear.

use super::{Alarm, Owner, Priority};
use crate::calendar::MinuteOfDay;
use crate::tag::DeviceIndex;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A way by which people are told. Each is served by one worker, one notice after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Channel {
    /// Text messages.
    Sms,
    /// Mail.
    Mail,
    /// A robot or a program that takes HTTP requests; its index in the file.
    Webhook(u8),
}

impl Channel {
    /// One of each kind.
    pub const ALL: [Channel; 3] = [Channel::Sms, Channel::Mail, Channel::Webhook(0)];

    /// The word for it in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Channel::Sms => "sms",
            Channel::Mail => "mail",
            Channel::Webhook(_) => "webhook",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A language of texts for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 中文.
    Chinese,
    /// English.
    English,
}

/// The most that is sent in any 60 minutes and in any 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// In any 60 minutes, at least 1.
    pub per_hour: u16,
    /// In any 24 hours, at least 1.
    pub per_day: u16,
}

impl Budget {
    /// For one person where the file says nothing.
    pub const PERSON: Budget = Budget {
        per_hour: 6,
        per_day: 20,
    };

    /// For all text messages together, where the file says nothing.
    pub const SMS: Budget = Budget {
        per_hour: 30,
        per_day: 100,
    };

    /// Of a limit, what only high alarms may use: 30 %, rounded down.
    pub const fn reserve(limit: u16) -> u16 {
        (limit as u32 * 3 / 10) as u16
    }
}

/// Everybody who is told, and what holds for all of them.
#[derive(Debug, Clone)]
pub struct Roster {
    /// In the order of the file.
    pub recipients: Vec<Recipient>,
    /// All text messages together.
    pub sms: Budget,
    /// Whoever was told and does not acknowledge is told once more after this time in
    /// milliseconds, and of a high alarm after half of it; 0: never.
    pub repeat_ms: u64,
}

impl Roster {
    /// After ten minutes somebody is told again.
    pub const REPEAT_MS: u64 = 10 * 60_000;

    /// How long after telling somebody they are told once more, in milliseconds.
    pub const fn repeat_ms(&self, priority: Priority) -> Option<u64> {
        match (self.repeat_ms, priority) {
            (0, _) => None,
            (ms, Priority::High) => Some(ms / 2),
            (ms, _) => Some(ms),
        }
    }
}

impl Default for Roster {
    fn default() -> Roster {
        Roster {
            recipients: Vec::new(),
            sms: Budget::SMS,
            repeat_ms: Roster::REPEAT_MS,
        }
    }
}

/// One person, mailbox or robot on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// How they are reached.
    pub channel: Channel,
    /// Who it is, as the journal names them.
    pub name: Arc<str>,
    /// Number, mailbox, or what the channel needs; unique on its channel.
    pub address: Arc<str>,
    /// What they read.
    pub language: Language,
    /// The least urgent alarm that they are told of.
    pub from_priority: Priority,
    /// They are told only if nobody has acknowledged this many milliseconds after an alarm was
    /// raised.
    pub after_ms: u64,
    /// The devices whose alarms they are told of, in ascending order; none: of every device.
    pub devices: Option<Vec<DeviceIndex>>,
    /// Whether they are told of the gateway's own alarms.
    pub gateway: bool,
    /// The names of the shifts in which they are told; none: at any time.
    pub shifts: Option<Vec<Arc<str>>>,
    /// Local times between which they are told of high alarms only; the second is the next day's
    /// if it is not after the first.
    pub quiet: Option<(MinuteOfDay, MinuteOfDay)>,
    /// Whether they are told when the condition of an alarm is gone that they were told of.
    pub returns: bool,
    /// The most that is sent to them.
    pub budget: Budget,
}

impl Recipient {
    /// Whether they are to be told of this alarm at all.
    pub fn watches(&self, alarm: &Alarm) -> bool {
        let is_theirs = match (alarm.owner, &self.devices) {
            (Owner::Gateway, _) => self.gateway,
            (Owner::Device(_), None) => true,
            (Owner::Device(device), Some(devices)) => devices.binary_search(&device).is_ok(),
        };
        is_theirs && alarm.priority >= self.from_priority
    }

    /// Whether a local time lies in their quiet hours.
    pub fn is_quiet(&self, minute: MinuteOfDay) -> bool {
        match self.quiet {
            None => false,
            Some((from, to)) if from < to => (from..to).contains(&minute),
            Some((from, to)) => minute >= from || minute < to,
        }
    }
}
