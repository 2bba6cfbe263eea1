//! Text for a terminal of 80 columns: ids in one column, then what is the matter, and below it,
//! indented, why.

use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns of a terminal.
pub(crate) const COLUMNS: usize = 80;

/// Longer ids push the rest of their line aside.
const LONGEST_ID: usize = 24;

/// An empty line and a heading.
pub(crate) fn heading(text: &mut String, words: &str) {
    text.push('\n');
    line(text, 0, words);
}

/// One line.
pub(crate) fn line(text: &mut String, indent: usize, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{}", "", words.trim_end());
}

/// `words` after `head`, broken where the line is full: between words, and in words of wide
/// characters, as Chinese is written without spaces. Further lines are indented.
pub(crate) fn wrapped(text: &mut String, head: &str, indent: usize, words: &str) {
    let mut row = head.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        let room = COLUMNS.saturating_sub(row.width() + usize::from(!is_empty));
        let is_wide = word.chars().any(|c| c.width() == Some(2));
        if !is_empty && word.width() > room && !is_wide {
            line(text, 0, &row);
            row = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            row.push(' ');
        }
        for c in word.chars() {
            if is_wide && row.width() + c.width().unwrap_or(0) > COLUMNS {
                line(text, 0, &row);
                row = " ".repeat(indent);
            }
            row.push(c);
        }
        is_empty = false;
    }
    line(text, 0, &row);
}

/// Width of a column of ids.
pub(crate) fn width<'a>(ids: impl Iterator<Item = &'a str>) -> usize {
    ids.map(str::len).max().unwrap_or(0).min(LONGEST_ID)
}

/// A number with its noun.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A span of milliseconds in its two largest units.
pub(crate) fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// The same in Chinese.
pub(crate) fn span_zh(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} 毫秒"),
        1..60 => format!("{s} 秒"),
        60..3600 => format!("{} 分 {} 秒", s / 60, s % 60),
        3600..86_400 => format!("{} 小时 {} 分", s / 3600, s / 60 % 60),
        _ => format!("{} 天 {} 小时", s / 86_400, s / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_broken_between_words_and_between_chinese_characters() {
        let mut text = String::new();
        wrapped(&mut text, "  a ", 4, &"word ".repeat(20));
        wrapped(&mut text, "    ", 4, &"报警".repeat(40));
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 2 + 3, "{text}");
        assert!(rows.iter().all(|row| row.width() <= COLUMNS), "{text}");
        assert!(rows[1].starts_with("    word"), "{text}");
        assert_eq!(rows[2..].concat().matches("报警").count(), 40);
    }
}
