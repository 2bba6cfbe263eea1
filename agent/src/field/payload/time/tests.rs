use super::*;
use proptest::prelude::*;

const TS: i64 = 1_790_000_000_000;

fn shanghai() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

fn text(text: &str) -> Result<i64, Reason> {
    of_text(text, None, &shanghai()).map(|time| time.0)
}

#[test]
fn the_size_of_a_number_tells_its_unit() {
    for (number, ms) in [
        (1_790_000_000, TS),
        (1_790_000_000_000, TS),
        (1_790_000_000_123, TS + 123),
        (1_790_000_000_123_456, TS + 123),
        (1_790_000_000_123_456_789, TS + 123),
        (0, 0),
        (-1, -1000),
    ] {
        assert_eq!(of_number(number, None), Ok(Wall(ms)), "{number}");
    }
}

#[test]
fn a_unit_may_be_said() {
    for (unit, number, ms) in [
        (TimeUnit::Seconds, 5, 5000),
        (TimeUnit::Millis, 5, 5),
        (TimeUnit::Micros, 5001, 5),
        (TimeUnit::Micros, -1, -1),
        (TimeUnit::Nanos, 5_000_001, 5),
    ] {
        assert_eq!(of_number(number, Some(unit)), Ok(Wall(ms)), "{unit:?}");
    }
    assert_eq!(
        of_number(i64::MAX, Some(TimeUnit::Seconds)),
        Err(Reason::OutOfRange)
    );
    assert_eq!(
        of_number(i64::MAX, Some(TimeUnit::Millis)),
        Err(Reason::OutOfRange)
    );
}

#[test]
fn texts_are_rfc_3339_or_numbers() {
    for (written, ms) in [
        ("2026-09-21T14:13:20Z", TS),
        ("2026-09-21T14:13:20.25Z", TS + 250),
        ("2026-09-21T22:13:20+08:00", TS),
        ("2026-09-21 22:13:20+08:00", TS),
        ("1790000000", TS),
        (" 1790000000123 ", TS + 123),
        ("1790000000.25", TS + 250),
    ] {
        assert_eq!(text(written), Ok(ms), "{written}");
    }
}

#[test]
fn a_text_without_an_offset_is_local_time_of_the_plant() {
    assert_eq!(text("2026-09-21T22:13:20"), Ok(TS));
    assert_eq!(text("2026-09-21 22:13:20.5"), Ok(TS + 500));
    // Twice there is half past two on the day on which summer time ends: the first is meant.
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let first = of_text("2026-10-25T02:30:00+02:00", None, &berlin);
    assert_eq!(of_text("2026-10-25T02:30:00", None, &berlin), first);
}

#[test]
fn what_is_no_time_is_none() {
    for written in [
        "",
        "noon",
        "2026-13-01T00:00:00Z",
        "21.09.2026 22:13",
        "14:13:20",
        "12,5",
    ] {
        assert_eq!(text(written), Err(Reason::Malformed), "{written}");
    }
    assert_eq!(text("NaN"), Err(Reason::NotFinite));
    assert_eq!(text("1e300"), Err(Reason::OutOfRange));
    let json = |json: &str| of_json(&serde_json::from_str(json).unwrap(), None, &TimeZone::UTC);
    assert_eq!(json("1790000000.5"), Ok(Wall(TS + 500)));
    assert_eq!(json("\"2026-09-21T14:13:20Z\""), Ok(Wall(TS)));
    assert_eq!(json("1e300"), Err(Reason::OutOfRange));
    assert_eq!(json("null"), Err(Reason::Missing));
    assert_eq!(json("[1]"), Err(Reason::WrongType));
}

proptest! {
    #[test]
    fn every_moment_comes_back(ms in 0..4_102_444_800_000_i64) {
        let moment = Timestamp::from_millisecond(ms).unwrap();
        prop_assert_eq!(text(&moment.to_string()), Ok(ms));
        let local = moment.to_zoned(shanghai()).datetime().to_string();
        // Shanghai set its clock back until 1991; since then every local time is one moment.
        if ms > 700_000_000_000 {
            prop_assert_eq!(text(&local), Ok(ms));
        }
    }

    #[test]
    fn any_text_is_a_time_or_none(written in ".{0,40}") {
        let _ = text(&written);
    }
}
