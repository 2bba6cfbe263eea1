//! The session with the agent: whether it lives, what it ordered, what it is to be told.
//!
//! Only a heartbeat is a sign of life. Bytes, other messages, or an agent of another version (whose
//! heartbeat nobody can vouch for) are none: a board that is not understood has to sound.
//!
//! What waits to be told is bounded because it is state, not a queue: the newest hello, the newest
//! ack, the newest inputs. Only presses queue; see [`Link::tell_button`] for when that is full.

use andon_wire::{
    AGENT_DEAD_AFTER_MS, ButtonEvent, Decoder, Encoded, Frame, Hello, Inputs, Message, Received,
    ResetCause, Signal, ToAgent, ToBoard, VERSION, encode,
};
use heapless::Deque;

/// More presses than fingers manage while a frame goes out.
const PRESSES: usize = 4;

/// Who this board is, from its start on.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Random; kept over a reset exactly if the counts are.
    pub boot_id: u32,
    /// Why it started.
    pub reset: ResetCause,
}

/// What the agent wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Play and show this.
    Signal(Signal),
    /// Leave the firmware, after what waits has been told.
    EnterBootloader,
}

/// The board's end of the line.
#[derive(Debug)]
pub struct Link {
    identity: Identity,
    decoder: Decoder,
    /// The number of the next frame.
    number: u16,
    /// Or the start, when there was none yet.
    last_heartbeat: u64,
    /// How long the last stretch without the agent was that is over.
    alone_ms: u64,
    hello: bool,
    ack: Option<u16>,
    inputs: bool,
    presses: Deque<ButtonEvent, PRESSES>,
}

impl Link {
    /// A link at the start of the board; says hello by itself.
    pub const fn new(identity: Identity, now: u64) -> Link {
        Link {
            identity,
            decoder: Decoder::new(),
            number: 0,
            last_heartbeat: now,
            alone_ms: 0,
            hello: true,
            ack: None,
            inputs: false,
            presses: Deque::new(),
        }
    }

    /// Takes one byte from the agent.
    pub fn receive(&mut self, byte: u8, now: u64) -> Option<Order> {
        match self.decoder.push(byte)? {
            Received::Frame(Frame {
                number,
                message: Message::ToBoard(message),
            }) => self.obey(number, message, now),
            // An echo of our own.
            Received::Frame(_) => None,
            Received::TooOld(_) | Received::TooNew(_) => {
                // So that the agent can name us, and replace us.
                self.hello = true;
                None
            }
        }
    }

    /// Whether there has been no heartbeat for too long.
    pub const fn is_agent_dead(&self, now: u64) -> bool {
        self.silence(now) >= AGENT_DEAD_AFTER_MS
    }

    /// How long the agent has been taken for dead, 0 while it lives.
    pub const fn agent_dead_for(&self, now: u64) -> u64 {
        self.silence(now).saturating_sub(AGENT_DEAD_AFTER_MS)
    }

    /// The agent shall have the inputs with the next frame.
    pub const fn tell_inputs(&mut self) {
        self.inputs = true;
    }

    /// The agent shall hear of a press. It does not if it is dead by then, or if so many wait that
    /// the line stands still: an acknowledgement must not arrive after the fact.
    pub fn tell_button(&mut self, event: ButtonEvent) {
        let _full = self.presses.push_back(event);
    }

    /// The next frame for the agent, if there is something to tell. `inputs` is asked at that
    /// moment, so what goes out is never older than its frame.
    pub fn poll_transmit(
        &mut self,
        now: u64,
        inputs: impl FnOnce(u32) -> Inputs,
    ) -> Option<Encoded> {
        let message = self.next_message(now, inputs)?;
        let number = self.number;
        self.number = number.wrapping_add(1);
        Some(encode(number, &Message::ToAgent(message)))
    }

    fn next_message(&mut self, now: u64, inputs: impl FnOnce(u32) -> Inputs) -> Option<ToAgent> {
        if self.is_agent_dead(now) {
            self.presses.clear();
        }
        if let Some(number) = self.ack.take() {
            return Some(ToAgent::Ack(number));
        }
        if core::mem::take(&mut self.hello) {
            return Some(ToAgent::Hello(self.hello(now)));
        }
        if let Some(event) = self.presses.pop_front() {
            return Some(ToAgent::Button(event));
        }
        let wanted = core::mem::take(&mut self.inputs);
        wanted.then(|| ToAgent::Inputs(inputs(self.identity.boot_id)))
    }

    fn obey(&mut self, number: u16, message: ToBoard, now: u64) -> Option<Order> {
        match message {
            ToBoard::Heartbeat => {
                self.heartbeat(now);
                None
            }
            ToBoard::Signal(signal) => {
                self.ack = Some(number);
                Some(Order::Signal(signal))
            }
            ToBoard::AskHello => {
                self.hello = true;
                None
            }
            ToBoard::EnterBootloader => {
                self.ack = Some(number);
                Some(Order::EnterBootloader)
            }
        }
    }

    /// An agent that is back hears how long it was away, and what was counted meanwhile.
    fn heartbeat(&mut self, now: u64) {
        if self.is_agent_dead(now) {
            self.alone_ms = self.silence(now);
            self.hello = true;
            self.presses.clear();
        }
        self.last_heartbeat = now;
        self.inputs = true;
    }

    const fn hello(&self, now: u64) -> Hello {
        let alone_ms = if self.is_agent_dead(now) {
            self.silence(now)
        } else {
            self.alone_ms
        };
        Hello {
            wire: VERSION,
            firmware: crate::FIRMWARE,
            boot_id: self.identity.boot_id,
            uptime_ms: now,
            reset: self.identity.reset,
            alone_ms,
        }
    }

    const fn silence(&self, now: u64) -> u64 {
        now.saturating_sub(self.last_heartbeat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_wire::{Button, Press};
    use proptest::collection::vec;
    use proptest::prelude::*;

    const PRESS: ButtonEvent = ButtonEvent {
        button: Button::Acknowledge,
        press: Press::Short,
    };

    #[test]
    fn says_hello_at_start() {
        assert_eq!(
            told(&mut link(), 7),
            [ToAgent::Hello(Hello {
                alone_ms: 0,
                ..hello_at(7)
            })]
        );
    }

    #[test]
    fn each_order_has_its_answer() {
        let signal = Signal {
            start: 9,
            ..Signal::default()
        };
        let table = [
            (ToBoard::Heartbeat, None, ToAgent::Inputs(inputs(5))),
            (
                ToBoard::Signal(signal),
                Some(Order::Signal(signal)),
                ToAgent::Ack(77),
            ),
            (ToBoard::AskHello, None, ToAgent::Hello(hello_at(1))),
            (
                ToBoard::EnterBootloader,
                Some(Order::EnterBootloader),
                ToAgent::Ack(77),
            ),
        ];
        for (message, order, answer) in table {
            let mut link = quiet_link();
            assert_eq!(
                send(&mut link, Message::ToBoard(message), 1),
                order,
                "{message:?}"
            );
            assert_eq!(told(&mut link, 1), [answer], "{message:?}");
        }
    }

    #[test]
    fn an_agent_that_is_back_hears_how_long_it_was_away() {
        let mut link = quiet_link();
        send(&mut link, Message::ToBoard(ToBoard::Heartbeat), 1_000);
        told(&mut link, 1_000);
        send(&mut link, Message::ToBoard(ToBoard::Heartbeat), 61_000);
        let hello = Hello {
            alone_ms: 60_000,
            ..hello_at(61_000)
        };
        assert_eq!(
            told(&mut link, 61_000),
            [ToAgent::Hello(hello), ToAgent::Inputs(inputs(5))]
        );
    }

    #[test]
    fn a_press_for_a_dead_agent_is_never_told() {
        for polled_meanwhile in [false, true] {
            let mut link = quiet_link();
            link.tell_button(PRESS);
            if polled_meanwhile {
                assert_eq!(told(&mut link, 10_000), []);
            }
            send(&mut link, Message::ToBoard(ToBoard::Heartbeat), 10_000);
            assert!(!told(&mut link, 10_000).contains(&ToAgent::Button(PRESS)));
            link.tell_button(PRESS);
            assert_eq!(told(&mut link, 10_001), [ToAgent::Button(PRESS)]);
        }
    }

    #[test]
    fn presses_beyond_the_queue_are_not_told_later() {
        let mut link = quiet_link();
        (0..100).for_each(|_| link.tell_button(PRESS));
        assert_eq!(told(&mut link, 0).len(), PRESSES);
    }

    #[test]
    fn an_agent_of_another_version_is_no_sign_of_life_and_hears_who_we_are() {
        let mut link = quiet_link();
        // A heartbeat of version 2.
        let frame = [
            0x00, 0x04, 0x02, 0x01, 0x01, 0x01, 0x05, 0x2f, 0xa9, 0x9c, 0x05, 0x00,
        ];
        for byte in frame {
            assert_eq!(link.receive(byte, 9_000), None);
        }
        assert!(link.is_agent_dead(10_000));
        assert_eq!(told(&mut link, 9_000), [ToAgent::Hello(hello_at(9_000))]);
    }

    #[test]
    fn an_echo_is_no_sign_of_life() {
        let mut link = quiet_link();
        send(
            &mut link,
            Message::ToAgent(ToAgent::Hello(hello_at(0))),
            9_000,
        );
        assert!(link.is_agent_dead(10_000));
        assert_eq!(told(&mut link, 9_000), []);
    }

    proptest! {
        #[test]
        fn dead_exactly_when_ten_seconds_had_no_heartbeat(gaps in vec(0_u64..15_000, 0..20)) {
            let mut link = link();
            let mut now = 0;
            for gap in gaps {
                prop_assert!(!link.is_agent_dead(now + gap.min(9_999)));
                prop_assert!(link.is_agent_dead(now + 10_000));
                now += gap;
                send(&mut link, Message::ToBoard(ToBoard::Heartbeat), now);
                prop_assert!(!link.is_agent_dead(now));
            }
        }

        #[test]
        fn noise_is_no_order_and_no_sign_of_life(noise in vec(any::<u8>(), 0..2_000)) {
            let mut link = quiet_link();
            for byte in noise {
                prop_assert_eq!(link.receive(byte, 9_000), None);
            }
            prop_assert!(link.is_agent_dead(10_000));
            send(&mut link, Message::ToBoard(ToBoard::Heartbeat), 10_000);
            prop_assert!(!link.is_agent_dead(10_000));
        }
    }

    fn link() -> Link {
        Link::new(
            Identity {
                boot_id: 5,
                reset: ResetCause::PowerOn,
            },
            0,
        )
    }

    /// A link that has said its hello.
    fn quiet_link() -> Link {
        let mut link = link();
        told(&mut link, 0);
        link
    }

    fn send(link: &mut Link, message: Message, now: u64) -> Option<Order> {
        encode(77, &message)
            .iter()
            .filter_map(|&byte| link.receive(byte, now))
            .last()
    }

    fn told(link: &mut Link, now: u64) -> Vec<ToAgent> {
        let mut decoder = Decoder::new();
        let mut told = Vec::new();
        while let Some(bytes) = link.poll_transmit(now, inputs) {
            told.extend(decoder.push_all(&bytes).map(|received| match received {
                Received::Frame(Frame {
                    message: Message::ToAgent(message),
                    ..
                }) => message,
                other => panic!("{other:?}"),
            }));
        }
        told
    }

    const fn inputs(boot_id: u32) -> Inputs {
        Inputs {
            boot_id,
            uptime_ms: 0,
            counts: [1, 2, 3, 4],
            levels: [false; 4],
        }
    }

    const fn hello_at(now: u64) -> Hello {
        Hello {
            wire: VERSION,
            firmware: crate::FIRMWARE,
            boot_id: 5,
            uptime_ms: now,
            reset: ResetCause::PowerOn,
            alone_ms: 0,
        }
    }
}
