//! When work is planned, and where hours, shifts and days begin, in plain arithmetic on tables of
//! clock changes that were written down by hand.

use crate::stream::{Works, Zone};
use std::collections::BTreeSet;
use std::ops::Range;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Changes of the local clock: from when on it is how far ahead of UTC, in 1970 and in 2026.
fn offsets(zone: Zone) -> &'static [(i64, i64)] {
    match zone {
        Zone::Shanghai => &[(i64::MIN, 8 * HOUR)],
        Zone::Kolkata => &[(i64::MIN, 5 * HOUR + HOUR / 2)],
        // 2026-03-29T01:00Z and 2026-10-25T01:00Z.
        Zone::Berlin => &[
            (i64::MIN, HOUR),
            (1_774_746_000_000, 2 * HOUR),
            (1_792_890_000_000, HOUR),
        ],
        // 2025-10-04T15:30Z, 2026-04-04T15:00Z and 2026-10-03T15:30Z; half an hour. A clock that was
        // never set shows 1970, when it was ten hours.
        Zone::LordHowe => &[
            (i64::MIN, 10 * HOUR),
            (1_759_591_800_000, 11 * HOUR),
            (1_775_314_800_000, 10 * HOUR + HOUR / 2),
            (1_791_041_400_000, 11 * HOUR),
        ],
    }
}

/// A shift that takes place.
#[derive(Debug, Clone)]
struct Turn {
    index: usize,
    /// Days since 1970 of the local date on which it starts.
    day: i64,
    time: Range<i64>,
    breaks: Vec<Range<i64>>,
}

/// The calendar over the time of a stream.
pub struct Calendar {
    zone: Zone,
    has_shifts: bool,
    turns: Vec<Turn>,
    /// Where one shift, or the time between two, follows another.
    changes: Vec<i64>,
    day_starts: Vec<i64>,
}

/// One hour, shift or day.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub time: Range<i64>,
    /// Index and date of the shift.
    pub shift: Option<(usize, i64)>,
}

impl Calendar {
    /// The calendar of the days that have labels, and some before and after.
    pub fn new(zone: Zone, works: &Works, labels: &[Range<i64>]) -> Calendar {
        let day = |label: i64| label.div_euclid(DAY);
        let days = labels
            .iter()
            .flat_map(|labels| day(labels.start) - 3..day(labels.end) + 4);
        let days: BTreeSet<i64> = days.collect();
        let mut calendar = Calendar {
            zone,
            has_shifts: !works.shifts.is_empty(),
            turns: vec![],
            changes: vec![],
            day_starts: vec![],
        };
        for day in days {
            calendar
                .day_starts
                .push(calendar.instant(day, works.day_start));
            // 1970-01-01 was a Thursday.
            let is_weekend = (day + 3).rem_euclid(7) >= 5;
            for (index, shift) in works.shifts.iter().enumerate() {
                if works.holidays.contains(&day) || (is_weekend && !shift.weekends) {
                    continue;
                }
                let breaks = shift.breaks.iter().map(|&(from, to)| {
                    let day = if from < shift.start { day + 1 } else { day };
                    calendar.stretch(day, from, to)
                });
                calendar.turns.push(Turn {
                    index,
                    day,
                    breaks: breaks.collect(),
                    time: calendar.stretch(day, shift.start, shift.end),
                });
            }
        }
        let ends = calendar
            .turns
            .iter()
            .flat_map(|turn| [turn.time.start, turn.time.end]);
        let changes = ends.filter(|at| calendar.whose(*at - 1) != calendar.whose(*at));
        calendar.changes = changes.collect();
        calendar
    }

    fn offset(&self, at: i64) -> i64 {
        let before = offsets(self.zone)
            .iter()
            .rev()
            .find(|(from, _)| *from <= at);
        before.map_or(0, |(_, offset)| *offset)
    }

    /// The moment at which the local clock shows this; the first if it does so twice. If it never
    /// does, as much later as the clock is put forward.
    fn instant(&self, day: i64, minute: i64) -> i64 {
        let local = day * DAY + minute * MINUTE;
        let before = local - self.offset(local - 2 * DAY);
        let after = local - self.offset(local + 2 * DAY);
        let shows = |at: i64| at + self.offset(at) == local;
        if !shows(before) && shows(after) {
            after
        } else {
            before
        }
    }

    fn stretch(&self, day: i64, from: i64, to: i64) -> Range<i64> {
        let last = if to <= from { day + 1 } else { day };
        self.instant(day, from)..self.instant(last, to)
    }

    /// Whose time a moment is: the shift that stands first, of two of one shift the earlier.
    fn turn(&self, at: i64) -> Option<&Turn> {
        let mine = self.turns.iter().filter(|turn| turn.time.contains(&at));
        mine.min_by_key(|turn| (turn.index, turn.day))
    }

    fn whose(&self, at: i64) -> Option<(usize, i64)> {
        self.turn(at).map(|turn| (turn.index, turn.day))
    }

    /// Whether work is planned.
    pub fn is_planned(&self, at: i64) -> bool {
        match self.turn(at) {
            Some(turn) => !turn.breaks.iter().any(|pause| pause.contains(&at)),
            None => !self.has_shifts,
        }
    }

    /// Every moment within `labels` at which the answer may change.
    pub fn edges(&self, labels: &Range<i64>) -> Vec<i64> {
        let ends = |time: &Range<i64>| [time.start, time.end];
        let of_turns = self.turns.iter().flat_map(|turn| {
            let breaks = turn.breaks.iter().flat_map(ends);
            ends(&turn.time).into_iter().chain(breaks)
        });
        let mut edges: Vec<i64> = of_turns.filter(|at| labels.contains(at)).collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// The hour of the local clock, which also ends where that is changed by part of an hour.
    pub fn hour(&self, at: i64) -> Frame {
        let begins = |at: i64| {
            let change = self.offset(at) - self.offset(at - 1);
            (at + self.offset(at)) % HOUR == 0 || change % HOUR != 0
        };
        let minute = at.div_euclid(MINUTE) * MINUTE;
        let start = (0..).map(|n| minute - n * MINUTE).find(|at| begins(*at));
        let until = (1..).map(|n| minute + n * MINUTE).find(|at| begins(*at));
        Frame {
            time: start.unwrap_or(at)..until.unwrap_or(at),
            shift: None,
        }
    }

    /// The production day.
    pub fn day(&self, at: i64) -> Frame {
        let (before, after): (Vec<i64>, Vec<i64>) =
            self.day_starts.iter().partition(|start| **start <= at);
        Frame {
            time: before.into_iter().max().unwrap_or(i64::MIN)
                ..after.into_iter().min().unwrap_or(i64::MAX),
            shift: None,
        }
    }

    /// The shift, or the time between two, which is cut where a day begins; none without shifts.
    pub fn shift(&self, at: i64) -> Option<Frame> {
        if !self.has_shifts {
            return None;
        }
        let mine = self.whose(at);
        let changes = self.changes.iter().copied();
        let days = self.day_starts.iter().copied().filter(|_| mine.is_none());
        let (before, after): (Vec<i64>, Vec<i64>) =
            changes.chain(days).partition(|edge| *edge <= at);
        Some(Frame {
            time: before.into_iter().max().unwrap_or(i64::MIN)
                ..after.into_iter().min().unwrap_or(i64::MAX),
            shift: mine,
        })
    }

    /// Hour, shift or day; by a clock that was never set nobody can say which shift it is.
    pub fn frame(&self, tier: &str, at: i64, is_unset: bool) -> Option<Frame> {
        match tier {
            "1h" => Some(self.hour(at)),
            "shift" => self.shift(at).filter(|_| !is_unset),
            _ => Some(self.day(at)),
        }
    }

    /// All of them.
    pub fn frames(&self, at: i64, is_unset: bool) -> Vec<Frame> {
        let tiers = ["1h", "shift", "1d"].into_iter();
        tiers
            .filter_map(|tier| self.frame(tier, at, is_unset))
            .collect()
    }
}
