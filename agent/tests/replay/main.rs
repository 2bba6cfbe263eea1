//! Logs of real machines, with the disorder of their own clocks (`tests/replay/`), through
//! everything between the socket and the outbox: configuration, messages, engine, summaries as JSON.
//! Every window is what `tests/replay/totals.py` computes from the raw file.

mod agent;
mod log;

use agent::Agent;
use log::Line;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::process::Command;

/// What must be the same in each window.
const SAME: [&str; 15] = [
    "start_ms",
    "end_ms",
    "producing_ms",
    "setup_ms",
    "delayed_ms",
    "faulted_ms",
    "idle_ms",
    "planned_stop_ms",
    "unknown_ms",
    "uncounted_ms",
    "total",
    "gap_total",
    "failures",
    "repairs",
    "repair_ms",
];

/// Windows by device and tier, in the order of their time.
type Windows = BTreeMap<(String, String), Vec<Json>>;

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

    let devices = totals["devices"].as_object().unwrap();
    assert_eq!(windows.len(), 3 * devices.len(), "devices and tiers");
    for ((device, tier), windows) in &windows {
        let expected = devices[device][tier].as_array().unwrap();
        assert!(expected.len() > 0, "{device} {tier} is looked at");
        for (window, expected) in windows.iter().zip(expected) {
            assert_eq!(parts(window), parts(expected), "{name}: {device} {tier}");
        }
        assert_eq!(windows.len(), expected.len(), "{name}: {device} {tier}");
        let all = &devices[device]["all"];
        for key in SAME.iter().skip(2) {
            let sum: i64 = windows.iter().filter_map(|it| it[key].as_i64()).sum();
            assert_eq!(sum, all[key].as_i64().unwrap_or(0), "{name}: {device} {tier} {key}");
        }
    }
    windows
}

fn parts(window: &Json) -> Vec<(&str, &Json)> {
    SAME.iter().map(|key| (*key, &window[*key])).collect()
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
    let windows = &windows[&(device.to_owned(), tier.to_owned())];
    windows.iter().filter_map(|it| it[key].as_i64()).sum()
}

/// The clocks of the control system were put forward at 02:00, and what it measured in the hour
/// before was stamped with the hour after: two rows for each of six moments, and their states differ.
#[test]
fn a_wind_farm_in_a_night_that_lacks_an_hour() {
    let lines = log::rows("haute-borne-spring.csv");
    let windows = replay("haute-borne-spring", "haute-borne.toml", lines);
    let days = &windows[&("r80711".to_owned(), "1d".to_owned())];
    assert_eq!(days[1]["window_ms"], 23 * 3_600_000);
    assert_eq!(sum(&windows, "r80711", "1d", "failures"), 1);
    assert_eq!(sum(&windows, "r80711", "1d", "unknown_ms"), 0);
}

/// The rows of the hour that came twice were dropped: 70 minutes without a row, of which 30 are
/// covered by `stale_after`.
#[test]
fn a_wind_farm_in_a_night_that_has_an_hour_twice() {
    let lines = log::rows("haute-borne-autumn.csv");
    let windows = replay("haute-borne-autumn", "haute-borne.toml", lines);
    let days = &windows[&("r80711".to_owned(), "1d".to_owned())];
    assert_eq!(days[1]["window_ms"], 25 * 3_600_000);
    assert_eq!(sum(&windows, "r80711", "1d", "unknown_ms"), 40 * 60_000);
}

/// For ten hours the rows come on time and have no values.
#[test]
fn a_wind_farm_whose_rows_are_empty() {
    let lines = log::rows("haute-borne-outage.csv");
    let windows = replay("haute-borne-outage", "haute-borne.toml", lines);
    assert_eq!(sum(&windows, "r80711", "1d", "unknown_ms"), 34_200_000);
    assert_eq!(sum(&windows, "r80711", "1h", "repair_ms"), 8_400_000);
}

/// Every second line has a stamp earlier than the one before, and a recording of seven minutes
/// earlier comes in between: its counter is behind.
#[test]
fn a_lathe_whose_stamps_go_back() {
    let lines = log::shdr("okuma.shdr");
    let windows = replay("okuma", "okuma.toml", lines);
    assert_eq!(sum(&windows, "okuma", "1d", "total"), 1);
    assert_eq!(sum(&windows, "okuma-cutting", "1d", "total"), 1390 - 1232);
    assert_eq!(sum(&windows, "okuma-cutting", "1d", "gap_total"), 1388 - 1245);
    assert_eq!(sum(&windows, "okuma-cutting", "1d", "uncounted_ms"), 0);
}
