//! The measures of alarms, for status and lists.

use crate::hygiene::{Rates, Totals};
use crate::time::Wall;
use alloc::string::String;
use alloc::vec::Vec;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// `hygiene` of `GET /api/v1/alarms` and `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HygieneMessage {
    /// Of the last minutes, hours, and the last day.
    pub rates: Rates,
    /// Alarms that chatter now.
    pub chattering: usize,
    /// Some of them.
    pub chattering_ids: Vec<String>,
    /// Alarms that have been in view for more than a day.
    pub stale: usize,
    /// Some of them.
    pub stale_ids: Vec<String>,
    /// Since when the rest is counted; a month at most.
    pub since: Wall,
    /// What is added up.
    pub totals: Totals,
    /// The median time of the newest acknowledgements, in milliseconds.
    pub ack_median_ms: Option<u64>,
    /// The most frequent, those first.
    pub top: Vec<FrequentAlarm>,
}

/// One of the most frequent alarms.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FrequentAlarm {
    /// `{device}.{alarm}`.
    pub id: String,
    /// Times that it was raised, at most.
    pub count: u64,
    /// So many of these may have been another's: a few names are kept, not all.
    #[serde(rename = "count_over")]
    pub over: u64,
}

impl Serialize for HygieneMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (rates, totals) = (&self.rates, &self.totals);
        let mean = totals.ack_ms.checked_div(totals.acknowledged);
        let longest = (totals.acknowledged > 0).then_some(totals.longest_ack_ms);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("last_10min", &rates.ten_minutes)?;
        map.serialize_entry("last_hour", &rates.hour)?;
        map.serialize_entry("last_day", &rates.day)?;
        map.serialize_entry("worst_10min", &rates.worst_ten_minutes)?;
        map.serialize_entry("flood", &rates.flood)?;
        map.serialize_entry("floods", &rates.floods)?;
        map.serialize_entry("flood_min", &rates.flood_minutes)?;
        map.serialize_entry("chattering", &self.chattering)?;
        map.serialize_entry("chattering_ids", &self.chattering_ids)?;
        map.serialize_entry("stale", &self.stale)?;
        map.serialize_entry("stale_ids", &self.stale_ids)?;
        map.serialize_entry("since_ms", &self.since)?;
        map.serialize_entry("raised", &totals.raised)?;
        map.serialize_entry("chattered", &totals.chattered)?;
        map.serialize_entry("fleeting", &totals.fleeting)?;
        map.serialize_entry("acknowledged", &totals.acknowledged)?;
        map.serialize_entry("ack_mean_ms", &mean)?;
        map.serialize_entry("ack_median_ms", &self.ack_median_ms)?;
        map.serialize_entry("ack_longest_ms", &longest)?;
        map.serialize_entry("top", &self.top)?;
        map.end()
    }
}
