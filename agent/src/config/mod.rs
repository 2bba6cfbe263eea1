//! From the configuration file to [`Settings`] that cannot be wrong.
//!
//! The file and those it names are read once and every mistake in them is reported at once, each
//! with its place and what to do. Stages: bytes to text and TOML (`syntax`) or the rows of a table
//! (`csv`), all files to tables (`files`), what is written once for many machines to what it stands
//! for (`each`, `addresses`), tables to checked parts (`walk` and `values`, one file for each kind
//! of section), parts to settings (here). Nothing of the files leaves this module but the settings.

mod addresses;
mod alarms;
mod board;
mod builtin;
mod buses;
mod calendar;
mod called;
mod crews;
mod csv;
mod detect;
mod devices;
mod each;
mod files;
mod findings;
mod gateway;
mod glob;
mod horn;
mod links;
mod local;
mod loose;
mod mail;
mod manners;
mod models;
pub(crate) mod nearest;
mod pages;
mod rates;
mod recipients;
mod report;
mod roots;
mod rules;
mod serial;
mod shifts;
mod shipped;
mod sms;
mod sources;
mod states;
mod syntax;
mod tags;
#[cfg(test)]
mod tests;
mod topics;
mod tree;
mod values;
mod walk;
mod webhook;
mod writes;

pub(crate) use mail::parse_mailbox;
pub(crate) use values::{parse_ms, show_bytes, show_ms};

/// Table and address of a number such as 40011 in a manual.
pub(crate) fn from_manual(number: &str) -> Option<(Table, u32)> {
    tags::from_manual(number)
}

pub use report::{Entry, Report};

use crate::plan;
use crate::settings::{
    HttpGet, Link, LinkKind, Modbus, MqttLink, NotActive, Page, Settings, Sms, Topic,
};
use andon_core::modbus::permit::Allowed;
use andon_core::plant::{Budget, Device, Gateway, Language, Plant, Roster};
use andon_core::tag::{LinkIndex, Table};
use devices::Machines;
use files::Files;
use gateway::GatewayPart;
use horn::Around;
use links::{KindPart, LinkPart, Speaks};
use recipients::{Known, RecipientPart};
use report::{Finding, Severity};
use roots::Roots;
use sms::SmsPart;
use sources::Sources;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use walk::{At, Findings, Section};

/// A file that can be run.
#[derive(Debug)]
pub struct Loaded {
    /// What it comes to.
    pub settings: Settings,
    /// What somebody should look at, though it runs.
    pub warnings: Report,
    /// The files that were read, the first the one that was named.
    pub files: Vec<FileRead>,
}

/// One of the files of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileRead {
    /// Its path.
    pub file: String,
    /// The devices that it has.
    pub devices: usize,
}

/// Reads a configuration file and those it names: what they come to, or everything that is wrong
/// with them.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    match files::read(path) {
        Ok(bytes) => parse(&bytes, &name, path.parent().unwrap_or(Path::new(""))),
        Err(finding) => {
            let sources = Sources::unread(name);
            Err(Report::new(Severity::Mistake, sources, vec![finding]))
        }
    }
}

/// [`load`] for the content of a file; `base` is the folder that relative paths count from.
fn parse(bytes: &[u8], name: &str, base: &Path) -> Result<Loaded, Report> {
    let out = Findings::default();
    let files = Files::gather(bytes, name, base, &out);
    let roots = Roots::new(&files, &out);
    let settings = settings(&roots, files.sources.text(), base, &out).map(|mut settings| {
        settings.plant.cfg = files.crc;
        settings
    });
    let shown = out.shown(files.sources.text());
    let shown = files.sources.with_text(shown);
    match settings {
        Some(settings) if !out.has_mistakes() => Ok(Loaded {
            settings,
            files: roots
                .devices()
                .map(|(file, devices)| FileRead {
                    file: files.sources.name(file).to_owned(),
                    devices,
                })
                .collect(),
            warnings: Report::new(Severity::Warning, shown, out.warnings()),
        }),
        _ => Err(Report::new(Severity::Mistake, shown, out.mistakes())),
    }
}

/// Walks the files; none only after a mistake was reported.
fn settings(roots: &Roots<'_>, text: &str, base: &Path, out: &Findings) -> Option<Settings> {
    let mut root = roots.main(out).later(&["gpio"]);
    // What they name has been read.
    root.take("include");
    root.take("devices_csv");
    let mut others = roots.others(out);
    let gateway = required(&mut root, "gateway", "`id`, `site` and `area`").map(gateway::gateway);
    let upstream =
        required(&mut root, "upstream", "`broker`").map(|section| gateway::upstream(section, base));
    let shifts = root.sections("shift");
    let has_shifts = !shifts.is_empty();
    let gateway = gateway.flatten();
    if let Some(part) = gateway
        .as_ref()
        .filter(|part| has_shifts && !part.names_zone)
    {
        need_zone(part, out);
    }
    let zone = gateway.as_ref().and_then(|part| part.zone.clone());
    let calendars = calendar::calendars(shifts, &mut root, zone);
    let link_sections = sections(&mut root, &mut others, "link");
    let before = out.count();
    let mut links = links::links(link_sections, base, out);
    let board = board::add(&mut root, &mut links);
    let has_board = board.is_there;
    // Links that copies of one device made stand in one place.
    out.merge_copies(before);
    let profiles = sections(&mut root, &mut others, "profile");
    let device_sections = sections(&mut root, &mut others, "device");
    let Machines {
        devices,
        called,
        allow_write,
        paths,
    } = {
        let shipped = roots.shipped(out);
        devices::machines(profiles, shipped, device_sections, &links, &calendars, out)
    };
    let with_state = devices.iter().filter(|device| device.model.state.is_some());
    let follow = with_state.map(|device| (device.id.clone(), device.calendar));
    calendars.warn(&follow.collect::<Vec<_>>(), out);
    check_numbers(&links, &devices, out);
    let buttons = board::buttons(board, &devices, out);
    let own = builtin::own(&root);
    let alarm_sections = sections(&mut root, &mut others, "alarm");
    let mut alarms = alarms::alarms(alarm_sections, &devices, (own, &links), text, out);
    let horn_sections = root.one_or_more("horn");
    let around = Around {
        has_board,
        links: &links,
        devices: &devices,
        allow_write: &allow_write,
    };
    let horns = horn::horns(horn_sections, &around, &mut alarms, out);
    let (horns, through) = horns.into_iter().unzip();
    for mut other in others {
        other.take("devices_csv");
        other.finish();
    }
    let http = root.section("http");
    let http = http.map(|section| local::http(section, &links, base));
    need_door(&links, http.is_some() || out.is_lost("http"), out);
    let local = local::sections(&mut root, base);
    root.finish();
    let language = gateway.as_ref().and_then(|part| part.language);
    let known = Known {
        devices: &devices,
        calendars: &calendars,
        language: language.unwrap_or(Language::English),
        budget: Budget::PERSON,
    };
    let (roster, modem, told_from) = roster(local.sms, local.recipients, &known, out);
    warn_of_slow_links(&links, &devices, out);

    let (calendar, other_calendars) = calendars.into_parts();
    let gateway = gateway?;
    let (upstream, topics_root) = upstream??;
    let max_payload = upstream.max_payload;
    let mut not_active: Vec<NotActive> = Vec::new();
    let has_other_language = language.is_some_and(|language| language != Language::English);
    if has_other_language && roster.recipients.is_empty() {
        not_active.push(NotActive {
            section: "[gateway] language".into(),
            why: "only messages to phones and the web page have one; the broker gets both".into(),
        });
    }
    let settings = Settings {
        links: links
            .iter()
            .zip(0..)
            .map(|(l, i)| {
                let index = LinkIndex(i);
                let topics = topics::topics(index, &devices, &called);
                let pages = |own: &_| pages::pages(index, own, &devices, &called, &paths);
                link(l, index, &gateway, topics, pages, &allow_write)
            })
            .collect(),
        upstream,
        http: http.flatten(),
        horns: through,
        sms: modem,
        webhooks: local.webhooks,
        mail: local.mail,
        data_dir: base.join(&gateway.data_dir),
        memory_budget: gateway.memory_budget.value,
        disk_budget: gateway.disk_budget.value,
        history_ms: gateway.history_ms,
        selftest: gateway.selftest,
        not_active,
        plant: Plant {
            gateway: Gateway {
                root: topics_root,
                site: gateway.site.as_ref().into(),
                area: gateway.area.as_ref().into(),
                id: gateway.id.clone(),
            },
            calendar,
            other_calendars,
            links: links.iter().map(LinkPart::of_plant).collect(),
            devices,
            alarms,
            horns,
            buttons,
            roster,
            max_payload,
            cfg: 0,
        },
    };
    recipients::warn_of_untold(&settings.plant, &told_from, out);
    buses::check(&settings.plant, &links, out);
    check_budgets(&settings, &gateway, out);
    Some(settings)
}

/// Who is told of alarms, the modem for it, and where that is written.
fn roster(
    sms: Option<SmsPart>,
    others: Vec<RecipientPart>,
    known: &Known<'_>,
    out: &Findings,
) -> (Roster, Option<Sms>, Vec<Range<usize>>) {
    let mut roster = Roster::default();
    let (mut people, mut spans, mut modem) = (Vec::new(), Vec::new(), None);
    if let Some(sms) = sms {
        (roster.sms, roster.repeat_ms) = (sms.budget, sms.repeat_ms);
        (people, modem) = (sms.people, sms.modem);
        spans.push(sms.span);
    }
    spans.extend(others.iter().map(|part| part.span.clone()));
    people.extend(others);
    recipients::check(&people, out);
    let checked = people.into_iter().map(|part| part.checked(known, out));
    roster.recipients = checked.collect();
    (roster, modem, spans)
}

/// The sections `[[key]]` of all files.
fn sections<'a>(
    root: &mut Section<'a>,
    others: &mut [Section<'a>],
    key: &'static str,
) -> Vec<Section<'a>> {
    let mut sections = root.sections(key);
    for other in others {
        sections.extend(other.sections(key));
    }
    sections
}

fn required<'a>(root: &mut Section<'a>, key: &'static str, with: &str) -> Option<Section<'a>> {
    let section = root.section(key);
    if section.is_none() && !root.has(key) && !root.out().is_lost(key) {
        root.out().mistake(
            Finding::of_file(format!("there is no [{key}]"))
                .hint(format!("add `[{key}]` with {with}")),
        );
    }
    section
}

fn need_zone(gateway: &GatewayPart, out: &Findings) {
    let what = "shifts need the time zone of the plant";
    let hint = "add `timezone = \"Asia/Shanghai\"` to [gateway]";
    out.mistake(Finding::at(gateway.span.clone(), what).hint(hint));
}

/// What scripts push comes through the HTTP door.
fn need_door(links: &[LinkPart], has_door: bool, out: &Findings) {
    let pushed = |link: &&LinkPart| matches!(link.kind, KindPart::HttpPush(_));
    if let (Some(link), false) = (links.iter().find(pushed), has_door) {
        let what = format!("nothing listens for what is pushed to `{}`", link.id);
        let hint = "add `[http]` with `listen = \"0.0.0.0:8080\"`";
        out.mistake(Finding::at(link.span.clone(), what).hint(hint));
    }
}

/// Indexes are 16 bits wide.
fn check_numbers(links: &[LinkPart], devices: &[Device], out: &Findings) {
    let most = usize::from(u16::MAX);
    let tags = devices.iter().map(|device| device.model.tags.len()).max();
    if links.len() > most || devices.len() > most || tags.is_some_and(|tags| tags > most) {
        out.mistake(Finding::of_file(
            "more than 65,535 links, devices or tags of one device",
        ));
    }
}

/// On a shared connection one unit that does not answer holds up the others.
fn warn_of_slow_links(links: &[LinkPart], devices: &[Device], out: &Findings) {
    for (index, link) in (0..).zip(links) {
        if link.speaks() != Speaks::ModbusTcp {
            continue;
        }
        let behind = || {
            devices
                .iter()
                .filter(|device| device.link == LinkIndex(index))
        };
        let mut units: Vec<u8> = behind().map(|device| device.unit).collect();
        units.sort_unstable();
        units.dedup();
        let every = behind()
            .flat_map(|device| &device.model.tags)
            .map(|tag| tag.every_ms)
            .min();
        let timeout = behind().map(|device| device.manners.timeout_ms).max();
        let timeout = timeout.unwrap_or(0);
        if let (2.., Some(every)) = (units.len(), every.filter(|every| *every < timeout)) {
            let (timeout, every) = (show_ms(timeout), show_ms(every));
            let what = format!(
                "a unit of `{}` that does not answer holds up the others for {timeout}",
                link.id
            );
            let hint = format!(
                "the fastest tag behind it is read every {every}: a shorter timeout keeps that pace"
            );
            out.warn(Finding::at(link.timeout_span.clone(), what).hint(hint));
        }
    }
}

fn link(
    part: &LinkPart,
    index: LinkIndex,
    gateway: &GatewayPart,
    topics: Vec<Topic>,
    pages: impl Fn(&Arc<str>) -> Vec<Page>,
    allow_write: &[(LinkIndex, Allowed)],
) -> Link {
    let kind = match &part.kind {
        KindPart::Modbus(modbus) => {
            let behind = allow_write.iter().filter(|(link, _)| *link == index);
            LinkKind::Modbus(Modbus {
                allow_write: behind.map(|(_, allowed)| allowed.clone()).collect(),
                ..modbus.clone()
            })
        }
        KindPart::HttpGet(get) => LinkKind::HttpGet(HttpGet {
            server: get.server.clone(),
            timeout: get.timeout,
            max_payload: get.max_payload,
            pages: pages(&get.path),
        }),
        KindPart::HttpPush(push) => LinkKind::HttpPush(push.clone()),
        KindPart::Board(board) => LinkKind::Board(board.clone()),
        KindPart::Mqtt {
            broker,
            max_payload,
        } => LinkKind::Mqtt(MqttLink {
            broker: broker.clone(),
            client_id: format!("{}-{}", gateway.id, part.id),
            topics,
            max_payload: *max_payload,
        }),
    };
    Link {
        id: part.id.clone(),
        kind,
    }
}

fn check_budgets(settings: &Settings, gateway: &GatewayPart, out: &Findings) {
    let memory = plan::memory(settings);
    let too_much = |what: &str, need: u64, budget: &At<u64>, key: &str, hint: &str| {
        if need <= budget.value {
            return;
        }
        let what = format!(
            "{what} comes to {}, the budget is {}",
            show_bytes(need),
            show_bytes(budget.value)
        );
        let hint = format!("raise `{key}`, or {hint}");
        out.mistake(Finding::at(budget.span.clone(), what).hint(hint));
    };
    too_much(
        "the memory plan",
        memory.sum(),
        &gateway.memory_budget,
        "memory_budget",
        &format!("configure less; the largest part: {}", memory.largest()),
    );
    let disk = plan::disk(settings);
    too_much(
        "the least the disk plan needs",
        disk.least(),
        &gateway.disk_budget,
        "disk_budget",
        "free some of the disk for it",
    );
}
