//! What a run leaves for the next: open windows, counters, alarms. The stored form is postcard
//! behind a version byte; a form that is not understood counts as none.

use super::age::TimesOf;
use super::past::{Gone, Settings, Unfinished, calendar_with_id};
use super::reasons::Said;
use super::tags::CountersOf;
use super::{Engine, LabelsFrom};
use crate::alarm::{Alarm, AlarmState};
use crate::annunciate::Stored;
use crate::hygiene::Kept;
use crate::machine::Ledger;
use crate::plant::{Plant, Priority};
use crate::record::Event;
use crate::time::{ClockState, Mono, Now, Wall};
use crate::window::Timeline;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 10;

/// Alarms whose activations are remembered although they are no longer configured.
const MOST_RETIRED: usize = 1024;

/// A silence longer than this is a wrong clock and not a silence.
const LONGEST_SILENCE_MS: i64 = 400 * 24 * 3_600_000;

/// Actions that each device comes to that is not configured any more: a last minute and two windows
/// of each tier, each of them with what is kept of it.
pub(super) const EACH_GONE: usize = 16;

/// After a run whose newest checkpoint was lost, alarms count on from this much later.
const LOST_OCCURRENCES: u64 = 1000;

/// The checkpoint that a run before has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left<'c> {
    /// The newest one: everything is continued.
    Newest(&'c [u8]),
    /// An earlier one, because the newest was lost: its windows and counts may have been stored
    /// since, and would be again. Devices begin anew; alarms go on, with numbers nobody has used.
    Earlier(&'c [u8]),
}

impl Left<'_> {
    /// Number of the last page of the history that the checkpoint knows of; later ones tell of time
    /// that will be accounted for once more. None if every page counts.
    pub fn last_page(&self) -> Option<u64> {
        match self {
            Left::Newest(bytes) => Checkpoint::decode(bytes).map(|checkpoint| checkpoint.page),
            Left::Earlier(_) => None,
        }
    }
}

/// A device with a state.
#[derive(Debug, Serialize, Deserialize)]
struct StoredDevice {
    id: Arc<str>,
    /// Id of the calendar that it follows.
    calendar: Arc<str>,
    settings: Settings,
    ledger: Ledger,
    /// What an operator has said of what it shows.
    said: Option<Said>,
}

/// A device without a state.
#[derive(Debug, Serialize, Deserialize)]
struct StoredMeter {
    id: Arc<str>,
    calendar: Arc<str>,
    settings: Settings,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAlarm {
    device: Arc<str>,
    id: Arc<str>,
    priority: Priority,
    alarm: Alarm,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Label of the moment it describes.
    at: Wall,
    /// Its clock had not been set once: `at` and the labels of open windows say nothing of now.
    unset: bool,
    /// See [`Timeline::history`].
    labels: (Wall, u32),
    /// By how much the wall clock was stepped where the open windows begin.
    stepped_ms: i64,
    /// Number of the last page of the history.
    page: u64,
    devices: Vec<StoredDevice>,
    meters: Vec<StoredMeter>,
    /// Start of the open minute of tags, and how much of it has passed.
    tags_minute: (Wall, u64),
    /// By device and tag, where counters stand.
    counters: Vec<CountersOf>,
    /// By device and tag, the newest time stamps of sources.
    source_times: Vec<TimesOf>,
    /// Which start of the I/O board its counts belong to.
    board_boot: Option<u32>,
    alarms: Vec<StoredAlarm>,
    /// How many alarms there were, by device and alarm.
    hygiene: Kept<(Arc<str>, Arc<str>)>,
    /// Who was told what.
    people: Stored,
    /// Activations that may have been counted since.
    #[serde(skip)]
    lost_occurrences: u64,
}

impl Checkpoint {
    pub(super) fn of(left: Left<'_>) -> Option<Checkpoint> {
        match left {
            Left::Newest(bytes) => Checkpoint::decode(bytes),
            Left::Earlier(bytes) => {
                let mut checkpoint = Checkpoint::decode(bytes)?;
                checkpoint.devices.clear();
                checkpoint.counters.clear();
                checkpoint.lost_occurrences = LOST_OCCURRENCES;
                Some(checkpoint)
            }
        }
    }

    fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        let (&version, rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }

    /// The moment from which the accounting goes on: that of the checkpoint, so that the time
    /// between is accounted as unknown; or now, where nobody can say how long it was.
    pub(super) fn resume_at(&self, timeline: &mut Timeline, now: Now) -> Mono {
        let reached = (!self.unset).then_some(self.at);
        timeline.resume(self.labels, reached, now);
        if self.silence_is_known(now) {
            timeline.moment(self.at)
        } else {
            now.mono
        }
    }

    fn silence_is_known(&self, now: Now) -> bool {
        let silence = now.wall - self.at;
        !self.unset
            && now.clock != ClockState::Unsynced
            && (0..=LONGEST_SILENCE_MS).contains(&silence)
    }
}

impl Checkpoint {
    /// Its devices that have no state any more, and those without one that are not there any more.
    pub(super) fn gone(&self, plant: &Plant) -> Vec<Gone> {
        let gone = |id: &Arc<str>, calendar: &str, settings: &Settings| {
            Gone::new(id, calendar_with_id(plant, calendar), settings.clone())
        };
        let devices = self.devices.iter();
        let devices = devices.filter(|stored| !has_state(plant, &stored.id));
        let is_there = |id: &str| plant.devices.iter().any(|device| *device.id == *id);
        let meters = self.meters.iter().filter(|stored| !is_there(&stored.id));
        devices
            .map(|stored| gone(&stored.id, &stored.calendar, &stored.settings))
            .chain(meters.map(|stored| gone(&stored.id, &stored.calendar, &stored.settings)))
            .collect()
    }
}

impl Checkpoint {
    /// Where counters stood, by device.
    pub(super) fn counters(&self) -> &[CountersOf] {
        &self.counters
    }

    /// Its alarms that end because they are not configured any more.
    pub(super) fn alarms_gone(&self, plant: &Plant) -> usize {
        let alarms = self.alarms.iter();
        alarms
            .filter(|stored| {
                stored.alarm.state() != AlarmState::Normal && find_alarm(plant, stored).is_none()
            })
            .count()
    }
}

fn has_state(plant: &Plant, id: &str) -> bool {
    let mut devices = plant.devices.iter();
    devices.any(|device| *device.id == *id && device.model.state.is_some())
}

impl Engine {
    /// What the next run needs, at the newest moment that was handled. The pages that it asks to be
    /// kept, now and before, must be on disk before it is.
    pub fn checkpoint(&mut self) -> Vec<u8> {
        let now = self.now;
        for index in 0..self.devices.len() {
            self.advance(index, now);
        }
        self.turn_marks();
        let devices = self
            .devices
            .iter()
            .zip(&self.plant.devices)
            .filter_map(|(entry, device)| {
                Some(StoredDevice {
                    id: device.id.clone(),
                    calendar: self.plant.calendar_at(device.calendar).id.clone(),
                    settings: Settings::of(device),
                    ledger: entry.machine.as_ref()?.ledger().clone(),
                    said: entry.said.clone(),
                })
            })
            .collect();
        let meters = self.plant.devices.iter();
        let meters = meters
            .filter(|device| device.model.state.is_none())
            .map(|device| StoredMeter {
                id: device.id.clone(),
                calendar: self.plant.calendar_at(device.calendar).id.clone(),
                settings: Settings::of(device),
            })
            .collect();
        let counters = self.plant.devices.iter().enumerate();
        let counters = counters
            .map(|(index, device)| (device.id.clone(), self.counters(index)))
            .filter(|(_, counters)| !counters.is_empty())
            .collect();
        let source_times = self.source_times();
        let alarms = self
            .alarms
            .iter()
            .zip(&self.plant.alarms)
            .map(|(alarm, settings)| (alarm.stored(now), settings))
            .filter(|(alarm, _)| *alarm != Alarm::default())
            .map(|(alarm, settings)| StoredAlarm {
                device: self.plant.owner_id(settings.owner).into(),
                id: settings.id.clone(),
                priority: settings.priority,
                alarm,
            })
            .chain(
                self.retired
                    .iter()
                    .map(|(device, id, occurrence)| StoredAlarm {
                        device: device.clone(),
                        id: id.clone(),
                        priority: Priority::Low,
                        alarm: Alarm::at_rest(*occurrence),
                    }),
            )
            .collect();
        let checkpoint = Checkpoint {
            at: self.timeline.label(now),
            unset: self.timeline.is_unset(),
            labels: self.timeline.history(),
            stepped_ms: self.stepped_ms,
            page: self.page,
            devices,
            meters,
            tags_minute: self.tags.open(now),
            counters,
            source_times,
            board_boot: self.board_boot,
            alarms,
            hygiene: self.hygiene.kept(|index| {
                let settings = &self.plant.alarms[usize::from(index)];
                let owner = self.plant.owner_id(settings.owner).into();
                (owner, settings.id.clone())
            }),
            people: self.with_scene(now, |people, scene| people.stored(scene)),
            lost_occurrences: 0,
        };
        let mut bytes = Vec::from([VERSION]);
        match postcard::to_allocvec(&checkpoint) {
            Ok(rest) => bytes.extend_from_slice(&rest),
            // Serialising to memory has no way to fail; an empty checkpoint counts as none.
            Err(_) => bytes.clear(),
        }
        bytes
    }

    /// Continues from a checkpoint, from the moment that [`Checkpoint::resume_at`] said; without one
    /// every device begins anew.
    pub(super) fn resume(&mut self, before: Option<Checkpoint>, past: Unfinished, now: Now) {
        let Unfinished {
            gone,
            departed,
            open_tags,
        } = past;
        let Some(mut before) = before else {
            self.resume_tags(&open_tags, &[]);
            let gone = self.end_gone(gone, core::iter::empty(), now.wall, now.mono);
            self.end_departed(departed, &gone, &[], now.wall, now.mono);
            self.begin_labels();
            self.begin_late();
            self.mark_begin(now.mono);
            return;
        };
        self.stepped_ms = before.stepped_ms;
        self.board_boot = before.board_boot;
        let devices = core::mem::take(&mut before.devices);
        for (entry, device) in self.devices.iter_mut().zip(&self.plant.devices) {
            let known = devices.iter().find(|stored| stored.id == device.id);
            match (known, &mut entry.machine) {
                (Some(stored), Some(machine)) => machine.resume(device, &stored.ledger),
                // It was not there: it has no past, and begins when the others have come to now.
                (_, machine) => *machine = None,
            }
        }
        for stored in &devices {
            self.say_again(&stored.id, stored.said.clone());
        }
        let plant = Arc::clone(&self.plant);
        let (tags_start, tags_passed_ms) = before.tags_minute;
        self.tags.resume(tags_start, tags_passed_ms);
        self.resume_tags(&open_tags, &before.counters);
        self.resume_source_times(&before.source_times);
        let without = devices
            .into_iter()
            .filter(|stored| !has_state(&plant, &stored.id))
            .map(|stored| (stored.id, stored.ledger));
        if before.silence_is_known(now) {
            let gone = self.end_gone(gone, without, before.at, now.mono);
            self.end_departed(departed, &gone, &before.counters, before.at, now.mono);
        } else {
            // What is left is told as the run before would have.
            let of_before = self.timeline.of_before(before.at, now.mono, before.unset);
            let present = core::mem::replace(&mut self.timeline, of_before);
            // By a clock that counts as not set now there is no shift; by that of before there was.
            self.reset_frames(before.at);
            let gone = self.end_gone(gone, without, before.at, now.mono);
            self.end_departed(departed, &gone, &before.counters, before.at, now.mono);
            self.skip_silence(before.at, now.mono, present);
        }
        self.begin_labels();
        self.begin_late();
        self.mark_begin(self.now);
        let silent = before.silence_is_known(now).then(|| now.wall - before.at);
        let silent_ms = silent.and_then(|silent| u64::try_from(silent).ok());
        self.hygiene
            .resume(&before.hygiene, silent_ms, |(owner, id)| {
                let mut alarms = plant.alarms.iter();
                let at = alarms.position(|settings| {
                    settings.id == *id && *plant.owner_id(settings.owner) == **owner
                });
                at.and_then(|at| u16::try_from(at).ok())
            });
        self.resume_alarms(before.alarms, now.mono);
        for alarm in &mut self.alarms {
            alarm.occurrence += before.lost_occurrences;
        }
        self.resume_people(&before.people);
    }

    /// Nobody can say how long the silence was: the open windows end before it.
    fn skip_silence(&mut self, from: Wall, to: Mono, present: Timeline) {
        self.close_windows_at(to, from, present.label(to));
        // What goes on is seen by its labels, which a clock that is not set has for nothing.
        if self.timeline.is_unset() || present.is_unset() {
            self.end_tiers(to);
        }
        self.turn_marks();
        self.timeline = present;
        self.reset_frames(self.timeline.label(to));
        self.mark_gap(from, self.timeline.label(to));
        self.stepped_ms = 0;
        self.timeline.begin_anew(from, to);
        for entry in &mut self.devices {
            entry.asked.forget();
            if let Some(machine) = &mut entry.machine {
                machine.skip();
            }
        }
        self.renew_figures();
    }

    /// From here on labels are those of this run: if its clock is not set, they will be moved.
    fn begin_labels(&mut self) {
        self.labels_from = LabelsFrom {
            seq: self.seq + 1,
            page: self.page + 1,
            label: self.timeline.label(self.now),
        };
        for entry in &mut self.devices {
            if let Some(recent) = &mut entry.recent {
                recent.settle();
            }
        }
    }

    /// Alarms go on where they stood. Those that are no longer configured end: the journal says so.
    fn resume_alarms(&mut self, before: Vec<StoredAlarm>, now: Mono) {
        for stored in before {
            let found = find_alarm(&self.plant, &stored);
            let StoredAlarm {
                device,
                id,
                priority,
                alarm,
            } = stored;
            if let Some(index) = found {
                self.alarms[index] = alarm;
                self.alarms[index].resume(self.now);
                continue;
            }
            if alarm.state() != AlarmState::Normal {
                let event = Event::Alarm {
                    device: device.clone(),
                    alarm: id.clone(),
                    occurrence: alarm.occurrence,
                    priority,
                    from: alarm.state(),
                    to: AlarmState::Normal,
                    value: None,
                    active: false,
                    first_out: false,
                    done: None,
                };
                self.event(now, event);
            }
            if self.retired.len() < MOST_RETIRED {
                self.retired.push((device, id, alarm.occurrence));
            }
        }
    }
}

fn find_alarm(plant: &Plant, stored: &StoredAlarm) -> Option<usize> {
    plant.alarms.iter().position(|settings| {
        settings.id == stored.id && *plant.owner_id(settings.owner) == *stored.device
    })
}
