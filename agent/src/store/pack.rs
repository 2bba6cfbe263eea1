//! The stored form: records of one run packed into values, and larger things cut into chunks.
//!
//! Records are packed by their hundreds and deflated: what the minutes of many machines have in common
//! is stored once. Every value is small enough for sled never to write a blob file ([`MAX_VALUE`]) and
//! carries a CRC-32 over its key and itself. What identifies the records (positions, run, numbers) stands
//! in the key, so that a damaged value still tells what was lost with it.

use andon_core::record::{Class, Record, Run, STORED_VERSION};
use andon_core::time::Wall;
use crc::{CRC_32_ISO_HDLC, Crc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// Largest value in bytes. sled writes larger pages beside its log, to files that it never
/// syncs; with 512 KiB segments this bound keeps it from doing so.
pub const MAX_VALUE: usize = 7_500;

/// First byte of the key of a pack.
pub const PACK: u8 = b'p';
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// Version and CRC.
const FRAME: usize = 5;
/// How a body is stored.
const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;
/// How hard is tried to make it small: more takes much longer and gains little.
const LEVEL: u8 = 6;
/// Before each record: how many positions are skipped.
const SKIP: usize = 3;
/// Records are packed together up to so many bytes, before they are deflated.
const PACKED: usize = 16 * 1024;
/// More than this nothing is inflated to: it would not be ours.
const INFLATED_MAX: usize = 16 * 1024 * 1024;
/// Counter, index and number of chunks.
const CHUNK_HEAD: usize = 12;

/// What a value cannot be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Too short, or the CRC does not fit.
    Crc,
    /// Written by another version.
    Version(u8),
    /// The content is not what was written.
    Content,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Crc => f.write_str("its checksum does not fit"),
            Unreadable::Version(version) => {
                write!(
                    f,
                    "it has version {version}, this agent reads {STORED_VERSION}"
                )
            }
            Unreadable::Content => f.write_str("its content makes no sense"),
        }
    }
}

/// What the key of a pack says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Position of the first record.
    #[serde(skip)]
    pub first: u64,
    /// The run that made the records.
    pub run: Run,
    /// Number of the first record; numbers rise with the positions.
    pub seq: u64,
    /// How many positions; some may be skipped, where a rewriting left records out.
    pub count: u16,
    /// When the first record was made.
    pub ts: Wall,
}

impl Head {
    /// The positions that it covers.
    pub fn positions(&self) -> Range<u64> {
        self.first..self.first + u64::from(self.count)
    }

    /// The key: packs sort by position.
    pub fn key(&self) -> Vec<u8> {
        let mut key = vec![PACK];
        key.extend(self.first.to_be_bytes());
        key.extend(encode(self));
        key
    }

    /// Reads a key back.
    pub fn parse(key: &[u8]) -> Option<Head> {
        let rest = key.strip_prefix(&[PACK])?;
        let (first, rest) = rest.split_first_chunk()?;
        let mut head: Head = postcard::from_bytes(rest).ok()?;
        head.first = u64::from_be_bytes(*first);
        Some(head)
    }
}

/// The position in the key of a pack; none in others.
pub fn position(key: &[u8]) -> Option<u64> {
    let first = key.strip_prefix(&[PACK])?.first_chunk()?;
    Some(u64::from_be_bytes(*first))
}

/// A pack, ready to be stored.
#[derive(Debug, Clone)]
pub struct Pack {
    /// What it holds.
    pub head: Head,
    /// How many of each class.
    pub classes: [u32; 3],
    /// Its value.
    pub value: Vec<u8>,
}

/// Whether a value can hold the record.
pub fn fits(record: &Record) -> bool {
    encode(record).len() < MAX_VALUE - FRAME - SKIP
}

/// Packs records that [`fits`] let through, in the order of their positions.
pub fn pack<'a>(records: impl IntoIterator<Item = (u64, Run, &'a Record)>) -> Vec<Pack> {
    let mut packs = Vec::new();
    let mut items: Vec<Item<'a>> = Vec::new();
    let mut size = 0;
    for (position, run, record) in records {
        let bytes = encode(record);
        let goes_on = items.first().is_none_or(|first| {
            size + SKIP + bytes.len() <= PACKED
                && first.run == run
                && position - first.position < u64::from(u16::MAX)
                && first.record.seq + (position - first.position) == record.seq
        });
        if !goes_on {
            close(&items, &mut packs);
            items.clear();
            size = 0;
        }
        size += SKIP + bytes.len();
        items.push(Item {
            position,
            run,
            record,
            bytes,
        });
    }
    close(&items, &mut packs);
    packs
}

/// A record that is packed.
struct Item<'a> {
    position: u64,
    run: Run,
    record: &'a Record,
    bytes: Vec<u8>,
}

/// Makes a pack, or two if it would become too large.
fn close(items: &[Item<'_>], packs: &mut Vec<Pack>) {
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return;
    };
    let mut body = Vec::new();
    let mut classes = [0; 3];
    let mut next = first.position;
    for item in items {
        body.extend(encode(&(item.position - next)));
        body.extend(&item.bytes);
        classes[class_index(item.record.body.class())] += 1;
        next = item.position + 1;
    }
    let body = deflated(&body);
    if items.len() > 1 && FRAME + body.len() > MAX_VALUE {
        let (one, other) = items.split_at(items.len() / 2);
        close(one, packs);
        close(other, packs);
        return;
    }
    let head = Head {
        first: first.position,
        run: first.run,
        seq: first.record.seq,
        count: (last.position - first.position) as u16 + 1,
        ts: first.record.ts,
    };
    let value = seal(&head.key(), &body);
    packs.push(Pack {
        head,
        classes,
        value,
    });
}

/// Bytes made smaller, if they can be.
pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    let small = miniz_oxide::deflate::compress_to_vec(bytes, LEVEL);
    let (how, content) = match small.len() < bytes.len() {
        true => (DEFLATED, &*small),
        false => (PLAIN, bytes),
    };
    let mut body = Vec::with_capacity(1 + content.len());
    body.push(how);
    body.extend(content);
    body
}

/// Reads [`deflated`] back.
pub fn inflated(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    match body.split_first() {
        Some((&PLAIN, content)) => Ok(content.to_vec()),
        Some((&DEFLATED, content)) => {
            miniz_oxide::inflate::decompress_to_vec_with_limit(content, INFLATED_MAX)
                .map_err(|_| Unreadable::Content)
        }
        _ => Err(Unreadable::Content),
    }
}

/// The records of a pack with their positions.
pub fn unpack(head: &Head, value: &[u8]) -> Result<Vec<(u64, Record)>, Unreadable> {
    let body = inflated(unseal(&head.key(), value)?)?;
    let mut rest = &*body;
    let mut records = Vec::new();
    let mut next = head.first;
    while !rest.is_empty() {
        let (skipped, record): (u64, Record);
        ((skipped, record), rest) =
            postcard::take_from_bytes(rest).map_err(|_| Unreadable::Content)?;
        records.push((next + skipped, record));
        next += skipped + 1;
    }
    if next == head.positions().end {
        Ok(records)
    } else {
        Err(Unreadable::Content)
    }
}

/// Index of a class in counts by class.
pub const fn class_index(class: Class) -> usize {
    match class {
        Class::Summary => 0,
        Class::Event => 1,
        Class::Alarm => 2,
    }
}

/// Cuts `bytes` into values under keys that begin with `name`; `number` marks what belongs
/// together, so that chunks of two writings are never taken for one.
pub fn chunks(name: &[u8], number: u64, bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let size = MAX_VALUE - FRAME - CHUNK_HEAD;
    let of = bytes.len().div_ceil(size).max(1);
    (0..of)
        .map(|index| {
            let part = &bytes[index * size..bytes.len().min((index + 1) * size)];
            let key = chunk_key(name, index);
            let mut body = number.to_le_bytes().to_vec();
            body.extend((index as u16).to_le_bytes());
            body.extend((of as u16).to_le_bytes());
            body.extend(part);
            let value = seal(&key, &body);
            (key, value)
        })
        .collect()
}

/// The key of a chunk.
pub fn chunk_key(name: &[u8], index: usize) -> Vec<u8> {
    let mut key = name.to_vec();
    key.extend((index as u16).to_be_bytes());
    key
}

/// Puts chunks together again; none if there are none.
pub fn join<V: AsRef<[u8]>>(
    name: &[u8],
    mut chunk: impl FnMut(&[u8]) -> Option<V>,
) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut bytes = Vec::new();
    let mut expected = None;
    for index in 0.. {
        let key = chunk_key(name, index);
        let Some(value) = chunk(&key) else {
            return if index == 0 {
                Ok(None)
            } else {
                Err(Unreadable::Content)
            };
        };
        let body = unseal(&key, value.as_ref())?;
        let (head, part) = body
            .split_first_chunk::<CHUNK_HEAD>()
            .ok_or(Unreadable::Content)?;
        let (number, place) = head.split_at(8);
        let (at, of) = place.split_at(2);
        if at != (index as u16).to_le_bytes()
            || *expected.get_or_insert_with(|| [number, of].concat()) != [number, of].concat()
        {
            return Err(Unreadable::Content);
        }
        bytes.extend(part);
        if of == (index as u16 + 1).to_le_bytes() {
            break;
        }
    }
    Ok(Some(bytes))
}

/// The stored form of our own types.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("plain data of known length always serialises")
}

/// Reads [`encode`] back.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    postcard::from_bytes(bytes).map_err(|_| Unreadable::Content)
}

/// A value: version and checksum before its body.
pub fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    seal_as(STORED_VERSION, key, body)
}

/// Puts version and checksum before a value's body.
pub(super) fn seal_as(version: u8, key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(FRAME + body.len());
    value.push(version);
    value.extend(checksum(key, version, body).to_le_bytes());
    value.extend(body);
    value
}

/// The body of a value.
pub fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Unreadable> {
    let (frame, body) = value.split_first_chunk::<FRAME>().ok_or(Unreadable::Crc)?;
    let [version, crc @ ..] = *frame;
    if u32::from_le_bytes(crc) != checksum(key, version, body) {
        return Err(Unreadable::Crc);
    }
    if version != STORED_VERSION {
        return Err(Unreadable::Version(version));
    }
    Ok(body)
}

fn checksum(key: &[u8], version: u8, body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(key);
    digest.update(&[version]);
    digest.update(body);
    digest.finalize()
}
