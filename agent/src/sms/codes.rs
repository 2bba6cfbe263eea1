//! What the error numbers of a modem mean for somebody who wants a message to arrive.
//!
//! Numbers: 3GPP TS 27.005 §3.2.5 and TS 24.011 annex E (`+CMS ERROR`), TS 27.007 §9.2
//! (`+CME ERROR`).

use std::fmt;

/// An error that a modem has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// `+CMS ERROR`: of a message.
    Message(u16),
    /// `+CME ERROR`: of the equipment.
    Equipment(u16),
    /// `ERROR`, or a text.
    Plain(String),
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// This message will never arrive like this: its number or the contract is wrong.
    Refused,
    /// Nothing will be sent before somebody sets the modem or the SIM card right.
    Setup,
    /// In a few seconds it may work.
    Soon,
    /// In minutes it may work: the network is not there or busy.
    Later,
    /// The memory for messages is full.
    Full,
    /// The number was sent before: as good as sent.
    Sent,
}

impl Code {
    /// The code of a final line, if it is one.
    pub fn of(line: &str) -> Option<Code> {
        let of = |text: &str, code: fn(u16) -> Code| {
            let text = text.trim();
            text.parse().map_or_else(|_| Code::Plain(text.into()), code)
        };
        if let Some(text) = line.strip_prefix("+CMS ERROR:") {
            return Some(of(text, Code::Message));
        }
        if let Some(text) = line.strip_prefix("+CME ERROR:") {
            return Some(of(text, Code::Equipment));
        }
        matches!(line, "ERROR" | "COMMAND NOT SUPPORT").then(|| Code::Plain(line.into()))
    }

    /// Whether the modem itself does not know what is wrong: often it has lost itself.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Code::Message(300 | 500))
    }

    /// What is to be done about it.
    pub fn class(&self) -> Class {
        match self {
            Code::Message(code) => match code {
                197 => Class::Sent,
                302 | 310..=313 | 315..=318 | 330 => Class::Setup,
                22 | 42 | 47 | 192 | 301 | 314 | 512 | 515 | 532 => Class::Soon,
                17 | 27 | 38 | 41 | 194 | 255 | 331 | 332 | 500 => Class::Later,
                208 | 211 | 320 | 322 => Class::Full,
                1 | 8 | 10 | 21 | 28..=30 | 50 | 69 | 81 | 95..=99 | 111 => Class::Refused,
                127..=130 | 143..=145 | 159..=161 | 175 | 176 | 193 | 195 => Class::Refused,
                196 | 198 | 199 | 303..=305 | 516..=520 => Class::Refused,
                _ => Class::Later,
            },
            Code::Equipment(code) => match code {
                10..=13 | 15..=18 | 40..=47 | 103 | 106 | 112 => Class::Setup,
                14 | 515 => Class::Soon,
                20 | 23 => Class::Full,
                _ => Class::Later,
            },
            Code::Plain(_) => Class::Later,
        }
    }

    /// What it means, in words; for those that a plant meets.
    const fn meaning(&self) -> Option<&'static str> {
        Some(match self {
            Code::Message(1) => "there is no such number",
            Code::Message(8 | 10) => "the operator bars this SIM card from sending",
            Code::Message(21) => "the network rejects the message",
            Code::Message(28) => "the number is not known",
            Code::Message(29 | 30) => "the subscriber is not known or not reachable",
            Code::Message(50 | 69) => {
                "the contract of this SIM card has no text messages (many cards for machines have \
                 not): ask the operator for point-to-point messages"
            }
            Code::Message(17 | 41 | 42 | 47) => "the network is busy",
            Code::Message(27) => "the other telephone is switched off",
            Code::Message(38) => {
                "the network is out of order; if it stays so, the contract of the SIM card may have no text messages"
            }
            Code::Message(302 | 303) => "the modem does not do that",
            Code::Message(304 | 305) => "the modem does not understand the message",
            Code::Message(310) | Code::Equipment(10) => "there is no SIM card in the modem",
            Code::Message(311) | Code::Equipment(11) => {
                "the SIM card wants its PIN: set `pin_file`"
            }
            Code::Message(312 | 317 | 318) | Code::Equipment(12 | 17 | 18) => {
                "the SIM card wants another code than its PIN: put it into a telephone"
            }
            Code::Message(313) | Code::Equipment(13) => "the SIM card is faulty",
            Code::Message(314) | Code::Equipment(14) => "the SIM card is busy",
            Code::Message(315) | Code::Equipment(15) => "the SIM card is of a wrong kind",
            Code::Message(316) => {
                "the SIM card is locked and wants its PUK: put it into a telephone"
            }
            Code::Equipment(16) => "the PIN is wrong",
            Code::Message(322 | 320 | 208 | 211) | Code::Equipment(20 | 23) => {
                "the memory for messages is full or broken"
            }
            Code::Message(330) => {
                "the number of the service centre is not known: set `service_centre`"
            }
            Code::Message(331) | Code::Equipment(30) => "there is no network: look at the antenna",
            Code::Message(332) | Code::Equipment(31) => "the network does not answer",
            Code::Equipment(32) => "the network allows emergency calls only: look at the contract",
            _ => return None,
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(meaning) = self.meaning() {
            write!(f, "{meaning} (")?;
        }
        match self {
            Code::Message(code) => write!(f, "+CMS ERROR: {code}")?,
            Code::Equipment(code) => write!(f, "+CME ERROR: {code}")?,
            Code::Plain(text) => write!(f, "the modem says {text}")?,
        }
        if self.meaning().is_some() {
            f.write_str(")")?;
        }
        Ok(())
    }
}
