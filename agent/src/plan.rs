//! What the agent allocates and writes, worked out from the settings before it starts.
//!
//! Sizes come from the real types where there is one. Where a library or the operating system
//! decides, the figure is an estimate and says so.

mod disk;

pub use disk::{DiskPlan, disk, history};

use crate::field::FromField;
use crate::field::meter;
use crate::field::payload::GROWTH;
use crate::field::push;
use crate::http;
use crate::run;
use crate::settings::{Endpoint, LinkKind, Settings};
use crate::staging;
use crate::upstream::command;
use andon_core::engine;
use andon_core::history::Row;
use andon_core::plant::{Code, Device, Model, Plant, States};
use andon_core::record::Record;
use andon_core::rule::Rule;
use andon_core::summary::Summary;
use andon_core::tag::{Source, Tag};
use std::mem::{size_of, size_of_val};
use std::sync::Arc;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The registers of the largest Modbus answer.
const LARGEST_ANSWER: usize = 250;

/// One line of the memory plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Item {
    /// What is allocated.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// Bytes for each.
    pub each: u64,
    /// Not the size of a type of ours, but what was measured of a library.
    pub estimate: bool,
    /// Taken only while the disk refuses.
    pub in_trouble: bool,
}

impl Item {
    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.each)
    }
}

/// What is allocated for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The parts.
    pub items: Vec<Item>,
    /// What they may come to.
    pub budget: u64,
}

impl MemoryPlan {
    /// Bytes of everything.
    pub fn sum(&self) -> u64 {
        self.items
            .iter()
            .map(Item::bytes)
            .fold(0, u64::saturating_add)
    }

    /// Bytes of what is taken while all is well.
    pub fn while_well(&self) -> u64 {
        let well = self.items.iter().filter(|item| !item.in_trouble);
        well.map(Item::bytes).fold(0, u64::saturating_add)
    }

    /// What most of it goes to.
    pub fn largest(&self) -> &'static str {
        let largest = self.items.iter().max_by_key(|item| item.bytes());
        largest.map_or("nothing", |item| item.what)
    }
}

/// The memory plan of a configuration.
pub fn memory(settings: &Settings) -> MemoryPlan {
    let plant = &settings.plant;
    let (models, model_bytes) = models(&plant.devices);
    let mut items = vec![
        estimate("program, runtime and logging", 1, 4 * MIB),
        estimate("store: the newest and the oldest database", 2, 2 * MIB),
        Item {
            what: "tags, states and codes, once for each profile",
            count: count(models),
            each: model_bytes / count(models).max(1),
            estimate: false,
            in_trouble: false,
        },
        exact(
            "readings on their way to the engine",
            run::FIELD_QUEUE,
            size_of::<FromField>() + LARGEST_ANSWER,
        ),
        in_trouble(
            "records that wait while the disk refuses",
            staging::MOST,
            size_of::<Record>() + size_of::<Summary>(),
        ),
        in_trouble(
            "history that waits while the disk refuses",
            staging::MOST_ROWS,
            size_of::<Row>(),
        ),
        estimate(
            "current values as the broker has them",
            count(1 + 3 * plant.devices.len() + plant.alarms.len()),
            current_value_bytes(plant),
        ),
        exact(
            "records on their way to the broker",
            usize::from(settings.upstream.window),
            settings.upstream.max_payload + size_of::<Record>(),
        ),
        estimate("connection to the broker", 1, 64 * KIB),
        estimate("modem", u64::from(settings.sms.is_some()), 64 * KIB),
    ];
    let of_core = engine::allocations(plant).into_iter();
    items.extend(of_core.map(|it| exact(it.what, it.count, it.each)));
    items.extend(link_items(settings));
    items.retain(|item| item.count > 0);
    MemoryPlan {
        items,
        budget: settings.memory_budget,
    }
}

/// What a current value takes on average: its JSON, in which `info` names every tag.
fn current_value_bytes(plant: &Plant) -> u64 {
    const WITHOUT_TAGS: usize = 768;
    let values = 1 + 3 * plant.devices.len() + plant.alarms.len();
    let named = |tag: &Tag| tag.name.len() + tag.unit.len() + 6;
    let names: usize = plant
        .devices
        .iter()
        .flat_map(|device| &device.model.tags)
        .map(named)
        .sum();
    count(WITHOUT_TAGS + names / values)
}

fn link_items(settings: &Settings) -> Vec<Item> {
    let (mut tcp, mut rtu, mut mqtt, mut tls, mut payload, mut pushed) = (0, 0, 0, 0, 0, 0);
    let (mut pulled, mut payload_pulled, mut boards) = (0, 0, 0);
    for link in &settings.links {
        match &link.kind {
            LinkKind::Modbus(modbus) => match modbus.endpoint {
                Endpoint::Tcp { .. } => tcp += 1,
                Endpoint::Serial(_) | Endpoint::RtuOverTcp { .. } => rtu += 1,
            },
            LinkKind::Mqtt(link) => {
                mqtt += 1;
                payload = payload.max(link.max_payload);
                tls += u64::from(link.broker.tls.is_some());
            }
            LinkKind::HttpGet(get) => {
                pulled += 1;
                payload_pulled = payload_pulled.max(get.max_payload);
                tls += u64::from(get.server.tls.is_some());
            }
            LinkKind::HttpPush(_) => pushed += 1,
            LinkKind::Board(_) => boards += 1,
        }
    }
    let of_pushed = if pushed > 0 { push::MOST_PARSED } else { 0 };
    let read = of_pushed.max(payload.saturating_mul(GROWTH));
    let doors = u64::from(settings.http.is_some());
    tls += u64::from(settings.upstream.broker.tls.is_some());
    vec![
        estimate("Modbus TCP links", tcp, 16 * KIB),
        estimate("Modbus RTU links", rtu, 24 * KIB),
        estimate("I/O board", boards, 8 * KIB),
        exact(
            "meters of Modbus links and units",
            settings.plant.devices.len() + settings.links.len(),
            meter::BYTES,
        ),
        estimate(
            "MQTT links, each with its largest payload",
            mqtt,
            64 * KIB + count(payload),
        ),
        estimate(
            "HTTP links, each with its largest answer",
            pulled,
            32 * KIB + 2 * count(payload_pulled),
        ),
        // One after the other: there is one thread.
        exact(
            "a message while it is read",
            usize::from(mqtt + pushed > 0),
            read,
        ),
        estimate("TLS connections with their certificates", tls, 256 * KIB),
        estimate(
            "HTTP connections",
            doors * count(http::MOST_CONNECTIONS),
            24 * KIB,
        ),
        exact(
            "commands that wait, and those of the last minute",
            usize::from(settings.upstream.commands.is_some()),
            command::ROOM * command::asked::LARGEST
                + command::MOST_NONCES * (command::asked::LONGEST_NONCE + 32),
        ),
        exact(
            "what scripts are pushing",
            if pushed > 0 { http::AT_ONCE } else { 0 },
            http::LARGEST_BODY,
        ),
    ]
}

/// How many different models there are, and the bytes of all of them.
fn models(devices: &[Device]) -> (usize, u64) {
    let mut seen: Vec<*const Model> = Vec::new();
    let mut bytes = 0;
    for device in devices {
        let at = Arc::as_ptr(&device.model);
        if !seen.contains(&at) {
            seen.push(at);
            bytes += model_bytes(&device.model);
        }
    }
    (seen.len(), bytes)
}

fn model_bytes(model: &Model) -> u64 {
    let texts: usize = model
        .codes
        .iter()
        .map(|code| code.en.len() + code.zh.len())
        .sum();
    let names: usize = model
        .tags
        .iter()
        .map(|tag| tag.name.len() + tag.unit.len())
        .sum();
    let absent = |tag: &Tag| match &tag.source {
        Source::Modbus(point) => size_of_val(&*point.absent),
        Source::Message(_) | Source::Board(_) => 0,
    };
    let bytes = size_of::<Model>()
        + model.tags.len() * size_of::<Tag>()
        + model.tags.iter().map(absent).sum::<usize>()
        + model.state.as_ref().map_or(0, states_bytes)
        + model
            .rates
            .as_ref()
            .map_or(0, |rates| size_of_val(&*rates.map))
        + model.codes.len() * size_of::<Code>()
        + texts
        + names;
    count(bytes)
}

fn states_bytes(states: &States) -> usize {
    let derived = match states {
        States::Status(map) => return size_of_val(&*map.rules),
        States::Derived(derived) => derived,
    };
    let mut leaves = 0;
    for (rule, _) in &derived.rules {
        rule.for_each_leaf(&mut |_| leaves += 1);
    }
    // What joins two leaves takes as much as one, and so does what denies it.
    size_of_val(&*derived.rules) + size_of_val(&*derived.tags) + 3 * leaves * size_of::<Rule>()
}

fn exact(what: &'static str, number: usize, each: usize) -> Item {
    Item {
        what,
        count: count(number),
        each: count(each),
        estimate: false,
        in_trouble: false,
    }
}

fn in_trouble(what: &'static str, number: usize, each: usize) -> Item {
    Item {
        in_trouble: true,
        ..exact(what, number, each)
    }
}

fn estimate(what: &'static str, count: u64, each: u64) -> Item {
    Item {
        what,
        count,
        each,
        estimate: true,
        in_trouble: false,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
