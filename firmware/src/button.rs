//! How long a button was pressed.
//!
//! Between the lengths are gaps (0.8 s to 1 s, 3 s to 5 s) that mean nothing: a press whose meaning
//! could be mistaken is not guessed at. A button that is down at start is stuck or jammed and means
//! nothing until it was let go.

use crate::debounce::{Debounce, Edge};
use andon_wire::Press;

const SETTLE_MS: u64 = 20;
const HELD_FROM_MS: u64 = 5_000;

/// From, to below (ms), meaning.
const LENGTHS: [(u64, u64, Press); 3] = [
    (0, 800, Press::Short),
    (1_000, 3_001, Press::Long),
    (HELD_FROM_MS, u64::MAX, Press::Held),
];

/// One button.
#[derive(Debug)]
pub struct Button {
    contact: Debounce,
    /// When the press began that has not been told yet.
    pressed_at: Option<u64>,
}

impl Button {
    /// A button nobody has pressed.
    pub const fn new() -> Button {
        Button {
            contact: Debounce::new(SETTLE_MS),
            pressed_at: None,
        }
    }

    /// Takes the level as the pin shows it now. A press comes out once: short and long at the
    /// release, held as soon as it is long enough, so that the finger gets its answer.
    pub fn sample(&mut self, pressed: bool, now: u64) -> Option<Press> {
        match self.contact.sample(pressed, now) {
            Some(Edge { level: true, at }) => {
                self.pressed_at = Some(at);
                None
            }
            Some(Edge { level: false, at }) => meaning(at - self.pressed_at.take()?),
            None => self.held(now),
        }
    }

    /// A release just before the limit has settled by the time we look.
    fn held(&mut self, now: u64) -> Option<Press> {
        let at = self.pressed_at?;
        if now.saturating_sub(at) < HELD_FROM_MS + SETTLE_MS {
            return None;
        }
        self.pressed_at = None;
        Some(Press::Held)
    }
}

impl Default for Button {
    fn default() -> Button {
        Button::new()
    }
}

fn meaning(ms: u64) -> Option<Press> {
    let row = LENGTHS
        .iter()
        .find(|(from, to, _)| (*from..*to).contains(&ms));
    row.map(|&(_, _, press)| press)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_length_decides() {
        let table = [
            (20, None),
            (21, Some(Press::Short)),
            (799, Some(Press::Short)),
            (800, None),
            (999, None),
            (1_000, Some(Press::Long)),
            (3_000, Some(Press::Long)),
            (3_001, None),
            (4_999, None),
            (5_000, Some(Press::Held)),
            (60_000, Some(Press::Held)),
        ];
        for (ms, expected) in table {
            let mut finger = Finger::new();
            finger.hold(true, ms);
            finger.hold(false, 100);
            assert_eq!(finger.told.as_slice(), expected.as_slice(), "{ms} ms");
        }
    }

    #[test]
    fn held_is_told_before_the_release_and_once() {
        let mut finger = Finger::new();
        finger.hold(true, 5_021);
        assert_eq!(finger.told, [Press::Held]);
        finger.hold(true, 20_000);
        finger.hold(false, 100);
        assert_eq!(finger.told, [Press::Held]);
    }

    #[test]
    fn a_button_that_is_down_at_start_means_nothing() {
        let mut finger = Finger {
            button: Button::new(),
            now: 0,
            told: Vec::new(),
        };
        finger.hold(true, 7_000);
        finger.hold(false, 100);
        assert_eq!(finger.told, []);
        finger.hold(true, 100);
        finger.hold(false, 100);
        assert_eq!(finger.told, [Press::Short]);
    }

    proptest! {
        #[test]
        fn bouncing_changes_nothing(
            ms in 50_u64..8_000, bounces in vec((1_u64..15, 1_u64..15), 0..10),
        ) {
            let mut finger = Finger::new();
            for &(on, off) in &bounces {
                finger.hold(true, on);
                finger.hold(false, off);
            }
            finger.hold(true, ms);
            for &(on, off) in &bounces {
                finger.hold(false, off);
                finger.hold(true, on);
            }
            // What bounces at the release is part of the press, as long as it does not settle.
            let ms = ms + bounces.iter().map(|(on, off)| on + off).sum::<u64>();
            finger.hold(false, 100);
            prop_assert_eq!(finger.told.first().copied(), meaning(ms));
            prop_assert!(finger.told.len() <= 1);
        }
    }

    /// A finger on a button that is sampled once a millisecond.
    struct Finger {
        button: Button,
        now: u64,
        told: Vec<Press>,
    }

    impl Finger {
        fn new() -> Finger {
            let mut finger = Finger {
                button: Button::new(),
                now: 0,
                told: Vec::new(),
            };
            finger.hold(false, 100);
            finger
        }

        fn hold(&mut self, pressed: bool, ms: u64) {
            for _ in 0..ms {
                self.told.extend(self.button.sample(pressed, self.now));
                self.now += 1;
            }
        }
    }
}
