//! One reading of a tag: a value or none, its quality with the reason, and when.

use crate::time::Wall;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Bytes of the longest text: the 32 characters of SunSpec's names and serial numbers, and as many
/// more as make a [`Value`] no larger.
pub const LONGEST_TEXT: usize = 38;

/// Text as a machine sends it; longer texts are [`Reason::TooLong`], never cut.
pub type Text = heapless::String<LONGEST_TEXT, u8>;

const _: () = assert!(size_of::<Value>() == 40);

/// One value of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A contact or a bit.
    Bool(bool),
    /// Any integer type; a u64 above `i64::MAX` does not fit and is [`Reason::OutOfRange`].
    Int(i64),
    /// A finite floating-point number, or an integer after scaling.
    Float(f64),
    /// Text.
    Text(Text),
}

impl Value {
    /// The value as a number; text has none, a bool is 0 or 1.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Bool(b) => Some(f64::from(u8::from(*b))),
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            Value::Text(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => b.fmt(f),
            Value::Int(i) => i.fmt(f),
            Value::Float(x) => x.fmt(f),
            Value::Text(t) => t.fmt(f),
        }
    }
}

/// A status of HTTP that is no success, in one byte: the newest sample of every tag has room for it.
/// The hundred and the first 64 codes in it are kept; of the others, which nobody has assigned
/// (RFC 9110, §15), only the hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpStatus(u8);

impl HttpStatus {
    /// Codes of a hundred that are kept.
    const KEPT: u16 = 64;
}

impl From<u16> for HttpStatus {
    fn from(code: u16) -> HttpStatus {
        let hundred = (code / 100).clamp(3, 5) - 3;
        let packed = match code % 100 {
            rest if rest < HttpStatus::KEPT && (300..600).contains(&code) => {
                hundred * HttpStatus::KEPT + rest
            }
            _ => 3 * HttpStatus::KEPT + hundred,
        };
        HttpStatus(u8::try_from(packed).unwrap_or(u8::MAX))
    }
}

impl fmt::Display for HttpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packed = u16::from(self.0);
        match (packed / HttpStatus::KEPT, packed % HttpStatus::KEPT) {
            (hundred @ 0..3, rest) => write!(f, "{}", (hundred + 3) * 100 + rest),
            (_, hundred) => write!(f, "{}xx", hundred + 3),
        }
    }
}

/// Why a sample is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// No answer in time.
    Timeout,
    /// The connection could not be opened, or was lost.
    Disconnected,
    /// The device answered with this Modbus exception code.
    Exception(u8),
    /// The answer does not fit the request: unit, function or length differ.
    BadAnswer,
    /// The content is not what its format says (broken JSON, not UTF-8, empty).
    Malformed,
    /// Nothing is at the tag's place: not in the payload, the device says that it has no value
    /// (`absent`), or the power of ten to scale it with is not known.
    Missing,
    /// A value of another type than the tag's.
    WrongType,
    /// Text longer than [`Text`] holds, or a payload over the limit.
    TooLong,
    /// NaN or infinite.
    NotFinite,
    /// Outside the tag's `range`, or too large for its type.
    OutOfRange,
    /// The broker's retained copy: a legitimate last state of unknown age.
    Retained,
    /// Nothing good for longer than `stale_after`, or a value that is older by its own time stamp.
    Stale,
    /// A status value that no rule of `[state]` maps, or none of its conditions holds.
    Unmapped,
    /// Nothing was read since the start.
    NeverRead,
    /// A decimal digit (BCD) greater than 9.
    NotBcd,
    /// The time stamp of its source lies in the future: one of the two clocks is wrong.
    ClockAhead,
    /// Its source itself calls it bad.
    BadAtSource,
    /// The device answered with this HTTP status, which is no success.
    HttpStatus(HttpStatus),
    /// The counter that tells whether the machine works has not moved since it is watched, and that
    /// is not long enough to say that the machine stands.
    NotMoved,
    /// It normally moves and does not, while the machine says that it runs.
    Frozen,
    /// The whole answer is zeros, and what was in it before cannot all be zero.
    AllZero,
    /// A counter that does not count, while the machine says that it produces.
    StandingStill,
    /// Further from the value before than it can move.
    ImplausibleStep,
    /// A counter that counts more than the machine could have made.
    ImplausibleCount,
    /// The time stamps of its source lie behind by a constant: its clock is slow, or what it sends
    /// is late by that.
    ClockBehind,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Timeout => "timeout",
            Reason::Disconnected => "disconnected",
            Reason::Exception(code) => return write!(f, "exception-{code}"),
            Reason::BadAnswer => "bad-answer",
            Reason::Malformed => "malformed",
            Reason::Missing => "missing",
            Reason::WrongType => "wrong-type",
            Reason::TooLong => "too-long",
            Reason::NotFinite => "not-finite",
            Reason::OutOfRange => "out-of-range",
            Reason::Retained => "retained",
            Reason::Stale => "stale",
            Reason::Unmapped => "unmapped",
            Reason::NeverRead => "never-read",
            Reason::NotBcd => "not-bcd",
            Reason::ClockAhead => "clock-ahead",
            Reason::BadAtSource => "bad-at-source",
            Reason::HttpStatus(status) => return write!(f, "http-{status}"),
            Reason::NotMoved => "not-moved",
            Reason::Frozen => "frozen",
            Reason::AllZero => "all-zero",
            Reason::StandingStill => "standing-still",
            Reason::ImplausibleStep => "implausible-step",
            Reason::ImplausibleCount => "implausible-count",
            Reason::ClockBehind => "clock-behind",
        })
    }
}

/// How far a value can be believed (the three classes of OPC UA Part 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Quality {
    /// Read, and nothing speaks against it.
    Good,
    /// Usable, with a caveat.
    Uncertain(Reason),
    /// Not usable.
    Bad(Reason),
}

impl Quality {
    /// `good`, `uncertain` or `bad`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Quality::Good => "good",
            Quality::Uncertain(_) => "uncertain",
            Quality::Bad(_) => "bad",
        }
    }

    /// Why it is not good.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Quality::Good => None,
            Quality::Uncertain(reason) | Quality::Bad(reason) => Some(reason),
        }
    }
}

/// What a source says of one tag at one moment: a value, perhaps with a caveat, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A value that was read.
    Good(Value),
    /// A usable value with a caveat.
    Uncertain(Value, Reason),
    /// No usable value.
    Bad(Reason),
}

impl Reading {
    /// The value, unless bad.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Reading::Good(value) | Reading::Uncertain(value, _) => Some(value),
            Reading::Bad(_) => None,
        }
    }

    /// Whether the value is the source's present one, whatever else is said of it.
    pub const fn is_live(&self) -> bool {
        !matches!(
            self,
            Reading::Bad(_) | Reading::Uncertain(_, Reason::Retained)
        )
    }

    /// The quality with its reason.
    pub const fn quality(&self) -> Quality {
        match self {
            Reading::Good(_) => Quality::Good,
            Reading::Uncertain(_, reason) => Quality::Uncertain(*reason),
            Reading::Bad(reason) => Quality::Bad(*reason),
        }
    }
}

/// A reading as a message brings it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it says.
    pub reading: Reading,
    /// Its source's own time stamp, if it gave one.
    pub time: Option<Wall>,
}

impl From<Reading> for Sample {
    /// One without a time stamp.
    fn from(reading: Reading) -> Sample {
        Sample {
            reading,
            time: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn a_status_is_told_as_it_came() {
        let told = |code: u16| Reason::HttpStatus(code.into()).to_string();
        for code in [
            300, 304, 400, 401, 404, 418, 429, 451, 500, 503, 511, 527, 563,
        ] {
            assert_eq!(told(code), alloc::format!("http-{code}"));
        }
        assert_eq!(told(499), "http-4xx");
        assert_eq!(told(599), "http-5xx");
        assert_eq!(told(364), "http-3xx");
    }
}
