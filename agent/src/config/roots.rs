//! The tables of all files, made ready to be walked: `each` is written out, and addresses in devices
//! become links. After this nothing knows of files any more.

use super::addresses;
use super::each;
use super::files::{Files, Kind};
use super::report::Finding;
use super::tree;
use super::walk::{Findings, Section, Written};
use std::ops::Range;
use toml::de::DeTable;

/// What an included file may have.
const INCLUDED: [&str; 5] = ["profile", "link", "device", "alarm", "devices_csv"];

/// What only the file that was named may have.
const ONLY_MAIN: [&str; 13] = [
    "include", "gateway", "upstream", "shift", "calendar", "http", "board", "horn", "sms",
    "webhook", "mail", "gpio", "push",
];

/// The tables of all files.
#[derive(Debug)]
pub(super) struct Roots<'f> {
    main: DeTable<'f>,
    others: Vec<Root<'f>>,
    shipped: Vec<Root<'f>>,
}

/// The table of a file that is not the one that was named.
#[derive(Debug)]
struct Root<'f> {
    file: usize,
    span: Range<usize>,
    name: &'static str,
    written: Written<'f>,
    table: DeTable<'f>,
}

impl<'f> Roots<'f> {
    /// Of all that was read.
    pub(super) fn new(files: &'f Files, out: &Findings) -> Roots<'f> {
        let mut roots = Roots {
            main: DeTable::new(),
            others: Vec::new(),
            shipped: Vec::new(),
        };
        for (file, content) in files.contents.iter().enumerate() {
            let root = |name, table| Root {
                file,
                span: content.start..content.start + files.sources.text_of(file).len(),
                name,
                written: Written::Plainly,
                table,
            };
            match &content.kind {
                Kind::Main(text) => roots.main = tree::parsed(text, 0),
                Kind::Included(text) => {
                    let table = tree::parsed(text, content.start);
                    roots.others.push(root("an included file", table));
                }
                Kind::Csv(rows) => roots.others.push(Root {
                    written: Written::InRow(&rows.header),
                    ..root("this table", rows.devices(out))
                }),
                Kind::Shipped(text) => {
                    let table = tree::parsed(text, content.start);
                    roots.shipped.push(root("a profile of Andon", table));
                }
            }
        }
        let main_name = files.sources.name(0);
        for root in &mut roots.others {
            refuse_main_keys(&mut root.table, &roots.main, main_name, out);
        }
        let others = roots.others.iter_mut().map(|root| &mut root.table);
        let mut tables: Vec<&mut DeTable<'_>> =
            std::iter::once(&mut roots.main).chain(others).collect();
        let mut spent = 0;
        for root in &mut tables {
            each::expand(root, files.sources.text(), &mut spent, out);
        }
        addresses::make_links(&mut tables, out);
        roots
    }

    /// The file that was named, to be walked.
    pub(super) fn main<'t>(&'t self, out: &'t Findings) -> Section<'t> {
        Section::new("the file".into(), 0..0, &self.main, out)
    }

    /// The files it names, to be walked.
    pub(super) fn others<'t>(&'t self, out: &'t Findings) -> Vec<Section<'t>> {
        self.others.iter().map(|root| root.section(out)).collect()
    }

    /// The profiles taken from the agent, to be walked; each section is a whole file.
    pub(super) fn shipped<'t>(&'t self, out: &'t Findings) -> Vec<Section<'t>> {
        self.shipped.iter().map(|root| root.section(out)).collect()
    }

    /// Each file with its number of devices.
    pub(super) fn devices(&self) -> impl Iterator<Item = (usize, usize)> {
        let others = self.others.iter().map(|root| (root.file, &root.table));
        std::iter::once((0, &self.main))
            .chain(others)
            .map(|(file, table)| (file, tree::tables(table, "device").count()))
    }
}

impl<'f> Root<'f> {
    fn section<'t>(&'t self, out: &'t Findings) -> Section<'t> {
        let name = self.name.to_owned();
        Section::new(name, self.span.clone(), &self.table, out).written(self.written)
    }
}

/// Tells of sections that stand in the wrong file, and takes them out.
fn refuse_main_keys(table: &mut DeTable<'_>, main: &DeTable<'_>, main_name: &str, out: &Findings) {
    for key in ONLY_MAIN {
        let Some((name, _)) = table.remove_entry(key) else {
            continue;
        };
        let allowed = format!("an included file has only {}", INCLUDED.join(", "));
        out.mistake(match main.get_key_value(key) {
            _ if key == "include" => {
                Finding::at(name.span(), "an included file does not include others")
                    .hint(format!("name them in `include` of {main_name}"))
            }
            Some((first, _)) => Finding::at(name.span(), format!("there are two `{key}`"))
                .hint(format!("leave this one out: {allowed}"))
                .also(first.span(), "the first"),
            None => Finding::at(name.span(), format!("`{key}` stands in the wrong file"))
                .hint(format!("move it to {main_name}: {allowed}")),
        });
    }
}
