//! What is to be told next on a channel.

use super::budget::Log;
use super::due::Wish;
use super::duty::{self, Kept};
use super::{Annunciator, Channel, Kind, Recipient, Scene, flood};
use crate::plant::Priority;
use crate::time::Mono;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// What could be told to one recipient now.
#[derive(Debug)]
pub(super) struct Choice {
    /// Index of the recipient.
    pub(super) recipient: usize,
    pub(super) kind: Kind,
    /// What of its told alarms it speaks of, by their places at its desk.
    pub(super) members: Vec<usize>,
    /// What goes first: an answer, then what is most urgent, then what waits longest.
    rank: (bool, Option<Priority>),
    since: Mono,
}

/// One thing to tell.
#[derive(Debug, Clone, Copy)]
struct Due {
    place: usize,
    kind: Kind,
    priority: Priority,
    came: Mono,
}

/// Why nothing is to be told to somebody now: when to look again, if by itself.
struct Rest(Option<Mono>);

impl Annunciator {
    /// What goes first on a channel; or when to look again. Whoever could not be told lets all others go
    /// first: one mailbox that is full keeps nobody else waiting.
    pub(super) fn choose(
        &mut self,
        scene: &Scene<'_>,
        channel: Channel,
    ) -> Result<Choice, Option<Mono>> {
        let mut first: Option<Choice> = None;
        let mut again: Option<Mono> = None;
        for index in 0..self.desks.len() {
            let recipient = &scene.plant.roster.recipients[index];
            if recipient.channel != channel {
                continue;
            }
            match self.choice(scene, index, recipient) {
                Err(Rest(until)) => again = earliest(again, until),
                Ok(choice) => {
                    let order = |choice: &Choice| {
                        let failed = self.desks[choice.recipient].failed;
                        (Reverse(failed), choice.rank, Reverse(choice.since))
                    };
                    let is_first = first
                        .as_ref()
                        .is_none_or(|first| order(first) < order(&choice));
                    if is_first {
                        first = Some(choice);
                    }
                }
            }
        }
        first.ok_or(again)
    }

    fn choice(
        &mut self,
        scene: &Scene<'_>,
        index: usize,
        recipient: &Recipient,
    ) -> Result<Choice, Rest> {
        let at = scene.at;
        let total = (recipient.channel == Channel::Sms).then_some(&self.sms);
        let mut rest = None;
        if self.desks[index].answer.is_some() {
            // They have asked for it themselves: it is no part of what is sent to them unasked.
            match room(at, None, total, true) {
                0 => rest = opens(at, None, total, true),
                _ => return Ok(Choice::alone(index, Kind::Confirmed, Vec::new(), None, at)),
            }
        }
        let (due, later) = self.due(scene, index, recipient);
        rest = earliest(rest, later);
        let in_flood = self.see_flood(scene, index, recipient);
        if in_flood.is_some() {
            // What is gone again is no news in a flood.
            for due in due.iter().filter(|due| !due.counts()) {
                self.desks[index].told[due.place].is_returned = true;
            }
        }
        let Some(worst) = due.iter().copied().reduce(more_urgent) else {
            return Err(Rest(rest));
        };
        let total = (recipient.channel == Channel::Sms).then_some(&self.sms);
        let own = Some(&self.desks[index].log);
        let urgent = worst.counts() && worst.priority == Priority::High;
        let room = room(at, own, total, urgent);
        if room == 0 {
            return Err(Rest(earliest(rest, opens(at, own, total, urgent))));
        }
        let told: Vec<Due> = due.into_iter().filter(Due::counts).collect();
        let digest = || {
            let members = told.iter().map(|due| due.place).collect();
            let priority = Some(worst.priority);
            Ok(Choice::alone(
                index,
                Kind::Digest,
                members,
                priority,
                worst.came,
            ))
        };
        let alone = |due: Due| {
            let members = Vec::from([due.place]);
            let priority = Some(due.priority);
            Ok(Choice::alone(index, due.kind, members, priority, due.came))
        };
        match in_flood {
            Some(_) if told.is_empty() => Err(Rest(rest)),
            Some(flood) if flood.is_worse(worst.priority) => alone(worst),
            Some(flood) if flood.digest_at > at => Err(Rest(earliest(rest, Some(flood.digest_at)))),
            Some(_) => digest(),
            None if told.len() > 1 && told.len() > room.min(flood::SEVERAL) => digest(),
            None => alone(worst),
        }
    }

    /// What is to be told to a recipient now, and when there may be more.
    fn due(
        &self,
        scene: &Scene<'_>,
        index: usize,
        recipient: &Recipient,
    ) -> (Vec<Due>, Option<Mono>) {
        let desk = &self.desks[index];
        let (mut all, mut later) = (Vec::new(), None);
        for (place, told) in desk.told.iter().enumerate() {
            let case = self.case(scene, told.alarm);
            match case.wish(scene, recipient, told) {
                Wish::Nothing => {}
                Wish::Later(moment) => later = earliest(later, Some(moment)),
                Wish::Now(kind) => match duty::kept(scene, desk, recipient, case.settings) {
                    Some(kept) => later = earliest(later, kept.until()),
                    None => all.push(Due {
                        place,
                        kind,
                        priority: case.settings.priority,
                        came: case.came(recipient),
                    }),
                },
            }
        }
        (all, later)
    }

    /// Looks whether a recipient is in a flood.
    fn see_flood(
        &mut self,
        scene: &Scene<'_>,
        index: usize,
        recipient: &Recipient,
    ) -> Option<flood::Flood> {
        let desk = &self.desks[index];
        let (mut arrived, mut worst) = (0, None);
        for told in &desk.told {
            let case = self.case(scene, told.alarm);
            let came = case.came(recipient);
            let is_known = told.occurrence == case.alarm.occurrence && told.occurrence > 0;
            let matters = is_known || case.alarm.state().is_unacknowledged();
            let is_recent = came <= scene.at && scene.at.since(came) < flood::SPAN_MS;
            if matters && is_recent {
                arrived += 1;
                if is_known {
                    worst = worst.max(Some(case.settings.priority));
                }
            }
        }
        let desk = &mut self.desks[index];
        desk.flood = flood::after(desk.flood, arrived, worst, scene.at);
        desk.flood
    }

    /// Why nobody is told of an alarm, if that is so: neither has anybody been told of this activation
    /// of it, nor will be without anything else happening.
    pub fn unreached(&self, scene: &Scene<'_>, alarm: u16) -> Option<Unreached> {
        let mut why = Unreached::Nobody;
        for (desk, recipient) in self.desks.iter().zip(&scene.plant.roster.recipients) {
            let Ok(place) = desk.told.binary_search_by_key(&alarm, |told| told.alarm) else {
                continue;
            };
            let told = &desk.told[place];
            let case = self.case(scene, alarm);
            if told.occurrence == case.alarm.occurrence && told.is_refused {
                why = why.max(Unreached::Refused);
                continue;
            }
            if told.occurrence == case.alarm.occurrence && told.times > 0 {
                return None;
            }
            match case.wish(scene, recipient, told) {
                Wish::Nothing | Wish::Later(_) => return None,
                Wish::Now(_) => {}
            }
            match duty::kept(scene, desk, recipient, case.settings) {
                Some(Kept::OffShift) => why = why.max(Unreached::OffShift),
                Some(Kept::Stopped(_)) => why = why.max(Unreached::Stopped),
                Some(Kept::Quiet(_)) => return None,
                None => {
                    let total = (recipient.channel == Channel::Sms).then_some(&self.sms);
                    let has_room = room(scene.at, Some(&desk.log), total, case.is_high()) > 0;
                    if told.in_hand || has_room {
                        return None;
                    }
                    why = why.max(Unreached::Budget);
                }
            }
        }
        Some(why)
    }
}

/// Why nobody is told of an alarm, the best reason last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unreached {
    /// Nobody wants to know of it.
    Nobody,
    /// It was refused for everybody who does.
    Refused,
    /// They are not at work.
    OffShift,
    /// They want to be left alone.
    Stopped,
    /// They have had as many messages as they may.
    Budget,
}

impl Unreached {
    /// Whether somebody would be told now, if they were told less or their messages arrived.
    pub const fn is_of_messages(self) -> bool {
        matches!(self, Unreached::Refused | Unreached::Budget)
    }

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unreached::Nobody => "nobody is to be told of it",
            Unreached::Refused => "what was sent to those who are to be told was refused",
            Unreached::OffShift => "nobody who is to be told is on shift",
            Unreached::Stopped => "those who are to be told have asked for no more messages",
            Unreached::Budget => "those who are to be told have had all messages of their budget",
        }
    }
}

impl Due {
    /// Whether it waits for a person.
    fn counts(&self) -> bool {
        self.kind != Kind::Returned
    }
}

impl Choice {
    fn alone(
        recipient: usize,
        kind: Kind,
        members: Vec<usize>,
        priority: Option<Priority>,
        since: Mono,
    ) -> Choice {
        // What is gone can wait for what is not.
        let priority = priority.filter(|_| kind != Kind::Returned);
        Choice {
            recipient,
            kind,
            members,
            rank: (kind == Kind::Confirmed, priority),
            since,
        }
    }
}

fn more_urgent(one: Due, other: Due) -> Due {
    let rank = |due: &Due| (due.counts(), due.priority, Reverse(due.came));
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}

fn room(at: Mono, own: Option<&Log>, total: Option<&Log>, urgent: bool) -> usize {
    let logs = own.into_iter().chain(total);
    logs.map(|log| log.room(at, urgent))
        .min()
        .unwrap_or(usize::MAX)
}

fn opens(at: Mono, own: Option<&Log>, total: Option<&Log>, urgent: bool) -> Option<Mono> {
    let logs = own.into_iter().chain(total);
    logs.map(|log| log.opens(at, urgent)).max()
}

fn earliest(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    one.into_iter().chain(other).min()
}
