//! What people want done, given to the engine's task. Whoever gives an order is answered when what it
//! has led to is on disk, and not before.

use super::shift::{Shift, json};
use crate::clock;
use andon_core::alarm::Act;
use andon_core::engine::{Command, NoTest, Refused};
use andon_core::time::Wall;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Orders that wait at once; beyond, whoever gives one waits.
const ROOM: usize = 16;

/// A disk that has not taken an order by then is not well. Below what the command line waits.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Order {
    /// Something to an alarm; answered with how it stands then.
    Alarm(Command),
    /// All sound stops for some time; answered with how many alarms sounded.
    Silence(Act),
    /// Horns are heard and seen for some time; answered with which, and for how long.
    HornTest {
        /// Which horn; none: every one that is silent.
        horn: Option<String>,
        /// How long each part is heard, in milliseconds.
        each_ms: u64,
        /// Who wants it.
        act: Act,
    },
}

/// Why an order was not carried out, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// Nothing was changed.
    Refused(Refused),
    /// No horn is tested.
    NoTest(NoTest),
    /// It was done, and the disk did not take it; in words.
    NotStored(String),
    /// No answer in time: nobody knows.
    NoAnswer,
}

/// An order and where its answer goes.
#[derive(Debug)]
pub struct Given {
    /// What is to be done.
    pub order: Order,
    /// Where the JSON goes.
    pub answer: oneshot::Sender<Result<Bytes, NotDone>>,
}

/// Where orders are given; clones give them to the same engine.
#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Given>);

impl Orders {
    /// A place for orders, and where they arrive.
    pub fn channel() -> (Orders, mpsc::Receiver<Given>) {
        let (orders, arriving) = mpsc::channel(ROOM);
        (Orders(orders), arriving)
    }

    /// Gives an order, and waits until what follows from it is on disk.
    pub async fn give(&self, order: Order) -> Result<Bytes, NotDone> {
        let (answer, answered) = oneshot::channel();
        let given = async {
            let given = Given { order, answer };
            self.0.send(given).await.map_err(|_| NotDone::NoAnswer)?;
            answered.await.map_err(|_| NotDone::NoAnswer)?
        };
        timeout(PATIENCE, given)
            .await
            .unwrap_or(Err(NotDone::NoAnswer))
    }
}

/// What an order to be silent came to.
#[derive(Serialize)]
struct Silenced {
    silenced: usize,
    silent_until_ms: Option<Wall>,
}

/// What an order to test horns came to.
#[derive(Serialize)]
struct Tested {
    horns: Vec<Arc<str>>,
    until_ms: Wall,
    takes_ms: u64,
}

impl Shift {
    /// Carries out an order; it is answered when what follows is on disk, or at once where nothing does.
    pub(super) fn obey(&mut self, Given { order, answer }: Given) {
        if answer.is_closed() {
            return;
        }
        let now = clock::mono();
        self.catch_up(now);
        let json = match order {
            Order::Alarm(command) => match self.engine.handle_command(now, command) {
                Ok(index) => self.engine.any_alarm(index).as_ref().and_then(json),
                Err(refused) => {
                    // It has looked at the alarm, which may have changed by that.
                    self.act(now);
                    let _ = answer.send(Err(NotDone::Refused(refused)));
                    return;
                }
            },
            Order::Silence(act) => {
                let silenced = self.engine.handle_silence(now, act);
                let sound = self.engine.sound(now);
                let json = json(&Silenced {
                    silenced,
                    silent_until_ms: sound.silent_until,
                });
                if silenced == 0 {
                    let json = json.map(Into::into).ok_or(NotDone::NoAnswer);
                    let _ = answer.send(json);
                    return;
                }
                json
            }
            Order::HornTest { horn, each_ms, act } => {
                let tested = self
                    .engine
                    .handle_horn_test(now, horn.as_deref(), each_ms, act);
                match tested {
                    Ok(test) => json(&Tested {
                        horns: test.horns,
                        until_ms: test.until,
                        takes_ms: test.takes_ms,
                    }),
                    Err(why) => {
                        let _ = answer.send(Err(NotDone::NoTest(why)));
                        return;
                    }
                }
            }
        };
        self.act(now);
        if let Some(json) = json {
            self.promises.make(answer, json.into());
        }
    }
}

/// Answers that are given when what they tell of is on disk.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// For what the next commit takes.
    made: Vec<Promise>,
    /// For what is on its way to the disk.
    pending: Vec<Promise>,
    /// Who waits for the next commit, and for the one that is on its way, however it ends.
    waits: [Vec<oneshot::Sender<()>>; 2],
}

#[derive(Debug)]
struct Promise {
    answer: oneshot::Sender<Result<Bytes, NotDone>>,
    json: Bytes,
}

impl Promises {
    /// `json` is to be answered when everything that was asked to be stored so far is on disk.
    pub(super) fn make(&mut self, answer: oneshot::Sender<Result<Bytes, NotDone>>, json: Bytes) {
        self.made.push(Promise { answer, json });
    }

    /// `done` is to be told when everything that was asked to be stored so far is on disk, or is not.
    pub(super) fn wait(&mut self, done: oneshot::Sender<()>) {
        self.waits[0].push(done);
    }

    /// A commit takes everything so far.
    pub(super) fn committing(&mut self) {
        self.pending.append(&mut self.made);
        let [made, pending] = &mut self.waits;
        pending.append(made);
    }

    /// How that commit ended.
    pub(super) fn committed(&mut self, result: Result<(), &str>) {
        for done in self.waits[1].drain(..) {
            // Whoever waited may have gone meanwhile.
            let _ = done.send(());
        }
        for Promise { answer, json } in self.pending.drain(..) {
            let told = match result {
                Ok(()) => Ok(json),
                Err(why) => Err(NotDone::NotStored(why.to_owned())),
            };
            // Whoever gave the order may have gone meanwhile.
            let _ = answer.send(told);
        }
    }
}
