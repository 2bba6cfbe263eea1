//! The machines: pymodbus behind `modbus_server.py`, which says what they made and who was asked.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A Modbus TCP server with some presses behind it; it ends with its standard input.
#[derive(Debug)]
pub struct Presses {
    child: Child,
    answers: BufReader<ChildStdout>,
    port: u16,
}

/// Parts of one press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Good ones.
    pub good: i64,
    /// Scrap.
    pub scrap: i64,
}

/// What one press did, by its own account.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Since the server started.
    pub made: Made,
    /// By the start of the wall-clock minute, in milliseconds; only minutes with parts.
    pub minutes: BTreeMap<i64, Made>,
    /// When it was asked for its status (holding register 0), in milliseconds.
    pub status_polls: Vec<i64>,
}

impl Presses {
    /// Units 1 to `units`.
    pub fn start(scenario: &Scenario, units: u8) -> Outcome<Self> {
        Self::with_relays(scenario, units, &[])
    }

    /// Units 1 to `units`, and relay modules with these unit ids.
    pub fn with_relays(scenario: &Scenario, units: u8, relays: &[u8]) -> Outcome<Self> {
        let python = repository().join("tests/.venv/bin/python");
        let mut child = Command::new(&python)
            .arg(repository().join("tests/modbus_server.py"))
            .arg(format!("--units={units}"))
            .arg("--relays")
            .args(relays.iter().map(u8::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&scenario.path("presses.log"))?)
            .spawn()
            .map_err(|error| {
                Failure::new(format!("{}: {error}; tests/run makes it", python.display()))
            })?;
        let (line, answers) = first_line(&mut child)?;
        let hello: Value = serde_json::from_str(&line)?;
        let port = hello["port"].as_u64().and_then(|p| u16::try_from(p).ok());
        let port = port.ok_or_else(|| Failure::new(format!("no port in {line:?}")))?;
        Ok(Self {
            child,
            answers,
            port,
        })
    }

    /// The port it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Changes what registers of `unit` show: `{"status": 2, "good": 65530}`.
    pub fn set(&mut self, unit: u8, registers: Value) -> Outcome {
        self.order("set", unit, registers)
    }

    /// From now on and while its status is 2, `unit` makes a good part every `good_s` seconds and
    /// a scrap part every `scrap_s`.
    pub fn pace(&mut self, unit: u8, good_s: f64, scrap_s: f64) -> Outcome {
        self.order(
            "pace",
            unit,
            json!({ "good_s": good_s, "scrap_s": scrap_s }),
        )
    }

    /// Makes nothing more.
    pub fn rest(&mut self, unit: u8) -> Outcome {
        self.order("pace", unit, json!({}))
    }

    /// Whether `unit` leaves requests unanswered.
    pub fn dead(&mut self, unit: u8, dead: bool) -> Outcome {
        self.order("dead", unit, json!({ "dead": dead }))
    }

    /// What `unit` did so far.
    pub fn report(&mut self, unit: u8) -> Outcome<Report> {
        let answer = self.say(&json!({ "do": "report" }))?;
        let told = &answer["units"][unit.to_string()];
        let made = |value: &Value| Made {
            good: value["good"].as_i64().unwrap_or(-1),
            scrap: value["scrap"].as_i64().unwrap_or(-1),
        };
        let minutes = told["minutes"].as_object().into_iter().flatten();
        let polls = told["polls"].as_array().into_iter().flatten();
        Ok(Report {
            made: made(&told["made"]),
            minutes: minutes
                .filter_map(|(start, parts)| Some((start.parse().ok()?, made(parts))))
                .collect(),
            status_polls: polls
                .filter(|poll| poll[1] == 3 && poll[2] == 0)
                .filter_map(|poll| poll[0].as_i64())
                .collect(),
        })
    }

    /// How the coils of a relay module stand.
    pub fn coils(&mut self, unit: u8) -> Outcome<Vec<bool>> {
        let told = self.say(&json!({ "do": "relays" }))?;
        let coils = told[unit.to_string()]["coils"].as_array();
        let coils = coils.ok_or_else(|| Failure::new(format!("no relay module {unit}")))?;
        Ok(coils.iter().map(|coil| coil == true).collect())
    }

    /// What was written to a relay module so far: function, address, value.
    pub fn writes(&mut self, unit: u8) -> Outcome<Vec<[i64; 3]>> {
        let told = self.say(&json!({ "do": "relays" }))?;
        let writes = told[unit.to_string()]["writes"].as_array();
        let writes = writes.ok_or_else(|| Failure::new(format!("no relay module {unit}")))?;
        let of = |write: &Value| [1, 2, 3].map(|at| write[at].as_i64().unwrap_or(-1));
        Ok(writes.iter().map(of).collect())
    }

    fn order(&mut self, what: &str, unit: u8, mut details: Value) -> Outcome {
        details["do"] = what.into();
        details["unit"] = unit.into();
        self.say(&details).map(drop)
    }

    fn say(&mut self, order: &Value) -> Outcome<Value> {
        let stdin = self.child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| Failure::new("no pipe to the presses"))?;
        writeln!(stdin, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer)
            .map_err(|_| Failure::new(format!("the presses did not take {order}; see presses.log")))
    }
}

impl Drop for Presses {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
