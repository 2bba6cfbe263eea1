//! How a device wants to be treated: keys that profiles and devices both may have.

use super::links::LinkPart;
use super::report::Finding;
use super::tags::TagPart;
use super::values::{duration, integer};
use super::walk::{At, Findings, Section};
use andon_core::plant::{Manners, Model};
use andon_core::tag::{Source, Table};

/// The keys as far as they are given.
#[derive(Debug, Default)]
pub(super) struct MannersPart {
    timeout: Option<At<u64>>,
    retries: Option<At<i64>>,
    between_requests: Option<At<u64>>,
    after_connect: Option<At<u64>>,
    max_registers: Option<At<i64>>,
}

pub(super) fn manners(section: &mut Section<'_>) -> MannersPart {
    MannersPart {
        timeout: section.place("timeout", duration(10, 60_000)),
        retries: section.place("retries", integer(0, 10)),
        between_requests: section.place("between_requests", duration(0, 60_000)),
        after_connect: section.place("after_connect", duration(0, 60_000)),
        max_registers: section.place(
            "max_registers",
            integer(1, i64::from(Table::Holding.limit())),
        ),
    }
}

/// What a device asks for, what its profile does, and otherwise what its link has.
pub(super) fn resolved(own: &MannersPart, base: &MannersPart, link: &LinkPart) -> Manners {
    let fallback = Manners::default();
    let ms = |key: fn(&MannersPart) -> &Option<At<u64>>| {
        let given = key(own).as_ref().or(key(base).as_ref());
        given.map(|at| at.value)
    };
    let number = |key: fn(&MannersPart) -> &Option<At<i64>>| {
        let given = key(own).as_ref().or(key(base).as_ref());
        given.map(|at| at.value)
    };
    let small = |number: i64| u8::try_from(number).ok();
    let registers = |number: i64| u16::try_from(number).ok();
    Manners {
        timeout_ms: ms(|part| &part.timeout)
            .or(link.timeout_ms())
            .unwrap_or(fallback.timeout_ms),
        retries: number(|part| &part.retries)
            .and_then(small)
            .unwrap_or(fallback.retries),
        between_requests_ms: ms(|part| &part.between_requests)
            .unwrap_or(fallback.between_requests_ms),
        after_connect_ms: ms(|part| &part.after_connect).unwrap_or(fallback.after_connect_ms),
        max_registers: number(|part| &part.max_registers)
            .and_then(registers)
            .unwrap_or(fallback.max_registers),
    }
}

/// No value may be wider than what the device gives in one answer.
pub(super) fn check_widths(tags: &[&TagPart], model: &Model, manners: &Manners, out: &Findings) {
    for (part, tag) in tags.iter().zip(&model.tags) {
        let Source::Modbus(point) = &tag.source else {
            continue;
        };
        let (wide, most) = (point.width(), manners.most(point.table));
        if wide > most {
            let what = format!(
                "`{}` takes {wide} registers, and the device gives {most} in one answer",
                tag.name
            );
            out.mistake(Finding::at(part.name_span.clone(), what).hint(format!(
                "raise `max_registers` to {wide}, or choose a smaller type"
            )));
        }
    }
}

/// A device that sends messages by itself has nothing of the kind.
pub(super) fn refuse(own: &MannersPart, out: &Findings) {
    let spans = [
        own.timeout.as_ref().map(|at| (&at.span, "timeout")),
        own.retries.as_ref().map(|at| (&at.span, "retries")),
        own.between_requests
            .as_ref()
            .map(|at| (&at.span, "between_requests")),
        own.after_connect
            .as_ref()
            .map(|at| (&at.span, "after_connect")),
        own.max_registers
            .as_ref()
            .map(|at| (&at.span, "max_registers")),
    ];
    for (span, key) in spans.into_iter().flatten() {
        let what = format!("`{key}` says how to ask a Modbus device, and this is none");
        out.mistake(
            Finding::at(span.clone(), what).hint(format!("leave `{key}` out for this device")),
        );
    }
}
