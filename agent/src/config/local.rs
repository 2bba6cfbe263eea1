//! `[http]`, and how people are reached: `[sms]`, `[[webhook]]`, `[mail]`.

use super::links::{KindPart, LinkPart};
use super::mail;
use super::recipients::RecipientPart;
use super::sms::{self, SmsPart};
use super::values::{host_port, list, path, text};
use super::walk::{Item, Section};
use super::webhook;
use crate::settings::{Http, Mail, Webhook};
use std::path::Path;

/// What is on the gateway itself.
pub(super) struct Local {
    /// The modem for text messages, and who gets them.
    pub(super) sms: Option<SmsPart>,
    /// Robots and programs that are told of alarms.
    pub(super) webhooks: Vec<Webhook>,
    /// The server that takes mail.
    pub(super) mail: Option<Mail>,
    /// Who is told by those.
    pub(super) recipients: Vec<RecipientPart>,
}

/// Reads the sections; files are relative to `base`.
pub(super) fn sections(root: &mut Section<'_>, base: &Path) -> Local {
    let sms = root.section("sms").map(|section| sms::sms(section, base));
    let (webhooks, mut recipients) = webhook::webhooks(root.sections("webhook"), base);
    let mail = root.section("mail");
    let mail = mail.and_then(|section| mail::mail(section, base));
    let mail = mail.map(|(mail, people)| {
        recipients.extend(people);
        mail
    });
    Local {
        sms,
        webhooks,
        mail,
        recipients,
    }
}

/// `[http]`: where the HTTP door listens, and who may act there.
pub(super) fn http(mut section: Section<'_>, links: &[LinkPart], base: &Path) -> Option<Http> {
    let listen = section.need("listen", "listen = \"127.0.0.1:8080\"", |item| {
        host_port(item, text(item)?, 8080, "127.0.0.1:8080")
    });
    let act_token_file = section.read("act_token_file", |item| {
        let file = base.join(path(item)?);
        let is_pushed = |link: &&LinkPart| matches!(&link.kind, KindPart::HttpPush(push) if push.token_file == file);
        match links.iter().find(is_pushed) {
            None => Some(file),
            Some(link) => item.wrong(
                format!("scripts that push to `{}` could act with their token", link.id),
                "name another file, such as \"act.token\"",
            ),
        }
    });
    let names = section.read("names", list("a list of host names", host_name));
    section.finish();
    let (host, port) = listen?.value;
    Some(Http {
        host,
        port,
        act_token_file,
        names: names.unwrap_or_default(),
    })
}

/// A name of this machine, without a port.
fn host_name(item: &Item<'_>) -> Option<Box<str>> {
    let name = text(item)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(is_plain) {
        return item.wrong(
            format!("`{name}` is not a host name"),
            "write it without a port, such as \"gw-1.plant.example\"",
        );
    }
    Some(name.into())
}
