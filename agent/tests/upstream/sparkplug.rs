//! Sparkplug B 3.0 upstream: the sessions of an edge node, seen by a broker that writes down every
//! packet, and what the assertions of the specification say of them.

mod assertions;
mod evidence;
mod flows;
mod wire;

use crate::rig::{self, Rig};
use andon::config;
use andon::settings::Upstream;
use andon::upstream::sparkplug::{Names, Parts};
use andon_core::plant::Plant;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;

/// Two machines and an alarm of the gateway's own.
const CONFIG: &str = r#"
gateway = { id = "gw-press-1", site = "suzhou", area = "press-shop", timezone = "Asia/Shanghai" }
upstream = { broker = "mqtt://127.0.0.1", payload = "sparkplug" }

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:5020"

[[device]]
id = "press-1"
link = "plc"
unit = 1
rated_rate = "1200/h"
publishes_tags = ["1m", "1h"]
[device.tags]
status = { at = "holding:0", type = "u16", publish = false }
good = { at = "holding:1", type = "u32", role = "good_count" }
temperature = { at = "input:10", type = "f32", unit = "°C" }
[device.state]
from = "status"
producing = [1]
faulted = [2]

[[device]]
id = "meter-1"
link = "plc"
unit = 17
publishes_tags = ["1m"]
tags = { power = { at = "input:52", type = "f32", unit = "W" } }

[[alarm]]
id = "fault"
devices = ["press-*"]
when = "state == faulted"
"#;

pub const GROUP: &str = "suzhou:press-shop";
pub const NODE: &str = "gw-press-1";

pub fn plant() -> Arc<Plant> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let loaded = config::load(&file).unwrap_or_else(|report| panic!("{report}"));
    Arc::new(loaded.settings.plant)
}

/// An edge node to be started, and where it is told which of its two machines are lost.
pub fn edge_node(
    dir: TempDir,
    port: u16,
    primary_host: Option<&str>,
) -> (Rig, watch::Sender<Arc<[bool]>>) {
    edge_node_at(dir, &[port], primary_host)
}

/// The same with several brokers.
pub fn edge_node_at(
    dir: TempDir,
    ports: &[u16],
    primary_host: Option<&str>,
) -> (Rig, watch::Sender<Arc<[bool]>>) {
    let (tell, lost) = watch::channel(Arc::from([true, true]));
    let parts = parts(dir.path(), primary_host, lost);
    let mut brokers = ports.iter().map(|port| rig::settings(*port).broker);
    let settings = Upstream {
        max_payload: 4_000,
        broker: brokers.next().unwrap(),
        others: brokers.collect(),
        ..rig::settings(0)
    };
    let rig = Rig::of_edge_node(dir, settings, parts);
    (rig, tell)
}

fn parts(data_dir: &Path, primary_host: Option<&str>, lost: watch::Receiver<Arc<[bool]>>) -> Parts {
    let plant = plant();
    Parts {
        names: Names::new(&plant.gateway, None, primary_host),
        plant,
        lost,
        data_dir: data_dir.to_owned(),
    }
}
