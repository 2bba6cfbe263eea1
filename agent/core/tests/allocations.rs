//! In steady state the way of a sample through the core allocates nothing.

#![expect(unsafe_code, reason = "a counting allocator is a global allocator")]

use andon_core::calendar::Calendar;
use andon_core::engine::Engine;
use andon_core::kpi::Measure;
use andon_core::modbus::decode::Words;
use andon_core::modbus::plan::{Plan, ReadIndex};
use andon_core::plant::{
    Alarm, Derived, Device, Gateway, Horn, Link, Manners, Match, Model, Moving, Otherwise, Owner,
    Plant, Priority, Rates, Sequence, StateMap, States,
};
use andon_core::record::Run;
use andon_core::rule::{Name, Rule, parse};
use andon_core::sample::{Reading, Reason, Value};
use andon_core::state::State;
use andon_core::summary::TierSet;
use andon_core::tag::{
    Bits, Counts, Detectors, DeviceIndex, Kind, LinkIndex, Point, Role, Source, Summed, Table, Tag,
    TagIndex,
};
use andon_core::time::{ClockState, Mono, Now, Wall};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

/// Counts what this thread allocates; others (the test harness) do not matter.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    COUNT.with(Cell::get)
}

const REGISTERS: u16 = 100;
const DEVICES: u16 = 20;

/// Where a power of ten and a text are.
const FACTOR: u16 = 84;
const SERIAL: u16 = 91;

fn tag(address: u16) -> Tag {
    let counts = [None, Some(Counts::Good), Some(Counts::Scrap)];
    let counts = counts.get(usize::from(address)).copied().flatten();
    Tag {
        name: format!("r{address}").into(),
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
        range: (address > 50).then_some((0.0, 100_000.0)),
        every_ms: 1000,
        source: Source::Modbus(point(address)),
    }
}

/// Mostly plain registers, and one of each other thing that a point can be.
fn point(address: u16) -> Point {
    let plain = |kind| Point::new(Table::Holding, address, kind);
    match address {
        FACTOR => plain(Kind::I16),
        85 => Point {
            power_of_ten: Some(TagIndex(FACTOR)),
            absent: [0x8000, 0x7FFF].into(),
            ..plain(Kind::I16)
        },
        86 => Point {
            bits: Bits::new(2, 9),
            ..plain(Kind::U16)
        },
        87 => Point {
            bits: Bits::new(3, 3),
            ..plain(Kind::Bool)
        },
        88 => plain(Kind::Bcd16),
        89 => plain(Kind::EpochS),
        SERIAL => Point {
            length: 8,
            ..plain(Kind::Text)
        },
        81.. => Point {
            scale: 0.1,
            ..plain(Kind::U16)
        },
        _ => plain(Kind::U16),
    }
}

fn other_serial() -> Rule {
    let resolve = |_: Option<&str>, _: &str| Ok(Name::Tag(DeviceIndex(0), TagIndex(SERIAL)));
    parse("serial == 'SE30K'", 0.0, &resolve).expect("the rule is right")
}

fn plant() -> Plant {
    let model = Arc::new(Model {
        every_ms: 1000,
        tags: (0..REGISTERS).map(tag).collect(),
        state: Some(States::Status(StateMap {
            from: TagIndex(0),
            rules: vec![
                (Match::Range(2, 2), State::Producing),
                (Match::Range(4, 99), State::Faulted),
            ],
        })),
        rates: Some(Rates {
            by: TagIndex(SERIAL),
            map: vec![],
            otherwise: Some(3_600_000),
        }),
        codes: vec![],
    });
    // The others have no state word: they produce while they count.
    let derived = Arc::new(Model {
        state: Some(States::Derived(Derived {
            rules: vec![(other_serial(), State::Faulted)],
            otherwise: Otherwise::Moving(Moving {
                tag: TagIndex(1),
                idle_after_ms: 60_000,
                stopped: State::Idle,
            }),
            tags: vec![TagIndex(SERIAL), TagIndex(1)],
        })),
        ..(*model).clone()
    });
    let devices = (0..DEVICES).map(|n| Device {
        id: format!("press-{n}").into(),
        name: "Press".into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(0),
        unit: 1,
        manners: Manners::default(),
        model: Arc::clone(if n % 2 == 0 { &model } else { &derived }),
        rated_rate: None,
        stale_after_ms: 3000,
        late_ms: 15 * 60_000,
        publishes: TierSet::ALL,
        publishes_tags: TierSet::ALL,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: [Detectors::ALL; REGISTERS as usize].into(),
    });
    let when = |device| {
        let text = "r60 > 5000 and state == producing and not oee > 5 \
                    and not rate_per_min(r60, '5 s') > 1e9 and not no_data(r60)";
        parse(text, 10.0, &|_, name| {
            Ok(match (name, Measure::from_name(name)) {
                ("state", _) => Name::State(device),
                (_, Some(measure)) => Name::Figure(device, measure, 8 * 3_600_000),
                _ => Name::Tag(device, TagIndex(60)),
            })
        })
        .expect("the rule is right")
    };
    let alarms = (0..DEVICES).map(|n| Alarm {
        owner: Owner::Device(DeviceIndex(n)),
        id: "high".into(),
        priority: Priority::High,
        when: when(DeviceIndex(n)),
        on_delay_ms: 10_000,
        off_delay_ms: 0,
        latched: false,
        group: None,
        suppress_when: None,
        text_en: "".into(),
        text_zh: "".into(),
    });
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
        devices: devices.collect(),
        alarms: alarms.collect(),
        roster: Default::default(),
        horns: vec![Horn {
            id: "horn".into(),
            sequence: Sequence::Ringback,
            from_priority: Priority::Low,
            devices: None,
            gateway: true,
        }],
        buttons: Default::default(),
        max_payload: 9000,
        cfg: 0,
    }
}

#[test]
fn a_sample_in_steady_state_allocates_nothing() {
    let plant = Arc::new(plant());
    let plan = Arc::new(Plan::new(&plant));
    assert_eq!(plan.reads.len(), usize::from(DEVICES));
    let at = |ms: u64| Mono(10_000_000 + ms);
    let wall = |ms: u64| Wall(1_790_000_040_000 + i64::try_from(ms).unwrap());
    let now = |ms| Now {
        mono: at(ms),
        wall: wall(ms),
        clock: ClockState::Synced,
    };
    let run = Run {
        id: 1,
        boot: 1,
        cfg: 0,
    };
    let mut engine = Engine::new(plant, plan, run, now(0), None);
    let second = |engine: &mut Engine, second: u64| {
        // Values move, the counters count, the alarm's delay runs and stops, nothing changes state.
        let mut registers = [0u16; 100];
        for (address, register) in registers.iter_mut().enumerate() {
            *register = (second * 7 + address as u64) as u16;
        }
        registers[0] = 2;
        registers[usize::from(FACTOR)] = 0xFFFF;
        registers[usize::from(SERIAL)..][..4].copy_from_slice(&[0x5345, 0x3235, 0x4B00, 0]);
        registers[60] = if second % 4 < 2 { 6000 } else { 100 };
        for read in 0..u32::from(DEVICES) {
            let words = Words::Registers(&registers);
            engine.handle_read(ReadIndex(read), at(second * 1000 + 3), Ok(words));
        }
        let text = Reading::Good(Value::Text("run".try_into().unwrap()));
        let readings = [
            (TagIndex(70), text.into()),
            (TagIndex(71), Reading::Bad(Reason::Malformed).into()),
        ];
        engine.handle_readings(DeviceIndex(3), at(second * 1000 + 4), &readings);
        engine.handle_time(now(second * 1000 + 5));
        let mut actions = 0;
        while engine.poll_action().is_some() {
            actions += 1;
        }
        actions
    };
    for warm_up in 0..5 {
        second(&mut engine, warm_up);
    }
    let (before, samples) = (allocations(), engine.tally().samples);
    for steady in 5..55 {
        second(&mut engine, steady);
    }
    let taken = engine.tally().samples - samples;
    assert_eq!(taken, 50 * (u64::from(DEVICES) * u64::from(REGISTERS) + 2));
    assert_eq!(allocations() - before, 0, "for {taken} samples");

    // The counter counts: a minute's end does allocate, for the records it makes.
    second(&mut engine, 61);
    assert!(allocations() > before);
}
