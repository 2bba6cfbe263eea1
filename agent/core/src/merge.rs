//! Merging: adjacent windows of one device become one record of the same tier, when the room in which
//! records wait to be sent runs out. What they come to is the same to the last unit.

use crate::record::{Body, Record, TagValue, TagWindow};
use crate::summary::{Summary, Tier};
use crate::time::Wall;
use serde::{Deserialize, Serialize};

/// How far windows are merged: those that begin in the same stretch of time.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Within {
    /// Not at all.
    #[default]
    Window,
    /// Minutes of a quarter of an hour.
    Quarter,
    /// Minutes of an hour.
    Hour,
    /// Minutes and hours of 24 hours.
    Day,
}

impl Within {
    /// From the least that merging does to the most.
    pub const ALL: [Within; 3] = [Within::Quarter, Within::Hour, Within::Day];

    const fn ms(self) -> i64 {
        match self {
            Within::Window => 1,
            Within::Quarter => 15 * 60_000,
            Within::Hour => 3_600_000,
            Within::Day => 24 * 3_600_000,
        }
    }

    /// Shifts and production days stay what they are: they are few, and each has a name.
    const fn merges(self, tier: Tier) -> bool {
        match tier {
            Tier::Minute => !matches!(self, Within::Window),
            Tier::Hour => matches!(self, Within::Day),
            Tier::Shift | Tier::Day => false,
        }
    }
}

/// What a record of a window says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels<'a> {
    /// Whose.
    pub device: &'a str,
    /// Which tier.
    pub tier: Tier,
    /// Which of the records that tell its tags; none for times and counts.
    pub part: Option<u16>,
    /// Label of the start.
    pub start: Wall,
    /// Label of the end.
    pub end: Wall,
    /// Corrections so far.
    pub rev: u32,
    fold: u32,
}

impl Record {
    /// The labels of a window; none of an event.
    pub fn labels(&self) -> Option<Labels<'_>> {
        match &self.body {
            Body::Summary(summary) => Some(Labels {
                device: &summary.device,
                tier: summary.tier,
                part: None,
                start: summary.start,
                end: summary.end,
                rev: summary.rev,
                fold: summary.fold,
            }),
            Body::Tags(tags) => Some(Labels {
                device: &tags.device,
                tier: tags.tier,
                part: Some(tags.part),
                start: tags.start,
                end: tags.end,
                rev: 0,
                fold: tags.fold,
            }),
            Body::Event(_) => None,
        }
    }

    /// Whether the record `next` of the same run tells the window that follows the one of this, and
    /// both together can be told as one without anything being said otherwise.
    pub fn goes_on_with(&self, next: &Record, within: Within) -> bool {
        let (Some(own), Some(following)) = (self.labels(), next.labels()) else {
            return false;
        };
        let stretch = |at: Wall| at.0.div_euclid(within.ms());
        let follows = Labels {
            start: own.start,
            end: own.end,
            ..following
        } == own
            && own.end == following.start
            && own.rev == 0
            && within.merges(own.tier)
            && stretch(own.start) == stretch(following.start);
        follows
            && self.clock == next.clock
            && match (&self.body, &next.body) {
                (Body::Summary(own), Body::Summary(next)) => agree(own, next),
                (Body::Tags(own), Body::Tags(next)) => name_the_same(own, next),
                _ => false,
            }
    }

    /// Tells the window of `next`, for which [`Record::goes_on_with`] is true, too: under the number and with the
    /// time of the later one.
    pub fn take_in(&mut self, next: Record) {
        match (&mut self.body, next.body) {
            (Body::Summary(own), Body::Summary(next)) => {
                let mut sum = own.sum();
                sum.add(&next.sum());
                **own = Summary {
                    start: own.start,
                    merged: own.merged.saturating_add(next.merged),
                    clock_step_ms: own.clock_step_ms + next.clock_step_ms,
                    times: sum.times,
                    uncounted_ms: sum.uncounted_ms,
                    parts: sum.parts,
                    failures: sum.failures,
                    repairs: sum.repairs,
                    repair_ms: sum.repair_ms,
                    capacity: sum.capacity,
                    unrated: sum.unrated,
                    ..*next
                };
            }
            (Body::Tags(own), Body::Tags(next)) => {
                own.end = next.end;
                own.window_ms += next.window_ms;
                own.merged = own.merged.saturating_add(next.merged);
                own.clock_step_ms += next.clock_step_ms;
                for (own, next) in own.tags.iter_mut().zip(next.tags) {
                    own.sum.add(&next.sum);
                    own.last = next.last.or(own.last);
                }
            }
            _ => return,
        }
        self.seq = next.seq;
        self.n = next.n;
        self.ts = next.ts;
    }
}

/// Whether the sum of both says all that each says. A sum has no capacity if a part has none.
fn agree(one: &Summary, next: &Summary) -> bool {
    one.line == next.line
        && one.shift == next.shift
        && one.every_ms == next.every_ms
        && one.needs == next.needs
        && one.capacity.is_some() == next.capacity.is_some()
        && one.parts.good.is_some() == next.parts.good.is_some()
        && one.parts.scrap.is_some() == next.parts.scrap.is_some()
        && one.parts.total.is_some() == next.parts.total.is_some()
}

fn name_the_same(one: &TagWindow, next: &TagWindow) -> bool {
    let same =
        |(one, next): (&TagValue, &TagValue)| one.name == next.name && one.counter == next.counter;
    one.line == next.line
        && one.shift == next.shift
        && one.parts == next.parts
        && one.tags.len() == next.tags.len()
        && one.tags.iter().zip(&next.tags).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Capacity, Parts, Sum};
    use crate::tag_sums::{Number, TagSum};
    use crate::time::ClockState;
    use alloc::boxed::Box;
    use alloc::vec;

    fn window(seq: u64, minute: i64) -> Record {
        let sum = Sum {
            parts: Parts {
                good: Some(seq),
                scrap: Some(1),
                total: Some(seq + 1),
                ..Parts::default()
            },
            capacity: Some(Capacity {
                planned: 20,
                producing: 10,
                uncounted: 0,
                rate: 1200,
            }),
            failures: 1,
            ..Sum::default()
        };
        let mut summary = Summary::of(&sum);
        summary.times.0[0] = 60_000;
        summary.start = Wall(minute * 60_000);
        summary.end = Wall((minute + 1) * 60_000);
        Record {
            seq,
            n: seq * 10,
            ts: summary.end + 5,
            clock: ClockState::Synced,
            body: Body::Summary(Box::new(summary)),
        }
    }

    fn summary(record: &mut Record) -> &mut Summary {
        let Body::Summary(summary) = &mut record.body else {
            panic!("a window");
        };
        summary
    }

    #[test]
    fn two_windows_become_one_that_covers_both() {
        let (mut one, mut next) = (window(3, 0), window(9, 1));
        summary(&mut next).capacity = Some(Capacity {
            planned: 1,
            producing: 2,
            uncounted: 3,
            rate: 700,
        });
        assert!(one.goes_on_with(&next, Within::Quarter));
        one.take_in(next);
        assert_eq!((one.seq, one.n, one.ts), (9, 90, Wall(120_005)));
        let merged = summary(&mut one);
        assert_eq!((merged.start, merged.end), (Wall(0), Wall(120_000)));
        assert_eq!((merged.merged, merged.window_ms()), (2, 120_000));
        assert_eq!(
            (merged.parts.good, merged.parts.total),
            (Some(12), Some(14))
        );
        assert_eq!(merged.failures, 2);
        let capacity = Capacity {
            planned: 21,
            producing: 12,
            uncounted: 3,
            rate: 700,
        };
        assert_eq!(merged.capacity, Some(capacity));
    }

    #[test]
    fn only_neighbours_that_mean_the_same_are_merged() {
        let goes = |change: fn(&mut Record)| {
            let mut next = window(2, 1);
            change(&mut next);
            window(1, 0).goes_on_with(&next, Within::Quarter)
        };
        assert!(goes(|_| {}));
        let changes: [fn(&mut Record); 12] = [
            |next| summary(next).start = Wall(60_001),
            |next| summary(next).device = "other".into(),
            |next| summary(next).tier = Tier::Hour,
            |next| summary(next).fold = 1,
            |next| summary(next).rev = 1,
            |next| summary(next).line = Some("B".into()),
            |next| summary(next).every_ms = 7,
            |next| summary(next).needs.coverage = 7,
            |next| summary(next).capacity = None,
            |next| summary(next).parts.scrap = None,
            |next| next.clock = ClockState::Unsynced,
            |next| {
                summary(next).start = Wall(0);
                summary(next).end = Wall(60_000);
            },
        ];
        for change in changes {
            assert!(!goes(change));
        }
        let mut corrected = window(1, 0);
        summary(&mut corrected).rev = 1;
        assert!(!corrected.goes_on_with(&window(2, 1), Within::Quarter));
    }

    #[test]
    fn merging_ends_with_its_stretch_and_leaves_shifts_and_days_alone() {
        let (one, next) = (window(1, 14), window(2, 15));
        assert!(!one.goes_on_with(&next, Within::Window));
        assert!(!one.goes_on_with(&next, Within::Quarter));
        assert!(one.goes_on_with(&next, Within::Hour));
        let of = |tier| {
            let (mut one, mut next) = (one.clone(), next.clone());
            summary(&mut one).tier = tier;
            summary(&mut next).tier = tier;
            Within::ALL.map(|within| one.goes_on_with(&next, within))
        };
        assert_eq!(of(Tier::Minute), [false, true, true]);
        assert_eq!(of(Tier::Hour), [false, false, true]);
        assert_eq!(of(Tier::Shift), [false; 3]);
        assert_eq!(of(Tier::Day), [false; 3]);
    }

    fn tags(seq: u64, minute: i64, last: Option<Number>) -> Record {
        let value = TagValue {
            name: "temperature".into(),
            counter: false,
            sum: TagSum {
                total: 20.0 * 60_000.0,
                min: 20.0 - seq as f64,
                max: 20.0 + seq as f64,
                good_ms: 60_000,
            },
            last,
        };
        Record {
            body: Body::Tags(Box::new(TagWindow {
                device: "oven".into(),
                line: None,
                tier: Tier::Minute,
                shift: None,
                start: Wall(minute * 60_000),
                end: Wall((minute + 1) * 60_000),
                window_ms: 60_000,
                fold: 0,
                merged: 1,
                clock_step_ms: 0,
                part: 1,
                parts: 1,
                tags: vec![value],
            })),
            ..window(seq, minute)
        }
    }

    #[test]
    fn windows_of_tags_are_merged_tag_by_tag() {
        let mut one = tags(1, 0, Some(Number::Int(4)));
        let next = tags(2, 1, None);
        assert!(!one.goes_on_with(&window(2, 1), Within::Hour));
        assert!(one.goes_on_with(&next, Within::Hour));
        one.take_in(next);
        let Body::Tags(merged) = &one.body else {
            panic!("{one:?}");
        };
        assert_eq!((merged.merged, merged.window_ms), (2, 120_000));
        assert_eq!((merged.start, merged.end), (Wall(0), Wall(120_000)));
        let tag = &merged.tags[0];
        assert_eq!((tag.sum.min, tag.sum.max), (18.0, 22.0));
        assert_eq!(
            (tag.sum.mean(), tag.last),
            (Some(20.0), Some(Number::Int(4)))
        );
        let mut renamed = tags(3, 2, None);
        let Body::Tags(other) = &mut renamed.body else {
            panic!("tags");
        };
        other.tags[0].name = "humidity".into();
        assert!(!one.goes_on_with(&renamed, Within::Hour));
    }
}
