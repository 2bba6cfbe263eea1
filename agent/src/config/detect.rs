//! `detect`: which lies of a source are looked for.

use super::links::Speaks;
use super::loose;
use super::models::{Common, merged};
use super::tags::{Comes, TagPart};
use super::values::{list, one_of};
use super::walk::Item;
use andon_core::tag::{Detector, Detectors};
use std::sync::Arc;
use toml::de::DeValue;

/// Which lies of a source are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detect {
    /// Those that suit how it is read.
    Suitable,
    /// These.
    These(Detectors),
}

/// Which lies of a source are looked for: true for those that suit it, false for none, or a list.
pub(super) fn detect(item: &Item<'_>) -> Option<Detect> {
    if let DeValue::Array(_) = item.value {
        let detectors = list("a list such as [\"frozen\"]", one_of(&Detector::ALL))(item)?;
        return Some(Detect::These(detectors.into_iter().collect()));
    }
    let wanted = match item.value {
        DeValue::Boolean(wanted) => Some(*wanted),
        _ => item.loose_text().and_then(loose::boolean),
    };
    match wanted {
        Some(true) => Some(Detect::Suitable),
        Some(false) => Some(Detect::These(Detectors::NONE)),
        None => item.expected("true, false or a list such as [\"frozen\"]"),
    }
}

/// Which lies are looked for in each tag: what it says itself, or its device, or its profile. Without
/// a word, all that suit how it is read.
pub(super) fn detectors(own: &Common, base: &Common, speaks: Speaks) -> Arc<[Detectors]> {
    let suitable = if speaks.is_asked() {
        Detectors::ALL
    } else {
        Detectors::SENT
    };
    let of_device = own.detect.or(base.detect);
    let of_tag = |tag: &TagPart| match tag.detect.or(of_device) {
        Some(Detect::These(detectors)) => detectors,
        // A contact may well not move, and has no registers that could all be zero.
        Some(Detect::Suitable) | None if tag.comes() == Comes::OnBoard => Detectors::SENT,
        Some(Detect::Suitable) | None => suitable,
    };
    merged(base, own).into_iter().map(of_tag).collect()
}
