//! One topic of a link: what is read out of its messages, and what is subscribed to for it.

use super::silence::Voice;
use crate::field::payload::sparkplug::{self, Session, What};
use crate::field::payload::{Payload, Reader};
use crate::settings;
use andon_core::plant::{Model, Plant};
use andon_core::sample::{Reading, Reason, Sample};
use andon_core::tag::{DeviceIndex, Format, Place, Source, TagIndex};
use andon_core::time::Mono;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Bad readings of a topic are warned about at most once in this time.
const WARN_AGAIN_MS: u64 = 60_000;

/// One topic with what is read from it.
pub(super) struct Topic {
    /// As its devices publish to it; `+` stands for any one level.
    pub(super) name: Arc<str>,
    /// What is subscribed to for it alone.
    pub(super) own: Vec<Arc<str>>,
    /// What is subscribed to for it and others like it, if there are others.
    pub(super) shared: Vec<Arc<str>>,
    readers: Vec<DeviceReader>,
    /// What is known of its metrics, if it has any.
    pub(super) session: Option<Session>,
    pub(super) left_out_until: Option<Mono>,
    pub(super) voice: Voice,
    warned: Option<Mono>,
    /// Messages with bad readings since then.
    unsaid: u64,
}

/// A device that is read from a topic.
struct DeviceReader {
    device: DeviceIndex,
    called: Arc<str>,
    model: Arc<Model>,
    tags: Box<[TagIndex]>,
}

/// What a message means for one device.
pub(super) type Readings = (DeviceIndex, Vec<(TagIndex, Sample)>);

/// A message as it arrived.
pub(super) struct Message<'m> {
    pub(super) payload: &'m [u8],
    pub(super) retained: bool,
    /// Largest payload that is looked at.
    pub(super) max: usize,
}

/// What a message is for a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message on it.
    Itself,
    /// A certificate or data of its Sparkplug device.
    Sparkplug(What),
    /// The birth certificate of the node in front of its device.
    NodeBirth,
}

impl DeviceReader {
    fn places(&self) -> impl Iterator<Item = (TagIndex, &Place)> {
        let place = |tag: &TagIndex| match &self.model.tags.get(usize::from(tag.0))?.source {
            Source::Message(place) => Some((*tag, place)),
            Source::Modbus(_) | Source::Board(_) => None,
        };
        self.tags.iter().filter_map(place)
    }
}

impl Topic {
    pub(super) fn new(topic: &settings::Topic, plant: &Plant) -> Topic {
        let readers = topic.readers.iter().map(|reader| DeviceReader {
            device: reader.device,
            called: reader.called.clone(),
            model: plant.device(reader.device).model.clone(),
            tags: reader.tags.as_slice().into(),
        });
        let readers: Vec<_> = readers.collect();
        let places = || readers.iter().flat_map(DeviceReader::places);
        let has_metrics = places().any(|(_, place)| is_metric(place));
        let session = has_metrics.then(|| Session::new(places().map(|(_, place)| place)));
        let filters = |filter: &Arc<str>| match &session {
            Some(_) => with_certificates(filter),
            None => vec![filter.clone()],
        };
        let tags = readers.iter().flat_map(|reader| {
            let tag = |index: &TagIndex| reader.model.tags.get(usize::from(index.0));
            reader.tags.iter().filter_map(tag)
        });
        let every = tags.map(|tag| tag.every_ms).min().unwrap_or(u64::MAX);
        Topic {
            own: filters(&topic.name),
            shared: topic.shared.as_ref().map(filters).unwrap_or_default(),
            name: topic.name.clone(),
            voice: Voice::new(every),
            readers,
            session,
            left_out_until: None,
            warned: None,
            unsaid: 0,
        }
    }

    /// What a message means for each of its devices.
    pub(super) fn read(
        &mut self,
        message: &Message<'_>,
        heard: Heard,
        zone: &TimeZone,
    ) -> Vec<Readings> {
        let said = self.hear(message, heard);
        let payload = Payload::new(message.payload, message.max);
        let read = self.readers.iter().map(|reader| {
            let whose = Reader {
                device: &reader.called,
                zone,
                retained: message.retained,
            };
            let samples = match (&self.session, &said) {
                (Some(session), Some(Ok(said))) => {
                    session.samples(said, reader.places(), message.retained)
                }
                (Some(_), Some(Err(reason))) => sparkplug::all_bad(reader.places(), *reason),
                (Some(_), None) => Vec::new(),
                (None, _) => payload.samples(reader.places(), whose),
            };
            (reader.device, samples)
        });
        read.filter(|(_, samples)| !samples.is_empty()).collect()
    }

    /// What the session says of a message; nothing if it says nothing of the metrics.
    fn hear(
        &mut self,
        message: &Message<'_>,
        heard: Heard,
    ) -> Option<Result<sparkplug::Message, Reason>> {
        let session = self.session.as_mut()?;
        match heard {
            Heard::Itself => None,
            Heard::NodeBirth => {
                session.node_born(message.payload);
                None
            }
            Heard::Sparkplug(What::Birth) => Some(session.birth(message.payload, message.max)),
            Heard::Sparkplug(What::Data) => Some(session.data(message.payload, message.max)),
            Heard::Sparkplug(What::Death) => session
                .is_own_death(message.payload)
                .then(|| session.forget())
                .map(|()| Err(Reason::Disconnected)),
        }
    }

    /// A reading of every tag that says why there is no value.
    pub(super) fn all_bad(&self, reason: Reason) -> Vec<Readings> {
        let bad = |tag: &TagIndex| (*tag, Reading::Bad(reason).into());
        let readers = self.readers.iter();
        readers
            .map(|reader| (reader.device, reader.tags.iter().map(bad).collect()))
            .collect()
    }

    /// Messages with bad readings that were not warned of.
    #[cfg(test)]
    pub(super) const fn unsaid(&self) -> u64 {
        self.unsaid
    }

    /// Warns of bad readings, once a minute.
    pub(super) fn warn(&mut self, link: &str, reason: Reason, bytes: usize, now: Mono) {
        self.unsaid += 1;
        if self
            .warned
            .is_some_and(|warned| now.since(warned) < WARN_AGAIN_MS)
        {
            return;
        }
        let (topic, messages) = (&*self.name, self.unsaid);
        let unborn = self
            .session
            .as_ref()
            .is_some_and(|session| !session.is_born());
        if unborn && reason == Reason::Missing {
            tracing::warn!(
                link,
                topic,
                messages,
                "metrics are sent by alias, and their birth certificate came before this connection; \
                 have the node send it again (rebirth)"
            );
        } else {
            tracing::warn!(link, topic, %reason, bytes, messages, "bad readings from a message");
        }
        self.warned = Some(now);
        self.unsaid = 0;
    }
}

/// Certificates stand beside the data: those of the device, and those of its node, whose death is
/// that of its devices.
fn with_certificates(data: &Arc<str>) -> Vec<Arc<str>> {
    let levels: Vec<&str> = data.split('/').collect();
    match levels.as_slice() {
        [space, group, _, node, device] => vec![
            format!("{space}/{group}/+/{node}").into(),
            format!("{space}/{group}/+/{node}/{device}").into(),
        ],
        [space, group, _, node] => vec![format!("{space}/{group}/+/{node}").into()],
        _ => vec![data.clone()],
    }
}

fn is_metric(place: &Place) -> bool {
    matches!(place.format, Format::Metric(_))
}
