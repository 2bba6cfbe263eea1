//! Commands from the network, as far as they have got: whoever sent them has the secret. Each is carried
//! out as an order of the command line is, and answered in the journal, in the same commit.

use super::shift::Shift;
use crate::clock;
use andon_core::alarm::Act;
use andon_core::engine::{Command, Refused};
use andon_core::record::{Answer, Event};

/// Commands that wait at once; beyond, whoever looks at them waits.
pub(super) const ROOM: usize = 16;

/// What can be commanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Something is done to an alarm.
    Alarm(Command),
    /// All sound stops for some time.
    Silence(Act),
}

/// A command, and the answer as far as it is known.
#[derive(Debug)]
pub struct Commanded {
    /// What is to be done; why nothing is, in words.
    pub wanted: Result<Wanted, String>,
    /// Whom the answer is for.
    pub answer: Answer,
}

impl Shift {
    /// Carries out a command, and answers it.
    pub(super) fn carry_out(&mut self, commanded: Commanded) {
        let Commanded { wanted, mut answer } = commanded;
        let now = clock::mono();
        self.catch_up(now);
        let done = wanted.and_then(|wanted| match wanted {
            Wanted::Alarm(command) => self
                .engine
                .handle_command(now, command)
                .map(|index| {
                    let alarm = self.engine.any_alarm(index);
                    answer.occurrence = alarm.map(|message| message.alarm.occurrence);
                })
                .map_err(|refused| match refused {
                    Refused::Unknown => "there is no such alarm".to_owned(),
                    Refused::Alarm(refusal) => refusal.to_string(),
                }),
            Wanted::Silence(act) => {
                let count = self.engine.handle_silence(now, act);
                answer.count = u64::try_from(count).ok();
                Ok(())
            }
        });
        answer.refused = done.err();
        tracing::info!(
            "command {} by {}: {}",
            answer.command.escape_debug(),
            answer.by.as_deref().unwrap_or("somebody"),
            answer.refused.as_deref().unwrap_or("done")
        );
        self.engine
            .handle_event(now, Event::Answer(Box::new(answer)));
        self.act(now);
        self.hurry();
    }
}
