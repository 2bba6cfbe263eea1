//! A set of positions, cheap while they are mostly adjacent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Disjoint, non-adjacent, non-empty ranges: start → end (exclusive).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds `range`.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        if let Some((&before, &until)) = self.0.range(..=start).next_back()
            && until >= start
        {
            start = before;
            end = end.max(until);
        }
        while let Some((&next, &until)) = self.0.range(start..=end).next() {
            end = end.max(until);
            self.0.remove(&next);
        }
        self.0.insert(start, end);
    }

    /// Whether `position` is in the set.
    pub fn contains(&self, position: u64) -> bool {
        self.0
            .range(..=position)
            .next_back()
            .is_some_and(|(_, &end)| end > position)
    }

    /// How many positions are in the set.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// The lowest position of `within` that is not in the set.
    pub fn first_gap(&self, within: Range<u64>) -> Option<u64> {
        let mut at = within.start;
        if let Some((_, &end)) = self.0.range(..=at).next_back() {
            at = at.max(end);
        }
        (at < within.end).then_some(at)
    }

    /// The parts of `within` that are not in the set, in order.
    pub fn gaps(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = within.start;
        while let Some(start) = self.first_gap(at..within.end) {
            let end = self
                .0
                .range(start..within.end)
                .next()
                .map_or(within.end, |(&next, _)| next);
            gaps.push(start..end);
            at = end;
        }
        gaps
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(|(&start, &end)| start..end)
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Ranges::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(ranges in prop::collection::vec((0u64..60, 0u64..12), 0..20)) {
            let mut plain = BTreeSet::new();
            let mut set = Ranges::default();
            for (start, len) in ranges {
                plain.extend(start..start + len);
                set.insert(start..start + len);
            }
            prop_assert_eq!(set.len(), plain.len() as u64);
            for position in 0..80 {
                prop_assert_eq!(set.contains(position), plain.contains(&position));
            }
            let missing: Vec<u64> = (5..70).filter(|p| !plain.contains(p)).collect();
            prop_assert_eq!(set.first_gap(5..70), missing.first().copied());
            prop_assert_eq!(set.gaps(5..70).into_iter().flatten().collect::<Vec<_>>(), missing);
            let all: Vec<_> = set.iter().collect();
            prop_assert!(all.windows(2).all(|two| two[0].end < two[1].start));
        }
    }
}
