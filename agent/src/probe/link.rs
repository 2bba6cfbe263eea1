//! Where to ask: a link of the configuration, or an address; directly, or through the agent that
//! holds it.

use super::address::{self, LineOptions};
use super::trouble::Trouble;
use super::wire::Wire;
use crate::check::complain_of;
use crate::config::{self, Loaded, Report};
use crate::control;
use crate::settings::{Endpoint, LinkKind, Modbus, Settings};
use crate::store;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration that is looked at if none is named.
pub const DEFAULT_CONFIG: &str = "andon.toml";

/// Deadline of an answer where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// Unit ids on a serial line (Modbus over Serial Line 1.02, §2.2); 0 is everybody.
const SERIAL_UNITS: RangeInclusive<u8> = 1..=247;

/// Where to ask.
#[derive(Debug)]
pub struct Link {
    /// Its id in the configuration, or the one proposed for it.
    pub id: String,
    /// How it is reached.
    pub endpoint: Endpoint,
    /// Deadline of connecting and of each answer.
    pub patience: Duration,
    /// Whether the configuration has it.
    pub configured: bool,
    /// The data directory of the agent that this link belongs to.
    data_dir: Option<PathBuf>,
}

/// Why it is not known where to ask.
#[derive(Debug)]
pub enum Unknown {
    /// The configuration has mistakes.
    Config(Report),
    /// Anything else, in words.
    Link(String),
}

impl Unknown {
    /// Says so on standard error, for this command.
    pub fn complain(&self, command: &str) {
        match self {
            Unknown::Config(report) => {
                // Without anybody to read it the file is as bad.
                let _ = complain_of(report);
            }
            Unknown::Link(what) => eprintln!("andon {command}: {what}"),
        }
    }
}

/// Finds the link that `name` means; `file` is the configuration if one was named.
pub fn find(name: &str, file: Option<&Path>, line: LineOptions) -> Result<Link, Unknown> {
    let address = address::parse(name, line).map_err(Unknown::Link)?;
    let settings = settings(address.is_some(), file)?;
    let links: Vec<(&str, &Modbus)> = settings.iter().flat_map(modbus).collect();
    let is_meant = |(id, modbus): &&(&str, &Modbus)| match &address {
        Some(address) => is_same(address, &modbus.endpoint),
        None => *id == name,
    };
    match (links.iter().find(is_meant), address) {
        (Some((id, modbus)), _) => {
            let mut endpoint = modbus.endpoint.clone();
            line.apply(&mut endpoint);
            Ok(Link {
                id: (*id).to_owned(),
                endpoint,
                patience: modbus.timeout,
                configured: true,
                data_dir: settings.as_ref().map(|settings| settings.data_dir.clone()),
            })
        }
        (None, Some(endpoint)) => Ok(Link {
            id: "probed".into(),
            endpoint,
            patience: PATIENCE,
            configured: false,
            data_dir: None,
        }),
        (None, None) => Err(Unknown::Link(no_such_link(name, settings.as_ref(), &links))),
    }
}

impl Link {
    /// The way to it: through the agent if that runs, so that it goes on polling and a device that
    /// takes one connection keeps its only one.
    pub async fn wire(&self, patience: Duration) -> Result<Wire, Trouble> {
        let own = || Wire::to(self.endpoint.clone(), patience);
        let Some(data_dir) = &self.data_dir else {
            return Ok(own());
        };
        let runs = control::runs(data_dir).await;
        if runs.map_err(|error| Trouble::Agent(error.to_string()))? {
            let (data_dir, id) = (data_dir.clone(), self.id.clone());
            return Ok(Wire::through_agent(data_dir, id, patience));
        }
        if store::is_in_use(data_dir) {
            return Err(Trouble::Agent(format!(
                "an agent runs on {} and holds link `{}`, but it has no control socket: its log \
                 says why; stop it to ask the device directly",
                data_dir.display(),
                self.id
            )));
        }
        Ok(own())
    }

    /// The link as a command takes it.
    pub fn name(&self) -> String {
        if self.configured {
            self.id.clone()
        } else {
            address::named(&self.endpoint)
        }
    }

    /// The same address behind which a serial line is, if it is one of Modbus TCP.
    pub fn as_converter(&self) -> Option<String> {
        let Endpoint::Tcp { host, port } = &self.endpoint else {
            return None;
        };
        Some(address::named(&Endpoint::RtuOverTcp {
            host: host.clone(),
            port: *port,
            line: None,
            turnaround: Duration::ZERO,
        }))
    }

    /// Whether there can be such units on it: on a serial line from 1 to 247, on a network any.
    pub fn may_have(&self, units: &RangeInclusive<u8>) -> Result<(), Unknown> {
        let line = SERIAL_UNITS.contains(units.start()) && SERIAL_UNITS.contains(units.end());
        match self.endpoint {
            Endpoint::Serial(_) | Endpoint::RtuOverTcp { .. } if !line => Err(Unknown::Link(
                "the units on a serial line have ids from 1 to 247".into(),
            )),
            _ => Ok(()),
        }
    }

    /// The `[[link]]` to paste, if the configuration has none for it.
    pub fn section(&self) -> Option<String> {
        (!self.configured).then(|| address::section(&self.id, &self.endpoint))
    }
}

/// The configuration, if there is one. An address needs none, so only one that was named must be
/// good.
fn settings(is_address: bool, file: Option<&Path>) -> Result<Option<Settings>, Unknown> {
    let path = file.unwrap_or(Path::new(DEFAULT_CONFIG));
    if file.is_none() && !path.exists() {
        return Ok(None);
    }
    match config::load(path) {
        Ok(Loaded { settings, .. }) => Ok(Some(settings)),
        Err(_) if file.is_none() && is_address => Ok(None),
        Err(report) => Err(Unknown::Config(report)),
    }
}

fn modbus(settings: &Settings) -> impl Iterator<Item = (&str, &Modbus)> {
    settings.links.iter().filter_map(|link| match &link.kind {
        LinkKind::Modbus(modbus) => Some((&*link.id, modbus)),
        _ => None,
    })
}

/// Whether two endpoints are the same place, whatever line settings they have.
fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    match (one, other) {
        (Endpoint::Serial(one), Endpoint::Serial(other)) => {
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            real(&one.path) == real(&other.path)
        }
        (Endpoint::Serial(_), _) | (_, Endpoint::Serial(_)) => false,
        (one, other) => one.to_string() == other.to_string(),
    }
}

fn no_such_link(name: &str, settings: Option<&Settings>, links: &[(&str, &Modbus)]) -> String {
    let Some(settings) = settings else {
        return format!(
            "there is no {DEFAULT_CONFIG} here that could have a link `{name}`: name the \
             configuration with --config, or give an address such as 10.1.3.7:502"
        );
    };
    if settings.links.iter().any(|link| *link.id == *name) {
        return format!("link `{name}` does not speak Modbus");
    }
    let ids: Vec<&str> = links.iter().map(|(id, _)| *id).collect();
    format!(
        "the configuration has no link `{name}`; its Modbus links: {}; an address is written \
         HOST:PORT",
        if ids.is_empty() {
            "none".into()
        } else {
            ids.join(", ")
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
[gateway]
id = "gw"
site = "s"
area = "a"

[upstream]
broker = "mqtt://h"

[[link]]
id = "plc"
modbus_tcp = "10.1.3.7"
timeout = "400 ms"

[[link]]
id = "bus"
modbus_rtu = "/dev/ttyS9"
baud = 9600

[[link]]
id = "shop"
mqtt = "mqtt://h"
"#;

    fn found(name: &str) -> Result<Link, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("andon.toml");
        std::fs::write(&file, CONFIG).expect("a file");
        let line = LineOptions {
            stop_bits: Some(2),
            ..LineOptions::default()
        };
        find(name, Some(&file), line).map_err(|unknown| match unknown {
            Unknown::Link(what) => what,
            Unknown::Config(report) => report.to_string(),
        })
    }

    #[test]
    fn a_link_is_found_by_its_id_and_by_its_address() {
        for name in ["plc", "10.1.3.7:502", "tcp://10.1.3.7"] {
            let link = found(name).expect(name);
            assert_eq!((&*link.id, link.configured), ("plc", true), "{name}");
            assert_eq!(link.patience, Duration::from_millis(400));
            assert_eq!(link.section(), None);
        }
        for name in ["bus", "/dev/ttyS9"] {
            let Endpoint::Serial(port) = found(name).expect(name).endpoint else {
                panic!("a serial port");
            };
            assert_eq!((port.baud, port.stop_bits), (9600, 2), "{name}");
        }
        let other = found("10.1.3.8:502").expect("an address");
        assert!(!other.configured && other.section().is_some());
    }

    #[test]
    fn nobody_is_asked_on_a_line_who_cannot_be_there() {
        let [line, network] = ["bus", "plc"].map(|name| found(name).expect(name));
        assert!(network.may_have(&(0..=255)).is_ok());
        assert!(line.may_have(&(1..=247)).is_ok());
        assert!(line.may_have(&(0..=10)).is_err() && line.may_have(&(248..=248)).is_err());
    }

    #[test]
    fn what_is_no_link_is_told_what_there_is() {
        let said = found("plcs").expect_err("no link");
        assert!(said.contains("plc, bus"), "{said}");
        let said = found("shop").expect_err("no Modbus");
        assert!(said.contains("does not speak Modbus"), "{said}");
    }
}
