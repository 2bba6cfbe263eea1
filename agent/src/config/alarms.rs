//! `[[alarm]]`: one condition, spread over the devices it is for.

mod hygiene;

use super::builtin;
use super::glob::glob_matches;
use super::links::LinkPart;
use super::nearest::suggest;
use super::report::Finding;
use super::rules::{When, when};
use super::values::{boolean, delay, duration, id, label, number, one_of, some, text};
use super::walk::{At, Findings, Item, Section};
use andon_core::own::Own;
use andon_core::plant::{Alarm, Device, Owner, Priority};
use andon_core::rule::{self, Rule};
use andon_core::tag::DeviceIndex;
use std::collections::HashSet;
use std::sync::Arc;

/// Words for priorities.
pub(super) const PRIORITIES: [(&str, Priority); 3] = [
    ("low", Priority::Low),
    ("medium", Priority::Medium),
    ("high", Priority::High),
];

/// One `[[alarm]]` before it is spread.
struct AlarmPart {
    id: At<Arc<str>>,
    globs: Vec<At<String>>,
    when: At<When>,
    over: Option<At<u64>>,
    deadband: f64,
    on_delay_ms: u64,
    off_delay_ms: u64,
    priority: Priority,
    latched: bool,
    group: Option<Arc<str>>,
    suppress_when: Option<At<When>>,
    text_en: Option<Arc<str>>,
    text_zh: Option<Arc<str>>,
}

/// The alarms of every device, and those of the gateway: one for each of `own`, and one for each link.
pub(super) fn alarms(
    sections: Vec<Section<'_>>,
    devices: &[Device],
    (own, links): (Vec<Own>, &[LinkPart]),
    text: &str,
    out: &Findings,
) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = Vec::new();
    let mut ids: Vec<At<Arc<str>>> = Vec::new();
    let mut seen: HashSet<(DeviceIndex, Arc<str>)> = HashSet::new();
    let mut changes = Vec::new();
    for section in sections {
        if builtin::is_meant(&section) {
            changes.extend(builtin::change(section));
            continue;
        }
        let Some(part) = alarm(section, text) else {
            continue;
        };
        let before = alarms.len();
        let matched = matched(&part, devices, out);
        for (device, rule) in spread(&part, &matched, devices, out) {
            let index = usize::from(device.0);
            if !seen.insert((device, part.id.value.clone())) {
                let first = ids.iter().find(|other| other.value == part.id.value);
                duplicate(&part, &devices[index], first, out);
                break;
            }
            alarms.push(part.for_device(device, &devices[index], rule));
        }
        suppress(&part, &matched, devices, &mut alarms[before..], out);
        ids.push(part.id);
    }
    alarms.extend(builtin::alarms(own, links, devices, changes, out));
    alarms
}

fn duplicate(part: &AlarmPart, device: &Device, first: Option<&At<Arc<str>>>, out: &Findings) {
    let what = format!("`{}` has two alarms `{}`", device.id, part.id.value);
    let mut finding = Finding::at(part.id.span.clone(), what)
        .hint("give this one another id, or other `devices`");
    if let Some(first) = first {
        finding = finding.also(first.span.clone(), "the first");
    }
    out.mistake(finding);
}

fn alarm(mut section: Section<'_>, source: &str) -> Option<AlarmPart> {
    let out = section.out();
    let id = section.need("id", "id = \"fault\"", id);
    let glob = |item: &Item<'_>| {
        text(item).map(|text| At {
            value: text.to_owned(),
            span: item.span.clone(),
        })
    };
    let globs = section.need(
        "devices",
        "devices = [\"*\"]",
        some("a list such as [\"press-*\"]", glob),
    );
    let when = section.need("when", "when = \"state == faulted\"", |item| {
        when(item, source)
    });
    let over = section.place("over", duration(60_000, 31 * 24 * 3_600_000));
    let deadband = section.read("deadband", deadband).unwrap_or(0.0);
    let on_delay_ms = section.read("on_delay", delay).unwrap_or(0);
    let off_delay_ms = section.read("off_delay", delay).unwrap_or(0);
    let priority = section.read("priority", one_of(&PRIORITIES));
    let latched = section.read("latched", boolean).unwrap_or(false);
    let group = section.read("group", group);
    let suppress_when = section.read("suppress_when", |item| {
        super::rules::when(item, source).map(|value| At {
            value,
            span: item.span.clone(),
        })
    });
    let text_en = section.read("text_en", template);
    let text_zh = section.read("text_zh", template);
    section.finish();
    if let (Some(id), true) = (&id, globs.is_none() || when.is_none()) {
        out.lose(&id.value);
    }
    Some(AlarmPart {
        id: id?,
        globs: globs?.value,
        when: when?,
        over,
        deadband,
        on_delay_ms,
        off_delay_ms,
        priority: priority.unwrap_or(Priority::Medium),
        latched,
        group,
        suppress_when,
        text_en,
        text_zh,
    })
}

/// Gives the alarms of a part the rule that suppresses them.
fn suppress(
    part: &AlarmPart,
    matched: &[DeviceIndex],
    devices: &[Device],
    alarms: &mut [Alarm],
    out: &Findings,
) {
    let Some(when) = &part.suppress_when else {
        return;
    };
    let rules = rules(part, when, matched, devices, out);
    if rules.iter().any(|(_, rule)| rule.needs_figures()) {
        out.mistake(
            Finding::at(when.span.clone(), "a figure suppresses no alarm")
                .hint("write a rule on states or tags, such as \"state == planned_stop\""),
        );
    }
    for (device, rule) in rules {
        if let Some(alarm) = alarms
            .iter_mut()
            .find(|alarm| alarm.owner == Owner::Device(device))
        {
            alarm.suppress_when = Some(rule);
        }
    }
}

fn deadband(item: &Item<'_>) -> Option<f64> {
    let width = number(item)?;
    if width < 0.0 {
        return item.wrong(
            "a deadband is not negative",
            "in the unit of the tag, such as 10",
        );
    }
    Some(width)
}

/// A text with `{device}`, `{name}`, `{value}` and `{limit}` to be filled in.
pub(super) fn template(item: &Item<'_>) -> Option<Arc<str>> {
    let text = label(item)?;
    let hint = "use {device} for the id and {name} for the name of the device, {value} for what \
                raised the alarm and {limit} for what it is compared with";
    filled_with(item, &text, &["device", "name", "value", "limit"], hint)?;
    Some(text)
}

/// The name of a group, in which `{device}` makes one of each device.
fn group(item: &Item<'_>) -> Option<Arc<str>> {
    let text = label(item)?;
    let hint = "a group may have {device} in it: then each device has its own";
    filled_with(item, &text, &["device"], hint)?;
    Some(text)
}

fn filled_with(item: &Item<'_>, text: &str, names: &[&str], hint: &str) -> Option<()> {
    let mut rest: &str = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return item.wrong("a `{` is not closed", hint);
        };
        if !names.contains(&name) {
            return item.wrong(format!("`{{{name}}}` stands for nothing"), hint);
        }
        rest = after;
    }
    Some(())
}

/// The devices of an alarm, each with the condition as it reads there.
fn spread(
    part: &AlarmPart,
    matched: &[DeviceIndex],
    devices: &[Device],
    out: &Findings,
) -> Vec<(DeviceIndex, Rule)> {
    let rules = rules(part, &part.when, matched, devices, out);
    if let Some((_, rule)) = rules.first() {
        check_over(part, rule, out);
        hygiene::warn(part, rule, devices, out);
    }
    rules
}

/// The devices of an alarm, each with a rule of it as it reads there.
fn rules(
    part: &AlarmPart,
    when: &At<When>,
    matched: &[DeviceIndex],
    devices: &[Device],
    out: &Findings,
) -> Vec<(DeviceIndex, Rule)> {
    let mut rules = Vec::new();
    let mut wrong: Vec<(rule::Mistake, usize)> = Vec::new();
    for &device in matched {
        let over_ms = part.over.as_ref().map_or(0, |over| over.value);
        let numbers = (part.deadband, over_ms);
        match when.value.rule(numbers, device, devices, out) {
            Ok(rule) => rules.push((device, rule)),
            Err(mistake) => match wrong.iter_mut().find(|(other, _)| other.at == mistake.at) {
                Some((_, more)) => *more += 1,
                None => wrong.push((mistake, 0)),
            },
        }
    }
    if rules.is_empty() && wrong.is_empty() {
        let grammar = when.value.grammar(part.deadband);
        wrong.extend(grammar.err().map(|mistake| (mistake, 0)));
    }
    for (mistake, more) in wrong {
        let what = match more {
            0 => mistake.what,
            1 => format!("{} (the same for 1 more device)", mistake.what),
            _ => format!("{} (the same for {more} more devices)", mistake.what),
        };
        let span = when.value.span_of(&when.span, mistake.at, mistake.len);
        let finding = Finding::at(span, what);
        out.mistake(match mistake.hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        });
    }
    rules
}

/// The devices that an alarm is for.
fn matched(part: &AlarmPart, devices: &[Device], out: &Findings) -> Vec<DeviceIndex> {
    for glob in &part.globs {
        let hits = |id: &str| glob_matches(&glob.value, id);
        if devices.iter().any(|device| hits(&device.id)) || out.lost_any(hits) {
            continue;
        }
        let names = devices.iter().map(|device| &*device.id);
        let hint = suggest(
            &glob.value,
            names,
            "write the id of a device; `*` stands for anything",
        );
        let what = format!("no device matches `{}`", glob.value);
        out.mistake(Finding::at(glob.span.clone(), what).hint(hint));
    }
    (0u16..)
        .zip(devices)
        .filter(|(_, device)| {
            part.globs
                .iter()
                .any(|glob| glob_matches(&glob.value, &device.id))
        })
        .map(|(index, _)| DeviceIndex(index))
        .collect()
}

fn check_over(part: &AlarmPart, rule: &Rule, out: &Findings) {
    if rule.has_lost() {
        return;
    }
    match (&part.over, rule.needs_figures()) {
        (None, true) => out.mistake(
            Finding::at(
                part.when.span.clone(),
                "a figure needs the time it is taken over",
            )
            .hint("add `over = \"8 h\"`"),
        ),
        (Some(over), false) => out.mistake(
            Finding::at(
                over.span.clone(),
                "`over` is for figures, and this condition has none",
            )
            .hint("leave it out; `on_delay` says how long the condition must hold"),
        ),
        _ => {}
    }
}

impl AlarmPart {
    fn for_device(&self, index: DeviceIndex, device: &Device, when: Rule) -> Alarm {
        let limit = when
            .limit()
            .map_or(String::from("-"), |limit| limit.to_string());
        let fill = |text: &str| {
            text.replace("{device}", &device.id)
                .replace("{name}", &device.name)
                .replace("{limit}", &limit)
                .into()
        };
        let id = &self.id.value;
        let en = self.text_en.as_deref().map(fill);
        let zh = self.text_zh.as_deref().map(fill);
        Alarm {
            owner: Owner::Device(index),
            id: id.clone(),
            priority: self.priority,
            when,
            on_delay_ms: self.on_delay_ms,
            off_delay_ms: self.off_delay_ms,
            latched: self.latched,
            group: self
                .group
                .as_ref()
                .map(|group| group.replace("{device}", &device.id).into()),
            suppress_when: None,
            text_en: en.unwrap_or_else(|| format!("{}: {id}", device.id).into()),
            text_zh: zh.unwrap_or_else(|| format!("{}：{id}", device.name).into()),
        }
    }
}
