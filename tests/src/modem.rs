//! A GSM modem on a pseudo-terminal: `modem.py`, which prints what it is sent.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::Value;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

/// A modem; it ends with its standard input.
#[derive(Debug)]
pub struct Modem {
    child: Child,
    port: String,
    told: std::path::PathBuf,
}

impl Modem {
    /// A modem with these options of `modem.py`.
    pub fn new(scenario: &Scenario, options: &[&str]) -> Outcome<Self> {
        let told = scenario.path("modem.log");
        // Only what this one is told.
        File::create(&told)?;
        let mut child = Command::new("/usr/bin/python3")
            .arg(repository().join("tests/modem.py"))
            .arg("--told")
            .arg(&told)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&scenario.path("modem.errors"))?)
            .spawn()?;
        let (port, _) = first_line(&mut child)?;
        Ok(Self {
            child,
            port: port.trim().to_owned(),
            told,
        })
    }

    /// Its serial port.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Everything it was told that its script names, in order.
    pub fn told(&self) -> Outcome<Vec<Value>> {
        let text = fs::read_to_string(&self.told)?;
        let lines = text.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::new(format!("modem.log: {error}")))
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
