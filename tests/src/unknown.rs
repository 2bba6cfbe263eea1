//! Devices that nobody has documentation for: pymodbus behind `probed_server.py`, which captures
//! what it is asked.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A Modbus server; it ends with its standard input.
#[derive(Debug)]
pub struct Unknown {
    child: Child,
    place: String,
    capture: PathBuf,
    is_rtu: bool,
}

impl Unknown {
    /// These units behind a Modbus TCP endpoint, see `probed_server.py`.
    pub fn on_network(scenario: &Scenario, units: &Value) -> Outcome<Self> {
        Self::start(scenario, units, None)
    }

    /// These units behind a converter that passes the bytes of a serial line.
    pub fn behind_converter(scenario: &Scenario, units: &Value) -> Outcome<Self> {
        Self::start(scenario, units, Some("--rtu".into()))
    }

    /// These units on a serial line with such settings: `9600,N,1`.
    pub fn on_line(scenario: &Scenario, units: &Value, settings: &str) -> Outcome<Self> {
        Self::start(scenario, units, Some(format!("--line={settings}")))
    }

    fn start(scenario: &Scenario, units: &Value, rtu: Option<String>) -> Outcome<Self> {
        let capture = scenario.path("unknown.log");
        let python = repository().join("tests/.venv/bin/python");
        let mut child = Command::new(&python)
            .arg(repository().join("tests/probed_server.py"))
            .args(&rtu)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&capture)?)
            .spawn()
            .map_err(|error| {
                Failure::new(format!("{}: {error}; tests/run makes it", python.display()))
            })?;
        let stdin = child.stdin.as_mut();
        writeln!(stdin.ok_or_else(|| Failure::new("no pipe"))?, "{units}")?;
        let (hello, _) = first_line(&mut child)?;
        let hello: Value = serde_json::from_str(&hello)
            .map_err(|_| Failure::new("the devices do not listen; see unknown.log"))?;
        let place = match &hello["port"] {
            Value::String(port) => port.clone(),
            port => format!("127.0.0.1:{port}"),
        };
        Ok(Self {
            child,
            place,
            capture,
            is_rtu: rtu.is_some(),
        })
    }

    /// Where it listens, as `andon probe` takes it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> Outcome<usize> {
        let capture = fs::read_to_string(&self.capture)?;
        Ok(capture.lines().filter(|line| *line == "connected").count())
    }

    /// Unit and function of every request that has arrived.
    pub fn asked(&self) -> Outcome<Vec<(u8, u8)>> {
        let capture = fs::read_to_string(&self.capture)?;
        let heard = capture
            .lines()
            .filter_map(|line| line.strip_prefix("heard "));
        let mut asked = Vec::new();
        for hex in heard {
            let bytes = bytes(hex).ok_or_else(|| Failure::new(format!("{hex:?} is no capture")))?;
            let frames = if self.is_rtu { 0 } else { 6 };
            let mut rest = bytes.as_slice();
            while let Some([unit, function]) = rest.get(frames..frames + 2) {
                asked.push((*unit, *function));
                rest = match (self.is_rtu, rest.get(4..6)) {
                    (false, Some([high, low])) => {
                        let length = 6 + usize::from(u16::from_be_bytes([*high, *low]));
                        rest.get(length..).unwrap_or_default()
                    }
                    _ => &[],
                };
            }
        }
        Ok(asked)
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = (0..hex.len()).step_by(2);
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    digits.map(byte).collect()
}

impl Drop for Unknown {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
