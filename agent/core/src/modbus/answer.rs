//! Whether an answer fits its request.
//!
//! A master that trusts what arrives takes two registers for four. The transaction and unit of a
//! Modbus TCP answer are compared where its header is read; this compares the rest.

use crate::modbus::plan::Read;
use crate::tag::Table;
use core::fmt;

/// Why an answer does not fit its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// It answers another function.
    Function {
        /// The function that was asked for.
        asked: u8,
        /// The function of the answer.
        got: u8,
    },
    /// It holds more or fewer items than were asked for.
    Length {
        /// Registers or bits that an answer to the request has.
        asked: usize,
        /// Those of the answer.
        got: usize,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Function { asked, got } => {
                write!(
                    f,
                    "asked with function {asked}, answered with function {got}"
                )
            }
            Misfit::Length { asked, got } => write!(f, "{got} items in the answer, not {asked}"),
        }
    }
}

/// The function code that reads `table`.
pub const fn function(table: Table) -> u8 {
    match table {
        Table::Coil => 1,
        Table::Discrete => 2,
        Table::Holding => 3,
        Table::Input => 4,
    }
}

/// Checks the function code of an answer to `read` and the number of its registers or bits. Bits
/// come in whole bytes: an answer to 3 of them has 8.
pub const fn check(read: &Read, got: u8, items: usize) -> Result<(), Misfit> {
    let asked = function(read.table);
    if got != asked {
        return Err(Misfit::Function { asked, got });
    }
    let count = read.count as usize;
    let asked = if read.table.is_bits() {
        count.next_multiple_of(8)
    } else {
        count
    };
    if items != asked {
        return Err(Misfit::Length { asked, got: items });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::{DeviceIndex, LinkIndex};

    fn read(table: Table, count: u16) -> Read {
        Read {
            link: LinkIndex(0),
            device: DeviceIndex(0),
            unit: 1,
            table,
            start: 0,
            count,
            every_ms: 1000,
            tags: [].into(),
        }
    }

    #[test]
    fn only_the_function_and_the_length_that_were_asked_for_fit() {
        for (table, code) in [
            (Table::Coil, 1),
            (Table::Discrete, 2),
            (Table::Holding, 3),
            (Table::Input, 4),
        ] {
            for count in 1..=125_u16 {
                let asked = if table.is_bits() {
                    count.div_ceil(8) * 8
                } else {
                    count
                };
                for got in 0..=255_u8 {
                    for items in [0, 1, asked - 1, asked, asked + 1, asked + 8] {
                        let fits = check(&read(table, count), got, usize::from(items)).is_ok();
                        assert_eq!(fits, got == code && items == asked);
                    }
                }
            }
        }
    }
}
