//! The gateway's own conditions: who reports them, and what a dead link hides.

use super::Engine;
use crate::own::Own;
use crate::plant::{Alarm, Plant};
use crate::rule::Rule;
use crate::tag::{DeviceIndex, TagIndex};
use crate::time::{ClockState, Mono};
use alloc::boxed::Box;

/// What was reported of a part of the gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct Reported {
    /// Whether the condition holds; none: nobody has said so, or nobody can tell.
    holds: Option<bool>,
    /// In words, if it does.
    why: Option<Box<str>>,
}

/// One for each of [`Own::ALL`].
pub(super) type Reports = [Reported; Own::ALL.len()];

impl Engine {
    /// How a part of the gateway is at `at`: whether the condition holds, none if that cannot be
    /// told, and why. Links and the clock need no report.
    pub fn handle_own(&mut self, at: Mono, own: Own, holds: Option<bool>, why: Option<&str>) {
        self.roll(at);
        let Some(slot) = slot(own) else { return };
        let reported = &mut self.reports[slot];
        let changed = reported.holds != holds;
        reported.holds = holds;
        reported.why = why.map(Box::from);
        if changed && let Some(index) = self.alarm_of(own) {
            self.judge(index, at);
        }
    }

    /// Whether a condition of the gateway holds.
    pub(super) fn own_holds(&self, own: Own) -> Option<bool> {
        match own {
            Own::ClockUnset => Some(self.timeline.clock == ClockState::Unsynced),
            Own::Link(link) => {
                let standing = self.links[usize::from(link.0)].as_ref()?;
                Some(!standing.up)
            }
            own => self.reports[slot(own)?].holds,
        }
    }

    /// What was reported with it, in words.
    pub(super) fn own_why(&self, own: Own) -> Option<&str> {
        match own {
            Own::Link(link) => {
                let standing = self.links[usize::from(link.0)].as_ref()?;
                standing.why.as_deref()
            }
            own => self.reports[slot(own)?].why.as_deref(),
        }
    }

    /// Whether the alarm speaks of the silence of a device behind a link that is down itself: its
    /// link's alarm tells that, once for all of them. None while the link has said nothing yet.
    ///
    /// A link that is back gives its devices time to be read; and while its alarm is active, theirs
    /// would only repeat it.
    pub(super) fn is_cut_off(&self, settings: &Alarm, now: Mono) -> Option<bool> {
        let mut cut_off = Some(false);
        settings.when.for_each_leaf(&mut |leaf| {
            if let Some((device, tag)) = leaf.silence_of() {
                cut_off = match (cut_off, self.link_of_is_dead(device, tag, now)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
            }
        });
        cut_off
    }

    fn link_of_is_dead(
        &self,
        device: DeviceIndex,
        tag: Option<TagIndex>,
        now: Mono,
    ) -> Option<bool> {
        let settings = self.plant.device(device);
        let link = usize::from(settings.link.0);
        let Some(alarm) = self.link_alarms.get(link).copied().flatten() else {
            return Some(false);
        };
        let standing = self.links[link].as_ref()?;
        let (silent_since, patience_ms) = match tag {
            None => (self.silent_since(device), settings.stale_after_ms),
            Some(tag) => (
                self.tag_silent_since(device, tag),
                self.stale_after(device, tag),
            ),
        };
        let was_read = silent_since > standing.since;
        let had_time = now.since(standing.since) >= patience_ms;
        let is_back = standing.up && (was_read || had_time);
        Some(!is_back || self.alarms[usize::from(alarm)].is_active())
    }

    pub(super) fn alarm_of(&self, own: Own) -> Option<u16> {
        let mut alarms = self.plant.alarms.iter();
        let found = alarms.position(|alarm| alarm.when == Rule::Own(own));
        found.and_then(|index| u16::try_from(index).ok())
    }
}

/// The alarm of each link of a plant, if it has one.
pub(super) fn link_alarms(plant: &Plant) -> Box<[Option<u16>]> {
    let mut found = alloc::vec![None; plant.links.len()];
    for (index, alarm) in plant.alarms.iter().enumerate() {
        if let Rule::Own(Own::Link(link)) = alarm.when
            && let Some(place) = found.get_mut(usize::from(link.0))
        {
            *place = u16::try_from(index).ok();
        }
    }
    found.into()
}

fn slot(own: Own) -> Option<usize> {
    Own::ALL.iter().position(|other| *other == own)
}
