//! An open Modbus TCP connection.
//!
//! tokio-modbus keeps 16 KiB of buffers for a connection and walks through all of them, whatever the
//! size of the messages; with 200 endpoints that is what the agent would mostly consist of. So the
//! wire is ours, and the framing on it is made anew after some requests, while its buffers have
//! barely been touched. Transaction numbers begin again with it, but two requests that follow each
//! other never have the same one, so an answer that comes twice still is nobody's.

use super::{Answer, Fault, ask};
use andon_core::modbus::plan::Read;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waiting, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::client::{Context, tcp};

/// Requests on one framing: their answers touch a page or two, not all the buffers.
const REQUESTS: u8 = 4;

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
    pub(super) async fn open(
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Connection, String> {
        let stream = match timeout(patience, TcpStream::connect((host, port))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no connection within {:?}", patience)),
        };
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let wire = Wire(Arc::new(stream));
        let context = tcp::attach(wire.clone());
        Ok(Connection {
            wire,
            context,
            requests: 0,
            served: false,
        })
    }

    pub(super) async fn ask(
        &mut self,
        read: &Read,
        patience: Duration,
    ) -> Result<Result<Answer, u8>, Fault> {
        if self.requests == REQUESTS {
            self.context = tcp::attach(self.wire.clone());
            self.requests = 0;
        }
        self.requests += 1;
        let reply = ask(&mut self.context, read, patience).await?;
        self.served = true;
        Ok(reply)
    }
}

/// The stream, shared by a framing and the one after it; only one of them uses it at a time.
#[derive(Debug, Clone)]
struct Wire(Arc<TcpStream>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        waiting: &mut Waiting<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(waiting))?;
            // Into the buffer as it is: filling it with zeros first would touch all of it.
            match self.0.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done.map(|_| ())),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        waiting: &mut Waiting<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(waiting))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
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
