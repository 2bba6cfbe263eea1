//! The conditions of alarms: from the text of a rule to [`Rule`], with places in the file.

use super::nearest::{nearest, suggest};
use super::values::{show_ms, text};
use super::walk::{Findings, Item};
use andon_core::kpi::Measure;
use andon_core::plant::Device;
use andon_core::rule::{self, Limit, Mistake, Name, Rule};
use andon_core::state::State;
use andon_core::tag::{DeviceIndex, Kind, Tag, TagIndex};
use std::cell::RefCell;
use std::ops::Range;

/// What an engineer can still read; evaluation recurses over it.
const LONGEST_RULE: usize = 1000;

/// Whether a name in a rule is a figure over a window, or one of its bounds. The parts that figures are
/// made of are as well names of tags, such as `good`.
pub(super) fn is_figure(name: &str) -> bool {
    let measure = Measure::from_name(name);
    measure.is_some_and(|measure| !matches!(measure, Measure::Part(_)))
}

/// The text of a rule, and where its first byte stands if the file has it letter by letter.
#[derive(Debug, Clone)]
pub(super) struct When {
    text: String,
    start: Option<usize>,
}

/// The text of a condition of a state. One that stands there with quotes around it and nothing else
/// stands there letter by letter.
pub(super) fn condition(item: &Item<'_>) -> Option<When> {
    let text = text(item)?;
    if text.len() > LONGEST_RULE {
        return item.wrong(
            format!("a condition has at most {LONGEST_RULE} bytes"),
            "let the controller of the machine work it out, and read the result",
        );
    }
    let is_plain = item.span.len() == text.len() + 2;
    Some(When {
        text: text.to_owned(),
        start: is_plain.then(|| item.span.start + 1),
    })
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
    /// The condition as it reads for one device; figures in it are taken over `over_ms`.
    pub(super) fn rule(
        &self,
        (deadband, over_ms): (f64, u64),
        device: DeviceIndex,
        devices: &[Device],
        out: &Findings,
    ) -> Result<Rule, Mistake> {
        let rule = self.parse(deadband, |other, name| {
            resolve((device, over_ms), other, name, devices, out)
        })?;
        let tag_of = |device: DeviceIndex, tag: TagIndex| {
            let tags = &devices[usize::from(device.0)].model.tags;
            &tags[usize::from(tag.0)]
        };
        check_types(&rule, tag_of, &self.text)?;
        Ok(rule)
    }

    /// The condition over the tags of one machine, which its state follows from.
    pub(super) fn over(&self, tags: &[Tag], out: &Findings) -> Result<Rule, Mistake> {
        let rule = self.parse(0.0, |other, name| resolve_own(other, name, tags, out))?;
        let tag_of = |_, tag: TagIndex| &tags[usize::from(tag.0)];
        check_types(&rule, tag_of, &self.text)?;
        if rule.has(|leaf| matches!(leaf, Rule::Rate { .. } | Rule::TagNoData(..))) {
            return Err(Mistake {
                at: 0,
                len: self.text.len(),
                what: "a state follows from values, not from rates or silence".into(),
                hint: Some("compare tags; alarms may ask for rates and for `no_data`".into()),
            });
        }
        Ok(rule)
    }

    fn parse(
        &self,
        deadband: f64,
        resolve: impl Fn(Option<&str>, &str) -> Result<Name, (String, String)>,
    ) -> Result<Rule, Mistake> {
        let hint = RefCell::new(None);
        let resolve = |other: Option<&str>, name: &str| {
            resolve(other, name).map_err(|(what, suggested)| {
                hint.replace(Some(suggested));
                what
            })
        };
        let text = &self.text;
        rule::parse(text, deadband, &resolve).map_err(|mistake| {
            let unknown = hint.take();
            // A name that nobody knows hides a parenthesis that is missing behind it. What else the
            // grammar says without names follows from the wrong one.
            if let (Some(_), Err(behind)) = (&unknown, self.grammar(deadband))
                && behind.what == "expected `)`"
            {
                return behind;
            }
            Mistake {
                hint: better_hint(text, &mistake).or(unknown).or(mistake.hint),
                ..mistake
            }
        })
    }

    /// Without any device to ask, the grammar can still be checked.
    pub(super) fn grammar(&self, deadband: f64) -> Result<Rule, Mistake> {
        let any = |_: Option<&str>, name: &str| {
            Ok(match name {
                "state" => Name::State(DeviceIndex(0)),
                "no_data" => Name::NoData(DeviceIndex(0)),
                "suspect" => Name::Suspect(DeviceIndex(0)),
                _ => Name::Lost,
            })
        };
        rule::parse(&self.text, deadband, &any).map_err(|mistake| Mistake {
            hint: better_hint(&self.text, &mistake).or(mistake.hint),
            ..mistake
        })
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
    (device, over_ms): (DeviceIndex, u64),
    other: Option<&str>,
    name: &str,
    devices: &[Device],
    out: &Findings,
) -> Result<Name, (String, String)> {
    let index = match other {
        None => usize::from(device.0),
        Some(id) => match devices.iter().position(|device| *device.id == *id) {
            Some(index) => index,
            // What it would be is lost with it.
            None if out.is_device_lost(id) && name == "no_data" => return Ok(Name::NoData(device)),
            None if out.is_device_lost(id) && name == "suspect" => {
                return Ok(Name::Suspect(device));
            }
            None if out.is_device_lost(id) && name == "state" => return Ok(Name::State(device)),
            None if out.is_device_lost(id) => return Ok(Name::Lost),
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
    if let Some(measure) = Measure::from_name(name) {
        if device.model.state.is_some() {
            return Ok(Name::Figure(whose, measure, over_ms));
        }
        if out.is_lost("state") {
            return Ok(Name::Lost);
        }
        let what = format!("device `{}` has no state, and so no figures", device.id);
        return Err((what, "add `[device.state]`, or match other devices".into()));
    }
    if out.is_lost(name) {
        return Ok(Name::Lost);
    }
    let tags = device.model.tags.iter().map(|tag| &*tag.name);
    let words = tags.chain(["state", "no_data", "suspect"]);
    let figures = Measure::names().map(|name: &str| name);
    let hint = match nearest(name, words.clone().chain(figures)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => suggest(name, words, ""),
    };
    Err((format!("device `{}` has no tag `{name}`", device.id), hint))
}

/// A name in the condition of a state: that of a tag of the machine itself.
fn resolve_own(
    other: Option<&str>,
    name: &str,
    tags: &[Tag],
    out: &Findings,
) -> Result<Name, (String, String)> {
    let told = |what: &str, hint: &str| Err((what.to_owned(), hint.to_owned()));
    if let Some(other) = other {
        let what = format!("`{other}.{name}` is of another machine");
        let hint = "a state follows from tags of the machine itself; alarms may ask for others";
        return told(&what, hint);
    }
    if let Some(at) = tags.iter().position(|tag| *tag.name == *name) {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        // The model is that of many machines: each asks for its own tags.
        return Ok(Name::Tag(DeviceIndex(0), TagIndex(at)));
    }
    match name {
        "state" => told("a state cannot follow from itself", "name tags"),
        "no_data" => told(
            "a machine without data is `unknown` by itself",
            "leave `no_data` out",
        ),
        _ if is_figure(name) => told("a state cannot follow from a figure", "name tags"),
        _ if out.is_lost(name) => Ok(Name::Lost),
        _ => {
            let names = tags.iter().map(|tag| &*tag.name);
            let hint = suggest(name, names, "add it to `tags`");
            Err((format!("there is no tag `{name}`"), hint))
        }
    }
}

/// A tag can only be compared with what it can be.
fn check_types<'t>(
    rule: &Rule,
    tag_of: impl Fn(DeviceIndex, TagIndex) -> &'t Tag,
    text: &str,
) -> Result<(), Mistake> {
    let mut wrong = None;
    rule.for_each_leaf(&mut |leaf| {
        let (tag, misfit) = match leaf {
            Rule::Tag {
                device, tag, limit, ..
            } => {
                let tag = tag_of(*device, *tag);
                (tag, misfit(tag, limit))
            }
            Rule::Rate {
                device,
                tag,
                window_ms,
                ..
            } => {
                let tag = tag_of(*device, *tag);
                (tag, rate_misfit(tag, *window_ms))
            }
            _ => return,
        };
        if let (None, Some((what, hint))) = (&wrong, misfit) {
            wrong = Some(Mistake {
                at: place_of(&tag.name, text),
                len: tag.name.len(),
                what,
                hint: Some(hint),
            });
        }
    });
    wrong.map_or(Ok(()), Err)
}

/// Where a name stands in a rule, not as a part of a longer one.
fn place_of(name: &str, text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let stands_alone = |at: &usize| {
        !text[..*at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word)
    };
    let mut places = text.match_indices(name).map(|(at, _)| at);
    places.find(stands_alone).unwrap_or(0)
}

fn misfit(tag: &Tag, limit: &Limit) -> Option<(String, String)> {
    let (is, hint) = match (tag.kind(), limit) {
        (Kind::Text, Limit::Text(_)) | (Kind::Bool, Limit::Bool(_)) => return None,
        (Kind::Text, _) => ("a text", "compare it with a text in quotes: == 'run'"),
        (Kind::Bool, _) => ("true or false", "compare it with true or false"),
        (_, Limit::Number { .. }) => return None,
        (_, Limit::Bit(bit)) => return bit_misfit(tag, *bit),
        _ => ("a number", "compare it with a number"),
    };
    Some((format!("`{}` is {is}", tag.name), hint.into()))
}

/// What is wrong with asking how fast a tag moves.
fn rate_misfit(tag: &Tag, window_ms: u64) -> Option<(String, String)> {
    let name = &tag.name;
    if matches!(tag.kind(), Kind::Text | Kind::Bool) {
        let what = format!("`{name}` is not a number, and has no rate");
        return Some((what, "take the rate of a tag that is a number".into()));
    }
    if tag.role.is_some() {
        let what = format!("`{name}` is a counter, which begins anew some time");
        let hint = "ask for `throughput_per_h` over some time".into();
        return Some((what, hint));
    }
    let shortest = tag.every_ms.saturating_mul(2);
    (window_ms < shortest).then(|| {
        (
            format!("`{name}` is read less than twice in {}", show_ms(window_ms)),
            format!("take the rate over at least {}", show_ms(shortest)),
        )
    })
}

/// What is wrong with asking for this bit of a tag.
pub(super) fn bit_misfit(tag: &Tag, bit: u8) -> Option<(String, String)> {
    let kind = tag.kind();
    let has_bits = kind.is_integer() && !kind.is_bcd() && !kind.is_time();
    let Some((least, most)) = tag.limits().filter(|_| has_bits) else {
        return Some((
            format!("`{}` has no bits", tag.name),
            "only whole numbers have, u16 to i64, that are not scaled".into(),
        ));
    };
    let sign = u32::from(least < 0);
    let highest = i64::BITS - most.leading_zeros() + sign - 1;
    (u32::from(bit) > highest).then(|| {
        (
            format!("`{}` has no bit {bit}", tag.name),
            format!("its bits go from 0, the least significant, to {highest}"),
        )
    })
}
