//! The life cycle of an alarm (ISA-18.2-2016, IEC 62682): what its condition does to it, what people
//! do to it, and what is shown of it.
//!
//! - The condition moves an alarm through its [`Cycle`]. Shelving, suppression by design and taking
//!   out of service lie over that: they hide the alarm, and it goes on counting and being logged
//!   underneath. What is shown is [`AlarmState`]; out of service goes before suppressed, and that
//!   before shelved.
//! - Hidden no more, an alarm whose condition holds is raised anew, with an occurrence of its own:
//!   nobody has acknowledged that it is back. One whose condition is gone is normal, but for a
//!   latch: only a reset lifts that.
//! - An undecided condition neither raises nor clears, and delays stand still.
//! - Occurrences count up and are never used again. An acknowledgement may name one; an older one is
//!   refused.
//! - A shelf ends by itself. Its time is measured on the monotonic clock, and what is left of it goes
//!   with the alarm over a restart.

mod act;
mod cycle;

pub use act::{Act, LONGEST_BY, LONGEST_SHELF_MS, LONGEST_WHY, Refusal, Verb, Via};
pub use cycle::{Cycle, Happening};

use crate::sample::Value;
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use serde::{Deserialize, Serialize};

/// What is shown of an alarm. The order is part of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmState {
    /// Nothing to tell (A).
    #[default]
    Normal,
    /// Active, nobody has seen it (B).
    UnackActive,
    /// Active, somebody has seen it (C).
    AckActive,
    /// Gone before anybody saw it (D).
    RtnUnack,
    /// Latched, gone, nobody has seen it (E).
    LatchedUnack,
    /// Latched, gone, seen; waits for a reset (F).
    LatchedAck,
    /// Put aside by a person for some time (G).
    Shelved,
    /// There would be something to tell, but not by design, as in a planned stop (H).
    Suppressed,
    /// Switched off by a person until they switch it on again (I).
    OutOfService,
}

impl AlarmState {
    /// Every state.
    pub const ALL: [AlarmState; 9] = [
        AlarmState::Normal,
        AlarmState::UnackActive,
        AlarmState::AckActive,
        AlarmState::RtnUnack,
        AlarmState::LatchedUnack,
        AlarmState::LatchedAck,
        AlarmState::Shelved,
        AlarmState::Suppressed,
        AlarmState::OutOfService,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlarmState::Normal => "normal",
            AlarmState::UnackActive => "unack-active",
            AlarmState::AckActive => "ack-active",
            AlarmState::RtnUnack => "rtn-unack",
            AlarmState::LatchedUnack => "latched-unack",
            AlarmState::LatchedAck => "latched-ack",
            AlarmState::Shelved => "shelved",
            AlarmState::Suppressed => "suppressed",
            AlarmState::OutOfService => "out-of-service",
        }
    }

    /// For people, in English and in Chinese.
    pub const fn in_words(self) -> (&'static str, &'static str) {
        match self {
            AlarmState::Normal => ("normal", "正常"),
            AlarmState::UnackActive => ("active, not acknowledged", "报警中，未确认"),
            AlarmState::AckActive => ("active, acknowledged", "报警中，已确认"),
            AlarmState::RtnUnack => ("gone, not acknowledged", "已恢复，未确认"),
            AlarmState::LatchedUnack => ("gone, latched, not acknowledged", "已恢复，锁存，未确认"),
            AlarmState::LatchedAck => ("gone, acknowledged, to be reset", "已恢复，已确认，待复位"),
            AlarmState::Shelved => ("shelved", "已搁置"),
            AlarmState::Suppressed => ("suppressed", "已抑制"),
            AlarmState::OutOfService => ("out of service", "已停用"),
        }
    }

    /// The state with this word of the contract.
    pub fn from_name(name: &str) -> Option<AlarmState> {
        AlarmState::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
    }

    /// Whether it waits for a person to acknowledge it.
    pub const fn is_unacknowledged(self) -> bool {
        matches!(
            self,
            AlarmState::UnackActive | AlarmState::RtnUnack | AlarmState::LatchedUnack
        )
    }

    /// Whether it is kept from view.
    pub const fn is_hidden(self) -> bool {
        matches!(
            self,
            AlarmState::Shelved | AlarmState::Suppressed | AlarmState::OutOfService
        )
    }
}

/// Something about an alarm changed that belongs into the journal. From and to are the same where it
/// happened out of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What was shown before.
    pub from: AlarmState,
    /// What is shown now.
    pub to: AlarmState,
}

/// One alarm of one device, as it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    cycle: Cycle,
    /// Activations so far; never used again.
    pub occurrence: u64,
    /// Activations since somebody last acknowledged, or since it was last normal.
    pub count: u64,
    /// When it was last raised.
    pub raised: Option<Wall>,
    /// When this occurrence was acknowledged.
    pub acked: Option<Wall>,
    /// When the condition of this occurrence was gone.
    pub cleared: Option<Wall>,
    /// The value that raised it.
    pub value: Option<Value>,
    /// Whether it was raised while no other of its group stood; holds until all of them are normal.
    pub first_out: bool,
    /// Who acknowledged it.
    ack: Option<Box<Act>>,
    shelf: Option<Box<Shelf>>,
    suppressed: bool,
    /// Who took it out of service.
    out_of_service: Option<Box<Act>>,
    /// Whether its condition cannot be decided now.
    #[serde(skip)]
    pub undecided: bool,
    /// The delay that is running.
    wait: Option<Wait>,
    /// Until when its sound is stopped; a restart lets it sound again.
    #[serde(skip)]
    silent_until: Option<Mono>,
}

/// Where an alarm lies while it is shelved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Shelf {
    rest: Wait,
    act: Act,
}

/// Time that is waited out; it stands still while there is no `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Wait {
    remaining_ms: u64,
    #[serde(skip)]
    since: Option<Mono>,
}

impl Alarm {
    /// A normal alarm that has been active `occurrence` times.
    pub fn at_rest(occurrence: u64) -> Alarm {
        Alarm {
            occurrence,
            ..Alarm::default()
        }
    }

    /// What is shown of it. While it has nothing to tell, there is nothing to suppress.
    pub fn state(&self) -> AlarmState {
        if self.out_of_service.is_some() {
            AlarmState::OutOfService
        } else if self.suppressed && self.cycle != Cycle::Normal {
            AlarmState::Suppressed
        } else if self.shelf.is_some() {
            AlarmState::Shelved
        } else {
            self.cycle.into()
        }
    }

    /// Whether its condition held when it could last be decided, delays waited out.
    pub const fn is_active(&self) -> bool {
        self.cycle.is_active()
    }

    /// Whether it is suppressed, or would be if it had something to tell.
    pub const fn is_suppressed(&self) -> bool {
        self.suppressed
    }

    /// Who brought it into the state that is shown.
    pub fn who(&self) -> Option<&Act> {
        match self.state() {
            AlarmState::OutOfService => self.out_of_service.as_deref(),
            AlarmState::Shelved => self.shelf.as_ref().map(|shelf| &shelf.act),
            AlarmState::Suppressed => None,
            _ => self.ack.as_deref(),
        }
    }

    /// When it comes off the shelf by itself.
    pub fn shelved_until(&self) -> Option<Mono> {
        self.shelf.as_ref()?.rest.deadline()
    }

    /// Whether it wants to be heard at `now`: nobody has acknowledged it, and its sound is not stopped.
    pub fn sounds(&self, now: Mono) -> bool {
        self.state().is_unacknowledged() && self.silenced_until(now).is_none()
    }

    /// Until when its sound is stopped, if it waits for an acknowledgement and would be heard.
    pub fn silent_until(&self, now: Mono) -> Option<Mono> {
        self.silenced_until(now)
            .filter(|_| self.state().is_unacknowledged())
    }

    /// Until when its sound is stopped, whether it has one or not.
    pub fn silenced_until(&self, now: Mono) -> Option<Mono> {
        self.silent_until.filter(|until| *until > now)
    }

    /// Stops its sound, and changes nothing else.
    pub const fn silence(&mut self, until: Mono) {
        self.silent_until = Some(until);
    }

    /// Takes the answer of the condition at `now`, and says what happens. `since` is when the
    /// answer began to hold, if that was earlier; the delays are in milliseconds.
    pub fn judge(
        &mut self,
        now: Mono,
        since: Mono,
        answer: Option<bool>,
        on_delay_ms: u64,
        off_delay_ms: u64,
    ) -> Option<Happening> {
        self.undecided = answer.is_none();
        let Some(holds) = answer else {
            if let Some(wait) = &mut self.wait {
                wait.pause(now);
            }
            return None;
        };
        if holds == self.is_active() {
            self.wait = None;
            return None;
        }
        let wait = self.wait.get_or_insert(Wait {
            remaining_ms: if holds { on_delay_ms } else { off_delay_ms },
            since: Some(since.min(now)),
        });
        wait.since.get_or_insert(now);
        if wait.remaining(now) > 0 {
            return None;
        }
        self.wait = None;
        Some(if holds {
            Happening::Occur
        } else {
            Happening::Clear
        })
    }

    /// When a running delay or the shelf is over.
    pub fn deadline(&self) -> Option<Mono> {
        let delay = self.wait.as_ref().and_then(Wait::deadline);
        let ends = [delay, self.shelved_until()];
        ends.into_iter().flatten().min()
    }

    /// Something happens at `at`.
    pub fn happen(&mut self, what: Happening, latched: bool, at: Wall) -> Option<Change> {
        let from = self.state();
        let before = self.cycle;
        let after = before.after(what, latched);
        let is_new = match what {
            Happening::Occur => !before.is_active(),
            Happening::Return => before.is_active(),
            _ => false,
        };
        if after == before && !is_new {
            return None;
        }
        self.cycle = after;
        match what {
            _ if is_new => {
                self.occurrence += 1;
                self.count = 1 + if before.is_unacknowledged() {
                    self.count
                } else {
                    0
                };
                self.raised = Some(at);
                self.acked = None;
                self.ack = None;
                self.cleared = None;
                self.silent_until = None;
            }
            Happening::Clear => self.cleared = Some(at),
            Happening::Acknowledge => {
                self.acked = Some(at);
                // It is quiet anyhow; that it is gone later is to be heard where horns ring back.
                self.silent_until = None;
            }
            Happening::Occur | Happening::Return | Happening::Reset => {}
        }
        Some(Change {
            from,
            to: self.state(),
        })
    }

    /// Suppression by design begins, or ends.
    pub fn suppress(&mut self, suppressed: bool, latched: bool, at: Wall) -> Option<Change> {
        if self.suppressed == suppressed {
            return None;
        }
        let from = self.state();
        self.suppressed = suppressed;
        if !suppressed {
            self.come_back(latched, at);
        }
        let to = self.state();
        (from != to).then_some(Change { from, to })
    }

    /// Takes the alarm off the shelf if its time is over at `now`.
    pub fn end_shelf(&mut self, now: Mono, latched: bool, at: Wall) -> Option<Change> {
        if self.shelf.as_ref()?.rest.remaining(now) > 0 {
            return None;
        }
        let from = self.state();
        self.shelf = None;
        self.come_back(latched, at);
        let to = self.state();
        Some(Change { from, to })
    }

    /// Something that hid the alarm is gone.
    fn come_back(&mut self, latched: bool, at: Wall) {
        if self.out_of_service.is_none() && !self.suppressed && self.shelf.is_none() {
            self.happen(Happening::Return, latched, at);
        }
    }

    /// As it is to be stored at `now`: with what is left of its times.
    pub fn stored(&self, now: Mono) -> Alarm {
        let mut alarm = self.clone();
        if let Some(wait) = &mut alarm.wait {
            wait.pause(now);
        }
        if let Some(shelf) = &mut alarm.shelf {
            shelf.rest.pause(now);
        }
        alarm
    }

    /// Goes on at `now` from what was stored: nothing has been read yet, so its condition is
    /// undecided and a delay stands still; the shelf's time goes on.
    pub fn resume(&mut self, now: Mono) {
        self.undecided = true;
        if let Some(shelf) = &mut self.shelf {
            shelf.rest.since = Some(now);
        }
    }
}

impl Wait {
    fn remaining(&self, now: Mono) -> u64 {
        self.remaining_ms
            .saturating_sub(self.since.map_or(0, |since| now.since(since)))
    }

    fn pause(&mut self, now: Mono) {
        self.remaining_ms = self.remaining(now);
        self.since = None;
    }

    fn deadline(&self) -> Option<Mono> {
        Some(self.since? + self.remaining_ms)
    }
}

#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod tests;
