//! The energy meter on the serial line of `press-line.toml`: pymodbus behind `meter_server.py`, at the
//! other end of a pair of pseudo-terminals that socat holds.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, SOON, first_line, log_file, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A cable with a meter at its end; dropping it pulls it out.
#[derive(Debug)]
pub struct Meter {
    cable: Child,
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Meter {
    /// Plugs a cable into the port that the scenario's configuration names.
    pub fn plug_in(scenario: &Scenario) -> Outcome<Self> {
        let (near, far) = (scenario.serial_port(), scenario.path("meter-port"));
        let end = |path: &std::path::Path| format!("pty,raw,echo=0,link={}", path.display());
        let cable = Command::new("socat")
            .args([end(&near), end(&far)])
            .stdin(Stdio::null())
            .stderr(log_file(&scenario.path("socat.log"))?)
            .spawn()?;
        wait_for("pair of pseudo-terminals", SOON, || {
            (near.exists() && far.exists()).then_some(())
        })?;
        let mut child = Command::new(repository().join("tests/.venv/bin/python"))
            .arg(repository().join("tests/meter_server.py"))
            .arg(format!("--port={}", far.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&scenario.path("meter.log"))?)
            .spawn()?;
        let (hello, answers) = first_line(&mut child)?;
        if !hello.starts_with('{') {
            return Err(Failure::new("the meter did not start; see meter.log"));
        }
        Ok(Self {
            cable,
            child,
            answers,
        })
    }

    /// What it shows from now on, in watts.
    pub fn show(&mut self, power: f64) -> Outcome {
        self.say(&json!({ "power": power })).map(drop)
    }

    /// How often it was asked, and with which functions: `{"asked": 12, "functions": [4]}`.
    pub fn report(&mut self) -> Outcome<Value> {
        self.say(&json!({}))
    }

    fn say(&mut self, order: &Value) -> Outcome<Value> {
        let stdin = self.child.stdin.as_mut();
        writeln!(
            stdin.ok_or_else(|| Failure::new("no pipe to the meter"))?,
            "{order}"
        )?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        for child in [&mut self.child, &mut self.cable] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
