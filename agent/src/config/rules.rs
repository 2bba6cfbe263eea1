//! The conditions of alarms: from the text of a rule to [`Rule`], with places in the file.

use super::nearest::{nearest, suggest};
use super::values::text;
use super::walk::{Findings, Item};
use andon_core::plant::Device;
use andon_core::rule::{self, Limit, Mistake, Name, Rule};
use andon_core::state::State;
use andon_core::tag::{DeviceIndex, Kind, Source, Tag};
use std::cell::RefCell;
use std::ops::Range;

/// The figures of contract §2, as rules name them.
const FIGURES: [&str; 14] = [
    "availability",
    "fault_time_ratio",
    "allocation_efficiency",
    "utilisation_efficiency",
    "technical_efficiency",
    "capacity_utilisation",
    "oee",
    "effectiveness",
    "quality_ratio",
    "fault_rate_per_h",
    "mtbf_s",
    "mttr_s",
    "throughput_per_h",
    "coverage",
];

/// What an engineer can still read; evaluation recurses over it.
const LONGEST_RULE: usize = 1000;

/// Whether a name in a rule is a figure over a window.
pub(super) fn is_figure(name: &str) -> bool {
    FIGURES.contains(&name)
}

/// The text of a rule, and where its first byte stands if the file has it letter by letter.
pub(super) struct When {
    text: String,
    start: Option<usize>,
}

/// The text of a key `when`.
pub(super) fn when(item: &Item<'_>, source: &str) -> Option<When> {
    let text = text(item)?;
    if text.len() > LONGEST_RULE {
        return item.wrong(
            format!("a rule has at most {LONGEST_RULE} bytes"),
            "split it into several alarms",
        );
    }
    // With escapes in it, places in the rule are not places in the file.
    let raw = source.get(item.span.clone()).unwrap_or("");
    let quotes = raw.len().checked_sub(text.len()).map(|both| both / 2);
    let start = quotes
        .filter(|quotes| raw.get(*quotes..quotes + text.len()) == Some(text))
        .map(|quotes| item.span.start + quotes);
    Some(When {
        text: text.to_owned(),
        start,
    })
}

impl When {
    /// The condition as it reads for one device.
    pub(super) fn rule(
        &self,
        deadband: f64,
        device: DeviceIndex,
        devices: &[Device],
        out: &Findings,
    ) -> Result<Rule, Mistake> {
        let hint = RefCell::new(None);
        let resolve = |other: Option<&str>, name: &str| {
            resolve(device, other, name, devices, out).map_err(|(what, suggested)| {
                hint.replace(Some(suggested));
                what
            })
        };
        let text = &self.text;
        let rule = rule::parse(text, deadband, &resolve).map_err(|mistake| Mistake {
            hint: better_hint(text, &mistake).or(hint.take()).or(mistake.hint),
            ..mistake
        })?;
        check_types(&rule, devices, text)?;
        Ok(rule)
    }

    /// Without any device to ask, the grammar can still be checked.
    pub(super) fn grammar(&self, deadband: f64) -> Result<Rule, Mistake> {
        let any = |_: Option<&str>, name: &str| {
            Ok(match name {
                "state" => Name::State(DeviceIndex(0)),
                "no_data" => Name::NoData(DeviceIndex(0)),
                "suspect" => Name::Suspect(DeviceIndex(0)),
                _ => Name::Figure,
            })
        };
        rule::parse(&self.text, deadband, &any).map_err(|mistake| Mistake {
            hint: better_hint(&self.text, &mistake).or(mistake.hint),
            ..mistake
        })
    }

    /// Whether the text names a figure (a name that was lost also stands as one).
    pub(super) fn names_figure(&self) -> bool {
        FIGURES.iter().any(|name| self.text.contains(name))
    }

    /// The place in the file of a place in the rule; `whole` is that of the value.
    pub(super) fn span_of(&self, whole: &Range<usize>, at: usize, len: usize) -> Range<usize> {
        let Some(start) = self.start else {
            return whole.clone();
        };
        let from = start + at.min(self.text.len());
        from..(from + len).min(whole.end)
    }
}

fn better_hint(text: &str, mistake: &Mistake) -> Option<String> {
    let word = text.get(mistake.at..mistake.at + mistake.len)?;
    if !mistake.what.ends_with("is not a state") {
        return None;
    }
    nearest(word, State::ALL.map(State::as_str)).map(|state| format!("did you mean `{state}`?"))
}

fn resolve(
    device: DeviceIndex,
    other: Option<&str>,
    name: &str,
    devices: &[Device],
    out: &Findings,
) -> Result<Name, (String, String)> {
    let index = match other {
        None => usize::from(device.0),
        Some(id) => match devices.iter().position(|device| *device.id == *id) {
            Some(index) => index,
            // What it would be is lost with it; figures accept any comparison with a value.
            None if out.is_device_lost(id) && name == "no_data" => return Ok(Name::NoData(device)),
            None if out.is_device_lost(id) && name == "suspect" => {
                return Ok(Name::Suspect(device));
            }
            None if out.is_device_lost(id) && name == "state" => return Ok(Name::State(device)),
            None if out.is_device_lost(id) => return Ok(Name::Figure),
            None => {
                let ids = devices.iter().map(|device| &*device.id);
                return Err((format!("there is no device `{id}`"), suggest(id, ids, "")));
            }
        },
    };
    let whose = u16::try_from(index).map_or(device, DeviceIndex);
    let device = &devices[index];
    match name {
        "no_data" => return Ok(Name::NoData(whose)),
        "suspect" => return Ok(Name::Suspect(whose)),
        "state" if device.model.state.is_some() || out.is_lost("state") => {
            return Ok(Name::State(whose));
        }
        "state" => {
            let what = format!("device `{}` has no state", device.id);
            return Err((what, "add `[device.state]`, or match other devices".into()));
        }
        _ => {}
    }
    if let Some(tag) = device.model.tag(name) {
        return Ok(Name::Tag(whose, tag));
    }
    if is_figure(name) || out.is_lost(name) {
        return Ok(Name::Figure);
    }
    let tags = device.model.tags.iter().map(|tag| &*tag.name);
    let words = tags.chain(["state", "no_data", "suspect"]);
    let hint = match nearest(name, words.clone().chain(FIGURES)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => suggest(name, words, ""),
    };
    Err((format!("device `{}` has no tag `{name}`", device.id), hint))
}

/// A tag can only be compared with what it can be.
fn check_types(rule: &Rule, devices: &[Device], text: &str) -> Result<(), Mistake> {
    let mut wrong = None;
    rule.for_each_leaf(&mut |leaf| {
        let Rule::Tag {
            device, tag, limit, ..
        } = leaf
        else {
            return;
        };
        let tag = &devices[usize::from(device.0)].model.tags[usize::from(tag.0)];
        if let (None, Some((what, hint))) = (&wrong, misfit(tag, limit)) {
            wrong = Some(Mistake {
                at: text.find(&*tag.name).unwrap_or(0),
                len: tag.name.len(),
                what,
                hint: Some(hint.into()),
            });
        }
    });
    wrong.map_or(Ok(()), Err)
}

fn misfit(tag: &Tag, limit: &Limit) -> Option<(String, &'static str)> {
    let kind = match &tag.source {
        Source::Modbus(point) => point.kind,
        Source::Message(place) => place.kind,
    };
    let (is, hint) = match (kind, limit) {
        (Kind::Text, Limit::Text(_)) | (Kind::Bool, Limit::Bool(_)) => return None,
        (Kind::Text, _) => ("a text", "compare it with a text in quotes: == 'run'"),
        (Kind::Bool, _) => ("true or false", "compare it with true or false"),
        (_, Limit::Number { .. }) => return None,
        _ => ("a number", "compare it with a number"),
    };
    Some((format!("`{}` is {is}", tag.name), hint))
}
