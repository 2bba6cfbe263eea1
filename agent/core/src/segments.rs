//! What each device did, segment by segment, from the marks of the history.
//!
//! A segment is a stretch of time over which a device was accounted as one state, with one quality, one
//! reason of an operator and, of a fault, one code; it has no length if two readings came in one millisecond. The segments of a device add up to its windows: whatever is added up over a
//! window can be added up again from them.

use crate::calendar::CalendarIndex;
use crate::history::{Fill, Mark};
use crate::sample::{Quality, Reason, Value};
use crate::state::State;
use crate::time::Wall;
use alloc::collections::BTreeMap;
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
    /// Id of the reason that an operator has said, if one has.
    pub reason: Option<Arc<str>>,
}

impl Segment {
    /// Whether nothing is missing without it: it has no length, and no fault begins or ends with it.
    pub fn says_nothing(&self) -> bool {
        let is_passed_over = matches!(self.state, State::Unknown | State::PlannedStop);
        is_passed_over && self.to == Some(self.from)
    }
}

/// What devices did in time that was unknown, as it was told late: to be known before the marks are
/// taken.
#[derive(Debug, Clone, Default)]
pub struct Fills {
    /// By device, in the order of their time; none over another.
    devices: BTreeMap<Arc<str>, Vec<Fill>>,
}

impl Fills {
    /// Takes note of a mark, if it is one; what is told later counts more.
    pub fn note(&mut self, mark: &Mark) {
        let Mark::Fills { device, fill } = mark else {
            return;
        };
        let known = self.devices.entry(device.clone()).or_default();
        let first = known.partition_point(|other| other.to <= fill.from);
        let behind = known.partition_point(|other| other.from < fill.to);
        let over = &known[first..behind];
        // What stands out of it on both sides stays.
        let left = over.first().filter(|other| other.from < fill.from);
        let left = left.map(|other| Fill {
            to: fill.from,
            ..other.clone()
        });
        let right = over.last().filter(|other| other.to > fill.to);
        let right = right.map(|other| Fill {
            from: fill.to,
            ..other.clone()
        });
        let parts: Vec<Fill> = left
            .into_iter()
            .chain([fill.clone()])
            .chain(right)
            .collect();
        known.splice(first..behind, parts);
    }

    /// Those of a device between two labels.
    fn within(&self, device: &str, from: Wall, to: Wall) -> impl Iterator<Item = Fill> + '_ {
        let all = self.devices.get(device).map_or(&[][..], |fills| fills);
        let first = all.partition_point(|fill| fill.to <= from);
        let some = all[first..].iter().take_while(move |fill| fill.from < to);
        some.map(move |fill| Fill {
            from: fill.from.max(from),
            to: fill.to.min(to),
            ..fill.clone()
        })
    }
}

/// Makes segments of marks, in their order.
#[derive(Debug, Default)]
pub struct Segments {
    fills: Fills,
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
    reason: Option<Arc<str>>,
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
            reason: self.reason.clone(),
        }
    }

    /// Ends what it does at `to`, and goes on from the label `next`.
    fn end(
        &mut self,
        fills: &Fills,
        planned: Option<bool>,
        to: Wall,
        next: Wall,
        tell: &mut impl FnMut(Segment),
    ) {
        if let (Some(planned), true) = (planned, to >= self.since) {
            let rest = self.tell_filled(fills, planned, to, tell);
            if rest < to || rest == self.since {
                let segment = self.segment(planned, Some(to));
                tell(Segment {
                    from: rest,
                    ..segment
                });
            }
        }
        self.since = next;
    }

    /// Tells of unknown time up to where the last of the fills before `to` ends.
    fn tell_filled(
        &self,
        fills: &Fills,
        planned: bool,
        to: Wall,
        tell: &mut impl FnMut(Segment),
    ) -> Wall {
        let mut at = self.since;
        if self.shown != State::Unknown {
            return at;
        }
        for fill in fills.within(&self.device, self.since, to) {
            if at < fill.from {
                let segment = self.segment(planned, Some(fill.from));
                tell(Segment {
                    from: at,
                    ..segment
                });
            }
            at = fill.to;
            tell(Segment {
                device: self.device.clone(),
                state: fill.state.accounted(planned),
                from: fill.from,
                to: Some(fill.to),
                code: fill.code,
                quality: fill.quality,
                reason: None,
            });
        }
        at
    }
}

impl Segments {
    /// None yet, of a row of marks in which these fills are.
    pub fn with(fills: Fills) -> Segments {
        Segments {
            fills,
            ..Segments::default()
        }
    }

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
                reason,
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
                        reason: reason.clone(),
                    });
                };
                if *again {
                    return;
                }
                let planned = self.planned(self.devices[index].calendar);
                let known = &mut self.devices[index];
                known.end(&self.fills, planned, *at, *at, &mut tell);
                known.calendar = *calendar;
                known.shown = *state;
                known.code.clone_from(code);
                known.quality = *quality;
                known.reason.clone_from(reason);
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
                        known.end(&self.fills, before, *at, *at, &mut tell);
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
                    known.reason = None;
                    known.quality = Quality::Bad(Reason::NeverRead);
                }
            }
            Mark::Fills { .. } => {}
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

    /// Where the first of the segments begins that go on.
    pub fn open_since(&self) -> Option<Wall> {
        self.devices.iter().map(|known| known.since).min()
    }

    /// The segments that go on, with what is known of them up to now.
    pub fn open(&self) -> Vec<Segment> {
        let mut all = Vec::new();
        for known in &self.devices {
            let Some(planned) = self.planned(known.calendar) else {
                continue;
            };
            let end = Wall(i64::MAX);
            let from = known.tell_filled(&self.fills, planned, end, &mut |it| all.push(it));
            let segment = known.segment(planned, None);
            all.push(Segment { from, ..segment });
        }
        all
    }

    fn planned(&self, calendar: CalendarIndex) -> Option<bool> {
        self.planned.get(usize::from(calendar.0)).copied().flatten()
    }

    fn end(&mut self, index: usize, to: Wall, next: Wall, tell: &mut impl FnMut(Segment)) {
        let planned = self.planned(self.devices[index].calendar);
        self.devices[index].end(&self.fills, planned, to, next, tell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Of what was told of one moment the last counts, and none is told twice.
        #[test]
        fn later_fills_lie_over_earlier_ones(
            drawn in proptest::collection::vec((0i64..50, 1i64..20, 0usize..3), 0..12),
            from in 0i64..60,
            length in 1i64..30,
        ) {
            let states = [State::Producing, State::Setup, State::Faulted];
            let mut fills = Fills::default();
            let mut expected = [None; 100];
            for (from, length, state) in drawn {
                let (from, to) = (Wall(from), Wall(from + length));
                let state = states[state];
                let quality = Quality::Good;
                let code = None;
                let fill = Fill { from, to, state, code, quality };
                let device = "press-1".into();
                fills.note(&Mark::Fills { device, fill });
                for ms in from.0..to.0 {
                    expected[usize::try_from(ms).unwrap()] = Some(state);
                }
            }
            let mut found = [None; 100];
            let (from, to) = (Wall(from), Wall(from + length));
            for fill in fills.within("press-1", from, to) {
                for ms in fill.from.0..fill.to.0 {
                    let place = &mut found[usize::try_from(ms).unwrap()];
                    prop_assert_eq!(place.replace(fill.state), None);
                }
            }
            for (ms, expected) in expected.iter().enumerate() {
                let is_within = (from.0..to.0).contains(&i64::try_from(ms).unwrap());
                prop_assert_eq!(found[ms], expected.filter(|_| is_within));
            }
            prop_assert_eq!(fills.within("press-2", from, to).count(), 0);
        }
    }
}
