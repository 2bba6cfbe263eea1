//! What must hold for any bytes that a machine sends: no panic, and no value that is not theirs.

use andon::field::Answer;
use andon::field::modbus_tcp::ask;
use andon::field::payload::{Payload, Reader};
use andon_core::modbus::plan::Read;
use andon_core::sample::{Reading, Value};
use andon_core::tag::{DeviceIndex, Kind, LinkIndex, Place, Table, TagIndex};
use jiff::tz::TimeZone;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Runtime;
use tokio_modbus::client::tcp::attach;

/// Pointers that the seeds have something at, and some that nothing can be at.
const POINTERS: [Option<&str>; 6] = [
    None,
    Some(""),
    Some("/mode"),
    Some("/t/zone/0/c"),
    Some("/0/0/0"),
    Some("no pointer"),
];

/// An MQTT payload gives a reading for each tag, and a value only of the tag's type. Returns
/// whether it gave any value.
pub fn payload(bytes: &[u8]) -> bool {
    let mut accepted = false;
    let reader = Reader {
        device: "press-1",
        zone: &TimeZone::UTC,
        retained: false,
    };
    let payload = Payload::new(bytes, 4096);
    for pointer in POINTERS {
        for (_, kind) in Kind::ALL {
            let place = match pointer {
                Some(at) => Place::json(None, at, kind),
                None => Place::bare(None, kind),
            };
            let samples = payload.samples([(TagIndex(0), &place)], reader);
            assert_eq!(samples.len(), 1, "one document is one sample");
            match &samples[0].1.reading {
                Reading::Good(value) => {
                    assert!(is_of(value, kind), "{value:?} for {kind:?}");
                    accepted = true;
                }
                Reading::Bad(_) => {}
                Reading::Uncertain(..) => unreachable!("not retained"),
            }
        }
    }
    accepted
}

fn is_of(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Bool(_) => kind == Kind::Bool,
        Value::Int(_) => kind.is_integer() && kind != Kind::Bool,
        Value::Float(x) => matches!(kind, Kind::F32 | Kind::F64) && x.is_finite(),
        Value::Text(_) => kind == Kind::Text,
    }
}

/// An answer to a Modbus request is accepted only if it begins with exactly the frame that the
/// request calls for, and with the values in it. The first byte chooses the request. Returns
/// whether it was accepted.
pub fn mbap(runtime: &Runtime, bytes: &[u8]) -> bool {
    let Some((choice, answer)) = bytes.split_first() else {
        return false;
    };
    let read = request(*choice);
    let outcome = runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let mut context = attach(ours);
        let send = async {
            // It may have hung up already; and the end of the stream ends the request.
            let _ = theirs.write_all(answer).await;
            let _ = theirs.shutdown().await;
        };
        let asked = ask(&mut context, &read, Duration::from_secs(60));
        tokio::join!(asked, send).0
    });
    match &outcome {
        Ok(Ok(accepted)) => assert_eq!(Some(items(accepted)), expected(&read, answer)),
        // Whatever function it names: an exception brings no value.
        Ok(Err(code)) => {
            assert!(answer[..2] == [0, 0] && answer[6] == read.unit);
            assert!(answer[7] >= 0x80 && answer[8] == *code);
        }
        Err(_) => {}
    }
    matches!(outcome, Ok(Ok(_)))
}

fn request(choice: u8) -> Read {
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    Read {
        link: LinkIndex(0),
        device: DeviceIndex(0),
        unit: 17,
        table: tables[usize::from(choice % 4)],
        start: 100,
        count: u16::from(choice / 4) + 1,
        every_ms: 1000,
        tags: [].into(),
    }
}

const fn function(read: &Read) -> u8 {
    match read.table {
        Table::Coil => 1,
        Table::Discrete => 2,
        Table::Holding => 3,
        Table::Input => 4,
    }
}

fn items(answer: &Answer) -> Vec<u16> {
    match answer {
        Answer::Registers(registers) => registers.clone(),
        Answer::Bits(bits) => bits.iter().map(|bit| u16::from(*bit)).collect(),
    }
}

/// What a correct answer in `bytes` says, read by the book (Modbus Messaging on TCP/IP 1.0b, §3.1)
/// and without the code under test.
fn expected(read: &Read, bytes: &[u8]) -> Option<Vec<u16>> {
    let count = usize::from(read.count);
    let size = if read.table.is_bits() {
        count.div_ceil(8)
    } else {
        count * 2
    };
    let head = [
        0,
        0,
        0,
        0,
        0,
        size as u8 + 3,
        17,
        function(read),
        size as u8,
    ];
    let content = bytes.strip_prefix(&head)?.get(..size)?;
    Some(if read.table.is_bits() {
        (0..count)
            .map(|at| u16::from(content[at / 8] >> (at % 8) & 1))
            .collect()
    } else {
        content
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    })
}
