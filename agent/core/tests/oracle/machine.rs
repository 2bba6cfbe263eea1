//! A machine: its tags, what tells its state, and how its figures are to be computed.

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
