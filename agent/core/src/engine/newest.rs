//! The newest sample of every tag, in 24 bytes each: a gateway has some tens of thousands of them.

use crate::limits;
use crate::plant::Plant;
use crate::sample::{Quality, Reading, Reason, Text, Value};
use crate::tag::{Kind, Source};
use crate::time::{Mono, Wall};
use alloc::vec::Vec;

/// The newest sample of every tag; texts and time stamps are kept apart, few tags have them.
#[derive(Debug)]
pub(super) struct Newest {
    slots: Vec<Slot>,
    texts: Vec<Text>,
    times: Vec<Option<Wall>>,
}

/// The newest sample of a tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// The bits of a number or truth value, or which text.
    bits: u64,
    at: Mono,
    holds: Holds,
    quality: Quality,
    /// Which time stamp, if its source may give one.
    time: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Bool,
    Int,
    Float,
    Text,
}

impl Newest {
    /// No sample yet, room for one of each tag of the plant.
    pub(super) fn new(plant: &Plant) -> Newest {
        let mut newest = Newest {
            slots: Vec::with_capacity(limits::tags(plant)),
            texts: Vec::with_capacity(limits::texts(plant)),
            times: Vec::with_capacity(limits::messages(plant)),
        };
        for tag in plant.devices.iter().flat_map(|device| &device.model.tags) {
            // A text keeps its place for good, whatever the tag holds meanwhile.
            newest.slots.push(Slot {
                bits: newest.texts.len() as u64,
                at: Mono(0),
                holds: Holds::Nothing,
                quality: Quality::Bad(Reason::NeverRead),
                time: u32::try_from(newest.times.len()).unwrap_or(u32::MAX),
            });
            if let Source::Message(_) = tag.source {
                newest.times.push(None);
            }
            // Such a tag never holds anything else: its type is checked when it is read.
            if tag.kind() == Kind::Text {
                newest.texts.push(Text::new());
            }
        }
        newest
    }

    /// Takes a sample in.
    pub(super) fn put(&mut self, index: usize, reading: &Reading, at: Mono) {
        let slot = &mut self.slots[index];
        slot.at = at;
        slot.quality = reading.quality();
        let (holds, bits) = match reading.value() {
            None => (Holds::Nothing, slot.bits),
            Some(Value::Bool(b)) => (Holds::Bool, u64::from(*b)),
            Some(Value::Int(i)) => (Holds::Int, i.cast_unsigned()),
            Some(Value::Float(f)) => (Holds::Float, f.to_bits()),
            Some(Value::Text(text)) => match self.texts.get_mut(slot.bits as usize) {
                Some(place) => {
                    place.clone_from(text);
                    (Holds::Text, slot.bits)
                }
                None => (Holds::Nothing, slot.bits),
            },
        };
        slot.holds = holds;
        slot.bits = bits;
    }

    /// The value, unless bad, and when it was read.
    pub(super) fn value(&self, index: usize) -> Option<(Value, Mono)> {
        let slot = &self.slots[index];
        let value = match slot.holds {
            Holds::Nothing => return None,
            Holds::Bool => Value::Bool(slot.bits != 0),
            Holds::Int => Value::Int(slot.bits.cast_signed()),
            Holds::Float => Value::Float(f64::from_bits(slot.bits)),
            Holds::Text => Value::Text(self.texts.get(slot.bits as usize)?.clone()),
        };
        Some((value, slot.at))
    }

    /// The time stamp of the newest sample that had one; only for a tag that comes by messages.
    pub(super) fn time(&mut self, index: usize) -> Option<&mut Option<Wall>> {
        self.times.get_mut(self.slots[index].time as usize)
    }

    /// When it was last read, well or badly; none if it never was.
    pub(super) fn at(&self, index: usize) -> Option<Mono> {
        let slot = &self.slots[index];
        (slot.quality != Quality::Bad(Reason::NeverRead)).then_some(slot.at)
    }

    /// Its quality.
    pub(super) fn quality(&self, index: usize) -> Quality {
        self.slots[index].quality
    }
}

const _: () = assert!(size_of::<Slot>() == 24);
