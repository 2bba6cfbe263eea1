//! Robots of group chats and programs that are told by HTTP, with TLS: Python's server, which verifies
//! signatures by itself and answers as the products do.

use andon_tests::Outcome;
use andon_tests::agent::andon;
use andon_tests::authority::Authority;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::script::Script;
use serde_json::Value;

const CONFIG: &str = r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = "data"

[upstream]
broker = "mqtt://127.0.0.1:1883"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:5020"

[[device]]
id = "press-1"
link = "plc"
tags = { status = { at = "holding:0", type = "u16" } }
"#;

const TOKEN: &str = "693a91f6-7aoc-4bc4-97a0-0ec2sifa5aaa";
const SECRET: &str = "SECf00dfeed0123";

/// The address of a robot, as it is copied from its product.
fn address(kind: &str, port: u16) -> String {
    let path = match kind {
        "wecom" => format!("cgi-bin/webhook/send?key={TOKEN}"),
        "dingtalk" => format!("robot/send?access_token={TOKEN}"),
        "feishu" => format!("open-apis/bot/v2/hook/{TOKEN}"),
        _ => "alarms".to_owned(),
    };
    format!("https://localhost:{port}/{path}")
}

/// A robot with a certificate of the authority.
fn robot(scenario: &Scenario, ours: &Authority, kind: &str, more: &[&str]) -> Outcome<Script> {
    let tls = ["--kind", kind, "--cert", &ours.cert, "--key", &ours.key];
    Script::start(scenario, "hook_server.py", &[&tls, more].concat())
}

/// Writes a configuration with one webhook, `line-a`, and sends a test message: exit status, what is
/// printed, what is complained of. Neither ever has a secret in it.
fn test(scenario: &Scenario, url: &str, keys: &str) -> Outcome<(Option<i32>, String, String)> {
    scenario.write("url", &format!("{url}\n"))?;
    scenario.write("secret", SECRET)?;
    scenario.write("token", TOKEN)?;
    let hook = format!("[[webhook]]\nname = \"line-a\"\nurl_file = \"url\"\n{keys}\n");
    scenario.write("andon.toml", &format!("{CONFIG}\n{hook}"))?;
    let output = andon(&["webhook", "test", "line-a"], &scenario.path(""))?;
    let said = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8(output.stderr)?;
    for secret in [TOKEN, SECRET, "sign="] {
        assert!(!said.contains(secret), "{said}");
        assert!(!complaint.contains(secret), "{complaint}");
    }
    Ok((output.status.code(), said, complaint))
}

fn requests(robot: &mut Script) -> Outcome<Vec<Value>> {
    let report = robot.report()?;
    Ok(report["requests"].as_array().cloned().unwrap_or_default())
}

#[test]
fn each_product_is_told_as_it_wants_to_be() -> Outcome {
    let scenario = Scenario::new("webhook")?;
    let ours = Authority::new(&scenario)?;
    let signed = "secret_file = \"secret\"\n";
    for (kind, options, keys) in [
        ("wecom", vec!["--token", TOKEN], ""),
        (
            "dingtalk",
            vec!["--token", TOKEN, "--secret", SECRET, "--keyword", "三号线"],
            "secret_file = \"secret\"\nkeyword = \"三号线\"\n",
        ),
        ("feishu", vec!["--secret", SECRET], signed),
        (
            "json",
            vec!["--token", TOKEN, "--secret", SECRET],
            "secret_file = \"secret\"\ntoken_file = \"token\"\n",
        ),
    ] {
        let mut robot = robot(&scenario, &ours, kind, &options)?;
        let keys = format!("kind = \"{kind}\"\nca_file = \"ca.pem\"\n{keys}");
        let (status, said, complaint) = test(&scenario, &address(kind, robot.port()), &keys)?;
        assert_eq!(
            (status, complaint.as_str()),
            (Some(0), ""),
            "{kind}: {said}"
        );
        assert!(said.contains("\ntaken      after "), "{said}");
        let requests = requests(&mut robot)?;
        assert_eq!(requests.len(), 1, "{kind}: {requests:?}");
        assert_eq!(requests[0]["told"], true, "{requests:?}");
        let told = requests[0]["body"].to_string();
        assert!(told.contains("【安灯测试】gw-press-1"), "{told}");
    }
    Ok(())
}

#[test]
fn what_is_set_up_wrongly_is_said_in_words() -> Outcome {
    let scenario = Scenario::new("webhook_wrong")?;
    let ours = Authority::new(&scenario)?;
    let fails = |url: &str, keys: &str, words: &[&str]| -> Outcome {
        let (status, _, complaint) = test(&scenario, url, keys)?;
        assert_eq!(status, Some(1), "{complaint}");
        for word in words {
            assert!(complaint.contains(word), "{word}: {complaint}");
        }
        Ok(())
    };
    let keys = |kind: &str| format!("kind = \"{kind}\"\nca_file = \"ca.pem\"\n");

    let wecom = robot(&scenario, &ours, "wecom", &["--token", "another"])?;
    let url = address("wecom", wecom.port());
    fails(
        &url,
        &keys("wecom"),
        &["93000", "no such robot", "`url_file`"],
    )?;
    // It is not vouched for, and called by another name.
    let openly = "kind = \"wecom\"\n";
    fails(
        &url,
        openly,
        &[
            "was not issued by an authority in the list of the system",
            "`ca_file`",
        ],
    )?;
    let misnamed = url.replace("localhost", "127.0.0.1");
    fails(&misnamed, &keys("wecom"), &["is for another name"])?;

    let options = [
        "--token",
        TOKEN,
        "--secret",
        "SECother",
        "--keyword",
        "三号线",
    ];
    let mut dingtalk = robot(&scenario, &ours, "dingtalk", &options)?;
    let url = address("dingtalk", dingtalk.port());
    let signed = keys("dingtalk") + "secret_file = \"secret\"\n";
    fails(&url, &signed, &["310000", "`secret_file`", "clock"])?;
    dingtalk.be("busy", 1)?;
    fails(&url, &signed, &["130101", "takes no more for now"])?;
    dingtalk.be("page", 1)?;
    fails(
        &url,
        &signed,
        &["what answers is not DingTalk", "Please log in"],
    )?;
    dingtalk.be("failing", 1)?;
    fails(&url, &signed, &["500"])?;
    dingtalk.be("vanishing", 1)?;
    fails(&url, &signed, &["may have arrived", "without an answer"])?;
    dingtalk.be("hanging", 1)?;
    let hasty = format!("{signed}timeout = \"1 s\"\n");
    fails(
        &url,
        &hasty,
        &["may have arrived", "not answered within 1 s"],
    )?;

    let options = ["--keyword", "三号线"];
    let feishu = robot(&scenario, &ours, "feishu", &options)?;
    let url = address("feishu", feishu.port());
    fails(&url, &keys("feishu"), &["19024", "`keyword`"])?;

    let json = robot(&scenario, &ours, "json", &["--token", TOKEN])?;
    let url = address("json", json.port());
    fails(&url, &keys("json"), &["401", "`token_file`"])?;

    let nobody = address("json", free_port()?);
    fails(&nobody, &keys("json"), &["nothing listens there"])?;
    fails("key=abc", &keys("json"), &["url_file", "https://"])?;

    let output = andon(&["webhook", "test", "line-b"], &scenario.path(""))?;
    let complaint = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint.contains("did you mean `line-a`?"), "{complaint}");
    Ok(())
}

#[test]
fn a_clock_that_is_wrong_keeps_nobody_from_being_told() -> Outcome {
    let scenario = Scenario::new("webhook_clock")?;
    let ours = Authority::new(&scenario)?;
    for kind in ["dingtalk", "feishu"] {
        // There it is three days later.
        let options = ["--token", TOKEN, "--secret", SECRET, "--clock", "259200"];
        let mut robot = robot(&scenario, &ours, kind, &options)?;
        let keys = format!("kind = \"{kind}\"\nca_file = \"ca.pem\"\nsecret_file = \"secret\"\n");
        let (status, said, complaint) = test(&scenario, &address(kind, robot.port()), &keys)?;
        assert_eq!(status, Some(0), "{complaint} {said}");
        let told: Vec<bool> = requests(&mut robot)?
            .iter()
            .filter_map(|request| request["told"].as_bool())
            .collect();
        assert_eq!(told, [false, true], "{kind}");
    }
    Ok(())
}
