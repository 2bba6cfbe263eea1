//! An open connection, whatever it goes through.

use super::bus::{Bus, Pacing};
use super::request::{Fault, Reply};
use super::timer::Timer;
use super::{Ask, port, tcp};
use crate::field::meter::Meter;
use crate::settings::{Endpoint, Modbus};
use andon_core::modbus::permit::Permit;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An open connection.
pub(super) enum Connection {
    /// Frames with numbers.
    Tcp(tcp::Connection),
    /// Frames on a line. There are few of them, and hundreds of the others: what they take while they
    /// are waited for is boxed, or all the others would keep room for it.
    Line(Box<Bus>),
}

impl Connection {
    pub(super) async fn open(link: &Modbus) -> Result<Connection, String> {
        let bus = match &link.endpoint {
            Endpoint::Tcp { host, port } => {
                let stream = dial(host, *port, link.timeout).await?;
                return Ok(Connection::Tcp(tcp::Connection::new(stream)));
            }
            Endpoint::Serial(port) => {
                let stream = port::open(port).await?;
                let pacing = Pacing {
                    line: Some(port.line()),
                    turnaround: port.turnaround,
                    transmits: !port::is_pseudo_terminal(&port.path),
                };
                Box::pin(Bus::open(stream, pacing, Timer::fine())).await
            }
            Endpoint::RtuOverTcp {
                host,
                port,
                line,
                turnaround,
            } => {
                let stream = dial(host, *port, link.timeout).await?;
                let pacing = Pacing {
                    line: *line,
                    turnaround: *turnaround,
                    transmits: false,
                };
                Box::pin(Bus::open(stream, pacing, Timer::Coarse)).await
            }
        };
        let bus = bus.map_err(|fault| fault.to_string())?;
        Ok(Connection::Line(Box::new(bus)))
    }

    /// Makes a read.
    pub(super) async fn ask(&mut self, ask: &Ask<'_>, meter: &Meter) -> Result<Reply, Fault> {
        match self {
            Connection::Tcp(connection) => connection.ask(ask.read, ask.patience, meter).await,
            Connection::Line(bus) => Box::pin(bus.ask(ask, meter)).await,
        }
    }

    /// Makes a write that is permitted.
    pub(super) async fn write(
        &mut self,
        permit: Permit,
        patience: Duration,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        match self {
            Connection::Tcp(connection) => connection.write(permit, patience, meter).await,
            Connection::Line(bus) => Box::pin(bus.write(&permit, patience, meter)).await,
        }
    }

    /// Whether it has answered anything.
    pub(super) fn served(&self) -> bool {
        match self {
            Connection::Tcp(connection) => connection.served,
            Connection::Line(bus) => bus.served,
        }
    }

    /// Whether it is still of use after a fault: a line is, once it has become silent; over TCP a
    /// connection anew is the surest way to hear no late answer.
    pub(super) const fn survives(&self, fault: &Fault) -> bool {
        matches!(self, Connection::Line(_)) && !matches!(fault, Fault::Lost(_))
    }
}

async fn dial(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let stream = match timeout(patience, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no connection within {patience:?}")),
    };
    let set = stream.set_nodelay(true);
    set.map_err(|error| error.to_string())?;
    Ok(stream)
}
