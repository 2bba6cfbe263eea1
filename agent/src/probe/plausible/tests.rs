use super::*;
mod maps;
mod public;

use maps::{MAPS, Map, NOW_MS};

/// What the registers of a map show in one order, in as many readings as a probe makes.
fn runs(map: &Map, order: Order) -> Vec<Run> {
    let start = map.values.iter().map(|value| value.0).min().unwrap_or(0);
    let readings = (0..3).map(|step| {
        let mut registers = Vec::new();
        for (address, kind, content) in map.values {
            let at = usize::from(address - start);
            registers.resize(registers.len().max(at), 0);
            registers.extend(content.registers(*kind, order, step));
        }
        registers
    });
    vec![Run {
        start,
        readings: readings.collect(),
    }]
}

fn shown(map: &Map, order: Order) -> String {
    let verdict = Verdict::of(&runs(map, order), NOW_MS);
    let ranked: Vec<String> = verdict
        .ranked
        .iter()
        .map(|e| format!("{:?} {:.0}", e.order, e.bits))
        .collect();
    let parts: Vec<String> = verdict.ranked[0].parts[0]
        .iter()
        .map(|p| format!("{}:{}", p.address, p.kind.name()))
        .collect();
    format!(
        "{} in {order:?}: {}\n    {}",
        map.device,
        ranked.join(", "),
        parts.join(" ")
    )
}

#[test]
fn the_order_of_known_devices_is_found_whichever_it_is() {
    let (mut right, mut wrong, mut all) = (Vec::new(), Vec::new(), 0);
    for map in MAPS.iter().filter(|map| map.is_ordered()) {
        for order in ORDERS {
            all += 1;
            match Verdict::of(&runs(map, order), NOW_MS).likely() {
                Some(likely) if likely == order => right.push(map.device),
                Some(_) => wrong.push(shown(map, order)),
                None => println!("undecided: {}", shown(map, order)),
            }
        }
    }
    println!("{} of {all}", right.len());
    assert_eq!(wrong, [""; 0], "a wrong order was called likely");
    assert!(
        right.len() * 100 >= all * 90,
        "only {} of {all}",
        right.len()
    );
}

#[test]
fn the_values_of_known_devices_are_recognised() {
    let (mut found, mut all) = (0, 0);
    for map in MAPS {
        for order in ORDERS {
            let verdict = Verdict::of(&runs(map, order), NOW_MS);
            let parts = &verdict.best().expect("an explanation").parts[0];
            let told = map.values.iter().filter(|value| !value.2.is_nothing());
            let (mut here, mut of) = (0, 0);
            for (address, kind, _) in told {
                let same = |part: &&Part| part.address == *address;
                let part = parts.iter().find(same);
                of += 1;
                here += usize::from(part.is_some_and(|part| {
                    part.registers == width(*kind, map, *address)
                        && part.kind.is_integer() == kind.is_integer()
                }));
            }
            if here < of {
                println!("{here} of {of}: {}", shown(map, order));
            }
            found += here;
            all += of;
        }
    }
    println!("{found} of {all}");
    assert!(found * 100 >= all * 85, "only {found} of {all}");
}

fn width(kind: Kind, map: &Map, address: u16) -> u16 {
    let value = map.values.iter().find(|value| value.0 == address);
    match (kind, value) {
        (Kind::Text, Some((_, _, content))) => content.registers(kind, Order::Abcd, 0).len() as u16,
        _ => kind.registers(),
    }
}

#[test]
fn devices_without_wide_values_are_said_no_order_of() {
    for map in MAPS.iter().filter(|map| !map.is_ordered()) {
        let verdict = Verdict::of(&runs(map, Order::Abcd), NOW_MS);
        assert_eq!(verdict.likely(), None, "{}", shown(map, Order::Abcd));
    }
}
