//! The board as the agent and the people at the line see it: frames and fingers in, frames, sound
//! and light out, one virtual millisecond after the other.

use andon_board::{Board, Identity, Outputs, Pins};
use andon_wire::{
    Button, ButtonEvent, Decoder, Frame, Hello, Inputs, Lamp, Message, Press, Received, ResetCause,
    Signal, ToAgent, ToBoard, Tone, encode,
};
use proptest::collection::vec;
use proptest::prelude::*;

const BOOT_ID: u32 = 4711;
const MINUTE: u64 = 60_000;
const FAIL_SAFE: Outputs = Outputs {
    buzzer: false,
    red: true,
    yellow: false,
    green: false,
};
const ALARM: Signal = Signal {
    tone: Tone::High,
    start: 1,
    red: Lamp::On,
    yellow: Lamp::Off,
    green: Lamp::Off,
};

#[test]
fn a_signal_sounds_at_once_and_is_acknowledged() {
    let mut bench = Bench::started();
    bench.order(ToBoard::Signal(ALARM));
    let outputs = bench.board.outputs(bench.now);
    assert_eq!(
        outputs,
        Outputs {
            buzzer: true,
            red: true,
            yellow: false,
            green: false
        }
    );
    assert_eq!(bench.told(), [ToAgent::Ack(bench.number)]);
}

#[test]
fn when_the_agent_dies_the_board_sounds_and_when_it_is_back_it_is_quiet() {
    let mut bench = Bench::started();
    bench.order(ToBoard::Signal(Signal {
        green: Lamp::On,
        ..Signal::default()
    }));
    assert_eq!(bench.run(9_999).chirps, 0);
    let alone = bench.run(10 * MINUTE);
    assert_eq!(alone.chirps, 20);
    assert_eq!(
        alone.first_chirp_ms,
        Some(1),
        "ten seconds after the last heartbeat"
    );
    assert_eq!(
        Outputs {
            buzzer: false,
            ..bench.board.outputs(bench.now)
        },
        FAIL_SAFE
    );
    bench.order(ToBoard::Heartbeat);
    assert_eq!(
        bench.board.outputs(bench.now),
        Outputs::default(),
        "what it ordered is void"
    );
    assert_eq!(bench.run(9_999).chirps, 0);
}

#[test]
fn a_board_that_never_hears_an_agent_sounds_too() {
    let mut bench = Bench::new([0; 4]);
    assert_eq!(bench.run(9_999).chirps, 0);
    assert_eq!(bench.run(MINUTE).chirps, 2);
}

#[test]
fn acknowledge_silences_the_dead_agent_for_five_minutes() {
    let mut bench = Bench::started();
    bench.run(15_000);
    bench.press(0, 200);
    assert_eq!(bench.run(5 * MINUTE - 100).chirps, 0);
    assert!(bench.run(31_000).chirps > 0);
    assert!(bench.board.outputs(bench.now).red);
}

#[test]
fn the_next_time_the_agent_dies_is_not_silenced() {
    let mut bench = Bench::started();
    bench.run(15_000);
    bench.press(0, 200);
    bench.order(ToBoard::Heartbeat);
    bench.run(10_000);
    assert!(bench.run(31_000).chirps > 0);
}

#[test]
fn a_reason_button_does_not_silence() {
    let mut bench = Bench::started();
    bench.run(15_000);
    bench.press(1, 200);
    assert!(bench.run(31_000).chirps > 0);
}

#[test]
fn an_order_that_overtakes_the_first_heartbeat_is_kept() {
    let mut bench = Bench::started();
    bench.run(15_000);
    bench.order(ToBoard::Signal(ALARM));
    bench.run(100);
    bench.order(ToBoard::Heartbeat);
    bench.run(100);
    assert!(bench.run(1_000).chirps > 0);
    assert!(!bench.board.outputs(bench.now).green);
}

#[test]
fn a_press_is_told_once_with_its_length() {
    let mut bench = Bench::started();
    bench.press(0, 200);
    bench.press(2, 2_000);
    bench.press(3, 6_000);
    let presses: Vec<_> = bench
        .told()
        .into_iter()
        .filter(|told| matches!(told, ToAgent::Button(_)))
        .collect();
    let press = |button, press| ToAgent::Button(ButtonEvent { button, press });
    assert_eq!(
        presses,
        [
            press(Button::Acknowledge, Press::Short),
            press(Button::Reason2, Press::Long),
            press(Button::Reason3, Press::Held),
        ]
    );
}

#[test]
fn a_level_is_told_when_it_changes_but_pulses_do_not_fill_the_line() {
    let mut bench = Bench::started();
    bench.run(100);
    bench.told();
    bench.pins.inputs[2] = true;
    bench.run(2);
    let told = bench.told_inputs();
    assert_eq!(told.levels, [false, false, true, false]);
    assert_eq!(told.counts, [0, 0, 1, 0]);
    bench.pulses(1, 200);
    assert!((10..=21).contains(&bench.told().len()), "one second");
}

#[test]
fn a_hundred_thousand_pulses_over_reconnects_and_a_reset_are_counted_exactly() {
    let mut bench = Bench::started();
    for round in 0..10 {
        // Every other round the agent is away, and frames are lost on a bad line.
        for _ in 0..10 {
            bench.pulses(0, 1_000);
            if round % 2 == 0 {
                bench.order(ToBoard::Heartbeat);
            } else {
                bench.board.receive(&[0, 7, 7, 7, 0, 1], bench.now);
            }
        }
        if round == 5 {
            bench = Bench::new(bench.board.counts());
            bench.run(10);
        }
    }
    bench.order(ToBoard::Heartbeat);
    bench.told();
    bench.order(ToBoard::Heartbeat);
    let inputs = bench.told_inputs();
    assert_eq!(
        (inputs.boot_id, inputs.counts),
        (BOOT_ID, [100_000, 0, 0, 0])
    );
}

#[test]
fn says_what_it_counted_and_how_long_it_was_alone() {
    let mut bench = Bench::started();
    bench.pulses(0, 10_000);
    bench.told();
    bench.order(ToBoard::Heartbeat);
    let told = bench.told();
    let [
        ToAgent::Hello(Hello {
            alone_ms: 50_000, ..
        }),
        ToAgent::Inputs(inputs),
    ] = told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!(inputs.counts, [10_000, 0, 0, 0]);
}

#[test]
fn goes_to_the_bootloader_when_told_and_says_so_first() {
    let mut bench = Bench::started();
    bench.order(ToBoard::EnterBootloader);
    assert!(bench.board.wants_bootloader());
    assert_eq!(bench.told(), [ToAgent::Ack(bench.number)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is pressed, five minutes after the last press it chirps again.
    #[test]
    fn nobody_silences_a_dead_agent_for_good(
        presses in vec((0_usize..4, 1_u64..7_000, 1_u64..60_000), 0..10),
    ) {
        let mut bench = Bench::started();
        bench.skip(10_000);
        for (button, ms, pause) in presses {
            bench.press(button, ms);
            bench.skip(pause);
        }
        bench.skip(5 * MINUTE);
        prop_assert!(bench.run(30_000).chirps > 0);
    }

    /// Noise neither orders anything nor keeps a dead agent alive, and costs no later order.
    #[test]
    fn noise_changes_nothing(noise in vec(vec(any::<u8>(), 0..200), 1..50)) {
        let mut bench = Bench::started();
        bench.order(ToBoard::Signal(ALARM));
        bench.told();
        for bytes in &noise {
            bench.board.receive(bytes, bench.now);
            bench.run(1);
        }
        prop_assert_eq!(bench.told(), []);
        prop_assert!(!bench.board.wants_bootloader());
        prop_assert!(bench.board.outputs(bench.now).red);
        bench.skip(10_000);
        prop_assert!(bench.run(30_000).chirps > 0);
        bench.order(ToBoard::Heartbeat);
        prop_assert_eq!(bench.board.outputs(bench.now), Outputs::default());
    }

    /// Heartbeats as late as they may be keep the board quiet.
    #[test]
    fn a_living_agent_is_never_taken_for_dead(gaps in vec(1_u64..9_999, 1..30)) {
        let mut bench = Bench::started();
        for gap in gaps {
            prop_assert_eq!(bench.run(gap).chirps, 0);
            bench.order(ToBoard::Heartbeat);
        }
    }
}

/// A board on a bench: its pins, a line to it, and a clock that is moved by hand.
struct Bench {
    board: Board,
    pins: Pins,
    now: u64,
    /// The number of the agent's last frame.
    number: u16,
    decoder: Decoder,
    told: Vec<ToAgent>,
}

/// What was heard during a while.
struct Heard {
    /// How often the buzzer went on.
    chirps: usize,
    first_chirp_ms: Option<u64>,
}

impl Bench {
    fn new(counts: [u64; 4]) -> Bench {
        let identity = Identity {
            boot_id: BOOT_ID,
            reset: ResetCause::PowerOn,
        };
        Bench {
            board: Board::new(identity, counts, 0),
            pins: Pins::default(),
            now: 0,
            number: 0,
            decoder: Decoder::new(),
            told: Vec::new(),
        }
    }

    /// A board that runs and has an agent; its last heartbeat was just now.
    fn started() -> Bench {
        let mut bench = Bench::new([0; 4]);
        bench.run(100);
        bench.order(ToBoard::Heartbeat);
        bench.told();
        bench
    }

    fn order(&mut self, message: ToBoard) {
        self.number += 1;
        self.board
            .receive(&encode(self.number, &Message::ToBoard(message)), self.now);
    }

    fn run(&mut self, ms: u64) -> Heard {
        let mut heard = Heard {
            chirps: 0,
            first_chirp_ms: None,
        };
        let mut buzzed = self.board.outputs(self.now).buzzer;
        for elapsed in 1..=ms {
            self.now += 1;
            self.board.sample(self.pins, self.now);
            self.listen();
            let buzzes = self.board.outputs(self.now).buzzer;
            if buzzes && !buzzed {
                heard.chirps += 1;
                heard.first_chirp_ms.get_or_insert(elapsed);
            }
            buzzed = buzzes;
        }
        heard
    }

    /// Moves on without looking at what happens meanwhile.
    fn skip(&mut self, ms: u64) {
        self.now += ms - 1;
        self.run(1);
    }

    fn press(&mut self, button: usize, ms: u64) {
        self.pins.buttons[button] = true;
        self.run(ms);
        self.pins.buttons[button] = false;
        self.run(100);
    }

    /// At 200 Hz.
    fn pulses(&mut self, input: usize, count: u64) {
        for _ in 0..count {
            self.pins.inputs[input] = true;
            self.run(3);
            self.pins.inputs[input] = false;
            self.run(2);
        }
    }

    fn listen(&mut self) {
        while let Some(bytes) = self.board.poll_transmit(self.now) {
            for received in self.decoder.push_all(&bytes) {
                let Received::Frame(Frame {
                    message: Message::ToAgent(message),
                    ..
                }) = received
                else {
                    unreachable!("the board sent {received:?}");
                };
                self.told.push(message);
            }
        }
    }

    /// What the agent was told since it was asked last.
    fn told(&mut self) -> Vec<ToAgent> {
        self.listen();
        std::mem::take(&mut self.told)
    }

    fn told_inputs(&mut self) -> Inputs {
        let told = self.told();
        let [ToAgent::Inputs(inputs)] = told[..] else {
            unreachable!("the board told {told:?}");
        };
        inputs
    }
}
