//! Sources that lie are found, and ordinary machines are not taken for liars.

mod machine;

use andon_core::calendar::Calendar;
use andon_core::engine::{Action, Engine};
use andon_core::modbus::decode::Words;
use andon_core::modbus::plan::{Plan, ReadIndex};
use andon_core::plant::{Device, Gateway, Link, Manners, Match, Model, Plant, StateMap};
use andon_core::quality::limits;
use andon_core::record::{Body, Event, Record, Run};
use andon_core::sample::{Quality, Reason};
use andon_core::state::State;
use andon_core::summary::{Tier, TierSet};
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
const SET_POINT: usize = 8;

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
        state: Some(StateMap {
            from: TagIndex(0),
            rules: vec![
                (Match::Range(0, 0), State::Idle),
                (Match::Range(2, 2), State::Producing),
                (Match::Range(3, 3), State::Delayed),
            ],
        }),
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
        publishes: TierSet::NONE.with(Tier::Minute),
        publishes_tags: TierSet::NONE,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
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
        links: vec![Link::network("plc")],
        devices: vec![device],
        alarms: vec![],
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
            wall: Wall(1_789_948_800_000 + i64::try_from(t).unwrap() * 1000),
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
        tags.nth(tag).unwrap().quality
    }

    /// Tags that were found to lie, as events tell it.
    fn events(&self) -> Vec<(Option<&str>, Reason, bool)> {
        let of = |record: &'_ Record| match &record.body {
            Body::Event(Event::Source { .. }) => true,
            _ => false,
        };
        let told = self.records.iter().filter(|record| of(record));
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

    fn good(&self) -> u64 {
        let of = |record: &Record| match &record.body {
            Body::Summary(summary) => summary.parts.good.unwrap_or(0),
            _ => 0,
        };
        self.records.iter().map(of).sum()
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

/// Thirty days, of which the seeds can be had from outside: `LIES_SEED=5 cargo test --test lies`.
fn a_month(seed: u64, rest: Rest, every_s: u64, rated: Option<u64>) {
    let given = std::env::var("LIES_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or(seed);
    let mut bench = Bench::new(seed, rest, every_s, rated);
    bench.run(30 * DAY);
    bench.no_alarm();
}

#[test]
fn a_month_of_a_machine_that_rests_over_night_is_no_lie() {
    a_month(1, Rest::Idle, 10, RATED);
}

#[test]
fn a_month_of_a_machine_whose_sensors_are_switched_off_is_no_lie() {
    a_month(2, Rest::Dark, 20, None);
}

#[test]
fn a_month_of_a_machine_that_is_switched_off_is_no_lie() {
    a_month(3, Rest::Off, 60, RATED);
}
