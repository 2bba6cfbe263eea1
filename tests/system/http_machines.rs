//! Machines that answer HTTP requests: Python's server is asked, goes away, and comes back.

use andon_tests::agent::Agent;
use andon_tests::authority::openssl;
use andon_tests::broker::Broker;
use andon_tests::recorder::Recorder;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::web::{WebMachine, get};
use andon_tests::{Outcome, SOON, wait_for};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

struct Rig {
    scenario: Scenario,
    _broker: Broker,
    recorder: Recorder,
    agent: Agent,
    port: u16,
}

impl Rig {
    /// An agent that reads through these links and devices.
    fn start(scenario: Scenario, links: &str) -> Outcome<Rig> {
        let broker = Broker::start(&scenario)?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        let port = free_port()?;
        let head = format!(
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
"#,
            data = scenario.path("data"),
            broker = broker.port(),
        );
        let config = scenario.write("andon.toml", &format!("{head}{links}"))?;
        let agent = Agent::run(&config, &scenario.path("agent.log"))?;
        Ok(Rig {
            scenario,
            _broker: broker,
            recorder,
            agent,
            port,
        })
    }

    fn get(&self, path: &str) -> Outcome<Value> {
        get(&format!("http://127.0.0.1:{}/api/v1/{path}", self.port))?.json()
    }

    /// Waits until a key of a tag is so.
    fn wait_tag(&self, device: &str, tag: &str, key: &str, is: &Value) -> Outcome {
        wait_for(&format!("{device} {tag} with {key} = {is}"), SOON, || {
            let tags = self.get(&format!("tags?device={device}")).ok()?;
            let tags = tags.as_array()?;
            let found = tags.iter().find(|told| told["tag"] == tag)?;
            (found[key] == *is).then_some(())
        })
    }
}

#[test]
fn a_machine_is_asked_goes_and_returns() -> Outcome {
    let scenario = Scenario::new("http-machines")?;
    let mut machine = WebMachine::start(&scenario, 0, &[])?;
    machine.show("/status.json", 200, r#"{"mode":"run","n":{"speed":1480}}"#)?;
    let links = format!(
        r#"
[[link]]
id = "compressor"
http_get = "http://127.0.0.1:{}/status.json"
timeout = "2 s"

[[device]]
id = "compressor-1"
link = "compressor"
every = "200 ms"

[device.tags]
mode = {{ at = "/mode", type = "string" }}
speed = {{ at = "/n/speed", type = "f64", unit = "rpm" }}
energy = {{ path = "/energy", type = "f64" }}

[device.state]
from = "mode"
producing = ["run"]
idle = ["wait"]
"#,
        machine.port()
    );
    let rig = Rig::start(scenario, &links)?;
    rig.recorder
        .wait_current("compressor-1/state", "state", "producing")?;
    rig.wait_tag("compressor-1", "speed", "value", &1480.0.into())?;
    rig.wait_tag("compressor-1", "energy", "reason", &"http-404".into())?;
    machine.show("/energy", 200, "17.25")?;
    rig.wait_tag("compressor-1", "energy", "value", &17.25.into())?;

    machine.show("/status.json", 503, "busy")?;
    rig.wait_tag("compressor-1", "speed", "reason", &"http-503".into())?;
    machine.show("/status.json", 200, "{\"mode\":")?;
    rig.wait_tag("compressor-1", "speed", "reason", &"malformed".into())?;
    let report = machine.report()?;
    assert_eq!(report["connections"], 1, "{report}");

    let port = machine.port();
    drop(machine);
    rig.wait_tag("compressor-1", "speed", "reason", &"disconnected".into())?;
    rig.recorder
        .wait_current("compressor-1/state", "state", "unknown")?;
    let link = rig.get("status")?["links"][0].clone();
    assert_eq!(link["up"], false, "{link}");
    let mut machine = WebMachine::start(&rig.scenario, port, &[])?;
    machine.show("/status.json", 200, r#"{"mode":"wait","n":{"speed":0}}"#)?;
    rig.wait_tag("compressor-1", "speed", "value", &0.0.into())?;
    rig.recorder
        .wait_current("compressor-1/state", "state", "idle")?;
    let ended = rig.agent.terminate()?;
    assert!(ended.success(), "{ended}");
    Ok(())
}

#[test]
fn a_machine_behind_tls_is_believed_only_if_its_authority_vouches() -> Outcome {
    let scenario = Scenario::new("https-machines")?;
    for authority in ["ours", "theirs"] {
        let request = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={authority} \
             -keyout {authority}.key -out {authority}.pem"
        );
        openssl(&scenario, &request)?;
    }
    scenario.write("names", "subjectAltName=DNS:localhost")?;
    openssl(
        &scenario,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=machine \
         -keyout machine.key -out machine.csr",
    )?;
    openssl(
        &scenario,
        "x509 -req -in machine.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 \
         -extfile names -out machine.pem",
    )?;
    let file = |name: &str| -> PathBuf { scenario.path(name) };
    let cert = file("machine.pem").display().to_string();
    let key = file("machine.key").display().to_string();
    let mut machines = Vec::new();
    let mut links = String::new();
    for (id, host, authority) in [
        ("good", "localhost", "ours"),
        ("stranger", "localhost", "theirs"),
        ("misnamed", "127.0.0.1", "ours"),
    ] {
        let mut machine = WebMachine::start(&scenario, 0, &["--cert", &cert, "--key", &key])?;
        machine.show("/", 200, "42")?;
        links += &format!(
            r#"
[[link]]
id = "{id}"
http_get = "https://{host}:{port}"
ca_file = {ca:?}

[[device]]
id = "{id}-1"
link = "{id}"
every = "200 ms"
tags = {{ speed = {{ type = "f64" }} }}
"#,
            port = machine.port(),
            ca = file(&format!("{authority}.pem")),
        );
        machines.push(machine);
    }
    let rig = Rig::start(scenario, &links)?;
    rig.wait_tag("good-1", "speed", "value", &42.0.into())?;
    for (index, device, why) in [
        (1, "stranger-1", "was not issued by an authority in ca_file"),
        (2, "misnamed-1", "is for another name"),
    ] {
        rig.wait_tag(device, "speed", "reason", &"disconnected".into())?;
        let link = rig.get("status")?["links"][index].clone();
        let said = link["why"].as_str().unwrap_or_default();
        assert!(said.contains(why), "{link}");
    }
    let log = fs::read_to_string(rig.scenario.path("agent.log"))?;
    assert!(!log.contains("panicked"), "{log}");
    for (machine, asked) in machines.iter_mut().zip([true, false, false]) {
        let report = machine.report()?;
        assert_eq!(report["asked"]["/"].is_u64(), asked, "{report}");
    }
    Ok(())
}
