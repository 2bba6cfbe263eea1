//! What the I/O board says besides its inputs: which start its counts belong to, and its buttons.

use super::Engine;
use crate::alarm::{Act, Verb, Via};
use crate::tag::{Pin, Source, TagIndex};
use crate::time::Mono;
use alloc::sync::Arc;

/// How long the acknowledge button of the board was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Under 0.8 s.
    Short,
    /// 1 s to 3 s.
    Long,
    /// 5 s and more.
    Held,
}

/// What a press of the acknowledge button has come to, with the number of alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// They sounded, and do no more.
    Silenced(usize),
    /// They are acknowledged.
    Acknowledged(usize),
    /// They were latched, and may go.
    Reset(usize),
}

/// Somebody at the board, whoever that is.
pub(super) const fn by_button() -> Act {
    Act {
        by: None,
        via: Via::Board,
        why: None,
    }
}

impl Engine {
    /// The acknowledge button was pressed: what sounds is silent after a short press, and what is to be
    /// acknowledged is after the next one, or after a long one; what is latched goes after a press that
    /// was held. A press that comes just when another alarm begins to sound silences that, and
    /// acknowledges nothing that nobody has seen.
    pub fn handle_press(&mut self, at: Mono, press: Press) -> Pressed {
        let act = by_button();
        match press {
            Press::Short => match self.handle_silence(at, act.clone()) {
                0 => self.acknowledge_all(at, &act),
                silenced => Pressed::Silenced(silenced),
            },
            Press::Long => self.acknowledge_all(at, &act),
            Press::Held => Pressed::Reset(self.handle_command_to_all(at, Verb::Reset, &act)),
        }
    }

    fn acknowledge_all(&mut self, at: Mono, act: &Act) -> Pressed {
        Pressed::Acknowledged(self.handle_command_to_all(at, Verb::Acknowledge, act))
    }

    /// Counts of the board belong to the start with this `boot_id` from `at` on. Under another one than
    /// before they have begun at zero: what was counted in between, until power went, is nobody's
    /// knowledge, however high they are by now.
    pub fn handle_board_boot(&mut self, at: Mono, boot_id: u32) {
        self.roll(at);
        let before = self.board_boot.replace(boot_id);
        if before.is_none_or(|before| before == boot_id) {
            return;
        }
        let plant = Arc::clone(&self.plant);
        for (entry, device) in self.devices.iter_mut().zip(&plant.devices) {
            for (index, tag) in (0..).map(TagIndex).zip(&device.model.tags) {
                let Source::Board(Pin::Count(_)) = tag.source else {
                    continue;
                };
                if let (Some(machine), Some(role)) = (&mut entry.machine, tag.role) {
                    machine.forget_count(role.counts);
                }
                if let Some(track) = self.tags.track(entry.first_slot + usize::from(index.0)) {
                    track.forget();
                }
            }
        }
    }
}
