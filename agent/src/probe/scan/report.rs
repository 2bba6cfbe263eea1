//! What a scan came to, as text, as JSON and as configuration to paste.

use super::units::{Said, Unit};
use crate::probe::address::{Form, parity_name};
use crate::probe::report::milliseconds;
use crate::probe::trouble::short_meaning;
use andon_core::tag::Table;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a scan came to.
#[derive(Debug)]
pub struct Report {
    /// Where, for people.
    pub place: String,
    /// The link's id.
    pub link: String,
    /// The link as `andon probe` takes it.
    pub probe: String,
    /// The `[[link]]` to paste, if the configuration has none yet.
    pub link_section: Option<String>,
    /// Units that are there, by id, with the line settings at which they answer on a serial port.
    pub lines: Vec<(Option<Form>, Vec<Unit>)>,
    /// How many line settings were tried; 1 where there are none.
    pub tried: usize,
    /// Unit ids that were to be asked, and how many of them were.
    pub wanted: usize,
    /// How many of them were asked before somebody ended it.
    pub asked: usize,
    /// Units to which a gateway has no way.
    pub unreached: u32,
    /// What people should know besides.
    pub notes: Vec<String>,
}

/// So many units that all say the same are one device that does not look at the unit id.
const ONE_DEVICE: usize = 20;

impl Report {
    fn units(&self) -> &[Unit] {
        self.lines.first().map_or(&[], |(_, units)| units)
    }

    /// Whether every unit id is answered, and in the same way.
    fn is_one_device(&self) -> bool {
        let same = |pair: &[Unit]| pair[0].tables == pair[1].tables;
        let units = self.units();
        units.len() >= ONE_DEVICE && units.len() == self.asked && units.windows(2).all(same)
    }

    /// The units that are proposed.
    fn proposed(&self) -> &[Unit] {
        let units = self.units();
        &units[..if self.is_one_device() { 1 } else { units.len() }]
    }

    /// Everything, for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        if self.lines.is_empty() {
            let _ = writeln!(text, "Units at {}", self.place);
        }
        for (form, units) in &self.lines {
            let at = form.map_or(String::new(), |form| format!(", {}", form.shown()));
            let _ = writeln!(
                text,
                "Units at {}{at}\n\n  unit  {:>9}  {:<22}{:<22}{:<14}discrete",
                self.place, "answer in", "holding", "input", "coil"
            );
            let most = if self.is_one_device() { 1 } else { units.len() };
            for unit in &units[..most] {
                let _ = writeln!(text, "{}", line(unit));
            }
        }
        let _ = writeln!(text, "\n{}", self.count());
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        if !self.lines.is_empty() {
            let _ = write!(text, "\nTo paste into the configuration\n\n{}", self.toml());
        }
        text
    }

    fn count(&self) -> String {
        if self.is_one_device() {
            return format!(
                "All of {} unit ids are answered alike: this is one device that does not look at \
                 the unit id.",
                self.asked
            );
        }
        let mut text = format!("{} of {} units answer", self.units().len(), self.asked);
        if self.lines.is_empty() && self.tried > 1 {
            let _ = write!(text, ", at {} line settings", self.tried);
        }
        if self.unreached > 0 {
            let _ = write!(text, ", the gateway has no way to {}", self.unreached);
        }
        if self.asked < self.wanted {
            let _ = write!(
                text,
                "; ended before the other {} were asked",
                self.wanted - self.asked
            );
        }
        text.push('.');
        text
    }

    /// `[[link]]`, and a `[[device]]` for each unit.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        if let Some(link) = &self.link_section {
            text.push_str(link);
            text.push('\n');
        }
        for unit in self.proposed() {
            text.push_str(&self.device(unit));
        }
        text
    }

    /// The `[[device]]` of a unit with what is at address 0; a comment if nothing is there, because
    /// a device without a tag would be a mistake.
    fn device(&self, unit: &Unit) -> String {
        let value = |(table, said): &(Table, Said)| has_value(*said).then(|| tag(*table));
        let tags: Vec<String> = unit.tables.iter().filter_map(value).collect();
        let (comment, tags) = match tags.as_slice() {
            [] => ("# ", "...".into()),
            tags => ("", tags.join(", ")),
        };
        let says = |is: fn(Said) -> bool| unit.tables.iter().find(|(_, said)| is(*said));
        let there = says(has_value).or_else(|| says(is_there));
        let table = there.map_or(Table::Holding, |(table, _)| *table);
        let (id, link, probe) = (unit.id, &self.link, &self.probe);
        format!(
            "# to see what it has: andon probe {probe} --unit {id} --at {}:0..99\n\
             {comment}[[device]]\n\
             {comment}id = \"unit-{id}\"\n\
             {comment}link = \"{link}\"\n\
             {comment}unit = {id}\n\
             {comment}tags = {{ {tags} }}\n\n",
            table.as_str()
        )
    }

    /// Everything, for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "place": self.place,
            "link": self.link,
            "wanted": self.wanted,
            "asked": self.asked,
            "unreached": self.unreached,
            "one_device": self.is_one_device(),
            "notes": self.notes,
            "tried": self.tried,
            "units": self.lines.iter().flat_map(|(form, units)| {
                units.iter().map(|unit| of_json(*form, unit))
            }).collect::<Vec<_>>(),
            "toml": self.toml(),
        })
    }
}

fn of_json(form: Option<Form>, unit: &Unit) -> Value {
    let mut object = json!({ "unit": unit.id, "answer_us": unit.took_us });
    if let Some(form) = form {
        object["baud"] = form.baud.into();
        object["parity"] = parity_name(form.parity).into();
        object["stop_bits"] = form.stop_bits.into();
    }
    for (table, said) in &unit.tables {
        object[table.as_str()] = match said {
            Said::Value(value) => json!({ "value": value }),
            Said::Exception(code) => json!({ "exception": code }),
            Said::Nothing | Said::Nonsense => Value::Null,
        };
    }
    object
}

fn line(unit: &Unit) -> String {
    let said = |table: Table| {
        let mut tables = unit.tables.iter();
        let of = tables.find(|(known, _)| *known == table);
        of.map_or(String::new(), |(_, said)| words(*said))
    };
    let line = format!(
        "  {:>4}  {:>9}  {:<22}{:<22}{:<14}{}",
        unit.id,
        milliseconds(unit.took_us),
        said(Table::Holding),
        said(Table::Input),
        said(Table::Coil),
        said(Table::Discrete),
    );
    line.trim_end().to_owned()
}

/// What a unit says about address 0 of a table.
fn words(said: Said) -> String {
    match said {
        Said::Value(value) => format!("0 is {value}"),
        Said::Exception(code) => short_meaning(code),
        Said::Nothing | Said::Nonsense => "-".into(),
    }
}

const fn has_value(said: Said) -> bool {
    matches!(said, Said::Value(_))
}

/// Whether the table may be there.
const fn is_there(said: Said) -> bool {
    matches!(said, Said::Value(_) | Said::Exception(2..=4))
}

fn tag(table: Table) -> String {
    let (name, kind) = match table {
        Table::Coil => ("c0", "bool"),
        Table::Discrete => ("d0", "bool"),
        Table::Holding => ("r0", "u16"),
        Table::Input => ("i0", "u16"),
    };
    format!(
        "{name} = {{ at = \"{}:0\", type = \"{kind}\" }}",
        table.as_str()
    )
}
