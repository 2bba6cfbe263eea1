//! Whether somebody is to be told anything now: their shifts, their quiet hours, and whether they
//! have asked to be left alone.

use super::{Desk, Scene};
use crate::calendar::MinuteOfDay;
use crate::plant::{self, Priority, Recipient};
use crate::time::Mono;

const MINUTE_MS: u64 = 60_000;
const DAY: u16 = 24 * 60;

/// Why somebody is not told, though there is something to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    /// They are not at work.
    OffShift,
    /// They have asked to be told nothing until the end of the shift.
    Stopped(Mono),
    /// It can wait until their quiet hours are over.
    Quiet(Mono),
}

impl Kept {
    /// When to look again; none: when the shift changes.
    pub(super) const fn until(self) -> Option<Mono> {
        match self {
            Kept::OffShift => None,
            Kept::Stopped(until) | Kept::Quiet(until) => Some(until),
        }
    }
}

/// What keeps `recipient` from being told of an alarm now, if anything does. While nobody knows what
/// time it is, no shift and no quiet hours do.
pub(super) fn kept(
    scene: &Scene<'_>,
    desk: &Desk,
    recipient: &Recipient,
    alarm: &plant::Alarm,
) -> Option<Kept> {
    if let Some(until) = desk.stopped_until.filter(|until| *until > scene.at) {
        return Some(Kept::Stopped(until));
    }
    if let (Some(wanted), Some(shift)) = (&recipient.shifts, scene.shift_of(alarm)) {
        let on_duty = shift.is_some_and(|name| wanted.iter().any(|wanted| **wanted == *name));
        if !on_duty {
            return Some(Kept::OffShift);
        }
    }
    let minute = scene.minute?;
    if alarm.priority == Priority::High || !recipient.is_quiet(minute) {
        return None;
    }
    let (_, to) = recipient.quiet?;
    let until = scene.at + u64::from(minutes_until(minute, to)) * MINUTE_MS;
    Some(Kept::Quiet(until))
}

/// From one local time to the next `to`, at least one: the clock shows the minute that has begun.
fn minutes_until(from: MinuteOfDay, to: MinuteOfDay) -> u16 {
    (to + DAY - from - 1) % DAY + 1
}
