//! Each calendar as it stands: whether work is planned, and the windows that its devices are in.

use super::{Engine, Entry};
use crate::calendar::{Calendar, CalendarIndex, Span};
use crate::late::Input;
use crate::plant::Device;
use crate::summary::Tier;
use crate::tiers::{Frames, SUMMED, Window, frame};
use crate::time::{Mono, Wall};
use crate::window::Timeline;
use alloc::sync::Arc;

/// A calendar as it stands.
#[derive(Debug)]
pub(super) struct Course {
    /// Whether work is planned.
    pub(super) span: Span,
    /// Until when that holds.
    pub(super) until: Mono,
    /// The hour, the shift and the production day of the windows that were closed last.
    pub(super) frames: Frames,
}

impl Course {
    pub(super) fn new(calendar: &Calendar, timeline: &Timeline, at: Mono) -> Course {
        let label = timeline.label(at);
        let span = span_at(calendar, timeline, label);
        Course {
            until: timeline.moment(span.until),
            frames: frames_at(calendar, timeline, label),
            span,
        }
    }
}

/// What is planned by the label of a clock. By one that is not set nobody can say which shift it is,
/// and all time counts as planned: a machine that stands still is not hidden.
fn span_at(calendar: &Calendar, timeline: &Timeline, label: Wall) -> Span {
    if timeline.is_unset() {
        return Span {
            planned: true,
            shift: None,
            until: label + UNSET_MS,
        };
    }
    calendar.span_at(label)
}

/// The frames that a label lies in; of a clock that is not set no shift.
fn frames_at(calendar: &Calendar, timeline: &Timeline, label: Wall) -> Frames {
    let frames = Frames::at(calendar, label);
    match timeline.is_unset() {
        true => frames.without_shift(calendar, label),
        false => frames,
    }
}

/// While the clock is not set the calendar is asked again after this time.
const UNSET_MS: i64 = 24 * 3_600_000;

impl Engine {
    pub(super) fn course(&self, calendar: CalendarIndex) -> &Course {
        // There is one for each calendar, and `calendar_at` falls back in the same way.
        let courses = &self.courses;
        courses.get(usize::from(calendar.0)).unwrap_or(&courses[0])
    }

    /// Until when nothing changes in any calendar.
    pub(super) fn plan_until(&self) -> Mono {
        let ends = self.courses.iter().map(|course| course.until);
        ends.min().unwrap_or(Mono(u64::MAX))
    }

    /// The edges of calendars that have come: what is planned changes.
    pub(super) fn turn_pages(&mut self, edge: Mono) {
        for index in self.calendar_indexes() {
            if self.course(index).until <= edge {
                self.turn_page(index, edge);
            }
        }
    }

    /// What is planned by a calendar from `edge` on.
    pub(super) fn turn_page(&mut self, index: CalendarIndex, edge: Mono) {
        let plant = Arc::clone(&self.plant);
        let calendar = plant.calendar_at(index);
        let span = span_at(calendar, &self.timeline, self.timeline.label(edge));
        let until = self.timeline.moment(span.until).max(edge + 1);
        let course = &mut self.courses[usize::from(index.0)];
        let before = course.span.planned;
        (course.span, course.until) = (span, until);
        let of_calendar = |(_, device): &(&mut Entry, &Device)| device.calendar == index;
        let devices = self.devices.iter_mut().zip(&plant.devices);
        for (entry, device) in devices.filter(of_calendar) {
            if let Some(machine) = &mut entry.machine {
                machine.plan(span.planned, device.merge_faults_ms);
                if let Some(late) = &mut entry.late {
                    late.note(device, calendar, edge, Input::Plans(span.planned));
                }
            }
        }
        if span.planned != before {
            self.mark_plan(index, edge, false);
        }
        // Others may be on shift.
        self.call();
    }

    pub(super) fn calendar_indexes(&self) -> impl Iterator<Item = CalendarIndex> + use<> {
        (0..=u8::MAX).take(self.courses.len()).map(CalendarIndex)
    }

    /// The frames of a minute; those of the last one, as long as it lies in the same piece.
    pub(super) fn frames_of(&mut self, calendar: CalendarIndex, window: &Window) -> Frames {
        let known = self.course(calendar).frames;
        if known.hold(window) {
            return known;
        }
        let frames = Frames::over(self.plant.calendar_at(calendar), window);
        let course = self.courses.get_mut(usize::from(calendar.0));
        if let (true, Some(course)) = (frames.hold(window), course) {
            course.frames = frames;
        }
        frames
    }

    /// The frames of the present moment.
    pub(super) fn renew_frames(&mut self) {
        let label = self.timeline.label(self.now);
        for (course, calendar) in self.courses.iter_mut().zip(self.plant.calendars()) {
            if !course.frames.piece().contains(label) {
                course.frames = frames_at(calendar, &self.timeline, label);
            }
        }
    }

    /// The frames of another label, which may be that of a clock that was set.
    pub(super) fn reset_frames(&mut self, label: Wall) {
        for (course, calendar) in self.courses.iter_mut().zip(self.plant.calendars()) {
            course.frames = frames_at(calendar, &self.timeline, label);
        }
    }

    /// Where the first hour, shift or production day ends that `begin` lies in, by any calendar.
    pub(super) fn first_end(&self, begin: Wall) -> Wall {
        let pieces = self
            .plant
            .calendars()
            .map(|calendar| frames_at(calendar, &self.timeline, begin));
        let ends = pieces.map(|frames| frames.piece().until);
        ends.min().unwrap_or(begin)
    }

    /// Where the first window of a long silence ends that begins at `begin`: the next moment at which
    /// a window of any tier ends that was open when the silence `from` began, or at which the last one
    /// in the silence begins, which is over at `end`. So they are few, however many calendars there are.
    pub(super) fn cut_of_silence(&self, from: Wall, begin: Wall, end: Wall) -> Wall {
        let mut cut = end;
        for calendar in self.plant.calendars() {
            let has_none = |tier: Tier| tier == Tier::Shift && self.timeline.is_unset();
            for tier in SUMMED.into_iter().filter(|tier| !has_none(*tier)) {
                let first = frame(calendar, tier, from).map(|first| first.until);
                let last = frame(calendar, tier, end).map(|last| last.start);
                for edge in first.into_iter().chain(last) {
                    if edge > begin {
                        cut = cut.min(edge);
                    }
                }
            }
        }
        cut
    }
}
