//! What machines show, and what they tell later.

use crate::chance::{Chance, MINUTE};
use crate::machine::{Counter, Machine, Rate, Reading, UNMAPPED, Value};
use crate::stream::signed;

/// What a machine would show now.
pub struct Shop {
    status: i64,
    counts: Vec<i64>,
    contacts: Vec<i64>,
    product: i64,
    /// When it was read last, by the wall clock.
    read: i64,
}

impl Shop {
    pub fn new(chance: &mut Chance, machine: &Machine) -> Shop {
        let first = |counter: &Counter, chance: &mut Chance| match counter.top {
            Some(top) if chance.one_in(2) => top - signed(chance.below(40)),
            _ => signed(chance.below(1_000)),
        };
        let counters = machine.counters.iter();
        Shop {
            status: 2,
            counts: counters.map(|counter| first(counter, chance)).collect(),
            contacts: vec![0; machine.contacts],
            product: 1,
            read: 0,
        }
    }

    /// What is read of it now: of this moment, or all that it has kept since it was last read.
    pub fn readings(&mut self, chance: &mut Chance, machine: &Machine, wall: i64) -> Vec<Reading> {
        let silent = (wall - self.read).max(0);
        self.read = wall;
        if !machine.has_stamps || !chance.one_in(3) {
            let age = match chance.below(12) {
                _ if !machine.has_stamps => None,
                0 => None,
                1 => Some(-signed(chance.pick(&[1, 60_000, 60_001]))),
                2 => Some(age(chance, machine, wall, silent)),
                3 => Some(signed(chance.below(machine.stale_after))),
                _ => Some(0),
            };
            return self.look(chance, machine, age);
        }
        let count = 1 + chance.below(8);
        let mut ages: Vec<i64> = (0..count)
            .map(|_| age(chance, machine, wall, silent))
            .collect();
        if !chance.one_in(6) {
            ages.sort_unstable_by_key(|age| -age);
        }
        let looks = ages
            .into_iter()
            .flat_map(|age| self.look(chance, machine, Some(age)));
        looks.collect()
    }

    /// All tags at once, or some of them.
    fn look(&mut self, chance: &mut Chance, machine: &Machine, age: Option<i64>) -> Vec<Reading> {
        if chance.one_in(3) {
            self.status = chance.pick(&[0, 1, 2, 2, 2, 3, 4, 4, 5, UNMAPPED]);
        }
        for contact in &mut self.contacts {
            if chance.one_in(3) {
                *contact = 1 - *contact;
            }
        }
        if chance.one_in(6) {
            self.product = chance.pick(&[1, 2, 3]);
        }
        for (count, counter) in self.counts.iter_mut().zip(&machine.counters) {
            let made = chance.pick(&[0, 0, 1, 1, 2, 5, 17]);
            let anew = chance.one_in(12);
            *count = match counter.top {
                _ if anew => signed(chance.below(10)),
                Some(top) => (*count + made) % (top + 1),
                None => *count + made,
            };
        }
        let is_whole = chance.one_in(2);
        let values = [self.status].into_iter().chain(self.counts.iter().copied());
        let values = values.chain(self.contacts.iter().copied());
        let follows = matches!(machine.rate, Rate::ByProduct(..));
        let values = values.chain(follows.then_some(self.product));
        let mut readings = vec![];
        for (tag, raw) in values.enumerate() {
            if !is_whole && !chance.one_in(2) {
                continue;
            }
            let value = match chance.below(12) {
                0 => Value::Bad,
                1 => Value::Retained(raw),
                _ => Value::Good(raw),
            };
            readings.push(Reading { tag, value, age });
        }
        readings
    }
}

/// How old a reading is that was kept, mostly of the time in which nothing was read, and often of a
/// moment at which something else happens as well.
fn age(chance: &mut Chance, machine: &Machine, wall: i64, silent: i64) -> i64 {
    let into_minute = wall.rem_euclid(60_000);
    let minutes = signed(MINUTE * chance.below(16));
    match chance.below(12) {
        0 => signed(machine.stale_after),
        1 => signed(machine.late),
        2 => into_minute,
        3 => into_minute + minutes,
        4 => silent,
        5 => (silent - signed(machine.stale_after)).max(0),
        6 => signed(chance.below(20 * MINUTE)),
        _ => signed(chance.below(silent.unsigned_abs() + 1)),
    }
}
