//! The meter of the shipped file on its serial line: read, pulled out, plugged in again.

use andon_tests::agent::Agent;
use andon_tests::broker::Broker;
use andon_tests::meter::Meter;
use andon_tests::recorder::Recorder;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::web::get;
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_meter_is_read_pulled_out_and_read_again() -> Outcome {
    let scenario = Scenario::new("serial-line")?;
    let broker = Broker::start(&scenario)?;
    let recorder = Recorder::start(&scenario, broker.port())?;
    let config = scenario.press_line(free_port()?, broker.port())?;
    let door = door(&fs::read_to_string(&config)?)?;
    let power = |value: &Value, reason: &Value| {
        wait_for(&format!("power of {value}, {reason}"), SOON, || {
            let tags = get(&format!("{door}/tags?device=meter-1"))
                .ok()?
                .json()
                .ok()?;
            let tag = tags.as_array()?.iter().find(|tag| tag["tag"] == "power")?;
            (tag["value"] == *value && tag["reason"] == *reason).then_some(())
        })
    };
    let link_event = |to: &str| {
        recorder.wait_record(&format!("event of the link, {to}"), |record| {
            record.is_event("link") && record.text("what") == "rs485" && record.text("to") == to
        })
    };

    // The port is optional: without it everything else runs, and it is told.
    let mut agent = Agent::run(&config, &scenario.path("agent.log"))?;
    let missing = link_event("down")?;
    assert!(missing.text("why").contains("No such file"), "{missing}");
    power(&Value::Null, &json!("disconnected"))?;

    let mut meter = Meter::plug_in(&scenario)?;
    meter.show(1234.5)?;
    power(&json!(1234.5), &Value::Null)?;
    meter.show(-7.25)?;
    power(&json!(-7.25), &Value::Null)?;
    link_event("up")?;

    let status = get(&format!("{door}/status"))?.json()?;
    let link = status["links"]
        .as_array()
        .and_then(|links| links.get(1))
        .cloned();
    let link = link.ok_or_else(|| Failure::new(format!("no links in {status}")))?;
    assert_eq!(link["protocol"], "modbus-rtu", "{link}");
    let unit = &link["units"][0];
    assert_eq!(
        (&unit["unit"], &unit["devices"]),
        (&json!(17), &json!(["meter-1"])),
        "{link}"
    );
    assert!(
        unit["answers"].as_u64() > Some(1) && unit["answer_ms_p50"].is_number(),
        "{link}"
    );
    assert_eq!(
        (&unit["crc_errors"], &unit["wrong_answers"]),
        (&json!(0), &json!(0)),
        "{link}"
    );
    let asked = meter.report()?;
    assert_eq!(
        asked["functions"],
        json!([4]),
        "it was not only read: {asked}"
    );

    drop(meter);
    power(&Value::Null, &json!("disconnected"))?;
    let mut meter = Meter::plug_in(&scenario)?;
    meter.show(55.0)?;
    power(&json!(55.0), &Value::Null)?;
    agent.must_run()?;
    let ended = agent.terminate()?;
    assert!(ended.success(), "{ended}");
    Ok(())
}

#[test]
fn a_port_that_must_be_there_is_missed_before_anything_starts() -> Outcome {
    let scenario = Scenario::new("serial-port-missing")?;
    let config = scenario.press_line(free_port()?, free_port()?)?;
    let text = fs::read_to_string(&config)?;
    let port = scenario.serial_port();
    let needed = text.replacen("optional = true ", "optional = false", 1);
    assert_ne!(
        text, needed,
        "press-line.toml no longer says that its port is optional"
    );
    scenario.write("andon.toml", &needed)?;
    let output = andon_tests::agent::andon(&["run"], &scenario.path(""))?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let last = told.lines().last().unwrap_or_default();
    for part in [
        "link rs485",
        &port.display().to_string(),
        "No such file",
        "optional = true",
    ] {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
    assert!(!scenario.path("data").exists(), "it had begun");
    Ok(())
}

/// Where the HTTP door of a configuration answers.
fn door(config: &str) -> Outcome<String> {
    let listen = config
        .lines()
        .find_map(|line| line.strip_prefix("listen = \""));
    let address = listen.and_then(|rest| rest.split('"').next());
    let address = address.ok_or_else(|| Failure::new("no HTTP door in press-line.toml"))?;
    Ok(format!("http://{address}/api/v1"))
}
