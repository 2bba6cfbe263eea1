//! How far the newest directory reached, noted outside of it: a log that is damaged in the middle
//! looks to sled like one that ends there, and what came after would vanish without a word.
//!
//! Written after each commit, in place and without a sync of its own: it may lag after a power
//! cut, and then tells less; it is never ahead of what is durable.

use super::index::Name;
use super::pack::{encode, seal, unseal};
use andon_core::record::{Event, Run};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const KEY: &[u8] = b"witness";
/// Always the same size, so that writing it again replaces all of it.
const SIZE: usize = 64;

/// How far the newest directory reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// First position of the directory.
    pub base: u64,
    /// The next position.
    pub next: u64,
    /// The run that committed last.
    pub run: Run,
    /// Its last number.
    pub seq: u64,
}

impl Witness {
    /// Notes it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut body = encode(self);
        body.resize(SIZE, 0);
        let note = seal(KEY, &body);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.write_all_at(&note, 0)
    }

    /// What was noted; none if that cannot be read.
    pub fn read(path: &Path) -> Option<Witness> {
        let note = fs::read(path).ok()?;
        let (witness, _) = postcard::take_from_bytes(unseal(KEY, &note).ok()?).ok()?;
        Some(witness)
    }

    /// What is missing of the directory `name` that reaches to `next` only.
    pub fn missing(&self, name: Name, next: u64) -> Option<Event> {
        let count = self.next.checked_sub(next).filter(|count| *count > 0)?;
        (self.base == name.base).then(|| {
            let known = self.seq >= count;
            Event::Loss {
                why: String::from("missing from the end of the outbox's newest file"),
                run: known.then_some(self.run),
                seq_from: if known { self.seq - count + 1 } else { 0 },
                seq_to: if known { self.seq } else { 0 },
                count,
                class: None,
            }
        })
    }
}
