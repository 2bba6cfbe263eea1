//! What goes to the broker: topics and payloads, as the contract fixes them (§5).
//!
//! Every payload is a flat JSON object; the types here serialise to it with `serde_json`. What is
//! shown on the gateway itself has the same form (`shown`).

mod hygiene;
mod shown;

pub use hygiene::{FrequentAlarm, HygieneMessage};
pub use shown::{DeviceStatus, Doing, LinkStatus, TagStatus};

use crate::alarm::{Act, Alarm};
use crate::kpi::{self, Figure, Key};
use crate::plant::{self, Cause, Device, Gateway};
use crate::record::{Body, Class, Event, Record, Run, TagWindow};
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::summary::{ShiftRun, Sum, Summary, Tier};
use crate::tag_sums::Number;
use crate::time::Wall;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Version of topics and payloads.
pub const VERSION: u32 = 1;

/// `{root}/v1/{site}/{area}/{gateway}`: the head of every topic.
pub fn topic_head(gateway: &Gateway) -> String {
    format!(
        "{}/v{VERSION}/{}/{}/{}",
        gateway.root, gateway.site, gateway.area, gateway.id
    )
}

/// The topic of a record below the gateway: `press-1/kpi/1m` or `event`.
pub fn topic_tail(body: &Body) -> String {
    match body {
        Body::Summary(summary) => format!("{}/kpi/{}", summary.device, summary.tier.as_str()),
        Body::Tags(tags) => format!("{}/tags/{}", tags.device, tags.tier.as_str()),
        Body::Event(_) => String::from("event"),
    }
}

/// A run's id as on the wire: 12 hexadecimal digits.
pub fn run_id(run: &Run) -> String {
    format!("{:012x}", run.id & 0xffff_ffff_ffff)
}

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
            Body::Event(event) => event_entries(&mut map, event)?,
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
    if summary.parts.gap_before_ms != 0 {
        map.serialize_entry("gap_before_ms", &summary.parts.gap_before_ms)?;
    }
    if summary.parts.gap_after_ms != 0 {
        map.serialize_entry("gap_after_ms", &summary.parts.gap_after_ms)?;
    }
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

/// Which shift it is; nulls between shifts, and where several are merged.
fn shift_entries<M: SerializeMap>(map: &mut M, shift: Option<&ShiftRun>) -> Result<(), M::Error> {
    map.serialize_entry("shift", &shift.map(|shift| &shift.name))?;
    map.serialize_entry("shift_date", &shift.map(|shift| &shift.date))?;
    map.serialize_entry("crew", &shift.and_then(|shift| shift.crew.as_ref()))
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

fn event_entries<M: SerializeMap>(map: &mut M, event: &Event) -> Result<(), M::Error> {
    match event {
        Event::State {
            device,
            from,
            to,
            code,
            cause,
            quality,
        } => {
            map.serialize_entry("event", "state")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("from", from.as_str())?;
            map.serialize_entry("to", to.as_str())?;
            map.serialize_entry("code", &code.as_ref().map(Raw))?;
            map.serialize_entry("cause", cause)?;
            quality_entries(map, *quality)
        }
        Event::Alarm {
            device,
            alarm,
            occurrence,
            priority,
            from,
            to,
            value,
            active,
            first_out,
            done,
        } => {
            let word = done.as_ref().map_or("alarm", |done| done.verb.as_str());
            map.serialize_entry("event", word)?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("what", &format!("{device}.{alarm}"))?;
            map.serialize_entry("occurrence", occurrence)?;
            map.serialize_entry("priority", priority)?;
            map.serialize_entry("from", from.as_str())?;
            map.serialize_entry("to", to.as_str())?;
            map.serialize_entry("active", active)?;
            map.serialize_entry("value", &value.as_ref().map(Raw))?;
            map.serialize_entry("first_out", first_out)?;
            let Some(done) = done else { return Ok(()) };
            act_entries(map, Some(&done.act))?;
            map.serialize_entry("until_ms", &done.until)?;
            match done.took_ms {
                Some(took_ms) => map.serialize_entry("took_ms", &took_ms),
                None => Ok(()),
            }
        }
        Event::Silence { act, count, until } => {
            map.serialize_entry("event", "silence")?;
            map.serialize_entry("count", count)?;
            act_entries(map, Some(act))?;
            map.serialize_entry("until_ms", until)
        }
        Event::HornTest { horn, act, until } => {
            map.serialize_entry("event", "horn-test")?;
            map.serialize_entry("what", horn)?;
            act_entries(map, Some(act))?;
            map.serialize_entry("until_ms", until)
        }
        Event::Telling(telling) => {
            map.serialize_entry("event", "notice")?;
            map.serialize_entry("what", &telling.alarm)?;
            map.serialize_entry("occurrence", &telling.occurrence)?;
            map.serialize_entry("priority", &telling.priority)?;
            map.serialize_entry("to", &telling.to)?;
            map.serialize_entry("via", &telling.channel.map(|channel| channel.as_str()))?;
            map.serialize_entry("kind", &telling.kind.map(|kind| kind.as_str()))?;
            map.serialize_entry("outcome", &telling.outcome)?;
            map.serialize_entry("why", &telling.why)?;
            map.serialize_entry("count", &telling.count)
        }
        Event::Link { link, up, why } => {
            map.serialize_entry("event", "link")?;
            map.serialize_entry("what", link)?;
            map.serialize_entry("from", if *up { "down" } else { "up" })?;
            map.serialize_entry("to", if *up { "up" } else { "down" })?;
            map.serialize_entry("why", why)
        }
        Event::Clock { from, to, step_ms } => {
            map.serialize_entry("event", "clock")?;
            map.serialize_entry("from", from.as_str())?;
            map.serialize_entry("to", to.as_str())?;
            map.serialize_entry("step_ms", step_ms)
        }
        Event::Config { what } => {
            map.serialize_entry("event", "config")?;
            map.serialize_entry("what", what)
        }
        Event::Loss {
            why,
            run,
            seq_from,
            seq_to,
            count,
            class,
        } => {
            map.serialize_entry("event", "loss")?;
            map.serialize_entry("what", why)?;
            if let Some(run) = run {
                numbers(map, run, *seq_from, *seq_to)?;
            }
            map.serialize_entry("class", &class.map(class_word))?;
            map.serialize_entry("count", &(*count > 0).then_some(count))
        }
        Event::Merged {
            device,
            tier,
            run,
            seq_from,
            seq_to,
            count,
        } => {
            map.serialize_entry("event", "merged")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("window", tier.as_str())?;
            numbers(map, run, *seq_from, *seq_to)?;
            map.serialize_entry("count", count)
        }
        Event::UnmappedState { device, value } => {
            map.serialize_entry("event", "unmapped-state")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("what", &value.to_string())?;
            map.serialize_entry("value", &Raw(value))
        }
        Event::Source {
            device,
            tag,
            reason,
            begins,
            value,
        } => {
            let reason = reason.to_string();
            let (from, to) = if *begins {
                ("good", &*reason)
            } else {
                (&*reason, "good")
            };
            map.serialize_entry("event", "source")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("what", tag)?;
            map.serialize_entry("from", from)?;
            map.serialize_entry("to", to)?;
            map.serialize_entry("reason", &reason)?;
            map.serialize_entry("value", &value.as_ref().map(Raw))
        }
    }
}

/// Who did something, how and why.
fn act_entries<M: SerializeMap>(map: &mut M, act: Option<&Act>) -> Result<(), M::Error> {
    map.serialize_entry("by", &act.and_then(|act| act.by.as_deref()))?;
    map.serialize_entry("via", &act.map(|act| act.via))?;
    map.serialize_entry("why", &act.and_then(|act| act.why.as_deref()))
}

/// Numbers of another run than the record's own are named with that run.
fn numbers<M: SerializeMap>(map: &mut M, run: &Run, from: u64, to: u64) -> Result<(), M::Error> {
    map.serialize_entry("of_run", &run_id(run))?;
    map.serialize_entry("of_boot", &run.boot)?;
    map.serialize_entry("seq_from", &from)?;
    map.serialize_entry("seq_to", &to)
}

const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Summary => "summary",
        Class::Event => "event",
        Class::Alarm => "alarm",
    }
}

fn quality_entries<M: SerializeMap>(map: &mut M, quality: Quality) -> Result<(), M::Error> {
    map.serialize_entry("quality", quality.as_str())?;
    map.serialize_entry("reason", &quality.reason().map(|reason| reason.to_string()))
}

/// `{device}/info`: `units` has one for each of `tags`, or none at all.
#[derive(Debug)]
pub struct InfoMessage<'a> {
    /// Who sends it.
    pub gateway: &'a Gateway,
    /// The present run.
    pub run: &'a Run,
    /// Whose.
    pub device: &'a Device,
    /// Its rated rate now, in thousandths of a part per hour.
    pub rate: Option<u64>,
}

impl Serialize for InfoMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let device = self.device;
        let tags: Vec<&str> = device.model.tags.iter().map(|tag| &*tag.name).collect();
        let mut units: Vec<&str> = device.model.tags.iter().map(|tag| &*tag.unit).collect();
        if units.iter().all(|unit| unit.is_empty()) {
            units.clear();
        }
        let publishes: Vec<&str> = device.publishes.iter().map(Tier::as_str).collect();
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        map.serialize_entry("device", &device.id)?;
        map.serialize_entry("name", &device.name)?;
        map.serialize_entry("line", &device.line)?;
        map.serialize_entry("asset", &device.asset)?;
        map.serialize_entry("profile", &device.profile)?;
        map.serialize_entry("rated_per_h", &self.rate.map(Thousandths))?;
        map.serialize_entry("every_ms", &device.model.every_ms)?;
        map.serialize_entry("tags", &tags)?;
        map.serialize_entry("units", &units)?;
        map.serialize_entry("publishes", &publishes)?;
        map.end()
    }
}

/// `{device}/now`.
#[derive(Debug)]
pub struct NowMessage<'a> {
    /// Who sends it.
    pub gateway: &'a Gateway,
    /// The present run.
    pub run: &'a Run,
    /// Whose.
    pub device: &'a Device,
    /// When it was told.
    pub ts: Wall,
    /// Milliseconds since any of its tags was last good; none if none has been.
    pub data_age_ms: Option<u64>,
    /// The open shift, none between shifts, with what it has come to; none without shifts.
    pub shift: Option<(Option<ShiftRun>, Lately)>,
    /// The last 24 hours, in whole hours up to the open one.
    pub h24: Lately,
    /// The last 30 production days, up to the open one.
    pub d30: Lately,
}

/// What some time up to now has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lately {
    /// Where it begins.
    pub from: Wall,
    /// Its parts.
    pub sum: Sum,
}

/// The figures that [`NowMessage`] has of each time.
const MAIN: [Key; 7] = [
    Key::CapacityUtilisation,
    Key::Availability,
    Key::FaultTimeRatio,
    Key::Oee,
    Key::QualityRatio,
    Key::FaultRatePerH,
    Key::Coverage,
];

impl Serialize for NowMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        map.serialize_entry("device", &self.device.id)?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("data_age_ms", &self.data_age_ms)?;
        if let Some((shift, lately)) = &self.shift {
            shift_entries(&mut map, shift.as_ref())?;
            self.lately(&mut map, "shift", lately)?;
        }
        self.lately(&mut map, "h24", &self.h24)?;
        self.lately(&mut map, "d30", &self.d30)?;
        map.end()
    }
}

impl NowMessage<'_> {
    fn lately<M: SerializeMap>(
        &self,
        map: &mut M,
        prefix: &str,
        lately: &Lately,
    ) -> Result<(), M::Error> {
        let Lately { from, sum } = lately;
        let key = |name: &str| format!("{prefix}_{name}");
        map.serialize_entry(&key("from_ms"), from)?;
        let mut reason = None;
        for figure in kpi::figures_of(sum, &self.device.needs()) {
            if MAIN.contains(&figure.key) {
                let value = figure.value.ok().map(kpi::Fixed::as_f64);
                map.serialize_entry(&key(figure.key.names()[0]), &value)?;
                let why = figure.value.err().filter(|why| why.is_notable());
                reason = reason.into_iter().chain(why).min();
            }
        }
        map.serialize_entry(&key("good"), &sum.parts.good)?;
        map.serialize_entry(&key("scrap"), &sum.parts.scrap)?;
        map.serialize_entry(&key("total"), &sum.parts.total)?;
        map.serialize_entry(&key("reason"), &reason.map(kpi::Why::as_str))
    }
}

/// `{device}/state`.
#[derive(Debug)]
pub struct StateMessage<'a> {
    /// Who sends it.
    pub gateway: &'a Gateway,
    /// The present run.
    pub run: &'a Run,
    /// Whose.
    pub device: &'a Device,
    /// When this was so.
    pub ts: Wall,
    /// What it does.
    pub state: State,
    /// What it did before.
    pub previous: State,
    /// Since when.
    pub since: Wall,
    /// The raw status value.
    pub code: Option<&'a Value>,
    /// Why, as far as it is known.
    pub cause: Option<Cause<'a>>,
    /// Quality of the status.
    pub quality: Quality,
    /// What it makes, if its rated rate follows that.
    pub product: Option<&'a Value>,
}

impl Serialize for StateMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("device", &self.device.id)?;
        map.serialize_entry("state", self.state.as_str())?;
        map.serialize_entry("previous", self.previous.as_str())?;
        map.serialize_entry("since_ms", &self.since)?;
        map.serialize_entry("code", &self.code.map(Raw))?;
        map.serialize_entry("cause", &self.cause.map(|cause| cause.en))?;
        map.serialize_entry("cause_zh", &self.cause.map(|cause| cause.zh))?;
        quality_entries(&mut map, self.quality)?;
        map.serialize_entry("product", &self.product.map(Raw))?;
        map.end()
    }
}

/// `{device}/alarm/{alarm}`.
#[derive(Debug)]
pub struct AlarmMessage<'a> {
    /// Who sends it.
    pub gateway: &'a Gateway,
    /// The present run.
    pub run: &'a Run,
    /// Id of the device whose it is, or of the gateway.
    pub device: &'a str,
    /// As configured.
    pub settings: &'a plant::Alarm,
    /// As it stands.
    pub alarm: &'a Alarm,
    /// What was reported with its condition, if it is one of the gateway's own.
    pub reported: Option<&'a str>,
    /// Until when it is shelved, if it is.
    pub until: Option<Wall>,
}

impl Serialize for AlarmMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (settings, alarm) = (self.settings, self.alarm);
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        map.serialize_entry("id", &format!("{}.{}", self.device, settings.id))?;
        map.serialize_entry("device", self.device)?;
        map.serialize_entry("alarm", &settings.id)?;
        map.serialize_entry("occurrence", &alarm.occurrence)?;
        map.serialize_entry("priority", &settings.priority)?;
        map.serialize_entry("state", alarm.state().as_str())?;
        map.serialize_entry("active", &alarm.is_active())?;
        map.serialize_entry("latched", &settings.latched)?;
        map.serialize_entry("quality", if alarm.undecided { "bad" } else { "good" })?;
        map.serialize_entry("raised_ms", &alarm.raised)?;
        map.serialize_entry("acked_ms", &alarm.acked)?;
        map.serialize_entry("cleared_ms", &alarm.cleared)?;
        map.serialize_entry("value", &alarm.value.as_ref().map(Raw))?;
        map.serialize_entry("limit", &settings.when.limit())?;
        map.serialize_entry("group", &settings.group)?;
        let first_out = settings.group.is_some() && alarm.first_out;
        map.serialize_entry("first_out", &first_out)?;
        map.serialize_entry("text_en", &settings.text_en(alarm.value.as_ref()))?;
        map.serialize_entry("text_zh", &settings.text_zh(alarm.value.as_ref()))?;
        let who = alarm.who();
        let why = who.and_then(|act| act.why.as_deref());
        map.serialize_entry("by", &who.and_then(|act| act.by.as_deref()))?;
        map.serialize_entry("via", &who.map(|act| act.via))?;
        map.serialize_entry("why", &why.or(self.reported))?;
        map.serialize_entry("until_ms", &self.until)?;
        map.serialize_entry("count", &alarm.count)?;
        map.end()
    }
}

fn head<M: SerializeMap>(map: &mut M, gateway: &Gateway, run: &Run) -> Result<(), M::Error> {
    map.serialize_entry("v", &VERSION)?;
    map.serialize_entry("gateway", &gateway.id)?;
    map.serialize_entry("run", &run_id(run))
}

/// A raw value as a JSON number, text or truth value.
struct Raw<'a>(&'a Value);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Int(i) => serializer.serialize_i64(*i),
            Value::Float(f) => serializer.serialize_f64(*f),
            Value::Text(t) => serializer.serialize_str(t),
        }
    }
}

/// Thousandths as a JSON number: whole ones without a fraction.
struct Thousandths(u64);

impl Serialize for Thousandths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}
