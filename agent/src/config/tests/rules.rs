//! What the conditions of alarms come to, and which of them will do nobody any good.

use super::*;
use crate::plan;
use andon_core::kpi::{Key, Measure};
use andon_core::rule::{Per, Rule};
use andon_core::sample::Value;

/// A machine with counters, without, and without a state; and one alarm of the first.
fn plant_with(alarm: &str) -> String {
    format!(
        r#"
[gateway]
id = "gw-1"
site = "here"
area = "hall"
[upstream]
broker = "mqtts://broker.example"
[[link]]
id = "plc"
modbus_tcp = "10.0.0.5"
[[profile]]
id = "machine"
every = "2 s"
rated_rate = "60/h"
[profile.tags]
status = {{ at = "holding:0", type = "u16" }}
made = {{ at = "holding:1", type = "u16", role = "total_count" }}
heat = {{ at = "input:0", type = "f32", unit = "°C", range = [-20, 180] }}
level = {{ at = "input:2", type = "i16" }}
slow = {{ at = "input:3", type = "i16", every = "10 min" }}
[profile.state]
from = "status"
producing = [2]
faulted = [3]
[[device]]
id = "saw"
profile = "machine"
link = "plc"
unit = 1
[[device]]
id = "fan"
link = "plc"
unit = 2
tags = {{ run = {{ at = "discrete:0", type = "bool" }}, rpm = {{ at = "holding:0", type = "u16" }} }}
state = {{ from = "rpm", idle = [0], producing = ["1..65535"] }}
[[device]]
id = "meter"
link = "plc"
unit = 3
tags = {{ power = {{ at = "input:0", type = "f32" }} }}
[[alarm]]
id = "x"
devices = ["saw"]
{alarm}
"#
    )
}

fn loaded(alarm: &str) -> Loaded {
    load_text(&plant_with(alarm)).unwrap_or_else(|report| panic!("{alarm}\n{report}"))
}

fn warnings(alarm: &str) -> Vec<(String, String)> {
    let loaded = loaded(alarm);
    let entries = loaded.warnings.entries();
    let told = |entry: Entry<'_>| {
        let hint = entry.hint.map(str::to_owned);
        (entry.message.to_owned(), hint.unwrap_or_default())
    };
    entries.map(told).collect()
}

#[test]
fn a_figure_is_taken_over_its_time_of_its_device() {
    let alarm = "when = \"fan.availability_high < 0.5 or faulted_ms > 6e5\"\nover = \"90 min\"\ndeadband = 0.02";
    let plant = loaded(alarm).settings.plant;
    let mut leaves = vec![];
    plant.alarms[0].when.for_each_leaf(&mut |leaf| match leaf {
        Rule::Figure {
            device,
            measure,
            over_ms,
            ..
        } => leaves.push((device.0, *measure, *over_ms)),
        other => panic!("{other:?}"),
    });
    assert_eq!(leaves[0], (1, Measure::High(Key::Availability), 5_400_000));
    assert_eq!(leaves[1].0, 0);
    assert_eq!(plant.reach_of_minutes(), 5_400_000);
}

#[test]
fn a_rate_of_change_and_the_silence_of_a_tag_are_conditions() {
    let alarm = "when = \"rate_per_min(heat, '5 min') > 2 or no_data(level)\"\ndeadband = 0.5";
    let plant = loaded(alarm).settings.plant;
    let Rule::Or(rate, silence) = &plant.alarms[0].when else {
        panic!("{:?}", plant.alarms[0].when);
    };
    assert!(matches!(
        **rate,
        Rule::Rate {
            window_ms: 300_000,
            per: Per::Minute,
            ..
        }
    ));
    assert!(matches!(**silence, Rule::TagNoData(..)));
}

#[test]
fn a_group_may_be_one_of_each_device_or_of_several() {
    let each = "when = \"state == faulted\"\ngroup = \"{device}-trip\"";
    let plant = loaded(each).settings.plant;
    assert_eq!(plant.alarms[0].group.as_deref(), Some("saw-trip"));
    let one = loaded("when = \"state == faulted\"\ngroup = \"line A\"");
    assert_eq!(
        one.settings.plant.alarms[0].group.as_deref(),
        Some("line A")
    );
}

#[test]
fn a_text_names_value_and_limit() {
    let alarm = "when = \"heat > 120.5\"\ndeadband = 1\n\
                 text_en = \"{device}: {value} °C over {limit}\"\ntext_zh = \"{name} {value} 限值{limit}\"";
    let plant = loaded(alarm).settings.plant;
    let alarm = &plant.alarms[0];
    let of = |value: f64| alarm.text_en(Some(&Value::Float(value))).into_owned();
    assert_eq!(of(130.0), "saw: 130 °C over 120.5");
    assert_eq!(of(130.123_456), "saw: 130.123 °C over 120.5");
    assert_eq!(of(-0.0001), "saw: 0 °C over 120.5");
    assert_eq!(alarm.text_zh(Some(&Value::Int(7))), "saw 7 限值120.5");
    assert_eq!(alarm.text_en(None), "saw: - °C over 120.5");
}

#[test]
fn what_will_chatter_is_told() {
    for (alarm, what, hint) in [
        ("when = \"level > 20\"", "with each reading", "`deadband`"),
        (
            "when = \"rate_per_min(level, '5 min') > 20\"",
            "with each reading",
            "unit of the rate",
        ),
        (
            "when = \"availability < 0.5\"\nover = \"1 h\"",
            "with each minute",
            "0.02 for a ratio",
        ),
    ] {
        let told = warnings(alarm);
        assert_eq!(told.len(), 1, "{alarm}: {told:?}");
        assert!(
            told[0].0.contains(what) && told[0].1.contains(hint),
            "{told:?}"
        );
        for calm in ["deadband = 0.1", "off_delay = \"5 s\""] {
            assert_eq!(warnings(&format!("{alarm}\n{calm}")), [], "{alarm} {calm}");
        }
    }
    for calm in ["when = \"state == faulted\"", "when = \"level == 3\""] {
        assert_eq!(warnings(calm), [], "{calm}");
    }
}

#[test]
fn a_delay_of_more_than_half_of_the_time_a_person_has_is_told() {
    for (priority, most, more) in [
        ("high", "90 s", "91 s"),
        ("medium", "5 min", "301 s"),
        ("low", "15 min", "16 min"),
    ] {
        let alarm = |delay: &str| {
            let keys = format!("on_delay = \"{delay}\"\npriority = \"{priority}\"");
            warnings(&format!("when = \"state == faulted\"\n{keys}"))
        };
        assert_eq!(alarm(most), [], "{priority}");
        let told = alarm(more);
        assert!(told[0].0.contains("needs somebody within"), "{told:?}");
    }
}

#[test]
fn what_never_or_always_holds_or_is_never_decided_is_told() {
    for (when, told) in [
        ("heat > 180", "which never holds"),
        ("heat >= -20", "which always holds"),
        ("heat < 200", "which always holds"),
        ("level > 32767", "which never holds"),
        ("level != 40000", "which always holds"),
        ("heat == 20", "hardly ever"),
        ("rate_per_h(level, '5 min') == 0", "hardly ever"),
        ("availability > 1", "which never holds"),
        ("oee >= 0", "which always holds"),
        ("fan.throughput_per_h < 5", "`fan` counts no parts"),
        ("fan.oee_low < 0.5", "`fan` counts no parts"),
        ("level > 20 and heat > 190", "which never holds"),
    ] {
        let over = if when.contains("heat") || when.contains("level") {
            ""
        } else {
            "over = \"1 h\"\n"
        };
        let told_of = warnings(&format!("when = \"{when}\"\n{over}deadband = 0.1"));
        assert_eq!(told_of.len(), 1, "{when}: {told_of:?}");
        assert!(told_of[0].0.contains(told), "{when}: {told_of:?}");
    }
    for fine in ["heat > 179", "level == 3", "heat < 180 and level != 4"] {
        assert_eq!(warnings(&format!("when = \"{fine}\"\ndeadband = 0.1")), []);
    }
    let short = "when = \"fault_rate_per_h > 3\"\nover = \"20 min\"\ndeadband = 0.5";
    assert!(
        warnings(short)[0]
            .0
            .contains("30 min of producing and setup")
    );
}

#[test]
fn mistakes_in_rules_are_told() {
    for (alarm, what, hint) in [
        (
            "when = \"rate_per_min(status, '5 min') > 2 and meter.oee > 1\"\nover = \"1 h\"",
            "device `meter` has no state, and so no figures",
            "match other devices",
        ),
        (
            "when = \"rate_per_min(fan.run, '5 min') > 2\"",
            "is not a number",
            "that is a number",
        ),
        (
            "when = \"rate_per_min(made, '5 min') > 2\"",
            "is a counter",
            "`throughput_per_h`",
        ),
        (
            "when = \"rate_per_min(slow, '5 min') > 2\"",
            "is read less than twice in 5 min",
            "at least 20 min",
        ),
        (
            "when = \"rate_per_min(heat, 5) > 2\"",
            "is not a time",
            "in quotes",
        ),
        (
            "when = \"no_data(haet)\"",
            "has no tag `haet`",
            "did you mean `heat`?",
        ),
        (
            "when = \"level > 2\"\ngroup = \"{line}\"",
            "stands for nothing",
            "{device}",
        ),
        (
            "when = \"level > 2\"\ntext_en = \"{unit}\"",
            "stands for nothing",
            "{limit}",
        ),
        (
            "when = \"availabilty < 0.5\"\nover = \"1 h\"",
            "no tag",
            "did you mean `availability`?",
        ),
        (
            "when = \"no_data\"\nover = \"1 h\"",
            "`over` is for figures",
            "leave it out",
        ),
    ] {
        let Err(report) = load_text(&plant_with(alarm)) else {
            panic!("{alarm} is taken");
        };
        let told: Vec<Entry<'_>> = report.entries().collect();
        assert_eq!(told.len(), 1, "{alarm}\n{report}");
        assert!(told[0].message.contains(what), "{alarm}\n{report}");
        assert!(
            told[0].hint.is_some_and(|told| told.contains(hint)),
            "{alarm}\n{report}"
        );
    }
}

#[test]
fn a_state_follows_from_values_alone() {
    let text = plant_with("when = \"no_data\"").replace(
        "state = { from = \"rpm\", idle = [0], producing = [\"1..65535\"] }",
        "state = { producing = \"rate_per_min(rpm, '5 min') > 1\", idle = \"else\" }",
    );
    let Err(report) = load_text(&text) else {
        panic!("it is taken");
    };
    assert!(
        report.to_string().contains("from values, not from rates"),
        "{report}"
    );
}

#[test]
fn figures_and_rates_are_in_the_memory_plan() {
    let of = |alarm: &str| plan::memory(&loaded(alarm).settings).sum();
    let without = of("when = \"state == faulted\"");
    for (when, over, slots, each) in [
        ("fault_rate_per_h > 3", "8 h", 482, 36),
        ("oee < 0.5", "8 h", 482, 36 + 88),
        ("fault_rate_per_h > 3 or oee < 0.5", "8 h", 482, 36 + 88),
        ("availability < 0.5", "1 d", 34, 36),
        ("availability < 0.5", "31 d", 874, 36),
    ] {
        let more = of(&format!("when = \"{when}\"\nover = \"{over}\"")) - without;
        let expected = slots * each;
        assert!(
            (expected..expected + 900).contains(&more),
            "{when} {over}: {more} of {expected}"
        );
    }
    let rate = of("when = \"rate_per_min(heat, '5 min') > 2\"");
    assert!((300..600).contains(&(rate - without)), "{}", rate - without);
}
