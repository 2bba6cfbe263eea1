//! Who is told of which alarm, when, and in what words.
//!
//! Nothing is queued: what is to be told is decided from the alarms as they stand at the moment at
//! which a worker of a channel asks for it, so that nothing can be dropped and nothing old is sent.
//! A worker takes one [`Notice`] in hand, tells it, and says what became of it; only then it gets the
//! next. What was in hand when the agent was killed is taken in hand once more, and no more than
//! once, for nobody knows whether it arrived.
//!
//! What is heard and lit of alarms is in [`horn`].

pub mod horn;

mod annunciator;
mod budget;
mod choose;
mod due;
mod duty;
mod flood;
mod reply;
mod stored;
mod subject;
pub mod text;

pub use annunciator::{Annunciator, Handed, Scene, Settled};
pub use choose::Unreached;
pub(crate) use reply::Answered;
pub use reply::Meaning;
pub use stored::Stored;
pub use subject::clock;

pub use crate::plant::{Budget, Channel, Language, Recipient, Roster};

use crate::plant::{Plant, Priority};
use crate::time::Wall;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use annunciator::{Desk, InHand, Lane, Told};
use due::Raised;
use serde::{Deserialize, Serialize};

/// Subjects that a notice of many alarms carries, the worst first; the others are counted.
pub const MOST_SUBJECTS: usize = 10;

/// Names a notice that is in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoticeId {
    /// The channel that it is told on.
    pub channel: Channel,
    /// Counts up in a run, over all channels.
    pub number: u32,
}

/// Why somebody is told. The order is part of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An alarm was raised.
    Raised,
    /// They were told, and nobody has acknowledged since.
    Repeated,
    /// Others were told, and nobody has acknowledged.
    Escalated,
    /// The condition of an alarm that they were told of is gone.
    Returned,
    /// Several alarms in one notice.
    Digest,
    /// The answer to what they have sent.
    Confirmed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::Raised,
        Kind::Repeated,
        Kind::Escalated,
        Kind::Returned,
        Kind::Digest,
        Kind::Confirmed,
    ];

    /// The word for it in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Raised => "raised",
            Kind::Repeated => "repeated",
            Kind::Escalated => "escalated",
            Kind::Returned => "returned",
            Kind::Digest => "digest",
            Kind::Confirmed => "confirmed",
        }
    }
}

/// Something to be told to one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// To be given back with what became of it.
    pub id: NoticeId,
    /// Index of the recipient in [`Roster::recipients`].
    pub recipient: usize,
    /// Who it is for.
    pub name: Arc<str>,
    /// Number, mailbox, or what the channel needs.
    pub address: Arc<str>,
    /// What they read.
    pub language: Language,
    /// Why they are told.
    pub kind: Kind,
    /// The highest priority among its alarms; none of a [`Kind::Confirmed`].
    pub priority: Option<Priority>,
    /// What a text message says, in their language: one segment.
    pub text: String,
    /// The alarms that it speaks of, the worst first, at most [`MOST_SUBJECTS`].
    pub subjects: Vec<Subject>,
    /// How many alarms it speaks of.
    pub count: usize,
    /// What they reply with, on channels that can be replied to: 1000 to 9999.
    pub code: Option<u16>,
    /// How often it was in hand before without anybody knowing whether it arrived.
    pub uncertain: u8,
}

/// An alarm that a notice speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Index into [`crate::plant::Plant::alarms`].
    pub alarm: u16,
    /// `{device}.{alarm}`.
    pub id: Box<str>,
    /// Which of its activations.
    pub occurrence: u64,
    /// How urgent.
    pub priority: Priority,
    /// Id of the machine.
    pub device: Arc<str>,
    /// The machine as people say it.
    pub machine: Arc<str>,
    /// What is wrong, in English.
    pub text_en: Box<str>,
    /// What is wrong, in Chinese.
    pub text_zh: Box<str>,
    /// What raised it with its unit, and what that is compared with: `640 °C > 620`, or what a code
    /// means; in English and in Chinese. Empty where there is nothing to say.
    pub value: [Box<str>; 2],
    /// When it was raised; none while nobody knows what time it is.
    pub raised: Option<Wall>,
    /// The same in the plant's time, `14:32`.
    pub clock: Option<Box<str>>,
    /// Whether its condition still holds.
    pub is_active: bool,
    /// Of a call: when somebody arrived and when it was solved, in the plant's time, as far as that is so
    /// and anybody knows the time. None of what is no call.
    pub call: Option<[Option<Box<str>>; 2]>,
}

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The network, the server or the robot has taken it.
    Sent,
    /// It may have been taken or not: it is told once more, and not a third time.
    Unknown,
    /// It was not taken now, and may be later; in words. It stays to be told: when to ask again is
    /// the worker's to choose.
    Failed(String),
    /// It is never taken like this; in words. The recipient is not told of this any more.
    Refused(String),
}

/// What a message of somebody came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Alarms were acknowledged.
    Acknowledged {
        /// By whom.
        by: Arc<str>,
        /// The ids of the alarms.
        alarms: Vec<Box<str>>,
    },
    /// There is nothing to acknowledge by it; in words, for the log.
    Refused {
        /// By whom.
        by: Arc<str>,
        /// Why not.
        why: String,
    },
    /// The code is none that they were sent, or the message needs one.
    WrongCode {
        /// By whom.
        by: Arc<str>,
        /// Their messages are not heeded any more for an hour.
        muted: bool,
    },
    /// They are told nothing until the shift ends.
    Stopped {
        /// Who.
        by: Arc<str>,
    },
    /// It is no answer to anything.
    NotUnderstood {
        /// Whose.
        by: Arc<str>,
    },
    /// They have sent wrong codes; nothing of theirs is heeded for now.
    NotHeeded {
        /// Whose.
        by: Arc<str>,
    },
}

/// Bytes that are kept for everybody who is told of the alarms of a plant.
pub fn bytes(plant: &Plant) -> usize {
    let recipients = &plant.roster.recipients;
    let each = recipients.iter().map(|recipient| {
        let addressed = recipient.name.len() + recipient.address.len();
        annunciator::bytes(plant, recipient) + size_of::<Recipient>() + addressed
    });
    let lanes = recipients.len() * size_of::<Lane>();
    let raised = plant.alarms.len() * size_of::<Raised>();
    raised + lanes + each.sum::<usize>() + budget::Log::bytes(plant.roster.sms)
}

#[cfg(test)]
mod model;
