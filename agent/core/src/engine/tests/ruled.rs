//! What alarms ask for beyond the newest values: figures over rolling windows, rates of change, the
//! silence of a tag, and which of a group came first.

use super::late_data::{corrected, publishing, told};
use super::*;
use crate::alarm::{Act, AlarmState, Verb, Via};
use crate::kpi::Measure;
use crate::rule::Rule;
use crate::summary::Sum;

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;

/// A condition as `press-1` or `press-2` has it; figures are taken over `over_ms`.
fn rule(when: &str, over_ms: u64) -> Rule {
    let resolve = |device: Option<&str>, name: &str| {
        let device = DeviceIndex(u16::from(device == Some("press-2")));
        Ok(match name {
            "state" => rule::Name::State(device),
            "no_data" => rule::Name::NoData(device),
            "status" => rule::Name::Tag(device, TagIndex(0)),
            "level" => rule::Name::Tag(device, TagIndex(2)),
            name => rule::Name::Figure(device, Measure::from_name(name).unwrap(), over_ms),
        })
    };
    rule::parse(when, 0.0, &resolve).unwrap()
}

fn alarm(id: &str, when: &str) -> plant::Alarm {
    plant::Alarm {
        id: id.into(),
        when: rule(when, HOUR),
        on_delay_ms: 0,
        ..plant().alarms.remove(0)
    }
}

/// Two presses with these alarms of the first; the third register is a level.
fn presses(alarms: Vec<plant::Alarm>) -> Plant {
    let mut plant = plant();
    let mut model = (*plant.devices[0].model).clone();
    model.tags[2] = tag("level", 2, Kind::U16, None);
    plant.devices[0].model = Arc::new(model);
    let mut second = plant.devices[0].clone();
    second.id = "press-2".into();
    second.unit = 2;
    plant.devices.push(second);
    plant.alarms = alarms;
    plant
}

impl Bench {
    fn read_of(&mut self, press: u32, ms: u64, registers: [u16; 3]) {
        self.pass(ms.saturating_sub(1));
        let words = Ok(Words::Registers(&registers));
        self.engine.handle_read(ReadIndex(press - 1), at(ms), words);
        self.drain();
    }

    fn shown_of(&self, alarm: usize) -> AlarmState {
        self.engine.alarms[alarm].state()
    }

    /// Goes on as another run of the same plant, at once.
    fn cut(self, ms: u64) -> Bench {
        let plant = (*self.engine.plant).clone();
        self.changed(plant, ms)
    }

    /// The rolling windows of a press.
    fn sums(&self, press: usize) -> Vec<(u64, Sum)> {
        let asked = &self.engine.devices[press - 1].asked;
        let of = |rolling: &crate::rolling::Rolling| (rolling.over_ms(), *rolling.sum());
        asked.rolling.iter().map(of).collect()
    }
}

/// Alarms that ask for figures of both presses over these times.
fn over(times: &[u64]) -> Vec<plant::Alarm> {
    let alarm_over = |over_ms: &u64| plant::Alarm {
        when: rule("press-2.failures > 1000 or failures > 1000", *over_ms),
        ..alarm("x", "state == faulted")
    };
    times.iter().map(alarm_over).collect()
}

/// The sum of the last minutes that reach back so far, what is missing being unknown.
fn last(bench: &Bench, device: &str, over_ms: u64) -> Sum {
    let minutes = bench.summaries().into_iter();
    let minutes: Vec<&Summary> = minutes.filter(|minute| *minute.device == *device).collect();
    let mut inside = vec![];
    let mut length = 0;
    for minute in minutes.iter().rev() {
        if length >= over_ms {
            break;
        }
        length += minute.window_ms();
        inside.push(minute.sum());
    }
    let mut sum = Sum::default();
    inside.iter().rev().for_each(|minute| sum.add(minute));
    sum.times
        .add(State::Unknown, over_ms.saturating_sub(length));
    sum
}

#[test]
fn a_figure_is_that_of_the_minutes_that_were_told_over_restarts_too() {
    let mut plant = presses(over(&[10 * MINUTE, 2 * HOUR, 13 * HOUR]));
    for device in &mut plant.devices {
        device.stale_after_ms = 90_000;
    }
    let mut bench = Bench::left(plant, now(0), None);
    let mut compared = 0;
    for step in 0..(15 * 120) {
        let ms = step * 30_000;
        let status = [2, 2, 7, 3, 2, 1][usize::try_from(step / 7 % 6).unwrap()];
        bench.read_of(1, ms, [status, u16::try_from(step).unwrap(), 0]);
        if step % 3 != 0 {
            bench.read_of(2, ms + 100, [9 - status, 0, 0]);
        }
        if step % 201 == 200 {
            let before = [bench.sums(1), bench.sums(2)];
            bench = bench.cut(ms + 200);
            assert_eq!([bench.sums(1), bench.sums(2)], before, "after a restart");
            // Half of the time it takes three minutes until anything is read again.
            if step % 402 == 200 {
                bench.pass(ms + 29_000);
            }
        }
        for (press, id) in [(1, "press-1"), (2, "press-2")] {
            for (over_ms, sum) in bench.sums(press) {
                let expected = last(&bench, id, over_ms);
                if over_ms <= 12 * HOUR {
                    assert_eq!(sum.times, expected.times, "{id} over {over_ms} at {ms}");
                    assert_eq!(sum.failures, expected.failures);
                    assert_eq!(sum.repairs, expected.repairs);
                    compared += 1;
                } else {
                    let further = sum.times.total() - expected.times.total();
                    assert!(further < HOUR, "{further} further than 13 h");
                }
            }
        }
    }
    assert!(compared > 1000, "{compared}");
    assert!(bench.sums(1)[1].1.failures > 3);
}

#[test]
fn an_alarm_on_a_figure_is_raised_and_clears_a_deadband_away() {
    let mut fails = alarm("fault-rate", "fault_rate_per_h > 3");
    let Rule::Figure { limit, .. } = &mut fails.when else {
        unreachable!()
    };
    *limit = rule::Limit::Number {
        limit: 3.0,
        deadband: 1.5,
    };
    fails.on_delay_ms = 0;
    let mut bench = Bench::left(presses(vec![fails]), now(0), None);
    let mut raised = None;
    for second in (0..2 * 3600_u64).step_by(2) {
        // Four faults of a minute each in the first hour, none in the second.
        let minute = second / 60;
        let faulted = minute < 60 && minute % 15 == 10;
        bench.read_of(1, second * 1000, [if faulted { 7 } else { 2 }, 0, 0]);
        if bench.shown_of(0) == AlarmState::UnackActive && raised.is_none() {
            raised = Some(minute);
            let message = bench.engine.alarm(0).unwrap();
            let Some(Value::Float(value)) = message.alarm.value else {
                panic!("{:?}", message.alarm.value)
            };
            assert!(value > 3.0 && value < 6.0, "{value}");
            assert_eq!(message.settings.when.limit(), Some(3.0));
        }
        if minute < 31 {
            assert_eq!(bench.shown_of(0), AlarmState::Normal, "too short to say so");
        }
    }
    // Half an hour of producing is needed, and half of the hour known.
    assert_eq!(raised, Some(32));
    // Faults leave the hour; with the last but one the rate is 1.02.
    assert_eq!(bench.shown_of(0), AlarmState::RtnUnack);
    let cleared = bench.engine.alarms[0].cleared.unwrap();
    let minute = (cleared - Wall(WALL)) / 60_000;
    assert!((100..=101).contains(&minute), "{minute}");
}

#[test]
fn a_figure_of_nothing_planned_or_nothing_known_is_undecided() {
    let low = alarm("low", "availability < 0.9");
    let mut bench = Bench::left(presses(vec![low]), now(0), None);
    // Faulted for 40 min, then nobody knows for an hour and more.
    for second in (0..40 * 60_u64).step_by(2) {
        bench.read_of(1, second * 1000, [7, 0, 0]);
    }
    bench.pass(40 * MINUTE);
    assert_eq!(bench.shown_of(0), AlarmState::UnackActive);
    assert!(!bench.engine.alarms[0].undecided);
    bench.pass(150 * MINUTE);
    assert!(bench.engine.alarms[0].undecided);
    assert_eq!(bench.shown_of(0), AlarmState::UnackActive, "no recovery");
}

#[test]
fn figures_and_states_of_several_machines_go_together() {
    let both = alarm(
        "starved",
        "state == delayed and press-2.availability < 0.5 and not press-2.no_data",
    );
    let mut bench = Bench::left(presses(vec![both]), now(0), None);
    for second in (0..45 * 60_u64).step_by(2) {
        bench.read_of(1, second * 1000, [3, 0, 0]);
        bench.read_of(2, second * 1000 + 10, [7, 0, 0]);
    }
    assert_eq!(bench.shown_of(0), AlarmState::UnackActive);
    bench.read_of(1, 45 * MINUTE + 100, [2, 0, 0]);
    assert_eq!(bench.shown_of(0), AlarmState::RtnUnack);
}

#[test]
fn late_data_corrects_the_figure_that_an_alarm_is_about() {
    let mut plant = publishing();
    let stops = plant::Alarm {
        when: rule("faulted_ms > 300000", HOUR),
        ..alarm("stops", "state == faulted")
    };
    plant.alarms = vec![stops];
    let mut bench = Bench::left(plant.clone(), now(0), None);
    let minute = |minute: u64| minute * MINUTE;
    for second in 0..40 * 60_u64 {
        // Nothing arrives from minute 20 to 30.
        if !(1200..1800).contains(&second) {
            bench.hears(&told(0, 2, second * 1000, second * 1000));
        }
    }
    bench.pass(minute(40) + 1_000);
    assert_eq!(bench.sums(1)[0].1.times.of(State::Faulted), 0);
    for second in 1200..1800_u64 {
        bench.hears(&told(0, 7, second * 1000, minute(40) + 2_000));
    }
    bench.pass(minute(41) + 2_000);
    assert_eq!(
        bench.sums(1)[0].1.times.of(State::Faulted),
        598_000,
        "but for what was fresh"
    );
    assert_eq!(bench.shown_of(0), AlarmState::UnackActive);
    // The next run reads it as corrected.
    let sums = bench.sums(1);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let pages = corrected(&bench.pages);
    let left = Some(Left::Newest(&checkpoint));
    let next = Bench::kept(plant, now(minute(41) + 2_000), left, &pages);
    assert_eq!(next.sums(1), sums);
}

#[test]
fn a_rate_of_change_raises_an_alarm_and_starts_anew_with_a_run() {
    let fast = alarm("fast", "rate_per_min(level, '5 min') > 10");
    let mut bench = Bench::left(presses(vec![fast]), now(0), None);
    let level = |second: u64| u16::try_from(100 + second / 10).unwrap();
    for second in 0..600 {
        bench.read_of(1, second * 1000, [2, 0, level(second)]);
    }
    assert_eq!(bench.shown_of(0), AlarmState::Normal, "6 a minute");
    // Then 60 a minute.
    let mut raised = None;
    for second in 600..900 {
        bench.read_of(
            1,
            second * 1000,
            [2, 0, level(600) + u16::try_from(second - 600).unwrap()],
        );
        if raised.is_none() && bench.shown_of(0) == AlarmState::UnackActive {
            raised = Some(second);
        }
    }
    assert!((620..660).contains(&raised.unwrap()), "{raised:?}");
    assert!(matches!(bench.engine.alarms[0].value, Some(Value::Float(rate)) if rate > 10.0));
    // A run that has read nothing yet cannot say: the alarm stands as it did.
    let mut bench = bench.cut(900_500);
    for second in 901..1_150 {
        bench.read_of(1, second * 1000, [2, 0, 7]);
        assert_eq!(bench.shown_of(0), AlarmState::UnackActive);
        assert!(bench.engine.alarms[0].undecided);
    }
    for second in 1_150..1_210 {
        bench.read_of(1, second * 1000, [2, 0, 7]);
    }
    assert_eq!(
        bench.shown_of(0),
        AlarmState::RtnUnack,
        "it has stood for 5 min"
    );
    // Bad data is no rate of 0.
    bench.read_of(1, 1_210_000, [2, 0, 7]);
    bench.fail(1_211_000);
    bench.pass(1_216_000);
    assert!(bench.engine.alarms[0].undecided);
}

#[test]
fn the_silence_of_one_tag_is_told_while_the_device_speaks() {
    let mut plant = publishing();
    plant.alarms = vec![alarm("tag", "no_data(level)"), alarm("device", "no_data")];
    let mut bench = Bench::left(plant, now(0), None);
    for second in 0..60 {
        bench.hears(&told(0, 2, second * 1000, second * 1000));
        // The third tag falls silent after 30 s.
        if second <= 30 {
            bench.hears(&told(2, 1, second * 1000, second * 1000));
        }
    }
    assert_eq!(bench.shown_of(1), AlarmState::Normal);
    assert_eq!(bench.shown_of(0), AlarmState::UnackActive);
    let raised = bench.engine.alarms[0].raised.unwrap() - Wall(WALL);
    assert!((33_000..=34_000).contains(&raised), "{raised}");
    bench.hears(&told(2, 1, 60_000, 60_000));
    assert_eq!(bench.shown_of(0), AlarmState::RtnUnack);
}

#[test]
fn silence_is_not_told_before_there_was_time_to_read() {
    let silent = || {
        presses(vec![
            alarm("device", "no_data"),
            alarm("tag", "no_data(level)"),
        ])
    };
    let mut bench = Bench::left(silent(), now(0), None);
    bench.pass(STALE - 1);
    for index in 0..2 {
        assert_eq!(bench.shown_of(index), AlarmState::Normal);
        assert!(bench.engine.alarms[index].undecided);
    }
    bench.pass(STALE + 1_000);
    for index in 0..2 {
        assert_eq!(bench.shown_of(index), AlarmState::UnackActive);
    }
    // After a restart it stands until something is read, and is not raised again.
    let mut bench = bench.cut(10_000);
    bench.pass(12_000);
    assert_eq!(bench.engine.alarms[0].occurrence, 1);
    bench.read_of(1, 12_500, [2, 0, 0]);
    for index in 0..2 {
        assert_eq!(bench.shown_of(index), AlarmState::RtnUnack);
    }
}

/// Three alarms of one group on the state of the presses, and one of none.
fn group() -> Vec<plant::Alarm> {
    let of = |id, when, group: Option<&str>| plant::Alarm {
        group: group.map(Into::into),
        ..alarm(id, when)
    };
    vec![
        of("a", "status bit 0", Some("trip")),
        of("b", "status bit 1", Some("trip")),
        of("c", "press-2.status bit 0", Some("trip")),
        of("d", "status bit 0", None),
    ]
}

fn first(bench: &Bench) -> Vec<bool> {
    let alarms = bench.engine.alarms.iter();
    alarms.map(|alarm| alarm.first_out).collect()
}

fn acknowledge(bench: &mut Bench, ms: u64, id: &str) {
    let command = Command {
        id: id.into(),
        verb: Verb::Acknowledge,
        occurrence: None,
        act: Act {
            by: None,
            via: Via::Cli,
            why: None,
        },
    };
    bench.engine.handle_command(at(ms), command).unwrap();
    bench.drain();
}

#[test]
fn of_a_group_the_one_that_came_first_is_marked_until_all_are_normal() {
    let mut bench = Bench::left(presses(group()), now(0), None);
    bench.read_of(1, 0, [0, 0, 0]);
    bench.read_of(2, 0, [0, 0, 0]);
    assert_eq!(first(&bench), [false; 4]);
    bench.read_of(1, 1_000, [2, 0, 0]);
    bench.read_of(2, 1_500, [1, 0, 0]);
    bench.read_of(1, 2_000, [3, 0, 0]);
    assert_eq!(first(&bench), [false, true, false, false]);
    let shown = serde_json::to_value(bench.engine.alarm(1).unwrap()).unwrap();
    assert_eq!(
        (&shown["first_out"], &shown["group"]),
        (&true.into(), &"trip".into())
    );
    let shown = serde_json::to_value(bench.engine.alarm(2).unwrap()).unwrap();
    assert_eq!(shown["first_out"], false);
    // Acknowledged and gone, it is still the one that came first; a power cut changes nothing.
    acknowledge(&mut bench, 2_100, "press-1.b");
    bench.read_of(1, 3_000, [1, 0, 0]);
    assert_eq!(bench.shown_of(1), AlarmState::Normal);
    let mut bench = bench.cut(3_500);
    assert_eq!(first(&bench), [false, true, false, false]);
    bench.read_of(1, 4_000, [0, 0, 0]);
    bench.read_of(2, 4_100, [0, 0, 0]);
    for id in ["press-1.a", "press-1.c"] {
        acknowledge(&mut bench, 4_200, id);
    }
    assert_eq!(first(&bench), [false; 4], "all are normal");
    bench.read_of(2, 5_000, [1, 0, 0]);
    bench.read_of(1, 5_100, [3, 0, 0]);
    assert_eq!(first(&bench), [false, false, true, false]);
    let told: Vec<(String, bool)> = bench
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Event(Event::Alarm {
                alarm,
                to: AlarmState::UnackActive,
                first_out,
                ..
            }) => Some((alloc::format!("{alarm}"), *first_out)),
            _ => None,
        })
        .collect();
    let told: Vec<(&str, bool)> = told.iter().map(|(id, first)| (&**id, *first)).collect();
    let expected = [
        ("b", true),
        ("c", false),
        ("a", false),
        ("d", false),
        ("c", true),
    ];
    assert_eq!(told[..5], expected);
}

#[test]
fn what_is_read_at_once_came_in_the_order_of_the_configuration() {
    let mut bench = Bench::left(presses(group()), now(0), None);
    bench.read_of(1, 0, [3, 0, 0]);
    assert_eq!(first(&bench), [true, false, false, false]);
}

#[test]
fn what_is_out_of_view_came_neither_first_nor_holds_the_group() {
    let mut bench = Bench::left(presses(group()), now(0), None);
    bench.read_of(1, 0, [0, 0, 0]);
    let act = |bench: &mut Bench, ms, verb| {
        let command = Command {
            id: "press-1.b".into(),
            verb,
            occurrence: None,
            act: Act {
                by: None,
                via: Via::Cli,
                why: Some("repair".into()),
            },
        };
        bench.engine.handle_command(at(ms), command).unwrap();
        bench.drain();
    };
    act(&mut bench, 100, Verb::OutOfService);
    bench.read_of(1, 1_000, [2, 0, 0]);
    assert_eq!(first(&bench), [false; 4]);
    bench.read_of(1, 2_000, [3, 0, 0]);
    assert_eq!(first(&bench), [true, false, false, false]);
    bench.read_of(1, 3_000, [2, 0, 0]);
    acknowledge(&mut bench, 3_100, "press-1.a");
    assert_eq!(first(&bench), [false; 4], "the other one is out of view");
    act(&mut bench, 3_200, Verb::Return);
    assert_eq!(
        first(&bench),
        [false, true, false, false],
        "raised anew, alone"
    );
}
