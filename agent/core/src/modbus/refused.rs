//! Finding out what a device refuses of a read.
//!
//! Many devices answer exception 2 when a single address of a request does not exist: one in a gap
//! between two tags, or that of a tag that only other models of the machine have; others give
//! less in one answer than the protocol allows. A [`Search`] says which smaller read to try next
//! and is told whether it was accepted. It cuts at the widest gap, where something missing is most
//! likely, otherwise in the middle; then it joins what was cut apart without need. What it ends
//! with never crosses an address that was refused, holds every tag that can be read, and names the
//! others.

use crate::modbus::plan::Read;
use crate::plant::Model;
use crate::tag::{Source, TagIndex};
use alloc::vec::Vec;
use core::ops::Range;

/// A search in a read that was refused as a whole.
#[derive(Debug)]
pub struct Search {
    read: Read,
    places: Vec<Place>,
    /// Ranges of places that are to be tried, the next one last.
    todo: Vec<Range<usize>>,
    /// Ranges that were accepted, in order once nothing is left to do.
    accepted: Vec<Range<usize>>,
    /// Ranges that were refused.
    refused: Vec<Range<usize>>,
    /// Accepted ranges before this one are as long as they can be.
    joined: usize,
}

/// What a search has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The reads to make instead of the one that was refused.
    pub reads: Vec<Read>,
    /// A read for each place that was refused alone.
    pub refused: Vec<Read>,
}

/// Where tags lie; those at the very same addresses share one.
#[derive(Debug)]
struct Place {
    start: u32,
    /// One past the last address.
    end: u32,
    tags: Vec<TagIndex>,
}

impl Search {
    /// Begins with a read that was refused.
    pub fn new(read: Read, model: &Model) -> Search {
        let places = places(&read, model);
        let mut search = Search {
            todo: Vec::new(),
            accepted: Vec::new(),
            refused: Vec::new(),
            joined: 0,
            read,
            places,
        };
        search.cut(0..search.places.len());
        search
    }

    /// The read to try next; none when the search has ended.
    pub fn next(&self) -> Option<Read> {
        self.trying().map(|range| self.of_range(&range))
    }

    /// What came of the read that [`Search::next`] named.
    pub fn tell(&mut self, accepted: bool) {
        if let Some(range) = self.todo.pop() {
            if accepted {
                self.accepted.push(range);
            } else {
                self.cut(range);
            }
        } else if let Some(range) = self.trying() {
            if accepted {
                self.accepted[self.joined] = range;
                self.accepted.remove(self.joined + 1);
            } else {
                self.refused.push(range);
            }
        }
        if self.todo.is_empty() {
            self.accepted.sort_unstable_by_key(|range| range.start);
            while self.joined + 1 < self.accepted.len() && self.trying().is_none() {
                self.joined += 1;
            }
        }
    }

    /// What was found, once there is nothing left to try.
    pub fn found(&self) -> Found {
        let alone = self.refused.iter().filter(|range| range.len() == 1);
        let mut refused: Vec<&Range<usize>> = alone.collect();
        refused.sort_unstable_by_key(|range| range.start);
        Found {
            reads: self.accepted.iter().map(|r| self.of_range(r)).collect(),
            refused: refused.into_iter().map(|r| self.of_range(r)).collect(),
        }
    }

    /// The range that is tried now: one that was cut, or two that may go together.
    fn trying(&self) -> Option<Range<usize>> {
        if let Some(range) = self.todo.last() {
            return Some(range.clone());
        }
        let [before, after] = self.accepted.get(self.joined..self.joined + 2)? else {
            return None;
        };
        let both = before.start..after.end;
        let is_known =
            |refused: &Range<usize>| both.start <= refused.start && refused.end <= both.end;
        let meet = before.end == after.start;
        (meet && !self.refused.iter().any(is_known)).then_some(both)
    }

    /// A range was refused: its two parts are to be tried, or it is a place alone.
    fn cut(&mut self, range: Range<usize>) {
        if range.len() > 1 {
            let at = self.widest_gap(&range);
            self.todo.push(at..range.end);
            self.todo.push(range.start..at);
        }
        self.refused.push(range);
    }

    /// Where to cut a range of several places: before which of them the widest gap lies, or its
    /// middle if there is none.
    fn widest_gap(&self, range: &Range<usize>) -> usize {
        let mut widest = (0, usize::midpoint(range.start, range.end));
        let mut end = 0;
        for (index, place) in range.clone().zip(&self.places[range.clone()]) {
            let gap = place.start.saturating_sub(end);
            if index > range.start && gap > widest.0 {
                widest = (gap, index);
            }
            end = end.max(place.end);
        }
        widest.1
    }

    fn of_range(&self, range: &Range<usize>) -> Read {
        let places = &self.places[range.clone()];
        let start = places.iter().map(|place| place.start).min();
        let end = places.iter().map(|place| place.end).max();
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        let mut tags: Vec<TagIndex> = places
            .iter()
            .flat_map(|place| &place.tags)
            .copied()
            .collect();
        tags.sort_unstable();
        Read {
            start: u16::try_from(start).unwrap_or(u16::MAX),
            count: u16::try_from(end - start).unwrap_or(u16::MAX),
            tags: tags.into(),
            ..self.read.clone()
        }
    }
}

/// The places of a read's tags, by their addresses.
fn places(read: &Read, model: &Model) -> Vec<Place> {
    let last = u32::from(read.start) + u32::from(read.count);
    let mut spans: Vec<(u32, u32, TagIndex)> = Vec::with_capacity(read.tags.len());
    for &tag in read.tags.iter() {
        if let Some(Source::Modbus(point)) = model.tags.get(usize::from(tag.0)).map(|t| &t.source) {
            let start = u32::from(point.address);
            spans.push((start, (start + u32::from(point.width())).min(last), tag));
        }
    }
    spans.sort_unstable();
    let same = spans.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    same.map(|spans| Place {
        start: spans[0].0,
        end: spans[0].1,
        tags: spans.iter().map(|span| span.2).collect(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::plan::Plan;
    use crate::modbus::plan::tests::{model, plant, tag};
    use crate::tag::{Kind, Table};
    use alloc::sync::Arc;
    use alloc::vec;
    use proptest::prelude::*;

    fn whole(model: &Arc<Model>) -> Read {
        let mut reads = Plan::new(&plant(core::slice::from_ref(model))).reads;
        assert_eq!(reads.len(), 1, "more than one read");
        reads.remove(0)
    }

    /// Lets a device that has no `holes` and gives at most `most` registers answer a search: what
    /// was found, and after how many requests.
    fn searched(model: &Arc<Model>, holes: &[u16], most: u16) -> (Found, usize) {
        let mut search = Search::new(whole(model), model);
        let mut requests = 0;
        while let Some(read) = search.next() {
            let hole = |at: &u16| (read.start..read.start + read.count).contains(at);
            search.tell(read.count <= most && !holes.iter().any(hole));
            requests += 1;
            assert!(requests < 1000, "the search has no end");
        }
        (search.found(), requests)
    }

    fn ranges(reads: &[Read]) -> Vec<(u16, u16, usize)> {
        reads
            .iter()
            .map(|read| (read.start, read.count, read.tags.len()))
            .collect()
    }

    fn registers(addresses: &[u16]) -> Arc<Model> {
        let tags = addresses
            .iter()
            .map(|at| tag(Table::Holding, *at, Kind::U16, 1000));
        model(tags.collect())
    }

    #[test]
    fn a_hole_in_a_gap_costs_no_tag_and_one_request_more() {
        let model = registers(&[0, 1, 2, 10, 11, 20, 21]);
        let (found, requests) = searched(&model, &[5], 125);
        // The widest gap is cut first, found innocent, and closed again.
        assert_eq!(ranges(&found.reads), [(0, 3, 3), (10, 12, 4)]);
        assert_eq!(found.refused, []);
        assert_eq!(requests, 5);
    }

    #[test]
    fn a_tag_that_the_device_does_not_have_is_named_and_the_others_are_read() {
        let model = registers(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let (found, _) = searched(&model, &[5], 125);
        assert_eq!(ranges(&found.reads), [(0, 5, 5), (6, 2, 2)]);
        assert_eq!(ranges(&found.refused), [(5, 1, 1)]);
        assert_eq!(*found.refused[0].tags, [TagIndex(5)]);
    }

    #[test]
    fn the_bits_of_one_register_stand_and_fall_together() {
        let model = registers(&[7, 7, 7, 8]);
        let (found, requests) = searched(&model, &[7], 125);
        assert_eq!(ranges(&found.reads), [(8, 1, 1)]);
        assert_eq!(ranges(&found.refused), [(7, 1, 3)]);
        assert_eq!(requests, 2);
    }

    #[test]
    fn a_device_that_has_none_of_it_is_found_out() {
        let model = registers(&[3]);
        assert_eq!(Search::new(whole(&model), &model).next(), None);
        let (found, _) = searched(&registers(&[3, 4, 5]), &[3, 4, 5], 125);
        assert_eq!(found.reads, []);
        assert_eq!(found.refused.len(), 3);
    }

    #[test]
    fn a_device_that_gives_less_at_once_is_asked_for_less() {
        let addresses: Vec<u16> = (0..100).collect();
        let (found, _) = searched(&registers(&addresses), &[], 30);
        assert_eq!(found.refused, []);
        assert!(found.reads.iter().all(|read| read.count <= 30));
        assert!(found.reads.len() <= 4, "{:?}", ranges(&found.reads));
    }

    proptest! {
        #[test]
        fn what_is_found_crosses_no_hole_and_misses_no_tag(
            addresses in prop::collection::vec((0..100_u16, 0..3_usize), 1..40),
            holes in prop::collection::vec(0..104_u16, 0..12),
            most in prop::sample::select(vec![4_u16, 20, 125]),
        ) {
            let kinds = [Kind::U16, Kind::U32, Kind::F64];
            let tags = addresses.iter().map(|(at, kind)| tag(Table::Holding, *at, kinds[*kind], 1000));
            let model = model(tags.collect());
            let refuses = |read: &Read| {
                let hole = |at: &u16| (read.start..read.start + read.count).contains(at);
                read.count > most || holes.iter().any(hole)
            };
            prop_assume!(refuses(&whole(&model)));
            let (found, requests) = searched(&model, &holes, most);
            for read in &found.reads {
                prop_assert!(!refuses(read), "{read:?}");
            }
            for read in &found.refused {
                prop_assert!(refuses(read), "{read:?} is not refused alone");
            }
            // No two neighbours could be one read.
            for pair in found.reads.windows(2) {
                let (start, end) = (pair[0].start, pair[1].start + pair[1].count);
                let both = Read { start, count: end - start, ..pair[0].clone() };
                let parted = found.refused.iter().any(|r| (start..end).contains(&r.start));
                prop_assert!(parted || refuses(&both), "{both:?}");
            }
            let mut tags: Vec<TagIndex> = found.reads.iter().chain(&found.refused)
                .flat_map(|read| read.tags.iter().copied()).collect();
            tags.sort_unstable();
            prop_assert!(tags.iter().copied().eq((0..).map(TagIndex).take(addresses.len())));
            // Each hole costs a way down and up again, nothing more.
            let places = addresses.len();
            prop_assert!(requests <= 4 * places, "{requests} requests for {places} tags");
        }
    }
}
