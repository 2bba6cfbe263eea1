//! The stream on one axis: what lasted of it, where, and the labels of its time.

use crate::machine::Value;
use crate::stream::{Fact, Stream, What, Worth, signed};
use std::collections::BTreeMap;
use std::ops::Range;

/// Differences of the two clocks up to this are none: they are never read at quite the same time.
const STEP: i64 = 100;
pub const MINUTE: i64 = 60_000;
const LONGEST_SILENCE: i64 = 400 * 24 * 60 * MINUTE;

/// A clock that nobody vouches for may be behind by so much.
const BEHIND: i64 = 1_000;

/// Where something stands: the millisecond, and what came before it in the same one. What the
/// passing of time does by itself comes first (0), then what happens, in its order.
pub type Place = (u64, usize);

/// What happened, as far as it lasted.
#[derive(Debug, Clone)]
pub enum Item {
    /// A reading of a machine.
    Read(usize, Taken),
    /// The wall clock shows another time from here on.
    Step,
    /// The agent begins anew; what machines do is unknown.
    Lost,
    /// A silence before it, and nobody can say how long.
    Gap,
}

/// A reading as far as it counts for the present.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub tag: usize,
    pub value: Value,
    /// How old it was when it came.
    pub age: u64,
}

/// A reading that came late and counts for its own time.
#[derive(Debug, Clone)]
pub struct Late {
    pub machine: usize,
    pub tag: usize,
    pub raw: i64,
    /// When it was taken.
    pub taken: u64,
    /// Where it counts.
    pub place: Place,
    /// Where it came.
    pub came: Place,
}

/// From here on labels count from this one.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    pub place: Place,
    pub label: i64,
    pub is_gap: bool,
    /// The clock had not been set.
    pub is_unset: bool,
    /// By how much the labels were moved when it was.
    pub moved: i64,
    /// How often the agent had looked at what has passed before.
    pub looks: usize,
}

impl Anchor {
    pub fn label(&self, x: u64) -> i64 {
        self.label + signed(x) - signed(self.place.0)
    }
}

/// From where to where a machine was configured.
#[derive(Debug, Clone)]
pub struct Presence {
    pub machine: usize,
    pub from: Place,
    pub until: Option<Place>,
}

impl Presence {
    pub fn holds(&self, place: Place) -> bool {
        self.from <= place && self.until.is_none_or(|until| place < until)
    }
}

/// The stream on one axis.
#[derive(Debug, Clone, Default)]
pub struct Life {
    pub items: Vec<(u64, Item)>,
    pub anchors: Vec<Anchor>,
    /// When the agent looked at what has passed.
    pub looks: Vec<u64>,
    pub late: Vec<Late>,
    pub presences: Vec<Presence>,
    /// No window goes on over these; of some it is known at once.
    pub ends: Vec<(u64, bool)>,
    /// Where readings begin and end that came at once.
    pub batches: Vec<Range<usize>>,
    /// The newest time stamp of each machine's tag.
    pub stamps: BTreeMap<(usize, usize), i64>,
    /// What labels had come to where the agent began again, by a clock that was set.
    least: Option<(u64, i64)>,
    /// Up to where what came late was looked at when a run ended in order.
    settled: Place,
    /// From where on what came late counts.
    pub late_from: Place,
}

impl Life {
    pub fn of(stream: &Stream, facts: &[Fact]) -> Life {
        let mut life = Life::default();
        let mut commits: Vec<Life> = vec![];
        let (mut began, mut began_at) = (0, 0);
        for fact in facts {
            let x = began + (fact.at - began_at);
            match &fact.what {
                What::Start {
                    back,
                    worth,
                    machines,
                } => {
                    if let Some(last) = commits.len().checked_sub(1) {
                        commits.truncate(last.saturating_sub(*back) + 1);
                        life = commits[commits.len() - 1].clone();
                        began = life.begin_again(fact.wall, *worth);
                    } else {
                        life.anchor(0, fact.wall, false, *worth == Worth::Nothing);
                    }
                    began_at = fact.at;
                    life.looks.push(began);
                    life.late_from = (began.min(life.late_from.0), life.items.len());
                    life.configure(stream, began, machines);
                }
                What::Commit => commits.push(life.clone()),
                What::Read(machine, readings) => {
                    life.read(stream, x, fact.wall, *machine, readings);
                    life.looks.push(x);
                }
                What::Stop { worth } => {
                    life.look(x, fact.wall, *worth);
                    life.looks.push(x);
                    // What has come late up to now is put where it belongs.
                    life.settled = (x, life.items.len() + 1);
                    commits.push(life.clone());
                }
                What::Look { worth } => {
                    life.look(x, fact.wall, *worth);
                    life.looks.push(x);
                }
            }
        }
        life.forget_unsettled();
        life
    }

    /// The agent begins again; where that is.
    fn begin_again(&mut self, wall: i64, worth: Worth) -> u64 {
        self.forget_unsettled();
        let end = self.end();
        let was_unset = self.is_unset();
        let silence = wall - self.label_after(end);
        self.least = (!was_unset).then(|| (end, self.label_after(end)));
        let is_set = self.is_right(end, wall, worth);
        self.items.push((end, Item::Lost));
        self.late_from = (end, 0);
        if is_set && !was_unset && (0..=LONGEST_SILENCE).contains(&silence) {
            return end + silence.unsigned_abs();
        }
        self.items.push((end, Item::Gap));
        self.anchor(end, wall, true, !is_set);
        self.ends.push((end, was_unset || !is_set));
        end
    }

    /// From here on these machines are configured.
    fn configure(&mut self, stream: &Stream, began: u64, machines: &[usize]) {
        let lost = self.items.iter().rposition(|it| matches!(it.1, Item::Lost));
        for presence in &mut self.presences {
            if presence.until.is_none() && !machines.contains(&presence.machine) {
                // Where the agent had come to before.
                presence.until = lost.map(|lost| (self.items[lost].0, lost + 1));
            }
        }
        let here = (began, self.items.len());
        for &machine in machines {
            let mut of_it = self.presences.iter();
            if !of_it.any(|it| it.machine == machine && it.until.is_none()) {
                self.presences.push(Presence {
                    machine,
                    from: here,
                    until: None,
                });
            }
        }
        // What counts, or tells the state, is remembered for the machines that there are.
        self.stamps.retain(|(machine, tag), _| {
            let settings = &stream.machines[*machine];
            machines.contains(machine)
                && (settings.counter(*tag).is_some() || settings.told.asks(*tag))
        });
    }

    /// Whether a clock counts as set: it never was, or nobody vouches for it and it stands earlier than
    /// what had been come to.
    fn is_right(&self, x: u64, wall: i64, worth: Worth) -> bool {
        let least = self.least.map(|(from, label)| label + signed(x - from));
        match worth {
            Worth::Nothing => false,
            Worth::Held => least.is_none_or(|least| wall + BEHIND >= least),
            Worth::Synced => true,
        }
    }

    fn look(&mut self, x: u64, wall: i64, worth: Worth) {
        let by = wall - self.label_after(x);
        if self.is_unset() {
            if self.is_right(x, wall, worth) {
                self.set_clock(x, by);
            }
            return;
        }
        if by.abs() >= STEP {
            self.items.push((x, Item::Step));
            self.anchor(x, wall, false, false);
        }
    }

    /// The clock is set for the first time since the agent began: its labels are moved.
    fn set_clock(&mut self, x: u64, by: i64) {
        let wall = self.label_after(x) + by;
        if let Some(anchor) = self.anchors.last_mut() {
            anchor.moved = by;
        }
        self.items.push((x, Item::Step));
        self.anchor(x, wall, false, false);
        self.ends.push((x, true));
        self.late_from = (x, self.items.len());
    }

    /// It belongs to the item that was put last.
    fn anchor(&mut self, x: u64, label: i64, is_gap: bool, is_unset: bool) {
        self.anchors.push(Anchor {
            place: (x, self.items.len()),
            label,
            is_gap,
            is_unset,
            moved: 0,
            looks: self.looks.len(),
        });
    }

    /// What came late is put where it belongs when the next minute ends; it is lost with a kill before.
    fn forget_unsettled(&mut self) {
        let last = self.anchors.last().map_or((0, 0), |anchor| anchor.place);
        let end = self.end();
        let minute = end.saturating_sub(self.label_after(end).rem_euclid(MINUTE).unsigned_abs());
        let settled = last.max((minute, 0)).max(self.settled);
        self.late.retain(|late| late.came < settled);
    }

    /// Where the last of the readings stands that came together with the one at this place.
    pub fn last_of_batch(&self, place: Place) -> Place {
        let mut batches = self.batches.iter();
        let batch = batches.find(|batch| batch.contains(&(place.1 - 1)));
        (place.0, batch.map_or(place.1, |batch| batch.end))
    }

    pub fn is_unset(&self) -> bool {
        self.anchors.last().is_some_and(|anchor| anchor.is_unset)
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.looks.last().copied().unwrap_or(0)
    }

    /// What the labels just before `x` count from.
    pub fn before(&self, x: u64) -> &Anchor {
        let anchor = self.anchors.iter().rev().find(|anchor| anchor.place.0 < x);
        anchor.unwrap_or(&self.anchors[0])
    }

    /// What the labels from `x` on count from.
    pub fn after(&self, x: u64) -> &Anchor {
        let anchor = self.anchors.iter().rev().find(|anchor| anchor.place.0 <= x);
        anchor.unwrap_or(&self.anchors[0])
    }

    /// The label of the time just before `x`, by the clock that there was.
    pub fn label_before(&self, x: u64) -> i64 {
        self.before(x).label(x)
    }

    /// The label of the time that begins with `x`, by the clock that there was.
    pub fn label_after(&self, x: u64) -> i64 {
        self.after(x).label(x)
    }

    /// Where there are labels.
    pub fn labels(&self) -> Vec<Range<i64>> {
        let nexts = self.anchors.iter().skip(1).map(|next| next.place.0);
        let ends = nexts.chain([self.end()]);
        let of_anchor = |(anchor, end): (&Anchor, u64)| anchor.label..anchor.label(end);
        self.anchors.iter().zip(ends).map(of_anchor).collect()
    }

    /// How often labels had been begun again before a window that begins at `x`, if they had been
    /// given before, or may be moved to where they had.
    pub fn fold(&self, x: u64) -> u32 {
        let (mut highest, mut folds) = (i64::MIN, 0);
        for pair in self.anchors.windows(2) {
            let [before, anchor] = pair else { break };
            if anchor.place.0 > x {
                break;
            }
            highest = highest.max(before.label(anchor.place.0));
            if anchor.label < highest {
                folds += 1;
            }
        }
        if self.after(x).is_unset || self.label_after(x) < highest {
            folds
        } else {
            0
        }
    }

    /// Where a window ends that ends at `x`: with the minute, or with its labels.
    pub fn close(&self, x: u64) -> Place {
        let anchor = self.anchors[1..].iter().find(|anchor| anchor.place.0 == x);
        match anchor {
            Some(anchor) if self.label_before(x) % MINUTE != 0 => anchor.place,
            _ => (x, 0),
        }
    }

    /// Whether a silence of unknown length lies between two places, or ends with the later one.
    pub fn has_gap(&self, from: Place, to: Place) -> bool {
        self.gaps(from, to) > 0
    }

    /// How many there are. Each counts as a millisecond, at least.
    pub fn gaps(&self, from: Place, to: Place) -> u64 {
        let gaps = self.anchors.iter().filter(|anchor| anchor.is_gap);
        gaps.filter(|gap| from < gap.place && gap.place <= to)
            .count() as u64
    }
}
