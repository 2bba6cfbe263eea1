//! `[[link]]`: the buses and connections.

use super::gateway::{broker_url, credentials};
use super::pages::http_url;
use super::report::Finding;
use super::serial;
use super::values::{boolean, duration, host_port, id, path, size, text};
use super::walk::{At, Findings, Section};
use crate::settings::{Board, Broker, Endpoint, HttpPush, Modbus};
use andon_core::plant::{Link, Medium};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How large a message or answer may be to be looked at, unless the link says otherwise.
const MAX_PAYLOAD: u64 = 64 * 1024;

/// What is spoken over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    ModbusTcp,
    ModbusRtu,
    Mqtt,
    HttpGet,
    HttpPush,
    /// With the I/O board.
    Board,
}

impl Speaks {
    pub(super) fn is_modbus(self) -> bool {
        matches!(self, Speaks::ModbusTcp | Speaks::ModbusRtu)
    }

    /// Whether the agent asks, and so sets the pace.
    pub(super) fn is_asked(self) -> bool {
        self.is_modbus() || matches!(self, Speaks::HttpGet | Speaks::Board)
    }

    /// Milliseconds between two readings, if nobody says otherwise.
    pub(super) fn default_every(self) -> u64 {
        match self {
            Speaks::ModbusTcp | Speaks::ModbusRtu | Speaks::Board => 1000,
            Speaks::Mqtt | Speaks::HttpGet | Speaks::HttpPush => 10_000,
        }
    }
}

/// One link as configured.
#[derive(Debug)]
pub(super) struct LinkPart {
    pub(super) id: Arc<str>,
    pub(super) kind: KindPart,
    pub(super) timeout_span: Range<usize>,
    pub(super) span: Range<usize>,
}

/// How it is reached.
#[derive(Debug)]
pub(super) enum KindPart {
    Modbus(Modbus),
    Mqtt { broker: Broker, max_payload: usize },
    HttpGet(HttpPart),
    HttpPush(HttpPush),
    Board(Board),
}

/// A machine that answers HTTP requests, before it is known what it is asked for.
#[derive(Debug)]
pub(super) struct HttpPart {
    pub(super) server: Broker,
    /// The page of tags that name no other.
    pub(super) path: Arc<str>,
    pub(super) timeout: Duration,
    pub(super) max_payload: usize,
}

impl LinkPart {
    /// What the core knows of it.
    pub(super) fn of_plant(&self) -> Link {
        let network = Link::network(&self.id);
        let KindPart::Modbus(Modbus { endpoint, .. }) = &self.kind else {
            return network;
        };
        Link {
            medium: endpoint.line().map_or(Medium::Network, Medium::Serial),
            turnaround_us: u64::try_from(endpoint.turnaround().as_micros()).unwrap_or(u64::MAX),
            ..network
        }
    }

    /// Where it is named.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Deadline of an answer in milliseconds, for devices that say nothing else.
    pub(super) fn timeout_ms(&self) -> Option<u64> {
        match &self.kind {
            KindPart::Modbus(modbus) => u64::try_from(modbus.timeout.as_millis()).ok(),
            KindPart::Mqtt { .. }
            | KindPart::HttpGet(_)
            | KindPart::HttpPush(_)
            | KindPart::Board(_) => None,
        }
    }

    pub(super) fn speaks(&self) -> Speaks {
        match &self.kind {
            KindPart::Modbus(modbus) => match modbus.endpoint {
                Endpoint::Tcp { .. } => Speaks::ModbusTcp,
                Endpoint::Serial(_) | Endpoint::RtuOverTcp { .. } => Speaks::ModbusRtu,
            },
            KindPart::Mqtt { .. } => Speaks::Mqtt,
            KindPart::HttpGet(_) => Speaks::HttpGet,
            KindPart::HttpPush(_) => Speaks::HttpPush,
            KindPart::Board(_) => Speaks::Board,
        }
    }
}

pub(super) fn links(sections: Vec<Section<'_>>, base: &Path, out: &Findings) -> Vec<LinkPart> {
    let mut links: Vec<LinkPart> = Vec::new();
    for section in sections {
        let Some(link) = link(section, base) else {
            continue;
        };
        if let Some(first) = links.iter().find(|other| other.id == link.id) {
            let what = format!("there are two links `{}`", link.id);
            out.mistake(
                Finding::at(link.span.clone(), what)
                    .hint("give each link an id of its own")
                    .also(first.span.clone(), "the first"),
            );
            continue;
        }
        links.push(link);
    }
    links
}

/// Every key that some link has besides.
const OTHER_KEYS: [&str; 17] = [
    "timeout",
    "baud",
    "parity",
    "stop_bits",
    "turnaround",
    "rs485",
    "optional",
    "max_payload",
    "username",
    "password_file",
    "ca_file",
    "cert_file",
    "key_file",
    "username_file",
    "crl_file",
    "alpn",
    "token_file",
];

/// The keys of which a link has exactly one.
const KINDS: [&str; 6] = [
    "modbus_tcp",
    "modbus_rtu",
    "modbus_rtu_tcp",
    "mqtt",
    "http_get",
    "http_push",
];

fn link(mut section: Section<'_>, base: &Path) -> Option<LinkPart> {
    let out = section.out();
    let span = section.span();
    let id = section.need("id", "id = \"plc\"", id);
    let mut found = Vec::new();
    for key in KINDS {
        found.extend(section.take(key));
    }
    let before = out.count();
    let kind = match found.as_slice() {
        [item] => kind(&mut section, item.key, base),
        [] => None,
        [first, second, ..] => {
            let what = format!("a link is either `{}` or `{}`", first.key, second.key);
            out.mistake(
                Finding::at(second.key_span.clone(), what)
                    .hint("write a second [[link]] for the other")
                    .also(first.key_span.clone(), "already said here"),
            );
            None
        }
    };
    let timeout_span = section.span_of("timeout").unwrap_or_else(|| span.clone());
    if kind.is_none() {
        // What the link is nobody knows; what no link has is a mistake all the same.
        for key in OTHER_KEYS {
            section.take(key);
        }
    }
    section.finish();
    // A misspelt address is told as what it is.
    if found.is_empty() && out.count() == before {
        let what = "this link says nothing about how to reach it";
        out.mistake(Finding::at(span, what).hint(
            "add `modbus_tcp = \"HOST:502\"`, `modbus_rtu = \"/dev/serial/by-id/...\"`, \
             `modbus_rtu_tcp = \"HOST:PORT\"`, `mqtt = \"mqtt://HOST:1883\"`, \
             `http_get = \"http://HOST/...\"` or `http_push = true`",
        ));
    }
    if let (Some(id), None) = (&id, &kind) {
        out.lose(&id.value);
    }
    let id = id?;
    Some(LinkPart {
        id: id.value,
        kind: kind?,
        timeout_span,
        span: id.span,
    })
}

/// Deadline of an answer where nobody says otherwise.
const TIMEOUT_MS: u64 = 1000;

/// What a link is whose address stands behind `key`.
fn kind(section: &mut Section<'_>, key: &str, base: &Path) -> Option<KindPart> {
    let endpoint = match key {
        "modbus_tcp" => section
            .read("modbus_tcp", |item| {
                host_port(item, text(item)?, 502, "192.168.1.10:502")
            })
            .map(|(host, port)| Endpoint::Tcp { host, port }),
        "modbus_rtu" => serial::port(section).map(Endpoint::Serial),
        "modbus_rtu_tcp" => {
            let address = section.read("modbus_rtu_tcp", |item| {
                host_port(item, text(item)?, 502, "192.168.1.20:4001")
            });
            let (line, turnaround) = serial::line(section);
            address.map(|(host, port)| Endpoint::RtuOverTcp {
                host,
                port,
                line,
                turnaround,
            })
        }
        "http_get" => return http_get(section, base),
        "http_push" => return http_push(section, base),
        _ => return mqtt(section, base),
    };
    let timeout = section.read("timeout", duration(10, 60_000));
    Some(KindPart::Modbus(Modbus {
        endpoint: endpoint?,
        timeout: Duration::from_millis(timeout.unwrap_or(TIMEOUT_MS)),
        allow_write: Vec::new(),
    }))
}

fn mqtt(section: &mut Section<'_>, base: &Path) -> Option<KindPart> {
    let url: Option<At<_>> = section.place("mqtt", broker_url);
    let broker = credentials(section, url, base);
    let max = section.read("max_payload", size(256, 1 << 20));
    Some(KindPart::Mqtt {
        broker: broker?,
        max_payload: usize::try_from(max.unwrap_or(MAX_PAYLOAD)).ok()?,
    })
}

fn http_get(section: &mut Section<'_>, base: &Path) -> Option<KindPart> {
    let url = section.place("http_get", http_url);
    let (url, path) = url.map_or((None, None), |At { value, span }| {
        let (url, path) = value;
        (Some(At { value: url, span }), Some(path))
    });
    let server = credentials(section, url, base);
    let timeout = section.read("timeout", duration(10, 60_000));
    let max = section.read("max_payload", size(256, 1 << 20));
    Some(KindPart::HttpGet(HttpPart {
        server: server?,
        path: path?,
        timeout: Duration::from_millis(timeout.unwrap_or(5000)),
        max_payload: usize::try_from(max.unwrap_or(MAX_PAYLOAD)).ok()?,
    }))
}

/// `http_push = true`: scripts push to the HTTP door.
fn http_push(section: &mut Section<'_>, base: &Path) -> Option<KindPart> {
    let pushed = section.read("http_push", |item| match boolean(item)? {
        true => Some(()),
        false => item.wrong(
            "a link that nothing comes through",
            "write `http_push = true`, or leave the link out",
        ),
    });
    let token_file = section.need("token_file", "token_file = \"push.token\"", path);
    pushed?;
    Some(KindPart::HttpPush(HttpPush {
        token_file: base.join(token_file?.value),
    }))
}
