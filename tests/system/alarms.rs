//! Alarms of a press in the hands of people, by the command line: what it has answered with 0 holds
//! after `kill -9`.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::records::{Record, check_all};
use andon_tests::scenario::Scenario;
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;

const FAULT: &str = "press-1/alarm/fault";
const JAM: &str = "press-1/alarm/jam";

/// A press with an alarm that goes by itself, and one that is latched.
struct Plant {
    scenario: Scenario,
    presses: Presses,
    _broker: Broker,
    recorder: Recorder,
    config: PathBuf,
    agent: Option<Agent>,
}

impl Plant {
    fn new(name: &str) -> Outcome<Plant> {
        let scenario = Scenario::new(name)?;
        let mut presses = Presses::start(&scenario, 1)?;
        presses.set(1, json!({ "status": status::PRODUCING }))?;
        let broker = Broker::start(&scenario)?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        let config = scenario.write("andon.toml", &config(&scenario, &presses, &broker))?;
        let mut plant = Plant {
            scenario,
            presses,
            _broker: broker,
            recorder,
            config,
            agent: None,
        };
        plant.start()?;
        Ok(plant)
    }

    fn start(&mut self) -> Outcome {
        let log = self.scenario.path("agent.log");
        self.agent = Some(Agent::run(&self.config, &log)?);
        wait_for("answer to `andon alarms`", SOON, || {
            let asked = self.run("alarms", &[]).ok()?;
            asked.status.success().then_some(())
        })
    }

    fn kill_and_start(&mut self) -> Outcome {
        let agent = self.agent.take();
        agent.ok_or_else(|| Failure::new("no agent"))?.kill()?;
        self.start()
    }

    fn show(&mut self, word: u16) -> Outcome {
        self.presses.set(1, json!({ "status": word }))
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Outcome<Output> {
        let config = self.config.display().to_string();
        let all = [&[command, "--config", &config], arguments].concat();
        andon(&all, self.scenario.path("").as_path())
    }

    /// A command that must be answered with 0; returns what it prints.
    fn done(&self, command: &str, arguments: &[&str]) -> Outcome<String> {
        let output = self.run(command, arguments)?;
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A command that must end with `code`, and say `words`.
    fn refused(&self, code: i32, words: &str, command: &str, arguments: &[&str]) -> Outcome {
        let output = self.run(command, arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command}: {output:?}");
        assert!(said.contains(words), "{command} {arguments:?}: {said}");
        Ok(())
    }

    fn alarms(&self) -> Outcome<Value> {
        Ok(serde_json::from_str(&self.done("alarms", &["--json"])?)?)
    }

    /// How an alarm stands by the command line; null while it is normal.
    fn alarm(&self, id: &str) -> Outcome<Value> {
        let all = self.alarms()?;
        let alarms = all["alarms"].as_array().into_iter().flatten();
        let mut ours = alarms.filter(|alarm| alarm["id"] == id);
        Ok(ours.next().cloned().unwrap_or_default())
    }

    /// Waits until the newest value on the topic of an alarm is that it is none.
    fn wait_cleared(&self, tail: &str) -> Outcome {
        wait_for(&format!("{tail} to be cleared"), SOON, || {
            let newest = self.recorder.current(tail).ok().flatten()?;
            newest.is_empty().then_some(())
        })
    }

    fn wait_event(&self, kind: &str, from: &str, to: &str, occurrence: i64) -> Outcome<Record> {
        let what = format!("event {kind} of number {occurrence} from {from} to {to}");
        self.recorder.wait_record(&what, |record| {
            record.is_event(kind)
                && record.text("from") == from
                && record.text("to") == to
                && record.int("occurrence").is_ok_and(|n| n == occurrence)
        })
    }
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

[[device]]
id = "press-1"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], delayed = [3], faulted = ["4..99"] }}

[[alarm]]
id = "fault"
devices = ["press-1"]
when = "state == faulted"
suppress_when = "state == planned_stop"
priority = "high"
text_en = "{{device}} stopped by a fault"
text_zh = "一号冲压机 故障停机"

[[alarm]]
id = "jam"
devices = ["press-1"]
when = "state == delayed"
latched = true
"#,
        data = scenario.path("data"),
        broker = broker.port(),
        presses = presses.port(),
    )
}

#[test]
fn alarms_in_the_hands_of_people() -> Outcome {
    let mut plant = Plant::new("alarms")?;
    plant
        .recorder
        .wait_current("press-1/state", "state", "producing")?;
    assert!(plant.done("alarms", &[])?.contains("no alarms"));

    acknowledged_and_killed(&mut plant)?;
    latched_and_reset(&mut plant)?;
    shelved_and_back(&mut plant)?;
    silenced(&plant)?;
    out_of_service(&mut plant)?;

    let agent = plant.agent.take();
    let ended = agent.ok_or_else(|| Failure::new("no agent"))?.terminate()?;
    assert!(ended.success(), "{ended}");
    plant.recorder.wait_current("status", "status", "offline")?;
    let records = check_all(&plant.recorder.records()?)?;
    let mut acts: Vec<&Record> = records
        .iter()
        .filter(|record| record.text("via") == "cli")
        .collect();
    acts.sort_by_key(|record| (record.int("boot").ok(), record.int("seq").ok()));
    let told: Vec<&str> = acts.iter().map(|record| record.text("event")).collect();
    assert_eq!(
        told,
        [
            "ack",
            "ack",
            "reset",
            "shelve",
            "silence",
            "out-of-service",
            "return",
        ],
        "what was refused is not in the journal"
    );
    assert!(acts.iter().all(|record| record.text("by") == "li"));
    plant.refused(1, "no agent runs", "ack", &["press-1.fault"])
}

/// Raised by the press, acknowledged, and still so after a kill.
fn acknowledged_and_killed(plant: &mut Plant) -> Outcome {
    plant.show(status::OVERPRESSURE)?;
    let raised = plant
        .recorder
        .wait_current(FAULT, "state", "unack-active")?;
    assert_eq!(raised["occurrence"], 1);
    assert_eq!(raised["by"], Value::Null);
    let text = plant.done("alarms", &[])?;
    for part in ["press-1.fault", "no. 1", "高", "未确认", "故障停机"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    plant.refused(
        2,
        "there is no alarm `press-1.falut`; did you mean `press-1.fault`?",
        "ack",
        &["press-1.falut"],
    )?;
    let other = ["press-1.fault", "--occurrence", "7"];
    plant.refused(1, "the newest is number 1", "ack", &other)?;
    plant.refused(1, "nothing to reset", "reset", &["press-1.fault"])?;

    let ours = ["press-1.fault", "--occurrence", "1", "--by", "li"];
    let said = plant.done("ack", &ours)?;
    plant.kill_and_start()?;
    assert!(said.contains("acknowledged by li"), "{said}");
    let alarm = plant.alarm("press-1.fault")?;
    assert_eq!(alarm["state"], "ack-active", "{alarm}");
    for (key, value) in [
        ("occurrence", json!(1)),
        ("by", json!("li")),
        ("via", json!("cli")),
        ("text_en", json!("press-1 stopped by a fault")),
    ] {
        assert_eq!(alarm[key], value, "{key} of {alarm}");
    }
    assert!(alarm["acked_ms"].is_i64(), "{alarm}");
    wait_for("reading after the restart", SOON, || {
        let alarm = plant.alarm("press-1.fault").ok()?;
        (alarm["quality"] == "good").then_some(())
    })?;
    let alarm = plant.alarm("press-1.fault")?;
    assert_eq!(alarm["occurrence"], 1, "it is the same one: {alarm}");
    plant.refused(1, "li has done so", "ack", &["press-1.fault"])?;
    plant.wait_event("ack", "unack-active", "ack-active", 1)?;
    plant.show(status::PRODUCING)?;
    plant.wait_cleared(FAULT)?;
    plant.refused(1, "it is normal", "ack", &["press-1.fault"])
}

/// A latched alarm stays over a kill, until it was acknowledged and reset.
fn latched_and_reset(plant: &mut Plant) -> Outcome {
    let id = "press-1.jam";
    plant.show(status::DELAYED)?;
    plant.recorder.wait_current(JAM, "state", "unack-active")?;
    plant.refused(1, "condition still holds", "reset", &[id])?;
    plant.show(status::PRODUCING)?;
    plant.recorder.wait_current(JAM, "state", "latched-unack")?;
    plant.refused(1, "nobody has acknowledged it", "reset", &[id])?;
    plant.done("ack", &[id, "--by", "li"])?;
    plant.kill_and_start()?;
    assert_eq!(plant.alarm(id)?["state"], "latched-ack");
    plant.done("reset", &[id, "--by", "li"])?;
    plant.kill_and_start()?;
    assert_eq!(plant.alarm(id)?, Value::Null);
    plant.wait_cleared(JAM)
}

/// Shelved over a kill; it comes back by itself, as a new one.
fn shelved_and_back(plant: &mut Plant) -> Outcome {
    let id = "press-1.fault";
    plant.show(status::OVERPRESSURE)?;
    plant
        .recorder
        .wait_current(FAULT, "state", "unack-active")?;
    let why = ["--why", "spare part is on its way"];
    let too_long = [&[id, "--for", "9h"], &why[..]].concat();
    plant.refused(2, "at most 8 h", "shelve", &too_long)?;
    plant.refused(2, "--why", "shelve", &[id, "--for", "1h"])?;
    let empty = [id, "--for", "1h", "--why", " "];
    plant.refused(2, "a reason is needed", "shelve", &empty)?;
    plant.refused(1, "it is not shelved", "unshelve", &[id])?;
    let shelve = [&[id, "--for", "15s", "--by", "li"], &why[..]].concat();
    plant.done("shelve", &shelve)?;
    plant.kill_and_start()?;
    let shelved = plant.wait_event("shelve", "unack-active", "shelved", 2)?;
    assert_eq!(shelved.text("why"), "spare part is on its way");
    assert!(shelved.int("until_ms")? > shelved.int("ts")?);
    plant.wait_event("alarm", "shelved", "unack-active", 3)?;
    let back = plant
        .recorder
        .wait_current(FAULT, "state", "unack-active")?;
    assert_eq!(back["occurrence"], 3, "raised anew");
    plant.refused(1, "is number 3 now", "ack", &[id, "--occurrence", "2"])
}

/// Silence changes no alarm.
fn silenced(plant: &Plant) -> Outcome {
    let before = plant.alarms()?;
    assert_eq!(before["sounding"], "high", "{before}");
    plant.done("silence", &["--by", "li"])?;
    let after = plant.alarms()?;
    assert_eq!(after["sounding"], Value::Null, "{after}");
    assert!(after["silent_until_ms"].is_i64(), "{after}");
    assert_eq!(after["alarms"], before["alarms"]);
    let again = plant.done("silence", &[])?;
    assert!(again.contains("nothing sounds"), "{again}");
    Ok(())
}

/// Out of service over a kill, until it is returned.
fn out_of_service(plant: &mut Plant) -> Outcome {
    let id = "press-1.fault";
    plant.refused(1, "not out of service", "return", &[id])?;
    let out = [id, "--why", "sensor is broken", "--by", "li"];
    plant.done("out-of-service", &out)?;
    plant.kill_and_start()?;
    let alarm = plant.alarm(id)?;
    assert_eq!(alarm["state"], "out-of-service", "{alarm}");
    assert_eq!(alarm["why"], "sensor is broken");
    plant.refused(1, "out of service", "ack", &[id])?;
    plant.show(status::PRODUCING)?;
    wait_for("the condition to be gone", SOON, || {
        let alarm = plant.alarm(id).ok()?;
        (alarm["active"] == false).then_some(())
    })?;
    plant.done("return", &[id, "--by", "li"])?;
    plant.wait_cleared(FAULT)
}
