//! How many alarms people were asked to look at, as text, beside what is held to be bearable
//! (ISA-18.2 / IEC 62682, EEMUA 191).

use super::Alarms;
use crate::screen::{line, plural, span, wrapped};
use serde::Deserialize;

/// What the agent answers. Another version may say more, or less.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Hygiene {
    last_10min: u64,
    last_hour: u64,
    last_day: u64,
    worst_10min: u64,
    flood: bool,
    floods: u64,
    flood_min: u64,
    chattering: u64,
    chattering_ids: Vec<String>,
    stale: u64,
    stale_ids: Vec<String>,
    since_ms: i64,
    raised: u64,
    chattered: u64,
    fleeting: u64,
    acknowledged: u64,
    ack_mean_ms: Option<u64>,
    ack_median_ms: Option<u64>,
    ack_longest_ms: Option<u64>,
    top: Vec<Frequent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frequent {
    id: String,
    count: u64,
    count_over: u64,
}

/// The measures, without the last line's end.
pub(super) fn render(alarms: &Alarms) -> String {
    let Alarms {
        gateway,
        ts,
        hygiene,
        ..
    } = alarms;
    let mut text = String::new();
    let words = "how many alarms people were asked to look at. 报警统计。";
    wrapped(&mut text, &format!("{gateway}: "), 4, words);
    if hygiene.flood {
        line(&mut text, 2, "there is a flood of alarms now. 报警泛滥中！");
    }
    text.push('\n');
    let mut row = |en: &str, zh: &str, is: String| {
        line(&mut text, 2, &format!("{en:<24}{is:<22}{zh}"));
    };
    let Hygiene {
        last_10min,
        last_hour,
        last_day,
        worst_10min,
        ..
    } = hygiene;
    row(
        "last 10 min",
        "近 10 分钟（1 条为宜）",
        format!("{last_10min}   (1 is fine)"),
    );
    row(
        "last hour",
        "近 1 小时（6 条为宜）",
        format!("{last_hour}   (6 is fine)"),
    );
    row(
        "last 24 h",
        "近 24 小时（150 条为宜）",
        format!("{last_day}   (150 is fine)"),
    );
    row(
        "worst 10 min of 24 h",
        "24 小时内最多 10 分钟",
        format!("{worst_10min}   (10 at most)"),
    );
    let Hygiene {
        floods, flood_min, ..
    } = hygiene;
    row(
        "floods of 24 h",
        "24 小时内泛滥",
        format!("{floods}, {flood_min} min"),
    );
    row("chattering now", "正在抖动", hygiene.chattering.to_string());
    named(&mut text, &hygiene.chattering_ids);
    let mut row = |en: &str, zh: &str, is: String| {
        line(&mut text, 2, &format!("{en:<24}{is:<22}{zh}"));
    };
    row(
        "in view for over 24 h",
        "持续超过 24 小时",
        hygiene.stale.to_string(),
    );
    named(&mut text, &hygiene.stale_ids);
    month(&mut text, hygiene, *ts);
    text.truncate(text.trim_end().len());
    text
}

/// What is counted for up to 30 days.
fn month(text: &mut String, hygiene: &Hygiene, now: i64) {
    let age = span(u64::try_from(now - hygiene.since_ms).unwrap_or(0));
    text.push('\n');
    line(text, 0, &format!("In the last {age}. 最近 {age}："));
    let mut row = |en: &str, zh: &str, is: String| {
        line(text, 2, &format!("{en:<24}{is:<22}{zh}"));
    };
    row("raised", "报警次数", hygiene.raised.to_string());
    row(
        "began to chatter",
        "开始抖动",
        hygiene.chattered.to_string(),
    );
    row(
        "gone within 10 s",
        "10 秒内自行消失",
        hygiene.fleeting.to_string(),
    );
    row("acknowledged", "已确认", hygiene.acknowledged.to_string());
    if let (Some(mean), Some(longest)) = (hygiene.ack_mean_ms, hygiene.ack_longest_ms) {
        let is = format!("{}, at most {}", span(mean), span(longest));
        row("time to acknowledge", "平均 / 最长确认时间", is);
    }
    if let Some(median) = hygiene.ack_median_ms {
        row("median of the newest", "最近确认时间中位数", span(median));
    }
    if hygiene.top.is_empty() {
        return;
    }
    text.push('\n');
    line(text, 0, "The most frequent. 最频繁的报警：");
    for one in &hygiene.top {
        let over = match one.count_over {
            0 => String::new(),
            over => format!(" (up to {over} fewer)"),
        };
        let times = plural(one.count, "time");
        line(text, 2, &format!("{}  {times}{over}", one.id));
    }
}

fn named(text: &mut String, ids: &[String]) {
    if !ids.is_empty() {
        wrapped(text, "    ", 4, &ids.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::COLUMNS;
    use serde_json::json;
    use unicode_width::UnicodeWidthStr as _;

    #[test]
    fn the_measures_stand_beside_what_is_bearable() {
        let now = 1_790_000_000_000_i64;
        let alarms: Alarms = serde_json::from_value(json!({
            "gateway": "gw-press-1", "ts": now,
            "hygiene": {
                "last_10min": 12, "last_hour": 14, "last_day": 90, "worst_10min": 12, "flood": true,
                "floods": 1, "flood_min": 4, "chattering": 1,
                "chattering_ids": ["press-1.door"], "stale": 0, "stale_ids": [],
                "since_ms": now - 3_600_000, "raised": 90, "chattered": 2, "fleeting": 3,
                "acknowledged": 4, "ack_mean_ms": 61_000, "ack_median_ms": 42_000, "ack_longest_ms": 300_000,
                "top": [
                    { "id": "press-1.door", "count": 60, "count_over": 0 },
                    { "id": "press-2.door", "count": 3, "count_over": 1 },
                ],
            },
        }))
        .unwrap();
        let text = render(&alarms);
        for part in [
            "there is a flood of alarms now. 报警泛滥中！",
            "12   (1 is fine)",
            "press-1.door  60 times",
            "press-2.door  3 times (up to 1 fewer)",
            "1 min 1 s, at most 5 min 0 s",
            "median of the newest    42 s",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.lines().all(|line| line.width() <= COLUMNS), "{text}");
    }
}
