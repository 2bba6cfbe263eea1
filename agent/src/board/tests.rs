//! The board's link as the engine sees it, with a scripted board at the other end of a pipe.

use super::*;
use andon_core::sample::{Sample, Value};
use andon_core::tag::{DeviceIndex, TagIndex};
use andon_wire::{
    Button, ButtonEvent, Decoder, Frame, Hello, Message, Press, Received, Release, ResetCause,
    ToAgent, ToBoard, VERSION, encode,
};
use tokio::io::DuplexStream;

const INPUTS_AT_5: Inputs = Inputs {
    boot_id: 7,
    uptime_ms: 1_000,
    counts: [5, 0, 0, 0],
    levels: [false, true, false, false],
};

/// The link without a port: what it is told, what it says, and what the engine hears of it.
struct Bench {
    link: Link,
    engine: mpsc::Receiver<FromField>,
    desk: Desk,
    _pulse: watch::Sender<u64>,
}

fn bench() -> Bench {
    let board = Board {
        port: "/dev/null".into(),
        baud: 115_200,
        optional: true,
    };
    let (tx, engine) = mpsc::channel(64);
    let (pulse, pulses) = watch::channel(0);
    let shared = Shared::new(&board);
    let (desk, errands) = Desk::new(shared.clone());
    let tags = vec![
        (TagIndex(0), Pin::Count(0)),
        (TagIndex(1), Pin::Level(1)),
        (TagIndex(2), Pin::Level(9)),
    ];
    let readers = vec![Reader {
        device: DeviceIndex(4),
        tags,
    }];
    let parts = Parts {
        board,
        readers,
        outlet: Outlet::new(tx, LinkIndex(2), "board".into()),
        watched: Watched {
            horn: None,
            pulse: pulses,
        },
        shared,
        errands,
    };
    Bench {
        link: Link::new(parts),
        engine,
        desk,
        _pulse: pulse,
    }
}

fn hello() -> ToAgent {
    ToAgent::Hello(Hello {
        wire: VERSION,
        firmware: Release {
            major: 1,
            minor: 2,
            patch: 3,
        },
        boot_id: 7,
        uptime_ms: 900,
        reset: ResetCause::Watchdog,
        alone_ms: 0,
    })
}

async fn say(line: &mut DuplexStream, messages: &[ToAgent]) {
    for (number, message) in (0..).zip(messages) {
        let frame = encode(number, &Message::ToAgent(*message));
        line.write_all(&frame).await.unwrap();
    }
}

fn heard(engine: &mut mpsc::Receiver<FromField>) -> Vec<FromField> {
    std::iter::from_fn(|| engine.try_recv().ok()).collect()
}

#[tokio::test]
async fn what_a_board_says_reaches_the_engine_and_its_end_is_told_as_bad() {
    let mut bench = bench();
    let (mut near, mut far) = tokio::io::duplex(4096);
    let press = ButtonEvent {
        button: Button::Acknowledge,
        press: Press::Short,
    };
    let said = [
        hello(),
        ToAgent::Inputs(INPUTS_AT_5),
        ToAgent::Button(press),
    ];
    say(&mut far, &said).await;
    // The cable is pulled out behind that.
    far.shutdown().await.unwrap();
    let (why, was_there) = bench.link.talk(&mut near).await.unwrap();
    assert_eq!((why.as_str(), was_there), ("it was unplugged", true));
    bench.link.down(&why).await.unwrap();
    bench.link.down(&why).await.unwrap();

    let heard = heard(&mut bench.engine);
    let [
        FromField::Link { up: true, .. },
        FromField::BoardBoot { boot_id: 7, .. },
        FromField::Readings {
            device: DeviceIndex(4),
            readings,
            ..
        },
        FromField::Pressed { event, .. },
        FromField::Link { up: false, .. },
        FromField::Readings { readings: bad, .. },
    ] = &heard[..]
    else {
        panic!("{heard:?}");
    };
    let readings: Vec<&Reading> = readings.iter().map(|(_, sample)| &sample.reading).collect();
    assert_eq!(
        readings,
        [
            &Reading::Good(Value::Int(5)),
            &Reading::Good(Value::Bool(true)),
            &Reading::Bad(Reason::Missing)
        ]
    );
    assert_eq!(*event, press);
    let all_bad =
        |(_, sample): &(TagIndex, Sample)| sample.reading == Reading::Bad(Reason::Disconnected);
    assert!(bad.iter().all(all_bad), "{bad:?}");
    let figures = bench.desk.figures();
    assert_eq!(
        (figures.up, figures.firmware.as_deref(), figures.counts),
        (false, Some("1.2.3"), Some([5, 0, 0, 0]))
    );
}

/// A counting input changes hundreds of times a second.
#[tokio::test]
async fn an_input_that_is_a_tag_is_told_when_it_changes_and_counts_now_and_then() {
    let mut bench = bench();
    let inputs = |count, is_on| Inputs {
        counts: [count, 0, 0, 0],
        levels: [count % 2 == 0, is_on, false, false],
        ..INPUTS_AT_5
    };
    let at = clock::mono();
    for (ms, is_on) in [
        (0, false),
        (50, false),
        (100, true),
        (150, true),
        (990, true),
        (1_100, true),
    ] {
        let inputs = inputs(ms, is_on);
        bench.link.tell(&inputs, at + ms).await.unwrap();
    }
    let told = |message: &FromField| match message {
        FromField::Readings { readings, .. } => Some(readings[0].1.reading.clone()),
        _ => None,
    };
    let told: Vec<Reading> = heard(&mut bench.engine).iter().filter_map(told).collect();
    let counts = [0, 100, 1_100].map(|count| Reading::Good(Value::Int(count)));
    assert_eq!(told, counts);
}

/// The last counts before a cable goes may be the last before power goes.
#[tokio::test]
async fn counts_that_wait_are_told_before_the_board_is_gone() {
    let mut bench = bench();
    let at = clock::mono();
    bench.link.tell(&INPUTS_AT_5, at).await.unwrap();
    let more = Inputs {
        counts: [6, 0, 0, 0],
        ..INPUTS_AT_5
    };
    bench.link.tell(&more, at + 10).await.unwrap();
    bench.link.down("gone").await.unwrap();
    let last_good = heard(&mut bench.engine)
        .into_iter()
        .rev()
        .find_map(|message| match message {
            FromField::Readings { readings, .. } => match readings[0].1.reading {
                Reading::Good(Value::Int(count)) => Some(count),
                _ => None,
            },
            _ => None,
        });
    assert_eq!(last_good, Some(6));
}

#[tokio::test]
async fn a_test_is_played_and_answered_by_the_board() {
    let mut bench = bench();
    let (mut near, mut far) = tokio::io::duplex(4096);
    say(&mut far, &[hello()]).await;
    let board = async {
        let mut decoder = Decoder::new();
        let mut bytes = [0; 64];
        loop {
            let count = far.read(&mut bytes).await.unwrap();
            for received in decoder.push_all(&bytes[..count]).collect::<Vec<_>>() {
                let Received::Frame(Frame {
                    number,
                    message: Message::ToBoard(ToBoard::Signal(signal)),
                }) = received
                else {
                    continue;
                };
                let ack = Message::ToAgent(ToAgent::Ack(number));
                far.write_all(&encode(number + 1, &ack)).await.unwrap();
                if signal.tone == andon_wire::Tone::Test {
                    std::future::pending::<()>().await;
                }
            }
        }
    };
    let tested = async {
        // Before the board has said who it is there is nobody to test.
        while !bench.desk.figures().up {
            tokio::task::yield_now().await;
        }
        bench.desk.test().await
    };
    tokio::select! {
        ended = bench.link.talk(&mut near) => panic!("{:?}", ended.map_err(|_| "no engine")),
        () = board => unreachable!(),
        tested = tested => assert_eq!(tested, Ok(())),
    }
}

/// A board that says who it is whenever it is asked, and carries out what it is told if it `obeys`.
async fn board(mut far: DuplexStream, obeys: bool) {
    let mut decoder = Decoder::new();
    let mut bytes = [0; 64];
    let mut mine = 0..;
    loop {
        let count = far.read(&mut bytes).await.unwrap();
        for received in decoder.push_all(&bytes[..count]).collect::<Vec<_>>() {
            let Received::Frame(Frame {
                number,
                message: Message::ToBoard(message),
            }) = received
            else {
                continue;
            };
            let answer = match message {
                ToBoard::AskHello => hello(),
                ToBoard::Signal(_) if obeys => ToAgent::Ack(number),
                _ => continue,
            };
            let frame = encode(mine.next().unwrap(), &Message::ToAgent(answer));
            far.write_all(&frame).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_board_proves_silently_that_it_does_what_it_is_told() {
    for obeys in [true, false] {
        let mut bench = bench();
        let (mut near, far) = tokio::io::duplex(4096);
        let desk = bench.desk.clone();
        let proven = tokio::spawn(async move {
            while !desk.figures().up {
                tokio::task::yield_now().await;
            }
            desk.prove().await
        });
        let wanted = "the board does not carry out what it is told";
        tokio::select! {
            ended = bench.link.talk(&mut near) => {
                let (why, _) = ended.map_err(|_| "no engine").unwrap();
                assert_eq!((obeys, why.as_str()), (false, wanted));
                assert_eq!(proven.await.unwrap(), Err(wanted.to_owned()));
            }
            () = board(far, obeys) => unreachable!(),
            () = async {
                while !(obeys && proven.is_finished()) {
                    tokio::task::yield_now().await;
                }
            } => assert_eq!(proven.await.unwrap(), Ok(())),
        }
    }
}
