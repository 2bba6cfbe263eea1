//! Finding out which addresses of a range a device has.
//!
//! A device that lacks one address of a request refuses all of it, and some refuse what is merely
//! longer than they like. So what was refused is asked for again in two parts, down to single
//! addresses. The cuts leave groups of four and two addresses whole as long as they can, because
//! some devices refuse to give half a value.

use super::span::Span;

/// A search through one range.
#[derive(Debug)]
pub struct Cut {
    todo: Vec<Span>,
    had: Vec<Span>,
    refused: Vec<Span>,
}

impl Cut {
    /// Begins with parts of `span` that are no longer than a request may be.
    pub fn new(span: Span) -> Cut {
        let most = u32::from(span.table.limit());
        let starts = (0..span.count()).step_by(most as usize);
        let mut todo: Vec<Span> = starts.map(|at| span.part(at, most)).collect();
        todo.reverse();
        Cut {
            todo,
            had: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// What to ask for next; none at the end.
    pub fn next(&self) -> Option<Span> {
        self.todo.last().copied()
    }

    /// What came of it.
    pub fn tell(&mut self, has: bool) {
        let Some(span) = self.todo.pop() else {
            return;
        };
        if has {
            self.had.push(span);
            return;
        }
        self.refused.push(span);
        let count = span.count();
        if count == 1 {
            return;
        }
        let whole = match count {
            5.. => 4,
            3..=4 => 2,
            _ => 1,
        };
        let at = (count / 2).next_multiple_of(whole);
        self.todo.push(span.part(at, count - at));
        self.todo.push(span.part(0, at));
    }

    /// What has not been asked for yet.
    pub fn rest(&self) -> impl Iterator<Item = Span> {
        self.todo.iter().rev().copied()
    }

    /// The reads that were answered, by address.
    #[cfg(test)]
    fn had(&self) -> &[Span] {
        &self.had
    }

    /// What the device does not have: neighbours together, by address.
    pub fn missing(&self) -> Vec<Span> {
        let mut missing: Vec<Span> = Vec::new();
        for one in self.refused.iter().filter(|span| span.count() == 1) {
            match missing.last_mut() {
                Some(last) if last.last.checked_add(1) == Some(one.first) => last.last = one.last,
                _ => missing.push(*one),
            }
        }
        missing
    }

    /// The most addresses in one answer, if the device has given all of something only in parts.
    pub fn most(&self) -> Option<u32> {
        let missing = self.missing();
        let lacks = |span: &Span| {
            let within = |hole: &Span| hole.first <= span.last && span.first <= hole.last;
            missing.iter().any(within)
        };
        let only_long = self.refused.iter().any(|span| !lacks(span));
        let longest = self.had.iter().map(|span| span.count()).max();
        longest.filter(|_| only_long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lets a device answer that lacks `holes`, gives at most `most` addresses, and refuses half
    /// values of two registers from `start` on if `whole`.
    fn cut(span: &str, holes: &[u16], most: u32, whole: bool) -> (Cut, usize) {
        let span: Span = span.parse().expect("a span");
        let mut cut = Cut::new(span);
        let mut requests = 0;
        while let Some(asked) = cut.next() {
            let lacks = holes
                .iter()
                .any(|hole| (asked.first..=asked.last).contains(hole));
            let begins_whole = (asked.first - span.first).is_multiple_of(2);
            let half = !begins_whole || !asked.count().is_multiple_of(2);
            cut.tell(!lacks && asked.count() <= most && !(whole && half));
            requests += 1;
        }
        (cut, requests)
    }

    fn shown(spans: &[Span]) -> Vec<String> {
        spans.iter().map(Span::to_string).collect()
    }

    #[test]
    fn long_ranges_are_read_in_parts() {
        let (cut, requests) = cut("holding:0..299", &[], 125, false);
        assert_eq!(
            shown(cut.had()),
            ["holding:0..124", "holding:125..249", "holding:250..299"]
        );
        assert_eq!((requests, cut.most(), cut.missing().len()), (3, None, 0));
    }

    #[test]
    fn what_is_missing_is_named() {
        let (cut, _) = cut("holding:0..20", &[7, 8, 20], 125, false);
        assert_eq!(shown(&cut.missing()), ["holding:7..8", "holding:20"]);
        let read: u32 = cut.had().iter().map(|span| span.count()).sum();
        assert_eq!((read, cut.most()), (18, None));
    }

    #[test]
    fn a_device_that_gives_less_at_once_is_found_out() {
        let (cut, _) = cut("input:0..99", &[], 30, false);
        assert_eq!((cut.missing().len(), cut.most()), (0, Some(28)));
    }

    #[test]
    fn whole_values_are_not_cut_through_if_that_is_refused() {
        let (cut, _) = cut("input:1..40", &[21, 22], 125, true);
        assert_eq!(shown(&cut.missing()), ["input:21..22"]);
    }

    proptest! {
        #[test]
        fn every_address_is_either_read_or_missing(
            holes in prop::collection::vec(0..200_u16, 0..20),
            most in 1..126_u32,
        ) {
            let (cut, requests) = cut("holding:0..199", &holes, most, false);
            let mut seen = [0; 200];
            for span in cut.had().iter().chain(&cut.missing()) {
                (span.first..=span.last).for_each(|at| seen[usize::from(at)] += 1);
            }
            prop_assert_eq!(seen, [1; 200]);
            for span in cut.missing() {
                prop_assert!((span.first..=span.last).all(|at| holes.contains(&at)));
            }
            prop_assert!(requests < 402);
        }
    }
}
