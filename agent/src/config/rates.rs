//! `rated_rate`: a rate, or one for each product that a tag names.

use super::report::Finding;
use super::states::position;
use super::values::{rate, text};
use super::walk::{At, Findings, Item};
use andon_core::plant::Rates;
use andon_core::sample::{Text, Value};
use andon_core::tag::{Kind, Tag, TagIndex};
use toml::de::DeValue;

/// A rated rate as configured.
#[derive(Debug)]
pub(super) enum RatePart {
    /// In thousandths of a part per hour.
    Fixed(u64),
    /// It follows a tag.
    By(RatesPart),
}

/// The rates of products; what they are called is known with the type of the tag.
#[derive(Debug)]
pub(super) struct RatesPart {
    by: At<String>,
    map: Vec<(At<String>, u64)>,
    otherwise: Option<u64>,
}

impl RatePart {
    /// The rate, if it is always the same.
    pub(super) const fn fixed(&self) -> Option<u64> {
        match self {
            RatePart::Fixed(rate) => Some(*rate),
            RatePart::By(_) => None,
        }
    }

    /// The rates, if they follow a tag.
    pub(super) const fn by_product(&self) -> Option<&RatesPart> {
        match self {
            RatePart::Fixed(_) => None,
            RatePart::By(rates) => Some(rates),
        }
    }

    /// The lowest rate.
    pub(super) fn lowest(&self) -> Option<u64> {
        match self {
            RatePart::Fixed(rate) => Some(*rate),
            RatePart::By(part) => {
                let rates = part.map.iter().map(|(_, rate)| *rate);
                rates.chain(part.otherwise).min()
            }
        }
    }
}

/// A key `rated_rate`.
pub(super) fn rated_rate(item: &Item<'_>) -> Option<RatePart> {
    if !matches!(item.value, DeValue::Table(_)) {
        return rate(item).map(RatePart::Fixed);
    }
    let mut section = item.section("a rate such as \"1200/h\"")?;
    let by = section.need("by", "by = \"recipe\"", |item| {
        text(item).map(str::to_owned)
    });
    let map = section.need("map", "map = { A = \"1200/h\", B = \"900/h\" }", map);
    let otherwise = section.read("else", rate);
    section.finish();
    if otherwise.is_none() && !item.out.is_lost("else") {
        item.out.warn(
            Finding::at(
                item.span.clone(),
                "until the first product is read, and for others than these, there is no rated rate: \
                 `capacity_utilisation` and `oee` take such time to be like the rest of the window, and \
                 are null where it is most of it",
            )
            .hint("add `else = \"1200/h\"`, the rate of the usual product"),
        );
    }
    Some(RatePart::By(RatesPart {
        by: by?,
        map: map?.value,
        otherwise,
    }))
}

fn map(item: &Item<'_>) -> Option<Vec<(At<String>, u64)>> {
    let section = item.section("a table: `{ A = \"1200/h\", B = \"900/h\" }`")?;
    let entries = section.entries();
    if entries.is_empty() {
        return item.wrong(
            "this gives no product a rate",
            "write `{ A = \"1200/h\", B = \"900/h\" }`",
        );
    }
    let product = |entry: &Item<'_>| {
        let name = At {
            value: entry.key.to_owned(),
            span: entry.key_span.clone(),
        };
        rate(entry).map(|rate| (name, rate))
    };
    Some(entries.iter().filter_map(product).collect())
}

impl RatesPart {
    /// The rates over these tags.
    pub(super) fn resolve(&self, tags: &[Tag], out: &Findings) -> Option<Rates> {
        let at = position(&self.by, tags, out)?;
        let tag = &tags[at];
        let is_number = tag.kind().is_integer() && !tag.kind().is_time() && tag.limits().is_some();
        if tag.kind() != Kind::Text && !is_number {
            let what = format!("`{}` names no product", tag.name);
            out.mistake(
                Finding::at(self.by.span.clone(), what)
                    .hint("name a tag that is a text, or a whole number that is not scaled"),
            );
            return None;
        }
        let mut map: Vec<(Value, u64)> = Vec::new();
        for (name, rate) in &self.map {
            match product(&name.value, tag) {
                Ok(product) if map.iter().any(|(other, _)| *other == product) => {
                    let what = format!("the product `{}` has two rates", name.value);
                    out.mistake(Finding::at(name.span.clone(), what).hint("leave one of them out"));
                }
                Ok(product) => map.push((product, *rate)),
                Err((what, hint)) => out.mistake(
                    Finding::at(name.span.clone(), what)
                        .hint(hint)
                        .also(self.by.span.clone(), "the tag that names the product"),
                ),
            }
        }
        Some(Rates {
            by: TagIndex(u16::try_from(at).ok()?),
            map,
            otherwise: self.otherwise,
        })
    }
}

/// What a tag says when the machine makes this product.
fn product(name: &str, tag: &Tag) -> Result<Value, (String, String)> {
    if tag.kind() == Kind::Text {
        let value = Text::try_from(name).map(Value::Text);
        return value.map_err(|_| {
            (
                "this text is too long to be read".into(),
                format!("at most {} bytes", Text::new().capacity()),
            )
        });
    }
    let Ok(number) = name.parse::<i64>() else {
        return Err((
            format!("`{}` is a number", tag.name),
            "write the numbers of the products, such as `{ 1 = \"1200/h\" }`".into(),
        ));
    };
    match tag.limits() {
        Some((least, most)) if !(least..=most).contains(&number) => Err((
            format!("`{}` never has this value", tag.name),
            format!("its type goes from {least} to {most}"),
        )),
        _ => Ok(Value::Int(number)),
    }
}
