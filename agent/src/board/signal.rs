//! What the horn is to do, in the board's words: both have the same patterns.

use andon_core::annunciate::horn::{self, Horn};
use andon_wire::{Lamp, Signal, Tone};

/// What the board is to sound and show for a horn.
pub(super) const fn of(horn: &Horn) -> Signal {
    Signal {
        tone: match horn.tone {
            horn::Tone::Silent => Tone::Silent,
            horn::Tone::Ringback => Tone::Ringback,
            horn::Tone::Low => Tone::Low,
            horn::Tone::Medium => Tone::Medium,
            horn::Tone::High => Tone::High,
        },
        start: horn.start,
        red: lamp(horn.red),
        yellow: lamp(horn.yellow),
        green: lamp(horn.green),
    }
}

const fn lamp(lamp: horn::Lamp) -> Lamp {
    match lamp {
        horn::Lamp::Off => Lamp::Off,
        horn::Lamp::On => Lamp::On,
        horn::Lamp::FlashSlow => Lamp::FlashSlow,
        horn::Lamp::Flash => Lamp::Flash,
    }
}

/// The test, with a number that begins it anew.
pub(super) const fn test(playing: Signal) -> Signal {
    Signal {
        tone: Tone::Test,
        start: playing.start.wrapping_add(0x80),
        ..playing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_board::horn::Horn as Player;
    use andon_core::time::Mono;

    const TONES: [horn::Tone; 5] = [
        horn::Tone::Silent,
        horn::Tone::Ringback,
        horn::Tone::Low,
        horn::Tone::Medium,
        horn::Tone::High,
    ];
    const LAMPS: [horn::Lamp; 4] = [
        horn::Lamp::Off,
        horn::Lamp::On,
        horn::Lamp::Flash,
        horn::Lamp::FlashSlow,
    ];
    /// High priority with its rest, and the beginning of the next round; in milliseconds.
    const LONG_ENOUGH: u64 = 16 * 60_000;

    /// Each has a table of its own, and a hall with both hears one alarm.
    #[test]
    fn board_and_agent_play_the_same() {
        const SINCE: u64 = 1_234;
        for (tone, lamp) in TONES
            .iter()
            .flat_map(|tone| LAMPS.map(|lamp| (*tone, lamp)))
        {
            let horn = Horn {
                tone,
                since: Mono(SINCE),
                red: lamp,
                yellow: lamp,
                green: lamp,
                ..Horn::default()
            };
            let mut player = Player::default();
            player.set(of(&horn), SINCE);
            for ms in SINCE..SINCE + LONG_ENOUGH {
                let board = player.outputs(ms);
                let agent = horn.outputs(Mono(ms));
                assert_eq!(
                    (board.buzzer, board.red, board.yellow, board.green),
                    (agent.sound, agent.red, agent.yellow, agent.green),
                    "{tone:?}, {lamp:?} at {ms} ms"
                );
            }
        }
    }
}
