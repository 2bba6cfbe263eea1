use super::collect::{Bits, Collected, Why};
use super::pace::Paced;
use super::plausible::Run;
use super::report::Report;
use super::table::Detail;
use crate::config;
use andon_core::tag::Table;

/// A device with something of everything, as three readings showed it.
fn report() -> Report {
    // Status, a counter, 60.8 and 242.43 with the low word first, -5, a text, no value, 152.
    let reading = |count: u32, volts: u16| {
        let head = [
            2,
            count as u16,
            (count >> 16) as u16,
            0x3333,
            0x4273,
            volts,
            0x4372,
            0xFFFB,
            0,
            0,
        ];
        let text = b"NAODN-10"
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        head.into_iter()
            .chain(text)
            .chain([0, 0xFFFF, 152])
            .collect()
    };
    let energy = |low: u16| vec![low, 0x0BC6, 0, 0];
    Report {
        place: "10.1.3.7:502".into(),
        link: "probed".into(),
        link_section: Some("[[link]]\nid = \"probed\"\nmodbus_tcp = \"10.1.3.7:502\"\n".into()),
        unit: 3,
        collected: Collected {
            runs: vec![
                (
                    Table::Holding,
                    Run {
                        start: 0,
                        readings: vec![
                            reading(204_790, 0x6E14),
                            reading(204_793, 0x70A4),
                            reading(204_796, 0x6B85),
                        ],
                    },
                ),
                (
                    Table::Input,
                    Run {
                        start: 3203,
                        readings: vec![energy(0x614E), energy(0x614E), energy(0x614F)],
                    },
                ),
            ],
            bits: vec![Bits {
                table: Table::Discrete,
                start: 8,
                readings: vec![
                    vec![true, false, true, true, false, false],
                    vec![true, false, true, true, false, true],
                ],
            }],
            missing: vec![
                ("holding:17..20".parse().expect("a span"), Why::Exception(2)),
                ("coil:0..7".parse().expect("a span"), Why::Exception(1)),
            ],
            most: Some((Table::Holding, 16)),
            times_us: vec![3_100, 2_900, 14_000],
            unanswered: 2,
            longest: None,
        },
        paced: Some(Paced {
            times_us: vec![3_000, 3_200],
            between_ms: Some(20),
            asked: 12,
            lost: 3,
        }),
        after_ms: Some(500),
        through_agent: false,
        now_ms: 1_790_000_000_000,
    }
}

#[test]
fn the_whole_report_is_as_shown() {
    let shown = report().to_text(Detail::Usual);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/tests/report.txt");
    if std::env::var_os("ANDON_BLESS").is_some() {
        std::fs::write(file, &shown).expect("a file");
    }
    assert_eq!(shown, include_str!("tests/report.txt"));
    let widest = shown.lines().map(str::len).max();
    assert!(widest <= Some(100), "{widest:?} columns");
}

#[test]
fn less_and_more_can_be_shown() {
    let lines = |detail| report().to_text(detail).lines().count();
    assert!(lines(Detail::Short) < lines(Detail::Usual));
    assert!(lines(Detail::Usual) < lines(Detail::All));
    for line in report()
        .to_text(Detail::Short)
        .lines()
        .filter(|line| line.contains("f32 "))
    {
        assert!(
            line.contains(['*', '+']) || line.contains("cdab"),
            "nothing is marked in {line}"
        );
    }
}

/// A configuration around what is to be pasted.
pub(super) fn loaded(toml: &str) -> config::Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("andon.toml");
    let around = "[gateway]\nid = \"gw\"\nsite = \"s\"\narea = \"a\"\n\n[upstream]\nbroker = \"mqtt://h\"\n\n";
    std::fs::write(&file, format!("{around}{toml}")).expect("a file");
    config::load(&file).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn what_is_to_be_pasted_loads_and_says_what_was_found() {
    let told = report().to_json();
    let loaded = loaded(told["toml"].as_str().expect("a text"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let plant = &loaded.settings.plant;
    let device = &plant.devices[0];
    assert_eq!((&*device.id, device.unit), ("unit-3", 3));
    assert_eq!(device.manners.between_requests_ms, 20);
    assert_eq!(device.manners.after_connect_ms, 500);
    assert_eq!(device.manners.max_registers, 16);
    let best = told["decodings"].as_array().expect("a list").iter();
    let best = best.filter(|decoding| decoding["best"] == true).count();
    assert!(best > 5, "{best} best decodings");
    let names: Vec<&str> = device.model.tags.iter().map(|tag| &*tag.name).collect();
    for name in [
        "r0", "r1", "r3", "r5", "r7", "r10", "r16", "i3203", "d8", "d13",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
}

#[test]
fn programs_are_told_the_same() {
    let told = report().to_json();
    assert_eq!(told["order"], "cdab");
    assert_eq!(told["unit"], 3);
    assert_eq!(told["answer_median_us"], 3_100);
    assert_eq!(told["unanswered"], 5);
    let value = |at: &str, kind: &str, order: &str| {
        let mut decodings = told["decodings"].as_array().expect("a list").iter();
        let this = decodings.find(|decoding| {
            decoding["at"] == at && decoding["type"] == kind && decoding["order"] == order
        });
        let this = this.unwrap_or_else(|| panic!("no {kind} {order} of {at}"));
        (this["value"].clone(), this["best"] == true)
    };
    assert_eq!(value("holding:1", "u32", "cdab"), (204_790.into(), false));
    assert_eq!(
        value("input:3203", "u64", "cdab"),
        (197_550_414.into(), true)
    );
    assert!(!value("holding:3", "f32", "abcd").1);
    assert!(value("holding:3", "f32", "cdab").1);
}

#[test]
fn the_last_addresses_are_addresses_too() {
    let mut report = report();
    let run = |start| Run {
        start,
        readings: vec![vec![0x4372, 0x6E14, 0x4E41, 0x4F44]],
    };
    report.collected.runs = vec![(Table::Holding, run(65_532))];
    report.collected.bits = vec![Bits {
        table: Table::Coil,
        start: 65_534,
        readings: vec![vec![true, false]],
    }];
    for detail in [Detail::Short, Detail::All] {
        assert!(report.to_text(detail).contains("65532..65533"));
    }
    assert!(
        report.to_json()["toml"]
            .to_string()
            .contains("holding:65532")
    );
}

#[test]
fn nothing_is_proposed_that_the_device_does_not_give_at_once() {
    let mut report = report();
    report.collected.most = Some((Table::Holding, 2));
    let told = report.to_json();
    let tags = &loaded(told["toml"].as_str().expect("a text"))
        .settings
        .plant
        .devices[0]
        .model
        .tags;
    let named = |name: &str| tags.iter().any(|tag| &*tag.name == name);
    assert!(named("r3") && named("r10") && !named("i3203"));
}

#[test]
fn zeros_are_no_tags() {
    let mut report = report();
    report.collected.bits.clear();
    for (_, run) in &mut report.collected.runs {
        run.readings.iter_mut().for_each(|reading| reading.fill(0));
    }
    assert_eq!(report.to_json()["toml"], "");
    assert!(
        report
            .to_text(Detail::Usual)
            .ends_with("nothing: no value was read that says anything\n")
    );
}
