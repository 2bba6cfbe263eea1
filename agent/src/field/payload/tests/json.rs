//! Batches, conditions and time stamps in JSON documents.

use super::*;
use andon_core::tag::{JsonPlace, Literal};

fn batch(
    each: Option<&str>,
    conditions: &[(&str, Literal)],
    at: &str,
    time: Option<&str>,
) -> Place {
    let conditions = conditions.iter();
    Place {
        format: Format::Json(JsonPlace {
            each: each.map(Into::into),
            conditions: conditions
                .map(|(pointer, wanted)| ((*pointer).into(), wanted.clone()))
                .collect(),
            at: at.into(),
            time: time.map(Into::into),
        }),
        ..Place::bare(None, Kind::F64)
    }
}

fn is(text: &str) -> Literal {
    Literal::Text(text.into())
}

/// The values with their times, in order.
fn all(json: &str, place: &Place) -> Vec<(Result<f64, Reason>, Option<i64>)> {
    let samples = samples(json.as_bytes(), place, false);
    let pair = |sample: &Sample| {
        let value = result(sample).map(|value| value.number().expect("a number"));
        (value, sample.time.map(|time| time.0))
    };
    samples.iter().map(pair).collect()
}

#[test]
fn each_element_is_a_sample() {
    for (json, each, at) in [
        (r#"[{"v":1},{"v":2},{"v":3}]"#, "", "/v"),
        (r#"{"samples":[{"v":1},{"v":2},{"v":3}]}"#, "/samples", "/v"),
        (r#"{"samples":[1,2,3]}"#, "/samples", ""),
        (r#"[[0,1],[0,2],[0,3]]"#, "", "/1"),
    ] {
        let place = batch(Some(each), &[], at, None);
        assert_eq!(
            all(json, &place),
            [(Ok(1.0), None), (Ok(2.0), None), (Ok(3.0), None)]
        );
    }
}

#[test]
fn conditions_pick_the_samples_of_a_tag() {
    let readings = r#"[{"name":"temp","unit":1,"ok":true,"value":3.2},
                       {"name":"pressure","unit":1,"ok":true,"value":7},
                       {"name":"temp","unit":2,"ok":true,"value":9},
                       {"name":"temp","unit":1.0,"ok":false,"value":4},
                       {"value":5}, 6]"#;
    for (conditions, expected) in [
        (vec![("/name", is("pressure"))], vec![7.0]),
        (vec![("/name", is("temp"))], vec![3.2, 9.0, 4.0]),
        (
            vec![("/name", is("temp")), ("/unit", Literal::Int(1))],
            vec![3.2, 4.0],
        ),
        (vec![("/unit", Literal::Float(2.0))], vec![9.0]),
        (vec![("/ok", Literal::Bool(false))], vec![4.0]),
        (vec![("/name", is("flow"))], vec![]),
        (vec![("/name", is("TEMP"))], vec![]),
        (vec![("/unit", is("1"))], vec![]),
        (vec![("/ok", Literal::Int(1))], vec![]),
    ] {
        let place = batch(Some(""), &conditions, "/value", None);
        let found: Vec<f64> = all(readings, &place)
            .into_iter()
            .flat_map(|(v, _)| v)
            .collect();
        assert_eq!(found, expected, "{conditions:?}");
    }
}

#[test]
fn a_condition_may_ask_for_the_device_itself() {
    let presses = r#"[{"id":"press-2","good":9},{"id":"press-1","good":3}]"#;
    let place = batch(Some(""), &[("/id", Literal::Device)], "/good", None);
    assert_eq!(all(presses, &place), [(Ok(3.0), None)]);
}

#[test]
fn a_condition_guards_a_whole_document() {
    let place = batch(None, &[("/type", is("state"))], "/v", None);
    assert_eq!(all(r#"{"type":"state","v":1}"#, &place), [(Ok(1.0), None)]);
    assert_eq!(all(r#"{"type":"alarm","v":1}"#, &place), []);
    assert_eq!(
        all(r#"{"type":"state"}"#, &place),
        [(Err(Reason::Missing), None)]
    );
    assert_eq!(all(r#"{"type""#, &place), [(Err(Reason::Malformed), None)]);
}

#[test]
fn where_no_array_is_there_are_no_samples() {
    let place = batch(Some("/samples"), &[], "/v", None);
    assert_eq!(
        all(r#"{"samples":{"v":1}}"#, &place),
        [(Err(Reason::WrongType), None)]
    );
    assert_eq!(
        all(r#"{"samples":null}"#, &place),
        [(Err(Reason::Missing), None)]
    );
    assert_eq!(all("{}", &place), [(Err(Reason::Missing), None)]);
    assert_eq!(all(r#"{"samples":[]}"#, &place), []);
}

#[test]
fn samples_come_in_the_order_of_their_time() {
    let place = batch(Some(""), &[], "/v", Some("/ts"));
    let json = r#"[{"v":3,"ts":1790000003},{"v":1,"ts":1790000001},{"v":2,"ts":1790000002}]"#;
    let seconds = |s: i64| Some(1_790_000_000_000 + 1000 * s);
    assert_eq!(
        all(json, &place),
        [
            (Ok(1.0), seconds(1)),
            (Ok(2.0), seconds(2)),
            (Ok(3.0), seconds(3))
        ]
    );
}

#[test]
fn without_its_time_stamp_a_value_is_of_no_known_age_and_bad() {
    let place = batch(None, &[], "/v", Some("/ts"));
    for (json, expected) in [
        (
            r#"{"v":1,"ts":1790000000000}"#,
            (Ok(1.0), Some(1_790_000_000_000)),
        ),
        (r#"{"v":1}"#, (Err(Reason::Missing), None)),
        (r#"{"v":1,"ts":null}"#, (Err(Reason::Missing), None)),
        (r#"{"v":1,"ts":"noon"}"#, (Err(Reason::Malformed), None)),
        (r#"{"v":1,"ts":true}"#, (Err(Reason::WrongType), None)),
        (
            r#"{"ts":1790000000000}"#,
            (Err(Reason::Missing), Some(1_790_000_000_000)),
        ),
    ] {
        assert_eq!(all(json, &place), [expected], "{json}");
    }
}

#[test]
fn of_too_many_samples_the_newest_are_taken() {
    let many = MOST_SAMPLES + 10;
    let values: Vec<String> = (0..many).map(|n| n.to_string()).collect();
    let json = format!("[{}]", values.join(","));
    let found = all(&json, &batch(Some(""), &[], "", None));
    assert_eq!(found.len(), MOST_SAMPLES);
    assert_eq!(
        (found[0].0, found[MOST_SAMPLES - 1].0),
        (Ok(10.0), Ok((many - 1) as f64))
    );
}

/// Small objects take many times their length once they are parsed.
#[test]
fn a_document_that_would_grow_too_large_is_not_parsed() {
    let place = Place::json(None, "/0/a", Kind::F64);
    let of = |many: usize| format!("[{}]", vec!["{\"a\":1}"; many].join(","));
    assert_eq!(all(&of(100), &place), [(Ok(1.0), None)]);
    assert_eq!(all(&of(450), &place), [(Err(Reason::TooLong), None)]);
}

#[test]
fn numbers_in_quotes_are_numbers() {
    for (json, kind, expected) in [
        (r#"{"a":"3.2"}"#, Kind::F64, Ok(Value::Float(3.2))),
        (r#"{"a":" 412 "}"#, Kind::U32, Ok(Value::Int(412))),
        (
            r#"{"a":"9007199254740993"}"#,
            Kind::I64,
            Ok(Value::Int(9_007_199_254_740_993)),
        ),
        (r#"{"a":"true"}"#, Kind::Bool, Ok(Value::Bool(true))),
        (r#"{"a":"3,2"}"#, Kind::F64, Err(Reason::WrongType)),
        (r#"{"a":"1 234"}"#, Kind::U32, Err(Reason::WrongType)),
        (r#"{"a":"0x10"}"#, Kind::U32, Err(Reason::WrongType)),
        (r#"{"a":"3.2 bar"}"#, Kind::F64, Err(Reason::WrongType)),
        (r#"{"a":""}"#, Kind::F64, Err(Reason::WrongType)),
        (r#"{"a":"NaN"}"#, Kind::F64, Err(Reason::NotFinite)),
        (r#"{"a":"70000"}"#, Kind::U16, Err(Reason::OutOfRange)),
    ] {
        assert_eq!(read(json.as_bytes(), Some("/a"), kind), expected, "{json}");
    }
}

#[test]
fn values_are_scaled_as_decimals() {
    let scaled = |json: &str, kind, scale, offset| {
        let place = Place {
            scale,
            offset,
            ..Place::json(None, "/a", kind)
        };
        one(&samples(json.as_bytes(), &place, false))
    };
    assert_eq!(
        scaled(r#"{"a":3}"#, Kind::U16, 0.1, 0.0),
        Ok(Value::Float(0.3))
    );
    assert_eq!(
        scaled(r#"{"a":"235"}"#, Kind::I16, 0.1, -40.0),
        Ok(Value::Float(-16.5))
    );
    assert_eq!(
        scaled(r#"{"a":2.5}"#, Kind::F64, 2.0, 1.0),
        Ok(Value::Float(6.0))
    );
    assert_eq!(
        scaled(r#"{"a":70000}"#, Kind::U16, 0.1, 0.0),
        Err(Reason::OutOfRange)
    );
    assert_eq!(
        scaled(r#"{"a":1e308}"#, Kind::F64, 100.0, 0.0),
        Err(Reason::NotFinite)
    );
}

proptest! {
    #[test]
    fn a_batch_comes_back_in_order(times in prop::collection::vec(1_000_000_000..2_000_000_000_i64, 0..50)) {
        let element = |time: &i64| format!("{{\"v\":{time},\"ts\":{time}}}");
        let elements: Vec<String> = times.iter().map(element).collect();
        let json = format!("[{}]", elements.join(","));
        let place = batch(Some(""), &[], "/v", Some("/ts"));
        let mut expected = times.clone();
        expected.sort_unstable();
        let found: Vec<f64> = all(&json, &place).into_iter().flat_map(|(value, _)| value).collect();
        prop_assert!(found.into_iter().eq(expected.into_iter().map(|time| time as f64)));
    }
}
