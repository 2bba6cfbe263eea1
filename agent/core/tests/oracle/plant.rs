//! The plant of a stream, as the engine knows it.

use crate::machine::{Condition, FAULT_CODES, Machine, Otherwise, Rate, Role, Told};
use crate::stream::{Stream, Works};
use andon_core::calendar::{Calendar, CalendarIndex, Rotation, Shift};
use andon_core::plant::{
    self as config, Derived, Device, Gateway, Link, Manners, Match, Model, Moving, Plant, Rates,
    StateMap, States,
};
use andon_core::rule::{Limit, Op, Rule};
use andon_core::sample;
use andon_core::state::State;
use andon_core::summary::{Tier, TierSet};
use andon_core::tag::{
    self, Counts, DeviceIndex, Kind, LinkIndex, Place, Point, Source, Summed, Table, Tag, TagIndex,
};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};
use std::num::NonZeroU16;
use std::sync::Arc;

/// The plant of a stream with these machines.
pub fn plant(stream: &Stream, machines: &[usize]) -> Plant {
    let calendars = stream.calendars.iter().enumerate();
    let mut calendars = calendars.map(|(at, works)| calendar(stream, at, works));
    Plant {
        gateway: gateway(),
        calendar: calendars
            .next()
            .unwrap_or_else(|| Calendar::always(TimeZone::UTC)),
        other_calendars: calendars.collect(),
        links: vec![Link::network("plc")],
        devices: machines
            .iter()
            .map(|at| device(*at, &stream.machines[*at]))
            .collect(),
        alarms: vec![],
        roster: Default::default(),
        horns: vec![],
        buttons: Default::default(),
        max_payload: 9_000,
        cfg: 0,
    }
}

pub fn gateway() -> Gateway {
    Gateway {
        root: "andon".into(),
        site: "s".into(),
        area: "a".into(),
        id: "gw".into(),
    }
}

fn calendar(stream: &Stream, number: usize, works: &Works) -> Calendar {
    let minute = |minutes: i64| u16::try_from(minutes).unwrap_or(0);
    let shifts = works.shifts.iter().enumerate().map(|(at, shift)| {
        let weekend = shift.weekends;
        let breaks = shift.breaks.iter();
        Shift {
            name: shift_name(number, at).into(),
            days: [true, true, true, true, true, weekend, weekend],
            start: minute(shift.start),
            end: minute(shift.end % 1440),
            crews: (0..CREWS.len())
                .map(|turn| CREWS[(number + at + turn) % CREWS.len()].into())
                .collect(),
            breaks: breaks
                .map(|(from, to)| (minute(*from), minute(*to)))
                .collect(),
        }
    });
    let zone = TimeZone::get(stream.zone.name()).unwrap_or(TimeZone::UTC);
    let holidays = works.holidays.iter();
    Calendar {
        id: match number {
            0 => "".into(),
            _ => format!("calendar-{number}").into(),
        },
        day_start: minute(works.day_start),
        shifts: shifts.collect(),
        holidays: holidays.map(|day| (date_of(*day), date_of(*day))).collect(),
        rotation: NonZeroU16::new(2).map(|days| Rotation {
            from: date_of(0),
            days,
        }),
        ..Calendar::always(zone)
    }
}

/// The name of a shift of a calendar.
pub fn shift_name(calendar: usize, index: usize) -> String {
    format!("shift {calendar}-{index}")
}

/// Three crews, of which each has a shift for two days.
const CREWS: [&str; 3] = ["A", "B", "C"];

/// The crew of a shift that starts on a day, counted from 1970.
pub fn crew(calendar: usize, shift: usize, day: i64) -> String {
    // Clocks that were never set begin in 1970, and west of Greenwich on the day before.
    let turn = day.div_euclid(2).rem_euclid(3);
    let first = usize::try_from(turn).unwrap_or(0);
    CREWS[(calendar + shift + first) % CREWS.len()].into()
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
        calendar: CalendarIndex(u8::try_from(machine.calendar).unwrap_or(0)),
        link: LinkIndex(0),
        unit: 1,
        manners: Manners::default(),
        model: Arc::new(Model {
            every_ms: 1_000,
            tags: tags(machine),
            state: Some(states(machine)),
            rates: match &machine.rate {
                Rate::ByProduct(map, or) => Some(Rates {
                    by: tag_index(machine.product()),
                    map: map
                        .iter()
                        .map(|(product, rate)| (sample::Value::Int(*product), *rate))
                        .collect(),
                    otherwise: *or,
                }),
                _ => None,
            },
            codes: vec![],
        }),
        rated_rate: match machine.rate {
            Rate::Fixed(rate) => Some(rate),
            _ => None,
        },
        stale_after_ms: machine.stale_after,
        late_ms: machine.late,
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

pub fn tag_index(tag: usize) -> TagIndex {
    TagIndex(u16::try_from(tag).unwrap_or(0))
}

fn tags(machine: &Machine) -> Vec<Tag> {
    let mut tags = vec![tag(machine, "status".into(), 0, Kind::U16, None)];
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
        let address = 1 + 4 * at;
        tags.push(tag(
            machine,
            format!("{counts:?}"),
            address,
            kind,
            Some(role),
        ));
    }
    for contact in 0..machine.contacts {
        let name = format!("contact-{contact}");
        tags.push(tag(machine, name, 100 + contact, Kind::U16, None));
    }
    tags.push(tag(machine, "product".into(), 120, Kind::U16, None));
    tags
}

fn tag(
    machine: &Machine,
    name: String,
    address: usize,
    kind: Kind,
    role: Option<tag::Role>,
) -> Tag {
    let address = u16::try_from(address).unwrap_or(0);
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
        source: match machine.has_stamps {
            true => Source::Message(Place::bare(None, kind)),
            false => Source::Modbus(Point::new(Table::Holding, address, kind)),
        },
    }
}

fn states(machine: &Machine) -> States {
    let Told::Conditions(rules, otherwise) = &machine.told else {
        return States::Status(StateMap {
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
        });
    };
    let all = 0..=machine.product();
    States::Derived(Derived {
        rules: rules
            .iter()
            .map(|(condition, code)| (rule(condition), state(*code)))
            .collect(),
        otherwise: match *otherwise {
            Otherwise::Unknown => config::Otherwise::Unknown,
            Otherwise::Status(code) => config::Otherwise::State(state(code)),
            Otherwise::Moving {
                tag,
                idle_after,
                stopped,
            } => config::Otherwise::Moving(Moving {
                tag: tag_index(tag),
                idle_after_ms: idle_after,
                stopped: state(stopped),
            }),
        },
        tags: all
            .filter(|tag| machine.told.asks(*tag))
            .map(tag_index)
            .collect(),
    })
}

fn state(code: i64) -> State {
    match code {
        0 => State::Idle,
        1 => State::Setup,
        2 => State::Producing,
        3 => State::Delayed,
        _ => State::Faulted,
    }
}

fn rule(condition: &Condition) -> Rule {
    match condition {
        Condition::Reaches(tag, least) => Rule::Tag {
            device: DeviceIndex(0),
            tag: tag_index(*tag),
            op: Op::GreaterEqual,
            limit: Limit::Number {
                limit: *least as f64,
                deadband: 0.0,
            },
        },
        Condition::And(a, b) => Rule::And(rule(a).into(), rule(b).into()),
        Condition::Or(a, b) => Rule::Or(rule(a).into(), rule(b).into()),
        Condition::Not(a) => Rule::Not(rule(a).into()),
    }
}
