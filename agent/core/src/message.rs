//! What goes to the broker: topics and payloads, as the contract fixes them (§5).
//!
//! Every payload is a flat JSON object; the types here serialise to it with `serde_json`. What is
//! shown on the gateway itself has the same form (`shown`).

mod current;
mod event;
mod hygiene;
mod record;
mod shown;

pub use current::{AlarmMessage, InfoMessage, Lately, NowMessage, StateMessage};
pub use hygiene::{FrequentAlarm, HygieneMessage};
pub use record::Message;
pub use shown::{DeviceStatus, Doing, LinkStatus, TagStatus};

use crate::plant::Gateway;
use crate::record::{Body, Run};
use crate::sample::{Quality, Value};
use crate::summary::ShiftRun;
use alloc::format;
use alloc::string::{String, ToString as _};
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

fn head<M: SerializeMap>(map: &mut M, gateway: &Gateway, run: &Run) -> Result<(), M::Error> {
    map.serialize_entry("v", &VERSION)?;
    map.serialize_entry("gateway", &gateway.id)?;
    map.serialize_entry("run", &run_id(run))
}

/// Which shift it is; nulls between shifts, and where several are merged.
fn shift_entries<M: SerializeMap>(map: &mut M, shift: Option<&ShiftRun>) -> Result<(), M::Error> {
    map.serialize_entry("shift", &shift.map(|shift| &shift.name))?;
    map.serialize_entry("shift_date", &shift.map(|shift| &shift.date))?;
    map.serialize_entry("crew", &shift.and_then(|shift| shift.crew.as_ref()))
}

fn quality_entries<M: SerializeMap>(map: &mut M, quality: Quality) -> Result<(), M::Error> {
    map.serialize_entry("quality", quality.as_str())?;
    map.serialize_entry("reason", &quality.reason().map(|reason| reason.to_string()))
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
