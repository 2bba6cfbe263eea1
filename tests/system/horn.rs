//! A horn and a lamp behind coils of a relay module that is not ours: what is heard and seen follows
//! the alarms of two presses, and nothing else is ever written.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::scenario::Scenario;
use andon_tests::{Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;

const RELAYS: u8 = 9;
const HORN: usize = 0;
const LAMP: usize = 1;

struct Hall {
    scenario: Scenario,
    presses: Presses,
    _broker: Broker,
    config: PathBuf,
}

impl Hall {
    fn run(&self, arguments: &[&str]) -> Outcome<Output> {
        let config = self.config.display().to_string();
        let all = [arguments, &["--config", &config]].concat();
        andon(&all, self.scenario.path("").as_path())
    }

    fn done(&self, arguments: &[&str]) -> Outcome<String> {
        let output = self.run(arguments)?;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn show(&mut self, press: u8, word: u16) -> Outcome {
        self.presses.set(press, json!({ "status": word }))
    }

    /// Waits until horn and lamp are like this.
    fn wait(&mut self, what: &str, horn: bool, lamp: bool) -> Outcome {
        let presses = &mut self.presses;
        wait_for(&format!("horn {horn}, lamp {lamp}: {what}"), SOON, || {
            let coils = presses.coils(RELAYS).ok()?;
            (coils[HORN] == horn && coils[LAMP] == lamp).then_some(())
        })
    }

    /// Waits until the agent says of an alarm that it is in this state.
    fn wait_alarm(&self, id: &str, state: &str) -> Outcome {
        wait_for(&format!("{id} to be {state}"), SOON, || {
            let all = self.run(&["alarms", "--json"]).ok()?;
            let all: Value = serde_json::from_slice(&all.stdout).ok()?;
            let mut alarms = all["alarms"].as_array()?.iter();
            alarms
                .any(|alarm| alarm["id"] == id && alarm["state"] == state)
                .then_some(())
        })
    }
}

#[test]
fn a_coil_sounds_while_an_alarm_calls_for_it() -> Outcome {
    let scenario = Scenario::new("horn")?;
    let mut presses = Presses::with_relays(&scenario, 2, &[RELAYS])?;
    for unit in [1, 2] {
        presses.set(unit, json!({ "status": status::PRODUCING }))?;
    }
    let broker = Broker::start(&scenario)?;
    let config = scenario.write("andon.toml", &config(&scenario, &presses, &broker))?;
    let agent = Agent::run(&config, &scenario.path("agent.log"))?;
    let mut hall = Hall {
        scenario,
        presses,
        _broker: broker,
        config,
    };
    let presses = &mut hall.presses;
    wait_for("the first writes", SOON, || {
        let writes = presses.writes(RELAYS).ok()?;
        (writes.contains(&[5, 0, 0]) && writes.contains(&[5, 1, 0])).then_some(())
    })?;

    heard_silenced_and_acknowledged(&mut hall)?;
    tested(&mut hall)?;
    told_when_it_cannot_be_heard(&mut hall)?;

    // It sounds now, and the agent stops.
    let ended = agent.terminate()?;
    assert!(ended.success(), "{ended}");
    hall.wait("the agent has stopped", false, false)?;
    let writes = hall.presses.writes(RELAYS)?;
    let permitted = |write: &[i64; 3]| write[0] == 5 && (0..=1).contains(&write[1]);
    assert!(writes.iter().all(permitted), "{writes:?}");
    Ok(())
}

fn heard_silenced_and_acknowledged(hall: &mut Hall) -> Outcome {
    hall.show(1, status::OVERPRESSURE)?;
    hall.wait("a fault", true, true)?;
    hall.done(&["silence"])?;
    hall.wait("silenced, and still to be acknowledged", false, true)?;
    hall.show(2, status::OVERPRESSURE)?;
    hall.wait("another fault in the silence", true, true)?;
    hall.done(&["ack", "press-2.fault"])?;
    hall.wait("acknowledged, the first one is silenced", false, true)?;
    hall.done(&["ack", "press-1.fault"])?;
    hall.wait_alarm("press-1.fault", "ack-active")?;
    hall.show(1, status::PRODUCING)?;
    hall.wait_alarm("press-2.fault", "ack-active")?;
    hall.wait("one of them is left", false, true)?;
    hall.show(2, status::PRODUCING)?;
    hall.wait("sequence A: they go out by themselves", false, false)
}

/// A test is heard and seen, and changes no alarm.
fn tested(hall: &mut Hall) -> Outcome {
    let before = hall.presses.writes(RELAYS)?.len();
    let said = hall.done(&["horn", "test", "--for", "1s", "--json"])?;
    let told: Value = serde_json::from_str(&said)?;
    assert_eq!(told["horns"], json!(["hall"]), "{told}");
    let outputs = told["outputs"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(outputs.len(), 2, "{told}");
    assert!(
        outputs.iter().all(|output| output["works"] == true),
        "{told}"
    );
    hall.wait("the test is over", false, false)?;
    let writes = hall.presses.writes(RELAYS)?;
    assert!(writes[before..].contains(&[5, 0, 1]), "heard: {writes:?}");
    assert!(writes[before..].contains(&[5, 1, 1]), "seen: {writes:?}");
    assert!(hall.done(&["alarms"])?.contains("no alarms"));
    let unknown = hall.run(&["horn", "test", "--horn", "haul"])?;
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(2), "{said}");
    assert!(said.contains("did you mean `hall`?"), "{said}");
    Ok(())
}

/// A module that does not answer is told, and tried again until it does.
fn told_when_it_cannot_be_heard(hall: &mut Hall) -> Outcome {
    hall.presses.dead(RELAYS, true)?;
    hall.show(1, status::OVERPRESSURE)?;
    hall.wait_alarm("press-1.fault", "unack-active")?;
    let log = hall.scenario.path("agent.log");
    wait_for(
        "the log to say that the coil cannot be switched",
        SOON,
        || {
            let log = std::fs::read_to_string(&log).ok()?;
            let told = log.contains("horn hall: plc unit 9 coil 0 cannot be switched");
            told.then_some(())
        },
    )?;
    let refused = hall.run(&["horn", "test"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("sounds for an alarm"), "{said}");
    hall.presses.dead(RELAYS, false)?;
    hall.wait("the module answers again", true, true)
}

fn config(scenario: &Scenario, presses: &Presses, broker: &Broker) -> String {
    format!(
        r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = {data:?}

[upstream]
broker = "mqtt://127.0.0.1:{broker}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"
timeout = "300 ms"

[[profile]]
id = "press"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], delayed = [3], faulted = ["4..99"] }}

[[device]]
id = "press-1"
profile = "press"
link = "plc"

[[device]]
id = "press-2"
profile = "press"
link = "plc"
unit = 2

[[device]]
id = "relays"
link = "plc"
unit = {RELAYS}
tags = {{ horn = {{ at = "coil:0", type = "bool" }} }}
allow_write = [{{ at = "coil:0" }}, {{ at = "coil:1" }}]

[[alarm]]
id = "fault"
devices = ["press-*"]
when = "state == faulted"
priority = "high"

[[horn]]
id = "hall"
through = [
  {{ modbus = {{ link = "plc", unit = {RELAYS}, coil = {HORN} }} }},
  {{ modbus = {{ link = "plc", unit = {RELAYS}, coil = {LAMP} }}, lamp = "red" }},
]
"#,
        data = scenario.path("data"),
        broker = broker.port(),
        presses = presses.port(),
    )
}
