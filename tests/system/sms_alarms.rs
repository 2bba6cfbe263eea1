//! An alarm reaches a telephone, and is acknowledged from there, with no broker to be seen; and a modem
//! that does everything wrong that modems do.
//!
//! Nothing here depends on how fast anything is: waits are for events, and each quirk is on before
//! what it is to spoil begins.

use andon_tests::agent::{Agent, andon};
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::modem::{Modem, Sent};
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::scenario::Scenario;
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;

const TECHNICIAN: &str = "+8613800000001";
const LEAD: &str = "+8613800000002";

/// A press whose faults are told by text message; the broker is away.
struct Plant {
    scenario: Scenario,
    presses: Presses,
    modem: Modem,
    broker: Broker,
    recorder: Recorder,
    config: PathBuf,
    agent: Option<Agent>,
}

impl Plant {
    /// `people` and `keys` are more of the configuration.
    fn new(name: &str, keys: &str, people: &str, quirks: &Value) -> Outcome<Plant> {
        let scenario = Scenario::new(name)?;
        let mut presses = Presses::start(&scenario, 1)?;
        presses.set(1, json!({ "status": status::PRODUCING }))?;
        let link = scenario.path("modem-port").display().to_string();
        let mut modem = Modem::new(&scenario, &["--link", &link])?;
        modem.order(&json!({ "do": quirks }))?;
        let mut broker = Broker::start(&scenario)?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        broker.stop()?;
        let text = config(&scenario, presses.port(), broker.port(), modem.port());
        let text = format!("{text}{keys}\n{people}\n");
        let config = scenario.write("andon.toml", &text)?;
        let mut plant = Plant {
            scenario,
            presses,
            modem,
            broker,
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
        wait_for("the press to be read", SOON, || {
            let status = self.status().ok()?;
            (status["devices"][0]["state"] == "producing"
                || status["devices"][0]["state"] == "faulted")
                .then_some(())
        })
    }

    fn kill(&mut self) -> Outcome {
        let agent = self.agent.take();
        agent.ok_or_else(|| Failure::new("no agent"))?.kill()
    }

    fn json(&self, command: &str) -> Outcome<Value> {
        let config = self.config.display().to_string();
        let arguments = [command, "--config", &config, "--json"];
        let output = andon(&arguments, &self.scenario.path(""))?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn status(&self) -> Outcome<Value> {
        self.json("status")
    }

    /// The alarm `fault` as the list shows it; null while it is normal.
    fn fault(&self) -> Outcome<Value> {
        Ok(self.json("alarms")?["alarms"][0].clone())
    }

    fn fail(&mut self) -> Outcome {
        self.presses.set(1, json!({ "status": 7 }))
    }

    fn produce(&mut self) -> Outcome {
        self.presses.set(1, json!({ "status": status::PRODUCING }))
    }

    fn wait_sent(&self, count: usize) -> Outcome<Vec<Sent>> {
        wait_for(&format!("{count} messages"), SOON, || {
            let sent = self.modem.sent().ok()?;
            (sent.len() >= count).then_some(sent)
        })
    }

    fn wait_acknowledged(&self, by: &str) -> Outcome {
        wait_for(&format!("the acknowledgement by {by}"), SOON, || {
            let fault = self.fault().ok()?;
            let acknowledged = fault["state"] == "ack-active" && fault["by"] == by;
            (acknowledged && fault["via"] == "sms").then_some(())
        })
    }

    /// Waits until the modem was told something.
    fn wait_told(&self, what: &str) -> Outcome {
        wait_for(what, SOON, || {
            let told = self.modem.told().ok()?;
            told.iter().any(|told| !told[what].is_null()).then_some(())
        })
    }
}

/// Everything that takes minutes in a plant takes a second.
fn config(scenario: &Scenario, presses: u16, broker: u16, modem: &str) -> String {
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
name = "一号冲压机"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], delayed = [3], faulted = ["4..99"] }}
codes = {{ 7 = {{ en = "light curtain tripped", zh = "光幕动作" }} }}

[[alarm]]
id = "fault"
devices = ["press-1"]
when = "state == faulted"
priority = "high"
text_en = "{{device}} stopped by a fault"
text_zh = "{{name}} 故障停机"

[sms]
modem = {modem:?}
pause = "10 ms"
poll = "1 s"
send_timeout = "2 s"
retry = "1 s"
"#,
        data = scenario.path("data"),
    )
}

fn person(name: &str, number: &str, more: &str) -> String {
    format!("[[sms.person]]\nname = {name:?}\nnumber = {number:?}\n{more}\n")
}

#[test]
fn a_fault_reaches_a_telephone_and_is_acknowledged_from_there() -> Outcome {
    let people = person("李工", TECHNICIAN, "");
    let mut plant = Plant::new("sms_fault", "", &people, &json!({}))?;
    plant.fail()?;
    let sent = plant.wait_sent(1)?;
    assert_eq!(sent[0].to, TECHNICIAN);
    let text = &sent[0].text;
    assert!(
        text.starts_with("【安灯】紧急报警：一号冲压机 故障停机，光幕动作，"),
        "{text}"
    );
    let code = sent[0].code()?.to_owned();

    // Nobody knows this number, and this code is not his.
    plant
        .modem
        .deliver("+8613900000000", &format!("确认{code}"))?;
    let wrong = if code == "1000" { "1001" } else { "1000" };
    plant.modem.deliver(TECHNICIAN, &format!("确认{wrong}"))?;
    let sent = plant.wait_sent(2)?;
    assert_eq!(
        sent[1].text,
        "【安灯】代码有误，请回复“确认”加短信中的4位代码。"
    );
    assert_eq!(plant.fault()?["state"], "unack-active");

    plant.modem.deliver("13800000001", &format!("ok {code}"))?;
    plant.wait_acknowledged("李工")?;
    let sent = plant.wait_sent(3)?;
    assert_eq!(
        sent[2].text,
        "【安灯】一号冲压机 故障停机：已记录您的确认。"
    );

    // Both are known after a kill: who has acknowledged, and who was told.
    plant.kill()?;
    plant.start()?;
    plant.wait_acknowledged("李工")?;
    plant.produce()?;
    wait_for("the end of the fault", SOON, || {
        plant.fault().ok()?.is_null().then_some(())
    })?;
    assert_eq!(plant.modem.sent()?.len(), 3);

    // What happened meanwhile is in the journal when the broker is back.
    plant.broker.start_again()?;
    let acknowledged = plant
        .recorder
        .wait_record("the acknowledgement", |record| {
            record.is_event("ack") && record.text("via") == "sms"
        })?;
    assert_eq!(acknowledged.text("by"), "李工");
    let told = plant.recorder.wait_record("that he was told", |record| {
        record.is_event("notice") && record.text("kind") == "raised"
    })?;
    assert_eq!(told.text("to"), "李工");
    assert_eq!(told.text("outcome"), "sent");
    assert_eq!(told.text("what"), "press-1.fault");
    Ok(())
}

#[test]
fn who_does_not_answer_is_reminded_and_another_is_called() -> Outcome {
    let people = [
        person("Duty technician", TECHNICIAN, "returns = true"),
        person("Shift lead", LEAD, "after = \"3 s\""),
    ];
    let people = people.concat();
    let mut plant = Plant::new("sms_escalation", "repeat = \"2 s\"", &people, &json!({}))?;
    plant.fail()?;
    let sent = plant.wait_sent(3)?;
    let (first, again) = (&sent[0], &sent[1]);
    assert_eq!((&*first.to, &*again.to), (TECHNICIAN, TECHNICIAN));
    assert!(again.text.contains("仍无人确认"), "{}", again.text);
    assert_eq!(first.code()?, again.code()?);
    let called = &sent[2];
    assert_eq!(called.to, LEAD);
    // Not even a minute has passed, so that none is named.
    assert!(called.text.contains("紧急报警无人确认"), "{}", called.text);
    // A word is enough where one alarm waits.
    plant.modem.deliver(LEAD, "收到")?;
    plant.wait_acknowledged("Shift lead")?;
    plant.produce()?;
    let returned = wait_for("word that it is gone", SOON, || {
        let sent = plant.modem.sent().ok()?;
        sent.into_iter().find(|sent| sent.text.contains("已恢复"))
    })?;
    assert_eq!(returned.to, TECHNICIAN);
    Ok(())
}

/// One fault with one quirk: the technician is told of it exactly `times`.
fn one_fault(name: &str, quirks: &Value, times: usize) -> Outcome<Plant> {
    let people = person("Duty technician", TECHNICIAN, "");
    let mut plant = Plant::new(name, "repeat = \"0 s\"", &people, quirks)?;
    plant.fail()?;
    plant.wait_sent(times)?;
    settled(&plant, times)?;
    Ok(plant)
}

/// The queue goes on: what comes afterwards is sent, and nothing of what was before again.
fn settled(plant: &Plant, times: usize) -> Outcome {
    // A test message by the agent goes the same way after everything that waits.
    let config = plant.config.display().to_string();
    let test = ["sms", "test", LEAD, "--wait", "1 s", "--config", &config];
    wait_for("a test message", SOON, || {
        let output = andon(&test, &plant.scenario.path("")).ok()?;
        output.status.success().then_some(())
    })?;
    let sent = plant.modem.sent()?;
    let of_fault = sent.iter().filter(|sent| sent.to == TECHNICIAN);
    let texts: Vec<&str> = of_fault.map(|sent| &*sent.text).collect();
    assert_eq!(texts.len(), times, "{texts:?}");
    let told = plant.modem.told()?;
    assert!(told.iter().all(|told| told["said_too_early"].is_null()));
    assert!(told.iter().all(|told| told["wrong_length"].is_null()));
    Ok(())
}

#[test]
fn a_late_prompt_echo_and_codes_in_between_change_nothing() -> Outcome {
    let quirks = json!({ "late_prompt": 0.7, "echo": true });
    one_fault("sms_late_prompt", &quirks, 1)?;
    Ok(())
}

#[test]
fn a_network_that_is_busy_gets_the_message_later() -> Outcome {
    let plant = one_fault("sms_busy", &json!({ "refuse": [38, 500, 42] }), 1)?;
    let told = plant.modem.told()?;
    let refused: Vec<&Value> = told
        .iter()
        .filter(|told| !told["refused"].is_null())
        .collect();
    assert_eq!(refused.len(), 3, "{refused:?}");
    Ok(())
}

#[test]
fn a_full_memory_is_emptied_and_the_message_goes_out() -> Outcome {
    let quirks = json!({ "refuse": [322], "full": 2, "unannounced": true });
    let mut plant = one_fault("sms_full", &quirks, 1)?;
    plant.wait_told("deleted")?;
    // What is not announced is found, and what was read makes room.
    let code = plant.wait_sent(1)?[0].code()?.to_owned();
    for _ in 0..4 {
        plant.modem.deliver("+8610086", "本月流量已用80%")?;
        wait_for("room in the memory", SOON, || {
            let received = plant.status().ok()?["modem"]["received"].as_u64()?;
            (received > 0).then_some(())
        })?;
    }
    // The memory may be full at the moment at which it comes: people send again, too.
    wait_for("the acknowledgement", SOON, || {
        let _ = plant.modem.deliver(TECHNICIAN, &format!("确认{code}"));
        (plant.fault().ok()?["state"] == "ack-active").then_some(())
    })
}

#[test]
fn a_message_that_is_announced_without_its_place_is_found() -> Outcome {
    let mut plant = one_fault("sms_no_index", &json!({ "mute_index": true }), 1)?;
    let code = plant.wait_sent(1)?[0].code()?.to_owned();
    plant.modem.deliver(TECHNICIAN, &format!("ACK{code}"))?;
    plant.wait_acknowledged("Duty technician")
}

#[test]
fn a_message_that_is_shown_at_once_is_taken() -> Outcome {
    let mut plant = one_fault("sms_direct", &json!({ "direct": true }), 1)?;
    let code = plant.wait_sent(1)?[0].code()?.to_owned();
    plant.modem.deliver(TECHNICIAN, &format!("确认{code}"))?;
    plant.wait_acknowledged("Duty technician")
}

#[test]
fn a_message_that_nobody_confirms_is_sent_twice_and_not_a_third_time() -> Outcome {
    let plant = one_fault("sms_swallowed", &json!({ "swallow": 2 }), 2)?;
    let sent = plant.modem.sent()?;
    assert_eq!(sent[0].text, sent[1].text);
    Ok(())
}

#[test]
fn a_modem_that_does_not_ask_for_the_text_is_freed_and_the_message_sent_once() -> Outcome {
    let plant = one_fault("sms_no_prompt", &json!({ "no_prompt": 1 }), 1)?;
    plant.wait_told("no_prompt")
}

#[test]
fn a_modem_that_says_nothing_any_more_is_started_anew() -> Outcome {
    let people = person("Duty technician", TECHNICIAN, "");
    let mut plant = Plant::new("sms_dead", "repeat = \"0 s\"", &people, &json!({}))?;
    wait_for("the modem", SOON, || {
        (plant.status().ok()?["modem"]["state"] == "ready").then_some(())
    })?;
    plant.modem.order(&json!({ "do": { "dead": true } }))?;
    plant.fail()?;
    plant.wait_told("started_anew")?;
    plant.wait_sent(1)?;
    settled(&plant, 1)
}

#[test]
fn a_modem_that_is_unplugged_in_a_message_goes_on_when_it_is_back() -> Outcome {
    let people = person("Duty technician", TECHNICIAN, "");
    let quirks = json!({ "unplug_in_text": true });
    let mut plant = Plant::new(
        "sms_unplugged",
        "repeat = \"0 s\"\noptional = true",
        &people,
        &quirks,
    )?;
    plant.fail()?;
    plant.wait_sent(1)?;
    wait_for("word of the missing modem", SOON, || {
        let status = plant.status().ok()?;
        let why = status["modem"]["why"].as_str()?.to_owned();
        why.contains("is not there").then_some(())
    })?;
    plant.modem.order(&json!({ "plug": true }))?;
    // Nobody knows whether the first one arrived.
    plant.wait_sent(2)?;
    settled(&plant, 2)
}

#[test]
fn a_message_that_the_network_cannot_deliver_was_told_to_nobody() -> Outcome {
    let people = person("Duty technician", TECHNICIAN, "");
    let quirks = json!({ "status": 70 });
    let mut plant = Plant::new("sms_undelivered", "repeat = \"0 s\"", &people, &quirks)?;
    plant.fail()?;
    plant.wait_sent(1)?;
    plant.broker.start_again()?;
    for outcome in ["sent", "refused", "untold"] {
        let what = format!("that it was {outcome}");
        plant.recorder.wait_record(&what, |record| {
            record.is_event("notice") && record.text("outcome") == outcome
        })?;
    }
    Ok(())
}

#[test]
fn a_kill_with_a_message_in_hand_sends_it_at_most_twice() -> Outcome {
    let people = person("Duty technician", TECHNICIAN, "");
    // The network takes it and says nothing: it is in hand for as long as that.
    let keys = "repeat = \"0 s\"";
    let mut plant = Plant::new("sms_killed", keys, &people, &json!({ "swallow": 1 }))?;
    plant.fail()?;
    plant.wait_sent(1)?;
    plant.kill()?;
    plant.start()?;
    plant.wait_sent(2)?;
    settled(&plant, 2)
}
