//! Sources that lie: what the detectors make of each reading.

mod learned;
mod telling;

pub use learned::KEPT_EVERY_MS as LEARNED_KEPT_EVERY_MS;
pub(super) use telling::Trouble;

use super::Engine;
use crate::limits;
use crate::modbus::decode::Words;
use crate::plant::{Device, Plant, States};
use crate::quality::{Behind, Block, Counted, Jump, Level, Meter, Poll, is_of_zeros};
use crate::sample::{Reading, Reason, Sample, Value};
use crate::state::State;
use crate::tag::{Detector, Detectors, DeviceIndex, Kind, Role, Summed, Tag, TagIndex};
use crate::tag_sums::Number;
use crate::time::{Mono, Wall};
use alloc::vec::Vec;
use telling::Telling;

/// No watch for this tag.
const NONE: u32 = u32::MAX;

/// A device whose values all stand still sends a copy; fewer than this prove nothing.
const LEAST_STILL: u16 = 2;

/// What is watched of every tag and device.
#[derive(Debug)]
pub(super) struct Sources {
    watches: Vec<Watch>,
    /// By slot of [`super::newest`].
    of_slot: Vec<u32>,
    troubles: Vec<Trouble>,
    /// By slot: whether it stands in an answer of zeros from a source that is dead.
    is_dead: Vec<bool>,
    devices: Vec<OfDevice>,
}

/// What is normal for a tag.
#[derive(Debug, Clone)]
pub(super) enum Watch {
    Level(Level),
    Meter(Meter),
}

/// What concerns all tags of a device.
#[derive(Debug, Default)]
pub(super) struct OfDevice {
    /// What it says that it does, and until when that holds.
    producing_until: Option<Mono>,
    /// Whether it last said that it produces, and how often it was seen to stop.
    produced: bool,
    stops: u8,
    /// Tags for which it is known how long they may stand still, and those that do for longer.
    judged: u16,
    still: u16,
    /// Counters among these.
    meters_still: u16,
    /// Its status moved while everything else stood still.
    status_moves: bool,
    status: Option<Value>,
    behind: Behind,
    telling: Telling,
}

impl Sources {
    pub(super) fn new(plant: &Plant) -> Sources {
        let mut sources = Sources {
            watches: Vec::with_capacity(watched(plant)),
            of_slot: Vec::with_capacity(limits::tags(plant)),
            troubles: alloc::vec![Trouble::default(); limits::tags(plant)],
            is_dead: alloc::vec![false; limits::tags(plant)],
            devices: Vec::with_capacity(plant.devices.len()),
        };
        for device in &plant.devices {
            sources.devices.push(OfDevice::default());
            for index in (0..).map(TagIndex).take(device.model.tags.len()) {
                let mut place = NONE;
                if let Some(watch) = Watch::of(device, index) {
                    place = u32::try_from(sources.watches.len()).unwrap_or(NONE);
                    sources.watches.push(watch);
                }
                sources.of_slot.push(place);
            }
        }
        sources
    }

    fn watch(&self, slot: usize) -> Option<&Watch> {
        let place = *self.of_slot.get(slot)? as usize;
        self.watches.get(place)
    }

    fn watch_mut(&mut self, slot: usize) -> Option<&mut Watch> {
        let place = *self.of_slot.get(slot)? as usize;
        self.watches.get_mut(place)
    }

    /// What was believed of a tag lately, and whether it has not been zero for a long time.
    fn before(&self, slot: usize, at: Mono) -> (Option<f64>, bool) {
        let place = self.of_slot.get(slot).map(|place| *place as usize);
        match place.and_then(|place| self.watches.get(place)) {
            Some(Watch::Level(level)) => (level.lately(at), level.is_never_zero(at)),
            Some(Watch::Meter(meter)) => (meter.last(), false),
            None => (None, false),
        }
    }
}

/// Tags that have a watch, of which is learned what is normal.
pub fn watched(plant: &Plant) -> usize {
    let of_device = |device: &Device| {
        let indexes = (0..).map(TagIndex).take(device.model.tags.len());
        indexes
            .filter(|index| Watch::of(device, *index).is_some())
            .count()
    };
    plant.devices.iter().map(of_device).sum()
}

impl Watch {
    /// None for what does not measure: contacts, texts, moments, the status, powers of ten.
    fn of(device: &Device, index: TagIndex) -> Option<Watch> {
        let model = &device.model;
        let tag = &model.tags[usize::from(index.0)];
        let is_number = !matches!(tag.kind(), Kind::Bool | Kind::Text) && !tag.kind().is_time();
        let is_power = || {
            let mut powers = model.tags.iter().filter_map(Tag::power_of_ten);
            powers.any(|power| power == index)
        };
        if device.detectors(index) == Detectors::NONE
            || !is_number
            || is_status(device, index)
            || is_power()
        {
            return None;
        }
        Some(if tag.role.is_some() || tag.summed == Summed::Counter {
            Watch::Meter(Meter::new())
        } else {
            Watch::Level(Level::new())
        })
    }

    /// Whether it is known how long the value may stand still, whether it does for longer, and
    /// whether it is a counter that does.
    const fn standing(&self) -> [bool; 3] {
        match self {
            Watch::Level(level) => {
                let (judged, still) = level.standing();
                [judged, still, false]
            }
            Watch::Meter(meter) => {
                let (judged, still) = meter.standing();
                [judged, still, still]
            }
        }
    }
}

impl OfDevice {
    fn is_running(&self, at: Mono) -> bool {
        self.producing_until.is_some_and(|until| at < until)
    }

    /// All that normally moves stands still while the machine says that it runs, and not its counters
    /// alone: it is a copy that somebody keeps, and the status is of it.
    const fn is_copy(&self) -> bool {
        let all = self.judged >= LEAST_STILL && self.still == self.judged;
        all && self.still > self.meters_still && !self.status_moves
    }
}

impl Engine {
    /// What the detectors make of a reading that came at `at` and is of `from`, and of a count.
    pub(super) fn watch(
        &mut self,
        device: DeviceIndex,
        index: TagIndex,
        (at, from): (Mono, Mono),
        reading: Reading,
    ) -> (Reading, Jump) {
        let settings = self.plant.device(device);
        let tag = &settings.model.tags[usize::from(index.0)];
        let entry = &self.devices[usize::from(device.0)];
        let slot = entry.first_slot + usize::from(index.0);
        let of_device = &mut self.sources.devices[usize::from(device.0)];
        let detectors = settings.detectors(index);
        if is_status(settings, index) {
            return (of_device.status(reading, detectors), Jump::None);
        }
        let Reading::Good(value) = &reading else {
            return (reading, Jump::None);
        };
        let place = self.sources.of_slot.get(slot).map(|place| *place as usize);
        let watch = place.and_then(|place| self.sources.watches.get_mut(place));
        let (Some(watch), Some(number)) = (watch, value.number()) else {
            return (reading, Jump::None);
        };
        let poll = Poll {
            at: from,
            every_ms: tag.every_ms,
            running: of_device.is_running(at),
            stops: settings.model.state.is_some().then_some(of_device.stops),
        };
        let before = watch.standing();
        let (why, jump) = match watch {
            Watch::Level(level) => {
                let whole = matches!(value, Value::Int(_));
                (level.take(number, whole, &poll, detectors), Jump::None)
            }
            Watch::Meter(meter) => meter.take(number, Counted::of(settings, tag), &poll, detectors),
        };
        let after = watch.standing();
        let tallies = [
            &mut of_device.judged,
            &mut of_device.still,
            &mut of_device.meters_still,
        ];
        for ((tally, before), after) in tallies.into_iter().zip(before).zip(after) {
            *tally = *tally + u16::from(after) - u16::from(before);
        }
        if of_device.still < of_device.judged {
            of_device.status_moves = false;
        }
        let reading = match (why, reading) {
            (Some(why @ (Reason::StandingStill | Reason::ImplausibleCount)), Reading::Good(v)) => {
                Reading::Uncertain(v, why)
            }
            (Some(why), _) => Reading::Bad(why),
            (None, reading) => reading,
        };
        (reading, jump)
    }

    /// Counters stood there at `at`, says the run before: what they show next is judged by that.
    pub(super) fn recall_counts(&mut self, at: Mono) {
        for (device, entry) in self.plant.devices.iter().zip(&self.devices) {
            for (slot, tag) in (entry.first_slot..).zip(&device.model.tags) {
                let Some(Watch::Meter(meter)) = self.sources.watch_mut(slot) else {
                    continue;
                };
                let counted = |role: Role| entry.machine.as_ref()?.last_count(role.counts);
                let count = match tag.role {
                    Some(role) => counted(role).map(|count| count as f64),
                    None => {
                        let track = self.tags.track(slot);
                        track.and_then(|track| track.last()).map(Number::as_f64)
                    }
                };
                if let Some(count) = count {
                    meter.recall(count, at);
                }
            }
        }
    }

    /// The machine says at `at` that it is in this state, which holds until `until`.
    pub(super) fn claim(&mut self, device: DeviceIndex, state: State, until: Mono) {
        let of_device = &mut self.sources.devices[usize::from(device.0)];
        let runs = state == State::Producing;
        of_device.producing_until = runs.then_some(until);
        if state != State::Unknown {
            let stops = of_device.produced && !runs;
            of_device.stops = of_device.stops.saturating_add(u8::from(stops));
            of_device.produced = runs;
        }
    }

    /// The machine goes on to say what it said, although nobody believes it.
    pub(super) fn claim_on(&mut self, device: DeviceIndex, until: Mono) {
        let of_device = &mut self.sources.devices[usize::from(device.0)];
        of_device.producing_until = of_device.producing_until.map(|_| until);
    }

    /// A counter jumped: where it goes on from.
    pub(super) fn jump(&mut self, device: DeviceIndex, index: TagIndex, value: &Value, jump: Jump) {
        let from = match jump {
            Jump::None | Jump::Held => return,
            Jump::Anew => Number::of(value),
            Jump::Back(count) => match value {
                Value::Int(_) => Some(Number::Int(count as i64)),
                _ => Some(Number::Float(count)),
            },
        };
        let entry = &mut self.devices[usize::from(device.0)];
        let slot = entry.first_slot + usize::from(index.0);
        let tag = &self.plant.device(device).model.tags[usize::from(index.0)];
        if let (Some(machine), Some(role)) = (&mut entry.machine, tag.role) {
            match (jump, from) {
                (Jump::Back(_), Some(Number::Int(raw))) => {
                    machine.put_back_count(role.counts, raw);
                }
                _ => machine.forget_count(role.counts),
            }
        }
        if let (Some(track), Some(from)) = (self.tags.track(slot), from) {
            track.count_from(from);
        }
    }

    /// Whether an answer is zeros from a source that is dead; `tags` are those in it.
    pub(super) fn is_dead_block<I: Iterator<Item = TagIndex>>(
        &mut self,
        device: DeviceIndex,
        at: Mono,
        tags: impl Fn() -> I,
        is_zero: bool,
    ) -> bool {
        let settings = self.plant.device(device);
        let first = self.devices[usize::from(device.0)].first_slot;
        let looks = |index: &TagIndex| settings.detectors(*index).has(Detector::AllZero);
        let looked_at = || tags().filter(looks);
        if looked_at().next().is_none() {
            return false;
        }
        let slot = |index: TagIndex| first + usize::from(index.0);
        let sources = &self.sources;
        let is_dead = is_zero
            && (looked_at().any(|index| sources.is_dead[slot(index)]) || {
                let mut block = Block::default();
                for index in looked_at() {
                    let tag = &settings.model.tags[usize::from(index.0)];
                    let (before, never_zero) = sources.before(slot(index), at);
                    block.add(tag, before, never_zero);
                }
                block.is_lie()
            });
        for index in looked_at() {
            self.sources.is_dead[slot(index)] = is_dead;
        }
        self.whole(device, Reason::AllZero, is_dead, at, None);
        is_dead
    }

    /// Whether a tag stands in an answer of zeros from a source that is dead.
    pub(super) fn is_dead(&self, device: DeviceIndex, tag: TagIndex) -> bool {
        let first = self.devices[usize::from(device.0)].first_slot;
        self.sources.is_dead[first + usize::from(tag.0)]
    }

    /// Whether the time stamp of a sample shows that the clock of its source is slow, which came at
    /// `at` and is older than `stale_after`.
    pub(super) fn is_clock_behind(
        &mut self,
        device: DeviceIndex,
        index: TagIndex,
        at: Mono,
        stamp: Wall,
        age_ms: u64,
    ) -> bool {
        let settings = self.plant.device(device);
        let every_ms = settings.model.tags[usize::from(index.0)].every_ms;
        let looks = settings.detectors(index).has(Detector::ClockBehind);
        let of_device = &mut self.sources.devices[usize::from(device.0)];
        looks && of_device.behind.take(stamp, age_ms, at, every_ms)
    }

    /// The clock of a source is right, or wrong for this reason: `ahead_ms` before the gateway's.
    pub(super) fn clock_of(
        &mut self,
        device: DeviceIndex,
        why: Option<Reason>,
        ahead_ms: i64,
        at: Mono,
    ) {
        if why.is_none() {
            self.sources.devices[usize::from(device.0)]
                .behind
                .is_right();
        }
        for reason in [Reason::ClockAhead, Reason::ClockBehind] {
            let by = Value::Int(ahead_ms);
            self.whole(device, reason, why == Some(reason), at, Some(&by));
        }
    }
}

impl OfDevice {
    /// What the status is worth beside everything else that the device says.
    fn status(&mut self, reading: Reading, detectors: Detectors) -> Reading {
        let Reading::Good(value) = reading else {
            return reading;
        };
        if self.status.as_ref() != Some(&value) {
            self.status_moves = self.status.is_some();
            self.status = Some(value.clone());
        }
        if self.is_copy() && detectors.has(Detector::Frozen) {
            Reading::Bad(Reason::Frozen)
        } else if self.meters_still > 0 && detectors.has(Detector::StandingStill) {
            Reading::Uncertain(value, Reason::StandingStill)
        } else {
            Reading::Good(value)
        }
    }
}

/// Whether all registers or bits of an answer are 0.
pub(super) fn is_zero(words: Words<'_>) -> bool {
    match words {
        Words::Registers(registers) => registers.iter().all(|register| *register == 0),
        Words::Bits(bits) => bits.iter().all(|bit| !bit),
    }
}

/// Whether samples are what a Modbus answer of zeros comes to, piece by piece.
pub(super) fn are_zero<'r>(
    device: &Device,
    samples: impl Iterator<Item = &'r (TagIndex, Sample)>,
) -> bool {
    let mut any = false;
    for (index, sample) in samples {
        let tag = &device.model.tags[usize::from(index.0)];
        match sample.reading.value() {
            Some(value) if !is_of_zeros(tag, value) => return false,
            Some(_) => any = true,
            // Refused, or not there: it says nothing.
            None => {}
        }
    }
    any
}

fn is_status(device: &Device, index: TagIndex) -> bool {
    matches!(&device.model.state, Some(States::Status(map)) if map.from == index)
}

// What docs/quality.md says that it costs.
const _: () = assert!(size_of::<Watch>() == 80 && size_of::<OfDevice>() == 128);
