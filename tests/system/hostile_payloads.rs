//! Whatever is published on a machine's topics: it is counted, logged, and nothing else happens.

use andon_tests::line::Line;
use andon_tests::oven::publish;
use andon_tests::{Failure, Outcome, now_ms, sleep_until};
use std::fs;

#[test]
fn hostile_payloads() -> Outcome {
    let line = Line::around_the_clock("hostile-payloads")?;
    let mut agent = line.start_agent()?;
    let running = |line: &Line| {
        line.recorder
            .wait_current("oven-7/state", "state", "producing")
    };
    running(&line)?;
    for (topic, payload) in attacks() {
        publish(line.broker.port(), topic, &payload)?;
    }
    sleep_until(now_ms() + 2_000);
    agent.must_run()?;

    // The oven still speaks once a second, and is still heard; so is everybody else.
    line.wait_for_minute()?;
    running(&line)?;
    line.recorder
        .wait_record("event of the unmapped state", |record| {
            record.is_event("unmapped-state") && record.text("what") == "nobody mapped this"
        })?;
    let log = line.log()?;
    for reason in ["malformed", "missing", "wrong-type", "out-of-range"] {
        let told = log
            .lines()
            .any(|l| l.contains("oven-7") && l.contains(reason));
        assert!(told, "no bad sample of oven-7 for {reason}:\n{log}");
    }
    let log_file = line.scenario.path("agent.log");
    line.settle(agent)?;
    let bad = bad_samples(&fs::read_to_string(log_file)?)?;
    assert!(bad >= 25, "{bad} bad samples of 25 bad messages");
    Ok(())
}

/// The agent's own account at its end: `stopped: 900 samples (31 bad), ...`.
fn bad_samples(log: &str) -> Outcome<u64> {
    let account = log.lines().rfind(|line| line.contains("stopped: "));
    let bad = account.and_then(|line| {
        let (_, rest) = line.split_once(" samples (")?;
        rest.split_once(" bad)")?.0.parse().ok()
    });
    bad.ok_or_else(|| Failure::new(format!("no account at the end:\n{log}")))
}

fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    const STATE: &str = "oven/7/state";
    const TEMPERATURE: &str = "oven/7/temp";
    let texts = [
        (STATE, ""),
        (STATE, r#"{"mode":"#),
        (STATE, r#"{"mode":"run","parts":1}trailing"#),
        (STATE, "null"),
        (STATE, r#""run""#),
        (STATE, "{}"),
        (STATE, r#"{"mode":7,"parts":"eleven"}"#),
        (STATE, r#"{"mode":{"mode":{}},"parts":[1,2,3]}"#),
        (STATE, r#"{"mode":"run","parts":-1}"#),
        (STATE, r#"{"mode":"run","parts":4294967296}"#),
        (STATE, r#"{"mode":"run","parts":1e300}"#),
        (STATE, r#"{"mode":"run","parts":1.5}"#),
        (STATE, r#"{"mode":"nobody mapped this","parts":1}"#),
        (TEMPERATURE, "NaN"),
        (TEMPERATURE, "1e999"),
        (TEMPERATURE, "-inf"),
        (TEMPERATURE, "hot"),
        (TEMPERATURE, "0x1p4"),
        (TEMPERATURE, "12,5"),
    ];
    let mut attacks: Vec<(&str, Vec<u8>)> = texts
        .into_iter()
        .map(|(topic, text)| (topic, text.as_bytes().to_vec()))
        .collect();
    let long_mode = format!(r#"{{"mode":"{}","parts":1}}"#, "x".repeat(1_000));
    attacks.extend([
        (STATE, long_mode.into_bytes()),
        (STATE, b"[".repeat(5_000)),
        (STATE, br#"{"mode":"#.repeat(5_000)),
        (STATE, b"\xff\xfe{\"mode\":\"run\"}".to_vec()),
        (STATE, b"\0".repeat(100)),
        (TEMPERATURE, b"9".repeat(20_000)),
        (TEMPERATURE, b"\xc3\x28".to_vec()),
        // Last, since it may cost the connection.
        (STATE, b"9".repeat(300_000)),
    ]);
    attacks
}
