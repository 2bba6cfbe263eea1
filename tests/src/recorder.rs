//! A subscriber that writes everything down, through broker restarts and sessions lost:
//! mosquitto's own client, so that nothing of the agent's MQTT code checks itself. In the end every
//! message that came is held against the files of the contract, by somebody else's validator.

use crate::records::Record;
use crate::scenario::{Scenario, repository};
use crate::{Failure, Outcome, SOON, wait_for};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What the gateway of `press-line.toml` publishes below.
const HEAD: &str = "andon/v1/suzhou/press-shop/gw-press-1/";

/// One message as it came.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Topic below the gateway: `press-1/kpi/1m`.
    pub tail: String,
    /// Its payload; empty for a retained value that was cleared.
    pub payload: Map<String, Value>,
}

/// Subscribes with a session that outlives its connections, so that what is sent while it is away
/// waits for it at the broker.
#[derive(Debug)]
pub struct Recorder {
    child: Child,
    file: PathBuf,
}

impl Recorder {
    /// Subscribes, and from then on records.
    pub fn start(scenario: &Scenario, broker: u16) -> Outcome<Self> {
        subscribe(broker)?;
        let file = scenario.path("arrivals");
        let child = client(broker)
            .args(["-F", "%t %p"])
            .stdout(File::create(&file)?)
            .spawn()?;
        Ok(Self { child, file })
    }

    /// Everything so far, in the order in which it came.
    pub fn arrivals(&self) -> Outcome<Vec<Arrival>> {
        let text = fs::read(&self.file)?;
        let text = String::from_utf8_lossy(&text);
        // What follows the last line end is still being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(arrival).collect()
    }

    /// What is wrong with the messages by `agent/docs/schema`.
    fn faults(&self) -> Outcome<Option<String>> {
        let text = fs::read_to_string(&self.file)?;
        // A client that was killed may have been in the middle of a line.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let checked = self.file.with_extension("whole");
        fs::write(&checked, &text[..whole])?;
        let output = Command::new(repository().join("tests/.venv/bin/python"))
            .arg(repository().join("tests/validate.py"))
            .arg(repository().join("agent/docs/schema"))
            .arg(HEAD)
            .stdin(File::open(&checked)?)
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok((!output.status.success()).then_some(said))
    }

    /// The numbered ones among them.
    pub fn records(&self) -> Outcome<Vec<Record>> {
        let arrivals = self.arrivals()?.into_iter();
        Ok(arrivals.filter_map(Record::of).collect())
    }

    /// The newest payload on a topic.
    pub fn current(&self, tail: &str) -> Outcome<Option<Map<String, Value>>> {
        let mut arrivals = self.arrivals()?.into_iter();
        let newest = arrivals.rfind(|arrival| arrival.tail == tail);
        Ok(newest.map(|arrival| arrival.payload))
    }

    /// Waits until the newest payload on `tail` has `key` = `value`.
    pub fn wait_current(&self, tail: &str, key: &str, value: &str) -> Outcome<Map<String, Value>> {
        wait_for(&format!("{tail} with {key} = {value}"), SOON, || {
            let newest = self.current(tail).ok().flatten()?;
            (newest.get(key).and_then(Value::as_str) == Some(value)).then_some(newest)
        })
    }

    /// Waits until a record that `is_it` has come.
    pub fn wait_record(&self, what: &str, is_it: impl Fn(&Record) -> bool) -> Outcome<Record> {
        wait_for(what, SOON, || {
            self.records()
                .ok()?
                .into_iter()
                .find(|record| is_it(record))
        })
    }
}

impl Drop for Recorder {
    /// No scenario passes with a message that is not as the contract's files say.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let faults = self
                .faults()
                .unwrap_or_else(|failure| Some(format!("{failure:?}")));
            assert_eq!(faults, None, "{}", self.file.display());
        }
    }
}

/// Leaves the recorder's subscription at a broker, and goes.
pub fn subscribe(broker: u16) -> Outcome {
    let status = client(broker).arg("-E").status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("mosquitto_sub: {status}")))
    }
}

fn client(broker: u16) -> Command {
    let mut command = Command::new("mosquitto_sub");
    command
        .args(["-h", "127.0.0.1", "-p", &broker.to_string()])
        .args(["-c", "-i", "recorder", "-q", "1", "-t", "andon/#"])
        // Commands are not what the agent says.
        .args(["-T", "andon/+/+/+/+/cmd/#"])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn arrival(line: &str) -> Outcome<Arrival> {
    let parsed = line.split_once(' ').and_then(|(topic, payload)| {
        let tail = topic.strip_prefix(HEAD)?.to_owned();
        let payload = if payload.is_empty() {
            Map::new()
        } else {
            serde_json::from_str(payload).ok()?
        };
        Some(Arrival { tail, payload })
    });
    parsed.ok_or_else(|| Failure::new(format!("not a topic and an object of ours: {line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_topic_and_an_object() {
        let line = format!("{HEAD}press-1/kpi/1m {{\"v\":1}}");
        let arrival = arrival(&line).unwrap();
        assert_eq!(arrival.tail, "press-1/kpi/1m");
        assert_eq!(arrival.payload["v"], 1);
    }

    #[test]
    fn a_cleared_value_is_an_empty_object() {
        let arrival = arrival(&format!("{HEAD}press-1/alarm/fault ")).unwrap();
        assert!(arrival.payload.is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(arrival("andon/v1/elsewhere/x {}").is_err());
        assert!(arrival(&format!("{HEAD}status [1]")).is_err());
    }
}
