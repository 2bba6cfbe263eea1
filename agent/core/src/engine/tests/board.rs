//! The I/O board: its buttons, and counts that begin at zero again.

use super::*;
use crate::alarm::{AlarmState, Via};
use crate::call::Call;
use crate::plant::{Means, ReasonButton, StopReason};
use crate::sample::Sample;
use crate::tag::Pin;

/// The plant with a second alarm that is latched, and scrap counted by the board.
fn with_board() -> Plant {
    let mut plant = plant();
    let mut jam = plant.alarms[0].clone();
    jam.id = "jam".into();
    jam.latched = true;
    plant.alarms.push(jam);
    let device = &mut plant.devices[0];
    let mut model = (*device.model).clone();
    model.tags[2].source = Source::Board(Pin::Count(1));
    device.model = Arc::new(model);
    device.publishes_tags = TierSet::ALL;
    let reason = |id: &str, zh: &str| {
        Some(ReasonButton {
            means: Means::Stop(StopReason {
                id: id.into(),
                en: id.into(),
                zh: zh.into(),
            }),
            devices: [DeviceIndex(0)].into(),
        })
    };
    plant.buttons = [
        reason("no-material", "缺料"),
        None,
        reason("breakdown", "故障"),
    ];
    plant
}

fn bench() -> Bench {
    Bench::left(with_board(), now(0), None)
}

impl Bench {
    fn press(&mut self, ms: u64, press: Press) -> Pressed {
        let pressed = self.engine.handle_press(at(ms), press);
        self.drain();
        pressed
    }

    fn alarms(&self) -> Vec<AlarmState> {
        self.engine.alarms.iter().map(Alarm::state).collect()
    }

    fn reason(&mut self, ms: u64, button: usize) -> Option<usize> {
        let machines = self.engine.handle_button(at(ms), button, Press::Short);
        self.drain();
        machines
    }

    /// The scrap that the board has counted.
    fn scrap(&mut self, ms: u64, count: i64) {
        self.pass(ms.saturating_sub(1));
        let sample = Sample {
            reading: Reading::Good(Value::Int(count)),
            time: None,
        };
        let readings = [(TagIndex(2), sample)];
        self.engine
            .handle_readings(DeviceIndex(0), at(ms), &readings);
        self.drain();
    }

    fn boot(&mut self, ms: u64, boot_id: u32) {
        self.engine.handle_board_boot(at(ms), boot_id);
        self.drain();
    }

    /// From, to, and the cause, of every state that the journal tells.
    fn causes(&self) -> Vec<(State, Option<&str>)> {
        let of = |record: &'_ Record| matches!(&record.body, Body::Event(Event::State { .. }));
        let states = self.records.iter().filter(|record| of(record));
        states
            .filter_map(|record| match &record.body {
                Body::Event(Event::State { to, cause, .. }) => Some((*to, cause.as_deref())),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn the_first_short_press_silences_and_the_second_acknowledges_everything_by_the_board() {
    let mut bench = bench();
    bench.read(0, [7, 0, 0]);
    assert_eq!(bench.press(100, Press::Short), Pressed::Silenced(2));
    assert_eq!(bench.alarms()[0], AlarmState::UnackActive);
    assert_eq!(bench.engine.sound(at(100)).alarms, 0);
    assert_eq!(bench.press(200, Press::Short), Pressed::Acknowledged(2));
    let acked = [
        AlarmState::AckActive,
        AlarmState::Normal,
        AlarmState::AckActive,
    ];
    assert_eq!(bench.alarms(), acked);
    let vias: Vec<Via> = bench
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Event(Event::Alarm { done, .. }) => done.as_ref().map(|done| done.act.via),
            Body::Event(Event::Silence { act, .. }) => Some(act.via),
            _ => None,
        })
        .collect();
    assert_eq!(vias, [Via::Board; 3]);
    assert_eq!(bench.press(300, Press::Short), Pressed::Acknowledged(0));
}

#[test]
fn a_press_that_meets_a_new_alarm_acknowledges_nothing_that_nobody_has_heard() {
    let mut bench = bench();
    bench.read(0, [7, 0, 0]);
    bench.press(100, Press::Short);
    // It goes, and is raised anew, just before the second press.
    bench.read(200, [2, 0, 0]);
    bench.read(300, [7, 0, 0]);
    assert_eq!(bench.press(301, Press::Short), Pressed::Silenced(2));
    assert_eq!(bench.alarms()[0], AlarmState::UnackActive);
}

#[test]
fn a_long_press_acknowledges_at_once_and_a_held_one_resets_what_is_latched() {
    let mut bench = bench();
    bench.read(0, [7, 0, 0]);
    assert_eq!(bench.press(100, Press::Held), Pressed::Reset(0));
    assert_eq!(bench.press(200, Press::Long), Pressed::Acknowledged(2));
    bench.read(300, [2, 0, 0]);
    let gone = [
        AlarmState::Normal,
        AlarmState::Normal,
        AlarmState::LatchedAck,
    ];
    assert_eq!(bench.alarms(), gone);
    assert_eq!(bench.press(400, Press::Held), Pressed::Reset(1));
    assert_eq!(bench.alarms(), [AlarmState::Normal; 3]);
}

#[test]
fn an_alarm_out_of_view_is_not_acknowledged_with_the_others() {
    let mut bench = bench();
    bench.read(0, [7, 0, 0]);
    let command = Command {
        id: "press-1.jam".into(),
        verb: crate::alarm::Verb::Shelve(60_000),
        occurrence: None,
        act: crate::alarm::Act {
            by: None,
            via: Via::Cli,
            why: Some("known".into()),
        },
    };
    bench.engine.handle_command(at(1), command).unwrap();
    bench.drain();
    assert_eq!(bench.press(100, Press::Long), Pressed::Acknowledged(1));
    assert_eq!(bench.alarms()[2], AlarmState::Shelved);
}

/// However high the counts are by now: what lies between is nobody's knowledge.
#[test]
fn counts_of_another_start_of_the_board_are_counted_from_and_not_on() {
    for (before, boot_id, after, made, is_uncounted) in [
        (10, 1, 14, 4, false),
        (10, 2, 14, 0, true),
        (10, 2, 3, 0, true),
        (10, 2, 10, 0, true),
    ] {
        let mut bench = bench();
        bench.boot(0, 1);
        bench.read(1, [2, 0, 0]);
        bench.scrap(2, before);
        bench.boot(1_000, boot_id);
        bench.scrap(1_000, after);
        bench.scrap(1_500, after + 5);
        bench.read(60_001, [2, 0, 0]);
        let summary = bench.summaries()[0];
        let seen = (summary.parts.scrap, summary.uncounted_ms > 0);
        assert_eq!(seen, (Some(made + 5), is_uncounted), "{before} to {after}");
        let scrap = bench.tag_sums("scrap");
        assert_eq!(scrap, [made as f64 + 5.0], "{before} to {after}");
    }
}

#[test]
fn which_start_the_counts_belong_to_survives_with_them() {
    for (boot_id, made) in [(1, 9), (2, 5)] {
        let mut bench = bench();
        bench.boot(0, 1);
        bench.read(1, [2, 0, 0]);
        bench.scrap(2, 10);
        let mut bench = bench.changed(with_board(), 5_000);
        bench.boot(5_000, boot_id);
        bench.scrap(5_000, 14);
        bench.scrap(5_500, 19);
        bench.read(60_001, [2, 0, 0]);
        let scrap: Option<u64> = bench.summaries().iter().map(|s| s.parts.scrap).sum();
        assert_eq!(scrap, Some(made), "boot {boot_id}");
    }
}

#[test]
fn a_reason_holds_until_the_status_tells_something_else() {
    let mut bench = bench();
    bench.read(0, [3, 0, 0]);
    assert_eq!(bench.reason(500, 0), Some(1));
    bench.read(1_000, [3, 0, 0]);
    // Another one splits it.
    assert_eq!(bench.reason(1_500, 2), Some(1));
    bench.read(2_000, [7, 0, 0]);
    bench.read(3_000, [3, 0, 0]);
    bench.read(4_000, [2, 0, 0]);
    let told = [
        (State::Delayed, None),
        (State::Delayed, Some("no-material")),
        (State::Delayed, Some("breakdown")),
        (State::Faulted, Some("light curtain")),
        (State::Delayed, None),
        (State::Producing, None),
    ];
    assert_eq!(bench.causes(), told);
    assert_eq!(
        bench.segments(),
        [
            (State::Delayed, 0, None),
            (State::Delayed, 500, Some("no-material".into())),
            (State::Delayed, 1_500, Some("breakdown".into())),
            (State::Faulted, 2_000, None),
            (State::Delayed, 3_000, None),
            (State::Producing, 4_000, None),
        ]
    );
}

#[test]
fn a_reason_never_touches_a_machine_that_produces_or_has_no_order() {
    for status in [0, 2, 200] {
        let mut bench = bench();
        bench.read(0, [status, 0, 0]);
        let before = bench.causes().len();
        assert_eq!(bench.reason(500, 0), Some(0), "{status}");
        bench.read(1_000, [3, 0, 0]);
        assert_eq!(
            bench.causes()[before..],
            [(State::Delayed, None)],
            "{status}"
        );
    }
    assert_eq!(bench().reason(0, 1), None, "it means nothing");
}

/// The times are those that the machine tells, with a reason or without.
#[test]
fn a_reason_changes_no_time() {
    let times = |reasons: &[(u64, usize)]| {
        let mut bench = bench();
        for second in 0..=60u16 {
            let status = [2, 3, 7, 1][usize::from(second / 10) % 4];
            bench.read(u64::from(second) * 1000, [status, 0, 0]);
            for (ms, button) in reasons {
                if ms / 1000 == u64::from(second) {
                    bench.reason(*ms, *button);
                }
            }
        }
        bench.summaries()[0].times
    };
    assert_eq!(
        times(&[]),
        times(&[(5_500, 0), (12_500, 0), (22_500, 2), (35_500, 0)])
    );
}

/// Nobody knows what the machine did meanwhile, and it shows the same as before.
#[test]
fn a_reason_outlives_silence_and_a_restart() {
    let mut bench = bench();
    bench.read(0, [3, 0, 0]);
    bench.reason(500, 0);
    bench.read(10_000, [3, 0, 0]);
    bench.read(10_500, [3, 0, 0]);
    let told = [
        (State::Delayed, None),
        (State::Delayed, Some("no-material")),
        (State::Unknown, None),
        (State::Delayed, Some("no-material")),
    ];
    assert_eq!(bench.causes(), told);
    let mut bench = bench.changed(with_board(), 11_000);
    bench.read(12_000, [3, 0, 0]);
    let state = bench.engine.state(DeviceIndex(0)).unwrap();
    let cause = state.cause.map(|cause| (cause.en, cause.zh));
    assert_eq!(cause, Some(("no-material", "缺料")));
    bench.read(13_000, [2, 0, 0]);
    bench.read(14_000, [3, 0, 0]);
    assert_eq!(bench.engine.state(DeviceIndex(0)).unwrap().cause, None);
}

/// Short calls, long says that somebody has arrived, held that it is solved.
#[test]
fn a_button_calls_somebody_and_tells_that_they_came_and_that_it_is_solved() {
    let mut plant = with_board();
    let call = plant::Alarm::of_call(DeviceIndex(0), &plant.devices[0], Call::Material);
    plant.alarms.push(call);
    plant.buttons[1] = Some(ReasonButton {
        means: Means::Call(Call::Material),
        devices: [DeviceIndex(0)].into(),
    });
    let mut bench = Bench::left(plant, now(0), None);
    bench.read(0, [2, 0, 0]);
    for (ms, press, did, state) in [
        (100, Press::Short, 1, AlarmState::UnackActive),
        (200, Press::Short, 0, AlarmState::UnackActive),
        (300, Press::Long, 1, AlarmState::AckActive),
        (400, Press::Held, 1, AlarmState::Normal),
        (500, Press::Held, 0, AlarmState::Normal),
    ] {
        let done = bench.engine.handle_button(at(ms), 1, press);
        bench.drain();
        assert_eq!((done, bench.alarms()[3]), (Some(did), state), "{ms} ms");
    }
    let vias: Vec<Via> = bench
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Event(Event::Alarm { done, .. }) => done.as_ref().map(|done| done.act.via),
            _ => None,
        })
        .collect();
    assert_eq!(vias, [Via::Board; 3]);
}

impl Bench {
    /// What a tag came to in each minute that ended.
    fn tag_sums(&self, name: &str) -> Vec<f64> {
        let of = |record: &Record| match &record.body {
            Body::Tags(tags) if tags.tier == Tier::Minute => tags
                .tags
                .iter()
                .find(|tag| *tag.name == *name)
                .map(|tag| tag.sum.total),
            _ => None,
        };
        self.records.iter().filter_map(of).collect()
    }

    /// State, start in milliseconds and reason of each segment.
    fn segments(&mut self) -> Vec<(State, i64, Option<Arc<str>>)> {
        self.drain();
        let mut segments = crate::segments::Segments::default();
        let mut all = Vec::new();
        for page in &self.pages {
            if let crate::history::Leaf::Marks(marks) = &page.leaf {
                for mark in marks {
                    segments.take(mark, |segment| all.push(segment));
                }
            }
        }
        all.extend(segments.open());
        all.into_iter()
            .filter(|segment| segment.state != State::Unknown)
            .map(|segment| (segment.state, segment.from - Wall(WALL), segment.reason))
            .collect()
    }
}
