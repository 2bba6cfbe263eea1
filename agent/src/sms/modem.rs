//! A modem that sends and receives text messages in PDU mode (3GPP TS 27.005).
//!
//! It is started with as little as possible and nothing that outlasts it: what a modem is set to is
//! its owner's business. A PIN is given once and never again, for the third wrong one locks the card.

use super::at::{AtError, Channel, NotTaken, Unasked};
use super::codes::{Class, Code};
use andon_core::sms::receive::{Received, Report, receive};
use andon_core::sms::submit::Unit;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

/// Most commands are answered at once.
const SHORT: Duration = Duration::from_secs(5);

/// The text of a message is asked for by then.
const PROMPT: Duration = Duration::from_secs(20);

/// The network has taken a message by then, or nobody knows what became of it: two minutes in the
/// manuals of the slowest (Quectel EC25, AT+CMGS).
const SENDING: Duration = Duration::from_secs(130);

/// A card that was given its PIN is ready by then.
const CARD: Duration = Duration::from_secs(20);

/// Registration at home, and in the network of another operator; 6 and 7 for messages only.
const HOME: [u8; 2] = [1, 6];
const ROAMING: [u8; 2] = [5, 7];

/// How a modem is to be started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setup {
    /// The PIN of the card.
    pub pin: Option<String>,
    /// Exists once a PIN was refused: none is given any more.
    pub refused: Option<PathBuf>,
    /// The service centre, where the card does not know it.
    pub centre: Option<String>,
    /// How long to wait for a network.
    pub network: Duration,
}

/// What is known of a modem that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Manufacturer and model, as far as it says.
    pub model: String,
    /// Signal in dBm, if it tells.
    pub signal_dbm: Option<i16>,
    /// Whether it is in a network of another operator.
    pub roaming: bool,
}

/// Why nothing can be sent.
#[derive(Debug)]
pub enum Trouble {
    /// The modem refuses, or says nothing.
    At(&'static str, AtError),
    /// The card wants a PIN and there is none to give.
    PinWanted,
    /// The PIN was refused, now or earlier.
    PinRefused(Option<PathBuf>),
    /// The card wants something else than its PIN.
    Locked(String),
    /// The network refuses the card.
    Denied,
    /// No network was found in time.
    NoNetwork {
        /// Signal in dBm, if the modem tells.
        signal_dbm: Option<i16>,
    },
    /// Whether the message went out is not known.
    Uncertain,
    /// There is no port, or it is in use; in words.
    Gone(String),
    /// Something is not set right; in words.
    Setup(String),
    /// The number or the text is none that can be sent.
    Unsendable,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::At(what, error) => write!(f, "{what}: {error}"),
            Trouble::PinWanted => f.write_str(
                "the SIM card wants its PIN: write it into a file that only the agent's user can read, \
                 and set `pin_file` in [sms]",
            ),
            Trouble::PinRefused(marker) => {
                f.write_str("the SIM card has refused the PIN in `pin_file`; it is not given again")?;
                if let Some(marker) = marker {
                    write!(
                        f,
                        ", for the third wrong one locks the card: correct it, then remove {}",
                        marker.display()
                    )?;
                }
                Ok(())
            }
            Trouble::Locked(what) => write!(
                f,
                "the SIM card wants {what}: put it into a telephone, and enter it there"
            ),
            Trouble::Denied => f.write_str(
                "the network refuses this SIM card: it is blocked, not activated yet, or of another \
                 country without roaming",
            ),
            Trouble::NoNetwork { signal_dbm: None } => {
                f.write_str("no network found, and no signal: look at the antenna")
            }
            Trouble::NoNetwork {
                signal_dbm: Some(dbm),
            } => write!(
                f,
                "no network found, although the modem hears one with {dbm} dBm: the card may not be \
                 activated for this place"
            ),
            Trouble::Gone(why) | Trouble::Setup(why) => f.write_str(why),
            Trouble::Unsendable => f.write_str("its number is none, or its text is too long"),
            Trouble::Uncertain => f.write_str(
                "the network has not confirmed the message in time; it may arrive all the same",
            ),
        }
    }
}

impl Trouble {
    /// Whether the modem says nothing.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Trouble::At(_, AtError::Silent) | Trouble::Uncertain)
    }
}

/// What became of a message that was handed to the modem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The modem's number of it, which a report repeats.
    pub reference: u8,
}

/// A modem at the end of a port.
#[derive(Debug)]
pub struct Modem<P> {
    channel: Channel<P>,
    sending: Duration,
}

impl<P: AsyncRead + AsyncWrite + Unpin> Modem<P> {
    /// A modem of which nothing is known.
    pub const fn new(port: P) -> Modem<P> {
        Modem::over(Channel::new(port))
    }

    /// A modem that has been spoken to.
    pub const fn over(channel: Channel<P>) -> Modem<P> {
        Modem {
            channel,
            sending: SENDING,
        }
    }

    /// The same, which waits so long for the network to take a message.
    #[must_use]
    pub fn patient(self, sending: Duration) -> Modem<P> {
        Modem { sending, ..self }
    }

    /// Gets it ready to send, and waits for a network.
    pub async fn start(&mut self, setup: &Setup) -> Result<Ready, Trouble> {
        let deadline = Instant::now() + setup.network;
        self.channel
            .wake()
            .await
            .map_err(at("it is no modem, or it is switched off"))?;
        // Not every modem knows each of these, and without them things are only harder to read.
        for wish in ["ATE0", "AT+CMEE=1"] {
            let _ = self.channel.command(wish, SHORT).await;
        }
        let model = self.model().await;
        self.unlock(setup).await?;
        self.expect("the modem cannot be switched on", "AT+CFUN=1", CARD)
            .await?;
        let roaming = self.network(deadline).await?;
        self.expect("it does not send text messages", "AT+CMGF=0", SHORT)
            .await?;
        let centre = self.expect("service centre", "AT+CSCA?", SHORT).await;
        if let (Some(wanted), false) = (&setup.centre, has_centre(&centre)) {
            let kind = if wanted.starts_with('+') { 145 } else { 129 };
            let command = format!("AT+CSCA=\"{wanted}\",{kind}");
            self.expect("the service centre is not accepted", &command, SHORT)
                .await?;
        }
        self.ask_for_reports().await;
        Ok(Ready {
            model,
            signal_dbm: self.signal().await,
            roaming,
        })
    }

    /// Sends one message.
    pub async fn send(&mut self, unit: &Unit) -> Result<Sent, Trouble> {
        const SEND: &str = "the message was not sent";
        let command = format!("AT+CMGS={}", unit.length);
        let answer = self
            .channel
            .command_with_text(&command, &unit.hex, PROMPT.min(self.sending), self.sending)
            .await;
        match answer {
            Ok(lines) => {
                let told = lines.iter().find_map(|line| line.strip_prefix("+CMGS:"));
                let number = told.and_then(|told| told.split(',').next()?.trim().parse().ok());
                Ok(Sent {
                    reference: number.unwrap_or(0),
                })
            }
            Err(NotTaken {
                error: AtError::Code(code),
                ..
            }) if code.class() == Class::Sent => Ok(Sent { reference: 0 }),
            Err(NotTaken { error, is_said }) => {
                if matches!(error, AtError::Silent) {
                    // It may still wait for the text, and take the next command for it.
                    let _ = self.channel.wake().await;
                }
                match (is_said, error) {
                    (true, AtError::Silent | AtError::Port(_)) => Err(Trouble::Uncertain),
                    (_, error) => Err(Trouble::At(SEND, error)),
                }
            }
        }
    }

    /// Waits until the network reports on a message; none if it does not in time. Whatever else has
    /// come stays in the modem's memory.
    pub async fn report(&mut self, sent: Sent, patience: Duration) -> Option<Report> {
        let deadline = Instant::now() + patience;
        loop {
            let hex = match self.channel.hear(deadline).await.ok()? {
                Unasked::Unit(hex) => hex,
                Unasked::Stored { index: None, .. } => continue,
                Unasked::Stored {
                    memory,
                    index: Some(index),
                } => match self.stored(&memory, index).await {
                    Some(hex) => hex,
                    None => continue,
                },
            };
            if let Ok(Received::Report(report)) = receive(&hex)
                && report.reference == sent.reference
            {
                return Some(report);
            }
        }
    }

    /// Waits for something that has come. Nothing is lost by giving up.
    pub async fn hear(&mut self, deadline: Instant) -> Result<Unasked, AtError> {
        self.channel.hear(deadline).await
    }

    /// Has everything that comes stored in one memory, and says how much of it is used, and how large
    /// it is, if the modem tells.
    pub async fn choose_memory(&mut self) -> Result<Option<(u16, u16)>, AtError> {
        let offered = answered(self.channel.command("AT+CPMS=?", SHORT).await)?;
        let offered = offered.unwrap_or_default().concat();
        for memory in ["ME", "SM"] {
            if !offered.is_empty() && !offered.contains(&format!("\"{memory}\"")) {
                continue;
            }
            // Some modems want all three, some only two.
            for command in [
                format!("AT+CPMS=\"{memory}\",\"{memory}\",\"{memory}\""),
                format!("AT+CPMS=\"{memory}\",\"{memory}\""),
            ] {
                if let Some(lines) = answered(self.channel.command(&command, SHORT).await)? {
                    return Ok(lines.iter().find_map(|line| used(line)));
                }
            }
        }
        Ok(None)
    }

    /// Everything in the memory that has come, by its places.
    pub async fn stored_messages(&mut self) -> Result<Vec<(u16, String)>, AtError> {
        const RECEIVED: [&str; 2] = ["0", "1"];
        let lines = self.channel.command("AT+CMGL=4", CARD).await?;
        let mut found = Vec::new();
        let mut lines = lines.iter();
        while let Some(line) = lines.next() {
            let Some(told) = line.strip_prefix("+CMGL:") else {
                continue;
            };
            let mut parts = told.split(',').map(str::trim);
            let (index, state) = (parts.next(), parts.next());
            let unit = lines.next();
            if let (Some(Ok(index)), Some(state), Some(unit)) = (index.map(str::parse), state, unit)
                && RECEIVED.contains(&state)
            {
                found.push((index, unit.clone()));
            }
        }
        Ok(found)
    }

    /// What lies at a place of a memory; none if nothing does.
    pub async fn read(&mut self, memory: &str, index: u16) -> Result<Option<String>, AtError> {
        if !memory.is_empty() {
            let select = format!("AT+CPMS=\"{memory}\"");
            self.channel.command(&select, SHORT).await?;
        }
        match self
            .channel
            .command(&format!("AT+CMGR={index}"), SHORT)
            .await
        {
            Ok(lines) => Ok(lines.into_iter().find(|line| !line.starts_with('+'))),
            // Nobody is at home there (some say 320, some 321, some 500).
            Err(AtError::Code(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a place free again.
    pub async fn delete(&mut self, index: u16) -> Result<(), AtError> {
        let command = format!("AT+CMGD={index}");
        match self.channel.command(&command, CARD).await {
            Ok(_) | Err(AtError::Code(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes room in the memory: what was read, and what was sent. What is unread stays.
    pub async fn make_room(&mut self) -> Result<(), AtError> {
        match self.channel.command("AT+CMGD=1,3", CARD).await {
            Ok(_) | Err(AtError::Code(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a network is there, and the signal in dBm.
    pub async fn look(&mut self) -> Result<(bool, Option<i16>), AtError> {
        let mut registered = None;
        for question in ["AT+CREG?", "AT+CEREG?"] {
            match self.channel.command(question, SHORT).await {
                Ok(lines) => {
                    let state = lines.iter().find_map(|line| registration(line));
                    let Some(state) = state else { continue };
                    let here = HOME.contains(&state) || ROAMING.contains(&state);
                    registered = Some(registered.unwrap_or(false) || here);
                }
                Err(AtError::Code(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((registered.unwrap_or(true), self.signal().await))
    }

    /// Proves that it could send, without sending: it answers, its card is open, a network is there. The
    /// signal in dBm.
    pub async fn prove(&mut self) -> Result<Option<i16>, Trouble> {
        self.expect("it does not answer", "AT", SHORT).await?;
        match self.card().await {
            Ok(state) if state == "READY" => {}
            Ok(state) => return Err(Trouble::Locked(state)),
            Err(error) => return Err(Trouble::At("the SIM card", error)),
        }
        match self.look().await.map_err(at("the network"))? {
            (true, signal_dbm) => Ok(signal_dbm),
            (false, signal_dbm) => Err(Trouble::NoNetwork { signal_dbm }),
        }
    }

    /// Starts the modem anew, which takes it off the bus for some seconds.
    pub async fn reset(&mut self) {
        let _ = self.channel.command("AT+CFUN=1,1", SHORT).await;
    }

    /// A message that lies in a memory of the modem; a report is deleted there.
    async fn stored(&mut self, memory: &str, index: u16) -> Option<String> {
        let select = format!("AT+CPMS=\"{memory}\"");
        self.channel.command(&select, SHORT).await.ok()?;
        let read = format!("AT+CMGR={index}");
        let lines = self.channel.command(&read, SHORT).await.ok()?;
        let hex = lines.into_iter().find(|line| !line.starts_with('+'))?;
        if matches!(receive(&hex), Ok(Received::Report(_))) {
            let delete = format!("AT+CMGD={index}");
            let _ = self.channel.command(&delete, SHORT).await;
        }
        Some(hex)
    }

    async fn expect(
        &mut self,
        what: &'static str,
        command: &str,
        patience: Duration,
    ) -> Result<Vec<String>, Trouble> {
        self.channel
            .command(command, patience)
            .await
            .map_err(at(what))
    }

    async fn model(&mut self) -> String {
        let mut words = Vec::new();
        for question in ["AT+CGMI", "AT+CGMM"] {
            if let Ok(lines) = self.channel.command(question, SHORT).await {
                words.extend(lines.into_iter().next());
            }
        }
        match words.is_empty() {
            true => "unknown model".to_owned(),
            false => words.join(" "),
        }
    }

    async fn unlock(&mut self, setup: &Setup) -> Result<(), Trouble> {
        let deadline = Instant::now() + CARD;
        loop {
            let busy = match self.card().await {
                Ok(state) if state == "READY" => return Ok(()),
                Ok(state) if state == "SIM PIN" => return self.enter_pin(setup, deadline).await,
                Ok(state) => return Err(Trouble::Locked(state)),
                Err(AtError::Code(code)) if code.class() == Class::Soon => code,
                Err(error) => return Err(Trouble::At("the SIM card", error)),
            };
            if Instant::now() >= deadline {
                return Err(Trouble::At("the SIM card", AtError::Code(busy)));
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn card(&mut self) -> Result<String, AtError> {
        let lines = self.channel.command("AT+CPIN?", SHORT).await?;
        let state = lines.iter().find_map(|line| line.strip_prefix("+CPIN:"));
        // A modem without the question has no lock either.
        Ok(state.unwrap_or("READY").trim().to_owned())
    }

    async fn enter_pin(&mut self, setup: &Setup, deadline: Instant) -> Result<(), Trouble> {
        let pin = setup.pin.as_ref().ok_or(Trouble::PinWanted)?;
        let refused = || Trouble::PinRefused(setup.refused.clone());
        if setup.refused.as_deref().is_some_and(Path::exists) {
            return Err(refused());
        }
        match self
            .channel
            .command(&format!("AT+CPIN=\"{pin}\""), CARD)
            .await
        {
            Ok(_) => {}
            Err(AtError::Code(Code::Equipment(14))) => {}
            Err(AtError::Code(_)) => {
                if let Some(marker) = &setup.refused {
                    // Without the marker the next start would try again: better not to go on.
                    let _ = std::fs::write(marker, "the SIM card has refused the PIN\n");
                }
                return Err(refused());
            }
            Err(error) => return Err(Trouble::At("the PIN", error)),
        }
        while Instant::now() < deadline {
            if self.card().await.is_ok_and(|state| state == "READY") {
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        Err(Trouble::At("the SIM card after its PIN", AtError::Silent))
    }

    /// Waits for a network that takes text messages; whether it is another operator's.
    async fn network(&mut self, deadline: Instant) -> Result<bool, Trouble> {
        const DENIED: u8 = 3;
        loop {
            let mut denied = 0;
            let mut asked = 0;
            // Messages go over the circuit-switched network, or over LTE.
            for question in ["AT+CREG?", "AT+CEREG?"] {
                let Ok(lines) = self.channel.command(question, SHORT).await else {
                    continue;
                };
                let Some(state) = lines.iter().find_map(|line| registration(line)) else {
                    continue;
                };
                asked += 1;
                if HOME.contains(&state) || ROAMING.contains(&state) {
                    return Ok(ROAMING.contains(&state));
                }
                denied += u8::from(state == DENIED);
            }
            if asked > 0 && denied == asked {
                return Err(Trouble::Denied);
            }
            if Instant::now() >= deadline {
                return Err(Trouble::NoNetwork {
                    signal_dbm: self.signal().await,
                });
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Signal strength in dBm (TS 27.007, §8.5).
    async fn signal(&mut self) -> Option<i16> {
        let lines = self.channel.command("AT+CSQ", SHORT).await.ok()?;
        let told = lines.iter().find_map(|line| line.strip_prefix("+CSQ:"))?;
        let steps: i16 = told.split(',').next()?.trim().parse().ok()?;
        (0..=31).contains(&steps).then(|| 2 * steps - 113)
    }

    /// Reports of delivery are to be told at once, in the way that the modem offers.
    async fn ask_for_reports(&mut self) {
        for wish in [
            "AT+CNMI=2,1,0,1,0",
            "AT+CNMI=2,1,0,1,1",
            "AT+CNMI=2,1,0,2,0",
            "AT+CNMI=1,1,0,1,0",
        ] {
            if self.channel.command(wish, SHORT).await.is_ok() {
                return;
            }
        }
        tracing::debug!("the modem tells no reports of delivery");
    }
}

/// The lines of an answer; none if the modem refuses.
fn answered(answer: Result<Vec<String>, AtError>) -> Result<Option<Vec<String>>, AtError> {
    match answer {
        Ok(lines) => Ok(Some(lines)),
        Err(AtError::Code(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How much of a memory is used, and how large it is, in `+CPMS: used,total,...`.
fn used(line: &str) -> Option<(u16, u16)> {
    let told = line.strip_prefix("+CPMS:")?;
    let mut numbers = told.split(',').map(|number| number.trim().parse().ok());
    numbers.next()?.zip(numbers.next()?)
}

fn at(what: &'static str) -> impl FnOnce(AtError) -> Trouble {
    move |error| Trouble::At(what, error)
}

fn has_centre(answer: &Result<Vec<String>, Trouble>) -> bool {
    let Ok(lines) = answer else { return true };
    let told = lines.iter().find_map(|line| line.strip_prefix("+CSCA:"));
    told.is_some_and(|told| !told.trim().is_empty() && !told.trim().starts_with("\"\""))
}

/// The state in `+CREG: n,state,...`, or in what some modems say, `+CREG: state`.
fn registration(line: &str) -> Option<u8> {
    let told = line
        .strip_prefix("+CREG:")
        .or_else(|| line.strip_prefix("+CEREG:"))?;
    let mut numbers = told.split(',').map(|number| number.trim().parse().ok());
    let first = numbers.next()?;
    numbers.next().unwrap_or(first)
}
