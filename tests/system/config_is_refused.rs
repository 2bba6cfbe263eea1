//! A config with ten mistakes: all ten are told, and `run` refuses it in the same words.

use andon_tests::Outcome;
use andon_tests::agent::andon;
use andon_tests::scenario::Scenario;
use std::collections::BTreeSet;

/// Ten mistakes, one a line, each marked.
const TEN_MISTAKES: &str = r#"
[gateway]
id = "Gateway One"                             # mistake: not an id
site = "suzhou"
area = "press-shop"
timezone = "Asia/Shangai"                      # mistake: no such time zone
disk_budget = "64 MBytes"                      # mistake: not a size

[upstream]
brokr = "mqtt://127.0.0.1:1883"                # mistake: unknown key
broker = "mqtt://127.0.0.1:1883"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:5020"
timeout = "500"                                # mistake: no unit

[[device]]
id = "press-1"
link = "plcs"                                  # mistake: no such link
unit = 1
every = 1                                      # mistake: not a duration
tags = { status = { at = "40011", type = "u16" } } # mistake: a data sheet's number

[[device]]
id = "status"                                  # mistake: reserved
link = "plc"
unit = 300                                     # mistake: no such unit
tags = { status = { at = "holding:0", type = "u16" } }
"#;

#[test]
fn config_with_ten_mistakes() -> Outcome {
    let scenario = Scenario::new("config-is-refused")?;
    scenario.write("andon.toml", TEN_MISTAKES)?;
    let check = andon(&["check", "andon.toml"], &scenario.path(""))?;
    let run = andon(&["run", "--config", "andon.toml"], &scenario.path(""))?;
    let told = String::from_utf8(check.stderr)?;
    assert_eq!(check.status.code(), Some(2), "{told}");
    assert_eq!(run.status.code(), Some(2), "{told}");
    let refused = String::from_utf8(run.stderr)?;
    assert_eq!(told, refused, "check and run differ");

    let lines = |text: &str| -> BTreeSet<usize> {
        let places = text.match_indices("andon.toml:");
        places
            .filter_map(|(at, name)| {
                let line = text[at + name.len()..].split(':').next()?;
                line.parse().ok()
            })
            .collect()
    };
    let marked: BTreeSet<usize> = TEN_MISTAKES
        .lines()
        .zip(1..)
        .filter_map(|(line, number)| line.contains("# mistake").then_some(number))
        .collect();
    assert_eq!(marked.len(), 10);
    assert_eq!(lines(&told), marked, "{told}");
    Ok(())
}
