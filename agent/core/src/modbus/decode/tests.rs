//! What registers mean, by answers that were worked out by hand or are published.

use super::*;
use crate::tag::{Bits, Table, TagIndex};

mod properties;
mod telegraf;
mod texts;

const ORDERS: [Order; 4] = [Order::Abcd, Order::Cdab, Order::Badc, Order::Dcba];

fn point(kind: Kind, order: Order) -> Point {
    Point {
        order,
        ..Point::new(Table::Holding, 10, kind)
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

fn int(value: i64) -> Result<Value, Reason> {
    Ok(Value::Int(value))
}

fn float(value: f64) -> Result<Value, Reason> {
    Ok(Value::Float(value))
}

/// The answers of the Modbus Application Protocol Specification 1.1b3, §6.3 (holding registers
/// 107 to 109, counted from 1: addresses from 106) and §6.4.
#[test]
fn the_examples_of_the_protocol() {
    let answer = [0x022B, 0x0000, 0x0064];
    let read = |address| {
        let point = Point::new(Table::Holding, address, Kind::U16);
        decode(&point, Words::Registers(&answer), 106)
    };
    assert_eq!(
        [read(106), read(107), read(108)],
        [int(555), int(0), int(100)]
    );
    let input = Point::new(Table::Input, 8, Kind::U16);
    assert_eq!(decode(&input, Words::Registers(&[0x000A]), 8), int(10));
}

/// Values with their bits as the standards write them, and how those arrive in each order. The
/// f32 is libmodbus' example of the four orders; the others are two's complement and IEEE 754.
#[test]
fn sixteen_and_thirty_two_bits_in_every_order() {
    type Case = (Kind, Result<Value, Reason>, [[u16; 2]; 4]);
    let abcd_cdab_badc_dcba: [Case; 9] = [
        (
            Kind::U32,
            int(0x0102_0304),
            [
                [0x0102, 0x0304],
                [0x0304, 0x0102],
                [0x0201, 0x0403],
                [0x0403, 0x0201],
            ],
        ),
        (
            Kind::U32,
            int(4_294_967_294),
            [
                [0xFFFF, 0xFFFE],
                [0xFFFE, 0xFFFF],
                [0xFFFF, 0xFEFF],
                [0xFEFF, 0xFFFF],
            ],
        ),
        (
            Kind::I32,
            int(-2),
            [
                [0xFFFF, 0xFFFE],
                [0xFFFE, 0xFFFF],
                [0xFFFF, 0xFEFF],
                [0xFEFF, 0xFFFF],
            ],
        ),
        (
            Kind::I32,
            int(-2_147_483_648),
            [
                [0x8000, 0x0000],
                [0x0000, 0x8000],
                [0x0080, 0x0000],
                [0x0000, 0x0080],
            ],
        ),
        (
            Kind::F32,
            float(123_456.0),
            [
                [0x47F1, 0x2000],
                [0x2000, 0x47F1],
                [0xF147, 0x0020],
                [0x0020, 0xF147],
            ],
        ),
        (
            Kind::F32,
            float(-0.156_25),
            [
                [0xBE20, 0x0000],
                [0x0000, 0xBE20],
                [0x20BE, 0x0000],
                [0x0000, 0x20BE],
            ],
        ),
        (
            Kind::Bcd32,
            int(12_345_678),
            [
                [0x1234, 0x5678],
                [0x5678, 0x1234],
                [0x3412, 0x7856],
                [0x7856, 0x3412],
            ],
        ),
        // 2001-09-09T01:46:40Z and the last second of 32 bits, 2106-02-07T06:28:15Z.
        (
            Kind::EpochS,
            int(1_000_000_000_000),
            [
                [0x3B9A, 0xCA00],
                [0xCA00, 0x3B9A],
                [0x9A3B, 0x00CA],
                [0x00CA, 0x9A3B],
            ],
        ),
        (Kind::EpochS, int(4_294_967_295_000), [[0xFFFF, 0xFFFF]; 4]),
    ];
    for (kind, expected, arrivals) in abcd_cdab_badc_dcba {
        for (order, registers) in ORDERS.into_iter().zip(arrivals) {
            assert_eq!(
                value(&point(kind, order), &registers),
                expected,
                "{kind:?} {order:?}"
            );
        }
    }
    let one_register = [
        (Kind::U16, int(0x1234), 0x1234, 0x3412),
        (Kind::U16, int(65_535), 0xFFFF, 0xFFFF),
        (Kind::I16, int(-2), 0xFFFE, 0xFEFF),
        (Kind::I16, int(-32_768), 0x8000, 0x0080),
        (Kind::Bcd16, int(1234), 0x1234, 0x3412),
        (Kind::Bcd16, int(9999), 0x9999, 0x9999),
    ];
    for (kind, expected, plain, swapped) in one_register {
        assert_eq!(
            value(&point(kind, Order::Abcd), &[plain]),
            expected,
            "{kind:?}"
        );
        assert_eq!(
            value(&point(kind, Order::Badc), &[swapped]),
            expected,
            "{kind:?}"
        );
    }
}

/// The same over four words: these four orders are all that gateways offer for 64 bits (those of
/// Neuron 2.12: 12345678, 78563412, 21436587 and 87654321).
#[test]
fn sixty_four_bits_in_every_order() {
    let words = |[a, b, c, d]: [u16; 4]| {
        let [sa, sb, sc, sd] = [a, b, c, d].map(u16::swap_bytes);
        [
            [a, b, c, d],
            [d, c, b, a],
            [sa, sb, sc, sd],
            [sd, sc, sb, sa],
        ]
    };
    let cases = [
        (
            Kind::U64,
            int(0x0102_0304_0506_0708),
            [0x0102, 0x0304, 0x0506, 0x0708],
        ),
        (Kind::U64, int(i64::MAX), [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]),
        (Kind::I64, int(-2), [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE]),
        (Kind::I64, int(i64::MIN), [0x8000, 0, 0, 0]),
        (
            Kind::F64,
            float(core::f64::consts::PI),
            [0x4009, 0x21FB, 0x5444, 0x2D18],
        ),
        (
            Kind::F64,
            float(1.0 / 3.0),
            [0x3FD5, 0x5555, 0x5555, 0x5555],
        ),
        (
            Kind::Bcd64,
            int(1_234_567_890_123_456),
            [0x1234, 0x5678, 0x9012, 0x3456],
        ),
        (Kind::Bcd64, int(9_999_999_999_999_999), [0x9999; 4]),
        // 2001-09-09T01:46:40.123Z, and the same second.
        (
            Kind::EpochMs,
            int(1_000_000_000_123),
            [0x0000, 0x00E8, 0xD4A5, 0x107B],
        ),
        (
            Kind::EpochS64,
            int(1_000_000_000_000),
            [0x0000, 0x0000, 0x3B9A, 0xCA00],
        ),
    ];
    for (kind, expected, big_endian) in cases {
        for (order, registers) in ORDERS.into_iter().zip(words(big_endian)) {
            assert_eq!(
                value(&point(kind, order), &registers),
                expected,
                "{kind:?} {order:?}"
            );
        }
    }
    let written_out = [
        (Order::Abcd, [0x0102, 0x0304, 0x0506, 0x0708]),
        (Order::Cdab, [0x0708, 0x0506, 0x0304, 0x0102]),
        (Order::Badc, [0x0201, 0x0403, 0x0605, 0x0807]),
        (Order::Dcba, [0x0807, 0x0605, 0x0403, 0x0201]),
    ];
    for (order, registers) in written_out {
        assert_eq!(
            value(&point(Kind::U64, order), &registers),
            int(0x0102_0304_0506_0708)
        );
    }
}

/// Values of IEEE 754-2008, binary16: the ends of its ranges, and a third.
#[test]
fn half_precision() {
    let cases = [
        (0x3C00, float(1.0)),
        (0xC000, float(-2.0)),
        (0x7BFF, float(65_504.0)),
        (0x0400, float(0.000_061_035_156_25)),
        (0x0001, float(0.000_000_059_604_644_775_390_63)),
        (0x83FF, float(-0.000_060_975_551_605_224_61)),
        (0x3555, float(0.333_251_953_125)),
        (0x0000, float(0.0)),
        (0x7C00, Err(Reason::NotFinite)),
        (0xFC00, Err(Reason::NotFinite)),
        (0x7E00, Err(Reason::NotFinite)),
    ];
    for (register, expected) in cases {
        let got = value(&point(Kind::F16, Order::Abcd), &[register]);
        assert_eq!(got, expected, "{register:04x}");
    }
    assert_eq!(value(&point(Kind::F16, Order::Badc), &[0x003C]), float(1.0));
}

#[test]
fn what_a_type_cannot_say_is_out_of_range() {
    let above = [0x8000, 0, 0, 0];
    for kind in [Kind::U64, Kind::EpochMs, Kind::EpochS64] {
        assert_eq!(
            value(&point(kind, Order::Abcd), &above),
            Err(Reason::OutOfRange)
        );
    }
    // A float has room for it.
    let scaled = scaled_point(Kind::U64, 0.5, 0.0);
    assert_eq!(value(&scaled, &above), float(4_611_686_018_427_387_904.0));
    assert_eq!(
        times(&by_power(Kind::U64), &above, 0),
        float(9_223_372_036_854_775_808.0)
    );
    // More seconds than milliseconds have room for.
    let far = [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF];
    assert_eq!(
        value(&point(Kind::EpochS64, Order::Abcd), &far),
        Err(Reason::OutOfRange)
    );
}

#[test]
fn a_digit_above_nine_is_not_bcd_and_no_number() {
    for (kind, registers) in [
        (Kind::Bcd16, &[0x00A0][..]),
        (Kind::Bcd16, &[0xFFFF]),
        (Kind::Bcd32, &[0x0000, 0x123B]),
        (Kind::Bcd64, &[0xF000, 0, 0, 0]),
    ] {
        let got = value(&point(kind, Order::Abcd), registers);
        assert_eq!(got, Err(Reason::NotBcd), "{registers:04x?}");
    }
    // The digits stand in the right order only when the bytes do.
    assert_eq!(
        value(&point(Kind::Bcd16, Order::Abcd), &[0x0A00]),
        Err(Reason::NotBcd)
    );
    let negative = Point {
        scale: -0.01,
        ..point(Kind::Bcd32, Order::Abcd)
    };
    assert_eq!(value(&negative, &[0x0001, 0x2345]), float(-123.45));
}

fn bits(kind: Kind, low: u8, high: u8) -> Point {
    Point {
        bits: Bits::new(low, high),
        ..point(kind, Order::Abcd)
    }
}

#[test]
fn bits_count_from_the_least_significant_with_both_ends() {
    let cases = [
        (bits(Kind::U16, 4, 7), &[0xABCD][..], int(0xC)),
        (bits(Kind::U16, 0, 15), &[0xABCD], int(0xABCD)),
        (bits(Kind::U16, 15, 15), &[0x8000], int(1)),
        (bits(Kind::U16, 0, 0), &[0x8000], int(0)),
        (bits(Kind::U32, 12, 19), &[0x1234, 0x5678], int(0x45)),
        (bits(Kind::U64, 60, 63), &[0xA000, 0, 0, 0], int(0xA)),
        (
            bits(Kind::U64, 0, 63),
            &[0x8000, 0, 0, 0],
            Err(Reason::OutOfRange),
        ),
        // Half a register as a signed byte, as many meters pack two temperatures.
        (bits(Kind::I16, 8, 15), &[0xFE05], int(-2)),
        (bits(Kind::I16, 0, 7), &[0xFE05], int(5)),
        (bits(Kind::I32, 16, 31), &[0x8000, 0x0000], int(-32_768)),
        (bits(Kind::I64, 0, 63), &[0x8000, 0, 0, 0], int(i64::MIN)),
        (bits(Kind::I64, 63, 63), &[0x8000, 0, 0, 0], int(-1)),
        (bits(Kind::Bool, 3, 3), &[0b1000], Ok(Value::Bool(true))),
        (bits(Kind::Bool, 3, 3), &[0xFFF7], Ok(Value::Bool(false))),
        (bits(Kind::Bool, 15, 15), &[0x8000], Ok(Value::Bool(true))),
    ];
    for (point, registers, expected) in cases {
        assert_eq!(
            value(&point, registers),
            expected,
            "{point:?} {registers:04x?}"
        );
    }
    let swapped = Point {
        order: Order::Badc,
        ..bits(Kind::Bool, 3, 3)
    };
    assert_eq!(value(&swapped, &[0x0800]), Ok(Value::Bool(true)));
    let scaled = Point {
        scale: 0.5,
        ..bits(Kind::U16, 4, 7)
    };
    assert_eq!(value(&scaled, &[0x00C0]), float(6.0));
    for (low, high) in [(8, 4), (0, 64), (64, 64), (255, 255)] {
        assert_eq!(Bits::new(low, high), None);
    }
}

#[test]
fn what_the_device_says_is_absent_is_missing() {
    let without = |kind, absent: &[u64]| Point {
        absent: absent.into(),
        ..point(kind, Order::Abcd)
    };
    // The values of SunSpec for what a device does not have (Information Model Specification 1.9).
    let cases = [
        (
            without(Kind::U16, &[0xFFFF]),
            &[0xFFFF][..],
            Err(Reason::Missing),
        ),
        (without(Kind::U16, &[0xFFFF]), &[0xFFFE], int(65_534)),
        (
            without(Kind::I16, &[0x8000]),
            &[0x8000],
            Err(Reason::Missing),
        ),
        (
            without(Kind::I16, &[0x8000, 0x7FFF]),
            &[0x7FFF],
            Err(Reason::Missing),
        ),
        (without(Kind::I16, &[0x8000]), &[0x8001], int(-32_767)),
        (
            without(Kind::U32, &[0xFFFF_FFFF]),
            &[0xFFFF, 0xFFFF],
            Err(Reason::Missing),
        ),
        (
            without(Kind::I32, &[0x8000_0000]),
            &[0x8000, 0],
            Err(Reason::Missing),
        ),
        (
            without(Kind::U64, &[u64::MAX]),
            &[0xFFFF; 4],
            Err(Reason::Missing),
        ),
        (
            without(Kind::I64, &[1 << 63]),
            &[0x8000, 0, 0, 0],
            Err(Reason::Missing),
        ),
        (
            without(Kind::Bcd16, &[0xFFFF]),
            &[0xFFFF],
            Err(Reason::Missing),
        ),
        (without(Kind::EpochS, &[0]), &[0, 0], Err(Reason::Missing)),
    ];
    for (point, registers, expected) in cases {
        assert_eq!(value(&point, registers), expected, "{point:?}");
    }
    // What is compared is the register as a whole, and before anything is scaled.
    let bit = Point {
        absent: [0xFFFF].into(),
        ..bits(Kind::Bool, 3, 3)
    };
    assert_eq!(value(&bit, &[0xFFFF]), Err(Reason::Missing));
    let scaled = Point {
        scale: 0.1,
        ..without(Kind::U16, &[0xFFFF])
    };
    assert_eq!(value(&scaled, &[0xFFFF]), Err(Reason::Missing));
    let swapped = Point {
        order: Order::Badc,
        ..without(Kind::I16, &[0x8000])
    };
    assert_eq!(value(&swapped, &[0x0080]), Err(Reason::Missing));
    // SunSpec's float32 that is not implemented is the NaN 0x7FC00000.
    let nan = value(&point(Kind::F32, Order::Abcd), &[0x7FC0, 0]);
    assert_eq!(nan, Err(Reason::NotFinite));
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

/// A point that another tag scales.
fn by_power(kind: Kind) -> Point {
    Point {
        power_of_ten: Some(TagIndex(0)),
        ..point(kind, Order::Abcd)
    }
}

fn times(point: &Point, registers: &[u16], power: i64) -> Result<Value, Reason> {
    scale(point, &value(point, registers)?, Some(&Value::Int(power)))
}

/// A SolarEdge SE25K as it was dumped for the tests of the crate `sunspec` 0.9.0 (model 103): raw
/// values with their scale factors.
#[test]
fn an_inverter_with_scale_factors() {
    let cases = [
        (Kind::U16, &[3965][..], 65_535, 396.5),
        (Kind::U16, &[2288], 65_535, 228.8),
        (Kind::U16, &[4998], 65_534, 49.98),
        (Kind::U32, &[60, 8980], 0, 3_941_140.0),
        (Kind::U16, &[16], 65_535, 1.6),
    ];
    for (kind, registers, factor, expected) in cases {
        let factor = value(&point(Kind::I16, Order::Abcd), &[factor]).expect("a power");
        let point = by_power(kind);
        let raw = value(&point, registers).expect("a value");
        assert_eq!(scale(&point, &raw, Some(&factor)), float(expected));
    }
}

#[test]
fn powers_of_ten_are_as_exact_as_a_decimal_scale() {
    let u16 = by_power(Kind::U16);
    for (power, expected) in [
        (-10, 1.234e-7),
        (-3, 1.234),
        (-1, 123.4),
        (0, 1234.0),
        (1, 12_340.0),
        (10, 1.234e13),
    ] {
        assert_eq!(times(&u16, &[1234], power), float(expected), "{power}");
    }
    let all = Point {
        scale: 0.001,
        offset: -0.5,
        ..by_power(Kind::I16)
    };
    assert_eq!(times(&all, &[123], -1), float(-0.4877));
    assert_eq!(times(&all, &[123], 2), float(11.8));
    assert_eq!(times(&by_power(Kind::Bcd16), &[0x0123], -2), float(1.23));
    let half = [0x3FE0, 0, 0, 0];
    assert_eq!(times(&by_power(Kind::F64), &half, 3), float(500.0));
    // Divided by ten, not multiplied by the 0.1 that no float is.
    let three = [0x4008, 0, 0, 0];
    assert_eq!(times(&by_power(Kind::F64), &three, -1), float(0.3));
    let far = [0x7FE0, 0, 0, 0];
    assert_eq!(
        times(&by_power(Kind::F64), &far, 10),
        Err(Reason::NotFinite)
    );
}

#[test]
fn without_a_power_there_is_no_value() {
    let point = by_power(Kind::U16);
    let raw = Value::Int(1234);
    assert_eq!(scale(&point, &raw, None), Err(Reason::Missing));
    for power in [
        Value::Int(-11),
        Value::Int(11),
        Value::Int(-32_768),
        Value::Int(i64::MAX),
        Value::Float(1.0),
        Value::Bool(true),
    ] {
        let got = scale(&point, &raw, Some(&power));
        assert_eq!(got, Err(Reason::Missing), "{power:?}");
    }
}
