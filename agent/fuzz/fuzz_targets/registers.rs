//! Whatever registers hold, at every place and as every type: a value or a reason, and never a
//! value that the type does not have.

#![no_main]

use andon_core::modbus::decode::{Words, decode, scale};
use andon_core::sample::Value;
use andon_core::tag::{Bits, Kind, Order, Packing, Point, Table, TagIndex};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const ORDERS: [Order; 4] = [Order::Abcd, Order::Cdab, Order::Badc, Order::Dcba];

const PACKINGS: [Packing; 3] = [Packing::Pairs, Packing::High, Packing::Low];

#[derive(Debug, Arbitrary)]
struct Input {
    start: u16,
    address: u16,
    kind: u8,
    order: u8,
    is_coil: bool,
    bits: Option<(u8, u8)>,
    length: u8,
    packing: u8,
    absent: Vec<u64>,
    scale: f64,
    offset: f64,
    power: Option<i16>,
    registers: Vec<u16>,
}

fuzz_target!(|input: Input| {
    let table = if input.is_coil {
        Table::Coil
    } else {
        Table::Holding
    };
    let (_, kind) = Kind::ALL[usize::from(input.kind) % Kind::ALL.len()];
    let point = Point {
        order: ORDERS[usize::from(input.order) % ORDERS.len()],
        bits: input.bits.and_then(|(low, high)| Bits::new(low, high)),
        length: input.length,
        packing: PACKINGS[usize::from(input.packing) % PACKINGS.len()],
        absent: input.absent.into(),
        scale: input.scale,
        offset: input.offset,
        power_of_ten: input.power.map(|_| TagIndex(0)),
        ..Point::new(table, input.address, kind)
    };
    let power = input.power.map(|power| Value::Int(power.into()));
    let as_bits: Vec<bool> = input.registers.iter().map(|word| word % 2 == 1).collect();
    for words in [Words::Registers(&input.registers), Words::Bits(&as_bits)] {
        let Ok(raw) = decode(&point, words, input.start) else {
            continue;
        };
        let value = match &power {
            Some(power) => scale(&point, &raw, Some(power)),
            None => Ok(raw),
        };
        match value {
            Ok(Value::Float(value)) => assert!(value.is_finite()),
            Ok(Value::Int(value)) => {
                if let Some((least, most)) = point.limits() {
                    assert!((least..=most).contains(&value), "{point:?}");
                }
            }
            Ok(Value::Text(text)) => assert!(!text.is_empty() && !text.contains(char::is_control)),
            Ok(Value::Bool(_)) | Err(_) => {}
        }
    }
});
