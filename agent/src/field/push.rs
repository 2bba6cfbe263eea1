//! What a script pushes: the body of `POST /api/v1/samples` to samples, pure.
//!
//! `{"device":"press-1","ts":1790000000000,"tags":{"temp":3.2,"mode":"run"}}`, or an array of such.
//! A value that does not fit its tag is a bad reading, as in a message; a name that nobody knows is
//! a mistake of the script, and then nothing of the body is taken.

use super::payload::{of_json, parsed_size, time};
use andon_core::plant::{Device, Plant};
use andon_core::sample::{Reading, Reason, Sample};
use andon_core::tag::{DeviceIndex, LinkIndex, Source, TagIndex};
use andon_core::time::Wall;
use serde_json::{Map, Value as Json};
use std::fmt;

/// Entries that are taken from one body.
pub const MOST_ENTRIES: usize = 10_000;

/// Bytes that a body may take once it is parsed.
pub const MOST_PARSED: usize = 8 << 20;

/// What a body says of one device, in the order of its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// Which device.
    pub device: DeviceIndex,
    /// What it says of its tags.
    pub samples: Vec<(TagIndex, Sample)>,
}

impl Pushed {
    /// How many of them are bad.
    pub fn bad(&self) -> usize {
        let bad = |(_, sample): &&(TagIndex, Sample)| matches!(sample.reading, Reading::Bad(_));
        self.samples.iter().filter(bad).count()
    }
}

/// Why nothing of a body was taken. Entries count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushError {
    /// It is not JSON; where and why.
    NotJson(String),
    /// It is JSON, but no entry and no array of entries.
    NotEntries,
    /// More than [`MOST_ENTRIES`].
    TooMany(usize),
    /// Parsed it would take more than [`MOST_PARSED`].
    TooLarge,
    /// An entry is not an object with `device` and `tags`, or has a key that nobody knows.
    Entry(usize, String),
    /// No device of this id, or one that is not pushed to.
    Device(usize, String),
    /// The device, and a tag that it does not have.
    Tag(usize, String, String),
    /// A time stamp that is none.
    Time(usize, Reason),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::NotJson(why) => write!(f, "the body is not JSON: {why}"),
            PushError::NotEntries => f.write_str(
                "write {\"device\": ID, \"ts\": TIME, \"tags\": {NAME: VALUE}}, or an array of such",
            ),
            PushError::TooMany(many) => {
                write!(f, "{many} entries; send at most {MOST_ENTRIES} at once")
            }
            PushError::TooLarge => f.write_str("too many values; send them in parts"),
            PushError::Entry(at, what) => write!(f, "entry {at}: {what}"),
            PushError::Device(at, id) => write!(
                f,
                "entry {at}: no device `{id}` is pushed to; its link must be `http_push`"
            ),
            PushError::Tag(at, device, tag) => {
                write!(f, "entry {at}: device `{device}` has no tag `{tag}`")
            }
            PushError::Time(at, reason) => write!(
                f,
                "entry {at}: `ts` is no time ({reason}); write milliseconds since 1970, or \
                 \"2026-10-01T08:00:00+08:00\""
            ),
        }
    }
}

impl std::error::Error for PushError {}

/// What `body` says of the devices behind `doors`, the links that are pushed to.
pub fn samples(body: &[u8], plant: &Plant, doors: &[LinkIndex]) -> Result<Vec<Pushed>, PushError> {
    if parsed_size(body) > MOST_PARSED {
        return Err(PushError::TooLarge);
    }
    let json =
        serde_json::from_slice(body).map_err(|error| PushError::NotJson(error.to_string()))?;
    let entries = match json {
        Json::Array(entries) => entries,
        entry @ Json::Object(_) => vec![entry],
        _ => return Err(PushError::NotEntries),
    };
    if entries.len() > MOST_ENTRIES {
        return Err(PushError::TooMany(entries.len()));
    }
    let mut read: Vec<Entry> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        read.push(one(at, entry, plant, doors)?);
    }
    // What has no time stamp is as new as the body.
    read.sort_by_key(|entry| (entry.device, entry.time.unwrap_or(Wall(i64::MAX))));
    let mut pushed: Vec<Pushed> = Vec::new();
    for entry in read {
        match pushed.last_mut().filter(|last| last.device == entry.device) {
            Some(last) => last.samples.extend(entry.samples),
            None => pushed.push(Pushed {
                device: entry.device,
                samples: entry.samples,
            }),
        }
    }
    Ok(pushed)
}

struct Entry {
    device: DeviceIndex,
    time: Option<Wall>,
    samples: Vec<(TagIndex, Sample)>,
}

fn one(at: usize, entry: &Json, plant: &Plant, doors: &[LinkIndex]) -> Result<Entry, PushError> {
    let wrong = |what: &str| PushError::Entry(at, what.to_owned());
    let Json::Object(entry) = entry else {
        return Err(wrong("it is not an object"));
    };
    let (id, tags, ts) = keys(at, entry)?;
    let found = (0..)
        .zip(&plant.devices)
        .find(|(_, device)| *device.id == *id && doors.contains(&device.link));
    let (index, device) = found.ok_or_else(|| PushError::Device(at, id.to_owned()))?;
    let time = match ts {
        None | Some(Json::Null) => None,
        Some(ts) => Some(
            time::of_json(ts, None, &plant.calendar.zone)
                .map_err(|reason| PushError::Time(at, reason))?,
        ),
    };
    let samples = tags.iter().map(|(name, value)| {
        sample(device, name, value, time)
            .ok_or_else(|| PushError::Tag(at, id.to_owned(), name.clone()))
    });
    Ok(Entry {
        device: DeviceIndex(index),
        time,
        samples: samples.collect::<Result<_, _>>()?,
    })
}

type Keys<'j> = (&'j str, &'j Map<String, Json>, Option<&'j Json>);

fn keys(at: usize, entry: &Map<String, Json>) -> Result<Keys<'_>, PushError> {
    let wrong = |what: String| Err(PushError::Entry(at, what));
    if let Some(key) = entry
        .keys()
        .find(|key| !["device", "ts", "tags"].contains(&key.as_str()))
    {
        return wrong(format!("`{key}` is none of `device`, `ts` and `tags`"));
    }
    let Some(Json::String(device)) = entry.get("device") else {
        return wrong("`device` is not the id of a device".into());
    };
    let Some(Json::Object(tags)) = entry.get("tags") else {
        return wrong("`tags` is not an object of names and values".into());
    };
    Ok((device, tags, entry.get("ts")))
}

fn sample(
    device: &Device,
    name: &str,
    value: &Json,
    time: Option<Wall>,
) -> Option<(TagIndex, Sample)> {
    let index = device.model.tag(name)?;
    let tag = &device.model.tags[usize::from(index.0)];
    let Source::Message(place) = &tag.source else {
        return None;
    };
    let reading = match of_json(value, place) {
        // The engine would find out too, but nobody would tell the script.
        Ok(value) if !tag.in_range(&value) => Reading::Bad(Reason::OutOfRange),
        Ok(value) => Reading::Good(value),
        Err(reason) => Reading::Bad(reason),
    };
    Some((index, Sample { reading, time }))
}

#[cfg(test)]
mod tests;
