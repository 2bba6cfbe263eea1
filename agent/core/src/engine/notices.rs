//! Telling people: what [`crate::annunciate`] decides from how the alarms stand.

use super::Engine;
use crate::annunciate::{Channel, Notice, NoticeId, Outcome, Reply};
use crate::time::Mono;

impl Engine {
    /// What is to be told next on a channel, at `at`; its worker has it in hand from now on, and is
    /// given the same again until it has said what became of it. It is to be told only when the
    /// checkpoint that this asks for is on disk, or cannot be. `random` is for the code of a reply.
    pub fn next_notice(&mut self, at: Mono, channel: Channel, random: u64) -> Option<Notice> {
        let _ = (at, channel, random);
        None
    }

    /// What became of a notice.
    pub fn handle_told(&mut self, at: Mono, notice: NoticeId, outcome: Outcome) {
        let _ = (at, notice, outcome);
    }

    /// Somebody has sent `text` from the number `from`; none if nobody has that number.
    pub fn handle_reply(&mut self, at: Mono, from: &str, text: &str) -> Option<Reply> {
        let _ = (at, from, text);
        None
    }
}
