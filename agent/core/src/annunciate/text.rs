//! What people read: one segment of a text message in Chinese (70 units of UCS-2) or English (160
//! septets of GSM-7), with names cut before values, and values before what is to be done.

use super::{Kind, Language, Subject};
use crate::plant::Priority;
use crate::sms::gsm7::transliterated;
use crate::sms::submit::segments;
use alloc::format;
use alloc::string::String;

/// Names are not cut below so many characters, as long as something else can go.
const SHORTEST: usize = 8;

/// What a text is made of, in the order in which it is read.
struct Pieces<'p> {
    head: &'p str,
    machine: &'p str,
    what: &'p str,
    value: &'p str,
    /// When, and which activation.
    when: &'p str,
    tail: &'p str,
    /// What stands between the machine and what is wrong with it; and between that, the value and the time.
    joints: [&'p str; 2],
}

/// What is said of one alarm. `waited_min`: for so many minutes nobody has acknowledged.
pub fn of_one(
    language: Language,
    kind: Kind,
    subject: &Subject,
    code: Option<u16>,
    waited_min: u64,
) -> String {
    match language {
        Language::Chinese => of_one_zh(kind, subject, code, waited_min),
        Language::English => of_one_en(kind, subject, code, waited_min),
    }
}

fn of_one_zh(kind: Kind, subject: &Subject, code: Option<u16>, waited_min: u64) -> String {
    let priority = match (&subject.call, subject.priority) {
        (Some(_), _) => "呼叫",
        (None, Priority::High) => "紧急报警",
        (None, Priority::Medium) => "重要报警",
        (None, Priority::Low) => "一般报警",
    };
    // Of a call somebody is waited for, of an alarm only a word.
    let nobody = if subject.call.is_some() {
        "无人到场"
    } else {
        "无人确认"
    };
    let head = match kind {
        Kind::Repeated => format!("【安灯】{priority}仍{nobody}："),
        Kind::Escalated if waited_min == 0 => format!("【安灯】{priority}{nobody}："),
        Kind::Escalated => format!("【安灯】{priority}{waited_min}分钟{nobody}："),
        Kind::Returned if subject.call.is_some() => String::from("【安灯】呼叫已解决："),
        Kind::Returned => String::from("【安灯】报警已恢复："),
        Kind::Raised | Kind::Digest | Kind::Confirmed => format!("【安灯】{priority}："),
    };
    let again = (subject.occurrence > 1 && subject.call.is_none())
        .then(|| format!("第{}次", subject.occurrence));
    let when = match (kind, &subject.call) {
        (Kind::Returned, Some([arrived, solved])) => listed(
            [
                stated(subject.clock.as_deref(), "呼叫"),
                stated(arrived.as_deref(), "到场"),
                stated(solved.as_deref(), "解决"),
            ],
            "，",
        ),
        (Kind::Returned, None) => String::new(),
        _ => listed(
            [subject.clock.as_deref().map(String::from), again, None],
            "，",
        ),
    };
    let gone = !subject.is_active && kind != Kind::Returned;
    let gone = if gone { "，现已恢复" } else { "" };
    let tail = match (code, &subject.call) {
        (Some(code), Some(_)) => format!("{gone}。到场后回复“确认{code}”"),
        (Some(code), None) => format!("{gone}。回复“确认{code}”"),
        (None, _) => format!("{gone}。"),
    };
    Pieces {
        head: &head,
        machine: named(&subject.machine, &subject.text_zh),
        what: &subject.text_zh,
        value: &subject.value[1],
        when: &when,
        tail: &tail,
        joints: [" ", "，"],
    }
    .fitted("…")
}

fn of_one_en(kind: Kind, subject: &Subject, code: Option<u16>, waited_min: u64) -> String {
    let priority = match (&subject.call, subject.priority) {
        (Some(_), _) => "Call",
        (None, Priority::High) => "HIGH alarm",
        (None, Priority::Medium) => "MEDIUM alarm",
        (None, Priority::Low) => "LOW alarm",
    };
    let nobody = if subject.call.is_some() {
        "nobody has come"
    } else {
        "not acknowledged"
    };
    let head = match kind {
        Kind::Repeated => format!("[Andon] {priority}, still {nobody}:"),
        Kind::Escalated if waited_min == 0 => format!("[Andon] {priority}, {nobody}:"),
        Kind::Escalated => format!("[Andon] {priority}, {nobody} for {waited_min} min:"),
        Kind::Returned if subject.call.is_some() => String::from("[Andon] Call solved:"),
        Kind::Returned => String::from("[Andon] Alarm cleared:"),
        Kind::Raised | Kind::Digest | Kind::Confirmed => format!("[Andon] {priority}:"),
    };
    let again = (subject.occurrence > 1 && subject.call.is_none())
        .then(|| format!("{} time", ordinal(subject.occurrence)));
    let when = match (kind, &subject.call) {
        (Kind::Returned, Some([arrived, solved])) => listed(
            [
                subject.clock.as_deref().map(|at| format!("called {at}")),
                arrived.as_deref().map(|at| format!("arrived {at}")),
                solved.as_deref().map(|at| format!("solved {at}")),
            ],
            ", ",
        ),
        (Kind::Returned, None) => String::new(),
        _ => {
            let clock = subject.clock.as_deref();
            listed(
                [clock.map(|clock| format!("at {clock}")), again, None],
                ", ",
            )
        }
    };
    let gone = !subject.is_active && kind != Kind::Returned;
    let gone = if gone { ", cleared since" } else { "" };
    let tail = match (code, &subject.call) {
        (Some(code), Some(_)) => format!("{gone}. Reply ACK {code} when you are there"),
        (Some(code), None) => format!("{gone}. Reply ACK {code}"),
        (None, _) => format!("{gone}."),
    };
    Pieces {
        head: &head,
        machine: named(&subject.device, &subject.text_en),
        what: &subject.text_en,
        value: &subject.value[0],
        when: &when,
        tail: &tail,
        joints: [": ", ", "],
    }
    .fitted("..")
}

/// The parts that there are, one after the other.
fn listed(parts: [Option<String>; 3], comma: &str) -> String {
    let mut text = String::new();
    for part in parts.into_iter().flatten() {
        if !text.is_empty() {
            text.push_str(comma);
        }
        text.push_str(&part);
    }
    text
}

/// A time and what was then, as Chinese says it.
fn stated(at: Option<&str>, what: &str) -> Option<String> {
    at.map(|at| format!("{at}{what}"))
}

/// 1st, 2nd, 3rd, 4th, 11th.
fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// What is said of several alarms: `counts` of high, medium and low ones, the worst of them by name.
pub fn of_many(
    language: Language,
    worst: &Subject,
    counts: [usize; 3],
    code: Option<u16>,
) -> String {
    let all: usize = counts.iter().sum();
    let words = match language {
        Language::Chinese => ["紧急", "重要", "一般"],
        Language::English => ["high", "medium", "low"],
    };
    let mut parts = String::new();
    for (word, count) in words.into_iter().zip(counts) {
        if count > 0 {
            let between = if parts.is_empty() { "" } else { ", " };
            parts += &match language {
                Language::Chinese if parts.is_empty() => format!("{word}{count}条"),
                Language::Chinese => format!("、{word}{count}条"),
                Language::English => format!("{between}{count} {word}"),
            };
        }
    }
    match language {
        Language::Chinese => {
            let tail = code.map(|code| format!("。回复“确认{code}”全部确认"));
            Pieces {
                head: &format!("【安灯】{all}条报警未确认（{parts}），最重要的："),
                machine: named(&worst.machine, &worst.text_zh),
                what: &worst.text_zh,
                value: "",
                when: "",
                tail: tail.as_deref().unwrap_or("。"),
                joints: [" ", "，"],
            }
            .fitted("…")
        }
        Language::English => {
            let tail = code.map(|code| format!(". Reply ACK {code} for all"));
            Pieces {
                head: &format!("[Andon] {all} alarms not acknowledged ({parts}), the worst:"),
                machine: named(&worst.device, &worst.text_en),
                what: &worst.text_en,
                value: "",
                when: "",
                tail: tail.as_deref().unwrap_or("."),
                joints: [": ", ", "],
            }
            .fitted("..")
        }
    }
}

/// The machine, unless what is said of it names it.
fn named<'n>(machine: &'n str, what: &str) -> &'n str {
    if what.contains(machine) { "" } else { machine }
}

impl Pieces<'_> {
    /// The text in one segment; `dots` show that something is cut.
    fn fitted(&self, dots: &str) -> String {
        let whole = self.with(self.machine, self.what, self.value, self.when);
        if fits(&whole) {
            return whole;
        }
        let (machine, what) = (length(self.machine), length(self.what));
        let least = |length: usize| length.min(SHORTEST);
        // Names first, then the time, then the value, then the rest of the names.
        let names = (least(machine)..=machine)
            .rev()
            .map(|length| (length, what))
            .chain(
                (least(what)..=what)
                    .rev()
                    .map(|length| (least(machine), length)),
            );
        let cut = |(machine, what), value, when| {
            let machine = shortened(self.machine, machine, dots);
            let what = shortened(self.what, what, dots);
            self.with(&machine, &what, value, when)
        };
        let shortest = (least(machine), least(what));
        let rest = (0..=least(what)).rev().map(|length| (0, length));
        let mut texts = names
            .map(|names| cut(names, self.value, self.when))
            .chain([cut(shortest, self.value, ""), cut(shortest, "", "")])
            .chain(rest.map(|names| cut(names, "", "")));
        texts.find(|text| fits(text)).unwrap_or(whole)
    }

    fn with(&self, machine: &str, what: &str, value: &str, when: &str) -> String {
        let mut text = String::from(self.head);
        let [colon, comma] = self.joints;
        let mut joint = match text.ends_with(['】', '：']) {
            // Chinese marks have their space in them.
            true => "",
            false => " ",
        };
        for (piece, next) in [
            (machine, colon),
            (what, comma),
            (value, comma),
            (when, comma),
        ] {
            if !piece.is_empty() {
                text.push_str(joint);
                text.push_str(piece);
                joint = next;
            }
        }
        text.push_str(self.tail);
        transliterated(&text)
    }
}

/// What is answered to somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer<'a> {
    /// They have acknowledged this.
    Acknowledged(&'a Subject),
    /// They have acknowledged so many.
    AllAcknowledged(usize),
    /// Somebody had acknowledged this before them.
    Before(&'a Subject, Option<&'a str>),
    /// It is hidden now, or not there any more: nobody need acknowledge it.
    NoNeed(&'a Subject),
    /// Nothing waits for them.
    NothingOpen,
    /// So many wait: they are to say which.
    Which(usize),
    /// There is no such code.
    WrongCode,
    /// Nothing of theirs is heeded for an hour.
    Unheeded,
    /// They are told nothing until this local time; or for so many hours, where nobody knows.
    Stopped(Option<&'a str>, u64),
}

/// An answer in one segment.
pub fn answer(language: Language, answer: Answer<'_>) -> String {
    match language {
        Language::Chinese => answer_zh(answer),
        Language::English => answer_en(answer),
    }
}

fn answer_zh(answer: Answer<'_>) -> String {
    let of = |subject: &Subject, tail: &str| {
        Pieces {
            head: "【安灯】",
            machine: named(&subject.machine, &subject.text_zh),
            what: &subject.text_zh,
            value: "",
            when: "",
            tail,
            joints: [" ", "，"],
        }
        .fitted("…")
    };
    match answer {
        Answer::Acknowledged(subject) => of(subject, "：已记录您的确认。"),
        Answer::AllAcknowledged(count) => format!("【安灯】已记录您对{count}条报警的确认。"),
        Answer::Before(subject, Some(by)) => of(subject, &format!("：{}已确认过。", cut(by))),
        Answer::Before(subject, None) => of(subject, "：已有人确认过。"),
        Answer::NoNeed(subject) => of(subject, "：现在无需确认。"),
        Answer::NothingOpen => "【安灯】没有等待您确认的报警。".into(),
        Answer::Which(open) => {
            format!("【安灯】有{open}条报警等待您确认，请回复“确认”加短信中的4位代码。")
        }
        Answer::WrongCode => "【安灯】代码有误，请回复“确认”加短信中的4位代码。".into(),
        Answer::Unheeded => "【安灯】代码多次有误，1小时内不再处理您的短信。".into(),
        Answer::Stopped(Some(until), _) => format!("【安灯】{until}之前不再给您发短信。"),
        Answer::Stopped(None, hours) => format!("【安灯】{hours}小时内不再给您发短信。"),
    }
}

fn answer_en(answer: Answer<'_>) -> String {
    let of = |head: &str, subject: &Subject| {
        Pieces {
            head: &format!("[Andon] {head}:"),
            machine: named(&subject.device, &subject.text_en),
            what: &subject.text_en,
            value: "",
            when: "",
            tail: ".",
            joints: [": ", ", "],
        }
        .fitted("..")
    };
    match answer {
        Answer::Acknowledged(subject) => of("You have acknowledged", subject),
        Answer::AllAcknowledged(count) => format!("[Andon] You have acknowledged {count} alarms."),
        Answer::Before(subject, Some(by)) => {
            let by = transliterated(&cut(by));
            of(&format!("{by} has already acknowledged"), subject)
        }
        Answer::Before(subject, None) => of("Somebody has already acknowledged", subject),
        Answer::NoNeed(subject) => of("No need to acknowledge now", subject),
        Answer::NothingOpen => "[Andon] No alarm is waiting for you.".into(),
        Answer::Which(open) => format!(
            "[Andon] {open} alarms are waiting for you: reply ACK and the 4 digits of the one you mean."
        ),
        Answer::WrongCode => {
            "[Andon] Wrong code: reply ACK and the 4 digits in the message.".into()
        }
        Answer::Unheeded => {
            "[Andon] Too many wrong codes: your messages are ignored for 1 hour.".into()
        }
        Answer::Stopped(Some(until), _) => {
            format!("[Andon] No more messages to you until {until}.")
        }
        Answer::Stopped(None, hours) => format!("[Andon] No more messages to you for {hours} h."),
    }
}

/// The name of a person, who may have a long one.
fn cut(name: &str) -> String {
    shortened(name, 16, "")
}

fn fits(text: &str) -> bool {
    segments(text).0 == 1
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// At most `most` characters of a text, and `dots` if that is not all; nothing if `most` is 0.
fn shortened(text: &str, most: usize, dots: &str) -> String {
    if length(text) <= most {
        return text.into();
    }
    let kept: String = text.chars().take(most).collect();
    match kept.trim_end() {
        "" => String::new(),
        kept => format!("{kept}{dots}"),
    }
}

#[cfg(test)]
mod tests;
