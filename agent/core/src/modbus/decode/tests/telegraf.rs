//! The values that Telegraf expects of holding registers (`TestRegisterHoldingRegisters` of its
//! Modbus input, plugins/inputs/modbus/configuration_register_test.go), save those that it cuts to
//! whole numbers after scaling.

use super::texts::{read_text, said};
use super::*;

/// Type, Telegraf's byte order, scale, bytes on the wire, value.
type Case = (Kind, &'static str, f64, &'static [u8], f64);

const CASES: [Case; 45] = [
    (Kind::I16, "AB", 0.1, &[0xFF, 0xD6], -4.2),
    (Kind::U16, "BA", 0.1, &[0xD8, 0xFF], 6549.6),
    (Kind::I32, "ABCD", 0.1, &[0xFF, 0xFF, 0xFF, 0xD6], -4.2),
    (
        Kind::U32,
        "DCBA",
        0.001,
        &[0xD8, 0xFF, 0xFF, 0xFF],
        4_294_967.256,
    ),
    (
        Kind::I64,
        "ABCD",
        0.000_001,
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xD6],
        -0.000_042,
    ),
    (
        Kind::U64,
        "DCBA",
        1e-9,
        &[0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF],
        18_441_921_395.520_348,
    ),
    (Kind::U16, "AB", 1.0, &[0xAB, 0xCD], 43_981.0),
    (Kind::U16, "AB", 10.0, &[0x00, 0x2A], 420.0),
    (Kind::U16, "BA", 1.0, &[0xAB, 0xCD], 52_651.0),
    (Kind::I16, "AB", 1.0, &[0xAB, 0xCD], -21_555.0),
    (Kind::I16, "BA", 1.0, &[0xAB, 0xCD], -12_885.0),
    (
        Kind::I32,
        "ABCD",
        10.0,
        &[0x00, 0x00, 0xAB, 0xCD],
        439_810.0,
    ),
    (
        Kind::I32,
        "ABCD",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        -1_430_532_899.0,
    ),
    (
        Kind::I32,
        "DCBA",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        -573_785_174.0,
    ),
    (
        Kind::I32,
        "BADC",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        -1_146_430_004.0,
    ),
    (
        Kind::I32,
        "CDAB",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        -857_888_069.0,
    ),
    (
        Kind::U32,
        "ABCD",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        2_864_434_397.0,
    ),
    (
        Kind::U32,
        "DCBA",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        3_721_182_122.0,
    ),
    (
        Kind::U32,
        "BADC",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        3_148_537_292.0,
    ),
    (
        Kind::U32,
        "CDAB",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        3_437_079_227.0,
    ),
    (
        Kind::F32,
        "ABCD",
        1.0,
        &[0xAA, 0xBB, 0xCC, 0xDD],
        -3.336_002_5e-13_f32 as f64,
    ),
    (
        Kind::I64,
        "ABCD",
        10.0,
        &[0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xAB, 0xCD],
        10_995_116_717_570.0,
    ),
    (
        Kind::I64,
        "ABCD",
        1.0,
        &[0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xAB, 0xCD],
        1_099_511_671_757.0,
    ),
    (
        Kind::I64,
        "DCBA",
        1.0,
        &[0x84, 0xF6, 0x45, 0xF9, 0xBC, 0xFE, 0xFF, 0xFF],
        -1_387_387_292_028.0,
    ),
    (
        Kind::I64,
        "BADC",
        1.0,
        &[0xFF, 0xFF, 0xBC, 0xFE, 0x45, 0xF9, 0x84, 0xF6],
        -1_387_387_292_028.0,
    ),
    (
        Kind::I64,
        "CDAB",
        1.0,
        &[0xF6, 0x84, 0xF9, 0x45, 0xFE, 0xBC, 0xFF, 0xFF],
        -1_387_387_292_028.0,
    ),
    (
        Kind::U64,
        "ABCD",
        10.0,
        &[0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xAB, 0xCD],
        10_995_116_717_570.0,
    ),
    (
        Kind::U64,
        "ABCD",
        1.0,
        &[0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xAB, 0xCD],
        1_099_511_671_757.0,
    ),
    (
        Kind::F64,
        "ABCD",
        1.0,
        &[0xBF, 0x9C, 0x6A, 0x40, 0xC3, 0x47, 0x8F, 0x55],
        -0.027_749_072_951_237_37,
    ),
    (
        Kind::F64,
        "ABCD",
        0.1,
        &[0xBF, 0x9C, 0x6A, 0x40, 0xC3, 0x47, 0x8F, 0x55],
        -0.002_774_907_295_123_737,
    ),
    (
        Kind::F64,
        "ABCD",
        1.0,
        &[0x3F, 0x9C, 0x6A, 0x40, 0xC3, 0x47, 0x8F, 0x55],
        0.027_749_072_951_237_37,
    ),
    (
        Kind::F64,
        "DCBA",
        1.0,
        &[0x55, 0x8F, 0x47, 0xC3, 0x40, 0x6A, 0x9C, 0xBF],
        -0.027_749_072_951_237_37,
    ),
    (
        Kind::F64,
        "BADC",
        1.0,
        &[0x9C, 0xBF, 0x40, 0x6A, 0x47, 0xC3, 0x55, 0x8F],
        -0.027_749_072_951_237_37,
    ),
    (
        Kind::F64,
        "CDAB",
        1.0,
        &[0x8F, 0x55, 0xC3, 0x47, 0x6A, 0x40, 0xBF, 0x9C],
        -0.027_749_072_951_237_37,
    ),
    (Kind::F16, "AB", 1.0, &[0xB8, 0x14], -0.509_765_625),
    (Kind::F16, "BA", 1.0, &[0x14, 0xB8], -0.509_765_625),
    // Those that the test of the older style has besides.
    (Kind::U16, "AB", 0.1, &[0x08, 0x98], 220.0),
    (Kind::U32, "ABCD", 0.001, &[0x00, 0x00, 0x03, 0xE8], 1.0),
    (Kind::U32, "ABCD", 0.1, &[0x00, 0x00, 0x08, 0x98], 220.0),
    (Kind::U16, "AB", 0.1, &[0x01, 0xF4], 50.0),
    (Kind::I16, "AB", 0.1, &[0x89, 0x65], -3036.3),
    (Kind::I32, "ABCD", 0.001, &[0xFF, 0xFF, 0xFF, 0xFF], -0.001),
    (
        Kind::I64,
        "ABCD",
        0.000_001,
        &[0x00, 0x00, 0x00, 0x62, 0xC6, 0xD1, 0xA9, 0xB2],
        424_242.424_242,
    ),
    (
        Kind::I64,
        "DCBA",
        0.001,
        &[0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF],
        -4_822_678_189_205.112,
    ),
    (Kind::U16, "AB", 1.0, &[0x10, 0x92], 4242.0),
];

#[test]
fn numbers() {
    for (kind, order, scale, bytes, expected) in CASES {
        let order = match order {
            "AB" | "ABCD" => Order::Abcd,
            "BA" | "BADC" => Order::Badc,
            "CDAB" => Order::Cdab,
            _ => Order::Dcba,
        };
        let point = Point {
            order,
            scale,
            ..point(kind, Order::Abcd)
        };
        let got = value(&point, &texts::packed(bytes));
        let got = got.map(|value| value.number());
        assert_eq!(got, Ok(Some(expected)), "{kind:?} {order:?} {bytes:02x?}");
    }
}

#[test]
fn bits_and_halves_of_a_register() {
    let register = [0x180D];
    assert_eq!(
        value(&bits(Kind::Bool, 3, 3), &register),
        Ok(Value::Bool(true))
    );
    assert_eq!(
        value(&bits(Kind::Bool, 14, 14), &register),
        Ok(Value::Bool(false))
    );
    // UINT8L, UINT8H, INT8L, INT8H.
    assert_eq!(value(&bits(Kind::U16, 0, 7), &register), int(13));
    assert_eq!(value(&bits(Kind::U16, 8, 15), &register), int(24));
    assert_eq!(value(&bits(Kind::I16, 0, 7), &[0x988D]), int(-115));
    assert_eq!(value(&bits(Kind::I16, 8, 15), &[0x988D]), int(-104));
    let times_ten = |low, high| Point {
        scale: 10.0,
        ..bits(Kind::I16, low, high)
    };
    assert_eq!(value(&times_ten(0, 7), &[0x98F8]), float(-80.0));
    assert_eq!(value(&times_ten(8, 15), &[0xFD8D]), float(-30.0));
}

#[test]
fn strings() {
    let plain = [0x4D6F, 0x6462, 0x7573, 0x2053, 0x7472, 0x696E, 0x6700];
    let swapped = plain.map(u16::swap_bytes);
    assert_eq!(read_text(14, Order::Abcd, &plain), said("Modbus String"));
    assert_eq!(read_text(14, Order::Badc, &swapped), said("Modbus String"));
    let longer = [
        0x4D6F, 0x6462, 0x7573, 0x2053, 0x7472, 0x696E, 0x6720, 0x4865, 0x6C6C, 0x6F00,
    ];
    assert_eq!(
        read_text(20, Order::Abcd, &longer),
        said("Modbus String Hello")
    );
}

/// Telegraf has unsigned numbers of 64 bits; here such a value is bad and not a wrong one.
#[test]
fn a_number_beyond_the_integers_here() {
    let bytes = [0xFFFF, 0xFEBC, 0xF945, 0xF684];
    assert_eq!(
        value(&point(Kind::U64, Order::Abcd), &bytes),
        Err(Reason::OutOfRange)
    );
}
