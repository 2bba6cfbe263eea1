//! What the reads of a serial bus come to, before anybody connects a wire.
//!
//! Only one speaks on such a bus, so the times of all exchanges add up, each as often as it is
//! made. What does not fit can be told at the desk.

use crate::line::Line;
use crate::modbus::cost::exchange_us;
use crate::modbus::plan::{Plan, Read, ReadIndex};
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
    /// Microseconds of them for the turnaround between units.
    pub turnaround_us: u64,
    /// What that comes to, in parts in a million of the time.
    pub ppm: u64,
}

impl Load {
    /// The load of a link; none if it is no serial line.
    pub fn of_link(plant: &Plant, plan: &Plan, link: LinkIndex) -> Option<Load> {
        let link_of_plant = plant.links.get(usize::from(link.0))?;
        let Medium::Serial(line) = link_of_plant.medium else {
            return None;
        };
        let mut units: Vec<u8> = plan.of_link(link).map(|(_, read)| read.unit).collect();
        units.sort_unstable();
        units.dedup();
        let is_shared = units.len() > 1;
        // What is due of a unit at one time is read in a row, and the first of it bears the
        // turnaround; a unit that needs pauses is passed over in them, and each of its reads does.
        let mut in_a_row: Vec<(u8, u64)> = Vec::new();
        let share = |(index, read): (ReadIndex, &Read)| {
            let manners = &plant.device(read.device).manners;
            let burst = (read.unit, read.every_ms);
            let follows = manners.between_requests_ms == 0 && in_a_row.contains(&burst);
            in_a_row.push(burst);
            let turnaround_us = if is_shared && !follows {
                link_of_plant.turnaround_us
            } else {
                0
            };
            let exchange_us = exchange_us(line, read.table, read.count, manners) + turnaround_us;
            Share {
                read: index,
                exchange_us,
                turnaround_us,
                ppm: exchange_us.saturating_mul(MILLION / 1000) / read.every_ms.max(1),
            }
        };
        Some(Load {
            line,
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
        let line = Line {
            baud: 9_600,
            char_bits: 11,
        };
        plant.links[0].medium = Medium::Serial(line);
        plant.links[0].turnaround_us = 50_000;
        plant.devices[1].manners = Manners {
            between_requests_ms: 10,
            ..Manners::default()
        };
        let plan = Plan::new(&plant);
        let load = Load::of_link(&plant, &plan, LinkIndex(0)).expect("a serial line");
        // Two registers: 8 and 9 characters, 9.167 and 10.313 ms, silences and thinking 13.022 ms,
        // and the turnaround between the two units, 50 ms.
        // One: 8 and 7 characters. The second device needs a pause of 10 ms each time.
        let two = 9_167 + 10_313 + 13_022 + 50_000;
        let one = 9_167 + 8_021 + 13_022 + 50_000;
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
        assert!(
            !load.fits(),
            "the turnaround alone is more than all of the time"
        );
        plant.links[0].turnaround_us = line.silent_us();
        let load = Load::of_link(&plant, &plan, LinkIndex(0)).expect("a serial line");
        assert!(load.fits());
    }

    #[test]
    fn reads_of_a_unit_in_a_row_need_one_turnaround() {
        let apart = vec![
            tag(Table::Input, 0, Kind::U16, 1000),
            tag(Table::Holding, 0, Kind::U16, 1000),
            tag(Table::Holding, 900, Kind::U16, 1000),
            tag(Table::Input, 900, Kind::U16, 5000),
        ];
        let model = model(apart);
        let turnarounds = |devices: &[_], between_requests_ms| {
            let mut plant = plant(devices);
            plant.links[0].medium = Medium::Serial(Line {
                baud: 9_600,
                char_bits: 11,
            });
            plant.links[0].turnaround_us = 7_000;
            for device in &mut plant.devices {
                device.manners.between_requests_ms = between_requests_ms;
            }
            let plan = Plan::new(&plant);
            let load = Load::of_link(&plant, &plan, LinkIndex(0)).expect("a serial line");
            let borne = load.shares.iter().filter(|share| share.turnaround_us > 0);
            borne
                .map(|share| plan.read(share.read).every_ms)
                .sum::<u64>()
        };
        assert_eq!(
            turnarounds(core::slice::from_ref(&model), 0),
            0,
            "there is no other unit"
        );
        assert_eq!(turnarounds(&[model.clone(), model.clone()], 0), 2 * 6000);
        assert_eq!(turnarounds(&[model.clone(), model], 10), 2 * 8000);
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
