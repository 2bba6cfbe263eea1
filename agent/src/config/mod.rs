//! From the configuration file to [`Settings`] that cannot be wrong.
//!
//! The file is read once and every mistake in it is reported at once, each with its place and what
//! to do. Stages: bytes to text and TOML (`syntax`), a table to checked parts (`walk` and
//! `values`, one file for each kind of section), parts to settings (here). Nothing of the file
//! leaves this module but the settings.

mod alarms;
mod buses;
mod calendar;
mod devices;
mod gateway;
mod links;
mod local;
mod manners;
mod models;
mod nearest;
mod report;
mod rules;
mod states;
mod syntax;
mod tags;
#[cfg(test)]
mod tests;
mod topics;
mod values;
mod walk;

pub(crate) use values::{show_bytes, show_ms};

pub use report::{Entry, Report};

use crate::plan;
use crate::settings::{Link, LinkKind, MqttLink, NotActive, Settings, Topic};
use andon_core::plant::{Device, Gateway, Plant};
use andon_core::summary::Tier;
use andon_core::tag::LinkIndex;
use devices::{Machines, NotPublished};
use gateway::{GatewayPart, Language};
use links::{KindPart, LinkPart};
use report::{Finding, Severity};
use std::io::Read as _;
use std::path::Path;
use walk::{At, Findings, Section};

/// Larger files are not configurations.
const LARGEST: u64 = 4 << 20;

/// A file that can be run.
#[derive(Debug)]
pub struct Loaded {
    /// What it comes to.
    pub settings: Settings,
    /// What somebody should look at, though it runs.
    pub warnings: Report,
    /// The text of the file.
    pub text: String,
}

/// Reads a configuration file: what it comes to, or everything that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    match read(path) {
        Ok(bytes) => parse(&bytes, &name, path.parent().unwrap_or(Path::new(""))),
        Err(finding) => Err(Report::new(Severity::Mistake, name, "", vec![finding])),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    let unreadable = |error: std::io::Error| {
        let finding = Finding::of_file(format!("cannot be read: {error}"));
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                finding.hint("name a file: `andon check FILE`, `andon run --config FILE`")
            }
            _ => finding,
        }
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    if read.map_err(unreadable)? as u64 > LARGEST {
        return Err(Finding::of_file(
            "larger than 4 MiB: this is not a configuration",
        ));
    }
    Ok(bytes)
}

/// [`load`] for the content of a file; `base` is the folder that relative paths count from.
fn parse(bytes: &[u8], name: &str, base: &Path) -> Result<Loaded, Report> {
    let out = Findings::default();
    let text = syntax::decode(bytes, &out);
    let repaired = syntax::repair(&text, &out);
    let table = syntax::parse(&repaired);
    let root = Section::new("the file".into(), 0..0, table.get_ref(), &out);
    let settings = settings(root, &text, base, &out).map(|mut settings| {
        settings.plant.cfg = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes);
        settings
    });
    let shown = out.shown(&text);
    let report = |severity, findings| Report::new(severity, name, &shown, findings);
    match settings {
        Some(settings) if !out.has_mistakes() => Ok(Loaded {
            settings,
            warnings: report(Severity::Warning, out.warnings()),
            text,
        }),
        _ => Err(report(Severity::Mistake, out.mistakes())),
    }
}

/// Walks the file; none only after a mistake was reported.
fn settings(mut root: Section<'_>, text: &str, base: &Path, out: &Findings) -> Option<Settings> {
    root = root.later(&["include", "devices_csv", "webhook", "mail", "gpio"]);
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
    let calendar = calendar::calendar(shifts, root.section("calendar"), zone);
    let links = links::links(root.sections("link"), base, out);
    let profiles = root.sections("profile");
    let Machines {
        devices,
        called,
        not_published,
    } = devices::machines(profiles, root.sections("device"), &links, out);
    check_numbers(&links, &devices, out);
    let (mut alarms, alarms_not_active) =
        alarms::alarms(root.sections("alarm"), &devices, text, out);
    // A device that this version does not read is not silent: it was never to be heard.
    alarms.retain(|alarm| is_read(&devices[usize::from(alarm.device.0)], &links));
    let local = local::sections(&mut root);
    root.finish();
    warn_of_slow_links(&links, &devices, out);

    let gateway = gateway?;
    let (upstream, topics_root) = upstream??;
    let mut not_active = not_active_links(&links, &devices);
    not_active.extend(not_published.into_iter().map(not_active_tiers));
    not_active.extend(alarms_not_active);
    not_active.extend(local);
    if gateway
        .language
        .is_some_and(|language| language != Language::English)
    {
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
                let topics = topics::topics(LinkIndex(i), &devices, &called);
                link(l, &gateway, topics)
            })
            .collect(),
        upstream,
        data_dir: base.join(&gateway.data_dir),
        memory_budget: gateway.memory_budget.value,
        disk_budget: gateway.disk_budget.value,
        not_active,
        plant: Plant {
            gateway: Gateway {
                root: topics_root,
                site: gateway.site.as_ref().into(),
                area: gateway.area.as_ref().into(),
                id: gateway.id.clone(),
            },
            calendar,
            links: links.iter().map(LinkPart::of_plant).collect(),
            devices,
            alarms,
            cfg: 0,
        },
    };
    buses::check(&settings.plant, &links, out);
    check_budgets(&settings, &gateway, out);
    Some(settings)
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
        let KindPart::ModbusTcp(tcp) = &link.kind else {
            continue;
        };
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
        let timeout = u64::try_from(tcp.timeout.as_millis()).unwrap_or(u64::MAX);
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

fn is_read(device: &Device, links: &[LinkPart]) -> bool {
    links
        .get(usize::from(device.link.0))
        .is_none_or(LinkPart::is_active)
}

fn not_active_links(links: &[LinkPart], devices: &[Device]) -> Vec<NotActive> {
    let inactive = (0..).zip(links).filter(|(_, link)| !link.is_active());
    let tell = inactive.map(|(index, link)| {
        let behind: Vec<&str> = devices
            .iter()
            .filter(|device| device.link == LinkIndex(index))
            .map(|device| &*device.id)
            .collect();
        let readers = match behind.as_slice() {
            [] => String::new(),
            [one] => format!("; nobody reads {one} or judges its alarms"),
            [first, .., last] if behind.len() > 4 => {
                format!(
                    "; nobody reads the {} devices {first} to {last} or judges their alarms",
                    behind.len()
                )
            }
            few => format!("; nobody reads {} or judges their alarms", few.join(", ")),
        };
        NotActive {
            section: format!("[[link]] {}", link.id),
            why: format!("this version does not speak on serial lines{readers}"),
        }
    });
    tell.collect()
}

fn not_active_tiers(asked: NotPublished) -> NotActive {
    let tiers: Vec<&str> = asked.tiers.into_iter().map(Tier::as_str).collect();
    NotActive {
        section: format!("{} publishes {}", asked.section, tiers.join(", ")),
        why: "this version keeps and sends windows of one minute only".into(),
    }
}

fn link(part: &LinkPart, gateway: &GatewayPart, topics: Vec<Topic>) -> Link {
    let kind = match &part.kind {
        KindPart::ModbusTcp(tcp) => LinkKind::ModbusTcp(tcp.clone()),
        KindPart::ModbusRtu => LinkKind::NotActive,
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
