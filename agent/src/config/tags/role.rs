//! What a tag counts.

use crate::config::report::Finding;
use crate::config::walk::{At, Findings};
use andon_core::tag::{Counts, Kind, Role, Source};

/// The keys that say what a tag counts.
pub(super) struct Counting {
    pub(super) role: Option<At<Counts>>,
    pub(super) parts: Option<At<i64>>,
    pub(super) wrap: Option<At<i64>>,
}

/// The role of a tag of this type and source, if its keys give one.
pub(super) fn role(
    out: &Findings,
    keys: Counting,
    kind: Option<&At<Kind>>,
    source: Option<&Source>,
    has_power: bool,
) -> Option<Role> {
    let Some(role) = keys.role else {
        counts_nothing(out, keys.parts, "`parts` says how many parts one count is");
        counts_nothing(out, keys.wrap, "`wrap` says where a counter begins anew");
        return None;
    };
    if let Some(kind) = kind.filter(|kind| !counts(kind.value)) {
        out.mistake(
            Finding::at(kind.span.clone(), "a counter counts in whole numbers")
                .hint("use u16, i16, u32, i32, u64, i64, or bcd16 to bcd64")
                .also(role.span.clone(), "this tag counts parts"),
        );
        return None;
    }
    let is_scaled = match source {
        Some(Source::Modbus(point)) => point.is_scaled(),
        Some(Source::Message(place)) => place.is_scaled(),
        Some(Source::Board(_)) | None => false,
    };
    if has_power || is_scaled {
        out.mistake(Finding::at(role.span, "a counter cannot be scaled").hint(
            "leave `scale`, `offset` and `power_of_ten` out; \
             `parts = 4` says that a count is 4 parts",
        ));
        return None;
    }
    if let (Some(wrap), Some(source)) = (&keys.wrap, source) {
        check_wrap(out, wrap, source);
    }
    Some(Role {
        counts: role.value,
        parts: match keys.parts {
            Some(at) => u32::try_from(at.value).ok()?,
            None => 1,
        },
        wrap: keys.wrap.map(|at| at.value),
    })
}

fn counts(kind: Kind) -> bool {
    kind.is_integer() && kind != Kind::Bool && !kind.is_time()
}

fn counts_nothing(out: &Findings, key: Option<At<i64>>, what: &str) {
    if let Some(key) = key {
        out.mistake(
            Finding::at(key.span, what).hint("add `role = \"good_count\"`, or leave it out"),
        );
    }
}

/// A counter may begin anew before its type ends, never after.
fn check_wrap(out: &Findings, wrap: &At<i64>, source: &Source) {
    let limits = match source {
        Source::Modbus(point) => point.limits(),
        Source::Message(place) => place.limits(),
        Source::Board(pin) => pin.kind().limits(),
    };
    if let Some((_, most)) = limits
        && wrap.value.checked_sub(1).is_some_and(|top| top > most)
    {
        let what = format!("this counter ends at {most}");
        out.mistake(
            Finding::at(wrap.span.clone(), what)
                .hint("leave `wrap` out, or write the first count that it does not reach"),
        );
    }
}
