//! What a device most likely has: the tags that are proposed for it.

use super::collect::{Bits, Collected};
use super::plausible::{Part, Run, Verdict};
use super::values;
use andon_core::sample::Value;
use andon_core::tag::{Kind, Order, Table};

/// Everything that is known of a device after it was asked.
#[derive(Debug)]
pub struct Found {
    /// Which explanation of the registers is the best.
    pub verdict: Verdict,
    /// Its values that say something, by table and address.
    pub tags: Vec<Tag>,
    /// Registers that were 0 in every reading.
    pub zeros: u32,
    /// Registers that were all ones in every reading.
    pub ones: u32,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Table.
    pub table: Table,
    /// Address of the first register, or of the bit.
    pub address: u16,
    /// Registers that it takes; 1 for a bit.
    pub registers: u16,
    /// Type.
    pub kind: Kind,
    /// Byte order.
    pub order: Order,
    /// The value in the first and in the last reading.
    pub values: [Value; 2],
}

impl Tag {
    /// Its order as the configuration names it; none where there is only the usual one.
    pub const fn order_name(&self) -> Option<&'static str> {
        match (self.kind, self.registers, self.order) {
            (Kind::Text, _, Order::Badc | Order::Dcba) => Some("ba"),
            (Kind::Text, ..) | (_, 1, _) => None,
            (_, _, order) => Some(order_name(order)),
        }
    }

    /// Whether its value was another one at the end.
    pub fn moved(&self) -> bool {
        self.values[0] != self.values[1]
    }
}

/// A byte order as the configuration names it.
pub const fn order_name(order: Order) -> &'static str {
    match order {
        Order::Abcd => "abcd",
        Order::Cdab => "cdab",
        Order::Badc => "badc",
        Order::Dcba => "dcba",
    }
}

impl Found {
    /// Judges what was collected at `now_ms` of the wall clock.
    pub fn of(collected: &Collected, now_ms: u64) -> Found {
        let runs: Vec<Run> = collected.runs.iter().map(|(_, run)| run.clone()).collect();
        let verdict = Verdict::of(&runs, now_ms);
        let mut tags: Vec<Tag> = collected.bits.iter().flat_map(bits).collect();
        if let Some(best) = verdict.best() {
            for ((table, run), parts) in collected.runs.iter().zip(&best.parts) {
                let speaking = parts
                    .iter()
                    .filter_map(|part| tag(*table, run, part, best.order));
                tags.extend(speaking);
            }
        }
        tags.sort_by_key(|tag| (tag.table, tag.address));
        let always = |word: u16| {
            let in_run = |run: &Run| {
                let all = |at: &usize| run.readings.iter().all(|reading| reading[*at] == word);
                (0..run.length()).filter(all).count() as u32
            };
            runs.iter().map(in_run).sum()
        };
        Found {
            tags,
            zeros: always(0),
            ones: always(0xFFFF),
            verdict,
        }
    }
}

/// A value, unless it says nothing in any reading.
fn tag(table: Table, run: &Run, part: &Part, order: Order) -> Option<Tag> {
    let registers = |reading| values::registers(run, reading, part.address, part.registers);
    let speaks = |word: &u16| *word != 0 && *word != 0xFFFF;
    let mut readings = (0..run.readings.len()).filter_map(registers);
    if !readings.any(|words| words.iter().any(speaks)) {
        return None;
    }
    let value = |reading| values::read(run, reading, part, order);
    Some(Tag {
        table,
        address: part.address,
        registers: part.registers,
        kind: part.kind,
        order,
        values: [value(0)?, value(run.readings.len() - 1)?],
    })
}

fn bits(bits: &Bits) -> impl Iterator<Item = Tag> + '_ {
    let last = bits.readings.len().saturating_sub(1);
    let length = bits.readings.first().map_or(0, Vec::len);
    (0..length)
        .zip(bits.start..=u16::MAX)
        .map(move |(at, address)| Tag {
            table: bits.table,
            address,
            registers: 1,
            kind: Kind::Bool,
            order: Order::Abcd,
            values: [0, last].map(|reading| Value::Bool(bits.readings[reading][at])),
        })
}
