//! What is read is what was published.

use super::map::{self, Expected, Map, Row};
use super::server::Server;
use andon::config;
use andon::field::{self, Answer, FromField};
use andon::settings::Settings;
use andon_core::modbus::decode::{Words, decode, scale};
use andon_core::modbus::plan::Plan;
use andon_core::plant::{Model, Plant};
use andon_core::sample::{Reading, Reason, Value};
use andon_core::state::State;
use andon_core::tag::{DeviceIndex, Kind, Point, Source, Tag, TagIndex};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Ends a test that would wait for ever.
const LIMIT: Duration = Duration::from_secs(60);

/// What a device does where its map has nothing: each map is read from one of either kind.
const GAPS: [&str; 2] = ["refused", "junk"];

/// What was read of each tag.
type Table = BTreeMap<(DeviceIndex, TagIndex), Result<Value, Reason>>;

#[tokio::test]
async fn values_are_those_published() {
    let maps = map::all();
    let server = Server::start(&units(&maps));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    fs::write(&file, config_of(&maps, server.port)).unwrap();
    let loaded = config::load(&file).unwrap_or_else(|report| panic!("{report}"));
    // No device has to answer fast here, and so a link may wait for one.
    let warnings = loaded.warnings.entries();
    let others: Vec<_> = warnings
        .filter(|warning| !warning.message.contains("holds up the others"))
        .collect();
    assert_eq!(others, [], "{}", loaded.warnings);

    let read = read(&loaded.settings).await;
    let mut wrong = String::new();
    let plant = &loaded.settings.plant;
    for ((map, ..), (device, index)) in devices(&maps).zip(plant.devices.iter().zip(0..)) {
        let (model, index) = (&device.model, DeviceIndex(index));
        let state = state_of(model, index, &read);
        assert_eq!(
            state.map(State::as_str),
            map.state.as_deref(),
            "{}",
            map.name
        );
        assert_eq!(model.tags.len(), map.rows.len(), "tags of {}", map.name);
        for (tag, at) in model.tags.iter().zip(0..) {
            let row = &map.rows[&*tag.name];
            // Of a profile the address stands twice, once in each file.
            assert_eq!(address(tag), row.at, "{}: {}", map.name, tag.name);
            let found = value(model, index, TagIndex(at), &read);
            if !is_as_expected(tag.kind(), &found, row) {
                let (tag, published) = (&tag.name, &row.expected);
                let _ = writeln!(
                    wrong,
                    "{} {tag}: {found:?}, published {published:?}",
                    device.id
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_profile_has_a_map() {
    let maps = map::all();
    let of_profiles = maps
        .iter()
        .filter(|map| map.profile.as_ref() == Some(&map.name));
    let named: BTreeSet<String> = of_profiles.map(|map| map.name.clone()).collect();
    let files = fs::read_dir(map::profiles()).unwrap();
    let files = files.map(|file| map::stem(&file.unwrap().path()));
    assert_eq!(named, files.collect());
}

/// What the links read of every tag, as `andon run` starts them.
async fn read(settings: &Settings) -> Table {
    let plan = Arc::new(Plan::new(&settings.plant));
    let (tx, mut rx) = mpsc::channel(64);
    let (_stop, stopped) = watch::channel(false);
    let _links = field::start(settings, Arc::clone(&plan), tx, stopped);
    let devices = settings.plant.devices.iter();
    let tags = devices.map(|device| device.model.tags.len()).sum();
    let mut read = Table::new();
    while read.len() < tags {
        let message = timeout(LIMIT, rx.recv()).await;
        let message = message
            .expect("every read is answered")
            .expect("the link runs");
        note(&mut read, &settings.plant, &plan, message);
    }
    read
}

/// What the state mapping of a profile makes of what was read.
fn state_of(model: &Model, device: DeviceIndex, read: &Table) -> Option<State> {
    let mapping = model.state.as_ref()?;
    let status = value(model, device, mapping.from, read).unwrap();
    let rule = mapping.rules.iter().find(|(of, _)| of.matches(&status));
    Some(rule.map_or(State::Unknown, |(_, state)| *state))
}

/// The units of the server: for each map one for each way to treat gaps.
fn units(maps: &[Map]) -> serde_json::Value {
    let mut units = serde_json::Map::new();
    for (map, gaps, unit) in devices(maps) {
        let mut holds = json!(map.image());
        holds["gaps"] = json!(gaps);
        units.insert(unit.to_string(), holds);
    }
    json!({ "units": units })
}

/// Which map, which way to treat gaps, and the unit that does so.
fn devices(maps: &[Map]) -> impl Iterator<Item = (&Map, &'static str, u8)> {
    let devices = maps.iter().flat_map(|map| GAPS.map(|gaps| (map, gaps)));
    devices
        .zip(1..)
        .map(|((map, gaps), unit)| (map, gaps, unit))
}

fn config_of(maps: &[Map], port: u16) -> String {
    let mut text = format!(
        r#"
[gateway]
id = "gw-1"
site = "a"
area = "b"

[upstream]
broker = "mqtt://127.0.0.1:1883"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{port}"
timeout = "20 s"
"#
    );
    for name in maps.iter().filter_map(|map| map.profile.as_ref()) {
        let file = map::profiles().join(format!("{name}.toml"));
        text += &fs::read_to_string(file).unwrap();
    }
    for (map, gaps, unit) in devices(maps) {
        let name = &map.name;
        let _ = write!(
            text,
            "\n[[device]]\nid = \"{gaps}-{name}\"\nlink = \"plc\"\nunit = {unit}\n"
        );
        if let Some(profile) = &map.profile {
            let _ = writeln!(text, "profile = \"{profile}\"");
            continue;
        }
        text += "\n[device.tags]\n";
        for (tag, row) in &map.rows {
            let _ = writeln!(text, "{tag} = {}", row.tag);
        }
    }
    text
}

/// Takes in what the link says.
fn note(read: &mut Table, plant: &Plant, plan: &Plan, message: FromField) {
    match message {
        FromField::Read {
            read: of, answer, ..
        } => {
            let of = plan.read(of);
            let answer = answer.unwrap_or_else(|reason| panic!("{of:?}: {reason}"));
            let words = match &answer {
                Answer::Registers(registers) => Words::Registers(registers),
                Answer::Bits(bits) => Words::Bits(bits),
            };
            let tags = &plant.device(of.device).model.tags;
            for index in of.tags.iter() {
                let point = point(&tags[usize::from(index.0)]);
                read.insert((of.device, *index), decode(point, words, of.start));
            }
        }
        FromField::Readings {
            device, readings, ..
        } => {
            for (tag, reading) in readings {
                let value = match reading.reading {
                    Reading::Good(value) | Reading::Uncertain(value, _) => Ok(value),
                    Reading::Bad(reason) => Err(reason),
                };
                read.insert((device, tag), value);
            }
        }
        FromField::Link { up, why, .. } => assert!(up, "{why:?}"),
    }
}

/// The value of a tag as the engine makes it of what was read.
fn value(
    model: &Model,
    device: DeviceIndex,
    index: TagIndex,
    read: &Table,
) -> Result<Value, Reason> {
    let tag = &model.tags[usize::from(index.0)];
    let mut value = read[&(device, index)].clone()?;
    if let Some(by) = tag.power_of_ten() {
        value = scale(point(tag), &value, read[&(device, by)].as_ref().ok())?;
    }
    if tag.in_range(&value) {
        Ok(value)
    } else {
        Err(Reason::OutOfRange)
    }
}

fn point(tag: &Tag) -> &Point {
    match &tag.source {
        Source::Modbus(point) => point,
        source => panic!("{}: {source:?}", tag.name),
    }
}

fn address(tag: &Tag) -> String {
    let point = point(tag);
    format!("{}:{}", point.table.as_str(), point.address)
}

/// Floats are as near as their type comes, or within what was published.
fn is_as_expected(kind: Kind, found: &Result<Value, Reason>, row: &Row) -> bool {
    match (found, &row.expected) {
        (Ok(Value::Bool(found)), Expected::Bool(want)) => found == want,
        (Ok(Value::Int(found)), Expected::Int(want)) => found == want,
        (Ok(Value::Text(found)), Expected::Text(want)) => **found == **want,
        (Ok(Value::Float(found)), Expected::Int(want)) => {
            is_near(kind, *found, *want as f64, row.within)
        }
        (Ok(Value::Float(found)), Expected::Float(want)) => {
            is_near(kind, *found, *want, row.within)
        }
        (Err(found), Expected::Bad(want)) => found.to_string() == *want,
        _ => false,
    }
}

fn is_near(kind: Kind, found: f64, want: f64, within: f64) -> bool {
    let off = (found - want).abs();
    let is_same_f32 = kind == Kind::F32 && found as f32 == want as f32;
    is_same_f32 || off <= within.max(want.abs() * 4.0 * f64::EPSILON)
}
