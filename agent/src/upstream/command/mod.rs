//! Commands from the network: `cmd/ack`, `cmd/silence`, `cmd/reset`, `cmd/shelve` and `cmd/unshelve` below the
//! gateway's topic. Off unless `[upstream] commands` is set.
//!
//! What it promises:
//!
//! - Nothing else can be commanded, and nothing by anybody without the secret ([`asked`]).
//! - Each command is carried out once at most: what is retained, stale or repeated is ignored ([`fresh`]).
//! - It goes the way of every acknowledgement, and its answer is put into the journal together with what
//!   it has led to ([`crate::run::Commanded`]). What may come from somebody without the secret, or again, is
//!   not answered: it is counted, and told in the log ([`Refusals`]).
//! - It holds nothing up. The way up puts what it hears into a queue of [`ROOM`]; when that is full,
//!   commands are turned away.
//! - A broker that ends the connection because of the subscription, or a payload that ends it, costs
//!   commands, for [`REST`], and nothing else.

pub mod asked;
mod fresh;

pub use fresh::MOST as MOST_NONCES;

use crate::clock;
use crate::run::{Commanded, Refusals, Remote};
use crate::settings;
use crate::tokens::TokenFile;
use andon_core::alarm::{LONGEST_BY, Via};
use andon_core::record::Answer;
use andon_core::time::Now;
use asked::{Asked, LARGEST};
use bytes::Bytes;
use fresh::Fresh;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Commands that wait to be looked at. A broker has about 20 on their way at a time.
pub const ROOM: usize = 64;

/// How long commands are not listened to where that has ended the connection.
const REST: Duration = Duration::from_secs(10 * 60);

/// Connections that end before the broker has answered the subscription, until it is held to be why.
const PATIENCE: u32 = 3;

/// Levels of a topic that are longer are no command.
const LONGEST_NAME: usize = 32;

/// One message on a command topic.
#[derive(Debug)]
struct Heard {
    topic: String,
    payload: Bytes,
}

/// Where the way up hears commands.
#[derive(Debug)]
pub struct Ear {
    filter: String,
    queue: mpsc::Sender<Heard>,
    refusals: Refusals,
    /// When to subscribe on this connection.
    due: Option<Instant>,
    /// The broker has not answered the subscription.
    is_asked: bool,
    /// Connections in a row that ended so.
    unanswered: u32,
    rest_until: Option<Instant>,
    /// Whether commands arrive, as far as the log tells.
    told: Option<bool>,
}

/// Begins to look at commands, if any may come: in `tasks`, until the ear is dropped. `head` is what every
/// topic of this gateway begins with; what is to be done goes to `engine`.
pub async fn open(
    settings: Option<&settings::Commands>,
    head: &str,
    engine: mpsc::Sender<Commanded>,
    refusals: &Refusals,
    tasks: &mut JoinSet<()>,
) -> Option<Ear> {
    let settings = settings?;
    let path = settings.token_file.clone();
    let token = TokenFile::new(path, "command_token_file", "for commands");
    if let Err(why) = token.prepare().await {
        // It is read for each command, so that this can be put right meanwhile.
        tracing::error!("nobody can command anything: {why}");
    }
    let (queue, heard) = mpsc::channel(ROOM);
    let clerk = Clerk {
        head: format!("{head}/cmd/"),
        token,
        only_signed: settings.only_signed,
        fresh: Fresh::new(clock::mono()),
        refusals: refusals.clone(),
    };
    tasks.spawn(clerk.work(heard, engine));
    Some(Ear {
        filter: format!("{head}/cmd/+"),
        queue,
        refusals: refusals.clone(),
        due: None,
        is_asked: false,
        unanswered: 0,
        rest_until: None,
        told: None,
    })
}

impl Ear {
    /// A connection begins.
    pub(super) fn connected(&mut self) {
        self.is_asked = false;
        self.due = self.rest_until.or_else(|| Some(Instant::now()));
    }

    /// When to subscribe, if that is to be done.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The topics to subscribe to, now.
    pub(super) fn listen(&mut self) -> String {
        self.due = None;
        self.rest_until = None;
        self.is_asked = true;
        self.filter.clone()
    }

    /// Whether the broker lets us listen.
    pub(super) fn answered(&mut self, is_granted: bool) {
        self.is_asked = false;
        self.unanswered = 0;
        if self.told.replace(is_granted) == Some(is_granted) {
            return;
        }
        let filter = &self.filter;
        match is_granted {
            true => tracing::info!("commands are taken from {filter}"),
            false => tracing::warn!(
                "no commands arrive: the broker does not let this gateway subscribe to {filter}; \
                 its rules must allow that"
            ),
        }
    }

    /// The connection is over; `is_choked` says that a packet was too large.
    pub(super) fn over(&mut self, is_choked: bool) {
        self.due = None;
        if std::mem::take(&mut self.is_asked) {
            self.unanswered += 1;
        }
        if !is_choked && self.unanswered < PATIENCE {
            return;
        }
        let why = match is_choked {
            true => "somebody has sent a packet that ends the connection",
            false => "the broker ends the connection when it is asked for them",
        };
        tracing::error!(
            "no commands for {} min: {why}; see to its rules for {}",
            REST.as_secs() / 60,
            self.filter
        );
        self.unanswered = 0;
        self.told = None;
        self.rest_until = Some(Instant::now() + REST);
    }

    /// Somebody said this.
    pub(super) fn heard(&self, topic: String, payload: Bytes, is_retained: bool) {
        if is_retained {
            note(
                &self.refusals,
                &topic,
                "it is retained, which no command may be",
            );
        } else if payload.len() > LARGEST {
            note(&self.refusals, &topic, "the payload is too large");
        } else if let Err(mpsc::error::TrySendError::Full(heard)) =
            self.queue.try_send(Heard { topic, payload })
        {
            note(&self.refusals, &heard.topic, "too many wait");
        }
    }
}

/// Nothing came of what was sent to this topic.
fn note(refusals: &Refusals, topic: &str, why: impl std::fmt::Display) {
    let name = topic.rsplit('/').next().unwrap_or_default();
    let name: String = name.chars().take(LONGEST_NAME).collect();
    refusals.note(
        Remote::Mqtt,
        format_args!("cmd/{}: {why}", name.escape_debug()),
    );
}

/// Looks at commands, one after the other.
struct Clerk {
    /// Topics of commands without their last level.
    head: String,
    token: TokenFile,
    only_signed: bool,
    fresh: Fresh,
    refusals: Refusals,
}

impl Clerk {
    async fn work(mut self, mut heard: mpsc::Receiver<Heard>, engine: mpsc::Sender<Commanded>) {
        while let Some(Heard { topic, payload }) = heard.recv().await {
            let secret = self.token.read().await;
            match self.judge(clock::now(), &topic, &payload, secret) {
                Ok(commanded) => {
                    if engine.send(commanded).await.is_err() {
                        return;
                    }
                }
                Err(why) => note(&self.refusals, &topic, why),
            }
        }
    }

    /// What is to be done; or why nothing is, and nobody is answered.
    fn judge(
        &mut self,
        now: Now,
        topic: &str,
        payload: &[u8],
        secret: Result<String, String>,
    ) -> Result<Commanded, String> {
        let name = topic.strip_prefix(&self.head);
        let name = name.filter(|name| name.len() <= LONGEST_NAME);
        let name = name.ok_or("no command has such a topic")?;
        let asked = Asked::read(payload)?;
        asked.authorise(topic, &secret?, self.only_signed)?;
        let nonce = &asked.nonce;
        self.fresh
            .take(now, asked.ts, nonce)
            .map_err(|not_new| not_new.to_string())?;
        let by = asked.by.as_deref().filter(|by| by.len() <= LONGEST_BY);
        Ok(Commanded {
            wanted: asked.wanted(name),
            answer: Answer {
                command: name.into(),
                id: asked.id.as_deref().map(Into::into),
                occurrence: asked.occurrence,
                nonce: nonce.as_str().into(),
                by: by.map(Into::into),
                via: Via::Mqtt,
                count: None,
                refused: None,
            },
        })
    }
}

#[cfg(test)]
mod tests;
