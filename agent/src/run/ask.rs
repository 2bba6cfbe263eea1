//! Questions to the engine's task, answered between two inputs with JSON that is ready to be sent.
//!
//! Nobody but that task sees the engine, and whoever asks holds nothing of it up: an answer takes
//! no longer than it takes to write one device's tags, or a line for each link and device, and
//! while as many questions wait as there is room for, the next waits to be asked.

use super::notices::Desks;
use super::own::OwnReports;
use super::refusals::Refusals;
use super::shift::Shift;
use crate::annunciator::horn::{Health, OutputHealth};
use crate::annunciator::sms::Texts;
use crate::field::meter::{LinkFigures, Meters};
use crate::store::View;
use crate::upstream::Reach;
use crate::{clock, memory};
use andon_core::message::{
    AlarmMessage, DeviceStatus, HygieneMessage, LinkStatus, VERSION, run_id,
};
use andon_core::plant::Priority;
use andon_core::tag::{DeviceIndex, LinkIndex};
use andon_core::time::{Mono, Wall};
use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Questions that wait at once; beyond, the asking waits.
const ROOM: usize = 16;

/// An engine that has not answered by then is one that cannot be asked now.
const PATIENCE: Duration = Duration::from_secs(5);

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether what is read will be kept: nothing, or why not in words.
    Ready,
    /// How everything stands: one object.
    Status,
    /// The alarms that are not normal, and what sounds: one object.
    Alarms,
    /// How one alarm stands, normal or not: one object.
    Alarm(u16),
    /// Everything in numbers, as Prometheus reads it.
    Metrics,
    /// How the parts of the gateway are that the engine's task knows of: a list.
    SelfTest,
    /// What is heard and lit, and whether it can be: one object.
    Horns,
    /// How every device stands: a list.
    Devices,
    /// How the tags of a device stand: a list.
    Tags(DeviceIndex),
}

/// A question and where its answer goes.
#[derive(Debug)]
pub struct Ask {
    /// What is asked.
    pub question: Question,
    /// Where the JSON goes.
    pub answer: oneshot::Sender<Bytes>,
}

/// The engine gave no answer: it is starting, stopping, or far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// What stands beside the engine.
#[derive(Debug)]
pub(super) struct Beside {
    /// When the run began.
    pub(super) began: Mono,
    /// Whether the broker is reached.
    pub(super) reach: watch::Receiver<Reach>,
    /// How well the Modbus links do.
    pub(super) meters: Meters,
    /// Whether what horns sound through can be switched.
    pub(super) outputs: Health,
    /// Where people are told of alarms.
    pub(super) desks: Desks,
    /// How the parts of the gateway are.
    pub(super) own: OwnReports,
    /// The modem, if there is one.
    pub(super) texts: Option<Texts>,
    /// What from the network was turned away.
    pub(super) refusals: Refusals,
}

/// Where questions are put; clones put them to the same engine.
#[derive(Debug, Clone)]
pub struct Asks(mpsc::Sender<Ask>);

impl Asks {
    /// A place for questions, and where they arrive.
    pub fn channel() -> (Asks, mpsc::Receiver<Ask>) {
        let (asks, arriving) = mpsc::channel(ROOM);
        (Asks(asks), arriving)
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&self, question: Question) -> Result<Bytes, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            let ask = Ask { question, answer };
            self.0.send(ask).await.map_err(|_| NoAnswer)?;
            answered.await.map_err(|_| NoAnswer)
        };
        timeout(PATIENCE, asked).await.unwrap_or(Err(NoAnswer))
    }
}

/// How everything stands: the object of `GET /api/v1/status` and `andon status --json`.
#[derive(serde::Serialize)]
struct Status<'a> {
    v: u32,
    gateway: &'a str,
    run: String,
    boot: u32,
    cfg: String,
    version: &'static str,
    ts: Wall,
    clock: &'static str,
    up_ms: u64,
    /// Null where the system does not tell.
    memory_bytes: Option<u64>,
    #[serde(flatten)]
    broker: Broker,
    #[serde(flatten)]
    outbox: Outbox<'a>,
    links_up: usize,
    links_down: usize,
    devices_bad: usize,
    /// How text messages go; null without [sms].
    modem: Option<Modem>,
    links: Vec<Link<'a>>,
    devices: Vec<DeviceStatus<'a>>,
    alarms: Vec<AlarmMessage<'a>>,
    /// How many alarms there were.
    hygiene: HygieneMessage,
}

/// The alarms: the object of `GET /api/v1/alarms` and `andon alarms --json`.
#[derive(serde::Serialize)]
struct Alarms<'a> {
    v: u32,
    gateway: &'a str,
    ts: Wall,
    /// The highest priority that sounds. Null: all is quiet.
    sounding: Option<Priority>,
    sounding_alarms: usize,
    /// When an alarm sounds again whose sound was stopped.
    silent_until_ms: Option<Wall>,
    alarms: Vec<AlarmMessage<'a>>,
    /// How many there were.
    hygiene: HygieneMessage,
}

/// The horns: the object of `GET /api/v1/horns` and `andon horn --json`.
#[derive(serde::Serialize)]
struct Horns<'a> {
    v: u32,
    gateway: &'a str,
    ts: Wall,
    horns: Vec<HornNow<'a>>,
    outputs: &'a [OutputHealth],
}

/// What a horn does.
#[derive(serde::Serialize)]
struct HornNow<'a> {
    id: &'a str,
    /// The letter of ISA-18.1.
    sequence: char,
    tone: &'static str,
    red: &'static str,
    yellow: &'static str,
    green: &'static str,
}

/// How text messages go.
#[derive(serde::Serialize)]
struct Modem {
    /// `starting`, `ready` or `trouble`.
    state: &'static str,
    since_ms: Wall,
    /// Why nothing can be sent.
    why: Option<String>,
    model: String,
    signal_dbm: Option<i16>,
    roaming: bool,
    sent: u64,
    unknown: u64,
    failed: u64,
    refused: u64,
    received: u64,
    delivered: u64,
    undelivered: u64,
}

/// A link, with what its meter shows if it speaks Modbus.
struct Link<'a> {
    status: LinkStatus<'a>,
    figures: Option<LinkFigures>,
}

impl Serialize for Link<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.status.entries(&mut map)?;
        if let Some(figures) = &self.figures {
            map.serialize_entry("protocol", figures.protocol)?;
            map.serialize_entry("address", &figures.address)?;
            map.serialize_entry("connects", &figures.connects)?;
            map.serialize_entry("occupancy", &figures.occupancy)?;
            map.serialize_entry("units", &figures.units)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Broker {
    /// Null: nothing is known yet.
    broker_reached: Option<bool>,
    broker_why: Option<String>,
}

#[derive(serde::Serialize)]
struct Outbox<'a> {
    waiting: u64,
    oldest_waiting_ms: Option<Wall>,
    stored: u64,
    acknowledged: u64,
    lost: u64,
    disk_bytes: u64,
    disk_why: Option<&'a str>,
}

impl Shift {
    /// Answers, unless nobody waits for it any more.
    pub(super) fn answer(&self, ask: Ask) {
        if ask.answer.is_closed() {
            return;
        }
        let now = clock::mono();
        let json = match ask.question {
            Question::Ready => Some(self.why_not_ready()),
            Question::Status => self.status(),
            Question::Alarms => self.alarms(),
            Question::Alarm(index) => self.engine.any_alarm(index).and_then(|alarm| json(&alarm)),
            Question::SelfTest => self.tested(),
            Question::Metrics => Some(self.metrics().into()),
            Question::Horns => self.horns(),
            Question::Devices => json(&self.engine.devices(now).collect::<Vec<_>>()),
            Question::Tags(device) => json(&self.engine.tags(device, now).collect::<Vec<_>>()),
        };
        if let Some(json) = json {
            // Whoever asked may have gone meanwhile.
            let _ = ask.answer.send(json);
        }
    }

    fn why_not_ready(&self) -> Bytes {
        match &self.store.view().borrow().failing {
            None => Bytes::new(),
            Some(why) => Bytes::from(format!("the disk takes no records: {why}\n")),
        }
    }

    fn status(&self) -> Option<Bytes> {
        let now = clock::mono();
        let engine = &self.engine;
        let (run, health) = (engine.run(), engine.health());
        let meters = &self.beside.meters;
        let view = self.store.view();
        let view = view.borrow();
        json(&Status {
            v: VERSION,
            gateway: &engine.plant().gateway.id,
            run: run_id(run),
            boot: run.boot,
            cfg: format!("{:08x}", run.cfg),
            version: env!("CARGO_PKG_VERSION"),
            ts: engine.label(now),
            clock: engine.clock().as_str(),
            up_ms: now.since(self.beside.began),
            memory_bytes: memory::resident(),
            broker: Broker::of(&self.beside.reach.borrow()),
            outbox: Outbox::of(&view),
            links_up: health.links_up,
            links_down: health.links_down,
            devices_bad: health.devices_bad,
            modem: self.modem(),
            links: engine
                .links(now)
                .zip((0..).map(LinkIndex))
                .map(|(status, index)| Link {
                    status,
                    figures: meters.of(index).map(|meter| meter.snapshot(now)),
                })
                .collect(),
            devices: engine.devices(now).collect(),
            alarms: self.not_normal().collect(),
            hygiene: engine.hygiene(now),
        })
    }

    fn modem(&self) -> Option<Modem> {
        let health = self.beside.texts.as_ref()?.health.borrow();
        Some(Modem {
            state: health.state.as_str(),
            since_ms: self.engine.label(health.since),
            why: health.why.clone(),
            model: health.model.clone(),
            signal_dbm: health.signal_dbm,
            roaming: health.roaming,
            sent: health.sent,
            unknown: health.unknown,
            failed: health.failed,
            refused: health.refused,
            received: health.received,
            delivered: health.delivered,
            undelivered: health.undelivered,
        })
    }

    pub(super) fn not_normal(&self) -> impl Iterator<Item = AlarmMessage<'_>> {
        let all = (0..u16::MAX).take(self.engine.plant().alarms.len());
        all.filter_map(|index| self.engine.alarm(index))
    }

    fn alarms(&self) -> Option<Bytes> {
        let now = clock::mono();
        let sound = self.engine.sound(now);
        json(&Alarms {
            v: VERSION,
            gateway: &self.engine.plant().gateway.id,
            ts: self.engine.label(now),
            sounding: sound.priority,
            sounding_alarms: sound.alarms,
            silent_until_ms: sound.silent_until,
            alarms: self.not_normal().collect(),
            hygiene: self.engine.hygiene(now),
        })
    }
}

impl Shift {
    fn horns(&self) -> Option<Bytes> {
        let plant = self.engine.plant();
        let horns = plant.horns.iter().zip(self.engine.horns());
        let horns = horns.map(|(settings, horn)| HornNow {
            id: &settings.id,
            sequence: settings.sequence.letter(),
            tone: horn.tone.as_str(),
            red: horn.red.as_str(),
            yellow: horn.yellow.as_str(),
            green: horn.green.as_str(),
        });
        json(&Horns {
            v: VERSION,
            gateway: &plant.gateway.id,
            ts: self.engine.label(clock::mono()),
            horns: horns.collect(),
            outputs: &self.beside.outputs.borrow(),
        })
    }
}

impl Broker {
    fn of(reach: &Reach) -> Broker {
        let (broker_reached, broker_why) = match reach {
            Reach::Trying => (None, None),
            Reach::Reached => (Some(true), None),
            Reach::Unreachable(why) => (Some(false), Some(why.clone())),
        };
        Broker {
            broker_reached,
            broker_why,
        }
    }
}

impl Outbox<'_> {
    fn of(view: &View) -> Outbox<'_> {
        Outbox {
            waiting: view.waiting,
            oldest_waiting_ms: view.oldest,
            stored: view.stored,
            acknowledged: view.acknowledged,
            lost: view.lost,
            disk_bytes: view.bytes,
            disk_why: view.failing.as_deref(),
        }
    }
}

fn json(shown: &impl Serialize) -> Option<Bytes> {
    // Serialising plain data to memory fails only on a map with keys that are not text.
    serde_json::to_vec(shown).ok().map(Bytes::from)
}
