//! `[horn]`, `[[horn]]`: through what alarms are heard and seen, which, and in which sequence.

use super::alarms::PRIORITIES;
use super::glob::glob_matches;
use super::links::{KindPart, LinkPart};
use super::nearest::suggest;
use super::report::Finding;
use super::values::{boolean, id, integer, one_of, some, text};
use super::walk::{At, Findings, Item, Section};
use crate::settings::{Coil, GpioLine, Output, Part};
use andon_core::modbus::permit::{Allowed, Target};
use andon_core::plant::{Alarm, Device, GATEWAY, Horn, Priority, Sequence};
use andon_core::tag::{DeviceIndex, LinkIndex};
use std::path::Path;
use std::sync::Arc;

/// The letters of ISA-18.1.
const SEQUENCES: [(&str, Sequence); 3] = [
    ("A", Sequence::Automatic),
    ("M", Sequence::Manual),
    ("R", Sequence::Ringback),
];

const LAMPS: [(&str, Part); 3] = [
    ("red", Part::Red),
    ("yellow", Part::Yellow),
    ("green", Part::Green),
];

const OUTPUTS: &str = "a list such as [\"board\", { gpio = { chip = \"gpiochip0\", line = 3 } }]";

/// What a horn may refer to.
pub(super) struct Around<'a> {
    pub(super) has_board: bool,
    pub(super) links: &'a [LinkPart],
    pub(super) devices: &'a [Device],
    pub(super) allow_write: &'a [(LinkIndex, Allowed)],
}

/// The horns, and what each sounds through. The alarms of those that wait for a reset are latched.
pub(super) fn horns(
    sections: Vec<Section<'_>>,
    around: &Around<'_>,
    alarms: &mut [Alarm],
    out: &Findings,
) -> Vec<(Horn, Vec<Output>)> {
    let mut horns: Vec<(Horn, Vec<Output>)> = Vec::new();
    let mut ids: Vec<At<Arc<str>>> = Vec::new();
    let mut taken: Vec<(At<Output>, Arc<str>)> = Vec::new();
    for section in sections {
        let Some(HornPart { id, horn, outputs }) = horn(section, around) else {
            continue;
        };
        if let Some(first) = ids.iter().find(|other| other.value == id.value) {
            let what = format!("two horns are called `{}`", id.value);
            let hint = "give each an `id`, such as `id = \"hall\"`";
            let finding = Finding::at(id.span.clone(), what).hint(hint);
            out.mistake(finding.also(first.span.clone(), "the first"));
        }
        for output in &outputs {
            if let Some((first, of)) = taken.iter().find(|(other, _)| clash(other, output)) {
                let what = format!("this is what horn `{of}` sounds or shines through already");
                let hint = "two horns would switch it on and off against each other; give them one \
                            `[[horn]]` together";
                let finding = Finding::at(output.span.clone(), what).hint(hint);
                out.mistake(finding.also(first.span.clone(), "there"));
            }
            taken.push((output.clone(), id.value.clone()));
        }
        if horn.sequence.latches() {
            // A call has its own end: somebody says that it is solved.
            let its = alarms.iter_mut();
            let its = its.filter(|alarm| horn.is_for(alarm) && !alarm.is_call());
            its.for_each(|alarm| alarm.latched = true);
        }
        ids.push(id);
        let outputs = outputs.into_iter().map(|output| output.value);
        horns.push((horn, outputs.collect()));
    }
    horns
}

fn clash(one: &At<Output>, other: &At<Output>) -> bool {
    match (&one.value, &other.value) {
        (Output::Board, Output::Board) => true,
        (Output::Gpio(one), Output::Gpio(other)) => {
            (&one.chip, one.line) == (&other.chip, other.line)
        }
        (Output::Coil(one), Output::Coil(other)) => {
            (one.link, one.unit, one.coil) == (other.link, other.unit, other.coil)
        }
        _ => false,
    }
}

/// One horn as configured.
struct HornPart {
    id: At<Arc<str>>,
    horn: Horn,
    outputs: Vec<At<Output>>,
}

fn horn(mut section: Section<'_>, around: &Around<'_>) -> Option<HornPart> {
    let span = section.span();
    let id = section.place("id", id).unwrap_or(At {
        value: "horn".into(),
        span,
    });
    let sequence = section.read("sequence", one_of(&SEQUENCES));
    let from_priority = section.read("from_priority", one_of(&PRIORITIES));
    let by_id = |item: &Item<'_>| matched(item, around.devices);
    let names_gateway = section.peek("devices").is_some_and(|item| {
        let names = item.value.as_array().into_iter().flatten();
        let mut names = names.filter_map(|name| name.get_ref().as_str());
        names.any(|name| name == GATEWAY)
    });
    let devices = section.read("devices", some("a list such as [\"press-*\"]", by_id));
    let by_line = |item: &Item<'_>| of_line(item, around.devices);
    let lines = section.read("lines", some("a list such as [\"A\"]", by_line));
    let through = section.need("through", "through = [\"board\"]", |item| {
        some(OUTPUTS, |element| output(element, around))(item)
    });
    section.finish();
    let is_for_all = devices.is_none() && lines.is_none();
    let devices = match (devices, lines) {
        (None, None) => None,
        (devices, lines) => {
            let all = devices.into_iter().chain(lines).flatten().flatten();
            let mut all: Vec<DeviceIndex> = all.collect();
            all.sort_unstable_by_key(|device| device.0);
            all.dedup();
            Some(all.into())
        }
    };
    let horn = Horn {
        id: id.value.clone(),
        sequence: sequence.unwrap_or_default(),
        from_priority: from_priority.unwrap_or(Priority::Medium),
        devices,
        gateway: is_for_all || names_gateway,
    };
    Some(HornPart {
        id,
        horn,
        outputs: through?.value,
    })
}

/// The devices that a pattern stands for.
fn matched(item: &Item<'_>, devices: &[Device]) -> Option<Vec<DeviceIndex>> {
    let glob = text(item)?;
    if glob == GATEWAY {
        return Some(Vec::new());
    }
    let hits = |id: &str| glob_matches(glob, id);
    let found = select(devices, |device| hits(&device.id));
    if found.is_empty() && !item.out.lost_any(hits) {
        let names = devices.iter().map(|device| &*device.id);
        let none = "write the id of a device; `*` stands for anything";
        return item.wrong(
            format!("no device matches `{glob}`"),
            suggest(glob, names, none),
        );
    }
    Some(found)
}

/// The devices of a line.
fn of_line(item: &Item<'_>, devices: &[Device]) -> Option<Vec<DeviceIndex>> {
    let line = text(item)?;
    let found = select(devices, |device| device.line.as_deref() == Some(line));
    if found.is_empty() && !item.out.are_devices_lost() {
        let mut lines: Vec<&str> = devices.iter().filter_map(|it| it.line.as_deref()).collect();
        lines.sort_unstable();
        lines.dedup();
        let hint = suggest(line, lines, "give devices a `line`");
        return item.wrong(format!("no device stands in line `{line}`"), hint);
    }
    Some(found)
}

fn select(devices: &[Device], is_meant: impl Fn(&Device) -> bool) -> Vec<DeviceIndex> {
    let all = (0..).map(DeviceIndex).zip(devices);
    let found = all.filter(|(_, device)| is_meant(device));
    found.map(|(index, _)| index).collect()
}

/// One element of `through`.
fn output(item: &Item<'_>, around: &Around<'_>) -> Option<At<Output>> {
    let value = match item.value {
        toml::de::DeValue::String(_) => board(item, around.has_board),
        _ => {
            let mut section = item.section("\"board\", or a table with `gpio` or `modbus`")?;
            let lamp = section.read("lamp", one_of(&LAMPS));
            let (has_gpio, has_modbus) = (section.has("gpio"), section.has("modbus"));
            let gpio = section.read("gpio", gpio);
            let coil = section.read("modbus", |item| coil(item, around));
            let pulsed = section.place("pulsed", boolean);
            let (out, span) = (section.out(), section.span());
            section.finish();
            let part = lamp.unwrap_or(Part::Sound);
            if let (Some(pulsed), false) = (&pulsed, has_modbus) {
                let what = "`pulsed` is for coils: everything else always follows the pattern";
                out.mistake(Finding::at(pulsed.span.clone(), what).hint("leave it out"));
            }
            match (has_gpio, has_modbus) {
                (true, false) => gpio.map(|line| Output::Gpio(GpioLine { part, ..line })),
                (false, true) => coil.map(|coil| {
                    let pulsed = pulsed.is_some_and(|pulsed| pulsed.value);
                    Output::Coil(Coil {
                        part,
                        pulsed,
                        ..coil
                    })
                }),
                _ => {
                    let what = "this says not through what it sounds";
                    let hint = "write one of `gpio = { chip = \"gpiochip0\", line = 3 }` and `modbus \
                                = { link = \"relays\", unit = 9, coil = 0 }`";
                    out.mistake(Finding::at(span, what).hint(hint));
                    None
                }
            }
        }
    };
    Some(At {
        value: value?,
        span: item.span.clone(),
    })
}

fn board(item: &Item<'_>, has_board: bool) -> Option<Output> {
    let name = text(item)?;
    if name != "board" {
        return item.wrong(
            format!("a horn cannot sound through `{name}`"),
            "\"board\", `{ gpio = { chip, line } }` or `{ modbus = { link, unit, coil } }`",
        );
    }
    if !has_board && !item.out.is_lost("board") {
        return item.wrong("there is no [board]", "add `[board]` with its `port`");
    }
    Some(Output::Board)
}

/// A line of a GPIO chip.
fn gpio(item: &Item<'_>) -> Option<GpioLine> {
    let mut section = item.section("a table such as `{ chip = \"gpiochip0\", line = 3 }`")?;
    let chip = section.need("chip", "chip = \"gpiochip0\"", |item| {
        let name = text(item)?;
        let path = Path::new("/dev").join(name);
        let is_name = !name.contains('/') || name.starts_with("/dev/");
        match is_name && !name.contains("..") {
            true => Some(path),
            false => item.wrong(
                format!("`{name}` is not a GPIO chip"),
                "write its name, such as \"gpiochip0\" (`ls /dev/gpiochip*` shows them)",
            ),
        }
    });
    let line = section.need("line", "line = 3", integer(0, 4095));
    let active_low = section.read("active_low", boolean);
    section.finish();
    Some(GpioLine {
        part: Part::Sound,
        chip: chip?.value,
        line: u32::try_from(line?.value).ok()?,
        active_low: active_low.unwrap_or(false),
    })
}

/// A coil that may be written.
fn coil(item: &Item<'_>, around: &Around<'_>) -> Option<Coil> {
    let example = "a table such as `{ link = \"relays\", unit = 9, coil = 0 }`";
    let mut section = item.section(example)?;
    let link = section.need("link", "link = \"relays\"", |item| link(item, around.links));
    let unit = section.read("unit", integer(0, 255));
    let has_unit = section.has("unit");
    let address = section.need("coil", "coil = 0", integer(0, 0xFFFF));
    section.finish();
    let unit = match (unit, has_unit) {
        (None, true) => return None,
        (unit, _) => u8::try_from(unit.unwrap_or(1)).ok()?,
    };
    let link = link?.value?;
    let coil = u16::try_from(address?.value).ok()?;
    may_write(item, link, unit, coil, around)?;
    Some(Coil {
        part: Part::Sound,
        link,
        unit,
        coil,
        pulsed: false,
    })
}

/// The link with this id; none inside if it could not be read.
fn link(item: &Item<'_>, links: &[LinkPart]) -> Option<Option<LinkIndex>> {
    let name = text(item)?;
    let mut all = (0..).map(LinkIndex).zip(links);
    let modbus = |link: &&LinkPart| matches!(link.kind, KindPart::Modbus(_));
    match all.find(|(_, link)| *link.id == *name) {
        Some((index, link)) if modbus(&link) => Some(Some(index)),
        Some(_) => item.wrong(
            format!("`{name}` does not speak Modbus"),
            "a coil is behind a link with `modbus_tcp` or `modbus_rtu`",
        ),
        None if item.out.is_lost(name) => Some(None),
        None => {
            let names = links.iter().filter(modbus).map(|link| &*link.id);
            let names: Vec<&str> = names.collect();
            let hint = suggest(name, names, "add a [[link]] with `modbus_tcp`");
            item.wrong(format!("there is no link `{name}`"), hint)
        }
    }
}

/// Whether a device allows the coil to be switched on and off.
fn may_write(
    item: &Item<'_>,
    link: LinkIndex,
    unit: u8,
    coil: u16,
    around: &Around<'_>,
) -> Option<()> {
    let here = |(of, allowed): &&(LinkIndex, Allowed)| {
        let place = (allowed.unit, allowed.target, allowed.address);
        *of == link && place == (unit, Target::Coil, coil)
    };
    let mut allowed = around.allow_write.iter().filter(here).peekable();
    let is_allowed = allowed.peek().is_some();
    let both = |(_, allowed): &(LinkIndex, Allowed)| {
        allowed.permit(0).is_some() && allowed.permit(1).is_some()
    };
    if allowed.any(both) || (!is_allowed && item.out.are_devices_lost()) {
        return Some(());
    }
    let of_unit = |device: &&Device| device.link == link && device.unit == unit;
    let device = around.devices.iter().find(of_unit);
    let hint = match device {
        Some(device) => format!(
            "add `allow_write = [{{ at = \"coil:{coil}\" }}]` to device `{}`",
            device.id
        ),
        None => format!(
            "add a [[device]] with this link, `unit = {unit}`, `allow_write = [{{ at = \
             \"coil:{coil}\" }}]` and the coil as a tag"
        ),
    };
    let what = match is_allowed {
        true => format!("coil {coil} of unit {unit} may not be both switched on and off"),
        false => format!("coil {coil} of unit {unit} may not be written"),
    };
    item.wrong(what, hint)
}
