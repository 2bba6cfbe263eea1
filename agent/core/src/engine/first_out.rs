//! First-out: of a group of alarms, which came first. The rest often follow from it.
//!
//! The mark (ISA-18.1 sequences F) stays with the alarm that was raised while no other of its group
//! stood, whatever becomes of it, until all of the group are normal or out of view. It is a part of the
//! alarm, and so survives a restart with it.

use super::Engine;
use crate::alarm::{Alarm, AlarmState};

impl Engine {
    /// Whether the alarm at `index`, which stands as `to` now, came first of its group.
    pub(super) fn is_first_out(&mut self, index: u16, to: AlarmState) -> bool {
        let at = usize::from(index);
        if to == AlarmState::UnackActive && self.others_of_group(at).is_some_and(|any| !any) {
            self.alarms[at].first_out = true;
        }
        self.alarms[at].first_out && self.plant.alarms[at].group.is_some()
    }

    /// An alarm has changed: once all of its group are normal, the next one comes first.
    pub(super) fn settle_first_out(&mut self, index: u16) {
        let at = usize::from(index);
        if stands(&self.alarms[at]) || self.others_of_group(at).unwrap_or(false) {
            return;
        }
        let group = self.plant.alarms[at].group.clone();
        for (alarm, settings) in self.alarms.iter_mut().zip(&self.plant.alarms) {
            if group.is_some() && settings.group == group {
                alarm.first_out = false;
            }
        }
    }

    /// Whether any other alarm of its group stands; none without a group.
    fn others_of_group(&self, at: usize) -> Option<bool> {
        let group = self.plant.alarms[at].group.as_ref()?;
        let all = self.alarms.iter().zip(&self.plant.alarms).enumerate();
        let mut others = all.filter(|(other, _)| *other != at);
        Some(
            others.any(|(_, (alarm, settings))| {
                settings.group.as_ref() == Some(group) && stands(alarm)
            }),
        )
    }
}

fn stands(alarm: &Alarm) -> bool {
    let state = alarm.state();
    state != AlarmState::Normal && !state.is_hidden()
}
