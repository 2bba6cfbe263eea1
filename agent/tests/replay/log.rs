//! The raw files, line by line: what a machine sends, and when.

use serde_json::{Map, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A line as it goes over the wire.
pub struct Line {
    /// Its own time stamp, milliseconds since 1970.
    pub stamp: i64,
    pub sent: Sent,
}

pub enum Sent {
    /// A message of a broker: topic and payload.
    Message(String, String),
    /// The body of a push.
    Push(String),
}

/// Where the logs are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap()
}

fn millis(stamp: &str) -> i64 {
    let moment: jiff::Timestamp = stamp.parse().unwrap();
    moment.as_millisecond()
}

/// Rows, each published with the first one above it, under the name in its first column.
pub fn rows(file: &str) -> Vec<Line> {
    let text = read(file);
    let (first, rows) = text.split_once('\n').unwrap();
    let line = |row: &str| {
        let mut columns = row.split(',');
        let (turbine, stamp) = (columns.next().unwrap(), columns.next().unwrap());
        let topic = format!("scada/{}", turbine.to_lowercase());
        Line {
            stamp: millis(stamp),
            sent: Sent::Message(topic, format!("{first}\n{row}\n")),
        }
    };
    rows.lines().map(line).collect()
}

/// Lines of an MTConnect adapter, `STAMP|NAME|VALUE|NAME|VALUE...`: of each what the devices of
/// `okuma.toml` have as tags, under their names. A line that has nothing of it is not sent.
pub fn shdr(file: &str) -> Vec<Line> {
    const TAGS: [(&str, &str); 3] = [
        ("okuma", "ppartcount"),
        ("okuma-cutting", "pCuttingTime"),
        ("okuma-patient", "pCuttingTime"),
    ];
    let line = |line: &str| {
        let parts: Vec<&str> = line.split('|').collect();
        let (stamp, pairs) = parts.split_first().unwrap();
        let entries = TAGS.iter().filter_map(|(device, counter)| {
            let pairs = pairs.chunks_exact(2);
            let own = pairs.filter(|pair| pair[0] == "pexecution" || pair[0] == *counter);
            let tags: Map<_, _> = own.map(|it| (it[0].to_owned(), it[1].into())).collect();
            let said = json!({ "device": device, "ts": stamp, "tags": tags });
            (!tags.is_empty()).then_some(said)
        });
        let entries: Vec<_> = entries.collect();
        Line {
            stamp: millis(stamp),
            sent: Sent::Push(json!(entries).to_string()),
        }
    };
    read(file).lines().map(line).collect()
}
