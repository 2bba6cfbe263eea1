//! What readings count for that have time stamps of their own: for the present, for the past, or not.

use super::life::{Item, Late, Life, Place, Taken};
use crate::machine::{Machine, Reading, State, Told, Value};
use crate::stream::{Stream, signed};

/// A source's clock that is ahead by more is wrong.
const AHEAD: i64 = 60_000;

/// No tag is polled more often than this: what is not older than three times of it is not stale.
const EVERY: u64 = 1_000;

/// What came late follows whatever was known of its millisecond.
pub const LATE: usize = 1_000_000;

impl Life {
    pub fn read(&mut self, stream: &Stream, x: u64, wall: i64, of: usize, readings: &[Reading]) {
        let machine = &stream.machines[of];
        let came = (x, self.items.len());
        let begin = self.items.len();
        for reading in readings {
            let Reading { tag, value, .. } = *reading;
            // By a clock that was never set nobody can say how old anything is.
            let Some(age) = reading.age.filter(|_| !self.is_unset()) else {
                self.items
                    .push((x, Item::Read(of, Taken { tag, value, age: 0 })));
                continue;
            };
            let (stamp, now) = (wall - age, self.label_after(x));
            let age = now - stamp;
            let is_stale = age >= signed(machine.stale_after.max(3 * EVERY));
            // The first status after a silence tells of the moments since it was read, too.
            let joins = tag == 0 && age > 0 && !self.knows(machine, of, x);
            if (is_stale || joins) && age <= signed(machine.late) {
                self.hear(machine, of, reading, (x, age.unsigned_abs()), came);
            }
            let newest = self.stamps.get(&(of, tag)).copied();
            // One that lies in the future is no measure.
            if newest.is_some_and(|newest| stamp < newest && newest <= now + AHEAD) {
                continue;
            }
            self.stamps.insert((of, tag), stamp);
            let value = match value {
                Value::Good(_) | Value::Retained(_) if is_stale => Value::Bad,
                value => value,
            };
            let age = age.max(0).unsigned_abs();
            self.items
                .push((x, Item::Read(of, Taken { tag, value, age })));
        }
        self.batches.push(begin..self.items.len());
    }

    /// Whether a status of a machine that was read in time holds at `x`.
    fn knows(&self, machine: &Machine, of: usize, x: u64) -> bool {
        let begun = self.presences.iter().rev().find(|it| it.machine == of);
        let from = begun.map_or(0, |it| it.from.1);
        let lost = self
            .items
            .iter()
            .rposition(|(_, item)| matches!(item, Item::Lost));
        let since = from.max(lost.map_or(0, |at| at + 1));
        let shown = self
            .items
            .iter()
            .skip(since)
            .rev()
            .find_map(|(then, item)| match item {
                Item::Read(whose, taken) if *whose == of && taken.tag == 0 => {
                    let until = then + machine.stale_after - taken.age.min(machine.stale_after);
                    taken.value.known().filter(|_| until > *then).map(|_| until)
                }
                _ => None,
            });
        shown.is_some_and(|until| x < until)
    }

    /// Something came late. A state counts if it follows the late ones before it, a count if no later
    /// one was read.
    fn hear(
        &mut self,
        machine: &Machine,
        of: usize,
        reading: &Reading,
        (x, age): (u64, u64),
        came: Place,
    ) {
        let (Value::Good(raw), Some(then)) = (reading.value, x.checked_sub(age)) else {
            return;
        };
        let tag = reading.tag;
        let begun = self.presences.iter().rev().find(|it| it.machine == of);
        let begun = begun.map_or((0, 0), |it| it.from).max(self.late_from);
        let mut before = self
            .late
            .iter()
            .filter(|it| (it.machine, it.tag) == (of, tag));
        // Of the product a later reading says more, however old it was when it came.
        let products = |(position, (x, item)): (usize, &(u64, Item))| match item {
            Item::Read(whose, taken) => {
                (*whose, taken.tag) == (of, tag)
                    && *x >= then + taken.age
                    && position >= begun.1
                    && taken.value.known().is_some()
            }
            _ => false,
        };
        let mut items = self.items.iter().enumerate();
        let is_next = match tag {
            0 => !before.any(|it| it.came >= begun && it.place.0 >= then),
            _ if tag == machine.product() => {
                !before.any(|it| it.came >= begun && it.taken >= then) && !items.any(products)
            }
            _ => {
                let counts = |(position, (x, item)): (usize, &(u64, Item))| match item {
                    Item::Read(whose, taken) => {
                        *whose == of
                            && *x >= then
                            && position >= begun.1
                            && taken.tag == tag
                            && taken.value.live().is_some()
                    }
                    _ => false,
                };
                !before.any(|it| it.place.0 >= then) && !items.any(counts)
            }
        };
        let says = match tag {
            0 => State::of(raw) != State::Unknown,
            _ => machine.counter(tag).is_some() || tag == machine.product(),
        };
        // A product follows one that was read before, and is believed since it came.
        let known = |(position, (x, item)): (usize, &(u64, Item))| match item {
            Item::Read(whose, taken) => {
                let is_of_it = (*whose, taken.tag) == (of, machine.product());
                (is_of_it && position >= begun.1 && taken.value.known().is_some()).then_some(*x)
            }
            _ => None,
        };
        let from = match tag {
            _ if tag == machine.product() => {
                let known = self.items.iter().enumerate().filter_map(known);
                known.fold(then, u64::max)
            }
            _ => then,
        };
        let place = (from, LATE + self.late.len());
        let tells = matches!(machine.told, Told::Status) && machine.late > 0;
        if tells && says && is_next && then >= begun.0 {
            self.late.push(Late {
                machine: of,
                tag,
                raw,
                taken: then,
                place,
                came,
            });
        }
    }
}
