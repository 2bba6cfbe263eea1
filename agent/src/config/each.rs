//! `each`: one `[[device]]` written for many machines, with placeholders for their numbers.
//!
//! A section is copied for each of its numbers before anything else looks at it. Where something
//! is wrong with the numbers or a placeholder only one copy is made, so that the rest of the
//! section is checked all the same.

use super::report::Finding;
use super::tags::message::DEVICE;
use super::tree::for_each_text;
use super::values::whole;
use super::walk::Findings;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// More machines than this from one section are a slip of the pen.
const MOST: i64 = 1000;

/// What all copies together may take, in bytes: some hundred times what a large plant needs.
const MOST_BYTES: usize = 64 << 20;

/// A value that takes no memory of its own still takes this much in a table.
const VALUE_BYTES: usize = 150;

/// What is filled in for `n`.
#[derive(Debug, Clone)]
enum Filling {
    Number(i64),
    Text(String),
}

/// Replaces every `[[device]]` with `each` by its copies. `source` is the text of all files, and
/// `spent` counts the bytes that copies take.
pub(super) fn expand(root: &mut DeTable<'_>, source: &str, spent: &mut usize, out: &Findings) {
    let Some(DeValue::Array(devices)) = root.get_mut("device").map(Spanned::get_mut) else {
        return;
    };
    let mut expanded = DeArray::new();
    for device in std::mem::replace(devices, DeArray::new()) {
        match device.get_ref() {
            DeValue::Table(table) if table.contains_key("each") => {
                copy(device, source, spent, out, &mut expanded);
            }
            _ => expanded.push(device),
        }
    }
    *devices = expanded;
}

fn copy<'i>(
    device: Spanned<DeValue<'i>>,
    source: &str,
    spent: &mut usize,
    out: &Findings,
    expanded: &mut DeArray<'i>,
) {
    let before = out.count();
    let each = device.get_ref().get("each");
    let span = each.map_or(device.span(), Spanned::span);
    let each = each.map(|each| each.get_ref());
    let fillings = match each.map_or(Err(not_numbers()), fillings) {
        Ok(fillings) => fillings,
        Err((what, hint)) => {
            out.mistake(Finding::at(span.clone(), what).hint(hint));
            vec![Filling::Number(1)]
        }
    };
    let bytes = weight(&device).saturating_mul(fillings.len());
    *spent = spent.saturating_add(bytes);
    if *spent > MOST_BYTES {
        out.mistake(
            Finding::at(span, "the devices of this file are too many, or too large")
                .hint("a `profile` says once what all of them have in common"),
        );
        out.lose_devices();
        return;
    }
    let mut told = BTreeSet::new();
    let mut copies: Vec<Spanned<DeValue<'i>>> = Vec::with_capacity(fillings.len());
    for filling in &fillings {
        let mut copy = device.clone();
        fill(&mut copy, filling, &mut |placeholder, span, what, hint| {
            let place = within(source, &span, placeholder);
            if told.insert(place.start) {
                out.mistake(Finding::at(place, what).hint(hint));
            }
        });
        copies.push(copy);
    }
    if out.count() == before {
        check_ids(&device, &copies, out);
    }
    if out.count() > before {
        copies.truncate(1);
        out.lose_devices();
    }
    copies.into_iter().for_each(|copy| expanded.push(copy));
}

fn not_numbers() -> (String, String) {
    (
        "`each` says which numbers there are".into(),
        "write a range such as \"1..40\", or a list such as [1, 3, 7] or [\"a\", \"b\"]".into(),
    )
}

fn fillings(each: &DeValue<'_>) -> Result<Vec<Filling>, (String, String)> {
    match each {
        DeValue::String(text) => range(text),
        DeValue::Array(list) if (1..=MOST as usize).contains(&list.len()) => {
            let filling = |element: &Spanned<DeValue<'_>>| match element.get_ref() {
                DeValue::String(text) => Some(Filling::Text(text.to_string())),
                number => whole(number).filter(|n| *n >= 0).map(Filling::Number),
            };
            let fillings: Option<Vec<Filling>> = list.iter().map(filling).collect();
            fillings.ok_or_else(not_numbers)
        }
        _ => Err(not_numbers()),
    }
}

fn range(text: &str) -> Result<Vec<Filling>, (String, String)> {
    let end = |text: &str| {
        let text = text.trim();
        let digits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| digits)
    };
    let ends = text
        .split_once("..")
        .and_then(|(low, high)| end(low).zip(end(high)));
    let (low, high) = ends.ok_or_else(not_numbers)?;
    if low > high {
        let hint = format!("write the least number first: \"{high}..{low}\"");
        return Err(("no number is inside this range".into(), hint));
    }
    let count = high - low + 1;
    if count > MOST {
        let hint = format!("at most {MOST}; is the range right?");
        return Err((format!("these are {count} devices"), hint));
    }
    Ok((low..=high).map(Filling::Number).collect())
}

/// About how many bytes a copy takes.
fn weight(value: &Spanned<DeValue<'_>>) -> usize {
    VALUE_BYTES
        + match value.get_ref() {
            DeValue::String(text) => text.len(),
            DeValue::Array(array) => array.iter().map(weight).sum(),
            DeValue::Table(table) => {
                let entry = |(key, value): (&Spanned<Cow<'_, str>>, _)| {
                    key.get_ref().len() + VALUE_BYTES + weight(value)
                };
                table.iter().map(entry).sum()
            }
            _ => 0,
        }
}

/// Every copy needs an id of its own.
fn check_ids(device: &Spanned<DeValue<'_>>, copies: &[Spanned<DeValue<'_>>], out: &Findings) {
    let Some(id) = device.get_ref().get("id") else {
        return;
    };
    let mut seen = BTreeSet::new();
    let ids = copies
        .iter()
        .filter_map(|copy| copy.get_ref().get("id")?.get_ref().as_str());
    let Some(twice) = ids.into_iter().find(|id| !seen.insert(*id)) else {
        return;
    };
    let finding = match id.get_ref().as_str() {
        Some(template) if template.contains('{') => Finding::at(
            id.span(),
            format!("two of these devices would be `{twice}`"),
        )
        .hint("every number must give another id"),
        _ => Finding::at(
            id.span(),
            format!("{} devices would all be `{twice}`", copies.len()),
        )
        .hint(format!("write the number into it, such as `{twice}-{{n}}`")),
    };
    out.mistake(finding);
}

/// What is told of a placeholder: itself, the place of its text, what is wrong and what to do.
type Tell<'t> = dyn FnMut(&str, Range<usize>, String, String) + 't;

fn fill(device: &mut Spanned<DeValue<'_>>, filling: &Filling, tell: &mut Tell<'_>) {
    let DeValue::Table(table) = device.get_mut() else {
        return;
    };
    for (key, value) in table.iter_mut() {
        if key.get_ref() == "each" {
            continue;
        }
        // In tags `{device}` stands for the device, and not for its number.
        let kept = if key.get_ref() == "tags" { DEVICE } else { "" };
        for_each_text(value, &mut |text, span| {
            if text.contains(['{', '}']) {
                *text = Cow::Owned(filled_around(text, kept, filling, span, tell));
            }
        });
    }
}

/// The text with its placeholders replaced, but for one that is kept, if there is such.
fn filled_around(
    text: &str,
    kept: &str,
    filling: &Filling,
    span: Range<usize>,
    tell: &mut Tell<'_>,
) -> String {
    if kept.is_empty() {
        return filled(text, filling, span, tell);
    }
    let parts = text.split(kept);
    let parts = parts.map(|part| filled(part, filling, span.clone(), tell));
    parts.collect::<Vec<_>>().join(kept)
}

/// The text with its placeholders replaced; a wrong one becomes something harmless.
fn filled(text: &str, filling: &Filling, span: Range<usize>, tell: &mut Tell<'_>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = rest.find('}').filter(|_| rest.starts_with('{'));
        let Some(close) = close else {
            let what = "a brace without its other half".to_owned();
            tell(rest, span, what, "placeholders are written `{n}`".into());
            return result + &rest.replace(['{', '}'], "");
        };
        let (placeholder, after) = rest.split_at(close + 1);
        match value(&placeholder[1..close], filling) {
            Ok(value) => result.push_str(&value),
            Err((what, hint)) => {
                tell(placeholder, span.clone(), what, hint);
                result.push('1');
            }
        }
        rest = after;
    }
    result + rest
}

/// What stands for a placeholder: `n`, `n:02`, `100+n`, `n*2-1`.
fn value(placeholder: &str, filling: &Filling) -> Result<String, (String, String)> {
    let unknown = || {
        (
            format!("`{{{placeholder}}}` stands for nothing"),
            "write {n}, {n:02} for two digits, or a sum such as {100+n} or {n*2-1}".to_owned(),
        )
    };
    let (sum, width) = match placeholder.split_once(':') {
        None => (placeholder, 0),
        Some((sum, width)) => {
            let digits = width.strip_prefix('0').and_then(|width| width.parse().ok());
            (
                sum,
                digits
                    .filter(|width| (1..=9).contains(width))
                    .ok_or_else(unknown)?,
            )
        }
    };
    let n = match filling {
        Filling::Number(n) => *n,
        Filling::Text(text) if placeholder.trim() == "n" => return Ok(text.clone()),
        Filling::Text(_) => {
            return Err((
                format!("`{{{placeholder}}}` calculates with a text"),
                "write {n}, or numbers in `each`".into(),
            ));
        }
    };
    match evaluate(sum, n) {
        Some(Some(value @ 0..)) => Ok(format!("{value:0width$}")),
        Some(value) => {
            let is = value.map_or("too large".to_owned(), |value| value.to_string());
            let hint = "from 0; correct it, or the numbers in `each`".to_owned();
            Err((format!("`{{{placeholder}}}` is {is} for {n}"), hint))
        }
        None => Err(unknown()),
    }
}

/// Products and sums of `n` and numbers, which must have `n` in them. The outer none is another
/// text, the inner one a number that is too large.
fn evaluate(text: &str, n: i64) -> Option<Option<i64>> {
    let mut has_n = false;
    let mut sum = Some(0i64);
    for (sign, term) in terms(text) {
        let mut product = Some(sign);
        for factor in term.split('*') {
            let factor = match factor.trim() {
                "n" => {
                    has_n = true;
                    n
                }
                number if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
                    number.parse().ok()?
                }
                _ => return None,
            };
            product = product.and_then(|product| product.checked_mul(factor));
        }
        sum = sum
            .zip(product)
            .and_then(|(sum, term)| sum.checked_add(term));
    }
    has_n.then_some(sum)
}

/// The terms of a sum with their signs.
fn terms(text: &str) -> Vec<(i64, &str)> {
    let mut terms = Vec::new();
    let (mut sign, mut rest) = (1, text);
    while let Some(at) = rest.find(['+', '-']) {
        terms.push((sign, &rest[..at]));
        sign = if rest[at..].starts_with('-') { -1 } else { 1 };
        rest = &rest[at + 1..];
    }
    terms.push((sign, rest));
    terms
}

/// Where a part of a text stands in the source, or the whole text where it is written otherwise.
fn within(source: &str, span: &Range<usize>, part: &str) -> Range<usize> {
    let found = source.get(span.clone()).and_then(|text| text.find(part));
    found.map_or(span.clone(), |at| {
        span.start + at..span.start + at + part.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_calculate() {
        for (placeholder, n, is) in [
            ("n", 7, "7"),
            ("n:02", 7, "07"),
            ("n:03", 1234, "1234"),
            ("100+n", 7, "107"),
            (" n - 1 ", 7, "6"),
            ("n*10", 7, "70"),
            ("2*n-1:04", 7, "0013"),
            ("41-n", 7, "34"),
            ("n*n+n", 3, "12"),
        ] {
            let value = value(placeholder, &Filling::Number(n));
            assert_eq!(value.as_deref(), Ok(is), "{placeholder}");
        }
        for placeholder in [
            "",
            "m",
            "N",
            "n:2",
            "n:0",
            "n:",
            "n:0x",
            "1",
            "n+",
            "n**2",
            "n/2",
            "n n",
            "-n",
            "n:-1",
            "name",
            "99999999999999999999*n",
        ] {
            assert!(
                value(placeholder, &Filling::Number(7)).is_err(),
                "{placeholder}"
            );
        }
    }

    #[test]
    fn what_comes_out_must_be_a_number_from_zero() {
        let told = |placeholder| value(placeholder, &Filling::Number(1)).map_err(|(what, _)| what);
        assert_eq!(told("n-2"), Err("`{n-2}` is -1 for 1".into()));
        let large = "n*9223372036854775807*2";
        assert_eq!(
            told(large),
            Err(format!("`{{{large}}}` is too large for 1"))
        );
        assert_eq!(told("n-1").as_deref(), Ok("0"));
    }

    #[test]
    fn a_text_is_filled_in_as_it_is() {
        let left = Filling::Text("left".into());
        assert_eq!(value("n", &left).as_deref(), Ok("left"));
        assert!(value("n+1", &left).is_err());
        assert!(value("n:02", &left).is_err());
    }
}
