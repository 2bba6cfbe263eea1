//! Changes to tables before they are walked: places moved, texts replaced, elements added.

use super::syntax;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The table of a text whose first byte has this place.
pub(super) fn parsed(text: &str, start: usize) -> DeTable<'_> {
    let table = syntax::parse(text).into_inner();
    moved(table, &|span| span.start + start..span.end + start)
}

/// A table with its places moved.
fn moved<'i>(table: DeTable<'i>, to: &impl Fn(Range<usize>) -> Range<usize>) -> DeTable<'i> {
    let entry = |(key, value): (Spanned<Cow<'i, str>>, _)| {
        let span = to(key.span());
        (Spanned::new(span, key.into_inner()), moved_value(value, to))
    };
    table.into_iter().map(entry).collect()
}

/// [`moved`] for any value.
pub(super) fn moved_value<'i>(
    value: Spanned<DeValue<'i>>,
    to: &impl Fn(Range<usize>) -> Range<usize>,
) -> Spanned<DeValue<'i>> {
    let span = to(value.span());
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(moved(table, to)),
        DeValue::Array(array) => {
            let elements = array.into_iter().map(|element| moved_value(element, to));
            DeValue::Array(elements.collect())
        }
        scalar => scalar,
    };
    Spanned::new(span, value)
}

/// Calls for every text in a value, however deep, with its place.
pub(super) fn for_each_text<'i>(
    value: &mut Spanned<DeValue<'i>>,
    call: &mut impl FnMut(&mut Cow<'i, str>, Range<usize>),
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => call(text, span),
        DeValue::Array(array) => {
            for element in array.iter_mut() {
                for_each_text(element, call);
            }
        }
        DeValue::Table(table) => {
            for (_, value) in table.iter_mut() {
                for_each_text(value, call);
            }
        }
        _ => {}
    }
}

/// The tables `[[key]]`; none where the key is missing or something else, which is told elsewhere.
pub(super) fn tables<'t, 'i>(
    root: &'t DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = (&'t DeTable<'i>, Range<usize>)> {
    let elements = match root.get(key).map(Spanned::get_ref) {
        Some(DeValue::Array(array)) => &array[..],
        _ => &[],
    };
    elements
        .iter()
        .filter_map(|element| match element.get_ref() {
            DeValue::Table(table) => Some((table, element.span())),
            _ => None,
        })
}

/// A text of a table with its place.
pub(super) fn text_of<'t>(table: &'t DeTable<'_>, key: &str) -> Option<(&'t str, Range<usize>)> {
    let value = table.get(key)?;
    Some((value.get_ref().as_str()?, value.span()))
}

/// Appends to the tables `[[key]]`.
pub(super) fn push<'i>(root: &mut DeTable<'i>, key: &'static str, table: Spanned<DeTable<'i>>) {
    let span = table.span();
    let value = Spanned::new(span.clone(), DeValue::Table(table.into_inner()));
    let tables = root
        .entry(Spanned::new(span.clone(), Cow::Borrowed(key)))
        .or_insert_with(|| Spanned::new(span, DeValue::Array(DeArray::new())));
    if let DeValue::Array(array) = tables.get_mut() {
        array.push(value);
    }
}
