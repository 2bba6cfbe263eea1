//! The gateway's own alarms, and what a dead link hides.

use super::*;
use crate::alarm::{Act, AlarmState, Verb, Via};
use crate::own::Own;
use crate::rule::Rule;

const LINK: Own = Own::Link(LinkIndex(0));
const NO_DATA: usize = 1;

/// The press, `no-data` raised at once, and the gateway's own alarms.
fn plant_with_own() -> Plant {
    let mut plant = plant();
    plant.alarms[NO_DATA].on_delay_ms = 0;
    let own = Own::ALL.into_iter().chain([LINK]);
    plant
        .alarms
        .extend(own.map(|own| plant::Alarm::of_gateway(own, "plc")));
    plant
}

fn begun() -> Bench {
    Bench::left(plant_with_own(), now(0), None)
}

impl Bench {
    fn own(&self, own: Own) -> AlarmState {
        let mut alarms = self.engine.plant.alarms.iter();
        let index = alarms.position(|alarm| alarm.when == Rule::Own(own));
        self.engine.alarms[index.unwrap()].state()
    }

    fn no_data(&self) -> AlarmState {
        self.engine.alarms[NO_DATA].state()
    }

    fn link(&mut self, ms: u64, up: bool) {
        self.pass(ms.saturating_sub(1));
        let why = (!up).then(|| String::from("no route to host"));
        self.engine.handle_link(LinkIndex(0), at(ms), up, why);
        self.drain();
    }

    fn report(&mut self, ms: u64, own: Own, holds: Option<bool>, why: Option<&str>) {
        self.pass(ms.saturating_sub(1));
        self.engine.handle_own(at(ms), own, holds, why);
        self.drain();
    }

    /// The changes of one alarm, as words.
    fn changes_of(&self, id: &str) -> Vec<String> {
        let of = |record: &Record| match &record.body {
            Body::Event(Event::Alarm {
                device,
                alarm,
                from,
                to,
                ..
            }) if alloc::format!("{device}.{alarm}") == id => {
                Some(alloc::format!("{} to {}", from.as_str(), to.as_str()))
            }
            _ => None,
        };
        self.records.iter().filter_map(of).collect()
    }
}

#[test]
fn what_is_reported_long_enough_is_raised_and_goes_when_it_is_over() {
    let mut bench = begun();
    bench.report(0, Own::DiskFull, Some(false), None);
    bench.report(1_000, Own::DiskFull, Some(true), Some("no space left"));
    bench.pass(10_999);
    assert_eq!(bench.own(Own::DiskFull), AlarmState::Normal);
    bench.pass(11_000);
    assert_eq!(bench.own(Own::DiskFull), AlarmState::UnackActive);
    let index = bench.engine.alarm_of(Own::DiskFull).unwrap();
    let message = serde_json::to_value(bench.engine.alarm(index).unwrap()).unwrap();
    assert_eq!(message["id"], "gateway.disk-full");
    assert_eq!(message["device"], "gateway");
    assert_eq!(message["why"], "no space left");

    let command = Command {
        id: "gateway.disk-full".into(),
        verb: Verb::Acknowledge,
        occurrence: Some(1),
        act: Act {
            by: Some("li".into()),
            via: Via::Cli,
            why: None,
        },
    };
    assert_eq!(bench.engine.handle_command(at(12_000), command), Ok(index));
    bench.drain();
    bench.report(20_000, Own::DiskFull, Some(false), None);
    bench.pass(30_000);
    assert_eq!(bench.own(Own::DiskFull), AlarmState::Normal);
    assert_eq!(
        bench.changes_of("gateway.disk-full"),
        [
            "normal to unack-active",
            "unack-active to ack-active",
            "ack-active to normal"
        ]
    );
}

#[test]
fn what_nobody_can_tell_neither_raises_nor_clears() {
    let mut bench = begun();
    bench.report(0, Own::Modem, Some(true), None);
    bench.report(30_000, Own::Modem, None, None);
    bench.pass(200_000);
    assert_eq!(bench.own(Own::Modem), AlarmState::Normal);
    bench.report(200_000, Own::Modem, Some(true), None);
    bench.pass(230_000);
    assert_eq!(bench.own(Own::Modem), AlarmState::UnackActive);
    bench.report(240_000, Own::Modem, None, None);
    bench.pass(900_000);
    assert_eq!(bench.own(Own::Modem), AlarmState::UnackActive);
}

#[test]
fn damage_that_was_found_stays_until_it_is_reset() {
    let mut bench = begun();
    bench.report(0, Own::StoreDamaged, Some(true), Some("a directory"));
    bench.report(0, Own::StoreDamaged, Some(false), None);
    assert_eq!(bench.own(Own::StoreDamaged), AlarmState::LatchedUnack);
}

#[test]
fn a_clock_that_is_never_set_is_told_although_times_are_wrong() {
    let unset = |ms| Now {
        clock: ClockState::Unsynced,
        ..now(ms)
    };
    let mut bench = Bench::left(plant_with_own(), unset(0), None);
    for second in 0..=601 {
        bench.engine.handle_time(unset(second * 1000));
        bench.drain();
    }
    assert_eq!(bench.own(Own::ClockUnset), AlarmState::UnackActive);
    bench.engine.handle_time(now(602_000));
    bench.drain();
    assert_eq!(bench.own(Own::ClockUnset), AlarmState::RtnUnack);
}

#[test]
fn a_dead_link_is_one_alarm_and_its_devices_are_suppressed() {
    let mut bench = begun();
    bench.link(0, true);
    bench.read(0, [2, 0, 0]);
    bench.records.clear();
    bench.link(1_000, false);
    bench.pass(40_000);
    assert_eq!(bench.own(LINK), AlarmState::UnackActive);
    assert_eq!(bench.no_data(), AlarmState::Suppressed);
    assert_eq!(bench.engine.sound(at(40_000)).alarms, 1);

    // Back, and read: the link's alarm goes after its delay, and nothing else is heard of it.
    bench.link(50_000, true);
    for second in 50..130 {
        bench.read(second * 1000, [2, 0, 0]);
    }
    assert_eq!(bench.own(LINK), AlarmState::RtnUnack);
    assert_eq!(bench.no_data(), AlarmState::Normal);
    assert_eq!(
        bench.changes_of("press-1.no-data"),
        [
            "normal to suppressed",
            "suppressed to suppressed",
            "suppressed to normal"
        ]
    );
}

#[test]
fn a_device_that_stays_silent_behind_a_link_that_is_back_is_raised() {
    let mut bench = begun();
    bench.link(0, true);
    bench.read(0, [2, 0, 0]);
    bench.link(1_000, false);
    // Shorter than the link's own delay.
    bench.link(10_000, true);
    bench.pass(10_000 + STALE - 1);
    assert_eq!(bench.no_data(), AlarmState::Suppressed);
    bench.pass(10_000 + STALE + 1_000);
    assert_eq!(bench.no_data(), AlarmState::UnackActive);
    assert_eq!(bench.own(LINK), AlarmState::Normal);
}

#[test]
fn silence_that_is_ending_is_not_raised_anew_while_its_delay_runs() {
    let mut plant = plant_with_own();
    plant.alarms[NO_DATA].off_delay_ms = 20_000;
    let mut bench = Bench::left(plant, now(0), None);
    bench.link(0, true);
    bench.link(1_000, false);
    bench.pass(20_000);
    assert_eq!(bench.no_data(), AlarmState::Suppressed);
    bench.link(20_000, true);
    for second in 20..50 {
        bench.read(second * 1000, [2, 0, 0]);
    }
    assert_eq!(bench.no_data(), AlarmState::Normal);
    let told = bench.changes_of("press-1.no-data");
    assert_eq!(
        told.last().map(String::as_str),
        Some("suppressed to normal")
    );
    assert!(
        !told
            .iter()
            .any(|change| change.starts_with("suppressed to un"))
    );
}

#[test]
fn a_fault_that_stood_before_its_link_died_stays_in_view() {
    let mut bench = begun();
    bench.link(0, true);
    bench.read(0, [7, 0, 0]);
    bench.link(1_000, false);
    bench.pass(60_000);
    assert_eq!(bench.alarms_state(0), AlarmState::UnackActive);
    assert!(bench.engine.alarms[0].undecided);
}

#[test]
fn over_a_restart_a_dead_link_goes_on_hiding_until_it_has_said_something() {
    let mut bench = begun();
    bench.link(0, true);
    bench.read(0, [2, 0, 0]);
    bench.link(1_000, false);
    bench.pass(40_000);
    let mut bench = bench.changed(plant_with_own(), 41_000);
    bench.pass(60_000);
    assert_eq!(bench.no_data(), AlarmState::Suppressed);
    assert_eq!(bench.own(LINK), AlarmState::UnackActive);
    bench.link(61_000, false);
    bench.pass(90_000);
    assert_eq!(bench.no_data(), AlarmState::Suppressed);
    assert_eq!(bench.changes_of("gateway.link-plc").len(), 1);
}

impl Bench {
    fn alarms_state(&self, index: usize) -> AlarmState {
        self.engine.alarms[index].state()
    }
}
