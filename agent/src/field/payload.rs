//! What a message means: the payload of an MQTT message or the body of an HTTP answer to samples,
//! pure.
//!
//! A payload is whatever somebody publishes: nothing in it may do more than give bad readings. It is
//! no longer than the link's `max_payload`; JSON is parsed at most once and to a depth of 128, rows
//! of text at most once, and a document that would take more than [`GROWTH`] times `max_payload` is
//! refused before it is parsed. Of one tag no more than [`MOST_SAMPLES`] samples come out.
//! `agent/tests/message_memory.rs` measures it.

mod csv;
mod json;
pub mod sparkplug;
pub mod time;
mod value;

pub(super) use value::of_json;

use andon_core::sample::{Reading, Reason, Sample, Value};
use andon_core::tag::{Format, Place, TagIndex};
use andon_core::time::Wall;
use csv::Rows;
use jiff::tz::TimeZone;
use serde_json::Value as Json;
use std::cell::OnceCell;

/// Samples of one tag that are taken from one message: the newest.
pub const MOST_SAMPLES: usize = 256;

/// Memory that reading a message takes at most, in multiples of the largest payload. A batch of
/// samples takes about 15 times its length as a document, and one made to be large a hundred times.
pub const GROWTH: usize = 24;

/// Bytes that the values of a document take at most, each for itself and an object for its table.
const OF_VALUE: usize = 64;
const OF_OBJECT: usize = 768;

/// Bytes that a document takes at most once it is parsed.
pub(super) fn parsed_size(text: &[u8]) -> usize {
    let size = |byte: &u8| match byte {
        b'{' => OF_OBJECT,
        // All but the first in its list follow a comma.
        b'[' | b',' => OF_VALUE,
        _ => 0,
    };
    text.iter().map(size).sum()
}

/// What one place has to do with one sample of a message: nothing if it is of another tag.
type Found = Option<(Result<Value, Reason>, Option<Wall>)>;

/// A payload, ready to be looked into.
#[derive(Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    /// What it is as UTF-8.
    text: Result<&'a str, Reason>,
    /// What it is as GBK, if it is no UTF-8: machines with a Chinese Windows write such rows.
    gbk: OnceCell<Option<String>>,
    /// Bytes that a document may take.
    room: usize,
    /// The document that it is; none if it is not JSON.
    json: OnceCell<Option<Json>>,
    /// Its rows by what separates their columns.
    rows: OnceCell<Option<Rows>>,
}

/// Whose message it is, and how to take it.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// What the device is called in messages.
    pub device: &'a str,
    /// The zone of time stamps that name none.
    pub zone: &'a TimeZone,
    /// Whether it is the broker's retained copy, which is uncertain at best.
    pub retained: bool,
}

impl<'a> Payload<'a> {
    /// Looks at `bytes`, of which no more than `max` are accepted.
    pub fn new(bytes: &'a [u8], max: usize) -> Payload<'a> {
        Payload {
            bytes,
            text: text(bytes, max),
            gbk: OnceCell::new(),
            room: max.saturating_mul(GROWTH),
            json: OnceCell::new(),
            rows: OnceCell::new(),
        }
    }

    /// What it says of each of some tags of a device, those of one tag in the order of their time;
    /// nothing of a tag whose conditions it does not fulfil.
    pub fn samples<'p>(
        &self,
        tags: impl IntoIterator<Item = (TagIndex, &'p Place)>,
        reader: Reader<'_>,
    ) -> Vec<(TagIndex, Sample)> {
        let mut samples = Vec::new();
        for (tag, place) in tags {
            let begin = samples.len();
            let mut put = |reading: Result<Value, Reason>, time| {
                if samples.len() - begin >= 2 * MOST_SAMPLES {
                    keep_newest(&mut samples, begin);
                }
                samples.push((tag, sample(reading, time, reader.retained)));
            };
            if let Err(reason) = self.find(place, reader, &mut put) {
                put(Err(reason), None);
            }
            keep_newest(&mut samples, begin);
        }
        samples
    }

    /// Hands over what it says of one place; an error is about the payload as a whole.
    fn find(
        &self,
        place: &Place,
        reader: Reader<'_>,
        put: &mut impl FnMut(Result<Value, Reason>, Option<Wall>),
    ) -> Result<(), Reason> {
        match &place.format {
            Format::Bare => put(value::of_bare(self.text?, place), None),
            Format::Json(at) => {
                let text = self.text?;
                if parsed_size(text.as_bytes()) > self.room {
                    return Err(Reason::TooLong);
                }
                let json = self.json.get_or_init(|| serde_json::from_str(text).ok());
                let json = json.as_ref().ok_or(Reason::Malformed)?;
                for sample in json::samples(json, at)? {
                    if let Some((value, time)) = json::find(sample, at, place, reader) {
                        put(value, time);
                    }
                }
            }
            Format::Csv(at) => {
                let text = self.rows_text()?;
                let known = self.rows.get_or_init(|| Rows::of(text, at.separator));
                let own = match known {
                    Some(rows) if rows.is_separated_by(at.separator) => None,
                    // A second separator in one message: read it once more.
                    _ => Rows::of(text, at.separator),
                };
                let rows = own.as_ref().or(known.as_ref()).ok_or(Reason::Malformed)?;
                let (value, time) = rows.find(at, place, reader.zone);
                put(value, time);
            }
            // Its payloads are no text: `sparkplug` reads them.
            Format::Metric(_) => return Err(Reason::Malformed),
        }
        Ok(())
    }

    /// The text of rows, as UTF-8 or as GBK.
    fn rows_text(&self) -> Result<&str, Reason> {
        if self.text != Err(Reason::Malformed) {
            return self.text;
        }
        let gbk = self.gbk.get_or_init(|| {
            let text = encoding_rs::GB18030
                .decode_without_bom_handling_and_without_replacement(self.bytes)?;
            let text = text.trim();
            (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
        });
        gbk.as_deref().ok_or(Reason::Malformed)
    }
}

fn text(bytes: &[u8], max: usize) -> Result<&str, Reason> {
    if bytes.len() > max {
        return Err(Reason::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::Malformed)?;
    match text.trim_start_matches('\u{feff}').trim() {
        "" => Err(Reason::Malformed),
        text => Ok(text),
    }
}

fn sample(reading: Result<Value, Reason>, time: Option<Wall>, retained: bool) -> Sample {
    let reading = match reading {
        Ok(value) if retained => Reading::Uncertain(value, Reason::Retained),
        Ok(value) => Reading::Good(value),
        Err(reason) => Reading::Bad(reason),
    };
    Sample { reading, time }
}

/// Puts the samples of one tag into the order of their time, and leaves out all but the newest.
/// Those without a time stamp are as new as the message.
fn keep_newest(samples: &mut Vec<(TagIndex, Sample)>, begin: usize) {
    samples[begin..].sort_by_key(|(_, sample)| sample.time.unwrap_or(Wall(i64::MAX)));
    let many = samples.len() - begin;
    samples.drain(begin..begin + many.saturating_sub(MOST_SAMPLES));
}

#[cfg(test)]
mod tests;
