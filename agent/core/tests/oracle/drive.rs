//! The engine, told what happens in a stream.

use crate::stream::{FAULT_CODES, Fact, Machine, Role, Stream, Value, What};
use andon_core::calendar::{Calendar, Rotation, Shift};
use andon_core::engine::{Action, Engine, Left};
use andon_core::history::{Leaf, Page};
use andon_core::modbus::plan::Plan;
use andon_core::plant::{Device, Gateway, Link, Manners, Match, Model, Plant, StateMap, States};
use andon_core::record::{Record, Run};
use andon_core::sample::{self, Reading, Reason, Sample};
use andon_core::state::State;
use andon_core::summary::{Tier, TierSet};
use andon_core::tag::{
    self, Counts, DeviceIndex, Kind, LinkIndex, Point, Source, Summed, Table, Tag, TagIndex,
};
use andon_core::time::{ClockState, Mono, Now, Wall};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};
use std::num::NonZeroU16;
use std::sync::Arc;

/// The records that a stream leaves, in their order.
pub fn drive(stream: &Stream, plant: &Arc<Plant>, facts: &[Fact]) -> Vec<Record> {
    let mut gateway: Option<OnGateway> = None;
    for fact in facts {
        let now = Now {
            mono: Mono(fact.mono),
            wall: Wall(fact.wall),
            clock: ClockState::Synced,
        };
        // What becomes of labels that are moved once the clock is set is held by the engine's own
        // tests (`engine/tests/unset.rs`); here such a clock is one that is far off.
        let clock = |_is_set: bool| ClockState::Synced;
        match (&fact.what, &mut gateway) {
            (What::Start { back, is_set }, gateway) => {
                let clock = clock(*is_set);
                let disk = gateway.take().map(|gateway| gateway.killed(*back));
                *gateway = Some(OnGateway::start(plant, Now { clock, ..now }, disk));
            }
            (_, None) => {}
            (What::Commit, Some(gateway)) => gateway.commit(),
            (What::Look { is_set }, Some(gateway)) => {
                let clock = clock(*is_set);
                gateway.catch_up(now.mono);
                gateway.engine.handle_time(Now { clock, ..now });
                gateway.drain();
            }
            (What::Read(machine, readings), Some(gateway)) => {
                gateway.catch_up(now.mono);
                let counters = &stream.machines[*machine].counters;
                let samples: Vec<(TagIndex, Sample)> = readings
                    .iter()
                    .map(|reading| {
                        debug_assert!(reading.tag <= counters.len());
                        (
                            TagIndex(u16::try_from(reading.tag).unwrap_or(0)),
                            sample(reading.value),
                        )
                    })
                    .collect();
                let device = DeviceIndex(u16::try_from(*machine).unwrap_or(0));
                gateway.engine.handle_readings(device, now.mono, &samples);
                gateway.drain();
            }
        }
    }
    gateway.map_or(vec![], |gateway| gateway.disk.records)
}

fn sample(value: Value) -> Sample {
    let reading = match value {
        Value::Good(raw) => Reading::Good(sample::Value::Int(raw)),
        Value::Retained(raw) => Reading::Uncertain(sample::Value::Int(raw), Reason::Retained),
        Value::Bad => Reading::Bad(Reason::Timeout),
    };
    reading.into()
}

/// What is on disk.
#[derive(Default)]
struct Disk {
    records: Vec<Record>,
    pages: Vec<Page>,
    commits: Vec<Commit>,
    starts: u32,
}

#[derive(Clone)]
struct Commit {
    checkpoint: Vec<u8>,
    records: usize,
}

/// The engine and its disk.
struct OnGateway {
    engine: Engine,
    disk: Disk,
}

impl OnGateway {
    fn start(plant: &Arc<Plant>, now: Now, disk: Option<Disk>) -> OnGateway {
        let mut disk = disk.unwrap_or_default();
        disk.starts += 1;
        let run = Run {
            id: u64::from(disk.starts),
            boot: disk.starts,
            cfg: plant.cfg,
        };
        let plan = Arc::new(Plan::new(plant));
        let checkpoint = disk.commits.last().map(|commit| commit.checkpoint.clone());
        let left = checkpoint.as_deref().map(Left::Newest);
        // The pieces, and then the minutes.
        let is_piece = |page: &&Page| matches!(page.leaf, Leaf::Piece(_));
        let pieces = disk.pages.iter().filter(is_piece);
        let others = disk.pages.iter().filter(|page| !is_piece(page));
        let history: Vec<Page> = pieces.chain(others).cloned().collect();
        if let Some(last) = left.and_then(|left| left.last_page()) {
            disk.pages.retain(|page| page.number <= last);
        }
        let engine = Engine::with_history(Arc::clone(plant), plan, run, now, left, history);
        let mut gateway = OnGateway { engine, disk };
        gateway.drain();
        gateway.catch_up(now.mono);
        gateway
    }

    fn catch_up(&mut self, to: Mono) {
        while !self.engine.catch_up(to) {
            self.drain();
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => self.disk.records.push(record),
                Action::Keep(page) => self.disk.pages.push(page),
                _ => {}
            }
        }
    }

    fn commit(&mut self) {
        let checkpoint = self.engine.checkpoint();
        self.drain();
        self.disk.commits.push(Commit {
            checkpoint,
            records: self.disk.records.len(),
        });
    }

    /// What is left of it if the last `back` commits are lost with the engine. Pages are written
    /// before the commit that knows them, and may be there without it.
    fn killed(self, back: usize) -> Disk {
        let mut disk = self.disk;
        let left = disk.commits.len().saturating_sub(back).max(1);
        disk.commits.truncate(left);
        let records = disk.commits.last().map_or(0, |commit| commit.records);
        disk.records.truncate(records);
        disk
    }
}

/// The plant of a stream.
pub fn plant(stream: &Stream) -> Plant {
    let devices = stream.machines.iter().enumerate();
    Plant {
        gateway: Gateway {
            root: "andon".into(),
            site: "s".into(),
            area: "a".into(),
            id: "gw".into(),
        },
        calendar: calendar(stream),
        other_calendars: vec![],
        links: vec![Link::network("plc")],
        devices: devices.map(|(at, machine)| device(at, machine)).collect(),
        alarms: vec![],
        roster: Default::default(),
        horns: vec![],
        max_payload: 9_000,
        cfg: 0,
    }
}

fn calendar(stream: &Stream) -> Calendar {
    let minute = |minutes: i64| u16::try_from(minutes).unwrap_or(0);
    let shifts = stream.works.shifts.iter().enumerate().map(|(at, shift)| {
        let weekend = shift.weekends;
        Shift {
            name: shift_name(at).into(),
            days: [true, true, true, true, true, weekend, weekend],
            start: minute(shift.start),
            end: minute(shift.end % 1440),
            crews: (0..CREWS.len())
                .map(|turn| CREWS[(at + turn) % CREWS.len()].into())
                .collect(),
            breaks: shift
                .breaks
                .iter()
                .map(|(from, to)| (minute(*from), minute(*to)))
                .collect(),
        }
    });
    let zone = TimeZone::get(stream.zone.name()).unwrap_or(TimeZone::UTC);
    let holidays = stream.works.holidays.iter();
    Calendar {
        day_start: minute(stream.works.day_start),
        shifts: shifts.collect(),
        holidays: holidays.map(|day| (date_of(*day), date_of(*day))).collect(),
        rotation: NonZeroU16::new(2).map(|days| Rotation {
            from: date_of(0),
            days,
        }),
        ..Calendar::always(zone)
    }
}

/// The name of a shift.
pub fn shift_name(index: usize) -> String {
    format!("shift {index}")
}

/// Three crews, of which each has a shift for two days.
const CREWS: [&str; 3] = ["A", "B", "C"];

/// The crew of a shift that starts on a day, counted from 1970.
pub fn crew(shift: usize, day: i64) -> String {
    // Clocks that were never set begin in 1970, and west of Greenwich on the day before.
    let turn = day.div_euclid(2).rem_euclid(3);
    let first = usize::try_from(turn).unwrap_or(0);
    CREWS[(shift + first) % CREWS.len()].into()
}

/// A day, counted from 1970.
pub fn date_of(day: i64) -> Date {
    let days: Span = day.days();
    date(1970, 1, 1).saturating_add(days)
}

/// The id of a machine.
pub fn id(at: usize) -> String {
    format!("press-{at}")
}

fn device(at: usize, machine: &Machine) -> Device {
    let point = |address: usize, kind| {
        Point::new(Table::Holding, u16::try_from(address).unwrap_or(0), kind)
    };
    let mut tags = vec![tag("status", point(0, Kind::U16), None)];
    for (at, counter) in machine.counters.iter().enumerate() {
        let kind = match counter.top {
            Some(0xFFFF) => Kind::U16,
            None => Kind::I64,
            _ => Kind::U32,
        };
        let counts = match counter.role {
            Role::Good => Counts::Good,
            Role::Scrap => Counts::Scrap,
            Role::Total => Counts::Total,
        };
        let role = tag::Role {
            counts,
            parts: u32::try_from(counter.parts).unwrap_or(0),
            wrap: counter.top.filter(|top| *top == 999).map(|top| top + 1),
        };
        tags.push(tag(
            &format!("{counts:?}"),
            point(1 + 4 * at, kind),
            Some(role),
        ));
    }
    let tiers = [Tier::Minute, Tier::Hour, Tier::Shift, Tier::Day];
    let publishes: TierSet = tiers
        .into_iter()
        .filter(|tier| machine.tiers.contains(&tier.as_str()))
        .collect();
    Device {
        id: id(at).into(),
        name: "Press".into(),
        line: None,
        asset: None,
        profile: None,
        calendar: Default::default(),
        link: LinkIndex(0),
        unit: 1,
        manners: Manners::default(),
        model: Arc::new(Model {
            every_ms: 1_000,
            tags,
            state: Some(States::Status(StateMap {
                from: TagIndex(0),
                rules: vec![
                    (Match::Range(0, 0), State::Idle),
                    (Match::Range(1, 1), State::Setup),
                    (Match::Range(2, 2), State::Producing),
                    (Match::Range(3, 3), State::Delayed),
                    (
                        Match::Range(*FAULT_CODES.start(), *FAULT_CODES.end()),
                        State::Faulted,
                    ),
                ],
            })),
            rates: None,
            codes: vec![],
        }),
        rated_rate: machine.rate,
        stale_after_ms: machine.stale_after,
        late_ms: 0,
        publishes,
        publishes_tags: TierSet::NONE,
        no_scrap: machine.no_scrap,
        min_coverage: u16::try_from(machine.min_coverage).unwrap_or(0),
        min_exposure_ms: machine.min_exposure,
        merge_faults_ms: machine.merge_faults,
        // Random streams look like lies; those have tests of their own.
        detect: Arc::default(),
    }
}

fn tag(name: &str, point: Point, role: Option<tag::Role>) -> Tag {
    Tag {
        name: name.into(),
        unit: "".into(),
        summed: if role.is_some() {
            Summed::Counter
        } else {
            Summed::Level
        },
        role,
        range: None,
        every_ms: 1_000,
        source: Source::Modbus(point),
    }
}
