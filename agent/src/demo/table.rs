//! The line at a glance, as text: a table for a terminal, one line for a log.
//!
//! A state is told by shape, word and colour, never by colour alone. Everything is measured in
//! columns of the terminal, in which a Chinese character takes two; no character here is of
//! ambiguous width.

use super::Language;
use super::script::Made;
use super::watch::{Alarm, Device, Minute, Seen};
use andon_core::time::Wall;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What is shown.
#[derive(Debug)]
pub struct View<'a> {
    /// What was published.
    pub seen: &'a Seen,
    /// What the machines have really made.
    pub made: &'a [(&'static str, Made)],
    /// Wall clock.
    pub now: Wall,
    /// The plant's time zone.
    pub zone: &'a TimeZone,
    /// In which language.
    pub language: Language,
}

/// Columns of the table: heading in both languages, width on a wide and on a narrow terminal (0:
/// left out). The cause takes the rest of the line.
const COLUMNS: [([&str; 2], usize, usize); 8] = [
    (["machine", "设备"], 18, 8),
    (["state", "状态"], 15, 12),
    (["since", "持续"], 7, 7),
    (["good/scrap", "良品/废品"], 10, 10),
    (["published", "已上报"], 9, 0),
    (["capacity", "产能利用率"], 10, 8),
    (["available", "可用率"], 9, 0),
    (["fault (known)", "故障率(数据)"], 13, 13),
];

/// A terminal at least this wide shows everything.
const WIDE: usize = 120;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";

/// The whole picture in lines of at most `width` columns.
pub fn render(view: &View<'_>, width: usize, colour: bool) -> String {
    let mut page = Page {
        width,
        colour,
        text: String::new(),
    };
    let say = |words: [&'static str; 2]| words[view.language as usize];
    page.line(BOLD, &headings(view.language, width));
    for (id, made) in view.made {
        let device = view.seen.devices.get(*id).cloned().unwrap_or_default();
        let look = Look::of(&device.state);
        page.line(look.paint, &machine(view, (id, *made), &device, width));
    }
    page.line("", "");
    if view.seen.alarms.is_empty() {
        page.line(DIM, say(["no alarm", "无报警"]));
    }
    let (active, returned): (Vec<_>, Vec<_>) = view
        .seen
        .alarms
        .iter()
        .partition(|(_, alarm)| alarm.is_active());
    for (id, alarm) in active {
        let paint = if alarm.priority == "high" {
            RED
        } else {
            YELLOW
        };
        page.line(paint, &alarm_line(view, id, alarm));
    }
    for (id, alarm) in returned {
        page.line(DIM, &alarm_line(view, id, alarm));
    }
    for (id, link) in view.seen.links.iter().filter(|(_, link)| !link.up) {
        let down = say(["link lost", "连接中断"]);
        let since = age(view.now.0 - link.since_ms);
        let why = link.why.as_deref().unwrap_or("");
        page.line(YELLOW, &format!("xx {down} {id}, {since}: {why}"));
    }
    page.line("", &outbox(view));
    for record in &view.seen.newest {
        let time = clock_time(view, record.ts_ms);
        page.line(DIM, &format!("   {time} #{} {}", record.seq, record.what));
    }
    page.text
}

/// The line in one line, for a log.
pub fn one_line(view: &View<'_>) -> String {
    let mut text = clock_time(view, view.now.0);
    for (id, made) in view.made {
        let state = view.seen.devices.get(*id);
        let state = state.map_or("", |device| device.state.as_str());
        let word = Look::of(state).word(view.language);
        // Writing to a String cannot fail.
        let _ = write!(text, " | {id} {word} {}", made.total());
    }
    let alarms = view.seen.alarms.values();
    let alarms = alarms.filter(|alarm| alarm.is_active()).count();
    let counts = match view.language {
        Language::En => format!(" | alarms {alarms}"),
        Language::Zh => format!(" | 报警 {alarms}"),
    };
    format!("{text}{counts} | {}", outbox(view))
}

fn headings(language: Language, width: usize) -> String {
    let titles = COLUMNS.map(|(titles, ..)| String::from(titles[language as usize]));
    let cause = ["cause", "原因"][language as usize];
    row(&titles, cause, width)
}

fn machine(view: &View<'_>, (id, made): (&str, Made), device: &Device, width: usize) -> String {
    let look = Look::of(&device.state);
    let name = if device.name.is_empty() || device.name == id {
        String::from(id)
    } else {
        format!("{id} {}", device.name)
    };
    let minute = device.minute.clone().unwrap_or_default();
    let since = device.since_ms.map(|since| age(view.now.0 - since));
    let cells = [
        name,
        format!("{} {}", look.shape, look.word(view.language)),
        since.unwrap_or_default(),
        format!("{}/{}", made.good, made.scrap),
        device.published.to_string(),
        percent(minute.capacity_utilisation),
        percent(minute.availability),
        faulted(&minute),
    ];
    let cause = device.cause[view.language as usize].as_ref();
    let cause = cause.or(device.reason.as_ref());
    row(&cells, cause.map_or("", String::as_str), width)
}

/// Fault time ratio, with the share of time that is known.
fn faulted(minute: &Minute) -> String {
    match minute.coverage {
        Some(known) => format!(
            "{} ({:.0}%)",
            percent(minute.fault_time_ratio),
            known * 100.0
        ),
        None => String::from("-"),
    }
}

fn alarm_line(view: &View<'_>, id: &str, alarm: &Alarm) -> String {
    let text = &alarm.text[view.language as usize];
    let since = alarm.raised_ms.map(|raised| age(view.now.0 - raised));
    let since = since.unwrap_or_default();
    let doubt = match (alarm.undecided, view.language) {
        (false, _) => "",
        (true, Language::En) => ", no data to judge it by",
        (true, Language::Zh) => ", 无数据可判",
    };
    let shape = if alarm.is_active() { "!!" } else { "  " };
    format!("{shape} {text} [{id}, {}, {since}{doubt}]", alarm.state)
}

fn outbox(view: &View<'_>) -> String {
    let gateway = &view.seen.gateway;
    let (waiting, received) = (gateway.waiting, view.seen.received());
    let (up, down) = (gateway.links_up, gateway.links_down);
    match (view.language, gateway.online) {
        (Language::En, false) => String::from("gateway offline"),
        (Language::Zh, false) => String::from("网关离线"),
        (Language::En, true) => {
            format!("links {up} up, {down} down; records {received} received, {waiting} waiting")
        }
        (Language::Zh, true) => {
            format!("连接 {up} 通 {down} 断; 记录 {received} 已收, {waiting} 待发")
        }
    }
}

/// How a state looks.
struct Look {
    shape: &'static str,
    words: [&'static str; 2],
    paint: &'static str,
}

impl Look {
    const fn new(shape: &'static str, words: [&'static str; 2], paint: &'static str) -> Look {
        Look {
            shape,
            words,
            paint,
        }
    }

    fn of(state: &str) -> Look {
        match state {
            "producing" => Look::new(">>", ["producing", "生产"], "\x1b[32m"),
            "setup" => Look::new("++", ["setup", "换型"], "\x1b[36m"),
            "delayed" => Look::new("..", ["delayed", "待料"], YELLOW),
            "faulted" => Look::new("!!", ["faulted", "故障"], RED),
            "idle" => Look::new("--", ["idle", "空闲"], DIM),
            "planned_stop" => Look::new("==", ["planned stop", "计划停机"], DIM),
            _ => Look::new("??", ["unknown", "未知"], "\x1b[35m"),
        }
    }

    const fn word(&self, language: Language) -> &'static str {
        self.words[language as usize]
    }
}

fn row(cells: &[String; 8], rest: &str, width: usize) -> String {
    let mut line = String::new();
    for (cell, (_, wide, narrow)) in cells.iter().zip(COLUMNS) {
        let columns = if width < WIDE { narrow } else { wide };
        if columns > 0 {
            line.push_str(&fit(cell, columns));
            line.push(' ');
        }
    }
    line.push_str(rest);
    line
}

/// Exactly `columns` columns of text: cut, or padded with spaces.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let mut fitted = cut(text, columns);
    let missing = columns - fitted.width();
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// At most `columns` columns of text, without control characters.
fn cut(text: &str, columns: usize) -> String {
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        // A control character, which could move the cursor, has no width.
        let Some(wide) = character.width() else {
            continue;
        };
        if used + wide > columns {
            break;
        }
        used += wide;
        kept.push(character);
    }
    kept
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| String::from("-"), |r| format!("{:.1}%", r * 100.0))
}

fn age(ms: i64) -> String {
    match ms.max(0) / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

fn clock_time(view: &View<'_>, ms: i64) -> String {
    let Ok(instant) = Timestamp::from_millisecond(ms) else {
        return String::new();
    };
    let time = view.zone.to_datetime(instant).time();
    format!(
        "{:02}:{:02}:{:02}",
        time.hour(),
        time.minute(),
        time.second()
    )
}

struct Page {
    width: usize,
    colour: bool,
    text: String,
}

impl Page {
    fn line(&mut self, paint: &str, text: &str) {
        let text = cut(text, self.width);
        let text = text.trim_end();
        if self.colour && !paint.is_empty() && !text.is_empty() {
            self.text.extend([paint, text, RESET, "\n"]);
        } else {
            self.text.extend([text, "\n"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: [(&str, Made); 2] = [
        ("press-1", Made { good: 90, scrap: 4 }),
        ("oven-7", Made { good: 12, scrap: 0 }),
    ];

    fn seen() -> Seen {
        let head = "andon/v1/demo/press-shop/gw-demo";
        let mut seen = Seen::default();
        for (tail, payload) in [
            (
                "status",
                r#"{"status":"online","links_up":3,"links_down":1,"waiting":2}"#,
            ),
            ("press-1/info", r#"{"name":"一号冲压机"}"#),
            (
                "press-1/state",
                r#"{"state":"faulted","since_ms":48000,"cause":"light curtain tripped","cause_zh":"光幕动作"}"#,
            ),
            (
                "press-1/kpi/1m",
                r#"{"gateway":"g","run":"r","seq":1,"ts":60000,"total":81,"end_ms":60000,
                "capacity_utilisation":0.675,"availability":0.8683,"fault_time_ratio":0.0817,
                "coverage":0.93}"#,
            ),
            ("oven-7/info", r#"{"name":"七号回火炉"}"#),
            ("oven-7/state", r#"{"state":"producing","since_ms":57000}"#),
            (
                "press-1/alarm/fault",
                r#"{"id":"press-1.fault","state":"unack-active","priority":"high","quality":"good",
                "raised_ms":48000,"text_en":"press-1 stopped","text_zh":"一号冲压机 故障停机"}"#,
            ),
            (
                "oven-7/alarm/overheat",
                r#"{"id":"oven-7.overheat","state":"rtn-unack","priority":"high","quality":"bad",
                "raised_ms":1000,"text_en":"oven-7 too hot","text_zh":"七号回火炉 超温"}"#,
            ),
            (
                "event",
                r#"{"gateway":"g","run":"r","seq":2,"ts":59000,"event":"link","what":"press-2",
                "from":"up","to":"down","why":"no answer within 500 ms"}"#,
            ),
        ] {
            seen.take(&format!("{head}/{tail}"), payload.as_bytes());
        }
        seen
    }

    fn rendered(language: Language, width: usize, colour: bool) -> String {
        let seen = seen();
        let view = View {
            seen: &seen,
            made: &MADE,
            now: Wall(60_000),
            zone: &TimeZone::UTC,
            language,
        };
        render(&view, width, colour)
    }

    #[test]
    fn a_wide_terminal_shows_everything() {
        let expected = "\
machine            state           since   good/scrap published capacity   available fault (known) cause
press-1 一号冲压机 !! faulted      12 s    90/4       81        67.5%      86.8%     8.2% (93%)    light curtain tripped
oven-7 七号回火炉  >> producing    3 s     12/0       0         -          -         -

!! press-1 stopped [press-1.fault, unack-active, 12 s]
   oven-7 too hot [oven-7.overheat, rtn-unack, 59 s, no data to judge it by]
xx link lost press-2, 1 s: no answer within 500 ms
links 3 up, 1 down; records 2 received, 2 waiting
   00:01:00 #1 press-1 1m, 81 parts
   00:00:59 #2 link press-2 up -> down
";
        assert_eq!(rendered(Language::En, 160, false), expected);
    }

    #[test]
    fn a_narrow_terminal_still_shows_the_cause() {
        let text = rendered(Language::En, 80, false);
        let lines: Vec<&str> = text.lines().take(2).collect();
        assert_eq!(
            lines,
            [
                "machine  state        since   good/scrap capacity fault (known) cause",
                "press-1  !! faulted   12 s    90/4       67.5%    8.2% (93%)    light curtain tr",
            ]
        );
    }

    #[test]
    fn chinese_takes_two_columns_a_character() {
        let text = rendered(Language::Zh, 160, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "press-1 一号冲压机 !! 故障         12 s    90/4       81        67.5%      86.8%     8.2% (93%)    光幕动作"
        );
        let column = |line: &str, word: &str| line[..line.find(word).unwrap()].width();
        assert_eq!(column(lines[1], "故障"), column(lines[2], "生产"));
        assert_eq!(column(lines[0], "原因"), column(lines[1], "光幕动作"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for language in [Language::En, Language::Zh] {
            for width in 1..130 {
                for line in rendered(language, width, false).lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let coloured = rendered(Language::En, 100, true);
        assert!(coloured.contains("\x1b[31mpress-1"), "faulted is red");
        let mut plain = coloured;
        for code in [RESET, BOLD, DIM, RED, YELLOW, "\x1b[32m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, rendered(Language::En, 100, false));
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(cut("a\x1b[2Jb\n", 10), "a[2Jb");
    }

    #[test]
    fn one_line_for_a_log() {
        let seen = seen();
        let view = View {
            seen: &seen,
            made: &MADE,
            now: Wall(60_000),
            zone: &TimeZone::UTC,
            language: Language::En,
        };
        assert_eq!(
            one_line(&view),
            "00:01:00 | press-1 faulted 94 | oven-7 producing 12 | alarms 1 | \
             links 3 up, 1 down; records 2 received, 2 waiting"
        );
    }
}
