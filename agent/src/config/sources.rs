//! The files of a configuration as one text, so that a place in any of them is a range of bytes.

use std::ops::Range;

/// All files, one behind the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    text: String,
    files: Vec<File>,
}

#[derive(Debug, Clone)]
struct File {
    name: String,
    span: Range<usize>,
    cells: Vec<Cell>,
}

/// One cell of a file that is a table, with the name of its column.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) span: Range<usize>,
    pub(super) column: std::rc::Rc<str>,
}

impl Sources {
    /// Only the name of a file that could not be read.
    pub(super) fn unread(name: String) -> Sources {
        let mut sources = Sources::default();
        sources.add(name, "");
        sources
    }

    /// Appends a file; the place of its first byte.
    pub(super) fn add(&mut self, name: String, text: &str) -> usize {
        let start = self.text.len();
        self.text.push_str(text);
        self.files.push(File {
            name,
            span: start..self.text.len(),
            cells: Vec::new(),
        });
        // No place belongs to two files, not even the end of one.
        self.text.push('\n');
        start
    }

    /// Says what the cells of the file added last are.
    pub(super) fn name_cells(&mut self, cells: Vec<Cell>) {
        if let Some(file) = self.files.last_mut() {
            file.cells = cells;
        }
    }

    /// The text of all files.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same files with other bytes in the same places.
    pub(super) fn with_text(&self, text: String) -> Sources {
        Sources {
            text,
            files: self.files.clone(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The index of the file that a byte belongs to.
    pub(super) fn file_of(&self, at: usize) -> usize {
        let next = self.files.partition_point(|file| file.span.start <= at);
        next.saturating_sub(1)
    }

    pub(super) fn name(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.name)
    }

    /// The text of one file.
    pub(super) fn text_of(&self, file: usize) -> &str {
        let span = self.files.get(file).map(|file| file.span.clone());
        span.and_then(|span| self.text.get(span)).unwrap_or("")
    }

    /// A place as a range of bytes of its file.
    pub(super) fn within(&self, file: usize, span: &Range<usize>) -> Range<usize> {
        let whole = self.files.get(file).map_or(0..0, |file| file.span.clone());
        let local = |at: usize| at.clamp(whole.start, whole.end) - whole.start;
        local(span.start)..local(span.end)
    }

    /// The column of the cell that a place is, or is in.
    pub(super) fn column_of(&self, span: &Range<usize>) -> Option<&str> {
        let cells = &self.files.get(self.file_of(span.start))?.cells;
        let next = cells.partition_point(|cell| cell.span.start <= span.start);
        let cell = cells.get(next.checked_sub(1)?)?;
        (span.end <= cell.span.end).then_some(&*cell.column)
    }
}
