//! An open Modbus TCP connection.
//!
//! tokio-modbus keeps 16 KiB of buffers for a connection and walks through all of them, whatever the
//! size of the messages; with 200 endpoints that is what the agent would mostly consist of. So the
//! wire is ours, and the framing on it is made anew after some requests, while its buffers have
//! barely been touched. Transaction numbers begin again with it, but two requests that follow each
//! other never have the same one, so an answer that comes twice still is nobody's.
//!
//! Every frame that leaves passes the wire, and leaves only if it reads or is permitted.

use super::request::{Fault, Query, Reply, ask, call, event};
use crate::clock;
use crate::field::meter::{Event, Meter};
use andon_core::modbus::permit::{Permit, may_leave};
use andon_core::modbus::plan::Read;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Waiting, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Context, tcp};

/// Requests on one framing: their answers touch a page or two, not all the buffers.
const REQUESTS: u8 = 4;

/// What stands before unit and function (Modbus Messaging on TCP/IP 1.0b, §3.1.3).
const HEAD: usize = 6;

/// An open connection.
pub(super) struct Connection {
    wire: Wire,
    context: Context,
    /// Requests made on this framing.
    requests: u8,
    /// It has answered something.
    pub(super) served: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        let wire = Wire {
            stream: Arc::new(stream),
            permit: Arc::default(),
            left: 0,
        };
        let context = tcp::attach(wire.clone());
        Connection {
            wire,
            context,
            requests: 0,
            served: false,
        }
    }

    pub(super) async fn ask(
        &mut self,
        read: &Read,
        patience: Duration,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        let began = self.begin(read.unit, meter);
        let reply = ask(&mut self.context, read, patience).await;
        self.end(began, read.unit, &reply, meter);
        reply
    }

    pub(super) async fn write(
        &mut self,
        permit: Permit,
        patience: Duration,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        let unit = permit.unit();
        let began = self.begin(unit, meter);
        let permit = Arc::new(permit);
        let query = Query::Write(&permit);
        self.wire.permit(Some(permit.clone()));
        let reply = timeout(patience, call(&mut self.context, &query)).await;
        self.wire.permit(None);
        let reply = reply.unwrap_or(Err(Fault::Timeout(patience)));
        self.end(began, unit, &reply, meter);
        reply
    }

    fn begin(&mut self, unit: u8, meter: &Meter) -> Instant {
        if self.requests == REQUESTS {
            self.context = tcp::attach(self.wire.clone());
            self.requests = 0;
        }
        self.requests += 1;
        meter.note(unit, Event::Request, clock::mono());
        Instant::now()
    }

    fn end(&mut self, began: Instant, unit: u8, reply: &Result<Reply, Fault>, meter: &Meter) {
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let now = clock::mono();
        meter.busy(took, now);
        meter.note(unit, event(reply, took), now);
        self.served |= reply.is_ok();
    }
}

/// The stream, shared by a framing and the one after it; only one of them uses it at a time.
#[derive(Debug, Clone)]
struct Wire {
    stream: Arc<TcpStream>,
    /// The one write that may leave.
    permit: Arc<Mutex<Option<Arc<Permit>>>>,
    /// Bytes of a frame that may leave and have not yet.
    left: usize,
}

impl Wire {
    fn permit(&self, permit: Option<Arc<Permit>>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }

    /// Bytes of the frame that `bytes` begin with, if it may leave.
    fn may_leave(&self, bytes: &[u8]) -> io::Result<usize> {
        let frame = bytes.get(4..HEAD).and_then(|length| {
            let length = u16::from_be_bytes([length[0], length[1]]);
            bytes.get(HEAD..HEAD + usize::from(length))
        });
        let permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        match frame {
            Some([unit, pdu @ ..]) if may_leave(*unit, pdu, permit.as_deref()) => {
                Ok(HEAD + 1 + pdu.len())
            }
            _ => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "this request may not leave the agent",
            )),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        waiting: &mut Waiting<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(waiting))?;
            // Into the buffer as it is: filling it with zeros first would touch all of it.
            match self.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done.map(|_| ())),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        waiting: &mut Waiting<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            self.left = self.may_leave(bytes)?;
        }
        let bytes = &bytes[..self.left.min(bytes.len())];
        loop {
            ready!(self.stream.poll_write_ready(waiting))?;
            match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(written) => {
                    self.left -= written;
                    return Poll::Ready(Ok(written));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Waiting<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The stream is closed when the last framing on it is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Waiting<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
