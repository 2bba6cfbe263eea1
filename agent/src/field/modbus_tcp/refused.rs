//! Reads that a device refuses because an address in them does not exist.
//!
//! Such a read is cut into pieces until it is known which tags are refused; from then on the
//! pieces without them are made instead, and the refused tags are told as bad without being asked
//! for. Both are forgotten after ten minutes: the device may have been restarted or repaired. A
//! device that refuses every tag is asked for the whole as before: it may be starting.

use super::{ILLEGAL_ADDRESS, Outcome, Poller};
use crate::clock;
use crate::field::outlet::EngineGone;
use crate::field::schedule::Slot;
use crate::field::{Answer, FromField};
use andon_core::modbus::decode::{Words, decode};
use andon_core::modbus::pieces::pieces;
use andon_core::modbus::plan::{Read, ReadIndex};
use andon_core::plant::Model;
use andon_core::sample::{Reading, Reason};
use andon_core::tag::{Source, TagIndex};
use andon_core::time::Mono;
use std::time::Duration;

/// How long the outcome of a search holds before the whole read is tried again.
const FORGET_MS: u64 = 600_000;

/// The reads that were refused.
#[derive(Debug, Default)]
pub(super) struct Refused(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    read: ReadIndex,
    until: Mono,
    /// The pieces that are accepted.
    parts: Vec<Read>,
}

impl Refused {
    /// The pieces to make instead of a read; none if it is to be made as a whole.
    pub(super) fn parts(&mut self, read: ReadIndex, now: Mono) -> Option<Vec<Read>> {
        self.0.retain(|entry| now < entry.until);
        let entry = self.0.iter().find(|entry| entry.read == read)?;
        (!entry.parts.is_empty()).then(|| entry.parts.clone())
    }

    /// Whether it was found out lately which pieces are accepted.
    pub(super) fn is_known(&self, read: ReadIndex) -> bool {
        self.0.iter().any(|entry| entry.read == read)
    }

    fn learn(&mut self, read: ReadIndex, parts: Vec<Read>, now: Mono) {
        self.0.retain(|entry| entry.read != read);
        self.0.push(Entry {
            read,
            until: now + FORGET_MS,
            parts,
        });
    }
}

impl Poller {
    /// Makes a read in pieces, cutting those that are refused, and tells the readings of all its
    /// tags. A fault in any of them is a fault of the whole.
    pub(super) async fn ask_in_pieces(
        &mut self,
        slot: Slot,
        read: &Read,
        parts: Vec<Read>,
        patience: Duration,
    ) -> Result<(), EngineGone> {
        let index = self.schedule.read(slot);
        let mut todo = parts;
        let mut accepted = Vec::new();
        let mut readings: Vec<(TagIndex, Reading)> = Vec::new();
        let mut cut = false;
        while let Some(part) = todo.pop() {
            match self.request(&part, patience).await? {
                Outcome::Answer(answer) => {
                    readings.extend(decoded(&part, &answer, self.model(&part)));
                    accepted.push(part);
                }
                Outcome::Exception(ILLEGAL_ADDRESS) => {
                    cut = true;
                    todo.extend(pieces(&part, self.model(&part)));
                }
                Outcome::Exception(code) => {
                    return self.answered(slot, read, Err(code)).await;
                }
                Outcome::Fault(reason, why) => {
                    return self.failed(slot, read, reason, &why).await;
                }
                Outcome::Disconnected => {
                    return self.tell(slot, Err(Reason::Disconnected)).await;
                }
            }
        }
        let refused = Reading::Bad(Reason::Exception(ILLEGAL_ADDRESS));
        for tag in read.tags.iter() {
            if !readings.iter().any(|(known, _)| known == tag) {
                readings.push((*tag, refused.clone()));
            }
        }
        if cut || !self.refused.is_known(index) {
            self.warn_refused(read, &readings, &refused);
            self.refused.learn(index, accepted, clock::now().mono);
        }
        self.is_back(slot, read);
        let at = clock::now().mono;
        let readings = readings.into_iter();
        self.outlet
            .send(FromField::Readings {
                device: read.device,
                at,
                readings: readings
                    .map(|(tag, reading)| (tag, reading.into()))
                    .collect(),
            })
            .await
    }

    fn warn_refused(&self, read: &Read, readings: &[(TagIndex, Reading)], refused: &Reading) {
        let (link, unit, table) = (self.outlet.id(), read.unit, read.table.as_str());
        let model = self.model(read);
        let name = |tag: &TagIndex| model.tags.get(usize::from(tag.0)).map(|tag| &*tag.name);
        let is_refused = readings.iter().filter(|(_, reading)| reading == refused);
        let tags: Vec<&str> = is_refused
            .filter_map(|(tag, _)| name(tag))
            .take(20)
            .collect();
        let what = if tags.is_empty() {
            "only gaps".to_owned()
        } else {
            tags.join(", ")
        };
        tracing::warn!(
            link,
            unit,
            "{table}:{}, {} addresses: the device refuses {what} (exception 2); \
             reading the rest in pieces",
            read.start,
            read.count
        );
    }

    /// The model of the device that a read is for.
    pub(super) fn model(&self, read: &Read) -> &Model {
        let of_device = self
            .models
            .iter()
            .find(|(device, _)| *device == read.device);
        of_device.map_or(&NO_TAGS, |(_, model)| model)
    }
}

/// Stands for the model of a device that is not behind this link, of which no read speaks.
static NO_TAGS: Model = Model {
    every_ms: 0,
    tags: Vec::new(),
    state: None,
    codes: Vec::new(),
};

fn decoded(read: &Read, answer: &Answer, model: &Model) -> Vec<(TagIndex, Reading)> {
    let words = match answer {
        Answer::Registers(registers) => Words::Registers(registers),
        Answer::Bits(bits) => Words::Bits(bits),
    };
    let reading = |tag: &TagIndex| match &model.tags.get(usize::from(tag.0))?.source {
        Source::Modbus(point) => {
            let value = decode(point, words, read.start);
            Some((*tag, value.map_or_else(Reading::Bad, Reading::Good)))
        }
        Source::Message(_) => None,
    };
    read.tags.iter().filter_map(reading).collect()
}
