//! The press line as an edge node of Sparkplug, before a primary host that nobody here wrote the
//! protocol of: it goes away and comes back, the agent is killed, and every part is told once.

use andon_tests::line::Line;
use andon_tests::script::Script;
use andon_tests::{Failure, Outcome, SOON, next_minute, now_ms, sleep_until, wait_for};
use serde_json::Value;
use std::fs;

const GROUP: &str = "suzhou:press-shop";
const HOST: &str = "scada-1";

fn until(host: &mut Script, what: &str, holds: impl Fn(&Value) -> bool) -> Outcome<Value> {
    let seen = wait_for(what, SOON, || host.report().ok().filter(&holds));
    match seen {
        Ok(report) => Ok(report),
        Err(error) => Err(Failure::new(format!("{error:?}: {}", host.report()?))),
    }
}

fn count(report: &Value, of: &str) -> u64 {
    match &report[of] {
        Value::Array(all) => all.len() as u64,
        number => number.as_u64().unwrap_or(0),
    }
}

fn both_produce(report: &Value) -> bool {
    let states = &report["states"];
    states["press-1"] == "producing" && states["press-2"] == "producing"
}

#[test]
fn every_part_reaches_a_primary_host_that_comes_and_goes() -> Outcome {
    let mut line = Line::around_the_clock("sparkplug")?;
    let config = line.scenario.path("andon.toml");
    let text = fs::read_to_string(&config)?;
    let sparkplug = format!("payload = \"sparkplug\"\nprimary_host = \"{HOST}\"\n#");
    fs::write(&config, text.replace("payload = \"json\"", &sparkplug))?;
    let port = line.broker.port().to_string();
    let mut host = Script::start(&line.scenario, "sparkplug_host.py", &[&port, GROUP, HOST])?;

    let agent = line.start_agent()?;
    wait_for("the agent to wait for its host", SOON, || {
        let log = line.log().ok()?;
        log.contains("waiting for the primary host").then_some(())
    })?;
    assert_eq!(
        count(&host.report()?, "messages"),
        0,
        "nobody to be born for"
    );
    host.be("online", 1)?;
    until(&mut host, "births", both_produce)?;
    line.work()?;
    until(&mut host, "a live minute", |report| {
        report["made"]["press-1"]["good"].as_i64() > Some(0)
    })?;

    host.be("offline", 1)?;
    until(&mut host, "death", |report| {
        report["deaths"] == serde_json::json!([0])
    })?;
    let before = host.report()?;
    sleep_until(next_minute(now_ms()) + 3_000);
    let meanwhile = host.report()?;
    assert_eq!(before["messages"], meanwhile["messages"], "nobody is there");
    host.be("online", 1)?;
    until(&mut host, "what was made meanwhile", |report| {
        count(report, "births") == 2 && count(report, "historical") > count(&before, "historical")
    })?;

    agent.kill()?;
    let agent = line.start_agent()?;
    until(
        &mut host,
        "a death by the last will, and births",
        |report| {
            report["deaths"] == serde_json::json!([0, 1])
                && report["births"] == serde_json::json!([0, 1, 2])
                && both_produce(report)
        },
    )?;
    host.be("rebirth", 1)?;
    until(
        &mut host,
        "births again, of the same connection",
        |report| report["births"] == serde_json::json!([0, 1, 2, 2]),
    )?;

    let made = line.rest()?;
    sleep_until(next_minute(now_ms()));
    let all_told = |report: &Value| {
        made.iter().all(|(device, made)| {
            let told = &report["made"][*device];
            told["good"] == made.good && told["scrap"] == made.scrap
        })
    };
    until(&mut host, "every part once", all_told)?;
    let ended = agent.terminate()?;
    assert!(ended.success(), "{ended}");
    let report = until(&mut host, "a death of its own", |report| {
        report["deaths"] == serde_json::json!([0, 1, 2])
    })?;
    assert_eq!(report["faults"], serde_json::json!([]));
    assert_eq!(report["missing"], serde_json::json!([]));
    assert!(all_told(&report), "{report}");
    Ok(())
}
