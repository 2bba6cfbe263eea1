//! The self-test really tries what brings alarms to people, without a sound and without a message: a modem
//! that is unplugged or dead, a relay that does not do what it is told. What fails is an alarm.

use andon_tests::agent::{Agent, andon};
use andon_tests::modem::Modem;
use andon_tests::presses::Presses;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::{Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;

const RELAYS: u8 = 9;

struct Gateway {
    scenario: Scenario,
    config: PathBuf,
}

impl Gateway {
    fn ask(&self, command: &str) -> Outcome<(Option<i32>, Value)> {
        let config = self.config.display().to_string();
        let output = andon(
            &[command, "--config", &config, "--json"],
            &self.scenario.path(""),
        )?;
        Ok((
            output.status.code(),
            serde_json::from_slice(&output.stdout)?,
        ))
    }

    /// How a part has done at a self-test, and why.
    fn tested(&self, part: &str) -> Outcome<(String, String)> {
        let (status, parts) = self.ask("selftest")?;
        let all = parts.as_array().into_iter().flatten();
        let mut failed = all.clone().filter(|part| part["result"] == "failed");
        assert_eq!(status == Some(0), failed.next().is_none(), "{parts}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found = all.filter(|one| one["part"] == part);
        let told = found.next().cloned().unwrap_or_default();
        assert!(found.next().is_none(), "{part} twice: {parts}");
        Ok((text(&told["result"]), text(&told["why"])))
    }

    /// Waits until a part is found to be like this, each time by a self-test.
    fn wait_tested(&self, part: &str, wanted: &str) -> Outcome<String> {
        wait_for(&format!("{part} to have {wanted}"), SOON, || {
            let (result, why) = self.tested(part).ok()?;
            (result == wanted).then_some(why)
        })
    }

    fn wait_alarm(&self, id: &str, wanted: &str) -> Outcome {
        wait_for(&format!("{id} to be {wanted}"), SOON, || {
            let (_, alarms) = self.ask("alarms").ok()?;
            let mut all = alarms["alarms"].as_array()?.iter();
            let found = all.find(|alarm| alarm["id"] == id);
            let state = found.map_or("normal", |alarm| alarm["state"].as_str().unwrap_or(""));
            (state == wanted).then_some(())
        })
    }
}

#[test]
fn modem_and_horn_are_tried_and_what_fails_is_an_alarm() -> Outcome {
    let scenario = Scenario::new("selftest")?;
    let mut presses = Presses::with_relays(&scenario, 1, &[RELAYS])?;
    let link = scenario.path("modem-port").display().to_string();
    let mut modem = Modem::new(&scenario, &["--link", &link])?;
    let text = config(&scenario, presses.port(), modem.port(), free_port()?);
    let config = scenario.write("andon.toml", &text)?;
    let agent = Agent::run(&config, &scenario.path("agent.log"))?;
    let gateway = Gateway { scenario, config };
    let why = gateway.wait_tested("modem", "passed")?;
    assert!(
        why.contains("-71 dBm") && why.contains("home network"),
        "{why}"
    );
    gateway.wait_tested("horn-test", "passed")?;
    assert!(presses.coils(RELAYS)?.iter().all(|coil| !coil), "silent");
    assert!(modem.sent()?.is_empty(), "no message");

    // The agent has heard nothing of it being unplugged: the port says so when it is tried.
    modem.order(&json!({ "unplug": true }))?;
    let why = gateway.wait_tested("modem", "failed")?;
    assert!(why.contains("modem-port"), "{why}");
    gateway.wait_alarm("gateway.modem", "unack-active")?;
    modem.order(&json!({ "plug": true }))?;
    gateway.wait_tested("modem", "passed")?;
    gateway.wait_alarm("gateway.modem", "rtn-unack")?;

    // It is there, and says nothing any more: nobody would find out before its next message.
    modem.order(&json!({ "do": { "dead": true } }))?;
    let why = gateway.wait_tested("modem", "failed")?;
    assert!(
        why.contains("no answer") || why.contains("does not answer"),
        "{why}"
    );
    gateway.wait_alarm("gateway.modem", "unack-active")?;

    // The horn sounds for the modem; now its relay takes what is written, and stays as it is.
    presses.set(RELAYS, json!({ "stuck": false }))?;
    let why = gateway.wait_tested("horn-test", "failed")?;
    assert!(why.contains("switched on, and reads back as off"), "{why}");
    gateway.wait_alarm("gateway.horn-test", "unack-active")?;
    presses.set(RELAYS, json!({ "stuck": null }))?;
    gateway.wait_tested("horn-test", "passed")?;
    assert!(modem.sent()?.is_empty(), "no message at any time");
    assert!(agent.terminate()?.success());
    Ok(())
}

fn config(scenario: &Scenario, presses: u16, modem: &str, broker: u16) -> String {
    format!(
        r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = {data:?}
selftest = "off"

[upstream]
broker = "mqtt://127.0.0.1:{broker}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"

[[device]]
id = "relays"
link = "plc"
unit = {RELAYS}
tags = {{ horn = {{ at = "coil:0", type = "bool" }} }}
allow_write = [{{ at = "coil:0" }}]

[[alarm]]
id = "*"
devices = ["gateway"]
on_delay = "1 s"
off_delay = "1 s"

[horn]
through = [{{ modbus = {{ link = "plc", unit = {RELAYS}, coil = 0 }} }}]

[sms]
modem = {modem:?}
[[sms.person]]
name = "li"
number = "+8613800000001"
devices = ["relays"]
"#,
        data = scenario.path("data"),
    )
}
