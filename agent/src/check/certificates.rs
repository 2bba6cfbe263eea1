//! The files that servers are reached with: what lies in them on this machine, as far as it is there.
//! Nothing of it makes a configuration bad: it may be checked where it does not run.

use super::broker as address;
use crate::broker;
use crate::settings::{Broker, LinkKind, Settings};
use crate::tls::{self, Finding};
use andon_core::time::Wall;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The files of one server.
struct Server {
    whose: String,
    findings: Vec<Finding>,
}

pub(super) fn show(text: &mut String, settings: &Settings, now: Wall) {
    let servers = servers(settings, now);
    if servers.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    text.push_str("\nCertificates and passwords\n");
    for Server { whose, findings } in servers {
        for Finding { key, what, wrong } in findings {
            let name = format!("{whose}, {key}");
            let _ = writeln!(text, "  {name:<24} {what}");
            if let Some(wrong) = wrong {
                let _ = writeln!(text, "    not in order: {wrong}");
            }
        }
    }
}

pub(super) fn as_json(settings: &Settings, now: Wall) -> Vec<Value> {
    let servers = servers(settings, now).into_iter();
    let of = |server: Server| {
        let Server { whose, findings } = server;
        findings.into_iter().map(move |Finding { key, what, wrong }| {
            json!({ "of": whose, "key": key, "what": what, "wrong": wrong })
        })
    };
    servers.flat_map(of).collect()
}

fn servers(settings: &Settings, now: Wall) -> Vec<Server> {
    let upstream = ("upstream".to_owned(), &settings.upstream.broker);
    let links = settings.links.iter().filter_map(|link| {
        let server = match &link.kind {
            LinkKind::Mqtt(mqtt) => &mqtt.broker,
            LinkKind::HttpGet(get) => &get.server,
            LinkKind::Modbus(_) | LinkKind::HttpPush(_) | LinkKind::Board(_) => return None,
        };
        Some((format!("link {}", link.id), server))
    });
    let mail = settings
        .mail
        .iter()
        .map(|mail| ("mail".to_owned(), &mail.server));
    let all = std::iter::once(upstream).chain(links).chain(mail);
    let servers = all.map(|(whose, server)| Server {
        findings: findings(server, now),
        whose,
    });
    servers
        .filter(|server| !server.findings.is_empty())
        .collect()
}

fn findings(server: &Broker, now: Wall) -> Vec<Finding> {
    let mut findings = match &server.tls {
        Some(tls) => tls::examine(tls, now),
        None => Vec::new(),
    };
    if let Err(error) = broker::login(server) {
        findings.push(Finding {
            key: "login",
            what: address(server),
            wrong: Some(error.to_string()),
        });
    }
    findings
}
