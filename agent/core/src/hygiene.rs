//! How many alarms people are asked to look at, by the measures of ISA-18.2 / IEC 62682: rate, floods,
//! chattering, fleeting, stale, the most frequent, and the time until somebody acknowledges.
//!
//! Fixed memory: a count for each minute of a day, three moments for each alarm, and the most frequent
//! by a sketch (space-saving: Metwally, Agrawal, El Abbadi, 2005). Only what is shown is counted: not
//! what is shelved, suppressed or out of service, and no calls, which people make.

use crate::time::{Mono, Wall};
use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Minutes that are counted one by one: a day.
const MINUTES: usize = 1440;

/// The window of floods.
const FLOOD_MINUTES: usize = 10;

/// More alarms than this in the window begin a flood.
pub const FLOOD_BEGINS: u32 = 10;

/// Fewer than this in the window end it.
pub const FLOOD_ENDS: u32 = 5;

/// An alarm that is raised three times within this many milliseconds chatters.
pub const CHATTER_MS: u64 = 60_000;

/// One that has not been raised for so long does not chatter any more, in milliseconds.
const CHATTER_OVER_MS: u64 = 10 * 60_000;

/// One that goes sooner than this, in milliseconds, leaves nobody the time to look.
pub const FLEETING_MS: u64 = 10_000;

/// One that has been in view for longer than this, in milliseconds, is stale.
pub const STALE_MS: i64 = 24 * 3_600_000;

/// The counts of a month begin anew after this, in milliseconds.
const MONTH_MS: i64 = 30 * 24 * 3_600_000;

/// Alarms that the sketch of the most frequent keeps.
const SKETCH: usize = 32;

/// Acknowledgements of which the time is kept: the newest.
const ACKS: usize = 64;

/// Marks a minute of a flood; the rest is the number of alarms in it.
const IN_FLOOD: u16 = 0x8000;

/// The measures of one gateway.
#[derive(Debug)]
pub struct Hygiene {
    /// A ring by minute; `minute` is the newest.
    minutes: Box<[u16]>,
    minute: u64,
    in_flood: bool,
    month: Month,
    /// By alarm.
    tracks: Box<[Track]>,
}

/// What is added up over a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Times that alarms were raised.
    pub raised: u64,
    /// Times that one began to chatter.
    pub chattered: u64,
    /// Times that one went before anybody could look.
    pub fleeting: u64,
    /// Acknowledgements.
    pub acknowledged: u64,
    /// Milliseconds from raised to acknowledged, of all of them together.
    pub ack_ms: u64,
    /// The longest of them.
    pub longest_ack_ms: u64,
}

#[derive(Debug, Default)]
struct Month {
    since: Wall,
    totals: Totals,
    top: heapless::Vec<Frequent, SKETCH>,
    /// Milliseconds that the newest acknowledgements took, a ring.
    acks: heapless::Vec<u32, ACKS>,
}

/// One of the most frequent alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequent {
    /// Which.
    pub alarm: u16,
    /// Times that it was raised, at most.
    pub count: u64,
    /// So many of these may have been another's.
    pub over: u64,
}

/// The last moments of an alarm.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    /// When it was raised, the newest last.
    raised: [Option<Mono>; 3],
    /// When it was last acknowledged.
    acked: Option<Mono>,
    chatters: bool,
}

/// The rates of one gateway at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Alarms of the last ten minutes.
    pub ten_minutes: u32,
    /// Of the last hour.
    pub hour: u32,
    /// Of the last 24 hours.
    pub day: u32,
    /// Of the worst ten minutes of the last 24 hours.
    pub worst_ten_minutes: u32,
    /// Whether there is a flood now.
    pub flood: bool,
    /// Floods that began in the last 24 hours, or were there before.
    pub floods: u32,
    /// Minutes of the last 24 hours in floods.
    pub flood_minutes: u32,
}

/// What is kept over a restart; alarms by what the owner calls them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Kept<Id> {
    /// Minutes before the newest one, and what there was in them; none without alarms.
    minutes: Vec<(u16, u16)>,
    in_flood: bool,
    since: Wall,
    totals: Totals,
    top: Vec<(Id, u64, u64)>,
    acks: Vec<u32>,
}

impl Hygiene {
    /// Nothing has happened yet; `alarms` of them at most.
    pub fn new(alarms: usize, now: Mono, label: Wall) -> Hygiene {
        Hygiene {
            minutes: alloc::vec![0; MINUTES].into(),
            minute: minute_of(now),
            in_flood: false,
            month: Month {
                since: label,
                ..Month::default()
            },
            tracks: alloc::vec![Track::default(); alarms].into(),
        }
    }

    /// Bytes for each alarm.
    pub const fn bytes_each() -> usize {
        size_of::<Track>()
    }

    /// Bytes for all alarms together.
    pub const fn bytes() -> usize {
        size_of::<Hygiene>() + MINUTES * size_of::<u16>()
    }

    /// Time passes: a flood may be over, and so may a month.
    pub fn pass(&mut self, now: Mono, label: Wall) {
        let minute = minute_of(now);
        for _ in 0..minute.saturating_sub(self.minute).min(MINUTES as u64) {
            self.minute += 1;
            self.look_for_flood();
            let mark = self.mark();
            *self.at(0) = mark;
        }
        self.minute = self.minute.max(minute);
        if label - self.month.since >= MONTH_MS || label < self.month.since {
            self.month = Month {
                since: label,
                ..Month::default()
            };
        }
    }

    /// An alarm is raised, in view.
    pub fn raised(&mut self, alarm: u16, now: Mono, label: Wall) {
        self.pass(now, label);
        let count = *self.at(0) & !IN_FLOOD;
        let count = (count + 1).min(!IN_FLOOD);
        *self.at(0) = count | self.mark();
        self.look_for_flood();
        *self.at(0) |= self.mark();
        self.month.totals.raised += 1;
        self.month.count(alarm);
        let Some(track) = self.tracks.get_mut(usize::from(alarm)) else {
            return;
        };
        track.raised.rotate_left(1);
        track.raised[2] = Some(now);
        track.acked = None;
        let was = track.chatters;
        let thrice = track.raised[0].is_some_and(|first| now.since(first) <= CHATTER_MS);
        let recent = track.raised[1].is_some_and(|at| now.since(at) < CHATTER_OVER_MS);
        track.chatters = thrice || (was && recent);
        if track.chatters && !was {
            self.month.totals.chattered += 1;
        }
    }

    /// Its condition is gone, in view. One that chatters is not counted as fleeting as well.
    pub fn cleared(&mut self, alarm: u16, now: Mono) {
        let Some(track) = self.tracks.get(usize::from(alarm)) else {
            return;
        };
        let short = track.raised[2].is_some_and(|at| now.since(at) < FLEETING_MS);
        if short && track.acked.is_none() && !track.chatters {
            self.month.totals.fleeting += 1;
        }
    }

    /// Somebody acknowledged it, `after_ms` after it was raised.
    pub fn acknowledged(&mut self, alarm: u16, now: Mono, after_ms: u64) {
        self.saw_acknowledged(alarm, now);
        self.month.note_ack(after_ms);
        let totals = &mut self.month.totals;
        totals.acknowledged += 1;
        totals.ack_ms = totals.ack_ms.saturating_add(after_ms);
        totals.longest_ack_ms = totals.longest_ack_ms.max(after_ms);
    }

    /// The same of a call, which is not counted.
    pub fn saw_acknowledged(&mut self, alarm: u16, now: Mono) {
        if let Some(track) = self.tracks.get_mut(usize::from(alarm)) {
            track.acked = Some(now);
        }
    }

    /// A call was made, which is not counted.
    pub fn saw_raised(&mut self, alarm: u16, now: Mono) {
        if let Some(track) = self.tracks.get_mut(usize::from(alarm)) {
            track.raised = [None, None, Some(now)];
            track.acked = None;
        }
    }

    /// When an alarm was last raised, if that was in this run.
    pub fn raised_at(&self, alarm: u16) -> Option<Mono> {
        self.tracks.get(usize::from(alarm))?.raised[2]
    }

    /// When it was acknowledged since, if that was in this run.
    pub fn acked_at(&self, alarm: u16) -> Option<Mono> {
        self.tracks.get(usize::from(alarm))?.acked
    }

    /// Whether an alarm chatters at `now`.
    pub fn chatters(&self, alarm: u16, now: Mono) -> bool {
        let track = self.tracks.get(usize::from(alarm));
        track.is_some_and(|track| {
            let recent = track.raised[2].is_some_and(|at| now.since(at) < CHATTER_OVER_MS);
            track.chatters && recent
        })
    }

    /// The rates as of the newest minute that was told.
    pub fn rates(&self) -> Rates {
        let mut worst = 0;
        let mut window = 0;
        let (mut floods, mut flood_minutes, mut before) = (0, 0, false);
        for back in (0..MINUTES).rev() {
            window += self.count(back);
            if back + FLOOD_MINUTES < MINUTES {
                window -= self.count(back + FLOOD_MINUTES);
            }
            worst = worst.max(window);
            let flood = self.get(back) & IN_FLOOD != 0;
            flood_minutes += u32::from(flood);
            floods += u32::from(flood && !before);
            before = flood;
        }
        Rates {
            ten_minutes: self.last(FLOOD_MINUTES),
            hour: self.last(60),
            day: self.last(MINUTES),
            worst_ten_minutes: worst,
            flood: self.in_flood,
            floods,
            flood_minutes,
        }
    }

    /// What was added up since [`Hygiene::since`].
    pub const fn totals(&self) -> Totals {
        self.month.totals
    }

    /// The median of the newest acknowledgements, in milliseconds from raised to acknowledged: of 64 at
    /// most. None without any.
    pub fn ack_median_ms(&self) -> Option<u64> {
        let mut acks = self.month.acks.clone();
        acks.sort_unstable();
        let low = *acks.get(acks.len().checked_sub(1)? / 2)?;
        let high = *acks.get(acks.len() / 2)?;
        Some(u64::midpoint(low.into(), high.into()))
    }

    /// Since when the totals and the most frequent count.
    pub const fn since(&self) -> Wall {
        self.month.since
    }

    /// The most frequent alarms, those first.
    pub fn top(&self) -> heapless::Vec<Frequent, SKETCH> {
        let mut top = self.month.top.clone();
        top.sort_unstable_by_key(|one| (core::cmp::Reverse(one.count), one.alarm));
        top
    }

    /// What the next run goes on from.
    pub fn kept<Id>(&self, name: impl Fn(u16) -> Id) -> Kept<Id> {
        let minutes = (0..MINUTES).filter_map(|back| {
            let there = self.get(back);
            let back = u16::try_from(back).ok()?;
            (there != 0).then_some((back, there))
        });
        let of = |one: &Frequent| (name(one.alarm), one.count, one.over);
        Kept {
            minutes: minutes.collect(),
            in_flood: self.in_flood,
            since: self.month.since,
            totals: self.month.totals,
            top: self.month.top.iter().map(of).collect(),
            acks: self.month.acks.to_vec(),
        }
    }

    /// Goes on from what was kept `silent_ms` before `now`; alarms that are not there any more are
    /// passed over. Without `silent_ms` nobody can say when it was, and only the month goes on.
    pub fn resume<Id>(
        &mut self,
        kept: &Kept<Id>,
        silent_ms: Option<u64>,
        find: impl Fn(&Id) -> Option<u16>,
    ) {
        if let Some(silent_ms) = silent_ms {
            let later = usize::try_from(silent_ms / 60_000).unwrap_or(usize::MAX);
            for (back, there) in &kept.minutes {
                let back = usize::from(*back).saturating_add(later);
                if back < MINUTES {
                    *self.at(back) = *there;
                }
            }
            self.in_flood = kept.in_flood;
            self.look_for_flood();
        }
        self.month.since = kept.since;
        self.month.totals = kept.totals;
        // As many were kept as there is room for, here and below.
        self.month.acks = kept.acks.iter().copied().take(ACKS).collect();
        self.month.top.clear();
        for (id, count, over) in &kept.top {
            if let Some(alarm) = find(id) {
                let one = Frequent {
                    alarm,
                    count: *count,
                    over: *over,
                };
                let _ = self.month.top.push(one);
            }
        }
    }

    fn look_for_flood(&mut self) {
        let now = self.last(FLOOD_MINUTES);
        self.in_flood = if self.in_flood {
            now >= FLOOD_ENDS
        } else {
            now > FLOOD_BEGINS
        };
    }

    const fn mark(&self) -> u16 {
        if self.in_flood { IN_FLOOD } else { 0 }
    }

    fn last(&self, minutes: usize) -> u32 {
        (0..minutes).map(|back| self.count(back)).sum()
    }

    fn count(&self, back: usize) -> u32 {
        u32::from(self.get(back) & !IN_FLOOD)
    }

    fn get(&self, back: usize) -> u16 {
        self.minutes[self.place(back)]
    }

    fn at(&mut self, back: usize) -> &mut u16 {
        &mut self.minutes[self.place(back)]
    }

    fn place(&self, back: usize) -> usize {
        // The remainder is below 1440.
        let newest = (self.minute % MINUTES as u64) as usize;
        (newest + MINUTES - back % MINUTES) % MINUTES
    }
}

impl Month {
    /// Before it is counted among the totals.
    fn note_ack(&mut self, after_ms: u64) {
        let after = u32::try_from(after_ms).unwrap_or(u32::MAX);
        // The remainder is below 64.
        let oldest = (self.totals.acknowledged % ACKS as u64) as usize;
        if self.acks.push(after).is_err()
            && let Some(oldest) = self.acks.get_mut(oldest)
        {
            *oldest = after;
        }
    }

    fn count(&mut self, alarm: u16) {
        if let Some(known) = self.top.iter_mut().find(|one| one.alarm == alarm) {
            known.count += 1;
            return;
        }
        let new = Frequent {
            alarm,
            count: 1,
            over: 0,
        };
        if self.top.push(new).is_err()
            && let Some(least) = self.top.iter_mut().min_by_key(|one| one.count)
        {
            *least = Frequent {
                alarm,
                count: least.count + 1,
                over: least.count,
            };
        }
    }
}

const fn minute_of(at: Mono) -> u64 {
    at.0 / 60_000
}

#[cfg(test)]
mod tests;
