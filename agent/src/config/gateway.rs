//! `[gateway]`, `[upstream]`, and brokers wherever they are named.

use super::recipients::LANGUAGES;
use super::report::Finding;
use super::values::{
    duration, host_port, id, integer, label, one_of, path, rate, secret_file, size, text,
    time_of_day, time_zone,
};
use super::walk::{At, Item, Section};
use crate::settings::{Broker, Commands, Payload, Tls, Upstream};
use andon_core::plant::Language;
use jiff::tz::TimeZone;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// rumqttc refuses packets over 10 KiB; topic and headers take their part of them.
const PACKET: u64 = 10 * 1024;
const OVERHEAD: u64 = 512;

const MIB: u64 = 1 << 20;

const DAY_MS: u64 = 86_400_000;

/// Minute of the day at which a gateway tests itself: in the quietest hour.
const SELFTEST: u16 = 3 * 60;

/// `[gateway]`.
#[derive(Debug)]
pub(super) struct GatewayPart {
    pub(super) id: Arc<str>,
    pub(super) site: Arc<str>,
    pub(super) area: Arc<str>,
    pub(super) zone: Option<TimeZone>,
    /// Whether a time zone is named, right or wrong.
    pub(super) names_zone: bool,
    pub(super) language: Option<Language>,
    pub(super) data_dir: PathBuf,
    pub(super) memory_budget: At<u64>,
    pub(super) disk_budget: At<u64>,
    pub(super) history_ms: u64,
    /// Minute of the day of the self-test.
    pub(super) selftest: Option<u16>,
    pub(super) span: Range<usize>,
}

pub(super) fn gateway(mut section: Section<'_>) -> Option<GatewayPart> {
    let span = section.span();
    let or_here = |size: Option<At<u64>>, default| {
        size.unwrap_or(At {
            value: default,
            span: span.clone(),
        })
    };
    let id = section.need("id", "id = \"gw-1\"", id);
    let site = section.need("site", "site = \"suzhou\"", super::values::id);
    let area = section.need("area", "area = \"press-shop\"", super::values::id);
    let names_zone = section.has("timezone") || section.has_blanked("timezone");
    let zone = section.read("timezone", time_zone);
    let language = section.read("language", one_of(&LANGUAGES));
    let data_dir = section.read("data_dir", path);
    let memory = section.place("memory_budget", size(MIB, 64 << 30));
    let disk = section.place("disk_budget", size(12 * MIB, 1 << 40));
    let history = section.read("history", duration(DAY_MS, 400 * DAY_MS));
    let selftest = section.read("selftest", |item| match item.value.as_str() {
        Some("off") => Some(None),
        _ => time_of_day(item).map(Some),
    });
    let part = id
        .zip(site)
        .zip(area)
        .map(|((id, site), area)| GatewayPart {
            id: id.value,
            site: site.value,
            area: area.value,
            zone,
            names_zone,
            language,
            data_dir: data_dir.unwrap_or_else(|| "data".into()),
            memory_budget: or_here(memory, 32 * MIB),
            disk_budget: or_here(disk, 64 * MIB),
            history_ms: history.unwrap_or(31 * DAY_MS),
            selftest: selftest.unwrap_or(Some(SELFTEST)),
            span: span.clone(),
        });
    section.finish();
    part
}

/// `[upstream]`, and the root of the topics.
pub(super) fn upstream(mut section: Section<'_>, base: &Path) -> Option<(Upstream, Box<str>)> {
    let urls = section.need("broker", "broker = \"mqtt://HOST:1883\"", broker_urls);
    let root = section.read("root", root);
    let payload = payload(&mut section);
    let (url, more) = urls.map_or((None, Vec::new()), |At { value, span }| {
        let mut urls = value.into_iter();
        let first = urls.next().map(|value| At { value, span });
        (first, urls.collect())
    });
    let broker = credentials(&mut section, url, base);
    let keep_alive = section.read("keep_alive", duration(5_000, 3_600_000));
    let max_payload = section.read("max_payload", size(1024, PACKET - OVERHEAD));
    let ack_timeout = section.read("ack_timeout", duration(1000, 600_000));
    // Well below the client's own limit of 100 in flight.
    let window = section.read("window", integer(1, 64));
    let replay = section.read("replay", rate);
    let commands = commands(&mut section, base);
    section.finish();
    let broker = broker?;
    let others = more.into_iter().map(|url| Broker {
        host: url.host,
        port: url.port,
        ..broker.clone()
    });
    let upstream = Upstream {
        payload: payload?,
        others: others.collect(),
        broker,
        keep_alive: Duration::from_millis(keep_alive.unwrap_or(30_000)),
        max_payload: usize::try_from(max_payload.unwrap_or(PACKET - OVERHEAD)).ok()?,
        ack_timeout: Duration::from_millis(ack_timeout.unwrap_or(30_000)),
        window: window.map_or(Some(32), |window| u16::try_from(window).ok())?,
        // From thousandths an hour.
        replay: replay.map_or(500, |rate| {
            u32::try_from(rate.div_ceil(3_600_000)).unwrap_or(u32::MAX)
        }),
        commands,
    };
    Some((upstream, root.unwrap_or_else(|| "andon".into())))
}

/// Whether anything is commanded through the broker, and by whom.
fn commands(section: &mut Section<'_>, base: &Path) -> Option<Commands> {
    const HOW: [(&str, Option<bool>); 3] = [
        ("off", None),
        ("signed", Some(true)),
        ("token", Some(false)),
    ];
    let only_signed = section.read("commands", one_of(&HOW)).flatten();
    let file = |item: &Item<'_>| path(item).map(|path| base.join(path));
    let Some(only_signed) = only_signed else {
        if let Some(file) = section.place("command_token_file", file)
            && section.peek("commands").is_none()
        {
            section.out().mistake(
                Finding::at(file.span, "nothing is commanded with this token")
                    .hint("add `commands = \"signed\"`, or leave it out"),
            );
        }
        return None;
    };
    let example = "command_token_file = \"command.token\"";
    let token_file = section.need("command_token_file", example, file)?;
    Some(Commands {
        token_file: token_file.value,
        only_signed,
    })
}

/// The form of the payloads, and what only Sparkplug has.
fn payload(section: &mut Section<'_>) -> Option<Payload> {
    let is_sparkplug = section.read("payload", one_of(&[("json", false), ("sparkplug", true)]));
    let group = section.place("sparkplug_group", sparkplug_id);
    let primary_host = section.place("primary_host", sparkplug_id);
    if is_sparkplug != Some(true) {
        for of_sparkplug in [&group, &primary_host].into_iter().flatten() {
            section.out().mistake(
                Finding::at(of_sparkplug.span.clone(), "this is for Sparkplug only")
                    .hint("add `payload = \"sparkplug\"`, or leave it out"),
            );
        }
        return Some(Payload::Json);
    }
    Some(Payload::Sparkplug {
        group: group.map(|at| at.value),
        primary_host: primary_host.map(|at| at.value),
    })
}

/// An id of Sparkplug is one level of a topic (specification 3.0, §4.1).
fn sparkplug_id(item: &Item<'_>) -> Option<Box<str>> {
    let text = text(item)?;
    let is_level = !text.contains(['+', '/', '#', '\0']);
    // A group of that name would be taken for the topic of hosts.
    if text.is_empty() || text.len() > 100 || !is_level || text == "STATE" {
        return item.wrong(
            format!("`{text}` cannot be an id of Sparkplug"),
            "write one level of a topic, without `+`, `/` and `#`, such as \"plant-1\"",
        );
    }
    Some(text.into())
}

fn root(item: &Item<'_>) -> Option<Box<str>> {
    let text = text(item)?;
    let plain = |level: &str| {
        !level.is_empty()
            && level
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if text.len() > 100 || !text.split('/').all(plain) {
        return item.wrong(
            format!("`{text}` cannot be the root of topics"),
            "use letters, digits, `-` and `_`, levels joined by `/`, such as \"andon\"",
        );
    }
    Some(text.into())
}

/// A server's address, before user name and files are known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BrokerUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// Brokers that are tried in turn.
const MOST_BROKERS: usize = 8;

/// One broker, or several that are tried in turn: all with TLS or none, as the same files go with them.
fn broker_urls(item: &Item<'_>) -> Option<Vec<BrokerUrl>> {
    if matches!(item.value, toml::de::DeValue::String(_)) {
        return broker_url(item).map(|url| vec![url]);
    }
    let items = item.elements("the address of a broker, or a list of them")?;
    if items.is_empty() || items.len() > MOST_BROKERS {
        return item.wrong(
            format!("{} brokers", items.len()),
            format!("name 1 to {MOST_BROKERS}, such as [\"mqtts://a:8883\", \"mqtts://b:8883\"]"),
        );
    }
    let mut urls: Vec<BrokerUrl> = Vec::new();
    let mut good = true;
    for item in &items {
        let Some(url) = broker_url(item) else {
            good = false;
            continue;
        };
        let trouble = if urls.first().is_some_and(|first| first.tls != url.tls) {
            Some((
                "one broker with TLS and one without",
                "write `mqtts://` in all of them",
            ))
        } else if urls.contains(&url) {
            Some(("the same broker twice", "leave one of them out"))
        } else {
            None
        };
        if let Some((what, hint)) = trouble {
            good = false;
            item.out
                .mistake(Finding::at(item.span.clone(), what).hint(hint));
        }
        urls.push(url);
    }
    good.then_some(urls)
}

/// `mqtt://host:port` or `mqtts://host:port`.
pub(super) fn broker_url(item: &Item<'_>) -> Option<BrokerUrl> {
    let text = text(item)?;
    let (rest, tls, default_port) = if let Some(rest) = text.strip_prefix("mqtt://") {
        (rest, false, 1883)
    } else if let Some(rest) = text.strip_prefix("mqtts://") {
        (rest, true, 8883)
    } else {
        return item.wrong(
            format!("`{text}` is not the address of a broker"),
            "write \"mqtt://HOST:1883\", or \"mqtts://HOST:8883\" for TLS",
        );
    };
    if rest.contains('@') {
        item.out.hide(item.span.clone());
        return item.wrong(
            "an address does not name users: secrets are never in this file",
            "use `username` and `password_file`",
        );
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = host_port(item, rest, default_port, "mqtt://HOST:1883")?;
    Some(BrokerUrl { host, port, tls })
}

/// The keys that go with a server's address, checked against it.
pub(super) fn credentials(
    section: &mut Section<'_>,
    url: Option<At<BrokerUrl>>,
    base: &Path,
) -> Option<Broker> {
    let file = |item: &Item<'_>| secret_file(item, base);
    let username = section.place("username", label);
    let username_file = section.place("username_file", file);
    let password = section.place("password_file", file);
    let ca = section.place("ca_file", file);
    let cert = section.place("cert_file", file);
    let key = section.place("key_file", file);
    let crl = section.place("crl_file", file);
    let alpn = section.place("alpn", alpn);
    let out = section.out();
    if let (Some(one), Some(other)) = (&username, &username_file) {
        out.mistake(
            Finding::at(other.span.clone(), "there are two user names")
                .hint("leave `username` or `username_file` out")
                .also(one.span.clone(), "the other"),
        );
    }
    let user = username.as_ref().map(|at| &at.span);
    let user = user.or(username_file.as_ref().map(|at| &at.span));
    if let (Some(password), None) = (&password, user) {
        out.mistake(
            Finding::at(password.span.clone(), "a password without a user name")
                .hint("add `username = \"...\"`"),
        );
    }
    let half = match (&cert, &key) {
        (Some(cert), None) => Some((cert, "a certificate without its key", "key_file")),
        (None, Some(key)) => Some((key, "a key without its certificate", "cert_file")),
        _ => None,
    };
    if let Some((there, what, other)) = half {
        out.mistake(
            Finding::at(there.span.clone(), what).hint(format!("add `{other} = \"FILE\"`")),
        );
    }
    let url = url?;
    let files = [&ca, &cert, &key, &crl].into_iter().flatten();
    let for_tls = files
        .map(|at| &at.span)
        .chain(alpn.as_ref().map(|at| &at.span))
        .next();
    if let (false, Some(span)) = (url.value.tls, for_tls) {
        out.mistake(
            Finding::at(span.clone(), "this is for TLS, and the address is not")
                .hint("write `mqtts://` or `https://` in the address")
                .also(url.span.clone(), "without TLS"),
        );
    }
    Some(Broker {
        host: url.value.host,
        port: url.value.port,
        tls: url.value.tls.then(|| Tls {
            ca_file: ca.map(|at| at.value),
            cert_file: cert.map(|at| at.value),
            key_file: key.map(|at| at.value),
            crl_file: crl.map(|at| at.value),
            alpn: alpn.map(|at| at.value),
        }),
        username: username.map(|at| at.value.to_string()),
        username_file: username_file.map(|at| at.value),
        password_file: password.map(|at| at.value),
    })
}

/// The name of a protocol (RFC 7301).
fn alpn(item: &Item<'_>) -> Option<Arc<str>> {
    let text = text(item)?;
    if !(1..=255).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return item.wrong(
            format!("`{text}` is not the name of a protocol"),
            "write the one that the broker's operator names, such as \"mqtt\" or \"x-amzn-mqtt-ca\"",
        );
    }
    Some(text.into())
}
