//! Every decoding of every register, side by side.

use super::collect::Bits;
use super::found::order_name;
use super::plausible::{ORDERS, Part, Run, Verdict, is_plausible};
use super::values::{bits, letters, moment, read, registers, shown};
use andon_core::modbus::decode::word;
use andon_core::sample::Value as Sample;
use andon_core::tag::{Kind, Order, Table};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Marks a value of the best explanation of all registers together.
pub const BEST: char = '*';
/// Marks a value that is plausible by itself.
pub const ALONE: char = '?';

/// Width of a column of wide values.
const WIDTH: usize = 18;

/// Bits in a line of the table of coils and discrete inputs.
const BITS_A_LINE: usize = 16;

/// What the tables are made of.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// What was judged.
    pub verdict: &'a Verdict,
    /// The wall clock, for times.
    pub now_ms: u64,
    /// Which lines are shown.
    pub detail: Detail,
}

/// Which lines of the tables are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Those in which something is marked.
    Short,
    /// All of one and two registers, and those of four in which something is marked.
    Usual,
    /// All.
    All,
}

/// Values of several registers.
struct Several {
    registers: u16,
    lines: [Line; 5],
    /// From this detail on, every line is shown.
    all_from: Detail,
}

/// A type whose decodings make a line, if it has anything to say there.
struct Line {
    kind: Kind,
    needed: fn(u64, u64) -> bool,
}

const PAIRS: Several = Several {
    registers: 2,
    lines: [
        line(Kind::U32, |_, _| true),
        line(Kind::I32, |word, _| word >> 31 == 1),
        line(Kind::F32, |_, _| true),
        line(Kind::Bcd32, |word, _| {
            is_bcd(word, 32) && word >> 16 != 0 && word & 0xFFFF != 0
        }),
        line(Kind::EpochS, is_these_years),
    ],
    all_from: Detail::Usual,
};

const QUADS: Several = Several {
    registers: 4,
    lines: [
        line(Kind::U64, |_, _| true),
        line(Kind::I64, |word, _| word >> 63 == 1),
        line(Kind::F64, |_, _| true),
        line(Kind::Bcd64, |word, _| is_bcd(word, 64) && word >> 32 != 0),
        line(Kind::EpochMs, |word, _| is_these_decades(word)),
    ],
    all_from: Detail::All,
};

const fn line(kind: Kind, needed: fn(u64, u64) -> bool) -> Line {
    Line { kind, needed }
}

fn is_bcd(word: u64, width: u32) -> bool {
    (0..width / 4).all(|at| word >> (4 * at) & 0xF <= 9)
}

/// Whether a number of seconds is a time that a clock shows now, or one that was never set and
/// counts from 2000: every common float would be some time in these decades.
const fn is_these_years(s: u64, now_ms: u64) -> bool {
    const YEAR_S: u64 = 366 * 24 * 3600;
    s.abs_diff(now_ms / 1000) < YEAR_S || s.wrapping_sub(946_684_800) < YEAR_S
}

/// From 2000 to 2040, in milliseconds.
fn is_these_decades(ms: u64) -> bool {
    (946_684_800_000..2_208_988_800_000).contains(&ms)
}

impl Tables<'_> {
    /// The tables of one run; `at` is its place among the runs.
    pub fn of_run(self, table: Table, run: &Run, at: usize) -> String {
        let mut text = String::new();
        self.singles(&mut text, table, run, at);
        self.several(&mut text, table, run, at, &PAIRS);
        self.several(&mut text, table, run, at, &QUADS);
        text
    }

    /// The same for programs: each decoding with its place, type, order, value and marks.
    pub fn to_json(self, table: Table, run: &Run, at: usize) -> Vec<Value> {
        let kinds = [
            Kind::U16,
            Kind::I16,
            Kind::Bcd16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bcd32,
            Kind::EpochS,
            Kind::U64,
            Kind::I64,
            Kind::F64,
            Kind::Bcd64,
            Kind::EpochMs,
        ];
        let mut decodings = Vec::new();
        for address in run.start..=u16::MAX {
            if registers(run, 0, address, 1).is_none() {
                break;
            }
            for kind in kinds {
                let count = kind.registers();
                let Some(own) = registers(run, 0, address, count) else {
                    continue;
                };
                let orders = if count == 1 {
                    &ORDERS[..1]
                } else {
                    &ORDERS[..]
                };
                for order in orders {
                    let part = Part {
                        address,
                        kind,
                        registers: count,
                    };
                    let Some(value) = read(run, 0, &part, *order) else {
                        continue;
                    };
                    decodings.push(json!({
                        "at": format!("{}:{address}", table.as_str()),
                        "type": kind.name(),
                        "order": (count > 1).then(|| order_name(*order)),
                        "value": of_json(&value),
                        "plausible": is_plausible(kind, *order, own, self.now_ms),
                        "best": (count == 1 || self.is_best_order(*order))
                            && self.best(at, address) == Some(kind),
                    }));
                }
            }
        }
        decodings
    }

    fn is_best_order(self, order: Order) -> bool {
        self.verdict.best().is_some_and(|best| best.order == order)
    }

    fn singles(self, text: &mut String, table: Table, run: &Run, at: usize) {
        let _ = writeln!(
            text,
            "{:>9}  {:<5}{:>7}{:>8}{:>8}  {:<20}{:>6}  {:<6}moved",
            table.as_str(),
            "hex",
            "u16",
            "i16",
            "u16 ba",
            "bits 15 to 0",
            "bcd16",
            "ascii",
        );
        for (address, index) in (run.start..=u16::MAX).zip(0..run.length()) {
            let readings = || run.readings.iter().map(|reading| reading[index]);
            let register = run.readings[0][index];
            let best = self.best(at, address);
            let speaks = readings().any(|register| register != 0 && register != 0xFFFF);
            let mark = |kind| {
                if speaks && best == Some(kind) {
                    BEST
                } else {
                    ' '
                }
            };
            if self.detail == Detail::Short
                && !(speaks && best.is_some_and(|kind| kind.registers() == 1))
            {
                continue;
            }
            let bcd = if is_bcd(register.into(), 16) {
                format!("{register:x}")
            } else {
                "-".into()
            };
            let unsigned = format!("{}{register}", mark(Kind::U16));
            let signed = format!("{}{}", mark(Kind::I16), register.cast_signed());
            let line = format!(
                "{address:>9}  {register:04X} {unsigned:>7} {signed:>7} {:>7}  {:<20}{bcd:>6}  {:<6}{}",
                register.swap_bytes(),
                bits(register),
                letters(register),
                moved(readings()),
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }

    /// Values of `count` registers from each address on.
    fn several(self, text: &mut String, table: Table, run: &Run, at: usize, several: &Several) {
        let count = several.registers;
        let mut rows = String::new();
        for address in run.start..=u16::MAX {
            let Some(own) = registers(run, 0, address, count) else {
                break;
            };
            // Zeros are zero in every order, and nothing more is known of them.
            if own.iter().all(|register| *register == 0) {
                continue;
            }
            let mut place = format!("{address}..{}", address + (count - 1));
            for line in &several.lines {
                let Some(cells) = self.cells(run, at, address, own, line, several) else {
                    continue;
                };
                let row = format!("{place:>12}  {:<7}{cells}", line.kind.name());
                let _ = writeln!(rows, "{}", row.trim_end());
                place.clear();
            }
        }
        if rows.is_empty() {
            return;
        }
        let title = |order| {
            let likely = if self.verdict.likely() == Some(order) {
                " likely"
            } else {
                ""
            };
            format!("{:>WIDTH$}", format!("{}{likely}", order_name(order)))
        };
        let titles: String = ORDERS.map(title).concat();
        let _ = writeln!(text, "\n{:>12}  {:<7}{titles}", table.as_str(), "");
        text.push_str(&rows);
    }

    /// One line: a type in the four orders; none if it says nothing.
    fn cells(
        self,
        run: &Run,
        at: usize,
        address: u16,
        own: &[u16],
        line: &Line,
        several: &Several,
    ) -> Option<String> {
        let needs = |order: &Order| (line.needed)(word(own, *order), self.now_ms);
        if !ORDERS.iter().any(needs) {
            return None;
        }
        let part = Part {
            address,
            kind: line.kind,
            registers: own.len() as u16,
        };
        let mut marked = false;
        let cell = |order| {
            let value = match line.kind {
                // The agent reads no more than an i64 holds; it is shown all the same.
                Kind::U64 => long(i128::from(word(own, order))),
                Kind::I64 => long(i128::from(word(own, order).cast_signed())),
                Kind::EpochS | Kind::EpochMs if !needs(&order) => "-".into(),
                kind => read(run, 0, &part, order)
                    .map_or("-".into(), |value| shown(&value, kind, WIDTH - 2)),
            };
            let mark = if self.is_best_order(order) && self.best(at, address) == Some(line.kind) {
                BEST
            } else if is_plausible(line.kind, order, own, self.now_ms) {
                ALONE
            } else {
                ' '
            };
            marked |= mark != ' ';
            format!("{:>WIDTH$}", format!("{mark}{value}").trim_start())
        };
        let cells = ORDERS.map(cell).concat();
        let shown = match self.detail >= several.all_from {
            true => true,
            false => marked && !self.is_explained(at, &part),
        };
        shown.then_some(cells)
    }

    /// Whether the registers of a value are part of other wide values in the best explanation.
    fn is_explained(self, at: usize, value: &Part) -> bool {
        let parts = self.verdict.best().and_then(|best| best.parts.get(at));
        let last = |part: &Part| part.address + (part.registers - 1);
        let other = |part: &&Part| part.registers > 1 && *part != value;
        let meets = |part: &Part| part.address <= last(value) && value.address <= last(part);
        parts.into_iter().flatten().filter(other).any(meets)
    }

    /// The type that begins at an address in the best explanation.
    fn best(self, at: usize, address: u16) -> Option<Kind> {
        let parts = self.verdict.best()?.parts.get(at)?;
        let part = parts.iter().find(|part| part.address == address);
        part.map(|part| part.kind)
    }
}

fn of_json(value: &Sample) -> Value {
    match value {
        Sample::Int(int) => json!(int),
        Sample::Float(float) => json!(float),
        Sample::Bool(bit) => json!(bit),
        Sample::Text(text) => json!(text.as_str()),
    }
}

/// A whole number, in full as long as somebody would read it.
fn long(value: i128) -> String {
    match value.unsigned_abs() {
        0..1_000_000_000_000_000 => value.to_string(),
        _ => format!("{:.4e}", value as f64),
    }
}

/// How a register changed over the readings.
fn moved(readings: impl Iterator<Item = u16>) -> String {
    let readings: Vec<u16> = readings.collect();
    let steps: Vec<i32> = readings
        .windows(2)
        .map(|pair| i32::from(pair[1]) - i32::from(pair[0]))
        .filter(|step| *step != 0)
        .collect();
    let steps: Vec<String> = steps.iter().map(|step| format!("{step:+}")).collect();
    steps.join(" ")
}

/// The table of coils or discrete inputs.
pub fn of_bits(bits: &Bits) -> String {
    let mut text = format!(
        "{:>9}  each 0 or 1, ~ for one that changed\n",
        bits.table.as_str()
    );
    let Some(first) = bits.readings.first() else {
        return text;
    };
    for (line, begin) in first.chunks(BITS_A_LINE).zip((0..).step_by(BITS_A_LINE)) {
        let _ = write!(text, "{:>9} ", usize::from(bits.start) + begin);
        for (bit, at) in line.iter().zip(begin..) {
            let same = bits.readings.iter().all(|reading| reading[at] == *bit);
            let gap = if (at - begin).is_multiple_of(4) {
                " "
            } else {
                ""
            };
            let shown = match (same, bit) {
                (false, _) => '~',
                (true, true) => '1',
                (true, false) => '0',
            };
            let _ = write!(text, "{gap}{shown}");
        }
        text.push('\n');
    }
    text
}

/// When the tables were made.
pub fn when(now_ms: u64) -> String {
    i64::try_from(now_ms).map_or_else(|_| String::new(), moment)
}
