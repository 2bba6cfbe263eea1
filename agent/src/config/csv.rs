//! `devices_csv`: devices in a table as spreadsheets save it, each row a `[[device]]`.
//!
//! The first row names the keys; an empty cell gives no key. Cells keep their places in the file,
//! so that whatever is found out about a device is told by row and column.

use super::report::Finding;
use super::sources::Cell;
use super::tree;
use super::walk::{Findings, Header};
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// More rows than this are not the devices of one gateway.
const MOST_ROWS: usize = 10_000;

/// A table of devices.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: Header,
    /// Where the cells of the header stand.
    names: Vec<Range<usize>>,
    rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Default)]
struct Row {
    span: Range<usize>,
    cells: Vec<(Range<usize>, String)>,
}

/// The bytes as text: by their mark, as UTF-8, or as GBK, which spreadsheets write on a Chinese
/// Windows. None if they are none of these, which is told.
pub(super) fn decode(bytes: &[u8], out: &Findings) -> (String, bool) {
    let marked = encoding_rs::Encoding::for_bom(bytes);
    let (text, wrong) = match (marked, std::str::from_utf8(bytes)) {
        (Some((encoding, mark)), _) => encoding.decode_without_bom_handling(&bytes[mark..]),
        (None, Ok(text)) => (Cow::Borrowed(text), false),
        (None, Err(_)) => encoding_rs::GB18030.decode_without_bom_handling(bytes),
    };
    if text.contains('\0') {
        out.mistake(
            Finding::of_file("this is not a text file").hint("save the table as CSV UTF-8"),
        );
        return (String::new(), false);
    }
    if !wrong {
        return (text.into_owned(), true);
    }
    let text = match marked {
        Some(_) => text.into_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    let at = text.find(char::REPLACEMENT_CHARACTER).unwrap_or(0);
    let end = (at + char::REPLACEMENT_CHARACTER.len_utf8()).min(text.len());
    out.mistake(
        Finding::at(at..end, "this is neither UTF-8 nor GBK text")
            .hint("save the table as CSV UTF-8"),
    );
    (text, false)
}

/// The table that a text is; none if it is of no use, which is told.
pub(super) fn read(text: &str, out: &Findings) -> Option<Table> {
    let mut records = Records::new(text);
    let Some(first) = records.next(out) else {
        out.mistake(
            Finding::of_file("this table is empty")
                .hint("the first row names the keys of [[device]]: id,profile,modbus_tcp,unit"),
        );
        return None;
    };
    let first = first?;
    let columns: Vec<String> = first.cells.iter().map(|(_, name)| key(name)).collect();
    let names: Vec<Range<usize>> = first.cells.into_iter().map(|(span, _)| span).collect();
    for (at, column) in columns.iter().enumerate() {
        let twice = columns[..at].iter().position(|other| other == column);
        if let Some(first) = twice.filter(|_| !column.is_empty()) {
            out.mistake(
                Finding::at(
                    names[at].clone(),
                    format!("there are two columns `{column}`"),
                )
                .hint("keep one of the two")
                .also(names[first].clone(), "the first"),
            );
        }
    }
    let header = Header {
        span: first.span,
        columns,
    };
    if !header.columns.iter().any(|column| column == "id") {
        let meant = super::nearest::nearest("id", header.columns.iter().map(String::as_str));
        let hint = match meant {
            Some(meant) => format!("is it `{meant}`?"),
            None => "the first row names the keys of [[device]]: id,profile,modbus_tcp,unit".into(),
        };
        out.mistake(Finding::at(header.span, "there is no column `id`").hint(hint));
        return None;
    }
    let mut rows: Vec<Row> = Vec::new();
    while let Some(row) = records.next(out) {
        let Some(row) = row else {
            out.lose_devices();
            continue;
        };
        check_width(&row, &header, &names, out);
        if rows.len() == MOST_ROWS {
            let what = format!("there are more than {MOST_ROWS} devices in this table");
            out.mistake(Finding::at(row.span, what).hint("spread them over several gateways"));
            out.lose_devices();
            break;
        }
        rows.push(row);
    }
    if rows.is_empty() {
        out.warn(
            Finding::at(header.span.clone(), "there is no device in this table")
                .hint("write one into each row below"),
        );
    }
    Some(Table {
        header,
        names,
        rows,
    })
}

/// A key as somebody writes it at the head of a column.
fn key(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

/// What stands below no name belongs to no key.
fn check_width(row: &Row, header: &Header, names: &[Range<usize>], out: &Findings) {
    let nameless = |(at, (_, text)): &(usize, &(_, String))| {
        !text.is_empty() && header.columns.get(*at).is_none_or(String::is_empty)
    };
    let Some((at, (span, _))) = row.cells.iter().enumerate().find(nameless) else {
        return;
    };
    let finding = Finding::at(span.clone(), "this cell belongs to no column")
        .hint("give its column a name in the first row, or write a text with separators in quotes");
    out.mistake(match names.get(at).or(names.last()) {
        Some(name) => finding.also(name.clone(), "the first row"),
        None => finding,
    });
}

impl Table {
    /// The same table in a text that has it at another place.
    pub(super) fn shifted(mut self, offset: usize) -> Table {
        let shift = |span: &mut Range<usize>| *span = span.start + offset..span.end + offset;
        shift(&mut self.header.span);
        self.names.iter_mut().for_each(shift);
        for row in &mut self.rows {
            shift(&mut row.span);
            row.cells.iter_mut().for_each(|(span, _)| shift(span));
        }
        self
    }

    /// Which cell belongs to which column.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let columns: Vec<Rc<str>> = self.header.columns.iter().map(|c| (&**c).into()).collect();
        let rows = self
            .rows
            .iter()
            .flat_map(|row| row.cells.iter().zip(&columns));
        rows.map(|((span, _), column)| Cell {
            span: span.clone(),
            column: column.clone(),
        })
        .collect()
    }

    /// The rows as sections `[[device]]`.
    pub(super) fn devices(&self, out: &Findings) -> DeTable<'_> {
        let devices = self
            .rows
            .iter()
            .map(|row| Spanned::new(row.span.clone(), DeValue::Table(self.device(row, out))));
        let devices = DeValue::Array(devices.collect::<DeArray<'_>>());
        let span = self.header.span.clone();
        let key = Spanned::new(span.clone(), Cow::Borrowed("device"));
        [(key, Spanned::new(span, devices))].into_iter().collect()
    }

    fn device<'t>(&'t self, row: &'t Row, out: &Findings) -> DeTable<'t> {
        let mut device = DeTable::new();
        let columns = self.header.columns.iter().zip(&self.names);
        for ((column, name), (span, text)) in columns.zip(&row.cells) {
            if text.is_empty() || column.is_empty() || device.contains_key(column.as_str()) {
                continue;
            }
            let Some(value) = value(text, span, out) else {
                continue;
            };
            device.insert(Spanned::new(name.clone(), Cow::Borrowed(column)), value);
        }
        device
    }
}

/// A cell is a text, also where a number is meant; lists and tables are written as in TOML.
fn value<'t>(text: &'t str, span: &Range<usize>, out: &Findings) -> Option<Spanned<DeValue<'t>>> {
    if !text.starts_with(['[', '{']) {
        return Some(Spanned::new(span.clone(), DeValue::String(text.into())));
    }
    match DeValue::parse(text) {
        Ok(value) => Some(tree::moved_value(value, &|inner| {
            place(text, span, inner.start)..place(text, span, inner.end)
        })),
        Err(error) => {
            let what = format!("this is not a list or table of TOML: {}", error.message());
            out.mistake(Finding::at(span.clone(), what).hint("write it such as [\"1m\", \"1h\"]"));
            None
        }
    }
}

/// Where the byte `at` of a cell's text stands in the file: keys keep their order, which decides what
/// a state is. In quotes, a quote is written twice.
fn place(text: &str, cell: &Range<usize>, at: usize) -> usize {
    let quotes = |text: &str| text.matches('"').count();
    let is_quoted = cell.len() == text.len() + quotes(text) + 2;
    let before = text.get(..at).unwrap_or(text);
    let escaped = if is_quoted { 1 + quotes(before) } else { 0 };
    (cell.start + at + escaped).min(cell.end)
}

/// The records of a text, one by one, without those that are empty or comments.
struct Records<'t> {
    text: &'t str,
    at: usize,
    reader: csv_core::Reader,
    field: Vec<u8>,
}

impl<'t> Records<'t> {
    fn new(text: &'t str) -> Records<'t> {
        let at = next_line(text, 0);
        let separator = separator(text[at..].lines().next().unwrap_or(""));
        Records {
            text,
            at,
            reader: csv_core::ReaderBuilder::new().delimiter(separator).build(),
            field: vec![0; text.len().max(1)],
        }
    }

    /// The next record; the inner none is one that cannot be read, which is told.
    fn next(&mut self, out: &Findings) -> Option<Option<Row>> {
        loop {
            self.at = next_line(self.text, self.at);
            if self.at >= self.text.len() {
                return None;
            }
            let Some(row) = self.record(out) else {
                return Some(None);
            };
            let is_comment = row
                .cells
                .first()
                .is_some_and(|(_, text)| text.starts_with('#'));
            if !is_comment && row.cells.iter().any(|(_, text)| !text.is_empty()) {
                return Some(Some(row));
            }
        }
    }

    /// The record that begins here; none if its quotes are wrong, which is told.
    fn record(&mut self, out: &Findings) -> Option<Row> {
        self.reader.reset();
        let mut row = Row {
            span: self.at..self.at,
            cells: Vec::new(),
        };
        let mut is_good = true;
        loop {
            let start = self.at;
            let (text, ends) = self.field();
            let raw = &self.text[start..self.at];
            let raw = match ends {
                true => raw.trim_end_matches(['\r', '\n']),
                false => &raw[..raw.len().saturating_sub(1)],
            };
            if let Some(fault) = misquoted(raw) {
                is_good = false;
                let at = start + fault.at;
                out.mistake(Finding::at(at..at + 1, fault.what).hint(fault.hint));
                if fault.is_open {
                    // It would have swallowed the rows below.
                    let line = raw.find(['\r', '\n']).unwrap_or(raw.len());
                    self.at = start + line;
                    return None;
                }
            }
            row.span.end = start + raw.len();
            row.cells.push((start..row.span.end, cleaned(&text)));
            if ends {
                return is_good.then_some(row);
            }
        }
    }

    /// The text of the next field, and whether its record ends there.
    fn field(&mut self) -> (String, bool) {
        let mut length = 0;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let room = &mut self.field[length..];
            let (result, read, written) = self.reader.read_field(rest, room);
            self.at += read;
            length += written;
            let ends = match result {
                csv_core::ReadFieldResult::Field { record_end } => record_end,
                // Without its last line end, the end is read by asking again.
                csv_core::ReadFieldResult::InputEmpty => continue,
                csv_core::ReadFieldResult::OutputFull => {
                    self.field.resize(self.field.len() * 2, 0);
                    continue;
                }
                csv_core::ReadFieldResult::End => true,
            };
            let text = String::from_utf8_lossy(&self.field[..length]).into_owned();
            return (text, ends);
        }
    }
}

/// The next line that is neither empty nor a comment.
fn next_line(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let line = rest.trim_start_matches(['\r', '\n']);
        at += rest.len() - line.len();
        if !line.starts_with('#') {
            return at;
        }
        at += line.find(['\r', '\n']).unwrap_or(line.len());
    }
}

/// What separates the cells: whichever the first row has most of outside quotes.
fn separator(header: &str) -> u8 {
    let unquoted: Vec<&str> = header.split('"').step_by(2).collect();
    let count = |separator: char| -> usize {
        unquoted
            .iter()
            .map(|part| part.matches(separator).count())
            .sum()
    };
    let mut best = (b',', count(','));
    for other in [b';', b'\t'] {
        let count = count(char::from(other));
        if count > best.1 {
            best = (other, count);
        }
    }
    best.0
}

/// What is wrong with the quotes of a cell.
struct Misquoted {
    /// Byte of the cell.
    at: usize,
    /// Whether the cell was meant to end with its line.
    is_open: bool,
    what: &'static str,
    hint: &'static str,
}

/// Where the quotes of a cell are not as RFC 4180 has them.
fn misquoted(raw: &str) -> Option<Misquoted> {
    let mut rest = raw.strip_prefix('"')?;
    while let Some((_, after)) = rest.split_once('"') {
        if after.is_empty() {
            return None;
        }
        let Some(more) = after.strip_prefix('"') else {
            let at = raw.len() - after.len() - 1;
            if raw[..at].contains('\n') {
                break;
            }
            return Some(Misquoted {
                at,
                is_open: false,
                what: "there is more behind this quote",
                hint: "end the cell here; a quote inside a text in quotes is written twice",
            });
        };
        rest = more;
    }
    Some(Misquoted {
        at: 0,
        is_open: true,
        what: "this quote is not closed",
        hint: "close it; a quote inside a text in quotes is written twice",
    })
}

/// Without the blanks that come along when cells are copied.
fn cleaned(text: &str) -> String {
    text.replace(['\u{a0}', '\u{3000}', '\u{feff}'], " ")
        .trim()
        .to_owned()
}
