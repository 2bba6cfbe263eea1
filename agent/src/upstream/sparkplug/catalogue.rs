//! Which metrics there are: those of each topic of the contract (§5) have the names of its keys, below
//! the topic's own name, such as `kpi/1m/oee`.
//!
//! Left out is what the topic and the birth certificate say already (`v`, `gateway`, `device`), and
//! `historical`, which is a flag of each metric.

use andon_core::message::{self, Payload};
use andon_core::plant::{Alarm, Device};
use andon_core::tag::Summed;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The types of metrics that are sent (specification 3.0, §6.4.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Int64 = 4,
    Double = 10,
    Boolean = 11,
    String = 12,
    /// Milliseconds UTC.
    DateTime = 13,
}

/// What becomes of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A current value.
    Current,
    /// The current value of an alarm, which is normal where there is none.
    Alarm,
    /// The summary of a window, or what tags have come to over one.
    Window,
    /// The journal.
    Event,
}

impl Kind {
    /// The key with the moment at which it was so.
    pub(super) const fn time_key(self) -> &'static str {
        match self {
            Kind::Window => "end_ms",
            Kind::Current | Kind::Alarm | Kind::Event => "ts",
        }
    }

    fn leaves_out(self, key: &str) -> bool {
        match key {
            "v" | "gateway" | "historical" => true,
            "device" => self != Kind::Event,
            "window" => self == Kind::Window,
            "run" => matches!(self, Kind::Current | Kind::Alarm),
            "id" | "alarm" => self == Kind::Alarm,
            _ => false,
        }
    }
}

/// The metrics of a topic, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// Ordered by key.
    metrics: Box<[(Box<str>, Datatype)]>,
}

impl Shape {
    pub(super) fn new(
        kind: Kind,
        metrics: impl IntoIterator<Item = (impl Into<Box<str>>, Datatype)>,
    ) -> Shape {
        let metrics = metrics.into_iter().map(|(key, of)| (key.into(), of));
        let mut metrics: Vec<(Box<str>, Datatype)> = metrics.collect();
        metrics.sort_by(|one, other| one.0.cmp(&other.0));
        metrics.dedup_by(|other, one| {
            let is_same = other.0 == one.0;
            if is_same && other.1 != one.1 {
                // A number in one kind of event and a word in another.
                one.1 = Datatype::String;
            }
            is_same
        });
        Shape {
            kind,
            metrics: metrics.into(),
        }
    }

    pub(super) fn metrics(&self) -> impl ExactSizeIterator<Item = (&str, Datatype)> {
        self.metrics.iter().map(|(key, of)| (&**key, *of))
    }

    pub(super) const fn len(&self) -> u64 {
        self.metrics.len() as u64
    }

    /// The shape with what `said` has besides, if it has anything: records of an earlier
    /// configuration or version may.
    pub(super) fn with(&self, said: &Map<String, Value>) -> Option<Shape> {
        let is_known = |key: &str| {
            let known = self
                .metrics
                .binary_search_by(|(known, _)| (**known).cmp(key));
            known.is_ok() || self.kind.leaves_out(key)
        };
        let besides = said.iter().filter(|(key, _)| !is_known(key));
        let besides: Vec<_> = besides
            .filter_map(|(key, value)| Some((key.as_str().into(), datatype(value)?)))
            .collect();
        if besides.is_empty() {
            return None;
        }
        Some(Shape::new(
            self.kind,
            self.metrics.iter().cloned().chain(besides),
        ))
    }
}

/// Of what nobody has foreseen. What has no value needs no metric.
fn datatype(value: &Value) -> Option<Datatype> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(Datatype::Boolean),
        Value::Number(_) => Some(Datatype::Double),
        Value::String(_) | Value::Array(_) | Value::Object(_) => Some(Datatype::String),
    }
}

/// The shapes of all topics, as their payloads are declared.
#[derive(Debug)]
pub(super) struct Catalogue {
    payloads: Vec<Payload>,
    info: Arc<Shape>,
    state: Arc<Shape>,
    now: Arc<Shape>,
    alarm: Arc<Shape>,
    kpi: Arc<Shape>,
}

impl Catalogue {
    pub(super) fn new() -> Catalogue {
        let payloads = message::payloads();
        let shape = |kind, name| Arc::new(Shape::new(kind, declared(&payloads, kind, name)));
        Catalogue {
            info: shape(Kind::Current, "info"),
            state: shape(Kind::Current, "state"),
            now: shape(Kind::Current, "now"),
            alarm: shape(Kind::Alarm, "alarm"),
            kpi: shape(Kind::Window, "kpi"),
            payloads,
        }
    }

    /// The topics of the gateway itself, but for its alarms.
    pub(super) fn of_node(&self) -> Vec<(String, Arc<Shape>)> {
        let shape = |kind, name| Arc::new(Shape::new(kind, declared(&self.payloads, kind, name)));
        vec![
            ("event".to_owned(), shape(Kind::Event, "event")),
            ("status".to_owned(), shape(Kind::Current, "status")),
        ]
    }

    /// The topics of a device below it, as configured.
    pub(super) fn of_device(&self, device: &Device) -> Vec<(String, Arc<Shape>)> {
        let mut topics = vec![("info".to_owned(), Arc::clone(&self.info))];
        if device.model.state.is_some() {
            topics.push(("state".to_owned(), Arc::clone(&self.state)));
            topics.push(("now".to_owned(), Arc::clone(&self.now)));
            for tier in device.publishes.iter() {
                topics.push((format!("kpi/{}", tier.as_str()), Arc::clone(&self.kpi)));
            }
        }
        let tags = Arc::new(Shape::new(Kind::Window, self.of_tags(device)));
        for tier in device.publishes_tags.iter() {
            topics.push((format!("tags/{}", tier.as_str()), Arc::clone(&tags)));
        }
        topics
    }

    pub(super) fn alarm(&self, alarm: &Alarm) -> (String, Arc<Shape>) {
        (format!("alarm/{}", alarm.id), Arc::clone(&self.alarm))
    }

    /// What tags come to over a window: what every record has, and the keys of each tag.
    fn of_tags(&self, device: &Device) -> Vec<(Box<str>, Datatype)> {
        let mut metrics = declared(&self.payloads, Kind::Window, "tags");
        let ends = self.payloads.iter().flat_map(|payload| &payload.of_tags);
        let tags = device.model.tags.iter().filter(|tag| device.tells(tag));
        for (tag, end) in tags.flat_map(|tag| ends.clone().map(move |end| (tag, end))) {
            let of_counter = end.name.ends_with("_delta");
            let of_level = ["_mean", "_min", "_max"]
                .iter()
                .any(|of| end.name.ends_with(of));
            let is_told = match tag.summed {
                Summed::Counter => !of_level,
                Summed::Level | Summed::Not => !of_counter,
            };
            if is_told {
                metrics.push((
                    format!("{}{}", tag.name, end.name).into(),
                    of_shape(&end.shape),
                ));
            }
        }
        metrics
    }
}

/// Of a topic of an earlier configuration: what its records say is all that is known of it.
pub(super) fn left_over(tail: &str) -> Arc<Shape> {
    let kind = match tail.split('/').next() {
        Some("kpi" | "tags") => Kind::Window,
        _ => Kind::Current,
    };
    Arc::new(Shape::new(kind, [("seq", Datatype::Int64)]))
}

/// The keys of a payload; of one of several kinds, those of all of them.
fn declared(payloads: &[Payload], kind: Kind, name: &str) -> Vec<(Box<str>, Datatype)> {
    let of_name = payloads.iter().filter(|payload| payload.name == name);
    let fields = of_name.flat_map(|payload| {
        let variants = payload.variants.iter().flat_map(|variant| &variant.fields);
        payload.fields.iter().chain(variants)
    });
    let metrics = fields.map(|field| (field.name.as_str().into(), of_shape(&field.shape)));
    let event = (kind == Kind::Event).then(|| ("event".into(), Datatype::String));
    metrics
        .chain(event)
        .filter(|(key, _): &(Box<str>, Datatype)| !kind.leaves_out(key))
        .collect()
}

const fn of_shape(shape: &message::Shape) -> Datatype {
    match shape {
        message::Shape::Truth => Datatype::Boolean,
        message::Shape::Count | message::Shape::Whole | message::Shape::Only(_) => Datatype::Int64,
        message::Shape::Time => Datatype::DateTime,
        message::Shape::Number
        | message::Shape::Positive
        | message::Shape::Share
        // One tag tells numbers and another truth values; both are numbers to whoever adds them up.
        | message::Shape::ReadNumber => Datatype::Double,
        message::Shape::Text
        | message::Shape::Pattern(_)
        | message::Shape::Words(_)
        // What a machine shows is a number of one and a text of another: a text is never wrong.
        | message::Shape::Read
        | message::Shape::List(_) => Datatype::String,
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, Datatype, Kind, Shape};
    use serde_json::json;

    fn datatype(shape: &Shape, key: &str) -> Option<Datatype> {
        shape
            .metrics()
            .find_map(|(known, of)| (known == key).then_some(of))
    }

    #[test]
    fn metrics_have_the_types_of_their_declared_keys() {
        let catalogue = Catalogue::new();
        let kpi = |key: &str| datatype(&catalogue.kpi, key);
        assert_eq!(kpi("end_ms"), Some(Datatype::DateTime));
        assert_eq!(kpi("producing_ms"), Some(Datatype::Int64));
        assert_eq!(kpi("oee"), Some(Datatype::Double));
        assert_eq!(kpi("oee_low"), Some(Datatype::Double));
        assert_eq!(kpi("oee_reason"), Some(Datatype::String));
        assert_eq!(kpi("shift"), Some(Datatype::String));
        assert_eq!(kpi("seq"), Some(Datatype::Int64));
        for left_out in ["v", "gateway", "device", "window", "historical"] {
            assert_eq!(kpi(left_out), None, "{left_out}");
        }
        assert_eq!(
            datatype(&catalogue.alarm, "active"),
            Some(Datatype::Boolean)
        );
        assert_eq!(datatype(&catalogue.alarm, "value"), Some(Datatype::String));
        let event = &catalogue.of_node()[0].1;
        for of_some in ["event", "device", "what", "seq_from", "outcome", "took_ms"] {
            assert_ne!(datatype(event, of_some), None, "{of_some}");
        }
    }

    #[test]
    fn a_shape_takes_in_what_it_does_not_have_unless_that_has_no_value() {
        let shape = Shape::new(Kind::Window, [("seq", Datatype::Int64)]);
        let said = json!({"seq": 1, "v": 1, "device": "p", "later": null});
        assert_eq!(shape.with(said.as_object().unwrap()), None);
        let said = json!({"seq": 1, "heat_mean": 20.5, "crew": "A", "night": true});
        let more = shape.with(said.as_object().unwrap()).unwrap();
        let metrics: Vec<_> = more.metrics().collect();
        let expected = [
            ("crew", Datatype::String),
            ("heat_mean", Datatype::Double),
            ("night", Datatype::Boolean),
            ("seq", Datatype::Int64),
        ];
        assert_eq!(metrics, expected);
    }
}
