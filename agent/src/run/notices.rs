//! What is to be told to people, from the engine's task to the workers of the channels.
//!
//! A worker is woken when there may be something, takes one notice in hand, tells it and says what
//! became of it. What it has in hand is on disk before it goes out, so that a kill in between is known
//! as what it is; but a disk that takes nothing keeps nobody from being told.

use super::shift::Shift;
use crate::clock;
use crate::store::random;
use andon_core::annunciate::{Channel, Notice, NoticeId, Outcome, Reply};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

/// Words of workers that wait at once; beyond, a worker waits.
const ROOM: usize = 16;

/// A notice does not wait longer for the disk.
const DISK_PATIENCE: Duration = Duration::from_secs(2);

/// What a worker says to the engine's task.
#[derive(Debug)]
pub enum Word {
    /// What is next on this channel?
    Next(Channel, oneshot::Sender<Option<InHand>>),
    /// What became of a notice.
    Told(NoticeId, Outcome),
    /// The network reports that a message with this code will not be delivered to a recipient; in words.
    Undelivered(usize, u16, String),
    /// Somebody has sent a text message; answered when what it has led to is on disk.
    Reply {
        /// The number of the sender.
        from: String,
        /// What it says.
        text: String,
        /// What it came to; none if nobody has that number.
        answer: oneshot::Sender<(Option<Reply>, oneshot::Receiver<()>)>,
    },
}

/// A notice, and when it may go out.
#[derive(Debug)]
pub struct InHand {
    notice: Notice,
    durable: oneshot::Receiver<()>,
}

/// Where the worker of one channel gets what is to be told.
#[derive(Debug)]
pub struct Desk {
    channel: Channel,
    words: mpsc::Sender<Word>,
    woken: Arc<Notify>,
}

/// The engine's task is gone: the agent stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Desk {
    /// Waits until there may be something to tell. Nothing is lost by giving up.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Takes what is next in hand; none if there is nothing now.
    pub async fn take(&self) -> Result<Option<Notice>, Closed> {
        let (answer, answered) = oneshot::channel();
        self.say(Word::Next(self.channel, answer)).await?;
        let Some(in_hand) = answered.await.map_err(|_| Closed)? else {
            return Ok(None);
        };
        // Whether it is on disk, or cannot be, or does not get there in time.
        let _ = timeout(DISK_PATIENCE, in_hand.durable).await;
        Ok(Some(in_hand.notice))
    }

    /// Waits for something to tell, and takes it in hand.
    pub async fn next(&self) -> Result<Notice, Closed> {
        loop {
            if let Some(notice) = self.take().await? {
                return Ok(notice);
            }
            self.woken().await;
        }
    }

    /// Says what became of a notice.
    pub async fn told(&self, notice: NoticeId, outcome: Outcome) -> Result<(), Closed> {
        self.say(Word::Told(notice, outcome)).await
    }

    /// Says that what a recipient was sent with this code, and the network had taken, will not be
    /// delivered.
    pub async fn undelivered(
        &self,
        recipient: usize,
        code: u16,
        why: String,
    ) -> Result<(), Closed> {
        self.say(Word::Undelivered(recipient, code, why)).await
    }

    /// Passes on what somebody has sent, and waits until what it has led to is on disk; none if
    /// nobody has that number.
    pub async fn reply(&self, from: String, text: String) -> Result<Option<Reply>, Closed> {
        let (answer, answered) = oneshot::channel();
        self.say(Word::Reply { from, text, answer }).await?;
        let (reply, durable) = answered.await.map_err(|_| Closed)?;
        let _ = timeout(DISK_PATIENCE, durable).await;
        Ok(reply)
    }

    async fn say(&self, word: Word) -> Result<(), Closed> {
        self.words.send(word).await.map_err(|_| Closed)
    }
}

/// The engine's end of all desks.
#[derive(Debug)]
pub struct Desks {
    words: mpsc::Sender<Word>,
    woken: Vec<(Channel, Arc<Notify>)>,
}

impl Desks {
    /// Nobody is told yet; what workers say arrives where this says.
    pub(super) fn new() -> (Desks, mpsc::Receiver<Word>) {
        let (words, said) = mpsc::channel(ROOM);
        let woken = Vec::new();
        (Desks { words, woken }, said)
    }

    /// The desk of a channel, for its one worker, which is woken at once.
    pub fn desk(&mut self, channel: Channel) -> Desk {
        let woken = Arc::new(Notify::new());
        woken.notify_one();
        self.woken.push((channel, Arc::clone(&woken)));
        Desk {
            channel,
            words: self.words.clone(),
            woken,
        }
    }

    /// There may be something to tell.
    pub(super) fn wake(&self, channel: Channel) {
        for (of, woken) in &self.woken {
            if *of == channel {
                woken.notify_one();
            }
        }
    }
}

impl Shift {
    /// Does what the worker of a channel wants.
    pub(super) fn attend(&mut self, word: Word) {
        let now = clock::mono();
        self.catch_up(now);
        match word {
            Word::Next(channel, answer) => {
                let notice = self.engine.next_notice(now, channel, unguessable());
                self.act(now);
                let in_hand = notice.map(|notice| InHand {
                    notice,
                    durable: self.on_disk(),
                });
                // A worker that is gone meanwhile is given the same when it asks again.
                let _ = answer.send(in_hand);
            }
            Word::Told(notice, outcome) => {
                self.engine.handle_told(now, notice, outcome);
                self.act(now);
            }
            Word::Undelivered(recipient, code, why) => {
                self.engine.handle_undelivered(now, recipient, code, why);
                self.act(now);
            }
            Word::Reply { from, text, answer } => {
                let reply = self.engine.handle_reply(now, &from, &text);
                self.act(now);
                let _ = answer.send((reply, self.on_disk()));
            }
        }
    }
}

impl Shift {
    /// Done when everything that was asked to be stored so far is on disk, or at once where the disk
    /// takes nothing.
    fn on_disk(&mut self) -> oneshot::Receiver<()> {
        let (durable, done) = oneshot::channel();
        if !self.failing {
            self.promises.wait(durable);
        }
        done
    }
}

/// For codes of replies: nobody else can guess it.
fn unguessable() -> u64 {
    let mut bytes = [0; 8];
    // Without it codes can be guessed, and people are told all the same.
    let _ = random(&mut bytes);
    u64::from_ne_bytes(bytes)
}
