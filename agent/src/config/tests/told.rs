//! `[[webhook]]` and `[mail]`: what they come to, how mistakes in them are told, and that every key of
//! them is documented.

use super::documented::{keys_of, table};
use super::mistakes::one_mistake;
use super::*;
use crate::settings::{Address, Mail, Mention, Place, Product, Security, Webhook};
use andon_core::plant::{Channel, Language, Recipient};
use std::collections::BTreeSet;

const WECOM: &str = "
[[webhook]]
name = \"Line A\"
kind = \"wecom\"
url_file = \"wecom.url\"
mention = [\"13800000001\", \"all\"]
lines = [\"A\"]
quiet = \"22:00-06:00\"
";

const MAIL: &str = "
[mail]
server = \"smtp.plant.example\"
username = \"andon@plant.example\"
password_file = \"mail.password\"
from = \"安灯 <andon@plant.example>\"
[[mail.person]]
name = \"Shift lead\"
address = \"lead@plant.example\"
after = \"15 min\"
language = \"en\"
";

fn parsed(sections: &str) -> Settings {
    let text = format!("{PRESS_LINE}{sections}");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings
}

fn told_by(settings: &Settings, channel: Channel) -> Vec<Recipient> {
    let all = settings.plant.roster.recipients.iter();
    all.filter(|one| one.channel == channel).cloned().collect()
}

#[test]
fn a_webhook_is_what_it_says() {
    let json = "
[[webhook]]
name = \"MES\"
kind = \"json\"
url = \"https://mes.plant.example:8443/andon?line=a\"
token_file = \"mes.token\"
timeout = \"5 s\"
ca_file = \"/etc/plant-ca.pem\"
";
    let settings = parsed(&format!("{WECOM}{json}"));
    let [wecom, mes] = settings.webhooks.as_slice() else {
        panic!("two webhooks");
    };
    let expected = Webhook {
        name: "Line A".into(),
        product: Product::Wecom,
        place: Place::File("/etc/andon/wecom.url".into()),
        secret_file: None,
        token_file: None,
        keyword: None,
        mention: vec![Mention::One("13800000001".into()), Mention::Everybody],
        timeout: Duration::from_secs(15),
        tls: Default::default(),
    };
    assert_eq!(*wecom, expected);
    let address = Address {
        tls: true,
        host: "mes.plant.example".into(),
        port: 8443,
        path: "/andon?line=a".into(),
    };
    assert!(mes.place == Place::Open(address), "{:?}", mes.place);
    assert_eq!(mes.timeout, Duration::from_secs(5));
    assert_eq!(
        mes.tls.ca_file.as_deref(),
        Some("/etc/plant-ca.pem".as_ref())
    );
    assert_eq!(
        mes.token_file.as_deref(),
        Some("/etc/andon/mes.token".as_ref())
    );

    let line_a = &told_by(&settings, Channel::Webhook(0))[0];
    assert_eq!(&*line_a.name, "Line A");
    assert_eq!(line_a.language, Language::Chinese, "that of the gateway");
    assert_eq!(line_a.quiet, Some((22 * 60, 6 * 60)));
    assert_eq!(line_a.devices.as_ref().map(Vec::len), Some(1), "press-1");
    assert_eq!(&*told_by(&settings, Channel::Webhook(1))[0].name, "MES");
}

#[test]
fn mail_is_what_it_says() {
    let settings = parsed(MAIL);
    let Some(mail) = &settings.mail else {
        panic!("there is mail");
    };
    let Mail {
        server,
        security,
        from,
        ..
    } = mail;
    assert_eq!(
        (server.host.as_str(), server.port),
        ("smtp.plant.example", 465)
    );
    assert_eq!(*security, Security::Tls);
    assert!(server.tls.is_some());
    assert_eq!(from.name.as_deref(), Some("安灯"));
    assert_eq!(&*from.address, "andon@plant.example");
    let lead = &told_by(&settings, Channel::Mail)[0];
    assert_eq!(
        (&*lead.name, &*lead.address),
        ("Shift lead", "lead@plant.example")
    );
    assert_eq!((lead.after_ms, lead.language), (900_000, Language::English));
    for (security, port) in [("starttls", 587), ("tls", 465)] {
        let text = MAIL.replace("from =", &format!("security = \"{security}\"\nfrom ="));
        let mail = parsed(&text).mail;
        assert_eq!(mail.map(|mail| mail.server.port), Some(port));
    }
}

#[test]
fn mistakes_in_them_are_told() {
    let changed = |section: &str, from: &str, to: &str| {
        assert!(section.contains(from), "{from}");
        section.replacen(from, to, 1)
    };
    let webhook = |from, to| changed(WECOM, from, to);
    let mail = |from, to| changed(MAIL, from, to);
    for (text, what, hint) in [
        (
            webhook(
                "url_file = \"wecom.url\"",
                "url = ¶\"https://qyapi.weixin.qq.com/?key=1\"",
            ),
            "the address of a robot is a secret",
            "`url_file = \"FILE\"`",
        ),
        (
            changed(&webhook("[[w", "¶[[w"), "url_file = \"wecom.url\"\n", ""),
            "does not say where to post to",
            "copy the address of the robot",
        ),
        (
            webhook("kind = \"wecom\"", "kind = ¶\"wechat\""),
            "`kind` cannot be \"wechat\"",
            "wecom",
        ),
        (
            webhook("mention =", "secret_file = ¶\"x\"\nmention ="),
            "signs nothing",
            "leave `secret_file` out",
        ),
        (
            webhook("mention =", "keyword = ¶\"x\"\nmention ="),
            "only robots of DingTalk and Feishu",
            "leave `keyword` out",
        ),
        (
            webhook("mention =", "¶secret = \"x\"\nmention ="),
            "secrets are never in this file",
            "`secret_file = \"FILE\"`",
        ),
        (
            webhook("\"13800000001\"", "¶\"Li\""),
            "`Li` is not a mobile number",
            "13800000001",
        ),
        (
            webhook("[\"A\"]", "[¶\"AA\"]"),
            "no device stands in line `AA`",
            "did you mean `A`?",
        ),
        (
            webhook("\nquiet", "\n¶key = \"abc\"\nquiet"),
            "knows no key `key`",
            "known here",
        ),
        (
            format!("{WECOM}{}", webhook("\"Line A\"", "¶\"Line A\"")),
            "there are two webhooks `Line A`",
            "a name of its own",
        ),
        (
            mail("from =", "security = ¶\"none\"\nfrom ="),
            "everybody on the way to smtp.plant.example can read the mails",
            "allow_unencrypted",
        ),
        (
            mail("\"安灯 <andon@plant.example>\"", "¶\"安灯\""),
            "is not a mailbox",
            "andon@example.com",
        ),
        (
            changed(
                &mail("username = ", "username = ¶"),
                "password_file = \"mail.password\"\n",
                "",
            ),
            "a user name without a password",
            "password_file",
        ),
        (
            mail("\"lead@plant.example\"", "¶\"Lead <lead@plant.example>\""),
            "the name of a person stands in `name`",
            "write \"lead@plant.example\"",
        ),
        (
            mail(
                "server = \"smtp.plant.example\"",
                "server = ¶\"smtp plant\"",
            ),
            "is not a host name",
            "smtp.example.com:465",
        ),
    ] {
        let text = format!("{PRESS_LINE}{text}");
        one_mistake(&text, None, what, hint).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn the_address_of_a_robot_is_never_shown() {
    let url = "url = \"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6\"";
    let text = format!(
        "{PRESS_LINE}{}",
        WECOM.replace("url_file = \"wecom.url\"", url)
    );
    let report = load_text(&text).expect_err("a secret in the file");
    assert!(!report.to_string().contains("693a91f6"), "{report}");
}

#[test]
fn what_everybody_can_read_is_warned_of() {
    let open = MAIL.replace(
        "from =",
        "security = \"none\"\nallow_unencrypted = true\nfrom =",
    );
    let json = "
[[webhook]]
name = \"MES\"
kind = \"json\"
url = \"http://mes.plant.example/andon\"
token_file = \"mes.token\"
";
    let text = format!("{PRESS_LINE}{open}{json}");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    let warnings = loaded.warnings.to_string();
    for what in ["can read the mails", "can read this token"] {
        assert!(warnings.contains(what), "{warnings}");
    }
    // On this machine nobody else reads along.
    let here = text
        .replace("smtp.plant.example", "127.0.0.1")
        .replace("allow_unencrypted = true\n", "")
        .replace("mes.plant.example", "localhost");
    let loaded = load_text(&here).unwrap_or_else(|report| panic!("{report}"));
    let warnings = loaded.warnings.to_string();
    assert!(!warnings.contains("everybody"), "{warnings}");
}

#[test]
fn every_key_of_them_is_documented() {
    let of_everybody = table("### `[[sms.person]]`").into_iter();
    let of_everybody: Vec<&str> = of_everybody
        .filter(|key| !["name", "number"].contains(key))
        .collect();
    for (heading, after, is_told) in [
        ("### `[[webhook]]`", "[[webhook]]\n", true),
        ("### `[mail]`", "[mail]\n", false),
        ("### `[[mail.person]]`", "[[mail.person]]\n", true),
    ] {
        let mut documented: BTreeSet<&str> = table(heading).into_iter().collect();
        if is_told {
            documented.extend(&of_everybody);
        }
        let text = format!("{PRESS_LINE}{WECOM}{MAIL}");
        let known = keys_of(&text, after);
        assert_eq!(
            documented,
            known.iter().map(String::as_str).collect(),
            "{heading}"
        );
    }
}
