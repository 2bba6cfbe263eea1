use super::csv::{Row, local};
use super::*;

fn row(fields: &[&str]) -> String {
    let (mut row, mut out) = (Row::default(), Vec::new());
    for field in fields {
        row.put(field);
    }
    row.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn fields_are_quoted_where_they_must_be() {
    let fields = [
        "press-1",
        "",
        "a,b",
        "say \"x\"",
        "-5",
        "-1+2",
        "=A1",
        "0.25",
        "一号",
    ];
    let expected = "press-1,,\"a,b\",\"say \"\"x\"\"\",-5,\" -1+2\",\" =A1\",0.25,一号\r\n";
    assert_eq!(row(&fields), expected);
}

#[test]
fn times_are_those_of_the_plant_with_milliseconds() {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let at = Wall(1_790_000_040_007);
    assert_eq!(local(at, &zone), "2026-09-21T22:14:00.007+08:00");
    for (text, expected) in [
        ("2026-09-21T22:14:00.007+08:00", Some(at)),
        ("2026-09-21T22:14:00.007", Some(at)),
        ("2026-09-21T22:14", Some(Wall(1_790_000_040_000))),
        ("2026-09-21", Some(Wall(1_789_920_000_000))),
        ("yesterday", None),
    ] {
        assert_eq!(parse(text, &zone).ok(), expected, "{text}");
    }
}
