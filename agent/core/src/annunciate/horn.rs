//! What is heard and lit of the alarms as they stand (ISA-18.1).
//!
//! - Nothing is remembered that the alarms do not say: what a horn does is worked out from their
//!   states and the moment, so a restart or a missed turn changes nothing.
//! - A horn sounds exactly while one of its alarms waits for an acknowledgement and its sound is not
//!   stopped. In sequence R it also sounds once when an alarm that was acknowledged is gone.
//! - **Silence** stops the sound, and the lamps go on flashing; **acknowledge** makes the lamp steady;
//!   **reset** lets it go out; a **test** is heard and seen, and changes no alarm. An alarm that sounds
//!   goes before a test.
//! - When a tone begins is told with it ([`Horn::since`], [`Horn::start`]), so that whoever plays it has
//!   nothing to decide: what is on at a moment is [`Horn::outputs`].

mod pattern;

pub use pattern::Outputs;

use crate::alarm::{Alarm, AlarmState};
use crate::plant::{Plant, Priority, Sequence};
use crate::time::Mono;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What is heard. The more urgent, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tone {
    /// Nothing.
    #[default]
    Silent,
    /// Once: an alarm that was acknowledged is gone, and waits for a reset.
    Ringback,
    /// An alarm of low priority.
    Low,
    /// An alarm of medium priority.
    Medium,
    /// An alarm of high priority.
    High,
}

impl Tone {
    /// The tone of an alarm that nobody has acknowledged.
    pub const fn of(priority: Priority) -> Tone {
        match priority {
            Priority::Low => Tone::Low,
            Priority::Medium => Tone::Medium,
            Priority::High => Tone::High,
        }
    }

    /// For programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tone::Silent => "silent",
            Tone::Ringback => "ringback",
            Tone::Low => "low",
            Tone::Medium => "medium",
            Tone::High => "high",
        }
    }
}

/// What a lamp shows. Where alarms differ, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Lamp {
    /// Dark.
    #[default]
    Off,
    /// Steady: somebody sees to it.
    On,
    /// Flashes at 0.5 Hz: gone after it was acknowledged, waits for a reset.
    FlashSlow,
    /// Flashes at 2 Hz: nobody has acknowledged it.
    Flash,
}

impl Lamp {
    /// For programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lamp::Off => "off",
            Lamp::On => "on",
            Lamp::FlashSlow => "flash-slow",
            Lamp::Flash => "flash",
        }
    }
}

/// What one horn and its lamps do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Horn {
    /// What is heard.
    pub tone: Tone,
    /// Another number begins the tone anew: a further alarm, another ringback, the end of a silence.
    pub start: u8,
    /// When the tone began.
    pub since: Mono,
    /// The red lamp: alarms of high priority.
    pub red: Lamp,
    /// The yellow lamp: all others.
    pub yellow: Lamp,
    /// The green lamp: there are none.
    pub green: Lamp,
}

/// What one alarm wants of a horn of this sequence: the table of ISA-18.1, for an alarm whose sound is
/// not stopped. Latched alarms wait for their reset in every sequence.
pub const fn wanted(sequence: Sequence, state: AlarmState, priority: Priority) -> (Tone, Lamp) {
    match (state, sequence) {
        (
            AlarmState::Normal
            | AlarmState::Shelved
            | AlarmState::Suppressed
            | AlarmState::OutOfService,
            _,
        ) => (Tone::Silent, Lamp::Off),
        // Locked in: it stays until somebody has seen it, also if it is gone.
        (AlarmState::UnackActive | AlarmState::RtnUnack | AlarmState::LatchedUnack, _) => {
            (Tone::of(priority), Lamp::Flash)
        }
        (AlarmState::AckActive, _)
        | (AlarmState::LatchedAck, Sequence::Automatic | Sequence::Manual) => {
            (Tone::Silent, Lamp::On)
        }
        (AlarmState::LatchedAck, Sequence::Ringback) => (Tone::Ringback, Lamp::FlashSlow),
    }
}

/// The parts of a test, in their order: each priority, and the ringback.
const STAGES: [Tone; 4] = [Tone::High, Tone::Medium, Tone::Low, Tone::Ringback];

/// A test that is under way.
#[derive(Debug, Clone, Copy)]
struct Test {
    /// Which horn; none: every one.
    horn: Option<usize>,
    began: Mono,
    each_ms: u64,
}

impl Test {
    /// What is tested at `now`, and since when; none when it is over.
    fn stage(&self, now: Mono) -> Option<(Tone, Mono)> {
        let passed = now.since(self.began) / self.each_ms;
        let tone = STAGES.get(usize::try_from(passed).ok()?)?;
        Some((*tone, self.began + passed * self.each_ms))
    }
}

/// All horns of the gateway, as they were when the alarms were last looked at.
#[derive(Debug)]
pub struct Horns {
    horns: Vec<Horn>,
    /// By horn, by alarm: whether it is for it.
    covers: Vec<Box<[bool]>>,
    /// By alarm: what it sounded like, as which occurrence.
    heard: Vec<(Tone, u64)>,
    test: Option<Test>,
    /// By horn: whether what it does is part of the test.
    tested: Vec<bool>,
    deadline: Option<Mono>,
}

impl Horns {
    /// Every horn of the plant, before the alarms were looked at.
    pub fn new(plant: &Plant) -> Horns {
        let covers = plant.horns.iter().map(|horn| {
            let alarms = plant.alarms.iter();
            alarms.map(|alarm| horn.is_for(alarm)).collect()
        });
        Horns {
            horns: alloc::vec![Horn::default(); plant.horns.len()],
            covers: covers.collect(),
            heard: alloc::vec![(Tone::Silent, 0); plant.alarms.len()],
            test: None,
            tested: alloc::vec![false; plant.horns.len()],
            deadline: None,
        }
    }

    /// What they do, in the order of [`Plant::horns`].
    pub fn now(&self) -> &[Horn] {
        &self.horns
    }

    /// When they do something else although no alarm changes.
    pub const fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    /// Whether an alarm is heard on some horn when it waits for its reset.
    pub fn rings_back(&self, plant: &Plant, alarm: usize) -> bool {
        let mut horns = plant.horns.iter().zip(&self.covers);
        horns.any(|(horn, covers)| horn.sequence == Sequence::Ringback && covers[alarm])
    }

    /// Each part of a test is heard for `each_ms`, on one horn or on all. Says when it is over.
    pub fn test(&mut self, horn: Option<usize>, each_ms: u64, now: Mono) -> Mono {
        let each_ms = each_ms.max(1);
        self.test = Some(Test {
            horn,
            began: now,
            each_ms,
        });
        let stages = u64::try_from(STAGES.len()).unwrap_or(u64::MAX);
        now + each_ms.saturating_mul(stages)
    }

    /// Whether what the horn at `index` does is part of a test.
    pub fn is_tested(&self, index: usize) -> bool {
        self.tested.get(index).is_some_and(|tested| *tested)
    }

    /// Works out from the alarms what they do at `now`, and says whether that is something else.
    pub fn look(&mut self, plant: &Plant, alarms: &[Alarm], now: Mono) -> bool {
        if self.horns.is_empty() {
            return false;
        }
        self.deadline = None;
        let mut changed = false;
        let stage = self.test.and_then(|test| test.stage(now));
        if let (Some(test), Some((_, since))) = (&self.test, stage) {
            self.deadline = Some(since + test.each_ms);
        }
        for at in 0..self.horns.len() {
            let tested = self.test.and_then(|test| test.horn);
            let stage = stage.filter(|_| tested.is_none_or(|tested| tested == at));
            let next = self.one(at, plant, alarms, stage, now);
            changed |= next != self.horns[at];
            self.horns[at] = next;
        }
        for (heard, alarm) in self.heard.iter_mut().zip(alarms) {
            *heard = sounds_like(alarm, now);
        }
        if stage.is_none() {
            self.test = None;
        }
        changed
    }

    /// What the horn at `at` does.
    fn one(
        &mut self,
        at: usize,
        plant: &Plant,
        alarms: &[Alarm],
        stage: Option<(Tone, Mono)>,
        now: Mono,
    ) -> Horn {
        let before = self.horns[at];
        let mut next = Horn {
            since: before.since,
            start: before.start,
            ..Horn::default()
        };
        let mut is_new = false;
        let covered = self.covers[at].iter().zip(&self.heard);
        let each = alarms.iter().zip(&plant.alarms).zip(covered);
        for ((alarm, settings), (covers, heard)) in each {
            if !covers {
                continue;
            }
            let state = alarm.state();
            let (tone, lamp) = wanted(plant.horns[at].sequence, state, settings.priority);
            let lamps = match settings.priority {
                Priority::High => &mut next.red,
                Priority::Medium | Priority::Low => &mut next.yellow,
            };
            *lamps = lamp.max(*lamps);
            if tone == Tone::Silent {
                continue;
            }
            if let Some(until) = alarm.silenced_until(now) {
                let earliest = self.deadline.map_or(until, |known| known.min(until));
                self.deadline = Some(earliest);
                continue;
            }
            let began = *heard != sounds_like(alarm, now);
            if tone > next.tone {
                is_new = began;
            } else if tone == next.tone {
                is_new |= began;
            }
            next.tone = tone.max(next.tone);
        }
        if next.red.max(next.yellow) == Lamp::Off {
            next.green = Lamp::On;
        }
        let mut since = now;
        // A ringback has been heard, or will be when the test is over.
        self.tested[at] = stage.is_some() && next.tone <= Tone::Ringback;
        if let (true, Some((tone, began))) = (self.tested[at], stage) {
            next.test(tone);
            since = began;
            is_new = before.since != began;
        }
        if next.tone != Tone::Silent && (is_new || next.tone != before.tone) {
            next.since = since;
            next.start = before.start.wrapping_add(1);
        }
        next
    }
}

impl Horn {
    /// Part of a test: a tone, and the lamp that goes with it.
    fn test(&mut self, tone: Tone) {
        self.tone = tone;
        let lamps: &mut [&mut Lamp] = match tone {
            Tone::High => &mut [&mut self.red],
            Tone::Medium => &mut [&mut self.yellow],
            Tone::Low => &mut [&mut self.green],
            Tone::Ringback | Tone::Silent => {
                &mut [&mut self.red, &mut self.yellow, &mut self.green]
            }
        };
        for lamp in lamps {
            **lamp = Lamp::On.max(**lamp);
        }
    }
}

/// What tells a sound of an alarm from another one of it: whether it calls or rings back, and as which
/// occurrence.
fn sounds_like(alarm: &Alarm, now: Mono) -> (Tone, u64) {
    let state = alarm.state();
    let tone = match state {
        _ if alarm.silenced_until(now).is_some() => Tone::Silent,
        AlarmState::LatchedAck => Tone::Ringback,
        // Whichever its priority is, it is always the same.
        _ if state.is_unacknowledged() => Tone::High,
        _ => Tone::Silent,
    };
    (tone, alarm.occurrence)
}

#[cfg(test)]
mod tests;
