use super::*;
use andon_board::{Board, Identity, Pins};
use andon_wire::{Button, Lamp, Press, ResetCause, Tone};
use proptest::collection::vec;
use proptest::prelude::*;

const ALARM: Signal = Signal {
    tone: Tone::High,
    start: 3,
    red: Lamp::Flash,
    yellow: Lamp::Off,
    green: Lamp::Off,
};

/// A session with the firmware at the other end of a line that may lose and damage what it carries.
struct Bench {
    board: Board,
    pins: Pins,
    /// Milliseconds since the board started.
    board_ms: u64,
    session: Session,
    now: u64,
    /// Whether the engine lives.
    beats: bool,
    is_cut: bool,
    heard: Vec<Heard>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            board: board(1),
            pins: Pins::default(),
            board_ms: 0,
            session: Session::new(Signal::default(), Mono(0)),
            now: 0,
            beats: true,
            is_cut: false,
            heard: Vec::new(),
        }
    }

    /// Both ends live for `ms`, a heartbeat each second.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += 1;
            self.board_ms += 1;
            if self.beats && self.now.is_multiple_of(1000) {
                self.session.beat();
            }
            self.board.sample(self.pins, self.board_ms);
            let now = Mono(self.now);
            while let Some(frame) = self.session.poll_transmit(now) {
                if !self.is_cut {
                    self.board.receive(&frame, self.board_ms);
                }
            }
            while let Some(frame) = self.board.poll_transmit(self.board_ms) {
                if !self.is_cut {
                    self.hear(&frame);
                }
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let heard = self.session.receive(byte, Mono(self.now));
            self.heard.extend(heard);
        }
    }

    fn say(&mut self, message: ToAgent, number: u16) {
        self.hear(&encode(number, &Message::ToAgent(message)));
    }

    fn pulses(&mut self, count: u64) {
        for _ in 0..count {
            self.pins.inputs[0] = true;
            self.run(3);
            self.pins.inputs[0] = false;
            self.run(2);
        }
    }

    /// The port was opened anew, with what the session knew gone.
    fn open_again(&mut self) {
        self.session = Session::new(ALARM, Mono(self.now));
    }

    fn newest(&self) -> Option<Inputs> {
        self.heard.iter().rev().find_map(|heard| match heard {
            Heard::Inputs(inputs) => Some(*inputs),
            _ => None,
        })
    }

    fn trouble(&self) -> Option<Trouble> {
        self.session.trouble(Mono(self.now))
    }
}

fn board(boot_id: u32) -> Board {
    let reset = ResetCause::PowerOn;
    Board::new(Identity { boot_id, reset }, [0; 4], 0)
}

fn hello(wire: u8) -> ToAgent {
    ToAgent::Hello(Hello {
        wire,
        firmware: andon_board::FIRMWARE,
        boot_id: 1,
        uptime_ms: 0,
        reset: ResetCause::PowerOn,
        alone_ms: 0,
    })
}

#[test]
fn a_board_is_found_at_once_and_stays() {
    let mut bench = Bench::new();
    bench.run(5);
    assert!(bench.session.is_there());
    bench.run(60_000);
    assert_eq!(bench.trouble(), None);
    assert_eq!(bench.session.losses(), (0, Errors::default()));
}

#[test]
fn a_signal_is_sent_until_it_is_carried_out_and_holds_over_a_board_that_starts_anew() {
    let mut bench = Bench::new();
    bench.run(1_100);
    bench.is_cut = true;
    bench.session.show(ALARM, Mono(bench.now));
    bench.run(1_000);
    assert!(!bench.board.outputs(bench.board_ms).red, "nothing came");
    bench.is_cut = false;
    bench.run(600);
    bench.run(600);
    assert!(bench.heard.contains(&Heard::Carried));
    let reds = |bench: &mut Bench| {
        let is_lit = |bench: &mut Bench| {
            bench.run(1);
            bench.board.outputs(bench.board_ms).red
        };
        (0..1000).filter(|_| is_lit(bench)).count()
    };
    assert!(reds(&mut bench) > 300);
    bench.board = board(2);
    bench.board_ms = 0;
    bench.run(1_500);
    assert!(
        reds(&mut bench) > 300,
        "the board has lost it, and has it again"
    );
}

/// The line lives while the engine does not: the board must not be kept quiet by that.
#[test]
fn without_an_engine_the_line_stays_and_the_board_sounds() {
    let mut bench = Bench::new();
    bench.run(2_000);
    bench.beats = false;
    bench.run(12_000);
    assert_eq!(bench.trouble(), None);
    let outputs = bench.board.outputs(bench.board_ms);
    assert!(outputs.red && !outputs.green, "{outputs:?}");
    bench.beats = true;
    bench.run(1_000);
    assert!(!bench.board.outputs(bench.board_ms).red);
}

#[test]
fn what_is_wrong_is_told_apart() {
    let mut silent = Bench::new();
    silent.is_cut = true;
    silent.run(SILENT_MS);
    assert_eq!(silent.trouble(), Some(Trouble::Silent));

    let mut garbled = Bench::new();
    garbled.is_cut = true;
    garbled.hear(&[0, 1, 2, 3, 4, 5, 6, 7, 0, 9, 9, 0]);
    garbled.run(SILENT_MS);
    let told = garbled.trouble().unwrap();
    assert!(matches!(told, Trouble::Garbled(_)), "{told:?}");
    assert!(told.to_string().contains("2 damaged frames"), "{told}");

    let mut mute = Bench::new();
    mute.run(2_000);
    mute.is_cut = true;
    mute.run(SILENT_MS);
    assert_eq!(mute.trouble(), Some(Trouble::Mute));

    for (wire, words) in [(VERSION - 1, "too old"), (VERSION + 1, "too new")] {
        let mut other = Bench::new();
        other.is_cut = true;
        other.say(hello(wire), 0);
        let told = other.trouble().unwrap();
        assert!(!told.is_of_line(), "opening the port again changes nothing");
        let version = format!("version {wire} of the messages (firmware");
        let told = told.to_string();
        assert!(told.contains(words) && told.contains(&version), "{told}");
        assert!(!other.session.is_there());
    }
}

/// Its inputs and buttons may mean anything.
#[test]
fn a_board_of_another_version_is_not_listened_to() {
    let mut bench = Bench::new();
    bench.is_cut = true;
    bench.say(hello(VERSION + 1), 0);
    let press = ButtonEvent {
        button: Button::Acknowledge,
        press: Press::Short,
    };
    bench.say(ToAgent::Button(press), 1);
    assert!(!bench.heard.contains(&Heard::Button(press)));
    bench.session.beat();
    bench.run(10);
    bench.say(hello(VERSION), 2);
    bench.say(ToAgent::Button(press), 3);
    assert!(
        bench.heard.contains(&Heard::Button(press)),
        "it was flashed"
    );
}

#[test]
fn a_frame_that_is_heard_twice_is_told_once_and_one_that_is_missing_is_counted() {
    let mut bench = Bench::new();
    bench.is_cut = true;
    bench.say(hello(VERSION), u16::MAX);
    let press = ButtonEvent {
        button: Button::Reason1,
        press: Press::Held,
    };
    bench.say(ToAgent::Button(press), 2);
    bench.say(ToAgent::Button(press), 2);
    assert_eq!(bench.heard.len(), 2);
    assert_eq!(bench.session.losses().0, 2, "0 and 1");
}

#[test]
fn an_echo_is_nobody() {
    let mut bench = Bench::new();
    bench.is_cut = true;
    bench.hear(&encode(0, &Message::ToBoard(ToBoard::AskHello)));
    bench.run(SILENT_MS);
    assert!(matches!(bench.trouble(), Some(Trouble::Garbled(_))));
}

#[derive(Debug, Clone)]
enum Step {
    Pulses(u64),
    Pause(u64),
    Cut(bool),
    Noise(Vec<u8>),
    OpenAgain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..50u64).prop_map(Step::Pulses),
        2 => (1..3_000u64).prop_map(Step::Pause),
        2 => any::<bool>().prop_map(Step::Cut),
        1 => vec(any::<u8>(), 1..80).prop_map(Step::Noise),
        1 => Just(Step::OpenAgain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Over cables pulled out, noise and ports opened anew: the counts that are heard never go back,
    /// are never more than there were, and are all of them in the end.
    #[test]
    fn no_pulse_is_lost_or_doubled(steps in vec(step(), 1..30)) {
        let mut bench = Bench::new();
        bench.run(10);
        let mut made = 0;
        for step in steps {
            match step {
                Step::Pulses(count) => {
                    made += count;
                    bench.pulses(count);
                }
                Step::Pause(ms) => bench.run(ms),
                Step::Cut(is_cut) => bench.is_cut = is_cut,
                Step::Noise(noise) => bench.hear(&noise),
                Step::OpenAgain => bench.open_again(),
            }
            if bench.trouble().is_some_and(|trouble| trouble.is_of_line()) {
                bench.open_again();
            }
            let newest = bench.newest().map_or(0, |inputs| inputs.counts[0]);
            prop_assert!(newest <= made);
        }
        bench.is_cut = false;
        bench.open_again();
        bench.run(5_000);
        prop_assert_eq!(bench.trouble(), None);
        prop_assert_eq!(bench.newest().map(|inputs| inputs.counts[0]), Some(made));
        let counts = bench.heard.iter().filter_map(|heard| match heard {
            Heard::Inputs(inputs) => Some(inputs.counts[0]),
            _ => None,
        });
        prop_assert!(counts.is_sorted());
    }

    /// Noise is nobody, presses nothing, and says nothing of an input.
    #[test]
    fn noise_is_not_believed(noise in vec(any::<u8>(), 0..4_000)) {
        let mut bench = Bench::new();
        bench.is_cut = true;
        bench.hear(&noise);
        prop_assert_eq!(&bench.heard, &[]);
        prop_assert!(!bench.session.is_there());
        // The end of what the noise may have begun, as any frame has it.
        bench.hear(&[0]);
        bench.say(hello(VERSION), 0);
        prop_assert!(bench.session.is_there());
    }
}
