//! What a read costs on its link: what the planner weighs, and what a serial bus has to bear.
//!
//! On a serial line a cost is a time. A read takes the request of 8 characters, the time in which
//! the device thinks, an answer of 5 characters and its content, and the silence that ends either
//! frame (Modbus over Serial Line 1.02, §2.5.1). On a network the round trip is all that counts.

use crate::line::Line;
use crate::plant::{Manners, Medium};
use crate::tag::Table;

/// Characters of a read request: unit, function, address, count, check.
pub const REQUEST: u64 = 8;

/// Characters of an answer besides its content: unit, function, length, check.
pub const ANSWER: u64 = 5;

/// Microseconds that a device is assumed to think before it answers. Meters and drives state 1 to
/// 20 ms; `status` shows what it really is.
pub const THINKING_US: u64 = 5_000;

/// On a network a request outweighs whatever one more address in it may cost.
const ROUND_TRIP: u64 = 1_000_000;

/// Characters of the content of an answer.
pub const fn content(table: Table, count: u16) -> u64 {
    if table.is_bits() {
        (count as u64).div_ceil(8)
    } else {
        2 * count as u64
    }
}

/// Microseconds for which a read keeps a serial line from being used for anything else.
pub const fn exchange_us(line: Line, table: Table, count: u16, manners: &Manners) -> u64 {
    line.characters_us(REQUEST)
        + line.silent_us()
        + THINKING_US
        + line.characters_us(ANSWER + content(table, count))
        + line.silent_us()
        + manners.between_requests_ms * 1000
}

/// What a read of `count` addresses costs, comparable within one medium only.
pub(crate) const fn of_read(medium: Medium, table: Table, count: u16, manners: &Manners) -> u64 {
    match medium {
        Medium::Network => ROUND_TRIP + count as u64,
        Medium::Serial(line) => exchange_us(line, table, count, manners),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line {
        baud: 9_600,
        char_bits: 11,
    };

    #[test]
    fn an_exchange_is_two_frames_two_silences_and_the_thinking_between() {
        // 8 characters 9.167 ms, 5 + 20 characters 28.646 ms (rounded up), 2 × 4.011 ms, 5 ms.
        let manners = Manners::default();
        assert_eq!(
            exchange_us(LINE, Table::Holding, 10, &manners),
            9_167 + 28_646 + 2 * 4_011 + 5_000
        );
        // 17 bits come in 3 bytes.
        assert_eq!(
            exchange_us(LINE, Table::Coil, 17, &manners),
            9_167 + 9_167 + 2 * 4_011 + 5_000
        );
    }

    #[test]
    fn a_pause_that_a_device_needs_is_part_of_every_exchange() {
        let slow = Manners {
            between_requests_ms: 30,
            ..Manners::default()
        };
        let usual = exchange_us(LINE, Table::Input, 2, &Manners::default());
        assert_eq!(exchange_us(LINE, Table::Input, 2, &slow), usual + 30_000);
    }

    #[test]
    fn on_a_network_one_request_is_cheaper_than_two_whatever_is_in_it() {
        let cost = |count| of_read(Medium::Network, Table::Coil, count, &Manners::default());
        assert!(cost(2_000) < 2 * cost(1));
        assert!(cost(10) < cost(11));
    }
}
