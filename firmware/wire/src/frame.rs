//! Frames: from a message to bytes on a line that may lie, and back.
//!
//! What [`Decoder`] promises:
//!
//! 1. A message comes out only if its CRC-32 matches and all of its bytes were understood.
//! 2. It reads from delimiter to delimiter. Nothing inside a frame, however it looks, starts
//!    another one: after any damage the next undamaged frame is read.
//! 3. An undamaged frame of another version is told apart from damage; the common ground
//!    ([`Message::is_common_ground`]) is read in every version.
//! 4. It holds one frame, whatever arrives, and never panics. What it throws away it counts.

use crate::{Message, ToAgent, ToBoard, VERSION};
use crc::{CRC_32_ISO_HDLC, Crc, Table};
use heapless::Vec;

/// No message is longer in postcard; a test holds the longest ones to it.
const MAX_MESSAGE: usize = 64;
const HEADER: usize = 3;
const TRAILER: usize = 4;
const MAX_CONTENT: usize = HEADER + MAX_MESSAGE + TRAILER;
const MAX_COBS: usize = cobs::max_encoding_length(MAX_CONTENT);

/// The longest frame in bytes, both delimiters counted.
pub const MAX_FRAME: usize = MAX_COBS + 2;

const DELIMITER: u8 = 0;
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// A frame as it goes out.
pub type Encoded = Vec<u8, MAX_FRAME>;

/// Puts a message into a frame. `number` is the sender's own: the next one for every frame.
pub fn encode(number: u16, message: &Message) -> Encoded {
    let mut content = [0; MAX_CONTENT];
    content[0] = VERSION;
    content[1..HEADER].copy_from_slice(&number.to_le_bytes());
    let body = postcard::to_slice(message, &mut content[HEADER..HEADER + MAX_MESSAGE])
        .expect("MAX_MESSAGE holds every message")
        .len();
    let end = HEADER + body;
    let crc = CRC.checksum(&content[..end]);
    content[end..end + TRAILER].copy_from_slice(&crc.to_le_bytes());

    let mut bytes = [0; MAX_FRAME];
    let len = cobs::encode_including_sentinels(&content[..end + TRAILER], &mut bytes);
    bytes[..len].iter().copied().collect()
}

/// A message and the number its sender gave to the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Counts up by one with each frame of the sender, from any start; wraps.
    pub number: u16,
    /// What it says.
    pub message: Message,
}

/// What came in undamaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Frame(Frame),
    /// The other end speaks this older version and says something that changed since.
    TooOld(u8),
    /// The other end speaks this newer version and says something we may not know.
    TooNew(u8),
}

/// What was thrown away since the decoder was made. The counts stop at their top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Errors {
    /// Frames that were broken on the way: COBS or CRC-32 does not fit.
    pub damaged: u32,
    /// Stretches without a delimiter that are longer than any frame.
    pub overlong: u32,
    /// Undamaged frames of our version whose content is none of our messages: the other end is
    /// built wrongly.
    pub unknown: u32,
}

/// Finds the frames in a stream of bytes.
#[derive(Debug)]
pub struct Decoder {
    partial: Vec<u8, MAX_COBS>,
    reading: Reading,
    errors: Errors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Until the next delimiter: the connection may have been made in the middle of a frame, or
    /// the frame is overlong.
    Skips,
    Collects,
}

impl Decoder {
    /// A decoder at the start of a connection: reads from the first delimiter on.
    pub const fn new() -> Decoder {
        let errors = Errors {
            damaged: 0,
            overlong: 0,
            unknown: 0,
        };
        Decoder {
            partial: Vec::new(),
            reading: Reading::Skips,
            errors,
        }
    }

    /// What was thrown away so far.
    pub const fn errors(&self) -> Errors {
        self.errors
    }

    /// Takes bytes in any portions; the iterator has to be run to its end.
    pub fn push_all<'a>(&'a mut self, bytes: &'a [u8]) -> impl Iterator<Item = Received> + 'a {
        bytes.iter().filter_map(|&byte| self.push(byte))
    }

    /// Takes one byte; a frame comes out with its closing delimiter.
    pub fn push(&mut self, byte: u8) -> Option<Received> {
        if byte == DELIMITER {
            let received = self.read();
            self.partial.clear();
            self.reading = Reading::Collects;
            return received;
        }
        if self.reading == Reading::Collects && self.partial.push(byte).is_err() {
            count(&mut self.errors.overlong);
            self.partial.clear();
            self.reading = Reading::Skips;
        }
        None
    }

    /// Reads what was collected between two delimiters: nothing, a frame, or something broken.
    fn read(&mut self) -> Option<Received> {
        if self.partial.is_empty() {
            return None;
        }
        let Some((version, number, message)) = open(&mut self.partial) else {
            count(&mut self.errors.damaged);
            return None;
        };
        match parse(message) {
            Some(message) if version == VERSION || message.is_common_ground() => {
                Some(Received::Frame(Frame { number, message }))
            }
            _ if version < VERSION => Some(Received::TooOld(version)),
            _ if version > VERSION => Some(Received::TooNew(version)),
            _ => {
                count(&mut self.errors.unknown);
                None
            }
        }
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

/// Takes the envelope off: version, number and the bytes of the message, if it is undamaged.
fn open(cobs: &mut [u8]) -> Option<(u8, u16, &[u8])> {
    let len = cobs::decode_in_place(cobs).ok()?;
    let (content, crc) = cobs[..len].split_last_chunk::<TRAILER>()?;
    if CRC.checksum(content) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (&[version, low, high], message) = content.split_first_chunk::<HEADER>()?;
    Some((version, u16::from_le_bytes([low, high]), message))
}

/// The message, if it is one of ours to its last byte (postcard alone ignores what follows).
fn parse(bytes: &[u8]) -> Option<Message> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Some(message),
        _ => None,
    }
}

fn count(errors: &mut u32) {
    *errors = errors.saturating_add(1);
}

impl Message {
    /// Whether every version, past and future, writes and reads this message as we do.
    pub const fn is_common_ground(&self) -> bool {
        matches!(
            self,
            Message::ToBoard(ToBoard::AskHello | ToBoard::EnterBootloader)
                | Message::ToAgent(ToAgent::Hello(_))
        )
    }
}
