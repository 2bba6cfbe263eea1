//! Alarms of a press acted on from the network: with curl at the HTTP door.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::records::{Record, check_all};
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::web::{Answer, get, post_json};
use andon_tests::{Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::fs;

const FAULT: &str = "press-1/alarm/fault";

/// A press with an alarm, and an agent that can be reached from the network.
struct Plant {
    scenario: Scenario,
    presses: Presses,
    _broker: Broker,
    recorder: Recorder,
    agent: Agent,
    door: u16,
}

impl Plant {
    /// `http` and `upstream` are further keys of these sections.
    fn new(name: &str, http: &str, upstream: &str) -> Outcome<Plant> {
        let scenario = Scenario::new(name)?;
        let mut presses = Presses::start(&scenario, 1)?;
        presses.set(1, json!({ "status": status::PRODUCING }))?;
        let broker = Broker::start(&scenario)?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        let door = free_port()?;
        let text = format!(
            r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = {data:?}

[upstream]
broker = "mqtt://127.0.0.1:{broker}"
{upstream}

[http]
listen = "127.0.0.1:{door}"
{http}

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"

[[device]]
id = "press-1"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", producing = [2], faulted = ["4..99"] }}

[[alarm]]
id = "fault"
devices = ["press-1"]
when = "state == faulted"
latched = true
"#,
            data = scenario.path("data"),
            broker = broker.port(),
            presses = presses.port(),
        );
        let config = scenario.write("andon.toml", &text)?;
        let agent = Agent::run(&config, &scenario.path("agent.log"))?;
        let plant = Plant {
            scenario,
            presses,
            _broker: broker,
            recorder,
            agent,
            door,
        };
        wait_for("readiness", SOON, || {
            let ready = get(&plant.url("/readyz")).ok()?;
            (ready.status == 200).then_some(())
        })?;
        Ok(plant)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.door)
    }

    fn token(&self, file: &str) -> Outcome<String> {
        let text = fs::read_to_string(self.scenario.path(file))?;
        Ok(text.trim().to_owned())
    }

    fn post(&self, path: &str, token: &str, body: &Value) -> Outcome<Answer> {
        post_json(&self.url(path), token, body, &[])
    }

    fn fault(&mut self) -> Outcome {
        self.presses
            .set(1, json!({ "status": status::OVERPRESSURE }))?;
        self.recorder.wait_current(FAULT, "state", "unack-active")?;
        Ok(())
    }

    /// What the metrics say.
    fn metric(&self, line: &str) -> Outcome<Option<u64>> {
        let metrics = get(&self.url("/metrics"))?.body;
        let mut lines = metrics.lines();
        let value = lines.find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
        Ok(value)
    }

    /// Ends the agent; the records that arrived.
    fn end(self) -> Outcome<Vec<Record>> {
        let ended = self.agent.terminate()?;
        assert!(ended.success(), "{ended}");
        self.recorder.wait_current("status", "status", "offline")?;
        check_all(&self.recorder.records()?)
    }
}

#[test]
fn alarms_are_acted_on_over_http_with_a_token() -> Outcome {
    let mut plant = Plant::new("remote-http", "act_token_file = \"act.token\"", "")?;
    let token = plant.token("act.token")?;
    plant.fault()?;
    let ack = "/api/v1/alarms/press-1.fault/ack";
    let li = json!({ "by": "li", "occurrence": 1 });

    for (path, token, body, status) in [
        (ack, "", &li, 401),
        (ack, "0123456789abcdef", &li, 401),
        (ack, &*token, &json!({ "by": "li" }), 400),
        (ack, &*token, &json!({ "by": "li", "occurrence": 7 }), 409),
        ("/api/v1/alarms/press-1.falut/ack", &*token, &li, 404),
        ("/api/v1/alarms/press-1.fault/kill", &*token, &li, 404),
    ] {
        let answer = plant.post(path, token, body)?;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.json()?["error"].is_string(), "{answer:?}");
    }
    let foreign = ["-H", "Host: rebound.example"];
    let answer = post_json(&plant.url(ack), &token, &li, &foreign)?;
    assert_eq!(answer.status, 421, "{answer:?}");
    let turned_away = "andon_turned_away_total{via=\"http\"}";
    assert_eq!(plant.metric(turned_away)?, Some(3));
    let fault = plant.recorder.current(FAULT)?.unwrap_or_default();
    assert_eq!(fault["state"], "unack-active", "nothing of it did anything");

    let answer = plant.post("/api/v1/horn/silence", &token, &json!({ "by": "wang" }))?;
    assert_eq!(answer.json()?["silenced"], 1, "{answer:?}");
    let answer = plant.post(ack, &token, &li)?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let alarm = answer.json()?;
    assert_eq!(alarm["state"], "ack-active");
    assert_eq!(
        (&alarm["by"], &alarm["via"]),
        (&json!("li"), &json!("http"))
    );
    let again = plant.post(ack, &token, &li)?;
    assert_eq!(again.status, 409, "{again:?}");

    // The same alarm by the command line: there is one state of it.
    let config = plant.scenario.path("andon.toml").display().to_string();
    let output = andon(
        &["ack", "--config", &config, "press-1.fault"],
        &plant.scenario.path("."),
    )?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("li has done so"), "{said}");

    let call = "/api/v1/alarms/press-1.call-material";
    for (step, body) in [
        ("call", json!({ "by": "press 1" })),
        ("ack", json!({ "by": "wang", "occurrence": 1 })),
        ("solve", json!({ "by": "wang" })),
    ] {
        let answer = plant.post(&format!("{call}/{step}"), &token, &body)?;
        assert_eq!(answer.status, 200, "{step}: {answer:?}");
    }

    let records = plant.end()?;
    let mut acts: Vec<&Record> = records
        .iter()
        .filter(|record| record.text("via") == "http")
        .collect();
    acts.sort_by_key(|record| record.int("seq").ok());
    let told: Vec<(&str, &str)> = acts
        .iter()
        .map(|record| (record.text("event"), record.text("by")))
        .collect();
    assert_eq!(
        told,
        [
            ("silence", "wang"),
            ("ack", "li"),
            ("call", "press 1"),
            ("ack", "wang"),
            ("solve", "wang"),
        ]
    );
    Ok(())
}

#[test]
fn nobody_acts_from_the_network_by_default() -> Outcome {
    let mut plant = Plant::new("remote-off", "", "")?;
    plant.fault()?;
    let li = json!({ "by": "li", "occurrence": 1 });
    let answer = plant.post("/api/v1/alarms/press-1.fault/ack", "0123456789abcdef", &li)?;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("act_token_file"), "{answer:?}");
    let fault = plant.recorder.current(FAULT)?.unwrap_or_default();
    assert_eq!(fault["state"], "unack-active");
    let records = plant.end()?;
    assert!(records.iter().all(|record| record.text("via").is_empty()));
    Ok(())
}
