//! The files of `maps/`: what is published of how devices are to be read.
//!
//! A row of `[values]` is a tag as in a configuration, and besides `words`, what its registers hold
//! (1 or 0 for a coil or discrete input), and `is`, the value that was published for them, or `bad`,
//! the reason why there is none. `within` is the tolerance that was published with a value. Where the
//! file is that of a `profile`, the tag is in the profile and the row repeats only its address;
//! `state` is what the profile's mapping makes of the registers.

use crate::scenario::repository;
use crate::{Failure, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a row says besides the keys of a tag.
const OURS: [&str; 4] = ["words", "is", "bad", "within"];

/// One file.
#[derive(Debug)]
pub struct Map {
    /// Its name without the ending.
    pub name: String,
    /// The profile that it is the map of.
    pub profile: Option<String>,
    /// The state that the profile makes of its registers, if it makes any.
    pub state: Option<String>,
    /// Its rows by the names of their tags.
    pub rows: BTreeMap<String, Row>,
}

/// One tag with its registers and its value.
#[derive(Debug)]
pub struct Row {
    /// Table and address, `holding:10`.
    pub at: String,
    /// Its type; none in the map of a profile, which says it.
    pub kind: Option<String>,
    /// The tag as it stands in the file, without what is not of a configuration.
    pub tag: String,
    /// What its registers hold.
    pub words: Vec<u16>,
    /// What its value must be, or why there is none.
    pub expected: Result<Value, String>,
    /// How far off it may be; 0 for as near as floats come.
    pub within: f64,
}

/// Every map, in the order of their names.
pub fn all() -> Outcome<Vec<Map>> {
    files(&repository().join("tests/maps"))?
        .iter()
        .map(|file| Map::read(file))
        .collect()
}

/// The names of the profiles that come with the agent.
pub fn profiles() -> Outcome<Vec<String>> {
    let files = files(&repository().join("agent/dist/profiles"))?;
    Ok(files.iter().map(|file| stem(file)).collect())
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = files.collect::<Outcome<Vec<_>>>()?;
    files.sort_by_key(|file| stem(file));
    Ok(files)
}

fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

impl Map {
    fn read(file: &Path) -> Outcome<Map> {
        let name = stem(file);
        let text = fs::read_to_string(file)?;
        let wrong = |what: &str| Failure::new(format!("{}: {what}", file.display()));
        let table = DeTable::parse(&text).map_err(|error| wrong(&error.to_string()))?;
        let mut table = table.into_inner();
        let says = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
        for key in ["source", "expectations"] {
            says(key).ok_or_else(|| wrong(&format!("no `{key}`")))?;
        }
        let [profile, state] = ["profile", "state"].map(|key| says(key).map(str::to_owned));
        let Some(DeValue::Table(values)) = table.remove("values").map(Spanned::into_inner) else {
            return Err(wrong("no [values]"));
        };
        let mut rows = BTreeMap::new();
        for (tag, row) in &values {
            let tag = tag.get_ref();
            let row = match row.get_ref() {
                DeValue::Table(row) => Row::of(row, &text),
                _ => None,
            };
            let row = row.ok_or_else(|| wrong(&format!("`{tag}` is no row")))?;
            rows.insert(tag.to_string(), row);
        }
        if let Some(profile) = &profile {
            in_profile(profile, &mut rows)?;
        }
        let map = Map {
            name,
            profile,
            state,
            rows,
        };
        Ok(map)
    }

    /// What the addresses of each table hold. Rows that share registers must agree.
    pub fn image(&self) -> Outcome<BTreeMap<&str, BTreeMap<u16, u16>>> {
        let mut image: BTreeMap<&str, BTreeMap<u16, u16>> = BTreeMap::new();
        for (tag, row) in &self.rows {
            let wrong = |what| Failure::new(format!("{}: `{tag}` {what}", self.name));
            let (table, address) = row
                .at
                .split_once(':')
                .ok_or_else(|| wrong("has no table"))?;
            for (at, word) in (address.parse()?..=u16::MAX).zip(&row.words) {
                let known = image.entry(table).or_default().insert(at, *word);
                if known.is_some_and(|known| known != *word) {
                    return Err(wrong("and another row disagree on a register"));
                }
            }
        }
        Ok(image)
    }
}

/// Compares the rows of a map with the tags of its profile, so that each address stands in two
/// places, and takes the types over.
fn in_profile(profile: &str, rows: &mut BTreeMap<String, Row>) -> Outcome {
    let file = format!("agent/dist/profiles/{profile}.toml");
    let text = fs::read_to_string(repository().join(&file))?;
    let wrong = |what: String| Failure::new(format!("{file}: {what}"));
    let table = DeTable::parse(&text).map_err(|error| wrong(error.to_string()))?;
    let profiles = table.get_ref().get("profile");
    let tags = profiles.and_then(|of| of.get_ref().get(0)?.get_ref().get("tags"));
    let Some(DeValue::Table(tags)) = tags.map(Spanned::get_ref) else {
        return Err(wrong("no tags".to_owned()));
    };
    for (name, tag) in tags {
        let name = &**name.get_ref();
        let says = |key: &str| {
            tag.get_ref()
                .get(key)?
                .get_ref()
                .as_str()
                .map(str::to_owned)
        };
        let row = rows.get_mut(name);
        let row = row.ok_or_else(|| wrong(format!("the map has no value for `{name}`")))?;
        if says("at").as_ref() != Some(&row.at) {
            return Err(wrong(format!("the map has `{name}` at {}", row.at)));
        }
        row.kind = says("type");
    }
    match rows.iter().find(|(_, row)| row.kind.is_none()) {
        Some((name, _)) => Err(wrong(format!("no tag `{name}`, which the map has"))),
        None => Ok(()),
    }
}

impl Row {
    fn of(row: &DeTable<'_>, text: &str) -> Option<Row> {
        let get = |key: &str| row.get(key).map(Spanned::get_ref);
        let says = |key: &str| get(key)?.as_str().map(str::to_owned);
        let expected = match (get("is"), says("bad")) {
            (Some(value), None) => Ok(json(value)?),
            (None, Some(reason)) => Err(reason),
            _ => return None,
        };
        let words = get("words")?.as_array()?.iter();
        let words = words.map(|word| json(word.get_ref())?.as_u64()?.try_into().ok());
        let of_tag = row.iter().filter_map(|(key, value)| {
            let key = &**key.get_ref();
            (!OURS.contains(&key)).then(|| format!("{key} = {}", &text[value.span()]))
        });
        Some(Row {
            at: says("at")?,
            kind: says("type"),
            tag: format!("{{ {} }}", of_tag.collect::<Vec<_>>().join(", ")),
            words: words.collect::<Option<_>>()?,
            expected,
            within: match get("within") {
                Some(within) => json(within)?.as_f64()?,
                None => 0.0,
            },
        })
    }

    /// Whether a tag, as the agent shows it, is what was published.
    pub fn agrees(&self, shown: &Value) -> bool {
        let value = &shown["value"];
        match &self.expected {
            Err(reason) => {
                shown["quality"] == "bad" && shown["reason"] == **reason && value.is_null()
            }
            Ok(want) => {
                let is_same = match (want, want.as_f64(), value.as_f64()) {
                    (Value::Number(_), Some(want), Some(found))
                        if value.is_f64() || self.within > 0.0 =>
                    {
                        self.is_near(want, found)
                    }
                    _ => want == value,
                };
                shown["quality"] == "good" && is_same
            }
        }
    }

    /// As near as floats of the type come, or as near as was published.
    fn is_near(&self, want: f64, found: f64) -> bool {
        let is_f32 = self.kind.as_deref() == Some("f32");
        let rounding = want.abs() * 4.0 * f64::EPSILON;
        (is_f32 && want as f32 == found as f32) || (found - want).abs() <= self.within.max(rounding)
    }
}

/// A value of TOML as one of JSON.
fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Integer(value) => i64::from_str_radix(value.as_str(), value.radix())
            .ok()?
            .into(),
        DeValue::Float(value) => value.as_str().parse::<f64>().ok()?.into(),
        DeValue::String(value) => Value::from(&**value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(kind: &str, expected: Result<Value, String>, within: f64) -> Row {
        Row {
            at: "holding:0".to_owned(),
            kind: Some(kind.to_owned()),
            tag: String::new(),
            words: Vec::new(),
            expected,
            within,
        }
    }

    fn good(value: Value) -> Value {
        json!({ "value": value, "quality": "good", "reason": null })
    }

    #[test]
    fn values_agree_as_closely_as_their_type_allows() {
        let cases = [
            (row("u16", Ok(json!(7)), 0.0), json!(7), json!(8)),
            (row("u16", Ok(json!(220)), 0.0), json!(220.0), json!(220.1)),
            (row("bool", Ok(json!(true)), 0.0), json!(true), json!(1)),
            (row("string", Ok(json!("a")), 0.0), json!("a"), json!("a ")),
            (
                row("i64", Ok(json!(9_007_199_254_740_993_i64)), 0.0),
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992_i64),
            ),
            (
                row("f32", Ok(json!(0.1)), 0.0),
                json!(f64::from(0.1_f32)),
                json!(0.10000002),
            ),
            (
                row("f64", Ok(json!(0.1)), 0.0),
                json!(0.1),
                json!(f64::from(0.1_f32)),
            ),
            (row("f32", Ok(json!(0.2)), 0.1), json!(0.25), json!(0.31)),
        ];
        for (row, right, wrong) in cases {
            assert!(row.agrees(&good(right.clone())), "{row:?} {right}");
            assert!(!row.agrees(&good(wrong.clone())), "{row:?} {wrong}");
        }
    }

    #[test]
    fn what_is_bad_agrees_only_for_its_reason() {
        let row = row("u16", Err("missing".to_owned()), 0.0);
        let bad = |reason| json!({ "value": null, "quality": "bad", "reason": reason });
        assert!(row.agrees(&bad("missing")));
        assert!(!row.agrees(&bad("out-of-range")));
        assert!(!row.agrees(&good(json!(65_535))));
    }

    #[test]
    fn every_profile_has_a_map() {
        let maps = all().unwrap();
        let of_profile = |map: Map| map.profile.filter(|profile| *profile == map.name);
        let named: Vec<String> = maps.into_iter().filter_map(of_profile).collect();
        assert_eq!(named, profiles().unwrap());
    }
}
