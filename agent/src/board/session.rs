//! What agent and board say to each other, and what that tells of the board. Pure: bytes and moments
//! in, frames out.
//!
//! - A board counts as there once it has said hello in our version of the messages, and as long as
//!   its frames come.
//! - The signal that holds is sent until the board says that it is carried out, and once more after
//!   each hello: the board may have lost it. It always is the whole of it, so once too often does no
//!   harm.
//! - A board that has said nothing for a while is asked who it is, which is no heartbeat: a line may be
//!   alive while the engine is not.
//! - A heartbeat goes out when whoever holds the session says that the engine lives, never by itself.
//! - What cannot be is not passed on: counts that go back under one boot id, a frame that was said
//!   twice.

use andon_core::time::Mono;
use andon_wire::{
    ButtonEvent, Decoder, Encoded, Errors, Frame, Hello, Inputs, Message, Received, Signal,
    ToAgent, ToBoard, VERSION, encode,
};
use std::fmt;

/// Who has said nothing is asked again after this.
const ASK_AGAIN_MS: u64 = 1_000;

/// A board that has said nothing for so long is asked whether it is still there.
const QUIET_MS: u64 = 1_500;

/// A signal that was not said to be carried out is sent again after this.
const SIGNAL_AGAIN_MS: u64 = 500;

/// A board that says nothing for so long is gone: three heartbeats without an answer.
pub(super) const SILENT_MS: u64 = 3_500;

/// What a board tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Who it is.
    Hello(Hello),
    /// What its inputs counted and show.
    Inputs(Inputs),
    /// A press of a button.
    Button(ButtonEvent),
    /// A signal is carried out.
    Carried,
}

/// Why there is no board that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Not a byte came.
    Silent,
    /// Bytes came, and nothing among them that a board says.
    Garbled(Errors),
    /// It was there, and says nothing any more.
    Mute,
    /// It speaks an older version of the messages.
    TooOld(Version),
    /// It speaks a newer version of the messages.
    TooNew(Version),
}

/// What is known of a board of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    wire: u8,
    hello: Option<Hello>,
}

impl Trouble {
    /// Whether opening the port anew may help: another version stays what it is.
    pub(super) const fn is_of_line(&self) -> bool {
        !matches!(self, Trouble::TooOld(_) | Trouble::TooNew(_))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Silent => f.write_str(
                "nothing answers at this port: is it the board, is its firmware flashed, are TX and \
                 RX crossed?",
            ),
            Trouble::Garbled(errors) => write!(
                f,
                "what comes is not what a board says ({} damaged frames, {} too long, {} unknown): \
                 another device, another `baud`, or a board that is broken",
                errors.damaged, errors.overlong, errors.unknown
            ),
            Trouble::Mute => f.write_str("the board has stopped answering"),
            Trouble::TooOld(version) => write!(
                f,
                "the board is too old: {version}, this agent speaks version {VERSION}; flash the \
                 firmware of this release onto the board"
            ),
            Trouble::TooNew(version) => write!(
                f,
                "the board is too new: {version}, this agent speaks version {VERSION}; update the \
                 agent, or flash the firmware of this release onto the board"
            ),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it speaks version {} of the messages", self.wire)?;
        match self.hello {
            Some(hello) => write!(f, " (firmware {})", release(&hello)),
            None => Ok(()),
        }
    }
}

/// The release of a board's firmware, `1.2.3`.
pub(super) fn release(hello: &Hello) -> String {
    let release = hello.firmware;
    format!("{}.{}.{}", release.major, release.minor, release.patch)
}

/// One connection to a board.
#[derive(Debug)]
pub(super) struct Session {
    decoder: Decoder,
    /// Number of the next frame.
    number: u16,
    /// When the last byte came, if one did.
    byte_at: Option<Mono>,
    /// When the last frame came, or the port was opened.
    frame_at: Mono,
    hello: Option<Hello>,
    /// What a board of another version said without a hello.
    other: Option<u8>,
    /// When it may be asked again who is there.
    ask_at: Mono,
    signal: Signal,
    /// The signal is to be sent then; none: it is carried out.
    signal_at: Option<Mono>,
    /// Number of the frame that it was sent with last.
    signal_number: Option<u16>,
    beat: bool,
    /// It is to be asked who it is, although it talks.
    asks: bool,
    /// Number of the last frame of the board.
    last: Option<u16>,
    missed: u64,
    inputs: Option<Inputs>,
}

impl Session {
    /// A session on a port that was opened `now`, for a board that is to show `signal`.
    pub(super) const fn new(signal: Signal, now: Mono) -> Session {
        Session {
            decoder: Decoder::new(),
            number: 0,
            byte_at: None,
            frame_at: now,
            hello: None,
            other: None,
            ask_at: now,
            signal,
            signal_at: Some(now),
            signal_number: None,
            beat: false,
            asks: false,
            last: None,
            missed: 0,
            inputs: None,
        }
    }

    /// Takes a byte; what a board says comes out with the last one of its frame.
    pub(super) fn receive(&mut self, byte: u8, now: Mono) -> Option<Heard> {
        self.byte_at = Some(now);
        match self.decoder.push(byte)? {
            Received::Frame(Frame {
                number,
                message: Message::ToAgent(message),
            }) => self.hear(number, message, now),
            // An echo of our own: a bridge between TX and RX. Nobody is there by that.
            Received::Frame(_) => None,
            Received::TooOld(version) | Received::TooNew(version) => {
                self.frame_at = now;
                self.other = Some(version);
                None
            }
        }
    }

    fn hear(&mut self, number: u16, message: ToAgent, now: Mono) -> Option<Heard> {
        self.frame_at = now;
        if let Some(last) = self.last.replace(number) {
            if last == number {
                return None;
            }
            let between = number.wrapping_sub(last).wrapping_sub(1);
            // A board that starts anew begins with 0.
            if number != 0 {
                self.missed += u64::from(between);
            }
        }
        match message {
            ToAgent::Hello(hello) => {
                self.hello = Some(hello);
                self.other = None;
                self.signal_at = Some(now);
                Some(Heard::Hello(hello))
            }
            _ if !self.is_there() => None,
            ToAgent::Inputs(inputs) => {
                let goes_back = |before: Inputs| {
                    let mut counts = inputs.counts.iter().zip(&before.counts);
                    before.boot_id == inputs.boot_id && counts.any(|(now, then)| now < then)
                };
                if self.inputs.is_some_and(goes_back) {
                    return None;
                }
                self.inputs = Some(inputs);
                Some(Heard::Inputs(inputs))
            }
            ToAgent::Button(event) => Some(Heard::Button(event)),
            ToAgent::Ack(of) if self.signal_number == Some(of) => {
                self.signal_at = None;
                self.signal_number = None;
                Some(Heard::Carried)
            }
            ToAgent::Ack(_) => None,
        }
    }

    /// Whether a board of our version is there.
    pub(super) fn is_there(&self) -> bool {
        self.hello.is_some_and(|hello| hello.wire == VERSION)
    }

    /// The engine lives.
    pub(super) const fn beat(&mut self) {
        self.beat = true;
    }

    /// Asks who is there at once. The hello is followed by the signal that holds, and that by the word
    /// that it is carried out.
    pub(super) const fn ask(&mut self) {
        self.asks = true;
    }

    /// What the board is to sound and show from now on.
    pub(super) fn show(&mut self, signal: Signal, now: Mono) {
        if signal != self.signal {
            self.signal = signal;
            self.signal_at = Some(now);
            self.signal_number = None;
        }
    }

    /// The next frame to send, if there is one.
    pub(super) fn poll_transmit(&mut self, now: Mono) -> Option<Encoded> {
        if core::mem::take(&mut self.asks) || self.asks_at() <= now {
            self.ask_at = now + ASK_AGAIN_MS;
            return Some(self.frame(ToBoard::AskHello).1);
        }
        if !self.is_there() {
            return None;
        }
        // Before the first heartbeat the board takes the agent for dead, and what it orders is void.
        if core::mem::take(&mut self.beat) {
            return Some(self.frame(ToBoard::Heartbeat).1);
        }
        if self.signal_at.is_some_and(|at| at <= now) {
            let (number, frame) = self.frame(ToBoard::Signal(self.signal));
            self.signal_at = Some(now + SIGNAL_AGAIN_MS);
            self.signal_number = Some(number);
            return Some(frame);
        }
        None
    }

    fn frame(&mut self, message: ToBoard) -> (u16, Encoded) {
        let number = self.number;
        self.number = number.wrapping_add(1);
        (number, encode(number, &Message::ToBoard(message)))
    }

    /// What is wrong with it at `now`.
    pub(super) fn trouble(&self, now: Mono) -> Option<Trouble> {
        let is_silent = now.since(self.frame_at) >= SILENT_MS;
        let wire = self.hello.map(|hello| hello.wire).or(self.other);
        match wire {
            _ if is_silent && self.is_there() => Some(Trouble::Mute),
            Some(VERSION) => None,
            _ if is_silent => Some(match self.byte_at {
                None => Trouble::Silent,
                Some(_) => Trouble::Garbled(self.decoder.errors()),
            }),
            Some(wire) => {
                let version = Version {
                    wire,
                    hello: self.hello,
                };
                Some(if wire < VERSION {
                    Trouble::TooOld(version)
                } else {
                    Trouble::TooNew(version)
                })
            }
            None => None,
        }
    }

    /// When to look at it again, if nothing comes until then.
    pub(super) fn deadline(&self) -> Mono {
        let next = self.asks_at().min(self.frame_at + SILENT_MS);
        let signal_at = self.signal_at.filter(|_| self.is_there());
        signal_at.map_or(next, |at| at.min(next))
    }

    /// When to ask who is there: one of another version too, for it may have been flashed meanwhile.
    fn asks_at(&self) -> Mono {
        match self.is_there() {
            true => self.ask_at.max(self.frame_at + QUIET_MS),
            false => self.ask_at,
        }
    }

    /// Frames of the board that did not arrive, and what was thrown away.
    pub(super) const fn losses(&self) -> (u64, Errors) {
        (self.missed, self.decoder.errors())
    }
}

#[cfg(test)]
mod tests;
