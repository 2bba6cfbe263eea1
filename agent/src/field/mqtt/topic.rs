//! The topics of a link: what is read out of their messages, and what is subscribed to for them.

use super::filter::{covers, matches};
use super::silence::{Voice, is_deaf, is_to_be_asked};
use crate::field::payload::sparkplug::{self, Address, Session, What};
use crate::field::payload::{Payload, Reader};
use crate::settings;
use andon_core::plant::{Model, Plant};
use andon_core::sample::{Reading, Reason, Sample};
use andon_core::tag::{DeviceIndex, Format, Place, Source, TagIndex};
use andon_core::time::Mono;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::Arc;

/// Bad readings of a topic are warned about at most once in this time.
const WARN_AGAIN_MS: u64 = 60_000;

/// Topics that nobody reads and that are named.
const NAMED: usize = 20;

/// One topic with what is read from it.
pub(super) struct Topic {
    /// As its devices publish to it; `+` stands for any one level.
    pub(super) name: Arc<str>,
    /// What is subscribed to for it alone.
    pub(super) own: Vec<Arc<str>>,
    /// What is subscribed to for it and others like it, if there are others.
    shared: Vec<Arc<str>>,
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
            Source::Modbus(_) => None,
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

/// All topics of a link.
pub(super) struct Topics {
    pub(super) all: Vec<Topic>,
    by_name: HashMap<Arc<str>, usize>,
    /// Those with `+` in their name.
    patterns: Vec<usize>,
    /// What the present connection subscribes to.
    subscribed: Vec<Arc<str>>,
    /// The connection was made anew in this silence.
    connected_anew: bool,
    unread: Unread,
}

/// What is to be done about a silence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, or all that could be done was done.
    Wait,
    /// Subscribe anew to these.
    Subscribe(Vec<Arc<str>>),
    /// Connect anew.
    Connect,
}

impl Topics {
    pub(super) fn new(all: Vec<Topic>) -> Topics {
        let named = |wild: bool| {
            let topics = all.iter().zip(0..);
            topics.filter(move |(topic, _)| is_wild(&topic.name) == wild)
        };
        Topics {
            by_name: named(false)
                .map(|(topic, at)| (topic.name.clone(), at))
                .collect(),
            patterns: named(true).map(|(_, at)| at).collect(),
            all,
            subscribed: Vec::new(),
            connected_anew: false,
            unread: Unread::default(),
        }
    }

    /// The topics whose message one is that arrived, and what it is for each.
    pub(super) fn route(&self, name: &str) -> Vec<(usize, Heard)> {
        if let Some(address) = Address::of(name) {
            return self.route_metrics(&address);
        }
        let exact = self.by_name.get(name).copied();
        let matching = |at: &usize| matches(&self.all[*at].name, name);
        let wild = self.patterns.iter().copied().filter(matching);
        let topics = exact.into_iter().chain(wild);
        topics.map(|at| (at, Heard::Itself)).collect()
    }

    fn route_metrics(&self, address: &Address<'_>) -> Vec<(usize, Heard)> {
        let own = self.by_name.get(address.data_topic().as_str()).copied();
        let own = own.map(|at| (at, Heard::Sparkplug(address.what)));
        let others = match (address.what, address.device) {
            // With its birth the node begins anew, and its devices are yet to be born.
            (What::Birth, None) => Heard::NodeBirth,
            // With the node its devices die.
            (What::Death, None) => Heard::Sparkplug(What::Death),
            _ => return own.into_iter().collect(),
        };
        let topics = self.all.iter().zip(0..);
        let of_node = topics.filter(|(topic, _)| is_of_node(&topic.name, address));
        let of_node = of_node.map(|(_, at)| (at, others));
        // The node's own metrics last: its birth certificate names them.
        let not_own = |(at, _): &(usize, Heard)| {
            others == Heard::NodeBirth || own.is_none_or(|(own, _)| own != *at)
        };
        of_node.filter(not_own).chain(own).collect()
    }

    /// What a new connection is to subscribe to: the fewest filters, or single ones to find the
    /// topic whose message is too large.
    pub(super) fn subscribe(&mut self, singly: bool) -> Vec<Arc<str>> {
        let filters = if singly {
            self.single_filters()
        } else {
            self.fewest_filters()
        };
        self.subscribed.clone_from(&filters);
        filters
    }

    /// What to do now about topics that usually speak and do not.
    pub(super) fn step(&mut self, now: Mono) -> Step {
        let mut silent = Vec::new();
        for filter in &self.subscribed {
            let through = |topic: &&mut Topic| topic.own.iter().any(|own| covers(filter, own));
            let topics = self.all.iter_mut().filter(through);
            let mut voices: Vec<&mut Voice> = topics.map(|topic| &mut topic.voice).collect();
            if is_to_be_asked(&mut voices, now) {
                silent.push(filter.clone());
            }
        }
        if !silent.is_empty() {
            return Step::Subscribe(silent);
        }
        let voices = self.all.iter().map(|topic| &topic.voice);
        if !self.connected_anew && is_deaf(voices, now) {
            self.connected_anew = true;
            return Step::Connect;
        }
        Step::Wait
    }

    /// A message arrived on a topic; whether it is the last one once more.
    pub(super) fn heard(
        &mut self,
        topic: usize,
        at: Mono,
        name: &str,
        payload: &[u8],
        live: bool,
    ) -> bool {
        self.connected_anew &= !live;
        self.all[topic].voice.heard(at, name, payload, live)
    }

    /// The fewest filters through which everything comes that is read.
    fn fewest_filters(&self) -> Vec<Arc<str>> {
        // A message over the limit comes through a shared filter too.
        let closed: Vec<&Arc<str>> = self
            .all
            .iter()
            .filter(|topic| topic.left_out_until.is_some())
            .flat_map(|topic| topic.shared.iter().chain(&topic.own))
            .collect();
        let open = self
            .all
            .iter()
            .filter(|topic| topic.left_out_until.is_none());
        let mut filters: Vec<Arc<str>> = open
            .flat_map(|topic| {
                let is_open = !topic.shared.is_empty()
                    && topic.shared.iter().all(|shared| !closed.contains(&shared));
                if is_open { &topic.shared } else { &topic.own }
            })
            .cloned()
            .collect();
        filters.sort_unstable();
        filters.dedup();
        let wild: Vec<Arc<str>> = filters.iter().filter(|f| is_wild(f)).cloned().collect();
        filters.retain(|filter| !wild.iter().any(|w| w != filter && covers(w, filter)));
        filters
    }

    /// Those that each topic has for itself.
    fn single_filters(&self) -> Vec<Arc<str>> {
        let open = self
            .all
            .iter()
            .filter(|topic| topic.left_out_until.is_none());
        let mut filters: Vec<Arc<str>> = open.flat_map(|topic| topic.own.clone()).collect();
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// Ends the time of those that have been left out for long enough, and returns their filters.
    pub(super) fn let_in(&mut self, now: Mono) -> Vec<Arc<str>> {
        let over = |topic: &mut Topic| topic.left_out_until.take_if(|until| *until <= now);
        let mut filters = Vec::new();
        for topic in &mut self.all {
            if over(topic).is_some() {
                filters.extend(topic.own.clone());
            }
        }
        filters
    }

    /// Names a topic through a filter that nobody reads, a few of them.
    pub(super) fn nobody_reads(&mut self, link: &str, name: &str) {
        // Certificates and commands come along with the data of devices that are read.
        let is_expected =
            |address: Address<'_>| address.what != What::Data || address.device.is_none();
        if name.starts_with("spBv1.0/") && Address::of(name).is_none_or(is_expected) {
            return;
        }
        if self.unread.is_news(name) {
            tracing::warn!(
                link,
                topic = name,
                "nobody reads this topic; is its device missing, or its `address`?"
            );
        }
    }

    /// Metrics are named anew on each connection: certificates may have been missed.
    pub(super) fn forget_metrics(&mut self) {
        let sessions = self
            .all
            .iter_mut()
            .filter_map(|topic| topic.session.as_mut());
        sessions.for_each(Session::forget);
    }
}

fn is_metric(place: &Place) -> bool {
    matches!(place.format, Format::Metric(_))
}

fn is_wild(filter: &str) -> bool {
    filter.split('/').any(|level| level == "+")
}

fn is_of_node(data_topic: &str, node: &Address<'_>) -> bool {
    let same = |own: Address<'_>| own.group == node.group && own.node == node.node;
    Address::of(data_topic).is_some_and(same)
}

/// Topics that come through a filter and that nobody reads.
#[derive(Debug, Default)]
struct Unread {
    named: Vec<Box<str>>,
}

impl Unread {
    fn is_news(&mut self, name: &str) -> bool {
        let is_news = self.named.len() < NAMED && self.named.iter().all(|known| **known != *name);
        if is_news {
            self.named.push(name.into());
        }
        is_news
    }
}
