//! Random streams.

use crate::machine::{Condition, Counter, Machine, Otherwise, Rate, Role, Told};
use crate::shop::Shop;
use crate::stream::{Clock, Event, Shift, Stream, Works, Zone, signed};

/// Numbers by chance, the same ones for the same seed (splitmix64).
pub struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, count: u64) -> u64 {
        self.next() % count.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or(0)
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.place(from.len())].clone()
    }
}

pub const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// How long a stream is, roughly.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Length {
    Minutes,
    Hours,
    Days,
}

/// The stream of a seed.
pub fn stream(seed: u64) -> Stream {
    let mut chance = Chance(seed);
    let length = match chance.below(20) {
        0..14 => Length::Minutes,
        14..19 => Length::Hours,
        _ => Length::Days,
    };
    let zone = chance.pick(&[Zone::Shanghai, Zone::Kolkata, Zone::Berlin, Zone::LordHowe]);
    let start = start(&mut chance, zone);
    let calendars: Vec<Works> = (0..chance.pick(&[1, 1, 1, 2, 3]))
        .map(|_| works(&mut chance, start))
        .collect();
    let pace = match length {
        Length::Minutes => {
            chance.pick(&[Some(1_000), Some(1_000), Some(7_000), Some(61_000), None])
        }
        Length::Hours => chance.pick(&[Some(20_000), Some(60_000), None]),
        Length::Days => None,
    };
    let machines: Vec<Machine> = (0..chance.pick(&[1, 1, 2, 3]))
        .map(|_| machine(&mut chance, calendars.len()))
        .collect();
    let shops = machines.iter().map(|it| Shop::new(&mut chance, it));
    let mut shops: Vec<Shop> = shops.collect();
    let unset = chance.one_in(8).then(|| boot(&mut chance));
    let first = configured(&mut chance, machines.len());
    let mut stream = Stream {
        seed,
        zone,
        calendars,
        start,
        unset,
        pace,
        machines,
        first,
        events: vec![],
    };
    let count = 5 + chance.below(match length {
        Length::Minutes => 60,
        Length::Hours => 40,
        Length::Days => 20,
    });
    // The wall clock, as far as it matters to meet the ends of minutes.
    let mut wall = unset.unwrap_or(start);
    let mut steps = 0;
    for _ in 0..count {
        let at = chance.place(stream.machines.len());
        let machine = &stream.machines[at];
        let wait = wait(&mut chance, length, wall, machine);
        wall += signed(wait);
        let event = match chance.below(100) {
            0..80 => Event::Read(at, shops[at].readings(&mut chance, machine, wall)),
            80..86 => Event::Look,
            86..91 => Event::Commit,
            // Each of them is a minute more to be remembered.
            91..95 if steps < STEPS => {
                steps += 1;
                Event::Step(step(&mut chance))
            }
            91..95 => Event::Look,
            _ => restart(&mut chance, length, stream.machines.len()),
        };
        stream.events.push((wait, event));
    }
    // To the end of what is open, more or less.
    let rest = chance.pick(&[0, 1_000, MINUTE, 2 * MINUTE, HOUR]);
    stream.events.push((rest, Event::Look));
    stream
}

/// Steps of the clock in a stream, at most.
const STEPS: u64 = 3;

/// What a clock shows that was never set.
fn boot(chance: &mut Chance) -> i64 {
    signed(1_000 + chance.below(HOUR))
}

/// Which machines are configured, and in which order.
fn configured(chance: &mut Chance, count: usize) -> Vec<usize> {
    let mut machines: Vec<usize> = (0..count).collect();
    if chance.one_in(4) {
        machines.rotate_left(1);
    }
    if chance.one_in(4) {
        machines.pop();
    }
    machines
}

/// Some time in 2026, and often just before something happens to clocks.
fn start(chance: &mut Chance, zone: Zone) -> i64 {
    let near = match (zone, chance.below(3)) {
        (Zone::Berlin, 0) => 1_774_746_000_000,
        (Zone::Berlin, 1) => 1_792_890_000_000,
        (Zone::LordHowe, 0) => 1_775_314_800_000,
        (Zone::LordHowe, 1) => 1_791_041_400_000,
        // Thursday and later, in whole hours.
        _ => 1_790_208_000_000 + 3_600_000 * signed(chance.below(24 * 7)),
    };
    near - signed(chance.pick(&[0, 30_000, 5 * MINUTE, 95 * MINUTE]))
        - signed(chance.below(2 * MINUTE))
}

fn works(chance: &mut Chance, start: i64) -> Works {
    let breaks = vec![(12 * 60, 12 * 60 + 30), (16 * 60, 16 * 60 + 15)];
    let day = Shift {
        start: 8 * 60,
        end: 20 * 60,
        breaks,
        weekends: true,
    };
    let night = Shift {
        start: 20 * 60,
        end: 8 * 60,
        breaks: vec![(0, 30), (2 * 60 + 30, 3 * 60)],
        weekends: true,
    };
    // Something changes every few minutes.
    let busy = |n: i64| Shift {
        start: n * 120,
        end: n * 120 + 110,
        breaks: [7, 15, 30, 44, 59, 71, 90]
            .map(|m| (n * 120 + m, n * 120 + m + 2))
            .to_vec(),
        weekends: true,
    };
    let shifts = match chance.below(6) {
        0 | 1 => vec![],
        2 => vec![day, night],
        3 => vec![
            Shift {
                weekends: false,
                ..day
            },
            Shift {
                weekends: false,
                ..night
            },
        ],
        4 => vec![day],
        _ => (0..12).map(busy).collect(),
    };
    let holidays = match chance.below(4) {
        0 => vec![start.div_euclid(86_400_000) + signed(chance.below(2))],
        _ => vec![],
    };
    let day_start = chance.pick(&[0, 0, 8 * 60, 2 * 60 + 30]);
    Works {
        day_start,
        shifts,
        holidays,
    }
}

fn machine(chance: &mut Chance, calendars: usize) -> Machine {
    let roles = chance.pick(&[
        &[][..],
        &[Role::Good],
        &[Role::Total],
        &[Role::Good, Role::Scrap],
        &[Role::Good, Role::Total],
        &[Role::Scrap, Role::Total],
        &[Role::Good, Role::Scrap, Role::Total],
    ]);
    let counter = |chance: &mut Chance, role| Counter {
        role,
        parts: chance.pick(&[1, 1, 4]),
        top: chance.pick(&[Some(0xFFFF), Some(0xFFFF_FFFF), Some(999), None]),
    };
    let all = ["1m", "1h", "shift", "1d"];
    let has_stamps = !chance.one_in(3);
    let told = match chance.below(4) {
        0 => told(chance, roles.len()),
        _ => Told::Status,
    };
    Machine {
        no_scrap: !roles.contains(&Role::Scrap) && chance.one_in(4),
        counters: roles.iter().map(|role| counter(chance, *role)).collect(),
        contacts: match told {
            Told::Status => 0,
            Told::Conditions(..) => CONTACTS,
        },
        told,
        rate: rate(chance),
        calendar: chance.place(calendars),
        has_stamps,
        late: match has_stamps {
            true => chance.pick(&[0, 2 * MINUTE, 15 * MINUTE, 15 * MINUTE, HOUR, HOUR]),
            false => 0,
        },
        stale_after: chance.pick(&[3_000, 3_000, 2_500, 60_000]),
        merge_faults: chance.pick(&[0, 0, 1, 2_000, 30_000, 120_000]),
        min_coverage: chance.pick(&[0, 5_000, 5_000, 8_000, 10_000]),
        min_exposure: chance.pick(&[0, 1_000, 60_000, 1_800_000]),
        tiers: all.into_iter().filter(|_| !chance.one_in(6)).collect(),
    }
}

/// Contacts of a machine whose state no single tag tells.
const CONTACTS: usize = 2;

fn told(chance: &mut Chance, counters: usize) -> Told {
    let otherwise = match chance.below(4) {
        0 => Otherwise::Unknown,
        1 => Otherwise::Status(chance.pick(&[0, 2, 3])),
        _ if counters == 0 => Otherwise::Status(0),
        _ => Otherwise::Moving {
            tag: 1 + chance.place(counters),
            idle_after: chance.pick(&[1_000, 2_500, 10_000, 45_000, 60_000]),
            stopped: chance.pick(&[0, 3]),
        },
    };
    // A counter may tell it alone.
    let least = u64::from(!matches!(otherwise, Otherwise::Moving { .. }));
    let rules = (0..least + chance.below(3))
        .map(|_| {
            let code = chance.pick(&[0, 1, 2, 3, 4]);
            (condition(chance, counters, 2), code)
        })
        .collect();
    Told::Conditions(rules, otherwise)
}

fn condition(chance: &mut Chance, counters: usize, depth: u64) -> Condition {
    let both = |chance: &mut Chance| {
        let a = condition(chance, counters, depth - 1);
        (
            Box::new(a),
            Box::new(condition(chance, counters, depth - 1)),
        )
    };
    match chance.below(if depth > 0 { 6 } else { 2 }) {
        0 => Condition::Reaches(0, chance.pick(&[1, 2, 4])),
        1 => Condition::Reaches(1 + counters + chance.place(CONTACTS), 1),
        2 => Condition::Not(Box::new(condition(chance, counters, depth - 1))),
        3 | 4 => {
            let (a, b) = both(chance);
            Condition::And(a, b)
        }
        _ => {
            let (a, b) = both(chance);
            Condition::Or(a, b)
        }
    }
}

fn rate(chance: &mut Chance) -> Rate {
    let rates = [1, 1_234_567, 3_600_000, 90_000_000];
    match chance.below(8) {
        0 => Rate::None,
        1 => Rate::ByProduct(vec![(1, 1_234_567), (2, 900_000)], Some(3_600_000)),
        2 => Rate::ByProduct(vec![(1, 777), (2, 90_000_000), (3, 3_600_001)], None),
        _ => Rate::Fixed(chance.pick(&rates)),
    }
}

/// Mostly as machines are read, and often at moments where something else happens as well.
fn wait(chance: &mut Chance, length: Length, wall: i64, machine: &Machine) -> u64 {
    let to_minute = u64::try_from(60_000 - wall.rem_euclid(60_000)).unwrap_or(0);
    match (length, chance.below(20)) {
        (_, 0) => 0,
        (_, 1) => machine.stale_after,
        (_, 2) => to_minute,
        (_, 3) => to_minute.saturating_sub(1),
        (_, 4) => machine.merge_faults,
        (Length::Days, 5..8) => chance.below(30 * HOUR),
        (Length::Days, 8..14) => chance.below(3 * HOUR),
        (Length::Hours, 5..10) => chance.below(40 * MINUTE),
        (Length::Hours, 10..12) => to_minute + MINUTE * chance.below(60),
        (_, 5) => chance.below(90_000),
        (_, 6..12) => 1_000,
        _ => chance.below(3_500),
    }
}

fn step(chance: &mut Chance) -> i64 {
    let by = chance.pick(&[
        50, 99, 100, 1_000, 60_000, 61_234, 600_000, 3_600_000, 7_300_000, 90_000_000,
    ]);
    if chance.one_in(2) { by } else { -by }
}

fn restart(chance: &mut Chance, length: Length, machines: usize) -> Event {
    let dead = match (length, chance.below(8)) {
        (Length::Days, 0..4) => chance.below(70 * HOUR),
        (Length::Minutes, 0..3) => chance.below(10 * MINUTE),
        (_, 0..2) => chance.below(5 * HOUR),
        (_, 2) => 0,
        _ => chance.below(90_000),
    };
    let clock = match chance.below(6) {
        0 => Clock::Unset(boot(chance)),
        1 => Clock::Set(step(chance)),
        2 => Clock::Held(chance.pick(&[0, -900, -1_000, -1_001, -60_000, -7_300_000])),
        _ => Clock::Set(0),
    };
    Event::Restart {
        in_order: chance.one_in(3),
        back: usize::try_from(chance.pick(&[0, 0, 0, 1, 2])).unwrap_or(0),
        dead,
        clock,
        reboot: chance.one_in(2),
        machines: chance.one_in(4).then(|| configured(chance, machines)),
    }
}
