//! Records: what every one carries, and summaries.

use super::{Thousandths, VERSION, event, run_id, shift_entries};
use crate::kpi::{self, Figure};
use crate::plant::Gateway;
use crate::record::{Body, Record, Run, TagWindow};
use crate::state::State;
use crate::summary::{Summary, Tier};
use crate::tag_sums::Number;
use alloc::format;
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
        map.serialize_entry("v", &VERSION)?;
        map.serialize_entry("gateway", &self.gateway.id)?;
        map.serialize_entry("run", &run_id(self.run))?;
        map.serialize_entry("boot", &self.run.boot)?;
        map.serialize_entry("seq", &self.record.seq)?;
        map.serialize_entry("n", &self.record.n)?;
        map.serialize_entry("ts", &self.record.ts)?;
        map.serialize_entry("clock", self.record.clock.as_str())?;
        map.serialize_entry("historical", &self.historical)?;
        map.serialize_entry("cfg", &format!("{:08x}", self.run.cfg))?;
        match &self.record.body {
            Body::Summary(summary) => summary_entries(&mut map, summary)?,
            Body::Tags(tags) => tags_entries(&mut map, tags)?,
            Body::Event(event) => event::entries(&mut map, event)?,
        }
        map.end()
    }
}

fn summary_entries<M: SerializeMap>(map: &mut M, summary: &Summary) -> Result<(), M::Error> {
    map.serialize_entry("device", &summary.device)?;
    if let Some(line) = &summary.line {
        map.serialize_entry("line", line)?;
    }
    map.serialize_entry("window", summary.tier.as_str())?;
    if summary.tier == Tier::Shift {
        // Null between shifts, and where days of silence were several.
        shift_entries(map, summary.shift.as_ref())?;
    }
    map.serialize_entry("start_ms", &summary.start)?;
    map.serialize_entry("end_ms", &summary.end)?;
    map.serialize_entry("window_ms", &summary.window_ms())?;
    if summary.clock_step_ms != 0 {
        map.serialize_entry("clock_step_ms", &summary.clock_step_ms)?;
    }
    map.serialize_entry("fold", &summary.fold)?;
    map.serialize_entry("rev", &summary.rev)?;
    map.serialize_entry("merged", &summary.merged)?;
    map.serialize_entry("every_ms", &summary.every_ms)?;
    for state in State::ALL {
        map.serialize_entry(time_key(state), &summary.times.of(state))?;
    }
    map.serialize_entry("uncounted_ms", &summary.uncounted_ms)?;
    map.serialize_entry("good", &summary.parts.good)?;
    map.serialize_entry("scrap", &summary.parts.scrap)?;
    map.serialize_entry("total", &summary.parts.total)?;
    map.serialize_entry(
        "gap_total",
        &summary.parts.total.map(|_| summary.parts.gap_total),
    )?;
    map.serialize_entry("failures", &summary.failures)?;
    map.serialize_entry("repairs", &summary.repairs)?;
    map.serialize_entry("repair_ms", &summary.repair_ms)?;
    map.serialize_entry(
        "capacity",
        &summary.capacity.map(|capacity| capacity.planned),
    )?;
    map.serialize_entry("capacity_producing", &summary.capacity.map(|c| c.producing))?;
    map.serialize_entry("capacity_uncounted", &summary.capacity.map(|c| c.uncounted))?;
    if summary.unrated.planned_ms != 0 {
        map.serialize_entry("unrated_ms", &summary.unrated.planned_ms)?;
        map.serialize_entry("unrated_producing_ms", &summary.unrated.producing_ms)?;
    }
    map.serialize_entry(
        "rated_per_h",
        &summary.capacity.map(|c| Thousandths(c.rate)),
    )?;
    for figure in kpi::figures(summary) {
        figure_entries(map, &figure)?;
    }
    map.serialize_entry("reason", &kpi::reason(summary).map(kpi::Why::as_str))
}

fn tags_entries<M: SerializeMap>(map: &mut M, window: &TagWindow) -> Result<(), M::Error> {
    map.serialize_entry("device", &window.device)?;
    if let Some(line) = &window.line {
        map.serialize_entry("line", line)?;
    }
    map.serialize_entry("window", window.tier.as_str())?;
    if window.tier == Tier::Shift {
        shift_entries(map, window.shift.as_ref())?;
    }
    map.serialize_entry("start_ms", &window.start)?;
    map.serialize_entry("end_ms", &window.end)?;
    map.serialize_entry("window_ms", &window.window_ms)?;
    if window.clock_step_ms != 0 {
        map.serialize_entry("clock_step_ms", &window.clock_step_ms)?;
    }
    map.serialize_entry("fold", &window.fold)?;
    map.serialize_entry("rev", &0)?;
    map.serialize_entry("merged", &window.merged)?;
    if window.parts > 1 {
        map.serialize_entry("part", &window.part)?;
        map.serialize_entry("parts", &window.parts)?;
    }
    for tag in &window.tags {
        let key = |what: &str| format!("{}_{what}", tag.name);
        let sum = &tag.sum;
        if tag.counter {
            map.serialize_entry(&key("delta"), &tag.last.map(|_| Plain(sum.total)))?;
        } else {
            let known = |value: f64| value.is_finite().then_some(Plain(value));
            map.serialize_entry(&key("mean"), &sum.mean().map(Plain))?;
            map.serialize_entry(&key("min"), &known(sum.min))?;
            map.serialize_entry(&key("max"), &known(sum.max))?;
        }
        map.serialize_entry(&key("last"), &tag.last.map(Last))?;
        map.serialize_entry(&key("good_ms"), &sum.good_ms)?;
    }
    Ok(())
}

/// A computed number: nine digits tell all that was measured, and whole ones have no fraction.
struct Plain(f64);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const WHOLE: f64 = 9_007_199_254_740_992.0;
        let whole = self.0 as i64;
        if self.0.abs() < WHOLE && whole as f64 == self.0 {
            return serializer.serialize_i64(whole);
        }
        let digits = format!("{:.8e}", self.0);
        serializer.serialize_f64(digits.parse().unwrap_or(self.0))
    }
}

/// A value as it was read.
struct Last(Number);

impl Serialize for Last {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Number::Bool(b) => serializer.serialize_bool(b),
            Number::Int(i) => serializer.serialize_i64(i),
            Number::Float(f) => serializer.serialize_f64(f),
        }
    }
}

fn figure_entries<M: SerializeMap>(map: &mut M, figure: &Figure) -> Result<(), M::Error> {
    let [value, low, high, reason] = figure.key.names();
    map.serialize_entry(value, &figure.value.ok().map(kpi::Fixed::as_f64))?;
    if let Some(bounds) = figure.bounds {
        map.serialize_entry(low, &bounds.0.map(kpi::Fixed::as_f64))?;
        map.serialize_entry(high, &bounds.1.map(kpi::Fixed::as_f64))?;
    }
    match figure.value {
        Ok(_) => Ok(()),
        Err(why) => map.serialize_entry(reason, why.as_str()),
    }
}

const fn time_key(state: State) -> &'static str {
    match state {
        State::Producing => "producing_ms",
        State::Setup => "setup_ms",
        State::Delayed => "delayed_ms",
        State::Faulted => "faulted_ms",
        State::Idle => "idle_ms",
        State::PlannedStop => "planned_stop_ms",
        State::Unknown => "unknown_ms",
    }
}
