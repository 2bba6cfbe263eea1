//! One fault, heard in the hall and read on a telephone: what ends the one ends the other, and a power cut
//! makes neither forget nor tell twice. The broker is away all the while.

use andon_tests::agent::{Agent, andon};
use andon_tests::line::status;
use andon_tests::modem::Modem;
use andon_tests::presses::Presses;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::Value;
use std::path::Path;

const RELAYS: u8 = 9;
const TECHNICIAN: &str = "+8613800000001";

#[test]
fn a_reply_stops_the_horn_and_a_kill_tells_nobody_twice() -> Outcome {
    let scenario = Scenario::new("heard_and_told")?;
    let mut presses = Presses::with_relays(&scenario, 1, &[RELAYS])?;
    presses.set(1, serde_json::json!({ "status": status::PRODUCING }))?;
    let link = scenario.path("modem-port").display().to_string();
    let mut modem = Modem::new(&scenario, &["--link", &link])?;
    let text = config(&scenario, presses.port(), modem.port(), free_port()?);
    let config = scenario.write("andon.toml", &text)?;
    let log = scenario.path("agent.log");
    let agent = Agent::run(&config, &log)?;
    wait_state(&scenario, &config, "normal")?;

    presses.set(1, serde_json::json!({ "status": status::OVERPRESSURE }))?;
    wait_horn(&mut presses, true)?;
    let sent = wait_for("the message", SOON, || {
        modem.sent().ok().filter(|sent| !sent.is_empty())
    })?;
    // Once it is known to have gone out, and that is on disk, as all is when a command has succeeded.
    wait_for("the agent to know of it", SOON, || {
        let sent = &ask(&scenario, &config, "status")?["modem"]["sent"];
        (*sent == 1).then_some(())
    })?;
    ask(&scenario, &config, "silence").ok_or_else(|| Failure::new("not silenced"))?;
    wait_horn(&mut presses, false)?;
    agent.kill()?;

    // A restart ends the silence.
    let agent = Agent::run(&config, &log)?;
    wait_horn(&mut presses, true)?;

    let code = sent[0].code()?;
    modem.deliver(TECHNICIAN, &format!("确认{code}"))?;
    wait_state(&scenario, &config, "ack-active")?;
    wait_horn(&mut presses, false)?;
    let sent = wait_for("the answer", SOON, || {
        modem.sent().ok().filter(|sent| sent.len() >= 2)
    })?;
    let texts: Vec<&str> = sent.iter().map(|sent| sent.text.as_str()).collect();
    assert_eq!(texts.len(), 2, "told once and answered once: {texts:?}");
    assert!(texts[1].contains("已记录您的确认"), "{texts:?}");
    assert!(agent.terminate()?.success());
    Ok(())
}

/// What the agent answers to a command; nothing while it cannot.
fn ask(scenario: &Scenario, config: &Path, command: &str) -> Option<Value> {
    let config = config.display().to_string();
    let arguments = [command, "--config", &config, "--json"];
    let output = andon(&arguments, &scenario.path("")).ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn wait_horn(presses: &mut Presses, sounds: bool) -> Outcome {
    wait_for(&format!("the horn: {sounds}"), SOON, || {
        (presses.coils(RELAYS).ok()?[0] == sounds).then_some(())
    })
}

/// Waits until the press is read and its only alarm is in this state.
fn wait_state(scenario: &Scenario, config: &Path, wanted: &str) -> Outcome {
    wait_for(&format!("the alarm to be {wanted}"), SOON, || {
        let is_read = ask(scenario, config, "status")?["devices"][0]["state"].is_string();
        let alarms = ask(scenario, config, "alarms")?;
        let all = alarms["alarms"].as_array()?;
        let fault = all.iter().find(|alarm| alarm["id"] == "press-1.fault");
        let state = fault.map_or("normal", |fault| fault["state"].as_str().unwrap_or(""));
        (is_read && state == wanted).then_some(())
    })
}

fn config(scenario: &Scenario, presses: u16, modem: &str, broker: u16) -> String {
    format!(
        r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
timezone = "Asia/Shanghai"
language = "zh"
data_dir = {data:?}

[upstream]
broker = "mqtt://127.0.0.1:{broker}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"

[[device]]
id = "press-1"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], delayed = [3], faulted = ["4..99"] }}

[[device]]
id = "relays"
link = "plc"
unit = {RELAYS}
tags = {{ horn = {{ at = "coil:0", type = "bool" }} }}
allow_write = [{{ at = "coil:0" }}]

[[alarm]]
id = "fault"
devices = ["press-1"]
when = "state == faulted"
priority = "high"

[horn]
through = [{{ modbus = {{ link = "plc", unit = {RELAYS}, coil = 0 }} }}]

[sms]
modem = {modem:?}
pause = "10 ms"
poll = "1 s"
retry = "1 s"
[[sms.person]]
name = "李工"
number = "{TECHNICIAN}"
"#,
        data = scenario.path("data"),
    )
}
