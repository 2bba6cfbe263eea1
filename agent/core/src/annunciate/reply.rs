//! What people send back, and what it acknowledges.

use super::annunciator::Annunciator;
use super::{Channel, Desk, Scene};
use crate::plant::Roster;
use crate::time::Mono;
use alloc::string::String;
use alloc::vec::Vec;

/// After so many wrong codes nothing is heeded any more for [`UNHEEDED_MS`].
const MOST_WRONG: u8 = 5;
const UNHEEDED_MS: u64 = 3_600_000;

/// Digits at the end by which a number without a country is known.
const KNOWN_BY: usize = 8;

/// What a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// An acknowledgement of what this code stands for.
    Code(u16),
    /// An acknowledgement without a code.
    Bare,
    /// No more messages in this shift.
    Stop,
    /// Something else.
    Other,
}

impl Meaning {
    /// What `text` means. Full-width letters and digits count as the narrow ones, capitals as small
    /// ones; a word stands at the beginning, for "not ok" is no acknowledgement.
    pub fn of(text: &str) -> Meaning {
        const WORDS: [&str; 7] = ["acknowledge", "ack", "okay", "ok", "确认", "收到", "已知"];
        const STOPS: [&str; 4] = ["stop", "停止", "停", "退订"];
        let text = plain(text);
        let text = text.trim_matches(is_ornament);
        if STOPS.contains(&text) {
            return Meaning::Stop;
        }
        let word = WORDS.iter().find_map(|word| text.strip_prefix(word));
        let rest = word.unwrap_or(text).trim_start_matches(is_ornament);
        let rest = rest.strip_prefix("代码").unwrap_or(rest);
        let digits = rest.trim_start_matches(is_ornament);
        let end = digits
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(digits.len());
        match (&digits[..end], word) {
            (code, _) if code.len() == 4 => code.parse().map_or(Meaning::Other, Meaning::Code),
            ("", Some(_)) if matches!(rest, "" | "了" | "d" | "ed" | "的") => Meaning::Bare,
            // A code with a digit too many, or too few.
            (code, Some(_)) if !code.is_empty() => Meaning::Code(0),
            _ => Meaning::Other,
        }
    }
}

/// Full-width forms as narrow ones, capitals as small ones (what NFKC and case folding make of the
/// letters and digits of a telephone).
fn plain(text: &str) -> String {
    let narrow = |character: char| match character {
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(character) - 0xFF01 + 0x21).unwrap_or(character)
        }
        '\u{3000}' | '\u{A0}' => ' ',
        other => other,
    };
    text.chars()
        .map(narrow)
        .flat_map(char::to_lowercase)
        .collect()
}

/// What people put around a code.
fn is_ornament(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '#' | '“'
                | '”'
                | '"'
                | '\''
                | '‘'
                | '’'
                | '「'
                | '」'
                | ':'
                | '：'
                | ','
                | '，'
                | '.'
                | '。'
                | '!'
                | '！'
                | '-'
                | '+'
        )
}

/// Whose number `from` is, on the channel of text messages.
pub(super) fn sender(roster: &Roster, from: &str) -> Option<usize> {
    let people = || {
        let recipients = roster.recipients.iter().enumerate();
        recipients.filter(|(_, recipient)| recipient.channel == Channel::Sms)
    };
    let from = significant(from);
    let exact = people().find(|(_, person)| significant(&person.address) == from);
    let mut similar = people().filter(|(_, person)| is_same(&significant(&person.address), &from));
    let found = exact.or_else(|| {
        let first = similar.next()?;
        // A number that may be either of two is nobody's.
        similar.next().is_none().then_some(first)
    });
    found.map(|(index, _)| index)
}

/// The digits of a number, without what stands before the country or the area.
fn significant(number: &str) -> String {
    let digits: String = plain(number).chars().filter(char::is_ascii_digit).collect();
    String::from(digits.trim_start_matches('0'))
}

/// One has a country in front and the other has not.
fn is_same(one: &str, other: &str) -> bool {
    let (long, short) = if one.len() >= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    short.len() >= KNOWN_BY && long.ends_with(short)
}

/// What an acknowledgement speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// These alarms, each with the activation that the sender was told of.
    Alarms(Vec<(u16, u64)>),
    /// No code that the sender has, or none where one is needed: so many alarms wait for them.
    /// `is_last`: what they send is not heeded any more for an hour.
    Wrong { open: usize, is_last: bool },
}

impl Annunciator {
    /// Whose number `from` is.
    pub fn sender(roster: &Roster, from: &str) -> Option<usize> {
        sender(roster, from)
    }

    /// Whether what a recipient sends is heeded at `at`.
    pub fn is_heeded(&self, recipient: usize, at: Mono) -> bool {
        let until = self.desks[recipient].unheeded_until;
        until.is_none_or(|until| until <= at)
    }

    /// What an acknowledgement of a recipient speaks of.
    pub(crate) fn answered(
        &mut self,
        scene: &Scene<'_>,
        recipient: usize,
        code: Option<u16>,
    ) -> Answered {
        let at = scene.at;
        let desk = &mut self.desks[recipient];
        let open: Vec<(u16, u64)> = open(desk, scene).collect();
        let alarms: Vec<(u16, u64)> = match code {
            Some(code) => {
                let told = desk.told.iter().filter(|told| told.answers_to(code, at));
                told.map(|told| (told.alarm, told.occurrence)).collect()
            }
            None if open.len() == 1 => open.clone(),
            None => Vec::new(),
        };
        if !alarms.is_empty() {
            desk.wrong = 0;
            return Answered::Alarms(alarms);
        }
        desk.wrong += 1;
        let is_last = desk.wrong >= MOST_WRONG;
        if is_last {
            desk.wrong = 0;
            desk.unheeded_until = Some(at + UNHEEDED_MS);
        }
        Answered::Wrong {
            open: open.len(),
            is_last,
        }
    }

    /// A recipient is to be told of an alarm that was raised again since the activation that they
    /// speak of: with another code.
    pub fn tell_anew(&mut self, recipient: usize, alarm: u16) {
        let desk = &mut self.desks[recipient];
        for told in desk.told.iter_mut().filter(|told| told.alarm == alarm) {
            told.times = 0;
            told.code = 0;
        }
    }

    /// A recipient is told nothing until then.
    pub fn stop(&mut self, recipient: usize, until: Mono) {
        self.desks[recipient].stopped_until = Some(until);
    }

    /// What is to be sent to a recipient for an answer.
    pub fn answer(&mut self, recipient: usize, text: String) {
        self.desks[recipient].answer = Some(text.into_boxed_str());
    }
}

/// What a recipient was told of and nobody has acknowledged.
fn open<'o>(desk: &'o Desk, scene: &'o Scene<'_>) -> impl Iterator<Item = (u16, u64)> + 'o {
    let told = desk.told.iter().filter(|told| {
        let alarm = &scene.alarms[usize::from(told.alarm)];
        let was_told = told.times > 0 || told.in_hand || told.is_uncertain;
        was_told
            && told.occurrence + alarm.count.max(1) > alarm.occurrence
            && alarm.state().is_unacknowledged()
    });
    told.map(|told| (told.alarm, told.occurrence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::{Budget, Language, Priority, Recipient};

    #[test]
    fn messages_mean_what_people_mean_by_them() {
        for text in [
            "ACK 4821",
            "ack4821",
            "OK 4821",
            "ok, 4821",
            "确认4821",
            "确认 4821",
            "“确认4821”",
            "回复确认4821".trim_start_matches("回复"),
            "收到#4821",
            "已知４８２１",
            "ＯＫ　４８２１",
            "确认：4821。",
            "4821",
            "#4821",
            " Ack #4821 on my way",
            "确认代码4821",
            "Okay 4821!",
        ] {
            assert_eq!(Meaning::of(text), Meaning::Code(4821), "{text}");
        }
        for text in [
            "ok",
            "OK!",
            "收到",
            "收到。",
            "确认了",
            "已知",
            "Acknowledged",
            "ACK",
        ] {
            assert_eq!(Meaning::of(text), Meaning::Bare, "{text}");
        }
        for text in ["停", "STOP", " Stop. ", "停止", "ＳＴＯＰ"] {
            assert_eq!(Meaning::of(text), Meaning::Stop, "{text}");
        }
        for text in [
            "",
            "不确认4821",
            "not ok 4821",
            "who is this?",
            "停机了吗",
            "ok but which one",
            "来了",
        ] {
            assert_eq!(Meaning::of(text), Meaning::Other, "{text}");
        }
        for text in ["ack 48210", "确认482"] {
            assert_eq!(Meaning::of(text), Meaning::Code(0), "{text}");
        }
    }

    fn person(number: &str) -> Recipient {
        Recipient {
            channel: Channel::Sms,
            name: number.into(),
            address: number.into(),
            language: Language::Chinese,
            from_priority: Priority::Low,
            after_ms: 0,
            devices: None,
            gateway: true,
            shifts: None,
            quiet: None,
            returns: false,
            budget: Budget::PERSON,
        }
    }

    #[test]
    fn a_number_is_known_with_and_without_its_country() {
        let roster = Roster {
            recipients: ["+8613800000001", "+8613800000002", "+4917612345678"]
                .map(person)
                .into(),
            ..Roster::default()
        };
        for (from, found) in [
            ("+8613800000001", Some(0)),
            ("8613800000001", Some(0)),
            ("13800000001", Some(0)),
            ("008613800000002", Some(1)),
            ("017612345678", Some(2)),
            ("00000002", None),
            ("+8613800000003", None),
            ("10086", None),
            ("ALERTS", None),
            ("", None),
        ] {
            assert_eq!(sender(&roster, from), found, "{from}");
        }
        // The end of a number that two have is nobody's.
        let twice = Roster {
            recipients: ["+8613800000001", "+4413800000001"].map(person).into(),
            ..Roster::default()
        };
        assert_eq!(sender(&twice, "13800000001"), None);
        assert_eq!(sender(&twice, "+4413800000001"), Some(1));
    }
}
