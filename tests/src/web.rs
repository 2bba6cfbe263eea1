//! HTTP from outside: machines that are Python's server behind `web_server.py`, and clients that
//! are curl.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A machine that answers with pages; it ends with its standard input, or when dropped.
#[derive(Debug)]
pub struct WebMachine {
    child: Child,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl WebMachine {
    /// On `port`, or on a free one if that is 0; with these further arguments.
    pub fn start(scenario: &Scenario, port: u16, arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new("/usr/bin/python3")
            .arg(repository().join("tests/web_server.py"))
            .arg(format!("--port={port}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(&scenario.path("web.log"))?)
            .spawn()?;
        let (line, answers) = first_line(&mut child)?;
        let hello: Value = serde_json::from_str(&line)
            .map_err(|_| Failure::new("the web machine did not start; see web.log"))?;
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

    /// What a page answers from now on.
    pub fn show(&mut self, path: &str, status: u16, body: &str) -> Outcome {
        let order = json!({ "do": "show", "path": path, "status": status, "body": body });
        self.say(&order).map(drop)
    }

    /// How often each page was asked for, and on how many connections:
    /// `{"asked": {"/status.json": 7}, "connections": 1}`.
    pub fn report(&mut self) -> Outcome<Value> {
        self.say(&json!({ "do": "report" }))
    }

    fn say(&mut self, order: &Value) -> Outcome<Value> {
        let stdin = self.child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| Failure::new("no pipe to the web machine"))?;
        writeln!(stdin, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for WebMachine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an HTTP request was answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status; 0 if nobody answered.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Outcome<Value> {
        serde_json::from_str(&self.body)
            .map_err(|error| Failure::new(format!("{error} in {:?}", self.body)))
    }
}

/// `GET`.
pub fn get(url: &str) -> Outcome<Answer> {
    curl(&[url])
}

/// `POST` of a file, with a token.
pub fn post(url: &str, token: &str, body: &Path) -> Outcome<Answer> {
    let header = format!("Authorization: Bearer {token}");
    let body = format!("@{}", body.display());
    curl(&["-H", &header, "--data-binary", &body, url])
}

/// `POST` of JSON, with a token and any further arguments for curl.
pub fn post_json(url: &str, token: &str, body: &Value, more: &[&str]) -> Outcome<Answer> {
    let header = format!("Authorization: Bearer {token}");
    let body = body.to_string();
    let json = "Content-Type: application/json";
    let arguments = ["-H", &header, "-H", json, "--data-binary", &body, url];
    curl(&[&arguments, more].concat())
}

fn curl(arguments: &[&str]) -> Outcome<Answer> {
    let output = Command::new("curl")
        .args(["-s", "--max-time", "20", "-w", "\n%{http_code}"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.rsplit_once('\n').and_then(|(body, status)| {
        Some(Answer {
            status: status.parse().ok()?,
            body: body.to_owned(),
        })
    });
    answer.ok_or_else(|| Failure::new(format!("curl said {text:?}")))
}
