//! The files of `tests/maps/`.
//!
//! A row of `[values]` is a tag as in a configuration, and besides `words`, what its registers hold
//! (1 or 0 for a coil or discrete input), and `is`, the value that was published for them, or `bad`,
//! the reason why there is none. `within` is the tolerance that was published with a value. Where the
//! file is that of a `profile`, the tag is in the profile and the row repeats only its address;
//! `state` is what the profile's mapping makes of the registers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a row says besides the keys of a tag.
const OURS: [&str; 4] = ["words", "is", "bad", "within"];

/// One file.
pub struct Map {
    /// Its name without the ending.
    pub name: String,
    /// The profile that it is the map of.
    pub profile: Option<String>,
    /// The state that the profile makes of its registers, if it has any.
    pub state: Option<String>,
    /// Its rows by the names of their tags.
    pub rows: BTreeMap<String, Row>,
}

/// One tag with its registers and its value.
pub struct Row {
    /// Table and address, `holding:10`.
    pub at: String,
    /// The tag as it stands in the file, without what is not of a configuration.
    pub tag: String,
    /// What its registers hold.
    pub words: Vec<u16>,
    /// What its value must be.
    pub expected: Expected,
    /// How far off it may be; 0 for as near as floats come.
    pub within: f64,
}

/// What a value must be.
#[derive(Debug, PartialEq)]
pub enum Expected {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bad(String),
}

/// Every map, in the order of their names.
pub fn all() -> Vec<Map> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/maps");
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| Map::read(file)).collect()
}

/// The folder of the profiles that come with the agent.
pub fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/profiles")
}

/// The name of a file without its ending.
pub fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

impl Map {
    fn read(file: &Path) -> Map {
        let name = stem(file);
        let text = fs::read_to_string(file).unwrap();
        let table = DeTable::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut table = table.into_inner();
        let says = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
        for key in ["source", "expectations"] {
            assert!(says(key).is_some(), "{name} has no `{key}`");
        }
        let [profile, state] = ["profile", "state"].map(|key| says(key).map(str::to_owned));
        let Some(DeValue::Table(values)) = table.remove("values").map(Spanned::into_inner) else {
            panic!("{name} has no [values]");
        };
        let row = |(tag, row): (Spanned<Cow<'_, str>>, Spanned<DeValue<'_>>)| {
            let tag = tag.into_inner().into_owned();
            let DeValue::Table(row) = row.into_inner() else {
                panic!("{name}: {tag} is no table");
            };
            let row = Row::of(&row, &text).unwrap_or_else(|| panic!("{name}: {tag} is no row"));
            (tag, row)
        };
        let rows = values.into_iter().map(row).collect();
        Map {
            name,
            profile,
            state,
            rows,
        }
    }

    /// What the addresses of each table hold. Rows that share registers must agree.
    pub fn image(&self) -> BTreeMap<&str, BTreeMap<u16, u16>> {
        let mut image: BTreeMap<&str, BTreeMap<u16, u16>> = BTreeMap::new();
        for (tag, row) in &self.rows {
            let (table, address) = row.at.split_once(':').unwrap();
            for (at, word) in (address.parse().unwrap()..=u16::MAX).zip(&row.words) {
                let known = image.entry(table).or_default().insert(at, *word);
                let agrees = known.is_none_or(|known| known == *word);
                assert!(
                    agrees,
                    "{}: {tag} and another row at {table}:{at}",
                    self.name
                );
            }
        }
        image
    }
}

impl Row {
    fn of(row: &DeTable<'_>, text: &str) -> Option<Row> {
        let get = |key: &str| row.get(key).map(Spanned::get_ref);
        let expected = match (get("is"), get("bad")) {
            (Some(value), None) => Expected::of(value)?,
            (None, Some(reason)) => Expected::Bad(reason.as_str()?.to_owned()),
            _ => return None,
        };
        let DeValue::Array(words) = get("words")? else {
            return None;
        };
        let of_tag = row
            .iter()
            .filter(|(key, _)| !OURS.contains(&&**key.get_ref()));
        let of_tag = of_tag.map(|(key, value)| {
            let value = &text[value.span()];
            format!("{} = {value}", key.get_ref())
        });
        Some(Row {
            at: get("at")?.as_str()?.to_owned(),
            tag: format!("{{ {} }}", of_tag.collect::<Vec<_>>().join(", ")),
            words: words
                .iter()
                .map(|word| word_of(word.get_ref()))
                .collect::<Option<_>>()?,
            expected,
            within: get("within").map_or(Some(0.0), number)?,
        })
    }
}

impl Expected {
    fn of(value: &DeValue<'_>) -> Option<Expected> {
        Some(match value {
            DeValue::Boolean(value) => Expected::Bool(*value),
            DeValue::Integer(value) => {
                Expected::Int(i64::from_str_radix(value.as_str(), value.radix()).ok()?)
            }
            DeValue::Float(value) => Expected::Float(value.as_str().parse().ok()?),
            DeValue::String(value) => Expected::Text(value.to_string()),
            _ => return None,
        })
    }
}

fn word_of(value: &DeValue<'_>) -> Option<u16> {
    let DeValue::Integer(value) = value else {
        return None;
    };
    u16::from_str_radix(value.as_str(), value.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match Expected::of(value)? {
        Expected::Int(value) => Some(value as f64),
        Expected::Float(value) => Some(value),
        _ => None,
    }
}
