//! The gateway's own troubles: the broker away, the disk full, the machines behind one link gone. Each
//! is one alarm, seen and acknowledged on the gateway while it lasts.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::scenario::Scenario;
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PRESSES: u8 = 8;

/// A small file system of its own, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(path: PathBuf) -> Outcome<Disk> {
        fs::create_dir_all(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
            .arg(&path)
            .status()?;
        assert!(
            mounted.success(),
            "this test mounts a tmpfs and therefore runs as root with CAP_SYS_ADMIN"
        );
        Ok(Disk(path))
    }

    /// Takes up all that is free.
    fn fill(&self) -> Outcome {
        let mut filler = fs::File::create(self.0.join("filler"))?;
        let all = std::io::copy(&mut std::io::repeat(1), &mut filler);
        assert!(all.is_err(), "it never gets full");
        Ok(())
    }

    fn make_room(&self) -> Outcome {
        Ok(fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

struct Gateway {
    scenario: Scenario,
    config: PathBuf,
}

impl Gateway {
    fn run(&self, command: &str, arguments: &[&str]) -> Outcome<Output> {
        let config = self.config.display().to_string();
        let all = [&[command, "--config", &config], arguments].concat();
        andon(&all, self.scenario.path("").as_path())
    }

    /// What is printed by a command that must end with `code`.
    fn ends_with(&self, code: i32, command: &str, arguments: &[&str]) -> Outcome<String> {
        let output = self.run(command, arguments)?;
        assert_eq!(output.status.code(), Some(code), "{command}: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn done(&self, command: &str, arguments: &[&str]) -> Outcome<String> {
        self.ends_with(0, command, arguments)
    }

    fn alarms(&self) -> Outcome<Value> {
        Ok(serde_json::from_str(&self.done("alarms", &["--json"])?)?)
    }

    /// How an alarm stands by the command line; `normal` if it is not in the list.
    fn state(&self, id: &str) -> Outcome<String> {
        let all = self.alarms()?;
        let mut alarms = all["alarms"].as_array().into_iter().flatten();
        let found = alarms.find(|alarm| alarm["id"] == id);
        let state = found.and_then(|alarm| alarm["state"].as_str());
        Ok(state.unwrap_or("normal").to_owned())
    }

    fn wait_state(&self, id: &str, wanted: &str) -> Outcome {
        wait_for(&format!("{id} to be {wanted}"), SOON, || {
            (self.state(id).ok()? == wanted).then_some(())
        })
    }

    fn ack(&self, id: &str) -> Outcome {
        self.done("ack", &[id, "--by", "li"]).map(drop)
    }
}

fn config(data: &Path, presses: &Presses, broker: &Broker) -> String {
    let mut text = format!(
        r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = {data:?}
disk_budget = "12 MiB"

[upstream]
broker = "mqtt://127.0.0.1:{broker}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"

[[alarm]]
id = "*"
devices = ["gateway"]
on_delay = "1 s"
off_delay = "1 s"

[[alarm]]
id = "no-data"
devices = ["*"]
when = "no_data"
on_delay = "1 s"
"#,
        broker = broker.port(),
        presses = presses.port(),
    );
    for unit in 1..=PRESSES {
        text.push_str(&format!(
            r#"
[[device]]
id = "press-{unit}"
link = "plc"
unit = {unit}
every = "500 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], faulted = ["4..99"] }}
"#
        ));
    }
    text
}

#[test]
fn the_gateway_has_alarms_of_its_own() -> Outcome {
    let scenario = Scenario::new("own")?;
    let mut presses = Presses::start(&scenario, PRESSES)?;
    for unit in 1..=PRESSES {
        presses.set(unit, json!({ "status": status::PRODUCING }))?;
    }
    let mut broker = Broker::start(&scenario)?;
    let recorder = Recorder::start(&scenario, broker.port())?;
    let disk = Disk::new(scenario.path("disk"))?;
    let text = config(&disk.0.join("data"), &presses, &broker);
    let config = scenario.write("andon.toml", &text)?;
    let log = scenario.path("agent.log");
    let mut agent = Agent::run(&config, &log)?;
    let gateway = Gateway { scenario, config };
    recorder.wait_current("press-8/state", "state", "producing")?;
    recorder.wait_current("status", "status", "online")?;
    let tested = gateway.done("selftest", &[])?;
    assert!(
        tested.contains("link plc") && tested.contains("自检通过"),
        "{tested}"
    );

    called_and_solved(&gateway, &recorder)?;

    broker.stop()?;
    gateway.wait_state("gateway.broker-unreachable", "unack-active")?;
    gateway.ack("gateway.broker-unreachable")?;

    disk.fill()?;
    gateway.wait_state("gateway.disk-full", "unack-active")?;
    let tested = gateway.ends_with(1, "selftest", &[])?;
    assert!(
        tested.contains("disk") && tested.contains("FAILED 异常"),
        "{tested}"
    );

    // The machines go while the broker is away and the disk takes nothing.
    drop(presses);
    gateway.wait_state("gateway.link-plc", "unack-active")?;
    gateway.wait_state("press-1.no-data", "suppressed")?;
    let all = gateway.alarms()?;
    let loud = |alarm: &&Value| alarm["state"] == "unack-active";
    let mut loud: Vec<&str> = all["alarms"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(loud)
        .filter_map(|alarm| alarm["id"].as_str())
        .collect();
    loud.sort_unstable();
    assert_eq!(
        loud,
        ["gateway.disk-full", "gateway.link-plc"],
        "one for the link, none for each of its devices"
    );
    agent.must_run()?;

    disk.make_room()?;
    gateway.wait_state("gateway.disk-full", "rtn-unack")?;
    gateway.ack("gateway.disk-full")?;
    gateway.ack("gateway.link-plc")?;
    let told = gateway.done("alarms", &["--hygiene"])?;
    assert!(told.contains("gateway.link-plc  1 time"), "{told}");

    broker.start_again()?;
    gateway.wait_state("gateway.broker-unreachable", "normal")?;
    recorder.wait_current("gateway/alarm/link-plc", "state", "ack-active")?;
    for id in ["broker-unreachable", "disk-full", "link-plc"] {
        recorder.wait_record(&format!("gateway.{id} in the journal"), |record| {
            record.is_event("alarm")
                && record.text("what") == format!("gateway.{id}")
                && record.text("to") == "unack-active"
        })?;
    }
    let ended = agent.terminate()?;
    if !ended.success() {
        return Err(Failure::new(format!("the agent ended with {ended}")));
    }
    Ok(())
}

/// An operator calls for material, somebody comes and brings it.
fn called_and_solved(gateway: &Gateway, recorder: &Recorder) -> Outcome {
    let called = gateway.done("call", &["press-3", "material", "--by", "wang"])?;
    assert!(called.contains("called, nobody has arrived"), "{called}");
    recorder.wait_current("press-3/alarm/call-material", "state", "unack-active")?;
    let again = gateway.run("call", &["press-3", "material"])?;
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    gateway.done("arrived", &["press-3.call-material", "--by", "li"])?;
    let solved = gateway.done("solved", &["press-3.call-material", "--by", "li"])?;
    assert!(solved.contains("solved"), "{solved}");
    recorder.wait_record("the call to be solved, and how long that took", |record| {
        record.is_event("solve")
            && record.text("what") == "press-3.call-material"
            && record.int("took_ms").is_ok_and(|took| took < 60_000)
    })?;
    let wrong = gateway.run("call", &["press-9", "material"])?;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    Ok(())
}
