//! Asking a device, one request at a time: on a connection of our own, or through the agent that
//! runs and holds it.
//!
//! Only reads exist here: function codes 1 to 4.

use super::span::Span;
use super::trouble::Trouble;
use crate::control::{self, AskError};
use crate::field::Answer;
use crate::field::modbus::Fault;
use crate::field::modbus::direct::{Direct, Question};
use crate::http::errand::{Told, Wanted, What};
use crate::settings::Endpoint;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;

/// How often a connection that was refused is tried again: a device with a single one needs a
/// moment to see that the last one is closed.
const TRIES: u32 = 8;
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

/// Through the running agent: after each request the link is left to its own reads for as long as
/// the request took, and for so long at least.
const LEAST_REST: Duration = Duration::from_millis(20);

/// What came of one request.
#[derive(Debug)]
pub struct Asked {
    /// What the device said.
    pub reply: Reply,
    /// From the request to that, in microseconds.
    pub took_us: u64,
}

/// What a device says to a request.
#[derive(Debug)]
pub enum Reply {
    /// What was asked for.
    Answer(Answer),
    /// An exception code.
    Exception(u8),
    /// Nothing in time.
    Silence,
    /// The connection ended, or what came was no answer; in words.
    Nonsense(String),
}

impl Reply {
    /// Whether the device said anything in good form: an exception too is an answer.
    pub const fn is_heard(&self) -> bool {
        matches!(self, Reply::Answer(_) | Reply::Exception(_))
    }
}

/// The way to a device.
pub struct Wire {
    /// Deadline of connecting and of each answer.
    pub patience: Duration,
    /// Pause between a new connection and the first request.
    pub after_connect: Duration,
    /// Pause between an answer and the next request.
    pub between_requests: Duration,
    way: Way,
}

/// What requests go through.
enum Way {
    Own(Own),
    Agent(Agent),
    /// Nobody: what is said to a unit, in a time, is made up.
    #[cfg(test)]
    Told(Box<dyn FnMut(u8, Span, Duration) -> Asked>),
}

impl Wire {
    /// A connection that will be made for the first request.
    pub fn to(endpoint: Endpoint, patience: Duration) -> Wire {
        let own = Own {
            endpoint,
            open: None,
            connected_before: false,
        };
        Wire::through(Way::Own(own), patience)
    }

    /// Through the agent of this data directory, which has the link.
    pub fn through_agent(data_dir: PathBuf, link: String, patience: Duration) -> Wire {
        Wire::through(Way::Agent(Agent { data_dir, link }), patience)
    }

    /// A device that says what it is told to say.
    #[cfg(test)]
    pub fn told(answer: impl FnMut(u8, Span, Duration) -> Asked + 'static) -> Wire {
        Wire::through(Way::Told(Box::new(answer)), Duration::from_secs(1))
    }

    fn through(way: Way, patience: Duration) -> Wire {
        Wire {
            patience,
            after_connect: Duration::ZERO,
            between_requests: Duration::ZERO,
            way,
        }
    }

    /// Whether the running agent makes the requests.
    pub const fn is_agent(&self) -> bool {
        matches!(self.way, Way::Agent(_))
    }

    /// Whether there is a connection of our own over the network.
    pub const fn connects(&self) -> bool {
        match &self.way {
            Way::Own(own) => !matches!(own.endpoint, Endpoint::Serial(_)),
            _ => false,
        }
    }

    /// Makes the connection, if there is none.
    pub async fn connect(&mut self) -> Result<(), Trouble> {
        match &mut self.way {
            Way::Own(own) if own.open.is_none() => {
                own.open = Some(own.connect(self.patience).await?);
                sleep(self.after_connect).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Closes the connection; the next request makes a new one.
    pub fn close(&mut self) {
        if let Way::Own(own) = &mut self.way {
            own.open = None;
        }
    }

    /// Asks a unit for the addresses of `span`, which are no more than a request may ask for.
    pub async fn ask(&mut self, unit: u8, span: Span) -> Result<Asked, Trouble> {
        match &mut self.way {
            Way::Own(own) if own.open.is_some() => sleep(self.between_requests).await,
            Way::Own(own) => {
                own.open = Some(own.connect(self.patience).await?);
                sleep(self.after_connect).await;
            }
            _ => {}
        }
        match &mut self.way {
            Way::Own(own) => {
                let (patience, between) = (self.patience, self.between_requests);
                Ok(own.ask(unit, span, patience, between).await)
            }
            Way::Agent(agent) => agent.ask(unit, span, self.patience).await,
            #[cfg(test)]
            Way::Told(answer) => Ok(answer(unit, span, self.patience)),
        }
    }
}

/// A connection of our own.
struct Own {
    endpoint: Endpoint,
    open: Option<Direct>,
    connected_before: bool,
}

impl Own {
    async fn connect(&mut self, patience: Duration) -> Result<Direct, Trouble> {
        let mut tries = if self.connected_before { TRIES } else { 1 };
        loop {
            tries -= 1;
            match Direct::open(&self.endpoint, patience).await {
                Ok(direct) => {
                    self.connected_before = true;
                    return Ok(direct);
                }
                Err(error) if tries == 0 => return Err(Trouble::of_opening(&self.endpoint, error)),
                Err(_) => sleep(BETWEEN_TRIES).await,
            }
        }
    }

    /// Asks on the open connection.
    async fn ask(&mut self, unit: u8, span: Span, patience: Duration, between: Duration) -> Asked {
        let Some(direct) = &mut self.open else {
            return Asked {
                reply: Reply::Nonsense("there is no connection".into()),
                took_us: 0,
            };
        };
        let asked = direct
            .ask(Question {
                unit,
                table: span.table,
                start: span.first,
                count: u16::try_from(span.count()).unwrap_or(u16::MAX),
                patience,
                between,
            })
            .await;
        if !asked.survives {
            self.open = None;
        }
        let reply = match asked.reply {
            Ok(Ok(answer)) => Reply::Answer(answer),
            Ok(Err(code)) => Reply::Exception(code),
            Err(Fault::Timeout(_)) => Reply::Silence,
            Err(fault) => Reply::Nonsense(fault.to_string()),
        };
        Asked {
            reply,
            took_us: u64::try_from(asked.took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// The agent that holds the link.
struct Agent {
    data_dir: PathBuf,
    link: String,
}

impl Agent {
    async fn ask(&self, unit: u8, span: Span, patience: Duration) -> Result<Asked, Trouble> {
        let wanted = Wanted {
            link: self.link.clone(),
            unit,
            table: span.table.as_str().to_owned(),
            start: span.first,
            count: u16::try_from(span.count()).unwrap_or(u16::MAX),
            timeout_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        };
        let told = control::get(&self.data_dir, &wanted.path()).await;
        let told = told.map_err(|error| Trouble::Agent(error.to_string()))?;
        let Told { what, took_us } = serde_json::from_slice(&told)
            .map_err(|error| Trouble::Agent(AskError::NoAnswer(error.to_string()).to_string()))?;
        sleep(LEAST_REST.max(Duration::from_micros(took_us))).await;
        let reply = match what {
            What::Registers(registers) => Reply::Answer(Answer::Registers(registers)),
            What::Bits(bits) => Reply::Answer(Answer::Bits(bits)),
            What::Exception(code) => Reply::Exception(code),
            What::Silence(_) => Reply::Silence,
            What::Fault(why) => Reply::Nonsense(why),
        };
        Ok(Asked { reply, took_us })
    }
}
