//! Horns: what they sound through, for which alarms, in which sequence.

use super::*;
use crate::settings::{Coil, GpioLine, Output, Part};
use andon_core::plant::{Horn, Priority, Sequence};

/// Two machines of two lines, a relay module, and what a horn needs.
const HALL: &str = r#"
[gateway]
id = "gw-1"
site = "here"
area = "hall"
[upstream]
broker = "mqtt://h"
[[link]]
id = "plc"
modbus_tcp = "10.0.0.5"
[[link]]
id = "shop"
mqtt = "mqtt://h"
[[device]]
id = "saw"
line = "A"
link = "plc"
tags = { status = { at = "holding:0", type = "u16" } }
[[device]]
id = "mill"
line = "B"
link = "plc"
unit = 2
tags = { status = { at = "holding:0", type = "u16" } }
[[device]]
id = "relays"
link = "plc"
unit = 9
tags = { horn = { at = "coil:0", type = "bool" } }
allow_write = [{ at = "coil:0" }, { at = "coil:1", range = [0, 0] }, { at = "coil:2" }]
[[alarm]]
id = "low"
devices = ["saw", "mill"]
when = "no_data"
priority = "low"
[[alarm]]
id = "high"
devices = ["saw", "mill"]
when = "no_data"
priority = "high"
"#;

fn hall(horns: &str) -> Settings {
    let text = format!("{HALL}{horns}\n");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings
}

fn told(horns: &str) -> Vec<String> {
    let report = load_text(&format!("{HALL}{horns}\n")).expect_err("a mistake");
    let entry = |entry: Entry<'_>| format!("{}; {}", entry.message, entry.hint.unwrap_or(""));
    report.entries().map(entry).collect()
}

#[test]
fn one_horn_through_the_board_is_all_that_press_line_has() {
    let settings = press_line().settings;
    assert_eq!(settings.horns, [[Output::Board]]);
    let horn = Horn {
        id: "horn".into(),
        sequence: Sequence::Automatic,
        from_priority: Priority::Medium,
        devices: None,
        gateway: true,
    };
    assert_eq!(settings.plant.horns, [horn]);
}

#[test]
fn more_than_one_horn_through_lines_and_coils() {
    let settings = hall(
        r#"
[[horn]]
id = "hall"
through = [
  { gpio = { chip = "gpiochip0", line = 3, active_low = true } },
  { gpio = { chip = "/dev/gpiochip1", line = 0 }, lamp = "red" },
  { modbus = { link = "plc", unit = 9, coil = 0 } },
]
[[horn]]
id = "line-a"
sequence = "R"
from_priority = "high"
lines = ["A"]
devices = ["relays", "gateway"]
through = [{ modbus = { link = "plc", unit = 9, coil = 2 }, pulsed = true, lamp = "yellow" }]
"#,
    );
    let gpio = |part, chip: &str, line, active_low| {
        Output::Gpio(GpioLine {
            part,
            chip: chip.into(),
            line,
            active_low,
        })
    };
    let coil = |part, coil, pulsed| {
        Output::Coil(Coil {
            part,
            link: LinkIndex(0),
            unit: 9,
            coil,
            pulsed,
        })
    };
    assert_eq!(
        settings.horns,
        [
            vec![
                gpio(Part::Sound, "/dev/gpiochip0", 3, true),
                gpio(Part::Red, "/dev/gpiochip1", 0, false),
                coil(Part::Sound, 0, false),
            ],
            vec![coil(Part::Yellow, 2, true)],
        ]
    );
    let horn = &settings.plant.horns[1];
    assert_eq!((&*horn.id, horn.sequence), ("line-a", Sequence::Ringback));
    let devices = [DeviceIndex(0), DeviceIndex(2)];
    assert_eq!(horn.devices.as_deref(), Some(&devices[..]));
    assert!(horn.gateway);
}

/// A horn of sequence M or R keeps its alarms until they are reset, and no other.
#[test]
fn what_waits_for_a_reset_on_a_horn_is_latched() {
    let latched = |horn: &str| {
        let settings = hall(&format!("[horn]\nthrough = [{COIL}]\n{horn}\n"));
        let alarms = settings.plant.alarms.iter();
        let mut calls = alarms.clone().filter(|alarm| alarm.is_call());
        assert!(
            calls.all(|alarm| !alarm.latched),
            "a call is solved, not reset"
        );
        let configured = alarms.filter(|alarm| !alarm.is_call());
        let of_devices = configured.filter(|alarm| alarm.owner.device().is_some());
        of_devices.map(|alarm| alarm.latched).collect::<Vec<_>>()
    };
    // low of saw and mill, high of saw and mill
    assert_eq!(latched(""), [false; 4]);
    assert_eq!(latched("sequence = \"M\""), [false, false, true, true]);
    let of_saw = "sequence = \"R\"\nfrom_priority = \"low\"\nlines = [\"A\"]";
    assert_eq!(latched(of_saw), [true, false, true, false]);
}

const COIL: &str = "{ modbus = { link = \"plc\", unit = 9, coil = 0 } }";

#[test]
fn each_mistake_says_what_to_do() {
    let cases = [
        ("through = []", "`through` is empty", "board"),
        (
            "through = [\"board\"]",
            "there is no [board]",
            "add `[board]`",
        ),
        (
            "through = [\"siren\"]",
            "cannot sound through `siren`",
            "gpio",
        ),
        (
            "through = [{ lamp = \"red\" }]",
            "not through what it sounds",
            "gpiochip0",
        ),
        (
            "through = [{ gpio = { chip = \"/sys/class/gpio\", line = 1 } }]",
            "is not a GPIO chip",
            "gpiochip0",
        ),
        (
            "through = [{ gpio = { chip = \"gpiochip0\" } }]",
            "has no `line`",
            "line = 3",
        ),
        (
            "through = [{ gpio = { chip = \"gpiochip0\", line = 1 }, pulsed = true }]",
            "`pulsed` is for coils",
            "leave it out",
        ),
        (
            "through = [{ gpio = { chip = \"gpiochip0\", line = 1 }, lamp = \"blue\" }]",
            "cannot be \"blue\"",
            "red, yellow, green",
        ),
        (
            "through = [{ modbus = { link = \"plcc\", unit = 9, coil = 0 } }]",
            "there is no link `plcc`",
            "did you mean `plc`?",
        ),
        (
            "through = [{ modbus = { link = \"shop\", coil = 0 } }]",
            "`shop` does not speak Modbus",
            "modbus_tcp",
        ),
        (
            "through = [{ modbus = { link = \"plc\", unit = 9, coil = 7 } }]",
            "coil 7 of unit 9 may not be written",
            "add `allow_write = [{ at = \"coil:7\" }]` to device `relays`",
        ),
        (
            "through = [{ modbus = { link = \"plc\", unit = 9, coil = 1 } }]",
            "coil 1 of unit 9 may not be both switched on and off",
            "to device `relays`",
        ),
        (
            "through = [{ modbus = { link = \"plc\", unit = 8, coil = 0 } }]",
            "coil 0 of unit 8 may not be written",
            "add a [[device]] with this link, `unit = 8`",
        ),
        (
            "through = [COIL]\nsequence = \"B\"",
            "cannot be \"B\"",
            "A, M, R",
        ),
        (
            "through = [COIL]\ndevices = [\"sow\"]",
            "no device matches `sow`",
            "did you mean `saw`?",
        ),
        (
            "through = [COIL]\nlines = [\"C\"]",
            "no device stands in line `C`",
            "did you mean `A`?",
        ),
        (
            "through = [COIL]\nquiet = \"22:00-06:00\"",
            "no key `quiet`",
            "known here",
        ),
        (
            "through = [COIL, COIL]",
            "sounds or shines through already",
            "[[horn]]",
        ),
    ];
    for (keys, what, hint) in cases {
        let told = told(&format!("[horn]\n{}", keys.replace("COIL", COIL)));
        assert_eq!(told.len(), 1, "{keys}: {told:?}");
        assert!(
            told[0].contains(what) && told[0].contains(hint),
            "{keys}: {told:?}"
        );
    }
}

#[test]
fn two_horns_have_two_ids_and_share_nothing() {
    let horn = format!("[[horn]]\nthrough = [{COIL}]\n");
    let told = told(&format!("{horn}{horn}"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("two horns are called `horn`"), "{told:?}");
    assert!(told[1].contains("horn `horn` sounds"), "{told:?}");
}
