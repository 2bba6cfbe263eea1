//! The worker of text messages: one task with the modem, which holds up nothing else.
//!
//! - It takes one notice in hand, sends it, and says what became of it; what is to be sent when a
//!   network comes back is decided then, from the alarms as they stand then.
//! - A modem that answers nothing three times is started anew. One that is unplugged is opened again
//!   when it is back. Whatever happens, the worker goes on trying.
//! - What a message costs is not lost sight of: budgets are the core's ([`andon_core::annunciate`]).

mod health;
mod inbox;
mod pace;

pub use health::{Health, ModemState, watch_over};

use crate::run::{Closed, Desk, Tester};
use crate::settings::Sms;
use crate::sms::at::AtError;
use crate::sms::codes::Class;
use crate::sms::modem::{Modem, Sent, Setup, Trouble};
use crate::sms::{described, open, pin, test_text};
use andon_core::annunciate::{Notice, Outcome};
use andon_core::sms::number::Number;
use andon_core::sms::receive;
use andon_core::sms::submit::{Submit, submit};
use inbox::Awaited;
use pace::Pace;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A message need not be delivered any more after this: nobody acts on an alarm of yesterday.
const VALID_MIN: u32 = 12 * 60;

/// A network is found by then, or it is looked for anew.
const NETWORK: Duration = Duration::from_secs(60);

/// A modem that says nothing so often is started anew.
const MOST_SILENCES: u32 = 3;

/// A port that is not there is looked for this often, or more often where everything is.
const PORT: Duration = Duration::from_secs(5);

/// Test messages that wait at once.
const TESTS: usize = 4;

/// Somebody wants a message to prove the way.
#[derive(Debug)]
pub struct Test {
    /// Who gets it.
    pub number: Number,
    /// What the network made of it: the modem in words and the text, or why not.
    pub sent: oneshot::Sender<Result<Tested, String>>,
}

/// A test message that the network has taken.
#[derive(Debug)]
pub struct Tested {
    /// The modem in words.
    pub modem: String,
    /// What the message says.
    pub text: String,
    /// What becomes of it.
    pub report: oneshot::Receiver<receive::Outcome>,
}

/// The way to the worker.
#[derive(Debug, Clone)]
pub struct Texts {
    /// Where test messages are asked for.
    pub tests: mpsc::Sender<Test>,
    /// How the modem stands.
    pub health: watch::Receiver<Health>,
}

/// What the worker needs.
#[derive(Debug)]
pub struct Parts {
    /// The modem.
    pub settings: Sms,
    /// The name of the gateway, for test messages.
    pub gateway: String,
    /// Where it is written down that a PIN was refused.
    pub refused: PathBuf,
    /// Where notices come from.
    pub desk: Desk,
    /// Where self-tests ask.
    pub tester: Tester,
    /// Becomes true when the agent stops.
    pub stop: watch::Receiver<bool>,
}

/// The worker.
#[derive(Debug)]
pub struct Worker {
    parts: Parts,
    tests: mpsc::Receiver<Test>,
    health: watch::Sender<Health>,
    pace: Pace,
    awaited: Awaited,
    /// A self-test waits for what comes of opening the port.
    is_asked: bool,
    /// How often in a row the modem has said nothing.
    silences: u32,
    /// Joins the parts of a long message.
    reference: u8,
}

/// Why a session with the modem ends.
enum End {
    /// The agent stops.
    Stop,
    /// Nothing can be sent; where the port is gone, it is looked for again soon.
    Trouble(Trouble),
}

impl From<Closed> for End {
    fn from(_: Closed) -> End {
        End::Stop
    }
}

impl From<AtError> for End {
    fn from(error: AtError) -> End {
        End::Trouble(Trouble::At("the modem", error))
    }
}

/// What happens next.
enum Wake {
    Stop,
    Test(Test),
    SelfTest,
    Send,
    Woken,
    Heard(Result<crate::sms::at::Unasked, AtError>),
}

impl Worker {
    /// A worker, and the way to it.
    pub fn new(parts: Parts) -> (Worker, Texts) {
        let (tests, waiting) = mpsc::channel(TESTS);
        let (health, seen) = watch::channel(Health::default());
        let worker = Worker {
            pace: Pace::new(parts.settings.pause, parts.settings.retry),
            parts,
            tests: waiting,
            health,
            awaited: Awaited::default(),
            is_asked: false,
            silences: 0,
            reference: 0,
        };
        let texts = Texts {
            tests,
            health: seen,
        };
        (worker, texts)
    }

    /// Works until the agent stops.
    pub async fn run(mut self) {
        loop {
            let wait = match self.open_session().await {
                End::Stop => return,
                End::Trouble(trouble) => self.note_trouble(&trouble),
            };
            // Whoever wants a test hears now why there is none.
            let until = Instant::now() + wait;
            loop {
                tokio::select! {
                    biased;
                    _ = self.parts.stop.wait_for(|stop| *stop) => return,
                    () = tokio::time::sleep_until(until) => break,
                    () = self.parts.tester.asked() => {
                        self.is_asked = true;
                        break;
                    }
                    Some(test) = self.tests.recv() => {
                        let why = self.health.borrow().why.clone();
                        let why = why.unwrap_or_else(|| "the modem is not ready".into());
                        let _ = test.sent.send(Err(why));
                    }
                }
            }
        }
    }

    /// Tells how the modem stands, and how long to wait before it is tried again.
    fn note_trouble(&mut self, trouble: &Trouble) -> Duration {
        let why = self.in_words(trouble);
        if self.health.borrow().why.as_deref() != Some(&why) {
            tracing::error!("no text messages: {why}");
        }
        if std::mem::take(&mut self.is_asked) {
            self.parts.tester.answer(Err(why.clone()));
        }
        self.health.send_modify(|health| health.trouble(why));
        match trouble {
            Trouble::At(_, AtError::Port(_)) | Trouble::Gone(_) => {
                PORT.min(self.parts.settings.retry)
            }
            _ => self.pace.session_failed(),
        }
    }

    fn in_words(&self, trouble: &Trouble) -> String {
        match trouble {
            // It names the port or the file already.
            Trouble::Gone(why) | Trouble::Setup(why) => why.clone(),
            _ => format!("{}: {trouble}", self.parts.settings.modem.display()),
        }
    }

    async fn open_session(&mut self) -> End {
        let port = match open(&self.parts.settings) {
            Ok(port) => port,
            Err(why) => return End::Trouble(Trouble::Gone(why)),
        };
        let modem = Modem::new(port).patient(self.parts.settings.send_timeout);
        // The file may lie on a disk that takes its time.
        let settings = self.parts.settings.clone();
        let pin = tokio::task::spawn_blocking(move || pin(&settings)).await;
        match pin {
            Ok(Ok(pin)) => self.session(modem, pin).await,
            Ok(Err(why)) => End::Trouble(Trouble::Setup(why)),
            Err(_) => End::Stop,
        }
    }

    /// One session with an open port.
    async fn session<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut modem: Modem<P>,
        pin: Option<String>,
    ) -> End {
        let setup = Setup {
            pin,
            refused: Some(self.parts.refused.clone()),
            centre: self.parts.settings.service_centre.clone(),
            network: NETWORK,
        };
        let mut stop = self.parts.stop.clone();
        let started = tokio::select! {
            started = modem.start(&setup) => started,
            _ = stop.wait_for(|stop| *stop) => return End::Stop,
        };
        let end = match started {
            Ok(ready) => {
                tracing::info!("text messages: {}", described(&ready));
                self.health.send_modify(|health| health.ready(&ready));
                if std::mem::take(&mut self.is_asked) {
                    self.parts.tester.answer(Ok(()));
                }
                self.serve(&mut modem).await
            }
            Err(trouble) => End::Trouble(trouble),
        };
        match end {
            End::Trouble(trouble) => {
                if trouble.is_silence() {
                    self.silences += 1;
                }
                if self.silences >= MOST_SILENCES {
                    tracing::warn!(
                        "the modem has said nothing {} times: it is started anew",
                        self.silences
                    );
                    self.silences = 0;
                    modem.reset().await;
                }
                End::Trouble(trouble)
            }
            End::Stop => End::Stop,
        }
    }

    /// Sends and receives until the agent stops, or nothing can be sent any more.
    async fn serve<P: AsyncRead + AsyncWrite + Unpin>(&mut self, modem: &mut Modem<P>) -> End {
        let end = async {
            self.fetch(modem).await?;
            let mut poll_at = Instant::now() + self.parts.settings.poll;
            loop {
                let wake = tokio::select! {
                    biased;
                    _ = self.parts.stop.wait_for(|stop| *stop) => Wake::Stop,
                    Some(test) = self.tests.recv() => Wake::Test(test),
                    () = self.parts.tester.asked() => Wake::SelfTest,
                    () = self.pace.due() => Wake::Send,
                    () = self.parts.desk.woken() => Wake::Woken,
                    heard = modem.hear(poll_at) => Wake::Heard(heard),
                };
                match wake {
                    Wake::Stop => return Err::<(), End>(End::Stop),
                    Wake::Test(test) => self.test(modem, test).await?,
                    Wake::SelfTest => self.prove(modem).await?,
                    Wake::Woken => self.pace.woken(),
                    Wake::Send => self.send_next(modem).await?,
                    Wake::Heard(Ok(unasked)) => self.heard(modem, unasked).await?,
                    Wake::Heard(Err(AtError::Silent)) => {
                        poll_at = Instant::now() + self.parts.settings.poll;
                        self.poll(modem).await?;
                    }
                    Wake::Heard(Err(error)) => return Err(error.into()),
                }
            }
        };
        match end.await {
            Ok(()) => End::Stop,
            Err(end) => end,
        }
    }

    /// Looks how things stand, and for what has come unnoticed.
    async fn poll<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
    ) -> Result<(), End> {
        self.fetch(modem).await?;
        let (registered, signal) = modem.look().await?;
        self.silences = 0;
        self.health
            .send_modify(|health| health.seen(registered, signal));
        Ok(())
    }

    /// Tries the modem, without a message.
    async fn prove<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
    ) -> Result<(), End> {
        match modem.prove().await {
            Ok(signal) => {
                self.silences = 0;
                self.health.send_modify(|health| health.seen(true, signal));
                self.parts.tester.answer(Ok(()));
                Ok(())
            }
            // It has said that there is no network, and will be asked again.
            Err(trouble @ Trouble::NoNetwork { .. }) => {
                let why = self.in_words(&trouble);
                self.health
                    .send_modify(|health| health.trouble(why.clone()));
                self.parts.tester.answer(Err(why));
                Ok(())
            }
            Err(trouble) => {
                self.is_asked = true;
                Err(End::Trouble(trouble))
            }
        }
    }

    /// Sends what is next, if there is anything.
    async fn send_next<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
    ) -> Result<(), End> {
        let Some(notice) = self.parts.desk.take().await? else {
            self.pace.idle();
            return Ok(());
        };
        let sent = self.send(modem, &notice.address, &notice.text).await;
        let (outcome, trouble) = self.outcome(modem, &notice, sent).await;
        self.health.send_modify(|health| health.note(&outcome));
        log(&notice, &outcome);
        self.parts.desk.told(notice.id, outcome).await?;
        match trouble {
            Some(trouble) => Err(End::Trouble(trouble)),
            None => Ok(()),
        }
    }

    /// What became of a message, when the next may go out, and whether the session ends.
    async fn outcome<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
        notice: &Notice,
        sent: Result<Sent, Trouble>,
    ) -> (Outcome, Option<Trouble>) {
        let trouble = match sent {
            Ok(sent) => {
                self.silences = 0;
                self.pace.sent();
                self.awaited.message(sent, notice);
                return (Outcome::Sent, None);
            }
            Err(trouble) => trouble,
        };
        let why = trouble.to_string();
        match &trouble {
            Trouble::Uncertain => {
                self.silences += 1;
                self.pace.failed(Class::Soon);
                let ends = self.silences >= MOST_SILENCES;
                (Outcome::Unknown, ends.then_some(trouble))
            }
            Trouble::At(_, AtError::Code(code)) => {
                let class = code.class();
                self.silences = if code.is_unknown() {
                    self.silences + 1
                } else {
                    0
                };
                match class {
                    Class::Refused => {
                        self.pace.sent();
                        return (Outcome::Refused(why), None);
                    }
                    Class::Full => {
                        let _ = self.fetch(modem).await;
                        let _ = modem.make_room().await;
                    }
                    _ => {}
                }
                self.pace.failed(class);
                let ends = class == Class::Setup || self.silences >= MOST_SILENCES;
                (Outcome::Failed(why), ends.then_some(trouble))
            }
            Trouble::At(_, AtError::Silent) => {
                self.silences += 1;
                self.pace.failed(Class::Soon);
                let ends = self.silences >= MOST_SILENCES;
                (Outcome::Failed(why), ends.then_some(trouble))
            }
            Trouble::Unsendable => (Outcome::Refused(why), None),
            _ => (Outcome::Failed(why), Some(trouble)),
        }
    }

    /// Sends a text, in as many parts as it needs.
    async fn send<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
        to: &str,
        text: &str,
    ) -> Result<Sent, Trouble> {
        self.reference = self.reference.wrapping_add(1);
        let number = Number::parse(to).ok_or(Trouble::Unsendable)?;
        let units = submit(&Submit {
            to: &number,
            text,
            valid_min: Some(VALID_MIN),
            report: true,
            reference: self.reference,
        });
        let mut last = Err(Trouble::Unsendable);
        for (index, unit) in units.unwrap_or_default().iter().enumerate() {
            last = modem.send(unit).await;
            if last.is_err() {
                // A part of it is out.
                return last.map_err(|trouble| match index {
                    0 => trouble,
                    _ => Trouble::Uncertain,
                });
            }
        }
        last
    }

    /// Sends a message that proves the way.
    async fn test<P: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        modem: &mut Modem<P>,
        test: Test,
    ) -> Result<(), End> {
        let text = test_text(&self.parts.gateway);
        let sent = self.send(modem, &test.number.to_string(), &text).await;
        let answer = match sent {
            Ok(sent) => Ok(Tested {
                modem: self.health.borrow().in_words(),
                text,
                report: self.awaited.test(sent),
            }),
            Err(trouble) => Err(self.in_words(&trouble)),
        };
        self.pace.sent();
        // Whoever asked may have gone.
        let _ = test.sent.send(answer);
        Ok(())
    }
}

/// Says in the log what became of a message, without what it says: that is in the journal.
fn log(notice: &Notice, outcome: &Outcome) {
    let (kind, name) = (notice.kind.as_str(), &notice.name);
    match outcome {
        Outcome::Sent => tracing::info!("text message ({kind}) to {name}"),
        Outcome::Unknown => {
            tracing::warn!("text message ({kind}) to {name}: nobody knows whether it arrives");
        }
        Outcome::Failed(why) => tracing::warn!("text message ({kind}) to {name} not now: {why}"),
        Outcome::Refused(why) => tracing::error!("text message ({kind}) to {name} refused: {why}"),
    }
}
