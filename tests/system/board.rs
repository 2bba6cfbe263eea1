//! The I/O board at the agent: heard and lit, acknowledged by its button, counted over unplugged cables
//! and lost power; and that it sounds by itself when the agent is dead.

use andon_board::Outputs;
use andon_tests::agent::{Agent, andon};
use andon_tests::board::Board;
use andon_tests::broker::Broker;
use andon_tests::line::status;
use andon_tests::presses::Presses;
use andon_tests::recorder::Recorder;
use andon_tests::records::{Record, windows};
use andon_tests::scenario::Scenario;
use andon_tests::{Outcome, SOON, next_minute, now_ms, sleep_until, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;

const FAULT: &str = "press-1/alarm/fault";

/// A press with an alarm, a packing table that only the board knows of, and the board.
struct Bench {
    scenario: Scenario,
    presses: Presses,
    _broker: Broker,
    recorder: Recorder,
    config: PathBuf,
    board: Board,
}

impl Bench {
    fn new(name: &str) -> Outcome<Bench> {
        let scenario = Scenario::new(name)?;
        let mut presses = Presses::start(&scenario, 1)?;
        presses.set(1, json!({ "status": status::PRODUCING }))?;
        let broker = Broker::start(&scenario)?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        let board = Board::new(&scenario);
        let config = format!(
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

[[device]]
id = "press-1"
link = "plc"
every = "200 ms"
tags = {{ status = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "status", idle = [0], producing = [2], delayed = [3], faulted = ["4..99"] }}

[[device]]
id = "packer"
link = "board"
scrap = "none"

[device.tags]
runs = {{ at = "board:input3" }}
good = {{ at = "board:count0", role = "good_count" }}

[device.state]
from = "runs"
producing = [true]
idle = [false]

[[alarm]]
id = "fault"
devices = ["press-1"]
when = "state == faulted"
priority = "high"
text_en = "{{device}} stopped by a fault"
text_zh = "一号冲压机 故障停机"

# It is missing at the start of a scenario, and that is not what is to be heard.
[[alarm]]
id = "board-lost"
devices = ["gateway"]
on_delay = "1 h"

[board]
port = {port:?}
optional = true
reason1 = {{ stop = "no-material", devices = ["press-1"] }}

[horn]
through = ["board"]
"#,
            data = scenario.path("data"),
            broker = broker.port(),
            presses = presses.port(),
            port = board.port(),
        );
        let config = scenario.write("andon.toml", &config)?;
        Ok(Bench {
            scenario,
            presses,
            _broker: broker,
            recorder,
            config,
            board,
        })
    }

    fn start(&self) -> Outcome<Agent> {
        Agent::run(&self.config, &self.scenario.path("agent.log"))
    }

    fn andon(&self, arguments: &[&str]) -> Outcome<Output> {
        let config = self.config.display().to_string();
        let all = [arguments, &["--config", &config]].concat();
        andon(&all, self.scenario.path("").as_path())
    }

    /// Waits until `andon board info --json` shows what `is_it` looks for.
    fn wait_info(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Outcome<Value> {
        wait_for(what, SOON, || {
            let output = self.andon(&["board", "info", "--json"]).ok()?;
            let info: Value = serde_json::from_slice(&output.stdout).ok()?;
            is_it(&info).then_some(info)
        })
    }

    fn wait_outputs(&self, what: &str, is_it: impl Fn(Outputs) -> bool) -> Outcome {
        wait_for(what, SOON, || is_it(self.board.outputs()).then_some(()))
    }

    /// Waits until the agent has counted so many pulses of the first input.
    fn wait_count(&self, count: u64) -> Outcome {
        let seen = |info: &Value| info["up"] == true && info["counts"][0] == count;
        self.wait_info(&format!("{count} pulses"), seen)?;
        Ok(())
    }

    fn journal(&self, what: &str, kind: &str, to: &str) -> Outcome<Record> {
        let what = format!("{what} ({kind} to {to})");
        self.recorder.wait_record(&what, |record| {
            record.is_event(kind) && record.text("to") == to
        })
    }

    fn link(&self, to: &str) -> Outcome<Record> {
        let of_board = |record: &Record| record.text("what") == "board";
        self.recorder.wait_record(&format!("board {to}"), |record| {
            record.is_event("link") && of_board(record) && record.text("to") == to
        })
    }
}

#[test]
fn the_board_sounds_is_pressed_and_outlives_the_agent() -> Outcome {
    let mut bench = Bench::new("board")?;
    // It is optional: without it everything else runs, and it is told.
    let mut agent = bench.start()?;
    let missing = bench.link("down")?;
    assert!(
        missing.text("why").contains("is it plugged in"),
        "{missing}"
    );
    bench.board.plug_in()?;
    bench.link("up")?;
    bench
        .recorder
        .wait_current("press-1/state", "state", "producing")?;
    bench.wait_outputs("green lamp alone", is_calm)?;
    let info = bench.andon(&["board", "info"])?;
    let text = String::from_utf8_lossy(&info.stdout).into_owned();
    for part in ["is there 已连接", "firmware", "input3", "off 断, 0 pulses"] {
        assert!(text.contains(part), "no {part} in {text}");
    }

    said_why_it_stands(&mut bench)?;
    heard_and_lit(&mut bench)?;
    acknowledged_by_its_button(&mut bench)?;

    let tested = bench.andon(&["selftest", "--json"])?;
    let parts: Value = serde_json::from_slice(&tested.stdout)?;
    let mut parts = parts.as_array().into_iter().flatten();
    let board = parts.find(|part| part["part"] == "board");
    assert_eq!(board.map(|board| &board["result"]), Some(&"passed".into()));
    let tested = bench.andon(&["board", "test"])?;
    assert!(tested.status.success(), "{tested:?}");
    let all = |outputs: Outputs| outputs.red && outputs.yellow && outputs.green;
    bench.wait_outputs("all lamps", all)?;
    bench.wait_outputs("the end of the test", is_calm)?;

    // Killed: nobody says anything to the board any more.
    agent.must_run()?;
    agent.kill()?;
    bench.board.buzzed();
    bench.board.pass(10_000);
    let alone = bench.board.outputs();
    assert!(alone.red && !alone.yellow && !alone.green, "{alone:?}");
    bench.board.pass(90_000);
    let chirps = bench.board.buzzed();
    let far = chirps.windows(2).all(|two| two[1] - two[0] == 30_000);
    assert!(chirps.len() >= 3 && far, "not one in 30 s: {chirps:?}");

    let agent = bench.start()?;
    bench.wait_outputs("quiet after the restart", is_calm)?;
    let info = bench.wait_info("the board again", |info| info["up"] == true)?;
    assert!(info["alone_ms"].as_u64() >= Some(100_000), "{info}");
    let ended = agent.terminate()?;
    assert!(ended.success(), "{ended}");
    Ok(())
}

/// Green alone: no alarm, and an agent that lives.
const fn is_calm(outputs: Outputs) -> bool {
    outputs.green && !outputs.red && !outputs.yellow && !outputs.buzzer
}

/// A press holds until the status tells something else, and is the cause meanwhile.
fn said_why_it_stands(bench: &mut Bench) -> Outcome {
    let state = "press-1/state";
    bench.presses.set(1, json!({ "status": status::DELAYED }))?;
    bench.recorder.wait_current(state, "state", "delayed")?;
    bench.board.press(1, 200);
    let said = bench.recorder.wait_current(state, "cause", "no material")?;
    assert_eq!(
        (&said["cause_zh"], &said["state"]),
        (&json!("缺料"), &json!("delayed"))
    );
    bench
        .presses
        .set(1, json!({ "status": status::PRODUCING }))?;
    let works = bench.recorder.wait_current(state, "state", "producing")?;
    assert_eq!(works["cause"], Value::Null, "{works:?}");
    Ok(())
}

fn heard_and_lit(bench: &mut Bench) -> Outcome {
    bench.presses.set(1, json!({ "status": 7 }))?;
    bench
        .recorder
        .wait_current(FAULT, "state", "unack-active")?;
    bench.board.buzzed();
    // High priority: two a second.
    bench.board.pass(4_000);
    let pulses = bench.board.buzzed();
    assert!(
        pulses.len() >= 6 && pulses.windows(2).all(|two| two[1] - two[0] == 500),
        "{pulses:?}"
    );
    bench.wait_outputs("a red lamp that is on", |outputs| outputs.red)?;
    bench.wait_outputs("and off: it flashes", |outputs| !outputs.red)?;
    Ok(())
}

fn acknowledged_by_its_button(bench: &mut Bench) -> Outcome {
    // Once: it is silent, and still to be acknowledged.
    bench.board.press(0, 200);
    let silence = bench
        .recorder
        .wait_record("silence", |record| record.is_event("silence"))?;
    assert_eq!(silence.text("via"), "board", "{silence}");
    // Again: it is acknowledged.
    bench.board.press(0, 200);
    let ack = bench.journal("the acknowledgement", "ack", "ack-active")?;
    assert_eq!(
        (ack.text("via"), ack.text("what")),
        ("board", "press-1.fault")
    );
    let now = bench.recorder.wait_current(FAULT, "state", "ack-active")?;
    assert_eq!(now["via"], "board", "{now:?}");
    bench.wait_outputs("a steady red lamp", |outputs| {
        outputs.red && !outputs.buzzer
    })?;
    bench.board.buzzed();
    bench.board.pass(4_000);
    let buzzed = bench.board.buzzed();
    assert!(buzzed.is_empty(), "it still sounds: {buzzed:?}");

    bench
        .presses
        .set(1, json!({ "status": status::PRODUCING }))?;
    bench.wait_outputs("green lamp alone", is_calm)
}

#[test]
fn no_pulse_is_lost_or_doubled_by_a_cable_a_kill_or_a_board_without_power() -> Outcome {
    let bench = Bench::new("board-counts")?;
    bench.board.plug_in()?;
    bench.board.switch(3, true);
    let agent = bench.start()?;
    bench.wait_count(0)?;
    bench
        .recorder
        .wait_current("packer/state", "state", "producing")?;
    let (mut shown, mut counted) = (0, 0);
    let mut count = |pulses: u64| {
        bench.board.pulses(0, pulses);
        shown += pulses;
        counted += pulses;
        (shown, counted)
    };
    bench.wait_count(count(500).0)?;

    // The cable is out for a minute of the board's time.
    bench.board.pull_out()?;
    bench.wait_info("a board that is gone", |info| info["up"] == false)?;
    count(12_000);
    bench.board.plug_in()?;
    bench.wait_count(count(0).0)?;

    // The agent is dead meanwhile.
    agent.kill()?;
    count(700);
    let agent = bench.start()?;
    bench.wait_count(count(0).0)?;
    let (_, counted) = count(33);
    bench.wait_count(count(0).0)?;

    // Power is lost while nobody listens: the counts begin at zero, and are higher than before when
    // they are read again. What was made in between nobody knows.
    bench.board.pull_out()?;
    bench.wait_info("a board that is gone", |info| info["up"] == false)?;
    bench.board.lose_power();
    bench.board.pass(10);
    bench.board.pulses(0, 20_000);
    bench.board.plug_in()?;
    bench.wait_count(20_000)?;
    bench.board.pulses(0, 45);
    bench.wait_count(20_045)?;
    let counted = counted + 45;

    // The minute in which the last pulse was told ends within two.
    sleep_until(next_minute(next_minute(now_ms())) + 5_000);
    let ended = agent.terminate()?;
    assert!(ended.success(), "{ended}");
    let records = bench.recorder.records()?;
    let minutes = windows(&records, "packer", "1m")?;
    let good: i64 = minutes
        .iter()
        .filter_map(|minute| minute.int("good").ok())
        .sum();
    assert_eq!(u64::try_from(good), Ok(counted), "{minutes:?}");
    let uncounted = |minute: &Record| minute.int("uncounted_ms").is_ok_and(|ms| ms > 0);
    assert!(minutes.iter().any(uncounted), "{minutes:?}");
    Ok(())
}
