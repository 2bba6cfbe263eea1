//! When a contact has really changed: once it has shown the new level for long enough.

/// One contact.
#[derive(Debug)]
pub struct Debounce {
    settle_ms: u64,
    /// None until the level at start is known: that one is no edge.
    level: Option<bool>,
    /// The level it may be changing to, and since when.
    changing: Option<(bool, u64)>,
}

/// A change that has settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The level since then.
    pub level: bool,
    /// When it began, not when it had settled: the time between two edges is how long it was.
    pub at: u64,
}

impl Debounce {
    /// A contact whose level counts after it has stood still for `settle_ms`.
    pub const fn new(settle_ms: u64) -> Debounce {
        Debounce {
            settle_ms,
            level: None,
            changing: None,
        }
    }

    /// Whether it is on; not before it has settled for the first time.
    pub fn is_on(&self) -> bool {
        self.level == Some(true)
    }

    /// Takes the level as the pin shows it now.
    pub fn sample(&mut self, level: bool, now: u64) -> Option<Edge> {
        if self.level == Some(level) {
            self.changing = None;
            return None;
        }
        let at = match self.changing {
            Some((to, at)) if to == level => at,
            _ => now,
        };
        self.changing = Some((level, at));
        if now.saturating_sub(at) < self.settle_ms {
            return None;
        }
        self.changing = None;
        self.level.replace(level).map(|_| Edge { level, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_dated_by_its_beginning() {
        let mut contact = Debounce::new(20);
        assert_eq!(
            run(&mut contact, &[(false, 100), (true, 50), (false, 50)]),
            [
                Edge {
                    level: true,
                    at: 100
                },
                Edge {
                    level: false,
                    at: 150
                },
            ]
        );
    }

    #[test]
    fn the_first_level_is_no_edge_and_has_to_stand_still_as_well() {
        for (last, is_on) in [(20, false), (21, true)] {
            let mut contact = Debounce::new(20);
            let levels = [(true, 15), (false, 15), (true, last)];
            assert_eq!(run(&mut contact, &levels), []);
            assert_eq!(contact.is_on(), is_on, "{last} ms");
        }
    }

    /// Levels and for how many samples, one a millisecond.
    fn run(contact: &mut Debounce, levels: &[(bool, usize)]) -> Vec<Edge> {
        let levels = levels
            .iter()
            .flat_map(|&(level, ms)| std::iter::repeat_n(level, ms));
        (0..)
            .zip(levels)
            .filter_map(|(now, level)| contact.sample(level, now))
            .collect()
    }
}
