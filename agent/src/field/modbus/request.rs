//! One request by tokio-modbus, and whether what it gives back is the answer.

use crate::field::Answer;
use crate::field::meter::Event;
use andon_core::modbus::answer;
use andon_core::modbus::permit::{Permit, Target};
use andon_core::modbus::plan::Read;
use andon_core::sample::Reason;
use andon_core::tag::Table;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::time::timeout;
use tokio_modbus::client::{Client as _, Context};
use tokio_modbus::slave::SlaveContext as _;
use tokio_modbus::{ProtocolError, Request, Response, Slave};

/// What is asked of a unit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Query<'a> {
    /// To tell what it has.
    Read(&'a Read),
    /// To take a value.
    Write(&'a Permit),
}

impl Query<'_> {
    pub(super) const fn unit(&self) -> u8 {
        match self {
            Query::Read(read) => read.unit,
            Query::Write(permit) => permit.unit(),
        }
    }

    fn request(&self) -> Request<'static> {
        match self {
            Query::Read(read) => match read.table {
                Table::Coil => Request::ReadCoils(read.start, read.count),
                Table::Discrete => Request::ReadDiscreteInputs(read.start, read.count),
                Table::Holding => Request::ReadHoldingRegisters(read.start, read.count),
                Table::Input => Request::ReadInputRegisters(read.start, read.count),
            },
            Query::Write(permit) => match permit.target() {
                Target::Coil => Request::WriteSingleCoil(permit.address(), permit.value() != 0),
                Target::Holding => Request::WriteSingleRegister(permit.address(), permit.value()),
            },
        }
    }
}

/// What a unit answered: content, or an exception with its code.
pub(super) type Reply = Result<Answer, u8>;

/// Makes one read on a connection. The inner error is an exception code; after the outer one the
/// connection is of no use.
pub async fn ask(
    context: &mut Context,
    read: &Read,
    patience: Duration,
) -> Result<Result<Answer, u8>, Fault> {
    match timeout(patience, call(context, &Query::Read(read))).await {
        Ok(reply) => reply,
        Err(_) => Err(Fault::Timeout(patience)),
    }
}

/// Makes one request, for as long as it takes.
pub(super) async fn call(context: &mut Context, query: &Query<'_>) -> Result<Reply, Fault> {
    context.set_slave(Slave(query.unit()));
    match context.call(query.request()).await {
        Ok(Ok(response)) => content(query, response).map(Ok),
        Ok(Err(exception)) => Ok(Err(exception.into())),
        // Some servers name no function in the exception for a unit that they do not have.
        Err(tokio_modbus::Error::Protocol(ProtocolError::FunctionCodeMismatch {
            result: Err(exception),
            ..
        })) => Ok(Err(exception.exception.into())),
        Err(error) => Err(error.into()),
    }
}

/// What an answer holds, once it is known to fit the request: tokio-modbus has compared unit and
/// transaction, but takes any number of registers in a release build.
fn content(query: &Query<'_>, response: Response) -> Result<Answer, Fault> {
    let function = response.function_code().value();
    let other = || Fault::Unfit(format!("answered with function {function}"));
    let read = match query {
        Query::Read(read) => read,
        Query::Write(permit) => return written(permit, &response).ok_or_else(other),
    };
    let (items, answer) = match response {
        Response::ReadCoils(mut bits) | Response::ReadDiscreteInputs(mut bits) => {
            let items = bits.len();
            bits.truncate(usize::from(read.count));
            (items, Answer::Bits(bits))
        }
        Response::ReadHoldingRegisters(registers) | Response::ReadInputRegisters(registers) => {
            (registers.len(), Answer::Registers(registers))
        }
        _ => return Err(other()),
    };
    answer::check(read, function, items).map_err(|misfit| Fault::Unfit(misfit.to_string()))?;
    Ok(answer)
}

/// The echo of a write, if it is that.
fn written(permit: &Permit, response: &Response) -> Option<Answer> {
    match *response {
        Response::WriteSingleCoil(at, on) => {
            let is_own = permit.target() == Target::Coil && at == permit.address();
            (is_own && on == (permit.value() != 0)).then(|| Answer::Bits(vec![on]))
        }
        Response::WriteSingleRegister(at, value) => {
            let is_own = permit.target() == Target::Holding && at == permit.address();
            (is_own && value == permit.value()).then(|| Answer::Registers(vec![value]))
        }
        _ => None,
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Fault {
    /// Nothing in this time.
    Timeout(Duration),
    /// The connection is gone.
    Lost(String),
    /// Something arrived that is no answer to the request.
    Unfit(String),
    /// Something arrived damaged.
    Damaged(String),
}

impl Fault {
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Fault::Timeout(_) => Reason::Timeout,
            Fault::Lost(_) => Reason::Disconnected,
            Fault::Unfit(_) | Fault::Damaged(_) => Reason::BadAnswer,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Timeout(patience) => write!(f, "no answer within {patience:?}"),
            Fault::Lost(why) => write!(f, "connection lost: {why}"),
            Fault::Unfit(why) => write!(f, "the answer does not fit the request: {why}"),
            Fault::Damaged(why) => write!(f, "the answer is damaged: {why}"),
        }
    }
}

impl From<tokio_modbus::Error> for Fault {
    fn from(error: tokio_modbus::Error) -> Fault {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, InvalidData,
            NetworkUnreachable, PermissionDenied, TimedOut, UnexpectedEof,
        };
        use tokio_modbus::Error::{Protocol, Transport};
        match error {
            Protocol(ProtocolError::HeaderMismatch { message, .. }) => Fault::Unfit(message),
            Protocol(ProtocolError::FunctionCodeMismatch { request, .. }) => {
                Fault::Unfit(format!("answered another function than {request}"))
            }
            Transport(error) => match error.kind() {
                // The decoder's own: a frame too short for its content, or no Modbus at all.
                InvalidData | UnexpectedEof => Fault::Unfit(error.to_string()),
                BrokenPipe | ConnectionAborted | ConnectionReset | HostUnreachable
                | NetworkUnreachable | PermissionDenied | TimedOut => {
                    Fault::Lost(error.to_string())
                }
                // At the end of the stream tokio-modbus reports whatever errno last was.
                _ => Fault::Lost("closed by the device".to_owned()),
            },
        }
    }
}

/// How a request ended, for the meter.
pub(super) const fn event(reply: &Result<Reply, Fault>, took_us: u64) -> Event {
    match reply {
        Ok(Ok(_)) => Event::Content(took_us),
        Ok(Err(_)) => Event::Exception(took_us),
        Err(Fault::Timeout(_)) => Event::Timeout,
        Err(Fault::Damaged(_)) => Event::CrcError,
        Err(Fault::Unfit(_)) => Event::WrongAnswer,
        Err(Fault::Lost(_)) => Event::Lost,
    }
}

/// What an exception code means (Modbus Application Protocol 1.1b3, §7), and what to do.
pub const fn meaning(code: u8) -> &'static str {
    match code {
        0x01 => "no such table: it does not know the function",
        0x02 => "there is no such address",
        0x03 => "it does not give so many addresses at once",
        0x04 => "it failed while reading",
        0x05 => "it needs longer than an answer may take",
        0x06 => "it is busy, try again",
        0x08 => "its memory is damaged",
        0x0A => "the gateway has no way to it: check the unit and the gateway's settings",
        0x0B => "the gateway gets no answer from it: check the unit, its wiring and line settings",
        _ => "a code of its maker's own",
    }
}
