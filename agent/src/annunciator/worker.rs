//! The worker of one channel: takes what is next in hand, tells it, says what became of it, and waits as
//! long as the other end wants to be left alone.

use super::{Message, Told, mail, webhook, words};
use crate::clock;
use crate::field::backoff::Backoff;
use crate::run::{Asks, Closed, Desk, OwnReports, Question};
use crate::settings::{Mail, Mailbox, Product, Webhook};
use andon_core::annunciate::{Notice, Outcome};
use andon_core::own::Own;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Between two messages to a robot: none of them takes more than 20 in a minute.
const GAP: Duration = Duration::from_secs(3);

/// Longest wait before a server is tried again that did not take a message.
const LONGEST_MS: u64 = 60_000;

/// What must first be set up in another way is tried again after this long: somebody may have done so.
const SETUP: Duration = Duration::from_secs(300);

/// By what a worker tells.
pub(crate) enum Way {
    /// A robot or a program.
    Webhook(Webhook),
    /// Mail.
    Mail(Mail),
}

impl Way {
    /// As the log calls it.
    fn name(&self) -> String {
        match self {
            Way::Webhook(webhook) => format!("webhook {}", webhook.name),
            Way::Mail(_) => "mail".to_owned(),
        }
    }

    fn gap(&self) -> Duration {
        match self {
            Way::Webhook(webhook) if webhook.product != Product::Json => GAP,
            _ => Duration::ZERO,
        }
    }

    fn is_program(&self) -> bool {
        matches!(self, Way::Webhook(webhook) if webhook.product == Product::Json)
    }

    async fn tell(&self, notice: &Notice, message: &Message) -> Told {
        match self {
            Way::Webhook(webhook) => webhook::send(webhook, message).await,
            Way::Mail(mail) => {
                let to = Mailbox {
                    name: Some(Arc::clone(&notice.name)),
                    address: Arc::clone(&notice.address),
                };
                mail::send(mail, &to, message).await
            }
        }
    }
}

/// What workers say of themselves, and whom they ask for more.
#[derive(Clone)]
pub(crate) struct Speaker {
    /// Id of the gateway.
    pub(crate) gateway: Arc<str>,
    /// Id of the run.
    pub(crate) run: String,
    /// Knows how alarms stand.
    pub(crate) asks: Asks,
    /// Where it is told that a channel is set up wrongly.
    pub(crate) setups: Setups,
}

/// The channels that take nothing until somebody sets them up in another way, by name: raises
/// `gateway.notify` while there are any.
#[derive(Debug, Clone)]
pub(crate) struct Setups {
    own: OwnReports,
    wrong: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Setups {
    pub(crate) fn new(own: OwnReports) -> Setups {
        Setups {
            own,
            wrong: Arc::default(),
        }
    }

    /// Why a channel takes nothing; none: it has taken a message.
    fn tell(&self, channel: &str, why: Option<&str>) {
        // Nothing that holds the lock can panic.
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => wrong.insert(channel.to_owned(), why.to_owned()),
            None => wrong.remove(channel),
        };
        match wrong.first_key_value() {
            Some((channel, why)) => self.own.wrong(Own::Notify, format!("{channel}: {why}")),
            None => self.own.well(Own::Notify),
        }
    }
}

/// Tells what there is to tell on a channel, until the agent stops.
pub(crate) async fn work(desk: Desk, way: Way, speaker: Speaker) -> Closed {
    let mut worker = Worker {
        name: way.name(),
        gap: way.gap(),
        said: None,
        backoff: Backoff::new(LONGEST_MS, clock::mono().0),
        setups: speaker.setups.clone(),
    };
    loop {
        let notice = match desk.next().await {
            Ok(notice) => notice,
            Err(closed) => return closed,
        };
        let at = clock::now().wall;
        let mut message = words::message(&notice, &speaker.gateway, &speaker.run, at);
        if way.is_program() {
            add_alarm(&mut message, &notice, &speaker.asks).await;
        }
        let told = way.tell(&notice, &message).await;
        let (outcome, wait) = worker.judge(told);
        if let Err(closed) = desk.told(notice.id, outcome).await {
            return closed;
        }
        // No alarm is so urgent that a server takes it which has just refused one.
        tokio::time::sleep_until(Instant::now() + wait).await;
    }
}

/// Adds how the alarm stands, as the broker is told of it, to what programs get of a single one.
async fn add_alarm(message: &mut Message, notice: &Notice, asks: &Asks) {
    let [one] = notice.subjects.as_slice() else {
        return;
    };
    // An engine that is busy elsewhere keeps nobody from being told.
    let Ok(json) = asks.ask(Question::Alarm(one.alarm)).await else {
        return;
    };
    if let Ok(Value::Object(alarm)) = serde_json::from_slice(&json) {
        let ours = std::mem::replace(&mut message.fields, alarm);
        message.fields.extend(ours);
    }
}

/// What is remembered between two messages.
struct Worker {
    name: String,
    gap: Duration,
    /// What was last said to be wrong.
    said: Option<String>,
    backoff: Backoff,
    setups: Setups,
}

impl Worker {
    /// What the engine is told, and how long the other end is left alone.
    fn judge(&mut self, told: Told) -> (Outcome, Duration) {
        let again = |backoff: &mut Backoff| Duration::from_millis(backoff.next_ms());
        match told {
            Told::Sent => {
                self.backoff.reset();
                self.setups.tell(&self.name, None);
                if self.said.take().is_some() {
                    tracing::info!("{}: it takes messages again", self.name);
                }
                (Outcome::Sent, self.gap)
            }
            Told::Unknown(why) => {
                self.say(format!("it may have arrived: {why}"));
                (Outcome::Unknown, again(&mut self.backoff).max(self.gap))
            }
            Told::Failed { why, pause } => {
                self.say(format!("{why}; it is tried again"));
                let wait = pause.unwrap_or_else(|| again(&mut self.backoff));
                (Outcome::Failed(why), wait.max(self.gap))
            }
            Told::Setup(why) => {
                self.setups.tell(&self.name, Some(&why));
                self.say(format!("{why}; it is tried again every 5 min"));
                (Outcome::Failed(why), SETUP)
            }
            Told::Refused(why) => {
                tracing::error!("{}: {why}", self.name);
                (Outcome::Refused(why), self.gap)
            }
        }
    }

    /// Says what is wrong, once.
    fn say(&mut self, what: String) {
        if self.said.as_ref() != Some(&what) {
            tracing::error!("{}: {what}", self.name);
            self.said = Some(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> Worker {
        Worker {
            name: "webhook line-a".into(),
            gap: GAP,
            said: None,
            backoff: Backoff::new(LONGEST_MS, 7),
            setups: Setups::new(OwnReports::new()),
        }
    }

    #[test]
    fn a_channel_that_is_set_up_wrongly_is_an_alarm_until_it_takes_a_message() {
        let own = OwnReports::new();
        let setups = Setups::new(own.clone());
        let on = |name: &str| Worker {
            name: name.into(),
            setups: setups.clone(),
            ..worker()
        };
        let (mut mail, mut robot) = (on("mail"), on("webhook line-a"));
        // A server that is only down comes back by itself.
        mail.judge(Told::failed("down"));
        assert_eq!(own.holds(Own::Notify), None);
        mail.judge(Told::Setup("535 wrong password".into()));
        robot.judge(Told::Setup("it answers 404".into()));
        assert_eq!(own.holds(Own::Notify), Some(true));
        mail.judge(Told::Sent);
        assert_eq!(own.holds(Own::Notify), Some(true), "the robot is not");
        robot.judge(Told::Sent);
        assert_eq!(own.holds(Own::Notify), Some(false));
    }

    #[test]
    fn a_robot_never_gets_more_than_twenty_in_a_minute() {
        let mut worker = worker();
        for told in [
            Told::Sent,
            Told::Unknown("x".into()),
            Told::failed("x"),
            Told::Setup("x".into()),
            Told::Refused("x".into()),
        ] {
            let (_, wait) = worker.judge(told);
            assert!(wait >= Duration::from_secs(3), "{wait:?}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_tried_ever_less_often_and_at_once_after_a_success() {
        let mut worker = Worker {
            gap: Duration::ZERO,
            ..worker()
        };
        let mut waits = || worker.judge(Told::failed("x")).1;
        let first = waits();
        let last = (0..20).map(|_| waits()).last().unwrap();
        assert!(first <= Duration::from_millis(250), "{first:?}");
        assert!((30..=60).contains(&last.as_secs()), "{last:?}");
        assert_eq!(worker.judge(Told::Sent), (Outcome::Sent, Duration::ZERO));
        assert!(worker.judge(Told::failed("x")).1 <= Duration::from_millis(250));
    }

    #[test]
    fn a_wish_to_be_left_alone_is_heeded() {
        let pause = Duration::from_secs(600);
        let told = Told::Failed {
            why: "too fast".into(),
            pause: Some(pause),
        };
        let (outcome, wait) = worker().judge(told);
        assert_eq!((outcome, wait), (Outcome::Failed("too fast".into()), pause));
        // What somebody must set up first stays to be told.
        let (outcome, wait) = worker().judge(Told::Setup("no such robot".into()));
        assert_eq!(
            (outcome, wait),
            (Outcome::Failed("no such robot".into()), SETUP)
        );
    }

    #[test]
    fn what_is_wrong_is_said_once() {
        let mut worker = worker();
        worker.say("down".into());
        worker.judge(Told::Sent);
        assert_eq!(worker.said, None);
        worker.say("down".into());
        assert_eq!(worker.said.as_deref(), Some("down"));
    }
}
