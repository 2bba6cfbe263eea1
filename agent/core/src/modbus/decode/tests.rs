use super::*;
use crate::tag::Table;
use alloc::vec::Vec;
use proptest::prelude::*;

const ORDERS: [Order; 4] = [Order::Abcd, Order::Cdab, Order::Badc, Order::Dcba];

fn point(kind: Kind, order: Order) -> Point {
    Point {
        table: Table::Holding,
        address: 10,
        kind,
        order,
        scale: 1.0,
        offset: 0.0,
    }
}

fn scaled_point(kind: Kind, scale: f64, offset: f64) -> Point {
    Point {
        scale,
        offset,
        ..point(kind, Order::Abcd)
    }
}

fn value(point: &Point, registers: &[u16]) -> Result<Value, Reason> {
    decode(point, Words::Registers(registers), 10)
}

/// The registers in which a device with this byte order sends big-endian `bytes`: written down
/// byte by byte, independent of how they are decoded.
fn encode(bytes: &[u8], order: Order) -> Vec<u16> {
    let n = bytes.len();
    let at = |i: usize| match order {
        Order::Abcd => bytes[i],
        Order::Cdab => bytes[n - 2 - (i & !1) + (i & 1)],
        Order::Badc => bytes[i ^ 1],
        Order::Dcba => bytes[n - 1 - i],
    };
    (0..n / 2)
        .map(|w| u16::from_be_bytes([at(2 * w), at(2 * w + 1)]))
        .collect()
}

#[test]
fn published_examples_of_ieee_754_and_twos_complement() {
    let f32s: [(u32, f64); 4] = [
        (0x47F1_2000, 123_456.0),
        (0x42F6_E979, 123.456_001_281_738_28),
        (0xC110_0000, -9.0),
        (0x3F80_0000, 1.0),
    ];
    for (bits, expected) in f32s {
        let registers = [(bits >> 16) as u16, bits as u16];
        assert_eq!(
            value(&point(Kind::F32, Order::Abcd), &registers),
            Ok(Value::Float(expected))
        );
    }
    let pi = [0x4009, 0x21FB, 0x5444, 0x2D18];
    let expected = Ok(Value::Float(core::f64::consts::PI));
    assert_eq!(value(&point(Kind::F64, Order::Abcd), &pi), expected);
    assert_eq!(
        value(&point(Kind::I16, Order::Abcd), &[0xFFFE]),
        Ok(Value::Int(-2))
    );
    let minus_two = [0xFFFF, 0xFFFE];
    assert_eq!(
        value(&point(Kind::I32, Order::Abcd), &minus_two),
        Ok(Value::Int(-2))
    );
}

#[test]
fn the_four_orders_by_the_letters_of_their_names() {
    let registers = [
        (Order::Abcd, [0x47F1, 0x2000]),
        (Order::Cdab, [0x2000, 0x47F1]),
        (Order::Badc, [0xF147, 0x0020]),
        (Order::Dcba, [0x0020, 0xF147]),
    ];
    for (order, registers) in registers {
        assert_eq!(
            value(&point(Kind::F32, order), &registers),
            Ok(Value::Float(123_456.0))
        );
    }
    let registers = [
        (Order::Abcd, [0x0102, 0x0304, 0x0506, 0x0708]),
        (Order::Cdab, [0x0708, 0x0506, 0x0304, 0x0102]),
        (Order::Badc, [0x0201, 0x0403, 0x0605, 0x0807]),
        (Order::Dcba, [0x0807, 0x0605, 0x0403, 0x0201]),
    ];
    for (order, registers) in registers {
        let expected = Ok(Value::Int(0x0102_0304_0506_0708));
        assert_eq!(value(&point(Kind::I64, order), &registers), expected);
    }
}

#[test]
fn a_decimal_scale_gives_the_decimal_a_person_expects() {
    let cases = [
        (123, 0.1, 0.0, 12.3),
        (3, 0.1, 0.0, 0.3),
        (3, 0.3, 0.0, 0.9),
        (7, 0.07, 0.0, 0.49),
        (1234, 0.001, 0.0, 1.234),
        (251, 0.1, -40.0, -14.9),
        (11, 0.1, 0.2, 1.3),
        (10, 2.5, 0.0, 25.0),
        (5, 1.0, 0.5, 5.5),
        (65_535, -0.01, 0.0, -655.35),
    ];
    for (raw, scale, offset, expected) in cases {
        let point = scaled_point(Kind::U16, scale, offset);
        assert_eq!(
            value(&point, &[raw]),
            Ok(Value::Float(expected)),
            "{raw} {scale} {offset}"
        );
    }
}

#[test]
fn a_scale_that_is_no_short_decimal_is_plain_arithmetic() {
    let third = 1.0 / 3.0;
    let point = scaled_point(Kind::U16, third, 1e-300);
    assert_eq!(value(&point, &[100]), Ok(Value::Float(100.0 * third)));
}

#[test]
fn what_is_not_a_number_is_not_a_value() {
    for bits in [
        f32::NAN.to_bits(),
        f32::INFINITY.to_bits(),
        f32::NEG_INFINITY.to_bits(),
    ] {
        let registers = [(bits >> 16) as u16, bits as u16];
        let got = value(&point(Kind::F32, Order::Abcd), &registers);
        assert_eq!(got, Err(Reason::NotFinite));
    }
    let overflowing = scaled_point(Kind::U16, 1e308, 0.0);
    assert_eq!(value(&overflowing, &[1000]), Err(Reason::NotFinite));
}

#[test]
fn a_u64_above_the_largest_i64_is_out_of_range() {
    let u64_at = |registers: [u16; 4]| value(&point(Kind::U64, Order::Abcd), &registers);
    assert_eq!(
        u64_at([0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]),
        Ok(Value::Int(i64::MAX))
    );
    assert_eq!(u64_at([0x8000, 0, 0, 0]), Err(Reason::OutOfRange));
}

#[test]
fn truth_is_a_bit_or_any_register_but_zero() {
    let point = point(Kind::Bool, Order::Abcd);
    for (register, truth) in [(0, false), (1, true), (0x8000, true)] {
        assert_eq!(value(&point, &[register]), Ok(Value::Bool(truth)));
    }
    let coil = Point {
        table: Table::Coil,
        ..point
    };
    let bits = [false, true];
    assert_eq!(decode(&coil, Words::Bits(&bits), 9), Ok(Value::Bool(true)));
    assert_eq!(
        decode(&coil, Words::Bits(&bits), 10),
        Ok(Value::Bool(false))
    );
}

#[test]
fn an_answer_without_the_point_is_no_answer_to_it() {
    let point = point(Kind::U32, Order::Abcd);
    for (start, registers) in [
        (11, &[1, 2, 3][..]),
        (10, &[1][..]),
        (10, &[][..]),
        (0, &[0; 10]),
    ] {
        let got = decode(&point, Words::Registers(registers), start);
        assert_eq!(got, Err(Reason::BadAnswer));
    }
    assert_eq!(
        decode(&point, Words::Bits(&[true; 32]), 10),
        Err(Reason::BadAnswer)
    );
}

#[test]
fn registers_are_never_text() {
    assert_eq!(
        value(&point(Kind::Text, Order::Abcd), &[1]),
        Err(Reason::WrongType)
    );
}

proptest! {
    #[test]
    fn what_a_device_encodes_comes_back(
        raw in any::<[u8; 8]>(),
        order in prop::sample::select(&ORDERS[..]),
        before in 0..5_u16,
    ) {
        let long = i64::from_be_bytes(raw);
        let short = i32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]);
        let get = |kind, bytes: &[u8]| {
            let mut registers: Vec<u16> = (0..before).collect();
            registers.extend(encode(bytes, order));
            decode(&point(kind, order), Words::Registers(&registers), 10 - before)
        };
        prop_assert_eq!(get(Kind::I64, &raw), Ok(Value::Int(long)));
        let unsigned = i64::try_from(u64::from_be_bytes(raw));
        prop_assert_eq!(get(Kind::U64, &raw), unsigned.map(Value::Int).map_err(|_| Reason::OutOfRange));
        prop_assert_eq!(get(Kind::I32, &raw[..4]), Ok(Value::Int(i64::from(short))));
        prop_assert_eq!(get(Kind::U32, &raw[..4]), Ok(Value::Int(i64::from(short as u32))));
        for (kind, bytes, float) in [
            (Kind::F64, &raw[..], f64::from_be_bytes(raw)),
            (Kind::F32, &raw[..4], f64::from(f32::from_bits(short as u32))),
        ] {
            let expected = if float.is_finite() { Ok(Value::Float(float)) } else { Err(Reason::NotFinite) };
            prop_assert_eq!(get(kind, bytes), expected);
        }
    }

    #[test]
    fn a_scaled_integer_is_the_float_nearest_to_the_decimal_result(
        raw in any::<u16>(),
        tenths in -1000..1000_i64,
        offset in -1000..1000_i64,
    ) {
        prop_assume!((tenths, offset) != (10, 0));
        let point = scaled_point(Kind::U16, tenths as f64 / 10.0, offset as f64 / 100.0);
        let hundredths = i64::from(raw) * tenths * 10 + offset;
        let expected = hundredths as f64 / 100.0;
        prop_assert_eq!(value(&point, &[raw]), Ok(Value::Float(expected)));
    }
}
