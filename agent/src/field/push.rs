//! What a script pushes: the body of `POST /api/v1/samples` to readings, pure.
//!
//! `{"device":"press-1","tags":{"temp":3.2,"mode":"run"}}`, or an array of such. A value that does
//! not fit its tag is a bad reading, as in a message; a name that nobody knows is a mistake of the
//! script, and then nothing of the body is taken.

use super::payload::of_json;
use andon_core::plant::Plant;
use andon_core::sample::Reading;
use andon_core::tag::{DeviceIndex, LinkIndex, TagIndex};
use serde_json::Value as Json;
use std::fmt;

/// What a body says of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// Which device.
    pub device: DeviceIndex,
    /// What it says of its tags.
    pub samples: Vec<(TagIndex, Reading)>,
}

impl Pushed {
    /// How many of them are bad.
    pub fn bad(&self) -> usize {
        let bad = |(_, reading): &&(TagIndex, Reading)| matches!(reading, Reading::Bad(_));
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
    /// An entry is not an object with `device` and `tags`.
    Entry(usize, String),
    /// No device of this id, or one that is not pushed to.
    Device(usize, String),
    /// The device, and a tag that it does not have.
    Tag(usize, String, String),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::NotJson(why) => write!(f, "the body is not JSON: {why}"),
            PushError::NotEntries => f.write_str("no entry and no array of entries"),
            PushError::Entry(at, what) => write!(f, "entry {at}: {what}"),
            PushError::Device(at, id) => write!(f, "entry {at}: no device `{id}` is pushed to"),
            PushError::Tag(at, device, tag) => {
                write!(f, "entry {at}: device `{device}` has no tag `{tag}`")
            }
        }
    }
}

impl std::error::Error for PushError {}

/// What `body` says of the devices behind `doors`, the links that are pushed to.
pub fn samples(body: &[u8], plant: &Plant, doors: &[LinkIndex]) -> Result<Vec<Pushed>, PushError> {
    let json =
        serde_json::from_slice(body).map_err(|error| PushError::NotJson(error.to_string()))?;
    let entries = match json {
        Json::Array(entries) => entries,
        entry @ Json::Object(_) => vec![entry],
        _ => return Err(PushError::NotEntries),
    };
    let read = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| one(at, entry, plant, doors));
    read.collect()
}

fn one(at: usize, entry: &Json, plant: &Plant, doors: &[LinkIndex]) -> Result<Pushed, PushError> {
    let (Some(id), Some(tags)) = (entry["device"].as_str(), entry["tags"].as_object()) else {
        return Err(PushError::Entry(at, "without `device` or `tags`".into()));
    };
    let found = (0..)
        .zip(&plant.devices)
        .find(|(_, device)| *device.id == *id && doors.contains(&device.link));
    let (index, device) = found.ok_or_else(|| PushError::Device(at, id.to_owned()))?;
    let samples = tags.iter().map(|(name, value)| {
        let unknown = || PushError::Tag(at, id.to_owned(), name.clone());
        let tag = device.model.tag(name).ok_or_else(unknown)?;
        let reading = match of_json(value, device.model.tags[usize::from(tag.0)].kind()) {
            Ok(value) => Reading::Good(value),
            Err(reason) => Reading::Bad(reason),
        };
        Ok((tag, reading))
    });
    Ok(Pushed {
        device: DeviceIndex(index),
        samples: samples.collect::<Result<_, _>>()?,
    })
}
