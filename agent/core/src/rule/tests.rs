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
        "fault_rate_per_h" => Ok(Name::Figure),
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
}

impl World for Shop {
    fn is(&self, _: DeviceIndex, state: State) -> Option<bool> {
        self.state.map(|is| is == state)
    }
    fn value(&self, _: DeviceIndex, tag: TagIndex) -> Option<Value> {
        [&self.temperature, &self.mode][usize::from(tag.0)].clone()
    }
    fn no_data(&self, _: DeviceIndex) -> bool {
        self.temperature.is_none()
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

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = parse(&text, 0.0, &resolve);
    }

    #[test]
    fn no_jumble_of_words_panics(words in proptest::collection::vec(
        prop::sample::select(vec!["state", "==", "faulted", "(", ")", "not", "and", "or",
            "temperature", ">", "3", "'x", "no_data", "suspect", "press-2.", ".", "<="]), 0..20)) {
        let _ = parse(&words.join(" "), 0.0, &resolve);
    }
}
