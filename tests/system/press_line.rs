//! The file that is shipped drives a run: what arrives is what the machines did.

use andon_tests::line::{Line, status};
use andon_tests::records::check_all;
use andon_tests::{Failure, Outcome, next_minute, now_ms, sleep_until};
use serde_json::{Map, Value, json};

#[test]
fn press_line() -> Outcome {
    let mut line = Line::as_shipped("press-line")?;
    let mut agent = line.start_agent()?;
    line.wait_until_read()?;
    line.work()?;

    let minute = next_minute(now_ms());
    sleep_until(minute + 20_000);
    line.presses
        .set(2, json!({ "status": status::OVERPRESSURE }))?;
    sleep_until(minute + 35_000);
    line.presses
        .set(2, json!({ "status": status::PRODUCING }))?;
    sleep_until(minute + 58_000);
    line.wait_for_minute()?;
    agent.must_run()?;

    the_minute_is_what_was_made(&mut line, minute)?;
    current_values_have_their_keys(&line)?;
    state_changes_are_recorded(&line)?;
    every_section_has_its_function(&line)?;
    line.settle(agent)?;
    Ok(())
}

const SUMMARY_KEYS: &str = "device window start_ms end_ms window_ms fold rev merged every_ms \
    producing_ms setup_ms delayed_ms faulted_ms idle_ms planned_stop_ms unknown_ms uncounted_ms \
    good scrap total gap_total failures repairs repair_ms capacity capacity_producing rated_per_h \
    availability availability_low availability_high fault_time_ratio allocation_efficiency \
    utilisation_efficiency technical_efficiency capacity_utilisation oee effectiveness \
    quality_ratio fault_rate_per_h mtbf_s mttr_s throughput_per_h coverage reason";

fn the_minute_is_what_was_made(line: &mut Line, minute: i64) -> Outcome {
    let records = check_all(&line.recorder.records()?)?;
    let press_1 = line.presses.report(1)?;
    let press_2 = line.presses.report(2)?;
    for (device, made) in [("press-1", press_1), ("press-2", press_2)] {
        let mut minutes = records.iter().filter(|r| r.is_minute(device, minute));
        let window = minutes
            .next()
            .ok_or_else(|| Failure::new(format!("no minute of {device} at {minute}")))?;
        has_keys(device, &window.body, SUMMARY_KEYS)?;
        assert_eq!(window.text("fault_rate_per_h_reason"), "too-short");
        let parts = made.minutes[&minute];
        assert!(parts.good >= 5, "{device} hardly worked: {parts:?}");
        assert_eq!(window.int("good")?, parts.good, "{window}");
        assert_eq!(window.int("scrap")?, parts.scrap, "{window}");
        assert_eq!(window.int("window_ms")?, 60_000, "{window}");
        assert_eq!(window.int("gap_total")?, 0, "{window}");
        assert!(window.int("producing_ms")? > 20_000, "{window}");
    }
    let mut ovens = records.iter().filter(|r| r.is_minute("oven-7", minute));
    let oven = ovens.next().ok_or_else(|| Failure::new("no oven"))?;
    assert_eq!(oven.int("good")?, 1, "{oven}");
    Ok(())
}

fn current_values_have_their_keys(line: &Line) -> Outcome {
    for (tail, keys) in [
        (
            "status",
            "status version run waiting oldest_waiting_ms links_up links_down devices_bad \
             done_boot done_seq next_ms",
        ),
        (
            "press-1/info",
            "name line asset profile rated_per_h every_ms tags publishes",
        ),
        ("oven-7/info", "name rated_per_h every_ms tags publishes"),
        (
            "press-2/state",
            "state previous since_ms code cause quality reason product",
        ),
    ] {
        let value = line.recorder.current(tail)?;
        has_keys(tail, &value.unwrap_or_default(), keys)?;
    }
    let info = line.recorder.current("press-1/info")?.unwrap_or_default();
    assert_eq!(info["name"], "一号冲压机");
    assert_eq!(info["rated_per_h"], 1200);
    Ok(())
}

fn state_changes_are_recorded(line: &Line) -> Outcome {
    // On a Sunday or in a break a press that stands is not faulted: it stands by plan.
    let stopped = ["faulted", "planned_stop"];
    line.recorder.wait_record("event of the fault", |record| {
        record.is_event("state")
            && record.text("device") == "press-2"
            && record.text("from") == "producing"
            && stopped.contains(&record.text("to"))
    })?;
    line.recorder.wait_record("event of the repair", |record| {
        record.is_event("state")
            && record.text("device") == "press-2"
            && stopped.contains(&record.text("from"))
            && record.text("to") == "producing"
    })?;
    Ok(())
}

fn every_section_has_its_function(line: &Line) -> Outcome {
    let log = line.log()?;
    assert!(
        !log.contains("not active"),
        "something is not active:\n{log}"
    );
    Ok(())
}

fn has_keys(what: &str, value: &Map<String, Value>, keys: &str) -> Outcome {
    let missing: Vec<&str> = keys
        .split_whitespace()
        .filter(|key| !value.contains_key(*key))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("{what} lacks {missing:?}: {value:?}")))
    }
}
