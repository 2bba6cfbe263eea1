//! Rows of text.

use super::*;
use andon_core::tag::{Column, CsvPlace};

fn column(column: Column, time: Option<Column>, separator: Option<u8>, kind: Kind) -> Place {
    Place {
        format: Format::Csv(CsvPlace {
            column,
            time,
            separator,
        }),
        ..Place::bare(None, kind)
    }
}

fn number(at: u16) -> Column {
    Column::Number(at)
}

fn name(name: &str) -> Column {
    Column::Name(name.into())
}

fn cell(csv: &str, at: Column, kind: Kind) -> Result<Value, Reason> {
    one(&samples(
        csv.as_bytes(),
        &column(at, None, None, kind),
        false,
    ))
}

#[test]
fn the_last_row_counts() {
    for csv in [
        "1,2,3.5",
        "1,2,3.5\r\n",
        "9,9,9\n1,2,3.5",
        "a,b,c\n9,9,9\n1,2,3.5\n\n",
        "\u{feff}a;b;c\n1;2;3.5",
        "a\tb\tc\n1\t2\t3.5\n",
        "a|b|c\n1,2,3.5",
        " 1 , 2 , 3.5 ",
        "\"1\",\"2\",\"3.5\"",
        "9,\"two\nlines, and \"\"quotes\"\"\",9\n1,2,3.5",
    ] {
        assert_eq!(
            cell(csv, number(2), Kind::F64),
            Ok(Value::Float(3.5)),
            "{csv:?}"
        );
    }
}

#[test]
fn rows_may_be_gbk_and_other_bytes_are_no_text() {
    let csv = "时间,温度,状态\r\n1,20.5,运行\r\n2,21.5,停机\r\n";
    let (gbk, _, unknown) = encoding_rs::GBK.encode(csv);
    assert!(!unknown && std::str::from_utf8(&gbk).is_err());
    let of = |bytes: &[u8], at, kind| one(&samples(bytes, &column(at, None, None, kind), false));
    assert_eq!(of(&gbk, name("温度"), Kind::F64), Ok(Value::Float(21.5)));
    assert_eq!(of(&gbk, number(2), Kind::Text), text("停机"));
    for bytes in [&b"1,2\xff\xff"[..], b"1,\xd4\x002", b"\x81", b"1,2,\xce"] {
        let read = of(bytes, number(1), Kind::F64);
        assert_eq!(read, Err(Reason::Malformed), "{bytes:?}");
    }
}

#[test]
fn a_column_may_be_named_by_the_first_row() {
    let csv = "time,temp,\"mode, now\"\n1790000000,3.2,run\n1790000001,3.3,stop\n";
    assert_eq!(cell(csv, name("temp"), Kind::F64), Ok(Value::Float(3.3)));
    assert_eq!(cell(csv, name("mode, now"), Kind::Text), text("stop"));
    assert_eq!(cell(csv, name("Temp"), Kind::F64), Err(Reason::Missing));
    assert_eq!(
        cell("temp\n", name("temp"), Kind::F64),
        Err(Reason::WrongType),
        "a header alone"
    );
}

#[test]
fn what_is_not_there_or_no_number_is_no_value() {
    assert_eq!(cell("1,,3", number(1), Kind::F64), Err(Reason::Missing));
    assert_eq!(cell("1,2", number(2), Kind::F64), Err(Reason::Missing));
    assert_eq!(cell("1,2,3\n1", number(2), Kind::F64), Err(Reason::Missing));
    assert_eq!(cell("1,2", number(5000), Kind::F64), Err(Reason::Missing));
    assert_eq!(cell("a;3,5", number(1), Kind::F64), Err(Reason::WrongType));
    assert_eq!(cell("", number(0), Kind::F64), Err(Reason::Malformed));
    let long = format!("a,{}", "x".repeat(60));
    assert_eq!(cell(&long, number(1), Kind::Text), Err(Reason::TooLong));
    // A quote that nobody closes holds everything to the end.
    assert_eq!(
        cell("1,\"2,3\n4,5", number(2), Kind::F64),
        Err(Reason::Missing)
    );
}

#[test]
fn a_separator_may_be_said() {
    let place = |separator| column(number(1), None, separator, Kind::F64);
    let csv = b"1|2,5|3";
    assert_eq!(
        one(&samples(csv, &place(Some(b'|')), false)),
        Err(Reason::WrongType)
    );
    assert_eq!(
        one(&samples(b"1|2.5|3", &place(Some(b'|')), false)),
        Ok(Value::Float(2.5))
    );
    // Two tags of one message may differ in it.
    let reader = Reader {
        device: "d",
        zone: &TimeZone::UTC,
        retained: false,
    };
    let (bars, commas) = (place(Some(b'|')), place(None));
    let tags = [
        (TagIndex(0), &commas),
        (TagIndex(1), &bars),
        (TagIndex(2), &commas),
    ];
    let found = Payload::new(b"1|2|3,4", 100).samples(tags, reader);
    let values: Vec<_> = found.iter().map(|(_, sample)| result(sample)).collect();
    assert_eq!(
        values,
        [
            Ok(Value::Float(4.0)),
            Ok(Value::Float(2.0)),
            Ok(Value::Float(4.0))
        ]
    );
}

#[test]
fn a_row_may_have_its_time() {
    let place = column(name("t"), Some(number(0)), None, Kind::F64);
    let at = |csv: &str| {
        let samples = samples(csv.as_bytes(), &place, false);
        (one(&samples), samples[0].time)
    };
    let time = Some(Wall(1_790_000_000_000));
    assert_eq!(
        at("ts;t\n2026-09-21T14:13:20Z;7"),
        (Ok(Value::Float(7.0)), time)
    );
    assert_eq!(at("ts;t\n1790000000;7"), (Ok(Value::Float(7.0)), time));
    assert_eq!(at("ts;t\n;7"), (Err(Reason::Missing), None));
    assert_eq!(at("ts;t\nsoon;7"), (Err(Reason::Malformed), None));
}

proptest! {
    /// Written by the book (RFC 4180, §2) and not by the library that reads it.
    #[test]
    fn what_is_written_comes_back(
        rows in prop::collection::vec(prop::collection::vec("[ -~äß\n]{0,12}", 3), 1..5),
        at in 0..3_u16,
    ) {
        let field = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(field).collect::<Vec<_>>().join(",");
        let csv = rows.iter().map(line).collect::<Vec<_>>().join("\r\n");
        let expected = rows.last().unwrap()[usize::from(at)].trim().to_owned();
        let found = one(&samples(csv.as_bytes(), &column(number(at), None, Some(b','), Kind::Text), false));
        if expected.is_empty() {
            prop_assert_eq!(found, Err(Reason::Missing));
        } else {
            prop_assert_eq!(found, text(&expected));
        }
    }
}
