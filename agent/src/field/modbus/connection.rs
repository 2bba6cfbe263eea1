//! An open connection, whatever it goes through.

use super::bus::{Bus, Pacing};
use super::request::{Fault, Reply};
use super::timer::Timer;
use super::{Ask, port, tcp};
use crate::field::meter::Meter;
use crate::settings::{Endpoint, Modbus};
use andon_core::modbus::permit::Permit;
use std::fmt;
use std::io::{self, ErrorKind};
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

/// Why there is no connection.
#[derive(Debug)]
pub enum OpenError {
    /// The system says so.
    Io(io::Error),
    /// Nobody took it in this time.
    Timeout(Duration),
    /// Another program has the serial port; in words.
    InUse(String),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused => {
                    f.write_str("nothing listens there; is the device on, is the port right?")
                }
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    write!(f, "{error}; check cable, address and route")
                }
                _ => write!(f, "{error}; check host name and network"),
            },
            OpenError::Timeout(patience) => {
                write!(
                    f,
                    "no connection within {patience:?}; check address, cable and firewall"
                )
            }
            OpenError::InUse(why) | OpenError::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OpenError {}

impl Connection {
    pub(super) async fn open(link: &Modbus) -> Result<Connection, OpenError> {
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
        let bus = bus.map_err(|fault| OpenError::Other(fault.to_string()))?;
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

    /// From the end of the last request to the end of its answer, where the line is seen.
    pub(super) fn took(&self) -> Option<Duration> {
        match self {
            Connection::Tcp(_) => None,
            Connection::Line(bus) => Some(bus.took()),
        }
    }

    /// Whether it is still of use after a fault: a line is, once it has become silent; over TCP a
    /// connection anew is the surest way to hear no late answer.
    pub(super) const fn survives(&self, fault: &Fault) -> bool {
        matches!(self, Connection::Line(_)) && !matches!(fault, Fault::Lost(_))
    }
}

async fn dial(host: &str, port: u16, patience: Duration) -> Result<TcpStream, OpenError> {
    let stream = timeout(patience, TcpStream::connect((host, port))).await;
    let stream = stream
        .map_err(|_| OpenError::Timeout(patience))?
        .map_err(OpenError::Io)?;
    stream.set_nodelay(true).map_err(OpenError::Io)?;
    Ok(stream)
}
