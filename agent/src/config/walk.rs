//! Walking a TOML table: what is asked for is known, what is left over is a mistake.
//!
//! Everything here goes on after a mistake.

pub(super) use super::findings::Findings;

use super::nearest::nearest;
use super::report::Finding;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Something with its place in the file.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// How a section was written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    /// As TOML.
    Plainly,
    /// As TOML with placeholders, which makes every value of them a text.
    WithPlaceholders,
    /// As a row of a table; every value is a text.
    InRow(&'a Header),
}

/// The first row of a table.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) span: Range<usize>,
    pub(super) columns: Vec<String>,
}

/// One value of a file, with the key it stands behind.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    pub(super) key: &'a str,
    pub(super) key_span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
    pub(super) out: &'a Findings,
    written: Written<'a>,
}

impl<'a> Item<'a> {
    /// The text of a value that may be a text although it is a number or a truth.
    pub(super) fn loose_text(&self) -> Option<&'a str> {
        match (self.written, self.value) {
            (Written::Plainly, _) => None,
            (_, DeValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Reports that the value is of another type, and is nothing.
    pub(super) fn expected<T>(&self, what: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time without quotes",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(
            format!("`{}` is {found}", self.key),
            format!("write {what}"),
        )
    }

    /// Reports what is wrong with the value, and is nothing.
    pub(super) fn wrong<T>(&self, what: impl Into<String>, hint: impl Into<String>) -> Option<T> {
        self.out
            .mistake(Finding::at(self.span.clone(), what).hint(hint));
        None
    }

    /// The elements of a list, each as an item of its own.
    pub(super) fn elements(&self, what: &str) -> Option<Vec<Item<'a>>> {
        let DeValue::Array(array) = self.value else {
            return self.expected(what);
        };
        let elements = array.iter().map(|element| Item {
            value: element.get_ref(),
            span: element.span(),
            ..self.clone()
        });
        Some(elements.collect())
    }

    /// The table it is.
    pub(super) fn section(&self, what: &str) -> Option<Section<'a>> {
        match self.value {
            DeValue::Table(table) => Some(Section {
                written: self.written,
                ..Section::new(
                    format!("`{}`", self.key),
                    self.span.clone(),
                    table,
                    self.out,
                )
            }),
            _ => self.expected(what),
        }
    }
}

/// One table of the file while it is read.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// For messages: `[gateway]`, `[[device]]`.
    name: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    later: &'static [&'static str],
    missing: Vec<(&'static str, &'static str)>,
    written: Written<'a>,
    out: &'a Findings,
}

/// Keys that somebody may try; the only right way to give a secret is a file.
const SECRETS: [&str; 6] = ["password", "passwd", "secret", "token", "pin", "psk"];

/// Keys by which other programs stop looking at certificates; here there is none for that.
const UNVERIFIED: [&str; 12] = [
    "insecure",
    "tls_insecure",
    "insecure_skip_verify",
    "insecure_tls",
    "skip_verify",
    "tls_skip_verify",
    "verify",
    "verify_ssl",
    "verify_tls",
    "tls_verify",
    "verify_certificate",
    "allow_self_signed",
];

pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

impl<'a> Section<'a> {
    pub(super) fn new(
        name: String,
        span: Range<usize>,
        table: &'a DeTable<'a>,
        out: &'a Findings,
    ) -> Section<'a> {
        Section {
            name,
            span,
            table,
            known: Vec::new(),
            later: &[],
            missing: Vec::new(),
            written: Written::Plainly,
            out,
        }
    }

    /// The same, written otherwise.
    pub(super) fn written(mut self, written: Written<'a>) -> Section<'a> {
        self.written = written;
        self
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn out(&self) -> &'a Findings {
        self.out
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.written, Written::Plainly)
    }

    /// Keys of the contract that this version does not have.
    pub(super) fn later(mut self, keys: &'static [&'static str]) -> Section<'a> {
        self.later = keys;
        self
    }

    /// Where the value of a key stands, if anywhere.
    pub(super) fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.table.get(key).map(|value| value.span())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of a key, without asking for it.
    pub(super) fn peek(&self, key: &str) -> Option<Item<'a>> {
        let (name, value) = self.table.get_key_value(key)?;
        Some(Item {
            key: name.get_ref(),
            key_span: name.span(),
            value: value.get_ref(),
            span: value.span(),
            out: self.out,
            written: self.written,
        })
    }

    /// Whether the key stands here, but in a line that could not be read.
    pub(super) fn has_blanked(&self, key: &str) -> bool {
        self.out.is_blanked(self.span.start, key)
    }

    /// The value of a key that may be there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.peek(key)
    }

    /// The value of a key that may be there, parsed; none also if it is wrong, which is reported.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<T> {
        parse(&self.take(key)?)
    }

    /// Like [`Section::read`], with the place of the value.
    pub(super) fn place<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<At<T>> {
        let item = self.take(key)?;
        Some(At {
            value: parse(&item)?,
            span: item.span,
        })
    }

    /// Like [`Section::place`]; that the key is missing is a mistake. `example` is a whole line.
    pub(super) fn need<T>(
        &mut self,
        key: &'static str,
        example: &'static str,
        parse: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<At<T>> {
        if !self.table.contains_key(key) {
            self.missing.push((key, example));
        }
        self.place(key, parse)
    }

    /// The table `[key]`, if there.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let item = self.take(key)?;
        match item.value {
            DeValue::Table(table) => {
                Some(Section::new(format!("[{key}]"), item.span, table, self.out))
            }
            DeValue::Array(_) => item.wrong(
                format!("there is only one `{key}`"),
                format!("write `[{key}]` with single brackets, once"),
            ),
            _ => item.expected(&format!("a section `[{key}]`")),
        }
    }

    /// The tables `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let Some(item) = self.take(key) else {
            return Vec::new();
        };
        let hint = format!("sections `[[{key}]]`, with double brackets");
        let elements = match item.value {
            DeValue::Table(_) => item.wrong(
                format!("`{key}` may be there several times"),
                format!("write `[[{key}]]` with double brackets"),
            ),
            _ => item.elements(&hint),
        };
        let parent = self
            .name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let name = match parent {
            Some(parent) => format!("[[{parent}.{key}]]"),
            None => format!("[[{key}]]"),
        };
        let tables = elements.unwrap_or_default().into_iter().filter_map(|item| {
            let section = item.section(&hint)?;
            let name = match self.written {
                Written::InRow(_) => "this row".to_owned(),
                _ => name.clone(),
            };
            Some(Section { name, ..section })
        });
        tables.collect()
    }

    /// The tables `[[key]]`, or the one table `[key]` that stands for one of them.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Vec<Section<'a>> {
        match self.peek(key).map(|item| item.value) {
            Some(DeValue::Table(_)) => self.section(key).into_iter().collect(),
            _ => self.sections(key),
        }
    }

    /// Everything in a table whose keys are the user's, in the order of the file.
    pub(super) fn entries(&self) -> Vec<Item<'a>> {
        let mut entries: Vec<Item<'a>> = self
            .table
            .iter()
            .map(|(key, value)| Item {
                key: key.get_ref(),
                key_span: key.span(),
                value: value.get_ref(),
                span: value.span(),
                out: self.out,
                written: self.written,
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        entries
    }

    /// Where to show that all these keys are missing: in the row of a table or, if it has none of
    /// the columns, in its header.
    pub(super) fn place_of_missing(&self, keys: &[&str]) -> Range<usize> {
        let has = |header: &Header| header.columns.iter().any(|name| keys.contains(&&**name));
        match self.written {
            Written::InRow(header) if !has(header) => header.span.clone(),
            _ => self.span.clone(),
        }
    }

    /// Reports the keys nobody asked for and those that are missing; a misspelt key is one
    /// mistake, not two.
    pub(super) fn finish(self) {
        let mut misspelt = Vec::new();
        for entry in self.entries() {
            if !self.known.contains(&entry.key) {
                misspelt.extend(self.unknown(&entry));
            }
        }
        for &(key, example) in &self.missing {
            if !misspelt.contains(&key) && !self.has_blanked(key) {
                let what = format!("{} has no `{key}`", self.name);
                let finding = Finding::at(self.place_of_missing(&[key]), what);
                self.out.mistake(finding.hint(match self.written {
                    Written::InRow(_) => format!("write it into the column `{key}`"),
                    _ => format!("add `{example}`"),
                }));
            }
        }
    }

    /// Reports one unknown key; the key that was meant, if that is clear.
    fn unknown(&self, entry: &Item<'_>) -> Option<&'static str> {
        let key = entry.key;
        if is_secret(key) {
            let finding = Finding::at(
                entry.key_span.clone(),
                format!("`{key}`: secrets are never in this file"),
            );
            self.out.hide(entry.span.clone());
            let own = format!("{key}_file");
            let file = self.known.iter().find(|known| known.ends_with(&own));
            let file = file.unwrap_or(&"password_file");
            self.out.mistake(finding.hint(format!(
                "put it alone into a file only the agent can read, and write `{file} = \"FILE\"`"
            )));
            return None;
        }
        if UNVERIFIED.contains(&key) {
            let what = format!("`{key}`: certificates are always verified");
            self.out
                .mistake(Finding::at(entry.key_span.clone(), what).hint(
                "leave it out, and name the authority in `ca_file`: of a server that is its own \
                 authority, that is its certificate",
            ));
            return None;
        }
        if self.later.contains(&key) {
            let finding = Finding::at(
                entry.key_span.clone(),
                format!("`{key}` is not in this version"),
            );
            self.out
                .mistake(finding.hint("leave it out, and write what it stands for in full"));
            return None;
        }
        let meant = nearest(key, self.known.iter().copied());
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", self.known.join(", ")),
        };
        let what = format!("{} knows no key `{key}`", self.name);
        self.out
            .mistake(Finding::at(entry.key_span.clone(), what).hint(hint));
        meant
    }
}
