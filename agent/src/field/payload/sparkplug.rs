//! Sparkplug B (specification 3.0): what certificates and data messages say of the metrics of one
//! device or node.
//!
//! Data may name a metric by an alias that only the birth certificate explains. Aliases are kept of
//! those metrics that some tag reads, so their number is bounded by the configuration. Without the
//! birth certificate an alias is nothing, and its value is missing: a rebirth could only be asked
//! for by publishing, which a reader does not do.

mod wire;

use super::MOST_SAMPLES;
use super::value::{integer, number, number_in, scaled, text_value};
use andon_core::sample::{Reading, Reason, Sample, Value};
use andon_core::tag::{Format, Kind, Place, TagIndex};
use andon_core::time::Wall;
use wire::{Datatype, Metric, Raw};

/// What a message is, by the third level of its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// NBIRTH or DBIRTH: all metrics with their names and present values.
    Birth,
    /// NDATA or DDATA: metrics that changed.
    Data,
    /// NDEATH or DDEATH: nobody speaks for the metrics any more.
    Death,
}

/// A topic of the namespace, as far as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'t> {
    /// What its messages are.
    pub what: What,
    /// The group of nodes.
    pub group: &'t str,
    /// The edge node.
    pub node: &'t str,
    /// The device behind the node; none if the node speaks for itself.
    pub device: Option<&'t str>,
}

impl<'t> Address<'t> {
    /// None for any other topic, and for commands.
    pub fn of(topic: &'t str) -> Option<Address<'t>> {
        let mut levels = topic.split('/');
        let mut next = || levels.next();
        let ("spBv1.0", group, what, node) = (next()?, next()?, next()?, next()?) else {
            return None;
        };
        let device = next();
        let what = match (what, device) {
            ("NBIRTH", None) | ("DBIRTH", Some(_)) => What::Birth,
            ("NDATA", None) | ("DDATA", Some(_)) => What::Data,
            ("NDEATH", None) | ("DDEATH", Some(_)) => What::Death,
            _ => return None,
        };
        next().is_none().then_some(Address {
            what,
            group,
            node,
            device,
        })
    }

    /// The topic of the data of the same device or node.
    pub fn data_topic(&self) -> String {
        let Address { group, node, .. } = self;
        match self.device {
            Some(device) => format!("spBv1.0/{group}/DDATA/{node}/{device}"),
            None => format!("spBv1.0/{group}/NDATA/{node}"),
        }
    }
}

/// What is known of the metrics of one device or node since it was born.
#[derive(Debug)]
pub struct Session {
    metrics: Vec<Wanted>,
    born: bool,
    /// Number of the node's birth, by which its own death is told from that of a session before.
    birth: Option<u64>,
}

#[derive(Debug)]
struct Wanted {
    name: Box<str>,
    alias: Option<u64>,
    datatype: Option<Datatype>,
}

/// What a message says of one of the metrics that are wanted.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    metric: usize,
    raw: Result<Raw, Reason>,
    time: Option<Wall>,
}

impl Session {
    /// Nothing is known yet of the metrics that these places want.
    pub fn new<'p>(places: impl IntoIterator<Item = &'p Place>) -> Session {
        let name = |place: &'p Place| match &place.format {
            Format::Metric(name) => Some(name),
            _ => None,
        };
        let mut names: Vec<_> = places.into_iter().filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        let metrics = names.into_iter().map(|name| Wanted {
            name: name.clone(),
            alias: None,
            datatype: None,
        });
        Session {
            metrics: metrics.collect(),
            born: false,
            birth: None,
        }
    }

    /// Messages may have been missed, or the node has been born anew: aliases say nothing until the
    /// next birth certificate.
    pub fn forget(&mut self) {
        self.born = false;
        for metric in &mut self.metrics {
            metric.alias = None;
            metric.datatype = None;
        }
    }

    /// The node was born: its devices will be, and its death will carry the same number.
    pub fn node_born(&mut self, bytes: &[u8]) {
        self.forget();
        self.birth = wire::birth_number(bytes);
    }

    /// Whether a death of the node is that of the present session and not of one before, whose will
    /// came late.
    pub fn is_own_death(&self, bytes: &[u8]) -> bool {
        match (self.birth, wire::birth_number(bytes)) {
            (Some(birth), Some(death)) => birth == death,
            _ => true,
        }
    }

    /// What a birth certificate says of some tags of a device: of each, for it has all metrics.
    pub fn birth(&mut self, bytes: &[u8], max: usize) -> Result<Message, Reason> {
        self.forget();
        let message = self.read_birth(bytes, max);
        match &message {
            Ok(_) => self.born = true,
            // Half of a certificate is none.
            Err(_) => self.forget(),
        }
        message
    }

    fn read_birth(&mut self, bytes: &[u8], max: usize) -> Result<Message, Reason> {
        let payload = wire::payload(bytes, max)?;
        let mut said: Vec<Said> = Vec::new();
        for metric in payload.metrics() {
            let metric = metric?;
            let wanted = metric.name.as_deref().and_then(|name| self.named(name));
            let Some(index) = wanted else { continue };
            self.metrics[index].alias = metric.alias;
            self.metrics[index].datatype = metric.type_of_value();
            // What it says holds now, however long ago it last changed.
            if said.len() >= 2 * MOST_SAMPLES * self.metrics.len() {
                keep_newest(&mut said);
            }
            let time = payload.time.or(metric.time());
            said.push(self.said(index, &metric, time));
        }
        let missing = |index: &usize| said.iter().all(|said| said.metric != *index);
        let missing: Vec<usize> = (0..self.metrics.len()).filter(missing).collect();
        said.extend(missing.into_iter().map(nothing));
        Ok(Message(said))
    }

    /// What a data message says: only of metrics that changed.
    pub fn data(&mut self, bytes: &[u8], max: usize) -> Result<Message, Reason> {
        let payload = wire::payload(bytes, max)?;
        let mut said: Vec<Said> = Vec::new();
        let mut unknown = false;
        for metric in payload.metrics() {
            let metric = metric?;
            // What was gathered while nobody listened is not what holds now.
            if metric.is_historical == Some(true) {
                continue;
            }
            let index = match (&metric.name, metric.alias) {
                (Some(name), _) if !name.is_empty() => self.named(name),
                (_, Some(alias)) => {
                    let known = |wanted: &Wanted| wanted.alias == Some(alias);
                    let index = self.metrics.iter().position(known);
                    unknown |= index.is_none() && !self.born;
                    index
                }
                _ => None,
            };
            if let Some(index) = index {
                if said.len() >= 2 * MOST_SAMPLES * self.metrics.len() {
                    keep_newest(&mut said);
                }
                let time = metric.time().or(payload.time);
                said.push(self.said(index, &metric, time));
            }
        }
        if unknown {
            // It may be any of them.
            let unsaid = |index: &usize| said.iter().all(|said| said.metric != *index);
            let unsaid: Vec<usize> = (0..self.metrics.len()).filter(unsaid).collect();
            said.extend(unsaid.into_iter().map(nothing));
        }
        Ok(Message(said))
    }

    /// Whether the birth certificate was seen.
    pub const fn is_born(&self) -> bool {
        self.born
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.metrics
            .binary_search_by(|wanted| (*wanted.name).cmp(name))
            .ok()
    }

    fn said(&self, index: usize, metric: &Metric, time: Option<Wall>) -> Said {
        let datatype = metric.type_of_value().or(self.metrics[index].datatype);
        Said {
            metric: index,
            raw: metric.raw(datatype),
            time,
        }
    }

    /// The samples that a message has for some tags of a device, those of one tag in the order of
    /// their time.
    pub fn samples<'p>(
        &self,
        message: &Message,
        tags: impl IntoIterator<Item = (TagIndex, &'p Place)>,
        retained: bool,
    ) -> Vec<(TagIndex, Sample)> {
        let mut samples = Vec::new();
        for (tag, place) in tags {
            let Format::Metric(name) = &place.format else {
                continue;
            };
            let begin = samples.len();
            let index = self.named(name);
            let own = message.0.iter().filter(|said| Some(said.metric) == index);
            samples.extend(own.map(|said| {
                let value = said.raw.clone().and_then(|raw| value(raw, place));
                (tag, super::sample(value, said.time, retained))
            }));
            super::keep_newest(&mut samples, begin);
        }
        samples
    }
}

/// Leaves out what is said of a metric more often than is taken.
fn keep_newest(said: &mut Vec<Said>) {
    said.sort_by_key(|said| (said.metric, said.time.unwrap_or(Wall(i64::MAX))));
    let newest = |same: &[Said]| same[same.len().saturating_sub(MOST_SAMPLES)..].to_vec();
    *said = said
        .chunk_by(|one, other| one.metric == other.metric)
        .flat_map(newest)
        .collect();
}

/// What a message says of the metrics of a session.
#[derive(Debug)]
pub struct Message(Vec<Said>);

/// The samples of tags for which nobody speaks any more, or whose message could not be read.
pub fn all_bad<'p>(
    tags: impl IntoIterator<Item = (TagIndex, &'p Place)>,
    reason: Reason,
) -> Vec<(TagIndex, Sample)> {
    let metrics = tags
        .into_iter()
        .filter(|(_, place)| matches!(place.format, Format::Metric(_)));
    metrics
        .map(|(tag, _)| (tag, Reading::Bad(reason).into()))
        .collect()
}

const fn nothing(metric: usize) -> Said {
    Said {
        metric,
        raw: Err(Reason::Missing),
        time: None,
    }
}

fn value(raw: Raw, place: &Place) -> Result<Value, Reason> {
    let kind = place.kind;
    let value = match raw {
        Raw::Bool(truth) if kind == Kind::Bool => Value::Bool(truth),
        Raw::Text(text) if kind == Kind::Text => text_value(&text)?,
        _ if kind == Kind::Text => return Err(Reason::WrongType),
        Raw::Bool(_) => return Err(Reason::WrongType),
        Raw::Text(text) => number_in(&text, kind)?,
        Raw::Float(float) => number(float, kind)?,
        Raw::Signed(whole) => integer(whole, kind)?,
        Raw::Unsigned(whole) => unsigned(whole, kind)?,
        // Nobody has said what the bits are; the tag may.
        Raw::Bits32(bits) => match (i32::try_from(bits), kind) {
            (Ok(whole), _) => integer(i64::from(whole), kind)?,
            (Err(_), Kind::I16 | Kind::I32) => integer(i64::from(bits.cast_signed()), kind)?,
            (Err(_), Kind::U32) => integer(i64::from(bits), kind)?,
            (Err(_), _) => return Err(Reason::Missing),
        },
        Raw::Bits64(bits) => match (i64::try_from(bits), kind) {
            (Ok(whole), _) => integer(whole, kind)?,
            (Err(_), Kind::I64) => integer(bits.cast_signed(), kind)?,
            (Err(_), _) => return Err(Reason::Missing),
        },
    };
    scaled(value, place)
}

fn unsigned(whole: u64, kind: Kind) -> Result<Value, Reason> {
    match (i64::try_from(whole), kind) {
        (Ok(whole), _) => integer(whole, kind),
        (Err(_), Kind::F32 | Kind::F64) => number(whole as f64, kind),
        (Err(_), _) => Err(Reason::OutOfRange),
    }
}

#[cfg(test)]
mod tests;
