//! From bytes to a TOML table, past every syntax mistake.
//!
//! The TOML parser recovers, but badly: after one bracket that is not closed it reads the rest of
//! the file as something else and complains about all of it. So only its first complaint counts;
//! the statement at fault is blanked (offsets stay as they are) and the text is parsed again.
//! What was blanked is remembered, so that nothing is called missing that is only misspelt.

use super::report::Finding;
use super::walk::Findings;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeTable;

/// More syntax mistakes than this are not looked for: the file is not meant to be TOML.
const MOST: usize = 50;

/// The bytes as text. What is not UTF-8 is reported and replaced.
pub(super) fn decode(bytes: &[u8], out: &Findings) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        out.mistake(Finding::of_file("the file is UTF-16 text").hint("save it as UTF-8"));
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
    let mut bytes = text.as_bytes().to_vec();
    let mut last = None;
    for _ in 0..MOST {
        let current = String::from_utf8_lossy(&bytes).into_owned();
        let (_, errors) = DeTable::parse_recoverable(&current);
        let first = errors
            .into_iter()
            .min_by_key(|error| error.span().map_or(0, |span| span.start));
        let Some(error) = first else {
            return current;
        };
        let span = error.span().unwrap_or(0..0);
        // A blanked statement moves the first mistake forward; if not, the blame was wrong.
        if last.is_some_and(|last| span.start <= last) {
            break;
        }
        last = Some(span.start);
        out.mistake(describe(&current, span.clone(), error.message()));
        let blank = at_fault(&current, span.start);
        out.lose_words(&current[blank.clone()]);
        let key = current[blank.clone()].split('=').next().unwrap_or("");
        out.lose_statement(header_before(&current, blank.start), key.trim());
        for byte in &mut bytes[blank] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    out.lose_everything();
    String::new()
}

/// The table of a text that [`repair`] returned.
pub(super) fn parse(text: &str) -> Spanned<DeTable<'_>> {
    DeTable::parse_recoverable(text).0
}

fn describe(text: &str, span: Range<usize>, message: &str) -> Finding {
    let line = line_of(text, span.start);
    let (head, hint) = match message {
        m if m.starts_with("duplicate key") => ("this key is here twice", "keep one of the two"),
        m if m.contains("unclosed table") || m.contains("unclosed array table") => (
            "this section header is not closed",
            "write `[name]`, or `[[name]]` for one of several",
        ),
        m if m.contains("key with no value") => ("this key has no value", "write `key = value`"),
        m if m.contains("string values must be quoted") => (
            "this is not a value: text needs quotes",
            "write it as `\"text\"`",
        ),
        m if m.starts_with("unexpected key or value, expected newline") => {
            ("the line should end here", "write one key on a line")
        }
        m => return Finding::at(span, m).hint("see https://toml.io for how values are written"),
    };
    // An empty place is shown under the last character before it.
    let span = if span.is_empty() && span.start > line.start {
        let before = text[..span.start].char_indices().next_back();
        before.map_or(span.clone(), |(at, _)| at..span.start)
    } else {
        span
    };
    Finding::at(span, head).hint(hint)
}

/// What to blank for a mistake at this byte: the statement, or the section of a broken header.
fn at_fault(text: &str, at: usize) -> Range<usize> {
    let line = line_of(text, at);
    let first = text[line.clone()].trim_start();
    if first.starts_with('[') && !inside_value(text, line.start) {
        return line.start..section_end(text, &line);
    }
    let mut start = line.start;
    while start > 0 && !begins_statement(&text[line_of(text, start)]) {
        start = line_of(text, start - 1).start;
    }
    start..line.end
}

/// Whether the line before is the unfinished middle of an array.
fn inside_value(text: &str, start: usize) -> bool {
    text[..start]
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.ends_with(',') || line.ends_with("= ["))
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
