//! The command language of modems (ITU-T V.250, §5; 3GPP TS 27.007, §4): one command at a time, its
//! lines, and between them what the modem says unasked.

use super::codes::Code;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

/// Bytes of the longest line: a message is 176 octets in hexadecimal digits.
const LONGEST: usize = 1024;

/// Lines of an answer; a list of stored messages is the longest.
const MOST_LINES: usize = 1024;

/// A port takes what it is given within this time.
const WRITING: Duration = Duration::from_secs(5);

/// What was said unasked and nobody has taken yet. The oldest goes.
const MOST_UNASKED: usize = 64;

/// An answer that is not the one wanted.
#[derive(Debug)]
pub enum AtError {
    /// The modem refuses.
    Code(Code),
    /// It did not answer in time.
    Silent,
    /// The port is gone, or what comes is no text.
    Port(io::Error),
}

impl fmt::Display for AtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtError::Code(code) => code.fmt(f),
            AtError::Silent => f.write_str("the modem does not answer"),
            AtError::Port(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for AtError {
    fn from(error: io::Error) -> AtError {
        AtError::Port(error)
    }
}

/// What a modem says unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unasked {
    /// A message or a report has come, in hexadecimal digits.
    Unit(String),
    /// One lies in a memory under this number.
    Stored {
        /// `ME`, `SM`, `SR` ...
        memory: String,
        /// Its place; none where the modem does not say, and all must be listed.
        index: Option<u16>,
    },
}

/// A text that was not taken, or of which that is not known.
#[derive(Debug)]
pub struct NotTaken {
    /// Why.
    pub error: AtError,
    /// Whether the text was said: it may have been taken.
    pub is_said: bool,
}

/// A line, or what stands for one.
enum Piece {
    Line(String),
    Prompt,
}

/// A modem at the end of a port.
#[derive(Debug)]
pub struct Channel<P> {
    port: P,
    /// What has come and is no whole line yet.
    buffer: Vec<u8>,
    unasked: VecDeque<Unasked>,
    /// The next line is a message that was announced.
    unit_follows: bool,
}

impl<P: AsyncRead + AsyncWrite + Unpin> Channel<P> {
    /// A channel over an open port.
    pub const fn new(port: P) -> Channel<P> {
        Channel {
            port,
            buffer: Vec::new(),
            unasked: VecDeque::new(),
            unit_follows: false,
        }
    }

    /// Gets a modem that waits for the text of a message, or that is in the middle of a line, back
    /// to where it takes commands, and waits for its first answer.
    pub async fn wake(&mut self) -> Result<(), AtError> {
        const ESCAPE: &[u8] = b"\x1b\r";
        const TRIES: usize = 5;
        self.write(ESCAPE).await?;
        for _ in 1..TRIES {
            match self.command("AT", Duration::from_millis(500)).await {
                Err(AtError::Silent | AtError::Code(_)) => {}
                done => return done.map(|_| ()),
            }
        }
        self.command("AT", Duration::from_secs(2)).await.map(|_| ())
    }

    /// Gives a command and waits for what it ends with; its lines without echo and `OK`.
    pub async fn command(
        &mut self,
        command: &str,
        patience: Duration,
    ) -> Result<Vec<String>, AtError> {
        self.say(command.as_bytes(), b"\r").await?;
        self.answer(command, Instant::now() + patience).await
    }

    /// Gives a command that asks for a text, and the text. The text is not said before the modem asks
    /// for it, for it would be taken as commands.
    pub async fn command_with_text(
        &mut self,
        command: &str,
        text: &str,
        prompt: Duration,
        patience: Duration,
    ) -> Result<Vec<String>, NotTaken> {
        const END: &[u8] = b"\x1a";
        let before = |error| NotTaken {
            error,
            is_said: false,
        };
        self.prompted(command, prompt).await.map_err(before)?;
        let said = async {
            self.say(text.as_bytes(), END).await?;
            self.answer(command, Instant::now() + patience).await
        };
        said.await.map_err(|error| NotTaken {
            error,
            is_said: true,
        })
    }

    async fn prompted(&mut self, command: &str, patience: Duration) -> Result<(), AtError> {
        self.say(command.as_bytes(), b"\r").await?;
        let deadline = Instant::now() + patience;
        loop {
            match self.piece(deadline).await? {
                Piece::Prompt => return Ok(()),
                Piece::Line(line) => {
                    if let Some(code) = Code::of(&line) {
                        return Err(AtError::Code(code));
                    }
                    self.overhear(&line, command);
                }
            }
        }
    }

    /// Waits for something unasked. Nothing is lost by giving up.
    pub async fn hear(&mut self, deadline: Instant) -> Result<Unasked, AtError> {
        loop {
            if let Some(unasked) = self.unasked.pop_front() {
                return Ok(unasked);
            }
            if let Piece::Line(line) = self.piece(deadline).await? {
                self.overhear(&line, "");
            }
        }
    }

    async fn say(&mut self, text: &[u8], end: &[u8]) -> Result<(), AtError> {
        // At once: some modems take pauses within a line for its end.
        let mut bytes = text.to_vec();
        bytes.extend(end);
        self.write(&bytes).await
    }

    /// It is not flushed: that would hold up everything on this thread until the bytes are out.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), AtError> {
        let deadline = Instant::now() + WRITING;
        let written = timeout_at(deadline, self.port.write_all(bytes)).await;
        Ok(written.map_err(|_| AtError::Silent)??)
    }

    async fn answer(&mut self, command: &str, deadline: Instant) -> Result<Vec<String>, AtError> {
        let mut lines = Vec::new();
        loop {
            let Piece::Line(line) = self.piece(deadline).await? else {
                continue;
            };
            if line == "OK" {
                return Ok(lines);
            }
            if let Some(code) = Code::of(&line) {
                return Err(AtError::Code(code));
            }
            let is_told = self.overhear(&line, command);
            if !is_told && line != command && lines.len() < MOST_LINES {
                lines.push(line);
            }
        }
    }

    /// Whether a line was said unasked; `command` is the one that is being answered.
    fn overhear(&mut self, line: &str, command: &str) -> bool {
        if self.unit_follows && line != command {
            self.unit_follows = false;
            self.keep(Unasked::Unit(line.to_owned()));
            return true;
        }
        match line.split_once(':') {
            Some(("+CMTI" | "+CDSI", place)) => {
                if let Some(stored) = stored(place) {
                    self.keep(stored);
                }
                true
            }
            Some(("+CDS" | "+CMT", _)) => {
                self.unit_follows = true;
                true
            }
            _ => is_noise(line, command),
        }
    }

    fn keep(&mut self, told: Unasked) {
        if self.unasked.len() == MOST_UNASKED {
            self.unasked.pop_front();
        }
        self.unasked.push_back(told);
    }

    /// The next line that is not empty, or the request for a text.
    async fn piece(&mut self, deadline: Instant) -> Result<Piece, AtError> {
        loop {
            // What is said unasked may follow at once: then it looks like a line of its own.
            let is_prompt = self.buffer.starts_with(b"> ")
                && matches!(self.buffer.get(2), None | Some(b'\r' | b'\n'));
            if is_prompt {
                self.buffer.drain(..2);
                return Ok(Piece::Prompt);
            }
            let end = self
                .buffer
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n'));
            if let Some(end) = end {
                let line: Vec<u8> = self.buffer.drain(..=end).take(end).collect();
                let line = String::from_utf8_lossy(&line);
                let line = line.trim();
                if !line.is_empty() {
                    return Ok(Piece::Line(line.to_owned()));
                }
                continue;
            }
            if self.buffer.len() >= LONGEST {
                self.buffer.clear();
            }
            let mut chunk = [0; 256];
            let read = timeout_at(deadline, self.port.read(&mut chunk)).await;
            match read.map_err(|_| AtError::Silent)?? {
                0 => return Err(AtError::Port(io::ErrorKind::UnexpectedEof.into())),
                read => self.buffer.extend(&chunk[..read]),
            }
        }
    }
}

fn stored(place: &str) -> Option<Unasked> {
    let (memory, index) = place.split_once(',')?;
    Some(Unasked::Stored {
        memory: memory.trim().trim_matches('"').to_owned(),
        // Some modems lose the number and say -1.
        index: index.trim().parse().ok(),
    })
}

/// What modems say unasked and nobody here needs: calls, signal, network, start.
fn is_noise(line: &str, command: &str) -> bool {
    const WORDS: [&str; 8] = [
        "RING",
        "RDY",
        "NO CARRIER",
        "Call Ready",
        "SMS Ready",
        "SMS DONE",
        "PB DONE",
        "NORMAL POWER DOWN",
    ];
    const HEADS: [&str; 14] = [
        "+CREG", "+CGREG", "+CEREG", "+CPIN", "+CFUN", "+CRING", "+CLIP", "+CTZV", "+CTZE",
        "+CIEV", "+QIND", "+QUSIM", "*PSUTTZ", "+CUSD",
    ];
    if WORDS.contains(&line) || line.starts_with('^') && !command.starts_with("AT^") {
        return true;
    }
    let head = line.split(':').next().unwrap_or(line);
    HEADS.contains(&head) && !command.contains(head)
}
