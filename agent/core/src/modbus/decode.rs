//! What the registers or bits of an answer mean.

use crate::sample::{Reason, Value};
use crate::tag::{Point, Tag};

/// An answer's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words<'a> {
    /// 16-bit registers.
    Registers(&'a [u16]),
    /// Bits.
    Bits(&'a [bool]),
}

/// The value at `point` in an answer that begins at address `start`.
pub fn decode(point: &Point, tag: &Tag, start: u16, words: &Words<'_>) -> Result<Value, Reason> {
    let _ = (point, tag, start, words);
    Err(Reason::BadAnswer)
}
