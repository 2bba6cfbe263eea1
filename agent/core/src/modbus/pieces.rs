//! A read that its device refuses, cut into smaller ones.
//!
//! Many devices answer exception 2 when a single address of a request does not exist: one in a gap
//! between two tags, or that of a tag that only other models of the machine have.

use crate::modbus::plan::Read;
use crate::plant::Model;
use crate::tag::{Source, TagIndex};
use alloc::vec::Vec;

/// Reads that together hold the tags of `read`: without the gaps between them, or where there are
/// none, its two halves. Empty for a read that holds a single tag and nothing else.
pub fn pieces(read: &Read, model: &Model) -> Vec<Read> {
    let mut spans = spans(read, model);
    spans.sort_unstable();
    let runs: Vec<Read> = spans
        .chunk_by(|before, after| after.start <= before.end)
        .map(|run| piece(read, run))
        .collect();
    let is_smaller = |run: &Read| run.count < read.count || run.tags.len() < read.tags.len();
    match &runs[..] {
        [whole] if !is_smaller(whole) && spans.len() > 1 => {
            let (low, high) = spans.split_at(spans.len() / 2);
            [low, high].map(|half| piece(read, half)).into()
        }
        [whole] if !is_smaller(whole) => Vec::new(),
        _ => runs,
    }
}

/// Where a tag lies; ordered by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: u32,
    /// One past the last address.
    end: u32,
    tag: TagIndex,
}

fn spans(read: &Read, model: &Model) -> Vec<Span> {
    let span = |tag: &TagIndex| match &model.tags[usize::from(tag.0)].source {
        Source::Modbus(point) => {
            let start = u32::from(point.address);
            let end = start + u32::from(point.width());
            Some(Span {
                start,
                end,
                tag: *tag,
            })
        }
        Source::Message(_) => None,
    };
    read.tags.iter().filter_map(span).collect()
}

fn piece(read: &Read, spans: &[Span]) -> Read {
    let last = u32::from(read.start) + u32::from(read.count);
    let start = spans
        .iter()
        .map(|span| span.start)
        .min()
        .unwrap_or(u32::from(read.start));
    let end = spans
        .iter()
        .map(|span| span.end)
        .max()
        .unwrap_or(last)
        .min(last);
    let mut tags: Vec<TagIndex> = spans.iter().map(|span| span.tag).collect();
    tags.sort_unstable();
    Read {
        start: u16::try_from(start).unwrap_or(u16::MAX),
        count: u16::try_from(end - start).unwrap_or(u16::MAX),
        tags: tags.into(),
        ..read.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::plan::Plan;
    use crate::modbus::plan::tests::{model, plant, tag};
    use crate::tag::{Kind, Table};
    use proptest::prelude::*;

    fn ranges(reads: &[Read]) -> Vec<(u16, u16, usize)> {
        reads
            .iter()
            .map(|read| (read.start, read.count, read.tags.len()))
            .collect()
    }

    #[test]
    fn gaps_go_first_then_halves_and_a_tag_is_never_cut() {
        let tags = [
            (0, Kind::U16),
            (1, Kind::U32),
            (3, Kind::U16),
            (10, Kind::F32),
        ];
        let tags = tags.map(|(address, kind)| tag(Table::Holding, address, kind, 1000));
        let model = model(tags.to_vec());
        let read = Plan::new(&plant(core::slice::from_ref(&model)))
            .reads
            .remove(0);
        let runs = pieces(&read, &model);
        assert_eq!(ranges(&runs), [(0, 4, 3), (10, 2, 1)]);
        let halves = pieces(&runs[0], &model);
        assert_eq!(ranges(&halves), [(0, 1, 1), (1, 3, 2)]);
        assert_eq!(ranges(&pieces(&halves[1], &model)), [(1, 2, 1), (3, 1, 1)]);
        assert_eq!(pieces(&runs[1], &model), []);
    }

    proptest! {
        #[test]
        fn pieces_hold_the_same_tags_and_end_at_single_ones(
            addresses in prop::collection::vec(0..120_u16, 1..40)
        ) {
            let tags = addresses.iter().map(|at| tag(Table::Input, *at, Kind::U32, 1000)).collect();
            let model = model(tags);
            for read in Plan::new(&plant(core::slice::from_ref(&model))).reads {
                let mut todo = Vec::from([read.clone()]);
                let mut single = Vec::new();
                while let Some(next) = todo.pop() {
                    let smaller = pieces(&next, &model);
                    for piece in &smaller {
                        prop_assert!(piece.start >= next.start);
                        prop_assert!(piece.start + piece.count <= next.start + next.count);
                    }
                    if smaller.is_empty() {
                        prop_assert_eq!((next.tags.len(), next.count), (1, 2));
                        single.push(next.tags[0]);
                    }
                    todo.extend(smaller);
                }
                single.sort_unstable();
                prop_assert_eq!(&single[..], &read.tags[..]);
            }
        }
    }
}
