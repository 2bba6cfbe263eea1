//! From the file that was named to all files it names: `include` and `devices_csv` are followed,
//! and profiles that only the agent has are added.

use super::csv;
use super::glob::glob_matches;
use super::report::Finding;
use super::shipped;
use super::sources::Sources;
use super::syntax;
use super::tree;
use super::values;
use super::walk::{Findings, Item, Section};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// Larger files are not configurations.
const LARGEST: u64 = 4 << 20;

/// Nor are so large or so many files together.
const LARGEST_TOGETHER: usize = 16 << 20;
const MOST_FILES: usize = 1000;

static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) sources: Sources,
    pub(super) contents: Vec<Content>,
    /// CRC-32 of the bytes of all files, in the order in which they were read.
    pub(super) crc: u32,
}

/// One file.
#[derive(Debug)]
pub(super) struct Content {
    /// Where its first byte stands.
    pub(super) start: usize,
    pub(super) kind: Kind,
}

/// What a file is, with its text past every mistake.
#[derive(Debug)]
pub(super) enum Kind {
    Main(String),
    Included(String),
    Csv(csv::Table),
    Shipped(&'static str),
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    let unreadable = |error: std::io::Error| {
        let finding = Finding::of_file(format!("cannot be read: {error}"));
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                finding.hint("name a file: `andon check FILE`, `andon run --config FILE`")
            }
            _ => finding,
        }
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    if read.map_err(unreadable)? as u64 > LARGEST {
        return Err(Finding::of_file(
            "larger than 4 MiB: this is not a configuration",
        ));
    }
    Ok(bytes)
}

impl Files {
    /// Reads what a file names; `base` is the folder that paths count from.
    pub(super) fn gather(bytes: &[u8], name: &str, base: &Path, out: &Findings) -> Files {
        let mut gathering = Gathering {
            files: Files {
                sources: Sources::default(),
                contents: Vec::new(),
                crc: 0,
            },
            digest: CRC.digest(),
            seen: fs::canonicalize(name).into_iter().collect(),
            bytes: 0,
            base,
            out,
        };
        gathering.add_toml(bytes, name.to_owned(), Kind::Main);
        let included = gathering.included();
        gathering.add_tables(0);
        for (path, named) in included {
            let at = gathering.files.contents.len();
            if let Some(bytes) = gathering.open(&path, &named, Findings::lose_definitions) {
                gathering.add_toml(&bytes, path.display().to_string(), Kind::Included);
                gathering.add_tables(at);
            }
        }
        for (name, text) in gathering.files.wanted_profiles(out) {
            let name = format!("profile {name} of Andon");
            let found = Findings::default();
            gathering.add(text.as_bytes(), name, text, Kind::Shipped(text), found);
        }
        Files {
            crc: gathering.digest.finalize(),
            ..gathering.files
        }
    }

    /// The profiles that devices want and no file has.
    fn wanted_profiles(&self, out: &Findings) -> Vec<(&'static str, &'static str)> {
        let mut wanted = BTreeSet::new();
        let mut defined = BTreeSet::new();
        for content in &self.contents {
            let table = match &content.kind {
                Kind::Main(text) | Kind::Included(text) => tree::parsed(text, 0),
                Kind::Csv(rows) => rows.devices(&Findings::default()),
                Kind::Shipped(_) => continue,
            };
            let texts = |key: &str, of: &str| -> Vec<String> {
                tree::tables(&table, key)
                    .filter_map(|(table, _)| Some(tree::text_of(table, of)?.0.to_owned()))
                    .collect()
            };
            wanted.extend(texts("device", "profile"));
            defined.extend(texts("profile", "id"));
        }
        shipped::PROFILES
            .into_iter()
            .filter(|(name, _)| {
                wanted.contains(*name) && !defined.contains(*name) && !out.is_definition_lost(name)
            })
            .collect()
    }
}

/// While files are read.
struct Gathering<'a> {
    files: Files,
    digest: crc::Digest<'static, u32>,
    /// No file is read twice.
    seen: BTreeSet<PathBuf>,
    bytes: usize,
    base: &'a Path,
    out: &'a Findings,
}

impl Gathering<'_> {
    fn add_toml(&mut self, bytes: &[u8], name: String, kind: fn(String) -> Kind) {
        let found = Findings::default();
        let text = syntax::decode(bytes, &found);
        let repaired = syntax::repair(&text, &found);
        self.add(bytes, name, &text, kind(repaired), found);
    }

    /// The tables of devices that a file names.
    fn add_tables(&mut self, content: usize) {
        for (file, named) in self.named(content, "devices_csv") {
            let path = self.base.join(file);
            let Some(bytes) = self.open(&path, &named, Findings::lose_devices) else {
                continue;
            };
            let found = Findings::default();
            let (text, is_good) = csv::decode(&bytes, &found);
            let table = is_good.then(|| csv::read(&text, &found)).flatten();
            let start = self.files.sources.text().len();
            match table.map(|table| table.shifted(start)) {
                Some(table) => {
                    let cells = table.cells();
                    let name = path.display().to_string();
                    self.add(&bytes, name, &text, Kind::Csv(table), found);
                    self.files.sources.name_cells(cells);
                }
                None => {
                    found.lose_devices();
                    let empty = Kind::Included(String::new());
                    self.add(&bytes, path.display().to_string(), &text, empty, found);
                }
            }
        }
    }

    fn add(&mut self, bytes: &[u8], name: String, text: &str, kind: Kind, found: Findings) {
        self.digest.update(bytes);
        let start = self.files.sources.add(name, text);
        self.out.absorb(found, start, self.files.contents.len());
        self.files.contents.push(Content { start, kind });
    }

    /// The files that `include` names, by name, with the place where each is named.
    fn included(&mut self) -> Vec<(PathBuf, Range<usize>)> {
        let mut included = Vec::new();
        for (pattern, named) in self.named(0, "include") {
            if pattern.contains('*') {
                let paths = matching(&self.base.join(&pattern));
                if paths.is_empty() {
                    self.out.warn(
                        Finding::at(named.clone(), format!("no file matches `{pattern}`"))
                            .hint("it counts from the folder of this file"),
                    );
                }
                // A pattern may well match what is read already.
                let seen = |path: &PathBuf| {
                    fs::canonicalize(path).is_ok_and(|path| self.seen.contains(&path))
                };
                let new = paths.into_iter().filter(|path| !seen(path));
                included.extend(new.map(|path| (path, named.clone())));
            } else {
                included.push((self.base.join(pattern), named));
            }
        }
        included
    }

    /// The texts of a key that is a text or a list of them.
    fn named(&self, content: usize, key: &'static str) -> Vec<(String, Range<usize>)> {
        let Some(content) = self.files.contents.get(content) else {
            return Vec::new();
        };
        let (Kind::Main(text) | Kind::Included(text)) = &content.kind else {
            return Vec::new();
        };
        let table = tree::parsed(text, content.start);
        let mut section = Section::new(String::new(), 0..0, &table, self.out);
        let Some(item) = section.take(key) else {
            return Vec::new();
        };
        let items = match item.value {
            DeValue::String(_) => vec![item],
            _ => item
                .elements("the name of a file, or a list of them")
                .unwrap_or_default(),
        };
        let name = |item: Item<'_>| Some((path(&item)?, item.span));
        items.into_iter().filter_map(name).collect()
    }

    /// The bytes of a file that is named somewhere; none if it cannot be had, which is told, and
    /// with it something is lost.
    fn open(&mut self, path: &Path, named: &Range<usize>, lose: fn(&Findings)) -> Option<Vec<u8>> {
        let shown = path.display();
        let wrong = |what: String, hint: &str| {
            self.out
                .mistake(Finding::at(named.clone(), what).hint(hint));
            lose(self.out);
            None
        };
        let there = fs::canonicalize(path).ok();
        if let Some(there) = there.filter(|there| !self.seen.insert(there.clone())) {
            // The file that was named is the only one that is a mistake to name again.
            let is_main = fs::canonicalize(self.files.sources.name(0)).is_ok_and(|p| p == there);
            if is_main {
                return wrong("a file cannot include itself".into(), "leave it out");
            }
            return None;
        }
        // Nothing else ends: a pipe would be waited for.
        if path.exists() && !path.is_file() {
            return wrong(format!("`{shown}` is not a file"), "name a file");
        }
        match read(path) {
            Ok(bytes) if self.bytes + bytes.len() > LARGEST_TOGETHER => wrong(
                format!("`{shown}` makes these files larger than 16 MiB together"),
                "this is not a configuration any more",
            ),
            Ok(_) if self.files.contents.len() >= MOST_FILES => wrong(
                format!("`{shown}` is one file too many"),
                "at most 1000 files make up a configuration",
            ),
            Ok(bytes) => {
                self.bytes += bytes.len();
                Some(bytes)
            }
            Err(finding) => wrong(
                format!("`{shown}` {}", finding.what),
                "it counts from the folder of this configuration",
            ),
        }
    }
}

/// The name of a file; a `*` may stand for a part of its last name.
fn path(item: &Item<'_>) -> Option<String> {
    let text = values::text(item)?;
    let folder = text.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder.contains('*') || (item.key == "devices_csv" && text.contains('*')) {
        return item.wrong(
            format!("`{text}` has a `*` where none can be"),
            "a `*` stands for a part of a file's name, in `include`: \"conf.d/*.toml\"",
        );
    }
    if text.contains('\0') {
        return item.wrong(
            "this is no name of a file",
            "write a name such as \"devices.csv\"",
        );
    }
    Some(text.to_owned())
}

/// The files whose name matches, in the order of their names; hidden ones are not meant.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let file = entry.file_name();
            let file = file.to_str().filter(|file| !file.starts_with('.'))?;
            let path = pattern.with_file_name(file);
            (glob_matches(&name, file) && path.is_file()).then_some(path)
        })
        .collect();
    paths.sort();
    paths
}
