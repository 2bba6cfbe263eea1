//! The alarms that are there without being configured: the agent's own, and the calls of each device. An
//! `[[alarm]]` without `when`, for the device `gateway` or with the id of a call, changes how they are told.

use super::alarms::{PRIORITIES, template};
use super::glob::glob_matches;
use super::links::{KindPart, LinkPart};
use super::nearest::suggest;
use super::report::Finding;
use super::values::{boolean, delay, label, one_of, some, text};
use super::walk::{At, Findings, Section};
use andon_core::call::Call;
use andon_core::own::Own;
use andon_core::plant::{Alarm, Device, GATEWAY, Priority};
use andon_core::rule::Rule;
use andon_core::tag::{DeviceIndex, LinkIndex};
use std::sync::Arc;

/// Stands for every call.
const CALLS: &str = "call-*";

/// How alarms that are there anyway are to be told.
pub(super) struct Change {
    /// With `*` for more than one.
    id: At<String>,
    /// The devices whose calls it is about; none: the gateway's own alarms.
    calls_of: Option<Vec<At<String>>>,
    on_delay_ms: Option<At<u64>>,
    off_delay_ms: Option<At<u64>>,
    priority: Option<Priority>,
    latched: Option<bool>,
    text_en: Option<Arc<str>>,
    text_zh: Option<Arc<str>>,
}

/// What can go wrong with this gateway itself, but for its links.
pub(super) fn own(root: &Section<'_>) -> Vec<Own> {
    let is_there = |own: &Own| match own {
        Own::Modem => root.has("sms"),
        // The link that it is tells so.
        Own::BoardLost => false,
        Own::HornTest => root.has("horn"),
        Own::Notify => root.has("webhook") || root.has("mail"),
        _ => true,
    };
    Own::ALL.into_iter().filter(is_there).collect()
}

/// Whether an `[[alarm]]` speaks of the gateway itself, or of calls.
pub(super) fn is_meant(section: &Section<'_>) -> bool {
    names_gateway(section) || is_of_calls(section)
}

fn names_gateway(section: &Section<'_>) -> bool {
    let Some(devices) = section.peek("devices") else {
        return false;
    };
    let elements = devices.value.as_array().into_iter().flatten();
    let mut names = elements.filter_map(|element| element.get_ref().as_str());
    names.any(|name| name == GATEWAY)
}

fn is_of_calls(section: &Section<'_>) -> bool {
    let id = section.peek("id").and_then(|id| id.value.as_str());
    let is_call = |id| id == CALLS || Call::ALL.iter().any(|call| call.id() == id);
    id.is_some_and(is_call)
}

/// Reads such a section.
pub(super) fn change(mut section: Section<'_>) -> Option<Change> {
    let out = section.out();
    let of_gateway = names_gateway(&section);
    let id = section.need("id", "id = \"link-*\"", |item| {
        label(item).map(|text| text.to_string())
    });
    let devices = section.read(
        "devices",
        some("a list such as [\"*\"]", |item| {
            let name = text(item)?;
            if of_gateway && name != GATEWAY {
                return item.wrong(
                    format!("`{name}` is not the gateway"),
                    "an alarm is of the gateway or of devices: write another [[alarm]] for these",
                );
            }
            Some(At {
                value: name.to_owned(),
                span: item.span.clone(),
            })
        }),
    );
    if let Some(item) = section.take("when") {
        out.mistake(
            Finding::at(
                item.span.clone(),
                "this alarm is there anyway, with its condition",
            )
            .hint("leave `when` out: how it is told can be changed, or give yours another id"),
        );
    }
    let mut change = Change {
        id: id?,
        calls_of: None,
        on_delay_ms: None,
        off_delay_ms: None,
        priority: section.read("priority", one_of(&PRIORITIES)),
        latched: None,
        text_en: section.read("text_en", template),
        text_zh: section.read("text_zh", template),
    };
    if of_gateway {
        change.on_delay_ms = section.place("on_delay", delay);
        change.off_delay_ms = section.place("off_delay", delay);
        change.latched = section.read("latched", boolean);
    }
    section.finish();
    let devices = devices?;
    if !of_gateway {
        change.calls_of = Some(devices);
    }
    Some(change)
}

/// The alarms of the gateway and the calls of each device, as the changes that match them say; a later
/// one goes before.
pub(super) fn alarms(
    own: Vec<Own>,
    links: &[LinkPart],
    devices: &[Device],
    changes: Vec<Change>,
    out: &Findings,
) -> Vec<Alarm> {
    let (of_calls, of_gateway): (Vec<Change>, Vec<Change>) = changes
        .into_iter()
        .partition(|change| change.calls_of.is_some());
    let mut alarms = own_alarms(own, links, &of_gateway, out);
    alarms.extend(calls(devices, &of_calls, out));
    alarms
}

fn own_alarms(own: Vec<Own>, links: &[LinkPart], changes: &[Change], out: &Findings) -> Vec<Alarm> {
    let of_links = links.iter().zip(0..).map(|(link, index)| {
        let own = Own::Link(LinkIndex(index));
        (own, &*link.id, of_link(own, link))
    });
    let all = own.into_iter();
    let all = all.map(|own| (own, "", Alarm::of_gateway(own, "")));
    let mut alarms: Vec<(Own, &str, Alarm)> = all.chain(of_links).collect();
    for change in changes {
        let matches = |alarm: &Alarm| glob_matches(&change.id.value, &alarm.id);
        if !alarms.iter().any(|(.., alarm)| matches(alarm)) {
            let ids = alarms.iter().map(|(.., alarm)| &*alarm.id);
            let hint = suggest(&change.id.value, ids, "the manual lists them");
            let what = format!("the agent has no alarm `{}` of its own", change.id.value);
            out.mistake(Finding::at(change.id.span.clone(), what).hint(hint));
        }
        for (own, link, alarm) in alarms.iter_mut().filter(|(.., alarm)| matches(alarm)) {
            change.apply(alarm, GATEWAY, link);
            if own.is_found_once() {
                change.check_delays(&alarm.id, out);
                (alarm.on_delay_ms, alarm.off_delay_ms) = (0, 0);
            }
        }
    }
    alarms.into_iter().map(|(.., alarm)| alarm).collect()
}

/// The alarm of a link. The I/O board is one, and has a name that everybody knows.
fn of_link(own: Own, link: &LinkPart) -> Alarm {
    match link.kind {
        KindPart::Board(_) => Alarm {
            when: Rule::Own(own),
            ..Alarm::of_gateway(Own::BoardLost, "")
        },
        _ => Alarm::of_gateway(own, &link.id),
    }
}

fn calls(devices: &[Device], changes: &[Change], out: &Findings) -> Vec<Alarm> {
    for glob in changes.iter().flat_map(|change| &change.calls_of).flatten() {
        let hits = |id: &str| glob_matches(&glob.value, id);
        if !devices.iter().any(|device| hits(&device.id)) && !out.lost_any(hits) {
            let ids = devices.iter().map(|device| &*device.id);
            let hint = suggest(
                &glob.value,
                ids,
                "write the id of a device; `*` stands for anything",
            );
            let what = format!("no device matches `{}`", glob.value);
            out.mistake(Finding::at(glob.span.clone(), what).hint(hint));
        }
    }
    let mut alarms = Vec::new();
    for (index, device) in (0..).map(DeviceIndex).zip(devices) {
        for call in Call::ALL {
            let mut alarm = Alarm::of_call(index, device, call);
            let of_device = |change: &&Change| {
                let mut globs = change.calls_of.iter().flatten();
                glob_matches(&change.id.value, call.id())
                    && globs.any(|glob| glob_matches(&glob.value, &device.id))
            };
            for change in changes.iter().filter(of_device) {
                change.apply(&mut alarm, &device.id, &device.name);
            }
            alarms.push(alarm);
        }
    }
    alarms
}

impl Change {
    /// What is found once has nothing to wait for; a change of others as well may have.
    fn check_delays(&self, id: &str, out: &Findings) {
        let delays = [&self.on_delay_ms, &self.off_delay_ms]
            .into_iter()
            .flatten();
        for delay in delays.filter(|delay| *self.id.value == *id && delay.value > 0) {
            let what = format!("`{id}` has no delay: it is found once, and does not last");
            out.mistake(Finding::at(delay.span.clone(), what).hint("leave it out"));
        }
    }

    fn apply(&self, alarm: &mut Alarm, device: &str, name: &str) {
        let fill = |text: &Arc<str>| {
            text.replace("{device}", device)
                .replace("{name}", name)
                .replace("{limit}", "-")
                .into()
        };
        if let Some(delay) = &self.on_delay_ms {
            alarm.on_delay_ms = delay.value;
        }
        if let Some(delay) = &self.off_delay_ms {
            alarm.off_delay_ms = delay.value;
        }
        alarm.priority = self.priority.unwrap_or(alarm.priority);
        alarm.latched = self.latched.unwrap_or(alarm.latched);
        if let Some(text) = &self.text_en {
            alarm.text_en = fill(text);
        }
        if let Some(text) = &self.text_zh {
            alarm.text_zh = fill(text);
        }
    }
}
