//! Two days of a press, written down and computed again.

use crate::formulas::{Figure, Parts};
use crate::table::{Row, export, moment, number};
use andon::{config, history, plan};
use andon_core::engine::{Action, Engine, Left};
use andon_core::history::Page;
use andon_core::message::{Message, topic_tail};
use andon_core::modbus::plan::Plan;
use andon_core::plant::{Gateway, Plant};
use andon_core::record::{Body, Record, Run};
use andon_core::sample::{Reading, Sample, Value};
use andon_core::summary::Tier;
use andon_core::tag::{DeviceIndex, TagIndex};
use andon_core::time::{ClockState, Mono, Now, Wall};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const CONFIG: &str = r#"
[gateway]
id = "gw"
site = "here"
area = "hall"
timezone = "Asia/Shanghai"
data_dir = "DATA"
[upstream]
broker = "mqtt://127.0.0.1"
[calendar]
day_start = "08:00"
[[shift]]
name = "day"
days = ["mon", "tue", "wed"]
start = "08:00"
end = "20:00"
breaks = ["12:00-12:30", "16:00-16:15"]
[[shift]]
name = "night"
days = ["mon", "tue", "wed"]
start = "22:00"
end = "06:00"
breaks = ["02:00-02:30"]
[[link]]
id = "door"
http_push = true
token_file = "push.token"
[http]
listen = "127.0.0.1:8080"
[[device]]
id = "press"
link = "door"
rated_rate = "1201/h"
stale_after = "30 s"
late = "1 h"
tags.status = { type = "u16" }
tags.good = { type = "u32", role = "good_count" }
tags.scrap = { type = "u32", role = "scrap_count" }
state = { from = "status", idle = [0], setup = [1], producing = [2], delayed = [3], faulted = ["4..99"] }
"#;

/// Thousandths of a part per hour.
const RATED: i64 = 1_201_000;

/// 2026-11-23T07:30+08:00.
const BEGIN: i64 = 1_795_390_200_000;
const HOUR: i64 = 3_600_000;
/// A day and a half, to where a second production day has begun and half a night is over.
const END: i64 = BEGIN + 43 * HOUR;

/// What the wall clock shows at moment 0 of the monotonic one.
const ZERO: i64 = BEGIN - 900 * HOUR;

fn at(wall: i64) -> Now {
    Now {
        mono: Mono(u64::try_from(wall - ZERO).unwrap()),
        wall: Wall(wall),
        clock: ClockState::Synced,
    }
}

/// Numbers as good as drawn.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 33).unwrap() % most
    }
}

struct Agent {
    plant: Arc<Plant>,
    engine: Engine,
    records: Vec<Record>,
    pages: Vec<Page>,
}

impl Agent {
    fn start(plant: &Arc<Plant>, now: i64, left: Option<Left<'_>>, past: Vec<Page>) -> Agent {
        let plan = Arc::new(Plan::new(plant));
        let run = Run {
            id: 1,
            boot: 1,
            cfg: 1,
        };
        let engine = Engine::with_history(Arc::clone(plant), plan, run, at(now), left, past);
        let mut agent = Agent {
            plant: Arc::clone(plant),
            engine,
            records: Vec::new(),
            pages: Vec::new(),
        };
        agent.act();
        while !agent.engine.catch_up(at(now).mono) {
            agent.act();
        }
        agent.act();
        agent
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => self.records.push(record),
                Action::Keep(page) => self.pages.push(page),
                _ => {}
            }
        }
    }

    fn pass(&mut self, to: i64) {
        while self.engine.poll_deadline() <= at(to).mono {
            let due = i64::try_from(self.engine.poll_deadline().0).unwrap();
            self.engine.handle_time(at(ZERO + due));
            self.act();
        }
    }

    fn hear(&mut self, now: i64, told: &[(u16, i64, i64)]) {
        self.pass(now - 1);
        let sample = |&(tag, value, taken): &(u16, i64, i64)| {
            let reading = Reading::Good(Value::Int(value));
            let time = Some(Wall(taken));
            (TagIndex(tag), Sample { reading, time })
        };
        let samples: Vec<_> = told.iter().map(sample).collect();
        self.engine
            .handle_readings(DeviceIndex(0), at(now).mono, &samples);
        self.act();
    }

    /// Stops in order, or is killed; the next one begins at `next`.
    async fn again(mut self, dir: &Path, history: &history::History, now: i64, next: i64) -> Agent {
        let limits = history::Limits {
            logs: [history::Limit {
                bytes: 64 << 20,
                keep_ms: 400 * 24 * HOUR,
            }; 6],
        };
        self.pass(now);
        self.engine.end(at(now));
        self.act();
        let checkpoint = self.engine.checkpoint();
        self.act();
        history.commit(self.pages).await.unwrap();
        let left = Left::Newest(&checkpoint);
        let opened = history::open(dir, limits, left.last_page()).unwrap();
        let past = opened.past(0).collect();
        let mut again = Agent::start(&self.plant, next, Some(left), past);
        self.records.append(&mut again.records);
        again.records = self.records;
        again
    }
}

/// The day and a half, on disk; what was sent of it.
async fn live(dir: &Path, file: &Path) -> Vec<Record> {
    let loaded = config::load(file).unwrap_or_else(|report| panic!("{report}"));
    let plant = Arc::new(loaded.settings.plant.clone());
    let open = || history::open(dir, plan::history(&loaded.settings), None).unwrap();
    let mut history = open();
    let mut agent = Agent::start(&plant, BEGIN + 37, None, Vec::new());
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut now, mut good, mut scrap, mut status) = (BEGIN + 5_000, 100, 7, 2);
    let mut kept: Vec<(u16, i64, i64)> = Vec::new();
    let (mut lost_until, mut kept_until, mut stops) = (0, 0, 0);
    while now < END {
        now += 1 + dice.below(12_000);
        match dice.below(100) {
            0..4 => status = [0, 1, 3, 4, 7][dice.below(5) as usize],
            4..40 => status = 2,
            // Cut off for some minutes: what is read is lost, or kept and sent later.
            40 if lost_until < now => lost_until = now + dice.below(8 * 60_000),
            41 if kept_until < now => kept_until = now + dice.below(40 * 60_000),
            _ => {}
        }
        if status == 2 {
            good += dice.below(4);
            scrap += i64::from(dice.below(20) == 0);
        }
        let told = [(0, status, now), (1, good, now), (2, scrap, now)];
        if now < lost_until {
            continue;
        }
        if now < kept_until {
            kept.extend(told);
            continue;
        }
        kept.extend(told);
        // What was kept comes with the first that comes in time, in one message.
        kept.sort_by_key(|told| told.2);
        agent.hear(now + 15, &std::mem::take(&mut kept));
        now += 15;
        if now > BEGIN + (stops + 1) * 7 * HOUR {
            stops += 1;
            let next = now + dice.below(5 * 60_000);
            agent = agent.again(dir, &history, now, next).await;
            history = open();
            now = next;
        }
    }
    agent.pass(END);
    history.commit(agent.pages).await.unwrap();
    assert!(stops >= 5);
    agent.records
}

/// The same as they are sent, a line for each: topic below the gateway, space, payload. What
/// subscribers make of them is tested by `tests/subscriber_test.py`.
fn write_messages(records: &[Record], file: &Path) {
    let gateway = Gateway {
        root: "andon".into(),
        site: "here".into(),
        area: "hall".into(),
        id: "gw".into(),
    };
    let run = Run {
        id: 1,
        boot: 1,
        cfg: 1,
    };
    let mut text = String::new();
    for (record, seq) in records.iter().zip(1..) {
        // Each start of the agent is another run; here they are one, numbered through.
        let record = Record {
            seq,
            ..record.clone()
        };
        let message = Message {
            gateway: &gateway,
            run: &run,
            record: &record,
            historical: false,
        };
        text += &format!(
            "{} {}\n",
            topic_tail(&record.body),
            serde_json::to_string(&message).unwrap()
        );
    }
    std::fs::write(file, text).unwrap();
}

/// A stretch of time, in milliseconds since 1970.
#[derive(Debug, Clone)]
struct Stretch {
    state: String,
    from: i64,
    to: i64,
}

/// The segments between two moments. Those of a kind that follow one another are one.
fn stretches(rows: &[Row]) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    for row in rows {
        let from = moment(&row["from"]);
        let to = match &*row["to"] {
            "" => i64::MAX,
            to => moment(to),
        };
        if let Some(last) = all.last_mut() {
            assert_eq!(last.to, from, "without a gap");
            assert!(to > from || row["state"] != "unknown");
            if last.state == row["state"] {
                last.to = to;
                continue;
            }
        }
        let state = row["state"].clone();
        all.push(Stretch { state, from, to });
    }
    all
}

/// A fault: where it began, if it is known that it did, where it ended, and its faulted time.
#[derive(Debug)]
struct Fault {
    began: Option<i64>,
    ended: i64,
    faulted_ms: i64,
}

fn faults(all: &[Stretch]) -> Vec<Fault> {
    let (mut faults, mut open): (Vec<Fault>, Option<Fault>) = (Vec::new(), None);
    let mut before = "unknown";
    for stretch in all {
        match &*stretch.state {
            "faulted" => {
                let is_seen = !["unknown", "planned_stop"].contains(&before);
                let fault = open.get_or_insert(Fault {
                    began: is_seen.then_some(stretch.from),
                    ended: i64::MAX,
                    faulted_ms: 0,
                });
                fault.faulted_ms += stretch.to.min(END) - stretch.from;
            }
            "unknown" | "planned_stop" => {}
            _ => faults.extend(open.take().map(|fault| Fault {
                ended: stretch.from,
                ..fault
            })),
        }
        before = &stretch.state;
    }
    faults.extend(open);
    faults
}

/// What a window comes to, by the segments and the parts of its minutes.
fn parts(all: &[Stretch], faults: &[Fault], minutes: &[(i64, Row)], from: i64, to: i64) -> Parts {
    let holds = |moment: i64| from <= moment && moment < to;
    let between = |is_it: fn(&str) -> bool, from: i64, to: i64| -> i64 {
        let of = all.iter().filter(|stretch| is_it(&stretch.state));
        of.map(|stretch| (stretch.to.min(to) - stretch.from.max(from)).max(0))
            .sum()
    };
    // To the nearest thousandth of a part since the very beginning.
    let made = |is_it: fn(&str) -> bool, to: i64| {
        let ms = i128::from(between(is_it, BEGIN, to));
        let made = (2 * ms * i128::from(RATED) + i128::from(HOUR)) / i128::from(2 * HOUR);
        i64::try_from(made).unwrap()
    };
    let mut times = HashMap::new();
    for stretch in all {
        let ms = (stretch.to.min(to) - stretch.from.max(from)).max(0);
        *times.entry(stretch.state.clone()).or_default() += ms;
    }
    let inside = minutes.iter().filter(|(start, _)| holds(*start));
    let sum = |name: &str| -> i64 {
        let inside = inside.clone().map(|(_, minute)| minute);
        let known = inside.filter(|minute| !minute[name].is_empty());
        known.map(|minute| number(minute, name)).sum()
    };
    let ended = || faults.iter().filter(|fault| holds(fault.ended));
    let count = |count: usize| i64::try_from(count).unwrap();
    Parts {
        times,
        good: sum("good"),
        total: sum("good") + sum("scrap"),
        gap_total: sum("gap_total"),
        gap_before_ms: inside
            .clone()
            .map(|(start, minute)| number(minute, "gap_before_ms") - (start - from))
            .fold(0, i64::max),
        gap_after_ms: inside
            .clone()
            .next_back()
            .map_or(0, |(_, minute)| number(minute, "gap_after_ms")),
        failures: count(
            faults
                .iter()
                .filter(|fault| fault.began.is_some_and(holds))
                .count(),
        ),
        repairs: count(ended().count()),
        repair_ms: ended().map(|fault| fault.faulted_ms).sum(),
        capacity: made(|state| state != "planned_stop", to)
            - made(|state| state != "planned_stop", from),
        capacity_producing: made(|state| state == "producing", to)
            - made(|state| state == "producing", from),
    }
}

/// Every part and every figure of an exported window is what is expected of it; how many there were.
fn is_same(row: &Row, expected: &Parts) -> usize {
    for state in [
        "producing",
        "setup",
        "delayed",
        "faulted",
        "idle",
        "planned_stop",
        "unknown",
    ] {
        assert_eq!(
            number(row, &format!("{state}_ms")),
            expected.of(state),
            "{state} of {row:?}"
        );
    }
    for (name, expected) in [
        ("failures", expected.failures),
        ("repairs", expected.repairs),
        ("repair_ms", expected.repair_ms),
        ("capacity", expected.capacity),
        ("capacity_producing", expected.capacity_producing),
        ("gap_before_ms", expected.gap_before_ms),
        ("gap_after_ms", expected.gap_after_ms),
    ] {
        assert_eq!(number(row, name), expected, "{name} of {row:?}");
    }
    let told = |name: &str| row[name].parse::<f64>().ok();
    if row["total"].is_empty() {
        return 0;
    }
    let mut same = 0;
    for (key, Figure { value, bounds }) in expected.figures() {
        let reason = &row[&format!("{key}_reason")];
        assert_eq!(told(key), value.ok(), "{key} of {row:?}");
        assert_eq!(reason, value.err().unwrap_or(""), "{key} of {row:?}");
        if let Some([low, high]) = bounds {
            assert_eq!(told(&format!("{key}_low")), low, "{key} of {row:?}");
            assert_eq!(told(&format!("{key}_high")), high, "{key} of {row:?}");
        }
        same += 1;
    }
    same
}

#[tokio::test]
async fn every_figure_of_every_window_follows_from_the_segments() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    std::fs::write(
        &file,
        CONFIG.replace("DATA", &dir.path().display().to_string()),
    )
    .unwrap();
    std::fs::write(
        dir.path().join("push.token"),
        "0123456789abcdef0123456789abcdef\n",
    )
    .unwrap();
    let records = live(dir.path(), &file).await;
    if let Some(file) = std::env::var_os("ANDON_MESSAGES") {
        write_messages(&records, Path::new(&file));
    }

    let segments = export(&file, &["--what", "segments"]);
    let all = stretches(&segments);
    let faults = faults(&all);
    assert!(faults.len() > 20, "{}", faults.len());
    let minutes = export(&file, &["--window", "1m"]);
    assert!(
        minutes.iter().any(|minute| minute["rev"] != "0"),
        "some came late"
    );
    let minutes: Vec<(i64, Row)> = minutes
        .into_iter()
        .map(|minute| (moment(&minute["start"]), minute))
        .collect();
    let mut figures = 0;
    for (window, tier, least) in [
        ("1m", Tier::Minute, 43 * 55),
        ("1h", Tier::Hour, 43),
        ("shift", Tier::Shift, 6),
        ("1d", Tier::Day, 2),
    ] {
        let rows = export(&file, &["--window", window]);
        assert!(rows.len() >= least, "{window}: {}", rows.len());
        assert!(rows.is_sorted_by_key(|row| moment(&row["start"])));
        for row in &rows {
            let (from, to) = (moment(&row["start"]), moment(&row["end"]));
            assert_eq!(number(row, "window_ms"), to - from);
            figures += is_same(row, &parts(&all, &faults, &minutes, from, to));
            // The table says how often it was told.
            let told = records.iter().filter_map(|record| match &record.body {
                Body::Summary(summary) if summary.tier == tier => Some(summary),
                _ => None,
            });
            let of_row = told.filter(|summary| summary.start.0 == from);
            let rev = of_row.map(|summary| summary.rev).max();
            assert_eq!(
                rev.map(i64::from),
                Some(number(row, "rev")),
                "{window} {row:?}"
            );
        }
    }
    assert!(figures > 10_000, "{figures}");
}

#[test]
fn segments_of_a_window_are_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
    let output = command
        .args(["export", "--what", "segments", "--window", "1h"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("have no `--window`; leave it out"), "{told}");
}
