//! What has come: messages of people, and reports of delivery. What was read is deleted, for a full
//! memory takes no more of either.

use super::{End, Worker};
use crate::sms::at::Unasked;
use crate::sms::modem::{Modem, Sent};
use andon_core::annunciate::{Notice, Reply};
use andon_core::sms::receive::{Outcome, Received, Report, receive};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

/// Messages whose report is waited for. The oldest goes.
const MOST: usize = 64;

/// Whose report is waited for.
#[derive(Debug, Default)]
pub(super) struct Awaited(VecDeque<(u8, For)>);

#[derive(Debug)]
enum For {
    Person {
        name: Arc<str>,
        recipient: usize,
        code: Option<u16>,
    },
    Test(oneshot::Sender<Outcome>),
}

impl Awaited {
    /// A message went out to somebody.
    pub(super) fn message(&mut self, sent: Sent, notice: &Notice) {
        let whose = For::Person {
            name: Arc::clone(&notice.name),
            recipient: notice.recipient,
            code: notice.code,
        };
        self.push(sent, whose);
    }

    /// A test message went out.
    pub(super) fn test(&mut self, sent: Sent) -> oneshot::Receiver<Outcome> {
        let (told, report) = oneshot::channel();
        self.push(sent, For::Test(told));
        report
    }

    fn push(&mut self, sent: Sent, whose: For) {
        // The modem counts to 255 and begins anew.
        self.0.retain(|(reference, _)| *reference != sent.reference);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((sent.reference, whose));
    }

    fn take(&mut self, reference: u8) -> Option<For> {
        let at = self.0.iter().position(|(other, _)| *other == reference)?;
        self.0.remove(at).map(|(_, whose)| whose)
    }
}

impl Worker {
    /// Something has come.
    pub(super) async fn heard<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
        unasked: Unasked,
    ) -> Result<(), End> {
        match unasked {
            Unasked::Unit(hex) => self.take_in(&hex).await,
            Unasked::Stored { index: None, .. } => self.fetch(modem).await,
            Unasked::Stored {
                memory,
                index: Some(index),
            } => {
                if let Some(hex) = modem.read(&memory, index).await? {
                    self.take_in(&hex).await?;
                    modem.delete(index).await?;
                }
                Ok(())
            }
        }
    }

    /// Takes in everything that lies in the memory.
    pub(super) async fn fetch<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
    ) -> Result<(), End> {
        let memory = modem.choose_memory().await?;
        self.health.send_modify(|health| health.memory = memory);
        let stored = match modem.stored_messages().await {
            Ok(stored) => stored,
            // Not every modem lists them; what it announces is read all the same.
            Err(crate::sms::at::AtError::Code(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for (index, hex) in stored {
            self.take_in(&hex).await?;
            modem.delete(index).await?;
        }
        Ok(())
    }

    /// Takes in one message or report.
    async fn take_in(&mut self, hex: &str) -> Result<(), End> {
        match receive(hex) {
            Ok(Received::Message(message)) => {
                self.health.send_modify(|health| health.received += 1);
                let from = message.from;
                let reply = self.parts.desk.reply(from.clone(), message.text).await?;
                log(&from, reply);
            }
            Ok(Received::Report(report)) => self.report(&report).await?,
            Err(why) => tracing::debug!("the modem shows what is no message: {why}"),
        }
        Ok(())
    }

    async fn report(&mut self, report: &Report) -> Result<(), End> {
        if report.outcome == Outcome::Trying {
            return Ok(());
        }
        let delivered = report.outcome == Outcome::Delivered;
        self.health.send_modify(|health| match delivered {
            true => health.delivered += 1,
            false => health.undelivered += 1,
        });
        match (self.awaited.take(report.reference), report.outcome) {
            (Some(For::Test(told)), outcome) => {
                // Whoever asked may have gone.
                let _ = told.send(outcome);
            }
            (
                Some(For::Person {
                    name,
                    recipient,
                    code,
                }),
                Outcome::Failed(status),
            ) => {
                let why = format!(
                    "the network cannot deliver it (status 0x{status:02X}): look at the number"
                );
                tracing::error!("text message to {name}: {why}");
                if let Some(code) = code {
                    self.parts.desk.undelivered(recipient, code, why).await?;
                }
            }
            (Some(For::Person { name, .. }), _) => {
                tracing::debug!("a text message to {name} is delivered");
            }
            (None, _) => {}
        }
        Ok(())
    }
}

/// Says what somebody has sent, without what it says: it may have a code in it.
fn log(from: &str, reply: Option<Reply>) {
    match reply {
        None => tracing::warn!("a text message from {from}, who is nobody of [sms]: not heeded"),
        Some(Reply::Acknowledged { by, alarms }) => {
            tracing::info!(
                "{by} has acknowledged by text message: {}",
                alarms.join(", ")
            );
        }
        Some(Reply::Refused { by, why }) => {
            tracing::warn!("{by} acknowledges by text message, but {why}");
        }
        Some(Reply::WrongCode { by, muted: false }) => {
            tracing::warn!("{by} has sent no code that acknowledges anything");
        }
        Some(Reply::WrongCode { by, muted: true }) => {
            tracing::warn!("{by} has sent wrong codes too often: not heeded for an hour");
        }
        Some(Reply::Stopped { by }) => {
            tracing::warn!("{by} wants no more text messages in this shift")
        }
        Some(Reply::NotUnderstood { by }) => {
            tracing::info!("{by} has sent a text message that is no answer");
        }
        Some(Reply::NotHeeded { by }) => tracing::warn!("{by} is not heeded for now"),
    }
}
