//! The agent's own alarms: they are there without being configured, and an `[[alarm]]` for the device
//! `gateway` without `when` changes how one is told.

use super::alarms::{PRIORITIES, template};
use super::glob::glob_matches;
use super::links::LinkPart;
use super::nearest::suggest;
use super::report::Finding;
use super::values::{boolean, delay, label, one_of, some, text};
use super::walk::{At, Findings, Section};
use andon_core::own::Own;
use andon_core::plant::{Alarm, GATEWAY, Priority};
use andon_core::tag::LinkIndex;
use std::sync::Arc;

/// How an alarm that is there anyway is to be told.
pub(super) struct Change {
    /// With `*` for more than one.
    id: At<String>,
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
        Own::BoardLost => root.has("board"),
        Own::HornTest => root.has("horn"),
        _ => true,
    };
    Own::ALL.into_iter().filter(is_there).collect()
}

/// Whether an `[[alarm]]` speaks of the gateway itself.
pub(super) fn is_meant(section: &Section<'_>) -> bool {
    let names_gateway = |devices: &super::walk::Item<'_>| {
        let elements = devices.value.as_array().into_iter().flatten();
        let mut names = elements.filter_map(|element| element.get_ref().as_str());
        names.any(|name| name == GATEWAY)
    };
    section.peek("devices").as_ref().is_some_and(names_gateway)
}

/// Reads such a section.
pub(super) fn change(mut section: Section<'_>) -> Option<Change> {
    let out = section.out();
    let id = section.need("id", "id = \"link-*\"", |item| {
        label(item).map(|text| text.to_string())
    });
    let only_gateway = section.read(
        "devices",
        some("a list such as [\"gateway\"]", |item| {
            let name = text(item)?;
            if name == GATEWAY {
                return Some(());
            }
            item.wrong(
                format!("`{name}` is not the gateway"),
                "an alarm is of the gateway or of devices: write another [[alarm]] for these",
            )
        }),
    );
    if let Some(item) = section.take("when") {
        out.mistake(
            Finding::at(
                item.span.clone(),
                "the agent's own alarms have their conditions",
            )
            .hint("leave `when` out; priority, delays, latch and texts can be changed"),
        );
    }
    let change = Change {
        id: id?,
        on_delay_ms: section.place("on_delay", delay),
        off_delay_ms: section.place("off_delay", delay),
        priority: section.read("priority", one_of(&PRIORITIES)),
        latched: section.read("latched", boolean),
        text_en: section.read("text_en", template),
        text_zh: section.read("text_zh", template),
    };
    section.finish();
    only_gateway.map(|_| change)
}

/// The alarms of the gateway, each as the changes that match it say; a later one goes before.
pub(super) fn alarms(
    own: Vec<Own>,
    links: &[LinkPart],
    changes: Vec<Change>,
    out: &Findings,
) -> Vec<Alarm> {
    let of_links = links.iter().zip(0..).map(|(link, index)| {
        let own = Own::Link(LinkIndex(index));
        (own, &*link.id)
    });
    let all = own.into_iter().map(|own| (own, "")).chain(of_links);
    let mut alarms: Vec<(Own, &str, Alarm)> = all
        .map(|(own, link)| (own, link, Alarm::of_gateway(own, link)))
        .collect();
    for change in changes {
        let matches = |alarm: &Alarm| glob_matches(&change.id.value, &alarm.id);
        if !alarms.iter().any(|(.., alarm)| matches(alarm)) {
            let ids = alarms.iter().map(|(.., alarm)| &*alarm.id);
            let hint = suggest(&change.id.value, ids, "the manual lists them");
            let what = format!("the agent has no alarm `{}` of its own", change.id.value);
            out.mistake(Finding::at(change.id.span.clone(), what).hint(hint));
        }
        for (own, link, alarm) in alarms.iter_mut().filter(|(.., alarm)| matches(alarm)) {
            change.apply(*own, link, alarm, out);
        }
    }
    alarms.into_iter().map(|(.., alarm)| alarm).collect()
}

impl Change {
    fn apply(&self, own: Own, link: &str, alarm: &mut Alarm, out: &Findings) {
        let fill = |text: &Arc<str>| {
            text.replace("{device}", GATEWAY)
                .replace("{name}", link)
                .replace("{limit}", "-")
                .into()
        };
        let delays = [&self.on_delay_ms, &self.off_delay_ms]
            .into_iter()
            .flatten();
        for delay in delays.filter(|delay| own.is_found_once() && delay.value > 0) {
            let what = format!(
                "`{}` has no delay: it is found once, at the start",
                alarm.id
            );
            out.mistake(Finding::at(delay.span.clone(), what).hint("leave it out"));
        }
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
