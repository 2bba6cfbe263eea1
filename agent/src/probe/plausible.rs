//! What the registers of an unknown device most likely hold.
//!
//! Every way to cut a run of registers into values is an explanation of it, and the best one is
//! the one in which the values are the least surprising together ([`surprise`], in bits): everyday
//! floats with few digits, small counts, readable text, steps and not leaps between two readings.
//! Going on with values of the same sort costs nothing, changing the sort costs some bits, because
//! devices keep like values together. The explanations of all runs in one byte order add up; the
//! order with the least sum is the likely order of the device, if it leads by enough.

mod surprise;

use andon_core::sample::LONGEST_TEXT;
use andon_core::tag::{Kind, Order};

/// The byte orders, the usual one first.
pub const ORDERS: [Order; 4] = [Order::Abcd, Order::Cdab, Order::Badc, Order::Dcba];

/// By how many bits an order must lead to be called likely: odds of 30 to 1.
const LEAD: f64 = 5.0;

/// A value is plausible by itself if it is so many bits less surprising than noise.
const PLAUSIBLE: f64 = 3.0;

/// Neighbouring registers that were read together, several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Address of the first.
    pub start: u16,
    /// The registers of each reading, the first one first; all of the same length.
    pub readings: Vec<Vec<u16>>,
}

impl Run {
    /// Registers in each reading.
    pub fn length(&self) -> usize {
        self.readings.first().map_or(0, Vec::len)
    }
}

/// One value of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Address of its first register.
    pub address: u16,
    /// What it is.
    pub kind: Kind,
    /// Registers that it takes.
    pub registers: u16,
}

/// The best explanation of all runs in one byte order.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The order.
    pub order: Order,
    /// How surprising the values are together, in bits.
    pub bits: f64,
    /// The values of each run, by address.
    pub parts: Vec<Vec<Part>>,
}

impl Explanation {
    /// Values in which the order of words or bytes can be seen.
    pub fn wide(&self) -> usize {
        self.parts
            .iter()
            .flatten()
            .filter(|part| is_ordered(part))
            .count()
    }
}

/// What was found about a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The best explanation in each order, the best of them first.
    pub ranked: Vec<Explanation>,
}

impl Verdict {
    /// Explains all runs of one device; `now_ms` is the wall clock in milliseconds, for times.
    pub fn of(runs: &[Run], now_ms: u64) -> Verdict {
        let mut ranked: Vec<Explanation> = ORDERS
            .into_iter()
            .map(|order| {
                let mut all = Explanation {
                    order,
                    bits: rarity(order),
                    parts: Vec::new(),
                };
                for run in runs {
                    let (bits, parts) = explain(run, order, now_ms);
                    all.bits += bits;
                    all.parts.push(parts);
                }
                all
            })
            .collect();
        ranked.sort_by(|a, b| a.bits.total_cmp(&b.bits));
        Verdict { ranked }
    }

    /// The best explanation.
    pub fn best(&self) -> Option<&Explanation> {
        self.ranked.first()
    }

    /// The likely order of the device, if one leads clearly.
    pub fn likely(&self) -> Option<Order> {
        let [first, second, ..] = self.ranked.as_slice() else {
            return None;
        };
        (first.wide() > 0 && second.bits - first.bits >= LEAD).then_some(first.order)
    }
}

/// Whether a value is plausible by itself: clearly less surprising than so many random bits, and
/// than its registers are one by one.
pub fn is_plausible(kind: Kind, order: Order, registers: &[u16], now_ms: u64) -> bool {
    let says_nothing = registers.iter().all(|r| *r == 0) || registers.iter().all(|r| *r == 0xFFFF);
    let bits = surprise::of_value(kind, order, registers, now_ms);
    let noise = 16.0 * registers.len() as f64;
    let single = |register: &u16| {
        let of = |kind| surprise::of_value(kind, Order::Abcd, &[*register], now_ms);
        of(Kind::U16).min(of(Kind::I16))
    };
    !says_nothing && bits <= noise - PLAUSIBLE && bits <= registers.iter().map(single).sum()
}

/// Bits by which an order is rarer in the field than the usual one.
const fn rarity(order: Order) -> f64 {
    match order {
        Order::Abcd => 0.0,
        Order::Cdab => 1.0,
        Order::Dcba => 3.0,
        Order::Badc => 4.0,
    }
}

fn is_ordered(part: &Part) -> bool {
    part.registers > 1 || part.kind == Kind::Text
}

/// Bits that it takes to expect wide values from an odd register on, counted from where the reading
/// begins: people begin to read where a value begins, and most devices put wide ones at even places.
const ODD: f64 = 3.0;

/// Types of which devices keep several together.
#[derive(Debug, Clone, Copy)]
struct Sort {
    kinds: &'static [Kind],
    registers: usize,
    /// Bits that it takes to expect it.
    rarity: f64,
}

const SORTS: [Sort; 10] = [
    sort(&[Kind::U16, Kind::I16], 1, 1.5),
    sort(&[Kind::U32, Kind::I32], 2, 3.5),
    sort(&[Kind::F32], 2, 3.0),
    sort(&[Kind::U64, Kind::I64], 4, 6.0),
    sort(&[Kind::F64], 4, 6.0),
    sort(&[Kind::Text], 1, 14.0),
    sort(&[Kind::Bcd16], 1, 12.0),
    sort(&[Kind::Bcd32], 2, 12.0),
    sort(&[Kind::EpochS], 2, 8.0),
    sort(&[Kind::EpochMs], 4, 8.0),
];

const fn sort(kinds: &'static [Kind], registers: usize, rarity: f64) -> Sort {
    Sort {
        kinds,
        registers,
        rarity,
    }
}

/// The best way to an address that ends with a value of one sort.
#[derive(Debug, Clone, Copy)]
struct Way {
    bits: f64,
    /// The last value, and the sort of the one before it.
    last: Option<(Kind, usize)>,
}

const NO_WAY: Way = Way {
    bits: f64::INFINITY,
    last: None,
};

/// The best explanation of one run: of all ways to cut it, found from the left.
fn explain(run: &Run, order: Order, now_ms: u64) -> (f64, Vec<Part>) {
    let length = run.length();
    // ways[i][s]: the registers before i, the last of them by a value of sort s.
    let mut ways = vec![[NO_WAY; SORTS.len()]; length + 1];
    for end in 1..=length {
        for (of, sort) in SORTS.iter().enumerate() {
            let Some(begin) = end.checked_sub(sort.registers) else {
                continue;
            };
            let (kind, value) = cheapest(run, begin, sort, order, now_ms);
            let (before, bits) = entry(&ways[begin], begin, of);
            ways[end][of] = Way {
                bits: bits + value,
                last: Some((kind, before)),
            };
        }
    }
    let best = (0..SORTS.len()).min_by(|a, b| {
        let bits = |of: usize| ways[length][of].bits;
        bits(*a).total_cmp(&bits(*b))
    });
    let mut of = best.unwrap_or(0);
    let bits = ways[length][of].bits;
    let mut parts = Vec::new();
    let mut end = length;
    while let Some((kind, before)) = ways[end][of].last {
        end -= SORTS[of].registers;
        parts.push(Part {
            address: run.start + end as u16,
            kind,
            registers: SORTS[of].registers as u16,
        });
        of = before;
    }
    parts.reverse();
    let bits = if length == 0 { 0.0 } else { bits };
    (bits, joined(run, parts))
}

/// The cheapest way to come to a value of sort `of`: from which sort, and at what cost so far.
fn entry(ways: &[Way; SORTS.len()], begin: usize, of: usize) -> (usize, f64) {
    let sort = &SORTS[of];
    let odd = sort.registers > 1 && begin % 2 == 1;
    let new = sort.rarity + if odd { ODD } else { 0.0 };
    if begin == 0 {
        return (of, new);
    }
    let cost = |from: usize| ways[from].bits + if from == of { 0.0 } else { new };
    let best = (0..SORTS.len()).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    let from = best.unwrap_or(of);
    (from, cost(from))
}

/// The least surprising type of a sort for the registers from `begin`, over all readings.
fn cheapest(run: &Run, begin: usize, sort: &Sort, order: Order, now_ms: u64) -> (Kind, f64) {
    let own = |reading: usize| &run.readings[reading][begin..begin + sort.registers];
    let bits = |kind: Kind| {
        let order = order_of(kind, order);
        let moves = (1..run.readings.len())
            .map(|reading| surprise::of_move(kind, order, own(reading - 1), own(reading)));
        surprise::of_value(kind, order, own(0), now_ms) + moves.sum::<f64>()
    };
    let mut best = (sort.kinds[0], bits(sort.kinds[0]));
    for kind in &sort.kinds[1..] {
        let bits = bits(*kind);
        if bits < best.1 {
            best = (*kind, bits);
        }
    }
    best
}

/// Single registers are taken as they are: devices that swap the bytes of wide values do not swap
/// those of narrow ones.
const fn order_of(kind: Kind, order: Order) -> Order {
    match kind {
        Kind::U16 | Kind::I16 | Kind::Bcd16 => Order::Abcd,
        _ => order,
    }
}

/// The longest text that the agent reads, in registers.
const LONGEST_TEXT_REGISTERS: u16 = LONGEST_TEXT as u16 / 2;

/// Text that goes on is one text; it ends with a NUL, and what is empty is no text.
fn joined(run: &Run, parts: Vec<Part>) -> Vec<Part> {
    let first = &run.readings.first().map_or(&[][..], Vec::as_slice);
    let register = |part: &Part| first[usize::from(part.address - run.start)];
    let mut joined: Vec<Part> = Vec::new();
    let mut ended = false;
    for part in parts {
        let empty = part.kind == Kind::Text && register(&part) == 0;
        match joined.last_mut() {
            Some(last)
                if part.kind == Kind::Text
                    && last.kind == Kind::Text
                    && last.registers < LONGEST_TEXT_REGISTERS
                    && !(ended || empty) =>
            {
                last.registers += 1;
            }
            _ if empty => joined.push(Part {
                kind: Kind::U16,
                ..part
            }),
            _ => joined.push(part),
        }
        let bytes = register(&part).to_be_bytes();
        ended = bytes.contains(&0);
    }
    joined
}

#[cfg(test)]
mod tests;
