//! What a run leaves for the next of who was told what. Times are stored as ages: nobody can say what
//! a monotonic clock will show after a power cut.

use super::annunciator::Annunciator;
use super::due::Raised;
use super::flood::Flood;
use super::{Channel, Desk, InHand, Kind, NoticeId, Outcome, Scene, Told};
use crate::plant::{Plant, Priority};
use crate::time::Mono;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What was told longer ago than this is forgotten, unless it still waits for somebody.
const FORGET_MS: u64 = 24 * 3_600_000;

/// Who was told what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    alarms: Vec<StoredAlarm>,
    desks: Vec<StoredDesk>,
    in_hand: Vec<StoredInHand>,
    /// Ages of all text messages.
    sms: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredAlarm {
    device: Arc<str>,
    id: Arc<str>,
    occurrence: u64,
    age_ms: u64,
    is_untold: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredDesk {
    channel: Channel,
    address: Arc<str>,
    told: Vec<StoredTold>,
    sent: Vec<u64>,
    /// Worst priority, and how long until the next digest.
    flood: Option<(Option<Priority>, u64)>,
    stopped_ms: Option<u64>,
    wrong: u8,
    unheeded_ms: Option<u64>,
    answer: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StoredTold {
    /// Index into [`Stored::alarms`].
    alarm: u16,
    code: u16,
    times: u8,
    in_hand: bool,
    is_uncertain: bool,
    is_returned: bool,
    is_refused: bool,
    occurrence: u64,
    age_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StoredInHand {
    channel: Channel,
    /// Index into [`Stored::desks`].
    desk: u16,
    kind: Kind,
}

impl Annunciator {
    /// What is to be stored.
    pub fn stored(&self, scene: &Scene<'_>) -> Stored {
        let (plant, at) = (scene.plant, scene.at);
        let mut alarms = Vec::new();
        // Places of alarms in `alarms`, by their places in the plant.
        let mut places: Vec<Option<u16>> = Vec::with_capacity(self.raised.len());
        for ((raised, settings), alarm) in self.raised.iter().zip(&plant.alarms).zip(scene.alarms) {
            let waits = alarm.state().is_unacknowledged() || alarm.is_active();
            let is_recent = at.since(raised.at) < FORGET_MS;
            let matters = raised.occurrence > 0 && (waits || is_recent);
            places.push(match matters {
                true => u16::try_from(alarms.len()).ok(),
                false => None,
            });
            if matters {
                alarms.push(StoredAlarm {
                    device: plant.owner_id(settings.owner).into(),
                    id: settings.id.clone(),
                    occurrence: raised.occurrence,
                    age_ms: at.since(raised.at),
                    is_untold: raised.is_untold,
                });
            }
        }
        let desks = self.desks.iter().zip(&plant.roster.recipients);
        let desks = desks.map(|(desk, recipient)| {
            let told = desk.told.iter().filter(|told| told.occurrence > 0);
            StoredDesk {
                channel: recipient.channel,
                address: recipient.address.clone(),
                told: told
                    .filter_map(|told| {
                        Some(stored_told(told, places[usize::from(told.alarm)]?, at))
                    })
                    .collect(),
                sent: desk.log.ages(at),
                flood: desk
                    .flood
                    .map(|flood| (flood.worst, flood.digest_at.since(at))),
                stopped_ms: desk.stopped_until.map(|until| until.since(at)),
                wrong: desk.wrong,
                unheeded_ms: desk.unheeded_until.map(|until| until.since(at)),
                answer: desk.answer.clone(),
            }
        });
        let in_hand = self.lanes.iter().filter_map(|lane| {
            let InHand {
                recipient, kind, ..
            } = lane.in_hand?;
            Some(StoredInHand {
                channel: lane.channel,
                desk: u16::try_from(recipient).ok()?,
                kind,
            })
        });
        Stored {
            alarms,
            desks: desks.collect(),
            in_hand: in_hand.collect(),
            sms: self.sms.ages(at),
        }
    }

    /// Goes on at `at` from what a run before has left. Whatever was in hand may have been told or
    /// not.
    pub fn resume(&mut self, plant: &Plant, stored: &Stored, at: Mono) {
        let places: Vec<Option<u16>> = stored
            .alarms
            .iter()
            .map(|alarm| place(plant, alarm))
            .collect();
        for (alarm, place) in stored.alarms.iter().zip(&places) {
            if let Some(place) = place {
                self.raised[usize::from(*place)] = Raised {
                    occurrence: alarm.occurrence,
                    at: at.before(alarm.age_ms),
                    is_untold: alarm.is_untold,
                };
            }
        }
        self.sms.resume(at, &stored.sms);
        let mut known: Vec<Option<usize>> = Vec::with_capacity(stored.desks.len());
        for before in &stored.desks {
            let found = plant.roster.recipients.iter().position(|recipient| {
                recipient.channel == before.channel && recipient.address == before.address
            });
            known.push(found);
            if let Some(index) = found {
                before.resume(&mut self.desks[index], &places, at);
            }
        }
        for in_hand in &stored.in_hand {
            let recipient = known.get(usize::from(in_hand.desk)).copied().flatten();
            let lane = self
                .lanes
                .iter_mut()
                .find(|lane| lane.channel == in_hand.channel);
            if let (Some(recipient), Some(lane)) = (recipient, lane) {
                lane.in_hand = Some(InHand {
                    number: 0,
                    recipient,
                    kind: in_hand.kind,
                });
                let id = NoticeId {
                    channel: in_hand.channel,
                    number: 0,
                };
                self.told(at, id, &Outcome::Unknown);
            }
        }
    }
}

fn stored_told(told: &Told, alarm: u16, at: Mono) -> StoredTold {
    StoredTold {
        alarm,
        code: told.code,
        times: told.times,
        in_hand: told.in_hand,
        is_uncertain: told.is_uncertain,
        is_returned: told.is_returned,
        is_refused: told.is_refused,
        occurrence: told.occurrence,
        age_ms: at.since(told.at),
    }
}

fn place(plant: &Plant, stored: &StoredAlarm) -> Option<u16> {
    let found = plant.alarms.iter().position(|settings| {
        settings.id == stored.id && *plant.owner_id(settings.owner) == *stored.device
    });
    found.and_then(|index| u16::try_from(index).ok())
}

impl StoredDesk {
    fn resume(&self, desk: &mut Desk, places: &[Option<u16>], at: Mono) {
        for before in &self.told {
            let Some(alarm) = places.get(usize::from(before.alarm)).copied().flatten() else {
                continue;
            };
            let Ok(place) = desk.told.binary_search_by_key(&alarm, |told| told.alarm) else {
                continue;
            };
            desk.told[place] = Told {
                alarm,
                code: before.code,
                times: before.times,
                in_hand: before.in_hand,
                is_uncertain: before.is_uncertain,
                is_returned: before.is_returned,
                is_refused: before.is_refused,
                occurrence: before.occurrence,
                at: at.before(before.age_ms),
            };
        }
        desk.log.resume(at, &self.sent);
        desk.flood = self.flood.map(|(worst, wait)| Flood {
            worst,
            digest_at: at + wait,
        });
        desk.stopped_until = self.stopped_ms.map(|ms| at + ms);
        desk.wrong = self.wrong;
        desk.unheeded_until = self.unheeded_ms.map(|ms| at + ms);
        desk.answer = self.answer.clone();
    }
}
