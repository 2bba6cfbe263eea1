//! The 7-bit alphabet of GSM (3GPP TS 23.038, §6.2.1) and its packing into octets (§6.1.2.1).
//!
//! A text in it has room for 160 characters where Chinese has 70, so that characters which only look
//! special are written in it before it is given up.

use alloc::string::String;
use alloc::vec::Vec;

/// Leads to the extension table.
pub const ESCAPE: u8 = 0x1B;

/// The basic table; the escape itself stands for nothing.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table (§6.2.1.1): each takes two septets.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The text in septets; none if a character is not in the alphabet.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for character in text.chars() {
        if let Some(at) = BASIC
            .iter()
            .position(|one| *one == character && character != '\u{1b}')
        {
            septets.push(u8::try_from(at).ok()?);
        } else {
            let (code, _) = EXTENSION.iter().find(|(_, one)| *one == character)?;
            septets.extend([ESCAPE, *code]);
        }
    }
    Some(septets)
}

/// The text of septets. What follows an escape and is not in the extension table is shown as the
/// basic table has it, as §6.2.1.1 asks for; an escape at the end is a space.
pub fn decode(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut rest = septets.iter().map(|septet| septet & 0x7F);
    while let Some(septet) = rest.next() {
        if septet != ESCAPE {
            text.push(BASIC[usize::from(septet)]);
            continue;
        }
        let shown = match rest.next() {
            None | Some(ESCAPE) => ' ',
            Some(code) => {
                let extended = EXTENSION.iter().find(|(one, _)| *one == code);
                extended.map_or(BASIC[usize::from(code)], |(_, shown)| *shown)
            }
        };
        text.push(shown);
    }
    text
}

/// Septets in octets, the first after `fill` empty bits (behind a header, so that they begin at a
/// septet's boundary).
pub fn pack(septets: &[u8], fill: u32) -> Vec<u8> {
    let mut octets = Vec::with_capacity((septets.len() * 7 + 14) / 8);
    let (mut bits, mut have) = (0u32, fill);
    for septet in septets {
        bits |= u32::from(septet & 0x7F) << have;
        have += 7;
        while have >= 8 {
            octets.push(low_octet(bits));
            bits >>= 8;
            have -= 8;
        }
    }
    if have > 0 && !(septets.is_empty() && have == fill) {
        octets.push(low_octet(bits));
    }
    octets
}

/// `count` septets from octets, the first after `fill` bits; none if there are not so many.
pub fn unpack(octets: &[u8], count: usize, fill: usize) -> Option<Vec<u8>> {
    let mut septets = Vec::new();
    for index in 0..count {
        let bit = fill + index * 7;
        let low = *octets.get(bit / 8)?;
        let shift = bit % 8;
        let high = match shift {
            0 | 1 => 0,
            _ => *octets.get(bit / 8 + 1)?,
        };
        let both = u16::from(low) | u16::from(high) << 8;
        septets.push(low_octet(u32::from(both >> shift)) & 0x7F);
    }
    Some(septets)
}

const fn low_octet(bits: u32) -> u8 {
    (bits & 0xFF) as u8
}

/// The text with characters that only look special written in the alphabet, where all of it can be;
/// else as it is, for a text that needs another alphabet anyhow gains nothing.
pub fn transliterated(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match plainly(character) {
            Some(written) => plain.push_str(written),
            None => plain.push(character),
        }
    }
    if encode(&plain).is_some() {
        plain
    } else {
        String::from(text)
    }
}

/// How a character is written with others that mean the same to a reader of alarms.
const fn plainly(character: char) -> Option<&'static str> {
    Some(match character {
        '°' => "deg",
        'µ' | 'μ' => "u",
        '²' => "2",
        '³' => "3",
        '–' | '—' | '‑' | '−' => "-",
        '‘' | '’' | '`' | '´' | '′' => "'",
        '“' | '”' | '„' | '″' => "\"",
        '…' => "...",
        '×' => "x",
        '±' => "+/-",
        '≤' => "<=",
        '≥' => ">=",
        '\t' | '\u{a0}' | '\u{202f}' => " ",
        'á' | 'â' => "a",
        'ê' | 'ë' => "e",
        'í' | 'î' | 'ï' => "i",
        'ó' | 'ô' => "o",
        'ú' | 'û' => "u",
        'ç' => "c",
        _ => return None,
    })
}
