//! Alarms of a press are told to groups, programs and mailboxes that fail and recover, while the broker
//! cannot be reached: once where it is known what became of a message, twice at most where it is not.

use andon_tests::agent::{Agent, andon};
use andon_tests::authority::Authority;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::script::Script;
use andon_tests::{Failure, Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;

const TOKEN: &str = "693a91f6-7aoc-4bc4-97a0-0ec2sifa5aaa";
const SECRET: &str = "SECf00dfeed0123";

/// A press with an alarm, and an agent that cannot reach its broker.
struct Plant {
    scenario: Scenario,
    presses: Presses,
    ours: Authority,
    config: PathBuf,
    agent: Option<Agent>,
}

impl Plant {
    fn new(name: &str) -> Outcome<Plant> {
        let scenario = Scenario::new(name)?;
        let mut presses = Presses::start(&scenario, 1)?;
        presses.set(1, json!({ "status": status::PRODUCING }))?;
        let ours = Authority::new(&scenario)?;
        scenario.write("secret", SECRET)?;
        scenario.write("token", TOKEN)?;
        let config = scenario.path("andon.toml");
        Ok(Plant {
            scenario,
            presses,
            ours,
            config,
            agent: None,
        })
    }

    /// Writes the configuration with these sections, and starts the agent.
    fn start(&mut self, sections: &str) -> Outcome {
        let text = format!(
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
name = "一号冲压机"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], delayed = [3], faulted = ["4..99"] }}

[[alarm]]
id = "fault"
devices = ["press-1"]
when = "state == faulted"
priority = "high"
text_en = "stopped by a fault"
text_zh = "故障停机"

{sections}
"#,
            data = self.scenario.path("data"),
            broker = free_port()?,
            presses = self.presses.port(),
        );
        self.scenario.write("andon.toml", &text)?;
        self.run_agent()
    }

    fn run_agent(&mut self) -> Outcome {
        let log = self.scenario.path("agent.log");
        self.agent = Some(Agent::run(&self.config, &log)?);
        self.wait_state("producing or faulted", |alarms| alarms.is_object())
    }

    fn wait_state(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Outcome {
        wait_for(what, SOON, || {
            let output = self.run(&["alarms", "--json"]).ok()?;
            is_it(&serde_json::from_str(&output).ok()?).then_some(())
        })
    }

    fn run(&self, arguments: &[&str]) -> Outcome<String> {
        let output = andon(arguments, &self.scenario.path(""))?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => Err(Failure::new(format!("{arguments:?}: {output:?}"))),
        }
    }

    fn is_active(alarms: &Value, active: bool) -> bool {
        let listed = alarms["alarms"].as_array().into_iter().flatten();
        listed
            .filter(|alarm| alarm["id"] == "press-1.fault")
            .any(|alarm| alarm["active"] == active)
    }

    fn raise(&mut self) -> Outcome {
        self.presses
            .set(1, json!({ "status": status::OVERPRESSURE }))?;
        self.wait_state("an active alarm", |alarms| Self::is_active(alarms, true))
    }

    /// Acknowledged and gone: the next time it is raised it is news.
    fn settle(&mut self) -> Outcome {
        self.run(&["ack", "press-1.fault", "--by", "li"])?;
        self.presses
            .set(1, json!({ "status": status::PRODUCING }))?;
        self.wait_state("no alarm", |alarms| {
            alarms["alarms"].as_array().is_some_and(Vec::is_empty)
        })
    }

    /// Waits until the agent says something in its log.
    fn wait_said(&self, words: &str) -> Outcome {
        wait_for(&format!("`{words}` in the log"), SOON, || {
            let log = std::fs::read_to_string(self.scenario.path("agent.log")).ok()?;
            log.contains(words).then_some(())
        })
    }

    fn kill_and_start(&mut self) -> Outcome {
        let agent = self.agent.take();
        agent.ok_or_else(|| Failure::new("no agent"))?.kill()?;
        self.run_agent()
    }

    /// A robot or a program, and the section for it.
    fn hook(&self, kind: &str, port: u16, keys: &str) -> Outcome<(Script, String)> {
        let port_text = port.to_string();
        let options = [
            "--kind",
            kind,
            "--port",
            &port_text,
            "--token",
            TOKEN,
            "--secret",
            SECRET,
            "--cert",
            &self.ours.cert,
            "--key",
            &self.ours.key,
        ];
        let script = Script::start(&self.scenario, "hook_server.py", &options)?;
        let path = match kind {
            "wecom" => format!("cgi-bin/webhook/send?key={TOKEN}"),
            "dingtalk" => format!("robot/send?access_token={TOKEN}"),
            "feishu" => format!("open-apis/bot/v2/hook/{TOKEN}"),
            _ => "alarms".to_owned(),
        };
        let url = format!("https://localhost:{}/{path}\n", script.port());
        self.scenario.write(&format!("{kind}.url"), &url)?;
        let section = format!(
            "[[webhook]]\nname = \"{kind}\"\nkind = \"{kind}\"\nurl_file = \"{kind}.url\"\n\
             ca_file = \"ca.pem\"\nper_hour = 100\n{keys}\n"
        );
        Ok((script, section))
    }

    fn mail_server(&self, port: u16) -> Outcome<Script> {
        let port = port.to_string();
        let options = [
            "--port",
            &port,
            "--security",
            "starttls",
            "--cert",
            &self.ours.cert,
            "--key",
            &self.ours.key,
        ];
        Script::start(&self.scenario, "mail_server.py", &options)
    }

    fn mail_section(port: u16, person: &str) -> String {
        format!(
            "[mail]\nserver = \"localhost:{port}\"\nsecurity = \"starttls\"\nca_file = \"ca.pem\"\n\
             from = \"安灯 <andon@plant.example>\"\ntimeout = \"2 s\"\n\
             [[mail.person]]\nname = \"李班长\"\naddress = \"li@plant.example\"\nper_hour = 100\n{person}\n"
        )
    }
}

/// What a robot or a program has taken so far.
fn taken(script: &mut Script) -> Outcome<Vec<Value>> {
    let report = script.report()?;
    let requests = report["requests"].as_array().into_iter().flatten();
    let told = requests.filter(|request| request["told"] == true);
    Ok(told.map(|request| request["body"].clone()).collect())
}

fn mails(script: &mut Script) -> Outcome<Vec<Value>> {
    let report = script.report()?;
    Ok(report["mails"].as_array().cloned().unwrap_or_default())
}

/// Waits until `count` have come by `look`, and fails if there are more.
fn wait_count(
    script: &mut Script,
    count: usize,
    look: fn(&mut Script) -> Outcome<Vec<Value>>,
) -> Outcome<Vec<Value>> {
    let come = wait_for(&format!("message number {count}"), SOON, || {
        let come = look(script).ok()?;
        (come.len() >= count).then_some(come)
    })?;
    assert_eq!(come.len(), count, "{come:?}");
    Ok(come)
}

#[test]
fn everybody_is_told_in_their_way_while_the_broker_is_away() -> Outcome {
    let mut plant = Plant::new("told")?;
    let signed = "secret_file = \"secret\"\n";
    let chinese = "language = \"zh\"\nreturns = true\n";
    let (mut wecom, one) = plant.hook("wecom", 0, &format!("{chinese}mention = [\"all\"]"))?;
    let (mut dingtalk, two) = plant.hook("dingtalk", 0, &format!("{chinese}{signed}"))?;
    let (mut feishu, three) = plant.hook("feishu", 0, &format!("language = \"en\"\n{signed}"))?;
    let program = format!("{signed}token_file = \"token\"\nreturns = true\n");
    let (mut json, four) = plant.hook("json", 0, &program)?;
    let port = free_port()?;
    let mut mail = plant.mail_server(port)?;
    let five = Plant::mail_section(port, chinese);
    plant.start(&[one, two, three, four, five].concat())?;

    plant.raise()?;
    let told = wait_count(&mut wecom, 1, taken)?;
    let text = told[0]["text"]["content"].as_str().unwrap_or_default();
    assert!(
        text.starts_with("【安灯】紧急报警：一号冲压机 故障停机"),
        "{text}"
    );
    assert!(text.contains("确认：andon ack press-1.fault"), "{text}");
    assert_eq!(told[0]["text"]["mentioned_mobile_list"], json!(["@all"]));
    let told = wait_count(&mut dingtalk, 1, taken)?;
    assert_eq!(told[0]["text"]["content"], text);
    let told = wait_count(&mut feishu, 1, taken)?;
    let english = told[0]["content"]["text"].as_str().unwrap_or_default();
    assert!(
        english.starts_with("[Andon] HIGH alarm: press-1: stopped by a fault"),
        "{english}"
    );

    let told = &wait_count(&mut json, 1, taken)?[0];
    for (key, value) in [
        ("v", json!(1)),
        ("gateway", json!("gw-press-1")),
        ("kind", json!("raised")),
        ("id", json!("press-1.fault")),
        ("device", json!("press-1")),
        ("alarm", json!("fault")),
        ("occurrence", json!(1)),
        ("priority", json!("high")),
        ("state", json!("unack-active")),
        ("text_zh", json!("故障停机")),
        ("notice", json!("gw-press-1.press-1.fault.1.raised")),
    ] {
        assert_eq!(told[key], value, "{key}: {told}");
    }
    assert!(
        told["raised_ms"].is_i64() && told["text"].is_string(),
        "{told}"
    );
    let flat = told.as_object().into_iter().flat_map(|told| told.values());
    assert!(
        flat.into_iter()
            .all(|value| !value.is_object() && !value.is_array()),
        "{told}"
    );

    let first = wait_count(&mut mail, 1, mails)?[0].clone();
    let subject = first["subject"].as_str().unwrap_or_default();
    assert!(
        subject.starts_with("【安灯 gw-press-1】紧急报警：一号冲压机 故障停机"),
        "{subject}"
    );
    assert_eq!(first["headers"]["To"], "李班长 <li@plant.example>");
    assert_eq!(first["headers"]["Importance"], "high");
    assert_eq!(first["encrypted"], true);

    // Those who want to know are told that it is gone, as a reply to the first.
    plant.settle()?;
    let gone = wait_count(&mut mail, 2, mails)?[1].clone();
    let subject = gone["subject"].as_str().unwrap_or_default();
    assert!(subject.contains("报警已恢复"), "{subject}");
    assert_eq!(
        gone["headers"]["References"],
        first["headers"]["Message-ID"]
    );
    assert_ne!(
        gone["headers"]["Message-ID"],
        first["headers"]["Message-ID"]
    );
    assert_eq!(wait_count(&mut json, 2, taken)?[1]["kind"], "returned");
    wait_count(&mut wecom, 2, taken)?;
    wait_count(&mut feishu, 1, taken)?;
    Ok(())
}

#[test]
fn a_program_that_fails_and_recovers_is_told_once() -> Outcome {
    let mut plant = Plant::new("told_webhook")?;
    let port = free_port()?;
    let keys = "secret_file = \"secret\"\ntoken_file = \"token\"\ntimeout = \"1 s\"\n";
    let (mut json, section) = plant.hook("json", port, keys)?;
    // Another that never answers holds nobody up.
    let (mut stuck, other) = plant.hook("wecom", 0, "timeout = \"2 s\"\n")?;
    stuck.be("hanging", u32::MAX >> 2)?;
    plant.start(&format!("{section}{other}"))?;

    json.be("failing", 3)?;
    plant.raise()?;
    wait_count(&mut json, 1, taken)?;
    plant.settle()?;
    // It is down when the alarm is raised, and up again later.
    drop(json);
    plant.raise()?;
    plant.wait_said("nothing listens there")?;
    let (mut json, _) = plant.hook("json", port, keys)?;
    wait_count(&mut json, 1, taken)?;
    // Told is told, over a kill too.
    plant.kill_and_start()?;
    plant.settle()?;
    plant.raise()?;
    let told = wait_count(&mut json, 2, taken)?;
    assert_ne!(told[0]["notice"], told[1]["notice"]);
    plant.settle()?;

    // It has it and does not say so: once more, and no third time, under the same name.
    json.be("vanishing", 1)?;
    plant.raise()?;
    let told = wait_count(&mut json, 4, taken)?;
    assert_eq!(told[2]["notice"], told[3]["notice"]);
    plant.settle()?;
    json.be("vanishing", 5)?;
    plant.raise()?;
    wait_count(&mut json, 6, taken)?;
    plant.settle()?;
    json.be("well", 0)?;
    plant.raise()?;
    // Had there been a third, it would have come first.
    let told = wait_count(&mut json, 7, taken)?;
    assert_ne!(told[5]["notice"], told[6]["notice"]);
    assert_eq!(taken(&mut stuck)?, Vec::<Value>::new());
    Ok(())
}

#[test]
fn a_mail_server_that_fails_and_recovers_gets_each_mail_once() -> Outcome {
    let mut plant = Plant::new("told_mail")?;
    let port = free_port()?;
    let mut mail = plant.mail_server(port)?;
    plant.start(&Plant::mail_section(port, ""))?;

    for (number, mood, times) in [(1, "greylisting", 2), (2, "full", 2), (3, "breaking", 1)] {
        mail.be(mood, times)?;
        plant.raise()?;
        wait_count(&mut mail, number, mails)?;
        plant.settle()?;
    }
    // It has the mail and hangs up: once more, under the same name.
    mail.be("vanishing", 1)?;
    plant.raise()?;
    let come = wait_count(&mut mail, 5, mails)?;
    assert_eq!(
        come[3]["headers"]["Message-ID"],
        come[4]["headers"]["Message-ID"]
    );
    plant.settle()?;
    // A mailbox that is refused is not tried again with the same alarm; the next is told.
    mail.be("unknown", 1)?;
    plant.raise()?;
    plant.wait_said("No such mailbox here")?;
    plant.settle()?;
    plant.raise()?;
    wait_count(&mut mail, 6, mails)?;
    plant.settle()?;
    // Down, and up again.
    drop(mail);
    plant.raise()?;
    plant.wait_said("nothing listens there")?;
    let mut mail = plant.mail_server(port)?;
    wait_count(&mut mail, 1, mails)?;
    Ok(())
}
