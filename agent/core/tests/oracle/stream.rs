//! A stream: a small plant, and everything that happens to it.

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

/// A machine and how its figures are to be computed. Its tags are the status, the counters, the
/// contacts and the product, in this order.
#[derive(Debug, Clone)]
pub struct Machine {
    pub counters: Vec<Counter>,
    pub contacts: usize,
    pub no_scrap: bool,
    pub told: Told,
    pub rate: Rate,
    /// Which of the stream's calendars it follows.
    pub calendar: usize,
    /// Its readings have time stamps.
    pub has_stamps: bool,
    /// So far back what comes late counts; 0 if it does not.
    pub late: u64,
    pub stale_after: u64,
    pub merge_faults: u64,
    /// Ten-thousandths.
    pub min_coverage: u64,
    pub min_exposure: u64,
    pub tiers: Vec<&'static str>,
}

impl Machine {
    pub fn contact(&self, at: usize) -> usize {
        1 + self.counters.len() + at
    }

    pub fn product(&self) -> usize {
        self.contact(self.contacts)
    }

    /// The counter that a tag is.
    pub fn counter(&self, tag: usize) -> Option<&Counter> {
        tag.checked_sub(1).and_then(|at| self.counters.get(at))
    }
}

/// What tells the state of a machine.
#[derive(Debug, Clone)]
pub enum Told {
    /// The status word.
    Status,
    /// The first condition that holds, with the status word that it stands for.
    Conditions(Vec<(Condition, i64)>, Otherwise),
}

impl Told {
    /// Whether a tag has a say.
    pub fn asks(&self, tag: usize) -> bool {
        let Told::Conditions(rules, otherwise) = self else {
            return tag == 0;
        };
        let moves = matches!(otherwise, Otherwise::Moving { tag: moving, .. } if *moving == tag);
        moves || rules.iter().any(|(condition, _)| condition.asks(tag))
    }
}

impl Condition {
    fn asks(&self, tag: usize) -> bool {
        match self {
            Condition::Reaches(of, _) => *of == tag,
            Condition::And(a, b) | Condition::Or(a, b) => a.asks(tag) || b.asks(tag),
            Condition::Not(a) => a.asks(tag),
        }
    }
}

/// What holds where no condition does.
#[derive(Debug, Clone, Copy)]
pub enum Otherwise {
    Unknown,
    Status(i64),
    /// It produces while a counter moves.
    Moving {
        tag: usize,
        idle_after: u64,
        stopped: i64,
    },
}

#[derive(Debug, Clone)]
pub enum Condition {
    /// A tag is at least so much.
    Reaches(usize, i64),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

/// The rated rate, in thousandths of a part per hour.
#[derive(Debug, Clone)]
pub enum Rate {
    None,
    Fixed(u64),
    /// That of the product, or else another one.
    ByProduct(Vec<(i64, u64)>, Option<u64>),
}

impl Rate {
    pub fn highest(&self) -> Option<u64> {
        match self {
            Rate::None => None,
            Rate::Fixed(rate) => Some(*rate),
            Rate::ByProduct(map, or) => map.iter().map(|it| it.1).chain(*or).max(),
        }
    }
}

/// The status words of every machine; others mean nothing to anybody.
pub const FAULT_CODES: std::ops::RangeInclusive<i64> = 4..=6;
pub const UNMAPPED: i64 = 9;

/// A reading of one tag, with its age by its own time stamp, if it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub tag: usize,
    pub value: Value,
    pub age: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Good(i64),
    /// A broker's retained copy.
    Retained(i64),
    Bad,
}

impl Value {
    pub fn known(self) -> Option<i64> {
        match self {
            Value::Good(raw) | Value::Retained(raw) => Some(raw),
            Value::Bad => None,
        }
    }

    /// What a counter may be counted by.
    pub fn live(self) -> Option<i64> {
        match self {
            Value::Good(raw) => Some(raw),
            Value::Retained(_) | Value::Bad => None,
        }
    }
}

/// The seven states, in the order of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Producing,
    Setup,
    Delayed,
    Faulted,
    Idle,
    PlannedStop,
    Unknown,
}

impl State {
    /// What a status word means.
    pub fn of(code: i64) -> State {
        match code {
            0 => State::Idle,
            1 => State::Setup,
            2 => State::Producing,
            3 => State::Delayed,
            code if FAULT_CODES.contains(&code) => State::Faulted,
            _ => State::Unknown,
        }
    }
}

/// What the wall clock shows after a restart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clock {
    /// The true time, give or take.
    Set(i64),
    /// The same, but nobody vouches for it.
    Held(i64),
    /// It was never set: 1970 and some.
    Unset(i64),
}

/// What a wall clock is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// It was never set.
    Nothing,
    /// It went on by itself.
    Held,
    Synced,
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
        /// The machines that are configured from then on, if others than before.
        machines: Option<Vec<usize>>,
    },
}

/// A plant, and what happens to it: each event so many milliseconds after the one before.
#[derive(Clone)]
pub struct Stream {
    pub seed: u64,
    pub zone: Zone,
    /// The plant's own, and others that machines may follow.
    pub calendars: Vec<Works>,
    /// The wall clock at the start, as it should be.
    pub start: i64,
    /// What it shows, if it was never set.
    pub unset: Option<i64>,
    /// Housekeeping is done so often; never, besides the events, if none.
    pub pace: Option<u64>,
    pub machines: Vec<Machine>,
    /// Those that are configured at the start.
    pub first: Vec<usize>,
    pub events: Vec<(u64, Event)>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} in {}, from {} ({:?}), machines {:?}",
            self.seed,
            self.zone.name(),
            self.start,
            self.unset,
            self.first
        )?;
        writeln!(
            f,
            "  {:?}, housekeeping every {:?} ms",
            self.calendars, self.pace
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
    Start {
        back: usize,
        worth: Worth,
        machines: Vec<usize>,
    },
    Read(usize, Vec<Reading>),
    Look {
        worth: Worth,
    },
    Commit,
}

/// What the agent's monotonic clock shows at boot (`agent/src/clock.rs`).
const BOOT: u64 = 100 * 365 * 24 * 3_600_000;

impl Stream {
    /// The whole stream as a list of facts.
    pub fn facts(&self) -> Vec<Fact> {
        let (mut at, mut booted) = (0, 0);
        let (mut wall, mut worth) = match self.unset {
            Some(shows) => (shows, Worth::Nothing),
            None => (self.start, Worth::Synced),
        };
        let mut machines = self.first.clone();
        let mut facts = vec![];
        let mut put = |at, booted, wall, what| {
            facts.push(Fact {
                at,
                mono: BOOT + 1_000_000 + at - booted,
                wall,
                what,
            });
        };
        let first = What::Start {
            back: 0,
            worth,
            machines: machines.clone(),
        };
        put(at, booted, wall, first);
        put(at, booted, wall, What::Commit);
        for (wait, event) in &self.events {
            let until = at + wait;
            if let Some(pace) = self.pace {
                while let Some(next) = Some((at / pace + 1) * pace).filter(|next| *next <= until) {
                    wall += signed(next - at);
                    at = next;
                    put(at, booted, wall, What::Look { worth });
                }
            }
            wall += signed(until - at);
            at = until;
            match event {
                // Nobody reads what is not configured.
                Event::Read(machine, _) if !machines.contains(machine) => {}
                Event::Read(machine, readings) => {
                    put(at, booted, wall, What::Read(*machine, readings.clone()));
                }
                Event::Look => put(at, booted, wall, What::Look { worth }),
                Event::Commit => put(at, booted, wall, What::Commit),
                Event::Step(by) => {
                    // Nobody sets it to before the day the agent was built.
                    worth = Worth::Synced;
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
                    machines: others,
                } => {
                    if let Some(others) = others {
                        machines.clone_from(others);
                    }
                    at += dead;
                    wall += signed(*dead);
                    if *reboot {
                        booted = at;
                    }
                    match clock {
                        Clock::Set(by) => wall += by,
                        Clock::Held(by) => {
                            wall += by;
                            worth = worth.min(Worth::Held);
                        }
                        Clock::Unset(shows) => (wall, worth) = (*shows, Worth::Nothing),
                    }
                    put(
                        at,
                        booted,
                        wall,
                        What::Start {
                            back: *back,
                            worth,
                            machines: machines.clone(),
                        },
                    );
                    put(at, booted, wall, What::Commit);
                }
            }
        }
        facts
    }
}

pub fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
