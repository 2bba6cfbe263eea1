//! `[[alarm]]`: one condition, spread over the devices it is for.

use super::builtin;
use super::glob::glob_matches;
use super::links::LinkPart;
use super::nearest::suggest;
use super::report::Finding;
use super::rules::{When, when};
use super::values::{boolean, delay, duration, id, label, number, one_of, some, text};
use super::walk::{At, Findings, Item, Section};
use crate::settings::NotActive;
use andon_core::own::Own;
use andon_core::plant::{Alarm, Device, Owner, Priority};
use andon_core::rule::{self, Op, Rule};
use andon_core::tag::DeviceIndex;
use std::collections::HashSet;
use std::ops::Range;
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
    over: Option<Range<usize>>,
    deadband: f64,
    on_delay_ms: u64,
    off_delay_ms: u64,
    priority: Priority,
    latched: bool,
    suppress_when: Option<At<When>>,
    text_en: Option<Arc<str>>,
    text_zh: Option<Arc<str>>,
}

/// The alarms of every device and of the gateway, which has one for each of `own` and for each link;
/// and the sections that are not active.
pub(super) fn alarms(
    sections: Vec<Section<'_>>,
    devices: &[Device],
    (own, links): (Vec<Own>, &[LinkPart]),
    text: &str,
    out: &Findings,
) -> (Vec<Alarm>, Vec<NotActive>) {
    let mut alarms: Vec<Alarm> = Vec::new();
    let mut not_active = Vec::new();
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
        if alarms[before..]
            .iter()
            .any(|alarm| alarm.when.needs_figures())
        {
            not_active.push(NotActive {
                section: format!("[[alarm]] {}", part.id.value),
                why: "needs figures over a window, which this version does not keep yet".into(),
            });
        }
        ids.push(part.id);
    }
    alarms.extend(builtin::alarms(own, links, changes, out));
    (alarms, not_active)
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
        over: over.map(|at| at.span),
        deadband,
        on_delay_ms,
        off_delay_ms,
        priority: priority.unwrap_or(Priority::Medium),
        latched,
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

/// A text with `{device}` and `{name}` to be filled in.
pub(super) fn template(item: &Item<'_>) -> Option<Arc<str>> {
    let text = label(item)?;
    let mut rest: &str = &text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return item.wrong("a `{` is not closed", "write {device} or {name}");
        };
        if !matches!(name, "device" | "name") {
            return item.wrong(
                format!("`{{{name}}}` stands for nothing"),
                "use {device} for the id and {name} for the name of the device",
            );
        }
        rest = after;
    }
    Some(text)
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
        warn_of_chatter(part, rule, out);
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
        match when.value.rule(part.deadband, device, devices, out) {
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
    // Where the two differ, a name was lost.
    if rule.needs_figures() != part.when.value.names_figure() {
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
                over.clone(),
                "`over` is for figures, and this condition has none",
            )
            .hint("leave it out; `on_delay` says how long the condition must hold"),
        ),
        _ => {}
    }
}

/// A value that swings around its limit would raise and clear with each reading.
fn warn_of_chatter(part: &AlarmPart, rule: &Rule, out: &Findings) {
    let mut swings = false;
    rule.for_each_leaf(&mut |leaf| {
        swings |= matches!(leaf, Rule::Tag { op, .. } if !matches!(op, Op::Equal | Op::NotEqual));
    });
    if swings && part.deadband == 0.0 && part.off_delay_ms == 0 {
        out.warn(
            Finding::at(
                part.when.span.clone(),
                format!(
                    "alarm `{}` may come and go with each reading",
                    part.id.value
                ),
            )
            .hint("add a `deadband` in the unit of the tag, or an `off_delay`"),
        );
    }
}

impl AlarmPart {
    fn for_device(&self, index: DeviceIndex, device: &Device, when: Rule) -> Alarm {
        let fill = |text: &str| {
            text.replace("{device}", &device.id)
                .replace("{name}", &device.name)
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
            suppress_when: None,
            text_en: en.unwrap_or_else(|| format!("{}: {id}", device.id).into()),
            text_zh: zh.unwrap_or_else(|| format!("{}：{id}", device.name).into()),
        }
    }
}
