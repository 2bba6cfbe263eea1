//! A line on which RTU is spoken: one master, which is the agent, and units that answer it.
//!
//! tokio-modbus makes the request and reads the answer, but it does not see the line: it keeps no
//! silence, takes an answer that comes late for that of the next request, and searches for frames
//! inside of garbage. So it speaks into a pipe of ours. What it says is carried to the line when the
//! line is silent, and what is heard then is carried back only if it is exactly one frame that
//! answers the request ([`andon_core::modbus::rtu`]), if no byte of it came before the request can
//! have been sent, and if nothing follows it for the silent interval.
//!
//! - **Silence.** No frame starts before the silent interval has passed since the last byte that was
//!   heard or sent, and the turnaround besides if it is for another unit than the last one. When a
//!   byte was heard is known late, never early, so the silence on the line is longer, never shorter.
//!   That nothing follows an answer costs nothing to wait for: the next request has to wait as long.
//! - **Deadline.** The answer must begin within the deadline of its device. How long it takes from
//!   then on is a matter of its length and of the speed.
//! - **After a fault** everything that comes is thrown away until the line has been silent for
//!   [`DRAIN`], and tokio-modbus begins anew. Later than that an answer may still come: that of
//!   another unit spoils one exchange, for it names its unit; that of the same unit cannot be taken
//!   for the answer to another request, because [`andon_core::modbus::order`] sees to it that no two
//!   which could be confused follow each other. Waiting for as long as an answer can ever be late
//!   would take the line from all other units each time one is asked that has died.
//! - **A line that is never silent** is given up and opened anew.
//!
//! Through a converter on the network the same holds, but its silence is the converter's business.
//! Where the speed of the line behind it is known, requests keep its pace all the same, so that they
//! do not pile up in the converter.

use super::Ask;
use super::request::{Fault, Query, Reply, call, event};
use super::timer::Timer;
use crate::clock;
use crate::field::Answer;
use crate::field::meter::{Event, Meter};
use andon_core::line::Line;
use andon_core::modbus::order::{Order, Way};
use andon_core::modbus::permit::{Permit, may_leave};
use andon_core::modbus::plan::Read;
use andon_core::modbus::rtu::{Asked, LONGEST, Misheard, Progress};
use andon_core::tag::Table;
use andon_core::time::Mono;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Context, rtu};

/// How long the line must be silent after a fault, if not for 20 characters, which is longer on a
/// very slow one. Adapters on USB hand over what they hear every 16 ms.
const DRAIN: Duration = Duration::from_millis(50);
const DRAIN_CHARACTERS: u64 = 20;

/// A line on which somebody talks for so long, and for two of the longest frames, is of no use.
const ENDLESS: Duration = Duration::from_secs(1);

/// Exceptions that may mean that the last address of a request does not exist.
const NOT_SO_MANY: [u8; 2] = [2, 3];

/// What bytes go through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The times of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pacing {
    /// Its speed, where it is known.
    pub(super) line: Option<Line>,
    /// Silence beyond the silent interval before a request to another unit.
    pub(super) turnaround: Duration,
    /// Whether what is written takes its time to the end of the wire, so that nothing which comes
    /// earlier can be its answer. On a pseudo-terminal it has arrived at once.
    pub(super) transmits: bool,
}

impl Pacing {
    fn silent(&self) -> Duration {
        let us = self.line.map_or(0, Line::silent_us);
        Duration::from_micros(us)
    }

    fn characters(&self, number: usize) -> Duration {
        let us = |line: Line| line.characters_us(number as u64);
        Duration::from_micros(self.line.map_or(0, us))
    }

    fn drain(&self) -> Duration {
        DRAIN.max(self.characters(DRAIN_CHARACTERS as usize))
    }

    fn endless(&self) -> Duration {
        ENDLESS + self.characters(2 * LONGEST)
    }
}

/// A line that is open.
pub(super) struct Bus {
    wire: Wire,
    context: Context,
    /// The other end of what tokio-modbus speaks into.
    pipe: DuplexStream,
    units: Vec<Unit>,
    began: Instant,
    /// It has heard an answer.
    pub(super) served: bool,
}

struct Unit {
    id: u8,
    order: Order,
    /// Reads that it gives no item more of.
    exact: Vec<(Table, u16)>,
}

impl Bus {
    /// Begins on a stream that has just been opened, with the silence that follows a fault: nobody
    /// knows what was going on.
    pub(super) async fn open(
        stream: impl Stream + 'static,
        pacing: Pacing,
        timer: Timer,
    ) -> Result<Bus, Fault> {
        let (context, pipe) = speech();
        let now = Instant::now();
        let mut bus = Bus {
            wire: Wire {
                stream: Box::new(stream),
                pacing,
                timer,
                quiet_since: now,
                last_unit: None,
                heard: Vec::with_capacity(LONGEST + 1),
                took: Duration::ZERO,
            },
            context,
            pipe,
            units: Vec::new(),
            began: now,
            served: false,
        };
        bus.wire.drain().await?;
        Ok(bus)
    }

    /// Makes a read in such a way that no other answer can be taken for its own.
    pub(super) async fn ask(&mut self, ask: &Ask<'_>, meter: &Meter) -> Result<Reply, Fault> {
        let mut way = self.way(ask);
        if let Way::Longer(count) = way {
            match self.ask_for_more(count, ask, meter).await {
                Ok(Err(code)) if NOT_SO_MANY.contains(&code) => way = self.way(ask),
                done => return done,
            }
        }
        match way {
            Way::AsIs | Way::Longer(_) => self.once(ask, ask.read, meter).await,
            Way::Sync(count) => self.ask_in_step(count, ask, meter).await,
            Way::Wait => Err(out_of_step()),
        }
    }

    /// Makes a write that is permitted.
    pub(super) async fn write(
        &mut self,
        permit: &Permit,
        patience: Duration,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        self.exchange(Query::Write(permit), patience, meter).await
    }

    /// From the end of the last request to the end of its answer.
    pub(super) const fn took(&self) -> Duration {
        self.wire.took
    }

    fn way(&mut self, ask: &Ask<'_>) -> Way {
        let now = self.now();
        let unit = self.unit(ask);
        unit.order.expire(now);
        let is_exact = unit.exact.contains(&(ask.read.table, ask.read.start));
        let most = if is_exact { ask.read.count } else { ask.most };
        unit.order.way(ask.read, most)
    }

    /// Asks for more items than are wanted, so that the answer is longer than another one.
    async fn ask_for_more(
        &mut self,
        count: u16,
        ask: &Ask<'_>,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        let longer = Read {
            count,
            ..ask.read.clone()
        };
        let mut reply = self.once(ask, &longer, meter).await;
        match &mut reply {
            Ok(Ok(Answer::Bits(bits))) => bits.truncate(usize::from(ask.read.count)),
            Ok(Ok(Answer::Registers(all))) => all.truncate(usize::from(ask.read.count)),
            // Some devices do not answer at all where others answer with an exception.
            Ok(Err(_)) | Err(Fault::Timeout(_)) => {
                let place = (ask.read.table, ask.read.start);
                self.unit(ask).exact.push(place);
            }
            Err(_) => {}
        }
        reply
    }

    /// Asks after a request whose answer nothing can be confused with, and which is thrown away.
    async fn ask_in_step(
        &mut self,
        count: u16,
        ask: &Ask<'_>,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        let sync = Read {
            count,
            ..ask.read.clone()
        };
        meter.note(ask.read.unit, Event::Synchroniser, clock::mono());
        let _thrown_away = self.once(ask, &sync, meter).await?;
        if self.unit(ask).order.is_ambiguous(ask.read) {
            return Err(out_of_step());
        }
        tokio::time::sleep(ask.between).await;
        self.once(ask, ask.read, meter).await
    }

    /// Makes one read as it is.
    async fn once(&mut self, ask: &Ask<'_>, read: &Read, meter: &Meter) -> Result<Reply, Fault> {
        let until = self.now() + millis(ask.late);
        self.unit(ask).order.asked(read, until);
        let query = Query::Read(read);
        let reply = self.exchange(query, ask.patience, meter).await;
        let order = &mut self.unit(ask).order;
        match &reply {
            Ok(Ok(_)) => order.content(),
            Ok(Err(_)) => order.exception(),
            Err(_) => {}
        }
        reply
    }

    async fn exchange(
        &mut self,
        query: Query<'_>,
        patience: Duration,
        meter: &Meter,
    ) -> Result<Reply, Fault> {
        let unit = query.unit();
        let began = Instant::now();
        meter.note(unit, Event::Request, clock::mono());
        let permit = match query {
            Query::Read(_) => None,
            Query::Write(permit) => Some(permit),
        };
        let reply = tokio::select! {
            biased;
            fault = self.wire.carry(&mut self.pipe, permit, patience) => Err(fault),
            reply = call(&mut self.context, &query) => reply,
        };
        let took = micros(self.wire.took);
        let now = clock::mono();
        meter.busy(micros(began.elapsed()), now);
        meter.note(unit, event(&reply, took), now);
        match &reply {
            Ok(_) => self.served = true,
            Err(_) => (self.context, self.pipe) = speech(),
        }
        reply
    }

    fn unit(&mut self, ask: &Ask<'_>) -> &mut Unit {
        let id = ask.read.unit;
        let at = self.units.iter().position(|unit| unit.id == id);
        let at = at.unwrap_or_else(|| {
            self.units.push(Unit {
                id,
                order: Order::unknown(Mono(millis(ask.late))),
                exact: Vec::new(),
            });
            self.units.len() - 1
        });
        &mut self.units[at]
    }

    /// Milliseconds since it was opened.
    fn now(&self) -> Mono {
        Mono(millis(self.began.elapsed()))
    }
}

/// tokio-modbus, and the other end of what it speaks into.
fn speech() -> (Context, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(LONGEST);
    (rtu::attach(ours), theirs)
}

fn out_of_step() -> Fault {
    Fault::Unfit("its answers to earlier requests may still come".into())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The line itself, with its times.
struct Wire {
    stream: Box<dyn Stream>,
    pacing: Pacing,
    timer: Timer,
    /// When the last byte was heard, or the last one that was sent has left.
    quiet_since: Instant,
    last_unit: Option<u8>,
    /// What was heard since this was last cleared: the longest frame and a byte more at the most.
    heard: Vec<u8>,
    /// From the end of the last request to the end of its answer.
    took: Duration,
}

impl Wire {
    /// Carries one request to the line, and its answer back. Ends only with a fault.
    async fn carry(
        &mut self,
        pipe: &mut DuplexStream,
        permit: Option<&Permit>,
        patience: Duration,
    ) -> Fault {
        let carried = async {
            let mut frame = [0; LONGEST];
            let length = pipe.read(&mut frame).await.map_err(|error| lost(&error))?;
            self.exchange(&frame[..length], permit, patience).await?;
            pipe.write_all(&self.heard)
                .await
                .map_err(|error| lost(&error))
        };
        match carried.await {
            Ok(()) => pending().await,
            Err(fault) => fault,
        }
    }

    /// Sends a frame, and has heard its answer when this ends well.
    async fn exchange(
        &mut self,
        frame: &[u8],
        permit: Option<&Permit>,
        patience: Duration,
    ) -> Result<(), Fault> {
        let asked = Asked::of(frame).filter(|asked| {
            let pdu = &frame[1..frame.len() - 2];
            may_leave(asked.unit(), pdu, permit)
        });
        let Some(asked) = asked else {
            return Err(Fault::Lost("this request may not leave the agent".into()));
        };
        self.silence(asked.unit()).await?;
        let began = Instant::now();
        let sent = timeout(patience, self.stream.write_all(frame)).await;
        sent.map_err(|_| Fault::Lost("the port takes no bytes".into()))?
            .map_err(|error| lost(&error))?;
        let out = if self.pacing.transmits {
            began + self.pacing.characters(frame.len())
        } else {
            Instant::now()
        };
        self.quiet_since = out;
        self.last_unit = Some(asked.unit());
        self.listen(&asked, out, patience).await?;
        self.took = self.quiet_since.saturating_duration_since(out);
        Ok(())
    }

    /// Waits until a frame to `unit` may begin. What is heard meanwhile is nobody's.
    async fn silence(&mut self, unit: u8) -> Result<(), Fault> {
        let gap = match self.last_unit {
            Some(last) if last != unit => self.pacing.silent() + self.pacing.turnaround,
            _ => self.pacing.silent(),
        };
        if self.quiet_since + gap <= Instant::now() {
            // What has come in the meantime is seen only when the runtime has looked for it.
            tokio::task::yield_now().await;
        }
        self.quiet_for(gap).await
    }

    /// Waits until nothing is heard any more after a fault.
    async fn drain(&mut self) -> Result<(), Fault> {
        self.quiet_since = self.quiet_since.max(Instant::now());
        self.quiet_for(self.pacing.drain()).await
    }

    /// Throws away what is heard until nothing was for `gap`.
    async fn quiet_for(&mut self, gap: Duration) -> Result<(), Fault> {
        let end = Instant::now() + gap + self.pacing.endless();
        self.heard.clear();
        while self.hear(self.quiet_since + gap, end).await? {}
        Ok(())
    }

    /// Hears the answer to a request that has left at `out`, whole and alone; after a fault, until
    /// the line is silent.
    async fn listen(
        &mut self,
        asked: &Asked,
        out: Instant,
        patience: Duration,
    ) -> Result<(), Fault> {
        let deadline = out + patience;
        let end = deadline + self.pacing.endless();
        let mut too_early = false;
        self.heard.clear();
        loop {
            let until = match asked.progress(&self.heard) {
                _ if self.heard.is_empty() => deadline,
                Progress::Whole if !too_early => self.quiet_since + self.pacing.silent(),
                _ => self.quiet_since + self.pacing.drain(),
            };
            if !self.hear(until, end).await? {
                break;
            }
            too_early |= self.quiet_since < out;
        }
        let fault = match asked.judge(&self.heard) {
            Ok(()) if !too_early => return Ok(()),
            Ok(()) => Fault::Unfit("it came before the request had been sent".into()),
            Err(Misheard::Nothing) => {
                self.drain().await?;
                Fault::Timeout(patience)
            }
            Err(misheard @ Misheard::Damaged { .. }) => Fault::Damaged(misheard.to_string()),
            Err(misheard) => Fault::Unfit(misheard.to_string()),
        };
        self.quiet_since = self.quiet_since.max(out);
        Err(fault)
    }

    /// Whether anything is heard before `until`. If that goes on until `end`, somebody talks without
    /// end.
    async fn hear(&mut self, until: Instant, end: Instant) -> Result<bool, Fault> {
        let mut bytes = [0; LONGEST];
        let read = tokio::select! {
            biased;
            read = self.stream.read(&mut bytes) => read,
            () = self.timer.until(until) => return Ok(false),
        };
        let bytes = match read {
            Ok(0) => return Err(Fault::Lost("closed by the other side".into())),
            Ok(length) => &bytes[..length],
            Err(error) => return Err(lost(&error)),
        };
        self.quiet_since = Instant::now();
        if self.quiet_since > end {
            return Err(Fault::Lost("the line is never silent".into()));
        }
        let room = (LONGEST + 1).saturating_sub(self.heard.len());
        self.heard
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(true)
    }
}

fn lost(error: &io::Error) -> Fault {
    Fault::Lost(error.to_string())
}
