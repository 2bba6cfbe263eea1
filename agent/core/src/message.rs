//! What goes to the broker: topics and payloads, as the contract fixes them (§5).
//!
//! Every payload is a flat JSON object; the types here serialise to it with `serde_json`. Each is
//! declared once (`declare`), for what is written and for its schema ([`payloads`]). What is shown on
//! the gateway itself has the same form (`shown`).

mod command;
mod current;
mod declare;
mod event;
mod hygiene;
mod record;
mod shown;
mod values;

pub use current::{
    AlarmMessage, InfoMessage, Lately, NowMessage, StateMessage, StatusDetail, StatusMessage,
};
pub use declare::{Field, Payload, PayloadClass, Presence, Shape, Variant};
pub use hygiene::{FrequentAlarm, HygieneMessage};
pub use record::Message;
pub use shown::{DeviceStatus, Doing, LinkStatus, TagStatus};

use crate::plant::Gateway;
use crate::record::{Body, Run};
use crate::sample::{Quality, Reason};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use declare::keys;
use values::Version;

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

keys! {
    /// What every current value carries.
    fn head, head_keys(gateway: &Gateway, run: &Run) {
        "v": Version = Version, "Version of topics and payloads.";
        "gateway": &str = &gateway.id, "Id of the gateway.";
        "run": &Run = run, "The run of the agent that says so. It counts only while `status` is online with the same `run`.";
    }
}

keys! {
    /// What something is worth.
    fn quality_entries, quality_keys(quality: Quality) {
        "quality": Quality = quality, "How far it can be believed.";
        "reason": Option<Reason> = quality.reason(), "Why it is not good: `timeout`, `stale`, `exception-2` and others.";
    }
}

/// Every payload that goes through the broker, as it is declared.
pub fn payloads() -> Vec<Payload> {
    Vec::from([
        record::kpi_payload(),
        record::tags_payload(),
        record::event_payload(),
        current::status_payload(),
        current::info_payload(),
        current::state_payload(),
        current::now_payload(),
        current::alarm_payload(),
        command::command_payload(),
    ])
}

#[cfg(test)]
mod tests;
