//! The bytes on the line, for every message. They were put together by hand with another CRC and
//! another COBS; a failure here means that boards in the field no longer understand the agent.
//! Never change them: change `VERSION` and add new ones.

use andon_wire::{
    Button, ButtonEvent, Decoder, Frame, Hello, Inputs, Lamp, Message, Press, Received, Release,
    ResetCause, Signal, ToAgent, ToBoard, Tone, encode,
};
use serde::Serialize;
use std::fmt::Debug;

const HELLO: Hello = Hello {
    wire: 1,
    firmware: Release {
        major: 0,
        minor: 1,
        patch: 300,
    },
    boot_id: 0xdead_beef,
    uptime_ms: 86_400_000,
    reset: ResetCause::Watchdog,
    alone_ms: 12_345,
};

#[test]
fn heartbeat() {
    assert_golden(
        0x0102,
        Message::ToBoard(ToBoard::Heartbeat),
        "00040102010105117c895000",
    );
}

#[test]
fn signal() {
    let signal = Signal {
        tone: Tone::High,
        start: 7,
        red: Lamp::Flash,
        yellow: Lamp::FlashSlow,
        green: Lamp::On,
    };
    let bytes = "00030102010b010307020301390d3b6c00";
    assert_golden(2, Message::ToBoard(ToBoard::Signal(signal)), bytes);
}

#[test]
fn ask_hello() {
    assert_golden(
        3,
        Message::ToBoard(ToBoard::AskHello),
        "000301030106026f10f90700",
    );
}

#[test]
fn enter_bootloader() {
    let message = Message::ToBoard(ToBoard::EnterBootloader);
    assert_golden(0xffff, message, "000401ffff06030bbdd60200");
}

#[test]
fn hello() {
    let bytes = "00020101020102011401ac02effdb6f50d80b8992903b960c83c8aeb00";
    assert_golden(0, Message::ToAgent(ToAgent::Hello(HELLO)), bytes);
}

#[test]
fn inputs() {
    let inputs = Inputs {
        boot_id: 0xdead_beef,
        uptime_ms: 86_400_000,
        counts: [0, 1, 100_000, u64::MAX],
        levels: [true, false, false, true],
    };
    let bytes = "000f0101020101effdb6f50d80b899291001a08d06ffffffffffffffffff0101010601dd70ea6300";
    assert_golden(513, Message::ToAgent(ToAgent::Inputs(inputs)), bytes);
}

#[test]
fn button() {
    let event = ButtonEvent {
        button: Button::Reason2,
        press: Press::Long,
    };
    let bytes = "000301060901020201c8d64b1300";
    assert_golden(6, Message::ToAgent(ToAgent::Button(event)), bytes);
}

#[test]
fn ack() {
    assert_golden(
        7,
        Message::ToAgent(ToAgent::Ack(258)),
        "000301070901038202aba65f7b00",
    );
}

/// A hello as version 0 would have sent it: the common ground is read in every version.
#[test]
fn hello_of_another_version() {
    let bytes = unhex("00010209020102011401ac02effdb6f50d80b8992903b960e0d28a4600");
    let message = Message::ToAgent(ToAgent::Hello(HELLO));
    let received: Vec<_> = Decoder::new().push_all(&bytes).collect();
    assert_eq!(received, [Received::Frame(Frame { number: 9, message })]);
}

/// The order of every enum is on the wire.
#[test]
fn discriminants() {
    use Message as M;
    let signal = ToBoard::Signal(Signal::default());
    assert_first_bytes(&[M::ToBoard(ToBoard::Heartbeat), M::ToAgent(ToAgent::Ack(0))]);
    assert_first_bytes(&[
        ToBoard::Heartbeat,
        signal,
        ToBoard::AskHello,
        ToBoard::EnterBootloader,
    ]);
    let inputs = Inputs {
        boot_id: 0,
        uptime_ms: 0,
        counts: [0; 4],
        levels: [false; 4],
    };
    let event = ButtonEvent {
        button: Button::Acknowledge,
        press: Press::Short,
    };
    assert_first_bytes(&[
        ToAgent::Hello(HELLO),
        ToAgent::Inputs(inputs),
        ToAgent::Button(event),
        ToAgent::Ack(0),
    ]);
    assert_first_bytes(&[
        Tone::Silent,
        Tone::Low,
        Tone::Medium,
        Tone::High,
        Tone::Ringback,
        Tone::Test,
    ]);
    assert_first_bytes(&[Lamp::Off, Lamp::On, Lamp::Flash, Lamp::FlashSlow]);
    assert_first_bytes(&[
        ResetCause::Unknown,
        ResetCause::PowerOn,
        ResetCause::Pin,
        ResetCause::Watchdog,
        ResetCause::Panic,
        ResetCause::Command,
    ]);
    assert_first_bytes(&[
        Button::Acknowledge,
        Button::Reason1,
        Button::Reason2,
        Button::Reason3,
    ]);
    assert_first_bytes(&[Press::Short, Press::Long, Press::Held]);
}

fn assert_golden(number: u16, message: Message, bytes: &str) {
    assert_eq!(hex(&encode(number, &message)), bytes);
    let bytes = unhex(bytes);
    let received: Vec<_> = Decoder::new().push_all(&bytes).collect();
    assert_eq!(received, [Received::Frame(Frame { number, message })]);
}

fn assert_first_bytes<T: Serialize + Debug>(variants: &[T]) {
    for (index, variant) in variants.iter().enumerate() {
        let mut bytes = [0; 64];
        let bytes = postcard::to_slice(variant, &mut bytes).expect("64 bytes are enough");
        assert_eq!(usize::from(bytes[0]), index, "{variant:?} has moved");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| std::str::from_utf8(pair).expect("ASCII"))
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal"))
        .collect()
}
