//! What each device did, segment by segment, from the marks of the history.
//!
//! A segment is a stretch of time over which a device was accounted as one state, with one quality and,
//! of a fault, one code; it has no length if two readings came in one millisecond. The segments of a device add up to its windows: whatever is added up over a
//! window can be added up again from them.

use crate::calendar::CalendarIndex;
use crate::history::Mark;
use crate::sample::{Quality, Reason, Value};
use crate::state::State;
use crate::time::Wall;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A stretch of time in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Device id.
    pub device: Arc<str>,
    /// What was accounted.
    pub state: State,
    /// Label of the start.
    pub from: Wall,
    /// Label of the end; none if it goes on. No step of the clock lies between.
    pub to: Option<Wall>,
    /// The raw status value where it began.
    pub code: Option<Value>,
    /// Quality of the status.
    pub quality: Quality,
}

/// Makes segments of marks, in their order.
#[derive(Debug, Default)]
pub struct Segments {
    /// Whether work is planned by each calendar; none before that was told.
    planned: Vec<Option<bool>>,
    devices: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    device: Arc<str>,
    calendar: CalendarIndex,
    since: Wall,
    shown: State,
    code: Option<Value>,
    quality: Quality,
}

impl Known {
    fn segment(&self, planned: bool, to: Option<Wall>) -> Segment {
        Segment {
            device: self.device.clone(),
            state: self.shown.accounted(planned),
            from: self.since,
            to,
            code: self.code.clone(),
            quality: self.quality,
        }
    }

    /// Ends what it does at `to`, and goes on from the label `next`.
    fn end(&mut self, planned: Option<bool>, to: Wall, next: Wall, tell: &mut impl FnMut(Segment)) {
        if let (Some(planned), true) = (planned, to >= self.since) {
            tell(self.segment(planned, Some(to)));
        }
        self.since = next;
    }
}

impl Segments {
    /// The next mark; `tell` is told of the segments that end with it.
    pub fn take(&mut self, mark: &Mark, mut tell: impl FnMut(Segment)) {
        match mark {
            Mark::Shows {
                device,
                calendar,
                at,
                state,
                code,
                quality,
                again,
            } => {
                let index = self
                    .devices
                    .iter()
                    .position(|known| known.device == *device);
                let Some(index) = index else {
                    return self.devices.push(Known {
                        device: device.clone(),
                        calendar: *calendar,
                        since: *at,
                        shown: *state,
                        code: code.clone(),
                        quality: *quality,
                    });
                };
                if *again {
                    return;
                }
                let planned = self.planned(self.devices[index].calendar);
                let known = &mut self.devices[index];
                known.end(planned, *at, *at, &mut tell);
                known.calendar = *calendar;
                known.shown = *state;
                known.code.clone_from(code);
                known.quality = *quality;
            }
            Mark::Plan {
                calendar,
                at,
                planned,
                ..
            } => {
                let place = usize::from(calendar.0);
                if self.planned.len() <= place {
                    self.planned.resize(place + 1, None);
                }
                let before = self.planned[place].replace(*planned);
                if before == Some(*planned) {
                    return;
                }
                let follow = |known: &&mut Known| known.calendar == *calendar;
                for known in self.devices.iter_mut().filter(follow) {
                    let accounted = |planned: bool| known.shown.accounted(planned);
                    if before.map(accounted) != Some(accounted(*planned)) {
                        known.end(before, *at, *at, &mut tell);
                    }
                }
            }
            Mark::Step { from, to } => {
                for index in 0..self.devices.len() {
                    self.end(index, *from, *to, &mut tell);
                }
            }
            Mark::Gap { from, to } => {
                for index in 0..self.devices.len() {
                    self.end(index, *from, *to, &mut tell);
                    let known = &mut self.devices[index];
                    known.shown = State::Unknown;
                    known.code = None;
                    known.quality = Quality::Bad(Reason::NeverRead);
                }
            }
            Mark::Ends { device, at } => {
                let index = self
                    .devices
                    .iter()
                    .position(|known| known.device == *device);
                if let Some(index) = index {
                    self.end(index, *at, *at, &mut tell);
                    self.devices.remove(index);
                }
            }
        }
    }

    /// The segments that go on.
    pub fn open(&self) -> impl Iterator<Item = Segment> + '_ {
        self.devices.iter().filter_map(|known| {
            let planned = self.planned(known.calendar)?;
            Some(known.segment(planned, None))
        })
    }

    fn planned(&self, calendar: CalendarIndex) -> Option<bool> {
        self.planned.get(usize::from(calendar.0)).copied().flatten()
    }

    fn end(&mut self, index: usize, to: Wall, next: Wall, tell: &mut impl FnMut(Segment)) {
        let planned = self.planned(self.devices[index].calendar);
        self.devices[index].end(planned, to, next, tell);
    }
}
