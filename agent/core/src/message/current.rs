//! Current values: what is retained and overwritten.

use super::declare::{Field, Payload, PayloadClass, Presence, Shape, keys};
use super::record::{figure_about, shift, shift_keys};
use super::values::{Hash, Judged, Online, Raw, Thousandths};
use super::{head, head_keys, quality_entries, quality_keys};
use crate::alarm::{Alarm, AlarmState, Via};
use crate::kpi::{self, Key};
use crate::plant::{self, Cause, Device, Gateway, Priority};
use crate::record::Run;
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::summary::{ShiftRun, Sum, Tier};
use crate::time::{ClockState, Wall};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
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
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        info(&mut map, self)?;
        map.end()
    }
}

keys! {
    fn info, info_keys(message: &InfoMessage<'_>) {
        "device": &str = &message.device.id, "Id of the machine.";
        "name": &str = &message.device.name, "Its name as people say it.";
        "line": Option<&str> = message.device.line.as_deref(), "The line it stands in.";
        "asset": Option<&str> = message.device.asset.as_deref(), "Its asset number.";
        "profile": Option<&str> = message.device.profile.as_deref(), "The profile it was configured by.";
        "rated_per_h": Option<Thousandths> = message.rate.map(Thousandths), "Its rated rate now, parts per hour.";
        "every_ms": u64 = message.device.model.every_ms, "Its polling period in milliseconds.";
        "tags": Vec<&str> = message.device.model.tags.iter().map(|tag| &*tag.name).collect(), "Names of its tags.";
        "units": Vec<&str> = units(message.device), "Their units, one for each of `tags`; none at all if no tag has one.";
        "publishes": Vec<&str> = message.device.publishes.iter().map(Tier::as_str).collect(), "The windows of `kpi` that it publishes.";
    }
}

fn units(device: &Device) -> Vec<&str> {
    let mut units: Vec<&str> = device.model.tags.iter().map(|tag| &*tag.unit).collect();
    if units.iter().all(|unit| unit.is_empty()) {
        units.clear();
    }
    units
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
        now(&mut map, self)?;
        if let Some((run, lately)) = &self.shift {
            shift(&mut map, run.as_ref())?;
            self.lately(&mut map, "shift", lately)?;
        }
        self.lately(&mut map, "h24", &self.h24)?;
        self.lately(&mut map, "d30", &self.d30)?;
        map.end()
    }
}

keys! {
    fn now, now_keys(message: &NowMessage<'_>) {
        "device": &str = &message.device.id, "Id of the machine.";
        "ts": Wall = message.ts, "When this was so.";
        "data_age_ms": Option<u64> = message.data_age_ms, "Milliseconds since any of its tags was last good; null if none has been since the start.";
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

/// The keys of [`NowMessage::lately`].
fn lately_keys(prefix: &str, time: &str) -> Vec<Field> {
    let key = |name: &str| format!("{prefix}_{name}");
    let from = format!("Where {time} begins.");
    let mut fields = Vec::from([Field::of::<Wall>(&key("from_ms"), &from)]);
    // The order of the keys is that of all figures.
    for figure in Key::ALL.into_iter().filter(|key| MAIN.contains(key)) {
        let shape = if figure.is_share() {
            Shape::Share
        } else {
            Shape::Positive
        };
        let about = format!("Of {time}. {}", figure_about(figure));
        fields.push(Field::new(key(figure.names()[0]), shape, about).or_null());
    }
    let parts = [
        ("good", "Good parts"),
        ("scrap", "Scrap"),
        ("total", "Both"),
    ];
    for (name, what) in parts {
        let about = format!("{what} of {time}; null if nobody counts.");
        fields.push(Field::of::<Option<u64>>(&key(name), &about));
    }
    let about = format!("The most important reason for a null among the figures of {time}.");
    fields.push(Field::of::<Option<kpi::Why>>(&key("reason"), &about));
    fields
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
        state(&mut map, self)?;
        quality_entries(&mut map, self.quality)?;
        product(&mut map, self.product)?;
        map.end()
    }
}

keys! {
    fn state, state_keys(message: &StateMessage<'_>) {
        "ts": Wall = message.ts, "When this was so.";
        "device": &str = &message.device.id, "Id of the machine.";
        "state": State = message.state, "What it does.";
        "previous": State = message.previous, "What it did before.";
        "since_ms": Wall = message.since, "Since when.";
        "code": Option<Raw<'_>> = message.code.map(Raw), "The raw status value.";
        "cause": Option<&str> = message.cause.map(|cause| cause.en), "Why, in English, as far as it is known.";
        "cause_zh": Option<&str> = message.cause.map(|cause| cause.zh), "The same in Chinese.";
    }
}

keys! {
    fn product, product_keys(product: Option<&Value>) {
        "product": Option<Raw<'_>> = product.map(Raw), "What it makes, if its rated rate follows that.";
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
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        alarm(&mut map, self)?;
        map.end()
    }
}

keys! {
    fn alarm, alarm_keys(message: &AlarmMessage<'_>) {
        "id": String = format!("{}.{}", message.device, message.settings.id), "Id of the alarm: machine and alarm.";
        "device": &str = message.device, "Id of the machine, or `gateway`.";
        "alarm": &str = &message.settings.id, "Id of the alarm within the machine.";
        "occurrence": u64 = message.alarm.occurrence, "Counts its activations; an acknowledgement names it.";
        "priority": Priority = message.settings.priority, "How urgent it is.";
        "state": AlarmState = message.alarm.state(), "State by ISA-18.2.";
        "active": bool = message.alarm.is_active(), "Whether its condition holds.";
        "latched": bool = message.settings.latched, "Whether it stays until it is reset.";
        "quality": Judged = Judged(!message.alarm.undecided), "`bad`: whether the condition holds cannot be told for now.";
        "raised_ms": Option<Wall> = message.alarm.raised, "When it was raised.";
        "acked_ms": Option<Wall> = message.alarm.acked, "When somebody acknowledged it.";
        "cleared_ms": Option<Wall> = message.alarm.cleared, "When its condition was gone.";
        "value": Option<Raw<'_>> = message.alarm.value.as_ref().map(Raw), "The value that raised it; the code for a state.";
        "limit": Option<f64> = message.settings.when.limit(), "The limit that was passed, if there is one.";
        "group": Option<&str> = message.settings.group.as_deref(), "The group of alarms of which the first counts.";
        "first_out": bool = message.settings.group.is_some() && message.alarm.first_out, "Whether it came first of its group.";
        "text_en": Cow<'_, str> = message.settings.text_en(message.alarm.value.as_ref()), "What to tell people, in English.";
        "text_zh": Cow<'_, str> = message.settings.text_zh(message.alarm.value.as_ref()), "The same in Chinese.";
        "by": Option<&str> = message.alarm.who().and_then(|act| act.by.as_deref()), "Who did something to it last, if they said so.";
        "via": Option<Via> = message.alarm.who().map(|act| act.via), "By which way.";
        "why": Option<&str> = message.why(), "Why, if they said so; of the gateway's own alarms what was reported.";
        "until_ms": Option<Wall> = message.until, "Until when it is shelved.";
        "count": u64 = message.alarm.count, "Activations since somebody last acknowledged it, or since it was last normal.";
    }
}

impl AlarmMessage<'_> {
    fn why(&self) -> Option<&str> {
        let why = self.alarm.who().and_then(|act| act.why.as_deref());
        why.or(self.reported)
    }
}

/// `status`: of the gateway, and its last will.
#[derive(Debug)]
pub struct StatusMessage<'a> {
    /// Who sends it.
    pub gateway: &'a Gateway,
    /// The present run.
    pub run: &'a Run,
    /// Whether it is connected.
    pub online: bool,
    /// Version of the agent.
    pub version: &'a str,
    /// When this was so; of the last will, when the connection was made.
    pub ts: Wall,
    /// How it is; none in the last will, which says nothing that would be old by then.
    pub detail: Option<StatusDetail>,
}

/// How a gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusDetail {
    /// What its clock is worth.
    pub clock: ClockState,
    /// Records that wait.
    pub waiting: u64,
    /// When the oldest of them was made.
    pub oldest_waiting: Option<Wall>,
    /// Links that are up.
    pub links_up: u32,
    /// Links that are down.
    pub links_down: u32,
    /// Devices without good data.
    pub devices_bad: u32,
    /// Boot and number up to which everything was acknowledged or told as lost.
    pub done: Option<(u32, u64)>,
    /// When the next record is due.
    pub next: Option<Wall>,
}

impl Serialize for StatusMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, self.gateway, self.run)?;
        status(&mut map, self)?;
        if let Some(detail) = &self.detail {
            status_detail(&mut map, detail)?;
        }
        map.end()
    }
}

keys! {
    fn status, status_keys(message: &StatusMessage<'_>) {
        "status": Online<'_> = Online(if message.online { "online" } else { "offline" }), "Whether the gateway is connected. `offline` is its goodbye, or what the broker says for it.";
        "version": &str = message.version, "Version of the agent.";
        "boot": u32 = message.run.boot, "Counts the starts of the agent.";
        "cfg": Hash = Hash(message.run.cfg), "Short hash of the configuration.";
        "ts": Wall = message.ts, "When this was so; in the last will, when the connection was made.";
    }
}

keys! {
    fn status_detail, status_detail_keys(detail: &StatusDetail) {
        "clock": ClockState = detail.clock, "What the gateway's clock is worth. Left out, as all below, in what the broker says for a gateway that is gone.";
        "waiting": u64 = detail.waiting, "Records that wait.";
        "oldest_waiting_ms": Option<Wall> = detail.oldest_waiting, "When the oldest of them was made.";
        "links_up": u32 = detail.links_up, "Links to machines that are up.";
        "links_down": u32 = detail.links_down, "Links that are down.";
        "devices_bad": u32 = detail.devices_bad, "Machines without good data.";
        "done_boot": Option<u32> = detail.done.map(|(boot, _)| boot), "With `done_seq`: every record of earlier boots, and of this one up to that number, was acknowledged by the broker or told as lost.";
        "done_seq": Option<u64> = detail.done.map(|(_, seq)| seq), "See `done_boot`.";
        "next_ms": Option<Wall> = detail.next, "When the next record is due.";
    }
}

fn payload(
    name: &'static str,
    topic: &'static str,
    about: &'static str,
    fields: impl IntoIterator<Item = Field>,
) -> Payload {
    Payload {
        name,
        topic,
        about,
        class: PayloadClass::Current,
        fields: head_keys().into_iter().chain(fields).collect(),
        of_tags: Vec::new(),
        variants: Vec::new(),
    }
}

/// `status` as it is declared.
pub(super) fn status_payload() -> Payload {
    let detail = status_detail_keys().into_iter();
    let detail = detail.map(|field| field.present(Presence::Sometimes));
    let about = "How the gateway is: when it connects, when something changes, at least every minute; \
                 and what the broker says when the connection breaks.";
    payload(
        "status",
        "status",
        about,
        status_keys().into_iter().chain(detail),
    )
}

/// `{device}/info` as it is declared.
pub(super) fn info_payload() -> Payload {
    let about = "What a machine is: at the start, and when it changes.";
    payload("info", "{device}/info", about, info_keys())
}

/// `{device}/state` as it is declared.
pub(super) fn state_payload() -> Payload {
    let about = "What a machine does: when it changes.";
    let fields = [state_keys(), quality_keys(), product_keys()];
    payload(
        "state",
        "{device}/state",
        about,
        fields.into_iter().flatten(),
    )
}

/// `{device}/now` as it is declared.
pub(super) fn now_payload() -> Payload {
    let about = "What a machine has come to lately: each minute, and when its state changes.";
    let of_shift = shift_keys()
        .into_iter()
        .chain(lately_keys("shift", "the open shift"));
    // Without any shift these are left out.
    let of_shift = of_shift.map(|field| field.present(Presence::Sometimes));
    let fields = now_keys().into_iter().chain(of_shift);
    let fields = fields.chain(lately_keys("h24", "the last 24 hours, in whole hours"));
    let fields = fields.chain(lately_keys("d30", "the last 30 production days"));
    payload("now", "{device}/now", about, fields)
}

/// `{device}/alarm/{alarm}` as it is declared.
pub(super) fn alarm_payload() -> Payload {
    let about = "An alarm that is not normal, with each change; cleared (an empty payload) after it is \
                 normal again.";
    payload("alarm", "{device}/alarm/{alarm}", about, alarm_keys())
}
