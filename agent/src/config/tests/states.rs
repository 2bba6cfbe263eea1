//! States that no status value tells, and rates that follow a tag.

use super::*;
use crate::config::report::Entry;
use andon_core::plant::{Derived, Model, Moving, Otherwise, Rates};
use andon_core::sample::Value;
use andon_core::tag::TagIndex;

/// A device with these tags, by their place: `run`, `speed`, `good`, `mode`, `status`.
fn machine(keys: &str) -> String {
    let tags = r#"tags = { run = { at = "coil:0", type = "bool" }, \
        speed = { at = "holding:1", type = "f32", every = "4 s" }, \
        good = { at = "holding:3", type = "u32", role = "good_count", parts = 4 }, \
        mode = { at = "holding:5", type = "string", length = 8 }, \
        status = { at = "holding:9", type = "i16" } }"#
        .replace("\\\n        ", "");
    let status = r#"tags = { status = { at = "holding:0", type = "u16" } }"#;
    LEAST.replace(status, &format!("{tags}\n{keys}"))
}

fn loaded(keys: &str) -> Loaded {
    load_text(&machine(keys)).unwrap_or_else(|report| panic!("{report}"))
}

fn model(keys: &str) -> Arc<Model> {
    let loaded = loaded(keys);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    loaded.settings.plant.devices[0].model.clone()
}

fn derived(keys: &str) -> Derived {
    match model(keys).state.clone() {
        Some(States::Derived(derived)) => derived,
        other => panic!("not derived: {other:?}"),
    }
}

#[test]
fn bits_stand_among_the_values_of_a_status() {
    let model = model(
        "state = { from = \"status\", faulted = [\"bit 15\", \"90..99\"], producing = [\"not bit 0\"], idle = [7] }",
    );
    let Some(States::Status(map)) = &model.state else {
        panic!("told by a status");
    };
    assert_eq!(
        map.rules,
        [
            (Match::Bit(15, true), State::Faulted),
            (Match::Range(90, 99), State::Faulted),
            (Match::Bit(0, false), State::Producing),
            (Match::Range(7, 7), State::Idle),
        ]
    );
    let state = |value: i64| {
        let mut rules = map.rules.iter();
        let found = rules.find(|(rule, _)| rule.matches(&Value::Int(value)));
        found.map(|(_, state)| *state)
    };
    // The sign of an i16 is its bit 15.
    assert_eq!(state(-2), Some(State::Faulted));
    assert_eq!(state(91), Some(State::Faulted));
    assert_eq!(state(6), Some(State::Producing));
    assert_eq!((state(7), state(9)), (Some(State::Idle), None));
}

#[test]
fn conditions_are_in_the_order_of_the_file() {
    let derived = derived(
        "[device.state]\nfaulted = \"status bit 3 or mode == 'trip'\"\nproducing = \"run and speed > 5\"\nidle = \"else\"",
    );
    let states: Vec<State> = derived.rules.iter().map(|(_, state)| *state).collect();
    assert_eq!(states, [State::Faulted, State::Producing]);
    assert_eq!(derived.otherwise, Otherwise::State(State::Idle));
    assert_eq!(derived.tags, [4, 3, 0, 1].map(TagIndex));
}

#[test]
fn a_state_is_stale_by_the_slowest_tag_that_tells_it() {
    let stale_after = |keys: &str| loaded(keys).settings.plant.devices[0].stale_after_ms;
    assert_eq!(stale_after("state = { producing = \"run\" }"), 3000);
    assert_eq!(stale_after("state = { producing = \"speed > 1\" }"), 12_000);
}

#[test]
fn a_counter_tells_the_state_after_conditions() {
    let derived = derived(
        "state = { faulted = \"mode == 'trip'\", counter = \"good\", idle_after = \"90 s\", stopped = \"delayed\" }",
    );
    assert_eq!(derived.rules.len(), 1);
    assert_eq!(
        derived.otherwise,
        Otherwise::Moving(Moving {
            tag: TagIndex(2),
            idle_after_ms: 90_000,
            stopped: State::Delayed,
        })
    );
    assert_eq!(derived.tags, [3, 2].map(TagIndex));
}

#[test]
fn what_never_decides_is_a_warning() {
    let warned = |keys: &str| {
        let warnings = loaded(keys).warnings;
        let told: Vec<String> = warnings
            .entries()
            .map(|entry| entry.message.into())
            .collect();
        told.join("\n")
    };
    let status = |values: &str| warned(&format!("state = {{ from = \"status\", {values} }}"));
    let already = |state: &str| format!("this never matches: the value is already `{state}`");
    assert_eq!(
        status("faulted = [\"bit 0\"], idle = [3]"),
        already("faulted")
    );
    assert_eq!(
        status("faulted = [\"bit 0\"], idle = [\"bit 0\"]"),
        already("faulted")
    );
    assert_eq!(
        status("faulted = [1], setup = [2], idle = [\"1..2\"]"),
        already("faulted")
    );
    let both = "setup = [\"bit 0\"], idle = [\"not bit 0\"], faulted = [\"-32768..32767\"]";
    assert_eq!(status(both), already("setup"));
    assert_eq!(status("faulted = [\"bit 0\"], idle = [2]"), "");
    assert_eq!(
        status("faulted = [\"bit 0\"], idle = [\"2..3\", \"not bit 0\"]"),
        ""
    );
    assert_eq!(
        warned("state = { faulted = \"run\", producing = \"speed > 1\", idle = \"run\" }"),
        "this never decides: it is already `faulted`"
    );
    let slow = "state = { counter = \"good\", idle_after = \"60 s\" }";
    assert_eq!(warned(&format!("{slow}\nrated_rate = \"240/h\"")), "");
    assert_eq!(
        warned(&format!("{slow}\nrated_rate = \"120/h\"")),
        "at its rated rate the machine takes 2 min for a count: it would stand in between"
    );
    // Products differ: the slowest counts.
    let rates = "rated_rate = { by = \"mode\", map = { A = \"1200/h\" }, else = \"120/h\" }";
    assert!(warned(&format!("{slow}\n{rates}")).contains("2 min"));
    // Without a rate for the time before the first product, and for other products.
    let some = "rated_rate = { by = \"mode\", map = { A = \"1200/h\" } }";
    assert!(warned(some).contains("until the first product is read"));
    let all = "rated_rate = { by = \"mode\", map = { A = \"1200/h\" }, else = \"60/h\" }";
    assert_eq!(warned(all), "");
}

#[test]
fn a_rate_follows_a_tag() {
    let rates = |keys: &str| {
        let plant = loaded(keys).settings.plant;
        let device = &plant.devices[0];
        (device.rated_rate, device.model.rates.clone())
    };
    let text = |text: &str| Value::Text(text.try_into().expect("short"));
    assert_eq!(
        rates(
            "rated_rate = { by = \"mode\", map = { A = \"1200/h\", \"B 2\" = \"0.5/s\" }, else = \"10/min\" }"
        ),
        (
            None,
            Some(Rates {
                by: TagIndex(3),
                map: vec![(text("A"), 1_200_000), (text("B 2"), 1_800_000)],
                otherwise: Some(600_000),
            })
        )
    );
    let (_, by_number) =
        rates("rated_rate = { by = \"status\", map = { -1 = \"1/h\", 17 = \"2/h\" } }");
    let by_number = by_number.expect("by number");
    assert_eq!(by_number.of(Some(&Value::Int(17))), Some(2000));
    assert_eq!(by_number.of(Some(&Value::Int(-1))), Some(1000));
    assert_eq!(by_number.of(Some(&Value::Int(1))), None);
    assert_eq!(by_number.of(None), None);
}

#[test]
fn a_rate_of_a_device_replaces_that_of_its_profile() {
    let profile = |rate: &str| {
        format!(
            "[[profile]]\nid = \"p\"\nrated_rate = {rate}\ntags = {{ recipe = {{ at = \"holding:7\", type = \"u16\" }} }}\n"
        )
    };
    let by = |rate: &str| format!("{{ by = \"recipe\", map = {{ 1 = \"{rate}\" }} }}");
    let rate = |of_profile: &str, of_device: &str| {
        let of_device = match of_device {
            "" => String::new(),
            rate => format!("rated_rate = {rate}\n"),
        };
        let text = LEAST.replace(
            "[[device]]\n",
            &format!(
                "{}[[device]]\nprofile = \"p\"\n{of_device}",
                profile(of_profile)
            ),
        );
        let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
        loaded.settings.plant.devices[0].rate_of(Some(&Value::Int(1)))
    };
    assert_eq!(rate(&by("10/h"), ""), Some(10_000));
    assert_eq!(rate(&by("10/h"), "\"20/h\""), Some(20_000));
    assert_eq!(rate(&by("10/h"), &by("20/h")), Some(20_000));
    assert_eq!(rate("\"10/h\"", &by("20/h")), Some(20_000));
    assert_eq!(rate("\"10/h\"", ""), Some(10_000));
}

/// Every text of a section that stands for many may have placeholders.
#[test]
fn conditions_and_rates_are_written_for_many() {
    let text = machine(
        "state = { producing = \"speed > {n}\", counter = \"good\", idle_after = \"{n} min\" }\nrated_rate = { by = \"status\", map = { 1 = \"{n}/h\" } }",
    );
    let text = text.replace("id = \"saw\"\n", "id = \"saw-{n}\"\neach = \"5..6\"\n");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    for (device, n) in loaded.settings.plant.devices.iter().zip(5..) {
        let Some(States::Derived(derived)) = &device.model.state else {
            panic!("derived");
        };
        assert_eq!(derived.rules[0].0.limit(), Some(n as f64));
        let Otherwise::Moving(moving) = derived.otherwise else {
            panic!("told by a counter");
        };
        assert_eq!(moving.idle_after_ms, n * 60_000);
        assert_eq!(device.rate_of(Some(&Value::Int(1))), Some(n * 1000));
    }
}

/// What is wrong with these keys of a device, with the hints.
fn mistakes(keys: &str) -> Vec<String> {
    let report = load_text(&machine(keys)).expect_err("a mistake");
    let entry = |entry: Entry<'_>| format!("{}; {}", entry.message, entry.hint.unwrap_or(""));
    report.entries().map(entry).collect()
}

#[test]
fn a_wrong_value_of_a_status_is_one_mistake_with_a_hint() {
    let hint = "write the numbers that it reads, before any scale: [2] or \"4..99\"";
    for (value, what) in [
        ("\"1.5..2.5\"", "`status` has whole numbers only"),
        ("\"1.5\"", "`status` has whole numbers only"),
        ("1.5", "a status has whole numbers only"),
    ] {
        let keys = format!("state = {{ from = \"status\", producing = [{value}] }}");
        assert_eq!(mistakes(&keys), [format!("{what}; {hint}")]);
    }
    let told = mistakes("state = { from = \"status\", producing = [\"run\"] }");
    assert!(told[0].starts_with("`status` is a number; "), "{told:?}");
    let none = mistakes("state = { from = \"status\", producing = [] }");
    assert!(
        none[0].starts_with("this maps no value to a state"),
        "{none:?}"
    );
}

#[test]
fn a_name_that_nobody_knows_does_not_hide_what_is_wrong_behind_it() {
    let told = mistakes("state = { producing = \"(sped > 5 and run\" }");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("expected `)`"), "{told:?}");
    let told = mistakes("state = { producing = \"(sped > 5) and run\" }");
    assert_eq!(told, ["there is no tag `sped`; did you mean `speed`?"]);
}
