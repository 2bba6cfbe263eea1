//! Connected but silent: a broker may have lost a subscription and kept the connection.
//!
//! Machines are switched off too. So a filter is subscribed to anew only when everything that
//! usually comes through it has become silent, and the connection is made anew only when everything
//! on the link has; each once for each silence, and neither is told as an outage.

use andon_core::time::Mono;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A topic is silent after so many times its expected period.
const PERIODS: u64 = 10;

/// And after at least so many milliseconds.
const LEAST_MS: u64 = 60_000;

/// From so many messages on a topic is one that speaks.
const USUAL: u32 = 3;

/// After so many times its patience it is silent although it was subscribed to anew.
const DEAF: u64 = 2;

/// When a topic spoke, and what.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    patience_ms: u64,
    messages: u32,
    last: Mono,
    print: Option<u64>,
    /// It was subscribed to anew in this silence.
    asked: bool,
}

impl Voice {
    /// A topic with a message expected every so many milliseconds.
    pub(super) fn new(every_ms: u64) -> Voice {
        Voice {
            patience_ms: every_ms.saturating_mul(PERIODS).max(LEAST_MS),
            messages: 0,
            last: Mono(0),
            print: None,
            asked: false,
        }
    }

    /// A message arrived; `live` unless it is the broker's retained copy. Returns whether it is the
    /// same as the one before.
    pub(super) fn heard(&mut self, at: Mono, topic: &str, payload: &[u8], live: bool) -> bool {
        let mut hasher = DefaultHasher::new();
        (topic, payload).hash(&mut hasher);
        let print = Some(hasher.finish());
        if live {
            self.messages = self.messages.saturating_add(1);
            self.last = at;
            self.asked = false;
        }
        std::mem::replace(&mut self.print, print) == print
    }

    const fn is_usual(&self) -> bool {
        self.messages >= USUAL
    }

    fn is_silent(&self, now: Mono, times: u64) -> bool {
        now.since(self.last) >= self.patience_ms.saturating_mul(times)
    }
}

/// Whether all that usually speak have become silent, and it was not yet dealt with; then it is.
pub(super) fn is_to_be_asked(voices: &mut [&mut Voice], now: Mono) -> bool {
    let usual = || voices.iter().filter(|voice| voice.is_usual());
    let silent = usual().next().is_some() && usual().all(|voice| voice.is_silent(now, 1));
    let news = silent && usual().any(|voice| !voice.asked);
    if news {
        voices.iter_mut().for_each(|voice| voice.asked = true);
    }
    news
}

/// Whether all that usually speak have been silent for long although they were asked.
pub(super) fn is_deaf<'v>(voices: impl Iterator<Item = &'v Voice>, now: Mono) -> bool {
    let mut usual = voices.filter(|voice| voice.is_usual()).peekable();
    usual.peek().is_some() && usual.all(|voice| voice.asked && voice.is_silent(now, DEAF))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn speaking(every_ms: u64, last: u64) -> Voice {
        let mut voice = Voice::new(every_ms);
        for at in [0, 1, last] {
            voice.heard(Mono(at), "t", b"x", true);
        }
        voice
    }

    #[test]
    fn a_silence_is_asked_about_once() {
        let (mut fast, mut slow) = (speaking(1000, 1000), speaking(60_000, 1000));
        let mut never = Voice::new(1000);
        let mut ask = |now| {
            let mut voices = [&mut fast, &mut slow, &mut never];
            is_to_be_asked(&mut voices, Mono(now))
        };
        assert!(!ask(5 * MINUTE), "the slow one need not have spoken yet");
        assert!(ask(10 * MINUTE + 1000));
        assert!(!ask(11 * MINUTE) && !ask(1000 * MINUTE));
        fast.heard(Mono(2000 * MINUTE), "t", b"x", true);
        let mut again = |now| is_to_be_asked(&mut [&mut fast, &mut slow], Mono(now));
        assert!(!again(2000 * MINUTE + 30_000));
        assert!(again(2001 * MINUTE), "another silence");
    }

    #[test]
    fn a_link_is_deaf_when_asking_did_not_help() {
        let mut voice = speaking(1000, 1000);
        assert!(
            !is_deaf([&voice].into_iter(), Mono(10 * MINUTE)),
            "not asked"
        );
        assert!(is_to_be_asked(&mut [&mut voice], Mono(2 * MINUTE)));
        assert!(
            !is_deaf([&voice].into_iter(), Mono(2 * MINUTE)),
            "just asked"
        );
        let later = Mono(2 * MINUTE + 1000);
        assert!(is_deaf([&voice].into_iter(), later));
        assert!(!is_deaf(
            [&voice, &speaking(1000, later.0)].into_iter(),
            later
        ));
        assert!(!is_deaf([].into_iter(), later));
    }

    #[test]
    fn a_topic_that_hardly_ever_speaks_is_not_missed() {
        let mut voice = Voice::new(1000);
        voice.heard(Mono(0), "t", b"x", true);
        for _ in 0..9 {
            voice.heard(Mono(0), "t", b"x", false);
        }
        assert!(!is_to_be_asked(&mut [&mut voice], Mono(u64::MAX)));
    }

    #[test]
    fn a_message_is_known_again_by_topic_and_content() {
        let mut voice = Voice::new(1000);
        assert!(!voice.heard(Mono(0), "t", b"x", true));
        assert!(voice.heard(Mono(1), "t", b"x", false));
        assert!(!voice.heard(Mono(2), "u", b"x", false));
        assert!(!voice.heard(Mono(3), "u", b"y", true));
    }
}
