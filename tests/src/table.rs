//! Tables that the agent writes (`andon export`).

use crate::{Failure, Outcome};
use std::collections::BTreeMap;

/// The rows of a table by the names of its columns. Fields with quotes are none that the scenarios
/// look at.
pub fn rows(text: &str) -> Outcome<Vec<BTreeMap<&str, &str>>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut rows = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != header.len() {
            return Err(Failure::new(format!(
                "not one field for each column: {line}"
            )));
        }
        rows.push(header.iter().copied().zip(fields).collect());
    }
    Ok(rows)
}

/// The instant of `2026-11-23T08:00:00.000+08:00`, in milliseconds since 1970.
pub fn instant(text: &str) -> Outcome<i64> {
    let number = |range: std::ops::Range<usize>| -> Outcome<i64> {
        let digits = text.get(range).unwrap_or_default();
        digits
            .parse()
            .map_err(|_| Failure::new(format!("`{text}` is no moment")))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since 1970 by the civil calendar, the year beginning in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let clock = (number(11..13)? * 60 + number(14..16)?) * 60 + number(17..19)?;
    let sign = if text.get(23..24) == Some("-") { -1 } else { 1 };
    let offset = sign * (number(24..26)? * 60 + number(27..29)?) * 60;
    Ok((days * 86_400 + clock - offset) * 1000 + number(20..23)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_offset() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000+00:00", 0),
            ("2026-09-21T22:14:00.007+08:00", 1_790_000_040_007),
            ("2026-02-28T19:00:00.000-05:00", 1_772_323_200_000),
        ] {
            assert_eq!(instant(text).unwrap(), expected, "{text}");
        }
    }
}
