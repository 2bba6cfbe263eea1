//! A server that is a Python script, and obeys: one JSON object per line, each answered by one.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running server; it ends with its standard input, or when dropped.
#[derive(Debug)]
pub struct Script {
    child: Child,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Script {
    /// Starts a script of `tests/` with these arguments.
    pub fn start(scenario: &Scenario, script: &str, arguments: &[&str]) -> Outcome<Self> {
        let python = repository().join("tests/.venv/bin/python");
        let log = format!("{script}.log");
        let mut child = Command::new(&python)
            .arg(repository().join("tests").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&scenario.path(&log))?)
            .spawn()
            .map_err(|error| {
                Failure::new(format!("{}: {error}; tests/run makes it", python.display()))
            })?;
        let (line, answers) = first_line(&mut child)?;
        let hello: Value = serde_json::from_str(&line)
            .map_err(|_| Failure::new(format!("{script} did not start; see {log}")))?;
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

    /// What it is for so many times, then it is well again.
    pub fn be(&mut self, what: &str, times: u32) -> Outcome {
        let order = json!({ "do": "be", "what": what, "times": times });
        self.say(&order).map(drop)
    }

    /// What came.
    pub fn report(&mut self) -> Outcome<Value> {
        self.say(&json!({ "do": "report" }))
    }

    fn say(&mut self, order: &Value) -> Outcome<Value> {
        let stdin = self.child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| Failure::new("no pipe to the script"))?;
        writeln!(stdin, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
