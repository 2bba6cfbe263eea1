//! Units that show registers and nothing else: pymodbus behind `register_server.py`.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, Command, Stdio};

/// A Modbus TCP server; it ends with its standard input.
#[derive(Debug)]
pub struct Registers {
    child: Child,
    port: u16,
}

impl Registers {
    /// With these units, see `register_server.py`.
    pub fn start(scenario: &Scenario, units: &Value) -> Outcome<Self> {
        let python = repository().join("tests/.venv/bin/python");
        let mut child = Command::new(&python)
            .arg(repository().join("tests/register_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&scenario.path("registers.log"))?)
            .spawn()
            .map_err(|error| {
                Failure::new(format!("{}: {error}; tests/run makes it", python.display()))
            })?;
        let stdin = child.stdin.as_mut();
        writeln!(stdin.ok_or_else(|| Failure::new("no pipe"))?, "{units}")?;
        let (line, _) = first_line(&mut child)?;
        let hello: Value = serde_json::from_str(&line)
            .map_err(|_| Failure::new("the registers are not shown; see registers.log"))?;
        let port = hello["port"].as_u64().and_then(|p| u16::try_from(p).ok());
        let port = port.ok_or_else(|| Failure::new(format!("no port in {line:?}")))?;
        Ok(Self { child, port })
    }

    /// The port it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
