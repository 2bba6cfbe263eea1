//! Each calendar as it stands: whether work is planned, and the windows that its devices are in.

use super::{Engine, Entry};
use crate::calendar::{Calendar, CalendarIndex, Span};
use crate::plant::Device;
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
        let span = calendar.span_at(label);
        Course {
            until: timeline.moment(span.until),
            frames: Frames::at(calendar, label),
            span,
        }
    }
}

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
        let span = plant.calendar_at(index).span_at(self.timeline.label(edge));
        let until = self.timeline.moment(span.until).max(edge + 1);
        let course = &mut self.courses[usize::from(index.0)];
        let before = course.span.planned;
        (course.span, course.until) = (span, until);
        let of_calendar = |(_, device): &(&mut Entry, &Device)| device.calendar == index;
        let devices = self.devices.iter_mut().zip(&plant.devices);
        for (entry, device) in devices.filter(of_calendar) {
            if let Some(machine) = &mut entry.machine {
                machine.plan(span.planned, device.merge_faults_ms);
            }
        }
        if span.planned != before {
            self.mark_plan(index, edge, false);
        }
    }

    pub(super) fn calendar_indexes(&self) -> impl Iterator<Item = CalendarIndex> + use<> {
        (0..=u8::MAX).take(self.courses.len()).map(CalendarIndex)
    }

    /// The frames of a minute; those of the last one, as long as it lies in the same piece.
    pub(super) fn frames_of(&mut self, calendar: CalendarIndex, window: &Window) -> Frames {
        let within = |frames: &Frames| {
            frames.piece().contains(window.start) && window.end <= frames.piece().until
        };
        let frames = self.course(calendar).frames;
        if within(&frames) {
            return frames;
        }
        let rules = self.plant.calendar_at(calendar);
        let frames = Frames::over(rules, window.start, window.end);
        if let (true, Some(course)) = (
            within(&frames),
            self.courses.get_mut(usize::from(calendar.0)),
        ) {
            course.frames = frames;
        }
        frames
    }

    /// The frames of the present moment.
    pub(super) fn renew_frames(&mut self) {
        let label = self.timeline.label(self.now);
        for (course, calendar) in self.courses.iter_mut().zip(self.plant.calendars()) {
            if !course.frames.piece().contains(label) {
                course.frames = Frames::at(calendar, label);
            }
        }
    }

    /// Where the first hour, shift or production day ends that `begin` lies in, by any calendar.
    pub(super) fn first_end(&self, begin: Wall) -> Wall {
        let pieces = self
            .plant
            .calendars()
            .map(|calendar| Frames::at(calendar, begin));
        let ends = pieces.map(|frames| frames.piece().until);
        ends.min().unwrap_or(begin)
    }

    /// Where the first window of a long silence ends that begins at `begin`: the next moment at which
    /// a window of any tier ends that was open when the silence `from` began, or at which the last one
    /// in the silence begins, which is over at `end`. So they are few, however many calendars there are.
    pub(super) fn cut_of_silence(&self, from: Wall, begin: Wall, end: Wall) -> Wall {
        let mut cut = end;
        for calendar in self.plant.calendars() {
            for tier in SUMMED {
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
