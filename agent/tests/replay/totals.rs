//! Each log, and what it must come to.

use crate::agent::Agent;
use crate::log::{self, Line};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::process::Command;

/// Windows by device and topic (`kpi/1m`, `tags/1h`), in the order of their time.
pub type Windows = BTreeMap<(String, String), Vec<Json>>;

fn replay(name: &str, config: &str, lines: Vec<Line>) -> Windows {
    let totals = totals(name);
    let moment = |key: &str| totals[key].as_i64().unwrap();
    let mut agent = Agent::start(config, moment("begin_ms"));
    // A line arrives at its own time, or right after the one before if that is later.
    let mut now = moment("begin_ms");
    for line in &lines {
        now = now.max(line.stamp);
        agent.pass(now);
        agent.hear(line, now);
    }
    agent.pass(moment("end_ms"));
    let windows = agent.windows();

    let mut looked_at = 0;
    for (device, totals) in totals["devices"].as_object().unwrap() {
        for kind in ["kpi", "tags"] {
            for (tier, expected) in totals[kind].as_object().unwrap() {
                let key = (device.clone(), format!("{kind}/{tier}"));
                are_same(&windows[&key], expected.as_array().unwrap());
                looked_at += expected.as_array().unwrap().len();
            }
        }
        let minutes = &windows[&(device.clone(), "kpi/1m".to_owned())];
        for (key, all) in totals["all"].as_object().unwrap() {
            if !["start_ms", "end_ms"].contains(&&**key) {
                let sum: i64 = minutes.iter().filter_map(|it| it[key].as_i64()).sum();
                assert_eq!(sum, all.as_i64().unwrap_or(0), "{device} {key}");
            }
        }
    }
    assert!(looked_at > 1000, "{looked_at} windows");
    windows
}

/// Each window says what is expected of it, and there is none besides.
fn are_same(windows: &[Json], expected: &[Json]) {
    for (window, expected) in windows.iter().zip(expected) {
        for (key, value) in expected.as_object().unwrap() {
            let is_same = match value.as_f64() {
                // A mean is told with nine digits.
                Some(mean) if key.ends_with("_mean") => {
                    let told = window[key].as_f64().unwrap_or(f64::NAN);
                    (told - mean).abs() <= 5e-9 * mean.abs()
                }
                Some(number) => window[key].as_f64() == Some(number),
                None => window.get(key) == Some(value),
            };
            assert!(
                is_same,
                "`{key}` is {value} in {expected}, not as in {window}"
            );
        }
    }
    assert_eq!(windows.len(), expected.len());
}

/// What the script says.
fn totals(name: &str) -> Json {
    let script = log::folder().join("totals.py");
    let out = Command::new("python3").arg(script).arg(name).output();
    let out = out.expect("python3, which tests/run needs too");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The sum over the windows of one tier.
fn sum(windows: &Windows, device: &str, tier: &str, key: &str) -> i64 {
    let windows = of(windows, device, &format!("kpi/{tier}"));
    windows.iter().filter_map(|it| it[key].as_i64()).sum()
}

fn of<'w>(windows: &'w Windows, device: &str, topic: &str) -> &'w [Json] {
    &windows[&(device.to_owned(), topic.to_owned())]
}

/// In the night in which the clocks were put forward, each of the six moments of the hour after has
/// two rows, with different values: the later one holds, and neither is lost.
#[test]
fn a_wind_farm_in_a_night_that_lacks_an_hour() {
    let lines = log::rows("haute-borne-spring.csv");
    let windows = replay("haute-borne-spring", "haute-borne.toml", lines);
    let second = &of(&windows, "r80711", "kpi/1d")[1];
    assert_eq!(second["window_ms"], 23 * 3_600_000);
    assert_eq!(second["unknown_ms"], 0);
    assert_eq!(second["failures"], 1);
    // From 03:00 to 04:00; the first of the rows at 03:50 says 26.889999 kW, the second 254.17.
    let hour = &of(&windows, "r80711", "tags/1h")[8];
    assert_eq!(hour["power_min"], 26.889999);
    assert_eq!(hour["power_last"], 254.17);
}

/// In the night in which they were put back, the hour that comes twice has rows once: 70 minutes
/// without one, of which 30 are covered by `stale_after`.
#[test]
fn a_wind_farm_in_a_night_that_has_an_hour_twice() {
    let lines = log::rows("haute-borne-autumn.csv");
    let windows = replay("haute-borne-autumn", "haute-borne.toml", lines);
    let second = &of(&windows, "r80711", "kpi/1d")[1];
    assert_eq!(second["window_ms"], 25 * 3_600_000);
    assert_eq!(second["unknown_ms"], 40 * 60_000);
}

/// For ten hours the rows come in time and have no values.
#[test]
fn a_wind_farm_whose_rows_are_empty() {
    let lines = log::rows("haute-borne-outage.csv");
    let windows = replay("haute-borne-outage", "haute-borne.toml", lines);
    assert_eq!(sum(&windows, "r80711", "1m", "unknown_ms"), 34_200_000);
    assert_eq!(sum(&windows, "r80711", "1h", "repair_ms"), 8_400_000);
}

/// Every other line has a stamp earlier than the one before, and a recording of seven minutes earlier
/// comes in between: its counter is behind, and is not taken for one that was reset.
#[test]
fn a_lathe_whose_stamps_go_back() {
    let lines = log::shdr("okuma.shdr");
    let windows = replay("okuma", "okuma.toml", lines);
    assert_eq!(sum(&windows, "okuma", "1d", "total"), 1);
    assert_eq!(sum(&windows, "okuma-cutting", "1m", "total"), 1390 - 1232);
    assert_eq!(
        sum(&windows, "okuma-cutting", "1m", "gap_total"),
        1388 - 1245
    );
    assert_eq!(sum(&windows, "okuma-patient", "1m", "total"), 1390 - 1232);
    assert_eq!(sum(&windows, "okuma-patient", "1m", "gap_total"), 0);
    assert_eq!(sum(&windows, "okuma-patient", "1m", "uncounted_ms"), 0);
}
