//! The demo's configuration: an ordinary file in a fresh directory, loaded as any other.

use super::Language;
use super::line::{OVEN, PRESSES, STATE_TOPIC, TEMPERATURE_TOPIC};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Name of the file in the directory.
pub const FILE: &str = "andon.toml";

/// Rated rate of each press, in parts an hour.
const RATES: [u32; 3] = [7200, 5400, 3600];

/// A directory that did not exist before, for nobody else to read.
pub fn fresh_directory(under: &Path) -> io::Result<PathBuf> {
    let process = std::process::id();
    for number in 1.. {
        let path = under.join(format!("andon-demo-{process}-{number}"));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The text of the file: presses at `presses`, everything else at `broker`; names in `language`.
pub fn text(presses: &[SocketAddr], broker: SocketAddr, language: Language) -> String {
    let mut text = head(broker);
    let zh = language == Language::Zh;
    let names = if zh {
        ["一号冲压机", "二号冲压机", "三号冲压机"]
    } else {
        ["Press 1", "Press 2", "Press 3"]
    };
    for (((id, name), rate), address) in PRESSES.iter().zip(names).zip(RATES).zip(presses) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            r#"
[[device]]
id = "{id}"
name = "{name}"
line = "A"
profile = "press"
link = "{id}"
unit = 1
rated_rate = "{rate}/h"

[[link]]
id = "{id}"
modbus_tcp = "{address}"
timeout = "500 ms"
"#
        );
    }
    text.push_str(&oven(if zh { "七号回火炉" } else { "Oven 7" }));
    text.push_str(ALARMS);
    text
}

fn head(broker: SocketAddr) -> String {
    format!(
        r#"# Written by `andon demo`. With the addresses of real machines in it, it runs a real line:
# andon check andon.toml; andon run --config andon.toml

[gateway]
id = "gw-demo"
site = "demo"
area = "press-shop"
timezone = "Asia/Shanghai"
data_dir = "data"

[upstream]
broker = "mqtt://{broker}"

[[link]]
id = "shop"
mqtt = "mqtt://{broker}"

[[profile]]
id = "press"
every = "1 s"

[profile.tags]
status = {{ at = "holding:0", type = "u16" }}
good = {{ at = "holding:1", type = "u32", order = "cdab", role = "good_count" }}
scrap = {{ at = "holding:3", type = "u16", role = "scrap_count" }}
temperature = {{ at = "input:10", type = "f32", order = "abcd", unit = "°C", range = [-20, 180] }}
pressure = {{ at = "input:12", type = "i16", scale = 0.1, unit = "bar", every = "200 ms" }}
door_open = {{ at = "discrete:0", type = "bool" }}

[profile.state]
from = "status"
idle = [0]
setup = [1]
producing = [2]
delayed = [3]
faulted = ["4..99"]

[profile.codes]
4 = {{ en = "hydraulic overpressure", zh = "液压过压" }}
7 = {{ en = "light curtain tripped", zh = "光幕动作" }}
"#
    )
}

fn oven(name: &str) -> String {
    format!(
        r#"
[[device]]
id = "{OVEN}"
name = "{name}"
line = "A"
link = "shop"
rated_rate = "2400/h"
scrap = "none"
stale_after = "10 s"

[device.tags]
mode = {{ topic = "{STATE_TOPIC}", at = "/mode", type = "string" }}
good = {{ topic = "{STATE_TOPIC}", at = "/parts", type = "u32", role = "good_count" }}
temperature = {{ topic = "{TEMPERATURE_TOPIC}", type = "f64", unit = "°C", range = [0, 1200] }}

[device.state]
from = "mode"
producing = ["run"]
faulted = ["alarm", "estop"]
idle = ["wait"]
"#
    )
}

const ALARMS: &str = r#"
[[alarm]]
id = "fault"
devices = ["*"]
when = "state == faulted"
priority = "high"
off_delay = "2 s"
text_en = "{device} stopped by a fault"
text_zh = "{name} 故障停机"

[[alarm]]
id = "overheat"
devices = ["oven-7"]
when = "temperature > 600"
deadband = 10
on_delay = "2 s"
priority = "high"
text_en = "{device} too hot"
text_zh = "{name} 超温"

[[alarm]]
id = "no-data"
devices = ["*"]
when = "no_data"
on_delay = "3 s"
priority = "medium"
text_en = "{device} says nothing"
text_zh = "{name} 无数据"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_file_loads_like_any_other_in_both_languages() {
        let broker: SocketAddr = ([127, 0, 0, 1], 1883).into();
        let presses = [5020, 5021, 5022].map(|port| ([127, 0, 0, 1], port).into());
        for language in [Language::En, Language::Zh] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(FILE);
            std::fs::write(&path, text(&presses, broker, language)).unwrap();
            let loaded = config::load(&path).unwrap_or_else(|r| panic!("{}", r.render(false)));
            assert!(
                loaded.warnings.is_empty(),
                "{}",
                loaded.warnings.render(false)
            );
            let settings = loaded.settings;
            assert_eq!(settings.not_active, []);
            assert_eq!(settings.plant.devices.len(), 4);
            assert_eq!(settings.links.len(), 4);
        }
    }

    #[test]
    fn a_directory_is_never_used_twice() {
        let under = tempfile::tempdir().unwrap();
        let first = fresh_directory(under.path()).unwrap();
        let second = fresh_directory(under.path()).unwrap();
        assert_ne!(first, second);
        assert!(first.is_dir() && second.is_dir());
    }
}
