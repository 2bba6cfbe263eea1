//! What is heard and lit, worked out anew whenever an alarm may have changed; and tests of it.

use super::{Action, Engine};
use crate::alarm::Act;
use crate::annunciate::horn::{Horn, Tone};
use crate::record::Event;
use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A test that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HornTest {
    /// The ids of the horns that are tested.
    pub horns: Vec<Arc<str>>,
    /// When it ends by itself.
    pub until: Wall,
    /// How long it takes, in milliseconds.
    pub takes_ms: u64,
}

/// Why no horn is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTest {
    /// None is configured.
    NoHorn,
    /// None has this id.
    Unknown,
    /// It sounds for an alarm.
    Sounds,
}

impl Engine {
    /// What is to be heard and lit, by horn in the order of [`crate::plant::Plant::horns`], as of the
    /// newest input whose actions were taken out.
    pub fn horns(&self) -> &[Horn] {
        self.horns.now()
    }

    /// Somebody wants to hear and see a horn, or all that are silent: each priority and the ringback,
    /// for `each_ms` milliseconds. No alarm is changed by that, and one that sounds goes before it.
    pub fn handle_horn_test(
        &mut self,
        at: Mono,
        id: Option<&str>,
        each_ms: u64,
        act: Act,
    ) -> Result<HornTest, NoTest> {
        self.roll(at);
        if self.plant.horns.is_empty() {
            return Err(NoTest::NoHorn);
        }
        let all = || self.plant.horns.iter().enumerate();
        let one = match id {
            Some(id) => {
                let mut found = all().filter(|(_, horn)| *horn.id == *id);
                Some(found.next().ok_or(NoTest::Unknown)?.0)
            }
            None => None,
        };
        let is_silent = |index: usize| {
            let horn = self.horns.now().get(index);
            horn.is_some_and(|horn| horn.tone <= Tone::Ringback || self.horns.is_tested(index))
        };
        let tested = all().filter(|(index, _)| one.is_none_or(|one| one == *index));
        let tested = tested.filter(|(index, _)| is_silent(*index));
        let tested: Vec<Arc<str>> = tested.map(|(_, horn)| horn.id.clone()).collect();
        if tested.is_empty() {
            return Err(NoTest::Sounds);
        }
        let until = self.horns.test(one, each_ms, at);
        self.horns_due = true;
        let test = HornTest {
            horns: tested,
            until: self.timeline.label(until),
            takes_ms: until.since(at),
        };
        let event = Event::HornTest {
            horn: id.map(Into::into),
            act: Box::new(act),
            until: test.until,
        };
        self.event(at, event);
        self.act(Action::Commit);
        Ok(test)
    }

    /// Whether they do something else than before.
    pub(super) fn look_at_horns(&mut self) -> bool {
        let due = core::mem::take(&mut self.horns_due);
        let plant = Arc::clone(&self.plant);
        due && self.horns.look(&plant, &self.alarms, self.now)
    }
}
