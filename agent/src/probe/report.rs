//! What a probe came to, as text and as JSON.

use super::collect::Collected;
use super::found::{Found, Tag, order_name};
use super::pace::{Paced, spread};
use super::plausible::Verdict;
use super::table::{ALONE, BEST, Detail, Tables, of_bits, when};
use super::{toml, values};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a probe came to.
#[derive(Debug)]
pub struct Report {
    /// Where the device is, for people.
    pub place: String,
    /// The link's id.
    pub link: String,
    /// The `[[link]]` to paste, if the configuration has none yet.
    pub link_section: Option<String>,
    /// Which unit.
    pub unit: u8,
    /// What it said.
    pub collected: Collected,
    /// How fast it may be asked; none through the running agent, which goes on polling it.
    pub paced: Option<Paced>,
    /// Pause after a connection that the device needs, in milliseconds; none if nothing connects.
    pub after_ms: Option<u64>,
    /// Whether the running agent made the reads.
    pub through_agent: bool,
    /// The wall clock, in milliseconds.
    pub now_ms: u64,
}

impl Report {
    /// Pause between requests that the device needs, in milliseconds.
    pub fn between_ms(&self) -> Option<u64> {
        self.paced.as_ref()?.between_ms
    }

    /// What the device gives in one answer, as `max_registers`.
    pub fn max_registers(&self) -> Option<u32> {
        let (table, most) = self.collected.most?;
        Some(if table.is_bits() {
            (most / 16).max(1)
        } else {
            most
        })
    }

    /// Everything, for people.
    pub fn to_text(&self, detail: Detail) -> String {
        let found = Found::of(&self.collected, self.now_ms);
        let mut text = format!(
            "Unit {} at {}{}, read {} times, {} UTC\n",
            self.unit,
            self.place,
            if self.through_agent {
                " through the running agent"
            } else {
                ""
            },
            self.readings(),
            when(self.now_ms)
        );
        for bits in &self.collected.bits {
            let _ = write!(text, "\n{}", of_bits(bits));
        }
        let tables = Tables {
            verdict: &found.verdict,
            now_ms: self.now_ms,
            detail,
        };
        for ((table, run), at) in self.collected.runs.iter().zip(0..) {
            let _ = write!(text, "\n{}", tables.of_run(*table, run, at));
        }
        if !self.collected.runs.is_empty() {
            let _ = writeln!(
                text,
                "\n{BEST} part of the best explanation of all registers together   \
                 {ALONE} plausible by itself"
            );
        }
        self.verdict(&mut text, &found);
        self.missing(&mut text);
        self.timing(&mut text);
        let paste = match toml::toml(self, &found) {
            toml if toml.is_empty() => "nothing: no value was read that says anything\n".into(),
            toml => toml,
        };
        let _ = write!(text, "\nTo paste into the configuration\n\n{paste}");
        text
    }

    /// How often everything was read.
    fn readings(&self) -> usize {
        let runs = self.collected.runs.first();
        let runs = runs.map(|(_, run)| run.readings.len());
        let bits = self.collected.bits.first();
        runs.or(bits.map(|bits| bits.readings.len())).unwrap_or(0)
    }

    fn verdict(&self, text: &mut String, found: &Found) {
        let _ = writeln!(text, "\nWhat it most likely has");
        if !self.collected.runs.is_empty() {
            let _ = writeln!(text, "  byte order: {}", order(&found.verdict));
        }
        for tag in found.tags.iter().filter(|tag| !tag.table.is_bits()) {
            let _ = writeln!(text, "{}", line(tag));
        }
        if found.zeros > 0 {
            let _ = writeln!(
                text,
                "  registers that are 0, and so say nothing: {}",
                found.zeros
            );
        }
        if found.ones > 0 {
            let _ = writeln!(
                text,
                "  registers that are FFFF, by which many devices say \"no value\": {}",
                found.ones
            );
        }
    }

    fn missing(&self, text: &mut String) {
        if self.collected.missing.is_empty() {
            return;
        }
        let _ = writeln!(text, "\nWhat it does not have");
        for (span, why) in &self.collected.missing {
            let _ = writeln!(text, "  {span}: {}", toml::why(*why));
        }
    }

    fn timing(&self, text: &mut String) {
        let _ = writeln!(text, "\nHow it wants to be asked");
        let times = self.times();
        if let Some([least, median, most]) = spread(&times) {
            let _ = writeln!(
                text,
                "  answer time       {}, from {} to {} in {} answers",
                milliseconds(median),
                milliseconds(least),
                milliseconds(most),
                times.len()
            );
        }
        let lost = self.collected.unanswered;
        if lost > 0 {
            let _ = writeln!(
                text,
                "  lost at first     {lost} requests, which were repeated"
            );
        }
        if let Some(registers) = self.max_registers() {
            let _ = writeln!(text, "  most at once      {registers} registers");
        }
        if self.through_agent {
            let _ = writeln!(
                text,
                "  pauses            not measured: the running agent has other reads on this link"
            );
        }
        let Some(paced) = &self.paced else {
            return;
        };
        let between = match paced.between_ms {
            Some(0) => "none needed between an answer and the next request".to_owned(),
            Some(ms) => format!("{ms} ms between an answer and the next request"),
            None => format!(
                "{} of {} requests were lost whatever the pause: look at line and device",
                paced.lost, paced.asked
            ),
        };
        let _ = writeln!(text, "  pause             {between}");
        if let Some(ms) = self.after_ms {
            let after = match ms {
                0 => "no pause needed".to_owned(),
                ms => format!("{ms} ms before the first request"),
            };
            let _ = writeln!(text, "  after connecting  {after}");
        }
    }

    /// How long every answer took.
    fn times(&self) -> Vec<u64> {
        let paced = self.paced.iter().flat_map(|paced| &paced.times_us);
        self.collected
            .times_us
            .iter()
            .chain(paced)
            .copied()
            .collect()
    }

    /// Everything, for programs.
    pub fn to_json(&self) -> Value {
        let found = Found::of(&self.collected, self.now_ms);
        let tables = Tables {
            verdict: &found.verdict,
            now_ms: self.now_ms,
            detail: Detail::All,
        };
        let times = self.times();
        let [least, median, most] = spread(&times).map_or([None; 3], |spread| spread.map(Some));
        json!({
            "place": self.place,
            "link": self.link,
            "unit": self.unit,
            "through_agent": self.through_agent,
            "ts": self.now_ms,
            "readings": self.readings(),
            "registers": self.collected.runs.iter().map(|(table, run)| json!({
                "table": table.as_str(),
                "start": run.start,
                "readings": run.readings,
            })).collect::<Vec<_>>(),
            "bits": self.collected.bits.iter().map(|bits| json!({
                "table": bits.table.as_str(),
                "start": bits.start,
                "readings": bits.readings,
            })).collect::<Vec<_>>(),
            "decodings": self.collected.runs.iter().zip(0..)
                .flat_map(|((table, run), at)| tables.to_json(*table, run, at))
                .collect::<Vec<_>>(),
            "missing": self.collected.missing.iter().map(|(span, why)| json!({
                "at": span.to_string(),
                "why": toml::why(*why),
            })).collect::<Vec<_>>(),
            "order": found.verdict.likely().map(order_name),
            "orders": found.verdict.ranked.iter().map(|explanation| json!({
                "order": order_name(explanation.order),
                "surprise_bits": (explanation.bits * 10.0).round() / 10.0,
            })).collect::<Vec<_>>(),
            "answers": times.len(),
            "answer_min_us": least,
            "answer_median_us": median,
            "answer_max_us": most,
            "unanswered": self.collected.unanswered + self.paced.as_ref().map_or(0, |p| p.lost),
            "between_requests_ms": self.between_ms(),
            "after_connect_ms": self.after_ms,
            "max_registers": self.max_registers(),
            "toml": toml::toml(self, &found),
        })
    }
}

/// What is known of the byte order, in words.
fn order(verdict: &Verdict) -> String {
    let [first, second, ..] = verdict.ranked.as_slice() else {
        return "unknown".into();
    };
    let (best, next) = (order_name(first.order), order_name(second.order));
    if first.wide() == 0 {
        return "no value of more than one register is seen, so it does not show".into();
    }
    let lead = second.bits - first.bits;
    match verdict.likely() {
        Some(_) if lead >= 20.0 => format!("{best}, clearly"),
        Some(_) => format!("{best}, probably; {next} is possible too"),
        None => format!(
            "undecided between {best} and {next}: probe more registers, or again when values move"
        ),
    }
}

fn line(tag: &Tag) -> String {
    let last = tag.address + (tag.registers - 1);
    let place = match tag.registers {
        1 => format!("{}:{}", tag.table.as_str(), tag.address),
        _ => format!("{}:{}..{last}", tag.table.as_str(), tag.address),
    };
    let kind = format!("{} {}", tag.kind.name(), tag.order_name().unwrap_or(""));
    let [first, value] = tag
        .values
        .each_ref()
        .map(|value| values::shown(value, tag.kind, 20));
    let before = if tag.moved() {
        format!("before {first}")
    } else {
        String::new()
    };
    format!("  {place:<22}{kind:<13}{value:<22}{before}")
        .trim_end()
        .to_owned()
}

/// A time in microseconds as milliseconds.
pub fn milliseconds(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1000.0),
        _ => format!("{} ms", us / 1000),
    }
}
