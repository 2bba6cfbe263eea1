//! Tags to the fewest reads.

use crate::plant::Plant;
use crate::tag::{DeviceIndex, LinkIndex, Table, TagIndex};
use alloc::vec::Vec;

/// Index of a read in [`Plan::reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadIndex(pub u32);

/// Everything that is read over Modbus.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Every read of the plant.
    pub reads: Vec<Read>,
}

/// One request that is made again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Through which link.
    pub link: LinkIndex,
    /// For which device.
    pub device: DeviceIndex,
    /// Unit id on the wire.
    pub unit: u8,
    /// Which table.
    pub table: Table,
    /// First protocol address.
    pub start: u16,
    /// Addresses, 1 to 125 registers or 1 to 2,000 bits.
    pub count: u16,
    /// Milliseconds between two readings.
    pub every_ms: u64,
    /// The tags in the answer, in the order of the model.
    pub tags: Vec<TagIndex>,
}

impl Plan {
    /// Plans the reads of a whole plant.
    pub fn new(plant: &Plant) -> Plan {
        let _ = plant;
        Plan::default()
    }
}
