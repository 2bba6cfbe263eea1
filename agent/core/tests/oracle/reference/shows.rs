//! What a machine shows, from which place on: asked at every place at which the answer may change.

use super::counter::{self, Said};
use super::heard::LATE;
use super::life::{Item, Life, Place, Presence, Taken};
use crate::machine::{Condition, Machine, Otherwise, State, Told};

/// A state that is shown from a place on, and until when it can be believed.
struct Shown {
    place: Place,
    state: State,
    until: u64,
}

/// What is shown from which place on.
pub fn shows(life: &Life, machine: &Machine, presence: &Presence) -> Vec<(Place, State)> {
    match &machine.told {
        Told::Status => of_status(life, machine, presence),
        Told::Conditions(rules, otherwise) => {
            of_conditions(life, machine, presence, rules, *otherwise)
        }
    }
}

/// The place from which on what was known before a place counts: the agent was there all the time.
fn known_from(life: &Life, presence: &Presence, place: Place) -> Place {
    let lost = life
        .items
        .iter()
        .enumerate()
        .filter_map(|(position, (x, item))| {
            let here = (*x, position + 1);
            (matches!(item, Item::Lost) && here <= place).then_some(here)
        });
    lost.fold(presence.from, Place::max)
}

/// Everything that was read of a machine, one reading after the other.
fn readings(life: &Life, presence: &Presence) -> Vec<(Place, Taken)> {
    let mut readings = vec![];
    for (position, (x, item)) in life.items.iter().enumerate() {
        if let Item::Read(of, taken) = item
            && *of == presence.machine
            && presence.holds((*x, position + 1))
        {
            readings.push(((*x, position + 1), *taken));
        }
    }
    readings
}

fn asked_at(mut places: Vec<Place>, presence: &Presence) -> Vec<Place> {
    places.push(presence.from);
    places.retain(|place| presence.holds(*place));
    places.sort_unstable();
    places.dedup();
    places
}

/// A good status holds until it is `stale_after` old. Where nothing like that is known, the newest
/// state that came late does.
fn of_status(life: &Life, machine: &Machine, presence: &Presence) -> Vec<(Place, State)> {
    let mut in_time = vec![];
    for (place, taken) in readings(life, presence) {
        let until = place.0 + machine.stale_after - taken.age.min(machine.stale_after);
        if let (0, Some(raw)) = (taken.tag, taken.value.known())
            && until > place.0
        {
            let state = State::of(raw);
            in_time.push(Shown {
                place,
                state,
                until,
            });
        }
    }
    let late = life.late.iter().filter(|late| {
        late.machine == presence.machine && late.tag == 0 && presence.holds(late.place)
    });
    let late: Vec<Shown> = late
        .map(|late| Shown {
            place: late.place,
            state: State::of(late.raw),
            // From its arrival on the present is told by what comes in time.
            until: late.came.0.min(late.place.0 + machine.stale_after),
        })
        .collect();
    let all = || in_time.iter().chain(&late);
    let mut places: Vec<Place> = all()
        .flat_map(|shown| [shown.place, (shown.until, 0), (shown.until, LATE)])
        .collect();
    places.extend(losses(life));
    let at = |place: Place| {
        let from = known_from(life, presence, place);
        let newest = |of: &[Shown]| {
            let before = of.iter().filter(|it| from <= it.place && it.place <= place);
            let newest = before.max_by_key(|it| it.place)?;
            (place.0 < newest.until).then_some(newest.state)
        };
        // One that would hold for no time at all says nothing.
        let gives_way = all().any(|it| it.place.0 == place.0 && it.place > place);
        let of_late = newest(&late).filter(|_| !gives_way);
        // Where known time ends, a late one begins after what else happens in that millisecond.
        let ends_here = || {
            let before = in_time
                .iter()
                .filter(|it| from <= it.place && it.place <= place);
            let newest = before.max_by_key(|it| it.place)?;
            (newest.until == place.0 && place.1 < LATE && of_late.is_some()).then_some(newest.state)
        };
        let shown = newest(&in_time).or_else(ends_here).or(of_late);
        shown.unwrap_or(State::Unknown)
    };
    let places = asked_at(places, presence);
    places.into_iter().map(|place| (place, at(place))).collect()
}

fn losses(life: &Life) -> Vec<Place> {
    let items = life.items.iter().enumerate();
    items
        .filter(|(_, (_, item))| matches!(item, Item::Lost))
        .map(|(position, (x, _))| (*x, position + 1))
        .collect()
}

/// Conditions are asked with the last good value of each tag while that is fresh.
fn of_conditions(
    life: &Life,
    machine: &Machine,
    presence: &Presence,
    rules: &[(Condition, i64)],
    otherwise: Otherwise,
) -> Vec<(Place, State)> {
    let readings = readings(life, presence);
    let until =
        |place: Place, taken: &Taken| (place.0 + machine.stale_after).saturating_sub(taken.age);
    let mut places = losses(life);
    let mut moves = vec![];
    for (place, taken) in &readings {
        places.extend([life.last_of_batch(*place), (until(*place, taken), 0)]);
    }
    if let Otherwise::Moving {
        tag, idle_after, ..
    } = otherwise
    {
        moves = movements(life, machine, presence, tag, idle_after);
        places.extend(moves.iter().map(|(place, _)| (place.0 + idle_after, 0)));
    }
    let at = |place: Place| {
        let from = known_from(life, presence, place);
        let value = |tag: usize| {
            let mut usable = readings.iter().filter(|(then, taken)| {
                let is_of_it = taken.tag == tag && from <= *then && *then <= place;
                is_of_it && taken.value.known().is_some() && then.0 < until(*then, taken)
            });
            let (then, taken) = usable.next_back()?;
            taken
                .value
                .known()
                .filter(|_| place.0 < until(*then, taken))
        };
        for (condition, code) in rules {
            match holds(condition, &value) {
                Some(true) => return State::of(*code),
                Some(false) => {}
                None => return State::Unknown,
            }
        }
        match otherwise {
            Otherwise::Unknown => State::Unknown,
            Otherwise::Status(code) => State::of(code),
            Otherwise::Moving {
                tag,
                idle_after,
                stopped,
            } => {
                let before = moves.iter().rfind(|(then, _)| *then <= place);
                let since = before.filter(|(then, _)| !life.has_gap(*then, place));
                match (value(tag), since) {
                    (Some(_), Some((then, _))) if place.0 - then.0 >= idle_after => {
                        State::of(stopped)
                    }
                    (Some(_), Some((_, true))) => State::Producing,
                    _ => State::Unknown,
                }
            }
        }
    };
    let places = asked_at(places, presence);
    places.into_iter().map(|place| (place, at(place))).collect()
}

/// Whether a condition holds, as far as the values that are known decide it.
fn holds(condition: &Condition, value: &impl Fn(usize) -> Option<i64>) -> Option<bool> {
    match condition {
        Condition::Reaches(tag, least) => value(*tag).map(|value| value >= *least),
        Condition::Not(a) => holds(a, value).map(|yes| !yes),
        Condition::And(a, b) => match (holds(a, value), holds(b, value)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (a, b) => a.and(b),
        },
        Condition::Or(a, b) => match (holds(a, value), holds(b, value)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (a, b) => a.and(b),
        },
    }
}

/// Where a counter was first read, and where it moved; and whether the machine is known to have worked
/// there: the reading before it is not older than `idle_after`.
fn movements(
    life: &Life,
    machine: &Machine,
    presence: &Presence,
    tag: usize,
    idle_after: u64,
) -> Vec<(Place, bool)> {
    let mut movements: Vec<(Place, bool)> = vec![];
    let mut before: Option<(Place, i64)> = None;
    for (place, taken) in readings(life, presence) {
        let Some(raw) = taken.value.live().filter(|_| taken.tag == tag) else {
            continue;
        };
        // How often it moved in a silence of unknown length says nothing.
        match before.filter(|(then, _)| !life.has_gap(*then, place)) {
            None => movements.push((place, false)),
            Some((then, last)) => {
                let ms = place.0 - then.0;
                if let Said::Made(1..) = counter::says(machine, tag, last, raw, ms) {
                    movements.push((place, ms <= idle_after));
                }
            }
        }
        before = Some((place, raw));
    }
    movements
}
