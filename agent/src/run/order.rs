//! What people want done, given to the engine's task. Whoever gives an order is answered when what it
//! has led to is on disk, and not before.

use andon_core::alarm::Act;
use andon_core::engine::{Command, Refused};
use bytes::Bytes;
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
}

/// Why an order was not carried out, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// Nothing was changed.
    Refused(Refused),
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

/// Answers that are given when what they tell of is on disk.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// For what the next commit takes.
    made: Vec<Promise>,
    /// For what is on its way to the disk.
    pending: Vec<Promise>,
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

    /// A commit takes everything so far.
    pub(super) fn committing(&mut self) {
        self.pending.append(&mut self.made);
    }

    /// How that commit ended.
    pub(super) fn committed(&mut self, result: Result<(), &str>) {
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
