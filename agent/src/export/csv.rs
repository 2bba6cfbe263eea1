//! Rows of a table: RFC 4180, one line each.

use andon_core::time::Wall;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};

/// One row on its way.
#[derive(Debug, Default)]
pub(super) struct Row {
    text: String,
    fields: usize,
}

impl Row {
    /// The next field. Quotes are put around what would be taken for something else, and before what a
    /// spreadsheet would take for a formula there is a space.
    pub(super) fn put(&mut self, field: impl Display) -> &mut Row {
        if self.fields > 0 {
            self.text.push(',');
        }
        self.fields += 1;
        let start = self.text.len();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{field}");
        let written = &self.text[start..];
        let is_number = written.parse::<f64>().is_ok();
        let is_formula = !is_number && written.starts_with(['=', '+', '-', '@']);
        if is_formula || written.contains([',', '"', '\n', '\r']) {
            let space = if is_formula { " " } else { "" };
            let quoted = format!("\"{space}{}\"", written.replace('"', "\"\""));
            self.text.truncate(start);
            self.text.push_str(&quoted);
        }
        self
    }

    /// The next field, empty if there is none.
    pub(super) fn put_if(&mut self, field: Option<impl Display>) -> &mut Row {
        match field {
            Some(field) => self.put(field),
            None => self.put(""),
        }
    }

    /// Writes the row, and begins the next.
    pub(super) fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.text.push_str("\r\n");
        out.write_all(self.text.as_bytes())?;
        self.text.clear();
        self.fields = 0;
        Ok(())
    }
}

/// A moment by the clock of the plant: `2026-11-23T08:00:00.000+08:00`.
pub(super) fn local(at: Wall, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(instant) => instant
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
            .to_string(),
        // Only a clock that shows a year beyond 9999.
        Err(_) => at.0.to_string(),
    }
}
