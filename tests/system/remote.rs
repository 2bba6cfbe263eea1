//! Alarms of a press acted on from the network: with curl at the HTTP door, and with mosquitto_pub and
//! openssl by commands.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::records::{Record, check_all};
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::web::{Answer, get, post_json};
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const FAULT: &str = "press-1/alarm/fault";
const CMD: &str = "andon/v1/suzhou/press-shop/gw-press-1/cmd";
const COMMANDS: &str = "command_token_file = \"command.token\"\ncommands = ";

/// A press with an alarm, and an agent that can be reached from the network.
struct Plant {
    scenario: Scenario,
    presses: Presses,
    broker: Broker,
    recorder: Recorder,
    agent: Option<Agent>,
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
        scenario.write("andon.toml", &text)?;
        let mut plant = Plant {
            scenario,
            presses,
            broker,
            recorder,
            agent: None,
            door,
        };
        plant.start()?;
        Ok(plant)
    }

    fn start(&mut self) -> Outcome {
        let config = self.scenario.path("andon.toml");
        self.agent = Some(Agent::run(&config, &self.scenario.path("agent.log"))?);
        wait_for("readiness", SOON, || {
            let ready = get(&self.url("/readyz")).ok()?;
            (ready.status == 200).then_some(())
        })
    }

    fn stop(&mut self) -> Outcome {
        let agent = self.agent.take();
        let ended = agent.ok_or_else(|| Failure::new("no agent"))?.terminate()?;
        assert!(ended.success(), "{ended}");
        Ok(())
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
    fn end(mut self) -> Outcome<Vec<Record>> {
        self.stop()?;
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
    let li =
        json!({ "id": "press-1.fault", "by": "li", "occurrence": 1, "nonce": "a", "ts": now() });
    plant.send("ack", &li)?;
    let li = json!({ "by": "li", "occurrence": 1 });
    let answer = plant.post("/api/v1/alarms/press-1.fault/ack", "0123456789abcdef", &li)?;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("act_token_file"), "{answer:?}");
    assert_eq!(plant.state()?, "unack-active");
    let log = plant.broker.log()?;
    assert!(!log.contains("/cmd/+"), "it has subscribed: {log}");
    let records = plant.end()?;
    assert!(records.iter().all(|record| record.text("via").is_empty()));
    Ok(())
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}

/// An acknowledgement by li.
fn ack(occurrence: u64, nonce: &str, ts: i64) -> Value {
    json!({
        "id": "press-1.fault", "occurrence": occurrence, "by": "li", "nonce": nonce, "ts": ts
    })
}

fn with(mut command: Value, key: &str, value: &str) -> Value {
    command[key] = json!(value);
    command
}

/// Signed by OpenSSL, as the documentation says.
fn signed(command: &str, asked: Value, secret: &str) -> Outcome<Value> {
    let field = |key: &str| match &asked[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let lines = ["id", "occurrence", "by", "why", "for_ms", "nonce", "ts"].map(field);
    let text = format!("andon-command-1\n{CMD}/{command}\n{}", lines.join("\n"));
    let script = "printf %s \"$1\" | openssl dgst -sha256 -hmac \"$2\" -r";
    let output = Command::new("sh")
        .args(["-c", script, "sign", &text, secret])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let digits = said.split(' ').next().unwrap_or_default();
    Ok(with(asked, "token", &format!("sha256={digits}")))
}

impl Plant {
    fn send(&self, command: &str, asked: &Value) -> Outcome {
        let topic = format!("{CMD}/{command}");
        self.broker.publish(&topic, &asked.to_string(), &[])
    }

    /// The answer to the command with this nonce.
    fn answer(&self, nonce: &str) -> Outcome<Record> {
        let what = format!("the answer to {nonce}");
        self.recorder.wait_record(&what, |record| {
            record.is_event("answer") && record.text("nonce") == nonce
        })
    }

    /// Sends a command until it is taken: not before the agent has run for a while.
    fn first_answer(&self, token: &str) -> Outcome<Record> {
        let mut sent = 0;
        wait_for("the first answer", SOON, || {
            sent += 1;
            let asked = ack(7, &format!("first-{sent}"), now());
            self.send("ack", &with(asked, "token", token)).ok()?;
            let mut records = self.recorder.records().ok()?.into_iter();
            records.rfind(|it| it.is_event("answer") && it.text("nonce").starts_with("first-"))
        })
    }

    /// Waits until so many commands were turned away.
    fn wait_turned_away(&self, count: u64) -> Outcome {
        let line = "andon_turned_away_total{via=\"mqtt\"}";
        let mut last = None;
        let waited = wait_for("commands to be turned away", SOON, || {
            last = self.metric(line).ok()?;
            (last == Some(count)).then_some(())
        });
        waited.map_err(|error| Failure::new(format!("{error:?}: {last:?} and not {count}")))
    }

    fn turned_away(&self) -> Outcome<u64> {
        let count = self.metric("andon_turned_away_total{via=\"mqtt\"}")?;
        count.ok_or_else(|| Failure::new("no metric"))
    }

    fn state(&self) -> Outcome<Value> {
        let fault = self.recorder.current(FAULT)?.unwrap_or_default();
        Ok(fault.get("state").cloned().unwrap_or_default())
    }
}

#[test]
fn alarms_are_commanded_with_a_token() -> Outcome {
    let mut plant = Plant::new("remote-mqtt", "", &format!("{COMMANDS}\"token\""))?;
    let token = plant.token("command.token")?;
    plant.fault()?;
    let first = plant.first_answer(&token)?;
    assert_eq!(first.text("outcome"), "refused");
    assert_eq!(first.text("what"), "press-1.fault");
    assert!(
        first.text("why").contains("the newest is number 1"),
        "{first:?}"
    );

    let before = plant.turned_away()?;
    let with_token = |asked| with(asked, "token", &token);
    let wrong = with(ack(1, "wrong", now()), "token", "0123456789abcdef");
    let stale = with_token(ack(1, "stale", now() - 61_000));
    let early = with_token(ack(1, "early", now() + 60_000));
    let forged = signed("ack", ack(1, "forged", now()), "another secret")?;
    let none = ack(1, "none", now());
    let nothing = json!({ "token": token });
    for bad in [&wrong, &stale, &early, &forged, &none, &nothing] {
        plant.send("ack", bad)?;
    }
    plant.wait_turned_away(before + 6)?;
    assert_eq!(plant.state()?, "unack-active", "nothing of it did anything");

    let good = with_token(ack(1, "good", now()));
    plant.send("ack", &good)?;
    let answer = plant.answer("good")?;
    assert_eq!((answer.text("outcome"), answer.text("by")), ("done", "li"));
    assert_eq!(answer.int("occurrence")?, 1);
    let acked = plant.recorder.wait_current(FAULT, "state", "ack-active")?;
    assert_eq!(
        (&acked["by"], &acked["via"]),
        (&json!("li"), &json!("mqtt"))
    );
    // The same once more, as the broker or somebody else may send it.
    plant.send("ack", &good)?;
    plant.wait_turned_away(before + 7)?;

    for (command, nonce) in [("call", "call"), ("out-of-service", "oos")] {
        plant.send(command, &with_token(ack(1, nonce, now())))?;
        let answer = plant.answer(nonce)?;
        assert!(answer.text("why").starts_with("only ack"), "{answer:?}");
        assert_eq!(answer.text("command"), command);
    }

    plant
        .presses
        .set(1, json!({ "status": status::PRODUCING }))?;
    plant.recorder.wait_current(FAULT, "state", "latched-ack")?;
    let mut shelve = with(ack(1, "shelve", now()), "why", "备件已订");
    shelve["for_ms"] = json!(3_600_000);
    plant.send("shelve", &signed("shelve", shelve, &token)?)?;
    assert_eq!(plant.answer("shelve")?.text("outcome"), "done");
    plant.send("unshelve", &with_token(ack(1, "unshelve", now())))?;
    assert_eq!(plant.answer("unshelve")?.text("outcome"), "done");
    plant.send("reset", &with_token(ack(1, "reset", now())))?;
    assert_eq!(plant.answer("reset")?.text("outcome"), "done");
    plant.fault()?;
    let silence = json!({ "by": "wang", "nonce": "silence", "ts": now() });
    plant.send("silence", &signed("silence", silence, &token)?)?;
    assert_eq!(plant.answer("silence")?.int("count")?, 1);

    retained_and_repeated_over_a_restart(&mut plant, &token)?;

    let records = plant.end()?;
    let mut acts: Vec<&Record> = records
        .iter()
        .filter(|record| record.text("via") == "mqtt" && !record.is_event("answer"))
        .collect();
    acts.sort_by_key(|record| (record.int("boot").ok(), record.int("seq").ok()));
    let told: Vec<(&str, &str)> = acts
        .iter()
        .map(|record| (record.text("event"), record.text("by")))
        .collect();
    assert_eq!(
        told,
        [
            ("ack", "li"),
            ("shelve", "li"),
            ("unshelve", "li"),
            ("reset", "li"),
            ("silence", "wang"),
        ]
    );
    let unanswered = ["wrong", "stale", "early", "forged", "none", "kept", "old"];
    let answers = records.iter().filter(|record| record.is_event("answer"));
    let mut nonces = answers.map(|record| record.text("nonce"));
    assert!(nonces.all(|nonce| !unanswered.contains(&nonce)));
    Ok(())
}

/// A command that waits at the broker, and one that the run before could have carried out.
fn retained_and_repeated_over_a_restart(plant: &mut Plant, token: &str) -> Outcome {
    let old = with(ack(2, "old", now()), "token", token);
    plant.stop()?;
    let kept = with(ack(2, "kept", now()), "token", token);
    let topic = format!("{CMD}/ack");
    plant
        .broker
        .publish(&topic, &kept.to_string(), &["--retain"])?;
    plant.start()?;
    plant.wait_turned_away(1)?;
    plant.send("ack", &old)?;
    plant.wait_turned_away(2)?;
    assert_eq!(plant.state()?, "unack-active");
    let log = fs::read_to_string(plant.scenario.path("agent.log"))?;
    assert!(log.contains("cmd/ack: it is retained"), "{log}");
    Ok(())
}

#[test]
fn where_commands_must_be_signed_the_token_itself_is_not_enough() -> Outcome {
    let mut plant = Plant::new("remote-signed", "", &format!("{COMMANDS}\"signed\""))?;
    let token = plant.token("command.token")?;
    plant.fault()?;
    let mut sent = 0;
    let taken = wait_for("the first answer", SOON, || {
        sent += 1;
        let nonce = format!("signed-{sent}");
        let plain = with(ack(1, &format!("plain-{sent}"), now()), "token", &token);
        plant.send("ack", &plain).ok()?;
        let asked = signed("ack", ack(1, &nonce, now()), &token).ok()?;
        plant.send("ack", &asked).ok()?;
        let mut records = plant.recorder.records().ok()?.into_iter();
        records.find(|record| record.is_event("answer"))
    })?;
    assert!(taken.text("nonce").starts_with("signed-"), "{taken:?}");
    assert_eq!(taken.text("outcome"), "done");
    plant.recorder.wait_current(FAULT, "state", "ack-active")?;
    plant.end()?;
    Ok(())
}
