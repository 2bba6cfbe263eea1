use super::*;

fn tag(point: Point, wrap: Option<i64>) -> Tag {
    Tag {
        name: "good".into(),
        unit: "".into(),
        summed: Summed::Not,
        role: Some(Role {
            counts: Counts::Good,
            parts: 1,
            wrap,
        }),
        range: None,
        every_ms: 1000,
        source: Source::Modbus(point),
    }
}

fn point(kind: Kind) -> Point {
    Point::new(Table::Holding, 0, kind)
}

fn bits(kind: Kind, low: u8, high: u8) -> Point {
    Point {
        bits: Bits::new(low, high),
        ..point(kind)
    }
}

#[test]
fn a_counter_wraps_at_the_end_of_its_type_unless_told_otherwise() {
    let cases = [
        (point(Kind::U16), None, Some(65_535)),
        (point(Kind::U32), None, Some(4_294_967_295)),
        (point(Kind::Bcd16), None, Some(9_999)),
        (point(Kind::Bcd32), None, Some(99_999_999)),
        (point(Kind::Bcd64), None, Some(9_999_999_999_999_999)),
        (bits(Kind::U16, 4, 7), None, Some(15)),
        (bits(Kind::U32, 0, 23), None, Some(16_777_215)),
        // Never seen to wrap, or not made to.
        (point(Kind::U64), None, None),
        (bits(Kind::U64, 0, 63), None, None),
        (point(Kind::I16), None, None),
        (bits(Kind::I16, 0, 7), None, None),
        (point(Kind::U32), Some(1_000_000), Some(999_999)),
        (point(Kind::I32), Some(1_000_000), Some(999_999)),
        (bits(Kind::U16, 0, 7), Some(100), Some(99)),
    ];
    for (point, wrap, top) in cases {
        assert_eq!(tag(point.clone(), wrap).top(), top, "{point:?} {wrap:?}");
    }
    assert_eq!(
        Tag {
            summed: Summed::Not,
            role: None,
            ..tag(point(Kind::U16), None)
        }
        .top(),
        None
    );
}

#[test]
fn a_point_takes_the_registers_of_its_type_or_its_text() {
    for ((name, kind), registers) in Kind::ALL
        .into_iter()
        .zip([1, 1, 1, 2, 2, 4, 4, 1, 2, 4, 0, 1, 2, 4, 2, 4, 4])
    {
        assert_eq!(point(kind).width(), registers, "{name}");
        assert_eq!(kind.name(), name);
    }
    for (length, registers) in [(1, 1), (2, 1), (3, 2), (32, 16), (250, 125)] {
        let text = Point {
            length,
            ..point(Kind::Text)
        };
        assert_eq!(text.width(), registers);
    }
    assert_eq!(Point::new(Table::Coil, 0, Kind::Bool).width(), 1);
}

#[test]
fn what_is_scaled_has_no_limits_of_its_type() {
    assert_eq!(bits(Kind::I16, 0, 7).limits(), Some((-128, 127)));
    assert_eq!(bits(Kind::U64, 0, 63).limits(), Some((0, i64::MAX)));
    assert_eq!(point(Kind::F32).limits(), None);
    let scaled = Point {
        power_of_ten: Some(TagIndex(1)),
        ..point(Kind::U16)
    };
    assert!(scaled.is_scaled());
    assert_eq!(scaled.limits(), None);
}
