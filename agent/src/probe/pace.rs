//! How fast a device may be asked.
//!
//! Some devices lose a request that comes too soon after their last answer or after a new
//! connection. Both pauses are tried from the shortest on, a few requests each, until all are
//! answered.

use super::link::Link;
use super::span::Span;
use super::trouble::Trouble;
use super::wire::{Reply, Wire};
use std::time::Duration;
use tokio::time::sleep;

/// Pauses between requests that are tried, in milliseconds.
const BETWEEN_MS: [u64; 7] = [0, 5, 10, 20, 50, 100, 200];

/// Pauses after a connection that are tried, in milliseconds.
const AFTER_MS: [u64; 3] = [100, 250, 500];

/// A device that does not answer after this one does not answer.
const LONG_AFTER_MS: u64 = 1000;

/// The codes with which a gateway says that it does not reach the unit (Modbus Application
/// Protocol 1.1b3, §7).
const GATEWAY: [u8; 2] = [0x0A, 0x0B];

/// Requests that must all be answered for a pause to be long enough.
const EACH: u32 = 6;

/// A device that has just lost a request gets a moment.
const RECOVERY: Duration = Duration::from_millis(200);

/// Longest wait for an answer here, as a multiple of the longest so far, and at least: what comes
/// late must not be taken for lost.
const TIMES_LONGEST: u32 = 5;
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// Finds out whether the unit answers at all, and how long it needs after a new connection, in
/// milliseconds; none if there is no connection of our own.
pub async fn greet(
    wire: &mut Wire,
    unit: u8,
    span: Span,
    link: &Link,
) -> Result<Option<u64>, Trouble> {
    let one = span.part(0, 1);
    let first = wire.ask(unit, one).await?.reply;
    if !wire.connects() {
        let last = match first.is_heard() {
            true => first,
            // A single lost request may have other causes.
            false => wire.ask(unit, one).await?.reply,
        };
        return judged(last, wire, unit, link).map(|()| None);
    }
    if first.is_heard() {
        return judged(first, wire, unit, link).map(|()| Some(0));
    }
    wire.after_connect = Duration::from_millis(LONG_AFTER_MS);
    let patient = wire.ask(unit, one).await?.reply;
    judged(patient, wire, unit, link)?;
    for ms in AFTER_MS {
        wire.close();
        wire.after_connect = Duration::from_millis(ms);
        if wire.ask(unit, one).await?.reply.is_heard() {
            return Ok(Some(ms));
        }
    }
    wire.after_connect = Duration::from_millis(LONG_AFTER_MS);
    Ok(Some(LONG_AFTER_MS))
}

/// Whether a first reply gives hope.
fn judged(reply: Reply, wire: &Wire, unit: u8, link: &Link) -> Result<(), Trouble> {
    let place = link.endpoint.to_string();
    match reply {
        Reply::Exception(code) if GATEWAY.contains(&code) => Err(Trouble::Refused { unit, code }),
        Reply::Answer(_) | Reply::Exception(_) => Ok(()),
        Reply::Silence => Err(Trouble::NoAnswer {
            unit,
            place,
            link: link.name(),
            converter: link.as_converter(),
            patience: wire.patience,
        }),
        Reply::Nonsense(why) => Err(Trouble::Nonsense { unit, place, why }),
    }
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paced {
    /// How long answers took, in microseconds.
    pub times_us: Vec<u64>,
    /// The shortest pause between requests with which all were answered, in milliseconds; none if
    /// some were lost with every pause.
    pub between_ms: Option<u64>,
    /// Requests that were made.
    pub asked: u32,
    /// Those of them that were not answered.
    pub lost: u32,
}

/// Measures the pause between requests by reading `span` again and again; `longest_us` is the
/// longest answer time so far.
pub async fn measure(
    wire: &mut Wire,
    unit: u8,
    span: Span,
    longest_us: u64,
) -> Result<Paced, Trouble> {
    let usual = wire.patience;
    let patient = Duration::from_micros(longest_us) * TIMES_LONGEST;
    wire.patience = patient.clamp(LEAST_PATIENCE.min(usual), usual);
    let mut paced = Paced::default();
    let measured = paced.between(wire, unit, span).await;
    wire.patience = usual;
    measured.map(|()| paced)
}

impl Paced {
    async fn between(&mut self, wire: &mut Wire, unit: u8, span: Span) -> Result<(), Trouble> {
        for ms in BETWEEN_MS {
            wire.between_requests = Duration::from_millis(ms);
            // A single lost request may have other causes than that there is no pause.
            if self.all_answered(wire, unit, span).await?
                || ms == 0 && self.all_answered(wire, unit, span).await?
            {
                self.between_ms = Some(ms);
                break;
            }
        }
        Ok(())
    }

    async fn all_answered(
        &mut self,
        wire: &mut Wire,
        unit: u8,
        span: Span,
    ) -> Result<bool, Trouble> {
        // The first one may have to connect, which says nothing about the pause.
        for _ in 0..=EACH {
            if !self.is_answered(wire, unit, span).await? {
                sleep(RECOVERY).await;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_answered(
        &mut self,
        wire: &mut Wire,
        unit: u8,
        span: Span,
    ) -> Result<bool, Trouble> {
        let asked = wire.ask(unit, span).await?;
        self.asked += 1;
        if asked.reply.is_heard() {
            self.times_us.push(asked.took_us);
        } else {
            self.lost += 1;
        }
        Ok(asked.reply.is_heard())
    }
}

/// The least, the median and the greatest of some times.
pub fn spread(times_us: &[u64]) -> Option<[u64; 3]> {
    let mut sorted = times_us.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2)?;
    Some([*sorted.first()?, *median, *sorted.last()?])
}
