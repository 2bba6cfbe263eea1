//! What the journal of alarms comes to: counted here, told on request.

use super::Engine;
use crate::alarm::{AlarmState, Change, Verb};
use crate::hygiene::STALE_MS;
use crate::message::{FrequentAlarm, HygieneMessage};
use crate::record::Done;
use crate::time::{Mono, Wall};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Alarms that are named in each list; the rest are counted.
const NAMED: usize = 10;

impl Engine {
    /// An alarm changed, by itself or by what was done to it.
    pub(super) fn count_change(
        &mut self,
        index: u16,
        change: Change,
        done: Option<&Done>,
        now: Mono,
    ) {
        let place = usize::from(index);
        let is_call = self.plant.alarms[place].is_call();
        let label = self.timeline.label(now);
        let was_active = matches!(change.from, AlarmState::UnackActive | AlarmState::AckActive);
        if change.to == AlarmState::UnackActive && change.from != AlarmState::UnackActive {
            if is_call {
                self.hygiene.saw_raised(index, now);
            } else {
                self.hygiene.raised(index, now, label);
            }
        } else if done.is_some_and(|done| done.verb == Verb::Acknowledge) {
            let after = self.since_raised(index, now).unwrap_or(0);
            if is_call {
                self.hygiene.saw_acknowledged(index, now);
            } else {
                self.hygiene.acknowledged(index, now, after);
            }
        } else if was_active && !is_call && !self.alarms[place].is_active() {
            self.hygiene.cleared(index, now);
        }
    }

    /// Milliseconds since an alarm was raised; over a restart, by the labels of the wall clock.
    pub(super) fn since_raised(&self, index: u16, now: Mono) -> Option<u64> {
        let raised = self.alarms[usize::from(index)].raised;
        self.elapsed(self.hygiene.raised_at(index), raised, now)
    }

    /// Milliseconds since the last step of a call: arrived, or else called.
    pub(super) fn since_step(&self, index: u16, now: Mono) -> Option<u64> {
        let acked = self.alarms[usize::from(index)].acked;
        self.elapsed(self.hygiene.acked_at(index), acked, now)
            .or_else(|| self.since_raised(index, now))
    }

    fn elapsed(&self, at: Option<Mono>, label: Option<Wall>, now: Mono) -> Option<u64> {
        let by_labels = |label: Wall| u64::try_from(self.timeline.label(now) - label).unwrap_or(0);
        at.map(|at| now.since(at)).or_else(|| label.map(by_labels))
    }

    /// How many alarms people were asked to look at, up to `now`.
    pub fn hygiene(&self, now: Mono) -> HygieneMessage {
        let mut chattering = Named::default();
        let mut stale = Named::default();
        let label = self.timeline.label(now);
        for (index, alarm) in (0..).zip(&self.alarms) {
            let in_view = matches!(
                alarm.state(),
                AlarmState::UnackActive | AlarmState::AckActive
            );
            let old = alarm.raised.is_some_and(|raised| label - raised > STALE_MS);
            if in_view && old {
                stale.add(|| self.alarm_name(index));
            }
            if self.hygiene.chatters(index, now) {
                chattering.add(|| self.alarm_name(index));
            }
        }
        let top = self.hygiene.top();
        let top = top.iter().take(NAMED).map(|one| FrequentAlarm {
            id: self.alarm_name(one.alarm),
            count: one.count,
            over: one.over,
        });
        HygieneMessage {
            rates: self.hygiene.rates(),
            chattering: chattering.count,
            chattering_ids: chattering.ids,
            stale: stale.count,
            stale_ids: stale.ids,
            since: self.hygiene.since(),
            totals: self.hygiene.totals(),
            ack_median_ms: self.hygiene.ack_median_ms(),
            top: top.collect(),
        }
    }

    /// `{device}.{alarm}`.
    pub(super) fn alarm_name(&self, index: u16) -> String {
        let settings = &self.plant.alarms[usize::from(index)];
        format!("{}.{}", self.plant.owner_id(settings.owner), settings.id)
    }
}

#[derive(Default)]
struct Named {
    count: usize,
    ids: Vec<String>,
}

impl Named {
    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.ids.len() < NAMED {
            self.ids.push(name());
        }
    }
}
