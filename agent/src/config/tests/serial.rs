//! Serial lines and what may be written to their devices.

use super::*;
use crate::settings::SerialPort;
use andon_core::modbus::permit::{Allowed, Target};

const DEVICE: &str = "[[device]]
id = \"saw\"
link = \"plc\"
tags = { status = { at = \"holding:0\", type = \"u16\" } }
";

fn modbus(link: &str, device: &str) -> Modbus {
    let text = text_of(link, device);
    let settings = load_text(&text)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let LinkKind::Modbus(modbus) = settings.links[0].kind.clone() else {
        panic!("no Modbus link");
    };
    modbus
}

fn text_of(link: &str, device: &str) -> String {
    format!(
        "[gateway]\nid = \"gw-1\"\nsite = \"here\"\narea = \"hall\"\n[upstream]\nbroker = \
         \"mqtt://h\"\n[[link]]\nid = \"plc\"\n{link}\n{DEVICE}{device}\n"
    )
}

fn port(keys: &str) -> SerialPort {
    match modbus(&format!("modbus_rtu = \"/dev/ttymxc2\"\n{keys}"), "").endpoint {
        Endpoint::Serial(port) => port,
        other => panic!("{other:?}"),
    }
}

fn told(link: &str, device: &str) -> Vec<String> {
    let report = load_text(&text_of(link, device)).expect_err("a mistake");
    let entry = |entry: Entry<'_>| format!("{}; {}", entry.message, entry.hint.unwrap_or(""));
    report.entries().map(entry).collect()
}

#[test]
fn a_line_is_as_the_standard_has_it_where_nothing_is_said() {
    let port = port("");
    assert_eq!(
        (port.baud, port.parity, port.stop_bits),
        (19_200, Parity::Even, 1)
    );
    assert_eq!(port.line().char_bits, 11);
    assert_eq!(port.turnaround, Duration::from_micros(2_006));
    assert!(!port.optional);
}

#[test]
fn without_parity_a_character_has_two_stop_bits_unless_it_is_said() {
    assert_eq!(port("parity = \"none\"").stop_bits, 2);
    assert_eq!(
        port("parity = \"none\"\nstop_bits = 1").line().char_bits,
        10
    );
    assert_eq!(port("parity = \"odd\"\nstop_bits = 2").line().char_bits, 12);
}

#[test]
fn who_switches_the_driver_may_be_said() {
    assert_eq!(port("rs485 = true").rs485, Rs485::Kernel);
    assert_eq!(port("rs485 = false").rs485, Rs485::Adapter);
    assert_eq!(port("rs485 = \"auto\"").rs485, Rs485::Auto);
    assert_eq!(port("turnaround = \"0 ms\"").turnaround, Duration::ZERO);
    assert_eq!(
        told("modbus_rtu = \"/dev/ttyS1\"\nrs485 = \"yes\"", ""),
        ["`rs485` is a text; write true, false or \"auto\""]
    );
}

#[test]
fn a_converter_has_a_line_only_if_its_speed_is_known() {
    let converter = modbus("modbus_rtu_tcp = \"10.0.0.9:4001\"", "");
    assert_eq!(converter.endpoint.to_string(), "10.0.0.9:4001");
    assert_eq!(converter.endpoint.line(), None);
    let known = modbus("modbus_rtu_tcp = \"10.0.0.9\"\nbaud = 9600", "");
    let line = Line {
        baud: 9_600,
        char_bits: 11,
    };
    assert_eq!(known.endpoint.line(), Some(line));
}

#[test]
fn a_line_that_a_device_makes_is_formed_by_the_device() {
    let text = text_of("modbus_tcp = \"h\"", "").replacen(
        "link = \"plc\"",
        "modbus_rtu = \"/dev/ttyS1\"\nbaud = 9600\nturnaround = \"5 ms\"\nrs485 = true",
        1,
    );
    let settings = load_text(&text)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let LinkKind::Modbus(modbus) = &settings.links[1].kind else {
        panic!("no Modbus link");
    };
    let Endpoint::Serial(port) = &modbus.endpoint else {
        panic!("no serial port");
    };
    assert_eq!((port.baud, port.rs485), (9_600, Rs485::Kernel));
    assert_eq!(port.turnaround, Duration::from_millis(5));
}

#[test]
fn only_listed_addresses_may_be_written() {
    let plain = modbus("modbus_tcp = \"h\"", "");
    assert_eq!(plain.allow_write, []);
    let writes =
        "unit = 9\nallow_write = [{ at = \"coil:0\" }, { at = \"holding:5\", range = [0, 3] }]";
    let lamp = modbus("modbus_tcp = \"h\"", writes);
    let allowed = |target, address, values| Allowed {
        unit: 9,
        target,
        address,
        values,
    };
    assert_eq!(
        lamp.allow_write,
        [
            allowed(Target::Coil, 0, 0..=1),
            allowed(Target::Holding, 5, 0..=3)
        ]
    );
}

#[test]
fn what_cannot_be_written_is_told() {
    for (write, what) in [
        (
            "{ at = \"input:5\", range = [0, 3] }",
            "`input:` can only be read; only `coil:`",
        ),
        (
            "{ at = \"holding:5\" }",
            "this register could be given any value; add",
        ),
        (
            "{ at = \"coil:5\", range = [0, 2] }",
            "a coil is 0 or 1; leave",
        ),
        (
            "{ at = \"holding:5\", range = [3, 0] }",
            "no value is inside this range; write",
        ),
        (
            "{ at = \"holding:5\", range = [0, 70000] }",
            "these are not the raw values of a register",
        ),
        (
            "{ at = \"holding:5\", range = [0] }",
            "a range has two ends; write two",
        ),
        (
            "{ range = [0, 3] }",
            "`allow_write` has no `at`; add `at = \"coil:0\"`",
        ),
    ] {
        let device = format!("allow_write = [{write}]");
        let told = told("modbus_tcp = \"h\"", &device);
        assert!(
            told.len() == 1 && told[0].starts_with(what),
            "{write}: {told:?}"
        );
    }
    let text = PRESS_LINE.replacen("id = \"oven-7\"", "id = \"oven-7\"\nallow_write = []", 1);
    let report = load_text(&text).expect_err("an oven that is written");
    assert!(
        report
            .to_string()
            .contains("only Modbus devices can be written"),
        "{report}"
    );
}
