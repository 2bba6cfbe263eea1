use super::*;
use crate::field::Answer;
use crate::probe::wire::{Asked, Reply};
use crate::settings::Parity;
use clap::Parser as _;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn options(line: &str) -> Options {
    let words = ["scan", "/dev/ttyS9"]
        .into_iter()
        .chain(line.split_whitespace());
    Line::try_parse_from(words).expect(line).options
}

const REAL: Form = Form {
    baud: 19_200,
    parity: Parity::Odd,
    stop_bits: 1,
};

/// Units that answer at one line setting only.
fn bus(ids: &'static [u8]) -> impl Fn(Form) -> Wire {
    move |form| {
        Wire::told(move |unit, _, patience| {
            let is_heard = form == REAL && ids.contains(&unit);
            let reply = match is_heard {
                true => Reply::Answer(Answer::Registers(vec![7])),
                false => Reply::Silence,
            };
            Asked {
                reply,
                took_us: if is_heard {
                    9_000
                } else {
                    patience.as_micros() as u64
                },
            }
        })
    }
}

async fn scanned(ids: &'static [u8], line: &str) -> Report {
    let options = options(line);
    let units: Vec<u8> = options.units.clone().collect();
    let forms = lines::forms(None, options.line);
    let mut found = Found::default();
    let (bus, progress) = (bus(ids), Progress::of(1));
    let on_lines = found.on_lines(&bus, &forms, &units, &options, &progress);
    on_lines.await.expect("a port");
    let link = link::find("/dev/ttyS9", None, options.line).expect("a port");
    found.report(link, &options, false)
}

fn ids(report: &Report) -> Vec<u8> {
    let units = report.lines.iter().flat_map(|(_, units)| units);
    units.map(|unit| unit.id).collect()
}

#[tokio::test]
async fn the_line_settings_are_found_with_the_units() {
    let report = scanned(&[3, 17, 200], "").await;
    assert_eq!(ids(&report), [3, 17, 200]);
    assert_eq!(report.lines[0].0, Some(REAL));
    // 9600 8N1, 19200 8N1, and so on: the sixth is right, and no other is tried after it.
    assert_eq!(report.tried, 6);
    let toml = report.toml();
    for line in [
        "baud = 19200",
        "parity = \"odd\"",
        "id = \"unit-200\"",
        "probe /dev/ttyS9 --baud 19200 --parity odd --stop-bits 1 --unit 3",
    ] {
        assert!(toml.contains(line), "{line} is missing in\n{toml}");
    }
    crate::probe::tests::loaded(&toml);
}

#[tokio::test]
async fn a_unit_with_a_high_id_is_found_too() {
    let report = scanned(&[201], "").await;
    assert_eq!(ids(&report), [201]);
    assert_eq!(report.asked, 247);
}

#[tokio::test]
async fn where_nobody_answers_everything_was_tried() {
    let report = scanned(&[], "--units 1..20").await;
    assert_eq!(
        (report.lines.len(), report.tried, report.asked),
        (0, 32, 20)
    );
    let said = report.to_text();
    assert!(
        said.contains("0 of 20 units answer, at 32 line settings."),
        "{said}"
    );
    let all = scanned(&[5], "--units 5 --all").await;
    assert_eq!((ids(&all), all.tried), (vec![5], 32));
}

#[test]
fn a_device_that_answers_for_every_unit_is_shown_once() {
    let unit = |id| units::Unit {
        id,
        tables: vec![(andon_core::tag::Table::Holding, units::Said::Value(2))],
        took_us: 700,
    };
    let report = Report {
        place: "10.1.3.7:502".into(),
        link: "plc".into(),
        probe: "plc".into(),
        link_section: None,
        lines: vec![(None, (1..=247).map(unit).collect())],
        tried: 1,
        wanted: 247,
        asked: 247,
        unreached: 0,
        notes: Vec::new(),
    };
    let said = report.to_text();
    assert!(said.contains("does not look at the unit id"), "{said}");
    assert_eq!(said.matches("[[device]]").count(), 1);
    assert_eq!(report.to_json()["one_device"], true);
}

#[test]
fn unit_ids_are_a_range_with_both_ends() {
    assert_eq!(options("").units, 1..=247);
    assert_eq!(options("--units 17").units, 17..=17);
    assert_eq!(options("--units 0..255").units, 0..=255);
    for wrong in ["5..1", "x", "1..256", ""] {
        assert!(parse_units(wrong).is_err(), "{wrong}");
    }
}
