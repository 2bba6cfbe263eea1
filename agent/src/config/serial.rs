//! The keys of a link that speaks RTU: how the characters of its line are formed.

use super::values::{boolean, duration, integer, one_of, serial_port};
use super::walk::{Item, Section};
use crate::settings::{Parity, Rs485, SerialPort, char_bits};
use andon_core::line::Line;
use std::time::Duration;

/// What Modbus has where nothing is said (Modbus over Serial Line 1.02, §2.2): 19,200 baud, even
/// parity, one stop bit.
const BAUD: u32 = 19_200;

const PARITIES: [(&str, Parity); 3] = [
    ("none", Parity::None),
    ("even", Parity::Even),
    ("odd", Parity::Odd),
];

/// The form of the characters, as far as it is given.
struct Form {
    baud: Option<u32>,
    parity: Parity,
    stop_bits: u8,
    turnaround: Option<Duration>,
}

impl Form {
    /// Reads the keys of the line.
    fn read(section: &mut Section<'_>) -> Form {
        let baud = section.read("baud", baud);
        let parity = section.read("parity", one_of(&PARITIES));
        let parity = parity.unwrap_or(Parity::Even);
        // Without parity a character has a second stop bit, so that it stays 11 bits long (§2.5.1).
        // A device that is set to one stop bit takes it for a moment of rest.
        let usual = if parity == Parity::None { 2 } else { 1 };
        let stop_bits = section.read("stop_bits", integer(1, 2));
        let turnaround = section.read("turnaround", duration(0, 1000));
        Form {
            baud,
            parity,
            stop_bits: stop_bits
                .and_then(|bits| bits.try_into().ok())
                .unwrap_or(usual),
            turnaround: turnaround.map(Duration::from_millis),
        }
    }

    /// Silence before a request to another unit, for a line.
    fn turnaround(&self, line: Line) -> Duration {
        let usual = Duration::from_micros(line.turnaround_us());
        self.turnaround.unwrap_or(usual)
    }
}

/// A serial port; none if its path is wrong, which was reported.
pub(super) fn port(section: &mut Section<'_>) -> Option<SerialPort> {
    let path = section.read("modbus_rtu", |item| serial_port(item).map(Into::into));
    let form = Form::read(section);
    let optional = section.read("optional", boolean).unwrap_or(false);
    let rs485 = section.read("rs485", rs485).unwrap_or(Rs485::Auto);
    let mut port = SerialPort {
        path: path?,
        baud: form.baud.unwrap_or(BAUD),
        parity: form.parity,
        stop_bits: form.stop_bits,
        optional,
        rs485,
        turnaround: Duration::ZERO,
    };
    port.turnaround = form.turnaround(port.line());
    Some(port)
}

/// The line behind a converter, if its speed is given, and the turnaround on it.
pub(super) fn line(section: &mut Section<'_>) -> (Option<Line>, Duration) {
    let form = Form::read(section);
    let line = form.baud.map(|baud| Line {
        baud,
        char_bits: char_bits(form.parity, form.stop_bits),
    });
    let turnaround = line.map(|line| form.turnaround(line));
    (line, turnaround.or(form.turnaround).unwrap_or_default())
}

pub(super) fn baud(item: &Item<'_>) -> Option<u32> {
    const RATES: [u32; 8] = [1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200];
    let baud = integer(1, i64::from(u32::MAX))(item)?;
    let known = RATES.into_iter().find(|rate| i64::from(*rate) == baud);
    if known.is_none() {
        return item.wrong(
            format!("{baud} is not a baud rate in use"),
            "allowed: 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200",
        );
    }
    known
}

fn rs485(item: &Item<'_>) -> Option<Rs485> {
    if let toml::de::DeValue::Boolean(must) = item.value {
        return Some(if *must { Rs485::Kernel } else { Rs485::Adapter });
    }
    match item.value {
        toml::de::DeValue::String(text) if text == "auto" => Some(Rs485::Auto),
        _ => item.expected("true, false or \"auto\""),
    }
}
