//! What a mail and a message in a group say: a subject that says it all, and a text that says what is
//! wrong, since when, and how to acknowledge it, in the language of whoever reads it.

use super::Message;
use andon_core::annunciate::{Kind, Language, Notice, Subject};
use andon_core::plant::Priority;
use andon_core::time::Wall;
use std::fmt::Write as _;

/// The words for a notice of this gateway, in the run `run`.
pub(crate) fn message(notice: &Notice, gateway: &str, run: &str, at: Wall) -> Message {
    let language = notice.language;
    let one = match notice.subjects.as_slice() {
        [one] if notice.count <= 1 => Some(one),
        _ => None,
    };
    let subject = match (one, notice.subjects.first()) {
        (Some(alarm), _) => said(notice.kind, alarm, language),
        (None, Some(worst)) => several(notice.count, worst, language),
        // An answer to what they have sent.
        (None, None) => notice.text.clone(),
    };
    let mut text = match language {
        Language::English => format!("[Andon] {subject}\n"),
        Language::Chinese => format!("【安灯】{subject}\n"),
    };
    match one {
        Some(alarm) => details(&mut text, alarm, language),
        None => listing(&mut text, notice),
    }
    ending(&mut text, notice, one, gateway);
    let about = one.map(|alarm| format!("{}.{}", alarm.id, alarm.occurrence));
    let kind = notice.kind.as_str();
    let id = match &about {
        // The same when it is told again because nobody knows whether it arrived, in another run too.
        Some(about) => format!("{gateway}.{about}.{kind}"),
        None => format!("{gateway}.{kind}.{run}.{}", notice.id.number),
    };
    Message {
        id,
        about: about.map(|about| format!("{gateway}.{about}")),
        is_first: matches!(notice.kind, Kind::Raised | Kind::Escalated),
        is_urgent: notice.priority == Some(Priority::High) && notice.kind != Kind::Returned,
        subject: match language {
            Language::English => format!("[Andon {gateway}] {subject}"),
            Language::Chinese => format!("【安灯 {gateway}】{subject}"),
        },
        text,
        fields: fields(notice, one, gateway),
        at,
    }
}

/// All of one alarm in a line.
fn said(kind: Kind, alarm: &Subject, language: Language) -> String {
    let what = what(alarm, language);
    let priority = priority(alarm.priority, language);
    match language {
        Language::English => {
            let gone = if alarm.is_active {
                ""
            } else {
                ", cleared since"
            };
            match kind {
                Kind::Returned => format!("Alarm cleared: {what}"),
                Kind::Repeated => format!("{priority} alarm, still not acknowledged{gone}: {what}"),
                Kind::Escalated => {
                    format!("{priority} alarm, not acknowledged by anybody{gone}: {what}")
                }
                Kind::Raised | Kind::Digest | Kind::Confirmed => {
                    format!("{priority} alarm{gone}: {what}")
                }
            }
        }
        Language::Chinese => {
            let gone = if alarm.is_active {
                ""
            } else {
                "，现已恢复"
            };
            match kind {
                Kind::Returned => format!("报警已恢复：{what}"),
                Kind::Repeated => format!("{priority}报警仍无人确认{gone}：{what}"),
                Kind::Escalated => format!("{priority}报警一直无人确认{gone}：{what}"),
                Kind::Raised | Kind::Digest | Kind::Confirmed => {
                    format!("{priority}报警{gone}：{what}")
                }
            }
        }
    }
}

/// Several alarms in a line.
fn several(count: usize, worst: &Subject, language: Language) -> String {
    let what = what(worst, language);
    match language {
        Language::English => format!("{count} alarms not acknowledged, the worst: {what}"),
        Language::Chinese => format!("{count} 条报警未确认，最严重的是：{what}"),
    }
}

/// Machine, what is wrong with it, and by what that was found.
fn what(alarm: &Subject, language: Language) -> String {
    match language {
        Language::English => {
            // A name that an English reader may not be able to read.
            let machine = if alarm.machine.is_ascii() {
                &alarm.machine
            } else {
                &alarm.device
            };
            let head = match alarm.text_en.contains(&**machine) {
                true => String::new(),
                false => format!("{machine}: "),
            };
            match &*alarm.value[0] {
                "" => format!("{head}{}", alarm.text_en),
                value => format!("{head}{} ({value})", alarm.text_en),
            }
        }
        Language::Chinese => {
            let machine = &alarm.machine;
            let head = match alarm.text_zh.contains(&**machine) {
                true => String::new(),
                false => format!("{machine} "),
            };
            match &*alarm.value[1] {
                "" => format!("{head}{}", alarm.text_zh),
                value => format!("{head}{}（{value}）", alarm.text_zh),
            }
        }
    }
}

fn details(text: &mut String, alarm: &Subject, language: Language) {
    let number = alarm.occurrence;
    // Writing to a text cannot fail.
    let _ = match (language, &alarm.clock) {
        (Language::English, Some(clock)) => writeln!(text, "Since {clock}."),
        (Language::English, None) => writeln!(
            text,
            "The gateway's clock is not set: the time is not known."
        ),
        (Language::Chinese, Some(clock)) => writeln!(text, "发生时间：{clock}"),
        (Language::Chinese, None) => writeln!(text, "网关时钟未设置，发生时间未知"),
    };
    let _ = match language {
        Language::English => writeln!(text, "Alarm {}, number {number}.", alarm.id),
        Language::Chinese => writeln!(text, "报警编号：{}，第 {number} 次", alarm.id),
    };
}

fn listing(text: &mut String, notice: &Notice) {
    for alarm in &notice.subjects {
        let what = what(alarm, notice.language);
        let priority = priority(alarm.priority, notice.language);
        let clock = alarm.clock.as_ref();
        let clock = clock.map_or_else(String::new, |clock| format!("{clock} "));
        let _ = match notice.language {
            Language::English => writeln!(text, "- {clock}{priority}: {what}"),
            Language::Chinese => writeln!(text, "- {clock}{priority}：{what}"),
        };
    }
    let more = notice.count.saturating_sub(notice.subjects.len());
    if more > 0 && !notice.subjects.is_empty() {
        let _ = match notice.language {
            Language::English => writeln!(text, "and {more} more: `andon alarms` lists all"),
            Language::Chinese => writeln!(text, "另有 {more} 条，用 andon alarms 查看全部"),
        };
    }
}

/// How to acknowledge it, and who says all this.
fn ending(text: &mut String, notice: &Notice, one: Option<&Subject>, gateway: &str) {
    let waits = !matches!(notice.kind, Kind::Returned | Kind::Confirmed);
    if let (true, Some(alarm)) = (waits, one) {
        let _ = match notice.language {
            Language::English => writeln!(text, "Acknowledge: andon ack {}", alarm.id),
            Language::Chinese => writeln!(text, "确认：andon ack {}", alarm.id),
        };
    }
    let _ = match notice.language {
        Language::English => write!(text, "Gateway {gateway}"),
        Language::Chinese => write!(text, "网关：{gateway}"),
    };
}

/// What programs get besides how the alarm stands.
fn fields(
    notice: &Notice,
    one: Option<&Subject>,
    gateway: &str,
) -> serde_json::Map<String, serde_json::Value> {
    let mut fields = serde_json::Map::new();
    let mut put = |key: &str, value: serde_json::Value| fields.insert(key.to_owned(), value);
    put("v", andon_core::message::VERSION.into());
    put("gateway", gateway.into());
    put("kind", notice.kind.as_str().into());
    put("recipient", (&*notice.name).into());
    put("alarms", notice.count.into());
    match one {
        Some(alarm) => {
            put("id", (&*alarm.id).into());
            put("device", (&*alarm.device).into());
            put("machine", (&*alarm.machine).into());
            put("occurrence", alarm.occurrence.into());
            put("value_en", (&*alarm.value[0]).into());
            put("value_zh", (&*alarm.value[1]).into());
        }
        None => {
            let ids: Vec<&str> = notice.subjects.iter().map(|alarm| &*alarm.id).collect();
            put("ids", ids.join(" ").into());
        }
    }
    fields
}

const fn priority(priority: Priority, language: Language) -> &'static str {
    match (language, priority) {
        (Language::English, Priority::High) => "HIGH",
        (Language::English, Priority::Medium) => "MEDIUM",
        (Language::English, Priority::Low) => "LOW",
        (Language::Chinese, Priority::High) => "紧急",
        (Language::Chinese, Priority::Medium) => "重要",
        (Language::Chinese, Priority::Low) => "一般",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::annunciate::{Channel, NoticeId};

    fn subject(id: &str) -> Subject {
        Subject {
            alarm: 0,
            id: id.into(),
            occurrence: 3,
            priority: Priority::High,
            device: "press-1".into(),
            machine: "一号冲压机".into(),
            text_en: "stopped by a fault".into(),
            text_zh: "故障停机".into(),
            value: ["code 7, light curtain".into(), "代码 7，光幕".into()],
            raised: Some(Wall(1_790_000_000_000)),
            clock: Some("14:32".into()),
            is_active: true,
            call: None,
        }
    }

    fn notice(kind: Kind, language: Language, subjects: Vec<Subject>, count: usize) -> Notice {
        Notice {
            id: NoticeId {
                channel: Channel::Mail,
                number: 7,
            },
            recipient: 0,
            name: "Shift lead".into(),
            address: "lead@plant.example".into(),
            language,
            kind,
            priority: Some(Priority::High),
            text: String::new(),
            subjects,
            count,
            code: None,
            uncertain: 0,
        }
    }

    fn told(kind: Kind, language: Language, subjects: Vec<Subject>, count: usize) -> Message {
        let notice = notice(kind, language, subjects, count);
        message(&notice, "gw-1", "9f3a61c07b2d", Wall(1_790_000_060_000))
    }

    #[test]
    fn an_alarm_in_english() {
        let told = told(
            Kind::Raised,
            Language::English,
            vec![subject("press-1.fault")],
            1,
        );
        assert_eq!(
            told.subject,
            "[Andon gw-1] HIGH alarm: press-1: stopped by a fault (code 7, light curtain)"
        );
        assert_eq!(
            told.text,
            "[Andon] HIGH alarm: press-1: stopped by a fault (code 7, light curtain)\n\
             Since 14:32.\n\
             Alarm press-1.fault, number 3.\n\
             Acknowledge: andon ack press-1.fault\n\
             Gateway gw-1"
        );
    }

    #[test]
    fn an_alarm_in_chinese() {
        let told = told(
            Kind::Raised,
            Language::Chinese,
            vec![subject("press-1.fault")],
            1,
        );
        assert_eq!(
            told.subject,
            "【安灯 gw-1】紧急报警：一号冲压机 故障停机（代码 7，光幕）"
        );
        assert_eq!(
            told.text,
            "【安灯】紧急报警：一号冲压机 故障停机（代码 7，光幕）\n\
             发生时间：14:32\n\
             报警编号：press-1.fault，第 3 次\n\
             确认：andon ack press-1.fault\n\
             网关：gw-1"
        );
    }

    #[test]
    fn what_follows_says_so_first() {
        let line = |kind, language| {
            let message = told(kind, language, vec![subject("press-1.fault")], 1);
            message.text.lines().next().unwrap().to_owned()
        };
        use Language::{Chinese, English};
        let what = "press-1: stopped by a fault (code 7, light curtain)";
        assert_eq!(
            line(Kind::Returned, English),
            format!("[Andon] Alarm cleared: {what}")
        );
        assert_eq!(
            line(Kind::Repeated, English),
            format!("[Andon] HIGH alarm, still not acknowledged: {what}")
        );
        assert_eq!(
            line(Kind::Escalated, English),
            format!("[Andon] HIGH alarm, not acknowledged by anybody: {what}")
        );
        let what = "一号冲压机 故障停机（代码 7，光幕）";
        assert_eq!(
            line(Kind::Returned, Chinese),
            format!("【安灯】报警已恢复：{what}")
        );
        assert_eq!(
            line(Kind::Repeated, Chinese),
            format!("【安灯】紧急报警仍无人确认：{what}")
        );
        assert_eq!(
            line(Kind::Escalated, Chinese),
            format!("【安灯】紧急报警一直无人确认：{what}")
        );
        let gone = Subject {
            is_active: false,
            clock: None,
            ..subject("press-1.fault")
        };
        let message = told(Kind::Raised, English, vec![gone], 1);
        assert!(
            message.subject.contains("HIGH alarm, cleared since: "),
            "{message:?}"
        );
        assert!(message.text.contains("clock is not set"), "{message:?}");
    }

    #[test]
    fn many_alarms_are_a_list_and_a_count() {
        let subjects = vec![subject("press-1.fault"), subject("press-2.fault")];
        let told = told(Kind::Digest, Language::English, subjects, 12);
        assert_eq!(
            told.text,
            "[Andon] 12 alarms not acknowledged, the worst: press-1: stopped by a fault (code 7, light curtain)\n\
             - 14:32 HIGH: press-1: stopped by a fault (code 7, light curtain)\n\
             - 14:32 HIGH: press-1: stopped by a fault (code 7, light curtain)\n\
             and 10 more: `andon alarms` lists all\n\
             Gateway gw-1"
        );
        assert_eq!(told.about, None);
        assert_eq!(told.fields["ids"], "press-1.fault press-2.fault");
    }

    #[test]
    fn one_alarm_told_twice_has_one_name_and_follows_on_itself() {
        let first = told(Kind::Raised, Language::English, vec![subject("a.b")], 1);
        let again = told(Kind::Raised, Language::English, vec![subject("a.b")], 1);
        let gone = told(Kind::Returned, Language::English, vec![subject("a.b")], 1);
        assert_eq!(first.id, "gw-1.a.b.3.raised");
        assert_eq!(first.id, again.id);
        assert_ne!(first.id, gone.id);
        assert_eq!(first.about, gone.about);
        assert!(first.is_first && !gone.is_first);
    }
}
