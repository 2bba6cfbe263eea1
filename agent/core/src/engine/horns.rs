//! What is heard and lit, worked out anew whenever an alarm may have changed.

use super::Engine;
use crate::annunciate::horn::Horn;
use alloc::sync::Arc;

impl Engine {
    /// What is to be heard and lit, by horn in the order of [`crate::plant::Plant::horns`], as of the
    /// newest input whose actions were taken out.
    pub fn horns(&self) -> &[Horn] {
        self.horns.now()
    }

    /// Whether they do something else than before.
    pub(super) fn look_at_horns(&mut self) -> bool {
        let due = core::mem::take(&mut self.horns_due);
        let plant = Arc::clone(&self.plant);
        due && self.horns.look(&plant, &self.alarms, self.now)
    }
}
