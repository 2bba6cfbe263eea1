//! Current values: what is retained and overwritten.

use super::{Raw, Thousandths, head, quality_entries, shift_entries};
use crate::alarm::Alarm;
use crate::kpi::{self, Key};
use crate::plant::{self, Cause, Device, Gateway};
use crate::record::Run;
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::summary::{ShiftRun, Sum, Tier};
use crate::time::Wall;
use alloc::format;
use alloc::vec::Vec;
use serde::ser::{Serialize, SerializeMap, Serializer};

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
