//! The alarms as text that fits 80 columns, in English and in Chinese: what waits for a person comes
//! first, the most urgent before others.

use super::{Alarm, Alarms};
use crate::screen::{COLUMNS, line, plural, span, span_zh, width, wrapped};
use andon_core::alarm::AlarmState;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

/// The list, without the last line's end.
pub(super) fn render(alarms: &Alarms) -> String {
    let mut text = String::new();
    head(&mut text, alarms);
    let width = width(alarms.alarms.iter().map(|alarm| &*alarm.id));
    let mut order: Vec<&Alarm> = alarms.alarms.iter().collect();
    order.sort_by_key(|alarm| (rank(alarm), alarm.raised_ms.unwrap_or(i64::MAX)));
    for alarm in order {
        row(&mut text, alarm, width, alarms.ts);
    }
    text.truncate(text.trim_end().len());
    text
}

/// What one alarm has come to.
pub(super) fn outcome(alarm: &Alarm, until: Option<&str>) -> String {
    let (mut en, mut zh) = state(alarm);
    if let Some(until) = until {
        let _ = write!(en, ", until {until}");
        let _ = write!(zh, "，至 {until}");
    }
    let mut text = String::new();
    let is = match alarm.occurrence {
        0 => format!("{en}. {zh}。"),
        number => format!("number {number}: {en}. {zh}。"),
    };
    wrapped(&mut text, &format!("{} ", alarm.id), 4, &is);
    text.truncate(text.trim_end().len());
    text
}

/// What came of stopping the sound.
pub(super) fn silenced(count: u64) -> String {
    if count == 0 {
        return "nothing sounds. 无声响。".into();
    }
    let alarms = plural(count, "alarm");
    format!(
        "{alarms} silent for 10 min; silence acknowledges nothing.\n\
         {count} 个报警已消音 10 分钟；消音不等于确认。"
    )
}

fn head(text: &mut String, alarms: &Alarms) {
    let Alarms { gateway, ts, .. } = alarms;
    if alarms.alarms.is_empty() {
        return line(text, 0, &format!("{gateway}: no alarms. 无报警。"));
    }
    let count = alarms.alarms.len();
    let waiting = alarms
        .alarms
        .iter()
        .filter(|alarm| is_unacknowledged(alarm));
    let waiting = waiting.count();
    let words = format!(
        "{count} not normal, {waiting} to be acknowledged. {count} 个报警，{waiting} 个待确认。"
    );
    wrapped(text, &format!("{gateway}: "), 4, &words);
    if let Some(priority) = &alarms.sounding {
        let (en, zh) = self::priority(priority);
        let sounding = alarms.sounding_alarms;
        let words =
            format!("{sounding} sounding, {en} at most. {sounding} 个鸣响，最高级别 {zh}。");
        wrapped(text, "  ", 4, &words);
    }
    if let Some(until) = alarms.silent_until_ms {
        let rest = u64::try_from(until - ts).unwrap_or(0);
        let words = format!(
            "the sound is stopped for another {}. 已消音，剩余 {}。",
            span(rest),
            span_zh(rest)
        );
        wrapped(text, "  ", 4, &words);
    }
    text.push('\n');
}

fn row(text: &mut String, alarm: &Alarm, width: usize, now: i64) {
    let (en, zh) = state(alarm);
    let (urgent, urgent_zh) = priority(&alarm.priority);
    let number = match alarm.occurrence {
        0 => String::new(),
        number => format!("no. {number}"),
    };
    let mut head = format!(
        "{:<width$}  {number:<8}  {urgent:<6} {urgent_zh}  {}",
        alarm.id,
        alarm.raised_ms.map_or(String::new(), |at| ago(at, now))
    );
    if alarm.count > 1 {
        let _ = write!(head, ", {} times", alarm.count);
    }
    if alarm.first_out {
        head.push_str(", first 首发");
    }
    line(text, 0, &head);
    let mut is = en;
    if let Some(until) = alarm.until_ms {
        let rest = span(u64::try_from(until - now).unwrap_or(0));
        let _ = write!(is, ", for another {rest}");
    }
    if let Some(why) = &alarm.why {
        let _ = write!(is, ": {why}");
    }
    let both = format!("{is}  {zh}");
    if both.width() + 4 <= COLUMNS {
        line(text, 4, &both);
    } else {
        wrapped(text, "    ", 4, &is);
        wrapped(text, "    ", 4, &zh);
    }
    wrapped(text, "    ", 4, &alarm.text_en);
    wrapped(text, "    ", 4, &alarm.text_zh);
}

fn ago(at: i64, now: i64) -> String {
    let ms = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
    format!("{} ago", span(ms))
}

fn is_unacknowledged(alarm: &Alarm) -> bool {
    matches!(
        &*alarm.state,
        "unack-active" | "rtn-unack" | "latched-unack"
    )
}

/// What comes first in the list.
fn rank(alarm: &Alarm) -> (u8, u8) {
    let state = match &*alarm.state {
        "unack-active" => 0,
        "latched-unack" | "rtn-unack" => 1,
        "ack-active" => 2,
        "latched-ack" => 3,
        "shelved" => 4,
        "suppressed" => 5,
        _ => 6,
    };
    let priority = match &*alarm.priority {
        "high" => 0,
        "medium" => 1,
        _ => 2,
    };
    (state, priority)
}

fn priority(word: &str) -> (&str, &'static str) {
    let zh = match word {
        "high" => "高",
        "medium" => "中",
        "low" => "低",
        _ => "？",
    };
    (word, zh)
}

/// The state in words, English and Chinese.
fn state(alarm: &Alarm) -> (String, String) {
    let is_call = alarm.id.contains(".call-");
    let (en, zh) = match &*alarm.state {
        "unack-active" if is_call => ("called, nobody has arrived", "已呼叫，未到场"),
        "ack-active" if is_call => ("arrived, not solved", "已到场，未解决"),
        "normal" if is_call && alarm.cleared_ms.is_some() => ("solved", "已解决"),
        // Another version of the agent may know more of them.
        other => match AlarmState::from_name(other) {
            Some(state) => state.in_words(),
            None => (other, other),
        },
    };
    let (mut en, mut zh) = (en.to_owned(), zh.to_owned());
    let is_hidden = matches!(&*alarm.state, "shelved" | "suppressed" | "out-of-service");
    if is_hidden && alarm.active {
        en.push_str(" while active");
        zh.push_str("，条件成立");
    }
    if let Some(by) = &alarm.by {
        let _ = write!(en, " by {by}");
        let _ = write!(zh, "（{by}）");
    }
    if alarm.quality == "bad" {
        en.push_str(", cannot be decided now");
        zh.push_str("，目前无法判断");
    }
    (en, zh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(alarms: serde_json::Value) -> String {
        render(&serde_json::from_value(alarms).unwrap())
    }

    #[test]
    fn the_list_is_for_people_of_both_languages() {
        let now = 1_790_000_000_000_i64;
        let text = shown(json!({
            "gateway": "gw-press-1", "ts": now, "sounding": "high", "sounding_alarms": 2,
            "silent_until_ms": now + 90_000,
            "alarms": [
                { "id": "oven-7.overheat", "occurrence": 12, "state": "shelved", "active": true,
                  "priority": "medium", "quality": "good", "raised_ms": now - 7_200_000,
                  "by": "zhang", "why": "thermocouple is being replaced by maintenance today",
                  "until_ms": now + 3_600_000, "count": 1,
                  "text_en": "oven-7 is too hot", "text_zh": "七号炉 温度过高" },
                { "id": "press-1.fault", "occurrence": 4, "state": "ack-active", "active": true,
                  "priority": "high", "quality": "bad", "raised_ms": now - 60_000,
                  "acked_ms": now - 30_000, "by": "li", "count": 1,
                  "text_en": "press-1 stopped by a fault", "text_zh": "一号冲压机 故障停机" },
                { "id": "press-2.fault", "occurrence": 31, "state": "rtn-unack", "active": false,
                  "priority": "high", "quality": "good", "raised_ms": now - 120_000,
                  "cleared_ms": now - 100_000, "count": 3,
                  "text_en": "press-2 stopped by a fault",
                  "first_out": true,
                  "text_zh": "二号冲压机因为故障停机，请维修人员立即到现场检查液压系统、光幕和急停回路，并确认报警" },
            ],
        }));
        assert_eq!(
            text,
            "\
gw-press-1: 3 not normal, 1 to be acknowledged. 3 个报警，1 个待确认。
  2 sounding, high at most. 2 个鸣响，最高级别 高。
  the sound is stopped for another 1 min 30 s. 已消音，剩余 1 分 30 秒。

press-2.fault    no. 31    high   高  2 min 0 s ago, 3 times, first 首发
    gone, not acknowledged  已恢复，未确认
    press-2 stopped by a fault
    二号冲压机因为故障停机，请维修人员立即到现场检查液压系统、光幕和急停回路，并
    确认报警
press-1.fault    no. 4     high   高  1 min 0 s ago
    active, acknowledged by li, cannot be decided now
    报警中，已确认（li），目前无法判断
    press-1 stopped by a fault
    一号冲压机 故障停机
oven-7.overheat  no. 12    medium 中  2 h 0 min ago
    shelved while active by zhang, for another 1 h 0 min: thermocouple is being
    replaced by maintenance today
    已搁置，条件成立（zhang）
    oven-7 is too hot
    七号炉 温度过高"
        );
        assert!(text.lines().all(|line| line.width() <= COLUMNS), "{text}");
    }

    #[test]
    fn without_alarms_that_is_said() {
        let text = shown(json!({ "gateway": "gw-1", "new": 1 }));
        assert_eq!(text, "gw-1: no alarms. 无报警。");
    }

    #[test]
    fn what_was_done_is_told_in_a_line() {
        let alarm = serde_json::from_value(json!({
            "id": "press-1.fault", "occurrence": 4, "state": "ack-active", "by": "li",
            "quality": "good",
        }));
        assert_eq!(
            outcome(&alarm.unwrap(), None),
            "press-1.fault number 4: active, acknowledged by li. 报警中，已确认（li）。"
        );
        let shelved = serde_json::from_value(json!({
            "id": "press-1.fault", "occurrence": 4, "state": "shelved", "by": "li",
            "quality": "good", "active": true, "until_ms": 1_790_000_000_000_i64,
        }));
        let told = outcome(&shelved.unwrap(), Some("2026-09-21 22:13"));
        assert!(
            told.contains("shelved while active by li, until 2026-09-21 22:13."),
            "{told}"
        );
        assert!(told.contains("（li），至 2026-09-21 22:13。"), "{told}");
        for text in [silenced(0), silenced(1), silenced(500)] {
            assert!(text.lines().all(|line| line.width() <= COLUMNS), "{text}");
        }
    }
}
