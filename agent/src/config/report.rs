//! What is wrong with the files, and how it is shown: place, line, caret, hint.

use super::sources::Sources;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// Beyond this many the rest is only counted: a file of another kind is wrong in every line.
const SHOWN: usize = 50;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Bytes of the text it is about; none if it is about a file as a whole.
    pub(super) span: Option<Range<usize>>,
    /// Which file, if it is about one as a whole; the first is the one that was named.
    pub(super) file: usize,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) hint: Option<String>,
    /// Another place that belongs to it, with what is there.
    pub(super) also: Option<(Range<usize>, String)>,
}

impl Finding {
    /// A finding about these bytes.
    pub(super) fn at(span: Range<usize>, what: impl Into<String>) -> Finding {
        Finding {
            span: Some(span),
            ..Finding::of_file(what)
        }
    }

    /// A finding about the file as a whole.
    pub(super) fn of_file(what: impl Into<String>) -> Finding {
        Finding {
            span: None,
            file: 0,
            what: what.into(),
            hint: None,
            also: None,
        }
    }

    /// With what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(hint.into());
        self
    }

    /// With another place that belongs to it.
    pub(super) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Finding {
        self.also = Some((span, label.into()));
        self
    }

    /// As a finding about a file of several, whose first byte has this place.
    pub(super) fn shifted(mut self, offset: usize, file: usize) -> Finding {
        let shift = |span: &mut Range<usize>| *span = span.start + offset..span.end + offset;
        self.span.iter_mut().for_each(shift);
        self.also.iter_mut().for_each(|(span, _)| shift(span));
        self.file = file;
        self
    }
}

/// Whether findings stop the agent from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// They do.
    Mistake,
    /// They do not, but somebody should look.
    Warning,
}

/// Everything of one severity that was found in a file and those it names.
#[derive(Debug, Clone)]
pub struct Report {
    severity: Severity,
    sources: Sources,
    findings: Vec<Finding>,
}

/// A finding as a program reads it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry<'a> {
    /// The file.
    pub file: &'a str,
    /// Line, from 1; none if the file as a whole is meant.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: &'a str,
    /// What to do.
    pub hint: Option<&'a str>,
}

impl Report {
    /// Puts findings in the order of the files; the same one said twice is said once.
    pub(super) fn new(severity: Severity, sources: Sources, mut findings: Vec<Finding>) -> Report {
        for finding in &mut findings {
            name_column(finding, &sources);
        }
        // What is about a file as a whole comes last.
        findings.sort_by_key(|finding| finding.span.as_ref().map_or(usize::MAX, |s| s.start));
        let mut unique: Vec<Finding> = Vec::with_capacity(findings.len());
        for finding in findings {
            let start = |finding: &Finding| finding.span.as_ref().map(|span| span.start);
            let here = start(&finding);
            let mut same = unique.iter().rev().take_while(|other| start(other) == here);
            if !same.any(|other| *other == finding) {
                unique.push(finding);
            }
        }
        Report {
            severity,
            sources,
            findings: unique,
        }
    }

    /// How many findings there are.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// The findings with their places, for programs.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let texts = (0..self.sources.len()).map(|file| self.sources.text_of(file));
        let starts: Vec<Vec<usize>> = texts.map(line_starts).collect();
        self.findings.iter().map(move |finding| {
            let file = self.file_of(finding);
            let place = finding.span.as_ref().map(|span| {
                let at = self.sources.within(file, span).start;
                let starts = starts.get(file).map_or(&[][..], Vec::as_slice);
                place(self.sources.text_of(file), starts, at)
            });
            Entry {
                file: self.sources.name(file),
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                message: &finding.what,
                hint: finding.hint.as_deref(),
            }
        })
    }

    fn file_of(&self, finding: &Finding) -> usize {
        let start = finding.span.as_ref().map(|span| span.start);
        start.map_or(finding.file, |start| self.sources.file_of(start))
    }

    /// The report as text, in colours for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        }
        .decor_style(DecorStyle::Ascii);
        let mut shown = String::new();
        for finding in self.findings.iter().take(SHOWN) {
            shown.push_str(&renderer.render(&[self.group(finding)]));
            shown.push_str("\n\n");
        }
        shown + &self.count()
    }

    fn group<'a>(&'a self, finding: &'a Finding) -> Group<'a> {
        let level = match self.severity {
            Severity::Mistake => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let sources = &self.sources;
        let file = self.file_of(finding);
        let source = |file| Snippet::source(sources.text_of(file)).path(sources.name(file));
        let group = match &finding.span {
            Some(span) => {
                let primary = AnnotationKind::Primary.span(sources.within(file, span));
                let snippet = source(file).annotation(primary);
                let title = level.primary_title(finding.what.as_str());
                match &finding.also {
                    None => title.element(snippet),
                    Some((place, label)) => {
                        let there = sources.file_of(place.start);
                        let other = AnnotationKind::Context.span(sources.within(there, place));
                        let other = other.label(label.as_str());
                        if there == file {
                            title.element(snippet.annotation(other))
                        } else {
                            let elsewhere = source(there).annotation(other);
                            title.element(snippet).element(elsewhere)
                        }
                    }
                }
            }
            None => {
                let name = sources.name(file);
                Group::with_title(level.primary_title(format!("{name}: {}", finding.what)))
            }
        };
        match &finding.hint {
            Some(hint) => group.element(Level::HELP.message(hint.as_str())),
            None => group,
        }
    }

    fn count(&self) -> String {
        let noun = match self.severity {
            Severity::Mistake => "mistake",
            Severity::Warning => "warning",
        };
        let plural = if self.len() == 1 { "" } else { "s" };
        let rest = match self.len().checked_sub(SHOWN) {
            Some(more @ 1..) => format!(" ({more} more not shown)"),
            _ => String::new(),
        };
        let mut files: Vec<usize> = self.findings.iter().map(|f| self.file_of(f)).collect();
        files.sort_unstable();
        files.dedup();
        let files = match files.as_slice() {
            [] => self.sources.name(0).to_owned(),
            [one] => self.sources.name(*one).to_owned(),
            several => format!("{} files", several.len()),
        };
        format!("{} {noun}{plural} in {files}{rest}", self.len())
    }
}

/// A table is known by its columns: a finding about a cell names the one it stands in.
fn name_column(finding: &mut Finding, sources: &Sources) {
    let column = finding
        .span
        .as_ref()
        .and_then(|span| sources.column_of(span));
    if let Some(column) = column.filter(|column| !finding.what.contains(&format!("`{column}`"))) {
        finding.what = format!("column `{column}`: {}", finding.what);
    }
}

/// Where the lines of a text start.
fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

/// Line and column, both from 1, of a byte of a text, given where its lines start.
fn place(text: &str, starts: &[usize], at: usize) -> (usize, usize) {
    let line = starts.partition_point(|start| *start <= at);
    let start = starts[..line].last().copied().unwrap_or(0);
    let before = text.get(start..at).unwrap_or("");
    (line, before.chars().count() + 1)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
