//! A press goes through every state that a status word can show.

use andon_tests::line::{Line, status};
use andon_tests::records::{TIMES, windows};
use andon_tests::{Failure, Outcome, next_minute, now_ms, sleep_until};
use serde_json::json;

/// Within one minute: second, status word, the state it means, the key of its time.
const DAY: [(i64, u16, &str, &str); 6] = [
    (5, status::SETUP, "setup", "setup_ms"),
    (15, status::PRODUCING, "producing", "producing_ms"),
    (25, status::DELAYED, "delayed", "delayed_ms"),
    (32, status::OVERPRESSURE, "faulted", "faulted_ms"),
    (42, status::IDLE, "idle", "idle_ms"),
    (50, status::PRODUCING, "producing", "producing_ms"),
];

/// The same press read by others: bits of its status word, and what its status makes of its rate.
const TWINS: &str = r#"
[[device]]
id = "by-bits"
profile = "press"
link = "plc"
unit = 1
rated_rate = { by = "status", map = { 2 = "1200/h" }, else = "600/h" }
state = { from = "status", faulted = ["bit 2"], delayed = [3], producing = ["bit 1"], setup = ["bit 0"], idle = ["not bit 0"] }

[[device]]
id = "by-conditions"
profile = "press"
link = "plc"
unit = 1
[device.state]
faulted = "status bit 2"
delayed = "status bit 0 and status bit 1"
setup = "status == 1"
producing = "status bit 1 and not door_open"
idle = "else"
"#;

#[test]
fn states_and_alarms() -> Outcome {
    let mut line = Line::around_the_clock("states-and-alarms")?;
    line.configure(TWINS)?;
    let agent = line.start_agent()?;
    line.wait_until_read()?;
    line.work()?;
    let minute = next_minute(now_ms());
    for (second, word, ..) in DAY {
        sleep_until(minute + second * 1_000);
        line.presses.set(1, json!({ "status": word }))?;
    }
    let fault = line
        .recorder
        .wait_current("press-1/alarm/fault", "state", "rtn-unack")?;
    sleep_until(minute + 58_000);
    line.wait_for_minute()?;

    for (key, expected) in [
        ("id", json!("press-1.fault")),
        ("device", json!("press-1")),
        ("alarm", json!("fault")),
        ("occurrence", json!(1)),
        ("priority", json!("high")),
        ("quality", json!("good")),
        ("value", json!(status::OVERPRESSURE)),
        ("acked_ms", json!(null)),
        ("text_en", json!("press-1 stopped by a fault")),
        ("text_zh", json!("一号冲压机 故障停机")),
    ] {
        assert_eq!(fault.get(key), Some(&expected), "{key} of {fault:?}");
    }
    let twin = line.recorder.current("by-bits/state")?;
    let product = twin.as_ref().and_then(|twin| twin.get("product"));
    assert_eq!(product, Some(&json!(status::PRODUCING)), "{twin:?}");
    let records = line.settle(agent)?;
    let shown = DAY.map(|(_, _, state, _)| state);
    for device in ["press-1", "by-bits", "by-conditions"] {
        let path: Vec<&str> = records
            .iter()
            .filter(|r| r.is_event("state") && r.text("device") == device)
            .map(|r| r.text("to"))
            .collect();
        assert!(
            path.ends_with(&shown),
            "the journal says {path:?} of {device}, the press showed {shown:?}"
        );
    }
    let raised = records.iter().any(|r| {
        r.is_event("alarm") && r.text("what") == "press-1.fault" && r.text("to") == "unack-active"
    });
    assert!(raised, "no alarm event");
    let faulted = records
        .iter()
        .find(|r| r.is_event("state") && r.text("to") == "faulted")
        .ok_or_else(|| Failure::new("no fault"))?;
    assert_eq!(faulted.text("cause"), "hydraulic overpressure", "{faulted}");

    for device in ["press-1", "by-bits", "by-conditions"] {
        let minutes = windows(&records, device, "1m")?;
        let window = minutes
            .iter()
            .find(|w| w.is_minute(device, minute))
            .ok_or_else(|| Failure::new("no such minute"))?;
        assert_eq!(window.int("failures")?, 1, "{window}");
        assert_eq!(window.int("repairs")?, 1, "{window}");
        assert_eq!(
            window.int("repair_ms")?,
            window.int("faulted_ms")?,
            "{window}"
        );
        for key in TIMES {
            let shown = shown_ms(key);
            let told = window.int(key)?;
            // A state is seen when the press is next asked, a second later at most; a busy machine
            // may ask late.
            assert!(
                (told - shown).abs() <= 4_000,
                "{key} was {shown}, is {told}: {window}"
            );
        }
        if device == "by-bits" {
            // 1,200 parts an hour are a thousandth in three milliseconds; while it makes none, half
            // of that. What it does in unknown time follows what was read last.
            let producing = window.int("producing_ms")?;
            let least = (60_000 + producing) / 6;
            let most = least + window.int("unknown_ms")? / 6;
            let capacity = window.int("capacity")?;
            assert!((least - 1..=most + 1).contains(&capacity), "{window}");
        }
    }
    Ok(())
}

/// How long the press showed the state of `key` within the minute; it came in producing.
fn shown_ms(key: &str) -> i64 {
    let ends = DAY.iter().skip(1).map(|day| day.0).chain([60]);
    let shown: i64 = DAY
        .iter()
        .zip(ends)
        .filter(|(day, _)| day.3 == key)
        .map(|(day, end)| end - day.0)
        .sum();
    let before = if key == "producing_ms" { DAY[0].0 } else { 0 };
    (shown + before) * 1_000
}
