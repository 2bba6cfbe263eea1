//! What messages call a device: its `address`, or its id.

use super::report::Finding;
use super::values::label;
use super::walk::{At, Findings, Item};
use andon_core::tag::LinkIndex;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// One level of a topic.
pub(super) fn address(item: &Item<'_>) -> Option<Arc<str>> {
    let text = label(item)?;
    if text.contains(['/', '+', '#']) || text.len() > 100 {
        return item.wrong(
            format!("`{text}` is not one level of a topic"),
            "write what stands for the device in its topics or messages, without `/`, `+` and `#`",
        );
    }
    Some(text)
}

/// What the devices of each link are called so far.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<(LinkIndex, Arc<str>), Range<usize>>);

impl Addresses {
    /// Two devices of one name would have each other's values.
    pub(super) fn check(&mut self, link: LinkIndex, called: &At<Arc<str>>, out: &Findings) {
        let key = (link, called.value.clone());
        if let Some(first) = self.0.get(&key) {
            let what = format!("messages call two devices `{}`", called.value);
            out.mistake(
                Finding::at(called.span.clone(), what)
                    .hint("each device behind a link has an `address` of its own, or its id")
                    .also(first.clone(), "the first"),
            );
        }
        self.0.entry(key).or_insert(called.span.clone());
    }
}
