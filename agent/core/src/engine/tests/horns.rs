//! A million random events, with restarts, beside the plain account of [`crate::alarm::model`]: a horn
//! sounds exactly while an alarm that it is for is unacknowledged, not out of view and not silenced.
//!
//! The account looks at the clock every second; the engine only when something happens or its deadline
//! has come.

extern crate std;

use super::*;
use crate::alarm::model::Reference;
use crate::alarm::{Act, Verb, Via};
use crate::annunciate::horn::{Horn, Lamp, Tone};
use crate::modbus::plan::tests;
use crate::plant::{Owner, Sequence};
use crate::tag::Table;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

const EVENTS: u32 = 1_000_000;
const DEVICES: u16 = 3;
/// Alarms of each device: one for each of the lowest bits of its register.
const EACH: usize = 4;
const PRIORITIES: [Priority; EACH] = [
    Priority::High,
    Priority::Medium,
    Priority::Low,
    Priority::Medium,
];
const DELAYS_S: [[u64; 2]; EACH] = [[0, 0], [1, 2], [0, 1], [2, 0]];
/// Those with a rule that suppresses them: while this bit is set.
const SUPPRESSED: usize = 2;
const SUPPRESSING_BIT: u16 = 7;
/// A silence, in seconds.
const SILENCE_S: u64 = 600;

fn horn(id: &str, sequence: Sequence, from: Priority, device: Option<u16>) -> plant::Horn {
    plant::Horn {
        id: id.into(),
        sequence,
        from_priority: from,
        devices: device.map(|device| [DeviceIndex(device)].into()),
        gateway: device.is_none(),
    }
}

/// Three devices with four alarms each, and four horns.
fn hall() -> Plant {
    let model = tests::model(vec![tests::tag(Table::Holding, 0, Kind::U16, 1000)]);
    let mut plant = tests::plant(&[model.clone(), model.clone(), model]);
    for (index, device) in plant.devices.iter_mut().enumerate() {
        device.id = format!("d-{index}").into();
        device.publishes = TierSet::NONE;
        device.stale_after_ms = 1 << 40;
    }
    let rule = |device, bit| {
        let tag = |_: Option<&str>, _: &str| Ok(rule::Name::Tag(device, TagIndex(0)));
        rule::parse(&format!("v bit {bit}"), 0.0, &tag).unwrap()
    };
    plant.horns = vec![
        horn("all", Sequence::Automatic, Priority::Low, None),
        horn("first", Sequence::Manual, Priority::Medium, Some(0)),
        horn("last", Sequence::Ringback, Priority::Low, Some(2)),
        horn("high", Sequence::Automatic, Priority::High, None),
    ];
    for device in (0..DEVICES).map(DeviceIndex) {
        for bit in 0..EACH {
            let mut alarm = plant::Alarm {
                owner: Owner::Device(device),
                id: format!("a-{bit}").into(),
                priority: PRIORITIES[bit],
                when: rule(device, bit),
                on_delay_ms: DELAYS_S[bit][0] * 1000,
                off_delay_ms: DELAYS_S[bit][1] * 1000,
                latched: bit == 3,
                group: None,
                suppress_when: (bit < SUPPRESSED)
                    .then(|| rule(device, usize::from(SUPPRESSING_BIT))),
                text_en: "".into(),
                text_zh: "".into(),
            };
            // As the configuration does it.
            let mut horns = plant.horns.iter();
            alarm.latched |= horns.any(|horn| horn.sequence.latches() && horn.is_for(&alarm));
            plant.alarms.push(alarm);
        }
    }
    plant
}

/// Marsaglia's xorshift: the same million events each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Read(u16, u16),
    Fail(u16),
    Act(usize, Verb, Option<u64>),
    Silence,
    Test(Option<usize>, u64),
    Restart(u64),
}

fn step(random: &mut Random) -> Step {
    match random.below(1000) {
        0..4 => Step::Pass(random.below(700)),
        4..250 => Step::Pass(random.below(4)),
        250..560 => {
            // Few bits at a time, or nothing would ever be normal.
            let mask = random.below(128) as u16 & random.below(128) as u16;
            let suppressing = u16::from(random.below(8) == 0) << SUPPRESSING_BIT;
            Step::Read(random.below(3) as u16, mask | suppressing)
        }
        560..600 => Step::Fail(random.below(3) as u16),
        600..940 => {
            let verb = match random.below(12) {
                0..6 => Verb::Acknowledge,
                6..9 => Verb::Reset,
                9 => random.one_of(&[Verb::Shelve(3_000), Verb::Shelve(900_000)]),
                10 => random.one_of(&[Verb::Unshelve, Verb::Unshelve, Verb::OutOfService]),
                _ => Verb::Return,
            };
            let alarm = random.below(u64::from(DEVICES) * EACH as u64) as usize;
            Step::Act(alarm, verb, random.one_of(&[None, None, Some(0), Some(1)]))
        }
        940..980 => Step::Silence,
        980..990 => {
            let horn = random.one_of(&[None, Some(0), Some(1), Some(2), Some(3)]);
            Step::Test(horn, 1 + random.below(5))
        }
        _ => Step::Restart(random.below(8)),
    }
}

/// What the account says of a horn: tone, red and yellow lamp.
type Told = (Tone, Lamp, Lamp);

struct Model {
    plant: Plant,
    bench: Bench,
    /// Since the beginning, in seconds.
    now_s: u64,
    alarms: Vec<Reference>,
    test: Option<(Option<usize>, u64, u64)>,
    /// What each alarm sounded like when it was last looked at.
    sounded: Vec<(Tone, u64)>,
    horns: Vec<Horn>,
}

impl Model {
    fn new() -> Model {
        let plant = hall();
        let reference = |(index, alarm): (usize, &plant::Alarm)| Reference {
            latched: alarm.latched,
            delays_s: DELAYS_S[index % EACH],
            ..Reference::default()
        };
        let mut model = Model {
            bench: Bench::left(plant.clone(), now(0), None),
            now_s: 0,
            alarms: plant.alarms.iter().enumerate().map(reference).collect(),
            test: None,
            sounded: vec![(Tone::Silent, 0); plant.alarms.len()],
            horns: vec![Horn::default(); plant.horns.len()],
            plant,
        };
        model.check();
        model
    }

    fn ms(&self) -> u64 {
        self.now_s * 1000
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_s += 1;
            self.bench.pass(self.ms());
            self.alarms.iter_mut().for_each(Reference::tick);
            self.check();
        }
    }

    fn covers(&self, horn: usize) -> impl Iterator<Item = usize> {
        let (horn, alarms) = (&self.plant.horns[horn], self.plant.alarms.iter());
        let covered = alarms.enumerate().filter(|(_, alarm)| horn.is_for(alarm));
        covered
            .map(|(index, _)| index)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn rings_back(&self, alarm: usize) -> bool {
        let is_on_r = self.covers(2).any(|covered| covered == alarm);
        let reference = &self.alarms[alarm];
        is_on_r && reference.state() == "latched-ack" && reference.silent_s == 0
    }

    /// What a horn does for its alarms.
    fn told(&self, horn: usize) -> Told {
        let rings_back = self.plant.horns[horn].sequence == Sequence::Ringback;
        let (mut tone, mut lamps) = (Tone::Silent, [Lamp::Off; 2]);
        for index in self.covers(horn) {
            let (alarm, priority) = (&self.alarms[index], PRIORITIES[index % EACH]);
            if alarm.sounds() {
                tone = tone.max(Tone::of(priority));
            } else if rings_back && self.rings_back(index) {
                tone = tone.max(Tone::Ringback);
            }
            let lamp = match alarm.state() {
                "unack-active" | "rtn-unack" | "latched-unack" => Lamp::Flash,
                "latched-ack" if rings_back => Lamp::FlashSlow,
                "ack-active" | "latched-ack" => Lamp::On,
                _ => Lamp::Off,
            };
            let at = usize::from(priority != Priority::High);
            lamps[at] = lamps[at].max(lamp);
        }
        (tone, lamps[0], lamps[1])
    }

    /// The part of a test that a horn is in.
    fn tested(&self, horn: usize) -> Option<Tone> {
        let (which, began_s, each_s) = self.test?;
        if which.is_some_and(|which| which != horn) || self.told(horn).0 > Tone::Ringback {
            return None;
        }
        let stage = (self.now_s - began_s) / each_s;
        let stages = [Tone::High, Tone::Medium, Tone::Low, Tone::Ringback];
        stages.get(stage as usize).copied()
    }

    /// What the engine does beside what the account says.
    fn check(&mut self) {
        let sounds = |(index, alarm): (usize, &Reference)| {
            let tone = if alarm.sounds() {
                Tone::High
            } else if self.rings_back(index) {
                Tone::Ringback
            } else {
                Tone::Silent
            };
            (tone, alarm.occurrence)
        };
        let sounding: Vec<(Tone, u64)> = self.alarms.iter().enumerate().map(sounds).collect();
        for at in 0..self.horns.len() {
            let (before, horn) = (self.horns[at], self.bench.engine.horns()[at]);
            let id = &self.plant.horns[at].id;
            let (tone, red, yellow) = self.told(at);
            match self.tested(at) {
                Some(stage) => assert_eq!(horn.tone, stage, "{id} in a test"),
                None => {
                    let told = (horn.tone, horn.red, horn.yellow);
                    assert_eq!(told, (tone, red, yellow), "{id}");
                    let all_well = red.max(yellow) == Lamp::Off;
                    assert_eq!(horn.green == Lamp::On, all_well, "{id}");
                    // A tone that goes on begins anew for what is new, and for nothing else.
                    if horn.tone != Tone::Silent && before.tone == horn.tone && self.test.is_none()
                    {
                        let kind = horn.tone.min(Tone::High);
                        let is_new = self.covers(at).any(|alarm| {
                            let of_tone = match kind {
                                Tone::Ringback => sounding[alarm].0 == Tone::Ringback,
                                _ => {
                                    sounding[alarm].0 == Tone::High
                                        && Tone::of(PRIORITIES[alarm % EACH]) == horn.tone
                                }
                            };
                            of_tone && sounding[alarm] != self.sounded[alarm]
                        });
                        assert_eq!(horn.start != before.start, is_new, "{id} begins anew");
                    }
                }
            }
        }
        self.sounded = sounding;
        self.horns = self.bench.engine.horns().to_vec();
        if let Some((_, began_s, each_s)) = self.test
            && self.now_s >= began_s + 4 * each_s
        {
            self.test = None;
        }
    }

    fn answer(&mut self, device: u16, register: Option<u16>) {
        let at = at(self.ms());
        let words = register.as_ref().map(core::slice::from_ref);
        let words = words.map(Words::Registers).ok_or(Reason::Timeout);
        let read = ReadIndex(device.into());
        self.bench.engine.handle_read(read, at, words);
        self.bench.drain();
        let first = usize::from(device) * EACH;
        for (bit, alarm) in self.alarms[first..first + EACH].iter_mut().enumerate() {
            let has = |bit: u16| register.map(|register| register >> bit & 1 == 1);
            let suppress = has(SUPPRESSING_BIT).filter(|_| bit < SUPPRESSED);
            // What hides an alarm begins before its condition is looked at, and ends after.
            if suppress == Some(true) {
                alarm.suppressed = true;
            }
            alarm.answer = has(bit as u16);
            alarm.look();
            if suppress == Some(false) && alarm.suppressed {
                alarm.suppressed = false;
                alarm.show();
            }
        }
    }

    fn act(&mut self, alarm: usize, verb: Verb, back: Option<u64>) {
        let settings = &self.plant.alarms[alarm];
        let device = self.plant.owner_id(settings.owner);
        let named = back.map(|back| self.alarms[alarm].occurrence.saturating_sub(back));
        let command = Command {
            id: format!("{device}.{}", settings.id).into(),
            verb,
            occurrence: named,
            act: by(),
        };
        let done = self.bench.engine.handle_command(at(self.ms()), command);
        self.bench.drain();
        let reference = &mut self.alarms[alarm];
        assert_eq!(done.is_ok(), reference.act(verb, named), "{done:?}");
        if done.is_ok() && verb == Verb::Acknowledge {
            reference.silent_s = 0;
        }
    }

    fn silence(&mut self) {
        let count = self.bench.engine.handle_silence(at(self.ms()), by());
        self.bench.drain();
        let mut silenced = 0;
        for index in 0..self.alarms.len() {
            if self.alarms[index].sounds() || self.rings_back(index) {
                self.alarms[index].silent_s = SILENCE_S;
                silenced += 1;
            }
        }
        assert_eq!(count, silenced);
    }

    fn test(&mut self, horn: Option<usize>, each_s: u64) {
        let id = horn.map(|horn| self.plant.horns[horn].id.clone());
        let moment = at(self.ms());
        let engine = &mut self.bench.engine;
        let begun = engine.handle_horn_test(moment, id.as_deref(), each_s * 1000, by());
        self.bench.drain();
        let of = |index: &usize| horn.is_none_or(|horn| horn == *index);
        let mut horns = (0..self.horns.len()).filter(of);
        let is_heard = horns.any(|horn| self.told(horn).0 <= Tone::Ringback);
        assert_eq!(begun.is_ok(), is_heard, "{begun:?}");
        if is_heard {
            self.test = Some((horn, self.now_s, each_s));
        }
    }

    /// Killed after a checkpoint, and started again after so many seconds.
    fn restart(&mut self, seconds: u64) {
        let checkpoint = self.bench.engine.checkpoint();
        self.now_s += seconds;
        let left = Some(Left::Newest(&checkpoint));
        self.bench = Bench::left(self.plant.clone(), now(self.ms()), left);
        self.bench.pass(self.ms());
        self.test = None;
        for alarm in &mut self.alarms {
            alarm.answer = None;
            (0..seconds).for_each(|_| alarm.tick());
            alarm.silent_s = 0;
        }
        // A tone begins when the agent does.
        self.horns.fill(Horn::default());
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass(seconds) => self.pass(seconds),
            Step::Read(device, register) => self.answer(device, Some(register)),
            Step::Fail(device) => self.answer(device, None),
            Step::Act(alarm, verb, back) => self.act(alarm, verb, back),
            Step::Silence => self.silence(),
            Step::Test(horn, each_s) => self.test(horn, each_s),
            Step::Restart(seconds) => self.restart(seconds),
        }
        self.check();
        self.bench.records.clear();
        self.bench.pages.clear();
        self.bench.published.clear();
    }
}

fn by() -> Act {
    Act {
        by: Some("li".into()),
        via: Via::Cli,
        why: Some("why".into()),
    }
}

/// Tells what led to a failure.
struct Trail(VecDeque<String>);

impl Drop for Trail {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!(
                "the last steps:\n{}",
                Vec::from(core::mem::take(&mut self.0)).join("\n")
            );
        }
    }
}

#[test]
fn a_horn_sounds_exactly_while_an_alarm_calls_for_it() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut model = Model::new();
    let mut trail = Trail(VecDeque::new());
    let mut heard = [0u32; 5];
    let mut restarts = 0;
    for number in 0..EVENTS {
        let step = step(&mut random);
        trail.0.truncate(40);
        trail
            .0
            .push_front(format!("{number} at {} s: {step:?}", model.now_s));
        model.take(&step);
        restarts += u32::from(matches!(step, Step::Restart(_)));
        for horn in &model.horns {
            heard[horn.tone as usize] += 1;
        }
    }
    // It would prove nothing if one of them were never heard.
    assert!(heard.iter().all(|heard| *heard > EVENTS / 100), "{heard:?}");
    assert!(restarts > EVENTS / 200, "{restarts}");
}
