//! Messages and reports that a modem has received: SMS-DELIVER and SMS-STATUS-REPORT (3GPP TS 23.040,
//! §9.2.2.1 and §9.2.2.3), behind the address of the service centre.

use super::gsm7;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What a modem has received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message of somebody.
    Message(Message),
    /// What became of one that was sent.
    Report(Report),
}

/// A message of somebody, or a segment of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who sent it: a number, or the name of a service.
    pub from: String,
    /// Its text, as far as it is one.
    pub text: String,
    /// Which segment it is.
    pub part: Option<Part>,
    /// When the service centre had it, as it tells.
    pub at: Option<DateTime>,
    /// The offset from UTC of that time.
    pub offset: Option<Offset>,
}

/// Which segment of a long text a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Common to all segments of the text.
    pub reference: u16,
    /// From 1.
    pub index: u8,
    /// How many there are.
    pub of: u8,
}

/// What became of a message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The number that the modem gave it in `+CMGS`.
    pub reference: u8,
    /// Who it was for.
    pub to: String,
    /// How far it has come.
    pub outcome: Outcome,
}

/// How far a message has come (TP-Status, §9.2.3.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered.
    Delivered,
    /// The network is still trying.
    Trying,
    /// It will not be delivered; the code says why.
    Failed(u8),
}

/// Why octets are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not pairs of hexadecimal digits.
    NotHex,
    /// It ends too early.
    Short,
    /// Of another type than a message or a report.
    Type,
    /// Its header is longer than what it heads.
    Header,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::NotHex => "it is not hexadecimal",
            Malformed::Short => "it ends too early",
            Malformed::Type => "it is neither a message nor a report",
            Malformed::Header => "its header is longer than the message",
        })
    }
}

/// What a modem shows of a message that it has received.
pub fn receive(hex: &str) -> Result<Received, Malformed> {
    let octets = from_hex(hex.trim())?;
    let mut rest = Octets(&octets);
    let centre = rest.next()?;
    rest.take(usize::from(centre))?;
    let first = rest.next()?;
    match first & 0b11 {
        0b00 => message(first, rest).map(Received::Message),
        0b10 => report(rest).map(Received::Report),
        _ => Err(Malformed::Type),
    }
}

fn from_hex(hex: &str) -> Result<Vec<u8>, Malformed> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let text = core::str::from_utf8(pair).map_err(|_| Malformed::NotHex)?;
            let plain = pair.len() == 2 && !text.starts_with('+');
            plain
                .then(|| u8::from_str_radix(text, 16).ok())
                .flatten()
                .ok_or(Malformed::NotHex)
        })
        .collect()
}

/// What is left of a message.
struct Octets<'o>(&'o [u8]);

impl<'o> Octets<'o> {
    fn next(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'o [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An address: its length in half octets, its type, its digits or letters.
    fn address(&mut self) -> Result<String, Malformed> {
        const ALPHANUMERIC: u8 = 0b101;
        const INTERNATIONAL: u8 = 0b001;
        let halves = usize::from(self.next()?);
        let kind = self.next()? >> 4 & 0b111;
        let octets = self.take(halves.div_ceil(2))?;
        if kind == ALPHANUMERIC {
            let septets = gsm7::unpack(octets, halves * 4 / 7, 0).ok_or(Malformed::Short)?;
            return Ok(gsm7::decode(&septets));
        }
        let digits = octets.iter().flat_map(|octet| [octet & 0xF, octet >> 4]);
        let shown = digits.take(halves).filter_map(|digit| match digit {
            0..=9 => Some(char::from(b'0' + digit)),
            0xA => Some('*'),
            0xB => Some('#'),
            0xC..=0xE => Some(char::from(b'a' + digit - 0xC)),
            _ => None,
        });
        let plus = (kind == INTERNATIONAL).then_some('+');
        Ok(plus.into_iter().chain(shown).collect())
    }

    /// A time stamp of seven octets; none if it is no time.
    fn time(&mut self) -> Result<Option<(DateTime, Offset)>, Malformed> {
        let octets = self.take(7)?;
        let two = |octet: u8| i16::from(octet & 0xF) * 10 + i16::from(octet >> 4);
        let small = |octet: u8| i8::try_from(two(octet)).unwrap_or(i8::MAX);
        let civil = DateTime::new(
            2000 + two(octets[0]),
            small(octets[1]),
            small(octets[2]),
            small(octets[3]),
            small(octets[4]),
            small(octets[5]),
            0,
        );
        // Quarters of an hour; the sign is a bit of the first digit.
        let quarters = i32::from(two(octets[6] & !0x08));
        let sign = if octets[6] & 0x08 == 0 { 1 } else { -1 };
        let offset = Offset::from_seconds(sign * quarters * 900);
        Ok(civil.ok().zip(offset.ok()))
    }
}

fn message(first: u8, mut rest: Octets<'_>) -> Result<Message, Malformed> {
    const HAS_HEADER: u8 = 0x40;
    let from = rest.address()?;
    let _protocol = rest.next()?;
    let scheme = rest.next()?;
    let time = rest.time()?;
    let length = usize::from(rest.next()?);
    let data = rest.0;
    let (header, part) = match first & HAS_HEADER {
        0 => (0, None),
        _ => header(data)?,
    };
    let text = match alphabet(scheme) {
        Alphabet::Septets => {
            let skipped = (header * 8).div_ceil(7);
            let count = length.checked_sub(skipped).ok_or(Malformed::Header)?;
            let septets = gsm7::unpack(data, count, skipped * 7).ok_or(Malformed::Short)?;
            gsm7::decode(&septets)
        }
        Alphabet::Units => {
            let octets = data.get(header..length).ok_or(Malformed::Short)?;
            let units = octets
                .chunks_exact(2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]));
            char::decode_utf16(units)
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        Alphabet::Octets => String::new(),
    };
    Ok(Message {
        from,
        text,
        part,
        at: time.map(|(at, _)| at),
        offset: time.map(|(_, offset)| offset),
    })
}

/// Length of the header with its length octet, and the segment it tells of.
fn header(data: &[u8]) -> Result<(usize, Option<Part>), Malformed> {
    let mut rest = Octets(data);
    let length = rest.next()?;
    let mut elements = Octets(rest.take(usize::from(length))?);
    let mut part = None;
    while !elements.0.is_empty() {
        let kind = elements.next().map_err(|_| Malformed::Header)?;
        let length = elements.next().map_err(|_| Malformed::Header)?;
        let content = elements
            .take(usize::from(length))
            .map_err(|_| Malformed::Header)?;
        part = match (kind, content) {
            (0x00, &[reference, of, index]) => Some(Part {
                reference: reference.into(),
                index,
                of,
            }),
            (0x08, &[high, low, of, index]) => Some(Part {
                reference: u16::from_be_bytes([high, low]),
                index,
                of,
            }),
            _ => part,
        };
    }
    let is_one = |part: &Part| (1..=part.of).contains(&part.index);
    Ok((usize::from(length) + 1, part.filter(is_one)))
}

enum Alphabet {
    Septets,
    Octets,
    Units,
}

/// The alphabet that a data coding scheme names (TS 23.038, §4).
const fn alphabet(scheme: u8) -> Alphabet {
    let general = match scheme >> 4 {
        0x0..=0x7 => scheme >> 2 & 0b11,
        0xE => 0b10,
        0xF => scheme >> 2 & 0b01,
        _ => 0b00,
    };
    match general {
        0b01 => Alphabet::Octets,
        0b10 => Alphabet::Units,
        _ => Alphabet::Septets,
    }
}

fn report(mut rest: Octets<'_>) -> Result<Report, Malformed> {
    let reference = rest.next()?;
    let to = rest.address()?;
    rest.time()?;
    rest.time()?;
    let status = rest.next()?;
    let outcome = match status {
        0x00..=0x1F => Outcome::Delivered,
        0x20..=0x3F => Outcome::Trying,
        _ => Outcome::Failed(status),
    };
    Ok(Report {
        reference,
        to,
        outcome,
    })
}
