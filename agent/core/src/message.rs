//! What goes to the broker: topics and payloads, as the contract fixes them (§5).

use crate::plant::Gateway;
use crate::record::{Body, Event, Record, Run};
use alloc::format;
use alloc::string::String;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A record as a payload; serialised with `serde_json` it is the flat object of the contract.
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

/// `{root}/v1/{site}/{area}/{gateway}`: the head of every topic.
pub fn topic_head(gateway: &Gateway) -> String {
    format!(
        "{}/v1/{}/{}/{}",
        gateway.root, gateway.site, gateway.area, gateway.id
    )
}

/// The topic of a record below the gateway: `press-1/kpi/1m` or `event`.
pub fn topic_tail(body: &Body) -> String {
    match body {
        Body::Summary(summary) => format!("{}/kpi/{}", summary.device, summary.tier.as_str()),
        Body::Event(_) => String::from("event"),
    }
}

/// A run's id as on the wire: 12 hexadecimal digits.
pub fn run_id(run: &Run) -> String {
    format!("{:012x}", run.id & 0xffff_ffff_ffff)
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &1)?;
        map.serialize_entry("gateway", &self.gateway.id)?;
        map.serialize_entry("run", &run_id(self.run))?;
        map.serialize_entry("boot", &self.run.boot)?;
        map.serialize_entry("seq", &self.record.seq)?;
        map.serialize_entry("n", &self.record.n)?;
        map.serialize_entry("ts", &self.record.ts)?;
        map.serialize_entry("clock", self.record.clock.as_str())?;
        map.serialize_entry("historical", &self.historical)?;
        map.serialize_entry("cfg", &format!("{:08x}", self.run.cfg))?;
        if let Body::Event(Event::Loss { count, .. }) = &self.record.body {
            map.serialize_entry("event", "loss")?;
            map.serialize_entry("count", count)?;
        }
        map.end()
    }
}
