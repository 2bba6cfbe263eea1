//! The whole board: what comes in, what goes out, and what happens when the agent is dead.
//!
//! Fail-safe: without a heartbeat for 10 s (at start too) whatever the agent had ordered is void.
//! The board shows red and chirps until the agent is back. The acknowledge button silences the
//! chirp for [`SILENCED_FOR_MS`], as often as somebody presses it, and never for good.

use crate::button::Button;
use crate::counter::Counter;
use crate::horn::{self, Horn, Outputs};
use crate::link::{Identity, Link, Order};
use andon_wire::{ButtonEvent, Encoded, INPUTS, Inputs, Press, Signal};

/// How long a press silences the agent-dead chirp.
pub const SILENCED_FOR_MS: u64 = 5 * 60_000;

/// Levels that change are told at once, but no more often than this: a counting input changes
/// hundreds of times a second and would fill the line. The counts lose nothing by it.
const INPUTS_EVERY_MS: u64 = 50;

const BUTTONS: [andon_wire::Button; 4] = [
    andon_wire::Button::Acknowledge,
    andon_wire::Button::Reason1,
    andon_wire::Button::Reason2,
    andon_wire::Button::Reason3,
];

/// What the pins show; true is pressed, or on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pins {
    /// Acknowledge and the three reasons.
    pub buttons: [bool; 4],
    /// The counting inputs.
    pub inputs: [bool; INPUTS],
}

/// The board. Everything it remembers is in here.
#[derive(Debug)]
pub struct Board {
    link: Link,
    horn: Horn,
    buttons: [Button; 4],
    counters: [Counter; INPUTS],
    /// The levels the agent was told last, and when.
    told: ([bool; INPUTS], u64),
    /// Whether the agent was dead when we looked last.
    alone: bool,
    /// The agent-dead chirp is silent until then.
    silenced_until: u64,
    bootloader: bool,
}

/// Most of the static RAM the firmware will take beside its drivers.
const _: () = assert!(size_of::<Board>() <= 1024);

impl Board {
    /// A board that starts now. `counts` are zeros at power-on, or what RAM kept over a reset.
    pub fn new(identity: Identity, counts: [u64; INPUTS], now: u64) -> Board {
        Board {
            link: Link::new(identity, now),
            horn: Horn::default(),
            buttons: [const { Button::new() }; 4],
            counters: counts.map(Counter::new),
            told: ([false; INPUTS], now),
            alone: false,
            silenced_until: now,
            bootloader: false,
        }
    }

    /// Takes bytes from the agent, in any portions.
    pub fn receive(&mut self, bytes: &[u8], now: u64) {
        for &byte in bytes {
            match self.link.receive(byte, now) {
                Some(Order::Signal(signal)) => self.horn.set(signal, now),
                Some(Order::EnterBootloader) => self.bootloader = true,
                None => {}
            }
        }
    }

    /// Takes the pins; to be called once a millisecond.
    pub fn sample(&mut self, pins: Pins, now: u64) {
        for (counter, on) in self.counters.iter_mut().zip(pins.inputs) {
            counter.sample(on, now);
        }
        for (index, pressed) in pins.buttons.into_iter().enumerate() {
            if let Some(press) = self.buttons[index].sample(pressed, now) {
                self.pressed(BUTTONS[index], press, now);
            }
        }
        if self.levels() != self.told.0 && now.saturating_sub(self.told.1) >= INPUTS_EVERY_MS {
            self.link.tell_inputs();
        }
        let alone = self.link.is_agent_dead(now);
        if alone && !self.alone {
            self.horn.set(Signal::default(), now);
            self.silenced_until = now;
        }
        self.alone = alone;
    }

    /// What buzzer and lamps are to be now.
    pub fn outputs(&self, now: u64) -> Outputs {
        if self.link.is_agent_dead(now) {
            horn::agent_dead(self.link.agent_dead_for(now), now < self.silenced_until)
        } else {
            self.horn.outputs(now)
        }
    }

    /// The next frame to send, if there is one. Take one when the last is out.
    pub fn poll_transmit(&mut self, now: u64) -> Option<Encoded> {
        let levels = self.levels();
        let counts = self.counts();
        let told = &mut self.told;
        self.link.poll_transmit(now, |boot_id| {
            *told = (levels, now);
            Inputs {
                boot_id,
                uptime_ms: now,
                counts,
                levels,
            }
        })
    }

    /// Whether the agent has sent the board to the bootloader. Send what waits first.
    pub const fn wants_bootloader(&self) -> bool {
        self.bootloader
    }

    /// Pulses per input since power-on, to be kept over a reset.
    pub fn counts(&self) -> [u64; INPUTS] {
        self.counters.each_ref().map(Counter::count)
    }

    fn levels(&self) -> [bool; INPUTS] {
        self.counters.each_ref().map(Counter::is_on)
    }

    fn pressed(&mut self, button: andon_wire::Button, press: Press, now: u64) {
        if button == andon_wire::Button::Acknowledge && self.link.is_agent_dead(now) {
            self.silenced_until = now + SILENCED_FOR_MS;
        }
        self.link.tell_button(ButtonEvent { button, press });
    }
}
