//! How telling went.

use std::fmt;
use std::time::Duration;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The other end has taken it.
    Sent,
    /// It went out whole, and nobody said what became of it.
    Unknown(String),
    /// It did not arrive, and may the next time.
    Failed {
        /// What went wrong.
        why: String,
        /// How long the other end wants to be left alone, if it said so.
        pause: Option<Duration>,
    },
    /// Nothing is taken there until somebody changes something.
    Setup(String),
    /// This message is never taken.
    Refused(String),
}

impl Told {
    /// It did not arrive, and may the next time.
    pub(crate) fn failed(why: impl Into<String>) -> Told {
        Told::Failed {
            why: why.into(),
            pause: None,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Sent => f.write_str("sent"),
            Told::Unknown(why) => write!(f, "it may have arrived: {why}"),
            Told::Failed { why, .. } | Told::Setup(why) | Told::Refused(why) => f.write_str(why),
        }
    }
}
