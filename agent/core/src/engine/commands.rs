//! What people do to alarms: the one way in for every channel.

use super::{Action, Current, Engine};
use crate::alarm::{Act, AlarmState, Refusal, Verb};
use crate::plant::Priority;
use crate::record::{Done, Event};
use crate::time::{Mono, Wall};
use alloc::boxed::Box;

/// Sound is stopped for so long; what nobody has acknowledged by then sounds again.
pub const SILENCE_MS: u64 = 10 * 60_000;

/// What somebody wants done to an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which alarm: `{device}.{alarm}`.
    pub id: Box<str>,
    /// What.
    pub verb: Verb,
    /// Which occurrence they mean; without one, the newest.
    pub occurrence: Option<u64>,
    /// Who, how and why.
    pub act: Act,
}

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No such alarm is configured.
    Unknown,
    /// The alarm stands in another way, or something is missing.
    Alarm(Refusal),
}

/// What is to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sound {
    /// The highest priority that sounds; none: all is quiet.
    pub priority: Option<Priority>,
    /// How many alarms sound.
    pub alarms: usize,
    /// When the next alarm sounds again whose sound was stopped.
    pub silent_until: Option<Wall>,
}

impl Engine {
    /// Somebody does something to an alarm at `at`. Returns its index; what follows from it is durable
    /// only once the records that it asks to be stored are on disk.
    pub fn handle_command(&mut self, at: Mono, command: Command) -> Result<u16, Refused> {
        self.roll(at);
        let index = self.alarm_index(&command.id).ok_or(Refused::Unknown)?;
        // A shelf may have ended, and a delay may be over.
        self.judge(index, at);
        let Command {
            verb,
            occurrence,
            act,
            ..
        } = command;
        self.carry_out(index, at, verb, occurrence, act)
            .map_err(Refused::Alarm)?;
        self.act(Action::Commit);
        Ok(index)
    }

    /// Somebody does the same at `at` to every alarm to which it can be done, and says nothing to the
    /// others; says how many that were.
    pub fn handle_command_to_all(&mut self, at: Mono, verb: Verb, act: &Act) -> usize {
        self.roll(at);
        self.judge_all(at);
        let mut count = 0;
        for index in (0..u16::MAX).take(self.alarms.len()) {
            let done = self.carry_out(index, at, verb, None, act.clone());
            count += usize::from(done.is_ok());
        }
        if count > 0 {
            self.act(Action::Commit);
        }
        count
    }

    fn carry_out(
        &mut self,
        index: u16,
        at: Mono,
        verb: Verb,
        occurrence: Option<u64>,
        act: Act,
    ) -> Result<(), Refusal> {
        let place = usize::from(index);
        let label = self.timeline.label(at);
        let latched = self.plant.alarms[place].latched;
        let is_call = self.plant.alarms[place].is_call();
        if !is_call && matches!(verb, Verb::Call | Verb::Solve) {
            return Err(Refusal::NotACall);
        }
        let took_ms = match verb {
            Verb::Acknowledge if is_call => self.since_raised(index, at),
            Verb::Solve => self.since_step(index, at),
            _ => None,
        };
        let change = self.alarms[place].act(verb, occurrence, act.clone(), latched, (at, label))?;
        let shelved_until = self.alarms[place].shelved_until();
        let until = match verb {
            Verb::Shelve(_) => shelved_until.map(|until| self.timeline.label(until)),
            _ => None,
        };
        let done = Done {
            verb,
            act,
            until,
            took_ms,
        };
        self.tell_alarm(index, Some(change), Some(Box::new(done)), at);
        self.act(Action::Publish(Current::Alarm(index)));
        if let Some(until) = shelved_until {
            let earliest = self.alarm_deadline.map_or(until, |known| known.min(until));
            self.alarm_deadline = Some(earliest);
        }
        Ok(())
    }

    /// Somebody stops the sound of everything that sounds at `at`; says how many alarms that were. An
    /// alarm that is raised later sounds all the same.
    pub fn handle_silence(&mut self, at: Mono, act: Act) -> usize {
        self.roll(at);
        let until = at + SILENCE_MS;
        let mut count = 0;
        for (index, alarm) in self.alarms.iter_mut().enumerate() {
            let rings_back = alarm.state() == AlarmState::LatchedAck
                && alarm.silenced_until(at).is_none()
                && self.horns.rings_back(&self.plant, index);
            if alarm.sounds(at) || rings_back {
                alarm.silence(until);
                count += 1;
            }
        }
        if count > 0 {
            self.horns_due = true;
            let event = Event::Silence {
                act: Box::new(act),
                count: u64::try_from(count).unwrap_or(u64::MAX),
                until: self.timeline.label(until),
            };
            self.event(at, event);
            self.act(Action::Commit);
        }
        count
    }

    /// What is to be heard at `at`.
    pub fn sound(&self, at: Mono) -> Sound {
        let mut sound = Sound::default();
        let mut earliest: Option<Mono> = None;
        for (alarm, settings) in self.alarms.iter().zip(&self.plant.alarms) {
            if alarm.sounds(at) {
                sound.alarms += 1;
                sound.priority = sound.priority.max(Some(settings.priority));
            } else if let Some(until) = alarm.silent_until(at) {
                earliest = Some(earliest.map_or(until, |known| known.min(until)));
            }
        }
        sound.silent_until = earliest.map(|until| self.timeline.label(until));
        sound
    }

    fn alarm_index(&self, id: &str) -> Option<u16> {
        let (device, alarm) = id.split_once('.')?;
        let found = self.plant.alarms.iter().position(|settings| {
            *settings.id == *alarm && *self.plant.owner_id(settings.owner) == *device
        });
        found.and_then(|index| u16::try_from(index).ok())
    }
}
