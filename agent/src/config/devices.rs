//! `[[profile]]` and `[[device]]`: a device is its profile, overridden key by key.

use super::addresses::ADDRESSES;
use super::calendar::Calendars;
use super::called::{Addresses, address};
use super::detect::detectors;
use super::links::{LinkPart, Speaks};
use super::manners;
use super::models::{
    Common, check_scrap, common, late, merged, model, publishes_tags, stale_after,
};
use super::nearest::suggest;
use super::pages::Paths;
use super::rates::RatePart;
use super::report::Finding;
use super::shipped;
use super::tags::{Comes, TagPart};
use super::values::{id, integer, label, text};
use super::walk::{At, Findings, Item, Section, Written};
use super::writes::{Write, writes};
use andon_core::modbus::permit::Allowed;
use andon_core::plant::{Device, Model};
use andon_core::summary::TierSet;
use andon_core::tag::LinkIndex;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// First levels of topics that stand for something else (contract §1).
const RESERVED: [&str; 4] = ["gateway", "status", "event", "cmd"];

/// Half of the time must be known, and half an hour of work, before a figure says something.
const MIN_COVERAGE: u16 = 5000;
const MIN_EXPOSURE_MS: u64 = 30 * 60 * 1000;

/// The machines.
#[derive(Debug, Default)]
pub(super) struct Machines {
    pub(super) devices: Vec<Device>,
    /// What each is called in topics and messages.
    pub(super) called: Vec<Arc<str>>,
    /// What may be written, by link.
    pub(super) allow_write: Vec<(LinkIndex, Allowed)>,
    /// Of each: the pages of its tags, if it is asked by HTTP.
    pub(super) paths: Vec<Paths>,
}

struct Profile {
    id: At<Arc<str>>,
    common: Common,
    used: bool,
    /// The bytes of its file if it came with the agent.
    shipped: Option<Range<usize>>,
}

/// Models that devices share: those of a profile, by what its links speak.
type Shared = HashMap<(usize, bool), Arc<Model>>;

pub(super) fn machines(
    profile_sections: Vec<Section<'_>>,
    shipped: Vec<Section<'_>>,
    device_sections: Vec<Section<'_>>,
    links: &[LinkPart],
    calendars: &Calendars,
    out: &Findings,
) -> Machines {
    let mut machines = Machines::default();
    let mut profiles = profiles(profile_sections, shipped, out);
    let mut shared = Shared::new();
    let mut seen: HashMap<Arc<str>, Range<usize>> = HashMap::new();
    let mut template = None;
    let mut before = out.count();
    let mut addresses = Addresses::default();
    for section in device_sections {
        // Copies of one section stand in one place.
        if template != Some(section.span()) {
            out.merge_copies(before);
            before = out.count();
            template = Some(section.span());
        }
        let Some(found) = read_device(section) else {
            continue;
        };
        if let Some(first) = seen.get(&found.id.value) {
            // One of the two may stand for others whose numbers are wrong.
            if !out.are_devices_lost() {
                duplicate("device", &found.id, first, out);
            }
            continue;
        }
        if found.named {
            seen.insert(found.id.value.clone(), found.id.span.clone());
        }
        let name = found.id.value.clone();
        let (id, address) = (found.id.clone(), found.address.clone());
        let writes = found.writes.clone();
        match build(found, &mut profiles, links, calendars, &mut shared, out) {
            Some((device, paths)) => {
                let link = device.link;
                let called = address.unwrap_or(id);
                if !links[usize::from(link.0)].speaks().is_modbus() {
                    addresses.check(link, &called, out);
                }
                let allowed = writes.into_iter().flat_map(|writes| writes.value);
                let of_unit = |write: Write| (link, write.of_unit(device.unit));
                machines.allow_write.extend(allowed.map(of_unit));
                machines.devices.push(device);
                machines.called.push(called.value);
                machines.paths.push(paths);
            }
            None => out.lose(&name),
        }
    }
    out.merge_copies(before);
    let unused = |profile: &&Profile| !profile.used && profile.shipped.is_none();
    for profile in profiles.iter().filter(unused) {
        calendars.find(profile.common.calendar.as_ref(), out);
        check_unused(profile, out);
    }
    machines
}

fn profiles(sections: Vec<Section<'_>>, shipped: Vec<Section<'_>>, out: &Findings) -> Vec<Profile> {
    let mut profiles: Vec<Profile> = Vec::new();
    let mut all: Vec<_> = sections
        .into_iter()
        .map(|section| (section, None))
        .collect();
    for mut file in shipped {
        let span = file.span();
        let sections = file.sections("profile").into_iter();
        all.extend(sections.map(|section| (section, Some(span.clone()))));
        file.finish();
    }
    for (mut section, shipped) in all {
        let id = section.need("id", "id = \"press\"", id);
        let common = common(&mut section);
        section.finish();
        let Some(id) = id else {
            continue;
        };
        if let Some(first) = profiles.iter().find(|other| other.id.value == id.value) {
            duplicate("profile", &id, &first.id.span, out);
            continue;
        }
        profiles.push(Profile {
            id,
            common,
            used: false,
            shipped,
        });
    }
    profiles
}

fn duplicate(what: &str, id: &At<Arc<str>>, first: &Range<usize>, out: &Findings) {
    out.mistake(
        Finding::at(
            id.span.clone(),
            format!("there are two {what}s `{}`", id.value),
        )
        .hint(format!("give each {what} an id of its own"))
        .also(first.clone(), "the first"),
    );
}

/// A `[[device]]` before its references are followed.
struct Found {
    id: At<Arc<str>>,
    /// Whether `id` is the device's own; without one the rest is checked all the same.
    named: bool,
    name: Option<Arc<str>>,
    asset: Option<Arc<str>>,
    profile: Option<At<String>>,
    link: Option<At<String>>,
    unit: Option<At<u8>>,
    address: Option<At<Arc<str>>>,
    writes: Option<At<Vec<Write>>>,
    common: Common,
    span: Range<usize>,
}

fn read_device(section: Section<'_>) -> Option<Found> {
    let mut section = section;
    if section.take("each").is_some() && section.is_plain() {
        section = section.written(Written::WithPlaceholders);
    }
    let owned = |item: &Item<'_>| text(item).map(str::to_owned);
    let span = section.span();
    let id = section.need("id", "id = \"press-1\"", device_id);
    let name = section.read("name", label);
    let asset = section.read("asset", label);
    let profile = section.place("profile", owned);
    let link = section.place("link", owned);
    // Addresses have become links; what is still there came with one too many.
    let keys = [
        "link",
        ADDRESSES[0],
        ADDRESSES[1],
        ADDRESSES[2],
        ADDRESSES[3],
    ];
    for key in ADDRESSES {
        section.take(key);
    }
    if !keys
        .iter()
        .any(|key| section.has(key) || section.has_blanked(key))
    {
        without_link(&section, &keys);
    }
    let unit = section.place("unit", |item| {
        integer(0, 255)(item).and_then(|unit| u8::try_from(unit).ok())
    });
    let address = section.place("address", address);
    let writes = section.place("allow_write", writes);
    let common = common(&mut section);
    section.finish();
    let named = id.is_some();
    let id = id.unwrap_or_else(|| At {
        value: "?".into(),
        span: span.clone(),
    });
    Some(Found {
        id,
        named,
        name,
        asset,
        profile,
        link,
        unit,
        address,
        writes,
        common,
        span,
    })
}

fn without_link(section: &Section<'_>, keys: &[&str]) {
    let what = "nothing says where this device is read";
    let hint = "add `link = \"ID\"` of a [[link]], or `modbus_tcp = \"HOST:502\"`";
    let out = section.out();
    out.mistake(Finding::at(section.place_of_missing(keys), what).hint(hint));
}

fn device_id(item: &Item<'_>) -> Option<Arc<str>> {
    let id = id(item)?;
    if RESERVED.contains(&&*id) {
        item.out.lose(&id);
        return item.wrong(
            format!("`{id}` is reserved"),
            "it is a topic of the agent itself; choose another id",
        );
    }
    Some(id)
}

fn build(
    found: Found,
    profiles: &mut [Profile],
    links: &[LinkPart],
    calendars: &Calendars,
    shared: &mut Shared,
    out: &Findings,
) -> Option<(Device, Paths)> {
    let before = out.count();
    let profile = find_profile(&found, profiles, out);
    let link = find_link(&found, links, out);
    let profile = profile?;
    if let Some(index) = profile {
        profiles[index].used = true;
    }
    let none = Common::default();
    let base = profile.map_or(&none, |index| &profiles[index].common);
    let own = &found.common;
    let calendar = calendars.find(own.calendar.as_ref().or(base.calendar.as_ref()), out);
    let link = link?;
    let link_part = &links[usize::from(link.0)];
    let speaks = link_part.speaks();
    let unit = unit(&found, speaks, out);
    let model = match profile {
        Some(index) if own.shapes_nothing() => shared
            .entry((index, speaks.is_modbus()))
            .or_insert_with(|| Arc::new(model(base, own, speaks, out)))
            .clone(),
        _ => Arc::new(model(base, own, speaks, out)),
    };
    let manners = manners::resolved(&own.manners, &base.manners, link_part);
    if speaks.is_modbus() {
        manners::check_widths(&merged(base, own), &model, &manners, out);
    } else {
        manners::refuse(&own.manners, out);
        if let Some(writes) = &found.writes {
            let what = "only Modbus devices can be written";
            out.mistake(Finding::at(writes.span.clone(), what).hint("leave `allow_write` out"));
        }
    }
    check_sources(&found, base, speaks, out);
    if let (Some(address), true) = (&found.address, speaks.is_modbus()) {
        let what = "`address` is what messages call a device";
        let hint = "a Modbus device has a `unit`; leave `address` out";
        out.mistake(Finding::at(address.span.clone(), what).hint(hint));
    }
    let paths = paths(&found, base, speaks, out);
    if model.tags.is_empty() && own.tags.is_none() && base.tags.is_none() && !out.is_lost("tags") {
        let what = format!("device `{}` has no tags", found.id.value);
        out.mistake(
            Finding::at(found.span.clone(), what)
                .hint("add `[device.tags]`, or the `profile` that has them"),
        );
    }
    let no_scrap = own.no_scrap.as_ref().or(base.no_scrap.as_ref());
    check_scrap(no_scrap, own, base, out);
    let stale_after_ms = stale_after(own, base, &model, speaks, out);
    let late_ms = late(own, base, &model, speaks, out);
    // Nobody can correct a profile of the agent; what does not fit it is the device.
    let shipped = profile.and_then(|index| profiles[index].shipped.as_ref());
    if let (Some(shipped), Some(chosen)) = (shipped, &found.profile) {
        out.blame(before, shipped, &chosen.span);
    }
    if !found.named {
        return None;
    }
    let publishes = own.publishes.or(base.publishes).unwrap_or(TierSet::ALL);
    let device = Device {
        name: found.name.unwrap_or_else(|| found.id.value.clone()),
        id: found.id.value,
        line: own.line.clone().or_else(|| base.line.clone()),
        asset: found.asset,
        profile: profile.map(|index| profiles[index].id.value.clone()),
        calendar: calendar?,
        link,
        unit: unit?,
        manners,
        rated_rate: own
            .rated_rate
            .as_ref()
            .or(base.rated_rate.as_ref())
            .and_then(RatePart::fixed),
        stale_after_ms,
        late_ms,
        publishes,
        publishes_tags: publishes_tags(own, base, publishes),
        no_scrap: no_scrap.is_some(),
        min_coverage: own
            .min_coverage
            .or(base.min_coverage)
            .unwrap_or(MIN_COVERAGE),
        min_exposure_ms: own
            .min_exposure
            .or(base.min_exposure)
            .unwrap_or(MIN_EXPOSURE_MS),
        merge_faults_ms: own.merge_faults.or(base.merge_faults).unwrap_or(0),
        detect: detectors(own, base, speaks),
        model,
    };
    Some((device, paths))
}

/// The page of each tag, where it is another than that of the link.
fn paths(found: &Found, base: &Common, speaks: Speaks, out: &Findings) -> Paths {
    let own = &found.common;
    let of_device = own.path.as_ref().or(base.path.as_ref());
    let tags = merged(base, own);
    if speaks == Speaks::HttpGet {
        let path = |tag: &&TagPart| tag.path.as_ref().or(of_device).map(|at| at.value.clone());
        return tags.iter().map(path).collect();
    }
    let of_tags = tags.iter().filter(|tag| !tag.told.get());
    let given = of_tags.filter_map(|tag| tag.path.as_ref());
    if let Some(path) = given.chain(&own.path).next() {
        let what = "only machines that are asked by HTTP have pages";
        let hint = "leave `path` out, or read the device through a link with `http_get`";
        out.mistake(Finding::at(path.span.clone(), what).hint(hint));
    }
    Paths::new()
}

/// The profile by index; the outer none is a mistake that was reported.
fn find_profile(found: &Found, profiles: &[Profile], out: &Findings) -> Option<Option<usize>> {
    let Some(wanted) = &found.profile else {
        return Some(None);
    };
    let at = profiles.iter().position(|p| *p.id.value == *wanted.value);
    if at.is_none() && !out.is_definition_lost(&wanted.value) {
        let names = profiles.iter().map(|profile| &*profile.id.value);
        let names = names.chain(shipped::PROFILES.iter().map(|(name, _)| *name));
        let hint = suggest(&wanted.value, names, "add a `[[profile]]` with this id");
        let what = format!("there is no profile `{}`", wanted.value);
        out.mistake(Finding::at(wanted.span.clone(), what).hint(hint));
    }
    at.map(Some)
}

fn find_link(found: &Found, links: &[LinkPart], out: &Findings) -> Option<LinkIndex> {
    let wanted = found.link.as_ref()?;
    let at = links.iter().position(|link| *link.id == *wanted.value);
    if at.is_none() && !out.is_definition_lost(&wanted.value) {
        let names = links.iter().map(|link| &*link.id);
        let hint = suggest(&wanted.value, names, "add a `[[link]]` with this id");
        let what = format!("there is no link `{}`", wanted.value);
        out.mistake(Finding::at(wanted.span.clone(), what).hint(hint));
    }
    u16::try_from(at?).ok().map(LinkIndex)
}

fn unit(found: &Found, speaks: Speaks, out: &Findings) -> Option<u8> {
    let Some(unit) = &found.unit else {
        return Some(u8::from(speaks.is_modbus()));
    };
    let (what, hint) = match speaks {
        Speaks::Mqtt | Speaks::HttpGet | Speaks::HttpPush | Speaks::Board => {
            ("only Modbus devices have a unit", "leave `unit` out")
        }
        Speaks::ModbusRtu if !(1..=247).contains(&unit.value) => (
            "a unit on a serial line is from 1 to 247",
            "look at the address switches of the machine",
        ),
        _ => return Some(unit.value),
    };
    out.mistake(Finding::at(unit.span.clone(), what).hint(hint));
    None
}

/// Every tag must come from where its device's link leads.
fn check_sources(found: &Found, base: &Common, speaks: Speaks, out: &Findings) {
    for tag in merged(base, &found.common) {
        let Some((what, hint)) = misplaced(tag.comes(), speaks) else {
            continue;
        };
        if tag.told.replace(true) {
            continue;
        }
        let what = format!("tag `{}` of `{}` {what}", tag.name, found.id.value);
        let mut finding = Finding::at(tag.name_span.clone(), what).hint(hint);
        if let Some(link) = &found.link {
            finding = finding.also(link.span.clone(), "its link");
        }
        out.mistake(finding);
    }
}

/// What is wrong with where a tag comes from, for a link that speaks so.
fn misplaced(comes: Comes, speaks: Speaks) -> Option<(&'static str, &'static str)> {
    let wrong = match (speaks, comes) {
        // Beside a machine that tells other things itself, too.
        (_, Comes::OnBoard)
        | (Speaks::ModbusTcp | Speaks::ModbusRtu, Comes::Register)
        | (Speaks::Mqtt, Comes::OnTopic)
        | (Speaks::HttpGet, Comes::AtPointer | Comes::ByName)
        | (Speaks::HttpPush, Comes::ByName) => return None,
        (Speaks::ModbusTcp | Speaks::ModbusRtu, Comes::OnTopic) => (
            "has a `topic`",
            "its link is Modbus: write `at = \"holding:0\"` instead",
        ),
        (Speaks::ModbusTcp | Speaks::ModbusRtu, Comes::AtPointer | Comes::ByName) => (
            "has no `at`",
            "its link is Modbus: write `at = \"holding:0\"`",
        ),
        (Speaks::Board, _) => (
            "is not an input of the board",
            "its link is the board: write `at = \"board:count0\"` or `at = \"board:input0\"`",
        ),
        (Speaks::Mqtt, _) => ("has no `topic`", "its link is MQTT: add `topic = \"...\"`"),
        (Speaks::HttpGet, Comes::OnTopic) => (
            "has a `topic`",
            "its link is HTTP: write `at = \"/speed\"`, and `path` for another page",
        ),
        (Speaks::HttpGet, Comes::Register) => (
            "is a register of Modbus",
            "its link is HTTP: write `at = \"/speed\"`, its place in the JSON",
        ),
        (Speaks::HttpPush, Comes::OnTopic) => (
            "has a `topic`",
            "scripts push it by its name: leave `topic` and `at` out",
        ),
        (Speaks::HttpPush, _) => ("has an `at`", "scripts push it by its name: leave `at` out"),
    };
    Some(wrong)
}

/// A profile that nobody uses is checked like the others.
fn check_unused(profile: &Profile, out: &Findings) {
    let by_register = |tag: &TagPart| matches!(tag.comes(), Comes::Register | Comes::OnBoard);
    let speaks = if profile.common.tags.iter().flatten().all(by_register) {
        Speaks::ModbusTcp
    } else {
        Speaks::Mqtt
    };
    model(&profile.common, &Common::default(), speaks, out);
    if !out.is_lost("profile") {
        let what = format!("no device uses the profile `{}`", profile.id.value);
        out.warn(Finding::at(profile.id.span.clone(), what).hint(format!(
            "write `profile = \"{}\"` in a [[device]]",
            profile.id.value
        )));
    }
}
