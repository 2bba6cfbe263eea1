//! Messages to be sent: a text in as many SMS-SUBMIT as it needs (3GPP TS 23.040, §9.2.2.2). In front
//! of each stands an empty address of the service centre (TS 27.005, §3.1): the SIM's is taken.

use super::gsm7;
use super::number::Number;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Octets of a message.
const OCTETS: usize = 140;

/// Septets of a message.
const SEPTETS: usize = 160;

/// Length octet and the element of a concatenated message with a reference of one octet.
const HEADER: usize = 6;

/// Most segments that are sent for one text: longer ones cost money and are not read.
pub const MOST_SEGMENTS: usize = 8;

/// How a text is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit<'t> {
    /// Who is to get it.
    pub to: &'t Number,
    /// The text.
    pub text: &'t str,
    /// After this many minutes the network need not try any more; none leaves it to the network.
    pub valid_min: Option<u32>,
    /// Whether a report of delivery is asked for.
    pub report: bool,
    /// Joins the segments of a long text: another one for each text.
    pub reference: u8,
}

/// One message for `AT+CMGS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// All of it in hexadecimal digits, with an empty service centre in front: the SIM's is taken.
    pub hex: String,
    /// Its octets without the service centre: the argument of `AT+CMGS`.
    pub length: usize,
}

/// The alphabet of a text with its characters in it.
enum Coded {
    Septets(Vec<u8>),
    Units(Vec<u16>),
}

impl Coded {
    fn of(text: &str) -> Coded {
        gsm7::encode(text).map_or_else(
            || Coded::Units(text.encode_utf16().collect()),
            Coded::Septets,
        )
    }
}

/// How many messages a text takes, and whether it takes the short ones of UCS-2.
pub fn segments(text: &str) -> (usize, bool) {
    match Coded::of(text) {
        Coded::Septets(septets) => (cut_septets(&septets).len(), false),
        Coded::Units(units) => (cut_units(&units).len(), true),
    }
}

/// The messages of a text; none if they are more than [`MOST_SEGMENTS`].
pub fn submit(wanted: &Submit<'_>) -> Option<Vec<Unit>> {
    let (scheme, parts): (u8, Vec<(usize, Vec<u8>)>) = match Coded::of(wanted.text) {
        Coded::Septets(septets) => {
            let parts = cut_septets(&septets);
            let alone = parts.len() < 2;
            let packed = parts.iter().map(|part| match alone {
                true => (part.len(), gsm7::pack(part, 0)),
                // Six octets of header are 48 bits; one more begins the next septet.
                false => (part.len() + 7, gsm7::pack(part, 1)),
            });
            (0x00, packed.collect())
        }
        Coded::Units(units) => {
            let parts = cut_units(&units);
            let header = if parts.len() < 2 { 0 } else { HEADER };
            let packed = parts.iter().map(|part| {
                let octets: Vec<u8> = part.iter().flat_map(|unit| unit.to_be_bytes()).collect();
                (octets.len() + header, octets)
            });
            (0x08, packed.collect())
        }
    };
    if parts.len() > MOST_SEGMENTS {
        return None;
    }
    let many = u8::try_from(parts.len()).ok()?;
    let unit = |(index, (length, data)): (u8, &(usize, Vec<u8>))| {
        let mut octets = Vec::with_capacity(OCTETS + 20);
        let concatenated = many > 1;
        octets.push(first_octet(wanted, concatenated));
        // The modem numbers messages itself; those of one text are told apart here.
        octets.push(index);
        octets.push(u8::try_from(wanted.to.len()).ok()?);
        octets.push(wanted.to.kind());
        octets.extend(wanted.to.octets());
        octets.extend([0x00, scheme]);
        octets.extend(wanted.valid_min.map(validity));
        octets.push(u8::try_from(*length).ok()?);
        if concatenated {
            octets.extend([0x05, 0x00, 0x03, wanted.reference, many, index + 1]);
        }
        octets.extend(data);
        let digits = octets.iter().map(|octet| format!("{octet:02X}"));
        Some(Unit {
            hex: core::iter::once(String::from("00")).chain(digits).collect(),
            length: octets.len(),
        })
    };
    (0..many).zip(&parts).map(unit).collect()
}

fn first_octet(wanted: &Submit<'_>, concatenated: bool) -> u8 {
    const SUBMIT: u8 = 0x01;
    const RELATIVE_VALIDITY: u8 = 0x10;
    const REPORT: u8 = 0x20;
    const HAS_HEADER: u8 = 0x40;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    SUBMIT
        | flag(wanted.valid_min.is_some(), RELATIVE_VALIDITY)
        | flag(wanted.report, REPORT)
        | flag(concatenated, HAS_HEADER)
}

/// The shortest relative validity period (§9.2.3.12.1) that is not shorter than `minutes`; at most
/// 63 weeks.
fn validity(minutes: u32) -> u8 {
    const HOUR: u32 = 60;
    const DAY: u32 = 24 * HOUR;
    let code = match minutes {
        0..=720 => minutes.div_ceil(5).max(1) - 1,
        721..=1440 => 143 + (minutes - 12 * HOUR).div_ceil(30),
        1441..=43_200 => 166 + minutes.div_ceil(DAY),
        _ => 192 + minutes.div_ceil(7 * DAY).max(5),
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// One piece if it fits, or pieces that leave room for the header and cut no escape from what it
/// leads to.
fn cut_septets(septets: &[u8]) -> Vec<&[u8]> {
    if septets.len() <= SEPTETS {
        return alloc::vec![septets];
    }
    cut(septets, SEPTETS - 7, |last| *last == gsm7::ESCAPE)
}

/// The same of UTF-16, which cuts no pair of surrogates.
fn cut_units(units: &[u16]) -> Vec<&[u16]> {
    if units.len() <= OCTETS / 2 {
        return alloc::vec![units];
    }
    cut(units, (OCTETS - HEADER) / 2, |last| {
        (0xD800..0xDC00).contains(last)
    })
}

fn cut<T>(mut rest: &[T], most: usize, leads_on: impl Fn(&T) -> bool) -> Vec<&[T]> {
    let mut parts = Vec::new();
    while rest.len() > most {
        let at = if leads_on(&rest[most - 1]) {
            most - 1
        } else {
            most
        };
        let (part, next) = rest.split_at(at);
        parts.push(part);
        rest = next;
    }
    parts.push(rest);
    parts
}
