//! When work is planned, and by whom: shifts with breaks, nights over midnight, holidays, worked
//! weekends, crews that take turns.
//!
//! A shift belongs to the local date on which it starts; whether it takes place is decided by that
//! date. Instants come from the time zone's rules, so a shift over a DST change is as long as it
//! really is. Times that a DST change skips are moved forward by the gap, repeated ones are the
//! first of the two.

mod frames;

pub use frames::Frame;

use crate::time::Wall;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU16;
use core::ops::RangeInclusive;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// Minutes since local midnight, 0 to 1439.
pub type MinuteOfDay = u16;

/// Which calendar: 0 is the one that counts where none is named, the others follow in the order of
/// the file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CalendarIndex(pub u8);

/// When work is planned.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// What devices call it; empty for the one that counts where none is named.
    pub id: Arc<str>,
    /// The plant's time zone.
    pub zone: TimeZone,
    /// When the production day begins.
    pub day_start: MinuteOfDay,
    /// The shifts; without any, all time is planned.
    pub shifts: Vec<Shift>,
    /// First and last day of each holiday: no shift starts on these dates.
    pub holidays: Vec<(Date, Date)>,
    /// Dates that are worked although their weekday is not: every shift starts on them.
    pub workdays: Vec<Date>,
    /// How crews take turns; without it the first one of a shift always works it.
    pub rotation: Option<Rotation>,
}

/// How the crews of every shift take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The day on which the first crew of each shift begins.
    pub from: Date,
    /// After so many days it is the next one's turn.
    pub days: NonZeroU16,
}

/// One shift of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Name, as on summaries.
    pub name: Arc<str>,
    /// Weekdays on which it starts, Monday first.
    pub days: [bool; 7],
    /// Local start.
    pub start: MinuteOfDay,
    /// Local end; not after `start` means on the next day.
    pub end: MinuteOfDay,
    /// Start and end of each break; one before `start` means after midnight.
    pub breaks: Vec<(MinuteOfDay, MinuteOfDay)>,
    /// The crews that work it, in turn; none if nobody says.
    pub crews: Vec<Arc<str>>,
}

/// A stretch of time with one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Whether work is planned.
    pub planned: bool,
    /// The shift it lies in (index into [`Calendar::shifts`]), breaks included.
    pub shift: Option<usize>,
    /// Where the next stretch begins; the answer does not change before.
    pub until: Wall,
}

/// One taking place of a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    /// Index into [`Calendar::shifts`].
    index: usize,
    /// The date it starts on.
    date: Date,
    start: Wall,
    end: Wall,
}

impl Turn {
    /// Time that two of them cover counts for the one that stands first in the file, and of two of
    /// one shift for the earlier.
    fn goes_before(&self, other: &Turn) -> bool {
        (self.index, self.date) < (other.index, other.date)
    }
}

/// Without shifts, and far from any, the answer is asked for again after this time.
const HORIZON_MS: i64 = 24 * 3600 * 1000;

impl Calendar {
    /// A calendar without shifts: all time is planned.
    pub fn always(zone: TimeZone) -> Calendar {
        Calendar {
            id: "".into(),
            zone,
            day_start: 0,
            shifts: Vec::new(),
            holidays: Vec::new(),
            workdays: Vec::new(),
            rotation: None,
        }
    }

    /// What holds at `at`, and until when.
    pub fn span_at(&self, at: Wall) -> Span {
        let mut span = Span {
            planned: self.shifts.is_empty(),
            shift: None,
            until: at + HORIZON_MS,
        };
        let Some(today) = self.date_of(at) else {
            return span;
        };
        let mut cut = |edge: Wall| {
            if edge > at && edge < span.until {
                span.until = edge;
            }
        };
        let mut inside: Option<(Turn, bool)> = None;
        // A shift lasts at most 24 h: yesterday's may still run, tomorrow's begins in the horizon. The
        // date before that is yesterday's where a zone skipped one.
        for turn in self.turns(today, -2..=1) {
            cut(turn.start);
            cut(turn.end);
            let within = turn.start <= at && at < turn.end;
            let mut planned = true;
            let shift = &self.shifts[turn.index];
            for &(from, to) in &shift.breaks {
                let day = if from < shift.start {
                    turn.date.tomorrow().unwrap_or(turn.date)
                } else {
                    turn.date
                };
                let (from, to) = self.stretch(day, from, to);
                cut(from);
                cut(to);
                planned &= !(from <= at && at < to);
            }
            if within && inside.is_none_or(|(first, _)| turn.goes_before(&first)) {
                inside = Some((turn, planned));
            }
        }
        if let Some((turn, planned)) = inside {
            span.planned = planned;
            span.shift = Some(turn.index);
        }
        span
    }

    /// The shifts that take place on the days from `today` + first to `today` + last.
    fn turns(&self, today: Date, days: RangeInclusive<i32>) -> impl Iterator<Item = Turn> + '_ {
        let dates = days.filter_map(move |days| today.checked_add(days.days()).ok());
        let dates = dates.filter(|date| self.exists(*date));
        dates.flat_map(move |date| {
            let shifts = self.shifts.iter().enumerate();
            shifts
                .filter(move |(_, shift)| self.takes_place(shift, date))
                .map(move |(index, shift)| {
                    let (start, end) = self.stretch(date, shift.start, shift.end);
                    Turn {
                        index,
                        date,
                        start,
                        end,
                    }
                })
        })
    }

    /// The crew that works a shift which starts on `date`. Rotations go on through holidays, and hold
    /// before the day they are counted from as well.
    pub fn crew(&self, shift: usize, date: Date) -> Option<&Arc<str>> {
        let crews = &self.shifts.get(shift)?.crews;
        let turn = self.rotation.map_or(0, |rotation| {
            let days = date.duration_since(rotation.from).as_hours() / 24;
            days.div_euclid(i64::from(rotation.days.get()))
        });
        let count = i64::try_from(crews.len()).ok().filter(|count| *count > 0)?;
        crews.get(usize::try_from(turn.rem_euclid(count)).ok()?)
    }

    /// The local time of an instant.
    pub fn minute_of_day(&self, at: Wall) -> Option<MinuteOfDay> {
        let instant = Timestamp::from_millisecond(at.0).ok()?;
        let time = self.zone.to_datetime(instant).time();
        u16::try_from(i16::from(time.hour()) * 60 + i16::from(time.minute())).ok()
    }

    /// The local date of an instant.
    pub fn date_of(&self, at: Wall) -> Option<Date> {
        let instant = Timestamp::from_millisecond(at.0).ok()?;
        Some(self.zone.to_datetime(instant).date())
    }

    /// Whether there is such a date: zones on the date line have skipped one when they moved to its
    /// other side.
    fn exists(&self, date: Date) -> bool {
        const NOON: MinuteOfDay = 12 * 60;
        self.date_of(self.instant(date, NOON)) == Some(date)
    }

    /// Whether a date is a holiday.
    pub fn is_holiday(&self, date: Date) -> bool {
        let mut holidays = self.holidays.iter();
        holidays.any(|&(first, last)| first <= date && date <= last)
    }

    fn takes_place(&self, shift: &Shift, date: Date) -> bool {
        if self.workdays.contains(&date) {
            return true;
        }
        if self.is_holiday(date) {
            return false;
        }
        let weekday = date.weekday().to_monday_zero_offset();
        shift.days[usize::try_from(weekday).unwrap_or(0)]
    }

    fn stretch(&self, date: Date, start: MinuteOfDay, end: MinuteOfDay) -> (Wall, Wall) {
        let end_date = if end <= start {
            date.tomorrow().unwrap_or(date)
        } else {
            date
        };
        (self.instant(date, start), self.instant(end_date, end))
    }

    fn instant(&self, date: Date, minute: MinuteOfDay) -> Wall {
        let time = Time::constant(
            i8::try_from(minute / 60 % 24).unwrap_or(0),
            i8::try_from(minute % 60).unwrap_or(0),
            0,
            0,
        );
        let local = DateTime::from_parts(date, time);
        match self.zone.to_ambiguous_timestamp(local).compatible() {
            Ok(instant) => Wall(instant.as_millisecond()),
            // Only beyond the year 9999.
            Err(_) => Wall(i64::MAX),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
