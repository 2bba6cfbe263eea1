//! What people do to an alarm, by whatever way, and why it may be refused.

use super::{Alarm, AlarmState, Change, Happening, Shelf, Wait};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// An alarm is shelved for at most so long.
pub const LONGEST_SHELF_MS: u64 = 8 * 3_600_000;

/// Bytes of the name of a person.
pub const LONGEST_BY: usize = 64;

/// Bytes of a reason.
pub const LONGEST_WHY: usize = 240;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// They have seen it and see to it.
    Acknowledge,
    /// A latched alarm has been looked into and may go.
    Reset,
    /// It is put aside for so many milliseconds.
    Shelve(u64),
    /// It is taken off the shelf again.
    Unshelve,
    /// It is switched off, until it is switched on again.
    OutOfService,
    /// It is switched on again.
    Return,
    /// An operator calls for somebody.
    Call,
    /// What was called for is solved.
    Solve,
}

impl Verb {
    /// The words of all of them.
    pub const WORDS: &'static [&'static str] = &[
        Verb::Acknowledge.as_str(),
        Verb::Reset.as_str(),
        Verb::Shelve(0).as_str(),
        Verb::Unshelve.as_str(),
        Verb::OutOfService.as_str(),
        Verb::Return.as_str(),
        Verb::Call.as_str(),
        Verb::Solve.as_str(),
    ];

    /// The word of the contract, for commands and in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Acknowledge => "ack",
            Verb::Reset => "reset",
            Verb::Shelve(_) => "shelve",
            Verb::Unshelve => "unshelve",
            Verb::OutOfService => "out-of-service",
            Verb::Return => "return",
            Verb::Call => "call",
            Verb::Solve => "solve",
        }
    }
}

/// The way by which a person reached the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A button of the I/O board.
    Board,
    /// A short message.
    Sms,
    /// The page, or a program on the plant LAN.
    Http,
    /// A command topic.
    Mqtt,
    /// The gateway's command line.
    Cli,
}

impl Via {
    /// Every way.
    pub const ALL: [Via; 5] = [Via::Board, Via::Sms, Via::Http, Via::Mqtt, Via::Cli];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Via::Board => "board",
            Via::Sms => "sms",
            Via::Http => "http",
            Via::Mqtt => "mqtt",
            Via::Cli => "cli",
        }
    }
}

/// Who did something, how and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Who, if they said so.
    pub by: Option<Box<str>>,
    /// By which way.
    pub via: Via,
    /// Why, if they said so.
    pub why: Option<Box<str>>,
}

/// Why something is not done to an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another occurrence was named than the newest.
    Occurrence {
        /// The one that was named.
        named: u64,
        /// The newest.
        newest: u64,
    },
    /// There is nothing to acknowledge.
    NothingToAcknowledge(AlarmState),
    /// Somebody has acknowledged it before.
    Acknowledged(Option<Box<str>>),
    /// It is kept from view.
    Hidden(AlarmState),
    /// Its condition still holds.
    Active,
    /// Nobody has acknowledged it.
    NotAcknowledged,
    /// It is not latched, or not any more.
    NothingToReset(AlarmState),
    /// No reason was given.
    NoReason,
    /// The name is too long.
    LongName,
    /// The reason is too long.
    LongReason,
    /// A name or a reason has line ends or other control characters in it.
    NoLine,
    /// It would be shelved for no time, or too long.
    ShelfTime,
    /// It is not shelved.
    NotShelved,
    /// It is not out of service.
    InService,
    /// By a short message one may acknowledge, and nothing else.
    NotBySms,
    /// It is no call, and goes by its condition.
    NotACall,
    /// Somebody has been called, and it is not solved.
    Called,
    /// Nobody is called.
    NotCalled,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Occurrence { named: 0, newest } => {
                write!(f, "numbers begin with 1, and the newest is number {newest}")
            }
            Refusal::Occurrence { named, newest } if named < newest => write!(
                f,
                "number {named} was named, but it has been raised again since and is number \
                 {newest} now; look at it, then name that one"
            ),
            Refusal::Occurrence { named, newest } => write!(
                f,
                "number {named} was named, but the newest is number {newest}"
            ),
            Refusal::NothingToAcknowledge(state) => {
                let (en, _) = state.in_words();
                write!(f, "there is nothing to acknowledge: it is {en}")
            }
            Refusal::Acknowledged(Some(by)) => {
                write!(f, "there is nothing to acknowledge: {by} has done so")
            }
            Refusal::Acknowledged(None) => {
                f.write_str("there is nothing to acknowledge: somebody has done so")
            }
            Refusal::Hidden(AlarmState::Shelved) => f.write_str("it is shelved; unshelve it first"),
            Refusal::Hidden(AlarmState::OutOfService) => {
                f.write_str("it is out of service; return it to service first")
            }
            Refusal::Hidden(state) => write!(f, "it is {} now", state.in_words().0),
            Refusal::Active => {
                f.write_str("its condition still holds; it can be reset when that is gone")
            }
            Refusal::NotAcknowledged => f.write_str("nobody has acknowledged it; do that first"),
            Refusal::NothingToReset(state) => {
                write!(f, "there is nothing to reset: it is {}", state.in_words().0)
            }
            Refusal::NoReason => f.write_str("a reason is needed"),
            Refusal::LongName => write!(f, "a name has at most {LONGEST_BY} bytes"),
            Refusal::LongReason => write!(f, "a reason has at most {LONGEST_WHY} bytes"),
            Refusal::NoLine => f.write_str("a name or a reason is one line of text"),
            Refusal::ShelfTime => {
                f.write_str("an alarm is shelved for at most 8 h, and at least 1 ms")
            }
            Refusal::NotShelved => f.write_str("it is not shelved"),
            Refusal::InService => f.write_str("it is not out of service"),
            Refusal::NotACall => f.write_str("it is no call: it comes and goes with its condition"),
            Refusal::Called => f.write_str("somebody has been called, and it is not solved yet"),
            Refusal::NotCalled => f.write_str("nobody is called"),
            Refusal::NotBySms => f.write_str("by a message it can only be acknowledged"),
        }
    }
}

impl core::error::Error for Refusal {}

impl Refusal {
    /// The same in Chinese.
    pub fn in_chinese(&self) -> String {
        match self {
            Refusal::Occurrence { named: 0, newest } => {
                format!("编号从 1 开始，最新为第 {newest} 次")
            }
            Refusal::Occurrence { named, newest } if named < newest => {
                format!("指定的是第 {named} 次，最新为第 {newest} 次，请先查看")
            }
            Refusal::Occurrence { named, newest } => {
                format!("指定的是第 {named} 次，最新为第 {newest} 次")
            }
            Refusal::NothingToAcknowledge(state) => {
                format!("无需确认，当前状态：{}", state.in_words().1)
            }
            Refusal::Acknowledged(Some(by)) => format!("无需确认，{by} 已确认"),
            Refusal::Acknowledged(None) => "无需确认，已有人确认".into(),
            Refusal::Hidden(AlarmState::Shelved) => "已搁置，请先取消搁置".into(),
            Refusal::Hidden(AlarmState::OutOfService) => "已停用，请先恢复使用".into(),
            Refusal::Hidden(state) => format!("当前状态：{}", state.in_words().1),
            Refusal::Active => "报警条件仍然成立，消失后才能复位".into(),
            Refusal::NotAcknowledged => "尚未确认，请先确认".into(),
            Refusal::NothingToReset(state) => {
                format!("无需复位，当前状态：{}", state.in_words().1)
            }
            Refusal::NoReason => "必须写明原因".into(),
            Refusal::LongName => format!("姓名最多 {LONGEST_BY} 字节"),
            Refusal::LongReason => format!("原因最多 {LONGEST_WHY} 字节"),
            Refusal::NoLine => "姓名和原因只能是一行文字".into(),
            Refusal::ShelfTime => "搁置时间最短 1 毫秒，最长 8 小时".into(),
            Refusal::NotShelved => "没有被搁置".into(),
            Refusal::InService => "没有被停用".into(),
            Refusal::NotACall => "不是呼叫，随报警条件变化".into(),
            Refusal::Called => "已呼叫，尚未解决".into(),
            Refusal::NotCalled => "没有呼叫".into(),
            Refusal::NotBySms => "短信只能确认报警".into(),
        }
    }
}

impl Alarm {
    /// A person does something to it at `now`, labelled `at`. `occurrence` is the one they mean;
    /// without one, the newest.
    pub fn act(
        &mut self,
        verb: Verb,
        occurrence: Option<u64>,
        act: Act,
        latched: bool,
        (now, at): (Mono, Wall),
    ) -> Result<Change, Refusal> {
        self.may(verb, occurrence, &act, latched)?;
        let from = self.state();
        match verb {
            Verb::Acknowledge => {
                self.happen(Happening::Acknowledge, latched, at);
                self.ack = Some(Box::new(act));
            }
            Verb::Reset => {
                self.happen(Happening::Reset, latched, at);
            }
            Verb::Shelve(for_ms) => {
                let rest = Wait {
                    remaining_ms: for_ms,
                    since: Some(now),
                };
                self.shelf = Some(Box::new(Shelf { rest, act }));
            }
            Verb::OutOfService => self.out_of_service = Some(Box::new(act)),
            Verb::Unshelve => {
                self.shelf = None;
                self.come_back(latched, at);
            }
            Verb::Return => {
                self.out_of_service = None;
                self.come_back(latched, at);
            }
            Verb::Call => {
                self.happen(Happening::Occur, latched, at);
            }
            Verb::Solve => {
                // Whoever solves it has arrived.
                if self.happen(Happening::Acknowledge, latched, at).is_some() {
                    self.ack = Some(Box::new(act));
                }
                self.happen(Happening::Clear, latched, at);
            }
        }
        let to = self.state();
        Ok(Change { from, to })
    }

    fn may(
        &self,
        verb: Verb,
        occurrence: Option<u64>,
        act: &Act,
        latched: bool,
    ) -> Result<(), Refusal> {
        if act.via == Via::Sms && verb != Verb::Acknowledge {
            return Err(Refusal::NotBySms);
        }
        let is_long =
            |text: &Option<Box<str>>, most| text.as_ref().is_some_and(|text| text.len() > most);
        if is_long(&act.by, LONGEST_BY) {
            return Err(Refusal::LongName);
        }
        if is_long(&act.why, LONGEST_WHY) {
            return Err(Refusal::LongReason);
        }
        let mut texts = [&act.by, &act.why].into_iter().flatten();
        if texts.any(|text| text.contains(char::is_control)) {
            return Err(Refusal::NoLine);
        }
        if let Some(named) = occurrence.filter(|named| *named != self.occurrence) {
            let newest = self.occurrence;
            return Err(Refusal::Occurrence { named, newest });
        }
        let state = self.state();
        let has_reason = act.why.as_ref().is_some_and(|why| !why.trim().is_empty());
        match verb {
            Verb::Acknowledge | Verb::Reset if state.is_hidden() => Err(Refusal::Hidden(state)),
            Verb::Acknowledge if state.is_unacknowledged() => Ok(()),
            Verb::Acknowledge => Err(match &self.ack {
                Some(ack) if state != AlarmState::Normal => Refusal::Acknowledged(ack.by.clone()),
                _ => Refusal::NothingToAcknowledge(state),
            }),
            Verb::Reset => match state {
                AlarmState::LatchedAck => Ok(()),
                AlarmState::LatchedUnack => Err(Refusal::NotAcknowledged),
                AlarmState::UnackActive | AlarmState::AckActive if latched => Err(Refusal::Active),
                _ => Err(Refusal::NothingToReset(state)),
            },
            Verb::Shelve(_) | Verb::OutOfService if !has_reason => Err(Refusal::NoReason),
            Verb::Shelve(for_ms) if for_ms == 0 || for_ms > LONGEST_SHELF_MS => {
                Err(Refusal::ShelfTime)
            }
            Verb::Call if state.is_hidden() => Err(Refusal::Hidden(state)),
            Verb::Call if self.is_active() => Err(Refusal::Called),
            Verb::Solve if !self.is_active() => Err(Refusal::NotCalled),
            Verb::Call | Verb::Solve => Ok(()),
            Verb::Unshelve if self.shelf.is_none() => Err(Refusal::NotShelved),
            Verb::Return if self.out_of_service.is_none() => Err(Refusal::InService),
            Verb::Shelve(_) | Verb::OutOfService | Verb::Unshelve | Verb::Return => Ok(()),
        }
    }
}
