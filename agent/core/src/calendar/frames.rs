//! The hours, shifts and production days in which moments lie: where the windows of the tiers
//! begin and end.

use super::{Calendar, Turn};
use crate::time::Wall;
use alloc::vec::Vec;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZoneTransition;

/// One hour, shift or production day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins.
    pub start: Wall,
    /// Where the next one begins.
    pub until: Wall,
    /// The shift it is (index into [`Calendar::shifts`]) with the date it started on; none for
    /// hours, days, and the time between shifts.
    pub shift: Option<(usize, Date)>,
}

impl Frame {
    /// Whether a moment lies in it.
    pub fn contains(&self, at: Wall) -> bool {
        self.start <= at && at < self.until
    }

    /// The same, `by` milliseconds later.
    #[must_use]
    pub fn moved(self, by: i64) -> Frame {
        Frame {
            start: self.start + by,
            until: self.until + by,
            ..self
        }
    }

    /// Where both hold.
    #[must_use]
    pub fn overlap(&self, other: &Frame) -> Frame {
        Frame {
            start: self.start.max(other.start),
            until: self.until.min(other.until),
            shift: None,
        }
    }
}

const HOUR_MS: i64 = 3_600_000;

impl Calendar {
    /// The hour of the local clock. Where the clock is changed by part of an hour (Lord Howe), an
    /// hour ends at the change.
    pub fn hour_at(&self, at: Wall) -> Frame {
        let offset = self.offset_at(at);
        let start = Wall((at.0 + offset).div_euclid(HOUR_MS) * HOUR_MS - offset);
        let mut frame = Frame {
            start,
            until: start + HOUR_MS,
            shift: None,
        };
        // Changes by whole hours leave hours as they are.
        let differs = |moment: Wall| (self.offset_at(moment) - offset) % HOUR_MS != 0;
        if differs(frame.start) {
            frame.start = self.change_before(at).unwrap_or(frame.start);
        }
        if differs(frame.until + -1) {
            frame.until = self.change_after(at).unwrap_or(frame.until);
        }
        frame
    }

    /// The production day.
    pub fn day_at(&self, at: Wall) -> Frame {
        let start_of = |date: Date| self.instant(date, self.day_start);
        let Some(date) = self.date_of(at) else {
            return self.hour_at(at);
        };
        let (first, second) = match start_of(date) <= at {
            true => (Some(date), date.tomorrow().ok()),
            false => (date.yesterday().ok(), Some(date)),
        };
        Frame {
            start: first.map_or(Wall(i64::MIN), start_of),
            until: second.map_or(Wall(i64::MAX), start_of),
            shift: None,
        }
    }

    /// The shift from its start to its end, breaks included; the time between two shifts, which is
    /// cut where a production day begins. None if there are no shifts at all.
    pub fn shift_at(&self, at: Wall) -> Option<Frame> {
        if self.shifts.is_empty() {
            return None;
        }
        let day = self.day_at(at);
        let Some(today) = self.date_of(at) else {
            return Some(day);
        };
        // A frame is at most a day and its clock change long, and so is a shift.
        let turns: Vec<Turn> = self.turns(today, -3..=2).collect();
        let mine = owner(&turns, at);
        let is_edge = |edge: &Wall| {
            owner(&turns, *edge + -1) != owner(&turns, *edge)
                || (mine.is_none() && (*edge == day.start || *edge == day.until))
        };
        let edges = || {
            let of_turns = turns.iter().flat_map(|turn| [turn.start, turn.end]);
            of_turns.chain([day.start, day.until]).filter(is_edge)
        };
        Some(Frame {
            start: edges().filter(|edge| *edge <= at).max()?,
            until: edges().filter(|edge| *edge > at).min()?,
            shift: mine,
        })
    }

    /// Milliseconds that the local clock is ahead of UTC.
    fn offset_at(&self, at: Wall) -> i64 {
        Timestamp::from_millisecond(at.0).map_or(0, |instant| {
            i64::from(self.zone.to_offset(instant).seconds()) * 1000
        })
    }

    fn change_before(&self, at: Wall) -> Option<Wall> {
        let instant = Timestamp::from_millisecond(at.0 + 1).ok()?;
        self.zone.preceding(instant).next().map(moment)
    }

    fn change_after(&self, at: Wall) -> Option<Wall> {
        let instant = Timestamp::from_millisecond(at.0).ok()?;
        self.zone.following(instant).next().map(moment)
    }
}

fn moment(change: TimeZoneTransition<'_>) -> Wall {
    Wall(change.timestamp().as_millisecond())
}

/// Whose time a moment is.
fn owner(turns: &[Turn], at: Wall) -> Option<(usize, Date)> {
    let mut first: Option<&Turn> = None;
    for turn in turns {
        let within = turn.start <= at && at < turn.end;
        if within && first.is_none_or(|first| turn.goes_before(first)) {
            first = Some(turn);
        }
    }
    first.map(|turn| (turn.index, turn.date))
}

#[cfg(test)]
mod tests;
