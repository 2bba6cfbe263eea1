//! What a notice says of an alarm.

use super::Subject;
use crate::alarm::Alarm;
use crate::plant::{Owner, Plant, VALUE};
use crate::rule::{Limit, Op, Rule};
use crate::sample::Value;
use crate::time::Wall;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use jiff::Timestamp;

impl Subject {
    /// An alarm as it stands; `is_dated`: somebody knows what time it is.
    pub fn of(plant: &Plant, index: u16, alarm: &Alarm, is_dated: bool) -> Subject {
        let settings = &plant.alarms[usize::from(index)];
        let (device, machine) = match settings.owner {
            Owner::Device(index) => {
                let device = plant.device(index);
                (device.id.clone(), device.name.clone())
            }
            Owner::Gateway => {
                let id = &plant.gateway.id;
                (id.clone(), format!("网关 {id}").into())
            }
        };
        let raised = alarm.raised.filter(|_| is_dated);
        let step = |at: Option<Wall>| at.filter(|_| is_dated).and_then(|at| clock(plant, at));
        Subject {
            alarm: index,
            id: format!("{}.{}", plant.owner_id(settings.owner), settings.id).into(),
            occurrence: alarm.occurrence,
            priority: settings.priority,
            device,
            machine,
            text_en: settings.text_en(alarm.value.as_ref()).into(),
            text_zh: settings.text_zh(alarm.value.as_ref()).into(),
            value: beside(
                [&settings.text_en, &settings.text_zh],
                value(plant, &settings.when, alarm.value.as_ref()),
                settings.when.subject(),
            ),
            raised,
            clock: raised.and_then(|raised| clock(plant, raised)),
            is_active: alarm.is_active(),
            call: settings
                .is_call()
                .then(|| [step(alarm.acked), step(alarm.cleared)]),
        }
    }
}

/// The local time of a moment, such as `14:32`.
pub fn clock(plant: &Plant, at: Wall) -> Option<Box<str>> {
    let instant = Timestamp::from_millisecond(at.0).ok()?;
    let time = plant.calendar.zone.to_datetime(instant).time();
    Some(format!("{:02}:{:02}", time.hour(), time.minute()).into())
}

/// What is said beside the texts of an alarm, in English and in Chinese: a number that the text says
/// is not said twice. What a code of a state means is said all the same.
fn beside(texts: [&str; 2], value: [Box<str>; 2], subject: Option<&Rule>) -> [Box<str>; 2] {
    let is_meaning = matches!(subject, Some(Rule::State { .. }));
    let [en, zh] = value;
    let once = |text: &str, value: Box<str>| match text.contains(VALUE) && !is_meaning {
        true => Box::default(),
        false => value,
    };
    [once(texts[0], en), once(texts[1], zh)]
}

/// What raised an alarm, in English and in Chinese.
fn value(plant: &Plant, when: &Rule, value: Option<&Value>) -> [Box<str>; 2] {
    let (Some(value), Some(subject)) = (value, when.subject()) else {
        return Default::default();
    };
    match subject {
        Rule::Tag {
            device,
            tag,
            op,
            limit,
        } => {
            let tag = plant.device(*device).model.tags.get(usize::from(tag.0));
            let unit = tag.map_or("", |tag| &tag.unit);
            let text = compared(value, unit, *op, limit);
            [text.as_str().into(), text.into()]
        }
        Rule::Figure { op, limit, .. } => {
            let text = compared(value, "", *op, limit);
            [text.as_str().into(), text.into()]
        }
        Rule::Rate {
            device,
            tag,
            per,
            op,
            limit,
            ..
        } => {
            let tag = plant.device(*device).model.tags.get(usize::from(tag.0));
            let unit = tag.map_or("", |tag| &tag.unit);
            let text = compared(value, &format!("{unit}/{}", per.as_str()), *op, limit);
            [text.as_str().into(), text.into()]
        }
        Rule::State { device, .. } => {
            let code = plant.device(*device).model.meaning(Some(value));
            match code {
                Some(code) => [code.en.clone(), code.zh.clone()],
                None => [
                    format!("code {value}").into(),
                    format!("代码{value}").into(),
                ],
            }
        }
        _ => Default::default(),
    }
}

fn compared(value: &Value, unit: &str, op: Op, limit: &Limit) -> String {
    match (limit, value.number()) {
        (Limit::Number { limit, .. }, Some(number)) => {
            let space = if unit.is_empty() { "" } else { " " };
            let (number, limit) = (short(number), short(*limit));
            format!("{number}{space}{unit} {} {limit}", symbol(op))
        }
        (Limit::Text(_), _) => value.to_string(),
        _ => String::new(),
    }
}

const fn symbol(op: Op) -> &'static str {
    match op {
        Op::Equal => "=",
        Op::NotEqual => "!=",
        Op::Less => "<",
        Op::LessEqual => "<=",
        Op::Greater => ">",
        Op::GreaterEqual => ">=",
    }
}

/// A number with the digits that somebody needs on a telephone.
fn short(number: f64) -> String {
    let large = number >= 1e9 || number <= -1e9;
    let small = number < 0.01 && number > -0.01 && number != 0.0;
    if large || small {
        return format!("{number:.2e}");
    }
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" => "0".into(),
        text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tag::DeviceIndex;

    #[test]
    fn a_value_is_said_once() {
        let value = || ["641 °C > 620".into(), "641 °C > 620".into()];
        let said = beside(["{device} at {value} °C", "{name} 炉温过高"], value(), None);
        assert_eq!(said, [Box::from(""), "641 °C > 620".into()]);
        let fault = Rule::State {
            device: DeviceIndex(0),
            is: State::Faulted,
            negated: false,
        };
        let meaning = || ["light curtain".into(), "光幕动作".into()];
        let texts = ["stopped by {value}", "故障{value}"];
        assert_eq!(beside(texts, meaning(), Some(&fault)), meaning());
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (620.0, "620"),
            (85.199_996_948, "85.2"),
            (-3.456, "-3.46"),
            (0.0, "0"),
            (-0.001, "-1.00e-3"),
            (0.004, "4.00e-3"),
            (4e12, "4.00e12"),
            (-0.01, "-0.01"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
