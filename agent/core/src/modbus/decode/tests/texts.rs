//! Texts in registers.

use super::*;
use crate::tag::Packing;
use alloc::vec::Vec;

fn text(length: u8, order: Order) -> Point {
    Point {
        length,
        ..point(Kind::Text, order)
    }
}

pub fn read_text(length: u8, order: Order, registers: &[u16]) -> Result<Value, Reason> {
    value(&text(length, order), registers)
}

/// The registers of `bytes`, two in each, the first in the high byte.
pub fn packed(bytes: &[u8]) -> Vec<u16> {
    let pair = |pair: &[u8]| u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]);
    bytes.chunks(2).map(pair).collect()
}

pub fn said(text: &str) -> Result<Value, Reason> {
    Ok(Value::Text(text.try_into().expect("short enough")))
}

#[test]
fn texts_have_two_characters_in_each_register() {
    // What every SunSpec device begins with.
    assert_eq!(read_text(4, Order::Abcd, &[0x5375, 0x6E53]), said("SunS"));
    assert_eq!(read_text(4, Order::Badc, &[0x7553, 0x536E]), said("SunS"));
    assert_eq!(read_text(3, Order::Abcd, &[0x5375, 0x6E53]), said("Sun"));
    assert_eq!(read_text(3, Order::Badc, &[0x7553, 0x536E]), said("Sun"));
    assert_eq!(read_text(1, Order::Abcd, &[0x5375]), said("S"));
    let serial = "0123456789ABCDEF0123456789abcdef";
    assert_eq!(
        read_text(32, Order::Abcd, &packed(serial.as_bytes())),
        said(serial)
    );
    assert_eq!(
        read_text(9, Order::Abcd, &packed("炉7号".as_bytes())),
        Err(Reason::BadAnswer)
    );
    assert_eq!(
        read_text(7, Order::Abcd, &packed("炉7号".as_bytes())),
        said("炉7号")
    );
}

#[test]
fn a_text_ends_where_its_padding_begins() {
    for bytes in [
        &b"SE25K\0\0\0"[..],
        b"SE25K   ",
        b"SE25K \0 ",
        b"SE25K\r\n\0",
        b"SE25K\0OL",
    ] {
        assert_eq!(
            read_text(8, Order::Abcd, &packed(bytes)),
            said("SE25K"),
            "{bytes:?}"
        );
    }
    assert_eq!(
        read_text(8, Order::Abcd, &packed(b"  SE 25K")),
        said("  SE 25K")
    );
    for nothing in [&[0; 8], b"        ", b"  \0     "] {
        assert_eq!(
            read_text(8, Order::Abcd, &packed(nothing)),
            Err(Reason::Missing)
        );
    }
}

#[test]
fn what_is_no_text_is_malformed_and_what_is_too_long_is_not_cut() {
    let cases = [
        &b"\xFF\xFF\xFF\xFF"[..],
        b"ab\xB3\xE5",
        b"a\x01b ",
        // One character in each register, in the low byte.
        b"\0S\0E",
    ];
    for bytes in cases {
        assert_eq!(
            read_text(4, Order::Abcd, &packed(bytes)),
            Err(Reason::Malformed),
            "{bytes:?}"
        );
    }
    let long = [b'x'; 40];
    let padded = |n: usize| packed(&[&long[..n], &[b' '; 210]].concat());
    assert_eq!(
        read_text(250, Order::Abcd, &padded(40)),
        Err(Reason::TooLong)
    );
    let longest = "x".repeat(38);
    assert_eq!(read_text(248, Order::Abcd, &padded(38)), said(&longest));
}

#[test]
fn a_text_may_have_one_character_in_each_register() {
    let spread = |packing| Point {
        packing,
        ..text(4, Order::Abcd)
    };
    assert_eq!(
        value(&spread(Packing::Low), &[0x53, 0x75, 0x6E, 0x53]),
        said("SunS")
    );
    let low = [0x0153, 0xFF75, 0, 0];
    assert_eq!(
        value(&spread(Packing::Low), &low),
        said("Su"),
        "the other byte is not looked at"
    );
    let high = [0x5300, 0x7500, 0x6E00, 0x5300];
    assert_eq!(value(&spread(Packing::High), &high), said("SunS"));
    assert_eq!(
        value(&spread(Packing::High), &high[..3]),
        Err(Reason::BadAnswer)
    );
}
