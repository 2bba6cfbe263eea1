//! From bytes to a TOML table, past every syntax mistake.
//!
//! The TOML parser recovers, but badly: after one bracket that is not closed it reads the rest of
//! the file as something else and complains about all of it. So only its first complaint counts;
//! the statement at fault is blanked (offsets stay as they are) and the text is parsed again.
//! What was blanked is remembered, so that nothing is called missing that is only misspelt.

use super::report::Finding;
use super::walk::{Findings, is_secret};
use std::ops::Range;
use toml::Spanned;
use toml::de::DeTable;

/// More syntax mistakes than this are not looked for: the file is not meant to be TOML.
const MOST: usize = 50;

/// Each syntax mistake costs another parse; a large broken file is given up earlier.
const MOST_PARSED: usize = 16 << 20;

/// The bytes as text. What is not UTF-8 is reported and replaced.
pub(super) fn decode(bytes: &[u8], out: &Findings) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        out.mistake(Finding::of_file("the file is UTF-16 text").hint("save it as UTF-8"));
        out.lose_everything();
        return String::new();
    }
    if bytes.contains(&0) {
        out.mistake(Finding::of_file("this is not a text file").hint("name the configuration"));
        out.lose_everything();
        return String::new();
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) => {
            let at = error.valid_up_to();
            let text = String::from_utf8_lossy(bytes).into_owned();
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            out.mistake(
                Finding::at(at..end, "this is not UTF-8 text")
                    .hint("save the file as UTF-8 (it may be GBK or Latin-1 now)"),
            );
            text
        }
    }
}

/// A copy of `text` that parses, with every mistake that had to be blanked reported.
pub(super) fn repair(text: &str, out: &Findings) -> String {
    let mut current = text.to_owned();
    for _ in 0..(MOST_PARSED / text.len().max(1)).clamp(5, MOST) {
        let (_, errors) = DeTable::parse_recoverable(&current);
        let first = errors
            .into_iter()
            .min_by_key(|error| error.span().map_or(0, |span| span.start));
        let Some(error) = first else {
            return current;
        };
        let span = error.span().unwrap_or(0..0);
        let fault = at_fault(&current, span.start);
        out.mistake(match fault.unclosed {
            Some(at) => Finding::at(at..at + 1, "this is not closed")
                .hint("close it before the next key or section begins"),
            None => describe(&current, span, error.message()),
        });
        let blank = &current[fault.blank.clone()];
        if blank.trim().is_empty() {
            break;
        }
        out.lose_words(blank);
        let key = blank.split('=').next().unwrap_or("");
        if is_secret(key.trim()) {
            out.hide(fault.blank.start + key.len() + 1..fault.blank.end);
        }
        out.lose_statement(header_before(&current, fault.blank.start), key.trim());
        current.replace_range(fault.blank.clone(), &blanked(blank));
    }
    out.mistake(
        Finding::of_file("the rest was not looked at: too much of it cannot be read")
            .hint("correct these mistakes first"),
    );
    out.lose_everything();
    String::new()
}

/// Spaces instead of everything but line ends: the bytes after it stay where they are.
fn blanked(text: &str) -> String {
    let space = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
    text.bytes().map(space).collect()
}

/// The table of a text that [`repair`] returned.
pub(super) fn parse(text: &str) -> Spanned<DeTable<'_>> {
    DeTable::parse_recoverable(text).0
}

fn describe(text: &str, span: Range<usize>, message: &str) -> Finding {
    let line = line_of(text, span.start);
    let (head, hint) = match message {
        m if m.starts_with("duplicate key") && text.get(span.clone()) == Some("calendar") => (
            "this is one calendar of several, and the other is the only one",
            "write each of them as `[[calendar]]`, with double brackets",
        ),
        m if m.starts_with("duplicate key") => ("this key is here twice", "keep one of the two"),
        m if m.contains("unclosed table") || m.contains("unclosed array table") => (
            "this section header is not closed",
            "write `[name]`, or `[[name]]` for one of several",
        ),
        m if m.contains("key with no value") => ("this key has no value", "write `key = value`"),
        m if m.contains("string values must be quoted") => (
            "this is not one value",
            "text needs quotes: `\"text\"`; several values need commas between them",
        ),
        m if m.starts_with("invalid basic string, expected `\"`")
            || m.starts_with("invalid literal string, expected") =>
        {
            ("this text is not closed", "add the closing quote")
        }
        m if m.starts_with("missing comma") => {
            ("a comma is missing before this", "separate values by `,`")
        }
        m if m.starts_with("unexpected key or value, expected newline") => {
            ("the line should end here", "write one key on a line")
        }
        m => return Finding::at(span, m).hint("see https://toml.io for how values are written"),
    };
    // At the end of a line there is nothing to show but the character before it.
    let line_ends = text[span.start..]
        .chars()
        .next()
        .is_none_or(|c| matches!(c, '\n' | '\r'));
    let before = text[line.start..span.start].char_indices().next_back();
    let span = match before {
        Some((at, _)) if span.is_empty() && line_ends => line.start + at..span.start,
        _ => span,
    };
    Finding::at(span, head).hint(hint)
}

/// What a syntax mistake makes unreadable.
struct Fault {
    /// The statement, or the section of a broken header.
    blank: Range<usize>,
    /// The bracket or quote that was opened and never closed, if that is the mistake.
    unclosed: Option<usize>,
}

/// What to blame for a mistake at this byte.
fn at_fault(text: &str, at: usize) -> Fault {
    let line = line_of(text, at);
    let (start, scan) = statement_of(text, &line);
    if let Some(open) = scan.open {
        let mut end = line_of(text, start).end;
        while end < text.len() && !begins_statement(&text[line_of(text, end)]) {
            end = line_of(text, end).end;
        }
        return Fault {
            blank: start..end,
            unclosed: Some(open),
        };
    }
    let is_header = text[start..].trim_start().starts_with('[');
    let end = if is_header {
        section_end(text, &line_of(text, start))
    } else {
        scan.end.max(line.end)
    };
    Fault {
        blank: start..end,
        unclosed: None,
    }
}

/// The start of the statement that a line belongs to, and how that statement ends.
fn statement_of(text: &str, line: &Range<usize>) -> (usize, Scan) {
    let mut start = 0;
    loop {
        let scan = scan(text, start);
        if scan.end > line.start || scan.end >= text.len() {
            return (start, scan);
        }
        start = scan.end;
    }
}

/// How a statement ends.
struct Scan {
    /// First byte of the line after it.
    end: usize,
    /// The bracket or quote that is still open where the next section or the file ends it.
    open: Option<usize>,
}

/// Reads one statement: to the end of the line on which its brackets and long strings are closed.
fn scan(text: &str, start: usize) -> Scan {
    let bytes = text.as_bytes();
    let mut brackets = Vec::new();
    let mut at = start;
    let is_header = text[start..]
        .trim_start_matches([' ', '\t'])
        .starts_with('[');
    while at < bytes.len() {
        match bytes[at] {
            b'\n' if brackets.is_empty() || is_header => {
                return Scan {
                    end: at + 1,
                    open: None,
                };
            }
            b'\n' if is_section(&text[at + 1..]) => break,
            b'#' => at = comment_end(bytes, at) - 1,
            b'[' | b'{' => brackets.push(at),
            b']' | b'}' => {
                brackets.pop();
            }
            quote @ (b'"' | b'\'') => match string_end(text, at, quote) {
                Some(end) => at = end - 1,
                None => {
                    brackets.push(at);
                    at = bytes.len() - 1;
                }
            },
            _ => {}
        }
        at += 1;
    }
    Scan {
        end: (at + 1).min(bytes.len()),
        open: brackets.first().copied(),
    }
}

fn comment_end(bytes: &[u8], at: usize) -> usize {
    let end = bytes[at..].iter().position(|byte| *byte == b'\n');
    end.map_or(bytes.len(), |end| at + end)
}

/// Where a string ends; a short one at the latest with its line, a long one perhaps never.
fn string_end(text: &str, at: usize, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let long = [quote; 3];
    if bytes[at..].starts_with(&long) {
        let rest = &bytes[at + 3..];
        let close = rest.windows(3).position(|window| window == long)?;
        return Some(at + 3 + close + 3);
    }
    let mut end = at + 1;
    loop {
        match bytes.get(end) {
            // The line end itself still ends the statement.
            None | Some(b'\n') => return Some(end.min(bytes.len())),
            Some(byte) if *byte == quote => return Some(end + 1),
            Some(b'\\') if quote == b'"' && bytes.get(end + 1) != Some(&b'\n') => end += 2,
            Some(_) => end += 1,
        }
    }
}

/// Whether a section header begins here (and not an array inside an array).
fn is_section(text: &str) -> bool {
    let line = text.trim_start_matches([' ', '\t']);
    line.trim_start_matches('[').len() < line.len()
        && line
            .trim_start_matches('[')
            .starts_with(|c: char| c.is_ascii_alphabetic())
}

fn begins_statement(line: &str) -> bool {
    let line = line.trim_start();
    let key = line.trim_start_matches(|c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'')
    });
    line.starts_with('[') || (key.len() < line.len() && key.trim_start().starts_with('='))
}

/// The end of a section and of the sections below it (`[device.tags]` after `[[device]]`).
fn section_end(text: &str, header: &Range<usize>) -> usize {
    let name = |line: &str| {
        let line = line.trim().trim_start_matches('[').trim_start();
        let end = line.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
        line[..end.unwrap_or(line.len())].to_owned()
    };
    let below = name(&text[header.clone()]) + ".";
    let mut end = header.end;
    while end < text.len() {
        let line = line_of(text, end);
        let content = &text[line.clone()];
        if content.trim_start().starts_with('[') && !name(content).starts_with(&below) {
            break;
        }
        end = line.end;
    }
    end
}

/// Where the header of the section around a byte starts; 0 above the first.
fn header_before(text: &str, at: usize) -> usize {
    let mut start = line_of(text, at).start;
    while start > 0 {
        start = line_of(text, start - 1).start;
        if text[start..].starts_with('[') {
            return start;
        }
    }
    0
}

/// The line of a byte, with its end.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text.as_bytes()[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let end = text.as_bytes()[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| at + end + 1);
    start..end
}
