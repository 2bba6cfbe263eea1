//! Records: what every one carries, the parts and figures of windows, and what tags came to.

use super::declare::{Field, Maybe, Payload, PayloadClass, Presence, Shape, keys};
use super::event;
use super::values::{Day, Hash, Last, Plain, Thousandths, Version};
use crate::kpi::{self, Figure, Fixed, Key, Why};
use crate::plant::Gateway;
use crate::record::{Body, Record, Run, TagValue, TagWindow};
use crate::state::State;
use crate::summary::{ShiftRun, Summary, Tier};
use crate::time::{ClockState, Wall};
use alloc::format;
use alloc::vec::Vec;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A record as a payload.
#[derive(Debug)]
pub struct Message<'a> {
    /// Who sends it.
    pub gateway: &'a Gateway,
    /// The run that made it.
    pub run: &'a Run,
    /// What it says.
    pub record: &'a Record,
    /// Made before this connection, or over 60 s old when sent.
    pub historical: bool,
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        envelope(&mut map, self)?;
        match &self.record.body {
            Body::Summary(summary) => summary_entries(&mut map, summary)?,
            Body::Tags(tags) => tags_entries(&mut map, tags)?,
            Body::Event(event) => event::entries(&mut map, event)?,
        }
        map.end()
    }
}

keys! {
    /// What every record carries.
    fn envelope, envelope_keys(message: &Message<'_>) {
        "v": Version = Version, "Version of topics and payloads.";
        "gateway": &str = &message.gateway.id, "Id of the gateway. With `run` and `seq` it is the key by which a record is known when it comes twice.";
        "run": &Run = message.run, "The run of the agent that made the record: random, new at each start.";
        "boot": u32 = message.run.boot, "Counts the starts of the agent; puts runs in order.";
        "seq": u64 = message.record.seq, "Number of the record in its run, from 1, unbroken over all topics; numbers that never come are told by a `loss` or `merged` event.";
        "n": u64 = message.record.n, "Number of the record in its topic and run, from 1, unbroken but for what is told as lost or merged.";
        "ts": Wall = message.record.ts, "When the record was made, never when it was sent.";
        "clock": ClockState = message.record.clock, "What the gateway's clock was worth then: disciplined by a time source; plausible, but nobody vouches for it; never set.";
        "historical": bool = message.historical, "Made before this connection, or over 60 s old when it was sent. The same record may come once without and once with it.";
        "cfg": Hash = Hash(message.run.cfg), "Short hash of the configuration.";
    }
}

keys! {
    /// Whose window.
    fn whose, whose_keys(device: &str, line: Option<&str>, tier: Tier) {
        "device": &str = device, "Id of the machine.";
        "line": Maybe<&str> = Maybe(line), "The line it stands in, if one is configured.";
        "window": Tier = tier, "A minute, an hour, a shift or a production day.";
    }
}

keys! {
    /// Which shift it is; nulls between shifts, and where several are merged.
    fn shift, shift_keys(shift: Option<&ShiftRun>) {
        "shift": Option<&str> = shift.map(|shift| &*shift.name), "Name of the shift; null between shifts, and where several are merged.";
        "shift_date": Option<Day<'_>> = shift.map(|shift| Day(&shift.date)), "The day on which the shift started.";
        "crew": Option<&str> = shift.and_then(|shift| shift.crew.as_deref()), "The crew that worked it; null where none is named.";
    }
}

keys! {
    /// From when to when.
    fn span, span_keys(start: Wall, end: Wall, window_ms: u64, step_ms: i64) {
        "start_ms": Wall = start, "Start of the window, which holds it.";
        "end_ms": Wall = end, "End of the window, which does not hold it.";
        "window_ms": u64 = window_ms, "Real elapsed length in milliseconds; end_ms − start_ms, unless `clock_step_ms` is there. Adds up.";
        "clock_step_ms": Maybe<i64> = Maybe((step_ms != 0).then_some(step_ms)), "By how many milliseconds the wall clock was stepped inside the window: end_ms − start_ms = window_ms + clock_step_ms.";
    }
}

keys! {
    /// Which edition of a window it is.
    fn edition, edition_keys(fold: u32, rev: u32, merged: u32) {
        "fold": u32 = fold, "0; another number where a clock that was stepped back runs over times that it had labelled before, and where it was not set. Part of the window's key.";
        "rev": u32 = rev, "Corrections so far. Of one key (gateway, device, window, start_ms, fold) the highest counts.";
        "merged": u32 = merged, "How many windows it stands for: 1, or more after days of silence or where the outbox was full.";
    }
}

keys! {
    fn polled, polled_keys(every_ms: u64) {
        "every_ms": u64 = every_ms, "Polling period of the machine, in milliseconds.";
    }
}

keys! {
    /// The additive parts beside the times.
    fn parts, parts_keys(summary: &Summary) {
        "uncounted_ms": u64 = summary.uncounted_ms, "Planned milliseconds in which parts were made that nobody could count. Adds up.";
        "good": Option<u64> = summary.parts.good, "Good parts; null if nobody counts them. Adds up.";
        "scrap": Option<u64> = summary.parts.scrap, "Scrap; null if nobody counts it. Adds up.";
        "total": Option<u64> = summary.parts.total, "Good parts and scrap; null if nobody counts them. Adds up.";
        "gap_total": Option<u64> = summary.parts.total.map(|_| summary.parts.gap_total), "Of `total`, parts learned by one reading over unknown time: counted where they were read, and nobody knows when they were made. Adds up.";
        "gap_before_ms": Maybe<u64> = if_any(summary.parts.gap_before_ms), "How long before the start of the window the reading was made from which the earliest of them were counted; left out where that was in the window. Of a sum: the greatest, each less the time from the start of the sum to its window.";
        "gap_after_ms": Maybe<u64> = if_any(summary.parts.gap_after_ms), "How long before the end of the window a counter was read last, if planned time has been unknown since: a later window tells what was made; left out where there is no such time. Of a sum: that of its last window.";
        "failures": u32 = summary.failures, "Faults that began. Adds up.";
        "repairs": u32 = summary.repairs, "Faults that ended. Adds up.";
        "repair_ms": u64 = summary.repair_ms, "Faulted milliseconds of the faults that ended, from their beginning. Adds up.";
        "capacity": Option<u64> = summary.capacity.map(|capacity| capacity.planned), "What the rated rate would have made in planned time, in thousandths of a part; null without a rated rate. Adds up.";
        "capacity_producing": Option<u64> = summary.capacity.map(|capacity| capacity.producing), "The same of `producing_ms`. Adds up.";
        "capacity_uncounted": Option<u64> = summary.capacity.map(|capacity| capacity.uncounted), "The same of `uncounted_ms`. Adds up.";
        "unrated_ms": Maybe<u64> = unrated(summary, summary.unrated.planned_ms), "Planned milliseconds for which no rate is known; left out where there are none. Adds up.";
        "unrated_producing_ms": Maybe<u64> = unrated(summary, summary.unrated.producing_ms), "Of them, producing. Adds up.";
        "rated_per_h": Option<Thousandths> = summary.capacity.map(|capacity| Thousandths(capacity.rate)), "Rated rate at the end of the window, parts per hour.";
    }
}

fn if_any(ms: u64) -> Maybe<u64> {
    Maybe((ms != 0).then_some(ms))
}

fn unrated(summary: &Summary, ms: u64) -> Maybe<u64> {
    Maybe((summary.unrated.planned_ms != 0).then_some(ms))
}

keys! {
    fn reason, reason_keys(why: Option<Why>) {
        "reason": Option<Why> = why, "The most important of the reasons above that says something of the data; null if there is none.";
    }
}

keys! {
    /// Which of several records of one window.
    fn portion, portion_keys(window: &TagWindow) {
        "part": Maybe<u16> = Maybe((window.parts > 1).then_some(window.part)), "Which of the records that tell the tags of this window, from 1; left out where it is the only one.";
        "parts": Maybe<u16> = Maybe((window.parts > 1).then_some(window.parts)), "How many these are.";
    }
}

fn summary_entries<M: SerializeMap>(map: &mut M, summary: &Summary) -> Result<(), M::Error> {
    whose(map, &summary.device, summary.line.as_deref(), summary.tier)?;
    if summary.tier == Tier::Shift {
        // Null between shifts, and where days of silence were several.
        shift(map, summary.shift.as_ref())?;
    }
    let (start, end, step_ms) = (summary.start, summary.end, summary.clock_step_ms);
    span(map, start, end, summary.window_ms(), step_ms)?;
    edition(map, summary.fold, summary.rev, summary.merged)?;
    polled(map, summary.every_ms)?;
    for state in State::ALL {
        map.serialize_entry(time_key(state).0, &summary.times.of(state))?;
    }
    parts(map, summary)?;
    for figure in kpi::figures(summary) {
        figure_entries(map, &figure)?;
    }
    reason(map, kpi::reason(summary))
}

fn tags_entries<M: SerializeMap>(map: &mut M, window: &TagWindow) -> Result<(), M::Error> {
    whose(map, &window.device, window.line.as_deref(), window.tier)?;
    if window.tier == Tier::Shift {
        shift(map, window.shift.as_ref())?;
    }
    let (start, end, step_ms) = (window.start, window.end, window.clock_step_ms);
    span(map, start, end, window.window_ms, step_ms)?;
    edition(map, window.fold, 0, window.merged)?;
    portion(map, window)?;
    for tag in &window.tags {
        tag_entries(map, tag)?;
    }
    Ok(())
}

fn figure_entries<M: SerializeMap>(map: &mut M, figure: &Figure) -> Result<(), M::Error> {
    let [value, low, high, reason] = figure.key.names();
    map.serialize_entry(value, &figure.value.ok().map(Fixed::as_f64))?;
    if let Some(bounds) = figure.bounds {
        map.serialize_entry(low, &bounds.0.map(Fixed::as_f64))?;
        map.serialize_entry(high, &bounds.1.map(Fixed::as_f64))?;
    }
    match figure.value {
        Ok(_) => Ok(()),
        Err(why) => map.serialize_entry(reason, why.as_str()),
    }
}

/// The keys of [`figure_entries`].
fn figure_keys(key: Key) -> Vec<Field> {
    let [value, low, high, reason] = key.names();
    let shape = if key.is_share() {
        Shape::Share
    } else {
        Shape::Positive
    };
    let mut fields = Vec::from([Field::new(value, shape.clone(), figure_about(key)).or_null()]);
    if key.has_bounds() {
        let worst = "The worst case, over all planned time; null if nothing was planned.";
        let best = "The best case, over all planned time; null if nothing was planned.";
        fields.push(Field::new(low, shape.clone(), worst).or_null());
        fields.push(Field::new(high, shape, best).or_null());
    }
    let about = format!("Why `{value}` is null; left out where it is not.");
    fields.push(Field::of::<Maybe<Why>>(reason, &about));
    fields
}

/// What a figure is, with its unit: [`Key`] in the words of a schema.
pub(super) const fn figure_about(key: Key) -> &'static str {
    match key {
        Key::CapacityUtilisation => {
            "产能利用率. Parts made of parts possible in planned time (ISO 22400 equipment load ratio): 1000 × total / (capacity − capacity_uncounted). No percentage; may be over 1."
        }
        Key::Availability => {
            "时间开动率. Share of known planned time in which the machine produced."
        }
        Key::FaultTimeRatio => {
            "设备故障率. Share of known planned time in which the machine was stopped by its own failure."
        }
        Key::AllocationEfficiency => {
            "Share of known planned time in which the machine was busy: producing, in setup, delayed or faulted."
        }
        Key::UtilisationEfficiency => "Share of busy time in which the machine produced.",
        Key::TechnicalEfficiency => {
            "Producing, of the time in which it was producing, delayed or faulted."
        }
        Key::Oee => {
            "设备综合效率. Good parts of parts possible in planned time: 1000 × good / (capacity − capacity_uncounted). No percentage; may be over 1."
        }
        Key::Effectiveness => {
            "性能开动率. Parts made of parts possible while producing: 1000 × (total − gap_total) / capacity_producing. May be over 1."
        }
        Key::QualityRatio => "合格率. Good parts of all parts.",
        Key::FaultRatePerH => "故障频率. Faults per hour of producing and setup.",
        Key::MtbfS => "Mean time between failures: seconds of producing and setup per fault.",
        Key::MttrS => "Mean time to repair, in seconds, of the faults that ended in the window.",
        Key::ThroughputPerH => "Parts per busy hour.",
        Key::Coverage => "Share of planned time that is known.",
    }
}

/// The key of the time in a state, and what it means.
const fn time_key(state: State) -> (&'static str, &'static str) {
    match state {
        State::Producing => (
            "producing_ms",
            "Milliseconds in which it made parts. Adds up.",
        ),
        State::Setup => (
            "setup_ms",
            "Milliseconds in which it was set up or changed over. Adds up.",
        ),
        State::Delayed => (
            "delayed_ms",
            "Milliseconds in which it was stopped inside an order: starved, blocked, minor stop. Adds up.",
        ),
        State::Faulted => (
            "faulted_ms",
            "Milliseconds in which it was stopped by its own failure. Adds up.",
        ),
        State::Idle => (
            "idle_ms",
            "Milliseconds in which it could run and had no order. Adds up.",
        ),
        State::PlannedStop => (
            "planned_stop_ms",
            "Milliseconds outside the shifts or in a break, and not working. Adds up.",
        ),
        State::Unknown => (
            "unknown_ms",
            "Milliseconds of which nobody knows anything. Adds up.",
        ),
    }
}

fn tag_entries<M: SerializeMap>(map: &mut M, tag: &TagValue) -> Result<(), M::Error> {
    let sum = &tag.sum;
    let mut put = |end: &str, value: Option<Plain>| {
        map.serialize_entry(&format!("{}{end}", tag.name), &value)
    };
    if tag.counter {
        put(DELTA, tag.last.map(|_| Plain(sum.total)))?;
    } else {
        let known = |value: f64| value.is_finite().then_some(Plain(value));
        put(MEAN, sum.mean().map(Plain))?;
        put(MIN, known(sum.min))?;
        put(MAX, known(sum.max))?;
    }
    map.serialize_entry(&format!("{}{LAST}", tag.name), &tag.last.map(Last))?;
    map.serialize_entry(&format!("{}{GOOD_MS}", tag.name), &sum.good_ms)
}

const DELTA: &str = "_delta";
const MEAN: &str = "_mean";
const MIN: &str = "_min";
const MAX: &str = "_max";
const LAST: &str = "_last";
const GOOD_MS: &str = "_good_ms";

/// The keys of [`tag_entries`], without the name of the tag.
fn tag_keys() -> Vec<Field> {
    Vec::from([
        Field::of::<Option<Plain>>(
            MEAN,
            "Mean of the tag weighted by time, over good time, in the unit of the tag; of a contact the share of the time that it was true. Null without good time.",
        ),
        Field::of::<Option<Plain>>(MIN, "Least value in good time."),
        Field::of::<Option<Plain>>(MAX, "Greatest value in good time."),
        Field::of::<Option<Plain>>(
            DELTA,
            "Of a counter, instead of mean, min and max: what was added. Adds up.",
        ),
        Field::of::<Option<Last>>(LAST, "The last good value of the window."),
        Field::of::<u64>(GOOD_MS, "Good time in milliseconds. Adds up."),
    ])
}

fn window_keys(between: Vec<Field>) -> Vec<Field> {
    let of_shift = Presence::Where("window", Tier::Shift.as_str());
    let mut fields = envelope_keys();
    fields.extend(whose_keys());
    fields.extend(
        shift_keys()
            .into_iter()
            .map(|field| field.present(of_shift)),
    );
    fields.extend(span_keys());
    fields.extend(edition_keys());
    fields.extend(between);
    fields
}

/// `{device}/kpi/{window}` as it is declared.
pub(super) fn kpi_payload() -> Payload {
    let mut fields = polled_keys();
    fields.extend(State::ALL.map(|state| {
        let (key, about) = time_key(state);
        Field::of::<u64>(key, about)
    }));
    fields.extend(parts_keys());
    fields.extend(Key::ALL.into_iter().flat_map(figure_keys));
    fields.extend(reason_keys());
    Payload {
        name: "kpi",
        topic: "{device}/kpi/{window}",
        about: "The additive parts and the figures of one machine over one window, at the window's end.",
        class: PayloadClass::Record,
        fields: window_keys(fields),
        of_tags: Vec::new(),
        variants: Vec::new(),
    }
}

/// `{device}/tags/{window}` as it is declared.
pub(super) fn tags_payload() -> Payload {
    Payload {
        name: "tags",
        topic: "{device}/tags/{window}",
        about: "What the tags of one machine came to over one window, at the window's end.",
        class: PayloadClass::Record,
        fields: window_keys(portion_keys()),
        of_tags: tag_keys(),
        variants: Vec::new(),
    }
}

/// `event` as it is declared.
pub(super) fn event_payload() -> Payload {
    Payload {
        name: "event",
        topic: "event",
        about: "The journal: what happened, when it happens.",
        class: PayloadClass::Record,
        fields: envelope_keys(),
        of_tags: Vec::new(),
        variants: event::variants(),
    }
}
