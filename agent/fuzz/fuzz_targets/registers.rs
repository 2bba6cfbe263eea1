//! Whatever registers hold, at every place and as every type: a value or a reason.

#![no_main]

use andon_core::modbus::decode::{Words, decode};
use andon_core::sample::Value;
use andon_core::tag::{Kind, Order, Point, Table};
use libfuzzer_sys::fuzz_target;

const ORDERS: [Order; 4] = [Order::Abcd, Order::Cdab, Order::Badc, Order::Dcba];

fuzz_target!(|input: (u16, u16, u8, u8, bool, f64, f64, Vec<u16>)| {
    let (start, address, kind, order, bits, scale, offset, registers) = input;
    let point = Point {
        table: if bits { Table::Coil } else { Table::Holding },
        address,
        kind: Kind::ALL[usize::from(kind) % Kind::ALL.len()].1,
        order: ORDERS[usize::from(order) % ORDERS.len()],
        scale,
        offset,
    };
    let as_bits: Vec<bool> = registers.iter().map(|word| word % 2 == 1).collect();
    for words in [Words::Registers(&registers), Words::Bits(&as_bits)] {
        if let Ok(Value::Float(value)) = decode(&point, words, start) {
            assert!(value.is_finite());
        }
    }
});
