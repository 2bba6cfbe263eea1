//! Reading machines: one task per link, each handing the engine what it read.
//!
//! Whatever a machine or broker sends ends as a reading, good or bad; nothing it sends ends a
//! task, and nothing is kept for later. When the engine falls behind, the links wait for it:
//! polling slows down, and says so.

pub(crate) mod backoff;
pub mod meter;
pub mod modbus;
mod mqtt;
pub mod outlet;
mod pace;
pub mod payload;
mod pull;
pub mod push;
mod schedule;

use crate::clock;
use crate::settings::{Endpoint, LinkKind, Modbus, Settings};
use andon_core::modbus::plan::{Plan, ReadIndex};
use andon_core::plant::Plant;
use andon_core::sample::{Reason, Sample};
use andon_core::tag::{DeviceIndex, LinkIndex, TagIndex};
use andon_core::time::Mono;
use andon_wire::ButtonEvent;
use meter::{Meter, Meters};
use modbus::Behind;
use modbus::errand::Errands;
use outlet::{EngineGone, Outlet};
use pace::Pace;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// What a link task tells the engine.
#[derive(Debug)]
pub enum FromField {
    /// The link came up or went down.
    Link {
        /// Which.
        link: LinkIndex,
        /// When.
        at: Mono,
        /// Whether it is up now.
        up: bool,
        /// Why it is down, for people.
        why: Option<String>,
    },
    /// A Modbus read was answered, or not.
    Read {
        /// Which of [`andon_core::modbus::plan::Plan::reads`].
        read: ReadIndex,
        /// When the answer arrived.
        at: Mono,
        /// What it said.
        answer: Result<Answer, Reason>,
    },
    /// A message brought samples of one device.
    Readings {
        /// Which device.
        device: DeviceIndex,
        /// When the message arrived.
        at: Mono,
        /// What it said of each tag, of one tag in the order of time.
        readings: Vec<(TagIndex, Sample)>,
    },
    /// Counts of the I/O board belong to this start of it from here on.
    BoardBoot {
        /// When it said so.
        at: Mono,
        /// Another one when its counts have begun at zero again.
        boot_id: u32,
    },
    /// A button of the I/O board was pressed.
    Pressed {
        /// When it was told.
        at: Mono,
        /// Which, and how long.
        event: ButtonEvent,
    },
}

impl FromField {
    /// When it was.
    pub const fn at(&self) -> Mono {
        match self {
            FromField::Link { at, .. }
            | FromField::Read { at, .. }
            | FromField::Readings { at, .. }
            | FromField::BoardBoot { at, .. }
            | FromField::Pressed { at, .. } => *at,
        }
    }
}

/// The content of a Modbus answer.
#[derive(Debug)]
pub enum Answer {
    /// 16-bit registers.
    Registers(Vec<u16>),
    /// Bits.
    Bits(Vec<bool>),
}

/// The links at work.
#[derive(Debug)]
pub struct Field {
    /// One task for each active link. They end when `stop` becomes true or its sender is gone, and
    /// when the engine no longer listens.
    pub tasks: JoinSet<()>,
    /// How well the Modbus links do.
    pub meters: Meters,
    /// The way to the Modbus links, for single requests.
    pub errands: Errands,
}

/// Starts the active links of `settings`; `plan` is that of its plant.
pub fn start(
    settings: &Settings,
    plan: Arc<Plan>,
    tx: mpsc::Sender<FromField>,
    stop: watch::Receiver<bool>,
) -> Field {
    let mut tasks = JoinSet::new();
    let mut meters = Vec::new();
    let pace = Pace::now();
    let all = || (0..).map(LinkIndex).zip(&settings.links);
    let modbus = all().filter(|(_, link)| matches!(link.kind, LinkKind::Modbus(_)));
    let modbus: Vec<LinkIndex> = modbus.map(|(index, _)| index).collect();
    let (errands, incoming) = Errands::to(&modbus);
    let mut incoming = incoming.into_iter();
    for (index, link) in all() {
        let outlet = Outlet::new(tx.clone(), index, link.id.clone());
        let stop = stop.clone();
        match &link.kind {
            LinkKind::Modbus(modbus) => {
                let Some(errands) = incoming.next() else {
                    continue;
                };
                let behind = settings
                    .plant
                    .devices
                    .iter()
                    .filter(|device| device.link == index);
                let meter = Meter::new(link.id.clone(), &modbus.endpoint, behind, clock::mono());
                meters.push((index, meter.clone()));
                let parts = modbus::Parts {
                    link: modbus.clone(),
                    plan: plan.clone(),
                    behind: behind_link(&settings.plant, index),
                    outlet,
                    meter,
                    errands,
                };
                tasks.spawn(until(stop, Box::pin(modbus::run(parts, pace))));
            }
            LinkKind::Mqtt(link) => {
                let subscriber = mqtt::Subscriber::new(link.clone(), &settings.plant, outlet);
                tasks.spawn(until(stop, Box::pin(subscriber.run())));
            }
            LinkKind::HttpGet(link) => {
                let poller = pull::Poller::new(link.clone(), &settings.plant, outlet);
                tasks.spawn(until(stop, Box::pin(poller.run(pace))));
            }
            // Its readings come through the HTTP door.
            LinkKind::HttpPush(_) => {}
            // It is started by itself, with the way to what it sounds and shows.
            LinkKind::Board(_) => {}
        }
    }
    Field {
        tasks,
        meters: Meters::new(meters),
        errands,
    }
}

/// A serial port that must be there and is not.
#[derive(Debug)]
pub struct MissingPort {
    /// As in the file: `link rs485`.
    whose: String,
    /// The key that names it.
    key: &'static str,
    path: PathBuf,
    why: std::io::Error,
}

impl fmt::Display for MissingPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingPort {
            whose,
            key,
            path,
            why,
        } = self;
        let first = match why.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "let the agent's user into the group of the port (`ls -lL` shows it)"
            }
            _ => "plug it in",
        };
        write!(
            f,
            "{whose}: the serial port {} cannot be opened: {why}; {first}, correct \
             `{key}`, or write `optional = true` to start without it",
            path.display()
        )
    }
}

/// Whether every serial port that is not optional can be opened.
pub fn check_ports(settings: &Settings) -> Result<(), MissingPort> {
    for link in &settings.links {
        let (key, path) = match &link.kind {
            LinkKind::Modbus(Modbus {
                endpoint: Endpoint::Serial(port),
                ..
            }) if !port.optional => ("modbus_rtu", &port.path),
            LinkKind::Board(board) if !board.optional => ("port", &board.port),
            _ => continue,
        };
        modbus::probe(path).map_err(|why| MissingPort {
            whose: format!("link {}", link.id),
            key,
            path: path.clone(),
            why,
        })?;
    }
    if let Some(sms) = settings.sms.as_ref().filter(|sms| !sms.optional) {
        modbus::probe(&sms.modem).map_err(|why| MissingPort {
            whose: "[sms]".to_owned(),
            key: "modem",
            path: sms.modem.clone(),
            why,
        })?;
    }
    Ok(())
}

/// The devices behind a link.
fn behind_link(plant: &Plant, link: LinkIndex) -> Vec<Behind> {
    let devices = (0..).map(DeviceIndex).zip(&plant.devices);
    let behind = devices.filter(|(_, device)| device.link == link);
    let behind = behind.map(|(index, device)| Behind {
        device: index,
        unit: device.unit,
        manners: device.manners,
        model: device.model.clone(),
    });
    behind.collect()
}

/// Runs a link until `stop`. What it was doing is dropped: closing a connection that way is
/// orderly for both protocols. The link is boxed, or its state would be held twice: as what this
/// function was given, and as what it waits for.
pub(crate) async fn until(
    mut stop: watch::Receiver<bool>,
    mut link: Pin<Box<impl Future<Output = EngineGone>>>,
) {
    tokio::select! {
        EngineGone = &mut link => tracing::debug!("the engine no longer listens"),
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

#[cfg(test)]
mod tests;
