//! Reading a log, also while the agent writes it: files may go, and the last one may end anywhere.

use super::form::{self, MAGIC, Names};
use super::log::TRIMMED;
use andon_core::history::{Corrections, Page, Relabels};
use andon_core::time::Wall;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file of a log; its name says what it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Number of its first page.
    pub(super) first: u64,
    /// The newest moment of that page.
    pub(super) label: i64,
}

impl Name {
    /// As on disk: files sort by their first page.
    pub(super) fn file(self) -> String {
        format!("{:016x}-{}.pages", self.first, self.label)
    }

    fn parse(name: &str) -> Option<Name> {
        let (first, label) = name.strip_suffix(".pages")?.split_once('-')?;
        let name = Name {
            first: u64::from_str_radix(first, 16).ok()?,
            label: label.parse().ok()?,
        };
        // One name for each file, so that none is taken for another.
        (name.file() == *format!("{first}-{label}.pages")).then_some(name)
    }
}

impl Name {
    /// Its label, if it was given by a clock that was set only later, as it would have been.
    pub(super) fn moved(self, relabels: &Relabels) -> i64 {
        self.label + relabels.by_ms(self.first)
    }
}

/// Where the first of some files ends, as far as the others tell; none if they do not. What begins
/// earlier than the first was labelled by a clock that was never set.
pub(super) fn end_of_first<'n>(
    mut names: impl Iterator<Item = &'n Name>,
    relabels: &Relabels,
) -> Option<i64> {
    let first = names.next()?.moved(relabels);
    let mut others = names.map(|name| name.moved(relabels));
    others.find(|label| *label >= first)
}

/// The files of a log, oldest first; none if there is no such folder.
pub(super) fn names(dir: &Path) -> io::Result<Vec<Name>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(Name::parse));
    }
    names.sort();
    Ok(names)
}

/// The pages of one file's content, with the offset of their ends.
#[derive(Debug)]
pub(super) struct Scan {
    bytes: Vec<u8>,
    at: usize,
    pub(super) names: Names,
}

impl Scan {
    /// Of the whole content of a file.
    pub(super) fn new(bytes: Vec<u8>) -> Scan {
        // Without its beginning nothing of it is believed.
        let at = if bytes.starts_with(MAGIC) {
            MAGIC.len()
        } else {
            0
        };
        Scan {
            bytes,
            at,
            names: Names::default(),
        }
    }

    /// How far whole pages have been read.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Whether that is the end.
    pub(super) const fn is_over(&self) -> bool {
        self.at == self.bytes.len()
    }
}

impl Iterator for Scan {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        let known = self.names.len();
        if self.at == 0 {
            return None;
        }
        match form::read(&self.bytes[self.at..], &mut self.names) {
            Some((page, length)) => {
                self.at += length;
                Some(page)
            }
            None => {
                self.names.truncate(known);
                None
            }
        }
    }
}

/// Something that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// In which file.
    pub file: PathBuf,
    /// From which byte on.
    pub from: usize,
    /// Why.
    pub why: String,
}

/// The pages of a log, oldest first.
#[derive(Debug)]
pub struct Pages {
    dir: PathBuf,
    files: VecDeque<Name>,
    open: Option<(PathBuf, Scan)>,
    passed: Vec<Passed>,
    relabels: Relabels,
    corrections: Corrections,
}

impl Pages {
    /// Of the log in `dir`. A folder that cannot be read counts as passed over.
    pub(super) fn read(dir: &Path, relabels: Relabels) -> Pages {
        let (files, passed) = match names(dir) {
            Ok(names) => (names, Vec::new()),
            Err(error) => {
                let passed = Passed {
                    file: dir.to_path_buf(),
                    from: 0,
                    why: error.to_string(),
                };
                (Vec::new(), Vec::from([passed]))
            }
        };
        Pages {
            dir: dir.to_path_buf(),
            files: files.into(),
            open: None,
            passed,
            relabels,
            corrections: Corrections::default(),
        }
    }

    /// Without files all of whose pages have at most this number.
    #[must_use]
    pub fn after_page(mut self, number: u64) -> Pages {
        while self.files.get(1).is_some_and(|next| next.first <= number) {
            self.files.pop_front();
        }
        self
    }

    /// Without files that begin and end before this moment.
    #[must_use]
    pub fn after(mut self, moment: Wall) -> Pages {
        while end_of_first(self.files.iter(), &self.relabels).is_some_and(|end| end < moment.0) {
            self.files.pop_front();
        }
        self
    }

    /// With what late data have corrected, wherever it stands: reads all of it once before.
    #[must_use]
    pub fn corrected(mut self) -> Pages {
        let before = Pages {
            dir: self.dir.clone(),
            files: self.files.clone(),
            open: None,
            passed: Vec::new(),
            relabels: self.relabels.clone(),
            corrections: Corrections::default(),
        };
        for page in before {
            self.corrections.note(&page);
        }
        self
    }

    /// What [`Pages::corrected`] has found.
    pub const fn corrections(&self) -> &Corrections {
        &self.corrections
    }

    /// Whether older pages were given up: what was open at the first one began before it.
    pub fn is_trimmed(&self) -> bool {
        self.dir.join(TRIMMED).exists()
    }

    /// What was passed over so far.
    pub fn passed(&self) -> &[Passed] {
        &self.passed
    }

    fn end_file(&mut self, file: PathBuf, scan: &Scan) {
        // The last file may be in the middle of being written.
        if !scan.is_over() && !self.files.is_empty() {
            self.passed.push(Passed {
                file,
                from: scan.at(),
                why: String::from("a page is damaged"),
            });
        }
    }
}

impl Iterator for Pages {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        loop {
            if let Some((file, mut scan)) = self.open.take() {
                if let Some(mut page) = scan.next() {
                    self.relabels.apply(&mut page);
                    self.corrections.apply(&mut page);
                    self.open = Some((file, scan));
                    return Some(page);
                }
                self.end_file(file, &scan);
            }
            let file = self.dir.join(self.files.pop_front()?.file());
            match fs::read(&file) {
                Ok(bytes) => self.open = Some((file, Scan::new(bytes))),
                // Given up meanwhile, being the oldest.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.passed.push(Passed {
                    file,
                    from: 0,
                    why: error.to_string(),
                }),
            }
        }
    }
}
