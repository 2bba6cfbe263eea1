//! A connection of one's own, for whoever looks into a device while no agent speaks with it.
//!
//! It is made like the agent's: the same framing, the same silences on a line, and a wire that lets
//! nothing out but reads.

use super::connection::{Connection, OpenError};
use super::request::{Fault, Reply};
use super::{Ask, millis, port};
use crate::clock;
use crate::field::meter::Meter;
use crate::settings::{Endpoint, Modbus};
use andon_core::modbus::plan::Read;
use andon_core::plant::Manners;
use andon_core::tag::{DeviceIndex, LinkIndex, Table};
use std::iter;
use std::time::Duration;
use tokio::time::Instant;

/// A connection of one's own.
pub struct Direct {
    connection: Connection,
    meter: Meter,
}

/// What is asked for once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Unit id on the wire.
    pub unit: u8,
    /// Which table.
    pub table: Table,
    /// First protocol address.
    pub start: u16,
    /// Addresses, 1 to 125 registers or 1 to 2,000 bits.
    pub count: u16,
    /// Deadline of the answer.
    pub patience: Duration,
    /// Pause that the unit needs between its answer and the next request to it.
    pub between: Duration,
}

/// What came of a question.
#[derive(Debug)]
pub struct Asked {
    /// The answer, or an exception code inside; or why there is none.
    pub reply: Result<Reply, Fault>,
    /// From the end of the request to that.
    pub took: Duration,
    /// Whether the connection is of further use.
    pub survives: bool,
}

impl Direct {
    /// Connects to an endpoint.
    pub async fn open(endpoint: &Endpoint, patience: Duration) -> Result<Direct, OpenError> {
        // What opening a port says of it is only words: whether that can be done is asked before.
        if let Endpoint::Serial(serial) = endpoint {
            port::probe(&serial.path).map_err(OpenError::Io)?;
        }
        let link = Modbus {
            endpoint: endpoint.clone(),
            timeout: patience,
            allow_write: Vec::new(),
        };
        let connection = Connection::open(&link).await?;
        let meter = Meter::new("".into(), endpoint, iter::empty(), clock::mono());
        Ok(Direct { connection, meter })
    }

    /// Asks one question, once.
    pub async fn ask(&mut self, question: Question) -> Asked {
        let Question {
            unit,
            table,
            start,
            count,
            patience,
            between,
        } = question;
        let read = Read {
            link: LinkIndex(0),
            device: DeviceIndex(0),
            unit,
            table,
            start,
            count,
            every_ms: 0,
            tags: [].into(),
        };
        let manners = Manners {
            timeout_ms: millis(patience),
            between_requests_ms: millis(between),
            ..Manners::default()
        };
        let ask = Ask {
            // Exactly what is wanted.
            most: count,
            ..Ask::new(&read, &manners)
        };
        let began = Instant::now();
        let reply = self.connection.ask(&ask, &self.meter).await;
        let took = match &reply {
            Ok(_) => self.connection.took(),
            Err(_) => None,
        };
        Asked {
            took: took.unwrap_or_else(|| began.elapsed()),
            survives: match &reply {
                Ok(_) => true,
                Err(fault) => self.connection.survives(fault),
            },
            reply,
        }
    }
}
