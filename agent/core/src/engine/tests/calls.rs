//! Calls: called, arrived, solved, each step timed; and how often people are asked to look.

use super::*;
use crate::alarm::{Act, AlarmState, Refusal, Verb, Via};
use crate::call::Call;

const CALL: usize = 2;
const ID: &str = "press-1.call-material";

/// The press with its calls.
fn plant_with_calls() -> Plant {
    let mut plant = plant();
    for call in Call::ALL {
        let alarm = plant::Alarm::of_call(DeviceIndex(0), &plant.devices[0], call);
        plant.alarms.push(alarm);
    }
    plant
}

fn begun() -> Bench {
    let mut bench = Bench::left(plant_with_calls(), now(0), None);
    bench.read(0, [2, 0, 0]);
    bench.records.clear();
    bench
}

impl Bench {
    fn step(&mut self, ms: u64, id: &str, verb: Verb, via: Via) -> Result<u16, Refused> {
        self.pass(ms - 1);
        let act = Act {
            by: Some("li".into()),
            via,
            why: None,
        };
        let command = Command {
            id: id.into(),
            verb,
            occurrence: None,
            act,
        };
        let done = self.engine.handle_command(at(ms), command);
        self.drain();
        done
    }

    fn call(&self) -> AlarmState {
        self.engine.alarms[CALL].state()
    }

    /// Steps in the journal: the word, and how long it took since the one before.
    fn steps(&self) -> Vec<(&str, Option<u64>)> {
        let step = |record: &'_ Record| match &record.body {
            Body::Event(Event::Alarm {
                done: Some(done), ..
            }) => Some((done.verb.as_str(), done.took_ms)),
            _ => None,
        };
        self.records.iter().filter_map(step).collect()
    }
}

#[test]
fn each_step_of_a_call_is_timed() {
    let mut bench = begun();
    assert!(bench.step(1_000, ID, Verb::Call, Via::Board).is_ok());
    assert_eq!(bench.call(), AlarmState::UnackActive);
    assert_eq!(bench.engine.sound(at(1_000)).alarms, 1);
    let again = bench.step(2_000, ID, Verb::Call, Via::Board);
    assert_eq!(again, Err(Refused::Alarm(Refusal::Called)));
    assert!(bench.step(61_000, ID, Verb::Acknowledge, Via::Sms).is_ok());
    assert_eq!(bench.call(), AlarmState::AckActive);
    assert!(bench.step(361_000, ID, Verb::Solve, Via::Cli).is_ok());
    assert_eq!(bench.call(), AlarmState::Normal);
    assert_eq!(
        bench.steps(),
        [
            ("call", None),
            ("ack", Some(60_000)),
            ("solve", Some(300_000))
        ]
    );
    let not_called = bench.step(362_000, ID, Verb::Solve, Via::Cli);
    assert_eq!(not_called, Err(Refused::Alarm(Refusal::NotCalled)));
}

#[test]
fn whoever_solves_a_call_has_arrived() {
    let mut bench = begun();
    bench.step(1_000, ID, Verb::Call, Via::Http).unwrap();
    bench.step(31_000, ID, Verb::Solve, Via::Cli).unwrap();
    assert_eq!(bench.call(), AlarmState::Normal);
    assert_eq!(bench.steps(), [("call", None), ("solve", Some(30_000))]);
    let alarm = &bench.engine.alarms[CALL];
    assert!(alarm.acked.is_some() && alarm.cleared.is_some());
}

#[test]
fn a_call_goes_on_over_a_restart_and_is_timed_on() {
    let mut bench = begun();
    bench.step(1_000, ID, Verb::Call, Via::Board).unwrap();
    bench.pass(10_000);
    let mut bench = bench.changed(plant_with_calls(), 40_000);
    bench.pass(50_000);
    assert_eq!(bench.call(), AlarmState::UnackActive);
    bench.step(61_000, ID, Verb::Acknowledge, Via::Cli).unwrap();
    assert_eq!(bench.steps().last(), Some(&("ack", Some(60_000))));
}

#[test]
fn only_calls_are_called_and_not_by_message() {
    let mut bench = begun();
    let fault = bench.step(1_000, "press-1.fault", Verb::Call, Via::Cli);
    assert_eq!(fault, Err(Refused::Alarm(Refusal::NotACall)));
    let by_sms = bench.step(2_000, ID, Verb::Call, Via::Sms);
    assert_eq!(by_sms, Err(Refused::Alarm(Refusal::NotBySms)));
    assert_eq!(bench.call(), AlarmState::Normal);
}

#[test]
fn alarms_are_counted_and_calls_are_not() {
    let mut bench = begun();
    bench.step(1_000, ID, Verb::Call, Via::Board).unwrap();
    // Three faults within a minute, each of them short.
    for n in 0..3 {
        bench.read(2_000 + n * 10_000, [7, 0, 0]);
        bench.read(5_000 + n * 10_000, [2, 0, 0]);
    }
    bench.read(50_000, [2, 0, 0]);
    bench
        .step(60_000, "press-1.fault", Verb::Acknowledge, Via::Cli)
        .unwrap();
    let told = bench.engine.hygiene(at(60_000));
    assert_eq!((told.rates.ten_minutes, told.totals.raised), (3, 3));
    assert_eq!(told.chattering_ids, ["press-1.fault"]);
    assert_eq!(told.totals.fleeting, 2, "the third is chatter");
    assert_eq!(
        (told.top[0].id.as_str(), told.top[0].count),
        ("press-1.fault", 3)
    );
    // The newest was raised at 22 s.
    assert_eq!((told.totals.acknowledged, told.totals.ack_ms), (1, 38_000));
    assert_eq!(told.stale, 0);
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["ack_mean_ms"], 38_000);

    let checkpoint = bench.engine.checkpoint();
    let left = Some(Left::Newest(&checkpoint));
    let after = Bench::left(plant_with_calls(), now(120_000), left);
    let told = after.engine.hygiene(at(120_000));
    assert_eq!((told.rates.hour, told.totals.raised), (3, 3));
    assert_eq!(told.top[0].id, "press-1.fault");
}

#[test]
fn what_is_in_view_for_more_than_a_day_is_stale() {
    let mut bench = begun();
    bench.read(1_000, [7, 0, 0]);
    bench.pass(24 * 3_600_000);
    assert_eq!(bench.engine.hygiene(at(24 * 3_600_000)).stale, 0);
    bench.pass(24 * 3_600_000 + 2_000);
    let told = bench.engine.hygiene(at(24 * 3_600_000 + 2_000));
    assert_eq!(told.stale_ids[0], "press-1.fault");
}
