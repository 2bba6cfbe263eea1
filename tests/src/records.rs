//! What must hold of the records that arrived, whatever happened on the way.

use crate::recorder::Arrival;
use crate::{Failure, Outcome};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The seven parts of a window.
pub const TIMES: [&str; 7] = [
    "producing_ms",
    "setup_ms",
    "delayed_ms",
    "faulted_ms",
    "idle_ms",
    "planned_stop_ms",
    "unknown_ms",
];

/// Keys that every record carries.
const ENVELOPE: [&str; 10] = [
    "v",
    "gateway",
    "run",
    "boot",
    "seq",
    "n",
    "ts",
    "clock",
    "historical",
    "cfg",
];

/// A record: stored, numbered, delivered at least once.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Topic below the gateway.
    pub tail: String,
    /// What it says.
    pub body: Map<String, Value>,
}

impl Record {
    /// The record in a message; current values are none.
    pub fn of(arrival: Arrival) -> Option<Self> {
        let tail = arrival.tail;
        (tail == "event" || tail.contains("/kpi/") || tail.contains("/tags/")).then_some(Self {
            tail,
            body: arrival.payload,
        })
    }

    /// A whole number of the body.
    pub fn int(&self, key: &str) -> Outcome<i64> {
        let value = self.body.get(key).and_then(Value::as_i64);
        value.ok_or_else(|| Failure::new(format!("no whole number {key} in {self}")))
    }

    /// A text of the body; empty if there is none.
    pub fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether it is an event of this kind.
    pub fn is_event(&self, kind: &str) -> bool {
        self.tail == "event" && self.text("event") == kind
    }

    /// Whether it is the `1m` summary of `device` that starts at `start_ms`.
    pub fn is_minute(&self, device: &str, start_ms: i64) -> bool {
        self.tail == format!("{device}/kpi/1m")
            && self.body.get("start_ms").and_then(Value::as_i64) == Some(start_ms)
    }

    fn key(&self) -> Outcome<(RunKey, i64)> {
        let run = (self.text("gateway").to_owned(), self.text("run").to_owned());
        Ok((run, self.int("seq")?))
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = serde_json::to_string(&self.body).unwrap_or_default();
        write!(f, "{} {body}", self.tail)
    }
}

/// (gateway, run).
type RunKey = (String, String);

/// Every record once: (`gateway`, `run`, `seq`) is the key. A repetition must say the same, but
/// for `historical`, which tells how it travelled.
pub fn unique(records: &[Record]) -> Outcome<Vec<Record>> {
    let mut seen: BTreeMap<(RunKey, i64), Record> = BTreeMap::new();
    for record in records {
        let mut told = record.clone();
        told.body.remove("historical");
        match seen.get(&record.key()?) {
            None => drop(seen.insert(record.key()?, told)),
            Some(first) if *first == told => {}
            Some(first) => {
                return Err(Failure::new(format!(
                    "one number, two records:\n{first}\n{told}"
                )));
            }
        }
    }
    Ok(seen.into_values().collect())
}

/// Every record has what a subscriber needs to sort and de-duplicate it.
pub fn check_envelopes(records: &[Record]) -> Outcome {
    for record in records {
        for key in ENVELOPE {
            if record.body.get(key).is_none_or(Value::is_null) {
                return Err(Failure::new(format!("no {key} in {record}")));
            }
        }
    }
    Ok(())
}

/// `seq` is unbroken over each run and `n` over each topic of a run, except where a `loss` or
/// `merged` event tells of the hole. Returns how many numbers were told as lost.
pub fn check_numbers(records: &[Record]) -> Outcome<u64> {
    let told = told_gaps(records)?;
    let mut lost = 0;
    let mut runs: BTreeMap<RunKey, BTreeSet<i64>> = BTreeMap::new();
    let mut topics: BTreeMap<(RunKey, String), BTreeSet<i64>> = BTreeMap::new();
    for record in records {
        let (run, seq) = record.key()?;
        let topic = (run.clone(), record.tail.clone());
        topics.entry(topic).or_default().insert(record.int("n")?);
        runs.entry(run).or_default().insert(seq);
    }
    for (run, numbers) in &runs {
        let holes = holes(numbers);
        lost += holes.len() as u64;
        let told_of = |hole: &i64| {
            let mut gaps = told.iter().filter(|gap| gap.run == run.1);
            gaps.any(|gap| (gap.from..=gap.to).contains(hole))
        };
        if let Some(hole) = holes.iter().find(|hole| !told_of(hole)) {
            return Err(Failure::new(format!(
                "run {} misses seq {hole} of {holes:?}, and no event tells of it",
                run.1
            )));
        }
    }
    for ((run, topic), numbers) in &topics {
        let holes = holes(numbers);
        if !holes.is_empty() && !told.iter().any(|gap| gap.run == run.1) {
            return Err(Failure::new(format!(
                "run {} misses n {holes:?} on {topic}",
                run.1
            )));
        }
    }
    Ok(lost)
}

struct Gap {
    run: String,
    from: i64,
    to: i64,
}

fn told_gaps(records: &[Record]) -> Outcome<Vec<Gap>> {
    let telling = records
        .iter()
        .filter(|r| r.is_event("loss") || r.is_event("merged"));
    let mut gaps = Vec::new();
    for record in telling {
        // A loss that nobody can number names no run, and excuses no hole.
        let run = record.text("of_run").to_owned();
        if !run.is_empty() {
            let (from, to) = (record.int("seq_from")?, record.int("seq_to")?);
            gaps.push(Gap { run, from, to });
        }
    }
    Ok(gaps)
}

fn holes(numbers: &BTreeSet<i64>) -> Vec<i64> {
    let last = numbers.last().copied().unwrap_or(0);
    (1..=last).filter(|n| !numbers.contains(n)).collect()
}

/// The seven times of every summary add up to its window exactly, and the window is as long as
/// its labels say unless the clock was stepped.
pub fn check_times(records: &[Record]) -> Outcome {
    for record in records.iter().filter(|r| r.tail.contains("/kpi/")) {
        let mut sum = 0;
        for part in TIMES {
            sum += record.int(part)?;
        }
        let window = record.int("window_ms")?;
        let labels = record.int("end_ms")? - record.int("start_ms")?;
        let step = record.int("clock_step_ms").unwrap_or(0);
        if sum != window || labels != window + step {
            return Err(Failure::new(format!(
                "the times make {sum}, the window is {window}, the labels are {labels} apart: {record}"
            )));
        }
        let (good, scrap) = (record.int("good"), record.int("scrap"));
        if let (Ok(good), Ok(scrap), Ok(total)) = (good, scrap, record.int("total"))
            && good + scrap != total
        {
            return Err(Failure::new(format!("good + scrap is not total: {record}")));
        }
    }
    Ok(())
}

/// The figures that are given are what the parts beside them come to, by contract §2.
pub fn check_figures(records: &[Record]) -> Outcome {
    for record in records.iter().filter(|r| r.tail.contains("/kpi/")) {
        let part = |key: &str| record.int(key).map(|whole| whole as f64);
        let planned = part("window_ms")? - part("planned_stop_ms")?;
        let known = planned - part("unknown_ms")?;
        check_figure(record, "availability", part("producing_ms")? / known)?;
        check_figure(record, "fault_time_ratio", part("faulted_ms")? / known)?;
        check_figure(record, "coverage", known / planned)?;
        if let (Ok(good), Ok(total)) = (part("good"), part("total")) {
            check_figure(record, "quality_ratio", good / total)?;
            if let Ok(capacity) = part("capacity") {
                let counted = capacity - part("capacity_uncounted")?;
                check_figure(record, "capacity_utilisation", 1000.0 * total / counted)?;
                check_figure(record, "oee", 1000.0 * good / counted)?;
            }
        }
    }
    Ok(())
}

/// A figure with 4 decimals; null is right for many reasons, a wrong number for none.
fn check_figure(record: &Record, key: &str, expected: f64) -> Outcome {
    let Some(given) = record.body.get(key) else {
        return Err(Failure::new(format!("no {key} in {record}")));
    };
    match given.as_f64() {
        Some(given) if (given - expected).abs() > 0.000_051 => Err(Failure::new(format!(
            "{key} is {given}, its parts make {expected}: {record}"
        ))),
        _ => Ok(()),
    }
}

/// The windows of one device and tier in the order of their start: each key once, by its last
/// correction.
pub fn windows(records: &[Record], device: &str, tier: &str) -> Outcome<Vec<Record>> {
    let tail = format!("{device}/kpi/{tier}");
    let mut windows: BTreeMap<(i64, i64), Record> = BTreeMap::new();
    for record in records.iter().filter(|record| record.tail == tail) {
        let key = (record.int("start_ms")?, record.int("fold")?);
        let older = windows.get(&key).map_or(Ok(-1), |older| older.int("rev"))?;
        if record.int("rev")? > older {
            windows.insert(key, record.clone());
        }
    }
    Ok(windows.into_values().collect())
}

/// Windows follow one another without a hole and without an overlap.
pub fn check_cover(windows: &[Record]) -> Outcome {
    for pair in windows.windows(2) {
        if pair[0].int("end_ms")? != pair[1].int("start_ms")? {
            return Err(Failure::new(format!(
                "these do not meet:\n{}\n{}",
                pair[0], pair[1]
            )));
        }
    }
    Ok(())
}

/// The parts of a window that are added up; a count may be null.
pub const ADDITIVE: [&str; 19] = [
    "window_ms",
    "producing_ms",
    "setup_ms",
    "delayed_ms",
    "faulted_ms",
    "idle_ms",
    "planned_stop_ms",
    "unknown_ms",
    "uncounted_ms",
    "good",
    "scrap",
    "total",
    "gap_total",
    "failures",
    "repairs",
    "repair_ms",
    "capacity",
    "capacity_producing",
    "capacity_uncounted",
];

/// Every hour, shift and day of a device is the exact sum of its minutes between the same labels,
/// which it covers from end to end.
pub fn check_tiers(records: &[Record], device: &str) -> Outcome {
    let minutes = windows(records, device, "1m")?;
    for tier in ["1h", "shift", "1d"] {
        for window in windows(records, device, tier)? {
            check_sum(&window, &minutes)?;
        }
    }
    Ok(())
}

fn check_sum(window: &Record, minutes: &[Record]) -> Outcome {
    let (start, end) = (window.int("start_ms")?, window.int("end_ms")?);
    let mut inside = Vec::new();
    for minute in minutes {
        if start <= minute.int("start_ms")? && minute.int("end_ms")? <= end {
            inside.push(minute.clone());
        }
    }
    let covers = match (inside.first(), inside.last()) {
        (Some(first), Some(last)) => (first.int("start_ms")?, last.int("end_ms")?) == (start, end),
        _ => false,
    };
    if !covers {
        return Err(Failure::new(format!("its minutes do not cover {window}")));
    }
    for key in ADDITIVE {
        let parts: Vec<i64> = inside
            .iter()
            .filter_map(|minute| minute.int(key).ok())
            .collect();
        let whole = window.int(key).ok();
        let known = match parts.len() {
            0 => whole.is_none(),
            // A third count comes from the sums of the two that were read.
            n if n < inside.len() => whole.is_some(),
            _ => whole == Some(parts.iter().sum()),
        };
        if !known {
            return Err(Failure::new(format!(
                "the minutes' {key} is {parts:?}, which is not that of {window}"
            )));
        }
    }
    Ok(())
}

/// The sum of one part over windows. A count must have been read in each of them, except in one that
/// was over before a poll was due: nobody knows of any parts there, and those there are come later.
pub fn sum(windows: &[Record], part: &str) -> Outcome<i64> {
    let mut sum = 0;
    for window in windows {
        let is_count = ["good", "scrap", "total", "gap_total"].contains(&part);
        if !is_count || !is_too_short_to_count(window)? {
            sum += window.int(part)?;
        }
    }
    Ok(sum)
}

/// Whether a window has no count and says so, and could not have one.
fn is_too_short_to_count(window: &Record) -> Outcome<bool> {
    let has_none = window.body.get("total").is_some_and(Value::is_null)
        && window.text("quality_ratio_reason") == "no-count";
    Ok(has_none && window.int("window_ms")? < window.int("every_ms")?)
}

/// Everything above, for all devices; returns the records, each once.
pub fn check_all(records: &[Record]) -> Outcome<Vec<Record>> {
    check_envelopes(records)?;
    let records = unique(records)?;
    check_times(&records)?;
    check_figures(&records)?;
    let lost = check_numbers(&records)?;
    if lost > 0 {
        return Err(Failure::new(format!("{lost} records were told as lost")));
    }
    let tails: BTreeSet<&str> = records.iter().map(|record| &*record.tail).collect();
    for (device, tier) in tails.iter().filter_map(|tail| tail.split_once("/kpi/")) {
        check_cover(&windows(&records, device, tier)?)?;
        if tier == "1m" {
            check_tiers(&records, device)?;
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The record of the contract's example, `seq` and `n` given.
    fn minute(seq: i64, start_ms: i64) -> Record {
        let body = json!({
            "v":1,"gateway":"gw-press-1","run":"9f3a61c07b2d","boot":12,"seq":seq,"n":seq,
            "ts":1790000100000i64,"clock":"synced","historical":false,"cfg":"5be1c0d2",
            "device":"press-1","window":"1m","start_ms":start_ms,"end_ms":start_ms + 60000,
            "window_ms":60000,"fold":0,"rev":0,"merged":1,
            "producing_ms":52100,"setup_ms":0,"delayed_ms":3000,"faulted_ms":4900,
            "idle_ms":0,"planned_stop_ms":0,"unknown_ms":0,"good":16,"scrap":1,"total":17,
            "capacity":20000,"capacity_uncounted":0,"availability":0.8683,
            "fault_time_ratio":0.0817,"coverage":1.0,"quality_ratio":0.9412,
            "capacity_utilisation":0.85,"oee":0.8
        });
        record("press-1/kpi/1m", body)
    }

    fn record(tail: &str, body: Value) -> Record {
        let Value::Object(payload) = body else {
            panic!("not an object");
        };
        let tail = tail.to_owned();
        Record::of(Arrival { tail, payload }).unwrap()
    }

    fn with(mut record: Record, key: &str, value: impl Into<Value>) -> Record {
        record.body.insert(key.to_owned(), value.into());
        record
    }

    #[test]
    fn a_sound_run_passes() {
        let records = [minute(1, 0), minute(2, 60_000), minute(2, 60_000)];
        assert_eq!(check_all(&records).unwrap().len(), 2);
        let windows = windows(&records, "press-1", "1m").unwrap();
        assert_eq!(sum(&windows, "total").unwrap(), 34);
    }

    #[test]
    fn current_values_are_no_records() {
        let tail = "press-1/state".to_owned();
        let payload = Map::new();
        assert!(Record::of(Arrival { tail, payload }).is_none());
    }

    #[test]
    fn one_number_for_two_records_is_found() {
        let records = [minute(1, 0), minute(1, 60_000)];
        assert!(unique(&records).is_err());
    }

    #[test]
    fn a_repetition_may_be_historical() {
        let records = [minute(1, 0), with(minute(1, 0), "historical", true)];
        assert_eq!(unique(&records).unwrap().len(), 1);
    }

    #[test]
    fn a_missing_key_of_the_envelope_is_found() {
        let mut record = minute(1, 0);
        record.body.remove("cfg");
        assert!(check_envelopes(&[record]).is_err());
    }

    #[test]
    fn a_hole_is_found_unless_told() {
        let mut records = vec![minute(1, 0), minute(3, 60_000)];
        assert!(check_numbers(&records).is_err());
        let loss = json!({"gateway":"gw-press-1","run":"b","seq":1,"n":1,"event":"loss",
            "of_run":"9f3a61c07b2d","seq_from":2,"seq_to":2,"count":1});
        records.push(record("event", loss));
        assert_eq!(check_numbers(&records).unwrap(), 1);
        assert!(check_all(&records).is_err());
    }

    #[test]
    fn a_hole_within_a_topic_is_found() {
        let records = [minute(1, 0), with(minute(2, 60_000), "n", 3)];
        assert!(check_numbers(&records).is_err());
    }

    #[test]
    fn times_that_do_not_add_up_are_found() {
        assert!(check_times(&[with(minute(1, 0), "idle_ms", 1)]).is_err());
        assert!(check_times(&[with(minute(1, 0), "end_ms", 60_001)]).is_err());
        assert!(check_times(&[with(minute(1, 0), "total", 18)]).is_err());
    }

    #[test]
    fn a_figure_that_is_not_its_parts_is_found() {
        assert!(check_figures(&[with(minute(1, 0), "oee", 0.8001)]).is_err());
        assert!(check_figures(&[with(minute(1, 0), "oee", Value::Null)]).is_ok());
    }

    #[test]
    fn windows_that_do_not_meet_are_found() {
        assert!(check_cover(&[minute(1, 0), minute(2, 120_000)]).is_err());
        assert!(check_cover(&[minute(1, 0), minute(2, 59_000)]).is_err());
    }

    /// An hour of two minutes.
    fn hour(seq: i64, total: i64) -> Record {
        let mut body = minute(seq, 0).body;
        let minute = body.clone();
        for key in ADDITIVE {
            if let Some(part) = minute.get(key).and_then(Value::as_i64) {
                body.insert(key.into(), json!(2 * part));
            }
        }
        body.insert("end_ms".into(), json!(120_000));
        body.insert("total".into(), json!(total));
        record("press-1/kpi/1h", Value::Object(body))
    }

    #[test]
    fn an_hour_is_the_sum_of_its_minutes() {
        let minutes = [minute(1, 0), minute(2, 60_000)];
        let and = |hour: Record| [&minutes[..], &[hour]].concat();
        assert!(check_tiers(&and(hour(3, 34)), "press-1").is_ok());
        assert!(check_tiers(&and(hour(3, 35)), "press-1").is_err());
        let longer = with(hour(3, 34), "end_ms", 180_000);
        assert!(check_tiers(&and(longer), "press-1").is_err());
    }

    #[test]
    fn only_a_window_without_a_poll_may_be_without_a_count() {
        let short = with(minute(2, 60_000), "window_ms", 288);
        let null = |record: Record, key: &str| with(record, key, Value::Null);
        let null = null(null(null(short, "good"), "scrap"), "total");
        let null = with(
            with(null, "every_ms", 1000),
            "quality_ratio_reason",
            "no-count",
        );
        let of = |record: Record| sum(&[minute(1, 0), record], "good");
        assert_eq!(of(null.clone()).unwrap(), 16);
        assert!(of(with(null.clone(), "window_ms", 1000)).is_err());
        assert!(of(with(null.clone(), "quality_ratio_reason", Value::Null)).is_err());
        assert_eq!(sum(&[null], "window_ms").unwrap(), 288);
    }

    #[test]
    fn the_last_correction_counts() {
        let corrected = with(with(minute(2, 0), "rev", 1), "total", 20);
        let windows = windows(&[corrected, minute(1, 0)], "press-1", "1m").unwrap();
        assert_eq!(sum(&windows, "total").unwrap(), 20);
    }
}
