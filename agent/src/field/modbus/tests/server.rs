//! A Modbus TCP server written here, byte by byte, so that it can misbehave: raw MBAP over loopback.

use super::harness::{bit, tcp_link, value};
use crate::settings::Modbus;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(super) const PATIENCE: Duration = Duration::from_millis(60);

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Answer,
    Exception(u8),
    /// An exception that names function 0, as pymodbus sends it for a unit that it does not have.
    ExceptionOfNothing(u8),
    Never,
    /// Answers after the client has given up.
    Late,
    /// The right answer in two parts with a pause between.
    InPieces,
    WrongTransaction,
    WrongProtocol,
    WrongUnit,
    WrongFunction,
    /// Answers with this many registers, or bytes of bits, more or fewer than asked.
    Count(i16),
    /// The byte count says one thing, the frame holds another.
    ByteCountLies(u8),
    /// The length field says this.
    Length(u16),
    /// Closes after this many bytes of the answer.
    CloseAfter(usize),
    /// Sends the answer of the request twice.
    Twice,
    /// Sends these bytes instead of an answer.
    Garbage(Vec<u8>),
}

/// A Modbus server that does as its script says, and answers rightly when that is done.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) books: Arc<Books>,
    task: JoinHandle<()>,
}

/// What a server is to do, and what it was asked.
#[derive(Default)]
pub(super) struct Books {
    pub(super) script: Mutex<VecDeque<Act>>,
    /// Every request as it came, and when.
    pub(super) requests: Mutex<Vec<(Instant, [u8; 12])>>,
    pub(super) connections: AtomicUsize,
}

impl Books {
    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// How often it was connected to.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(script: Vec<Act>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::on(listener, script)
    }

    pub(super) fn on(listener: TcpListener, script: Vec<Act>) -> Server {
        let port = listener.local_addr().unwrap().port();
        let books = Arc::new(Books {
            script: Mutex::new(script.into()),
            ..Books::default()
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&books)));
        Server { port, books, task }
    }

    pub(super) fn link(&self) -> Modbus {
        tcp_link(self.port, PATIENCE)
    }
}

async fn serve(listener: TcpListener, books: Arc<Books>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        books.connections.fetch_add(1, SeqCst);
        tokio::spawn(converse(stream, Arc::clone(&books)));
    }
}

pub(super) async fn converse(mut stream: TcpStream, books: Arc<Books>) {
    let mut request = [0; 12];
    while stream.read_exact(&mut request).await.is_ok() {
        books
            .requests
            .lock()
            .unwrap()
            .push((Instant::now(), request));
        let next = books.script.lock().unwrap().pop_front();
        let act = next.unwrap_or(Act::Answer);
        if perform(&mut stream, &request, act).await.is_err() {
            return;
        }
    }
}

/// An error ends the connection.
pub(super) async fn perform(
    stream: &mut TcpStream,
    request: &[u8; 12],
    act: Act,
) -> io::Result<()> {
    let right = frame(request, &pdu(request, 0));
    let closed = || Err(io::ErrorKind::ConnectionAborted.into());
    match act {
        Act::Answer => stream.write_all(&right).await,
        Act::Exception(code) => {
            stream
                .write_all(&frame(request, &[request[7] | 0x80, code]))
                .await
        }
        Act::ExceptionOfNothing(code) => stream.write_all(&frame(request, &[0x80, code])).await,
        Act::Never => Ok(()),
        Act::Late => {
            tokio::time::sleep(PATIENCE * 2).await;
            stream.write_all(&right).await
        }
        Act::InPieces => {
            let (head, tail) = right.split_at(right.len() / 2);
            stream.write_all(head).await?;
            tokio::time::sleep(PATIENCE / 6).await;
            stream.write_all(tail).await
        }
        Act::WrongTransaction => {
            let mut wrong = right;
            wrong[1] ^= 1;
            stream.write_all(&wrong).await
        }
        Act::WrongProtocol => {
            let mut wrong = right;
            wrong[3] = 1;
            stream.write_all(&wrong).await
        }
        Act::WrongUnit => {
            let mut other = *request;
            other[6] ^= 1;
            stream.write_all(&frame(&other, &pdu(&other, 0))).await
        }
        Act::WrongFunction => {
            let mut other = *request;
            other[7] = if request[7] == 3 { 4 } else { request[7] ^ 1 };
            stream.write_all(&frame(&other, &pdu(&other, 0))).await
        }
        Act::Count(more) => stream.write_all(&frame(request, &pdu(request, more))).await,
        Act::ByteCountLies(count) => {
            let mut wrong = right;
            wrong[8] = count;
            stream.write_all(&wrong).await
        }
        Act::Length(length) => {
            let mut wrong = right;
            wrong[4..6].copy_from_slice(&length.to_be_bytes());
            stream.write_all(&wrong).await
        }
        Act::CloseAfter(bytes) => {
            stream
                .write_all(&right[..bytes.min(right.len() - 1)])
                .await?;
            closed()
        }
        Act::Twice => {
            stream.write_all(&right).await?;
            stream.write_all(&right).await
        }
        Act::Garbage(bytes) => {
            stream.write_all(&bytes).await?;
            Ok(())
        }
    }
}

/// The right answer to a request, with `more` registers or bytes of bits than were asked for.
fn pdu(request: &[u8; 12], more: i16) -> Vec<u8> {
    let (unit, function) = (request[6], request[7]);
    if function > 4 {
        return request[7..].to_vec();
    }
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    let (start, count) = (word(8), word(10));
    let content: Vec<u8> = if function <= 2 {
        let bytes = count.div_ceil(8).saturating_add_signed(more);
        let byte = |at: u16| {
            (0..8).fold(0, |byte, i| {
                byte | u8::from(bit(unit, start + at * 8 + i)) << i
            })
        };
        (0..bytes).map(byte).collect()
    } else {
        let registers = count.saturating_add_signed(more);
        (0..registers)
            .flat_map(|at| value(unit, start + at).to_be_bytes())
            .collect()
    };
    let mut pdu = vec![function, content.len() as u8];
    pdu.extend(content);
    pdu
}

fn frame(request: &[u8; 12], pdu: &[u8]) -> Vec<u8> {
    let mut frame = request[..4].to_vec();
    frame.extend((pdu.len() as u16 + 1).to_be_bytes());
    frame.push(request[6]);
    frame.extend(pdu);
    frame
}
