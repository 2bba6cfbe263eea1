//! What each device did, one line for each stretch of time in one state.

use super::Wanted;
use super::csv::{Row, local};
use crate::history::{self, Kind, Passed};
use andon_core::history::Leaf;
use andon_core::plant::{Device, Plant};
use andon_core::sample::Value;
use andon_core::segments::{Fills, Segment, Segments};
use andon_core::time::Wall;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

const HEADER: [&str; 11] = [
    "device", "line", "state", "from", "to", "ms", "code", "cause_en", "cause_zh", "quality",
    "reason",
];

pub(super) fn write(wanted: &Wanted<'_>, out: &mut impl Write) -> io::Result<Vec<Passed>> {
    let mut row = Row::default();
    for name in HEADER {
        row.put(name);
    }
    row.end(out)?;
    // All of them: what began before may go on within the time that is asked for.
    let mut pages = history::pages(&wanted.settings.data_dir, Kind::Marks);
    let mut fills = Fills::default();
    for page in history::pages(&wanted.settings.data_dir, Kind::Marks) {
        if let Leaf::Marks(marks) = page.leaf {
            marks.iter().for_each(|mark| fills.note(mark));
        }
    }
    let mut segments = Segments::with(fills);
    let mut ended = Vec::new();
    // What has ended and waits for what began before it and goes on.
    let mut waiting = BTreeMap::new();
    for (page, n) in pages.by_ref().zip(0_usize..) {
        if let Leaf::Marks(marks) = page.leaf {
            for mark in &marks {
                segments.take(mark, |segment| ended.push(segment));
            }
        }
        wait(wanted, &mut waiting, n, ended.drain(..));
        let first = segments.open_since();
        while let Some(next) = waiting.first_entry()
            && first.is_none_or(|first| next.key().0 < first)
        {
            put(wanted, &next.remove(), &mut row, out)?;
        }
    }
    wait(wanted, &mut waiting, usize::MAX, segments.open());
    for segment in waiting.values() {
        put(wanted, segment, &mut row, out)?;
    }
    Ok(pages.passed().to_vec())
}

/// Where a row stands: by its start, then by its device, then as it was kept.
type Place = (Wall, Arc<str>, usize, usize);

/// Takes up what is asked for.
fn wait(
    wanted: &Wanted<'_>,
    waiting: &mut BTreeMap<Place, Segment>,
    page: usize,
    segments: impl IntoIterator<Item = Segment>,
) {
    for (n, segment) in segments.into_iter().enumerate() {
        let overlaps = segment.from < wanted.to && segment.to.is_none_or(|to| to > wanted.from);
        if wanted.is_of(&segment.device) && overlaps && !segment.says_nothing() {
            let place = (segment.from, segment.device.clone(), page, n);
            waiting.insert(place, segment);
        }
    }
}

fn put(
    wanted: &Wanted<'_>,
    segment: &Segment,
    row: &mut Row,
    out: &mut impl Write,
) -> io::Result<()> {
    let plant = &wanted.settings.plant;
    let zone = &plant.calendar.zone;
    let device = plant
        .devices
        .iter()
        .find(|device| device.id == segment.device);
    let said = segment.reason.as_deref();
    let cause = said
        .map(|id| of_operator(plant, id))
        .or_else(|| cause(device?, segment.code.as_ref()));
    row.put(&segment.device)
        .put_if(device.and_then(|device| device.line.as_ref()))
        .put(segment.state.as_str())
        .put(local(segment.from, zone))
        .put_if(segment.to.map(|to| local(to, zone)))
        .put_if(segment.to.map(|to| to - segment.from))
        .put_if(segment.code.as_ref())
        .put_if(cause.map(|(en, _)| en))
        .put_if(cause.map(|(_, zh)| zh))
        .put(segment.quality.as_str())
        .put_if(segment.quality.reason())
        .end(out)
}

/// What an operator has said; its id, if no button stands for it any more.
fn of_operator<'r>(plant: &'r Plant, id: &'r str) -> (&'r str, &'r str) {
    match plant.reason(id) {
        Some(reason) => (&reason.en, &reason.zh),
        None => (id, id),
    }
}

fn cause<'d>(device: &'d Device, code: Option<&Value>) -> Option<(&'d str, &'d str)> {
    let Some(Value::Int(code)) = code else {
        return None;
    };
    let code = device
        .model
        .codes
        .iter()
        .find(|known| known.value == *code)?;
    Some((&code.en, &code.zh))
}
