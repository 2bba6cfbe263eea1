//! Whatever is in the file, the answer is a report or settings, never a panic.

use super::*;
use proptest::prelude::*;

/// Pieces that mean something to one of the parsers.
const PIECES: [&str; 28] = [
    "[",
    "]",
    "[[",
    "\"",
    "\"\"\"",
    "'",
    "{",
    "}",
    "=",
    ",",
    "#",
    "\n",
    "\r\n",
    "..",
    "*",
    "-",
    "0",
    "9999999999999999999",
    "1e999",
    "nan",
    "true",
    "/",
    ":",
    "号",
    "\u{feff}",
    "\0",
    "\\",
    "(",
];

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..30usize, 0..PIECES.len());
    (
        prop::collection::vec(edit, 0..6),
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(edits, end, cut)| {
            let mut bytes = PRESS_LINE.as_bytes().to_vec();
            for (at, gone, piece) in edits {
                let at = at.index(bytes.len());
                let until = (at + gone).min(bytes.len());
                bytes.splice(at..until, PIECES[piece].bytes());
            }
            if cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_mutated_file_never_panics(bytes in mutated()) {
        check(&bytes)?;
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        check(text.as_bytes())?;
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }
}

/// A refusal says something, and programs are told the same places as people.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let report = match parse(bytes, "andon.toml", Path::new("")) {
        Ok(loaded) => loaded.warnings,
        Err(report) => {
            prop_assert!(!report.is_empty());
            report
        }
    };
    let text = report.to_string();
    for entry in report.entries().take(50) {
        if let (Some(line), Some(column)) = (entry.line, entry.column) {
            let place = format!("> andon.toml:{line}:{column}\n");
            prop_assert!(text.contains(&place), "{} in\n{}", place, text);
        }
    }
    Ok(())
}
