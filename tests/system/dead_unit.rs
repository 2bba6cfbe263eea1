//! One of five machines behind one connection does not answer.

use andon_tests::agent::Agent;
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::scenario::Scenario;
use andon_tests::{Outcome, now_ms, sleep_until};
use serde_json::json;

const DEAD: u8 = 3;
const WATCHED_MS: i64 = 30_000;

/// The others are asked as often as before: the server's own log says so.
#[test]
fn dead_unit_delays_nobody() -> Outcome {
    let scenario = Scenario::new("dead-unit")?;
    let mut presses = Presses::start(&scenario, 5)?;
    for unit in 1..=5 {
        presses.set(unit, json!({ "status": status::PRODUCING }))?;
    }
    let broker = Broker::start(&scenario)?;
    let recorder = Recorder::start(&scenario, broker.port())?;
    let config = scenario.write("andon.toml", &five_presses(&scenario, &presses, &broker))?;
    let mut agent = Agent::run(&config, &scenario.path("agent.log"))?;
    for unit in 1..=5 {
        recorder.wait_current(&format!("press-{unit}/state"), "state", "producing")?;
    }

    presses.dead(DEAD, true)?;
    recorder.wait_current("press-3/state", "state", "unknown")?;
    let from = now_ms();
    sleep_until(from + WATCHED_MS);
    agent.must_run()?;
    let asked = |polls: Vec<i64>| -> Vec<i64> {
        let within = |at: &i64| (from..from + WATCHED_MS).contains(at);
        polls.into_iter().filter(within).collect()
    };
    let dead = asked(presses.report(DEAD)?.status_polls);
    assert!(
        !dead.is_empty(),
        "a dead unit is asked again, or it stays dead"
    );
    for unit in [1, 2, 4, 5] {
        let polls = asked(presses.report(unit)?.status_polls);
        // Once a second; a quarter may fall to a machine that is busy with other tests.
        assert!(
            polls.len() as i64 >= WATCHED_MS / 1_000 * 3 / 4,
            "unit {unit} was asked {} times in {WATCHED_MS} ms",
            polls.len()
        );
        // Never twice on the dead without once on the living in between.
        for pair in dead.windows(2) {
            let between = polls.iter().any(|at| (pair[0]..=pair[1]).contains(at));
            assert!(between, "unit {unit} was passed over at {pair:?}");
        }
        let state = recorder.current(&format!("press-{unit}/state"))?;
        let state = state.unwrap_or_default();
        assert_eq!(state["state"], "producing", "unit {unit}: {state:?}");
    }

    presses.dead(DEAD, false)?;
    recorder.wait_current("press-3/state", "state", "producing")?;
    Ok(())
}

fn five_presses(scenario: &Scenario, presses: &Presses, broker: &Broker) -> String {
    let mut text = format!(
        r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = {data:?}

[upstream]
broker = "mqtt://127.0.0.1:{broker}"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:{presses}"
timeout = "500 ms"

[[profile]]
id = "press"
every = "1 s"

[profile.tags]
status = {{ at = "holding:0", type = "u16" }}
temperature = {{ at = "input:10", type = "f32", order = "abcd" }}

[profile.state]
from = "status"
producing = [2]
"#,
        data = scenario.path("data"),
        broker = broker.port(),
        presses = presses.port(),
    );
    for unit in 1..=5 {
        text += &format!(
            "\n[[device]]\nid = \"press-{unit}\"\nprofile = \"press\"\nlink = \"plc\"\nunit = {unit}\n"
        );
    }
    text
}
