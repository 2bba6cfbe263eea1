//! How the board stands, and what people want of it: for `andon board`.

use crate::clock;
use crate::settings::Board;
use andon_core::time::Mono;
use andon_wire::{Errors, Hello, INPUTS, Inputs, ResetCause, VERSION};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Who waits for the board waits no longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the board stands: the object of `GET /control/board` and `andon board info --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Its serial port.
    pub port: PathBuf,
    /// Whether it is there and understood.
    pub up: bool,
    /// Why not.
    pub why: Option<String>,
    /// The release of its firmware.
    pub firmware: Option<String>,
    /// The version of the messages that it speaks, and that of the agent.
    pub wire: Option<u8>,
    /// The version of the messages that the agent speaks.
    pub agent_wire: u8,
    /// Another number when its counts have begun at zero again.
    pub boot_id: Option<u32>,
    /// Milliseconds since it started, when it said so last.
    pub uptime_ms: Option<u64>,
    /// Why it started.
    pub reset: Option<String>,
    /// How long it had no agent last, in milliseconds; 0: never since it started.
    pub alone_ms: Option<u64>,
    /// Pulses of each input since power came.
    pub counts: Option<[u64; INPUTS]>,
    /// Whether each input is on.
    pub levels: Option<[bool; INPUTS]>,
    /// Milliseconds since its inputs were heard last.
    pub heard_ms_ago: Option<u64>,
    /// How often it was found, since the agent started.
    pub connects: u64,
    /// Frames that did not arrive in this connection.
    pub missed: u64,
    /// Frames that arrived damaged, and what was no frame at all.
    pub damaged: u64,
}

impl Figures {
    /// It says who it is. True if that is another one, or one that was away.
    pub(super) fn hello(&mut self, hello: &Hello) -> bool {
        let is_new = !self.up || self.boot_id != Some(hello.boot_id);
        self.connects += u64::from(!self.up);
        self.up = true;
        self.why = None;
        self.firmware = Some(super::session::release(hello));
        self.wire = Some(hello.wire);
        self.boot_id = Some(hello.boot_id);
        self.uptime_ms = Some(hello.uptime_ms);
        self.reset = Some(reset(hello.reset).to_owned());
        self.alone_ms = Some(hello.alone_ms);
        is_new
    }

    const fn inputs(&mut self, inputs: &Inputs) {
        self.uptime_ms = Some(inputs.uptime_ms);
        self.counts = Some(inputs.counts);
        self.levels = Some(inputs.levels);
    }

    pub(super) const fn losses(&mut self, (missed, errors): (u64, Errors)) {
        self.missed = missed;
        self.damaged = errors.damaged as u64 + errors.overlong as u64 + errors.unknown as u64;
    }

    pub(super) fn down(&mut self, why: &str) {
        self.up = false;
        self.why = Some(why.to_owned());
    }
}

const fn reset(cause: ResetCause) -> &'static str {
    match cause {
        ResetCause::Unknown => "unknown",
        ResetCause::PowerOn => "power",
        ResetCause::Pin => "reset pin",
        ResetCause::Watchdog => "watchdog",
        ResetCause::Panic => "panic",
        ResetCause::Command => "flashed",
    }
}

/// The figures, written by the link and read by whoever asks.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    figures: Figures,
    /// When the inputs were heard last.
    heard: Option<Mono>,
}

impl Shared {
    /// Of a board that nobody has heard.
    pub fn new(board: &Board) -> Shared {
        let figures = Figures {
            port: board.port.clone(),
            up: false,
            why: None,
            firmware: None,
            wire: None,
            agent_wire: VERSION,
            boot_id: None,
            uptime_ms: None,
            reset: None,
            alone_ms: None,
            counts: None,
            levels: None,
            heard_ms_ago: None,
            connects: 0,
            missed: 0,
            damaged: 0,
        };
        let heard = None;
        Shared(Arc::new(Mutex::new(State { figures, heard })))
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Figures) -> T) -> T {
        change(&mut self.state().figures)
    }

    pub(super) fn inputs(&self, inputs: &Inputs, at: Mono) {
        let mut state = self.state();
        state.figures.inputs(inputs);
        state.heard = Some(at);
    }

    /// Nothing that holds the lock can panic, and if it did the figures would still be figures.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> Figures {
        let state = self.state();
        let now = clock::mono();
        Figures {
            heard_ms_ago: state.heard.map(|at| now.since(at)),
            ..state.figures.clone()
        }
    }
}

/// What people want of the board.
#[derive(Debug)]
pub enum Errand {
    /// It sounds and lights everything it has; answered when it has begun.
    Test(oneshot::Sender<Result<(), String>>),
    /// It says who it is and carries out anew what it is told already, which nobody hears or sees.
    Prove(oneshot::Sender<Result<(), String>>),
}

impl Errand {
    /// It cannot be done.
    pub(super) fn refuse(self, why: &str) {
        let (Errand::Test(answer) | Errand::Prove(answer)) = self;
        // Whoever asked may have gone meanwhile.
        let _ = answer.send(Err(why.to_owned()));
    }
}

/// Where the board is asked for; clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Desk {
    shared: Shared,
    errands: mpsc::Sender<Errand>,
}

impl Desk {
    /// The desk of a board, and where errands come out.
    pub fn new(shared: Shared) -> (Desk, mpsc::Receiver<Errand>) {
        let (errands, incoming) = mpsc::channel(1);
        (Desk { shared, errands }, incoming)
    }

    /// How the board stands.
    pub fn figures(&self) -> Figures {
        self.shared.shown()
    }

    /// Lets it sound and light everything it has; done when it has begun.
    pub async fn test(&self) -> Result<(), String> {
        self.have(Errand::Test).await
    }

    /// Lets it say who it is and carry out anew what it is told, which nobody hears or sees.
    pub async fn prove(&self) -> Result<(), String> {
        self.have(Errand::Prove).await
    }

    async fn have(
        &self,
        errand: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Errand,
    ) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let done = async {
            let stopping = || "the agent is stopping".to_owned();
            let sent = self.errands.send(errand(answer)).await;
            sent.map_err(|_| stopping())?;
            answered.await.map_err(|_| stopping())?
        };
        let done = timeout(PATIENCE, done).await;
        done.unwrap_or_else(|_| Err("the link of the board does not answer".to_owned()))
    }
}
