use super::*;
use alloc::{format, vec};
use proptest::prelude::*;

const PRESS: DeviceIndex = DeviceIndex(0);

fn resolve(device: Option<&str>, name: &str) -> Result<Name, String> {
    let device = match device {
        None | Some("press-1") => PRESS,
        Some("press-2") => DeviceIndex(1),
        Some(other) => return Err(format!("no device `{other}`")),
    };
    match name {
        "state" => Ok(Name::State(device)),
        "no_data" => Ok(Name::NoData(device)),
        "suspect" => Ok(Name::Suspect(device)),
        "temperature" => Ok(Name::Tag(device, TagIndex(0))),
        "mode" => Ok(Name::Tag(device, TagIndex(1))),
        _ if let Some(measure) = Measure::from_name(name) => {
            Ok(Name::Figure(device, measure, 8 * 3_600_000))
        }
        other => Err(format!("no tag `{other}`")),
    }
}

fn parsed(text: &str) -> Rule {
    parse(text, 10.0, &resolve).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"))
}

/// Both devices in the same condition.
#[derive(Default)]
struct Shop {
    state: Option<State>,
    temperature: Option<Value>,
    mode: Option<Value>,
    figure: Option<f64>,
    rate_per_ms: Option<f64>,
}

impl World for Shop {
    fn is(&self, _: DeviceIndex, state: State) -> Option<bool> {
        self.state.map(|is| is == state)
    }
    fn value(&self, _: DeviceIndex, tag: TagIndex) -> Option<Value> {
        [&self.temperature, &self.mode][usize::from(tag.0)].clone()
    }
    fn no_data(&self, _: DeviceIndex) -> Option<bool> {
        Some(self.temperature.is_none())
    }
    fn tag_no_data(&self, _: DeviceIndex, tag: TagIndex) -> Option<bool> {
        Some([&self.temperature, &self.mode][usize::from(tag.0)].is_none())
    }
    fn figure(&self, _: DeviceIndex, _: Measure, over_ms: u64) -> Option<f64> {
        assert_eq!(over_ms, 8 * 3_600_000);
        self.figure
    }
    fn rate_per_ms(&self, _: DeviceIndex, _: TagIndex, window_ms: u64) -> Option<f64> {
        assert_eq!(window_ms, 300_000);
        self.rate_per_ms
    }
    fn suspect(&self, _: DeviceIndex) -> Option<bool> {
        self.temperature.as_ref().map(|_| self.mode.is_none())
    }
    fn own(&self, _: Own) -> Option<bool> {
        None
    }
}

#[test]
fn conditions_of_the_example() {
    let mut shop = Shop {
        state: Some(State::Faulted),
        ..Shop::default()
    };
    assert_eq!(
        parsed("state == faulted").evaluate(&shop, false),
        Some(true)
    );
    assert_eq!(
        parsed("not state == faulted").evaluate(&shop, false),
        Some(false)
    );
    assert_eq!(parsed("no_data").evaluate(&shop, false), Some(true));
    assert_eq!(parsed("suspect").evaluate(&shop, false), None);
    assert_eq!(parsed("temperature > 620").evaluate(&shop, false), None);
    shop.temperature = Some(Value::Float(615.0));
    assert_eq!(
        parsed("temperature > 620").evaluate(&shop, false),
        Some(false)
    );
    // Active, it clears only the deadband below the limit.
    assert_eq!(
        parsed("temperature > 620").evaluate(&shop, true),
        Some(true)
    );
    assert!(parsed("fault_rate_per_h > 3").needs_figures());
}

#[test]
fn the_deadband_of_a_negation_lies_on_the_other_side() {
    let at = |celsius: f64| Shop {
        temperature: Some(Value::Float(celsius)),
        ..Shop::default()
    };
    let rule = parsed("not temperature > 620");
    assert_eq!(rule.evaluate(&at(615.0), false), Some(true));
    assert_eq!(rule.evaluate(&at(615.0), true), Some(true));
    assert_eq!(rule.evaluate(&at(625.0), false), Some(false));
    // Active, it clears only the deadband above the limit.
    assert_eq!(rule.evaluate(&at(625.0), true), Some(true));
    assert_eq!(rule.evaluate(&at(631.0), true), Some(false));
    let twice = parsed("not not temperature > 620");
    assert_eq!(twice.evaluate(&at(615.0), true), Some(true));
}

#[test]
fn undecided_parts_decide_only_where_they_cannot_matter() {
    let shop = Shop {
        state: Some(State::Producing),
        ..Shop::default()
    };
    let of = |text: &str| parsed(text).evaluate(&shop, false);
    assert_eq!(of("temperature > 1 and state == faulted"), Some(false));
    assert_eq!(of("temperature > 1 or state == producing"), Some(true));
    assert_eq!(of("temperature > 1 and state == producing"), None);
    assert_eq!(of("temperature > 1 or press-2.state == faulted"), None);
    assert_eq!(of("not (temperature > 1)"), None);
}

#[test]
fn a_contact_alone_is_a_condition() {
    let contact = |closed| Shop {
        temperature: Some(Value::Bool(closed)),
        ..Shop::default()
    };
    for text in [
        "temperature",
        "(temperature)",
        "temperature and not temperature == false",
        "not (not temperature or temperature == false)",
    ] {
        assert_eq!(
            parsed(text).evaluate(&contact(true), false),
            Some(true),
            "{text}"
        );
        assert_eq!(
            parsed(text).evaluate(&contact(false), false),
            Some(false),
            "{text}"
        );
    }
    assert_eq!(
        parsed("temperature").evaluate(&Shop::default(), false),
        None
    );
}

#[test]
fn bits_are_counted_from_the_least_significant() {
    let word = |value| Shop {
        temperature: Some(Value::Int(value)),
        ..Shop::default()
    };
    let of = |text: &str, value| parsed(text).evaluate(&word(value), false);
    assert_eq!(of("temperature bit 0", 5), Some(true));
    assert_eq!(of("temperature bit 1", 5), Some(false));
    assert_eq!(
        of("temperature bit 2 and not temperature bit 3", 5),
        Some(true)
    );
    assert_eq!(of("temperature bit 15", -1), Some(true));
    assert_eq!(of("temperature bit 63", i64::MIN), Some(true));
    for (text, at) in [
        ("temperature bit 64", 16),
        ("temperature bit", 15),
        ("state bit 1", 10),
    ] {
        assert_eq!(parse(text, 0.0, &resolve).unwrap_err().at, at, "{text}");
    }
}

#[test]
fn texts_and_precedence() {
    let mode = Some(Value::Text("run".try_into().unwrap()));
    let shop = Shop {
        mode,
        state: Some(State::Idle),
        ..Shop::default()
    };
    assert_eq!(parsed("mode == \"run\"").evaluate(&shop, false), Some(true));
    assert_eq!(parsed("mode != 'run'").evaluate(&shop, false), Some(false));
    // `and` binds tighter than `or`.
    let rule = parsed("state == idle or state == faulted and mode == 'x'");
    assert_eq!(rule.evaluate(&shop, false), Some(true));
    let rule = parsed("(state == idle or state == faulted) and mode == 'x'");
    assert_eq!(rule.evaluate(&shop, false), Some(false));
}

#[test]
fn an_unknown_state_is_no_condition() {
    let mistake = parse("state == unknown", 0.0, &resolve).unwrap_err();
    assert_eq!((mistake.at, mistake.len), (9, 7));
    assert_eq!(mistake.hint.as_deref(), Some("use `no_data`"));
}

#[test]
fn mistakes_name_their_place() {
    let place = |text: &str| {
        let mistake = parse(text, 0.0, &resolve).unwrap_err();
        (mistake.at, mistake.len, mistake.what)
    };
    assert_eq!(
        place("tempurature > 3"),
        (0, 11, "no tag `tempurature`".into())
    );
    assert_eq!(place("state = faulted").0, 6);
    assert_eq!(
        place("state == broken"),
        (9, 6, "`broken` is not a state".into())
    );
    assert_eq!(place("state > faulted").0, 6);
    assert_eq!(place("temperature > hot").0, 14);
    assert_eq!(place("temperature > 3 temperature < 4").0, 16);
    assert_eq!(place("(state == idle").0, 14);
    assert_eq!(place("mode > 'x'").0, 7);
    assert_eq!(place("").0, 0);
    assert!(parse(&"(".repeat(1000), 0.0, &resolve).is_err());
}

#[test]
fn figures_and_rates_are_compared_like_values() {
    let mut shop = Shop::default();
    let figure = "press-2.fault_rate_per_h > 30 and not availability_high >= 90";
    assert_eq!(
        parsed(figure).evaluate(&shop, false),
        None,
        "null is undecided"
    );
    shop.figure = Some(35.0);
    assert_eq!(parsed(figure).evaluate(&shop, false), Some(true));
    shop.figure = Some(25.0);
    assert_eq!(
        parsed("fault_rate_per_h > 30").evaluate(&shop, false),
        Some(false)
    );
    // Active, it clears only the deadband below the limit.
    assert_eq!(
        parsed("fault_rate_per_h > 30").evaluate(&shop, true),
        Some(true)
    );
    assert_eq!(parsed("failures > 24").limit(), Some(24.0));

    let rate = "rate_per_min(temperature, '5 min') > 12";
    assert_eq!(parsed(rate).evaluate(&shop, false), None);
    for (per_ms, expected) in [(0.0003, true), (0.0001, false), (-0.01, false)] {
        shop.rate_per_ms = Some(per_ms);
        assert_eq!(
            parsed(rate).evaluate(&shop, false),
            Some(expected),
            "{per_ms}"
        );
        for same in [
            "rate_per_h(press-1.temperature, \"5 min\") > 720",
            "rate_per_s(temperature,'300 s')>0.2",
        ] {
            assert_eq!(
                parsed(same).evaluate(&shop, false),
                Some(expected),
                "{same}"
            );
        }
    }
    assert_eq!(
        parsed("rate_per_h(temperature, '5 min') < -1").limit(),
        Some(-1.0)
    );
}

#[test]
fn the_silence_of_one_tag_is_a_condition() {
    let shop = Shop {
        mode: Some(Value::Bool(true)),
        ..Shop::default()
    };
    let of = |text: &str| parsed(text).evaluate(&shop, false);
    assert_eq!(of("no_data(temperature)"), Some(true));
    assert_eq!(
        of("no_data(press-2.mode) or not no_data(temperature)"),
        Some(false)
    );
    assert_eq!(of("no_data and (no_data(temperature))"), Some(true));
}

#[test]
fn mistakes_in_functions_name_their_place() {
    for (text, at) in [
        ("rate_per_min(", 13),
        ("rate_per_min(state, '5 min') > 2", 13),
        ("rate_per_min(temperature) > 2", 24),
        ("rate_per_min(temperature, 5 min) > 2", 26),
        ("rate_per_min(temperature, '5 days') > 2", 26),
        ("rate_per_min(temperature, '0 s') > 2", 26),
        ("rate_per_min(temperature, '25 h') > 2", 26),
        ("rate_per_min(temperature, '5 min' > 2", 34),
        ("rate_per_min(temperature, '5 min')", 34),
        ("rate_per_min(temperature, '5 min') > true", 37),
        ("no_data(state)", 8),
        ("no_data()", 8),
        ("no_data(temperature", 19),
        ("oee == 'good'", 7),
        ("oee", 3),
        ("oee bit 3", 8),
    ] {
        let mistake = parse(text, 0.0, &resolve).map(|rule| panic!("{text}: {rule:?}"));
        assert_eq!(mistake.unwrap_err().at, at, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = parse(&text, 0.0, &resolve);
    }

    #[test]
    fn no_jumble_of_words_panics(words in proptest::collection::vec(
        prop::sample::select(vec!["state", "==", "faulted", "(", ")", "not", "and", "or",
            "temperature", ">", "3", "'x", "no_data", "rate_per_min", ",", "'5 min'", "oee", "suspect", "press-2.", ".", "<="]), 0..20)) {
        let _ = parse(&words.join(" "), 0.0, &resolve);
    }
}
