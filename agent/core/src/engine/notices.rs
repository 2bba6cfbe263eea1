//! Telling people: what [`crate::annunciate`] decides from how the alarms stand, and what the journal
//! says of it.

use super::commands::Command;
use super::{Action, Engine, Refused};
use crate::alarm::{Act, AlarmState, Refusal, Verb, Via};
use crate::annunciate::text::{self, Answer};
use crate::annunciate::{
    Answered, Channel, Handed, Kind, MOST_SUBJECTS, Meaning, Notice, NoticeId, Outcome, Reply,
    Scene, Settled, Stored, Subject, Unreached, clock,
};
use crate::limits::UNTOLD;
use crate::plant::Priority;
use crate::record::{Event, Telling};
use crate::time::Mono;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Somebody who wants no more messages and has no shift that ends is left alone for so long.
const STOP_MS: u64 = 8 * HOUR_MS;
const HOUR_MS: u64 = 3_600_000;

const MINUTE_MS: u64 = 60_000;

impl Engine {
    /// What is to be told next on a channel, at `at`; its worker has it in hand from now on, and is
    /// given the same again until it has said what became of it. It is to be told only when the
    /// checkpoint that this asks for is on disk, or cannot be. `random` is for the code of a reply.
    pub fn next_notice(&mut self, at: Mono, channel: Channel, random: u64) -> Option<Notice> {
        self.roll(at);
        self.judge_all(at);
        let handed = self.with_scene(at, |people, scene| people.next(scene, channel, random))?;
        self.act(Action::Checkpoint);
        self.notice(at, handed)
    }

    /// What became of a notice.
    pub fn handle_told(&mut self, at: Mono, notice: NoticeId, outcome: Outcome) {
        self.roll(at);
        let settled = self.people.told(at, notice, &outcome);
        self.act(Action::Checkpoint);
        if let Some(settled) = settled {
            self.tell_told(at, notice.channel, &settled, outcome);
        }
    }

    /// The network reports at `at` that a message with this code, which it had taken, will not be
    /// delivered to a recipient: they were not told.
    pub fn handle_undelivered(&mut self, at: Mono, recipient: usize, code: u16, why: String) {
        self.roll(at);
        let alarms = self.people.undelivered(at, recipient, code);
        if alarms.is_empty() {
            return;
        }
        let settled = Settled {
            recipient,
            kind: Kind::Raised,
            alarms,
        };
        let channel = self.plant.roster.recipients[recipient].channel;
        self.tell_told(at, channel, &settled, Outcome::Refused(why));
        self.act(Action::Checkpoint);
    }

    /// Somebody has sent `text` from the number `from`; none if nobody has that number.
    pub fn handle_reply(&mut self, at: Mono, from: &str, text: &str) -> Option<Reply> {
        self.roll(at);
        let plant = Arc::clone(&self.plant);
        let person = crate::annunciate::Annunciator::sender(&plant.roster, from)?;
        let by = plant.roster.recipients[person].name.clone();
        if !self.people.is_heeded(person, at) {
            return Some(Reply::NotHeeded { by });
        }
        let code = match Meaning::of(text) {
            Meaning::Other => return Some(Reply::NotUnderstood { by }),
            Meaning::Stop => return Some(self.stop(at, person, by)),
            Meaning::Code(code) => Some(code),
            Meaning::Bare => None,
        };
        let answered = self.with_scene(at, |people, scene| people.answered(scene, person, code));
        Some(match answered {
            Answered::Alarms(alarms) => self.acknowledge(at, person, by, &alarms),
            Answered::Wrong { open, is_last } => {
                let answer = match (is_last, code, open) {
                    (true, ..) => Answer::Unheeded,
                    (_, Some(_), _) => Answer::WrongCode,
                    (_, None, 0) => Answer::NothingOpen,
                    (_, None, open) => Answer::Which(open),
                };
                self.answer(person, answer);
                Reply::WrongCode { by, muted: is_last }
            }
        })
    }

    /// Acknowledges what somebody was told of, and answers them.
    fn acknowledge(
        &mut self,
        at: Mono,
        person: usize,
        by: Arc<str>,
        alarms: &[(u16, u64)],
    ) -> Reply {
        let mut done: Vec<u16> = Vec::new();
        let mut refused: Option<(u16, Refusal)> = None;
        for (alarm, occurrence) in alarms {
            let command = Command {
                id: self.subject_of(*alarm).id,
                verb: Verb::Acknowledge,
                occurrence: Some(*occurrence),
                act: Act {
                    by: Some(Box::from(&*by)),
                    via: Via::Sms,
                    why: None,
                },
            };
            match self.handle_command(at, command) {
                Ok(index) => done.push(index),
                Err(Refused::Alarm(refusal)) => refused = Some((*alarm, refusal)),
                // It is there: it was told of.
                Err(Refused::Unknown) => {}
            }
        }
        if let Some((alarm, Refusal::Occurrence { .. })) = refused {
            // They are told of the newer one, with a code of its own, instead of an answer.
            self.people.tell_anew(person, alarm);
            self.call();
        }
        let subjects: Vec<Subject> = done.iter().map(|alarm| self.subject_of(*alarm)).collect();
        match (&*subjects, &refused) {
            ([one], _) => self.answer(person, Answer::Acknowledged(one)),
            ([_, ..], _) => self.answer(person, Answer::AllAcknowledged(subjects.len())),
            ([], Some((_, Refusal::Occurrence { .. })) | None) => {}
            ([], Some((alarm, refusal))) => {
                let subject = self.subject_of(*alarm);
                let state = self.alarms[usize::from(*alarm)].state();
                match (refusal, state) {
                    (
                        Refusal::Acknowledged(who),
                        AlarmState::AckActive | AlarmState::LatchedAck,
                    ) => {
                        self.answer(person, Answer::Before(&subject, who.as_deref()));
                    }
                    _ => self.answer(person, Answer::NoNeed(&subject)),
                }
            }
        }
        match (subjects.is_empty(), refused) {
            (true, Some((_, refusal))) => Reply::Refused {
                by,
                why: alloc::format!("{refusal}"),
            },
            _ => Reply::Acknowledged {
                by,
                alarms: subjects.into_iter().map(|subject| subject.id).collect(),
            },
        }
    }

    /// Somebody wants no more messages until the shift ends.
    fn stop(&mut self, at: Mono, person: usize, by: Arc<str>) -> Reply {
        let label = self.timeline.label(at);
        let known = !self.timeline.is_unset();
        let shift = self.plant.calendar.shift_at(label).filter(|_| known);
        let until = shift.map(|shift| shift.until);
        let until = until.filter(|until| *until > label);
        let moment = until.map_or(at + STOP_MS, |until| self.timeline.moment(until));
        self.people.stop(person, moment);
        let clock = until.and_then(|until| clock(&self.plant, until));
        self.answer(person, Answer::Stopped(clock.as_deref(), STOP_MS / HOUR_MS));
        Reply::Stopped { by }
    }

    fn answer(&mut self, person: usize, answer: Answer<'_>) {
        let language = self.plant.roster.recipients[person].language;
        self.people.answer(person, text::answer(language, answer));
        self.call();
        self.act(Action::Checkpoint);
    }

    /// Calls the workers: something has changed.
    pub(super) fn call(&mut self) {
        let channels: Vec<Channel> = self.people.call().collect();
        for channel in channels {
            self.act(Action::Notices(channel));
        }
    }

    /// An alarm has changed.
    pub(super) fn note_alarm(&mut self, index: u16, at: Mono) {
        let occurrence = self.alarms[usize::from(index)].occurrence;
        self.people.note(index, occurrence, at);
        self.call();
    }

    /// Calls the workers whose time has come, and says of high and medium alarms that nobody can be told.
    pub(super) fn look_after_people(&mut self, at: Mono) {
        let channels: Vec<Channel> = self.people.call_due(at).collect();
        for channel in channels {
            self.act(Action::Notices(channel));
        }
        if self.people.is_idle() {
            return;
        }
        let all = (0u16..).zip(&self.plant.alarms).zip(&self.alarms);
        let waiting = all.filter(|((index, settings), alarm)| {
            settings.priority >= Priority::Medium
                && alarm.state().is_unacknowledged()
                && !self.people.is_untold(*index)
        });
        let waiting: Vec<u16> = waiting.map(|((index, _), _)| index).collect();
        if waiting.is_empty() {
            return;
        }
        let untold: Vec<(u16, Unreached)> = self.with_scene(at, |people, scene| {
            let waiting = waiting.into_iter();
            let untold = waiting.filter_map(|index| Some((index, people.unreached(scene, index)?)));
            // A medium alarm may wait for a shift, or be nobody's.
            let high =
                |index: u16| scene.plant.alarms[usize::from(index)].priority == Priority::High;
            let matters = |(index, why): &(u16, Unreached)| high(*index) || why.is_of_messages();
            untold.filter(matters).take(UNTOLD).collect()
        });
        for (index, why) in untold {
            self.people.say_untold(index);
            let subject = self.subject_of(index);
            self.event(
                at,
                Event::Telling(Box::new(Telling {
                    alarm: Some(subject.id),
                    occurrence: Some(subject.occurrence),
                    priority: Some(subject.priority),
                    to: None,
                    channel: None,
                    kind: None,
                    outcome: "untold".into(),
                    why: Some(why.as_str().into()),
                    count: 1,
                })),
            );
        }
    }

    /// Goes on from what was told before.
    pub(super) fn resume_people(&mut self, before: &Stored) {
        let at = self.now;
        self.people.resume(&self.plant, before, at);
        for index in 0..self.alarms.len() {
            if self.alarms[index].occurrence > 0 {
                let index = u16::try_from(index).unwrap_or(u16::MAX);
                self.people
                    .note(index, self.alarms[usize::from(index)].occurrence, at);
            }
        }
        self.call();
    }

    fn tell_told(&mut self, at: Mono, channel: Channel, settled: &Settled, outcome: Outcome) {
        let recipient = &self.plant.roster.recipients[settled.recipient];
        let to = recipient.name.clone();
        let worst = settled.alarms.iter().copied();
        let worst = worst.max_by_key(|alarm| self.plant.alarms[usize::from(*alarm)].priority);
        let worst = worst.map(|alarm| self.subject_of(alarm));
        let (outcome, why) = match outcome {
            Outcome::Sent => ("sent", None),
            Outcome::Unknown => ("unknown", None),
            Outcome::Refused(why) => ("refused", Some(why)),
            Outcome::Failed(why) => ("failed", Some(why)),
        };
        self.event(
            at,
            Event::Telling(Box::new(Telling {
                alarm: worst.as_ref().map(|subject| subject.id.clone()),
                occurrence: worst.as_ref().map(|subject| subject.occurrence),
                priority: worst.map(|subject| subject.priority),
                to: Some(to),
                channel: Some(channel),
                kind: Some(settled.kind),
                outcome: outcome.into(),
                why,
                count: u64::try_from(settled.alarms.len()).unwrap_or(u64::MAX),
            })),
        );
    }

    /// A notice in words.
    fn notice(&self, at: Mono, handed: Handed) -> Option<Notice> {
        let recipient = self.plant.roster.recipients.get(handed.recipient)?;
        let mut alarms = handed.alarms;
        alarms.sort_by_key(|alarm| {
            let index = usize::from(*alarm);
            let priority = self.plant.alarms[index].priority;
            (core::cmp::Reverse(priority), self.alarms[index].raised)
        });
        let of = |priority| {
            let same = |alarm: &&u16| self.plant.alarms[usize::from(**alarm)].priority == priority;
            alarms.iter().filter(same).count()
        };
        let counts = [Priority::High, Priority::Medium, Priority::Low].map(of);
        let subjects = alarms.iter().take(MOST_SUBJECTS);
        let subjects: Vec<Subject> = subjects.map(|alarm| self.subject_of(*alarm)).collect();
        let (language, code) = (recipient.language, handed.code);
        let text = match (handed.kind, subjects.first()) {
            (Kind::Confirmed, _) => String::from(handed.answer.as_deref().unwrap_or("")),
            (Kind::Digest, Some(worst)) => text::of_many(language, worst, counts, code),
            (kind, Some(subject)) => {
                let raised = self.people.raised_at(subject.alarm);
                let waited = at.since(raised) / MINUTE_MS;
                text::of_one(language, kind, subject, code, waited)
            }
            (_, None) => return None,
        };
        Some(Notice {
            id: handed.id,
            recipient: handed.recipient,
            name: recipient.name.clone(),
            address: recipient.address.clone(),
            language,
            kind: handed.kind,
            priority: subjects.first().map(|subject| subject.priority),
            text,
            count: alarms.len(),
            subjects,
            code,
            uncertain: u8::from(handed.is_uncertain),
        })
    }

    fn subject_of(&self, alarm: u16) -> Subject {
        let known = !self.timeline.is_unset();
        Subject::of(&self.plant, alarm, &self.alarms[usize::from(alarm)], known)
    }

    /// Decides something from how things stand.
    pub(super) fn with_scene<T>(
        &mut self,
        at: Mono,
        decide: impl FnOnce(&mut crate::annunciate::Annunciator, &Scene<'_>) -> T,
    ) -> T {
        let known = !self.timeline.is_unset();
        let shifts = self.plant.calendars().zip(&self.courses);
        let shifts = shifts.map(|(calendar, course)| {
            let shift = calendar.shifts.get(course.span.shift?)?;
            Some(&*shift.name)
        });
        let label = self.timeline.label(at);
        let scene = Scene {
            plant: &self.plant,
            alarms: &self.alarms,
            shifts: known.then(|| shifts.collect()),
            minute: self.plant.calendar.minute_of_day(label).filter(|_| known),
            at,
        };
        decide(&mut self.people, &scene)
    }
}
