//! The addresses that a probe reads: `holding:0..20`.

use crate::config::from_manual;
use andon_core::tag::Table;
use std::fmt;
use std::str::FromStr;

/// Neighbouring addresses of one table; both ends belong to it, as in every range of the
/// configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which table.
    pub table: Table,
    /// The first address.
    pub first: u16,
    /// The last address, not before the first.
    pub last: u16,
}

/// No device has more to say than a person can look through.
const MOST: u32 = 1000;

impl Span {
    /// How many addresses.
    pub const fn count(self) -> u32 {
        self.last as u32 - self.first as u32 + 1
    }

    /// The part of it that begins `at` addresses after its first one, and has `count` at most.
    pub fn part(self, at: u32, count: u32) -> Span {
        let first = u32::from(self.first) + at;
        let last = first.saturating_add(count - 1).min(u32::from(self.last));
        Span {
            first: u16::try_from(first).unwrap_or(u16::MAX),
            last: u16::try_from(last).unwrap_or(u16::MAX),
            ..self
        }
    }
}

/// Spans without what is in two of them, by table and address.
pub fn merged(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_by_key(|span| (span.table, span.first));
    let mut merged: Vec<Span> = Vec::new();
    for span in sorted {
        match merged.last_mut() {
            Some(last) if last.table == span.table && span.first <= last.last => {
                last.last = last.last.max(span.last);
            }
            _ => merged.push(span),
        }
    }
    merged
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.table.as_str(), self.first)?;
        if self.first < self.last {
            write!(f, "..{}", self.last)?;
        }
        Ok(())
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let Some((table, range)) = text.split_once(':') else {
            return Err(match from_manual(text) {
                Some((table, address)) => format!(
                    "addresses count from 0, as on the wire: write {}:{address}",
                    table.as_str()
                ),
                None => "write table and addresses, such as holding:0..20".into(),
            });
        };
        let table = Table::ALL
            .into_iter()
            .find(|known| known.as_str() == table)
            .ok_or("the tables of Modbus are coil, discrete, holding and input")?;
        let (first, last) = range.split_once("..").unwrap_or((range, range));
        let (first, last) = (address(first)?, address(last)?);
        let span = Span { table, first, last };
        if last < first {
            return Err(format!("{first}..{last} is backwards"));
        }
        if span.count() > MOST {
            return Err(format!(
                "{} addresses at once; {MOST} is the most",
                span.count()
            ));
        }
        Ok(span)
    }
}

fn address(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("`{text}` is not an address from 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_both_ends() {
        let span: Span = "holding:0..20".parse().expect("a span");
        assert_eq!((span.first, span.last, span.count()), (0, 20, 21));
        assert_eq!(span.to_string(), "holding:0..20");
        let one: Span = "coil:65535".parse().expect("a span");
        assert_eq!((one.table, one.count()), (Table::Coil, 1));
        assert_eq!(one.to_string(), "coil:65535");
        assert_eq!(span.part(16, 8).to_string(), "holding:16..20");
    }

    #[test]
    fn nothing_is_read_twice() {
        let spans = [
            "input:5..9",
            "holding:4..8",
            "holding:0..5",
            "holding:9",
            "holding:2",
        ];
        let spans = spans.map(|text| text.parse().expect(text));
        let merged: Vec<String> = merged(&spans).iter().map(Span::to_string).collect();
        assert_eq!(merged, ["holding:0..8", "holding:9", "input:5..9"]);
    }

    #[test]
    fn what_is_no_range_is_told_what_to_write() {
        for (text, hint) in [
            ("40011", "write holding:10"),
            ("300001", "write input:0"),
            ("holding", "such as holding:0..20"),
            ("holdin:0", "coil, discrete, holding and input"),
            ("holding:", "`` is not an address"),
            ("holding:-1", "`-1` is not an address"),
            ("holding:0..65536", "`65536` is not an address"),
            ("holding:0..x", "`x` is not an address"),
            ("holding:20..0", "20..0 is backwards"),
            ("input:0..1000", "1001 addresses at once"),
        ] {
            let said = text.parse::<Span>().expect_err(text);
            assert!(said.contains(hint), "{text}: {said}");
        }
    }
}
