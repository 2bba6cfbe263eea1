//! How many pulses there were: rising edges, debounced, since power-on.
//!
//! Sampled once a millisecond, every pulse of at least 2 ms with a pause of at least 2 ms is
//! counted exactly once (250 pulses a second), and nothing that lasts under 1 ms.

use crate::debounce::{Debounce, Edge};

const SETTLE_MS: u64 = 1;

/// One counting input.
#[derive(Debug)]
pub struct Counter {
    contact: Debounce,
    count: u64,
}

impl Counter {
    /// A counter that goes on from `count`: 0 at power-on, or what RAM kept over a reset.
    pub const fn new(count: u64) -> Counter {
        Counter {
            contact: Debounce::new(SETTLE_MS),
            count,
        }
    }

    /// Takes the level as the pin shows it now.
    pub fn sample(&mut self, on: bool, now: u64) {
        if let Some(Edge { level: true, .. }) = self.contact.sample(on, now) {
            self.count += 1;
        }
    }

    /// Pulses since power-on; never goes back.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether the input is on.
    pub fn is_on(&self) -> bool {
        self.contact.is_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_every_pulse_exactly_once(pulses in vec((2_u64..50, 2_u64..50), 0..200)) {
            let mut line = Line::new();
            line.hold(false, 2);
            for &(on, off) in &pulses {
                line.hold(true, on);
                line.hold(false, off);
            }
            prop_assert_eq!(line.counter.count(), pulses.len() as u64);
        }

        #[test]
        fn never_goes_back_whatever_the_pin_does(levels in vec(any::<bool>(), 0..500)) {
            let mut line = Line::new();
            let mut rises = 0;
            let mut previous = (false, 0);
            for level in levels {
                line.hold(level, 1);
                rises += u64::from(level && !previous.0);
                prop_assert!(line.counter.count() >= previous.1);
                prop_assert!(line.counter.count() <= rises);
                previous = (level, line.counter.count());
            }
        }
    }

    #[test]
    fn a_spike_of_one_sample_is_no_pulse() {
        let mut line = Line::new();
        for _ in 0..10 {
            line.hold(false, 3);
            line.hold(true, 1);
        }
        assert_eq!(line.counter.count(), 0);
    }

    #[test]
    fn an_input_that_is_on_at_start_is_no_pulse() {
        let mut line = Line::new();
        line.hold(true, 10);
        assert!(line.counter.is_on());
        assert_eq!(line.counter.count(), 0);
    }

    #[test]
    fn goes_on_where_a_reset_stopped() {
        let mut line = Line {
            counter: Counter::new(4711),
            now: 0,
        };
        line.hold(false, 2);
        line.hold(true, 2);
        assert_eq!(line.counter.count(), 4712);
    }

    /// A pin sampled once a millisecond.
    struct Line {
        counter: Counter,
        now: u64,
    }

    impl Line {
        fn new() -> Line {
            Line {
                counter: Counter::new(0),
                now: 0,
            }
        }

        fn hold(&mut self, on: bool, ms: u64) {
            for _ in 0..ms {
                self.counter.sample(on, self.now);
                self.now += 1;
            }
        }
    }
}
