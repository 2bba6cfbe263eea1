//! What holds messages against the contract's files finds what is not as they say.

use andon_tests::scenario::repository;
use andon_tests::{Failure, Outcome};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

const HEAD: &str = "andon/v1/here/hall/gw/";

fn state() -> Value {
    json!({
        "v": 1, "gateway": "gw", "run": "9f3a61c07b2d", "ts": 5, "device": "press-1",
        "state": "producing", "previous": "idle", "since_ms": 5, "code": 2, "cause": null,
        "cause_zh": null, "quality": "good", "reason": null, "product": null
    })
}

fn link() -> Value {
    json!({
        "v": 1, "gateway": "gw", "run": "9f3a61c07b2d", "boot": 1, "seq": 1, "n": 1, "ts": 5,
        "clock": "synced", "historical": false, "cfg": "5be1c0d2", "event": "link",
        "what": "plc", "from": "up", "to": "down", "why": "no answer"
    })
}

/// What is said of one message; none if it is right.
fn fault(tail: &str, payload: &str) -> Outcome<Option<String>> {
    let mut child = Command::new(repository().join("tests/.venv/bin/python"))
        .arg(repository().join("tests/validate.py"))
        .arg(repository().join("agent/docs/schema"))
        .arg(HEAD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::new("no pipe"))?;
    writeln!(stdin, "{HEAD}{tail} {payload}")?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((!output.status.success()).then_some(said))
}

fn with(mut message: Value, key: &str, value: Value) -> String {
    message[key] = value;
    message.to_string()
}

#[test]
fn a_message_that_is_not_as_the_files_say_is_found() -> Outcome {
    assert_eq!(fault("press-1/state", &state().to_string())?, None);
    assert_eq!(fault("event", &link().to_string())?, None);
    assert_eq!(fault("press-1/state", "")?, None, "it was cleared");
    let wrong = [
        (
            "press-1/state",
            with(state(), "surprise", json!(1)),
            "surprise",
        ),
        (
            "press-1/state",
            with(state(), "state", json!("asleep")),
            "$.state",
        ),
        (
            "press-1/state",
            with(state(), "since_ms", Value::Null),
            "$.since_ms",
        ),
        (
            "press-1/state",
            json!({"v": 1}).to_string(),
            "'run' is a required",
        ),
        ("event", with(link(), "event", json!("weather")), "weather"),
        ("event", with(link(), "seq", json!(1.5)), "$.seq"),
        ("event", String::new(), "empty"),
        ("press-1/kpi/2m", String::from("{}"), "no topic"),
    ];
    for (tail, payload, expected) in wrong {
        let said = fault(tail, &payload)?.unwrap_or_default();
        assert!(said.contains(expected), "{tail} {payload}: {said}");
    }
    Ok(())
}
