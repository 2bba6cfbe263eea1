//! What a stream comes to, worked out the slow way, from the whole of it.
//!
//! Everything that lasted is put on one axis: the milliseconds that the agent was able to tell, from
//! the start of the stream on. What was lost with a kill is taken out first. Then, for each machine,
//! the axis is cut into stretches of one state, and every window looks through all of them, through
//! all faults and through all readings of counters, for what lies in it.

use crate::calendar::{Calendar, Frame};
use crate::figures::Parts;
use crate::stream::{FAULT_CODES, Fact, Machine, Reading, Role, Stream, UNMAPPED, Value, What};
use std::ops::Range;

/// Differences of the two clocks up to this are none: they are never read at quite the same time.
const STEP: i64 = 100;
const MINUTE: i64 = 60_000;
const LONGEST_SILENCE: i64 = 400 * 24 * 60 * MINUTE;

/// Where something stands: the millisecond, and what came before it in the same one. What the
/// passing of time does by itself comes first (0), then what happens, in its order.
pub type Place = (u64, usize);

/// What happened, as far as it lasted.
#[derive(Debug, Clone)]
enum Item {
    Read(usize, Vec<Reading>),
    /// The wall clock shows another time from here on.
    Step,
    /// The agent begins anew; what machines do is unknown.
    Lost,
    /// A silence before it, and nobody can say how long.
    Gap,
}

/// From here on labels count from this one.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    place: Place,
    label: i64,
    is_gap: bool,
}

/// The stream on one axis.
pub struct Life {
    items: Vec<(u64, Item)>,
    anchors: Vec<Anchor>,
    /// When the agent looked at what has passed.
    looks: Vec<u64>,
}

impl Life {
    pub fn of(facts: &[Fact]) -> Life {
        let mut life = Life {
            items: vec![],
            anchors: vec![],
            looks: vec![],
        };
        // How much of each list was committed, one after the other.
        let mut commits: Vec<(usize, usize, usize)> = vec![];
        let (mut began, mut began_at) = (0, 0);
        for fact in facts {
            let x = began + (fact.at - began_at);
            match &fact.what {
                What::Start { back, .. } => {
                    let Some(last) = commits.len().checked_sub(1) else {
                        life.anchor(0, fact.wall, false);
                        life.looks.push(0);
                        continue;
                    };
                    commits.truncate(last.saturating_sub(*back) + 1);
                    let (items, anchors, looks) = commits[commits.len() - 1];
                    life.items.truncate(items);
                    life.anchors.truncate(anchors);
                    life.looks.truncate(looks);
                    let end = life.end();
                    let silence = fact.wall - life.label_after(end);
                    life.items.push((end, Item::Lost));
                    if (0..=LONGEST_SILENCE).contains(&silence) {
                        began = end + silence.unsigned_abs();
                    } else {
                        life.items.push((end, Item::Gap));
                        life.anchor(end, fact.wall, true);
                        began = end;
                    }
                    began_at = fact.at;
                    life.looks.push(began);
                }
                What::Commit => {
                    commits.push((life.items.len(), life.anchors.len(), life.looks.len()));
                }
                What::Read(machine, readings) => {
                    life.items.push((x, Item::Read(*machine, readings.clone())));
                    life.looks.push(x);
                }
                What::Look { .. } => {
                    if (fact.wall - life.label_after(x)).abs() >= STEP {
                        life.items.push((x, Item::Step));
                        life.anchor(x, fact.wall, false);
                    }
                    life.looks.push(x);
                }
            }
        }
        life
    }

    /// It belongs to the item that was put last.
    fn anchor(&mut self, x: u64, label: i64, is_gap: bool) {
        self.anchors.push(Anchor {
            place: (x, self.items.len()),
            label,
            is_gap,
        });
    }

    /// Where it ends.
    fn end(&self) -> u64 {
        self.looks.last().copied().unwrap_or(0)
    }

    /// The label of the time just before `x`.
    fn label_before(&self, x: u64) -> i64 {
        let anchor = self.anchors.iter().rev().find(|anchor| anchor.place.0 < x);
        anchor.map_or(self.anchors[0].label, |anchor| after(anchor, x))
    }

    /// The label of the time that begins with `x`.
    fn label_after(&self, x: u64) -> i64 {
        let anchor = self.anchors.iter().rev().find(|anchor| anchor.place.0 <= x);
        anchor.map_or(self.anchors[0].label, |anchor| after(anchor, x))
    }

    /// Where there are labels.
    pub fn labels(&self) -> Vec<Range<i64>> {
        let nexts = self.anchors.iter().skip(1).map(|next| next.place.0);
        let ends = nexts.chain([self.end()]);
        let of_anchor = |(anchor, end): (&Anchor, u64)| anchor.label..after(anchor, end);
        self.anchors.iter().zip(ends).map(of_anchor).collect()
    }

    /// How often labels had been begun again before a window that begins at `x`, if they had been
    /// given before.
    fn fold(&self, x: u64) -> u32 {
        let (mut highest, mut folds) = (i64::MIN, 0);
        for anchor in &self.anchors[1..] {
            if anchor.place.0 > x {
                break;
            }
            highest = highest.max(self.reached(anchor));
            if anchor.label < highest {
                folds += 1;
            }
        }
        if self.label_after(x) < highest {
            folds
        } else {
            0
        }
    }

    /// The label that was come to where others begin.
    fn reached(&self, next: &Anchor) -> i64 {
        let before = self
            .anchors
            .iter()
            .rev()
            .find(|anchor| anchor.place < next.place);
        before.map_or(next.label, |before| after(before, next.place.0))
    }

    /// Where a window ends that ends at `x`: with the minute, or with its labels.
    fn close(&self, x: u64) -> Option<Place> {
        if self.label_before(x) % MINUTE == 0 {
            return Some((x, 0));
        }
        let anchor = self.anchors[1..].iter().find(|anchor| anchor.place.0 == x);
        anchor.map(|anchor| anchor.place)
    }
}

fn after(anchor: &Anchor, x: u64) -> i64 {
    anchor.label + signed(x) - signed(anchor.place.0)
}

pub fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The seven states, in the order of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Producing,
    Setup,
    Delayed,
    Faulted,
    Idle,
    PlannedStop,
    Unknown,
}

impl State {
    /// What a status word means.
    fn of(code: i64) -> State {
        match code {
            0 => State::Idle,
            1 => State::Setup,
            2 => State::Producing,
            3 => State::Delayed,
            code if FAULT_CODES.contains(&code) => State::Faulted,
            _ => State::Unknown,
        }
    }

    /// Outside of planned time what does not work stands by plan.
    fn planned(self, is_planned: bool) -> State {
        match self {
            State::Producing | State::Setup => self,
            _ if is_planned => self,
            _ => State::PlannedStop,
        }
    }

    /// Whether it says that a machine is without fault.
    fn is_sound(self) -> bool {
        !matches!(self, State::Faulted | State::Unknown | State::PlannedStop)
    }
}

/// A stretch of one state.
#[derive(Debug, Clone)]
struct Stretch {
    begin: Place,
    end: u64,
    state: State,
    /// Whether the machine's own status was known.
    is_known: bool,
}

/// What a reading of a counter says.
#[derive(Debug, Clone)]
struct Count {
    place: Place,
    role: Role,
    /// Parts made since the reading before.
    parts: u64,
    /// Where the reading before was, if the parts were learned over unknown time.
    gap_from: Option<Place>,
    /// Where the reading before was, if the counter began anew.
    reset_from: Option<u64>,
}

/// A machine's whole life.
struct Course<'a> {
    life: &'a Life,
    machine: &'a Machine,
    stretches: Vec<Stretch>,
    failures: Vec<Place>,
    /// Where faults ended, with the time they had taken.
    repairs: Vec<(Place, u64)>,
    counts: Vec<Count>,
}

impl<'a> Course<'a> {
    fn of(life: &'a Life, calendar: &Calendar, machine: &'a Machine, index: usize) -> Course<'a> {
        let mut course = Course {
            life,
            machine,
            stretches: stretches(life, calendar, machine, index),
            failures: vec![],
            repairs: vec![],
            counts: vec![],
        };
        course.find_faults();
        course.find_counts(index);
        course
    }

    /// A fault begins with an entry into `faulted`, and has ended when the machine was seen without it
    /// for `merge_faults`; unknown time and planned stops say nothing.
    fn find_faults(&mut self) {
        let mut before = State::Unknown;
        let mut fault: Option<(u64, Option<u64>)> = None;
        for stretch in &self.stretches {
            let length = stretch.end - stretch.begin.0;
            match (stretch.state, &mut fault) {
                (State::Faulted, Some((took, without))) => {
                    *took += length;
                    *without = None;
                }
                (State::Faulted, None) => {
                    if before.is_sound() {
                        self.failures.push(stretch.begin);
                    }
                    fault = Some((length, None));
                }
                (state, Some((took, without))) if state.is_sound() => {
                    let so_far = without.unwrap_or(0);
                    let missing = self.machine.merge_faults - so_far;
                    *without = Some(so_far + length);
                    if length >= missing {
                        let place = match missing {
                            0 => stretch.begin,
                            // With the last of these milliseconds.
                            _ => (stretch.begin.0 + missing - 1, usize::MAX),
                        };
                        self.repairs.push((place, *took));
                        fault = None;
                    }
                }
                _ => {}
            }
            // Unknown for no time at all is no unknown time, unless the agent was away.
            let item = stretch.begin.1.checked_sub(1);
            let is_lost = item.is_some_and(|item| matches!(self.life.items[item].1, Item::Lost));
            if stretch.state != State::Unknown || length > 0 || is_lost {
                before = stretch.state;
            }
        }
    }

    fn find_counts(&mut self, index: usize) {
        for (tag, counter) in self.machine.counters.iter().enumerate() {
            let mut before: Option<(Place, i64)> = None;
            for (position, (x, item)) in self.life.items.iter().enumerate() {
                let Item::Read(machine, readings) = item else {
                    continue;
                };
                for reading in readings {
                    let Value::Good(raw) = reading.value else {
                        continue;
                    };
                    if *machine != index || reading.tag != tag + 1 {
                        continue;
                    }
                    let mut count = Count {
                        place: (*x, position + 1),
                        role: counter.role,
                        parts: 0,
                        gap_from: None,
                        reset_from: None,
                    };
                    if let Some((then, last)) = before {
                        let wrapped =
                            self.wrapped(counter.top, counter.parts, last, raw, x - then.0);
                        match wrapped {
                            _ if raw >= last => count.parts = (raw - last).unsigned_abs(),
                            Some(made) => count.parts = made,
                            None => count.reset_from = Some(then.0),
                        }
                        count.parts *= counter.parts;
                        if count.parts > 0 && self.is_unknown_within(then, count.place) {
                            count.gap_from = Some(then);
                        }
                    }
                    before = Some((count.place, raw));
                    self.counts.push(count);
                }
            }
        }
        self.counts.sort_by_key(|count| count.place);
    }

    /// Counts from one reading to a lower one, if the counter went over its top in between: it was
    /// within 5 % of it, and no more was made than half as much again as the rated rate allows, and
    /// one. Without a rate no more than 5 % of what the counter holds.
    fn wrapped(&self, top: Option<i64>, parts: u64, last: i64, raw: i64, ms: u64) -> Option<u64> {
        let top = top?;
        let made = top - last + 1 + raw;
        let most = match self.machine.rate {
            Some(rate) => {
                i128::from(rate) * i128::from(ms) * 3 / (2 * 3_600_000 * 1_000 * i128::from(parts))
                    + 1
            }
            None => i128::from(top / 20),
        };
        let fits = last >= top - top / 20 && i128::from(made) <= most;
        fits.then_some(made.unsigned_abs())
    }

    /// Whether anything is unknown between two moments: the status, or how long it was.
    fn is_unknown_within(&self, from: Place, to: Place) -> bool {
        let unknown = self.stretches.iter().filter(|stretch| !stretch.is_known);
        let mut lengths = unknown.map(|stretch| overlap(stretch, &(from.0..to.0)));
        lengths.any(|ms| ms > 0) || self.has_gap(from, to)
    }

    /// Whether a silence of unknown length lies between two places, or ends with the later one.
    fn has_gap(&self, from: Place, to: Place) -> bool {
        let gaps = self.life.anchors.iter().filter(|anchor| anchor.is_gap);
        gaps.into_iter()
            .any(|gap| from < gap.place && gap.place <= to)
    }

    /// What the rated rate makes in these states within a range: what it has made by its end, to the
    /// nearest thousandth of a part, less what it had made by its beginning.
    fn makes(&self, time: &Range<u64>, is_one: fn(State) -> bool) -> u128 {
        let by = |x: u64| {
            let stretches = self.stretches.iter().filter(|it| is_one(it.state));
            let ms: u64 = stretches.map(|stretch| overlap(stretch, &(0..x))).sum();
            let rate = self.machine.rate.unwrap_or(0);
            (u128::from(rate) * u128::from(ms) * 2 + 3_600_000) / 7_200_000
        };
        by(time.end) - by(time.start)
    }

    /// Planned time within a range.
    fn planned(&self, time: &Range<u64>) -> u64 {
        let planned = self
            .stretches
            .iter()
            .filter(|stretch| stretch.state != State::PlannedStop);
        planned.map(|stretch| overlap(stretch, time)).sum()
    }
}

fn overlap(stretch: &Stretch, time: &Range<u64>) -> u64 {
    let (begin, end) = (stretch.begin.0.max(time.start), stretch.end.min(time.end));
    end.saturating_sub(begin)
}

/// The stretches of one state. Where the same state goes on, so does the stretch.
fn stretches(life: &Life, calendar: &Calendar, machine: &Machine, index: usize) -> Vec<Stretch> {
    // What is planned from which place on: at every edge of the calendar, and wherever labels change.
    let mut plan: Vec<(Place, bool)> = vec![];
    for (at, anchor) in life.anchors.iter().enumerate() {
        let until = life
            .anchors
            .get(at + 1)
            .map_or(life.end(), |next| next.place.0);
        plan.push((anchor.place, calendar.is_planned(anchor.label)));
        for edge in calendar.edges(&(anchor.label + 1..after(anchor, until) + 1)) {
            let x = anchor.place.0 + (edge - anchor.label).unsigned_abs();
            plan.push(((x, 0), calendar.is_planned(edge)));
        }
    }
    // What the machine shows from which place on, and until when that can be believed.
    let mut shows: Vec<(Place, State, u64)> = vec![((0, 0), State::Unknown, u64::MAX)];
    for (position, (x, item)) in life.items.iter().enumerate() {
        let place = (*x, position + 1);
        match item {
            Item::Lost => shows.push((place, State::Unknown, u64::MAX)),
            Item::Read(of, readings) if *of == index => {
                for reading in readings.iter().filter(|reading| reading.tag == 0) {
                    if let Value::Good(code) | Value::Retained(code) = reading.value {
                        shows.push((place, State::of(code), x + machine.stale_after));
                    }
                }
            }
            _ => {}
        }
    }
    for at in (0..shows.len()).rev() {
        let (_, state, stale) = shows[at];
        let next = shows.get(at + 1).map_or(life.end(), |next| next.0.0);
        if state != State::Unknown && stale <= next {
            shows.insert(at + 1, ((stale, 0), State::Unknown, u64::MAX));
        }
    }
    let mut places: Vec<Place> = plan
        .iter()
        .map(|it| it.0)
        .chain(shows.iter().map(|it| it.0))
        .collect();
    places.sort_unstable();
    let mut stretches: Vec<Stretch> = vec![];
    for (at, place) in places.iter().enumerate() {
        let planned = &plan[..plan.partition_point(|it| it.0 <= *place)];
        let shown = &shows[..shows.partition_point(|it| it.0 <= *place)];
        let is_planned = planned.last().is_some_and(|it| it.1);
        let shown = shown.last().map_or(State::Unknown, |it| it.1);
        let end = places.get(at + 1).map_or(life.end(), |next| next.0);
        stretches.push(Stretch {
            begin: *place,
            end: end.max(place.0),
            state: shown.planned(is_planned),
            is_known: shown != State::Unknown,
        });
    }
    stretches
}

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

/// All windows of a machine, tier by tier, given where minutes end.
pub fn windows(
    stream: &Stream,
    life: &Life,
    calendar: &Calendar,
    index: usize,
    minutes: &[Range<u64>],
) -> Vec<Window> {
    let machine = &stream.machines[index];
    let course = Course::of(life, calendar, machine, index);
    let mut spans = vec![];
    let mut open = (0, 0);
    for minute in minutes {
        let close = life.close(minute.end).unwrap_or((minute.end, 0));
        spans.push(Span {
            time: minute.clone(),
            open,
            close,
        });
        open = close;
    }
    let mut owed = 0;
    let of_minutes: Vec<Parts> = spans
        .iter()
        .map(|span| course.minute(span, &mut owed))
        .collect();
    let mut windows = vec![];
    for (span, parts) in spans.iter().zip(&of_minutes) {
        let length = span.time.end - span.time.start;
        windows.push(window(
            life,
            "1m",
            span,
            None,
            length.div_ceil(60_000),
            parts.clone(),
        ));
    }
    for tier in ["1h", "shift", "1d"] {
        let mut open: Option<(usize, Frame, u64)> = None;
        let mut end = |range: Range<usize>, frame: &Frame, merged: u64| {
            let span = Span {
                time: spans[range.start].time.start..spans[range.end - 1].time.end,
                open: spans[range.start].open,
                close: spans[range.end - 1].close,
            };
            let shift = frame.shift.filter(|_| merged == 1);
            let parts = course.longer(&span, &of_minutes[range]);
            windows.push(window(life, tier, &span, shift, merged, parts));
        };
        for (at, span) in spans.iter().enumerate() {
            let (start, until) = (
                life.label_after(span.time.start),
                life.label_before(span.time.end),
            );
            if let Some((first, frame, merged)) = &open {
                let is_after_gap = life
                    .anchors
                    .iter()
                    .any(|anchor| anchor.is_gap && anchor.place.0 == span.time.start);
                if is_after_gap || !frame.time.contains(&start) {
                    end(*first..at, frame, *merged);
                    open = None;
                }
            }
            if open.is_none() {
                open = calendar.frame(tier, start).map(|frame| (at, frame, 1));
            }
            let Some((first, frame, merged)) = &mut open else {
                break;
            };
            let (mut touched, mut last) = (1, frame.time.end);
            while last < until
                && let Some(next) = calendar.frame(tier, last)
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
    }
    windows.retain(|window| machine.tiers.contains(&window.tier));
    windows
}

fn window(
    life: &Life,
    tier: &'static str,
    span: &Span,
    shift: Option<(usize, i64)>,
    merged: u64,
    parts: Parts,
) -> Window {
    Window {
        tier,
        start: life.label_after(span.time.start),
        end: life.label_before(span.time.end),
        fold: life.fold(span.time.start),
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
        self.machine
            .counters
            .iter()
            .any(|counter| counter.role == role)
    }

    /// Everything of a window but the good, scrap and total parts, and what the rated rate makes.
    fn sums(&self, span: &Span) -> Parts {
        let mut parts = Parts::default();
        for stretch in &self.stretches {
            parts.times[stretch.state as usize] += overlap(stretch, &span.time);
        }
        let failures = self
            .failures
            .iter()
            .filter(|place| is_within(span, **place));
        parts.failures = failures.count() as u64;
        for (_, took) in self
            .repairs
            .iter()
            .filter(|(place, _)| is_within(span, *place))
        {
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
        if self.machine.rate.is_some() {
            let planned = self.makes(&span.time, |state| state != State::PlannedStop);
            let producing = self.makes(&span.time, |state| state == State::Producing);
            parts.capacity = Some([planned, producing, uncounted]);
        }
        // The counters that make up the total.
        for role in [Role::Good, Role::Scrap, Role::Total] {
            for count in self.counts_in(span, role) {
                let Some(from) = count.gap_from else { continue };
                if (role == Role::Total) == self.has(Role::Total) {
                    parts.gap_total += count.parts;
                }
                parts.crosses_gap |=
                    from.0 < span.time.start || self.has_gap(from, (span.time.start, usize::MAX));
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
            parts.total = parts
                .good
                .zip(parts.scrap)
                .map(|(good, scrap)| good + scrap);
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
    whole
        .zip(part)
        .map(|(whole, part)| whole.saturating_sub(part))
}

/// Whether minutes end where they may, given how long each was and how many it stands for: they leave
/// nothing out, live ones are minutes of the clock, and silences are cut where hours, shifts and days
/// end. Returned is where each begins and ends.
pub fn minutes(
    life: &Life,
    calendar: &Calendar,
    lengths: &[u64],
) -> Result<Vec<Range<u64>>, String> {
    let mut minutes = vec![];
    let mut x = 0;
    for length in lengths {
        minutes.push(x..x + length);
        x += length;
    }
    // All that may end before the stream does has ended.
    let mut due = 0;
    for minute in &minutes {
        let (start, end) = (
            life.label_after(minute.start),
            life.label_before(minute.end),
        );
        if life.close(minute.end).is_none() {
            return Err(format!("a minute ends at {end}, where none does"));
        }
        let is_cut = life.anchors[1..]
            .iter()
            .any(|anchor| minute.start < anchor.place.0 && anchor.place.0 < minute.end);
        if is_cut {
            return Err(format!("a step lies inside of {start} to {end}"));
        }
        let next = start.div_euclid(MINUTE) * MINUTE + MINUTE;
        if end > next {
            // Several minutes: nobody looked, from its start to its end.
            if start % MINUTE != 0
                || life
                    .looks
                    .iter()
                    .any(|look| minute.start < *look && *look < minute.end)
            {
                return Err(format!("{start} to {end} is no minute, and no silence"));
            }
        }
        due = minute.end;
    }
    let rest = life.label_after(life.end()) - life.label_after(due);
    let next = MINUTE - life.label_after(due).rem_euclid(MINUTE);
    let last_anchor = life.anchors.last().map_or(0, |anchor| anchor.place.0);
    if due < last_anchor || rest >= next {
        return Err(format!("minutes end at {due} of {}", life.end()));
    }
    for pair in life.looks.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let first = from + (MINUTE - life.label_after(from).rem_euclid(MINUTE)).unsigned_abs();
        let past = life.label_before(to).rem_euclid(MINUTE).unsigned_abs();
        let last = to.saturating_sub(past);
        if to.saturating_sub(first) >= 24 * 60 * 60_000 || first >= last {
            continue;
        }
        // A silence of less than a day.
        let ends: Vec<u64> = minutes
            .iter()
            .map(|minute| minute.end)
            .filter(|end| (first..=last).contains(end))
            .collect();
        let begin = life.label_after(first);
        for at in (first..=last).step_by(60_000) {
            let label = begin + signed(at - first);
            let begins = |tier| {
                calendar
                    .frame(tier, label)
                    .is_some_and(|frame| frame.time.start == label)
            };
            let is_end = at == first || at == last || ["1h", "shift", "1d"].into_iter().any(begins);
            if ends.contains(&at) != is_end {
                return Err(format!(
                    "in a silence from {from} to {to} something ends at {at} ({label}), or not"
                ));
            }
        }
    }
    Ok(minutes)
}

/// The status word that nobody mapped is unknown.
const _: () = assert!(UNMAPPED > *FAULT_CODES.end());
