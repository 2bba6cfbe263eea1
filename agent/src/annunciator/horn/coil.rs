//! A coil of a relay module, written through the link that holds the connection already.
//!
//! A write goes between two reads of that link, and only where `allow_write` permits it, which the link
//! checks once more. The module keeps a coil as it was left, also when the agent is gone. From time to time
//! it is read back: an echo of what was written proves no relay.

use super::drive::Switch;
use crate::field::Answer;
use crate::field::modbus::errand::{Done, Errands, Refusal, Task};
use crate::settings::Coil;
use andon_core::modbus::permit::Target;
use andon_core::tag::Table;
use std::time::Duration;
use tokio::time::sleep;

/// A module that was without power begins with its coils off.
const REFRESH: Duration = Duration::from_secs(10);

/// Others may have something to ask of the link; they are not many.
const BUSY: Duration = Duration::from_millis(50);
const TRIES_WHILE_BUSY: u32 = 10;

/// A coil that may be written.
#[derive(Debug)]
pub(super) struct Relay {
    coil: Coil,
    errands: Errands,
}

impl Relay {
    pub(super) const fn new(coil: Coil, errands: Errands) -> Relay {
        Relay { coil, errands }
    }
}

impl Switch for Relay {
    const REFRESH: Duration = REFRESH;

    async fn set(&mut self, on: bool) -> Result<(), String> {
        let task = Task::Write {
            unit: self.coil.unit,
            target: Target::Coil,
            address: self.coil.coil,
            value: u16::from(on),
        };
        let written = self.run(task).await.map(drop);
        written.map_err(|refusal| refusal.to_string())
    }

    async fn check(&mut self, on: bool) -> Result<(), String> {
        self.set(on).await?;
        let task = Task::Read {
            unit: self.coil.unit,
            table: Table::Coil,
            start: self.coil.coil,
            count: 1,
            patience: None,
        };
        match self.run(task).await {
            Ok(Done {
                answer: Answer::Bits(bits),
                ..
            }) if bits.first() != Some(&on) => {
                let (wanted, found) = if on { ("on", "off") } else { ("off", "on") };
                Err(format!(
                    "it was switched {wanted}, and reads back as {found}: does something else write it?"
                ))
            }
            // A module that tells no coils has taken the write all the same.
            Ok(_) | Err(Refusal::Exception(_)) => Ok(()),
            Err(refusal) => Err(refusal.to_string()),
        }
    }
}

impl Relay {
    async fn run(&self, task: Task) -> Result<Done, Refusal> {
        let mut tries = 0;
        loop {
            match self.errands.run(self.coil.link, task.clone()).await {
                Err(Refusal::Busy) if tries < TRIES_WHILE_BUSY => tries += 1,
                outcome => return outcome,
            }
            sleep(BUSY).await;
        }
    }
}
