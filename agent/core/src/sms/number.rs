//! Telephone numbers.

use alloc::string::String;
use core::fmt;

/// A telephone number: digits, of up to 15 (E.164, §6.2), in international form if a `+` is in front.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    digits: String,
    international: bool,
}

impl Number {
    /// A number as people write it: spaces, hyphens and parentheses are passed over.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let (international, rest) = match text.strip_prefix('+').or_else(|| text.strip_prefix('＋'))
        {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut digits = String::new();
        for character in rest.chars() {
            match character {
                '0'..='9' => digits.push(character),
                ' ' | '-' | '(' | ')' | '.' | '/' => {}
                _ => return None,
            }
        }
        (3..=15).contains(&digits.len()).then_some(Number {
            digits,
            international,
        })
    }

    /// How many digits it has.
    pub(super) const fn len(&self) -> usize {
        self.digits.len()
    }

    /// Type of address (TS 23.040, §9.1.2.5): numbering plan ISDN, international or unknown.
    pub(super) const fn kind(&self) -> u8 {
        if self.international { 0x91 } else { 0x81 }
    }

    /// Two digits in each octet, the first in its lower half, filled up with 15.
    pub(super) fn octets(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.as_bytes().chunks(2).map(|pair| {
            let digit = |at: usize| pair.get(at).map_or(0xF, |digit| digit - b'0');
            digit(1) << 4 | digit(0)
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.international { "+" } else { "" };
        write!(f, "{plus}{}", self.digits)
    }
}
