//! What is wrong with a file, and how it is shown: place, line, caret, hint.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// Beyond this many the rest is only counted: a file of another kind is wrong in every line.
const SHOWN: usize = 50;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Bytes of the text it is about; none if it is about the file as a whole.
    pub(super) span: Option<Range<usize>>,
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
}

/// Whether findings stop the agent from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// They do.
    Mistake,
    /// They do not, but somebody should look.
    Warning,
}

/// Everything of one severity that was found in one file.
#[derive(Debug, Clone)]
pub struct Report {
    severity: Severity,
    file: String,
    text: String,
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
    /// Puts findings in the order of the file; the same one said twice is said once.
    pub(super) fn new(
        severity: Severity,
        file: impl Into<String>,
        text: &str,
        mut findings: Vec<Finding>,
    ) -> Report {
        // What is about the file as a whole comes last.
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
            file: file.into(),
            text: text.to_owned(),
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
        let ends = self.text.match_indices('\n').map(|(at, _)| at + 1);
        let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        self.findings.iter().map(move |finding| {
            let place = finding
                .span
                .as_ref()
                .map(|span| self.place(&starts, span.start));
            Entry {
                file: &self.file,
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                message: &finding.what,
                hint: finding.hint.as_deref(),
            }
        })
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
        let group = match &finding.span {
            Some(span) => {
                let mut snippet = Snippet::source(self.text.as_str())
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(span.clone()));
                if let Some((place, label)) = &finding.also {
                    let other = AnnotationKind::Context.span(place.clone());
                    snippet = snippet.annotation(other.label(label.as_str()));
                }
                level.primary_title(finding.what.as_str()).element(snippet)
            }
            None => {
                Group::with_title(level.primary_title(format!("{}: {}", self.file, finding.what)))
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
        format!("{} {noun}{plural} in {}{rest}", self.len(), self.file)
    }

    /// Line and column, both from 1, of a byte of the text, given where its lines start.
    fn place(&self, starts: &[usize], at: usize) -> (usize, usize) {
        let line = starts.partition_point(|start| *start <= at);
        let start = starts[..line].last().copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or("");
        (line, before.chars().count() + 1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
