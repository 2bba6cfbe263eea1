//! What the agent shows on the gateway itself, by HTTP and on its own command line: how links,
//! devices and tags stand. The same flat objects as upstream, but nothing here is published.

use super::quality_entries;
use super::values::Raw;
use crate::plant::{Cause, Device, Link};
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::tag::Tag;
use crate::time::Wall;
use alloc::vec::Vec;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// How a link stands.
#[derive(Debug)]
pub struct LinkStatus<'a> {
    /// Which.
    pub link: &'a Link,
    /// Whether it is up; none if it has said nothing yet.
    pub up: Option<bool>,
    /// Since when.
    pub since: Option<Wall>,
    /// Why it is down.
    pub why: Option<&'a str>,
    /// Devices behind it, and those of them without a good sample for their stale time.
    pub devices: usize,
    /// Of those.
    pub devices_bad: usize,
}

impl LinkStatus<'_> {
    /// Its entries, so that whoever knows more of the link can add to them.
    pub fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("link", &self.link.id)?;
        map.serialize_entry("up", &self.up)?;
        map.serialize_entry("since_ms", &self.since)?;
        map.serialize_entry("why", &self.why)?;
        map.serialize_entry("devices", &self.devices)?;
        map.serialize_entry("devices_bad", &self.devices_bad)
    }
}

impl Serialize for LinkStatus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entries(&mut map)?;
        map.end()
    }
}

/// How a device stands.
#[derive(Debug)]
pub struct DeviceStatus<'a> {
    /// Which.
    pub device: &'a Device,
    /// The link it is read through.
    pub link: &'a Link,
    /// What it does; none if it has no state mapping.
    pub doing: Option<Doing<'a>>,
    /// Quality of its status; without a state mapping, whether anything good is known of it, and
    /// if not, why its first bad tag is bad.
    pub quality: Quality,
    /// Milliseconds since any of its tags was last good.
    pub age_ms: Option<u64>,
    /// Tags without a usable value.
    pub tags_bad: usize,
    /// The first few of them.
    pub bad: Vec<TagStatus<'a>>,
}

/// What a device does.
#[derive(Debug)]
pub struct Doing<'a> {
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// The raw status value behind it.
    pub code: Option<&'a Value>,
    /// Why, as far as it is known.
    pub cause: Option<Cause<'a>>,
}

impl Serialize for DeviceStatus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (device, doing) = (self.device, self.doing.as_ref());
        let cause = doing.and_then(|doing| doing.cause);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("device", &device.id)?;
        map.serialize_entry("name", &device.name)?;
        map.serialize_entry("line", &device.line)?;
        map.serialize_entry("asset", &device.asset)?;
        map.serialize_entry("profile", &device.profile)?;
        map.serialize_entry("link", &self.link.id)?;
        map.serialize_entry("state", &doing.map(|doing| doing.state.as_str()))?;
        map.serialize_entry("since_ms", &doing.map(|doing| doing.since))?;
        map.serialize_entry("code", &doing.and_then(|doing| doing.code).map(Raw))?;
        map.serialize_entry("cause", &cause.map(|cause| cause.en))?;
        map.serialize_entry("cause_zh", &cause.map(|cause| cause.zh))?;
        quality_entries(&mut map, self.quality)?;
        map.serialize_entry("age_ms", &self.age_ms)?;
        map.serialize_entry("tags", &device.model.tags.len())?;
        map.serialize_entry("tags_bad", &self.tags_bad)?;
        map.serialize_entry("bad", &self.bad)?;
        map.end()
    }
}

/// How a tag stands: its newest sample. What is bad or too old has no value.
#[derive(Debug)]
pub struct TagStatus<'a> {
    /// Whose.
    pub device: &'a Device,
    /// Which.
    pub tag: &'a Tag,
    /// The value, unless bad.
    pub value: Option<Value>,
    /// What it is worth.
    pub quality: Quality,
    /// Milliseconds since it was read, well or badly; none if it never was.
    pub age_ms: Option<u64>,
}

impl Serialize for TagStatus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("device", &self.device.id)?;
        map.serialize_entry("tag", &self.tag.name)?;
        map.serialize_entry("value", &self.value.as_ref().map(Raw))?;
        quality_entries(&mut map, self.quality)?;
        map.serialize_entry("age_ms", &self.age_ms)?;
        map.serialize_entry("unit", &self.tag.unit)?;
        map.serialize_entry("every_ms", &self.tag.every_ms)?;
        map.end()
    }
}
