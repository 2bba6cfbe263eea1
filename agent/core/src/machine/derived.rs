//! What a machine shows whose state no single tag tells.

use super::{Machine, Showing, Turn};
use crate::conditions::{Inputs, Rests};
use crate::count::Dial;
use crate::motion::Motion;
use crate::plant::{Derived, Device, Moving, Otherwise, States};
use crate::sample::{Quality, Reading, Reason, Value};
use crate::state::State;
use crate::tag::TagIndex;
use crate::time::Mono;

impl Machine {
    /// A reading of a tag at the accounted moment, which can be used until `until`: an input of the
    /// state if that is derived from it. [`Machine::derive`] says what follows.
    pub fn take(&mut self, device: &Device, tag: TagIndex, reading: &Reading, until: Mono) {
        self.inputs.take(tag, reading, self.to, until);
        let now = self.ledger.odometer();
        let (Some(moving), Some(motion)) = (moving(device), &mut self.ledger.motion) else {
            return;
        };
        if moving.tag == tag
            && reading.is_live()
            && let Some(Value::Int(raw)) = reading.value()
        {
            motion.read(*raw, &now, device.highest_rate(), moving);
        }
    }

    /// What the readings since the last time show together, from the accounted moment on: several
    /// tags that were read at once are one picture of the machine.
    pub fn derive(&mut self, derived: &Derived, merge_faults_ms: u64) {
        if !self.inputs.take_changed() {
            return;
        }
        match self.derived(derived) {
            Ok(showing) => self.show(&showing, merge_faults_ms),
            Err(why) => self.lose(why, merge_faults_ms),
        }
    }

    /// What the inputs show, or why nobody knows.
    fn derived(&self, derived: &Derived) -> Result<Showing<'static>, Reason> {
        let mut before: Option<Rests> = None;
        for (rule, state) in &derived.rules {
            let answer = self.inputs.ask(rule, self.to)?;
            let rests = before.map_or(answer.rests, |before| before.and(answer.rests));
            if answer.yes {
                return Ok(showing(*state, rests));
            }
            before = Some(rests);
        }
        match (derived.otherwise, before) {
            (Otherwise::Moving(moving), before) => {
                let of_counter = self.inputs.rests(moving.tag, self.to)?;
                let rests = before.map_or(of_counter, |before| before.and(of_counter));
                self.moved(&moving, rests).ok_or(Reason::NeverRead)
            }
            (Otherwise::State(state), Some(rests)) => Ok(showing(state, rests)),
            (Otherwise::Unknown, Some(rests)) => Ok(Showing {
                quality: Quality::Bad(Reason::Unmapped),
                ..showing(State::Unknown, rests)
            }),
            (_, None) => Err(Reason::NeverRead),
        }
    }

    /// What the counter shows, if it was ever read.
    fn moved(&self, moving: &Moving, rests: Rests) -> Option<Showing<'static>> {
        let moved = self.ledger.motion?.at(self.ledger.elapsed_ms, moving)?;
        let shows = showing(moved.state, rests);
        Some(Showing {
            quality: match moved.state {
                State::Unknown => Quality::Bad(Reason::NotMoved),
                _ => shows.quality,
            },
            turn: moved.stands_in_ms.map(|ms| Turn {
                at: self.to + ms,
                state: moving.stopped,
                quality: shows.quality,
            }),
            ..shows
        })
    }
}

/// The tags that its state is derived from, none of which has been read.
pub(super) fn inputs(device: &Device) -> Inputs {
    let tags = derived(device).map_or(&[][..], |derived| &derived.tags);
    Inputs::new(tags)
}

/// The counter that tells its state, if one does, which nobody has read.
pub(super) fn motion(device: &Device) -> Option<Motion> {
    moving(device).map(|moving| Motion::new(dial(device, moving.tag)))
}

/// A state that is derived, as long as what it rests on.
fn showing(state: State, rests: Rests) -> Showing<'static> {
    Showing {
        state,
        code: None,
        quality: rests.quality(),
        fresh_until: rests.until,
        failing: rests.failing,
        turn: None,
    }
}

fn derived(device: &Device) -> Option<&Derived> {
    match &device.model.state {
        Some(States::Derived(derived)) => Some(derived),
        _ => None,
    }
}

/// The counter that tells the state, if one does.
fn moving(device: &Device) -> Option<&Moving> {
    match &derived(device)?.otherwise {
        Otherwise::Moving(moving) => Some(moving),
        _ => None,
    }
}

/// What a counter is that tells whether the machine works: how many parts a count is does not
/// matter.
fn dial(device: &Device, counter: TagIndex) -> Dial {
    let tag = device.model.tags.get(usize::from(counter.0));
    let role = tag.and_then(|tag| tag.role);
    Dial {
        parts: role.map_or(1, |role| role.parts),
        top: tag.and_then(|tag| tag.last_count()),
        source: tag.map_or(0, |tag| tag.source.fingerprint(device.unit)),
    }
}
