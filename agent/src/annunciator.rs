//! What tells people: one worker for each channel, so that a server that hangs holds up nobody else.
//!
//! Whom to tell what is decided in the core, from the alarms as they stand at that moment; the workers
//! ask for the next thing to tell, tell it, and say how that went ([`Told`]). They go over nothing but
//! the channel itself: neither the broker nor the clock nor room in the outbox is needed.

pub mod horn;
pub mod mail;
pub mod sms;
mod test;
mod told;
pub mod webhook;
mod words;
mod worker;

use crate::run::{Closed, Desks};
use crate::settings::{Mail, Webhook};
use andon_core::annunciate::Channel;
use andon_core::time::Wall;
use tokio::task::JoinSet;
use told::Told;
use worker::Way;
pub(crate) use worker::{Setups, Speaker};

/// Starts the workers of the channels that the settings have; they end with the set.
pub(crate) fn start(
    workers: &mut JoinSet<()>,
    webhooks: Vec<Webhook>,
    mail: Option<Mail>,
    desks: &mut Desks,
    speaker: &Speaker,
) {
    let webhooks = webhooks.into_iter().zip(0..);
    let webhooks = webhooks.map(|(webhook, at)| (Channel::Webhook(at), Way::Webhook(webhook)));
    let mail = mail.map(|mail| (Channel::Mail, Way::Mail(mail)));
    for (channel, way) in webhooks.chain(mail) {
        let (desk, speaker) = (desks.desk(channel), speaker.clone());
        workers.spawn(async move {
            let Closed = worker::work(desk, way, speaker).await;
        });
    }
}

/// One thing to tell one recipient, in words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// Names this message over restarts and repeats, so that a receiver can tell a double from a second.
    pub(crate) id: String,
    /// What it is about, the same for everything that follows on it: `press-1.fault.3`. None for what is
    /// about several alarms, or none.
    pub(crate) about: Option<String>,
    /// Whether it is the first that is told of what it is about.
    pub(crate) is_first: bool,
    /// Whether it may not wait until somebody looks at less important ones.
    pub(crate) is_urgent: bool,
    /// All of it in one line.
    pub(crate) subject: String,
    /// The whole text; lines are parted by `\n`.
    pub(crate) text: String,
    /// Everything there is to know, for programs.
    pub(crate) fields: serde_json::Map<String, serde_json::Value>,
    /// When it was made.
    pub(crate) at: Wall,
}

/// At most `bytes` of a text, whole lines if it can be, with a mark where something was left out.
fn cut(text: &str, bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub(MARK.len() + 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    let head = match head.rfind('\n') {
        Some(line) if line > 0 => &head[..=line],
        _ => head,
    };
    format!("{head}{MARK}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_cut_between_lines() {
        assert_eq!(cut("one\ntwo\nthree", 13), "one\ntwo\nthree");
        assert_eq!(cut("one\ntwo\nthree", 12), "one\ntwo\n…");
        assert_eq!(cut("压力机故障", 10), "压力…");
    }

    proptest! {
        #[test]
        fn what_is_cut_is_never_longer(text in "[a\n压…]{0,40}", bytes in 4_usize..60) {
            let cut = cut(&text, bytes);
            prop_assert!(cut.len() <= bytes);
            prop_assert_eq!(cut == text, text.len() <= bytes);
        }
    }
}
