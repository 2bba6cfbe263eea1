//! Reads that a device refuses because an address in them does not exist, or because they are too
//! long for it.
//!
//! What exactly is refused is searched for (`andon_core::modbus::refused`), some requests in each
//! round so that the other reads of the link are not held up. From then on the parts without it
//! are read instead, and the refused tags are named, told as bad, and asked for once an hour: the
//! device may have been repaired, or set up otherwise. A device that refuses every tag is asked
//! for the whole as before: it may be starting.

use super::{Ask, Outcome, Poller};
use crate::clock;
use crate::field::outlet::EngineGone;
use crate::field::schedule::Slot;
use crate::field::{Answer, FromField};
use andon_core::modbus::decode::{Words, decode};
use andon_core::modbus::plan::{Read, ReadIndex};
use andon_core::modbus::refused::{Found, Search};
use andon_core::plant::Model;
use andon_core::sample::{Reading, Reason};
use andon_core::tag::{Source, TagIndex};
use andon_core::time::Mono;

/// What was refused is asked for again after this time.
pub(super) const AGAIN_MS: u64 = 3_600_000;

/// Requests of a search in one round.
const STEPS: usize = 8;

/// A search goes on after this time, also where the read is due much later.
const SEARCH_AGAIN_MS: u64 = 1_000;

/// Tags that one line of the log names.
const NAMED: usize = 20;

/// Whether an exception speaks of the addresses of a request: one of them does not exist (0x02), or
/// there are too many of them (0x03; Modbus Application Protocol 1.1b3, §7).
pub(super) const fn is_refusal(code: u8) -> bool {
    matches!(code, 0x02 | 0x03)
}

/// The reads that were refused.
#[derive(Debug)]
pub(super) struct Refused {
    entries: Vec<Entry>,
    /// Milliseconds until what was refused is asked for again.
    again_ms: u64,
}

impl Default for Refused {
    fn default() -> Refused {
        Refused::again_after(AGAIN_MS)
    }
}

#[derive(Debug)]
struct Entry {
    read: ReadIndex,
    /// The exception that the whole was answered with.
    code: u8,
    known: Known,
}

#[derive(Debug)]
enum Known {
    /// The search goes on.
    Searching(Search),
    /// It has ended.
    Found(Parts),
    /// Everything is refused; until then nothing is searched for again.
    Nothing(Mono),
}

/// What is read instead of the whole.
#[derive(Debug)]
struct Parts {
    found: Found,
    /// What was refused is asked for again from then on, one read in each round.
    again_from: Mono,
    /// How many of them have been asked for since.
    asked: usize,
}

/// The readings of a round.
type Round = Vec<(TagIndex, Reading)>;

/// How a round ended.
enum End {
    /// As it should.
    Complete,
    /// The device accepts what it refused before, or refuses what it accepted.
    Changed,
    /// A request came to this, and the rest was not made.
    Broken(Outcome),
}

impl Refused {
    /// Nothing is refused yet; what will be is asked for again after this time.
    pub(super) const fn again_after(again_ms: u64) -> Refused {
        Refused {
            entries: Vec::new(),
            again_ms,
        }
    }

    /// Whether a read is made in parts.
    pub(super) fn is_in_parts(&mut self, read: ReadIndex, now: Mono) -> bool {
        let over = |known: &Known| matches!(known, Known::Nothing(until) if *until <= now);
        self.entries.retain(|entry| !over(&entry.known));
        let of_read = self.entries.iter().find(|entry| entry.read == read);
        of_read.is_some_and(|entry| !matches!(entry.known, Known::Nothing(_)))
    }

    /// Whether it is known that nothing of a read can be had.
    fn is_hopeless(&self, read: ReadIndex) -> bool {
        self.entries.iter().any(|entry| entry.read == read)
    }

    fn take(&mut self, read: ReadIndex) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.read == read)?;
        Some(self.entries.swap_remove(at))
    }
}

impl Poller {
    /// The device refused a read as a whole.
    pub(super) async fn was_refused(
        &mut self,
        slot: Slot,
        ask: Ask<'_>,
        code: u8,
    ) -> Result<(), EngineGone> {
        let read = ask.read;
        let index = self.schedule.read(slot);
        let search = Search::new(read.clone(), self.model(read));
        if self.refused.is_hopeless(index) || search.next().is_none() {
            return self.answered(slot, read, Err(code)).await;
        }
        self.refused.entries.push(Entry {
            read: index,
            code,
            known: Known::Searching(search),
        });
        self.ask_in_parts(slot, ask).await
    }

    /// Makes one round of a read that is made in parts, and tells the readings of its tags.
    pub(super) async fn ask_in_parts(
        &mut self,
        slot: Slot,
        ask: Ask<'_>,
    ) -> Result<(), EngineGone> {
        let read = ask.read;
        let Some(mut entry) = self.refused.take(self.schedule.read(slot)) else {
            return Ok(());
        };
        let mut round = Round::new();
        let end = match &mut entry.known {
            Known::Searching(search) => {
                let end = self.search(search, ask, &mut round).await?;
                if search.next().is_none() {
                    let found = search.found();
                    entry.known = self.found(read, entry.code, found);
                }
                end
            }
            Known::Found(parts) => self.ask_parts(ask, parts, &mut round).await?,
            Known::Nothing(_) => End::Complete,
        };
        let code = entry.code;
        let refused = match &entry.known {
            Known::Found(parts) => tags_of(&parts.found.refused),
            Known::Searching(_) => Vec::new(),
            Known::Nothing(_) => {
                self.refused.entries.push(entry);
                return self.answered(slot, read, Err(code)).await;
            }
        };
        if let Known::Searching(_) = &entry.known {
            // Nobody wants to wait for what a search finds until a slow tag is due again.
            self.schedule
                .again_by(slot, clock::mono() + SEARCH_AGAIN_MS);
        }
        if !matches!(end, End::Changed) {
            self.refused.entries.push(entry);
        }
        match end {
            End::Broken(Outcome::Fault(reason, why)) => self.failed(slot, read, reason, &why).await,
            End::Broken(Outcome::Exception(code)) => self.answered(slot, read, Err(code)).await,
            End::Broken(_) => self.tell(slot, Err(Reason::Disconnected)).await,
            End::Complete | End::Changed => {
                for tag in refused {
                    if !round.iter().any(|(known, _)| *known == tag) {
                        round.push((tag, Reading::Bad(Reason::Exception(code))));
                    }
                }
                self.is_back(slot, read);
                self.tell_round(read, round).await
            }
        }
    }

    /// Some steps of a search. What is accepted is a reading.
    async fn search(
        &mut self,
        search: &mut Search,
        ask: Ask<'_>,
        round: &mut Round,
    ) -> Result<End, EngineGone> {
        for _ in 0..STEPS {
            let Some(part) = search.next() else { break };
            match self.request(ask.of(&part)).await? {
                Outcome::Answer(answer) => {
                    round.extend(decoded(&part, &answer, self.model(&part)));
                    search.tell(true);
                }
                Outcome::Exception(code) if is_refusal(code) => search.tell(false),
                other => return Ok(End::Broken(other)),
            }
        }
        Ok(End::Complete)
    }

    /// Reads the parts, and from time to time one of those that were refused.
    async fn ask_parts(
        &mut self,
        ask: Ask<'_>,
        parts: &mut Parts,
        round: &mut Round,
    ) -> Result<End, EngineGone> {
        for part in &parts.found.reads {
            match self.request(ask.of(part)).await? {
                Outcome::Answer(answer) => {
                    round.extend(decoded(part, &answer, self.model(part)));
                }
                Outcome::Exception(code) if is_refusal(code) => return Ok(End::Changed),
                other => return Ok(End::Broken(other)),
            }
        }
        let now = clock::mono();
        if now < parts.again_from {
            return Ok(End::Complete);
        }
        // Where only gaps were refused, it is the whole that may be accepted now.
        let again = match &parts.found.refused[..] {
            [] => Some(ask.read),
            refused => refused.get(parts.asked),
        };
        parts.asked += 1;
        if parts.asked >= parts.found.refused.len() {
            parts.again_from = now + self.refused.again_ms;
            parts.asked = 0;
        }
        let Some(again) = again else {
            return Ok(End::Complete);
        };
        match self.request(ask.of(again)).await? {
            Outcome::Answer(answer) => {
                round.extend(decoded(again, &answer, self.model(again)));
                tracing::info!(
                    link = self.outlet.id(),
                    unit = again.unit,
                    "{} is accepted again",
                    place(again)
                );
                Ok(End::Changed)
            }
            Outcome::Exception(code) if is_refusal(code) => Ok(End::Complete),
            other => Ok(End::Broken(other)),
        }
    }

    /// A search has ended: says what it found.
    fn found(&self, read: &Read, code: u8, found: Found) -> Known {
        let again_from = clock::mono() + self.refused.again_ms;
        let (link, unit) = (self.outlet.id(), read.unit);
        let refused: Vec<String> = found.refused.iter().map(|part| self.named(part)).collect();
        let whole = place(read);
        if found.reads.is_empty() {
            tracing::warn!(
                link,
                unit,
                "{whole}: all of it is refused (exception {code})"
            );
            return Known::Nothing(again_from);
        }
        let what = match refused.len() {
            0 => "addresses between its tags".to_owned(),
            1..=NAMED => refused.join(", "),
            more => format!("{} and {} more", refused[..NAMED].join(", "), more - NAMED),
        };
        let parts = found.reads.len();
        tracing::warn!(
            link,
            unit,
            "{whole}: the device refuses {what} (exception {code}); the rest is read in {parts} \
             parts, and what is refused is asked for again in an hour"
        );
        Known::Found(Parts {
            found,
            again_from,
            asked: 0,
        })
    }

    /// The tags of a read with their place: `holding:17 (power)`.
    fn named(&self, read: &Read) -> String {
        let tags = &self.model(read).tags;
        let names = read
            .tags
            .iter()
            .filter_map(|tag| tags.get(usize::from(tag.0)));
        let names: Vec<&str> = names.map(|tag| &*tag.name).collect();
        format!("{} ({})", place(read), names.join(", "))
    }

    async fn tell_round(&mut self, read: &Read, readings: Round) -> Result<(), EngineGone> {
        let at = clock::mono();
        let readings = readings.into_iter();
        self.outlet
            .send(FromField::Readings {
                device: read.device,
                at,
                readings: readings
                    .map(|(tag, reading)| (tag, reading.into()))
                    .collect(),
            })
            .await
    }

    /// The model of the device that a read is for.
    fn model(&self, read: &Read) -> &Model {
        let of_device = self
            .behind
            .iter()
            .find(|behind| behind.device == read.device);
        of_device.map_or(&NO_TAGS, |behind| &behind.model)
    }
}

/// Stands for the model of a device that is not behind this link, of which no read speaks.
static NO_TAGS: Model = Model {
    every_ms: 0,
    tags: Vec::new(),
    state: None,
    codes: Vec::new(),
    rates: None,
};

/// The addresses of a read: `holding:17`, `holding:17..20`.
fn place(read: &Read) -> String {
    let (table, start) = (read.table.as_str(), read.start);
    match read.count {
        1 => format!("{table}:{start}"),
        count => format!(
            "{table}:{start}..{}",
            u32::from(start) + u32::from(count) - 1
        ),
    }
}

fn tags_of(reads: &[Read]) -> Vec<TagIndex> {
    reads
        .iter()
        .flat_map(|read| read.tags.iter().copied())
        .collect()
}

fn decoded(read: &Read, answer: &Answer, model: &Model) -> Round {
    let words = match answer {
        Answer::Registers(registers) => Words::Registers(registers),
        Answer::Bits(bits) => Words::Bits(bits),
    };
    let reading = |tag: &TagIndex| match &model.tags.get(usize::from(tag.0))?.source {
        Source::Modbus(point) => {
            let value = decode(point, words, read.start);
            Some((*tag, value.map_or_else(Reading::Bad, Reading::Good)))
        }
        Source::Message(_) | Source::Board(_) => None,
    };
    read.tags.iter().filter_map(reading).collect()
}
