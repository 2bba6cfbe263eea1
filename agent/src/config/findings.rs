//! Findings while they are collected.
//!
//! A mistake is told once: what depends on a thing that is already wrong is *lost* and not reported
//! as missing.

use super::report::Finding;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

/// Where findings are collected while the files are walked.
#[derive(Debug, Default)]
pub(super) struct Findings {
    mistakes: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    lost: RefCell<BTreeSet<String>>,
    blanked: RefCell<Vec<(usize, String)>>,
    all_lost: Cell<bool>,
    devices_lost: Cell<bool>,
    definitions_lost: Cell<bool>,
    secrets: RefCell<Vec<Range<usize>>>,
}

impl Findings {
    pub(super) fn mistake(&self, finding: Finding) {
        self.mistakes.borrow_mut().push(finding);
    }

    /// How many mistakes there are so far.
    pub(super) fn count(&self) -> usize {
        self.mistakes.borrow().len()
    }

    pub(super) fn warn(&self, finding: Finding) {
        self.warnings.borrow_mut().push(finding);
    }

    /// These bytes must not be shown: reports go to terminals and logs.
    pub(super) fn hide(&self, span: Range<usize>) {
        self.secrets.borrow_mut().push(span);
    }

    /// The text of the file as it may be shown.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for span in self.secrets.borrow().iter() {
            for byte in bytes.get_mut(span.clone()).into_iter().flatten() {
                if *byte != b'\n' {
                    *byte = b'*';
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A name that is in the file, but in a place that is wrong.
    pub(super) fn lose(&self, name: &str) {
        self.lost.borrow_mut().insert(name.to_owned());
    }

    pub(super) fn lose_words(&self, text: &str) {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        text.split(|c| !is_word(c)).for_each(|word| self.lose(word));
    }

    /// The statement of a key that could not be read, in the section whose header starts there.
    pub(super) fn lose_statement(&self, header: usize, key: &str) {
        self.blanked.borrow_mut().push((header, key.to_owned()));
    }

    pub(super) fn is_blanked(&self, header: usize, key: &str) -> bool {
        let blanked = self.blanked.borrow();
        self.all_lost.get()
            || blanked
                .iter()
                .any(|(at, name)| *at == header && name == key)
    }

    /// The file could not be read to its end: nothing can be called missing.
    pub(super) fn lose_everything(&self) {
        self.all_lost.set(true);
    }

    /// Some devices could not be read: none can be called missing.
    pub(super) fn lose_devices(&self) {
        self.devices_lost.set(true);
    }

    /// A whole file could not be read: no profile, link or device can be called missing.
    pub(super) fn lose_definitions(&self) {
        self.definitions_lost.set(true);
        self.lose_devices();
    }

    pub(super) fn is_lost(&self, name: &str) -> bool {
        self.all_lost.get() || self.lost.borrow().contains(name)
    }

    /// Whether a profile or link may be there all the same.
    pub(super) fn is_definition_lost(&self, id: &str) -> bool {
        self.definitions_lost.get() || self.is_lost(id)
    }

    /// Whether a device may be there all the same.
    pub(super) fn is_device_lost(&self, id: &str) -> bool {
        self.devices_lost.get() || self.is_lost(id)
    }

    pub(super) fn are_devices_lost(&self) -> bool {
        self.all_lost.get() || self.devices_lost.get()
    }

    /// Whether a device may be there all the same whose id is one of these.
    pub(super) fn lost_any(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.are_devices_lost() || self.lost.borrow().iter().any(|name| matches(name))
    }

    /// Takes over what was found in one file whose first byte has this place.
    pub(super) fn absorb(&self, of_file: Findings, offset: usize, file: usize) {
        let shifted = |finding: Finding| finding.shifted(offset, file);
        let mistakes = of_file.mistakes.take().into_iter().map(shifted);
        self.mistakes.borrow_mut().extend(mistakes);
        let warnings = of_file.warnings.take().into_iter().map(shifted);
        self.warnings.borrow_mut().extend(warnings);
        self.lost.borrow_mut().extend(of_file.lost.take());
        let blanked = of_file.blanked.take().into_iter();
        let blanked = blanked.map(|(header, key)| (header + offset, key));
        self.blanked.borrow_mut().extend(blanked);
        let secrets = of_file.secrets.take().into_iter();
        let secrets = secrets.map(|span| span.start + offset..span.end + offset);
        self.secrets.borrow_mut().extend(secrets);
        match of_file.all_lost.get() {
            true if file == 0 => self.lose_everything(),
            true => self.lose_definitions(),
            false if of_file.devices_lost.get() => self.lose_devices(),
            false => {}
        }
    }

    /// Mistakes after the first `from` that are the same for several copies of one section become
    /// one: they stand in one place and differ in numbers only.
    pub(super) fn merge_copies(&self, from: usize) {
        let mut mistakes = self.mistakes.borrow_mut();
        let from = from.min(mistakes.len());
        let copies = mistakes.split_off(from);
        let mut firsts: Vec<(String, Finding, BTreeSet<String>)> = Vec::new();
        for finding in copies {
            let shape = finding.what.replace(|c: char| c.is_ascii_digit(), "");
            let same = firsts
                .iter_mut()
                .find(|(other, first, _)| *other == shape && first.span == finding.span);
            match same {
                Some((_, _, wordings)) => drop(wordings.insert(finding.what)),
                None => {
                    let wordings = BTreeSet::from([finding.what.clone()]);
                    firsts.push((shape, finding, wordings));
                }
            }
        }
        mistakes.extend(firsts.into_iter().map(|(_, mut first, wordings)| {
            match wordings.len() - 1 {
                0 => {}
                1 => first.what += " (the same for 1 more device)",
                more => first.what += &format!(" (the same for {more} more devices)"),
            }
            first
        }));
    }

    /// Mistakes after the first `from` that stand in `place` are told where it was chosen.
    pub(super) fn blame(&self, from: usize, place: &Range<usize>, chosen: &Range<usize>) {
        let mut mistakes = self.mistakes.borrow_mut();
        for finding in mistakes.iter_mut().skip(from) {
            let inside = |span: &Range<usize>| place.contains(&span.start);
            if let Some(there) = finding.span.take_if(|span| inside(span)) {
                finding.span = Some(chosen.clone());
                finding.also = Some((there, "in the profile that comes with Andon".into()));
            }
        }
    }

    pub(super) fn mistakes(&self) -> Vec<Finding> {
        self.mistakes.take()
    }

    pub(super) fn warnings(&self) -> Vec<Finding> {
        self.warnings.take()
    }

    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }
}
