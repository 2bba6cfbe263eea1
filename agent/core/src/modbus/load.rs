//! What the reads of a serial bus come to, before anybody connects a wire.
//!
//! Only one speaks on such a bus, so the times of all exchanges add up, each as often as it is
//! made. What does not fit can be told at the desk.

use crate::line::Line;
use crate::modbus::cost::exchange_us;
use crate::modbus::plan::{Plan, ReadIndex};
use crate::plant::{Medium, Plant};
use crate::tag::LinkIndex;
use alloc::vec::Vec;

/// Parts in a million.
const MILLION: u64 = 1_000_000;

/// What a serial bus has to bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The line.
    pub line: Line,
    /// Microseconds of each exchange for the turnaround between units; 0 if there is one unit only.
    pub turnaround_us: u64,
    /// Every read with its share, in the order of the plan.
    pub shares: Vec<Share>,
}

/// What one read takes of its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which read.
    pub read: ReadIndex,
    /// Microseconds that it takes each time.
    pub exchange_us: u64,
    /// What that comes to, in parts in a million of the time.
    pub ppm: u64,
}

impl Load {
    /// The load of a link; none if it is no serial line.
    pub fn of_link(plant: &Plant, plan: &Plan, link: LinkIndex) -> Option<Load> {
        let Medium::Serial(line) = plant.links.get(usize::from(link.0))?.medium else {
            return None;
        };
        let mut units: Vec<u8> = plan.of_link(link).map(|(_, read)| read.unit).collect();
        units.sort_unstable();
        units.dedup();
        // Not every exchange is with another unit than the last, but each may be.
        let turnaround_us = if units.len() > 1 {
            line.turnaround_us()
        } else {
            0
        };
        let share = |(index, read): (ReadIndex, &crate::modbus::plan::Read)| {
            let manners = &plant.device(read.device).manners;
            let exchange_us = exchange_us(line, read.table, read.count, manners) + turnaround_us;
            Share {
                read: index,
                exchange_us,
                ppm: exchange_us.saturating_mul(MILLION / 1000) / read.every_ms.max(1),
            }
        };
        Some(Load {
            line,
            turnaround_us,
            shares: plan.of_link(link).map(share).collect(),
        })
    }

    /// The share of the time in which the bus is in use, in parts in a million; more than a
    /// million is more than there is.
    pub fn ppm(&self) -> u64 {
        self.shares.iter().map(|share| share.ppm).sum()
    }

    /// Whether everything can be read as often as it is wanted.
    pub fn fits(&self) -> bool {
        self.ppm() <= MILLION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::plan::tests::{model, plant, tag};
    use crate::plant::Manners;
    use crate::tag::{Kind, Table};
    use alloc::vec;

    #[test]
    fn a_bus_bears_the_sum_of_its_exchanges() {
        let tags = vec![
            tag(Table::Input, 52, Kind::F32, 100),
            tag(Table::Holding, 0, Kind::U16, 1000),
        ];
        let model = model(tags);
        let mut plant = plant(&[model.clone(), model]);
        plant.links[0].medium = Medium::Serial(Line {
            baud: 9_600,
            char_bits: 11,
        });
        plant.devices[1].manners = Manners {
            between_requests_ms: 10,
            ..Manners::default()
        };
        let plan = Plan::new(&plant);
        let load = Load::of_link(&plant, &plan, LinkIndex(0)).expect("a serial line");
        // Two registers: 8 and 9 characters, 9.167 and 10.313 ms, silences and thinking 13.022 ms,
        // and the turnaround between the two units, 4.011 ms.
        // One: 8 and 7 characters. The second device needs a pause of 10 ms each time.
        let two = 9_167 + 10_313 + 13_022 + 4_011;
        let one = 9_167 + 8_021 + 13_022 + 4_011;
        let expected = [one, two, one + 10_000, two + 10_000];
        let mut times: Vec<u64> = load.shares.iter().map(|share| share.exchange_us).collect();
        times.sort_unstable();
        let mut sorted = expected;
        sorted.sort_unstable();
        assert_eq!(times, sorted);
        assert_eq!(
            load.ppm(),
            two * 10 + one + (two + 10_000) * 10 + one + 10_000
        );
        assert!(load.fits());
    }

    #[test]
    fn what_does_not_fit_is_told_and_a_network_has_no_load() {
        let model = model(vec![tag(Table::Input, 0, Kind::U16, 20)]);
        let mut plant = plant(&[model]);
        let plan = Plan::new(&plant);
        assert_eq!(Load::of_link(&plant, &plan, LinkIndex(0)), None);
        plant.links[0].medium = Medium::Serial(Line {
            baud: 9_600,
            char_bits: 11,
        });
        let load = Load::of_link(&plant, &plan, LinkIndex(0)).expect("a serial line");
        assert!(!load.fits());
    }
}
