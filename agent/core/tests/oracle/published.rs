//! Windows as they were published, and as they should be.

use crate::figures::{self, Keys, Needs, Value, whole};
use crate::machine::Machine;
use crate::plant;
use crate::reference::Window;
use andon_core::message::Message;
use andon_core::record::{Body, Record, Run};
use andon_core::summary::{Summary, Tier};
use std::collections::BTreeMap;

/// All windows by device and tier, in the order in which they were first told.
pub struct Published(BTreeMap<(String, Tier), Vec<Told>>);

/// A window with everything that was told of it, the newest last.
#[derive(Debug)]
pub struct Told(Vec<Record>);

impl Published {
    /// Device, tier, start and fold name a window; each time that it is told it has a new revision,
    /// and says something else.
    pub fn of(records: &[Record]) -> Result<Published, String> {
        let mut published = Published(BTreeMap::new());
        for record in records {
            let Body::Summary(summary) = &record.body else {
                continue;
            };
            let windows = (summary.device.to_string(), summary.tier);
            let windows = published.0.entry(windows).or_default();
            let key = |summary: &Summary| (summary.start, summary.fold);
            let known = windows.iter_mut();
            let known = known
                .map(|told| &mut told.0)
                .find(|told| summary_of(&told[0]).map(key) == Some(key(summary)));
            match known {
                None if summary.rev == 0 => windows.push(Told(vec![record.clone()])),
                None => return Err(format!("a correction of nothing: {summary:?}")),
                Some(told) => {
                    let last = summary_of(&told[told.len() - 1]).cloned();
                    let again = last.map(|last| Summary {
                        rev: last.rev + 1,
                        ..last
                    });
                    let again = again.ok_or("no summary")?;
                    if summary.rev != again.rev {
                        return Err(format!("no next revision of {again:?}: {summary:?}"));
                    }
                    if **summary == again {
                        return Err(format!("told once more for nothing: {summary:?}"));
                    }
                    told.push(record.clone());
                }
            }
        }
        Ok(published)
    }

    pub fn windows(&self, device: usize, tier: Tier) -> &[Told] {
        let windows = self.0.get(&(plant::id(device), tier));
        windows.map_or(&[], |windows| windows)
    }
}

fn summary_of(record: &Record) -> Option<&Summary> {
    match &record.body {
        Body::Summary(summary) => Some(summary),
        _ => None,
    }
}

impl Told {
    pub fn revisions(&self) -> usize {
        self.0.len() - 1
    }

    /// Whether what was told last is what should be told; how many keys were compared.
    pub fn is(&self, window: &Window, machine: &Machine, index: usize) -> Result<u64, String> {
        let mut expected = expected(window, machine, index);
        expected.insert("rev".to_owned(), whole(self.revisions() as u64));
        let last = self.0.last().ok_or("nothing was told")?;
        same_keys(&expected, last)
    }
}

/// Every key of a summary but those of the envelope.
fn expected(window: &Window, machine: &Machine, index: usize) -> Keys {
    let needs = Needs {
        min_coverage: machine.min_coverage,
        min_exposure: machine.min_exposure,
    };
    let mut keys = figures::keys(&window.parts, &needs);
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    put("device", Value::Text(plant::id(index)));
    put("window", Value::Text(window.tier.to_owned()));
    put("start_ms", whole(window.start));
    put("end_ms", whole(window.end));
    put("fold", whole(window.fold));
    put("merged", whole(window.merged));
    put("every_ms", whole(1_000));
    let step = i128::from(window.end - window.start) - i128::from(window.parts.window_ms());
    if step != 0 {
        put("clock_step_ms", whole(step));
    }
    if window.tier == "shift" {
        let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        let calendar = machine.calendar;
        put(
            "shift",
            text(window.shift.map(|(at, _)| plant::shift_name(calendar, at))),
        );
        put(
            "shift_date",
            text(window.shift.map(|(_, day)| plant::date_of(day).to_string())),
        );
        put(
            "crew",
            text(window.shift.map(|(at, day)| plant::crew(calendar, at, day))),
        );
    }
    keys
}

/// The keys of every record.
const ENVELOPE: [&str; 10] = [
    "v",
    "gateway",
    "run",
    "boot",
    "seq",
    "n",
    "ts",
    "clock",
    "historical",
    "cfg",
];

/// Compares a record as it is published with what is expected of it; how many keys they were.
fn same_keys(expected: &Keys, record: &Record) -> Result<u64, String> {
    let run = Run {
        id: 0,
        boot: 0,
        cfg: 0,
    };
    let message = Message {
        gateway: &plant::gateway(),
        run: &run,
        record,
        historical: false,
    };
    let published = serde_json::to_value(&message).map_err(|error| error.to_string())?;
    let published = published.as_object().ok_or("no object")?;
    for (key, value) in expected {
        let told = published
            .get(key)
            .ok_or_else(|| format!("{key} is not published"))?;
        let is_same = match value {
            Value::Null => told.is_null(),
            Value::Whole(whole) => told.as_i64().map(i128::from) == Some(*whole),
            Value::Text(text) => told.as_str() == Some(text),
            // To the last bit of the published number.
            Value::Decimal(text) => {
                text.parse().ok().map(f64::to_bits) == told.as_f64().map(f64::to_bits)
            }
        };
        if !is_same {
            return Err(format!("{key} is {told} and should be {value:?}"));
        }
    }
    let mut others = published.keys().filter(|key| !expected.contains_key(*key));
    match others.find(|key| !ENVELOPE.contains(&key.as_str())) {
        Some(key) => Err(format!("{key} is published and should not be")),
        None => Ok(expected.len() as u64),
    }
}
