//! Rows of text (RFC 4180), of which the last is what holds now.

use super::{time, value};
use andon_core::sample::{Reason, Value};
use andon_core::tag::{Column, CsvPlace, Place};
use andon_core::time::Wall;
use csv_core::{ReadFieldResult, ReaderBuilder};
use jiff::tz::TimeZone;

/// Columns of a row that are looked at.
const MOST_COLUMNS: usize = 1024;

/// What separates columns where nobody says it: the first of these that stands in the first row.
/// Where commas are decimal points, semicolons separate.
const SEPARATORS: [u8; 3] = [b'\t', b';', b','];

/// The first and the last row of a payload; the same one if there are no more.
#[derive(Debug)]
pub(super) struct Rows {
    separator: u8,
    first: Row,
    last: Row,
}

#[derive(Debug, Clone, Default)]
struct Row {
    text: String,
    /// Where each column ends.
    ends: Vec<usize>,
}

impl Rows {
    /// Reads a text from its beginning, for what is quoted may hold the ends of lines; none if its
    /// quotes leave something that is no text.
    pub(super) fn of(text: &str, separator: Option<u8>) -> Option<Rows> {
        let separator = separator.unwrap_or_else(|| separator_in(text));
        let mut reader = ReaderBuilder::new().delimiter(separator).build();
        let (mut input, mut row) = (text.as_bytes(), vec![0; text.len()]);
        let (mut end, mut ends) = (0, Vec::new());
        let (mut first, mut last) = (None, Row::default());
        loop {
            let (result, read, written) = reader.read_field(input, &mut row[end..]);
            input = &input[read..];
            end += written;
            let record_end = match result {
                // The next call says that this was the end of the text.
                ReadFieldResult::InputEmpty => continue,
                ReadFieldResult::Field { record_end } => record_end,
                ReadFieldResult::OutputFull => return None,
                ReadFieldResult::End => break,
            };
            if ends.len() < MOST_COLUMNS {
                ends.push(end);
            }
            if record_end {
                let text = std::str::from_utf8(&row[..end]).ok()?;
                last.text.clear();
                last.text.push_str(text);
                std::mem::swap(&mut last.ends, &mut ends);
                first.get_or_insert_with(|| last.clone());
                ends.clear();
                end = 0;
            }
        }
        Some(Rows {
            separator,
            first: first?,
            last,
        })
    }

    /// Whether the text was read with this separator, or itself said which.
    pub(super) fn is_separated_by(&self, separator: Option<u8>) -> bool {
        separator.is_none_or(|separator| separator == self.separator)
    }

    /// The value in the last row, and its time.
    pub(super) fn find(
        &self,
        at: &CsvPlace,
        place: &Place,
        zone: &TimeZone,
    ) -> (Result<Value, Reason>, Option<Wall>) {
        let time = match &at.time {
            None => None,
            Some(column) => {
                let stamp = self.field(column);
                match stamp.and_then(|stamp| time::of_text(stamp, place.time_unit, zone)) {
                    Ok(time) => Some(time),
                    // Nobody knows how old the value is.
                    Err(reason) => return (Err(reason), None),
                }
            }
        };
        let field = self.field(&at.column);
        (field.and_then(|field| value::of_text(field, place)), time)
    }

    fn field(&self, column: &Column) -> Result<&str, Reason> {
        let number = match column {
            Column::Number(number) => usize::from(*number),
            Column::Name(name) => self
                .first
                .fields()
                .position(|field| field == &**name)
                .ok_or(Reason::Missing)?,
        };
        match self.last.fields().nth(number) {
            None | Some("") => Err(Reason::Missing),
            Some(field) => Ok(field),
        }
    }
}

impl Row {
    /// Its fields, without the white space around them.
    fn fields(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(&self.ends);
        spans.map(|(start, end)| self.text.get(start..*end).unwrap_or("").trim())
    }
}

fn separator_in(text: &str) -> u8 {
    let mut quoted = false;
    let mut outside = text.bytes().filter(|byte| {
        quoted ^= *byte == b'"';
        !quoted
    });
    let line: Vec<u8> = outside.by_ref().take_while(|byte| *byte != b'\n').collect();
    let found = SEPARATORS.into_iter().find(|byte| line.contains(byte));
    found.unwrap_or(b',')
}
