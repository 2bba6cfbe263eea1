//! Who is told of a source that lies: an event when it begins and one when it has been over for a
//! while, and the conditions of alarms.

use super::Engine;
use crate::limits;
use crate::record::Event;
use crate::sample::{Reading, Reason, Value};
use crate::tag::{DeviceIndex, TagIndex};
use crate::time::Mono;

/// Readings without trouble after which it is over: what comes and goes is told once.
const CALM: u8 = 10;

/// Lies of one device that may be told one upon the other, and the time in milliseconds after which
/// one more may: a source that lies all the time would fill the outbox with it. What was told to
/// begin is always told to end.
const BURST: u8 = 16;
const EACH_MS: u64 = 300_000;

/// Lies that concern all tags of a device and are told of it as a whole.
const WHOLE: [Reason; 3] = [Reason::AllZero, Reason::ClockAhead, Reason::ClockBehind];

/// Lies that concern one tag.
const OF_TAG: [Reason; 6] = [
    Reason::Frozen,
    Reason::StandingStill,
    Reason::ImplausibleStep,
    Reason::ImplausibleCount,
    Reason::OutOfRange,
    Reason::Stale,
];

/// How a tag, or a device as a whole, lies.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Trouble {
    /// Since it began, until it has been calm for a while.
    why: Option<Reason>,
    calm: u8,
    told: bool,
}

/// What is told of a device.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// In the order of [`WHOLE`].
    whole: [Trouble; WHOLE.len()],
    /// How many troubles there are, with those of its tags.
    suspects: u16,
    /// How many were told lately.
    told: u8,
    told_at: Mono,
}

impl Telling {
    /// What is to be told now of a trouble that is there for this reason, or not: which, and whether
    /// it begins. What has no room is told with a later reading.
    fn look(
        &mut self,
        trouble: &mut Trouble,
        why: Option<Reason>,
        has_room: bool,
        at: Mono,
    ) -> Option<(Reason, bool)> {
        let before = trouble.why.is_some();
        let told = trouble.take(why);
        let told = told.filter(|(_, begins)| has_room && (!begins || self.may_begin(at)));
        if let Some((_, begins)) = told {
            trouble.tell(begins);
        }
        let after = trouble.why.is_some();
        self.suspects = self.suspects + u16::from(after) - u16::from(before);
        told
    }

    /// Whether one more may be told.
    fn may_begin(&mut self, at: Mono) -> bool {
        let more = at.since(self.told_at) / EACH_MS;
        if more > 0 {
            self.told_at = at;
            let more = u8::try_from(more).unwrap_or(u8::MAX);
            self.told = self.told.saturating_sub(more);
        }
        let may = self.told < BURST;
        self.told += u8::from(may);
        may
    }
}

impl Trouble {
    /// What is to be told of a reading with this reason: whether one begins or ends.
    fn take(&mut self, why: Option<Reason>) -> Option<(Reason, bool)> {
        match (why, self.why) {
            (Some(why), _) => {
                self.calm = 0;
                if self.why != Some(why) && !self.told {
                    self.why = Some(why);
                }
            }
            (None, Some(_)) => self.calm = (self.calm + 1).min(CALM),
            (None, None) => return None,
        }
        let why = self.why?;
        match (self.calm < CALM, self.told) {
            (true, false) => Some((why, true)),
            (false, true) => Some((why, false)),
            (false, false) => {
                *self = Trouble::default();
                None
            }
            (true, true) => None,
        }
    }

    /// It was told that it begins, or that it ended.
    fn tell(&mut self, begins: bool) {
        if begins {
            self.told = true;
        } else {
            *self = Trouble::default();
        }
    }
}

impl Engine {
    /// A lie that concerns a device as a whole is there, or not.
    pub(super) fn whole(
        &mut self,
        device: DeviceIndex,
        why: Reason,
        is_there: bool,
        at: Mono,
        value: Option<&Value>,
    ) {
        let Some(place) = WHOLE.iter().position(|reason| *reason == why) else {
            return;
        };
        let has_room = self.actions.len() < limits::SOURCES;
        let telling = &mut self.sources.devices[usize::from(device.0)].telling;
        let mut trouble = telling.whole[place];
        let told = telling.look(&mut trouble, is_there.then_some(why), has_room, at);
        telling.whole[place] = trouble;
        if let Some(told) = told {
            self.tell(device, None, told, value, at);
        }
    }

    /// Tells of a reading of a tag what is new about its source. `said` is what it was before it
    /// was judged.
    pub(in crate::engine) fn tell_source(
        &mut self,
        device: DeviceIndex,
        index: TagIndex,
        reading: &Reading,
        said: Option<&Value>,
        at: Mono,
    ) {
        let reason = reading.quality().reason();
        let why = reason.filter(|reason| OF_TAG.contains(reason));
        if why.is_none() && reason.is_some() {
            // Not read, or a matter of the whole device: no word on this.
            return;
        }
        let slot = self.devices[usize::from(device.0)].first_slot + usize::from(index.0);
        let has_room = self.actions.len() < limits::SOURCES;
        let telling = &mut self.sources.devices[usize::from(device.0)].telling;
        let trouble = &mut self.sources.troubles[slot];
        if let Some(told) = telling.look(trouble, why, has_room, at) {
            self.tell(device, Some(index), told, said, at);
        }
    }

    fn tell(
        &mut self,
        device: DeviceIndex,
        index: Option<TagIndex>,
        (reason, begins): (Reason, bool),
        value: Option<&Value>,
        at: Mono,
    ) {
        let settings = self.plant.device(device);
        let tag = index.and_then(|index| settings.model.tags.get(usize::from(index.0)));
        let event = Event::Source {
            device: settings.id.clone(),
            tag: tag.map(|tag| tag.name.clone()),
            reason,
            begins,
            value: value.filter(|_| begins).cloned(),
        };
        self.event(at, event);
    }

    /// Whether a source of a device lies; none while it says nothing.
    pub(in crate::engine) fn lies(&self, device: DeviceIndex) -> Option<bool> {
        match self.sources.devices[usize::from(device.0)].telling.suspects {
            0 if self.is_silent(device) => None,
            suspects => Some(suspects > 0),
        }
    }
}
