//! What the inputs of the board are to the devices that they are tags of.

use andon_core::plant::{Device, Plant};
use andon_core::sample::{Reading, Reason, Sample, Value};
use andon_core::tag::{DeviceIndex, Pin, Source, Tag, TagIndex};
use andon_wire::Inputs;

/// A device with the inputs of the board that are its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) device: DeviceIndex,
    pub(super) tags: Vec<(TagIndex, Pin)>,
}

impl Reader {
    /// Every device that has any.
    pub(super) fn all(plant: &Plant) -> Vec<Reader> {
        let devices = (0..).map(DeviceIndex).zip(&plant.devices);
        let reader = |(device, settings): (DeviceIndex, &Device)| {
            let tags = (0..).map(TagIndex).zip(&settings.model.tags);
            let pin = |(index, tag): (TagIndex, &Tag)| match tag.source {
                Source::Board(pin) => Some((index, pin)),
                Source::Modbus(_) | Source::Message(_) => None,
            };
            let tags: Vec<_> = tags.filter_map(pin).collect();
            (!tags.is_empty()).then_some(Reader { device, tags })
        };
        devices.filter_map(reader).collect()
    }

    /// What its tags are, as `read` says of each input.
    pub(super) fn readings(&self, read: impl Fn(Pin) -> Reading) -> Vec<(TagIndex, Sample)> {
        let sample = |&(tag, pin): &(TagIndex, Pin)| {
            let reading = read(pin);
            (
                tag,
                Sample {
                    reading,
                    time: None,
                },
            )
        };
        self.tags.iter().map(sample).collect()
    }
}

/// What an input is.
pub(super) fn reading(inputs: &Inputs, pin: Pin) -> Reading {
    let of = |number: u8| usize::from(number);
    let value = match pin {
        Pin::Level(number) => inputs.levels.get(of(number)).map(|on| Ok(Value::Bool(*on))),
        Pin::Count(number) => inputs.counts.get(of(number)).map(|count| {
            let count = i64::try_from(*count);
            count.map(Value::Int).map_err(|_| Reason::OutOfRange)
        }),
    };
    match value {
        Some(Ok(value)) => Reading::Good(value),
        Some(Err(reason)) => Reading::Bad(reason),
        None => Reading::Bad(Reason::Missing),
    }
}

/// Whether an input that is a tag of one of the readers is on that was off, or the other way round.
pub(super) fn change(readers: &[Reader], before: &Inputs, inputs: &Inputs) -> bool {
    let pins = readers.iter().flat_map(|reader| &reader.tags);
    let mut levels = pins.filter_map(|(_, pin)| match pin {
        Pin::Level(number) => Some(usize::from(*number)),
        Pin::Count(_) => None,
    });
    levels.any(|number| before.levels.get(number) != inputs.levels.get(number))
}
