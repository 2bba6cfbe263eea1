//! What profiles and devices both may say, and the model that the two together make.

use super::detect::{Detect, detect};
use super::links::Speaks;
use super::manners::{MannersPart, manners};
use super::nearest::suggest;
use super::pages::page_path;
use super::rates::{RatePart, rated_rate};
use super::report::Finding;
use super::states::{StatePart, codes, state, warn_if_slow};
use super::tags::{TagPart, tags};
use super::values::{delay, duration, id, label, list, number, one_of, period, show_ms};
use super::walk::{At, Findings, Item, Section};
use andon_core::plant::{Code, Model, States};
use andon_core::summary::{Tier, TierSet};
use andon_core::tag::{Counts, Kind, Source, Tag, TagIndex};
use std::sync::Arc;

const TIERS: [(&str, Tier); 4] = [
    ("1m", Tier::Minute),
    ("1h", Tier::Hour),
    ("shift", Tier::Shift),
    ("1d", Tier::Day),
];

/// What machines lay by while a broker, a switch or a gateway starts again.
const LATE_MS: u64 = 15 * 60_000;

/// Shorter than this a single late answer would make the state unknown.
const LEAST_STALE_MS: u64 = 3000;

/// What profiles and devices both may say.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) line: Option<Arc<str>>,
    pub(super) calendar: Option<At<Arc<str>>>,
    pub(super) every: Option<u64>,
    pub(super) rated_rate: Option<RatePart>,
    pub(super) stale_after: Option<At<u64>>,
    pub(super) late: Option<At<u64>>,
    pub(super) no_scrap: Option<At<bool>>,
    pub(super) publishes: Option<TierSet>,
    pub(super) publishes_tags: Option<TierSet>,
    pub(super) min_coverage: Option<u16>,
    pub(super) min_exposure: Option<u64>,
    pub(super) merge_faults: Option<u64>,
    pub(super) detect: Option<Detect>,
    pub(super) tags: Option<Vec<TagPart>>,
    pub(super) state: Option<StatePart>,
    pub(super) codes: Option<Vec<Code>>,
    pub(super) manners: MannersPart,
    /// The page that its tags stand on, if it is asked by HTTP.
    pub(super) path: Option<At<Arc<str>>>,
}

impl Common {
    /// Whether it leaves the model of a profile as it is.
    pub(super) fn shapes_nothing(&self) -> bool {
        let follows_tag = |rate: &RatePart| rate.by_product().is_some();
        self.every.is_none()
            && self.tags.is_none()
            && self.state.is_none()
            && self.codes.is_none()
            && !self.rated_rate.as_ref().is_some_and(follows_tag)
    }
}

pub(super) fn common(section: &mut Section<'_>) -> Common {
    let flag = one_of(&[("none", true)]);
    Common {
        line: section.read("line", label),
        calendar: section.place("calendar", id),
        every: section.read("every", period),
        rated_rate: section.read("rated_rate", rated_rate),
        stale_after: section.place("stale_after", duration(100, 24 * 3_600_000)),
        late: section.place("late", delay),
        no_scrap: section.place("scrap", flag),
        publishes: section.read("publishes", tiers),
        publishes_tags: section.read("publishes_tags", tiers),
        min_coverage: section.read("min_coverage", share),
        min_exposure: section.read("min_exposure", delay),
        merge_faults: section.read("merge_faults", delay),
        detect: section.read("detect", detect),
        tags: section.read("tags", tags),
        state: read_state(section),
        codes: section.read("codes", codes),
        manners: manners(section),
        path: section.place("path", page_path),
    }
}

fn tiers(item: &Item<'_>) -> Option<TierSet> {
    let tiers = list("a list such as [\"1m\", \"shift\"]", one_of(&TIERS))(item)?;
    Some(tiers.into_iter().collect())
}

/// Tags are told over the windows that are sent, but not each minute: that would be most of what a
/// gateway sends.
pub(super) fn publishes_tags(own: &Common, base: &Common, publishes: TierSet) -> TierSet {
    let asked = own.publishes_tags.or(base.publishes_tags);
    asked.unwrap_or(publishes.without(Tier::Minute))
}

/// A mapping that is there but wrong leaves the state open, not missing.
fn read_state(section: &mut Section<'_>) -> Option<StatePart> {
    let read = section.read("state", state);
    if read.is_none() && section.has("state") {
        section.out().lose("state");
    }
    read
}

/// A share from 0 to 1, in ten-thousandths.
fn share(item: &Item<'_>) -> Option<u16> {
    let share = number(item)?;
    if !(0.0..=1.0).contains(&share) {
        return item.wrong(
            format!("`{}` is a share", item.key),
            "from 0 to 1, such as 0.5",
        );
    }
    Some((share * 10_000.0).round() as u16)
}

/// A device's tags: those of its profile, the ones it names itself replaced or added.
pub(super) fn merged<'a>(base: &'a Common, own: &'a Common) -> Vec<&'a TagPart> {
    let own = own.tags.as_deref().unwrap_or_default();
    let base = base.tags.as_deref().unwrap_or_default();
    let mut merged: Vec<&TagPart> = Vec::with_capacity(base.len() + own.len());
    for tag in base {
        let replaced = own.iter().find(|other| other.name == tag.name);
        merged.push(replaced.unwrap_or(tag));
    }
    let added = own
        .iter()
        .filter(|tag| base.iter().all(|other| other.name != tag.name));
    merged.extend(added);
    merged
}

pub(super) fn model(base: &Common, own: &Common, speaks: Speaks, out: &Findings) -> Model {
    let every_ms = own.every.or(base.every).unwrap_or(speaks.default_every());
    let parts = merged(base, own);
    check_roles(&parts, out);
    let mut tags: Vec<_> = parts.iter().map(|part| part.tag(every_ms)).collect();
    for (index, part) in parts.iter().enumerate() {
        if let Some(by) = &part.power_of_ten {
            let power = power_of_ten(index, by, &tags, &parts, out);
            if let Source::Modbus(point) = &mut tags[index].source {
                point.power_of_ten = power;
            }
        }
    }
    let state = own.state.as_ref().or(base.state.as_ref());
    let mapping = state.and_then(|state| state.resolve(&tags, out));
    if state.is_some() && mapping.is_none() {
        out.lose("state");
    }
    let rated = own.rated_rate.as_ref().or(base.rated_rate.as_ref());
    if let (Some(part), Some(mapping), Some(rate)) =
        (state, &mapping, rated.and_then(RatePart::lowest))
    {
        warn_if_slow(part, mapping, &tags, rate, out);
    }
    // The profile's also where the device has a rate of its own: it shares its model with others.
    let by_product = [own, base]
        .into_iter()
        .find_map(|common| common.rated_rate.as_ref()?.by_product());
    let rates = by_product.and_then(|part| part.resolve(&tags, out));
    let codes = own.codes.as_ref().or(base.codes.as_ref());
    Model {
        every_ms,
        tags,
        state: mapping,
        codes: codes.cloned().unwrap_or_default(),
        rates,
    }
}

/// The tag that another is scaled by: a whole number that is what it says.
fn power_of_ten(
    of: usize,
    by: &At<String>,
    tags: &[Tag],
    parts: &[&TagPart],
    out: &Findings,
) -> Option<TagIndex> {
    let name = &by.value;
    let Some(index) = tags.iter().position(|tag| *tag.name == **name) else {
        if !out.is_lost(name) {
            let others = tags.iter().filter(|tag| tag.name != tags[of].name);
            let hint = suggest(name, others.map(|tag| &*tag.name), "add it to `tags`");
            let what = format!("there is no tag `{name}`");
            out.mistake(Finding::at(by.span.clone(), what).hint(hint));
        }
        return None;
    };
    let (what, hint) = if index == of {
        (
            format!("`{name}` cannot scale itself"),
            "name the tag that holds the power of ten",
        )
    } else if !matches!(tags[index].kind(), Kind::Bool) && tags[index].kind().is_integer() {
        let is_scaled = |source: &Source| matches!(source, Source::Modbus(p) if p.is_scaled());
        if parts[index].power_of_ten.is_none() && !is_scaled(&tags[index].source) {
            return u16::try_from(index).ok().map(TagIndex);
        }
        (
            format!("`{name}` is scaled itself"),
            "a power of ten is what the register holds",
        )
    } else {
        (
            format!("`{name}` is not a whole number"),
            "a power of ten is an integer from -10 to 10: use i16",
        )
    };
    out.mistake(
        Finding::at(by.span.clone(), what)
            .hint(hint)
            .also(parts[index].name_span.clone(), "this tag"),
    );
    None
}

fn check_roles(tags: &[&TagPart], out: &Findings) {
    for (index, tag) in tags.iter().enumerate() {
        let Some(role) = tag.role() else {
            continue;
        };
        let same = |other: &&&TagPart| other.role().is_some_and(|r| r.counts == role.counts);
        if let Some(first) = tags[..index].iter().find(same) {
            let what = format!("`{}` counts the same as `{}`", tag.name, first.name);
            out.mistake(
                Finding::at(tag.role_span.clone(), what)
                    .hint("a device has one tag for each role")
                    .also(first.role_span.clone(), "the first"),
            );
        }
    }
}

pub(super) fn check_scrap(
    no_scrap: Option<&At<bool>>,
    own: &Common,
    base: &Common,
    out: &Findings,
) {
    let Some(no_scrap) = no_scrap else {
        return;
    };
    let counts_scrap = |tag: &&TagPart| tag.role().is_some_and(|r| r.counts == Counts::Scrap);
    if let Some(tag) = merged(base, own).into_iter().find(counts_scrap) {
        let what = format!("there is scrap to count: `{}`", tag.name);
        out.mistake(
            Finding::at(no_scrap.span.clone(), what)
                .hint("leave `scrap = \"none\"` out, or the role of the tag")
                .also(tag.role_span.clone(), "counted here"),
        );
    }
}

/// 3 × the slowest period that state and counts depend on, at least 3 s.
pub(super) fn stale_after(
    own: &Common,
    base: &Common,
    model: &Model,
    speaks: Speaks,
    out: &Findings,
) -> u64 {
    let telling = model.state.as_ref().map_or(&[][..], |state| state.tags());
    let tells = |index: usize| telling.iter().any(|tag| usize::from(tag.0) == index);
    let matters = model
        .tags
        .iter()
        .enumerate()
        .filter(|(index, tag)| tells(*index) || tag.role.is_some());
    let slowest = matters
        .map(|(_, tag)| tag.every_ms)
        .max()
        .unwrap_or(model.every_ms);
    let Some(given) = own.stale_after.as_ref().or(base.stale_after.as_ref()) else {
        return slowest.saturating_mul(3).max(LEAST_STALE_MS);
    };
    // Machines that publish, and scripts, set the pace themselves.
    if speaks.is_asked() && given.value < slowest {
        let what = "the state would be unknown between two readings";
        let hint = format!(
            "more than {}, the slowest `every` it depends on",
            show_ms(slowest)
        );
        out.mistake(Finding::at(given.span.clone(), what).hint(hint));
    }
    given.value
}

/// How far back data may come late: a machine whose status has a time stamp of its own may have kept it.
pub(super) fn late(
    own: &Common,
    base: &Common,
    model: &Model,
    speaks: Speaks,
    out: &Findings,
) -> u64 {
    let status = match &model.state {
        Some(States::Status(map)) => model.tags.get(usize::from(map.from.0)),
        Some(States::Derived(_)) | None => None,
    };
    let has_time = status.is_some_and(|tag| match &tag.source {
        Source::Message(place) => speaks == Speaks::HttpPush || place.has_time(),
        Source::Modbus(_) | Source::Board(_) => false,
    });
    let Some(given) = own.late.as_ref().or(base.late.as_ref()) else {
        return if has_time { LATE_MS } else { 0 };
    };
    if given.value > 0 && !has_time && model.state.is_some() {
        let (what, hint) = match status {
            Some(_) => (
                "its status has no time stamp of its own",
                "say where that stands, with `time` of the status tag, or leave `late` out",
            ),
            None => (
                "its state is not that of a status tag",
                "leave `late` out: what is derived is not derived again of what comes late",
            ),
        };
        out.mistake(Finding::at(given.span.clone(), what).hint(hint));
    }
    given.value
}
