//! A GSM modem on a pseudo-terminal: `modem.py`, which prints what it is sent.

use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, first_line, log_file};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
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

    /// Has it do something, see `modem.py`.
    pub fn order(&mut self, order: &Value) -> Outcome {
        let stdin = self.child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| Failure::new("no pipe to the modem"))?;
        Ok(writeln!(stdin, "{order}")?)
    }

    /// Somebody sends a message to it.
    pub fn deliver(&mut self, from: &str, text: &str) -> Outcome {
        self.order(&json!({ "deliver": { "from": from, "text": text } }))
    }

    /// The messages that it was told and has not refused, in order.
    pub fn sent(&self) -> Outcome<Vec<Sent>> {
        let told = self.told()?;
        let taken = told.iter().filter(|what| what["refused"].is_null());
        let units = taken.filter_map(|what| what["pdu"].as_str());
        units.map(Sent::read).collect()
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

/// A text message as the network gets it: an SMS-SUBMIT in UCS-2 (3GPP TS 23.040, §9.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who gets it.
    pub to: String,
    /// What it says.
    pub text: String,
}

impl Sent {
    fn read(unit: &str) -> Outcome<Self> {
        let short = || Failure::new(format!("no message in UCS-2: {unit}"));
        let octets: Option<Vec<u8>> = unit
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let octets = octets.ok_or_else(short)?;
        // The service centre, by its length; then what it is and its number.
        let centre = usize::from(*octets.first().ok_or_else(short)?);
        let octets = octets.get(centre..).ok_or_else(short)?;
        // The length of the address, and its type.
        let digits = usize::from(*octets.get(3).ok_or_else(short)?);
        let end = 5 + digits.div_ceil(2);
        let address = octets.get(5..end).ok_or_else(short)?;
        let number = address.iter().flat_map(|two| [two & 0xF, two >> 4]);
        let number: String = number
            .take(digits)
            .map(|digit| char::from(b'0' + digit))
            .collect();
        // Protocol, alphabet, validity, length.
        let [_, 0x08, _, length] = octets.get(end..end + 4).ok_or_else(short)? else {
            return Err(short());
        };
        let text = octets.get(end + 4..).ok_or_else(short)?;
        if text.len() != usize::from(*length) {
            return Err(short());
        }
        let units: Vec<u16> = text
            .chunks_exact(2)
            .map(|two| u16::from_be_bytes([two[0], two[1]]))
            .collect();
        Ok(Self {
            to: format!("+{number}"),
            text: String::from_utf16(&units).map_err(|_| short())?,
        })
    }

    /// What is to be replied with.
    pub fn code(&self) -> Outcome<&str> {
        let code = self
            .text
            .split_once("回复“确认")
            .and_then(|(_, rest)| rest.get(..4));
        code.ok_or_else(|| Failure::new(format!("no code in {}", self.text)))
    }
}
