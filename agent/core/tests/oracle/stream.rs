//! A stream: a small plant, and everything that happens to it.

use crate::machine::{Machine, Reading};
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
    /// The agent is killed, or stopped in order, and comes back; `back` commits were lost with it.
    Restart {
        in_order: bool,
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
    /// The end of a run in order: it looks at everything, and commits.
    Stop {
        worth: Worth,
    },
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
                    in_order,
                    back,
                    dead,
                    clock,
                    reboot,
                    machines: others,
                } => {
                    if let Some(others) = others {
                        machines.clone_from(others);
                    }
                    if *in_order {
                        put(at, booted, wall, What::Stop { worth });
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
