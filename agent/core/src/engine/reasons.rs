//! Why a machine stands, as an operator says it with a button of the I/O board.
//!
//! A reason splits the time in which a machine is delayed, faulted or set up, and changes none of it:
//! what the machine tells itself is what is accounted. It holds until the status tells something else,
//! over time in which nothing is known too, and over a restart.

use super::board::by_button;
use super::{Command, Engine, Press};
use crate::alarm::Verb;
use crate::call::Call;
use crate::plant::{Means, StopReason};
use crate::sample::Value;
use crate::state::State;
use crate::tag::DeviceIndex;
use crate::time::Mono;
use alloc::format;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// What an operator has said, and of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Id of the reason.
    reason: Arc<str>,
    /// What the machine showed.
    shown: State,
    /// The raw status value.
    code: Option<Value>,
}

/// Whether a state is one that may have a reason; one that produces has none, nor one without an order.
const fn may_have_reason(state: State) -> bool {
    matches!(state, State::Delayed | State::Faulted | State::Setup)
}

impl Engine {
    /// A reason button of the board was pressed, 0 the first: says for how many machines that was of
    /// any use; none if the button has no meaning.
    ///
    /// Of a call a short press calls, a long one says that somebody has arrived, and one that was held
    /// that it is solved. A reason is said by any of them.
    pub fn handle_button(&mut self, at: Mono, button: usize, press: Press) -> Option<usize> {
        self.roll(at);
        let plant = Arc::clone(&self.plant);
        let button = plant.buttons.get(button)?.as_ref()?;
        Some(match &button.means {
            Means::Stop(reason) => self.say(at, reason, &button.devices),
            Means::Call(call) => self.take_step(at, *call, press, &button.devices),
        })
    }

    fn take_step(&mut self, at: Mono, call: Call, press: Press, devices: &[DeviceIndex]) -> usize {
        let verb = match press {
            Press::Short => Verb::Call,
            Press::Long => Verb::Acknowledge,
            Press::Held => Verb::Solve,
        };
        let mut count = 0;
        for device in devices {
            let command = Command {
                id: format!("{}.{}", self.plant.device(*device).id, call.id()).into(),
                verb,
                occurrence: None,
                act: by_button(),
            };
            // Who has been called already is not called twice.
            count += usize::from(self.handle_command(at, command).is_ok());
        }
        count
    }

    /// Says why machines stand, as far as they do.
    fn say(&mut self, at: Mono, reason: &StopReason, devices: &[DeviceIndex]) -> usize {
        let mut count = 0;
        for device in devices {
            let index = usize::from(device.0);
            self.advance(index, at);
            let entry = &mut self.devices[index];
            let stands = entry
                .machine
                .as_ref()
                .filter(|machine| may_have_reason(machine.shown()));
            if let Some(machine) = stands {
                entry.said = Some(Said {
                    reason: reason.id.clone(),
                    shown: machine.shown(),
                    code: machine.code().cloned(),
                });
                count += 1;
                self.mark(index);
            }
            self.tell_state(index);
        }
        count
    }

    /// Forgets what was said of something that the machine shows no more.
    pub(super) fn outdate_reason(&mut self, index: usize) {
        let entry = &mut self.devices[index];
        let (Some(said), Some(machine)) = (&entry.said, &entry.machine) else {
            return;
        };
        let shown = machine.shown();
        if shown != State::Unknown && (shown != said.shown || machine.code() != said.code.as_ref())
        {
            entry.said = None;
        }
    }

    /// Id of the reason that was said of what a machine shows.
    pub(super) fn reason_id(&self, index: usize) -> Option<&Arc<str>> {
        let entry = &self.devices[index];
        let shown = entry.machine.as_ref()?.shown();
        let said = entry.said.as_ref().filter(|said| said.shown == shown)?;
        Some(&said.reason)
    }

    /// The reason that was said of what a machine shows, if it is still configured.
    pub(super) fn reason(&self, index: usize) -> Option<&StopReason> {
        self.plant.reason(self.reason_id(index)?)
    }

    /// Goes on from what a run before was told of a device.
    pub(super) fn say_again(&mut self, id: &str, said: Option<Said>) {
        let mut devices = self.devices.iter_mut().zip(&self.plant.devices);
        if let Some((entry, _)) = devices.find(|(_, device)| *device.id == *id) {
            entry.said = said;
        }
    }
}
