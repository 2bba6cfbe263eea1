//! What a line may do to frames, and what must come out nevertheless.

use andon_wire::{
    Button, ButtonEvent, Decoder, Errors, Frame, Hello, Inputs, Lamp, MAX_FRAME, Message, Press,
    Received, Release, ResetCause, Signal, ToAgent, ToBoard, Tone, VERSION, encode,
};
use crc::{CRC_32_ISO_HDLC, Crc};
use proptest::collection::vec;
use proptest::prelude::*;

const HEARTBEAT: Message = Message::ToBoard(ToBoard::Heartbeat);

proptest! {
    #[test]
    fn any_message_in_any_portions_comes_back(
        sent in vec((any::<u16>(), any_message()), 1..8),
        portion in 1_usize..100,
    ) {
        let bytes: Vec<u8> = sent.iter().flat_map(|(number, m)| encode(*number, m)).collect();
        let mut decoder = Decoder::new();
        let received: Vec<_> =
            bytes.chunks(portion).flat_map(|p| decoder.push_all(p).collect::<Vec<_>>()).collect();
        let sent: Vec<_> = sent.into_iter().map(|(number, m)| frame(number, m)).collect();
        prop_assert_eq!(received, sent);
        prop_assert_eq!(decoder.errors(), Errors::default());
    }

    #[test]
    fn damage_costs_no_more_than_its_frame(
        before in any_message(), message in any_message(), after in any_message(),
        damage in any_damage(),
    ) {
        let damaged = damage.apply(&encode(2, &message));
        let bytes = [&encode(1, &before), &damaged[..], &encode(3, &after)].concat();
        let received: Vec<_> = Decoder::new().push_all(&bytes).collect();
        let (first, last) = (frame(1, before), frame(3, after));
        // A delimiter too many or one of two lost in a row does not damage the frame.
        prop_assert!(
            received == [first, last] || received == [first, frame(2, message), last],
            "{:?}", received
        );
    }

    #[test]
    fn noise_before_a_frame_does_not_cost_the_frame(
        noise in vec(any::<u8>(), 0..300), message in any_message(),
    ) {
        let bytes = [&noise[..], &encode(1, &message)].concat();
        let received: Vec<_> = Decoder::new().push_all(&bytes).collect();
        prop_assert_eq!(received, [frame(1, message)]);
    }

    #[test]
    fn another_version_is_told_apart_from_damage(
        version in any::<u8>(), body in vec(any::<u8>(), 0..60),
    ) {
        // The first byte is no direction, so that the rest is nothing we could know.
        let body = [&[2][..], &body].concat();
        let mut decoder = Decoder::new();
        let received: Vec<_> = decoder.push_all(&frame_bytes(version, &body)).collect();
        let errors = decoder.errors();
        match version.cmp(&VERSION) {
            std::cmp::Ordering::Less => prop_assert_eq!(received, [Received::TooOld(version)]),
            std::cmp::Ordering::Greater => prop_assert_eq!(received, [Received::TooNew(version)]),
            std::cmp::Ordering::Equal => prop_assert!(received.is_empty() && errors.unknown == 1),
        }
        prop_assert_eq!(errors.damaged, 0);
    }

    #[test]
    fn only_the_common_ground_is_read_in_another_version(message in any_message()) {
        let mut body = [0; 64];
        let body = postcard::to_slice(&message, &mut body).expect("64 bytes are enough");
        let bytes = frame_bytes(VERSION + 1, body);
        let received: Vec<_> = Decoder::new().push_all(&bytes).collect();
        let expected = match message {
            Message::ToBoard(ToBoard::AskHello | ToBoard::EnterBootloader)
            | Message::ToAgent(ToAgent::Hello(_)) => frame(0, message),
            _ => Received::TooNew(VERSION + 1),
        };
        prop_assert_eq!(received, [expected]);
    }
}

#[test]
fn the_longest_messages_fit() {
    let release = Release {
        major: u16::MAX,
        minor: u16::MAX,
        patch: u16::MAX,
    };
    let hello = Hello {
        wire: u8::MAX,
        firmware: release,
        boot_id: u32::MAX,
        uptime_ms: u64::MAX,
        reset: ResetCause::Command,
        alone_ms: u64::MAX,
    };
    let inputs = Inputs {
        boot_id: u32::MAX,
        uptime_ms: u64::MAX,
        counts: [u64::MAX; 4],
        levels: [true; 4],
    };
    for message in [ToAgent::Hello(hello), ToAgent::Inputs(inputs)] {
        let bytes = encode(u16::MAX, &Message::ToAgent(message));
        assert!(bytes.len() <= MAX_FRAME);
        let received: Vec<_> = Decoder::new().push_all(&bytes).collect();
        assert_eq!(received, [frame(u16::MAX, Message::ToAgent(message))]);
    }
}

#[test]
fn nothing_inside_an_overlong_stretch_starts_a_frame() {
    let mut decoder = Decoder::new();
    let valid = encode(1, &HEARTBEAT);
    let inside = &valid[1..valid.len() - 1];
    let overlong = [&[0][..], &[0x55; MAX_FRAME], inside, &[0]].concat();
    assert_eq!(decoder.push_all(&overlong).count(), 0);
    assert_eq!(
        decoder.errors(),
        Errors {
            overlong: 1,
            ..Errors::default()
        }
    );
    assert_eq!(
        decoder.push_all(&valid).collect::<Vec<_>>(),
        [frame(1, HEARTBEAT)]
    );
}

#[test]
fn a_connection_made_in_the_middle_of_a_frame_is_no_error() {
    let mut decoder = Decoder::new();
    let bytes = [&encode(1, &HEARTBEAT)[5..], &encode(2, &HEARTBEAT)].concat();
    assert_eq!(
        decoder.push_all(&bytes).collect::<Vec<_>>(),
        [frame(2, HEARTBEAT)]
    );
    assert_eq!(decoder.errors(), Errors::default());
}

#[test]
fn trailing_bytes_are_not_ignored() {
    let mut decoder = Decoder::new();
    assert_eq!(
        decoder.push_all(&frame_bytes(VERSION, &[0, 0, 0])).count(),
        0
    );
    assert_eq!(
        decoder.errors(),
        Errors {
            unknown: 1,
            ..Errors::default()
        }
    );
}

#[test]
fn ten_million_random_bytes_are_no_message() {
    let mut random = Random(0x5eed);
    let mut decoder = Decoder::new();
    for _ in 0..10_000_000 {
        assert_eq!(decoder.push(random.next() as u8), None);
    }
    let errors = decoder.errors();
    assert!(
        errors.damaged > 1_000 && errors.overlong > 1_000,
        "{errors:?}"
    );
    assert_eq!(decoder.push_all(&encode(1, &HEARTBEAT)).count(), 1);
}

#[test]
fn a_hundred_thousand_corrupted_frames_are_no_message() {
    let mut random = Random(0xc0de);
    let mut decoder = Decoder::new();
    for number in (0..u16::MAX).cycle().take(100_000) {
        let sent = encode(number, &Message::ToAgent(ToAgent::Ack(number)));
        let mut damaged = sent.clone();
        while damaged == sent {
            for _ in 0..=random.next() % 4 {
                // Not the delimiters: without them the frame is whole.
                let at = 1 + random.next() as usize % (sent.len() - 2);
                damaged[at] ^= 1 << (random.next() % 8);
            }
        }
        let received: Vec<_> = decoder.push_all(&damaged).collect();
        assert!(received.is_empty(), "{number}: {received:?}");
        let received: Vec<_> = decoder.push_all(&encode(number, &HEARTBEAT)).collect();
        assert_eq!(received, [frame(number, HEARTBEAT)]);
    }
}

const fn frame(number: u16, message: Message) -> Received {
    Received::Frame(Frame { number, message })
}

/// An undamaged frame, number 0, of any version and with any content.
fn frame_bytes(version: u8, body: &[u8]) -> Vec<u8> {
    let content = [&[version, 0, 0], body].concat();
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&content);
    let content = [&content[..], &crc.to_le_bytes()].concat();
    let mut bytes = vec![0; content.len() + 4];
    let len = cobs::encode_including_sentinels(&content, &mut bytes);
    bytes.truncate(len);
    bytes
}

/// What may happen to the bytes of a frame; positions are taken modulo its length.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Vec<(usize, u8)>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

impl Damage {
    fn apply(&self, frame: &[u8]) -> Vec<u8> {
        let mut bytes = frame.to_vec();
        let len = bytes.len();
        match self {
            Damage::Flip(flips) => flips.iter().for_each(|(at, mask)| bytes[at % len] ^= mask),
            Damage::Insert(at, noise) => drop(bytes.splice(at % len..at % len, noise.clone())),
            Damage::Remove(at, count) => {
                let start = at % len;
                bytes.drain(start..(start + count).min(len));
            }
        }
        bytes
    }
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        vec((any::<usize>(), 1_u8..), 1..5).prop_map(Damage::Flip),
        (any::<usize>(), vec(any::<u8>(), 1..100))
            .prop_map(|(at, noise)| Damage::Insert(at, noise)),
        (any::<usize>(), 1_usize..20).prop_map(|(at, count)| Damage::Remove(at, count)),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_to_board().prop_map(Message::ToBoard),
        any_to_agent().prop_map(Message::ToAgent)
    ]
}

fn any_to_board() -> impl Strategy<Value = ToBoard> {
    use proptest::sample::select;
    let tones = [
        Tone::Silent,
        Tone::Low,
        Tone::Medium,
        Tone::High,
        Tone::Ringback,
        Tone::Test,
    ]
    .as_slice();
    let lamp = || select([Lamp::Off, Lamp::On, Lamp::Flash, Lamp::FlashSlow].as_slice());
    let signal = (select(tones), any::<u8>(), lamp(), lamp(), lamp()).prop_map(
        |(tone, start, red, yellow, green)| Signal {
            tone,
            start,
            red,
            yellow,
            green,
        },
    );
    prop_oneof![
        Just(ToBoard::Heartbeat),
        signal.prop_map(ToBoard::Signal),
        Just(ToBoard::AskHello),
        Just(ToBoard::EnterBootloader),
    ]
}

fn any_to_agent() -> impl Strategy<Value = ToAgent> {
    use proptest::sample::select;
    let causes = [
        ResetCause::Unknown,
        ResetCause::PowerOn,
        ResetCause::Pin,
        ResetCause::Watchdog,
        ResetCause::Panic,
        ResetCause::Command,
    ];
    let release = any::<(u16, u16, u16)>().prop_map(|(major, minor, patch)| Release {
        major,
        minor,
        patch,
    });
    let hello = (
        any::<(u8, u32, u64, u64)>(),
        release,
        select(causes.to_vec()),
    )
        .prop_map(|((wire, boot_id, uptime_ms, alone_ms), firmware, reset)| {
            ToAgent::Hello(Hello {
                wire,
                firmware,
                boot_id,
                uptime_ms,
                reset,
                alone_ms,
            })
        });
    let inputs = any::<(u32, u64, [u64; 4], [bool; 4])>().prop_map(
        |(boot_id, uptime_ms, counts, levels)| {
            ToAgent::Inputs(Inputs {
                boot_id,
                uptime_ms,
                counts,
                levels,
            })
        },
    );
    let buttons = [
        Button::Acknowledge,
        Button::Reason1,
        Button::Reason2,
        Button::Reason3,
    ];
    let presses = [Press::Short, Press::Long, Press::Held];
    let event = (select(buttons.to_vec()), select(presses.to_vec()))
        .prop_map(|(button, press)| ToAgent::Button(ButtonEvent { button, press }));
    prop_oneof![hello, inputs, event, any::<u16>().prop_map(ToAgent::Ack)]
}

/// A small generator (xorshift), so that a failing round can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }
}
