//! Tags to the fewest reads.
//!
//! Every Modbus tag is in exactly one [`Read`] of its device, table and `every`, and no read is
//! longer than a request may be. Addresses between two tags are read along with them: on TCP a
//! gap costs nothing, a request costs a round trip.

use crate::plant::{Model, Plant};
use crate::tag::{DeviceIndex, LinkIndex, Source, Table, TagIndex};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// Registers in one read (Modbus Application Protocol 1.1b3, §6.3 and §6.4).
pub const MAX_REGISTERS: u16 = 125;

/// Bits in one read (Modbus Application Protocol 1.1b3, §6.1 and §6.2).
pub const MAX_BITS: u16 = 2_000;

/// One past the last protocol address.
const ADDRESSES: u32 = 0x1_0000;

/// Index of a read in [`Plan::reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadIndex(pub u32);

/// Everything that is read over Modbus.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Every read of the plant, those of one device together.
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
    /// The tags in the answer, in the order of the model; shared by the devices of a model.
    pub tags: Arc<[TagIndex]>,
}

impl Plan {
    /// Plans the reads of a whole plant. Devices that share a model share its lists of tags.
    pub fn new(plant: &Plant) -> Plan {
        let mut reads = Vec::new();
        let mut planned: Vec<(&Arc<Model>, Range<usize>)> = Vec::new();
        for (device, index) in plant.devices.iter().zip(0..) {
            let read = |block: Block| Read {
                link: device.link,
                device: DeviceIndex(index),
                unit: device.unit,
                table: block.table,
                start: block.start,
                count: block.count,
                every_ms: block.every_ms,
                tags: block.tags,
            };
            let known = planned
                .iter()
                .find(|(model, _)| Arc::ptr_eq(model, &device.model));
            if let Some((_, of_model)) = known {
                for at in of_model.clone() {
                    let block = Block::of(&reads[at]);
                    reads.push(read(block));
                }
            } else {
                let from = reads.len();
                reads.extend(blocks(&device.model).into_iter().map(read));
                planned.push((&device.model, from..reads.len()));
            }
        }
        Plan { reads }
    }

    /// The read with this index.
    pub fn read(&self, index: ReadIndex) -> &Read {
        &self.reads[index.0 as usize]
    }

    /// The reads that go through `link`.
    pub fn of_link(&self, link: LinkIndex) -> impl Iterator<Item = (ReadIndex, &Read)> {
        (0..)
            .map(ReadIndex)
            .zip(&self.reads)
            .filter(move |(_, read)| read.link == link)
    }
}

/// A read without the device it goes to.
struct Block {
    table: Table,
    start: u16,
    count: u16,
    every_ms: u64,
    tags: Arc<[TagIndex]>,
}

impl Block {
    fn of(read: &Read) -> Block {
        Block {
            table: read.table,
            start: read.start,
            count: read.count,
            every_ms: read.every_ms,
            tags: read.tags.clone(),
        }
    }
}

/// The fewest blocks that hold every Modbus tag of a model: always from the lowest address that
/// is not covered yet, as far as one request reaches.
fn blocks(model: &Model) -> Vec<Block> {
    let mut places = places(model);
    places.sort_by_key(|place| (place.table, place.every_ms, place.start, place.tag));
    let mut blocks = Vec::new();
    let mut rest = &places[..];
    while let Some(first) = rest.first() {
        let reach = u32::from(first.start) + u32::from(limit(first.table));
        let fits = |place: &&Place| {
            (place.table, place.every_ms) == (first.table, first.every_ms) && place.end <= reach
        };
        let (together, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        blocks.push(block(together));
        rest = later;
    }
    blocks
}

/// Where one tag lies.
struct Place {
    table: Table,
    every_ms: u64,
    start: u16,
    /// One past its last address, in 32 bits because it may be 65,536.
    end: u32,
    tag: TagIndex,
}

fn places(model: &Model) -> Vec<Place> {
    let point = |(tag, index): (&crate::tag::Tag, u16)| match &tag.source {
        Source::Modbus(point) => Some(Place {
            table: point.table,
            every_ms: tag.every_ms,
            start: point.address,
            end: (u32::from(point.address) + u32::from(point.width())).min(ADDRESSES),
            tag: TagIndex(index),
        }),
        Source::Mqtt(_) => None,
    };
    model.tags.iter().zip(0..).filter_map(point).collect()
}

fn block(places: &[Place]) -> Block {
    let first = &places[0];
    let end = places
        .iter()
        .map(|place| place.end)
        .max()
        .unwrap_or(first.end);
    let mut tags: Vec<TagIndex> = places.iter().map(|place| place.tag).collect();
    tags.sort_unstable();
    Block {
        table: first.table,
        start: first.start,
        count: u16::try_from(end - u32::from(first.start)).unwrap_or(u16::MAX),
        every_ms: first.every_ms,
        tags: tags.into(),
    }
}

/// Addresses that one read of `table` may ask for.
pub const fn limit(table: Table) -> u16 {
    if table.is_bits() {
        MAX_BITS
    } else {
        MAX_REGISTERS
    }
}

#[cfg(test)]
pub(crate) mod tests;
