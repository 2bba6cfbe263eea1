//! When buzzer and lamps are on: patterns by priority, one table.
//!
//! None of them is the evacuation signal (three pulses, then a pause), nor close to it. The buzzer
//! informs; it is no safety function.

use andon_wire::{Lamp, Signal, Tone};

/// What the pins shall show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outputs {
    /// The buzzer.
    pub buzzer: bool,
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

/// Longer than any board runs.
const ONCE: u64 = u64::MAX;

const SILENT: Pattern = Pattern {
    pulses: 0,
    on_ms: 0,
    off_ms: 1,
    every_ms: ONCE,
};
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
const TEST: Pattern = Pattern {
    pulses: 1,
    on_ms: 3_000,
    off_ms: 0,
    every_ms: ONCE,
};
const AGENT_DEAD: Pattern = Pattern {
    pulses: 1,
    on_ms: 100,
    off_ms: 0,
    every_ms: 30_000,
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
    const fn is_on(self, elapsed: u64) -> bool {
        let elapsed = elapsed % self.every_ms;
        let pulse = self.on_ms + self.off_ms;
        elapsed < self.pulses * pulse && elapsed % pulse < self.on_ms
    }
}

/// Plays what the agent asked for.
#[derive(Debug, Default)]
pub struct Horn {
    signal: Signal,
    since: u64,
}

impl Horn {
    /// Takes what to play from now on. A tone that goes on is not disturbed.
    pub fn set(&mut self, signal: Signal, now: u64) {
        if (signal.tone, signal.start) != (self.signal.tone, self.signal.start) {
            self.since = now;
        }
        self.signal = signal;
    }

    /// What is on now. Lamps flash in step, whenever they were told to.
    pub fn outputs(&self, now: u64) -> Outputs {
        let elapsed = now.saturating_sub(self.since);
        let buzzer = sounds(self.signal.tone, elapsed);
        let test = self.signal.tone == Tone::Test && buzzer;
        Outputs {
            buzzer,
            red: test || shines(self.signal.red, now),
            yellow: test || shines(self.signal.yellow, now),
            green: test || shines(self.signal.green, now),
        }
    }
}

/// What is on when the agent has been dead for `elapsed`: red, and a chirp unless somebody has
/// silenced it.
pub const fn agent_dead(elapsed: u64, silenced: bool) -> Outputs {
    let buzzer = !silenced && AGENT_DEAD.is_on(elapsed);
    Outputs {
        buzzer,
        red: true,
        yellow: false,
        green: false,
    }
}

const fn sounds(tone: Tone, elapsed: u64) -> bool {
    match tone {
        Tone::Silent => SILENT.is_on(elapsed),
        Tone::Low => LOW.is_on(elapsed),
        Tone::Medium => MEDIUM.is_on(elapsed),
        Tone::High => match elapsed % (HIGH_FOR_MS + HIGH_RESTS_MS) {
            elapsed @ 0..HIGH_FOR_MS => HIGH.is_on(elapsed),
            elapsed => MEDIUM.is_on(elapsed - HIGH_FOR_MS),
        },
        Tone::Ringback => RINGBACK.is_on(elapsed),
        Tone::Test => TEST.is_on(elapsed),
    }
}

const fn shines(lamp: Lamp, now: u64) -> bool {
    match lamp {
        Lamp::Off => false,
        Lamp::On => true,
        Lamp::Flash => FLASH.is_on(now),
        Lamp::FlashSlow => FLASH_SLOW.is_on(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_tone_has_its_pattern() {
        assert_sounds(Tone::Silent, 100_000, &[]);
        assert_sounds(Tone::Low, 40_000, &[(0, 200), (30_000, 30_200)]);
        let medium = [(0, 200), (400, 600), (5_000, 5_200), (5_400, 5_600)];
        assert_sounds(Tone::Medium, 9_000, &medium);
        assert_sounds(Tone::High, 1_400, &[(0, 250), (500, 750), (1_000, 1_250)]);
        assert_sounds(Tone::Ringback, 100_000, &[(0, 1_000)]);
        assert_sounds(Tone::Test, 100_000, &[(0, 3_000)]);
    }

    #[test]
    fn agent_dead_chirps_every_thirty_seconds_and_shows_red() {
        let chirps = intervals(70_000, |ms| agent_dead(ms, false).buzzer);
        assert_eq!(chirps, [(0, 100), (30_000, 30_100), (60_000, 60_100)]);
        assert_eq!(intervals(70_000, |ms| agent_dead(ms, true).buzzer), []);
        let lamps = Outputs {
            red: true,
            ..Outputs::default()
        };
        assert_eq!(agent_dead(0, true), lamps);
    }

    #[test]
    fn lamps_flash_at_two_rates() {
        assert_eq!(
            intervals(900, |ms| shines(Lamp::Flash, ms)),
            [(0, 250), (500, 750)]
        );
        let slow = [(0, 1_000), (2_000, 3_000)];
        assert_eq!(intervals(3_500, |ms| shines(Lamp::FlashSlow, ms)), slow);
        assert_eq!(intervals(100, |ms| shines(Lamp::Off, ms)), []);
        assert!(shines(Lamp::On, 0));
    }

    #[test]
    fn high_rests_after_ten_minutes_and_comes_back() {
        let pulses = |from: u64| intervals(5_000, |ms| sounds(Tone::High, from + ms)).len();
        assert_eq!(pulses(HIGH_FOR_MS - 5_000), 10);
        assert_eq!(pulses(HIGH_FOR_MS), 2);
        assert_eq!(pulses(HIGH_FOR_MS + HIGH_RESTS_MS - 5_000), 2);
        assert_eq!(pulses(HIGH_FOR_MS + HIGH_RESTS_MS), 10);
    }

    #[test]
    fn the_test_lights_every_lamp_and_gives_them_back() {
        let mut horn = Horn::default();
        horn.set(
            Signal {
                tone: Tone::Test,
                yellow: Lamp::On,
                ..Signal::default()
            },
            50,
        );
        let all = Outputs {
            buzzer: true,
            red: true,
            yellow: true,
            green: true,
        };
        assert_eq!(horn.outputs(3_049), all);
        assert_eq!(
            horn.outputs(3_050),
            Outputs {
                yellow: true,
                ..Outputs::default()
            }
        );
    }

    #[test]
    fn another_start_begins_the_tone_again() {
        let mut horn = Horn::default();
        let ringback = Signal {
            tone: Tone::Ringback,
            ..Signal::default()
        };
        horn.set(ringback, 0);
        horn.set(
            Signal {
                red: Lamp::On,
                ..ringback
            },
            2_000,
        );
        assert!(!horn.outputs(2_000).buzzer, "only the lamp changed");
        horn.set(
            Signal {
                start: 1,
                ..ringback
            },
            3_000,
        );
        assert!(horn.outputs(3_999).buzzer);
        assert!(!horn.outputs(4_000).buzzer);
    }

    proptest! {
        #[test]
        fn repeating_a_signal_disturbs_nothing(repeats in 0_u64..100, every in 1_u64..1_000) {
            let signal = Signal { tone: Tone::Medium, red: Lamp::Flash, ..Signal::default() };
            let (mut told_once, mut told_often) = (Horn::default(), Horn::default());
            told_once.set(signal, 0);
            for now in (0..=repeats).map(|n| n * every) {
                told_often.set(signal, now);
                prop_assert_eq!(told_often.outputs(now), told_once.outputs(now));
            }
        }
    }

    fn assert_sounds(tone: Tone, until: u64, pulses: &[(u64, u64)]) {
        assert_eq!(intervals(until, |ms| sounds(tone, ms)), pulses, "{tone:?}");
    }

    /// From, to: where `on` holds within `until` milliseconds.
    fn intervals(until: u64, on: impl Fn(u64) -> bool) -> Vec<(u64, u64)> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        for ms in (0..until).filter(|&ms| on(ms)) {
            match found.last_mut() {
                Some((_, end)) if *end == ms => *end = ms + 1,
                _ => found.push((ms, ms + 1)),
            }
        }
        found
    }
}
