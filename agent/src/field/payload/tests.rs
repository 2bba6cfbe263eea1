use super::*;
use andon_core::tag::Kind;
use proptest::prelude::*;

mod csv;
mod json;

const KINDS: [Kind; 10] = [
    Kind::Bool,
    Kind::U16,
    Kind::I16,
    Kind::U32,
    Kind::I32,
    Kind::U64,
    Kind::I64,
    Kind::F32,
    Kind::F64,
    Kind::Text,
];

fn place(pointer: Option<&str>, kind: Kind) -> Place {
    match pointer {
        Some(at) => Place::json(None, at, kind),
        None => Place::bare(None, kind),
    }
}

fn samples(bytes: &[u8], place: &Place, retained: bool) -> Vec<Sample> {
    let reader = Reader {
        device: "press-1",
        zone: &TimeZone::UTC,
        retained,
    };
    let samples = Payload::new(bytes, 4096).samples([(TagIndex(3), place)], reader);
    let of_tag = |(tag, sample)| {
        assert_eq!(tag, TagIndex(3));
        sample
    };
    samples.into_iter().map(of_tag).collect()
}

fn read(bytes: &[u8], pointer: Option<&str>, kind: Kind) -> Result<Value, Reason> {
    one(&samples(bytes, &place(pointer, kind), false))
}

fn one(samples: &[Sample]) -> Result<Value, Reason> {
    match samples {
        [sample] => result(sample),
        other => panic!("one sample, not {other:?}"),
    }
}

fn result(sample: &Sample) -> Result<Value, Reason> {
    match &sample.reading {
        Reading::Good(value) => Ok(value.clone()),
        Reading::Bad(reason) => Err(*reason),
        Reading::Uncertain(..) => panic!("not retained"),
    }
}

fn bare(text: &str, kind: Kind) -> Result<Value, Reason> {
    read(text.as_bytes(), None, kind)
}

fn text(text: &str) -> Result<Value, Reason> {
    Ok(Value::Text(text.try_into().unwrap()))
}

#[test]
fn a_bare_value_is_read_by_its_type() {
    assert_eq!(bare("12.5", Kind::F64), Ok(Value::Float(12.5)));
    assert_eq!(bare(" 12\n", Kind::F32), Ok(Value::Float(12.0)));
    assert_eq!(bare("-1.5e3", Kind::F64), Ok(Value::Float(-1500.0)));
    assert_eq!(
        bare("9007199254740993", Kind::I64),
        Ok(Value::Int(9_007_199_254_740_993))
    );
    assert_eq!(bare("5.0", Kind::U16), Ok(Value::Int(5)));
    assert_eq!(bare("true", Kind::Bool), Ok(Value::Bool(true)));
    assert_eq!(bare("0", Kind::Bool), Ok(Value::Bool(false)));
    assert_eq!(bare("run", Kind::Text), text("run"));
    assert_eq!(bare("\"run\"", Kind::Text), text("run"));
    assert_eq!(bare("自动", Kind::Text), text("自动"));
    assert_eq!(bare("12", Kind::Text), text("12"));
}

#[test]
fn a_bare_value_of_another_type_is_none() {
    for (payload, kind) in [
        ("true", Kind::F64),
        ("\"12,5\"", Kind::F64),
        ("\"0x12\"", Kind::U16),
        ("1 234", Kind::U32),
        ("hello", Kind::U32),
        ("12,5", Kind::F64),
        ("{\"a\":1}", Kind::F64),
        ("[1]", Kind::Bool),
        ("5.5", Kind::I32),
        ("2", Kind::Bool),
        ("0.5", Kind::Bool),
    ] {
        assert_eq!(bare(payload, kind), Err(Reason::WrongType), "{payload}");
    }
    assert_eq!(bare("null", Kind::F64), Err(Reason::Missing));
}

#[test]
fn numbers_outside_their_type_are_out_of_range() {
    for (payload, kind) in [
        ("65536", Kind::U16),
        ("-1", Kind::U16),
        ("-1", Kind::U64),
        ("32768", Kind::I16),
        ("4294967296", Kind::U32),
        ("-2147483649", Kind::I32),
        ("9223372036854775808", Kind::U64),
        ("1e300", Kind::I64),
        ("1e39", Kind::F32),
    ] {
        assert_eq!(bare(payload, kind), Err(Reason::OutOfRange), "{payload}");
        let json = format!("{{\"a\":{payload}}}");
        assert_eq!(
            read(json.as_bytes(), Some("/a"), kind),
            Err(Reason::OutOfRange),
            "{payload}"
        );
    }
}

#[test]
fn what_is_not_a_number_is_not_a_value() {
    for payload in ["NaN", "nan", "inf", "-Infinity", "1e999", "-1e999"] {
        assert_eq!(
            bare(payload, Kind::F64),
            Err(Reason::NotFinite),
            "{payload}"
        );
    }
}

#[test]
fn json_is_read_by_pointer() {
    let state = br#"{"mode":"run","parts":412,"t":{"zone":[{"c":21.5}]},"on":true,"a/b":1}"#;
    assert_eq!(read(state, Some("/mode"), Kind::Text), text("run"));
    assert_eq!(read(state, Some("/parts"), Kind::U32), Ok(Value::Int(412)));
    assert_eq!(
        read(state, Some("/t/zone/0/c"), Kind::F64),
        Ok(Value::Float(21.5))
    );
    assert_eq!(read(state, Some("/on"), Kind::Bool), Ok(Value::Bool(true)));
    assert_eq!(read(state, Some("/a~1b"), Kind::F64), Ok(Value::Float(1.0)));
    assert_eq!(read(b"7", Some(""), Kind::I32), Ok(Value::Int(7)));
}

#[test]
fn what_json_does_not_have_is_missing_and_what_does_not_fit_is_of_the_wrong_type() {
    let state = br#"{"mode":"run","parts":"four","none":null,"deep":{}}"#;
    assert_eq!(read(state, Some("/speed"), Kind::F64), Err(Reason::Missing));
    assert_eq!(read(state, Some("/none"), Kind::F64), Err(Reason::Missing));
    assert_eq!(
        read(state, Some("/parts"), Kind::U32),
        Err(Reason::WrongType)
    );
    assert_eq!(
        read(state, Some("/mode"), Kind::Bool),
        Err(Reason::WrongType)
    );
    assert_eq!(
        read(state, Some("/deep"), Kind::Text),
        Err(Reason::WrongType)
    );
    assert_eq!(
        read(b"{\"mode\":5}", Some("/mode"), Kind::Text),
        Err(Reason::WrongType)
    );
}

#[test]
fn what_is_no_payload_at_all_is_malformed() {
    assert_eq!(read(b"", None, Kind::F64), Err(Reason::Malformed));
    assert_eq!(read(b" \r\n", None, Kind::Text), Err(Reason::Malformed));
    assert_eq!(
        read(&[0xFF, 0xFE], None, Kind::Text),
        Err(Reason::Malformed)
    );
    assert_eq!(read(b"\"run", None, Kind::Text), Err(Reason::Malformed));
    for broken in [
        "{\"a\":1",
        "{\"a\":1}}",
        "{'a':1}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
        "hello",
    ] {
        let got = read(broken.as_bytes(), Some("/a"), Kind::F64);
        assert_eq!(got, Err(Reason::Malformed), "{broken}");
    }
    let deep = "[".repeat(1000);
    assert_eq!(
        read(deep.as_bytes(), Some("/0"), Kind::F64),
        Err(Reason::Malformed)
    );
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(
        read(deep.as_bytes(), Some("/0"), Kind::F64),
        Err(Reason::Malformed)
    );
}

#[test]
fn what_is_too_long_is_refused_and_never_cut() {
    assert_eq!(bare(&"x".repeat(38), Kind::Text), text(&"x".repeat(38)));
    assert_eq!(bare(&"x".repeat(39), Kind::Text), Err(Reason::TooLong));
    assert_eq!(bare(&"钢".repeat(13), Kind::Text), Err(Reason::TooLong));
    let json = format!("{{\"a\":\"{}\"}}", "x".repeat(39));
    assert_eq!(
        read(json.as_bytes(), Some("/a"), Kind::Text),
        Err(Reason::TooLong)
    );
    assert_eq!(bare(&" ".repeat(4096), Kind::Text), Err(Reason::Malformed));
    assert_eq!(bare(&" ".repeat(4097), Kind::Text), Err(Reason::TooLong));
}

#[test]
fn the_brokers_copy_is_uncertain_and_a_bad_one_stays_bad() {
    let place = place(None, Kind::F64);
    let good = samples(b"21.5", &place, true);
    let retained = Reading::Uncertain(Value::Float(21.5), Reason::Retained);
    assert_eq!(good, [retained.into()]);
    let bad = samples(b"oven", &place, true);
    assert_eq!(bad, [Reading::Bad(Reason::WrongType).into()]);
}

proptest! {
    #[test]
    fn what_a_machine_publishes_comes_back(x in any::<f64>(), i in any::<i64>()) {
        prop_assume!(x.is_finite());
        let json = format!("{{\"x\":{x:?},\"i\":{i}}}");
        prop_assert_eq!(read(json.as_bytes(), Some("/i"), Kind::I64), Ok(Value::Int(i)));
        prop_assert_eq!(read(json.as_bytes(), Some("/x"), Kind::F64), Ok(Value::Float(x)));
        prop_assert_eq!(bare(&format!("{x:?}"), Kind::F64), Ok(Value::Float(x)));
    }

    #[test]
    fn any_bytes_end_as_one_reading_that_fits_its_type(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(KINDS.to_vec()),
        pointer in prop::option::of("(/[a-z0-9~]{0,3}){0,3}"),
    ) {
        if let Ok(value) = read(&bytes, pointer.as_deref(), kind) {
            let fits = match value {
                Value::Bool(_) => kind == Kind::Bool,
                Value::Int(_) => kind.is_integer() && kind != Kind::Bool,
                Value::Float(x) => matches!(kind, Kind::F32 | Kind::F64) && x.is_finite(),
                Value::Text(_) => kind == Kind::Text,
            };
            prop_assert!(fits);
        }
    }
}
