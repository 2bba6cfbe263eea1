//! Tags to the fewest reads.
//!
//! Every Modbus tag is in exactly one [`Read`] of its device, table and `every`, and no read is
//! longer than a request may be or than its device allows. Addresses between two tags are read
//! along with them where that is cheaper than another request on this link: always on a network,
//! and on a serial line as long as the bytes of the gap take less time than the frames of a second
//! exchange. What a device refuses is cut out when it is known (`refused`).

use crate::modbus::cost;
use crate::plant::{Device, Manners, Medium, Model, Plant};
use crate::tag::{DeviceIndex, LinkIndex, Source, Table, TagIndex};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

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
    /// Plans the reads of a whole plant. Devices that share a model, and are asked the same way,
    /// share its lists of tags.
    pub fn new(plant: &Plant) -> Plan {
        let mut reads = Vec::new();
        let mut planned: Vec<(&Arc<Model>, Asked, Range<usize>)> = Vec::new();
        for (device, index) in plant.devices.iter().zip(0..) {
            let asked = Asked::of(plant, device);
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
                .find(|(model, how, _)| Arc::ptr_eq(model, &device.model) && *how == asked);
            if let Some((_, _, of_model)) = known {
                for at in of_model.clone() {
                    let block = Block::of(&reads[at]);
                    reads.push(read(block));
                }
            } else {
                let from = reads.len();
                reads.extend(blocks(&device.model, asked).into_iter().map(read));
                planned.push((&device.model, asked, from..reads.len()));
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

/// How a device is asked: what a read costs, and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    medium: Medium,
    manners: Manners,
}

impl Asked {
    fn of(plant: &Plant, device: &Device) -> Asked {
        let link = plant.links.get(usize::from(device.link.0));
        Asked {
            medium: link.map_or(Medium::Network, |link| link.medium),
            manners: device.manners,
        }
    }

    fn cost(&self, table: Table, count: u32) -> u64 {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        cost::of_read(self.medium, table, count, &self.manners)
    }
}

/// The cheapest blocks that hold every Modbus tag of a model.
fn blocks(model: &Model, asked: Asked) -> Vec<Block> {
    let mut places = places(model);
    places.sort_by_key(|place| (place.table, place.every_ms, place.start, place.tag));
    let groups = places.chunk_by(|a, b| (a.table, a.every_ms) == (b.table, b.every_ms));
    groups.flat_map(|group| cheapest(group, asked)).collect()
}

/// Cuts places of one table and period, in the order of their addresses, into blocks so that the
/// sum of the costs is least: for each beginning of the list, the cheapest last block with the
/// cheapest way to read what is before it.
fn cheapest(places: &[Place], asked: Asked) -> Vec<Block> {
    // Of the first n places: what they cost, and where their last block begins.
    let mut best: Vec<(u64, usize)> = Vec::with_capacity(places.len() + 1);
    best.push((0, 0));
    for upto in 1..=places.len() {
        let mut cheapest = (u64::MAX, upto - 1);
        let mut end = 0;
        for from in (0..upto).rev() {
            let first = &places[from];
            end = end.max(first.end);
            let count = end - u32::from(first.start);
            // A value that is wider than the device allows is asked for alone.
            let fits = count <= u32::from(asked.manners.most(first.table));
            if !fits && from + 1 < upto {
                break;
            }
            let cost = best[from].0.saturating_add(asked.cost(first.table, count));
            if cost < cheapest.0 {
                cheapest = (cost, from);
            }
        }
        best.push(cheapest);
    }
    let mut blocks = Vec::new();
    let mut upto = places.len();
    while upto > 0 {
        let from = best[upto].1;
        blocks.push(block(&places[from..upto]));
        upto = from;
    }
    blocks.reverse();
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
        Source::Message(_) | Source::Board(_) => None,
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

#[cfg(test)]
pub(crate) mod tests;
