//! The HTTP door: scripts push with curl, everybody reads, and a thousand who only hold their
//! connections open hold up nobody.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::web::{Answer, get, post};
use andon_tests::{Failure, Outcome, SOON, wait_for};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

/// A press that is polled and a saw that a script speaks for.
struct Door {
    scenario: Scenario,
    presses: Presses,
    _broker: Broker,
    recorder: Recorder,
    agent: Agent,
    port: u16,
}

impl Door {
    fn open(name: &str) -> Outcome<Door> {
        let scenario = Scenario::new(name)?;
        let mut presses = Presses::start(&scenario, 1)?;
        presses.set(1, json!({ "status": status::PRODUCING }))?;
        let broker = Broker::start(&scenario)?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        let port = free_port()?;
        let config = scenario.write("andon.toml", &config(&scenario, &presses, &broker, port))?;
        let agent = Agent::run(&config, &scenario.path("agent.log"))?;
        let door = Door {
            scenario,
            presses,
            _broker: broker,
            recorder,
            agent,
            port,
        };
        wait_for("readiness", SOON, || {
            (door.get("/readyz").ok()?.status == 200).then_some(())
        })?;
        Ok(door)
    }

    fn get(&self, path: &str) -> Outcome<Answer> {
        get(&format!("http://127.0.0.1:{}{path}", self.port))
    }

    fn token(&self) -> Outcome<String> {
        let text = fs::read_to_string(self.scenario.path("push.token"))?;
        Ok(text.trim().to_owned())
    }

    fn push(&self, token: &str, body: &str) -> Outcome<Answer> {
        let file = self.scenario.write("body.json", body)?;
        let url = format!("http://127.0.0.1:{}/api/v1/samples", self.port);
        post(&url, token, &file)
    }

    /// What `/api/v1/tags` says of a tag of the saw.
    fn tag(&self, name: &str) -> Outcome<Value> {
        let tags = self.get("/api/v1/tags?device=saw-1")?.json()?;
        let mut tags = tags.as_array().into_iter().flatten();
        let found = tags.find(|tag| tag["tag"] == name).cloned();
        found.ok_or_else(|| Failure::new(format!("no tag {name}")))
    }
}

fn config(scenario: &Scenario, presses: &Presses, broker: &Broker, port: u16) -> String {
    format!(
        r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = {data:?}

[upstream]
broker = "mqtt://127.0.0.1:{broker}"

[http]
listen = "127.0.0.1:{port}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"

[[link]]
id = "scripts"
http_push = true
token_file = "push.token"

[[device]]
id = "press-1"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", producing = [2], faulted = ["4..99"] }}

[[device]]
id = "saw-1"
link = "scripts"
stale_after = "1 h"

[device.tags]
mode = {{ type = "string" }}
speed = {{ type = "f64", unit = "rpm", range = [0, 6000] }}

[device.state]
from = "mode"
producing = ["run"]
faulted = ["alarm"]

[[alarm]]
id = "fault"
devices = ["*"]
when = "state == faulted"
"#,
        data = scenario.path("data"),
        broker = broker.port(),
        presses = presses.port(),
    )
}

#[test]
fn a_script_pushes_and_everybody_reads() -> Outcome {
    let door = Door::open("http-door")?;
    let mode = fs::metadata(door.scenario.path("push.token"))?.permissions();
    assert_eq!(mode.mode() & 0o777, 0o600, "nobody else reads the token");
    let token = door.token()?;
    assert_eq!(door.tag("speed")?["reason"], "never-read");

    let body = r#"{"device":"saw-1","tags":{"mode":"run","speed":2950.5}}"#;
    let answer = door.push(&token, body)?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json()?,
        json!({ "devices": 1, "readings": 2, "bad": 0 })
    );
    // What was answered with 200 is with the engine.
    let speed = door.tag("speed")?;
    assert_eq!(speed["value"], 2950.5);
    assert_eq!(speed["quality"], "good");
    assert_eq!(speed["unit"], "rpm");
    door.recorder
        .wait_current("saw-1/state", "state", "producing")?;

    let alarm = r#"[{"device":"saw-1","tags":{"mode":"alarm","speed":9000}}]"#;
    assert_eq!(door.push(&token, alarm)?.status, 200);
    assert_eq!(door.tag("speed")?["reason"], "out-of-range");
    door.recorder
        .wait_current("saw-1/alarm/fault", "state", "unack-active")?;

    for (token, body, status) in [
        ("", body, 401),
        ("wrong", body, 401),
        (&*token, "{", 400),
        (&*token, r#"{"device":"saw-1","tags":{"spede":1}}"#, 400),
        (&*token, r#"{"device":"press-1","tags":{"status":2}}"#, 404),
        (&*token, &" ".repeat(300 * 1024), 413),
    ] {
        let answer = door.push(token, body)?;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.json()?["error"].is_string(), "{answer:?}");
    }
    assert_eq!(door.tag("mode")?["value"], "alarm", "nothing was taken");
    status_is_told(&door)?;
    let ended = door.agent.terminate()?;
    assert!(ended.success(), "{ended}");
    let config = door.scenario.path("andon.toml").display().to_string();
    let output = andon(&["status", "--config", &config], &door.scenario.path("."))?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("andon run"), "{said}");
    Ok(())
}

/// `andon status` and the door say the same.
fn status_is_told(door: &Door) -> Outcome {
    let config = door.scenario.path("andon.toml").display().to_string();
    let ask = |more: &[&str]| -> Outcome<String> {
        let arguments = [&["status", "--config", &*config], more].concat();
        let output = andon(&arguments, &door.scenario.path("."))?;
        assert!(output.status.success(), "{output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let local: Value = serde_json::from_str(&ask(&["--json"])?)?;
    let remote = door.get("/api/v1/status")?.json()?;
    for told in [&local, &remote] {
        assert_eq!(told["gateway"], "gw-press-1");
        assert_eq!(told["broker_reached"], true);
        assert_eq!(told["links"][0]["units"][0]["timeouts"], 0);
        assert_eq!(told["alarms"][0]["id"], "saw-1.fault");
    }
    assert_eq!(local["run"], remote["run"]);
    let text = ask(&[])?;
    for part in [
        "gw-press-1: andon",
        "LINKS: 2 up, 0 down",
        "plc/1",
        "saw-1    faulted",
        "speed: bad: out-of-range",
        "saw-1.fault",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let devices = door.get("/api/v1/devices")?.json()?;
    assert_eq!(devices[0]["device"], "press-1");
    assert_eq!(devices[0]["state"], "producing");
    let tags = door.get("/api/v1/tags")?.json()?;
    assert_eq!(tags.as_array().map(Vec::len), Some(3));
    Ok(())
}

#[test]
fn a_thousand_idle_connections_hold_up_nobody() -> Outcome {
    const MANY: usize = 1_000;
    allow_files(MANY as u64 + 500)?;
    let mut door = Door::open("idle-connections")?;
    let polls =
        |door: &mut Door| -> Outcome<usize> { Ok(door.presses.report(1)?.status_polls.len()) };
    let mut open = Vec::new();
    for _ in 0..MANY {
        open.push(TcpStream::connect(("127.0.0.1", door.port))?);
    }
    let before = polls(&mut door)?;
    wait_for("50 more polls", SOON, || {
        (polls(&mut door).ok()? >= before + 50).then_some(())
    })?;
    door.presses
        .set(1, json!({ "status": status::OVERPRESSURE }))?;
    door.recorder
        .wait_current("press-1/alarm/fault", "state", "unack-active")?;
    // They are cut off by themselves, though they stay open on the other side.
    wait_for("an answer besides them", SOON, || {
        (door.get("/healthz").ok()?.status == 200).then_some(())
    })?;
    assert_eq!(open.len(), MANY);
    door.agent.must_run()?;
    let ended = door.agent.terminate()?;
    assert!(ended.success(), "{ended}");
    Ok(())
}

/// This process may have so many files open.
fn allow_files(many: u64) -> Outcome {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= many) {
        return Ok(());
    }
    limit.current = Some(many.min(limit.maximum.unwrap_or(many)));
    Ok(setrlimit(Resource::Nofile, limit)?)
}

#[test]
fn a_port_that_is_taken_ends_the_start() -> Outcome {
    let door = Door::open("port-taken")?;
    let text = fs::read_to_string(door.scenario.path("andon.toml"))?;
    let data = |name: &str| format!("data_dir = {:?}", door.scenario.path(name));
    door.scenario
        .write("second.toml", &text.replace(&data("data"), &data("other")))?;
    let config = door.scenario.path("second.toml").display().to_string();
    let output = andon(&["run", "--config", &config], &door.scenario.path("."))?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let address = format!("[http] listen = \"127.0.0.1:{}\"", door.port);
    for part in [&*address, "another program listens there"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    Ok(())
}
