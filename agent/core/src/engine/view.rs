//! What holds now, for those who show it.

use super::{Current, Engine};
use crate::alarm::AlarmState;
use crate::machine::Machine;
use crate::message::{
    AlarmMessage, DeviceStatus, Doing, InfoMessage, Lately, LinkStatus, NowMessage, StateMessage,
    TagStatus,
};
use crate::plant::{Cause, Device, Plant, StopReason};
use crate::record::Run;
use crate::rule::Rule;
use crate::sample::{Quality, Reason};
use crate::summary::{ShiftRun, Sum, Tier};
use crate::tag::{DeviceIndex, LinkIndex, TagIndex};
use crate::time::{ClockState, Mono, Wall};

/// Bad tags of a device that its status names; the rest are counted.
const BAD_TAGS: usize = 8;

/// How the gateway is, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Links that are up.
    pub links_up: usize,
    /// Links that are down.
    pub links_down: usize,
    /// Devices without a good sample for their stale time.
    pub devices_bad: usize,
    /// Label of the end of the open windows.
    pub next: Wall,
}

impl Engine {
    /// How the gateway is.
    pub fn health(&self) -> Health {
        let known = || self.links.iter().flatten();
        let up = |wanted: bool| known().filter(|link| link.up == wanted).count();
        Health {
            links_up: up(true),
            links_down: up(false),
            devices_bad: self.silent_devices(),
            next: self.timeline.label(self.window_end),
        }
    }

    /// Of every device, whether it has had no good sample for its stale time.
    pub fn silent(&self) -> impl Iterator<Item = bool> + '_ {
        self.indexes().map(|device| self.is_silent(device))
    }

    /// The plant that the engine was built from.
    pub fn plant(&self) -> &Plant {
        &self.plant
    }

    /// The run that the engine makes records for.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// How far the wall clock can be believed.
    pub const fn clock(&self) -> ClockState {
        self.timeline.clock
    }

    /// Whether the wall clock has not been set once since the start: labels will be moved.
    pub const fn waits_for_clock(&self) -> bool {
        self.timeline.is_unset()
    }

    /// The accounting of a device; none if it has no state.
    pub fn machine(&self, device: DeviceIndex) -> Option<&Machine> {
        self.devices[usize::from(device.0)].machine.as_ref()
    }

    /// What a device is.
    pub fn info(&self, device: DeviceIndex) -> InfoMessage<'_> {
        InfoMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: self.plant.device(device),
            rate: match self.machine(device) {
                Some(machine) => machine.rate(),
                None => self.plant.device(device).rate_of(None),
            },
        }
    }

    /// What a device does; none if it has no state.
    pub fn state(&self, device: DeviceIndex) -> Option<StateMessage<'_>> {
        let machine = self.machine(device)?;
        let settings = self.plant.device(device);
        Some(StateMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: settings,
            ts: self.timeline.label(self.now),
            state: machine.state(),
            previous: machine.previous(),
            since: self.timeline.label(machine.since()),
            code: machine.code(),
            cause: self.cause(usize::from(device.0)),
            quality: machine.quality(),
            product: machine.product(),
        })
    }

    /// How a device has done in the shift so far, the last 24 hours and the last 30 days; none if it
    /// has no state.
    pub fn now(&self, device: DeviceIndex) -> Option<NowMessage<'_>> {
        let entry = &self.devices[usize::from(device.0)];
        let (machine, recent) = (entry.machine.as_ref()?, entry.recent.as_ref()?);
        let settings = self.plant.device(device);
        let now = self.timeline.label(self.now);
        let minute = machine.ledger().so_far();
        let minute_start = machine.ledger().window_start;
        let open = |tier: Tier| {
            let open = entry.tiers.so_far(tier);
            let (start, mut sum) = open.map_or((minute_start, Sum::default()), |open| {
                (open.window.start, open.sum)
            });
            sum.add(&minute);
            (start, sum)
        };
        let with = |closed: Option<(Wall, Sum)>, tier: Tier| {
            let (open_start, open) = open(tier);
            let (start, mut sum) = closed.unwrap_or((open_start, Sum::default()));
            sum.add(&open);
            self.lately(settings, start, sum)
        };
        let frames = &self.course(settings.calendar).frames;
        let shift = frames.of(Tier::Shift).map(|frame| {
            let (start, sum) = open(Tier::Shift);
            let calendar = self.plant.calendar_at(settings.calendar);
            let run = frame.shift.and_then(|of| ShiftRun::of(calendar, of));
            (run, self.lately(settings, start, sum))
        });
        Some(NowMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: settings,
            ts: now,
            data_age_ms: entry.last_good.map(|at| self.now.since(at)),
            shift,
            h24: with(recent.hours(now), Tier::Hour),
            d30: with(recent.days(now), Tier::Day),
        })
    }

    fn lately(&self, device: &Device, from: Wall, mut sum: Sum) -> Lately {
        if let Some(third) = device.third() {
            sum.derive(third);
        }
        Lately { from, sum }
    }

    /// How an alarm stands; none while it is normal.
    pub fn alarm(&self, index: u16) -> Option<AlarmMessage<'_>> {
        let message = self.any_alarm(index)?;
        (message.alarm.state() != AlarmState::Normal).then_some(message)
    }

    /// How an alarm stands, normal or not.
    pub fn any_alarm(&self, index: u16) -> Option<AlarmMessage<'_>> {
        let alarm = self.alarms.get(usize::from(index))?;
        let settings = &self.plant.alarms[usize::from(index)];
        let until = alarm.shelved_until();
        Some(AlarmMessage {
            gateway: &self.plant.gateway,
            run: &self.run,
            device: self.plant.owner_id(settings.owner),
            settings,
            alarm,
            reported: match settings.when {
                Rule::Own(own) if alarm.is_active() => self.own_why(own),
                _ => None,
            },
            until: until.map(|until| self.timeline.label(until)),
        })
    }

    /// The wall clock's label of a moment.
    pub fn label(&self, at: Mono) -> Wall {
        self.timeline.label(at)
    }

    /// How every link stands at `now`.
    pub fn links(&self, now: Mono) -> impl Iterator<Item = LinkStatus<'_>> + '_ {
        let links = (0..).map(LinkIndex).zip(&self.plant.links);
        links.zip(&self.links).map(move |((index, link), known)| {
            let behind = |device: &DeviceIndex| self.plant.device(*device).link == index;
            let devices = || self.indexes().filter(behind);
            LinkStatus {
                link,
                up: known.as_ref().map(|known| known.up),
                since: known.as_ref().map(|known| self.timeline.label(known.since)),
                why: known.as_ref().and_then(|known| known.why.as_deref()),
                devices: devices().count(),
                devices_bad: devices()
                    .filter(|device| self.is_silent_at(*device, now))
                    .count(),
            }
        })
    }

    /// How every device stands at `now`.
    pub fn devices(&self, now: Mono) -> impl Iterator<Item = DeviceStatus<'_>> + '_ {
        self.indexes().map(move |index| self.device(index, now))
    }

    fn device(&self, index: DeviceIndex, now: Mono) -> DeviceStatus<'_> {
        let device = self.plant.device(index);
        // A retained value is a legitimate last state; any other caveat is a suspicion.
        let is_bad = |tag: &TagStatus<'_>| {
            let why = tag.quality.reason();
            why.is_some_and(|why| why != Reason::Retained)
        };
        let bad = || self.tags(index, now).filter(is_bad);
        let last_good = self.devices[usize::from(index.0)].last_good;
        let doing = self.machine(index).map(|machine| Doing {
            state: machine.state(),
            since: self.timeline.label(machine.since()),
            code: machine.code(),
            cause: self.cause(usize::from(index.0)),
        });
        let quality = match self.machine(index) {
            Some(machine) => machine.quality(),
            None if self.is_silent_at(index, now) => {
                let why = bad().next().map(|tag| tag.quality);
                why.unwrap_or(Quality::Bad(Reason::Stale))
            }
            None => Quality::Good,
        };
        DeviceStatus {
            device,
            link: &self.plant.links[usize::from(device.link.0)],
            doing,
            quality,
            age_ms: last_good.map(|at| now.since(at)),
            tags_bad: bad().count(),
            bad: bad().take(BAD_TAGS).collect(),
        }
    }

    /// How every tag of a device stands at `now`.
    pub fn tags(&self, device: DeviceIndex, now: Mono) -> impl Iterator<Item = TagStatus<'_>> + '_ {
        let settings = self.plant.device(device);
        let tags = (0..).map(TagIndex).zip(&settings.model.tags);
        let first_slot = self.devices[usize::from(device.0)].first_slot;
        tags.map(move |(index, tag)| {
            let slot = first_slot + usize::from(index.0);
            let is_fresh = |at: Mono| now.since(at) < self.stale_after(device, index);
            let fresh = self.newest.value(slot).filter(|(_, at)| is_fresh(*at));
            let quality = match self.newest.quality(slot) {
                Quality::Good | Quality::Uncertain(_) if fresh.is_none() => {
                    Quality::Bad(Reason::Stale)
                }
                quality => quality,
            };
            TagStatus {
                device: settings,
                tag,
                value: fresh.map(|(value, _)| value),
                quality,
                age_ms: self.newest.at(slot).map(|at| now.since(at)),
            }
        })
    }

    /// Whether a device has had no good sample for its stale time at `now`.
    fn is_silent_at(&self, device: DeviceIndex, now: Mono) -> bool {
        let stale_after = self.plant.device(device).stale_after_ms;
        let last_good = self.devices[usize::from(device.0)].last_good;
        last_good.is_none_or(|at| now.since(at) >= stale_after)
    }

    fn indexes(&self) -> impl Iterator<Item = DeviceIndex> + use<> {
        (0..self.devices.len()).map(super::device_index)
    }

    /// Every current value that holds, or might.
    pub fn currents(&self) -> impl Iterator<Item = Current> + '_ {
        let devices = self.indexes();
        let alarms = (0..self.alarms.len()).filter_map(|index| u16::try_from(index).ok());
        devices
            .flat_map(|device| {
                [
                    Current::Info(device),
                    Current::State(device),
                    Current::Now(device),
                ]
            })
            .chain(alarms.map(Current::Alarm))
    }
}

impl Engine {
    /// Why a machine does what it shows: what an operator has said of it, or else what its raw status
    /// value means.
    pub(super) fn cause(&self, index: usize) -> Option<Cause<'_>> {
        if let Some(StopReason { en, zh, .. }) = self.reason(index) {
            return Some(Cause { en, zh });
        }
        let raw = self.devices[index].machine.as_ref()?.code();
        let code = self.plant.devices[index].model.meaning(raw)?;
        Some(Cause {
            en: &code.en,
            zh: &code.zh,
        })
    }
}
