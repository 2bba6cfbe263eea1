//! The windows of a machine, with what lies in each.

use super::course::Count;
use super::course::Course;
use super::life::{Life, Place, Presence};
use crate::calendar::{Calendar, Frame};
use crate::figures::Parts;
use crate::machine::{Machine, Role, State};
use std::ops::Range;

/// A window as it is to be published.
#[derive(Debug, Clone)]
pub struct Window {
    pub tier: &'static str,
    pub start: i64,
    pub end: i64,
    pub fold: u32,
    pub merged: u64,
    /// Index and day of the shift.
    pub shift: Option<(usize, i64)>,
    pub parts: Parts,
}

/// A stretch of the axis that a window covers.
#[derive(Debug, Clone)]
struct Span {
    time: Range<u64>,
    open: Place,
    close: Place,
}

/// All windows of a machine while it was configured, tier by tier, given where minutes end.
pub fn windows(
    life: &Life,
    calendar: &Calendar,
    machine: &Machine,
    presence: &Presence,
    minutes: &[Range<u64>],
) -> Vec<Window> {
    let course = Course::of(life, calendar, machine, presence);
    let spans = spans(life, presence, minutes);
    let mut owed = 0;
    let of_minutes: Vec<Parts> = spans
        .iter()
        .map(|span| course.minute(span, &mut owed))
        .collect();
    let mut windows = vec![];
    for (span, parts) in spans.iter().zip(&of_minutes) {
        let merged = (span.time.end - span.time.start).div_ceil(60_000);
        windows.push(window(&course, "1m", span, None, merged, parts.clone()));
    }
    for tier in ["1h", "shift", "1d"] {
        let mut open: Option<(usize, Frame, u64)> = None;
        let mut end = |range: Range<usize>, frame: &Frame, merged: u64| {
            let (first, last) = (&spans[range.start], &spans[range.end - 1]);
            let span = Span {
                time: first.time.start..last.time.end,
                open: first.open,
                close: last.close,
            };
            let shift = frame.shift.filter(|_| merged == 1);
            let parts = course.longer(&span, &of_minutes[range]);
            windows.push(window(&course, tier, &span, shift, merged, parts));
        };
        for (at, span) in spans.iter().enumerate() {
            let anchor = life.after(span.time.start);
            let start = anchor.label(span.time.start);
            let until = anchor.label(span.time.end);
            if let Some((first, frame, merged)) = &open
                && (life.ends.iter().any(|end| end.0 == span.time.start)
                    || !frame.time.contains(&start))
            {
                end(*first..at, frame, *merged);
                open = None;
            }
            if open.is_none() {
                let frame = calendar.frame(tier, start, anchor.is_unset);
                open = frame.map(|frame| (at, frame, 1));
            }
            let Some((first, frame, merged)) = &mut open else {
                continue;
            };
            let (mut touched, mut last) = (1, frame.time.end);
            while last < until
                && let Some(next) = calendar.frame(tier, last, anchor.is_unset)
            {
                last = next.time.end;
                touched += 1;
            }
            *merged = (*merged).max(touched);
            if until >= frame.time.end {
                end(*first..at + 1, frame, *merged);
                open = None;
            }
        }
        // Where nothing can go on, it has ended.
        let last = spans.last().map_or(0, |span| span.time.end);
        if let Some((first, frame, merged)) = &open
            && (life.ends.contains(&(last, true)) || presence.until.is_some())
        {
            end(*first..spans.len(), frame, *merged);
        }
    }
    windows.retain(|window| machine.tiers.contains(&window.tier));
    windows
}

/// The minutes of a machine; where it comes or goes, a part of one.
fn spans(life: &Life, presence: &Presence, minutes: &[Range<u64>]) -> Vec<Span> {
    let mut ends: Vec<(u64, Place)> = minutes
        .iter()
        .map(|minute| (minute.end, life.close(minute.end)))
        .filter(|(end, _)| *end > presence.from.0)
        .collect();
    if let Some(until) = presence.until {
        ends.retain(|(end, _)| *end <= until.0);
        ends.push((until.0, until));
    }
    let mut spans = vec![];
    let (mut begin, mut open) = (presence.from.0, presence.from);
    for (end, close) in ends {
        if end > begin {
            spans.push(Span {
                time: begin..end,
                open,
                close,
            });
            (begin, open) = (end, close);
        }
    }
    spans
}

fn window(
    course: &Course<'_>,
    tier: &'static str,
    span: &Span,
    shift: Option<(usize, i64)>,
    merged: u64,
    parts: Parts,
) -> Window {
    let (x, end) = (span.time.start, span.time.end);
    let (after, before) = (course.life.after(x), course.life.before(end));
    Window {
        tier,
        start: after.label(x) + after.moved,
        end: before.label(end) + before.moved,
        fold: course.life.fold(x),
        merged,
        shift,
        parts,
    }
}

impl Course<'_> {
    fn counts_in(&self, span: &Span, role: Role) -> Vec<&Count> {
        let counts = self.counts.iter().filter(|count| count.role == role);
        counts
            .filter(|count| is_within(span, count.place))
            .collect()
    }

    /// Parts of one counter, if it was read.
    fn made(&self, span: &Span, role: Role) -> Option<u64> {
        let counts = self.counts_in(span, role);
        let made = counts.iter().map(|count| count.parts).sum();
        (!counts.is_empty()).then_some(made)
    }

    fn has(&self, role: Role) -> bool {
        let mut counters = self.machine.counters.iter();
        counters.any(|counter| counter.role == role)
    }

    /// Everything of a window but the good, scrap and total parts.
    fn sums(&self, span: &Span) -> Parts {
        let mut parts = Parts::default();
        for stretch in &self.stretches {
            parts.times[stretch.state as usize] += stretch.overlap(&span.time);
        }
        let failures = self.failures.iter();
        parts.failures = failures.filter(|place| is_within(span, **place)).count() as u64;
        let repairs = self.repairs.iter();
        for (_, took) in repairs.filter(|(place, _)| is_within(span, *place)) {
            parts.repairs += 1;
            parts.repair_ms += took;
        }
        let (mut told, mut uncounted) = (0, 0);
        for count in &self.counts {
            if let Some(from) = count.reset_from {
                if is_within(span, count.place) {
                    let time = from.max(told)..count.place.0;
                    parts.uncounted_ms += self.planned(&time);
                    uncounted += self.makes(&time, |state| state != State::PlannedStop);
                }
                told = count.place.0;
            }
        }
        let is_planned = |state| state != State::PlannedStop;
        let is_producing = |state| state == State::Producing;
        parts.unrated = [
            self.unrated(&span.time, is_planned),
            self.unrated(&span.time, is_producing),
        ];
        // A window without any rate has no capacity.
        let [unrated, _] = parts.unrated;
        let has_none = unrated > 0 && unrated == self.planned(&span.time) && uncounted == 0;
        parts.rate = self.rate_before(span.close).filter(|_| !has_none);
        if parts.rate.is_some() {
            let planned = self.makes(&span.time, is_planned);
            let producing = self.makes(&span.time, is_producing);
            parts.capacity = Some([planned, producing, uncounted]);
        }
        let begin = (span.time.start, usize::MAX);
        // The counters that make up the total.
        for role in [Role::Good, Role::Scrap, Role::Total] {
            for count in self.counts_in(span, role) {
                let Some(from) = count.gap_from else { continue };
                if (role == Role::Total) == self.has(Role::Total) {
                    parts.gap_total += count.parts;
                }
                let before = span.time.start.saturating_sub(from.0);
                let before = before + self.life.gaps(from, begin.min(count.place));
                parts.gap_before_ms = parts.gap_before_ms.max(before);
            }
            // What is made now is told by the next reading, if anything.
            let mut counts = self.counts.iter().filter(|count| count.role == role);
            let Some(last) = counts.rfind(|count| count.place < span.close) else {
                continue;
            };
            let since = last.place.0..span.time.end;
            let unknown = self
                .stretches
                .iter()
                .filter(|it| it.state == State::Unknown);
            if unknown.map(|stretch| stretch.overlap(&since)).sum::<u64>() > 0 {
                let after = span.time.end - last.place.0 + self.life.gaps(last.place, begin);
                parts.gap_after_ms = parts.gap_after_ms.max(after);
            }
        }
        parts
    }

    fn minute(&self, span: &Span, owed: &mut u64) -> Parts {
        let mut parts = self.sums(span);
        let (good, total) = (self.made(span, Role::Good), self.made(span, Role::Total));
        let scrap = match self.machine.no_scrap {
            true => good.or(total).map(|_| 0),
            false => self.made(span, Role::Scrap),
        };
        let resets = self.counts_in(span, Role::Total);
        if resets.iter().any(|count| count.reset_from.is_some()) {
            *owed = 0;
        }
        // Counters are read one after the other. Parts that the total lacks at first are taken from
        // the next window's; no more than one window's.
        let counts_all = self.has(Role::Good) && (self.has(Role::Scrap) || self.machine.no_scrap);
        let part = if self.has(Role::Good) { good } else { scrap };
        let total = match total {
            Some(total) if !counts_all => {
                let rest = total.saturating_sub(*owed);
                let still = owed.saturating_sub(total);
                let shown = rest.max(part.unwrap_or(0));
                *owed = (still + shown - rest).min(still.max(part.unwrap_or(0)));
                Some(shown)
            }
            total => total,
        };
        (parts.good, parts.scrap, parts.total) = (good, scrap, total);
        self.third(&mut parts);
        parts
    }

    /// Of two counts that are read the third, unless something reads it as well.
    fn third(&self, parts: &mut Parts) {
        let scrap = self.has(Role::Scrap) || self.machine.no_scrap;
        if !self.has(Role::Good) {
            parts.good = sub(parts.total, parts.scrap);
        } else if !scrap {
            parts.scrap = sub(parts.total, parts.good);
        } else if !self.has(Role::Total) {
            let both = parts.good.zip(parts.scrap);
            parts.total = both.map(|(good, scrap)| good + scrap);
        }
    }

    /// A longer window: good, scrap and total are those of its minutes, added up.
    fn longer(&self, span: &Span, minutes: &[Parts]) -> Parts {
        let mut parts = self.sums(span);
        for minute in minutes {
            parts.good = add(parts.good, minute.good);
            parts.scrap = add(parts.scrap, minute.scrap);
            parts.total = add(parts.total, minute.total);
        }
        // It has a capacity if any of its minutes has one, which is the sum of theirs.
        parts.rate = minutes.iter().filter_map(|minute| minute.rate).next_back();
        let capacities = minutes.iter().filter_map(|minute| minute.capacity);
        parts.capacity = capacities.reduce(|[a, b, c], [d, e, f]| [a + d, b + e, c + f]);
        self.third(&mut parts);
        parts
    }
}

fn is_within(span: &Span, place: Place) -> bool {
    span.open <= place && place < span.close
}

fn add(sum: Option<u64>, next: Option<u64>) -> Option<u64> {
    sum.zip(next).map(|(sum, next)| sum + next).or(sum).or(next)
}

fn sub(whole: Option<u64>, part: Option<u64>) -> Option<u64> {
    let both = whole.zip(part);
    both.map(|(whole, part)| whole.saturating_sub(part))
}
