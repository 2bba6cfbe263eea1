//! The I/O board: one task, one serial port.
//!
//! - Its counting inputs are tags of devices, its buttons go to the engine, and what the horn is to do
//!   goes to it ([`session`] holds what is said).
//! - The port is opened again and again while there is no board: it may be plugged in at any time, and
//!   pulled out at any time. Nothing of that holds up another link.
//! - The board hears a heartbeat for each pulse of the engine's task and for nothing else. When the
//!   engine stands still, so do the heartbeats, and the board sounds by itself.
//! - Counts run on in the board while nobody listens. A cable that was out loses none of them; what
//!   begins at zero again says so by its boot id, before the first count that belongs to it.

pub mod command;
pub mod desk;
mod inputs;
mod port;
mod session;
mod signal;

use crate::annunciator::horn::{Ended, OnBoard};
use crate::clock;
use crate::field::backoff::Backoff;
use crate::field::outlet::{EngineGone, Outlet};
use crate::field::{FromField, until};
use crate::settings::{Board, LinkKind, Settings};
use andon_core::annunciate::horn::Horn;
use andon_core::sample::{Reading, Reason};
use andon_core::tag::{LinkIndex, Pin};
use andon_core::time::Mono;
use andon_wire::{Inputs, Signal};
use desk::{Desk, Errand, Shared};
use inputs::{Reader, reading};
use session::{Heard, Session, Trouble};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Longest wait between two attempts to open the port.
const AGAIN_MS: u64 = 2_000;

/// A port that takes nothing for so long is of no use.
const WRITE: Duration = Duration::from_secs(2);

/// Inputs that are on or off are passed on when they change, counts so often.
const COUNTS_EVERY_MS: u64 = 900;

/// How long a test sounds and shines: so long the board plays it.
const TEST: Duration = Duration::from_secs(3);

/// A board that has not said by then that it plays the test, or does what it is told, does not.
const TEST_ANSWER: Duration = Duration::from_secs(2);

/// What the board follows.
#[derive(Debug)]
pub struct Watched {
    /// The horn that sounds and shines through it, if one does.
    pub horn: Option<OnBoard>,
    /// Changes whenever the engine's task has looked at the time.
    pub pulse: watch::Receiver<u64>,
}

/// Starts the link of the board among `tasks`, if there is one: where it is asked for.
pub fn start(
    settings: &Settings,
    tx: &mpsc::Sender<FromField>,
    watched: Watched,
    stop: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Option<Desk> {
    let links = (0..).map(LinkIndex).zip(&settings.links);
    let mut boards = links.filter_map(|(index, link)| match &link.kind {
        LinkKind::Board(board) => Some((index, &link.id, board)),
        _ => None,
    });
    let (index, id, board) = boards.next()?;
    let shared = Shared::new(board);
    let (desk, errands) = Desk::new(shared.clone());
    let parts = Parts {
        board: board.clone(),
        readers: Reader::all(&settings.plant),
        outlet: Outlet::new(tx.clone(), index, id.clone()),
        watched,
        shared,
        errands,
    };
    tasks.spawn(until(stop.clone(), Box::pin(run(parts))));
    Some(desk)
}

/// What the link of the board is started with.
struct Parts {
    /// The port.
    board: Board,
    /// The devices that it tells something of.
    readers: Vec<Reader>,
    /// The way to the engine.
    outlet: Outlet,
    /// What it follows.
    watched: Watched,
    /// How it stands, for whoever asks.
    shared: Shared,
    /// What people want of it.
    errands: mpsc::Receiver<Errand>,
}

/// Runs the board's link; it ends when the engine no longer listens.
async fn run(parts: Parts) -> EngineGone {
    let seed = u64::from(std::process::id());
    let mut link = Link::new(parts);
    let mut backoff = Backoff::new(AGAIN_MS, seed);
    loop {
        match link.attempt(&mut backoff).await {
            Ok(()) => {}
            Err(gone) => return gone,
        }
    }
}

struct Link {
    parts: Parts,
    /// What the engine was told last, and when.
    told: Option<(Inputs, Mono)>,
    /// What the board told since, and the engine was not: counts that wait to be told together.
    untold: Option<(Inputs, Mono)>,
    /// It was told that nothing is read.
    is_down: bool,
    /// The engine knows that counts belong to this one.
    boot_id: Option<u32>,
}

/// What wakes a session.
enum Wake {
    Bytes(std::io::Result<usize>),
    Pulse,
    Horn(Horn),
    Errand(Errand),
    TestOver,
    Unproven,
    Time,
}

/// A test that the board plays.
struct Test {
    until: Instant,
    answer: Option<oneshot::Sender<Result<(), String>>>,
    answer_by: Instant,
}

/// Somebody waits for the board to show that it does what it is told.
struct Proof {
    answer: oneshot::Sender<Result<(), String>>,
    by: Instant,
    /// It has said who it is.
    is_known: bool,
}

impl Link {
    /// A link that nobody was heard on.
    const fn new(parts: Parts) -> Link {
        Link {
            parts,
            told: None,
            untold: None,
            is_down: false,
            boot_id: None,
        }
    }

    /// Opens the port and speaks with the board until that ends; then waits for a moment.
    async fn attempt(&mut self, backoff: &mut Backoff) -> Result<(), EngineGone> {
        let why = match port::open(&self.parts.board).await {
            Ok(mut port) => {
                let (why, was_there) = self.talk(&mut port).await?;
                if was_there {
                    backoff.reset();
                }
                why
            }
            Err(why) => why,
        };
        self.down(&why).await?;
        let wait = sleep(Duration::from_millis(backoff.next_ms()));
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return Ok(()),
                Some(errand) = self.parts.errands.recv() => errand.refuse(&why),
            }
        }
    }

    /// Speaks with what is behind the port, until it is of no use: why, and whether a board was there.
    async fn talk(
        &mut self,
        port: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<(String, bool), EngineGone> {
        let mut wanted = self.signal();
        let mut session = Session::new(wanted, clock::mono());
        let mut test: Option<Test> = None;
        let mut proof: Option<Proof> = None;
        let mut was_there = false;
        let mut bytes = [0; 256];
        loop {
            let now = clock::mono();
            while let Some(frame) = session.poll_transmit(now) {
                match timeout(WRITE, port.write_all(&frame)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Ok((unplugged(&error), was_there)),
                    Err(_) => return Ok(("the port takes nothing".to_owned(), was_there)),
                }
            }
            match session.trouble(now) {
                Some(trouble) if trouble.is_of_line() => {
                    return Ok((trouble.to_string(), was_there));
                }
                Some(trouble) => self.refuse_version(&trouble).await?,
                None => {}
            }
            let deadline = Duration::from_millis(session.deadline().since(now));
            let wake = tokio::select! {
                read = port.read(&mut bytes) => Wake::Bytes(read),
                Ok(()) = self.parts.watched.pulse.changed() => Wake::Pulse,
                Ok(horn) = changed(self.parts.watched.horn.as_mut()) => Wake::Horn(horn),
                Some(errand) = self.parts.errands.recv() => Wake::Errand(errand),
                () = over(test.as_ref()) => Wake::TestOver,
                () = unproven(proof.as_ref()) => Wake::Unproven,
                () = sleep(deadline) => Wake::Time,
            };
            let now = clock::mono();
            match wake {
                Wake::Bytes(Ok(0)) => return Ok(("it was unplugged".to_owned(), was_there)),
                Wake::Bytes(Err(error)) => return Ok((unplugged(&error), was_there)),
                Wake::Bytes(Ok(count)) => {
                    for &byte in bytes.get(..count).unwrap_or_default() {
                        let Some(heard) = session.receive(byte, now) else {
                            continue;
                        };
                        if heard == Heard::Carried
                            && let Some(answer) = test.as_mut().and_then(|test| test.answer.take())
                        {
                            // Whoever asked may have gone meanwhile.
                            let _ = answer.send(Ok(()));
                        }
                        proof = proof.and_then(|proof| proof.after(&heard));
                        if session.is_there() {
                            was_there = true;
                            self.pass_on(heard, now).await?;
                        }
                    }
                    let losses = session.losses();
                    self.parts.shared.update(|figures| figures.losses(losses));
                }
                Wake::Pulse => session.beat(),
                Wake::Horn(horn) => {
                    wanted = signal::of(&horn);
                    if test.is_none() {
                        session.show(wanted, now);
                    }
                }
                Wake::Errand(Errand::Test(answer)) if session.is_there() => {
                    test = Some(Test::begin(answer));
                    session.show(signal::test(wanted), now);
                }
                Wake::Errand(Errand::Prove(answer)) if session.is_there() => {
                    session.ask();
                    proof = Some(Proof::begin(answer));
                }
                Wake::Errand(errand) => {
                    let why = session.trouble(now).map(|trouble| trouble.to_string());
                    errand.refuse(why.as_deref().unwrap_or("the board has not said who it is"));
                }
                Wake::TestOver => {
                    if let Some(answer) = test.as_mut().and_then(|test| test.answer.take()) {
                        let _ = answer.send(Err("the board does not carry it out".to_owned()));
                    }
                    test = test.filter(|test| Instant::now() < test.until);
                    if test.is_none() {
                        session.show(wanted, now);
                    }
                }
                Wake::Unproven => {
                    let why = "the board does not carry out what it is told";
                    if let Some(proof) = proof.take() {
                        let _ = proof.answer.send(Err(why.to_owned()));
                    }
                    return Ok((why.to_owned(), was_there));
                }
                Wake::Time => {}
            }
        }
    }

    /// How the horn does that sounds through it.
    fn report(&self, outcome: Result<(), &str>) {
        if let Some(horn) = &self.parts.watched.horn {
            horn.report.tell(outcome);
        }
    }

    fn signal(&self) -> Signal {
        let horn = self.parts.watched.horn.as_ref();
        horn.map_or_else(Signal::default, |horn| signal::of(&horn.follow.now()))
    }

    /// Passes on what the board has told.
    async fn pass_on(&mut self, heard: Heard, at: Mono) -> Result<(), EngineGone> {
        match heard {
            Heard::Hello(hello) => {
                let shared = &self.parts.shared;
                let is_other = shared.update(|figures| figures.hello(&hello));
                if is_other {
                    tracing::info!(
                        link = self.parts.outlet.id(),
                        "board with firmware {}, boot {:08x}, {} s since its start, {} s without \
                         an agent",
                        session::release(&hello),
                        hello.boot_id,
                        hello.uptime_ms / 1000,
                        hello.alone_ms / 1000,
                    );
                }
                self.parts.outlet.up().await
            }
            Heard::Inputs(inputs) => {
                self.parts.shared.inputs(&inputs, at);
                self.tell(&inputs, at).await
            }
            Heard::Button(event) => {
                self.parts
                    .outlet
                    .send(FromField::Pressed { at, event })
                    .await
            }
            Heard::Carried => {
                self.report(Ok(()));
                Ok(())
            }
        }
    }

    /// Tells the engine what the inputs are, if that is news or has not been told for a while.
    async fn tell(&mut self, inputs: &Inputs, at: Mono) -> Result<(), EngineGone> {
        if self.boot_id.replace(inputs.boot_id) != Some(inputs.boot_id) {
            let boot_id = inputs.boot_id;
            let message = FromField::BoardBoot { at, boot_id };
            self.parts.outlet.send(message).await?;
        } else if let Some((before, told_at)) = &self.told
            && !self.is_down
            && at.since(*told_at) < COUNTS_EVERY_MS
            && !inputs::change(&self.parts.readers, before, inputs)
        {
            self.untold = Some((*inputs, at));
            return Ok(());
        }
        self.untold = None;
        self.told = Some((*inputs, at));
        self.is_down = false;
        self.send(at, |pin| reading(inputs, pin)).await
    }

    async fn send(&mut self, at: Mono, read: impl Fn(Pin) -> Reading) -> Result<(), EngineGone> {
        for reader in &self.parts.readers {
            let message = FromField::Readings {
                device: reader.device,
                at,
                readings: reader.readings(&read),
            };
            self.parts.outlet.send(message).await?;
        }
        Ok(())
    }

    /// There is no board.
    async fn down(&mut self, why: &str) -> Result<(), EngineGone> {
        self.parts.shared.update(|figures| figures.down(why));
        self.report(Err(why));
        self.parts.outlet.down(why.to_owned()).await?;
        if let Some((inputs, at)) = self.untold.take() {
            // Should power be gone too, these were its last counts.
            self.send(at, |pin| reading(&inputs, pin)).await?;
        }
        if !std::mem::replace(&mut self.is_down, true) {
            let bad = |_| Reading::Bad(Reason::Disconnected);
            self.send(clock::mono(), bad).await?;
        }
        Ok(())
    }

    async fn refuse_version(&mut self, trouble: &Trouble) -> Result<(), EngineGone> {
        self.down(&trouble.to_string()).await
    }
}

impl Test {
    fn begin(answer: oneshot::Sender<Result<(), String>>) -> Test {
        let now = Instant::now();
        Test {
            until: now + TEST,
            answer: Some(answer),
            answer_by: now + TEST_ANSWER,
        }
    }
}

impl Proof {
    fn begin(answer: oneshot::Sender<Result<(), String>>) -> Proof {
        Proof {
            answer,
            by: Instant::now() + TEST_ANSWER,
            is_known: false,
        }
    }

    /// What is still to be shown after the board has told this; nothing once it has said who it is, and
    /// then that it does what it is told.
    fn after(mut self, heard: &Heard) -> Option<Proof> {
        match heard {
            Heard::Hello(_) => self.is_known = true,
            Heard::Carried if self.is_known => {
                let _ = self.answer.send(Ok(()));
                return None;
            }
            _ => {}
        }
        Some(self)
    }
}

/// Waits until the board should have shown what it does.
async fn unproven(proof: Option<&Proof>) {
    match proof {
        Some(proof) => sleep_until(proof.by).await,
        None => std::future::pending().await,
    }
}

/// Waits until the horn does something else.
async fn changed(horn: Option<&mut OnBoard>) -> Result<Horn, Ended> {
    match horn {
        Some(horn) => horn.follow.changed().await,
        None => std::future::pending().await,
    }
}

/// The next moment of a test at which something is to be done.
async fn over(test: Option<&Test>) {
    match test {
        Some(test) if test.answer.is_some() => sleep_until(test.answer_by).await,
        Some(test) => sleep_until(test.until).await,
        None => std::future::pending().await,
    }
}

fn unplugged(error: &std::io::Error) -> String {
    format!("the port was lost: {error}")
}

#[cfg(test)]
mod tests;
