//! Reading what a device has: which addresses exist, and what they say, several times.

use super::cut::Cut;
use super::plausible::Run;
use super::span::Span;
use super::trouble::Trouble;
use super::wire::{Asked, Reply, Wire};
use crate::field::Answer;
use andon_core::tag::Table;
use std::time::Duration;
use tokio::time::sleep;

/// A request is made so often before it counts as not answered, each time after a longer pause.
const ATTEMPTS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(250),
];

/// After so many requests without an answer the rest of a range is left alone.
const MOST_SILENT: u32 = 8;

/// The codes by which a device says that it does not have all that it was asked for, or not in
/// one answer (Modbus Application Protocol 1.1b3, §7).
const HAS_NOT: [u8; 3] = [0x02, 0x03, 0x04];
const BUSY: [u8; 2] = [0x05, 0x06];

/// What a device said.
#[derive(Debug, Default, PartialEq)]
pub struct Collected {
    /// Registers, by table and address.
    pub runs: Vec<(Table, Run)>,
    /// Bits, by table and address.
    pub bits: Vec<Bits>,
    /// What it does not have, and how it says so.
    pub missing: Vec<(Span, Why)>,
    /// The most registers or bits that it gives in one answer, if that is less than it may be.
    pub most: Option<(Table, u32)>,
    /// How long each answer took, in microseconds.
    pub times_us: Vec<u64>,
    /// Requests without an answer.
    pub unanswered: u32,
    /// The longest read that was answered.
    pub longest: Option<Span>,
}

/// Neighbouring bits.
#[derive(Debug, PartialEq, Eq)]
pub struct Bits {
    /// Coils or discrete inputs.
    pub table: Table,
    /// Address of the first.
    pub start: u16,
    /// The bits of each reading.
    pub readings: Vec<Vec<bool>>,
}

/// How a device says that it does not have something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// By this exception.
    Exception(u8),
    /// Not at all.
    Silence,
}

/// Reads `spans` of a unit `times` times, with `rest` in between.
pub async fn collect(
    wire: &mut Wire,
    unit: u8,
    spans: &[Span],
    times: u32,
    rest: Duration,
) -> Result<Collected, Trouble> {
    let mut collected = Collected::default();
    let mut blocks: Vec<(Span, Vec<Answer>)> = Vec::new();
    for span in spans {
        collected.first(wire, unit, *span, &mut blocks).await?;
    }
    blocks.sort_by_key(|(span, _)| (span.table, span.first));
    'times: for _ in 1..times {
        sleep(rest).await;
        for (span, answers) in &mut blocks {
            match collected.ask(wire, unit, *span).await? {
                Reply::Answer(answer) => answers.push(answer),
                // What it has already said is worth more than another reading.
                _ => break 'times,
            }
        }
    }
    let complete = blocks.iter().map(|(_, answers)| answers.len()).min();
    for (span, answers) in blocks {
        let longest = collected.longest.map_or(0, Span::count);
        if span.count() > longest {
            collected.longest = Some(span);
        }
        collected.keep(span, answers, complete.unwrap_or(0));
    }
    Ok(collected)
}

impl Collected {
    /// The first reading of a span finds out what of it exists.
    async fn first(
        &mut self,
        wire: &mut Wire,
        unit: u8,
        span: Span,
        blocks: &mut Vec<(Span, Vec<Answer>)>,
    ) -> Result<(), Trouble> {
        let mut cut = Cut::new(span);
        let mut why = Why::Silence;
        let mut silent = 0;
        while let Some(part) = cut.next() {
            let refused = match self.ask(wire, unit, part).await? {
                Reply::Answer(answer) => {
                    blocks.push((part, vec![answer]));
                    cut.tell(true);
                    continue;
                }
                Reply::Exception(code) if HAS_NOT.contains(&code) => Why::Exception(code),
                Reply::Exception(code) => {
                    let rest = cut.rest().map(|span| (span, Why::Exception(code)));
                    self.missing.extend(rest);
                    break;
                }
                Reply::Silence | Reply::Nonsense(_) => Why::Silence,
            };
            silent += u32::from(refused == Why::Silence);
            why = refused;
            if silent == MOST_SILENT {
                self.missing
                    .extend(cut.rest().map(|span| (span, Why::Silence)));
                break;
            }
            cut.tell(false);
        }
        self.missing
            .extend(cut.missing().into_iter().map(|span| (span, why)));
        if let Some(most) = cut.most() {
            self.most = Some((span.table, most));
        }
        Ok(())
    }

    /// One request, repeated until it is answered or there is little hope.
    async fn ask(&mut self, wire: &mut Wire, unit: u8, span: Span) -> Result<Reply, Trouble> {
        let usual = wire.between_requests;
        let mut last = Reply::Silence;
        for pause in ATTEMPTS {
            sleep(pause).await;
            let Asked { reply, took_us } = wire.ask(unit, span).await?;
            if reply.is_heard() {
                self.times_us.push(took_us);
            } else {
                self.unanswered += 1;
                // Perhaps it is asked too fast.
                wire.between_requests = wire.between_requests.max(pause);
            }
            let settled = match &reply {
                Reply::Answer(_) => true,
                Reply::Exception(code) => !BUSY.contains(code),
                Reply::Silence | Reply::Nonsense(_) => false,
            };
            last = reply;
            if settled {
                return Ok(last);
            }
        }
        wire.between_requests = usual;
        Ok(last)
    }

    /// Adds what one read brought; reads that meet become one run.
    fn keep(&mut self, span: Span, answers: Vec<Answer>, complete: usize) {
        let meets =
            |start: u16, length: usize| usize::from(start) + length == usize::from(span.first);
        let (mut registers, mut bits) = (Vec::new(), Vec::new());
        for answer in answers.into_iter().take(complete) {
            match answer {
                Answer::Registers(words) => registers.push(words),
                Answer::Bits(values) => bits.push(values),
            }
        }
        if span.table.is_bits() {
            match self.bits.last_mut() {
                Some(last)
                    if last.table == span.table && meets(last.start, last.readings[0].len()) =>
                {
                    for (reading, more) in last.readings.iter_mut().zip(bits) {
                        reading.extend(more);
                    }
                }
                _ => self.bits.push(Bits {
                    table: span.table,
                    start: span.first,
                    readings: bits,
                }),
            }
            return;
        }
        match self.runs.last_mut() {
            Some((table, last)) if *table == span.table && meets(last.start, last.length()) => {
                for (reading, more) in last.readings.iter_mut().zip(registers) {
                    reading.extend(more);
                }
            }
            _ => self.runs.push((
                span.table,
                Run {
                    start: span.first,
                    readings: registers,
                },
            )),
        }
    }
}
