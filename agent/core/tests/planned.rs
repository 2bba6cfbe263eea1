//! The core holds no more bytes than its plan says, and no more after hours than at the start.

#![expect(unsafe_code, reason = "a counting allocator is a global allocator")]

use andon_core::calendar::{Calendar, Shift};
use andon_core::engine::{Action, Engine, allocations};
use andon_core::kpi::{Key, Measure};
use andon_core::modbus::decode::Words;
use andon_core::modbus::plan::{Plan, ReadIndex};
use andon_core::plant::{
    Alarm, Device, Gateway, Link, Manners, Match, Model, Owner, Plant, Priority, StateMap, States,
};
use andon_core::record::Run;
use andon_core::rule::{Limit, Op, Rule};
use andon_core::state::State;
use andon_core::summary::TierSet;
use andon_core::tag::{
    Detectors, DeviceIndex, Kind, LinkIndex, Point, Source, Summed, Table, Tag, TagIndex,
};
use andon_core::time::{ClockState, Mono, Now, Wall};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

/// Counts the bytes that this thread holds; others (the test harness) do not matter.
struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: i64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    HELD.with(|held| held.set(held.get() + sign * bytes));
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> i64 {
    HELD.with(Cell::get)
}

const DEVICES: u32 = 1000;
const TAGS: u16 = 20;

fn plant() -> Plant {
    let tag = |address: u16| Tag {
        name: format!("tag_{address}").into(),
        unit: "".into(),
        summed: Summed::Level,
        role: None,
        range: None,
        every_ms: 1000,
        source: Source::Modbus(Point::new(Table::Holding, address, Kind::U16)),
    };
    let model = Arc::new(Model {
        every_ms: 1000,
        tags: (0..TAGS).map(tag).collect(),
        state: Some(States::Status(StateMap {
            from: TagIndex(0),
            rules: vec![(Match::Range(0, 99), State::Producing)],
        })),
        rates: None,
        codes: vec![],
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
        model: Arc::clone(&model),
        rated_rate: Some(3_600_000),
        stale_after_ms: 3_000_000,
        late_ms: 15 * 60_000,
        publishes: TierSet::ALL,
        publishes_tags: TierSet::ALL,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: [Detectors::ALL; TAGS as usize].into(),
    });
    let figure = |device, key, over_ms| Rule::Figure {
        device,
        measure: Measure::Value(key),
        over_ms,
        op: Op::Less,
        limit: Limit::Number {
            limit: 0.0,
            deadband: 0.0,
        },
    };
    let alarms = (0..DEVICES).step_by(10).map(|n| {
        let device = DeviceIndex(u16::try_from(n).unwrap_or(u16::MAX));
        let (hours, days) = (8 * 3_600_000, 31 * 86_400_000);
        Alarm {
            owner: Owner::Device(device),
            id: "low".into(),
            priority: Priority::Low,
            when: Rule::And(
                Box::new(figure(device, Key::Oee, hours)),
                Box::new(figure(device, Key::FaultRatePerH, days)),
            ),
            on_delay_ms: 0,
            off_delay_ms: 0,
            latched: false,
            group: None,
            suppress_when: None,
            text_en: "".into(),
            text_zh: "".into(),
        }
    });
    let mut calendar = Calendar::always(jiff::tz::TimeZone::UTC);
    calendar.shifts = (0..12)
        .map(|n| Shift {
            name: format!("shift {n}").into(),
            days: [true; 7],
            start: n * 120,
            end: (n * 120 + 120) % 1440,
            breaks: vec![(n * 120 + 30, n * 120 + 40)],
            crews: vec![],
        })
        .collect();
    Plant {
        gateway: Gateway {
            root: "andon".into(),
            site: "s".into(),
            area: "a".into(),
            id: "gw".into(),
        },
        calendar,
        other_calendars: vec![],
        links: vec![Link::network("plc")],
        devices: devices.collect(),
        alarms: alarms.collect(),
        roster: Default::default(),
        horns: vec![],
        buttons: Default::default(),
        max_payload: 9_000,
        cfg: 0,
    }
}

/// A minute before an hour, in which a shift ends too.
fn now(ms: u64) -> Now {
    Now {
        mono: Mono(10_000_000 + ms),
        wall: Wall(1_790_006_340_000 + i64::try_from(ms).unwrap_or(i64::MAX)),
        clock: ClockState::Synced,
    }
}

fn engine(plant: &Arc<Plant>) -> Engine {
    let plan = Arc::new(Plan::new(plant));
    let run = Run {
        id: 1,
        boot: 1,
        cfg: 0,
    };
    Engine::new(Arc::clone(plant), plan, run, now(0), None)
}

fn planned(plant: &Plant) -> i64 {
    let planned: usize = allocations(plant).iter().map(|item| item.bytes()).sum();
    i64::try_from(planned).unwrap_or(i64::MAX)
}

#[test]
fn a_thousand_devices_hold_what_was_planned_and_no_more_after_hours() {
    let plant = Arc::new(plant());
    let before = held();
    let mut engine = engine(&plant);
    let (mut records, mut tags) = (0, 0);
    let mut drain = |engine: &mut Engine| {
        while let Some(action) = engine.poll_action() {
            if let Action::Store(record) = action {
                records += 1;
                tags += u64::from(matches!(record.body, andon_core::record::Body::Tags(_)));
            }
        }
    };
    drain(&mut engine);
    let mut after_hours = vec![];
    for minute in 0..=122 {
        let registers = [minute as u16 % 50; TAGS as usize];
        if minute % 20 == 0 {
            for read in 0..DEVICES {
                let words = Words::Registers(&registers);
                engine.handle_read(ReadIndex(read), now(minute * 60_000 + 5).mono, Ok(words));
                drain(&mut engine);
            }
        }
        engine.handle_time(now((minute + 1) * 60_000));
        drain(&mut engine);
        if minute % 60 == 1 {
            after_hours.push(held() - before);
        }
    }
    drop(engine);
    // 121 minutes and more, three hours and two shifts; once for what is counted, once for tags.
    assert!(records > 2 * u64::from(DEVICES) * 120 && tags * 2 > records - 4 * u64::from(DEVICES));
    let planned = planned(&plant);
    for held in &after_hours {
        assert!(*held <= planned, "{held} of {planned}");
        assert!(held * 10 >= planned * 9, "{held} of {planned} is no plan");
    }
    let [first, .., last] = after_hours[..] else {
        panic!("{after_hours:?}");
    };
    // What is on its way differs by some marks.
    assert!((first - last).abs() < 1024, "from {first} to {last}");
}

/// Nobody looks but every half hour, so that the minutes in between are one window; hours, shifts,
/// days and what is kept of them are what they always are.
#[test]
fn after_thirty_days_they_hold_what_they_did_after_one() {
    let plant = Arc::new(plant());
    let before = held();
    let mut engine = engine(&plant);
    let drain = |engine: &mut Engine| while engine.poll_action().is_some() {};
    drain(&mut engine);
    let mut after_days = vec![];
    for look in 0..=30 * 48 {
        let at = now((look + 1) * 30 * 60_000);
        while !engine.catch_up(at.mono) {
            drain(&mut engine);
        }
        drain(&mut engine);
        if look % 2 == 0 {
            let registers = [look as u16 % 50; TAGS as usize];
            for read in 0..DEVICES {
                let words = Words::Registers(&registers);
                engine.handle_read(ReadIndex(read), at.mono, Ok(words));
                drain(&mut engine);
            }
        }
        engine.handle_time(at);
        drain(&mut engine);
        if look % 48 == 0 {
            after_days.push(held() - before);
        }
    }
    drop(engine);
    println!("held {after_days:?}, planned {}", planned(&plant));
    let [first, .., last] = after_days[..] else {
        panic!("{after_days:?}");
    };
    let flat = after_days.iter().all(|held| (held - first).abs() < 1024);
    assert!(flat, "from {first} to {last}: {after_days:?}");
    let planned = planned(&plant);
    assert!(
        last <= planned && last * 10 >= planned * 9,
        "{last} of {planned}"
    );
}
