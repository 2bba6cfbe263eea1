//! Whatever is in the file, the answer is a report or settings, never a panic.

use super::*;
use proptest::prelude::*;

/// Pieces that mean something to one of the parsers.
const PIECES: [&str; 34] = [
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
    ";",
    "\t",
    "{n-9}",
    "{n",
    "}:0",
    "\u{a0}",
];

/// The main file of several, which names the others below.
const MAIN: &str = "\
include = [\"conf.d/*.toml\"]
devices_csv = [\"devices.csv\"]
[gateway]
id = \"gw-1\"
site = \"here\"
area = \"hall\"
[upstream]
broker = \"mqtt://broker\"
[[device]]
each = \"1..40\"
id = \"press-{n:02}\"
name = \"{n}号冲压机\"
profile = \"press\"
unit = \"{n}\"
modbus_tcp = \"10.1.3.{100+n}:502\"
[[device]]
each = [3, 7]
id = \"oven-{n}\"
link = \"shop\"
tags = { mode = { topic = \"oven/{n*2-1}/state\", type = \"string\" } }
";

const INCLUDED: &str = "\
[[link]]
id = \"shop\"
mqtt = \"mqtt://shop\"
[[profile]]
id = \"mill\"
tags = { status = { at = \"holding:0\", type = \"u16\" } }
[[alarm]]
id = \"mute\"
devices = [\"*\"]
when = \"no_data\"
";

const TABLE: &str = "\
id;name;profile;modbus_tcp;unit;rated_rate;min_coverage;publishes
mill-1;\"一号 \"\"大\"\" 铣床\";mill;10.1.4.1;1.0;\"1,200/h\";0,5;
# mill-2;;mill
mill-3;三号铣床;mill;10.1.4.1:502;3;90/h;;\"[\"\"1m\"\"]\"
";

fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..30usize, 0..PIECES.len());
    (
        prop::collection::vec(edit, 0..6),
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(edits, end, cut)| {
            let mut bytes = text.as_bytes().to_vec();
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

/// The files as they are or mutated, and the table also in another encoding.
fn several() -> impl Strategy<Value = [Vec<u8>; 3]> {
    let file = |text: &'static str| prop_oneof![Just(text.as_bytes().to_vec()), mutated(text)];
    (file(MAIN), file(INCLUDED), file(TABLE), any::<bool>()).prop_map(
        |(main, included, table, gbk)| {
            let encoded = |table: &[u8]| {
                let text = String::from_utf8_lossy(table).into_owned();
                encoding_rs::GB18030.encode(&text).0.into_owned()
            };
            let table = if gbk { encoded(&table) } else { table };
            [main, included, table]
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_mutated_file_never_panics(bytes in mutated(PRESS_LINE)) {
        check(parse(&bytes, "andon.toml", Path::new("")))?;
    }

    #[test]
    fn mutated_files_never_panic([main, included, table] in several()) {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
        std::fs::create_dir(folder.path().join("conf.d")).expect("a folder");
        write("andon.toml", &main).expect("a file");
        write("conf.d/a.toml", &included).expect("a file");
        write("devices.csv", &table).expect("a file");
        check(load(&folder.path().join("andon.toml")))?;
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        check(parse(text.as_bytes(), "andon.toml", Path::new("")))?;
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(parse(&bytes, "andon.toml", Path::new("")))?;
    }
}

/// Files that nobody touched are good: what is found in others is the mutation's.
#[test]
fn the_files_are_good_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    std::fs::create_dir(folder.path().join("conf.d")).expect("a folder");
    write("andon.toml", MAIN).expect("a file");
    write("conf.d/a.toml", INCLUDED).expect("a file");
    write("devices.csv", TABLE).expect("a file");
    let loaded = load(&folder.path().join("andon.toml"));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.settings.plant.devices.len(), 44);
}

/// A refusal says something, and programs are told the same places as people.
fn check(loaded: Result<Loaded, Report>) -> Result<(), TestCaseError> {
    let report = match loaded {
        Ok(loaded) => loaded.warnings,
        Err(report) => {
            prop_assert!(!report.is_empty());
            report
        }
    };
    let text = report.to_string();
    for entry in report.entries().take(50) {
        if let (Some(line), Some(column)) = (entry.line, entry.column) {
            let place = format!("> {}:{line}:{column}\n", entry.file);
            prop_assert!(text.contains(&place), "{} in\n{}", place, text);
        }
    }
    Ok(())
}
