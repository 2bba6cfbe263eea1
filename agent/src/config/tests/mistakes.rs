//! How each mistake is told: its place, its words, its hint.

use super::*;

/// The cases; the file says how they are written.
const CASES: &str = include_str!("mistakes.txt");

#[test]
fn each_is_told_alone_with_its_place_and_a_hint() {
    let failed: Vec<String> = cases().filter_map(|case| case.check().err()).collect();
    assert!(
        failed.is_empty(),
        "{} failed\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

#[derive(Debug, Default)]
struct Case<'a> {
    from: &'a str,
    to: &'a str,
    place: Option<&'a str>,
    what: &'a str,
    hint: &'a str,
}

fn cases() -> impl Iterator<Item = Case<'static>> {
    let (_how, cases) = CASES
        .split_once("##")
        .expect("the file begins with how it is written");
    cases
        .split("\n\n")
        .filter(|block| block.contains("- "))
        .map(|block| {
            let mut case = Case::default();
            for line in block.lines().filter(|line| line.len() >= 2) {
                match line.split_at(2) {
                    ("- ", from) => case.from = from,
                    ("+ ", to) => case.to = to,
                    ("@ ", place) => case.place = Some(place),
                    ("! ", what) => case.what = what,
                    ("? ", hint) => case.hint = hint,
                    _ => panic!("not part of a case: {line}"),
                }
            }
            case
        })
}

impl Case<'_> {
    fn check(&self) -> Result<(), String> {
        let (from, to) = (self.from.replace("\\n", "\n"), self.to.replace("\\n", "\n"));
        if !PRESS_LINE.contains(&from) || self.what.is_empty() {
            return Err(format!("{self:?}: not in the example, or nothing expected"));
        }
        let text = PRESS_LINE.replacen(&from, &to, 1);
        one_mistake(&text, self.place, self.what, self.hint)
            .map_err(|why| format!("{}\n  became {}\n{why}", self.from, self.to))
    }
}

/// Expects exactly this mistake in a text; `¶` in it stands before the place.
pub(super) fn one_mistake(
    text: &str,
    place: Option<&str>,
    what: &str,
    hint: &str,
) -> Result<(), String> {
    let Err(report) = load_text(&text.replace('¶', "")) else {
        return Err(format!("no mistake was found; expected: {what}"));
    };
    let entries: Vec<Entry<'_>> = report.entries().collect();
    let [entry] = entries.as_slice() else {
        return Err(format!("expected only: {what}\n{report}"));
    };
    let marked = text.find('¶').map(|at| {
        let before = &text[..at];
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{column}", before.matches('\n').count() + 1)
    });
    let told = entry
        .line
        .zip(entry.column)
        .map(|(line, column)| format!("{line}:{column}"));
    let place = place.map(str::to_owned).or(marked);
    if told != place {
        return Err(format!("expected at {place:?}, not {told:?}\n{report}"));
    }
    if !entry.message.contains(what) || !entry.hint.is_some_and(|told| told.contains(hint)) {
        return Err(format!("expected: {what}\nwith the hint: {hint}\n{report}"));
    }
    Ok(())
}

#[track_caller]
fn expect_one(text: &str, what: &str, hint: &str) {
    one_mistake(text, None, what, hint).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn of_where_tags_come_from() {
    let moved = PRESS_LINE.replacen("link = \"shop\"", "link = \"plc\"", 1);
    let report = load_text(&moved).expect_err("tags with topics behind a Modbus link");
    let told: Vec<&str> = report.entries().map(|entry| entry.message).collect();
    assert_eq!(
        told,
        [
            "tag `mode` of `oven-7` has a `topic`",
            "tag `good` of `oven-7` has a `topic`",
            "tag `temperature` of `oven-7` has a `topic`",
        ]
    );
    let power = "{ at = \"input:52\", type = \"f32\", unit = \"W\" }";
    let text = PRESS_LINE
        .replacen("link = \"rs485\"\nunit = 17", "link = \"shop\"", 1)
        .replacen(&format!("power = {power}"), &format!("¶power = {power}"), 1);
    expect_one(
        &text,
        "tag `power` of `meter-1` has no `topic`",
        "its link is MQTT",
    );
    let text = PRESS_LINE.replacen(&format!("tags = {{ power = {power} }}"), "", 1);
    let text = text.replacen(
        "[[device]]\nid = \"meter-1\"",
        "¶[[device]]\nid = \"meter-1\"",
        1,
    );
    expect_one(&text, "device `meter-1` has no tags", "add `[device.tags]`");
}

#[test]
fn of_an_alarm_that_fits_only_some_of_its_devices() {
    let text = PRESS_LINE.replacen("when = \"no_data\"", "when = \"¶pressure > 3\"", 1);
    expect_one(
        &text,
        "device `meter-1` has no tag `pressure` (the same for 1 more device)",
        "there is: power, state, no_data",
    );
}

#[test]
fn of_files_that_are_no_text() {
    let told = |bytes: &[u8]| {
        let report = parse(bytes, "a.toml", Path::new("")).expect_err("not a configuration");
        let first = report.entries().next().map(|entry| {
            (
                entry.line,
                entry.column,
                entry.message.to_owned(),
                entry.hint.map(str::to_owned),
            )
        });
        first.expect("a report says something")
    };
    let (before, after) = PRESS_LINE
        .split_once("一号冲压机")
        .expect("press-1 has a name");
    let gbk = [before.as_bytes(), b"\xb3\xe5", after.as_bytes()].concat();
    let (line, column, what, hint) = told(&gbk);
    assert_eq!((line, column), (Some(86), Some(9)));
    assert_eq!(what, "this is not UTF-8 text");
    assert!(hint.is_some_and(|hint| hint.contains("GBK")));
    let (line, _, what, _) = told(b"\xff\xfe[\0g\0");
    assert_eq!((line, what.as_str()), (None, "the file is UTF-16 text"));
    let (line, _, what, _) = told(b"\x7fELF\x02\x01\0\0");
    assert_eq!((line, what.as_str()), (None, "this is not a text file"));
    let (line, _, what, _) = told(b"");
    assert_eq!((line, what.as_str()), (None, "there is no [gateway]"));
}

#[test]
fn a_file_that_is_something_else_is_given_up() {
    let report = load_text(&"x = [1, 2\n".repeat(100)).expect_err("not TOML");
    assert_eq!(report.len(), 51);
    let last = report.entries().last().expect("the end of the report");
    assert!(last.message.starts_with("the rest was not looked at"));
}

#[test]
fn of_a_file_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = load(&folder.path().join("none.toml")).expect_err("there is no file");
    let text = report.to_string();
    assert!(
        text.contains("none.toml: cannot be read: No such file"),
        "{text}"
    );
    assert!(text.ends_with("none.toml"), "{text}");
    let report = load(folder.path()).expect_err("a folder is no file");
    assert!(report.to_string().contains("cannot be read"));
}

#[test]
fn a_secret_is_not_repeated() {
    let text = PRESS_LINE.replacen("payload = ", "password = \"hunter2\"\npayload = ", 1);
    let shown = load_text(&text).expect_err("a secret").to_string();
    assert!(shown.contains("password = *********"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    for spelt in [
        "password = hunter2\n",
        "password = \"hunter2\n",
        "password = [\"hunter2\"\n",
    ] {
        let text = PRESS_LINE.replacen("payload = ", &format!("{spelt}payload = "), 1);
        let shown = load_text(&text).expect_err("a secret").to_string();
        assert!(shown.contains("password ="), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let text = PRESS_LINE.replacen("mqtt://127", "mqtt://me:hunter2@127", 1);
    let shown = load_text(&text).expect_err("a secret").to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// One of each kind: syntax, id, secret, unit, address, type, key, reference, rule, plan.
#[test]
fn ten_mistakes_are_ten() {
    let report = load_text(include_str!("ten.toml")).expect_err("ten mistakes");
    assert_eq!(report.len(), 10);
    assert_eq!(format!("{report}\n"), include_str!("ten.txt"));
}

#[test]
fn at_most_fifty_are_shown_and_all_are_counted() {
    let many: String = (0..60).map(|n| format!("x{n} = 1\n")).collect();
    let shown = load_text(&format!("{many}{LEAST}"))
        .expect_err("unknown keys")
        .to_string();
    assert_eq!(shown.matches("error: ").count(), 50);
    assert!(
        shown.ends_with("60 mistakes in andon.toml (10 more not shown)"),
        "{shown}"
    );
}

/// Everything before and after a broken part is still looked at, and nothing is told twice.
#[test]
fn a_broken_section_hides_no_other_mistake() {
    let text = PRESS_LINE
        .replacen("[[link]]\nid = \"plc\"", "[[link]\nid = \"plc\"", 1)
        .replacen("baud = 19200", "baud = 19000", 1)
        .replacen("delayed = [3]", "delayed = [3", 1)
        .replacen("priority = \"medium\"", "priority = \"mid\"", 1);
    let report = load_text(&text).expect_err("four mistakes");
    let lines: Vec<Option<usize>> = report.entries().map(|entry| entry.line).collect();
    let line_of = |part: &str| {
        let at = text.find(part).expect("it was put there");
        Some(text[..at].matches('\n').count() + 1)
    };
    let parts = [
        "[[link]\n",
        "baud = 19000",
        "delayed = [3\n",
        "priority = \"mid\"",
    ];
    assert_eq!(lines, parts.map(line_of), "{report}");
}

#[test]
fn warnings_do_not_stop_anything() {
    let cases = [
        (
            "deadband = 10\n",
            "",
            "alarm `overheat` may come and go",
            "`deadband`",
        ),
        (
            "at = \"holding:0\"",
            "at = \"holding:40001\"",
            "number from a manual",
            "\"holding:0\"",
        ),
        (
            "setup = [1]",
            "setup = [0]",
            "already `idle`",
            "first match wins",
        ),
        (
            "start = \"20:00\"",
            "start = \"19:00\"",
            "`night` overlaps `day`",
            "stands first",
        ),
    ];
    for (from, to, what, hint) in cases {
        assert!(PRESS_LINE.contains(from), "not in the example: {from}");
        let text = PRESS_LINE
            .replacen(from, to, 1)
            .replacen("\"500 ms\"", "\"200 ms\"", 1)
            .replacen("over = \"8 h\"", "over = \"8 h\"\ndeadband = 0.5", 1);
        let warnings = load_text(&text)
            .unwrap_or_else(|report| panic!("{report}"))
            .warnings;
        let told: Vec<Entry<'_>> = warnings.entries().collect();
        assert_eq!(told.len(), 1, "{what}\n{warnings}");
        assert!(told[0].message.contains(what), "{warnings}");
        assert!(
            told[0].hint.is_some_and(|told| told.contains(hint)),
            "{warnings}"
        );
        assert!(warnings.to_string().contains("warning: "), "{warnings}");
    }
}
