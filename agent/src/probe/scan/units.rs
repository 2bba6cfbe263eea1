//! Finding the units of an endpoint: every unit id is asked, and whoever says anything is there.
//!
//! What makes this more than a loop are gateways. One that waits a second for a unit that is not
//! there answers nobody meanwhile, so with short deadlines the next units would seem to be missing
//! too. The first unit that says nothing is therefore given long, and when some unit is known it is
//! asked right after a silent one: if its answer is late, it had to wait for the gateway, and from
//! then on everybody is given as long as that.

use crate::field::Answer;
use crate::probe::span::Span;
use crate::probe::trouble::Trouble;
use crate::probe::wire::{Reply, Wire};
use andon_core::tag::Table;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// The tables in the order in which they are asked for: most devices have holding registers.
const TABLES: [Table; 4] = [Table::Holding, Table::Input, Table::Coil, Table::Discrete];

/// The codes with which a gateway says that it does not reach the unit (Modbus Application
/// Protocol 1.1b3, §7).
const GATEWAY: [u8; 2] = [0x0A, 0x0B];

/// How long gateways may wait for a unit.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(3);

/// An answer that took so many times the usual, and so much more, had to wait for something else.
const LATE_TIMES: u64 = 3;
const LATE_US: u64 = 50_000;

/// Pause before a unit that has lost a request is asked again.
const BREATH: Duration = Duration::from_millis(200);

/// A unit that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub id: u8,
    /// What it said to being asked for address 0 of each table.
    pub tables: Vec<(Table, Said)>,
    /// How long its fastest answer took, in microseconds.
    pub took_us: u64,
}

/// What a unit says to being asked for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// What is there: a register, or a bit as 0 or 1.
    Value(u16),
    /// An exception.
    Exception(u8),
    /// Nothing.
    Nothing,
    /// Something that is no answer.
    Nonsense,
}

impl Said {
    const fn is_answer(self) -> bool {
        matches!(self, Said::Value(_) | Said::Exception(_))
    }
}

/// The search for units.
#[derive(Debug)]
pub struct Search {
    /// Units that are there, in the order in which they were found.
    pub found: Vec<Unit>,
    /// Units to which a gateway has no way, by its own account.
    pub unreached: u32,
    /// How often something came that was no answer.
    pub noise: u32,
    /// Units that were asked.
    pub asked: BTreeSet<u8>,
    /// Units that said nothing, with the deadline that they were given.
    silent: Vec<(u8, Duration)>,
    /// Deadline of an answer.
    patience: Duration,
    /// Whether the deadline may be made longer.
    learns: bool,
}

/// What comes first from a unit.
enum First {
    Said(Table, Said, u64),
    Unreached,
    Nothing,
}

impl Search {
    /// A search with this deadline for each answer, which grows with what a gateway needs if
    /// `learns`.
    pub const fn new(patience: Duration, learns: bool) -> Search {
        Search {
            found: Vec::new(),
            unreached: 0,
            noise: 0,
            asked: BTreeSet::new(),
            silent: Vec::new(),
            patience,
            learns,
        }
    }

    /// Asks one unit.
    pub async fn ask(&mut self, wire: &mut Wire, id: u8) -> Result<(), Trouble> {
        wire.patience = self.patience;
        if self.learns && self.silent.is_empty() {
            wire.patience = self.patience.max(GATEWAY_PATIENCE);
        }
        self.asked.insert(id);
        match self.first(wire, id).await? {
            First::Said(table, said, took_us) => {
                let mut unit = Unit {
                    id,
                    tables: Vec::new(),
                    took_us,
                };
                unit.ask_rest(wire, (table, said)).await?;
                self.found.push(unit);
            }
            First::Unreached => self.unreached += 1,
            First::Nothing => self.silent.push((id, wire.patience)),
        }
        if self.learns {
            self.learn(wire).await?;
        }
        Ok(())
    }

    /// Units that said nothing, but were not given the time that is known by now to be needed.
    pub fn again(&self) -> Vec<u8> {
        let short = |(_, given): &&(u8, Duration)| *given < self.patience;
        self.silent
            .iter()
            .filter(short)
            .map(|(id, _)| *id)
            .collect()
    }

    async fn first(&mut self, wire: &mut Wire, id: u8) -> Result<First, Trouble> {
        for table in [Table::Holding, Table::Input] {
            let (said, took_us) = say(wire, id, table).await?;
            match said {
                Said::Nothing => {}
                Said::Nonsense => self.noise += 1,
                Said::Exception(code) if GATEWAY.contains(&code) => {
                    // It never takes longer to find out that there is nobody.
                    let longest = Duration::from_micros(took_us + LATE_US);
                    if self.learns {
                        self.patience = self.patience.max(longest);
                    }
                    return Ok(First::Unreached);
                }
                said => return Ok(First::Said(table, said, took_us)),
            }
        }
        Ok(First::Nothing)
    }

    /// Once there is a silent unit and one that answers: whether the silence of one keeps the
    /// other waiting.
    async fn learn(&mut self, wire: &mut Wire) -> Result<(), Trouble> {
        let (Some(known), Some(silent)) = (self.found.first(), self.silent.first()) else {
            return Ok(());
        };
        self.learns = false;
        let table = known.tables.iter().find(|(_, said)| said.is_answer());
        let table = table.map_or(Table::Holding, |(table, _)| *table);
        wire.patience = self.patience;
        say(wire, silent.0, Table::Holding).await?;
        wire.patience = GATEWAY_PATIENCE;
        let (said, took_us) = say(wire, known.id, table).await?;
        if !said.is_answer() || took_us > LATE_TIMES * known.took_us + LATE_US {
            self.patience += Duration::from_micros(took_us).min(GATEWAY_PATIENCE);
        }
        Ok(())
    }
}

impl Unit {
    /// Asks for the tables that are not known yet.
    async fn ask_rest(&mut self, wire: &mut Wire, known: (Table, Said)) -> Result<(), Trouble> {
        for table in TABLES {
            if table == known.0 {
                self.tables.push(known);
                continue;
            }
            let (mut said, mut took_us) = say(wire, self.id, table).await?;
            if !said.is_answer() {
                // It is there, so it may only have been asked too fast.
                sleep(BREATH).await;
                (said, took_us) = say(wire, self.id, table).await?;
            }
            self.tables.push((table, said));
            if said.is_answer() {
                self.took_us = self.took_us.min(took_us);
            }
        }
        Ok(())
    }
}

/// Asks a unit for address 0 of a table.
async fn say(wire: &mut Wire, unit: u8, table: Table) -> Result<(Said, u64), Trouble> {
    let span = Span {
        table,
        first: 0,
        last: 0,
    };
    let asked = wire.ask(unit, span).await?;
    let said = match asked.reply {
        Reply::Answer(answer) => Said::Value(first(&answer)),
        Reply::Exception(code) => Said::Exception(code),
        Reply::Silence => Said::Nothing,
        Reply::Nonsense(_) => Said::Nonsense,
    };
    Ok((said, asked.took_us))
}

fn first(answer: &Answer) -> u16 {
    match answer {
        Answer::Registers(words) => words.first().copied().unwrap_or(0),
        Answer::Bits(bits) => bits.first().copied().map_or(0, u16::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::wire::Asked;

    const SHORT: Duration = Duration::from_millis(300);
    const FAST_US: u64 = 2_000;

    /// Everything that was found by asking units 1 to 20 of a line that answers as told.
    async fn searched(answer: impl FnMut(u8, Span, Duration) -> Asked + 'static) -> Search {
        let mut wire = Wire::told(answer);
        let mut search = Search::new(SHORT, true);
        for id in 1..=20 {
            search.ask(&mut wire, id).await.expect("a connection");
        }
        for id in search.again() {
            search.ask(&mut wire, id).await.expect("a connection");
        }
        search
    }

    fn ids(search: &Search) -> Vec<u8> {
        search.found.iter().map(|unit| unit.id).collect()
    }

    fn asked(reply: Reply, took_us: u64) -> Asked {
        Asked { reply, took_us }
    }

    fn silence(patience: Duration) -> Asked {
        asked(Reply::Silence, patience.as_micros() as u64)
    }

    #[tokio::test]
    async fn whoever_says_anything_is_there() {
        let search = searched(|unit, span, patience| match (unit, span.table) {
            (3, Table::Holding) => asked(Reply::Answer(Answer::Registers(vec![42])), FAST_US),
            (3, _) => asked(Reply::Exception(1), FAST_US / 2),
            (17, Table::Input) => asked(Reply::Exception(2), FAST_US),
            _ => silence(patience),
        })
        .await;
        assert_eq!(ids(&search), [3, 17]);
        let [three, seventeen] = &search.found[..] else {
            panic!("two units");
        };
        assert_eq!(three.tables[0], (Table::Holding, Said::Value(42)));
        assert_eq!(three.tables[2], (Table::Coil, Said::Exception(1)));
        assert_eq!(three.took_us, FAST_US / 2);
        assert_eq!(seventeen.tables[0], (Table::Holding, Said::Nothing));
        assert_eq!(seventeen.tables[1], (Table::Input, Said::Exception(2)));
    }

    #[tokio::test]
    async fn a_gateway_that_says_so_is_not_taken_for_its_units() {
        let search = searched(|unit, _, patience| match unit {
            9 => asked(Reply::Answer(Answer::Registers(vec![1])), FAST_US),
            // It finds out after 1.5 s, which is longer than anybody waits.
            _ if patience > Duration::from_millis(1500) => asked(Reply::Exception(0x0B), 1_500_000),
            _ => silence(patience),
        })
        .await;
        assert_eq!((ids(&search), search.unreached), (vec![9], 19));
        assert!(search.patience > Duration::from_millis(1500));
    }

    /// A gateway that works off one request after the other, waits 1 s for units that are not
    /// there, and says nothing about them.
    #[tokio::test]
    async fn units_behind_a_gateway_that_waits_in_silence_are_not_missed() {
        let mut busy_us = 0_u64;
        let search = searched(move |unit, _, patience| {
            let patience_us = patience.as_micros() as u64;
            let is_there = matches!(unit, 2 | 6 | 7);
            let needs_us = busy_us + if is_there { FAST_US } else { 1_000_000 };
            let took_us = needs_us.min(patience_us);
            busy_us = needs_us - took_us;
            match is_there && needs_us <= patience_us {
                true => asked(Reply::Answer(Answer::Registers(vec![0])), took_us),
                false => asked(Reply::Silence, took_us),
            }
        })
        .await;
        let mut found = ids(&search);
        found.sort_unstable();
        assert_eq!(found, [2, 6, 7]);
    }
}
