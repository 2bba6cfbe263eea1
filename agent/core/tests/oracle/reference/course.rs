//! The course of a machine: its stretches of one state, its faults, what its counters said and what
//! its rated rate would have made.

use super::counter::{self, Said};
use super::life::{Item, Life, Place, Presence};
use super::shows::shows;
use crate::calendar::Calendar;
use crate::machine::{Machine, Rate, Role, State};
use std::ops::Range;

impl State {
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
pub struct Stretch {
    begin: Place,
    end: u64,
    pub state: State,
    /// Whether the machine's own state was known.
    is_known: bool,
}

impl Stretch {
    pub fn overlap(&self, time: &Range<u64>) -> u64 {
        overlap(&(self.begin.0..self.end), time)
    }
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> u64 {
    let (begin, end) = (one.start.max(other.start), one.end.min(other.end));
    end.saturating_sub(begin)
}

/// What a reading of a counter says.
#[derive(Debug, Clone)]
pub struct Count {
    pub place: Place,
    pub role: Role,
    /// Parts made since the reading before.
    pub parts: u64,
    /// Where the reading before was, if the parts or the reset were learned over unknown time.
    pub gap_from: Option<Place>,
    /// Where the reading before was, if the counter began anew.
    pub reset_from: Option<u64>,
}

/// A machine's whole life.
pub struct Course<'a> {
    pub life: &'a Life,
    pub machine: &'a Machine,
    pub stretches: Vec<Stretch>,
    pub failures: Vec<Place>,
    /// Where faults ended, with the time they had taken.
    pub repairs: Vec<(Place, u64)>,
    pub counts: Vec<Count>,
    /// The rated rate from each place on.
    rates: Vec<(Place, Option<u64>)>,
}

impl<'a> Course<'a> {
    pub fn of(
        life: &'a Life,
        calendar: &Calendar,
        machine: &'a Machine,
        presence: &Presence,
    ) -> Course<'a> {
        let mut course = Course {
            life,
            machine,
            stretches: stretches(life, calendar, machine, presence),
            failures: vec![],
            repairs: vec![],
            counts: vec![],
            rates: rates(life, machine, presence),
        };
        course.find_faults();
        course.find_counts(presence);
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
            let item = item.and_then(|item| self.life.items.get(item));
            let is_lost = item.is_some_and(|(_, item)| matches!(item, Item::Lost));
            if stretch.is_known || length > 0 || is_lost {
                before = stretch.state;
            }
        }
    }

    fn find_counts(&mut self, presence: &Presence) {
        for (at, counter) in self.machine.counters.iter().enumerate() {
            let tag = at + 1;
            let mut before: Option<(Place, i64)> = None;
            for (place, raw) in self.readings(presence, tag) {
                let mut count = Count {
                    place,
                    role: counter.role,
                    parts: 0,
                    gap_from: None,
                    reset_from: None,
                };
                if let Some((then, last)) = before {
                    match counter::says(self.machine, tag, last, raw, place.0 - then.0) {
                        Said::Made(counts) => count.parts = counts * counter.parts,
                        Said::Reset => count.reset_from = Some(then.0),
                    }
                    let tells = count.parts > 0 || count.reset_from.is_some();
                    if tells && self.is_unknown_within(then, place) {
                        count.gap_from = Some(then);
                    }
                }
                before = Some((place, raw));
                self.counts.push(count);
            }
        }
        self.counts.sort_by_key(|count| count.place);
    }

    /// All readings of a counter that count, also those that came late, in the order of their time.
    fn readings(&self, presence: &Presence, tag: usize) -> Vec<(Place, i64)> {
        let mut readings = vec![];
        for (position, (x, item)) in self.life.items.iter().enumerate() {
            let Item::Read(of, taken) = item else {
                continue;
            };
            let is_of_it = (*of, taken.tag) == (presence.machine, tag);
            if let (true, Some(raw)) = (is_of_it, taken.value.live()) {
                readings.push(((*x, position + 1), raw));
            }
        }
        let late = self.life.late.iter();
        let late = late.filter(|late| (late.machine, late.tag) == (presence.machine, tag));
        readings.extend(late.map(|late| (late.place, late.raw)));
        readings.retain(|(place, _)| presence.holds(*place));
        readings.sort_by_key(|(place, _)| *place);
        readings
    }

    /// Whether anything is unknown between two moments: the state, or how long it was.
    fn is_unknown_within(&self, from: Place, to: Place) -> bool {
        let unknown = self.stretches.iter().filter(|stretch| !stretch.is_known);
        let mut lengths = unknown.map(|stretch| stretch.overlap(&(from.0..to.0)));
        lengths.any(|ms| ms > 0) || self.life.has_gap(from, to)
    }

    /// The rated rate of each range of time.
    fn rated(&self) -> impl Iterator<Item = (Range<u64>, Option<u64>)> {
        let ends = self.rates.iter().skip(1).map(|(place, _)| place.0);
        let ends = ends.chain([u64::MAX]);
        let begins = self.rates.iter().zip(ends);
        begins.map(|((place, rate), end)| (place.0..end, *rate))
    }

    /// What the rated rates make in these states within a range: what they have made by its end, to the
    /// nearest thousandth of a part, less what they had made by its beginning.
    pub fn makes(&self, time: &Range<u64>, is_one: fn(State) -> bool) -> u128 {
        let by = |x: u64| {
            let mut sum = 0;
            for (range, rate) in self.rated() {
                let time = range.start..range.end.min(x);
                let stretches = self.stretches.iter().filter(|it| is_one(it.state));
                let ms: u64 = stretches.map(|stretch| stretch.overlap(&time)).sum();
                sum += u128::from(rate.unwrap_or(0)) * u128::from(ms);
            }
            (sum * 2 + 3_600_000) / 7_200_000
        };
        by(time.end) - by(time.start)
    }

    /// Planned time within a range.
    pub fn planned(&self, time: &Range<u64>) -> u64 {
        let stretches = self.stretches.iter();
        let planned = stretches.filter(|stretch| stretch.state != State::PlannedStop);
        planned.map(|stretch| stretch.overlap(time)).sum()
    }

    /// Time within a range in these states that has no rated rate, of a machine that has one.
    pub fn unrated(&self, time: &Range<u64>, is_one: fn(State) -> bool) -> u64 {
        let unrated = self.rated().filter(|(_, rate)| rate.is_none());
        let within = unrated.map(|(range, _)| range.start.max(time.start)..range.end.min(time.end));
        let stretches = || self.stretches.iter().filter(|it| is_one(it.state));
        let within = within.flat_map(|time| stretches().map(move |it| it.overlap(&time)));
        match self.machine.rate {
            Rate::None => 0,
            Rate::Fixed(_) | Rate::ByProduct(..) => within.sum(),
        }
    }

    /// The last rated rate that there was before a place.
    pub fn rate_before(&self, place: Place) -> Option<u64> {
        let before = self.rates.iter().rev().filter(|(begin, _)| *begin < place);
        before.filter_map(|(_, rate)| *rate).next()
    }
}

/// The rated rate from each place on: that of the last product that was read.
fn rates(life: &Life, machine: &Machine, presence: &Presence) -> Vec<(Place, Option<u64>)> {
    let (map, or) = match &machine.rate {
        Rate::None => return vec![(presence.from, None)],
        Rate::Fixed(rate) => return vec![(presence.from, Some(*rate))],
        Rate::ByProduct(map, or) => (map, *or),
    };
    let mut rates = vec![(presence.from, or)];
    for (position, (x, item)) in life.items.iter().enumerate() {
        let place = (*x, position + 1);
        let Item::Read(of, taken) = item else {
            continue;
        };
        let is_of_it = (*of, taken.tag) == (presence.machine, machine.product());
        if let (true, Some(product)) = (is_of_it && presence.holds(place), taken.value.known()) {
            let named = map.iter().find(|(name, _)| *name == product);
            rates.push((place, named.map(|(_, rate)| *rate).or(or)));
        }
    }
    let late = life.late.iter().filter(|late| {
        (late.machine, late.tag) == (presence.machine, machine.product())
            && presence.holds(late.place)
    });
    for late in late {
        let named = map.iter().find(|(name, _)| *name == late.raw);
        rates.push((late.place, named.map(|(_, rate)| *rate).or(or)));
    }
    rates.sort_by_key(|(place, _)| *place);
    rates
}

/// The stretches of one state. Where the same state goes on, so does the stretch.
fn stretches(
    life: &Life,
    calendar: &Calendar,
    machine: &Machine,
    presence: &Presence,
) -> Vec<Stretch> {
    // What is planned from which place on: at every edge of the calendar, and wherever labels change.
    let mut plan: Vec<(Place, bool)> = vec![];
    for (at, anchor) in life.anchors.iter().enumerate() {
        // By a clock that was never set nobody can say.
        let is_planned = |label| anchor.is_unset || calendar.is_planned(label);
        let next = life.anchors.get(at + 1);
        let until = next.map_or(life.end(), |next| next.place.0);
        plan.push((anchor.place, is_planned(anchor.label)));
        for edge in calendar.edges(&(anchor.label + 1..anchor.label(until) + 1)) {
            let x = anchor.place.0 + (edge - anchor.label).unsigned_abs();
            plan.push(((x, 0), is_planned(edge)));
        }
    }
    let shows = shows(life, machine, presence);
    let places = plan
        .iter()
        .map(|it| it.0)
        .chain(shows.iter().map(|it| it.0));
    let mut places: Vec<Place> = places.filter(|place| presence.holds(*place)).collect();
    places.sort_unstable();
    let end = presence.until.map_or(life.end(), |until| until.0);
    let mut stretches: Vec<Stretch> = vec![];
    for (at, place) in places.iter().enumerate() {
        let planned = plan.iter().rfind(|it| it.0 <= *place);
        let shown = shows.iter().rfind(|it| it.0 <= *place);
        let shown = shown.map_or(State::Unknown, |it| it.1);
        let next = places.get(at + 1).map_or(end, |next| next.0);
        stretches.push(Stretch {
            begin: *place,
            end: next.max(place.0),
            state: shown.planned(planned.is_some_and(|it| it.1)),
            is_known: shown != State::Unknown,
        });
    }
    stretches
}
