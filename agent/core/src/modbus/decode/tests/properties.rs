//! What holds for every value, order and place.

use super::texts::{read_text, said};
use super::*;
use crate::tag::Packing;
use alloc::vec::Vec;
use proptest::prelude::*;

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
    fn texts_digits_and_times_come_back(
        text in "[!-~炉号é]([ -~炉号é]{0,10}[!-~炉号é])?",
        padding in prop::sample::select(&[0_u8, b' '][..]),
        spare in 0..10_u8,
        number in 0..10_000_000_000_000_000_u64,
        seconds in any::<u32>(),
        order in prop::sample::select(&ORDERS[..]),
    ) {
        let mut bytes = text.clone().into_bytes();
        bytes.extend((0..spare).map(|_| padding));
        let length = u8::try_from(bytes.len()).unwrap();
        bytes.resize(bytes.len().next_multiple_of(2), padding);
        let swapped = matches!(order, Order::Badc | Order::Dcba);
        let text_order = if swapped { Order::Badc } else { Order::Abcd };
        prop_assert_eq!(read_text(length, text_order, &encode(&bytes, text_order)), said(&text));

        // The decimal digits of the number, read as hexadecimal ones.
        let digits = u64::from_str_radix(&alloc::format!("{number}"), 16).unwrap();
        let registers = encode(&digits.to_be_bytes(), order);
        prop_assert_eq!(value(&point(Kind::Bcd64, order), &registers), int(number as i64));
        let low = number % 100_000_000;
        let digits = u32::from_str_radix(&alloc::format!("{low}"), 16).unwrap();
        let registers = encode(&digits.to_be_bytes(), order);
        prop_assert_eq!(value(&point(Kind::Bcd32, order), &registers), int(low as i64));

        let registers = encode(&seconds.to_be_bytes(), order);
        let ms = i64::from(seconds) * 1000;
        prop_assert_eq!(value(&point(Kind::EpochS, order), &registers), int(ms));
        let registers = encode(&ms.to_be_bytes(), order);
        prop_assert_eq!(value(&point(Kind::EpochMs, order), &registers), int(ms));
    }

    /// A field written into any surroundings, bit by bit, comes back from them.
    #[test]
    fn bits_come_back_from_among_others(
        around in any::<u64>(),
        (low, high) in (0..64_u8).prop_flat_map(|low| (Just(low), low..64)),
        field in any::<u64>(),
        order in prop::sample::select(&ORDERS[..]),
    ) {
        let count = u32::from(high - low) + 1;
        let field = if count == 64 { field } else { field % (1 << count) };
        let mut word = around;
        for at in 0..count {
            let bit = 1 << (u32::from(low) + at);
            word = if field >> at & 1 == 1 { word | bit } else { word & !bit };
        }
        let registers = encode(&word.to_be_bytes(), order);
        let unsigned = Point { order, ..bits(Kind::U64, low, high) };
        let expected = i64::try_from(field).map(Value::Int).map_err(|_| Reason::OutOfRange);
        prop_assert_eq!(value(&unsigned, &registers), expected);
        let signed = Point { order, ..bits(Kind::I64, low, high) };
        let negative = field >> (count - 1) == 1;
        let expected = i128::from(field) - if negative { 1 << count } else { 0 };
        prop_assert_eq!(value(&signed, &registers), int(i64::try_from(expected).unwrap()));
    }

    #[test]
    fn any_point_over_any_words_is_a_value_of_its_type_or_a_reason(
        (table, (_, kind), order) in (
            prop::sample::select(&[Table::Coil, Table::Discrete, Table::Holding, Table::Input][..]),
            prop::sample::select(&Kind::ALL[..]),
            prop::sample::select(&ORDERS[..]),
        ),
        (address, start) in (any::<u16>(), any::<u16>()),
        near in prop::option::of(0..4_u16),
        field in prop::option::of((any::<u8>(), any::<u8>())),
        length in any::<u8>(),
        packing in prop::sample::select(&[Packing::Pairs, Packing::High, Packing::Low][..]),
        absent in prop::collection::vec(any::<u64>(), 0..3),
        (by, offset, power) in (any::<f64>(), any::<f64>(), any::<i64>()),
        is_scaled in any::<bool>(),
        registers in prop::collection::vec(any::<u16>(), 0..130),
    ) {
        let point = Point {
            order,
            // Only whole numbers and truth values have bits to choose from.
            bits: field
                .filter(|_| matches!(kind, Kind::Bool | Kind::U16 | Kind::U32 | Kind::U64 | Kind::I16 | Kind::I32 | Kind::I64))
                .and_then(|(low, high)| Bits::new(low, high)),
            length,
            packing,
            absent: absent.into(),
            scale: if is_scaled { by } else { 1.0 },
            offset: if is_scaled { offset } else { 0.0 },
            ..Point::new(table, address, kind)
        };
        let start = near.map_or(start, |near| address.saturating_sub(near));
        let as_bits: Vec<bool> = registers.iter().map(|word| word % 2 == 1).collect();
        for words in [Words::Registers(&registers), Words::Bits(&as_bits)] {
            let Ok(value) = decode(&point, words, start) else {
                continue;
            };
            match &value {
                Value::Bool(_) => prop_assert!(kind == Kind::Bool || table.is_bits()),
                Value::Int(value) => {
                    let (least, most) = point.limits().expect("a whole number");
                    prop_assert!((least..=most).contains(value));
                }
                Value::Float(value) => prop_assert!(value.is_finite()),
                Value::Text(_) => prop_assert_eq!(kind, Kind::Text),
            }
            if let Ok(Value::Float(scaled)) = scale(&by_power(kind), &value, Some(&Value::Int(power))) {
                prop_assert!(scaled.is_finite());
            }
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

    #[test]
    fn a_power_of_ten_moves_the_point_of_the_decimal(raw in any::<i32>(), power in -10..=10_i64) {
        let registers = encode(&raw.to_be_bytes(), Order::Abcd);
        let expected: f64 = alloc::format!("{raw}e{power}").parse().unwrap();
        prop_assert_eq!(times(&by_power(Kind::I32), &registers, power), float(expected));
    }
}
