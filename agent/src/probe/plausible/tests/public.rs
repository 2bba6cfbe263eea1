//! The public register maps of `tests/maps/`, none of which this was made with, as devices of each
//! order would show them in a single reading, in which nothing moves: the hardest case.

use crate::probe::plausible::{ORDERS, Run, Verdict};
use crate::probe::tests::loaded;
use andon_core::tag::{Kind, Order, Point, Source, Table};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Not devices, but collections of cases, each in an order of its own.
const NO_DEVICES: [&str; 4] = [
    "manuals",
    "sunspec-points",
    "telegraf",
    "thingsboard-gateway",
];

/// 2026-09-21: none of the maps has a clock.
const NOW_MS: u64 = 1_790_000_000_000;

/// A device: its values with what their registers hold.
struct Device {
    name: String,
    values: Vec<(Point, Vec<u16>)>,
}

#[test]
fn no_order_of_a_public_map_is_called_likely_that_is_wrong() {
    let (mut right, mut all, mut wrong) = (0, 0, Vec::new());
    for device in devices() {
        for order in ORDERS {
            all += 1;
            match Verdict::of(&device.runs(order), NOW_MS).likely() {
                Some(likely) if likely == order => right += 1,
                Some(likely) => wrong.push(format!("{} in {order:?}: {likely:?}", device.name)),
                None => println!("{} in {order:?}: undecided", device.name),
            }
        }
    }
    println!("{right} of {all} orders told");
    assert_eq!(wrong, [""; 0]);
    // Four of the thirteen have no more than two values in which it could show.
    assert!(right >= 40, "only {right} of {all} orders told");
}

#[test]
fn most_values_of_public_maps_are_recognised() {
    let (mut found, mut all) = (0, 0);
    for device in devices() {
        for order in ORDERS {
            let verdict = Verdict::of(&device.runs(order), NOW_MS);
            let parts = verdict
                .best()
                .expect("an explanation")
                .parts
                .iter()
                .flatten();
            let parts: Vec<_> = parts.collect();
            for point in device.wide() {
                let is_it = parts.iter().any(|part| {
                    part.address == point.address
                        && part.registers == point.width()
                        && (part.kind == Kind::F32) == (point.kind == Kind::F32)
                });
                found += usize::from(is_it);
                all += 1;
            }
        }
    }
    println!("{found} of {all} wide values recognised");
    assert!(found * 100 >= all * 95, "only {found} of {all}");
}

/// The devices with values in which an order shows.
fn devices() -> Vec<Device> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/maps");
    let files = fs::read_dir(folder).expect("the maps");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a map").path()).collect();
    files.sort();
    let devices = files.iter().map(|file| Device::of(file));
    let mut devices: Vec<Device> = devices.collect();
    devices.retain(|device| {
        !NO_DEVICES.contains(&device.name.as_str()) && device.wide().next().is_some()
    });
    assert!(devices.len() > 10, "{} maps", devices.len());
    devices
}

impl Device {
    fn of(file: &Path) -> Device {
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(file).expect("a map");
        let map = DeTable::parse(&text).expect("a map").into_inner();
        let rows = map
            .get("values")
            .and_then(|values| values.get_ref().as_table());
        let rows = rows.expect("values");
        let profile = map
            .get("profile")
            .and_then(|profile| profile.get_ref().as_str());
        let mut toml = String::from("[[link]]\nid = \"l\"\nmodbus_tcp = \"h\"\n");
        let mut device = String::from("[[device]]\nid = \"d\"\nlink = \"l\"\n");
        if let Some(profile) = profile {
            let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/profiles");
            toml += &fs::read_to_string(dist.join(format!("{profile}.toml"))).expect("a profile");
            let _ = writeln!(device, "profile = \"{profile}\"");
        } else {
            device += "[device.tags]\n";
        }
        let mut words: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        for (tag, row) in rows {
            let row = row.get_ref().as_table().expect("a row");
            words.insert(tag.get_ref(), of_row(row));
            if profile.is_none() {
                let keys = ["at", "type", "order", "length"].iter().filter_map(|key| {
                    let value = row.get(*key)?;
                    Some(format!("{key} = {}", &text[value.span()]))
                });
                let keys: Vec<String> = keys.collect();
                let _ = writeln!(device, "{} = {{ {} }}", tag.get_ref(), keys.join(", "));
            }
        }
        let plant = loaded(&format!("{toml}\n{device}")).settings.plant;
        let tags = plant.devices[0].model.tags.iter();
        let values = tags.filter_map(|tag| match &tag.source {
            Source::Modbus(point) => Some((point.clone(), words.get(&*tag.name)?.clone())),
            _ => None,
        });
        Device {
            name,
            values: values.collect(),
        }
    }

    /// The numbers of more than one register that are not 0 all through.
    fn wide(&self) -> impl Iterator<Item = &Point> {
        let speaks = |words: &[u16]| words.iter().any(|word| *word != 0 && *word != 0xFFFF);
        let wide = self.values.iter();
        let wide = wide.filter(move |(point, words)| is_wide(point) && speaks(words));
        wide.map(|(point, _)| point)
    }

    /// Its registers as they would be if it had another order, in runs without a gap.
    fn runs(&self, order: Order) -> Vec<Run> {
        let mut image: BTreeMap<(Table, u16), u16> = BTreeMap::new();
        for (point, words) in &self.values {
            let words = match is_wide(point) {
                true => turned(turned(words.clone(), point.order), order),
                false => words.clone(),
            };
            let addresses = (point.address..=u16::MAX).map(|at| (point.table, at));
            image.extend(addresses.zip(words));
        }
        let mut runs: Vec<(Table, Run)> = Vec::new();
        for ((table, at), word) in image.into_iter().filter(|((table, _), _)| !table.is_bits()) {
            match runs.last_mut() {
                Some((of, run)) if *of == table && usize::from(at - run.start) == run.length() => {
                    run.readings[0].push(word);
                }
                _ => runs.push((
                    table,
                    Run {
                        start: at,
                        readings: vec![vec![word]],
                    },
                )),
            }
        }
        runs.into_iter().map(|(_, run)| run).collect()
    }
}

fn is_wide(point: &Point) -> bool {
    point.kind != Kind::Text && point.width() > 1 && !point.table.is_bits()
}

fn of_row(row: &DeTable<'_>) -> Vec<u16> {
    let words = row
        .get("words")
        .and_then(|words| words.get_ref().as_array());
    let word = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::Integer(int) => u16::from_str_radix(int.as_str(), int.radix()).expect("a word"),
        other => panic!("{other:?} is no word"),
    };
    words.expect("words").iter().map(word).collect()
}

/// From one order to the usual one, and back: each is its own reverse.
fn turned(mut words: Vec<u16>, order: Order) -> Vec<u16> {
    if matches!(order, Order::Cdab | Order::Dcba) {
        words.reverse();
    }
    if matches!(order, Order::Badc | Order::Dcba) {
        words = words.into_iter().map(u16::swap_bytes).collect();
    }
    words
}
