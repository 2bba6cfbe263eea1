//! `[http]`, and how people are reached: `[sms]`, `[[webhook]]`, `[mail]`.

use super::mail;
use super::recipients::RecipientPart;
use super::sms::{self, SmsPart};
use super::values::{host_port, text};
use super::walk::Section;
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

/// `[http]`: where the HTTP door listens.
pub(super) fn http(mut section: Section<'_>) -> Option<Http> {
    let listen = section.need("listen", "listen = \"127.0.0.1:8080\"", |item| {
        host_port(item, text(item)?, 8080, "127.0.0.1:8080")
    });
    section.finish();
    let (host, port) = listen?.value;
    Some(Http { host, port })
}
