//! What devices did, as it is kept: every change of what a device shows, at the moment from which it
//! is accounted, so that all times can be added up again from it.

use super::{Action, Engine};
use crate::calendar::CalendarIndex;
use crate::history::{Leaf, Mark, Page};
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::time::{Mono, Wall};
use alloc::sync::Arc;

/// What the last mark of a device says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Marked {
    shown: State,
    code: Option<Value>,
    quality: Quality,
    reason: Option<Arc<str>>,
}

impl Engine {
    /// Marks what a device shows, if that is not what its last mark says.
    pub(super) fn mark(&mut self, index: usize) {
        self.outdate_reason(index);
        let reason = self.reason_id(index).cloned();
        let entry = &mut self.devices[index];
        let Some(machine) = &entry.machine else {
            return;
        };
        let shown = machine.shown();
        let at = match &entry.marked {
            Some(marked) if marked.shown != shown => machine.shown_since(),
            Some(marked) => {
                let is_another_fault =
                    shown == State::Faulted && marked.code.as_ref() != machine.code();
                let is_same = marked.quality == machine.quality() && marked.reason == reason;
                if is_same && !is_another_fault {
                    return;
                }
                machine.accounted_to()
            }
            None => machine.accounted_to(),
        };
        entry.marked = Some(Marked {
            shown,
            code: machine.code().cloned(),
            quality: machine.quality(),
            reason,
        });
        self.put_mark(index, at, false);
    }

    /// Tells again where everything stands, for those who read from here on.
    pub(super) fn mark_all_again(&mut self, at: Mono) {
        for calendar in self.calendar_indexes() {
            self.mark_plan(calendar, at, true);
        }
        for index in 0..self.devices.len() {
            self.put_mark(index, at, true);
        }
    }

    /// Work is planned by a calendar from `at` on, or not.
    pub(super) fn mark_plan(&mut self, calendar: CalendarIndex, at: Mono, again: bool) {
        self.marks.push(Mark::Plan {
            calendar,
            at: self.timeline.label(at),
            planned: self.course(calendar).span.planned,
            again,
        });
    }

    /// The accounting begins: nothing is known of any device.
    pub(super) fn mark_begin(&mut self, at: Mono) {
        for calendar in self.calendar_indexes() {
            self.mark_plan(calendar, at, false);
        }
        for index in 0..self.devices.len() {
            self.mark(index);
        }
    }

    /// The wall clock was stepped.
    pub(super) fn mark_step(&mut self, from: Wall, to: Wall) {
        self.marks.push(Mark::Step { from, to });
    }

    /// A device is no longer configured.
    pub(super) fn mark_end(&mut self, device: &Arc<str>, at: Wall) {
        let device = device.clone();
        self.marks.push(Mark::Ends { device, at });
    }

    /// A silence of unknown length.
    pub(super) fn mark_gap(&mut self, from: Wall, to: Wall) {
        self.marks.push(Mark::Gap { from, to });
    }

    fn put_mark(&mut self, index: usize, at: Mono, again: bool) {
        if let Some(marked) = &self.devices[index].marked {
            self.marks.push(Mark::Shows {
                device: self.plant.devices[index].id.clone(),
                calendar: self.plant.devices[index].calendar,
                at: self.timeline.label(at),
                state: marked.shown,
                code: marked.code.clone(),
                quality: marked.quality,
                reason: marked.reason.clone(),
                again,
            });
        }
    }

    /// Makes a page of the marks since the last one.
    pub(super) fn turn_marks(&mut self) {
        if !self.marks.is_empty() {
            let marks = core::mem::take(&mut self.marks);
            self.keep(Leaf::Marks(marks));
        }
    }

    /// The next page.
    pub(super) fn keep(&mut self, leaf: Leaf) {
        self.page += 1;
        let number = self.page;
        self.act(Action::Keep(Page { number, leaf }));
    }
}
