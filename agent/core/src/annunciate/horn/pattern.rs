//! When a tone and a lamp are on: one table. The I/O board has the same (`firmware/src/horn.rs`).
//!
//! No pattern is the evacuation signal of ISO 8201 (three pulses, then a pause), nor close to it. Pulses
//! of an alarm that needs a person now come at 2 Hz (ISO 7731: 0.5 to 4 Hz), lamps flash at 2 Hz and at
//! 0.5 Hz (IEC 60073: normal and slow).

use super::{Horn, Lamp, Tone};
use crate::time::Mono;

/// What is on at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outputs {
    /// The horn.
    pub sound: bool,
    /// The red lamp.
    pub red: bool,
    /// The yellow lamp.
    pub yellow: bool,
    /// The green lamp.
    pub green: bool,
}

/// `pulses` times `on_ms` and `off_ms`, then nothing until `every_ms` begins it again.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    pulses: u64,
    on_ms: u64,
    off_ms: u64,
    every_ms: u64,
}

/// Longer than any gateway runs.
const ONCE: u64 = u64::MAX;

const LOW: Pattern = Pattern {
    pulses: 1,
    on_ms: 200,
    off_ms: 200,
    every_ms: 30_000,
};
const MEDIUM: Pattern = Pattern {
    pulses: 2,
    on_ms: 200,
    off_ms: 200,
    every_ms: 5_000,
};
const HIGH: Pattern = Pattern {
    pulses: 1,
    on_ms: 250,
    off_ms: 250,
    every_ms: 500,
};
const RINGBACK: Pattern = Pattern {
    pulses: 1,
    on_ms: 1_000,
    off_ms: 0,
    every_ms: ONCE,
};
const FLASH: Pattern = Pattern {
    pulses: 1,
    on_ms: 250,
    off_ms: 250,
    every_ms: 500,
};
const FLASH_SLOW: Pattern = Pattern {
    pulses: 1,
    on_ms: 1_000,
    off_ms: 1_000,
    every_ms: 2_000,
};

/// High priority spares the ears: 10 min as it is, 5 min as medium, then again.
const HIGH_FOR_MS: u64 = 10 * 60_000;
const HIGH_RESTS_MS: u64 = 5 * 60_000;

impl Pattern {
    /// Whether it is on, and after how many milliseconds that is to be looked at again, if ever.
    const fn at(self, elapsed_ms: u64) -> (bool, Option<u64>) {
        let round = elapsed_ms % self.every_ms;
        let pulse = self.on_ms + self.off_ms;
        let next_round = match self.every_ms {
            ONCE => None,
            every_ms => Some(every_ms - round),
        };
        if round >= self.pulses * pulse {
            return (false, next_round);
        }
        let within = round % pulse;
        if within < self.on_ms {
            return (true, Some(self.on_ms - within));
        }
        let is_last = round / pulse + 1 == self.pulses;
        let rest = if is_last {
            next_round
        } else {
            Some(pulse - within)
        };
        (false, rest)
    }
}

impl Tone {
    fn at(self, elapsed_ms: u64) -> (bool, Option<u64>) {
        match self {
            Tone::Silent => (false, None),
            Tone::Ringback => RINGBACK.at(elapsed_ms),
            Tone::Low => LOW.at(elapsed_ms),
            Tone::Medium => MEDIUM.at(elapsed_ms),
            Tone::High => match elapsed_ms % (HIGH_FOR_MS + HIGH_RESTS_MS) {
                loud @ 0..HIGH_FOR_MS => HIGH.at(loud),
                calm => MEDIUM.at(calm - HIGH_FOR_MS),
            },
        }
    }
}

impl Lamp {
    /// Lamps flash in step, whenever they began to.
    const fn at(self, now: Mono) -> (bool, Option<u64>) {
        match self {
            Lamp::Off => (false, None),
            Lamp::On => (true, None),
            Lamp::Flash => FLASH.at(now.0),
            Lamp::FlashSlow => FLASH_SLOW.at(now.0),
        }
    }

    /// Whether it is lit at `now`.
    pub const fn is_lit(self, now: Mono) -> bool {
        self.at(now).0
    }

    /// When it is to be looked at again; never, if it stays as it is.
    pub fn next_change(self, now: Mono) -> Option<Mono> {
        self.at(now).1.map(|ms| now + ms)
    }
}

impl Horn {
    /// Whether it is on at `now`, by its pattern.
    pub fn is_on(&self, now: Mono) -> bool {
        self.tone.at(now.since(self.since)).0
    }

    /// When that is to be looked at again; never, if it stays as it is.
    pub fn next_change(&self, now: Mono) -> Option<Mono> {
        let rest = self.tone.at(now.since(self.since)).1;
        rest.map(|ms| now + ms)
    }

    /// What is on at `now`.
    pub fn outputs(&self, now: Mono) -> Outputs {
        Outputs {
            sound: self.is_on(now),
            red: self.red.is_lit(now),
            yellow: self.yellow.is_lit(now),
            green: self.green.is_lit(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// When it is on within `ms` from its start.
    fn intervals(tone: Tone, ms: u64) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let mut began = None;
        for at in 0..=ms {
            match (tone.at(at).0, began) {
                (true, None) => began = Some(at),
                (false, Some(from)) => {
                    found.push((from, at));
                    began = None;
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn each_tone_has_its_pattern() {
        assert_eq!(intervals(Tone::Silent, 60_000), []);
        assert_eq!(intervals(Tone::Low, 40_000), [(0, 200), (30_000, 30_200)]);
        let medium = [(0, 200), (400, 600), (5_000, 5_200), (5_400, 5_600)];
        assert_eq!(intervals(Tone::Medium, 9_000), medium);
        assert_eq!(
            intervals(Tone::High, 1_400),
            [(0, 250), (500, 750), (1_000, 1_250)]
        );
        assert_eq!(intervals(Tone::Ringback, 100_000), [(0, 1_000)]);
    }

    /// The ears rest after ten minutes, and it is loud again after five more.
    #[test]
    fn a_high_tone_is_calmer_after_ten_minutes_and_comes_back() {
        let pulses = |from_min: u64| {
            let from = from_min * 60_000;
            let begins = |ms: &u64| Tone::High.at(*ms).0 && (*ms == 0 || !Tone::High.at(*ms - 1).0);
            (from..from + 60_000).filter(begins).count()
        };
        assert_eq!([0, 9, 10, 14, 15].map(pulses), [120, 120, 24, 24, 120]);
    }

    /// ISO 8201: three pulses of half a second, half a second apart, then a second and a half.
    #[test]
    fn no_tone_is_taken_for_the_evacuation_signal() {
        for tone in [Tone::Ringback, Tone::Low, Tone::Medium, Tone::High] {
            let pulses = intervals(tone, 16 * 60_000);
            let about_half_a_second = |ms: u64| (400..=600).contains(&ms);
            for three in pulses.windows(3) {
                let on = three
                    .iter()
                    .all(|(from, to)| about_half_a_second(to - from));
                let off = three
                    .windows(2)
                    .all(|two| about_half_a_second(two[1].0 - two[0].1));
                assert!(!(on && off), "{tone:?}: {three:?}");
            }
        }
    }

    #[test]
    fn pulses_and_flashes_come_at_the_rates_of_the_standards() {
        let hertz = |pattern: Pattern| 1000.0 / (pattern.on_ms + pattern.off_ms) as f64;
        for pulsing in [LOW, MEDIUM, HIGH] {
            assert!((0.5..=4.0).contains(&hertz(pulsing)));
        }
        assert!((1.4..=2.8).contains(&hertz(FLASH)));
        assert!((0.4..=0.8).contains(&hertz(FLASH_SLOW)));
    }

    fn tone() -> impl Strategy<Value = Tone> {
        prop_oneof![
            Just(Tone::Silent),
            Just(Tone::Ringback),
            Just(Tone::Low),
            Just(Tone::Medium),
            Just(Tone::High),
        ]
    }

    fn lamp() -> impl Strategy<Value = Lamp> {
        prop_oneof![
            Just(Lamp::Off),
            Just(Lamp::On),
            Just(Lamp::FlashSlow),
            Just(Lamp::Flash),
        ]
    }

    proptest! {
        /// Whoever sleeps until the next change misses none, and never wakes for the same moment.
        #[test]
        fn nothing_changes_before_the_next_change(
            tone in tone(),
            lamp in lamp(),
            since in 0u64..100_000,
            after in 0u64..2_000_000,
        ) {
            let horn = Horn { tone, since: Mono(since), ..Horn::default() };
            let now = Mono(since + after);
            let far = now + 40_000;
            let sound_until = horn.next_change(now).unwrap_or(far).min(far);
            let lamp_until = lamp.next_change(now).unwrap_or(far).min(far);
            prop_assert!(now < sound_until && now < lamp_until);
            for ms in now.0..sound_until.0 {
                prop_assert_eq!(horn.is_on(Mono(ms)), horn.is_on(now));
            }
            for ms in now.0..lamp_until.0 {
                prop_assert_eq!(lamp.is_lit(Mono(ms)), lamp.is_lit(now));
            }
        }
    }
}
