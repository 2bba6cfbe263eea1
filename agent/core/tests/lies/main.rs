//! Sources that lie are found, and ordinary machines are not taken for liars.

mod machine;

use andon_core::calendar::Calendar;
use andon_core::engine::{Action, Engine};
use andon_core::modbus::decode::Words;
use andon_core::modbus::plan::{Plan, ReadIndex};
use andon_core::plant::{Device, Gateway, Link, Manners, Match, Model, Plant, StateMap, States};
use andon_core::quality::limits;
use andon_core::record::{Body, Event, Record, Run};
use andon_core::sample::{Quality, Reason};
use andon_core::state::State;
use andon_core::summary::{Summary, Tier, TierSet};
use andon_core::tag::{
    Counts, Detectors, DeviceIndex, Kind, LinkIndex, Point, Role, Source, Summed, Table, Tag,
    TagIndex,
};
use andon_core::time::{ClockState, Mono, Now, Wall};
use machine::{Machine, REGISTERS, Rest};
use std::sync::Arc;

const STATUS: usize = 0;
const GOOD: usize = 1;
const ENERGY: usize = 3;

/// Name, first register, type, scale, of everything that the machine shows.
const TAGS: [(&str, u16, Kind, f64); 18] = [
    ("status", 0, Kind::U16, 1.0),
    ("good", 1, Kind::U32, 1.0),
    ("scrap", 3, Kind::U16, 1.0),
    ("energy", 4, Kind::U32, 0.1),
    ("temperature", 6, Kind::F32, 1.0),
    ("slow", 8, Kind::I16, 0.5),
    ("pressure", 9, Kind::I16, 0.1),
    ("current", 10, Kind::F32, 1.0),
    ("set_point", 12, Kind::F32, 1.0),
    ("vibration", 14, Kind::F32, 1.0),
    ("level", 16, Kind::U16, 0.1),
    ("weight", 17, Kind::U16, 1.0),
    ("ambient", 18, Kind::I16, 0.1),
    ("speed", 19, Kind::U16, 0.01),
    ("step", 20, Kind::U16, 1.0),
    ("recipe", 21, Kind::U16, 1.0),
    ("torque", 22, Kind::F32, 1.0),
    ("flow", 24, Kind::F32, 1.0),
];

/// Those of them that move while the machine runs: ten measured values.
const LEVELS: [usize; 10] = [4, 5, 6, 7, 9, 10, 11, 12, 16, 17];

fn plant(every_ms: u64, rated: Option<u64>) -> Plant {
    let tag = |(index, (name, address, kind, scale)): (usize, &(&str, u16, Kind, f64))| {
        let role = match index {
            GOOD => Some(Counts::Good),
            2 => Some(Counts::Scrap),
            _ => None,
        };
        let point = Point {
            scale: *scale,
            ..Point::new(Table::Holding, *address, *kind)
        };
        Tag {
            name: (*name).into(),
            unit: if index == ENERGY { "kWh" } else { "" }.into(),
            role: role.map(|counts| Role {
                counts,
                parts: 1,
                wrap: None,
            }),
            summed: match (role, index) {
                (Some(_), _) | (_, ENERGY) => Summed::Counter,
                _ => Summed::Level,
            },
            range: None,
            every_ms,
            source: Source::Modbus(point),
        }
    };
    let model = Model {
        every_ms,
        tags: TAGS.iter().enumerate().map(tag).collect(),
        state: Some(States::Status(StateMap {
            from: TagIndex(0),
            rules: vec![
                (Match::Range(0, 0), State::Idle),
                (Match::Range(2, 2), State::Producing),
                (Match::Range(3, 3), State::Delayed),
            ],
        })),
        rates: None,
        codes: vec![],
    };
    let device = Device {
        id: "press-1".into(),
        name: "Press".into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(0),
        unit: 1,
        manners: Manners::default(),
        model: Arc::new(model),
        rated_rate: rated,
        stale_after_ms: 3 * every_ms,
        late_ms: 0,
        publishes: TierSet::NONE.with(Tier::Minute),
        publishes_tags: TierSet::NONE,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: [Detectors::ALL; TAGS.len()].into(),
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
        alarms: vec![],
        roster: Default::default(),
        horns: vec![],
        buttons: Default::default(),
        max_payload: 9000,
        cfg: 0,
    }
}

/// A machine with an engine that reads it.
struct Bench {
    machine: Machine,
    engine: Engine,
    every_s: u64,
    records: Vec<Record>,
    /// What was told of qualities, by tag.
    told: Vec<(u64, &'static str, Quality)>,
}

impl Bench {
    fn new(seed: u64, rest: Rest, every_s: u64, rated: Option<u64>) -> Bench {
        let plant = Arc::new(plant(every_s * 1000, rated));
        let plan = Arc::new(Plan::new(&plant));
        assert_eq!(plan.reads.len(), 1);
        let run = Run {
            id: 1,
            boot: 1,
            cfg: 0,
        };
        let mut bench = Bench {
            machine: Machine::new(seed, rest),
            engine: Engine::new(plant, plan, run, Bench::now(0), None),
            every_s,
            records: vec![],
            told: vec![],
        };
        bench.drain();
        bench
    }

    fn now(t: u64) -> Now {
        Now {
            mono: Mono(5_000_000_000 + t * 1000),
            // A Monday, 00:00 UTC.
            wall: Wall(1_789_948_800_000 + t.cast_signed() * 1000),
            clock: ClockState::Synced,
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => {
                    let is_minute = matches!(record.body, Body::Summary(_));
                    let is_source = matches!(record.body, Body::Event(Event::Source { .. }));
                    if is_minute || is_source {
                        self.records.push(record);
                    }
                }
                Action::Quality(_, tag, quality) => {
                    let name = TAGS[usize::from(tag.0)].0;
                    self.told.push((self.machine.t, name, quality));
                }
                _ => {}
            }
        }
    }

    /// One poll of what the machine shows, or of what somebody makes of it.
    fn poll(&mut self, lie: impl FnOnce(&mut [u16; REGISTERS])) {
        self.machine.pass(self.every_s);
        let mut registers = self.machine.registers;
        lie(&mut registers);
        let now = Bench::now(self.machine.t);
        while self.engine.poll_deadline() < now.mono {
            let t = (self.engine.poll_deadline().0 - 5_000_000_000) / 1000;
            self.engine.handle_time(Bench::now(t));
            self.drain();
        }
        let answer = match self.machine.answers {
            true => Ok(Words::Registers(&registers[..26])),
            false => Err(Reason::Timeout),
        };
        self.engine.handle_read(ReadIndex(0), now.mono, answer);
        self.drain();
    }

    fn run(&mut self, seconds: u64) {
        let end = self.machine.t + seconds;
        while self.machine.t < end {
            self.poll(|_| {});
        }
    }

    /// Goes on until the machine has produced for some minutes.
    fn until_it_produces(&mut self) {
        let mut polls = 0;
        while polls < 300 / self.every_s {
            self.poll(|_| {});
            polls = if self.machine.producing { polls + 1 } else { 0 };
        }
    }

    fn quality(&self, tag: usize) -> Quality {
        let now = Bench::now(self.machine.t).mono;
        let mut tags = self.engine.tags(DeviceIndex(0), now);
        tags.nth(tag).expect("the tag is there").quality
    }

    /// Tags that were found to lie, as events tell it.
    fn events(&self) -> Vec<(Option<&str>, Reason, bool)> {
        let told = self.records.iter();
        told.filter_map(|record| match &record.body {
            Body::Event(Event::Source {
                tag,
                reason,
                begins,
                ..
            }) => Some((tag.as_deref(), *reason, *begins)),
            _ => None,
        })
        .collect()
    }

    fn minutes(&self) -> impl Iterator<Item = &Summary> {
        self.records.iter().filter_map(|record| match &record.body {
            Body::Summary(summary) => Some(&**summary),
            _ => None,
        })
    }

    /// Parts that were counted in closed minutes.
    fn good(&self) -> u64 {
        self.minutes().filter_map(|minute| minute.parts.good).sum()
    }

    /// Parts that the machine has really made.
    fn made(&self) -> u64 {
        let registers = self.machine.registers;
        u64::from(registers[1]) * 65_536 + u64::from(registers[2]) - 100_000
    }

    fn no_alarm(&self) {
        let days = |t: u64| t as f64 / 86_400.0;
        let told: Vec<_> = self
            .told
            .iter()
            .map(|(t, tag, quality)| format!("day {:.3} {tag} {quality:?}", days(*t)))
            .collect();
        assert_eq!(told, Vec::<String>::new());
        assert_eq!(self.events(), vec![]);
    }
}

const DAY: u64 = 86_400;

/// One part in six seconds, in thousandths of a part per hour.
const RATED: Option<u64> = Some(600_000);

/// Another seed than that of the test, from outside: `LIES_SEED=5 cargo test --test lies`.
fn seed(of_test: u64) -> u64 {
    let given = std::env::var("LIES_SEED").ok();
    let given = given.and_then(|seed| seed.parse::<u64>().ok());
    given.map_or(of_test, |given| given * 100 + of_test)
}

fn a_month(of_test: u64, rest: Rest, every_s: u64, rated: Option<u64>) {
    let seed = seed(of_test);
    let mut bench = Bench::new(seed, rest, every_s, rated);
    bench.run(30 * DAY);
    bench.no_alarm();
}

#[test]
fn a_month_of_a_machine_that_rests_over_night_is_no_lie() {
    a_month(1, Rest::Idle, 15, RATED);
}

#[test]
fn a_month_of_a_machine_whose_sensors_are_switched_off_is_no_lie() {
    a_month(2, Rest::Dark, 20, None);
}

#[test]
fn a_month_of_a_machine_that_is_switched_off_is_no_lie() {
    a_month(3, Rest::Off, 60, RATED);
}

/// A machine at which everything is normal for as long as it takes to learn that, and the longest
/// run of polls for which each tag was the same while it produced.
fn learned(of_test: u64) -> (Bench, [u32; TAGS.len()]) {
    let mut bench = Bench::new(seed(of_test), Rest::Idle, 10, RATED);
    let mut runs = [0; TAGS.len()];
    let mut longest = [0; TAGS.len()];
    let mut before = bench.machine.registers;
    while bench.machine.t < 4 * DAY + 7 * 3600 {
        bench.poll(|_| {});
        let registers = bench.machine.registers;
        for (index, (_, at, kind, _)) in TAGS.iter().enumerate() {
            let at = usize::from(*at);
            let of = at..at + usize::from(kind.registers());
            let same = registers[of.clone()] == before[of];
            runs[index] = match (same, bench.machine.producing) {
                (true, true) => runs[index] + 1,
                (true, false) => runs[index],
                (false, _) => 0,
            };
            longest[index] = longest[index].max(runs[index]);
        }
        before = registers;
    }
    bench.no_alarm();
    (bench, longest)
}

fn place(tag: usize) -> std::ops::Range<usize> {
    let (_, at, kind, _) = TAGS[tag];
    usize::from(at)..usize::from(at) + usize::from(kind.registers())
}

fn is_producing(bench: &Bench) -> bool {
    let machine = bench.engine.machine(DeviceIndex(0));
    machine.is_some_and(|machine| machine.state() == State::Producing)
}

/// Polls until `tag` has this quality, of which at most `most` while the machine says that it
/// produces.
fn found(
    bench: &mut Bench,
    tag: usize,
    quality: Quality,
    most: u32,
    lie: impl Fn(&mut [u16; REGISTERS]),
) {
    let mut polls = 0;
    while bench.quality(tag) != quality {
        let name = TAGS[tag].0;
        assert!(polls < most, "{name} is not found within {most} polls");
        bench.poll(&lie);
        polls += u32::from(bench.machine.producing);
    }
}

/// What holds the registers of a tag as they are.
fn held(bench: &Bench, tag: usize) -> impl Fn(&mut [u16; REGISTERS]) + use<> {
    let registers = bench.machine.registers;
    move |now| now[place(tag)].copy_from_slice(&registers[place(tag)])
}

/// Twenty polls, or four times the longest run that the detector has seen; it may have been one poll
/// shorter or longer than the test saw it.
fn limit(longest: u32) -> u32 {
    ((longest + 1) * limits::RUN_FACTOR).max(limits::LEAST_RUN) + 3
}

#[test]
fn each_level_that_freezes_is_found_within_its_learned_limit() {
    let (mut bench, longest) = learned(11);
    for tag in LEVELS {
        bench.until_it_produces();
        // At rest, that is at zero, anything may stay.
        while bench.machine.registers[place(tag)].iter().all(|r| *r == 0) {
            bench.poll(|_| {});
        }
        let lie = held(&bench, tag);
        for _ in 0..5 {
            bench.poll(&lie);
            assert_eq!(bench.quality(tag), Quality::Good, "{}", TAGS[tag].0);
        }
        let frozen = Quality::Bad(Reason::Frozen);
        found(&mut bench, tag, frozen, limit(longest[tag]), &lie);
        let others = (0..TAGS.len()).filter(|other| *other != tag);
        for other in others {
            assert_eq!(bench.quality(other), Quality::Good, "{}", TAGS[other].0);
        }
        // It moves again, and is good at once.
        bench.poll(|now| {
            lie(now);
            now[place(tag).end - 1] ^= 1;
        });
        assert_eq!(bench.quality(tag), Quality::Good, "{}", TAGS[tag].0);
        bench.run(300);
    }
    // Each was told twice: that it began and that it ended.
    let mut expected = vec![];
    for tag in LEVELS {
        expected.push((Some(TAGS[tag].0), Reason::Frozen, true));
        expected.push((Some(TAGS[tag].0), Reason::Frozen, false));
    }
    assert_eq!(bench.events(), expected);
}

#[test]
fn each_level_that_slips_is_found_at_once_and_where_it_stays_it_is_believed() {
    let (mut bench, _) = learned(12);
    let slip = Quality::Bad(Reason::ImplausibleStep);
    for tag in LEVELS {
        bench.until_it_produces();
        while bench.machine.registers[place(tag)].iter().all(|r| *r == 0) {
            bench.poll(|_| {});
        }
        // All ones; of a float, a million.
        let lie = |now: &mut [u16; REGISTERS]| {
            now[place(tag)].copy_from_slice(&[0x7FFF, 0xFFFF][..place(tag).len()]);
            if place(tag).len() == 2 {
                now[place(tag)].copy_from_slice(&[0x4974, 0x2400]);
            }
        };
        bench.poll(lie);
        assert_eq!(bench.quality(tag), slip, "{}", TAGS[tag].0);
        bench.poll(|_| {});
        assert_eq!(bench.quality(tag), Quality::Good, "{}", TAGS[tag].0);
        bench.run(300);
        while bench.machine.registers[place(tag)].iter().all(|r| *r == 0) {
            bench.poll(|_| {});
        }
        for poll in 1..=5 {
            bench.poll(lie);
            let believed = poll >= limits::BELIEVED_AT;
            let quality = if believed { Quality::Good } else { slip };
            assert_eq!(bench.quality(tag), quality, "{} {poll}", TAGS[tag].0);
        }
        bench.run(300);
    }
}

#[test]
fn a_counter_that_stands_still_is_found_and_the_state_says_so() {
    let (mut bench, longest) = learned(13);
    for tag in [GOOD, ENERGY] {
        bench.until_it_produces();
        let lie = held(&bench, tag);
        let still = Quality::Uncertain(Reason::StandingStill);
        found(&mut bench, tag, still, limit(longest[tag]), &lie);
        bench.poll(&lie);
        if bench.machine.producing {
            assert_eq!(bench.quality(STATUS), still);
            assert!(is_producing(&bench), "what it says is still accounted");
        }
        bench.poll(|_| {});
        bench.poll(|_| {});
        assert_eq!(bench.quality(tag), Quality::Good);
        assert_eq!(bench.quality(STATUS), Quality::Good);
        bench.run(300);
    }
}

#[test]
fn a_counter_that_never_counts_is_found_by_the_rated_rate() {
    let mut bench = Bench::new(14, Rest::Idle, 10, RATED);
    let lie = |now: &mut [u16; REGISTERS]| now[place(GOOD)].fill(17);
    let still = Quality::Uncertain(Reason::StandingStill);
    while !bench.machine.producing {
        bench.poll(lie);
    }
    let hour = 360;
    found(&mut bench, GOOD, still, 20 * hour, lie);
}

#[test]
fn a_copy_of_a_machine_makes_its_time_unknown() {
    let (mut bench, longest) = learned(15);
    bench.until_it_produces();
    let registers = bench.machine.registers;
    let lie = |now: &mut [u16; REGISTERS]| *now = registers;
    let frozen = Quality::Bad(Reason::Frozen);
    let slowest = longest.into_iter().enumerate();
    let slowest = slowest.filter(|(tag, _)| LEVELS.contains(tag) || [GOOD, ENERGY].contains(tag));
    let most = slowest.map(|(_, longest)| limit(longest)).max().unwrap();
    // The machine itself says nothing any more: each poll counts.
    let polls = (0..=most).find(|_| {
        bench.poll(lie);
        bench.quality(STATUS) == frozen
    });
    assert!(polls.is_some(), "it is not found within {most} polls");
    for _ in 0..20 {
        assert_eq!(bench.quality(STATUS), frozen);
        bench.poll(lie);
    }
    assert!(!is_producing(&bench));
    let told = bench.events().len();
    // Of what moves again one is enough; it takes the poll after.
    bench.poll(|_| {});
    bench.poll(|_| {});
    assert_eq!(bench.quality(STATUS), Quality::Good);
    bench.run(600);
    let ended = bench.events()[told..].iter().all(|(_, _, begins)| !begins);
    assert!(ended && bench.events().len() == 2 * told);
}

#[test]
fn zeros_for_a_dead_controller_are_found_at_once_and_reset_no_counter() {
    for at_rest in [false, true] {
        let (mut bench, _) = learned(16);
        if at_rest {
            while bench.machine.producing || bench.machine.t % DAY < 23 * 3600 {
                bench.poll(|_| {});
            }
        } else {
            bench.until_it_produces();
        }
        for _ in 0..8 {
            bench.poll(|now| now.fill(0));
            for tag in 0..TAGS.len() {
                assert_eq!(bench.quality(tag), Quality::Bad(Reason::AllZero));
            }
        }
        assert!(!is_producing(&bench));
        bench.until_it_produces();
        bench.run(120);
        let counted = bench.good();
        assert!(counted.abs_diff(bench.made()) <= 15, "{counted}");
        let whole = [true, false].map(|begins| (None, Reason::AllZero, begins));
        assert_eq!(bench.events(), whole);
    }
}

#[test]
fn a_count_that_slips_is_not_counted_and_nothing_is_lost() {
    let (mut bench, _) = learned(17);
    bench.until_it_produces();
    let slip = |now: &mut [u16; REGISTERS]| now[1] += 3;
    for _ in 0..2 {
        bench.poll(slip);
        let why = Quality::Uncertain(Reason::ImplausibleCount);
        assert_eq!(bench.quality(GOOD), why);
        bench.poll(|_| {});
        assert_eq!(bench.quality(GOOD), Quality::Good);
        bench.run(300);
    }
    let drop = |now: &mut [u16; REGISTERS]| now[place(GOOD)].fill(0);
    bench.poll(drop);
    bench.poll(|_| {});
    bench.run(300);
    assert!(
        bench.good().abs_diff(bench.made()) <= 15,
        "{}",
        bench.good()
    );
}

#[test]
fn a_counter_that_was_exchanged_goes_on_from_where_it_is() {
    let (mut bench, _) = learned(18);
    bench.until_it_produces();
    let exchanged = |now: &mut [u16; REGISTERS]| now[1] += 3;
    for poll in 1..=4 {
        bench.poll(exchanged);
        let is_held = poll < limits::BELIEVED_AT;
        assert_eq!(bench.quality(GOOD) != Quality::Good, is_held, "{poll}");
    }
    for _ in 0..100 {
        bench.poll(exchanged);
    }
    let uncounted: u64 = bench.minutes().map(|minute| minute.uncounted_ms).sum();
    assert_eq!(uncounted, 30_000, "since the last count that was believed");
    // What was made in these thirty seconds, and what the open minute has.
    assert!(
        bench.good().abs_diff(bench.made()) <= 20,
        "{}",
        bench.good()
    );
}
