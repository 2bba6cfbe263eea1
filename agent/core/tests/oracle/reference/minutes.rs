//! Where minutes end: those of the clock, its steps, and in silences whatever the longer windows need.

use super::life::{Life, MINUTE};
use crate::calendar::{Calendar, Frame};
use crate::stream::signed;
use std::ops::Range;

/// Of a silence as long as this, what lies between its first and its last day is one.
const LONG_SILENCE: u64 = 24 * 60 * 60_000;

/// Where each minute begins and ends that has ended.
pub fn minutes(life: &Life, calendars: &[Calendar]) -> Vec<Range<u64>> {
    let mut all = Minutes {
        life,
        calendars,
        minutes: vec![],
        begin: 0,
        silent_from: None,
    };
    let mut next = all.minute_after(0);
    for (number, &look) in life.looks.iter().enumerate() {
        while next <= look {
            let edge = next;
            all.close(edge);
            next = all.next(edge, look);
        }
        for anchor in life.anchors[1..].iter().filter(|it| it.looks == number) {
            all.close(anchor.place.0);
            next = all.minute_after(anchor.place.0);
        }
    }
    all.minutes
}

struct Minutes<'a> {
    life: &'a Life,
    calendars: &'a [Calendar],
    minutes: Vec<Range<u64>>,
    begin: u64,
    /// Where the long silence began that is being cut.
    silent_from: Option<i64>,
}

impl Minutes<'_> {
    fn close(&mut self, end: u64) {
        if end > self.begin {
            self.minutes.push(self.begin..end);
            self.begin = end;
        }
    }

    /// Where the first minute of the clock ends after `x`.
    fn minute_after(&self, x: u64) -> u64 {
        let past = self.life.label_after(x).rem_euclid(MINUTE);
        x + (MINUTE - past).unsigned_abs()
    }

    /// Where the minute ends that begins at `edge`, if the agent next looks at `look`. Several are one
    /// if nobody looked in between: up to where an hour, a shift or a day ends; in a long silence up to
    /// where one ends that was open when it began, or where the last one begins.
    fn next(&mut self, edge: u64, look: u64) -> u64 {
        let minute = MINUTE.unsigned_abs();
        let next = edge + minute;
        let rest = look.saturating_sub(next);
        let last = next + rest / minute * minute;
        if rest < LONG_SILENCE {
            self.silent_from = None;
        }
        if last == next {
            return next;
        }
        let anchor = *self.life.after(edge);
        let label = |x: u64| anchor.label(x);
        let frames = |label: i64| -> Vec<Frame> {
            let calendars = self.calendars.iter();
            calendars
                .flat_map(|calendar| calendar.frames(label, anchor.is_unset))
                .collect()
        };
        let begin = label(edge);
        let mut cuts: Vec<i64> = vec![];
        if rest < LONG_SILENCE {
            cuts.extend(frames(begin).iter().map(|frame| frame.time.end));
        } else {
            let from = *self.silent_from.get_or_insert(begin);
            cuts.extend(frames(from).iter().map(|frame| frame.time.end));
            cuts.extend(frames(label(last)).iter().map(|frame| frame.time.start));
        }
        let first = cuts.into_iter().filter(|cut| *cut > begin).min();
        let first = first.map_or(last, |cut| (signed(edge) + cut - begin).unsigned_abs());
        first.clamp(next, last)
    }
}
