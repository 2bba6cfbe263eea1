//! Serial ports in real time: pseudo-terminals with a modelled line behind them, on a thread of its
//! own. What is asserted is only that things happen, and what never may.

use super::harness::{Link, behind, is_right, patient, read, tcp_link};
use super::line::{Act, Line, answer};
use super::server::{PATIENCE, Server};
use super::*;
use crate::field::modbus::timer::{Timer, register};
use crate::settings::{Endpoint, Parity, Rs485, SerialPort};
use andon_core::line::Line as Speed;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Bytes that a serial port hands over at once, as a 16550 does.
const BLOCK: usize = 14;

/// The near end of a pseudo-terminal: pulling it out is dropping it.
struct Plug {
    line: Arc<Mutex<Line>>,
    name: PathBuf,
    pulled: Option<oneshot::Sender<()>>,
    gone: mpsc::Receiver<()>,
}

impl Plug {
    /// A port with a line behind it.
    fn new(baud: u32, script: Vec<Act>) -> Plug {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::io::ioctl_fionbio(&near, true).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let mut settings = tcgetattr(&near).unwrap();
        settings.make_raw();
        tcsetattr(&near, OptionalActions::Now, &settings).unwrap();
        let name = ptsname(&near, vec![]).unwrap().into_string().unwrap();
        let line = Arc::new(Mutex::new(Line::new(speed(baud), script, 7)));
        let (pulled, is_pulled) = oneshot::channel();
        let (say_gone, gone) = mpsc::channel();
        let played = Arc::clone(&line);
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = play(played, near) => {}
                    _ = is_pulled => {}
                }
            });
            drop(runtime);
            let _ = say_gone.send(());
        });
        Plug {
            line,
            name: name.into(),
            pulled: Some(pulled),
            gone,
        }
    }

    /// Puts it into a socket: the name by which the agent knows it.
    fn plug_into(&self, socket: &Path) {
        let new = socket.with_extension("new");
        let _ = std::fs::remove_file(&new);
        std::os::unix::fs::symlink(&self.name, &new).unwrap();
        std::fs::rename(&new, socket).unwrap();
    }

    /// Pulls it out; there is nothing behind its name any more.
    fn pull(mut self) {
        self.pulled.take();
        self.gone.recv().unwrap();
    }
}

async fn play(line: Arc<Mutex<Line>>, near: OwnedFd) {
    let near = register(near, Interest::READABLE).unwrap();
    let mut timer = Timer::fine();
    let began = Instant::now();
    let mut bytes = [0; 512];
    loop {
        let next = line.lock().unwrap().next(BLOCK);
        let wait = async {
            match next {
                Some(us) => timer.until(began + Duration::from_micros(us)).await,
                None => std::future::pending().await,
            }
        };
        let heard = tokio::select! {
            biased;
            read = hear(&near, &mut bytes) => Some(read),
            () = wait => None,
        };
        let now = began.elapsed().as_micros() as u64;
        let mut line = line.lock().unwrap();
        match heard {
            Some(length) => line.hears(now, &bytes[..length]),
            None => {
                let arrived = line.arrived(now);
                // A port that nobody has opened loses what comes.
                let _ = rustix::io::write(near.get_ref(), &arrived);
            }
        }
    }
}

async fn hear(near: &AsyncFd<OwnedFd>, bytes: &mut [u8]) -> usize {
    loop {
        let mut ready = near.readable().await.unwrap();
        match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *bytes)?)) {
            Ok(Ok(length)) if length > 0 => return length,
            // Nobody has opened the other end.
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(_) => {}
        }
    }
}

fn speed(baud: u32) -> Speed {
    Speed {
        baud,
        char_bits: 11,
    }
}

fn port(path: &Path, baud: u32) -> Modbus {
    Modbus {
        endpoint: Endpoint::Serial(SerialPort {
            path: path.into(),
            baud,
            parity: Parity::Even,
            stop_bits: 1,
            optional: true,
            rs485: Rs485::Auto,
            turnaround: Duration::from_micros(speed(baud).turnaround_us()),
        }),
        timeout: PATIENCE * 3,
        allow_write: vec![],
    }
}

/// A folder for the name of a port, and that name.
fn socket() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("usb-adapter-port0");
    (folder, socket)
}

#[tokio::test]
async fn no_frame_starts_inside_the_silent_interval() {
    for baud in [9_600, 19_200, 115_200] {
        let plug = Plug::new(baud, vec![]);
        let (_folder, socket) = socket();
        plug.plug_into(&socket);
        let reads = vec![
            read(Table::Holding, 1, 0, 4, 10),
            read(Table::Holding, 1, 50, 4, 10),
            read(Table::Input, 2, 0, 9, 10),
        ];
        let mut link = Link::start(port(&socket, baud), reads);
        for _ in 0..40 {
            link.until_good().await;
        }
        link.stop().await;
        let line = plug.line.lock().unwrap();
        assert!(line.frames.len() > 40);
        assert_eq!(line.too_early, [""; 0], "at {baud} baud");
    }
}

#[tokio::test]
async fn a_port_that_is_pulled_out_and_comes_back_under_another_number_is_read_again() {
    let (_folder, socket) = socket();
    let first = Plug::new(19_200, vec![]);
    first.plug_into(&socket);
    let mut link = Link::start(
        port(&socket, 19_200),
        vec![read(Table::Holding, 1, 0, 4, 20)],
    );
    let server = Server::start(vec![]).await;
    let mut beside = Link::start(server.link(), vec![read(Table::Holding, 1, 0, 4, 20)]);
    link.until_good().await;
    first.pull();
    std::fs::remove_file(&socket).unwrap();
    let why = loop {
        match link.next().await {
            FromField::Link { up: false, why, .. } => break why.unwrap(),
            FromField::Link { up: true, .. } | FromField::Read { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(why.contains("usb-adapter-port0: No such file"), "{why}");
    // Another link goes on as ever.
    for _ in 0..10 {
        assert_eq!(beside.until_good().await, []);
    }
    let second = Plug::new(19_200, vec![]);
    second.plug_into(&socket);
    let reasons = link.until_good().await;
    assert!(
        reasons.iter().all(|reason| *reason == Reason::Disconnected),
        "{reasons:?}"
    );
    assert_eq!(link.meter.snapshot(clock::mono()).connects, 2);
    assert_eq!(server.books.connections(), 1);
    link.stop().await;
    beside.stop().await;
}

#[tokio::test]
async fn a_port_that_is_missing_at_the_start_is_read_when_it_is_there() {
    let (_folder, socket) = socket();
    let mut link = Link::start(
        port(&socket, 19_200),
        vec![read(Table::Holding, 1, 0, 4, 20)],
    );
    let FromField::Link { up: false, .. } = link.next().await else {
        panic!("not told that the port is missing");
    };
    let plug = Plug::new(19_200, vec![]);
    plug.plug_into(&socket);
    link.until_good().await;
    link.stop().await;
}

#[tokio::test]
async fn a_port_on_which_nobody_is_heard_any_more_is_opened_anew() {
    let (_folder, socket) = socket();
    // It stays open and says nothing: unplugged, and nobody told.
    let dead = Plug::new(19_200, vec![Act::Never; 1000]);
    dead.plug_into(&socket);
    let modbus = port(&socket, 19_200);
    let reads = vec![read(Table::Holding, 1, 0, 4, 20)];
    let devices = vec![behind(&reads[0], patient(Duration::from_millis(30)))];
    let mut link = Link::of_poller(modbus, reads, devices, |poller| poller.deaf_ms = 100);
    for _ in 0..3 {
        assert!(link.outcome().await.1.is_err());
    }
    let live = Plug::new(19_200, vec![]);
    live.plug_into(&socket);
    link.until_good().await;
    assert!(!dead.line.lock().unwrap().frames.is_empty());
    link.stop().await;
}

#[tokio::test]
async fn a_meter_that_drops_every_tenth_request_loses_no_reading_with_one_retry() {
    let dropped = |n| if n % 10 == 9 { Act::Never } else { Act::Answer };
    let plug = Plug::new(115_200, (0..120).map(dropped).collect());
    let reads = vec![read(Table::Holding, 1, 0, 4, 10)];
    let manners = Manners {
        retries: 1,
        ..patient(Duration::from_millis(40))
    };
    let devices = vec![behind(&reads[0], manners)];
    let mut link = Link::of_poller(port(&plug.name, 115_200), reads, devices, |_| ());
    for _ in 0..60 {
        assert_eq!(link.until_good().await, [], "a reading was lost");
    }
    let figures = link.meter.snapshot(clock::mono());
    let unit = &figures.units[0];
    assert!(
        unit.retries >= 4 && unit.timeouts == unit.retries,
        "{unit:?}"
    );
    // Each repetition is told from the answer that may still come.
    assert!(unit.synchronisers > unit.retries, "{unit:?}");
    assert!(figures.occupancy > 0.0 && unit.answer_ms_p50.is_some());
    link.stop().await;
}

#[tokio::test]
async fn a_unit_that_is_not_there_keeps_no_other_on_the_line_from_being_read() {
    let plug = Plug::new(115_200, vec![]);
    plug.line.lock().unwrap().missing = Some(3);
    let reads = (1..=5)
        .map(|unit| read(Table::Holding, unit, 0, 10, 200))
        .collect();
    let modbus = Modbus {
        timeout: Duration::from_millis(40),
        ..port(&plug.name, 115_200)
    };
    let mut link = Link::start(modbus, reads);
    let (mut good, mut bad) = ([0; 6], 0);
    for _ in 0..60 {
        match link.outcome().await {
            (read, Ok(answer)) => {
                assert!(is_right(&read, &answer));
                good[usize::from(read.unit)] += 1;
            }
            (read, Err(reason)) => {
                assert_eq!((read.unit, reason), (3, Reason::Timeout));
                bad += 1;
            }
        }
    }
    // Sixty outcomes are twelve rounds, give or take the one under way.
    assert!(bad >= 10 && good[3] == 0, "{good:?}, {bad} bad");
    assert!(
        [1, 2, 4, 5].iter().all(|unit| good[*unit] >= 10),
        "{good:?}"
    );
    link.stop().await;
}

#[tokio::test]
async fn a_path_that_is_no_serial_port_is_told_as_that() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(
        probe(file.path())
            .unwrap_err()
            .to_string()
            .contains("not a serial port")
    );
    let plug = Plug::new(19_200, vec![]);
    probe(&plug.name).unwrap();
    let modbus = Modbus {
        endpoint: Endpoint::Serial(SerialPort {
            rs485: Rs485::Kernel,
            ..match port(&plug.name, 19_200).endpoint {
                Endpoint::Serial(port) => port,
                other => panic!("{other}"),
            }
        }),
        ..port(&plug.name, 19_200)
    };
    // A pseudo-terminal has no driver that anybody could switch.
    let mut link = Link::start(modbus, vec![read(Table::Holding, 1, 0, 4, 20)]);
    let FromField::Link { up: false, why, .. } = link.next().await else {
        panic!("not told that the kernel switches nothing");
    };
    assert!(why.unwrap().contains("leave `rs485` out"));
    link.stop().await;
}

#[tokio::test]
async fn a_converter_on_the_network_is_read_through_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The first connection is cut after some requests.
            let most = if counted.fetch_add(1, SeqCst) == 0 {
                6
            } else {
                1000
            };
            tokio::spawn(async move {
                let mut frame = [0; 8];
                for _ in 0..most {
                    if stream.read_exact(&mut frame).await.is_err() {
                        return;
                    }
                    let whole = answer(&frame);
                    // Converters pass on what they have, whenever they have it.
                    let (head, tail) = whole.split_at(whole.len() / 2);
                    stream.write_all(head).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    stream.write_all(tail).await.unwrap();
                }
            });
        }
    });
    for line in [None, Some(speed(19_200))] {
        let before = connections.load(SeqCst);
        let modbus = Modbus {
            endpoint: Endpoint::RtuOverTcp {
                host: "127.0.0.1".into(),
                port,
                line,
                turnaround: Duration::from_millis(2),
            },
            ..tcp_link(port, PATIENCE * 3)
        };
        let reads = vec![
            read(Table::Holding, 1, 0, 4, 10),
            read(Table::Coil, 2, 50, 12, 10),
        ];
        let mut link = Link::start(modbus, reads);
        for _ in 0..20 {
            assert_eq!(link.until_good().await, [], "a reading was lost");
        }
        let cut = usize::from(before == 0);
        assert_eq!(connections.load(SeqCst) - before, 1 + cut);
        link.stop().await;
    }
    task.abort();
}

/// How much of the time a bus does what it can do at best: request, silence, answer, silence.
#[tokio::test]
#[ignore = "a measurement: prints figures"]
async fn utilisation() {
    println!("| baud | registers | units | cycles in 5 s | of the theoretical cycle |");
    println!("| --- | --- | --- | --- | --- |");
    for baud in [9_600, 19_200, 115_200] {
        for (count, units) in [(10, 1), (20, 1), (125, 1), (20, 4)] {
            let plug = Plug::new(baud, vec![]);
            // Of each unit two blocks, so that there is always one to be read.
            let blocks = |unit| [count, count - 1].map(|n| read(Table::Holding, unit, 0, n, 1));
            let reads = (1..=units).flat_map(blocks);
            let mut link = Link::start(port(&plug.name, baud), reads.collect());
            // In step first.
            for _ in 0..3 * units {
                link.until_good().await;
            }
            let began = Instant::now();
            let mut cycles = 0;
            while began.elapsed() < Duration::from_secs(5) {
                link.until_good().await;
                cycles += 1;
            }
            let took = began.elapsed();
            link.stop().await;
            let speed = speed(baud);
            // On average an answer has 5 characters and two for each register, less one.
            let frames = speed.characters_us(8) + speed.characters_us(4 + 2 * u64::from(count));
            // Two requests to one unit follow each other.
            let turnaround = if units > 1 {
                speed.turnaround_us() / 2
            } else {
                0
            };
            let cycle = frames + 2 * speed.silent_us() + turnaround;
            let share = cycles as f64 * cycle as f64 / took.as_micros() as f64;
            println!(
                "| {baud} | {count} | {units} | {cycles} | {:.1} % |",
                share * 100.0
            );
            assert_eq!(plug.line.lock().unwrap().too_early, [""; 0]);
        }
    }
}
