//! `[mail]`: the server that takes mail.

use super::recipients::{RecipientPart, Rest, name};
use super::report::Finding;
use super::values::{boolean, duration, host_port, label, one_of, secret_file, text};
use super::walk::{At, Item, Section};
use super::webhook::is_loopback;
use crate::settings::{Broker, Mail, Mailbox, Security, Tls};
use andon_core::annunciate::Channel;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECURITY: [(&str, Security); 3] = [
    ("tls", Security::Tls),
    ("starttls", Security::Starttls),
    ("none", Security::None),
];

/// Reads the section; files are relative to `base`.
pub(super) fn mail(mut section: Section<'_>, base: &Path) -> Option<(Mail, Vec<RecipientPart>)> {
    let file = |item: &Item<'_>| secret_file(item, base);
    let security = section.place("security", one_of(&SECURITY));
    let kind = security.as_ref().map_or(Security::Tls, |at| at.value);
    let port = match kind {
        Security::Tls => 465,
        Security::Starttls => 587,
        Security::None => 25,
    };
    let server = section.need("server", "server = \"smtp.example.com\"", |item| {
        host_port(item, text(item)?, port, "smtp.example.com:465")
    });
    let username = section.place("username", label);
    let password = section.place("password_file", file);
    let ca = section.place("ca_file", file);
    let from = section.need("from", "from = \"andon@example.com\"", mailbox);
    let timeout = section.read("timeout", duration(1000, 300_000));
    let allowed = section.read("allow_unencrypted", boolean) == Some(true);
    let out = section.out();
    let half = match (&username, &password) {
        (Some(user), None) => Some((
            user.span.clone(),
            "a user name without a password",
            "password_file = \"FILE\"",
        )),
        (None, Some(file)) => Some((
            file.span.clone(),
            "a password without a user name",
            "username = \"...\"",
        )),
        _ => None,
    };
    if let Some((span, what, add)) = half {
        out.mistake(Finding::at(span, what).hint(format!("add `{add}`")));
    }
    if let (Security::None, Some(ca)) = (kind, &ca) {
        let what = "this file is for TLS, and `security` is \"none\"";
        out.mistake(
            Finding::at(ca.span.clone(), what).hint("write security = \"tls\" or \"starttls\""),
        );
    }
    if let (Security::None, Some(server)) = (kind, &server) {
        check_open(&section, server, security.as_ref(), allowed);
    }
    let people = people(&mut section);
    section.finish();
    let (host, port) = server?.value;
    let mail = Mail {
        server: Broker {
            host,
            port,
            tls: (kind != Security::None).then(|| Tls {
                ca_file: ca.map(|at| at.value),
                ..Tls::default()
            }),
            username: username.map(|at| at.value.to_string()),
            username_file: None,
            password_file: password.map(|at| at.value),
        },
        security: kind,
        from: from?.value,
        timeout: Duration::from_millis(timeout.unwrap_or(30_000)),
    };
    Some((mail, people))
}

/// `[[mail.person]]`: who gets mail.
fn people(section: &mut Section<'_>) -> Vec<RecipientPart> {
    let people = section.sections("person");
    if people.is_empty() && !section.has("person") && !section.out().is_lost("person") {
        section.out().mistake(
            Finding::at(section.span(), "there is nobody to send mail to")
                .hint("add `[[mail.person]]` with `name` and `address`"),
        );
    }
    people.into_iter().filter_map(person).collect()
}

fn person(mut section: Section<'_>) -> Option<RecipientPart> {
    let span = section.span();
    let name = name(&mut section, "name = \"Shift lead\"");
    let address = section.need("address", "address = \"lead@example.com\"", |item| {
        let mailbox = mailbox(item)?;
        match mailbox.name {
            None => Some(mailbox.address),
            Some(_) => item.wrong(
                "the name of a person stands in `name`",
                format!("write \"{}\"", mailbox.address),
            ),
        }
    });
    let rest = Rest::read(&mut section);
    section.finish();
    Some(rest.of(Channel::Mail, name?, address?, span))
}

/// Mail that is not encrypted stays on this machine, unless somebody wants it otherwise in so many words.
fn check_open(
    section: &Section<'_>,
    server: &At<(String, u16)>,
    security: Option<&At<Security>>,
    allowed: bool,
) {
    let host = &server.value.0;
    let Some(security) = security.filter(|_| !is_loopback(host)) else {
        return;
    };
    let finding = Finding::at(
        security.span.clone(),
        format!(
            "everybody on the way to {host} can read the mails, and the password if there is one"
        ),
    );
    let hint = "write security = \"tls\" or \"starttls\"";
    match allowed {
        true => section.out().warn(finding.hint(hint)),
        false => {
            let hint =
                format!("{hint}; if the server knows neither, add `allow_unencrypted = true`");
            section.out().mistake(finding.hint(hint));
        }
    }
}

/// A mailbox as in the file.
fn mailbox(item: &Item<'_>) -> Option<Mailbox> {
    let text = label(item)?;
    parse_mailbox(&text).or_else(|| {
        item.wrong(
            format!("`{text}` is not a mailbox"),
            "write \"andon@example.com\", or \"Andon <andon@example.com>\"",
        )
    })
}

/// `andon@example.com`, or `Andon <andon@example.com>`.
pub(crate) fn parse_mailbox(text: &str) -> Option<Mailbox> {
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.split_once('<')) {
        Some((name, address)) => (name.trim(), address),
        None => ("", text),
    };
    is_address(address).then(|| Mailbox {
        name: (!name.is_empty()).then(|| Arc::from(name)),
        address: address.into(),
    })
}

/// Mailboxes as they are given to people: in ASCII, without quotes (RFC 5321, §4.1.2, Dot-string).
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let dotted = |text: &str, plain: &dyn Fn(u8) -> bool| {
        text.split('.')
            .all(|part| !part.is_empty() && part.bytes().all(plain))
    };
    text.len() <= 254 && dotted(local, &atom) && dotted(domain, &label)
}
