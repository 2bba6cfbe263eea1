use super::*;
use crate::calendar::Calendar;
use crate::modbus::decode::Words;
use crate::modbus::plan::ReadIndex;
use crate::plant::{
    self, Device, Gateway, Link, Manners, Match, Model, Priority, StateMap, States,
};
use crate::rule;
use crate::sample::Reading;
use crate::summary::{Summary, Tier, TierSet};
use crate::tag::{Counts, Kind, Point, Role, Source, Summed, Table, Tag};
use crate::time::ClockState;
use alloc::vec;
use proptest::prelude::*;

mod board;
mod calendar;
mod calendars;
mod calls;
mod changed;
mod commands;
mod derived;
mod edges;
mod gaps;
mod history;
mod horns;
mod late;
mod late_data;
mod notices;
mod own;
mod power;
mod rates;
mod restart;
mod ruled;
mod shown;
mod source_time;
mod sources;
mod storm;
mod tags;
mod unset;

/// A wall clock at the start of a minute, and a monotonic one far from zero.
const WALL: i64 = 1_790_000_040_000;
const MONO: u64 = 5_000_000_000;
const STALE: u64 = 3_000;

fn at(ms: u64) -> Mono {
    Mono(MONO + ms)
}

fn now(ms: u64) -> Now {
    Now {
        mono: at(ms),
        wall: Wall(WALL + i64::try_from(ms).unwrap()),
        clock: ClockState::Synced,
    }
}

fn tag(name: &str, address: u16, kind: Kind, counts: Option<Counts>) -> Tag {
    Tag {
        name: name.into(),
        unit: "".into(),
        summed: if counts.is_some() {
            Summed::Counter
        } else {
            Summed::Level
        },
        role: counts.map(|counts| Role {
            counts,
            parts: 1,
            wrap: None,
        }),
        range: None,
        every_ms: 1000,
        source: Source::Modbus(Point::new(Table::Holding, address, kind)),
    }
}

/// A press as in `press-line.toml`, with the alarms `fault` and `no-data`.
fn plant() -> Plant {
    let model = Arc::new(Model {
        every_ms: 1000,
        tags: vec![
            tag("status", 0, Kind::U16, None),
            tag("good", 1, Kind::U16, Some(Counts::Good)),
            tag("scrap", 2, Kind::U16, Some(Counts::Scrap)),
        ],
        state: Some(States::Status(StateMap {
            from: TagIndex(0),
            rules: vec![
                (Match::Range(0, 0), State::Idle),
                (Match::Range(1, 1), State::Setup),
                (Match::Range(2, 2), State::Producing),
                (Match::Range(3, 3), State::Delayed),
                (Match::Range(4, 99), State::Faulted),
            ],
        })),
        rates: None,
        codes: vec![plant::Code {
            value: 7,
            en: "light curtain".into(),
            zh: "光幕".into(),
        }],
    });
    let device = Device {
        id: "press-1".into(),
        name: "press-1".into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(0),
        unit: 1,
        manners: Manners::default(),
        model,
        rated_rate: Some(3_600_000),
        stale_after_ms: STALE,
        late_ms: 0,
        publishes: TierSet::ALL,
        publishes_tags: TierSet::NONE,
        no_scrap: false,
        min_coverage: 5_000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: Arc::default(),
    };
    let alarm = |id: &str, when: &str, on_delay_ms| plant::Alarm {
        owner: plant::Owner::Device(DeviceIndex(0)),
        id: id.into(),
        priority: Priority::High,
        when: rule::parse(when, 0.0, &|_, name| match name {
            "state" => Ok(rule::Name::State(DeviceIndex(0))),
            _ => Ok(rule::Name::NoData(DeviceIndex(0))),
        })
        .unwrap(),
        on_delay_ms,
        off_delay_ms: 0,
        latched: false,
        group: None,
        suppress_when: None,
        text_en: "".into(),
        text_zh: "".into(),
    };
    Plant {
        gateway: Gateway {
            root: "andon".into(),
            site: "s".into(),
            area: "a".into(),
            id: "gw".into(),
        },
        calendar: Calendar::always(jiff::tz::TimeZone::UTC),
        other_calendars: vec![],
        links: vec![Link::network("plc")],
        devices: vec![device],
        horns: vec![],
        buttons: Default::default(),
        alarms: vec![
            alarm("fault", "state == faulted", 0),
            alarm("no-data", "no_data", 30_000),
        ],
        roster: Default::default(),
        max_payload: 9000,
        cfg: 0xabcd,
    }
}

/// An engine with everything it has asked for so far.
struct Bench {
    engine: Engine,
    records: Vec<Record>,
    pages: Vec<Page>,
    published: Vec<Current>,
    relabel: Option<Relabel>,
}

impl Bench {
    fn new() -> Bench {
        Bench::resumed(0, None)
    }

    fn resumed(start: u64, checkpoint: Option<&[u8]>) -> Bench {
        let reads = Plan::new(&plant()).reads.len();
        assert_eq!(reads, 1, "the tests speak of one read of three registers");
        Bench::left(plant(), now(start), checkpoint.map(Left::Newest))
    }

    fn left(plant: Plant, start: Now, left: Option<Left<'_>>) -> Bench {
        Bench::kept(plant, start, left, &[])
    }

    /// Goes on with the pages that were kept.
    fn kept(plant: Plant, start: Now, left: Option<Left<'_>>, pages: &[Page]) -> Bench {
        let plant = Arc::new(plant);
        let plan = Arc::new(Plan::new(&plant));
        let run = Run {
            id: 1,
            boot: 1,
            cfg: plant.cfg,
        };
        let mut bench = Bench {
            engine: Engine::with_history(plant, plan, run, start, left, in_order(pages)),
            records: vec![],
            pages: vec![],
            published: vec![],
            relabel: None,
        };
        bench.drain();
        while !bench.engine.catch_up(start.mono) {
            bench.drain();
        }
        bench.drain();
        bench
    }

    fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => self.records.push(record),
                Action::Keep(page) => self.pages.push(page),
                Action::Publish(current) => self.published.push(current),
                Action::Relabel(relabel) => self.relabel = Some(relabel),
                Action::Commit
                | Action::Checkpoint
                | Action::Notices(_)
                | Action::Horn
                | Action::Quality(..) => {}
            }
        }
    }

    /// Lets the engine do everything it has a deadline for, up to `ms`.
    fn pass(&mut self, ms: u64) {
        while self.engine.poll_deadline() <= at(ms) {
            let deadline = self.engine.poll_deadline().max(self.engine.now);
            self.engine.handle_time(now(deadline.0 - MONO));
            self.drain();
        }
    }

    fn read(&mut self, ms: u64, registers: [u16; 3]) {
        self.pass(ms.saturating_sub(1));
        self.engine
            .handle_read(ReadIndex(0), at(ms), Ok(Words::Registers(&registers)));
        self.drain();
    }

    fn fail(&mut self, ms: u64) {
        self.pass(ms.saturating_sub(1));
        self.engine
            .handle_read(ReadIndex(0), at(ms), Err(Reason::Timeout));
        self.drain();
    }

    /// Goes on as another plant at this moment, with all that has been told so far.
    fn changed(mut self, plant: Plant, ms: u64) -> Bench {
        self.engine.keep_tags();
        let checkpoint = self.engine.checkpoint();
        self.drain();
        let left = Some(Left::Newest(&checkpoint));
        let mut bench = Bench::kept(plant, now(ms), left, &self.pages);
        let (mut records, mut pages) = (self.records, self.pages);
        records.append(&mut bench.records);
        pages.append(&mut bench.pages);
        (bench.records, bench.pages) = (records, pages);
        bench
    }

    /// The minutes so far.
    fn summaries(&self) -> Vec<&Summary> {
        windows(&self.records, Tier::Minute)
    }

    fn states(&self) -> Vec<(State, State)> {
        let of = |record: &Record| match &record.body {
            Body::Event(Event::State { from, to, .. }) => Some((*from, *to)),
            _ => None,
        };
        self.records.iter().filter_map(of).collect()
    }
}

/// The pieces, and then the minutes.
fn in_order(pages: &[Page]) -> Vec<Page> {
    let is_piece = |page: &&Page| matches!(page.leaf, crate::history::Leaf::Piece(_));
    let pieces = pages.iter().filter(is_piece);
    let others = pages.iter().filter(|page| !is_piece(page));
    pieces.chain(others).cloned().collect()
}

/// The windows of a tier.
fn windows(records: &[Record], tier: Tier) -> Vec<&Summary> {
    let of_tier = |record: &'_ Record| match &record.body {
        Body::Summary(summary) => summary.tier == tier,
        _ => false,
    };
    let records = records.iter().filter(|record| of_tier(record));
    records
        .filter_map(|record| match &record.body {
            Body::Summary(summary) => Some(&**summary),
            _ => None,
        })
        .collect()
}

#[test]
fn a_minute_of_every_state_adds_up_and_counts() {
    let mut bench = Bench::new();
    // Each second a reading; the status changes every 10 s, a part is made each second.
    for second in 0..=60u16 {
        let status = [2, 2, 2, 7, 3, 1][usize::from(second / 10) % 6];
        bench.read(u64::from(second) * 1000, [status, 100 + second, 5]);
    }
    let summaries = bench.summaries();
    assert_eq!(summaries.len(), 1);
    let summary = summaries[0];
    assert_eq!(
        (summary.start, summary.end),
        (Wall(WALL), Wall(WALL + 60_000))
    );
    assert_eq!(summary.times.of(State::Producing), 30_000);
    assert_eq!(summary.times.of(State::Faulted), 10_000);
    assert_eq!(summary.times.of(State::Delayed), 10_000);
    assert_eq!(summary.times.of(State::Setup), 10_000);
    // The reading at 60 s belongs to the next minute.
    assert_eq!(
        (summary.parts.good, summary.parts.scrap),
        (Some(59), Some(0))
    );
    assert_eq!(
        (summary.failures, summary.repairs, summary.repair_ms),
        (1, 1, 10_000)
    );
    let capacity = summary.capacity.unwrap();
    assert_eq!((capacity.planned, capacity.producing), (60_000, 30_000));
    let expected = [
        (State::Unknown, State::Producing),
        (State::Producing, State::Faulted),
        (State::Faulted, State::Delayed),
        (State::Delayed, State::Setup),
        (State::Setup, State::Producing),
    ];
    assert_eq!(bench.states(), expected);
}

#[test]
fn numbers_are_unbroken() {
    let mut bench = Bench::new();
    for second in 0..300 {
        bench.read(second * 1000, [u16::try_from(second % 9).unwrap(), 0, 0]);
    }
    let numbers: Vec<u64> = bench.records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let events = bench
        .records
        .iter()
        .filter(|record| matches!(record.body, Body::Event(_)));
    assert!(events.map(|record| record.n).eq(1..=bench.engine.events));
}

#[test]
fn a_silent_device_becomes_unknown_after_its_stale_time_and_not_before() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    for second in 1..60 {
        bench.fail(second * 1000);
    }
    bench.pass(60_000);
    let times = bench.summaries()[0].times;
    assert_eq!(
        (times.of(State::Producing), times.of(State::Unknown)),
        (STALE, 60_000 - STALE)
    );
    assert_eq!(
        bench.states().last(),
        Some(&(State::Producing, State::Unknown))
    );
    assert_eq!(bench.engine.health().devices_bad, 1);
    assert_eq!(bench.engine.tally().bad_samples, 59 * 3);
}

#[test]
fn why_a_state_is_unknown_is_the_first_reason_since_it_was_known() {
    let mut bench = Bench::new();
    let why = |bench: &Bench| bench.engine.state(DeviceIndex(0)).unwrap().quality;
    assert_eq!(why(&bench), Quality::Bad(Reason::NeverRead));
    bench.fail(500);
    assert_eq!(why(&bench), Quality::Bad(Reason::Timeout));
    bench.read(1_000, [2, 0, 0]);
    assert_eq!(why(&bench), Quality::Good);
    bench.fail(2_000);
    assert_eq!(why(&bench), Quality::Good, "it holds until it is stale");
    bench.pass(5_000);
    assert_eq!(why(&bench), Quality::Bad(Reason::Timeout));
    bench.read(6_000, [2, 0, 0]);
    bench.pass(10_000);
    assert_eq!(
        why(&bench),
        Quality::Bad(Reason::Stale),
        "nobody even tried"
    );
}

#[test]
fn an_alarm_is_raised_cleared_and_published() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    bench.published.clear();
    bench.read(1000, [7, 0, 0]);
    assert!(bench.published.contains(&Current::Alarm(0)));
    let message = bench.engine.alarm(0).unwrap();
    assert_eq!(message.alarm.value, Some(Value::Int(7)));
    assert_eq!(message.alarm.occurrence, 1);
    // A dead link never looks like a recovery.
    for second in 2..20 {
        bench.fail(second * 1000);
    }
    assert_eq!(
        bench.engine.alarms[0].state(),
        crate::alarm::AlarmState::UnackActive
    );
    assert!(bench.engine.alarms[0].undecided);
    bench.read(20_000, [2, 0, 0]);
    assert_eq!(
        bench.engine.alarms[0].state(),
        crate::alarm::AlarmState::RtnUnack
    );
}

#[test]
fn a_break_is_a_planned_stop_and_ends_no_fault() {
    let mut plant = plant();
    let by_plan = rule::parse("state == planned_stop", 0.0, &|_, _| {
        Ok(rule::Name::State(DeviceIndex(0)))
    });
    plant.alarms[1].when = by_plan.unwrap();
    plant.alarms[1].on_delay_ms = 0;
    plant.calendar.shifts = vec![crate::calendar::Shift {
        name: "all".into(),
        days: [true; 7],
        start: 0,
        end: 0,
        // The second minute of the tests.
        breaks: vec![(14 * 60 + 15, 14 * 60 + 16)],
        crews: vec![],
    }];
    let mut bench = Bench::left(plant, now(0), None);
    let active = |bench: &Bench| [0, 1].map(|at| bench.engine.alarms[at].is_active());
    for second in 0..=60 {
        assert_eq!(active(&bench), [second > 0, false]);
        bench.read(second * 1000, [7, 0, 0]);
    }
    bench.pass(61_000);
    assert_eq!(active(&bench), [true, true]);
    // Silent by now, which does not change the plan.
    bench.pass(119_000);
    assert_eq!(active(&bench), [true, true]);
    bench.pass(121_000);
    assert_eq!(active(&bench), [true, false]);
}

#[test]
fn silence_is_told_when_the_last_good_sample_is_as_old_as_the_delay() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    bench.pass(29_999);
    assert_eq!(bench.engine.alarms[1].occurrence, 0);
    bench.pass(30_000);
    assert_eq!(bench.engine.alarms[1].occurrence, 1);
}

#[test]
fn an_unmapped_status_is_unknown_and_named_once() {
    let mut bench = Bench::new();
    for second in 0..5 {
        bench.read(second * 1000, [1234, 0, 0]);
    }
    let named = |record: &&Record| {
        matches!(
            &record.body,
            Body::Event(Event::UnmappedState {
                value: Value::Int(1234),
                ..
            })
        )
    };
    assert_eq!(bench.records.iter().filter(named).count(), 1);
    assert_eq!(
        bench.engine.machine(DeviceIndex(0)).unwrap().state(),
        State::Unknown
    );
}

#[test]
fn a_restart_continues_the_window_and_the_counters() {
    let mut bench = Bench::new();
    for second in 0..20 {
        bench.read(second * 1000, [2, u16::try_from(second).unwrap(), 0]);
    }
    let checkpoint = bench.engine.checkpoint();
    // Seven dead seconds, then it goes on; eight parts were made meanwhile.
    let mut bench = Bench::resumed(26_000, Some(&checkpoint));
    for second in 27..=60 {
        bench.read(second * 1000, [2, u16::try_from(second).unwrap(), 0]);
    }
    let summaries = bench.summaries();
    assert_eq!(summaries.len(), 1);
    let summary = summaries[0];
    assert_eq!(
        (summary.start, summary.end),
        (Wall(WALL), Wall(WALL + 60_000))
    );
    assert_eq!(summary.times.of(State::Unknown), 8_000);
    assert_eq!(summary.times.of(State::Producing), 52_000);
    assert_eq!((summary.parts.good, summary.parts.gap_total), (Some(59), 8));
    assert_eq!(
        summary.parts.gap_before_ms, 0,
        "the window contains the whole gap"
    );
}

#[test]
fn a_wall_clock_set_back_closes_the_window_and_counts_the_fold() {
    let mut bench = Bench::new();
    bench.read(0, [2, 0, 0]);
    bench.pass(20_000);
    let mut stepped = now(20_500);
    stepped.wall = Wall(WALL - 59_500);
    bench.engine.handle_time(stepped);
    bench.drain();
    {
        let first = bench.summaries()[0];
        assert_eq!(
            (first.window_ms(), first.end - first.start),
            (20_500, 20_500)
        );
    }
    // One minute later by the monotonic clock; the labels are run over a second time.
    let mut end = now(80_500);
    end.wall = Wall(WALL + 500);
    bench.engine.handle_time(end);
    bench.drain();
    let second = *bench.summaries().last().unwrap();
    assert_eq!(
        (second.start, second.end, second.fold),
        (Wall(WALL - 59_500), Wall(WALL), 1)
    );
}

#[test]
fn a_retained_count_is_not_taken_for_a_reset() {
    let mut bench = Bench::new();
    bench.read(0, [2, 100, 0]);
    bench.read(1000, [2, 105, 0]);
    let old = Reading::Uncertain(Value::Int(90), Reason::Retained);
    bench
        .engine
        .handle_readings(DeviceIndex(0), at(1500), &[(TagIndex(1), old.into())]);
    bench.drain();
    bench.read(2000, [2, 106, 0]);
    bench.pass(60_000);
    let summary = bench.summaries()[0];
    assert_eq!((summary.parts.good, summary.uncounted_ms), (Some(6), 0));
}

#[test]
fn everything_at_once_fits_into_the_actions_of_one_call() {
    let mut plant = plant();
    let model = Model {
        // A hundred tags that all turn bad in one answer.
        tags: (0..100)
            .map(|n| tag(&alloc::format!("r{n}"), n, Kind::U16, None))
            .collect(),
        ..(*plant.devices[0].model).clone()
    };
    plant.devices[0].model = Arc::new(model);
    for tag in &mut Arc::get_mut(&mut plant.devices[0].model).unwrap().tags {
        tag.range = Some((0.0, 50.0));
    }
    plant.calendar.shifts = (0..12u16)
        .map(|n| crate::calendar::Shift {
            name: "two hours".into(),
            days: [true; 7],
            start: n * 120,
            end: (n * 120 + 120) % 1440,
            breaks: vec![(n * 120 + 30, n * 120 + 45)],
            crews: vec![],
        })
        .collect();
    let mut bench = Bench::left(plant, now(0), None);
    let good = [2; 100];
    bench
        .engine
        .handle_read(ReadIndex(0), at(1000), Ok(Words::Registers(&good)));
    bench.drain();
    // 23 hours of silence end with an answer in which everything is out of range.
    let late = 23 * 3_600_000;
    bench
        .engine
        .handle_read(ReadIndex(0), at(late), Ok(Words::Registers(&[99; 100])));
    bench.drain();
    let mut stepped = now(late + 23 * 3_600_000);
    stepped.wall = stepped.wall + 7_200_000;
    bench.engine.handle_time(stepped);
    bench.drain();
    let mut end = bench.summaries()[0].start;
    for summary in bench.summaries() {
        assert!(summary.start >= end, "windows follow each other");
        end = summary.end;
        let length = u64::try_from(summary.end - summary.start).unwrap();
        assert_eq!(summary.window_ms(), length);
    }
}

#[test]
fn retained_messages_show_a_state_with_a_caveat() {
    let mut bench = Bench::new();
    let reading = Reading::Uncertain(Value::Int(2), Reason::Retained);
    bench
        .engine
        .handle_readings(DeviceIndex(0), at(0), &[(TagIndex(0), reading.into())]);
    bench.drain();
    let state = bench.engine.state(DeviceIndex(0)).unwrap();
    assert_eq!(state.state, State::Producing);
    assert_eq!(state.quality, Quality::Uncertain(Reason::Retained));
}

/// What a machine did, told the slow way: the state of each single millisecond.
fn millisecond_by_millisecond(samples: &[(u64, Option<u16>)], length: u64) -> Vec<State> {
    let state = |code: u16| match code {
        0 => State::Idle,
        1 => State::Setup,
        2 => State::Producing,
        3 => State::Delayed,
        4..=99 => State::Faulted,
        _ => State::Unknown,
    };
    (0..length)
        .map(|ms| {
            let mut good = samples
                .iter()
                .filter(|(at, code)| *at <= ms && code.is_some());
            match good.next_back() {
                Some((at, Some(code))) if ms < at + STALE => state(*code),
                _ => State::Unknown,
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is read when, and however often the agent is restarted from its checkpoint, the
    /// windows hold exactly what a count of single milliseconds gives.
    #[test]
    fn windows_are_exact_to_the_millisecond(
        gaps in proptest::collection::vec((1u64..5_000, proptest::option::weighted(0.85, 0u16..12)), 1..80),
        restarts in proptest::collection::vec(any::<bool>(), 80),
    ) {
        let mut samples = vec![];
        let mut ms = 0;
        for (gap, code) in gaps {
            ms += gap;
            samples.push((ms, code));
        }
        let length = (ms / 60_000 + 1) * 60_000;
        let mut bench = Bench::new();
        let mut records = vec![];
        let mut dead = vec![];
        for (index, &(ms, code)) in samples.iter().enumerate() {
            match code {
                Some(code) => bench.read(ms, [code, 0, 0]),
                None => bench.fail(ms),
            }
            if restarts[index] {
                // Dead from this sample to the next one.
                let until = samples.get(index + 1).map_or(ms, |next| next.0 - 1);
                let checkpoint = bench.engine.checkpoint();
                records.append(&mut bench.records);
                bench = Bench::resumed(until, Some(&checkpoint));
                dead.push((ms, until));
            }
        }
        bench.pass(length);
        records.append(&mut bench.records);
        let mut expected = millisecond_by_millisecond(&samples, length);
        for (from, to) in dead {
            // A new run knows nothing until it has read.
            let next = samples.iter().find(|(at, code)| *at > from && code.is_some());
            let to = next.map_or(length, |next| next.0).max(to);
            let from = usize::try_from(from).unwrap();
            let to = usize::try_from(to.min(length)).unwrap();
            expected[from..to].fill(State::Unknown);
        }
        let mut covered = 0;
        for record in &records {
            let Body::Summary(summary) = &record.body else { continue };
            let from = usize::try_from(summary.start - Wall(WALL)).unwrap();
            let to = usize::try_from(summary.end - Wall(WALL)).unwrap();
            prop_assert_eq!(from, covered, "windows follow each other without hole");
            covered = to;
            for state in State::ALL {
                let slow = expected[from..to].iter().filter(|s| **s == state).count();
                prop_assert_eq!(summary.times.of(state), slow as u64, "{:?} in {}..{}", state, from, to);
            }
        }
        prop_assert_eq!(covered as u64, length);
    }
}
