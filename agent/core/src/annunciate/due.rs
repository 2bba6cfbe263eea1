//! What one recipient is to be told of one alarm, and when.

use super::budget::DAY_MS;
use super::{Kind, Scene, Told};
use crate::alarm::Alarm;
use crate::plant::{self, Priority, Recipient};
use crate::time::Mono;

/// An alarm that comes back within this time, and that nobody has acknowledged, is the same to
/// somebody who was told of it.
const SAME_MS: u64 = 30 * 60_000;

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing, unless the alarm changes.
    Nothing,
    /// Nothing before this moment.
    Later(Mono),
    /// This, now.
    Now(Kind),
}

/// When an activation of an alarm was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raised {
    pub(super) occurrence: u64,
    pub(super) at: Mono,
    /// The journal says that nobody can be told of it.
    pub(super) is_untold: bool,
}

/// An alarm with what is kept for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'c> {
    pub(super) alarm: &'c Alarm,
    pub(super) settings: &'c plant::Alarm,
    pub(super) raised: Raised,
}

impl Case<'_> {
    /// What of it `recipient` is to be told, who was `told` so far, leaving aside whether they are on
    /// duty.
    pub(super) fn wish(&self, scene: &Scene<'_>, recipient: &Recipient, told: &Told) -> Wish {
        let (alarm, at) = (self.alarm, scene.at);
        let state = alarm.state();
        if state.is_hidden() {
            return Wish::Nothing;
        }
        let is_told = told.occurrence == alarm.occurrence && told.times > 0;
        let is_gone = !alarm.is_active() && alarm.cleared.is_some();
        let is_recent = at.since(told.at) < DAY_MS;
        if is_told && is_gone && recipient.returns && !told.is_returned && is_recent {
            return Wish::Now(Kind::Returned);
        }
        if !state.is_unacknowledged() {
            return Wish::Nothing;
        }
        if told.is_refused && told.occurrence == alarm.occurrence {
            return Wish::Nothing;
        }
        if self.knows(told) {
            let again = scene.plant.roster.repeat_ms(self.settings.priority);
            let again = again.filter(|_| told.times == 1).map(|ms| told.at + ms);
            let anew = (!is_told).then_some(told.at + SAME_MS);
            if let Some(again) = again
                && anew.is_none_or(|anew| again < anew)
            {
                return due(again, at, Kind::Repeated);
            }
            match anew {
                Some(anew) if at < anew => return Wish::Later(anew),
                Some(_) => {}
                None => return Wish::Nothing,
            }
        }
        match recipient.after_ms {
            0 => Wish::Now(Kind::Raised),
            _ => due(self.came(recipient), at, Kind::Escalated),
        }
    }

    /// Whether they were told of an activation since which nobody has acknowledged.
    fn knows(&self, told: &Told) -> bool {
        told.times > 0 && told.occurrence + self.alarm.count.max(1) > self.alarm.occurrence
    }

    /// When it is, or was, time to tell `recipient`.
    pub(super) fn came(&self, recipient: &Recipient) -> Mono {
        self.raised.at + recipient.after_ms
    }

    pub(super) fn is_high(&self) -> bool {
        self.settings.priority == Priority::High
    }
}

fn due(moment: Mono, at: Mono, kind: Kind) -> Wish {
    if moment <= at {
        Wish::Now(kind)
    } else {
        Wish::Later(moment)
    }
}
