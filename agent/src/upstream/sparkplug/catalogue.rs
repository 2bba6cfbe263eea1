//! Which metrics there are: those of each topic of the contract (§5) have the names of its keys, below
//! the topic's own name, such as `kpi/1m/oee`.
//!
//! Left out is what the topic and the birth certificate say already (`v`, `gateway`, `device`), and
//! `historical`, which is a flag of each metric.

use andon_core::kpi::Key;
use andon_core::plant::{Alarm, Device};
use andon_core::summary::Tier;
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

use Datatype::{Boolean, DateTime, Double, Int64, String as Text};

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
        metrics.dedup_by(|one, other| one.0 == other.0);
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
            let known = self.metrics.binary_search_by(|(known, _)| (**known).cmp(key));
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
        Value::Bool(_) => Some(Boolean),
        Value::Number(_) => Some(Double),
        Value::String(_) | Value::Array(_) | Value::Object(_) => Some(Text),
    }
}

/// The shapes that all devices have in common.
#[derive(Debug)]
pub(super) struct Catalogue {
    info: Arc<Shape>,
    state: Arc<Shape>,
    now: Arc<Shape>,
    alarm: Arc<Shape>,
    window: Arc<Shape>,
    shift: Arc<Shape>,
}

impl Catalogue {
    pub(super) fn new() -> Catalogue {
        let window = || HEAD.into_iter().chain(WINDOW).chain(KPI).map(named).chain(figures(""));
        Catalogue {
            info: Arc::new(Shape::new(Kind::Current, INFO)),
            state: Arc::new(Shape::new(Kind::Current, STATE)),
            now: Arc::new(Shape::new(Kind::Current, now())),
            alarm: Arc::new(Shape::new(Kind::Alarm, ALARM)),
            window: Arc::new(Shape::new(Kind::Window, window())),
            shift: Arc::new(Shape::new(
                Kind::Window,
                window().chain(SHIFT.map(named)),
            )),
        }
    }

    /// The topics of a device below it, as configured.
    pub(super) fn of_device(&self, device: &Device) -> Vec<(String, Arc<Shape>)> {
        let mut topics = vec![("info".to_owned(), Arc::clone(&self.info))];
        if device.model.state.is_some() {
            topics.push(("state".to_owned(), Arc::clone(&self.state)));
            topics.push(("now".to_owned(), Arc::clone(&self.now)));
            for tier in device.publishes.iter() {
                topics.push((format!("kpi/{}", tier.as_str()), Arc::clone(self.kpi(tier))));
            }
        }
        let tags = device.model.tags.iter();
        let tags: Vec<_> = tags
            .filter(|tag| device.tells(tag))
            .map(|tag| (&*tag.name, tag.summed))
            .collect();
        for tier in device.publishes_tags.iter() {
            let shape = Arc::new(tag_windows(tier, &tags));
            topics.push((format!("tags/{}", tier.as_str()), shape));
        }
        topics
    }

    pub(super) fn alarm(&self, alarm: &Alarm) -> (String, Arc<Shape>) {
        (format!("alarm/{}", alarm.id), Arc::clone(&self.alarm))
    }

    fn kpi(&self, tier: Tier) -> &Arc<Shape> {
        match tier {
            Tier::Shift => &self.shift,
            Tier::Minute | Tier::Hour | Tier::Day => &self.window,
        }
    }
}

/// Of a topic of an earlier configuration: what its records say is all that is known of it.
pub(super) fn left_over(tail: &str) -> Arc<Shape> {
    let kind = match tail.split('/').next() {
        Some("kpi" | "tags") => Kind::Window,
        Some("alarm") => Kind::Alarm,
        _ => Kind::Current,
    };
    Arc::new(Shape::new(kind, HEAD))
}

/// The topics of the gateway itself, but for its alarms.
pub(super) fn of_node() -> [(String, Arc<Shape>); 2] {
    let event = Shape::new(Kind::Event, HEAD.into_iter().chain(EVENT));
    [
        ("event".to_owned(), Arc::new(event)),
        (
            "status".to_owned(),
            Arc::new(Shape::new(Kind::Current, STATUS)),
        ),
    ]
}

type Metric = (&'static str, Datatype);

fn named((key, of): Metric) -> (String, Datatype) {
    (key.to_owned(), of)
}

/// What every record begins with.
const HEAD: [Metric; 7] = [
    ("run", Text),
    ("boot", Int64),
    ("seq", Int64),
    ("n", Int64),
    ("ts", DateTime),
    ("clock", Text),
    ("cfg", Text),
];

const WINDOW: [Metric; 8] = [
    ("line", Text),
    ("start_ms", DateTime),
    ("end_ms", DateTime),
    ("window_ms", Int64),
    ("clock_step_ms", Int64),
    ("fold", Int64),
    ("rev", Int64),
    ("merged", Int64),
];

const SHIFT: [Metric; 3] = [("shift", Text), ("shift_date", Text), ("crew", Text)];

const KPI: [Metric; 23] = [
    ("every_ms", Int64),
    ("producing_ms", Int64),
    ("setup_ms", Int64),
    ("delayed_ms", Int64),
    ("faulted_ms", Int64),
    ("idle_ms", Int64),
    ("planned_stop_ms", Int64),
    ("unknown_ms", Int64),
    ("uncounted_ms", Int64),
    ("good", Int64),
    ("scrap", Int64),
    ("total", Int64),
    ("gap_total", Int64),
    ("failures", Int64),
    ("repairs", Int64),
    ("repair_ms", Int64),
    ("capacity", Int64),
    ("capacity_producing", Int64),
    ("capacity_uncounted", Int64),
    ("unrated_ms", Int64),
    ("unrated_producing_ms", Int64),
    ("rated_per_h", Double),
    ("reason", Text),
];

const INFO: [Metric; 9] = [
    ("name", Text),
    ("line", Text),
    ("asset", Text),
    ("profile", Text),
    ("rated_per_h", Double),
    ("every_ms", Int64),
    ("tags", Text),
    ("units", Text),
    ("publishes", Text),
];

/// What a machine shows is a number of one and a text of another: a text is never wrong.
const STATE: [Metric; 10] = [
    ("ts", DateTime),
    ("state", Text),
    ("previous", Text),
    ("since_ms", DateTime),
    ("code", Text),
    ("cause", Text),
    ("cause_zh", Text),
    ("quality", Text),
    ("reason", Text),
    ("product", Text),
];

const ALARM: [Metric; 20] = [
    ("occurrence", Int64),
    ("priority", Text),
    ("state", Text),
    ("active", Boolean),
    ("latched", Boolean),
    ("quality", Text),
    ("raised_ms", DateTime),
    ("acked_ms", DateTime),
    ("cleared_ms", DateTime),
    ("value", Text),
    ("limit", Double),
    ("group", Text),
    ("first_out", Boolean),
    ("text_en", Text),
    ("text_zh", Text),
    ("by", Text),
    ("via", Text),
    ("why", Text),
    ("until_ms", DateTime),
    ("count", Int64),
];

const STATUS: [Metric; 14] = [
    ("status", Text),
    ("version", Text),
    ("boot", Int64),
    ("cfg", Text),
    ("ts", DateTime),
    ("clock", Text),
    ("waiting", Int64),
    ("oldest_waiting_ms", DateTime),
    ("links_up", Int64),
    ("links_down", Int64),
    ("devices_bad", Int64),
    ("done_boot", Int64),
    ("done_seq", Int64),
    ("next_ms", DateTime),
];

const EVENT: [Metric; 31] = [
    ("event", Text),
    ("device", Text),
    ("what", Text),
    ("from", Text),
    ("to", Text),
    ("code", Text),
    ("cause", Text),
    ("quality", Text),
    ("reason", Text),
    ("occurrence", Int64),
    ("priority", Text),
    ("active", Boolean),
    ("value", Text),
    ("first_out", Boolean),
    ("by", Text),
    ("via", Text),
    ("why", Text),
    ("until_ms", DateTime),
    ("took_ms", Int64),
    ("count", Int64),
    ("kind", Text),
    ("outcome", Text),
    ("step_ms", Int64),
    ("of_run", Text),
    ("of_boot", Int64),
    ("seq_from", Int64),
    ("seq_to", Int64),
    ("class", Text),
    ("window", Text),
    // Of answers to commands.
    ("id", Text),
    ("nonce", Text),
];

/// Every figure with its bounds and its reason, all below `prefix`.
fn figures(prefix: &str) -> impl Iterator<Item = (String, Datatype)> + use<'_> {
    Key::ALL.into_iter().flat_map(move |key| {
        let [value, low, high, reason] = key.names();
        let bounds = [(low, Double), (high, Double)];
        [(value, Double), (reason, Text)]
            .into_iter()
            .chain(key.has_bounds().then_some(bounds).into_iter().flatten())
            .map(move |(name, of)| (format!("{prefix}{name}"), of))
    })
}

/// `{device}/now`: the main figures of the open shift, the last day and the last 30 days.
fn now() -> impl Iterator<Item = (String, Datatype)> {
    const MAIN: [&str; 7] = [
        "capacity_utilisation",
        "availability",
        "fault_time_ratio",
        "oee",
        "quality_ratio",
        "fault_rate_per_h",
        "coverage",
    ];
    const PARTS: [Metric; 5] = [
        ("from_ms", DateTime),
        ("good", Int64),
        ("scrap", Int64),
        ("total", Int64),
        ("reason", Text),
    ];
    let of = |prefix: &'static str| {
        let main = MAIN.map(|key| (key, Double));
        let all = main.into_iter().chain(PARTS);
        all.map(move |(key, of)| (format!("{prefix}_{key}"), of))
    };
    let head = [("ts", DateTime), ("data_age_ms", Int64)];
    head.into_iter()
        .chain(SHIFT)
        .map(named)
        .chain(["shift", "h24", "d30"].into_iter().flat_map(of))
}

/// `{device}/tags/{tier}`.
fn tag_windows(tier: Tier, tags: &[(&str, Summed)]) -> Shape {
    const PARTS: [Metric; 2] = [("part", Int64), ("parts", Int64)];
    const LEVEL: &[Metric] = &[
        ("mean", Double),
        ("min", Double),
        ("max", Double),
        ("last", Double),
        ("good_ms", Int64),
    ];
    const COUNTER: &[Metric] = &[("delta", Double), ("last", Double), ("good_ms", Int64)];
    let shift = (tier == Tier::Shift).then_some(SHIFT).into_iter().flatten();
    let head = HEAD.into_iter().chain(WINDOW).chain(PARTS).chain(shift);
    let of = |(tag, summed): &(&str, Summed)| {
        let keys = match summed {
            Summed::Counter => COUNTER,
            Summed::Level | Summed::Not => LEVEL,
        };
        let tag = (*tag).to_owned();
        keys.iter().map(move |(key, of)| (format!("{tag}_{key}"), *of))
    };
    Shape::new(Kind::Window, head.map(named).chain(tags.iter().flat_map(of)))
}
