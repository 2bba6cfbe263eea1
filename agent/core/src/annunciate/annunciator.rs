//! What is kept of who was told what, and how it changes.

use super::budget::Log;
use super::choose::Choice;
use super::due::{Case, Raised, Wish};
use super::flood::Flood;
use super::{Channel, Kind, NoticeId, Outcome};
use crate::alarm::Alarm;
use crate::calendar::{CalendarIndex, MinuteOfDay};
use crate::plant::{self, Plant};
use crate::time::Mono;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The least and the number of codes of a reply: four digits, the first not 0.
const FIRST_CODE: u16 = 1000;
const CODES: u16 = 9000;

/// A code is good for so long after its message.
const CODE_MS: u64 = 24 * 3_600_000;

/// How things stand at the moment of a decision.
#[derive(Debug, Clone)]
pub struct Scene<'s> {
    /// What is configured.
    pub plant: &'s Plant,
    /// The alarms, in the order of [`Plant::alarms`].
    pub alarms: &'s [Alarm],
    /// By calendar, the name of the shift that it is; none while nobody knows what time it is.
    pub shifts: Option<Vec<Option<&'s str>>>,
    /// The local time; none while nobody knows it.
    pub minute: Option<MinuteOfDay>,
    /// Now.
    pub at: Mono,
}

impl Scene<'_> {
    /// The shift that it is for the device of an alarm, if any; none while nobody knows.
    pub(super) fn shift_of(&self, alarm: &plant::Alarm) -> Option<Option<&str>> {
        let device = alarm.owner.device();
        let calendar = device.map_or_else(CalendarIndex::default, |device| {
            self.plant.device(device).calendar
        });
        let shifts = self.shifts.as_ref()?;
        let shift = shifts.get(usize::from(calendar.0)).or(shifts.first());
        Some(shift.copied().flatten())
    }
}

/// What one recipient was told of one alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Index of the alarm.
    pub(super) alarm: u16,
    /// What they reply with; 0: nothing.
    pub(super) code: u16,
    /// How often they were told of this activation.
    pub(super) times: u8,
    pub(super) in_hand: bool,
    /// It was in hand before, and nobody knows whether it arrived.
    pub(super) is_uncertain: bool,
    /// They were told that it is gone.
    pub(super) is_returned: bool,
    /// What was sent of it was refused for good.
    pub(super) is_refused: bool,
    /// The activation; 0: none.
    pub(super) occurrence: u64,
    /// When they were last told.
    pub(super) at: Mono,
}

impl Told {
    const fn nothing(alarm: u16) -> Told {
        Told {
            alarm,
            code: 0,
            times: 0,
            in_hand: false,
            is_uncertain: false,
            is_returned: false,
            is_refused: false,
            occurrence: 0,
            at: Mono(0),
        }
    }

    /// Whether `code` acknowledges it at `at`.
    pub(super) fn answers_to(&self, code: u16, at: Mono) -> bool {
        self.code == code && self.code != 0 && at.since(self.at) < CODE_MS
    }
}

/// What is kept of one recipient.
#[derive(Debug)]
pub(super) struct Desk {
    /// Of each alarm that they watch, in the order of the plant.
    pub(super) told: Box<[Told]>,
    pub(super) log: Log,
    pub(super) flood: Option<Flood>,
    /// They have asked to be told nothing until then.
    pub(super) stopped_until: Option<Mono>,
    /// Wrong codes that they have sent, one after the other.
    pub(super) wrong: u8,
    /// What they send is not heeded until then.
    pub(super) unheeded_until: Option<Mono>,
    /// The answer to what they have sent.
    pub(super) answer: Option<Box<str>>,
    /// When they could last not be told, if they have not been told since.
    pub(super) failed: Option<Mono>,
}

/// What the worker of a channel has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InHand {
    pub(super) number: u32,
    pub(super) recipient: usize,
    pub(super) kind: Kind,
}

/// A channel in use.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) channel: Channel,
    pub(super) in_hand: Option<InHand>,
    /// When there may be something to tell without anything else happening.
    pub(super) wake: Option<Mono>,
    /// Its worker was called and has not asked yet.
    pub(super) is_called: bool,
}

/// What the worker of a channel is to tell now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Names it.
    pub id: NoticeId,
    /// Index of the recipient.
    pub recipient: usize,
    /// Why they are told.
    pub kind: Kind,
    /// The alarms that it speaks of.
    pub alarms: Vec<u16>,
    /// What they reply with.
    pub code: Option<u16>,
    /// It was in hand before, and nobody knows whether it arrived.
    pub is_uncertain: bool,
    /// What the answer says, of a [`Kind::Confirmed`].
    pub answer: Option<Box<str>>,
}

/// How a notice ended that is not to be told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Index of the recipient.
    pub recipient: usize,
    /// Why they were told.
    pub kind: Kind,
    /// The alarms that it spoke of.
    pub alarms: Vec<u16>,
}

/// Decides who is told what.
#[derive(Debug)]
pub struct Annunciator {
    /// By alarm.
    pub(super) raised: Vec<Raised>,
    /// By recipient.
    pub(super) desks: Vec<Desk>,
    pub(super) lanes: Vec<Lane>,
    /// All text messages.
    pub(super) sms: Log,
    number: u32,
}

impl Annunciator {
    /// Nobody was told anything yet.
    pub fn new(plant: &Plant) -> Annunciator {
        let roster = &plant.roster;
        let mut lanes: Vec<Lane> = Vec::new();
        for recipient in &roster.recipients {
            if lanes.iter().all(|lane| lane.channel != recipient.channel) {
                lanes.push(Lane {
                    channel: recipient.channel,
                    in_hand: None,
                    wake: None,
                    is_called: false,
                });
            }
        }
        let unseen = Raised {
            occurrence: 0,
            at: Mono(0),
            is_untold: false,
        };
        let desks = roster.recipients.iter().map(|recipient| Desk {
            told: watched(plant, recipient).map(Told::nothing).collect(),
            log: Log::new(recipient.budget),
            flood: None,
            stopped_until: None,
            wrong: 0,
            unheeded_until: None,
            answer: None,
            failed: None,
        });
        Annunciator {
            raised: alloc::vec![unseen; plant.alarms.len()],
            desks: desks.collect(),
            lanes,
            sms: Log::new(roster.sms),
            number: 0,
        }
    }

    /// An alarm has changed at `at`.
    pub fn note(&mut self, alarm: u16, occurrence: u64, at: Mono) {
        if let Some(raised) = self.raised.get_mut(usize::from(alarm))
            && raised.occurrence != occurrence
        {
            *raised = Raised {
                occurrence,
                at,
                is_untold: false,
            };
        }
    }

    /// The workers that are to be called, because something has changed.
    pub fn call(&mut self) -> impl Iterator<Item = Channel> + '_ {
        let idle = self.lanes.iter_mut().filter(|lane| !lane.is_called);
        idle.map(|lane| {
            lane.is_called = true;
            lane.channel
        })
    }

    /// The workers that are to be called, because it is time.
    pub fn call_due(&mut self, at: Mono) -> impl Iterator<Item = Channel> + '_ {
        let due =
            move |lane: &&mut Lane| !lane.is_called && lane.wake.is_some_and(|wake| wake <= at);
        self.lanes.iter_mut().filter(due).map(|lane| {
            lane.is_called = true;
            lane.channel
        })
    }

    /// When a worker is to be called next without anything else happening.
    pub fn wake(&self) -> Option<Mono> {
        let waiting = self.lanes.iter().filter(|lane| !lane.is_called);
        waiting.filter_map(|lane| lane.wake).min()
    }

    /// Whether anybody is told of anything.
    pub const fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    pub(super) fn case<'c>(&self, scene: &Scene<'c>, alarm: u16) -> Case<'c> {
        let index = usize::from(alarm);
        Case {
            alarm: &scene.alarms[index],
            settings: &scene.plant.alarms[index],
            raised: self.raised[index],
        }
    }

    /// What is to be told next on a channel: the same again as long as it is in hand, and somebody
    /// still waits for it.
    pub fn next(&mut self, scene: &Scene<'_>, channel: Channel, random: u64) -> Option<Handed> {
        let index = self.lanes.iter().position(|lane| lane.channel == channel)?;
        self.lanes[index].is_called = false;
        if let Some(in_hand) = self.lanes[index].in_hand {
            if self.still_matters(scene, in_hand) {
                return Some(self.handed(channel, in_hand));
            }
            self.lay_down(channel, in_hand);
            self.lanes[index].in_hand = None;
        }
        match self.choose(scene, channel) {
            Ok(choice) => {
                let in_hand = self.take(scene, &choice, random);
                self.lanes[index].in_hand = Some(in_hand);
                self.lanes[index].wake = None;
                Some(self.handed(channel, in_hand))
            }
            Err(wake) => {
                self.lanes[index].wake = wake;
                None
            }
        }
    }

    /// Whether any of it waits for a person, or nobody need wait for it.
    fn still_matters(&self, scene: &Scene<'_>, in_hand: InHand) -> bool {
        let desk = &self.desks[in_hand.recipient];
        let waits = |told: &Told| {
            let state = scene.alarms[usize::from(told.alarm)].state();
            told.in_hand && state.is_unacknowledged()
        };
        matches!(in_hand.kind, Kind::Confirmed | Kind::Returned) || desk.told.iter().any(waits)
    }

    fn take(&mut self, scene: &Scene<'_>, choice: &Choice, random: u64) -> InHand {
        let at = scene.at;
        let recipient = &scene.plant.roster.recipients[choice.recipient];
        let code = self.code(choice, random, at);
        let desk = &mut self.desks[choice.recipient];
        for place in &choice.members {
            let told = &mut desk.told[*place];
            let index = usize::from(told.alarm);
            let occurrence = scene.alarms[index].occurrence;
            if choice.kind == Kind::Returned {
                told.in_hand = true;
                continue;
            }
            let case = Case {
                alarm: &scene.alarms[index],
                settings: &scene.plant.alarms[index],
                raised: self.raised[index],
            };
            let is_again = case.wish(scene, recipient, told) == Wish::Now(Kind::Repeated);
            if told.occurrence != occurrence {
                told.occurrence = occurrence;
                told.is_uncertain = false;
            }
            if !is_again {
                told.times = 0;
                told.is_returned = false;
                told.is_refused = false;
            }
            if told.times == 0 {
                told.at = at;
            }
            told.code = code;
            told.in_hand = true;
        }
        if let (Some(flood), [place]) = (&mut desk.flood, &*choice.members) {
            let alarm = usize::from(desk.told[*place].alarm);
            flood.worst = flood.worst.max(Some(scene.plant.alarms[alarm].priority));
        }
        if let (Some(flood), Kind::Digest) = (&mut desk.flood, choice.kind) {
            flood.digested(at);
        }
        if choice.kind != Kind::Confirmed {
            desk.log.note(at);
        }
        if recipient.channel == Channel::Sms {
            self.sms.note(at);
        }
        self.number = self.number.wrapping_add(1);
        InHand {
            number: self.number,
            recipient: choice.recipient,
            kind: choice.kind,
        }
    }

    /// What to reply with: that of the message before, if there was one of this alarm; or another one
    /// than those that the recipient has.
    fn code(&self, choice: &Choice, random: u64, at: Mono) -> u16 {
        let told = &self.desks[choice.recipient].told;
        if let [place] = &*choice.members
            && let before = told[*place].code
            && told
                .iter()
                .filter(|told| told.answers_to(before, at))
                .count()
                == 1
            && told[*place].answers_to(before, at)
        {
            return before;
        }
        let start = u16::try_from(random % u64::from(CODES)).unwrap_or(0);
        let codes = (0..CODES).map(|step| FIRST_CODE + (start + step) % CODES);
        let is_free = |code: &u16| told.iter().all(|told| !told.answers_to(*code, at));
        let mut codes = codes.filter(is_free);
        codes.next().unwrap_or(FIRST_CODE + start)
    }

    fn handed(&self, channel: Channel, in_hand: InHand) -> Handed {
        let desk = &self.desks[in_hand.recipient];
        let members = || desk.told.iter().filter(|told| told.in_hand);
        let code = members().map(|told| told.code).next();
        let can_reply = channel == Channel::Sms && in_hand.kind != Kind::Returned;
        Handed {
            id: NoticeId {
                channel,
                number: in_hand.number,
            },
            recipient: in_hand.recipient,
            kind: in_hand.kind,
            alarms: members().map(|told| told.alarm).collect(),
            code: code.filter(|code| can_reply && *code != 0),
            is_uncertain: members().any(|told| told.is_uncertain),
            answer: (in_hand.kind == Kind::Confirmed)
                .then(|| desk.answer.clone())
                .flatten(),
        }
    }

    /// It was not told, and somebody may have to be told something else.
    fn lay_down(&mut self, channel: Channel, in_hand: InHand) {
        let desk = &mut self.desks[in_hand.recipient];
        for told in desk.told.iter_mut().filter(|told| told.in_hand) {
            told.in_hand = false;
        }
        if in_hand.kind != Kind::Confirmed {
            desk.log.take_back();
        }
        if channel == Channel::Sms {
            self.sms.take_back();
        }
    }

    /// What became of a notice at `at`; none if it is to be told again, or was none.
    pub fn told(&mut self, at: Mono, id: NoticeId, outcome: &Outcome) -> Option<Settled> {
        let lane = self
            .lanes
            .iter_mut()
            .find(|lane| lane.channel == id.channel)?;
        let in_hand = lane.in_hand.filter(|in_hand| in_hand.number == id.number)?;
        // Its worker asks again by itself, when it holds that to be worth it.
        lane.in_hand = None;
        let desk = &mut self.desks[in_hand.recipient];
        desk.failed = None;
        if matches!(outcome, Outcome::Failed(_)) {
            desk.failed = Some(at);
            self.lay_down(id.channel, in_hand);
            return None;
        }
        let is_refused = matches!(outcome, Outcome::Refused(_));
        let mut alarms = Vec::new();
        for told in desk.told.iter_mut().filter(|told| told.in_hand) {
            told.in_hand = false;
            if *outcome == Outcome::Unknown && !told.is_uncertain {
                told.is_uncertain = true;
                continue;
            }
            told.is_uncertain = false;
            alarms.push(told.alarm);
            match in_hand.kind {
                Kind::Returned => told.is_returned = true,
                _ if is_refused && told.times == 0 => told.is_refused = true,
                _ => {
                    told.times = told.times.saturating_add(1);
                    told.at = at;
                }
            }
        }
        if alarms.is_empty() && in_hand.kind != Kind::Confirmed {
            return None;
        }
        if in_hand.kind == Kind::Confirmed {
            desk.answer = None;
        }
        Some(Settled {
            recipient: in_hand.recipient,
            kind: in_hand.kind,
            alarms,
        })
    }

    /// When the newest activation of an alarm was seen.
    pub fn raised_at(&self, alarm: u16) -> Mono {
        self.raised[usize::from(alarm)].at
    }

    /// The network reports that what a recipient was sent with this code will not be delivered; the
    /// alarms that it spoke of.
    pub fn undelivered(&mut self, at: Mono, recipient: usize, code: u16) -> Vec<u16> {
        let Some(desk) = self.desks.get_mut(recipient) else {
            return Vec::new();
        };
        let told = desk.told.iter_mut();
        let spoken_of = told.filter(|told| told.answers_to(code, at) && !told.in_hand);
        let lost = spoken_of.map(|told| {
            told.is_refused = true;
            told.times = 0;
            told.alarm
        });
        lost.collect()
    }

    /// Whether the journal has said of an alarm that nobody can be told of it.
    pub fn is_untold(&self, alarm: u16) -> bool {
        self.raised[usize::from(alarm)].is_untold
    }

    /// The journal says so.
    pub fn say_untold(&mut self, alarm: u16) {
        self.raised[usize::from(alarm)].is_untold = true;
    }
}

/// The alarms that somebody is to be told of, if any.
pub(super) fn watched<'p>(
    plant: &'p Plant,
    recipient: &'p plant::Recipient,
) -> impl Iterator<Item = u16> + 'p {
    let alarms = (0..).zip(&plant.alarms);
    let watched = alarms.filter(|(_, alarm)| recipient.watches(alarm));
    watched.map(|(index, _)| index)
}

/// Bytes that are kept for one recipient of `plant`, besides the recipient.
pub(super) fn bytes(plant: &Plant, recipient: &plant::Recipient) -> usize {
    /// An answer, and what stands in the lists.
    const AROUND: usize = 512;
    let told = watched(plant, recipient).count() * size_of::<Told>();
    size_of::<Desk>() + told + Log::bytes(recipient.budget) + AROUND
}
