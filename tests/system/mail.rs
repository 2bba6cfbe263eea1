//! Mail through a server that is not ours (aiosmtpd), encrypted and not, with users and without.

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

const PASSWORD: &str = "authorisation-code-7";

/// A server of mail on a free port; with its certificate if it encrypts.
fn server(scenario: &Scenario, ours: &Authority, security: &str, more: &[&str]) -> Outcome<Script> {
    let port = free_port()?.to_string();
    let mut arguments = vec!["--port", &port, "--security", security];
    if security != "none" {
        arguments.extend(["--cert", &ours.cert, "--key", &ours.key]);
    }
    arguments.extend(more);
    Script::start(scenario, "mail_server.py", &arguments)
}

/// Sends a test mail by a server; exit status, what is printed, what is complained of.
fn test(scenario: &Scenario, port: u16, keys: &str) -> Outcome<(Option<i32>, String, String)> {
    scenario.write("password", &format!("{PASSWORD}\n"))?;
    let mail = format!(
        "[mail]\nserver = \"localhost:{port}\"\nfrom = \"安灯 <andon@plant.example>\"\n{keys}\n\
         [[mail.person]]\nname = \"李班长\"\naddress = \"li@plant.example\"\n"
    );
    scenario.write("andon.toml", &format!("{CONFIG}\n{mail}"))?;
    let output = andon(&["mail", "test", "li@plant.example"], &scenario.path(""))?;
    let said = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8(output.stderr)?;
    assert!(!complaint.contains(PASSWORD), "{complaint}");
    Ok((output.status.code(), said, complaint))
}

fn mails(server: &mut Script) -> Outcome<Vec<Value>> {
    let report = server.report()?;
    Ok(report["mails"].as_array().cloned().unwrap_or_default())
}

const USER: &str = "username = \"andon@plant.example\"\npassword_file = \"password\"\n";
const LET_IN: [&str; 4] = ["--user", "andon@plant.example", "--password", PASSWORD];

#[test]
fn a_mail_arrives_whichever_way_it_is_encrypted() -> Outcome {
    let scenario = Scenario::new("mail")?;
    let ours = Authority::new(&scenario)?;
    for (security, user) in [
        ("tls", true),
        ("starttls", true),
        ("starttls", false),
        ("none", false),
    ] {
        let more: &[&str] = if user { &LET_IN } else { &[] };
        let mut server = server(&scenario, &ours, security, more)?;
        let mut keys = format!("security = \"{security}\"\n");
        if security != "none" {
            keys += "ca_file = \"ca.pem\"\n";
        }
        if user {
            keys += USER;
        }
        let (status, said, complaint) = test(&scenario, server.port(), &keys)?;
        assert_eq!(
            (status, complaint.as_str()),
            (Some(0), ""),
            "{security}: {said}"
        );
        let mails = mails(&mut server)?;
        assert_eq!(mails.len(), 1, "{mails:?}");
        let mail = &mails[0];
        assert_eq!(mail["from"], "andon@plant.example");
        assert_eq!(mail["to"], serde_json::json!(["li@plant.example"]));
        let text = "【安灯测试】gw-press-1 消息正常，无需处理。Andon test only, nothing to do.";
        assert_eq!(mail["subject"], text);
        assert_eq!(mail["text"].as_str().map(str::trim_end), Some(text));
        assert_eq!(mail["headers"]["From"], "安灯 <andon@plant.example>");
        assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
        assert_eq!(mail["defects"], serde_json::json!([]));
        assert_eq!(mail["encrypted"], security != "none");
        assert_eq!(mail["user"], if user { "andon@plant.example" } else { "" });
    }
    Ok(())
}

#[test]
fn what_keeps_a_mail_back_is_said_in_words() -> Outcome {
    let scenario = Scenario::new("mail_wrong")?;
    let ours = Authority::new(&scenario)?;
    let fails = |port: u16, keys: &str, words: &[&str]| -> Outcome {
        let (status, _, complaint) = test(&scenario, port, keys)?;
        assert_eq!(status, Some(1), "{complaint}");
        for word in words {
            assert!(complaint.contains(word), "{word}: {complaint}");
        }
        Ok(())
    };
    let plain = "security = \"none\"\n";
    let mut open = server(&scenario, &ours, "none", &[])?;
    for (mood, words) in [
        ("greylisting", ["cannot take mail now", "Greylisted"]),
        (
            "full",
            ["cannot take mail now", "Insufficient system storage"],
        ),
        (
            "unknown",
            ["does not take mail for li@plant.example", "No such mailbox"],
        ),
        ("spam", ["does not take this mail", "Looks like spam"]),
        ("breaking", ["localhost", "closed the connection"]),
        ("vanishing", ["may have arrived", "did not say so"]),
    ] {
        open.be(mood, 1)?;
        fails(open.port(), plain, &words)?;
    }
    // The one that it had when it hung up.
    assert_eq!(mails(&mut open)?.len(), 1);
    fails(open.port(), &format!("{plain}{USER}"), &["nobody log in"])?;
    fails(
        open.port(),
        "security = \"starttls\"\nca_file = \"ca.pem\"\n",
        &["offers no STARTTLS", "465"],
    )?;
    fails(
        open.port(),
        "security = \"tls\"\nca_file = \"ca.pem\"\n",
        &["TLS"],
    )?;

    let closed = server(
        &scenario,
        &ours,
        "tls",
        &["--user", "andon@plant.example", "--password", "x"],
    )?;
    let tls = "security = \"tls\"\nca_file = \"ca.pem\"\n";
    fails(closed.port(), &format!("{tls}{USER}"), &["535", "授权码"])?;
    fails(closed.port(), tls, &["530"])?;
    fails(
        closed.port(),
        "security = \"tls\"\n",
        &["was not issued by an authority"],
    )?;
    let port = closed.port();
    drop(closed);
    fails(port, tls, &["nothing listens there"])?;
    Ok(())
}
