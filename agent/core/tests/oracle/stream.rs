//! Random streams: a small plant, and everything that happens to it.

use std::fmt;

/// Where the plant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Shanghai,
    Kolkata,
    Berlin,
    LordHowe,
}

impl Zone {
    pub fn name(self) -> &'static str {
        match self {
            Zone::Shanghai => "Asia/Shanghai",
            Zone::Kolkata => "Asia/Kolkata",
            Zone::Berlin => "Europe/Berlin",
            Zone::LordHowe => "Australia/Lord_Howe",
        }
    }
}

/// When work is planned; times are minutes after local midnight, days are counted from 1970.
#[derive(Debug, Clone, Default)]
pub struct Works {
    pub day_start: i64,
    pub shifts: Vec<Shift>,
    pub holidays: Vec<i64>,
}

#[derive(Debug, Clone)]
pub struct Shift {
    pub start: i64,
    pub end: i64,
    pub breaks: Vec<(i64, i64)>,
    /// Whether it takes place on Saturdays and Sundays too.
    pub weekends: bool,
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Good,
    Scrap,
    Total,
}

#[derive(Debug, Clone)]
pub struct Counter {
    pub role: Role,
    pub parts: u64,
    /// The last count before it begins anew from 0; none if it has no end.
    pub top: Option<i64>,
}

/// A machine and how its figures are to be computed.
#[derive(Debug, Clone)]
pub struct Machine {
    pub counters: Vec<Counter>,
    pub no_scrap: bool,
    /// Thousandths of a part per hour.
    pub rate: Option<u64>,
    pub stale_after: u64,
    pub merge_faults: u64,
    /// Ten-thousandths.
    pub min_coverage: u64,
    pub min_exposure: u64,
    pub tiers: Vec<&'static str>,
}

/// The status words of every machine; others mean nothing to anybody.
pub const FAULT_CODES: std::ops::RangeInclusive<i64> = 4..=6;
pub const UNMAPPED: i64 = 9;

/// A reading of one tag: 0 is the status, the others are counters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub tag: usize,
    pub value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Good(i64),
    /// A broker's retained copy.
    Retained(i64),
    Bad,
}

/// What the wall clock shows after a restart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clock {
    /// The true time, give or take.
    Set(i64),
    /// It was never set: 1970 and some.
    Unset(i64),
}

#[derive(Debug, Clone)]
pub enum Event {
    Read(usize, Vec<Reading>),
    /// Housekeeping at an odd time.
    Look,
    /// Somebody sets the wall clock, by so much.
    Step(i64),
    /// A checkpoint is committed, with everything before it.
    Commit,
    /// The agent is killed and comes back; `back` commits were lost with it.
    Restart {
        back: usize,
        dead: u64,
        clock: Clock,
        reboot: bool,
    },
}

/// A plant, and what happens to it: each event so many milliseconds after the one before.
#[derive(Clone)]
pub struct Stream {
    pub seed: u64,
    pub zone: Zone,
    pub works: Works,
    /// The wall clock at the start.
    pub start: i64,
    /// Housekeeping is done so often; never, besides the events, if none.
    pub pace: Option<u64>,
    pub machines: Vec<Machine>,
    pub events: Vec<(u64, Event)>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} in {}, from {}",
            self.seed,
            self.zone.name(),
            self.start
        )?;
        writeln!(
            f,
            "  {:?}, housekeeping every {:?} ms",
            self.works, self.pace
        )?;
        for machine in &self.machines {
            writeln!(f, "  {machine:?}")?;
        }
        let mut at = 0;
        for (wait, event) in &self.events {
            at += wait;
            writeln!(f, "  at {at:>8} {event:?}")?;
        }
        Ok(())
    }
}

/// What happens at a moment, with everything that the agent is told of it.
#[derive(Debug, Clone)]
pub struct Fact {
    /// True milliseconds since the start.
    pub at: u64,
    /// The gateway's monotonic clock, which begins anew when it is booted.
    pub mono: u64,
    /// Its wall clock.
    pub wall: i64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Start { back: usize, is_set: bool },
    Read(usize, Vec<Reading>),
    Look { is_set: bool },
    Commit,
}

/// What the agent's monotonic clock shows at boot (`agent/src/clock.rs`).
const BOOT: u64 = 100 * 365 * 24 * 3_600_000;

impl Stream {
    /// The whole stream as a list of facts.
    pub fn facts(&self) -> Vec<Fact> {
        let (mut at, mut booted, mut wall, mut is_set) = (0, 0, self.start, true);
        let mut facts = vec![];
        let mut put = |at, booted, wall, what| {
            facts.push(Fact {
                at,
                mono: BOOT + 1_000_000 + at - booted,
                wall,
                what,
            });
        };
        put(at, booted, wall, What::Start { back: 0, is_set });
        put(at, booted, wall, What::Commit);
        for (wait, event) in &self.events {
            let until = at + wait;
            if let Some(pace) = self.pace {
                while let Some(next) = Some((at / pace + 1) * pace).filter(|next| *next <= until) {
                    wall += signed(next - at);
                    at = next;
                    put(at, booted, wall, What::Look { is_set });
                }
            }
            wall += signed(until - at);
            at = until;
            match event {
                Event::Read(machine, readings) => {
                    put(at, booted, wall, What::Read(*machine, readings.clone()));
                }
                Event::Look => put(at, booted, wall, What::Look { is_set }),
                Event::Commit => put(at, booted, wall, What::Commit),
                Event::Step(by) => {
                    // Nobody sets it to before the day the agent was built.
                    is_set = true;
                    wall += if wall < 1_000_000_000_000 {
                        self.start
                    } else {
                        *by
                    };
                }
                Event::Restart {
                    back,
                    dead,
                    clock,
                    reboot,
                } => {
                    at += dead;
                    wall += signed(*dead);
                    if *reboot {
                        booted = at;
                    }
                    match clock {
                        Clock::Set(by) => wall += by,
                        Clock::Unset(shows) => (wall, is_set) = (*shows, false),
                    }
                    put(
                        at,
                        booted,
                        wall,
                        What::Start {
                            back: *back,
                            is_set,
                        },
                    );
                    put(at, booted, wall, What::Commit);
                }
            }
        }
        facts
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Numbers by chance, the same ones for the same seed (splitmix64).
pub struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count.max(1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len() as u64);
        from[usize::try_from(at).unwrap_or(0)].clone()
    }
}

const MINUTE: u64 = 60_000;
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
    let works = works(&mut chance, start);
    let pace = match length {
        Length::Minutes => {
            chance.pick(&[Some(1_000), Some(1_000), Some(7_000), Some(61_000), None])
        }
        Length::Hours => chance.pick(&[Some(20_000), Some(60_000), None]),
        Length::Days => None,
    };
    let machines: Vec<Machine> = (0..chance.pick(&[1, 1, 2, 3]))
        .map(|at| machine(&mut chance, at))
        .collect();
    let mut shops: Vec<Shop> = machines
        .iter()
        .map(|machine| Shop::new(&mut chance, machine))
        .collect();
    let mut stream = Stream {
        seed,
        zone,
        works,
        start,
        pace,
        machines,
        events: vec![],
    };
    let count = 5 + chance.below(match length {
        Length::Minutes => 60,
        Length::Hours => 40,
        Length::Days => 20,
    });
    // The wall clock, as far as it matters to meet the ends of minutes.
    let mut wall = start;
    for _ in 0..count {
        let at = usize::try_from(chance.below(stream.machines.len() as u64)).unwrap_or(0);
        let machine = &stream.machines[at];
        let wait = wait(&mut chance, length, wall, machine);
        wall += signed(wait);
        let event = match chance.below(100) {
            0..80 => Event::Read(at, shops[at].readings(&mut chance, machine)),
            80..86 => Event::Look,
            86..91 => Event::Commit,
            91..95 => Event::Step(step(&mut chance)),
            _ => restart(&mut chance, length),
        };
        stream.events.push((wait, event));
    }
    // To the end of what is open, more or less.
    let rest = chance.pick(&[0, 1_000, MINUTE, 2 * MINUTE, HOUR]);
    stream.events.push((rest, Event::Look));
    stream
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

fn machine(chance: &mut Chance, at: i64) -> Machine {
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
    Machine {
        no_scrap: !roles.contains(&Role::Scrap) && chance.one_in(4),
        counters: roles.iter().map(|role| counter(chance, *role)).collect(),
        rate: chance.pick(&[
            None,
            Some(1),
            Some(1_234_567),
            Some(3_600_000),
            Some(90_000_000),
        ]),
        stale_after: chance.pick(&[3_000, 3_000, 2_500, 60_000]),
        merge_faults: chance.pick(&[0, 0, 1, 2_000, 30_000, 120_000]),
        min_coverage: chance.pick(&[0, 5_000, 5_000, 8_000, 10_000]),
        min_exposure: chance.pick(&[0, 1_000, 60_000, 1_800_000]),
        // The minutes of the first machine say where the others' end.
        tiers: all
            .into_iter()
            .filter(|tier| (at == 0 && *tier == "1m") || !chance.one_in(6))
            .collect(),
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

fn restart(chance: &mut Chance, length: Length) -> Event {
    let dead = match (length, chance.below(8)) {
        (Length::Days, 0..4) => chance.below(70 * HOUR),
        (Length::Minutes, 0..3) => chance.below(10 * MINUTE),
        (_, 0..2) => chance.below(5 * HOUR),
        (_, 2) => 0,
        _ => chance.below(90_000),
    };
    let clock = match chance.below(6) {
        0 => Clock::Unset(signed(1_000 + chance.below(HOUR))),
        1 => Clock::Set(step(chance)),
        _ => Clock::Set(0),
    };
    Event::Restart {
        back: usize::try_from(chance.pick(&[0, 0, 0, 1, 2])).unwrap_or(0),
        dead,
        clock,
        reboot: chance.one_in(2),
    }
}

/// What a machine would show now.
struct Shop {
    status: i64,
    counts: Vec<i64>,
}

impl Shop {
    fn new(chance: &mut Chance, machine: &Machine) -> Shop {
        let first = |counter: &Counter, chance: &mut Chance| match counter.top {
            Some(top) if chance.one_in(2) => top - signed(chance.below(40)),
            _ => signed(chance.below(1_000)),
        };
        Shop {
            status: 2,
            counts: machine
                .counters
                .iter()
                .map(|counter| first(counter, chance))
                .collect(),
        }
    }

    /// All tags at once, or some of them.
    fn readings(&mut self, chance: &mut Chance, machine: &Machine) -> Vec<Reading> {
        if chance.one_in(3) {
            self.status = chance.pick(&[0, 1, 2, 2, 2, 3, 4, 4, 5, UNMAPPED]);
        }
        for (count, counter) in self.counts.iter_mut().zip(&machine.counters) {
            let made = chance.pick(&[0, 0, 1, 1, 2, 5, 17]);
            let anew = chance.one_in(12);
            *count = match counter.top {
                _ if anew => signed(chance.below(10)),
                Some(top) => (*count + made) % (top + 1),
                None => *count + made,
            };
        }
        let is_whole = chance.one_in(2);
        let mut readings = vec![];
        for tag in 0..=self.counts.len() {
            if !is_whole && !chance.one_in(2) {
                continue;
            }
            let raw = if tag == 0 {
                self.status
            } else {
                self.counts[tag - 1]
            };
            let value = match chance.below(12) {
                0 => Value::Bad,
                1 => Value::Retained(raw),
                _ => Value::Good(raw),
            };
            readings.push(Reading { tag, value });
        }
        readings
    }
}
