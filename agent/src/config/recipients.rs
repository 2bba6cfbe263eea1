//! Who is told of alarms: the keys that a person, a mailbox and a robot have in common, and what they
//! come to.

use super::alarms::PRIORITIES;
use super::calendar::Calendars;
use super::glob::glob_matches;
use super::nearest::suggest;
use super::report::Finding;
use super::values::{boolean, delay, integer, label, minutes, one_of, some, text};
use super::walk::{At, Findings, Item, Section};
use andon_core::calendar::MinuteOfDay;
use andon_core::plant::{
    Budget, Channel, Device, GATEWAY, Language, Plant, Priority, Recipient, Roster,
};
use andon_core::tag::DeviceIndex;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Words for languages.
pub(super) const LANGUAGES: [(&str, Language); 2] =
    [("zh", Language::Chinese), ("en", Language::English)];

/// More are no people of one plant.
const MOST: usize = 200;

/// A recipient as it is written.
#[derive(Debug)]
pub(super) struct RecipientPart {
    pub(super) channel: Channel,
    pub(super) name: Arc<str>,
    pub(super) address: At<Arc<str>>,
    /// Where its section stands.
    pub(super) span: Range<usize>,
    rest: Rest,
}

/// What every kind of recipient may say.
#[derive(Debug)]
pub(super) struct Rest {
    language: Option<Language>,
    from_priority: Option<Priority>,
    after_ms: u64,
    devices: Option<Vec<At<String>>>,
    lines: Option<Vec<At<String>>>,
    shifts: Option<Vec<At<String>>>,
    quiet: Option<(MinuteOfDay, MinuteOfDay)>,
    returns: bool,
    per_hour: Option<u16>,
    per_day: Option<u16>,
}

impl Rest {
    /// Reads the keys that every kind of recipient may have.
    pub(super) fn read(section: &mut Section<'_>) -> Rest {
        let names = |item: &Item<'_>| {
            text(item).map(|text| At {
                value: text.to_owned(),
                span: item.span.clone(),
            })
        };
        let list = |example: &'static str| some(example, names);
        Rest {
            from_priority: section.read("from_priority", one_of(&PRIORITIES)),
            after_ms: section.read("after", delay).unwrap_or(0),
            devices: section.read("devices", list("a list such as [\"press-*\"]")),
            lines: section.read("lines", list("a list such as [\"A\"]")),
            shifts: section.read("shifts", list("a list such as [\"day\"]")),
            quiet: section.read("quiet", quiet),
            language: section.read("language", one_of(&LANGUAGES)),
            returns: section.read("returns", boolean).unwrap_or(false),
            per_hour: section.read("per_hour", count(1, 600)),
            per_day: section.read("per_day", count(1, 5000)),
        }
    }

    /// With who it is, and how they are reached.
    pub(super) fn of(
        self,
        channel: Channel,
        name: Arc<str>,
        address: At<Arc<str>>,
        span: Range<usize>,
    ) -> RecipientPart {
        RecipientPart {
            channel,
            name,
            address,
            span,
            rest: self,
        }
    }
}

/// How often, in 16 bits.
pub(super) fn count(low: i64, high: i64) -> impl Fn(&Item<'_>) -> Option<u16> {
    move |item| integer(low, high)(item).and_then(|count| u16::try_from(count).ok())
}

/// `22:00-06:00`.
fn quiet(item: &Item<'_>) -> Option<(MinuteOfDay, MinuteOfDay)> {
    let text = text(item)?;
    let ends = text
        .split_once('-')
        .and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
    match ends {
        Some((from, to)) if from != to => Some((from, to)),
        _ => item.wrong(
            format!("`{text}` are no quiet hours"),
            "write when they begin and end, such as \"22:00-06:00\"",
        ),
    }
}

/// What recipients are checked against.
pub(super) struct Known<'k> {
    pub(super) devices: &'k [Device],
    pub(super) calendars: &'k Calendars,
    /// What people read who name no language.
    pub(super) language: Language,
    /// What may be sent to somebody who says nothing of it.
    pub(super) budget: Budget,
}

impl RecipientPart {
    /// The recipient, or none after a mistake was reported.
    pub(super) fn checked(self, known: &Known<'_>, out: &Findings) -> Recipient {
        let rest = self.rest;
        let (devices, gateway) = devices(&rest, known, out);
        if let Some(shifts) = &rest.shifts {
            check_shifts(shifts, known.calendars, out);
        }
        let per_hour = rest.per_hour.unwrap_or(known.budget.per_hour);
        let per_day = rest.per_day.unwrap_or(known.budget.per_day.max(per_hour));
        let shifts = rest.shifts.map(|shifts| {
            let names = shifts.iter().map(|shift| shift.value.as_str().into());
            names.collect()
        });
        Recipient {
            channel: self.channel,
            name: self.name,
            address: self.address.value,
            language: rest.language.unwrap_or(known.language),
            from_priority: rest.from_priority.unwrap_or(Priority::Medium),
            after_ms: rest.after_ms,
            devices,
            gateway,
            shifts,
            quiet: rest.quiet,
            returns: rest.returns,
            budget: Budget { per_hour, per_day },
        }
    }
}

/// Whose alarms they are told of: those of devices that `devices` matches and that stand in `lines`; and
/// whether of the gateway's own. None: of every device.
fn devices(rest: &Rest, known: &Known<'_>, out: &Findings) -> (Option<Vec<DeviceIndex>>, bool) {
    for glob in rest.devices.iter().flatten() {
        let hits = |id: &str| glob_matches(&glob.value, id);
        let ids = || {
            known
                .devices
                .iter()
                .map(|device| &*device.id)
                .chain([GATEWAY])
        };
        if ids().any(hits) || out.lost_any(hits) {
            continue;
        }
        let hint = suggest(
            &glob.value,
            ids(),
            "write the id of a device; `*` stands for anything",
        );
        let what = format!("no device matches `{}`", glob.value);
        out.mistake(Finding::at(glob.span.clone(), what).hint(hint));
    }
    let lines: HashSet<&str> = known
        .devices
        .iter()
        .filter_map(|d| d.line.as_deref())
        .collect();
    for line in rest.lines.iter().flatten() {
        if !lines.contains(&*line.value) && !out.are_devices_lost() {
            let hint = suggest(
                &line.value,
                lines.iter().copied(),
                "write the `line` of a device",
            );
            let what = format!("no device stands in line `{}`", line.value);
            out.mistake(Finding::at(line.span.clone(), what).hint(hint));
        }
    }
    if rest.devices.is_none() && rest.lines.is_none() {
        return (None, true);
    }
    let named = |id: &str| {
        let globs = rest.devices.as_ref();
        globs.is_none_or(|globs| globs.iter().any(|glob| glob_matches(&glob.value, id)))
    };
    let in_line = |device: &Device| {
        let lines = rest.lines.as_ref();
        lines.is_none_or(|lines| {
            let line = device.line.as_deref();
            lines.iter().any(|wanted| Some(&*wanted.value) == line)
        })
    };
    let devices = (0u16..).map(DeviceIndex).zip(known.devices);
    let theirs = devices.filter(|(_, device)| named(&device.id) && in_line(device));
    let gateway = rest.devices.as_ref().is_some_and(|_| named(GATEWAY));
    (Some(theirs.map(|(index, _)| index).collect()), gateway)
}

fn check_shifts(shifts: &[At<String>], calendars: &Calendars, out: &Findings) {
    let names: Vec<&str> = calendars.shift_names().collect();
    for shift in shifts {
        if names.contains(&&*shift.value)
            || out.is_definition_lost(&shift.value)
            || out.is_lost("shift")
        {
            continue;
        }
        let hint = suggest(
            &shift.value,
            names.iter().copied(),
            "write the `name` of a [[shift]]",
        );
        let what = format!("there is no shift `{}`", shift.value);
        out.mistake(Finding::at(shift.span.clone(), what).hint(hint));
    }
}

/// No two on one channel have the same address, and there are not too many.
pub(super) fn check(parts: &[RecipientPart], out: &Findings) {
    for (index, part) in parts.iter().enumerate() {
        let same = |other: &&RecipientPart| {
            other.channel == part.channel && other.address.value == part.address.value
        };
        if let Some(first) = parts[..index].iter().find(same) {
            let what = format!("`{}` is told twice", part.address.value);
            out.mistake(
                Finding::at(part.address.span.clone(), what)
                    .hint("join the two sections")
                    .also(first.address.span.clone(), "the first"),
            );
        }
    }
    if let Some(first) = parts.get(MOST) {
        let what = format!("more than {MOST} people, mailboxes and robots are told");
        out.mistake(
            Finding::at(first.span.clone(), what).hint("let a list or a group stand for several"),
        );
    }
}

/// Warns of high alarms that nobody would be told of, where somebody is told of others.
pub(super) fn warn_of_untold(plant: &Plant, spans: &[Range<usize>], out: &Findings) {
    let Roster { recipients, .. } = &plant.roster;
    let Some(span) = spans.first() else { return };
    let high = || {
        plant
            .alarms
            .iter()
            .filter(|alarm| alarm.priority == Priority::High)
    };
    let tells = |alarm: &&andon_core::plant::Alarm| recipients.iter().any(|r| r.watches(alarm));
    let id =
        |alarm: &andon_core::plant::Alarm| format!("{}.{}", plant.owner_id(alarm.owner), alarm.id);
    let mut untold = high().filter(|alarm| !tells(alarm));
    if let Some(first) = untold.next() {
        let more = match untold.count() {
            0 => String::new(),
            more => format!(" and of {more} more"),
        };
        let what = format!("nobody is told of the high alarm `{}`{more}", id(first));
        out.warn(Finding::at(span.clone(), what).hint(
            "let somebody have them: without `devices` and `lines` they are told of every machine",
        ));
    }
    let anytime = |alarm: &andon_core::plant::Alarm| {
        let told = recipients.iter().filter(|r| r.watches(alarm));
        told.clone().count() == 0 || told.clone().any(|r| r.shifts.is_none()) || covers(plant, told)
    };
    let mut gaps = high().filter(|alarm| !anytime(alarm));
    if let Some(first) = gaps.next() {
        let more = match gaps.count() {
            0 => String::new(),
            more => format!(" and of {more} more"),
        };
        let what = format!(
            "in some shift, or between shifts, nobody is told of the high alarm `{}`{more}",
            id(first)
        );
        out.warn(
            Finding::at(span.clone(), what)
                .hint("give somebody every shift, or no `shifts` at all"),
        );
    }
}

/// Whether there is no time outside the shifts of these people: not known of shifts that leave gaps, so
/// only where every shift is somebody's and shifts cover each day.
fn covers<'r>(plant: &Plant, told: impl Iterator<Item = &'r Recipient> + Clone) -> bool {
    plant.calendars().all(|calendar| {
        let mut week = [false; 7 * 24 * 60];
        for shift in &calendar.shifts {
            let of_somebody = told
                .clone()
                .any(|r| r.shifts.iter().flatten().any(|name| *name == shift.name));
            if !of_somebody {
                return false;
            }
            let length = (usize::from(shift.end) + 1439 - usize::from(shift.start)) % 1440 + 1;
            for day in (0..7).filter(|day| shift.days[*day]) {
                let start = day * 1440 + usize::from(shift.start);
                for minute in start..start + length {
                    week[minute % (7 * 1440)] = true;
                }
            }
        }
        week.iter().all(|covered| *covered)
    })
}

/// The name of a person or a robot.
pub(super) fn name(section: &mut Section<'_>, example: &'static str) -> Option<Arc<str>> {
    section.need("name", example, label).map(|at| at.value)
}
