//! Public register maps, read from a server that is not ours.

use andon_tests::agent::{Agent, andon};
use andon_tests::maps::{self, Map};
use andon_tests::registers::Registers;
use andon_tests::scenario::{Scenario, free_port};
use andon_tests::web::get;
use andon_tests::{Outcome, SOON, wait_for};
use serde_json::{Map as Object, Value, json};
use std::fmt::Write as _;

/// What a device does where its map has nothing: each map is read from one of either kind.
const GAPS: [&str; 2] = ["refused", "junk"];

/// What the agent shows of each tag is what was published of it.
#[test]
fn values_are_those_published() -> Outcome {
    let scenario = Scenario::new("register-maps")?;
    let maps = maps::all()?;
    let registers = Registers::start(&scenario, &units(&maps)?)?;
    let port = free_port()?;
    let config = config_of(&maps, &scenario, registers.port(), port);
    let config = scenario.write("andon.toml", &config)?;
    must_not_warn(&scenario)?;
    let mut agent = Agent::run(&config, &scenario.path("agent.log"))?;

    let mut wrong = String::new();
    for (map, gaps, _) in devices(&maps) {
        let id = format!("{gaps}-{}", map.name);
        let row = |tag: &Value| &map.rows[tag["tag"].as_str().unwrap_or_default()];
        // A tag may be bad until a search for what is refused has ended, or until the tag that
        // scales it is read. A value that is good is final.
        let is_final = |tag: &Value| tag["quality"] == "good" || row(tag).agrees(tag);
        let tags = || list(port, &format!("/api/v1/tags?device={id}"));
        let read = wait_for(&format!("reading of {id}"), SOON, || {
            tags().filter(|tags| tags.iter().all(is_final))
        });
        let tags = read.ok().or_else(tags).unwrap_or_default();
        assert_eq!(tags.len(), map.rows.len(), "tags of {id}");
        for tag in tags.iter().filter(|tag| !row(tag).agrees(tag)) {
            let _ = writeln!(wrong, "{tag}, published: {:?}", row(tag).expected);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");

    let shown = list(port, "/api/v1/devices").unwrap_or_default();
    assert_eq!(shown.len(), devices(&maps).count());
    for ((map, ..), device) in devices(&maps).zip(&shown) {
        assert_eq!(device["state"].as_str(), map.state.as_deref(), "{device}");
    }
    agent.must_run()
}

/// A shipped profile is nothing that anybody has to look at.
fn must_not_warn(scenario: &Scenario) -> Outcome {
    let check = andon(&["check", "andon.toml"], &scenario.path(""))?;
    let told = String::from_utf8(check.stderr)?;
    // No device has to answer fast here, and so the link may wait for one.
    let warnings = told.lines().filter(|line| line.starts_with("warning"));
    let others: Vec<&str> = warnings
        .filter(|line| !line.contains("holds up the others"))
        .collect();
    assert_eq!(others, [""; 0], "{told}");
    assert!(check.status.success(), "{told}");
    Ok(())
}

/// Which map, which way to treat gaps, and the unit that does so.
fn devices(maps: &[Map]) -> impl Iterator<Item = (&Map, &'static str, u8)> {
    let devices = maps.iter().flat_map(|map| GAPS.map(|gaps| (map, gaps)));
    devices
        .zip(1..)
        .map(|((map, gaps), unit)| (map, gaps, unit))
}

/// The units of the server: for each map one for each way to treat gaps.
fn units(maps: &[Map]) -> Outcome<Value> {
    let mut units = Object::new();
    for (map, gaps, unit) in devices(maps) {
        let mut holds = json!(map.image()?);
        holds["gaps"] = json!(gaps);
        units.insert(unit.to_string(), holds);
    }
    Ok(json!({ "units": units }))
}

/// Read once is enough: nothing goes stale here.
fn config_of(maps: &[Map], scenario: &Scenario, registers: u16, http: u16) -> String {
    let mut text = format!(
        r#"
[gateway]
id = "gw-1"
site = "a"
area = "b"
data_dir = {data:?}

[upstream]
broker = "mqtt://127.0.0.1:9"

[http]
listen = "127.0.0.1:{http}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{registers}"
timeout = "20 s"
"#,
        data = scenario.path("data"),
    );
    for (map, gaps, unit) in devices(maps) {
        let id = format!("{gaps}-{}", map.name);
        let _ = write!(
            text,
            "\n[[device]]\nid = \"{id}\"\nlink = \"plc\"\nunit = {unit}\nstale_after = \"10 min\"\n"
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

/// What the agent's HTTP door answers, if it is a list.
fn list(port: u16, path: &str) -> Option<Vec<Value>> {
    let answer = get(&format!("http://127.0.0.1:{port}{path}")).ok()?;
    serde_json::from_str(&answer.body).ok()
}
