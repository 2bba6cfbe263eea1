//! What people do to alarms, and that it survives.

use super::*;
use crate::alarm::{
    Act, AlarmState, LONGEST_BY, LONGEST_SHELF_MS, LONGEST_WHY, Refusal, Verb, Via,
};
use crate::record::Event;

impl Bench {
    fn command(&mut self, ms: u64, verb: Verb, occurrence: Option<u64>) -> Result<u16, Refused> {
        let command = Command {
            id: "press-1.fault".into(),
            verb,
            occurrence,
            act: li("looking into it"),
        };
        let done = self.engine.handle_command(at(ms), command);
        self.drain();
        done
    }

    fn alarm_state(&self) -> AlarmState {
        self.engine.alarms[0].state()
    }

    /// The journal of alarms, as words: what happened, from and to.
    fn journal(&self) -> Vec<String> {
        let event = |record: &Record| match &record.body {
            Body::Event(Event::Alarm {
                occurrence,
                from,
                to,
                done,
                ..
            }) => Some(alloc::format!(
                "{} {occurrence}: {} to {}",
                done.as_ref().map_or("alarm", |done| done.verb.as_str()),
                from.as_str(),
                to.as_str()
            )),
            _ => None,
        };
        self.records.iter().filter_map(event).collect()
    }
}

fn li(why: &str) -> Act {
    Act {
        by: Some("li".into()),
        via: Via::Cli,
        why: Some(why.into()),
    }
}

#[test]
fn an_acknowledged_alarm_is_normal_when_its_condition_is_gone() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    bench.published.clear();
    assert_eq!(bench.command(500, Verb::Acknowledge, Some(1)), Ok(0));
    assert_eq!(bench.published, [Current::Alarm(0)]);
    let message = bench.engine.alarm(0).unwrap();
    assert_eq!(message.alarm.acked, Some(Wall(WALL + 500)));
    assert_eq!(message.alarm.who(), Some(&li("looking into it")));
    bench.read(1_000, [2, 0, 0]);
    assert!(bench.engine.alarm(0).is_none(), "its topic is cleared");
    assert_eq!(
        bench.journal(),
        [
            "alarm 1: normal to unack-active",
            "ack 1: unack-active to ack-active",
            "alarm 1: ack-active to normal",
        ]
    );
}

#[test]
fn what_cannot_be_done_changes_nothing_and_is_not_told() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    let told = bench.records.len();
    let mut command = Command {
        id: "press-1.falut".into(),
        verb: Verb::Acknowledge,
        occurrence: None,
        act: li(""),
    };
    assert_eq!(
        bench.engine.handle_command(at(500), command.clone()),
        Err(Refused::Unknown)
    );
    command.id = "press-1".into();
    assert_eq!(
        bench.engine.handle_command(at(500), command),
        Err(Refused::Unknown)
    );
    let older = Refusal::Occurrence {
        named: 0,
        newest: 1,
    };
    assert_eq!(
        bench.command(500, Verb::Acknowledge, Some(0)),
        Err(Refused::Alarm(older))
    );
    assert_eq!(bench.alarm_state(), AlarmState::UnackActive);
    assert_eq!(bench.records.len(), told);
}

#[test]
fn every_state_comes_back_after_a_power_cut_as_it_was() {
    let mut latched = plant();
    latched.alarms[0].latched = true;
    type Steps = fn(&mut Bench);
    let lives: [(Steps, AlarmState); 6] = [
        (|_| {}, AlarmState::UnackActive),
        (
            |bench| drop(bench.command(1_000, Verb::Acknowledge, None)),
            AlarmState::AckActive,
        ),
        (
            |bench| bench.read(1_000, [2, 0, 0]),
            AlarmState::LatchedUnack,
        ),
        (
            |bench| {
                bench.read(1_000, [2, 0, 0]);
                bench.command(1_500, Verb::Acknowledge, None).unwrap();
            },
            AlarmState::LatchedAck,
        ),
        (
            |bench| drop(bench.command(1_000, Verb::Shelve(60_000), None)),
            AlarmState::Shelved,
        ),
        (
            |bench| drop(bench.command(1_000, Verb::OutOfService, None)),
            AlarmState::OutOfService,
        ),
    ];
    for (live, state) in lives {
        let mut bench = Bench::left(latched.clone(), now(0), None);
        bench.read(0, [7, 0, 0]);
        live(&mut bench);
        assert_eq!(bench.alarm_state(), state);
        let checkpoint = bench.engine.checkpoint();
        let left = Some(Left::Newest(&checkpoint));
        let again = Bench::left(latched.clone(), now(5_000), left);
        let undecided = |mut alarm: Alarm| {
            alarm.undecided = true;
            alarm
        };
        let moment = bench.engine.now;
        let [mut before, after] = [&bench, &again].map(|bench| bench.engine.alarms[0].clone());
        before = undecided(before.stored(moment));
        before.resume(moment);
        assert_eq!(after, before, "{state:?}");
    }
}

#[test]
fn a_latched_alarm_goes_by_a_reset_after_it_was_acknowledged() {
    let mut plant = plant();
    plant.alarms[0].latched = true;
    let mut bench = Bench::left(plant, now(0), None);
    bench.read(0, [7, 0, 0]);
    let reset = |bench: &mut Bench, ms| bench.command(ms, Verb::Reset, None);
    assert_eq!(reset(&mut bench, 100), Err(Refused::Alarm(Refusal::Active)));
    bench.read(1_000, [2, 0, 0]);
    assert_eq!(
        reset(&mut bench, 1_100),
        Err(Refused::Alarm(Refusal::NotAcknowledged))
    );
    bench.command(1_200, Verb::Acknowledge, None).unwrap();
    assert_eq!(bench.alarm_state(), AlarmState::LatchedAck);
    reset(&mut bench, 1_300).unwrap();
    assert!(bench.engine.alarm(0).is_none());
}

#[test]
fn a_shelf_ends_by_itself_whatever_the_wall_clock_shows() {
    for step in [-7_200_000, 0, 7_200_000] {
        let mut bench = Bench::new();
        bench.read(0, [7, 0, 0]);
        bench.command(1_000, Verb::Shelve(60_000), None).unwrap();
        bench.published.clear();
        let stepped = |ms| {
            let mut now = now(ms);
            now.wall = now.wall + step;
            now
        };
        for second in (1_500..60_500).step_by(1_000) {
            bench.read(second, [7, 0, 0]);
            bench.engine.handle_time(stepped(second));
            bench.drain();
        }
        assert_eq!(bench.alarm_state(), AlarmState::Shelved, "{step}");
        let until = bench.engine.alarm(0).unwrap().until;
        assert_eq!(until, Some(Wall(WALL + 61_000 + step)));
        let relabelled = bench.published.contains(&Current::Alarm(0));
        assert_eq!(relabelled, step != 0, "its end has another label");
        assert!(bench.engine.poll_deadline() <= at(61_000));
        bench.engine.handle_time(stepped(61_000));
        bench.drain();
        assert_eq!(bench.alarm_state(), AlarmState::UnackActive, "{step}");
        assert_eq!(bench.engine.alarms[0].occurrence, 2, "raised anew");
    }
}

#[test]
fn a_shelf_ends_by_itself_over_a_restart() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    bench.command(1_000, Verb::Shelve(60_000), None).unwrap();
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::resumed(30_000, Some(&checkpoint));
    bench.pass(60_999);
    assert_eq!(bench.alarm_state(), AlarmState::Shelved);
    bench.pass(61_000);
    assert_eq!(bench.alarm_state(), AlarmState::UnackActive);
    // It was over while nobody was there.
    let mut bench = Bench::resumed(90_000, Some(&checkpoint));
    bench.pass(90_000);
    assert_eq!(bench.alarm_state(), AlarmState::UnackActive);
    // Nobody knows how long the agent was gone: what was left is left.
    let mut start = now(200_000);
    start.wall = Wall(0);
    start.clock = ClockState::Unsynced;
    let mut bench = Bench::left(plant(), start, Some(Left::Newest(&checkpoint)));
    let mut later = start;
    later.mono = at(200_000 + 58_000);
    later.wall = Wall(58_000);
    bench.engine.handle_time(later);
    bench.drain();
    assert_eq!(bench.alarm_state(), AlarmState::Shelved);
    later.mono = at(200_000 + 60_000);
    later.wall = Wall(60_000);
    bench.engine.handle_time(later);
    bench.drain();
    assert_eq!(bench.alarm_state(), AlarmState::UnackActive);
}

#[test]
fn nobody_shelves_for_longer_than_a_shift() {
    let mut bench = Bench::new();
    let long = bench.command(0, Verb::Shelve(LONGEST_SHELF_MS + 1), None);
    assert_eq!(long, Err(Refused::Alarm(Refusal::ShelfTime)));
    bench
        .command(0, Verb::Shelve(LONGEST_SHELF_MS), None)
        .unwrap();
}

#[test]
fn in_a_planned_stop_an_alarm_can_be_suppressed() {
    let mut plant = plant();
    plant.alarms.truncate(1);
    plant.alarms[0].suppress_when = rule::parse("state == planned_stop", 0.0, &|_, _| {
        Ok(rule::Name::State(DeviceIndex(0)))
    })
    .ok();
    plant.calendar.shifts = vec![crate::calendar::Shift {
        name: "all".into(),
        days: [true; 7],
        start: 0,
        end: 0,
        // The second minute of the tests.
        crews: vec![],
        breaks: vec![(14 * 60 + 15, 14 * 60 + 16)],
    }];
    let mut bench = Bench::left(plant, now(0), None);
    // It stops by a fault in the break, which is over before the break is.
    bench.read(0, [2, 0, 0]);
    for second in 59..=130 {
        let word = if (65..90).contains(&second) || second > 100 {
            7
        } else {
            0
        };
        bench.read(second * 1000, [word, 0, 0]);
        let state = match second {
            65..=119 => AlarmState::Suppressed,
            120.. => AlarmState::UnackActive,
            _ => AlarmState::Normal,
        };
        assert_eq!(bench.alarm_state(), state, "second {second}");
        let sounds = bench.engine.alarms[0].sounds(at(second * 1000));
        assert_eq!(sounds, state == AlarmState::UnackActive, "second {second}");
    }
    assert_eq!(
        bench.journal(),
        [
            "alarm 1: normal to suppressed",
            "alarm 1: suppressed to suppressed",
            "alarm 2: suppressed to suppressed",
            "alarm 3: suppressed to unack-active",
        ],
        "what happens out of view is in the journal"
    );
}

#[test]
fn while_it_is_undecided_an_alarm_stays_suppressed() {
    let mut plant = plant();
    plant.alarms[1].on_delay_ms = 0;
    plant.alarms[1].suppress_when = rule::parse("state == idle", 0.0, &|_, _| {
        Ok(rule::Name::State(DeviceIndex(0)))
    })
    .ok();
    let mut bench = Bench::left(plant, now(0), None);
    let state = |bench: &Bench| bench.engine.alarms[1].state();
    bench.read(0, [0, 0, 0]);
    bench.pass(10_000);
    assert_eq!(state(&bench), AlarmState::Suppressed, "switched off");
    bench.read(11_000, [2, 0, 0]);
    assert_eq!(state(&bench), AlarmState::Normal);
    bench.pass(20_000);
    assert_eq!(state(&bench), AlarmState::UnackActive, "it worked last");
}

#[test]
fn without_its_rule_nothing_stays_suppressed() {
    let mut suppressing = plant();
    suppressing.alarms[0].suppress_when = rule::parse("state == faulted", 0.0, &|_, _| {
        Ok(rule::Name::State(DeviceIndex(0)))
    })
    .ok();
    let mut bench = Bench::left(suppressing, now(0), None);
    bench.read(0, [7, 0, 0]);
    assert_eq!(bench.alarm_state(), AlarmState::Suppressed);
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::resumed(5_000, Some(&checkpoint));
    bench.pass(5_000);
    assert_eq!(bench.alarm_state(), AlarmState::UnackActive);
}

#[test]
fn an_alarm_takes_no_more_of_a_checkpoint_than_is_planned_for() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    let before = bench.engine.checkpoint().len();
    for verb in [
        Verb::Acknowledge,
        Verb::Shelve(LONGEST_SHELF_MS),
        Verb::OutOfService,
    ] {
        let command = Command {
            id: "press-1.fault".into(),
            verb,
            occurrence: None,
            act: Act {
                by: Some("x".repeat(LONGEST_BY).into()),
                via: Via::Cli,
                why: Some("x".repeat(LONGEST_WHY).into()),
            },
        };
        bench.engine.handle_command(at(1_000), command).unwrap();
    }
    let with_all = bench.engine.checkpoint().len();
    // `agent/src/plan/disk.rs` counts on it; ids and the rest take 200 more at most.
    assert!(with_all - before <= 1000, "{before} and {with_all}");
}

#[test]
fn what_a_person_does_is_committed_at_once_and_to_what_is_so_by_then() {
    let mut bench = Bench::new();
    bench.read(0, [7, 0, 0]);
    bench.command(1_000, Verb::Shelve(1_000), None).unwrap();
    // The shelf is over, and nobody has looked since.
    let command = Command {
        id: "press-1.fault".into(),
        verb: Verb::Acknowledge,
        occurrence: Some(2),
        act: li(""),
    };
    bench.engine.handle_command(at(2_500), command).unwrap();
    let actions: Vec<Action> = core::iter::from_fn(|| bench.engine.poll_action()).collect();
    assert_eq!(actions.last(), Some(&Action::Commit));
    let stored = |action: &&Action| matches!(action, Action::Store(_));
    assert_eq!(actions.iter().filter(stored).count(), 2, "{actions:?}");
    assert_eq!(bench.alarm_state(), AlarmState::AckActive);
}

#[test]
fn silence_changes_no_alarm_and_a_new_one_sounds_again() {
    let mut bench = Bench::new();
    let sound = |bench: &Bench, ms| {
        let sound = bench.engine.sound(at(ms));
        (sound.alarms, sound.priority)
    };
    bench.read(0, [2, 0, 0]);
    assert_eq!(sound(&bench, 0), (0, None));
    assert_eq!(bench.engine.handle_silence(at(0), li("")), 0);
    bench.read(1_000, [7, 0, 0]);
    assert_eq!(sound(&bench, 1_000), (1, Some(Priority::High)));
    let told = bench.records.len();
    assert_eq!(bench.engine.handle_silence(at(2_000), li("")), 1);
    bench.drain();
    assert_eq!(bench.alarm_state(), AlarmState::UnackActive);
    let Body::Event(Event::Silence {
        count: 1, until, ..
    }) = &bench.records[told].body
    else {
        panic!("{:?}", bench.records[told]);
    };
    let until = *until;
    assert_eq!(until, Wall(WALL + 2_000 + 600_000));
    assert_eq!(bench.engine.sound(at(2_000)).silent_until, Some(until));
    assert_eq!(sound(&bench, 601_999), (0, None));
    assert_eq!(
        sound(&bench, 602_000),
        (1, Some(Priority::High)),
        "ten minutes"
    );
    // The other one has no data for a while.
    for ms in (3_000..40_000).step_by(1_000) {
        bench.pass(ms);
    }
    assert_eq!(
        sound(&bench, 40_000),
        (1, Some(Priority::High)),
        "a new alarm"
    );
    // And the first one anew.
    bench.read(41_000, [2, 0, 0]);
    assert_eq!(sound(&bench, 41_000).0, 1);
    bench.read(42_000, [7, 0, 0]);
    assert_eq!(sound(&bench, 42_000).0, 2);
    bench.command(43_000, Verb::Acknowledge, None).unwrap();
    assert_eq!(sound(&bench, 43_000).0, 1);
}
