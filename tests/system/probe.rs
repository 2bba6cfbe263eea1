//! `andon probe` and `andon scan` in front of devices that nobody has documentation for.

use andon_tests::agent::{Agent, andon};
use andon_tests::scenario::Scenario;
use andon_tests::unknown::Unknown;
use andon_tests::{Outcome, SOON, wait_for};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::File;

/// Status, 60.8, 242.43 and 12.5 with the low word first, a counter, -5, a text; nothing beyond.
fn press() -> Value {
    json!({
        "holding": { "0": [2, 0, 0x3333, 0x4273, 0x6E14, 0x4372, 0, 0x4148, 65_530, 0xFFFB],
                     "12": [0x5052, 0x4553, 0x532D, 0x3137] },
        "coil": { "0": [1, 0, 0, 1] },
        "moves": { "holding:8": 3 },
    })
}

/// Runs a command that must end well and answer JSON.
fn told(scenario: &Scenario, arguments: &[&str]) -> Outcome<Value> {
    let output = andon(&[arguments, &["--json"]].concat(), &scenario.path(""))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    // Nothing but the object: progress belongs on a terminal.
    assert_eq!(errors, "");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs a command that must fail so, and gives what it says.
fn failed(scenario: &Scenario, arguments: &[&str], code: i32) -> Outcome<String> {
    let output = andon(arguments, &scenario.path(""))?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    Ok(said)
}

/// A configuration around what was to be pasted must be a good one.
fn must_load(scenario: &Scenario, toml: &Value) -> Outcome {
    let around = "[gateway]\nid = \"gw\"\nsite = \"s\"\narea = \"a\"\n\n\
                  [upstream]\nbroker = \"mqtt://127.0.0.1\"\n\n";
    let toml = toml.as_str().unwrap_or_default();
    scenario.write("pasted.toml", &format!("{around}{toml}"))?;
    let output = andon(&["check", "pasted.toml"], &scenario.path(""))?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(0), "{errors}\n{toml}");
    Ok(())
}

/// Nothing but reads has arrived.
fn only_reads(device: &Unknown) -> Outcome {
    let asked = device.asked()?;
    assert!(asked.len() > 10, "{} requests", asked.len());
    assert_eq!(
        asked
            .iter()
            .find(|(_, function)| !(1..=4).contains(function)),
        None
    );
    Ok(())
}

fn ids(scan: &Value) -> Vec<u64> {
    let units = scan["units"].as_array().into_iter().flatten();
    units.filter_map(|unit| unit["unit"].as_u64()).collect()
}

#[test]
fn a_device_tells_what_it_has() -> Outcome {
    let scenario = Scenario::new("probe")?;
    let device = Unknown::on_network(&scenario, &json!({ "7": press() }))?;
    let at = ["--at", "holding:0..20", "--at", "coil:0..3"];
    let probe = [&["probe", device.place(), "--unit", "7"][..], &at].concat();
    let told = told(&scenario, &probe)?;

    assert_eq!(told["order"], "cdab");
    let missing = &told["missing"];
    assert_eq!(missing[0]["at"], "holding:10..11");
    assert_eq!(missing[1]["at"], "holding:16..20");
    let decoded = |at: &str, kind: &str, order: Value| {
        let mut all = told["decodings"].as_array().into_iter().flatten();
        all.find(|one| one["at"] == at && one["type"] == kind && one["order"] == order)
            .map_or(Value::Null, |one| json!([one["value"], one["best"]]))
    };
    let near = |value: &Value, to: f64| (value[0].as_f64().unwrap_or(0.0) - to).abs() < 1e-4;
    let volts = decoded("holding:4", "f32", "cdab".into());
    assert!(near(&volts, 242.43) && volts[1] == true, "{volts}");
    assert_eq!(decoded("holding:4", "f32", "abcd".into())[1], false);
    assert_eq!(decoded("holding:9", "i16", Value::Null), json!([-5, true]));
    assert_eq!(told["between_requests_ms"], 0);
    assert_eq!(told["after_connect_ms"], 0);
    must_load(&scenario, &told["toml"])?;

    // The same for people, on no more than a hundred columns.
    let output = andon(&probe, &scenario.path(""))?;
    let text = String::from_utf8(output.stdout)?;
    let widest = text.lines().map(str::len).max();
    assert!(widest.is_some_and(|widest| widest <= 100), "{text}");
    for part in [
        "byte order: cdab",
        "\"PRESS-17\"",
        "exception 2: there is no such address",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    only_reads(&device)
}

#[test]
fn a_device_with_manners_is_treated_so() -> Outcome {
    let scenario = Scenario::new("probe-manners")?;
    let mut press = press();
    press["most"] = 4.into();
    press["pause_ms"] = 60.into();
    press["after_connect_ms"] = 300.into();
    let device = Unknown::on_network(&scenario, &json!({ "1": press }))?;
    let probe = [
        "probe",
        device.place(),
        "--unit",
        "1",
        "--at",
        "holding:0..9",
        "--timeout",
        "1 s",
    ];
    let told = told(&scenario, &probe)?;
    // On a slow machine requests come later by themselves, never sooner.
    let at_least = |key: &str, least| told[key].as_u64().is_some_and(|ms| ms >= least);
    assert!(at_least("between_requests_ms", 20), "{told}");
    assert!(at_least("after_connect_ms", 250), "{told}");
    assert_eq!(told["max_registers"], 4);
    let values = told["registers"][0]["readings"][0].as_array().map(Vec::len);
    assert_eq!(values, Some(10), "{told}");
    must_load(&scenario, &told["toml"])
}

#[test]
fn exactly_the_units_that_exist_are_found() -> Outcome {
    let scenario = Scenario::new("scan")?;
    let units = json!({ "2": press(), "17": press(), "31": { "input": { "5": [1] } } });
    let device = Unknown::on_network(&scenario, &units)?;
    let scan = [
        "scan",
        device.place(),
        "--units",
        "1..33",
        "--timeout",
        "300 ms",
    ];
    let told = told(&scenario, &scan)?;
    assert_eq!(ids(&told), [2, 17, 31]);
    assert_eq!(told["units"][0]["holding"]["value"], 2);
    assert_eq!(told["units"][2]["holding"]["exception"], 2);
    must_load(&scenario, &told["toml"])?;
    only_reads(&device)
}

#[test]
fn a_serial_line_is_found_with_its_settings() -> Outcome {
    let scenario = Scenario::new("scan-line")?;
    let units = json!({ "3": press(), "5": press() });
    let device = Unknown::on_line(&scenario, &units, "9600,E,1")?;
    let scan = told(&scenario, &["scan", device.place(), "--units", "1..6"])?;
    assert_eq!(ids(&scan), [3, 5]);
    let unit = &scan["units"][1];
    assert_eq!([&unit["baud"], &unit["stop_bits"]], [9600, 1]);
    assert_eq!(unit["parity"], "even");
    must_load(&scenario, &scan["toml"])?;

    let line = ["--baud", "9600", "--parity", "even", "--stop-bits", "1"];
    let probe = [
        &[
            "probe",
            device.place(),
            "--unit",
            "5",
            "--at",
            "holding:0..9",
        ][..],
        &line,
    ]
    .concat();
    let probe = told(&scenario, &probe)?;
    assert_eq!(probe["order"], "cdab");
    assert_eq!(probe["after_connect_ms"], Value::Null);
    must_load(&scenario, &probe["toml"])?;
    only_reads(&device)?;

    // Whoever else has the port is not disturbed.
    let port = File::open(device.place())?;
    port.lock()?;
    let probe = ["probe", device.place(), "--unit", "5", "--at", "holding:0"];
    let said = failed(&scenario, &probe, 1)?;
    assert!(said.contains("fuser -v"), "{said}");
    Ok(())
}

#[test]
fn the_running_agent_is_asked_and_goes_on_polling() -> Outcome {
    let scenario = Scenario::new("probe-agent")?;
    let units = json!({ "1": press(), "9": press() });
    let device = Unknown::on_network(&scenario, &units)?;
    let mut config = format!(
        "[gateway]\nid = \"gw\"\nsite = \"s\"\narea = \"a\"\ndata_dir = \"data\"\n\n\
         [upstream]\nbroker = \"mqtt://127.0.0.1:1\"\n\n\
         [[link]]\nid = \"plc\"\nmodbus_tcp = \"{}\"\n\n",
        device.place()
    );
    let _ = write!(
        config,
        "[[device]]\nid = \"press\"\nlink = \"plc\"\nunit = 1\nevery = \"100 ms\"\n\
         tags = {{ inputs = {{ at = \"coil:0\", type = \"bool\" }} }}\n"
    );
    let config = scenario.write("andon.toml", &config)?;
    let mut agent = Agent::run(&config, &scenario.path("agent.log"))?;
    wait_for("control socket", SOON, || {
        scenario.path("data/control.sock").exists().then_some(())
    })?;
    wait_for("poll", SOON, || {
        device.asked().ok().filter(|asked| !asked.is_empty())
    })?;

    // By its id and by its address, one connection is all there is.
    for link in ["plc", device.place()] {
        let probe = told(
            &scenario,
            &["probe", link, "--unit", "9", "--at", "holding:0..9"],
        )?;
        assert_eq!(probe["through_agent"], true);
        assert_eq!(probe["order"], "cdab");
        assert_eq!(probe["between_requests_ms"], Value::Null);
    }
    assert_eq!(device.connections()?, 1);
    agent.must_run()?;
    let polls = |asked: &[(u8, u8)]| asked.iter().filter(|asked| **asked == (1, 1)).count();
    let before = polls(&device.asked()?);
    wait_for("poll after the probe", SOON, || {
        let asked = device.asked().ok()?;
        (polls(&asked) > before + 2).then_some(())
    })?;
    only_reads(&device)?;

    let scan = told(&scenario, &["scan", "plc", "--units", "8..9"])?;
    assert_eq!(ids(&scan), [9]);
    let said = failed(
        &scenario,
        &[
            "probe",
            "plc",
            "--unit",
            "8",
            "--at",
            "holding:0",
            "--timeout",
            "200 ms",
        ],
        1,
    )?;
    assert!(
        said.contains("unit 8") && said.contains("andon scan"),
        "{said}"
    );
    assert!(agent.terminate()?.success());

    // Now that it does not run, the device is asked directly.
    let probe = told(
        &scenario,
        &["probe", "plc", "--unit", "9", "--at", "holding:0..9"],
    )?;
    assert_eq!(probe["through_agent"], false);
    Ok(())
}

#[test]
fn what_is_behind_a_converter_is_found_and_probed() -> Outcome {
    let scenario = Scenario::new("probe-converter")?;
    let units = json!({ "3": press(), "5": press() });
    let device = Unknown::behind_converter(&scenario, &units)?;
    let converter = format!("rtu-tcp://{}", device.place());
    let scan = told(&scenario, &["scan", &converter, "--units", "1..6"])?;
    assert_eq!(ids(&scan), [3, 5]);
    must_load(&scenario, &scan["toml"])?;
    // The command that it proposes is one that works.
    let toml = scan["toml"].as_str().unwrap_or_default();
    let proposed = toml.split_once("andon probe ").map(|(_, rest)| rest);
    let link = proposed.and_then(|rest| rest.split(' ').next());
    assert_eq!(link, Some(&*converter), "{toml}");
    let probe = ["probe", &converter, "--unit", "5", "--at", "holding:0..9"];
    let probe = told(&scenario, &probe)?;
    assert_eq!(probe["order"], "cdab");
    must_load(&scenario, &probe["toml"])?;
    only_reads(&device)?;

    // Who takes it for Modbus TCP, and who asks for a unit that is not there, is told so.
    let short = ["--at", "holding:0", "--timeout", "200 ms"];
    let taken = ["probe", device.place(), "--unit", "5"];
    let said = failed(&scenario, &[&taken[..], &short].concat(), 1)?;
    assert!(said.contains(&converter), "{said}");
    let absent = ["probe", &converter, "--unit", "9"];
    let said = failed(&scenario, &[&absent[..], &short].concat(), 1)?;
    assert!(
        said.contains(&format!("andon scan {converter}")) && !said.contains("a converter"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_serial_line_is_asked_through_the_running_agent() -> Outcome {
    let scenario = Scenario::new("probe-line-agent")?;
    let units = json!({ "3": press(), "5": press() });
    let device = Unknown::on_line(&scenario, &units, "9600,E,1")?;
    let config = format!(
        "[gateway]\nid = \"gw\"\nsite = \"s\"\narea = \"a\"\ndata_dir = \"data\"\n\n\
         [upstream]\nbroker = \"mqtt://127.0.0.1:1\"\n\n\
         [[link]]\nid = \"bus\"\nmodbus_rtu = \"{}\"\nbaud = 9600\n\n\
         [[device]]\nid = \"press\"\nlink = \"bus\"\nunit = 3\nevery = \"200 ms\"\n\
         tags = {{ inputs = {{ at = \"coil:0\", type = \"bool\" }} }}\n",
        device.place()
    );
    let config = scenario.write("andon.toml", &config)?;
    let mut agent = Agent::run(&config, &scenario.path("agent.log"))?;
    let polls = || {
        Some(
            device
                .asked()
                .ok()?
                .iter()
                .filter(|it| **it == (3, 1))
                .count(),
        )
    };
    wait_for("polls", SOON, || polls().filter(|polls| *polls > 1))?;

    let probe = ["probe", "bus", "--unit", "5", "--at", "holding:0..9"];
    let probe = told(&scenario, &probe)?;
    assert_eq!(probe["through_agent"], true);
    assert_eq!(probe["order"], "cdab");
    let scan = told(&scenario, &["scan", "bus", "--units", "2..6"])?;
    assert_eq!(ids(&scan), [3, 5]);
    let before = polls().unwrap_or(0);
    wait_for("poll after the scan", SOON, || {
        polls().filter(|polls| *polls > before + 1)
    })?;
    agent.must_run()?;
    only_reads(&device)?;
    assert!(agent.terminate()?.success());
    Ok(())
}

#[test]
fn whoever_is_wrong_is_told_what_to_do() -> Outcome {
    let scenario = Scenario::new("probe-errors")?;
    let device = Unknown::on_network(&scenario, &json!({ "1": press() }))?;
    let nobody = format!("127.0.0.1:{}", andon_tests::scenario::free_port()?);
    let place = device.place();
    for (arguments, code, part) in [
        (
            &["probe", &nobody, "--unit", "1", "--at", "holding:0"][..],
            1,
            "nothing listens at",
        ),
        (
            &[
                "probe",
                place,
                "--unit",
                "4",
                "--at",
                "holding:0",
                "--timeout",
                "200 ms",
            ],
            1,
            "andon scan",
        ),
        (
            &["probe", "plc", "--unit", "1", "--at", "holding:0"],
            2,
            "--config",
        ),
        (
            &["probe", place, "--unit", "1", "--at", "40011"],
            2,
            "holding:10",
        ),
        (&["probe", place, "--unit", "1"], 2, "--at"),
        (
            &[
                "probe",
                "/dev/no-such-port",
                "--unit",
                "1",
                "--at",
                "holding:0",
            ],
            1,
            "/dev/serial/by-id",
        ),
        (&["scan", &nobody], 1, "nothing listens at"),
        (&["scan", "/dev/no-such-port"], 1, "/dev/serial/by-id"),
        (&["scan", place, "--units", "9..1"], 2, "1..32"),
    ] {
        let said = failed(&scenario, arguments, code)?;
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    Ok(())
}
