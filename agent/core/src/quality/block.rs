//! An answer that is nothing but zeros, such as a gateway gives for a controller that is dead.
//!
//! A machine at rest may well answer zeros: its currents, pressures and speeds are zero, and its
//! counters are too after their reset. What gives the lie away is that something drops to zero that
//! does not do so: an energy counter, several measured values in the same moment as a counter of
//! parts, or what was not zero in a week.

use super::limits::LEAST_OF_BLOCK;
use crate::sample::Value;
use crate::tag::{Source, Summed, Tag};

/// What was in a block before it was all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    tags: u16,
    counters: u16,
    energies: u16,
    levels: u16,
    never_zero: u16,
}

impl Block {
    /// A tag of the block with the value that was believed before, if it was read lately.
    /// `never_zero` says that it has not been zero for a long time.
    pub fn add(&mut self, tag: &Tag, before: Option<f64>, never_zero: bool) {
        self.tags += 1;
        self.never_zero += u16::from(never_zero);
        if before.is_none_or(|number| is_number_of_zeros(tag, number)) {
            return;
        }
        if is_energy(tag) {
            self.energies += 1;
        } else if tag.role.is_some() || tag.summed == Summed::Counter {
            self.counters += 1;
        } else {
            self.levels += 1;
        }
    }

    /// Whether it cannot be that all of it is zero.
    pub const fn is_lie(&self) -> bool {
        // The end of an order stops a machine and resets its counters at once: that one value
        // falls with them proves nothing.
        let all_at_once = self.counters > 0 && self.levels >= 2;
        self.tags >= LEAST_OF_BLOCK && (self.energies > 0 || all_at_once || self.never_zero >= 2)
    }
}

/// Whether it counts energy, which nobody resets.
fn is_energy(tag: &Tag) -> bool {
    let units = ["Wh", "varh", "VAh"];
    tag.summed == Summed::Counter && units.iter().any(|unit| tag.unit.ends_with(unit))
}

/// Whether a value is what registers of zeros come to.
pub fn is_of_zeros(tag: &Tag, value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::Text(text) => text.bytes().all(|byte| byte == 0),
        value => value
            .number()
            .is_some_and(|number| is_number_of_zeros(tag, number)),
    }
}

fn is_number_of_zeros(tag: &Tag, number: f64) -> bool {
    match &tag.source {
        Source::Modbus(point) => number == point.offset,
        Source::Message(_) | Source::Board(_) => number == 0.0,
    }
}
